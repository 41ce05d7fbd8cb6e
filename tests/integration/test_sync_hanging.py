"""Two LMSs, one of which takes calls and never answers: the other's learners must not notice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.connector import SILENCE
from lti_tool.outbound import Answer
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.syncing import AT_ONCE, Syncing
from lti_tool.store.database import Database
from lti_tool.store.tables import Award, LineItem, Registration
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Hints, Issued, answering, rows
from tests.integration.test_sync_learner import Visit
from tests.unit.lti.lms import lms

COURSES = 40
"""On the LMS that hangs, all of them in use."""


@dataclass
class World:
    """Two LMSs, and one worker with a single thread: nobody makes up for the time it loses."""

    database: Database
    books: dict[str, Gradebook]
    courses: list[tuple[factories.Course, factories.Placed]]
    """On the LMS that hangs."""
    other: tuple[factories.Course, factories.Placed]
    clock: Clock
    hints: Hints
    syncing: Syncing
    hanging: str | None = None
    """A part of the paths on which the first LMS does not answer; without one it answers all."""
    waits: list[float] = field(default_factory=list)
    """The seconds lost in each call to it."""
    network: Any = None

    def request(self, method: str, url: str, *, timeout: float, **options: Any) -> Answer:
        """In the network's place."""
        first = self.courses[0][0].platform_issuer
        if self.hanging is None or not url.startswith(first) or self.hanging not in url:
            answer: Answer = self.network.request(method, url, timeout=timeout, **options)
            return answer
        self.waits.append(timeout)
        self.pass_time(timeout)
        raise PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, "silence", retryable=True)

    def pass_time(self, seconds: float) -> None:
        self.clock.forward(seconds=seconds)
        self.books[self.other[0].platform_issuer].network.time.seconds += seconds

    def work(self, seconds: float) -> None:
        """A worker's passes, every twenty seconds."""
        until = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < until:
            for due in self.syncing.contexts_due(self.clock.now, 500):
                self.syncing.sync_context(due.context_id)
            self.pass_time(20)

    def awarded(self, course: factories.Course) -> int:
        return sum(award.organisation_id == course.organisation_id for award in rows(self.database, Award))


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    earlier = factories.NOW - timedelta(minutes=1)
    first = factories.course(database, sync_due_at=earlier)
    courses = [first, *factories.courses_beside(database, first, COURSES - 1)]
    placed = [(course, factories.placed(database, course)) for course in courses]
    for course in courses[:3]:
        factories.placed(database, course)
    other = factories.course(database, sync_due_at=factories.NOW)
    with database.write() as session:  # platforms whose roster calls no teacher a learner
        session.execute(update(Registration).values(product="other"))
    with lms() as network:
        books = {course.platform_issuer: answering(Gradebook(network, course)) for course in (first, other)}
        clock, hints = Clock(), Hints()
        awarding, budgets = Awarding(database, clock), CallBudgets(database, clock)
        syncing = Syncing(database, network.connector, clock, hints, awarding, Issued(), budgets)
        world = World(
            database, books, placed, (other, factories.placed(database, other)), clock, hints, syncing
        )
        world.network = network.connector._outbound
        network.connector._outbound = world
        for book in books.values():
            book.enrol(1, 2)
        yield world


@pytest.mark.parametrize("part", ["/token", "/memberships/", "/results"])
def test_an_lms_that_hangs_keeps_nobody_elses_badge_waiting(world, part):
    course, placed = world.other
    book = world.books[course.platform_issuer]
    if part != "/token":
        world.work(40)  # tokens are fetched, everything was read once
    world.hanging = part
    world.work(600)
    lost = len(world.waits)
    assert lost
    assert sum(world.waits) <= 600 * 30 / (30 + SILENCE) + 30, "one wait each so many seconds"

    book.grade(placed, s1=100)
    world.work(120)
    assert world.awarded(course) == 1

    world.hanging = None
    first, its = world.courses[0]
    world.books[first.platform_issuer].grade(its, s2=100)
    world.work(1800)
    assert world.awarded(first) == 1, "and when it answers again, all is read"


def test_a_sync_stops_at_the_first_call_that_is_not_answered(world):
    (course, _), known = world.courses[0], world.clock.now
    world.work(20)
    world.clock.forward(minutes=5)
    world.hanging = "/results"
    run = world.syncing.start_sync(course.organisation_id, course.context_id)
    world.syncing.sync_context(course.context_id, run.id)
    assert len(world.waits) == 1
    with world.database.read() as session:
        columns = session.execute(select(LineItem).where(LineItem.context_id == course.context_id)).scalars()
        found = {column.trouble: (column.read_at >= known, column.is_complete) for column in columns}
    assert found == {ErrorCode.PLATFORM_TIMED_OUT: (True, True), None: (True, True)}, "what was known stands"
    assert world.syncing.run(course.organisation_id, run.id).error_code == ErrorCode.PLATFORM_TIMED_OUT


@pytest.mark.parametrize("slow", ["roster", "column"])
def test_one_part_that_is_never_answered_keeps_the_others_of_its_course_unread_but_once(world, slow):
    """A roster of 100,000 may never come in time; the grades still do, and so does another column."""
    (course, placed) = world.courses[0]
    number = placed.line_item_url.rsplit("/", 2)[-2]
    world.hanging = "/memberships/" if slow == "roster" else f"/lineitems/{number}/"
    with world.database.read() as session:
        ids = session.execute(select(LineItem.id).where(LineItem.context_id == course.context_id)).scalars()
        wanted = set(ids) - ({placed.line_item_id} if slow == "column" else set())
    for _ in range(2):
        run = world.syncing.start_sync(course.organisation_id, course.context_id)
        world.syncing.sync_context(course.context_id, run.id)
        world.pass_time(SILENCE)
    with world.database.read() as session:
        read = select(LineItem.id).where(
            LineItem.context_id == course.context_id, LineItem.read_at.is_not(None)
        )
        assert set(session.execute(read).scalars()) == wanted


def test_launches_do_not_each_wait_for_an_lms_that_hangs(world):
    course, _ = world.courses[0]
    (learner_id,) = factories.enrol(world.database, course)
    world.hanging = "/"
    for _ in range(10):
        refresh = world.syncing.refresh_learner(Visit(course.organisation_id, course.context_id, learner_id))
        assert refresh.troubles == (ErrorCode.PLATFORM_TIMED_OUT,)
    assert sum(world.waits) <= 2.0


def test_one_lms_has_no_more_than_its_share_of_a_worker(world):
    """Seven tasks at once, all for one LMS that answers slowly; the eighth is somebody else's."""
    at_once, most = 0, 0
    lock, full, go_on = threading.Lock(), threading.Event(), threading.Event()

    def slowly(path: str) -> None:
        nonlocal at_once, most
        if "/memberships/" in path:
            with lock:
                at_once += 1
                most = max(most, at_once)
                if at_once == AT_ONCE:
                    full.set()
            go_on.wait(100)
            with lock:
                at_once -= 1

    world.books[world.courses[0][0].platform_issuer].before = slowly
    other, placed = world.other
    world.books[other.platform_issuer].grade(placed, s1=100)
    (watched, _) = world.courses[7]
    run = world.syncing.start_sync(watched.organisation_id, watched.context_id)
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(world.syncing.sync_context, course.context_id) for course, _ in world.courses[:6]
        ]
        assert full.wait(60)
        # A thread that is late on a busy machine must not find a place that is given back below.
        for turned_away in itertools.islice(as_completed(tasks, timeout=60), len(tasks) - AT_ONCE):
            assert turned_away.result() is None
        tasks.append(pool.submit(world.syncing.sync_context, watched.context_id, run.id))
        tasks[-1].result(60)
        assert pool.submit(world.syncing.sync_context, other.context_id).result(60) is None
        assert world.awarded(other) == 1
        go_on.set()
        for task in tasks:
            task.result(60)
    assert most == AT_ONCE
    due = {one.context_id for one in world.syncing.contexts_due(world.clock.now, 500)}
    assert len(due & {course.context_id for course, _ in world.courses[:6]}) == 6 - AT_ONCE, "still owed"
    task, ids = world.hints.offered[-1]
    assert (task, ids["run_id"]) == ("sync_context", run.id), "whoever watches does not wait for a pass"
    assert world.syncing.run(watched.organisation_id, run.id).status == "waiting"
