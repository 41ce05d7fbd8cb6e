"""The samples of 1EdTech's own validator: good, tampered, wrong type, baked, JWT."""

from __future__ import annotations

import json

import pytest

from lti_tool.credentials.did import did_document
from lti_tool.credentials.verification import Verdict
from tests import needs
from tests.unit.credentials.badges import Web, details, judge

SAMPLES = "data/samples/1edtech-validator/ob30"
KEY = "z6MkjZRZv3aez3r18pB1RBFJR1kwUVJ5jHt92JmQwXbd5hwi"
OTHER_KEY = "z6MkrvfzkMnvCroEUP2DVc9SHPE48CRsvHiVSusHioxTYu1x"
LEGACY_KEY = "z6MknNHHrBzPytzu6CUBP9Lg7fg4KSBjzimc2Frh693YbMiv"


def web() -> Web:
    """The controller documents that the samples' issuers would have."""
    made = Web()
    for issuer in (
        "https://example.com/issuers/876543",
        "https://1edtech.edu/issuers/565049",
        "https://example.edu/issuers/565049",
    ):
        made.publish(issuer, did_document(issuer, [(key, key) for key in (KEY, OTHER_KEY, LEGACY_KEY)]))
    return made


@pytest.mark.parametrize(
    "name,verdict,step,detail",
    [
        ("simple.json", Verdict.VALID, "proof", "signature_right"),
        ("simple-json.png", Verdict.VALID, "proof", "signature_right"),
        ("simple-did-web-method.json", Verdict.VALID, "proof", "signature_right"),
        ("simple_v1.json", Verdict.VALID, "proof", "signature_right"),
        ("simple-eddsa-2022.json", Verdict.INCONCLUSIVE, "proof", "suite_unsupported"),
        ("simple-jwt.png", Verdict.INCONCLUSIVE, "proof", "token_key_not_bound"),
        ("simple-jwt.svg", Verdict.INCONCLUSIVE, "proof", "token_key_not_bound"),
        ("simple-noproof.json", Verdict.INVALID, "proof", "proof_missing"),
        ("simple-err-proof-value.json", Verdict.INVALID, "proof", "signature_wrong"),
        ("simple-err-proof-method.json", Verdict.INVALID, "proof", "key_not_listed"),
        ("simple-err-proof-method-unknown-scheme.json", Verdict.INVALID, "proof", "key_not_named"),
        ("simple-err-issued.json", Verdict.INVALID, "validity", "not_yet_valid"),
        ("simple-err-issuer.json", Verdict.INVALID, "structure", "issuer_missing"),
        ("simple-err-type.json", Verdict.INVALID, "structure", "not_an_open_badge"),
        ("simple-err-credential-subject-type.json", Verdict.INVALID, "structure", "type_missing"),
        ("simple-err-issuer-type.json", Verdict.INVALID, "contexts", "not_an_absolute_iri"),
        (
            "simple-err-credential-subject-profile-type.json",
            Verdict.INVALID,
            "contexts",
            "not_an_absolute_iri",
        ),
        (
            "simple-err-credential-subject-result-type.json",
            Verdict.INVALID,
            "contexts",
            "not_an_absolute_iri",
        ),
        (
            "simple-err-credential-subject-identifier-type.json",
            Verdict.INVALID,
            "contexts",
            "not_an_absolute_iri",
        ),
    ],
)
def test_sample(name: str, verdict: Verdict, step: str, detail: str) -> None:
    report = judge(needs.reference(f"{SAMPLES}/{name}").read_bytes(), web())
    assert (report.verdict, details(report)[step]) == (verdict, detail), report.steps


def test_the_large_sample_can_be_read() -> None:
    document = json.loads(needs.reference(f"{SAMPLES}/complete.json").read_text("utf-8"))
    report = judge(document, web())
    assert details(report)["contexts"] == "contexts_known"
    assert details(report)["endorsements"] == "not_reached"
    assert report.credential is not None
    assert report.credential.achievement_name == "1EdTech University Degree"
