"""After the award: facts that changed are reviewed by people; nothing is taken back by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.domain.criteria import AnyOf, Criterion, ScoreAtLeast, State
from lti_tool.errors import Conflict, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.deciding import Deciding
from lti_tool.services.doubting import Doubting
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.reviews import Reviews
from lti_tool.store import privacy, tables
from lti_tool.store.reviews import ReviewFilter
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.school import School, session_of
from tests.integration.services.test_facts import GATE, QUIZ

UNDO = timedelta(hours=24)
ALL = ReviewFilter()


@dataclass(frozen=True)
class Class:
    """A course whose learners have earned its badge, and its teachers."""

    school: School
    course: Course
    placed: Placed
    learners: tuple[str, ...]
    teacher_id: str
    undo: timedelta = UNDO

    @property
    def doubting(self) -> Doubting:
        return Doubting(self.school.database, self.school.clock)

    @property
    def reviews(self) -> Reviews:
        school = self.school
        return Reviews(school.database, school.clock, school.hints, school.revoking, self.doubting, self.undo)

    def decide(self, learner_ids: Any = None) -> None:
        """What a sync does, or a visit."""
        deciding = Deciding(self.school.awarding, self.school.issuing, None, self.doubting)
        deciding.decide(self.course.organisation_id, self.course.context_id, learner_ids, "sync")

    def lower(self, number: int = 0, score: Any = 10) -> None:
        self.school.regrade(self.placed, self.learners[number], score)
        self.decide()

    def leave(self, number: int = 0, *, is_active: bool = False) -> None:
        self.school.change(
            tables.Membership,
            tables.Membership.learner_id == self.learners[number],
            is_active=is_active,
            left_at=None if is_active else self.school.clock(),
        )
        self.decide()

    def revoke(self) -> str:
        """Decide the only review that waits; its id."""
        review = next(one for one in self.all() if one.status in ("open", "asked"))
        self.reviews.revoke(self.teacher(), review.id, "Not their own work.", review.digest)
        return str(review.id)

    def later(self) -> None:
        """The time for undoing is over."""
        self.school.clock.forward(hours=25)

    def all(self) -> list[Any]:
        return sorted(self.school.rows(tables.Review), key=lambda one: one.opened_at)

    def only(self) -> Any:
        (review,) = self.all()
        return review

    def teacher(self, **changes: Any) -> SessionView:
        rights = {"can_view_progress": True, "can_configure": True, "is_learner": False}
        return session_of(self.course, **{"learner_id": self.teacher_id, **rights, **changes})

    def learner(self, number: int = 0, **changes: Any) -> SessionView:
        return session_of(self.course, self.learners[number], **changes)

    def is_revoked(self, number: int = 0) -> bool:
        (award,) = self.school.rows(tables.Award, tables.Award.learner_id == self.learners[number])
        (credential,) = self.school.rows(tables.Credential, tables.Credential.award_id == award.id)
        return credential.revoked_at is not None

    def actions(self) -> list[str]:
        events = sorted(self.school.rows(tables.AuditEvent), key=lambda event: (event.at, event.action))
        return [one.action for one in events if one.action.startswith(("review.", "credential."))]


def a_class(
    school: School, *, learners: int = 2, criterion: Criterion = QUIZ, undo: timedelta = UNDO, grade: Any = 90
) -> Class:
    course = school.course()
    placed = factories.placed(school.database, course, criterion=criterion)
    teacher_id, *ids = factories.enrol(school.database, course, learners + 1)
    school.change(
        tables.Membership, tables.Membership.learner_id == teacher_id, is_staff=True, is_learner=False
    )
    made = Class(school, course, placed, tuple(ids), teacher_id, undo)
    factories.grade(school.database, course, placed, ids, grade)
    made.decide()
    school.clock.forward(hours=1)
    return made


# -- opening and settling


def test_a_lowered_grade_opens_one_review_and_takes_nothing_back(school: School) -> None:
    of = a_class(school)
    assert of.all() == []
    of.lower()
    of.decide()
    review = of.only()
    assert (review.cause, review.status, review.learner_id) == ("facts", "open", of.learners[0])
    assert review.decision_then_id
    assert review.decision_now_id != review.decision_then_id
    assert not of.is_revoked()


def test_a_visit_that_brings_the_lowered_grade_opens_the_review_at_once(school: School) -> None:
    of = a_class(school)
    school.regrade(of.placed, of.learners[0], 10)
    of.decide([of.learners[0]])
    assert of.only().cause == "facts"


def test_a_review_settles_by_itself_when_the_grade_is_good_again(school: School) -> None:
    of = a_class(school)
    of.lower()
    of.lower(score=80)
    assert of.only().status == "settled"
    of.lower(score=10)
    assert [one.status for one in of.all()] == ["settled", "open"], "the same facts may come back"


def test_a_deleted_result_is_reviewed_and_a_column_that_cannot_be_read_is_not(school: School) -> None:
    of = a_class(school)
    school.change(
        tables.Result, tables.Result.learner_id == of.learners[0], score=None
    )  # the platform lists the person without a grade
    of.decide()
    review = of.only()
    assert (review.cause, review.learner_id) == ("facts", of.learners[0])
    school.change(
        tables.LineItem,
        tables.LineItem.id == of.placed.line_item_id,
        is_complete=False,
        trouble="platform_unavailable",
    )
    with school.database.write() as session:
        session.delete(session.get(tables.Result, of.school.rows(tables.Result)[0].id))
    of.decide()
    assert len(of.all()) == 1


def test_who_left_is_reviewed_and_settles_with_coming_back(school: School) -> None:
    of = a_class(school)
    of.leave()
    assert (of.only().cause, of.only().status) == ("left", "open")
    of.leave(is_active=True)
    assert of.only().status == "settled"
    of.leave(1)
    assert [one.cause for one in of.all()] == ["left", "left"]


def test_who_had_gone_before_the_award_is_no_news(school: School) -> None:
    """A badge was switched on for those who had finished long ago."""
    of = a_class(school)
    school.change(
        tables.Membership,
        tables.Membership.learner_id == of.learners[0],
        is_active=False,
        left_at=school.clock.now - timedelta(days=30),
    )
    # The time is not known where an earlier release noted the leaving.
    school.change(
        tables.Membership, tables.Membership.learner_id == of.learners[1], is_active=False, left_at=None
    )
    of.decide()
    assert of.all() == []


def test_a_grade_that_went_along_with_its_learner_is_no_reason_of_its_own(school: School) -> None:
    """Moodle deletes the grades of who is unenrolled."""
    of = a_class(school, learners=4)
    school.change(tables.Result, tables.Result.line_item_id == of.placed.line_item_id, score=None)
    school.change(
        tables.Membership,
        tables.Membership.learner_id == of.learners[1],
        is_active=False,
        left_at=school.clock.now - timedelta(days=30),
    )
    of.leave()
    assert {one.learner_id: one.cause for one in of.all()} == {
        of.learners[0]: "left",
        of.learners[2]: "facts",
        of.learners[3]: "facts",
    }, "who had gone before the award is no news, whatever is left of them"
    of.leave(2)
    assert {one.learner_id: one.cause for one in of.all()} == {
        of.learners[0]: "left",
        of.learners[2]: "left",
        of.learners[3]: "facts",
    }, "grades are read more often than rosters"
    of.leave(is_active=True)
    assert {(one.cause, one.status) for one in of.all() if one.learner_id == of.learners[0]} == {
        ("facts", "open")
    }, "who is back has no grade"


def test_of_a_reset_course_the_reviews_say_so(school: School) -> None:
    of = a_class(school)
    school.change(tables.Context, tables.Context.id == of.course.context_id, emptied_at=school.clock())
    school.change(tables.Result, tables.Result.line_item_id == of.placed.line_item_id, score=None)
    of.decide()
    assert {one.cause for one in of.all()} == {"reset"}
    assert len(of.all()) == 2


def test_a_doubted_gate_has_those_reviewed_who_needed_it_until_it_is_confirmed_again(school: School) -> None:
    criterion = AnyOf((GATE, QUIZ))
    of = a_class(school, criterion=criterion, grade=10)
    gate_id = factories.gate(school.database, of.course, of.placed, "page")
    factories.gate_pass(school.database, of.course, gate_id, of.learners[0])
    of.school.regrade(of.placed, of.learners[1], 90)
    of.decide()
    assert not of.all()
    school.change(tables.Gate, tables.Gate.id == gate_id, state="doubted")
    of.decide()
    review = of.only()
    assert (review.cause, review.learner_id) == ("gate", of.learners[0]), "the other has it by the quiz"
    school.clock.forward(hours=1)
    school.change(tables.Gate, tables.Gate.id == gate_id, state="confirmed", confirmed_at=school.clock())
    of.decide()
    assert of.only().status == "settled"


def test_a_kept_badge_is_asked_about_again_only_for_other_facts(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.keep(of.teacher(), review.id, "The quiz was regraded by mistake.", review.digest)
    of.decide()
    assert of.only().status == "kept"
    of.lower(score=0)
    assert [one.status for one in of.all()] == ["kept", "open"]


def test_a_badge_of_another_course_is_not_doubted_by_this_one(school: School) -> None:
    """The same micromodule in two courses: who earned the badge in one may do worse in the other."""
    of = a_class(school)
    other = factories.courses_beside(school.database, of.course, 1)[0]
    school.change(tables.Award, tables.Award.learner_id == of.learners[0], context_id=other.context_id)
    of.lower()
    assert of.all() == []


def test_revoked_and_ended_badges_need_no_review(school: School) -> None:
    of = a_class(school)
    (first, second) = (
        school.rows(tables.Credential, tables.Credential.award_id == award.id)[0].id
        for award in sorted(school.rows(tables.Award), key=lambda one: of.learners.index(one.learner_id))
    )
    school.revoking.revoke(first, "Given by mistake", "cli")
    school.change(tables.Credential, tables.Credential.id == second, valid_until=school.clock())
    of.lower(0)
    of.lower(1)
    assert of.all() == []


def test_a_review_closes_when_the_badge_is_revoked_in_another_way(school: School) -> None:
    of = a_class(school)
    of.lower()
    for credential in school.rows(tables.Credential):
        school.revoking.revoke(credential.id, "Given by mistake", "cli")
    of.decide()
    assert (of.only().status, of.only().reason) == ("revoked", "Given by mistake")


@pytest.mark.parametrize("of_version", [False, True])
def test_a_review_closes_when_its_badge_ends(school: School, of_version: bool) -> None:
    of = a_class(school)
    of.lower()
    end = school.clock() + timedelta(hours=2)
    if of_version:  # not signed into the badge yet
        school.change(tables.AchievementVersion, tables.AchievementVersion.name != "", expires_at=end)
    else:
        school.change(tables.Credential, tables.Credential.revoked_at.is_(None), valid_until=end)
    of.decide()
    assert of.only().status == "open"
    school.clock.forward(hours=3)
    of.decide()
    assert of.only().status == "settled"
    view = of.reviews.view(of.teacher(), of.only().id)
    assert view.review.has_ended
    of.lower(1)
    assert len(of.all()) == 1, "what is over is not doubted"


# -- deciding


def test_a_revocation_waits_can_be_undone_and_is_carried_out_in_time(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.revoke(of.teacher(), review.id, "Somebody else sat the quiz.", review.digest)
    of.decide()
    assert of.reviews.due(10) == ()
    assert not of.is_revoked()
    school.clock.forward(minutes=1)
    of.reviews.take_back(of.teacher(), review.id)
    assert of.only().status == "open"
    school.clock.forward(minutes=1)
    of.reviews.revoke(of.teacher(), review.id, "Somebody else sat the quiz.", review.digest)
    school.clock.forward(hours=24)
    assert of.reviews.due(10) == (review.id,)
    with pytest.raises(Conflict):
        of.reviews.take_back(of.teacher(), review.id)
    assert of.reviews.carry_out(review.id)
    assert not of.reviews.carry_out(review.id), "twice changes nothing"
    assert of.reviews.due(10) == ()
    assert of.is_revoked()
    (credential,) = school.rows(tables.Credential, tables.Credential.revoked_at.is_not(None))
    assert credential.revocation_reason == "Somebody else sat the quiz."
    assert of.actions() == ["review.revoked", "review.undone", "review.revoked", "credential.revoked"]
    with pytest.raises(Conflict):
        of.reviews.take_back(of.teacher(), review.id)
    of.decide()
    assert len(of.all()) == 1


def test_nothing_is_revoked_once_the_facts_are_good_again(school: School) -> None:
    of = a_class(school)
    of.lower()
    id_ = of.revoke()
    of.lower(score=90)
    of.later()
    assert of.reviews.due(10) == (id_,)
    assert not of.reviews.carry_out(id_)
    assert not of.is_revoked()
    assert of.reviews.due(10) == (), "it is not looked at again"
    review = of.only()
    assert (review.status, review.spared_at, review.carried_out_at) == ("settled", school.clock(), None)
    assert review.reason == "Not their own work.", "what was decided stays on record"
    assert of.actions() == ["review.revoked", "review.spared"]
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "review.spared")
    assert (event.actor, event.subject_id) == ("rule", id_)
    assert not of.reviews.carry_out(id_), "a message that comes twice does nothing"


def test_who_is_back_is_not_revoked_for_having_left(school: School) -> None:
    of = a_class(school)
    of.leave()
    id_ = of.revoke()
    of.leave(is_active=True)
    of.later()
    assert not of.reviews.carry_out(id_)
    assert (of.only().status, of.is_revoked()) == ("settled", False)


def test_leaving_with_the_grades_spares_nobody(school: School) -> None:
    """Moodle deletes the grades of who is unenrolled: what they were is not known any more."""
    of = a_class(school)
    of.lower()
    id_ = of.revoke()
    school.change(tables.Result, tables.Result.learner_id == of.learners[0], score=None)
    of.leave()
    of.later()
    assert of.reviews.carry_out(id_)
    assert of.is_revoked()


def test_a_revocation_for_a_reason_that_is_gone_is_asked_about_anew_where_there_is_another(
    school: School,
) -> None:
    of = a_class(school)
    of.leave()
    id_ = of.revoke()
    of.leave(is_active=True)
    of.lower()
    of.later()
    assert not of.reviews.carry_out(id_)
    assert not of.is_revoked()
    first, second = of.all()
    assert (first.status, second.status, second.cause) == ("settled", "open", "facts")


def test_facts_that_are_worse_still_or_not_known_spare_nobody(school: School) -> None:
    of = a_class(school)
    of.lower()
    worse = of.revoke()
    of.lower(score=0)
    of.later()
    assert of.reviews.carry_out(worse)
    of.lower(1)
    unknown = of.revoke()
    school.change(
        tables.LineItem,
        tables.LineItem.id == of.placed.line_item_id,
        is_complete=False,
        trouble="platform_unavailable",
    )
    of.decide()
    of.later()
    assert of.reviews.carry_out(unknown)


def test_those_who_teach_are_told_what_was_not_revoked(school: School) -> None:
    of = a_class(school)
    of.lower()
    id_ = of.revoke()
    of.lower(score=90)
    waits = of.reviews.view(of.teacher(), id_)
    assert waits.is_good_again
    assert waits.now is not None
    assert waits.now.finding.state is State.MET, "the page does not show what is over"
    of.later()
    of.reviews.carry_out(id_)
    assert of.reviews.listed(of.teacher(), ALL).spared == 1
    school.clock.forward(days=15)
    assert of.reviews.listed(of.teacher(), ALL).spared == 0, "it is news for a fortnight"


def test_without_time_to_undo_the_queue_is_told_at_once(school: School) -> None:
    of = a_class(school, undo=timedelta())
    of.lower()
    review = of.only()
    of.reviews.revoke(of.teacher(), review.id, "No.", review.digest)
    assert ("carry_out_review", {"review_id": review.id}) in school.hints.offered
    assert of.reviews.carry_out(review.id)


def test_an_undone_revocation_is_not_carried_out_by_a_late_message(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.revoke(of.teacher(), review.id, "No.", review.digest)
    of.reviews.take_back(of.teacher(), review.id)
    school.clock.forward(hours=30)
    assert not of.reviews.carry_out(review.id)
    assert not of.is_revoked()


def test_of_two_instructors_who_decide_at_once_the_second_is_told(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.keep(of.teacher(), review.id, "Stays.", review.digest)
    with pytest.raises(Conflict):
        of.reviews.revoke(of.teacher(learner_id="1" * 32), review.id, "Goes.", review.digest)
    assert (of.only().status, of.only().reason) == ("kept", "Stays.")


def test_nobody_keeps_a_badge_that_was_revoked_meanwhile(school: School) -> None:
    """The issuer's staff revoke at once, on their own pages."""
    of = a_class(school)
    of.lower()
    review = of.only()
    (award,) = school.rows(tables.Award, tables.Award.learner_id == of.learners[0])
    (credential,) = school.rows(tables.Credential, tables.Credential.award_id == award.id)
    school.revoking.revoke(credential.id, "Given by mistake", "staff:x")
    with pytest.raises(Conflict):
        of.reviews.keep(of.teacher(), review.id, "Stays.", review.digest)
    assert (of.only().status, of.only().reason) == ("revoked", "Given by mistake"), "the page says why"


def test_who_saw_other_facts_is_told_instead_of_deciding_about_these(school: School) -> None:
    of = a_class(school)
    of.lower()
    seen = of.only().digest
    of.lower(score=0)
    with pytest.raises(Conflict):
        of.reviews.revoke(of.teacher(), of.only().id, "Ten of a hundred.", seen)
    assert of.only().status == "open"


def test_many_are_decided_with_one_reason_after_a_look(school: School) -> None:
    of = a_class(school, learners=3)
    for number in range(3):
        of.lower(number)
    first, second, third = of.all()
    of.reviews.keep(of.teacher(), third.id, "Stays.", third.digest)
    plan = of.reviews.plan(of.teacher(), [first.id, second.id, third.id])
    assert {one.id for one in plan.reviews} == {first.id, second.id}
    assert [one.id for one in plan.settled] == [third.id]
    assert plan.takes_effect_at == school.clock() + UNDO
    assert [one.status for one in of.all()].count("open") == 2, "a look changes nothing"
    seen = {one.id: one.digest for one in (first, second, third)}
    decided = of.reviews.decide_many(of.teacher(), seen, "Copied.", is_kept=False)
    assert set(decided) == {first.id, second.id}


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_same_decision_pressed_twice_is_made_once(school: School, is_kept: bool) -> None:
    of = a_class(school)
    of.lower()
    review, what = of.only(), "review.kept" if is_kept else "review.revoked"
    decide = of.reviews.keep if is_kept else of.reviews.revoke
    opposite = of.reviews.revoke if is_kept else of.reviews.keep
    decide(of.teacher(), review.id, "Talked to her.", review.digest)
    until = of.only().takes_effect_at
    school.clock.forward(minutes=1)
    decide(of.teacher(), review.id, " Talked to  her. ", review.digest)
    assert of.reviews.decide_many(
        of.teacher(), {review.id: review.digest}, "Talked to her.", is_kept=is_kept
    ) == (review.id,)
    assert (of.only().takes_effect_at, of.actions()) == (until, [what])
    other = of.teacher(learner_id="1" * 32)
    for action in (
        lambda: decide(of.teacher(), review.id, "Another reason.", review.digest),
        lambda: decide(of.teacher(), review.id, "Talked to her.", "other facts"),
        lambda: decide(other, review.id, "Talked to her.", review.digest),
        lambda: opposite(of.teacher(), review.id, "Talked to her.", review.digest),
    ):
        with pytest.raises(Conflict):
            action()
    assert of.actions() == [what]


def test_undone_twice_is_undone_once(school: School) -> None:
    of = a_class(school)
    of.lower()
    review, other = of.only(), of.teacher(learner_id="1" * 32)
    of.reviews.revoke(of.teacher(), review.id, "Copied.", review.digest)
    school.clock.forward(minutes=1)
    for _ in range(2):
        of.reviews.take_back(of.teacher(), review.id)
    assert of.actions() == ["review.revoked", "review.undone"]
    with pytest.raises(Conflict):
        of.reviews.take_back(other, review.id)
    school.clock.forward(minutes=1)
    of.reviews.keep(other, review.id, "Stays.", review.digest)
    with pytest.raises(Conflict):
        of.reviews.take_back(of.teacher(), review.id)
    assert of.only().status == "kept"


def test_an_undone_review_that_settles_at_once_is_undone_twice_all_the_same(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.revoke(of.teacher(), review.id, "Copied.", review.digest)
    school.regrade(of.placed, of.learners[0], 95)
    of.decide()
    school.clock.forward(minutes=1)
    of.reviews.take_back(of.teacher(), review.id)
    assert of.only().status == "settled"
    of.reviews.take_back(of.teacher(), review.id)
    assert of.actions().count("review.undone") == 1


def test_a_question_and_an_answer_sent_twice_stand_there_once(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    for _ in range(2):
        of.reviews.ask(of.teacher(), review.id, "What happened?\r\nTell us. ")
    with pytest.raises(Conflict):
        of.reviews.ask(of.teacher(learner_id="1" * 32), review.id, "What happened?\nTell us.")
    school.clock.forward(minutes=1)
    for _ in range(2):
        of.reviews.answer(of.learner(), review.id, "The connection broke.")
    assert of.actions() == ["review.asked", "review.answered"]
    of.reviews.keep(of.teacher(), review.id, "Believed.", review.digest)
    of.reviews.answer(of.learner(), review.id, "The connection broke.")
    with pytest.raises(Conflict):
        of.reviews.answer(of.learner(), review.id, "Something else.")
    with pytest.raises(Conflict):
        of.reviews.ask(of.teacher(), review.id, "What happened?\nTell us.")
    assert of.actions().count("review.answered") == 1


def test_the_learner_is_asked_once_and_answers_once(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    of.reviews.ask(of.teacher(), review.id, "What happened in the second attempt?")
    with pytest.raises(Conflict):
        of.reviews.ask(of.teacher(), review.id, "And then?")
    asked = of.reviews.question(of.learner(), review.id)
    assert asked.can_answer
    assert asked.review.question == "What happened in the second attempt?"
    with pytest.raises(NotFound):
        of.reviews.question(of.learner(1), review.id)
    with pytest.raises(NotAllowed):
        of.reviews.answer(of.learner(is_read_only=True), review.id, "Nothing")
    with pytest.raises(RequestInvalid):
        of.reviews.answer(of.learner(), review.id, "  ")
    of.reviews.answer(of.learner(), review.id, "The connection broke.")
    with pytest.raises(Conflict):
        of.reviews.answer(of.learner(), review.id, "Something else.")
    assert of.reviews.view(of.teacher(), review.id).review.answer == "The connection broke."
    of.decide()
    of.reviews.keep(of.teacher(), review.id, "Believed.", of.only().digest)
    assert not of.reviews.question(of.learner(), review.id).can_answer


def test_the_facts_then_and_now_are_shown(school: School) -> None:
    of = a_class(school)
    of.lower()
    view = of.reviews.view(of.teacher(), of.only().id)
    assert view.then is not None
    assert view.now is not None
    assert (view.then.finding.state, view.now.finding.state) == (State.MET, State.NOT_MET)
    assert isinstance(view.now.finding.criterion, ScoreAtLeast)
    assert view.now.finding.score is not None
    assert view.now.finding.score.value == 10
    assert view.can_decide


def test_the_list_is_paged_and_filtered(school: School) -> None:
    of = a_class(school, learners=3)
    for number in range(3):
        of.lower(number)
    of.reviews.keep(of.teacher(), of.all()[0].id, "Stays.", of.all()[0].digest)
    view = of.reviews.listed(of.teacher(), ALL, page=9, per_page=1)
    assert (view.page.number, view.page.pages, view.page.total, view.undecided) == (2, 2, 2, 2)
    assert of.reviews.listed(of.teacher(), ReviewFilter(status="kept")).page.total == 1
    assert of.reviews.listed(of.teacher(), ReviewFilter(cause="left")).page.total == 0
    assert of.reviews.listed(of.teacher(), ReviewFilter(query="%")).page.total == 0


# -- whoever has no business here


def test_nobody_without_rights_decides_or_looks(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    for session in (of.learner(1), of.teacher(can_configure=False), of.teacher(is_read_only=True)):
        for act in (
            lambda session=session: of.reviews.keep(session, review.id, "Stays.", review.digest),
            lambda session=session: of.reviews.revoke(session, review.id, "Goes.", review.digest),
            lambda session=session: of.reviews.ask(session, review.id, "Why?"),
            lambda session=session: of.reviews.take_back(session, review.id),
            lambda session=session: of.reviews.plan(session, [review.id]),
        ):
            with pytest.raises(NotAllowed):
                act()
    with pytest.raises(NotAllowed):
        of.reviews.listed(of.learner(), ALL)
    with pytest.raises(NotAllowed):
        of.reviews.view(of.learner(), review.id)
    with pytest.raises(NotAllowed):  # a teacher who learned here once
        of.reviews.keep(of.teacher(learner_id=of.learners[0]), review.id, "Stays.", review.digest)
    assert of.only().status == "open"


def test_another_course_and_another_organisation_find_nothing(school: School) -> None:
    of = a_class(school)
    of.lower()
    review = of.only()
    beside = factories.courses_beside(school.database, of.course, 1)[0]
    rights = {"can_view_progress": True, "can_configure": True, "is_learner": False}
    for session in (
        session_of(beside, of.teacher_id, **rights),
        session_of(school.course(), of.teacher_id, **rights),
    ):
        assert of.reviews.listed(session, ALL).page.total == 0
        with pytest.raises(NotFound):
            of.reviews.view(session, review.id)
        with pytest.raises(NotFound):
            of.reviews.keep(session, review.id, "Stays.", review.digest)
        with pytest.raises(NotFound):
            of.reviews.ask(session, review.id, "Why?")
        with pytest.raises(NotFound):
            of.reviews.take_back(session, review.id)
    of.reviews.ask(of.teacher(), review.id, "Why?")
    stranger = session_of(school.course(), of.learners[0])
    with pytest.raises(NotFound):
        of.reviews.question(stranger, review.id)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "turned \u202e round"])
def test_a_reason_is_needed_that_can_be_shown(small_school: School, reason: str) -> None:
    of = a_class(small_school)
    of.lower()
    review = of.only()
    with pytest.raises(RequestInvalid):
        of.reviews.revoke(of.teacher(), review.id, reason, review.digest)
    assert of.only().status == "open"


def test_no_review_and_too_many_are_refused(small_school: School) -> None:
    of = a_class(small_school)
    for many, problem in (
        (0, Problem("review_id", FormProblem.NOTHING_CHOSEN)),
        (201, Problem("review_id", FormProblem.TOO_MANY, {"limit": 200})),
    ):
        with pytest.raises(RequestInvalid) as refused:
            of.reviews.plan(of.teacher(), [str(number) for number in range(many)])
        assert refused.value.params["problems"] == (problem,)


def test_the_learner_leaves_nothing_behind_when_erased(school: School) -> None:
    of = a_class(school)
    of.lower()
    of.lower(1)
    review = next(one for one in of.all() if one.learner_id == of.learners[1])
    of.reviews.keep(of.teacher(learner_id=of.learners[0]), review.id, "Stays.", review.digest)
    with school.database.write() as session:
        assert privacy.counts(session, of.learners[0])["reviews"] == 1
        assert privacy.counts(session, of.learners[0])["reviews_decided"] == 1
        privacy.erase(session, of.learners[0], school.clock())
    left = of.only()
    assert (left.learner_id, left.decided_by) == (of.learners[1], "learner:")


# -- how much it costs


def test_pages_of_many_reviews_ask_no_more_than_of_few(school: School) -> None:
    counted = {}
    for size in (2, 40):
        of = a_class(school, learners=size)
        school.change(
            tables.Result, tables.Result.learner_id.in_(of.learners), score=10
        )  # of everybody at once
        of.decide()
        reviews = [one for one in of.all() if one.learner_id in of.learners]
        assert len(reviews) == size
        with school.database.statements() as statements:
            assert of.reviews.listed(of.teacher(), ALL).page.total == size
            of.reviews.plan(of.teacher(), [one.id for one in reviews])
            of.reviews.view(of.teacher(), reviews[0].id)
            of.doubting.look(of.course.organisation_id, of.course.context_id)
        counted[size] = len([one for one in statements if not one.startswith("BEGIN")])
    assert counted[2] == counted[40] <= 17
