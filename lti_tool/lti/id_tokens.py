"""What makes a signed token of a platform believable, be it a launch's or a notification's (SEC §5.1.3).

A launch has a state, and a browser that holds it; a notification has neither. What both have is here: form,
algorithm, key, signature, who it is from and for, and its times.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from joserfc.jws import JWSRegistry

from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.key_sets import KeySets

LEEWAY_SECONDS: Final = 60
"""How far two clocks may differ. Moodle's tokens live 60 s, and campus servers drift by tens of seconds;
a longer leeway would double what it protects, a replay is stopped by the nonce anyway."""
MAX_TOKEN_LENGTH: Final = 65_536
ALGORITHM: Final = "RS256"
"""The only one: the one every platform has to support (SEC §6.1), with nothing to choose for an attacker."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_RS256 = JWSRegistry.algorithms[ALGORITHM]


def read_header(token: str) -> dict[str, Any]:
    """The header of a compact JWS with the allowed algorithm and a key id; nothing else of it is used.

    ``jku``, ``x5u``, ``jwk`` and ``x5c`` would let the sender choose the key; they are not read.

    :raises LaunchRefused: LAUNCH_TOKEN_MALFORMED, LAUNCH_ALGORITHM_REFUSED, LAUNCH_KEY_ID_MISSING.
    """
    if not _COMPACT.fullmatch(token):
        raise LaunchRefused(ErrorCode.LAUNCH_TOKEN_MALFORMED, "no compact JWS")
    header = json_object(token.partition(".")[0])
    if header.get("alg") != ALGORITHM:
        raise LaunchRefused(ErrorCode.LAUNCH_ALGORITHM_REFUSED, f"alg is not {ALGORITHM}")
    if "crit" in header:
        # RFC 7515 §4.1.11: an extension that must be understood, and is not.
        raise LaunchRefused(ErrorCode.LAUNCH_TOKEN_MALFORMED, "critical extensions in the header")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise LaunchRefused(ErrorCode.LAUNCH_KEY_ID_MISSING, "no kid in the header")
    return header


def read_body(
    token: str, header: Mapping[str, Any], registration: RegistrationView, key_sets: KeySets
) -> dict[str, Any]:
    """The claims, once a key that this registration's platform publishes under that id signed them.

    :param header: of :func:`read_header`.
    :raises LaunchRefused: LAUNCH_KEY_UNKNOWN, LAUNCH_KEYS_UNREACHABLE, LAUNCH_SIGNATURE_INVALID,
        LAUNCH_TOKEN_MALFORMED.
    """
    signed, _, signature = token.rpartition(".")
    keys = key_sets.keys(registration, header["kid"])
    message, raw_signature = signed.encode(), _decode(signature)
    if not any(_RS256.verify(message, raw_signature, key) for key in keys):
        raise LaunchRefused(ErrorCode.LAUNCH_SIGNATURE_INVALID, "no key of that id made this signature")
    return json_object(signed.rpartition(".")[2])


def check_parties(body: Mapping[str, Any], registration: RegistrationView) -> None:
    """The token is from this registration's platform, and for this tool alone (SEC §5.1.3 3-5).

    :raises LaunchRefused: LAUNCH_ISSUER_WRONG, LAUNCH_AUDIENCE_WRONG, LAUNCH_AUTHORISED_PARTY_WRONG.
    """
    if body.get("iss") != registration.issuer:
        raise LaunchRefused(ErrorCode.LAUNCH_ISSUER_WRONG, "iss is not the issuer of this login")
    audience = body.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not audiences or any(each != registration.client_id for each in audiences):
        # Further audiences would have to be trusted, and this tool trusts none.
        raise LaunchRefused(ErrorCode.LAUNCH_AUDIENCE_WRONG, "aud is not this client_id alone")
    authorised = body.get("azp")
    if (authorised is not None or len(audiences) > 1) and authorised != registration.client_id:
        raise LaunchRefused(ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG, "azp is not this client_id")


def check_times(body: Mapping[str, Any], now: float, max_age: float) -> None:
    """Issued not in the future nor too long ago, and not expired.

    :param now: seconds since the epoch.
    :param max_age: seconds since ``iat`` after which it counts for nothing, whatever ``exp`` says.
    :raises LaunchRefused: LAUNCH_EXPIRED, LAUNCH_TIME_INVALID.
    """
    issued_at, expires_at = time_of(body, "iat"), time_of(body, "exp")
    not_before = time_of(body, "nbf") if "nbf" in body else issued_at
    if expires_at <= now - LEEWAY_SECONDS:
        raise LaunchRefused(ErrorCode.LAUNCH_EXPIRED, f"expired {now - expires_at:.0f} s ago by this clock")
    if expires_at <= issued_at or max(issued_at, not_before) > now + LEEWAY_SECONDS:
        raise LaunchRefused(
            ErrorCode.LAUNCH_TIME_INVALID, f"issued {issued_at - now:.0f} s ahead of this clock"
        )
    if issued_at < now - max_age - LEEWAY_SECONDS:
        raise LaunchRefused(
            ErrorCode.LAUNCH_TIME_INVALID, f"issued {now - issued_at:.0f} s ago by this clock"
        )


def json_object(segment: str) -> dict[str, Any]:
    """A part of a compact JWS as the JSON object that it has to be.

    :raises LaunchRefused: LAUNCH_TOKEN_MALFORMED.
    """
    try:
        value = msgspec.json.decode(_decode(segment))
    except (ValueError, RecursionError) as error:
        raise LaunchRefused(ErrorCode.LAUNCH_TOKEN_MALFORMED, "a part is no JSON") from error
    if not isinstance(value, dict):
        raise LaunchRefused(ErrorCode.LAUNCH_TOKEN_MALFORMED, "a part is no JSON object")
    return value


def time_of(body: Mapping[str, Any], claim: str) -> float:
    """A NumericDate (RFC 7519 §2), in seconds since the epoch.

    :raises LaunchRefused: LAUNCH_TIME_INVALID for what is none, or lies thousands of years away.
    """
    value = body.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        raise LaunchRefused(ErrorCode.LAUNCH_TIME_INVALID, f"{claim} is no time", claim=claim)
    return value


def _decode(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError as error:
        raise LaunchRefused(ErrorCode.LAUNCH_TOKEN_MALFORMED, "a part is no base64url") from error
