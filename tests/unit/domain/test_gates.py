"""What a list of those who may open a gate means, and when it is not believed."""

from __future__ import annotations

import pytest

from lti_tool.domain.gates import (
    ConfirmationProblem,
    GateOutcome,
    GateReading,
    GateState,
    confirmation_problem,
    is_sudden,
    weigh_reading,
)


@pytest.mark.parametrize(
    "listed, learners, expected",
    [(0, 0, False), (0, 12, False), (11, 12, False), (12, 12, True), (1, 1, True), (49, 50, True)],
)
def test_everybody_passes_an_unrestricted_link(listed: int, learners: int, expected: bool) -> None:
    assert GateReading(listed, learners).is_everybody is expected


def test_somebody_who_came_between_two_lists_does_not_hide_that_everybody_passes() -> None:
    assert GateReading(300, 303).is_everybody
    assert not GateReading(290, 303).is_everybody


@pytest.mark.parametrize("listed, learners, newly", [(3, 2, 0), (2, 5, 3), (2, 5, -1), (-1, 5, 0)])
def test_more_than_there_are_is_no_reading(listed: int, learners: int, newly: int) -> None:
    with pytest.raises(ValueError, match="counted"):
        GateReading(listed, learners, newly)


def test_a_restriction_that_was_removed_is_noticed() -> None:
    assert is_sudden(GateReading(12, 12, newly=9), allows_everybody=False)


def test_the_last_of_a_class_may_pass() -> None:
    assert not is_sudden(GateReading(12, 12, newly=1), allows_everybody=False)
    assert not is_sudden(GateReading(100, 100, newly=10), allows_everybody=False)
    assert is_sudden(GateReading(100, 100, newly=11), allows_everybody=False)


def test_a_tenth_of_a_huge_course_is_no_few() -> None:
    assert not is_sudden(GateReading(10_000, 10_000, newly=20), allows_everybody=False)
    assert is_sudden(GateReading(10_000, 10_000, newly=21), allows_everybody=False)


def test_a_course_of_two_is_doubted_when_both_pass_at_once() -> None:
    assert is_sudden(GateReading(2, 2, newly=2), allows_everybody=False)
    assert not is_sudden(GateReading(2, 2, newly=1), allows_everybody=False)


def test_people_who_enrol_late_do_not_all_pass_at_once() -> None:
    """All of the old ones have passed already: what is new are the new ones."""
    assert is_sudden(GateReading(40, 40, newly=10), allows_everybody=False)


def test_who_said_that_all_passing_is_right_is_not_asked_again() -> None:
    assert not is_sudden(GateReading(12, 12, newly=12), allows_everybody=True)


def test_many_may_pass_as_long_as_somebody_does_not() -> None:
    assert not is_sudden(GateReading(11, 12, newly=11), allows_everybody=False)


def test_a_list_that_was_cut_off_is_doubted_as_a_whole_one() -> None:
    assert is_sudden(GateReading(12, 12, newly=12, is_complete=False), allows_everybody=False)


@pytest.mark.parametrize(
    "listed, newly, expected",
    [
        (50, 50, GateOutcome.WAIT),  # the first page of an unrestricted link: everybody in it is new
        (50, 6, GateOutcome.WAIT),
        (50, 5, GateOutcome.COUNT),
        (3, 1, GateOutcome.COUNT),
        (50, 0, GateOutcome.COUNT),
    ],
)
def test_a_list_that_was_cut_off_is_not_believed_when_many_in_it_are_new(
    listed: int, newly: int, expected: GateOutcome
) -> None:
    reading = GateReading(listed, 10_000, newly, is_complete=False)
    assert weigh_reading(GateState.CONFIRMED, reading, allows_everybody=False) is expected
    assert weigh_reading(GateState.CONFIRMED, reading, allows_everybody=True) is GateOutcome.COUNT
    assert weigh_reading(GateState.OPEN, reading, allows_everybody=False) is GateOutcome.WAIT
    assert weigh_reading(GateState.DOUBTED, reading, allows_everybody=False) is GateOutcome.DOUBT


def test_the_first_learners_of_an_empty_course_do_not_all_pass() -> None:
    """It was confirmed before anybody could be seen to be kept out."""

    def weighed(reading: GateReading, *, allows_everybody: bool = False) -> GateOutcome:
        return weigh_reading(GateState.CONFIRMED, reading, allows_everybody=allows_everybody, was_empty=True)

    assert weighed(GateReading(1, 1, newly=1)) is GateOutcome.DOUBT
    assert weighed(GateReading(1, 1, newly=1), allows_everybody=True) is GateOutcome.COUNT
    assert weighed(GateReading(0, 1)) is GateOutcome.COUNT
    assert weighed(GateReading(0, 0)) is GateOutcome.COUNT


@pytest.mark.parametrize(
    "state, reading, expected",
    [
        (GateState.OPEN, GateReading(3, 12, 3), GateOutcome.SHOW),
        (GateState.OPEN, GateReading(12, 12, 12), GateOutcome.SHOW),
        (GateState.WAITING, GateReading(3, 12, 3), GateOutcome.SHOW),
        (GateState.CONFIRMED, GateReading(5, 12, 2), GateOutcome.COUNT),
        (GateState.CONFIRMED, GateReading(12, 12, 7), GateOutcome.DOUBT),
        (GateState.DOUBTED, GateReading(5, 12, 2), GateOutcome.DOUBT),
    ],
)
def test_a_reading_counts_where_a_person_confirmed_the_gate(
    state: GateState, reading: GateReading, expected: GateOutcome
) -> None:
    assert weigh_reading(state, reading, allows_everybody=False) is expected


def test_a_gate_that_was_never_read_cannot_be_confirmed() -> None:
    assert confirmation_problem(None, everybody=True) is ConfirmationProblem.NOT_READ


def test_a_gate_that_lets_everybody_pass_is_confirmed_in_so_many_words() -> None:
    reading = GateReading(12, 12)
    assert confirmation_problem(reading, everybody=False) is ConfirmationProblem.EVERYBODY
    assert confirmation_problem(reading, everybody=True) is None


def test_in_an_empty_course_nothing_is_seen_of_a_restriction() -> None:
    assert confirmation_problem(GateReading(0, 0), everybody=False) is ConfirmationProblem.NO_LEARNERS
    assert confirmation_problem(GateReading(0, 0), everybody=True) is None


def test_a_gate_that_some_pass_or_nobody_is_confirmed_by_a_click() -> None:
    assert confirmation_problem(GateReading(4, 12), everybody=False) is None
    assert confirmation_problem(GateReading(0, 12), everybody=False) is None


def test_what_is_stored_counts_before_and_during_a_doubt() -> None:
    assert {state for state in GateState if state.is_evidence} == {GateState.CONFIRMED, GateState.DOUBTED}
