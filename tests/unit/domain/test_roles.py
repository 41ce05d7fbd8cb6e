"""Roles: only those of the context give rights, and nothing a platform sends makes it stumble."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.roles import Rights, RoleScope, parse_role, rights_of

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

LEARNS = Rights(is_learner=True)
TEACHES = Rights(can_view_progress=True, can_configure=True)
VIEWS = Rights(can_view_progress=True)


@pytest.mark.parametrize(
    "as_sent, scope, name, sub_role",
    [
        (MEMBERSHIP + "#Learner", RoleScope.CONTEXT, "Learner", None),
        (MEMBERSHIP + "/Instructor#Grader", RoleScope.CONTEXT, "Instructor", "Grader"),
        (MEMBERSHIP + "/Instructor", RoleScope.CONTEXT, "Instructor", None),
        ("Instructor", RoleScope.CONTEXT, "Instructor", None),
        ("Instructor#TeachingAssistant", RoleScope.CONTEXT, "Instructor", "TeachingAssistant"),
        ("urn:lti:role:ims/lis/Instructor", RoleScope.CONTEXT, "Instructor", None),
        ("urn:lti:role:ims/lis/Learner/NonCreditLearner", RoleScope.CONTEXT, "Learner", "NonCreditLearner"),
        (INSTITUTION + "Instructor", RoleScope.INSTITUTION, "Instructor", None),
        (SYSTEM + "SysAdmin", RoleScope.SYSTEM, "SysAdmin", None),
        (TEST_USER, RoleScope.SYSTEM, "TestUser", None),
        ("http://example.org/Wizard", RoleScope.UNKNOWN, "http://example.org/Wizard", None),
        ("urn:lti:instrole:ims/lis/Administrator", RoleScope.UNKNOWN, None, None),
        ("instructor", RoleScope.UNKNOWN, "instructor", None),
        ("", RoleScope.UNKNOWN, "", None),
    ],
)
def test_a_role_is_parsed_and_kept_as_sent(
    as_sent: str, scope: RoleScope, name: str | None, sub_role: str | None
) -> None:
    role = parse_role(as_sent)
    assert (role.scope, role.sub_role, role.as_sent) == (scope, sub_role, as_sent)
    assert name is None or role.name == name


@pytest.mark.parametrize(
    "roles, rights",
    [
        ([MEMBERSHIP + "#Learner"], LEARNS),
        (["Learner"], LEARNS),
        ([MEMBERSHIP + "#Instructor"], TEACHES),
        ([MEMBERSHIP + "#ContentDeveloper"], TEACHES),
        ([MEMBERSHIP + "#ContentDeveloper", MEMBERSHIP + "#Learner"], Rights(True, True, True)),
        ([MEMBERSHIP + "/Instructor#Grader", MEMBERSHIP + "#ContentDeveloper"], TEACHES),
        ([MEMBERSHIP + "#Administrator"], TEACHES),
        ([MEMBERSHIP + "#Mentor"], Rights()),
        ([MEMBERSHIP + "#Manager"], Rights()),
        ([MEMBERSHIP + "/Instructor#TeachingAssistant"], VIEWS),
        ([MEMBERSHIP + "#Instructor", MEMBERSHIP + "/Instructor#TeachingAssistant"], VIEWS),
        ([MEMBERSHIP + "#Instructor", MEMBERSHIP + "/Instructor#PrimaryInstructor"], TEACHES),
        (
            [MEMBERSHIP + "/Instructor#Grader", MEMBERSHIP + "/Instructor#Lecturer"],
            TEACHES,
        ),
        ([INSTITUTION + "Instructor", SYSTEM + "User"], Rights()),
        ([INSTITUTION + "Administrator"], Rights(is_administrator=True)),
        ([SYSTEM + "SysAdmin", MEMBERSHIP + "#Learner"], Rights(is_learner=True, is_administrator=True)),
        ([MEMBERSHIP + "#Learner", TEST_USER], Rights(is_learner=True, is_test_user=True)),
        (["Wizard", "", "#", "/"], Rights()),
        ([], Rights()),
    ],
    ids=str,
)
def test_rights_follow_from_the_roles_of_the_context(roles: list[str], rights: Rights) -> None:
    assert rights_of(roles) == rights


@pytest.mark.parametrize(
    "rights, is_staff", [(LEARNS, False), (TEACHES, True), (VIEWS, True), (Rights(), False)]
)
def test_whoever_views_or_configures_is_staff(rights: Rights, is_staff: bool) -> None:
    assert rights.is_staff is is_staff


@given(st.lists(st.sampled_from(["Instructor", "Learner", "Mentor", "Wizard", "Administrator"]) | st.text()))
def test_whoever_configures_also_sees_what_came_of_it(names: list[str]) -> None:
    """The columns are set up on the page that shows progress: one without the other leads nowhere."""
    for more in ([], ["ContentDeveloper"]):
        rights = rights_of([f"{MEMBERSHIP}#{name}" for name in [*names, *more]])
        assert rights.can_view_progress or not rights.can_configure


@given(st.lists(st.text()))
def test_no_text_makes_the_parser_stumble(roles: list[str]) -> None:
    assert rights_of(roles) == rights_of(reversed(roles))


@given(st.lists(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126)), max_size=5))
def test_what_is_outside_the_context_never_makes_staff(names: list[str]) -> None:
    outside = [prefix + name for name in [*names, "Instructor"] for prefix in (INSTITUTION, SYSTEM)]
    assert not rights_of(outside).is_staff
    assert not rights_of(outside).is_learner
