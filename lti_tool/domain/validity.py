"""How long a badge is valid: pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import Final

LAST_YEAR: Final = 9999
"""The last that ``datetime`` knows."""


def ends_after(awarded_at: datetime, months: int | None) -> datetime | None:
    """When a badge that was awarded then is over; ``None`` for one that is valid for good.

    The same day and time of a later month, in UTC; where that month is too short, its last day: what was
    awarded on 31 January for a month is over on 28 February, or on the 29th in a leap year. What would be
    over after the year 9999 is valid for good.

    :param awarded_at: aware. :param months: 1 or more.
    """
    if months is None:
        return None
    start = awarded_at.astimezone(UTC)
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    if year > LAST_YEAR:
        return None
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def no_later_than(ends_at: datetime | None, latest: datetime, starts_at: datetime) -> datetime:
    """When a badge is over that ends with its version: then, or earlier by itself.

    In whole seconds, as badges are dated. One that began only when its version had ended (it was being issued
    at that moment) is over a second after it began, since no badge may end before.

    :param ends_at: when it ends by itself; ``None``: never.
    :param latest: when its version ends. :param starts_at: since when it is valid. All aware.
    """
    end = max(latest.replace(microsecond=0), starts_at.replace(microsecond=0) + timedelta(seconds=1))
    return end if ends_at is None else min(ends_at, end)
