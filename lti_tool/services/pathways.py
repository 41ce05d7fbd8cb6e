"""Pathways: what has to be finished before a badge, what it opens, and how far a learner is along the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain import pathways as domain
from lti_tool.domain.pathways import Done, Graph, Need, Standing
from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.circles import read_graph
from lti_tool.services.launching import SessionView
from lti_tool.services.staffing import Acting
from lti_tool.store import pathways as store
from lti_tool.store import step_needs
from lti_tool.store.database import Database
from lti_tool.store.pathways import Had, Kept, StepRow

SHOWN: Final = 100
"""Steps that a page names, of a way or of several."""
OF_SET: Final = 12
"""Of a set to choose from."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A badge of the wallet within its pathways."""

    achievement_id: str
    opens: tuple[StepRow, ...] = ()
    """What needs it, can be earned, and is not in the wallet yet."""


@dataclass(frozen=True, slots=True)
class StepNeed:
    """One thing that a step needs, as a list says it."""

    name: str
    """The step's, or that of the set."""
    is_met: bool
    is_required: bool
    """False for one of several ways."""
    step: str | None = None
    """Null for a set, and for what is not there any more."""
    reached: int = 0
    least: int = 1
    is_set: bool = False
    """A set to choose from."""
    is_badge: bool = False
    """The step's badge has to be in force; to have finished it once is not enough."""
    among: int = 0
    """How many a set has."""
    of: tuple[StepRow, ...] = ()
    """The first of them by name, where staff asks."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step on the way."""

    row: StepRow
    standing: Standing
    level: int
    needs: tuple[StepNeed, ...]
    is_goal: bool
    is_lost: bool = False
    """Its badge was awarded, and is not in force any more."""


@dataclass(frozen=True, slots=True)
class PathView:
    """The way to one badge."""

    goal: StepRow
    steps: tuple[PathStep, ...]
    """In an order to take them; the goal comes last."""
    opens: tuple[StepRow, ...]
    is_personal: bool
    """Whether it says how far somebody is: not to people who teach, and not where nobody is known."""
    total: int = 0
    """Steps of the way, those that are not shown, too."""
    done: int = 0
    """How many of these are finished."""


@dataclass(frozen=True, slots=True)
class Pathway:
    """Everything that hangs together, as staff sees it, or those steps of it that stand on one page."""

    ends: tuple[StepRow, ...]
    """What nothing else of it asks for, by name."""
    steps: tuple[PathStep, ...]
    """In an order to take them; of nobody's progress."""
    total: int
    """Steps, those on other pages, too."""
    first: int = 1
    """Which of them is the first one here."""


@dataclass(frozen=True, slots=True)
class PathwayPage:
    """One page of an organisation's pathways."""

    pathways: tuple[Pathway, ...]
    kept: Mapping[str, Kept]
    """By step, of those on this page."""
    opens: Mapping[str, tuple[StepRow, ...]]
    """What asks for each step of this page by itself."""
    total: int
    """Pathways."""
    steps: int
    """Of all of these."""
    number: int = 1
    pages: int = 1
    around: StepRow | None = None
    """Where only what leads to one step, and what comes after it, was asked for."""


@dataclass(frozen=True, slots=True)
class PublicSteps:
    """What stands around an achievement, for everybody."""

    requires: tuple[StepRow, ...] = ()
    opens: tuple[StepRow, ...] = ()


@dataclass(frozen=True)
class Pathways:
    """Reads pathways; the number of queries depends on neither badges nor steps."""

    database: Database
    clock: Callable[[], datetime]

    def beside(
        self, organisation_id: str, version_ids: Collection[str], held: Collection[str]
    ) -> dict[str, Beside]:
        """What each of some achievement versions opens; only those that ask for something, or are asked for.

        Four queries at most, all by index: they cost what the learner's own badges cost.

        :param held: versions of badges in the wallet that count: what they stand for is open already.
        """
        if not version_ids:
            return {}
        with self.database.read() as session:
            steps = store.steps_of_versions(session, organisation_id, version_ids)
            edges = step_needs.around(session, organisation_id, {each.step for each in steps.values()})
            done = {steps[id_].step for id_ in held if id_ in steps}
            asking = {edge.step for edge in edges}
            opened_by: dict[str, list[str]] = {}
            for edge in edges:
                if edge.step not in done:
                    opened_by.setdefault(edge.needs, []).append(edge.step)
            own = {each.step for each in steps.values()}
            opened = {one for step in own for one in opened_by.get(step, ())}
            rows = store.named(session, organisation_id, opened)
        between = asking | {edge.needs for edge in edges}
        return {
            id_: Beside(each.achievement_id, _published(rows, opened_by.get(each.step, ())))
            for id_, each in steps.items()
            if each.step in between
        }

    def between(self, organisation_id: str, version_ids: Collection[str]) -> frozenset[str]:
        """Which of some achievement versions ask for a step by name, or are asked for; two queries."""
        if not version_ids:
            return frozenset()
        with self.database.read() as session:
            steps = store.steps_of_versions(session, organisation_id, version_ids)
            edges = step_needs.around(session, organisation_id, {each.step for each in steps.values()})
        found = {one for edge in edges for one in edge}
        return frozenset(id_ for id_, each in steps.items() if each.step in found)

    def path(self, session: SessionView, achievement_id: str) -> PathView:
        """The way to an achievement of the session's organisation, and how far the person of it is.

        :param achievement_id: also that of one of its versions.
        :raises NotFound: ``not_found``, also for another organisation's, and for one that nobody can earn yet
            unless the person teaches or has it.
        """
        organisation_id = session.organisation_id
        # It counts what the person did in other LMSs, too: not for somebody who looks as the learner.
        is_personal = not (session.is_anonymous or session.can_view_progress or session.is_read_only)
        with self.database.read() as reading:
            found = store.step_of(reading, achievement_id)
            if found is None or found[0] != organisation_id:
                raise NotFound(ErrorCode.NOT_FOUND, f"achievement {achievement_id}")
            goal = found[1]
            edges = step_needs.every(reading, organisation_id)
            graph = _graph_to(reading, organisation_id, goal, edges)
            way = domain.way_to(graph, goal)
            opens = [edge.step for edge in edges if edge.needs == goal]
            rows = store.named(reading, organisation_id, [*way, *opens])
            had: Sequence[Had] = ()
            if is_personal:
                had = store.had(reading, organisation_id, session.learner_id, self.clock())
        own = _done(each for each in had if each.is_own)
        of_person = _done(had)

        def done_for(step: str) -> Done:
            # Milestones are decided about a person, badges of courses about one account.
            return of_person if rows[step].step == rows[step].achievement_id else own

        is_offered = goal in rows and rows[goal].is_published
        if goal not in rows or not (is_offered or session.can_view_progress or done_for(goal).has(goal)):
            raise NotFound(ErrorCode.NOT_FOUND, f"achievement {achievement_id} is not offered")
        level = domain.levels(graph, way)
        steps = [
            PathStep(
                rows[one],
                _standing(graph, rows[one], done_for(one)),
                level[one],
                tuple(_needs(graph, one, done_for(one), rows)),
                one == goal,
                one in done_for(one).lost,
            )
            for one in way
            if one in rows
        ]
        return PathView(
            rows[goal],
            _shown(steps),
            _published(rows, opens),
            is_personal,
            len(steps),
            sum(step.standing is Standing.DONE for step in steps),
        )

    def every(self, staff: Acting, *, page: int = 1, around: str = "") -> PathwayPage:
        """Everything of an organisation that asks for something or is asked for, drafts too; a page of it.

        Sixteen queries at most, whatever there is. What is a retired milestone asks for nothing any more.

        :param around: only what leads to this step, and what comes after it.
        :raises NotAllowed: without the right.
        :raises NotFound: ``not_found`` where there is no such step.
        """
        staff.require(Permission.VIEW)
        organisation_id = staff.organisation_id
        with self.database.read() as session:
            graph = read_graph(session, organisation_id, is_offered=True)
            if around:
                graph = domain.around(graph, around)
            parts = domain.together(graph)
            rows = store.named(session, organisation_id, [*(one for part in parts for one in part), around])
            if around and around not in rows:
                raise NotFound(ErrorCode.NOT_FOUND, f"step {around}")
            opens = _opens(graph, rows)
            pathways = [_pathway(graph, part, opens, rows, around) for part in parts]
            pathways = [one for one in pathways if one.steps]
            pathways.sort(key=lambda one: ([row.name.casefold() for row in one.ends], one.steps[0].row.step))
            leaves = _leaves(pathways)
            number = min(max(1, page), len(leaves))
            shown = leaves[number - 1]
            counted = {
                id_
                for pathway in shown
                for step in pathway.steps
                for need in graph.get(step.row.step, ())
                if need.is_set and not domain.is_whole(need)
                for id_ in need.of
            }
            members = store.named(session, organisation_id, counted)
            on_page = {step.row.step for pathway in shown for step in pathway.steps}
            kept = store.kept(session, organisation_id, on_page)
        return PathwayPage(
            tuple(_with_members(graph, pathway, members) for pathway in shown),
            kept,
            {step: opens[step] for step in on_page if step in opens},
            len(pathways),
            sum(one.total for one in pathways),
            number,
            len(leaves),
            rows.get(around),
        )

    def public(self, achievement_id: str) -> PublicSteps:
        """What an achievement requires and opens, as its public page tells everybody.

        Only what can be earned is named: what is being prepared is nobody's business yet.
        """
        with self.database.read() as session:
            found = store.step_of(session, achievement_id)
            if found is None:
                return PublicSteps()
            organisation_id, step = found
            edges = step_needs.around(session, organisation_id, [step])
            rows = store.named(session, organisation_id, {one for edge in edges for one in edge})
        return PublicSteps(
            _published(rows, (edge.needs for edge in edges if edge.step == step)),
            _published(rows, (edge.step for edge in edges if edge.needs == step)),
        )


def _graph_to(
    session: Session, organisation_id: str, goal: str, edges: Iterable[step_needs.Edge]
) -> dict[str, tuple[Need, ...]]:
    """What the steps on the way to ``goal`` need: only their criteria are read.

    Once as a rule; once more for each milestone below a milestone that is asked for by a set.
    """
    before: dict[str, list[str]] = {}
    for edge in edges:
        before.setdefault(edge.step, []).append(edge.needs)
    graph: dict[str, tuple[Need, ...]] = {}
    read: set[str] = set()
    new = {goal}
    while new:
        waiting = list(new)
        while waiting:
            more = set(before.get(waiting.pop(), ())) - read - new
            new |= more
            waiting.extend(more)
        read |= new
        found = read_graph(session, organisation_id, steps=new, is_offered=True)
        graph |= found
        new = {one for step in found for one in domain.followed(graph, step)} - read
    return graph


def _opens(graph: Graph, rows: Mapping[str, StepRow]) -> dict[str, tuple[StepRow, ...]]:
    """What asks for each step, by name."""
    found: dict[str, list[StepRow]] = {}
    for step in graph:
        for one in domain.followed(graph, step):
            if step in rows:
                found.setdefault(one, []).append(rows[step])
    return {step: _by_name(asking) for step, asking in found.items()}


def _pathway(
    graph: Graph,
    part: Sequence[str],
    opens: Mapping[str, tuple[StepRow, ...]],
    rows: Mapping[str, StepRow],
    around: str,
) -> Pathway:
    """A part of the graph; what is not this organisation's, or not there any more, is no step of it.

    :param around: what is asked about, which then is marked in place of the ends.
    """
    level = domain.levels(graph, part)
    nothing = Done()
    steps = tuple(
        PathStep(
            rows[one],
            Standing.LATER,
            level[one],
            tuple(_needs(graph, one, nothing, rows)),
            is_goal=one == around if around else not opens.get(one),
        )
        for one in part
        if one in rows
    )
    # In a circle of before circles were refused everything is asked for.
    ends = [row for row in (step.row for step in steps) if not opens.get(row.step)]
    ends = ends or [step.row for step in steps[-1:]]
    return Pathway(_by_name(ends), steps, len(steps))


def _leaves(pathways: Iterable[Pathway]) -> list[list[Pathway]]:
    """Pages of so many steps at most; a pathway stands on several only where no page has room for it."""
    leaves: list[list[Pathway]] = [[]]
    room = SHOWN
    for pathway in pathways:
        if room < min(pathway.total, SHOWN):
            leaves.append([])
            room = SHOWN
        for start in range(0, pathway.total, SHOWN):
            if start:
                leaves.append([])
                room = SHOWN
            steps = pathway.steps[start : start + SHOWN]
            leaves[-1].append(replace(pathway, steps=steps, first=start + 1))
            room -= len(steps)
    return leaves


def _with_members(graph: Graph, pathway: Pathway, members: Mapping[str, StepRow]) -> Pathway:
    """The same, with the first of each set to choose from by name."""

    def named(step: PathStep) -> Iterator[StepNeed]:
        sets = iter(
            need for need in graph.get(step.row.step, ()) if need.is_set and not domain.is_whole(need)
        )
        for need in step.needs:
            of = [members[one] for one in next(sets).of if one in members] if need.is_set else []
            yield replace(need, of=_by_name(of)[:OF_SET])

    return replace(pathway, steps=tuple(replace(step, needs=tuple(named(step))) for step in pathway.steps))


def _by_name(rows: Iterable[StepRow]) -> tuple[StepRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.name.casefold(), row.step)))


def _done(had: Iterable[Had]) -> Done:
    finished, in_force, awarded = set(), set(), set()
    for each in had:
        if not each.is_badge:
            finished.add(each.step)
        elif each.is_in_force:
            in_force.add(each.step)
        else:
            awarded.add(each.step)
    return Done(frozenset(finished | in_force), frozenset(in_force), frozenset(awarded - in_force))


def _standing(graph: Graph, row: StepRow, done: Done) -> Standing:
    found = domain.standing(graph, row.step, done)
    # A retired milestone, or a micromodule that no course has any more, cannot be begun.
    return found if row.is_published or found is Standing.DONE else Standing.LATER


def _shown(steps: Sequence[PathStep]) -> tuple[PathStep, ...]:
    """As many as a page can name: the goal, what can be started now, then the others in their order."""
    if len(steps) <= SHOWN:
        return tuple(steps)

    def rank(number: int) -> tuple[bool, bool, int]:
        return not steps[number].is_goal, steps[number].standing is not Standing.OPEN, number

    kept = sorted(range(len(steps)), key=rank)[:SHOWN]
    return tuple(steps[number] for number in sorted(kept))


def _published(rows: Mapping[str, StepRow], steps: Iterable[str]) -> tuple[StepRow, ...]:
    return _by_name(rows[one] for one in dict.fromkeys(steps) if one in rows and rows[one].is_published)


def _needs(graph: Graph, step: str, done: Done, rows: Mapping[str, StepRow]) -> Iterator[StepNeed]:
    for need in graph.get(step, ()):
        if need.is_set and domain.is_whole(need):
            for one in need.of:
                if one in rows:
                    yield StepNeed(rows[one].name, is_met=one in done.finished, is_required=True, step=one)
            continue
        row = None if need.is_set else rows.get(need.of[0])
        yield StepNeed(
            need.label if row is None else row.name,
            domain.met(need, done),
            need.is_required,
            None if row is None else row.step,
            domain.reached(need, done),
            need.count,
            need.is_set,
            need.is_badge,
            len(need.of) if need.is_set else 0,
        )
