"""The reconcile pass offers what is due, no more than once in a while, from one worker at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from lti_tool import telemetry
from lti_tool.bootstrap import Tool
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.jobs.reconcile import BACKLOG, FIRST_PORTION, LEASE_SECONDS, PATIENCE, SYNC_PATIENCE, Reconcile
from lti_tool.jobs.tasks import register
from lti_tool.keyring import LTI
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.staffing import Operator
from lti_tool.store.tables import (
    AchievementVersion,
    AuditEvent,
    CallBudget,
    Context,
    Credential,
    Nonce,
    RefusedLaunch,
    Registration,
    Renewal,
    StatusList,
)
from tests import factories
from tests.integration.jobs.conftest import Installation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Watch:
    """A clock that a test turns."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def tool(open_tool: Callable[..., Tool], watch: Watch) -> Tool:
    return open_tool(clock=watch)


@pytest.fixture
def course(tool: Tool) -> factories.Course:
    return factories.course(tool.database, NOW)


def offered(tool: Tool) -> list[tuple[str, dict[str, str]]]:
    messages = [json.loads(bytes(item)) for item in tool.queue._huey.storage.enqueued_items()]
    return [(message["args"][0], message["args"][1]) for message in messages]


def drain(tool: Tool) -> None:
    while tool.queue.run_one():
        pass


def test_the_pass_forgets_what_was_refused_a_month_ago(tool: Tool, watch: Watch) -> None:
    tool.health.note_refusal(LaunchRefused(ErrorCode.LAUNCH_EXPIRED, "expired"))
    for days, kept in ((0, 1), (29, 1), (3, 0)):
        watch.now += timedelta(days=days)
        Reconcile(tool).run()
        Reconcile(tool).run()
        with tool.database.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(RefusedLaunch)) == kept
        watch.now += timedelta(hours=1)


def test_nothing_due_offers_nothing(tool: Tool, course: factories.Course) -> None:
    assert Reconcile(tool).run() == 0
    assert offered(tool) == []


def test_an_award_without_its_credential_is_offered_and_issued(tool: Tool, course: factories.Course) -> None:
    placed = factories.placed(tool.database, course)
    (learner_id,) = factories.enrol(tool.database, course)
    award_id = factories.award(tool.database, course, placed, learner_id)
    reconcile = Reconcile(tool)
    register(tool, reconcile)
    assert reconcile.run() == 1
    assert offered(tool) == [("issue_credential", {"award_id": award_id})]
    drain(tool)
    with tool.database.read() as session:
        assert session.scalars(sa.select(Credential.award_id)).all() == [award_id]
    assert reconcile.run() == 1, "the status list that was begun with it"
    drain(tool)
    assert reconcile.run() == 0


def test_a_revocation_whose_list_was_not_signed_is_offered(tool: Tool, course: factories.Course) -> None:
    placed = factories.placed(tool.database, course)
    (learner_id,) = factories.enrol(tool.database, course)
    credential_id = tool.issuing.issue_credential(factories.award(tool.database, course, placed, learner_id))
    assert credential_id is not None
    reconcile = Reconcile(tool)
    register(tool, reconcile)
    tool.revoking.revoke(credential_id, "by mistake", "cli")
    while tool.queue._huey.storage.dequeue() is not None:
        pass  # the hint is lost
    assert reconcile.run() == 1
    drain(tool)
    with tool.database.read() as session:
        assert session.scalars(sa.select(StatusList.document)).one() is not None


def test_a_course_that_is_due_is_offered(tool: Tool, course: factories.Course, watch: Watch) -> None:
    due = factories.course(tool.database, NOW, sync_due_at=NOW - timedelta(minutes=1))
    factories.course(tool.database, NOW, sync_due_at=NOW + timedelta(minutes=1))
    reconcile = Reconcile(tool)
    assert reconcile.run() == 1
    assert offered(tool) == [("sync_context", {"context_id": due.context_id})]
    watch.now += SYNC_PATIENCE / 2
    assert reconcile.run() == 0, "it waits in the queue"
    watch.now += SYNC_PATIENCE
    assert reconcile.run() == 2, "its message may be lost; and the other fell due"


def test_a_run_that_nobody_works_on_is_offered_again(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)
    assert tool.queue._huey.storage.dequeue() is not None, "the hint is lost"
    reconcile = Reconcile(tool)
    assert reconcile.run() == 0, "it was asked for just now"
    watch.now += PATIENCE
    assert reconcile.run() == 1
    assert offered(tool) == [("sync_context", {"context_id": course.context_id, "run_id": run.id})]


def test_a_lost_run_is_not_raced_by_its_courses_schedule(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    """Whichever came second would find the course taken, and a run that is watched would wait."""
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)
    tool.queue._huey.storage.dequeue()
    watch.now += PATIENCE
    with tool.database.write() as session:
        session.execute(sa.update(Context).values(sync_due_at=NOW))
    assert Reconcile(tool).run() == 1
    assert offered(tool) == [("sync_context", {"context_id": course.context_id, "run_id": run.id})]


def test_the_queue_stays_short(tool: Tool, watch: Watch) -> None:
    """What does not fit is still due at the next pass."""
    course = factories.course(tool.database, NOW)
    placed = factories.placed(tool.database, course)
    for learner_id in factories.enrol(tool.database, course, 3):
        factories.award(tool.database, course, placed, learner_id)
    for number in range(BACKLOG - 2):
        tool.queue.offer("elsewhere", number=str(number))
    reconcile = Reconcile(tool)
    assert reconcile.run() == 2
    assert reconcile.run() == 0
    while tool.queue._huey.storage.dequeue() is not None:
        pass
    assert reconcile.run() == 1, "the one that did not fit"
    watch.now += PATIENCE
    assert reconcile.run() == 3, "nothing came of the others either"


def test_a_full_queue_puts_no_search_off(tool: Tool, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """For milestones and scores that are owed is looked as soon as there is room, not minutes later."""
    searched: list[str] = []

    def search(name: str) -> Callable[..., tuple[str, ...]]:
        def note(*_: object) -> tuple[str, ...]:
            searched.append(name)
            return ()

        return note

    monkeypatch.setattr(type(tool.milestones), "due", search("milestones"))
    monkeypatch.setattr(type(tool.scoring), "columns_due", search("scores"))
    reconcile = Reconcile(tool)
    monkeypatch.setattr(type(tool.queue), "length", lambda _: BACKLOG)
    reconcile.run()
    assert searched == []
    monkeypatch.setattr(type(tool.queue), "length", lambda _: 0)
    watch.now += timedelta(seconds=20)
    reconcile.run()
    assert searched == ["milestones", "scores"]
    watch.now += timedelta(seconds=20)
    reconcile.run()
    assert searched == ["milestones", "scores"], "not at every pass"


def test_one_worker_makes_the_passes_until_it_dies(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    factories.course(tool.database, NOW, sync_due_at=NOW)
    first, second = Reconcile(tool), Reconcile(tool)
    assert first.run() == 1
    assert second.run() == 0
    watch.now += timedelta(seconds=LEASE_SECONDS)
    assert second.run() == 1, "the first made no further pass: it is taken for dead"
    second.stop()
    watch.now += SYNC_PATIENCE
    assert first.run() == 1, "who stops in order is followed at once"


def test_what_is_over_is_purged_once_an_hour(tool: Tool, course: factories.Course, watch: Watch) -> None:
    def nonces() -> int | None:
        with tool.database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(Nonce))

    def use(value: str) -> None:
        with tool.database.write() as session:
            session.add(Nonce(value_hash=value * 64, expires_at=NOW))

    use("a")
    reconcile = Reconcile(tool)
    reconcile.run()
    assert nonces() == 0
    use("b")
    reconcile.run()
    assert nonces() == 1
    watch.now += timedelta(hours=1)
    reconcile.run()
    assert nonces() == 0


def test_a_course_that_is_gone_is_no_failure(tool: Tool, course: factories.Course) -> None:
    register(tool, Reconcile(tool))
    tool.queue.offer("sync_context", context_id=course.context_id)
    with tool.database.write() as session:
        session.execute(sa.delete(Context))
    drain(tool)
    assert (tool.queue.length(), tool.queue.put_off()) == (0, 0)


def test_the_queue_gets_what_was_worked_off_and_twice_that_when_it_was_empty(
    tool: Tool, watch: Watch
) -> None:
    course = factories.course(tool.database, NOW, sync_due_at=NOW)
    factories.courses_beside(tool.database, course, 3 * FIRST_PORTION)
    reconcile = Reconcile(tool)
    assert reconcile.run() == 150, "the platform bears no more at once: two calls a read, 300 in its bucket"
    watch.now += timedelta(seconds=20)
    assert reconcile.run() == 0, "nothing was worked off"
    assert len({ids["context_id"] for _, ids in offered(tool)}) == 150, "and nothing is offered twice"


def test_a_course_whose_message_came_to_nothing_is_offered_at_the_next_pass(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    factories.course(tool.database, NOW, sync_due_at=NOW)
    reconcile = Reconcile(tool)
    assert reconcile.run() == 1
    assert tool.queue._huey.storage.dequeue() is not None, "a worker that found no free place gave it back"
    watch.now += timedelta(seconds=20)
    assert reconcile.run() == 1, "the queue is empty, and it is owed still"


def test_a_pass_measures_what_is_owed(tool: Tool, course: factories.Course, watch: Watch) -> None:
    late = factories.course(tool.database, NOW, sync_due_at=NOW - timedelta(minutes=7))
    with tool.database.write() as session:
        registration = session.get_one(Registration, late.registration_id)
        session.add(
            CallBudget(
                registration_id=registration.id,
                token_url=registration.token_url,
                calls_left=-60.0,
                visit_calls_left=0.0,
                pace=0.5,
                counted_at=NOW + timedelta(seconds=30),
            )
        )
    assert Reconcile(tool).run() == 0, "its platform is left alone"
    assert telemetry.CONTEXTS_DUE._value.get() == 1
    assert telemetry.OLDEST_DUE_SECONDS._value.get() == 420
    assert telemetry.PLATFORMS_RESTING._value.get() == 1
    assert telemetry.BUDGET_LEFT._value.get() == -0.2, "of 300"


def test_a_clock_that_is_set_back_stops_nothing(tool: Tool, course: factories.Course, watch: Watch) -> None:
    """A machine that started in another year leaves its leases and its schedule there, and dies."""
    watch.now = NOW + timedelta(days=365)
    late = factories.course(tool.database, NOW, sync_due_at=watch.now + timedelta(seconds=90))
    Reconcile(tool).run()
    watch.now = NOW
    after = Reconcile(tool)
    assert after.run() == 1
    assert offered(tool) == [("sync_context", {"context_id": late.context_id})]
    with tool.database.write() as session:
        session.add(Nonce(value_hash="a" * 64, expires_at=NOW))
    watch.now += timedelta(hours=1)
    after.run()
    with tool.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Nonce)) == 0, "purged hourly, as ever"


# -- the key that platforms know


def test_a_key_is_replaced_by_schedule_on_one_of_many_machines_step_by_step(
    open_tool: Callable[..., Tool], installation: Installation, watch: Watch
) -> None:
    settings = installation.settings.model_copy(update={"key_rotation_days": 30})
    machines = [replace(open_tool(clock=watch), settings=settings) for _ in range(2)]
    passes = [Reconcile(machine) for machine in machines]
    keyring = machines[0].keyring
    watch.now = datetime.now(UTC)  # files are written at the machine's own time
    first = keyring.generate(LTI).kid

    def let_go_by(**time: float) -> None:
        watch.now += timedelta(**time)
        for each in passes:
            each.run()
        for each in passes:
            each.stop()

    let_go_by(days=29)
    assert [view.state for view in keyring.of(LTI)] == ["active"]
    let_go_by(days=2)
    active, coming = keyring.of(LTI)
    assert (active.kid, coming.state) == (first, "next")
    let_go_by(days=2)
    assert [(view.kid, view.state) for view in keyring.of(LTI)] == [
        (coming.kid, "active"),
        (first, "retired"),
    ]
    let_go_by(days=13)
    assert len(keyring.of(LTI)) == 2
    let_go_by(days=2)
    assert [view.kid for view in keyring.of(LTI, ("active", "retired"))] == [coming.kid]
    with machines[0].database.read() as session:
        events = session.execute(
            sa.select(AuditEvent.action, AuditEvent.subject_id)
            .where(AuditEvent.subject_kind == "key")
            .order_by(AuditEvent.at, AuditEvent.action)
        ).all()
    assert [tuple(event) for event in events][:3] == [
        ("key_announced", coming.kid),
        ("key_activated", coming.kid),
        ("key_removed", first),
    ]


def test_keys_that_cannot_be_read_stop_nothing_else(
    tool: Tool, watch: Watch, course: factories.Course
) -> None:
    kid = tool.keyring.generate(LTI).kid
    (tool.settings.keys_dir / f"lti/active/{kid}.pem").chmod(0o644)
    placed = factories.placed(tool.database, course)
    (learner_id,) = factories.enrol(tool.database, course)
    factories.award(tool.database, course, placed, learner_id)
    assert Reconcile(tool).run() == 1


def test_badges_of_a_key_that_was_given_up_are_signed_anew_whoever_was_killed(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    placed = factories.placed(tool.database, course)
    (learner,) = factories.enrol(tool.database, course, 1)
    credential_id = tool.issuing.issue_credential(factories.award(tool.database, course, placed, learner))
    stolen = tool.keyring.signer(f"issuers/{course.issuer_id}").kid
    acting = Operator(course.organisation_id)
    run = tool.reissuing.compromise(acting, course.issuer_id, stolen)
    while tool.queue._huey.dequeue() is not None:  # the worker took the message off, and was killed
        pass
    register(tool, Reconcile(tool))
    Reconcile(tool).run()
    assert ("reissue", {"run_id": run.id}) in offered(tool)
    drain(tool)
    with tool.database.read() as session:
        row = session.get_one(Credential, credential_id)
    assert stolen not in str(row.document)
    assert tool.reissuing.run(course.organisation_id, run.id).step == "last_look"
    watch.now += LAST_LOOK_AFTER
    Reconcile(tool).run()
    drain(tool)
    assert tool.reissuing.run(course.organisation_id, run.id).status == "done"
    watch.now += timedelta(hours=1)
    Reconcile(tool).run()
    assert "reissue" not in [name for name, _ in offered(tool)]


def test_ends_and_renewals_of_badges_are_signed_whoever_was_killed(
    tool: Tool, course: factories.Course, watch: Watch
) -> None:
    placed = factories.placed(tool.database, course)
    version_id = str(placed.achievement_version_id)
    first, second = factories.enrol(tool.database, course, 2)
    with tool.database.write() as session:
        session.get_one(AchievementVersion, version_id).validity_months = 1
    ids = [
        tool.issuing.issue_credential(factories.award(tool.database, course, placed, learner))
        for learner in (first, second)
    ]
    reconcile = Reconcile(tool)
    register(tool, reconcile)
    with tool.database.write() as session:
        badge = session.get_one(Credential, ids[0])
        assert badge.valid_until is not None
        renewed_until = badge.valid_until + timedelta(days=30)
        moments = {"met_at": watch.now, "renewed_at": watch.now, "valid_until": renewed_until}
        owner = {"organisation_id": course.organisation_id, "award_id": badge.award_id}
        session.add(Renewal(number=1, finding={}, evidence={}, **owner, **moments))
    reconcile.run()
    assert ("sign_renewals", {"organisation_id": course.organisation_id}) in offered(tool)
    drain(tool)
    with tool.database.read() as session:
        assert session.get_one(Credential, ids[0]).valid_until == renewed_until
    ends_at = (watch.now + timedelta(days=3)).replace(microsecond=0)
    with tool.database.write() as session:
        session.get_one(AchievementVersion, version_id).expires_at = ends_at
    reconcile.run()
    assert ("end_badges", {"achievement_version_id": version_id}) in offered(tool)
    drain(tool)
    with tool.database.read() as session:
        assert {session.get_one(Credential, id_).valid_until for id_ in ids} == {ends_at}
    watch.now += LAST_LOOK_AFTER
    reconcile.run()
    drain(tool)
    watch.now += timedelta(hours=1)
    reconcile.run()
    assert {"sign_renewals", "end_badges"}.isdisjoint(name for name, _ in offered(tool))
