from __future__ import annotations

import base64
import gzip

import pytest

from lti_tool.credentials.linting import lint_credential
from lti_tool.credentials.status_list import (
    MAXIMUM_ENTRIES,
    MINIMUM_ENTRIES,
    StatusList,
    build_status_list_credential,
)
from tests.unit.credentials.badges import ISSUER, NOW


def test_bit_zero_is_the_most_significant_one() -> None:
    bits = base64.urlsafe_b64decode(StatusList.of([0, 9]).encode()[1:] + "==")
    assert gzip.decompress(bits)[:2] == b"\x80\x40"


def test_what_is_written_is_read() -> None:
    made = StatusList.of([0, 7, 8, 131_071])
    read = StatusList.decode(made.encode())
    assert len(read) == MINIMUM_ENTRIES
    assert [index for index in range(MINIMUM_ENTRIES) if read[index]] == [0, 7, 8, 131_071]


def test_the_encoding_is_deterministic_and_unpadded_base64url() -> None:
    made = StatusList.of(range(0, 5000, 3))
    assert made.encode() == StatusList.decode(made.encode()).encode()
    assert made.encode().startswith("u")
    assert not set(made.encode()) & set("+/=")


def test_a_bit_can_be_cleared() -> None:
    made = StatusList.of([3])
    made.set(3, False)
    assert not made[3]
    assert made.encode() == StatusList.empty().encode()


@pytest.mark.parametrize("index", [-1, MINIMUM_ENTRIES])
def test_there_is_nothing_outside(index: int) -> None:
    with pytest.raises(IndexError):
        StatusList.empty()[index]
    with pytest.raises(IndexError):
        StatusList.empty().set(index)


@pytest.mark.parametrize("entries", [8, MINIMUM_ENTRIES - 8, MINIMUM_ENTRIES + 1])
def test_small_lists_would_tell_whose_badge_is_looked_at(entries: int) -> None:
    with pytest.raises(ValueError, match="131072"):
        StatusList.empty(entries)


def packed(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "u",
        "uäöü",
        packed(b"not gzip"),
        packed(gzip.compress(b"\0" * 100)[:-4]),
        packed(gzip.compress(b"\0" * 100) + b"more"),
        packed(gzip.compress(b"\0" * (MAXIMUM_ENTRIES // 8 + 1))),
        packed(gzip.compress(b"\0" * 200_000_000, compresslevel=1)),
        "u" + "A" * (MAXIMUM_ENTRIES // 4 + 1),
    ],
    ids=[
        "empty",
        "nothing",
        "not-base64",
        "not-gzip",
        "cut-off",
        "trailing",
        "too-large",
        "bomb",
        "too-long",
    ],
)
def test_broken_and_exploding_lists_are_refused(encoded: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        StatusList.decode(encoded)


def test_the_list_credential_may_be_signed() -> None:
    document = build_status_list_credential(
        list_url="https://a.example/status/1", issuer=ISSUER, bits=StatusList.empty(), valid_from=NOW
    )
    lint_credential(document)
    assert document["issuer"] == ISSUER.id
    assert document["credentialSubject"]["statusPurpose"] == "revocation"
