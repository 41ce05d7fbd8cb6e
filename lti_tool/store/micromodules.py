"""Micromodules, achievements, categories and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Category,
    Issuer,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    Organisation,
    new_id,
)


@dataclass(frozen=True, slots=True)
class MicromoduleVersionView:
    """One version of a micromodule, with its badge's picture by reference."""

    id: str
    organisation_id: str
    micromodule_id: str
    number: int
    name: str
    description: str
    skills: tuple[str, ...]
    criteria: dict[str, Any]
    achievement_version_id: str | None
    image_alt: str
    achievement_id: str | None = None


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A category with what is in it."""

    id: str
    name: str
    micromodule_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class AchievementVersionView:
    """Everything an achievement document needs, the picture excepted."""

    id: str
    organisation_id: str
    organisation_name: str
    achievement_id: str
    number: int
    name: str
    description: str
    criteria_narrative: str
    skills: tuple[str, ...]
    language: str
    image_alt: str
    created_at: datetime
    issuer_id: str
    issuer_name: str
    issuer_url: str | None
    issuer_email: str | None
    issuer_description: str | None


@dataclass(frozen=True, slots=True)
class NewMicromodule:
    """What a form describes, ready to be stored as version 1."""

    name: str
    description: str
    """As somebody wrote it; may be empty."""
    summary: str
    """The criteria in one line: signed where nobody wrote a description, which Open Badges asks for."""
    skills: tuple[str, ...]
    criteria: dict[str, Any]
    criteria_narrative: str
    language: str
    artwork: dict[str, Any]
    image_alt: str
    image_svg: str
    image_png: bytes


def _versions() -> Select[Any]:
    return select(
        MicromoduleVersion.id,
        MicromoduleVersion.organisation_id,
        MicromoduleVersion.micromodule_id,
        MicromoduleVersion.number,
        MicromoduleVersion.name,
        MicromoduleVersion.description,
        MicromoduleVersion.skills,
        MicromoduleVersion.criteria,
        MicromoduleVersion.achievement_version_id,
        func.coalesce(AchievementVersion.image_alt, "").label("image_alt"),
        AchievementVersion.achievement_id,
    ).outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)


def _version_view(row: Any) -> MicromoduleVersionView:
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    return MicromoduleVersionView(**values)


def current_versions(session: Session, organisation_id: str) -> tuple[MicromoduleVersionView, ...]:
    """The newest version of every micromodule that is not archived, by name."""
    newest = (
        select(MicromoduleVersion.micromodule_id, func.max(MicromoduleVersion.number).label("number"))
        .join(Micromodule, Micromodule.id == MicromoduleVersion.micromodule_id)
        .where(MicromoduleVersion.organisation_id == organisation_id, Micromodule.archived_at.is_(None))
        .group_by(MicromoduleVersion.micromodule_id)
        .subquery()
    )
    rows = session.execute(
        _versions()
        .join(
            newest,
            (newest.c.micromodule_id == MicromoduleVersion.micromodule_id)
            & (newest.c.number == MicromoduleVersion.number),
        )
        .where(MicromoduleVersion.organisation_id == organisation_id)
        .order_by(MicromoduleVersion.name, MicromoduleVersion.id)
    )
    return tuple(_version_view(row) for row in rows)


def is_archived(session: Session, organisation_id: str, version_id: str) -> bool:
    """Whether the micromodule of this version is put aside."""
    return bool(
        session.scalar(
            select(Micromodule.archived_at.is_not(None))
            .join(MicromoduleVersion, MicromoduleVersion.micromodule_id == Micromodule.id)
            .where(Micromodule.organisation_id == organisation_id, MicromoduleVersion.id == version_id)
        )
    )


def version(session: Session, organisation_id: str, version_id: str) -> MicromoduleVersionView | None:
    """One version, if this organisation owns it."""
    row = session.execute(
        _versions().where(
            MicromoduleVersion.organisation_id == organisation_id, MicromoduleVersion.id == version_id
        )
    ).one_or_none()
    return None if row is None else _version_view(row)


def _achievements() -> Select[Any]:
    return (
        select(
            AchievementVersion.id,
            AchievementVersion.organisation_id,
            Organisation.name.label("organisation_name"),
            AchievementVersion.achievement_id,
            AchievementVersion.number,
            AchievementVersion.name,
            AchievementVersion.description,
            AchievementVersion.criteria_narrative,
            AchievementVersion.skills,
            AchievementVersion.language,
            AchievementVersion.image_alt,
            AchievementVersion.created_at,
            Issuer.id.label("issuer_id"),
            Issuer.name.label("issuer_name"),
            Issuer.url.label("issuer_url"),
            Issuer.email.label("issuer_email"),
            Issuer.description.label("issuer_description"),
        )
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .join(Issuer, Issuer.id == Achievement.issuer_id)
        .join(Organisation, Organisation.id == AchievementVersion.organisation_id)
    )


def _achievement_view(row: Any) -> AchievementVersionView:
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    return AchievementVersionView(**values)


def achievement_versions(session: Session, version_ids: Sequence[str]) -> dict[str, AchievementVersionView]:
    """Achievement versions by id, whoever owns them: what a badge stands for is public."""
    rows = session.execute(_achievements().where(AchievementVersion.id.in_(version_ids)))
    return {row.id: _achievement_view(row) for row in rows}


def public_achievement(session: Session, id_: str) -> AchievementVersionView | None:
    """An achievement version by its id, or an achievement's newest version by the achievement's id."""
    row = session.execute(
        _achievements()
        .where((AchievementVersion.id == id_) | (AchievementVersion.achievement_id == id_))
        .order_by(AchievementVersion.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _achievement_view(row)


def achievements_of_issuer(session: Session, issuer_id: str) -> tuple[AchievementVersionView, ...]:
    """The newest version of each achievement of an issuer, by name."""
    newest = (
        select(AchievementVersion.achievement_id, func.max(AchievementVersion.number).label("number"))
        .group_by(AchievementVersion.achievement_id)
        .subquery()
    )
    rows = session.execute(
        _achievements()
        .join(
            newest,
            (newest.c.achievement_id == AchievementVersion.achievement_id)
            & (newest.c.number == AchievementVersion.number),
        )
        .where(Issuer.id == issuer_id)
        .order_by(AchievementVersion.name, AchievementVersion.id)
    )
    return tuple(_achievement_view(row) for row in rows)


def achievement_choices(session: Session, organisation_id: str) -> tuple[tuple[str, str], ...]:
    """(id, name in its newest version) of every achievement that can still be earned, by name."""
    newest = (
        select(AchievementVersion.achievement_id, func.max(AchievementVersion.number).label("number"))
        .where(AchievementVersion.organisation_id == organisation_id)
        .group_by(AchievementVersion.achievement_id)
        .subquery()
    )
    rows = session.execute(
        select(Achievement.id, AchievementVersion.name)
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .join(
            newest,
            (newest.c.achievement_id == AchievementVersion.achievement_id)
            & (newest.c.number == AchievementVersion.number),
        )
        .outerjoin(Micromodule, Micromodule.id == Achievement.micromodule_id)
        .where(Achievement.organisation_id == organisation_id, Micromodule.archived_at.is_(None))
        .order_by(AchievementVersion.name, Achievement.id)
    )
    return tuple((row.id, row.name) for row in rows)


def image(session: Session, achievement_version_id: str, kind: str) -> bytes | None:
    """The picture of an achievement version: ``svg`` (UTF-8) or ``png``."""
    column: Any = AchievementVersion.image_png if kind == "png" else AchievementVersion.image_svg
    value = session.execute(
        select(column).where(AchievementVersion.id == achievement_version_id)
    ).scalar_one_or_none()
    return value.encode() if isinstance(value, str) else value


def newest_image(session: Session, achievement_id: str, kind: str) -> bytes | None:
    """The picture of an achievement's newest version, as :func:`image` gives that of one version."""
    version_id = session.scalar(
        select(AchievementVersion.id)
        .where(AchievementVersion.achievement_id == achievement_id)
        .order_by(AchievementVersion.number.desc())
        .limit(1)
    )
    return None if version_id is None else image(session, version_id, kind)


def categories(session: Session, organisation_id: str) -> tuple[CategoryView, ...]:
    """Every category in which there is something, by name."""
    rows = session.execute(
        select(Category.id, Category.name, MicromoduleCategory.micromodule_id)
        .join(MicromoduleCategory, MicromoduleCategory.category_id == Category.id)
        .where(
            Category.organisation_id == organisation_id,
            MicromoduleCategory.organisation_id == organisation_id,
        )
        .order_by(Category.name, Category.id)
    ).all()
    within: dict[tuple[str, str], set[str]] = {}
    for category_id, name, micromodule_id in rows:
        within.setdefault((category_id, name), set()).add(micromodule_id)
    return tuple(CategoryView(*named, frozenset(ids)) for named, ids in within.items())


def first_version(
    session: Session, organisation_id: str, micromodule_id: str
) -> MicromoduleVersionView | None:
    """Version 1 of a micromodule of this organisation."""
    row = session.execute(
        _versions().where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
            MicromoduleVersion.number == 1,
        )
    ).one_or_none()
    return None if row is None else _version_view(row)


def achievement_version_of(
    new: NewMicromodule, organisation_id: str, achievement_id: str, *, number: int, now: datetime
) -> AchievementVersion:
    """The version of an achievement that says what ``new`` says; not stored yet."""
    return AchievementVersion(
        id=new_id(),
        organisation_id=organisation_id,
        achievement_id=achievement_id,
        number=number,
        name=new.name,
        description=new.description or new.summary,
        criteria_narrative=new.criteria_narrative,
        skills=list(new.skills),
        language=new.language,
        image_alt=new.image_alt,
        artwork=new.artwork,
        image_svg=new.image_svg,
        image_png=new.image_png,
        created_at=now,
    )


def add_micromodule(
    session: Session,
    organisation_id: str,
    issuer_id: str,
    new: NewMicromodule,
    now: datetime,
    *,
    micromodule_id: str | None = None,
) -> MicromoduleVersionView | None:
    """Store a new micromodule with its achievement, both as version 1.

    :param micromodule_id: its id, where the same may be stored twice.
    :returns: the version; ``None`` where a micromodule of this id is there already.
    """
    micromodule_id = micromodule_id or new_id()
    values = {"id": micromodule_id, "organisation_id": organisation_id, "created_at": now}
    if not insert_if_absent(session, Micromodule, values, on=("id",)):
        return None
    achievement = Achievement(
        id=new_id(),
        organisation_id=organisation_id,
        issuer_id=issuer_id,
        micromodule_id=micromodule_id,
        created_at=now,
    )
    achievement_version = achievement_version_of(new, organisation_id, achievement.id, number=1, now=now)
    micromodule_version = MicromoduleVersion(
        id=new_id(),
        organisation_id=organisation_id,
        micromodule_id=micromodule_id,
        number=1,
        name=new.name,
        description=new.description,
        skills=list(new.skills),
        criteria=new.criteria,
        achievement_version_id=achievement_version.id,
        created_at=now,
    )
    for row in (achievement, achievement_version, micromodule_version):
        session.add(row)
        session.flush()
    return MicromoduleVersionView(
        micromodule_version.id,
        organisation_id,
        micromodule_id,
        1,
        new.name,
        new.description,
        new.skills,
        new.criteria,
        achievement_version.id,
        new.image_alt,
    )


def put_in_category(session: Session, organisation_id: str, micromodule_id: str, name: str) -> str:
    """Put a micromodule into the category called ``name``, made if it is new; returns the category's id."""
    category_id = session.execute(
        select(Category.id).where(Category.organisation_id == organisation_id, Category.name == name)
    ).scalar_one_or_none()
    if category_id is None:
        category_id = new_id()
        session.add(Category(id=category_id, organisation_id=organisation_id, name=name))
        session.flush()
    if session.get(MicromoduleCategory, (micromodule_id, category_id)) is None:
        session.add(
            MicromoduleCategory(
                micromodule_id=micromodule_id, category_id=category_id, organisation_id=organisation_id
            )
        )
    return category_id


def default_issuer_id(session: Session, organisation_id: str) -> str | None:
    """The organisation's first issuer."""
    return session.execute(
        select(Issuer.id)
        .where(Issuer.organisation_id == organisation_id)
        .order_by(Issuer.created_at, Issuer.id)
        .limit(1)
    ).scalar_one_or_none()
