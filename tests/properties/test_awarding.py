"""Laws of awarding: nothing is ever taken away, and nobody is awarded who may not be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.awarding import Candidate, Exclusion, Verdict, decide_award, decide_awards
from lti_tool.domain.criteria import AllOf, AnyOf, Criterion, State
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from tests.properties.criteria_strategies import NOW, any_criteria, evidence, more

LEARNERS = ("ada", "ben", "cleo")
learners = st.sampled_from(LEARNERS)
facts = st.dictionaries(learners, evidence)
holders = st.frozensets(learners)
exclusions = st.dictionaries(learners, st.sampled_from(Exclusion))
unproved = st.frozensets(learners)


@given(any_criteria, facts, holders, exclusions)
def test_who_holds_it_keeps_it_whatever_the_facts_say(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
) -> None:
    decided = {
        decision.learner_id: decision for decision in decide_awards(criterion, known, held, NOW, excluded)
    }
    for learner in held:
        assert decided[learner].verdict in (Verdict.HELD, Verdict.REVIEW)
        assert (decided[learner].verdict is Verdict.REVIEW) is (decided[learner].state is State.NOT_MET)


@given(any_criteria, facts, holders, exclusions)
def test_who_is_excluded_is_never_awarded(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
) -> None:
    for decision in decide_awards(criterion, known, held, NOW, excluded):
        if decision.verdict is Verdict.AWARD:
            assert decision.learner_id not in excluded
            assert decision.learner_id not in held
            assert decision.state is State.MET


@given(any_criteria, facts, holders, exclusions)
def test_everybody_named_gets_one_decision_in_order(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
) -> None:
    decided = [decision.learner_id for decision in decide_awards(criterion, known, held, NOW, excluded)]
    assert decided == sorted({*known, *held})


@given(any_criteria, facts, holders, exclusions, st.permutations(LEARNERS))
def test_the_order_of_learners_is_irrelevant(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
    order: list[str],
) -> None:
    turned = {learner: known[learner] for learner in order if learner in known}
    assert decide_awards(criterion, turned, list(held), NOW, excluded) == decide_awards(
        criterion, known, held, NOW, excluded
    )


@given(any_criteria, facts, holders, exclusions)
def test_deciding_again_after_the_awards_awards_nobody_again(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: frozenset[str],
    excluded: Mapping[str, Exclusion],
) -> None:
    first = decide_awards(criterion, known, held, NOW, excluded)
    awarded = {decision.learner_id for decision in first if decision.verdict is Verdict.AWARD}
    second = decide_awards(criterion, known, held | awarded, NOW, excluded)
    assert all(decision.verdict is not Verdict.AWARD for decision in second)
    assert [decision.finding for decision in second] == [decision.finding for decision in first]


@given(any_criteria, evidence, evidence)
def test_an_award_that_was_due_stays_due_when_more_is_learnt(
    criterion: Criterion, known: Evidence, added: Evidence
) -> None:
    before = decide_award(criterion, Candidate("ada", known), NOW)
    after = decide_award(criterion, Candidate("ada", more(known, added)), NOW)
    if before.verdict is Verdict.AWARD:
        assert after.verdict is Verdict.AWARD


@given(any_criteria, evidence, st.booleans(), st.timedeltas(timedelta(days=-500), timedelta(days=500)))
def test_a_badge_is_never_dated_into_the_future(
    criterion: Criterion, known: Evidence, holds: bool, gap: timedelta
) -> None:
    now: datetime = NOW + gap
    decision = decide_award(criterion, Candidate("ada", known, holds), now)
    assert (decision.met_at is not None) is (decision.state is State.MET)
    if decision.met_at is not None:
        assert decision.met_at <= now
        told = evaluate(criterion, known).met_at
        assert decision.met_at == (now if told is None else min(told, now))


@given(any_criteria, facts, holders, exclusions, unproved)
def test_a_missing_proof_turns_award_into_unproved_and_nothing_else(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
    doubted: Collection[str],
) -> None:
    proved = decide_awards(criterion, known, held, NOW, excluded)
    told = decide_awards(criterion, known, held, NOW, excluded, doubted)
    for would_be, decision in zip(proved, told, strict=True):
        is_doubted_award = would_be.verdict is Verdict.AWARD and decision.learner_id in doubted
        assert decision == (would_be._replace(verdict=Verdict.UNPROVED) if is_doubted_award else would_be)


@given(any_criteria, facts, holders, exclusions, unproved, learners)
def test_a_proof_that_arrives_never_costs_anybody_anything(
    criterion: Criterion,
    known: Mapping[str, Evidence],
    held: Collection[str],
    excluded: Mapping[str, Exclusion],
    doubted: frozenset[str],
    proved: str,
) -> None:
    before = decide_awards(criterion, known, held, NOW, excluded, doubted | {proved})
    after = decide_awards(criterion, known, held, NOW, excluded, doubted - {proved})
    for old, new in zip(before, after, strict=True):
        expected = Verdict.AWARD if old.verdict is Verdict.UNPROVED else old.verdict
        assert new.verdict is (expected if new.learner_id == proved else old.verdict)


@given(facts, holders)
def test_nobody_is_awarded_for_nothing(known: Mapping[str, Evidence], held: Collection[str]) -> None:
    for empty in (AllOf(()), AnyOf(())):
        for decision in decide_awards(empty, known, held, NOW):
            assert decision.verdict is not Verdict.AWARD
