"""Attacks that cross rooms, through the whole tool; those on a single check are tested beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lti_tool.errors import ErrorCode
from lti_tool.outbound import connection as connection_module
from tests.journeys.campus import TOOL_URL, Campus
from tests.simulator.browser import Page
from tests.simulator.keys import b64url_bytes, rsa_key, sign_rs256


def test_a_token_that_nobody_signed_burns_no_nonce(sqlite_campus: Campus) -> None:
    """Whoever sees a login's nonce could otherwise keep its person out by a forgery that comes first."""
    activity = sqlite_campus.placed_badge()
    real: list[dict[str, str]] = []

    def forge(fields: dict[str, str]) -> dict[str, str]:
        real.append(fields)
        claims = json.loads(b64url_bytes(fields["id_token"].split(".")[1]))
        header = {"alg": "RS256", "typ": "JWT", "kid": sqlite_campus.lms.keys.kid}
        return {**fields, "id_token": sign_rs256(rsa_key("attacker"), header, claims)}

    browser = sqlite_campus.browser(sqlite_campus.learner("ada"))
    refused = browser.launch(activity.id, tamper=forge)
    assert ErrorCode.LAUNCH_SIGNATURE_INVALID.value in refused.text
    accepted = browser.launch(activity.id, tamper=lambda _: real[0])
    assert accepted.status == 200
    assert accepted.url.startswith(TOOL_URL)


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.7", "::ffff:10.0.0.7", "fd00::1"])
def test_a_key_set_s_address_leads_to_no_private_place(
    sqlite_campus: Campus, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """It was fine when it was registered; by now its name leads into this network."""
    activity = sqlite_campus.placed_badge()
    endpoints = sqlite_campus.lms.endpoints
    endpoints["jwks_url"] = "https://keys.example/jwks"
    sqlite_campus.tool.registrations.add(**endpoints, client_id=sqlite_campus.lms_side.client_id)
    asked: list[str] = []

    connecting = vars(connection_module)["socket"]

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        family = 10 if ":" in address else 2
        return [(family, 1, 6, "", (address, port))]

    def no_socket(*_: object) -> None:
        raise AssertionError("nothing is connected to")

    monkeypatch.setattr(connecting, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(connecting, "socket", no_socket)
    page = sqlite_campus.browser(sqlite_campus.learner("ada")).launch(activity.id)
    assert page.status == 502
    assert ErrorCode.LAUNCH_KEYS_UNREACHABLE.value in page.text
    assert asked == ["keys.example"]


def policy_of(page: Page) -> dict[str, list[str]]:
    """The content security policy by directive."""
    parts = (part.split() for part in page.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_no_page_of_a_session_is_framed_by_a_stranger(sqlite_campus: Campus) -> None:
    """Clickjacking: the origins are those that the signed launch named, and those of the registration."""
    activity = sqlite_campus.placed_badge()
    teacher = sqlite_campus.browser(sqlite_campus.teacher)
    pages = [
        sqlite_campus.open_wallet("ada", activity),
        teacher.launch(activity.id),
        teacher.deep_link(sqlite_campus.course),
    ]
    for page in pages:
        assert page.status == 200
        ancestors = policy_of(page)["frame-ancestors"]
        assert sqlite_campus.lms.base_url in ancestors
        strangers = {one for one in ancestors if one in ("*", "https:", "http:")}
        assert strangers == set()
        assert "https://evil.example" not in ancestors
        assert policy_of(page)["form-action"][0] == "'self'"


def test_a_path_that_carries_a_session_is_told_to_nobody(canvas_campus: Campus) -> None:
    """Session theft by referrer: from no page of it, to no site, not by a picture either."""
    activity = canvas_campus.placed_badge()
    browser = canvas_campus.browser(canvas_campus.teacher, cookies="none")
    first = browser.launch(activity.id)
    inside = "/".join(first.url.split("/")[:5])
    assert inside.startswith(f"{TOOL_URL}/s/")
    waiting = [first.url]
    seen: set[str] = set()
    while waiting and len(seen) < 25:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        page = browser.get(url, page=first)
        assert page.headers["Referrer-Policy"] == "no-referrer", url
        assert page.headers["Cache-Control"] == "no-store", url
        for policy in ("img-src", "script-src", "connect-src", "style-src"):
            if policy in policy_of(page):
                assert not [one for one in policy_of(page)[policy] if "//" in one], url
        links = [str(link["href"]) for link in page.soup.find_all("a", href=True)]
        waiting += [
            f"{TOOL_URL}{link.partition('#')[0]}"
            for link in links
            if f"{TOOL_URL}{link}".startswith(inside) and "download" not in link and ".csv" not in link
        ]
    assert len(seen) > 2
    assert not [url for url in seen if not url.startswith(inside)]
    broken = browser.get(f"{inside}/no-such-page", page=first)
    assert (broken.status, broken.headers["Referrer-Policy"]) == (404, "no-referrer")
