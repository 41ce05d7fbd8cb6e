"""The certification's cases (LTI Advantage §6.1) and the forgeries of SEC §5.1.3, through the whole tool.

Each goes the way a real one would: the LMS opens the login in a frame with third-party cookies blocked, the
browser follows, and only the token that the platform posts is another one. The reason for each refusal is
tried in ``tests/unit/lti/test_launch*.py``; here it is seen that the page says it, and that nobody gets in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from sqlalchemy import func, select

from lti_tool.errors import ErrorCode
from lti_tool.store.tables import LaunchSession
from tests.databases import fresh_database_url
from tests.journeys.campus import LMS_URL, TOOL_URL, Campus, open_campus
from tests.journeys.conftest import BOTH_PRODUCTS
from tests.simulator.browser import Cookie, Page
from tests.simulator.client import WsgiAdapter
from tests.simulator.keys import b64url_bytes, public_pem, rsa_key, sign_rs256, signing_input
from tests.simulator.lms import Activity, User
from tests.simulator.tool_jwt import verify_tool_jwt
from tests.unit.lti.tokens import INSTRUCTOR, LEARNER, LTI, MISSING, changed, sign_hs256

NO_NAMES = {"name": MISSING, "given_name": MISSING, "family_name": MISSING}


@pytest.fixture(scope="module", params=BOTH_PRODUCTS)
def campus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """One campus for all cases: what is refused leaves nothing behind that another case could see."""
    folder = tmp_path_factory.mktemp("certification")
    with (
        fresh_database_url("sqlite", request, folder) as url,
        open_campus(url, Path(folder, "data"), request.param) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def activity(campus: Campus) -> Activity:
    """A badge link in the course."""
    return campus.place_badge()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(b64url_bytes(token.split(".")[1]))
    return claims


def launch(
    campus: Campus, activity: Activity, user: User, forge: Callable[[dict[str, Any]], str] | None = None
) -> Page:
    """Launch in a frame; ``forge`` makes the token out of the platform's own claims."""

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        assert forge is not None
        return {**fields, "id_token": forge(claims_of(fields["id_token"]))}

    return campus.browser(user).launch(activity.id, tamper=None if forge is None else tamper)


def sessions(campus: Campus) -> int:
    with campus.tool.database.read() as session:
        return session.scalar(select(func.count()).select_from(LaunchSession)) or 0


def with_claims(campus: Campus, **changes: Any) -> Callable[[dict[str, Any]], str]:
    """A token the platform signed, with other claims."""
    return lambda claims: campus.lms.keys.sign(changed(claims, changes))


# -- §6.1.2 and §6.1.3: what has to be let in

GOOD_CASES = [
    pytest.param({}, id="normal"),
    pytest.param(
        {"roles": [LEARNER, "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student"]},
        id="several roles",
    ),
    pytest.param({"roles": ["Learner"]}, id="short role"),
    pytest.param({"roles": ["http://example.org/unknown#Role"]}, id="unknown role"),
    pytest.param({"roles": []}, id="no role"),
    pytest.param(NO_NAMES, id="e-mail only"),
    pytest.param({"email": MISSING}, id="names only"),
    pytest.param({**NO_NAMES, "email": MISSING}, id="no personal data"),
    pytest.param({**NO_NAMES, "context": MISSING}, id="e-mail without context"),
]


@pytest.mark.parametrize("changes", GOOD_CASES)
def test_a_student_is_let_in(campus: Campus, activity: Activity, changes: dict[str, Any]) -> None:
    page = launch(campus, activity, campus.learner("ada"), with_claims(campus, **changes))
    assert page.status == 200
    assert page.url.startswith(f"{TOOL_URL}/l/")


@pytest.mark.parametrize("changes", GOOD_CASES)
def test_a_teacher_is_let_in(campus: Campus, activity: Activity, changes: dict[str, Any]) -> None:
    for_teachers = {
        "several roles": [INSTRUCTOR, "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Faculty"],
        "short role": ["Instructor"],
    }
    if changes.get("roles") in (
        [LEARNER, "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student"],
    ):
        changes = {"roles": for_teachers["several roles"]}
    elif changes.get("roles") == ["Learner"]:
        changes = {"roles": for_teachers["short role"]}
    page = launch(campus, activity, campus.teacher, with_claims(campus, **changes))
    assert page.status == 200
    assert page.url.startswith(f"{TOOL_URL}/l/")


# -- §6.1.1 and SEC §5.1.3: what has to be refused

BAD_CLAIMS = [
    pytest.param({"version": "1.0"}, ErrorCode.LAUNCH_VERSION_WRONG, id="wrong version"),
    pytest.param({"iat": 4070908800, "exp": 4070908860}, ErrorCode.LAUNCH_TIME_INVALID, id="times ahead"),
    pytest.param({"version": MISSING}, ErrorCode.LAUNCH_VERSION_WRONG, id="no version"),
    pytest.param({"iat": 11111, "exp": 22222}, ErrorCode.LAUNCH_EXPIRED, id="times incorrect"),
    pytest.param({"message_type": MISSING}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN, id="no message type"),
    pytest.param({"roles": MISSING}, ErrorCode.LAUNCH_ROLES_MISSING, id="no roles"),
    pytest.param({"deployment_id": MISSING}, ErrorCode.LAUNCH_DEPLOYMENT_MISSING, id="no deployment"),
    pytest.param({"deployment_id": "unknown"}, ErrorCode.DEPLOYMENT_HELD, id="unknown deployment"),
    pytest.param({"resource_link": {"title": "x"}}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING, id="no link id"),
    pytest.param({"sub": MISSING}, ErrorCode.LAUNCH_SUBJECT_MISSING, id="no sub"),
    pytest.param({"iss": "https://evil.example"}, ErrorCode.LAUNCH_ISSUER_WRONG, id="issuer"),
    pytest.param({"aud": "other"}, ErrorCode.LAUNCH_AUDIENCE_WRONG, id="audience"),
    pytest.param({"azp": "other"}, ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG, id="authorised party"),
    pytest.param({"nonce": "other"}, ErrorCode.LAUNCH_NONCE_WRONG, id="nonce"),
    pytest.param({"target_link_uri": f"{TOOL_URL}/staff"}, ErrorCode.LAUNCH_TARGET_WRONG, id="target"),
]


@pytest.mark.parametrize("changes, code", BAD_CLAIMS)
@pytest.mark.parametrize("role", ["student", "teacher"])
def test_a_wrong_claim_is_refused_and_the_page_names_the_reason(
    campus: Campus, activity: Activity, changes: dict[str, Any], code: ErrorCode, role: str
) -> None:
    user = campus.teacher if role == "teacher" else campus.learner("ada")
    before = sessions(campus)
    page = launch(campus, activity, user, with_claims(campus, **changes))
    assert 400 <= page.status < 500
    assert code.value in page.text
    assert sessions(campus) == before


def no_kid(campus: Campus, claims: dict[str, Any]) -> str:
    return sign_rs256(campus.lms.keys.current, {"alg": "RS256", "typ": "JWT"}, claims)


def unknown_kid(campus: Campus, claims: dict[str, Any]) -> str:
    return sign_rs256(campus.lms.keys.current, {"alg": "RS256", "kid": "made up"}, claims)


def foreign_key(campus: Campus, claims: dict[str, Any]) -> str:
    return sign_rs256(rsa_key("attacker"), {"alg": "RS256", "kid": campus.lms.keys.kid}, claims)


def neighbour_s_key(campus: Campus, claims: dict[str, Any]) -> str:
    if campus.product == "canvas":
        pytest.skip("institutions of one cloud share its keys: what a launch says is what keeps them apart")
    assert campus.neighbour is not None
    return campus.neighbour.lms.keys.sign(claims)


def unsigned(campus: Campus, claims: dict[str, Any]) -> str:
    return signing_input({"alg": "none", "kid": campus.lms.keys.kid}, claims) + "."


def hs256(campus: Campus, claims: dict[str, Any]) -> str:
    header = {"alg": "HS256", "kid": campus.lms.keys.kid}
    return sign_hs256(public_pem(campus.lms.keys.current), header, claims)


def no_lti(campus: Campus, claims: dict[str, Any]) -> str:
    return campus.lms.keys.sign({name: v for name, v in claims.items() if not name.startswith(LTI)})


def no_lti_message(campus: Campus, claims: dict[str, Any]) -> str:
    return campus.lms.keys.sign({"name": "badltilaunch"})


def no_token(campus: Campus, claims: dict[str, Any]) -> str:
    return "not.a-token"


@pytest.mark.parametrize(
    "forge, code",
    [
        (no_kid, ErrorCode.LAUNCH_KEY_ID_MISSING),
        (unknown_kid, ErrorCode.LAUNCH_KEY_UNKNOWN),
        (foreign_key, ErrorCode.LAUNCH_SIGNATURE_INVALID),
        (neighbour_s_key, ErrorCode.LAUNCH_KEY_UNKNOWN),
        (unsigned, ErrorCode.LAUNCH_ALGORITHM_REFUSED),
        (hs256, ErrorCode.LAUNCH_ALGORITHM_REFUSED),
        (no_lti, ErrorCode.LAUNCH_VERSION_WRONG),
        (no_lti_message, ErrorCode.LAUNCH_ISSUER_WRONG),
        (no_token, ErrorCode.LAUNCH_TOKEN_MALFORMED),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_forged_token_is_refused_and_the_page_names_the_reason(
    campus: Campus, activity: Activity, forge: Callable[[Campus, dict[str, Any]], str], code: ErrorCode
) -> None:
    before = sessions(campus)
    page = launch(campus, activity, campus.learner("ada"), lambda claims: forge(campus, claims))
    assert 400 <= page.status < 500
    assert code.value in page.text
    assert sessions(campus) == before


# -- §6.2 to §6.4: what the tool says to the platform


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[requests.PreparedRequest]:
    """Every request that the tool sends from now on."""
    sent: list[requests.PreparedRequest] = []
    send = WsgiAdapter.send

    def note(self: WsgiAdapter, request: requests.PreparedRequest, *more: Any, **named: Any) -> Any:
        sent.append(request)
        return send(self, request, *more, **named)

    monkeypatch.setattr(WsgiAdapter, "send", note)
    return sent


def test_a_deep_linking_response_is_signed_timely_and_whole(campus: Campus) -> None:
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course))
    fields = campus.form_fields() | {"name": "Another micromodule"}
    answer = teacher.submit(form, fields, form="micromodules/new", button="place")
    (response,) = (form for form in answer.forms if "JWT" in form.fields)
    claims = verify_tool_jwt(campus.lms, campus.lms_side, response.fields["JWT"])
    now = campus.clock().timestamp()
    assert claims["iss"] == campus.lms_side.client_id
    issuer = campus.lms.endpoints["issuer"]
    assert claims["aud"] in (issuer, [issuer])
    assert claims["iat"] <= now < claims["exp"] <= now + 3600
    assert claims["nonce"]
    assert claims[LTI + "message_type"] == "LtiDeepLinkingResponse"
    assert claims[LTI + "version"] == "1.3.0"
    assert claims[LTI + "deployment_id"] == campus.lms.deployment_id(campus.lms_side)
    (item,) = claims["https://purl.imsglobal.org/spec/lti-dl/claim/content_items"]
    assert item["type"] == "ltiResourceLink"


@pytest.mark.usefixtures("activity")
def test_services_are_asked_with_their_media_types_and_a_token_of_their_scope(
    campus: Campus, said: list[requests.PreparedRequest]
) -> None:
    """NRPS: Accept, Bearer, scope (§6.3). AGS: driven by the tool against the line items URL (§6.4)."""
    campus.clock.move(hours=3)  # the tokens that it had are over
    campus.set_up(campus.place_badge(name="A micromodule that has no columns yet"))
    campus.read_now()
    tokens = [parse_qs(str(request.body)) for request in said if b"client_assertion" in body_of(request)]
    scopes = {scope for form in tokens for scope in form["scope"][0].split()}
    assert "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly" in scopes
    assert "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem" in scopes
    assert "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly" in scopes
    assert all(form["grant_type"] == ["client_credentials"] for form in tokens)
    services = [request for request in said if "vnd.ims" in str(request.headers.get("Accept"))]
    by_type: dict[str, list[requests.PreparedRequest]] = {}
    for request in services:
        by_type.setdefault(request.headers["Accept"], []).append(request)
    assert "application/vnd.ims.lti-nrps.v2.membershipcontainer+json" in by_type
    assert "application/vnd.ims.lis.v2.lineitemcontainer+json" in by_type
    assert "application/vnd.ims.lis.v2.resultcontainer+json" in by_type
    for request in services:
        assert request.headers["Authorization"].startswith("Bearer ")


def body_of(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


# -- one browser, one use


def test_a_token_posted_again_by_the_same_browser_is_refused(campus: Campus, activity: Activity) -> None:
    posted: list[dict[str, str]] = []
    kept: list[dict[tuple[str, str, str, str], Cookie]] = []
    browser = campus.browser(campus.learner("ada"))

    def note(fields: dict[str, str]) -> dict[str, str]:
        posted.append(fields)
        kept.append(dict(browser.jar.cookies))
        return fields

    def again_with_the_cookie(_: dict[str, str]) -> dict[str, str]:
        browser.jar.cookies.update(kept[0])
        return posted[0]

    first = browser.launch(activity.id, tamper=note)
    assert first.status == 200
    before = sessions(campus)
    # The launch took its login's cookie away; who kept it is stopped by the nonce. Canvas's storage keeps it.
    bare = ErrorCode.LAUNCH_STATE_UNBOUND if campus.product == "moodle" else ErrorCode.LAUNCH_REPLAYED
    for tamper, code in (
        (lambda _: posted[0], bare),
        (again_with_the_cookie, ErrorCode.LAUNCH_REPLAYED),
    ):
        again = browser.launch(activity.id, tamper=tamper)
        assert 400 <= again.status < 500
        assert code.value in again.text
        assert sessions(campus) == before


def test_a_launch_begun_in_another_browser_is_refused(campus: Campus, activity: Activity) -> None:
    """Login CSRF: the attacker's own, valid launch is posted by the victim's browser."""
    posted: list[dict[str, str]] = []

    def keep(fields: dict[str, str]) -> dict[str, str]:
        posted.append(fields)
        return {}

    campus.browser(campus.learner("mallory")).launch(activity.id, tamper=keep)
    before = sessions(campus)
    page = campus.browser(campus.learner("ada")).launch(activity.id, tamper=lambda _: posted[0])
    assert 400 <= page.status < 500
    assert ErrorCode.LAUNCH_STATE_UNBOUND.value in page.text
    assert sessions(campus) == before


def test_where_no_cookie_survives_a_fresh_launch_is_offered(campus: Campus, activity: Activity) -> None:
    if campus.product == "canvas":
        assert campus.browser(campus.learner("ada"), cookies="none").launch(activity.id).status == 200
        return
    page = campus.browser(campus.learner("ada"), cookies="none").launch(activity.id)
    assert 400 <= page.status < 500
    assert ErrorCode.LAUNCH_STATE_UNBOUND.value in page.text
    assert f"{LMS_URL}/mod/lti/launch.php?id={activity.id}" in page.text


def test_a_platform_that_changes_its_key_is_followed_at_once(campus: Campus, activity: Activity) -> None:
    assert launch(campus, activity, campus.learner("ada")).status == 200
    campus.clock.move(minutes=1)
    campus.lms.keys.rotate()
    assert launch(campus, activity, campus.learner("ada")).status == 200
