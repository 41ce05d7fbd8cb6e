"""Deciding who has earned what: pure, explained, and never taking anything away.

``decide_awards`` returns decisions; it does not award. A learner who already holds the achievement
keeps it whatever the facts say now; at most the decision asks a person to look (*review*).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from lti_tool.domain.criteria import Criterion, Finding, State, evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Evidence


class Verdict(StrEnum):
    """What follows for one learner."""

    AWARD = "award"
    """The criteria are met and the learner does not hold it yet."""
    HELD = "held"
    """The learner holds it, and the facts still say so or do not say otherwise."""
    REVIEW = "review"
    """The learner holds it, and the facts now say "not met": a person should look; nothing is withdrawn."""
    NOT_YET = "not_yet"
    """Not met, or not known yet."""
    EXCLUDED = "excluded"
    """Staff, test users and masqueraders are never awarded, whatever the facts say."""


class Exclusion(StrEnum):
    """Why somebody is never awarded in a context."""

    STAFF = "staff"
    TEST_USER = "test_user"
    NOT_A_LEARNER = "not_a_learner"
    LEFT = "left"
    """No longer in the course according to a complete roster."""


class Candidate(NamedTuple):
    """One learner's facts and standing, as far as a decision needs them."""

    learner_id: str
    evidence: Evidence
    holds: bool = False
    exclusion: Exclusion | None = None


class Decision(NamedTuple):
    """The answer for one learner, with everything that led to it."""

    learner_id: str
    verdict: Verdict
    finding: Finding
    decided_at: datetime
    met_at: datetime | None
    """When the criteria were met: the platform's date where it tells one, else the time of decision."""
    exclusion: Exclusion | None = None

    @property
    def state(self) -> State:
        """How the criteria stand, whatever the verdict makes of it."""
        return self.finding.state


def decide_award(criterion: Criterion, candidate: Candidate, now: datetime) -> Decision:
    """Decide for one learner.

    :param now: aware UTC; the date of the decision, and of ``met_at`` where no fact is dated.
    """
    finding = evaluate(criterion, candidate.evidence)
    met_at: datetime | None = None
    if finding.state is _MET:
        # A clock ahead of ours must not date a badge into the future.
        met_at = min(finding.met_at, now) if finding.met_at is not None else now
    return Decision(
        candidate.learner_id, _verdict(finding.state, candidate), finding, now, met_at, candidate.exclusion
    )


# Looking a member up in its Enum runs Python code (3.11).
_MET, _NOT_MET = State.MET, State.NOT_MET
_AWARD, _HELD, _NOT_YET = Verdict.AWARD, Verdict.HELD, Verdict.NOT_YET


def _verdict(state: State, candidate: Candidate) -> Verdict:
    if candidate.holds:
        return Verdict.REVIEW if state is _NOT_MET else _HELD
    if candidate.exclusion is not None:
        return Verdict.EXCLUDED
    return _AWARD if state is _MET else _NOT_YET


def decide_awards(
    criterion: Criterion,
    evidence: Mapping[str, Evidence],
    held: Collection[str],
    now: datetime,
    exclusions: Mapping[str, Exclusion] | None = None,
) -> tuple[Decision, ...]:
    """Decide for every learner named in ``evidence`` or ``held``, in order of their ids.

    :param evidence: facts by learner id; a learner without an entry is one nothing is known about.
    :param held: ids of learners who hold the achievement already.
    :param exclusions: ids of learners who are never awarded in this context, and why.
    """
    excluded = exclusions or {}
    holders = frozenset(held)
    return tuple(
        decide_award(
            criterion,
            Candidate(
                learner_id,
                evidence.get(learner_id, NOTHING_KNOWN),
                learner_id in holders,
                excluded.get(learner_id),
            ),
            now,
        )
        for learner_id in sorted(evidence.keys() | holders)
    )
