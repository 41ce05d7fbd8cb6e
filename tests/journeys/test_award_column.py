"""The award goes back into the gradebook, proves learners, and opens what comes next."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lti_tool.store.tables import AuditEvent, Context
from tests.journeys.campus import Campus, credential_of, row_of
from tests.simulator.browser import Page
from tests.simulator.canvas.lms import Canvas
from tests.simulator.chaos import Kind
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Activity

POSTS = "/scores"


def award_column(campus: Campus, badge: Activity) -> GradeItem:
    item = campus.lms.item_of(badge)
    assert item is not None
    return item


def points(campus: Campus, badge: Activity, username: str) -> float | None:
    return campus.lms.gradebook.final(award_column(campus, badge), campus.learner(username).id)


def scores_sent(campus: Campus, badge: Activity) -> int:
    """Answers to scores in the award column."""
    column = f"/{award_column(campus, badge).id}/"
    return sum(
        method == "POST" and POSTS in path and column in path for method, path, _ in campus.lms.requests
    )


def teachers_page(campus: Campus, badge: Activity) -> Page:
    return campus.browser(campus.teacher).launch(badge.id)


def test_who_earns_the_badge_has_the_points_and_a_teachers_grade_stays(campus: Campus) -> None:
    badge = campus.placed_badge()
    for name in ("ada", "bob", "cleo"):
        campus.learner(name)
    column = award_column(campus, badge)
    campus.lms.set_grade(campus.learner("bob"), column, 0.5)
    campus.take_quiz("ada", 85)
    campus.take_quiz("bob", 90)
    campus.take_quiz("cleo", 20)
    for name in ("ada", "bob", "cleo"):
        campus.open_wallet(name, badge)
    campus.pass_time(minutes=3)

    assert campus.holders() == ["Ada Learner", "Bob Learner"]
    assert points(campus, badge, "ada") == column.maximum
    assert points(campus, badge, "bob") == 0.5, "the teacher's word stands"
    assert points(campus, badge, "cleo") is None
    if isinstance(campus.lms, Canvas):
        assert not [key for key in campus.lms.attempts if key[0] == column.id], "no attempt of the learner's"
    sent = scores_sent(campus, badge)
    campus.pass_time(minutes=10)
    assert scores_sent(campus, badge) == sent, "written once"

    campus.lms.set_grade(campus.learner("ada"), column, 0.2)
    campus.open_wallet("ada", badge)
    campus.pass_time(minutes=5)
    assert points(campus, badge, "ada") == 0.2


def test_a_revocation_leaves_the_gradebook_alone_and_the_page_says_so(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.learner("ada")
    campus.take_quiz("ada", 85)
    credential_id = credential_of(campus.open_wallet("ada", badge))
    campus.pass_time(minutes=1)
    before = points(campus, badge, "ada")
    campus.tool.revoking.revoke(credential_id, "Issued by mistake.", "cli")
    campus.pass_time(minutes=5)
    assert points(campus, badge, "ada") == before == award_column(campus, badge).maximum
    assert "Revoking a badge leaves its points" in teachers_page(campus, badge).words


def test_the_badge_completes_the_activity_and_opens_the_next(moodle_campus: Campus) -> None:
    """MOODLE.md §7E: completion by passing grade follows the score at once."""
    campus = moodle_campus
    badge = campus.placed_badge()
    award_column(campus, badge).pass_grade = 1
    following = campus.lms.add_page(campus.course, "Micromodule 2")
    following.availability = {"type": "completion", "cm": badge.id, "e": 2}
    ada, bob = campus.learner("ada"), campus.learner("bob")
    campus.take_quiz("ada", 85)
    campus.take_quiz("bob", 30)
    campus.pass_time(minutes=5)

    assert campus.holders() == ["Ada Learner"], "without a visit: the score proved that she is a learner"
    assert campus.lms.completion_state(ada, badge) == 2
    assert campus.lms.is_available(ada, following)
    assert campus.lms.completion_state(bob, badge) == 0
    assert not campus.lms.is_available(bob, following)


def test_a_tutor_whom_the_roster_calls_a_learner_gets_no_badge(moodle_campus: Campus) -> None:
    """MOODLE.md §4: a non-editing teacher is Learner in the roster; a score for one is refused with 400."""
    campus = moodle_campus
    badge = campus.placed_badge()
    campus.learner("ada")
    (mirror,) = campus.mirrors()
    campus.lms.set_formula(mirror, "")
    for user in (campus.learner("ada"), campus.tutor):
        campus.lms.set_grade(user, mirror, 100)
    campus.pass_time(minutes=5)

    assert campus.holders() == ["Ada Learner"]
    page = teachers_page(campus, badge)
    assert "No students, says the learning platform" in page.words
    assert "Noel Tutor" in page.words
    assert "Is not a student according to the learning management system." in row_of(page, "Noel")
    sent = scores_sent(campus, badge)
    campus.pass_time(minutes=30)
    assert scores_sent(campus, badge) == sent

    # His own launch says what he is; nobody's word makes him a learner then.
    campus.browser(campus.tutor).launch(badge.id)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    assert "Noel Tutor" not in page.words
    campus.pass_time(minutes=30)
    assert campus.holders() == ["Ada Learner"]


def test_an_instructors_word_overrules_the_platform_and_is_on_record(moodle_campus: Campus) -> None:
    campus = moodle_campus
    badge = campus.placed_badge()
    (mirror,) = campus.mirrors()
    campus.lms.set_formula(mirror, "")
    campus.lms.set_grade(campus.tutor, mirror, 100)
    campus.pass_time(minutes=5)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    (box,) = page.soup.find_all("input", {"name": "learner_id"})
    page = teacher.submit(page, {"learner_id": str(box["value"])}, form="/learners")
    assert campus.holders() == ["Noel Tutor"]
    assert "Earned" in row_of(page, "Noel")
    with campus.tool.database.read() as session:
        events = session.execute(
            select(AuditEvent.subject_id).where(AuditEvent.action == "learner.confirmed")
        )
        assert [id_ for (id_,) in events] == [str(box["value"])]


def test_without_the_right_to_write_scores_the_badge_waits_for_the_first_visit(moodle_campus: Campus) -> None:
    campus = moodle_campus
    badge = campus.placed_badge()
    for user in ("ada", "bob"):
        campus.learner(user)
        campus.take_quiz(user, 85)
    with campus.tool.database.write() as session:
        for context in session.scalars(select(Context)):
            context.ags_scopes = [scope for scope in context.ags_scopes if not scope.endswith("/score")]
    campus.pass_time(minutes=5)
    assert campus.holders() == []
    assert scores_sent(campus, badge) == 0
    wallet = campus.open_wallet("ada", badge)
    assert "You have earned 1 badge." in wallet.words
    assert campus.holders() == ["Ada Learner"], "her own launch proves it at that visit"


def test_an_award_cannot_satisfy_its_own_criterion(campus: Campus) -> None:
    """Neither the points of another badge's column nor the award's own are ever read as evidence."""
    badge = campus.placed_badge()
    campus.learner("ada")
    campus.lms.set_grade(
        campus.learner("ada"), award_column(campus, badge), award_column(campus, badge).maximum
    )
    campus.open_wallet("ada", badge)
    campus.pass_time(minutes=5)
    assert campus.holders() == []


@pytest.mark.parametrize("kind", ["status", "not_json"])
def test_a_platform_in_trouble_delays_the_points_and_loses_none(moodle_campus: Campus, kind: Kind) -> None:
    campus = moodle_campus
    badge = campus.placed_badge()
    campus.learner("ada")
    campus.take_quiz("ada", 85)
    fault = campus.lms.chaos.switch_on(kind, path=POSTS, value=500 if kind == "status" else None)
    campus.open_wallet("ada", badge)
    campus.pass_time(minutes=2)
    assert campus.holders() == ["Ada Learner"]
    campus.lms.chaos.faults.remove(fault)
    campus.pass_time(minutes=15)
    assert points(campus, badge, "ada") == award_column(campus, badge).maximum
