"""A platform in miniature: keys, claims as Moodle sends them, and tokens, good ones and forged ones."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lti_tool.domain.identity import Launch
from lti_tool.domain.registrations import RegistrationStatus, RegistrationView
from lti_tool.errors import ErrorCode, LaunchRefused, PlatformFailed
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.launch import LaunchValidator
from lti_tool.lti.oidc import LoginRedirect, begin_login

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BASE_URL = "https://badges.example"
TARGET = BASE_URL + "/lti/launch"
SECRET = b"a secret of at least thirty-two characters"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
DEEP_LINKING_SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
HEADER = {"typ": "JWT", "alg": "RS256", "kid": "key-1"}


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()
"""As a claim's value: leave the claim out. Its text is the same in every process (parallel test runs)."""

MOODLE = RegistrationView(
    id="registration-of-moodle",
    name="Moodle",
    issuer="https://moodle.example",
    client_id="client-1",
    product="moodle",
    auth_url="https://moodle.example/mod/lti/auth.php",
    token_url="https://moodle.example/mod/lti/token.php",
    jwks_url="https://moodle.example/mod/lti/certs.php",
)


@functools.cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key per name and process: making one takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: rsa.RSAPrivateKey, kid: str | None, **members: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    published = {
        "kty": "RSA",
        "kid": kid,
        "alg": "RS256",
        "use": "sig",
        "e": b64(numbers.e.to_bytes(3, "big")),
        "n": b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        **members,
    }
    return {name: value for name, value in published.items() if value is not None}


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def signing_input(header: Mapping[str, Any], claims: Any) -> bytes:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}".encode()


def sign(key: rsa.RSAPrivateKey, header: Mapping[str, Any], claims: Any) -> str:
    message = signing_input(header, claims)
    return f"{message.decode()}.{b64(key.sign(message, padding.PKCS1v15(), hashes.SHA256()))}"


def sign_hs256(secret: bytes, header: Mapping[str, Any], claims: Any) -> str:
    message = signing_input(header, claims)
    return f"{message.decode()}.{b64(hmac.digest(secret, message, hashlib.sha256))}"


def sign_es256(key: ec.EllipticCurvePrivateKey, header: Mapping[str, Any], claims: Any) -> str:
    message = signing_input(header, claims)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return f"{message.decode()}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Registered:
    """The registrations that are known."""

    views: list[RegistrationView] = field(default_factory=lambda: [MOODLE])

    def lookup(self, issuer: str, client_id: str | None) -> RegistrationView | None:
        found = [view for view in self.views if view.issuer == issuer and client_id in (None, view.client_id)]
        return found[0] if len(found) == 1 else None

    def by_id(self, registration_id: str) -> RegistrationView | None:
        return next((view for view in self.views if view.id == registration_id), None)


class Platform:
    """One platform and one tool, with a browser between them."""

    def __init__(self, *views: RegistrationView) -> None:
        self.clock = Clock()
        self.registered = Registered(list(views) or [MOODLE])
        self.key = rsa_key("moodle")
        self.kid = "key-1"
        self.key_sets: dict[str, Any] = {
            view.jwks_url: {"keys": [jwk(self.key, self.kid)]} for view in self.registered.views
        }
        self.fetched: list[str] = []
        self.validator = LaunchValidator(
            self.registered, KeySets(self._fetch, self.clock), self.clock, SECRET, BASE_URL
        )

    @property
    def registration(self) -> RegistrationView:
        return self.registered.views[0]

    def _fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if url not in self.key_sets:
            raise PlatformFailed(ErrorCode.PLATFORM_UNREACHABLE, "down")
        return json.dumps(self.key_sets[url]).encode()

    def set_status(self, status: RegistrationStatus) -> None:
        view = self.registration
        self.registered.views[0] = RegistrationView(
            **{name: getattr(view, name) for name in view.__dataclass_fields__ if name != "status"},
            status=status,
        )

    def login(self, **changes: Any) -> LoginRedirect:
        """Begin a login; a parameter changed to ``MISSING`` is left out."""
        form = {
            "iss": self.registration.issuer,
            "login_hint": "5",
            "target_link_uri": TARGET,
            "client_id": self.registration.client_id,
            "lti_message_hint": '{"cmid":6,"launchid":"ltilaunch1_155"}',
            "lti_deployment_id": "1",
            **changes,
        }
        form = {name: value for name, value in form.items() if value is not MISSING}
        return begin_login(form, self.registered, SECRET, self.clock, BASE_URL)

    def claims(self, login: LoginRedirect, /, **changes: Any) -> dict[str, Any]:
        """A learner's resource link claims; keywords without a URI prefix are LTI claims."""
        now = int(self.clock().timestamp())
        claims: dict[str, Any] = {
            "iss": self.registration.issuer,
            "aud": self.registration.client_id,
            "sub": "5",
            "iat": now,
            "exp": now + 60,
            "nonce": auth_parameters(login)["nonce"],
            "name": "Stu1 Dent1",
            "given_name": "Stu1",
            "family_name": "Dent1",
            "email": "student1@example.test",
            LTI + "version": "1.3.0",
            LTI + "message_type": "LtiResourceLinkRequest",
            LTI + "deployment_id": "1",
            LTI + "target_link_uri": TARGET,
            LTI + "resource_link": {"id": "1", "title": "Badge: Data Basics"},
            LTI + "roles": [LEARNER],
            LTI + "context": {"id": "2", "label": "MM1", "title": "Open Data", "type": ["CourseSection"]},
            LTI + "launch_presentation": {
                "locale": "en",
                "document_target": "iframe",
                "return_url": "https://moodle.example/mod/lti/return.php?course=2",
            },
        }
        return changed(claims, changes)

    def token(self, login: LoginRedirect, /, **changes: Any) -> str:
        return sign(self.key, {"typ": "JWT", "alg": "RS256", "kid": self.kid}, self.claims(login, **changes))

    def post(
        self,
        login: LoginRedirect,
        token: str,
        *,
        cookies: Mapping[str, str] | None = None,
        storage_value: str | None = None,
    ) -> Launch:
        """Post the token with this login's state, from the browser that began it unless told otherwise."""
        own = {login.state_cookie_name: login.state_cookie_value}
        return self.validator.validate(
            {"id_token": token, "state": login.state}, own if cookies is None else cookies, storage_value
        )

    def launch(self, **changes: Any) -> Launch:
        """Both requests; keywords change claims."""
        login = self.login()
        return self.post(login, self.token(login, **changes))


def changed(claims: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Claims with some replaced, added, or (``MISSING``) left out."""
    for name, value in changes.items():
        full = next((known for known in (name, LTI + name) if known in claims), None)
        full = full or (LTI + name if name in _LTI_NAMES else name)
        if value is MISSING:
            claims.pop(full, None)
        else:
            claims[full] = value
    return claims


_LTI_NAMES = {"custom", "tool_platform", "context", "resource_link", "target_link_uri"}


def auth_parameters(login: LoginRedirect) -> dict[str, str]:
    """The authentication request's parameters."""
    return {name: values[0] for name, values in parse_qs(urlsplit(login.auth_url).query).items()}


def deep_linking_changes(**settings: Any) -> dict[str, Any]:
    """What turns the claims into a deep linking request; keywords change its settings."""
    given = {
        "deep_link_return_url": "https://moodle.example/mod/lti/contentitem_return.php?course=2&id=1",
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["frame", "iframe", "window"],
        "accept_multiple": True,
        **settings,
    }
    return {
        "message_type": "LtiDeepLinkingRequest",
        "resource_link": MISSING,
        "roles": [INSTRUCTOR],
        DEEP_LINKING_SETTINGS: {name: value for name, value in given.items() if value is not MISSING},
    }


def code_of(attempt: Callable[[], Any]) -> ErrorCode:
    """The code that ``attempt`` is refused with."""
    with pytest.raises(LaunchRefused) as refused:
        attempt()
    assert 400 <= refused.value.status < 500
    return refused.value.code
