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
                "subject_id": "1",
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
