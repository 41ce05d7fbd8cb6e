"""Badges that would ask for each other are refused where their criteria are saved, also of two at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lti_tool.domain.criteria import AllOf, Completed, Criterion, HoldsAchievement, MicromodulesCompleted
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services.circles import circle_of
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import tables
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.milestone_campus import Campus, plain
from tests.integration.services.school import School
from tests.integration.services.test_editing import drafted, save
from tests.integration.services.test_publishing import publish
from tests.integration.services.test_versions import Desk, desk, quiz


def module_of(school: School, placed: Placed) -> str:
    (row,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
    )
    return str(row.micromodule_id)


def achievement_of(school: School, version_id: str | None) -> str:
    (row,) = school.rows(tables.AchievementVersion, tables.AchievementVersion.id == version_id)
    return str(row.achievement_id)


def asks(school: School, version_id: str, criterion: Criterion) -> None:
    """What a version asks for, as if it had been saved before anybody looked for circles."""
    school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == version_id,
        criteria=dump_criteria(criterion),
    )


def beside(school: School, one: Desk, criterion: Criterion, **placed: Any) -> Desk:
    made = factories.placed(school.database, one.course, criterion=criterion, **placed)
    return Desk(school, one.course, made, module_of(school, made))


def the_problem(refused: RequestInvalid) -> Problem:
    found = refused.params["problems"]
    assert isinstance(found, tuple)
    (problem,) = found
    assert isinstance(problem, Problem)
    return problem


def completed(number: int, micromodule_id: str) -> dict[str, Any]:
    return {f"criteria-{number}-kind": "completed", f"criteria-{number}-choice": micromodule_id}


def test_a_draft_that_would_close_a_circle_names_it_at_the_rule(school: School) -> None:
    course = school.course()
    session, placement_id = drafted(school, course)
    (draft,) = school.rows(tables.Placement, tables.Placement.id == placement_id)
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == draft.micromodule_version_id
    )
    middle = factories.placed(
        school.database, course, criterion=Completed(version.micromodule_id, "Reading maps")
    )
    last = factories.placed(
        school.database,
        course,
        criterion=HoldsAchievement(achievement_of(school, middle.achievement_version_id), "Middle"),
    )
    with pytest.raises(RequestInvalid) as refused:
        save(school, session, placement_id, **completed(2, module_of(school, last)))
    problem = the_problem(refused.value)
    assert (problem.field, problem.code) == ("criteria-2-choice", FormProblem.ASKS_IN_CIRCLE)
    names = problem.params["names"]
    assert isinstance(names, tuple)
    assert names[0] == "Reading maps"
    assert len(names) == 3
    (same,) = school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.id == version.id)
    assert same.criteria == version.criteria, "nothing was saved"


def test_another_organisation_s_badges_make_no_circle_of_ours(small_school: School) -> None:
    """Ids in criteria are text: somebody else's rows that name ours say nothing about ours."""
    one = desk(small_school)
    other = factories.course(small_school.database)
    foreign = factories.placed(small_school.database, other, criterion=Completed(one.micromodule_id, "Ours"))
    with small_school.database.read() as reading:
        asked = Completed(module_of(small_school, foreign), "Theirs")
        found = circle_of(reading, one.course.organisation_id, one.micromodule_id, asked)
    assert found == ()


def test_a_next_version_that_would_close_a_circle_is_refused_before_anybody_compares(school: School) -> None:
    one = desk(school)
    other = beside(school, one, Completed(one.micromodule_id, "One"))
    one.prepare(one.staff, completed(1, other.micromodule_id))
    with pytest.raises(RequestInvalid) as refused:
        one.compare(one.staff)
    assert the_problem(refused.value).code is FormProblem.ASKS_IN_CIRCLE
    assert the_problem(refused.value).field == "criteria-1-choice"


def test_of_two_versions_published_at_once_that_make_a_circle_one_is_refused(school: School) -> None:
    one = desk(school, AllOf((quiz(),)))
    other = beside(school, one, AllOf((quiz(),)))
    one.prepare(one.staff, completed(1, other.micromodule_id))
    other.prepare(other.staff, completed(1, one.micromodule_id))
    marks = {each.micromodule_id: each.compare(each.staff).mark for each in (one, other)}
    start = threading.Barrier(2)
    answers: list[Any] = []

    def press(each: Desk) -> None:
        start.wait()
        try:
            answers.append(each.publish(each.staff, seen=marks[each.micromodule_id]).number)
        except RequestInvalid as refused:
            answers.append(the_problem(refused).code)

    people = [threading.Thread(target=press, args=(each,)) for each in (one, other)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(map(str, answers)) == ["2", "asks_in_circle"]


def test_of_two_drafts_saved_at_once_that_make_a_circle_one_is_refused(school: School) -> None:
    course = school.course()
    courses = [course, *factories.courses_beside(school.database, course, 1)]
    made = [drafted(school, one) for one in courses]
    ids = {}
    for _session, placement_id in made:
        (placement,) = school.rows(tables.Placement, tables.Placement.id == placement_id)
        (version,) = school.rows(
            tables.MicromoduleVersion, tables.MicromoduleVersion.id == placement.micromodule_version_id
        )
        ids[placement_id] = str(version.micromodule_id)
    start = threading.Barrier(2)
    answers: list[str] = []

    def press(number: int) -> None:
        session, placement_id = made[number]
        other = ids[made[1 - number][1]]
        start.wait()
        try:
            save(school, session, placement_id, **completed(2, other))
            answers.append("saved")
        except RequestInvalid as refused:
            answers.append(the_problem(refused).code.value)

    people = [threading.Thread(target=press, args=(number,)) for number in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(answers) == ["asks_in_circle", "saved"]


def test_a_circle_from_before_is_not_published(school: School) -> None:
    course: Course = school.course()
    first = factories.placed(school.database, course, status="draft")
    second = factories.placed(
        school.database, course, criterion=Completed(module_of(school, first), "First"), status="draft"
    )
    asks(school, first.micromodule_version_id, Completed(module_of(school, second), "Second"))
    with pytest.raises(Conflict) as refused:
        publish(school, course, first.placement_id)
    assert refused.value.code is ErrorCode.PATHWAY_CIRCLE
    assert len(refused.value.params["names"]) == 2  # type: ignore[arg-type]
    # What merely needs something of a circle is in none.
    behind = factories.placed(
        school.database, course, criterion=Completed(module_of(school, first), "First"), status="draft"
    )
    assert publish(school, course, behind.placement_id)


def test_a_draft_of_a_former_version_closes_no_circle_either(school: School) -> None:
    """Placed from a page that stood open while the next version was published."""
    one = desk(school)
    other = beside(school, one, Completed(one.micromodule_id, "One"))
    draft = factories.placed(school.database, one.course, status="draft")
    with school.database.write() as session:
        old = tables.MicromoduleVersion(
            organisation_id=one.course.organisation_id,
            micromodule_id=one.micromodule_id,
            number=0,
            name="As it was",
            description="",
            skills=[],
            criteria=dump_criteria(Completed(other.micromodule_id, "Other")),
            created_at=factories.NOW,
        )
        session.add(old)
        session.flush()
        old_id = old.id
    school.change(tables.Placement, tables.Placement.id == draft.placement_id, micromodule_version_id=old_id)
    with pytest.raises(Conflict) as refused:
        publish(school, one.course, draft.placement_id)
    assert refused.value.code is ErrorCode.PATHWAY_CIRCLE


def test_who_may_not_see_a_draft_learns_nothing_of_circles(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    asks(
        small_school,
        placed.micromodule_version_id,
        Completed(module_of(small_school, placed), "Itself"),
    )
    elsewhere = factories.course(small_school.database)
    with pytest.raises(NotFound):
        publish(small_school, elsewhere, placed.placement_id)


def test_a_milestone_over_a_category_whose_badge_asks_for_it_is_refused(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1)
    form = MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
    page = campus.milestones.one(campus.staff, milestone_id)
    badge = page.view.achievement_id
    asks(
        school,
        campus.placed[2].micromodule_version_id,
        AllOf((quiz(), HoldsAchievement(badge, "All of data"))),
    )
    with school.database.read() as reading:
        step, asked = campus.micromodule(0), Completed(campus.micromodule(2), "Two")
        around = [one for one, _name in circle_of(reading, campus.organisation_id, step, asked)]
    assert around == [step, campus.micromodule(2), badge]
    with school.database.write() as session:
        campus.put(session, category_id, 2)
    with pytest.raises(RequestInvalid) as refused:
        campus.activate(milestone_id)
    assert the_problem(refused.value).code is FormProblem.ASKS_IN_CIRCLE
    assert campus.milestones.one(campus.staff, milestone_id).view.status == "draft"


def test_any_five_of_an_organisation_may_come_before_an_advanced_one(small_school: School) -> None:
    campus = Campus(small_school)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="2"))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    with small_school.database.read() as reading:
        asked = HoldsAchievement(badge, "Explorer")
        assert circle_of(reading, campus.organisation_id, campus.micromodule(0), asked) == ()
        every = MicromodulesCompleted("All", 3)
    asks(small_school, campus.placed[0].micromodule_version_id, asked)
    with small_school.database.read() as reading:
        around = circle_of(reading, campus.organisation_id, badge, every)
    assert [one for one, _name in around] == [badge, campus.micromodule(0)]


def test_looking_for_a_circle_costs_the_same_however_much_there_is(small_school: School) -> None:
    one = desk(small_school)
    counts = []
    for _ in range(2):
        for _number in range(4):
            made = beside(small_school, one, Completed(one.micromodule_id, "One"))
            beside(
                small_school,
                one,
                HoldsAchievement(achievement_of(small_school, made.placed.achievement_version_id), "B"),
            )
        with small_school.database.statements() as statements, small_school.database.read() as reading:
            circle_of(reading, one.course.organisation_id, one.micromodule_id, quiz())
        counts.append(len(statements))
    assert counts[0] == counts[1]
