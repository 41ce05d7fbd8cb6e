"""Deciding by example: every verdict, exclusion and date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lti_tool.domain.awarding import (
    Candidate,
    Exclusion,
    Proof,
    Verdict,
    decide_award,
    decide_awards,
    is_proved,
)
from lti_tool.domain.criteria import Reason, ScoreAtLeast, State
from lti_tool.domain.evidence import Evidence, Score

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = ScoreAtLeast("quiz", "Quiz 1", Decimal(60))


def facts(value: int | None, graded_at: datetime | None = None) -> Evidence:
    return Evidence({"quiz": Score(None if value is None else Decimal(value), Decimal(100), graded_at, NOW)})


@pytest.mark.parametrize(
    "value,holds,exclusion,verdict",
    [
        (60, False, None, Verdict.AWARD),
        (59, False, None, Verdict.NOT_YET),
        (None, False, None, Verdict.NOT_YET),
        (60, True, None, Verdict.HELD),
        (None, True, None, Verdict.HELD),
        (59, True, None, Verdict.REVIEW),
        *((60, False, exclusion, Verdict.EXCLUDED) for exclusion in Exclusion),
        *((59, False, exclusion, Verdict.EXCLUDED) for exclusion in Exclusion),
        # Somebody who held it and then became staff, or left, keeps it.
        *((60, True, exclusion, Verdict.HELD) for exclusion in Exclusion),
        *((59, True, exclusion, Verdict.REVIEW) for exclusion in Exclusion),
    ],
)
def test_verdicts(value: int | None, holds: bool, exclusion: Exclusion | None, verdict: Verdict) -> None:
    decision = decide_award(RULE, Candidate("ada", facts(value), holds, exclusion), NOW)
    assert decision.verdict is verdict
    assert decision.exclusion is exclusion
    assert decision.decided_at == NOW


@pytest.mark.parametrize(
    "graded_at,met_at",
    [
        (NOW - timedelta(days=30), NOW - timedelta(days=30)),
        (None, NOW),
        (NOW + timedelta(minutes=5), NOW),
    ],
)
def test_the_date_is_the_platforms_but_never_in_the_future(
    graded_at: datetime | None, met_at: datetime
) -> None:
    assert decide_award(RULE, Candidate("ada", facts(60, graded_at)), NOW).met_at == met_at


def test_what_is_not_met_has_no_date() -> None:
    assert decide_award(RULE, Candidate("ada", facts(59, NOW)), NOW).met_at is None


def test_a_holder_nothing_is_known_about_is_decided_too() -> None:
    (decision,) = decide_awards(RULE, {}, ["ada"], NOW)
    assert (decision.verdict, decision.state) == (Verdict.HELD, State.UNKNOWN)
    assert decision.finding.reason is Reason.COLUMN_NOT_READ_YET


def test_everybody_is_decided_with_their_own_facts() -> None:
    decisions = decide_awards(
        RULE,
        {"cleo": facts(90), "ada": facts(10), "ben": facts(90)},
        ["ada"],
        NOW,
        {"cleo": Exclusion.TEST_USER},
    )
    assert [(decision.learner_id, decision.verdict) for decision in decisions] == [
        ("ada", Verdict.REVIEW),
        ("ben", Verdict.AWARD),
        ("cleo", Verdict.EXCLUDED),
    ]


def test_nobody_is_decided_where_nobody_is_known() -> None:
    assert decide_awards(RULE, {}, [], NOW, {"ada": Exclusion.STAFF}) == ()


@pytest.mark.parametrize(
    "value,holds,exclusion,verdict",
    [
        (60, False, None, Verdict.UNPROVED),
        # Nobody is told to prove themselves for what they have not earned.
        (59, False, None, Verdict.NOT_YET),
        (None, False, None, Verdict.NOT_YET),
        # What was awarded before anybody asked stays.
        (60, True, None, Verdict.HELD),
        (59, True, None, Verdict.REVIEW),
        *((60, False, exclusion, Verdict.EXCLUDED) for exclusion in Exclusion),
    ],
)
def test_verdicts_about_somebody_whom_only_a_roster_calls_a_learner(
    value: int | None, holds: bool, exclusion: Exclusion | None, verdict: Verdict
) -> None:
    candidate = Candidate("ada", facts(value), holds, exclusion, is_proved=False)
    decision = decide_award(RULE, candidate, NOW)
    assert decision.verdict is verdict
    assert (decision.met_at is None) is (value != 60)


@pytest.mark.parametrize(
    "proof,suffices",
    [
        (Proof.NONE, False),
        (Proof.LAUNCH, True),
        (Proof.SCORE, True),
        (Proof.STAFF, True),
        (Proof.REFUSED, False),
    ],
)
def test_what_proves_a_learner_where_the_roster_does_not(proof: Proof, suffices: bool) -> None:
    assert is_proved(proof, roster_tells_staff=False) is suffices
    assert is_proved(proof, roster_tells_staff=True)
