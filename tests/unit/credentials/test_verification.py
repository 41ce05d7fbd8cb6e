"""What a hostile reader would try, and what an honest one needs to be told."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.credentials.baking import bake_png
from lti_tool.credentials.did import did_document, did_web_url
from lti_tool.credentials.documents import IssuerProfile, StatusEntry
from lti_tool.credentials.errors import NotACredential
from lti_tool.credentials.signing import proof_options, sign_credential
from lti_tool.credentials.status_list import StatusList
from lti_tool.credentials.verification import Outcome, Verdict, verify
from tests.unit.credentials.badges import (
    ACHIEVEMENT,
    DID,
    ISSUER,
    NOW,
    STATUS_URL,
    Key,
    Web,
    badge,
    baked_svg,
    details,
    judge,
    publish_status,
    published,
    signed,
)

DID_URL = did_web_url(DID)
STRANGER = Key(private=Ed25519PrivateKey.from_private_bytes(b"\x66" * 32))


def test_a_badge_of_ours_is_valid_and_every_step_says_so() -> None:
    web = published()
    report = judge(sign_credential(badge(), Key(), NOW).text.encode(), web)
    assert report.verdict is Verdict.VALID
    assert [(step.name, step.outcome, step.detail) for step in report.steps] == [
        ("read", Outcome.PASSED, "read_json"),
        ("structure", Outcome.PASSED, "structure_sound"),
        ("contexts", Outcome.PASSED, "contexts_known"),
        ("proof", Outcome.PASSED, "signature_right"),
        ("validity", Outcome.PASSED, "within_dates"),
        ("status", Outcome.PASSED, "not_revoked"),
    ]
    assert set(web.asked) == {DID_URL, STATUS_URL}
    assert report.credential is not None
    assert report.credential.name == "Data Protection Basics"
    assert report.credential.issuer_name == "Example University"
    assert report.credential.skills == ("Data protection", "Information ethics")


def test_both_routes_of_signing_are_valid() -> None:
    texts = [sign_credential(badge(number), Key(), NOW).text for number in range(3)]
    assert {judge(text.encode()).verdict for text in texts} == {Verdict.VALID}


# -- tampering


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, member in value.items() for leaf in leaves(member, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, member in enumerate(value) for leaf in leaves(member, (*path, index))]
    return [path]


ONCE = replace(ACHIEVEMENT, creator=None)  # what is said twice, of issuer and creator, may be left out once
SIGNED = signed(
    badge(
        achievement=ONCE,
        valid_until=NOW + timedelta(days=9),
        narrative="n",
        refresh_url="https://badges.example.edu/r",
    )
)


@pytest.mark.parametrize("path", leaves(SIGNED), ids=lambda path: "/".join(str(step) for step in path))
def test_changing_any_single_value_makes_it_invalid_or_unreadable(path: tuple[Any, ...]) -> None:
    document = copy.deepcopy(SIGNED)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    place[path[-1]] = (
        (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else old[:-1] + "~"
    )
    report = judge(document)
    assert report.verdict is not Verdict.VALID
    if path[0] != "@context" and path[:3] != ("proof", 0, "type") and path[-1] != "cryptosuite":
        assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "path", [path for path in leaves(SIGNED) if path[0] != "proof"], ids=lambda path: "/".join(map(str, path))
)
def test_leaving_out_any_single_value_makes_it_invalid(path: tuple[Any, ...]) -> None:
    document = copy.deepcopy(SIGNED)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert judge(document).verdict is not Verdict.VALID


def test_another_order_of_members_or_other_white_space_changes_nothing() -> None:
    document = signed()
    turned = dict(reversed(document.items()))
    assert judge(json.dumps(turned, indent=3).encode()).verdict is Verdict.VALID
    assert judge(b"\xef\xbb\xbf \n" + json.dumps(document).encode()).verdict is Verdict.VALID


def test_a_member_that_no_context_knows_was_not_signed() -> None:
    report = judge(signed() | {"grade": "A+"})
    assert report.verdict is Verdict.INVALID
    assert details(report)["contexts"] == "term_unknown"


def test_a_context_that_we_do_not_have_cannot_be_judged() -> None:
    document = signed()
    document["@context"].append("https://example.org/more.json")
    report = judge(document)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["contexts"] == "context_unknown"


def test_an_inline_context_cannot_be_judged() -> None:
    document = signed()
    document["@context"].append({"@vocab": "https://example.org/"})
    document["grade"] = "A+"
    assert judge(document).verdict is Verdict.INCONCLUSIVE


# -- the same signature, another appearance


EXPIRED = {"valid_from": NOW - timedelta(days=30), "valid_until": NOW - timedelta(days=1), "status": None}
DATE = "http://www.w3.org/2001/XMLSchema#dateTime"


def test_an_end_cannot_be_hidden_behind_its_full_name() -> None:
    document = signed(badge(**EXPIRED))
    end = document.pop("validUntil")
    document["https://www.w3.org/2018/credentials#validUntil"] = {"@type": DATE, "@value": end}
    report = judge(document)
    assert report.verdict is Verdict.INVALID
    assert details(report)["contexts"] == "member_name_disguised"


@pytest.mark.parametrize("member", ["validUntil", "credentialStatus"])
def test_a_member_cannot_be_moved_to_another_object_with_the_same_id(member: str) -> None:
    # the refresh service of some issuers has the very id of the credential; JSON-LD merges the two
    document = badge(
        refresh_url="https://badges.example.edu/credentials/5", valid_until=NOW + timedelta(days=1)
    )
    document["refreshService"]["type"] = ["1EdTechCredentialRefresh", "VerifiableCredential"]
    moved = copy.deepcopy(signed(document))
    moved["refreshService"][member] = moved.pop(member)
    report = judge(moved, now=NOW + timedelta(days=2))
    assert report.verdict is Verdict.INVALID
    assert details(report)["contexts"] == "member_hidden"


@pytest.mark.parametrize("keyword", ["@graph", "@included", "@reverse", "@nest", "@id", "@index"])
def test_json_ld_keywords_are_no_members(keyword: str) -> None:
    document = signed()
    document[keyword] = [document.pop("evidence")]
    assert judge(document).verdict is Verdict.INVALID


def test_one_credential_in_two_voices_is_refused() -> None:
    text = json.dumps(signed()).replace('"name":', '"name": "Professor", "name":', 1)
    report = judge(text.encode())
    assert report.verdict is Verdict.INVALID
    assert details(report) == {"read": "member_repeated"}


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


# -- dates


@pytest.mark.parametrize(
    "now,verdict,detail",
    [
        (NOW - timedelta(seconds=1), Verdict.INVALID, "not_yet_valid"),
        (NOW, Verdict.VALID, "within_dates"),
        (NOW + timedelta(days=1, seconds=-1), Verdict.VALID, "within_dates"),
        (NOW + timedelta(days=1), Verdict.INVALID, "expired"),
    ],
)
def test_dates_are_kept_to_the_second(now: Any, verdict: Verdict, detail: str) -> None:
    report = judge(signed(badge(valid_until=NOW + timedelta(days=1), status=None)), now=now)
    assert (report.verdict, details(report)["validity"]) == (verdict, detail)


# -- status


def test_a_revoked_badge_is_invalid_and_its_neighbours_are_not() -> None:
    web = published(revoked=(5,))
    report = judge(signed(badge(5)), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "revoked"
    assert details(report)["proof"] == "signature_right"
    for neighbour in (4, 6):
        assert judge(signed(badge(neighbour)), web).verdict is Verdict.VALID


def test_an_unreachable_status_list_leaves_it_open() -> None:
    web = published()
    del web.documents[STATUS_URL]
    report = judge(signed(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["status"] == "status_unreachable"


def test_a_list_of_another_issuer_does_not_count() -> None:
    web = published()
    did = f"did:key:{STRANGER.public}"
    publish_status(web, Key(f"{did}#{STRANGER.public}", STRANGER.private), issuer=did)
    assert details(judge(signed(), web))["status"] == "status_list_of_another_issuer"


def test_a_list_signed_by_a_stranger_does_not_count() -> None:
    web = published()
    publish_status(web, STRANGER)
    report = judge(signed(badge()), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "status_list_invalid"


def test_a_list_with_a_flipped_bit_does_not_count() -> None:
    web = published(revoked=(5,))
    document = json.loads(web.documents[STATUS_URL])
    document["credentialSubject"]["encodedList"] = StatusList.empty().encode()
    web.publish(STATUS_URL, document)
    assert details(judge(signed(), web))["status"] == "status_list_invalid"


@pytest.mark.parametrize(
    "changes,detail",
    [
        ({"id": "https://badges.example.edu/status/2"}, "status_list_wrong"),
        ({"type": ["VerifiableCredential"]}, "status_list_wrong"),
        ({"validUntil": "2025-11-22T09:00:00Z"}, "status_list_invalid"),
    ],
)
def test_a_list_must_be_the_current_one_that_was_named(changes: dict[str, Any], detail: str) -> None:
    web = published()
    publish_status(web, Key(), **changes)
    assert details(judge(signed(), web))["status"] == detail


@pytest.mark.parametrize("change", ["moved", "disguised"])
def test_the_end_of_an_old_list_cannot_be_hidden(change: str) -> None:
    # some issuers give list and subject one id; who keeps an old list, without the bit, could serve it on
    web = published()
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    subject |= {"id": STATUS_URL, "type": ["BitstringStatusList", "VerifiableCredential"]}
    end = "2025-11-22T09:00:00Z"
    publish_status(web, Key(), credentialSubject=subject, validUntil=end)
    document = json.loads(web.documents[STATUS_URL])
    del document["validUntil"]
    if change == "moved":
        document["credentialSubject"]["validUntil"] = end
    else:
        document["https://www.w3.org/2018/credentials#validUntil"] = {"@type": DATE, "@value": end}
    web.publish(STATUS_URL, document)
    report = judge(signed(), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "status_list_invalid"
    why = {"moved": "member_hidden", "disguised": "member_name_disguised"}[change]
    assert report.steps[-1].params["why"] == why


def test_a_list_in_an_unknown_vocabulary_leaves_it_open() -> None:
    web = published()
    document = json.loads(web.documents[STATUS_URL])
    document["@context"].append("https://example.org/more.json")
    web.publish(STATUS_URL, document)
    report = judge(signed(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["status"] == "context_unknown"


def test_a_list_for_another_purpose_does_not_count() -> None:
    web = published()
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    publish_status(web, Key(), credentialSubject=subject | {"statusPurpose": "suspension"})
    assert details(judge(signed(), web))["status"] == "status_purpose_differs"


def test_an_index_outside_the_list_is_no_all_clear() -> None:
    assert (
        details(judge(signed(badge(status=StatusEntry(STATUS_URL, 131_072)))))["status"]
        == "status_list_invalid"
    )


def test_suspended_is_told_apart_from_revoked() -> None:
    web = published(revoked=(5,))
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    publish_status(web, Key(), credentialSubject=subject | {"statusPurpose": "suspension"})
    document = signed(badge(status=StatusEntry(STATUS_URL, 5, "suspension")))
    assert details(judge(document, web))["status"] == "suspended"


def test_without_a_status_entry_nothing_is_asked() -> None:
    web = published()
    report = judge(signed(badge(status=None)), web)
    assert report.verdict is Verdict.VALID
    assert report.steps[-1].outcome is Outcome.SKIPPED
    assert STATUS_URL not in web.asked


def test_the_list_of_1edtech_is_understood() -> None:
    document = badge(refresh_url="https://badges.example.edu/r")
    url = "https://badges.example.edu/revocations"
    document["credentialStatus"] = {"id": url, "type": "1EdTechRevocationList"}
    web = published()
    assert judge(signed(document), web).verdict is Verdict.INCONCLUSIVE
    web.publish(url, {"id": url, "issuer": DID, "revokedCredential": []})
    assert judge(signed(document), web).verdict is Verdict.VALID
    web.publish(
        url, {"id": url, "issuer": DID, "revokedCredential": [{"id": document["id"], "revoked": True}]}
    )
    assert details(judge(signed(document), web))["status"] == "revoked"


# -- containers


PICTURE = render_svg(Artwork("circle", "award", "#0b3d63", "#ffffff", "x", "x"))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_baked_picture_is_read(kind: str) -> None:
    text = sign_credential(badge(), Key(), NOW).text
    data = (
        bake_png(render_png(PICTURE, 32), text)
        if kind == "png"
        else baked_svg(PICTURE, f"<![CDATA[{text}]]>")
    )
    report = judge(data)
    assert report.verdict is Verdict.VALID
    assert details(report)["read"] == f"read_{kind}"


@pytest.mark.parametrize(
    "data,reason",
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"\xff\xfe\x00", "not_text"),
        (b"[]", "not_a_credential"),
        (b'{"a": 1}', "not_a_credential"),
        (b"null", "not_a_credential"),
        (b"%PDF-1.7", "not_json"),
        (b'{"@context": "https://schema.org"}', "not_a_credential"),
        (b" " * 300_000, "too_large"),
        (render_png(PICTURE, 32), "no_credential_in_image"),
        (PICTURE.encode(), "no_credential_in_image"),
        (b"a.b.c", "not_a_jwt"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (5 * 1024 * 1024), "too_large"),
    ],
    ids=range(13),
)
def test_what_is_no_credential_at_all_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(NotACredential) as refused:
        judge(data)
    assert refused.value.reason == reason


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    text = json.dumps(signed()).replace("0.5", value)
    assert judge(text.encode()).verdict is Verdict.INVALID


def test_an_open_badge_2_is_recognised_but_not_judged_here() -> None:
    assertion = {
        "@context": "https://w3id.org/openbadges/v2",
        "type": "Assertion",
        "id": "https://x.example/1",
    }
    report = judge(assertion)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["structure"] == "open_badges_2_unsupported"


@pytest.mark.parametrize(
    "change,detail",
    [
        ({"type": ["VerifiableCredential"]}, "not_an_open_badge"),
        ({"type": ["OpenBadgeCredential"]}, "type_missing"),
        ({"@context": ["https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]}, "first_context_wrong"),
        ({"id": None}, "id_missing"),
        ({"issuer": {}}, "issuer_missing"),
        ({"issuer": [DID]}, "issuer_missing"),
        ({"credentialSubject": "x"}, "subject_missing"),
        ({"credentialSubject": [{}, {}]}, "several_subjects"),
        ({"credentialSubject": {"type": ["AchievementSubject"]}}, "subject_not_identified"),
    ],
)
def test_a_badge_has_the_parts_of_a_badge(change: dict[str, Any], detail: str) -> None:
    report = judge(signed() | change)
    assert report.verdict is Verdict.INVALID
    assert details(report)["structure"] == detail


# -- endurance


def test_too_deep_nesting_is_not_followed() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"endorsement": [deep]}
    report = judge(json.dumps(signed() | deep).encode())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report) == {"read": "too_deep"}


def test_a_hundred_thousand_brackets_do_no_harm() -> None:
    report = judge(b'{"type": ["VerifiableCredential"], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert details(report) == {"read": "too_deep"}


def test_a_badge_of_fifteen_hundred_alignments_is_not_followed() -> None:
    document = signed()
    alignment = document["credentialSubject"]["achievement"]["alignment"][0]
    document["credentialSubject"]["achievement"]["alignment"] = [
        alignment | {"targetUrl": f"https://x.example/{number}"} for number in range(1500)
    ]
    report = judge(document)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report) == {"read": "too_many_values"}


def test_many_alike_blank_nodes_are_not_told_apart() -> None:
    document = signed()
    document["evidence"] = [{"type": ["Evidence"], "narrative": "same"}] * 500
    report = judge(document)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["contexts"] == "blank_nodes_alike"


def test_lone_surrogates_are_refused() -> None:
    report = judge(json.dumps(signed() | {"name": "\ud83d"}).encode())
    assert details(report)["contexts"] == "lone_surrogate"


def test_an_integer_of_ten_thousand_digits_does_no_harm() -> None:
    text = json.dumps(signed()).replace("0.5", "1" * 10_000)
    try:
        verdict = judge(text.encode()).verdict
    except NotACredential:
        verdict = Verdict.INVALID
    assert verdict is Verdict.INVALID


def test_the_issuer_may_be_named_alone() -> None:
    document = badge()
    document["issuer"] = ISSUER.id
    assert verify(signed(document), fetch=published(), now=NOW).verdict is Verdict.VALID
