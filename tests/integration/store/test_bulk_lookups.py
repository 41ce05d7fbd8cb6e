"""What is asked for a thousand learners or places at once is looked up, however much is stored beside it.

Counted as PostgreSQL counts the rows that it reads, while nobody has told it yet how full the tables are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store import decisions, milestone_decisions, renewals, status_lists
from lti_tool.store.database import Database
from lti_tool.store.dialects import insert_all_if_absent, insert_rows
from lti_tool.store.tables import Award, Credential, Decision, Learner, StatusList, new_id
from tests import factories
from tests.factories import NOW, Course, Placed

STORED, ASKED = 3000, 100
OFTEN = 8
"""The driver prepares what it has sent five times, and PostgreSQL then plans for any values."""


@dataclass(frozen=True)
class Filled:
    """A course of which everybody has been decided about and has the badge."""

    course: Course
    placed: Placed
    learner_ids: list[str]
    list_id: str


def fill(database: Database) -> Filled:
    course = factories.course(database)
    placed = factories.placed(database, course)
    learner_ids = [new_id() for _ in range(STORED)]
    with database.write() as session:
        places = StatusList(
            organisation_id=course.organisation_id,
            issuer_id=course.issuer_id,
            purpose="revocation",
            size=status_lists.LIST_SIZE,
            entries=STORED,
            changed_at=NOW,
        )
        session.add(places)
        people = (
            {
                "id": id_,
                "organisation_id": course.organisation_id,
                "registration_id": course.registration_id,
                "sub": id_,
                "created_at": NOW,
            }
            for id_ in learner_ids
        )
        insert_all_if_absent(session, Learner, people, on=("id",))
        own = {"organisation_id": course.organisation_id}
        decided = {id_: new_id() for id_ in learner_ids}
        insert_rows(
            session,
            Decision,
            ("id", "learner_id"),
            [(decision_id, id_) for id_, decision_id in decided.items()],
            shared={
                **own,
                "placement_id": placed.placement_id,
                "micromodule_version_id": placed.micromodule_version_id,
                "verdict": "award",
                "state": "met",
                "finding": {},
                "evidence": {},
                "digest": "0" * 64,
                "decided_at": NOW,
            },
        )
        awarded = {id_: new_id() for id_ in learner_ids}
        insert_rows(
            session,
            Award,
            ("id", "learner_id", "decision_id"),
            [(awarded[id_], id_, decided[id_]) for id_ in learner_ids],
            shared={
                **own,
                "achievement_version_id": placed.achievement_version_id,
                "context_id": course.context_id,
                "met_at": NOW,
                "awarded_at": NOW,
            },
        )
        insert_rows(
            session,
            Credential,
            ("id", "award_id", "status_index"),
            [(new_id(), award_id, place) for place, award_id in enumerate(awarded.values())],
            shared={**own, "issuer_id": course.issuer_id, "status_list_id": places.id},
        )
    return Filled(course, placed, learner_ids, places.id)


def _latest(session: Session, filled: Filled) -> int:
    placement_id = filled.placed.placement_id
    asked = filled.learner_ids[:ASKED]
    return len(decisions.latest(session, filled.course.organisation_id, [placement_id], asked)[placement_id])


def _histories(session: Session, filled: Filled) -> int:
    asked = filled.learner_ids[:ASKED]
    organisation_id, placement_id = filled.course.organisation_id, filled.placed.placement_id
    return len(renewals.histories(session, organisation_id, placement_id, asked))


def _holders(session: Session, filled: Filled) -> int:
    version_id = filled.placed.achievement_version_id
    assert version_id is not None
    asked = filled.learner_ids[:ASKED]
    return len(milestone_decisions.holders_of(session, filled.course.organisation_id, version_id, asked))


def _taken(session: Session, filled: Filled) -> int:
    return len(status_lists.taken(session, filled.list_id, range(ASKED)))


@pytest.mark.parametrize("ask", [_latest, _histories, _holders, _taken])
@pytest.mark.parametrize("is_counted", [False, True], ids=["never counted", "counted before"])
def test_reading_some_reads_no_others(
    database: Database, ask: Callable[[Session, Filled], int], is_counted: bool
) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite looks up every one of a list of values")
    if is_counted:
        fill(database)
        with database.write() as session:
            session.execute(sa.text("ANALYZE"))
    filled = fill(database)
    with database.read() as session:
        for _ in range(OFTEN):
            before = _rows_read(session)
            assert ask(session, filled) == ASKED
            assert _rows_read(session) - before < 5 * ASKED


def _rows_read(session: Session) -> int:
    tables = ("decisions", "awards", "credentials", "endorsements")
    counted = sa.text(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid))"
        " FROM pg_class WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY (SELECT oid"
        " FROM pg_class WHERE relname = ANY (:tables))) OR relname = ANY (:tables)"
    )
    return int(session.execute(counted, {"tables": list(tables)}).scalar_one())
