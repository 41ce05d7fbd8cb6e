"""What a page of the audit log costs in an organisation that many things happened in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.store import audit, tables
from lti_tool.store.audit import EventFilter
from lti_tool.store.database import Database
from tests import factories
from tests.factories import NOW

ORGANISATIONS, EVENTS = 5, 2000
INDEX = "ix_audit_events_newest"


@pytest.fixture
def organisation_id(database: Database) -> str:
    """One of several organisations, each with many events."""
    with database.write() as session:
        ids = [factories.organisation(session)[0] for _ in range(ORGANISATIONS)]
        rows = [
            {
                "id": tables.new_id(),
                "organisation_id": id_,
                "at": NOW + timedelta(minutes=number // 2),
                "actor": "cli",
                "action": "credential.shared",
                "subject_kind": "credential",
                "subject_id": str(number),
                "detail": {},
            }
            for number in range(EVENTS)
            for id_ in ids
        ]
        session.execute(sa.insert(tables.AuditEvent), rows)
        session.execute(sa.text("ANALYZE"))
    return ids[0]


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """How the database means to run each statement of the block."""
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "

    def note(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith("SELECT"):
            return  # SQLite's BEGIN
        cursor.execute(explain + statement, parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))

    sa.event.listen(database._read_engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        sa.event.remove(database._read_engine, "before_cursor_execute", note)


def test_the_newest_events_are_read_in_the_order_of_their_index(
    database: Database, organisation_id: str
) -> None:
    with explained(database) as plans, database.read() as session:
        first = audit.page(session, organisation_id, EventFilter(), limit=50)
        audit.page(session, organisation_id, EventFilter(), limit=50, after=(first[-1].at, first[-1].id))
        audit.page(session, organisation_id, EventFilter(since=NOW + timedelta(minutes=900)), limit=50)
    assert len(plans) == 3
    for plan in plans:
        assert INDEX in plan, plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan


def test_what_comes_after_an_event_does_not_read_what_came_before(
    database: Database, organisation_id: str
) -> None:
    """A download reads a thousand at a time: without this the last of them would read all the others."""
    with explained(database) as plans, database.read() as session:
        audit.page(session, organisation_id, EventFilter(), limit=50, after=(NOW, "0" * 32))
    (plan,) = plans
    (condition,) = (line for line in plan.splitlines() if "Index Cond" in line or "USING INDEX" in line)
    assert '"at"' in condition or "at<" in condition.replace(" ", ""), plan


def test_a_span_of_days_is_counted_by_the_index(database: Database, organisation_id: str) -> None:
    with explained(database) as plans, database.read() as session:
        assert audit.count(session, organisation_id, EventFilter(since=NOW + timedelta(minutes=900))) == 200
    (plan,) = plans
    assert INDEX in plan, plan


def test_who_may_stand_in_the_log_is_not_looked_up_in_it(database: Database, organisation_id: str) -> None:
    with explained(database) as plans, database.read() as session:
        audit.actors(session, organisation_id)
    (plan,) = plans
    assert "audit_events" not in plan


def test_every_event_comes_once_from_page_to_page(database: Database, organisation_id: str) -> None:
    """Two events share each time, so that a page ends between them."""
    seen: list[str] = []
    after = None
    with database.read() as session:
        while rows := audit.page(session, organisation_id, EventFilter(), limit=333, after=after):
            seen += [row.id for row in rows]
            after = rows[-1].at, rows[-1].id
    assert len(seen) == len(set(seen)) == EVENTS


def test_whether_a_button_was_pressed_twice_is_found_by_its_subject(
    database: Database, organisation_id: str
) -> None:
    """What else happened in an organisation, and how often, makes no difference."""
    with explained(database) as plans, database.read() as session:
        audit.was_last(session, organisation_id, "x.published", ("x", "1"), actor="cli", seen="a")
    (plan,) = plans
    assert "ix_audit_events_subject" in plan, plan


def test_the_last_version_is_the_one_with_the_highest_number(
    database: Database, organisation_id: str
) -> None:
    """Clocks of several machines differ; what has no number came before there were any."""
    subject, actors = ("x", "1"), ("anna", "bert", "carol")
    details = ({"version": 2}, {"version": 10}, {})
    with database.write() as session:
        for seconds, actor, detail in zip((3, 0, 5), actors, details, strict=True):
            audit.record(
                session,
                organisation_id,
                at=NOW + timedelta(seconds=seconds),
                actor=actor,
                action="x.published",
                subject_kind="x",
                subject_id="1",
                detail={"seen": "a"} | detail,
            )
    with database.read() as session:
        about = (session, organisation_id, "x.published", subject)
        last = [actor for actor in actors if audit.was_last(*about, actor=actor, seen="a")]
    assert last == ["bert"]
