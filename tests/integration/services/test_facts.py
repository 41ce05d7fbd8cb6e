"""Facts on real databases: gates, people's word, evidence, completions and badges become decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Attested,
    Channel,
    Completed,
    Criterion,
    EvidenceAccepted,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    ScoreAtLeast,
    State,
    Term,
    Within,
)
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Detail, Evidence, Fact
from lti_tool.services.criteria_format import dump_criteria, parse_criteria, parse_evidence
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School

GATE = GatePassed("page", "Page viewed")
WORD = Attested("talk", "Took part")
ESSAY = EvidenceAccepted("essay", "Essay")
QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(60))
EARLIER = NOW - timedelta(days=3)


def decide(school: School, course: Course) -> int:
    return school.awarding.decide_context(course.organisation_id, course.context_id).awarded


def evidence_of(school: School, placed: Placed, learner_id: str) -> Evidence:
    """What the newest decision about a learner was made from."""
    (row,) = school.rows(
        tables.Decision,
        tables.Decision.placement_id == placed.placement_id,
        tables.Decision.learner_id == learner_id,
        tables.Decision.is_latest,
    )
    return parse_evidence(row.evidence)


def facts(school: School, course: Course, placed: Placed, learner_id: str) -> Mapping[str, Fact]:
    decide(school, course)
    return evidence_of(school, placed, learner_id).facts


def records_of(school: School, placed: Placed) -> tuple[str, str]:
    """The ids of a placement's micromodule and of its achievement."""
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
    )
    (badge,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == placed.achievement_version_id
    )
    return version.micromodule_id, badge.achievement_id


def ask(school: School, placed: Placed, criterion: Criterion) -> None:
    """Let a placement ask for something else."""
    school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == placed.micromodule_version_id,
        criteria=dump_criteria(criterion),
    )


# -- gates


def test_a_confirmed_gate_lets_learners_through_and_others_not(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=GATE)
    listed, came, unlisted, shut = factories.enrol(school.database, course, 4)
    gate_id = factories.gate(school.database, course, placed, "page")
    factories.gate_pass(school.database, course, gate_id, listed, EARLIER)
    factories.gate_pass(school.database, course, gate_id, came, EARLIER, source="launch")
    factories.gate_pass(school.database, course, gate_id, shut, EARLIER, is_passed=False)
    assert decide(school, course) == 2
    assert evidence_of(school, placed, listed).facts == {"page": Fact(True, EARLIER, NOW, "roster")}
    assert evidence_of(school, placed, came).facts == {"page": Fact(True, EARLIER, NOW, "launch")}
    for learner_id in (unlisted, shut):
        assert evidence_of(school, placed, learner_id).facts == {"page": Fact(False, None, NOW, "roster")}
    awards = {award.learner_id: award.met_at for award in school.rows(tables.Award)}
    assert awards == {listed: EARLIER, came: EARLIER}


@pytest.mark.parametrize("state", ["waiting", "open"])
def test_nothing_is_known_of_a_gate_that_nobody_confirmed(small_school: School, state: str) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, criterion=GATE)
    (learner_id,) = factories.enrol(small_school.database, course)
    gate_id = factories.gate(small_school.database, course, placed, "page", state=state)
    factories.gate_pass(small_school.database, course, gate_id, learner_id)
    assert facts(small_school, course, placed, learner_id) == {}
    assert small_school.rows(tables.Award) == []


@pytest.mark.parametrize("reading", [{"read_at": None}, {"is_complete": False}, {"state": "doubted"}])
def test_who_is_not_in_a_list_that_is_not_whole_is_not_known(
    small_school: School, reading: dict[str, object]
) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, criterion=GATE)
    (learner_id,) = factories.enrol(small_school.database, course)
    factories.gate(small_school.database, course, placed, "page", **reading)
    assert facts(small_school, course, placed, learner_id) == {}


def test_a_gate_beside_one_badge_says_nothing_for_another(small_school: School) -> None:
    course = small_school.course()
    first = factories.placed(small_school.database, course, criterion=GATE)
    second = factories.placed(small_school.database, course, criterion=GATE)
    (learner_id,) = factories.enrol(small_school.database, course)
    gate_id = factories.gate(small_school.database, course, first, "page")
    factories.gate_pass(small_school.database, course, gate_id, learner_id)
    assert facts(small_school, course, second, learner_id) == {}
    assert evidence_of(small_school, first, learner_id).facts["page"].holds


# -- people's word


def test_a_persons_word_counts_and_taken_back_counts_no_more(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=WORD)
    attested, other = factories.enrol(school.database, course, 2)
    factories.attestation(school.database, course, placed, "talk", attested, EARLIER)
    assert decide(school, course) == 1
    assert evidence_of(school, placed, attested).facts == {"talk": Fact(True, EARLIER, None, "tool")}
    assert evidence_of(school, placed, other).facts == {"talk": Fact(False)}
    school.change(tables.Attestation, is_attested=False)
    assert facts(school, course, placed, attested) == {"talk": Fact(False)}
    (latest,) = school.rows(
        tables.Decision, tables.Decision.is_latest, tables.Decision.learner_id == attested
    )
    assert (latest.verdict, latest.leaf_states) == ("review", "N")
    assert len(school.rows(tables.Award)) == 1, "an award stays"


def test_full_points_in_the_column_are_a_persons_word(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=WORD)
    full, less, listed, absent = factories.enrol(school.database, course, 4)
    column_id = factories.column(
        school.database, course, placed, "talk",
        id_on_platform="https://lms.example/talk", score_maximum=Decimal(1), read_at=NOW, is_complete=True,
    )  # fmt: skip
    with school.database.write() as session:
        session.add_all(
            tables.Result(
                organisation_id=course.organisation_id,
                line_item_id=column_id,
                learner_id=learner_id,
                score=score,
                maximum=Decimal(1),
                graded_at=EARLIER,
                read_at=NOW,
            )
            for learner_id, score in ((full, Decimal(1)), (less, Decimal("0.99")), (listed, None))
        )
    decide(school, course)
    assert evidence_of(school, placed, full).facts == {"talk": Fact(True, EARLIER, NOW, "column")}
    for learner_id in (less, listed, absent):
        assert evidence_of(school, placed, learner_id).facts == {"talk": Fact(False, None, NOW, "column")}
    assert evidence_of(school, placed, full).scores == {}, "the column is no score"
    factories.attestation(school.database, course, placed, "talk", less)
    assert facts(school, course, placed, less)["talk"] == Fact(True, NOW, None, "tool")


def test_a_column_that_was_never_read_leaves_open_what_the_tool_does_not_know_itself(
    small_school: School,
) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, criterion=WORD)
    attested, other = factories.enrol(small_school.database, course, 2)
    column_id = factories.column(small_school.database, course, placed, "talk")
    factories.attestation(small_school.database, course, placed, "talk", attested)
    assert facts(small_school, course, placed, other) == {"talk": Fact(False)}, "it is not made yet"
    small_school.change(
        tables.LineItem, tables.LineItem.id == column_id, id_on_platform="https://lms.example/talk"
    )
    assert facts(small_school, course, placed, other) == {}
    assert evidence_of(small_school, placed, attested).facts["talk"].holds


def test_a_word_for_another_badge_counts_for_nothing(small_school: School) -> None:
    course = small_school.course()
    first = factories.placed(small_school.database, course, criterion=WORD)
    second = factories.placed(small_school.database, course, criterion=WORD)
    (learner_id,) = factories.enrol(small_school.database, course)
    factories.attestation(small_school.database, course, first, "talk", learner_id)
    assert facts(small_school, course, second, learner_id) == {"talk": Fact(False)}


# -- what was handed in


@pytest.mark.parametrize(
    "state, expected",
    [
        ("accepted", Fact(True, EARLIER)),
        ("submitted", Fact(False, EARLIER, None, "submitted")),
        ("returned", Fact(False, EARLIER, None, "returned")),
        ("withdrawn", Fact(False, None, None, "nothing")),
    ],
)
def test_what_was_handed_in_counts_once_it_is_accepted(school: School, state: str, expected: Fact) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=ESSAY)
    learner_id, other = factories.enrol(school.database, course, 2)
    factories.submission(
        school.database, course, placed, "essay", learner_id, EARLIER, state="accepted", is_latest=False
    )
    factories.submission(
        school.database, course, placed, "essay", learner_id, EARLIER, state=state, number=2, judged_at=NOW
    )
    assert decide(school, course) == (1 if state == "accepted" else 0)
    assert evidence_of(school, placed, learner_id).facts == {"essay": expected}
    assert evidence_of(school, placed, other).facts == {"essay": Fact(False, None, None, "nothing")}


# -- other micromodules and badges


def test_what_was_completed_or_earned_elsewhere_counts_by_its_date(school: School) -> None:
    """In any version and course of the organisation; a badge while it is in force or paused, a completion
    unless its badge was revoked."""
    elsewhere = school.course()
    (course,) = factories.courses_beside(school.database, elsewhere, 1)
    basics = factories.placed(school.database, elsewhere)
    micromodule_id, achievement_id = records_of(school, basics)
    completed = Completed(micromodule_id, "Basics")
    held = HoldsAchievement(achievement_id, "Basics badge")
    first = factories.placed(school.database, course, criterion=completed)
    second = factories.placed(school.database, course, criterion=held)
    has_both, over, revoked, nothing, paused = factories.enrol(school.database, course, 5)
    for learner_id in (has_both, over, paused, revoked):
        valid_until = NOW if learner_id == over else NOW + timedelta(seconds=1)
        award_id = factories.award(school.database, elsewhere, basics, learner_id, EARLIER)
        factories.credential(school.database, elsewhere, award_id)
        dates = {"valid_until": valid_until, "suspended_at": EARLIER if learner_id == paused else None}
        school.change(tables.Credential, tables.Credential.award_id == award_id, **dates)
        with school.database.write() as session:
            session.add(
                tables.Completion(
                    organisation_id=course.organisation_id,
                    micromodule_version_id=basics.micromodule_version_id,
                    learner_id=learner_id,
                    met_at=EARLIER,
                    recorded_at=NOW,
                )
            )
    school.change(tables.Credential, tables.Credential.award_id == award_id, revoked_at=NOW)
    decide(school, course)
    for learner_id, has_completed, holds in (
        (has_both, True, True), (over, True, False), (revoked, False, False), (nothing, False, False),
        (paused, True, True),
    ):  # fmt: skip
        detail = Detail.REVOKED if learner_id == revoked else ""
        expected = Fact(has_completed, EARLIER if has_completed else None, None, detail)
        assert evidence_of(school, first, learner_id).facts == {completed.key: expected}
        expected = Fact(holds, EARLIER if holds else None)
        assert evidence_of(school, second, learner_id).facts == {held.key: expected}


def test_what_was_revoked_is_reviewed_where_it_opened_something_and_counts_by_a_later_version(
    school: School,
) -> None:
    """As for milestones: it was not met after all, until another version of it is."""
    course = school.course()
    basics = factories.placed(school.database, course)
    (learner_id,) = factories.enrol(school.database, course)
    (version,) = school.rows(tables.MicromoduleVersion)
    completed = Completed(version.micromodule_id, "Basics")
    further = factories.placed(school.database, course, NOW + timedelta(seconds=1), criterion=completed)
    factories.grade(school.database, course, basics, [learner_id], 90)
    assert decide(school, course) == 2
    (award,) = school.rows(tables.Award, tables.Award.achievement_version_id == basics.achievement_version_id)
    credential_id = school.issuing.issue_credential(award.id)
    school.revoking.revoke(credential_id, "The grade was another's.", "staff:1")
    decide(school, course)
    (latest,) = school.rows(
        tables.Decision, tables.Decision.is_latest, tables.Decision.placement_id == further.placement_id
    )
    assert (latest.verdict, latest.state) == ("review", "not_met"), "nothing is taken by itself"
    with school.database.write() as session:
        values = {
            column.key: getattr(version, column.key)
            for column in tables.MicromoduleVersion.__table__.columns
            if column.key != "id"
        }
        later = tables.MicromoduleVersion(**{**values, "number": 2, "achievement_version_id": None})
        session.add(later)
        session.flush()
        session.add(
            tables.Completion(
                organisation_id=course.organisation_id,
                micromodule_version_id=later.id,
                learner_id=learner_id,
                met_at=NOW,
                recorded_at=NOW,
            )
        )
    decide(school, course)
    assert evidence_of(school, further, learner_id).facts == {completed.key: Fact(True, NOW)}


def test_nothing_of_another_organisation_counts(small_school: School) -> None:
    """Imported criteria may name any id."""
    elsewhere, course = small_school.course(), small_school.course()
    theirs = factories.placed(small_school.database, elsewhere)
    micromodule_id, achievement_id = records_of(small_school, theirs)
    (learner_id,) = factories.enrol(small_school.database, course)
    factories.award(small_school.database, elsewhere, theirs, learner_id)
    placed = factories.placed(
        small_school.database,
        course,
        criterion=AnyOf((Completed(micromodule_id, "Theirs"), HoldsAchievement(achievement_id, "Theirs"))),
    )
    assert {fact.holds for fact in facts(small_school, course, placed, learner_id).values()} == {False}


def test_one_pass_follows_from_badge_to_badge(school: School) -> None:
    """Whichever was placed first, and for one learner as for all."""
    course = school.course()
    last = factories.placed(school.database, course, NOW)
    middle = factories.placed(school.database, course, NOW + timedelta(seconds=1), has_badge=False)
    first = factories.placed(school.database, course, NOW + timedelta(seconds=2))
    visiting, other = factories.enrol(school.database, course, 2)
    ask(school, middle, HoldsAchievement(records_of(school, first)[1], "First"))
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == middle.micromodule_version_id
    )
    ask(school, last, Completed(version.micromodule_id, "Middle"))
    factories.grade(school.database, course, first, [visiting, other], 90)
    report = school.awarding.decide_learner(course.organisation_id, course.context_id, visiting)
    assert report.awarded == 2
    assert {row.learner_id for row in school.rows(tables.Completion)} == {visiting}
    assert school.awarding.decide_context(course.organisation_id, course.context_id).awarded == 2
    assert len(school.rows(tables.Completion)) == 6
    assert decide(school, course) == 0


# -- nothing is its own reason


def test_a_badge_never_meets_its_own_criteria(school: School) -> None:
    """What the tool itself gave is no evidence for it: not by holding it, not by having completed it."""
    course = school.course()
    placed = factories.placed(school.database, course)
    micromodule_id, achievement_id = records_of(school, placed)
    own = (HoldsAchievement(achievement_id, "Itself"), Completed(micromodule_id, "Itself"))
    (learner_id,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner_id], 90)
    assert decide(school, course) == 1
    for criterion in (*own, AnyOf(own), AllOf((QUIZ, AnyOf(own)))):
        ask(school, placed, criterion)
        decide(school, course)
        assert not any(fact.holds for fact in evidence_of(school, placed, learner_id).facts.values())
        (latest,) = school.rows(tables.Decision, tables.Decision.is_latest)
        assert (latest.state, latest.verdict) == ("not_met", "review")


def test_two_badges_that_ask_for_each_other_are_earned_by_nobody(small_school: School) -> None:
    course = small_school.course()
    first, second = (factories.placed(small_school.database, course) for _ in range(2))
    ask(small_school, first, HoldsAchievement(records_of(small_school, second)[1], "Second"))
    ask(small_school, second, HoldsAchievement(records_of(small_school, first)[1], "First"))
    factories.enrol(small_school.database, course, 2)
    assert decide(small_school, course) == 0


# -- what is kept


def mixed(school: School) -> tuple[Course, Placed, list[str]]:
    """A placement that asks for something of every kind, and two learners: one with all, one with nothing."""
    course = school.course()
    other = factories.placed(school.database, course)
    micromodule_id, achievement_id = records_of(school, other)
    criterion = AllOf(
        (
            QUIZ,
            MeanAtLeast(
                "mean", "Mean", (Term("quiz", "Quiz 1"), Term("lab", "Lab", Decimal(2))), Decimal(50)
            ),
            GATE,
            WORD,
            ESSAY,
            Completed(micromodule_id, "Other"),
            Within(HoldsAchievement(achievement_id, "Other"), None, NOW + timedelta(days=1)),
        )
    )
    placed = factories.placed(school.database, course, NOW + timedelta(seconds=1), criterion=criterion)
    lab_id = factories.column(
        school.database, course, placed, "lab", tag="mirror", id_on_platform="https://lms.example/lab"
    )
    everything, nothing = factories.enrol(school.database, course, 2)
    factories.grade(school.database, course, placed, [everything], 90)
    factories.grade(school.database, course, other, [everything], 90)
    with school.database.write() as session:
        session.add(
            tables.Result(
                organisation_id=course.organisation_id,
                line_item_id=lab_id,
                learner_id=everything,
                score=Decimal(50),
                maximum=Decimal(100),
                graded_at=NOW,
                read_at=NOW,
            )
        )
    gate_id = factories.gate(school.database, course, placed, "page")
    factories.gate_pass(school.database, course, gate_id, everything)
    factories.attestation(school.database, course, placed, "talk", everything)
    factories.submission(school.database, course, placed, "essay", everything, state="accepted")
    return course, placed, [everything, nothing]


def test_a_decision_on_every_kind_of_fact_is_kept_with_its_letters_and_can_be_made_again(
    school: School,
) -> None:
    course, placed, (everything, nothing) = mixed(school)
    decide(school, course)
    rows = {
        row.learner_id: row
        for row in school.rows(
            tables.Decision, tables.Decision.placement_id == placed.placement_id, tables.Decision.is_latest
        )
    }
    assert {id_: (row.leaf_states, row.verdict) for id_, row in rows.items()} == {
        everything: ("MMMMMMM", "award"),
        nothing: ("UUNNNNN", "not_yet"),
    }
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
    )
    for row in rows.values():
        finding = evaluate(parse_criteria(version.criteria), parse_evidence(row.evidence))
        assert finding.state.value == row.state


def test_only_what_is_new_is_decided_anew(school: School) -> None:
    """Reading a gate again is nothing new; who came through it by a launch is."""
    course, _, (everything, nothing) = mixed(school)
    decide(school, course)
    school.change(tables.Gate, read_at=NOW + timedelta(hours=1))
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert report.changed == 0
    school.change(tables.GatePass, tables.GatePass.learner_id == everything, source="launch")
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert report.changed == 1
    assert nothing


def test_a_date_alone_can_be_news_where_dates_count(small_school: School) -> None:
    course = small_school.course()
    in_time = AnyOf((QUIZ, Within(WORD, None, NOW - timedelta(days=1))))
    placed = factories.placed(small_school.database, course, criterion=in_time)
    (learner_id,) = factories.enrol(small_school.database, course)
    factories.attestation(small_school.database, course, placed, "talk", learner_id, NOW)
    decide(small_school, course)

    def letters() -> str:
        (row,) = small_school.rows(tables.Decision, tables.Decision.is_latest)
        return str(row.leaf_states)

    assert letters() == "UN"
    small_school.change(tables.Attestation, at=EARLIER)
    decide(small_school, course)
    assert letters() == "UM"


@pytest.mark.parametrize("is_for_all", [True, False])
def test_facts_take_as_many_queries_for_many_as_for_few(school: School, is_for_all: bool) -> None:
    counted = []
    for size in (2, 200):
        course, _, learner_ids = mixed(school)
        learner_ids += factories.enrol(school.database, course, size)
        some = None if is_for_all else learner_ids
        decide(school, course)
        with school.database.statements() as statements:
            if some is None:
                school.awarding.decide_context(course.organisation_id, course.context_id)
            else:
                school.awarding.decide_learners(course.organisation_id, course.context_id, some)
        counted.append(len([each for each in statements if not each.startswith("BEGIN")]))
    assert counted[0] == counted[1]


# -- drafts, and criteria that nobody saved


def test_a_draft_can_be_tried_and_awards_nothing(school: School) -> None:
    course = school.course()
    draft = factories.placed(school.database, course, status="draft")
    (learner_id,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, draft, [learner_id], 90)
    ids = (course.organisation_id, course.context_id)
    assert decide(school, course) == 0
    assert list(school.awarding.dry_run(*ids)) == []
    tried = school.awarding.preview_placement(*ids, draft.placement_id)
    assert (tried.placement.status, tried.decisions[0].verdict) == ("draft", "award")
    (tried,) = school.awarding.preview(*ids, [learner_id], with_drafts=True)
    assert tried.decisions[0].state is State.MET
    assert school.rows(tables.Decision) == []


def test_a_draft_whose_link_the_platform_never_showed_is_not_listed(small_school: School) -> None:
    """Deep linking may be cancelled in the LMS, which tells nobody; a gate that was opened is a sign."""
    course = small_school.course()
    draft = factories.placed(small_school.database, course, status="draft")
    ids = (course.organisation_id, course.context_id)
    link = small_school.rows(tables.ResourceLink)[0]
    small_school.change(tables.ResourceLink, badge_link_key="another link")
    assert list(small_school.awarding.dry_run(*ids, with_drafts=True)) == []
    factories.gate(small_school.database, course, draft, "page", state="open", resource_link_id=link.id)
    assert len(list(small_school.awarding.dry_run(*ids, with_drafts=True))) == 1


def test_unsaved_criteria_are_tried_on_what_other_badges_read(school: School) -> None:
    course, _, (everything, nothing) = mixed(school)
    ids = (course.organisation_id, course.context_id)

    def states(criterion: Criterion) -> dict[str, State]:
        tried = school.awarding.simulate(*ids, criterion)
        assert tried.criterion == criterion
        return {decision.learner_id: decision.state for decision in tried.decisions}

    assert states(ScoreAtLeast("quiz", "Quiz 1", Decimal(85))) == {
        everything: State.MET,
        nothing: State.UNKNOWN,
    }
    assert states(ScoreAtLeast("quiz", "Quiz 1", Decimal(95)))[everything] is State.NOT_MET
    never_read = ScoreAtLeast("exam", "Exam", Decimal(50))
    assert set(states(never_read).values()) == {State.UNKNOWN}
    by_hand = ScoreAtLeast("quiz", "Quiz 1", Decimal(50), channel=Channel.ATTEST)
    assert set(states(by_hand).values()) == {State.UNKNOWN}, "that column has another source"
    assert set(states(GATE).values()) == {State.UNKNOWN}, "that gate is another link, restricted otherwise"
    assert set(states(WORD).values()) == {State.NOT_MET}, "that word was given for another badge"
    assert school.rows(tables.Decision) == []


def test_changed_criteria_are_tried_on_what_their_own_badge_has(school: School) -> None:
    course, placed, (everything, nothing) = mixed(school)
    tried = school.awarding.simulate(
        course.organisation_id,
        course.context_id,
        AllOf((GATE, WORD, ESSAY)),
        placement_id=placed.placement_id,
    )
    states = {decision.learner_id: decision.state for decision in tried.decisions}
    assert states == {everything: State.MET, nothing: State.NOT_MET}
    elsewhere = school.course()
    tried = school.awarding.simulate(
        elsewhere.organisation_id, elsewhere.context_id, GATE, placement_id=placed.placement_id
    )
    assert (tried.placement.id, tried.decisions) == ("", ())


def test_unsaved_criteria_in_a_course_without_any_badge_are_known_for_nobody(small_school: School) -> None:
    course = small_school.course()
    (learner_id,) = factories.enrol(small_school.database, course)
    tried = small_school.awarding.simulate(course.organisation_id, course.context_id, QUIZ)
    assert [(one.learner_id, one.state) for one in tried.decisions] == [(learner_id, State.UNKNOWN)]
    other = small_school.course()
    assert small_school.awarding.simulate(other.organisation_id, course.context_id, QUIZ).decisions == ()
