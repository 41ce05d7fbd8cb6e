"""Pathways: what has to be finished before what, whether that goes round in a circle, and how far one is.

A *step* is a micromodule, with its badge where it has one, or a milestone. Criteria that ask for a completion
or a badge make one step need others. Steps are named by ids: a micromodule by its own, a milestone by that of
its achievement.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from lti_tool.domain.criteria import (
    LEAVES,
    AllOf,
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
    Within,
    leaves,
    parts_needed,
)


@dataclass(frozen=True, slots=True)
class Need:
    """Steps of which some have to be finished first."""

    of: tuple[str, ...]
    count: int = 1
    """How many of them."""
    is_required: bool = True
    """False for one of several ways to meet the criteria."""
    label: str = ""
    """What people call it, as it was when the criteria were written."""
    is_optional: bool = False
    """The criteria can be met without any step: by a score instead, for example."""
    is_set: bool = False
    """A set of micromodules, rather than one step."""
    is_all: bool = False
    """A set of which all are asked for, however many there are."""
    is_badge: bool = False
    """The step's badge has to be in force; else it is enough to have finished it once."""

    @property
    def least(self) -> int:
        """How many it takes of those there are; none where there are none. Too few are nobody's circle."""
        return min(self.count, len(self.of))


Graph = Mapping[str, tuple[Need, ...]]
"""What each step needs; a step that is no key of it needs nothing."""


class Standing(StrEnum):
    """How somebody stands towards a step."""

    DONE = "done"
    OPEN = "open"
    """Everything it needs is done."""
    LATER = "later"


def needs_of(
    criterion: Criterion,
    step_of: Callable[[str], str | None],
    members: Callable[[MicromodulesCompleted], Sequence[str]],
) -> tuple[Need, ...]:
    """What criteria need of other steps, in their order, each once.

    :param step_of: the step of an achievement id; ``None`` where it is not there any more.
    :param members: the micromodules of a set, as they are now.
    """
    found: dict[tuple[tuple[str, ...], int, bool], Need] = {}
    for leaf, way in _asked(criterion, _Way.ONLY):
        is_required, is_optional = way is _Way.ONLY, way is _Way.OPTIONAL
        if isinstance(leaf, Completed):
            need = Need((leaf.micromodule_id,), 1, is_required, leaf.label, is_optional)
        elif isinstance(leaf, HoldsAchievement):
            step = step_of(leaf.achievement_id)
            if step is None:
                continue
            need = Need((step,), 1, is_required, leaf.label, is_optional, is_badge=True)
        elif isinstance(leaf, MicromodulesCompleted):
            of = tuple(members(leaf))
            how_many, is_all = leaf.needed(len(of)), leaf.count is None
            need = Need(of, how_many, is_required, leaf.label, is_optional, is_set=True, is_all=is_all)
        else:
            continue
        same = need.of, need.count, need.is_badge
        known = found.get(same)
        if known is None or _strength(need) > _strength(known):
            found[same] = need
    return tuple(found.values())


class _Way(IntEnum):
    """How a criterion stands to the whole that it is part of."""

    OPTIONAL = 0
    ONE_OF = 1
    ONLY = 2


def _strength(need: Need) -> _Way:
    if need.is_required:
        return _Way.ONLY
    return _Way.OPTIONAL if need.is_optional else _Way.ONE_OF


def _asked(criterion: Criterion, way: _Way) -> Iterator[tuple[Criterion, _Way]]:
    """Every leaf, and whether there is a way around it.

    What asks for no step is taken for something that anybody can do.
    """
    if isinstance(criterion, LEAVES):
        yield criterion, way
        return
    steps = [part for part in criterion.parts if any(isinstance(leaf, _STEPS) for leaf in leaves(part))]
    left = parts_needed(criterion) - (len(criterion.parts) - len(steps))
    if isinstance(criterion, AllOf | Within) or left >= len(steps):
        of_steps = way
    else:
        of_steps = min(way, _Way.ONE_OF if left > 0 else _Way.OPTIONAL)
    for part in steps:
        yield from _asked(part, of_steps)


_STEPS = (Completed, HoldsAchievement, MicromodulesCompleted)


def attainable(graph: Graph) -> tuple[str, ...]:
    """Every step that somebody can reach who begins with nothing, in an order in which they can.

    All of the needs of a step count here, also those that are one of several ways: whoever wants to go that
    way must be able to. Of a set it takes as many as are asked for.
    """
    waiting: dict[str, list[tuple[str, int]]] = {}
    missing: dict[tuple[str, int], int] = {}
    open_needs: dict[str, int] = {}
    for step in _steps(graph):
        needs = graph.get(step, ())
        open_needs[step] = sum(need.least > 0 for need in needs)
        for number, need in enumerate(needs):
            missing[step, number] = need.least
            for one in dict.fromkeys(need.of):
                waiting.setdefault(one, []).append((step, number))
    ready = deque(step for step, number in open_needs.items() if not number)
    order: list[str] = []
    while ready:
        done = ready.popleft()
        order.append(done)
        for step, number in waiting.get(done, ()):
            missing[step, number] -= 1
            if missing[step, number] == 0:
                open_needs[step] -= 1
                if not open_needs[step]:
                    ready.append(step)
    return tuple(order)


def circle(graph: Graph, step: str) -> tuple[str, ...]:
    """The shortest circle through ``step``, which comes first; empty where it is in none.

    Where a graph without circles is changed at one step only, it has one afterwards exactly where this finds
    one there. Each step of it needs the next one, and the last the first.
    """
    reachable = set(attainable(graph))
    if step in reachable:
        return ()
    came_from: dict[str, str] = {}
    queue = deque([step])
    while queue:
        at = queue.popleft()
        for need in graph.get(at, ()):
            for one in need.of:
                if one == step:
                    path = [at]
                    while path[-1] != step:
                        path.append(came_from[path[-1]])
                    return tuple(reversed(path))
                if one not in reachable and one not in came_from:
                    came_from[one] = at
                    queue.append(one)
    return ()


def closed(before: Graph, after: Graph) -> tuple[str, ...]:
    """The shortest circle through a step that a change of the graph made; empty where it made none.

    What stood in a circle before the change is taken as given: that is not what was changed.
    """
    stuck = _steps(before).keys() - set(attainable(before))
    given = {step: needs for step, needs in after.items() if step not in stuck}
    reachable = set(attainable(given))
    step = next((one for one in given if one not in reachable), None)
    if step is None:
        return ()
    seen: set[str] = set()
    while step not in seen:
        # What cannot be reached needs something that cannot: following it leads round sooner or later.
        seen.add(step)
        step = next(one for need in given[step] for one in need.of if one not in reachable)
    return circle(given, step)


def way_to(graph: Graph, step: str) -> tuple[str, ...]:
    """``step`` and everything that it needs, and that these need, in an order to take them.

    Of a set only those are followed that there is no choice about: naming each of a hundred micromodules of
    which any five count would be no path.
    """
    wanted = {step}
    queue = deque([step])
    while queue:
        for one in followed(graph, queue.popleft()):
            if one not in wanted:
                wanted.add(one)
                queue.append(one)
    order = [one for one in attainable(graph) if one in wanted]
    # What was in a circle before circles were refused comes last: it is shown rather than lost.
    return (*order, *sorted(wanted.difference(order)))


def singly(graph: Graph, step: str) -> tuple[str, ...]:
    """The steps that ``step`` needs by name, each once; sets are not among them."""
    return tuple(
        dict.fromkeys(one for need in graph.get(step, ()) if not need.is_set for one in need.of if one)
    )


def followed(graph: Graph, step: str) -> tuple[str, ...]:
    """The steps that lead to ``step``: those it needs by name, and all of small sets that it needs whole."""
    whole = (one for need in graph.get(step, ()) if is_whole(need) for one in need.of)
    return tuple(dict.fromkeys((*singly(graph, step), *whole)))


def is_whole(need: Need) -> bool:
    """Whether there is nothing to choose in a set, and it is small enough to be named step by step."""
    return need.is_all and need.is_required and 0 < len(need.of) <= WHOLE


WHOLE: Final = 12
"""Steps of such a set at most."""


def together(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Every step that needs something or that a way leads through, with all that hang together with it.

    Each part in an order to take it; what merely is one of a set to choose from hangs together with nothing.
    """
    of: dict[str, list[str]] = {step: [] for step in graph}
    for step in graph:
        for one in followed(graph, step):
            of[step].append(one)
            of.setdefault(one, []).append(step)
    part: dict[str, int] = {}
    for number, step in enumerate(of):
        waiting = [] if step in part else [step]
        while waiting:
            one = waiting.pop()
            if one not in part:
                part[one] = number
                waiting.extend(of[one])
    order = dict.fromkeys((*(one for one in attainable(graph) if one in of), *of))
    found: dict[int, list[str]] = {}
    for step in order:
        found.setdefault(part[step], []).append(step)
    return tuple(map(tuple, found.values()))


def around(graph: Graph, step: str) -> Graph:
    """What of a graph leads to ``step``, and what comes after it, with all that this needs besides; also what
    counts it as one of a set."""
    after: dict[str, list[str]] = {}
    for one, needs in graph.items():
        for need in needs:
            for before in need.of:
                after.setdefault(before, []).append(one)
    wanted = {step}
    waiting = [step]
    while waiting:
        new = [one for one in after.get(waiting.pop(), ()) if one not in wanted]
        wanted.update(new)
        waiting.extend(new)
    for one in tuple(wanted):
        wanted.update(way_to(graph, one))
    return {one: needs for one, needs in graph.items() if one in wanted}


def levels(graph: Graph, steps: Iterable[str]) -> dict[str, int]:
    """How many of ``steps`` come before each, along the longest way: the row of a map.

    :param steps: in an order to take them (:func:`way_to`).
    """
    found: dict[str, int] = {}
    for step in steps:
        before = [found[one] for one in followed(graph, step) if one in found]
        found[step] = max(before, default=-1) + 1
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """What somebody has of an organisation's steps, as far as it counts (:mod:`lti_tool.store.counting`).

    A badge that ended or was revoked is not in force, and what it stood for is not done any more: it can be
    earned again. One that is paused counts meanwhile. That a step was finished once stays so, also when its
    badge has ended, and counts where no badge is asked for; not where its badge was revoked.
    """

    finished: frozenset[str] = frozenset()
    """Steps that were finished once, or whose badge is in force."""
    in_force: frozenset[str] = frozenset()
    """Steps whose badge is in force, of any version."""
    lost: frozenset[str] = frozenset()
    """Steps whose badge was awarded, and no longer is in force."""

    def has(self, step: str) -> bool:
        """Whether nothing is left to be done there."""
        return step in self.in_force or (step in self.finished and step not in self.lost)


def standing(graph: Graph, step: str, done: Done) -> Standing:
    """How somebody stands towards ``step``.

    Where there are several ways, one that is open opens it.
    """
    if done.has(step):
        return Standing.DONE
    needs = graph.get(step, ())
    required = all(met(need, done) for need in needs if need.is_required)
    ways = [need for need in needs if not need.is_required and not need.is_optional]
    is_open = required and (not ways or any(met(need, done) for need in ways))
    return Standing.OPEN if is_open else Standing.LATER


def met(need: Need, done: Done) -> bool:
    """Whether enough of it is done; of nothing, nothing is, and of too few not enough."""
    return bool(need.of) and reached(need, done) >= need.count


def reached(need: Need, done: Done) -> int:
    """How many of it are done, at most as many as it takes."""
    counted = done.in_force if need.is_badge else done.finished
    return min(need.count, sum(one in counted for one in set(need.of)))


def _steps(graph: Graph) -> dict[str, None]:
    """Every step that needs something or is needed."""
    steps = dict.fromkeys(graph)
    for needs in graph.values():
        for need in needs:
            steps.update(dict.fromkeys(need.of))
    return steps
