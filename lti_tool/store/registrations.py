"""Registrations, deployments and organisations as stored.

Registrations are the installation's, not an organisation's: the operator looks after them. Which
organisation a launch belongs to is what its deployment says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.registrations import (
    DeploymentStatus,
    DeploymentView,
    RegistrationStatus,
    RegistrationView,
)
from lti_tool.domain.staff import StaffRole
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Context,
    Deployment,
    Issuer,
    Learner,
    Organisation,
    Registration,
    new_id,
)


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """A tenant, with its default issuer."""

    id: str
    name: str
    issuer_id: str


def registration_view(row: Registration) -> RegistrationView:
    """A row as the rooms above the store see it."""
    return RegistrationView(
        id=row.id,
        name=row.name,
        issuer=row.issuer,
        client_id=row.client_id,
        product=row.product,
        auth_url=row.auth_url,
        token_url=row.token_url,
        jwks_url=row.jwks_url,
        token_audience=row.token_audience,
        status=RegistrationStatus(row.status),
        default_organisation_id=row.default_organisation_id,
        approves_deployments=row.approves_deployments,
        frame_origins=tuple(row.frame_origins),
        administrator_role=StaffRole(row.administrator_role) if row.administrator_role else None,
        allows_anonymous=row.allows_anonymous,
    )


def deployment_view(row: Deployment) -> DeploymentView:
    """A row as the rooms above the store see it."""
    return DeploymentView(
        id=row.id,
        registration_id=row.registration_id,
        id_on_platform=row.id_on_platform,
        organisation_id=row.organisation_id,
        status=DeploymentStatus(row.status),
        token_url=row.token_url,
        frame_origins=tuple(row.frame_origins),
        service_hosts=frozenset(row.service_hosts),
    )


# -- registrations


def find_registrations(session: Session, issuer: str, client_id: str | None) -> tuple[RegistrationView, ...]:
    """Those of an issuer, or the one with this client_id; disabled ones included."""
    query = select(Registration).where(Registration.issuer == issuer)
    if client_id is not None:
        query = query.where(Registration.client_id == client_id)
    return tuple(registration_view(row) for row in session.scalars(query.limit(2)))


def registration(session: Session, registration_id: str) -> RegistrationView | None:
    """The registration with this key."""
    row = session.get(Registration, registration_id)
    return None if row is None else registration_view(row)


def all_registrations(session: Session) -> tuple[RegistrationView, ...]:
    """Every registration, by name."""
    rows = session.scalars(select(Registration).order_by(Registration.name, Registration.id))
    return tuple(registration_view(row) for row in rows)


def save_registration(
    session: Session, values: Mapping[str, Any], now: datetime, *, name: str
) -> tuple[str, bool]:
    """Add the registration of (issuer, client_id), or change it to ``values``.

    :param name: what a new one is called where ``values`` does not say.
    :returns: its id, and whether it is new.
    """
    key = {"issuer": values["issuer"], "client_id": values["client_id"]}
    is_new = insert_if_absent(
        session,
        Registration,
        {"id": new_id(), "created_at": now, "status": "pending", "name": name, **values},
        on=("issuer", "client_id"),
    )
    registration_id: str = session.scalars(select(Registration.id).filter_by(**key)).one()
    changes = {name: value for name, value in values.items() if name not in key}
    if not is_new and changes:
        session.execute(update(Registration).where(Registration.id == registration_id).values(**changes))
    return registration_id, is_new


def change_registration(session: Session, registration_id: str, values: Mapping[str, Any]) -> None:
    """Bring a registration to these values; (issuer, client_id) may be among them."""
    session.execute(update(Registration).where(Registration.id == registration_id).values(**values))


def set_registration_status(
    session: Session, registration_id: str, status: RegistrationStatus, *, by_operator: bool = False
) -> bool:
    """Change the status; False where there is no such registration, or only the operator may."""
    query = update(Registration).where(Registration.id == registration_id)
    if not by_operator:
        query = query.where(Registration.is_disabled_by_operator.is_(False))
    is_closed = by_operator and status is RegistrationStatus.DISABLED
    changed = session.execute(
        query.values(status=status.value, is_disabled_by_operator=is_closed).returning(Registration.id)
    )
    return changed.first() is not None


def set_administrator_role(session: Session, registration_id: str, role: str | None) -> None:
    """Say what administrators of this LMS may be on the staff pages."""
    session.execute(
        update(Registration).where(Registration.id == registration_id).values(administrator_role=role)
    )


def add_service_hosts(session: Session, deployment_id: str, hosts: Iterable[str], limit: int) -> None:
    """Remember hosts that a signed launch of a deployment named; beyond ``limit`` nothing is added."""
    row = session.scalars(select(Deployment).where(Deployment.id == deployment_id).with_for_update()).one()
    known = [*row.service_hosts]
    known += [host for host in sorted(set(hosts)) if host not in known]
    row.service_hosts = known[:limit]
    session.flush()


def is_used(session: Session, registration_id: str) -> bool:
    """Whether courses or people hang on a registration."""
    return bool(
        session.scalar(
            select(
                or_(
                    exists().where(Context.registration_id == registration_id),
                    exists().where(Learner.registration_id == registration_id),
                )
            )
        )
    )


def remove_registration(session: Session, registration_id: str) -> bool:
    """Delete it with its deployments; False where there was none."""
    removed = session.execute(
        delete(Registration).where(Registration.id == registration_id).returning(Registration.id)
    )
    return removed.first() is not None


# -- deployments


def deployment(session: Session, deployment_id: str) -> DeploymentView | None:
    """The deployment with this key of ours."""
    row = session.get(Deployment, deployment_id)
    return None if row is None else deployment_view(row)


def deployments(session: Session, registration_id: str) -> tuple[DeploymentView, ...]:
    """Those of a registration, oldest first."""
    rows = session.scalars(
        select(Deployment)
        .where(Deployment.registration_id == registration_id)
        .order_by(Deployment.first_seen_at, Deployment.id_on_platform)
    )
    return tuple(deployment_view(row) for row in rows)


def owners(session: Session, registration_id: str) -> frozenset[str]:
    """The organisations that have deployments of a registration."""
    found = session.scalars(
        select(Deployment.organisation_id)
        .where(Deployment.registration_id == registration_id, Deployment.organisation_id.is_not(None))
        .distinct()
    )
    return frozenset(owner for owner in found if owner is not None)


def save_deployment(
    session: Session, registration_id: str, id_on_platform: str, now: datetime
) -> DeploymentView:
    """The deployment with this id, recorded as held if it was not known."""
    insert_if_absent(
        session,
        Deployment,
        {
            "id": new_id(),
            "registration_id": registration_id,
            "id_on_platform": id_on_platform,
            "status": "held",
            "first_seen_at": now,
        },
        on=("registration_id", "id_on_platform"),
    )
    row = session.scalars(
        select(Deployment).where(
            Deployment.registration_id == registration_id, Deployment.id_on_platform == id_on_platform
        )
    ).one()
    return deployment_view(row)


def approve_deployment(
    session: Session, deployment_id: str, organisation_id: str, now: datetime, *, by_operator: bool = False
) -> bool:
    """Give a deployment to an organisation; one that has an organisation keeps it.

    :returns: False where the operator disabled it, and somebody else would approve it.
    """
    return _change_deployment(
        session,
        deployment_id,
        by_operator,
        status="approved",
        is_disabled_by_operator=False,
        organisation_id=func.coalesce(Deployment.organisation_id, organisation_id),
        approved_at=func.coalesce(Deployment.approved_at, now),
    )


def _change_deployment(session: Session, deployment_id: str, by_operator: bool, **values: Any) -> bool:
    query = update(Deployment).where(Deployment.id == deployment_id)
    if not by_operator:
        query = query.where(Deployment.is_disabled_by_operator.is_(False))
    return session.execute(query.values(**values).returning(Deployment.id)).first() is not None


def set_token_url(session: Session, deployment_id: str, token_url: str) -> None:
    """Say where the institution of a deployment hands out access tokens."""
    session.execute(update(Deployment).where(Deployment.id == deployment_id).values(token_url=token_url))


def set_notices_url(session: Session, deployment_id: str, url: str | None) -> None:
    """Where handlers of notifications are registered; what was registered elsewhere counts no more."""
    session.execute(
        update(Deployment)
        .where(Deployment.id == deployment_id)
        .values(notices_url=url, notice_types=[], notices_due_at=None)
    )


def disable_deployment(session: Session, deployment_id: str, *, by_operator: bool = False) -> bool:
    """Let nobody in from it; what it owns stays. False where the operator disabled it before."""
    return _change_deployment(
        session, deployment_id, by_operator, status="disabled", is_disabled_by_operator=by_operator
    )


def set_frame_origins(session: Session, deployment_id: str, origins: Sequence[str]) -> None:
    """Say which of the institution's own domains may frame the tool."""
    session.execute(
        update(Deployment).where(Deployment.id == deployment_id).values(frame_origins=list(origins))
    )


# -- organisations


def find_organisation(session: Session, name: str) -> OrganisationView | None:
    """The organisation of this name, the oldest where several bear it."""
    return _organisation(session, Organisation.name == name)


def organisation(session: Session, organisation_id: str) -> OrganisationView | None:
    """The organisation with this key."""
    return _organisation(session, Organisation.id == organisation_id)


def first_organisations(session: Session, limit: int) -> list[OrganisationView]:
    """The ones that an installation began with, oldest first."""
    ids = select(Organisation.id).order_by(Organisation.created_at, Organisation.id).limit(limit)
    found = [_organisation(session, Organisation.id == id_) for id_ in session.scalars(ids)]
    return [one for one in found if one is not None]


def _organisation(session: Session, condition: ColumnElement[bool]) -> OrganisationView | None:
    row = session.execute(
        select(Organisation.id, Organisation.name, Issuer.id.label("issuer_id"))
        .join(Issuer, Issuer.organisation_id == Organisation.id)
        .where(condition)
        .order_by(Organisation.created_at, Organisation.id, Issuer.created_at, Issuer.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else OrganisationView(**row._mapping)


def add_organisation(session: Session, name: str, now: datetime) -> OrganisationView:
    """A new organisation, with an issuer of the same name."""
    owner = Organisation(id=new_id(), name=name, created_at=now)
    session.add(owner)
    session.flush()
    issuer = Issuer(id=new_id(), organisation_id=owner.id, name=name, is_default=True, created_at=now)
    session.add(issuer)
    session.flush()
    return OrganisationView(owner.id, owner.name, issuer.id)
