"""Nobody publishes badges that ask for each other: circles are found where criteria are saved.

The newest criteria of every step of an organisation, drafts included, have no circle. Whoever changes one of
them, or what a category or the organisation has of which some ask for all, asks here: inside the transaction
that changes it and under one lock for the organisation, so that of two who would make a circle together the
second is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Criterion, HoldsAchievement, MicromodulesCompleted, leaves
from lti_tool.domain.pathways import Graph, Need, circle, closed, needs_of
from lti_tool.errors import Conflict, ErrorCode
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import RowKind
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store import organisations
from lti_tool.store import pathways as store

NAMED: Final = 12
"""Steps of a circle that a sentence names."""


def read_graph(
    session: Session,
    organisation_id: str,
    changed: dict[str, Criterion] | None = None,
    *,
    steps: Collection[str] | None = None,
    is_offered: bool = False,
) -> Graph:
    """What each step of an organisation needs; five queries at most, whatever there is.

    :param changed: what steps ask for that is not stored yet.
    :param steps: only what these need; else what every step needs.
    :param is_offered: of sets only what is published: what is being prepared is nobody's step yet.
    """
    stored = store.asking_steps(session, organisation_id, steps)
    asked = {row.step: parse_criteria(row.criteria) for row in stored} | (changed or {})
    every = [leaf for criterion in asked.values() for leaf in leaves(criterion)]
    step_of = store.steps_of_achievements(
        session,
        organisation_id,
        {leaf.achievement_id for leaf in every if isinstance(leaf, HoldsAchievement)},
    )
    members = _members_of(
        session,
        organisation_id,
        [leaf for leaf in every if isinstance(leaf, MicromodulesCompleted)],
        is_offered=is_offered,
    )
    graph: dict[str, tuple[Need, ...]] = {}
    for step, criterion in asked.items():
        needs = needs_of(criterion, step_of.get, members)
        if needs:
            graph[step] = needs
    return graph


def _members_of(
    session: Session, organisation_id: str, sets: Sequence[MicromodulesCompleted], *, is_offered: bool
) -> Callable[[MicromodulesCompleted], Sequence[str]]:
    categories = {leaf.category_id for leaf in sets if leaf.category_id is not None}
    of_categories = store.members(session, organisation_id, categories, is_offered=is_offered)
    everything: Sequence[store.Member] = ()
    if any(leaf.category_id is None and not (leaf.micromodule_ids and leaf.count) for leaf in sets):
        everything = store.micromodules_of(session, organisation_id, is_offered=is_offered)

    def members(leaf: MicromodulesCompleted) -> Sequence[str]:
        found = everything if leaf.category_id is None else of_categories.get(leaf.category_id, ())
        if leaf.micromodule_ids and leaf.count is not None:
            return leaf.micromodule_ids
        listed = frozenset(leaf.micromodule_ids)
        return [
            one.micromodule_id
            for one in found
            if (one.is_whole or leaf.count is not None) and (not listed or one.micromodule_id in listed)
        ]

    return members


def circle_of(
    session: Session, organisation_id: str, step: str, criterion: Criterion | None = None
) -> tuple[tuple[str, str], ...]:
    """(step, name) around the circle that ``step`` would stand in; empty where it is in none.

    :param criterion: what it is to ask for; what is stored where nothing is said.
    """
    graph = read_graph(session, organisation_id, None if criterion is None else {step: criterion})
    return _called(session, organisation_id, graph, circle(graph, step))


def _called(
    session: Session, organisation_id: str, graph: Graph, around: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    if not around:
        return ()
    names = store.named(session, organisation_id, around)
    labels = {one: need.label for needs in graph.values() for need in needs for one in need.of}
    return tuple((one, names[one].name if one in names else labels.get(one, "")) for one in around)


def check_circle(
    session: Session,
    organisation_id: str,
    step: str,
    criterion: Criterion,
    *,
    form: MicromoduleForm | None = None,
    field: str = "criteria",
) -> None:
    """Refuse criteria that would ask for what asks for them.

    :param form: where they were typed: the rule that leads on is named.
    :raises RequestInvalid: ``form_invalid``; the problem's ``names`` are the steps around.
    """
    around = circle_of(session, organisation_id, step, criterion)
    if around:
        following = around[1 % len(around)][0]
        if form is not None:
            field = _row_of(session, organisation_id, form, following) or field
        check_form([Problem(field, FormProblem.ASKS_IN_CIRCLE, {"names": _names(around)})])


def check_saved(session: Session, organisation_id: str, step: str, criterion: Criterion) -> None:
    """:func:`check_circle` under the lock, of what the caller's transaction is about to save.

    :raises RequestInvalid: ``form_invalid``.
    """
    organisations.lock(session, organisation_id)
    check_circle(session, organisation_id, step, criterion)


def refuse_published_circle(session: Session, organisation_id: str, step: str, criterion: Criterion) -> None:
    """Refuse to publish what stands in a circle: one that was saved before circles were refused, or that a
    draft of a former version would close.

    :param criterion: what is published asks for.
    :raises Conflict: ``pathway_circle``; ``names`` are the steps around.
    """
    organisations.lock(session, organisation_id)
    _refuse(circle_of(session, organisation_id, step, criterion))


@contextmanager
def refuse_new_circles(session: Session, organisation_id: str, *, field: str | None = None) -> Iterator[None]:
    """Refuse what the block writes, under the lock, if anything goes round in a circle by it that did not.

    For changes of what sets have, by which several steps need others than before: sorting, putting aside and
    taking back, and what is new. The caller's transaction is to end with the error.

    :param field: of the form by which it is done, if there is one.
    :raises RequestInvalid: ``form_invalid`` where there is a ``field``.
    :raises Conflict: ``pathway_circle`` where there is none; ``names`` are the steps around.
    """
    organisations.lock(session, organisation_id)
    before = read_graph(session, organisation_id)
    yield
    session.flush()
    after = read_graph(session, organisation_id)
    around = _called(session, organisation_id, after, closed(before, after))
    if around and field is not None:
        check_form([Problem(field, FormProblem.ASKS_IN_CIRCLE, {"names": _names(around)})])
    _refuse(around)


def _refuse(around: Sequence[tuple[str, str]]) -> None:
    if around:
        detail = " > ".join(step for step, _name in around[:NAMED])
        raise Conflict(ErrorCode.PATHWAY_CIRCLE, detail, names=_names(around))


def _names(around: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name for _step, name in around[:NAMED])


def _row_of(session: Session, organisation_id: str, form: MicromoduleForm, step: str) -> str | None:
    """The field of the rule that asks for ``step``."""
    held = {row.choice for row in form.rows if row.kind == RowKind.HOLDS and row.choice}
    steps = store.steps_of_achievements(session, organisation_id, held)
    for number, row in enumerate(form.rows):
        if (row.kind == RowKind.COMPLETED and row.choice == step) or (
            row.kind == RowKind.HOLDS and steps.get(row.choice) == step
        ):
            return f"criteria-{number}-choice"
    return None
