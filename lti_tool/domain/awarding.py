"""Deciding who has earned what: pure, explained, and never taking anything away.

``decide_awards`` returns decisions; it does not award. A learner who already holds the achievement
keeps it whatever the facts say now; at most the decision asks a person to look (*review*).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from lti_tool.domain.criteria import Criterion, Finding, State
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Evidence


class Verdict(StrEnum):
    """What follows for one learner."""

    AWARD = "award"
    """The criteria are met and the learner does not hold it yet."""
    UNPROVED = "unproved"
    """It would be an award, but nobody has proved yet that this person is a learner of the course."""
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
    NOT_A_STUDENT = "not_a_student"
    """The platform took no score for this person, since nobody without a student's rights has one."""


class Proof(StrEnum):
    """How it came to be known that somebody whom a roster calls a learner is one."""

    NONE = "none"
    """The roster says so, and nothing else."""
    LAUNCH = "launch"
    """The person launched this context as a learner."""
    SCORE = "score"
    """The platform took a score for the person, as it does for students only."""
    STAFF = "staff"
    """An instructor gave their word."""
    REFUSED = "refused"
    """The platform refused the score as one for somebody who is no student."""


def is_proved(proof: Proof | str, *, roster_tells_staff: bool) -> bool:
    """Whether somebody whom the roster calls a learner may be awarded.

    :param roster_tells_staff: whether the platform's roster can be trusted to call no staff learners.
    """
    return roster_tells_staff or proof in _PROVING


_PROVING = frozenset({Proof.LAUNCH, Proof.SCORE, Proof.STAFF})


class Candidate(NamedTuple):
    """One learner's facts and standing, as far as a decision needs them."""

    learner_id: str
    evidence: Evidence
    holds: bool = False
    exclusion: Exclusion | None = None
    is_proved: bool = True
    """Whether more than a roster that cannot tell staff says that this is a learner (:func:`is_proved`)."""


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
_AWARD, _HELD, _NOT_YET, _UNPROVED = Verdict.AWARD, Verdict.HELD, Verdict.NOT_YET, Verdict.UNPROVED


def _verdict(state: State, candidate: Candidate) -> Verdict:
    if candidate.holds:
        return Verdict.REVIEW if state is _NOT_MET else _HELD
    if candidate.exclusion is not None:
        return Verdict.EXCLUDED
    if state is not _MET:
        return _NOT_YET
    return _AWARD if candidate.is_proved else _UNPROVED


class Standing(StrEnum):
    """How a learner stands towards a badge, on every page that counts or lists them; the best first."""

    EARNED = "earned"
    REVIEW = "review"
    """Has it, but would not earn it now. Whoever counts those who have earned it counts these."""
    WAITING = "waiting"
    NOT_YET = "not_yet"
    NO_DATA = "no_data"
    """Not known yet, or not decided yet since they learn here."""
    REVOKED = "revoked"
    """Had it."""


def standing_of(verdict: Verdict, state: State, *, is_revoked: bool = False) -> Standing:
    """Where a decision counts.

    :param is_revoked: whether the badge that the learner has was revoked.
    """
    if is_revoked:
        return Standing.REVOKED
    if verdict is Verdict.NOT_YET:
        return Standing.NOT_YET if state is _NOT_MET else Standing.NO_DATA
    return _STANDINGS[verdict]


_STANDINGS = {
    Verdict.AWARD: Standing.EARNED,
    Verdict.HELD: Standing.EARNED,
    Verdict.REVIEW: Standing.REVIEW,
    Verdict.UNPROVED: Standing.WAITING,
    Verdict.EXCLUDED: Standing.NO_DATA,
}
COUNTED_WITH = {Standing.EARNED: (Standing.EARNED, Standing.REVIEW)}
"""Standings that are asked for together: whoever is to be reviewed has earned it."""


def is_possible(verdict: Verdict, state: State) -> bool:
    """Whether some standing of a learner gives ``verdict`` where the criteria stand at ``state``."""
    if verdict in (Verdict.AWARD, Verdict.UNPROVED):
        return state is _MET
    if verdict is Verdict.REVIEW:
        return state is _NOT_MET
    if verdict is Verdict.HELD:
        return state is not _NOT_MET
    return verdict is Verdict.EXCLUDED or state is not _MET


def decide_awards(
    criterion: Criterion,
    evidence: Mapping[str, Evidence],
    held: Collection[str],
    now: datetime,
    exclusions: Mapping[str, Exclusion] | None = None,
    unproved: Collection[str] = (),
) -> tuple[Decision, ...]:
    """Decide for every learner named in ``evidence`` or ``held``, in order of their ids.

    :param evidence: facts by learner id; a learner without an entry is one nothing is known about.
    :param held: ids of learners who hold the achievement already.
    :param exclusions: ids of learners who are never awarded in this context, and why.
    :param unproved: ids of those of whom only a roster that cannot tell staff says that they are learners.
    """
    excluded = exclusions or {}
    holders = frozenset(held)
    doubted = frozenset(unproved)
    return tuple(
        decide_award(
            criterion,
            Candidate(
                learner_id,
                evidence.get(learner_id, NOTHING_KNOWN),
                learner_id in holders,
                excluded.get(learner_id),
                learner_id not in doubted,
            ),
            now,
        )
        for learner_id in sorted(evidence.keys() | holders)
    )
