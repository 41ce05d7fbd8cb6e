"""When a course is read next: soon where people are, gently where the platform is in trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.freshness import (
    LONGEST_BACK_OFF,
    SyncOutcome,
    next_sync_at,
    stretch,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def wait(idle: timedelta, outcome: SyncOutcome | None = None, **options: float) -> timedelta:
    return next_sync_at(NOW - idle, NOW, outcome=outcome, **options) - NOW


@pytest.mark.parametrize("idle", [timedelta(), timedelta(minutes=59), timedelta(minutes=-5)])
def test_a_course_somebody_just_used_is_read_within_two_minutes(idle):
    assert timedelta(seconds=30) <= wait(idle) < timedelta(seconds=110)


@pytest.mark.parametrize("idle", [timedelta(hours=2), timedelta(days=6, hours=23)])
def test_a_course_used_this_week_is_read_within_the_hour(idle):
    assert timedelta(minutes=5) < wait(idle) < timedelta(hours=1)


@pytest.mark.parametrize("spread", [0.0, 0.5, 0.999])
def test_other_courses_are_read_once_a_night(spread):
    for hour in range(24):
        now = NOW.replace(hour=hour, minute=30)
        due = next_sync_at(now - timedelta(days=30), now, spread=spread)
        assert now < due <= now + timedelta(days=1, hours=4)
        assert 1 <= due.hour < 5


def test_a_course_read_at_night_is_not_read_twice_that_night():
    at = NOW.replace(hour=1, minute=0)
    assert next_sync_at(at - timedelta(days=30), at) == at + timedelta(days=1)


def test_a_failing_platform_is_asked_ever_more_rarely():
    waits = [
        wait(timedelta(), SyncOutcome(is_failing=True, last_good_at=NOW - timedelta(minutes=minutes)))
        for minutes in (1, 10, 60, 60 * 24)
    ]
    assert waits == [timedelta(minutes=3), timedelta(minutes=10), timedelta(hours=1), LONGEST_BACK_OFF]


def test_a_platform_that_never_answered_is_asked_again_soon():
    assert wait(timedelta(), SyncOutcome(is_failing=True)) == timedelta(minutes=3)


def test_a_platform_that_never_answered_is_asked_ever_more_rarely_too():
    """Nobody comes back to a course that shows nothing: what counts is how long it has been failing."""
    waits = [wait(timedelta(minutes=minutes), SyncOutcome(is_failing=True)) for minutes in (1, 10, 50)]
    assert waits == [timedelta(minutes=3), timedelta(minutes=10), timedelta(minutes=50)]


def test_a_wish_to_be_left_alone_is_honoured_within_reason():
    assert wait(timedelta(), SyncOutcome(retry_after=600)) == timedelta(minutes=10)
    assert wait(timedelta(), SyncOutcome(retry_after=1)) == wait(timedelta())
    assert wait(timedelta(), SyncOutcome(retry_after=1e18)) == LONGEST_BACK_OFF
    assert wait(timedelta(), SyncOutcome(retry_after=-5)) == wait(timedelta())


def test_intervals_stretch_when_the_budget_of_calls_is_spent():
    assert stretch(10, 5) == 1.0
    assert stretch(0, 0) == 1.0
    crowded = stretch(1_000, 6)
    assert crowded == pytest.approx(1_000 * 6 * 60 / 90 / 240)
    assert wait(timedelta(), stretched=crowded) > timedelta(minutes=20)


@given(
    idle=st.timedeltas(timedelta(), timedelta(days=400)),
    failing=st.booleans(),
    last_good=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
    retry_after=st.none() | st.floats(0, 1e9),
    stretched=st.floats(1, 1000),
    spread=st.floats(0, 1, exclude_max=True),
)
def test_the_next_read_is_always_ahead_and_never_lost(
    idle, failing, last_good, retry_after, stretched, spread
):
    outcome = SyncOutcome(failing, None if last_good is None else NOW - last_good, retry_after)
    due = next_sync_at(NOW - idle, NOW, outcome=outcome, stretched=stretched, spread=spread)
    assert NOW < due <= NOW + timedelta(days=1, hours=5)
    calm = next_sync_at(NOW - idle, NOW, stretched=stretched, spread=spread)
    assert due >= calm, "trouble never hastens"
