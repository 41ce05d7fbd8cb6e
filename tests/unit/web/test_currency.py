"""The pages of review dates: words, forms, the file, and what somebody who only reads is shown."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.staff import StaffRole
from lti_tool.services.currency import CareForm, Chosen
from lti_tool.store.currency import CareFilter
from lti_tool.web.currency_files import COLUMNS
from lti_tool.web.currency_words import review_pill_kind, review_pill_word
from tests.unit.web import currency_views as views
from tests.unit.web import staff_views
from tests.unit.web.currency_views import TODAY
from tests.unit.web.samples import SECRET, Sample

CSRF = f"csrf-of-{SECRET}"
LIST = "/staff/currency"
ONE = "/staff/currency/micromodule/micromodule-1"


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    """A browser that holds the cookie of a staff session."""
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def soup(page: Any) -> BeautifulSoup:
    return BeautifulSoup(page.text, "html5lib")


def words(found: Any) -> str:
    return " ".join(found.get_text(" ").split())


@pytest.mark.parametrize(
    "days, word, kind",
    [
        (None, "No date", "plain"),
        (-1204, "1,204 days overdue", "bad"),
        (-1, "1 day overdue", "bad"),
        (0, "Due today", "wait"),
        (1, "Due in 1 day", "wait"),
        (60, "Due in 60 days", "wait"),
        (61, "In order", "good"),
    ],
)
def test_a_review_says_how_it_stands(app: Flask, days: int | None, word: str, kind: str) -> None:
    review_on = None if days is None else TODAY + timedelta(days=days)
    with app.test_request_context():
        assert review_pill_word(review_on, TODAY) == word
        assert review_pill_kind(review_on, TODAY) == kind


def test_the_list_asks_for_what_the_address_says(staff: FlaskClient, tool: Sample) -> None:
    asked: list[tuple[CareFilter, int]] = []
    shown = tool.currency.page

    def page(by: Any, wanted: CareFilter, *, page: int = 1) -> Any:
        asked.append((wanted, page))
        return shown(by, wanted)

    tool.currency.page = page  # type: ignore[method-assign]
    staff.get(f"{LIST}?q=+data+&state=stale&who=member-2&page=3")
    staff.get(f"{LIST}?state=rotten&page=many")
    assert asked == [(CareFilter("data", "stale", "member-2"), 3), (CareFilter(), 1)]  # type: ignore[arg-type]


def test_the_list_tells_who_answers_and_who_does_no_more(staff: FlaskClient) -> None:
    rows = {words(row.select_one("th")): words(row) for row in soup(staff.get(LIST)).select("tbody tr")}
    assert "Nobody answers" in rows[views.LONG_WORD]
    milestone = rows["Micromodule Explorer Milestone"]
    assert "Nobody answers" in milestone
    assert f"{views.LONG_WORD} has no access any more" in milestone
    assert "Due today" in milestone
    assert "Edgar Editor · Registrar's office" in rows["Academic writing"]
    assert "issues no badge" in next(name for name in rows if name.startswith("Open Data"))


def test_several_are_changed_with_the_state_in_which_they_were_seen(staff: FlaskClient, tool: Sample) -> None:
    ticked = [box["value"] for box in soup(staff.get(f"{LIST}?chosen=page")).select("input[name=chosen]")]
    assert ticked[0] == "micromodule:micromodule-1:3"
    form = {"csrf_token": CSRF, "chosen": [*ticked[:2], "course:x:1"], "contact": " The  office "}
    answer = staff.post(f"{LIST}?state=stale&page=2", data=form)
    assert answer.status_code == 303
    assert "state=stale" in answer.location
    assert "page=2" in answer.location
    ((name, by, chosen, asked),) = tool.calls
    assert (name, by) == ("change_many", tool.staffing.view)
    assert chosen == [
        Chosen("micromodule", "micromodule-1", 3),
        Chosen("micromodule", "micromodule-7", 3),
    ]
    assert asked == CareForm(contact="The office")
    assert "Saved." in staff.get(answer.location).text


def test_one_is_changed_and_reviewed_as_it_was_seen(staff: FlaskClient, tool: Sample) -> None:
    named: list[dict[str, Any]] = []
    tool.currency.change = tool.currency.review = lambda *call, **more: named.append(more)
    staff.post(ONE, data={"csrf_token": CSRF, "revision": "3", "review_on": "2027-01-01"})
    for sent in ({"revision": "x"}, {}, {"revision": "9" * 40}):
        staff.post(f"{ONE}/reviewed", data={"csrf_token": CSRF, "note": "Read.", **sent})
    assert named[0] == {"revision": 3}
    assert [each["revision"] for each in named[1:]] == [-1, -1, int("9" * 40)]
    assert named[1]["note"] == "Read."


def test_a_reader_sees_the_dates_and_no_form(staff: FlaskClient, tool: Sample) -> None:
    tool.staffing.view = staff_views.staff(StaffRole.READER)
    for path in (LIST, ONE):
        page = soup(staff.get(path))
        assert [form["action"] for form in page.select("form[method=post]")] == ["/staff/sign-out"]
        assert page.select("input[type=checkbox]") == []
        assert "12 months" in words(page)


def test_what_was_found_at_a_review_before_the_newest_version_is_told_no_more(
    staff: FlaskClient, tool: Sample
) -> None:
    assert "Read against the law of 2026." in staff.get(ONE).text
    row = views.row(
        published_at=views.NOW, reviewed_at=views.NOW - timedelta(days=9), reviewed_by="cli", note="Old."
    )
    tool.currency.detail = views.CareDetail(row, (), None, TODAY)
    page = staff.get(ONE).text
    assert "Old." not in page
    assert "by command" not in page


def test_the_navigation_counts_what_is_overdue_and_an_error_page_does_not_ask(
    staff: FlaskClient, tool: Sample
) -> None:
    link = 'nav a[href="/staff/currency"]'
    assert words(soup(staff.get("/staff/")).select_one(link)) == "Review dates"
    tool.currency.stale = 1204
    assert words(soup(staff.get("/staff/")).select_one(link)) == "Review dates 1,204 overdue"
    assert "1,204 badges and micromodules were not looked at" in staff.get("/staff/").text
    version = staff.get("/staff/micromodules/micromodule-1/version")
    assert words(soup(version).select_one(link)) == "Review dates 1,204 overdue"

    def unreachable(_: str) -> int:
        raise RuntimeError("the database is gone")

    tool.currency.count_stale = unreachable  # type: ignore[method-assign]
    assert staff.get("/staff/nothing-here").status_code == 404
    assert staff.get("/staff/").status_code == 500


def test_the_file_is_for_spreadsheets(staff: FlaskClient, tool: Sample) -> None:
    tool.currency.list = views.page(
        (views.row(name="=1+1", review_on=date(2026, 11, 1)), views.UNTOUCHED, views.MILESTONE)
    )
    answer = staff.get(f"{LIST}.csv?state=stale")
    assert answer.mimetype == "text/csv"
    assert 'filename="review-dates.csv"' in answer.headers["Content-Disposition"]
    header, first, second, third = csv.reader(io.StringIO(answer.text))
    assert tuple(header) == COLUMNS
    told = dict(zip(header, first, strict=True))
    assert told["name"] == "'=1+1"
    assert (told["state"], told["days_overdue"], told["answers"]) == ("stale", "21", "Edgar Editor")
    untouched = dict(zip(header, second, strict=True))
    assert (untouched["review_on"], untouched["days_overdue"], untouched["answers"]) == ("", "", "")
    gone = dict(zip(header, third, strict=True))
    assert (gone["days_overdue"], gone["answers"], gone["answers_email"]) == ("0", "", "")
