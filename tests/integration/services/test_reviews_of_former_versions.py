"""Badges of a version before stay valid, and are looked at by their own rules and by what is read today."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.criteria import AllOf, AnyOf, Criterion, GatePassed, State
from lti_tool.store import reviews, tables
from tests import factories
from tests.integration.services.school import School
from tests.integration.services.test_reviews import ALL, Class
from tests.integration.services.test_versions import Desk, desk, quiz

GATE = GatePassed("gate:activities", "Activities")


@dataclass(frozen=True)
class Former(Class):
    """A course in whose badge a next version can be published."""

    desk: Desk | None = None

    def publish(self, **fields: str) -> None:
        """The next version: another description, and what is given; the badges of before stay valid."""
        assert self.desk is not None
        changes = {"description": "Said better.", **{key.replace("_", "-"): to for key, to in fields.items()}}
        self.desk.prepare(self.desk.staff, changes)
        self.school.clock.forward(hours=1)
        self.desk.publish(self.desk.staff)
        self.decide()

    def is_first_revoked(self, number: int = 0) -> bool:
        """Whether the badge of the first version is revoked."""
        (award,) = self.school.rows(
            tables.Award,
            tables.Award.learner_id == self.learners[number],
            tables.Award.achievement_version_id == self.placed.achievement_version_id,
        )
        (credential,) = self.school.rows(tables.Credential, tables.Credential.award_id == award.id)
        return credential.revoked_at is not None


def a_course(
    school: School, criterion: Criterion | None = None, *, learners: int = 2, grade: int = 90
) -> Former:
    """Learners of a course who have the badge of its first version."""
    made = desk(school, criterion)
    teacher_id, *ids = factories.enrol(school.database, made.course, learners + 1)
    school.change(
        tables.Membership, tables.Membership.learner_id == teacher_id, is_staff=True, is_learner=False
    )
    of = Former(school, made.course, made.placed, tuple(ids), teacher_id, desk=made)
    factories.grade(school.database, made.course, made.placed, ids, Decimal(grade))
    if criterion is None:
        of.decide()
    school.clock.forward(hours=1)
    return of


def test_a_version_published_meanwhile_revokes_no_badge_whose_facts_are_good_again(school: School) -> None:
    of = a_course(school)
    of.lower()
    id_ = of.revoke()
    of.publish()
    of.lower(score=90)
    waits = of.reviews.view(of.teacher(), id_)
    assert waits.is_good_again
    assert waits.now is not None
    assert waits.now.finding.state is State.MET
    of.later()
    assert not of.reviews.carry_out(id_)
    assert not of.is_first_revoked()
    assert of.only().status == "settled"


def test_a_version_published_meanwhile_spares_nobody_whose_facts_are_as_they_were(school: School) -> None:
    of = a_course(school)
    of.lower()
    id_ = of.revoke()
    of.publish()
    of.later()
    assert of.reviews.carry_out(id_)
    assert of.is_first_revoked()


def test_where_nobody_can_tell_any_more_the_decision_is_asked_for_once_more(school: School) -> None:
    """The next version asks for another quiz: the grades of the first one are not read any more."""
    of = a_course(school)
    of.lower()
    id_ = of.revoke()
    of.publish(criteria_0_label="Quiz 9")
    waits = of.reviews.view(of.teacher(), id_)
    assert (waits.is_good_again, waits.cannot_be_told) == (False, True)
    of.later()
    assert not of.reviews.carry_out(id_)
    assert not of.is_first_revoked()
    review = of.only()
    assert (review.status, review.reason, review.takes_effect_at) == ("open", None, None)
    assert review.spared_at == school.clock()
    assert of.reviews.listed(of.teacher(), ALL).undecided == 1
    assert of.actions() == ["review.revoked", "review.reopened"]
    of.decide()
    assert of.only().status == "open", "nothing settles it but a person"

    again = of.revoke()
    assert of.only().spared_at is None
    of.later()
    assert of.reviews.carry_out(again), "this time it was decided by what is known"
    assert of.is_first_revoked()


def test_coming_back_settles_nothing_of_which_nobody_can_tell(small_school: School) -> None:
    of = a_course(small_school)
    of.lower()
    of.publish(criteria_0_label="Quiz 9")
    of.leave()
    of.leave(is_active=True)
    assert (of.only().status, of.only().cause) == ("open", "facts")


def test_rules_that_cannot_be_read_any_more_have_the_decision_asked_for_once_more(
    small_school: School,
) -> None:
    of = a_course(small_school)
    of.lower()
    id_ = of.revoke()
    of.publish()
    small_school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == of.placed.micromodule_version_id,
        criteria={"type": "of a later release"},
    )
    of.later()
    assert not of.reviews.carry_out(id_)
    assert of.only().status == "open"
    again = of.revoke()
    of.later()
    assert of.reviews.carry_out(again)


@pytest.mark.parametrize("to", [10, None])
def test_a_badge_of_a_former_version_is_reviewed_for_its_grade(school: School, to: Any) -> None:
    of = a_course(school)
    of.publish(criteria_0_threshold="95")
    of.decide()
    assert of.all() == [], "85 was asked for, and is there"
    of.lower(score=to)
    of.decide()
    review = of.only()
    assert (review.cause, review.status, review.learner_id) == ("facts", "open", of.learners[0])
    now = of.reviews.view(of.teacher(), review.id).now
    assert now is not None
    assert now.finding.state is (State.UNKNOWN if to is None else State.NOT_MET)
    of.lower(score=85)
    assert of.only().status == "settled", "by its own rules"


def test_what_was_kept_is_not_asked_again_after_the_next_version(school: School) -> None:
    of = a_course(school)
    of.lower()
    review = of.only()
    of.reviews.keep(of.teacher(), review.id, "Regraded by mistake.", review.digest)
    of.publish()
    assert of.only().status == "kept"
    of.lower(score=5)
    assert [one.status for one in of.all()] == ["kept", "open"]


def test_an_open_review_settles_after_the_next_version_too(school: School) -> None:
    of = a_course(school)
    of.lower()
    of.publish()
    assert of.only().status == "open"
    of.lower(score=90)
    assert of.only().status == "settled"


def test_a_course_that_was_reset_has_its_former_badges_looked_at(school: School) -> None:
    of = a_course(school)
    of.publish()
    school.change(tables.Context, tables.Context.id == of.course.context_id, emptied_at=school.clock())
    school.change(tables.Result, tables.Result.line_item_id == of.placed.line_item_id, score=None)
    of.decide()
    reset = [one for one in of.all() if one.award_id in first_awards(of)]
    assert [one.cause for one in reset] == ["reset", "reset"]


def first_awards(of: Former) -> set[str]:
    """Of the first version."""
    is_first = tables.Award.achievement_version_id == of.placed.achievement_version_id
    return {one.id for one in of.school.rows(tables.Award, is_first)}


def test_a_doubted_gate_is_said_of_former_badges_until_it_is_confirmed_again(school: School) -> None:
    of = a_course(school, AllOf((AnyOf((GATE, quiz())),)), grade=10)
    gate_id = factories.gate(school.database, of.course, of.placed, GATE.key, label=GATE.label)
    factories.gate_pass(school.database, of.course, gate_id, of.learners[0])
    school.regrade(of.placed, of.learners[1], 90)
    of.decide()
    of.publish()
    assert not of.all()
    school.change(tables.Gate, tables.Gate.id == gate_id, state="doubted")
    of.decide()
    first = [one for one in of.all() if one.award_id in first_awards(of)]
    assert [(one.cause, one.learner_id) for one in first] == [("gate", of.learners[0])], "by the quiz"
    school.clock.forward(hours=1)
    school.change(tables.Gate, tables.Gate.id == gate_id, state="confirmed", confirmed_at=school.clock())
    of.decide()
    assert {one.status for one in of.all()} == {"settled"}


def test_a_column_that_the_next_version_does_not_ask_for_is_no_reason(school: School) -> None:
    of = a_course(school)
    of.publish(criteria_0_label="Quiz 9")
    of.decide()
    assert of.all() == []


def test_another_courses_grades_say_nothing_about_a_former_badge(school: School) -> None:
    of, other = a_course(school), a_course(school)
    of.publish()
    other.publish()
    other.lower()
    assert {one.learner_id for one in of.all()} == {other.learners[0]}


def test_looking_at_many_former_badges_asks_no_more_than_at_few(school: School) -> None:
    counted = {}
    for size in (2, 40):
        of = a_course(school, learners=size)
        of.publish()
        with school.database.statements() as statements:
            of.doubting.look(of.course.organisation_id, of.course.context_id)
        counted[size] = len([one for one in statements if not one.startswith("BEGIN")])
    assert counted[2] == counted[40] <= 14


def test_reviews_are_written_in_the_order_in_which_they_are_decided(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the same rows in two orders at once is stopped by PostgreSQL."""
    written: dict[Any, list[str]] = {}
    change, open_one = reviews.change, reviews.open_one

    def noted(session: Any, organisation_id: str, review_id: str, *where: Any, **values: Any) -> Any:
        written.setdefault(values.get("status"), []).append(review_id)
        return change(session, organisation_id, review_id, *where, **values)

    opened: list[str] = []

    def noted_too(session: Any, organisation_id: str, context_id: str, doubt: Any, *rest: Any) -> Any:
        opened.append(doubt.award_id)
        return open_one(session, organisation_id, context_id, doubt, *rest)

    monkeypatch.setattr(reviews, "change", noted)
    monkeypatch.setattr(reviews, "open_one", noted_too)
    of = a_course(school, learners=12)
    lowered = tables.Result.line_item_id == of.placed.line_item_id
    has_left = {"is_active": False, "left_at": school.clock()}
    school.change(tables.Membership, tables.Membership.learner_id == of.learners[3], **has_left)
    for score in (20, 10, 90):
        school.change(tables.Result, lowered, score=score)
        written.clear()
        of.decide()
        assert score == 20 or sum(map(len, written.values())) == 12
        assert all(ids == sorted(ids) for ids in written.values()), "each is a transaction of its own"
    assert len(opened) == 12
    assert opened == sorted(opened)
