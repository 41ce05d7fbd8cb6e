"""Whose turn it is: organisations alternate, platforms alternate within them, the most overdue is first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.registrations import Site
from lti_tool.domain.turns import DueContext, Turns
from lti_tool.store import schedule
from lti_tool.store.database import Database
from lti_tool.store.tables import Context, Deployment, Registration, new_id
from tests import factories
from tests.factories import NOW

MANY = 5_000


def due(database: Database, limit: int = 100, *, reads: dict[Site, int] | None = None) -> list[DueContext]:
    with database.read() as session:
        if reads is None:
            reads = dict.fromkeys(schedule.products_due(session, NOW), 10_000)
        most = min(limit, max(reads.values(), default=0))
        return list(Turns().take(schedule.contexts_due(session, NOW, list(reads), most), reads, limit))


def site_of(database: Database, course: factories.Course) -> Site:
    with database.read() as session:
        return Site(course.registration_id, session.get_one(Registration, course.registration_id).token_url)


def more_courses(database: Database, course: factories.Course, count: int, **columns: Any) -> None:
    """Many courses of the same organisation and platform, at once."""
    with database.write() as session:
        model = session.get_one(Context, course.context_id)
        given = {column.key: getattr(model, column.key) for column in Context.__table__.columns}
        session.execute(
            sa.insert(Context),
            [
                {**given, "id": new_id(), "id_on_platform": f"many-{number}", **columns}
                for number in range(count)
            ],
        )


def elsewhere(database: Database, course: factories.Course, **columns: Any) -> factories.Course:
    """A course of another organisation on the same platform."""
    other = factories.course(database, **columns)
    with database.write() as session:
        session.execute(
            sa.update(Deployment)
            .where(Deployment.id == other.deployment_id)
            .values(registration_id=course.registration_id, id_on_platform=f"of-{other.deployment_id}")
        )
        session.execute(
            sa.update(Context)
            .where(Context.id == other.context_id)
            .values(registration_id=course.registration_id)
        )
    return other


def test_nothing_due_is_nothing(database):
    factories.course(database, sync_due_at=NOW + timedelta(seconds=1))
    factories.course(database, sync_due_at=None)
    assert due(database) == []


def test_an_organisation_with_thousands_due_delays_nobody_with_one(database):
    crowd = factories.course(database, sync_due_at=NOW - timedelta(hours=5))
    more_courses(database, crowd, MANY)
    lonely = [factories.course(database, sync_due_at=NOW) for _ in range(3)]
    turns = due(database, 8)
    assert {one.context_id for one in turns[:4]} >= {course.context_id for course in lonely}
    assert Counter(one.organisation_id for one in turns)[crowd.organisation_id] == 5


def test_organisations_on_one_platform_take_turns(database):
    crowd = factories.course(database, sync_due_at=NOW - timedelta(hours=5))
    more_courses(database, crowd, 200)
    other = elsewhere(database, crowd, sync_due_at=NOW - timedelta(seconds=1))
    turns = due(database, 50, reads={site_of(database, crowd): 2})
    assert {one.organisation_id for one in turns} == {crowd.organisation_id, other.organisation_id}
    assert len(turns) == 2, "as many as the platform has calls for"


def test_platforms_of_one_organisation_take_turns(database):
    first = factories.course(database, sync_due_at=NOW - timedelta(hours=5))
    more_courses(database, first, 200)
    second = factories.course(database, sync_due_at=NOW)
    with database.write() as session:
        for table, key in ((Context, second.context_id), (Deployment, second.deployment_id)):
            session.execute(
                sa.update(table).where(table.id == key).values(organisation_id=first.organisation_id)
            )
    assert second.context_id in {one.context_id for one in due(database, 2)}


def test_a_platform_without_calls_left_keeps_no_place(database):
    spent = factories.course(database, sync_due_at=NOW - timedelta(hours=5))
    more_courses(database, spent, 200)
    other = factories.course(database, sync_due_at=NOW)
    turns = due(database, reads={site_of(database, spent): 0, site_of(database, other): 5})
    assert [one.context_id for one in turns] == [other.context_id]


@pytest.mark.parametrize("shut", [Registration, Deployment])
def test_what_is_not_approved_is_not_read(database, shut):
    course = factories.course(database, sync_due_at=NOW)
    assert due(database)
    with database.write() as session:
        key = course.registration_id if shut is Registration else course.deployment_id
        session.execute(sa.update(shut).where(shut.id == key).values(status="disabled"))
    assert not due(database)
    with database.read() as session:
        assert schedule.arrears(session, NOW).due == 0


def test_within_a_platform_the_promise_that_is_broken_furthest_comes_first(database):
    """Three minutes are much in a course where people are, and nothing in one that is read once a night."""
    used = {"active": timedelta(), "recent": timedelta(days=2), "idle": timedelta(days=30)}
    late = {"active": timedelta(minutes=3), "recent": timedelta(minutes=40), "idle": timedelta(hours=6)}
    course = factories.course(database, sync_due_at=None)
    for name in ("idle", "recent", "active"):
        more_courses(database, course, 1, last_launched_at=NOW - used[name], sync_due_at=NOW - late[name])
        with database.write() as session:
            session.execute(
                sa.update(Context).where(Context.id_on_platform == "many-0").values(id_on_platform=name)
            )
    assert [names_of(database)[one.context_id] for one in due(database)] == ["active", "recent", "idle"]
    starved = {"last_launched_at": NOW - used["idle"], "sync_due_at": NOW - timedelta(days=3)}
    more_courses(database, course, 1, **starved)
    turns = [names_of(database)[one.context_id] for one in due(database)]
    assert turns == ["many-0", "active", "recent", "idle"], "nobody starves behind those who are in a hurry"


def test_a_course_that_is_graded_without_being_opened_does_not_wait_behind_those_that_nobody_uses(database):
    """Its read was owed within minutes: a promise that is broken further than that of a night."""
    course = factories.course(database, sync_due_at=None)
    due_at = NOW - timedelta(minutes=10)
    used = {"last_launched_at": NOW - timedelta(days=30), "sync_due_at": due_at}
    for name, minutes in (("idle", 60 * 20), ("graded", 1.7), ("graded this week", 51)):
        more_courses(database, course, 1, **used, roster_read_at=due_at - timedelta(minutes=minutes))
        with database.write() as session:
            session.execute(
                sa.update(Context).where(Context.id_on_platform == "many-0").values(id_on_platform=name)
            )
    turns = [names_of(database)[one.context_id] for one in due(database)]
    assert turns == ["graded", "graded this week", "idle"]


def names_of(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = session.execute(sa.select(Context.id, Context.id_on_platform))
        return {row.id: row.id_on_platform for row in rows}


def test_what_is_owed_is_counted(database):
    course = factories.course(database, sync_due_at=NOW - timedelta(minutes=7))
    more_courses(database, course, 3)
    factories.course(database, sync_due_at=NOW + timedelta(minutes=7))
    with database.read() as session:
        owed = schedule.arrears(session, NOW)
    assert (owed.due, owed.oldest_due_at) == (4, NOW - timedelta(minutes=7))


def test_those_that_are_not_due_are_not_looked_at(database):
    """The index finds what is due; its size, not that of the installation, is what a pass costs."""
    course = factories.course(database, sync_due_at=NOW + timedelta(hours=3))
    more_courses(database, course, MANY)
    other = factories.course(database, sync_due_at=NOW)
    with database.write() as session:
        session.execute(sa.text("ANALYZE"))
    with explained(database) as plans:
        assert [one.context_id for one in due(database)] == [other.context_id]
    assert "ix_contexts_sync_due_at" in plans[-1], plans[-1]
    assert "SCAN contexts" not in plans[-1]
    assert "Seq Scan on contexts" not in plans[-1]


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """How the database means to run each statement of the block."""
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "

    def note(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        cursor.execute(explain + statement, parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))

    sa.event.listen(database._read_engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        sa.event.remove(database._read_engine, "before_cursor_execute", note)
