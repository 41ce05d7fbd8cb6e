"""What a launch leaves behind: context, link, learner, membership, the nonce, the session.

A launch that tells nothing new costs three statements: one that reads everything it touches, the nonce's
insert and the session's. Rows are written only where they differ, and "last launched" at most once a
minute: a class that opens a course together does not queue up for one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.orm import Session, aliased

from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Base,
    Context,
    Deployment,
    LaunchSession,
    Learner,
    Membership,
    Nonce,
    Placement,
    Registration,
    ResourceLink,
    new_id,
)

TOUCH_INTERVAL: Final = timedelta(minutes=1)
"""How exact ``last_launched_at`` and ``seen_at`` are."""


@dataclass(frozen=True, slots=True)
class LaunchKeys:
    """The platform's names of all that a launch touches."""

    registration_id: str
    deployment_id: str
    sub: str
    context_id: str | None
    resource_link_id: str | None
    badge_link_key: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """The rows of ours that a launch touches, as far as they exist."""

    registration: Registration
    deployment: Deployment | None
    context: Context | None
    link: ResourceLink | None
    learner: Learner | None
    membership: Membership | None
    placement: Placement | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A launch session joined with what its pages show."""

    session: LaunchSession
    learner_name: str | None
    context_title: str | None
    link_role: str | None
    placement_id: str | None
    is_copied_link: bool
    product: str
    issuer: str


def consume_nonce(session: Session, nonce: str, expires_at: datetime) -> bool:
    """Use a nonce up; False where it was used before. Of two that try at once, one gets True."""
    value_hash = hashlib.sha256(nonce.encode()).hexdigest()
    return insert_if_absent(
        session, Nonce, {"value_hash": value_hash, "expires_at": expires_at}, on=("value_hash",)
    )


def find_known(session: Session, keys: LaunchKeys) -> Known | None:
    """Everything a launch touches, in one statement; ``None`` where the registration is gone.

    Each row is sought within the one that owns it: a context within its deployment, a learner within the
    deployment's organisation and the registration, a placement within the context.
    """
    row = session.execute(
        select(Registration, Deployment, Context, ResourceLink, Learner, Membership, Placement)
        .select_from(Registration)
        .outerjoin(
            Deployment,
            and_(
                Deployment.registration_id == Registration.id,
                Deployment.id_on_platform == keys.deployment_id,
            ),
        )
        .outerjoin(
            Context,
            and_(
                Context.deployment_id == Deployment.id,
                Context.organisation_id == Deployment.organisation_id,
                Context.id_on_platform == keys.context_id,
            ),
        )
        .outerjoin(
            ResourceLink,
            and_(
                ResourceLink.context_id == Context.id,
                ResourceLink.id_on_platform == keys.resource_link_id,
            ),
        )
        .outerjoin(
            Learner,
            and_(
                Learner.organisation_id == Deployment.organisation_id,
                Learner.registration_id == Registration.id,
                Learner.sub == keys.sub,
            ),
        )
        .outerjoin(Membership, and_(Membership.context_id == Context.id, Membership.learner_id == Learner.id))
        .outerjoin(
            Placement,
            and_(
                Placement.context_id == Context.id,
                Placement.organisation_id == Deployment.organisation_id,
                Placement.badge_link_key == keys.badge_link_key,
                Placement.status != "removed",
            ),
        )
        .where(Registration.id == keys.registration_id)
    ).one_or_none()
    return None if row is None else Known(*row)


def save(
    session: Session,
    table: type[Base],
    row: Any,
    *,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    created: Mapping[str, Any],
    sticky: tuple[str, ...] = (),
) -> str:
    """Bring one row to ``values``, inserting it if it is not there; only differences are written.

    :param row: the row as :func:`find_known` found it, or ``None``.
    :param key: the columns of its unique constraint.
    :param created: further columns of a new row.
    :param sticky: columns that, once true, stay true whatever ``values`` says.
    :returns: its id.
    """
    columns: Any = table
    if row is None:
        own_id = new_id()
        inserted = insert_if_absent(session, table, {"id": own_id, **key, **values, **created}, on=tuple(key))
        if inserted:
            return own_id
        # Somebody else's launch was a moment faster.
        row = session.scalars(select(table).filter_by(**key)).one()
    changes = {
        name: value
        for name, value in values.items()
        if getattr(row, name) != value and not (name in sticky and getattr(row, name))
    }
    if changes:
        session.execute(
            update(table)
            .where(columns.id == row.id)
            .values(**changes)
            .execution_options(synchronize_session=False)
        )
    return str(row.id)


def touched(before: datetime | None, now: datetime) -> datetime:
    """``now``, or the time before it where that is exact enough."""
    return before if before is not None and now - before < TOUCH_INTERVAL and before <= now else now


def activate_placement(session: Session, organisation_id: str, placement_id: str, now: datetime) -> None:
    """The link was launched: the platform did keep it."""
    session.execute(
        update(Placement)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.id == placement_id,
            Placement.status == "draft",
        )
        .values(status="active", activated_at=now)
        .execution_options(synchronize_session=False)
    )


def add_session(session: Session, row: LaunchSession) -> None:
    """A new launch session."""
    session.add(row)
    session.flush()


def hash_token(token: str) -> str:
    """A session token as it is stored: whoever reads the database cannot open a session."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def session_by_token(session: Session, token: str) -> StoredSession | None:
    """The launch session of a token, expired or not; none once its deployment or registration is shut."""
    original, elsewhere = aliased(Placement), aliased(Context)
    is_copied: ColumnElement[bool] = (
        exists()
        .where(
            original.badge_link_key == ResourceLink.badge_link_key,
            original.organisation_id == LaunchSession.organisation_id,
            original.context_id != LaunchSession.context_id,
            elsewhere.id == original.context_id,
            elsewhere.registration_id == LaunchSession.registration_id,
        )
        .correlate(ResourceLink, LaunchSession)
    )
    row = session.execute(
        select(
            LaunchSession,
            Learner.name.label("learner_name"),
            Context.title.label("context_title"),
            ResourceLink.role.label("link_role"),
            Placement.id.label("placement_id"),
            and_(Placement.id.is_(None), is_copied).label("is_copied_link"),
            Registration.product,
            Registration.issuer,
        )
        .join(Registration, Registration.id == LaunchSession.registration_id)
        .join(Deployment, Deployment.id == LaunchSession.deployment_id)
        .join(Learner, Learner.id == LaunchSession.learner_id)
        .outerjoin(Context, Context.id == LaunchSession.context_id)
        .outerjoin(ResourceLink, ResourceLink.id == LaunchSession.resource_link_id)
        .outerjoin(
            Placement,
            and_(
                Placement.context_id == LaunchSession.context_id,
                Placement.organisation_id == LaunchSession.organisation_id,
                Placement.badge_link_key == ResourceLink.badge_link_key,
                Placement.status != "removed",
            ),
        )
        .where(
            LaunchSession.token_hash == hash_token(token),
            Registration.status == "approved",
            Deployment.status == "approved",
        )
    ).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    found = values.pop("LaunchSession")
    return StoredSession(session=found, **{**values, "is_copied_link": bool(values["is_copied_link"])})


def is_copied_link(
    session: Session, organisation_id: str, registration_id: str, badge_link_key: str, context_id: str
) -> bool:
    """Whether the key belongs to a placement in another context of the same registration and organisation."""
    found = session.scalar(
        select(Placement.id)
        .join(Context, Context.id == Placement.context_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.badge_link_key == badge_link_key,
            Placement.context_id != context_id,
            Context.registration_id == registration_id,
        )
        .limit(1)
    )
    return found is not None
