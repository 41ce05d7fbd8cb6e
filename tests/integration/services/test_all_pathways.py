"""All of an organisation that asks for something or is asked for, as its staff sees it, on both databases."""

from __future__ import annotations

import pytest

from lti_tool.domain.criteria import AllOf, AnyOf, Completed, HoldsAchievement, MicromodulesCompleted
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.pathways import SHOWN, PathwayPage, Pathways
from lti_tool.services.staffing import Operator
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.milestone_campus import Campus, office
from tests.integration.services.school import School
from tests.integration.services.test_circles import achievement_of, module_of
from tests.integration.services.test_versions import quiz

ANSWERED_BY = 16
"""Statements of the page at most, with those that begin."""


class Refusing(Operator):
    """Somebody who may not look."""

    def require(self, permission: object) -> None:
        raise NotAllowed(ErrorCode.STAFF_NOT_ALLOWED)


def everything(school: School, course: Course, **asked: object) -> PathwayPage:
    staff = Operator(course.organisation_id)
    return Pathways(school.database, school.clock).every(staff, **asked)  # type: ignore[arg-type]


def after(school: School, course: Course, *before: Placed, **changes: str) -> Placed:
    """A badge that asks for these to be finished."""
    asked = tuple(Completed(module_of(school, one), "asked for") for one in before)
    return factories.placed(school.database, course, criterion=AllOf((quiz(), *asked)), **changes)


def said(page: PathwayPage) -> list[dict[str, list[str | None]]]:
    """What each pathway's steps ask for."""
    return [
        {step.row.step: [need.step for need in step.needs] for step in one.steps} for one in page.pathways
    ]


def test_what_hangs_together_stands_together_and_what_asks_for_nothing_does_not(school: School) -> None:
    course = school.course()
    first, lonely = (factories.placed(school.database, course) for _ in range(2))
    middle = after(school, course, first)
    badge = HoldsAchievement(achievement_of(school, middle.achievement_version_id), "Middle")
    last = factories.placed(school.database, course, criterion=AnyOf((quiz(), badge)))
    other = factories.placed(school.database, course, has_badge=False)
    goal = after(school, course, other, status="draft")
    one, two, three, alone, other_id, goal_id = (
        module_of(school, each) for each in (first, middle, last, lonely, other, goal)
    )
    page = everything(school, course)
    assert sorted(said(page), key=len) == [
        {other_id: [], goal_id: [other_id]},
        {one: [], two: [one], three: [two]},
    ]
    assert (page.total, page.steps, page.number, page.pages) == (2, 5, 1, 1)
    assert alone not in page.kept
    assert page.kept[goal_id].status == "draft"
    assert page.kept[three].status == "active"
    (chain,) = [each for each in page.pathways if each.total == 3]
    assert [row.step for row in chain.ends] == [three]
    assert [step.level for step in chain.steps] == [0, 1, 2]
    assert [row.step for row in page.opens[one]] == [two]
    assert three not in page.opens
    (need,) = chain.steps[-1].needs
    assert need.is_badge
    assert not need.is_required


def test_milestones_and_sets_are_on_it_with_what_they_count(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1)
    whole = campus.active(MilestoneForm(kind="learner", name="All of data", category_id=category_id))
    counted = campus.active(MilestoneForm(name="Explorer", count="2"))
    badge = {id_: campus.milestones.one(campus.staff, id_).view.achievement_id for id_ in (whole, counted)}
    page = everything(school, campus.courses[0])
    steps = {step.row.step: step for one in page.pathways for step in one.steps}
    # All of the category are steps of the way; of any two of the organisation none is one by itself.
    assert set(steps) == {*badge.values(), campus.micromodule(0), campus.micromodule(1)}
    assert {need.step for need in steps[badge[whole]].needs} == {campus.micromodule(0), campus.micromodule(1)}
    (need,) = steps[badge[counted]].needs
    assert (need.is_set, need.least, need.among) == (True, 2, 3)
    assert {row.step for row in need.of} == {campus.micromodule(number) for number in range(3)}
    assert page.kept[badge[whole]].milestone_id == whole
    assert page.kept[campus.micromodule(0)].milestone_id is None
    # Around one that is counted is what counts it, too.
    around = everything(school, campus.courses[0], around=campus.micromodule(2))
    assert around.around is not None
    assert [step.row.step for one in around.pathways for step in one.steps] == [badge[counted]]


def test_what_is_retired_put_aside_or_in_no_course_is_marked(school: School) -> None:
    campus = Campus(school)
    course, staff = campus.courses[0], campus.staff
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="2"))
    step = campus.milestones.one(staff, milestone_id).view.achievement_id
    away, aside = (factories.placed(school.database, course) for _ in range(2))
    held = HoldsAchievement(step, "Explorer")
    goal = factories.placed(
        school.database,
        course,
        criterion=AllOf((held, *(Completed(module_of(school, one), "asked for") for one in (away, aside)))),
    )
    school.change(tables.Placement, tables.Placement.id == away.placement_id, status="removed")
    office(school).archive_micromodule(staff, module_of(school, aside), True)
    table = tables.Milestone
    school.change(table, table.id == milestone_id, status="retired", retired_at=NOW)
    page = everything(school, course)
    assert {key: one.status for key, one in page.kept.items()} == {
        step: "retired",
        module_of(school, away): "away",
        module_of(school, aside): "archived",
        module_of(school, goal): "active",
    }
    (pathway,) = page.pathways
    # Retired, it asks for nothing any more.
    assert not next(one for one in pathway.steps if one.row.step == step).needs


def test_holders_are_counted_once_in_any_version(school: School) -> None:
    course = school.course()
    first = factories.placed(school.database, course)
    goal = after(school, course, first)
    learners = factories.enrol(school.database, course, 3)
    for learner_id in learners:
        school.issued(course, first, learner_id)
    page = everything(school, course)
    assert page.kept[module_of(school, first)].holders == 3
    assert page.kept[module_of(school, goal)].holders == 0


def test_nothing_of_another_organisation_is_on_it(school: School) -> None:
    ours, theirs = school.course(), school.course()
    foreign = factories.placed(school.database, theirs)
    after(school, theirs, foreign)
    held = HoldsAchievement(achievement_of(school, foreign.achievement_version_id), "Of somebody else")
    # Ids in criteria are text: also a set may name anything.
    named = MicromodulesCompleted("Theirs", 1, (module_of(school, foreign),))
    asks = Completed(module_of(school, foreign), "Theirs")
    own = factories.placed(school.database, ours, criterion=AllOf((held, named, asks, quiz())))
    page = everything(school, ours)
    (pathway,) = page.pathways
    (step,) = pathway.steps
    assert step.row.step == module_of(school, own)
    assert [(need.step, need.of) for need in step.needs] == [(None, ())] * len(step.needs)
    assert set(page.kept) == {module_of(school, own)}
    with pytest.raises(NotFound):
        everything(school, ours, around=module_of(school, foreign))
    with pytest.raises(NotAllowed):
        Pathways(school.database, school.clock).every(Refusing(ours.organisation_id))


def test_what_no_page_has_room_for_is_leafed_through_and_nothing_is_lost(small_school: School) -> None:
    school = small_school
    course = school.course()
    first = factories.placed(school.database, course)
    wide = [after(school, course, first) for _ in range(SHOWN + 20)]
    for _ in range(3):
        after(school, course, factories.placed(school.database, course))
    pages = [everything(school, course, page=number) for number in (1, 2, 3, 99)]
    assert pages[0].pages == 2
    assert pages[3] == pages[2] == pages[1]
    seen = [step.row.step for page in pages[:2] for one in page.pathways for step in one.steps]
    assert len(seen) == len(set(seen)) == pages[0].steps == SHOWN + 20 + 1 + 6
    assert all(sum(len(one.steps) for one in page.pathways) <= SHOWN for page in pages)
    parts = [one for page in pages[:2] for one in page.pathways if one.total == len(wide) + 1]
    assert [(one.first, len(one.steps)) for one in parts] == [(1, SHOWN), (SHOWN + 1, 21)]


def test_the_page_asks_the_same_number_of_questions_however_much_there_is(small_school: School) -> None:
    counts = []
    for size in (1, 40):
        campus = Campus(small_school)
        course = campus.courses[0]
        campus.active(MilestoneForm(name="Explorer", count="2"))
        category_id = campus.category(0, 1)
        campus.active(MilestoneForm(kind="learner", name="All", category_id=category_id))
        for _ in range(size):
            first = factories.placed(small_school.database, course)
            held = HoldsAchievement(achievement_of(small_school, first.achievement_version_id), "First")
            factories.placed(small_school.database, course, criterion=AllOf((quiz(), held)))
            after(small_school, course, first)
        with small_school.database.statements() as statements:
            page = everything(small_school, course)
        assert page.total == size + 2
        counts.append(len(statements))
    assert counts[0] == counts[1] <= ANSWERED_BY
