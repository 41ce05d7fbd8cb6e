"""Which step asks for which by name: written with the criteria, so that a wallet need not read any.

A step is a micromodule or a milestone's achievement (:mod:`lti_tool.domain.pathways`). The table says what
the newest criteria of each ask for; sets, whose members change, are not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.dialects import is_of, one_of
from lti_tool.store.tables import Achievement, Micromodule, StepNeed


class Edge(NamedTuple):
    """A step, and one that it asks for."""

    step: str
    needs: str


def note(session: Session, organisation_id: str, step: str, criteria: Mapping[str, Any]) -> None:
    """Write down what a step's newest criteria ask for, in place of what they asked for before.

    What is not this organisation's is left out: ids in criteria are text.
    """
    asked = list(asked_for(criteria))
    completed = {id_ for kind, id_ in asked if kind == "completed"}
    held = {id_ for kind, id_ in asked if kind == "holds"}
    needs: set[str] = set()
    if completed:
        needs.update(
            session.scalars(
                sa.select(Micromodule.id).where(
                    is_of(Micromodule.organisation_id, organisation_id),
                    one_of(session, Micromodule.id, sorted(completed)),
                )
            )
        )
    if held:
        needs.update(
            session.scalars(
                sa.select(sa.func.coalesce(Achievement.micromodule_id, Achievement.id)).where(
                    is_of(Achievement.organisation_id, organisation_id),
                    one_of(session, Achievement.id, sorted(held)),
                )
            )
        )
    forget(session, organisation_id, step)
    if needs:
        rows = [{"step": step, "needs": one, "organisation_id": organisation_id} for one in sorted(needs)]
        session.execute(sa.insert(StepNeed), rows)


def forget(session: Session, organisation_id: str, step: str) -> None:
    """Let a step ask for nothing, also where it goes for good."""
    session.execute(
        sa.delete(StepNeed)
        .where(StepNeed.organisation_id == organisation_id, StepNeed.step == step)
        .execution_options(synchronize_session=False)
    )


def asked_for(stored: object) -> Iterator[tuple[str, str]]:
    """(``completed`` or ``holds``, id) of every completion and badge that stored criteria ask for by name.

    Read without checking them, and without recursion, which what is stored could be too deep for.
    """
    waiting: list[object] = [stored]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            kind = one.get("type")
            if kind == "completed":
                yield kind, str(one.get("micromodule_id"))
            elif kind == "holds":
                yield kind, str(one.get("achievement_id"))
            else:
                waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def around(session: Session, organisation_id: str, steps: Collection[str]) -> tuple[Edge, ...]:
    """What some steps ask for, and what asks for them. One query, by index."""
    if not steps:
        return ()
    asked = sorted(set(steps))
    own = sa.select(StepNeed.step, StepNeed.needs).where(is_of(StepNeed.organisation_id, organisation_id))
    rows = session.execute(
        own.where(one_of(session, StepNeed.step, asked)).union(
            own.where(one_of(session, StepNeed.needs, asked))
        )
    )
    return tuple(Edge(*row) for row in rows)


def every(session: Session, organisation_id: str) -> tuple[Edge, ...]:
    """All of an organisation. One query."""
    rows = session.execute(
        sa.select(StepNeed.step, StepNeed.needs)
        .where(is_of(StepNeed.organisation_id, organisation_id))
        .order_by(StepNeed.step, StepNeed.needs)
    )
    return tuple(Edge(*row) for row in rows)
