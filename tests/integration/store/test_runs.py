"""Runs are joined, resumed and found again; leases are held by one at a time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from lti_tool.domain.staff import StaffRole
from lti_tool.store import runs, staff
from lti_tool.store.database import Database
from lti_tool.store.tables import LaunchSession, Lease, Nonce, Notice, Run, StaffLink, StaffSession
from tests import factories

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
def course(database: Database) -> factories.Course:
    return factories.course(database, NOW)


def opened(database: Database, course: factories.Course, now: datetime = NOW) -> runs.RunView:
    with database.write() as session:
        return runs.open_run(session, course.organisation_id, course.context_id, now)[0]


def test_asking_again_joins_the_open_run(database: Database, course: factories.Course) -> None:
    first = opened(database, course)
    with database.write() as session:
        second, is_new = runs.open_run(session, course.organisation_id, course.context_id, SOON)
    assert (second.id, is_new, second.status) == (first.id, False, "waiting")


def test_of_many_who_ask_at_once_all_get_one_run(database: Database, course: factories.Course) -> None:
    seen: list[tuple[str, bool]] = []
    start = threading.Barrier(5)

    def ask() -> None:
        start.wait()
        with database.write() as session:
            run, is_new = runs.open_run(session, course.organisation_id, course.context_id, NOW)
            seen.append((run.id, is_new))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run_id for run_id, _ in seen}) == 1
    assert [is_new for _, is_new in seen].count(True) == 1


def test_after_it_is_over_a_new_one_opens(database: Database, course: factories.Course) -> None:
    first = opened(database, course)
    with database.write() as session:
        runs.finish(session, course.organisation_id, first.id, SOON, {"learners": 30})
    second = opened(database, course, SOON)
    assert second.id != first.id
    with database.read() as session:
        done = runs.run(session, course.organisation_id, first.id)
        newest = runs.newest(session, course.organisation_id, course.context_id)
    assert done is not None
    assert newest is not None
    assert (done.status, done.counts, done.finished_at, newest.id) == (
        "done",
        {"learners": 30},
        SOON,
        second.id,
    )


def test_another_organisation_sees_no_run(database: Database, course: factories.Course) -> None:
    run = opened(database, course)
    other = factories.course(database, NOW)
    with database.read() as session:
        assert runs.run(session, other.organisation_id, run.id) is None
        assert runs.newest(session, other.organisation_id, course.context_id) is None


def test_another_organisation_moves_no_run(database: Database, course: factories.Course) -> None:
    run = opened(database, course)
    other = factories.course(database, NOW).organisation_id
    with database.write() as session:
        assert not runs.begin(session, other, run.id, NOW)
        runs.advance(session, other, run.id, runs.SyncStep.ROSTER, 5, 30)
        runs.finish(session, other, run.id, SOON, {"learners": 0}, is_failed=True)
        assert runs.run(session, course.organisation_id, run.id) == run


def test_a_finished_run_does_not_begin_again(database: Database, course: factories.Course) -> None:
    """A task that was delivered twice finds nothing left to do."""
    run = opened(database, course)
    with database.write() as session:
        assert runs.begin(session, course.organisation_id, run.id, NOW)
        runs.advance(session, course.organisation_id, run.id, runs.SyncStep.ROSTER, 5, 30)
    with database.write() as session:
        assert runs.begin(session, course.organisation_id, run.id, SOON), (
            "whoever takes over a lost run begins it again"
        )
        runs.finish(
            session, course.organisation_id, run.id, SOON, {}, error_code="platform_timed_out", is_failed=True
        )
    with database.write() as session:
        assert not runs.begin(session, course.organisation_id, run.id, SOON)
        runs.finish(session, course.organisation_id, run.id, SOON + timedelta(hours=1), {"late": 1})
    with database.read() as session:
        kept = runs.run(session, run.organisation_id, run.id)
    assert kept is not None
    assert (kept.status, kept.step, kept.done, kept.total) == ("failed", "roster", 5, 30)
    assert (kept.started_at, kept.finished_at, kept.counts) == (NOW, SOON, {})


def test_lost_runs_are_those_that_nobody_works_on(database: Database) -> None:
    waiting, running, held, fresh, over = (factories.course(database, NOW) for _ in range(5))
    ids = {course.context_id: opened(database, course).id for course in (waiting, running, held, over)}
    opened(database, fresh, SOON)
    with database.write() as session:
        runs.begin(session, running.organisation_id, ids[running.context_id], NOW)
        runs.begin(session, held.organisation_id, ids[held.context_id], NOW)
        runs.finish(session, over.organisation_id, ids[over.context_id], NOW, {})
        assert runs.take_lease(session, runs.CONTEXT_LEASE + held.context_id, "worker", NOW, 300)
        assert runs.take_lease(session, runs.CONTEXT_LEASE + running.context_id, "dead worker", NOW, 5)
    with database.read() as session:
        lost = runs.lost_runs(session, SOON, waiting_since=NOW + timedelta(seconds=30), limit=10)
    assert {run.id for run in lost} == {ids[waiting.context_id], ids[running.context_id]}


def test_a_lease_is_held_by_one(database: Database) -> None:
    with database.write() as session:
        assert runs.take_lease(session, "reconcile", "a", NOW, 60)
        assert not runs.take_lease(session, "reconcile", "b", NOW + timedelta(seconds=59), 60)
        assert runs.take_lease(session, "reconcile", "a", NOW + timedelta(seconds=59), 60), "renewed"
        assert not runs.take_lease(session, "reconcile", "b", NOW + timedelta(seconds=100), 60)
        assert runs.take_lease(session, "reconcile", "b", NOW + timedelta(seconds=119), 60), "taken over"
        runs.release_lease(session, "reconcile", "a")
        assert not runs.take_lease(session, "reconcile", "a", NOW + timedelta(seconds=120), 60)
        runs.release_lease(session, "reconcile", "b")
        assert runs.take_lease(session, "reconcile", "a", NOW + timedelta(seconds=120), 60)


def test_a_lease_from_before_the_clock_was_set_back_is_nobodys(
    database: Database, course: factories.Course
) -> None:
    run = opened(database, course)
    with database.write() as session:
        name = runs.CONTEXT_LEASE + course.context_id
        assert runs.take_lease(session, name, "dead", NOW + timedelta(days=365), 120)
        assert [lost.id for lost in runs.lost_runs(session, SOON, SOON, 9)] == [run.id]
        assert runs.take_lease(session, name, "alive", SOON, 120)
        assert not runs.take_lease(session, name, "another", SOON, 120)


def test_of_many_who_want_an_expired_lease_one_gets_it(database: Database) -> None:
    with database.write() as session:
        runs.take_lease(session, "reconcile", "dead", NOW, 1)
    got: list[bool] = []
    start = threading.Barrier(5)

    def want(holder: str) -> None:
        start.wait()
        with database.write() as session:
            got.append(runs.take_lease(session, "reconcile", holder, SOON, 60))

    threads = [threading.Thread(target=want, args=(f"worker {n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(True) == 1


def test_purging_takes_only_what_is_over(database: Database, course: factories.Course) -> None:
    later = NOW + timedelta(days=40)
    run = opened(database, course)
    (learner_id,) = factories.enrol(database, course)
    factories.launch_session(database, course, learner_id, expires_at=NOW)
    late = factories.launch_session(database, course, learner_id, expires_at=later - timedelta(hours=1))
    with database.write() as session:
        session.add_all(
            [
                Nonce(value_hash="a" * 64, expires_at=NOW),
                Nonce(value_hash="b" * 64, expires_at=later + timedelta(minutes=5)),
            ]
        )
        member = staff.add_member(
            session, course.organisation_id, name="Ada", email=None, role=StaffRole.OWNER, now=NOW
        )
        for number, link_over_at in enumerate((NOW, later)):
            link = StaffLink(
                organisation_id=course.organisation_id,
                staff_member_id=member.id,
                token_hash=f"link {number}",
                created_at=NOW,
                expires_at=link_over_at,
            )
            session.add(link)
            staff.add_session(
                session,
                course.organisation_id,
                token_hash=f"session {number}",
                now=NOW,
                expires_at=later + timedelta(seconds=number),
                staff_member_id=member.id,
            )
        for name, received_at in (("old", NOW), ("young", later - timedelta(days=29))):
            notice = Notice(
                registration_id=course.registration_id,
                deployment_id=course.deployment_id,
                id_on_platform=name,
                kind="LtiHelloWorldNotice",
                received_at=received_at,
            )
            session.add(notice)
        runs.take_lease(session, "old", "dead", NOW, 1)
        runs.take_lease(session, "new", "alive", later, 60)
        runs.finish(session, course.organisation_id, run.id, NOW, {})
    opened(database, course, NOW)
    with database.write() as session:
        assert runs.purge(session, later) == {
            "nonces": 1,
            "sessions": 1,
            "staff_links": 1,
            "staff_sessions": 1,
            "leases": 1,
            "runs": 1,
            "notices": 1,
            "person_codes": 0,
        }
    with database.read() as session:
        assert list(session.scalars(sa.select(Notice.id_on_platform))) == ["young"]
        assert list(session.scalars(sa.select(Nonce.value_hash))) == ["b" * 64]
        assert list(session.scalars(sa.select(LaunchSession.id))) == [late]
        assert list(session.scalars(sa.select(StaffLink.token_hash))) == ["link 1"]
        assert list(session.scalars(sa.select(StaffSession.token_hash))) == ["session 1"]
        assert list(session.scalars(sa.select(Lease.name))) == ["new"]
        assert list(session.scalars(sa.select(Run.status))) == ["waiting"]


# -- runs that rest, and runs that say themselves what they are about


def test_a_paused_run_is_offered_to_nobody_until_it_goes_on(
    database: Database, course: factories.Course
) -> None:
    run = opened(database, course)
    with database.write() as session:
        assert runs.pause(session, course.organisation_id, run.id, SOON)
        assert not runs.pause(session, course.organisation_id, run.id, SOON)
        assert not runs.begin(session, course.organisation_id, run.id, SOON)
        assert runs.lost_runs(session, SOON, SOON, 10) == ()
        paused = runs.run(session, course.organisation_id, run.id)
        assert paused is not None
        assert (paused.is_open, paused.is_paused, paused.paused_at) == (True, True, SOON)
        assert runs.resume(session, course.organisation_id, run.id)
        assert not runs.resume(session, course.organisation_id, run.id)
        assert [one.id for one in runs.lost_runs(session, SOON, SOON, 10)] == [run.id]


def test_another_organisation_pauses_and_resumes_nothing(
    database: Database, course: factories.Course
) -> None:
    run = opened(database, course)
    other = factories.course(database, NOW)
    with database.write() as session:
        assert not runs.pause(session, other.organisation_id, run.id, NOW)
        runs.pause(session, course.organisation_id, run.id, NOW)
        assert not runs.resume(session, other.organisation_id, run.id)


def test_who_works_on_a_run_hears_that_it_was_paused_and_that_it_is_over(
    database: Database, course: factories.Course
) -> None:
    organisation_id = course.organisation_id
    with database.write() as session:
        id_ = runs.open_task(session, organisation_id, "count", {"after": ""}, NOW)
        assert runs.task(session, "count", id_) == (organisation_id, {"after": ""})
        assert runs.task(session, "weigh", id_) is None
        assert runs.begin(session, organisation_id, id_, NOW)
        assert runs.save(session, id_, "counting", 5, 9, {"after": "e"})
        runs.pause(session, organisation_id, id_, NOW)
        # What was done until then is kept: it goes on from there.
        assert not runs.save(session, id_, "counting", 7, 9, {"after": "g"})
        assert runs.task(session, "count", id_) is None
        runs.resume(session, organisation_id, id_)
        assert runs.task(session, "count", id_) == (organisation_id, {"after": "g"})
        runs.finish(session, organisation_id, id_, NOW, {})
        assert not runs.save(session, id_, "counting", 8, 9, {"after": "h"})
        assert runs.task(session, "count", id_) is None


def test_tasks_that_nobody_works_on_are_due_unless_they_rest(
    database: Database, course: factories.Course
) -> None:
    organisation_id = course.organisation_id
    other = factories.course(database, NOW)
    with database.write() as session:
        first = runs.open_task(session, organisation_id, "count", {"of": "x"}, NOW)
        second = runs.open_task(session, organisation_id, "count", {"of": "y"}, SOON)
        runs.open_task(session, organisation_id, "weigh", {"of": "x"}, NOW)
        assert runs.due_tasks(session, "count", SOON, 10) == (first, second)
        assert runs.take_lease(session, runs.RUN_LEASE + first, "me", SOON, 60)
        assert runs.due_tasks(session, "count", SOON, 10) == (second,)
        runs.pause(session, organisation_id, second, SOON)
        assert runs.due_tasks(session, "count", SOON, 10) == ()
        later = SOON + timedelta(minutes=2)
        assert runs.due_tasks(session, "count", later, 10) == (first,)
        found = runs.of_task(session, organisation_id, "count", "of", "y")
        assert found is not None
        assert found.id == second
        assert runs.of_task(session, other.organisation_id, "count", "of", "y") is None
