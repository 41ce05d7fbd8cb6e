"""Notifications of platforms: what is believed, and every way of forging one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti import notices
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.notices import NoticeReader
from tests.unit.lti.tokens import (
    HEADER,
    LTI,
    MISSING,
    MOODLE,
    Platform,
    code_of,
    jwk,
    rsa_key,
    sign,
    sign_hs256,
)

CANVAS_COPY = "LtiContextCopyNotice"


@pytest.fixture
def platform() -> Platform:
    return Platform()


def reader(platform: Platform) -> NoticeReader:
    return NoticeReader(platform.registered, KeySets(platform._fetch, platform.clock), platform.clock)


def claims(platform: Platform, **changes: Any) -> dict[str, Any]:
    """A copy notice as Canvas sends it (spec/lib/lti/pns/lti_context_copy_notice_builder_spec.rb)."""
    now = int(platform.clock().timestamp())
    body: dict[str, Any] = {
        "iss": platform.registration.issuer,
        "aud": platform.registration.client_id,
        "azp": platform.registration.client_id,
        "iat": now,
        "exp": now + 3600,
        "nonce": "a nonce that matches nothing",
        LTI + "version": "1.3.0",
        LTI + "deployment_id": "1",
        LTI + "context": {"id": "copy", "label": "MM1", "title": "Open Data", "type": ["CourseSection"]},
        LTI + "notice": {"id": "n1", "timestamp": "2026-11-21T08:59:00Z", "type": CANVAS_COPY},
        LTI + "origin_contexts": ["original"],
    }
    for name, value in changes.items():
        full = LTI + name if LTI + name in body else name
        if value is MISSING:
            body.pop(full, None)
        else:
            body[full] = value
    return body


def token(platform: Platform, **changes: Any) -> str:
    return sign(
        platform.key, {"typ": "JWT", "alg": "RS256", "kid": platform.kid}, claims(platform, **changes)
    )


def test_a_copy_notice_is_read(platform: Platform) -> None:
    read = reader(platform).read(token(platform))
    assert read.registration_id == MOODLE.id
    assert (read.deployment_id, read.id_on_platform, read.kind) == ("1", "n1", CANVAS_COPY)
    assert (read.context_id, read.origin_ids) == ("copy", ("original",))
    assert read.sent_at == datetime(2026, 11, 21, 8, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"aud": "client-2"}, ErrorCode.REGISTRATION_UNKNOWN),
        ({"aud": ["client-1", "client-2"]}, ErrorCode.LAUNCH_AUDIENCE_WRONG),
        ({"aud": MISSING}, ErrorCode.LAUNCH_AUDIENCE_WRONG),
        ({"iss": "https://evil.example"}, ErrorCode.REGISTRATION_UNKNOWN),
        ({"iss": ["https://moodle.example"]}, ErrorCode.LAUNCH_ISSUER_WRONG),
        ({"iss": "https://moodle.example\0"}, ErrorCode.LAUNCH_ISSUER_WRONG),
        ({"azp": "client-2"}, ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG),
        ({"version": "1.1"}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"deployment_id": MISSING}, ErrorCode.LAUNCH_DEPLOYMENT_MISSING),
        ({"notice": MISSING}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"notice": {"id": "n1"}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"notice": {"id": "n" * 256, "type": CANVAS_COPY}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"notice": {"id": "n1", "type": "T" * 61}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"notice": "n1"}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"origin_contexts": ["a\nb"]}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"exp": MISSING}, ErrorCode.LAUNCH_TIME_INVALID),
    ],
)
def test_a_notice_that_says_something_wrong_is_refused(
    platform: Platform, changes: dict[str, Any], expected: ErrorCode
) -> None:
    assert code_of(lambda: reader(platform).read(token(platform, **changes))) is expected


def test_times_count_as_for_a_launch_but_a_notice_may_have_waited_for_a_day(platform: Platform) -> None:
    now = int(platform.clock().timestamp())
    late = token(platform, iat=now - 3 * 3600, exp=now + 60)
    assert reader(platform).read(late).id_on_platform == "n1"
    for times, expected in (
        ({"iat": now - 7200, "exp": now - 3600}, ErrorCode.LAUNCH_EXPIRED),
        ({"iat": now + 7200, "exp": now + 9000}, ErrorCode.LAUNCH_TIME_INVALID),
        # However long it says it is good: its row is forgotten after 30 days.
        ({"iat": now - 3 * 86400, "exp": now + 90 * 86400}, ErrorCode.LAUNCH_TIME_INVALID),
    ):
        assert code_of(partial(_read, platform, token(platform, **times))) is expected


def test_nobody_else_signs_a_notice(platform: Platform) -> None:
    own = claims(platform)
    stranger = rsa_key("stranger")
    forged = sign(stranger, HEADER, own)
    assert code_of(lambda: reader(platform).read(forged)) is ErrorCode.LAUNCH_SIGNATURE_INVALID
    named = sign(stranger, {**HEADER, "kid": "key-2"}, own)
    assert code_of(lambda: reader(platform).read(named)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    carried = sign(
        stranger, {**HEADER, "jwk": jwk(stranger, "key-1"), "jku": "https://evil.example/jwks"}, own
    )
    assert code_of(lambda: reader(platform).read(carried)) is ErrorCode.LAUNCH_SIGNATURE_INVALID
    mac = sign_hs256(b"anything", {**HEADER, "alg": "HS256"}, own)
    assert code_of(lambda: reader(platform).read(mac)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED
    bare = ".".join([_part({"alg": "none", "kid": "key-1"}), _part(own), ""])
    assert code_of(lambda: reader(platform).read(bare)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED
    assert platform.fetched == [MOODLE.jwks_url] * len(platform.fetched)


def test_another_tenants_key_signs_nothing_here() -> None:
    """Both platforms are registered; the one's key speaks for itself only, whatever its notice claims."""
    other = replace(
        MOODLE,
        id="other",
        client_id="client-9",
        issuer="https://other.example",
        jwks_url="https://other.example/k",
    )
    platform = Platform(MOODLE, other)
    theirs = rsa_key("other")
    platform.key_sets[other.jwks_url] = {"keys": [jwk(theirs, "key-1")]}
    forged = sign(theirs, HEADER, claims(platform))
    assert code_of(lambda: reader(platform).read(forged)) is ErrorCode.LAUNCH_SIGNATURE_INVALID


def test_a_disabled_platform_is_not_heard(platform: Platform) -> None:
    good = token(platform)
    platform.set_status(RegistrationStatus.DISABLED)
    assert code_of(lambda: reader(platform).read(good)) is ErrorCode.REGISTRATION_NOT_APPROVED
    assert not platform.fetched, "and its keys are not even asked for"


def test_a_flood_of_unknown_keys_asks_the_platform_once(platform: Platform) -> None:
    reading = reader(platform)
    for number in range(50):
        forged = sign(rsa_key("stranger"), {**HEADER, "kid": f"made-up-{number}"}, claims(platform))
        assert code_of(partial(reading.read, forged)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert len(platform.fetched) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"notices": []}',
        b'{"notices": {}}',
        b'{"notices": [{}]}',
        b'{"notices": ["jwt"]}',
        b'{"notices": [{"jwt": 1}]}',
        b'{"notices": ' + b"[" * 20_000,
        json.dumps({"notices": [{"jwt": "a.b.c"}] * 101}).encode(),
        json.dumps({"notices": [{"jwt": "a" * 70_000}]}).encode(),
        b"\xff\xfe",
    ],
)
def test_a_body_that_holds_no_notices_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid) as refused:
        notices.read_envelope(body)
    assert refused.value.code is ErrorCode.NOTICE_INVALID


@pytest.mark.parametrize(
    "claim, url",
    [
        (None, None),
        ("no object", None),
        ({"platform_notification_service_url": "https://lms.example/pns"}, "https://lms.example/pns"),
        (
            {
                "platform_notification_service_url": "https://lms.example/pns",
                "service_versions": ["1.0"],
                "scope": [notices.SCOPE],
            },
            "https://lms.example/pns",
        ),
        ({"platform_notification_service_url": "https://lms.example/pns", "service_versions": ["2.0"]}, None),
        ({"platform_notification_service_url": "https://lms.example/pns", "scope": []}, None),
        ({"platform_notification_service_url": "javascript:alert(1)"}, None),
    ],
)
def test_the_service_is_found_in_a_launch(claim: Any, url: str | None) -> None:
    assert notices.read_service({notices.SERVICE: claim} if claim is not None else {}) == url


def _read(platform: Platform, text: str) -> object:
    return reader(platform).read(text)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
