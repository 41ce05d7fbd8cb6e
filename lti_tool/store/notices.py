"""Platform notifications: which were received, what waits to be acted on, where handlers are registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.registrations import DeploymentView, RegistrationView
from lti_tool.store import registrations
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import Deployment, Notice, Registration, new_id


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notification that was received."""

    id: str
    registration_id: str
    deployment_id: str
    """Our key."""
    organisation_id: str
    kind: str
    sent_at: datetime | None
    received_at: datetime
    body: dict[str, Any]
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class HandlerPlan:
    """A deployment whose handlers are to be registered, or taken back."""

    registration: RegistrationView
    deployment: DeploymentView
    notices_url: str
    notice_types: tuple[str, ...]
    """Registered so far."""

    @property
    def is_wanted(self) -> bool:
        """Whether it may launch, and so is listened to; else what was registered is taken back."""
        return self.registration.is_approved and self.deployment.status.value == "approved"


def deployment(session: Session, registration_id: str, id_on_platform: str) -> DeploymentView | None:
    """The deployment that a platform names so."""
    row = session.scalars(
        select(Deployment).where(
            Deployment.registration_id == registration_id, Deployment.id_on_platform == id_on_platform
        )
    ).one_or_none()
    return None if row is None else registrations.deployment_view(row)


def add(
    session: Session,
    *,
    registration_id: str,
    deployment_id: str,
    id_on_platform: str,
    kind: str,
    sent_at: datetime | None,
    received_at: datetime,
    body: dict[str, Any],
) -> str | None:
    """Keep one; its id, or ``None`` where it came before."""
    id_ = new_id()
    added = insert_if_absent(
        session,
        Notice,
        {
            "id": id_,
            "registration_id": registration_id,
            "deployment_id": deployment_id,
            "id_on_platform": id_on_platform,
            "kind": kind,
            "sent_at": sent_at,
            "received_at": received_at,
            "body": body,
        },
        on=("deployment_id", "id_on_platform"),
    )
    return id_ if added else None


def received_since(session: Session, deployment_id: str, since: datetime) -> int:
    """How many a deployment sent since then."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Notice)
            .where(Notice.deployment_id == deployment_id, Notice.received_at >= since)
        )
        or 0
    )


def notice(session: Session, notice_id: str) -> NoticeRow | None:
    """One, of a deployment that belongs to somebody."""
    row = session.execute(
        select(
            Notice.id,
            Notice.registration_id,
            Notice.deployment_id,
            Deployment.organisation_id,
            Notice.kind,
            Notice.sent_at,
            Notice.received_at,
            Notice.body,
            Notice.done_at,
        )
        .join(Deployment, Deployment.id == Notice.deployment_id)
        .where(Notice.id == notice_id, Deployment.organisation_id.is_not(None))
    ).one_or_none()
    return None if row is None else NoticeRow(**row._mapping)


def waiting(session: Session, limit: int) -> tuple[str, ...]:
    """Ids of those that nobody acted on yet, the oldest first."""
    return tuple(
        session.scalars(
            select(Notice.id)
            .where(Notice.done_at.is_(None))
            .order_by(Notice.received_at, Notice.id)
            .limit(limit)
        )
    )


def finish(session: Session, notice_id: str, outcome: str, now: datetime) -> None:
    """Say what came of it."""
    session.connection().execute(
        update(Notice)
        .where(Notice.id == notice_id, Notice.done_at.is_(None))
        .values(done_at=now, outcome=outcome)
    )


def prune(session: Session, before: datetime) -> int:
    """Forget those received before that time; how many."""
    return session.connection().execute(delete(Notice).where(Notice.received_at < before)).rowcount


# -- handlers


def _is_wanted() -> ColumnElement[bool]:
    return and_(Registration.status == "approved", Deployment.status == "approved")


def handlers_due(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Deployments whose handlers are to be looked after: asked for, looked at again, or taken back."""
    rows = session.execute(
        select(Deployment.id, _is_wanted().label("is_wanted"), Deployment.notice_types)
        .join(Registration, Registration.id == Deployment.registration_id)
        .where(
            Deployment.notices_url.is_not(None),
            or_(Deployment.notices_due_at.is_(None), Deployment.notices_due_at <= now),
        )
        .order_by(Deployment.notices_due_at, Deployment.id)
    )
    return tuple(row.id for row in rows if row.is_wanted or row.notice_types)[:limit]


def handler_plan(session: Session, deployment_id: str) -> HandlerPlan | None:
    """What is known of one; ``None`` where it is gone, or never named where handlers are registered."""
    found = session.execute(
        select(Deployment, Registration)
        .join(Registration, Registration.id == Deployment.registration_id)
        .where(Deployment.id == deployment_id, Deployment.notices_url.is_not(None))
    ).one_or_none()
    if found is None:
        return None
    row, registration = found
    url = row.notices_url
    if url is None:
        return None
    return HandlerPlan(
        registrations.registration_view(registration),
        registrations.deployment_view(row),
        url,
        tuple(row.notice_types),
    )


def keep_handlers(
    session: Session, deployment_id: str, url: str, types: Sequence[str], due_at: datetime | None
) -> None:
    """What is registered now, and when to look again; nothing where another address was told meanwhile."""
    session.connection().execute(
        update(Deployment)
        .where(Deployment.id == deployment_id, Deployment.notices_url == url)
        .values(notice_types=list(types), notices_due_at=due_at)
    )


def put_off(session: Session, deployment_id: str, due_at: datetime) -> None:
    """Look after a deployment's handlers later."""
    session.connection().execute(
        update(Deployment).where(Deployment.id == deployment_id).values(notices_due_at=due_at)
    )
