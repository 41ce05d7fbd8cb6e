"""Courses of one organisation with a micromodule each, and milestones over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lti_tool.errors import RequestInvalid
from lti_tool.services.administering import Administering
from lti_tool.services.awarding import Awarding
from lti_tool.services.form_problems import Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestones import Milestones
from lti_tool.services.registration import Registrations
from lti_tool.services.staffing import Operator
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School

EXPLORER = MilestoneForm(name="Explorer", count="2")


def plain(criterion: Any, _language: str = "") -> str:
    """Criteria in words, without a request."""
    return str(type(criterion).__name__)


def problems_of(refused: RequestInvalid) -> tuple[Problem, ...]:
    """What was wrong with a form."""
    found = refused.params["problems"]
    assert isinstance(found, tuple)
    return found


def office(school: School) -> Administering:
    """What staff do on their pages."""
    registrations = Registrations(school.database, school.clock)
    return Administering(school.database, school.clock, registrations, school.revoking)


class Campus:
    """Courses of one organisation, each with a micromodule, and its milestones."""

    def __init__(self, school: School, courses: int = 3) -> None:
        self.school = school
        first = school.course()
        self.courses = [first, *factories.courses_beside(school.database, first, courses - 1)]
        self.placed = [factories.placed(school.database, course) for course in self.courses]
        self.staff = Operator(first.organisation_id)
        self.milestones = Milestones(school.database, school.clock, school.issuing, school.hints)
        self.awarding = Awarding(school.database, school.clock, self.milestones.decide)

    @property
    def organisation_id(self) -> str:
        return self.courses[0].organisation_id

    def learner(self, *, course: int = 0) -> str:
        (learner_id,) = factories.enrol(self.school.database, self.courses[course])
        for other in self.courses[:course] + self.courses[course + 1 :]:
            self.school_join(other, learner_id)
        return learner_id

    def school_join(self, course: Course, learner_id: str) -> None:
        with self.school.database.write() as session:
            session.add(
                tables.Membership(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    learner_id=learner_id,
                    is_learner=True,
                    learner_proof="launch",
                    seen_at=NOW,
                )
            )

    def complete(self, learner_id: str, number: int, at: datetime = NOW) -> tuple[str, ...]:
        """The learner gets the grade, and is decided about; ids of the new awards."""
        course, placed = self.courses[number], self.placed[number]
        factories.grade(self.school.database, course, placed, [learner_id], 90, at)
        return self.awarding.decide_learner(course.organisation_id, course.context_id, learner_id).award_ids

    def active(self, form: MilestoneForm = EXPLORER) -> str:
        milestone_id = self.milestones.create(self.staff, form, plain, "en")
        self.activate(milestone_id)
        return milestone_id

    def activate(self, milestone_id: str) -> None:
        """As somebody does who has just looked at it."""
        seen = self.milestones.one(self.staff, milestone_id).mark
        self.milestones.activate(self.staff, milestone_id, plain, seen=seen)

    def micromodule(self, number: int) -> str:
        with self.school.database.read() as session:
            found = session.scalar(
                sa.select(tables.MicromoduleVersion.micromodule_id).where(
                    tables.MicromoduleVersion.id == self.placed[number].micromodule_version_id
                )
            )
        assert found is not None
        return found

    def category(self, *numbers: int) -> str:
        with self.school.database.write() as session:
            row = tables.Category(organisation_id=self.organisation_id, name=f"Data {numbers}")
            session.add(row)
            session.flush()
            for number in numbers:
                self.put(session, row.id, number)
            return row.id

    def put(self, session: Any, category_id: str, number: int) -> None:
        session.add(
            tables.MicromoduleCategory(
                micromodule_id=self.micromodule(number),
                category_id=category_id,
                organisation_id=self.organisation_id,
            )
        )

    def awards(self) -> Sequence[Any]:
        """Awards of milestones."""
        return self.school.rows(tables.Award, tables.Award.context_id.is_(None))

    def decision(self, learner_id: str) -> Any:
        (row,) = self.school.rows(
            tables.MilestoneDecision,
            tables.MilestoneDecision.learner_id == learner_id,
            tables.MilestoneDecision.is_latest.is_(True),
        )
        return row
