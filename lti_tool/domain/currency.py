"""Keeping badges up to date: when one is looked at again, and how that stands today. Pure.

What a badge says of the world grows old: tools, laws, what an employer asks for. A review date says until
when somebody looks whether it is still right. Days are calendar days in UTC, as wherever badges are dated.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from lti_tool.domain.validity import ends_after

SOON_DAYS: Final = 60
"""So many days before its date a review counts as coming up."""
MOST_MONTHS: Final = 120
"""Between two reviews; what nobody looks at for more than ten years nobody looks after."""
LAST_DAY: Final = timedelta(days=365 * 20)
"""Later review dates are typing errors."""


class ReviewState(StrEnum):
    """How the review of a badge stands, what waits longest first."""

    STALE = "stale"
    """Its day is over, and nobody said that it is still right."""
    SOON = "soon"
    """Due within :data:`SOON_DAYS`, today included."""
    UNDATED = "undated"
    """Nobody said when."""
    LATER = "later"


def day_of(moment: datetime) -> date:
    """The calendar day of a moment.

    :param moment: aware.
    """
    return moment.astimezone(UTC).date()


def review_state(review_on: date | None, today: date) -> ReviewState:
    """How a review date stands; on the day itself it is not over yet."""
    if review_on is None:
        return ReviewState.UNDATED
    if review_on < today:
        return ReviewState.STALE
    return ReviewState.SOON if review_on <= soon_until(today) else ReviewState.LATER


def soon_until(today: date) -> date:
    """The last day on which a review counts as coming up."""
    return today + timedelta(days=min(SOON_DAYS, (date.max - today).days))


def months_later(day: date, months: int) -> date | None:
    """The same day of a later month, or its last one where it is shorter, as badges end
    (:func:`~lti_tool.domain.validity.ends_after`); ``None`` after the year 9999.

    :param months: 1 or more.
    """
    later = ends_after(datetime.combine(day, time.min, UTC), months)
    return None if later is None else later.date()


def date_after_review(today: date, every_months: int | None, planned: date | None) -> date | None:
    """When a badge is looked at next that was looked at today.

    An interval is counted from today, whether the review was late or early. Without one, a day that is still
    to come stays, since somebody had a reason for it; one that has come is done with, and there is none.

    :param planned: the date that stood there before the review.
    """
    if every_months is not None:
        return months_later(today, every_months)
    return planned if planned is not None and planned > today else None


def date_from(looked_at: date, every_months: int | None, given: date | None) -> date | None:
    """The date that somebody asks for who sets an interval, or a day, or both.

    A day that is given counts. Else the interval is counted from when the badge was looked at last, so that
    what is old already is due at once.

    :param looked_at: the last review, or the day its newest version was published.
    """
    if given is not None or every_months is None:
        return given
    return months_later(looked_at, every_months)
