"""Every page in every state, read by the linting client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.platforms import TotalOptOut
from tests.gallery.app import gallery_app, put
from tests.gallery.pages import COOKIES, CSRF, NO_PAGES, PAGES, SamplePage
from tests.unit.web.conftest import LintingClient
from tests.unit.web.sample_views import (
    AWARDS,
    COURSES,
    TEACHER,
    WALLETS,
    course,
    placement,
    revoked,
    visitor,
)
from tests.unit.web.samples import Sample, sample_app


@pytest.fixture(scope="module")
def gallery() -> Flask:
    app = gallery_app(TESTING=False, RATELIMIT_ENABLED=False)
    app.test_client_class = LintingClient
    return app


@pytest.fixture
def visitor_of_all(gallery: Flask) -> FlaskClient:
    """A browser that may see every page of the table."""
    client = gallery.test_client()
    for cookie in COOKIES:
        client.set_cookie(cookie["name"], cookie["value"], path=cookie["path"], domain="localhost")
    return client


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: SamplePage, gallery: Flask, visitor_of_all: FlaskClient) -> None:
    put(gallery, page)
    answer = visitor_of_all.open(page.path, method=page.method, data=page.fields)
    assert (answer.status_code, answer.mimetype) == (page.status, "text/html")


def test_every_route_that_answers_with_a_page_is_in_the_table() -> None:
    """A new page gets its line in ``tests/gallery/pages.py``, and with it every check of a page."""
    app = sample_app(Sample())
    offered = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
    }
    routes = app.url_map.bind("localhost")
    shown = set()
    for page in PAGES:
        path = page.path.partition("?")[0]
        if routes.test(path, page.method):
            shown.add((page.method, routes.match(path, page.method)[0]))
    assert offered - NO_PAGES == shown, "add the page to PAGES, or what is no page to NO_PAGES"
    assert offered >= NO_PAGES, "what NO_PAGES names is gone"


def test_names_of_pages_are_unique() -> None:
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_a_revoked_badge_is_listed_but_not_counted_as_earned(member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = WALLETS["revoked"]
    shown = member.get("/l/session-1/wallet").text
    assert "You have earned 1 badge." in shown
    assert "Issued by mistake." in shown


def test_what_has_expired_is_not_called_revoked_and_can_still_be_shown(
    member: FlaskClient, tool: Sample
) -> None:
    tool.wallet_view = WALLETS["expired"]
    shown = member.get("/l/session-1/wallet").text
    assert "You have earned 3 badges." in shown
    for word in ("Expired", "That you earned it stays true.", "Suspended", "Under review.", "Valid until"):
        assert word in shown
    assert "Revoked" not in shown
    assert shown.count("Share this badge") == 3


@pytest.mark.parametrize("is_public", [True, False])
def test_sharing_a_revoked_badge_can_end_but_not_begin(
    is_public: bool, member: FlaskClient, tool: Sample
) -> None:
    url = "https://badges.example.org/credentials/credential-1" if is_public else None
    gone = revoked(1, is_public=is_public, public_url=url)
    tool.wallet_view = replace(WALLETS["revoked"], earned=(gone,))
    shown = member.get("/l/session-1/wallet").text
    assert ("Stop sharing" in shown) is is_public
    assert ('name="is_public" value="no"' in shown) is is_public
    assert "Share this badge" not in shown
    assert 'value="yes"' not in shown


def test_what_only_records_completions_is_completed_and_not_earned(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    for version, word, other in (("version-data", "Earned", "Completed"), (None, "Completed", "Earned")):
        tool.course_view = course(placement(achievement_version_id=version))
        shown = member.get("/l/session-1/course").text
        assert f"<dt>{word}</dt>" in shown
        assert f">{word}</span>" in shown
        assert f">{other}<" not in shown


def test_who_may_not_configure_sees_no_button_for_it(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = visitor("grader")
    tool.course_view = COURSES["grader"]
    shown = member.get("/l/session-1/course").text
    assert "Somebody who may edit this course has to finish these steps." in shown
    assert "<form" not in shown


def test_a_trouble_says_what_to_do(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    tool.course_view = COURSES["refused"]
    shown = member.get("/l/session-1/course").text
    assert "refuses the tool&#39;s key" in shown
    assert "check the address of the tool&#39;s public keys" in shown
    tool.course_view = COURSES["trouble"]
    assert "try again in a few minutes" in member.get("/l/session-1/course").text


def test_only_a_step_that_follows_is_announced(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    tool.course_view = COURSES["first-run"]
    assert "until you set its weight to 0." in member.get("/l/session-1/course").text
    tool.course_view = COURSES["attest-first-run"]
    shown = member.get("/l/session-1/course").text
    assert "unless you set its weight to 0 in the gradebook." in shown
    assert "until you set its weight to 0." not in shown


@pytest.mark.parametrize(
    "way,said",
    [
        (TotalOptOut.WEIGHT, "set its weight to 0"),
        (TotalOptOut.ASSIGNMENT_OPTION, "tick “Do not count this assignment towards the final grade”"),
        (TotalOptOut.UNKNOWN, "look in the gradebook for a way to leave it out"),
    ],
)
def test_a_column_is_taken_out_of_the_total_as_its_platform_does_it(
    way: TotalOptOut, said: str, member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = TEACHER
    tool.course_view = replace(COURSES["attest-first-run"], total_opt_out=way)
    tool.award_views = AWARDS["none"]
    shown = member.get("/l/session-1/course").text
    assert said in shown
    assert ("weight" in shown) is (way is TotalOptOut.WEIGHT)


def test_revoked_badges_have_a_figure_of_their_own(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    (usual,) = COURSES["usual"].placements
    tool.course_view = replace(
        COURSES["usual"], placements=(replace(usual, counts={**usual.counts, "revoked": 3}),)
    )
    assert "<dt>Revoked</dt><dd>3</dd>" in member.get("/l/session-1/course").text
    tool.course_view = COURSES["usual"]
    assert "<dt>Revoked</dt>" not in member.get("/l/session-1/course").text


def test_the_criteria_of_a_form_are_said_in_words(gallery: Flask, visitor_of_all: FlaskClient) -> None:
    page = next(page for page in PAGES if page.name == "form/in-words")
    put(gallery, page)
    shown = visitor_of_all.post(page.path, data=page.fields).text
    assert "Quiz 1: at least 60 %" in shown
    assert "One of these:" in shown


# -- the award column


def course_page(member: FlaskClient, tool: Sample, awards: str, who: str = "usual") -> str:
    tool.launching.view = visitor(who)
    tool.award_views = AWARDS[awards]
    return " ".join(member.get("/l/session-1/course").text.split())


def test_who_waits_for_proof_and_who_was_refused_are_told_by_name_with_what_to_do(
    member: FlaskClient, tool: Sample
) -> None:
    shown = course_page(member, tool, "waiting")
    assert "Ida Sommer" in shown
    assert "Name not given" in shown
    assert "Noel Tutor" in shown
    assert "give them that role in the course" in shown
    assert 'action="/l/session-1/course/placements/placement-1/learners"' in shown


def test_a_grader_sees_the_lists_and_no_button(member: FlaskClient, tool: Sample) -> None:
    shown = course_page(member, tool, "waiting", "grader")
    assert "Ida Sommer" in shown
    assert "<form" not in shown


def test_the_page_says_what_a_revocation_does_not_do(member: FlaskClient, tool: Sample) -> None:
    assert "Revoking a badge leaves its points" in course_page(member, tool, "usual")


def test_before_a_column_is_made_the_page_says_what_it_does_to_the_total(
    member: FlaskClient, tool: Sample
) -> None:
    assert "one of 1 point is made. It counts towards the course total" in course_page(member, tool, "none")


def test_a_column_in_trouble_can_be_looked_for_again(member: FlaskClient, tool: Sample) -> None:
    shown = course_page(member, tool, "trouble")
    assert "award_column_refused" in shown
    fields = {"csrf_token": CSRF}
    path = "/l/session-1/course/placements/placement-1/award-column"
    assert member.post(path, data=fields).status_code == 303
    assert tool.calls[-1][0] == "ask_again"
    assert member.post(path).status_code == 400
    assert member.post(path.replace("placement-1", "placement-9"), data=fields).status_code == 404


def test_an_instructors_word_is_taken_with_the_token_only(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    path = "/l/session-1/course/placements/placement-1/learners"
    fields = {"csrf_token": CSRF, "learner_id": ["learner-8", "learner-9"]}
    assert member.post(path, data=fields).status_code == 303
    assert tool.calls[-1][0] == "confirm_learners"
    assert tool.calls[-1][-1] == ["learner-8", "learner-9"]
    before = len(tool.calls)
    assert member.post(path, data={"learner_id": "learner-8"}).status_code == 400
    tool.launching.view = visitor("grader")
    assert member.post(path, data=fields).status_code == 403
    assert len(tool.calls) == before
