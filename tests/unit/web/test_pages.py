"""Every page in every state, read by the linting client."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lti_tool.credentials.verification import Verdict
from tests.unit.web.sample_views import COURSES, FORM, PICKERS, PICKING, TEACHER, WALLETS, report, visitor
from tests.unit.web.samples import Sample


@pytest.mark.parametrize("state", WALLETS)
def test_wallet(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = WALLETS[state]
    assert member.get("/l/session-1/wallet").status_code == 200


def test_a_revoked_badge_is_listed_but_not_counted_as_earned(member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = WALLETS["revoked"]
    shown = member.get("/l/session-1/wallet").text
    assert "You have earned 1 badge." in shown
    assert "Issued by mistake." in shown


@pytest.mark.parametrize("state", COURSES)
def test_course(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = visitor(state)
    tool.course_view = COURSES[state]
    assert member.get("/l/session-1/course").status_code == 200


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
    assert "A later step does that." in member.get("/l/session-1/course").text
    tool.course_view = COURSES["attest-first-run"]
    shown = member.get("/l/session-1/course").text
    assert "set its weight to 0 in the gradebook" in shown
    assert "A later step does that." not in shown


@pytest.mark.parametrize("state", PICKERS)
def test_picker_and_form(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = PICKING
    tool.picker_view = PICKERS[state]
    assert member.get("/l/session-1/picker").status_code == 200
    assert member.get("/l/session-1/micromodules/new").status_code == 200


def test_filled_form(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = PICKING
    answer = member.post(
        "/l/session-1/micromodules/new",
        data={**FORM, "action": "preview", "csrf_token": "csrf-of-token-of-this-session"},
    )
    assert answer.status_code == 200
    assert "Quiz 1: at least 60 %" in answer.text
    assert "One of these:" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/verify",
        "/verify?url=https://issuer.example/1",
        "/credentials/credential-2",
        "/credentials/revoked",
        "/achievements/version-writing",
        "/issuers/issuer-1",
        "/lti/launch",
        "/lti/connect",
        "/_components",
    ],
)
def test_pages_without_session(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verification(verdict: Verdict, client: FlaskClient, tool: Sample) -> None:
    tool.report = report(verdict)
    answer = client.post("/verify", data={"text": '{"type": "VerifiableCredential"}'})
    assert answer.status_code == 200
