"""What pages say of badges that end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.renewal import ending_of
from lti_tool.errors import ErrorCode, NotAllowed
from lti_tool.web import ending_words
from lti_tool.web.ending_words import ending_advice, ending_word, renewal_words
from tests.unit.web.ending_views import ENDINGS, LISTS, WALLETS, ends, page, row
from tests.unit.web.sample_views import wallet
from tests.unit.web.samples import Sample
from tests.unit.web.version_views import OF_FIRST

COURSE = "/l/session-1/course/ending"


@pytest.mark.parametrize(
    "state, word, advice, short",
    [
        (
            "not-renewed",
            "Ends in 45 days",
            "It is not renewed. That you earned it stays true.",
            "Not renewed",
        ),
        ("not-open-yet", "Ends in 45 days", "on you can earn it again, to keep it.", "From "),
        ("open", "Ends in 12 days", "Then it goes on.", "Open until "),
        ("soon", "Ends in 3 days", "Then it goes on.", "Open until "),
        ("today", "Ends today", "Then it goes on.", "Open"),
        ("over", "Ended", "Then it is valid again.", "Open until "),
        ("over-open-for-good", "Ended", "Then it is valid again.", "Open"),
        ("over-missed", "Ended", "Ask those who give it how you can get a new one.", "Was open until "),
        ("over-not-renewed", "Ended", "It is not renewed.", "Not renewed"),
    ],
)
def test_each_end_says_when_and_what_to_do(
    app: Flask, state: str, word: str, advice: str, short: str
) -> None:
    with app.test_request_context():
        one = ENDINGS[state]
        assert ending_word(one) == word
        assert advice in ending_advice(one)
        assert renewal_words(one).startswith(short)


@pytest.mark.parametrize(
    "ends_at, word",
    [
        (datetime(2026, 12, 20, 23, 59, tzinfo=UTC), "Ends in 27 days"),
        (datetime(2026, 12, 23, 0, 1, tzinfo=UTC), "Ends in 30 days"),
        (datetime(2026, 11, 24, 23, 0, tzinfo=UTC), "Ends tomorrow"),
        (datetime(2026, 11, 24, 0, 30, tzinfo=UTC), "Ends tomorrow"),
        (datetime(2026, 11, 23, 23, 0, tzinfo=UTC), "Ends today"),
    ],
)
def test_the_days_are_those_of_the_calendar_as_the_date_beside_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch, ends_at: datetime, word: str
) -> None:
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    monkeypatch.setattr(ending_words, "now", lambda: at)
    one = ending_of(ends_at, None, at)
    assert one is not None
    with app.test_request_context():
        assert ending_word(one) == word


def words_of(markup: str) -> str:
    return " ".join(BeautifulSoup(markup, "html5lib").get_text(" ").split())


def test_the_wallet_reminds_and_says_what_is_missing(member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = WALLETS["ending"]
    words = words_of(member.get("/l/session-1/wallet").text)
    assert "Ends in 3 days. Meet its criteria again: what you achieve from" in words
    assert "40 of 100 points" in words
    tool.wallet_view = WALLETS["ended"]
    assert "Then it is valid again." in words_of(member.get("/l/session-1/wallet").text)


def test_of_a_badge_that_is_over_one_thing_is_said(member: FlaskClient, tool: Sample) -> None:
    """Whether there is a newer version is known: it is offered, or not spoken of."""
    over = ends(3, "over-not-renewed")
    for place in (None, OF_FIRST):
        tool.wallet_view = wallet(in_progress=(), earned=(replace(over, place=place),))
        words = words_of(member.get("/l/session-1/wallet").text)
        assert "If there is a newer version" not in words
        assert words.count("That you earned it stays true.") == 1
        assert ("There is version 3 of this badge" in words) is (place is not None)
        assert ("It is not renewed." in words) is (place is None)


def test_the_courses_list_says_who_and_until_when(member: FlaskClient, tool: Sample) -> None:
    asked: list[Any] = []

    def of_course(_session: object, *, page: int) -> Any:
        asked.append(page)
        return LISTS["usual"]

    tool.ending_soon.of_course = of_course
    words = words_of(member.get(f"{COURSE}?page=2").text)
    assert asked == [2]
    assert "Emmy Noether" in words
    assert "Ends in 3 days" in words
    tool.ending_soon.of_course = lambda *_, **__: LISTS["many"]
    shown = BeautifulSoup(member.get(COURSE).text, "html5lib")
    assert [one["href"] for one in shown.select("nav.pages a")] == [f"{COURSE}?page=1", f"{COURSE}?page=3"]
    assert "Name not given" in shown.get_text()


def test_who_has_left_is_not_said_to_be_able_to_renew(member: FlaskClient, tool: Sample) -> None:
    def said(state: str) -> str:
        shown = page(row(1, ENDINGS[state], has_left=True))
        tool.ending_soon.of_course = lambda *_, **__: shown
        return words_of(member.get(COURSE).text)

    for state in ("open", "not-open-yet", "over"):
        words = said(state)
        assert "Has left the course, and cannot renew it" in words
        assert "Open until" not in words
    assert "Not renewed" in said("not-renewed"), "nobody can, gone or not"
    assert "Was open until" in said("over-missed")


@pytest.mark.parametrize("page", ["0", "-3", "9" * 400, "x"])
def test_a_page_that_is_none_is_the_first_or_the_last(member: FlaskClient, page: str) -> None:
    assert member.get(f"{COURSE}?page={page}").status_code == 200


def test_who_may_not_see_the_course_is_refused(member: FlaskClient, tool: Sample) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)

    tool.ending_soon.of_course = refuse
    assert member.get(COURSE).status_code == 403
