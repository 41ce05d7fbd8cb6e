"""Who holds badges of an organisation, and on what decisions they rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from lti_tool.store.dialects import contains_text
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Context,
    Credential,
    Decision,
    Learner,
    MicromoduleVersion,
    Placement,
    Registration,
)
from lti_tool.store.validity import is_over

STATES = ("unsigned", "expired", "suspended", "revoked")
"""What a list of holders can be narrowed to, beside everybody."""


@dataclass(frozen=True, slots=True)
class HolderRow:
    """A learner with badges."""

    learner_id: str
    name: str | None
    platform: str
    badges: int
    revoked: int
    suspended: int
    """Not those that were revoked meanwhile; so with the expired."""
    expired: int
    unsigned: int
    last_awarded_at: datetime


@dataclass(frozen=True, slots=True)
class HolderFilter:
    """Which holders are meant."""

    query: str = ""
    """A part of the name."""
    micromodule_id: str | None = None
    state: str | None = None
    """One of :data:`STATES`."""


@dataclass(frozen=True, slots=True)
class LearnerRow:
    """A learner, with what the platform told of the person."""

    id: str
    name: str | None
    email: str | None
    platform: str
    is_test_user: bool
    created_at: datetime
    last_launched_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """The newest decision about a learner in one placement, with all it rests on."""

    placement_id: str
    placement_status: str
    context_id: str
    context_title: str | None
    micromodule_id: str
    micromodule_name: str
    version: int
    achievement_version_id: str | None
    criteria: dict[str, Any]
    verdict: str
    state: str
    evidence: dict[str, Any]
    decided_at: datetime


def _holders(organisation_id: str, wanted: HolderFilter, now: datetime) -> Select[Any]:
    query = (
        select(
            Learner.id.label("learner_id"),
            Learner.name,
            Registration.name.label("platform"),
            func.count().label("badges"),
            func.count(Credential.revoked_at).label("revoked"),
            _number_of(_is_suspended()).label("suspended"),
            _number_of(_has_expired(now)).label("expired"),
            func.sum(sa.case((Credential.document.is_(None), 1), else_=0)).label("unsigned"),
            func.max(Award.awarded_at).label("last_awarded_at"),
        )
        .select_from(Award)
        .join(Learner, Learner.id == Award.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(*_wanted(organisation_id, wanted, now))
        .group_by(Learner.id, Learner.name, Registration.name)
    )
    return _joined(cast("Select[Any]", query), wanted)


def _joined(query: Select[Any], wanted: HolderFilter) -> Select[Any]:
    if wanted.micromodule_id is None:
        return query
    return query.join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id).join(
        Achievement, Achievement.id == AchievementVersion.achievement_id
    )


def _is_suspended() -> ColumnElement[bool]:
    return sa.and_(Credential.suspended_at.is_not(None), Credential.revoked_at.is_(None))


def _has_expired(now: datetime) -> ColumnElement[bool]:
    is_in_force = sa.and_(Credential.suspended_at.is_(None), Credential.revoked_at.is_(None))
    return sa.and_(is_over(now), is_in_force)


def _number_of(what: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(sa.case((what, 1), else_=0))


def _wanted(organisation_id: str, wanted: HolderFilter, now: datetime) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [Award.organisation_id == organisation_id]
    if wanted.query:
        where.append(contains_text(Learner.name, wanted.query))
    if wanted.micromodule_id is not None:
        where.append(Achievement.micromodule_id == wanted.micromodule_id)
    if wanted.state == "unsigned":
        where.append(Credential.document.is_(None))
    elif wanted.state == "revoked":
        where.append(Credential.revoked_at.is_not(None))
    elif wanted.state == "suspended":
        where.append(_is_suspended())
    elif wanted.state == "expired":
        where.append(_has_expired(now))
    return where


def count(session: Session, organisation_id: str, wanted: HolderFilter, now: datetime) -> int:
    """How many people hold such a badge at ``now``."""
    query = (
        select(func.count(Award.learner_id.distinct()))
        .select_from(Award)
        .join(Learner, Learner.id == Award.learner_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(*_wanted(organisation_id, wanted, now))
    )
    return session.scalar(_joined(query, wanted)) or 0


def page(
    session: Session, organisation_id: str, wanted: HolderFilter, now: datetime, *, offset: int, limit: int
) -> tuple[HolderRow, ...]:
    """One page of them, by name."""
    rows = session.execute(
        _holders(organisation_id, wanted, now)
        .order_by(func.lower(func.coalesce(Learner.name, "")), Learner.id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(HolderRow(**row._mapping) for row in rows)


def learner(session: Session, organisation_id: str, learner_id: str) -> LearnerRow | None:
    """One learner of this organisation."""
    row = session.execute(
        select(
            Learner.id,
            Learner.name,
            Learner.email,
            Registration.name.label("platform"),
            Learner.is_test_user,
            Learner.created_at,
            Learner.last_launched_at,
        )
        .join(Registration, Registration.id == Learner.registration_id)
        .where(Learner.organisation_id == organisation_id, Learner.id == learner_id)
    ).one_or_none()
    return None if row is None else LearnerRow(**row._mapping)


def decisions(session: Session, organisation_id: str, learner_id: str) -> tuple[DecisionRow, ...]:
    """The newest decision of each placement about a learner, latest first."""
    rows = session.execute(
        select(
            Placement.id.label("placement_id"),
            Placement.status.label("placement_status"),
            Context.id.label("context_id"),
            Context.title.label("context_title"),
            MicromoduleVersion.micromodule_id,
            MicromoduleVersion.name.label("micromodule_name"),
            MicromoduleVersion.number.label("version"),
            MicromoduleVersion.achievement_version_id,
            MicromoduleVersion.criteria,
            Decision.verdict,
            Decision.state,
            Decision.evidence,
            Decision.decided_at,
        )
        .join(Placement, Placement.id == Decision.placement_id)
        .join(Context, Context.id == Placement.context_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Decision.micromodule_version_id)
        .where(
            Decision.organisation_id == organisation_id,
            Decision.learner_id == learner_id,
            Decision.is_latest.is_(True),
        )
        .order_by(Decision.decided_at.desc(), Decision.id)
    )
    return tuple(DecisionRow(**row._mapping) for row in rows)
