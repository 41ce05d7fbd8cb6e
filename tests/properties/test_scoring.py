"""Laws of writing scores: a value that is not the tool's stays, and time only goes forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.scoring import (
    LONGEST_WAIT,
    MOST_TRIES,
    ScoreState,
    meaning_of,
    next_try_at,
    timestamp_after,
)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
points = st.decimals(0, 1000, places=5)
maxima = st.decimals(0, 1000, places=5)


@given(points, maxima)
def test_a_value_in_a_column_that_was_never_written_is_somebody_elses(
    value: Decimal, maximum: Decimal
) -> None:
    assert meaning_of(value, maximum, was_sent=False) is ScoreState.KEPT


@given(maxima, st.booleans())
def test_only_an_empty_place_is_written(maximum: Decimal, was_sent: bool) -> None:
    assert meaning_of(None, maximum, was_sent=was_sent) is None


@given(points, maxima)
def test_after_a_lost_answer_full_points_are_ours_and_nothing_else(value: Decimal, maximum: Decimal) -> None:
    is_full = maximum > 0 and value >= maximum
    expected = ScoreState.WRITTEN if is_full else ScoreState.KEPT
    assert meaning_of(value, maximum, was_sent=True) is expected


@given(moments, st.none() | moments)
def test_timestamps_are_strictly_later_and_whole_milliseconds(
    now: datetime, sent_at: datetime | None
) -> None:
    if sent_at is not None:
        sent_at = timestamp_after(None, sent_at)
    at = timestamp_after(sent_at, now)
    assert at.microsecond % 1000 == 0
    assert at > now - timedelta(milliseconds=1)
    if sent_at is None:
        assert at <= now
    else:
        assert at > sent_at
        # As little ahead of the clock as "later" allows: a time to come blocks a column in Moodle.
        assert at <= max(now, sent_at + timedelta(milliseconds=1))


@given(moments, st.integers(1, 30))
def test_tries_come_ever_later_and_end(now: datetime, tries: int) -> None:
    at = next_try_at(tries, now)
    if tries >= MOST_TRIES:
        assert at is None
        return
    assert at is not None
    assert now < at <= now + LONGEST_WAIT
    later = next_try_at(tries + 1, now)
    assert later is None or later >= at
