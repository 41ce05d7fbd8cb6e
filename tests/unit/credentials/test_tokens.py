"""VC-JWT: others' badges as signed tokens."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lti_tool.credentials.documents import IssuerProfile
from lti_tool.credentials.verification import Verdict
from tests.unit.credentials.badges import NOW, Web, badge, details, judge, published

ISSUER = "https://badges.example.edu/issuers/1"
KID = "https://badges.example.edu/keys/1"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ALGORITHMS = {"RS256": (RSA, jwt.algorithms.RSAAlgorithm), "ES256": (EC, jwt.algorithms.ECAlgorithm)}


def public(algorithm: str) -> dict[str, Any]:
    key, kind = ALGORITHMS[algorithm]
    jwk: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return jwk


def web(algorithm: str = "RS256") -> Web:
    made = published()
    made.publish(KID, public(algorithm))
    return made


def token(algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    document = badge(issuer=IssuerProfile(ISSUER, "Uni"), subject_id="did:example:ann", status=None)
    payload = {
        **document,
        "iss": ISSUER,
        "jti": document["id"],
        "sub": "did:example:ann",
        "nbf": int(datetime.fromisoformat(document["validFrom"]).timestamp()),
        **claims,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    headers = {name: value for name, value in {"kid": KID, **(header or {})}.items() if value is not None}
    return jwt.encode(payload, ALGORITHMS[algorithm][0], algorithm, headers)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_whose_key_the_issuer_publishes_is_valid(algorithm: str) -> None:
    report = judge(token(algorithm).encode(), web(algorithm))
    assert report.verdict is Verdict.VALID, report.steps
    assert report.credential is not None
    assert report.credential.issuer_id == ISSUER


def test_a_key_in_the_issuers_controller_document_is_taken() -> None:
    made = web()
    method = {
        "id": f"{ISSUER}#k",
        "type": "JsonWebKey",
        "controller": ISSUER,
        "publicKeyJwk": public("RS256"),
    }
    made.publish(ISSUER, {"id": ISSUER, "verificationMethod": [method], "assertionMethod": [f"{ISSUER}#k"]})
    assert judge(token(header={"kid": f"{ISSUER}#k"}).encode(), made).verdict is Verdict.VALID
    made.publish(ISSUER, {"id": ISSUER, "verificationMethod": [method], "assertionMethod": []})
    assert judge(token(header={"kid": f"{ISSUER}#k"}).encode(), made).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "kid", [None, "https://evil.example/key", "http://badges.example.edu/keys/1", "key-1"]
)
def test_a_key_that_nothing_binds_to_the_issuer_is_not_believed(kid: str | None) -> None:
    made = web()
    made.publish("https://evil.example/key", public("RS256"))
    report = judge(token(header={"kid": kid, "jwk": public("RS256")}).encode(), made)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["proof"] == "token_key_not_bound"


@pytest.mark.parametrize(
    "claims,detail",
    [
        ({"iss": "https://evil.example/"}, "token_claim_differs"),
        ({"iss": None}, "token_claim_missing"),
        ({"jti": "https://evil.example/1"}, "token_claim_differs"),
        ({"sub": "did:example:bob"}, "token_claim_differs"),
        ({"nbf": 0}, "token_claim_differs"),
        ({"nbf": True}, "token_claim_differs"),
        ({"nbf": "2025"}, "token_claim_differs"),
        ({"exp": 4_000_000_000}, "token_claim_differs"),
        ({"validUntil": "2099-01-01T00:00:00Z"}, "token_claim_missing"),
    ],
    ids=str,
)
def test_claims_say_what_the_credential_says(claims: dict[str, Any], detail: str) -> None:
    report = judge(token(**claims).encode(), web())
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == detail


def forged(header: dict[str, Any], signature: bytes = b"x") -> bytes:
    _, payload, _ = token().split(".")

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    return f"{encode(json.dumps(header).encode())}.{payload}.{encode(signature)}".encode()


@pytest.mark.parametrize(
    "header,verdict,detail",
    [
        ({"alg": "none", "kid": KID}, Verdict.INVALID, "token_algorithm_refused"),
        ({"kid": KID}, Verdict.INVALID, "token_algorithm_refused"),
        ({"alg": "RS256", "kid": KID, "crit": ["b64"]}, Verdict.INVALID, "token_algorithm_refused"),
        ({"alg": "HS256", "kid": KID}, Verdict.INCONCLUSIVE, "token_algorithm_unsupported"),
        ({"alg": "EdDSA", "kid": KID}, Verdict.INCONCLUSIVE, "token_algorithm_unsupported"),
        ({"alg": "RS256", "kid": KID}, Verdict.INVALID, "signature_wrong"),
        ({"alg": "ES256", "kid": KID}, Verdict.INVALID, "key_of_another_kind"),
        ({"alg": ["RS256"], "kid": KID}, Verdict.INCONCLUSIVE, "token_algorithm_unsupported"),
        ({"alg": "RS256", "kid": "https://["}, Verdict.INCONCLUSIVE, "token_key_not_bound"),
        ({"alg": "RS256", "kid": ["a"]}, Verdict.INCONCLUSIVE, "token_key_not_bound"),
    ],
    ids=str,
)
def test_forged_headers(header: dict[str, Any], verdict: Verdict, detail: str) -> None:
    report = judge(forged(header), web())
    assert (report.verdict, details(report)["proof"]) == (verdict, detail)


def test_a_changed_payload_is_wrong() -> None:
    header, payload, signature = token().split(".")
    text = base64.urlsafe_b64decode(payload + "==").replace(b"Data Protection", b"Brain Surgery  ")
    changed = base64.urlsafe_b64encode(text).decode().rstrip("=")
    report = judge(f"{header}.{changed}.{signature}".encode(), web())
    assert details(report)["proof"] == "signature_wrong"


def test_a_weak_key_is_refused() -> None:
    made = web()
    made.publish(KID, {"kty": "RSA", "n": "AQAB", "e": "AQAB"})
    assert details(judge(token().encode(), made))["proof"] == "key_too_weak"


def test_an_unreachable_key_leaves_it_open() -> None:
    assert judge(token().encode(), published()).verdict is Verdict.INCONCLUSIVE


def test_a_credential_of_the_1_1_model_stands_under_vc() -> None:
    document = badge(issuer=IssuerProfile(ISSUER, "Uni"), subject_id="did:example:ann", status=None)
    claims = {"iss": ISSUER, "vc": document, "nbf": int(NOW.timestamp())}
    text = jwt.encode(claims, RSA, "RS256", {"kid": KID})
    assert judge(text.encode(), web()).verdict is Verdict.VALID
