"""Scores: the one document that is sent, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import requests

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.grades import FullScore, LineItemSpec, create_line_item, post_score
from lti_tool.platforms import ScoreRefusal
from tests.unit.lti.lms import AGS, COLUMN_URL, ISSUER, LINE_ITEMS_URL, Lms, access, lms

SCORES_URL = f"{ISSUER}/mod/lti/services.php/2/lineitems/13/lineitem/scores?type_id=1"
AT = datetime(2026, 3, 1, 13, 0, 0, 45_678, tzinfo=timezone(timedelta(hours=1)))
SCORE = FullScore("5", Decimal("1.00000000"), AT)


@pytest.fixture
def moodle() -> Iterator[Lms]:
    with lms() as given:
        given.gives_tokens()
        yield given


def answer(
    given: Lms, status: int, body: object = "", *, headers: Mapping[str, str] | None = None
) -> ScoreRefusal | None:
    given.mock.post(SCORES_URL, status=status, body=body, headers=headers)
    return post_score(given.connector, access(), COLUMN_URL, SCORE)


def test_the_document_is_exact(moodle: Lms) -> None:
    assert answer(moodle, 200) is None
    (call,) = moodle.calls("/scores")
    assert json.loads(call.body) == {
        "userId": "5",
        "scoreGiven": 1,
        "scoreMaximum": 1,
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "timestamp": "2026-03-01T12:00:00.045Z",
    }
    assert call.url == SCORES_URL
    assert call.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
    assert moodle.tokens_given[0]["scope"] == f"{AGS}score"


def test_all_the_points_of_a_column_are_given_whatever_its_maximum(moodle: Lms) -> None:
    document = FullScore("5", Decimal("12.5"), AT).document()
    assert (document["scoreGiven"], document["scoreMaximum"]) == (12.5, 12.5)


def test_canvas_gets_its_extension(moodle: Lms) -> None:
    moodle.mock.post(SCORES_URL, status=200, body='{"resultUrl":"https://x"}')
    assert post_score(moodle.connector, access(product="canvas"), COLUMN_URL, SCORE) is None
    (call,) = moodle.calls("/scores")
    assert json.loads(call.body)["https://canvas.instructure.com/lti/submission"] == {
        "new_submission": False,
        "prioritize_non_tool_grade": True,
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_status_of_success_is_a_yes(moodle: Lms, status: int) -> None:
    assert answer(moodle, status) is None


@pytest.mark.parametrize(
    "status,body,refusal",
    [
        (400, "[]", ScoreRefusal.NOT_A_STUDENT),
        (409, "[]", ScoreRefusal.STALE),
        (500, "[]", ScoreRefusal.LOCKED),
        (400, "<html>", ScoreRefusal.OTHER),
        (422, "", ScoreRefusal.OTHER),
    ],
)
def test_refusals_are_told_apart(moodle: Lms, status: int, body: str, refusal: ScoreRefusal) -> None:
    assert answer(moodle, status, body) is refusal
    assert len(moodle.calls("/scores")) == 1, "a score is never sent twice by itself"


@pytest.mark.parametrize(
    "status,body,code",
    [
        (404, "[]", ErrorCode.COLUMN_MISSING),
        (410, "", ErrorCode.COLUMN_MISSING),
        (401, "[]", ErrorCode.PLATFORM_REFUSED),
        (403, "[]", ErrorCode.PLATFORM_REFUSED),
        (500, "<html>", ErrorCode.PLATFORM_UNREACHABLE),
        (502, "<html>", ErrorCode.PLATFORM_UNREACHABLE),
        (429, "[]", ErrorCode.PLATFORM_BUSY),
        (503, "[]", ErrorCode.PLATFORM_BUSY),
        # A page of whoever stands in between, with a friendly status.
        (200, " \n<!DOCTYPE html><title>Log in</title>", ErrorCode.PLATFORM_ANSWER_INVALID),
    ],
)
def test_what_is_neither_yes_nor_no_is_a_failure(
    moodle: Lms, status: int, body: str, code: ErrorCode
) -> None:
    with pytest.raises(PlatformFailed) as failed:
        answer(moodle, status, body)
    assert failed.value.code is code
    assert body.strip() not in str(failed.value) or not body


def test_the_platform_says_how_long_to_wait(moodle: Lms) -> None:
    with pytest.raises(PlatformFailed) as failed:
        answer(moodle, 429, headers={"Retry-After": "90"})
    assert failed.value.retry_after == 90


def test_a_dead_connection_is_not_tried_again(moodle: Lms) -> None:
    """The score may have arrived."""
    with pytest.raises(PlatformFailed) as failed:
        answer(moodle, 200, requests.ConnectionError("reset"))
    assert failed.value.code is ErrorCode.PLATFORM_UNREACHABLE
    assert len(moodle.calls("/scores")) == 1


def test_without_the_scope_nothing_is_sent(moodle: Lms) -> None:
    readers = replace(access(), granted=frozenset({f"{AGS}lineitem", f"{AGS}result.readonly"}))
    with pytest.raises(PlatformFailed) as failed:
        post_score(moodle.connector, readers, COLUMN_URL, SCORE)
    assert failed.value.code is ErrorCode.PLATFORM_SCOPE_MISSING
    assert not moodle.mock.calls


def test_no_score_goes_to_a_host_that_nobody_named(moodle: Lms) -> None:
    with pytest.raises(PlatformFailed) as failed:
        post_score(moodle.connector, access(), "https://evil.example/lineitems/1", SCORE)
    assert failed.value.code is ErrorCode.PLATFORM_HOST_FOREIGN


def test_the_award_column_names_its_link_and_no_other_column_does(moodle: Lms) -> None:
    sent: list[dict[str, Any]] = []

    def create(request: Any) -> tuple[int, dict[str, str], str]:
        sent.append(json.loads(request.body))
        return 201, {}, json.dumps({**sent[-1], "id": COLUMN_URL})

    moodle.mock.add_callback("POST", LINE_ITEMS_URL, create)
    for link in ("7", None):
        spec = LineItemSpec("Badge", Decimal(1), "key", "award", link)
        made = create_line_item(moodle.connector, access(), LINE_ITEMS_URL, spec)
        assert made.resource_link_id == link
    assert [body.get("resourceLinkId", "absent") for body in sent] == ["7", "absent"]


def test_times_are_utc_and_never_naive() -> None:
    assert (
        SCORE.document()["timestamp"]
        == FullScore("5", Decimal(1), AT.astimezone(UTC)).document()["timestamp"]
    )
