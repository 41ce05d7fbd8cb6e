"""Micromodules, achievements, categories and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import Connection, Select, bindparam, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from lti_tool.store import step_needs
from lti_tool.store.categories import last_position, note
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Category,
    Issuer,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    Milestone,
    Organisation,
    new_id,
)


@dataclass(frozen=True, slots=True)
class AlignmentView:
    """A skill of a framework that a badge answers to, spelled as Open Badges 3.0 spells an Alignment."""

    target_name: str
    target_url: str
    target_framework: str | None = None
    target_code: str | None = None
    target_type: str | None = None
    target_description: str | None = None


@dataclass(frozen=True, slots=True)
class ResultDescriptionView:
    """What one score of the criteria means (Open Badges 3.0 ResultDescription)."""

    key: str
    """The evidence key: which score of a decision it describes."""
    name: str
    result_type: str
    required_value: str | None = None
    value_min: str | None = None
    value_max: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AchievementDetails:
    """What an achievement version says beside its words and its picture: one field for each column."""

    achievement_type: str = "MicroCredential"
    """A word of Open Badges 3.0, or ``ext:…``."""
    alignments: tuple[AlignmentView, ...] = ()
    credits: Decimal | None = None
    credit_unit: str | None = None
    """``ects``, ``hours`` or ``other``; null where there are no credits."""
    human_code: str | None = None
    field_of_study: str | None = None
    validity_months: int | None = None
    """Null: a badge is valid for good."""
    renewal_opens_days: int | None = None
    """How many days before its end a badge is renewed by meeting its criteria again; null: it is not."""
    renewal_closes_days: int | None = None
    """Until how many days after its end; null: at any time later."""
    shows_results: bool = False
    shows_evidence: bool = False
    result_descriptions: tuple[ResultDescriptionView, ...] = ()
    status_purpose: str = "revocation"

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The columns of an achievement version that hold details."""
        return tuple(field.name for field in fields(AchievementDetails))

    @classmethod
    def from_columns(cls, values: Mapping[str, Any]) -> Self:
        """Whatever ``cls`` is made of, from a row's columns: what is stored as JSON is read."""
        return cls(
            **{
                **values,
                "alignments": tuple(AlignmentView(**one) for one in values["alignments"] or ()),
                "result_descriptions": tuple(
                    ResultDescriptionView(**one) for one in values["result_descriptions"] or ()
                ),
            }
        )

    def details(self) -> AchievementDetails:
        """The details alone."""
        return AchievementDetails(**{name: getattr(self, name) for name in self.names()})

    def to_columns(self) -> dict[str, Any]:
        """The details as the columns hold them; parts that say nothing are left out of the JSON."""
        return {
            **{name: getattr(self, name) for name in self.names()},
            "alignments": [_said(one) for one in self.alignments],
            "result_descriptions": [_said(one) for one in self.result_descriptions],
        }


def _said(part: AlignmentView | ResultDescriptionView) -> dict[str, Any]:
    return {name: value for name, value in asdict(part).items() if value is not None}


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
    places: Mapping[str, int]
    """Micromodule → its place in the category; equal ones stand by name."""


@dataclass(frozen=True, slots=True)
class AchievementVersionView(AchievementDetails):
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
    issuer_picture_id: str | None = None
    issuer_terms_url: str | None = None
    issuer_names_schema: bool = False
    issuer_offers_refresh: bool = False
    previous_id: str | None = None
    """The version before this one, of the same achievement."""
    expires_at: datetime | None = None
    """When all badges of this version end, if not before."""


@dataclass(frozen=True, slots=True)
class NewMicromodule(AchievementDetails):
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
    issuer_id: str | None = None
    """Who signs its badges; null: the organisation's default issuer, or whoever signs them already."""
    issues_badge: bool = True
    """Else completions are recorded, and nothing else."""


def details_columns() -> tuple[Any, ...]:
    """The columns that :meth:`AchievementDetails.from_columns` reads."""
    return tuple(getattr(AchievementVersion, name) for name in AchievementDetails.names())


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
            AchievementVersion.expires_at,
            Issuer.id.label("issuer_id"),
            Issuer.name.label("issuer_name"),
            Issuer.url.label("issuer_url"),
            Issuer.email.label("issuer_email"),
            Issuer.description.label("issuer_description"),
            Issuer.picture_id.label("issuer_picture_id"),
            Issuer.terms_url.label("issuer_terms_url"),
            Issuer.names_schema.label("issuer_names_schema"),
            Issuer.offers_refresh.label("issuer_offers_refresh"),
            _PREVIOUS.id.label("previous_id"),
            *details_columns(),
        )
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .join(Issuer, Issuer.id == Achievement.issuer_id)
        .join(Organisation, Organisation.id == AchievementVersion.organisation_id)
        .outerjoin(
            _PREVIOUS,
            (_PREVIOUS.achievement_id == AchievementVersion.achievement_id)
            & (_PREVIOUS.number == AchievementVersion.number - 1),
        )
    )


_PREVIOUS = aliased(AchievementVersion)


def _achievement_view(row: Any) -> AchievementVersionView:
    return AchievementVersionView.from_columns({**row._mapping, "skills": tuple(row.skills)})


def achievement_versions(session: Session, version_ids: Sequence[str]) -> dict[str, AchievementVersionView]:
    """Achievement versions by id, whoever owns them: what a badge stands for is public."""
    rows = session.execute(_achievements().where(AchievementVersion.id.in_(version_ids)))
    return {row.id: _achievement_view(row) for row in rows}


_DETAILS: Any = select(AchievementVersion.id, *details_columns()).where(
    AchievementVersion.id.in_(bindparam("version_ids", expanding=True))
)


def details_of(connection: Connection, version_ids: Sequence[str]) -> dict[str, AchievementDetails]:
    """What achievement versions say beside their words, by id: as public as these."""
    rows = connection.execute(_DETAILS, {"version_ids": list(version_ids)}).mappings()
    return {
        row["id"]: AchievementDetails.from_columns({name: row[name] for name in AchievementDetails.names()})
        for row in rows
    }


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
    """(id, name in its newest version) of every achievement that can still be earned, by name.

    A milestone's only while it is active: a draft is nobody's business yet, a retired one is given no more.
    """
    newer = aliased(AchievementVersion)
    rows = session.execute(
        select(Achievement.id, AchievementVersion.name)
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .outerjoin(Micromodule, Micromodule.id == Achievement.micromodule_id)
        .outerjoin(Milestone, Milestone.achievement_id == Achievement.id)
        .where(
            Achievement.organisation_id == organisation_id,
            Micromodule.archived_at.is_(None),
            func.coalesce(Milestone.status, "active") == "active",
            ~exists().where(newer.achievement_id == Achievement.id, newer.number > AchievementVersion.number),
        )
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
    """Every category in which there is something, and its micromodules, in the order of staff."""
    rows = session.execute(
        select(Category.id, Category.name, MicromoduleCategory.micromodule_id, MicromoduleCategory.position)
        .join(MicromoduleCategory, MicromoduleCategory.category_id == Category.id)
        .where(
            Category.organisation_id == organisation_id,
            MicromoduleCategory.organisation_id == organisation_id,
        )
        .order_by(Category.position, Category.name, Category.id)
    ).all()
    within: dict[tuple[str, str], dict[str, int]] = {}
    for category_id, name, micromodule_id, position in rows:
        within.setdefault((category_id, name), {})[micromodule_id] = position
    return tuple(CategoryView(*named, ids) for named, ids in within.items())


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
        **new.to_columns(),
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
    """Store a new micromodule with its achievement, if it issues a badge, both as version 1.

    :param micromodule_id: its id, where the same may be stored twice.
    :returns: the version; ``None`` where a micromodule of this id is there already.
    """
    micromodule_id = micromodule_id or new_id()
    values = {"id": micromodule_id, "organisation_id": organisation_id, "created_at": now}
    if not insert_if_absent(session, Micromodule, values, on=("id",)):
        return None
    achievement_version_id = None
    if new.issues_badge:
        achievement_id = achievement_of(
            session, organisation_id, micromodule_id, new.issuer_id or issuer_id, now
        )
        badge = achievement_version_of(new, organisation_id, achievement_id, number=1, now=now)
        achievement_version_id = badge.id
        session.add(badge)
        session.flush()
    micromodule_version = MicromoduleVersion(
        id=new_id(),
        organisation_id=organisation_id,
        micromodule_id=micromodule_id,
        number=1,
        name=new.name,
        description=new.description,
        skills=list(new.skills),
        criteria=new.criteria,
        achievement_version_id=achievement_version_id,
        created_at=now,
    )
    session.add(micromodule_version)
    session.flush()
    step_needs.note(session, organisation_id, micromodule_id, new.criteria)
    return MicromoduleVersionView(
        micromodule_version.id,
        organisation_id,
        micromodule_id,
        1,
        new.name,
        new.description,
        new.skills,
        new.criteria,
        achievement_version_id,
        new.image_alt if new.issues_badge else "",
    )


def achievement_of(
    session: Session, organisation_id: str, micromodule_id: str, issuer_id: str, now: datetime
) -> str:
    """The id of a micromodule's achievement, made if it has none.

    :param issuer_id: who signs it, as long as it has no version.
    """
    known = session.scalar(
        select(Achievement.id)
        .where(
            Achievement.organisation_id == organisation_id,
            Achievement.micromodule_id == micromodule_id,
        )
        .order_by(Achievement.created_at, Achievement.id)
        .limit(1)
    )
    if known is None:
        known = new_id()
        session.add(
            Achievement(
                id=known,
                organisation_id=organisation_id,
                issuer_id=issuer_id,
                micromodule_id=micromodule_id,
                created_at=now,
            )
        )
        session.flush()
    elif next_number(session, known) == 1:
        session.execute(
            update(Achievement)
            .where(Achievement.organisation_id == organisation_id, Achievement.id == known)
            .values(issuer_id=issuer_id)
            .execution_options(synchronize_session=False)
        )
    return known


def next_number(session: Session, achievement_id: str) -> int:
    """The number of an achievement's next version."""
    newest = select(func.max(AchievementVersion.number)).where(
        AchievementVersion.achievement_id == achievement_id
    )
    return (session.scalar(newest) or 0) + 1


def put_in_category(
    session: Session, organisation_id: str, micromodule_id: str, name: str, actor: str, now: datetime
) -> str:
    """Put a micromodule into the category called ``name``, made if it is new; returns the category's id."""
    category_id = session.execute(
        select(Category.id).where(Category.organisation_id == organisation_id, Category.name == name)
    ).scalar_one_or_none()
    if category_id is None:
        category_id = new_id()
        place = last_position(session, organisation_id)
        session.add(Category(id=category_id, organisation_id=organisation_id, name=name, position=place))
        session.flush()
    if session.get(MicromoduleCategory, (micromodule_id, category_id)) is None:
        session.add(
            MicromoduleCategory(
                micromodule_id=micromodule_id,
                category_id=category_id,
                organisation_id=organisation_id,
                position=last_position(session, organisation_id, category_id),
            )
        )
        note(session, organisation_id, micromodule_id, added=[category_id], removed=[], actor=actor, now=now)
    return category_id


def default_issuer_id(session: Session, organisation_id: str) -> str | None:
    """Who signs an organisation's new badges unless somebody chooses another."""
    return session.scalar(
        select(Issuer.id).where(Issuer.organisation_id == organisation_id, Issuer.is_default.is_(True))
    )


def issuer_choices(session: Session, organisation_id: str) -> tuple[tuple[str, str], ...]:
    """(id, name) of every issuer that may sign new badges: the default one first, the others by name."""
    rows = session.execute(
        select(Issuer.id, Issuer.name)
        .where(Issuer.organisation_id == organisation_id, Issuer.retired_at.is_(None))
        .order_by(Issuer.is_default.desc(), Issuer.name, Issuer.id)
    )
    return tuple((row.id, row.name) for row in rows)
