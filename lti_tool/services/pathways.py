"""Pathways: what has to be finished before a badge, what it opens, and how far a learner is along the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from lti_tool.domain import pathways as domain
from lti_tool.domain.pathways import Graph, Standing
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.circles import read_graph
from lti_tool.services.launching import SessionView
from lti_tool.store import pathways as store
from lti_tool.store.database import Database
from lti_tool.store.pathways import StepRow


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
    """Null for a set."""
    reached: int = 0
    least: int = 1


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step on the way."""

    row: StepRow
    standing: Standing
    level: int
    needs: tuple[StepNeed, ...]
    is_goal: bool


@dataclass(frozen=True, slots=True)
class PathView:
    """The way to one badge."""

    goal: StepRow
    steps: tuple[PathStep, ...]
    """In an order to take them; the goal comes last."""
    opens: tuple[StepRow, ...]
    is_personal: bool
    """Whether it says how far somebody is: not to people who teach, and not where nobody is known."""

    @property
    def done(self) -> int:
        """How many steps are finished."""
        return sum(step.standing is Standing.DONE for step in self.steps)


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
        """What each of some achievement versions opens; nothing where no step of the organisation needs any.

        :param held: versions of badges in the wallet that count: what they stand for is open already.
        """
        if not version_ids:
            return {}
        with self.database.read() as session:
            asking = store.asking_steps(session, organisation_id)
            if not asking:
                return {}
            graph = _light_graph(session, organisation_id, asking)
            steps = store.steps_of_versions(session, organisation_id, version_ids)
            opened_by = domain.opened_by(graph)
            done = {steps[id_].step for id_ in held if id_ in steps}
            opened = {one for each in steps.values() for one in opened_by.get(each.step, ())} - done
            rows = store.named(session, organisation_id, opened)
        return {
            id_: Beside(
                each.achievement_id,
                _published(rows, (one for one in opened_by.get(each.step, ()) if one not in done)),
            )
            for id_, each in steps.items()
            if each.step in graph or each.step in opened_by
        }

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
            graph = read_graph(reading, organisation_id)
            way = domain.way_to(graph, goal)
            opens = domain.opened_by(graph).get(goal, ())
            rows = store.named(reading, organisation_id, [*way, *opens])
            done: frozenset[str] = frozenset()
            if is_personal:
                done = store.done(reading, organisation_id, session.learner_id, self.clock())
        if goal not in rows or not (rows[goal].is_published or session.can_view_progress or goal in done):
            raise NotFound(ErrorCode.NOT_FOUND, f"achievement {achievement_id} is not offered")
        level = domain.levels(graph, way)
        names = {one: row.name for one, row in rows.items()}
        return PathView(
            rows[goal],
            tuple(
                PathStep(
                    rows[one],
                    domain.standing(graph, one, done),
                    level[one],
                    tuple(_needs(graph, one, done, names)),
                    one == goal,
                )
                for one in way
                if one in rows
            ),
            _published(rows, opens),
            is_personal,
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
            asking = store.asking_steps(session, organisation_id)
            if not asking:
                return PublicSteps()
            graph = _light_graph(session, organisation_id, asking)
            requires, opens = domain.singly(graph, step), domain.opened_by(graph).get(step, ())
            rows = store.named(session, organisation_id, [*requires, *opens])
        return PublicSteps(_published(rows, requires), _published(rows, opens))


def _light_graph(session: Session, organisation_id: str, asking: Iterable[store.AskingStep]) -> Graph:
    """The steps that are asked for by name only, read from what is stored without checking it: a wallet is
    looked at a thousand times as often as criteria are saved."""
    asked = {row.step: tuple(_named_in(row.criteria)) for row in asking}
    held = {id_ for pairs in asked.values() for kind, id_ in pairs if kind == "holds"}
    steps = store.steps_of_achievements(session, organisation_id, held)
    graph: dict[str, tuple[domain.Need, ...]] = {}
    for step, pairs in asked.items():
        before = [steps.get(id_) if kind == "holds" else id_ for kind, id_ in pairs]
        needs = tuple(domain.Need((one,)) for one in dict.fromkeys(before) if one is not None)
        if needs:
            graph[step] = needs
    return graph


def _named_in(stored: Any) -> Iterator[tuple[str, str]]:
    """(kind, id) of every completion and badge that stored criteria ask for."""
    if isinstance(stored, Mapping):
        kind = stored.get("type")
        if kind == "completed":
            yield kind, str(stored.get("micromodule_id"))
        elif kind == "holds":
            yield kind, str(stored.get("achievement_id"))
        else:
            for value in stored.values():
                yield from _named_in(value)
    elif isinstance(stored, list):
        for value in stored:
            yield from _named_in(value)


def _published(rows: Mapping[str, StepRow], steps: Iterable[str]) -> tuple[StepRow, ...]:
    found = [rows[one] for one in dict.fromkeys(steps) if one in rows and rows[one].is_published]
    return tuple(sorted(found, key=lambda row: (row.name.casefold(), row.step)))


def _needs(graph: Graph, step: str, done: Collection[str], names: Mapping[str, str]) -> Iterator[StepNeed]:
    for need in graph.get(step, ()):
        one = None if need.is_set else need.of[0]
        yield StepNeed(
            names.get(one or "", need.label),
            domain.met(need, done),
            need.is_required,
            one,
            domain.reached(need, done),
            need.least,
        )
