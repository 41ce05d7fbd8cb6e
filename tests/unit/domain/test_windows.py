"""From when to when anything can count."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lti_tool.domain.criteria import AllOf, AnyOf, Attested, Criterion, Within
from lti_tool.domain.windows import Window, window_of

MARCH, APRIL, MAY, JUNE = (datetime(2027, month, 1, tzinfo=UTC) for month in (3, 4, 5, 6))
TALK = Attested("talk", "Talk")
ESSAY = Attested("essay", "Essay")


@pytest.mark.parametrize(
    "criterion, window",
    [
        (TALK, Window()),
        (AllOf(()), Window()),
        (Within(TALK, MARCH, MAY), Window(MARCH, MAY)),
        (Within(TALK, None, MAY), Window(None, MAY)),
        (Within(AllOf((TALK, ESSAY)), MARCH, MAY), Window(MARCH, MAY)),
        # Dates inside dates narrow them.
        (Within(Within(TALK, APRIL, JUNE), MARCH, MAY), Window(APRIL, MAY)),
        # Dates that exclude each other: a platform would refuse a window that ends before it begins.
        (Within(Within(TALK, MAY, JUNE), MARCH, APRIL), Window()),
        (AnyOf((Within(Within(TALK, MAY, JUNE), MARCH, APRIL), Within(ESSAY, MARCH, MAY))), Window()),
        # What one part alone is bound to does not bind the other.
        (AllOf((Within(TALK, MARCH, MAY), ESSAY)), Window()),
        (AllOf((Within(TALK, MARCH, APRIL), Within(ESSAY, APRIL, MAY))), Window(MARCH, MAY)),
        (AnyOf((Within(TALK, MARCH, APRIL), Within(ESSAY, None, MAY))), Window(None, MAY)),
    ],
)
def test_a_window_holds_every_date_that_may_count(criterion: Criterion, window: Window) -> None:
    assert window_of(criterion) == window


def test_an_open_window_says_nothing() -> None:
    assert not Window()
    assert Window(None, MAY)
