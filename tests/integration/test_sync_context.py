"""Syncing a context on both databases: what is read adds, only what was read whole removes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text, update

from lti_tool.errors import ErrorCode, NotFound
from lti_tool.outbound import is_transaction_open
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.syncing import Syncing
from lti_tool.store import runs, schedule
from lti_tool.store.database import Database
from lti_tool.store.tables import (
    Award,
    Context,
    Learner,
    LineItem,
    Membership,
    Placement,
    Registration,
    Result,
    Run,
)
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Hints, Issued, gradebook, rows


@dataclass
class World:
    """A course with one mirrored micromodule, its platform, and the service under test."""

    database: Database
    course: factories.Course
    placed: factories.Placed
    book: Gradebook
    clock: Clock
    hints: Hints
    issued: Issued
    syncing: Syncing

    def sync(self) -> runs.RunView:
        run = self.syncing.start_sync(self.course.organisation_id, self.course.context_id)
        self.syncing.sync_context(self.course.context_id, run.id)
        return self.syncing.run(self.course.organisation_id, run.id)

    def members(self) -> dict[str, Membership]:
        with self.database.read() as session:
            found = session.execute(
                select(Learner.sub, Membership)
                .join(Membership, Membership.learner_id == Learner.id)
                .where(Membership.context_id == self.course.context_id)
            )
            return {row.sub: row.Membership for row in found}

    def scores(self) -> dict[str, Decimal | None]:
        with self.database.read() as session:
            found = session.execute(
                select(Learner.sub, Result.score)
                .join(Learner, Learner.id == Result.learner_id)
                .where(Result.line_item_id == self.placed.line_item_id)
            )
            return {row.sub: row.score for row in found}

    def context(self) -> Context:
        with self.database.read() as session:
            return session.get_one(Context, self.course.context_id)

    def column(self) -> LineItem:
        with self.database.read() as session:
            return session.get_one(LineItem, self.placed.line_item_id)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    course = factories.course(database, sync_due_at=factories.NOW)
    with database.write() as session:  # a platform whose roster calls no teacher a learner
        session.execute(update(Registration).values(product="other"))
    placed = factories.placed(database, course)
    with gradebook(course) as book:
        clock, hints, issued = Clock(), Hints(), Issued()
        awarding = Awarding(database, clock)
        syncing = Syncing(
            database, book.network.connector, clock, hints, awarding, issued, CallBudgets(database, clock)
        )
        yield World(database, course, placed, book, clock, hints, issued, syncing)


# -- the way from a grade to an award


def test_a_grade_above_the_bar_earns_the_badge(world):
    world.book.enrol(1, 2, 3)
    world.book.enrol(9, role="Instructor")
    world.book.grade(world.placed, s1=80, s2=79.99999, s9=100)
    run = world.sync()
    assert (run.status, run.error_code) == ("done", None)
    assert run.counts["members"] == 4
    assert run.counts["grades"] == 3
    assert run.counts["awarded"] == run.counts["issued"] == 1
    (award,) = rows(world.database, Award)
    assert world.issued.award_ids == [award.id]
    with world.database.read() as session:
        assert session.get_one(Learner, award.learner_id).sub == "1"
    assert world.scores() == {"1": Decimal(80), "2": Decimal("79.99999"), "9": Decimal(100)}
    column = world.column()
    assert column.is_complete
    assert column.first_value_at == column.read_at == world.clock.now


def test_a_second_sync_of_the_same_facts_changes_nothing(world):
    world.book.enrol(1, 2)
    world.book.grade(world.placed, s1=90)
    world.sync()
    world.clock.forward(minutes=5)
    run = world.sync()
    assert run.counts["added"] == run.counts["changed"] == run.counts["grades_changed"] == 0
    assert {membership.seen_at for membership in world.members().values()} == {factories.NOW}
    assert {row.read_at for row in rows(world.database, Result)} == {factories.NOW}
    assert world.column().read_at == world.clock.now
    assert len(rows(world.database, Award)) == 1


def test_no_transaction_is_open_while_the_platform_answers(world):
    world.book.enrol(*range(5))
    world.book.page_size = 2
    world.book.grade(world.placed, s1=90)
    open_at: list[str] = []
    world.book.before = lambda path: open_at.append(path) if is_transaction_open() else None
    world.sync()
    assert not open_at
    assert len(world.book.asked) == 4


# -- who is there


def test_a_complete_roster_marks_who_is_gone(world):
    world.book.enrol(1, 2, 3)
    world.sync()
    world.clock.forward(minutes=5)
    world.book.members = world.book.members[:2]
    run = world.sync()
    assert run.counts["left"] == 1
    assert {sub: m.is_active for sub, m in world.members().items()} == {"1": True, "2": True, "3": False}
    left_at = {sub: m.left_at for sub, m in world.members().items()}
    assert left_at == {"1": None, "2": None, "3": world.clock()}
    world.book.enrol(3)
    world.clock.forward(minutes=5)
    world.sync()
    assert world.members()["3"].is_active, "and comes back"
    assert world.members()["3"].left_at is None


def test_one_who_goes_as_another_comes_is_gone_from_roster_and_column(world):
    world.book.enrol(1, 2, 3)
    world.book.grade(world.placed, s1=10, s2=20, s3=30)
    world.sync()
    world.clock.forward(minutes=5)
    world.book.members = world.book.members[:2]
    world.book.enrol(4)
    del world.book.grades[world.placed.line_item_url]["3"]
    world.book.grade(world.placed, s4=40)
    run = world.sync()
    assert (run.counts["added"], run.counts["left"]) == (1, 1)
    assert [sub for sub, member in world.members().items() if not member.is_active] == ["3"]
    assert world.scores() == {"1": Decimal(10), "2": Decimal(20), "3": None, "4": Decimal(40)}


@pytest.mark.parametrize(
    "failing",
    [(500, {}, ""), (404, {}, "<html>"), (200, {}, '{"members": [{"user_id"'), (200, {}, '{"members": []}')],
)
def test_a_roster_that_failed_removes_nobody(world, failing):
    world.book.enrol(1, 2)
    world.sync()
    world.clock.forward(minutes=5)
    world.book.failing["/memberships/"] = failing
    run = world.sync()
    assert all(membership.is_active for membership in world.members().values())
    context = world.context()
    assert context.roster_trouble == run.error_code is not None
    assert context.roster_read_at == factories.NOW, "the older reading stands"
    assert context.roster_is_complete
    assert run.status == "done", "the columns were read"


@pytest.mark.parametrize("link", ["https://evil.example/x", "same", "page twice"])
def test_a_roster_that_was_cut_off_adds_and_removes_nobody(world, link):
    world.book.enrol(1, 2, 3)
    world.sync()
    world.clock.forward(minutes=5)
    target = {"same": "?", "page twice": "?again=1"}.get(link, link)
    body = '{"members": [{"user_id": "1", "roles": ["Learner"]}, {"user_id": "77", "roles": ["Learner"]}]}'
    world.book.failing["/memberships/"] = (200, {"Link": f'<{target}>; rel="next"'}, body)
    run = world.sync()
    members = world.members()
    assert set(members) == {"1", "2", "3", "77"}
    assert all(membership.is_active for membership in members.values())
    assert run.error_code in (ErrorCode.PLATFORM_HOST_FOREIGN, ErrorCode.PLATFORM_PAGING_BROKEN)
    assert not world.context().roster_is_complete


def test_somebody_who_came_in_during_the_reading_is_not_gone(world):
    world.book.enrol(1)
    world.sync()
    world.clock.forward(minutes=5)

    def come_in(path: str) -> None:
        if "/memberships/" in path:
            factories.enrol(world.database, world.course, now=world.clock.now)

    world.book.before = come_in
    world.sync()
    assert all(membership.is_active for membership in world.members().values())


def test_staff_of_a_launch_stay_staff_though_the_roster_says_learner(world):
    world.book.enrol(4)
    world.sync()
    with world.database.write() as session:
        session.execute(update(Membership).values(is_staff=True, is_learner=False))
    world.clock.forward(minutes=5)
    world.book.grade(world.placed, s4=100)
    world.sync()
    membership = world.members()["4"]
    assert membership.is_staff
    assert not membership.is_learner
    assert not rows(world.database, Award)


def test_a_learner_who_becomes_a_teacher_is_staff_from_then_on(world):
    world.book.enrol(4)
    world.sync()
    world.book.members[0]["roles"] = ["Instructor"]
    world.clock.forward(minutes=5)
    world.sync()
    assert world.members()["4"].is_staff
    world.book.members[0]["roles"] = ["Learner"]
    world.clock.forward(minutes=5)
    world.sync()
    assert world.members()["4"].is_staff
    assert not world.members()["4"].is_learner


def test_a_withheld_name_is_not_erased_and_a_new_one_is_taken(world):
    world.book.enrol(1, 2)
    world.sync()
    del world.book.members[0]["name"], world.book.members[0]["email"]
    world.book.members[1]["name"] = "Married Name"
    world.clock.forward(minutes=5)
    world.sync()
    names = {learner.sub: (learner.name, learner.email) for learner in rows(world.database, Learner)}
    assert names == {"1": ("Name 1", "1@x.example"), "2": ("Married Name", "2@x.example")}


# -- grades


def test_a_grade_of_somebody_in_no_roster_makes_a_learner_and_no_membership(world):
    world.book.enrol(1)
    world.book.grade(world.placed, s1=50, s66=100)
    world.sync()
    assert {learner.sub for learner in rows(world.database, Learner)} == {"1", "66"}
    assert set(world.members()) == {"1"}
    assert not rows(world.database, Award)


def test_a_grade_that_vanished_from_a_whole_column_is_no_grade(world):
    world.book.enrol(1, 2)
    world.book.grade(world.placed, s1=50, s2=60)
    world.sync()
    world.clock.forward(minutes=5)
    del world.book.grades[world.placed.line_item_url]["2"]
    world.sync()
    assert world.scores() == {"1": Decimal(50), "2": None}


def test_a_grade_that_vanished_from_a_cut_off_column_stays(world):
    world.book.enrol(1, 2)
    world.book.grade(world.placed, s1=50, s2=60)
    world.sync()
    world.clock.forward(minutes=5)
    body = '[{"userId": "1", "resultScore": 55, "resultMaximum": 100}, {"resultScore": 1}]'
    world.book.failing["/results"] = (200, {}, body)
    run = world.sync()
    assert world.scores() == {"1": Decimal(55), "2": Decimal(60)}
    column = world.column()
    assert (column.is_complete, column.trouble) == (False, run.error_code)
    assert column.trouble == ErrorCode.PLATFORM_ANSWER_INVALID


def test_a_listed_person_without_a_score_is_not_graded(world):
    world.book.enrol(1)
    world.book.grade(world.placed, s1=None)
    world.sync()
    assert world.scores() == {"1": None}
    assert world.column().first_value_at is None


def test_a_held_badge_survives_a_lower_grade(world):
    world.book.enrol(1)
    world.book.grade(world.placed, s1=100)
    world.sync()
    world.book.grade(world.placed, s1=0)
    world.clock.forward(minutes=5)
    world.sync()
    assert len(rows(world.database, Award)) == 1


def test_a_grade_read_later_at_a_visit_is_not_overwritten_by_an_older_reading(world):
    world.book.enrol(1)
    world.book.grade(world.placed, s1=10)
    world.sync()
    world.clock.forward(minutes=5)

    def visit(path: str) -> None:
        if path.endswith("/results"):
            with world.database.write() as session:
                later = world.clock.now + timedelta(seconds=1)
                session.execute(update(Result).values(score=Decimal(90), read_at=later))

    world.book.before = visit
    world.sync()
    assert world.scores() == {"1": Decimal(90)}


def test_the_column_that_the_tool_writes_is_never_read(world):
    award_url = f"{world.course.platform_issuer}/lineitems/900/lineitem"
    factories.column(world.database, world.course, world.placed, "", tag="award", id_on_platform=award_url)
    world.book.enrol(1)
    world.book.grades[award_url] = {"1": 100}
    world.sync()
    assert not world.book.calls("/lineitems/900/")
    assert not rows(world.database, Result)
    assert not rows(world.database, Award)


def test_a_hundred_grades_more_than_a_chunk_are_all_stored(world, monkeypatch):
    monkeypatch.setattr("lti_tool.store.rosters.CHUNK", 100)
    world.book.enrol(*range(1, 351))
    world.book.page_size = 120
    world.book.grades[world.placed.line_item_url] = {str(number): number % 101 for number in range(1, 351)}
    run = world.sync()
    assert run.counts["members"] == run.counts["grades"] == 350
    assert len(world.scores()) == 350
    assert len(rows(world.database, Award)) == sum(number % 101 >= 80 for number in range(1, 351))


# -- runs and the schedule


def test_two_who_ask_at_once_get_one_run_and_one_hint(world):
    first = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    second = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    assert first.id == second.id
    assert world.hints.offered == [
        ("sync_context", {"context_id": world.course.context_id, "run_id": first.id})
    ]


def test_a_run_that_is_done_is_not_done_again(world):
    run = world.sync()
    asked = len(world.book.asked)
    world.syncing.sync_context(world.course.context_id, run.id)
    assert len(world.book.asked) == asked


def test_a_run_of_a_lost_worker_is_taken_over(world):
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    with world.database.write() as session:
        runs.begin(session, world.course.organisation_id, run.id, world.clock.now)
        name = f"{runs.CONTEXT_LEASE}{world.course.context_id}"
        runs.take_lease(session, name, "the lost one", world.clock.now, 300)
    world.syncing.sync_context(world.course.context_id, run.id)
    assert not world.book.asked, "the lease still runs"
    world.clock.forward(seconds=301)
    world.syncing.sync_context(world.course.context_id, run.id)
    assert world.syncing.run(world.course.organisation_id, run.id).status == "done"


def test_progress_is_visible_while_the_work_goes_on(world):
    world.book.enrol(*range(1, 5))
    world.book.page_size = 2
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    seen: list[tuple[str, str, int]] = []

    def look(_path: str) -> None:
        now = world.syncing.run(world.course.organisation_id, run.id)
        seen.append((now.status, now.step, now.done))
        world.clock.forward(seconds=6)

    world.book.before = look
    world.syncing.sync_context(world.course.context_id, run.id)
    assert seen == [("running", "", 0), ("running", "roster", 2), ("running", "results", 0)]


def test_a_course_is_nobody_elses_while_its_long_column_is_read(world):
    """Ten pages of twenty seconds: longer than a worker may be silent, which it is not."""
    world.book.enrol(1)
    world.book.grade(world.placed, **{f"s{number}": 50 for number in range(1, 11)})
    world.book.page_size = 1
    pages = 0

    def another_worker(path: str) -> None:
        nonlocal pages
        world.clock.forward(seconds=20)
        pages += 1
        if path.endswith("/results") and pages > 8:
            before, world.book.before = world.book.before, lambda _path: None
            asked = len(world.book.asked)
            world.syncing.sync_context(world.course.context_id)
            assert len(world.book.asked) == asked
            world.book.before = before

    world.book.before = another_worker
    world.syncing.sync_context(world.course.context_id)
    assert len(world.book.calls("/results")) == 10


def test_small_pages_that_come_quickly_are_stored_together(world):
    world.book.enrol(*range(1, 31))
    world.book.page_size = 3
    with world.database.statements() as executed:
        run = world.sync()
    assert run.counts["members"] == run.counts["added"] == 30
    assert sum(statement.startswith("INSERT INTO memberships") for statement in executed) == 1


def test_an_unchanged_course_is_read_and_not_written(world):
    world.book.enrol(*range(1, 301))
    world.book.grades[world.placed.line_item_url] = {str(number): number % 70 for number in range(1, 301)}
    world.sync()
    world.clock.forward(minutes=5)
    with world.database.statements() as executed:
        world.sync()
    written = ("INSERT INTO learners", "INSERT INTO memberships", "INSERT INTO results")
    assert not [statement for statement in executed if statement.startswith(written)]


def test_nothing_personal_stays_staged(world):
    world.book.enrol(1, 2)
    world.book.grade(world.placed, s1=90)
    world.sync()
    with world.database.write() as session:
        assert session.scalar(text("SELECT count(*) FROM staged_members")) == 0
        assert session.scalar(text("SELECT count(*) FROM staged_grades")) == 0


def test_a_scheduled_sync_is_done_once_and_owed_again_soon(world):
    world.book.enrol(1)
    assert [due.context_id for due in world.syncing.contexts_due(world.clock.now, 10)] == [
        world.course.context_id
    ]
    world.syncing.sync_context(world.course.context_id)
    asked = len(world.book.asked)
    assert asked == 2
    world.syncing.sync_context(world.course.context_id)
    assert len(world.book.asked) == asked, "not owed any more"
    assert not world.syncing.contexts_due(world.clock.now, 10)
    assert world.context().sync_due_at == world.clock.now + timedelta(seconds=90)
    assert not rows(world.database, Run), "nobody watches it"


def during_the_column(world, happens):
    """Let something happen while the column is read, once."""

    def before(path: str) -> None:
        if path.endswith("/results"):
            world.book.before = lambda _path: None
            happens()

    world.book.before = before


def schedule_for(world, due_at) -> None:
    with world.database.write() as session:
        schedule.schedule_sync(session, world.course.organisation_id, world.course.context_id, due_at)


def publish(world) -> None:
    world.clock.forward(minutes=10)
    with world.database.write() as session:
        session.execute(update(Placement).values(published_at=world.clock.now))
    schedule_for(world, world.clock.now)


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_badge_that_is_published_during_a_reading_is_decided_right_after_it(world, is_watched):
    """The reading that began before may be past its decisions, and must not say that nothing is owed."""
    world.book.enrol(1)
    during_the_column(world, lambda: publish(world))
    if is_watched:
        world.sync()
    else:
        world.syncing.sync_context(world.course.context_id)
    (run,) = [run for run in rows(world.database, Run) if run.status == "waiting"]
    task = ("sync_context", {"context_id": world.course.context_id, "run_id": run.id})
    assert world.hints.offered[-1] == task
    world.syncing.sync_context(world.course.context_id, run.id)
    assert [run.status for run in rows(world.database, Run)] == ["done"] * (1 + is_watched), "not for ever"


def test_a_visit_during_a_reading_has_it_read_no_sooner(world):
    """The platform of a course that takes long has its peace, however many come meanwhile."""
    world.book.enrol(1)

    def visited() -> None:
        schedule_for(world, world.clock.now)
        world.clock.forward(minutes=10)

    during_the_column(world, visited)
    world.syncing.sync_context(world.course.context_id)
    assert rows(world.database, Run) == []
    assert world.context().sync_due_at > world.clock.now


def test_a_course_that_takes_long_is_owed_again_the_sooner(world):
    """Counted from the end, what is shown would be older than the two minutes that are promised."""
    world.book.enrol(1)
    world.book.before = lambda _path: world.clock.forward(seconds=12)
    world.syncing.sync_context(world.course.context_id)
    assert len(world.book.asked) == 2
    assert world.context().sync_due_at == world.clock.now + timedelta(seconds=90 - 2 * 24)


def test_a_killed_scheduled_sync_is_owed_again(world):
    world.book.before = lambda _path: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        world.syncing.sync_context(world.course.context_id)
    world.book.before = lambda _path: None
    world.clock.forward(seconds=301)
    assert world.syncing.contexts_due(world.clock.now, 10)
    world.syncing.sync_context(world.course.context_id)
    assert world.column().read_at == world.clock.now


def test_a_platform_that_fails_everywhere_fails_the_run_and_is_left_alone_for_a_while(world):
    for part in ("/memberships/", "/results"):
        world.book.failing[part] = (500, {}, "")
    run = world.sync()
    assert (run.status, run.error_code) == ("failed", ErrorCode.PLATFORM_UNREACHABLE)
    assert world.context().sync_due_at == world.clock.now + timedelta(minutes=3)


def test_a_platform_that_never_answered_is_asked_ever_more_rarely(world):
    for part in ("/memberships/", "/results"):
        world.book.failing[part] = (500, {}, "")
    waits = []
    for _ in range(6):
        world.sync()
        due_at = world.context().sync_due_at
        waits.append((due_at - world.clock.now).total_seconds() / 60)
        world.clock.forward(minutes=waits[-1])
    assert waits == [3, 3, 6, 10, 10, 10], "somebody was there within the hour"


@pytest.mark.parametrize("part", ["/memberships/", "/results"])
def test_one_part_that_cannot_be_read_puts_off_nothing_of_the_others(world, part):
    """A deleted column, or a roster that the tool may not read: the grades of the rest are awaited."""
    world.book.enrol(1)
    world.book.failing[part] = (404, {}, "")
    world.clock.forward(minutes=30)
    world.sync()
    assert world.context().sync_due_at == world.clock.now + timedelta(seconds=90)


def test_a_grade_that_was_given_counts_as_use_though_nobody_launches(world):
    world.book.enrol(1)
    world.book.grade(world.placed, s1=10)
    world.clock.forward(minutes=40)
    with world.database.write() as session:
        session.execute(update(Context).values(last_launched_at=world.clock.now - timedelta(days=30)))
    world.sync()
    assert world.context().sync_due_at == world.clock.now + timedelta(seconds=90)
    world.clock.forward(hours=2)
    world.sync()
    assert world.context().sync_due_at == world.clock.now + timedelta(minutes=50), "graded this week"


def test_a_platform_that_asks_for_rest_gets_it(world):
    world.book.failing["/memberships/"] = (429, {"Retry-After": "1800"}, "")
    run = world.sync()
    assert run.error_code == ErrorCode.PLATFORM_BUSY
    assert not world.book.calls("/results"), "the same platform, the same rest"
    assert world.context().sync_due_at == world.clock.now + timedelta(seconds=1800)


def test_a_context_without_anything_to_read_is_owed_nothing(world):
    with world.database.write() as session:
        session.execute(update(factories.tables.Placement).values(status="removed"))
    world.syncing.sync_context(world.course.context_id)
    assert world.context().sync_due_at is None
    assert not world.book.calls("/results")


def test_a_disabled_registration_is_read_no_more(world):
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    with world.database.write() as session:
        session.execute(update(factories.tables.Registration).values(status="disabled"))
    assert not world.syncing.contexts_due(world.clock.now, 10)
    world.syncing.sync_context(world.course.context_id, run.id)
    assert not world.book.asked
    run = world.syncing.run(world.course.organisation_id, run.id)
    assert (run.status, run.error_code) == ("failed", ErrorCode.REGISTRATION_NOT_APPROVED)


def test_our_own_mistake_closes_the_run_and_is_raised(world):
    def broken(*_ids: str):
        raise ZeroDivisionError

    object.__setattr__(world.syncing, "awarding", type("Broken", (), {"decide_context": broken})())
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    with pytest.raises(ZeroDivisionError):
        world.syncing.sync_context(world.course.context_id, run.id)
    run = world.syncing.run(world.course.organisation_id, run.id)
    assert (run.status, run.error_code) == ("failed", ErrorCode.INTERNAL)
    assert world.context().sync_due_at > world.clock.now


# -- other organisations


def test_another_organisations_ids_lead_nowhere(world):
    other = factories.course(world.database)
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    with pytest.raises(NotFound):
        world.syncing.start_sync(other.organisation_id, world.course.context_id)
    with pytest.raises(NotFound):
        world.syncing.run(other.organisation_id, run.id)
    with pytest.raises(NotFound):
        world.syncing.sync_context("0" * 32)


def test_a_run_of_one_context_does_not_sync_another(world):
    other = factories.course(world.database)
    foreign = world.syncing.start_sync(other.organisation_id, other.context_id)
    world.syncing.sync_context(world.course.context_id, foreign.id)
    assert not world.book.asked
    assert world.syncing.run(other.organisation_id, foreign.id).status == "waiting"


def test_equal_subs_of_two_platforms_are_two_people(world):
    world.book.enrol(1)
    world.sync()
    other = factories.course(world.database, sync_due_at=world.clock.now)
    with gradebook(other) as book:
        book.enrol(1)
        Syncing(
            world.database,
            book.network.connector,
            world.clock,
            world.hints,
            Awarding(world.database, world.clock),
            world.issued,
            CallBudgets(world.database, world.clock),
        ).sync_context(other.context_id)
    assert len({learner.id for learner in rows(world.database, Learner)}) == 2
    assert len(world.members()) == 1
