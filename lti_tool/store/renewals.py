"""Badges that were earned again: whose may be, what came of it, and what still has to be signed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.dialects import for_each, insert_rows, is_of, never_indexed, one_of
from lti_tool.store.reissues import Signed
from lti_tool.store.runs import LONGEST_LEASE
from lti_tool.store.tables import AchievementVersion, Award, Credential, Decision, Lease, Renewal

LEASE = "renewals:"
"""Prefix of the lease under which one process signs an organisation's renewed badges."""


class VersionTerms(NamedTuple):
    """What a version says about how long its badges are valid, and how they are renewed."""

    validity_months: int | None
    opens_days: int | None
    closes_days: int | None
    expires_at: datetime | None


class Held(NamedTuple):
    """A badge in force or over, that ends: until when, and since which success."""

    award_id: str
    learner_id: str
    number: int
    """How often it was renewed."""
    ends_at: datetime
    met_at: datetime
    """Of the award, or of the last renewal."""


class NewRenewal(NamedTuple):
    """A renewal about to be stored."""

    id: str
    award_id: str
    number: int
    decision_id: str | None
    finding: dict[str, Any]
    evidence: dict[str, Any]
    met_at: datetime
    valid_until: datetime


class Owed(NamedTuple):
    """A renewal that does not stand in its badge yet, with the badge's text."""

    id: str
    valid_until: datetime
    expires_at: datetime | None
    """Of the version."""
    revoked_at: datetime | None
    signed: Signed


def terms(session: Session, organisation_id: str, version_id: str) -> VersionTerms | None:
    """The terms of one version of this organisation."""
    row = session.execute(
        sa.select(
            AchievementVersion.validity_months,
            AchievementVersion.renewal_opens_days,
            AchievementVersion.renewal_closes_days,
            AchievementVersion.expires_at,
        ).where(AchievementVersion.organisation_id == organisation_id, AchievementVersion.id == version_id)
    ).one_or_none()
    return None if row is None else VersionTerms(*row)


def held(
    session: Session, organisation_id: str, version_id: str, learner_ids: Collection[str], until: datetime
) -> dict[str, Held]:
    """The signed badges of a version that end before ``until``, neither revoked nor suspended, by learner.

    One that was renewed ends when the last renewal says, also before that was signed.
    """
    last = _last_renewals().subquery()
    rows = session.execute(
        sa.select(
            Award.id,
            Award.learner_id,
            last.c.number,
            sa.func.coalesce(last.c.valid_until, Credential.valid_until),
            sa.func.coalesce(last.c.met_at, Award.met_at),
        )
        .join(Credential, Credential.award_id == Award.id)
        .outerjoin(last, last.c.award_id == Award.id)
        .where(
            is_of(Award.organisation_id, organisation_id),
            Award.achievement_version_id == version_id,
            one_of(session, Award.learner_id, learner_ids),
            Credential.document.is_not(None),
            sa.func.coalesce(last.c.valid_until, Credential.valid_until) <= until,
            Credential.revoked_at.is_(None),
            Credential.suspended_at.is_(None),
        )
    )
    found = (Held(row[0], row[1], row[2] or 0, row[3], row[4]) for row in rows)
    return {one.learner_id: one for one in found}


def _last_renewals() -> sa.Select[str, int, datetime, datetime]:
    later = sa.alias(Renewal.__table__)
    return sa.select(Renewal.award_id, Renewal.number, Renewal.valid_until, Renewal.met_at).where(
        ~sa.exists().where(later.c.award_id == Renewal.award_id, later.c.number > Renewal.number)
    )


class PastEvidence(NamedTuple):
    """What a decision rested on."""

    learner_id: str
    decided_at: datetime
    evidence: dict[str, Any]


def histories(
    session: Session, organisation_id: str, placement_id: str, learner_ids: Collection[str]
) -> dict[str, list[PastEvidence]]:
    """Every decision of a placement about some learners, by learner, the newest first."""
    decided = (
        sa.select(Decision.learner_id, Decision.decided_at, Decision.evidence)
        .where(
            never_indexed(Decision.organisation_id) == organisation_id, Decision.placement_id == placement_id
        )
        .order_by(Decision.decided_at.desc(), Decision.is_latest.desc(), Decision.id)
    )
    rows = session.execute(for_each(session, decided, Decision.learner_id, learner_ids))
    found: dict[str, list[PastEvidence]] = {}
    for row in rows:
        found.setdefault(row.learner_id, []).append(PastEvidence(*row))
    return found


def add(session: Session, organisation_id: str, new: Sequence[NewRenewal], now: datetime) -> int:
    """Store renewals; how many were new. Of two that somebody decided at once, one is kept."""
    return insert_rows(
        session,
        Renewal,
        NewRenewal._fields,
        new,
        shared={"organisation_id": organisation_id, "renewed_at": now},
        unless=("award_id", "number"),
    )


def ends(session: Session, award_ids: Collection[str]) -> dict[str, datetime]:
    """Until when awards were renewed, by their ids; those that never were are left out."""
    rows = session.execute(
        sa.select(Renewal.award_id, sa.func.max(Renewal.valid_until))
        .where(one_of(session, Renewal.award_id, award_ids))
        .group_by(Renewal.award_id)
    )
    return {row[0]: row[1] for row in rows}


class RenewalRow(NamedTuple):
    """A renewal, as its learner takes it along."""

    award_id: str
    met_at: datetime
    renewed_at: datetime
    valid_until: datetime
    finding: dict[str, Any]
    evidence: dict[str, Any]


def of_learner(session: Session, learner_id: str) -> tuple[RenewalRow, ...]:
    """All renewals of a learner's badges, the oldest first."""
    rows = session.execute(
        sa.select(
            Renewal.award_id,
            Renewal.met_at,
            Renewal.renewed_at,
            Renewal.valid_until,
            Renewal.finding,
            Renewal.evidence,
        )
        .join(Award, Award.id == Renewal.award_id)
        .where(Award.learner_id == learner_id)
        .order_by(Renewal.award_id, Renewal.number)
    )
    return tuple(RenewalRow(*row) for row in rows)


def owing(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Ids of the organisations with renewals that have to be signed, and that nobody works on."""
    held_leases = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    return tuple(
        session.scalars(
            sa.select(Renewal.organisation_id)
            .where(
                Renewal.signed_at.is_(None), (sa.literal(LEASE) + Renewal.organisation_id).not_in(held_leases)
            )
            .distinct()
            .order_by(Renewal.organisation_id)
            .limit(limit)
        )
    )


class Arrears(NamedTuple):
    """How much has to be signed, for all organisations."""

    renewals: int
    oldest_at: datetime | None


def arrears(session: Session) -> Arrears:
    """The renewals that do not stand in their badges yet."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.min(Renewal.renewed_at)).where(Renewal.signed_at.is_(None))
    ).one()
    return Arrears(*row)


def owed(
    session: Session, organisation_id: str, after: str, limit: int, without: Collection[str] = ()
) -> tuple[Owed, ...]:
    """Renewals of an organisation that have to be signed, by id from the one after ``after`` on.

    :param without: issuers whose badges are left out.
    """
    rows = session.execute(
        sa.select(
            Renewal.id,
            Renewal.valid_until,
            AchievementVersion.expires_at,
            Credential.revoked_at,
            Credential.id,
            Credential.issuer_id,
            Credential.document,
        )
        .join(Award, Award.id == Renewal.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Credential, Credential.award_id == Award.id)
        .where(
            Renewal.organisation_id == organisation_id,
            Renewal.signed_at.is_(None),
            Renewal.id > after,
            Credential.document.is_not(None),
            Credential.issuer_id.not_in(without),
        )
        .order_by(Renewal.id)
        .limit(limit)
    )
    return tuple(Owed(*row[:4], Signed(row[4], row[5], str(row[6]), row[0])) for row in rows)


def settle(session: Session, organisation_id: str, ids: Collection[str], now: datetime) -> None:
    """Note that renewals stand in their badges, or never will."""
    session.execute(
        sa.update(Renewal)
        .where(Renewal.organisation_id == organisation_id, one_of(session, Renewal.id, ids))
        .values(signed_at=now)
        .execution_options(synchronize_session=False)
    )
