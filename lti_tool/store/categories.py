"""The order of categories and of what is in them, and what came into each or left it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.tables import (
    Category,
    CategoryChange,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    new_id,
)

# -- order


def move(session: Session, organisation_id: str, category_id: str, step: int) -> bool:
    """Let a category change places with the one before it (-1) or after it (1); False at the end.

    Under :func:`~lti_tool.store.organisations.lock`. From the first move on every category has a place of its
    own.
    """
    ordered = list(
        session.scalars(
            sa.select(Category.id)
            .where(Category.organisation_id == organisation_id)
            .order_by(Category.position, sa.func.lower(Category.name), Category.id)
        )
    )
    if not _step(ordered, category_id, step):
        return False
    for position, id_ in enumerate(ordered, 1):
        session.execute(
            sa.update(Category)
            .where(Category.organisation_id == organisation_id, Category.id == id_)
            .values(position=position)
        )
    return True


def move_within(
    session: Session, organisation_id: str, category_id: str, micromodule_id: str, step: int
) -> bool:
    """The same of a micromodule within a category; those put aside are passed over.

    Under :func:`~lti_tool.store.organisations.lock`.
    """
    newest = _newest(organisation_id)
    found = session.execute(
        sa.select(MicromoduleCategory.micromodule_id, Micromodule.archived_at)
        .join(Micromodule, Micromodule.id == MicromoduleCategory.micromodule_id)
        .join(newest, newest.c.micromodule_id == MicromoduleCategory.micromodule_id)
        .where(
            MicromoduleCategory.organisation_id == organisation_id,
            MicromoduleCategory.category_id == category_id,
        )
        .order_by(
            MicromoduleCategory.position, sa.func.lower(newest.c.name), MicromoduleCategory.micromodule_id
        )
    ).all()
    shown = [id_ for id_, archived_at in found if archived_at is None]
    if not _step(shown, micromodule_id, step):
        return False
    aside = [id_ for id_, archived_at in found if archived_at is not None]
    for position, id_ in enumerate([*shown, *aside], 1):
        session.execute(
            sa.update(MicromoduleCategory)
            .where(
                MicromoduleCategory.organisation_id == organisation_id,
                MicromoduleCategory.category_id == category_id,
                MicromoduleCategory.micromodule_id == id_,
            )
            .values(position=position)
        )
    return True


def _step(ordered: list[str], id_: str, step: int) -> bool:
    if id_ not in ordered:
        return False
    here = ordered.index(id_)
    there = here + step
    if not 0 <= there < len(ordered):
        return False
    ordered[here], ordered[there] = ordered[there], ordered[here]
    return True


def last_position(session: Session, organisation_id: str, category_id: str | None = None) -> int:
    """The place of what is new: behind the others, or among them by name where nobody ordered them yet.

    :param category_id: within this category; else among the categories.
    """
    if category_id is None:
        query = sa.select(sa.func.max(Category.position)).where(Category.organisation_id == organisation_id)
    else:
        query = sa.select(sa.func.max(MicromoduleCategory.position)).where(
            MicromoduleCategory.organisation_id == organisation_id,
            MicromoduleCategory.category_id == category_id,
        )
    last = session.scalar(query) or 0
    return last + 1 if last else 0


def _newest(organisation_id: str) -> Any:
    numbers = (
        sa.select(MicromoduleVersion.micromodule_id, sa.func.max(MicromoduleVersion.number).label("number"))
        .where(MicromoduleVersion.organisation_id == organisation_id)
        .group_by(MicromoduleVersion.micromodule_id)
        .subquery()
    )
    return (
        sa.select(MicromoduleVersion.micromodule_id, MicromoduleVersion.name)
        .join(
            numbers,
            (numbers.c.micromodule_id == MicromoduleVersion.micromodule_id)
            & (numbers.c.number == MicromoduleVersion.number),
        )
        .subquery()
    )


# -- history


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A micromodule came into a category, or left it."""

    micromodule_id: str
    name: str
    """As its newest version calls it."""
    action: str
    """``added`` or ``removed``."""
    actor: str
    at: datetime


def note(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    *,
    added: Iterable[str],
    removed: Iterable[str],
    actor: str,
    now: datetime,
) -> None:
    """Keep into which categories a micromodule came, and which it left."""
    for action, category_ids in (("added", added), ("removed", removed)):
        for category_id in sorted(category_ids):
            session.add(
                CategoryChange(
                    id=new_id(),
                    organisation_id=organisation_id,
                    category_id=category_id,
                    micromodule_id=micromodule_id,
                    action=action,
                    actor=actor,
                    at=now,
                )
            )


def history(
    session: Session, organisation_id: str, category_id: str, *, limit: int, offset: int = 0
) -> tuple[ChangeRow, ...]:
    """What came into a category and left it, the newest first."""
    newest = _newest(organisation_id)
    rows = session.execute(
        sa.select(
            CategoryChange.micromodule_id,
            newest.c.name,
            CategoryChange.action,
            CategoryChange.actor,
            CategoryChange.at,
        )
        .join(newest, newest.c.micromodule_id == CategoryChange.micromodule_id)
        .where(CategoryChange.organisation_id == organisation_id, CategoryChange.category_id == category_id)
        .order_by(CategoryChange.at.desc(), CategoryChange.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return tuple(ChangeRow(*row) for row in rows)


def count_history(session: Session, organisation_id: str, category_id: str) -> int:
    """How many changes of a category are kept."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(CategoryChange)
            .where(
                CategoryChange.organisation_id == organisation_id, CategoryChange.category_id == category_id
            )
        )
        or 0
    )
