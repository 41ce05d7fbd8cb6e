"""Dynamic registration as Canvas does it (doc/api/registration.md)."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.integration.simulator.cloud import NORTH, SSO, Institution
from tests.integration.simulator.cloud import institutions as institutions
from tests.integration.simulator.cloud import north as north
from tests.integration.simulator.conftest import TOOL_URL
from tests.simulator.canvas.registration import SCOPES, TOOL_CONFIGURATION, registration_token
from tests.simulator.client import mounts

CONFIGURATION = f"{SSO}/api/lti/security/openid-configuration"
REQUEST: dict[str, Any] = {
    "client_name": "Self-registered",
    "initiate_login_uri": f"{TOOL_URL}/login",
    "redirect_uris": [f"{TOOL_URL}/launch"],
    "jwks_uri": f"{TOOL_URL}/jwks",
    "scope": " ".join(SCOPES[:2]),
    TOOL_CONFIGURATION: {"target_link_uri": f"{TOOL_URL}/launch", "messages": []},
}


@pytest.fixture
def web(north: Institution) -> requests.Session:
    session = requests.Session()
    for prefix, adapter in mounts(north.lms).items():
        session.mount(prefix, adapter)
    return session


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_configuration_needs_the_token_and_names_both_hosts(
    north: Institution, web: requests.Session
) -> None:
    assert web.get(CONFIGURATION).status_code == 401
    assert web.get(CONFIGURATION, headers=bearer("a.b.c")).status_code == 401
    said = web.get(CONFIGURATION, headers=bearer(registration_token(north.lms))).json()
    assert said["issuer"] == SSO
    assert said["registration_endpoint"].startswith(NORTH)
    assert "://" not in said["authorization_server"]


def test_an_app_that_registered_itself_names_no_deployment_and_waits(
    north: Institution, web: requests.Session
) -> None:
    answer = web.post(
        f"{NORTH}/api/lti/registrations", json=REQUEST, headers=bearer(registration_token(north.lms))
    )
    assert answer.status_code == 200
    assert "deployment_id" not in answer.json()[TOOL_CONFIGURATION]
    tool = north.lms.tool_by_client(answer.json()["client_id"])
    assert tool is not None
    assert tool.scopes == list(SCOPES[:2])
    path = f"/courses/{north.course.id}/external_tools/{tool.id}"
    assert north.person(north.teacher).get(path).status == 404
    north.lms.enable(tool)
    assert north.person(north.teacher).get(path).status == 200


@pytest.mark.parametrize("changes", [{"scope": "x"}, {"jwks_uri": ""}, {TOOL_CONFIGURATION: None}])
def test_what_is_missing_is_named(north: Institution, web: requests.Session, changes: dict[str, Any]) -> None:
    answer = web.post(
        f"{NORTH}/api/lti/registrations",
        json={**REQUEST, **changes},
        headers=bearer(registration_token(north.lms)),
    )
    assert answer.status_code == 422
    assert answer.json()["errorMessage"].startswith("Invalid: ")
