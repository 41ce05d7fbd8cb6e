"""Signing in to the staff pages, and who may.

There are no passwords. A person of an organisation signs in by a link that works once, for a quarter of an
hour; whoever is lost asks an owner, or the operator, for another. An LMS's administrator comes by a launch,
where the registration says what they may be, and into the organisation of that launch's deployment only.

A session carries no right: what its person may do is read anew at each request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.staff import Permission, StaffRole, permits
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.store import audit, invitations, launches
from lti_tool.store import staff as store
from lti_tool.store.database import Database
from lti_tool.store.staff import MemberView
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

LINK_LIFETIME: Final = timedelta(minutes=15)
SESSION_LIFETIME: Final = timedelta(hours=12)
HAND_OVER_LIFETIME: Final = timedelta(minutes=5)
TOKEN_LENGTH: Final = 100
"""Longer tokens are none of ours."""
NAME_LENGTH: Final = 200
EMAIL_LENGTH: Final = 320
SIGN_IN_PATH: Final = "/staff/sign-in"


class Acting(Protocol):
    """On whose behalf something is done, and within which organisation."""

    @property
    def organisation_id(self) -> str:
        """The one organisation that may be read and changed."""
        ...

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        ...

    def require(self, permission: Permission) -> None:
        """:raises NotAllowed: STAFF_NOT_ALLOWED."""
        ...


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever may run commands on this machine may do everything; one organisation at a time."""

    organisation_id: str
    actor: str = "cli"

    def require(self, permission: Permission) -> None:
        """Everything is permitted."""


@dataclass(frozen=True, slots=True)
class StaffView:
    """Who is signed in, and what they may do at this moment."""

    session_id: str
    organisation_id: str
    organisation_name: str
    actor: str
    """``staff:<id>``, or ``learner:<id>`` for an LMS's administrator."""
    name: str | None
    role: StaffRole
    registration_id: str | None
    """The LMS that an administrator came from; None for a member."""
    expires_at: datetime

    def can(self, permission: Permission) -> bool:
        """Whether the role permits it."""
        return permission in permits(self.role)

    def require(self, permission: Permission) -> None:
        """:raises NotAllowed: STAFF_NOT_ALLOWED where the role does not permit it."""
        if not self.can(permission):
            raise NotAllowed(
                ErrorCode.STAFF_NOT_ALLOWED,
                f"{self.role.value} has not {permission.value}",
                role=self.role.value,
            )


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A link that signs its member in, once; nothing else holds its token."""

    url: str
    expires_at: datetime
    member: MemberView


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun, with the only copy of its token."""

    token: str
    staff: StaffView


@dataclass(frozen=True, slots=True)
class HandOver:
    """A link that takes an LMS's administrator out of the frame, once."""

    url: str
    expires_at: datetime


class LaunchSessionKeys(Protocol):
    """As much of a launch's session as opens staff pages."""

    @property
    def id(self) -> str:
        """Our key of it."""
        ...


@dataclass(frozen=True)
class Staffing:
    """Members, their sign-in links and their sessions.

    :param secret: the installation's secret key; links and sessions made under another one open nothing.
    :param base_url: where this installation is reached.
    """

    database: Database
    clock: Callable[[], datetime]
    secret: bytes
    base_url: str

    # -- whose

    def operator(self, organisation: str) -> Operator:
        """The operator, acting within the organisation of this id or exact name.

        :raises NotFound: ORGANISATION_NOT_FOUND.
        :raises Conflict: ORGANISATION_AMBIGUOUS where several bear the name.
        """
        with self.database.read() as session:
            found = store.organisations_called(session, organisation.strip())
        if not found:
            raise NotFound(
                ErrorCode.ORGANISATION_NOT_FOUND, f"no organisation has the id or name {organisation!r}"
            )
        if len(found) > 1:
            raise Conflict(
                ErrorCode.ORGANISATION_AMBIGUOUS,
                f"several organisations are called {organisation!r}: {', '.join(id_ for id_, _ in found)}",
            )
        return Operator(found[0][0])

    def operator_for_member(self, member_id: str) -> Operator:
        """The operator, acting within a member's organisation.

        :raises NotFound: STAFF_MEMBER_NOT_FOUND.
        """
        with self.database.read() as session:
            organisation_id = store.organisation_of_member(session, member_id)
        if organisation_id is None:
            raise NotFound(ErrorCode.STAFF_MEMBER_NOT_FOUND, f"no staff member {member_id}")
        return Operator(organisation_id)

    def organisations_without_owner(self) -> list[tuple[str, str]]:
        """(id, name) of organisations that nobody can sign in to as an owner; for the operator."""
        with self.database.read() as session:
            return store.organisations_without_owner(session)

    # -- members

    def members(self, by: Acting) -> tuple[MemberView, ...]:
        """Everybody who signs in by links, the active ones first.

        :raises NotAllowed: STAFF_NOT_ALLOWED without VIEW.
        """
        by.require(Permission.VIEW)
        with self.database.read() as session:
            return store.members(session, by.organisation_id)

    def invite(
        self, by: Acting, role: StaffRole, *, name: str | None = None, email: str | None = None
    ) -> SignInLink:
        """Make somebody a member and give their first sign-in link.

        Whoever has the email address already gets the role and a new link, and is enabled again.

        :param name: how pages call them; without it the email address, or the role.
        :raises NotAllowed: STAFF_NOT_ALLOWED without MANAGE_MEMBERS.
        :raises RequestInvalid: FORM_INVALID with every problem in ``problems``.
        :raises Conflict: STAFF_LAST_OWNER where the last owner would become something else.
        """
        by.require(Permission.MANAGE_MEMBERS)
        email = _cleaned(email)
        called = _cleaned(name)
        _require_valid(called, email)
        now = self.clock()
        with self.database.write() as session:
            store.lock_members(session, by.organisation_id)
            known = None if email is None else store.member_with_email(session, by.organisation_id, email)
            if known is None:
                member = store.add_member(
                    session,
                    by.organisation_id,
                    name=called or email or role.value.capitalize(),
                    email=email,
                    role=role,
                    now=now,
                )
                self._record(session, by, "staff_invited", member.id, {"role": role.value})
            else:
                changes: dict[str, Any] = {"name": called} if called else {}
                self._change(session, by, known, role=role, is_active=True, **changes)
                member = known
            return self._link(session, by, member.id, now)

    def link(self, by: Acting, member_id: str) -> SignInLink:
        """A new sign-in link for a member; those before it work no more.

        :raises NotAllowed: STAFF_NOT_ALLOWED without MANAGE_MEMBERS.
        :raises NotFound: STAFF_MEMBER_NOT_FOUND.
        :raises Conflict: CONFLICT for a disabled member.
        """
        by.require(Permission.MANAGE_MEMBERS)
        with self.database.write() as session:
            store.lock_members(session, by.organisation_id)
            member = self._member(session, by, member_id)
            if not member.is_active:
                raise Conflict(ErrorCode.CONFLICT, f"staff member {member_id} is disabled")
            return self._link(session, by, member_id, self.clock())

    def change_role(self, by: Acting, member_id: str, role: StaffRole) -> MemberView:
        """Make a member something else; it holds from their next request on.

        :raises NotAllowed: STAFF_NOT_ALLOWED without MANAGE_MEMBERS.
        :raises NotFound: STAFF_MEMBER_NOT_FOUND.
        :raises Conflict: STAFF_LAST_OWNER.
        """
        return self._changed(by, member_id, role=role)

    def disable(self, by: Acting, member_id: str) -> MemberView:
        """Let a member in no more: sessions end, links work no more. What they did stays theirs in the log.

        :raises NotAllowed: STAFF_NOT_ALLOWED without MANAGE_MEMBERS.
        :raises NotFound: STAFF_MEMBER_NOT_FOUND.
        :raises Conflict: STAFF_LAST_OWNER.
        """
        return self._changed(by, member_id, is_active=False)

    def enable(self, by: Acting, member_id: str) -> MemberView:
        """Let a disabled member in again, by a new link.

        :raises NotAllowed: STAFF_NOT_ALLOWED without MANAGE_MEMBERS.
        :raises NotFound: STAFF_MEMBER_NOT_FOUND.
        """
        return self._changed(by, member_id, is_active=True)

    def _changed(self, by: Acting, member_id: str, **values: Any) -> MemberView:
        by.require(Permission.MANAGE_MEMBERS)
        with self.database.write() as session:
            store.lock_members(session, by.organisation_id)
            self._change(session, by, self._member(session, by, member_id), **values)
            return self._member(session, by, member_id)

    def _member(self, session: Session, by: Acting, member_id: str) -> MemberView:
        found = store.member(session, by.organisation_id, member_id)
        if found is None:
            raise NotFound(ErrorCode.STAFF_MEMBER_NOT_FOUND, f"no staff member {member_id}")
        return found

    def _change(self, session: Session, by: Acting, member: MemberView, **values: Any) -> None:
        """Change what differs, unless that would leave no owner; the members are locked."""
        changes = {name: value for name, value in values.items() if getattr(member, name) != value}
        if not changes:
            return
        is_owner = member.is_active and member.role is StaffRole.OWNER
        stays_owner = (
            changes.get("is_active", True) and changes.get("role", StaffRole.OWNER) is StaffRole.OWNER
        )
        if is_owner and not stays_owner and not store.has_other_owner(session, by.organisation_id, member.id):
            raise Conflict(
                ErrorCode.STAFF_LAST_OWNER,
                f"staff member {member.id} is the last owner; make somebody else one first",
            )
        if "role" in changes:
            detail = {"from": member.role.value, "to": changes["role"].value}
            self._record(session, by, "staff_role_changed", member.id, detail)
            changes["role"] = changes["role"].value
        if "is_active" in changes:
            action = "staff_enabled" if changes["is_active"] else "staff_disabled"
            self._record(session, by, action, member.id)
            store.close_member(session, by.organisation_id, member.id)
        if "name" in changes:
            # The log names people by what they are called now: whose name it was must be found in it.
            self._record(session, by, "staff_renamed", member.id)
        store.change_member(session, by.organisation_id, member.id, **changes)
        if is_owner and not stays_owner:
            self._take_back_links(session, by, member.id)

    def _take_back_links(self, session: Session, by: Acting, member_id: str) -> None:
        """Whoever may connect no platform any more has no link either that would."""
        now, actor = self.clock(), f"{audit.STAFF}{member_id}"
        for invitation_id in invitations.withdraw_made_by(session, by.organisation_id, actor, now):
            audit.record(
                session,
                by.organisation_id,
                at=now,
                actor=by.actor,
                action="invitation.withdrawn",
                subject_kind="invitation",
                subject_id=invitation_id,
            )

    # -- signing in

    def sign_in(self, token: str, *, instead_of: str = "") -> SignedIn:
        """Use a link up and begin the session of its member, or of an administrator (:meth:`hand_over`).

        :param instead_of: the token of the session that the browser has already. It ends: its cookie is
            overwritten, so nobody could sign out of it any more.
        :raises NotAllowed: STAFF_LINK_INVALID: unknown, used before, over, or its member is disabled.
        """
        if not token or len(token) > TOKEN_LENGTH:
            raise NotAllowed(ErrorCode.STAFF_LINK_INVALID, "no sign-in token")
        if "." in token:  # which no link of a member holds
            return self._sign_in_administrator(token, instead_of)
        now = self.clock()
        token_hash = self._hash(self._link_key, token)
        with self.database.write() as session:
            member = store.use_link(session, token_hash, now)
            if member is not None:
                self._close(session, instead_of)
                return self._begin(session, member, now)
            reason = self._record_refusal(session, token_hash, now)
        log.info("staff_sign_in_refused", reason=reason)
        raise NotAllowed(ErrorCode.STAFF_LINK_INVALID, reason)

    def _begin(self, session: Session, member: MemberView, now: datetime) -> SignedIn:
        store.change_member(session, member.organisation_id, member.id, last_signed_in_at=now)
        audit.record(
            session,
            member.organisation_id,
            at=now,
            actor=f"{audit.STAFF}{member.id}",
            action="staff_signed_in",
            subject_kind="staff_member",
            subject_id=member.id,
        )
        return self._open(session, member.organisation_id, now, staff_member_id=member.id)

    def _record_refusal(self, session: Session, token_hash: str, now: datetime) -> str:
        """Why a link does not work. Only one that was given out leaves an event: strangers who try tokens
        must not fill the log."""
        link = store.link(session, token_hash)
        if link is None:
            return "this link was never given out, or a newer one replaced it"
        reason = "used" if link.used_at is not None else "expired" if link.expires_at <= now else "disabled"
        audit.record(
            session,
            link.organisation_id,
            at=now,
            actor=f"{audit.STAFF}{link.staff_member_id}",
            action="staff_sign_in_refused",
            subject_kind="staff_member",
            subject_id=link.staff_member_id,
            detail={"reason": reason},
        )
        return f"link {link.id}: {reason}"

    def administrator_role(self, launched: LaunchSessionKeys) -> StaffRole | None:
        """What the person of a launch's session may be on the staff pages, as their LMS's administrator."""
        with self.database.read() as session:
            found = store.administrator(session, launched.id, self.clock())
        return None if found is None else found.role

    def _begin_administrator(self, session: Session, launch_session_id: str, now: datetime) -> SignedIn:
        found = store.administrator(session, launch_session_id, now)
        if found is None:
            raise NotAllowed(
                ErrorCode.STAFF_NOT_ALLOWED, f"launch session {launch_session_id} opens no staff page"
            )
        audit.record(
            session,
            found.organisation_id,
            at=now,
            actor=f"{audit.LEARNER}{found.learner_id}",
            action="staff_signed_in",
            subject_kind="learner",
            subject_id=found.learner_id,
            detail={"registration": found.registration_id, "role": found.role.value},
        )
        return self._open(
            session,
            found.organisation_id,
            now,
            learner_id=found.learner_id,
            registration_id=found.registration_id,
            deployment_id=found.deployment_id,
        )

    def hand_over(self, launched: LaunchSessionKeys) -> HandOver:
        """A link that signs an LMS's administrator in, once, in a window of its own.

        It leads into the organisation that the launch belongs to. The launch's session stays in the frame:
        its cookie belongs to the LMS's site there (CHIPS), and no new window has it. The link names it,
        and it is looked at again when the link is used. What it opens ends after twelve hours, or as soon
        as the registration lets administrators in as nothing, it or the deployment is disabled, or the
        person launches without that role.

        :param launched: the session of a launch, opened with its token.
        :raises NotAllowed: STAFF_NOT_ALLOWED where the launch brought no administrator's role, or the
            registration gives it none.
        """
        if self.administrator_role(launched) is None:
            raise NotAllowed(ErrorCode.STAFF_NOT_ALLOWED, f"launch session {launched.id} opens no staff page")
        expires_at = self.clock() + HAND_OVER_LIFETIME
        said = f"{launched.id}.{int(expires_at.timestamp())}.{secrets.token_urlsafe(12)}"
        url = f"{self.base_url}{SIGN_IN_PATH}#{said}.{self._sign_hand_over(said)}"
        return HandOver(url, expires_at)

    def _sign_in_administrator(self, token: str, instead_of: str) -> SignedIn:
        now = self.clock()
        said, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign_hand_over(said).encode(), signature.encode(errors="replace")):
            raise NotAllowed(ErrorCode.STAFF_LINK_INVALID, "this hand-over was never given out")
        launch_session_id, seconds, _ = said.split(".")
        expires_at = datetime.fromtimestamp(int(seconds), UTC)
        with self.database.write() as session:
            is_over = expires_at <= now
            nonce = f"staff hand-over {said}"
            if not is_over and launches.consume_nonce(session.connection(), nonce, expires_at):
                self._close(session, instead_of)
                return self._begin_administrator(session, launch_session_id, now)
            reason = "expired" if is_over else "used"
            came = store.launched_as(session, launch_session_id)
            if came is not None:
                organisation_id, learner_id = came
                audit.record(
                    session,
                    organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{learner_id}",
                    action="staff_sign_in_refused",
                    subject_kind="learner",
                    subject_id=learner_id,
                    detail={"reason": reason},
                )
        log.info("staff_sign_in_refused", reason=f"hand-over: {reason}")
        raise NotAllowed(ErrorCode.STAFF_LINK_INVALID, f"hand-over: {reason}")

    def _sign_hand_over(self, said: str) -> str:
        key = hmac.digest(self.secret, b"staff hand-over v1", "sha256")
        return hmac.digest(key, said.encode(errors="replace"), "sha256").hex()[:32]

    def _open(self, session: Session, organisation_id: str, now: datetime, **whose: str) -> SignedIn:
        token = secrets.token_urlsafe(32)
        token_hash = self._hash(self._session_key, token)
        store.add_session(
            session,
            organisation_id,
            token_hash=token_hash,
            now=now,
            expires_at=now + SESSION_LIFETIME,
            **whose,
        )
        opened = store.open_session(session, token_hash, now)
        if opened is None:
            raise NotAllowed(ErrorCode.STAFF_NOT_ALLOWED, "the session that was begun opens nothing")
        return SignedIn(token, _view(opened))

    def open_session(self, token: str) -> StaffView:
        """Who a session's token stands for, with the role they have now.

        :raises NotAllowed: STAFF_SIGN_IN_NEEDED for every session that is unknown, over, or whose person may
            not come in any more.
        """
        found = None
        if token and len(token) <= TOKEN_LENGTH:
            with self.database.read() as session:
                found = store.open_session(session, self._hash(self._session_key, token), self.clock())
        if found is None:
            raise NotAllowed(ErrorCode.STAFF_SIGN_IN_NEEDED, "no staff session")
        return _view(found)

    def sign_out(self, token: str) -> None:
        """End a session; of an unknown one, nothing happens."""
        with self.database.write() as session:
            self._close(session, token)

    def _close(self, session: Session, token: str) -> None:
        if token and len(token) <= TOKEN_LENGTH:
            store.close_session(session, self._hash(self._session_key, token))

    def csrf_token(self, token: str) -> str:
        """What every form of a session carries: bound to the session token, and useless without it."""
        return hmac.digest(token.encode(errors="replace"), b"csrf", "sha256").hex()

    # -- tokens

    @cached_property
    def _link_key(self) -> bytes:
        return hmac.digest(self.secret, b"staff link token v1", "sha256")

    @cached_property
    def _session_key(self) -> bytes:
        return hmac.digest(self.secret, b"staff session token v1", "sha256")

    @staticmethod
    def _hash(key: bytes, token: str) -> str:
        """A token as it is stored: whoever reads the database can sign in as nobody."""
        return hmac.digest(key, token.encode(errors="replace"), "sha256").hex()

    def _link(self, session: Session, by: Acting, member_id: str, now: datetime) -> SignInLink:
        token = secrets.token_urlsafe(32)
        expires_at = now + LINK_LIFETIME
        store.add_link(
            session,
            by.organisation_id,
            member_id,
            token_hash=self._hash(self._link_key, token),
            now=now,
            expires_at=expires_at,
        )
        self._record(session, by, "staff_link_made", member_id)
        # In the fragment, which no browser sends: the token reaches no log on the way.
        url = f"{self.base_url}{SIGN_IN_PATH}#{token}"
        return SignInLink(url, expires_at, self._member(session, by, member_id))

    def _record(
        self, session: Session, by: Acting, action: str, member_id: str, detail: dict[str, Any] | None = None
    ) -> None:
        audit.record(
            session,
            by.organisation_id,
            at=self.clock(),
            actor=by.actor,
            action=action,
            subject_kind="staff_member",
            subject_id=member_id,
            detail=detail,
        )


def _view(row: store.SessionRow) -> StaffView:
    is_member = row.staff_member_id is not None
    return StaffView(
        session_id=row.id,
        organisation_id=row.organisation_id,
        organisation_name=row.organisation_name,
        actor=f"{audit.STAFF}{row.staff_member_id}" if is_member else f"{audit.LEARNER}{row.learner_id}",
        name=row.name,
        role=row.role,
        registration_id=row.registration_id,
        expires_at=row.expires_at,
    )


def _cleaned(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _require_valid(name: str | None, email: str | None) -> None:
    problems = []
    if name is not None and (len(name) > NAME_LENGTH or not name.isprintable()):
        problems.append(f"name: at most {NAME_LENGTH} characters, on one line")
    if email is not None:
        local, at, host = email.rpartition("@")
        if (
            not (local and at and host)
            or " " in email
            or not email.isprintable()
            or len(email) > EMAIL_LENGTH
        ):
            problems.append("email: an address is needed, such as ada@example.org")
    if problems:
        raise RequestInvalid(ErrorCode.FORM_INVALID, "; ".join(problems), problems=tuple(problems))
