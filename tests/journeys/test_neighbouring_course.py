"""Two courses of one organisation: whoever teaches one reaches nothing of the other by its id."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from lti_tool.store.tables import Placement, Run
from tests.journeys.campus import Campus
from tests.journeys.test_isolation import inside, posted
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import Role


@pytest.fixture
def neighbour(sqlite_campus: Campus) -> Campus:
    """Another course on the same LMS, with a teacher of its own."""
    lms = sqlite_campus.lms
    course = lms.add_course("MM2", "Micromodule 2: Statistics")
    teacher = lms.add_user("tess", "Tess", "Teacher")
    lms.enrol(teacher, course, Role.EDITING_TEACHER)
    quiz = lms.add_quiz(course, "Quiz 2", id_number="quiz1")
    return replace(sqlite_campus, course=course, teacher=teacher, quiz=quiz, people={})


def visit(campus: Campus) -> tuple[Person, Page]:
    """A teacher's page after a sync was asked for."""
    activity = campus.placed_badge()
    teacher = campus.browser(campus.teacher)
    page = teacher.submit(teacher.launch(activity.id), form="/course/sync")
    campus.run_jobs()
    return teacher, page


def test_a_teacher_reaches_nothing_of_the_course_next_door(sqlite_campus: Campus, neighbour: Campus) -> None:
    visit(sqlite_campus)
    with sqlite_campus.tool.database.read() as session:
        (run_id,) = session.execute(select(Run.id)).scalars()
        (placement_id,) = session.execute(select(Placement.id)).scalars()
    teacher, page = visit(neighbour)

    tried = {
        "run": teacher.get(inside(page, f"/course/runs/{run_id}"), page=page),
        "columns": posted(teacher, page, f"/course/placements/{placement_id}/columns"),
        "poll": posted(teacher, page, f"/course/placements/{placement_id}/columns/poll"),
    }

    assert {name: answer.status for name, answer in tried.items()} == dict.fromkeys(tried, 404)


def test_a_teacher_reaches_everything_of_the_own_course(sqlite_campus: Campus) -> None:
    """Also from the link of another badge in it."""
    visit(sqlite_campus)
    with sqlite_campus.tool.database.read() as session:
        (run_id,) = session.execute(select(Run.id)).scalars()
        (first,) = session.execute(select(Placement.id)).scalars()
    second = sqlite_campus.place_badge(label="Quiz 2", name="Open Data Mastery")
    teacher = sqlite_campus.browser(sqlite_campus.teacher)
    page = teacher.launch(second.id)

    assert teacher.get(inside(page, f"/course/runs/{run_id}"), page=page).status == 200
    assert posted(teacher, page, f"/course/placements/{first}/columns/poll").status == 200
