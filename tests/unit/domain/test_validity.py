from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.validity import ends_after, no_later_than


@pytest.mark.parametrize(
    "awarded,months,over",
    [
        ("2026-01-31T10:00:00", 1, "2026-02-28T10:00:00"),
        ("2028-01-31T10:00:00", 1, "2028-02-29T10:00:00"),
        ("2028-02-29T23:59:59", 12, "2029-02-28T23:59:59"),
        ("2028-02-29T00:00:00", 48, "2032-02-29T00:00:00"),
        ("2026-11-30T00:00:00", 3, "2027-02-28T00:00:00"),
        ("2026-12-15T08:30:00", 1, "2027-01-15T08:30:00"),
        ("2026-12-31T08:30:00", 12, "2027-12-31T08:30:00"),
        ("2026-03-31T08:30:00", 25, "2028-04-30T08:30:00"),
        ("2100-01-29T00:00:00", 1, "2100-02-28T00:00:00"),
    ],
)
def test_a_month_is_a_month_of_the_calendar(awarded: str, months: int, over: str) -> None:
    start = datetime.fromisoformat(awarded).replace(tzinfo=UTC)
    assert ends_after(start, months) == datetime.fromisoformat(over).replace(tzinfo=UTC)


def test_days_are_days_in_utc() -> None:
    just_after_midnight = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert ends_after(just_after_midnight, 1) == datetime(2026, 3, 28, 22, 30, tzinfo=UTC)


def test_without_a_term_it_is_valid_for_good() -> None:
    assert ends_after(datetime(2026, 1, 1, tzinfo=UTC), None) is None


def test_what_no_date_can_say_is_for_good() -> None:
    assert ends_after(datetime(2026, 1, 1, tzinfo=UTC), 12 * 8000) is None


@given(st.datetimes(timezones=st.just(UTC), max_value=datetime(3000, 1, 1)), st.integers(1, 1200))  # noqa: DTZ001
def test_it_ends_later_and_never_on_another_day_than_it_must(start: datetime, months: int) -> None:
    over = ends_after(start, months)
    assert over is not None
    assert over > start
    assert (over.year - start.year) * 12 + over.month - start.month == months
    assert over.timetz() == start.timetz()
    is_last_of_month = (over + timedelta(days=1)).day == 1
    assert over.day == start.day or (over.day < start.day and is_last_of_month)


MOMENTS = st.integers(0, 15 * 365 * 86_400 * 1000).map(
    lambda thousandths: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=thousandths)
)


@given(st.none() | MOMENTS, MOMENTS, MOMENTS)
def test_with_its_version_a_badge_ends_never_later_and_asking_again_changes_nothing(
    own: datetime | None, latest: datetime, start: datetime
) -> None:
    end = no_later_than(own, latest, start)
    assert own is None or end <= own
    assert end <= max(latest, start + timedelta(seconds=1))
    assert no_later_than(end, latest, start) == end
    if own is None or own > start + timedelta(seconds=1):
        assert end > start.replace(microsecond=0)
