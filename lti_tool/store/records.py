"""Awards and completions as flat rows, for systems that keep students' records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    AuditEvent,
    Award,
    Completion,
    Context,
    Credential,
    Issuer,
    Learner,
    MicromoduleVersion,
    Registration,
)
from lti_tool.store.validity import ends_at

_WHO: Final = (
    Learner.id.label("learner_id"),
    Registration.issuer.label("platform"),
    Learner.sub.label("user_id"),
    Learner.name.label("name"),
    Learner.email.label("email"),
)
_WHERE: Final = (
    Context.id_on_platform.label("course_id"),
    Context.label.label("course_label"),
    Context.title.label("course"),
)


def _awards(organisation_id: str, since: datetime | None, now: datetime) -> Select[Any]:
    query = (
        select(
            Award.id.label("award_id"),
            *_WHO,
            *_WHERE,
            Achievement.micromodule_id.label("micromodule_id"),
            Achievement.id.label("achievement_id"),
            AchievementVersion.id.label("achievement_version_id"),
            AchievementVersion.name.label("badge"),
            AchievementVersion.number.label("version"),
            Award.met_at.label("criteria_met_at"),
            Award.awarded_at,
            Credential.id.label("credential_id"),
            Credential.issued_at,
            Credential.revoked_at,
            Credential.revocation_reason,
            ends_at().label("valid_until"),
            Credential.suspended_at,
            Credential.suspension_reason,
            Credential.reissued_at,
            AchievementVersion.credits,
            AchievementVersion.credit_unit,
            AchievementVersion.human_code,
            Issuer.id.label("issuer_id"),
            Issuer.name.label("issuer"),
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .join(Issuer, Issuer.id == Achievement.issuer_id)
        .join(Learner, Learner.id == Award.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .outerjoin(Context, and_(Context.id == Award.context_id, Context.organisation_id == organisation_id))
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(Award.organisation_id == organisation_id, Learner.organisation_id == organisation_id)
    )
    chosen = cast("Select[Any]", query)
    if since is None:
        return chosen
    moments = (
        Award.awarded_at,
        Credential.issued_at,
        Credential.revoked_at,
        Credential.suspended_at,
        Credential.reissued_at,
    )
    expired = and_(ends_at() >= since, ends_at() <= now)
    # A pause that is over leaves no date with the credential; who was told of it has to hear that it ended.
    resumed = Credential.id.in_(
        select(AuditEvent.subject_id).where(
            AuditEvent.organisation_id == organisation_id,
            AuditEvent.at >= since,
            AuditEvent.action == "credential.resumed",
        )
    )
    return chosen.where(or_(expired, resumed, *(moment >= since for moment in moments)))


def _completions(organisation_id: str, since: datetime | None, _now: datetime) -> Select[Any]:
    query = (
        select(
            Completion.id.label("completion_id"),
            *_WHO,
            *_WHERE,
            MicromoduleVersion.micromodule_id,
            MicromoduleVersion.id.label("micromodule_version_id"),
            MicromoduleVersion.name.label("micromodule"),
            MicromoduleVersion.number.label("version"),
            Completion.met_at.label("criteria_met_at"),
            Completion.recorded_at,
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        .join(Learner, Learner.id == Completion.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .outerjoin(
            Context, and_(Context.id == Completion.context_id, Context.organisation_id == organisation_id)
        )
        .where(Completion.organisation_id == organisation_id, Learner.organisation_id == organisation_id)
    )
    chosen = cast("Select[Any]", query)
    return chosen if since is None else chosen.where(Completion.recorded_at >= since)


def awards(
    session: Session, organisation_id: str, *, since: datetime | None, now: datetime, after: str, limit: int
) -> Sequence[dict[str, Any]]:
    """The awards that follow the id ``after``, at most ``limit``, in the order of their ids.

    :param since: only those awarded, signed, signed anew, suspended, resumed, revoked or expired then or
        later.
    :param now: what ends later has not expired.
    """
    return _rows(session, _awards(organisation_id, since, now), Award.id, after, limit)


def completions(
    session: Session, organisation_id: str, *, since: datetime | None, now: datetime, after: str, limit: int
) -> Sequence[dict[str, Any]]:
    """As :func:`awards`; ``since`` is about when a completion was recorded."""
    return _rows(session, _completions(organisation_id, since, now), Completion.id, after, limit)


def _rows(
    session: Session, chosen: Select[Any], key: Any, after: str, limit: int
) -> Sequence[dict[str, Any]]:
    found = session.execute(chosen.where(key > after).order_by(key).limit(limit))
    return [dict(row) for row in found.mappings()]


def counts(session: Session, organisation_id: str) -> tuple[int, int]:
    """How many awards and completions there are."""
    of_awards = select(func.count()).select_from(Award).where(Award.organisation_id == organisation_id)
    of_completions = (
        select(func.count()).select_from(Completion).where(Completion.organisation_id == organisation_id)
    )
    return session.scalar(of_awards) or 0, session.scalar(of_completions) or 0
