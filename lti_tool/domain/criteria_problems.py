"""What makes a criteria tree unusable, and how large one may be: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from lti_tool.domain.criteria import (
    LEAVES,
    THRESHOLD_PLACES,
    AtLeast,
    Channel,
    Completed,
    Criterion,
    EvidenceAccepted,
    HoldsAchievement,
    Leaf,
    MeanAtLeast,
    MicromodulesCompleted,
    ScoreAtLeast,
    Term,
    Unit,
    Within,
    leaves,
)


class CriteriaProblem(StrEnum):
    """What makes a tree unusable; the form shows one sentence for each."""

    NOTHING_ASKED = "nothing_asked"
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    THRESHOLD_OUT_OF_RANGE = "threshold_out_of_range"
    WEIGHT_OUT_OF_RANGE = "weight_out_of_range"
    LABEL_MISSING = "label_missing"
    KEY_NOT_UNIQUE = "key_not_unique"
    """One key stands for two different things, or twice in one mean."""
    DATES_MISSING = "dates_missing"
    DATES_OUT_OF_ORDER = "dates_out_of_order"
    """It ends before it starts, by itself or together with the dates around it."""
    DATE_WITHOUT_ZONE = "date_without_zone"
    CHECKLIST_TOO_LONG = "checklist_too_long"
    CHECKLIST_INVALID = "checklist_invalid"
    """A line of the checklist is empty, too long, or there twice."""
    TEXT_TOO_LONG = "text_too_long"
    NOTHING_ACCEPTED = "nothing_accepted"
    """Evidence is asked for that may be neither text nor link nor file, or names one of these twice."""
    SET_INVALID = "set_invalid"
    """A set of micromodules that is both a list and a category, or a list that names one twice."""
    TOO_DEEP = "too_deep"
    TOO_MANY = "too_many"


MAXIMUM_DEPTH = 5
MAXIMUM_LEAVES = 50
"""Leaves and terms of means together: each is a column to read or a line to explain."""
MAXIMUM_POINTS = Decimal(100_000)
MAXIMUM_WEIGHT = Decimal(1000)
MAXIMUM_COUNT = 1000
"""Micromodules that may be asked for of a category or an organisation."""
MAXIMUM_CHECKLIST = 20
MAXIMUM_CHECKLIST_LINE = 200
MAXIMUM_INSTRUCTIONS = 2000

_Window = tuple[datetime | None, datetime | None]


def problems(criterion: Criterion) -> tuple[CriteriaProblem, ...]:
    """Everything that keeps ``criterion`` from being saved; empty for a usable tree.

    One key asked for at two thresholds is fine where label and channel agree: it is one column.
    """
    found: dict[CriteriaProblem, None] = {}

    def add(problem: CriteriaProblem, when: bool) -> None:
        if when:
            found[problem] = None

    def walk(node: Criterion, depth: int, window: _Window) -> None:
        add(CriteriaProblem.TOO_DEEP, depth > MAXIMUM_DEPTH)
        if isinstance(node, LEAVES):
            found.update(dict.fromkeys(_problems_of_leaf(node)))
            return
        if isinstance(node, Within):
            found.update(dict.fromkeys(_problems_of_dates(node)))
            if CriteriaProblem.DATE_WITHOUT_ZONE not in found:
                window = _overlap(window, node)
                add(CriteriaProblem.DATES_OUT_OF_ORDER, _is_backwards(window))
        add(CriteriaProblem.NOTHING_ASKED, not node.parts)
        if isinstance(node, AtLeast):
            add(CriteriaProblem.COUNT_OUT_OF_RANGE, not 1 <= node.count <= max(1, len(node.parts)))
        if depth <= MAXIMUM_DEPTH:
            for part in node.parts:
                walk(part, depth + 1, window)

    walk(criterion, 1, (None, None))
    if CriteriaProblem.TOO_DEEP not in found:
        asked = list(leaves(criterion))
        add(CriteriaProblem.TOO_MANY, sum(_size(leaf) for leaf in asked) > MAXIMUM_LEAVES)
        add(CriteriaProblem.KEY_NOT_UNIQUE, _has_ambiguous_key(asked))
    return tuple(found)


def _problems_of_leaf(leaf: Leaf) -> Iterator[CriteriaProblem]:
    if not _is_named(leaf.key, leaf.label):
        yield CriteriaProblem.LABEL_MISSING
    if isinstance(leaf, ScoreAtLeast):
        highest = Decimal(100) if leaf.unit is Unit.PERCENT else MAXIMUM_POINTS
        if not _is_usable(leaf.threshold, highest):
            yield CriteriaProblem.THRESHOLD_OUT_OF_RANGE
    elif isinstance(leaf, MeanAtLeast):
        yield from _problems_of_mean(leaf)
    elif isinstance(leaf, EvidenceAccepted):
        yield from _problems_of_evidence(leaf)
    elif isinstance(leaf, MicromodulesCompleted):
        yield from _problems_of_set(leaf)
    elif isinstance(leaf, Completed | HoldsAchievement):
        subject_id = leaf.micromodule_id if isinstance(leaf, Completed) else leaf.achievement_id
        if not subject_id.strip():
            yield CriteriaProblem.LABEL_MISSING


def _problems_of_set(leaf: MicromodulesCompleted) -> Iterator[CriteriaProblem]:
    highest = len(leaf.micromodule_ids) or MAXIMUM_COUNT
    if leaf.count is not None and not 1 <= leaf.count <= highest:
        yield CriteriaProblem.COUNT_OUT_OF_RANGE
    ids = leaf.micromodule_ids
    is_both = leaf.category_id is not None and bool(ids)
    named = ids if leaf.category_id is None else (leaf.category_id,)
    if is_both or len(set(ids)) < len(ids) or not all(id_.strip() for id_ in named):
        yield CriteriaProblem.SET_INVALID


def _problems_of_mean(leaf: MeanAtLeast) -> Iterator[CriteriaProblem]:
    if not leaf.terms:
        yield CriteriaProblem.NOTHING_ASKED
    if not _is_usable(leaf.threshold, Decimal(100)):
        yield CriteriaProblem.THRESHOLD_OUT_OF_RANGE
    if not all(_is_usable(term.weight, MAXIMUM_WEIGHT) for term in leaf.terms):
        yield CriteriaProblem.WEIGHT_OUT_OF_RANGE
    if not all(_is_named(term.key, term.label) for term in leaf.terms):
        yield CriteriaProblem.LABEL_MISSING
    if len({term.key for term in leaf.terms}) < len(leaf.terms):
        yield CriteriaProblem.KEY_NOT_UNIQUE


def _problems_of_evidence(leaf: EvidenceAccepted) -> Iterator[CriteriaProblem]:
    if len(leaf.checklist) > MAXIMUM_CHECKLIST:
        yield CriteriaProblem.CHECKLIST_TOO_LONG
    if len(set(leaf.checklist)) < len(leaf.checklist) or not all(
        line.strip() and len(line) <= MAXIMUM_CHECKLIST_LINE for line in leaf.checklist
    ):
        yield CriteriaProblem.CHECKLIST_INVALID
    if len(leaf.instructions) > MAXIMUM_INSTRUCTIONS:
        yield CriteriaProblem.TEXT_TOO_LONG
    if not leaf.accepts or len(set(leaf.accepts)) < len(leaf.accepts):
        yield CriteriaProblem.NOTHING_ACCEPTED


def _problems_of_dates(node: Within) -> Iterator[CriteriaProblem]:
    given = [at for at in (node.starts_at, node.ends_at) if at is not None]
    if not given:
        yield CriteriaProblem.DATES_MISSING
    if any(at.utcoffset() is None for at in given):
        yield CriteriaProblem.DATE_WITHOUT_ZONE


def _overlap(window: _Window, node: Within) -> _Window:
    starts = [at for at in (window[0], node.starts_at) if at is not None]
    ends = [at for at in (window[1], node.ends_at) if at is not None]
    return max(starts, default=None), min(ends, default=None)


def _is_backwards(window: _Window) -> bool:
    starts_at, ends_at = window
    return starts_at is not None and ends_at is not None and starts_at > ends_at


def _is_named(key: str, label: str) -> bool:
    return bool(key.strip() and label.strip())


def _is_usable(number: Decimal, highest: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):  # not a number, or infinite
        return False
    return 0 < number <= highest and exponent >= -THRESHOLD_PLACES


def _size(leaf: Leaf) -> int:
    if isinstance(leaf, MeanAtLeast):
        return max(1, len(leaf.terms))
    return max(1, len(leaf.micromodule_ids)) if isinstance(leaf, MicromodulesCompleted) else 1


def _has_ambiguous_key(asked: list[Leaf]) -> bool:
    meanings: dict[str, object] = {}

    def is_other(key: str, meaning: object) -> bool:
        return meanings.setdefault(key, meaning) != meaning

    def of_column(one: ScoreAtLeast | Term) -> tuple[str, str, Channel]:
        return "column", one.label, one.channel

    found = False
    for leaf in asked:
        if isinstance(leaf, ScoreAtLeast):
            found |= is_other(leaf.key, of_column(leaf))
            continue
        if isinstance(leaf, MeanAtLeast):
            for term in leaf.terms:
                found |= is_other(term.key, of_column(term))
            found |= is_other(leaf.key, ("mean", leaf.label, frozenset(leaf.terms)))
            continue
        found |= is_other(leaf.key, leaf)
    return found
