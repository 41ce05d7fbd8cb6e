"""Stored decisions made again: the same answer, or the place where it differs; nothing is ever written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Attested,
    Completed,
    EvidenceAccepted,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    ScoreAtLeast,
    State,
    Term,
    Within,
)
from lti_tool.errors import NotFound
from lti_tool.services import replaying as module
from lti_tool.services.replaying import Replaying
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School

QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80))
EVERYTHING = AllOf(
    (
        MeanAtLeast("work", "Work", (Term("quiz", "Quiz 1", Decimal("2.5")),), Decimal(60)),
        Within(GatePassed("gate", "Gate"), NOW - timedelta(days=30), NOW + timedelta(days=30)),
        AnyOf((Attested("talk", "Talk"), EvidenceAccepted("folder", "Folder"))),
        AnyOf((QUIZ, Completed("0" * 32, "Basics"), HoldsAchievement("0" * 32, "Explorer"))),
    )
)

SCORE = {"value": "80", "maximum": "100", "graded_at": None, "read_at": "2026-03-01T12:00:00+00:00"}


def decide(school: School, course: Course) -> None:
    school.awarding.decide_context(course.organisation_id, course.context_id)


def simple(school: School, course: Course, score: int | None = 80) -> tuple[Placed, str]:
    """A placement with the quiz, decided for one learner; the id of the decision."""
    placed = factories.placed(school.database, course)
    (learner_id,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner_id], score)
    decide(school, course)
    (row,) = school.rows(
        tables.Decision,
        tables.Decision.placement_id == placed.placement_id,
        tables.Decision.learner_id == learner_id,
    )
    return placed, row.id


def test_decisions_on_every_kind_of_rule_come_out_the_same(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=EVERYTHING)
    learners = factories.enrol(school.database, course, 4)
    gate_id = factories.gate(school.database, course, placed, "gate")
    factories.grade(school.database, course, placed, learners[:3], Decimal("80.00001"))
    decide(school, course)
    for learner_id in learners[:2]:
        factories.gate_pass(school.database, course, gate_id, learner_id)
    factories.attestation(school.database, course, placed, "talk", learners[0])
    factories.submission(school.database, course, placed, "folder", learners[1])
    decide(school, course)

    replays = list(Replaying(school.database).replay_all())

    assert [replay.differences for replay in replays] == [()] * len(replays)
    assert len(replays) == len(school.rows(tables.Decision)) > 4, "also those that were replaced"
    states = {replay.stored.learner_id: replay.stored.state for replay in replays}
    assert states[learners[3]] == State.NOT_MET
    awarded = [replay for replay in replays if replay.stored.verdict == Verdict.AWARD]
    assert [replay.stored.learner_id for replay in awarded] == [learners[0]]
    assert awarded[0].replayed is not None
    (completion,) = school.rows(tables.Completion)
    assert awarded[0].replayed.met_at == completion.met_at


def test_what_came_later_changes_nothing(small_school: School) -> None:
    course = small_school.course()
    placed, decision_id = simple(small_school, course, 80)
    (row,) = small_school.rows(tables.Decision)
    small_school.regrade(placed, row.learner_id, 10)
    small_school.clock.now += timedelta(days=900)
    decide(small_school, course)
    replay = Replaying(small_school.database).replay(decision_id)
    assert replay.is_same
    assert replay.replayed is not None
    assert (replay.replayed.state, replay.replayed.decided_at) == (State.MET, NOW)


@pytest.mark.parametrize(
    "changes,differences",
    [
        ({"state": "not_met"}, {"state": ("not_met", "met")}),
        ({"verdict": "not_yet"}, {"verdict": ("not_yet", ["award", "unproved", "held", "excluded"])}),
        ({"verdict": "held"}, {}),
        (
            {"finding": {"state": "met", "reason": "score_below", "key": "quiz"}},
            {"finding.reason": ("score_below", "score_reached")},
        ),
        (
            {"finding": {"state": "met", "reason": "score_reached", "key": "quiz", "parts": []}},
            {"finding.parts": ([], None)},
        ),
        ({"finding": "gone"}, {"finding": ("gone", None)}),
    ],
)
def test_a_record_that_was_changed_is_found(
    small_school: School, changes: dict[str, Any], differences: dict[str, Any]
) -> None:
    _, decision_id = simple(small_school, small_school.course())
    small_school.change(tables.Decision, tables.Decision.id == decision_id, **changes)
    replay = Replaying(small_school.database).replay(decision_id)
    found = {each.what: (each.stored, each.replayed) for each in replay.differences}
    assert found.keys() == differences.keys()
    for what, (stored, replayed) in differences.items():
        assert found[what][0] == stored
        assert replayed is None or found[what][1] == replayed


def test_evidence_that_was_changed_is_found(small_school: School) -> None:
    _, decision_id = simple(small_school, small_school.course())
    (row,) = small_school.rows(tables.Decision)
    evidence = {**row.evidence, "scores": {"quiz": {**row.evidence["scores"]["quiz"], "value": "79.99999"}}}
    small_school.change(tables.Decision, tables.Decision.id == decision_id, evidence=evidence)
    replay = Replaying(small_school.database).replay(decision_id)
    assert [each.what for each in replay.differences] == [
        "state",
        "verdict",
        "finding.reason",
        "finding.state",
    ]


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"version": 3, "scores": {}},
        {"version": 2},
        {"version": 2, "scores": []},
        {"version": 2, "scores": {"quiz": None}},
        {"version": 2, "scores": {"quiz": {"value": "many", "maximum": "1", "graded_at": None}}},
        {"version": 2, "scores": {}, "facts": {"gate": {"holds": True}}},
        {"version": 2, "scores": {"quiz": {**SCORE, "value": "NaN"}}},
        {"version": 2, "scores": {"quiz": {**SCORE, "value": "sNaN"}}},
        {"version": 2, "scores": {"quiz": {**SCORE, "value": "9E+999999999999999999"}}},
    ],
)
def test_evidence_that_cannot_be_read_is_a_difference_and_not_a_failure(
    small_school: School, evidence: dict[str, Any]
) -> None:
    course = small_school.course()
    _, decision_id = simple(small_school, course)
    simple(small_school, course)
    small_school.change(tables.Decision, tables.Decision.id == decision_id, evidence=evidence)
    replays = list(Replaying(small_school.database).replay_all(course.context_id))
    differing = [replay for replay in replays if not replay.is_same]
    assert [replay.stored.id for replay in differing] == [decision_id]
    assert [each.what for each in differing[0].differences] == ["evidence"]
    assert differing[0].replayed is None
    assert len(replays) > 1


def test_criteria_that_cannot_be_read_are_a_difference_of_each_decision(small_school: School) -> None:
    course = small_school.course()
    placed, _ = simple(small_school, course)
    small_school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == placed.micromodule_version_id,
        criteria={"version": 9},
    )
    (replay,) = Replaying(small_school.database).replay_all()
    assert [each.what for each in replay.differences] == ["criteria"]


def test_a_decision_of_the_first_release_is_made_again_as_it_was(small_school: School) -> None:
    # As release 1 stored it: no facts, version 1.
    course = small_school.course()
    placed, decision_id = simple(small_school, course)
    rule = {"type": "score", "key": "quiz", "label": "Quiz 1", "at_least": "80"}
    small_school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == placed.micromodule_version_id,
        criteria={"version": 1, "rule": {"type": "all", "of": [rule]}},
    )
    leaf = {"state": "met", "reason": "score_reached", "key": "quiz"}
    small_school.change(
        tables.Decision,
        tables.Decision.id == decision_id,
        evidence={"version": 1, "scores": {"quiz": SCORE}},
        finding={"state": "met", "reason": "parts_met", "parts": [leaf]},
    )
    assert Replaying(small_school.database).replay(decision_id).is_same


def test_a_course_has_its_own_decisions_and_pages_leave_none_out(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    ours, theirs = small_school.course(), small_school.course()
    expected = {simple(small_school, ours, score)[1] for score in (80, 20, None)}
    expected |= {row.id for row in small_school.rows(tables.Decision)}
    simple(small_school, theirs)
    replayed = [replay.stored.id for replay in Replaying(small_school.database).replay_all(ours.context_id)]
    assert set(replayed) == expected
    assert len(replayed) == len(expected)


def test_nothing_is_written(small_school: School) -> None:
    course = small_school.course()
    simple(small_school, course)
    before = [vars(row)["evidence"] for row in small_school.rows(tables.Decision)]
    counts = [len(small_school.rows(table)) for table in (tables.Award, tables.Completion, tables.Credential)]
    list(Replaying(small_school.database).replay_all())
    assert [vars(row)["evidence"] for row in small_school.rows(tables.Decision)] == before
    assert [
        len(small_school.rows(table)) for table in (tables.Award, tables.Completion, tables.Credential)
    ] == counts


def test_a_decision_that_is_not_there_is_not_found(small_school: School) -> None:
    with pytest.raises(NotFound):
        Replaying(small_school.database).replay("0" * 32)
