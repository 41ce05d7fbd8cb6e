"""When a course is read again without anybody visiting it: pure arithmetic over times.

A course that somebody just used is read within two minutes, one used this week within the hour, the
others once a night. A platform that asks for rest, or fails, gets it: the pages say how old the data is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

ACTIVE_FOR = timedelta(hours=1)
ACTIVE_INTERVAL = timedelta(seconds=90)
"""Two minutes are promised: this, plus the reconcile pass that notices it and the reading itself."""
RECENT_FOR = timedelta(days=7)
RECENT_INTERVAL = timedelta(minutes=50)
"""Within the hour, for the same reason."""
NIGHT_BEGINS_AT = time(1, 0)
"""UTC; the night's reads are spread over the hours that follow."""
NIGHT_SPREAD = timedelta(hours=4)
LONGEST_BACK_OFF = timedelta(hours=6)
CALLS_PER_MINUTE = 240
"""How many calls one platform gets from the schedule; visits are not counted."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """How the last sync of a context went, as far as the next one depends on it."""

    is_failing: bool = False
    """The platform did not answer, or not usably."""
    last_good_at: datetime | None = None
    """When the platform last answered usably, or since when it was to; while it fails, the wait grows with
    the time since. ``None``: since the last launch."""
    retry_after: float | None = None
    """Seconds that the platform asked us to wait."""


def stretch(active_contexts: int, calls_per_sync: int) -> float:
    """By how much the interval of active contexts grows so that one platform's call budget holds; ≥ 1.

    :param active_contexts: contexts of the platform that were used within the last hour and are read.
    :param calls_per_sync: calls that one sync takes: each page of the roster and of each evidence column.
    """
    wanted = active_contexts * max(1, calls_per_sync) * (60 / ACTIVE_INTERVAL.total_seconds())
    return max(1.0, wanted / CALLS_PER_MINUTE)


def next_sync_at(
    last_launched_at: datetime,
    now: datetime,
    *,
    outcome: SyncOutcome | None = None,
    stretched: float = 1.0,
    spread: float = 0.0,
) -> datetime:
    """When a context is to be read next.

    :param last_launched_at: the last launch, or another signal that something happened there.
    :param stretched: factor of :func:`stretch`.
    :param spread: 0 ≤ spread < 1, fixed for a context: its place within the night.
    """
    idle = now - last_launched_at
    if idle <= ACTIVE_FOR:
        due_at = now + ACTIVE_INTERVAL * stretched
    elif idle <= RECENT_FOR:
        due_at = now + max(RECENT_INTERVAL, ACTIVE_INTERVAL * stretched)
    else:
        due_at = _next_night(now) + NIGHT_SPREAD * spread
    if outcome is None:
        return due_at
    if outcome.is_failing:
        # Doubles by itself: having failed for ten minutes, wait ten more.
        failing_for = now - (outcome.last_good_at or last_launched_at)
        due_at = max(due_at, now + min(max(failing_for, ACTIVE_INTERVAL * 2), LONGEST_BACK_OFF))
    if outcome.retry_after is not None:
        asked = min(max(outcome.retry_after, 0.0), LONGEST_BACK_OFF.total_seconds())
        due_at = max(due_at, now + timedelta(seconds=asked))
    return due_at


def _next_night(now: datetime) -> datetime:
    tonight = datetime.combine(now.date(), NIGHT_BEGINS_AT, now.tzinfo)
    # A night that has just begun counts as had, or a context read at 01:05 would be read again at once.
    return tonight if tonight > now else tonight + timedelta(days=1)
