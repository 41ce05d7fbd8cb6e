"""A learner's own accounts as pages: tokens, what is sent on, what a code's page gives away."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import ErrorCode, NotAllowed
from tests.gallery.account_pages import ACCOUNTS, CSRF, TYPED, WALLET
from tests.unit.web.account_views import ELSEWHERE, OFFERED, PERSONS
from tests.unit.web.sample_views import session
from tests.unit.web.samples import Sample


@pytest.fixture(autouse=True)
def _learner(tool: Sample) -> None:
    tool.launching.view = session()


@pytest.mark.parametrize("act", ["code", "look", "enter", "answer", "leave"])
def test_nothing_is_done_without_the_token(act: str, member: FlaskClient, tool: Sample) -> None:
    for fields in ({}, {"csrf_token": "forged"}):
        answer = member.post(f"{ACCOUNTS}/{act}", data={**TYPED, "csrf_token": "", **fields})
        assert answer.status_code == 400
        assert "csrf_invalid" in answer.text
        # A link alone does nothing either.
        assert member.get(f"{ACCOUNTS}/{act}").location == ACCOUNTS
    assert not tool.calls


def test_a_code_stands_on_one_page_that_nobody_keeps(member: FlaskClient) -> None:
    answer = member.post(f"{ACCOUNTS}/code", data=CSRF)
    page = BeautifulSoup(answer.text, "html5lib")
    shown = page.select_one("#code")
    assert shown is not None
    assert shown["value"] == "KLMNP-34567"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "KLMNP" not in member.get(ACCOUNTS).text


def test_what_is_confirmed_is_what_was_shown(member: FlaskClient, tool: Sample) -> None:
    page = BeautifulSoup(member.post(f"{ACCOUNTS}/look", data=TYPED).text, "html5lib")
    form = page.select_one(f'form[action$="{ACCOUNTS}/enter"]')
    assert form is not None
    fields = {str(one["name"]): str(one["value"]) for one in form.select("input")}
    assert fields["mark"] == OFFERED.mark
    tool.calls.clear()
    assert member.post(f"{ACCOUNTS}/enter", data=fields).status_code == 303
    ((name, _session, code, mark),) = tool.calls
    assert (name, code, mark) == ("enter", TYPED["code"], OFFERED.mark)


@pytest.mark.parametrize("said, is_yes", [("yes", True), ("no", False), ("", False), ("YES", False)])
def test_only_yes_is_a_yes(said: str, is_yes: bool, member: FlaskClient, tool: Sample) -> None:
    sent = {**CSRF, "answer": said, "mark": "seen"}
    answer = member.post(f"{ACCOUNTS}/answer", data=sent)
    assert answer.headers["Location"].endswith("done=joined" if is_yes else "done=declined")
    ((name, _session, mark, *_),) = tool.calls
    assert (name, mark) == ("answer", "seen")


def test_names_of_strangers_are_text(member: FlaskClient, tool: Sample) -> None:
    tool.persons.view = lambda _session: PERSONS["waiting"]
    text = member.get(ACCOUNTS).text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_who_looks_as_somebody_else_is_offered_no_button(member: FlaskClient, tool: Sample) -> None:
    tool.persons.view = lambda _session: PERSONS["read-only"]
    page = BeautifulSoup(member.get(ACCOUNTS).text, "html5lib")
    assert not page.select("main form")


def test_nobody_has_no_accounts(member: FlaskClient, tool: Sample) -> None:
    def refused(_session: object) -> None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)

    tool.persons.view = refused
    assert member.get(ACCOUNTS).status_code == 403


def test_badges_of_other_accounts_say_from_where_and_are_not_shared_here(
    member: FlaskClient, tool: Sample
) -> None:
    tool.persons.elsewhere = lambda _session: ELSEWHERE
    page = BeautifulSoup(member.get(WALLET).text, "html5lib")
    section = page.select_one('section[aria-labelledby="joined"]')
    assert section is not None
    assert len(section.select("article")) == len(ELSEWHERE)
    assert section.text.count(ELSEWHERE[0].platform) == len(ELSEWHERE)
    assert not section.select("form")
