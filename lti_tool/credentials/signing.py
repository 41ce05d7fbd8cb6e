"""Data Integrity proofs with ``eddsa-rdfc-2022`` (W3C Data Integrity EdDSA Cryptosuites v1.0 §3.2).

``hashData = SHA-256(canonical proof options) || SHA-256(canonical document)``, proof first. The proof is
written as an array of one, which both schema families of OB 3.0 and the verifiers of npm and PyPI take.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol

from lti_tool.credentials.documents import format_time
from lti_tool.credentials.jsonld import canonicalise
from lti_tool.credentials.linting import lint_credential
from lti_tool.credentials.multikey import encode_base58

__all__ = ["SignedCredential", "Signer", "canonicalise", "sign_credential"]

CRYPTOSUITE: Final = "eddsa-rdfc-2022"


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

    :param created: the time in the proof, aware.
    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: if the document has a proof already, or must not be signed (:mod:`linting`).
    """
    lint_credential(document)
    options = proof_options(signer.verification_method, format_time(created, "/proof/created"))
    hashes = proof_hash(options, document["@context"]) + sha256(canonicalise(document).encode()).digest()
    signed = {**document, "proof": [{**options, "proofValue": "z" + encode_base58(signer.sign(hashes))}]}
    return SignedCredential(json.dumps(signed, ensure_ascii=False, separators=(",", ":")))


def proof_options(verification_method: str, created: str) -> dict[str, str]:
    """The members of the proof that are signed along."""
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
    }


def proof_hash(options: Mapping[str, Any], context: Any) -> bytes:
    """SHA-256 of the canonical proof options, read with the document's contexts."""
    return sha256(canonicalise({"@context": context, **options}).encode()).digest()
