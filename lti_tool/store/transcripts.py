"""What tokens and records of a learner are made from: who signs them, and the learner's signed badges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lti_tool.store.tables import AchievementVersion, Award, Credential, Issuer, Learner
from lti_tool.store.validity import is_not_over


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Who signs a token, and with what kind of key: ``RS256`` or ``ES256``."""

    id: str
    algorithm: str
    badge_ends_at: datetime | None = None
    """Of the credential that was asked about, with all badges of its version."""


def issuer_of(session: Session, credential_id: str) -> TokenIssuer | None:
    """The issuer of a credential; public, as the issuer itself is."""
    row = session.execute(
        select(Issuer.id, Issuer.token_algorithm, AchievementVersion.expires_at)
        .join(Credential, Credential.issuer_id == Issuer.id)
        .join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .where(Credential.id == credential_id)
    ).one_or_none()
    return None if row is None else TokenIssuer(*row)


def default_issuer(session: Session, organisation_id: str) -> TokenIssuer | None:
    """Who signs what an organisation says of a learner as a whole."""
    row = session.execute(
        select(Issuer.id, Issuer.token_algorithm).where(
            Issuer.organisation_id == organisation_id, Issuer.is_default.is_(True)
        )
    ).one_or_none()
    return None if row is None else TokenIssuer(*row)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose record it is, as far as a record says so."""

    id: str
    email: str | None
    sub: str


def holder(session: Session, organisation_id: str, learner_id: str) -> Holder | None:
    """A learner of this organisation."""
    row = session.execute(
        select(Learner.id, Learner.email, Learner.sub).where(
            Learner.organisation_id == organisation_id, Learner.id == learner_id
        )
    ).one_or_none()
    return None if row is None else Holder(*row)


@dataclass(frozen=True, slots=True)
class HeldBadge:
    """A signed badge that holds at the moment."""

    credential_id: str
    document: str
    achievement_id: str
    achievement_version_id: str
    number: int


def held_badges(
    session: Session, organisation_id: str, learner_id: str, now: datetime, limit: int
) -> tuple[HeldBadge, ...]:
    """A learner's badges that are signed and neither revoked, suspended nor expired; the newest first."""
    rows = session.execute(
        select(
            Credential.id,
            Credential.document,
            AchievementVersion.achievement_id,
            AchievementVersion.id,
            AchievementVersion.number,
        )
        .join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .where(
            Award.organisation_id == organisation_id,
            Award.learner_id == learner_id,
            Credential.document.is_not(None),
            Credential.revoked_at.is_(None),
            Credential.suspended_at.is_(None),
            is_not_over(now),
        )
        .order_by(Award.awarded_at.desc(), Credential.id)
        .limit(limit)
    )
    return tuple(HeldBadge(row[0], row[1] or "", row[2], row[3], row[4]) for row in rows)


def badges_won(session: Session, organisation_id: str, learner_id: str) -> int:
    """How many badges a learner was given and not taken, whatever became of them."""
    return session.execute(
        select(func.count())
        .select_from(Award)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(
            Award.organisation_id == organisation_id,
            Award.learner_id == learner_id,
            Credential.revoked_at.is_(None),
        )
    ).scalar_one()
