"""A milestone's own criteria without JSON: rules, each of which asks for one thing, combined in one way.

What staff usually want is said by it: so many micromodules of a category or of the organisation, certain
micromodules, badges that are held; all of it, one of it, or so many. Whatever else the language of criteria
says (dates, combinations of combinations) is for JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
    leaves,
)
from lti_tool.services.criteria_rows import one_line
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.store import catalogue, micromodules
from lti_tool.store import milestone_decisions as decisions

ROWS: Final = 12
"""Rules of a form at most."""
FIRST_ROWS: Final = 3
MOST: Final = 999
"""Micromodules that a rule asks for at most."""
ALL, ANY, AT_LEAST = WAYS = ("all", "any", "at_least")
ORGANISATION: Final = "organisation"
CATEGORY, COMPLETED, HOLDS = KINDS = ("category", "completed", "holds")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the form, as typed."""

    what: str = ""
    """``organisation``, or one of :data:`KINDS` with an id behind a colon; empty: no rule."""
    count: str = ""
    """How many micromodules of the organisation or category; empty: all that are offered."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All lines, and how they count together."""

    rules: tuple[Rule, ...] = ()
    way: str = ALL
    needed: str = ""
    """How many, of the way ``at_least``."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Rules:
        """Read the HTML fields of the page; lines that say nothing are left out."""
        rules = (
            Rule(one_line(fields.get(f"rule-{n}-what", "")), one_line(fields.get(f"rule-{n}-count", "")))
            for n in range(ROWS)
        )
        said = tuple(rule for rule in rules if rule.what)
        return cls(said, one_line(fields.get("way", "")) or ALL, one_line(fields.get("needed", "")))

    def to_fields(self) -> dict[str, str]:
        """The same as HTML fields."""
        fields = {"way": self.way, "needed": self.needed}
        for number, rule in enumerate(self.rules):
            fields |= {f"rule-{number}-what": rule.what, f"rule-{number}-count": rule.count}
        return fields


NO_RULES: Final = Rules()


@dataclass(frozen=True, slots=True)
class Choices:
    """What rules can ask for, as (id, name)."""

    organisation: str = ""
    categories: Sequence[tuple[str, str]] = ()
    micromodules: Sequence[tuple[str, str]] = ()
    achievements: Sequence[tuple[str, str]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """By what a rule says."""


def choices(session: Session, organisation_id: str, achievement_id: str | None = None) -> Choices:
    """What an organisation has; four queries.

    :param achievement_id: the milestone's own, which it cannot ask for.
    """
    organisation = catalogue.organisation_name(session, organisation_id) or "?"
    categories = [(one.id, one.name) for one in catalogue.categories(session, organisation_id)]
    modules = [
        (one.micromodule_id, one.name)
        for one in decisions.offered(session, organisation_id, (), (), is_everything_asked=True)
        if one.is_offered
    ]
    badges = [
        one for one in micromodules.achievement_choices(session, organisation_id) if one[0] != achievement_id
    ]
    names = {ORGANISATION: organisation}
    for kind, found in zip(KINDS, (categories, modules, badges), strict=True):
        names |= {f"{kind}:{id_}": name for id_, name in found}
    return Choices(organisation, categories, modules, badges, names)


def criterion_of(rules: Rules, known: Choices) -> tuple[Criterion | None, list[Problem]]:
    """What the lines ask for, or what is wrong with them."""
    problems = list(_problems(rules, known))
    if problems:
        return None, problems
    parts = tuple(_leaf(rule, known) for rule in rules.rules)
    if len(parts) == 1:
        return parts[0], []
    if rules.way == ALL:
        return AllOf(parts), []
    if rules.way == ANY:
        return AnyOf(parts), []
    return AtLeast(int(rules.needed), parts), []


def _problems(rules: Rules, known: Choices) -> Iterator[Problem]:
    if not rules.rules:
        yield Problem("rule-0-what", FormProblem.REQUIRED)
    seen: set[Rule] = set()
    for number, rule in enumerate(rules.rules):
        if rule.what not in known.names or rule in seen:
            yield Problem(f"rule-{number}-what", FormProblem.UNKNOWN_CHOICE)
        seen.add(rule)
        if rule.count and not (_counts(rule) and _is_whole(rule.count, MOST)):
            if _counts(rule):
                yield Problem(f"rule-{number}-count", FormProblem.OUT_OF_RANGE, {"low": 1, "high": MOST})
            elif rule.what in known.names and rule.count != "1":
                yield Problem(f"rule-{number}-count", FormProblem.COUNT_OF_ONE)
    if rules.way not in WAYS:
        yield Problem("way", FormProblem.UNKNOWN_CHOICE)
    elif rules.way == AT_LEAST and not _is_whole(rules.needed, len(rules.rules)):
        yield Problem("needed", FormProblem.OUT_OF_RANGE, {"low": 1, "high": max(1, len(rules.rules))})


def _counts(rule: Rule) -> bool:
    return rule.what == ORGANISATION or rule.what.startswith(f"{CATEGORY}:")


def _is_whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= most


def _leaf(rule: Rule, known: Choices) -> Criterion:
    kind, _colon, id_ = rule.what.partition(":")
    label = known.names[rule.what]
    count = int(rule.count) if rule.count else None
    if kind == ORGANISATION:
        return MicromodulesCompleted(label, count)
    if kind == CATEGORY:
        return MicromodulesCompleted(label, count, category_id=id_)
    return Completed(id_, label) if kind == COMPLETED else HoldsAchievement(id_, label)


@dataclass(frozen=True, slots=True)
class Short:
    """A set of micromodules of which more are asked for than are offered."""

    label: str
    count: int
    offered: int


def short_of(session: Session, organisation_id: str, criterion: Criterion) -> tuple[Short, ...]:
    """The sets of which nobody can complete as many as are asked for, as long as no more are offered; one
    query for each that asks for a number."""
    found = []
    for leaf in leaves(criterion):
        if not isinstance(leaf, MicromodulesCompleted) or leaf.count is None:
            continue
        category = () if leaf.category_id is None else (leaf.category_id,)
        is_everything = not leaf.micromodule_ids and not category
        rows = decisions.offered(
            session, organisation_id, leaf.micromodule_ids, category, is_everything_asked=is_everything
        )
        offered = len({row.micromodule_id for row in rows if row.is_offered})
        if offered < leaf.count:
            found.append(Short(leaf.label, leaf.count, offered))
    return tuple(found)


def rules_of(criterion: Criterion) -> Rules | None:
    """The lines that ask for this; ``None`` where only JSON can say it."""
    parts: Sequence[Criterion] = (criterion,)
    way, needed = ALL, ""
    if isinstance(criterion, AllOf | AnyOf | AtLeast):
        parts = criterion.parts
        way = ALL if isinstance(criterion, AllOf) else ANY
        if isinstance(criterion, AtLeast):
            way, needed = AT_LEAST, str(criterion.count)
    found = [_rule(part) for part in parts]
    rules = tuple(rule for rule in found if rule is not None)
    if len(rules) < len(found) or not 0 < len(rules) <= ROWS or len(set(rules)) < len(rules):
        return None
    return Rules(rules, way, needed)


def _rule(criterion: Criterion) -> Rule | None:
    if isinstance(criterion, Completed):
        return Rule(f"{COMPLETED}:{criterion.micromodule_id}")
    if isinstance(criterion, HoldsAchievement):
        return Rule(f"{HOLDS}:{criterion.achievement_id}")
    if isinstance(criterion, MicromodulesCompleted) and not criterion.micromodule_ids:
        count = "" if criterion.count is None else str(criterion.count)
        what = ORGANISATION if criterion.category_id is None else f"{CATEGORY}:{criterion.category_id}"
        return Rule(what, count)
    return None
