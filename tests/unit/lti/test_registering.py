"""What a platform says of itself is read strictly; what the tool asks for is what it needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lti_tool.errors import ErrorCode, PlatformFailed, RequestInvalid
from lti_tool.lti.registering import (
    PLATFORM_CONFIGURATION,
    TOOL_CONFIGURATION,
    PlatformConfiguration,
    read_platform_configuration,
    read_registration_answer,
)
from lti_tool.lti.registration import (
    OFFERED_SCOPES,
    PLACEMENTS,
    SCOPES,
    ToolTexts,
    canvas_configuration,
    registration_request,
    scopes_to_ask,
)

BASE = "https://badges.example:8443"
TEXTS = ToolTexts("Badges", "Open Badges.", "Add a badge", "My badges")
MOODLE = "https://moodle.example.edu"
URL = f"{MOODLE}/mod/lti/openid-configuration.php"
SAID: dict[str, Any] = {
    "issuer": MOODLE,
    "token_endpoint": f"{MOODLE}/mod/lti/token.php",
    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    "jwks_uri": f"{MOODLE}/mod/lti/certs.php",
    "authorization_endpoint": f"{MOODLE}/mod/lti/auth.php",
    "registration_endpoint": f"{MOODLE}/mod/lti/openid-registration.php",
    "scopes_supported": [*SCOPES, "openid"],
    "response_types_supported": ["id_token"],
    "id_token_signing_alg_values_supported": ["RS256"],
    PLATFORM_CONFIGURATION: {
        "product_family_code": "moodle",
        "version": "4.4dev (Build: 20231124)",
        "messages_supported": [
            {"type": "LtiResourceLinkRequest"},
            {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
        ],
    },
}
"""As Moodle 4.4 says it."""
CANVAS = "https://canvas.instructure.com"
CANVAS_URL = f"{CANVAS}/api/lti/security/openid-configuration?registration_token=a.b.c"
CANVAS_SAID: dict[str, Any] = {
    "issuer": CANVAS,
    "authorization_endpoint": "https://sso.canvaslms.com/api/lti/authorize_redirect",
    "registration_endpoint": "https://lms.university.example/api/lti/registrations",
    "jwks_uri": "https://sso.canvaslms.com/api/lti/security/jwks",
    "token_endpoint": "https://sso.canvaslms.com/login/oauth2/token",
    "authorization_server": "sso.canvaslms.com",
    "scopes_supported": [*SCOPES, "https://canvas.instructure.com/lti/public_jwk/scope/update"],
    PLATFORM_CONFIGURATION: {
        "product_family_code": "canvas",
        "version": "vCloud",
        "messages_supported": [
            {"type": "LtiResourceLinkRequest", "placements": ["course_navigation", "account_navigation"]},
            {
                "type": "LtiDeepLinkingRequest",
                "placements": ["assignment_selection", "link_selection", "editor_button"],
            },
        ],
        "https://canvas.instructure.com/lti/account_name": "Test University",
    },
}


def read(changes: dict[str, Any] | None = None, url: str = URL) -> PlatformConfiguration:
    said = {name: value for name, value in {**SAID, **(changes or {})}.items() if value is not None}
    return read_platform_configuration(json.dumps(said).encode(), url)


def read_canvas(**changes: Any) -> PlatformConfiguration:
    return read_platform_configuration(json.dumps({**CANVAS_SAID, **changes}).encode(), CANVAS_URL)


def test_a_moodle_is_read() -> None:
    found = read()
    assert (found.issuer, found.product, found.version) == (MOODLE, "moodle", "4.4dev (Build: 20231124)")
    assert (found.auth_url, found.token_url) == (f"{MOODLE}/mod/lti/auth.php", f"{MOODLE}/mod/lti/token.php")
    assert found.messages == {"LtiResourceLinkRequest": (), "LtiDeepLinkingRequest": ("ContentArea",)}
    assert found.token_audience is None


def test_a_canvas_names_its_institutions_domain_and_no_audience() -> None:
    found = read_canvas()
    assert (found.product, found.account_name) == ("canvas", "Test University")
    assert found.registration_url == "https://lms.university.example/api/lti/registrations"
    assert found.token_audience is None


def test_another_platforms_authorization_server_is_the_audience() -> None:
    changes = {PLATFORM_CONFIGURATION: {"product_family_code": "desire2learn"}}
    found = read({**changes, "authorization_server": "https://api.example.com/auth/token"})
    assert (found.product, found.token_audience) == ("other", "https://api.example.com/auth/token")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"[" * 100_000, b"\xff{}"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read_platform_configuration(body, URL)
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID


@pytest.mark.parametrize(
    "name", ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"]
)
@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        7,
        ["https://moodle.example.edu"],
        "http://moodle.example.edu/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:secret@moodle.example.edu/x",
        "https://moodle.example.edu\\@evil.example/x",
        "https://moodle.example.edu/x\r\nHost: evil.example",
    ],
)
def test_an_address_that_is_none_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read({name: value})
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID
    assert any(str(problem).startswith(name) for problem in caught.value.params["problems"])  # type: ignore[attr-defined]


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(RequestInvalid) as caught:
        read({"issuer": None, "jwks_uri": None, "response_types_supported": ["code"]})
    assert len(caught.value.params["problems"]) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example.edu"},
        {"registration_endpoint": "https://evil.example/register"},
        {
            PLATFORM_CONFIGURATION: {"product_family_code": "canvas"},
            "registration_endpoint": "https://e.example/",
        },
    ],
    ids=["issuer", "registration endpoint", "says it is a Canvas"],
)
def test_nobody_registers_somebody_elses_platform(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read(changes)
    assert caught.value.code is ErrorCode.CONFIGURATION_FOREIGN


def test_the_issuer_of_a_cloud_speaks_from_its_own_host_only() -> None:
    with pytest.raises(RequestInvalid) as caught:
        read_platform_configuration(
            json.dumps(CANVAS_SAID).encode(), "https://evil.example/openid-configuration"
        )
    assert caught.value.code is ErrorCode.CONFIGURATION_FOREIGN


def test_loopback_may_speak_plain_http() -> None:
    local = {
        name: value.replace(MOODLE, "http://127.0.0.1:8080") if isinstance(value, str) else value
        for name, value in SAID.items()
    }
    found = read_platform_configuration(
        json.dumps(local).encode(), "http://127.0.0.1:8080/mod/lti/openid-configuration.php"
    )
    assert found.issuer == "http://127.0.0.1:8080"


def test_a_list_of_anything_harms_nobody() -> None:
    odd = {"messages_supported": [7, {"type": 7}, {"type": "LtiDeepLinkingRequest", "placements": [7, "x"]}]}
    found = read({PLATFORM_CONFIGURATION: odd, "scopes_supported": [7, *SCOPES]})
    assert found.messages == {"LtiDeepLinkingRequest": ("x",)}
    assert found.scopes == frozenset(SCOPES)


# -- what is asked for


def test_a_moodle_is_asked_for_what_it_keeps() -> None:
    asked = registration_request(read(), BASE, TEXTS, f"{BASE}/icon.svg")
    tool = asked[TOOL_CONFIGURATION]
    assert asked["redirect_uris"] == [f"{BASE}/lti/launch"]
    assert asked["initiate_login_uri"] == f"{BASE}/lti/login"
    assert asked["jwks_uri"] == f"{BASE}/lti/jwks.json"
    assert asked["token_endpoint_auth_method"] == "private_key_jwt"
    assert set(asked["scope"].split()) == set(SCOPES)
    assert (tool["domain"], tool["target_link_uri"]) == ("badges.example:8443", f"{BASE}/lti/launch")
    assert {"name", "email"} <= set(tool["claims"])
    assert [message["type"] for message in tool["messages"]] == [
        "LtiDeepLinkingRequest",
        "LtiResourceLinkRequest",
    ]
    assert tool["custom_parameters"]["context_history"] == "$Context.id.history"


def test_a_canvas_is_asked_for_the_placements_of_its_developer_key() -> None:
    asked = registration_request(read_canvas(), BASE, TEXTS, f"{BASE}/icon.svg")[TOOL_CONFIGURATION]
    by_registration = {
        (name, message["type"], message["label"])
        for message in asked["messages"]
        for name in message.get("placements", ())
    }
    settings = canvas_configuration(BASE, TEXTS, f"{BASE}/icon.svg")["extensions"][0]["settings"]
    by_key = {(one["placement"], one["message_type"], one["text"]) for one in settings["placements"]}
    assert by_registration == {one for one in by_key if one[0] in _offered_by_canvas()}
    assert by_registration
    assert asked["https://canvas.instructure.com/lti/privacy_level"] == "public"


def _offered_by_canvas() -> set[str]:
    about = CANVAS_SAID[PLATFORM_CONFIGURATION]["messages_supported"]
    return {name for message in about for name in message["placements"]}


def test_a_placement_that_the_platform_has_not_is_not_asked_for() -> None:
    about = {
        **CANVAS_SAID[PLATFORM_CONFIGURATION],
        "messages_supported": [{"type": "LtiResourceLinkRequest"}],
    }
    asked = registration_request(
        read_canvas(**{PLATFORM_CONFIGURATION: about}), BASE, TEXTS, f"{BASE}/icon.svg"
    )
    assert asked[TOOL_CONFIGURATION]["messages"] == [
        {"type": "LtiResourceLinkRequest", "target_link_uri": f"{BASE}/lti/launch"}
    ]
    assert PLACEMENTS


def test_messages_without_a_menu_entry_are_asked_for_where_they_are_offered() -> None:
    """Reviews come out of a gradebook, privacy launches from whoever looks after people's data."""
    others = ("LtiSubmissionReviewRequest", "DataPrivacyLaunchRequest")
    about = {
        **CANVAS_SAID[PLATFORM_CONFIGURATION],
        "messages_supported": [{"type": name} for name in ("LtiResourceLinkRequest", *others)],
    }
    asked = registration_request(read({PLATFORM_CONFIGURATION: about}), BASE, TEXTS, f"{BASE}/icon.svg")
    found = [message["type"] for message in asked[TOOL_CONFIGURATION]["messages"]]
    assert found == ["LtiResourceLinkRequest", *others]


def test_only_permissions_that_are_offered_are_asked_for() -> None:
    assert scopes_to_ask(read({"scopes_supported": None})) == SCOPES
    assert scopes_to_ask(read({"scopes_supported": [SCOPES[0], "openid"]})) == (SCOPES[0],)
    everything = [*SCOPES, *OFFERED_SCOPES]
    assert scopes_to_ask(read({"scopes_supported": everything})) == tuple(everything)


# -- the answer


def answer(said: object, status: int = 200) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_registration_answer(status, body)


def test_moodles_answer_names_client_and_deployment(moodle_answer: dict[str, Any]) -> None:
    found = answer(moodle_answer)
    assert (found.client_id, found.deployment_id) == ("O5a2VXS9t7FCw9B", "1")


@pytest.fixture
def moodle_answer() -> dict[str, Any]:
    return {
        "client_id": "O5a2VXS9t7FCw9B",
        "scope": " ".join(SCOPES),
        TOOL_CONFIGURATION: {"deployment_id": "1"},
    }


def test_canvas_names_no_deployment_yet() -> None:
    assert answer({"client_id": "10000000000001", TOOL_CONFIGURATION: {}}, 201).deployment_id is None


def test_a_number_is_a_name_too() -> None:
    found = answer({"client_id": "x", TOOL_CONFIGURATION: {"deployment_id": 7}})
    assert found.deployment_id == "7"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"<html>",
        b"[]",
        {},
        {"client_id": ""},
        {"client_id": 1.5},
        {"client_id": "x" * 256},
        {"client_id": "ä"},
    ]
    + [
        {"client_id": "x", TOOL_CONFIGURATION: {"deployment_id": bad}}
        for bad in (["1"], "x" * 256, "a\nb", True)
    ],
)
def test_an_answer_without_a_usable_client_is_refused(said: object) -> None:
    with pytest.raises(PlatformFailed) as caught:
        answer(said)
    assert caught.value.code is ErrorCode.REGISTRATION_ANSWER_INVALID


@pytest.mark.parametrize(
    "status, body, code, reason",
    [
        (401, b"token_already_used", ErrorCode.REGISTRATION_TOKEN_REFUSED, "token_already_used"),
        (403, b"", ErrorCode.REGISTRATION_TOKEN_REFUSED, ""),
        (
            400,
            b"domain_targetlinkuri_mismatch",
            ErrorCode.REGISTRATION_REFUSED,
            "domain_targetlinkuri_mismatch",
        ),
        (422, b'{"errorMessage": "Invalid: scope"}', ErrorCode.REGISTRATION_REFUSED, "Invalid: scope"),
        (500, b"<!DOCTYPE html><h1>Oops</h1>", ErrorCode.REGISTRATION_REFUSED, ""),
        (302, b"", ErrorCode.REGISTRATION_REFUSED, ""),
        (400, b"x" * 5000, ErrorCode.REGISTRATION_REFUSED, "x" * 200),
    ],
)
def test_a_refusal_keeps_the_platforms_own_words(
    status: int, body: bytes, code: ErrorCode, reason: str
) -> None:
    with pytest.raises(PlatformFailed) as caught:
        answer(body, status)
    assert (caught.value.code, caught.value.params["reason"]) == (code, reason)


def test_a_token_that_comes_back_in_a_refusal_is_not_shown() -> None:
    token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJPNWEyVlhTOXQ3In0.c2lnbmF0dXJl"
    with pytest.raises(PlatformFailed) as caught:
        answer(f"bad token {token}".encode(), 400)
    assert token not in str(caught.value.params)
    assert "eyJ" not in str(caught.value.params["reason"])
