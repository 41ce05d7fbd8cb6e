"""From draft to active: who may, in which course, once; and that what follows is owed at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.criteria import Channel, ScoreAtLeast
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.services import publishing
from lti_tool.services.publishing import Publishing, mark_of
from lti_tool.store import runs, tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School, session_of

TEACHER = {"can_view_progress": True, "can_configure": True, "is_learner": False}


@dataclass
class Deciding:
    """Notes for whom it was asked to decide."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def decide(self, *about: Any) -> None:
        self.asked.append(about)


def teacher_of(school: School, course: Course) -> str:
    return factories.enrol(school.database, course)[0]


def publish(
    school: School,
    course: Course,
    placement_id: str,
    deciding: Deciding | None = None,
    seen: str = "",
    **changes: Any,
) -> bool:
    by = session_of(course, teacher_of(school, course), **{**TEACHER, **changes})
    service = Publishing(school.database, school.clock, school.hints, deciding or Deciding())
    return service.publish(by, placement_id, seen=seen)


def status(school: School, placement_id: str) -> str:
    (row,) = school.rows(tables.Placement, tables.Placement.id == placement_id)
    return str(row.status)


def test_a_draft_becomes_active_and_the_trail_tells_who_did_it(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course, status="draft")
    deciding = Deciding()
    assert publish(school, course, placed.placement_id, deciding)
    (row,) = school.rows(tables.Placement, tables.Placement.id == placed.placement_id)
    assert (row.status, row.activated_at, row.published_at) == ("active", NOW, NOW)
    assert deciding.asked == [(course.organisation_id, course.context_id, None, "publish")]
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "placement.published")
    assert (event.subject_kind, event.subject_id) == ("placement", placed.placement_id)
    assert event.actor == f"learner:{row.published_by_id}"
    (context,) = school.rows(tables.Context, tables.Context.id == course.context_id)
    assert context.sync_due_at == NOW
    assert school.hints.offered[-1] == ("sync_context", {"context_id": course.context_id})


def test_published_again_nothing_changes(small_school: School) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course, status="draft")
    deciding = Deciding()
    assert publish(school, course, placed.placement_id, deciding)
    (first,) = school.rows(tables.Placement, tables.Placement.id == placed.placement_id)
    school.clock.forward(hours=1)
    assert not publish(school, course, placed.placement_id, deciding)
    (again,) = school.rows(tables.Placement, tables.Placement.id == placed.placement_id)
    assert (again.published_at, again.published_by_id) == (first.published_at, first.published_by_id)
    assert len(school.rows(tables.AuditEvent, tables.AuditEvent.action == "placement.published")) == 1
    assert len(deciding.asked) == 1


def test_of_a_large_course_a_reading_decides_that_the_page_watches(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "AT_ONCE", 2)
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    factories.enrol(small_school.database, course, 3)
    deciding = Deciding()
    assert publish(small_school, course, placed.placement_id, deciding)
    assert deciding.asked == []
    (context,) = small_school.rows(tables.Context, tables.Context.id == course.context_id)
    assert context.sync_due_at == NOW
    (run,) = small_school.rows(tables.Run)
    assert (run.kind, run.status, run.context_id) == ("sync", "waiting", course.context_id)
    task = ("sync_context", {"context_id": course.context_id, "run_id": run.id})
    assert small_school.hints.offered[-1] == task


def test_of_a_small_course_nobody_waits_for_a_reading(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    assert publish(small_school, course, placed.placement_id)
    assert small_school.rows(tables.Run) == []


def test_a_reading_that_is_under_way_is_the_one_that_is_watched(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "AT_ONCE", 0)
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    with small_school.database.write() as session:
        run, _ = runs.open_run(session, course.organisation_id, course.context_id, NOW)
        runs.begin(session, course.organisation_id, run.id, NOW)
    assert publish(small_school, course, placed.placement_id)
    (known,) = small_school.rows(tables.Run)
    assert known.id == run.id


@pytest.mark.parametrize(
    "changes",
    [
        {"can_configure": False},
        {"can_configure": False, "can_view_progress": False, "is_learner": True},
        {"is_read_only": True},
        {"context_id": None},
    ],
    ids=["non-editing teacher", "learner", "masquerader", "no course"],
)
def test_who_may_not_configure_publishes_nothing(small_school: School, changes: dict[str, Any]) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    with pytest.raises(NotAllowed):
        publish(small_school, course, placed.placement_id, **changes)
    assert status(small_school, placed.placement_id) == "draft"


def test_nobody_publishes_criteria_that_they_did_not_see(small_school: School) -> None:
    """One looks at what would happen, another one lowers the threshold, the first presses the button."""
    course = small_school.course()
    strict = ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR)
    mild = replace(strict, threshold=Decimal(10))
    placed = factories.placed(small_school.database, course, criterion=mild, status="draft")
    deciding = Deciding()
    with pytest.raises(Conflict) as refused:
        publish(small_school, course, placed.placement_id, deciding, mark_of(strict))
    assert refused.value.code is ErrorCode.CONFLICT
    assert (status(small_school, placed.placement_id), deciding.asked) == ("draft", [])
    assert publish(small_school, course, placed.placement_id, deciding, mark_of(mild))
    # Pressed twice, it is published; nothing of it can have changed since.
    assert not publish(small_school, course, placed.placement_id, deciding, mark_of(mild))


def test_another_course_s_draft_is_not_found(school: School) -> None:
    course, stranger = school.course(), school.course()
    (neighbour,) = factories.courses_beside(school.database, course, 1)
    placed = factories.placed(school.database, course, status="draft")
    for other in (stranger, neighbour):
        with pytest.raises(NotFound) as refused:
            publish(school, other, placed.placement_id)
        assert refused.value.code is ErrorCode.PLACEMENT_NOT_FOUND
    assert status(school, placed.placement_id) == "draft"


@pytest.mark.parametrize("placement_id", ["", "x" * 64, "'; DROP TABLE placements; --"])
def test_what_is_no_placement_is_not_found(small_school: School, placement_id: str) -> None:
    with pytest.raises(NotFound):
        publish(small_school, small_school.course(), placement_id)


def test_what_was_removed_is_not_found(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="removed")
    with pytest.raises(NotFound):
        publish(small_school, course, placed.placement_id)
    assert status(small_school, placed.placement_id) == "removed"
