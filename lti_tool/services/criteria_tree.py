"""What rows and groups ask for, as the domain's tree, and the way back.

A tree becomes rows only where rows say exactly the same; everything else is refused, never simplified.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time

from lti_tool.domain import criteria as domain
from lti_tool.services.criteria_rows import (
    GROUPS,
    LAST_SECOND,
    Combination,
    CriteriaRow,
    RowKind,
    Rules,
    ancestors,
    one_line,
    parse_moment,
    parse_number,
    plain,
    read_rows,
    terms_of,
    write_rows,
)

_KEY_LENGTH = 64


class CriteriaNotShown(ValueError):
    """Rows and groups cannot say what a tree says; nothing of it is taken over."""


def to_criterion(rules: Rules) -> domain.Criterion:
    """What rows without problems ask for. A group stands where its first row stands.

    :raises ValueError: for rows with problems.
    """
    labels = labels_of(rules)
    children: dict[str, list[domain.Criterion | str]] = {"": []}
    for _number, row in rules.counted:
        path = [row.group, *ancestors(rules.groups, row.group)] if row.group else []
        outer = ""
        for letter in reversed(path):
            if letter not in children:
                children[letter] = []
                children[outer].append(letter)
            outer = letter
        children[row.group].append(_dated(leaf_of(row, labels), row.after, row.before))

    def assembled(letter: str, combination: Combination) -> domain.Criterion:
        parts = tuple(
            assembled(child, _group(rules, child)) if isinstance(child, str) else child
            for child in children[letter]
        )
        return _dated(_combined(combination, parts), combination.after, combination.before)

    return assembled("", rules.combination)


def _group(rules: Rules, letter: str) -> Combination:
    if letter not in rules.groups or letter in ancestors(rules.groups, letter):
        raise ValueError(f"group {letter} is unknown, or stands in itself")
    return rules.groups[letter]


def labels_of(rules: Rules) -> dict[str, str]:
    """How each evidence key is called: rows that name one thing differently ("Quiz 1", "quiz 1") share the
    first label.
    """
    labels: dict[str, str] = {}
    for _number, row in rules.counted:
        # What is chosen from a list is called as it is there; until then its id stands for it.
        labels.setdefault(key_of(row), one_line(row.label) or row.choice)
        if row.kind == RowKind.MEAN:
            for label, _weight in terms_of(row.terms):
                labels.setdefault(evidence_key(label), label)
    return labels


def key_of(row: CriteriaRow) -> str:
    """The evidence key of a row: the same for rows that mean the same, never shared between kinds."""
    if row.kind == RowKind.SCORE:
        return evidence_key(row.label)
    if row.kind in (RowKind.COMPLETED, RowKind.HOLDS):
        return f"{row.kind}:{row.choice}"
    # No key of a label holds a colon.
    key = evidence_key(row.label)
    return (
        f"{row.kind}:{key}" if len(row.kind) + 1 + len(key) <= _KEY_LENGTH else f"{row.kind}:{_digest(key)}"
    )


def leaf_of(row: CriteriaRow, labels: Mapping[str, str]) -> domain.Criterion:
    key = key_of(row)
    label = labels[key]
    if row.kind == RowKind.GATE:
        return domain.GatePassed(key, label)
    if row.kind == RowKind.ATTESTED:
        return domain.Attested(key, label)
    if row.kind == RowKind.EVIDENCE:
        return domain.EvidenceAccepted(key, label, row.instructions, row.checklist_items, row.accepts)
    if row.kind == RowKind.COMPLETED:
        return domain.Completed(row.choice, label)
    if row.kind == RowKind.HOLDS:
        return domain.HoldsAchievement(row.choice, label)
    threshold = parse_number(row.threshold)
    if threshold is None or row.kind not in (RowKind.SCORE, RowKind.MEAN):
        raise ValueError("a form with problems has no criterion")
    channel, purpose = domain.Channel(row.channel), domain.Purpose(row.purpose)
    if row.kind == RowKind.SCORE:
        return domain.ScoreAtLeast(key, label, threshold, domain.Unit(row.unit), channel, purpose)
    terms = tuple(
        domain.Term(evidence_key(name), labels[evidence_key(name)], weight, channel, purpose)
        for name, weight in terms_of(row.terms)
        if weight is not None
    )
    return domain.MeanAtLeast(key, label, terms, threshold)


def _dated(criterion: domain.Criterion, after: str, before: str) -> domain.Criterion:
    starts_at, ends_at = parse_moment(after), parse_moment(before, is_end=True)
    if (after and starts_at is None) or (before and ends_at is None):
        raise ValueError("a date that is none")
    return criterion if starts_at is ends_at is None else domain.Within(criterion, starts_at, ends_at)


def _combined(combination: Combination, parts: tuple[domain.Criterion, ...]) -> domain.Criterion:
    if combination.kind == "any":
        return domain.AnyOf(parts)
    if combination.kind == "at_least":
        return domain.AtLeast(int(combination.count), parts)
    return domain.AllOf(parts)


def from_criterion(criterion: domain.Criterion) -> Rules:
    """The rows and groups that say exactly what a tree says, evidence keys apart: those follow from labels.

    :raises CriteriaNotShown: where rows cannot say it. Nothing is ever simplified.
    """
    root = criterion if isinstance(criterion, _COMBINATIONS) else domain.AllOf((criterion,))
    rows: list[CriteriaRow] = []
    groups: dict[str, Combination] = {}
    letters = iter(GROUPS)

    def place(node: domain.Criterion, group: str) -> None:
        after = before = ""
        if isinstance(node, domain.Within):
            after, before = _date_text(node.starts_at), _date_text(node.ends_at, is_end=True)
            node = node.part
        if isinstance(node, domain.Within):
            raise CriteriaNotShown("dates around dates")
        if not isinstance(node, _COMBINATIONS):
            rows.append(replace(_row(node), group=group, after=after, before=before))
            return
        letter = next(letters, None)
        if letter is None:
            raise CriteriaNotShown("more groups than letters")
        groups[letter] = replace(_combination(node), parent=group, after=after, before=before)
        for part in node.parts:
            place(part, letter)

    for part in root.parts:
        place(part, "")
    # As they come back from the page, which strips texts and folds line ends.
    rules = read_rows(write_rows(Rules(tuple(rows), groups, _combination(root))))
    try:
        said = to_criterion(rules)
    except (ValueError, KeyError) as error:
        raise CriteriaNotShown(str(error)) from error
    if _shape(said, {}) != _shape(root, {}):
        raise CriteriaNotShown("the rows would say something else")
    return rules


_COMBINATIONS = (domain.AllOf, domain.AnyOf, domain.AtLeast)


def _combination(node: domain.AllOf | domain.AnyOf | domain.AtLeast) -> Combination:
    if isinstance(node, domain.AtLeast):
        return Combination("at_least", str(node.count))
    return Combination("any" if isinstance(node, domain.AnyOf) else "all")


def _row(leaf: domain.Criterion) -> CriteriaRow:
    if isinstance(leaf, domain.ScoreAtLeast):
        return CriteriaRow(
            leaf.label, leaf.channel.value, plain(leaf.threshold), leaf.unit.value, leaf.purpose.value
        )
    if isinstance(leaf, domain.MeanAtLeast):
        first = leaf.terms[0]
        terms = "\n".join(f"{term.label}; {plain(term.weight)}" for term in leaf.terms)
        return CriteriaRow(
            leaf.label,
            first.channel.value,
            plain(leaf.threshold),
            purpose=first.purpose.value,
            kind=RowKind.MEAN,
            terms=terms,
        )
    if isinstance(leaf, domain.EvidenceAccepted):
        ticked = {kind.value: "on" for kind in leaf.accepts}
        return CriteriaRow(
            leaf.label,
            kind=RowKind.EVIDENCE,
            instructions=leaf.instructions,
            checklist="\n".join(leaf.checklist),
            **ticked,
        )
    if isinstance(leaf, domain.Completed):
        return CriteriaRow(leaf.label, kind=RowKind.COMPLETED, choice=leaf.micromodule_id)
    if isinstance(leaf, domain.HoldsAchievement):
        return CriteriaRow(leaf.label, kind=RowKind.HOLDS, choice=leaf.achievement_id)
    if isinstance(leaf, domain.GatePassed | domain.Attested):
        kind = RowKind.GATE if isinstance(leaf, domain.GatePassed) else RowKind.ATTESTED
        return CriteriaRow(leaf.label, kind=kind)
    raise CriteriaNotShown(type(leaf).__name__)


def _shape(node: domain.Criterion, keys: dict[str, int]) -> tuple[object, ...]:
    """What a tree says: evidence keys by their order of appearance, so that only which are equal counts."""

    def number(key: str) -> int:
        return keys.setdefault(key, len(keys))

    if isinstance(node, domain.Within):
        return ("within", node.starts_at, node.ends_at, _shape(node.part, keys))
    if isinstance(node, _COMBINATIONS):
        parts = tuple(_shape(part, keys) for part in node.parts)
        return (type(node).__name__, getattr(node, "count", None), parts)
    if isinstance(node, domain.MeanAtLeast):
        terms = tuple(
            (number(term.key), term.label, term.weight, term.channel, term.purpose) for term in node.terms
        )
        return ("mean", number(node.key), node.label, node.threshold, terms)
    if isinstance(node, domain.EvidenceAccepted):
        return ("evidence", number(node.key), node.label, node.instructions, node.checklist, {*node.accepts})
    if isinstance(node, domain.ScoreAtLeast):
        return (number(node.key), node.label, node.threshold, node.unit, node.channel, node.purpose)
    return (type(node).__name__, number(node.key), node.key if _is_named_by_id(node) else node.label)


def _is_named_by_id(node: domain.Criterion) -> bool:
    """Of a micromodule or an achievement the label is only what it was called."""
    return isinstance(node, domain.Completed | domain.HoldsAchievement)


def _date_text(at: datetime | None, *, is_end: bool = False) -> str:
    if at is None:
        return ""
    at = at.astimezone(UTC)
    if at.timetz() == (LAST_SECOND if is_end else time.min).replace(tzinfo=UTC):
        return at.date().isoformat()
    return at.replace(tzinfo=None).isoformat()


def evidence_key(label: str) -> str:
    """The evidence key of an assessment: readable, at most 64 characters, equal for equal labels.

    A label that is more than plain words ("Évaluation", "C++", "C#") ends in a digest of itself, so that two
    such labels do not meet in one column because their readable parts agree; no plain key holds its "_".
    Never empty, which is the key of the award column.
    """
    folded = one_line(unicodedata.normalize("NFKC", label).casefold())
    readable = "-".join(re.findall(r"[a-z0-9]+", folded))
    if readable and readable.replace("-", " ") == folded and len(readable) <= _KEY_LENGTH:
        return readable
    return f"{readable[:50]}_{_digest(folded)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
