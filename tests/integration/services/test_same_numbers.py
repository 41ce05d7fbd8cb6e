"""Who has earned a badge: one number, on whichever page it stands."""

from __future__ import annotations

from typing import Any

from lti_tool.domain.awarding import Standing
from lti_tool.services.matrix import Matrix, MatrixView, Order, Wanted
from lti_tool.services.progress import CourseProgress
from lti_tool.services.simulating import Simulating
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School, session_of


def school_of_every_kind(school: School) -> tuple[Course, Placed]:
    """Two have it, one has it and would not earn it now, three had it, one waits, two have not yet, two are
    not known; one of them was decided about as somebody else."""
    course = school.course()
    placed = factories.placed(school.database, course)
    people = factories.enrol(school.database, course, 10)
    (waits,) = factories.enrol(school.database, course, proof="none")
    factories.grade(school.database, course, placed, [*people[:5], waits], 90)
    factories.grade(school.database, course, placed, people[6:8], 10)
    issued = [school.issued(course, placed, learner) for learner in people[:6]]
    school.regrade(placed, people[2], 10)
    school.change(tables.Credential, tables.Credential.id.in_(issued[3:]), revoked_at=NOW)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    school.change(tables.Decision, tables.Decision.learner_id == people[9], verdict="excluded")
    return course, placed


EXPECTED = {"earned": 3, "review": 1, "revoked": 3, "waiting": 1, "not_yet": 2, "no_data": 2}


def teacher(course: Course) -> Any:
    return session_of(course, "0" * 32, can_view_progress=True, can_configure=True, is_learner=False)


def matrix_of(school: School, course: Course, placed: Placed, wanted: Wanted) -> MatrixView:
    return Matrix(school.database, school.awarding, school.ages).page(
        teacher(course), placed.placement_id, wanted
    )


def test_the_course_page_counts_the_same_on_every_page_of_it(school: School) -> None:
    course, _ = school_of_every_kind(school)
    service = CourseProgress(school.database, school.awarding, school.ages)
    for per_page in (2, 50):
        for page in (1, 2):
            (shown,) = service.view(teacher(course), page=page, per_page=per_page).placements
            counts = shown.counts
            found = {
                **{name: counts[name] for name in ("earned", "review", "revoked", "waiting")},
                "not_yet": counts["not_met"],
                "no_data": counts["unknown"] + counts["undecided"],
            }
            assert (found, counts["learners"]) == (EXPECTED, 11), (page, per_page)


def test_the_matrix_finds_as_many(school: School) -> None:
    course, placed = school_of_every_kind(school)
    found = {}
    for standing in Standing:
        view = matrix_of(school, course, placed, Wanted(standing=standing))
        assert len(view.rows) == view.found
        found[standing.value] = view.found
    assert found == EXPECTED
    # Who is to be reviewed has earned it, and is counted there once more.
    assert sum(found.values()) - found["review"] == 11


def test_sorted_by_the_badge_who_had_it_comes_after_who_may_get_it(school: School) -> None:
    course, placed = school_of_every_kind(school)
    rows = matrix_of(school, course, placed, Wanted(Order.BADGE)).rows
    revoked = [row.is_revoked for row in rows]
    assert revoked == sorted(revoked)
    assert [row.verdict.value for row in rows[:4]] == ["held", "held", "review", "unproved"]


def test_the_simulation_counts_as_many(school: School) -> None:
    course, placed = school_of_every_kind(school)
    view = Simulating(school.database, school.awarding).placement(teacher(course), placed.placement_id)
    found = {group.outcome.value: group.count for group in view.groups}
    assert found["earns"] + found["has"] == EXPECTED["earned"]
    assert {name: found[name] for name in ("revoked", "not_yet", "no_data")} == {
        name: EXPECTED[name] for name in ("revoked", "not_yet", "no_data")
    }
    assert found["waits"] == EXPECTED["waiting"]


def test_a_badge_that_was_revoked_elsewhere_says_nothing_here(small_school: School) -> None:
    course = small_school.course()
    placed, other = (factories.placed(small_school.database, course) for _ in range(2))
    (learner,) = factories.enrol(small_school.database, course)
    for one in (placed, other):
        factories.grade(small_school.database, course, one, [learner], 90)
        credential_id = small_school.issued(course, one, learner)
    small_school.awarding.decide_context(course.organisation_id, course.context_id)
    small_school.change(tables.Credential, tables.Credential.id == credential_id, revoked_at=NOW)
    for one, earned in ((placed, 1), (other, 0)):
        wanted = Wanted(standing=Standing.EARNED)
        assert matrix_of(small_school, course, one, wanted).found == earned
