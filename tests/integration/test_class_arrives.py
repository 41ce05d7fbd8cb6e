"""Three hundred open their course within a minute: the LMS is read once, not three hundred times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from lti_tool.errors import ErrorCode
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.syncing import Syncing
from lti_tool.store import rosters
from lti_tool.store.tables import Context, Learner
from tests import factories
from tests.integration.gradebook import Clock, Hints, Issued, gradebook

CLASS = 300
SECONDS = 60


@dataclass(frozen=True)
class Visit:
    """One learner's launch."""

    organisation_id: str
    context_id: str
    learner_id: str
    is_read_only: bool = False


@pytest.mark.timeout(600)
def test_a_class_of_three_hundred_causes_one_read(sqlite_database):
    course = factories.course(sqlite_database, sync_due_at=factories.NOW)
    placed = factories.placed(sqlite_database, course)
    learners = factories.enrol(sqlite_database, course, CLASS)
    with sqlite_database.read() as session:
        subs = list(session.scalars(select(Learner.sub)))
    clock, hints = Clock(), Hints()
    budgets = CallBudgets(sqlite_database, clock, 120)
    with gradebook(course, budget=budgets) as book:
        book.enrol(*subs)
        book.grade(placed, **{f"s{sub}": 10 for sub in subs})
        connector = book.network.connector
        syncing = Syncing(
            sqlite_database, connector, clock, hints, Awarding(sqlite_database, clock), Issued(), budgets
        )
        begins_at = clock.now
        troubles: list[ErrorCode] = []
        for number, learner_id in enumerate(learners):
            clock.now = begins_at + timedelta(seconds=SECONDS * number / CLASS)
            book.network.time.seconds += SECONDS / CLASS
            if number % (CLASS // 3) == 0:  # the worker's pass, each twenty seconds
                for due in syncing.contexts_due(clock.now, 100):
                    syncing.sync_context(due.context_id)
            refresh = syncing.refresh_learner(Visit(course.organisation_id, course.context_id, learner_id))
            troubles += refresh.troubles
        assert len(book.calls("/memberships/")) == 1
        whole = [call for call in book.calls("/results") if "user_id" not in call]
        own = [call for call in book.calls("/results") if "user_id" in call]
        assert len(whole) == 1
        assert hints.offered == [], "the database knows that the course is due; no hint piles up"
        # Visits have half of 120 a minute, what their bucket holds, and what the schedule leaves over.
        assert 60 <= len(own) <= 120 + 60
        assert set(troubles) == {ErrorCode.PLATFORM_CALLS_SPENT}, "the others were not asked for one by one"
        with sqlite_database.read() as session:
            due_at = session.get_one(Context, course.context_id).sync_due_at
        assert due_at is not None
        assert due_at <= begins_at + timedelta(seconds=SECONDS), "but by one read of all, without delay"
        clock.now = begins_at + timedelta(seconds=SECONDS + 1)
        book.network.time.seconds += 2
        for due in syncing.contexts_due(clock.now, 100):
            syncing.sync_context(due.context_id)
        assert len(book.calls("/memberships/")) == 2


def test_own_grades_do_not_wait_for_a_read_that_takes_everything(database):
    """The schedule is deep in debt; whoever launches is answered."""
    course = factories.course(database, sync_due_at=factories.NOW)
    placed = factories.placed(database, course)
    (learner_id,) = factories.enrol(database, course)
    with database.read() as session:
        sub = session.scalars(select(Learner.sub)).one()
    clock = Clock()
    budgets = CallBudgets(database, clock, 60)
    with gradebook(course, budget=budgets) as book:
        book.page_size = 1
        book.enrol(*range(100, 300))
        book.grade(placed, **{f"s{sub}": 90})
        syncing = Syncing(
            database, book.network.connector, clock, Hints(), Awarding(database, clock), Issued(), budgets
        )
        syncing.sync_context(course.context_id)
        assert len(book.calls("/memberships/")) == 200, "a list that was begun is read to its end"
        with database.write() as session:
            session.execute(update(Context).values(sync_due_at=clock.now))
        assert syncing.contexts_due(clock.now, 10) == (), "and paid off afterwards"
        refresh = syncing.refresh_learner(Visit(course.organisation_id, course.context_id, learner_id))
        assert (refresh.read, refresh.troubles) == (1, ())
        clock.forward(minutes=10)
        assert syncing.contexts_due(clock.now, 10)


def test_a_long_list_leaves_gaps_for_those_who_launch():
    """SQLite lets one writer in at a time, and the others in no order."""
    rests: list[float] = []
    pages = [list(range(2_500)), list(range(10))]
    parts = [len(part) for part in rosters.batches(pages, Clock(), "sqlite", sleep=rests.append)]
    assert parts == [1_000, 1_000, 510]
    assert rests == [rosters.SQLITE_BREATH] * 2
    assert [len(part) for part in rosters.batches(pages, Clock(), "postgresql")] == [2_510]


def test_a_platforms_wish_for_rest_holds_for_every_process(database):
    course = factories.course(database, sync_due_at=factories.NOW)
    factories.placed(database, course)
    clock = Clock()
    first, second = (CallBudgets(database, clock) for _ in range(2))
    with gradebook(course, budget=first) as book:
        book.failing["/memberships/"] = (429, {"Retry-After": "600"}, "")
        awarding = Awarding(database, clock)
        Syncing(database, book.network.connector, clock, Hints(), awarding, Issued(), first).sync_context(
            course.context_id
        )
    with gradebook(course, budget=second) as book:
        elsewhere = Syncing(database, book.network.connector, clock, Hints(), awarding, Issued(), second)
        clock.forward(seconds=599)
        with database.write() as session:
            session.execute(update(Context).values(sync_due_at=clock.now))
        assert elsewhere.contexts_due(clock.now, 10) == ()
        run = elsewhere.start_sync(course.organisation_id, course.context_id)
        elsewhere.sync_context(course.context_id, run.id)
        assert book.asked == [], "nor for a teacher who asks for it"
        assert elsewhere.run(course.organisation_id, run.id).error_code == ErrorCode.PLATFORM_BUSY
        clock.forward(seconds=30)
        assert elsewhere.contexts_due(clock.now, 10)
        elsewhere.sync_context(course.context_id)
        assert book.asked
