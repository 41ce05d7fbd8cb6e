"""Columns that exist: a new name and nothing else, and deletion that may be repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.line_items import delete_line_item, read_line_item, rename_line_item
from tests.unit.lti.lms import AGS, COLUMN_URL, Lms, access, lms

LINE_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
STORED = {
    "id": COLUMN_URL,
    "label": "Quiz 1 · Old name",
    "scoreMaximum": 100.5,
    "resourceId": "key-1",
    "tag": "mirror",
    "ltiLinkId": "7",
    "submissionReview": {"url": "https://badges.example/review"},
    "endDateTime": None,
}


@pytest.fixture
def moodle() -> Iterator[Lms]:
    with lms() as given:
        given.gives_tokens()
        yield given


def rename(given: Lms) -> bool:
    return rename_line_item(
        given.connector,
        access(),
        COLUMN_URL,
        "Quiz 1 · New name",
        was="Quiz 1 · Old name",
        resource_id="key-1",
        tag="mirror",
    )


def test_a_new_name_is_put_with_everything_else_as_the_platform_has_it(moodle: Lms) -> None:
    moodle.mock.get(COLUMN_URL, json=STORED)
    moodle.mock.put(COLUMN_URL, json={})
    assert rename(moodle)
    put = moodle.calls("lineitem")[-1]
    assert (put.method, put.headers["Content-Type"]) == ("PUT", LINE_ITEM_TYPE)
    sent = json.loads(put.body)
    assert sent == {
        "label": "Quiz 1 · New name",
        "scoreMaximum": 100.5,
        "resourceId": "key-1",
        "tag": "mirror",
        "ltiLinkId": "7",
        "submissionReview": {"url": "https://badges.example/review"},
    }


def test_what_a_platform_lists_as_empty_is_put_back(moodle: Lms) -> None:
    """Moodle empties what is left out; a column that lost its marks is found by nobody."""
    moodle.mock.get(COLUMN_URL, json={**STORED, "tag": "", "resourceId": ""})
    moodle.mock.put(COLUMN_URL, json={})
    assert rename(moodle)
    sent = json.loads(moodle.calls("lineitem")[-1].body)
    assert (sent["tag"], sent["resourceId"], sent["scoreMaximum"]) == ("mirror", "key-1", 100.5)


@pytest.mark.parametrize(
    "label, is_named", [("Quiz 1 · New name", True), ("What the teacher calls it", False)]
)
def test_a_column_that_has_the_name_or_one_of_a_persons_is_left_alone(
    moodle: Lms, label: str, *, is_named: bool
) -> None:
    moodle.mock.get(COLUMN_URL, json={**STORED, "label": label})
    assert rename(moodle) is is_named
    assert [call.method for call in moodle.calls("lineitem")] == ["GET"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "<html>",
        '{"label": "x"}',
        '{"label": "x", "scoreMaximum": true}',
        '{"label": "x", "scoreMaximum": "100"}',
        '{"label": null, "scoreMaximum": 1}',
        "[" * 5000,
    ],
)
def test_an_answer_that_is_no_line_item_is_never_put_back(moodle: Lms, body: str) -> None:
    moodle.mock.get(COLUMN_URL, body=body)
    with pytest.raises(PlatformFailed) as raised:
        rename(moodle)
    assert raised.value.code is ErrorCode.PLATFORM_ANSWER_INVALID
    assert [call.method for call in moodle.calls("lineitem")] == ["GET"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_column_that_is_gone_is_said_to_be_missing(moodle: Lms, status: int) -> None:
    moodle.mock.get(COLUMN_URL, status=status)
    with pytest.raises(PlatformFailed) as raised:
        read_line_item(moodle.connector, access(), COLUMN_URL)
    assert raised.value.code is ErrorCode.COLUMN_MISSING


@pytest.mark.parametrize("status", [204, 200, 404, 410])
def test_a_deleted_column_is_gone_however_often_it_is_asked_for(moodle: Lms, status: int) -> None:
    moodle.mock.delete(COLUMN_URL, status=status)
    delete_line_item(moodle.connector, access(), COLUMN_URL)
    assert moodle.tokens_given[0]["scope"] == f"{AGS}lineitem"


def test_a_column_that_the_platform_keeps_is_trouble(moodle: Lms) -> None:
    """Canvas answers 401 for a column that belongs to a link."""
    moodle.mock.delete(COLUMN_URL, status=401)
    with pytest.raises(PlatformFailed) as raised:
        delete_line_item(moodle.connector, access(), COLUMN_URL)
    assert raised.value.code is ErrorCode.PLATFORM_REFUSED


def test_columns_that_may_only_be_read_are_neither_renamed_nor_deleted(moodle: Lms) -> None:
    who = access(granted=frozenset({f"{AGS}lineitem.readonly", f"{AGS}result.readonly"}))
    for act in (
        lambda: rename_line_item(
            moodle.connector, who, COLUMN_URL, "x", was="y", resource_id="key-1", tag="mirror"
        ),
        lambda: delete_line_item(moodle.connector, who, COLUMN_URL),
    ):
        with pytest.raises(PlatformFailed) as raised:
            act()
        assert raised.value.code is ErrorCode.PLATFORM_SCOPE_MISSING
    assert not moodle.mock.calls


def test_no_token_goes_to_a_column_on_a_foreign_host(moodle: Lms) -> None:
    with pytest.raises(PlatformFailed) as raised:
        delete_line_item(moodle.connector, access(), "https://evil.example/lineitems/1")
    assert raised.value.code is ErrorCode.PLATFORM_HOST_FOREIGN
