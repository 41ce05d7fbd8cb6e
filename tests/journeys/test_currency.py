"""Review dates: a badge is overdue, somebody answers for it, looks, and publishes what is new."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import timedelta

from lti_tool.domain.staff import StaffRole
from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_milestones import second_course
from tests.journeys.test_staff import owner_of
from tests.journeys.test_staff_access import signs_in
from tests.simulator.browser import Form, Page
from tests.simulator.client import Person
from tests.simulator.run import date_reviews


def nav(page: Page) -> str:
    """What the navigation says of review dates."""
    (link,) = page.soup.select('nav a[href="/staff/currency"]')
    return " ".join(link.get_text(" ").split())


def signed_in(campus: Campus, role: StaffRole, name: str) -> tuple[Person, Page]:
    """Somebody of the organisation's staff, and the first page."""
    staffing = campus.tool.staffing
    link = staffing.invite(staffing.operator("Open Learning"), role, name=name).url
    person = campus.browser(campus.tutor, in_frame=False)
    return person, signs_in(person, link)


def forged(person: Person, page: Page, address: str, fields: Mapping[str, str]) -> Page:
    """Post to an address as the page's own form would, with its token."""
    token = page.form("/staff/sign-out").fields["csrf_token"]
    encoding = "application/x-www-form-urlencoded"
    return person.submit(
        page, form=Form(address, "POST", "", "", encoding, {"csrf_token": token, **fields}, ())
    )


def test_a_badge_is_overdue_looked_at_and_replaced(campus: Campus) -> None:
    campus.placed_badge()
    second_course(campus)
    editor, home = signed_in(campus, StaffRole.EDITOR, "Edgar Editor")
    assert nav(home) == "Review dates"

    # Two badges, of which nobody has said anything yet.
    dates = editor.follow(home, "Review dates")
    rows = dates.soup.select("tbody tr")
    assert len(rows) == 2
    assert dates.words.count("No date") == 2

    # Both at once: Edgar answers, and each is looked at every six months.
    edgar = next(
        str(option["value"])
        for option in dates.soup.select("#answerable_id option")
        if "Edgar" in option.text
    )
    nothing = editor.submit(dates, {"answerable_id": edgar}, form="/staff/currency?")
    assert (nothing.status, "Tick at least one" in nothing.words) == (422, True)
    everything = editor.follow(dates, "Choose all on this page")
    wrong = editor.submit(
        everything, {"answerable_id": edgar, "review_every_months": "0"}, form="/staff/currency?"
    )
    assert (wrong.status, "Enter a number from 1 to 120." in wrong.words) == (422, True)
    dates = editor.submit(
        everything, {"answerable_id": edgar, "review_every_months": "6"}, form="/staff/currency?"
    )
    assert "Saved." in dates.words
    assert dates.words.count("every 6 months") == 2

    # Half a year goes by; every staff page says so, and the file tells whom to remind.
    campus.clock.move(days=190)
    editor, home = signed_in(campus, StaffRole.EDITOR, "Other Editor")
    assert nav(home) == "Review dates 2 overdue"
    stale = editor.follow(home, "Look at overdue reviews")
    assert stale.words.count("days overdue") == 2
    lines = list(csv.DictReader(io.StringIO(editor.follow(stale, "Download this list (CSV)").text)))
    assert [(line["state"], line["answers"]) for line in lines] == [("stale", "Edgar Editor")] * 2

    # One is still right; a second tab from before is told that somebody was faster.
    one = editor.follow(stale, "Statistics")
    noted = editor.submit(one, {"note": "Read against the new law."}, form="/reviewed")
    assert "Noted: it is up to date." in noted.words
    assert "Read against the new law." in noted.words
    assert "Other Editor" in noted.words
    again = editor.submit(one, {"note": "Read against the new law."}, form="/reviewed")
    assert (again.status, "Noted: it is up to date." in again.words) == (200, True), "pressed twice"
    late = editor.submit(one, {"note": "Too late."}, form="/reviewed")
    assert (late.status, "Somebody else changed this meanwhile." in late.words) == (409, True)

    # The other is not: its next version is published, which is a review, too.
    other = next(
        str(link["href"]) for link in stale.soup.select("tbody a") if "Statistics" not in link.get_text()
    )
    other_page = editor.get(f"{TOOL_URL}{other}")
    form = editor.follow(other_page, "Prepare the next version")
    review = editor.submit(
        form, {"description": "What open data is, by the law of today."}, form="/version", button="compare"
    )
    published = editor.submit(
        review,
        {"whats_new": "The new law.", "policy": "keep"},
        form="/review",
        button="publish",
    )
    assert published.status == 200
    editor.get(f"{TOOL_URL}{other}")
    assert nav(editor.get(f"{TOOL_URL}/staff/")) == "Review dates"
    assert "In order" in editor.get(f"{TOOL_URL}{other}").words

    # Whoever leaves answers no more; the log says who did what.
    owner, home = owner_of(campus, "Open Learning")
    members = campus.tool.staffing.members(campus.tool.staffing.operator("Open Learning"))
    (edgar_id,) = [member.id for member in members if member.name == "Edgar Editor"]
    assert edgar_id == edgar
    campus.tool.staffing.disable(campus.tool.staffing.operator("Open Learning"), edgar_id)
    dates = owner.follow(home, "Review dates")
    assert dates.words.count("Nobody answers") >= 3
    assert "Edgar Editor has no access any more" in dates.words
    log = owner.submit(owner.follow(home, "Audit log"), {"action": "currency.reviewed"}, form="/staff/audit")
    assert "Other Editor Looked at and found up to date" in log.words


def test_who_only_reads_and_who_is_next_door_change_nothing(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    campus.placed_badge()
    editor, home = signed_in(campus, StaffRole.EDITOR, "Edgar Editor")
    one = editor.follow(editor.follow(home, "Review dates"), "/staff/currency/micromodule/")
    day = (campus.clock.now + timedelta(days=30)).date().isoformat()
    address = one.url.partition("?")[0]
    form = next(form for form in one.forms if form.action == address)
    saved = editor.submit(one, {"review_on": day, "contact": "Registrar"}, form=form)
    assert "Due in 30 days" in saved.words

    reader, home = signed_in(campus, StaffRole.READER, "Rita Reader")
    page = reader.get(address)
    assert "Registrar" in page.words
    assert [form.action for form in page.forms] == [f"{TOOL_URL}/staff/sign-out"]
    chosen = f"micromodule:{address.rpartition('/')[2]}:1"
    attempts = (
        (address, {"revision": "1"}),
        (f"{address}/reviewed", {"revision": "1"}),
        (f"{TOOL_URL}/staff/currency", {"chosen": chosen, "contact": "Me"}),
    )
    for path, fields in attempts:
        assert forged(reader, page, path, fields).status == 403

    assert campus.neighbour is not None
    stranger, home = owner_of(campus.neighbour, "Neighbour College")
    assert "Registrar" not in stranger.get(f"{TOOL_URL}/staff/currency.csv").text
    assert stranger.get(address).status == 404
    for path, fields in attempts:
        assert forged(stranger, home, path, fields).status == 404
    assert "Due in 30 days" in editor.get(address).words


def test_the_demo_has_a_review_that_comes_up_and_one_in_order(campus: Campus) -> None:
    for name in ("Open Data Basics", "Data Privacy Basics", "Statistics"):
        campus.place_badge(name=name)
    date_reviews(campus.tool, "Open Learning")
    editor, home = signed_in(campus, StaffRole.EDITOR, "Edgar Editor")
    dates = editor.follow(home, "Review dates")
    soon, undated, later = [" ".join(row.get_text(" ").split()) for row in dates.soup.select("tbody tr")]
    assert soon.startswith("Open Data Basics Due in 21 days")
    assert undated.startswith("Statistics No date")
    assert later.startswith("Data Privacy Basics In order")
    assert ["Teaching Development" in row for row in (soon, undated, later)] == [True, False, True]

    # What somebody says meanwhile is theirs: the next start of the demo leaves it as it is.
    one = editor.follow(dates, "Open Data Basics")
    (form,) = [form for form in one.forms if "contact" in form.fields]
    editor.submit(one, {"contact": "The library"}, form=form)
    date_reviews(campus.tool, "Open Learning")
    assert "The library" in editor.get(f"{TOOL_URL}/staff/currency").words
