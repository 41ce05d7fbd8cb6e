"""Trees that must not be saved: rules of every kind, dates, keys and sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Attested,
    Channel,
    Completed,
    Criterion,
    EvidenceAccepted,
    EvidenceKind,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    MicromodulesCompleted,
    ScoreAtLeast,
    Term,
    Within,
)
from lti_tool.domain.criteria_problems import CriteriaProblem, problems

P = CriteriaProblem
DAY = datetime(2026, 3, 1, tzinfo=UTC)
LATER = DAY + timedelta(days=30)
GATE = GatePassed("gate", "Gate")
QUIZ = ScoreAtLeast("quiz", "Quiz", Decimal(60))


def mean(*terms: Term, threshold: str = "60", key: str = "mean", label: str = "Mean") -> MeanAtLeast:
    return MeanAtLeast(key, label, terms, Decimal(threshold))


def term(
    key: str = "quiz", weight: str = "1", label: str = "Quiz", channel: Channel = Channel.MIRROR
) -> Term:
    return Term(key, label, Decimal(weight), channel)


def folder(**changes: object) -> EvidenceAccepted:
    return EvidenceAccepted("folder", "Portfolio", **changes)  # type: ignore[arg-type]


def columns(number: int) -> MeanAtLeast:
    return mean(*(term(f"q{n}", label=f"Q{n}") for n in range(number)))


@pytest.mark.parametrize(
    "criterion,expected",
    [
        (GATE, set()),
        (GatePassed(" ", "Gate"), {P.LABEL_MISSING}),
        (Attested("talk", ""), {P.LABEL_MISSING}),
        (Completed("", "Basics"), {P.LABEL_MISSING}),
        (Completed("m1", " "), {P.LABEL_MISSING}),
        (HoldsAchievement(" ", "Explorer"), {P.LABEL_MISSING}),
        # -- sets of micromodules
        (MicromodulesCompleted("University", 5), set()),
        (MicromodulesCompleted("University"), set()),
        (MicromodulesCompleted(" ", 5), {P.LABEL_MISSING}),
        (MicromodulesCompleted("University", 0), {P.COUNT_OUT_OF_RANGE}),
        (MicromodulesCompleted("University", 1001), {P.COUNT_OUT_OF_RANGE}),
        (MicromodulesCompleted("Two", 3, ("m1", "m2")), {P.COUNT_OUT_OF_RANGE}),
        (MicromodulesCompleted("Data", category_id="c1"), set()),
        (MicromodulesCompleted("Data", category_id=" "), {P.SET_INVALID}),
        (MicromodulesCompleted("Data", None, ("m1",), "c1"), {P.SET_INVALID}),
        (MicromodulesCompleted("Two", None, ("m1", "m1")), {P.SET_INVALID}),
        (MicromodulesCompleted("Two", None, ("m1", "")), {P.SET_INVALID}),
        (MicromodulesCompleted("Many", None, tuple(f"m{n}" for n in range(51))), {P.TOO_MANY}),
        # -- means
        (mean(term(), term("essay", "2.5", "Essay")), set()),
        (mean(), {P.NOTHING_ASKED}),
        (mean(term(weight="0")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(weight="-1")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(weight="1000")), set()),
        (mean(term(weight="1000.1")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(weight="0.000000001")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(weight="NaN")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(weight="Infinity")), {P.WEIGHT_OUT_OF_RANGE}),
        (mean(term(), threshold="0"), {P.THRESHOLD_OUT_OF_RANGE}),
        (mean(term(), threshold="100.1"), {P.THRESHOLD_OUT_OF_RANGE}),
        (mean(term(), threshold="sNaN"), {P.THRESHOLD_OUT_OF_RANGE}),
        (mean(term(label=" ")), {P.LABEL_MISSING}),
        (mean(term(key="")), {P.LABEL_MISSING}),
        (mean(term(), term()), {P.KEY_NOT_UNIQUE}),
        # -- evidence
        (folder(checklist=tuple(f"line {n}" for n in range(20))), set()),
        (folder(checklist=tuple(f"line {n}" for n in range(21))), {P.CHECKLIST_TOO_LONG}),
        (folder(checklist=("l" * 200,)), set()),
        (folder(checklist=("l" * 201,)), {P.CHECKLIST_INVALID}),
        (folder(checklist=("one", "one")), {P.CHECKLIST_INVALID}),
        (folder(checklist=("one", " ")), {P.CHECKLIST_INVALID}),
        (folder(instructions="i" * 2000), set()),
        (folder(instructions="i" * 2001), {P.TEXT_TOO_LONG}),
        (folder(accepts=()), {P.NOTHING_ACCEPTED}),
        (folder(accepts=(EvidenceKind.LINK, EvidenceKind.LINK)), {P.NOTHING_ACCEPTED}),
        # -- dates
        (Within(GATE, DAY, DAY), set()),
        (Within(GATE, DAY), set()),
        (Within(GATE), {P.DATES_MISSING}),
        (Within(GATE, LATER, DAY), {P.DATES_OUT_OF_ORDER}),
        (Within(GATE, DAY.replace(tzinfo=None), LATER), {P.DATE_WITHOUT_ZONE}),
        (Within(GATE, None, LATER.replace(tzinfo=None)), {P.DATE_WITHOUT_ZONE}),
        (Within(AllOf((GATE, Within(QUIZ, LATER))), None, DAY), {P.DATES_OUT_OF_ORDER}),
        (AllOf((Within(GATE, LATER), Within(QUIZ, None, DAY))), set()),
        (Within(AllOf(()), DAY, LATER), {P.NOTHING_ASKED}),
        # -- one key, one thing
        (AllOf((QUIZ, mean(term()))), set()),
        (AllOf((QUIZ, mean(term(label="Other")))), {P.KEY_NOT_UNIQUE}),
        (AllOf((QUIZ, mean(term(channel=Channel.ATTEST)))), {P.KEY_NOT_UNIQUE}),
        (AllOf((mean(term(), threshold="50"), mean(term(), threshold="80"))), set()),
        (AllOf((mean(term()), mean(term(weight="2")))), {P.KEY_NOT_UNIQUE}),
        (mean(term(key="mean")), {P.KEY_NOT_UNIQUE}),
        (AllOf((GATE, GATE)), set()),
        (AllOf((GATE, GatePassed("gate", "Other"))), {P.KEY_NOT_UNIQUE}),
        (AllOf((GATE, Attested("gate", "Gate"))), {P.KEY_NOT_UNIQUE}),
        (AllOf((GATE, ScoreAtLeast("gate", "Gate", Decimal(1)))), {P.KEY_NOT_UNIQUE}),
        (AllOf((folder(), folder(instructions="Other"))), {P.KEY_NOT_UNIQUE}),
        (AllOf((GatePassed("completed:m1", "Basics"), Completed("m1", "Basics"))), {P.KEY_NOT_UNIQUE}),
        (AllOf((Completed("m1", "Basics"), HoldsAchievement("m1", "Basics"))), set()),
        # -- sizes
        (columns(50), set()),
        (columns(51), {P.TOO_MANY}),
        (AllOf((columns(50), GATE)), {P.TOO_MANY}),
        (AnyOf((GATE,) * 51), {P.TOO_MANY}),
        (AllOf((AllOf((AllOf((Within(GATE, DAY),)),)),)), set()),
        (AllOf((AllOf((AllOf((AllOf((Within(GATE, DAY),)),)),)),)), {P.TOO_DEEP}),
    ],
)
def test_what_keeps_a_tree_from_being_saved(criterion: Criterion, expected: set[P]) -> None:
    found = problems(criterion)
    assert set(found) == expected
    assert len(found) == len(expected)
