from __future__ import annotations

import base58
import pytest

from lti_tool.credentials import did, multikey


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0\0\1",
        b"\xff" * 64,
        b"\0" * 8 + b"\x01" * 56,
        *(bytes(range(n, 2 * n)) for n in range(2, 70)),
    ],
)
def test_base58_is_what_the_reference_library_writes(data: bytes) -> None:
    assert multikey.encode_base58(data) == base58.b58encode(data).decode()
    assert multikey.decode_base58(multikey.encode_base58(data)) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "z_", "é", "1" * 600])
def test_foreign_characters_and_endless_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base58"):
        multikey.decode_base58(text)


def test_an_ed25519_key_begins_with_z6mk() -> None:
    text = multikey.encode_ed25519(b"\x05" * 32)
    assert text.startswith("z6Mk")
    assert multikey.decode_ed25519(text) == b"\x05" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "u7QE",
        "z6Mk",
        "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        multikey.encode_ed25519(b"\1" * 32)[:-1],
    ],
)
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        multikey.decode_ed25519(text)


def test_a_key_of_another_length_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="32"):
        multikey.encode_ed25519(b"\1" * 31)


@pytest.mark.parametrize(
    "url,identifier,document",
    [
        ("https://a.example", "did:web:a.example", "https://a.example/.well-known/did.json"),
        (
            "https://a.example/issuers/42",
            "did:web:a.example:issuers:42",
            "https://a.example/issuers/42/did.json",
        ),
        ("https://a.example:8443/i/4", "did:web:a.example%3A8443:i:4", "https://a.example:8443/i/4/did.json"),
        ("http://localhost:8000/i/4/", "did:web:localhost%3A8000:i:4", "http://localhost:8000/i/4/did.json"),
    ],
)
def test_did_web_goes_both_ways(url: str, identifier: str, document: str) -> None:
    assert did.did_web_for(url) == identifier
    assert did.did_web_url(identifier) == document


@pytest.mark.parametrize(
    "url", ["", "/issuers/1", "https://u:p@a.example", "https://a.example/?x=1", "https://a.example/#x"]
)
def test_no_did_stands_for_other_urls(url: str) -> None:
    with pytest.raises(ValueError, match="did:web"):
        did.did_web_for(url)


@pytest.mark.parametrize(
    "identifier",
    [
        "did:web:",
        "did:web:a.example/../x",
        "did:web:a.example:..:x",
        "did:web:a.example:%2e%2e:x",
        "did:web:a.example:a%2Fb",
        "did:web:user@a.example",
        "did:web:a.example%3A99999999",
        "did:web:a.example#key",
        "did:web:a.example?x",
        "did:key:z6Mk",
    ],
)
def test_a_did_web_cannot_leave_its_place(identifier: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        did.did_web_url(identifier)


def test_the_document_lists_active_and_retired_keys_for_assertions() -> None:
    document = did.did_document("did:web:a.example", [("k2", "z6MkB"), ("k1", "z6MkA")])
    assert document["@context"][0] == "https://www.w3.org/ns/did/v1"
    assert document["assertionMethod"] == ["did:web:a.example#k2", "did:web:a.example#k1"]
    assert [entry["publicKeyMultibase"] for entry in document["verificationMethod"]] == ["z6MkB", "z6MkA"]
    assert {entry["controller"] for entry in document["verificationMethod"]} == {"did:web:a.example"}


def test_did_key_resolves_to_itself() -> None:
    key = multikey.encode_ed25519(b"\x09" * 32)
    assert did.resolve_did_key(f"did:key:{key}")["assertionMethod"] == [f"did:key:{key}#{key}"]
    with pytest.raises(ValueError, match=r"\w"):
        did.resolve_did_key("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169")
