"""From the operator's invitation to a revoked badge: what an organisation's owner does on the staff pages."""

from __future__ import annotations

import json

from lti_tool.domain.staff import StaffRole
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_staff_access import signs_in
from tests.simulator.browser import Page
from tests.simulator.client import Person


def owner_of(campus: Campus, organisation: str) -> tuple[Person, Page]:
    """An owner who has just signed in, and the first page."""
    staffing = campus.tool.staffing
    link = staffing.invite(staffing.operator(organisation), StaffRole.OWNER, name="Olga Owner").url
    owner = campus.browser(campus.tutor, in_frame=False)
    return owner, signs_in(owner, link)


def set_deployment(owner: Person, home: Page, action: str) -> Page:
    """Approve or disable the organisation's deployment, as the page offers it."""
    platform = owner.follow(owner.follow(home, "Platforms"), "/staff/registrations/")
    form = next(
        form
        for form in platform.forms
        if "/deployments/" in form.action and any(action in button for button in form.buttons)
    )
    return owner.submit(platform, form=form, button=action)


def test_an_owner_lets_people_in_and_takes_a_badge_back(campus: Campus) -> None:
    badge = campus.placed_badge()
    owner, home = owner_of(campus, "Open Learning")

    # Nobody of a disabled deployment gets in; approving it is one click.
    assert "Disabled" in set_deployment(owner, home, "disable").words
    assert campus.open_wallet("ada", badge).status == 403
    assert "Approved" in set_deployment(owner, home, "approve").words

    # The learner earns a badge and shares it.
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    wallet = learner.launch(badge.id)
    credential_id = credential_of(wallet)
    learner.submit(wallet, form="/sharing")
    address = f"{TOOL_URL}/credentials/{credential_id}"
    document = owner.get(f"{address}.json").text

    # The owner finds her, sees why, and revokes with a reason; without one nothing happens.
    found = owner.submit(owner.follow(home, "Holders"), {"q": "ADA"}, form="/staff/holders")
    person = owner.follow(found, "Ada Learner")
    assert "Quiz 1: at least 60 %" in person.words
    assert "85 of 100 points" in person.words
    ask = owner.follow(person, "Revoke")
    assert "It cannot be undone." in ask.words
    refused = owner.submit(ask, {"reason": " "}, form="/revoke")
    assert (refused.status, "Please fill this in." in refused.words) == (422, True)
    done = owner.submit(ask, {"reason": "Issued for the wrong course."}, form="/revoke")
    assert "Issued for the wrong course." in done.words
    assert not any("/revoke" in str(link["href"]) for link in done.soup.find_all("a", href=True))

    # The world, and she, read it.
    campus.run_jobs()
    public = owner.get(address).words
    assert "revoked" in public
    assert "Issued for the wrong course." in public
    verdict = owner.submit(owner.get(f"{TOOL_URL}/verify"), {"text": document}, form="/verify")
    assert "revoked" in verdict.words
    assert json.loads(document)["id"] == address
    assert "Issued for the wrong course." in campus.open_wallet("ada", badge).words

    # The log says who did it.
    log = owner.submit(owner.follow(done, "Audit log"), {"action": "credential.revoked"}, form="/staff/audit")
    assert "1 event" in log.words
    assert "Olga Owner Badge revoked" in log.words
    lines = owner.follow(log, "CSV").text.splitlines()
    assert len(lines) == 2
    assert f"Olga Owner,credential.revoked,credential,{credential_id}" in lines[1]

    # Out is out.
    assert "You are signed out." in owner.submit(log, form="/sign-out").words
    assert owner.get(f"{TOOL_URL}/staff/holders").url == f"{TOOL_URL}/staff/sign-in"


def test_the_first_page_leads_to_what_is_wrong(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.open_wallet("ada", badge)
    owner, home = owner_of(campus, "Open Learning")
    assert "No worker is running" in home.words
    for column in campus.evidence():
        campus.lms.gradebook.delete_item(column)
    campus.read_now()
    campus.pass_time(minutes=1)

    home = owner.get(f"{TOOL_URL}/staff/")
    assert "No worker is running" not in home.words
    assert "1 gradebook column cannot be read." in home.words
    courses = owner.follow(home, "Look at columns in trouble")
    course = owner.follow(courses, "Micromodule 1: Open Data")
    assert (
        "The column was deleted in the learning platform or was never created, or the course has ended"
        in course.words
    )
