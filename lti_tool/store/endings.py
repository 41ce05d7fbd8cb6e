"""When badges end: those that a version's end still has to be signed into, and those that end soon."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from lti_tool.store.reissues import Signed
from lti_tool.store.runs import LONGEST_LEASE
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    Context,
    Credential,
    Learner,
    Lease,
    Membership,
    MicromoduleVersion,
    Placement,
)

LEASE = "ends:"
"""Prefix of the lease under which one process signs the end of a version into its badges."""


@dataclass(frozen=True, slots=True)
class VersionEnd:
    """When the badges of a version end, and since when that is so."""

    organisation_id: str
    expires_at: datetime
    set_at: datetime
    """At the latest: the version that asked for it is the achievement's newest."""


# -- the end of a version


def _is_owed() -> sa.ColumnElement[bool]:
    return sa.and_(
        AchievementVersion.expires_at.is_not(None),
        AchievementVersion.ends_signed_for.is_distinct_from(AchievementVersion.expires_at),
    )


def owed_versions(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Ids of versions with an end that may not stand in all their badges, and that nobody works on."""
    held = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    return tuple(
        session.scalars(
            sa.select(AchievementVersion.id)
            .where(_is_owed(), (sa.literal(LEASE) + AchievementVersion.id).not_in(held))
            .order_by(AchievementVersion.id)
            .limit(limit)
        )
    )


def version_end(session: Session, version_id: str) -> VersionEnd | None:
    """The end that a version's badges are owed; ``None`` where there is none, or all have it."""
    newest = (
        sa.select(sa.func.max(_OTHER.c.created_at))
        .where(_OTHER.c.achievement_id == AchievementVersion.achievement_id)
        .scalar_subquery()
    )
    row = session.execute(
        sa.select(
            AchievementVersion.organisation_id,
            AchievementVersion.expires_at,
            newest,
        ).where(AchievementVersion.id == version_id, _is_owed())
    ).one_or_none()
    return None if row is None or row.expires_at is None else VersionEnd(*row)


_OTHER = sa.alias(AchievementVersion.__table__)


def _is_later(expires_at: datetime) -> sa.ColumnElement[bool]:
    """Signed, in force, and without this end or an earlier one."""
    return sa.and_(
        Credential.document.is_not(None),
        Credential.revoked_at.is_(None),
        sa.or_(Credential.valid_until.is_(None), Credential.valid_until > expires_at),
    )


def ending_later(
    session: Session,
    version_id: str,
    expires_at: datetime,
    after: str,
    limit: int,
    without: Collection[str] = (),
) -> tuple[Signed, ...]:
    """Badges of a version that end later than it does, or never, from the learner after ``after`` on.

    :param without: issuers whose badges are left out.
    """
    rows = session.execute(
        sa.select(Credential.id, Credential.issuer_id, Credential.document, Award.learner_id)
        .join(Award, Award.id == Credential.award_id)
        .where(
            Award.achievement_version_id == version_id,
            Award.learner_id > after,
            Credential.issuer_id.not_in(without),
            _is_later(expires_at),
        )
        .order_by(Award.learner_id)
        .limit(limit)
    )
    return tuple(Signed(row.id, row.issuer_id, str(row.document), row.learner_id) for row in rows)


def count_ending_later(session: Session, organisation_id: str, version_id: str, expires_at: datetime) -> int:
    """How many badges of a version of this organisation end later than that, or never."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Credential)
            .join(Award, Award.id == Credential.award_id)
            .where(
                Award.organisation_id == organisation_id,
                Award.achievement_version_id == version_id,
                _is_later(expires_at),
            )
        )
        or 0
    )


def settle(session: Session, version_id: str, expires_at: datetime) -> bool:
    """Note that all badges of a version have its end; False where it has another end by now."""
    changed = session.connection().execute(
        sa.update(AchievementVersion)
        .where(AchievementVersion.id == version_id, AchievementVersion.expires_at == expires_at, _is_owed())
        .values(ends_signed_for=expires_at)
    )
    return changed.rowcount == 1


# -- badges that end soon


_LATER = aliased(AchievementVersion)


@dataclass(frozen=True, slots=True)
class EndingRow:
    """Somebody's badge that ends soon, or has ended lately."""

    credential_id: str
    learner_id: str
    learner_name: str | None
    name: str
    """Of the badge."""
    context_title: str | None
    ends_at: datetime
    validity_months: int | None
    opens_days: int | None
    closes_days: int | None
    expires_at: datetime | None
    """Of its version."""
    has_later: bool = False
    """Whether its achievement has a later version: then no course renews badges of this one."""
    has_left: bool = False
    """The course where it was earned, and takes part in no other that gives it: then none renews it."""


@dataclass(frozen=True, slots=True)
class EndingFilter:
    """Which badges are meant: those that end from ``since`` to ``until``, neither revoked nor suspended."""

    organisation_id: str
    since: datetime
    until: datetime
    context_id: str | None = None
    """Those that were earned in this course."""


def count_ending(session: Session, wanted: EndingFilter) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(Credential)
    return session.scalar(_joined(query, wanted)) or 0


def ending(session: Session, wanted: EndingFilter, *, offset: int, limit: int) -> tuple[EndingRow, ...]:
    """Some of them, those that end first before the others."""
    query = _joined(
        sa.select(
            Credential.id,
            Award.learner_id,
            Learner.name,
            AchievementVersion.name,
            Context.title,
            Credential.valid_until,
            AchievementVersion.validity_months,
            AchievementVersion.renewal_opens_days,
            AchievementVersion.renewal_closes_days,
            AchievementVersion.expires_at,
            sa.exists()
            .where(
                _LATER.achievement_id == AchievementVersion.achievement_id,
                _LATER.number > AchievementVersion.number,
            )
            .label("has_later"),
            sa.and_(_has_left(), sa.not_(_takes_part())).label("has_left"),
        ).select_from(Credential),
        wanted,
    )
    ordered = query.order_by(Credential.valid_until, Credential.id)
    rows: Iterable[Any] = session.execute(ordered.offset(offset).limit(limit))
    return tuple(EndingRow(*(*row[:-1], bool(row[-1]))) for row in rows)


def _has_left() -> sa.ColumnElement[bool]:
    """Whether the holder has left the course in which an award was made; not where nobody can tell."""
    return sa.exists().where(
        Membership.organisation_id == Award.organisation_id,
        Membership.context_id == Award.context_id,
        Membership.learner_id == Award.learner_id,
        Membership.is_active.is_(False),
    )


def _takes_part() -> sa.ColumnElement[bool]:
    """Whether the holder takes part in some course that gives the badge: there it is decided, and renewed."""
    return sa.exists().where(
        MicromoduleVersion.achievement_version_id == Award.achievement_version_id,
        Placement.micromodule_version_id == MicromoduleVersion.id,
        Placement.status == "active",
        Membership.context_id == Placement.context_id,
        Membership.organisation_id == Award.organisation_id,
        Membership.learner_id == Award.learner_id,
        Membership.is_learner.is_(True),
        Membership.is_staff.is_(False),
        Membership.is_active.is_(True),
    )


def _joined(query: Any, wanted: EndingFilter) -> Any:
    query = (
        query.join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Learner, Learner.id == Award.learner_id)
        .outerjoin(Context, Context.id == Award.context_id)
        .where(
            Credential.organisation_id == wanted.organisation_id,
            Credential.valid_until.is_not(None),
            Credential.valid_until > wanted.since,
            Credential.valid_until <= wanted.until,
            Credential.document.is_not(None),
            Credential.revoked_at.is_(None),
            Credential.suspended_at.is_(None),
        )
    )
    return query if wanted.context_id is None else query.where(Award.context_id == wanted.context_id)
