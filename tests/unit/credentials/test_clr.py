"""Learner records (CLR 2.0): built, and judged with every badge in them."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.credentials.clr import MAXIMUM_BADGE_BYTES, MAXIMUM_BADGES, build_record
from lti_tool.credentials.documents import SubjectIdentity
from lti_tool.credentials.errors import CredentialInvalid, NotACredential
from lti_tool.credentials.reading import MAXIMUM_RECORD_BYTES
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.tokens import as_token, issue_token
from lti_tool.credentials.verification import Outcome, Report, Verdict
from tests.unit.credentials.badges import (
    ACHIEVEMENT,
    DID_URL,
    ISSUER,
    NOW,
    STRANGER,
    Key,
    badge,
    details,
    judge,
    published,
    signed,
)
from tests.unit.credentials.test_issuing_tokens import TokenKey, web

ID = "urn:uuid:6d8b8f1c-1d3e-4f7c-9a57-0e4c4f2f1f11"


def inner(number: int, **changes: Any) -> dict[str, Any]:
    achievement = replace(ACHIEVEMENT, id=f"https://badges.example.edu/achievements/{number}")
    return signed(badge(number, achievement=achievement, **changes))


def unsigned(badges: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "id_": ID,
        "name": "Badges of Ada",
        "issuer": ISSUER,
        "subject": SubjectIdentity.from_email("ada@example.edu", "0" * 32),
        "valid_from": NOW,
        "badges": [inner(1), inner(2)] if badges is None else badges,
    }
    return build_record(**{**arguments, **changes})


def record(badges: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    return signed(unsigned(badges, **changes))


def held(report: Report) -> list[tuple[str | None, Verdict]]:
    return [(one.credential.id if one.credential else None, one.verdict) for one in report.credentials]


def where(number: int) -> str:
    return f"https://badges.example.edu/credentials/{number}"


def test_a_record_is_valid_with_each_badge_in_it() -> None:
    report = judge(record())
    assert report.verdict is Verdict.VALID, report.steps
    assert details(report)["credentials"] == "credentials_valid"
    assert held(report) == [(where(1), Verdict.VALID), (where(2), Verdict.VALID)]
    assert [one["verdict"] for one in report.as_json()["credentials"]] == ["valid", "valid"]
    json.dumps(report.as_json())


def test_it_says_which_achievement_replaced_which_and_whether_something_is_missing() -> None:
    old, new = "https://badges.example.edu/achievements/1", "https://badges.example.edu/achievements/2"
    made = record(replacements=[(old, new)], is_partial=True)
    assert made["partial"] is True
    assert made["credentialSubject"]["association"] == [
        {"type": "Association", "associationType": "replacedBy", "sourceId": old, "targetId": new}
    ]
    assert judge(made).verdict is Verdict.VALID


def test_no_two_records_are_kept_as_a_shape() -> None:
    made = [record([inner(number)])["proof"][0]["proofValue"] for number in (1, 2, 3)]
    assert len(set(made)) == 3
    assert judge(record([inner(3)])).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "member,value",
    [("name", "Master of Everything"), ("validFrom", "2020-01-01T00:00:00Z"), ("partial", True)],
)
def test_a_record_that_was_changed_is_invalid_whatever_its_badges(member: str, value: Any) -> None:
    report = judge({**record(), member: value})
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == "signature_wrong"
    assert details(report)["credentials"] == "not_reached"
    assert report.credentials == ()


def test_a_badge_cannot_be_put_in_or_taken_out() -> None:
    for badges in ([inner(1)], [inner(1), inner(2), inner(3)], [inner(2), inner(3)]):
        forged = record()
        forged["credentialSubject"]["verifiableCredential"] = badges
        assert details(judge(forged))["proof"] == "signature_wrong"


def test_an_issuer_that_signs_a_forged_badge_along_does_not_make_it_true() -> None:
    forged = inner(2)
    forged["credentialSubject"]["achievement"]["name"] = "Brain Surgery"
    report = judge(record([inner(1), forged]))
    assert report.verdict is Verdict.INVALID
    assert details(report)["proof"] == "signature_right"
    step = report.steps[-1]
    assert (step.name, step.outcome, step.detail) == ("credentials", Outcome.FAILED, "credential_invalid")
    assert dict(step.params) == {"name": "Data Protection Basics", "count": "1", "of": "2"}
    assert held(report) == [(where(1), Verdict.VALID), (where(2), Verdict.INVALID)]
    assert details(report.credentials[1])["proof"] == "signature_wrong"


def test_a_badge_without_a_proof_of_its_own_is_none() -> None:
    bare = {name: value for name, value in inner(2).items() if name != "proof"}
    report = judge(record([inner(1), bare]))
    assert report.verdict is Verdict.INVALID
    assert details(report.credentials[1])["proof"] == "proof_missing"


def test_a_badge_signed_by_a_stranger_is_named() -> None:
    other = sign_credential(badge(2), STRANGER, NOW).document
    assert held(judge(record([inner(1), other])))[1] == (where(2), Verdict.INVALID)


def test_a_revoked_badge_in_it_is_named() -> None:
    report = judge(record(), published(revoked=(2,)))
    assert report.verdict is Verdict.INVALID
    assert details(report.credentials[1])["status"] == "revoked"
    assert report.credentials[0].verdict is Verdict.VALID


def test_an_expired_badge_in_it_is_named_as_expired() -> None:
    made = record([inner(1), inner(2, valid_until=NOW + timedelta(days=1))])
    assert judge(made).verdict is Verdict.VALID
    later = judge(made, now=NOW + timedelta(days=2))
    assert later.verdict is Verdict.INVALID
    assert details(later.credentials[1])["validity"] == "expired"


def test_a_status_that_cannot_be_had_leaves_the_record_open() -> None:
    web = published()
    web.documents = {url: body for url, body in web.documents.items() if url == DID_URL}
    report = judge(record(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.steps[-1].detail == "credential_unchecked"


def test_what_all_badges_have_in_common_is_fetched_once() -> None:
    web = published()
    judge(record([inner(number) for number in range(1, 6)]), web)
    assert len(web.asked) == len(set(web.asked)) == 2


def test_a_record_in_a_record_is_not_followed() -> None:
    report = judge(record([inner(3), record(id_="urn:uuid:6d8b8f1c-1d3e-4f7c-9a57-0e4c4f2f1f13")]))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report.credentials[1])["credentials"] == "record_within_record"


@pytest.mark.parametrize(
    "change,detail",
    [
        ({"type": ["AchievementSubject"]}, "type_missing"),
        ({"verifiableCredential": []}, "record_empty"),
        ({"identifier": []}, "subject_not_identified"),
    ],
)
def test_a_record_has_the_parts_of_a_record(change: dict[str, Any], detail: str) -> None:
    made = record()
    made["credentialSubject"] |= change
    assert details(judge(made))["structure"] == detail


def test_a_record_is_a_token_too() -> None:
    text = issue_token(as_token(unsigned(), "urn:uuid:6d8b8f1c-1d3e-4f7c-9a57-0e4c4f2f1f12"), TokenKey())
    report = judge(text.encode(), web(TokenKey()))
    assert report.verdict is Verdict.VALID, report.steps
    assert len(report.credentials) == 2


def test_a_token_in_a_record_is_judged_like_any_other() -> None:
    token = issue_token(as_token(inner(2), f"{where(2)}.jwt"), TokenKey())
    text = _jws({**as_token(unsigned([inner(1)]), ID), "marker": True}, token)
    report = judge(text.encode(), web(TokenKey()))
    assert held(report) == [(where(1), Verdict.VALID), (f"{where(2)}.jwt", Verdict.VALID)]
    header, payload, signature = token.split(".")
    changed = _jws(as_token(unsigned([inner(1)]), ID), f"{header}.{payload}.{'A' * len(signature)}")
    assert held(judge(changed.encode(), web(TokenKey())))[1][1] is Verdict.INVALID


@pytest.mark.parametrize("other", ["nothing", 5, None, ["x"], "https://x.example/credential"])
def test_what_is_no_credential_in_a_record_is_said(other: Any) -> None:
    text = _jws(as_token(unsigned([inner(1)]), ID), other)
    report = judge(text.encode(), web(TokenKey()))
    assert report.verdict is Verdict.INVALID
    assert details(report.credentials[1]) == {"read": "not_a_credential"}


def _jws(document: dict[str, Any], further: Any) -> str:
    """A token that our own builder would not make: with anything as the second credential."""
    document = copy.deepcopy(document)
    document["credentialSubject"]["verifiableCredential"].append(further)
    claims = {"iss": document["issuer"]["id"], "jti": document["id"], "nbf": int(NOW.timestamp())}
    key = TokenKey()
    header = {"alg": key.algorithm, "kid": key.verification_method}
    signed_part = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, {**claims, **document})
    )
    signature = base64.urlsafe_b64encode(key.sign(signed_part)).rstrip(b"=")
    return f"{signed_part.decode()}.{signature.decode()}"


def test_as_many_badges_as_allowed_are_judged_and_no_more() -> None:
    badges = [inner(number) for number in range(MAXIMUM_BADGES)]
    report = judge(record(badges))
    assert report.verdict is Verdict.VALID
    assert len(report.credentials) == MAXIMUM_BADGES
    too_many = unsigned([*badges, inner(MAXIMUM_BADGES)])
    report = judge({**too_many, "proof": [{}]})
    assert (report.verdict, details(report)) == (Verdict.INCONCLUSIVE, {"read": "too_many_credentials"})


def test_badges_that_fill_a_record_leave_room_for_the_rest_of_it_also_as_a_token() -> None:
    many = [(f"https://b.example/{number:060}", f"https://b.example/{number:060}") for number in range(50)]
    rest = json.dumps(unsigned([inner(1)], replacements=many, name="n" * 400))
    assert (MAXIMUM_BADGE_BYTES + len(rest)) * 4 // 3 < MAXIMUM_RECORD_BYTES


def test_only_a_record_may_be_large() -> None:
    large = json.dumps(record([inner(number) for number in range(20)])).encode() + b" " * 300_000
    assert judge(large).verdict is Verdict.VALID
    for data in (
        json.dumps(signed()).encode() + b" " * 300_000,
        large + b" " * (MAXIMUM_RECORD_BYTES - 300_000),
    ):
        with pytest.raises(NotACredential) as refusal:
            judge(data)
        assert refusal.value.reason == "too_large"


def test_each_badge_may_have_as_much_in_it_as_one_that_comes_alone_and_no_more() -> None:
    full = inner(1)
    full["credentialSubject"]["achievement"]["tag"] = [str(number) for number in range(600)]
    report = judge({**unsigned([inner(2), full]), "proof": [{}]})
    assert details(report) == {"read": "too_many_values"}


def test_the_same_endorsement_in_every_badge_is_no_poison() -> None:
    endorsement = {
        "@context": badge()["@context"],
        "id": "https://other.example/endorsements/1",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "Example University",
        "issuer": {"id": "did:web:badges.example.edu", "type": ["Profile"], "name": "Example University"},
        "validFrom": "2025-11-22T09:30:00Z",
        "credentialSubject": {
            "id": "did:web:badges.example.edu",
            "type": ["EndorsementSubject"],
            "endorsementComment": "Well done",
        },
    }
    endorsement = sign_credential(endorsement, Key(), NOW).document
    badges = []
    for number in range(10):
        document = badge(number)
        document["issuer"]["endorsement"] = [endorsement]
        badges.append(signed(document))
    report = judge(record(badges))
    assert report.verdict is Verdict.VALID, report.steps
    assert all(details(one)["endorsements"] == "endorsements_genuine" for one in report.credentials)


def test_a_badge_that_claims_the_records_own_id_hides_nothing() -> None:
    twin = badge(2, credential_url="https://badges.example.edu/credentials/9")
    twin["validUntil"] = "2020-01-01T00:00:00Z"
    made = signed(unsigned([signed(twin)], id_="https://badges.example.edu/credentials/9"))
    report = judge(made)
    assert report.verdict is Verdict.INVALID
    assert details(report)["contexts"] == "member_hidden"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(CredentialInvalid):
        unsigned(valid_from=NOW.replace(tzinfo=None))
