"""An LMS of answers for the service tests: URLs that nobody answers raise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lti_tool.domain.registrations import DeploymentStatus, DeploymentView, RegistrationView
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.outbound import Outbound, OutboundPolicy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ISSUER = "https://moodle.example.edu"
TOKEN_URL = f"{ISSUER}/mod/lti/token.php"
MEMBERSHIPS_URL = f"{ISSUER}/mod/lti/services.php/CourseSection/2/bindings/1/memberships"
LINE_ITEMS_URL = f"{ISSUER}/mod/lti/services.php/2/lineitems?type_id=1"
COLUMN_URL = f"{ISSUER}/mod/lti/services.php/2/lineitems/13/lineitem?type_id=1"
RESULTS_URL = f"{ISSUER}/mod/lti/services.php/2/lineitems/13/lineitem/results?type_id=1"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MOODLE_SCOPES = frozenset(
    AGS + name for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")
)

REGISTRATION = RegistrationView(
    id="r1",
    name="Moodle",
    issuer=ISSUER,
    client_id="O5a2VXS9t7FCw9B",
    product="moodle",
    auth_url=f"{ISSUER}/mod/lti/auth.php",
    token_url=TOKEN_URL,
    jwks_url=f"{ISSUER}/mod/lti/certs.php",
    default_organisation_id="o1",
)


DEPLOYMENT = DeploymentView("d1", REGISTRATION.id, "1", "o1", DeploymentStatus.APPROVED)


def access(
    *,
    deployment: DeploymentView = DEPLOYMENT,
    granted: frozenset[str] | None = MOODLE_SCOPES,
    **changes: Any,
) -> ServiceAccess:
    """Deployment 1 of the Moodle above; ``changes`` go to its registration."""
    return ServiceAccess(replace(REGISTRATION, **changes), deployment, granted)


@cache
def private_key() -> rsa.RSAPrivateKey:
    """One key for all tests: making one takes longer than they do."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys:
    """A keyring with one key."""

    kid = "key-1"

    def signer(self, purpose: str, /) -> Keys:
        assert purpose == "lti"
        return self

    @property
    def private_pem(self) -> str:
        return (
            private_key()
            .private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            .decode()
        )


@dataclass
class Time:
    """A monotonic clock that moves when told, or when somebody sleeps."""

    seconds: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@dataclass
class Lms:
    """The mocked network, and a connector into it."""

    mock: responses.RequestsMock
    connector: PlatformConnector
    time: Time
    tokens_given: list[dict[str, str]] = field(default_factory=list)
    """The form of each token request."""

    def gives_tokens(self, url: str = TOKEN_URL, *, prefix: str = "token", **answer: Any) -> None:
        """As Moodle: any number of tokens, each another, as JSON in text/html."""

        def give(request: Any) -> tuple[int, dict[str, str], str]:
            form = {name: values[0] for name, values in parse_qs(str(request.body)).items()}
            self.tokens_given.append(form)
            body = {
                "access_token": f"{prefix}-{len(self.tokens_given)}",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": form["scope"],
                **answer,
            }
            return 200, {"Content-Type": "text/html; charset=utf-8"}, json.dumps(body)

        self.mock.add_callback(responses.POST, url, give)

    def gives(
        self,
        url: str,
        body: object,
        *,
        next_url: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> responses.BaseResponse:
        """One answer to a GET of exactly this URL."""
        link = {"Link": f'<{next_url}>; rel="next"'} if next_url else {}
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.mock.get(
            url,
            body=text,
            status=status,
            headers={**link, **(headers or {})},
            content_type="application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
        )

    def calls(self, url_part: str) -> list[Any]:
        """The requests whose URL holds ``url_part``."""
        return [call.request for call in self.mock.calls if url_part in call.request.url]


@contextmanager
def lms(**connector_options: Any) -> Iterator[Lms]:
    """A mocked network; leaving it checks nothing, so that tests say what they expect."""
    time = Time()
    policy = OutboundPolicy.of((), is_development=False, base_url="https://badges.example")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        outbound = Outbound(policy, sleep=time.sleep, clock=lambda: NOW, refuse_in_transaction=True)
        connector = PlatformConnector(outbound, Keys(), lambda: NOW, monotonic=time, **connector_options)
        yield Lms(mock, connector, time)


def member(number: int, *roles: str, **more: Any) -> dict[str, Any]:
    """A roster entry as Moodle writes it."""
    return {
        "status": "Active",
        "roles": list(roles or ("Learner",)),
        "user_id": str(number),
        "name": f"Stu{number} Dent{number}",
        **more,
    }


def container(*members: object) -> dict[str, Any]:
    """A page of a roster."""
    return {"id": MEMBERSHIPS_URL, "context": {"id": "2"}, "members": list(members)}
