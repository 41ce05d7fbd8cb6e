"""The login: its parameters, where it sends the browser, what the browser keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.oidc import LoginState, StateSigner, begin_login, browser_hash, is_ours
from tests.unit.lti.tokens import (
    BASE_URL,
    MISSING,
    MOODLE,
    SECRET,
    TARGET,
    Clock,
    Platform,
    Registered,
    auth_parameters,
)


def refusal(platform: Platform, **changes: Any) -> LaunchRefused:
    with pytest.raises(LaunchRefused) as refused:
        platform.login(**changes)
    assert 400 <= refused.value.status < 500
    return refused.value


def test_the_authentication_request_has_every_parameter(platform: Platform) -> None:
    hint = '{"cmid":6,"launchid":"ltilaunch1_155"}'
    login = platform.login()
    parameters = auth_parameters(login)
    assert login.auth_url.startswith(MOODLE.auth_url + "?")
    assert parameters == {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": "client-1",
        "redirect_uri": BASE_URL + "/lti/launch",
        "login_hint": "5",
        "lti_message_hint": hint,
        "state": login.state,
        "nonce": parameters["nonce"],
    }
    assert len(parameters["nonce"]) >= 32


def test_no_message_hint_is_made_up(platform: Platform) -> None:
    assert "lti_message_hint" not in auth_parameters(platform.login(lti_message_hint=MISSING))


def test_hints_are_echoed_unchanged(platform: Platform) -> None:
    hint = "a b&c=d+%20é\"'<>"
    parameters = auth_parameters(platform.login(login_hint=hint, lti_message_hint=hint))
    assert (parameters["login_hint"], parameters["lti_message_hint"]) == (hint, hint)


@pytest.mark.parametrize("tail", ["?tenant=7&x=%20y", "?tenant=7&x=%20y#part"])
def test_an_authentication_url_may_have_a_query_already(tail: str) -> None:
    platform = Platform(replace(MOODLE, auth_url=MOODLE.auth_url + tail))
    url = urlsplit(platform.login().auth_url)
    assert url.query.startswith("tenant=7&x=%20y&scope=openid&")
    assert parse_qs(url.query)["x"] == [" y"]
    assert not url.fragment


def test_every_login_is_new(platform: Platform) -> None:
    logins = [platform.login() for _ in range(20)]
    for values in (
        {login.state for login in logins},
        {login.state_cookie_name for login in logins},
        {login.state_cookie_value for login in logins},
        {auth_parameters(login)["nonce"] for login in logins},
    ):
        assert len(values) == 20


def test_the_browser_s_secret_is_not_in_what_the_platform_sees(platform: Platform) -> None:
    login = platform.login(lti_storage_target="_parent")
    assert login.state_cookie_value not in login.auth_url
    opened = StateSigner(SECRET).open(login.state)
    assert opened.browser_hash == browser_hash(login.state_cookie_value)
    assert login.state_cookie_value not in repr(opened)


@pytest.mark.parametrize("parameter", ["iss", "login_hint", "target_link_uri"])
@pytest.mark.parametrize("value", [MISSING, ""], ids=["missing", "empty"])
def test_a_required_parameter_is_required(platform: Platform, parameter: str, value: object) -> None:
    refused = refusal(platform, **{parameter: value})
    assert refused.code is ErrorCode.LOGIN_PARAMETER_MISSING
    assert refused.params == {"parameter": parameter}


@pytest.mark.parametrize(
    "parameter, length",
    [
        ("iss", 2001),
        ("login_hint", 4097),
        ("target_link_uri", 2001),
        ("client_id", 256),
        ("lti_message_hint", 8193),
        ("lti_deployment_id", 256),
        ("lti_storage_target", 101),
    ],
)
def test_parameters_are_bounded(platform: Platform, parameter: str, length: int) -> None:
    refused = refusal(platform, **{parameter: "x" * length})
    assert refused.code is ErrorCode.LOGIN_PARAMETER_INVALID
    assert refused.params == {"parameter": parameter}


@pytest.mark.parametrize("parameter", ["iss", "client_id"])
def test_no_parameter_asks_the_database_for_what_it_cannot_compare(
    platform: Platform, parameter: str
) -> None:
    refused = refusal(platform, **{parameter: "a\0"})
    assert refused.code is ErrorCode.LOGIN_PARAMETER_INVALID
    assert refused.params == {"parameter": parameter}


@pytest.mark.parametrize("frame", ["a b", "a'b", 'a"]; alert(1)//', "é"])
def test_a_storage_frame_is_a_plain_name(platform: Platform, frame: str) -> None:
    assert refusal(platform, lti_storage_target=frame).code is ErrorCode.LOGIN_PARAMETER_INVALID


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/lti/launch",
        "https://badges.example.evil.example/",
        "https://badges.example@evil.example/",
        "https://evil.example\\@badges.example/",
        "https://badges.example:8443/lti/launch",
        "http://badges.example/lti/launch",
        "//badges.example/lti/launch",
        "/lti/launch",
        "javascript:alert(1)",
        "https://badges.example\n.evil.example/",
        "https://badges.example:x/",
        "https://[",
        " https://badges.example/",
    ],
)
def test_a_target_elsewhere_is_refused(platform: Platform, target: str) -> None:
    assert refusal(platform, target_link_uri=target).code is ErrorCode.LOGIN_TARGET_FOREIGN


@pytest.mark.parametrize(
    "target", [TARGET, BASE_URL, BASE_URL + "/lti/launch?a=b", "https://Badges.Example:443/lti/launch"]
)
def test_a_target_of_ours_is_accepted(platform: Platform, target: str) -> None:
    assert StateSigner(SECRET).open(platform.login(target_link_uri=target).state).target_link_uri == target


def test_our_own_origin_may_have_a_port() -> None:
    assert is_ours("http://localhost:8000/lti/launch", "http://localhost:8000")
    assert not is_ours("http://localhost:9000/lti/launch", "http://localhost:8000")


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://other.example"}, {"iss": MOODLE.issuer + "/"}, {"client_id": "other"}],
    ids=str,
)
def test_an_unknown_registration_is_refused(platform: Platform, changes: dict[str, str]) -> None:
    assert refusal(platform, **changes).code is ErrorCode.REGISTRATION_UNKNOWN


@pytest.mark.parametrize("status", [RegistrationStatus.PENDING, RegistrationStatus.DISABLED])
def test_a_registration_that_is_not_approved_is_refused(
    platform: Platform, status: RegistrationStatus
) -> None:
    platform.set_status(status)
    refused = refusal(platform)
    assert refused.code is ErrorCode.REGISTRATION_NOT_APPROVED
    assert refused.params == {"registration_status": status.value}


@pytest.mark.parametrize("copy", ["beta", "test"])
def test_a_copy_of_a_production_canvas_is_refused_though_it_is_approved(copy: str) -> None:
    issuer = f"https://canvas.{copy}.instructure.com"
    copied = Platform(replace(MOODLE, issuer=issuer, product="canvas"))
    refused = refusal(copied)
    assert (refused.code, refused.status) == (ErrorCode.REGISTRATION_OF_COPY, 403)
    original = Platform(replace(MOODLE, issuer="https://canvas.instructure.com", product="canvas"))
    assert original.login()


def test_a_client_id_may_be_left_out_where_the_issuer_has_one_client() -> None:
    assert auth_parameters(Platform().login(client_id=MISSING))["client_id"] == "client-1"
    several = Platform(MOODLE, replace(MOODLE, id="other", client_id="client-2"))
    assert refusal(several, client_id=MISSING).code is ErrorCode.REGISTRATION_UNKNOWN
    assert auth_parameters(several.login(client_id="client-2"))["client_id"] == "client-2"


# -- the state


@pytest.mark.parametrize(
    "hint, expected", [('{"cmid":6}', "6"), ("6", None), ("[" * 2000, None), ('{"cmid":"6;x"}', None)]
)
def test_the_state_keeps_the_number_of_the_activity(
    platform: Platform, hint: str, expected: str | None
) -> None:
    state = StateSigner(SECRET).open(platform.login(lti_message_hint=hint).state)
    assert state.course_module_id == expected


def test_a_state_of_another_installation_is_refused() -> None:
    state = LoginState("r", "n", TARGET, "h", None, None, 1)
    assert StateSigner(SECRET).open(StateSigner(SECRET).seal(state)) == state
    with pytest.raises(LaunchRefused) as refused:
        StateSigner(SECRET).open(StateSigner(b"another secret").seal(state))
    assert refused.value.code is ErrorCode.LAUNCH_STATE_INVALID


def test_a_state_is_short_enough_for_a_url(platform: Platform) -> None:
    assert len(platform.login().state) < 600
    longest = BASE_URL + "/" + "x" * (1999 - len(BASE_URL))
    assert len(platform.login(target_link_uri=longest).auth_url) < 4000


# -- platform storage (lti-pm-s)


def test_a_storage_that_is_announced_is_used(platform: Platform) -> None:
    login = platform.login(lti_storage_target="post_message_forwarding")
    assert login.storage is not None
    assert login.storage.target_origin == "https://moodle.example"
    assert login.storage.frame == "post_message_forwarding"
    assert (login.storage.key, login.storage.value) == (login.state_cookie_name, login.state_cookie_value)


@pytest.mark.parametrize(
    "product, asks", [("moodle", False), ("canvas", False), ("other", True), ("new", True)]
)
def test_only_platforms_that_may_hide_a_storage_are_asked(product: str, asks: bool) -> None:
    storage = Platform(replace(MOODLE, product=product)).login().storage
    assert (storage is not None) is asks
    if storage is not None:
        assert storage.frame is None


def test_nothing_is_written_and_nothing_fetched() -> None:
    asked: list[str] = []

    class Watched(Registered):
        def lookup(self, issuer: str, client_id: str | None) -> Any:
            asked.append(issuer)
            return super().lookup(issuer, client_id)

    form = {"iss": MOODLE.issuer, "login_hint": "5", "target_link_uri": TARGET, "client_id": "client-1"}
    begin_login(form, Watched(), SECRET, Clock(), BASE_URL)
    assert asked == [MOODLE.issuer]


def test_the_sealed_state_is_json_that_nobody_can_change(platform: Platform) -> None:
    import base64

    payload, _, signature = platform.login().state.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    fields[2] = "https://evil.example/"
    changed = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    with pytest.raises(LaunchRefused) as refused:
        StateSigner(SECRET).open(f"{changed}.{signature}")
    assert refused.value.code is ErrorCode.LAUNCH_STATE_INVALID
