"""What a tool signs, read by the platform: deep linking responses and client assertions."""

import base64
import binascii
import json
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.simulator.lms import JsonObject, Lms, ToolType


class InvalidJwtError(Exception):
    """A JWT of the tool does not hold; the message is the one Moodle's JWT library gives."""


def _decode_part(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None


def decode_claims(token: str) -> JsonObject:
    """The claims of a compact JWS as they stand, unverified; empty when there are none."""
    parts = token.split(".")
    claims = _decode_part(parts[1]) if len(parts) == 3 else None
    return claims if isinstance(claims, dict) else {}


def _keys(lms: Lms, tool: ToolType, *, fresh: bool) -> list[tuple[str | None, RSAKey]]:
    if tool.public_key:
        return [(None, RSAKey.import_key(tool.public_key))]
    keys: list[tuple[str | None, RSAKey]] = []
    for jwk in lms.tool_jwks(tool, fresh=fresh).get("keys", []):
        if jwk.get("kty") == "RSA":
            keys.append((jwk.get("kid"), RSAKey.import_key(jwk)))
    return keys


def _verify_with(keys: list[tuple[str | None, RSAKey]], token: str, header: JsonObject) -> None:
    kid = header.get("kid")
    if keys and keys[0][0] is None:
        matching = [key for _, key in keys]
    elif not kid:
        raise InvalidJwtError('"kid" empty, unable to lookup correct key')
    else:
        matching = [key for name, key in keys if name == kid]
        if not matching:
            raise InvalidJwtError('"kid" invalid, unable to lookup correct key')
    try:
        jws.deserialize_compact(token, matching[0], algorithms=["RS256"])
    except (JoseError, ValueError) as error:
        raise InvalidJwtError("Signature verification failed") from error


def verify_tool_jwt(lms: Lms, tool: ToolType, token: str) -> JsonObject:
    """The claims of a JWT signed by the tool. The key set is cached and downloaded again when verification
    fails.

    Moodle checks the signature, ``exp`` and ``iat`` where present, and nothing else. Raises
    `InvalidJwtError`.
    """
    parts = token.split(".")
    header, claims = (_decode_part(part) for part in [*parts, "", ""][:2])
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidJwtError("Wrong number of segments")
    if header.get("alg") != "RS256":
        raise InvalidJwtError("Algorithm not supported")
    try:
        try:
            _verify_with(_keys(lms, tool, fresh=False), token, header)
        except InvalidJwtError:
            if tool.public_key:
                raise
            _verify_with(_keys(lms, tool, fresh=True), token, header)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidJwtError("Unable to fetch the tool's key set") from error
    now = lms.clock().timestamp()
    if isinstance(claims.get("iat"), int | float) and claims["iat"] > now + 1:
        raise InvalidJwtError("Cannot handle token with iat prior to its time")
    if "exp" in claims and now >= float(claims["exp"]):
        raise InvalidJwtError("Expired token")
    return claims
