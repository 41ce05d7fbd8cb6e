"""Laws of the criteria tree: what no course, grade or order of things may break."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Criterion,
    Finding,
    Reason,
    ScoreAtLeast,
    State,
    Unit,
    leaves,
)
from lti_tool.domain.criteria_problems import problems
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Evidence, Score
from tests.properties.criteria_strategies import (
    KEYS,
    NOW,
    any_criteria,
    evidence,
    more,
    scores,
    usable_criteria,
)


def reordered(criterion: Criterion, random: st.DataObject) -> Criterion:
    """The same tree with the parts of every combination in another order."""
    if isinstance(criterion, ScoreAtLeast):
        return criterion
    parts = tuple(
        random.draw(st.permutations([reordered(part, random) for part in criterion.parts]), "order")
    )
    return replace(criterion, parts=parts)


@given(usable_criteria)
def test_what_is_not_known_is_never_not_met(criterion: Criterion) -> None:
    assert evaluate(criterion, NOTHING_KNOWN).state is State.UNKNOWN


@given(usable_criteria, evidence)
def test_not_met_needs_a_grade_that_was_too_low(criterion: Criterion, known: Evidence) -> None:
    finding = evaluate(criterion, known)
    if finding.state is State.NOT_MET:
        assert any(leaf.reason is Reason.SCORE_BELOW for leaf in finding.leaves())


@given(any_criteria, evidence, st.dictionaries(st.sampled_from(KEYS), scores))
def test_another_fact_settles_what_was_open_and_changes_nothing_that_was_settled(
    criterion: Criterion, known: Evidence, added: dict[str, Score]
) -> None:
    before = evaluate(criterion, known).state
    after = evaluate(criterion, more(known, added)).state
    assert before is State.UNKNOWN or after is before


@given(any_criteria, evidence, st.sampled_from(KEYS))
def test_a_grade_taken_back_makes_open_never_not_met(criterion: Criterion, known: Evidence, key: str) -> None:
    ungraded = {k: score._replace(value=None) if k == key else score for k, score in known.scores.items()}
    before, after = evaluate(criterion, known).state, evaluate(criterion, Evidence(ungraded)).state
    assert after is State.UNKNOWN or after is before


@given(any_criteria, evidence, st.data())
def test_order_does_not_matter(criterion: Criterion, known: Evidence, random: st.DataObject) -> None:
    turned = Evidence(dict(random.draw(st.permutations(list(known.scores.items())), "facts")))
    before, after = evaluate(criterion, known), evaluate(reordered(criterion, random), turned)
    assert (after.state, after.reason, after.met_at) == (before.state, before.reason, before.met_at)


@given(any_criteria, evidence)
def test_the_same_facts_give_the_same_finding(criterion: Criterion, known: Evidence) -> None:
    assert evaluate(criterion, known) == evaluate(criterion, known)


@given(evidence, st.integers(-3, 3))
def test_a_combination_of_nothing_is_never_met(known: Evidence, count: int) -> None:
    for empty in (AllOf(()), AnyOf(()), AtLeast(count, ())):
        assert evaluate(empty, known).state is State.NOT_MET


@given(usable_criteria, evidence)
def test_all_any_and_one_of_one_agree(criterion: Criterion, known: Evidence) -> None:
    alone = evaluate(criterion, known)
    for wrapped in (AllOf((criterion,)), AnyOf((criterion,)), AtLeast(1, (criterion,))):
        finding = evaluate(wrapped, known)
        assert (finding.state, finding.met_at) == (alone.state, alone.met_at)


@given(st.lists(usable_criteria, min_size=1, max_size=4).map(tuple), evidence)
def test_at_least_spans_from_any_to_all(parts: tuple[Criterion, ...], known: Evidence) -> None:
    for count, same in ((1, AnyOf(parts)), (len(parts), AllOf(parts))):
        counted, named = evaluate(AtLeast(count, parts), known), evaluate(same, known)
        assert (counted.state, counted.met_at) == (named.state, named.met_at)


@given(any_criteria, evidence)
def test_a_date_is_told_only_of_what_is_met_and_is_one_that_the_platform_told(
    criterion: Criterion, known: Evidence
) -> None:
    told = {score.graded_at for score in known.scores.values()}

    def look(finding: Finding) -> None:
        assert finding.met_at is None or (finding.state is State.MET and finding.met_at in told)
        for part in finding.parts:
            look(part)

    look(evaluate(criterion, known))


@given(any_criteria, evidence)
def test_a_finding_explains_every_rule(criterion: Criterion, known: Evidence) -> None:
    assert [leaf.criterion for leaf in evaluate(criterion, known).leaves()] == list(leaves(criterion))


grades = st.decimals(min_value=0, max_value=10**11, places=8, allow_nan=False)


@given(
    grades,
    grades,
    st.decimals(min_value="0.00000001", max_value=100, places=8, allow_nan=False),
    st.integers(1, 60),
)
def test_percent_is_compared_exactly_whatever_the_precision_of_the_process(
    value: Decimal, maximum: Decimal, threshold: Decimal, precision: int
) -> None:
    rule = ScoreAtLeast("quiz-1", "Quiz 1", threshold)
    with localcontext(prec=precision):
        state = evaluate(rule, Evidence({"quiz-1": Score(value, maximum, None, NOW)})).state
    if maximum == 0:
        assert state is State.UNKNOWN
    else:
        reached = Fraction(value) * 100 >= Fraction(threshold) * Fraction(maximum)
        assert state is (State.MET if reached else State.NOT_MET)


@given(grades, st.decimals(min_value="0.00000001", max_value=100_000, places=8, allow_nan=False))
def test_points_are_compared_as_they_are(value: Decimal, threshold: Decimal) -> None:
    rule = ScoreAtLeast("quiz-1", "Quiz 1", threshold, Unit.POINTS)
    state = evaluate(rule, Evidence({"quiz-1": Score(value, Decimal(0), None, NOW)})).state
    assert state is (State.MET if value >= threshold else State.NOT_MET)


@given(usable_criteria)
def test_a_tree_that_can_be_used_has_no_problems(criterion: Criterion) -> None:
    assert problems(criterion) == ()


@given(st.decimals(), st.sampled_from(Unit))
def test_any_decimal_at_all_can_be_judged_as_a_threshold(threshold: Decimal, unit: Unit) -> None:
    rule = ScoreAtLeast("quiz-1", "Quiz 1", threshold, unit)
    if not problems(rule):
        assert 0 < threshold <= 100_000
        assert len(format(threshold, "f")) <= 20
