"""Erasing somebody while others work with what the person made: both come to their end."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread

import pytest
import sqlalchemy as sa

from lti_tool.store import organisations, privacy, tables, versions
from tests.factories import NOW
from tests.integration.services.milestone_campus import Campus
from tests.integration.services.school import School

LONGEST = 30.0
"""Seconds after which a thread is given up."""


def waits(school: School, pid: int) -> bool:
    """Whether a connection of PostgreSQL waits for a lock."""
    with school.database.read() as session:
        found = session.scalar(sa.text("SELECT cardinality(pg_blocking_pids(:pid))"), {"pid": pid})
    return bool(found)


@pytest.mark.postgresql
@pytest.mark.loopback
@pytest.mark.parametrize("column", ["created_by_id", "published_by_id"])
def test_whoever_archives_what_an_erased_person_placed_waits_and_goes_on(school: School, column: str) -> None:
    """Archiving locks placements before the organisation; so does erasing."""
    if school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    campus = Campus(school)
    teacher_id = campus.learner()
    school.change(
        tables.Placement, tables.Placement.id == campus.placed[0].placement_id, **{column: teacher_id}
    )
    pids: SimpleQueue[int] = SimpleQueue()
    failed: list[Exception] = []

    def erase() -> None:
        try:
            with school.database.write() as session:
                pids.put(session.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
                privacy.erase(session, teacher_id, NOW)
        except Exception as error:
            failed.append(error)

    eraser = Thread(target=erase, daemon=True)
    try:
        with school.database.write() as session:
            # As archiving does: the micromodule with its placements, then the organisation.
            versions.lock(session, campus.organisation_id, campus.micromodule(0))
            eraser.start()
            pid = pids.get(timeout=LONGEST)
            while eraser.is_alive() and not waits(school, pid):
                eraser.join(0.01)
            organisations.lock(session, campus.organisation_id)
    except Exception as error:
        failed.append(error)
    eraser.join(LONGEST)
    assert not eraser.is_alive()
    assert failed == []
    assert school.rows(tables.Learner, tables.Learner.id == teacher_id) == []
    (placement,) = school.rows(tables.Placement, tables.Placement.id == campus.placed[0].placement_id)
    assert getattr(placement, column) is None
