"""The tool's own columns: they follow their badge's name, and go with a draft that nobody wants."""

from __future__ import annotations

from typing import NoReturn

import pytest

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti import line_items
from lti_tool.store.tables import Placement
from tests.journeys.campus import Campus, micromodule_fields
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import GRADES_SYNC, Activity


def follow(campus: Campus, badge: Activity, name: str) -> tuple[Person, Page]:
    """The teacher, on the page behind a link of the course page."""
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    hrefs = [str(link["href"]) for link in page.soup.find_all("a", href=True)]
    (href,) = [href for href in hrefs if href.endswith(f"/{name}")]
    return teacher, teacher.get(href, page=page)


def remove(campus: Campus, badge: Activity, columns: str) -> Page:
    teacher, page = follow(campus, badge, "remove")
    return teacher.submit(page, {"columns": columns}, form="/remove")


def rename(campus: Campus, badge: Activity, name: str) -> Page:
    teacher, form = follow(campus, badge, "edit")
    typed = micromodule_fields(name, "Quiz 1", "60", campus.channel)
    return teacher.submit(form, typed, form="/edit", button="change")


def correct(campus: Campus, name: str) -> None:
    """Staff put the name of the badge right; nothing is read by it."""
    owner, home = owner_of(campus, "Open Learning")
    form = owner.follow(owner.follow(owner.follow(home, "Micromodules"), "Open Data"), "Correct a mistake")
    asked = owner.submit(form, {"name": name}, form="/correct", button="Show what changes")
    assert owner.submit(asked, {"reason": "A misspelling."}, form="/correct", button="correct").status == 200


def test_a_corrected_name_comes_to_the_columns_with_the_next_reading_and_once(campus: Campus) -> None:
    campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.read_now()
    (column,) = campus.evidence()
    before = (column.formula, column.maximum, column.service)
    correct(campus, "Open Data: The Basics")
    assert column.label == "Quiz 1 · Open Data Basics"
    campus.pass_time(minutes=5)
    campus.read_now()
    (column,) = campus.evidence()
    assert column.label == "Quiz 1 · Open Data: The Basics"
    assert (column.formula, column.maximum, column.service) == before
    assert all(not getattr(row, "is_overridden", False) for row in campus.lms.gradebook.rows(column))
    # What a teacher makes of it afterwards is theirs.
    column.label = "Quiz 1 · Open Data Basics"
    campus.pass_time(minutes=5)
    campus.read_now()
    assert column.label == "Quiz 1 · Open Data Basics"


def test_a_name_that_the_platform_did_not_take_at_once_is_made_up_for(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.read_now()
    (column,) = campus.evidence()
    correct(campus, "Open Data: The Basics")

    def is_down(*_arguments: object, **_options: object) -> NoReturn:
        raise PlatformFailed(ErrorCode.PLATFORM_UNREACHABLE)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(line_items, "rename_line_item", is_down)
        campus.pass_time(minutes=5)
        campus.read_now()
    assert column.label == "Quiz 1 · Open Data Basics"
    campus.pass_time(minutes=30)
    campus.read_now()
    assert column.label == "Quiz 1 · Open Data: The Basics"


def test_a_corrected_name_leaves_a_column_that_a_teacher_renamed_or_that_may_only_be_read(
    campus: Campus,
) -> None:
    badge = campus.placed_badge()
    (column,) = campus.evidence()
    column.label = "The teacher's own"
    correct(campus, "Open Data: The Basics")
    campus.pass_time(minutes=5)
    campus.read_now()
    assert column.label == "The teacher's own"
    column.label = "Quiz 1 · Open Data Basics"
    campus.lms_side.grade_service = GRADES_SYNC
    campus.browser(campus.teacher).launch(badge.id)
    correct(campus, "Open Data, Basics")
    campus.take_quiz("ada", 85)
    campus.pass_time(minutes=5)
    campus.read_now()
    assert column.label == "Quiz 1 · Open Data Basics"
    # The reading is none the worse for it.
    assert "You have earned 1 badge." in campus.open_wallet("ada", badge).words


def test_a_renamed_badge_renames_its_columns_and_nothing_else_of_them(campus: Campus) -> None:
    badge = campus.place_badge()
    campus.set_up(badge)
    campus.take_quiz("ada", 85)
    (column,) = campus.evidence()
    assert column.label == "Quiz 1 · Open Data Basics"
    grades = campus.lms.gradebook.rows(column)
    before = (column.formula, column.maximum, column.service, [row.final for row in grades])

    page = rename(campus, badge, "Open Data for All")
    assert "Open Data for All" in page.words
    (column,) = campus.evidence()
    assert column.label == "Quiz 1 · Open Data for All"
    after = [row.final for row in campus.lms.gradebook.rows(column)]
    assert (column.formula, column.maximum, column.service, after) == before
    assert all(not getattr(row, "is_overridden", False) for row in campus.lms.gradebook.rows(column))


def test_a_column_that_a_teacher_renamed_keeps_that_name(campus: Campus) -> None:
    badge = campus.place_badge()
    campus.set_up(badge)
    (column,) = campus.evidence()
    column.label = "The teacher's own"
    rename(campus, badge, "Open Data for All")
    (column,) = campus.evidence()
    assert column.label == "The teacher's own"


@pytest.mark.parametrize("columns, left", [("empty", 0), ("none", 1), ("all", 0)])
def test_a_draft_is_removed_with_the_columns_that_hold_nothing(
    sqlite_campus: Campus, columns: str, left: int
) -> None:
    campus = sqlite_campus
    badge = campus.place_badge()
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    if any(form.action.endswith("/columns") for form in page.forms):
        teacher.submit(page, form="/columns")
    assert len(campus.evidence()) == 1
    page = remove(campus, badge, columns)
    assert page.status == 200
    assert len(campus.evidence()) == left
    with campus.tool.database.read() as session:
        assert session.query(Placement).one().status == "removed"
    wallet = campus.open_wallet("ada", badge)
    assert wallet.status == 200
    assert "Open Data Basics" not in wallet.words


@pytest.mark.parametrize("columns, left", [("empty", 1), ("all", 0)])
def test_a_column_with_grades_goes_only_where_that_was_said(
    sqlite_campus: Campus, columns: str, left: int
) -> None:
    campus = sqlite_campus
    badge = campus.place_badge()
    campus.set_up(badge)
    campus.take_quiz("ada", 85)
    campus.read_now()
    assert "holds grades" in follow(campus, badge, "remove")[1].words
    remove(campus, badge, columns)
    assert len(campus.evidence()) == left


def test_a_published_badge_cannot_be_removed_so(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    assert not [a for a in page.soup.find_all("a", href=True) if "/remove" in str(a["href"])]
    with campus.tool.database.read() as session:
        placement_id = session.query(Placement).one().id
    root = "/".join(page.url.split("/")[:5])
    answer = teacher.get(f"{root}/course/placements/{placement_id}/remove", page=page)
    assert answer.status == 409
    assert len(campus.evidence()) == 1


def test_learners_and_neighbours_remove_nothing(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.place_badge()
    campus.set_up(badge)
    with campus.tool.database.read() as session:
        placement_id = session.query(Placement).one().id
    neighbour = campus.neighbour
    assert neighbour is not None
    theirs = neighbour.place_badge(name="Other")
    for one, link, user in (
        (campus, badge, campus.learner("ada")),
        (neighbour, theirs, neighbour.teacher),
    ):
        person = one.browser(user)
        page = person.launch(link.id)
        root = "/".join(page.url.split("/")[:5])
        answer = person.get(f"{root}/course/placements/{placement_id}/remove", page=page)
        assert answer.status in (403, 404)
    assert len(campus.evidence()) == 1


def test_where_columns_may_only_be_read_the_page_says_so(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.place_badge()
    campus.set_up(badge)
    campus.lms_side.grade_service = GRADES_SYNC
    campus.browser(campus.teacher).launch(badge.id)
    _, page = follow(campus, badge, "remove")
    assert "lets this tool read columns only" in page.words
    assert not page.soup.find_all("input", attrs={"name": "columns"})
    assert len(campus.evidence()) == 1
