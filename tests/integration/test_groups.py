"""Course groups on both databases: read with the roster, shown in the list of learners, nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import func, select, update

from lti_tool.lti import groups as service
from lti_tool.services.roster_reading import read_roster
from lti_tool.store import groups, matrix, rosters
from lti_tool.store.database import Database
from lti_tool.store.matrix import Wanted
from lti_tool.store.tables import Context, CourseGroup, GroupMember, Registration
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Reply, answering
from tests.unit.lti.lms import lms

SCOPE = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"
GROUPS_URL = "https://lms.example/groups"


@dataclass
class GroupedBook(Gradebook):
    """A gradebook whose course has groups: group → who is in it."""

    groups: dict[str, set[int]] = field(default_factory=dict)
    has_names: bool = True

    def answer(self, request: object) -> Reply:
        url = str(request.url)  # type: ignore[attr-defined]
        if "/groups/" in url and "/token" not in url:
            self.asked.append(f"GET {url}")
            if not self.has_names:
                return 403, {}, "{}"
            named = [{"id": id_, "name": f"Group {id_}"} for id_ in self.groups]
            return 200, {}, json.dumps({"id": url, "groups": named})
        return super().answer(request)

    def _roster(self, url: str, query: dict[str, str]) -> Reply:
        status, headers, body = super()._roster(url, query)
        decoded = json.loads(body)
        if query.get("groups") == "true":
            for one in decoded["members"]:
                own = [id_ for id_, subs in self.groups.items() if int(one["user_id"]) in subs]
                one["group_enrollments"] = [{"group_id": id_} for id_ in own]
        return status, headers, json.dumps(decoded)


@dataclass
class World:
    database: Database
    book: GroupedBook
    clock: Clock

    @property
    def course(self) -> factories.Course:
        return self.book.course

    def read(self) -> None:
        with self.database.read() as session:
            plan = rosters.context_plan_for_job(session, self.course.context_id)
        assert plan is not None
        self.clock.forward(minutes=5)
        read_roster(self.database, self.book.network.connector, self.clock, plan, lambda session, done: None)

    def named(self) -> dict[str, str]:
        with self.database.read() as session:
            found = groups.of_context(session, self.course.organisation_id, self.course.context_id)
        return {one.name: one.id for one in found}

    def learners_of(self, group_id: str, course: factories.Course | None = None) -> set[str]:
        course = course or self.course
        with self.database.read() as session:
            listed = matrix.names_by_order(
                session, course.organisation_id, course.context_id, group_id=group_id
            )
            counted = matrix.count(
                session, course.organisation_id, course.context_id, "", Wanted(group_id=group_id)
            )
        assert counted == len(listed)
        return {one.sub for one in listed}


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    course = factories.course(database)
    with database.write() as session:
        session.execute(update(Registration).values(product="other"))
        session.execute(update(Context).values(groups_url=f"{course.platform_issuer}/groups/1"))
    with lms() as network:
        book = GroupedBook(network, course)
        answering(book)
        yield World(database, book, Clock())


def test_groups_come_with_the_roster_and_narrow_the_list(world: World) -> None:
    world.book.enrol(1, 2, 3, 4)
    world.book.groups = {"a": {1, 2}, "b": {2, 3}, "empty": set()}
    world.read()
    named = world.named()
    assert list(named) == ["Group a", "Group b", "Group empty"]
    assert world.learners_of(named["Group a"]) == {"1", "2"}
    assert world.learners_of(named["Group b"]) == {"2", "3"}
    assert world.learners_of(named["Group empty"]) == set()
    assert len(world.book.calls("/memberships/")) == 1
    assert len(world.book.calls("/groups/")) == 1


def test_who_moves_and_what_is_deleted_is_followed(world: World) -> None:
    world.book.enrol(1, 2)
    world.book.groups = {"a": {1, 2}, "b": set()}
    world.read()
    world.book.groups = {"b": {2}}
    world.read()
    assert {name: world.learners_of(id_) for name, id_ in world.named().items()} == {"Group b": {"2"}}
    with world.database.read() as session:
        assert session.scalar(select(func.count()).select_from(GroupMember)) == 1


def test_groups_that_cannot_be_read_take_nothing_away(world: World) -> None:
    world.book.enrol(1)
    world.book.groups = {"a": {1}}
    world.read()
    world.book.has_names = False
    world.read()
    assert world.learners_of(world.named()["Group a"]) == {"1"}


def test_a_course_without_the_service_is_asked_for_no_groups(world: World) -> None:
    with world.database.write() as session:
        session.execute(update(Context).values(groups_url=None))
    world.book.enrol(1)
    world.read()
    assert world.named() == {}
    assert not any("groups" in call for call in world.book.asked)


def test_another_course_s_group_holds_nobody_of_this_one(world: World) -> None:
    world.book.enrol(1)
    world.book.groups = {"a": {1}}
    world.read()
    group_id = world.named()["Group a"]
    beside = factories.courses_beside(world.database, world.course, 1)[0]
    stranger = factories.course(world.database)
    factories.enrol(world.database, stranger, 2)
    assert world.learners_of(group_id, beside) == set()
    assert world.learners_of(group_id, stranger) == set()
    with world.database.read() as session:
        assert groups.of_context(session, stranger.organisation_id, world.course.context_id) == ()
        assert session.scalar(select(func.count()).select_from(CourseGroup)) == 1


@pytest.mark.parametrize(
    "claim, url",
    [
        ({"scope": [SCOPE], "context_groups_url": GROUPS_URL}, GROUPS_URL),
        ({"scope": [], "context_groups_url": GROUPS_URL}, None),
        ({"context_groups_url": GROUPS_URL}, None),
        ({"scope": [SCOPE], "context_groups_url": "javascript:alert(1)"}, None),
        ({"scope": SCOPE, "context_groups_url": GROUPS_URL}, None),
        ("text", None),
        (None, None),
    ],
)
def test_the_service_is_used_where_a_launch_names_and_permits_it(claim: object, url: str | None) -> None:
    assert service.read_service({service.CLAIM: claim}) == url


@pytest.mark.parametrize("body", [b"[]", b"{}", b"no json", b'{"groups": [{"name": "without id"}]}'])
def test_an_answer_that_holds_no_groups_changes_nothing(world: World, body: bytes) -> None:
    world.book.enrol(1)
    world.book.groups = {"a": {1}}
    world.read()
    spoiled = (200, {}, body.decode())
    answer = world.book.answer
    world.book.network.mock.reset()
    world.book.answer = lambda request: spoiled if "/groups/" in request.url else answer(request)  # type: ignore[method-assign]
    answering(world.book)
    world.read()
    assert world.learners_of(world.named()["Group a"]) == {"1"}
