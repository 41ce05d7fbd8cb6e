"""What is owed of milestones: found after whatever was cut off, looked for only where something is new."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from lti_tool.domain.awarding import Verdict
from lti_tool.errors import ConfigurationInvalid
from lti_tool.services.awarding import Awarding
from lti_tool.services.deciding import Deciding
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import persons, tables
from tests import factories
from tests.factories import NOW
from tests.integration.services.milestone_campus import Campus, office
from tests.integration.services.school import School


def achievement_of(campus: Campus, number: int) -> str:
    with campus.school.database.read() as session:
        found = session.scalar(
            sa.select(tables.AchievementVersion.achievement_id).where(
                tables.AchievementVersion.id == campus.placed[number].achievement_version_id
            )
        )
    assert found is not None
    return found


def over_badges(campus: Campus, *numbers: int) -> MilestoneForm:
    """All badges of some courses held."""
    rules = [
        {"type": "holds", "achievement_id": achievement_of(campus, number), "label": f"Badge {number}"}
        for number in numbers
    ]
    criteria = {"version": 2, "rule": {"type": "all", "of": rules}}
    return MilestoneForm(kind="own", name="All badges", criteria_json=json.dumps(criteria))


def completed_unnoticed(campus: Campus, learner_id: str, number: int) -> None:
    """A worker was killed between the completion's commit and the milestone's."""
    alone = Awarding(campus.school.database, campus.school.clock)
    course = campus.courses[number]
    factories.grade(campus.school.database, course, campus.placed[number], [learner_id], 90)
    alone.decide_learner(campus.organisation_id, course.context_id, learner_id)


def awarded_unnoticed(campus: Campus, learner_id: str, number: int) -> str:
    """The same of an award that comes after the completion, as those of a retroactive run do."""
    placed = campus.placed[number]
    now = campus.school.clock()
    return factories.award(campus.school.database, campus.courses[number], placed, learner_id, now)


def settled(campus: Campus, milestone_id: str) -> None:
    """Everything that was owed is done, and a day goes by."""
    campus.milestones.work(milestone_id)
    campus.school.clock.forward(days=1)
    campus.milestones.work(milestone_id)
    assert milestone_id not in campus.milestones.due(10)


def test_an_award_that_a_milestone_asks_for_is_found_though_its_maker_was_killed(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active(over_badges(campus, 0, 1))
    ada, bob = campus.learner(), campus.learner()
    for learner_id in (ada, bob):
        completed_unnoticed(campus, learner_id, 2)
    awarded_unnoticed(campus, ada, 0)
    settled(campus, milestone_id)
    assert campus.decision(ada).verdict == Verdict.NOT_YET
    awarded_unnoticed(campus, ada, 1)
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    assert [award.learner_id for award in campus.awards()] == [ada]
    assert campus.milestones.due(10) == ()


def test_a_badge_that_nobody_asks_for_owes_nothing(small_school: School) -> None:
    campus = Campus(small_school, 4)
    milestone_id = campus.active(over_badges(campus, 0, 1))
    ada = campus.learner()
    completed_unnoticed(campus, ada, 2)
    settled(campus, milestone_id)
    awarded_unnoticed(campus, ada, 3)
    assert campus.milestones.due(10) == ()


def test_a_badge_that_ended_and_was_renewed_counts_again(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active(over_badges(campus, 0, 1))
    ada = campus.learner()
    completed_unnoticed(campus, ada, 2)
    award_id = awarded_unnoticed(campus, ada, 0)
    school.issuing.issue_for([award_id])
    school.change(tables.Credential, tables.Credential.award_id == award_id, valid_until=NOW)
    settled(campus, milestone_id)
    awarded_unnoticed(campus, ada, 1)
    assert campus.milestones.work(milestone_id) == 0
    later = school.clock() + timedelta(days=90)
    with school.database.write() as session:
        session.add(
            tables.Renewal(
                organisation_id=campus.organisation_id,
                award_id=award_id,
                number=1,
                finding={},
                evidence={},
                met_at=school.clock(),
                renewed_at=school.clock(),
                valid_until=later,
            )
        )
    # Until it is signed the badge has not begun again.
    assert campus.milestones.due(10) == ()
    school.change(tables.Credential, tables.Credential.award_id == award_id, valid_until=later)
    school.change(tables.Renewal, tables.Renewal.award_id == award_id, signed_at=school.clock())
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1


def test_a_completion_that_was_dated_before_a_decision_and_came_after_it_is_found(school: School) -> None:
    """As where two workers' clocks differ, or a transaction took long."""
    campus = Campus(school)
    milestone_id = campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    settled(campus, milestone_id)
    completed_unnoticed(campus, ada, 1)
    school.change(
        tables.Completion,
        tables.Completion.micromodule_version_id == campus.placed[1].micromodule_version_id,
        recorded_at=school.clock() - timedelta(minutes=30),
    )
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1


def test_what_a_killed_run_over_everybody_left_is_done(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    learners = [campus.learner() for _ in range(3)]
    for learner_id in learners:
        for number in (0, 1):
            completed_unnoticed(campus, learner_id, number)
    milestone_id = campus.active()
    monkeypatch.setattr("lti_tool.services.milestones.AT_ONCE", 1)
    kill_at_the_second_batch(campus, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        campus.milestones.work(milestone_id)
    monkeypatch.undo()
    assert len(campus.awards()) == 1
    school.clock.forward(minutes=5)  # the lease of the one that was killed
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 2


def kill_at_the_second_batch(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    decide, done = type(campus.milestones)._decide, []

    def killed(self: object, *about: object) -> tuple[str, ...]:
        if done:
            raise KeyboardInterrupt
        done.append(about)
        return decide(self, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(type(campus.milestones), "_decide", killed)


def without_key(campus: Campus, milestone_id: str) -> str:
    """The milestone's badge is another issuer's than the courses', and that one's key cannot be used."""
    school = campus.school
    issuer_id = school.another_issuer(campus.organisation_id)
    own = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    school.change(tables.Achievement, tables.Achievement.id != own, issuer_id=campus.courses[0].issuer_id)
    school.issuing.keys.signer(issuer_id, school.urls.did(issuer_id))
    school.expose_key(issuer_id)
    return issuer_id


def test_an_issuer_whose_key_cannot_be_used_stops_no_decision(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    for learner_id in [campus.learner() for _ in range(3)]:
        for number in (0, 1):
            completed_unnoticed(campus, learner_id, number)
    milestone_id = campus.active()
    issuer_id = without_key(campus, milestone_id)
    monkeypatch.setattr("lti_tool.services.milestones.AT_ONCE", 1)
    with capture_logs() as logs:
        assert campus.milestones.work(milestone_id) == 3
    assert [one["event"] for one in logs].count("credential_not_issued") == 3
    waiting = {award.id for award in campus.awards()}
    assert waiting <= set(school.issuing.awards_without_credential())
    school.expose_key(issuer_id, is_exposed=False)
    assert set(school.issuing.issue_for(sorted(waiting))) == waiting


def test_whoever_stops_with_an_error_keeps_no_milestone_from_the_next_worker(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    for learner_id in [campus.learner() for _ in range(2)]:
        for number in (0, 1):
            completed_unnoticed(campus, learner_id, number)
    milestone_id = campus.active()
    monkeypatch.setattr("lti_tool.services.milestones.AT_ONCE", 1)
    kill_at_the_second_batch(campus, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        campus.milestones.work(milestone_id)
    monkeypatch.undo()
    assert campus.milestones.work(milestone_id) == 1


def test_a_course_waits_for_no_key_of_a_milestones_issuer(school: School) -> None:
    """What is of its own is signed and written back, and its reading has not failed."""
    campus = Campus(school, 1)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="1"))
    ada = campus.learner()
    without_key(campus, milestone_id)
    course = campus.courses[0]
    factories.grade(school.database, course, campus.placed[0], [ada], 90)
    offered = Offered([])
    deciding = Deciding(campus.awarding, school.issuing, offered)
    with capture_logs() as logs:
        decided = deciding.decide(campus.organisation_id, course.context_id, [ada], "sync")
    assert (decided.issued, decided.refusal, len(decided.award_ids)) == (1, None, 2)
    assert offered.of == [course.context_id]
    assert "credential_not_issued" in [one["event"] for one in logs]


def test_a_course_whose_own_issuer_has_no_key_is_told_so_after_everything_else(school: School) -> None:
    campus = Campus(school, 1)
    ada = campus.learner()
    school.issuing.issue_for(campus.complete(ada, 0))
    bob = campus.learner()
    course = campus.courses[0]
    factories.grade(school.database, course, campus.placed[0], [bob], 90)
    school.expose_key(course.issuer_id)
    offered = Offered([])
    deciding = Deciding(campus.awarding, school.issuing, offered)
    decided = deciding.decide(campus.organisation_id, course.context_id, [bob], "sync")
    assert isinstance(decided.refusal, ConfigurationInvalid)
    assert offered.of == [course.context_id]


@dataclass
class Offered:
    """Courses whose scores were to be written back."""

    of: list[str]

    def offer_due(self, _organisation_id: str, context_id: str, _learner_id: str | None = None, /) -> None:
        self.of.append(context_id)


def test_a_category_that_shrinks_and_one_put_aside_make_it_due(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1, 2)
    milestone_id = campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    ada = campus.learner()
    campus.complete(ada, 0)
    settled(campus, milestone_id)
    office(school).set_categories(campus.staff, campus.micromodule(1), [])
    assert campus.milestones.due(10) == (milestone_id,)
    settled(campus, milestone_id)
    assert not campus.awards()
    office(school).archive_micromodule(campus.staff, campus.micromodule(2), is_archived=True)
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    assert campus.milestones.due(10) == ()


def test_a_change_while_everybody_is_gone_through_is_not_lost(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1)
    milestone_id = campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    ada = campus.learner()
    completed_unnoticed(campus, ada, 0)
    decide, done = type(campus.milestones)._decide, []

    def interrupted(self: object, *about: object) -> tuple[str, ...]:
        found = decide(self, *about)  # type: ignore[arg-type]
        if not done:
            done.append(found)
            school.clock.forward(seconds=1)
            office(school).set_categories(campus.staff, campus.micromodule(1), [])
        return found

    monkeypatch.setattr(type(campus.milestones), "_decide", interrupted)
    school.clock.forward(seconds=1)
    campus.milestones.work(milestone_id)
    school.clock.forward(seconds=1)
    assert campus.milestones.due(10) == (milestone_id,) or campus.awards()
    campus.milestones.work(milestone_id)
    assert [award.learner_id for award in campus.awards()] == [ada]


@pytest.mark.parametrize("change", ["archived", "sorted"])
def test_a_change_by_a_machine_whose_clock_is_behind_is_found(school: School, change: str) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1)
    milestone_id = campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    ada = campus.learner()
    campus.milestones.work(milestone_id)
    school.clock.forward(seconds=3)  # of the worker that decides
    campus.complete(ada, 0)
    assert campus.awards() == []
    school.clock.forward(seconds=-2)  # a second later, by another machine's clock
    if change == "archived":
        office(school).archive_micromodule(campus.staff, campus.micromodule(1), is_archived=True)
    else:
        office(school).set_categories(campus.staff, campus.micromodule(1), [])
    assert campus.milestones.work(milestone_id) == 1
    assert [award.learner_id for award in campus.awards()] == [ada]
    assert campus.milestones.due(10) == ()


def test_joining_and_leaving_are_found_though_the_hint_was_lost(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada, ada_elsewhere = campus.learner(), campus.learner()
    completed_unnoticed(campus, ada, 0)
    completed_unnoticed(campus, ada_elsewhere, 1)
    settled(campus, milestone_id)
    with school.database.write() as session:
        persons.lock(session, campus.organisation_id)
        persons.join(session, campus.organisation_id, [ada, ada_elsewhere], school.clock())
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    settled(campus, milestone_id)
    with school.database.write() as session:
        persons.lock(session, campus.organisation_id)
        persons.leave(session, campus.organisation_id, ada)
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 0
    assert len(campus.awards()) == 1


def test_looking_for_what_is_owed_reads_only_what_is_new(small_school: School) -> None:
    """No completion of before is looked at: each was decided about when it came."""
    school = small_school
    campus = Campus(school, 2)
    milestone_id = campus.active()
    over = campus.active(over_badges(campus, 0, 1))
    old = [campus.learner() for _ in range(40)]
    for learner_id in old:
        completed_unnoticed(campus, learner_id, 0)
    for each in (milestone_id, over):
        settled(campus, each)
    settled(campus, milestone_id)
    campus.milestones.work(over)
    with school.database.statements() as statements:
        assert campus.milestones.due(10) == ()
    asked = [one for one in statements if "completions" in one]
    assert asked
    with school.database.read() as session:
        for statement in asked:
            parameters = ("x",) * statement.count("?")
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]
            assert any("ix_completions_recorded_at" in step and "recorded_at>?" in step for step in steps), (
                steps
            )
            assert not [step for step in steps if step.startswith("SCAN") and "completions" in step]


def test_the_mark_moves_on_though_nothing_is_owed(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    settled(campus, milestone_id)
    school.clock.forward(minutes=30)
    assert campus.milestones.due(10) == ()
    school.clock.forward(minutes=40)
    assert campus.milestones.due(10) == (milestone_id,)
    campus.milestones.work(milestone_id)
    (version,) = school.rows(tables.MilestoneVersion)
    assert version.settled_at == school.clock()


def test_a_completion_is_recorded_when_it_is_kept_and_not_when_its_course_was_begun(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A course of very many takes a while: who asks what came since is told of all of it."""
    school = small_school
    campus = Campus(school, 1)
    learners = [campus.learner() for _ in range(3)]
    factories.grade(school.database, campus.courses[0], campus.placed[0], learners, 90)
    keep = Awarding._keep

    def slowly(self: Awarding, *about: object) -> tuple[int, tuple[str, ...]]:
        school.clock.forward(minutes=7)
        return keep(self, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(Awarding, "_keep", slowly)
    campus.awarding.decide_context(campus.organisation_id, campus.courses[0].context_id)
    assert {row.recorded_at for row in school.rows(tables.Completion)} == {school.clock()}
    assert {row.awarded_at for row in school.rows(tables.Award)} == {school.clock()}
