"""Rosters whose platform tells what changed (NRPS §2.5), on both databases: what that may add, and take away.

Neither Moodle nor Canvas tells it; a platform that does is made here of the gradebook's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from lti_tool.errors import ErrorCode
from lti_tool.services.roster_reading import RosterRead, read_roster
from lti_tool.store import rosters
from lti_tool.store.database import Database
from lti_tool.store.tables import Context, Learner, Membership, Registration
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Reply, answering
from tests.unit.lti.lms import lms


@dataclass
class TellingBook(Gradebook):
    """A gradebook whose roster comes with a link to what will have changed."""

    journal: list[dict[str, Any]] = field(default_factory=list)
    """Every change since the beginning, as an entry of a roster."""
    has_link: bool = True
    forgets: bool = False
    """Changes are not told: the platform's fault, which the daily reading makes good."""
    link_host: str | None = None

    def come(self, *subs: object) -> None:
        self.enrol(*subs)
        self.journal += [{**one, "status": "Active"} for one in self.members[-len(subs) :]]

    def go(self, *subs: object, status: str = "Deleted") -> None:
        gone = {str(sub) for sub in subs}
        self.members = [one for one in self.members if one["user_id"] not in gone]
        self.journal += [{"user_id": sub, "roles": [], "status": status} for sub in sorted(gone)]

    def _roster(self, url: str, query: dict[str, str]) -> Reply:
        if "since" not in query:
            status, headers, body = super()._roster(url, query)
        else:
            changes = [] if self.forgets else self.journal[int(query["since"]) :]
            status, headers, body = 200, {}, json.dumps({"members": changes})
        link = (
            f"<{self.link_host or url.partition('/memberships')[0]}/memberships/1?since={len(self.journal)}>"
        )
        if self.has_link:
            both = filter(None, (headers.get("Link"), f'{link}; rel="differences"'))
            headers = {"Link": ", ".join(both)}
        return status, headers, body


@dataclass
class World:
    database: Database
    book: TellingBook
    clock: Clock

    def read(self) -> RosterRead:
        with self.database.read() as session:
            plan = rosters.context_plan_for_job(session, self.book.course.context_id)
        assert plan is not None
        self.clock.forward(minutes=5)
        return read_roster(
            self.database, self.book.network.connector, self.clock, plan, lambda session, done: None
        )

    def active(self) -> set[str]:
        with self.database.read() as session:
            return set(
                session.scalars(
                    select(Learner.sub)
                    .join(Membership, Membership.learner_id == Learner.id)
                    .where(
                        Membership.context_id == self.book.course.context_id,
                        Membership.is_active.is_(True),
                    )
                )
            )

    def known(self) -> set[str]:
        with self.database.read() as session:
            return set(session.scalars(select(Learner.sub)))

    def context(self) -> Context:
        with self.database.read() as session:
            return session.get_one(Context, self.book.course.context_id)

    def whole_reads(self) -> int:
        return sum(not self._is_of_changes(call) for call in self.book.calls("/memberships/"))

    def reads_of_changes(self) -> int:
        return sum(self._is_of_changes(call) for call in self.book.calls("/memberships/"))

    @staticmethod
    def _is_of_changes(call: str) -> bool:
        return "since" in parse_qs(urlsplit(call).query)


def world_of(database: Database) -> Iterator[World]:
    course = factories.course(database)
    with database.write() as session:
        session.execute(update(Registration).values(product="other"))
    with lms() as network:
        book = TellingBook(network, course)
        answering(book)
        yield World(database, book, Clock())


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    yield from world_of(database)


def test_after_a_whole_reading_only_changes_are_asked_for(world: World) -> None:
    world.book.come(1, 2, 3)
    world.read()
    assert world.active() == {"1", "2", "3"}
    world.book.come(4)
    world.book.go(2)
    read = world.read()
    assert (read.trouble, read.counts["members"], read.counts["left"]) == (None, 2, 1)
    assert world.active() == {"1", "3", "4"}
    assert (world.whole_reads(), world.reads_of_changes()) == (1, 1)
    assert world.context().roster_is_complete


def test_who_is_not_listed_as_changed_is_not_gone(world: World) -> None:
    world.book.come(*range(1, 30))
    world.read()
    for _ in range(3):
        read = world.read()
        assert (read.counts["left"], len(world.active())) == (0, 29)
    assert world.whole_reads() == 1


@pytest.mark.parametrize("status", ["Suspended", "", "Unknown to us"])
def test_a_status_that_nobody_knows_takes_nobody_away(world: World, status: str) -> None:
    world.book.come(1, 2)
    world.read()
    world.book.journal.append({"user_id": "1", "roles": ["Learner"], "status": status})
    world.read()
    assert world.active() == {"1", "2"}


def test_somebody_unknown_who_is_gone_is_not_added(world: World) -> None:
    world.book.come(1)
    world.read()
    world.book.journal.append({"user_id": "stranger", "roles": [], "status": "Deleted"})
    world.read()
    assert world.known() == {"1"}


def test_who_went_and_came_back_is_there(world: World) -> None:
    world.book.come(1, 2)
    world.read()
    world.book.go(1, status="Inactive")
    world.book.come(1)
    world.read()
    assert world.active() == {"1", "2"}


def test_everybody_is_read_once_a_day(world: World) -> None:
    world.book.come(1, 2)
    world.read()
    world.book.forgets = True
    world.book.go(1)
    world.read()
    assert world.active() == {"1", "2"}
    world.clock.forward(days=1)
    world.read()
    assert world.active() == {"2"}
    assert world.whole_reads() == 2


@pytest.mark.parametrize(
    "answer", [(404, {}, "gone"), (200, {}, "no JSON"), (200, {}, '{"members": [{"status": "Active"}]}')]
)
def test_changes_that_cannot_be_had_are_made_good_by_reading_everybody(world: World, answer: Reply) -> None:
    world.book.come(1, 2)
    world.read()
    world.book.go(1)

    def spoil(url: str, query: dict[str, str]) -> Reply:
        return answer if "since" in query else TellingBook._roster(world.book, url, query)

    world.book._roster = spoil  # type: ignore[method-assign]
    read = world.read()
    assert (read.trouble, world.active()) == (None, {"2"})
    assert world.whole_reads() == 2


def test_a_platform_that_is_silent_is_not_asked_twice(world: World) -> None:
    world.book.come(1, 2)
    world.read()
    world.book.failing["/memberships"] = (503, {}, "")
    read = world.read()
    assert read.trouble is ErrorCode.PLATFORM_BUSY
    assert world.whole_reads() == 1
    assert world.active() == {"1", "2"}
    assert world.context().roster_trouble == "platform_busy"
    del world.book.failing["/memberships"]
    world.read()
    assert world.whole_reads() == 2


def test_the_link_to_changes_leads_to_no_host_that_the_platform_did_not_name(world: World) -> None:
    """It is kept and followed with a token: a link elsewhere would hand the token over."""
    world.book.link_host = "https://attacker.example"
    world.book.come(1)
    world.read()
    read = world.read()
    assert read.trouble is None
    assert world.book.network.calls("attacker.example") == []
    assert world.whole_reads() == 2


def test_a_platform_without_the_link_is_read_wholly_each_time(world: World) -> None:
    world.book.has_link = False
    world.book.come(1, 2)
    world.read()
    world.book.go(1)
    world.read()
    assert world.active() == {"2"}
    assert (world.whole_reads(), world.context().roster_differences_url) == (2, None)


Step = tuple[str, frozenset[int]]
STEPS = st.lists(
    st.tuples(st.sampled_from(("come", "go", "read", "day")), st.frozensets(st.integers(1, 6), max_size=3)),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_happens_a_reading_leaves_exactly_who_is_there(
    sqlite_database: Database, steps: list[Step]
) -> None:
    generator = world_of(sqlite_database)
    world = next(generator)
    there = {7}
    world.book.come(7)
    for what, subs in (*steps, ("read", frozenset())):
        if what == "come" and subs - there:
            world.book.come(*sorted(subs - there))
            there |= subs
        elif what == "go" and subs & there:
            world.book.go(*sorted(subs & there))
            there -= subs
        elif what == "day":
            world.clock.now += timedelta(hours=25)
        elif what == "read":
            world.read()
            assert world.active() == {str(sub) for sub in there}
    generator.close()
