"""An administrator connects an LMS by what ``/lti/connect`` shows; what nobody approved is held."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from lti_tool.errors import ErrorCode
from tests.journeys.campus import TOOL_URL, Campus, credential_of, micromodule_fields
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import ToolType

FORM = micromodule_fields("Open Data Basics", "Quiz 1", "60")


def fields_to_copy(campus: Campus) -> dict[str, str]:
    """The fields of the page by the names that Moodle's form has for them."""
    page = campus.app.test_client().get("/lti/connect", base_url=TOOL_URL).get_data(as_text=True)
    soup = BeautifulSoup(page, "html.parser")
    return {
        label.get_text().strip(): str(field.get("value") or field.get_text()).strip()
        for label in soup.find_all("label")
        if (field := soup.find(id=str(label["for"]))) is not None
    }


def configured_by_hand(campus: Campus) -> ToolType:
    """A second tool in the LMS, every field pasted from the page."""
    shown = fields_to_copy(campus)
    return campus.lms.register_tool(
        "",
        url=shown["Tool URL"],
        initiate_login_url=shown["Initiate login URL"],
        redirect_uris=tuple(shown["Redirection URI(s)"].split()),
        jwks_url=shown["Public keyset"],
        custom=dict(line.split("=", 1) for line in shown["Custom parameters"].splitlines()),
    )


def register(campus: Campus, side: ToolType, *, by_rule: bool) -> str:
    """What the operator does with the values that come back: no deployment is named, nothing approved."""
    return campus.tool.registrations.add(
        name="By hand",
        **campus.lms.endpoints,
        client_id=side.client_id,
        product="moodle",
        organisation="Third College",
        approves_deployments=by_rule,
    ).id


def select_content(campus: Campus, side: ToolType) -> tuple[Person, Page]:
    teacher = campus.browser(campus.teacher)
    return teacher, teacher.deep_link(campus.course, tool=side)


def earn(campus: Campus, teacher: Person, picker: Page) -> str:
    """The whole way from the picker to a badge in the wallet; its id."""
    form = teacher.to_form(picker)
    (badge,) = teacher.save_selected(teacher.submit(form, FORM, form="micromodules/new", button="place"))
    campus.set_up(badge)
    campus.publish(badge)
    campus.take_quiz("ada", 85)
    return credential_of(campus.open_wallet("ada", badge))


@pytest.mark.parametrize("by_rule", [False, True], ids=["held", "approved by rule"])
def test_what_is_copied_from_the_page_connects_once_it_is_approved(
    moodle_campus: Campus, by_rule: bool
) -> None:
    campus = moodle_campus
    side = configured_by_hand(campus)
    registration_id = register(campus, side, by_rule=by_rule)

    _, page = select_content(campus, side)
    assert page.status == 403
    assert ErrorCode.REGISTRATION_NOT_APPROVED.value in page.text
    assert campus.tool.registrations.show(registration_id).deployments == ()
    campus.tool.registrations.approve(registration_id)

    teacher, page = select_content(campus, side)
    if not by_rule:
        assert page.status == 403
        assert ErrorCode.DEPLOYMENT_HELD.value in page.text
        (held,) = campus.tool.registrations.show(registration_id).deployments
        assert (held.id_on_platform, held.status) == (str(side.id), "held")
        campus.tool.registrations.approve_deployment(registration_id, held.id_on_platform)
        teacher, page = select_content(campus, side)

    assert page.status == 200
    assert earn(campus, teacher, page)
