"""Platform Notification Service 1.0: asking a platform to tell, and reading what it tells.

A notification is a token of the platform that no browser brings: signed like a launch's, without a login
before it. What stops a copy of it is not a nonce but its own id, of which the tool keeps a row for longer
than any token is good. Canvas sends each once and never again, so nothing may depend on one: it is a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, LaunchRefused, PlatformFailed, RequestInvalid
from lti_tool.lti import claims, id_tokens
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.oidc import require_approved

SERVICE: Final = claims.LTI + "platformnotificationservice"
NOTICE: Final = claims.LTI + "notice"
ORIGIN_CONTEXTS: Final = claims.LTI + "origin_contexts"
SCOPE: Final = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
VERSION: Final = "1.0"

HELLO_WORLD: Final = "LtiHelloWorldNotice"
"""Says nothing but that the way is open; Canvas sends it when its handler is registered."""
CONTEXT_COPY: Final = "LtiContextCopyNotice"
WANTED: Final = (HELLO_WORLD, CONTEXT_COPY)
"""What the tool asks to be told; whatever else comes is kept and left alone."""

MOST_NOTICES: Final = 100
"""In one request; platforms send them in batches of tens."""
MOST_ORIGINS: Final = 20
"""Courses that one was copied from."""
MAX_AGE: Final = timedelta(days=1)
"""A platform may hold a notification back for a while, and its token says until when it is good."""
KIND_LENGTH: Final = 60


class RegistrationLookup(Protocol):
    """Where the registration of an issuer and a client_id is found."""

    def lookup(self, issuer: str, client_id: str | None) -> RegistrationView | None: ...


@dataclass(frozen=True, slots=True)
class PlatformNotice:
    """A notification that a registered platform signed for this tool."""

    registration_id: str
    deployment_id: str
    """The platform's."""
    id_on_platform: str
    kind: str
    sent_at: datetime | None
    context_id: str | None
    """The platform's id of the course it is about."""
    origin_ids: tuple[str, ...] = ()
    """Of a copy: the platform's ids of the courses it was made from."""


def read_service(body: Mapping[str, Any]) -> str | None:
    """Where a platform lets handlers be registered; ``None`` where it does not, or not for this tool.

    :param body: a launch's claims.
    """
    claim = body.get(SERVICE)
    if not isinstance(claim, dict):
        return None
    for name, needed in (("service_versions", VERSION), ("scope", SCOPE)):
        offered = claim.get(name)
        if isinstance(offered, list) and needed not in offered:
            return None
    return claims.http_url(claim.get("platform_notification_service_url"))


# -- receiving


def read_envelope(body: bytes) -> tuple[str, ...]:
    """The tokens in a request's body: ``{"notices": [{"jwt": …}]}``.

    :raises RequestInvalid: NOTICE_INVALID.
    """
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(ErrorCode.NOTICE_INVALID, "no JSON") from error
    notices = document.get("notices") if isinstance(document, dict) else None
    if not isinstance(notices, list) or not 1 <= len(notices) <= MOST_NOTICES:
        raise RequestInvalid(ErrorCode.NOTICE_INVALID, f"not 1 to {MOST_NOTICES} notices")
    tokens = [notice.get("jwt") if isinstance(notice, dict) else None for notice in notices]
    if not all(isinstance(token, str) and len(token) <= id_tokens.MAX_TOKEN_LENGTH for token in tokens):
        raise RequestInvalid(ErrorCode.NOTICE_INVALID, "a notice without a jwt")
    return tuple(str(token) for token in tokens)


@dataclass(frozen=True)
class NoticeReader:
    """Checks notifications.

    :param registrations: where registrations are found.
    :param key_sets: the platforms' public keys.
    :param clock: aware UTC now.
    """

    registrations: RegistrationLookup
    key_sets: KeySets
    clock: Callable[[], datetime]

    def read(self, token: str) -> PlatformNotice:
        """Every check of a launch's token that needs no state.

        The issuer and client_id of the unsigned text say only whose keys are tried; the checks that follow
        look at what those keys signed.

        :raises LaunchRefused: with the code of the first check that failed.
        """
        header = id_tokens.read_header(token)
        registration = require_approved(self._registration(token))
        body = id_tokens.read_body(token, header, registration, self.key_sets)
        id_tokens.check_parties(body, registration)
        id_tokens.check_times(body, self.clock().timestamp(), MAX_AGE.total_seconds())
        if body.get(claims.VERSION) != claims.LTI_VERSION:
            raise LaunchRefused(ErrorCode.LAUNCH_VERSION_WRONG, f"version is not {claims.LTI_VERSION}")
        deployment_id = claims.identifier(body.get(claims.DEPLOYMENT_ID), "deployment_id")
        if deployment_id is None:
            raise LaunchRefused(ErrorCode.LAUNCH_DEPLOYMENT_MISSING, "no deployment_id")
        notice = claims.claim_object(body, NOTICE)
        id_on_platform = claims.identifier(notice.get("id"), "notice.id")
        kind = claims.identifier(notice.get("type"), "notice.type")
        if id_on_platform is None or kind is None or len(kind) > KIND_LENGTH:
            raise LaunchRefused(ErrorCode.LAUNCH_CLAIM_INVALID, "a notice without id or type", claim="notice")
        context = claims.read_context(body)
        return PlatformNotice(
            registration_id=registration.id,
            deployment_id=deployment_id,
            id_on_platform=id_on_platform,
            kind=kind,
            sent_at=_moment(notice.get("timestamp")),
            context_id=context.id_on_platform if context else None,
            origin_ids=_origins(body),
        )

    def _registration(self, token: str) -> RegistrationView | None:
        said = id_tokens.json_object(token.split(".")[1])
        issuer, audience = said.get("iss"), said.get("aud")
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        if not isinstance(issuer, str) or len(issuer) > claims.URL_LENGTH:
            raise LaunchRefused(ErrorCode.LAUNCH_ISSUER_WRONG, "iss is no text")
        if not isinstance(audience, str) or len(audience) > claims.ID_LENGTH:
            raise LaunchRefused(ErrorCode.LAUNCH_AUDIENCE_WRONG, "aud is not one client_id")
        if "\0" in issuer or "\0" in audience:
            raise LaunchRefused(ErrorCode.LAUNCH_ISSUER_WRONG, "NUL in iss or aud")
        return self.registrations.lookup(issuer, audience)


def _moment(value: object) -> datetime | None:
    """An ISO 8601 time with its zone; anything else is only not shown."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _origins(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The platform's ids of the courses that were copied: of each its id, or an object that holds one."""
    given = body.get(ORIGIN_CONTEXTS)
    found: dict[str, None] = {}
    for item in (given if isinstance(given, list) else [])[:MOST_ORIGINS]:
        id_ = claims.identifier(item.get("id") if isinstance(item, dict) else item, "origin_contexts")
        if id_ is not None:
            found[id_] = None
    return tuple(found)


# -- registering


class _Handler(msgspec.Struct):
    notice_type: str
    handler: str | None = None


class _Catalogue(msgspec.Struct):
    notice_handlers: list[_Handler] = []


def read_handlers(connector: PlatformConnector, access: ServiceAccess, url: str) -> dict[str, str]:
    """The handler of each type of notification that a deployment has or could have; empty: none yet.

    :param url: the claim's ``platform_notification_service_url``.
    :raises PlatformFailed: as the connector; PLATFORM_ANSWER_INVALID.
    """
    answer = connector.get(access, url, frozenset({SCOPE}), "application/json")
    try:
        catalogue = msgspec.json.decode(answer.body, type=_Catalogue)
    except msgspec.MsgspecError as error:
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID,
            "the notice handlers are not readable",
            http_status=answer.status,
        ) from error
    return {each.notice_type: each.handler or "" for each in catalogue.notice_handlers}


def put_handler(
    connector: PlatformConnector, access: ServiceAccess, url: str, notice_type: str, handler: str
) -> None:
    """Have one type of notification sent to ``handler``; an empty one ends it.

    :raises PlatformFailed: as the connector.
    """
    body = msgspec.json.encode({"notice_type": notice_type, "handler": handler})
    connector.put(access, url, frozenset({SCOPE}), "application/json", body, "application/json")
