"""What keeps a micromodule version from being changed: whatever was promised, awarded or placed by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from lti_tool.store import step_needs
from lti_tool.store.copies import is_unconfirmed
from lti_tool.store.micromodules import (
    AchievementDetails,
    NewMicromodule,
    achievement_of,
    achievement_version_of,
    details_columns,
    next_number,
)
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Completion,
    Decision,
    LineItem,
    MicromoduleVersion,
    Placement,
    Result,
    new_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedVersion(AchievementDetails):
    """A micromodule version with everything that its form shows."""

    version_id: str
    micromodule_id: str
    number: int
    name: str
    description: str
    skills: tuple[str, ...]
    criteria: dict[str, Any]
    achievement_id: str | None
    achievement_version_id: str | None
    criteria_narrative: str
    artwork: dict[str, Any]
    image_alt: str
    issuer_id: str | None = None
    """Who signs its badges; null where it issues none."""
    language: str | None = None
    """In which its badge is described (BCP 47); null where it issues none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftView(DescribedVersion):
    """A placement with everything that its form shows."""

    placement_id: str
    context_id: str
    badge_link_key: str
    status: str


@dataclass(frozen=True, slots=True)
class Bindings:
    """What else hangs on a micromodule version."""

    is_placed_elsewhere: bool
    is_earned: bool
    """Somebody completed it, or holds its badge."""
    has_newer: bool


def placed(session: Session, organisation_id: str, context_id: str, placement_id: str) -> DraftView | None:
    """A placement of this context that was not removed."""
    query: Any = (
        select(
            Placement.id.label("placement_id"),
            Placement.context_id,
            Placement.badge_link_key,
            Placement.status,
            *_described_columns(),
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .outerjoin(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.id == placement_id,
            Placement.status != "removed",
        )
    )
    row = session.execute(query).one_or_none()
    return None if row is None else DraftView.from_columns(_described(row))


def newest(session: Session, organisation_id: str, micromodule_id: str) -> DescribedVersion | None:
    """The newest version of a micromodule of this organisation.

    Where it has a badge, in the badge's words: those are what people hold, and what a correction puts right.
    """
    query: Any = (
        select(*_described_columns(), *(column.label(f"badge_{column.key}") for column in _BADGE_WORDS))
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .outerjoin(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
        )
        .order_by(MicromoduleVersion.number.desc())
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    values = _described(row)
    words = {column.key: values.pop(f"badge_{column.key}") for column in _BADGE_WORDS}
    if values["achievement_version_id"] is not None:
        values |= {**words, "skills": tuple(words["skills"])}
    return DescribedVersion.from_columns(values)


_BADGE_WORDS = (AchievementVersion.name, AchievementVersion.description, AchievementVersion.skills)


def _described_columns() -> tuple[Any, ...]:
    """The columns of a :class:`DescribedVersion`."""
    return (
        MicromoduleVersion.id.label("version_id"),
        MicromoduleVersion.micromodule_id,
        MicromoduleVersion.number,
        MicromoduleVersion.name,
        MicromoduleVersion.description,
        MicromoduleVersion.skills,
        MicromoduleVersion.criteria,
        AchievementVersion.achievement_id,
        MicromoduleVersion.achievement_version_id,
        AchievementVersion.criteria_narrative,
        AchievementVersion.artwork,
        AchievementVersion.image_alt,
        Achievement.issuer_id,
        AchievementVersion.language,
        *details_columns(),
    )


def _described(row: Any) -> dict[str, Any]:
    """What a :class:`DescribedVersion` is made of; what a version without a badge has not is empty."""
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    values["criteria_narrative"] = values["criteria_narrative"] or ""
    values["artwork"] = values["artwork"] or {}
    values["image_alt"] = values["image_alt"] or ""
    if values["achievement_version_id"] is None:
        values.update(AchievementDetails().to_columns())
    return values


def lock_version(session: Session, organisation_id: str, version_id: str) -> None:
    """Let nobody place or change this version until the caller's transaction ends. SQLite has one writer."""
    session.execute(
        select(MicromoduleVersion.id)
        .where(MicromoduleVersion.organisation_id == organisation_id, MicromoduleVersion.id == version_id)
        .with_for_update()
    )


def lock_version_of(session: Session, organisation_id: str, placement_id: str) -> None:
    """The same for the version of a placement."""
    version_id = session.scalar(
        select(Placement.micromodule_version_id).where(
            Placement.organisation_id == organisation_id, Placement.id == placement_id
        )
    )
    if version_id is not None:
        lock_version(session, organisation_id, version_id)


def bindings(session: Session, organisation_id: str, draft: DraftView) -> Bindings:
    """What else hangs on the version of a draft."""

    def is_there(*where: Any) -> bool:
        return bool(session.scalar(select(sa.exists().where(*where))))

    return Bindings(
        is_there(
            Placement.organisation_id == organisation_id,
            Placement.micromodule_version_id == draft.version_id,
            Placement.id != draft.placement_id,
            Placement.status != "removed",
            # A copied course's that nobody took over yet follows what it was copied from.
            sa.not_(is_unconfirmed()),
        ),
        is_there(
            Completion.organisation_id == organisation_id,
            Completion.micromodule_version_id == draft.version_id,
        )
        or is_there(
            Award.organisation_id == organisation_id,
            Award.achievement_version_id == draft.achievement_version_id,
        ),
        is_there(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == draft.micromodule_id,
            MicromoduleVersion.number > draft.number,
        ),
    )


def rewrite(
    session: Session, organisation_id: str, draft: DraftView, new: NewMicromodule, now: datetime
) -> None:
    """Let a version that nobody holds say something else.

    What stands for its badge gets a new id: pages and pictures of the old one are kept by browsers.
    """
    version_id = None
    achievement_id, number = draft.achievement_id, None
    if draft.achievement_version_id is not None:
        number = session.scalars(
            select(AchievementVersion.number).where(AchievementVersion.id == draft.achievement_version_id)
        ).one()
        session.execute(_version_of(organisation_id, draft).values(achievement_version_id=None))
        session.execute(
            sa.delete(AchievementVersion)
            .where(
                AchievementVersion.organisation_id == organisation_id,
                AchievementVersion.id == draft.achievement_version_id,
            )
            .execution_options(synchronize_session=False)
        )
    if new.issues_badge:
        if achievement_id is None or number is None:
            if new.issuer_id is None:
                raise RuntimeError("a badge is described with the issuer who signs it")
            achievement_id = achievement_of(
                session, organisation_id, draft.micromodule_id, new.issuer_id, now
            )
            number = next_number(session, achievement_id)
        version = achievement_version_of(new, organisation_id, achievement_id, number=number, now=now)
        version_id = version.id
        session.add(version)
        session.flush()
        if new.issuer_id is not None and number == 1:
            # Whoever signed badges of an earlier version signs those of this one.
            session.execute(
                sa.update(Achievement)
                .where(Achievement.organisation_id == organisation_id, Achievement.id == achievement_id)
                .values(issuer_id=new.issuer_id)
                .execution_options(synchronize_session=False)
            )
    session.execute(
        _version_of(organisation_id, draft).values(
            name=new.name,
            description=new.description,
            skills=list(new.skills),
            criteria=new.criteria,
            achievement_version_id=version_id,
        )
    )
    step_needs.note(session, organisation_id, draft.micromodule_id, new.criteria)
    # Decided by the rules of before: they would be shown as the reasons of these.
    session.execute(
        sa.delete(Decision)
        .where(Decision.organisation_id == organisation_id, Decision.placement_id == draft.placement_id)
        .execution_options(synchronize_session=False)
    )


def _version_of(organisation_id: str, draft: DraftView) -> Any:
    return (
        sa.update(MicromoduleVersion)
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.id == draft.version_id,
        )
        .execution_options(synchronize_session=False)
    )


def column_maxima(
    session: Session, organisation_id: str, *placement_ids: str
) -> dict[tuple[str, str], Decimal]:
    """What the gradebook columns of placements hold at most that are made, of each where it holds least: by
    (tag, evidence key).

    As the grades say that were read from it, since a teacher may have changed it in the LMS; before the first
    as it was made.
    """
    found: dict[tuple[str, str], Decimal] = {}
    for chunk in chunks(placement_ids):
        rows = session.execute(
            select(
                LineItem.tag,
                LineItem.evidence_key,
                LineItem.score_maximum,
                sa.func.max(Result.maximum).label("read"),
            )
            .outerjoin(Result, Result.line_item_id == LineItem.id)
            .where(
                LineItem.organisation_id == organisation_id,
                LineItem.placement_id.in_(chunk),
                LineItem.id_on_platform.is_not(None),
                LineItem.evidence_key.is_not(None),
            )
            .group_by(LineItem.id, LineItem.tag, LineItem.evidence_key, LineItem.score_maximum)
        )
        for row in rows:
            name, maximum = (row.tag, row.evidence_key), row.read or row.score_maximum
            found[name] = min(maximum, found.get(name, maximum))
    return found


def ask_for_columns(
    session: Session,
    organisation_id: str,
    draft: DraftView,
    wanted: Sequence[tuple[str, str, str, Decimal]],
    kept_keys: Sequence[str],
    now: datetime,
) -> None:
    """Have exactly these evidence columns beside a draft.

    One that is made already keeps its name and its grades as long as it is asked for. One that is not asked
    for any more is forgotten with the grades read from it; in the LMS's gradebook it stays, and is found
    there if it is asked for again.

    :param wanted: (tag, evidence key, label, score maximum) of each.
    :param kept_keys: evidence keys whose columns, made by request, stay beside those.
    """
    known = {
        row.evidence_key: row
        for row in session.execute(
            select(LineItem.id, LineItem.evidence_key, LineItem.tag, LineItem.id_on_platform).where(
                LineItem.organisation_id == organisation_id,
                LineItem.placement_id == draft.placement_id,
                LineItem.tag != "award",
            )
        )
    }
    asked = {key: tag for tag, key, _label, _maximum in wanted} | dict.fromkeys(kept_keys, "attest")
    gone = [row.id for key, row in known.items() if asked.get(key) != row.tag]
    for table, column in ((Result, Result.line_item_id), (LineItem, LineItem.id)):
        session.execute(
            sa.delete(table)
            .where(table.organisation_id == organisation_id, column.in_(gone))
            .execution_options(synchronize_session=False)
        )
    for tag, key, label, maximum in wanted:
        row = known.get(key)
        if row is None or row.id in gone:
            session.add(
                LineItem(
                    id=new_id(),
                    organisation_id=organisation_id,
                    context_id=draft.context_id,
                    placement_id=draft.placement_id,
                    tag=tag,
                    evidence_key=key,
                    label=label,
                    score_maximum=maximum,
                    created_at=now,
                )
            )
        elif row.id_on_platform is None:
            session.execute(
                sa.update(LineItem)
                .where(LineItem.organisation_id == organisation_id, LineItem.id == row.id)
                .values(label=label, score_maximum=maximum)
                .execution_options(synchronize_session=False)
            )
    session.flush()
