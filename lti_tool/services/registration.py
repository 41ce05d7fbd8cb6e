"""Which LMSs may launch the tool, and whose their deployments are.

Done by the operator, at the command line or with an import file; learners and instructors never come
here. Doing the same twice is harmless, so that a registration can live in a deployment script.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import (
    DeploymentView,
    RegistrationStatus,
    RegistrationView,
    token_url_of,
)
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.platforms import SHARED_BY_INSTITUTIONS, platform_for
from lti_tool.services.registration_checks import entry_problems, invalid, problems_of, read_entries
from lti_tool.store import audit, invitations
from lti_tool.store import registrations as store
from lti_tool.store.database import Database
from lti_tool.store.registrations import OrganisationView

REMEMBERED_FOR: Final = timedelta(seconds=10)
"""How long a login may use a registration without asking the database. Accepting a launch always asks, so
one that was disabled lets nobody in for even that long."""
_SHARED: Final = (
    "auth_url",
    "jwks_url",
    "product",
    "token_audience",
    "approves_deployments",
    "allows_anonymous",
)


@dataclass(frozen=True, slots=True)
class RegistrationDetail:
    """A registration with its deployments."""

    registration: RegistrationView
    deployments: tuple[DeploymentView, ...]


@dataclass(frozen=True)
class Registrations:
    """Registrations, their deployments, and the organisations that own them."""

    database: Database
    clock: Callable[[], datetime]
    _remembered: dict[Any, tuple[datetime, RegistrationView]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    # -- finding (as lti_tool.lti.oidc.RegistrationLookup asks for it)

    def lookup(self, issuer: str, client_id: str | None) -> RegistrationView | None:
        """The registration of this pair, whatever its status.

        Without a client_id (platforms may leave it out of a login) the only one of that issuer; where
        there are several, none: picking one would let one institution's people in as another's.
        """
        return self._recall(
            (issuer, client_id),
            lambda session: _only(store.find_registrations(session, issuer, client_id)),
        )

    def by_id(self, registration_id: str) -> RegistrationView | None:
        """The registration with this key of ours."""
        return self._recall(registration_id, lambda session: store.registration(session, registration_id))

    def _recall(self, key: object, find: Callable[[Any], RegistrationView | None]) -> RegistrationView | None:
        now = self.clock()
        found = self._remembered.get(key)
        if found is not None and abs(now - found[0]) < REMEMBERED_FOR:
            return found[1]
        with self.database.read() as session:
            view = find(session)
        with self._lock:
            if view is None:
                # One that is added now works at once.
                self._remembered.pop(key, None)
            else:
                self._remembered[key] = (now, view)
        return view

    def forget(self) -> None:
        """Ask the database again: somebody changed a registration; other processes ask within seconds."""
        with self._lock:
            self._remembered.clear()

    def list(self) -> tuple[RegistrationView, ...]:
        """Every registration, by name."""
        with self.database.read() as session:
            return store.all_registrations(session)

    def show(self, registration_id: str) -> RegistrationDetail:
        """One registration with its deployments.

        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        with self.database.read() as session:
            found = store.registration(session, registration_id)
            if found is None:
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
            return RegistrationDetail(found, store.deployments(session, registration_id))

    def deployment(self, deployment_id: str) -> DeploymentView:
        """The deployment with this key of ours.

        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        with self.database.read() as session:
            found = store.deployment(session, deployment_id)
        if found is None:
            raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, f"deployment {deployment_id}")
        return found

    # -- changing

    def add(
        self,
        *,
        issuer: str,
        client_id: str,
        auth_url: str,
        token_url: str,
        jwks_url: str,
        name: str | None = None,
        product: str | None = None,
        token_audience: str | None = None,
        deployments: Sequence[str] = (),
        organisation: str | None = None,
        approve: bool = False,
        approves_deployments: bool | None = None,
        allows_anonymous: bool | None = None,
        frame_origins: Sequence[str] | None = None,
        actor: str = "cli",
    ) -> RegistrationView:
        """Register an LMS, or bring the registration of (issuer, client_id) to these values.

        What is not given keeps its value. A status is never lowered; ``approve`` approves the registration
        and every deployment named.

        Where institutions share (issuer, client_id) and hand out access tokens of their own (Canvas), the
        first one's organisation keeps the registration: of a further one the token URL, the frame origins
        and the organisation are those of the deployments named with it, and everything else has to agree.

        :param product: one of :data:`PLATFORMS`; a new registration without it is ``other``.
        :param deployments: the platform's ids of deployments to record.
        :param organisation: name of the organisation that approved deployments belong to; made if there
            is none. Without it that of the registration; for a new one the installation's only one, or, where
            there are several, one of its own, called as the registration is.
        :param approves_deployments: the rule that deployments seen later are approved at once.
        :param allows_anonymous: whether a launch that names nobody gets a page to read.
        :raises RequestInvalid: REGISTRATION_INVALID with every problem in ``problems``.
        """
        given: dict[str, Any] = {
            "issuer": issuer,
            "client_id": client_id,
            "auth_url": auth_url,
            "token_url": token_url,
            "jwks_url": jwks_url,
        }
        optional = {
            "name": name,
            "product": product,
            "token_audience": token_audience,
            "approves_deployments": approves_deployments,
            "allows_anonymous": allows_anonymous,
            "frame_origins": None if frame_origins is None else list(frame_origins),
        }
        given |= {key: value for key, value in optional.items() if value is not None}
        problems = problems_of(given, deployments)
        if problems:
            raise invalid(problems)
        now = self.clock()
        with self.database.write() as session:
            known = _only(store.find_registrations(session, issuer, client_id))
            owner_id = known.default_organisation_id if known is not None and organisation is None else None
            if owner_id is None:
                owner_id = self._owner(session, organisation, now, instead=name or _host(issuer)).id
            product = product or (known.product if known is not None else "other")
            given["product"] = product
            theirs: dict[str, Any] = {}
            if known is not None and _is_further_institution(known, product, owner_id):
                theirs = {"token_url": token_url, "frame_origins": given.pop("frame_origins", None)}
                given["token_url"] = known.token_url
                given.pop("name", None)
                problems = _problems_of_sharing(known, given, deployments)
                if problems:
                    raise invalid(problems)
            else:
                given["default_organisation_id"] = owner_id
            if approve:
                given |= {"status": RegistrationStatus.APPROVED.value, "is_disabled_by_operator": False}
            registration_id, is_new = store.save_registration(session, given, now, name=_host(issuer))
            for id_on_platform in deployments:
                deployment = store.save_deployment(session, registration_id, id_on_platform, now)
                if known is not None and organisation is None:
                    _require_known_owner(product, deployment)
                if theirs and deployment.organisation_id not in (None, owner_id):
                    raise Conflict(
                        ErrorCode.CONFLICT,
                        f"deployment {deployment.id_on_platform} belongs to another organisation",
                    )
                if theirs:
                    _set_addresses(session, deployment.id, **theirs)
                if approve:
                    store.approve_deployment(session, deployment.id, owner_id, now, by_operator=True)
            action = "registration_added" if is_new else "registration_changed"
            self._record_for_all(session, actor, action, registration_id, is_approved=approve)
        self.forget()
        return self.show(registration_id).registration

    def approve(self, registration_id: str, *, actor: str = "cli") -> RegistrationView:
        """Let people launch.

        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        return self._set_status(registration_id, RegistrationStatus.APPROVED, actor)

    def disable(self, registration_id: str, *, actor: str = "cli") -> RegistrationView:
        """Let nobody launch, and end every session; nothing is deleted, badges stay valid.

        No staff of an organisation approves it again; :meth:`approve` does.

        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        return self._set_status(registration_id, RegistrationStatus.DISABLED, actor)

    def _set_status(self, registration_id: str, status: RegistrationStatus, actor: str) -> RegistrationView:
        with self.database.write() as session:
            if not store.set_registration_status(session, registration_id, status, by_operator=True):
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
            action = f"registration_{status.value}"
            self._record_for_all(session, actor, action, registration_id)
        self.forget()
        return self.show(registration_id).registration

    def let_administrators(
        self, registration_id: str, role: StaffRole | None, *, actor: str = "cli"
    ) -> RegistrationView:
        """Say what an LMS's administrators may be on the staff pages of the organisations they launch into.

        It holds from the next request on, also for those who are there. Each of these organisations finds
        it in its audit log.

        :param role: ``None``: nothing.
        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        with self.database.write() as session:
            if store.registration(session, registration_id) is None:
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
            store.set_administrator_role(session, registration_id, role.value if role else None)
            self._record_for_all(
                session,
                actor,
                "registration.administrator_role_changed",
                registration_id,
                role=role.value if role else None,
            )
        self.forget()
        return self.show(registration_id).registration

    def remove(self, registration_id: str, *, actor: str = "cli") -> None:
        """Delete a registration that nobody ever launched from.

        :raises NotFound: REGISTRATION_UNKNOWN.
        :raises Conflict: CONFLICT where courses or people hang on it: their badges would go with it.
        """
        with self.database.write() as session:
            if store.is_used(session, registration_id):
                raise Conflict(
                    ErrorCode.CONFLICT, f"registration {registration_id} has courses; disable it instead"
                )
            self._record_for_all(session, actor, "registration_removed", registration_id)
            # A link that would update it must not add another one instead.
            invitations.withdraw_meant_for(session, registration_id, self.clock())
            if not store.remove_registration(session, registration_id):
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
        self.forget()

    def approve_deployment(
        self,
        registration_id: str,
        id_on_platform: str,
        organisation: str | None = None,
        *,
        token_url: str | None = None,
        frame_origins: Sequence[str] | None = None,
        actor: str = "cli",
    ) -> DeploymentView:
        """Say whose a deployment is, and let its people in. Repeating it is harmless.

        A deployment that was approved before stays with its organisation: its courses are that one's.

        :param id_on_platform: the platform's id of it; recorded if it was not seen yet.
        :param organisation: name of the organisation; without it the registration's default, but where
            institutions can share the registration (Canvas) nobody else can say whose it is.
        :param token_url: where its institution hands out access tokens; needed where institutions that share
            the registration each do (Canvas), and it is another organisation's than the registration.
        :param frame_origins: the institution's own domains that may frame the tool, instead of those said
            before.
        :raises NotFound: REGISTRATION_UNKNOWN.
        :raises RequestInvalid: REGISTRATION_INVALID.
        :raises Conflict: CONFLICT where it belongs to another organisation than the one named.
        """
        addresses = {"token_url": token_url, "frame_origins": frame_origins}
        said = {name: value for name, value in addresses.items() if value is not None}
        problems = problems_of(said, [id_on_platform])
        if problems:
            raise invalid(problems)
        now = self.clock()
        with self.database.write() as session:
            registration = store.registration(session, registration_id)
            if registration is None:
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
            deployment = store.save_deployment(session, registration_id, id_on_platform, now)
            if organisation is None:
                _require_known_owner(registration.product, deployment)
            owner_id = registration.default_organisation_id
            if organisation is not None or owner_id is None:
                owner_id = self._owner(session, organisation, now, instead=registration.name).id
            if organisation is not None and deployment.organisation_id not in (None, owner_id):
                raise Conflict(
                    ErrorCode.CONFLICT,
                    f"deployment {deployment.id_on_platform} belongs to another organisation",
                )
            _set_addresses(session, deployment.id, token_url, frame_origins)
            store.approve_deployment(session, deployment.id, owner_id, now, by_operator=True)
            approved = store.deployment(session, deployment.id)
            if approved is None or not has_token_url(registration, approved):
                raise invalid(
                    ["token_url: another institution shares this registration; give this one's own"]
                )
            self._record(
                session, actor, "deployment_approved", "deployment", deployment.id, approved.organisation_id
            )
        return self.deployment(deployment.id)

    def disable_deployment(self, deployment_id: str, *, actor: str = "cli") -> DeploymentView:
        """Let nobody in from a deployment, and end its sessions.

        No staff of an organisation approves it again; :meth:`approve_deployment` does.

        :raises NotFound: REGISTRATION_UNKNOWN.
        """
        with self.database.write() as session:
            found = store.deployment(session, deployment_id)
            if found is None:
                raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, f"deployment {deployment_id}")
            store.disable_deployment(session, deployment_id, by_operator=True)
            self._record(
                session, actor, "deployment_disabled", "deployment", deployment_id, found.organisation_id
            )
        return self.deployment(deployment_id)

    def import_file(self, path: Path, *, actor: str = "cli") -> tuple[RegistrationView, ...]:
        """Add every registration of a file; nothing is added where one of them has a problem.

        :param path: TOML or JSON: a list ``registrations`` of tables with the names of :meth:`add`.
        :raises RequestInvalid: REGISTRATION_INVALID with every problem in ``problems``.
        """
        entries = read_entries(path)
        problems = [
            f"registration {number}: {problem}"
            for number, entry in enumerate(entries, 1)
            for problem in entry_problems(entry)
        ]
        if problems:
            raise invalid(problems)
        return tuple(self.add(**entry, actor=actor) for entry in entries)

    # -- organisations

    def ensure_organisation(self, name: str) -> OrganisationView:
        """The organisation of this name, made with an issuer of the same name if there is none.

        :raises RequestInvalid: REGISTRATION_INVALID for an empty or overlong name.
        """
        with self.database.write() as session:
            return self._owner(session, name, self.clock())

    def _owner(
        self, session: Session, name: str | None, now: datetime, *, instead: str = ""
    ) -> OrganisationView:
        """The organisation of this name; where none is said, the only one there is.

        Where there are several nobody guesses whose an LMS is: it gets an organisation of its own, called
        ``instead``. Its people and courses would be another institution's otherwise, for good.
        """
        if name is None:
            there = store.first_organisations(session, 2)
            if len(there) == 1:
                return there[0]
            name = instead if there else "Organisation"
            if there and store.find_organisation(session, name) is not None:
                raise invalid([f"organisation: there are several, one called {name!r} too; say which"])
        cleaned = " ".join(name.split())
        if not cleaned or len(cleaned) > 200:
            raise RequestInvalid(
                ErrorCode.REGISTRATION_INVALID,
                "the organisation's name",
                problems=("organisation: 1 to 200 characters",),
            )
        return store.find_organisation(session, cleaned) or store.add_organisation(session, cleaned, now)

    def _record(
        self,
        session: Session,
        actor: str,
        action: str,
        kind: str,
        subject_id: str,
        organisation_id: str | None = None,
        **detail: Any,
    ) -> None:
        audit.record(
            session,
            organisation_id,
            at=self.clock(),
            actor=actor,
            action=action,
            subject_kind=kind,
            subject_id=subject_id,
            detail=detail,
        )

    def _record_for_all(
        self, session: Session, actor: str, action: str, registration_id: str, **detail: Any
    ) -> None:
        """Into the log of every organisation that has deployments of it, or gets its new ones: their staff is
        to find it there.
        """
        owners: set[str | None] = {*store.owners(session, registration_id)}
        registration = store.registration(session, registration_id)
        if registration is not None and registration.default_organisation_id is not None:
            owners.add(registration.default_organisation_id)
        for organisation_id in owners or {None}:
            self._record(session, actor, action, "registration", registration_id, organisation_id, **detail)


def has_token_url(registration: RegistrationView, deployment: DeploymentView) -> bool:
    """Whether it is known where the access tokens of a deployment come from."""
    per_institution = platform_for(registration.product).has_token_url_per_institution
    return token_url_of(registration, deployment, per_institution=per_institution) is not None


def _host(issuer: str) -> str:
    return str(urlsplit(issuer).hostname)


def _require_known_owner(product: str, deployment: DeploymentView) -> None:
    """Refuse to guess whose a new deployment is: its people would become another institution's."""
    if product in SHARED_BY_INSTITUTIONS and deployment.organisation_id is None:
        raise invalid(
            [f"organisation: say whose deployment {deployment.id_on_platform} is; institutions can share it"]
        )


def _set_addresses(
    session: Session, deployment_id: str, token_url: str | None, frame_origins: Sequence[str] | None
) -> None:
    if token_url is not None:
        store.set_token_url(session, deployment_id, token_url)
    if frame_origins is not None:
        store.set_frame_origins(session, deployment_id, frame_origins)


def _is_further_institution(known: RegistrationView, product: str, owner_id: str) -> bool:
    """Whether an organisation joins a registration that is another's already."""
    is_shared = product in SHARED_BY_INSTITUTIONS or known.product in SHARED_BY_INSTITUTIONS
    return is_shared and known.default_organisation_id not in (None, owner_id)


def _problems_of_sharing(
    known: RegistrationView, given: Mapping[str, Any], deployments: Sequence[str]
) -> list[str]:
    """Why an institution cannot join a registration so: what all share is not its to change, a key set least
    of all."""
    problems = [
        f"{name}: the registration, which another institution shares, has {getattr(known, name)}"
        for name in _SHARED
        if given.get(name, getattr(known, name)) != getattr(known, name)
    ]
    if not deployments:
        problems.append("deployments: name those of this institution, which shares the registration")
    return problems


def _only(found: Sequence[RegistrationView]) -> RegistrationView | None:
    return found[0] if len(found) == 1 else None
