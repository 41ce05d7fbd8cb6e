"""Who is awarded, and who is not: test users, masqueraders, people who left, people the roster leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from lti_tool.store.tables import Credential
from tests.journeys.campus import Campus, credential_of, row_of
from tests.simulator.browser import Page
from tests.simulator.chaos import Kind
from tests.simulator.forgery import altered, read_token
from tests.simulator.lms import Activity

TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"
CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"


def launch_with(campus: Campus, username: str, badge: Activity, claim: str, **custom: str) -> Page:
    """A learner's launch in which the platform says one thing more: a role, or custom variables."""

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        _, claims = read_token(fields["id_token"])
        before: Any = claims[claim]
        said: Any = {**before, **custom} if isinstance(before, Mapping) else [*before, TEST_USER]
        return altered(campus.lms, {claim: said})(fields)

    return campus.browser(campus.learner(username)).launch(badge.id, tamper=tamper)


def synced(campus: Campus, badge: Activity) -> Page:
    """The instructor's page after "Read now", minutes after whatever happened before."""
    campus.clock.move(minutes=5)
    teacher = campus.browser(campus.teacher)
    teacher.submit(teacher.launch(badge.id), form="/course/sync")
    campus.run_jobs()
    return teacher.launch(badge.id)


def test_a_test_user_is_never_awarded_not_even_from_the_roster_later(campus: Campus) -> None:
    badge = campus.placed_badge()
    for name in ("ada", "testy"):
        campus.take_quiz(name, 100)

    page = launch_with(campus, "testy", badge, ROLES)
    assert page.status == 200
    assert "You are looking as somebody else" in page.words
    assert "sharing" not in str(page.soup)
    page = synced(campus, badge)

    assert campus.holders() == ["Ada Learner"]
    assert "Testy" not in page.words


def test_who_left_keeps_the_badge_and_who_was_suspended_before_passing_gets_none(campus: Campus) -> None:
    badge = campus.placed_badge()
    for name in ("ada", "bob", "cleo"):
        campus.learner(name)
    campus.take_quiz("ada", 85)
    synced(campus, badge)
    campus.lms.unenrol(campus.learner("ada"), campus.course)
    campus.lms.suspend(campus.people["bob"], campus.course)
    for name in ("bob", "cleo"):
        campus.take_quiz(name, 90)

    page = synced(campus, badge)

    assert campus.holders() == ["Ada Learner", "Cleo Learner"]
    assert "Earned" in row_of(page, "Cleo")
    assert "Bob" not in page.words
    with campus.tool.database.read() as session:
        revoked = session.execute(select(Credential.revoked_at)).scalars().all()
    assert revoked == [None, None]


def test_who_comes_back_is_awarded(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.learner("bob")
    synced(campus, badge)
    campus.lms.suspend(campus.people["bob"], campus.course)
    campus.take_quiz("bob", 90)
    synced(campus, badge)
    assert campus.holders() == []

    campus.lms.enrol(campus.people["bob"], campus.course)
    campus.pass_time(seconds=200)

    assert campus.holders() == ["Bob Learner"]


def test_an_incomplete_roster_adds_and_never_removes(campus: Campus) -> None:
    badge = campus.placed_badge()
    for name in ("ada", "bob"):
        campus.take_quiz(name, 40)
    synced(campus, badge)
    campus.take_quiz("cleo", 90)
    campus.lms.unenrol(campus.people["bob"], campus.course)
    cut_off = campus.lms.chaos.switch_on("foreign_next", path=campus.lms.roster_path)

    page = synced(campus, badge)
    assert "The list of participants may be incomplete." in page.words
    assert row_of(page, "Bob"), "whatever became of his grades"
    assert campus.holders() == ["Cleo Learner"]

    campus.lms.chaos.faults.remove(cut_off)
    page = synced(campus, badge)
    assert "The list of participants may be incomplete." not in page.words
    assert "Bob" not in page.words
    assert "40 of 100" in row_of(page, "Ada")


@pytest.mark.parametrize("kind", ["status", "not_json", "truncate"])
def test_a_roster_that_cannot_be_read_removes_nobody(campus: Campus, kind: Kind) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 40)
    synced(campus, badge)
    campus.take_quiz("ada", 70)
    campus.lms.chaos.switch_on(kind, path=campus.lms.roster_path, value=404 if kind == "status" else None)

    page = synced(campus, badge)

    assert "The list of participants may be incomplete." in page.words
    assert "Earned" in row_of(page, "Ada"), "the column was read all the same"
    assert campus.holders() == ["Ada Learner"]


def test_a_result_without_a_score_is_no_grade_and_never_zero(moodle_campus: Campus) -> None:
    """Moodle lists whoever lost a grade to a changed formula without a score (MOODLE.md)."""
    campus = moodle_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 40)
    campus.take_quiz("bob", 85)
    page = synced(campus, badge)
    assert "40 of 100 points" in row_of(page, "Ada")
    (mirror,) = campus.mirrors()
    other = campus.lms.add_quiz(campus.course, "Quiz 2", id_number="quiz2")
    campus.lms.set_formula(mirror, "=[[quiz2]]")
    assert campus.lms.gradebook.final(mirror, campus.people["ada"].id) is None

    page = synced(campus, badge)
    assert "No data yet" in row_of(page, "Ada")
    assert "Quiz 1: no grade yet" in row_of(page, "Ada")
    wallet = campus.open_wallet("ada", badge)
    assert "no grade yet" in wallet.words
    assert "0 of 100" not in wallet.words
    assert "Earned" in row_of(page, "Bob"), "a badge that was earned stays"
    assert credential_of(campus.open_wallet("bob", badge))

    campus.lms.take_quiz(campus.people["ada"], other, 0)
    assert "0 of 100 points, 60 points more are needed" in campus.open_wallet("ada", badge).words


def test_work_that_is_done_twice_awards_once(campus: Campus) -> None:
    """Asked for twice, tried again after failures, and raced by visits: one award and one credential each."""
    badge = campus.placed_badge()
    for name in ("ada", "bob"):
        campus.learner(name)
    for name in ("ada", "bob"):
        campus.take_quiz(name, 85)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    campus.lms.chaos.switch_on("not_json")
    teacher.submit(page, form="/course/sync")
    campus.pass_time(seconds=60)
    campus.open_wallet("ada", badge)
    assert campus.holders() == []
    assert "failed" in teacher.launch(badge.id).words

    campus.lms.chaos.calm()
    for _ in range(2):
        teacher.submit(page, form="/course/sync")
    campus.run_jobs()
    campus.open_wallet("ada", badge)
    campus.pass_time(minutes=15)

    assert campus.holders() == ["Ada Learner", "Bob Learner"]
    with campus.tool.database.read() as session:
        documents = session.execute(select(Credential.document)).scalars().all()
    assert len(documents) == 2
    assert all(documents)
