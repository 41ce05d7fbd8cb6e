"""The criteria tree: pure, three-valued, and able to explain itself.

A criterion is *met*, *not met* or *not known yet* (Kleene's strong logic). A missing fact gives "not
known yet", never "not met"; a tree with nothing in it is never met.

Scores are compared exactly: ``value * 100 >= threshold * maximum`` in :class:`~decimal.Decimal`, so that
"60 percent" of 100 points is 60 and no rounding of a quotient decides over a badge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import NamedTuple

from lti_tool.domain.evidence import Evidence, Score

_HUNDRED = Decimal(100)
_multiply = Context(prec=100).multiply
"""Products of grades and thresholds, unrounded, whatever precision the process has been set to."""


class State(StrEnum):
    """What is known about one criterion for one learner."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Unit(StrEnum):
    """What the threshold of a score counts."""

    PERCENT = "percent"
    POINTS = "points"


class Purpose(StrEnum):
    """Whether an assessment accompanies learning or closes it."""

    FORMATIVE = "formative"
    SUMMATIVE = "summative"


class Channel(StrEnum):
    """How the score reaches the tool; the values are the ``tag`` of the column.

    See docs/reference/evidence-columns.md.
    """

    MIRROR = "mirror"
    ATTEST = "attest"


@dataclass(frozen=True, slots=True)
class ScoreAtLeast:
    """A score of at least ``threshold`` in the evidence column ``key``."""

    key: str
    """The evidence key, unique within the micromodule version: which column of the course is meant."""
    label: str
    """What people call the assessment, as the instructor typed it ("Quiz 1")."""
    threshold: Decimal
    unit: Unit = Unit.PERCENT
    channel: Channel = Channel.MIRROR
    purpose: Purpose = Purpose.SUMMATIVE


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part is met."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part or more is met."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """``count`` parts or more are met."""

    count: int
    parts: tuple[Criterion, ...]


Criterion = ScoreAtLeast | AllOf | AnyOf | AtLeast


class Reason(StrEnum):
    """Why a criterion has its state; the page has one sentence for each."""

    SCORE_REACHED = "score_reached"
    SCORE_BELOW = "score_below"
    NO_GRADE_YET = "no_grade_yet"
    COLUMN_NOT_READ_YET = "column_not_read_yet"
    MAXIMUM_MISSING = "maximum_missing"
    PARTS_MET = "parts_met"
    PARTS_MISSING = "parts_missing"
    PARTS_UNKNOWN = "parts_unknown"
    NOTHING_ASKED = "nothing_asked"


class Finding(NamedTuple):
    """One criterion's state for one learner, with the reason and the facts behind it.

    A tuple rather than a dataclass: a university's course makes a million of these in one pass, and a tuple
    is made several times faster.
    """

    criterion: Criterion
    state: State
    reason: Reason
    met_at: datetime | None = None
    """When it was first met as far as the platform tells; only where ``state`` is met."""
    score: Score | None = None
    parts: tuple[Finding, ...] = ()

    def leaves(self) -> Iterator[Finding]:
        """Every finding that is not a combination, from left to right."""
        if isinstance(self.criterion, ScoreAtLeast):
            yield self
        for part in self.parts:
            yield from part.leaves()


_MET, _NOT_MET, _UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN
_REACHED, _BELOW = Reason.SCORE_REACHED, Reason.SCORE_BELOW
_POINTS = Unit.POINTS
# Looking a member up in its Enum runs Python code (3.11), and so does calling a NamedTuple.
_tuple = tuple.__new__


def evaluate(criterion: Criterion, evidence: Evidence) -> Finding:
    """Say how ``criterion`` stands for the learner whose facts are ``evidence``."""
    return _evaluate(criterion, evidence.scores)


def _evaluate(criterion: Criterion, scores: Mapping[str, Score]) -> Finding:
    if isinstance(criterion, ScoreAtLeast):
        return _evaluate_score(criterion, scores.get(criterion.key))
    findings = tuple([_evaluate(part, scores) for part in criterion.parts])
    if not findings:
        return Finding(criterion, _NOT_MET, Reason.NOTHING_ASKED)
    states = [finding[1] for finding in findings]
    needed = parts_needed(criterion)
    met = states.count(_MET)
    if met >= needed:
        return Finding(criterion, _MET, Reason.PARTS_MET, _met_at(findings, needed), None, findings)
    if met + states.count(_UNKNOWN) >= needed:
        return Finding(criterion, _UNKNOWN, Reason.PARTS_UNKNOWN, None, None, findings)
    return Finding(criterion, _NOT_MET, Reason.PARTS_MISSING, None, None, findings)


def parts_needed(criterion: AllOf | AnyOf | AtLeast) -> int:
    """How many parts have to be met; never none, so that nothing is met by asking nothing."""
    if isinstance(criterion, AllOf):
        return max(1, len(criterion.parts))
    if isinstance(criterion, AnyOf):
        return 1
    return max(1, criterion.count)


def _met_at(findings: tuple[Finding, ...], needed: int) -> datetime | None:
    """The moment at which the ``needed``-th part was met, if the platform dated that many of them."""
    dated = sorted(
        [finding.met_at for finding in findings if finding.state is _MET and finding.met_at is not None]
    )
    return dated[needed - 1] if len(dated) >= needed else None


def _evaluate_score(criterion: ScoreAtLeast, score: Score | None) -> Finding:
    if score is None:
        return Finding(criterion, _UNKNOWN, Reason.COLUMN_NOT_READ_YET)
    value, maximum, graded_at, _ = score
    if value is None:
        return Finding(criterion, _UNKNOWN, Reason.NO_GRADE_YET, None, score)
    if criterion.unit is _POINTS:
        reached = value >= criterion.threshold
    elif maximum <= 0:
        return Finding(criterion, _UNKNOWN, Reason.MAXIMUM_MISSING, None, score)
    else:
        reached = _multiply(value, _HUNDRED) >= _multiply(criterion.threshold, maximum)
    if reached:
        return _tuple(Finding, (criterion, _MET, _REACHED, graded_at, score, ()))
    return _tuple(Finding, (criterion, _NOT_MET, _BELOW, None, score, ()))


def leaves(criterion: Criterion) -> Iterator[ScoreAtLeast]:
    """Every criterion that asks for a fact, from left to right."""
    if isinstance(criterion, ScoreAtLeast):
        yield criterion
        return
    for part in criterion.parts:
        yield from leaves(part)


class CriteriaProblem(StrEnum):
    """What makes a tree unusable; the form shows one sentence for each."""

    NOTHING_ASKED = "nothing_asked"
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    THRESHOLD_OUT_OF_RANGE = "threshold_out_of_range"
    LABEL_MISSING = "label_missing"
    KEY_NOT_UNIQUE = "key_not_unique"
    TOO_DEEP = "too_deep"
    TOO_MANY = "too_many"


MAXIMUM_DEPTH = 5
MAXIMUM_LEAVES = 50
MAXIMUM_POINTS = Decimal(100_000)
THRESHOLD_PLACES = 8
"""As many decimals as a stored grade has; "1e-999999999" would be a gigabyte of zeros once written out."""


def problems(criterion: Criterion) -> tuple[CriteriaProblem, ...]:
    """Everything that keeps ``criterion`` from being saved; empty for a usable tree.

    One key asked for at two thresholds is fine where label and channel agree: it is one column.
    """
    found: list[CriteriaProblem] = []

    def add(problem: CriteriaProblem, when: bool) -> None:
        if when and problem not in found:
            found.append(problem)

    def walk(node: Criterion, depth: int) -> None:
        add(CriteriaProblem.TOO_DEEP, depth > MAXIMUM_DEPTH)
        if isinstance(node, ScoreAtLeast):
            add(CriteriaProblem.THRESHOLD_OUT_OF_RANGE, not _is_usable_threshold(node))
            add(CriteriaProblem.LABEL_MISSING, not node.label.strip() or not node.key.strip())
            return
        add(CriteriaProblem.NOTHING_ASKED, not node.parts)
        if isinstance(node, AtLeast):
            add(CriteriaProblem.COUNT_OUT_OF_RANGE, not 1 <= node.count <= max(1, len(node.parts)))
        if depth <= MAXIMUM_DEPTH:
            for part in node.parts:
                walk(part, depth + 1)

    walk(criterion, 1)
    if CriteriaProblem.TOO_DEEP not in found:
        columns: dict[str, tuple[str, Channel]] = {}
        asked = list(leaves(criterion))
        add(CriteriaProblem.TOO_MANY, len(asked) > MAXIMUM_LEAVES)
        for leaf in asked:
            column = (leaf.label, leaf.channel)
            add(CriteriaProblem.KEY_NOT_UNIQUE, columns.setdefault(leaf.key, column) != column)
    return tuple(found)


def _is_usable_threshold(leaf: ScoreAtLeast) -> bool:
    exponent = leaf.threshold.as_tuple().exponent
    if not isinstance(exponent, int):  # not a number, or infinite
        return False
    highest = 100 if leaf.unit is Unit.PERCENT else MAXIMUM_POINTS
    return 0 < leaf.threshold <= highest and exponent >= -THRESHOLD_PLACES
