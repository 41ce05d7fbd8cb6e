"""An instructor's word: whose, for whom, what follows, and who has none to give."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.services.attesting import MOST_AT_ONCE, REASON_LENGTH
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.store import tables
from lti_tool.store.attestations import LearnerFilter
from tests import factories
from tests.factories import NOW
from tests.integration.services.people import PORTFOLIO, People, people
from tests.integration.services.school import School, session_of


def test_a_word_for_one_earns_the_badge_and_for_nobody_else(school: School) -> None:
    course = people(school)
    assert course.attest(0) == 1
    assert course.holders() == {course.learners[0]}
    (kept,) = school.rows(tables.Attestation)
    assert (kept.learner_id, kept.is_attested, kept.reason) == (course.learners[0], True, "gave the talk")
    assert (kept.by_learner_id, kept.at) == (course.teacher_id, NOW)


def test_a_word_for_many_has_one_reason_and_an_event_for_each_without_it(school: School) -> None:
    course = people(school)
    assert course.attest(0, 1, 2, reason="  all of\nthem did ") == 3
    assert course.holders() == set(course.learners)
    assert {row.reason for row in school.rows(tables.Attestation)} == {"all of them did"}
    events = school.rows(tables.AuditEvent, tables.AuditEvent.action == "learner.attested")
    assert {event.subject_id for event in events} == set(course.learners)
    assert {event.actor for event in events} == {f"learner:{course.teacher_id}"}
    # Reasons may name people: erasing a learner has to take them along, and the trail is never erased.
    assert "did" not in str([event.detail for event in events])


def test_a_grader_may_attest(school: School) -> None:
    course = people(school)
    assert course.attest(0, by=course.grader()) == 1


def test_a_word_twice_changes_nothing(school: School) -> None:
    course = people(school)
    course.attest(0, reason="first")
    assert course.attest(0, 1, reason="second") == 1
    reasons = {row.learner_id: row.reason for row in school.rows(tables.Attestation)}
    assert reasons == {course.learners[0]: "first", course.learners[1]: "second"}
    assert course.actions().count("learner.attested") == 2


def test_taken_back_it_counts_no_more_and_takes_no_badge(school: School) -> None:
    course = people(school)
    course.attest(0, 1)
    assert course.attest(0, 2, reason="it was somebody else", is_attested=False) == 1
    rows = {row.learner_id: (row.is_attested, row.reason) for row in school.rows(tables.Attestation)}
    assert rows[course.learners[0]] == (False, "it was somebody else")
    assert course.learners[2] not in rows
    assert course.holders() == set(course.learners[:2])
    (latest,) = school.rows(
        tables.Decision,
        tables.Decision.learner_id == course.learners[0],
        tables.Decision.is_latest.is_(True),
    )
    assert latest.verdict == "review"
    assert course.actions()[-1] == "learner.attestation_withdrawn"
    assert course.attest(0) == 1


def test_of_a_draft_the_word_is_kept_and_awards_nothing(school: School) -> None:
    course = people(school, status="draft")
    assert course.attest(0) == 1
    assert course.holders() == set()
    school.change(tables.Placement, tables.Placement.id == course.placement_id, status="active")
    course.deciding.decide(course.course.organisation_id, course.course.context_id, None, "publish")
    assert course.holders() == {course.learners[0]}


def refused(course: People, error: type[ToolError], code: ErrorCode, *ids: str, **changes: Any) -> None:
    by = changes.pop("by", None) or course.teacher()
    given = {"placement_id": course.placement_id, "key": "talk", "reason": "why", **changes}
    with pytest.raises(error) as caught:
        course.attesting.attest(
            by, given["placement_id"], given["key"], ids or [course.learners[0]], given["reason"]
        )
    assert caught.value.code is code
    assert not course.school.rows(tables.Attestation)
    assert course.holders() == set()


def test_who_may_not(school: School) -> None:
    course, other = people(school), people(school)
    for by in (
        course.learner(),
        course.teacher(is_read_only=True),
        course.teacher(can_view_progress=False),
    ):
        refused(course, NotAllowed, ErrorCode.NOT_ALLOWED, course.learners[1], by=by)
    # A teacher of another course, of another organisation, and one whose ids were typed in.
    refused(course, NotFound, ErrorCode.PLACEMENT_NOT_FOUND, by=other.teacher())
    beside = factories.courses_beside(school.database, course.course, 1)[0]
    neighbour = session_of(beside, course.teacher_id, can_view_progress=True, is_learner=False)
    refused(course, NotFound, ErrorCode.PLACEMENT_NOT_FOUND, by=neighbour)
    nowhere = course.teacher(context_id=None)
    refused(course, NotFound, ErrorCode.PLACEMENT_NOT_FOUND, by=nowhere)


def test_whom_nobody_attests(school: School) -> None:
    course, other = people(school), people(school)
    refused(course, NotAllowed, ErrorCode.NOT_ALLOWED, course.teacher_id)
    (colleague,) = factories.enrol(school.database, course.course)
    school.change(tables.Membership, tables.Membership.learner_id == colleague, is_staff=True)
    (tester,) = factories.enrol(school.database, course.course)
    school.change(tables.Learner, tables.Learner.id == tester, is_test_user=True)
    (gone,) = factories.enrol(school.database, course.course)
    school.change(tables.Membership, tables.Membership.learner_id == gone, is_active=False)
    for stranger in (colleague, tester, gone, other.learners[0], "nobody", "'; DROP TABLE learners --"):
        refused(course, NotFound, ErrorCode.LEARNER_NOT_FOUND, course.learners[0], stranger)


def test_rules_that_nobody_attests(school: School) -> None:
    course = people(school, PORTFOLIO)
    for key in ("portfolio", "talk", "", "../talk"):
        refused(course, NotFound, ErrorCode.EVIDENCE_NOT_FOUND, key=key)


def test_a_word_needs_a_reason_and_somebody(school: School) -> None:
    course = people(school)
    for reason in ("", "  ", "x" * (REASON_LENGTH + 1), "a\u202eb", "a\0b"):
        refused(course, RequestInvalid, ErrorCode.FORM_INVALID, reason=reason)
    with pytest.raises(RequestInvalid) as caught:
        course.attesting.attest(course.teacher(), course.placement_id, "talk", [], "why")
    assert caught.value.params["problems"] == (Problem("learner_id", FormProblem.NOTHING_CHOSEN),)
    many = [f"learner-{number}" for number in range(MOST_AT_ONCE + 1)]
    with pytest.raises(RequestInvalid) as caught:
        course.attesting.attest(course.teacher(), course.placement_id, "talk", many, "why")
    too_many = Problem("learner_id", FormProblem.TOO_MANY, {"limit": MOST_AT_ONCE})
    assert caught.value.params["problems"] == (too_many,)


def test_the_list_is_paged_searched_and_narrowed(school: School) -> None:
    course = people(school, learners=5)
    names = ("ada", "Émile", "bob", "Cleo", None)
    for id_, name in zip(course.learners, names, strict=True):
        school.change(tables.Learner, tables.Learner.id == id_, name=name)
    course.attest(1)

    def listed(query: str = "", state: str | None = None, **more: Any) -> list[str | None]:
        view = course.attesting.learners(
            course.grader(), course.placement_id, "talk", LearnerFilter(query, state), **more
        )
        return [row.name for row in view.page.rows]

    assert set(listed()) == set(names)
    assert listed(per_page=2) == listed()[:2]
    assert listed(per_page=2, page=3) == listed()[4:]
    assert listed(per_page=2, page=99) == listed()[4:]
    assert listed("éMIL") == ["Émile"]
    assert listed("%") == []
    assert listed(state="confirmed") == ["Émile"]
    assert set(listed(state="open")) == {"ada", "bob", "Cleo", None}
    view = course.attesting.learners(course.teacher(), course.placement_id, "talk", LearnerFilter("ada"))
    assert (view.learners, view.confirmed, view.page.total) == (5, 1, 1)
    (row,) = course.attesting.learners(
        course.teacher(), course.placement_id, "talk", LearnerFilter("Émile")
    ).page.rows
    (teacher,) = school.rows(tables.Learner, tables.Learner.id == course.teacher_id)
    assert (row.is_attested, row.by_name, row.at) == (True, teacher.name, NOW)


def test_full_points_in_the_column_are_shown_and_fewer_are_not(school: School) -> None:
    course = people(school)
    made: dict[str, Any] = {"id_on_platform": "https://lms.example/lineitems/talk", "read_at": NOW}
    column = factories.column(
        school.database, course.course, course.placed, "talk", score_maximum=Decimal(1), **made
    )
    with school.database.write() as session:
        session.add_all(
            tables.Result(
                organisation_id=course.course.organisation_id,
                line_item_id=column,
                learner_id=learner_id,
                score=score,
                maximum=maximum,
                graded_at=NOW,
                read_at=NOW,
            )
            for learner_id, score, maximum in zip(
                course.learners,
                (Decimal(10), Decimal("0.5"), None),
                (Decimal(9), Decimal(1), Decimal(1)),
                strict=True,
            )
        )
    view = course.attesting.learners(course.teacher(), course.placement_id, "talk", LearnerFilter())
    assert {row.learner_id for row in view.page.rows if row.is_confirmed} == {course.learners[0]}
    assert view.confirmed == 1
    course.deciding.decide(course.course.organisation_id, course.course.context_id, None, "sync")
    assert course.holders() == {course.learners[0]}


def test_a_learner_does_not_see_the_list(school: School) -> None:
    course = people(school)
    with pytest.raises(NotAllowed):
        course.attesting.learners(course.learner(), course.placement_id, "talk", LearnerFilter())


def test_the_list_costs_as_many_statements_in_a_large_course_as_in_a_small_one(school: School) -> None:
    costs = []
    for learners in (2, 60):
        course = people(school, learners=learners)
        course.attest(0, 1)
        with school.database.statements() as statements:
            course.attesting.learners(
                course.teacher(), course.placement_id, "talk", LearnerFilter("e", "open"), per_page=50
            )
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 14
