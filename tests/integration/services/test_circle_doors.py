"""Every door at which what steps need may change refuses a circle, names it, and changes nothing.

Criteria that are typed are in ``test_circles``; here are the doors at which nobody types criteria: sorting,
putting aside and taking back, describing something new, copies of courses, the command line.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
)
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.services.administering import Administering
from lti_tool.services.circles import read_graph
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.registration import Registrations
from lti_tool.store import tables
from tests import factories
from tests.integration.services.milestone_campus import Campus, plain
from tests.integration.services.school import School
from tests.integration.services.test_circles import asks, completed, the_problem
from tests.integration.services.test_configuring import configuring, described, teacher
from tests.integration.services.test_copying import Copies
from tests.integration.services.test_versions import Desk, quiz


class Doors:
    """A campus of three micromodules: the third asks for a milestone, the first two do not."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.campus = Campus(school)
        self.administering = Administering(
            school.database, school.clock, Registrations(school.database, school.clock), school.revoking
        )

    @property
    def advanced(self) -> str:
        return self.campus.micromodule(2)

    def milestone(self, form: MilestoneForm) -> str:
        """Its achievement; it is active, and the third micromodule asks for it."""
        milestone_id = self.campus.active(form)
        badge = str(self.campus.milestones.one(self.campus.staff, milestone_id).view.achievement_id)
        asked = AllOf((quiz(), HoldsAchievement(badge, form.name)))
        asks(self.school, self.campus.placed[2].micromodule_version_id, asked)
        return badge

    def over_category(self) -> tuple[str, str]:
        category_id = self.campus.category(0, 1)
        badge = self.milestone(MilestoneForm(kind="learner", name="All of data", category_id=category_id))
        return category_id, badge

    def own(self, criterion: Criterion, name: str = "All that there is") -> str:
        stored = json.dumps(dump_criteria(criterion))
        return self.milestone(MilestoneForm(kind="own", name=name, criteria_json=stored))

    def sort(self, micromodule_id: str, *category_ids: str) -> None:
        self.administering.set_categories(self.campus.staff, micromodule_id, category_ids)

    def archive(self, micromodule_id: str, *, is_archived: bool = True) -> None:
        self.administering.archive_micromodule(self.campus.staff, micromodule_id, is_archived)

    def needs(self) -> Any:
        with self.school.database.read() as session:
            return read_graph(session, self.campus.organisation_id)

    def actions(self) -> list[str]:
        return [row.action for row in self.school.rows(tables.AuditEvent)]


@pytest.fixture
def doors(school: School) -> Doors:
    return Doors(school)


@pytest.fixture
def small_doors(small_school: School) -> Doors:
    return Doors(small_school)


def names(refused: pytest.ExceptionInfo[Conflict]) -> set[object]:
    assert refused.value.code is ErrorCode.PATHWAY_CIRCLE
    found = refused.value.params["names"]
    assert isinstance(found, tuple)
    return set(found)


def test_into_a_category_nobody_sorts_what_asks_for_all_of_it(doors: Doors) -> None:
    category_id, _badge = doors.over_category()
    before, done = doors.needs(), doors.actions()
    with pytest.raises(Conflict) as refused:
        doors.sort(doors.advanced, category_id)
    assert len(names(refused)) == 2
    assert "All of data" in names(refused)
    assert (doors.needs(), doors.actions()) == (before, done), "nothing was changed, or said to be"
    assert not doors.school.rows(
        tables.CategoryChange, tables.CategoryChange.micromodule_id == doors.advanced
    )


def test_out_of_a_category_nobody_takes_what_left_a_choice(doors: Doors) -> None:
    """Two of three: without the second, the third would be needed, which asks for the milestone."""
    category_id = doors.campus.category(0, 1, 2)
    doors.own(MicromodulesCompleted("Data", 2, category_id=category_id), "Two of data")
    with pytest.raises(Conflict) as refused:
        doors.sort(doors.campus.micromodule(1))
    assert "Two of data" in names(refused)


def test_what_was_put_aside_is_not_taken_back_into_a_circle(doors: Doors) -> None:
    category_id = doors.campus.category(0, 1, 2)
    doors.archive(doors.advanced)
    form = MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    doors.milestone(form)
    with pytest.raises(Conflict) as refused:
        doors.archive(doors.advanced, is_archived=False)
    assert "All of data" in names(refused)
    (row,) = doors.school.rows(tables.Micromodule, tables.Micromodule.id == doors.advanced)
    assert row.archived_at is not None
    doors.sort(doors.advanced)
    doors.archive(doors.advanced, is_archived=False)


def test_what_left_a_choice_may_be_put_aside(doors: Doors) -> None:
    """It can be finished where it stands, and counts where so many are asked for, as decisions count it."""
    category_id = doors.campus.category(0, 1, 2)
    doors.own(MicromodulesCompleted("Data", 2, category_id=category_id), "Two of data")
    doors.own(MicromodulesCompleted("All", 2), "Two of all")
    doors.archive(doors.campus.micromodule(0))
    doors.archive(doors.campus.micromodule(1))


def test_a_category_that_is_filled_from_the_command_line_is_looked_at_too(doors: Doors) -> None:
    category_id, _badge = doors.over_category()
    (row,) = doors.school.rows(tables.Category, tables.Category.id == category_id)
    with pytest.raises(Conflict) as refused:
        configuring(doors.school).categorise(
            doors.campus.organisation_id, row.name, [doors.campus.placed[2].micromodule_version_id]
        )
    assert "All of data" in names(refused)


def test_a_new_micromodule_does_not_ask_for_what_asks_for_all_there_are(doors: Doors) -> None:
    """The organisation's whole set has the new one in it from its first day."""
    badge = doors.own(AllOf((MicromodulesCompleted("All", None), Completed(doors.advanced, "Advanced"))))
    asks(doors.school, doors.campus.placed[2].micromodule_version_id, quiz())
    session = teacher(doors.school, doors.campus.courses[0])
    rows = {"criteria-2-kind": "holds", "criteria-2-choice": badge}
    with pytest.raises(RequestInvalid) as refused:
        described(doors.school, session, **rows)
    problem = the_problem(refused.value)
    assert (problem.field, problem.code) == ("criteria", FormProblem.ASKS_IN_CIRCLE)
    assert problem.params["names"] == ("Reading maps", "All that there is")
    assert len(doors.school.rows(tables.Micromodule)) == 3
    described(doors.school, session, **completed(2, doors.advanced))


def test_a_new_milestone_is_asked_for_by_nobody(doors: Doors) -> None:
    category_id, badge = doors.over_category()
    criterion = AllOf((HoldsAchievement(badge, "All of data"), Completed(doors.advanced, "Advanced")))
    form = MilestoneForm(kind="own", name="Top", criteria_json=json.dumps(dump_criteria(criterion)))
    assert doors.campus.active(form)
    assert category_id


def test_a_milestone_that_is_given_own_criteria_is_looked_at(doors: Doors) -> None:
    form = MilestoneForm(name="Explorer", count="2")
    milestone_id = doors.campus.milestones.create(doors.campus.staff, form, plain, "en")
    badge = doors.campus.milestones.one(doors.campus.staff, milestone_id).view.achievement_id
    asks(doors.school, doors.campus.placed[2].micromodule_version_id, HoldsAchievement(badge, "Explorer"))
    own = json.dumps(dump_criteria(Completed(doors.advanced, "Advanced")))
    form = MilestoneForm(kind="own", name="Explorer", criteria_json=own)
    with pytest.raises(RequestInvalid) as refused:
        doors.campus.milestones.change(doors.campus.staff, milestone_id, form, plain, "en")
    assert the_problem(refused.value).code is FormProblem.ASKS_IN_CIRCLE


def test_a_copied_course_needs_what_its_origin_needs(school: School) -> None:
    """A copy has the same micromodules: it adds no step, and no need of one."""
    one = Copies(school)
    factories.placed(school.database, one.course, criterion=Completed(one.placed.placement_id, "Elsewhere"))
    organisation_id = one.course.organisation_id
    with school.database.read() as session:
        before = read_graph(session, organisation_id)
    assert one.note()
    assert before
    with school.database.read() as session:
        assert read_graph(session, organisation_id) == before


def test_deleting_a_category_leaves_no_circle(doors: Doors) -> None:
    category_id, _badge = doors.over_category()
    with pytest.raises(Conflict) as refused:
        doors.administering.delete_category(doors.campus.staff, category_id)
    assert refused.value.code is ErrorCode.CATEGORY_COUNTED


def test_of_sorting_and_publishing_at_once_that_make_a_circle_one_is_refused(school: School) -> None:
    """Each by itself is harmless: the third comes into the category, and begins to ask for the milestone."""
    doors = Doors(school)
    category_id = doors.campus.category(0, 1)
    milestone_id = doors.campus.active(
        MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    )
    badge = doors.campus.milestones.one(doors.campus.staff, milestone_id).view.achievement_id
    line_item_id = doors.campus.placed[2].line_item_id
    school.change(tables.LineItem, tables.LineItem.id == line_item_id, evidence_key="quiz-1")
    third = Desk(school, doors.campus.courses[2], doors.campus.placed[2], doors.advanced)
    asks(school, doors.campus.placed[2].micromodule_version_id, AllOf((quiz(),)))
    third.prepare(third.staff, {"criteria-1-kind": "holds", "criteria-1-choice": badge})
    mark = third.compare(third.staff).mark
    start = threading.Barrier(2)
    answers: list[str] = []

    def sort() -> None:
        start.wait()
        try:
            doors.sort(doors.advanced, category_id)
            answers.append("sorted")
        except Conflict as refused:
            answers.append(refused.code.value)

    def publish() -> None:
        start.wait()
        try:
            third.publish(third.staff, seen=mark)
            answers.append("published")
        except RequestInvalid as refused:
            answers.append(the_problem(refused).code.value)

    people = [threading.Thread(target=each) for each in (sort, publish)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(answers) in (["asks_in_circle", "sorted"], ["pathway_circle", "published"])


def test_sorting_costs_the_same_however_much_there_is(small_doors: Doors) -> None:
    category_id, badge = small_doors.over_category()
    counts = []
    for _ in range(2):
        for _number in range(5):
            asked = HoldsAchievement(badge, "All of data")
            factories.placed(small_doors.school.database, small_doors.campus.courses[0], criterion=asked)
        with small_doors.school.database.statements() as statements:
            small_doors.sort(small_doors.campus.micromodule(0), category_id)
        counts.append(len(statements))
    assert counts[0] == counts[1]
