"""Tokens (VC-JWT) and learner records (CLR 2.0), judged by 1EdTech's schemas and by verifiers not ours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lti_tool.credentials.tokens import as_token, issue_token
from tests.conformance.test_schemas import validator
from tests.unit.credentials.badges import DID, Key, badge
from tests.unit.credentials.test_clr import ID, inner, record, unsigned
from tests.unit.credentials.test_issuing_tokens import TokenKey, payload, token, web

RECORD_SCHEMA = "clr_v2p0_clrcredential_schema.json"
ONE, TWO = "https://badges.example.edu/achievements/1", "https://badges.example.edu/achievements/2"


def problems(schema: str, document: dict[str, Any]) -> list[str]:
    return [error.message for error in validator(schema).iter_errors(document)]


def test_records_are_of_the_schema() -> None:
    full = record(replacements=[(ONE, TWO)], is_partial=True)
    for document in (record(), full, as_token(full, ID)):
        assert problems(RECORD_SCHEMA, document) == []


def test_the_schema_would_have_said_so() -> None:
    made = record(replacements=[(ONE, TWO)])
    made["credentialSubject"]["association"][0]["associationType"] = "betterThan"
    assert problems(RECORD_SCHEMA, made)
    made = record()
    made["@context"].reverse()
    assert problems(RECORD_SCHEMA, made)
    made = record()
    del made["credentialSubject"]["verifiableCredential"]
    assert problems(RECORD_SCHEMA, made)


@pytest.mark.parametrize("of", ["ob_v3p0", "json-ld_ob_v3p0"])
def test_what_a_token_says_is_of_the_schema(of: str) -> None:
    said = as_token(badge(refresh_url="https://badges.example.edu/r"), "https://badges.example.edu/5.jwt")
    assert problems(f"{of}_achievementcredential_schema.json", said) == []


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_is_valid_to_openbadgeslib(algorithm: str) -> None:
    ob3 = pytest.importorskip("openbadgeslib.ob3")
    published_key = web(TokenKey(algorithm))
    verifier = ob3.OB3Verifier.for_issuer_did(DID, download=published_key.documents.__getitem__)
    text = token(algorithm)
    found = verifier.verify(text, download=published_key.documents.__getitem__)
    assert found.id == payload(text)["id"]
    header, body, signature = text.split(".")
    changed = f"{header}.{body}.{signature[:-8]}AAAAAAAA"
    with pytest.raises(ob3.OB3VerificationError):
        verifier.verify(changed, download=published_key.documents.__getitem__)


def test_the_proof_of_a_record_is_right_to_openbadgeslib() -> None:
    ob3 = pytest.importorskip("openbadgeslib.ob3")
    key = Key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def judge(document: dict[str, Any]) -> None:
        ob3.verify_data_integrity_proof(document, key, extra_contexts=ob3.bundled_clr_contexts())

    made = record([inner(1), inner(2)], replacements=[(ONE, TWO)])
    judge(made)
    changes: list[Callable[[Any], object]] = [
        lambda held: held[0].update(name="Other"),
        lambda held: held.pop(),
        lambda held: held[0]["proof"][0].update(proofValue="z2222"),
    ]
    for change in changes:
        changed = copy.deepcopy(made)
        change(changed["credentialSubject"]["verifiableCredential"])
        with pytest.raises(ob3.OB3VerificationError):
            judge(changed)


def test_a_record_is_a_token_of_the_same_badges() -> None:
    said = payload(issue_token(as_token(unsigned(), ID), TokenKey()))
    assert problems(RECORD_SCHEMA, said) == []
    assert said["credentialSubject"]["verifiableCredential"] == [inner(1), inner(2)]
