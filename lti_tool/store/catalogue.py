"""Categories and micromodules of one organisation, as its staff sees and changes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, Subquery, delete, func, insert, select, update
from sqlalchemy.orm import Session

from lti_tool.store.categories import last_position
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Category,
    Completion,
    Context,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    Organisation,
    Placement,
    Registration,
    new_id,
)


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A named group of micromodules."""

    id: str
    name: str
    micromodules: int


@dataclass(frozen=True, slots=True)
class MicromoduleRow:
    """A micromodule by its newest version."""

    id: str
    name: str
    description: str
    version: int
    achievement_version_id: str | None
    image_alt: str
    courses: int
    """In which it stands."""
    holders: int
    """Badges awarded, over all versions."""
    completions: int
    created_at: datetime
    archived_at: datetime | None
    categories: tuple[str, ...] = ()
    """Their names."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One published version."""

    id: str
    number: int
    name: str
    criteria: dict[str, Any]
    achievement_version_id: str | None
    courses: int
    holders: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlacedInRow:
    """A course in which a micromodule stands."""

    context_id: str
    title: str | None
    platform: str
    version: int
    status: str


# -- the organisation


def organisation_name(session: Session, organisation_id: str) -> str | None:
    """What it is called."""
    return session.scalar(select(Organisation.name).where(Organisation.id == organisation_id))


def rename_organisation(session: Session, organisation_id: str, name: str) -> None:
    """Call it something else; its issuers keep their names, which signed badges carry."""
    session.execute(update(Organisation).where(Organisation.id == organisation_id).values(name=name))


# -- categories


def categories(session: Session, organisation_id: str) -> tuple[CategoryRow, ...]:
    """Every category, in the order that staff gave them; those without one by name."""
    rows = session.execute(
        select(
            Category.id,
            Category.name,
            select(func.count())
            .select_from(MicromoduleCategory)
            .where(MicromoduleCategory.category_id == Category.id)
            .scalar_subquery()
            .label("micromodules"),
        )
        .where(Category.organisation_id == organisation_id)
        .order_by(Category.position, func.lower(Category.name), Category.id)
    )
    return tuple(CategoryRow(**row._mapping) for row in rows)


def category(session: Session, organisation_id: str, category_id: str) -> CategoryRow | None:
    """One category of this organisation."""
    return next((one for one in categories(session, organisation_id) if one.id == category_id), None)


def add_category(session: Session, organisation_id: str, name: str) -> str | None:
    """A new category; its id, or None where one has this name already."""
    id_ = new_id()
    position = last_position(session, organisation_id)
    values = {"id": id_, "organisation_id": organisation_id, "name": name, "position": position}
    return id_ if insert_if_absent(session, Category, values, on=("organisation_id", "name")) else None


def rename_category(session: Session, organisation_id: str, category_id: str, name: str) -> bool:
    """Call a category something else; False where another one has this name already."""
    taken = session.scalar(
        select(Category.id).where(
            Category.organisation_id == organisation_id, Category.name == name, Category.id != category_id
        )
    )
    if taken is not None:
        return False
    session.execute(
        update(Category)
        .where(Category.organisation_id == organisation_id, Category.id == category_id)
        .values(name=name)
    )
    return True


def delete_category(session: Session, organisation_id: str, category_id: str) -> None:
    """Delete a category; its micromodules stay."""
    session.execute(
        delete(Category).where(Category.organisation_id == organisation_id, Category.id == category_id)
    )


def categories_of(session: Session, organisation_id: str, micromodule_id: str) -> frozenset[str]:
    """Ids of the categories that a micromodule is in."""
    return frozenset(
        session.scalars(
            select(MicromoduleCategory.category_id).where(
                MicromoduleCategory.organisation_id == organisation_id,
                MicromoduleCategory.micromodule_id == micromodule_id,
            )
        )
    )


def micromodules_in(session: Session, organisation_id: str, category_id: str) -> list[str]:
    """Ids of the micromodules in a category, those put aside, too."""
    return list(
        session.scalars(
            select(MicromoduleCategory.micromodule_id)
            .where(
                MicromoduleCategory.organisation_id == organisation_id,
                MicromoduleCategory.category_id == category_id,
            )
            .order_by(MicromoduleCategory.position, MicromoduleCategory.micromodule_id)
        )
    )


def set_categories(
    session: Session, organisation_id: str, micromodule_id: str, category_ids: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Put a micromodule into these categories and no others; ids of other organisations are left out.

    :returns: those that it came into, and those that it left.
    """
    wanted = frozenset(
        session.scalars(
            select(Category.id).where(
                Category.organisation_id == organisation_id, Category.id.in_(category_ids)
            )
        )
    )
    known = categories_of(session, organisation_id, micromodule_id)
    session.execute(
        delete(MicromoduleCategory).where(
            MicromoduleCategory.organisation_id == organisation_id,
            MicromoduleCategory.micromodule_id == micromodule_id,
            MicromoduleCategory.category_id.in_(known - wanted),
        )
    )
    new = [
        {
            "micromodule_id": micromodule_id,
            "category_id": id_,
            "organisation_id": organisation_id,
            "position": last_position(session, organisation_id, id_),
        }
        for id_ in sorted(wanted - known)
    ]
    if new:
        session.execute(insert(MicromoduleCategory), new)
    return wanted - known, known - wanted


# -- micromodules


def _micromodules(organisation_id: str) -> Select[Any]:
    newest = (
        select(MicromoduleVersion.micromodule_id, func.max(MicromoduleVersion.number).label("number"))
        .where(MicromoduleVersion.organisation_id == organisation_id)
        .group_by(MicromoduleVersion.micromodule_id)
        .subquery()
    )
    # Counted once for all, then joined: a count of its own for each row costs the square of their number.
    placed = _counted(
        select(MicromoduleVersion.micromodule_id, func.count(Placement.context_id.distinct()).label("number"))
        .join(Placement, Placement.micromodule_version_id == MicromoduleVersion.id)
        .where(Placement.organisation_id == organisation_id, Placement.status == "active"),
        MicromoduleVersion.micromodule_id,
    )
    awarded = _counted(
        select(Achievement.micromodule_id, func.count().label("number"))
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .join(Award, Award.achievement_version_id == AchievementVersion.id)
        .where(Award.organisation_id == organisation_id),
        Achievement.micromodule_id,
    )
    completed = _counted(
        select(MicromoduleVersion.micromodule_id, func.count().label("number"))
        .join(Completion, Completion.micromodule_version_id == MicromoduleVersion.id)
        .where(Completion.organisation_id == organisation_id),
        MicromoduleVersion.micromodule_id,
    )
    query = (
        select(
            Micromodule.id,
            MicromoduleVersion.name,
            MicromoduleVersion.description,
            MicromoduleVersion.number.label("version"),
            MicromoduleVersion.achievement_version_id,
            func.coalesce(AchievementVersion.image_alt, "").label("image_alt"),
            func.coalesce(placed.c.number, 0).label("courses"),
            func.coalesce(awarded.c.number, 0).label("holders"),
            func.coalesce(completed.c.number, 0).label("completions"),
            Micromodule.created_at,
            Micromodule.archived_at,
        )
        .join(newest, newest.c.micromodule_id == Micromodule.id)
        .join(
            MicromoduleVersion,
            (MicromoduleVersion.micromodule_id == Micromodule.id)
            & (MicromoduleVersion.number == newest.c.number),
        )
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .outerjoin(placed, placed.c.micromodule_id == Micromodule.id)
        .outerjoin(awarded, awarded.c.micromodule_id == Micromodule.id)
        .outerjoin(completed, completed.c.micromodule_id == Micromodule.id)
        .where(Micromodule.organisation_id == organisation_id)
    )
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def _counted(query: Select[*tuple[Any, ...]], by: Any) -> Subquery:
    return query.group_by(by).subquery()


def micromodules(
    session: Session, organisation_id: str, *, category_id: str | None = None, is_archived: bool = False
) -> tuple[MicromoduleRow, ...]:
    """The micromodules in use, or those put aside, by name; of a category, if one is named, in its order."""
    query = _micromodules(organisation_id).where(
        Micromodule.archived_at.is_not(None) if is_archived else Micromodule.archived_at.is_(None)
    )
    if category_id is not None:
        query = query.join(
            MicromoduleCategory,
            (MicromoduleCategory.micromodule_id == Micromodule.id)
            & (MicromoduleCategory.category_id == category_id)
            & (MicromoduleCategory.organisation_id == organisation_id),
        ).order_by(MicromoduleCategory.position)
    rows = session.execute(query.order_by(func.lower(MicromoduleVersion.name), Micromodule.id)).all()
    names: dict[str, tuple[str, ...]] = {}
    for micromodule_id, name in session.execute(
        select(MicromoduleCategory.micromodule_id, Category.name)
        .join(Category, Category.id == MicromoduleCategory.category_id)
        .where(Category.organisation_id == organisation_id)
        .order_by(Category.position, func.lower(Category.name), Category.id)
    ):
        names[micromodule_id] = (*names.get(micromodule_id, ()), name)
    return tuple(MicromoduleRow(**row._mapping, categories=names.get(row.id, ())) for row in rows)


def micromodule(session: Session, organisation_id: str, micromodule_id: str) -> MicromoduleRow | None:
    """One micromodule of this organisation, archived or not."""
    row = session.execute(
        _micromodules(organisation_id).where(Micromodule.id == micromodule_id)
    ).one_or_none()
    return None if row is None else MicromoduleRow(**row._mapping)


def micromodule_names(session: Session, organisation_id: str) -> tuple[tuple[str, str], ...]:
    """(id, name) of every micromodule, archived ones too, by name: to choose from."""
    newest = (
        select(MicromoduleVersion.micromodule_id, func.max(MicromoduleVersion.number).label("number"))
        .where(MicromoduleVersion.organisation_id == organisation_id)
        .group_by(MicromoduleVersion.micromodule_id)
        .subquery()
    )
    rows = session.execute(
        select(MicromoduleVersion.micromodule_id, MicromoduleVersion.name)
        .join(
            newest,
            (newest.c.micromodule_id == MicromoduleVersion.micromodule_id)
            & (newest.c.number == MicromoduleVersion.number),
        )
        .order_by(func.lower(MicromoduleVersion.name), MicromoduleVersion.micromodule_id)
    )
    return tuple((id_, name) for id_, name in rows)


def versions(session: Session, organisation_id: str, micromodule_id: str) -> tuple[VersionRow, ...]:
    """Every version of a micromodule, the newest first."""
    rows = session.execute(
        select(
            MicromoduleVersion.id,
            MicromoduleVersion.number,
            MicromoduleVersion.name,
            MicromoduleVersion.criteria,
            MicromoduleVersion.achievement_version_id,
            select(func.count(Placement.context_id.distinct()))
            .where(Placement.micromodule_version_id == MicromoduleVersion.id, Placement.status == "active")
            .scalar_subquery()
            .label("courses"),
            select(func.count())
            .select_from(Award)
            .where(Award.achievement_version_id == MicromoduleVersion.achievement_version_id)
            .scalar_subquery()
            .label("holders"),
            MicromoduleVersion.created_at,
        )
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
        )
        .order_by(MicromoduleVersion.number.desc())
    )
    return tuple(VersionRow(**row._mapping) for row in rows)


def placed_in(
    session: Session, organisation_id: str, micromodule_id: str, limit: int
) -> tuple[PlacedInRow, ...]:
    """The courses in which a micromodule stands, by title."""
    rows = session.execute(
        select(
            Context.id.label("context_id"),
            Context.title,
            Registration.name.label("platform"),
            MicromoduleVersion.number.label("version"),
            Placement.status,
        )
        .join(Placement, Placement.context_id == Context.id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Registration, Registration.id == Context.registration_id)
        .where(
            Placement.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
            Placement.status != "removed",
        )
        .order_by(Context.title, Context.id, Placement.id)
        .limit(limit)
    )
    return tuple(PlacedInRow(**row._mapping) for row in rows)


def set_archived(
    session: Session, organisation_id: str, micromodule_id: str, archived_at: datetime | None
) -> None:
    """Put a micromodule aside, or take it back: it is offered to nobody new, and stays where it stands."""
    session.execute(
        update(Micromodule)
        .where(Micromodule.organisation_id == organisation_id, Micromodule.id == micromodule_id)
        .values(archived_at=archived_at)
    )
