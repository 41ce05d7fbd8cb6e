"""Criteria, findings and problems as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import State
from lti_tool.errors import ErrorCode
from lti_tool.services.form_problems import FormProblem
from lti_tool.store.runs import SyncStep
from lti_tool.web import wording
from lti_tool.web.i18n import ago
from lti_tool.web.verification_words import day_of, signer_host
from tests.unit.web.sample_views import NOW, run


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("state", list(State))
def test_every_standing_has_a_word(verdict: Verdict, state: State) -> None:
    assert wording.verdict_word(verdict, state)
    assert wording.verdict_kind(verdict, state) in ("good", "wait", "open", "plain")


def test_not_met_and_not_known_are_told_apart() -> None:
    assert wording.verdict_word("not_yet", "not_met") != wording.verdict_word("not_yet", "unknown")


@pytest.mark.parametrize("exclusion", list(Exclusion))
def test_every_exclusion_has_a_sentence(exclusion: Exclusion) -> None:
    assert wording.exclusion_sentence(exclusion).endswith(".")


def test_every_step_of_a_sync_has_its_own_sentence() -> None:
    said = {wording.run_step(run(step=step.value)) for step in SyncStep}
    assert len(said) == len(SyncStep)
    assert wording.run_step(run(step="")) not in said
    assert wording.run_step(run(step="credentials")) == "Signing badges …"


@pytest.mark.parametrize("problem", list(FormProblem))
def test_every_problem_of_the_form_has_its_own_sentence(problem: FormProblem) -> None:
    sentence = wording.problem_sentence(problem, {"limit": 20, "low": 0, "high": 100})
    assert sentence != wording.problem_sentence("something new", {})
    assert "%(" not in sentence


def test_a_column_that_holds_too_little_says_how_much() -> None:
    said = wording.problem_sentence("column_too_low", {"maximum": Decimal("20.50")})
    assert "20.5 points at most" in said


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_trouble_has_a_sentence(code: ErrorCode) -> None:
    assert wording.trouble(code)


def test_times_are_never_in_the_future() -> None:
    assert ago(NOW + timedelta(hours=1)) == "just now"
    assert ago(NOW - timedelta(minutes=2)) == "2 minutes ago"


@pytest.mark.parametrize(
    "issuer, host",
    [
        ("did:web:badges.example.edu:issuers:1", "badges.example.edu"),
        ("did:web:localhost%3A8000:issuers:1", "localhost:8000"),
        ("did:key:z6Mk", None),
        ("https://badges.example.edu/issuers/1", None),
        (None, None),
    ],
)
def test_only_a_resolved_identity_names_a_web_address(issuer: str | None, host: str | None) -> None:
    assert signer_host(issuer) == host


def test_what_a_stranger_calls_a_date_is_shown_as_it_is() -> None:
    assert day_of("2026-11-01T00:00:00Z") == "November 1, 2026"
    assert day_of("2026-11-01") == "November 1, 2026"
    assert day_of("soon") == "soon"
