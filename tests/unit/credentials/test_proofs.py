"""Whose key signed, and does the proof fit: what a forger would try."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lti_tool.credentials.did import did_document, did_web_url
from lti_tool.credentials.documents import IssuerProfile
from lti_tool.credentials.signing import proof_options
from lti_tool.credentials.verification import Verdict
from tests.unit.credentials.badges import (
    DID,
    DID_URL,
    STRANGER,
    Key,
    Web,
    badge,
    details,
    judge,
    published,
    signed,
)

# -- whose key


def test_a_strangers_key_in_the_fragment_is_never_believed() -> None:
    method = f"{DID}#{STRANGER.public}"
    report = judge(signed(key=Key(method, STRANGER.private)))
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == "key_not_listed"


def test_a_signature_by_another_key_under_our_keys_name_is_wrong() -> None:
    report = judge(signed(key=STRANGER))
    assert details(report)["proof"] == "signature_wrong"


def test_another_issuers_key_does_not_speak_for_this_issuer() -> None:
    web = published()
    other = "did:web:evil.example"
    web.publish(did_web_url(other), did_document(other, [("key-1", STRANGER.public)]))
    report = judge(signed(key=Key(f"{other}#key-1", STRANGER.private)), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == "issuer_differs"
    assert not web.asked  # nothing is fetched for a claim that is false anyway


def test_a_did_key_issuer_speaks_for_itself_only() -> None:
    did = f"did:key:{STRANGER.public}"
    key = Key(f"{did}#{STRANGER.public}", STRANGER.private)
    honest = badge(issuer=IssuerProfile(did, "Somebody"), status=None)
    assert judge(signed(honest, key), Web()).verdict is Verdict.VALID
    assert judge(signed(badge(status=None), key), Web()).verdict is Verdict.INVALID


def edited(**changes: Any) -> Web:
    web = published()
    web.publish(DID_URL, {**did_document(DID, [("key-1", Key().public)]), **changes})
    return web


METHOD = {"id": f"{DID}#key-1", "type": "Multikey", "controller": DID, "publicKeyMultibase": Key().public}


@pytest.mark.parametrize(
    "changes,detail",
    [
        ({"assertionMethod": []}, "key_not_listed"),
        ({"assertionMethod": [f"{DID}#key-2"]}, "key_not_listed"),
        ({"verificationMethod": []}, "key_not_listed"),
        ({"verificationMethod": [METHOD, METHOD]}, "key_not_listed"),
        ({"id": "did:web:evil.example"}, "controller_differs"),
        ({"verificationMethod": [METHOD | {"controller": "did:web:evil.example"}]}, "controller_differs"),
        ({"verificationMethod": [METHOD | {"revoked": "2025-01-01T00:00:00Z"}]}, "key_revoked"),
        ({"verificationMethod": [METHOD | {"expires": "2025-01-01T00:00:00Z"}]}, "key_expired"),
        ({"verificationMethod": [METHOD | {"revoked": "once"}]}, "key_date_malformed"),
        ({"verificationMethod": [METHOD | {"publicKeyMultibase": "zDna"}]}, "key_of_another_kind"),
    ],
)
def test_the_issuers_document_decides_about_the_key(changes: dict[str, Any], detail: str) -> None:
    report = judge(signed(), edited(**changes))
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == detail


@pytest.mark.parametrize(
    "changes",
    [
        {"verificationMethod": [], "assertionMethod": [METHOD]},
        {"assertionMethod": ["#key-1"], "verificationMethod": [METHOD | {"id": "#key-1"}]},
        {
            "verificationMethod": [
                {
                    "id": f"{DID}#key-1",
                    "type": "JsonWebKey",
                    "controller": DID,
                    "publicKeyJwk": {
                        "kty": "OKP",
                        "crv": "Ed25519",
                        "x": base64.urlsafe_b64encode(Key().private.public_key().public_bytes_raw())
                        .decode()
                        .rstrip("="),
                    },
                }
            ]
        },
    ],
    ids=["embedded", "relative", "jwk"],
)
def test_other_ways_to_list_a_key_are_understood(changes: dict[str, Any]) -> None:
    assert judge(signed(), edited(**changes)).verdict is Verdict.VALID


def test_a_retired_key_still_verifies_and_a_removed_one_does_not() -> None:
    old, new = Key(f"{DID}#key-0", STRANGER.private), Key()
    web = published(new)
    web.publish(DID_URL, did_document(DID, [("key-1", new.public), ("key-0", old.public)]))
    assert judge(signed(key=old), web).verdict is Verdict.VALID
    web.publish(DID_URL, did_document(DID, [("key-1", new.public)]))
    assert judge(signed(key=old), web).verdict is Verdict.INVALID


@pytest.mark.parametrize("body", [None, b"<html>", b"[]", b"[" * 100_000, b'{"a":' + b" " * 300_000 + b"1}"])
def test_an_unreachable_or_unreadable_key_leaves_it_open(body: bytes | None) -> None:
    web = published()
    if body is None:
        del web.documents[DID_URL]
    else:
        web.documents[DID_URL] = body
    report = judge(signed(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["proof"] == ("key_unreachable" if body is None else "key_malformed")
    assert details(report)["status"] == "not_reached"


# -- the proof itself


def with_proof(**changes: Any) -> dict[str, Any]:
    document = signed()
    proof = {**document["proof"][0], **changes}
    return {**document, "proof": [{key: value for key, value in proof.items() if value is not None}]}


@pytest.mark.parametrize(
    "changes,detail",
    [
        ({"proofPurpose": "authentication"}, "proof_purpose_wrong"),
        ({"proofPurpose": None}, "proof_purpose_wrong"),
        ({"proofValue": None}, "proof_malformed"),
        ({"proofValue": "u" + "A" * 86}, "signature_malformed"),
        ({"proofValue": "z1111"}, "signature_malformed"),
        ({"proofValue": "z" + "2" * 100_000}, "signature_malformed"),
        ({"verificationMethod": None}, "proof_malformed"),
        ({"verificationMethod": DID}, "key_not_named"),
        ({"verificationMethod": {"id": f"{DID}#key-1"}}, "proof_malformed"),
        ({"created": "2025-11-22"}, "proof_date_malformed"),
        ({"created": None}, "signature_wrong"),
        ({"expires": "2025-11-22T09:00:00Z"}, "proof_expired"),
        ({"domain": "example.org"}, "signature_wrong"),
        ({"@context": "https://www.w3.org/ns/credentials/v2"}, "proof_context_differs"),
    ],
)
def test_a_changed_proof_is_wrong(changes: dict[str, Any], detail: str) -> None:
    report = judge(with_proof(**changes))
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == detail


@pytest.mark.parametrize(
    "changes", [{"cryptosuite": "ecdsa-rdfc-2019"}, {"type": "RsaSignature2018"}, {"previousProof": "urn:x"}]
)
def test_an_unknown_kind_of_proof_leaves_it_open(changes: dict[str, Any]) -> None:
    assert judge(with_proof(**changes)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("proof", [None, [], "z", [None]])
def test_without_a_proof_it_is_invalid(proof: Any) -> None:
    document = badge() if proof is None else badge() | {"proof": proof}
    assert judge(document).verdict is Verdict.INVALID


def test_a_proof_missing_is_said_even_when_nothing_else_can_be_judged() -> None:
    document = badge()
    document["@context"].append("https://example.org/more.json")
    assert judge(document).verdict is Verdict.INVALID


def test_of_several_proofs_one_known_one_must_hold_and_none_be_wrong() -> None:
    document = signed()
    good = document["proof"][0]
    strange = {"type": "DataIntegrityProof", "cryptosuite": "future-2030", "proofValue": "z1"}
    assert judge(document | {"proof": [strange, good]}).verdict is Verdict.VALID
    wrong = good | {"proofValue": "z" + "2" * 87}
    assert judge(document | {"proof": [good, wrong]}).verdict is Verdict.INVALID
    assert judge(document | {"proof": [good] * 6}).verdict is Verdict.INCONCLUSIVE


def test_a_proof_may_be_one_object() -> None:
    document = signed()
    assert judge(document | {"proof": document["proof"][0]}).verdict is Verdict.VALID


def test_the_signature_is_over_proof_first_then_document() -> None:
    assert list(proof_options("did:x#y", "t")) == [
        "type",
        "cryptosuite",
        "created",
        "verificationMethod",
        "proofPurpose",
    ]
