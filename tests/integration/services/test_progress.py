"""The instructor's page: who is how far, page by page, and how each column is doing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import AllOf, Attested, EvidenceAccepted, GatePassed, ScoreAtLeast
from lti_tool.domain.gates import GateState
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.progress import CourseProgress, CourseProgressView
from lti_tool.store import runs, tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School, session_of


def view(
    school: School, course: Course, page: int = 1, per_page: int = 50, **changes: Any
) -> CourseProgressView:
    session = session_of(course, "0" * 32, **{"can_view_progress": True, "can_configure": True, **changes})
    return CourseProgress(school.database, school.awarding, school.ages).view(
        session, page=page, per_page=per_page
    )


def test_everybody_is_counted_and_listed_with_their_reasons(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    earned, below, ungraded, reviewed = factories.enrol(school.database, course, 4)
    factories.grade(school.database, course, placed, [earned, reviewed], 90)
    factories.grade(school.database, course, placed, [below], 10)
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    school.issuing.issue_for(report.award_ids[:1])
    school.regrade(placed, reviewed, 10)
    school.awarding.decide_context(course.organisation_id, course.context_id)

    (shown,) = view(school, course).placements
    assert shown.counts == {
        "learners": 4,
        "earned": 2,
        "revoked": 0,
        "waiting": 0,
        "review": 1,
        "not_met": 1,
        "unknown": 1,
        "undecided": 0,
    }
    rows = {row.learner_id: row for row in shown.rows}
    assert {id_: row.verdict for id_, row in rows.items()} == {
        earned: Verdict.HELD,
        below: Verdict.NOT_YET,
        ungraded: Verdict.NOT_YET,
        reviewed: Verdict.REVIEW,
    }
    assert sum(row.credential_id is not None for row in rows.values()) == 1
    assert rows[earned].awarded_at == rows[reviewed].awarded_at == NOW
    assert rows[below].awarded_at is None


def test_who_does_not_take_part_is_neither_counted_nor_listed(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learner, staff, left, tester, listener = factories.enrol(school.database, course, 5)
    factories.grade(school.database, course, placed, [learner, staff, left, tester, listener], 90)
    for person, values in (
        (staff, {"is_staff": True}),
        (left, {"is_active": False}),
        (listener, {"is_learner": False}),
    ):
        school.change(tables.Membership, tables.Membership.learner_id == person, **values)
    school.change(tables.Learner, tables.Learner.id == tester, is_test_user=True)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    shown = view(school, course)
    assert shown.learners == 1
    assert [row.learner_id for row in shown.placements[0].rows] == [learner]
    assert shown.placements[0].counts["earned"] == shown.placements[0].counts["learners"] == 1


def test_learners_nobody_decided_about_yet_are_counted_as_such(small_school: School) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    factories.enrol(small_school.database, course, 3)
    counts = view(small_school, course, per_page=2).placements[0].counts
    assert (counts["unknown"], counts["undecided"]) == (2, 1)


def test_figures_count_what_the_rows_say_before_anything_is_decided(school: School) -> None:
    """A poll has read grades; the decision over them is a job that comes later."""
    course = school.course()
    placed = factories.placed(school.database, course)
    above, below, _ungraded = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, [above], 90)
    factories.grade(school.database, course, placed, [below], 10)
    (shown,) = view(school, course).placements
    verdicts = sorted(row.verdict for row in shown.rows)
    assert verdicts == sorted([Verdict.AWARD, Verdict.NOT_YET, Verdict.NOT_YET])
    assert (shown.counts["earned"], shown.counts["not_met"], shown.counts["unknown"]) == (1, 1, 1)
    assert shown.counts["undecided"] == 0


def test_figures_follow_the_rows_where_grades_changed_since_the_decision(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 4)
    factories.grade(school.database, course, placed, learners, 10)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    listed = [row.learner_id for row in view(school, course).placements[0].rows]
    school.regrade(placed, listed[0], 90)
    counts = view(school, course, per_page=2).placements[0].counts
    assert (counts["earned"], counts["not_met"]) == (1, 3)


@pytest.mark.parametrize("page", [1, 2])
def test_a_revoked_badge_is_counted_apart_on_whatever_page_it_is(school: School, page: int) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, learners, 90)
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    school.issuing.issue_for(report.award_ids)
    first = view(school, course).placements[0].rows[0]
    assert first.credential_id is not None
    school.revoking.revoke(first.credential_id, "Mistake", "cli")
    (shown,) = view(school, course, page, 2).placements
    counts = shown.counts
    assert [counts[name] for name in ("learners", "earned", "revoked", "undecided")] == [3, 2, 1, 0]
    assert any(row.is_revoked for row in shown.rows) is (page == 1)


def test_pages_hold_everybody_once_by_name(small_school: School) -> None:
    school = small_school
    course = school.course()
    factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 7)
    for learner, name in zip(learners, ["eve", "Ada", None, "ben", "Cleo", "Ada", "dan"], strict=True):
        school.change(tables.Learner, tables.Learner.id == learner, name=name)
    pages = [view(school, course, page, 3) for page in (1, 2, 3)]
    assert [(one.page, one.pages, one.learners) for one in pages] == [(1, 3, 7), (2, 3, 7), (3, 3, 7)]
    listed = [row for one in pages for row in one.placements[0].rows]
    assert sorted(row.learner_id for row in listed) == sorted(learners)
    names = [row.name for row in listed if row.name]
    assert names == ["Ada", "Ada", "ben", "Cleo", "dan", "eve"]


@pytest.mark.parametrize("asked,given", [(0, 1), (-5, 1), (99, 2), (10**9, 2), (2, 2)])
def test_a_page_that_does_not_exist_is_the_nearest(small_school: School, asked: int, given: int) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    factories.enrol(small_school.database, course, 4)
    assert view(small_school, course, asked, 3).page == given


def test_an_empty_course_has_a_page(small_school: School) -> None:
    shown = view(small_school, small_school.course())
    assert (shown.placements, shown.page, shown.pages, shown.learners) == ((), 1, 1, 0)
    assert shown.roster_read_at is None
    assert not shown.roster_is_complete


@pytest.mark.parametrize(
    "values,state",
    [
        ({"id_on_platform": None}, "not_created"),
        ({}, "waiting"),
        ({"first_value_at": NOW, "read_at": NOW, "is_complete": True}, "values"),
        ({"first_value_at": NOW, "trouble": "platform_busy"}, "trouble"),
        ({"id_on_platform": None, "trouble": "platform_refused"}, "not_created"),
    ],
)
def test_each_column_says_how_it_is_doing(small_school: School, values: dict[str, Any], state: str) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    (context,) = small_school.rows(tables.Context)
    address = f"/mod/lti/services.php/{context.id_on_platform}/lineitems/7/lineitem?type_id=1"
    url = f"{course.platform_issuer}{address}"
    small_school.change(tables.LineItem, **{"id_on_platform": url, **values})
    (column,) = view(small_school, course).placements[0].columns
    assert column.state == state
    assert column.trouble == (ErrorCode(values["trouble"]) if "trouble" in values else None)
    assert column.formula_example
    assert (column.guidance is None) is (state == "not_created")


def test_a_column_is_called_and_filled_as_its_assessment(small_school: School) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    small_school.change(tables.LineItem, label="Quiz 1 · A badge of any name")
    (column,) = view(small_school, course).placements[0].columns
    assert (column.label, column.formula_example) == ("Quiz 1", "=[[quiz1]]")


@pytest.mark.parametrize("label", ["测验", "!!!", "[[x]]", "😀", "a\nb", " "])
def test_a_column_of_any_name_has_a_page(small_school: School, label: str) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    small_school.change(tables.LineItem, label=label, evidence_key="of-an-older-version")
    (column,) = view(small_school, course).placements[0].columns
    assert column.label == label


def test_the_newest_sync_is_shown(small_school: School) -> None:
    course = small_school.course()
    assert view(small_school, course).run is None
    with small_school.database.write() as session:
        runs.open_run(session, course.organisation_id, course.context_id, NOW)
    run = view(small_school, course).run
    assert run is not None
    assert run.status == "waiting"


def test_only_who_may_see_progress_sees_it(small_school: School) -> None:
    course = small_school.course()
    with pytest.raises(NotAllowed):
        view(small_school, course, can_view_progress=False)
    with pytest.raises(NotFound):
        view(small_school, course, context_id=None)


def test_another_organisations_course_does_not_exist(school: School) -> None:
    ours, theirs = school.course(), school.course()
    with pytest.raises(NotFound) as refused:
        view(school, ours, context_id=theirs.context_id)
    assert refused.value.code is ErrorCode.CONTEXT_NOT_FOUND


def test_a_page_of_a_large_course_costs_what_a_small_one_does(small_school: School) -> None:
    counted = []
    for size in (5, 120):
        course = small_school.course()
        placed = factories.placed(small_school.database, course)
        learners = factories.enrol(small_school.database, course, size)
        factories.grade(small_school.database, course, placed, learners, 90)
        small_school.awarding.decide_context(course.organisation_id, course.context_id)
        with small_school.database.statements() as seen:
            view(small_school, course, per_page=50)
        counted.append(len(seen))
    assert counted[0] == counted[1]


GATE = GatePassed("forum", "Forum")
TALK = Attested("talk", "Talk")
REPORT = EvidenceAccepted("report", "Report")
QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80))


def test_a_draft_is_shown_with_its_gates_its_confirmations_and_what_waits(school: School) -> None:
    database, course = school.database, school.course()
    draft = factories.placed(database, course, criterion=AllOf((QUIZ, GATE, TALK, REPORT)), status="draft")
    *learners, colleague = factories.enrol(database, course, 4)
    school.change(tables.Membership, tables.Membership.learner_id == colleague, is_staff=True)
    factories.gate(database, course, draft, "forum", state="open", listed=2, learners=3)
    factories.attestation(database, course, draft, "talk", learners[0])
    factories.attestation(database, course, draft, "talk", learners[1], is_attested=False)
    factories.attestation(database, course, draft, "talk", colleague)
    factories.submission(database, course, draft, "report", learners[0])
    factories.submission(database, course, draft, "report", learners[1], state="accepted")

    (shown,) = view(school, course).placements
    assert (shown.is_draft, shown.is_set_up) == (True, False)
    assert [column.evidence_key for column in shown.needed_columns] == ["quiz"]
    ((key, state, listed, of),) = [
        (gate.evidence_key, gate.state, gate.listed, gate.learners) for gate in shown.gates
    ]
    assert (key, state, listed, of) == ("forum", GateState.OPEN, 2, 3)
    ((rule, confirmed),) = [(one.label, one.confirmed) for one in shown.attested]
    assert (rule, confirmed) == ("Talk", 1), "neither taken back nor said of staff"
    assert (shown.takes_evidence, shown.submissions_waiting) == (True, 1)


def test_a_badge_is_set_up_when_every_channel_has_told_something(school: School) -> None:
    database, course = school.database, school.course()
    placed = factories.placed(database, course, criterion=AllOf((QUIZ, GATE)))
    gate_id = factories.gate(database, course, placed, "forum")
    (one,) = factories.enrol(database, course)

    def is_set_up() -> bool:
        (shown,) = view(school, course).placements
        return shown.is_set_up

    school.change(tables.LineItem, first_value_at=None)
    assert not is_set_up(), "no value has arrived"
    factories.grade(database, course, placed, [one], 90)
    school.change(tables.LineItem, first_value_at=NOW)
    assert is_set_up()
    for trouble in ({"state": "doubted"}, {"state": "confirmed", "trouble": "platform_timed_out"}):
        school.change(tables.Gate, tables.Gate.id == gate_id, **trouble)
        assert not is_set_up()


def test_nothing_of_another_course_is_counted(school: School) -> None:
    database, course, other = school.database, school.course(), school.course()
    criterion = AllOf((GATE, TALK, REPORT))
    factories.placed(database, course, criterion=criterion)
    factories.enrol(database, course)
    foreign = factories.placed(database, other, criterion=criterion)
    (stranger,) = factories.enrol(database, other)
    factories.gate(database, other, foreign, "forum")
    factories.attestation(database, other, foreign, "talk", stranger)
    factories.submission(database, other, foreign, "report", stranger)

    (shown,) = view(school, course).placements
    assert (shown.gates, shown.submissions_waiting) == ((), 0)
    assert [one.confirmed for one in shown.attested] == [0]
    (theirs,) = view(school, other).placements
    assert (len(theirs.gates), theirs.submissions_waiting, theirs.attested[0].confirmed) == (1, 1, 1)
