"""When a course is read next: soon where people are, gently where the platform is in trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.call_budget import CallBudget
from lti_tool.domain.freshness import (
    LONGEST_REST,
    PROMISED,
    Activity,
    Freshness,
    Staleness,
    SyncOutcome,
    freshness_of,
    next_sync_at,
)
from lti_tool.jobs.reconcile import EVERY_SECONDS

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def wait(idle: timedelta, outcome: SyncOutcome | None = None, **options: float) -> timedelta:
    return next_sync_at(NOW - idle, NOW, outcome=outcome, **options) - NOW


@pytest.mark.parametrize("idle", [timedelta(), timedelta(minutes=59), timedelta(minutes=-5)])
def test_a_course_somebody_just_used_is_read_within_two_minutes(idle):
    assert timedelta(seconds=30) <= wait(idle) < timedelta(seconds=110)


@pytest.mark.parametrize("seconds", [0, 5, 20, 30, 33])
def test_a_course_that_takes_long_to_read_is_no_older_than_promised(seconds):
    """From the beginning of one read to the end of the next, a reconcile pass's pause between them."""
    took = timedelta(seconds=seconds)
    due_at = next_sync_at(NOW, NOW, took=took)
    assert took + (due_at - NOW) + timedelta(seconds=EVERY_SECONDS) + took <= PROMISED[Activity.ACTIVE]


@pytest.mark.parametrize("seconds", [40, 90, 600])
def test_a_course_that_takes_very_long_leaves_its_platform_peace_meanwhile(seconds):
    took = timedelta(seconds=seconds)
    assert next_sync_at(NOW, NOW, took=took) - NOW == min(took, timedelta(seconds=90))


@pytest.mark.parametrize("idle", [timedelta(hours=2), timedelta(days=6, hours=23)])
def test_a_course_used_this_week_is_read_within_the_hour(idle):
    assert timedelta(minutes=5) < wait(idle) < timedelta(hours=1)


@pytest.mark.parametrize("spread", [0.0, 0.5, 0.999])
def test_other_courses_are_read_once_a_night(spread):
    for hour in range(24):
        now = NOW.replace(hour=hour, minute=30)
        due = next_sync_at(now - timedelta(days=30), now, spread=spread)
        assert now < due <= now + timedelta(days=1)
        assert 1 <= due.hour < 5


@pytest.mark.parametrize("spread", [0.0, 0.5, 0.999])
def test_a_course_that_falls_idle_at_night_is_read_that_night_still(spread):
    """It was read an hour ago, as one of this week; waiting for the night after would be a day and more."""
    at = NOW.replace(hour=1, minute=0, second=1)
    assert next_sync_at(at - timedelta(days=8), at, spread=spread) <= at + timedelta(days=1)


def test_a_night_has_many_places():
    due = {next_sync_at(NOW - timedelta(days=30), NOW, spread=number / 100) for number in range(100)}
    assert len(due) == 100
    assert max(due) - min(due) > timedelta(hours=3)


def test_a_course_read_at_night_is_not_read_twice_that_night():
    at = NOW.replace(hour=1, minute=0)
    assert next_sync_at(at - timedelta(days=30), at) == at + timedelta(days=1)


def test_a_failing_platform_is_asked_ever_more_rarely():
    waits = [
        wait(timedelta(), SyncOutcome(is_failing=True, last_good_at=NOW - timedelta(minutes=minutes)))
        for minutes in (1, 10, 60, 60 * 24)
    ]
    assert waits == [timedelta(minutes=minutes) for minutes in (3, 10, 10, 10)], "somebody is there"
    waits = [
        wait(timedelta(hours=5), SyncOutcome(is_failing=True, last_good_at=NOW - timedelta(hours=hours)))
        for hours in (1, 2, 24)
    ]
    assert waits == [timedelta(hours=1)] * 3


def test_a_platform_that_never_answered_is_asked_again_soon():
    assert wait(timedelta(), SyncOutcome(is_failing=True)) == timedelta(minutes=3)


def test_a_platform_that_never_answered_is_asked_ever_more_rarely_too():
    """Nobody comes back to a course that shows nothing: what counts is how long it has been failing."""
    waits = [wait(timedelta(minutes=minutes), SyncOutcome(is_failing=True)) for minutes in (1, 5, 8, 50)]
    assert waits == [timedelta(minutes=minutes) for minutes in (3, 5, 8, 10)]


def test_a_wish_to_be_left_alone_is_honoured_within_reason():
    assert wait(timedelta(), SyncOutcome(retry_after=600)) == timedelta(minutes=10)
    assert wait(timedelta(), SyncOutcome(retry_after=1)) == wait(timedelta())
    assert wait(timedelta(), SyncOutcome(retry_after=1e18)) == LONGEST_REST
    assert wait(timedelta(), SyncOutcome(retry_after=-5)) == wait(timedelta())


def test_a_read_that_was_put_off_is_owed_as_soon_as_the_platform_may_be_asked():
    """It is owed since before: neither the interval nor a back-off comes on top."""
    failing = SyncOutcome(is_failing=True, last_good_at=NOW - timedelta(hours=1), retry_after=30)
    assert wait(timedelta(days=30), replace(failing, is_put_off=True)) == timedelta(seconds=30)


def test_what_is_promised_is_longer_than_the_interval():
    for activity, idle in (
        (Activity.ACTIVE, timedelta()),
        (Activity.RECENT, timedelta(days=1)),
        (Activity.IDLE, timedelta(days=30)),
    ):
        assert Activity.of(NOW - idle, NOW) is activity
        assert wait(idle) <= PROMISED[activity]


@given(
    idle=st.timedeltas(timedelta(), timedelta(days=400)),
    failing=st.booleans(),
    last_good=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
    retry_after=st.none() | st.floats(0, 1e9),
    spread=st.floats(0, 1, exclude_max=True),
)
def test_the_next_read_is_always_ahead_and_never_lost(idle, failing, last_good, retry_after, spread):
    outcome = SyncOutcome(failing, None if last_good is None else NOW - last_good, retry_after)
    due = next_sync_at(NOW - idle, NOW, outcome=outcome, spread=spread)
    assert NOW < due <= NOW + timedelta(days=1)
    calm = next_sync_at(NOW - idle, NOW, spread=spread)
    assert due >= calm, "trouble never hastens"


# -- what pages tell

FULL = CallBudget.full(600, NOW)


def told(
    age: timedelta | None,
    due_in: timedelta | None,
    *,
    idle: timedelta = timedelta(),
    budget: CallBudget = FULL,
    is_silent: bool = False,
) -> Freshness:
    return freshness_of(
        None if age is None else NOW - age,
        None if due_in is None else NOW + due_in,
        NOW - idle,
        NOW,
        budget=budget,
        per_minute=600,
        is_silent=is_silent,
    )


def test_what_is_fresh_says_only_when_it_is_read_next():
    fresh = told(timedelta(minutes=1), timedelta(seconds=30))
    assert (fresh.staleness, fresh.next_at) == (None, NOW + timedelta(seconds=30))
    assert told(timedelta(hours=20), timedelta(hours=4), idle=timedelta(days=30)).staleness is None


def test_a_course_that_is_not_read_promises_nothing():
    assert told(None, None) == Freshness(None, None, None)


def test_what_was_never_read_says_so():
    assert told(None, timedelta()).staleness is Staleness.NEVER_READ


def test_a_course_that_somebody_has_just_come_back_to_is_about_to_be_read():
    assert told(timedelta(days=3), timedelta(seconds=90)).staleness is None


@pytest.mark.parametrize(
    "budget, is_silent, reason",
    [
        (FULL.slowed(NOW, 600), False, Staleness.PLATFORM_RESTS),
        (FULL.slowed(NOW, 600), True, Staleness.PLATFORM_RESTS),
        (FULL, True, Staleness.PLATFORM_SILENT),
        (FULL.spent(500, 600), False, Staleness.CALLS_SPENT),
        (FULL.warned(), False, Staleness.PLATFORM_SLOWED),
        (FULL, False, Staleness.LATE),
    ],
)
def test_what_is_older_than_promised_says_why(budget, is_silent, reason):
    late = told(timedelta(minutes=9), -timedelta(minutes=5), budget=budget, is_silent=is_silent)
    assert late.staleness is reason
    assert late.next_at is not None
    assert late.next_at >= NOW, "nothing is read in the past"


def test_a_platform_that_rests_is_not_read_before_its_rest_is_over():
    late = told(timedelta(minutes=9), -timedelta(minutes=5), budget=FULL.slowed(NOW, 600))
    assert late.next_at is not None
    assert late.next_at > NOW + timedelta(minutes=10)
