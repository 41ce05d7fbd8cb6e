"""The launch, its first two checks: the form with its bounds, and the state that this browser has to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.launch import LEEWAY_SECONDS
from lti_tool.lti.oidc import STATE_LIFETIME_SECONDS
from tests.unit.lti.tokens import Platform, code_of

# -- 1. form and bounds


@pytest.mark.parametrize("parameter", ["id_token", "state"])
@pytest.mark.parametrize("value", [None, "", "x" * 70_000], ids=["missing", "empty", "too long"])
def test_the_form_is_bounded(platform: Platform, parameter: str, value: str | None) -> None:
    login = platform.login()
    form = {"id_token": platform.token(login), "state": login.state, parameter: value}
    cookies = {login.state_cookie_name: login.state_cookie_value}
    sent = {name: value for name, value in form.items() if value is not None}
    assert code_of(lambda: platform.validator.validate(sent, cookies)) is ErrorCode.LAUNCH_FORM_INVALID


def test_an_error_of_the_platform_is_named_but_its_text_is_not_repeated(platform: Platform) -> None:
    form = {"error": "access_denied", "error_description": "<b>click here</b>", "state": "x"}
    with pytest.raises(LaunchRefused) as refused:
        platform.validator.validate(form, {})
    assert refused.value.code is ErrorCode.LAUNCH_PLATFORM_ERROR
    assert refused.value.params == {"platform_error": "access_denied"}
    with pytest.raises(LaunchRefused) as refused:
        platform.validator.validate({"error": "<script>alert(1)</script>"}, {})
    assert refused.value.params == {"platform_error": "unreadable"}


# -- 2. the state


@pytest.mark.parametrize("spoil", ["{0}A", "A{0}", "é", ".", "{1}."])
def test_a_state_that_was_not_made_here_is_refused(platform: Platform, spoil: str) -> None:
    login = platform.login()
    forged = replace(login, state=spoil.format(login.state, login.state.partition(".")[0]))
    assert code_of(lambda: platform.post(forged, platform.token(login))) is ErrorCode.LAUNCH_STATE_INVALID


def test_an_old_state_is_refused(platform: Platform) -> None:
    login = platform.login()
    platform.clock.move(seconds=STATE_LIFETIME_SECONDS + 1)
    assert code_of(lambda: platform.post(login, platform.token(login))) is ErrorCode.LAUNCH_STATE_EXPIRED


def test_a_state_from_the_future_is_refused(platform: Platform) -> None:
    login = platform.login()
    platform.clock.move(seconds=-LEEWAY_SECONDS - 1)
    assert code_of(lambda: platform.post(login, platform.token(login))) is ErrorCode.LAUNCH_STATE_EXPIRED


def test_a_launch_that_another_browser_began_is_refused(platform: Platform) -> None:
    attacker, victim = platform.login(), platform.login()
    cookies = {victim.state_cookie_name: victim.state_cookie_value}
    token = platform.token(attacker)
    assert code_of(lambda: platform.post(attacker, token, cookies=cookies)) is ErrorCode.LAUNCH_STATE_UNBOUND
    planted = {attacker.state_cookie_name: victim.state_cookie_value}
    assert code_of(lambda: platform.post(attacker, token, cookies=planted)) is ErrorCode.LAUNCH_STATE_UNBOUND


def test_a_launch_without_its_cookie_leads_to_a_fresh_one(platform: Platform) -> None:
    login = platform.login()
    with pytest.raises(LaunchRefused) as refused:
        platform.post(login, platform.token(login), cookies={})
    assert refused.value.code is ErrorCode.LAUNCH_STATE_UNBOUND
    assert refused.value.fresh_launch_url == "https://moodle.example/mod/lti/launch.php?id=6"


def test_a_value_from_storage_counts_only_where_the_login_announced_a_storage(platform: Platform) -> None:
    without = platform.login()
    token = platform.token(without)
    assert (
        code_of(lambda: platform.post(without, token, cookies={}, storage_value=without.state_cookie_value))
        is ErrorCode.LAUNCH_STATE_UNBOUND
    )
    login = platform.login(lti_storage_target="_parent")
    token = platform.token(login)
    launch = platform.post(login, token, cookies={}, storage_value=login.state_cookie_value)
    assert not launch.is_cookie_bound
    assert (
        code_of(lambda: platform.post(login, token, cookies={}, storage_value="guess"))
        is ErrorCode.LAUNCH_STATE_UNBOUND
    )


def test_a_wrong_cookie_is_not_healed_by_storage(platform: Platform) -> None:
    login = platform.login(lti_storage_target="_parent")
    cookies = {login.state_cookie_name: "planted"}
    assert (
        code_of(
            lambda: platform.post(
                login, platform.token(login), cookies=cookies, storage_value=login.state_cookie_value
            )
        )
        is ErrorCode.LAUNCH_STATE_UNBOUND
    )


def test_the_page_learns_where_to_read_the_secret_back(platform: Platform) -> None:
    login = platform.login(lti_storage_target="post_message_forwarding")
    form = {"id_token": platform.token(login), "state": login.state}
    storage = platform.validator.storage_for(form, {})
    assert storage is not None
    assert (storage.target_origin, storage.frame) == ("https://moodle.example", "post_message_forwarding")
    assert (storage.key, storage.value) == (login.state_cookie_name, None)
    kept = {login.state_cookie_name: login.state_cookie_value}
    assert platform.validator.storage_for(form, kept) is None
    assert platform.validator.storage_for({**form, "state": "forged"}, {}) is None
    plain = platform.login()
    assert platform.validator.storage_for({"id_token": "t", "state": plain.state}, {}) is None


@pytest.mark.parametrize("status", [RegistrationStatus.PENDING, RegistrationStatus.DISABLED])
def test_a_registration_that_was_disabled_meanwhile_is_refused(
    platform: Platform, status: RegistrationStatus
) -> None:
    login = platform.login()
    platform.set_status(status)
    assert code_of(lambda: platform.post(login, platform.token(login))) is ErrorCode.REGISTRATION_NOT_APPROVED


def test_a_registration_that_was_removed_meanwhile_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = platform.token(login)
    platform.registered.views.clear()
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.REGISTRATION_UNKNOWN
