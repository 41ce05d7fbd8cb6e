"""What one achievement version says, put right where no meaning changes, and the badges that carry it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.reissues import KIND, Signed
from lti_tool.store.runs import RunView
from lti_tool.store.runs import run as run_of
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    AuditEvent,
    Award,
    Credential,
    MicromoduleVersion,
    Placement,
    Run,
)


@dataclass(frozen=True, slots=True)
class Words:
    """Everything of an achievement version that a correction may touch."""

    name: str
    description: str
    criteria_narrative: str
    skills: tuple[str, ...]
    image_alt: str
    artwork: Mapping[str, Any] = field(default_factory=dict)
    """The composer's choices, or whose uploaded picture it is."""


@dataclass(frozen=True, slots=True)
class Carried:
    """How many badges carry what a version says."""

    badges: int
    """Signed ones, revoked and expired ones among them."""
    shared: int


def words(
    session: Session, organisation_id: str, version_id: str, *, for_change: bool = False
) -> Words | None:
    """What a version of this organisation says.

    :param for_change: nobody else changes it until the transaction ends.
    """
    query = sa.select(
        AchievementVersion.name,
        AchievementVersion.description,
        AchievementVersion.criteria_narrative,
        AchievementVersion.skills,
        AchievementVersion.image_alt,
        AchievementVersion.artwork,
    ).where(AchievementVersion.organisation_id == organisation_id, AchievementVersion.id == version_id)
    row = session.execute(query.with_for_update() if for_change else query).one_or_none()
    return None if row is None else Words(**{**row._mapping, "skills": tuple(row.skills)})


def micromodule_of(session: Session, version_id: str) -> str | None:
    """The micromodule that an achievement version belongs to; ``None`` for a milestone's."""
    return session.scalar(
        sa.select(Achievement.micromodule_id)
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .where(AchievementVersion.id == version_id)
    )


def rewrite(
    session: Session,
    organisation_id: str,
    version_id: str,
    former: Words,
    new: Words,
    *,
    own_descriptions: tuple[str, str],
    picture: tuple[str, bytes] | None,
) -> None:
    """Let a version say ``new``; micromodules that are called and described as it was follow.

    :param own_descriptions: what somebody wrote as the description, before and now: a micromodule has nothing
        where only the criteria stand for it.
    :param picture: SVG and PNG, where they were drawn anew.
    """
    drawn = {} if picture is None else {"image_svg": picture[0], "image_png": picture[1]}
    session.execute(
        sa.update(AchievementVersion)
        .where(AchievementVersion.organisation_id == organisation_id, AchievementVersion.id == version_id)
        .values(
            name=new.name,
            description=new.description,
            criteria_narrative=new.criteria_narrative,
            skills=list(new.skills),
            image_alt=new.image_alt,
            artwork=dict(new.artwork),
            **drawn,
        )
        .execution_options(synchronize_session=False)
    )
    of_badge = sa.select(MicromoduleVersion).where(
        MicromoduleVersion.organisation_id == organisation_id,
        MicromoduleVersion.achievement_version_id == version_id,
    )
    for row in session.scalars(of_badge):
        if row.name == former.name:
            row.name = new.name
        if row.description == own_descriptions[0]:
            row.description = own_descriptions[1]
        if tuple(row.skills) == former.skills:
            row.skills = list(new.skills)
    session.flush()


def placements_corrected(
    session: Session,
    organisation_id: str,
    context_id: str,
    since: datetime | None,
    *,
    action: str,
    subject_kind: str,
) -> tuple[str, ...]:
    """The placements of a course whose badge was corrected since then, or at all.

    :param action: of the audit trail, which tells of corrections.
    :param subject_kind: the same.
    """
    corrected = sa.exists().where(
        AuditEvent.subject_kind == subject_kind,
        AuditEvent.subject_id == MicromoduleVersion.achievement_version_id,
        AuditEvent.organisation_id == organisation_id,
        AuditEvent.action == action,
        sa.true() if since is None else AuditEvent.at >= since,
    )
    rows = session.scalars(
        sa.select(Placement.id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status != "removed",
            corrected,
        )
        .order_by(Placement.id)
    )
    return tuple(rows)


def carried(session: Session, organisation_id: str, version_id: str) -> Carried:
    """How many badges there are of a version."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.count(sa.case((Credential.is_public.is_(True), Credential.id))))
        .select_from(Credential)
        .join(Award, Award.id == Credential.award_id)
        .where(
            Award.organisation_id == organisation_id,
            Award.achievement_version_id == version_id,
            Credential.document.is_not(None),
        )
    ).one()
    return Carried(*row)


def badges_of(
    session: Session, version_id: str, after: str, limit: int, *, not_since: datetime | None = None
) -> tuple[Signed, ...]:
    """Signed badges of a version, from the learner after ``after`` on.

    By learner, who has a version once: the index that keeps it so is read, and nothing is sorted.

    :param not_since: without those that were issued before this, and signed anew since.
    """
    query = (
        sa.select(Credential.id, Credential.issuer_id, Credential.document, Award.learner_id)
        .join(Award, Award.id == Credential.award_id)
        .where(
            Award.achievement_version_id == version_id,
            Award.learner_id > after,
            Credential.document.is_not(None),
        )
    )
    if not_since is not None:
        query = query.where(
            sa.or_(
                Credential.issued_at >= not_since,
                Credential.reissued_at.is_(None),
                Credential.reissued_at < not_since,
            )
        )
    rows: Iterable[Any] = session.execute(query.order_by(Award.learner_id).limit(limit))
    return tuple(Signed(*row) for row in rows)


def newest_run(session: Session, organisation_id: str, version_id: str) -> RunView | None:
    """The latest run that signs badges of a version anew after a correction."""
    id_ = session.scalar(
        sa.select(Run.id)
        .where(
            Run.organisation_id == organisation_id,
            Run.kind == KIND,
            Run.task["version_id"].as_string() == version_id,
        )
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    )
    return None if id_ is None else run_of(session, organisation_id, id_)
