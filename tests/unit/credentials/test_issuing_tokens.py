"""VC-JWT: our own badges as signed tokens, judged by us and by a library that is not ours."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lti_tool.credentials.did import did_document
from lti_tool.credentials.errors import CredentialInvalid
from lti_tool.credentials.tokens import as_token, issue_token, pseudonym
from lti_tool.credentials.verification import Verdict
from tests.unit.credentials.badges import (
    DID,
    DID_URL,
    NOW,
    Key,
    Web,
    badge,
    details,
    judge,
    published,
    signed,
)

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
WHERE = "https://badges.example.edu/credentials/5.jwt"


@dataclass
class TokenKey:
    """A key for tokens."""

    algorithm: str = "RS256"
    verification_method: str = f"{DID}#token-1"

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == "RS256":
            return RSA.sign(data, padding.PKCS1v15(), hashes.SHA256())
        pair = decode_dss_signature(EC.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(part.to_bytes(32, "big") for part in pair)

    @property
    def jwk(self) -> dict[str, Any]:
        if self.algorithm == "RS256":
            made: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
        else:
            made = jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)
        return made


def token(algorithm: str = "RS256", **changes: Any) -> str:
    return issue_token(as_token(signed(badge(**changes)), WHERE), TokenKey(algorithm))


def web(*keys: TokenKey) -> Web:
    made = published()
    entries = [(key.verification_method.partition("#")[2], key.jwk) for key in keys]
    made.publish(DID_URL, did_document(DID, [("key-1", Key().public)], entries))
    return made


def payload(text: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    return claims


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_is_valid_to_us_and_its_signature_to_others(algorithm: str) -> None:
    text = token(algorithm)
    report = judge(text.encode(), web(TokenKey(algorithm)))
    assert report.verdict is Verdict.VALID, report.steps
    key = jwt.PyJWK({**TokenKey(algorithm).jwk, "alg": algorithm})
    claims = jwt.decode(text, key, [algorithm], options={"verify_nbf": False})
    assert claims == payload(text)


def test_the_header_holds_what_open_badges_allows_and_no_more() -> None:
    assert jwt.get_unverified_header(token()) == {"alg": "RS256", "kid": f"{DID}#token-1", "typ": "JWT"}


def test_the_claims_say_what_the_badge_says() -> None:
    until = NOW + timedelta(days=400)
    said = payload(token(valid_until=until))
    document = signed(badge(valid_until=until))
    assert said["iss"] == said["issuer"]["id"] == DID
    assert said["jti"] == said["id"] == WHERE
    assert said["sub"] == said["credentialSubject"]["id"] == pseudonym(WHERE)
    assert (said["nbf"], said["exp"]) == (int(NOW.timestamp()), int(until.timestamp()))
    assert "proof" not in said
    for member in set(document) - {"id", "proof", "credentialSubject"}:
        assert said[member] == document[member]
    subject = {name: value for name, value in said["credentialSubject"].items() if name != "id"}
    assert subject == document["credentialSubject"]


def test_a_subject_that_has_an_id_keeps_it() -> None:
    assert payload(token(subject_id="did:key:z6MkA"))["sub"] == "did:key:z6MkA"


def test_nobody_is_named_by_a_pseudonym_and_no_two_badges_share_one() -> None:
    other = as_token(signed(badge(6)), WHERE.replace("5", "6"))["credentialSubject"]["id"]
    assert other != pseudonym(WHERE)
    assert "learner5@example.edu" not in json.dumps(payload(token()))


def test_a_newer_copy_of_a_token_is_a_token() -> None:
    said = payload(token(refresh_url="https://badges.example.edu/credentials/5.json"))
    assert said["refreshService"] == {"id": WHERE, "type": "1EdTechCredentialRefresh"}


def test_a_revoked_badge_is_revoked_as_a_token_too() -> None:
    made = web(TokenKey())
    made.documents.update(
        {url: body for url, body in published(revoked=(5,)).documents.items() if url != DID_URL}
    )
    assert details(judge(token().encode(), made))["status"] == "revoked"


def test_a_key_that_was_taken_off_the_did_document_proves_nothing() -> None:
    report = judge(token().encode(), published())
    assert (report.verdict, details(report)["proof"]) == (Verdict.INVALID, "key_not_listed")


def test_a_key_at_an_address_counts_if_the_did_document_lists_the_same() -> None:
    where = "https://badges.example.edu/issuers/1/keys/1"
    text = issue_token(as_token(signed(), WHERE), TokenKey(verification_method=where))
    made = web(TokenKey())
    made.publish(where, TokenKey().jwk)
    assert judge(text.encode(), made).verdict is Verdict.VALID
    relative = json.loads(made.documents[DID_URL].replace(f'"{DID}#'.encode(), b'"#'))
    made.publish(DID_URL, relative)
    assert judge(text.encode(), made).verdict is Verdict.VALID, "a DID document may name its keys in short"
    made.documents[DID_URL] = web(TokenKey()).documents[DID_URL]
    unlisted = published()
    unlisted.publish(where, TokenKey().jwk)
    assert details(judge(text.encode(), unlisted))["proof"] == "token_key_not_bound"
    withdrawn = json.loads(made.documents[DID_URL])
    withdrawn["assertionMethod"] = withdrawn["assertionMethod"][:1]
    made.publish(DID_URL, withdrawn)
    assert judge(text.encode(), made).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "changes,pointer",
    [
        ({"proof": [{}]}, "/proof"),
        ({"credentialSubject": {"type": ["AchievementSubject"]}}, "/credentialSubject/id"),
        ({"name": "\x00"}, "/name"),
        ({"validFrom": "2025-11-22T09:30:00"}, "/validFrom"),
        ({"nickname": "Ada"}, "/nickname"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_must_not_be_signed_is_no_token_either(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(CredentialInvalid) as refusal:
        issue_token({**as_token(signed(), WHERE), **changes}, TokenKey())
    assert refusal.value.params["pointer"] == pointer
