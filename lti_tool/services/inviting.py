"""Connecting an LMS by one link: invitations, and Dynamic Registration by them.

Whoever could open the registration address at will could make tenants (LTI Dynamic Registration 1.0 leaves
it to the tool). So it needs an invitation: a link that lets one LMS in, once, for some days, into the
organisation that it was made for.

The LMS's configuration is read under the outgoing policy as a platform's, not as a stranger's: hosts and
networks that the operator lists for campus platforms are reached, since the link was made by the operator or
the organisation's owner for the very purpose of naming such a platform. Nothing of an answer is shown but
what was understood of it, so that an invited person cannot read a campus network through the tool.

Between looking and registering nothing is stored. What was shown travels in the page's form, sealed: the
invitation, and the platform's registration token, which is a secret of its own. It is logged nowhere, and in
no address of ours after the first.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, urlsplit

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.domain.staff import Permission
from lti_tool.errors import (
    Conflict,
    ErrorCode,
    NotAllowed,
    NotFound,
    OutboundRefused,
    PlatformFailed,
    RequestInvalid,
    ToolError,
)
from lti_tool.lti.claims import host_of, origin_of
from lti_tool.lti.registering import (
    ANSWER_BYTES,
    CONFIGURATION_BYTES,
    PlatformConfiguration,
    RegistrationAnswer,
    read_platform_configuration,
    read_registration_answer,
)
from lti_tool.lti.registration import ToolTexts, registration_request
from lti_tool.outbound import Outbound
from lti_tool.platforms import ConnectionGuidance, ConnectionSteps, platform_for
from lti_tool.services.form_problems import FormProblem, Problem, text_problems
from lti_tool.services.registering import require_changeable, store_registration
from lti_tool.services.registration import Registrations
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, oversight
from lti_tool.store import invitations as store
from lti_tool.store.database import Database
from lti_tool.store.invitations import InvitationState, InvitationView, StandingRow
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

REGISTER_PATH: Final = "/lti/register"
NAME_LENGTH: Final = 200
LONGEST: Final = 30
USUAL: Final = 7
"""Days that an invitation lets in for."""
FORM_LIFETIME: Final = timedelta(hours=1)
"""As long as Moodle's registration token works."""
DONE_LIFETIME: Final = timedelta(days=30)
CLAIM: Final = timedelta(seconds=60)
"""Longer than a registration takes; one whose process died keeps others out for no longer."""
CONFIGURATION_SECONDS: Final = 8.0
REGISTRATION_SECONDS: Final = 15.0
URL_LENGTH: Final = 4000
TOKEN_LENGTH: Final = 8000
INVITATION_LENGTH: Final = 100
_CLOSED: Final = {
    InvitationState.WITHDRAWN: ErrorCode.INVITATION_WITHDRAWN,
    InvitationState.USED: ErrorCode.INVITATION_USED,
    InvitationState.EXPIRED: ErrorCode.INVITATION_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class InvitationLink:
    """The one copy of a link that registers an LMS."""

    url: str
    invitation: InvitationView


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be registered where, before anybody has agreed to it."""

    invitation: InvitationView
    configuration: PlatformConfiguration
    ticket: str
    """Sealed; brings this offer back by :meth:`Inviting.register`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the registration of an invitation is."""

    registration: StandingRow
    steps: ConnectionSteps
    guidance: ConnectionGuidance | None

    @property
    def is_approved(self) -> bool:
        """Whether its people will be let in: nothing here waits for the operator."""
        row = self.registration
        is_let_in = row.approved_deployments > 0 or row.approves_deployments
        return row.status == RegistrationStatus.APPROVED and is_let_in

    @property
    def is_working(self) -> bool:
        """Whether somebody has opened the tool from there."""
        return self.registration.last_launched_at is not None


@dataclass(frozen=True)
class Inviting:
    """Invitations, and what is done with them.

    :param secret: the installation's secret key; links and forms made under another one are none.
    :param base_url: this installation's origin.
    """

    database: Database
    clock: Callable[[], datetime]
    outbound: Outbound
    registrations: Registrations
    secret: bytes
    base_url: str

    # -- making invitations

    def invite(
        self,
        by: Acting,
        *,
        name: str = "",
        days: int = USUAL,
        approves: bool = False,
        registration_id: str | None = None,
    ) -> InvitationLink:
        """Make a link by which one LMS registers itself, once.

        :param name: how the LMS is called here; without it, as its host.
        :param approves: nobody looks at it again: its people get in at once.
        :param registration_id: the registration to update, instead of adding one.
        :raises NotAllowed: STAFF_NOT_ALLOWED; STAFF_OPERATOR_DECIDES where the registration serves other
            organisations too.
        :raises NotFound: NOT_FOUND for a registration that is not this organisation's.
        :raises RequestInvalid: FORM_INVALID with every problem in ``problems``.
        """
        by.require(Permission.MANAGE_REGISTRATIONS)
        name = " ".join(name.split())
        problems = list(text_problems("name", name, NAME_LENGTH)) if name else []
        if not 1 <= days <= LONGEST:
            problems.append(Problem("days", FormProblem.OUT_OF_RANGE, {"minimum": 1, "maximum": LONGEST}))
        if problems:
            raise RequestInvalid(ErrorCode.FORM_INVALID, problems=tuple(problems))
        now, token = self.clock(), secrets.token_urlsafe(32)
        with self.database.write() as session:
            if registration_id is not None:
                found = oversight.registration(session, by.organisation_id, registration_id)
                if found is None:
                    raise NotFound(ErrorCode.NOT_FOUND, registration_id)
                if found.is_shared:
                    raise NotAllowed(
                        ErrorCode.STAFF_OPERATOR_DECIDES, f"registration {registration_id} is shared"
                    )
            invitation_id = store.add(
                session,
                by.organisation_id,
                name=name,
                token_hash=self._hash(token),
                approves=approves,
                created_by=by.actor,
                now=now,
                expires_at=now + timedelta(days=days),
                registration_id=registration_id,
            )
            self._record(session, by.organisation_id, by.actor, "invitation.made", invitation_id)
            view = store.find(session, by.organisation_id, invitation_id)
        assert view is not None
        return InvitationLink(f"{self.base_url}{REGISTER_PATH}?invite={token}", view)

    def list(self, by: Acting) -> tuple[InvitationView, ...]:
        """Every invitation of the organisation, the newest first.

        :raises NotAllowed: STAFF_NOT_ALLOWED without VIEW.
        """
        by.require(Permission.VIEW)
        with self.database.read() as session:
            return store.of_organisation(session, by.organisation_id)

    def withdraw(self, by: Acting, invitation_id: str) -> InvitationView:
        """Let nobody in by it any more. What it has let in stays.

        :raises NotAllowed: STAFF_NOT_ALLOWED. :raises NotFound: INVITATION_UNKNOWN.
        :raises Conflict: CONFLICT where it is used up.
        """
        by.require(Permission.MANAGE_REGISTRATIONS)
        with self.database.write() as session:
            changed = store.withdraw(session, by.organisation_id, invitation_id, self.clock())
            view = store.find(session, by.organisation_id, invitation_id)
            if view is None:
                raise NotFound(ErrorCode.INVITATION_UNKNOWN, invitation_id)
            if view.used_at is not None:
                raise Conflict(ErrorCode.CONFLICT, f"invitation {invitation_id} is used up")
            if changed:
                self._record(session, by.organisation_id, by.actor, "invitation.withdrawn", invitation_id)
        return view

    def organisation_of(self, invitation_id: str) -> str:
        """Whose invitation it is; for the operator.

        :raises NotFound: INVITATION_UNKNOWN.
        """
        with self.database.read() as session:
            found = store.organisation_of(session, invitation_id)
        if found is None:
            raise NotFound(ErrorCode.INVITATION_UNKNOWN, invitation_id)
        return found

    # -- using one

    def look(self, token: str) -> InvitationView:
        """The invitation of a link, if it still lets somebody in.

        :raises NotFound: INVITATION_UNKNOWN. :raises NotAllowed: INVITATION_WITHDRAWN, _USED, _EXPIRED.
        """
        view = None
        if 0 < len(token) <= INVITATION_LENGTH:
            with self.database.read() as session:
                view = store.with_token(session, self._hash(token))
        if view is None:
            raise NotFound(ErrorCode.INVITATION_UNKNOWN, "no invitation has this token")
        self._require_open(view)
        return view

    def _require_open(self, view: InvitationView) -> None:
        code = _CLOSED.get(view.state(self.clock()))
        if code is not None:
            raise NotAllowed(code, view.id)

    def offer(self, token: str, configuration_url: str, registration_token: str) -> Offer:
        """Read the platform's configuration, so that its administrator sees what would be registered.

        :param configuration_url: ``openid_configuration``. :param registration_token: may be empty (§3.2).
        :raises ToolError: as :meth:`look`; CONFIGURATION_UNREACHABLE, CONFIGURATION_INVALID,
            CONFIGURATION_FOREIGN, REGISTRATION_OF_COPY.
        """
        invitation = self.look(token)
        configuration = self._read_configuration(configuration_url, registration_token)
        said = {
            "invite": token,
            "token": registration_token,
            "read_from": _without_query(configuration_url),
            "until": int((self.clock() + FORM_LIFETIME).timestamp()),
            "configuration": _packed(configuration),
        }
        return Offer(invitation, configuration, self._seal("registration form", said))

    def _read_configuration(self, url: str, registration_token: str) -> PlatformConfiguration:
        if len(url) > URL_LENGTH or len(registration_token) > TOKEN_LENGTH:
            raise RequestInvalid(
                ErrorCode.CONFIGURATION_INVALID, "over-long", problems=("openid_configuration: over-long",)
            )
        # Canvas asks for the token here too; others let it be.
        headers = {"Accept": "application/json", **_bearer(registration_token)}
        try:
            answer = self.outbound.request(
                "GET",
                url,
                audience="platform",
                headers=headers,
                timeout=CONFIGURATION_SECONDS,
                max_bytes=CONFIGURATION_BYTES,
            )
        except (OutboundRefused, PlatformFailed) as error:
            raise _unreachable(ErrorCode.CONFIGURATION_UNREACHABLE, url, error) from error
        if not answer.is_success:
            raise PlatformFailed(
                ErrorCode.CONFIGURATION_UNREACHABLE,
                f"{host_of(url)}: the configuration answered {answer.status}",
                http_status=answer.status,
                host=host_of(url) or "?",
                reason=f"HTTP {answer.status}",
            )
        configuration = read_platform_configuration(answer.body, url)
        original = platform_for(configuration.product).copied_issuer(configuration.issuer)
        if original is not None:
            raise NotAllowed(ErrorCode.REGISTRATION_OF_COPY, f"{configuration.issuer} copies {original}")
        return configuration

    def register(self, ticket: str, texts: ToolTexts, icon_url: str) -> str:
        """Register where the offer said, and use the invitation up; gives what :meth:`standing` takes.

        The invitation is claimed first, then the platform is asked, then everything is stored in one
        transaction with the invitation's end. What fails on the way leaves it as it was.

        :raises ToolError: REGISTRATION_FORM_INVALID; as :meth:`look`; INVITATION_BUSY;
            REGISTRATION_ENDPOINT_UNREACHABLE, REGISTRATION_REFUSED, REGISTRATION_TOKEN_REFUSED,
            REGISTRATION_ANSWER_INVALID; REGISTRATION_PROTECTED, REGISTRATION_CHANGE_UNAPPROVED.
        """
        said = self._open("registration form", ticket)
        invitation = self.look(str(said["invite"]))
        configuration = _unpacked(said["configuration"])
        now = self.clock()
        until = now + CLAIM
        with self.database.write() as session:
            require_changeable(session, invitation, configuration)
            claimed = store.claim(session, invitation.id, now, until)
        if not claimed:
            self.look(str(said["invite"]))
            raise Conflict(ErrorCode.INVITATION_BUSY, f"invitation {invitation.id} is being used")
        try:
            answer = self._ask(configuration, str(said["token"]), texts, icon_url)
            with self.database.write() as session:
                registration_id = store_registration(
                    session,
                    invitation,
                    configuration,
                    answer,
                    read_from=str(said["read_from"]),
                    claimed_until=until,
                    now=self.clock(),
                )
        except Exception as error:
            self._give_back(invitation, until, error)
            raise
        self.registrations.forget()
        log.info(
            "platform_registered",
            registration_id=registration_id,
            organisation_id=invitation.organisation_id,
            invitation_id=invitation.id,
            is_approved=invitation.approves,
        )
        return self._seal(
            "registration done",
            {
                "registration": registration_id,
                "site": origin_of(configuration.registration_url),
                "until": int((self.clock() + DONE_LIFETIME).timestamp()),
            },
        )

    def _ask(
        self, configuration: PlatformConfiguration, token: str, texts: ToolTexts, icon_url: str
    ) -> RegistrationAnswer:
        request = registration_request(configuration, self.base_url, texts, icon_url)
        headers = {"Content-Type": "application/json", "Accept": "application/json", **_bearer(token)}
        url = configuration.registration_url
        try:
            answer = self.outbound.request(
                "POST",
                url,
                audience="platform",
                headers=headers,
                data=json.dumps(request, ensure_ascii=False).encode(),
                timeout=REGISTRATION_SECONDS,
                max_bytes=ANSWER_BYTES,
            )
        except (OutboundRefused, PlatformFailed) as error:
            raise _unreachable(ErrorCode.REGISTRATION_ENDPOINT_UNREACHABLE, url, error) from error
        return read_registration_answer(answer.status, answer.body)

    def _give_back(self, invitation: InvitationView, until: datetime, error: Exception) -> None:
        """Leave the invitation as it was, and say in the log what happened."""
        with self.database.write() as session:
            store.release(session, invitation.id, until)
        if isinstance(error, ToolError):
            log.info("registration_failed", invitation_id=invitation.id, error_code=error.code.value)

    # -- afterwards

    def standing(self, done: str) -> Standing:
        """How far a registration is, for whoever made it.

        :param done: what :meth:`register` gave.
        :raises RequestInvalid: REGISTRATION_FORM_INVALID. :raises NotFound: REGISTRATION_UNKNOWN.
        """
        said = self._open("registration done", done)
        return self._standing(str(said["registration"]), str(said.get("site") or ""))

    def standing_of(self, by: Acting, registration_id: str) -> Standing | None:
        """The same for the organisation's staff; ``None`` for a registration that was typed in by hand.

        :raises NotAllowed: STAFF_NOT_ALLOWED without VIEW. :raises NotFound: NOT_FOUND.
        """
        by.require(Permission.VIEW)
        with self.database.read() as session:
            found = oversight.registration(session, by.organisation_id, registration_id)
            if found is None:
                raise NotFound(ErrorCode.NOT_FOUND, registration_id)
        standing = self._standing(registration_id, "")
        return standing if standing.registration.configured_at is not None else None

    def _standing(self, registration_id: str, site: str) -> Standing:
        with self.database.read() as session:
            row = store.standing(session, registration_id)
        if row is None:
            raise NotFound(ErrorCode.REGISTRATION_UNKNOWN, registration_id)
        platform = platform_for(row.product)
        return Standing(row, platform.connection_steps, platform.connection_guidance(row.issuer, site))

    # -- secrets

    @cached_property
    def _key(self) -> bytes:
        return hmac.digest(self.secret, b"registration invitation v1", "sha256")

    def _hash(self, token: str) -> str:
        """A token as it is stored: whoever reads the database can register nothing."""
        return hmac.digest(self._key, token.encode(errors="replace"), "sha256").hex()

    def _seal(self, purpose: str, said: dict[str, Any]) -> str:
        payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
        return f"{payload}.{self._signature(purpose, payload)}"

    def _open(self, purpose: str, sealed: str) -> dict[str, Any]:
        """:raises RequestInvalid: REGISTRATION_FORM_INVALID."""
        payload, _, signature = sealed.rpartition(".")
        signed = signature.encode(errors="replace")
        if not hmac.compare_digest(self._signature(purpose, payload).encode(), signed):
            raise RequestInvalid(ErrorCode.REGISTRATION_FORM_INVALID, "not made here")
        try:
            said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (ValueError, binascii.Error) as error:
            raise RequestInvalid(ErrorCode.REGISTRATION_FORM_INVALID, "not made here") from error
        if said["until"] <= self.clock().timestamp():
            raise RequestInvalid(ErrorCode.REGISTRATION_FORM_INVALID, "too old")
        return said

    def _signature(self, purpose: str, payload: str) -> str:
        return hmac.digest(self._key, f"{purpose}.{payload}".encode(errors="replace"), "sha256").hex()

    def _record(
        self,
        session: Session,
        organisation_id: str,
        actor: str,
        action: str,
        invitation_id: str,
        **detail: Any,
    ) -> None:
        audit.record(
            session,
            organisation_id,
            at=self.clock(),
            actor=actor,
            action=action,
            subject_kind="invitation",
            subject_id=invitation_id,
            detail=detail,
        )


def _bearer(token: str) -> dict[str, str]:
    # A header takes ASCII without line ends; what is no token of that shape is refused where it is used.
    return {"Authorization": f"Bearer {quote(token, safe='-._~+/=')}"} if token else {}


def _packed(configuration: PlatformConfiguration) -> dict[str, Any]:
    packed = asdict(configuration)
    packed["scopes"] = None if configuration.scopes is None else sorted(configuration.scopes)
    return packed


def _unpacked(packed: dict[str, Any]) -> PlatformConfiguration:
    scopes, messages = packed["scopes"], packed["messages"]
    return PlatformConfiguration(
        **{
            **packed,
            "scopes": None if scopes is None else frozenset(scopes),
            "messages": {type_: tuple(placements) for type_, placements in messages.items()},
        }
    )


def _without_query(url: str) -> str:
    """Canvas puts the registration token into it."""
    return urlsplit(url)._replace(query="", fragment="").geturl()[:2000]


def _unreachable(code: ErrorCode, url: str, error: ToolError) -> PlatformFailed:
    return PlatformFailed(
        code, f"{host_of(url)}: {error.code.value}", host=host_of(url) or "?", reason=error.code.value
    )
