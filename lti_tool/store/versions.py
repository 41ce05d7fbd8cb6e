"""The next version of a published micromodule: its draft, where it takes effect, who holds those before.

Two who publish at once come one after the other: :func:`lock` is held to the end of the transaction, and the
second finds that the newest version is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.store import step_needs
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.dialects import upsert
from lti_tool.store.micromodules import NewMicromodule, achievement_version_of
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    Context,
    Credential,
    Decision,
    Learner,
    Micromodule,
    MicromoduleVersion,
    Placement,
    VersionDraft,
    new_id,
)
from lti_tool.store.validity import ends_at as badge_ends_at
from lti_tool.store.validity import is_not_over

KIND = "version"
"""Of a draft: the next version."""
PUBLISHED = "micromodule.version_published"
"""What the audit log calls it."""


@dataclass(frozen=True, slots=True)
class VersionDraftView:
    """A change of a published micromodule that somebody prepares."""

    based_on_id: str
    content: Mapping[str, Any]
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PlacedView:
    """Where a micromodule stands, published or as a draft."""

    placement_id: str
    context_id: str
    status: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What was published."""

    version_id: str
    achievement_version_id: str | None
    number: int


@dataclass(frozen=True, slots=True)
class HolderCounts:
    """Badges of an achievement that are in force, whatever their version."""

    badges: int
    open_ended: int
    """Those that would end after a given date, or never."""


@dataclass(frozen=True, slots=True)
class HolderRow:
    """One badge in force of a version before."""

    award_id: str
    learner_id: str
    name: str | None
    context_id: str | None
    context_title: str | None
    awarded_at: datetime
    number: int
    """Of the achievement version."""
    ends_at: datetime | None
    """As things stand."""


# -- drafts


def draft(session: Session, organisation_id: str, micromodule_id: str, kind: str) -> VersionDraftView | None:
    """What somebody prepares for a micromodule; one of each kind."""
    row = session.execute(
        select(
            VersionDraft.based_on_id, VersionDraft.content, VersionDraft.updated_by, VersionDraft.updated_at
        ).where(
            VersionDraft.organisation_id == organisation_id,
            VersionDraft.micromodule_id == micromodule_id,
            VersionDraft.kind == kind,
        )
    ).one_or_none()
    return None if row is None else VersionDraftView(*row)


def hold_drafts(session: Session, organisation_id: str, micromodule_id: str) -> None:
    """Let nobody save or remove a micromodule's drafts, nor publish it, until the caller's transaction ends.

    A draft may be none yet, so what is locked is the micromodule, as :func:`lock` does first.
    """
    session.execute(
        select(Micromodule.id)
        .where(Micromodule.organisation_id == organisation_id, Micromodule.id == micromodule_id)
        .with_for_update(key_share=True)
    )


def save_draft(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    kind: str,
    *,
    based_on_id: str,
    context_id: str | None,
    content: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> None:
    """Keep it; a later one of the same micromodule and kind replaces it."""
    row = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "micromodule_id": micromodule_id,
        "kind": kind,
        "based_on_id": based_on_id,
        "context_id": context_id,
        "content": dict(content),
        "updated_by": actor,
        "updated_at": now,
    }
    changing = ("based_on_id", "context_id", "content", "updated_by", "updated_at")
    upsert(session, VersionDraft, row, on=("micromodule_id", "kind"), update=changing)


def remove_draft(session: Session, organisation_id: str, micromodule_id: str, kind: str) -> None:
    """Forget it."""
    session.execute(
        sa.delete(VersionDraft)
        .where(
            VersionDraft.organisation_id == organisation_id,
            VersionDraft.micromodule_id == micromodule_id,
            VersionDraft.kind == kind,
        )
        .execution_options(synchronize_session=False)
    )


# -- where it stands


def lock(session: Session, organisation_id: str, micromodule_id: str) -> None:
    """Let nobody publish, place or copy this micromodule until the caller's transaction ends.

    In the order in which everybody locks: the micromodule, its versions, its placements. Rows that point at
    them may be added meanwhile: an award must not wait for a version, and hold what the version waits for.
    On SQLite a writer is alone anyway.
    """
    hold_drafts(session, organisation_id, micromodule_id)
    session.execute(
        select(MicromoduleVersion.id)
        .where(_of(organisation_id, micromodule_id))
        .order_by(MicromoduleVersion.id)
        .with_for_update(key_share=True)
    )
    known: set[str] = set()
    while True:
        # A course that was copied while its original was waited for brings a placement that was not there.
        ids = sorted(one.placement_id for one in placed(session, organisation_id, micromodule_id))
        if known.issuperset(ids):
            return
        for id_ in ids:
            session.execute(select(Placement.id).where(Placement.id == id_).with_for_update(key_share=True))
        known.update(ids)


def placed(session: Session, organisation_id: str, micromodule_id: str) -> tuple[PlacedView, ...]:
    """Where any version of a micromodule stands, drafts with it."""
    rows = session.execute(
        select(Placement.id, Placement.context_id, Placement.status)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(_of(organisation_id, micromodule_id), Placement.status != "removed")
        .order_by(Placement.id)
    )
    return tuple(PlacedView(*row) for row in rows)


def micromodule_of(session: Session, organisation_id: str, context_id: str, placement_id: str) -> str | None:
    """The micromodule of a course's placement that was not removed."""
    return session.scalar(
        select(MicromoduleVersion.micromodule_id)
        .join(Placement, Placement.micromodule_version_id == MicromoduleVersion.id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.id == placement_id,
            Placement.status != "removed",
        )
    )


def placements_renewed(
    session: Session, organisation_id: str, context_id: str, since: datetime | None
) -> tuple[str, ...]:
    """The placements of a course that have stood for a later version since then, or at all."""
    rows = session.scalars(
        select(Placement.id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status != "removed",
            MicromoduleVersion.number > 1,
            sa.true() if since is None else MicromoduleVersion.created_at >= since,
        )
        .order_by(Placement.id)
    )
    return tuple(rows)


def is_newest(session: Session, organisation_id: str, version_id: str) -> bool:
    """Whether no later version of its micromodule was published."""
    later = sa.orm.aliased(MicromoduleVersion)
    return not session.scalar(
        select(
            sa.exists().where(
                MicromoduleVersion.organisation_id == organisation_id,
                MicromoduleVersion.id == version_id,
                later.micromodule_id == MicromoduleVersion.micromodule_id,
                later.number > MicromoduleVersion.number,
            )
        )
    )


def _of(organisation_id: str, micromodule_id: str) -> ColumnElement[bool]:
    return and_(
        MicromoduleVersion.organisation_id == organisation_id,
        MicromoduleVersion.micromodule_id == micromodule_id,
    )


# -- publishing


def add(
    session: Session,
    organisation_id: str,
    before: DescribedVersion,
    new: NewMicromodule,
    *,
    whats_new: str,
    actor: str,
    now: datetime,
) -> NewVersion:
    """Store the version after ``before``, with its badge where ``before`` has one.

    The achievement keeps its issuer: whoever signed badges of a version before signs those of this one.
    """
    achievement_version_id = None
    if before.achievement_id is not None:
        number = session.scalars(
            select(func.max(AchievementVersion.number)).where(
                AchievementVersion.organisation_id == organisation_id,
                AchievementVersion.achievement_id == before.achievement_id,
            )
        ).one()
        badge = achievement_version_of(
            new, organisation_id, before.achievement_id, number=(number or 0) + 1, now=now
        )
        badge.whats_new = whats_new
        badge.published_by = actor
        session.add(badge)
        session.flush()
        achievement_version_id = badge.id
    version = MicromoduleVersion(
        id=new_id(),
        organisation_id=organisation_id,
        micromodule_id=before.micromodule_id,
        number=before.number + 1,
        name=new.name,
        description=new.description,
        skills=list(new.skills),
        criteria=new.criteria,
        achievement_version_id=achievement_version_id,
        created_at=now,
    )
    session.add(version)
    session.flush()
    step_needs.note(session, organisation_id, before.micromodule_id, new.criteria)
    return NewVersion(version.id, achievement_version_id, version.number)


def rebind(session: Session, organisation_id: str, placement_ids: Sequence[str], version_id: str) -> None:
    """Let placements stand for another version.

    What was decided by the rules of before stays, as the reason of awards, but is no longer the latest: it
    would be read as an answer to these rules.
    """
    for chunk in chunks(placement_ids):
        session.execute(
            update(Placement)
            .where(Placement.organisation_id == organisation_id, Placement.id.in_(chunk))
            .values(micromodule_version_id=version_id)
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(Decision)
            .where(
                Decision.organisation_id == organisation_id,
                Decision.placement_id.in_(chunk),
                Decision.is_latest.is_(True),
            )
            .values(is_latest=False)
            .execution_options(synchronize_session=False)
        )


def expire_before(
    session: Session,
    organisation_id: str,
    achievement_id: str,
    achievement_version_id: str,
    ends_at: datetime,
) -> int:
    """Let the badges of all other versions of an achievement end; how many versions that changes.

    What ends earlier already ends as it does.
    """
    changed = session.connection().execute(
        update(AchievementVersion)
        .where(
            AchievementVersion.organisation_id == organisation_id,
            AchievementVersion.achievement_id == achievement_id,
            AchievementVersion.id != achievement_version_id,
            or_(AchievementVersion.expires_at.is_(None), AchievementVersion.expires_at > ends_at),
        )
        .values(expires_at=ends_at)
    )
    return changed.rowcount


# -- holders


def _in_force(organisation_id: str, achievement_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Award.organisation_id == organisation_id,
        AchievementVersion.achievement_id == achievement_id,
        Credential.revoked_at.is_(None),
        is_not_over(now),
    )


def holder_counts(
    session: Session,
    organisation_id: str,
    achievement_id: str,
    now: datetime,
    *,
    ends_at: datetime | None = None,
    context_id: str | None = None,
) -> HolderCounts:
    """How many badges of an achievement are in force, and how many of them would not have ended by a date.

    :param context_id: only those that were awarded in this course.
    """
    ends = badge_ends_at()
    is_longer = ends.is_(None) if ends_at is None else or_(ends.is_(None), ends > ends_at)
    query = (
        select(func.count(), func.coalesce(func.sum(sa.case((is_longer, 1), else_=0)), 0))
        .select_from(Award)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(*_in_force(organisation_id, achievement_id, now))
    )
    if context_id is not None:
        query = query.where(Award.context_id == context_id)
    badges, longer = session.execute(query).one()
    return HolderCounts(badges, int(longer))


def holders(
    session: Session,
    organisation_id: str,
    achievement_id: str,
    now: datetime,
    *,
    context_id: str | None,
    offset: int,
    limit: int,
) -> tuple[HolderRow, ...]:
    """The badges of an achievement that are in force, by the holder's name.

    :param context_id: only those that were awarded in this course.
    """
    query = (
        select(
            Award.id,
            Award.learner_id,
            Learner.name,
            Award.context_id,
            Context.title,
            Award.awarded_at,
            AchievementVersion.number,
            badge_ends_at(),
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Learner, Learner.id == Award.learner_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .outerjoin(Context, Context.id == Award.context_id)
        .where(*_in_force(organisation_id, achievement_id, now))
        .order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Award.id)
        .offset(offset)
        .limit(limit)
    )
    if context_id is not None:
        query = query.where(Award.context_id == context_id)
    return tuple(HolderRow(*row) for row in session.execute(query))


@dataclass(frozen=True, slots=True)
class NewsView:
    """A later version that reached a course."""

    placement_id: str
    name: str
    number: int
    whats_new: str
    published_at: datetime


def news(session: Session, organisation_id: str, context_id: str, since: datetime) -> tuple[NewsView, ...]:
    """Later versions of a course's published badges since ``since``, the newest first."""
    rows = session.execute(
        select(
            Placement.id,
            MicromoduleVersion.name,
            MicromoduleVersion.number,
            func.coalesce(AchievementVersion.whats_new, ""),
            MicromoduleVersion.created_at,
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status == "active",
            Placement.published_at < MicromoduleVersion.created_at,
            MicromoduleVersion.number > 1,
            MicromoduleVersion.created_at > since,
        )
        .order_by(MicromoduleVersion.created_at.desc(), Placement.id)
    )
    return tuple(NewsView(*row) for row in rows)
