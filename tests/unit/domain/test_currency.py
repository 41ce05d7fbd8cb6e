"""When a badge is looked at again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from lti_tool.domain.currency import (
    SOON_DAYS,
    ReviewState,
    date_after_review,
    date_from,
    day_of,
    months_later,
    review_state,
    soon_until,
)

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    "review_on, state",
    [
        (None, ReviewState.UNDATED),
        (TODAY - timedelta(days=1), ReviewState.STALE),
        (TODAY, ReviewState.SOON),
        (TODAY + timedelta(days=SOON_DAYS), ReviewState.SOON),
        (TODAY + timedelta(days=SOON_DAYS + 1), ReviewState.LATER),
        (date.min, ReviewState.STALE),
        (date.max, ReviewState.LATER),
    ],
)
def test_a_review_is_in_time_until_its_day_is_over(review_on: date | None, state: ReviewState) -> None:
    assert review_state(review_on, TODAY) is state


def test_the_last_day_that_there_is_looks_no_further() -> None:
    assert soon_until(date.max) == date.max
    assert review_state(date.max, date.max) is ReviewState.SOON


@pytest.mark.parametrize(
    "day, months, later",
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 11, 22), 120, date(2036, 11, 22)),
        (date(9999, 12, 31), 1, None),
    ],
)
def test_months_are_counted_as_badges_end(day: date, months: int, later: date | None) -> None:
    assert months_later(day, months) == later


def test_an_interval_begins_anew_with_each_review_early_or_late() -> None:
    in_a_year = date(2027, 11, 22)
    for planned in (None, date(2026, 1, 1), TODAY, date(2029, 1, 1)):
        assert date_after_review(TODAY, 12, planned) == in_a_year


def test_without_an_interval_a_plan_stays_until_its_day_has_come() -> None:
    assert date_after_review(TODAY, None, None) is None
    assert date_after_review(TODAY, None, TODAY) is None
    assert date_after_review(TODAY, None, TODAY - timedelta(days=90)) is None
    assert date_after_review(TODAY, None, TODAY + timedelta(days=1)) == TODAY + timedelta(days=1)


def test_a_day_that_is_given_counts_and_else_the_interval_since_somebody_looked() -> None:
    seen = date(2025, 2, 28)
    assert date_from(seen, 12, None) == date(2026, 2, 28)
    assert date_from(seen, 12, TODAY) == TODAY
    assert date_from(seen, None, TODAY) == TODAY
    assert date_from(seen, None, None) is None


def test_a_day_is_that_of_utc_wherever_the_moment_was_told() -> None:
    assert day_of(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == TODAY
    assert day_of(datetime(2026, 11, 23, 1, 0, tzinfo=timezone(timedelta(hours=2)))) == TODAY
