"""Lists for the operator, who sees the whole installation; no page and no job reads these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    Context,
    Credential,
    Deployment,
    Issuer,
    Learner,
    LineItem,
    Membership,
    MicromoduleVersion,
    Organisation,
    Placement,
    Registration,
)
from lti_tool.store.validity import ends_at

Listed = Mapping[str, Any]


def organisations(session: Session) -> list[Listed]:
    """Every organisation."""
    return _rows(
        session,
        sa.select(Organisation.id, Organisation.name, Organisation.created_at).order_by(Organisation.name),
    )


def issuers(session: Session, organisation_id: str | None = None) -> list[Listed]:
    """Issuers, of one organisation or all."""
    statement = sa.select(
        Issuer.id, Issuer.name, Issuer.organisation_id, Issuer.url, Issuer.is_default, Issuer.retired_at
    ).order_by(Issuer.name)
    return _rows(session, _owned(statement, Issuer.organisation_id, organisation_id))


def contexts(session: Session, organisation_id: str | None = None) -> list[Listed]:
    """Courses, of one organisation or all, with how fresh they are."""
    placed = (
        sa.select(sa.func.count())
        .where(Placement.context_id == Context.id, Placement.status == "active")
        .scalar_subquery()
    )
    statement = (
        sa.select(
            Context.id,
            Context.title,
            Registration.name.label("platform"),
            Context.organisation_id,
            placed.label("micromodules"),
            Context.last_launched_at,
            Context.roster_read_at,
            Context.sync_due_at,
            Context.roster_trouble.label("trouble"),
        )
        .join(Registration, Registration.id == Context.registration_id)
        .order_by(Context.title, Context.id)
    )
    return _rows(session, _owned(statement, Context.organisation_id, organisation_id))


def context(session: Session, context_id: str) -> Listed | None:
    """One course with its micromodules and columns."""
    row = (
        session.execute(
            sa.select(
                Context.id,
                Context.title,
                Context.label,
                Context.id_on_platform,
                Context.organisation_id,
                Registration.issuer.label("platform_issuer"),
                Registration.product,
                Deployment.id_on_platform.label("deployment"),
                Context.memberships_url,
                Context.line_items_url,
                Context.last_launched_at,
                Context.sync_due_at,
                Context.roster_read_at,
                Context.roster_is_complete,
                Context.roster_trouble,
            )
            .join(Registration, Registration.id == Context.registration_id)
            .join(Deployment, Deployment.id == Context.deployment_id)
            .where(Context.id == context_id)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    members = session.scalar(
        sa.select(sa.func.count()).where(
            Membership.context_id == context_id, Membership.is_learner, Membership.is_active
        )
    )
    placements = _rows(
        session,
        sa.select(
            Placement.id,
            MicromoduleVersion.name,
            Placement.status,
            Placement.badge_link_key,
            MicromoduleVersion.achievement_version_id,
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(Placement.context_id == context_id)
        .order_by(Placement.created_at),
    )
    columns = _rows(
        session,
        sa.select(
            LineItem.label,
            LineItem.tag,
            LineItem.id_on_platform.label("url"),
            LineItem.first_value_at,
            LineItem.read_at,
            LineItem.is_complete,
            LineItem.trouble,
        )
        .where(LineItem.context_id == context_id)
        .order_by(LineItem.created_at),
    )
    return {**row, "learners": members, "placements": placements, "columns": columns}


def context_keys(session: Session, *, is_placed: bool = False) -> list[tuple[str, str]]:
    """(organisation, context) ids of every course, or of those in which a micromodule is active."""
    statement = sa.select(Context.organisation_id, Context.id).order_by(Context.title, Context.id)
    if is_placed:
        statement = statement.where(
            sa.exists().where(Placement.context_id == Context.id, Placement.status == "active")
        )
    return [(organisation_id, context_id) for organisation_id, context_id in session.execute(statement)]


def owner_of_context(session: Session, context_id: str) -> str | None:
    """The organisation that a course belongs to."""
    return session.scalar(sa.select(Context.organisation_id).where(Context.id == context_id))


def credentials(
    session: Session, organisation_id: str | None, now: datetime, *, ending_until: datetime | None = None
) -> list[Listed]:
    """Credentials with their state at ``now``, the newest first; ids and names of badges, nobody's name.

    :param ending_until: only those in force that end until then, the first before the others.
    """
    ends = ends_at()
    statement = (
        sa.select(
            Credential.id,
            sa.case(
                (Credential.revoked_at.is_not(None), "revoked"),
                (Credential.suspended_at.is_not(None), "suspended"),
                (Credential.document.is_(None), "unsigned"),
                (ends <= now, "expired"),
                else_="issued",
            ).label("status"),
            Credential.is_public,
            AchievementVersion.name.label("achievement"),
            Credential.award_id,
            Award.learner_id,
            Credential.organisation_id,
            Credential.issued_at,
            ends.label("valid_until"),
            Credential.revoked_at,
        )
        .join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .order_by(ends if ending_until else Award.awarded_at.desc(), Credential.id)
    )
    if ending_until is not None:
        statement = statement.where(
            ends > now,
            ends <= ending_until,
            Credential.document.is_not(None),
            Credential.revoked_at.is_(None),
            Credential.suspended_at.is_(None),
        )
    return _rows(session, _owned(statement, Credential.organisation_id, organisation_id))


def learner_names(session: Session, learner_ids: list[str]) -> dict[str, str | None]:
    """Names for a dry run, which the operator reads and nothing keeps."""
    names: dict[str, str | None] = {}
    for chunk in chunks(learner_ids):
        found = session.execute(sa.select(Learner.id, Learner.name).where(Learner.id.in_(chunk)))
        names.update((learner_id, name) for learner_id, name in found)
    return names


def _owned(
    statement: sa.Select[*tuple[Any, ...]], column: Any, organisation_id: str | None
) -> sa.Select[*tuple[Any, ...]]:
    return statement if organisation_id is None else statement.where(column == organisation_id)


def _rows(session: Session, statement: sa.Select[*tuple[Any, ...]]) -> list[Listed]:
    return [dict(row) for row in session.execute(statement).mappings()]
