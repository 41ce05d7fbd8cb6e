"""OIDC third-party initiated login (SEC §5.1.1): the first of a launch's two requests.

Nothing is stored. What the second request has to be compared with travels in ``state``, signed: which
registration, which nonce, which target, and the hash of a secret that only this browser holds, in a
cookie of its own per login or in the platform's storage (``lti-pm-s``). So two frames on one page do not
clash, and a launch that another browser began is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.claims import ID_LENGTH, URL_LENGTH, http_url, origin_of
from lti_tool.platforms import platform_for

LAUNCH_PATH: Final = "/lti/launch"
STATE_LIFETIME_SECONDS: Final = 600
"""How long a platform may take between the two requests; it answers at once, or asks the person to log in."""
STATE_COOKIE: Final = "lti_state_"
_BOUNDS: Final = {
    "iss": URL_LENGTH,
    "login_hint": 4096,
    "target_link_uri": URL_LENGTH,
    "client_id": ID_LENGTH,
    "lti_message_hint": 8192,
    "lti_deployment_id": ID_LENGTH,
    "lti_storage_target": 100,
}
_REQUIRED: Final = ("iss", "login_hint", "target_link_uri")
_FRAME_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class RegistrationLookup(Protocol):
    """Where registrations are found; ``lti_tool.services.registration`` is one."""

    def lookup(self, issuer: str, client_id: str | None) -> RegistrationView | None:
        """The registration of this pair; without a client_id the only one of the issuer, else ``None``."""

    def by_id(self, registration_id: str) -> RegistrationView | None:
        """The registration with this key of ours."""


@dataclass(frozen=True, slots=True)
class PlatformStorage:
    """What a page needs in order to put a value into the platform's storage, or to read it back."""

    target_origin: str
    """The only origin that is spoken to and listened to: that of the authentication URL."""
    frame: str | None
    """Name of the frame to speak to; ``None``: ask with ``lti.capabilities`` first."""
    key: str
    value: str | None
    """What to put; ``None`` when it is to be read."""


@dataclass(frozen=True, slots=True)
class LoginRedirect:
    """The answer to a login initiation: where to go, and what the browser must keep meanwhile."""

    auth_url: str
    state: str
    state_cookie_name: str
    state_cookie_value: str
    """Secret; the cookie is Secure, HttpOnly, SameSite=None, Partitioned, sent to :data:`LAUNCH_PATH` alone,
    and deleted by the launch that it was for."""
    storage: PlatformStorage | None
    """Set where the platform has, or may have, a storage: then a page puts ``value`` there first."""


@dataclass(frozen=True, slots=True)
class LoginState:
    """What the launch is compared with."""

    registration_id: str
    nonce: str
    target_link_uri: str
    browser_hash: str
    """SHA-256 of the secret that the browser keeps."""
    course_module_id: str | None
    storage: str | None
    """Frame of the platform's storage, ``""`` if to be asked for, ``None`` if there is none."""
    issued_at: int

    @property
    def cookie_name(self) -> str:
        """A name per login."""
        return state_cookie_name(self.nonce)


def state_cookie_name(nonce: str) -> str:
    """The cookie that holds the browser's secret of the login with this nonce."""
    return STATE_COOKIE + nonce[:16]


class StateSigner:
    """Seals and opens login states with a key derived from the installation's secret.

    :param secret: the installation's secret key.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"lti login state v1", "sha256")

    def seal(self, state: LoginState) -> str:
        """``payload.signature``, both base64url."""
        payload = _b64(
            msgspec.json.encode(
                (
                    state.registration_id,
                    state.nonce,
                    state.target_link_uri,
                    state.browser_hash,
                    state.course_module_id,
                    state.storage,
                    state.issued_at,
                )
            )
        )
        return f"{payload}.{self._signature(payload)}"

    def open(self, sealed: str) -> LoginState:
        """The state that :meth:`seal` sealed.

        :raises LaunchRefused: LAUNCH_STATE_INVALID where this installation did not make it.
        """
        payload, _, signature = sealed.partition(".")
        if not sealed.isascii() or not hmac.compare_digest(signature, self._signature(payload)):
            raise LaunchRefused(ErrorCode.LAUNCH_STATE_INVALID, "the state was not made here")
        fields: Any = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return LoginState(*fields)

    def _signature(self, payload: str) -> str:
        return _b64(hmac.digest(self._key, payload.encode(), "sha256"))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def browser_hash(secret: str) -> str:
    """The hash that the signed state keeps of a browser's secret."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def is_ours(url: str, base_url: str) -> bool:
    """Whether ``url`` lies on this installation, read the way a browser reads it."""
    return http_url(url) is not None and origin_of(url) == origin_of(base_url)


def begin_login(
    form: Mapping[str, str],
    registrations: RegistrationLookup,
    secret: bytes,
    clock: Callable[[], datetime],
    base_url: str,
) -> LoginRedirect:
    """Check a login initiation (GET or POST) and say where to send the browser.

    PyLTI1p3's own login is not used: it keeps the nonce in a session, needs its cookie, appends ``?`` to
    an authentication URL that has a query already, and knows no platform storage.

    :param form: its parameters.
    :param secret: the installation's secret key.
    :param base_url: this installation's origin.
    :raises LaunchRefused: LOGIN_PARAMETER_MISSING, LOGIN_PARAMETER_INVALID, LOGIN_TARGET_FOREIGN,
        REGISTRATION_UNKNOWN, REGISTRATION_NOT_APPROVED.
    """
    _check_parameters(form)
    if not is_ours(form["target_link_uri"], base_url):
        raise LaunchRefused(ErrorCode.LOGIN_TARGET_FOREIGN, "target_link_uri is on another site")
    registration = require_approved(registrations.lookup(form["iss"], form.get("client_id") or None))
    platform = platform_for(registration.product)
    browser_secret = secrets.token_urlsafe(32)
    state = LoginState(
        registration_id=registration.id,
        nonce=secrets.token_urlsafe(32),
        target_link_uri=form["target_link_uri"],
        browser_hash=browser_hash(browser_secret),
        course_module_id=platform.course_module_id(form),
        storage=form.get("lti_storage_target") or ("" if platform.may_have_storage else None),
        issued_at=int(clock().timestamp()),
    )
    sealed = StateSigner(secret).seal(state)
    return LoginRedirect(
        auth_url=_authentication_request(registration, form, sealed, state.nonce, base_url + LAUNCH_PATH),
        state=sealed,
        state_cookie_name=state.cookie_name,
        state_cookie_value=browser_secret,
        storage=platform_storage(registration, state, browser_secret),
    )


def named_registration(form: Mapping[str, str], registrations: RegistrationLookup) -> str | None:
    """The registration that a refused login names, whoever sent it; ``None`` where there is none."""
    issuer, client_id = form.get("iss", ""), form.get("client_id") or None
    if len(issuer) > URL_LENGTH or len(client_id or "") > ID_LENGTH or "\0" in f"{issuer}{client_id}":
        return None
    found = registrations.lookup(issuer, client_id)
    return None if found is None else found.id


def _check_parameters(form: Mapping[str, str]) -> None:
    for name in _REQUIRED:
        if not form.get(name):
            raise LaunchRefused(ErrorCode.LOGIN_PARAMETER_MISSING, name, parameter=name)
    for name, length in _BOUNDS.items():
        if len(form.get(name, "")) > length:
            raise LaunchRefused(ErrorCode.LOGIN_PARAMETER_INVALID, f"{name} is too long", parameter=name)
        if "\0" in form.get(name, ""):  # over which PostgreSQL fails
            raise LaunchRefused(ErrorCode.LOGIN_PARAMETER_INVALID, f"NUL in {name}", parameter=name)
    if not _FRAME_NAME.fullmatch(form.get("lti_storage_target") or "_parent"):
        raise LaunchRefused(
            ErrorCode.LOGIN_PARAMETER_INVALID, "lti_storage_target", parameter="lti_storage_target"
        )


def _authentication_request(
    registration: RegistrationView, form: Mapping[str, str], state: str, nonce: str, redirect_uri: str
) -> str:
    """The authentication URL with its parameters (SEC §5.1.1.2); hints are echoed unchanged."""
    parameters = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "login_hint": form["login_hint"],
        "state": state,
        "nonce": nonce,
    }
    if form.get("lti_message_hint"):
        parameters["lti_message_hint"] = form["lti_message_hint"]
    parts = urlsplit(registration.auth_url)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return parts._replace(query=query, fragment="").geturl()


def require_approved(registration: RegistrationView | None) -> RegistrationView:
    """The registration, if it may log in and launch.

    :raises LaunchRefused: REGISTRATION_UNKNOWN, REGISTRATION_NOT_APPROVED; REGISTRATION_OF_COPY where the
        platform's people are copies of another's.
    """
    if registration is None:
        raise LaunchRefused(ErrorCode.REGISTRATION_UNKNOWN, "no registration for this issuer and client_id")
    if not registration.is_approved:
        raise LaunchRefused(
            ErrorCode.REGISTRATION_NOT_APPROVED,
            f"registration {registration.id} is {registration.status}",
            status=403,
            registration_status=registration.status.value,
        )
    original = platform_for(registration.product).copied_issuer(registration.issuer)
    if original is not None:
        raise LaunchRefused(
            ErrorCode.REGISTRATION_OF_COPY,
            f"registration {registration.id} is a copy of {original}",
            status=403,
        )
    return registration


def platform_storage(
    registration: RegistrationView, state: LoginState, value: str | None = None
) -> PlatformStorage | None:
    """Where this login's secret may lie beside the cookie; ``None`` where the platform has no storage."""
    target_origin = origin_of(registration.auth_url)
    if state.storage is None or target_origin is None:
        return None
    return PlatformStorage(target_origin, state.storage or None, state.cookie_name, value)
