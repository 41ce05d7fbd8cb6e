"""Criteria by example: borders, dates, reasons, and trees that must not be saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Channel,
    Criterion,
    Reason,
    ScoreAtLeast,
    State,
    Unit,
    leaves,
)
from lti_tool.domain.criteria_problems import CriteriaProblem, problems
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Evidence, Score

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rule(key: str = "quiz", threshold: str = "60", **changes: object) -> ScoreAtLeast:
    return ScoreAtLeast(key, f"The {key}", Decimal(threshold), **changes)  # type: ignore[arg-type]


def score(value: str | None, maximum: str = "100", graded_at: datetime | None = None) -> Score:
    return Score(None if value is None else Decimal(value), Decimal(maximum), graded_at, NOW)


def on_day(day: int) -> datetime:
    return datetime(2026, 2, day, tzinfo=UTC)


@pytest.mark.parametrize(
    "value,maximum,threshold,state",
    [
        ("60", "100", "60", State.MET),
        ("59.99999", "100", "60", State.NOT_MET),
        ("60.00001", "100", "60", State.MET),
        ("0.6", "1", "60", State.MET),
        ("6", "10", "60", State.MET),
        # Moodle keeps five decimals: two thirds of 10, and of 100, as its gradebook has them.
        ("6.66667", "10", "66.66667", State.MET),
        ("6.66666", "10", "66.66667", State.NOT_MET),
        ("66.66667", "100", "66.66667", State.MET),
        # 0.1 + 0.2 in binary would be above it.
        ("0.3", "0.9", "33.33333", State.MET),
        ("0.3", "0.9", "33.33334", State.NOT_MET),
        ("120", "100", "100", State.MET),
        ("-5", "100", "60", State.NOT_MET),
        ("0", "100", "0.00001", State.NOT_MET),
    ],
)
def test_percent_at_the_border(value: str, maximum: str, threshold: str, state: State) -> None:
    finding = evaluate(rule(threshold=threshold), Evidence({"quiz": score(value, maximum)}))
    assert finding.state is state
    assert finding.reason is (Reason.SCORE_REACHED if state is State.MET else Reason.SCORE_BELOW)


def test_percent_does_not_depend_on_the_precision_that_somebody_set() -> None:
    facts = Evidence({"quiz": score("59.99999")})
    with localcontext(prec=2):
        assert evaluate(rule(), facts).state is State.NOT_MET


@pytest.mark.parametrize("value,state", [("7.5", State.MET), ("7.49999", State.NOT_MET)])
def test_points_count_as_they_are(value: str, state: State) -> None:
    facts = Evidence({"quiz": score(value, "0")})
    assert evaluate(rule(threshold="7.5", unit=Unit.POINTS), facts).state is state


@pytest.mark.parametrize(
    "facts,reason",
    [
        ({}, Reason.COLUMN_NOT_READ_YET),
        ({"quiz": score(None)}, Reason.NO_GRADE_YET),
        ({"quiz": score("50", "0")}, Reason.MAXIMUM_MISSING),
        ({"quiz": score("50", "-1")}, Reason.MAXIMUM_MISSING),
        ({"another": score("100")}, Reason.COLUMN_NOT_READ_YET),
    ],
)
def test_what_is_missing_is_named_and_never_not_met(facts: dict[str, Score], reason: Reason) -> None:
    finding = evaluate(rule(), Evidence(facts))
    assert (finding.state, finding.reason) == (State.UNKNOWN, reason)


def test_zero_is_a_grade_and_no_grade_is_not_zero() -> None:
    assert evaluate(rule(), Evidence({"quiz": score("0")})).state is State.NOT_MET
    assert evaluate(rule(), Evidence({"quiz": score(None)})).state is State.UNKNOWN


FACTS = Evidence(
    {
        "met": score("100", graded_at=on_day(3)),
        "met later": score("100", graded_at=on_day(9)),
        "met undated": score("100"),
        "not met": score("0", graded_at=on_day(1)),
    }
)


@pytest.mark.parametrize(
    "criterion,state,reason",
    [
        (AllOf((rule("met"), rule("open"))), State.UNKNOWN, Reason.PARTS_UNKNOWN),
        (AllOf((rule("met"), rule("open"), rule("not met"))), State.NOT_MET, Reason.PARTS_MISSING),
        (AnyOf((rule("not met"), rule("open"))), State.UNKNOWN, Reason.PARTS_UNKNOWN),
        (AnyOf((rule("not met"), rule("open"), rule("met"))), State.MET, Reason.PARTS_MET),
        (AnyOf((rule("not met"),)), State.NOT_MET, Reason.PARTS_MISSING),
        (AtLeast(2, (rule("met"), rule("open"), rule("not met"))), State.UNKNOWN, Reason.PARTS_UNKNOWN),
        (AtLeast(2, (rule("met"), rule("not met"), rule("not met"))), State.NOT_MET, Reason.PARTS_MISSING),
        (AtLeast(2, (rule("met"), rule("met later"), rule("open"))), State.MET, Reason.PARTS_MET),
        (AllOf(()), State.NOT_MET, Reason.NOTHING_ASKED),
        (AnyOf((AllOf(()), rule("open"))), State.UNKNOWN, Reason.PARTS_UNKNOWN),
        (AtLeast(0, (rule("not met"),)), State.NOT_MET, Reason.PARTS_MISSING),
    ],
)
def test_combinations_are_three_valued(criterion: Criterion, state: State, reason: Reason) -> None:
    finding = evaluate(criterion, FACTS)
    assert (finding.state, finding.reason) == (state, reason)


@pytest.mark.parametrize(
    "criterion,met_at",
    [
        (rule("met"), on_day(3)),
        (rule("met undated"), None),
        (AllOf((rule("met later"), rule("met"))), on_day(9)),
        (AnyOf((rule("met later"), rule("met"))), on_day(3)),
        (AtLeast(2, (rule("met later"), rule("met"), rule("met"))), on_day(3)),
        (AtLeast(3, (rule("met later"), rule("met"), rule("met"))), on_day(9)),
        # One of the two that are needed has no date: the moment is not known.
        (AllOf((rule("met"), rule("met undated"))), None),
        (AtLeast(2, (rule("met"), rule("met undated"))), None),
        (AtLeast(2, (rule("met"), rule("met later"), rule("met undated"))), on_day(9)),
        (AnyOf((rule("met undated"), rule("met"))), on_day(3)),
        (AllOf((AnyOf((rule("not met"), rule("met later"))), rule("met"))), on_day(9)),
    ],
)
def test_the_date_is_that_of_the_last_part_that_was_needed(
    criterion: Criterion, met_at: datetime | None
) -> None:
    finding = evaluate(criterion, FACTS)
    assert finding.state is State.MET
    assert finding.met_at == met_at


def test_nothing_that_is_not_met_has_a_date() -> None:
    assert evaluate(rule("not met"), FACTS).met_at is None


def test_a_tree_is_walked_from_left_to_right() -> None:
    tree = AllOf((rule("a"), AnyOf((rule("b"), AtLeast(1, (rule("c"),)))), rule("d")))
    assert [leaf.key for leaf in leaves(tree)] == ["a", "b", "c", "d"]
    assert [found.criterion for found in evaluate(tree, NOTHING_KNOWN).leaves()] == list(leaves(tree))


@pytest.mark.parametrize(
    "threshold,unit",
    [
        ("0", Unit.PERCENT),
        ("-1", Unit.PERCENT),
        ("100.00001", Unit.PERCENT),
        ("NaN", Unit.PERCENT),
        ("sNaN", Unit.PERCENT),
        ("NaN", Unit.POINTS),
        ("Infinity", Unit.PERCENT),
        ("Infinity", Unit.POINTS),
        ("-Infinity", Unit.POINTS),
        ("0", Unit.POINTS),
        ("100000.1", Unit.POINTS),
        # Each would be written out as a gigabyte of zeros.
        ("1e999999999", Unit.POINTS),
        ("1e999999999", Unit.PERCENT),
        ("1e-999999999", Unit.PERCENT),
        ("1e-999999999", Unit.POINTS),
    ],
)
def test_thresholds_out_of_range(threshold: str, unit: Unit) -> None:
    assert problems(rule(threshold=threshold, unit=unit)) == (CriteriaProblem.THRESHOLD_OUT_OF_RANGE,)


@pytest.mark.parametrize(
    "threshold,unit",
    [("100", Unit.PERCENT), ("0.00001", Unit.PERCENT), ("100000", Unit.POINTS), ("1E+5", Unit.POINTS)],
)
def test_thresholds_within_range(threshold: str, unit: Unit) -> None:
    assert problems(rule(threshold=threshold, unit=unit)) == ()


def nested(depth: int) -> Criterion:
    tree: Criterion = rule()
    for _ in range(depth - 1):
        tree = AllOf((tree,))
    return tree


@pytest.mark.parametrize(
    "criterion,expected",
    [
        (AllOf(()), {CriteriaProblem.NOTHING_ASKED}),
        (AnyOf((rule(), AllOf(()))), {CriteriaProblem.NOTHING_ASKED}),
        (AtLeast(0, (rule(),)), {CriteriaProblem.COUNT_OUT_OF_RANGE}),
        (AtLeast(2, (rule(),)), {CriteriaProblem.COUNT_OUT_OF_RANGE}),
        (AtLeast(1, ()), {CriteriaProblem.NOTHING_ASKED}),
        (ScoreAtLeast("", "Quiz", Decimal(1)), {CriteriaProblem.LABEL_MISSING}),
        (ScoreAtLeast("quiz", " \t", Decimal(1)), {CriteriaProblem.LABEL_MISSING}),
        (nested(5), set()),
        (nested(6), {CriteriaProblem.TOO_DEEP}),
        (nested(5000), {CriteriaProblem.TOO_DEEP}),
        (AllOf((rule(),) * 50), set()),
        (AllOf((rule(),) * 51), {CriteriaProblem.TOO_MANY}),
        (AllOf((rule(threshold="50"), rule(threshold="80"))), set()),
        (AllOf((rule(), rule(channel=Channel.ATTEST))), {CriteriaProblem.KEY_NOT_UNIQUE}),
        (AllOf((rule(), ScoreAtLeast("quiz", "Other", Decimal(1)))), {CriteriaProblem.KEY_NOT_UNIQUE}),
        (
            AllOf((rule(threshold="0"), AllOf(()))),
            {CriteriaProblem.NOTHING_ASKED, CriteriaProblem.THRESHOLD_OUT_OF_RANGE},
        ),
    ],
)
def test_what_keeps_a_tree_from_being_saved(criterion: Criterion, expected: set[CriteriaProblem]) -> None:
    found = problems(criterion)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_each_kind_of_problem_is_named_once() -> None:
    assert problems(AllOf((AllOf(()), AllOf(()), AnyOf(())))) == (CriteriaProblem.NOTHING_ASKED,)


def test_an_old_date_stays_as_the_platform_told_it() -> None:
    long_ago = NOW - timedelta(days=9000)
    assert evaluate(rule(), Evidence({"quiz": score("60", graded_at=long_ago)})).met_at == long_ago
