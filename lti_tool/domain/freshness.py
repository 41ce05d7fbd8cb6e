"""When a course is read again without anybody visiting it: pure arithmetic over times.

A course that somebody just used is read within two minutes, one used this week within the hour, the
others once a night. Used: launched, or graded, as a read of its columns tells. A course that fails is left
alone a little longer each time; how much a platform as a whole is asked is
:mod:`~lti_tool.domain.call_budget`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from lti_tool.domain.call_budget import CallBudget

ACTIVE_FOR = timedelta(hours=1)
ACTIVE_INTERVAL = timedelta(seconds=90)
"""Two minutes are promised: this, plus the reconcile pass that notices it and the reading itself."""
RECENT_FOR = timedelta(days=7)
RECENT_INTERVAL = timedelta(minutes=50)
"""Within the hour, for the same reason."""
NIGHT = timedelta(days=1)
NIGHT_BEGINS_AT = time(1, 0)
"""UTC; the night's reads are spread over the hours that follow."""
NIGHT_SPREAD = timedelta(hours=4)
GRACE = timedelta(minutes=1)
"""A read that is owed for less is on its way."""
STORM_INTERVAL = timedelta(minutes=1)
"""A course that more people visit than may be read one by one is read as a whole, at most so often."""


class Activity(StrEnum):
    """How lately a course was used."""

    ACTIVE = "active"
    RECENT = "recent"
    IDLE = "idle"

    @classmethod
    def of(cls, used_at: datetime, now: datetime) -> Activity:
        """Within the last hour, within the last week, or longer ago."""
        idle = now - used_at
        if idle <= ACTIVE_FOR:
            return cls.ACTIVE
        return cls.RECENT if idle <= RECENT_FOR else cls.IDLE


PROMISED = {
    Activity.ACTIVE: timedelta(minutes=2),
    Activity.RECENT: timedelta(hours=1),
    Activity.IDLE: NIGHT,
}
"""How old what is shown of a course is at most, as long as its platform answers and has calls left."""

LONGEST_BACK_OFF = {
    Activity.ACTIVE: timedelta(minutes=10),
    Activity.RECENT: timedelta(hours=1),
    Activity.IDLE: timedelta(hours=6),
}
"""Where people are, a platform that is back is noticed soon."""
FIRST_BACK_OFF = ACTIVE_INTERVAL * 2
LONGEST_REST = timedelta(hours=6)


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
    is_put_off: bool = False
    """The platform was too busy: the same read is owed as soon as it may be asked."""


def next_sync_at(
    used_at: datetime,
    now: datetime,
    *,
    outcome: SyncOutcome | None = None,
    spread: float = 0.0,
    took: timedelta = timedelta(),
) -> datetime:
    """When a context is to be read next.

    :param used_at: the last launch, or the last grade that was given.
    :param spread: 0 ≤ spread < 1, fixed for a context: its place within the night.
    :param took: how long the sync worked that is over now, and the next one will.
    """
    activity = Activity.of(used_at, now)
    if outcome is not None and outcome.is_put_off:
        return now + _rest(outcome.retry_after or 0.0)
    if activity is Activity.ACTIVE:
        # What is shown is as old as the beginning of a read, until the end of the next one: a course that
        # takes half a minute begins earlier. At least as long as it took, its platform has peace.
        due_at = now + max(ACTIVE_INTERVAL - 2 * took, min(took, ACTIVE_INTERVAL))
    elif activity is Activity.RECENT:
        due_at = now + RECENT_INTERVAL
    else:
        due_at = _place_in_night(now, spread)
    if outcome is None:
        return due_at
    if outcome.is_failing:
        # Doubles by itself: having failed for ten minutes, wait ten more.
        failing_for = now - (outcome.last_good_at or used_at)
        due_at = max(due_at, now + min(max(failing_for, FIRST_BACK_OFF), LONGEST_BACK_OFF[activity]))
    if outcome.retry_after is not None:
        due_at = max(due_at, now + _rest(outcome.retry_after))
    return due_at


def _rest(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_REST.total_seconds()))


def _place_in_night(now: datetime, spread: float) -> datetime:
    """The context's next place; tonight's where that is still to come, so that no night is left out."""
    tonight = datetime.combine(now.date(), NIGHT_BEGINS_AT, now.tzinfo) + NIGHT_SPREAD * spread
    return tonight if tonight > now else tonight + timedelta(days=1)


class Staleness(StrEnum):
    """Why a course is shown older than was promised."""

    NEVER_READ = "never_read"
    PLATFORM_RESTS = "platform_rests"
    """The platform was too busy, and is left alone for the time that it asked for."""
    PLATFORM_SILENT = "platform_silent"
    """It did not answer for the last time."""
    CALLS_SPENT = "calls_spent"
    """As many calls as it is sent are used up, for a while."""
    PLATFORM_SLOWED = "platform_slowed"
    """It was too busy lately, and is asked more slowly."""
    LATE = "late"
    """Nothing of this: the tool itself is behind."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old what is shown of a course is, and when it is read next."""

    read_at: datetime | None
    next_at: datetime | None
    """As far as can be told; ``None`` where nothing in the course is read."""
    staleness: Staleness | None
    """``None`` while it is as fresh as was promised."""


def freshness_of(
    read_at: datetime | None,
    due_at: datetime | None,
    used_at: datetime,
    now: datetime,
    *,
    budget: CallBudget,
    per_minute: float,
    is_silent: bool,
) -> Freshness:
    """What to tell about the age of a course.

    :param read_at: when the oldest of what is shown was read.
    :param due_at: when the next read is owed; ``None`` where nothing is to be read.
    :param used_at: the last launch.
    :param budget: the platform's, as it stands now.
    :param is_silent: whether the platform did not answer for the last time.
    """
    if due_at is None:
        return Freshness(read_at, None, None)
    next_at = max(due_at, now + timedelta(seconds=budget.wait_for_schedule(now, per_minute)))
    if read_at is None:
        return Freshness(None, next_at, Staleness.NEVER_READ)
    is_promise_kept = now - read_at <= PROMISED[Activity.of(used_at, now)]
    # Somebody came after a long time: what is shown is old, and about to be read.
    is_due_soon = due_at > now - GRACE and not is_silent and not budget.rests(now)
    if is_promise_kept or is_due_soon:
        return Freshness(read_at, next_at, None)
    if budget.rests(now):
        staleness = Staleness.PLATFORM_RESTS
    elif is_silent:
        staleness = Staleness.PLATFORM_SILENT
    elif budget.calls_left < 1:
        staleness = Staleness.CALLS_SPENT
    elif budget.pace < 1:
        staleness = Staleness.PLATFORM_SLOWED
    else:
        staleness = Staleness.LATE
    return Freshness(read_at, next_at, staleness)
