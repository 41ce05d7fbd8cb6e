"""Endorsements: built, embedded, judged; and what a liar or a slow web would try with them."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lti_tool.credentials.did import did_document, did_web_url
from lti_tool.credentials.documents import IssuerProfile, StatusEntry
from lti_tool.credentials.endorsements import (
    MAXIMUM_EMBEDDED_BYTES,
    MAXIMUM_JUDGED,
    Standing,
    build_endorsement,
    judge_endorsements,
    require_embeddable,
)
from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid
from lti_tool.credentials.proofs import ProofContext
from lti_tool.credentials.reading import MAXIMUM_JSON_BYTES
from lti_tool.credentials.sandbox import Canonicaliser
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.credentials.verification import Outcome, Report, Verdict
from lti_tool.services.endorsing import COMMENT_LENGTH
from tests.unit.credentials.badges import ACHIEVEMENT, DID, DID_URL, NOW, Key, Web, badge, judge, published

ENDORSER = IssuerProfile("did:web:chamber.example", "Chamber of Crafts", "https://chamber.example/")
ENDORSER_KEY = Key("did:web:chamber.example#key-1", Ed25519PrivateKey.from_private_bytes(b"\x21" * 32))
LIST_URL = "https://chamber.example/status/1"
COMMENT = "What our members ask of beginners."


def endorsement(**changes: Any) -> dict[str, Any]:
    """The unsigned endorsement of the achievement."""
    arguments: dict[str, Any] = {
        "endorsement_url": "https://chamber.example/endorsements/1",
        "endorser": ENDORSER,
        "endorsed_id": ACHIEVEMENT.id,
        "endorsed_name": ACHIEVEMENT.name,
        "comment": COMMENT,
        "valid_from": NOW,
        "status": StatusEntry(LIST_URL, 4),
    }
    return build_endorsement(**{**arguments, **changes})


def signed(document: dict[str, Any] | None = None, key: Key = ENDORSER_KEY) -> dict[str, Any]:
    return sign_credential(document or endorsement(), key, NOW).document


def web(withdrawn: tuple[int, ...] = ()) -> Web:
    """What both the badge's issuer and the endorser publish."""
    made = published()
    made.publish(did_web_url(ENDORSER.id), did_document(ENDORSER.id, [("key-1", ENDORSER_KEY.public)]))
    listed = build_status_list_credential(
        list_url=LIST_URL, issuer=ENDORSER, bits=StatusList.of(withdrawn), valid_from=NOW
    )
    made.documents[LIST_URL] = sign_credential(listed, ENDORSER_KEY, NOW).text.encode()
    return made


def carrying(*endorsements: Any, member: str = "endorsement", of: str = "achievement") -> dict[str, Any]:
    """A signed badge that carries ``endorsements`` of its achievement, its issuer or itself."""
    document = badge()
    owner = {
        "achievement": document["credentialSubject"]["achievement"],
        "issuer": document["issuer"],
        "credential": document,
    }[of]
    owner[member] = list(endorsements)
    return sign_credential(document, Key(), NOW).document


def step(report: Report) -> tuple[Outcome, str]:
    return next((one.outcome, one.detail) for one in report.steps if one.name == "endorsements")


def test_an_endorsed_badge_is_valid_and_says_who_endorses_what() -> None:
    report = judge(carrying(signed()), web())
    assert report.verdict is Verdict.VALID
    assert step(report) == (Outcome.PASSED, "endorsements_genuine")
    (one,) = report.endorsements
    assert (one.standing, one.endorser_id, one.endorser_name, one.endorsed, one.comment) == (
        Standing.GENUINE,
        ENDORSER.id,
        "Chamber of Crafts",
        "achievement",
        COMMENT,
    )
    assert report.as_json()["endorsements"][0]["standing"] == "genuine"


@pytest.mark.parametrize(
    "of,endorsed_id,kind",
    [
        ("achievement", ACHIEVEMENT.id, "achievement"),
        ("issuer", DID, "profile"),
        ("credential", "https://badges.example.edu/credentials/5", "credential"),
    ],
)
def test_whatever_is_endorsed_is_judged(of: str, endorsed_id: str, kind: str) -> None:
    report = judge(carrying(signed(endorsement(endorsed_id=endorsed_id)), of=of), web())
    assert report.verdict is Verdict.VALID
    assert [one.endorsed for one in report.endorsements] == [kind]


def test_both_routes_of_signing_carry_an_endorsement_alike() -> None:
    texts = []
    for number in (6, 7, 8):
        document = badge(number)
        document["credentialSubject"]["achievement"]["endorsement"] = [signed()]
        texts.append(sign_credential(document, Key(), NOW).text)
    assert {judge(json.loads(text), web()).verdict for text in texts} == {Verdict.VALID}


# -- lies


def altered(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(signed())
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    "forged,detail",
    [
        (altered(("credentialSubject", "endorsementComment"), "The best there is."), "signature_wrong"),
        (altered(("issuer", "name"), "Ministry"), "signature_wrong"),
        (altered(("type",), ["VerifiableCredential"]), "type_missing"),
        (altered(("issuer",), DID), "issuer_differs"),
        (
            signed(endorsement(endorsed_id="https://badges.example.edu/achievements/8")),
            "endorses_something_else",
        ),
        (signed(endorsement(), Key("did:web:chamber.example#key-1")), "signature_wrong"),
        ({name: value for name, value in signed().items() if name != "proof"}, "proof_missing"),
        (endorsement(), "proof_missing"),
        ({"id": "https://chamber.example/endorsements/1"}, "first_context_wrong"),
    ],
)
def test_an_issuer_who_lies_about_an_endorser_has_no_valid_badge(forged: Any, detail: str) -> None:
    report = judge(carrying(forged), web())
    assert report.verdict is Verdict.INVALID
    assert step(report) == (Outcome.FAILED, "endorsement_false")
    assert [(one.standing, one.detail) for one in report.endorsements] == [(Standing.FALSE, detail)]


def test_an_endorser_who_lists_a_key_no_more_leaves_the_endorsement_open() -> None:
    """Carelessly rotated, or never theirs: the badge is neither a lie for it, nor is it passed over."""
    report = judge(carrying(signed(endorsement(), Key("did:web:chamber.example#key-2"))), web())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [(one.standing, one.detail) for one in report.endorsements] == [
        (Standing.UNCHECKED, "key_not_listed")
    ]


def test_one_false_endorsement_among_genuine_ones_is_found() -> None:
    lie = altered(("credentialSubject", "endorsementComment"), "The best there is.")
    lie["id"] = "https://chamber.example/endorsements/2"
    report = judge(carrying(signed(), lie), web())
    assert report.verdict is Verdict.INVALID
    assert [one.standing for one in report.endorsements] == [Standing.GENUINE, Standing.FALSE]


def test_an_endorsement_in_an_endorsers_profile_is_judged_too() -> None:
    inner = signed(endorsement(endorsed_id="did:web:somebody.example", status=None))
    outer = endorsement(endorsement_url="https://chamber.example/endorsements/2")
    outer["issuer"]["endorsement"] = [inner]
    report = judge(carrying(signed(outer)), web())
    assert [one.standing for one in report.endorsements] == [Standing.GENUINE, Standing.FALSE]


def test_a_learner_cannot_take_an_endorsement_off_or_put_one_on() -> None:
    bare = carrying(signed())
    del bare["credentialSubject"]["achievement"]["endorsement"]
    assert judge(bare, web()).verdict is Verdict.INVALID
    plain = sign_credential(badge(), Key(), NOW).document
    plain["credentialSubject"]["achievement"]["endorsement"] = [signed()]
    report = judge(plain, web())
    assert report.verdict is Verdict.INVALID
    assert step(report) == (Outcome.SKIPPED, "not_reached")
    assert report.endorsements == ()


def test_nothing_is_fetched_for_what_hangs_on_a_forged_badge() -> None:
    document = carrying(signed())
    document["name"] = "Another"
    seen = web()
    judge(document, seen)
    assert set(seen.asked) == {DID_URL}


# -- what ended, and what cannot be known


def test_a_withdrawn_endorsement_is_said_and_takes_nothing_from_the_learner() -> None:
    report = judge(carrying(signed()), web(withdrawn=(4,)))
    assert report.verdict is Verdict.VALID
    assert step(report) == (Outcome.PASSED, "endorsement_ended")
    assert [(one.standing, one.detail) for one in report.endorsements] == [(Standing.ENDED, "revoked")]


def test_an_expired_endorsement_has_ended() -> None:
    limited = endorsement() | {"validUntil": "2025-12-01T00:00:00Z"}
    report = judge(carrying(signed(limited)), web(), NOW + timedelta(days=30))
    assert report.verdict is Verdict.VALID
    assert [(one.standing, one.detail) for one in report.endorsements] == [(Standing.ENDED, "expired")]


def test_a_forgery_that_calls_itself_expired_is_a_forgery() -> None:
    limited = signed(
        endorsement() | {"validUntil": "2025-12-01T00:00:00Z"}, Key("did:web:chamber.example#key-1")
    )
    report = judge(carrying(limited), web(), NOW + timedelta(days=30))
    assert report.verdict is Verdict.INVALID


def test_an_endorser_who_does_not_answer_leaves_the_question_open() -> None:
    report = judge(carrying(signed()), published())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert step(report) == (Outcome.COULD_NOT_CHECK, "endorsement_unchecked")
    assert [one.detail for one in report.endorsements] == ["key_unreachable"]


@pytest.mark.parametrize(
    "served,detail",
    [
        (b"{}", "status_list_wrong"),
        (b"not JSON", "status_malformed"),
        (None, "status_list_invalid"),
    ],
    ids=str,
)
def test_an_endorser_whose_status_list_is_spoilt_cannot_take_badges_away(
    served: bytes | None, detail: str
) -> None:
    seen = web()
    if served is None:  # genuine, and kept on being served beyond its time
        old = build_status_list_credential(
            list_url=LIST_URL,
            issuer=ENDORSER,
            bits=StatusList.of(()),
            valid_from=NOW - timedelta(days=8),
            valid_until=NOW - timedelta(days=1),
        )
        served = sign_credential(old, ENDORSER_KEY, NOW).text.encode()
    seen.documents[LIST_URL] = served
    report = judge(carrying(signed()), seen)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [(one.standing, one.detail) for one in report.endorsements] == [(Standing.UNCHECKED, detail)]


def test_an_address_in_place_of_an_endorsement_is_not_followed() -> None:
    seen = web()
    document = badge()
    document["credentialSubject"]["achievement"]["endorsement"] = ["https://chamber.example/endorsements/1"]
    judged = judge_endorsements(document, ProofContext(seen, Canonicaliser().canonicalise, NOW))
    assert [(one.standing, one.detail) for one in judged] == [(Standing.UNCHECKED, "endorsement_elsewhere")]
    assert seen.asked == []


# -- how much a badge may ask of the verifier


def many(count: int) -> dict[str, Any]:
    return carrying(
        *(
            signed(endorsement(endorsement_url=f"https://chamber.example/endorsements/{number}"))
            for number in range(count)
        )
    )


def test_the_number_judged_is_bounded_and_the_rest_is_not_passed_over() -> None:
    report = judge(many(MAXIMUM_JUDGED + 3), web())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [one.standing for one in report.endorsements] == [
        *[Standing.GENUINE] * MAXIMUM_JUDGED,
        Standing.UNCHECKED,
    ]
    assert report.endorsements[-1].detail == "too_many_endorsements"


def test_each_document_is_asked_for_once() -> None:
    seen = web()
    assert judge(many(4), seen).verdict is Verdict.VALID
    assert sorted(seen.asked) == sorted(set(seen.asked))


def test_a_badge_whose_time_is_up_says_so() -> None:
    context = ProofContext(web(), Canonicaliser().canonicalise, NOW)
    judged = judge_endorsements(carrying(signed()), context, seconds=0)
    assert [(one.standing, one.detail) for one in judged] == [(Standing.UNCHECKED, "took_too_long")]


# -- tokens

TOKEN_KEY = rsa.generate_private_key(65537, 2048)


def token(key: rsa.RSAPrivateKey = TOKEN_KEY, **changes: Any) -> str:
    document = endorsement(status=None, **changes)
    claims = {
        "iss": ENDORSER.id,
        "jti": document["id"],
        "sub": document["credentialSubject"]["id"],
        "nbf": int(datetime.fromisoformat(document["validFrom"]).timestamp()),
    }
    return jwt.encode({**document, **claims}, key, "RS256", {"kid": f"{ENDORSER.id}#token-1"})


def web_with_token_key() -> Web:
    made = web()
    method = f"{ENDORSER.id}#token-1"
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(TOKEN_KEY.public_key(), as_dict=True)
    entry = {"id": method, "type": "JsonWebKey", "controller": ENDORSER.id, "publicKeyJwk": jwk}
    made.publish(
        did_web_url(ENDORSER.id),
        {"id": ENDORSER.id, "verificationMethod": [entry], "assertionMethod": [method]},
    )
    return made


def test_an_endorsement_as_a_token_is_judged() -> None:
    report = judge(carrying(token(), member="endorsementJwt"), web_with_token_key())
    assert report.verdict is Verdict.VALID, report.steps
    assert [(one.standing, one.comment) for one in report.endorsements] == [(Standing.GENUINE, COMMENT)]


@pytest.mark.parametrize(
    "text,detail",
    [
        (token(rsa.generate_private_key(65537, 2048)), "signature_wrong"),
        (token(endorsed_id="https://badges.example.edu/achievements/8"), "endorses_something_else"),
        ("a.b.c", "token_malformed"),
        ("no token", "token_malformed"),
    ],
)
def test_a_false_token_is_false(text: str, detail: str) -> None:
    report = judge(carrying(text, member="endorsementJwt"), web_with_token_key())
    assert report.verdict is Verdict.INVALID
    assert [(one.standing, one.detail) for one in report.endorsements] == [(Standing.FALSE, detail)]


# -- an endorsement by itself


def test_an_endorsement_is_judged_by_itself() -> None:
    report = judge(signed(), web())
    assert report.verdict is Verdict.VALID
    assert report.credential is not None
    assert report.credential.endorsed_id == ACHIEVEMENT.id
    assert report.credential.endorsement_comment == COMMENT
    assert judge(signed(), web(withdrawn=(4,))).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "subject", [{"id": ACHIEVEMENT.id}, {"type": ["EndorsementSubject"], "identifier": [1]}]
)
def test_an_endorsement_of_nothing_is_none(subject: dict[str, Any]) -> None:
    report = judge(signed() | {"credentialSubject": subject}, web())
    assert report.verdict is Verdict.INVALID
    assert next(one.outcome for one in report.steps if one.name == "structure") is Outcome.FAILED


# -- what may be embedded


def test_what_was_signed_here_can_be_embedded() -> None:
    require_embeddable(signed())


@pytest.mark.parametrize(
    "document,reason",
    [
        (signed() | {"description": None}, "null"),
        (signed() | {"grade": "A"}, "term_unknown"),
        (signed() | {"description": "a\x01"}, "control_character"),
        (signed() | {"description": "x" * 40_000}, "too_large"),
        (
            signed() | {"@context": ["https://www.w3.org/2018/credentials/v1", signed()["@context"][1]]},
            "not_json_ld",
        ),
    ],
)
def test_what_no_badge_could_carry_is_refused(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        require_embeddable(document)
    assert refused.value.params["reason"] == reason


def test_the_largest_endorsements_together_leave_room_for_the_badge() -> None:
    assert MAXIMUM_JUDGED * MAXIMUM_EMBEDDED_BYTES <= MAXIMUM_JSON_BYTES * 2 // 3


def test_the_longest_comment_of_ours_can_be_embedded() -> None:
    require_embeddable(signed(endorsement(comment="\U0001f3c5" * COMMENT_LENGTH)))


def test_an_endorsement_of_an_unknown_vocabulary_is_refused() -> None:
    document = signed()
    document["@context"] = [*document["@context"], "https://example.org/more.json"]
    with pytest.raises(ContextNotVendored):
        require_embeddable(document)
