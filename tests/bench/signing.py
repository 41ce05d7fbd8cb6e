"""Signing alone: from plain facts to a badge's text, beside PyLD, npm and a raw signature."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyld.jsonld
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_keypair

from lti_tool.credentials import signing
from lti_tool.credentials.contexts import document_loader, load_context
from lti_tool.credentials.documents import Evidence
from lti_tool.credentials.multikey import encode_base58
from tests.bench.measuring import Figure, Target, at_least, figure, interleave
from tests.bench.schools import Grounds
from tests.factories import NOW
from tests.unit.credentials import badges

ROUNDS = 5
SIGNED, BY_OTHERS, RAW = 2000, 12, 5000
NODE = Path(__file__).parent / "node" / "sign.mjs"
PACKAGES = Path(__file__).parents[1] / "conformance" / "node"
INSTALLED = Path("build/node-signers")

Badge = Callable[[int], dict[str, Any]]


def bench(_grounds: Grounds) -> Iterator[Figure]:
    """``sign_credential_…`` of an everyday badge, ``sign_full_…`` of one that says all there is to say."""
    yield from _signing("sign_credential", badges.badge)
    yield from _signing("sign_full", _full())


def _full() -> Badge:
    """Badges with every member; what they share is made once, as the tool makes it once for many."""
    said = badges.full_badge()
    issuer = replace(badges.ISSUER, description="Teaches.", endorsements=tuple(said["issuer"]["endorsement"]))
    endorsed = tuple(said["credentialSubject"]["achievement"]["endorsement"])
    achievement = replace(badges.ACHIEVEMENT, criteria_url=badges.ACHIEVEMENT.id, endorsements=endorsed)
    made = partial(
        badges.badge,
        issuer=issuer,
        achievement=achievement,
        valid_until=NOW.replace(year=2040),
        narrative="In good time",
        terms_url="https://badges.example.edu/terms",
        names_schema=True,
    )

    def full(number: int) -> dict[str, Any]:
        evidence = [
            Evidence(name="Quiz 1", narrative="Passed on the first try"),
            Evidence(id=f"https://portfolio.example/{number}", name="Essay", genre="Essay"),
        ]
        refresh = f"https://badges.example.edu/credentials/{number}.json"
        return made(number, evidence=evidence, refresh_url=refresh)

    assert set(full(5)) == set(said), "a member is missing"
    return full


def _signing(name: str, badge: Badge) -> Iterator[Figure]:
    signer = badges.Key()
    key = Ed25519PrivateKey.generate()
    some = [badge(number) for number in range(BY_OTHERS)]

    def ours() -> None:
        for number in range(SIGNED):
            signing.sign_credential(badge(number), signer, NOW)

    def pyld_in_full() -> None:
        for document in some:
            pyld_digest(document)
            json.dumps({**document, "proof": encode_base58(key.sign(bytes(64)))})

    sign_only = raw_ed25519()

    def raw() -> None:
        for _ in range(RAW):
            sign_only(bytes(64))

    def raw_by_openssl() -> None:
        for _ in range(RAW):
            key.sign(bytes(64))

    ours()
    npm = [seconds for _ in range(ROUNDS) if (seconds := _by_npm(some)) is not None]
    taken = interleave({"ours": ours, "pyld": pyld_in_full, "raw": raw, "openssl": raw_by_openssl}, ROUNDS)
    rate = SIGNED / taken["ours"]
    yield figure(
        f"{name}_vs_pyld", rate, "credentials/CPU s", "PyLD, the full algorithm each time",
        BY_OTHERS / taken["pyld"], at_least(100),
    )  # fmt: skip
    if npm:
        yield figure(
            f"{name}_vs_npm", rate, "credentials/CPU s", "npm @digitalbazaar/vc issue",
            BY_OTHERS / statistics.median(npm), at_least(100),
        )  # fmt: skip
    yield figure(
        f"{name}_vs_raw", rate, "credentials/CPU s", "raw Ed25519 of 64 bytes by libsodium, as ours",
        RAW / taken["raw"], at_least(0.2),
    )  # fmt: skip
    yield figure(
        f"{name}_vs_raw_openssl", rate, "credentials/CPU s", "raw Ed25519 of 64 bytes by OpenSSL",
        RAW / taken["openssl"], at_least(0.2),
    )  # fmt: skip
    yield figure(
        f"{name}_rate", rate, "credentials/CPU s", "ten thousand, on a machine that does nothing else",
        10_000, Target(10_000, of_value=True),
    )  # fmt: skip


def raw_ed25519() -> Callable[[bytes], bytes]:
    """Signing and nothing else, by the library that the tool signs with."""
    public, secret = crypto_sign_keypair()
    assert secret[32:] == public
    return lambda message: crypto_sign(message, secret)[:crypto_sign_BYTES]


def pyld_digest(document: Mapping[str, Any]) -> bytes:
    """Both canonical forms by PyLD, hashed; contexts come from memory."""
    options = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": document_loader}
    proof = signing.proof_options(badges.Key().verification_method, "2026-03-01T12:00:00Z")
    return b"".join(
        sha256(pyld.jsonld.normalize(each, options).encode()).digest()
        for each in ({"@context": document["@context"], **proof}, document)
    )


def _by_npm(documents: list[dict[str, Any]]) -> float | None:
    """The CPU seconds of a Node process that signs these; ``None`` where there is no Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    files = [PACKAGES / "package.json", PACKAGES / "package-lock.json", PACKAGES / ".npmrc", NODE]
    folder = INSTALLED / hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        subprocess.run([npm, "ci", "--silent"], cwd=folder, check=True, timeout=500)
        (folder / "done").touch()
    urls = {url for document in documents for url in document["@context"]}
    contexts = {url: load_context(url) for url in (*urls, "https://w3id.org/security/data-integrity/v2")}
    asked = json.dumps({"credentials": documents, "contexts": contexts})
    found = subprocess.run(
        [node, NODE.name], cwd=folder, input=asked, capture_output=True, text=True, check=True, timeout=500
    )
    return float(found.stdout)
