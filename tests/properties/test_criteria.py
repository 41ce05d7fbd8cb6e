"""Laws of the criteria tree: what no course, grade or order of things may break."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.awarding import Candidate, Exclusion, Verdict, decide_award, is_possible
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Completed,
    Criterion,
    Finding,
    MeanAtLeast,
    MicromodulesCompleted,
    ScoreAtLeast,
    State,
    Term,
    Unit,
    Within,
    leaves,
    score_asks,
)
from lti_tool.domain.criteria_problems import problems
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Counted, Evidence, Fact, Score
from tests.properties.criteria_strategies import (
    FACT_KEYS,
    KEYS,
    NOW,
    SET_KEYS,
    SETS,
    any_criteria,
    evidence,
    means,
    moments,
    more,
    thresholds,
    usable_criteria,
    weights,
)


def reordered(criterion: Criterion, random: st.DataObject) -> Criterion:
    """The same tree with the parts of every combination, and the terms of every mean, in another order."""
    match criterion:
        case Within():
            return replace(criterion, part=reordered(criterion.part, random))
        case MeanAtLeast():
            return replace(
                criterion, terms=tuple(random.draw(st.permutations(list(criterion.terms)), "terms"))
            )
        case AllOf() | AnyOf() | AtLeast():
            parts = [reordered(part, random) for part in criterion.parts]
            return replace(criterion, parts=tuple(random.draw(st.permutations(parts), "order")))
        case _:
            return criterion


@given(usable_criteria)
def test_what_is_not_known_is_never_not_met(criterion: Criterion) -> None:
    assert evaluate(criterion, NOTHING_KNOWN).state is State.UNKNOWN


@given(usable_criteria, evidence)
def test_not_met_needs_a_fact_that_says_so(criterion: Criterion, known: Evidence) -> None:
    finding = evaluate(criterion, known)
    if finding.state is State.NOT_MET:
        against = [leaf for leaf in finding.leaves() if leaf.state is State.NOT_MET]
        assert against
        for leaf in against:
            is_known_set = isinstance(leaf.criterion, MicromodulesCompleted) and leaf.parts
            is_empty_set = leaf.criterion.key in known.counted
            assert leaf.fact is not None or list(leaf.readings()) or is_known_set or is_empty_set


@given(any_criteria, evidence, evidence)
def test_another_fact_settles_what_was_open_and_changes_nothing_that_was_settled(
    criterion: Criterion, known: Evidence, added: Evidence
) -> None:
    before = evaluate(criterion, known).state
    after = evaluate(criterion, more(known, added)).state
    assert before is State.UNKNOWN or after is before


@given(any_criteria, evidence, st.sampled_from(KEYS))
def test_a_grade_taken_back_makes_open_never_not_met(criterion: Criterion, known: Evidence, key: str) -> None:
    ungraded = {k: score._replace(value=None) if k == key else score for k, score in known.scores.items()}
    after = evaluate(criterion, replace(known, scores=ungraded)).state
    assert after is State.UNKNOWN or after is evaluate(criterion, known).state


@given(any_criteria, evidence, st.sampled_from(KEYS + FACT_KEYS + SET_KEYS))
def test_a_channel_that_falls_silent_makes_open_never_not_met(
    criterion: Criterion, known: Evidence, key: str
) -> None:
    less = Evidence(
        {k: score for k, score in known.scores.items() if k != key},
        {k: fact for k, fact in known.facts.items() if k != key},
        {k: counted for k, counted in known.counted.items() if k != key},
    )
    after = evaluate(criterion, less).state
    assert after is State.UNKNOWN or after is evaluate(criterion, known).state


@given(any_criteria, evidence)
def test_who_holds_the_badge_keeps_it_whatever_becomes_known(criterion: Criterion, known: Evidence) -> None:
    decision = decide_award(criterion, Candidate("ada", known, holds=True), NOW)
    assert decision.verdict in (Verdict.HELD, Verdict.REVIEW)
    assert is_possible(decision.verdict, decision.state)


@given(any_criteria, evidence, st.booleans(), st.none() | st.sampled_from(Exclusion), st.booleans())
def test_every_verdict_is_one_that_its_state_leaves(
    criterion: Criterion, known: Evidence, holds: bool, exclusion: Exclusion | None, is_proved: bool
) -> None:
    decision = decide_award(criterion, Candidate("ada", known, holds, exclusion, is_proved), NOW)
    assert is_possible(decision.verdict, decision.state)


@given(any_criteria, evidence, st.data())
def test_order_does_not_matter(criterion: Criterion, known: Evidence, random: st.DataObject) -> None:
    turned = Evidence(
        dict(random.draw(st.permutations(list(known.scores.items())), "scores")),
        dict(random.draw(st.permutations(list(known.facts.items())), "facts")),
        {key: tuple(random.draw(st.permutations(one), "set")) for key, one in known.counted.items()},
    )
    before, after = evaluate(criterion, known), evaluate(reordered(criterion, random), turned)
    assert (after.state, after.reason, after.met_at) == (before.state, before.reason, before.met_at)


@given(any_criteria, evidence)
def test_the_same_facts_give_the_same_finding(criterion: Criterion, known: Evidence) -> None:
    assert evaluate(criterion, known) == evaluate(criterion, known)


@given(evidence, st.integers(-3, 3))
def test_a_combination_of_nothing_is_never_met(known: Evidence, count: int) -> None:
    for empty in (AllOf(()), AnyOf(()), AtLeast(count, ())):
        assert evaluate(empty, known).state is State.NOT_MET


@given(evidence)
def test_a_set_says_what_its_completions_say_one_by_one(known: Evidence) -> None:
    for leaf in SETS:
        counted = known.counted.get(leaf.key)
        finding = evaluate(leaf, known)
        if counted is None:
            assert (finding.state, finding.parts) == (State.UNKNOWN, ())
            continue
        parts = tuple(Completed(one.micromodule_id, one.name) for one in counted)
        one_by_one = evaluate(AtLeast(leaf.needed(len(parts)), parts), known)
        assert (finding.state, finding.met_at) == (one_by_one.state, one_by_one.met_at)
        assert counted or finding.state is State.NOT_MET


@given(st.integers(1, 5), st.lists(moments, min_size=1, max_size=8))
def test_one_completion_more_than_were_asked_for_changes_nothing(count: int, dates: list[datetime]) -> None:
    leaf = MicromodulesCompleted("Everything", count)

    def after(completed: int) -> Finding:
        done = [(Counted(f"m{number}", "One"), at) for number, at in enumerate(sorted(dates)[:completed])]
        facts = {f"completed:{one.micromodule_id}": Fact(holds=True, since=at) for one, at in done}
        return evaluate(leaf, Evidence({}, facts, {leaf.key: tuple(one for one, _at in done)}))

    for completed in range(len(dates) + 1):
        finding = after(completed)
        assert finding.state is (State.MET if completed >= count else State.NOT_MET)
        assert finding.met_at == (sorted(dates)[count - 1] if completed >= count else None)


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
    told |= {fact.since for fact in known.facts.values()}

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


# -- dates


@given(any_criteria, st.none() | moments, st.none() | moments, evidence)
def test_dates_only_take_away(
    criterion: Criterion, starts_at: datetime | None, ends_at: datetime | None, known: Evidence
) -> None:
    without = evaluate(criterion, known).state
    dated = evaluate(Within(criterion, starts_at, ends_at), known).state
    if dated is State.MET:
        assert without is State.MET
    if without is State.NOT_MET:
        assert dated is State.NOT_MET


@given(
    any_criteria, st.none() | moments, st.none() | moments, evidence, st.timedeltas(min_value=timedelta(0))
)
def test_a_longer_time_takes_nothing_away(
    criterion: Criterion,
    starts_at: datetime | None,
    ends_at: datetime | None,
    known: Evidence,
    longer: timedelta,
) -> None:
    longer = min(longer, timedelta(days=1000))
    if evaluate(Within(criterion, starts_at, ends_at), known).state is not State.MET:
        return
    for wider in (
        Within(criterion, starts_at and starts_at - longer, ends_at and ends_at + longer),
        Within(criterion, None, ends_at),
        Within(criterion, starts_at, ends_at and ends_at + longer),
    ):
        assert evaluate(wider, known).state is State.MET


@given(any_criteria, moments, moments, evidence)
def test_every_date_below_lies_within(
    criterion: Criterion, starts_at: datetime, ends_at: datetime, known: Evidence
) -> None:
    finding = evaluate(Within(criterion, starts_at, ends_at), known)
    for leaf in finding.leaves():
        if leaf.state is State.MET:
            assert leaf.met_at is not None
            assert starts_at <= leaf.met_at <= ends_at
    if finding.state is State.MET:
        assert finding.met_at is not None
        assert starts_at <= finding.met_at <= ends_at


@given(any_criteria, evidence)
def test_dates_without_an_end_and_a_beginning_change_nothing(criterion: Criterion, known: Evidence) -> None:
    before, after = evaluate(criterion, known), evaluate(Within(criterion), known)
    assert (after.state, after.met_at) == (before.state, before.met_at)


# -- means

wide_grades = st.decimals(min_value=-(10**11), max_value=10**11, places=8, allow_nan=False)
maxima = st.decimals(min_value="0.00000001", max_value=10**11, places=8, allow_nan=False)


@given(
    st.lists(st.tuples(weights, wide_grades, maxima), min_size=1, max_size=50),
    thresholds,
    st.integers(1, 60),
)
def test_a_mean_is_compared_exactly_whatever_the_precision_of_the_process(
    graded: list[tuple[Decimal, Decimal, Decimal]], threshold: Decimal, precision: int
) -> None:
    terms = tuple(Term(f"q{n}", f"Q{n}", weight) for n, (weight, _, _) in enumerate(graded))
    known = {f"q{n}": Score(value, maximum, None, NOW) for n, (_, value, maximum) in enumerate(graded)}
    with localcontext(prec=precision):
        finding = evaluate(MeanAtLeast("mean", "Mean", terms, threshold), Evidence(known))
    summed = sum(Fraction(w) * Fraction(v) * 100 / Fraction(m) for w, v, m in graded)
    mean = summed / sum(Fraction(w) for w, _, _ in graded)
    assert finding.state is (State.MET if mean >= Fraction(threshold) else State.NOT_MET)
    assert finding.mean is not None
    assert abs(Fraction(finding.mean) - mean) < Fraction(1, 10**8)
    assert (finding.mean >= threshold) is (finding.state is State.MET)


@given(thresholds, weights, evidence)
def test_a_mean_of_one_is_that_score(threshold: Decimal, weight: Decimal, known: Evidence) -> None:
    mean = evaluate(MeanAtLeast("m", "M", (Term("quiz-1", "Quiz 1", weight),), threshold), known)
    alone = evaluate(ScoreAtLeast("quiz-1", "Quiz 1", threshold), known)
    assert (mean.state, mean.met_at) == (alone.state, alone.met_at)


@given(means(), st.integers(1, 1000), evidence)
def test_only_the_proportion_of_weights_counts(rule: MeanAtLeast, factor: int, known: Evidence) -> None:
    heavier = replace(rule, terms=tuple(replace(term, weight=term.weight * factor) for term in rule.terms))
    before, after = evaluate(rule, known), evaluate(heavier, known)
    assert (after.state, after.mean) == (before.state, before.mean)


# -- what is asked


@given(any_criteria)
def test_every_column_is_asked_for_once_and_large_enough(criterion: Criterion) -> None:
    asks = score_asks(criterion)
    assert len({ask.key for ask in asks}) == len(asks)
    maximum = {ask.key: ask.maximum for ask in asks}
    needed = set()
    for leaf in leaves(criterion):
        if isinstance(leaf, ScoreAtLeast):
            needed.add(leaf.key)
            assert maximum[leaf.key] >= (leaf.threshold if leaf.unit is Unit.POINTS else 100)
        elif isinstance(leaf, MeanAtLeast):
            needed |= {term.key for term in leaf.terms}
    assert set(maximum) == needed


@given(any_criteria, st.data())
def test_what_is_wrong_with_a_tree_does_not_depend_on_its_order(
    criterion: Criterion, random: st.DataObject
) -> None:
    assert set(problems(reordered(criterion, random))) == set(problems(criterion))
