"""Awarding on real databases: from stored grades to decisions, completions and awards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.awarding import Candidate, Decision, Exclusion, Verdict, decide_award
from lti_tool.domain.criteria import AllOf, Channel, Reason, ScoreAtLeast, State
from lti_tool.services import awarding as awarding_module
from lti_tool.services.awarding import AwardingReport
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.store import results, tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School


def decisions(school: School, placed: Placed) -> dict[str, tables.Decision]:
    """The newest decision about each learner; there may only be one."""
    rows = school.rows(
        tables.Decision, tables.Decision.placement_id == placed.placement_id, tables.Decision.is_latest
    )
    assert len({row.learner_id for row in rows}) == len(rows)
    return {row.learner_id: row for row in rows}


def verdicts(school: School, placed: Placed) -> dict[str, tuple[str, str]]:
    return {id_: (row.verdict, row.state) for id_, row in decisions(school, placed).items()}


def holders(school: School) -> set[str]:
    return {row.learner_id for row in school.rows(tables.Award)}


def decide(school: School, course: Course) -> AwardingReport:
    return school.awarding.decide_context(course.organisation_id, course.context_id)


# -- what is decided, and what is kept of it


def test_who_passed_is_awarded_and_the_decision_is_kept_with_its_evidence(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    passed, failed, ungraded = factories.enrol(school.database, course, 3)
    earlier = NOW - timedelta(days=3)
    factories.grade(school.database, course, placed, [passed], Decimal("80.00000"), earlier)
    factories.grade(school.database, course, placed, [failed], Decimal("79.99999"))

    report = decide(school, course)

    assert (report.decided, report.changed, report.awarded) == (3, 3, 1)
    (award,) = school.rows(tables.Award)
    (completion,) = school.rows(tables.Completion)
    decided = decisions(school, placed)
    assert report.award_ids == (award.id,)
    assert (award.learner_id, award.achievement_version_id) == (passed, placed.achievement_version_id)
    assert (award.met_at, award.awarded_at) == (earlier, NOW)
    assert (completion.learner_id, completion.met_at) == (passed, earlier)
    assert award.decision_id == completion.decision_id == decided[passed].id
    assert award.context_id == completion.context_id == course.context_id
    assert verdicts(school, placed) == {
        passed: ("award", "met"),
        failed: ("not_yet", "not_met"),
        ungraded: ("not_yet", "unknown"),
    }
    assert decided[passed].finding == {"state": "met", "reason": "score_reached", "key": "quiz"}
    assert decided[failed].evidence["scores"]["quiz"]["value"] == "79.99999"


def test_a_stored_decision_can_be_made_again_years_later(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, learners[:1], 100)
    decide(school, course)
    (version,) = school.rows(tables.MicromoduleVersion)
    for row in decisions(school, placed).values():
        again = decide_award(
            parse_criteria(version.criteria),
            Candidate(row.learner_id, parse_evidence(row.evidence)),
            row.decided_at,
        )
        assert (again.verdict, again.state) == (row.verdict, row.state)


@pytest.mark.parametrize(
    "score,maximum,is_awarded",
    [
        ("66.66667", "100", True),
        ("66.66666", "100", False),
        ("6.66667", "10", True),
        ("6.66666667", "10.00000001", False),
        ("0.66666", "1", False),
    ],
)
def test_grades_are_compared_as_the_lms_wrote_them(
    school: School, score: str, maximum: str, is_awarded: bool
) -> None:
    course = school.course()
    placed = factories.placed(
        school.database, course, criterion=ScoreAtLeast("quiz", "Quiz 1", Decimal("66.66667"))
    )
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], Decimal(score))
    school.change(tables.Result, tables.Result.learner_id == learner, maximum=Decimal(maximum))
    assert decide(school, course).awarded == is_awarded


def test_deciding_again_changes_nothing(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, learners[:2], 90)
    decide(school, course)
    before = {row.id for row in school.rows(tables.Decision)}
    for later in (1, 2):
        school.clock.forward(hours=later)
        # The column was read again, to the same grades.
        school.change(tables.Result, read_at=school.clock.now)
        school.change(tables.LineItem, tables.LineItem.tag == "mirror", read_at=school.clock.now)
        assert decide(school, course) == AwardingReport(decided=3)
    assert {row.id for row in school.rows(tables.Decision)} == before
    assert len(school.rows(tables.Award)) == len(school.rows(tables.Completion)) == 2


def test_only_what_changed_is_stored_and_the_history_stays(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, learners, 10)
    decide(school, course)
    school.regrade(placed, learners[0], Decimal(20))
    school.regrade(placed, learners[1], Decimal(95))
    report = decide(school, course)
    assert (report.decided, report.changed, report.awarded) == (3, 2, 1)
    history = school.rows(tables.Decision, tables.Decision.learner_id == learners[1])
    assert sorted((row.verdict, row.is_latest) for row in history) == [("award", True), ("not_yet", False)]
    assert len(school.rows(tables.Decision, tables.Decision.learner_id == learners[2])) == 1


def test_a_grade_that_is_lowered_later_asks_a_person_and_takes_nothing_away(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    decide(school, course)
    for score, verdict in ((Decimal(10), "review"), (None, "held"), (Decimal(0), "review")):
        school.regrade(placed, learner, score)
        assert decide(school, course).awarded == 0
        assert decisions(school, placed)[learner].verdict == verdict
        assert holders(school) == {learner}
        assert len(school.rows(tables.Completion)) == 1


def test_a_micromodule_without_a_badge_records_completions_only(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, has_badge=False)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    assert decide(school, course).award_ids == ()
    assert [row.learner_id for row in school.rows(tables.Completion)] == [learner]
    assert school.rows(tables.Award) == []
    assert decide(school, course).changed == 0
    assert len(school.rows(tables.Completion)) == 1


@pytest.mark.parametrize("status", ["draft", "removed"])
def test_a_placement_that_is_not_active_decides_nothing(school: School, status: str) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, status=status)
    learners = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, learners, 100)
    assert decide(school, course) == AwardingReport()
    assert school.rows(tables.Decision) == []


def test_a_new_version_is_decided_anew_though_the_grades_are_the_same(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    other = factories.placed(school.database, course, status="draft")
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    decide(school, course)
    school.change(
        tables.Placement,
        tables.Placement.id == placed.placement_id,
        micromodule_version_id=other.micromodule_version_id,
    )
    assert decide(school, course).awarded == 1
    assert decisions(school, placed)[learner].micromodule_version_id == other.micromodule_version_id
    assert {row.achievement_version_id for row in school.rows(tables.Award)} == {
        placed.achievement_version_id,
        other.achievement_version_id,
    }


def test_one_micromodule_placed_twice_is_awarded_once(school: School) -> None:
    course = school.course()
    first = factories.placed(school.database, course)
    second = factories.placed(school.database, course)
    school.change(
        tables.Placement,
        tables.Placement.id == second.placement_id,
        micromodule_version_id=first.micromodule_version_id,
    )
    (learner,) = factories.enrol(school.database, course)
    for placed in (first, second):
        factories.grade(school.database, course, placed, [learner], 90)
    assert decide(school, course).awarded == 1
    assert len(school.rows(tables.Award)) == len(school.rows(tables.Completion)) == 1


def test_an_award_that_was_lost_is_made_again_from_the_same_decision(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    decide(school, course)
    with school.database.write() as session:
        session.execute(sa.delete(tables.Award))
    report = decide(school, course)
    assert (report.changed, report.awarded) == (0, 1)
    (award,) = school.rows(tables.Award)
    assert award.decision_id == decisions(school, placed)[learner].id


# -- what is known, and what is not


def column(school: School, **values: Any) -> None:
    school.change(tables.LineItem, tables.LineItem.tag == "mirror", **values)


def reason(school: School, placed: Placed, learner: str) -> str:
    return str(decisions(school, placed)[learner].finding["reason"])


def test_a_column_cut_off_leaves_open_what_a_whole_one_calls_ungraded(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    listed, unlisted = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, [listed], 90)
    for values, expected in (
        ({"read_at": None, "is_complete": False}, Reason.COLUMN_NOT_READ_YET),
        ({"read_at": NOW, "is_complete": False}, Reason.COLUMN_NOT_READ_YET),
        ({"read_at": NOW, "is_complete": True}, Reason.NO_GRADE_YET),
    ):
        column(school, **values)
        decide(school, course)
        assert reason(school, placed, unlisted) == expected
        assert decisions(school, placed)[unlisted].state == State.UNKNOWN
        # What was read before the cut counts.
        assert holders(school) == {listed}


def test_a_criterion_over_two_columns_waits_for_both(school: School) -> None:
    criterion = AllOf(
        (
            ScoreAtLeast("quiz", "Quiz 1", Decimal(50)),
            ScoreAtLeast("essay", "Essay", Decimal(50), channel=Channel.ATTEST),
        )
    )
    course = school.course()
    placed = factories.placed(school.database, course, criterion=criterion)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    assert decide(school, course).awarded == 0
    assert verdicts(school, placed) == {learner: ("not_yet", "unknown")}
    essay = replace(placed, line_item_id=factories.column(school.database, course, placed, "essay"))
    factories.grade(school.database, course, essay, [learner], 50)
    assert decide(school, course).awarded == 1


def test_a_column_that_no_rule_asks_for_is_not_kept_as_evidence(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=ScoreAtLeast("essay", "Essay", Decimal(50)))
    learners = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, learners, 100)
    assert decide(school, course).awarded == 0
    assert decisions(school, placed)[learners[0]].evidence["scores"] == {}


def test_what_the_tool_writes_is_never_evidence(school: School) -> None:
    """Full marks in the award column, however they came there, earn nobody anything."""
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 2)
    award_column = factories.column(
        school.database, course, placed, "", tag="award", id_on_platform=f"{course.platform_issuer}/award"
    )
    factories.grade(school.database, course, replace(placed, line_item_id=award_column), learners, 100)
    with school.database.read() as session:
        # Left out at the source already: no rule can name what is never read.
        read = results.columns_of(session, course.organisation_id, [placed.placement_id])
    assert [column.tag for column in read[placed.placement_id]] == ["mirror"]
    report = decide(school, course)
    assert (report.decided, report.awarded) == (2, 0)
    assert set(verdicts(school, placed).values()) == {("not_yet", "unknown")}
    assert all(row.evidence["scores"] == {} for row in decisions(school, placed).values())


def test_no_row_can_call_an_award_column_by_an_evidence_key(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    for tag, key in (("award", "quiz-2"), ("mirror", "")):
        with pytest.raises(sa.exc.IntegrityError):
            factories.column(school.database, course, placed, key, tag=tag)


# -- who may be awarded


STANDINGS: Mapping[str, tuple[type[tables.Base], dict[str, Any], Exclusion]] = {
    "staff": (tables.Membership, {"is_staff": True}, Exclusion.STAFF),
    "nobody's learner": (tables.Membership, {"is_learner": False}, Exclusion.NOT_A_LEARNER),
    "left": (tables.Membership, {"is_active": False}, Exclusion.LEFT),
    "test user": (tables.Learner, {"is_test_user": True}, Exclusion.TEST_USER),
    "refused": (tables.Membership, {"learner_proof": "refused"}, Exclusion.NOT_A_STUDENT),
}


def test_whom_only_the_roster_calls_a_learner_waits_until_it_is_proved(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (known,) = factories.enrol(school.database, course)
    (listed, refused) = factories.enrol(school.database, course, 2, proof="none")
    factories.grade(school.database, course, placed, [known, listed, refused], 90)
    set_standing(school, refused, tables.Membership, {"learner_proof": "refused"})
    decide(school, course)
    assert holders(school) == {known}
    assert [row.learner_id for row in school.rows(tables.Completion)] == [known]
    assert verdicts(school, placed) == {
        known: ("award", "met"),
        listed: ("unproved", "met"),
        refused: ("excluded", "met"),
    }
    for proof in ("launch", "score", "staff"):
        assert decide(school, course).changed == 0
        set_standing(school, listed, tables.Membership, {"learner_proof": proof})
        decide(school, course)
        assert holders(school) == {known, listed}


def test_a_badge_from_before_the_question_was_asked_stays(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course, proof="none")
    factories.grade(school.database, course, placed, [learner], 90)
    factories.award(school.database, course, placed, learner)
    decide(school, course)
    assert verdicts(school, placed) == {learner: ("held", "met")}


def set_standing(school: School, learner: str, table: type[tables.Base], values: dict[str, Any]) -> None:
    key = tables.Membership.learner_id if table is tables.Membership else tables.Learner.id
    school.change(table, key == learner, **values)


@pytest.mark.parametrize("who", STANDINGS)
def test_some_are_never_awarded(school: School, who: str) -> None:
    table, values, exclusion = STANDINGS[who]
    course = school.course()
    placed = factories.placed(school.database, course)
    learner, classmate = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, [learner, classmate], 100)
    set_standing(school, learner, table, values)
    decide(school, course)
    school.awarding.decide_learner(course.organisation_id, course.context_id, learner)
    assert holders(school) == {classmate}
    assert [row.learner_id for row in school.rows(tables.Completion)] == [classmate]
    assert verdicts(school, placed)[learner] == ("excluded", "met")
    (made,) = school.awarding.preview(course.organisation_id, course.context_id, [learner])
    assert made.decisions[0].exclusion is exclusion


@pytest.mark.parametrize("who", STANDINGS)
def test_who_was_awarded_before_keeps_it(school: School, who: str) -> None:
    table, values, _ = STANDINGS[who]
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 100)
    decide(school, course)
    set_standing(school, learner, table, values)
    decide(school, course)
    assert holders(school) == {learner}
    assert verdicts(school, placed)[learner] == ("held", "met")


def test_staff_who_also_learn_are_staff(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 100)
    set_standing(school, learner, tables.Membership, {"is_staff": True, "is_learner": True})
    assert decide(school, course).awarded == 0


# -- whose course it is


def test_another_organisation_reaches_nothing(school: School) -> None:
    ours, theirs = school.course(), school.course()
    placed = {}
    learners = {}
    for course in (ours, theirs):
        placed[course] = factories.placed(school.database, course)
        learners[course] = factories.enrol(school.database, course)
        factories.grade(school.database, course, placed[course], learners[course], 100)
    nothing = AwardingReport()
    assert school.awarding.decide_context(theirs.organisation_id, ours.context_id) == nothing
    assert school.awarding.decide_context(ours.organisation_id, theirs.context_id) == nothing
    for organisation, context, learner in (
        (ours.organisation_id, ours.context_id, learners[theirs][0]),
        (ours.organisation_id, theirs.context_id, learners[theirs][0]),
        (theirs.organisation_id, ours.context_id, learners[ours][0]),
    ):
        assert school.awarding.decide_learner(organisation, context, learner) == nothing
        assert all(not made.decisions for made in school.awarding.preview(organisation, context, [learner]))
    assert school.rows(tables.Decision) == school.rows(tables.Award) == []
    decide(school, ours)
    assert holders(school) == set(learners[ours])


def test_a_grade_that_crossed_into_another_organisation_is_not_read(school: School) -> None:
    ours, theirs = school.course(), school.course()
    placed = factories.placed(school.database, ours)
    (learner,) = factories.enrol(school.database, ours)
    factories.grade(school.database, ours, placed, [learner], 100)
    school.change(tables.Result, organisation_id=theirs.organisation_id)
    assert decide(school, ours).awarded == 0


def test_one_learner_is_decided_without_the_others(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    one, other = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, [one, other], 100)
    report = school.awarding.decide_learner(course.organisation_id, course.context_id, one)
    assert (report.decided, report.awarded) == (1, 1)
    assert set(decisions(school, placed)) == holders(school) == {one}


def test_a_dry_run_says_what_would_be_and_writes_nothing(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, learners[:1], 100)
    (made,) = school.awarding.dry_run(course.organisation_id, course.context_id)
    assert {one.learner_id: one.verdict for one in made.decisions} == {
        learners[0]: Verdict.AWARD,
        learners[1]: Verdict.NOT_YET,
    }
    for table in (tables.Decision, tables.Award, tables.Completion):
        assert school.rows(table) == []


# -- at any size, and at once


def statements(school: School, act: Callable[[], object]) -> int:
    with school.database.statements() as seen:
        act()
    return len([statement for statement in seen if not statement.startswith(("BEGIN", "PRAGMA"))])


def test_a_large_course_costs_as_many_queries_as_a_small_one(school: School) -> None:
    counted: dict[int, list[int]] = {}
    for size in (10, 500):
        course = school.course()
        placed = factories.placed(school.database, course)
        learners = factories.enrol(school.database, course, size)
        factories.grade(school.database, course, placed, learners[: size // 2], 90)
        one = (course.organisation_id, course.context_id, learners[-1])
        counted[size] = [
            statements(school, lambda course=course: decide(school, course)),
            statements(school, lambda course=course: decide(school, course)),
            statements(school, lambda one=one: school.awarding.decide_learner(*one)),
            statements(
                school,
                lambda course=course: list(
                    school.awarding.dry_run(course.organisation_id, course.context_id)
                ),
            ),
        ]
        assert len(holders(school)) >= size // 2
    # PostgreSQL takes completions and awards of a large course through a temporary table each.
    assert counted[500][0] <= counted[10][0] + 6
    assert counted[500][1:] == counted[10][1:]
    assert min(counted[10]) >= 3, "a pass that asks nothing was not made"
    assert max(counted[500]) <= 22


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Runs two passes that both have read before either writes."""
    read = threading.Barrier(2, timeout=100)
    really = awarding_module.decide_awards

    def decide_and_wait(*arguments: Any) -> tuple[Decision, ...]:
        made = really(*arguments)
        read.wait()
        return made

    def run(*acts: Callable[[], Any]) -> list[Any]:
        with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
            patched.setattr(awarding_module, "decide_awards", decide_and_wait)
            return [future.result() for future in [pool.submit(act) for act in acts]]

    return run


def test_two_passes_at_once_award_once(school: School, at_once: Callable[..., list[Any]]) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 100)
    factories.grade(school.database, course, placed, learners, 90)
    reports = at_once(lambda: decide(school, course), lambda: decide(school, course))
    assert sum(report.awarded for report in reports) == len(learners)
    award_ids = [id_ for report in reports for id_ in report.award_ids]
    assert sorted(award_ids) == sorted(row.id for row in school.rows(tables.Award))
    assert holders(school) == set(learners)
    assert len(school.rows(tables.Completion)) == len(learners)
    # One of them decided; the other found that nothing was left to say.
    assert len(decisions(school, placed)) == len(school.rows(tables.Decision)) == len(learners)


def test_a_visit_during_a_sync_leaves_one_newest_decision(
    school: School, at_once: Callable[..., list[Any]]
) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, learners, 10)
    decide(school, course)
    school.regrade(placed, learners[0], Decimal(95))
    at_once(
        lambda: decide(school, course),
        lambda: school.awarding.decide_learner(course.organisation_id, course.context_id, learners[0]),
    )
    assert verdicts(school, placed)[learners[0]] == ("award", "met")
    assert len(school.rows(tables.Decision, tables.Decision.learner_id == learners[0])) == 2
    (award,) = school.rows(tables.Award)
    assert award.decision_id == decisions(school, placed)[learners[0]].id
