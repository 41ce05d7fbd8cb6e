"""What operators see in ``/metrics`` is counted where it happens."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import Counter

from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.deciding import Deciding
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.syncing import Syncing
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.telemetry import AWARDS, CREDENTIALS_SIGNED
from tests import factories
from tests.integration.gradebook import Clock, Hints, Issued, gradebook
from tests.integration.services.milestone_campus import Campus
from tests.integration.services.school import School, session_of


def count(counter: Counter, label: str) -> float:
    value: float = counter.labels(label)._value.get()
    return value


def test_awards_are_counted_by_what_decided_them(sqlite_database: Database) -> None:
    course = factories.course(sqlite_database)
    placed = factories.placed(sqlite_database, course)
    visitor, other, below = factories.enrol(sqlite_database, course, 3)
    with sqlite_database.read() as session:
        subs = {id_: session.get_one(tables.Learner, id_).sub for id_ in (visitor, other, below)}
    with gradebook(course) as book:
        book.enrol(*subs.values())
        book.grades[placed.line_item_url] = {subs[visitor]: 90, subs[other]: 90, subs[below]: 10}
        clock = Clock()
        syncing = Syncing(
            sqlite_database,
            book.network.connector,
            clock,
            Hints(),
            Awarding(sqlite_database, clock),
            Issued(),
            CallBudgets(sqlite_database, clock),
        )
        launches, syncs = count(AWARDS, "launch"), count(AWARDS, "sync")
        for _ in range(2):
            syncing.refresh_learner(session_of(course, visitor))
        assert (count(AWARDS, "launch"), count(AWARDS, "sync")) == (launches + 1, syncs)
        for _ in range(2):
            run = syncing.start_sync(course.organisation_id, course.context_id)
            syncing.sync_context(course.context_id, run.id)
        assert (count(AWARDS, "launch"), count(AWARDS, "sync")) == (launches + 1, syncs + 1)


def test_a_milestones_badge_is_counted_once_and_under_its_own_name(
    sqlite_database: Database, tmp_path: Path
) -> None:
    school = School(sqlite_database, tmp_path / "keys")
    campus = Campus(school, 1)
    campus.active(MilestoneForm(name="Explorer", count="1"))
    ada = campus.learner()
    factories.grade(sqlite_database, campus.courses[0], campus.placed[0], [ada], 90)
    deciding = Deciding(campus.awarding, school.issuing)
    before = {origin: count(AWARDS, origin) for origin in ("launch", "milestone")}
    decided = deciding.decide(campus.organisation_id, campus.courses[0].context_id, [ada], "launch")
    assert decided.issued == 2
    assert {origin: count(AWARDS, origin) - was for origin, was in before.items()} == {
        "launch": 1,
        "milestone": 1,
    }


def test_documents_are_counted_when_they_are_signed(sqlite_database: Database, tmp_path: Path) -> None:
    school = School(sqlite_database, tmp_path / "keys")
    course = school.course()
    placed = factories.placed(sqlite_database, course)
    (learner,) = factories.enrol(sqlite_database, course)
    credentials, lists = count(CREDENTIALS_SIGNED, "credential"), count(CREDENTIALS_SIGNED, "status_list")
    credential_id = school.issued(course, placed, learner)
    assert count(CREDENTIALS_SIGNED, "credential") == credentials + 1
    (row,) = school.rows(tables.Credential, tables.Credential.id == credential_id)
    school.issuing.issue_credential(row.award_id)
    assert count(CREDENTIALS_SIGNED, "credential") == credentials + 1, "it was signed already"
    for _ in range(2):
        school.status_lists.published(row.status_list_id)
    assert count(CREDENTIALS_SIGNED, "status_list") == lists + 1
