"""From an invitation, or from the LMS as its administrator, to the staff pages; and who never gets there."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lti_tool.domain.staff import StaffRole
from lti_tool.store.tables import Award, Context, Credential, Deployment, StaffMember
from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_isolation import posted
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import Activity, Role

DOOR = "/staff"
"""Where the form of the frame leads that opens the staff pages."""


def has_door(page: Page) -> bool:
    return any(form.action.endswith(DOOR) for form in page.forms)


def signs_in(person: Person, link: str) -> Page:
    """Open a sign-in link in a tab of its own; a script fills the form in, the person sends it."""
    address, _, token = link.partition("#")
    return person.submit(person.get(address), {"token": token}, form="sign-in")


def handed_over(administrator: Person, launched: Page) -> str:
    return administrator.submit(launched, form=DOOR).link("/staff/sign-in#")


def registration_of(campus: Campus) -> str:
    found = campus.tool.registrations.lookup(campus.lms.endpoints["issuer"], campus.lms_side.client_id)
    assert found is not None
    return found.id


def organisation_id(campus: Campus, name: str) -> str:
    return campus.tool.staffing.operator(name).organisation_id


def a_badge_is_held(campus: Campus) -> Activity:
    """Ada holds a badge of this campus."""
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    return badge


@pytest.fixture
def neighbour(campus: Campus) -> Campus:
    assert campus.neighbour is not None
    return campus.neighbour


def test_an_invited_owner_signs_in_once_and_sees_one_organisation(campus: Campus, neighbour: Campus) -> None:
    a_badge_is_held(campus)
    staffing = campus.tool.staffing
    link = staffing.invite(staffing.operator("Open Learning"), StaffRole.OWNER, name="Olga Owner").url
    owner = campus.browser(campus.teacher, in_frame=False)

    home = signs_in(owner, link)

    assert (home.status, home.url) == (200, f"{TOOL_URL}/staff/")
    assert "Open Learning" in home.words
    assert "Ada Learner" in owner.get(f"{TOOL_URL}/staff/holders").words
    again = signs_in(campus.browser(campus.tutor, in_frame=False), link)
    assert again.status == 403
    assert "staff_link_invalid" in again.text
    refused = owner.get(f"{TOOL_URL}/staff/audit").words
    assert refused.count("Ada Learner") == 0, "the log keeps ids"

    link = staffing.invite(staffing.operator("Neighbour College"), StaffRole.OWNER, name="Nora").url
    stranger = neighbour.browser(neighbour.teacher, in_frame=False)
    assert "Neighbour College" in signs_in(stranger, link).words
    assert "Ada" not in stranger.get(f"{TOOL_URL}/staff/holders").words


def test_who_is_disabled_sees_the_sign_in_page_at_the_next_click(sqlite_campus: Campus) -> None:
    staffing = sqlite_campus.tool.staffing
    by = staffing.operator("Open Learning")
    staffing.invite(by, StaffRole.OWNER)
    made = staffing.invite(by, StaffRole.READER, name="Rita Reader")
    reader = sqlite_campus.browser(sqlite_campus.teacher, in_frame=False)
    assert signs_in(reader, made.url).status == 200

    staffing.disable(by, made.member.id)

    shown = reader.get(f"{TOOL_URL}/staff/holders")
    assert shown.url.startswith(f"{TOOL_URL}/staff/sign-in")
    assert shown.form("sign-in").action == f"{TOOL_URL}/staff/sign-in"


def test_an_administrator_of_the_lms_comes_in_where_the_registration_says_so(
    campus: Campus, neighbour: Campus
) -> None:
    badge = a_badge_is_held(campus)
    campus.lms.enrol(campus.lms.admin, campus.course, Role.EDITING_TEACHER)
    administrator = campus.browser(campus.lms.admin)

    launched = administrator.launch(badge.id)
    assert not has_door(launched)
    assert posted(administrator, launched, DOOR).status == 403, "the address alone opens nothing"

    campus.tool.registrations.let_administrators(registration_of(campus), StaffRole.REVIEWER)
    launched = administrator.launch(badge.id)
    link = handed_over(administrator, launched)
    home = signs_in(administrator, link)
    assert (home.status, home.url) == (200, f"{TOOL_URL}/staff/")
    assert "Open Learning" in home.words
    assert "Neighbour College" not in home.words
    assert "Ada Learner" in administrator.get(f"{TOOL_URL}/staff/holders").words
    assert administrator.get(f"{TOOL_URL}/staff/members/new").status == 403, "a reviewer invites nobody"

    assert signs_in(campus.browser(campus.teacher), link).status == 403, "it worked once"

    campus.tool.registrations.let_administrators(registration_of(campus), None)
    shown = administrator.get(f"{TOOL_URL}/staff/holders")
    assert shown.url.startswith(f"{TOOL_URL}/staff/sign-in"), "out at the next click"


def test_an_administrator_who_signs_in_does_not_become_staff_of_the_neighbour(
    campus: Campus, neighbour: Campus
) -> None:
    """As Canvas both institutions share the registration, so that what one allows, holds for both."""
    a_badge_is_held(campus)
    with campus.tool.database.read() as session:
        ids = {
            "holders": session.scalars(select(Award.learner_id)).one(),
            "courses": session.scalars(select(Context.id)).one(),
            "credentials": f"{session.scalars(select(Credential.id)).one()}/revoke",
            "deployments": session.scalars(
                select(Deployment.id).where(
                    Deployment.organisation_id == organisation_id(campus, "Open Learning")
                )
            ).one(),
        }
    own = neighbour.placed_badge()
    campus.tool.registrations.let_administrators(registration_of(neighbour), StaffRole.OWNER)
    neighbour.lms.enrol(neighbour.lms.admin, neighbour.course, Role.EDITING_TEACHER)
    administrator = neighbour.browser(neighbour.lms.admin)
    home = signs_in(administrator, handed_over(administrator, administrator.launch(own.id)))
    assert "Neighbour College" in home.words

    tried = {name: administrator.get(f"{TOOL_URL}/staff/{name}/{id_}") for name, id_ in ids.items()}

    assert {name: page.status for name, page in tried.items()} == dict.fromkeys(tried, 404)
    assert not any("Ada" in page.words for page in tried.values())
    assert "Ada" not in administrator.get(f"{TOOL_URL}/staff/holders").words


def test_a_teacher_and_a_learner_find_no_door_and_force_none(sqlite_campus: Campus) -> None:
    badge = sqlite_campus.placed_badge()
    sqlite_campus.tool.registrations.let_administrators(registration_of(sqlite_campus), StaffRole.OWNER)
    for user in (sqlite_campus.teacher, sqlite_campus.learner("ada")):
        person = sqlite_campus.browser(user)
        page = person.launch(badge.id)
        assert not has_door(page)
        if any("csrf_token" in form.fields for form in page.forms):
            assert posted(person, page, DOOR).status == 403
    with sqlite_campus.tool.database.read() as session:
        assert session.scalars(select(StaffMember.id)).all() == []
