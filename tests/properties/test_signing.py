"""The fast route of signing is the full algorithm: the same bytes, or no answer at all."""

from __future__ import annotations

import copy
import json
from typing import Any

import pyoxigraph
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lti_tool.credentials import signing
from lti_tool.credentials.contexts import load_context
from lti_tool.credentials.documents import Evidence, Result, StatusEntry, SubjectIdentity
from lti_tool.credentials.errors import CredentialInvalid
from lti_tool.credentials.jsonld import canonicalise
from lti_tool.credentials.linting import is_written_alike
from lti_tool.credentials.shapes import Shape, ShapeCache
from lti_tool.credentials.signing import sign_credential
from lti_tool.keyring import Signer as KeyringSigner
from tests.unit.credentials.badges import NOW, RESULT_ID, Key, badge, full_badge

HOSTILE = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from('\t\n\r\b\f\x00\x01\x1f\x7f"\\%{}<>_:^@ \u00a0\u2028\ufeff\uffff\U0001f600s0'),
    ),
    min_size=1,
    max_size=30,
)
IRIS = st.one_of(
    st.sampled_from(
        [
            "https://badges.example.edu/status/1",
            "https://badges.example.edu/achievements/7",
            "https://badges.example.edu/credentials/5",
            "urn:uuid:f6ab24cd-86e8-4eaf-b8c6-ded74e8fd41c",
            "did:web:badges.example.edu",
            "_:b0",
            "name:x",
            "https://badges.example.edu/a b",
            "https://badges.example.edu/%20?a=1#b",
            "https://badges.example.edu/../x/./y",
            "HTTPS://Badges.example.edu",
            "relative",
            "https://x.example/%zz",
            "https://x.example/#a#b",
            "https://x.example:port/",
            "https://x.example?a[0]=1",
        ]
    ),
    st.from_regex(r"https://[a-z]{1,8}\.example/[A-Za-z0-9._~%?#/=\-]{0,20}", fullmatch=True),
)


def with_contexts(value: Any) -> Any:
    """A document in which contexts stand themselves; embedded endorsements name theirs again."""
    if isinstance(value, list):
        return [with_contexts(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        key: [load_context(url)["@context"] for url in member] if key == "@context" else with_contexts(member)
        for key, member in value.items()
    }


def by_pyoxigraph(document: dict[str, Any]) -> str:
    """An independent way: pyoxigraph reads JSON-LD by itself, with the contexts put in."""
    quads = pyoxigraph.parse(
        json.dumps(with_contexts(document)).encode(), format=pyoxigraph.RdfFormat.JSON_LD
    )
    dataset = pyoxigraph.Dataset(quads)
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    written = pyoxigraph.serialize(dataset, format=pyoxigraph.RdfFormat.N_QUADS)
    assert written is not None
    return "".join(sorted(f"{line}\n" for line in written.decode().split("\n") if line))


def of(
    narrative: str = "n",
    evidence_id: str = "https://x.example/1",
    value: str = "1",
    salt: str = "0" * 32,
    status: str = "https://badges.example.edu/status/1",
    number: int = 5,
) -> dict[str, Any]:
    return badge(
        number,
        subject=SubjectIdentity("emailAddress", "sha256$" + "0" * 64, salt),
        evidence=[
            Evidence(id=evidence_id, name="e", narrative=narrative),
            Evidence(narrative="fixed number of them"),
        ],
        results=[Result(RESULT_ID, value)],
        status=StatusEntry(status, number),
        refresh_url="https://badges.example.edu/refresh/1",
    )


SHAPE = Shape(of())


@given(HOSTILE, IRIS, HOSTILE, HOSTILE, IRIS, st.integers(0, 10**6))
def test_fast_full_and_independent_routes_agree_or_the_fast_one_steps_back(
    narrative: str, evidence_id: str, value: str, salt: str, status: str, number: int
) -> None:
    document = of(narrative, evidence_id, value, salt, status, number)
    filled = SHAPE.fill(document)
    if filled is None:
        return
    assert filled.canonical == canonicalise(document)
    assert filled.canonical == by_pyoxigraph(document)
    assert json.loads(filled.text) == document
    assert filled == signing._fill_in_full(document)


@given(
    st.text(
        alphabet=st.characters(codec="utf-8", max_codepoint=0xD7FF, exclude_categories=["Cc"]),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 10**6),
)
def test_ordinary_learners_do_take_the_fast_route(text: str, number: int) -> None:
    document = of(narrative=text, value=text[::-1], number=number)
    filled = SHAPE.fill(document)
    assert filled is not None
    assert filled.canonical == canonicalise(document)


@given(HOSTILE)
def test_the_full_route_agrees_with_an_independent_one(text: str) -> None:
    document = of(narrative=text)
    document["name"] = text
    assert canonicalise(document) == by_pyoxigraph(document)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_signatures_are_the_bytes_that_another_library_makes(seed: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    signer = KeyringSigner("issuers/1", "k", "active", key)
    assert signer.sign(message) == signer.sign(message) == key.sign(message)


def change(document: dict[str, Any], path: tuple[Any, ...], to: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return changed


@pytest.mark.parametrize(
    "path,to",
    [
        (("name",), "Another"),
        (("issuer", "name"), "Another"),
        (("credentialSubject", "identifier", 0, "hashed"), 1),
        (("credentialSubject", "identifier", 0, "hashed"), False),
        (("credentialSubject", "achievement", "creditsAvailable"), 0.25),
        (("credentialSubject", "achievement", "tag"), ["privacy"]),
        (("credentialSubject", "achievement", "tag"), ["law", "privacy"]),
        (("credentialSubject", "result"), []),
        (("credentialSubject", "narrative"), "more"),
        (("evidence", 0, "name"), ...),
        (("evidence", 0, "name"), ["x"]),
        (("evidence", 0, "genre"), "x"),
        (("evidence",), {}),
        (("credentialStatus", "statusPurpose"), "suspension"),
        (("credentialStatus", "statusListIndex"), 5),
        (("@context", 0), "https://www.w3.org/2018/credentials/v1"),
        (("validFrom",), "2026-01-01"),
        (("id",), "https://badges.example.edu/achievements/7"),
        (("credentialStatus", "id"), "https://badges.example.edu/credentials/5"),
        (("zip",), "x"),
    ],
    ids=str,
)
def test_whatever_is_not_of_the_shape_is_left_to_the_full_route(path: tuple[Any, ...], to: Any) -> None:
    assert SHAPE.fill(of()) is not None
    assert SHAPE.fill(change(of(), path, to)) is None


def test_equal_blank_nodes_are_left_to_the_full_route() -> None:
    document = badge(evidence=[Evidence(narrative="a"), Evidence(narrative="b")])
    shape = Shape(document)
    same = badge(evidence=[Evidence(narrative="a"), Evidence(narrative="a")])
    assert shape.fill(document) is not None
    assert shape.fill(same) is None
    assert canonicalise(same) == by_pyoxigraph(same)


def test_texts_that_look_like_our_sentinels_are_texts() -> None:
    for text in ("urn:slot:0", "%s", "%(a)s", "_:c14n0", "urn:slot:" + "0" * 24 + ":1"):
        document = badge(narrative=text)
        document["name"] = text
        filled = Shape(document).fill(document)
        assert filled is not None
        assert filled.canonical == canonicalise(document)
        assert json.loads(filled.text) == document


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_signed_texts_do_not_depend_on_what_was_signed_before(numbers: list[int]) -> None:
    signing._shapes = ShapeCache()
    texts = [sign_credential(badge(number), Key(), NOW).text for number in numbers]
    for number, text in zip(numbers, texts, strict=True):
        signing._shapes = ShapeCache()
        assert sign_credential(badge(number), Key(), NOW).text == text


def test_what_may_not_be_signed_is_refused_on_either_route() -> None:
    for number in range(3):
        sign_credential(badge(number), Key(), NOW)
    for number in range(2):
        with pytest.raises(CredentialInvalid) as refused:
            sign_credential(badge(number, narrative="a\x01"), Key(), NOW)
        assert refused.value.params["reason"] == "control_character"
    with pytest.raises(CredentialInvalid) as again:
        sign_credential(sign_credential(badge(), Key(), NOW).document, Key(), NOW)
    assert again.value.params["reason"] == "signed_already"


def test_a_shape_that_errs_is_found_out_and_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(signing, "_shapes", ShapeCache())
    monkeypatch.setattr(signing, "SELF_CHECK_EVERY", 1)
    right = [sign_credential(badge(number), Key(), NOW).text for number in range(3)]
    (shape,) = signing._shapes._shapes.values()
    assert shape is not None
    shape._constant_pieces[0] = shape._constant_pieces[0].replace("<", "<x", 1)
    assert sign_credential(badge(2), Key(), NOW).text == right[2]
    assert "signing_shape_differs" in caplog.text
    assert not signing._shapes._shapes
    assert signing._shapes._latest is None


def test_the_hash_of_a_beginning_is_taken_up_only_where_it_is_the_beginning() -> None:
    """Constant lines come first until something that is filled in sorts before them."""
    shape = Shape(of())
    for iri in (
        "https://x.example/1",
        "https://a.example/1",
        "did:key:z1",
        "https://x.example/2",
        "did:key:z2",
    ):
        document = of(evidence_id=iri)
        assert shape.fill(document) == signing._fill_in_full(document)


def test_the_cache_forgets_what_is_long_unused() -> None:
    cache = ShapeCache(size=2)
    documents = [
        change(badge(), ("credentialSubject", "achievement", "id"), f"https://x.example/{n}")
        for n in range(3)
    ]
    for document in documents:
        assert cache.find(document) is None
    assert cache.find(documents[0]) is None  # forgotten
    assert cache.find(documents[2]) is not None


# -- badges with everything in them

ENDORSED = full_badge()
NUMBERS = st.one_of(
    st.integers(0, 10**9),
    # those that verifiers write differently are never signed (linting.py)
    st.integers(1, 10**7)
    .map(lambda cents: cents / 100)
    .filter(lambda number: not number.is_integer() and is_written_alike(number)),
    st.sampled_from([0.5, 0.1, 1e-7, 1e21, 2.5e-10, 1234567.875]).filter(
        lambda number: not float(number).is_integer()
    ),
)


def everything(
    texts: list[str], iri: str, number: int, without: frozenset[str], worth: float, identities: int
) -> dict[str, Any]:
    """A badge of which some members are left out, with one or two identities and two endorsements inside."""
    document = copy.deepcopy(ENDORSED)
    document["id"] = f"https://badges.example.edu/credentials/{number}"
    document["credentialStatus"] = StatusEntry("https://badges.example.edu/status/1", number).document()
    subject = document["credentialSubject"]
    subject["narrative"], document["evidence"][0]["narrative"], subject["result"][0]["value"] = texts[:3]
    document["evidence"][1]["id"] = iri
    subject["achievement"]["creditsAvailable"] = worth
    second = {**subject["identifier"][0], "identityType": "ltiUserId", "salt": texts[3]}
    subject["identifier"] = [subject["identifier"][0], second][:identities]
    for name in without:
        for holder in (document, subject, subject["achievement"], document["issuer"]):
            holder.pop(name, None)
    return document


@settings(max_examples=25)
@given(
    st.lists(HOSTILE, min_size=8, max_size=8),
    st.tuples(IRIS, IRIS),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    st.frozensets(
        st.sampled_from(
            "narrative result evidence validUntil termsOfUse refreshService endorsement alignment related "
            "humanCode creditsAvailable tag credentialStatus".split()
        ),
        max_size=5,
    ),
    NUMBERS,
    st.integers(1, 2),
)
def test_badges_with_any_members_agree_or_the_fast_route_steps_back(
    texts: list[str],
    iris: tuple[str, str],
    numbers: tuple[int, int],
    without: frozenset[str],
    worth: float,
    identities: int,
) -> None:
    first = everything(texts[:4], "https://x.example/1", numbers[0], without, worth, identities)
    second = everything(texts[4:], iris[1], numbers[1], without, worth, identities)
    try:
        shape = Shape(first)
    except (CredentialInvalid, ValueError):
        return
    for document in (first, second):
        filled = shape.fill(document)
        if filled is None:
            continue
        assert filled.canonical == canonicalise(document)
        assert filled.canonical == by_pyoxigraph(document)
        assert json.loads(filled.text) == document
        assert filled == signing._fill_in_full(document)


def test_a_full_badge_of_another_learner_takes_the_fast_route() -> None:
    document = full_badge(6)
    filled = Shape(full_badge(5)).fill(document)
    assert filled is not None
    assert filled.canonical == canonicalise(document) == by_pyoxigraph(document)


def test_an_endorsement_that_differs_in_one_letter_is_left_to_the_full_route() -> None:
    shape = Shape(full_badge(5))
    document = full_badge(5)
    proof = document["issuer"]["endorsement"][0]["proof"][0]
    proof["proofValue"] = proof["proofValue"][:-1] + ("1" if proof["proofValue"][-1] != "1" else "2")
    assert shape.fill(document) is None


@pytest.mark.parametrize("kind", ["emailAddress", "ltiUserId"])
def test_learners_of_either_kind_find_a_shape_of_their_own(kind: str) -> None:
    """A school in which some have no e-mail address: nobody's kind drives out the other's."""
    cache = ShapeCache()
    for number in range(4):
        for identity_type in ("emailAddress", "ltiUserId"):
            subject = SubjectIdentity(identity_type, "sha256$" + "0" * 64, f"{number:032x}")
            cache.find(badge(number, subject=subject))
    assert cache.find(badge(9, subject=SubjectIdentity(kind, "sha256$" + "1" * 64, "2" * 32))) is not None


def test_what_badges_share_is_not_shared_with_whoever_changes_one() -> None:
    changed = badge(1)
    changed["credentialSubject"]["achievement"]["name"] = "Another"
    changed["issuer"]["name"] = "Another"
    assert badge(2)["credentialSubject"]["achievement"]["name"] == "Data Protection Basics"
    assert badge(2)["issuer"]["name"] == "Example University"
