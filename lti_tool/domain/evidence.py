"""Facts about one learner in one context, each with where it came from and how fresh it is.

What the tool writes is never evidence: the column coupled to the badge link has no place here, and
``lti_tool.services.awarding`` builds these facts from evidence columns only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Score(NamedTuple):
    """One grade read from the LMS; a tuple because a course-wide pass makes a million of them.

    ``value`` is ``None`` where the platform lists the person without a grade: not graded is not zero.
    """

    value: Decimal | None
    maximum: Decimal
    graded_at: datetime | None
    """When the platform says the grade was given, if it says so."""
    read_at: datetime


class Fact(NamedTuple):
    """One thing about one learner that is so or is not so: a gate passed, a person's word, a badge held."""

    holds: bool
    since: datetime | None = None
    """When it began to hold, as far as that is known: first seen, attested, submitted, recorded, awarded."""
    read_at: datetime | None = None
    """When it was last looked at; of the tool's own records, the time of the decision or nothing."""
    detail: str = ""
    """How it is known, or why it does not hold: a value of :class:`Detail`."""


class Detail(StrEnum):
    """The codes of :attr:`Fact.detail`."""

    NONE = ""
    LAUNCH = "launch"
    """The learner came through the gate."""
    ROSTER = "roster"
    """The gate's roster lists the learner, or lists others and not this one."""
    TOOL = "tool"
    """Somebody who teaches gave their word in the tool."""
    COLUMN = "column"
    """Somebody who teaches gave full points in the gradebook."""
    SUBMITTED = "submitted"
    """Handed in; nobody has judged it yet."""
    RETURNED = "returned"
    """Handed in, and given back with a comment."""
    NOTHING = "nothing"
    """Nothing was handed in."""
    REVOKED = "revoked"
    """Completed, and the badge that was given for it was revoked."""


class Counted(NamedTuple):
    """A micromodule that counts for a set of them."""

    micromodule_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known about one learner, by evidence key (the criteria name these keys).

    A key that is absent is not known yet; scores and other facts share one space of keys.
    """

    scores: Mapping[str, Score] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    counted: Mapping[str, tuple[Counted, ...]] = field(default_factory=dict)
    """Which micromodules a set has, each once; whether each is completed is a fact of its own. Of a whole
    organisation of which not all are asked for, those that the learner completed: the others change nothing.
    """


NOTHING_KNOWN = Evidence()
