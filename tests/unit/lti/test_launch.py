"""The launch: what is accepted and read, which claims are refused, and in which order the checks run.

With ``test_launch_form`` and ``test_launch_token`` it holds every case of the certification's §6.1 and of
SEC §5.1.3. Each refusal is asked for by its own code, so a case can only pass by the guard it is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.errors import ErrorCode, LaunchRefused
from tests.unit.lti.tokens import (
    BASE_URL,
    HEADER,
    INSTRUCTOR,
    LEARNER,
    LTI,
    MISSING,
    MOODLE,
    NOW,
    TARGET,
    Platform,
    code_of,
    deep_linking_changes,
    rsa_key,
    sign,
)

INSTITUTION_ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"


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
        ({"message_type": "LtiStartProctoring"}, ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN),
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
        ({"accept_types": ["file"]}, ErrorCode.DEEP_LINKING_TYPE_REFUSED),
        ({"accept_types": []}, ErrorCode.DEEP_LINKING_TYPE_REFUSED),
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


def test_links_in_one_page_are_told_apart_although_they_carry_the_courses_id() -> None:
    platform = Platform(replace(MOODLE, product="canvas"))
    ids = []
    for key in ("k-1", "k-2"):
        launch = platform.launch(
            resource_link={"id": "2"}, context={"id": "2"}, custom={"badge_link_key": key}
        )
        assert launch.link is not None
        ids.append(launch.link.id_on_platform)
    assert len(set(ids)) == 2
    from_the_menu = platform.launch(resource_link={"id": "2"}, context={"id": "2"})
    assert from_the_menu.link is not None
    assert from_the_menu.link.id_on_platform == "2"
    assert from_the_menu.badge_link_role == "wallet"
