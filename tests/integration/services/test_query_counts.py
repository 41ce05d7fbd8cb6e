"""A page costs the same number of queries however much it shows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lti_tool.domain.criteria import (
    AllOf,
    Attested,
    Completed,
    EvidenceAccepted,
    GatePassed,
    HoldsAchievement,
    ScoreAtLeast,
)
from lti_tool.services.progress import CourseProgress
from lti_tool.services.wallet import Wallet
from lti_tool.store import decisions
from lti_tool.store.database import Database
from tests import factories
from tests.integration.services.school import School, session_of

ANSWERED_BY = 8
"""Statements of the wallet at most (the page opens its session with one more)."""


COURSE_ANSWERED_BY = 14
"""Statements of the instructor's page at most."""


def wallet_statements(school: School, badges: int) -> tuple[int, int]:
    """How many badges the wallet showed, and how many statements that took."""
    course = school.course()
    (learner_id,) = factories.enrol(school.database, course)
    for number in range(badges):
        placed = factories.placed(school.database, course, status="active" if number < 5 else "removed")
        factories.award(school.database, course, placed, learner_id)
    factories.placed(school.database, course)
    wallet = Wallet(school.database, school.awarding, school.urls, school.ages)
    with school.database.statements() as statements:
        view = wallet.view(session_of(course, learner_id))
    assert len(view.in_progress) == 1
    asked = [statement for statement in statements if not statement.startswith("BEGIN")]
    return len(view.earned), len(asked)


def test_a_wallet_of_many_badges_asks_no_more_than_one_of_one(school: School) -> None:
    (one, few), (many, most) = wallet_statements(school, 1), wallet_statements(school, 200)
    assert (one, many) == (1, 200)
    assert few == most <= ANSWERED_BY


def test_a_course_page_of_many_learners_asks_no_more_than_one_of_few(school: School) -> None:
    counted = {}
    for size in (10, 1000):
        course = school.course()
        placed = factories.placed(school.database, course)
        learner_ids = factories.enrol(school.database, course, size)
        factories.grade(school.database, course, placed, learner_ids, 90)
        school.awarding.decide_context(course.organisation_id, course.context_id)
        session = session_of(course, learner_ids[0], can_view_progress=True, is_learner=False)
        with school.database.statements() as statements:
            view = CourseProgress(school.database, school.awarding, school.ages).view(session)
        assert view.learners == size
        counted[size] = len(statements)
    assert counted[10] == counted[1000]


def test_a_course_page_of_many_micromodules_asks_no_more_than_one_of_one(school: School) -> None:
    counted = []
    for number in (1, 12):
        course = school.course()
        learner_ids = factories.enrol(school.database, course, 3)
        for _ in range(number):
            placed = factories.placed(school.database, course)
            factories.grade(school.database, course, placed, learner_ids, 90)
        school.awarding.decide_context(course.organisation_id, course.context_id)
        session = session_of(course, learner_ids[0], can_view_progress=True, is_learner=False)
        with school.database.statements() as statements:
            view = CourseProgress(school.database, school.awarding, school.ages).view(session)
        assert [sum(row.awarded_at is not None for row in one.rows) for one in view.placements] == [
            3
        ] * number
        counted.append(len([each for each in statements if not each.startswith("BEGIN")]))
    assert counted[0] == counted[1] <= COURSE_ANSWERED_BY


def test_rules_of_every_kind_cost_the_same_however_many_badges_ask_for_them(small_school: School) -> None:
    """One statement more for each kind of fact, and one for what is to be set up or decided by people."""
    school, criterion = (
        small_school,
        AllOf(
            (
                ScoreAtLeast("quiz", "Quiz 1", Decimal(80)),
                GatePassed("gate", "Gate"),
                Attested("talk", "Talk"),
                EvidenceAccepted("report", "Report"),
                Completed("0" * 32, "Basics"),
                HoldsAchievement("0" * 32, "Explorer"),
            )
        ),
    )
    counted = []
    for number in (1, 12):
        course = school.course()
        learner_ids = factories.enrol(school.database, course, 3)
        for each in range(number):
            placed = factories.placed(
                school.database, course, criterion=criterion, status="draft" if each % 2 else "active"
            )
            factories.gate(school.database, course, placed, "gate")
            factories.attestation(school.database, course, placed, "talk", learner_ids[0])
            factories.submission(school.database, course, placed, "report", learner_ids[0])
        teacher = session_of(course, learner_ids[1], can_view_progress=True, is_learner=False)
        with school.database.statements() as statements:
            view = CourseProgress(school.database, school.awarding, school.ages).view(teacher)
        assert [one.submissions_waiting for one in view.placements] == [1] * number
        wallet = Wallet(school.database, school.awarding, school.urls, school.ages)
        with school.database.statements() as asked:
            shown = wallet.view(session_of(course, learner_ids[0]))
        assert len(shown.in_progress) == number
        counted.append((len(statements), len(asked)))
    assert counted[0] == counted[1]


def test_no_page_goes_through_all_an_organisation_has(sqlite_database: Database, tmp_path: Path) -> None:
    """SQLite without statistics once took the organisation's index for each row of a join: a course of 10,000
    took minutes."""
    school = School(sqlite_database, tmp_path / "keys")
    course = school.course()
    placed = factories.placed(school.database, course)
    learner_ids = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, learner_ids, 90)
    teacher = session_of(course, learner_ids[0], can_view_progress=True, is_learner=False)
    with school.database.statements() as statements:
        CourseProgress(school.database, school.awarding, school.ages).view(teacher)
        school.awarding.decide_context(course.organisation_id, course.context_id)
        school.awarding.decide_learner(course.organisation_id, course.context_id, learner_ids[0])
    large = ("FROM memberships", "FROM results", "FROM decisions", "JOIN memberships")
    asked = {each for each in statements if each.startswith("SELECT") and any(t in each for t in large)}
    assert len(asked) >= 6
    with school.database.read() as session:
        for statement in asked:
            plan = session.connection().exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?")
            )
            steps = " / ".join(str(row[-1]) for row in plan)
            assert "organisation_id (organisation_id" not in steps, f"{steps}: {statement}"


def test_how_far_a_course_is_can_be_counted_without_reading_the_reasons(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'plan.sqlite3'}")
    database.upgrade()
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    with database.read() as session:
        engine = session.get_bind()
        sa.event.listen(engine, "before_cursor_execute", note)
        decisions.counts(session, "organisation", "context", ["one", "two", "three"])
        sa.event.remove(engine, "before_cursor_execute", note)
        statement, parameters = next(one for one in asked if "GROUP BY" in one[0])
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    database.dispose()
    (of_decisions,) = [row.detail for row in plan if "decisions" in row.detail]
    assert "COVERING INDEX ix_decisions_standing" in of_decisions
