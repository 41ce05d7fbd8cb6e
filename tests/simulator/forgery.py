"""Every bad id_token of reference LTI.md §1 and §1.2, made from a good one.

Use with a launch: ``person.launch(cmid, tamper=forged(lms, "alg_none"))``; `altered` and `sign_launch` have a
free hand over claims, header and key.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.simulator.claims import L
from tests.simulator.keys import (
    b64url,
    b64url_bytes,
    public_jwk,
    public_pem,
    rsa_key,
    sign_rs256,
    signing_input,
)
from tests.simulator.lms import Lms

Claims = dict[str, Any]
REMOVED = object()
"""As a value among overrides: leave the claim or header member out."""


def read_token(token: str) -> tuple[dict[str, Any], Claims]:
    """Header and claims of a compact JWS, unverified."""
    header, claims = (json.loads(b64url_bytes(part)) for part in token.split(".")[:2])
    return header, claims


def _merged(base: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    merged = {**base, **(overrides or {})}
    return {name: value for name, value in merged.items() if value is not REMOVED}


def sign_launch(
    lms: Lms,
    claims: Mapping[str, Any],
    *,
    claims_overrides: Mapping[str, Any] | None = None,
    header_overrides: Mapping[str, Any] | None = None,
    key: rsa.RSAPrivateKey | None = None,
) -> str:
    """An RS256 id_token with these changes, signed by the platform's key or by `key`."""
    header = _merged({"typ": "JWT", "alg": "RS256", "kid": lms.keys.kid}, header_overrides)
    return sign_rs256(key or lms.keys.current, header, _merged(claims, claims_overrides))


def stranger_key() -> rsa.RSAPrivateKey:
    """A key that no platform publishes."""
    return rsa_key("a stranger")


def _alg_none(lms: Lms, claims: Claims) -> str:
    return signing_input({"typ": "JWT", "alg": "none", "kid": lms.keys.kid}, claims) + "."


def _hs256_with_public_key(lms: Lms, claims: Claims) -> str:
    text = signing_input({"typ": "JWT", "alg": "HS256", "kid": lms.keys.kid}, claims)
    return text + "." + b64url(hmac.new(public_pem(lms.keys.current), text.encode(), hashlib.sha256).digest())


def _es256_with_rsa_kid(lms: Lms, claims: Claims) -> str:
    text = signing_input({"typ": "JWT", "alg": "ES256", "kid": lms.keys.kid}, claims)
    signature = ec.generate_private_key(ec.SECP256R1()).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signature)
    return text + "." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def _rs256_header_says_rs512(lms: Lms, claims: Claims) -> str:
    return sign_launch(lms, claims, header_overrides={"alg": "RS512"})


def _own_key_in_header(lms: Lms, claims: Claims) -> str:
    key = stranger_key()
    return sign_launch(lms, claims, header_overrides={"jwk": public_jwk(key), "kid": "mine"}, key=key)


def _own_key_url_in_header(lms: Lms, claims: Claims) -> str:
    members = {"jku": "https://attacker.example/jwks", "x5u": "https://attacker.example/cert", "kid": "mine"}
    return sign_launch(lms, claims, header_overrides=members, key=stranger_key())


def _flipped_byte(lms: Lms, claims: Claims) -> str:
    head, body, signature = sign_launch(lms, claims).split(".")
    data = bytearray(b64url_bytes(signature))
    data[10] ^= 1
    return f"{head}.{body}.{b64url(bytes(data))}"


def _changed_claim(lms: Lms, claims: Claims) -> str:
    head, _, signature = sign_launch(lms, claims).split(".")
    changed = json.dumps({**claims, "sub": "2"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"


def _rotated_out(lms: Lms, claims: Claims) -> str:
    token = sign_launch(lms, claims)
    lms.keys.rotate()
    return token


def _two_keys_same_kid(lms: Lms, claims: Claims) -> str:
    """The key set then holds a stranger's key under the very kid; the token is the stranger's."""
    lms.keys.published.insert(0, public_jwk(stranger_key(), lms.keys.kid))
    return sign_launch(lms, claims, key=rsa_key("another stranger"))


def _changed(**overrides: Any) -> Callable[[Lms, Claims], str]:
    return lambda lms, claims: sign_launch(lms, claims, claims_overrides=overrides)


def _claim(name: str, value: Any) -> Callable[[Lms, Claims], str]:
    return lambda lms, claims: sign_launch(lms, claims, claims_overrides={name: value})


def _shifted(**seconds: int) -> Callable[[Lms, Claims], str]:
    def make(lms: Lms, claims: Claims) -> str:
        return sign_launch(lms, claims, claims_overrides={k: claims[k] + v for k, v in seconds.items()})

    return make


def _audience(value: Callable[[str], Any], azp: Any = REMOVED) -> Callable[[Lms, Claims], str]:
    def make(lms: Lms, claims: Claims) -> str:
        return sign_launch(lms, claims, claims_overrides={"aud": value(claims["aud"]), "azp": azp})

    return make


def _without_lti_claims(lms: Lms, claims: Claims) -> str:
    return sign_launch(
        lms, {name: value for name, value in claims.items() if not name.startswith("https://purl.")}
    )


def _link_without_id(lms: Lms, claims: Claims) -> str:
    link = {name: value for name, value in claims[L + "resource_link"].items() if name != "id"}
    return sign_launch(lms, claims, claims_overrides={L + "resource_link": link})


# Each must be refused; the number is the row of LTI.md §1.2, or the section of the certification list.
FORGERIES: dict[str, tuple[str, Callable[[Lms, Claims], str]]] = {
    "alg_none": ("§1.2 row 1", _alg_none),
    "hs256_with_public_key": ("§1.2 row 1", _hs256_with_public_key),
    "es256_with_rsa_kid": ("§1.2 row 1", _es256_with_rsa_kid),
    "header_says_rs512": ("§1.2 row 1", _rs256_header_says_rs512),
    "no_kid": ("§1.2 row 2", lambda lms, c: sign_launch(lms, c, header_overrides={"kid": REMOVED})),
    "unknown_kid": ("§1.2 row 2", lambda lms, c: sign_launch(lms, c, header_overrides={"kid": "unknown"})),
    "rotated_out": ("§1.2 row 2", _rotated_out),
    "two_keys_same_kid": ("§1.2 row 2", _two_keys_same_kid),
    "own_key_in_header": ("§1.2 row 2", _own_key_in_header),
    "own_key_url_in_header": ("§1.2 row 2", _own_key_url_in_header),
    "flipped_byte": ("§1.2 row 3", _flipped_byte),
    "changed_claim": ("§1.2 row 3", _changed_claim),
    "signed_by_a_stranger": ("§1.2 row 3", lambda lms, c: sign_launch(lms, c, key=stranger_key())),
    "other_issuer": ("§1.2 row 4", _changed(iss="https://other.example")),
    "issuer_with_slash": ("§1.2 row 4", lambda lms, c: _changed(iss=c["iss"] + "/")(lms, c)),
    "no_issuer": ("§1.2 row 4", _changed(iss=REMOVED)),
    "wrong_audience": ("§1.2 row 5", _audience(lambda ours: "somebody-else")),
    "audience_list_without_ours": ("§1.2 row 5", _audience(lambda ours: ["a", "b"], "a")),
    "audience_with_a_stranger": (
        "§1.2 row 5",
        lambda lms, c: _audience(lambda o: [o, "x"], c["aud"])(lms, c),
    ),
    "no_audience": ("§1.2 row 5", _changed(aud=REMOVED)),
    "wrong_azp": ("§1.2 row 6", _audience(lambda ours: ours, "somebody-else")),
    "two_audiences_without_azp": ("§1.2 row 6", _audience(lambda ours: [ours, "x"])),
    "expired": ("§1.2 row 7", _shifted(iat=-7200, exp=-7200)),
    "future_iat": ("§1.2 row 7", _shifted(iat=7200, exp=7200)),
    "no_exp": ("§1.2 row 7", _changed(exp=REMOVED)),
    "no_iat": ("§1.2 row 7", _changed(iat=REMOVED)),
    "exp_is_text": ("§1.2 row 7", _changed(exp="tomorrow")),
    "other_nonce": ("§1.2 row 8", _changed(nonce="some-other-nonce")),
    "no_nonce": ("§1.2 row 8", _changed(nonce=REMOVED)),
    "version_1_3": ("§1.2 row 10", _claim(L + "version", "1.3")),
    "version_2": ("§1.2 row 10", _claim(L + "version", "2.0.0")),
    "no_version": ("§1.2 row 10", _claim(L + "version", REMOVED)),
    "no_message_type": ("§1 6.1.1", _claim(L + "message_type", REMOVED)),
    "unknown_message_type": ("§1.2 row 10", _claim(L + "message_type", "LtiNoSuchRequest")),
    "unknown_deployment": ("§1.2 row 11", _claim(L + "deployment_id", "4711")),
    "no_deployment": ("§1 6.1.1", _claim(L + "deployment_id", REMOVED)),
    "foreign_target": ("§1.2 row 12", _claim(L + "target_link_uri", "https://attacker.example/launch")),
    "no_target": ("§1.2 row 12", _claim(L + "target_link_uri", REMOVED)),
    "no_resource_link": ("§1.2 row 13", _claim(L + "resource_link", REMOVED)),
    "resource_link_without_id": ("§1 6.1.1", _link_without_id),
    "empty_resource_link_id": ("§1.2 row 13", _claim(L + "resource_link", {"id": ""})),
    "no_sub": ("§1.2 row 14", _changed(sub=REMOVED)),
    "empty_sub": ("§1.2 row 14", _changed(sub="")),
    "over_long_sub": ("§1.2 row 14", _changed(sub="x" * 256)),
    "over_long_deployment": ("§1.2 row 15", _claim(L + "deployment_id", "d" * 256)),
    "no_roles": ("§1 6.1.1", _claim(L + "roles", REMOVED)),
    "no_lti_claims": ("§1 6.1.1", _without_lti_claims),
    "not_a_jwt": ("§1 6.1.1", lambda lms, c: "this is no JWT"),
    "empty_token": ("§1 6.1.1", lambda lms, c: ""),
    "claims_are_a_list": ("§1 6.1.1", lambda lms, c: _list_token(lms)),
}


def _list_token(lms: Lms) -> str:
    listed: Any = ["not", "claims"]
    return sign_rs256(lms.keys.current, {"typ": "JWT", "alg": "RS256", "kid": lms.keys.kid}, listed)


def forged(lms: Lms, name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """A `tamper` for `Person.launch` that swaps the id_token for the named forgery."""
    make = FORGERIES[name][1]

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        claims = read_token(fields["id_token"])[1]
        return {**fields, "id_token": make(lms, claims)}

    return tamper


def altered(
    lms: Lms, claims_overrides: Mapping[str, Any], *, header_overrides: Mapping[str, Any] | None = None
) -> Callable[[dict[str, str]], dict[str, str]]:
    """A `tamper` that signs the launch again, properly, with some claims changed (short roles, no context
    ...).
    """

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        claims = read_token(fields["id_token"])[1]
        token = sign_launch(lms, claims, claims_overrides=claims_overrides, header_overrides=header_overrides)
        return {**fields, "id_token": token}

    return tamper
