"""A launch as Moodle makes it: login initiation, auth page, id_token, cookies in the frame (MOODLE.md §2,
§9).
"""

from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.integration.simulator.conftest import LMS_URL, TOOL_URL, Site, decode
from tests.simulator.claims import CLAIM_CONTEXT, CLAIM_CUSTOM, CLAIM_NRPS, CLAIM_ROLES
from tests.simulator.forgery import FORGERIES, REMOVED, altered, forged
from tests.simulator.moodle.lms import ContentForm

ROLE = "http://purl.imsglobal.org/vocab/lis/v2/"


def _placed(site: Site, **more: Any) -> int:
    settings: dict[str, Any] = {
        "url": TOOL_URL + "/launch?badge=7",
        "is_graded": True,
        "maximum": 10.0,
        **more,
    }
    return site.lms.save_activity(site.tool, site.course, ContentForm("Badge: Data Basics", **settings)).id


def test_a_learner_reaches_the_tool_with_a_signed_id_token(site: Site) -> None:
    page = site.person("student1").launch(_placed(site))
    assert (page.status, page.words) == (200, "Launched Hello 5")
    header, claims = decode(site.probe.launches[-1]["id_token"])
    assert header == {"typ": "JWT", "alg": "RS256", "kid": site.lms.keys.kid}
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iss"] == LMS_URL
    assert claims["aud"] == site.tool.client_id
    keys = KeySet.import_key_set(site.session().get(LMS_URL + "/mod/lti/certs.php").json())
    jws.deserialize_compact(site.probe.launches[-1]["id_token"], keys, algorithms=["RS256"])


@pytest.mark.parametrize(
    "username, roles",
    [
        ("student1", ["membership#Learner"]),
        ("teacher1", ["membership#Instructor"]),
        ("noneditor1", ["membership#Instructor"]),
        (
            "admin",
            ["institution/person#Administrator", "membership#Instructor", "system/person#Administrator"],
        ),
    ],
)
def test_roles_at_launch_are_uris(site: Site, username: str, roles: list[str]) -> None:
    site.person(username).launch(_placed(site))
    assert site.probe.claims[CLAIM_ROLES] == [ROLE + role for role in roles]


@pytest.mark.parametrize("username", ["outsider", "suspended1"])
def test_who_is_not_enrolled_never_reaches_the_tool(site: Site, username: str) -> None:
    page = site.person(username).launch(_placed(site))
    assert page.status == 404
    assert site.probe.logins == []


def test_the_login_says_nothing_of_platform_storage(site: Site) -> None:
    site.person("student1").launch(_placed(site))
    assert "lti_storage_target" not in site.probe.logins[-1]
    assert sorted(site.probe.launches[-1]) == ["id_token", "state"]


def test_the_message_hint_is_good_for_one_use(site: Site) -> None:
    person = site.person("student1")
    person.launch(_placed(site))
    login = site.probe.logins[-1]
    query = urlencode(
        {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "nonce": "n",
            "state": "s",
            "client_id": login["client_id"],
            "login_hint": "5",
            "redirect_uri": TOOL_URL + "/launch",
            "lti_message_hint": login["lti_message_hint"],
        }
    )
    again = person.get(f"{LMS_URL}/mod/lti/auth.php?{query}")
    assert again.status == 404
    assert "Invalid request" in again.words


def test_nothing_goes_to_an_address_that_is_not_registered(site: Site) -> None:
    site.probe.auth_overrides = {"redirect_uri": TOOL_URL + "/launch/"}
    page = site.person("student1").launch(_placed(site))
    assert page.status == 404
    assert site.probe.launches == []


@pytest.mark.parametrize(
    "overrides, error",
    [
        ({"login_hint": "6"}, "access_denied"),
        ({"response_mode": None}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"client_id": "other"}, "unauthorized_client"),
    ],
)
def test_errors_of_the_auth_page_are_posted_with_the_state(site: Site, overrides: Any, error: str) -> None:
    site.probe.auth_overrides = overrides
    site.person("student1").launch(_placed(site))
    assert site.probe.launches[-1]["error"] == error
    assert site.probe.launches[-1]["state"].startswith("state-")


@pytest.mark.parametrize(
    "policy, in_frame, expected",
    [
        ("all", True, {"none", "part"}),
        ("partitioned_only", True, {"part"}),
        ("none", True, set()),
        ("partitioned_only", False, {"none", "part"}),
    ],
)
def test_which_cookies_survive_the_dance(site: Site, policy: Any, in_frame: bool, expected: set[str]) -> None:
    site.person("student1", cookies=policy, in_frame=in_frame).launch(_placed(site))
    assert set(site.probe.cookies_at_launch[-1]) == expected


def test_moodle_reposts_what_came_without_its_session(site: Site) -> None:
    site.probe.content_items = [{"type": "ltiResourceLink", "title": "X"}]
    teacher = site.person("teacher1")
    teacher.return_selected(teacher.deep_link(site.course))
    posts = [entry for entry in site.lms.requests if "contentitem_return" in entry[1]]
    assert [entry[0] for entry in posts] == ["POST", "POST"]


def test_pages_of_the_site_refuse_framing(site: Site) -> None:
    page = site.person("teacher1").get("/course/view.php?id=2")
    assert page.headers["X-Frame-Options"] == "sameorigin"


def test_the_tool_stands_in_a_frame_of_the_view_page(site: Site) -> None:
    cmid = _placed(site)
    page = site.person("student1").get(f"/mod/lti/view.php?id={cmid}")
    frame = page.soup.find("iframe", id="contentframe")
    assert frame is not None
    assert frame["src"] == f"/mod/lti/launch.php?id={cmid}&triggerview=0"
    assert not frame.has_attr("sandbox")


def test_custom_parameters(site: Site) -> None:
    site.tool.custom = "badge_id=from the tool\nhist=$Context.id.history"
    custom = (
        "badge_id=from the link\nMixed-Case Key=x=y=z\nembed=a $Context.id b\nesc=\\$Context.id\n"
        "unknown=$Foo.bar\nend=$ResourceLink.submission.endDateTime\nscore_url=$Scores.url"
    )
    site.person("student1").launch(_placed(site, custom=custom))
    got = site.probe.claims[CLAIM_CUSTOM]
    assert got["badge_id"] == "from the tool"
    assert got["mixed_case_key"] == got["Mixed-Case Key"] == "x=y=z"
    assert got["embed"] == "a $Context.id b"
    assert got["esc"] == "$Context.id"
    assert got["unknown"] == "$Foo.bar"
    assert got["end"] == "$ResourceLink.submission.endDateTime"
    assert got["hist"] == ""
    assert "score_url" not in got
    assert site.probe.claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]["score"] == ""


def test_an_instance_with_a_resource_key_signs_for_another_audience(site: Site) -> None:
    cmid = _placed(site)
    site.lms.activities[cmid].resource_key = "other-key"
    site.person("student1").launch(cmid)
    assert site.probe.claims["aud"] == "other-key"


def test_keys_rotate_with_and_without_overlap(site: Site) -> None:
    old = site.lms.keys.kid
    new = site.lms.keys.rotate(keep_old=True)
    keys = site.session().get(LMS_URL + "/mod/lti/certs.php").json()["keys"]
    assert [key["kid"] for key in keys] == [old, new]
    site.lms.keys.rotate()
    assert len(site.session().get(LMS_URL + "/mod/lti/certs.php").json()["keys"]) == 1


def test_a_launch_may_be_signed_again_with_other_claims(site: Site) -> None:
    site.probe.content_items = []
    cmid = _placed(site)
    changes = {CLAIM_ROLES: ["Instructor"], CLAIM_CONTEXT: REMOVED}
    site.person("student1").launch(cmid, tamper=altered(site.lms, changes))
    assert site.probe.claims[CLAIM_ROLES] == ["Instructor"]
    assert CLAIM_CONTEXT not in site.probe.claims
    assert CLAIM_NRPS in site.probe.claims


_STRANGE_SIGNATURES = {
    "alg_none", "hs256_with_public_key", "es256_with_rsa_kid", "header_says_rs512", "no_kid", "unknown_kid",
    "rotated_out", "two_keys_same_kid", "own_key_in_header", "own_key_url_in_header", "flipped_byte",
    "changed_claim", "signed_by_a_stranger", "not_a_jwt", "empty_token",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_each_forgery_is_wrong_in_its_own_way(site: Site, name: str) -> None:
    """The signature fails where it is meant to, and holds where only a claim is wrong: else it would prove
    nothing.
    """
    cmid = _placed(site)
    site.person("student1").launch(cmid)
    good = set(site.probe.claims)
    tamper = forged(site.lms, name)
    token = tamper(site.probe.launches[-1])["id_token"]
    keys: Any = KeySet.import_key_set(site.lms.keys.jwks())  # type: ignore[arg-type]
    if name in _STRANGE_SIGNATURES:
        holds = True
        try:
            jws.deserialize_compact(token, keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            holds = False
        # Some libraries forgive an absent kid; the launch must not.
        assert not holds or name == "no_kid"
        return
    jws.deserialize_compact(token, keys, algorithms=["RS256"])
    _, claims = decode(token)
    if isinstance(claims, dict):
        assert claims != site.probe.claims or set(claims) != good
