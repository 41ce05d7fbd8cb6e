"""Try, publish, award; and see why, as the instructor and as the non-editing teacher (T1, S14)."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from tests.journeys.campus import Campus
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import Activity


def draft_with_grades(campus: Campus) -> Activity:
    """A badge for 60 percent in Quiz 1, set up and not published; one learner is above, one below.

    The tutor has looked in: until then Moodle's roster calls a non-editing teacher a learner.
    """
    badge = campus.place_badge()
    campus.set_up(badge)
    campus.browser(campus.tutor).launch(badge.id)
    for username, points in (("ada", 85), ("ben", 40)):
        campus.take_quiz(username, points)
        campus.open_wallet(username, badge)
    campus.read_now()
    return badge


def view_of(person: Person, course: Page, which: str) -> Page:
    """A view of the badge, from its course page."""
    return person.follow(course, which)


def publish_form(page: Page) -> str | None:
    return next((form.action for form in page.forms if form.action.endswith("/publish")), None)


def test_a_badge_is_tried_then_published_then_awarded(campus: Campus) -> None:
    badge = draft_with_grades(campus)
    teacher = campus.browser(campus.teacher)

    tried = view_of(teacher, teacher.launch(badge.id), "/simulation")

    assert "1 of 2 would earn it now." in tried.words
    assert "first to 1 learner" in tried.words
    assert "Ada Learner" in tried.words
    assert "Ben Learner Quiz 1: 40 of 100 points, 20 points more are needed" in tried.words
    assert campus.holders() == []

    course = teacher.submit(tried, form="/publish")
    campus.run_jobs()

    assert campus.holders() == ["Ada Learner"]
    assert publish_form(course) is None
    again = teacher.follow(teacher.follow(course, "/matrix"), "/simulation")
    assert "0 of 2 would earn it now." in again.words
    assert "Have it already: 1" in again.words
    assert publish_form(again) is None


def test_a_draft_with_nothing_set_up_says_what_cannot_be_known_and_awards_nobody(campus: Campus) -> None:
    badge = campus.place_badge()
    campus.open_wallet("ada", badge)
    teacher = campus.browser(campus.teacher)

    tried = view_of(teacher, teacher.launch(badge.id), "/simulation")

    # A mirror is made when its teacher first comes by; what learners see waits for a click.
    reason = {
        "moodle": "Nothing has been read for it yet.",
        "canvas": "Its gradebook column has not been created yet.",
    }[campus.product]
    assert f"What cannot be known yet Quiz 1 {reason}" in tried.words
    teacher.submit(tried, form="/publish")
    campus.run_jobs()
    assert campus.holders() == []


def test_instructor_and_non_editing_teacher_see_why(campus: Campus) -> None:
    badge = draft_with_grades(campus)
    campus.publish(badge)
    campus.run_jobs()
    for user in (campus.teacher, campus.tutor):
        person = campus.browser(user)
        matrix = person.follow(person.launch(badge.id), "/matrix")
        rows = [" ".join(row.get_text(" ").split()) for row in matrix.soup.select("tbody tr")]
        assert rows == [
            "Ada Learner Earned " + rows[0].partition("Earned ")[2],
            "Ben Learner Not yet 0 of 1 Not reached yet 40 of 100",
        ]
        ben = next(link for link in matrix.soup.select("tbody a") if "Ben" in link.get_text())
        why = person.get(str(ben["href"]), page=matrix)
        assert "40 of 100 points, 20 points more are needed" in why.words
        assert "From the gradebook column “Quiz 1”" in why.words
        assert "Opened an activity of this tool as a learner." in why.words
        assert len(why.soup.select("table code")) >= 1


def test_a_teaching_assistant_looks_and_publishes_nothing(canvas_campus: Campus) -> None:
    """Of Canvas; Moodle sends a non-editing teacher as Instructor, with nothing to tell the two apart."""
    campus = canvas_campus
    badge = draft_with_grades(campus)
    teacher, tutor = campus.browser(campus.teacher), campus.browser(campus.tutor)
    allowed = view_of(teacher, teacher.launch(badge.id), "/simulation")
    assert publish_form(allowed) is not None

    tried = view_of(tutor, tutor.launch(badge.id), "/simulation")

    assert "1 of 2 would earn it now." in tried.words
    assert publish_form(tried) is None
    forged = replace(allowed.form("/publish"), action=tried.url.replace("/simulation", "/publish"))
    assert tutor.submit(tried, form=forged).status in (400, 403)
    assert publish_form(view_of(teacher, teacher.launch(badge.id), "/simulation")) is not None


def test_the_file_tells_the_same(campus: Campus) -> None:
    badge = draft_with_grades(campus)
    campus.publish(badge)
    teacher = campus.browser(campus.teacher)
    matrix = teacher.follow(teacher.launch(badge.id), "/matrix")
    file = teacher.follow(matrix, "matrix.csv")
    rows = list(csv.DictReader(io.StringIO(file.body.decode("utf-8-sig"))))
    assert [(row["name"], row["badge"], row["1 Quiz 1: value"]) for row in rows] == [
        ("Ada Learner", "held", "85"),
        ("Ben Learner", "not_yet", "40"),
    ]


def test_people_and_badges_of_others_are_not_found(campus: Campus) -> None:
    badge = draft_with_grades(campus)
    teacher = campus.browser(campus.teacher)
    simulation = view_of(teacher, teacher.launch(badge.id), "/simulation")
    learner = next(
        str(link["href"]) for link in simulation.soup.select("a") if "/learners/" in str(link["href"])
    )
    assert campus.neighbour is not None
    other = campus.neighbour
    stranger = other.browser(other.teacher)
    elsewhere = stranger.launch(other.place_badge().id)
    session = elsewhere.url.partition("/course")[0]
    own = session.partition("/l/")[0]
    for path in (learner, simulation.url):
        inside = path.partition("/course/")[2]
        answer = stranger.get(f"{own}/l/{session.rpartition('/')[2]}/course/{inside}", page=elsewhere)
        assert answer.status == 404, answer.url
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    for path in (learner, simulation.url):
        inside = path.partition("/course/")[2]
        mine = wallet.url.rpartition("/wallet")[0]
        assert ada.get(f"{mine}/course/{inside}", page=wallet).status == 403
