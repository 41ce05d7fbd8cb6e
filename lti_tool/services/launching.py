"""A validated launch becomes a session: what it tells is recorded, in one transaction that its nonce begins.

Rights are of this launch alone, with one exception: whoever ever came as staff of a course is never a
learner in it again (Moodle lists non-editing teachers as learners in its roster).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Proof
from lti_tool.domain.freshness import next_sync_at
from lti_tool.domain.identity import DeepLinkingSettings, Launch
from lti_tool.domain.registrations import DeploymentStatus, RegistrationStatus
from lti_tool.errors import ErrorCode, LaunchRefused, NotAllowed
from lti_tool.lti.claims import host_of, origins_of
from lti_tool.lti.oidc import STATE_LIFETIME_SECONDS
from lti_tool.platforms import platform_for
from lti_tool.store import audit, launches, registrations
from lti_tool.store.database import Database
from lti_tool.store.tables import (
    Context,
    Learner,
    Membership,
    ResourceLink,
    new_id,
)
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

SESSION_LIFETIME: Final = timedelta(hours=1)
FORM_LIFETIME: Final = timedelta(hours=8)
"""A deep linking session ends an hour after its last request, and this long after its launch at the latest:
whoever describes a micromodule may be at it for a working day."""
PROLONGING_STEP: Final = timedelta(minutes=1)
"""Requests that follow each other faster write nothing."""
NONCE_LIFETIME: Final = timedelta(seconds=STATE_LIFETIME_SECONDS) + timedelta(hours=1)
"""A nonce comes back only together with its state, which is good for minutes; the hour is for clocks."""
MAX_SERVICE_HOSTS: Final = 100
"""More hosts than any LMS has; a signed launch could otherwise let the list grow without end."""
TOKEN_LENGTH: Final = 100
"""Longer tokens are none of ours."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a page may know of the launch that opened it."""

    id: str
    organisation_id: str
    registration_id: str
    deployment_id: str
    """Our key, not the platform's."""
    learner_id: str
    learner_name: str | None
    context_id: str | None
    context_title: str | None
    resource_link_id: str | None
    placement_id: str | None
    link_role: str
    """``badge``, ``gate`` or ``wallet``."""
    is_copied_link: bool
    """The link's badge is of another course of the organisation, from which this one was copied, and nobody
    has taken it over here yet."""
    can_view_progress: bool
    can_configure: bool
    is_learner: bool
    is_read_only: bool
    """Somebody acts as somebody else, or views as a student: shown, but nothing is recorded or awarded."""
    is_cookie_bound: bool
    locale: str | None
    return_url: str | None
    frame_origins: tuple[str, ...]
    deep_linking: DeepLinkingSettings | None
    product: str
    issuer: str
    expires_at: datetime
    is_administrator: bool = False
    """Came with an administrator's role in the institution or system, as themselves."""
    is_anonymous: bool = False
    """The platform did not say who it is; read only."""
    gate_id: str | None = None
    """Of the gate that the link is; ``placement_id`` is then that of the badge it stands beside."""
    purpose: str = "link"
    """``link``, ``choosing``, ``review`` or ``privacy``: what the message was for."""
    subject_id: str | None = None
    """The learner whom a review or a privacy launch is about; ``None`` where this tool knows nobody of that
    name."""
    began_at: datetime | None = None
    """When the launch was accepted."""


@dataclass(frozen=True, slots=True)
class AcceptedLaunch:
    """A session that has just begun, with the only copy of its token."""

    token: str
    session: SessionView
    has_placements: bool
    """Whether the course has a micromodule, so that it is worth looking at this person's grades."""
    has_gates: bool
    """Whether a gate stands beside one, which may wait for this person."""


@dataclass(frozen=True)
class Launching:
    """Records launches and opens their sessions.

    :param secret: the installation's secret key; another one opens none of the sessions begun under this.
    """

    database: Database
    clock: Callable[[], datetime]
    secret: bytes

    @cached_property
    def _token_key(self) -> bytes:
        return hmac.digest(self.secret, b"lti session token v1", "sha256")

    def _hash(self, token: str) -> str:
        """A session token as it is stored: whoever reads the database cannot open a session, and whoever
        writes into it cannot make one."""
        return hmac.digest(self._token_key, token.encode(errors="replace"), "sha256").hex()

    def accept_launch(self, launch: Launch) -> AcceptedLaunch:
        """Use up the nonce, record what the launch tells, begin a session.

        :raises LaunchRefused: LAUNCH_REPLAYED; DEPLOYMENT_HELD, DEPLOYMENT_DISABLED (the deployment and
            the nonce stay recorded); REGISTRATION_UNKNOWN, REGISTRATION_NOT_APPROVED.
        """
        now = self.clock()
        with self.database.write_rows() as connection:
            outcome = _Acceptance(connection, launch, now, self._hash).accept()
        if isinstance(outcome, LaunchRefused):
            raise outcome
        return outcome

    def open_session(self, session_id: str, token: str, *, even_expired: bool = False) -> SessionView:
        """The session of this id, for whoever holds its token.

        :param even_expired: also one whose time is over; for what was typed before, and nothing else.
        :raises NotAllowed: SESSION_MISSING, SESSION_EXPIRED.
        """
        view = self.open_session_by_token(token, even_expired=even_expired)
        if view.id != session_id:
            raise NotAllowed(ErrorCode.SESSION_MISSING, "the token opens another session")
        return view

    def open_session_by_token(self, token: str, *, even_expired: bool = False) -> SessionView:
        """The session that a token opens. Opening a deep linking session prolongs it.

        :raises NotAllowed: SESSION_MISSING, also once its registration or deployment was disabled;
            SESSION_EXPIRED.
        """
        if not token or len(token) > TOKEN_LENGTH:
            raise NotAllowed(ErrorCode.SESSION_MISSING, "no session token")
        with self.database.read_rows() as connection:
            stored = launches.session_by_token_hash(connection, self._hash(token))
        if stored is None:
            raise NotAllowed(ErrorCode.SESSION_MISSING, "no such session")
        now = self.clock()
        if stored.session.expires_at <= now:
            if even_expired:
                return _view(stored)
            raise NotAllowed(ErrorCode.SESSION_EXPIRED, f"session {stored.session.id}")
        return replace(_view(stored), expires_at=self._prolonged(stored.session, now))

    def _prolonged(self, row: launches.SessionRow, now: datetime) -> datetime:
        """When a session that is used at ``now`` ends."""
        until = min(now + SESSION_LIFETIME, row.created_at + FORM_LIFETIME)
        if row.deep_linking is None or until - row.expires_at < PROLONGING_STEP:
            return row.expires_at
        try:
            with self.database.write() as session:
                launches.prolong_session(session, row.id, until)
        except SQLAlchemyError as error:
            # SQLite: "database is locked". The next request prolongs it; this one must not fail for that.
            log.warning("session_not_prolonged", session_id=row.id, error=type(error).__name__)
            return row.expires_at
        return until

    def csrf_token(self, token: str) -> str:
        """What every form of a session carries: bound to the session token, and useless without it."""
        return hmac.digest(token.encode(errors="replace"), b"csrf", "sha256").hex()


class _Acceptance:
    """One launch inside its transaction."""

    def __init__(
        self, connection: Connection, launch: Launch, now: datetime, hash_token: Callable[[str], str]
    ) -> None:
        self.connection = connection
        self.launch = launch
        self.now = now
        self.hash_token = hash_token
        self.is_read_only = launch.is_masquerading or launch.rights.is_test_user or launch.is_anonymous
        self.keys = launches.LaunchKeys(
            registration_id=launch.registration_id,
            deployment_id=launch.deployment_id,
            sub=launch.user.sub,
            context_id=launch.context.id_on_platform if launch.context else None,
            resource_link_id=launch.link.id_on_platform if launch.link else None,
            badge_link_key=launch.badge_link_key if launch.link else None,
        )
        self.known: launches.Known

    @cached_property
    def session(self) -> Session:
        """For what few launches have to say: most tell nothing new, and are accepted without one."""
        return Session(self.connection, expire_on_commit=False)

    def accept(self) -> AcceptedLaunch | LaunchRefused:
        """Record everything; a refusal that is returned, not raised, leaves its traces."""
        outcome = self._accept()
        if "session" in self.__dict__:
            self.session.flush()
        return outcome

    def _accept(self) -> AcceptedLaunch | LaunchRefused:
        known = launches.find_known(self.connection, self.keys)
        if not launches.consume_nonce(self.connection, self.launch.nonce, self.now + NONCE_LIFETIME):
            raise self._refused(ErrorCode.LAUNCH_REPLAYED, "this nonce was used before")
        if known is None:
            raise self._refused(ErrorCode.REGISTRATION_UNKNOWN, "the registration was removed")
        if known.registration.status != RegistrationStatus.APPROVED:
            raise self._refused(
                ErrorCode.REGISTRATION_NOT_APPROVED, "the registration was disabled", status=403
            )
        if known.deployment is None:
            self._record_deployment(known)
            known = launches.find_known(self.connection, self.keys)
            assert known is not None
        self.known = known
        deployment = known.deployment
        assert deployment is not None
        if deployment.status != DeploymentStatus.APPROVED or deployment.organisation_id is None:
            is_disabled = deployment.status == DeploymentStatus.DISABLED
            code = ErrorCode.DEPLOYMENT_DISABLED if is_disabled else ErrorCode.DEPLOYMENT_HELD
            return self._refused(
                code,
                f"deployment {deployment.id} of registration {known.registration.id}",
                status=403,
                deployment_id=self.launch.deployment_id,
                registration_name=known.registration.name,
            )
        if self.launch.is_anonymous:
            return self._begin_session(deployment, deployment.organisation_id)
        self._learn_service_hosts(deployment)
        if self.launch.notices_url not in (None, deployment.notices_url):
            registrations.set_notices_url(self.session, deployment.id, self.launch.notices_url)
        return self._begin_session(deployment, deployment.organisation_id)

    def _refused(self, code: ErrorCode, detail: str, *, status: int = 400, **params: str) -> LaunchRefused:
        platform = platform_for(self.launch.product)
        refused = LaunchRefused(
            code,
            detail,
            status=status,
            fresh_launch_url=platform.fresh_launch_url(self.launch.issuer, self.launch.course_module_id),
            **params,
        )
        refused.registration_id = self.launch.registration_id
        refused.deployment_id_on_platform = self.launch.deployment_id
        refused.clock_skew = self.launch.clock_skew
        refused.locale, refused.return_url = self.launch.locale, self.launch.return_url
        refused.product = self.launch.product
        return refused

    # -- what the launch tells

    def _record_deployment(self, known: launches.Known) -> None:
        """A deployment seen for the first time: held, unless the registration's rule says whose it is."""
        row = registrations.save_deployment(
            self.session, known.registration.id, self.launch.deployment_id, self.now
        )
        organisation_id = known.registration.default_organisation_id
        is_approved = (
            known.registration.approves_deployments
            and organisation_id is not None
            and registrations.owners(self.session, known.registration.id) <= {organisation_id}
        )
        if is_approved:
            assert organisation_id is not None
            registrations.approve_deployment(self.session, row.id, organisation_id, self.now)
        audit.record(
            self.session,
            organisation_id if is_approved else None,
            at=self.now,
            actor="rule",
            action="deployment_approved" if is_approved else "deployment_held",
            subject_kind="deployment",
            subject_id=row.id,
        )

    def _learn_service_hosts(self, deployment: launches.KnownDeployment) -> None:
        grades, memberships = self.launch.grades, self.launch.memberships
        urls = (
            memberships and memberships.memberships_url,
            grades and grades.line_items_url,
            grades and grades.line_item_url,
            self.launch.groups_url,
            self.launch.notices_url,
        )
        hosts = {host for url in urls if url and (host := host_of(url))}
        if not hosts <= set(deployment.service_hosts):
            registrations.add_service_hosts(self.session, deployment.id, hosts, MAX_SERVICE_HOSTS)

    def _save_context(self, deployment: launches.KnownDeployment, organisation_id: str) -> str | None:
        claim, row = self.launch.context, self.known.context
        if claim is None:
            return None
        if self.launch.is_anonymous:
            return row.id if row else None
        grades, memberships = self.launch.grades, self.launch.memberships
        told: dict[str, Any] = {
            "label": claim.label,
            "title": claim.title,
            # Absent from a Moodle course's first deep linking request; what was told before still holds.
            "memberships_url": memberships and memberships.memberships_url,
            "line_items_url": grades and grades.line_items_url,
            "ags_scopes": sorted(grades.scopes) if grades else None,
            "groups_url": self.launch.groups_url,
        }
        values = {name: value for name, value in told.items() if value is not None}
        values["last_launched_at"] = launches.touched(row.last_launched_at if row else None, self.now)
        due_at = row.sync_due_at if row else None
        if self.known.placement is not None or due_at is not None:
            soon = next_sync_at(self.now, self.now)
            # Its first launch: the platform did keep the link, and its instructor is there to set it up.
            is_new = self.known.placement is not None and self.known.link is None
            values["sync_due_at"] = self.now if due_at is None or is_new else min(due_at, soon)
        return launches.save(
            self.session,
            Context,
            row,
            key={"deployment_id": deployment.id, "id_on_platform": claim.id_on_platform},
            values=values,
            created={
                "organisation_id": organisation_id,
                "registration_id": deployment.registration_id,
                "created_at": self.now,
            },
        )

    def _save_link(self, organisation_id: str, context_id: str | None) -> str | None:
        claim, known = self.launch.link, self.known.link
        if claim is None or context_id is None:
            return None
        if self.launch.is_anonymous:
            return known.id if known else None
        if known is not None and self.launch.purpose == "review":
            # About its column: the link's own parameters need not come along, and stay as they are.
            return known.id
        values: dict[str, Any] = {
            "badge_link_key": self.launch.badge_link_key,
            "role": self.launch.badge_link_role,
            "title": claim.title,
        }
        if self.launch.course_module_id is not None:
            values["course_module_id"] = self.launch.course_module_id
        return launches.save(
            self.session,
            ResourceLink,
            known,
            key={"context_id": context_id, "id_on_platform": claim.id_on_platform},
            values=values,
            created={"organisation_id": organisation_id, "created_at": self.now},
        )

    def _save_learner(self, organisation_id: str) -> str:
        user, row = self.launch.user, self.known.learner
        values: dict[str, Any] = {}
        if self.launch.is_anonymous:
            # One row for all whom nobody named: it is in no course, and earns nothing.
            values["is_test_user"] = True
        elif not self.launch.is_masquerading:
            # A masquerader's launch is not the learner's own visit, and may carry the masquerader's name.
            told = {"name": user.name, "email": user.email}
            values = {name: value for name, value in told.items() if value is not None}
            values["last_launched_at"] = launches.touched(row.last_launched_at if row else None, self.now)
            values["is_test_user"] = self.launch.rights.is_test_user
        return launches.save(
            self.session,
            Learner,
            row,
            key={
                "organisation_id": organisation_id,
                "registration_id": self.launch.registration_id,
                "sub": user.sub,
            },
            values=values,
            created={"created_at": self.now},
            sticky=("is_test_user",),
        )

    def _save_membership(self, organisation_id: str, context_id: str | None, learner_id: str) -> None:
        if context_id is None or self.is_read_only:
            return
        rights, row = self.launch.rights, self.known.membership
        was_learner = row is not None and row.is_learner
        was_staff = row is not None and row.is_staff
        proof: dict[str, Any] = {}
        # A platform that refused a score once may have enrolled the person since; a launch says so.
        is_open = row is None or row.learner_proof in (Proof.NONE, Proof.REFUSED)
        if is_open and rights.is_learner and not rights.is_staff and not was_staff:
            proof = {"learner_proof": Proof.LAUNCH.value, "proved_at": self.now}
        launches.save(
            self.session,
            Membership,
            row,
            key={"context_id": context_id, "learner_id": learner_id},
            values={
                # A launch without any role we know says nothing about what the roster said.
                "is_learner": rights.is_learner or (was_learner and not rights.is_staff),
                "is_staff": rights.is_staff,
                "is_active": True,
                "left_at": None,
                "seen_at": launches.touched(row.seen_at if row and row.is_active else None, self.now),
                **proof,
            },
            created={"organisation_id": organisation_id},
            sticky=("is_staff",),
        )

    # -- the session

    def _begin_session(self, deployment: launches.KnownDeployment, organisation_id: str) -> AcceptedLaunch:
        launch, registration = self.launch, self.known.registration
        gate, placement = self.known.gate, self.known.placement
        context_id = self._save_context(deployment, organisation_id)
        link_id = self._save_link(organisation_id, context_id)
        learner_id = self._save_learner(organisation_id)
        self._save_membership(organisation_id, context_id, learner_id)
        is_copied = placement is not None and placement.is_unconfirmed
        if placement is None and self.keys.badge_link_key is not None and context_id is not None:
            is_copied = launches.is_copied_link(
                self.session, organisation_id, self.keys.badge_link_key, context_id
            )
        was_staff = self.known.membership is not None and self.known.membership.is_staff
        token = secrets.token_urlsafe(32)
        row = launches.SessionRow(
            id=new_id(),
            organisation_id=organisation_id,
            registration_id=registration.id,
            deployment_id=deployment.id,
            learner_id=learner_id,
            context_id=context_id,
            resource_link_id=link_id,
            can_view_progress=launch.rights.can_view_progress,
            can_configure=launch.rights.can_configure and not self.is_read_only,
            is_learner=(
                launch.rights.is_learner
                and not launch.rights.is_staff
                and not was_staff
                and not self.is_read_only
            ),
            is_read_only=self.is_read_only,
            is_cookie_bound=launch.is_cookie_bound,
            locale=launch.locale,
            return_url=launch.return_url,
            frame_origins=self._frame_origins(deployment),
            deep_linking=asdict(launch.deep_linking) if launch.deep_linking else None,
            created_at=self.now,
            expires_at=self.now + SESSION_LIFETIME,
            is_administrator=launch.rights.is_administrator and not self.is_read_only,
            purpose=launch.purpose,
            subject_id=self._subject_id(organisation_id, learner_id),
            placement_id=None if placement is not None else self._reviewed_id(organisation_id, context_id),
        )
        launches.add_session(self.connection, row, self.hash_token(token))
        stored = launches.StoredSession(
            session=row,
            learner_name=launch.user.name or (self.known.learner.name if self.known.learner else None),
            context_title=launch.context.title if launch.context else None,
            link_role=launch.badge_link_role if link_id else None,
            gate_id=gate.id if gate is not None and placement is not None else None,
            placement_id=placement.id if placement else row.placement_id,
            is_copied_link=is_copied,
            product=registration.product,
            issuer=registration.issuer,
            is_anonymous=launch.is_anonymous,
        )
        return AcceptedLaunch(token, _view(stored), self.known.has_placements, self.known.has_gates)

    def _subject_id(self, organisation_id: str, learner_id: str) -> str | None:
        """Whom the message is about; nobody is made up for a name that the platform gives."""
        sub = self.launch.for_user
        if sub is None or sub == self.launch.user.sub:
            return None if sub is None else learner_id
        return launches.learner_id(self.session, organisation_id, self.launch.registration_id, sub)

    def _reviewed_id(self, organisation_id: str, context_id: str | None) -> str | None:
        """The placement whose column a review is about: the link may be left out, or be another's."""
        launch = self.launch
        if launch.purpose != "review" or launch.grades is None or context_id is None:
            return None
        url, name_of = launch.grades.line_item_url, platform_for(launch.product).line_item_name
        return next(
            (
                placement_id
                for column, placement_id in launches.columns_of(self.session, organisation_id, context_id)
                if url is not None and name_of(column) == name_of(url)
            ),
            None,
        )

    def _frame_origins(self, deployment: launches.KnownDeployment) -> list[str]:
        """Who may frame the pages of this session."""
        registration = self.known.registration
        # A platform that signs no URL of its own is still the one that was registered.
        signed = self.launch.frame_origins or origins_of((registration.issuer,))
        more = (
            *registration.frame_origins,
            *deployment.frame_origins,
            *platform_for(registration.product).default_frame_origins,
        )
        return list(dict.fromkeys((*signed, *more)))


def _view(stored: launches.StoredSession) -> SessionView:
    row = stored.session
    settings = row.deep_linking
    return SessionView(
        id=row.id,
        organisation_id=row.organisation_id,
        registration_id=row.registration_id,
        deployment_id=row.deployment_id,
        learner_id=row.learner_id,
        learner_name=stored.learner_name,
        context_id=row.context_id,
        context_title=stored.context_title,
        resource_link_id=row.resource_link_id,
        placement_id=stored.placement_id,
        link_role=stored.link_role or "wallet",
        gate_id=stored.gate_id,
        is_copied_link=stored.is_copied_link,
        can_view_progress=row.can_view_progress,
        can_configure=row.can_configure,
        is_learner=row.is_learner,
        is_read_only=row.is_read_only,
        is_cookie_bound=row.is_cookie_bound,
        locale=row.locale,
        return_url=row.return_url,
        frame_origins=tuple(row.frame_origins),
        deep_linking=None if settings is None else _deep_linking(settings),
        product=stored.product,
        issuer=stored.issuer,
        expires_at=row.expires_at,
        began_at=row.created_at,
        is_administrator=row.is_administrator,
        is_anonymous=stored.is_anonymous,
        purpose=row.purpose,
        subject_id=row.subject_id,
    )


def _deep_linking(stored: Mapping[str, Any]) -> DeepLinkingSettings:
    """From JSON, which knows no tuples; a session that an older version began lacks what came later."""
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
    return DeepLinkingSettings(**values)
