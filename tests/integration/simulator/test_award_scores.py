"""What follows from a score: completion, and the next activity (MOODLE.md §7E, ``completion_by_ags``)."""

from tests.integration.simulator.conftest import Site
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Activity
from tests.simulator.moodle.lms import ContentForm


def badge_of(site: Site, *, maximum: float = 10, pass_grade: float = 6) -> tuple[Activity, GradeItem]:
    """A graded link that is complete with a passing grade."""
    badge = site.lms.save_activity(
        site.tool, site.course, ContentForm("Badge", is_graded=True, maximum=maximum)
    )
    item = site.lms.item_of(badge)
    assert item is not None
    item.pass_grade = pass_grade
    return badge, item


def test_a_passing_score_completes_the_activity_and_a_lower_one_takes_it_back(site: Site) -> None:
    badge, item = badge_of(site)
    student = site.users["student3"]
    states = []
    for points in (10, 3, 10):
        site.clock.tick(2)
        assert site.score(item.id, student.id, points).status_code == 200
        states.append(site.lms.completion_state(student, badge))
    assert states == [2, 3, 2]
    site.clock.tick(2)
    assert site.score(item.id, student.id, 10, gradingProgress="Pending").status_code == 200
    assert site.lms.completion_state(student, badge) == 0, "cleared"


def test_a_passing_score_opens_the_activity_that_waits_for_it(site: Site) -> None:
    badge, item = badge_of(site, maximum=1, pass_grade=1)
    following = site.lms.add_page(site.course, "Next")
    following.availability = {"type": "completion", "cm": badge.id, "e": 2}
    student, other = site.users["student1"], site.users["student2"]
    assert not site.lms.is_available(student, following)
    site.score(item.id, student.id, 10)
    assert site.lms.is_available(student, following)
    assert not site.lms.is_available(other, following)


def test_a_score_for_staff_is_refused_with_the_empty_list(site: Site) -> None:
    """Seen on the running Moodle: status 400, body ``[]``; the reason stands in the status line only."""
    _, item = badge_of(site)
    for username in ("teacher1", "noneditor1"):
        answer = site.score(item.id, site.users[username].id, 1)
        assert (answer.status_code, answer.json()) == (400, [])
