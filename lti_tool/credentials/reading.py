"""From bytes to the one credential in them: JSON, a baked PNG or SVG, or a JWT.

Everything here comes from strangers. Sizes and depth are bounded, and JSON that two parsers may read
differently (repeated member names, numbers that are none) is told apart from JSON that is merely wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lti_tool.credentials.baking import PNG_SIGNATURE, unbake_png, unbake_svg
from lti_tool.credentials.errors import ImageInvalid, NotACredential

MAXIMUM_JSON_BYTES: Final = 256 * 1024
MAXIMUM_RECORD_BYTES: Final = 1024 * 1024
MAXIMUM_CREDENTIALS: Final = 50
"""In one learner record (CLR 2.0), and how large it may be."""
MAXIMUM_IMAGE_BYTES: Final = 5 * 1024 * 1024
MAXIMUM_DEPTH: Final = 40
MAXIMUM_VALUES: Final = 3_000
MAXIMUM_WIDTH: Final = 500
MAXIMUM_CONTEXTS: Final = 100
"""Values in all, members of one array, and contexts in all; an honest badge has 100, 20 and 3. PyLD's time
grows with the square of an array's length (3,000 tags, 28 kB: 5 s), and by 10 ms with each context of one."""
EXCESSES: Final = frozenset({"too_deep", "too_many_values", "too_many_contexts", "too_many_credentials"})
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OPEN_BADGES_2: Final = "https://w3id.org/openbadges/v2"
_CREDENTIAL_CONTEXT: Final = re.compile(r"https://www\.w3\.org/(2018/credentials/v1|ns/credentials/v\d+)")


class Ambiguous(ValueError):
    """JSON that is one, but that no two readers need to understand alike, or that has too much in it;
    ``args[0]`` is the reason.
    """


@dataclass(frozen=True)
class Found:
    """What was in the bytes.

    :param container: ``json``, ``png``, ``svg`` or ``jwt``.
    :param document: the credential as JSON; for a JWT the credential in its payload.
    :param jwt: the compact token, if it is one.
    """

    container: str
    document: dict[str, Any]
    jwt: str | None = None


def read_credential(data: bytes) -> Found:
    """Find the credential in ``data``.

    :raises NotACredential: if there is none, or it is too large.
    :raises Ambiguous: for a repeated member name, a number that is none, too deep nesting or too many values.
    """
    if data.startswith(PNG_SIGNATURE):
        return _read_image(data, "png")
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return _read_image(data, "svg")
    if len(data) > MAXIMUM_RECORD_BYTES:
        raise NotACredential("too_large")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NotACredential("not_text") from None
    if len(data) <= MAXIMUM_JSON_BYTES:
        return _read_text(text, None)
    try:
        found = _read_text(text, None)
    except NotACredential:
        raise NotACredential("too_large") from None
    if not is_record(found.document):
        raise NotACredential("too_large")
    return found


def _read_image(data: bytes, kind: str) -> Found:
    if len(data) > MAXIMUM_IMAGE_BYTES:
        raise NotACredential("too_large")
    try:
        text = unbake_png(data) if kind == "png" else unbake_svg(data)
    except ImageInvalid as error:
        raise NotACredential(error.reason) from error
    if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_JSON_BYTES:
        raise NotACredential("too_large")
    return _read_text(text.strip(), kind)


def _read_text(text: str, container: str | None) -> Found:
    if _JWT.fullmatch(text):
        payload = _jwt_payload(text)
        return Found(container or "jwt", credential_of_payload(payload), text)
    document = parse_json(text)
    if not isinstance(document, dict) or not _is_credential(document):
        raise NotACredential("not_a_credential")
    return Found(container or "json", document)


def parse_json(text: str) -> Any:
    """Strict JSON.

    :raises NotACredential: if it is none.
    :raises Ambiguous: see :func:`read_credential`.
    """
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number, parse_float=_number)
    except Ambiguous:
        raise
    except RecursionError:
        raise Ambiguous("too_deep") from None
    except ValueError:
        raise NotACredential("not_json") from None
    excess = excess_of(value)
    if excess is not None:
        raise Ambiguous(excess)
    return value


def credential_of_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The credential in a VC-JWT payload: its members at the top (VCDM 2.0), or under ``vc`` (VCDM 1.1)."""
    inner = payload.get("vc")
    if isinstance(inner, dict):
        return inner
    claims = {"iss", "jti", "nbf", "sub", "exp", "iat", "aud"}
    document = {key: value for key, value in payload.items() if key not in claims}
    if not _is_credential(document):
        raise NotACredential("not_a_credential")
    return document


def decode_segment(segment: str) -> bytes:
    """One base64url part of a JWT.

    :raises NotACredential: if it is none.
    """
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise NotACredential("not_a_jwt") from None


def _jwt_payload(token: str) -> dict[str, Any]:
    try:
        payload = parse_json(decode_segment(token.split(".")[1]).decode())
    except UnicodeDecodeError:
        raise NotACredential("not_a_jwt") from None
    if not isinstance(payload, dict):
        raise NotACredential("not_a_jwt")
    return payload


def is_open_badges_2(document: Mapping[str, Any]) -> bool:
    """Whether this is an Open Badges 2 assertion, which has no proof of its own."""
    return document.get("@context") == _OPEN_BADGES_2 or "Assertion" in strings(document.get("type"))


def as_list(value: Any) -> list[Any]:
    """The values in a member that may hold none, one or many."""
    return [] if value is None else value if isinstance(value, list) else [value]


def is_record(document: Mapping[str, Any]) -> bool:
    """Whether this is a learner's record, which holds other credentials (CLR 2.0 ClrCredential)."""
    return "ClrCredential" in strings(document.get("type"))


def inner_credentials(record: Mapping[str, Any]) -> list[Any]:
    """What a record holds; credentials, unless somebody wrote something else there."""
    return as_list(one_object(record.get("credentialSubject")).get("verifiableCredential"))


def strings(value: Any) -> list[str]:
    """The texts in a member that may hold one or many."""
    return [text for text in as_list(value) if isinstance(text, str)]


def one_object(value: Any) -> Mapping[str, Any]:
    """The object in a member that may hold an array of one; several are not guessed among."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    return value if isinstance(value, dict) else {}


def _is_credential(document: Mapping[str, Any]) -> bool:
    return (
        is_open_badges_2(document)
        or "VerifiableCredential" in strings(document.get("type"))
        or any(_CREDENTIAL_CONTEXT.fullmatch(url) for url in strings(document.get("@context")))
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Ambiguous("member_repeated")
    return members


def _no_number(_text: str) -> Any:
    raise Ambiguous("number_not_finite")


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Ambiguous("number_not_finite")
    return number


def excess_of(value: Any) -> str | None:
    """One of :data:`EXCESSES` if judging ``value`` would take too long; found in microseconds per value.

    A record may have as much in it as a badge, and as much again in each credential that it holds.
    """
    if not isinstance(value, dict) or not is_record(value):
        return _excess_of_one(value)
    inner = inner_credentials(value)
    if len(inner) > MAXIMUM_CREDENTIALS:
        return "too_many_credentials"
    subject = {**one_object(value.get("credentialSubject")), "verifiableCredential": None}
    parts = [{**value, "credentialSubject": subject} if inner else value, *inner]
    return next((excess for part in parts if (excess := _excess_of_one(part))), None)


def _excess_of_one(value: Any) -> str | None:
    level = [value]
    values = contexts = 0
    for _ in range(MAXIMUM_DEPTH):
        below: list[Any] = []
        for outer in level:
            if isinstance(outer, dict):
                below.extend(outer.values())
                context = outer.get("@context")
                contexts += len(context) if isinstance(context, list) else context is not None
            elif isinstance(outer, list):
                if len(outer) > MAXIMUM_WIDTH:
                    return "too_many_values"
                below.extend(outer)
        if not below:
            return None
        values += len(below)
        if values > MAXIMUM_VALUES:
            return "too_many_values"
        if contexts > MAXIMUM_CONTEXTS:
            return "too_many_contexts"
        level = below
    return "too_deep"
