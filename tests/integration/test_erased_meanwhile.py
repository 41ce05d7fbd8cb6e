"""Somebody is erased while the worker is at work: the others get what is theirs, the erased stays erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lti_tool.services import awarding as awarding_module
from lti_tool.services.privacy import Privacy
from lti_tool.store import credentials, tables
from lti_tool.store.database import Database
from lti_tool.store.dialects import COPY_FROM_ROWS
from tests import factories
from tests.integration.gradebook import rows
from tests.integration.services.school import School
from tests.integration.test_scoring import World, make_world
from tests.unit.lti.lms import lms


def erase(school: School, learner_id: str) -> None:
    privacy = Privacy(school.database, school.clock, school.urls, school.hints)
    privacy.erase(privacy.person_by_id(learner_id), "cli")


def once(after: Callable[..., Any], happens: Callable[[], None]) -> Callable[..., Any]:
    """``after``, and the first time ``happens`` once it has answered."""
    waiting = [happens]

    def call(*arguments: Any, **named: Any) -> Any:
        answer = after(*arguments, **named)
        if waiting:
            waiting.pop()()
        return answer

    return call


@pytest.fixture
def school(database: Database, tmp_path: Path) -> School:
    return School(database, tmp_path / "keys")


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with lms() as network:
        yield make_world(database, network)


def test_while_it_is_decided(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    ada, ben, carl = factories.enrol(school.database, course, 3)
    factories.grade(school.database, course, placed, [ada, ben, carl], 90)
    monkeypatch.setattr(
        awarding_module, "to_store", once(awarding_module.to_store, lambda: erase(school, ben))
    )
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert {row.learner_id for row in school.rows(tables.Award)} == {ada, carl}
    assert {row.learner_id for row in school.rows(tables.Completion)} == {ada, carl}
    assert {row.learner_id for row in school.rows(tables.Decision)} == {ada, carl}
    assert (report.changed, report.awarded) == (2, 2)


def test_while_a_whole_class_is_decided(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many rows are written by COPY on PostgreSQL."""
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, COPY_FROM_ROWS + 30)
    factories.grade(school.database, course, placed, learners, 90)
    monkeypatch.setattr(
        awarding_module, "to_store", once(awarding_module.to_store, lambda: erase(school, learners[7]))
    )
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    others = {*learners} - {learners[7]}
    assert {row.learner_id for row in school.rows(tables.Award)} == others
    assert (report.changed, report.awarded) == (len(others), len(others))


def test_while_it_is_issued(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 3)
    awards = [factories.award(school.database, course, placed, learner) for learner in learners]
    monkeypatch.setattr(
        credentials,
        "awards_to_issue",
        once(credentials.awards_to_issue, lambda: erase(school, learners[1])),
    )
    issued = school.issuing.issue_for(awards)
    assert set(issued) == {awards[0], awards[2]}
    signed = school.rows(tables.Credential, tables.Credential.document.is_not(None))
    assert {row.id for row in signed} == set(issued.values())


def test_while_a_score_is_written(world: World) -> None:
    ada, ben, *_ = world.learners
    world.award(ada, ben)
    school = School(world.database, Path("keys"), clock=world.clock)
    take = world.book.take

    def taken(column_url: str, score: dict[str, Any]) -> Any:
        if score["userId"] == world.subs[ada]:
            erase(school, ada)
        return take(column_url, score)

    world.book.take = taken  # type: ignore[method-assign]
    world.work()
    assert world.states() == {ben: ("written", None)}
    assert not [row for row in rows(world.database, tables.Learner) if row.id == ada]
