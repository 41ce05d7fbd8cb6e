"""Who is refused finds the way back into the course, in the language of the launch; only a signed one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lti_tool.errors import ErrorCode
from tests.journeys.campus import LMS_URL, Campus
from tests.simulator.browser import CookiePolicy, Page
from tests.simulator.keys import b64url_bytes, rsa_key, sign_rs256
from tests.unit.lti.tokens import changed


def way_back(page: Page) -> str | None:
    links = page.soup.find_all("a", target="_top")
    return str(links[0]["href"]) if links else None


def forged(campus: Campus, *, genuine: bool = True, **changes: Any) -> Any:
    """The platform's own token with other claims; not ``genuine``: signed by somebody else."""

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        claims = changed(json.loads(b64url_bytes(fields["id_token"].split(".")[1])), changes)
        if genuine:
            return {**fields, "id_token": campus.lms.keys.sign(claims)}
        header = {"alg": "RS256", "typ": "JWT", "kid": campus.lms.keys.kid}
        return {**fields, "id_token": sign_rs256(rsa_key("attacker"), header, claims)}

    return tamper


def test_where_cookies_are_blocked_the_page_leads_back_into_the_course(sqlite_campus: Campus) -> None:
    """Moodle wants the sesskey that it put into the address, and shows the course."""
    if sqlite_campus.product == "canvas":
        pytest.skip("there the platform's own storage takes the cookie's place")
    activity = sqlite_campus.placed_badge()
    browser = sqlite_campus.browser(sqlite_campus.learner("ada"), cookies="none")
    page = browser.launch(activity.id)
    assert ErrorCode.LAUNCH_STATE_UNBOUND.value in page.text
    back = way_back(page)
    assert back is not None
    assert back.startswith(f"{LMS_URL}/mod/lti/return.php?course={sqlite_campus.course.id}&")
    told = dict(parse_qsl(urlsplit(back).query))
    assert told["sesskey"]
    assert told["lti_errorlog"] == ErrorCode.LAUNCH_STATE_UNBOUND.value
    arrived = browser.get(back)
    assert arrived.status == 200
    assert sqlite_campus.course.full_name in arrived.text


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"message_type": "LtiNoSuchRequest"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"nonce": "another"}, ErrorCode.LAUNCH_NONCE_WRONG),
        ({"deployment_id": "4711"}, ErrorCode.DEPLOYMENT_HELD),
        ({"exp": 1}, ErrorCode.LAUNCH_EXPIRED),
    ],
    ids=lambda value: str(value),
)
def test_a_launch_that_is_refused_leads_back(
    sqlite_campus: Campus, changes: dict[str, Any], code: ErrorCode
) -> None:
    activity = sqlite_campus.placed_badge()
    page = sqlite_campus.browser(sqlite_campus.learner("ada")).launch(
        activity.id, tamper=forged(sqlite_campus, **changes)
    )
    assert code.value in page.text
    back = way_back(page)
    assert back is not None
    assert back.startswith(LMS_URL + "/")
    assert dict(parse_qsl(urlsplit(back).query))["lti_errorlog"] == code.value


def test_nobody_else_says_where_the_way_back_leads(sqlite_campus: Campus) -> None:
    """Open redirect: an address counts only once the platform's signature, for this tool, proved good."""
    activity = sqlite_campus.placed_badge()
    evil: dict[str, Any] = {"launch_presentation": {"return_url": "https://evil.example/", "locale": "ar"}}
    policies: tuple[CookiePolicy, ...] = ("partitioned_only", "none")
    for cookies in policies:
        for tamper in (
            forged(sqlite_campus, genuine=False, **evil),
            forged(sqlite_campus, **evil, aud="another tool"),
            forged(sqlite_campus, **evil, iss="https://evil.example"),
        ):
            browser = sqlite_campus.browser(sqlite_campus.learner("ada"), cookies=cookies)
            page = browser.launch(activity.id, tamper=tamper)
            assert 400 <= page.status < 500
            assert "evil.example" not in page.text
