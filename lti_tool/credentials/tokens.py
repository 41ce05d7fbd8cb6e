"""VC-JWT: credentials as signed tokens (OB 3.0 "JSON Web Token Proof Format")."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from lti_tool.credentials.errors import CredentialInvalid, text_invalid
from lti_tool.credentials.linting import lint_credential, parse_date
from lti_tool.credentials.proofs import (
    ProofContext,
    Refuted,
    Unchecked,
    controller_document,
    fetch_json,
    find_method,
    issuer_id,
)
from lti_tool.credentials.reading import as_list, decode_segment, one_object, parse_json

_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
"""What 1EdTech's validator takes; it refuses EdDSA here."""
_MINIMUM_RSA_BITS: Final = 2048
_MAXIMUM_RSA_BITS: Final = 8192


class TokenSigner(Protocol):
    """A key that an issuer signs tokens with."""

    @property
    def algorithm(self) -> str:
        """``RS256`` or ``ES256``."""

    @property
    def verification_method(self) -> str:
        """The DID URL of the public key, with its fragment: the token's ``kid``."""

    def sign(self, data: bytes) -> bytes:
        """The signature as a JWS holds it (RFC 7518 §3)."""


def pseudonym(id_: str) -> str:
    """A subject's id that says nothing about anybody: another one for each credential.

    A VC-JWT must name its subject by an id (``sub``); a learner who gave none has none, and an e-mail address
    in clear would be readable by whoever gets the file.
    """
    return uuid.uuid5(uuid.NAMESPACE_URL, id_).urn


def as_token(document: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """What a token says instead of a credential with a proof inside: the same, under another id.

    Two credentials with one id are versions of each other (OB 3.0 "Credential equality"), and of these
    neither replaces the other.

    :param document: the credential, with its proof or without.
    :param id_: where the token is served.
    """
    subject = document["credentialSubject"]
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    unsecured |= {"id": id_, "credentialSubject": {"id": pseudonym(id_), **subject}}
    if "refreshService" in document:
        unsecured["refreshService"] = {**document["refreshService"], "id": id_}
    return unsecured


def issue_token(document: Mapping[str, Any], signer: TokenSigner) -> str:
    """A credential as a compact JWS: its members are the claims, beside ``iss``, ``jti``, ``nbf``, ``sub``
    and ``exp`` (OB 3.0 "JSON Web Token Proof Format").

    :param document: the credential without a proof; its subject has an id.
    :raises CredentialInvalid: if it has a proof, or a subject without an id, or must not be signed
        (:mod:`linting`).
    """
    if "proof" in document:
        raise text_invalid("/proof", "signed_already")
    subject_id = one_object(document.get("credentialSubject")).get("id")
    if not isinstance(subject_id, str):
        raise text_invalid("/credentialSubject/id", "missing")
    lint_credential(document)
    claims: dict[str, Any] = {
        "iss": issuer_id(document),
        "jti": document["id"],
        "sub": subject_id,
        "nbf": int(parse_date(document["validFrom"]).timestamp()),
    }
    if "validUntil" in document:
        claims["exp"] = int(parse_date(document["validUntil"]).timestamp())
    header = {"alg": signer.algorithm, "kid": signer.verification_method, "typ": "JWT"}
    signed = f"{_segment(header)}.{_segment({**claims, **document})}"
    return f"{signed}.{_base64url(signer.sign(signed.encode('ascii')))}"


def _segment(members: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def check_token(token: str, document: Mapping[str, Any], context: ProofContext) -> None:
    """Check the signature of a compact JWT and that its claims say what the credential in it says.

    The ``jwk`` that a header may carry is never believed: anybody can put theirs there.

    :raises Refuted: if a claim or the signature is wrong.
    :raises Unchecked: for another algorithm, or where the issuer's key could not be had.
    """
    signed, _, encoded_signature = token.rpartition(".")
    encoded_header, _, encoded_payload = signed.partition(".")
    try:
        header = parse_json(decode_segment(encoded_header).decode())
        payload = parse_json(decode_segment(encoded_payload).decode())
        signature = decode_segment(encoded_signature)
    except (CredentialInvalid, ValueError):
        raise Refuted("token_malformed") from None
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise Refuted("token_malformed")
    algorithm = header.get("alg")
    if algorithm in (None, "none") or header.get("crit"):
        raise Refuted("token_algorithm_refused")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise Unchecked("token_algorithm_unsupported", algorithm=str(algorithm)[:40])
    _check_claims(payload, document)
    jwk = _issuer_jwk(header, issuer_id(document), context)
    if not _fits(algorithm, jwk, signature, signed.encode()):
        raise Refuted("signature_wrong")


def _check_claims(payload: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    subject_id = one_object(document.get("credentialSubject")).get("id")
    expected = {"iss": issuer_id(document), "jti": document.get("id"), "sub": subject_id}
    for claim, value in expected.items():
        if claim in payload and payload[claim] != value:
            raise Refuted("token_claim_differs", claim=claim)
    if "iss" not in payload:
        raise Refuted("token_claim_missing", claim="iss")
    for claim, names in (("nbf", ("validFrom", "issuanceDate")), ("exp", ("validUntil", "expirationDate"))):
        written = next((document[name] for name in names if name in document), None)
        if claim in payload:
            if not _same_time(payload[claim], written):
                raise Refuted("token_claim_differs", claim=claim)
        elif claim == "exp" and written is not None:
            raise Refuted("token_claim_missing", claim=claim)


def _same_time(claim: Any, written: Any) -> bool:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return False
    try:
        moment: datetime = parse_date(written)
    except ValueError:
        return False
    return int(moment.timestamp()) == int(claim)


def _issuer_jwk(header: Mapping[str, Any], issuer: str | None, context: ProofContext) -> Mapping[str, Any]:
    """The public JWK that the issuer publishes under ``kid``."""
    kid = header.get("kid")
    if not isinstance(kid, str) or not issuer:
        # the samples of 1EdTech's validator carry only a jwk; nothing binds it to the issuer
        raise Unchecked("token_key_not_bound")
    if kid.startswith("did:") or "#" in kid:
        entry = find_method(kid, issuer, None, context)
        jwk = entry.get("publicKeyJwk")
        if not isinstance(jwk, dict):
            raise Refuted("key_of_another_kind")
        return jwk
    if not kid.startswith("https://"):
        raise Unchecked("token_key_not_bound")
    is_beside_issuer = (
        issuer.startswith("https://") and _host(kid) is not None and _host(kid) == _host(issuer)
    )
    if not is_beside_issuer and not issuer.startswith("did:web:"):
        raise Unchecked("token_key_not_bound")
    jwk = fetch_json(kid, "application/json", context.fetch, "key", 64 * 1024)
    if not is_beside_issuer and not _is_listed(jwk, issuer, context):
        raise Unchecked("token_key_not_bound")
    return jwk


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:  # "https://["
        return None


def _is_listed(jwk: Mapping[str, Any], issuer: str, context: ProofContext) -> bool:
    """Whether an issuer's DID document has the same key for assertions: whose address it is served from says
    nothing about whose key it is."""
    wanted = {name: jwk.get(name) for name in ("kty", "crv", "n", "e", "x", "y")}
    document = controller_document(issuer, context.fetch)
    for entry in as_list(document.get("verificationMethod")):
        listed = entry.get("publicKeyJwk") if isinstance(entry, dict) else None
        if isinstance(listed, dict) and all(listed.get(name) == value for name, value in wanted.items()):
            # Its own rules (assertionMethod, controller, revoked, expires) are those of every method.
            method = str(entry.get("id"))
            find_method(f"{issuer}{method}" if method.startswith("#") else method, issuer, None, context)
            return True
    return False


def _fits(algorithm: str, jwk: Mapping[str, Any], signature: bytes, signed: bytes) -> bool:
    try:
        if algorithm == "RS256" and jwk.get("kty") == "RSA":
            modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
            if not _MINIMUM_RSA_BITS <= modulus.bit_length() <= _MAXIMUM_RSA_BITS:
                raise Refuted("key_too_weak")
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            return True
        if (
            algorithm == "ES256"
            and jwk.get("kty") == "EC"
            and jwk.get("crv") == "P-256"
            and len(signature) == 64
        ):
            point = ec.EllipticCurvePublicNumbers(
                _number(jwk.get("x")), _number(jwk.get("y")), ec.SECP256R1()
            )
            pair = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            point.public_key().verify(encode_dss_signature(*pair), signed, ec.ECDSA(SHA256()))
            return True
    except (InvalidSignature, ValueError, CredentialInvalid):
        return False
    raise Refuted("key_of_another_kind")


def _number(encoded: Any) -> int:
    return int.from_bytes(decode_segment(str(encoded)), "big")
