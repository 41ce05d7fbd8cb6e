"""Writing awards back, against platforms that refuse, stall, lie and forget; and proof by score."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from lti_tool.domain.scoring import MOST_TRIES
from lti_tool.errors import CredentialInvalid, ErrorCode, NotAllowed, NotFound
from lti_tool.lti.access import ServiceAccess
from lti_tool.services import scoring as scoring_module
from lti_tool.services.awarding import Awarding
from lti_tool.services.scoring import AwardColumnView, Scoring
from lti_tool.store import runs, tables
from lti_tool.store.database import Database
from lti_tool.store.tables import AuditEvent, Award, LineItem, Membership, Score
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.award_book import LINK, WRITING, AwardBook, grant, link
from tests.integration.gradebook import Clock, Hints, Issued, Reply, answering, rows
from tests.integration.services.school import session_of
from tests.unit.lti.lms import lms

SLOW_DOWN = (429, {"Retry-After": "90"}, "")


@dataclass
class World:
    """A Moodle course with a badge, some learners, and a worker."""

    database: Database
    course: Course
    placed: Placed
    book: AwardBook
    clock: Clock
    hints: Hints
    issued: Issued
    scoring: Scoring
    learners: list[str]
    subs: dict[str, str] = field(default_factory=dict)

    def award(self, *learner_ids: str) -> None:
        for learner_id in learner_ids:
            factories.award(self.database, self.course, self.placed, learner_id)

    def meet(self, *learner_ids: str) -> None:
        """The criteria are met, and a sync has decided."""
        factories.grade(self.database, self.course, self.placed, learner_ids, 90)
        self.awarding.decide_context(self.course.organisation_id, self.course.context_id)

    @property
    def awarding(self) -> Awarding:
        return Awarding(self.database, self.clock)

    @property
    def column(self) -> LineItem:
        found: list[LineItem] = [row for row in rows(self.database, LineItem) if row.tag == "award"]
        (column,) = found
        return column

    def due(self) -> tuple[str, ...]:
        return self.scoring.columns_due(self.clock.now, 100)

    def work(self) -> None:
        """What a worker does with what is due."""
        for line_item_id in self.due():
            self.scoring.write_scores(line_item_id)

    def later(self, **delta: float) -> None:
        self.clock.forward(**delta)
        self.work()

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {row.learner_id: (row.state, row.error_code) for row in rows(self.database, Score)}

    def score(self, learner_id: str) -> Score:
        found: list[Score] = [row for row in rows(self.database, Score) if row.learner_id == learner_id]
        (row,) = found
        return row

    def proof(self, learner_id: str) -> str:
        (row,) = [row for row in rows(self.database, Membership) if row.learner_id == learner_id]
        return str(row.learner_proof)

    def holders(self) -> set[str]:
        return {row.learner_id for row in rows(self.database, Award)}

    def change(self, table: Any, *where: Any, **values: Any) -> None:
        with self.database.write() as session:
            assert session.execute(sa.update(table).where(*where).values(**values)).rowcount  # type: ignore[attr-defined]

    def teacher(self, **changes: Any) -> Any:
        (teacher,) = factories.enrol(self.database, self.course)
        self.change(Membership, Membership.learner_id == teacher, is_learner=False, is_staff=True)
        rights = {"can_view_progress": True, "can_configure": True, "is_learner": False, **changes}
        return session_of(self.course, teacher, **rights)

    def view(self) -> AwardColumnView:
        return self.scoring.award_columns(self.teacher())[self.placed.placement_id]


def make_world(database: Database, network: Any, *, coupled: bool = True, **more: Any) -> World:
    course = factories.course(database)
    placed = factories.placed(database, course)
    learners = factories.enrol(database, course, 4)
    grant(database, course)
    link(database, course, placed.badge_link_key)
    book = AwardBook(network, course)
    answering(book)
    clock, hints, issued = Clock(), Hints(), Issued()
    scoring = Scoring(database, network.connector, clock, hints, Awarding(database, clock), issued, **more)
    world = World(database, course, placed, book, clock, hints, issued, scoring, learners)
    if coupled:
        book.award_column(placed.badge_link_key)
    world.subs = {row.id: row.sub for row in rows(database, tables.Learner)}
    return world


@pytest.fixture
def world(sqlite_database: Database) -> Iterator[World]:
    with lms() as network:
        yield make_world(sqlite_database, network)


@pytest.fixture
def everywhere(database: Database) -> Iterator[World]:
    """On SQLite and on PostgreSQL."""
    with lms() as network:
        yield make_world(database, network)


@pytest.fixture
def bare(sqlite_database: Database) -> Iterator[World]:
    """A course in which the platform made no column."""
    with lms() as network:
        yield make_world(sqlite_database, network, coupled=False)


# -- what is written


def test_an_award_is_written_once_as_all_the_points(everywhere: World) -> None:
    ada, ben, *_ = everywhere.learners
    everywhere.award(ada)
    everywhere.work()
    (sent,) = everywhere.book.scores
    assert sent == {
        "userId": everywhere.subs[ada],
        "scoreGiven": 1,
        "scoreMaximum": 1,
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "timestamp": NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert everywhere.states() == {ada: ("written", None)}
    assert everywhere.score(ada).sent_at == NOW
    for _ in range(3):
        assert everywhere.due() == ()
        everywhere.scoring.write_scores(everywhere.column.id)
        everywhere.later(days=1)
    assert len(everywhere.book.scores) == 1
    assert ben not in everywhere.states()


def test_what_was_not_written_before_the_next_version_came_is_owed_still(everywhere: World) -> None:
    world = everywhere
    world.award(world.learners[0])
    (elsewhere,) = factories.courses_beside(world.database, world.course, 1)
    factories.award(world.database, elsewhere, world.placed, world.learners[1])
    with world.database.write() as session:
        former = session.get_one(tables.AchievementVersion, world.placed.achievement_version_id)
        kept = {column.key: getattr(former, column.key) for column in former.__table__.columns}
        badge = tables.AchievementVersion(**kept | {"id": "b" * 32, "number": 2})
        session.add(badge)
        session.flush()
        before = session.get_one(tables.MicromoduleVersion, world.placed.micromodule_version_id)
        kept = {column.key: getattr(before, column.key) for column in before.__table__.columns}
        changes = {"id": "c" * 32, "number": 2, "achievement_version_id": badge.id}
        session.add(tables.MicromoduleVersion(**kept | changes))
        session.flush()
        session.execute(sa.update(tables.Placement).values(micromodule_version_id="c" * 32))
    world.work()
    assert world.book.taken == [world.subs[world.learners[0]]], "earned in this course, and nobody else"
    world.later(hours=1)
    assert len(world.book.taken) == 1


def test_the_teachers_maximum_is_the_one_that_is_filled(bare: World) -> None:
    bare.book.award_column(bare.placed.badge_link_key, maximum=12.5)
    bare.award(bare.learners[0])
    bare.work()
    assert [(sent["scoreGiven"], sent["scoreMaximum"]) for sent in bare.book.scores] == [(12.5, 12.5)]


def test_a_completion_without_a_badge_is_written_too(database: Database) -> None:
    with lms() as network:
        world = make_world(database, network)
        world.change(
            tables.MicromoduleVersion,
            tables.MicromoduleVersion.id == world.placed.micromodule_version_id,
            achievement_version_id=None,
        )
        world.meet(world.learners[0])
        assert world.holders() == set()
        world.work()
        assert world.book.taken == [world.subs[world.learners[0]]]


def test_what_a_revoked_badge_wrote_stays_and_nothing_new_is_written(everywhere: World) -> None:
    ada, ben, *_ = everywhere.learners
    everywhere.award(ada, ben)
    with everywhere.database.write() as session:
        for row in session.scalars(sa.select(Award)):
            revoke = row.learner_id == ben
            status_list = tables.StatusList(
                organisation_id=everywhere.course.organisation_id,
                issuer_id=everywhere.course.issuer_id,
                purpose="revocation",
                size=131072,
                changed_at=NOW,
            )
            session.add(status_list)
            session.flush()
            session.add(
                tables.Credential(
                    organisation_id=everywhere.course.organisation_id,
                    award_id=row.id,
                    issuer_id=everywhere.course.issuer_id,
                    status_list_id=status_list.id,
                    status_index=1,
                    revoked_at=NOW if revoke else None,
                )
            )
    everywhere.work()
    assert everywhere.book.taken == [everywhere.subs[ada]]
    everywhere.change(tables.Credential, revoked_at=NOW)
    everywhere.later(days=2)
    assert len(everywhere.book.scores) == 1, "a score is never taken back"


@pytest.mark.parametrize(
    "who",
    [
        {"is_staff": True},
        {"is_learner": False},
        {"is_active": False},
    ],
    ids=str,
)
def test_nothing_is_written_for_who_does_not_take_part(everywhere: World, who: dict[str, bool]) -> None:
    ada, *_ = everywhere.learners
    everywhere.award(ada)
    everywhere.change(Membership, Membership.learner_id == ada, **who)
    assert everywhere.due() == ()


@pytest.mark.parametrize("missing", WRITING[1:], ids=lambda scope: scope.rpartition("/")[2])
def test_without_the_right_to_write_and_to_read_nothing_is_sent(world: World, missing: str) -> None:
    """What cannot be read may be a teacher's value, and must not be written over."""
    grant(world.database, world.course, *(scope for scope in WRITING if scope != missing))
    world.award(world.learners[0])
    world.meet(world.learners[1])
    assert world.due() == ()
    world.scoring.write_scores(world.column.id)
    assert world.book.asked == []
    assert world.view().state == "not_allowed"


@pytest.mark.parametrize("table", [tables.Registration, tables.Deployment])
def test_nothing_is_sent_to_a_platform_that_is_not_approved(world: World, table: Any) -> None:
    world.award(world.learners[0])
    (due,) = world.due()
    key = world.course.registration_id if table is tables.Registration else world.course.deployment_id
    world.change(table, table.id == key, status="disabled")
    assert world.due() == ()
    world.scoring.write_scores(due)
    assert world.book.asked == []


def test_another_courses_people_are_not_written_into_this_column(world: World) -> None:
    (beside,) = factories.courses_beside(world.database, world.course, 1)
    (stranger,) = factories.enrol(world.database, beside)
    factories.award(world.database, beside, world.placed, stranger)
    assert world.due() == ()


# -- a teacher's value


def test_a_teachers_value_is_kept_and_never_written_over(everywhere: World) -> None:
    ada, ben, cleo, dan = everywhere.learners
    everywhere.award(*everywhere.learners)
    url = everywhere.book.columns[0]["id"]
    everywhere.book.values[url] = {
        everywhere.subs[ada]: 0.4,
        everywhere.subs[ben]: 0,
        everywhere.subs[cleo]: 1,
    }
    everywhere.work()
    assert everywhere.book.taken == [everywhere.subs[dan]]
    assert everywhere.states() == {
        ada: ("kept", None),
        ben: ("kept", None),
        cleo: ("kept", None),
        dan: ("written", None),
    }
    everywhere.later(days=3)
    assert len(everywhere.book.scores) == 1
    assert everywhere.book.values[url][everywhere.subs[ben]] == 0, "zero is a value"


def test_a_value_that_changes_later_is_not_looked_at_again(world: World) -> None:
    ada, *_ = world.learners
    world.award(ada)
    world.work()
    world.book.values[world.book.columns[0]["id"]][world.subs[ada]] = 0.2
    world.later(days=30)
    assert len(world.book.scores) == 1


def test_of_many_the_whole_column_is_read_once_and_of_few_their_own_results(world: World) -> None:
    many = [*world.learners, *factories.enrol(world.database, world.course, 4)]
    world.award(*many)
    world.work()
    assert len(world.book.calls("/results")) == 1
    assert len(world.book.taken) == 8
    (late,) = factories.enrol(world.database, world.course)
    world.award(late)
    world.later(minutes=1)
    (call,) = world.book.calls("/results")[1:]
    assert "user_id=" in call


def test_what_was_not_read_whole_is_not_written_over(world: World) -> None:
    many = [*world.learners, *factories.enrol(world.database, world.course, 4)]
    world.award(*many)
    endless = (200, {"Link": f'<{world.book.columns[0]["id"]}/results?p=2>; rel="next"'}, "[]")
    world.book.failing["/results"] = endless
    world.work()
    assert world.book.scores == []
    assert world.column.trouble == ErrorCode.PLATFORM_PAGING_BROKEN


# -- answers of every kind


def test_a_score_within_the_same_second_as_the_grade_is_tried_later_and_no_grade_is_doubled(
    world: World,
) -> None:
    ada, *_ = world.learners
    world.award(ada)
    url = world.book.columns[0]["id"]
    world.book.times[url] = {world.subs[ada]: NOW}  # emptied by a teacher this very second
    world.work()
    assert world.states() == {ada: ("waiting", "score_stale")}
    assert world.due() == ()
    world.later(minutes=2)
    assert world.states() == {ada: ("written", None)}
    first, second = world.book.scores
    assert second["timestamp"] > first["timestamp"]


def test_a_conflict_that_never_ends_is_given_up_after_days_and_can_be_asked_for_again(
    everywhere: World,
) -> None:
    ada, *_ = everywhere.learners
    everywhere.award(ada)
    everywhere.book.instead = [(409, {}, "[]")] * 50
    for _ in range(30):
        everywhere.later(hours=25)
    assert len(everywhere.book.scores) == MOST_TRIES
    assert everywhere.states() == {ada: ("refused", "score_stale")}
    times = [sent["timestamp"] for sent in everywhere.book.scores]
    assert times == sorted(set(times)), "each strictly later"
    (given_up,) = everywhere.view().given_up
    assert (given_up.learner_id, given_up.error_code) == (ada, "score_stale")
    everywhere.book.instead = []
    everywhere.scoring.ask_again(everywhere.teacher(), everywhere.placed.placement_id)
    everywhere.later(minutes=1)
    assert everywhere.states() == {ada: ("written", None)}


def test_a_409_whose_score_did_arrive_is_found_in_the_column(world: World) -> None:
    ada, *_ = world.learners
    world.award(ada)
    url = world.book.columns[0]["id"]

    def take_and_deny(score: dict[str, Any]) -> Reply:
        world.book.take(url, score)
        return 409, {}, "[]"

    world.book.instead = [take_and_deny]
    world.work()
    world.later(minutes=2)
    assert world.states() == {ada: ("written", None)}
    assert len(world.book.scores) == 1


@pytest.mark.parametrize(
    "reply,code",
    [
        ((500, {}, "[]"), "score_locked"),
        ((400, {}, "<html>Bad Request</html>"), "score_refused"),
        ((422, {}, ""), "score_refused"),
        ((500, {}, "<html>"), "platform_unreachable"),
        ((502, {}, "<html>"), "platform_unreachable"),
        ((200, {}, "<!DOCTYPE html><p>Maintenance"), "platform_answer_invalid"),
    ],
)
def test_one_learners_trouble_does_not_keep_the_others_waiting(world: World, reply: Reply, code: str) -> None:
    world.award(*world.learners)
    world.book.instead = [reply]
    world.work()
    assert sorted(state for state, _ in world.states().values()) == ["waiting", *["written"] * 3]
    (unlucky,) = [row for row in rows(world.database, Score) if row.state == "waiting"]
    assert unlucky.error_code == code
    assert unlucky.next_try_at == NOW + timedelta(minutes=1)
    world.later(minutes=2)
    assert {state for state, _ in world.states().values()} == {"written"}
    assert sorted(world.book.taken) == sorted(world.subs[id_] for id_ in world.learners)


def test_three_errors_in_a_row_are_the_platforms(world: World) -> None:
    world.award(*world.learners)
    world.book.instead = [(500, {}, "<html>")] * 3
    world.work()
    assert len(world.book.scores) == 3
    assert world.column.trouble == ErrorCode.PLATFORM_UNREACHABLE
    assert world.due() == (), "the column is left alone"
    world.later(minutes=11)
    assert {state for state, _ in world.states().values()} == {"written"}
    assert world.column.trouble is None


@pytest.mark.parametrize("dead", [requests.ConnectionError("reset"), requests.ReadTimeout("slow")])
@pytest.mark.parametrize("arrived", [True, False])
def test_an_answer_that_got_lost_loses_and_doubles_nothing(
    world: World, dead: Exception, arrived: bool
) -> None:
    ada, ben, *_ = world.learners
    world.award(ada, ben)
    url = world.book.columns[0]["id"]

    def vanish(score: dict[str, Any]) -> Reply:
        if arrived:
            world.book.take(url, score)
        raise dead

    world.book.instead = [vanish]
    world.work()
    assert len(world.book.scores) == 1, "the platform is silent: nobody else is tried"
    assert [state for state, _ in world.states().values()] == ["waiting"]
    assert world.column.trouble in (ErrorCode.PLATFORM_UNREACHABLE, ErrorCode.PLATFORM_TIMED_OUT)
    world.book.network.time.seconds += 60
    world.later(minutes=11)
    assert world.states() == {ada: ("written", None), ben: ("written", None)}
    assert len(world.book.taken) == len(set(world.book.taken)) == 2
    for row in rows(world.database, Score):
        assert row.attempts == 0, "no fault of the learner's"


def test_a_platform_that_asks_for_rest_has_it_from_every_worker(world: World) -> None:
    world.award(*world.learners)
    world.book.instead = [SLOW_DOWN]
    world.work()
    assert len(world.book.scores) == 1
    assert world.column.trouble is None, "being busy is no trouble that a teacher must mend"
    for _ in range(4):
        world.book.network.time.seconds += 20
        world.later(seconds=20)
    assert len(world.book.scores) == 1
    world.book.network.time.seconds += 20
    world.later(seconds=20)
    assert {state for state, _ in world.states().values()} == {"written"}


def test_a_busy_answer_while_reading_gives_rest_too(world: World) -> None:
    world.award(*world.learners)
    world.book.failing["/results"] = SLOW_DOWN
    world.work()
    world.later(seconds=30)
    asked = len(world.book.asked)
    world.later(seconds=30)
    assert len(world.book.asked) == asked
    assert world.book.scores == []


@pytest.mark.parametrize(
    "reply,trouble,back_after",
    [
        ((401, {}, "[]"), ErrorCode.PLATFORM_REFUSED, timedelta(hours=6)),
        ((403, {}, "[]"), ErrorCode.PLATFORM_REFUSED, timedelta(hours=6)),
    ],
)
def test_a_refusal_of_the_tool_stops_the_column_and_blames_nobody(
    world: World, reply: Reply, trouble: ErrorCode, back_after: timedelta
) -> None:
    world.award(*world.learners)
    world.book.instead = [reply] * 20
    world.work()
    assert world.column.trouble == trouble
    world.later(hours=5)
    before = len(world.book.scores)
    assert before <= 2  # a token is fetched anew once
    world.book.instead = []
    world.clock.now = NOW + back_after + timedelta(minutes=1)
    world.work()
    assert {state for state, _ in world.states().values()} == {"written"}


def test_there_is_room_for_visits_before_scores(database: Database) -> None:
    class Budget:
        left = 3

        def room(self, _access: ServiceAccess) -> int:
            self.left -= 1
            return self.left + 1

    budget = Budget()
    with lms() as network:
        world = make_world(database, network, budgets=budget)
        world.award(*world.learners)
        world.work()
        assert len(world.book.scores) == 2
        assert world.hints.offered == [], "it comes back with the next pass, not at once"
        budget.left = 100
        world.later(seconds=20)
        assert len(world.book.taken) == 4


def test_a_big_class_is_written_in_portions_that_offer_themselves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_module, "AT_ONCE", 2)
    world.award(*world.learners)
    world.work()
    assert len(world.book.taken) == 2
    assert world.hints.offered == [("write_scores", {"line_item_id": world.column.id})]
    world.scoring.write_scores(world.column.id)
    world.scoring.write_scores(world.column.id)
    assert len(world.book.taken) == 4


# -- killed anywhere


class Killed(BaseException):
    """A worker that ends without another word."""


@pytest.mark.parametrize("moment", range(12))
def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(
    everywhere: World, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before and after every transaction, and around each call."""
    everywhere.meet(*everywhere.learners[:1])
    everywhere.award(*everywhere.learners[1:3])
    real, count = Database.write, 0

    def write(self: Database) -> Any:
        nonlocal count
        count += 1
        if count == moment:
            raise Killed
        return real(self)

    (due,) = everywhere.due()
    monkeypatch.setattr(Database, "write", write)
    try:
        everywhere.scoring.write_scores(due)
    except Killed:
        pass
    finally:
        monkeypatch.setattr(Database, "write", real)
    everywhere.later(minutes=3)
    everywhere.later(minutes=11)
    assert sorted(everywhere.book.taken) == sorted(everywhere.subs[id_] for id_ in everywhere.learners[:3])
    assert {state for state, _ in everywhere.states().values()} == {"written"}


def test_killed_after_the_platform_took_it(everywhere: World) -> None:
    ada, *_ = everywhere.learners
    everywhere.award(ada)
    url = everywhere.book.columns[0]["id"]

    def take_and_die(score: dict[str, Any]) -> Reply:
        everywhere.book.take(url, score)
        raise Killed

    everywhere.book.instead = [take_and_die]
    with pytest.raises(Killed):
        everywhere.work()
    assert everywhere.states() == {ada: ("waiting", None)}
    everywhere.later(minutes=3)
    assert everywhere.states() == {ada: ("written", None)}
    assert len(everywhere.book.scores) == 1


def test_two_workers_at_once_write_each_score_once(everywhere: World) -> None:
    everywhere.award(*everywhere.learners)
    (due,) = everywhere.due()
    everywhere.scoring.write_scores(due)  # finds the column
    with everywhere.database.write() as session:
        session.execute(sa.delete(Score))
    everywhere.book.values.clear()
    everywhere.book.times.clear()
    everywhere.book.taken.clear()
    start = threading.Barrier(3)

    def write() -> None:
        start.wait()
        everywhere.scoring.write_scores(due)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everywhere.later(minutes=3)
    assert sorted(everywhere.book.taken) == sorted(everywhere.subs[id_] for id_ in everywhere.learners)


def test_a_slow_platform_does_not_take_all_of_a_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.award(*world.learners)
    (due,) = world.due()
    monkeypatch.setattr(scoring_module, "COLUMNS_AT_ONCE", 1)

    def meanwhile(_score: dict[str, Any]) -> None:
        asked = len(world.book.asked)
        world.scoring.write_scores(due)
        assert len(world.book.asked) == asked

    world.book.instead = [meanwhile]
    world.scoring.write_scores(due)
    assert len(world.book.taken) == 4
    world.award(*factories.enrol(world.database, world.course))
    world.later(minutes=1)
    assert len(world.book.taken) == 5, "a turn ends"


def test_who_lost_the_lease_stops(everywhere: World) -> None:
    everywhere.award(*everywhere.learners)
    (due,) = everywhere.due()

    def taken_over(_score: dict[str, Any]) -> None:
        everywhere.clock.forward(seconds=200)
        with everywhere.database.write() as session:
            assert runs.take_lease(session, f"scores:{due}", "another", everywhere.clock.now, 120)

    everywhere.book.instead = [taken_over]
    everywhere.scoring.write_scores(due)
    assert len(everywhere.book.scores) == 1


# -- the column


def test_a_column_that_nobody_made_is_made_once_and_coupled_to_the_link(bare: World) -> None:
    bare.award(*bare.learners[:2])
    bare.work()
    (made,) = bare.book.columns
    assert {name: made[name] for name in ("scoreMaximum", "resourceId", "tag", "resourceLinkId")} == {
        "scoreMaximum": 1,
        "resourceId": bare.placed.badge_link_key,
        "tag": "award",
        "resourceLinkId": LINK,
    }
    assert len(bare.book.taken) == 2
    bare.later(days=1)
    assert len(bare.book.columns) == 1
    assert bare.view().state == "written"


def test_a_column_whose_making_was_not_confirmed_is_found_and_not_doubled(bare: World) -> None:
    bare.award(bare.learners[0])
    bare.book.creates = False  # made, and answered with 504
    bare.work()
    assert bare.column.trouble == ErrorCode.PLATFORM_UNREACHABLE
    bare.later(minutes=11)
    assert len(bare.book.columns) == 1
    assert len(bare.book.taken) == 1


def test_without_a_first_badge_no_column_is_made(bare: World) -> None:
    bare.work()
    assert bare.book.asked == []
    assert bare.view().state == "none"


@pytest.mark.parametrize(
    "column",
    [
        {"tag": "award", "resourceId": "KEY", "resourceLinkId": "another link"},
        {"tag": "", "resourceId": "", "resourceLinkId": LINK},
        {"resourceLinkId": LINK},
        {"tag": "award", "resourceId": "KEY"},
    ],
    ids=["of a moved link", "without our marks", "without marks", "by itself"],
)
def test_columns_that_are_this_one_are_adopted(bare: World, column: dict[str, str]) -> None:
    url = bare.book.award_column("x")
    mine = {name: value.replace("KEY", bare.placed.badge_link_key) for name, value in column.items()}
    bare.book.columns[0] = {"id": url, "label": "Badge", "scoreMaximum": 1, **mine}
    bare.award(bare.learners[0])
    bare.work()
    assert len(bare.book.columns) == 1
    assert bare.column.id_on_platform == url
    assert len(bare.book.taken) == 1


@pytest.mark.parametrize(
    "column",
    [
        {"tag": "mirror", "resourceId": "KEY"},
        {"tag": "attest", "resourceId": "KEY"},
        {"tag": "mirror", "resourceId": "KEY", "resourceLinkId": LINK},
        {"tag": "award", "resourceId": "another key", "resourceLinkId": "another link"},
        {"tag": "award", "resourceId": "another key"},
        {"tag": "", "resourceId": ""},
        {"tag": "quiz", "resourceId": "foreign", "resourceLinkId": LINK},
    ],
    ids=str,
)
def test_no_other_column_is_ever_taken_for_it(bare: World, column: dict[str, str]) -> None:
    """Least of all one that is evidence: an award must not satisfy its own criterion."""
    url = bare.book.award_column("x")
    mine = {name: value.replace("KEY", bare.placed.badge_link_key) for name, value in column.items()}
    bare.book.columns[0] = {"id": url, "label": "Badge", "scoreMaximum": 1, **mine}
    bare.award(bare.learners[0])
    bare.work()
    assert bare.column.id_on_platform not in (None, url)
    assert url not in bare.book.values


def test_an_evidence_column_is_never_written_whoever_asks(world: World) -> None:
    world.award(world.learners[0])
    world.scoring.write_scores(world.placed.line_item_id)
    assert world.book.asked == []


def test_a_link_that_can_have_no_column_is_told_and_asked_for_again(bare: World) -> None:
    bare.book.uncoupled = 403
    bare.award(bare.learners[0])
    bare.work()
    assert bare.column.trouble == ErrorCode.AWARD_COLUMN_REFUSED
    assert bare.view().trouble is ErrorCode.AWARD_COLUMN_REFUSED
    asked = len(bare.book.asked)
    bare.later(days=7)
    assert len(bare.book.asked) == asked, "not until a person asks"
    bare.book.uncoupled = None
    bare.scoring.ask_again(bare.teacher(), bare.placed.placement_id)
    assert bare.hints.offered[-1] == ("write_scores", {"line_item_id": bare.column.id})
    bare.later(minutes=1)
    assert len(bare.book.taken) == 1


def test_the_column_of_a_link_that_is_no_assignment_stands_by_itself(bare: World) -> None:
    """Canvas: a link in a module has no column, and 412 says so."""
    bare.book.uncoupled = 412
    bare.book.creates = False  # made, and answered with 504
    bare.award(bare.learners[0])
    bare.work()
    bare.later(minutes=11)
    (made,) = bare.book.columns
    assert (made["tag"], made["resourceId"]) == ("award", bare.placed.badge_link_key)
    assert "resourceLinkId" not in made
    assert len(bare.book.taken) == 1


def test_a_column_that_was_deleted_is_not_made_again_unless_somebody_asks(world: World) -> None:
    ada, ben, *_ = world.learners
    world.award(ada)
    world.work()
    world.book.columns.clear()
    world.book.failing["/results"] = (404, {}, "")
    world.award(ben)
    world.later(minutes=1)
    assert world.column.trouble == ErrorCode.COLUMN_MISSING
    assert world.column.id_on_platform is None
    world.book.failing.clear()
    world.later(days=7)
    assert world.book.columns == []
    world.scoring.ask_again(world.teacher(), world.placed.placement_id)
    world.later(minutes=1)
    assert len(world.book.columns) == 1
    assert world.states()[ben] == ("written", None)


def test_a_column_that_is_gone_when_the_score_arrives(world: World) -> None:
    world.award(world.learners[0])
    world.book.instead = [(404, {}, "[]")]
    world.work()
    assert world.column.trouble == ErrorCode.COLUMN_MISSING
    assert world.book.taken == []


def test_without_the_right_to_make_columns_the_trouble_is_told(bare: World) -> None:
    grant(bare.database, bare.course, WRITING[0] + ".readonly", *WRITING[1:])
    bare.award(bare.learners[0])
    bare.work()
    assert bare.column.trouble == ErrorCode.PLATFORM_SCOPE_MISSING
    assert bare.book.columns == []


# -- proof by score


def unproved(world: World, count: int = 1) -> list[str]:
    """People whom only the roster calls learners, and who met the criteria."""
    made = factories.enrol(world.database, world.course, count, proof="none")
    world.subs |= {row.id: row.sub for row in rows(world.database, tables.Learner)}
    world.meet(*made)
    return made


def test_a_score_that_is_taken_proves_a_learner_and_brings_the_badge(everywhere: World) -> None:
    (eve,) = unproved(everywhere)
    assert everywhere.holders() == set()
    everywhere.work()
    assert everywhere.holders() == {eve}
    assert everywhere.proof(eve) == "score"
    assert everywhere.issued.award_ids == [row.id for row in rows(everywhere.database, Award)]
    assert len(everywhere.book.scores) == 1, "the score that proved is the award's"
    everywhere.later(days=1)
    assert len(everywhere.book.scores) == 1


def test_who_is_no_student_gets_no_badge_and_the_instructor_is_told_by_name(everywhere: World) -> None:
    eve, tutor = unproved(everywhere, 2)
    everywhere.book.staff = {everywhere.subs[tutor]}
    everywhere.work()
    assert everywhere.holders() == {eve}
    assert everywhere.proof(tutor) == "refused"
    assert everywhere.states()[tutor] == ("refused", "score_not_a_student")
    (refused,) = everywhere.view().refused
    assert (refused.learner_id, refused.name) == (tutor, f"Learner {everywhere.subs[tutor]}")
    assert everywhere.view().waiting == ()
    for day in range(1, 4):
        everywhere.awarding.decide_context(everywhere.course.organisation_id, everywhere.course.context_id)
        everywhere.later(days=1)
        assert len(everywhere.book.scores) == 2 + day, "roles change: asked again once a day"
    assert everywhere.holders() == {eve}
    assert [one.learner_id for one in everywhere.view().refused] == [tutor]


def test_a_refusal_of_unknown_meaning_refuses_nobody(world: World) -> None:
    (eve,) = unproved(world)
    world.book.instead = [(400, {}, "<html>")]
    world.work()
    assert world.proof(eve) == "none"
    assert [one.learner_id for one in world.view().waiting] == [eve]
    world.later(minutes=2)
    assert world.holders() == {eve}


def test_a_login_page_with_a_friendly_status_proves_nothing(world: World) -> None:
    (eve,) = unproved(world)
    world.book.instead = [(200, {}, "<html><title>Log in")]
    world.work()
    assert (world.proof(eve), world.holders()) == ("none", set())


def test_a_grade_that_a_teacher_gave_proves_nothing_and_is_kept(world: World) -> None:
    (eve,) = unproved(world)
    world.book.values[world.book.columns[0]["id"]] = {world.subs[eve]: 1}
    world.work()
    assert world.states() == {eve: ("kept", None)}
    assert (world.proof(eve), world.holders()) == ("none", set())
    assert [one.learner_id for one in world.view().waiting] == [eve]


def test_who_earned_nothing_is_not_tried(world: World) -> None:
    factories.enrol(world.database, world.course, 2, proof="none")
    world.meet()
    assert world.due() == ()


def test_those_whose_badge_waits_come_first(everywhere: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "AT_ONCE", 1)
    everywhere.award(*everywhere.learners)
    (eve,) = unproved(everywhere)
    everywhere.work()
    assert everywhere.book.taken == [everywhere.subs[eve]]


def test_an_award_from_before_is_not_lost_by_a_refusal(everywhere: World) -> None:
    (old,) = factories.enrol(everywhere.database, everywhere.course, proof="none")
    everywhere.subs |= {row.id: row.sub for row in rows(everywhere.database, tables.Learner)}
    everywhere.award(old)
    everywhere.book.staff = {everywhere.subs[old]}
    everywhere.work()
    assert everywhere.holders() == {old}
    assert everywhere.proof(old) == "none"
    (given_up,) = everywhere.view().given_up
    assert (given_up.learner_id, given_up.error_code) == (old, "score_not_a_student")


def test_a_launch_after_a_refusal_has_the_score_tried_again_once(everywhere: World) -> None:
    (eve,) = unproved(everywhere)
    everywhere.book.staff = {everywhere.subs[eve]}
    everywhere.work()
    everywhere.clock.forward(hours=1)
    everywhere.change(
        Membership, Membership.learner_id == eve, learner_proof="launch", proved_at=everywhere.clock.now
    )
    everywhere.awarding.decide_context(everywhere.course.organisation_id, everywhere.course.context_id)
    assert everywhere.holders() == {eve}
    everywhere.later(minutes=1)
    assert len(everywhere.book.scores) == 2
    assert everywhere.proof(eve) == "launch", "her own launch says more"
    everywhere.later(hours=12)
    assert len(everywhere.book.scores) == 2
    everywhere.book.staff.clear()
    (given_up,) = everywhere.view().given_up
    assert given_up.has_badge


def test_a_text_that_cannot_be_signed_keeps_nobody_elses_score(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unproved(world, 2)

    def refuse(_award_ids: Any) -> Any:
        raise CredentialInvalid(ErrorCode.CREDENTIAL_TEXT_INVALID)

    monkeypatch.setattr(world.issued, "issue_for", refuse)
    world.work()
    assert len(world.book.taken) == 2
    assert len(world.holders()) == 2


# -- the instructor's word


def test_an_instructors_word_gives_the_badge_and_is_on_record(everywhere: World) -> None:
    grant(everywhere.database, everywhere.course, WRITING[0])
    eve, fred = unproved(everywhere, 2)
    assert everywhere.due() == ()
    assert {one.learner_id for one in everywhere.view().waiting} == {eve, fred}
    teacher = everywhere.teacher()
    assert everywhere.scoring.confirm_learners(teacher, [eve, eve]) == 1
    assert everywhere.holders() == {eve}
    assert everywhere.proof(eve) == "staff"
    assert [one.learner_id for one in everywhere.view().waiting] == [fred]
    (event,) = rows(everywhere.database, AuditEvent)
    assert (event.actor, event.action, event.subject_id, event.detail) == (
        f"learner:{teacher.learner_id}",
        "learner.confirmed",
        eve,
        {"context_id": everywhere.course.context_id},
    )
    assert everywhere.scoring.confirm_learners(teacher, [eve]) == 0
    assert len(rows(everywhere.database, AuditEvent)) == 1


def test_confirming_many_decides_about_them_together(world: World) -> None:
    def reads(count: int) -> int:
        people = unproved(world, count)
        with world.database.statements() as made:
            assert world.scoring.confirm_learners(world.teacher(), people) == count
        return sum(statement.startswith("SELECT") for statement in made)

    few = reads(10)
    assert reads(40) <= few
    assert len(world.holders()) == 50


def test_an_instructor_may_overrule_the_platform(world: World) -> None:
    (eve,) = unproved(world)
    world.book.staff = {world.subs[eve]}
    world.work()
    world.clock.forward(hours=1)
    world.scoring.confirm_learners(world.teacher(), [eve])
    assert world.holders() == {eve}
    assert world.hints.offered == [("write_scores", {"line_item_id": world.column.id})]


def test_nobodys_word_makes_staff_a_learner(world: World) -> None:
    (tutor,) = unproved(world)
    world.change(Membership, Membership.learner_id == tutor, is_staff=True, is_learner=False)
    assert world.scoring.confirm_learners(world.teacher(), [tutor]) == 0
    assert world.holders() == set()


def test_nobody_vouches_for_themselves(world: World) -> None:
    (eve,) = unproved(world)
    own = session_of(world.course, eve, can_configure=True, can_view_progress=True)
    assert world.scoring.confirm_learners(own, [eve]) == 0


@pytest.mark.parametrize(
    "session",
    [{"can_configure": False}, {"is_read_only": True}, {"context_id": None}],
    ids=str,
)
def test_only_an_instructor_of_the_course_confirms_and_asks(world: World, session: dict[str, Any]) -> None:
    (eve,) = unproved(world)
    with pytest.raises(NotAllowed):
        world.scoring.confirm_learners(world.teacher(**session), [eve])
    with pytest.raises(NotAllowed):
        world.scoring.ask_again(world.teacher(**session), world.placed.placement_id)
    assert world.proof(eve) == "none"


def test_another_courses_learners_and_columns_are_not_touched(world: World) -> None:
    (eve,) = unproved(world)
    stranger = factories.course(world.database)
    (teacher,) = factories.enrol(world.database, stranger)
    session = session_of(stranger, teacher, can_configure=True, can_view_progress=True)
    assert world.scoring.confirm_learners(session, [eve]) == 0
    with pytest.raises(NotFound):
        world.scoring.ask_again(session, world.placed.placement_id)
    assert world.scoring.award_columns(session) == {}
    assert world.proof(eve) == "none"


def test_a_learner_sees_no_lists(world: World) -> None:
    with pytest.raises(NotAllowed):
        world.scoring.award_columns(session_of(world.course, world.learners[0]))


# -- hints


def test_a_decision_offers_the_columns_that_it_made_due(everywhere: World) -> None:
    everywhere.meet(everywhere.learners[0])
    everywhere.scoring.offer_due(
        everywhere.course.organisation_id, everywhere.course.context_id, everywhere.learners[1]
    )
    assert everywhere.hints.offered == []
    everywhere.scoring.offer_due(
        everywhere.course.organisation_id, everywhere.course.context_id, everywhere.learners[0]
    )
    everywhere.scoring.offer_due(everywhere.course.organisation_id, everywhere.course.context_id)
    assert everywhere.hints.offered == [("write_scores", {"line_item_id": everywhere.column.id})] * 2


def test_finding_what_is_due_costs_the_same_for_many(world: World) -> None:
    def statements() -> int:
        with world.database.statements() as made:
            world.due()
        return len(made)

    world.award(world.learners[0])
    few = statements()
    many = factories.enrol(world.database, world.course, 50)
    world.award(*many)
    assert statements() <= few


def test_a_big_institution_keeps_no_small_one_waiting(everywhere: World) -> None:
    database, ada = everywhere.database, everywhere.learners[0]
    everywhere.award(ada)
    small = factories.course(database)
    grant(database, small)
    (learner,) = factories.enrol(database, small)
    placed = factories.placed(database, small)
    factories.award(database, small, placed, learner)
    everywhere.due()
    (of_small,) = [
        row.id
        for row in rows(database, LineItem)
        if row.placement_id == placed.placement_id and row.tag == "award"
    ]
    for _ in range(3):
        factories.award(database, everywhere.course, factories.placed(database, everywhere.course), ada)
    everywhere.change(LineItem, LineItem.id == of_small, read_at=NOW)
    assert len(everywhere.due()) == 5
    assert of_small in everywhere.scoring.columns_due(everywhere.clock.now, 2)


# -- what changes between reading and writing


def test_a_grade_typed_after_the_column_was_read_is_not_written_over(everywhere: World) -> None:
    """In Moodle a grade typed into a column that the tool made is not even marked as overridden."""
    many = [*everywhere.learners, *factories.enrol(everywhere.database, everywhere.course, 4)]
    everywhere.award(*many)
    url = everywhere.book.columns[0]["id"]
    typed: list[str] = []

    def meanwhile(score: dict[str, Any]) -> None:
        """While the first score is under way, the teacher grades everybody else."""
        everywhere.clock.forward(seconds=5)
        typed.extend(
            row.sub for row in rows(everywhere.database, tables.Learner) if row.sub != score["userId"]
        )
        for sub in typed:
            everywhere.book.values.setdefault(url, {})[sub] = 0.25
            everywhere.book.times.setdefault(url, {})[sub] = everywhere.clock.now
        everywhere.clock.forward(seconds=5)

    everywhere.book.instead = [meanwhile]
    everywhere.work()
    assert len(everywhere.book.taken) == 1
    everywhere.later(minutes=2)
    assert len(everywhere.book.taken) == 1
    assert {everywhere.book.values[url][sub] for sub in typed} == {0.25}
    assert sorted(state for state, _ in everywhere.states().values()) == [*["kept"] * 7, "written"]


@pytest.mark.parametrize("change", ["staff", "left", "revoked"])
def test_who_is_no_longer_due_when_their_turn_comes_is_left_out(everywhere: World, change: str) -> None:
    credentials = {}
    for learner_id in everywhere.learners[:2]:
        award_id = factories.award(everywhere.database, everywhere.course, everywhere.placed, learner_id)
        credentials[learner_id] = factories.credential(everywhere.database, everywhere.course, award_id)

    def meanwhile(score: dict[str, Any]) -> None:
        (other,) = [id_ for id_ in credentials if everywhere.subs[id_] != score["userId"]]
        if change == "revoked":
            where = tables.Credential.id == credentials[other]
            everywhere.change(tables.Credential, where, revoked_at=NOW)
        else:
            values = {"is_staff": True} if change == "staff" else {"is_active": False}
            everywhere.change(Membership, Membership.learner_id == other, **values)

    everywhere.book.instead = [meanwhile]
    everywhere.work()
    assert len(everywhere.book.scores) == 1


def test_who_is_enrolled_as_a_student_after_a_refusal_needs_no_word_of_anybody(everywhere: World) -> None:
    """No roster tells: Moodle lists them as learner before and after."""
    (eve,) = unproved(everywhere)
    everywhere.book.staff = {everywhere.subs[eve]}
    everywhere.work()
    assert everywhere.proof(eve) == "refused"
    everywhere.later(hours=20)
    assert len(everywhere.book.scores) == 1
    everywhere.book.staff.clear()
    everywhere.later(hours=5)
    assert (everywhere.proof(eve), everywhere.holders()) == ("score", {eve})
    assert everywhere.states() == {eve: ("written", None)}
    assert everywhere.view().refused == ()


def test_the_score_of_a_holder_who_was_no_student_for_a_while_is_made_up_for(everywhere: World) -> None:
    """Unenrolled by mistake, and enrolled again: the launch of before is the last that proves anything."""
    ada, *_ = everywhere.learners
    everywhere.award(ada)
    everywhere.book.staff = {everywhere.subs[ada]}
    everywhere.work()
    assert everywhere.states() == {ada: ("refused", "score_not_a_student")}
    everywhere.book.staff.clear()
    everywhere.scoring.ask_again(everywhere.teacher(), everywhere.placed.placement_id)
    everywhere.work()
    assert everywhere.states() == {ada: ("written", None)}


def test_a_column_made_anew_is_filled_for_everybody(everywhere: World) -> None:
    ada, ben, *_ = everywhere.learners
    everywhere.award(ada)
    everywhere.work()
    everywhere.book.columns.clear()
    everywhere.book.values.clear()
    everywhere.book.times.clear()
    everywhere.book.failing["/results"] = (404, {}, "")
    everywhere.award(ben)
    everywhere.later(minutes=1)
    everywhere.book.failing.clear()
    everywhere.scoring.ask_again(everywhere.teacher(), everywhere.placed.placement_id)
    everywhere.later(minutes=1)
    (made,) = everywhere.book.columns
    assert everywhere.book.values[made["id"]] == {everywhere.subs[ada]: 1, everywhere.subs[ben]: 1}


def test_a_column_that_was_away_for_a_while_is_found_again_by_itself(everywhere: World) -> None:
    """Restored from the LMS's bin, or hidden behind a 404 of somebody in between."""
    ada, ben, cleo, _ = everywhere.learners
    everywhere.award(ada, cleo)
    url = everywhere.book.columns[0]["id"]
    everywhere.book.values[url] = {everywhere.subs[cleo]: 0.5}
    everywhere.work()
    everywhere.book.failing["/results"] = (404, {}, "")
    everywhere.award(ben)
    everywhere.later(minutes=1)
    assert everywhere.column.trouble == ErrorCode.COLUMN_MISSING
    everywhere.book.failing.clear()
    asked = len(everywhere.book.asked)
    everywhere.later(hours=5)
    assert len(everywhere.book.asked) == asked
    everywhere.later(hours=2)
    assert everywhere.column.trouble is None
    assert everywhere.states() == {ada: ("written", None), ben: ("written", None), cleo: ("kept", None)}
    assert everywhere.book.taken == [everywhere.subs[ada], everywhere.subs[ben]], "nothing is sent twice"


def test_a_platform_without_a_call_left_is_not_even_read(database: Database) -> None:
    class Spent:
        def room(self, _access: ServiceAccess) -> int:
            return 0

    with lms() as network:
        world = make_world(database, network, budgets=Spent())
        world.award(*world.learners, *factories.enrol(database, world.course, 4))
        for _ in range(3):
            world.later(minutes=1)
        assert world.book.asked == []


def test_a_long_column_is_not_lost_while_it_is_read(
    everywhere: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [*everywhere.learners, *factories.enrol(everywhere.database, everywhere.course, 4)]
    everywhere.award(*many)
    (due,) = everywhere.due()
    url = everywhere.book.columns[0]["id"]
    real, pages = everywhere.book._results, 0

    def slowly(column_url: str, query: dict[str, str]) -> Reply:
        nonlocal pages
        pages += 1
        everywhere.clock.forward(seconds=50)
        with everywhere.database.write() as session:
            assert not runs.take_lease(session, f"scores:{due}", "another", everywhere.clock.now, 120)
        if pages < 6:
            return 200, {"Link": f'<{url}/results?p={pages}>; rel="next"'}, "[]"
        return real(column_url, query)

    monkeypatch.setattr(everywhere.book, "_results", slowly)
    everywhere.scoring.write_scores(due)
    assert len(everywhere.book.taken) == 8
