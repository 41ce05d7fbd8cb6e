"""Who gets a badge that is switched on after they finished, and who does not: the words for it.

The rules are those of every award (:mod:`lti_tool.domain.awarding`) but for one: who has left the course gets
it, too. They finished while they learned there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from lti_tool.domain.awarding import Proof


class Withheld(StrEnum):
    """Why somebody who completed a micromodule gets no badge of it; the first that holds is said."""

    HELD = "held"
    """They hold a badge of it already."""
    ENDED = "ended"
    """The badges of the version that they completed are over; a newer version has one."""
    TEST_USER = "test_user"
    STAFF = "staff"
    NOT_A_LEARNER = "not_a_learner"
    """Still in the course, and as something else."""
    NOT_A_STUDENT = "not_a_student"
    """The platform takes no score for them."""
    UNPROVED = "unproved"
    """Nobody has proved that this is a learner, on a platform whose roster cannot tell."""


class DateSource(StrEnum):
    """Where the date of a completion is from."""

    TOLD = "told"
    """The platform dated the result, or a person their word."""
    SEEN = "seen"
    """Nobody told a date: it is when the tool saw that the criteria were met, or that a gate was open."""


PROVING: Final = (Proof.LAUNCH, Proof.SCORE, Proof.STAFF)
"""What proves somebody to be a learner where the roster cannot tell."""
