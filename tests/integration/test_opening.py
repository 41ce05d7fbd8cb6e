"""Opening results where a platform lists those alone whom the tool has scored (Canvas), on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import update

from lti_tool.lti.grades import SCORE_SCOPE
from lti_tool.services import opening
from lti_tool.services.columns import service_access
from lti_tool.services.opening import open_results
from lti_tool.store import results, rosters
from lti_tool.store.database import Database
from lti_tool.store.tables import Context, Deployment, Learner, Registration, Score
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Reply, answering, rows
from tests.unit.lti.lms import lms

NO_STUDENT = (422, {}, '{"errors": {"message": "User not found in course or is not a student"}}')


@dataclass
class OpeningBook(Gradebook):
    """Takes scores without points, but for some."""

    answers: dict[str, Reply] = field(default_factory=dict)
    """``sub`` → what a score for them is answered."""
    tried: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)

    def answer(self, request: Any) -> Reply:
        if not request.url.endswith("/scores"):
            return super().answer(request)
        sub = json.loads(request.body)["userId"]
        self.tried.append(sub)
        if sub in self.answers:
            return self.answers[sub]
        self.opened.add(sub)
        return 200, {}, "{}"


@dataclass
class World:
    database: Database
    course: factories.Course
    placed: factories.Placed
    book: OpeningBook
    clock: Clock = field(default_factory=Clock)
    room: int | None = None

    def open(self) -> list[str]:
        """One sync's opening; whom it tried, in order."""
        self.book.tried.clear()
        with self.database.read() as session:
            plan = rosters.context_plan(session, self.course.organisation_id, self.course.context_id)
            (column,) = results.evidence_columns(session, self.course.organisation_id, self.course.context_id)
        assert plan is not None
        connector, room = self.book.network.connector, self.room
        open_results(
            self.database,
            connector,
            self.clock,
            service_access(plan),
            plan,
            column,
            self.book.opened,
            None if room is None else lambda _: room,
        )
        return list(self.book.tried)


@pytest.fixture
def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(opening, "AT_ONCE", 3)
    course = factories.course(database)
    placed = factories.placed(database, course)
    learner_ids = factories.enrol(database, course, 6)
    with database.write() as session:
        session.execute(update(Registration).values(product="canvas"))
        session.execute(update(Deployment).values(token_url=f"{course.platform_issuer}/token"))
        session.execute(update(Context).values(ags_scopes=[SCORE_SCOPE]))
    with database.write() as session:
        for number, learner_id in enumerate(learner_ids):
            session.execute(update(Learner).where(Learner.id == learner_id).values(sub=f"s{number}"))
    with lms() as network:
        yield World(database, course, placed, answering(OpeningBook(network, course)))


def test_who_is_refused_keeps_nobody_else_waiting(world):
    first = world.open()
    assert len(first) == 3
    world.book.opened.clear()
    world.book.answers = dict.fromkeys(first, NO_STUDENT)
    assert world.open() == first, "as many as one sync tries are refused"
    world.clock.forward(minutes=2)
    assert set(world.open()) == {f"s{n}" for n in range(6)} - set(first)
    world.clock.forward(minutes=2)
    assert world.open() == [], "and they are not asked for at every sync"


def test_who_was_refused_is_tried_again_a_day_later(world):
    world.book.answers = {"s0": NO_STUDENT}
    for _ in range(2):
        world.open()
    assert world.book.opened == {"s1", "s2", "s3", "s4", "s5"}
    world.book.answers.clear()
    world.clock.forward(hours=23)
    assert world.open() == []
    world.clock.forward(hours=2)
    assert world.open() == ["s0"]


def test_a_fault_of_one_person_is_met_last_the_next_time(world):
    (first, *_) = world.open()
    world.book.opened.clear()
    world.book.answers = {first: (500, {}, "")}
    assert set(world.open()) == {first}
    world.clock.forward(minutes=2)
    for _ in range(2):
        world.open()
    assert world.book.opened == {f"s{n}" for n in range(6)} - {first}
    world.book.answers.clear()
    assert world.open() == [first]


@pytest.mark.parametrize("reply", [(429, {"Retry-After": "30"}, ""), (404, {}, "")])
def test_what_is_wrong_with_all_is_kept_with_nobody(world, reply):
    world.book.answers = {f"s{n}": reply for n in range(6)}
    assert len(set(world.open())) == 1
    assert not rows(world.database, Score)


def test_no_more_are_opened_than_there_are_calls(world):
    world.room = 0
    assert world.open() == []
    world.room = 2
    assert len(world.open()) == 2
    world.room = 50
    assert len(world.open()) == 3


def test_refusals_are_no_scores_that_staff_have_to_look_after(world):
    world.book.answers = {"s0": NO_STUDENT}
    for _ in range(2):
        world.open()
    (row,) = rows(world.database, Score)
    assert (row.state, row.error_code, row.sent_at) == ("waiting", "score_not_a_student", None)


def test_courses_of_a_copy_that_were_known_before_are_read_no_more(world):
    def is_approved() -> bool:
        with world.database.read() as session:
            plan = rosters.context_plan(session, world.course.organisation_id, world.course.context_id)
        assert plan is not None
        return plan.is_approved

    assert is_approved()
    with world.database.write() as session:
        session.execute(update(Registration).values(issuer="https://canvas.beta.instructure.com"))
    assert not is_approved()
