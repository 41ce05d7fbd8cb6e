"""Awards with their credentials, as the wallets of learners and lists of learners show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from lti_tool.domain.badge_states import Dated
from lti_tool.store.reviews import question_of
from lti_tool.store.tables import Achievement, AchievementVersion, Award, Context, Credential, Issuer
from lti_tool.store.validity import ends_at


@dataclass(frozen=True, slots=True)
class EarnedView(Dated):
    """An award with its credential, as its learner sees it."""

    award_id: str
    learner_id: str
    credential_id: str | None
    is_signed: bool
    achievement_version_id: str
    name: str
    description: str
    skills: tuple[str, ...]
    image_alt: str
    issuer_name: str
    context_title: str | None
    awarded_at: datetime
    met_at: datetime
    revoked_at: datetime | None
    revocation_reason: str | None
    is_public: bool
    suspended_at: datetime | None = None
    suspension_reason: str | None = None
    valid_until: datetime | None = None
    reissued_at: datetime | None = None
    status_purpose: str = "revocation"
    version_ends_at: datetime | None = None
    """When all badges of its version end, if not before."""
    question_id: str | None = None
    """Of the review in which its learner was asked something, and has not answered."""
    has_versions: bool = False
    """Whether its achievement has other versions; read for one learner's badges only."""


def _earned(organisation_id: str) -> Select[Any]:
    return (
        select(
            Award.id.label("award_id"),
            Award.learner_id,
            Credential.id.label("credential_id"),
            Credential.document.is_not(None).label("is_signed"),
            Award.achievement_version_id,
            AchievementVersion.name,
            AchievementVersion.description,
            AchievementVersion.skills,
            AchievementVersion.image_alt,
            Issuer.name.label("issuer_name"),
            Context.title.label("context_title"),
            Award.awarded_at,
            Award.met_at,
            Credential.revoked_at,
            Credential.revocation_reason,
            Credential.suspended_at,
            Credential.suspension_reason,
            ends_at().label("valid_until"),
            Credential.reissued_at,
            AchievementVersion.status_purpose,
            AchievementVersion.expires_at.label("version_ends_at"),
            func.coalesce(Credential.is_public, False).label("is_public"),
            question_of(Award.id).label("question_id"),
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .join(Issuer, Issuer.id == Achievement.issuer_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .outerjoin(Context, Context.id == Award.context_id)
        .where(Award.organisation_id == organisation_id)
    )


def _earned_view(row: Any) -> EarnedView:
    values = {**row._mapping, "skills": tuple(row.skills), "is_signed": bool(row.is_signed)}
    return EarnedView(**{**values, "is_public": bool(row.is_public)})


_OTHER = aliased(AchievementVersion)


def earned_by(session: Session, organisation_id: str, learner_id: str) -> tuple[EarnedView, ...]:
    """A learner's awards within an organisation, newest first."""
    has_versions = exists().where(
        _OTHER.achievement_id == AchievementVersion.achievement_id, _OTHER.id != AchievementVersion.id
    )
    rows = session.execute(
        _earned(organisation_id)
        .add_columns(has_versions.label("has_versions"))
        .where(Award.learner_id == learner_id)
        .order_by(Award.awarded_at.desc(), Award.id)
    )
    return tuple(_earned_view(row) for row in rows)


def awards_of_versions(
    session: Session, organisation_id: str, achievement_version_ids: Sequence[str], learner_ids: Sequence[str]
) -> dict[str, dict[str, EarnedView]]:
    """Who of ``learner_ids`` has which achievement version: by version, then by learner."""
    rows = session.execute(
        _earned(organisation_id).where(
            Award.achievement_version_id.in_(achievement_version_ids), Award.learner_id.in_(learner_ids)
        )
    )
    found: dict[str, dict[str, EarnedView]] = {id_: {} for id_ in achievement_version_ids}
    for row in rows:
        found[row.achievement_version_id][row.learner_id] = _earned_view(row)
    return found
