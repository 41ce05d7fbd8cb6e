"""One-time links by which LMSs register themselves, and how far what came of them is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.store.connections import Invitation, RefusedLaunch
from lti_tool.store.tables import Context, Deployment, Organisation, Registration, new_id


class InvitationState(StrEnum):
    """Whether an invitation still lets somebody in, and why not."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class InvitationView:
    """One invitation; whoever holds its token may register one LMS."""

    id: str
    organisation_id: str
    organisation_name: str
    name: str
    approves: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    claimed_until: datetime | None
    used_at: datetime | None
    withdrawn_at: datetime | None
    registration_id: str | None
    registration_name: str | None

    def state(self, now: datetime) -> InvitationState:
        """What has become of it."""
        if self.withdrawn_at is not None:
            return InvitationState.WITHDRAWN
        if self.used_at is not None:
            return InvitationState.USED
        return InvitationState.OPEN if now < self.expires_at else InvitationState.EXPIRED


@dataclass(frozen=True, slots=True)
class StandingRow:
    """How far a registration that was made by an invitation is."""

    registration_id: str
    name: str
    product: str
    issuer: str
    status: str
    configured_at: datetime | None
    deployments: int
    approved_deployments: int
    approves_deployments: bool
    last_launched_at: datetime | None
    refused_code: str | None
    """Of the newest launch that was refused since it was configured, if nothing worked after it."""


def add(
    session: Session,
    organisation_id: str,
    *,
    name: str,
    token_hash: str,
    approves: bool,
    created_by: str,
    now: datetime,
    expires_at: datetime,
    registration_id: str | None,
) -> str:
    """A new invitation; its id."""
    row = Invitation(
        id=new_id(),
        organisation_id=organisation_id,
        name=name,
        token_hash=token_hash,
        approves=approves,
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
        registration_id=registration_id,
    )
    session.add(row)
    session.flush()
    return row.id


def _views(session: Session, *where: ColumnElement[bool]) -> tuple[InvitationView, ...]:
    rows = session.execute(
        select(
            Invitation.id,
            Invitation.organisation_id,
            Organisation.name.label("organisation_name"),
            Invitation.name,
            Invitation.approves,
            Invitation.created_by,
            Invitation.created_at,
            Invitation.expires_at,
            Invitation.claimed_until,
            Invitation.used_at,
            Invitation.withdrawn_at,
            Invitation.registration_id,
            Registration.name.label("registration_name"),
        )
        .join(Organisation, Organisation.id == Invitation.organisation_id)
        .outerjoin(Registration, Registration.id == Invitation.registration_id)
        .where(*where)
        .order_by(Invitation.created_at.desc(), Invitation.id)
    )
    return tuple(InvitationView(**row._mapping) for row in rows)


def of_organisation(session: Session, organisation_id: str) -> tuple[InvitationView, ...]:
    """Every invitation of an organisation, the newest first."""
    return _views(session, Invitation.organisation_id == organisation_id)


def find(session: Session, organisation_id: str, invitation_id: str) -> InvitationView | None:
    """One of an organisation's."""
    found = _views(session, Invitation.organisation_id == organisation_id, Invitation.id == invitation_id)
    return found[0] if found else None


def with_token(session: Session, token_hash: str) -> InvitationView | None:
    """The invitation of this token, whatever became of it."""
    found = _views(session, Invitation.token_hash == token_hash)
    return found[0] if found else None


def organisation_of(session: Session, invitation_id: str) -> str | None:
    """Whose invitation it is; for the operator."""
    return session.scalar(select(Invitation.organisation_id).where(Invitation.id == invitation_id))


def _is_open(invitation_id: str, now: datetime) -> Iterable[ColumnElement[bool]]:
    return (
        Invitation.id == invitation_id,
        Invitation.used_at.is_(None),
        Invitation.withdrawn_at.is_(None),
        Invitation.expires_at > now,
    )


def claim(session: Session, invitation_id: str, now: datetime, until: datetime) -> bool:
    """Keep everybody else out until ``until``; False where the invitation is closed, or somebody is at it."""
    claimed = session.execute(
        update(Invitation)
        .where(
            *_is_open(invitation_id, now),
            or_(Invitation.claimed_until.is_(None), Invitation.claimed_until <= now),
        )
        .values(claimed_until=until)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.first() is not None


def release(session: Session, invitation_id: str, until: datetime) -> None:
    """Give back the claim that ends at ``until``; a later one is somebody else's."""
    session.execute(
        update(Invitation)
        .where(Invitation.id == invitation_id, Invitation.claimed_until == until)
        .values(claimed_until=None)
        .execution_options(synchronize_session=False)
    )


def use(session: Session, invitation_id: str, now: datetime, until: datetime, registration_id: str) -> bool:
    """Use it up, in the transaction that stores what came of it.

    :param until: the claim under which that happens.
    :returns: False where it was closed meanwhile, or the claim has passed to somebody else.
    """
    used = session.execute(
        update(Invitation)
        .where(*_is_open(invitation_id, now), Invitation.claimed_until == until)
        .values(used_at=now, claimed_until=None, registration_id=registration_id)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    return used.first() is not None


def withdraw(session: Session, organisation_id: str, invitation_id: str, now: datetime) -> bool:
    """Let nobody in by it any more; False where it was used up, or withdrawn before."""
    withdrawn = session.execute(
        update(Invitation)
        .where(
            Invitation.organisation_id == organisation_id,
            Invitation.id == invitation_id,
            Invitation.used_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    return withdrawn.first() is not None


def withdraw_made_by(session: Session, organisation_id: str, actor: str, now: datetime) -> tuple[str, ...]:
    """Take back what somebody made and nobody has used; which."""
    return _withdraw_open(
        session, now, Invitation.organisation_id == organisation_id, Invitation.created_by == actor
    )


def withdraw_meant_for(session: Session, registration_id: str, now: datetime) -> tuple[str, ...]:
    """Take back what would update this registration; which."""
    return _withdraw_open(session, now, Invitation.registration_id == registration_id)


def _withdraw_open(session: Session, now: datetime, *whose: ColumnElement[bool]) -> tuple[str, ...]:
    withdrawn = session.scalars(
        update(Invitation)
        .where(Invitation.used_at.is_(None), Invitation.withdrawn_at.is_(None), *whose)
        .values(withdrawn_at=now)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    return tuple(sorted(withdrawn))


def standing(session: Session, registration_id: str) -> StandingRow | None:
    """How far a registration is, in one statement."""
    own = Deployment.registration_id == Registration.id
    launched = (
        select(func.max(Context.last_launched_at))
        .where(
            Context.registration_id == Registration.id,
            Context.last_launched_at >= func.coalesce(Registration.configured_at, Registration.created_at),
        )
        .scalar_subquery()
    )
    refused = (
        select(RefusedLaunch.code)
        .where(
            and_(
                RefusedLaunch.registration_id == Registration.id,
                RefusedLaunch.last_at >= func.coalesce(Registration.configured_at, Registration.created_at),
                or_(launched.is_(None), RefusedLaunch.last_at > launched),
            )
        )
        .order_by(RefusedLaunch.last_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    row = session.execute(
        select(
            Registration.id.label("registration_id"),
            Registration.name,
            Registration.product,
            Registration.issuer,
            Registration.status,
            Registration.configured_at,
            select(func.count()).select_from(Deployment).where(own).scalar_subquery().label("deployments"),
            select(func.count())
            .select_from(Deployment)
            .where(own, Deployment.status == "approved")
            .scalar_subquery()
            .label("approved_deployments"),
            Registration.approves_deployments,
            launched.label("last_launched_at"),
            refused.label("refused_code"),
        ).where(Registration.id == registration_id)
    ).one_or_none()
    return None if row is None else StandingRow(**row._mapping)
