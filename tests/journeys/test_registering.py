"""An administrator pastes one link into the LMS; a teacher uses the tool."""

from __future__ import annotations

import pytest

from lti_tool.errors import ErrorCode
from tests.journeys.campus import Campus
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import ToolType

CLOSE = "org.imsglobal.lti.close"


def invitation(campus: Campus, *, approves: bool = True, organisation: str = "Third College") -> str:
    """The link that the operator makes for an organisation."""
    campus.tool.registrations.ensure_organisation(organisation)
    by = campus.tool.staffing.operator(organisation)
    return campus.tool.inviting.invite(by, name="Our LMS", approves=approves).url


def paste(campus: Campus, admin: Person, link: str) -> Page:
    """What the LMS does with a link that its administrator pastes: it opens it, in a frame."""
    return admin.get(campus.lms.registration_path(admin.session, link))


def connect(campus: Campus, link: str) -> tuple[Person, Page]:
    """The administrator reads what is asked for, and agrees."""
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, link)
    assert page.status == 200, page.words
    return admin, admin.submit(page, button="Connect")


def newest(campus: Campus) -> ToolType:
    return list(campus.lms.tools.values())[-1]


def finish(campus: Campus, admin: Person) -> None:
    """What the page says is still to do in the LMS."""
    campus.lms.enable(newest(campus))


@pytest.mark.parametrize("approves", [True, False], ids=["approved by the link", "approved by the operator"])
def test_one_link_connects_an_lms(campus: Campus, approves: bool) -> None:
    before = {one.id for one in campus.tool.registrations.list()}
    admin, done = connect(campus, invitation(campus, approves=approves))
    assert done.status == 200
    assert "Waiting" in done.words
    (made,) = [one for one in campus.tool.registrations.list() if one.id not in before]
    assert (made.name, made.product) == ("Our LMS", campus.product)
    finish(campus, admin)
    teacher = campus.browser(campus.teacher)
    if not approves:
        refused = teacher.deep_link(campus.course, tool=newest(campus))
        assert ErrorCode.REGISTRATION_NOT_APPROVED.value in refused.text
        campus.tool.registrations.approve(made.id)
        campus.tool.registrations.approve_deployment(
            made.id, campus.lms.deployment_id(newest(campus)), "Third College"
        )

    picker = teacher.deep_link(campus.course, tool=newest(campus))

    assert picker.status == 200, picker.words
    assert "The connection works" in admin.get(done.url).words
