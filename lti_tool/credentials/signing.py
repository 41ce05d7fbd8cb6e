"""Data Integrity proofs with ``eddsa-rdfc-2022`` (W3C Data Integrity EdDSA Cryptosuites v1.0 §3.2).

``hashData = SHA-256(canonical proof options) || SHA-256(canonical document)``, proof first. The proof is
written as an array of one, which both schema families of OB 3.0 and the verifiers of npm and PyPI take.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, Final, Protocol

from lti_tool.credentials.documents import format_time
from lti_tool.credentials.errors import text_invalid
from lti_tool.credentials.jsonld import canonicalise
from lti_tool.credentials.linting import lint_credential, lint_order
from lti_tool.credentials.multikey import encode_base58
from lti_tool.credentials.shapes import Filled, ShapeCache

CRYPTOSUITE: Final = "eddsa-rdfc-2022"
SELF_CHECK_EVERY: Final = 2000
"""One in so many documents of the fast route also takes the full one, and so does the first of each shape."""

_log = logging.getLogger(__name__)
_shapes = ShapeCache()
_counter = itertools.count(1)


class Signer(Protocol):
    """An Ed25519 key of an issuer."""

    @property
    def verification_method(self) -> str:
        """The DID URL of the public key, with its fragment."""

    def sign(self, data: bytes) -> bytes:
        """The 64 byte Ed25519 signature of ``data``."""


@dataclass(frozen=True)
class SignedCredential:
    """A credential with its proof; ``text`` is what is stored and served, byte for byte."""

    text: str

    @property
    def document(self) -> dict[str, Any]:
        """``text`` as JSON."""
        document: dict[str, Any] = json.loads(self.text)
        return document


def sign_credential(document: Mapping[str, Any], signer: Signer, created: datetime) -> SignedCredential:
    """Lint ``document`` and put a proof on it.

    Documents of a shape seen before take the fast route (:mod:`shapes`), all others the full one; the bytes
    are the same.

    :param created: the time in the proof, aware.
    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: if the document has a proof already, or must not be signed (:mod:`linting`).
    """
    if "proof" in document:
        raise text_invalid("/proof", "signed_already")
    filled = _fill(document)
    moment = format_time(created, "/proof/created")
    hashed, written = _proof(signer.verification_method, tuple(document["@context"]), moment)
    signature = signer.sign(hashed + filled.digest)
    return SignedCredential(f'{filled.text[:-1]}{written}"z{encode_base58(signature)}"}}]}}')


def _fill(document: Mapping[str, Any]) -> Filled:
    # No two records are of one shape: keeping theirs would push out those of badges.
    found = None if "ClrCredential" in document.get("type", ()) else _shapes.find(document)
    if found is None:
        return _fill_in_full(document)
    _, filled, is_new = found
    is_checked = is_new or next(_counter) % SELF_CHECK_EVERY == 0
    if is_checked and canonicalise(document) != filled.canonical:
        _shapes.forget(document)
        _log.error("signing_shape_differs", extra={"credential_id": document.get("id")})
        return _fill_in_full(document)
    return filled


def _fill_in_full(document: Mapping[str, Any]) -> Filled:
    lint_credential(document)
    canonical = canonicalise(document)
    lint_order(canonical)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Filled(text, sha256(canonical.encode()).digest(), [canonical])


@lru_cache(maxsize=64)
def _proof(verification_method: str, contexts: tuple[str, ...], moment: str) -> tuple[bytes, str]:
    """The hash of the canonical proof options, and the proof as JSON up to its value."""
    before, after = _proof_pattern(verification_method, contexts)
    return sha256(f"{before}{moment}{after}".encode()).digest(), (
        f',"proof":[{{"type":"DataIntegrityProof","cryptosuite":"{CRYPTOSUITE}",'
        f'"created":"{moment}","verificationMethod":{encode_basestring(verification_method)},'
        f'"proofPurpose":"assertionMethod","proofValue":'
    )


@lru_cache(maxsize=64)
def _proof_pattern(verification_method: str, contexts: tuple[str, ...]) -> tuple[str, str]:
    """The canonical proof options around the value of ``created``; its line sorts by its predicate alone."""
    mark = "0000-created"
    options = proof_options(verification_method, mark)
    before, found, after = canonicalise({"@context": list(contexts), **options}).partition(mark)
    if not found or mark in after:
        raise text_invalid("/proof/verificationMethod", "iri_invalid")
    return before, after


def proof_options(verification_method: str, created: str) -> dict[str, str]:
    """The members of the proof that are signed along."""
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
    }
