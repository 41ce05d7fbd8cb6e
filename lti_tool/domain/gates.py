"""What a list of those who may open a gate means.

A gate is a link whose opening the LMS restricts. The roster behind it (NRPS §2.4.4, ``rlid``) lists whoever
may open it now: no LMS says whether anything is restricted at all, so a gate that lets everybody pass and a
gate that everybody has earned look the same. A person tells them apart once; what changes later without
anybody having been asked is doubted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FEWEST_SUDDEN: Final = 2
"""One learner more is what a gate is for, however small the course."""
LARGEST_GRADUAL: Final = 10
"""Percent of a course that may pass between two reads, and complete it: the last few of a large class."""
MOST_GRADUAL: Final = 20
"""Learners who may, of a course of any size: a tenth of ten thousand is no few."""
ONE_OF: Final = 50
"""One of so many may be missing and it is still everybody: somebody came, or left, between two lists."""


class GateState(StrEnum):
    """How far a gate is set up."""

    WAITING = "waiting"
    """No instructor has opened it yet: its name on the platform is not known."""
    OPEN = "open"
    """It is read and shown, and is no evidence yet."""
    CONFIRMED = "confirmed"
    DOUBTED = "doubted"
    """It was confirmed; then suddenly everybody passed, and nobody new does until a person has looked."""

    @property
    def is_evidence(self) -> bool:
        """Whether what is stored of it counts: also what was seen before it was doubted."""
        return self in (GateState.CONFIRMED, GateState.DOUBTED)


@dataclass(frozen=True, slots=True)
class GateReading:
    """One list of those who may open a gate, counted over the learners of the course.

    Staff and test users are in neither number: whoever teaches passes every gate.
    """

    listed: int
    """Learners who may open it."""
    learners: int
    """Learners of the course, listed or not."""
    newly: int = 0
    """Of those listed: how many were not known to pass."""
    is_complete: bool = True
    """Whether the list was read to its end; one that was cut off only adds."""

    def __post_init__(self) -> None:
        if not 0 <= self.newly <= self.listed <= self.learners:
            raise ValueError("more are counted than there are")

    @property
    def not_listed(self) -> int:
        """Learners who are not in the list; of one that was cut off, some of them may yet pass."""
        return self.learners - self.listed

    @property
    def is_everybody(self) -> bool:
        """Whether all pass, as they do where nothing is restricted, or an activity is merely hidden."""
        return self.listed > 0 and self.not_listed * ONE_OF <= self.learners


class GateOutcome(StrEnum):
    """What to do with a reading."""

    SHOW = "show"
    """Keep it, to be looked at: the gate is not confirmed."""
    COUNT = "count"
    """Keep it; it is evidence."""
    DOUBT = "doubt"
    """Keep nothing of it but its numbers, and ask a person."""
    WAIT = "wait"
    """Keep nothing of it: it was cut off, and only a whole list tells whether it is right."""


def is_sudden(reading: GateReading, *, allows_everybody: bool) -> bool:
    """Whether a confirmed gate suddenly lets everybody pass, as one does whose restriction was removed.

    - Somebody said that all passing is right: then it is never sudden.
    - Not everybody passes: something is restricted still.
    - All passed already, or the last one does now: that is how a class ends.
    - Otherwise those who are new are weighed against the course. A class that finishes in one hour is
      doubted too, wrongly: that costs a person one look, where a badge for everybody cannot be taken back.

    A list that was cut off is no excuse: everybody is in it already.
    """
    if allows_everybody or not reading.is_everybody:
        return False
    return reading.newly >= FEWEST_SUDDEN and (
        reading.newly * 100 > LARGEST_GRADUAL * reading.learners or reading.newly > MOST_GRADUAL
    )


def is_hasty(reading: GateReading) -> bool:
    """Whether a list that was cut off names too many new ones to be believed before a whole one was read.

    The first pages of an unrestricted link look like the list of a restricted one. So those who are new are
    weighed against those who are listed, as :func:`is_sudden` weighs them against the course.
    """
    return (
        not reading.is_complete
        and reading.newly >= FEWEST_SUDDEN
        and reading.newly * 100 > LARGEST_GRADUAL * reading.listed
    )


def weigh_reading(
    state: GateState, reading: GateReading, *, allows_everybody: bool, was_empty: bool = False
) -> GateOutcome:
    """What a reading of a gate in this state is good for.

    A doubted gate stays doubted, also when fewer pass again: whether that is right, a person says.

    :param was_empty: nobody learned in the course when the gate was read last, so that nobody has ever been
        seen to be kept out: the first who come must not all pass.
    """
    if state in (GateState.WAITING, GateState.OPEN):
        # What is confirmed is what was shown: a whole list.
        return GateOutcome.SHOW if reading.is_complete else GateOutcome.WAIT
    if state is GateState.DOUBTED:
        return GateOutcome.DOUBT
    if allows_everybody:
        return GateOutcome.COUNT
    if is_sudden(reading, allows_everybody=False) or (was_empty and reading.is_everybody):
        return GateOutcome.DOUBT
    return GateOutcome.WAIT if is_hasty(reading) else GateOutcome.COUNT


class ConfirmationProblem(StrEnum):
    """Why a gate cannot be confirmed as it stands."""

    NOT_READ = "not_read"
    NO_LEARNERS = "no_learners"
    """Nobody learns in the course yet: an unrestricted gate would look like any other."""
    EVERYBODY = "everybody"
    """All pass, and nobody said that this is right."""


def confirmation_problem(reading: GateReading | None, *, everybody: bool) -> ConfirmationProblem | None:
    """What keeps a person from confirming a gate.

    :param reading: the last one, ``None`` where there is none.
    :param everybody: whether the person said that all passing is right.
    """
    if reading is None:
        return ConfirmationProblem.NOT_READ
    if everybody:
        return None
    if reading.learners == 0:
        return ConfirmationProblem.NO_LEARNERS
    return ConfirmationProblem.EVERYBODY if reading.is_everybody else None
