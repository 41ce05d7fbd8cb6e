"""Laws of readings behind gates, whatever their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.gates import (
    GateOutcome,
    GateReading,
    GateState,
    confirmation_problem,
    is_sudden,
    weigh_reading,
)


@st.composite
def readings(draw: st.DrawFn) -> GateReading:
    learners = draw(st.integers(0, 3_000))
    listed = draw(st.one_of(st.just(learners), st.integers(0, learners)))
    newly = draw(st.one_of(st.just(listed), st.integers(0, listed)))
    return GateReading(listed, learners, newly, draw(st.booleans()))


@given(readings())
def test_a_removed_restriction_never_passes_more_than_a_tenth_of_a_course(reading: GateReading) -> None:
    """Nor more than one in the smallest courses; whatever the reading claims of its completeness."""
    unrestricted = GateReading(reading.learners, reading.learners, reading.newly, reading.is_complete)
    outcome = weigh_reading(GateState.CONFIRMED, unrestricted, allows_everybody=False)
    if outcome is GateOutcome.COUNT:
        assert reading.newly <= max(1, reading.learners / 10)


@given(readings())
def test_nor_does_the_beginning_of_its_list_pass_more_than_a_tenth_of_those_in_it(
    reading: GateReading,
) -> None:
    cut = GateReading(reading.listed, reading.learners, reading.newly, is_complete=False)
    if weigh_reading(GateState.CONFIRMED, cut, allows_everybody=False) is GateOutcome.COUNT:
        assert reading.newly <= max(1, reading.listed / 10)


@given(readings())
def test_nothing_counts_that_no_person_confirmed(reading: GateReading) -> None:
    for state in (GateState.WAITING, GateState.OPEN, GateState.DOUBTED):
        for allows_everybody in (False, True):
            outcome = weigh_reading(state, reading, allows_everybody=allows_everybody)
            assert outcome is not GateOutcome.COUNT


@given(readings())
def test_a_reading_without_news_is_never_sudden(reading: GateReading) -> None:
    known = GateReading(reading.listed, reading.learners, 0, reading.is_complete)
    assert not is_sudden(known, allows_everybody=False)


@given(readings())
def test_saying_that_all_passing_is_right_ends_every_doubt(reading: GateReading) -> None:
    assert not is_sudden(reading, allows_everybody=True)
    assert confirmation_problem(reading, everybody=True) is None


@given(readings())
def test_fewer_news_are_never_more_sudden(reading: GateReading) -> None:
    if reading.newly and not is_sudden(reading, allows_everybody=False):
        fewer = GateReading(reading.listed, reading.learners, reading.newly - 1, reading.is_complete)
        assert not is_sudden(fewer, allows_everybody=False)
