"""Messages beside opening a link and choosing content: a submission review, a data privacy launch."""

from __future__ import annotations

from typing import Any

import pytest

from lti_tool.errors import ErrorCode
from tests.unit.lti.tokens import INSTRUCTOR, LTI, MISSING, Platform, code_of

GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
LINE_ITEM = "https://moodle.example/mod/lti/services.php/2/lineitems/7/lineitem?type_id=1"
ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
FOR_USER = LTI + "for_user"


def review(**changes: Any) -> dict[str, Any]:
    """What turns the claims into a review of user 9's work, as Moodle sends it."""
    return {
        "message_type": "LtiSubmissionReviewRequest",
        "roles": [INSTRUCTOR],
        FOR_USER: {"user_id": "9"},
        GRADES: {"scope": [], "lineitems": "https://moodle.example/lineitems", "lineitem": LINE_ITEM},
        **changes,
    }


def privacy(**changes: Any) -> dict[str, Any]:
    """What turns the claims into a data privacy launch about user 9."""
    return {
        "message_type": "DataPrivacyLaunchRequest",
        "roles": [ADMINISTRATOR],
        "resource_link": MISSING,
        "context": MISSING,
        FOR_USER: {"user_id": "9"},
        **changes,
    }


def test_a_review_says_whose_work_and_by_which_column(platform: Platform) -> None:
    launch = platform.launch(**review())
    assert (launch.purpose, launch.for_user, launch.user.sub) == ("review", "9", "5")
    assert launch.grades is not None
    assert launch.grades.line_item_url == LINE_ITEM
    assert launch.link is not None
    assert launch.link.id_on_platform == "1"


def test_a_review_may_leave_the_link_out(platform: Platform) -> None:
    assert platform.launch(**review(resource_link=MISSING)).link is None


def test_a_privacy_launch_says_whose_data_and_of_no_course(platform: Platform) -> None:
    launch = platform.launch(**privacy())
    assert (launch.purpose, launch.for_user, launch.context, launch.link) == ("privacy", "9", None, None)


def test_a_course_that_a_privacy_launch_names_all_the_same_is_not_looked_at(platform: Platform) -> None:
    launch = platform.launch(**privacy(context={"id": "2"}, resource_link={"id": "1"}))
    assert (launch.context, launch.link) == (None, None)


def test_other_messages_are_about_nobody(platform: Platform) -> None:
    """Whatever a platform adds: a link that is opened is about the one who opens it."""
    launch = platform.launch(**{FOR_USER: {"user_id": "9"}})
    assert (launch.purpose, launch.for_user) == ("link", None)


@pytest.mark.parametrize(
    "changes",
    [
        {FOR_USER: MISSING},
        {FOR_USER: "9"},
        {FOR_USER: {}},
        {FOR_USER: {"user_id": ""}},
        {FOR_USER: {"user_id": 9}},
        {FOR_USER: {"user_id": "x" * 256}},
        {FOR_USER: {"user_id": "a\x00b"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("message", [review, privacy])
def test_a_message_about_nobody_is_refused(platform: Platform, message: Any, changes: dict[str, Any]) -> None:
    assert code_of(lambda: platform.launch(**message(**changes))) is ErrorCode.LAUNCH_CLAIM_INVALID


@pytest.mark.parametrize(
    "grades",
    [
        MISSING,
        5,
        None,
        {},
        {"lineitems": "https://moodle.example/lineitems"},
        {"lineitem": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_review_of_no_column_is_refused(platform: Platform, grades: Any) -> None:
    assert code_of(lambda: platform.launch(**review(**{GRADES: grades}))) is ErrorCode.LAUNCH_CLAIM_INVALID


def test_a_review_of_an_unnamed_link_is_refused(platform: Platform) -> None:
    changes = review(resource_link={"id": ""})
    assert code_of(lambda: platform.launch(**changes)) is ErrorCode.LAUNCH_RESOURCE_LINK_MISSING
