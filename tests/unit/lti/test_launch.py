"""The launch, check by check: every case of the certification's §6.1 and of SEC §5.1.3.

Each refusal is asked for by its own code, so a case can only pass by the guard it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.launch import LEEWAY_SECONDS, MAX_TOKEN_AGE_SECONDS
from lti_tool.lti.oidc import STATE_LIFETIME_SECONDS
from tests.unit.lti.tokens import (
    BASE_URL,
    INSTRUCTOR,
    LEARNER,
    LTI,
    MISSING,
    MOODLE,
    NOW,
    TARGET,
    Platform,
    auth_parameters,
    b64,
    deep_linking_changes,
    jwk,
    public_pem,
    rsa_key,
    sign,
    sign_es256,
    sign_hs256,
)

HEADER = {"typ": "JWT", "alg": "RS256", "kid": "key-1"}
INSTITUTION_ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"


@pytest.fixture
def platform() -> Platform:
    return Platform()


def code_of(attempt: Callable[[], Any]) -> ErrorCode:
    """The code that ``attempt`` is refused with."""
    with pytest.raises(LaunchRefused) as refused:
        attempt()
    assert 400 <= refused.value.status < 500
    return refused.value.code


# -- what is accepted (certification §6.1.2 and §6.1.3)


def test_a_learner_s_launch_is_read_completely(platform: Platform) -> None:
    launch = platform.launch(
        custom={"badge_link_key": "k-1", "badge_link_role": "badge", "other": "x", "locale": "de"},
        tool_platform={"guid": "g", "url": "https://www.campus.example/", "product_family_code": "moodle"},
    )
    assert launch.registration_id == MOODLE.id
    assert (launch.user.sub, launch.user.name, launch.user.email) == (
        "5",
        "Stu1 Dent1",
        "student1@example.test",
    )
    assert launch.context is not None
    assert (launch.context.id_on_platform, launch.context.title) == ("2", "Open Data")
    assert launch.link is not None
    assert launch.link.id_on_platform == "1"
    assert launch.rights.is_learner
    assert not launch.rights.is_staff
    assert launch.custom == {"badge_link_key": "k-1", "badge_link_role": "badge", "locale": "de"}
    assert launch.frame_origins == ("https://moodle.example", "https://www.campus.example")
    assert launch.course_module_id == "6"
    assert launch.expires_at == NOW + timedelta(seconds=60)
    assert launch.is_cookie_bound
    assert launch.locale == "en"


@pytest.mark.parametrize(
    "roles, is_learner, can_configure",
    [
        pytest.param([LEARNER], True, False, id="student"),
        pytest.param([INSTRUCTOR], False, True, id="teacher"),
        pytest.param([INSTRUCTOR, INSTITUTION_ADMINISTRATOR], False, True, id="several roles"),
        pytest.param(["Instructor"], False, True, id="short teacher role"),
        pytest.param(["Learner"], True, False, id="short student role"),
        pytest.param(["http://example.org/roles#Wizard"], False, False, id="unknown role"),
        pytest.param([LEARNER, "Wizard", 7, None], True, False, id="known role among junk"),
        pytest.param([], False, False, id="no role"),
        pytest.param([INSTITUTION_ADMINISTRATOR], False, False, id="institution role gives no right"),
    ],
)
def test_roles_of_every_kind_are_accepted(
    platform: Platform, roles: list[Any], is_learner: bool, can_configure: bool
) -> None:
    rights = platform.launch(roles=roles).rights
    assert (rights.is_learner, rights.can_configure) == (is_learner, can_configure)


@pytest.mark.parametrize(
    "changes, name, email",
    [
        pytest.param(
            {"name": MISSING, "given_name": MISSING, "family_name": MISSING}, None, True, id="email"
        ),
        pytest.param({"email": MISSING}, "Stu1 Dent1", False, id="names only"),
        pytest.param({"email": MISSING, "name": MISSING}, "Stu1 Dent1", False, id="name put together"),
        pytest.param(
            {"email": MISSING, "name": MISSING, "given_name": MISSING, "family_name": MISSING},
            None,
            False,
            id="no personal data",
        ),
    ],
)
@pytest.mark.parametrize("roles", [[LEARNER], [INSTRUCTOR]], ids=["student", "teacher"])
def test_missing_personal_data_is_fine(
    platform: Platform, roles: list[str], changes: dict[str, Any], name: str | None, email: bool
) -> None:
    user = platform.launch(roles=roles, **changes).user
    assert user.name == name
    assert (user.email is not None) is email


@pytest.mark.parametrize("context", [MISSING, None, {}, {"title": "no id"}], ids=repr)
def test_a_missing_context_is_fine(platform: Platform, context: object) -> None:
    launch = platform.launch(
        context=context, name=MISSING, given_name=MISSING, family_name=MISSING, roles=[INSTRUCTOR]
    )
    assert launch.context is None


def test_a_deep_linking_request_is_read(platform: Platform) -> None:
    launch = platform.launch(**deep_linking_changes(data="opaque", title="T"))
    assert launch.deep_linking is not None
    assert launch.deep_linking.data == "opaque"
    assert launch.deep_linking.accept_multiple is True
    assert launch.deep_linking.accept_line_item is None
    assert launch.link is None


def test_a_deep_linking_request_without_a_target_claim_keeps_the_login_s(platform: Platform) -> None:
    assert platform.launch(**deep_linking_changes(), target_link_uri=MISSING).target_link_uri == TARGET


def test_a_long_title_and_unknown_claims_are_no_reason_to_refuse(platform: Platform) -> None:
    launch = platform.launch(
        context={"id": "2", "title": "x" * 10_000 + "\x00"},
        resource_link={"id": "1", "title": "a\x00b\nc"},
        **{"https://example.org/unknown": {"deep": [1, {"er": None}]}},
    )
    assert launch.context is not None
    assert launch.link is not None
    assert launch.context.title == "x" * 500
    assert launch.link.title == "a b c"


def test_several_frames_on_one_page_do_not_clash(platform: Platform) -> None:
    first, second = platform.login(), platform.login()
    cookies = {each.state_cookie_name: each.state_cookie_value for each in (first, second)}
    assert first.state_cookie_name != second.state_cookie_name
    assert platform.post(second, platform.token(second), cookies=cookies).nonce
    assert platform.post(first, platform.token(first), cookies=cookies).nonce


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


# -- 3. algorithm, key id, signature


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c.d", "....", "ä.b.c", "bm90IGpzb24.e30.x", "W10.e30.x", "e30.e30.e3 0"]
)
def test_what_is_no_token_is_refused(platform: Platform, token: str) -> None:
    login = platform.login()
    expected = ErrorCode.LAUNCH_TOKEN_MALFORMED if token else ErrorCode.LAUNCH_FORM_INVALID
    assert code_of(lambda: platform.post(login, token)) is expected


@pytest.mark.parametrize("payload", [b"[]", b"not json", b"\xff", b'{"a": "\\ud800"}', b"[" * 20_000])
def test_a_signed_payload_that_is_no_object_is_refused(platform: Platform, payload: bytes) -> None:
    login = platform.login()
    # The payload is signed as it stands: what is wrong with it is only its content.
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    message = sign(platform.key, HEADER, {}).split(".")[0] + "." + b64(payload)
    signature = b64(platform.key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()))
    assert code_of(lambda: platform.post(login, f"{message}.{signature}")) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_a_deeply_nested_header_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = f"{b64(b'[' * 20_000)}.e30.x"
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_alg_none_is_refused(platform: Platform) -> None:
    login = platform.login()
    claims = platform.claims(login)
    for name in ("none", "None", "nOnE"):
        token = sign(platform.key, {**HEADER, "alg": name}, claims).rpartition(".")[0] + "."
        assert code_of(lambda token=token: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


def test_hs256_with_the_public_key_as_secret_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = sign_hs256(public_pem(platform.key), {**HEADER, "alg": "HS256"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


def test_es256_under_the_kid_of_an_rsa_key_is_refused(platform: Platform) -> None:
    login = platform.login()
    key = ec.generate_private_key(ec.SECP256R1())
    token = sign_es256(key, {**HEADER, "alg": "ES256"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


@pytest.mark.parametrize("alg", [MISSING, None, "", "RS384", "RS512", "PS256", "rs256", ["RS256"], 1])
def test_any_other_algorithm_is_refused_before_a_key_is_sought(platform: Platform, alg: object) -> None:
    login = platform.login()
    header = {"typ": "JWT", "kid": "unknown", **({} if alg is MISSING else {"alg": alg})}
    token = sign(platform.key, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED
    assert platform.fetched == []


@pytest.mark.parametrize("kid", [MISSING, None, "", 7, ["key-1"]], ids=repr)
def test_a_header_without_kid_is_refused(platform: Platform, kid: object) -> None:
    login = platform.login()
    header = {"typ": "JWT", "alg": "RS256", **({} if kid is MISSING else {"kid": kid})}
    token = sign(platform.key, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_ID_MISSING


def test_an_unknown_kid_is_refused_after_one_refetch(platform: Platform) -> None:
    platform.launch()
    login = platform.login()
    token = sign(platform.key, {**HEADER, "kid": "made up"}, platform.claims(login))
    for _ in range(5):
        assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert len(platform.fetched) == 2


def test_a_key_named_in_the_header_is_never_used(platform: Platform) -> None:
    login = platform.login()
    own = rsa_key("attacker")
    header = {
        **HEADER,
        "kid": "attacker",
        "jwk": jwk(own, "attacker"),
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/cert",
    }
    token = sign(own, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert set(platform.fetched) == {MOODLE.jwks_url}
    token = sign(own, {**header, "kid": "key-1"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID


def test_a_key_named_in_the_header_does_not_spoil_a_good_token(platform: Platform) -> None:
    login = platform.login()
    header = {**HEADER, "jwk": jwk(rsa_key("attacker"), "key-1"), "jku": "https://attacker.example/jwks"}
    assert platform.post(login, sign(platform.key, header, platform.claims(login))).user.sub == "5"


def test_a_critical_extension_that_we_do_not_know_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = sign(platform.key, {**HEADER, "crit": ["b64"], "b64": False}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_a_flipped_byte_is_refused(platform: Platform) -> None:
    login = platform.login()
    header, payload, signature = platform.token(login).split(".")
    for at in (0, 100, len(signature) - 3):
        flipped = "A" if signature[at] != "A" else "B"
        token = f"{header}.{payload}.{signature[:at]}{flipped}{signature[at + 1 :]}"
        assert code_of(lambda token=token: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID
    other = platform.token(login, sub="6").split(".")[1]
    assert (
        code_of(lambda: platform.post(login, f"{header}.{other}.{signature}"))
        is ErrorCode.LAUNCH_SIGNATURE_INVALID
    )
    assert code_of(lambda: platform.post(login, f"{header}.{payload}.")) is ErrorCode.LAUNCH_SIGNATURE_INVALID


def test_another_tenant_s_key_under_the_same_kid_is_refused() -> None:
    other = replace(
        MOODLE, id="registration-of-other", client_id="client-2", jwks_url="https://other.example/jwks"
    )
    platform = Platform(MOODLE, other)
    platform.key_sets[other.jwks_url] = {"keys": [jwk(rsa_key("other tenant"), "key-1")]}
    login = platform.login()
    token = sign(rsa_key("other tenant"), HEADER, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID


# -- 4. issuer, audience, authorised party, times


@pytest.mark.parametrize("iss", [MISSING, None, "https://evil.example", "https://moodle.example/", ["x"]])
def test_another_issuer_is_refused(platform: Platform, iss: object) -> None:
    assert code_of(lambda: platform.launch(iss=iss)) is ErrorCode.LAUNCH_ISSUER_WRONG


@pytest.mark.parametrize(
    "aud",
    [
        MISSING,
        None,
        "other",
        "",
        [],
        ["other"],
        ["client-1", "stranger"],
        ["stranger", "client-1"],
        [["client-1"]],
    ],
    ids=repr,
)
@pytest.mark.parametrize("azp", [MISSING, "client-1"], ids=["no azp", "our azp"])
def test_any_audience_but_ours_alone_is_refused(platform: Platform, aud: object, azp: object) -> None:
    assert code_of(lambda: platform.launch(aud=aud, azp=azp)) is ErrorCode.LAUNCH_AUDIENCE_WRONG


@pytest.mark.parametrize("aud", ["client-1", ["client-1"]])
@pytest.mark.parametrize("azp", [MISSING, None, "client-1"])
def test_our_audience_is_accepted_as_text_or_list(platform: Platform, aud: object, azp: object) -> None:
    assert platform.launch(aud=aud, azp=azp).client_id == "client-1"


@pytest.mark.parametrize("azp", ["other", "", 1, ["client-1"]], ids=repr)
def test_another_authorised_party_is_refused(platform: Platform, azp: object) -> None:
    assert code_of(lambda: platform.launch(azp=azp)) is ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG


def test_several_audiences_without_authorised_party_are_refused(platform: Platform) -> None:
    refused = code_of(lambda: platform.launch(aud=["client-1", "client-1"]))
    assert refused is ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG


def seconds(**claims: float) -> dict[str, Any]:
    return {name: int(NOW.timestamp()) + value for name, value in claims.items()}


@pytest.mark.parametrize(
    "changes, code",
    [
        (seconds(iat=-200, exp=-LEEWAY_SECONDS), ErrorCode.LAUNCH_EXPIRED),
        (seconds(iat=-200, exp=-LEEWAY_SECONDS - 1), ErrorCode.LAUNCH_EXPIRED),
        (seconds(iat=LEEWAY_SECONDS + 1, exp=300), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(nbf=LEEWAY_SECONDS + 1), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(iat=10, exp=5), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(iat=-MAX_TOKEN_AGE_SECONDS - LEEWAY_SECONDS - 1, exp=60), ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": MISSING}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"iat": MISSING}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": None}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": "4102444800"}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": True}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": 10**30}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"iat": -1}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"nbf": "soon"}, ErrorCode.LAUNCH_TIME_INVALID),
    ],
    ids=str,
)
def test_wrong_times_are_refused(platform: Platform, changes: dict[str, Any], code: ErrorCode) -> None:
    assert code_of(lambda: platform.launch(**changes)) is code


@pytest.mark.parametrize(
    "changes",
    [
        seconds(iat=-100, exp=-LEEWAY_SECONDS + 1),
        seconds(iat=LEEWAY_SECONDS, exp=300),
        seconds(iat=-0.5, exp=59.5),
        seconds(nbf=0),
        seconds(iat=-STATE_LIFETIME_SECONDS, exp=3600),
    ],
    ids=str,
)
def test_clocks_may_differ_a_little(platform: Platform, changes: dict[str, Any]) -> None:
    assert platform.launch(**changes).user.sub == "5"


# -- 5. the nonce


@pytest.mark.parametrize("nonce", [MISSING, None, "", "another", 5, "é", ["x"]], ids=repr)
def test_a_wrong_nonce_is_refused(platform: Platform, nonce: object) -> None:
    assert code_of(lambda: platform.launch(nonce=nonce)) is ErrorCode.LAUNCH_NONCE_WRONG


def test_the_nonce_of_another_login_is_refused(platform: Platform) -> None:
    one, other = platform.login(), platform.login()
    token = platform.token(one, nonce=auth_parameters(other)["nonce"])
    assert code_of(lambda: platform.post(one, token)) is ErrorCode.LAUNCH_NONCE_WRONG


# -- 6. LTI claims


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"version": MISSING}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"version": "1.3"}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"version": "2.0.0"}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"version": "11.3.0"}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"version": ["1.3.0"]}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"message_type": MISSING}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"message_type": "Whatever"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"message_type": "LtiSubmissionReviewRequest"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"message_type": "DataPrivacyLaunchRequest"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"message_type": ["LtiResourceLinkRequest"]}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"message_type": {}}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"roles": MISSING}, ErrorCode.LAUNCH_ROLES_MISSING),
        ({"roles": None}, ErrorCode.LAUNCH_ROLES_MISSING),
        ({"roles": "Learner"}, ErrorCode.LAUNCH_ROLES_MISSING),
        ({"deployment_id": MISSING}, ErrorCode.LAUNCH_DEPLOYMENT_MISSING),
        ({"deployment_id": ""}, ErrorCode.LAUNCH_DEPLOYMENT_MISSING),
        ({"deployment_id": 1}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"deployment_id": "x" * 256}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"resource_link": MISSING}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING),
        ({"resource_link": {"title": "no id"}}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING),
        ({"resource_link": {"id": ""}}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING),
        ({"resource_link": "1"}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING),
        ({"resource_link": {"id": "x" * 256}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"sub": MISSING}, ErrorCode.LAUNCH_SUBJECT_MISSING),
        ({"sub": ""}, ErrorCode.LAUNCH_SUBJECT_MISSING),
        ({"sub": None}, ErrorCode.LAUNCH_SUBJECT_MISSING),
        ({"sub": "x" * 256}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"sub": "zoë"}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"sub": "a\x00b"}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"sub": 5}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"context": {"id": "x" * 256}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"context": {"id": 2}}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"context": "2"}, ErrorCode.LAUNCH_CLAIM_INVALID),
        ({"target_link_uri": MISSING}, ErrorCode.LAUNCH_TARGET_WRONG),
        ({"target_link_uri": "https://evil.example/lti/launch"}, ErrorCode.LAUNCH_TARGET_WRONG),
        ({"target_link_uri": BASE_URL + "/elsewhere"}, ErrorCode.LAUNCH_TARGET_WRONG),
        ({"target_link_uri": 7}, ErrorCode.LAUNCH_TARGET_WRONG),
    ],
    ids=lambda value: str(value)[:60],
)
def test_wrong_claims_are_refused_each_for_its_own_reason(
    platform: Platform, changes: dict[str, Any], code: ErrorCode
) -> None:
    assert code_of(lambda: platform.launch(**changes)) is code


def test_a_token_without_any_lti_claim_is_refused(platform: Platform) -> None:
    login = platform.login()
    bare = {name: value for name, value in platform.claims(login).items() if not name.startswith(LTI)}
    token = sign(platform.key, HEADER, bare)
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_VERSION_WRONG


def test_a_login_whose_target_was_changed_on_the_way_is_refused(platform: Platform) -> None:
    login = platform.login(target_link_uri=BASE_URL + "/lti/launch?next=other")
    assert code_of(lambda: platform.post(login, platform.token(login))) is ErrorCode.LAUNCH_TARGET_WRONG


def test_a_deep_linking_request_may_not_name_another_target(platform: Platform) -> None:
    changes = {**deep_linking_changes(), "target_link_uri": "https://evil.example/"}
    assert code_of(lambda: platform.launch(**changes)) is ErrorCode.LAUNCH_TARGET_WRONG


@pytest.mark.parametrize(
    "settings, code",
    [
        ({"deep_link_return_url": MISSING}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
        ({"deep_link_return_url": "javascript:alert(1)"}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
        ({"deep_link_return_url": "https://a@b.example/"}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
        ({"accept_types": MISSING}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
        ({"accept_types": ["link", "html"]}, ErrorCode.DEEP_LINKING_TYPE_REFUSED),
        ({"accept_types": [None]}, ErrorCode.DEEP_LINKING_TYPE_REFUSED),
        ({"accept_presentation_document_targets": MISSING}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
        ({"data": {"an": "object"}}, ErrorCode.DEEP_LINKING_SETTINGS_INVALID),
    ],
    ids=str,
)
def test_unusable_deep_linking_settings_are_refused(
    platform: Platform, settings: dict[str, Any], code: ErrorCode
) -> None:
    assert code_of(lambda: platform.launch(**deep_linking_changes(**settings))) is code


def test_a_deep_linking_request_without_settings_is_refused(platform: Platform) -> None:
    changes = {"message_type": "LtiDeepLinkingRequest"}
    assert code_of(lambda: platform.launch(**changes)) is ErrorCode.DEEP_LINKING_SETTINGS_INVALID


# -- the order, and what a refusal brings along


def test_nothing_of_an_unsigned_token_is_looked_at(platform: Platform) -> None:
    """Each wrong thing hides those behind it: the first failing check names the refusal."""
    login = platform.login()
    everything_wrong = {
        "iss": "https://evil.example",
        "aud": "other",
        "exp": 1,
        "nonce": "x",
        LTI + "version": "1",
        "sub": "",
    }
    forged = sign(rsa_key("attacker"), HEADER, everything_wrong)
    assert code_of(lambda: platform.post(login, forged)) is ErrorCode.LAUNCH_SIGNATURE_INVALID
    signed = sign(platform.key, HEADER, everything_wrong)
    assert code_of(lambda: platform.post(login, signed)) is ErrorCode.LAUNCH_ISSUER_WRONG
    order: list[tuple[dict[str, Any], ErrorCode]] = [
        ({"iss": "x"}, ErrorCode.LAUNCH_ISSUER_WRONG),
        ({"aud": "x"}, ErrorCode.LAUNCH_AUDIENCE_WRONG),
        ({"azp": "x"}, ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG),
        ({"exp": 1}, ErrorCode.LAUNCH_EXPIRED),
        ({"nonce": "x"}, ErrorCode.LAUNCH_NONCE_WRONG),
        ({"version": "x"}, ErrorCode.LAUNCH_VERSION_WRONG),
        ({"message_type": "x"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
        ({"roles": MISSING}, ErrorCode.LAUNCH_ROLES_MISSING),
        ({"deployment_id": MISSING}, ErrorCode.LAUNCH_DEPLOYMENT_MISSING),
        ({"resource_link": MISSING}, ErrorCode.LAUNCH_RESOURCE_LINK_MISSING),
        ({"sub": MISSING}, ErrorCode.LAUNCH_SUBJECT_MISSING),
        ({"target_link_uri": "x"}, ErrorCode.LAUNCH_TARGET_WRONG),
    ]
    for start in range(len(order)):
        changes: dict[str, Any] = {}
        for change, _ in order[start:]:
            changes |= change
        assert code_of(lambda changes=changes: platform.launch(**changes)) is order[start][1]


def test_every_refusal_after_the_state_says_where_to_start_anew(platform: Platform) -> None:
    login = platform.login()
    with pytest.raises(LaunchRefused) as refused:
        platform.post(login, platform.token(login, exp=1))
    assert refused.value.fresh_launch_url == "https://moodle.example/mod/lti/launch.php?id=6"


# -- a launch tells only what may be told


@pytest.mark.parametrize(
    "custom, kept",
    [
        ({"badge_link_key": "$Unexpanded"}, {}),
        ({"context_history": "$Context.id.history", "badge_link_role": "$Role"}, {}),
        ({"badge_link_key": ""}, {}),
        ({"badge_link_key": "x" * 65}, {}),
        ({"badge_link_key": "a b"}, {}),
        ({"badge_link_key": ["k"]}, {}),
        ({"badge_link_key": "k", "uname": "student1"}, {"badge_link_key": "k"}),
        ("no object", {}),
        (None, {}),
    ],
    ids=repr,
)
def test_custom_parameters_are_kept_only_where_usable(
    platform: Platform, custom: object, kept: dict[str, str]
) -> None:
    assert platform.launch(custom=custom).custom == kept


def test_services_are_read_and_unusable_urls_are_left_out(platform: Platform) -> None:
    ags = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
    nrps = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
    line_items = "https://moodle.example/mod/lti/services.php/2/lineitems?type_id=1"
    launch = platform.launch(
        **{
            ags: {"scope": ["s", 5], "lineitems": line_items, "lineitem": "", "score": ""},
            nrps: {"context_memberships_url": "file:///etc/passwd"},
        }
    )
    assert launch.grades is not None
    assert (launch.grades.scopes, launch.grades.line_items_url) == (frozenset({"s"}), line_items)
    assert launch.grades.line_item_url is None
    assert launch.memberships is None


def test_only_real_origins_may_frame_the_answer(platform: Platform) -> None:
    launch = platform.launch(
        launch_presentation={"return_url": "https://evil.example;frame-ancestors */x"},
        tool_platform={"guid": "g", "url": "HTTPS://Campus.Example:443/moodle"},
    )
    assert launch.frame_origins == ("https://campus.example",)
    assert launch.return_url is None


def test_a_masquerader_is_recognised() -> None:
    platform = Platform(replace(MOODLE, product="canvas"))
    assert platform.launch(custom={"masquerade": "77"}).is_masquerading
    assert platform.launch(custom={"student_view": "true"}).is_masquerading
    assert not platform.launch(custom={"masquerade": "$Canvas.masqueradingUser.id"}).is_masquerading
