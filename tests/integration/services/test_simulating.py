"""What would happen: counted as an award would be, with nothing written; and who may look."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti_tool.domain.awarding import Exclusion
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Channel,
    Criterion,
    GatePassed,
    ScoreAtLeast,
)
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.evidence_channels import ChannelState
from lti_tool.services.launching import SessionView
from lti_tool.services.simulating import Outcome, Simulating, SimulationView
from lti_tool.store import runs, tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School, session_of

QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR)


def teacher(course: Course, **changes: Any) -> SessionView:
    return session_of(
        course, "0" * 32, **{"can_view_progress": True, "can_configure": True, "is_learner": False, **changes}
    )


def simulate(
    school: School, course: Course, placement_id: str, shown: int = 10, **changes: Any
) -> SimulationView:
    service = Simulating(school.database, school.awarding)
    return service.placement(teacher(course, **changes), placement_id, shown=shown)


def numbers(view: SimulationView) -> dict[str, int]:
    return {group.outcome.value: group.count for group in view.groups}


def test_everybody_is_counted_once_and_staff_apart(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, status="draft")
    earns, has, below, unknown, staff, left = factories.enrol(school.database, course, 6)
    (waits,) = factories.enrol(school.database, course, proof="none")
    factories.grade(school.database, course, placed, [earns, has, waits, staff, left], 90)
    factories.grade(school.database, course, placed, [below], 10)
    factories.award(school.database, course, placed, has)
    school.change(tables.Membership, tables.Membership.learner_id == staff, is_staff=True)
    school.change(tables.Membership, tables.Membership.learner_id == left, is_active=False)
    school.change(tables.Context, tables.Context.id == course.context_id, roster_read_at=NOW)

    view = simulate(school, course, placed.placement_id)
    assert numbers(view) == {"earns": 1, "waits": 1, "has": 1, "not_yet": 1, "no_data": 1, "revoked": 0}
    assert (view.earns, view.learners, view.status) == (1, 5, "draft")
    assert view.not_counted == {Exclusion.STAFF: 1, Exclusion.LEFT: 1}
    named = {group.outcome: [one.learner_id for one in group.named] for group in view.groups}
    assert named[Outcome.EARNS] == [earns]
    assert named[Outcome.NOT_YET] == [below]
    assert named[Outcome.NO_DATA] == [unknown]
    (criterion,) = view.criteria
    assert (criterion.met, criterion.not_met, criterion.unknown) == (3, 1, 1)


def test_nothing_is_written(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    factories.grade(
        small_school.database, course, placed, factories.enrol(small_school.database, course, 3), 90
    )
    assert simulate(small_school, course, placed.placement_id).earns == 3
    for table in (tables.Decision, tables.Award, tables.Completion, tables.AuditEvent):
        assert small_school.rows(table) == []


@pytest.mark.parametrize("status", ["draft", "active"])
def test_what_is_counted_is_what_is_then_awarded(school: School, status: str) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, status=status)
    people = factories.enrol(school.database, course, 9)
    for number, learner in enumerate(people):
        factories.grade(school.database, course, placed, [learner], number * 12)
    view = simulate(school, course, placed.placement_id)
    school.change(tables.Placement, tables.Placement.id == placed.placement_id, status="active")
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert report.awarded == view.earns == 2
    again = simulate(school, course, placed.placement_id)
    assert numbers(again) == {**numbers(view), "earns": 0, "has": 2}


trees = st.recursive(
    st.sampled_from([QUIZ, GatePassed("gate", "Forum"), Attested("lab", "Lab")]),
    lambda parts: st.one_of(
        st.builds(AllOf, st.lists(parts, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(parts, min_size=1, max_size=3).map(tuple)),
        st.builds(AtLeast, st.integers(1, 2), st.lists(parts, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
people_facts = st.lists(
    st.tuples(
        st.sampled_from([None, 10, 90]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["none", "launch", "refused"]),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees, people=people_facts, gate_state=st.sampled_from(["open", "confirmed"]))
def test_whatever_the_criteria_and_facts_what_is_counted_is_what_is_awarded(
    small_school: School, tree: Criterion, people: list[tuple[Any, ...]], gate_state: str
) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course, criterion=tree, status="draft")
    gate_id = factories.gate(school.database, course, placed, "gate", state=gate_state)
    for score, passes, attested, proof, is_staff in people:
        (learner,) = factories.enrol(school.database, course, proof=proof)
        if score is not None:
            factories.grade(school.database, course, placed, [learner], score)
        if passes:
            factories.gate_pass(school.database, course, gate_id, learner)
        if attested:
            factories.attestation(school.database, course, placed, "lab", learner)
        if is_staff:
            school.change(tables.Membership, tables.Membership.learner_id == learner, is_staff=True)
    view = simulate(school, course, placed.placement_id)
    school.change(tables.Placement, tables.Placement.id == placed.placement_id, status="active")
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert report.awarded == view.earns
    assert view.learners + sum(view.not_counted.values()) == len(people)
    awarded = {
        row.learner_id for row in school.rows(tables.Award, tables.Award.context_id == course.context_id)
    }
    (earning,) = (group for group in view.groups if group.outcome is Outcome.EARNS)
    assert {one.learner_id for one in earning.named} == awarded
    assert sum(group.count for group in view.groups) == view.learners


def test_of_many_some_are_named_those_that_lack_least_first(small_school: School) -> None:
    course = small_school.course()
    tree = AllOf((QUIZ, Attested("lab", "Lab")))
    placed = factories.placed(small_school.database, course, criterion=tree, status="draft")
    people = factories.enrol(small_school.database, course, 30)
    factories.grade(small_school.database, course, placed, people, 10)
    nearest = people[17]
    small_school.regrade(placed, nearest, 90)
    view = simulate(small_school, course, placed.placement_id, shown=4)
    group = next(one for one in view.groups if one.outcome is Outcome.NOT_YET)
    assert (group.count, len(group.named), group.more) == (30, 4, 26)
    assert group.named[0].learner_id == nearest
    assert [one.name for one in group.named[1:]] == sorted(one.name or "" for one in group.named[1:])


def test_what_cannot_be_known_yet_is_named_with_its_reason(small_school: School) -> None:
    school = small_school
    course = school.course()
    tree = AllOf((QUIZ, GatePassed("gate", "Forum"), Attested("lab", "Lab")))
    placed = factories.placed(school.database, course, criterion=tree, status="draft")
    factories.enrol(school.database, course, 2)
    view = simulate(school, course, placed.placement_id)
    assert [(one.channel.label, one.channel.state) for one in view.blind] == [
        ("Quiz 1", ChannelState.UNREAD),
        ("Forum", ChannelState.GATE_MISSING),
    ]
    gate_id = factories.gate(school.database, course, placed, "gate", state="open")
    view = simulate(school, course, placed.placement_id)
    assert [one.channel.state for one in view.blind] == [ChannelState.UNREAD, ChannelState.GATE_OPEN]
    assert view.blind[1].channel.gate_id == gate_id


def test_a_course_that_was_never_read_says_so_and_whether_it_is_being_read(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    view = simulate(small_school, course, placed.placement_id)
    assert (view.roster_read_at, view.learners, view.is_reading) == (None, 0, False)
    with small_school.database.write() as session:
        runs.open_run(session, course.organisation_id, course.context_id, NOW)
    assert simulate(small_school, course, placed.placement_id).is_reading


def test_criteria_that_nobody_saved_are_tried_on_what_was_read(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    people = factories.enrol(school.database, course, 3)
    for number, learner in enumerate(people):
        factories.grade(school.database, course, placed, [learner], 50 + number * 10)
    service = Simulating(school.database, school.awarding)

    def earns(criterion: Criterion) -> int:
        return service.criterion(teacher(course), criterion).earns

    assert earns(ScoreAtLeast("quiz", "Quiz 1", Decimal(60))) == 2
    assert earns(ScoreAtLeast("quiz", "Quiz 1", Decimal(70))) == 1
    unknown = service.criterion(teacher(course), ScoreAtLeast("other", "Other", Decimal(1)))
    assert (unknown.placement_id, unknown.earns, unknown.number_of("no_data")) == (None, 0, 3)
    assert [one.channel.state for one in unknown.blind] == [ChannelState.NOT_CREATED]


@pytest.mark.parametrize(
    "changes",
    [{"can_view_progress": False, "can_configure": False, "is_learner": True}, {"can_view_progress": False}],
)
def test_who_may_not_see_progress_sees_no_simulation(small_school: School, changes: dict[str, Any]) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    with pytest.raises(NotAllowed):
        simulate(small_school, course, placed.placement_id, **changes)
    with pytest.raises(NotAllowed):
        Simulating(small_school.database, small_school.awarding).criterion(teacher(course, **changes), QUIZ)


@pytest.mark.parametrize("changes", [{"can_configure": False}, {"is_read_only": True}])
def test_who_may_only_look_tries_no_criteria_of_their_own(
    small_school: School, changes: dict[str, Any]
) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    assert simulate(small_school, course, placed.placement_id, **changes).learners == 0
    with pytest.raises(NotAllowed):
        Simulating(small_school.database, small_school.awarding).criterion(teacher(course, **changes), QUIZ)


def test_another_course_s_placement_is_not_found(school: School) -> None:
    course, stranger = school.course(), school.course()
    (neighbour,) = factories.courses_beside(school.database, course, 1)
    placed = factories.placed(school.database, course)
    removed = factories.placed(school.database, course, status="removed")
    for of_whom, placement_id in (
        (stranger, placed.placement_id),
        (neighbour, placed.placement_id),
        (course, removed.placement_id),
        (course, "' OR 1=1 --"),
    ):
        with pytest.raises(NotFound) as refused:
            simulate(school, of_whom, placement_id)
        assert refused.value.code is ErrorCode.PLACEMENT_NOT_FOUND


def test_a_simulation_of_many_asks_no_more_than_one_of_few(school: School) -> None:
    counted = []
    for size in (5, 400):
        course = school.course()
        placed = factories.placed(school.database, course, status="draft")
        people = factories.enrol(school.database, course, size)
        factories.grade(school.database, course, placed, people, 90)
        with school.database.statements() as statements:
            assert simulate(school, course, placed.placement_id).earns == size
        counted.append(len(statements))
    assert counted[0] == counted[1]


def test_a_date_in_the_future_is_none_of_the_simulation_s(small_school: School) -> None:
    """A platform whose clock is ahead: who would earn it would earn it now."""
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    (learner,) = factories.enrol(small_school.database, course)
    factories.grade(small_school.database, course, placed, [learner], 90)
    with small_school.database.write() as session:
        session.execute(sa.update(tables.Result).values(graded_at=NOW + timedelta(days=9)))
    (group,) = [one for one in simulate(small_school, course, placed.placement_id).groups if one.count]
    assert group.named[0].met_at == NOW
