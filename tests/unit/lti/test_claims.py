"""Reading claims: what identifies is exact or refused, what is shown is cleaned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti import claims


@given(st.text())
def test_an_identifier_is_taken_exactly_or_not_at_all(value: str) -> None:
    if value.isascii() and value.isprintable() and len(value) <= 255:
        assert claims.identifier(value, "sub") == (value or None)
        return
    with pytest.raises(LaunchRefused) as refused:
        claims.identifier(value, "sub")
    assert refused.value.code is ErrorCode.LAUNCH_CLAIM_INVALID


@given(st.text(), st.integers(1, 50))
def test_text_is_always_storable(value: str, length: int) -> None:
    cleaned = claims.text(value, length)
    assert cleaned is None or (0 < len(cleaned) <= length and "\x00" not in cleaned and "\n" not in cleaned)


@pytest.mark.parametrize("value", [None, 5, [], {}, True, "", "  ", "\x00\n"], ids=repr)
def test_text_that_says_nothing_is_none(value: object) -> None:
    assert claims.text(value, 10) is None


@pytest.mark.parametrize(
    "url, origin, host",
    [
        ("https://lms.example/a?b#c", "https://lms.example", "lms.example"),
        ("HTTPS://LMS.Example:443/", "https://lms.example", "lms.example"),
        ("http://lms.example:80", "http://lms.example", "lms.example"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("https://[::1]:8443/", "https://[::1]:8443", "[::1]:8443"),
    ],
)
def test_the_host_and_origin_of_a_url(url: str, origin: str, host: str) -> None:
    assert (claims.origin_of(url), claims.host_of(url), claims.http_url(url)) == (origin, host, url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lms.example",
        "//lms.example/",
        "ftp://lms.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https:///path",
        "https://user@lms.example/",
        "https://user:pass@lms.example/",
        "https://lms.example\\@evil.example/",
        "https://lms.example /",
        "https://lms.example\n/",
        "https://lms.example;script-src *",
        "https://lms.example,evil.example/",
        "https://'self'/",
        "https://*.example/",
        "https://lms.example:99999/",
        "https://lms.example:x/",
        "https://[zz]/",
        "https://lms.example/" + "x" * 2000,
    ],
)
def test_what_is_no_plain_http_url_is_none(url: str) -> None:
    assert (claims.http_url(url), claims.origin_of(url), claims.host_of(url)) == (None, None, None)


@pytest.mark.parametrize(
    "sent, locale",
    [
        ("en", "en"),
        ("pt_br", "pt_br"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("", None),
        ("$Message.locale", None),
        ("../../etc", None),
        ("e" * 40, None),
        (5, None),
    ],
    ids=repr,
)
def test_a_locale_is_a_language_tag_or_none(sent: object, locale: str | None) -> None:
    assert claims.read_locale({"locale": sent}, {}) == locale


@pytest.mark.parametrize(
    "value, kept",
    [
        (True, "true"),
        (False, "false"),
        (1234, "1234"),
        ("1234", "1234"),
        (1.5, None),
        (None, None),
        ([1], None),
    ],
    ids=repr,
)
def test_canvas_expands_variables_to_numbers_and_booleans_too(value: object, kept: str | None) -> None:
    """Whoever acts as somebody else must not be taken for a learner because a number is no text."""
    for name in ("masquerade", "student_view"):
        read = claims.read_custom({claims.CUSTOM: {name: value}})
        assert read == ({} if kept is None else {name: kept})


@pytest.mark.parametrize("name", ["context_history", "link_history"])
def test_a_long_history_is_read_whole(name: str) -> None:
    """Canvas names up to a thousand courses by forty letters each; half an id would be another course's."""
    history = ",".join(f"{number:040x}" for number in range(1_000)) + ",truncated"
    assert claims.read_custom({claims.CUSTOM: {name: history}}) == {name: history}


def test_a_history_that_is_too_long_even_so_ends_with_a_whole_id_and_says_so() -> None:
    history = ",".join(f"{number:040x}" for number in range(2_000))
    read = claims.read_custom({claims.CUSTOM: {"context_history": history}})["context_history"]
    assert len(read) <= claims.HISTORY_LENGTH
    *ids, last = read.split(",")
    assert last == "truncated"
    assert {len(one) for one in ids} == {40}


def test_the_locale_of_the_presentation_wins_over_the_custom_one() -> None:
    assert claims.read_locale({"locale": "de"}, {"locale": "fr"}) == "de"
    assert claims.read_locale({}, {"locale": "fr"}) == "fr"


@pytest.mark.parametrize(
    "multiple, expected",
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        ("yes", False),
        (1, False),
        (None, False),
    ],
    ids=repr,
)
def test_truth_comes_as_boolean_or_text(multiple: object, expected: bool) -> None:
    settings = {
        "deep_link_return_url": "https://lms.example/r",
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe"],
        "accept_multiple": multiple,
    }
    read = claims.read_deep_linking_settings({claims.DEEP_LINKING_SETTINGS: settings})
    assert read.accept_multiple is expected
