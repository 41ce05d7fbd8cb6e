"""Checking a proof: whose key, and does it fit.

The key is always read from the issuer's controller document, found by the issuer's identifier; never from the
fragment of ``verificationMethod``, the JWT header or anything else that whoever wrote the credential chose.
(A verifier that takes the key from the fragment accepts anybody's forgery in anybody's name.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lti_tool.credentials.did import did_web_url, resolve_did_key
from lti_tool.credentials.errors import CredentialInvalid, FetchFailed, TooComplex
from lti_tool.credentials.linting import parse_date
from lti_tool.credentials.multikey import decode_ed25519, decode_multibase
from lti_tool.credentials.reading import as_list, decode_segment

_MAXIMUM_CONTROLLER_BYTES: Final = 256 * 1024
_ED25519_SUITES: Final = frozenset({"eddsa-rdfc-2022", "eddsa-jcs-2022"})
_LEGACY_SUITE: Final = "Ed25519Signature2020"
_LEGACY_CONTEXT: Final = "https://w3id.org/security/suites/ed25519-2020/v1"
_ACCEPT_CONTROLLER: Final = "application/did+json, application/did+ld+json, application/json;q=0.9"

Canonicalise = Callable[[list[Mapping[str, Any]]], list[str]]


class Fetcher(Protocol):
    """How documents are had during a verification; the outgoing HTTP policy behind it is the caller's."""

    def fetch(self, url: str, accept: str) -> bytes:
        """The body at ``url``.

        :raises FetchFailed: whatever the reason.
        """


class Unchecked(Exception):
    """A check that could not be made; ``reason`` is a stable word for the report."""

    def __init__(self, reason: str, **params: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


class Refuted(Unchecked):
    """A check that was made and failed."""


@dataclass(frozen=True)
class ProofContext:
    """What checking a proof needs besides the document."""

    fetch: Fetcher
    canonicalise: Canonicalise
    now: datetime


def issuer_id(document: Mapping[str, Any]) -> str | None:
    """The identifier of the issuer, whether written alone or as a Profile."""
    issuer = document.get("issuer")
    identifier = issuer.get("id") if isinstance(issuer, dict) else issuer
    return identifier if isinstance(identifier, str) and identifier else None


def check_proofs(document: Mapping[str, Any], context: ProofContext) -> tuple[str, str]:
    """Check every proof of ``document``; ``(cryptosuite, verification method)`` of one that holds.

    Proofs of unknown kinds are passed over as long as another one holds; a known one that is wrong is never.

    :raises Refuted: if there is no proof, or one is wrong.
    :raises Unchecked: if no proof is of a kind known here, or a key could not be had.
    """
    proofs = document.get("proof")
    proofs = proofs if isinstance(proofs, list) else [proofs]
    proofs = [proof for proof in proofs if proof is not None]
    if not proofs:
        raise Refuted("proof_missing")
    if len(proofs) > 5:
        raise Unchecked("too_many_proofs")
    held: tuple[str, str] | None = None
    trouble: Unchecked | None = None
    for proof in proofs:
        try:
            held = _check_proof(document, proof, context)
        except Refuted:
            raise
        except Unchecked as unchecked:
            trouble = trouble if trouble and trouble.reason != "suite_unsupported" else unchecked
    if held is None:
        assert trouble is not None
        raise trouble
    return held


def _check_proof(document: Mapping[str, Any], proof: Any, context: ProofContext) -> tuple[str, str]:
    if not isinstance(proof, dict):
        raise Refuted("proof_malformed")
    kind = proof.get("type")
    suite = proof.get("cryptosuite") if kind == "DataIntegrityProof" else kind
    if not isinstance(suite, str) or (suite not in _ED25519_SUITES and suite != _LEGACY_SUITE):
        raise Unchecked("suite_unsupported", suite=str(suite)[:100])
    if "previousProof" in proof:
        raise Unchecked("proof_chain_unsupported")
    method, value = proof.get("verificationMethod"), proof.get("proofValue")
    if not isinstance(method, str) or not isinstance(value, str):
        raise Refuted("proof_malformed")
    if proof.get("proofPurpose") != "assertionMethod":
        raise Refuted("proof_purpose_wrong")
    created = _proof_times(proof, context.now)
    try:
        signature = decode_multibase(value)
    except ValueError:
        raise Refuted("signature_malformed") from None
    if len(signature) != 64:
        raise Refuted("signature_malformed")
    public_key = find_key(method, issuer_id(document), created, context)
    options = {key: member for key, member in proof.items() if key != "proofValue"}
    unsecured = {key: member for key, member in document.items() if key != "proof"}
    digest = _digest(suite, unsecured, options, context)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, digest)
    except InvalidSignature:
        raise Refuted("signature_wrong") from None
    return str(suite), method


def _proof_times(proof: Mapping[str, Any], now: datetime) -> datetime | None:
    times: dict[str, datetime] = {}
    for member in ("created", "expires"):
        if member in proof:
            try:
                times[member] = parse_date(proof[member])
            except ValueError:
                raise Refuted("proof_date_malformed") from None
    if "expires" in times and times["expires"] <= now:
        raise Refuted("proof_expired")
    return times.get("created")


def _digest(
    suite: str, unsecured: Mapping[str, Any], options: dict[str, Any], context: ProofContext
) -> bytes:
    """What is signed: hash of the proof options, then hash of the document (Data Integrity EdDSA §3.2.4,
    §3.3.4).
    """
    own = options.pop("@context", None)
    contexts = unsecured.get("@context")
    if suite == "eddsa-jcs-2022":
        if own is not None:
            options["@context"] = own
            if as_list(contexts)[: len(as_list(own))] != as_list(own):
                raise Refuted("proof_context_differs")
        parts = [_jcs(options), _jcs(unsecured)]
    else:
        if own is not None and own != contexts:
            raise Refuted("proof_context_differs")
        if suite == _LEGACY_SUITE and _LEGACY_CONTEXT not in as_list(contexts):
            raise Refuted("suite_context_missing")
        try:
            parts = [
                text.encode() for text in context.canonicalise([{"@context": contexts, **options}, unsecured])
            ]
        except TooComplex as error:
            raise Unchecked(error.reason) from None
        except CredentialInvalid as error:
            raise Refuted("proof_malformed", pointer=str(error.params.get("pointer", ""))) from None
    return sha256(parts[0]).digest() + sha256(parts[1]).digest()


def _jcs(value: Any) -> bytes:
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise Refuted("not_canonical_json") from None


def find_key(method: str, issuer: str | None, created: datetime | None, context: ProofContext) -> bytes:
    """The raw Ed25519 key of ``method``, if ``issuer``'s controller document lists it for assertions.

    :raises Refuted: if it does not, or the method is another's.
    :raises Unchecked: if the document could not be had or read.
    """
    entry = find_method(method, issuer, created, context)
    key = entry.get("publicKeyMultibase")
    try:
        if isinstance(key, str):
            return decode_ed25519(key)
        jwk = entry.get("publicKeyJwk")
        if isinstance(jwk, dict) and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            raw = decode_segment(str(jwk.get("x")))
            if len(raw) == 32:
                return raw
    except (ValueError, CredentialInvalid):
        pass
    raise Refuted("key_of_another_kind")


def find_method(
    method: str, issuer: str | None, created: datetime | None, context: ProofContext
) -> Mapping[str, Any]:
    """The verification method entry named ``method`` in the issuer's controller document.

    :raises Refuted: if it is not listed under ``assertionMethod``, or is another's, or was revoked.
    :raises Unchecked: if the document could not be had or read.
    """
    if issuer is None:
        raise Refuted("issuer_missing")
    controller, separator, fragment = method.partition("#")
    if not separator or not fragment:
        raise Refuted("key_not_named")
    if controller != issuer:
        raise Refuted("issuer_differs", controller=controller[:200], issuer=issuer[:200])
    document = controller_document(issuer, context.fetch)
    if document.get("id") != issuer:
        raise Refuted("controller_differs")
    names = (method, f"#{fragment}")  # no set: a stranger's ``id`` may be a list
    methods = _entries(document.get("verificationMethod"))
    assertions = as_list(document.get("assertionMethod"))
    embedded = [entry for entry in _entries(assertions) if entry.get("id") in names]
    listed = any(isinstance(entry, str) and entry in names for entry in assertions)
    found = embedded or [entry for entry in methods if listed and entry.get("id") in names]
    if len(found) != 1:
        raise Refuted("key_not_listed", method=method[:300])
    entry = found[0]
    if entry.get("controller") != issuer:
        raise Refuted("controller_differs")
    for member, limit in (("revoked", context.now), ("expires", created or context.now)):
        if member in entry:
            try:
                ended = parse_date(entry[member])
            except ValueError:
                raise Refuted("key_date_malformed") from None
            if ended <= limit:
                raise Refuted("key_revoked" if member == "revoked" else "key_expired")
    return entry


def controller_document(identifier: str, fetch: Fetcher) -> dict[str, Any]:
    """The controller document of a did:web, did:key or https identifier.

    :raises Refuted: for a malformed identifier.
    :raises Unchecked: for another DID method, or when the document could not be had or read.
    """
    if identifier.startswith("did:key:"):
        try:
            return resolve_did_key(identifier)
        except ValueError:
            raise Unchecked("did_method_unsupported") from None
    if identifier.startswith("did:web:"):
        try:
            url = did_web_url(identifier)
        except ValueError:
            raise Refuted("did_malformed") from None
    elif identifier.startswith("https://"):
        url = identifier
    elif identifier.startswith("did:"):
        raise Unchecked("did_method_unsupported", did=identifier[:100])
    else:
        raise Refuted("issuer_not_resolvable")
    return fetch_json(url, _ACCEPT_CONTROLLER, fetch, "key", _MAXIMUM_CONTROLLER_BYTES)


def fetch_json(url: str, accept: str, fetch: Fetcher, what: str, limit: int) -> dict[str, Any]:
    """The JSON object at ``url``.

    :raises Unchecked: ``<what>_<reason>`` if it cannot be had or is none.
    """
    try:
        body = fetch.fetch(url, accept)
    except FetchFailed as error:
        raise Unchecked(f"{what}_{error.reason}", url=url[:300]) from None
    try:
        document = json.loads(body) if len(body) <= limit else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unchecked(f"{what}_malformed", url=url[:300])
    return document


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in as_list(value) if isinstance(entry, dict)]
