"""Platforms' keys: which count, when they are asked for, how long they serve."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.key_sets import (
    COOL_DOWN_SECONDS,
    GRACE_SECONDS,
    MAX_AGE_SECONDS,
    MAX_KEYS,
    KeySets,
    read_key_set,
)
from tests.unit.lti.tokens import MOODLE, Clock, Platform, jwk, rsa_key, sign


@pytest.fixture
def platform() -> Platform:
    return Platform()


def code_of(platform: Platform, **header: Any) -> ErrorCode | None:
    """Launch with this key; the refusal's code, ``None`` if accepted."""
    login = platform.login()
    claims = platform.claims(login)
    token = sign(platform.key, {"typ": "JWT", "alg": "RS256", "kid": platform.kid, **header}, claims)
    try:
        platform.post(login, token)
    except LaunchRefused as refused:
        return refused.code
    return None


def publish(platform: Platform, *keys: dict[str, Any]) -> None:
    platform.key_sets[MOODLE.jwks_url] = {"keys": list(keys)}


def rotate(platform: Platform, kid: str) -> None:
    platform.key, platform.kid = rsa_key(kid), kid
    publish(platform, jwk(platform.key, kid))


def test_keys_are_fetched_once_for_many_launches(platform: Platform) -> None:
    for _ in range(5):
        assert code_of(platform) is None
    assert len(platform.fetched) == 1


def test_a_new_key_is_found_at_once_however_often_it_changes(platform: Platform) -> None:
    assert code_of(platform) is None
    for kid in ("key-2", "key-3", "key-4"):
        rotate(platform, kid)
        assert code_of(platform) is None
    assert len(platform.fetched) == 4


def test_a_key_that_left_the_set_counts_no_more_after_a_rotation(platform: Platform) -> None:
    assert code_of(platform) is None
    old_key = platform.key
    rotate(platform, "key-2")
    assert code_of(platform) is None
    platform.key, platform.kid = old_key, "key-1"
    assert code_of(platform) is ErrorCode.LAUNCH_KEY_UNKNOWN


def test_a_withdrawn_key_counts_no_more_after_an_hour(platform: Platform) -> None:
    assert code_of(platform) is None
    publish(platform, jwk(rsa_key("key-2"), "key-2"))
    platform.clock.move(seconds=MAX_AGE_SECONDS - 1)
    assert code_of(platform) is None
    platform.clock.move(seconds=1)
    assert code_of(platform) is ErrorCode.LAUNCH_KEY_UNKNOWN


def test_made_up_key_ids_do_not_make_us_hammer_the_platform(platform: Platform) -> None:
    assert code_of(platform) is None
    for number in range(50):
        assert code_of(platform, kid=f"made up {number}") is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert len(platform.fetched) == 2
    assert code_of(platform) is None, "the known key goes on serving"
    platform.clock.move(seconds=COOL_DOWN_SECONDS)
    assert code_of(platform, kid="made up") is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert len(platform.fetched) == 3


def test_an_unreachable_key_set_is_said_to_be_so_and_asked_for_again_later(platform: Platform) -> None:
    key_set = platform.key_sets.pop(MOODLE.jwks_url)
    for _ in range(3):
        assert code_of(platform) is ErrorCode.LAUNCH_KEYS_UNREACHABLE
    assert len(platform.fetched) == 1
    platform.key_sets[MOODLE.jwks_url] = key_set
    platform.clock.move(seconds=COOL_DOWN_SECONDS)
    assert code_of(platform) is None


@pytest.mark.parametrize(
    "broken", [None, {"keys": []}, {"keys": "x"}, [], {"keys": [{"kty": "EC"}]}], ids=str
)
def test_a_broken_key_set_never_replaces_a_good_one(platform: Platform, broken: Any) -> None:
    assert code_of(platform) is None
    platform.key_sets[MOODLE.jwks_url] = broken
    platform.clock.move(seconds=MAX_AGE_SECONDS + 1)
    assert code_of(platform) is None
    platform.clock.move(seconds=GRACE_SECONDS)
    assert code_of(platform) is ErrorCode.LAUNCH_KEYS_UNREACHABLE


def test_two_keys_with_one_id_both_serve_and_a_stranger_s_does_not(platform: Platform) -> None:
    publish(
        platform,
        jwk(rsa_key("older"), "key-1"),
        {"kty": "EC", "crv": "P-256", "kid": "key-1", "x": "AA", "y": "AA"},
        jwk(rsa_key("newer"), "key-1"),
    )
    for name, expected in (
        ("older", None),
        ("newer", None),
        ("stranger", ErrorCode.LAUNCH_SIGNATURE_INVALID),
    ):
        platform.key = rsa_key(name)
        assert code_of(platform) is expected


@pytest.mark.parametrize(
    "unusable",
    [
        pytest.param({"use": "enc"}, id="for encryption"),
        pytest.param({"alg": "RS512"}, id="for another algorithm"),
        pytest.param({"alg": "RSA-OAEP"}, id="for another purpose"),
        pytest.param({"kid": None}, id="without kid"),
        pytest.param({"kid": 7}, id="numeric kid"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="symmetric"),
        pytest.param({"n": "AQAB"}, id="tiny modulus"),
        pytest.param({"n": 5}, id="no modulus"),
        pytest.param({"n": "!!"}, id="unreadable modulus"),
        pytest.param({"e": ""}, id="no exponent"),
    ],
)
def test_a_key_that_may_not_sign_is_left_out(platform: Platform, unusable: dict[str, Any]) -> None:
    publish(platform, jwk(platform.key, **{"kid": "key-1", **unusable}), jwk(rsa_key("other"), "other"))
    assert code_of(platform) is ErrorCode.LAUNCH_KEY_UNKNOWN


def test_a_short_rsa_key_is_left_out(platform: Platform) -> None:
    platform.key = rsa_key("short", 1024)
    publish(platform, jwk(platform.key, "key-1"), jwk(rsa_key("other"), "other"))
    assert code_of(platform) is ErrorCode.LAUNCH_KEY_UNKNOWN


def test_a_key_may_leave_out_what_is_optional(platform: Platform) -> None:
    publish(platform, jwk(platform.key, "key-1", alg=None, use=None))
    assert code_of(platform) is None


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b"\xff", b"[" * 50_000, b'{"keys": {}}', b"[]"])
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="key set"):
        read_key_set(body)


def test_a_key_set_is_bounded() -> None:
    published = jwk(rsa_key("moodle"), None)
    keys = [{**published, "kid": str(number)} for number in range(MAX_KEYS + 10)]
    assert len(read_key_set(json.dumps({"keys": keys}).encode())) == MAX_KEYS


def test_registrations_do_not_share_keys_even_behind_one_url() -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return json.dumps({"keys": [jwk(rsa_key("moodle"), "key-1")]}).encode()

    sets = KeySets(fetch, Clock())
    other = replace(MOODLE, id="other")
    moved = replace(MOODLE, jwks_url="https://moodle.example/moved")
    for registration in (MOODLE, other, moved, MOODLE):
        assert sets.keys(registration, "key-1")
    assert fetched == [MOODLE.jwks_url, MOODLE.jwks_url, moved.jwks_url]


def test_launches_at_the_same_moment_fetch_once() -> None:
    fetched: list[str] = []
    started = threading.Event()

    def fetch(url: str) -> bytes:
        fetched.append(url)
        started.wait(2)
        return json.dumps({"keys": [jwk(rsa_key("moodle"), "key-1")]}).encode()

    sets = KeySets(fetch, Clock())
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(sets.keys(MOODLE, "key-1")))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert (len(fetched), found) == (1, [1] * 8)
