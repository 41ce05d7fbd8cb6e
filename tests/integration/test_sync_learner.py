"""A learner's own grades at a visit: read within two seconds in all, one call a column, nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from sqlalchemy import update

from lti_tool.errors import ErrorCode
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.syncing import LearnerRefresh, Syncing
from lti_tool.store.database import Database
from lti_tool.store.tables import Award, Learner, LineItem, Membership, Registration, Result
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Hints, Issued, gradebook, rows


@dataclass(frozen=True)
class Visit:
    """As much of a launch session as reading needs."""

    organisation_id: str
    context_id: str | None
    learner_id: str
    is_read_only: bool = False


@dataclass
class World:
    """A course of two learners, one of whom visits."""

    database: Database
    course: factories.Course
    placed: factories.Placed
    book: Gradebook
    clock: Clock
    issued: Issued
    syncing: Syncing
    learners: list[str] = field(default_factory=list)

    def visit(self, number: int = 0, **changes: object) -> LearnerRefresh:
        session = Visit(
            **{
                "organisation_id": self.course.organisation_id,
                "context_id": self.course.context_id,
                "learner_id": self.learners[number],
                **changes,
            }
        )
        return self.syncing.refresh_learner(session)

    def sub(self, number: int = 0) -> str:
        with self.database.read() as session:
            return session.get_one(Learner, self.learners[number]).sub

    def grade(self, number: int, score: object) -> None:
        self.book.grades.setdefault(self.placed.line_item_url, {})[self.sub(number)] = score


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    course = factories.course(database)
    placed = factories.placed(database, course)
    learners = factories.enrol(database, course, 2)
    with gradebook(course) as book:
        clock, issued = Clock(), Issued()
        awarding = Awarding(database, clock)
        syncing = Syncing(
            database, book.network.connector, clock, Hints(), awarding, issued, CallBudgets(database, clock)
        )
        yield World(database, course, placed, book, clock, issued, syncing, learners)


def test_who_has_passed_has_the_badge_at_the_next_visit(world):
    world.grade(0, 85)
    world.grade(1, 99)
    refresh = world.visit()
    assert (refresh.read, refresh.columns, refresh.troubles) == (1, 1, ())
    (award,) = rows(world.database, Award)
    assert award.learner_id == world.learners[0]
    assert refresh.award_ids == (award.id,)
    assert world.issued.award_ids == [award.id]
    assert len(world.book.asked) == 1
    assert f"user_id={world.sub()}" in world.book.asked[0]
    assert "/memberships/" not in world.book.asked[0]


def test_only_the_visitors_grade_is_stored(world):
    world.book.before = lambda _path: world.book.grades.clear()
    foreign = '[{"userId": "%s", "resultScore": 100, "resultMaximum": 100}]' % world.sub(1)  # noqa: UP031
    world.book.failing["/results"] = (200, {}, foreign)
    world.visit()
    assert [(row.learner_id, row.score) for row in rows(world.database, Result)] == [
        (world.learners[0], None)
    ]
    assert not rows(world.database, Award)


def test_no_grade_is_known_as_no_grade(world):
    assert world.visit().read == 1
    (row,) = rows(world.database, Result)
    assert (row.score, row.maximum, row.read_at) == (None, Decimal(100), world.clock.now)
    (column,) = rows(world.database, LineItem)
    assert column.first_value_at is None
    assert column.read_at is None, "the class's column was not read"


def test_a_visit_renews_the_time_of_reading(world):
    world.grade(0, 10)
    world.visit()
    world.clock.forward(minutes=5)
    world.visit()
    (row,) = rows(world.database, Result)
    assert row.read_at == world.clock.now
    (column,) = rows(world.database, LineItem)
    assert column.first_value_at == factories.NOW


def test_a_platform_in_trouble_leaves_what_was_known(world):
    world.grade(0, 50)
    world.visit()
    world.clock.forward(minutes=5)
    world.book.failing["/results"] = (500, {}, "")
    refresh = world.visit()
    assert (refresh.read, refresh.troubles) == (0, (ErrorCode.PLATFORM_UNREACHABLE,))
    (row,) = rows(world.database, Result)
    assert (row.score, row.read_at) == (Decimal(50), factories.NOW)


def test_all_columns_share_one_budget_of_time(world):
    for _ in range(4):
        factories.placed(world.database, world.course)

    def slow(path: str) -> None:
        world.book.network.time.seconds += 0.9

    world.book.before = slow
    refresh = world.visit()
    assert refresh.columns == 5
    assert refresh.troubles == (ErrorCode.PLATFORM_TIMED_OUT,)
    assert len(world.book.asked) == refresh.read == 3


def test_the_columns_unread_the_longest_come_first(world):
    second = factories.placed(world.database, world.course)
    with world.database.write() as session:
        session.execute(
            update(LineItem).where(LineItem.id == world.placed.line_item_id).values(read_at=factories.NOW)
        )
    world.visit()
    path = second.line_item_url.removeprefix(world.course.platform_issuer)
    assert path in world.book.asked[0]


def test_a_busy_platform_is_not_asked_for_every_column(world):
    for _ in range(4):
        factories.placed(world.database, world.course)
    world.book.failing["/results"] = (429, {"Retry-After": "60"}, "")
    refresh = world.visit()
    assert refresh.troubles == (ErrorCode.PLATFORM_BUSY,)
    assert len(world.book.asked) == 1


@pytest.mark.parametrize("changes", [{"context_id": None}, {"is_read_only": True}])
def test_nothing_is_read_without_a_course_or_for_somebody_who_acts_as_another(world, changes):
    world.grade(0, 100)
    assert world.visit(**changes) == LearnerRefresh()
    assert not world.book.asked


def test_another_organisations_session_reads_nothing(world):
    other = factories.course(world.database)
    world.grade(0, 100)
    assert world.visit(organisation_id=other.organisation_id) == LearnerRefresh()
    assert world.visit(context_id=other.context_id) == LearnerRefresh()
    assert not world.book.asked


def test_staff_who_visit_are_never_awarded(world):
    with world.database.write() as session:
        session.execute(update(Membership).values(is_staff=True))
    world.grade(0, 100)
    world.visit()
    assert not rows(world.database, Award)


def test_a_disabled_registration_is_not_asked(world):
    with world.database.write() as session:
        session.execute(update(Registration).values(status="disabled"))
    assert world.visit() == LearnerRefresh()
    assert not world.book.asked


def test_the_column_that_the_tool_writes_is_no_evidence_at_a_visit_either(world):
    with world.database.write() as session:
        session.execute(update(LineItem).values(tag="award", evidence_key=""))
    world.grade(0, 100)
    assert world.visit() == LearnerRefresh()
    assert not world.book.asked
    assert not rows(world.database, Award)
