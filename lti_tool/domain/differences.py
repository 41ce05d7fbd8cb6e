"""What differs between two versions of a badge: texts, lists, the picture, and the criteria rule by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from lti_tool.domain.criteria import (
    LEAVES,
    AtLeast,
    Criterion,
    Leaf,
    MicromodulesCompleted,
    Within,
    parts_needed,
)

MEANINGFUL: Final = frozenset(
    {
        "achievement_type",
        "alignments",
        "credits",
        "field_of_study",
        "human_code",
        "renewal_closes_days",
        "renewal_opens_days",
        "shows_evidence",
        "shows_results",
        "status_purpose",
        "validity",
    }
)
"""Fields whose change is another thing to hold, and no correction."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one version says, as far as versions are compared."""

    texts: Mapping[str, str]
    """By field; empty where it says nothing."""
    lists: Mapping[str, tuple[str, ...]]
    """By field: skills and the like, whose order says nothing."""
    picture: str
    """Equal for pictures that were drawn alike."""
    criterion: Criterion


class TextChange(NamedTuple):
    """A text that reads otherwise."""

    field: str
    before: str
    after: str


class ListChange(NamedTuple):
    """A list in which something else stands."""

    field: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


class RuleChange(NamedTuple):
    """One rule: new (no ``before``), gone (no ``after``), or changed. A rule with dates is a ``Within``."""

    before: Criterion | None
    after: Criterion | None


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that differs."""

    texts: tuple[TextChange, ...] = ()
    lists: tuple[ListChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()
    is_combined_anew: bool = False
    """The rules that both have count together in another way: all of them, one of them, so many."""
    has_new_picture: bool = False
    fields: frozenset[str] = field(init=False)
    """Names of the texts and lists that differ."""

    def __post_init__(self) -> None:
        names = frozenset([*(one.field for one in self.texts), *(one.field for one in self.lists)])
        object.__setattr__(self, "fields", names)

    @property
    def is_empty(self) -> bool:
        """Whether both say the same."""
        return not (self.fields or self.changes_criteria or self.has_new_picture)

    @property
    def changes_criteria(self) -> bool:
        """Whether something else has to be done for it."""
        return bool(self.rules) or self.is_combined_anew

    @property
    def changes_meaning(self) -> bool:
        """Whether holding it means something else now; if not, a correction would do."""
        # A skill may be spelt otherwise; one more or less is another thing to hold.
        has_more = any(one.field == "skills" and len(one.added) != len(one.removed) for one in self.lists)
        return self.changes_criteria or has_more or not MEANINGFUL.isdisjoint(self.fields)


def differences(before: Said, after: Said) -> Differences:
    """What ``after`` says otherwise than ``before``."""
    return Differences(
        tuple(
            TextChange(name, before.texts.get(name, ""), text)
            for name, text in after.texts.items()
            if before.texts.get(name, "") != text
        ),
        tuple(_lists(before, after)),
        rule_changes(before.criterion, after.criterion),
        _is_combined_anew(before.criterion, after.criterion),
        before.picture != after.picture,
    )


def _lists(before: Said, after: Said) -> Iterator[ListChange]:
    for name, items in after.lists.items():
        former = before.lists.get(name, ())
        added = tuple(item for item in items if item not in former)
        removed = tuple(item for item in former if item not in items)
        if added or removed:
            yield ListChange(name, added, removed)


_Name = tuple[type, str, int]
"""Kind and evidence key of a rule, and which of several such rules it is."""


def rule_changes(before: Criterion, after: Criterion) -> tuple[RuleChange, ...]:
    """The rules that are not the same: the new and changed ones in the order of ``after``, then those gone.

    A rule is the same rule as long as it is of one kind and asks for one evidence key; of several such rules
    the ones at the same place are compared. So many of a set of micromodules are the same rule as another
    number of that set, where the first number is asked for no more.
    """
    former = dict(_rules(before))
    found: list[RuleChange] = []
    asked = dict(_rules(after))
    gone = {name: rule for name, rule in former.items() if name not in asked}
    for name, rule in asked.items():
        was = former.get(name)
        if was is None and (counted := _counted_from(rule)) is not None:
            same = next((one for one, other in gone.items() if _counted_from(other) == counted), None)
            was = None if same is None else gone.pop(same)
        if was != rule:
            found.append(RuleChange(was, rule))
    found += [RuleChange(rule, None) for rule in gone.values()]
    return tuple(found)


def _counted_from(rule: Criterion) -> str | None:
    """The set of micromodules that a rule counts, whatever number it asks for."""
    leaf = rule.part if isinstance(rule, Within) else rule
    return replace(leaf, count=None).key if isinstance(leaf, MicromodulesCompleted) else None


def _rules(criterion: Criterion) -> Iterator[tuple[_Name, Criterion]]:
    seen: Counter[tuple[type, str]] = Counter()
    for leaf, starts_at, ends_at in _dated(criterion, None, None):
        kind = (type(leaf), leaf.key)
        is_dated = starts_at is not None or ends_at is not None
        yield (*kind, seen[kind]), Within(leaf, starts_at, ends_at) if is_dated else leaf
        seen[kind] += 1


def _dated(
    criterion: Criterion, starts_at: datetime | None, ends_at: datetime | None
) -> Iterator[tuple[Leaf, datetime | None, datetime | None]]:
    """Every leaf with the dates that count for it: of several the narrowest."""
    if isinstance(criterion, LEAVES):
        yield criterion, starts_at, ends_at
        return
    if isinstance(criterion, Within):
        starts_at = max((at for at in (starts_at, criterion.starts_at) if at is not None), default=None)
        ends_at = min((at for at in (ends_at, criterion.ends_at) if at is not None), default=None)
    for part in criterion.parts:
        yield from _dated(part, starts_at, ends_at)


def _is_combined_anew(before: Criterion, after: Criterion) -> bool:
    # A rule that was asked of everybody and is one of several now, or the other way round, counts otherwise
    # also where nothing else was kept that it could be seen beside.
    choices = dict(_choices(before))
    if any(choices.get(name, way) != way for name, way in _choices(after)):
        return True
    both = {name for name, _ in _rules(before)} & {name for name, _ in _rules(after)}
    kinds = Counter(name[:2] for name in both)
    return bool(_shape(before, kinds) != _shape(after, kinds))


def _choices(criterion: Criterion) -> Iterator[tuple[_Name, tuple[int, ...]]]:
    """Each rule with the choices that it stands in: of how many parts so many are enough."""
    seen: Counter[tuple[type, str]] = Counter()

    def of(one: Criterion, way: tuple[int, ...]) -> Iterator[tuple[_Name, tuple[int, ...]]]:
        if isinstance(one, LEAVES):
            kind = (type(one), one.key)
            yield (*kind, seen[kind]), way
            seen[kind] += 1
            return
        needed = len(one.parts) if isinstance(one, Within) else parts_needed(one)
        for part in one.parts:
            yield from of(part, (*way, needed) if needed < len(one.parts) else way)

    yield from of(criterion, ())


def _shape(criterion: Criterion, kept: Counter[tuple[type, str]]) -> Any:
    """How the rules that are kept count together; a combination of one is that one."""
    left = Counter(kept)

    def of(one: Criterion) -> Any:
        if isinstance(one, LEAVES):
            kind = (type(one), one.key)
            if not left[kind]:
                return None
            left[kind] -= 1
            return (kind[0].__name__, one.key)
        parts = [shape for shape in map(of, one.parts) if shape is not None]
        if len(parts) < 2:
            return parts[0] if parts else None
        count = one.count if isinstance(one, AtLeast) else 0
        # In which order rules stand says nothing.
        return (type(one).__name__, count, tuple(sorted(parts, key=repr)))

    return of(criterion)
