"""Reviews as pages: tokens, what is sent on, who may, what a stranger's text may do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import Conflict, ErrorCode
from lti_tool.store.reviews import ReviewFilter
from tests.gallery.review_pages import CSRF, DECIDE, QUESTION, REVIEW, REVIEWS
from tests.unit.web.review_views import ANSWERED, LISTS, PLANS, VIEWS, view
from tests.unit.web.sample_views import COURSES, GRADER, TEACHER, WALLETS
from tests.unit.web.samples import Sample

DIGEST = "d" * 64


@pytest.fixture(autouse=True)
def _teacher(tool: Sample) -> None:
    tool.launching.view = TEACHER


@pytest.mark.parametrize("path", [REVIEWS, DECIDE, REVIEW, QUESTION])
def test_nothing_is_changed_without_the_token(path: str, member: FlaskClient, tool: Sample) -> None:
    for fields in ({}, {"csrf_token": "forged"}):
        sent = {**fields, "action": "revoke", "reason": "Why not", "review": f"review-1.{DIGEST}"}
        answer = member.post(path, data=sent)
        assert answer.status_code == 400
        assert "csrf_invalid" in answer.text
    assert not tool.calls


@pytest.mark.parametrize(
    "action, called, more",
    [
        ("keep", "keep", ("Seen in class.", DIGEST)),
        ("revoke", "revoke", ("Seen in class.", DIGEST)),
        ("ask", "ask", ("What happened?",)),
        ("undo", "take_back", ()),
    ],
)
def test_each_button_does_one_thing(
    action: str, called: str, more: tuple[str, ...], member: FlaskClient, tool: Sample
) -> None:
    fields = {"reason": "Seen in class.", "question": "What happened?", "seen": DIGEST}
    answer = member.post(REVIEW, data={**CSRF, **fields, "action": action})
    assert answer.status_code == 303
    (call,) = tool.calls
    assert (call[0], *call[2:]) == (called, "review-1", *more)


def test_an_unknown_button_does_nothing(member: FlaskClient, tool: Sample) -> None:
    assert member.post(REVIEW, data={**CSRF, "action": "revoke-all"}).status_code == 422
    assert not tool.calls


@pytest.mark.parametrize("is_read_only", [False, True])
def test_what_a_teacher_asks_stands_first_in_the_wallet(
    is_read_only: bool, member: FlaskClient, tool: Sample
) -> None:
    tool.wallet_view = replace(WALLETS["asked-twice"], is_read_only=is_read_only)
    shown = BeautifulSoup(member.get("/l/session-1/wallet").text, "html.parser")
    told = [] if is_read_only else [("review-2", "Research Data"), ("review-3", "Research Ethics")]
    notices = shown.select("#wallet > .notice-warning")
    assert len(notices) == len(told)
    for one, (review_id, name) in zip(notices, told, strict=True):
        assert f"Your teacher has a question about {name}." in " ".join(one.get_text().split())
        (link,) = one.select("a")
        assert link["href"] == f"/l/session-1/wallet/questions/{review_id}"
        assert one.find_next("h2") == shown.select_one("h2")
        assert one.find_next(id="in-progress") is not None


def test_the_ticked_are_shown_before_anything_happens_and_then_decided_as_seen(
    member: FlaskClient, tool: Sample
) -> None:
    shown = member.post(REVIEWS, data={**CSRF, "action": "revoke", "review_id": ["review-1", "review-2"]})
    assert "Nothing has happened yet." in shown.text
    assert not tool.calls
    form = BeautifulSoup(shown.text, "html.parser").select_one("form.attest")
    assert form is not None
    seen = [str(one["value"]) for one in form.select("input[name=review]")]
    answer = member.post(DECIDE, data={**CSRF, "action": "revoke", "review": seen, "reason": "Copied."})
    (call,) = tool.calls
    assert call[0] == "decide_many"
    assert call[2] == {"review-1": DIGEST, "review-2": DIGEST, "review-3": DIGEST}
    for part in ("done=revoked", "count=2", "left=1"):
        assert part in answer.location


def test_after_a_revocation_there_is_a_way_to_undo_it(member: FlaskClient, tool: Sample) -> None:
    done = member.post(REVIEW, data={**CSRF, "action": "revoke", "reason": "Copied.", "seen": DIGEST})
    assert f'href="{REVIEW}">Look again, or undo' in member.get(done.location).text
    assert f'href="{REVIEWS}?state=revoked">Look again' in member.get(f"{REVIEWS}?done=revoked&count=2").text
    for harmless in ("done=kept&last=review-1", "last=review-1"):
        assert "Look again" not in member.get(f"{REVIEWS}?{harmless}").text
    assert member.get(f"{REVIEWS}?done=revoked&last=..%2F..%2F%22%3E").status_code == 200


def test_somebody_elses_decision_is_told(member: FlaskClient, tool: Sample) -> None:
    def refused(*_: object) -> None:
        raise Conflict(ErrorCode.CONFLICT)

    tool.reviews.keep = refused
    answer = member.post(REVIEW, data={**CSRF, "action": "keep", "reason": "Stays.", "seen": DIGEST})
    assert answer.status_code == 409
    assert "Somebody else was faster" in answer.text


def test_the_filter_is_understood_and_nonsense_is_not(member: FlaskClient, tool: Sample) -> None:
    asked: list[Any] = []

    def listed(_session: object, wanted: ReviewFilter, **more: int) -> object:
        asked.append((wanted, more["page"]))
        return LISTS["usual"]

    tool.reviews.listed = listed
    member.get(f"{REVIEWS}?q=+ada+&state=kept&cause=left&page=3")
    member.get(f"{REVIEWS}?state=everything&cause=%27&page=-1")
    assert asked == [(ReviewFilter("ada", "kept", "left"), 3), (ReviewFilter(), 1)]


def test_who_has_thousands_sees_as_many_as_are_decided_at_once(member: FlaskClient, tool: Sample) -> None:
    asked: list[int] = []

    def listed(*_: object, per_page: int, **__: object) -> object:
        asked.append(per_page)
        return LISTS["many"]

    tool.reviews.listed = listed
    few = BeautifulSoup(member.get(REVIEWS).text, "html.parser")
    (link,) = few.select("a[href*='per=200']")
    many = BeautifulSoup(member.get(str(link["href"])).text, "html.parser")
    member.get(f"{REVIEWS}?per=100000")
    assert asked == [50, 200, 50]
    # What is chosen, filtered or leafed through from there keeps it.
    assert many.select("a[rel=next][href*='per=200']")
    assert many.select("form.filter input[name=per][value='200']")
    assert many.select("form.attest[action*='per=200']")


def test_a_learners_answer_is_text_and_nothing_else(member: FlaskClient, tool: Sample) -> None:
    tool.reviews.view = lambda *_: view(ANSWERED)
    shown = member.get(REVIEW).text
    assert "&lt;b&gt;twice&lt;/b&gt;" in shown
    assert "<b>twice</b>" not in shown


def test_who_may_not_decide_sees_no_button(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = GRADER
    tool.reviews.view = lambda *_: VIEWS["grader"]
    tool.reviews.listed = lambda *_, **__: LISTS["grader"]
    for path in (REVIEW, REVIEWS):
        page = BeautifulSoup(member.get(path).text, "html.parser")
        assert not page.select("form[method=post]")


def test_the_wallet_and_the_course_lead_there(member: FlaskClient, tool: Sample) -> None:
    tool.course_view = COURSES["reviews"]
    assert "12 badges to look at again" in member.get("/l/session-1/course").text
    tool.wallet_view = WALLETS["asked"]
    assert "/wallet/questions/review-2" in member.get("/l/session-1/wallet").text
    tool.wallet_view = replace(WALLETS["asked"], is_read_only=True)
    assert "/wallet/questions/" not in member.get("/l/session-1/wallet").text


def test_what_was_not_revoked_after_all_is_told(member: FlaskClient, tool: Sample) -> None:
    tool.course_view = COURSES["reviews"]
    assert "2 badges were not revoked after all" in member.get("/l/session-1/course").text
    tool.reviews.listed = lambda *_, **__: LISTS["spared"]
    listed = member.get(f"{REVIEWS}?state=settled").text
    assert "1 badge was not revoked after all" in listed
    assert "Not revoked after all" in listed
    tool.reviews.view = lambda *_: VIEWS["spared"]
    shown = member.get(REVIEW).text
    assert "It was to be revoked, and was not" in shown
    assert "Somebody else sat the quiz." in shown
    tool.reviews.view = lambda *_: VIEWS["good-again"]
    assert "If that stays so, the badge is not revoked." in member.get(REVIEW).text


def test_where_nobody_can_tell_any_more_the_page_says_so_and_asks_once_more(
    member: FlaskClient, tool: Sample
) -> None:
    tool.reviews.view = lambda *_: VIEWS["cannot-be-told"]
    waits = member.get(REVIEW).text
    assert "Instead of revoking the badge, you are asked once more." in waits
    assert "The badge is revoked" not in waits
    tool.reviews.view = lambda *_: VIEWS["once-more"]
    asked = member.get(REVIEW).text
    assert "Please decide once more." in asked
    assert "To be decided once more" in asked


@pytest.mark.parametrize("done", ["kept", "revoked"])
def test_deciding_many_that_decides_none_says_nothing_else(
    member: FlaskClient, tool: Sample, done: str
) -> None:
    tool.reviews.listed = lambda *_, **__: LISTS["usual"]
    page = BeautifulSoup(member.get(f"{REVIEWS}?done={done}&count=0&left=2").text, "html.parser")
    assert "2 were left as they are" in page.text
    assert "The badge stays." not in page.text
    assert "The badge is going to be revoked." not in page.text


@pytest.mark.parametrize(
    "path, fields",
    [
        (DECIDE, {"action": "keep", "reason": "x", "review": "a\0b.c"}),
        (DECIDE, {"action": "keep", "reason": "x", "review": "a.c\0"}),
        (REVIEW, {"action": "keep", "reason": "x", "seen": "c\0"}),
    ],
)
def test_no_nul_gets_as_far_as_the_database(
    member: FlaskClient, tool: Sample, path: str, fields: dict[str, str]
) -> None:
    asked: list[object] = []
    for name in ("keep", "decide_many"):
        setattr(tool.reviews, name, lambda *given, **_: asked.append(given))
    assert member.post(path, data={**CSRF, **fields}).status_code == 400
    assert asked == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_who_gives_a_reason_is_told_who_reads_it(member: FlaskClient, tool: Sample, is_kept: bool) -> None:
    """A learner's own data hold it, whatever was decided."""
    tool.reviews.view = lambda *_: VIEWS["usual"]
    assert "the learner finds it in their own data" in member.get(REVIEW).text
    tool.reviews.plan = lambda *_: PLANS["usual"]
    fields = {**CSRF, "action": "keep" if is_kept else "revoke", "review_id": "review-1"}
    said = "the learners find it in their own data"
    assert (said in member.post(REVIEWS, data=fields).text) is is_kept
