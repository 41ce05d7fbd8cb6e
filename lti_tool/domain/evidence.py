"""Facts about one learner in one context, each with where it came from and how fresh it is.

What the tool writes is never evidence: the column coupled to the badge link has no place here, and
``lti_tool.services.awarding`` builds these facts from evidence columns only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known about one learner, by evidence key (the criteria name these keys)."""

    scores: Mapping[str, Score] = field(default_factory=dict)


NOTHING_KNOWN = Evidence()
