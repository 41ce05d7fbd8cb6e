"""Deep linking whole: several items at once, wallet and dashboard, a link that is changed, what stands in a
page; and who can neither reach nor submit any of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from lti_tool.store.tables import AuditEvent, Micromodule, MicromoduleVersion, Organisation, Placement
from tests.factories import rule_fields
from tests.journeys.campus import TOOL_URL, Campus, micromodule_fields
from tests.simulator.browser import Form, Page, Value
from tests.simulator.canvas.lms import Canvas
from tests.simulator.client import Person
from tests.simulator.lms import Activity, Course, Role

SEVERAL = "module_index_menu_modal"
"""A placement of Canvas that takes several; Moodle always does."""
NAMES = ("Open Data Basics", "Open Data for Teachers", "Open Data Law")


def library(campus: Campus, *names: str, **fields: str) -> Course:
    """Badges that the organisation has, and a course in which none of them stands."""
    for name in names:
        describe(campus, name, **fields)
    return campus.another_course("MM2", "Micromodule 2", "ada")


def describe(campus: Campus, name: str, **fields: str) -> None:
    """A badge that the organisation has from now on; its links are never saved."""
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course))
    typed = micromodule_fields(name, "Quiz 1", "60", campus.channel) | fields
    assert teacher.submit(form, typed, form="micromodules/new", button="place").status == 200


def picker_of(
    campus: Campus, course: Course, placement: str | None = None, **how: Any
) -> tuple[Person, Page]:
    teacher = campus.browser(campus.teacher, **how)
    where = placement or (SEVERAL if campus.product == "canvas" else None)
    return teacher, teacher.deep_link(course, placement=where)


def post(person: Person, page: Page, **fields: Value) -> Page:
    """The picker's form with these fields alone, no button pressed: a script's, or an attacker's."""
    form = page.form("/picker")
    sent = {"csrf_token": form.fields["csrf_token"], **fields}
    return person.submit(page, form=replace(form, fields=sent, buttons=()))


def boxes(page: Page) -> list[str]:
    """What the boxes of the picker send, in the order of the page."""
    return [str(box["value"]) for box in page.soup.find_all("input", attrs={"type": "checkbox"})]


def version_ids(campus: Campus, *names: str) -> list[str]:
    with campus.tool.database.read() as session:
        rows = session.execute(select(MicromoduleVersion.name, MicromoduleVersion.id)).all()
    found = {row.name: row.id for row in rows}
    return [found[name] for name in names]


def placements_in(campus: Campus, course: Course) -> list[str]:
    """Link keys of what is placed in the newest context but the campus's own."""
    with campus.tool.database.read() as session:
        return list(session.scalars(select(Placement.badge_link_key).order_by(Placement.created_at)))


def key_of(activity: Activity) -> str:
    lines = dict(line.partition("=")[::2] for line in activity.custom.splitlines())
    return lines["badge_link_key"]


# -- several at once


@pytest.mark.parametrize("cookies", ["partitioned_only", "all"])
def test_several_badges_with_their_gates_are_placed_in_one_go(campus: Campus, cookies: Any) -> None:
    gate = rule_fields(1, label="Forum", kind="gate")
    course = library(campus, *NAMES[:2])
    describe(campus, NAMES[2], **gate)
    teacher, page = picker_of(campus, course, cookies=cookies)
    first, third = version_ids(campus, NAMES[0], NAMES[2])
    assert set(boxes(page)) == set(version_ids(campus, *NAMES))

    sent = post(teacher, page, micromodule_version_id=[first, third])
    links = teacher.save_selected(sent)
    assert [link.name for link in links] == [NAMES[0], NAMES[2], f"Forum · {NAMES[2]}"]
    assert len({key_of(link) for link in links}) == 3
    for link in links[:2]:
        wallet = campus.open_wallet("ada", link)
        assert "Quiz 1: at least 60" in wallet.words
        assert campus.lms.item_of(link) is not None, "the award's column came along"
    assert campus.lms.item_of(links[2]) is None

    for link in links[:2]:
        teacher.launch(link.id)
    _, again = picker_of(campus, course)
    assert "Draft in this course" in again.words


def test_a_button_takes_along_what_is_ticked(campus: Campus) -> None:
    course = library(campus, *NAMES[:2])
    teacher, page = picker_of(campus, course)
    first, second = version_ids(campus, *NAMES[:2])
    ticked = post(teacher, page, role="wallet", micromodule_version_id=[first, second])
    names = [link.name for link in teacher.save_selected(ticked)]
    assert names == [*NAMES[:2], "Badges"]


def test_nothing_ticked_says_so(campus: Campus) -> None:
    course = library(campus, *NAMES[:2])
    teacher, page = picker_of(campus, course)
    answer = teacher.submit(page, form="/picker", button="Add everything ticked")
    assert answer.status == 422
    assert "Nothing is ticked" in answer.words
    assert boxes(answer) == boxes(page)


def test_a_whole_category_is_placed_once(campus: Campus) -> None:
    course = library(campus, *NAMES)
    with campus.tool.database.read() as session:
        organisation_id = session.scalars(
            select(Organisation.id).where(Organisation.name == "Open Learning")
        ).one()
    campus.tool.configuring.categorise(organisation_id, "Data skills", version_ids(campus, *NAMES[:2]))
    teacher, page = picker_of(campus, course)
    links = teacher.save_selected(teacher.submit(page, form="/picker", button="Add 2 badges"))
    assert [link.name for link in links] == list(NAMES[:2])
    for link in links:
        teacher.launch(link.id)
    _, again = picker_of(campus, course)
    heading = again.soup.find("h3", string="Data skills")
    assert heading is not None
    card = heading.find_parent("li")
    assert card is not None
    assert "Already in this course" in card.get_text()
    assert card.find("button") is None


def test_the_same_answer_twice_places_everything_once(campus: Campus) -> None:
    """A double click, or a reload: nobody opened these links yet, so they are the same again."""
    course = library(campus, *NAMES[:2])
    before = len(placements_in(campus, course))
    teacher, page = picker_of(campus, course)
    for _ in range(2):
        post(teacher, page, micromodule_version_id=version_ids(campus, *NAMES[:2]))
    assert len(placements_in(campus, course)) == before + 2


def test_one_that_is_gone_meanwhile_leaves_nothing_of_the_others(campus: Campus) -> None:
    course = library(campus, *NAMES[:2])
    before = placements_in(campus, course)
    teacher, page = picker_of(campus, course)
    first, second = version_ids(campus, *NAMES[:2])
    with campus.tool.database.write() as session:
        gone = session.get_one(MicromoduleVersion, second).micromodule_id
        session.get_one(Micromodule, gone).archived_at = campus.clock()
    failed = post(teacher, page, micromodule_version_id=[first, second])
    assert failed.status == 404
    assert "This could not be added" in failed.words
    assert placements_in(campus, course) == before

    told = teacher.return_selected(failed)
    assert "Nothing was added." in told.text, "the platform can tell the person"
    assert NAMES[0] in teacher.follow(failed, "/picker").words


def test_cancelling_is_told_to_the_platform(campus: Campus) -> None:
    course = library(campus, *NAMES[:2])
    teacher, page = picker_of(campus, course)
    told = teacher.return_selected(teacher.submit(page, form="/picker", button="cancel"))
    assert told.status == 200
    assert "Nothing was added." in told.text


def test_where_no_cookie_survives_the_session_travels_in_the_path(canvas_campus: Campus) -> None:
    """The login's secret lies in Canvas's storage; every form goes on to the same path."""
    campus = canvas_campus
    course = library(campus, *NAMES[:2])
    teacher, page = picker_of(campus, course, cookies="none")
    assert "/s/" in page.url
    sent = post(teacher, page, micromodule_version_id=version_ids(campus, *NAMES[:2]))
    assert [link.name for link in teacher.save_selected(sent)] == list(NAMES[:2])


# -- one at a time


def test_where_one_link_is_taken_there_are_no_boxes_and_no_way_round(canvas_campus: Campus) -> None:
    campus = canvas_campus
    course = library(campus, *NAMES[:2])
    before = placements_in(campus, course)
    teacher, page = picker_of(campus, course, "assignment_selection")
    assert boxes(page) == []
    assert "Here one link is added at a time." in page.words
    assert "Whole categories" not in page.words
    refused = post(teacher, page, micromodule_version_id=version_ids(campus, *NAMES[:2]))
    assert refused.status == 400
    assert "This could not be added" in refused.words
    assert placements_in(campus, course) == before

    (link,) = teacher.save_selected(teacher.submit(page, form="/picker", button="Add to the course"))
    assert link.name == NAMES[0]


def test_gates_that_do_not_fit_are_announced(canvas_campus: Campus) -> None:
    campus = canvas_campus
    course = library(campus, NAMES[0], **rule_fields(1, label="Forum", kind="gate"))
    teacher, page = picker_of(campus, course, "assignment_selection")
    sent = teacher.submit(page, form="/picker", button="Add to the course")
    assert "The gates of this badge are links of their own" in teacher.return_selected(sent).text
    _, again = picker_of(campus, course, "assignment_selection")
    assert "Add its gate" in again.words


# -- wallet and dashboard


def test_a_dashboard_is_for_those_who_teach_and_a_wallet_for_the_others(campus: Campus) -> None:
    course = library(campus, NAMES[0])
    teacher, page = picker_of(campus, course)
    (link,) = teacher.save_selected(teacher.submit(page, form="/picker", button="dashboard"))
    assert link.name == "Badge progress"
    seen = teacher.launch(link.id)
    assert seen.url.endswith("/course")
    assert "No badge is issued in this course." in seen.words
    assert teacher.follow(seen, "/wallet").status == 200
    ada = campus.browser(campus.learner("ada")).launch(link.id)
    assert ada.url.endswith("/wallet")

    teacher, page = picker_of(campus, course)
    (badge,) = teacher.save_selected(teacher.submit(page, form="/picker", button="Add to the course"))
    teacher.launch(badge.id)
    assert NAMES[0] in teacher.launch(link.id).words


# -- a link that is changed


def test_an_existing_link_is_changed_and_stays_one_placement(canvas_campus: Campus) -> None:
    """Canvas asks anew when an assignment's tool is found again; only its variables tell."""
    campus = canvas_campus
    badge = campus.place_badge()
    key, before = key_of(badge), len(placements_in(campus, campus.course))
    teacher = campus.browser(campus.teacher)
    teacher.launch(badge.id)

    page = teacher.change_link(badge)
    assert "Change this link" in page.words
    assert "Everything about this badge can still be changed." in page.words
    form = teacher.follow(page, "/edit")
    back = teacher.submit(
        form, {"criteria-0-threshold": "75", "name": "Renamed"}, form="/edit", button="Save"
    )
    assert "Quiz 1: at least 75 %" in back.words
    assert teacher.save_selected(teacher.submit(back, form="/picker", button="keep")) == []
    assert (key_of(badge), badge.name) == (key, "Renamed")
    assert len(placements_in(campus, campus.course)) == before
    assert "at least 75" in campus.open_wallet("ada", badge).words

    campus.publish(badge)
    page = teacher.change_link(badge)
    assert "its criteria stay as they are" in page.words
    assert not page.soup.find_all("a", href=lambda href: href and href.endswith("/edit"))
    teacher.save_selected(teacher.submit(page, form="/picker", button="keep"))
    assert key_of(badge) == key
    assert len(placements_in(campus, campus.course)) == before


def test_the_link_of_another_course_is_not_changed_from_here(canvas_campus: Campus) -> None:
    """Ids of links are the platform's word, and hold within the course that it names beside them."""
    campus = canvas_campus
    assert isinstance(campus.lms, Canvas)
    badge = campus.place_badge()
    teacher = campus.browser(campus.teacher)
    teacher.launch(badge.id)
    other = campus.another_course("MM2", "Micromodule 2")
    assert campus.neighbour is not None
    for where, course in ((campus, other), (campus.neighbour, campus.neighbour.course)):
        tool = where.lms_side
        lines = tool.custom.splitlines()
        link = campus.lms.resource_link_id(badge)
        tool.custom = "\n".join(f"link_id={link}" if line.startswith("link_id=") else line for line in lines)
        page = where.browser(where.teacher).deep_link(course, placement="assignment_selection")
        assert page.status == 200
        assert "Change this link" not in page.words


def test_a_new_link_is_no_change(canvas_campus: Campus) -> None:
    campus = canvas_campus
    teacher = campus.browser(campus.teacher)
    teacher.launch(campus.place_badge().id)
    page = teacher.deep_link(campus.course, placement="assignment_selection")
    assert "Change this link" not in page.words
    assert post(teacher, page, action="keep").status == 404


# -- what stands in a page


def test_a_badge_is_shown_in_a_page_as_picture_text_or_link(canvas_campus: Campus) -> None:
    campus = canvas_campus
    assert isinstance(campus.lms, Canvas)
    course = library(campus, NAMES[0])
    before = placements_in(campus, course)
    teacher = campus.browser(campus.teacher)
    for word in ("Its picture", "Picture and text", "Link to its page"):
        page = teacher.deep_link(course, placement="editor_button")
        assert teacher.save_selected(teacher.submit(page, form="/picker", button=word)) == []
    image, html, link = campus.lms.page_contents
    assert [item["type"] for item in (image, html, link)] == ["image", "html", "link"]
    assert placements_in(campus, course) == before

    visitor = campus.app.test_client()
    page_answer = visitor.get(link["url"].removeprefix(TOOL_URL), base_url=TOOL_URL)
    assert page_answer.status_code == 200
    assert NAMES[0] in page_answer.get_data(as_text=True)
    picture = visitor.get(image["url"].removeprefix(TOOL_URL), base_url=TOOL_URL)
    assert (picture.status_code, picture.content_type) == (200, "image/png")
    shown = BeautifulSoup(html["html"], "html.parser")
    assert [tag.name for tag in shown.find_all(True)] == ["p", "a", "img", "br", "strong", "br"]


def test_moodle_is_offered_and_sent_nothing_but_links(moodle_campus: Campus) -> None:
    """It would make a useless activity of anything else, without a word."""
    campus = moodle_campus
    course = library(campus, NAMES[0])
    teacher, page = picker_of(campus, course)
    assert "Show it in the page instead" not in page.words
    (version_id,) = version_ids(campus, NAMES[0])
    for type_ in ("image", "html", "link", "ltiResourceLink", "file", "../x"):
        refused = post(teacher, page, embedded_id=f"{type_}:{version_id}")
        assert refused.status == 400, type_
        assert "This could not be added" in refused.words


# -- where several are made at once, and when they are due


@pytest.mark.parametrize(
    "placement", ["course_assignments_menu", "module_index_menu_modal", "module_menu_modal"]
)
def test_the_menus_of_canvas_take_several_with_their_columns(canvas_campus: Campus, placement: str) -> None:
    campus = canvas_campus
    course = library(campus, *NAMES[:2])
    teacher, page = picker_of(campus, course, placement)
    chosen = post(teacher, page, micromodule_version_id=version_ids(campus, *NAMES[:2]))
    links = teacher.save_selected(chosen)
    assert [link.name for link in links] == list(NAMES[:2])
    for link in links:
        item = campus.lms.item_of(link)
        assert item is not None
        assert (item.maximum, item.service and item.service.tag) == (1, "award")
        assert "Quiz 1: at least 60" in campus.open_wallet("ada", link).words


def test_dates_of_the_rules_are_when_an_assignment_is_due(canvas_campus: Campus) -> None:
    campus = canvas_campus
    assert isinstance(campus.lms, Canvas)
    badge = campus.place_badge(**{"criteria-0-before": "2027-03-31"})
    assert campus.lms.due_dates[badge.id] == "2027-03-31T23:59:59Z"


# -- who can neither reach nor submit it


def test_a_learner_neither_reaches_nor_submits_the_picker(campus: Campus) -> None:
    badge = campus.place_badge()
    before = placements_in(campus, campus.course)
    (version_id,) = version_ids(campus, NAMES[0])
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    address = wallet.url.replace("/wallet", "/picker")
    assert ada.get(address, page=wallet).status == 403
    token = campus.tool.launching.csrf_token(_token_of(ada, wallet))
    base = wallet.url.rpartition("/")[0]
    form = _form(f"{base}/picker", {"csrf_token": token, "micromodule_version_id": version_id})
    assert ada.submit(wallet, form=form).status == 403
    assert placements_in(campus, campus.course) == before


def test_a_teachers_ordinary_launch_submits_nothing_either(campus: Campus) -> None:
    badge = campus.place_badge()
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    base = page.url.rpartition("/")[0]
    token = campus.tool.launching.csrf_token(_token_of(teacher, page))
    form = _form(f"{base}/picker", {"csrf_token": token, "role": "wallet"})
    assert teacher.submit(page, form=form).status == 403


def test_a_form_from_elsewhere_is_not_taken(campus: Campus) -> None:
    """Without the session's own token, and with that of another session of the same person."""
    course = library(campus, NAMES[0])
    before = placements_in(campus, course)
    teacher, page = picker_of(campus, course)
    _, other = picker_of(campus, campus.course)
    (version_id,) = version_ids(campus, NAMES[0])
    stolen = str(other.form("/picker").fields["csrf_token"])
    for token in ("", "0" * 64, stolen):
        refused = post(teacher, page, csrf_token=token, micromodule_version_id=version_id)
        assert refused.status == 400
    assert placements_in(campus, course) == before


def test_a_session_that_is_over_submits_nothing(campus: Campus) -> None:
    course = library(campus, NAMES[0])
    before = placements_in(campus, course)
    teacher, page = picker_of(campus, course)
    campus.clock.move(hours=9)
    refused = teacher.submit(page, form="/picker", button="Add to the course")
    assert refused.status == 403
    assert placements_in(campus, course) == before


def test_another_organisations_badges_gates_and_categories_are_out_of_reach(campus: Campus) -> None:
    neighbour = campus.neighbour
    assert neighbour is not None
    describe(neighbour, "Theirs", **rule_fields(1, label="Forum", kind="gate"))
    with campus.tool.database.read() as session:
        theirs = session.scalars(
            select(MicromoduleVersion.id).where(MicromoduleVersion.name == "Theirs")
        ).one()
        organisation_id = session.scalars(
            select(Organisation.id).where(Organisation.name == "Neighbour College")
        ).one()
    category = campus.tool.configuring.categorise(organisation_id, "Their category", [theirs])
    course = library(campus, NAMES[0])
    teacher, page = picker_of(campus, course)
    assert "Their" not in page.words
    before = placements_in(campus, course)
    attempts: tuple[dict[str, Value], ...] = (
        {"micromodule_version_id": theirs},
        {"category": category},
        {"gate_id": "0" * 32},
        {"micromodule_version_id": [*version_ids(campus, NAMES[0]), theirs]},
    )
    for fields in attempts:
        refused = post(teacher, page, **fields)
        assert refused.status == 404, fields
    assert placements_in(campus, course) == before


@pytest.mark.parametrize(
    "fields, status",
    [
        ({"role": "admin"}, 400),
        ({"embedded_id": "no colon"}, 400),
        ({"micromodule_version_id": "a\0b"}, 400),
        ({"category": "a\0b"}, 400),
        ({"micromodule_version_id": [f"{n:032x}" for n in range(60)]}, 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_nonsense_is_refused_without_a_trace(campus: Campus, fields: dict[str, Any], status: int) -> None:
    course = library(campus, NAMES[0])
    teacher, page = picker_of(campus, course)
    assert post(teacher, page, **fields).status == status
    with campus.tool.database.read() as session:
        placed = session.scalars(select(AuditEvent.action).where(AuditEvent.action == "micromodule.placed"))
        assert len(placed.all()) == 1


def test_names_carry_nothing_into_the_platform(moodle_campus: Campus) -> None:
    """A line break would be another custom parameter in Moodle, markup would be another page's script."""
    campus = moodle_campus
    hostile = 'Maps <script>alert(1)</script> "x"'
    course = library(campus, hostile)
    teacher, page = picker_of(campus, course)
    (link,) = teacher.save_selected(teacher.submit(page, form="/picker", button="Add to the course"))
    assert link.name == hostile
    assert sorted(line.partition("=")[0] for line in link.custom.splitlines()) == [
        "badge_link_key",
        "badge_link_role",
    ]
    assert "<script>alert(1)" not in page.text


def test_somebody_acting_as_a_teacher_places_nothing(canvas_campus: Campus) -> None:
    campus = canvas_campus
    badge = campus.place_badge()
    admin = campus.browser(campus.lms.admin)
    admin.session.masquerader_id, admin.session.user_id = admin.session.user_id, campus.teacher.id
    page = admin.deep_link(campus.course, placement="link_selection")
    assert page.status == 403
    assert len(placements_in(campus, campus.course)) == 1
    assert campus.lms.role_in(campus.teacher, campus.course) is Role.EDITING_TEACHER
    assert badge.id


def _token_of(person: Person, page: Page) -> str:
    """The session's token, as the browser holds it in its cookie."""
    session_id = page.url.partition("/l/")[2].partition("/")[0]
    for (_top, _host, _path, name), cookie in person.jar.cookies.items():
        if name == f"lti_session_{session_id}":
            return cookie.value
    raise LookupError("no cookie of this session")


def _form(action: str, fields: dict[str, Any]) -> Form:
    return Form(action, "POST", "", "", "application/x-www-form-urlencoded", fields, ())
