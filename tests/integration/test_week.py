"""A week of courses on a clock turned by hand: what is promised holds, within what platforms bear.

Reading itself is tested elsewhere; here a read is two calls that the platform answers or refuses. Everything
else is the tool's own: the schedule in the database, turns, claims, budgets, what follows from a refusal.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.call_budget import BUCKET_SECONDS
from lti_tool.domain.freshness import ACTIVE_FOR, PROMISED, RECENT_FOR, Activity, next_sync_at
from lti_tool.domain.registrations import Site
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.jobs.reconcile import EVERY_SECONDS
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import REST
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.columns import service_access
from lti_tool.services.syncing import Syncing
from lti_tool.store import rosters
from lti_tool.store.database import Database
from lti_tool.store.tables import Context, Deployment
from tests import factories
from tests.factories import NOW, Course
from tests.integration.gradebook import Clock, Hints, Issued

PASS = timedelta(seconds=EVERY_SECONDS)
CALLS_OF_A_READ = 2


@dataclass
class Watched:
    """One course, and since when it is as active as it is."""

    course: Course
    read_at: datetime
    used_at: datetime
    active_since: datetime
    recent_since: datetime
    reads: int = 0

    def use(self, now: datetime) -> None:
        if now - self.used_at > ACTIVE_FOR:
            self.active_since = now
        if now - self.used_at > RECENT_FOR:
            self.recent_since = now
        self.used_at = now

    def broken(self, now: datetime) -> tuple[Activity, timedelta] | None:
        """The promise that is broken at this moment, and by how much."""
        since = {Activity.IDLE: self.read_at}
        if now - self.used_at <= RECENT_FOR:
            since[Activity.RECENT] = max(self.read_at, self.recent_since)
        if now - self.used_at <= ACTIVE_FOR:
            since[Activity.ACTIVE] = max(self.read_at, self.active_since)
        for activity, moment in since.items():
            if now - moment > PROMISED[activity]:
                return activity, now - moment - PROMISED[activity]
        return None


@dataclass
class Platform:
    """What one platform was asked, and when it refuses."""

    calls: deque[datetime] = field(default_factory=deque)
    refuses: Callable[[datetime], bool] = lambda _now: False

    def answer(self, now: datetime) -> bool:
        self.calls.append(now)
        return not self.refuses(now)

    def busiest(self, seconds: float) -> int:
        """The most calls within any so many seconds."""
        window: deque[datetime] = deque()
        most = 0
        for at in self.calls:
            window.append(at)
            while (at - window[0]).total_seconds() >= seconds:
                window.popleft()
            most = max(most, len(window))
        return most


@dataclass
class World:
    """A worker's passes over simulated time."""

    database: Database
    clock: Clock
    budgets: CallBudgets
    platforms: dict[Site, Platform]
    courses: dict[str, Watched] = field(default_factory=dict)
    exempt: Callable[[Watched, datetime], bool] = lambda _watched, _now: False
    launches: list[tuple[datetime, str]] = field(default_factory=list)
    """Of the time to come, the latest first."""

    def __post_init__(self) -> None:
        world = self

        class Reading(Syncing):
            """Syncing, with the answers left out."""

            def _read(self, plan: Any, run_id: Any, holder: str, progress: Any) -> None:
                for _ in range(CALLS_OF_A_READ):
                    failure = world.call(service_access(plan))
                    progress.note(
                        SimpleNamespace(
                            was_read=failure is None,
                            trouble=failure and failure.code,
                            retry_after=failure and failure.retry_after,
                            is_silent=failure is not None,
                        )
                    )
                    if failure is not None:
                        return
                world.note_read(plan.id)

            def _decide(self, plan: Any, run_id: Any, progress: Any) -> None:
                """Nothing was read."""

        self.syncing = Reading(
            self.database,
            None,
            self.clock,
            Hints(),
            None,
            Issued(),
            self.budgets,  # type: ignore[arg-type]
        )

    def call(self, access: ServiceAccess) -> PlatformFailed | None:
        try:
            self.budgets.spend(access)
        except PlatformFailed as failure:
            return failure
        if self.platforms[access.site].answer(self.clock.now):
            return None
        self.budgets.slow_down(access, REST)
        return PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True)

    def watch(self, course: Course, *, used_at: datetime) -> Watched:
        watched = Watched(course, self.clock.now, used_at, used_at, used_at)
        self.courses[course.context_id] = watched
        return watched

    def note_read(self, context_id: str) -> None:
        watched = self.courses[context_id]
        self.require_promise(watched)
        watched.read_at = self.clock.now
        watched.reads += 1

    def require_promise(self, watched: Watched) -> None:
        if not self.exempt(watched, self.clock.now):
            broken = watched.broken(self.clock.now)
            assert broken is None, f"{watched} at {self.clock.now}: {broken}"

    def launch(self, context_id: str) -> None:
        """As a launch does: see :mod:`lti_tool.services.launching`."""
        now = self.clock.now
        self.require_promise(self.courses[context_id])
        self.courses[context_id].use(now)
        soon = next_sync_at(now, now)
        with self.database.write() as session:
            session.execute(
                sa.update(Context)
                .where(Context.id == context_id)
                .values(
                    last_launched_at=now,
                    sync_due_at=sa.case((Context.sync_due_at < soon, Context.sync_due_at), else_=soon),
                )
            )

    def work(self, until: datetime) -> None:
        """A pass each 20 seconds in which something is owed."""
        while self.clock.now < until:
            while self.launches and self.launches[-1][0] <= self.clock.now:
                self.launch(self.launches.pop()[1])
            for due in self.syncing.contexts_due(self.clock.now, 500):
                self.syncing.sync_context(due.context_id)
            self.clock.now = min(until, self._next_pass())
        for watched in self.courses.values():
            self.require_promise(watched)

    def _next_pass(self) -> datetime:
        with self.database.read() as session:
            due_at = session.scalar(sa.select(sa.func.min(Context.sync_due_at)))
        upcoming = [moment for moment in (due_at, self.launches[-1][0] if self.launches else None) if moment]
        passes = 1.0
        if upcoming:
            passes = max(1.0, -(-(min(upcoming) - self.clock.now).total_seconds() // EVERY_SECONDS))
        return self.clock.now + PASS * passes


def access_to(database: Database, course: Course) -> ServiceAccess:
    with database.read() as session:
        plan = rosters.context_plan_for_job(session, course.context_id)
    assert plan is not None
    return service_access(plan)


def institution(database: Database, name: str, count: int, beside: Course, **columns: Any) -> list[Course]:
    """As :func:`school` on the registration of ``beside``, with an LMS of its own."""
    courses = school(database, count, beside=beside, **columns)
    with database.write() as session:
        session.execute(
            sa.update(Deployment)
            .where(Deployment.id == courses[0].deployment_id)
            .values(token_url=f"https://{name}.example/token")
        )
    return courses


def school(database: Database, count: int, *, beside: Course | None = None, **columns: Any) -> list[Course]:
    """An organisation with so many courses; on a platform of its own, or on that of ``beside``."""
    first = factories.course(database, **columns)
    if beside is not None:
        with database.write() as session:
            session.execute(
                sa.update(Deployment)
                .where(Deployment.id == first.deployment_id)
                .values(registration_id=beside.registration_id, id_on_platform=first.deployment_id)
            )
            session.execute(
                sa.update(Context)
                .where(Context.id == first.context_id)
                .values(registration_id=beside.registration_id)
            )
        first = replace(first, registration_id=beside.registration_id)
    courses = [first, *factories.courses_beside(database, first, count - 1)]
    for course in courses:
        factories.placed(database, course)
    return courses


def world_of(
    database: Database, courses: list[Course], *, used_at: datetime, per_minute: int | None
) -> World:
    clock = Clock()
    platforms = {access_to(database, course).site: Platform() for course in courses}
    world = World(database, clock, CallBudgets(database, clock, per_minute), platforms)
    for course in courses:
        world.watch(course, used_at=used_at)
    return world


def lessons(world: World, courses: list[Course], days: int, chance: random.Random) -> None:
    """Each course has a lesson on some of the days: a handful of launches within forty minutes."""
    for course in courses:
        for day in range(days):
            if chance.random() < 0.3:
                begins_at = NOW + timedelta(days=day, seconds=chance.randrange(0, 8 * 3600))
                for _ in range(3):
                    at = begins_at + timedelta(seconds=chance.randrange(0, 600))
                    world.launches.append((at, course.context_id))
    world.launches.sort(reverse=True)


@pytest.mark.timeout(900)
def test_a_week_of_three_schools(sqlite_database):
    """One has a platform of its own, two share another, which refuses everybody for an hour on one day."""
    long_ago = NOW - timedelta(days=20)
    columns = {"last_launched_at": long_ago, "sync_due_at": NOW}
    large = school(sqlite_database, 120, **columns)
    middle = school(sqlite_database, 80, **columns)
    small = school(sqlite_database, 6, beside=middle[0], **columns)
    world = world_of(sqlite_database, large + middle + small, used_at=long_ago, per_minute=240)
    lessons(world, large[:3] + middle[:2] + small[:1], 7, random.Random(5))
    shared = access_to(sqlite_database, middle[0]).site
    storm = NOW + timedelta(days=2, hours=3), NOW + timedelta(days=2, hours=4)
    recovered_at = storm[1] + timedelta(minutes=15)
    world.platforms[shared].refuses = lambda now: storm[0] <= now < storm[1]
    for course in middle[:6] + small[:2] + large[:1]:
        world.launches.append((storm[0] - timedelta(minutes=10), course.context_id))
    world.launches.sort(reverse=True)
    # A course falls behind while its platform refuses; that of the others' is no excuse for any delay.
    world.exempt = lambda watched, now: (
        watched.course.registration_id == shared.registration_id and storm[0] <= now < recovered_at
    )
    world.work(storm[0])
    before = len(world.platforms[shared].calls)
    world.work(storm[1])
    asked = len(world.platforms[shared].calls) - before
    assert 30 <= asked <= 3600 / REST + 5, "left alone, and tried again and again"
    world.work(recovered_at)
    used = [world.courses[course.context_id] for course in middle + small]
    used = [watched for watched in used if storm[0] - watched.used_at < RECENT_FOR]
    assert used
    assert all(watched.read_at >= storm[1] for watched in used), "what was owed meanwhile is read"
    world.work(NOW + timedelta(days=7))

    for platform in world.platforms.values():
        assert platform.busiest(60) <= 240 + 2 * 240 / 60 * BUCKET_SECONDS
        assert platform.busiest(3600) <= 61 * 240
    idle = [world.courses[course.context_id].reads for course in large[3:]]
    assert set(idle) <= {7, 8}, "once a night, and once at the beginning"
    assert not world.launches


def test_nights_are_spread(sqlite_database):
    long_ago = NOW - timedelta(days=20)
    courses = school(sqlite_database, 200, last_launched_at=long_ago, sync_due_at=NOW)
    world = world_of(sqlite_database, courses, used_at=long_ago, per_minute=6_000)
    world.work(NOW + timedelta(minutes=10))
    (platform,) = world.platforms.values()
    platform.calls.clear()
    world.work(NOW + timedelta(days=1))
    assert len(platform.calls) == 200 * CALLS_OF_A_READ
    assert platform.busiest(600) <= 60, "of four hundred, were they not spread, all"


@pytest.mark.parametrize("count", [60])
def test_intervals_stretch_alike_where_a_platform_bears_less(database, count):
    """Sixty courses in use want eighty calls a minute; it bears thirty. All wait equally long."""
    courses = school(database, count, last_launched_at=NOW, sync_due_at=NOW)
    world = world_of(database, courses, used_at=NOW, per_minute=30)
    world.exempt = lambda _watched, _now: True
    world.work(NOW + timedelta(minutes=45))
    (platform,) = world.platforms.values()
    reads = [watched.reads for watched in world.courses.values()]
    assert len(platform.calls) == sum(reads) * CALLS_OF_A_READ
    assert 0.8 * 45 * 30 <= len(platform.calls) <= 46 * 30 + 15, "all that it bears, and no more"
    assert max(reads) - min(reads) <= 1


def test_visits_are_answered_while_the_schedule_wants_everything(database):
    courses = school(database, 60, last_launched_at=NOW, sync_due_at=NOW)
    world = world_of(database, courses, used_at=NOW, per_minute=60)
    world.exempt = lambda _watched, _now: True
    visit = replace(access_to(database, courses[0]), is_visit=True)
    for minute in range(30):
        world.work(NOW + timedelta(minutes=minute + 1))
        for _ in range(10):
            assert world.call(visit) is None, "a learner's own read is never starved"
    scheduled = sum(watched.reads for watched in world.courses.values())
    assert scheduled * CALLS_OF_A_READ >= 30 * 30 * 0.8, "nor is the schedule"


def test_the_small_school_does_not_wait_behind_the_large_one(database):
    """The platform bears one read in four seconds, and everything of the large school is owed since long."""
    large = school(database, 100, last_launched_at=NOW, sync_due_at=NOW - timedelta(minutes=30))
    small = school(database, 2, beside=large[0], last_launched_at=NOW, sync_due_at=NOW)
    world = world_of(database, large + small, used_at=NOW, per_minute=30)
    world.exempt = lambda _watched, _now: True
    world.work(NOW + timedelta(minutes=4))
    assert all(world.courses[course.context_id].reads >= 2 for course in small)
    read = sum(world.courses[course.context_id].reads > 0 for course in large)
    assert 10 <= read < 100, "while most of the other's still wait"


@pytest.mark.parametrize("trouble", ["storm", "debt"])
def test_one_institution_keeps_nobody_from_the_promise_of_another(database, trouble):
    """Both are behind one registration. North answers every call by 429, or is in debt for ten minutes; the
    lesson at South is read every two minutes all the while."""
    north = school(database, 30, last_launched_at=NOW, sync_due_at=NOW - timedelta(minutes=30))
    south = institution(database, "south", 3, north[0], last_launched_at=NOW, sync_due_at=NOW)
    world = world_of(database, north + south, used_at=NOW, per_minute=60)
    to_north, to_south = (access_to(database, courses[0]) for courses in (north, south))
    at_north, at_south = (world.platforms[access.site] for access in (to_north, to_south))
    if trouble == "storm":
        at_north.refuses = lambda _now: True
    else:
        for _ in range(1_000):
            world.budgets.spend(to_north)
    world.exempt = lambda watched, _now: watched.course.deployment_id == north[0].deployment_id
    world.work(NOW + timedelta(minutes=40))
    if trouble == "storm":
        assert 1 <= len(at_north.calls) <= 40 * 60 / REST + 5
    else:
        assert at_north.calls[0] >= NOW + timedelta(minutes=10)
    assert len(at_south.calls) >= 3 * CALLS_OF_A_READ * 40 / 2, "each course every two minutes"
    assert world.budgets.standing(to_south).pace == 1
