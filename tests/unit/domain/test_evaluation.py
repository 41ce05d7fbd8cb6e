"""Every kind of rule by example: what is known of it, since when, why, and within which dates it counts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Channel,
    Completed,
    Criterion,
    EvidenceAccepted,
    FactLeaf,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    Reason,
    ScoreAsk,
    ScoreAtLeast,
    State,
    Term,
    Unit,
    Within,
    leaves,
    score_asks,
)
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import NOTHING_KNOWN, Detail, Evidence, Fact, Score

MET, NOT_MET, UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN

GATE = GatePassed("gate", "Forum and page")
TALK = Attested("talk", "Gave a talk")
FOLDER = EvidenceAccepted("folder", "Portfolio")
BASICS = Completed("m1", "Basics")
BADGE = HoldsAchievement("a1", "Explorer")
QUIZ = ScoreAtLeast("quiz", "Quiz", Decimal(60))


def march(day: int, month: int = 3) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def score(value: str | None, maximum: str = "100", on: int | None = None, read: int = 28) -> Score:
    return Score(
        None if value is None else Decimal(value),
        Decimal(maximum),
        None if on is None else march(on),
        march(read),
    )


# -- one fact


@pytest.mark.parametrize("leaf", [GATE, TALK, FOLDER, BASICS, BADGE], ids=lambda leaf: type(leaf).__name__)
def test_a_fact_is_met_since_it_holds_and_open_until_it_is_known(leaf: FactLeaf) -> None:
    holds = Fact(True, march(3), march(4), Detail.TOOL)
    met = evaluate(leaf, Evidence(facts={leaf.key: holds}))
    assert (met.state, met.met_at, met.fact, met.as_of()) == (MET, march(3), holds, march(4))
    undated = evaluate(leaf, Evidence(facts={leaf.key: Fact(True)}))
    assert (undated.state, undated.met_at, undated.as_of()) == (MET, None, None)
    fails = evaluate(leaf, Evidence(facts={leaf.key: Fact(False, march(3))}))
    assert (fails.state, fails.met_at) == (NOT_MET, None)
    assert evaluate(leaf, NOTHING_KNOWN).state is UNKNOWN
    assert evaluate(leaf, Evidence({leaf.key: score("100")})).state is UNKNOWN, "a grade is no such fact"


@pytest.mark.parametrize(
    "leaf,fact,reason",
    [
        (GATE, Fact(True, detail=Detail.LAUNCH), Reason.GATE_PASSED),
        (GATE, Fact(False, detail=Detail.ROSTER), Reason.GATE_NOT_PASSED),
        (GATE, None, Reason.GATE_NOT_READ_YET),
        (TALK, Fact(True, detail=Detail.COLUMN), Reason.ATTESTED),
        (TALK, Fact(False), Reason.NOT_ATTESTED),
        (TALK, None, Reason.ATTESTATION_NOT_READ_YET),
        (FOLDER, Fact(True), Reason.EVIDENCE_ACCEPTED),
        (FOLDER, Fact(False, detail=Detail.NOTHING), Reason.EVIDENCE_MISSING),
        (FOLDER, Fact(False, detail="submitted"), Reason.EVIDENCE_SUBMITTED),
        (FOLDER, Fact(False, detail="returned"), Reason.EVIDENCE_RETURNED),
        (FOLDER, Fact(False), Reason.EVIDENCE_MISSING),
        (FOLDER, None, Reason.EVIDENCE_NOT_READ_YET),
        (BASICS, Fact(True), Reason.COMPLETED),
        (BASICS, Fact(False), Reason.NOT_COMPLETED),
        (BASICS, None, Reason.COMPLETION_NOT_READ_YET),
        (BADGE, Fact(True), Reason.ACHIEVEMENT_HELD),
        (BADGE, Fact(False), Reason.ACHIEVEMENT_NOT_HELD),
        (BADGE, None, Reason.ACHIEVEMENT_NOT_READ_YET),
    ],
)
def test_every_fact_has_its_reason(leaf: FactLeaf, fact: Fact | None, reason: Reason) -> None:
    known = Evidence(facts={} if fact is None else {leaf.key: fact})
    assert evaluate(leaf, known).reason is reason


def test_keys_of_other_micromodules_and_badges_tell_them_apart() -> None:
    assert (BASICS.key, BADGE.key) == ("completed:m1", "holds:a1")
    assert Completed("x", "X").key != HoldsAchievement("x", "X").key


def test_facts_of_every_kind_count_together() -> None:
    whole = AllOf((QUIZ, GATE, AtLeast(1, (TALK, FOLDER))))
    known = Evidence(
        {"quiz": score("60", on=2)},
        {"gate": Fact(True, march(5)), "talk": Fact(True, march(4)), "folder": Fact(False)},
    )
    finding = evaluate(whole, known)
    assert (finding.state, finding.met_at) == (MET, march(5))
    assert [leaf.state for leaf in finding.leaves()] == [MET, MET, MET, NOT_MET]
    assert list(leaves(whole)) == [QUIZ, GATE, TALK, FOLDER]


# -- means

WORK = MeanAtLeast(
    "work",
    "Course work",
    (Term("quiz", "Quiz"), Term("essay", "Essay", Decimal(3), Channel.ATTEST)),
    Decimal(60),
)


@pytest.mark.parametrize(
    "quiz,essay,state,mean",
    [
        (score("60"), score("60"), MET, "60"),
        (score("0"), score("80"), MET, "60"),
        (score("100"), score("46.66667"), MET, "60.00000250"),
        (score("100"), score("46.66666"), NOT_MET, "59.99999500"),
        # In points they are 60 of 200: percent of each counts, not points.
        (score("0", "100"), score("8", "10"), MET, "60"),
        (score("1", "3"), score("2", "3"), NOT_MET, "58.33333333"),
        (score("-10"), score("0"), NOT_MET, "-2.50000000"),
        (score("240"), score("0"), MET, "60"),
    ],
)
def test_a_mean_weighs_percents(quiz: Score, essay: Score, state: State, mean: str) -> None:
    finding = evaluate(WORK, Evidence({"quiz": quiz, "essay": essay}))
    assert finding.state is state
    assert finding.mean == Decimal(mean)
    assert finding.reason is (Reason.MEAN_REACHED if state is MET else Reason.MEAN_BELOW)


def test_three_thirds_are_a_whole() -> None:
    terms = tuple(Term(f"q{n}", f"Q{n}", Decimal("0.33333333")) for n in range(3))
    known = Evidence({f"q{n}": score("2", "3") for n in range(3)})
    threshold = Decimal("66.66666666")
    assert evaluate(MeanAtLeast("m", "M", terms, threshold), known).state is MET
    assert evaluate(MeanAtLeast("m", "M", terms, Decimal("66.66666667")), known).state is NOT_MET


@pytest.mark.parametrize(
    "essay,reason",
    [
        (None, Reason.COLUMN_NOT_READ_YET),
        (score(None), Reason.NO_GRADE_YET),
        (score("5", "0"), Reason.MAXIMUM_MISSING),
    ],
)
def test_a_mean_is_open_while_one_grade_is_missing(essay: Score | None, reason: Reason) -> None:
    # Not graded is not zero, and even 1000 % in the quiz does not settle it.
    known = {"quiz": score("1000")} | ({} if essay is None else {"essay": essay})
    finding = evaluate(WORK, Evidence(known))
    assert (finding.state, finding.reason, finding.mean) == (UNKNOWN, Reason.GRADES_MISSING, None)
    assert [(term.state, term.reason) for term in finding.parts] == [
        (MET, Reason.GRADED),
        (UNKNOWN, reason),
    ]
    assert [leaf.criterion for leaf in finding.leaves()] == [WORK]


def test_a_mean_is_dated_by_its_last_grade() -> None:
    known = Evidence({"quiz": score("60", on=9, read=20), "essay": score("60", on=4, read=19)})
    finding = evaluate(WORK, known)
    assert (finding.met_at, finding.happened_at(), finding.as_of()) == (march(9), march(9), march(19))
    undated = evaluate(WORK, Evidence({"quiz": score("60", on=9), "essay": score("60")}))
    assert (undated.state, undated.met_at, undated.happened_at()) == (MET, None, None)


@pytest.mark.parametrize("terms", [(), (Term("quiz", "Quiz", Decimal(0)),)])
def test_a_mean_of_nothing_is_never_met(terms: tuple[Term, ...]) -> None:
    finding = evaluate(MeanAtLeast("m", "M", terms, Decimal(0)), Evidence({"quiz": score("100")}))
    assert (finding.state, finding.reason) == (NOT_MET, Reason.NOTHING_ASKED)


# -- dates

MARCH = (march(1), march(31))


@pytest.mark.parametrize(
    "on,state,reason",
    [
        (march(1), MET, Reason.GATE_PASSED),
        (march(31), MET, Reason.GATE_PASSED),
        (march(28, month=2), NOT_MET, Reason.TOO_EARLY),
        (march(1, month=4), NOT_MET, Reason.TOO_LATE),
        (None, UNKNOWN, Reason.DATE_UNKNOWN),
    ],
)
def test_what_counts_is_when_it_happened(on: datetime | None, state: State, reason: Reason) -> None:
    known = Evidence(facts={"gate": Fact(True, on, march(15))})
    finding = evaluate(Within(GATE, *MARCH), known)
    (leaf,) = finding.leaves()
    assert (finding.state, leaf.state, leaf.reason) == (state, state, reason)
    assert finding.met_at == leaf.met_at == (on if state is MET else None)
    assert leaf.happened_at() == on


@pytest.mark.parametrize(
    "window,read,state",
    [
        ((None, march(31)), march(31), MET),
        ((None, march(31)), march(1, month=4), UNKNOWN),
        ((None, march(31)), None, UNKNOWN),
        ((march(1), None), march(15), UNKNOWN),
        (MARCH, march(15), UNKNOWN),
    ],
)
def test_what_was_read_before_the_end_had_happened_by_then(
    window: tuple[datetime | None, datetime | None], read: datetime | None, state: State
) -> None:
    known = Evidence(facts={"gate": Fact(True, None, read)})
    assert evaluate(Within(GATE, *window), known).state is state


def test_a_mean_without_dates_is_in_time_when_its_last_reading_was() -> None:
    known = Evidence({"quiz": score("60", read=10), "essay": score("60", read=20)})
    assert evaluate(Within(WORK, None, march(20)), known).state is MET
    assert evaluate(Within(WORK, None, march(19)), known).state is UNKNOWN


@pytest.mark.parametrize("value,state", [("59", NOT_MET), (None, UNKNOWN)])
def test_dates_leave_alone_what_is_not_met_anyway(value: str | None, state: State) -> None:
    finding = evaluate(Within(QUIZ, *MARCH), Evidence({"quiz": score(value, on=15)}))
    (leaf,) = finding.leaves()
    assert leaf.state is state
    assert leaf.reason is (Reason.SCORE_BELOW if value else Reason.NO_GRADE_YET)


def test_an_early_success_heard_of_later_spoils_nothing() -> None:
    rule = Within(AnyOf((QUIZ, GATE)), *MARCH)
    known = Evidence({"quiz": score("60", on=15)})
    assert evaluate(rule, known).met_at == march(15)
    more = Evidence(known.scores, {"gate": Fact(True, march(1, month=1))})
    finding = evaluate(rule, more)
    assert (finding.state, finding.met_at) == (MET, march(15))
    assert [leaf.reason for leaf in finding.leaves()] == [Reason.SCORE_REACHED, Reason.TOO_EARLY]


def test_all_of_a_time_means_each_of_it() -> None:
    known = Evidence({"quiz": score("60", on=15)}, {"gate": Fact(True, march(1, month=1))})
    assert evaluate(Within(AllOf((QUIZ, GATE)), *MARCH), known).state is NOT_MET


def test_dates_within_dates_leave_the_time_that_both_have() -> None:
    rule = Within(Within(QUIZ, march(10), march(20)), march(15), march(31))
    for on, reason in (
        (9, Reason.TOO_EARLY),
        (12, Reason.TOO_EARLY),
        (17, Reason.SCORE_REACHED),
        (25, Reason.TOO_LATE),
    ):
        (leaf,) = evaluate(rule, Evidence({"quiz": score("60", on=on)})).leaves()
        assert leaf.reason is reason


# -- what is asked of the gradebook


def test_each_column_is_asked_for_once_as_large_as_any_rule_needs() -> None:
    quiz = ScoreAtLeast("quiz", "Quiz", Decimal(250), Unit.POINTS)
    rule: Criterion = AllOf(
        (WORK, Within(quiz, *MARCH), GATE, TALK, ScoreAtLeast("quiz", "Quiz", Decimal(5)))
    )
    assert score_asks(rule) == (
        ScoreAsk("quiz", "Quiz", Channel.MIRROR, Decimal(250)),
        ScoreAsk("essay", "Essay", Channel.ATTEST, Decimal(100)),
    )
