from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid
from lti_tool.credentials.linting import lint_credential, lint_order, parse_date
from tests.unit.credentials.badges import badge

Change = Callable[[dict[str, Any]], object]


def test_what_we_build_may_be_signed() -> None:
    lint_credential(badge())
    lint_credential(
        badge(
            refresh_url="https://badges.example.edu/r", narrative="Tab\tand\nline", subject_id="did:key:z6MkA"
        )
    )


def set_in(*path: Any, to: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


def in_achievement(name: str, to: Any) -> Change:
    return set_in("credentialSubject", "achievement", name, to=to)


AT = "/credentialSubject/achievement"
REFUSED: list[tuple[Change, str, str]] = [
    (set_in("zip", to="x"), "term_unknown", "/zip"),
    (set_in("issuer", "motto", to="x"), "term_unknown", "/issuer/motto"),
    (set_in("evidence", 0, "salt", to="x"), "term_unknown", "/evidence/0/salt"),
    (
        in_achievement("hashed", to=True),
        "term_unknown",
        f"{AT}/hashed",
    ),
    (set_in("type", 1, to="Nonsense"), "not_an_absolute_iri", "/type/1"),
    (set_in("issuer", "type", to=["Profil"]), "not_an_absolute_iri", "/issuer/type/0"),
    (set_in("id", to="credentials/5"), "not_an_absolute_iri", "/id"),
    (set_in("id", to="//badges.example.edu/5"), "not_an_absolute_iri", "/id"),
    (set_in("credentialStatus", "id", to="#5"), "not_an_absolute_iri", "/credentialStatus/id"),
    (set_in("@graph", to=[]), "json_ld_keyword", "/@graph"),
    (set_in("evidence", 0, "@id", to="https://x.example/"), "json_ld_keyword", "/evidence/0/@id"),
    (set_in("name", to="a\x01b"), "control_character", "/name"),
    (set_in("name", to="a\x7fb"), "control_character", "/name"),
    (set_in("name", to="a\ud800b"), "lone_surrogate", "/name"),
    (set_in("name", to=""), "empty", "/name"),
    (set_in("name", to=None), "null", "/name"),
    (set_in("evidence", to=[]), "empty", "/evidence"),
    (set_in("evidence", 0, to={}), "empty", "/evidence/0"),
    (set_in("validFrom", to="2026-01-01T00:00:00"), "not_an_aware_date", "/validFrom"),
    (set_in("validUntil", to="2026-02-30T00:00:00Z"), "not_an_aware_date", "/validUntil"),
    (set_in("awardedDate", to="yesterday"), "not_an_aware_date", "/awardedDate"),
    (in_achievement("inLanguage", to="pt_br"), "not_a_language_tag", f"{AT}/inLanguage"),
    (in_achievement("inLanguage", to="pt-br"), "not_a_language_tag", f"{AT}/inLanguage"),
    (in_achievement("inLanguage", to="English"), "not_a_language_tag", f"{AT}/inLanguage"),
    (
        in_achievement("tag", to=["a", "a"]),
        "repeated",
        f"{AT}/tag",
    ),
    (
        in_achievement("creditsAvailable", to=2.0),
        "write_as_integer",
        f"{AT}/creditsAvailable",
    ),
    (
        in_achievement("creditsAvailable", to=8.3),
        "written_differently",
        f"{AT}/creditsAvailable",
    ),
    (
        in_achievement("creditsAvailable", to=b"1"),
        "not_json",
        f"{AT}/creditsAvailable",
    ),
]


@pytest.mark.parametrize(
    "change,reason,pointer", REFUSED, ids=[f"{n}-{case[1]}" for n, case in enumerate(REFUSED)]
)
def test_what_must_not_be_signed_is_named(change: Change, reason: str, pointer: str) -> None:
    document = copy.deepcopy(badge())
    change(document)
    with pytest.raises(CredentialInvalid) as refused:
        lint_credential(document)
    assert refused.value.params["reason"] == reason
    assert refused.value.params["pointer"] == pointer


def test_a_foreign_context_is_refused() -> None:
    document = badge()
    document["@context"].append("https://evil.example/context.json")
    with pytest.raises(ContextNotVendored):
        lint_credential(document)


def test_texts_that_node_sorts_differently_are_refused() -> None:
    # U+FF21 and an emoji: by code point the first is smaller, by UTF-16 unit the second
    lines = '<a:b> <a:p> "\uff21" .\n<a:b> <a:p> "\U0001f600" .\n'
    with pytest.raises(CredentialInvalid) as refused:
        lint_order(lines)
    assert refused.value.params["reason"] == "sorted_differently_by_node"
    lint_order('<a:b> <a:p> "\U0001f600" .\n<a:b> <a:q> "\uff21" .\n')


@pytest.mark.parametrize("number", [0, 3, 0.5, 2.25, 0.1, 9.99, 1e-7, 2.5e-10, 1234567.875])
def test_numbers_that_everybody_writes_alike_may_be_signed(number: float) -> None:
    document = copy.deepcopy(badge())
    document["credentialSubject"]["achievement"]["creditsAvailable"] = number
    lint_credential(document)


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hant", "zh-Hant-TW", "es-419"])
def test_language_tags_may_be_signed(tag: str) -> None:
    document = copy.deepcopy(badge())
    document["credentialSubject"]["achievement"]["inLanguage"] = tag
    lint_credential(document)


@pytest.mark.parametrize("separator", ["\u0085", "\u2028", "\u2029", "\x1c"])
def test_a_separator_inside_a_literal_ends_no_line(separator: str) -> None:
    # cut there, the second half of the first literal would be compared as a line of its own
    lint_order(f'<a:b> <a:p> "\U0001f600{separator}\uff21" .\n<a:b> <a:q> "x" .\n')


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789+02:00", "2026-12-31T23:59:59-11:30"]
)
def test_aware_dates_are_read(text: str) -> None:
    assert parse_date(text).utcoffset() is not None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01T00:00Z",
        "2026-01-01 00:00:00Z",
        "20260101T000000Z",
        1,
        None,
        "2026-13-01T00:00:00Z",
    ],
)
def test_other_dates_are_not(text: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_date(text)
