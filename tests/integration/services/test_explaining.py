"""One learner, explained: as the learner sees it, with the past; people of other courses are not found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.awarding import Exclusion, Proof, Verdict
from lti_tool.domain.criteria import AllOf, Attested, Channel, EvidenceAccepted, GatePassed, ScoreAtLeast
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services import explaining
from lti_tool.services.explaining import Explaining, ExplanationView
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School, session_of


def explain(
    school: School, course: Course, placement_id: str, learner_id: str, **changes: Any
) -> ExplanationView:
    by = session_of(course, "0" * 32, **{"can_view_progress": True, "is_learner": False, **changes})
    return Explaining(school.database, school.awarding).learner(by, placement_id, learner_id)


def test_a_learner_is_explained_with_the_decisions_of_the_past(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 10)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    school.clock.forward(hours=1)
    school.regrade(placed, learner, 90)
    school.awarding.decide_context(course.organisation_id, course.context_id)

    view = explain(school, course, placed.placement_id, learner)
    assert (view.learner_name or "").startswith("Learner")
    assert (view.decision.verdict, view.decision.finding.score is not None) == (Verdict.HELD, True)
    assert view.proof is Proof.LAUNCH
    assert view.earned is not None
    assert [(one.verdict, one.leaf_states, one.is_latest) for one in view.history] == [
        ("award", "M", True),
        ("not_yet", "N", False),
    ]
    assert {one.id for one in view.history} == {row.id for row in school.rows(tables.Decision)}
    assert not view.has_older


def test_a_draft_is_explained_too(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    (learner,) = factories.enrol(small_school.database, course)
    factories.grade(small_school.database, course, placed, [learner], 90)
    view = explain(small_school, course, placed.placement_id, learner)
    assert (view.status, view.decision.verdict, view.history) == ("draft", Verdict.AWARD, ())
    assert small_school.rows(tables.Decision) == []


def test_why_somebody_is_not_awarded_here(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (person,) = factories.enrol(small_school.database, course, proof="none")
    school = small_school
    factories.grade(school.database, course, placed, [person], 90)
    assert explain(school, course, placed.placement_id, person).decision.verdict is Verdict.UNPROVED
    school.change(tables.Membership, tables.Membership.learner_id == person, is_staff=True)
    view = explain(school, course, placed.placement_id, person)
    assert (view.decision.verdict, view.decision.exclusion) == (Verdict.EXCLUDED, Exclusion.STAFF)


def test_what_a_teacher_can_do_is_at_hand(small_school: School) -> None:
    school = small_school
    course = school.course()
    tree = AllOf(
        (
            ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR),
            GatePassed("gate", "Forum"),
            Attested("lab", "Lab"),
            EvidenceAccepted("report", "Report"),
        )
    )
    placed = factories.placed(school.database, course, criterion=tree)
    (learner,) = factories.enrol(school.database, course)
    gate_id = factories.gate(school.database, course, placed, "gate")
    factories.submission(
        school.database, course, placed, "report", learner, state="returned", comment="Name sources."
    )
    view = explain(school, course, placed.placement_id, learner)
    assert view.confirmed == ()
    assert [one.key for one in view.submissions] == ["report"]
    assert view.gates == {"gate": gate_id}
    assert view.comments == {"report": "Name sources."}
    factories.attestation(school.database, course, placed, "lab", learner)
    assert [one.key for one in explain(school, course, placed.placement_id, learner).confirmed] == ["lab"]


def test_of_a_long_past_the_newest_are_shown(small_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "PAST", 3)
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 1)
    for score in range(2, 7):
        school.clock.forward(minutes=1)
        school.regrade(placed, learner, score)
        school.awarding.decide_context(course.organisation_id, course.context_id)
    view = explain(school, course, placed.placement_id, learner)
    assert (len(view.history), view.has_older) == (3, True)
    assert view.history[0].is_latest
    moments = [one.decided_at for one in view.history]
    assert moments == sorted(moments, reverse=True)


def test_people_of_other_courses_are_not_found(school: School) -> None:
    course, stranger = school.course(), school.course()
    (neighbour,) = factories.courses_beside(school.database, course, 1)
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    (elsewhere,) = factories.enrol(school.database, neighbour)
    (foreign,) = factories.enrol(school.database, stranger)
    for who in (elsewhere, foreign, "' OR 1=1 --", "x" * 64):
        with pytest.raises(NotFound) as refused:
            explain(school, course, placed.placement_id, who)
        assert refused.value.code is ErrorCode.NOT_FOUND
    foreign_placed = factories.placed(school.database, stranger)
    neighbour_placed = factories.placed(school.database, neighbour)
    removed = factories.placed(school.database, course, status="removed")
    for other in (foreign_placed, neighbour_placed, removed):
        with pytest.raises(NotFound) as refused:
            explain(school, course, other.placement_id, learner)
        assert refused.value.code is ErrorCode.PLACEMENT_NOT_FOUND
    for of_whom in (stranger, neighbour):
        with pytest.raises(NotFound):
            explain(school, of_whom, placed.placement_id, learner)


@pytest.mark.parametrize(
    "changes", [{"can_view_progress": False}, {"can_view_progress": False, "is_learner": True}]
)
def test_a_learner_is_explained_nobody(small_school: School, changes: dict[str, Any]) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    with pytest.raises(NotAllowed):
        explain(small_school, course, placed.placement_id, learner, **changes)


def test_a_revoked_badge_is_shown_as_one(small_school: School) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    credential_id = school.issued(course, placed, learner)
    school.revoking.revoke(credential_id, "Mistake", "cli")
    earned = explain(school, course, placed.placement_id, learner).earned
    assert earned is not None
    assert (earned.revoked_at, earned.revocation_reason) == (NOW, "Mistake")
