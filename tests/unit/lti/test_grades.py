"""Grades and columns: exact numbers, lenient times, and nothing written that should only be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import lti_tool
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.grades import (
    LineItemOnPlatform,
    LineItemSpec,
    create_line_item,
    find_line_item,
    list_line_items,
    read_results,
    results_url,
)
from tests import needs
from tests.unit.lti.lms import (
    AGS,
    COLUMN_URL,
    ISSUER,
    LINE_ITEMS_URL,
    RESULTS_URL,
    Lms,
    access,
    lms,
)


@pytest.fixture
def moodle() -> Iterator[Lms]:
    with lms() as given:
        given.gives_tokens()
        yield given


def result(user: object = "5", score: object = 8, maximum: object = 10, **more: object) -> dict[str, object]:
    return {"userId": user, "resultScore": score, "resultMaximum": maximum, **more}


def read(given: Lms, **options):
    return read_results(given.connector, access(), COLUMN_URL, **options)


# -- results


def test_results_stand_below_the_line_item_before_its_query():
    assert results_url(COLUMN_URL) == RESULTS_URL
    assert results_url("https://x/lineitems/1") == "https://x/lineitems/1/results"
    assert results_url("https://x/lineitems/1/?a=B#c") == "https://x/lineitems/1/results?a=B"


def test_grades_are_read_exactly(moodle):
    body = (
        '[{"userId":"5","resultScore":66.66667,"resultMaximum":100,"timestamp":"2026-11-21T23:28:46+00:00"},'
        '{"userId":6,"resultScore":0,"resultMaximum":10.5},'
        '{"userId":"7"},'
        '{"userId":"8","resultScore":null,"resultMaximum":null,"comment":"<b>x</b>"},'
        '{"userId":"9","resultScore":"4.5","resultMaximum":"5"}]'
    )
    moodle.gives(RESULTS_URL, body)
    results = read(moodle)
    assert (results.complete, results.trouble) == (True, None)
    assert [(row.sub, row.score, row.maximum) for row in results.rows] == [
        ("5", Decimal("66.66667"), Decimal(100)),
        ("6", Decimal(0), Decimal("10.5")),
        ("7", None, Decimal(1)),
        ("8", None, Decimal(1)),
        ("9", Decimal("4.5"), Decimal(5)),
    ]
    assert results.rows[0].graded_at == datetime(2026, 11, 21, 23, 28, 46, tzinfo=UTC)
    request = moodle.calls("results")[0]
    assert request.headers["Accept"] == "application/vnd.ims.lis.v2.resultcontainer+json"
    assert "limit" not in request.url, "Moodle answers 404 to a limit"
    assert moodle.tokens_given[0]["scope"] == f"{AGS}result.readonly"


def test_a_column_nobody_is_graded_in_is_complete_and_empty(moodle):
    moodle.gives(RESULTS_URL, [])
    assert read(moodle) == grades.Results((), True, None)


def test_one_learners_grade_is_asked_for_and_filtered_again(moodle):
    moodle.gives(f"{RESULTS_URL}&user_id=5", [result("6"), result("5", 9), result("50")])
    assert [(row.sub, row.score) for row in read(moodle, user_id="5").rows] == [("5", Decimal(9))]


def test_a_user_id_cannot_break_out_of_the_query(moodle):
    moodle.gives(f"{RESULTS_URL}&user_id=a%26limit%3D1%23", [])
    assert read(moodle, user_id="a&limit=1#").complete


def test_rows_may_come_in_any_order_and_in_pages(moodle):
    moodle.gives(RESULTS_URL, [result("9")], next_url=f"{RESULTS_URL}&page=AbC")
    moodle.gives(f"{RESULTS_URL}&page=AbC", [result("1")])
    results = read(moodle)
    assert results.complete
    assert [row.sub for row in results.rows] == ["9", "1"]


@pytest.mark.parametrize(
    "written,kept",
    [
        ("59.999999999999", Decimal("59.99999999")),
        ("0.1", Decimal("0.1")),
        ("1e-400", Decimal("0E-8")),
        ("1E2", Decimal(100)),
        ("-0.000000001", Decimal("-1E-8")),
    ],
)
def test_a_grade_that_is_too_fine_is_cut_and_never_rounded_up(moodle, written, kept):
    moodle.gives(RESULTS_URL, f'[{{"userId":"5","resultScore":{written},"resultMaximum":100}}]')
    assert read(moodle).rows[0].score == kept


def test_a_maximum_that_is_too_fine_is_rounded_up(moodle):
    moodle.gives(RESULTS_URL, '[{"userId":"5","resultScore":1,"resultMaximum":99.9999999999}]')
    assert read(moodle).rows[0].maximum == Decimal(100)


def test_a_score_without_a_maximum_counts_as_a_share_or_as_nothing_known(moodle):
    moodle.gives(RESULTS_URL, [{"userId": "5", "resultScore": 0.5}, {"userId": "6", "resultScore": 80}])
    share, points = read(moodle).rows
    assert (share.score, share.maximum) == (Decimal("0.5"), Decimal(1))
    assert points.maximum == 0, "80 of 1 would be 8,000 percent"


@pytest.mark.parametrize(
    "row",
    [
        {"resultScore": 8},
        {"userId": ""},
        {"userId": None, "resultScore": 1},
        {"userId": "5", "resultScore": "NaN", "resultMaximum": 10},
        {"userId": "5", "resultScore": "Infinity", "resultMaximum": 10},
        {"userId": "5", "resultScore": 1e300, "resultMaximum": 10},
        {"userId": "5", "resultScore": 5, "resultMaximum": "-Infinity"},
        {"userId": "5", "resultScore": [8]},
        {"userId": "5", "resultScore": "eight"},
        {"userId": "5", "resultScore": True},
        None,
        [],
    ],
)
def test_an_unusable_row_is_left_out_and_said(moodle, row):
    moodle.gives(RESULTS_URL, [result("1"), row, result("2")])
    results = read(moodle)
    assert [entry.sub for entry in results.rows] == ["1", "2"]
    assert (results.complete, results.trouble) == (False, ErrorCode.PLATFORM_ANSWER_INVALID)


@pytest.mark.parametrize(
    "written,at",
    [
        ("2026-11-21T23:28:46Z", datetime(2026, 11, 21, 23, 28, 46, tzinfo=UTC)),
        ("2026-11-22T00:28:46.123+01:00", datetime(2026, 11, 21, 23, 28, 46, 123000, tzinfo=UTC)),
        ("2026-11-21T23:28:46", datetime(2026, 11, 21, 23, 28, 46, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        (1e300, None),
        ({"a": 1}, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_read_in_any_form_and_never_spoil_a_grade(moodle, written, at):
    moodle.gives(RESULTS_URL, [result(timestamp=written)])
    results = read(moodle)
    assert results.complete
    assert (results.rows[0].score, results.rows[0].graded_at) == (Decimal(8), at)


@pytest.mark.parametrize("status", [404, 410])
def test_a_column_that_was_deleted_has_its_own_code(moodle, status):
    moodle.gives(RESULTS_URL, "<!DOCTYPE html><html>Not found</html>", status=status)
    results = read(moodle)
    assert (results.complete, results.trouble) == (False, ErrorCode.COLUMN_MISSING)


@pytest.mark.parametrize("body", ["", "<html>", "{}", '[{"userId": "5", "resul', "null", "[" * 100_000])
def test_what_is_no_list_of_results_is_trouble(moodle, body):
    moodle.gives(RESULTS_URL, body)
    results = read(moodle)
    assert (results.rows, results.complete) == ((), False)
    assert results.trouble is ErrorCode.PLATFORM_ANSWER_INVALID


def test_a_busy_platform_says_how_long(moodle):
    moodle.gives(RESULTS_URL, "", status=429, headers={"Retry-After": "90"})
    results = read(moodle)
    assert (results.trouble, results.retry_after) == (ErrorCode.PLATFORM_BUSY, 90.0)


def test_results_that_were_not_granted_are_not_asked_for(moodle):
    who = access(granted=frozenset({f"{AGS}lineitem"}))
    results = read_results(moodle.connector, who, COLUMN_URL)
    assert results.trouble is ErrorCode.PLATFORM_SCOPE_MISSING
    assert not moodle.mock.calls


def test_a_column_on_a_foreign_host_is_not_asked_for(moodle):
    results = read_results(moodle.connector, access(), "https://evil.example/lineitems/1")
    assert results.trouble is ErrorCode.PLATFORM_HOST_FOREIGN
    assert not moodle.mock.calls


@pytest.mark.parametrize(
    "recording", ["ags_scores_results", "calc_if_formula", "calc_mirror", "teacher_override"]
)
def test_results_as_moodle_really_sends_them(moodle, recording):
    entries = json.loads(needs.reference(f"moodle/{recording}.json").read_text())
    bodies = [
        entry["body"]
        for entry in entries
        if "/results" in entry.get("request", {}).get("url", "")
        and entry["status"] == 200
        and isinstance(entry["body"], list)
    ]
    assert bodies
    moodle.gives(RESULTS_URL, [])
    for body in bodies:
        moodle.mock.replace("GET", RESULTS_URL, json=body)
        results = read(moodle)
        assert results.complete
        assert [row.sub for row in results.rows] == [row["userId"] for row in body]
        given = [None if "resultScore" not in row else Decimal(str(row["resultScore"])) for row in body]
        assert [row.score for row in results.rows] == given


# -- line items


def line_item(number: int, label: str = "Quiz 1", **more: object) -> dict[str, object]:
    return {
        "id": f"{ISSUER}/mod/lti/services.php/2/lineitems/{number}/lineitem?type_id=1",
        "label": label,
        "scoreMaximum": 100,
        "resourceId": "key-1",
        "tag": "mirror",
        **more,
    }


SPEC = LineItemSpec("Quiz 1 · mirror", Decimal(100), "key-1", "mirror")


def test_a_column_is_created_without_being_coupled_to_a_link(moodle):
    moodle.mock.post(LINE_ITEMS_URL, json=line_item(13, SPEC.label), status=201)
    made = create_line_item(moodle.connector, access(), LINE_ITEMS_URL, SPEC)
    assert made.url == COLUMN_URL
    request = moodle.calls("lineitems")[0]
    assert request.url == LINE_ITEMS_URL
    assert request.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitem+json"
    assert json.loads(request.body) == {
        "label": SPEC.label,
        "scoreMaximum": 100,
        "resourceId": "key-1",
        "tag": "mirror",
    }
    assert moodle.tokens_given[0]["scope"] == f"{AGS}lineitem"


def test_a_column_is_not_created_where_columns_may_only_be_read(moodle):
    who = access(granted=frozenset({f"{AGS}lineitem.readonly", f"{AGS}result.readonly"}))
    with pytest.raises(PlatformFailed) as raised:
        create_line_item(moodle.connector, who, LINE_ITEMS_URL, SPEC)
    assert raised.value.code is ErrorCode.PLATFORM_SCOPE_MISSING
    assert not moodle.mock.calls


@pytest.mark.parametrize("maximum", [0, -5])
def test_a_column_without_a_maximum_is_refused_here(moodle, maximum):
    with pytest.raises(ValueError, match="above zero"):
        create_line_item(
            moodle.connector, access(), LINE_ITEMS_URL, replace(SPEC, score_maximum=Decimal(maximum))
        )


@pytest.mark.parametrize("body", ["", "{}", '{"id": 5}', '{"id": "' + "x" * 3000 + '"}', "<html>"])
def test_a_created_column_without_a_usable_url_is_trouble(moodle, body):
    moodle.mock.post(LINE_ITEMS_URL, body=body, status=201)
    with pytest.raises(PlatformFailed) as raised:
        create_line_item(moodle.connector, access(), LINE_ITEMS_URL, SPEC)
    assert raised.value.code is ErrorCode.PLATFORM_ANSWER_INVALID


def test_a_created_column_on_a_foreign_host_is_trouble(moodle):
    moodle.mock.post(LINE_ITEMS_URL, json=line_item(13, id="https://evil.example/1"), status=201)
    with pytest.raises(PlatformFailed) as raised:
        create_line_item(moodle.connector, access(), LINE_ITEMS_URL, SPEC)
    assert raised.value.code is ErrorCode.PLATFORM_HOST_FOREIGN


def test_columns_are_listed_by_our_key_also_where_the_filter_is_ignored(moodle):
    moodle.gives(
        f"{LINE_ITEMS_URL}&resource_id=key-1",
        [
            line_item(1),
            line_item(2, resourceId="key-2"),
            line_item(3, resourceId=None),
            line_item(4, tag="attest"),
        ],
    )
    found = list_line_items(moodle.connector, access(), LINE_ITEMS_URL, resource_id="key-1")
    assert [(item.url, item.tag) for item in found] == [
        (line_item(1)["id"], "mirror"),
        (line_item(4)["id"], "attest"),
    ]
    assert not moodle.calls("limit")


def test_a_list_of_columns_that_was_cut_off_is_not_a_list(moodle):
    moodle.gives(LINE_ITEMS_URL, [line_item(1)], next_url="https://evil.example/lineitems")
    with pytest.raises(PlatformFailed) as raised:
        list_line_items(moodle.connector, access(), LINE_ITEMS_URL)
    assert raised.value.code is ErrorCode.PLATFORM_HOST_FOREIGN


def test_columns_are_read_with_every_scope_that_lets_one(moodle):
    moodle.gives(LINE_ITEMS_URL, [])
    assert list_line_items(moodle.connector, access(), LINE_ITEMS_URL) == ()
    assert moodle.tokens_given[0]["scope"] == f"{AGS}lineitem {AGS}lineitem.readonly"


def test_the_column_to_adopt_is_ours_by_key_tag_and_name_and_hangs_on_no_link():
    ours = LineItemOnPlatform("u1", "Quiz 1 ", Decimal(100), "key-1", "mirror", None)
    others = (
        replace(ours, url="u2", resource_link_id="7"),
        replace(ours, url="u3", tag="award"),
        replace(ours, url="u4", resource_id="key-2"),
        replace(ours, url="u5", label="Quiz 2"),
    )
    wanted = {"resource_id": "key-1", "tag": "mirror", "label": "Quiz 1"}
    assert find_line_item((*others, ours), **wanted) == ours
    assert find_line_item(others, **wanted) is None


def test_nothing_here_replaces_columns_and_a_score_is_written_in_one_place_only():
    offered = {name for name in vars(grades) if not name.startswith("_")}
    assert not {name for name in offered if name.startswith(("put", "update", "replace_", "delete"))}
    assert {name for name in offered if name.startswith("post")} == {"post_score"}
    # Of columns, ``scoring`` reads award columns only (tests/integration/test_scoring.py); ``opening`` grades
    # nobody.
    package = Path(lti_tool.__file__).parent
    texts = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    named = {name for name, text in texts.items() if "FullScore" in text}
    posting = {name for name, text in texts.items() if "post_score(" in text}
    assert named == {"lti/grades.py", "services/scoring.py"}
    assert posting == {*named, "services/opening.py"}


def test_line_items_as_moodle_really_sends_them(moodle):
    entries = json.loads(needs.reference("moodle/ags_lineitems.json").read_text())
    body = next(entry["body"] for entry in entries if entry["label"] == "lineitems all")
    moodle.gives(LINE_ITEMS_URL, body)
    (item,) = list_line_items(moodle.connector, access(), LINE_ITEMS_URL)
    assert item.resource_link_id == "1"
    assert item.url == body[0]["id"]
