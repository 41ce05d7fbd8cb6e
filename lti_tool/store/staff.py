"""Staff members, their sign-in links and sessions, as stored.

Tokens never come here: links and sessions are found by the keyed hash of theirs. Whether somebody may still
do something is joined in at each look, so that nothing has to be taken back anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.staff import StaffRole
from lti_tool.store.tables import (
    Deployment,
    LaunchSession,
    Learner,
    Organisation,
    Registration,
    StaffLink,
    StaffMember,
    StaffSession,
    new_id,
)


@dataclass(frozen=True, slots=True)
class MemberView:
    """Somebody who signs in by links."""

    id: str
    organisation_id: str
    name: str
    email: str | None
    role: StaffRole
    is_active: bool
    created_at: datetime
    last_signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A sign-in link, whatever became of it."""

    id: str
    organisation_id: str
    staff_member_id: str
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A staff session joined with what decides what it may do now."""

    id: str
    organisation_id: str
    organisation_name: str
    staff_member_id: str | None
    learner_id: str | None
    registration_id: str | None
    name: str | None
    role: StaffRole
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AdministratorRow:
    """A launch session of an LMS's administrator, where its registration lets them in as something."""

    organisation_id: str
    registration_id: str
    deployment_id: str
    learner_id: str
    role: StaffRole


# -- organisations


def organisations_called(session: Session, id_or_name: str) -> list[tuple[str, str]]:
    """(id, name) of the organisation with this id, or of every one with exactly this name."""
    rows = session.execute(
        select(Organisation.id, Organisation.name)
        .where(or_(Organisation.id == id_or_name, Organisation.name == id_or_name))
        .order_by(Organisation.created_at, Organisation.id)
    ).all()
    return [(id_, name) for id_, name in rows if id_ == id_or_name] or [(id_, name) for id_, name in rows]


def lock_members(session: Session, organisation_id: str) -> None:
    """Let one transaction at a time count and change the members of an organisation.

    On SQLite every write transaction is alone already.
    """
    session.execute(
        select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    )


# -- members


def _view(row: StaffMember) -> MemberView:
    return MemberView(
        id=row.id,
        organisation_id=row.organisation_id,
        name=row.name,
        email=row.email,
        role=StaffRole(row.role),
        is_active=row.is_active,
        created_at=row.created_at,
        last_signed_in_at=row.last_signed_in_at,
    )


def members(session: Session, organisation_id: str) -> tuple[MemberView, ...]:
    """Every member, the active ones first, by name."""
    rows = session.scalars(
        select(StaffMember)
        .where(StaffMember.organisation_id == organisation_id)
        .order_by(StaffMember.is_active.desc(), StaffMember.name, StaffMember.id)
    )
    return tuple(_view(row) for row in rows)


def member(session: Session, organisation_id: str, member_id: str) -> MemberView | None:
    """One member of this organisation."""
    row = session.scalar(
        select(StaffMember).where(StaffMember.organisation_id == organisation_id, StaffMember.id == member_id)
    )
    return None if row is None else _view(row)


def organisation_of_member(session: Session, member_id: str) -> str | None:
    """Whose member this is; for the operator, who sees every organisation."""
    return session.scalar(select(StaffMember.organisation_id).where(StaffMember.id == member_id))


def member_with_email(session: Session, organisation_id: str, email: str) -> MemberView | None:
    """The member with this address, capital letters or small; the oldest where there are several."""
    row = session.scalar(
        select(StaffMember)
        .where(
            StaffMember.organisation_id == organisation_id,
            func.lower(StaffMember.email) == email.lower(),
        )
        .order_by(StaffMember.created_at, StaffMember.id)
        .limit(1)
    )
    return None if row is None else _view(row)


def add_member(
    session: Session, organisation_id: str, *, name: str, email: str | None, role: StaffRole, now: datetime
) -> MemberView:
    """A new member, who has not signed in yet."""
    row = StaffMember(
        id=new_id(),
        organisation_id=organisation_id,
        name=name,
        email=email,
        role=role.value,
        is_active=True,
        created_at=now,
        last_signed_in_at=None,
    )
    session.add(row)
    session.flush()
    return _view(row)


def change_member(session: Session, organisation_id: str, member_id: str, **values: Any) -> None:
    """Set some columns of one member."""
    session.execute(
        update(StaffMember)
        .where(StaffMember.organisation_id == organisation_id, StaffMember.id == member_id)
        .values(**values)
    )


def has_other_owner(session: Session, organisation_id: str, member_id: str) -> bool:
    """Whether an active owner remains without this member."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    StaffMember.organisation_id == organisation_id,
                    StaffMember.id != member_id,
                    StaffMember.role == StaffRole.OWNER.value,
                    StaffMember.is_active,
                )
            )
        )
    )


def close_member(session: Session, organisation_id: str, member_id: str) -> None:
    """End a member's sessions, and make the links that were not used yet worthless."""
    session.execute(
        delete(StaffSession).where(
            StaffSession.organisation_id == organisation_id, StaffSession.staff_member_id == member_id
        )
    )
    drop_links(session, organisation_id, member_id)


def organisations_without_owner(session: Session) -> list[tuple[str, str]]:
    """(id, name) of organisations that nobody can sign in to as an owner, by link or from an LMS."""
    by_link = exists().where(
        StaffMember.organisation_id == Organisation.id,
        StaffMember.role == StaffRole.OWNER.value,
        StaffMember.is_active,
    )
    from_lms = (
        exists()
        .where(
            Deployment.organisation_id == Organisation.id,
            Deployment.status == "approved",
            Registration.id == Deployment.registration_id,
            Registration.status == "approved",
            Registration.administrator_role == StaffRole.OWNER.value,
        )
        .correlate(Organisation)
    )
    rows = session.execute(
        select(Organisation.id, Organisation.name).where(~by_link, ~from_lms).order_by(Organisation.name)
    )
    return [(id_, name) for id_, name in rows]


# -- links


def add_link(
    session: Session,
    organisation_id: str,
    member_id: str,
    *,
    token_hash: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """A new link; the member's unused ones before it are worthless from now on."""
    drop_links(session, organisation_id, member_id)
    session.add(
        StaffLink(
            id=new_id(),
            organisation_id=organisation_id,
            staff_member_id=member_id,
            token_hash=token_hash,
            created_at=now,
            expires_at=expires_at,
            used_at=None,
        )
    )
    session.flush()


def drop_links(session: Session, organisation_id: str, member_id: str) -> None:
    """Forget a member's links that were not used."""
    session.execute(
        delete(StaffLink).where(
            StaffLink.organisation_id == organisation_id,
            StaffLink.staff_member_id == member_id,
            StaffLink.used_at.is_(None),
        )
    )


def use_link(session: Session, token_hash: str, now: datetime) -> MemberView | None:
    """Use a link up and give its member; None where it is used, over, or its member is disabled.

    Of several that try at once, one gets the member.
    """
    used = session.execute(
        update(StaffLink)
        .where(
            StaffLink.token_hash == token_hash,
            StaffLink.used_at.is_(None),
            StaffLink.expires_at > now,
            exists().where(StaffMember.id == StaffLink.staff_member_id, StaffMember.is_active),
        )
        .values(used_at=now)
        .returning(StaffLink.organisation_id, StaffLink.staff_member_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return None if used is None else member(session, *used)


def link(session: Session, token_hash: str) -> LinkRow | None:
    """The link with this token, used or not."""
    row = session.execute(
        select(
            StaffLink.id,
            StaffLink.organisation_id,
            StaffLink.staff_member_id,
            StaffLink.expires_at,
            StaffLink.used_at,
        ).where(StaffLink.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else LinkRow(**row._mapping)


# -- sessions


def add_session(
    session: Session,
    organisation_id: str,
    *,
    token_hash: str,
    now: datetime,
    expires_at: datetime,
    staff_member_id: str | None = None,
    learner_id: str | None = None,
    registration_id: str | None = None,
    deployment_id: str | None = None,
) -> str:
    """A new session of a member, or of a learner who administers an LMS; its id."""
    session_id = new_id()
    session.add(
        StaffSession(
            id=session_id,
            token_hash=token_hash,
            organisation_id=organisation_id,
            staff_member_id=staff_member_id,
            learner_id=learner_id,
            registration_id=registration_id,
            deployment_id=deployment_id,
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    return session_id


def open_session(session: Session, token_hash: str, now: datetime) -> SessionRow | None:
    """The session with this token and the role it gives now.

    None once it is over, its member is disabled, its registration or deployment is not approved, the
    registration lets administrators in no more, or the person came from the LMS without that role since.
    """
    row = session.execute(
        select(
            StaffSession.id,
            StaffSession.organisation_id,
            Organisation.name.label("organisation_name"),
            StaffSession.staff_member_id,
            StaffSession.learner_id,
            StaffSession.registration_id,
            func.coalesce(StaffMember.name, Learner.name).label("name"),
            func.coalesce(StaffMember.role, Registration.administrator_role).label("role"),
            StaffSession.expires_at,
            StaffSession.deployment_id,
        )
        .join(Organisation, Organisation.id == StaffSession.organisation_id)
        .outerjoin(
            StaffMember,
            and_(
                StaffMember.id == StaffSession.staff_member_id,
                StaffMember.organisation_id == StaffSession.organisation_id,
                StaffMember.is_active,
            ),
        )
        .outerjoin(
            Learner,
            and_(
                Learner.id == StaffSession.learner_id,
                Learner.organisation_id == StaffSession.organisation_id,
                Learner.registration_id == StaffSession.registration_id,
            ),
        )
        .outerjoin(
            Deployment,
            and_(
                Deployment.id == StaffSession.deployment_id,
                Deployment.organisation_id == StaffSession.organisation_id,
                Deployment.registration_id == StaffSession.registration_id,
                Deployment.status == "approved",
            ),
        )
        .outerjoin(
            Registration,
            and_(
                Registration.id == Deployment.registration_id,
                Registration.status == "approved",
                Learner.id.is_not(None),
            ),
        )
        .where(StaffSession.token_hash == token_hash, StaffSession.expires_at > now)
    ).one_or_none()
    if row is None or row.role is None:
        return None
    found = dict(row._mapping)
    deployment_id = found.pop("deployment_id")
    if row.learner_id is not None and not _is_still_administrator(
        session, row.organisation_id, row.learner_id, deployment_id
    ):
        return None
    return SessionRow(**{**found, "role": StaffRole(row.role)})


def _is_still_administrator(
    session: Session, organisation_id: str, learner_id: str, deployment_id: str
) -> bool:
    """Whether the person's last launch still brought the role; also where no launch is kept so long."""
    last = session.scalar(
        select(LaunchSession.is_administrator)
        .where(
            LaunchSession.organisation_id == organisation_id,
            LaunchSession.learner_id == learner_id,
            LaunchSession.deployment_id == deployment_id,
            LaunchSession.is_read_only.is_(False),
        )
        .order_by(LaunchSession.created_at.desc(), LaunchSession.is_administrator)
        .limit(1)
    )
    return last is not False


def close_session(session: Session, token_hash: str) -> None:
    """End a session; of an unknown one, nothing happens."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == token_hash))


def launched_as(session: Session, launch_session_id: str) -> tuple[str, str] | None:
    """(organisation, learner) ids of a launch session, over or not."""
    row = session.execute(
        select(LaunchSession.organisation_id, LaunchSession.learner_id).where(
            LaunchSession.id == launch_session_id
        )
    ).one_or_none()
    return None if row is None else (row.organisation_id, row.learner_id)


def administrator(session: Session, launch_session_id: str, now: datetime) -> AdministratorRow | None:
    """What an LMS's administrator may be, by the launch session they came with.

    None where the launch brought no such role, somebody acted as somebody else in it, it is over, or its
    registration lets administrators in as nothing.
    """
    row = session.execute(
        select(
            Deployment.organisation_id,
            LaunchSession.registration_id,
            LaunchSession.deployment_id,
            LaunchSession.learner_id,
            Registration.administrator_role.label("role"),
        )
        .join(Registration, Registration.id == LaunchSession.registration_id)
        .join(
            Deployment,
            and_(
                Deployment.id == LaunchSession.deployment_id,
                Deployment.registration_id == LaunchSession.registration_id,
                Deployment.organisation_id == LaunchSession.organisation_id,
            ),
        )
        .join(
            Learner,
            and_(
                Learner.id == LaunchSession.learner_id,
                Learner.organisation_id == LaunchSession.organisation_id,
            ),
        )
        .where(
            LaunchSession.id == launch_session_id,
            LaunchSession.is_administrator,
            LaunchSession.is_read_only.is_(False),
            LaunchSession.expires_at > now,
            Registration.status == "approved",
            Registration.administrator_role.is_not(None),
            Deployment.status == "approved",
        )
    ).one_or_none()
    return None if row is None else AdministratorRow(**{**row._mapping, "role": StaffRole(row.role)})
