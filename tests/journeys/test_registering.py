"""An administrator pastes one link into the LMS; a teacher uses the tool."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from lti_tool.errors import ErrorCode
from lti_tool.lti.registration import SCOPES
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import ToolType
from tests.simulator.tool_jwt import decode_claims


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


def test_a_course_works_with_what_registered_itself(campus: Campus) -> None:
    """From the link to a badge in a wallet: every address and permission of the registration is right."""
    admin, _ = connect(campus, invitation(campus))
    finish(campus, admin)
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course, tool=newest(campus)))
    answer = teacher.submit(form, campus.form_fields(), form="micromodules/new", button="place")
    (badge,) = teacher.save_selected(answer)
    campus.set_up(badge)
    campus.publish(badge)
    campus.take_quiz("ada", 85)
    assert credential_of(campus.open_wallet("ada", badge))


def test_what_is_asked_for_is_said_before_anybody_agrees(campus: Campus) -> None:
    before, tools = campus.tool.registrations.list(), len(campus.lms.tools)
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, invitation(campus))
    for scope in SCOPES:
        assert scope in page.words
    assert "Name and e-mail address" in page.words
    assert "Third College" in page.words
    if campus.product == "canvas":
        assert campus.lms.name in page.words
        assert "in the menu of each course" in page.words
    assert campus.tool.registrations.list() == before
    assert len(campus.lms.tools) == tools


def test_registering_again_by_a_link_for_it_keeps_the_courses(moodle_campus: Campus) -> None:
    """The tool was deleted in the LMS, and is added again: it has another client_id and deployment."""
    campus = moodle_campus
    activity = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", activity)
    (own,) = [one for one in campus.tool.registrations.list() if one.issuer == campus.lms.base_url]
    by = campus.tool.staffing.operator("Open Learning")
    link = campus.tool.inviting.invite(by, approves=True, registration_id=own.id).url
    admin, done = connect(campus, link)
    assert done.status == 200, done.words
    finish(campus, admin)
    renewed = campus.tool.registrations.show(own.id)
    assert renewed.registration.client_id == newest(campus).client_id != own.client_id
    assert campus.holders() == ["Ada Learner"]


@pytest.mark.parametrize("again", ["paste", "submit"])
def test_a_link_that_was_used_says_so(moodle_campus: Campus, again: str) -> None:
    campus = moodle_campus
    link = invitation(campus)
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, link)
    admin.submit(page, button="Connect")
    count = len(campus.tool.registrations.list())
    late = paste(campus, admin, link) if again == "paste" else admin.submit(page, button="Connect")
    assert late.status == 403
    assert ErrorCode.INVITATION_USED.value in late.words
    assert len(campus.tool.registrations.list()) == count


def test_moodles_own_word_is_shown_and_the_link_works_again(moodle_campus: Campus) -> None:
    """Moodle's token is used up by somebody else; the administrator pastes the same link again."""
    campus = moodle_campus
    link = invitation(campus)
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, link)
    query = parse_qs(urlsplit(page.url).query)
    claims = decode_claims(query["registration_token"][0])
    campus.lms.register_tool(TOOL_URL, client_id=str(claims["sub"]))
    refused = admin.submit(page, button="Connect")
    assert refused.status == 502
    assert "token_already_used" in refused.words
    assert ErrorCode.REGISTRATION_TOKEN_REFUSED.value in refused.words
    assert len(campus.tool.registrations.list()) == 2
    assert admin.submit(paste(campus, admin, link), button="Connect").status == 200


def test_in_a_browser_the_link_says_where_it_belongs(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    link = invitation(campus)
    page = campus.app.test_client().get(link, base_url=TOOL_URL)
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert link in text
    assert "Add LTI Advantage" in text
    assert "Dynamic Registration" in text


def test_these_pages_are_kept_nowhere_and_named_to_nobody(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, invitation(campus))
    (secret,) = parse_qs(urlsplit(page.url).query)["registration_token"]
    done = admin.submit(page, button="Connect")
    for one in (page, done):
        assert one.headers["Cache-Control"] == "no-store"
        assert one.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors *" in one.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in one.headers
    assert secret not in done.url
    assert secret not in done.text
    assert secret not in page.form(0).action


def test_nothing_is_fetched_for_a_stranger(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    asked = len(campus.lms.requests)
    url = campus.lms.base_url + "/mod/lti/openid-configuration.php"
    for query in (f"openid_configuration={quote(url)}", f"invite=x&openid_configuration={quote(url)}"):
        answer = campus.app.test_client().get(f"/lti/register?{query}", base_url=TOOL_URL)
        assert answer.status_code == 404
        assert ErrorCode.INVITATION_UNKNOWN.value in answer.get_data(as_text=True)
    assert len(campus.lms.requests) == asked


@pytest.mark.parametrize("fields", [{}, {"ticket": ""}, {"ticket": "x.y"}, {"ticket": "x" * 400_000}])
def test_a_form_of_somebody_elses_registers_nothing(sqlite_campus: Campus, fields: dict[str, str]) -> None:
    campus = sqlite_campus
    before = campus.tool.registrations.list()
    answer = campus.app.test_client().post(
        "/lti/register", data=fields, base_url=TOOL_URL, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 400
    assert ErrorCode.REGISTRATION_FORM_INVALID.value in answer.get_data(as_text=True)
    assert campus.tool.registrations.list() == before


def test_a_platform_stays_with_its_organisation(moodle_campus: Campus) -> None:
    """Somebody of another organisation has a link and this LMS's own update token: its answer names the
    registration that is there."""
    campus = moodle_campus
    before = campus.tool.registrations.list()
    link = invitation(campus, organisation="Neighbour College")
    admin = campus.browser(campus.lms.admin)
    page = paste(campus, admin, link)
    query = parse_qs(urlsplit(page.url).query)
    claims = decode_claims(query["registration_token"][0])
    campus.tool.registrations.add(
        **campus.lms.endpoints,
        client_id=str(claims["sub"]),
        product="moodle",
        organisation="Open Learning",
        approve=True,
    )
    there = campus.tool.registrations.list()
    refused = admin.submit(page, button="Connect")
    assert refused.status == 409
    assert ErrorCode.REGISTRATION_PROTECTED.value in refused.words
    assert campus.tool.registrations.list() == there
    assert set(before) < set(there)


def test_the_staff_see_that_it_works(moodle_campus: Campus) -> None:
    campus = moodle_campus
    admin, _ = connect(campus, invitation(campus))
    by = campus.tool.staffing.operator("Third College")
    (made,) = [one for one in campus.tool.registrations.list() if one.name == "Our LMS"]
    waiting = campus.tool.inviting.standing_of(by, made.id)
    assert waiting is not None
    assert not waiting.is_working
    finish(campus, admin)
    campus.browser(campus.teacher).deep_link(campus.course, tool=newest(campus))
    working = campus.tool.inviting.standing_of(by, made.id)
    assert working is not None
    assert working.is_working
