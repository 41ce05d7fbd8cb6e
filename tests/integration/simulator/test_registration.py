"""Dynamic registration as Moodle does it (MOODLE.md §1)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.integration.simulator.conftest import LMS_URL, TOOL_URL, Site
from tests.simulator.lms import GRADES_SYNC
from tests.simulator.moodle.registration import TOOL_CONFIGURATION, initiation_url

RESULT = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
REQUEST: dict[str, Any] = {
    "application_type": "web",
    "response_types": ["id_token"],
    "grant_types": ["implicit", "client_credentials"],
    "initiate_login_uri": TOOL_URL + "/login",
    "redirect_uris": [TOOL_URL + "/launch"],
    "client_name": "Self-registered",
    "jwks_uri": TOOL_URL + "/jwks",
    "token_endpoint_auth_method": "private_key_jwt",
    "scope": RESULT,
    TOOL_CONFIGURATION: {"domain": "localhost:9001", "target_link_uri": TOOL_URL + "/launch"},
}


def _register(
    site: Site, changes: dict[str, Any] | None = None, *, token: str | None = None
) -> requests.Response:
    asked = {name: value for name, value in {**REQUEST, **(changes or {})}.items() if value is not None}
    given = token or parse_qs(urlsplit(initiation_url(site.lms, TOOL_URL)).query)["registration_token"][0]
    headers = {"Authorization": "Bearer " + given}
    return site.session().post(LMS_URL + "/mod/lti/openid-registration.php", json=asked, headers=headers)


def test_the_answer_promises_more_scopes_than_a_token_gets(site: Site) -> None:
    answer = _register(site)
    assert "scope/lineitem" in answer.json()["scope"].split()[-1]
    tool = site.lms.tool_by_client(answer.json()["client_id"])
    assert tool is not None
    assert tool.grade_service == GRADES_SYNC


def test_a_new_tool_waits_for_activation_and_for_its_place_in_the_chooser(site: Site) -> None:
    _register(site)
    teacher, admin = site.person("teacher1"), site.person("admin")
    assert "Self-registered" not in teacher.get("/course/view.php?id=2").words
    page = admin.get("/mod/lti/toolconfigure.php")
    assert "Pending" in page.words
    page = admin.submit(page, form="tool2actions", button="Activate")
    assert "Self-registered" not in teacher.get("/course/view.php?id=2").words
    admin.submit(page, form="tool2actions", button="Show in activity chooser")
    assert "Self-registered" in teacher.get("/course/view.php?id=2").words


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"response_types": ["code"]}, "invalid_response_types"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_token_endpoint_auth_method"),
        ({"application_type": "native"}, "invalid_application_type"),
        (
            {TOOL_CONFIGURATION: {"domain": "localhost:9001", "target_link_uri": "https://other.example/"}},
            "domain_targetlinkuri_mismatch",
        ),
        ({"jwks_uri": None}, "missing_required_parameter_jwks_uri"),
    ],
)
def test_what_is_refused_as_bare_text(site: Site, changes: dict[str, Any], reason: str) -> None:
    answer = _register(site, changes)
    assert (answer.status_code, answer.text) == (400, reason)


def test_a_token_must_be_the_sites_own_and_fresh(site: Site) -> None:
    url = initiation_url(site.lms, TOOL_URL)
    token = parse_qs(urlsplit(url).query)["registration_token"][0]
    assert _register(site, token=token[:-6] + "AAAAAA").status_code == 401
    site.clock.tick(3600)
    assert (_register(site, token=token).status_code, _register(site, token=token).text) == (
        401,
        "Expired token",
    )
