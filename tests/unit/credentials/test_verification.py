"""What a hostile reader would try, and what an honest one needs to be told."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.credentials.baking import OPEN_BADGES_2, bake_png, bake_svg
from lti_tool.credentials.documents import Evidence, RelatedAchievement
from lti_tool.credentials.errors import NotACredential
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.verification import ClaimedResult, ClaimedWork, Outcome, Verdict, verify
from tests.unit.credentials.badges import (
    ACHIEVEMENT,
    DATE,
    DID,
    DID_URL,
    ISSUER,
    NOW,
    STATUS_URL,
    Key,
    badge,
    baked_svg,
    details,
    judge,
    published,
    signed,
)


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
    assert report.credential.tags == ("privacy", "law")
    assert report.credential.results == (ClaimedResult("Quiz 1", "85", is_percent=True),)


def test_work_is_named_from_the_evidence_whatever_strangers_put_there() -> None:
    document = badge()
    strange: list[Any] = [None, 5, "https://one.example", {"name": "No address"}, {"id": 7}]
    good = {"id": "https://work.example/1", "type": ["Evidence"], "name": "Essay"}
    document["evidence"] = [
        *strange,
        good,
        {"id": "https://work.example/2", "name": {}},
        *({"id": "urn:x"},) * 100,
    ]
    report = judge(json.dumps(document).encode())
    assert report.credential is not None
    assert report.credential.work[:2] == (
        ClaimedWork("https://work.example/1", "Essay"),
        ClaimedWork("https://work.example/2", None),
    )
    assert len(report.credential.work) <= 20


def test_both_routes_of_signing_are_valid() -> None:
    texts = [sign_credential(badge(number), Key(), NOW).text for number in range(3)]
    assert {judge(text.encode()).verdict for text in texts} == {Verdict.VALID}


def test_which_version_it_is_and_what_came_before_is_read_from_the_badge_alone() -> None:
    before = RelatedAchievement("https://badges.example/achievements/1", "1")
    web = published()
    document = badge(achievement=replace(ACHIEVEMENT, version="2", related=(before,)))
    report = judge(sign_credential(document, Key(), NOW).text.encode(), web)
    assert report.verdict is Verdict.VALID
    assert report.credential is not None
    assert report.credential.version == "2"
    assert report.credential.related == (("https://badges.example/achievements/1", "1"),)
    assert set(web.asked) == {DID_URL, STATUS_URL}  # nobody is asked for later versions


def test_a_stranger_s_related_achievements_may_be_anything_and_any_number() -> None:
    document = badge()
    strange: list[Any] = [
        None,
        5,
        "https://one.example",
        {"id": 7},
        {"id": "javascript:alert(1)", "version": {}},
    ]
    document["credentialSubject"]["achievement"]["related"] = [*strange, *({"id": "urn:x"},) * 100]
    report = judge(json.dumps(document).encode())
    assert report.credential is not None
    assert ("javascript:alert(1)", None) in report.credential.related
    assert len(report.credential.related) <= 20


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
    drawing = bake_svg(PICTURE, json.dumps(assertion), OPEN_BADGES_2).encode()
    image = bake_png(render_png(PICTURE, 32), json.dumps(assertion), OPEN_BADGES_2)
    for report in (judge(assertion), judge(drawing), judge(image)):
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
    alignment = {"type": ["Alignment"], "targetName": "same", "targetUrl": "https://x.example/"}
    result = {"type": ["Result"], "value": "1", "alignment": [alignment] * 9}
    document["credentialSubject"]["result"] = [result] * 2
    report = judge(document)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["contexts"] == "blank_nodes_alike"


def test_copies_that_nothing_links_are_canonicalised_however_many() -> None:
    document = badge(evidence=[Evidence(narrative="same")] * 400)
    assert judge(signed(document)).verdict is Verdict.VALID
    document["evidence"] *= 2
    assert details(judge(signed(document)))["read"] == "too_many_values"


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


def _with(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("value", [[], {}, ["2025-11-22T09:30:00Z"], 7, None], ids=str)
@pytest.mark.parametrize(
    "path,detail",
    [
        (("validFrom",), "date_malformed"),
        (("proof", 0, "created"), "proof_date_malformed"),
        (("proof", 0, "cryptosuite"), "suite_unsupported"),
        (("proof", 0, "type"), "suite_unsupported"),
    ],
)
def test_a_value_of_another_kind_is_an_answer_and_no_crash(
    path: tuple[Any, ...], detail: str, value: Any
) -> None:
    report = judge(_with(signed(), path, value))
    assert report.verdict is not Verdict.VALID
    assert detail in details(report).values()


@pytest.mark.parametrize("value", [[], {}, 7, None], ids=str)
def test_a_controller_document_of_other_kinds_is_an_answer_and_no_crash(value: Any) -> None:
    web = published()
    document = json.loads(web.documents[DID_URL])
    web.publish(DID_URL, _with(document, ("verificationMethod", 0, "id"), value))
    assert details(judge(signed(), web))["proof"] == "key_not_listed"
