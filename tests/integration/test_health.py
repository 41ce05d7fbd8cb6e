"""What is kept of connections, on both databases: little, bounded, no secret, and shown to whom it is due."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import func, select, update

from lti_tool.domain.connection_health import FAILURES_UNWELL
from lti_tool.errors import ErrorCode, LaunchRefused, NotFound, PlatformFailed
from lti_tool.lti.observing import Service
from lti_tool.services.health import Health
from lti_tool.store.database import Database
from lti_tool.store.tables import Deployment, RefusedLaunch, Registration, ServiceCheck
from tests import factories
from tests.factories import Course
from tests.integration.gradebook import Clock
from tests.unit.services.launches import World

TIMED_OUT = PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, "registration r: too slow")
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(database: Database, clock: Clock) -> Health:
    return Health(database, clock, writes_by_itself=False)


@pytest.fixture
def course(database: Database) -> Course:
    return factories.course(database)


def refused(
    code: ErrorCode = ErrorCode.LAUNCH_SIGNATURE_INVALID,
    detail: str = "no key of that id made this signature",
    *,
    registration_id: str | None = None,
    deployment: str | None = None,
    skew: float | None = None,
) -> LaunchRefused:
    error = LaunchRefused(code, detail)
    error.registration_id, error.deployment_id_on_platform = registration_id, deployment
    error.clock_skew = skew
    return error


def rows(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def note(health: Health, course: Course, service: Service, failure: PlatformFailed | None = None) -> None:
    health.note_service(course.registration_id, course.deployment_id, service, failure)


# -- what is kept


def test_being_told_asks_the_database_nothing(health: Health, course: Course, database: Database) -> None:
    world = World(database)
    launch = world.launch()
    with database.statements() as statements:
        note(health, course, Service.ROSTER)
        note(health, course, Service.ROSTER, TIMED_OUT)
        health.note_refusal(refused())
        health.note_launch(launch, world.course.deployment_id)
    assert statements == []


def test_failures_are_counted_across_processes_and_a_success_ends_them(
    database: Database, clock: Clock, course: Course
) -> None:
    processes = [Health(database, clock, writes_by_itself=False) for _ in range(2)]
    for _ in range(2):
        for process in processes:
            note(process, course, Service.ROSTER, TIMED_OUT)
            process.flush()
    found = processes[0].of_registration(course.organisation_id, course.registration_id)
    roster = next(one for one in found.deployments[0].services if one.service is Service.ROSTER)
    assert (roster.seen.failures, roster.seen.code) == (4, "platform_timed_out")
    assert found.is_unwell
    clock.now += timedelta(minutes=1)
    note(processes[1], course, Service.ROSTER)
    processes[1].flush()
    found = processes[0].of_registration(course.organisation_id, course.registration_id)
    roster = next(one for one in found.deployments[0].services if one.service is Service.ROSTER)
    assert (roster.seen.failures, roster.seen.succeeded_at) == (0, clock.now)
    assert rows(database, ServiceCheck) == 1


def test_two_processes_that_write_at_once_lose_nothing(
    database: Database, clock: Clock, course: Course
) -> None:
    processes = [Health(database, clock, writes_by_itself=False) for _ in range(4)]
    for process in processes:
        for service in (Service.ROSTER, Service.RESULTS, Service.SCORES):
            note(process, course, service, TIMED_OUT)
        for code in (ErrorCode.LAUNCH_EXPIRED, ErrorCode.LAUNCH_REPLAYED, ErrorCode.LOGIN_TARGET_FOREIGN):
            process.note_refusal(refused(code, registration_id=course.registration_id))
    threads = [Thread(target=process.flush) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert set(session.scalars(select(ServiceCheck.failures))) == {4}
        assert set(session.scalars(select(RefusedLaunch.count))) == {4}
    assert rows(database, ServiceCheck) == rows(database, RefusedLaunch) == 3


def test_a_row_is_written_when_its_state_turns_and_else_once_a_minute(
    health: Health, clock: Clock, course: Course
) -> None:
    def told(failure: PlatformFailed | None = None) -> int:
        note(health, course, Service.ROSTER, failure)
        return health.flush(all_of_it=False)

    assert told() == 1
    assert told() == 0
    assert told(TIMED_OUT) == 1
    assert told(TIMED_OUT) == 0
    clock.now += timedelta(minutes=1)
    assert told(TIMED_OUT) == 1
    assert told() == 1


def test_what_could_not_be_written_is_gathered_still(health: Health, course: Course, monkeypatch) -> None:
    from sqlalchemy.exc import OperationalError

    note(health, course, Service.ROSTER, TIMED_OUT)

    def locked(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with monkeypatch.context() as patched:
        patched.setattr("lti_tool.store.health.add_checks", locked)
        health.flush_quietly()
    note(health, course, Service.ROSTER, TIMED_OUT)
    found = health.of_registration(course.organisation_id, course.registration_id)
    roster = next(one for one in found.deployments[0].services if one.service is Service.ROSTER)
    assert roster.seen.failures == 2


def test_a_registration_that_is_gone_keeps_no_other_from_being_written(
    health: Health, course: Course, database: Database
) -> None:
    health.note_service("gone", None, Service.KEY_SET, TIMED_OUT)
    health.note_service(course.registration_id, "gone too", Service.ROSTER, TIMED_OUT)
    health.note_refusal(refused(registration_id="gone"))
    note(health, course, Service.ROSTER)
    assert health.flush() == 1
    assert rows(database, ServiceCheck) == 1
    assert rows(database, RefusedLaunch) == 0


# -- attacks


def test_a_flood_of_refusals_fills_no_table(health: Health, course: Course, database: Database) -> None:
    """Anybody may send forged logins, in any number and with any text."""
    for number in range(3000):
        health.note_refusal(refused(detail=f"flood {number}"))
        health.note_refusal(
            refused(registration_id=course.registration_id, deployment=f"deployment {number}")
        )
    with database.statements() as statements:
        assert health.flush(all_of_it=False) == 2
    assert len(statements) < 15
    for _ in range(100):
        health.note_refusal(refused())
        assert health.flush(all_of_it=False) == 0
    assert rows(database, RefusedLaunch) == 2
    (nobody,) = health.of_nobody()
    assert (nobody.count, nobody.registration_id) == (3100, None)


@pytest.mark.parametrize(
    "poison",
    [
        f"token was {TOKEN}",
        "Authorization: Bearer 0123456789abcdef",
        "state=verysecret&nonce=verysecret",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
    ],
)
def test_no_secret_is_kept(health: Health, course: Course, database: Database, poison: str) -> None:
    health.note_refusal(refused(detail=poison, registration_id=course.registration_id))
    note(health, course, Service.TOKEN, PlatformFailed(ErrorCode.PLATFORM_TOKEN_REFUSED, poison))
    health.flush()
    with database.read() as session:
        kept = [*session.scalars(select(RefusedLaunch.detail)), *session.scalars(select(ServiceCheck.detail))]
    assert len(kept) == 2
    for text in kept:
        assert not any(secret in text for secret in ("eyJ", "0123456789abcdef", "verysecret", "MIIEvQ"))


def test_a_poisoned_text_is_one_short_printable_line(
    health: Health, course: Course, database: Database
) -> None:
    poison = "\x1b[31m\u202e<script>\0\r\nSet-Cookie: a" + "x" * 100_000
    health.note_refusal(refused(detail=poison, registration_id=course.registration_id, deployment=poison))
    health.flush()
    with database.read() as session:
        row = session.scalars(select(RefusedLaunch)).one()
    assert len(row.detail) <= 300
    assert len(row.deployment) <= 255
    assert row.detail.isprintable()
    assert row.deployment.isprintable()


def test_nobody_s_name_is_kept_of_a_launch(health: Health, database: Database) -> None:
    world = World(database)
    health.note_launch(world.launch(sub="secret-sub"), world.course.deployment_id)
    health.flush()
    with database.read() as session:
        texts = " ".join(str(facts) for facts in session.scalars(select(ServiceCheck.facts)))
    assert "cases" in texts
    for private in ("secret-sub", "Ada", "@"):
        assert private not in texts


def test_a_platform_s_clock_is_one_whoever_s_token_proves_it(
    health: Health, course: Course, database: Database
) -> None:
    for _ in range(5):
        health.note_refusal(
            refused(ErrorCode.LAUNCH_EXPIRED, registration_id=course.registration_id, skew=-95.4)
        )
    found = health.of_registration(course.organisation_id, course.registration_id)
    assert (found.skew_seconds, found.is_skewed) == (-95, True)
    assert health.unwell(course.organisation_id)[0].skew_seconds == -95


# -- whose it is to know


def test_another_organisation_sees_nothing(health: Health, course: Course, database: Database) -> None:
    other = factories.course(database)
    note(health, course, Service.ROSTER, TIMED_OUT)
    health.note_refusal(refused(registration_id=course.registration_id))
    with pytest.raises(NotFound):
        health.of_registration(other.organisation_id, course.registration_id)
    with pytest.raises(NotFound):
        health.of_deployment(other.organisation_id, course.deployment_id)
    assert health.unwell(other.organisation_id) == ()
    assert [one.registration_id for one in health.unwell(course.organisation_id)] == [course.registration_id]


def test_of_a_shared_platform_each_sees_its_own_deployment_and_no_refusals(
    health: Health, course: Course, database: Database
) -> None:
    with database.write() as session:
        organisation_id, _ = factories.organisation(session)
        theirs = Deployment(
            registration_id=course.registration_id,
            id_on_platform="theirs",
            organisation_id=organisation_id,
            status="approved",
            first_seen_at=factories.NOW,
        )
        session.add(theirs)
        session.flush()
        their_id = theirs.id
    for _ in range(FAILURES_UNWELL):
        health.note_service(course.registration_id, their_id, Service.SCORES, TIMED_OUT)
    health.note_refusal(
        refused(ErrorCode.DEPLOYMENT_HELD, registration_id=course.registration_id, deployment="theirs")
    )
    found = health.of_registration(course.organisation_id, course.registration_id)
    assert [one.id for one in found.deployments] == [course.deployment_id]
    assert (found.refusals, found.tells_refusals, found.is_unwell) == ((), False, False)
    assert health.unwell(course.organisation_id) == ()
    assert len(health.unwell(organisation_id)) == 1
    (refusal,) = health.for_operator(course.registration_id).refusals
    assert refusal.deployment == "theirs"


def test_of_a_cloud_only_codes_are_told_where_somebody_else_may_be_meant(
    health: Health, course: Course, database: Database
) -> None:
    with database.write() as session:
        session.execute(update(Registration).values(product="canvas"))
    health.note_refusal(
        refused(
            ErrorCode.DEPLOYMENT_HELD,
            "deployment 7 of somebody",
            registration_id=course.registration_id,
            deployment="7:not-ours",
        )
    )
    (refusal,) = health.of_registration(course.organisation_id, course.registration_id).refusals
    assert (refusal.code, refusal.count) == ("deployment_held", 1)
    assert (refusal.detail, refusal.deployment) == ("", None)


# -- permissions and evidence


def test_permissions_are_believed_by_launches_and_tokens(
    health: Health, database: Database, clock: Clock
) -> None:
    world = World(database)
    course = world.course
    health.note_launch(world.launch(), course.deployment_id)
    found = health.of_registration(course.organisation_id, course.registration_id).deployments[0]
    before = {one.name for one in found.missing}
    facts = {"granted": [AGS + "lineitem"], "refused": [AGS + "score"]}
    health.note_service(course.registration_id, course.deployment_id, Service.TOKEN, None, facts)
    found = health.of_registration(course.organisation_id, course.registration_id).deployments[0]
    assert {one.name for one in found.missing} == before | {"score"}
    assert "score" in health.unwell(course.organisation_id)[0].missing


def test_a_case_is_shown_with_what_was_seen_of_it(health: Health, course: Course, clock: Clock) -> None:
    for _ in range(3):
        health.note_refusal(refused(ErrorCode.LAUNCH_KEY_ID_MISSING, registration_id=course.registration_id))
    found = health.of_registration(course.organisation_id, course.registration_id)
    evidence = {one.case.key: one for one in found.cases}
    assert (evidence["no_kid"].count, evidence["no_kid"].last_at) == (3, clock.now)
    assert (evidence["wrong_kid"].count, evidence["wrong_kid"].last_at) == (0, None)


def test_refusals_are_forgotten_after_thirty_days(
    health: Health, course: Course, clock: Clock, database: Database
) -> None:
    health.note_refusal(refused(registration_id=course.registration_id))
    health.flush()
    clock.now += timedelta(days=20)
    health.note_refusal(refused(ErrorCode.LAUNCH_EXPIRED, registration_id=course.registration_id))
    assert health.prune(clock.now) == 0
    health.flush()
    clock.now += timedelta(days=11)
    assert health.prune(clock.now) == 1
    (left,) = health.of_registration(course.organisation_id, course.registration_id).refusals
    assert left.code == "launch_expired"


def test_a_timer_writes_what_was_gathered(
    database: Database, clock: Clock, course: Course, monkeypatch
) -> None:
    monkeypatch.setattr("lti_tool.services.health_notes.FLUSH_SECONDS", 0.0)
    health = Health(database, clock)
    note(health, course, Service.ROSTER)
    timer = health._timer
    if timer is not None:
        timer.join()
    health.close()
    assert rows(database, ServiceCheck) == 1
    note(health, course, Service.ROSTER)
    assert health._timer is None
