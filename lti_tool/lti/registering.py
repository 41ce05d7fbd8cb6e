"""What an LMS says of itself when the tool registers there (LTI Dynamic Registration 1.0).

Read strictly: from here come the addresses that launches are believed by. What is wrong is said all at once,
in words of the specification, for the administrator of the LMS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from lti_tool.errors import ErrorCode, PlatformFailed, RequestInvalid
from lti_tool.lti.claims import ID_LENGTH, http_url, text
from lti_tool.platforms import PLATFORMS, platform_for

PLATFORM_CONFIGURATION: Final = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL_CONFIGURATION: Final = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS_ACCOUNT: Final = "https://canvas.instructure.com/lti/account_name"
CONFIGURATION_BYTES: Final = 256 * 1024
"""Moodle's has 3 kB, Canvas's 20."""
ANSWER_BYTES: Final = 256 * 1024
REASON_LENGTH: Final = 200
_LISTED: Final = 500
"""More entries of a list than any platform has."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_TOKEN: Final = re.compile(r"[\w-]{16,}\.[\w-]{16,}(?:\.[\w-]*)?")


@dataclass(frozen=True, slots=True)
class PlatformConfiguration:
    """A platform's OpenID configuration, as far as a registration needs it."""

    issuer: str
    auth_url: str
    token_url: str
    jwks_url: str
    registration_url: str
    product: str
    """Which of :data:`lti_tool.platforms.PLATFORMS` it says it is."""
    version: str | None = None
    account_name: str | None = None
    """How the institution is called there; of Canvas."""
    token_audience: str | None = None
    """``authorization_server``: ``aud`` of token requests where it is not the token URL."""
    scopes: frozenset[str] | None = None
    """What it says it can permit; ``None`` where it says nothing."""
    messages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Message types, each with the placements it is offered for; empty where nothing is said."""


@dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """What a platform made of the tool's registration.

    Which scopes it says it granted is not kept: Moodle names more than it grants. What counts is in launches
    and in the answers of its token endpoint.
    """

    client_id: str
    deployment_id: str | None


def read_platform_configuration(body: bytes, url: str) -> PlatformConfiguration:
    """A platform's configuration, checked.

    :param url: where it was read: it has to lie on the issuer's host (§3.4).
    :raises RequestInvalid: CONFIGURATION_INVALID with every problem in ``problems``; CONFIGURATION_FOREIGN.
    """
    said = _json_object(body)
    if said is None:
        raise RequestInvalid(
            ErrorCode.CONFIGURATION_INVALID, "no JSON object", problems=("the answer is no JSON object",)
        )
    problems = [
        f"{name}: an https address is needed"
        for name in (
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "registration_endpoint",
        )
        if not is_endpoint(said.get(name))
    ]
    problems += _unsupported(said)
    if problems:
        raise RequestInvalid(ErrorCode.CONFIGURATION_INVALID, "; ".join(problems), problems=tuple(problems))
    about = said.get(PLATFORM_CONFIGURATION)
    about = about if isinstance(about, dict) else {}
    product = str(about.get("product_family_code", "")).strip().lower()
    product = product if product in PLATFORMS else "other"
    configuration = PlatformConfiguration(
        issuer=said["issuer"],
        auth_url=said["authorization_endpoint"],
        token_url=said["token_endpoint"],
        jwks_url=said["jwks_uri"],
        registration_url=said["registration_endpoint"],
        product=product,
        version=text(about.get("version"), 100),
        account_name=text(about.get(CANVAS_ACCOUNT), 200),
        token_audience=_audience(said, product),
        scopes=_texts(said.get("scopes_supported")),
        messages=_messages(about.get("messages_supported")),
    )
    _require_own_hosts(configuration, url)
    return configuration


def read_registration_answer(status: int, body: bytes) -> RegistrationAnswer:
    """What the registration endpoint answered. Moodle says 200 where the specification has 201.

    :raises PlatformFailed: REGISTRATION_TOKEN_REFUSED, REGISTRATION_REFUSED, each with the platform's own
        words as ``reason``; REGISTRATION_ANSWER_INVALID.
    """
    if not 200 <= status < 300:
        is_token = status in (401, 403)
        raise PlatformFailed(
            ErrorCode.REGISTRATION_TOKEN_REFUSED if is_token else ErrorCode.REGISTRATION_REFUSED,
            f"the registration endpoint answered {status}",
            http_status=status,
            reason=_reason(body),
        )
    said = _json_object(body)
    client_id = None if said is None else _identifier(said.get("client_id"))
    if said is None or client_id is None:
        raise PlatformFailed(ErrorCode.REGISTRATION_ANSWER_INVALID, "the answer names no client_id")
    tool = said.get(TOOL_CONFIGURATION)
    named = tool.get("deployment_id") if isinstance(tool, dict) else None
    deployment_id = _identifier(named)
    if named not in (None, "") and deployment_id is None:
        raise PlatformFailed(ErrorCode.REGISTRATION_ANSWER_INVALID, "deployment_id")
    return RegistrationAnswer(client_id, deployment_id)


def is_endpoint(value: object) -> bool:
    """An absolute https URL; plain http on this machine alone, where only development can reach it."""
    if http_url(value) is None:
        return False
    parts = urlsplit(str(value))
    host = parts.hostname or ""
    return parts.scheme == "https" or host in _LOOPBACK or host.endswith(".localhost")


def _require_own_hosts(configuration: PlatformConfiguration, url: str) -> None:
    """Nobody registers somebody else's platform: a second registration of its issuer would at least make
    logins without a client_id ambiguous, and one with its client_id replace it.

    :raises RequestInvalid: CONFIGURATION_FOREIGN.
    """
    own = urlsplit(configuration.issuer).hostname
    if urlsplit(url).hostname != own:
        raise RequestInvalid(
            ErrorCode.CONFIGURATION_FOREIGN,
            f"issuer {configuration.issuer} is not the host that the configuration was read from",
        )
    elsewhere = urlsplit(configuration.registration_url).hostname != own
    if elsewhere and not platform_for(configuration.product).serves_institutions(configuration.issuer):
        raise RequestInvalid(ErrorCode.CONFIGURATION_FOREIGN, "the registration endpoint is on another host")


def _unsupported(said: Mapping[str, Any]) -> list[str]:
    """What the tool cannot do without, where the platform says what it has."""
    needed = (
        ("response_types_supported", "id_token"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("id_token_signing_alg_values_supported", "RS256"),
    )
    return [
        f"{name}: {value} is needed"
        for name, value in needed
        if (listed := _texts(said.get(name))) is not None and value not in listed
    ]


def _audience(said: Mapping[str, Any], product: str) -> str | None:
    server = said.get("authorization_server")
    if not isinstance(server, str) or not 0 < len(server) <= 2000 or not server.isprintable():
        return None
    if not platform_for(product).has_token_audience or server == said["token_endpoint"]:
        return None
    return server


def _messages(listed: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(listed, list):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for one in listed[:_LISTED]:
        if isinstance(one, dict) and isinstance(one.get("type"), str):
            placements = one.get("placements")
            names = placements[:_LISTED] if isinstance(placements, list) else []
            found[one["type"]] = tuple(name for name in names if isinstance(name, str))
    return found


def _texts(listed: object) -> frozenset[str] | None:
    if not isinstance(listed, list):
        return None
    return frozenset(one for one in listed[:_LISTED] if isinstance(one, str))


def _identifier(value: object) -> str | None:
    """An id of the platform's; Moodle's own numbers may come as such."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH:
        return None
    return value if value.isascii() and value.isprintable() else None


def _reason(body: bytes) -> str:
    """A platform's own words: bare text (Moodle: ``token_already_used``), or the usual members of JSON.

    Never a page, and never what looks like a token.
    """
    shown: object = body[:2000].decode("utf-8", "replace").strip()
    said = _json_object(body)
    if said is not None:
        names = ("error_description", "error", "errorMessage", "message")
        shown = next((said[name] for name in names if isinstance(said.get(name), str)), "")
    reason = text(shown, REASON_LENGTH) or ""
    return "" if "<" in reason else _TOKEN.sub("…", reason)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
