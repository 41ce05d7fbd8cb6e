"""Two organisations with a course and a badge each, and the services behind the staff pages of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lti_tool.domain.staff import StaffRole
from lti_tool.keyring import Keyring
from lti_tool.services.administering import Administering
from lti_tool.services.issuers import Issuers
from lti_tool.services.overview import Overview
from lti_tool.services.pictures import Pictures
from lti_tool.services.registration import Registrations
from lti_tool.services.staffing import StaffView
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School


class SampleQueue:
    """As long as a test says."""

    def __init__(self) -> None:
        self.waiting = 0

    def length(self) -> int:
        return self.waiting


@dataclass(frozen=True)
class Organisation:
    """One of the two, with a badge that somebody holds."""

    course: Course
    placed: Placed
    learner_id: str
    credential_id: str
    micromodule_id: str
    category_id: str

    @property
    def id(self) -> str:
        return self.course.organisation_id

    def staff(self, role: StaffRole = StaffRole.OWNER) -> StaffView:
        """Somebody of its staff."""
        return StaffView(
            session_id="session",
            organisation_id=self.id,
            organisation_name="Organisation",
            actor="staff:somebody",
            name="Somebody",
            role=role,
            registration_id=None,
            expires_at=NOW + timedelta(hours=1),
        )


class Office:
    """The services, and both organisations."""

    def __init__(self, database: Database, keys_dir: Path) -> None:
        self.database = database
        self.school = School(database, keys_dir)
        self.queue = SampleQueue()
        self.keyring = Keyring(keys_dir)
        self.registrations = Registrations(database, self.school.clock)
        self.overview = Overview(
            database, self.school.clock, self.keyring, self.school.urls, self.queue, self.school.ages
        )
        self.administering = Administering(
            database, self.school.clock, self.registrations, self.school.revoking
        )
        self.issuers = Issuers(database, self.school.clock, Pictures(database, self.school.clock))
        self.ours = self.settle("Ours")
        self.theirs = self.settle("Theirs")

    def settle(self, category: str) -> Organisation:
        """An organisation with a course, a micromodule in a category, and one holder of its badge."""
        course = self.school.course()
        placed = factories.placed(self.database, course)
        (learner_id,) = factories.enrol(self.database, course)
        factories.grade(self.database, course, placed, [learner_id], 90)
        self.school.awarding.decide_context(course.organisation_id, course.context_id)
        (award,) = self.school.rows(tables.Award, tables.Award.learner_id == learner_id)
        credential_id = self.school.issuing.issue_credential(award.id)
        assert credential_id is not None
        (version,) = self.school.rows(
            tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
        )
        with self.database.write() as session:
            row = tables.Category(organisation_id=course.organisation_id, name=category)
            session.add(row)
        return Organisation(course, placed, learner_id, credential_id, version.micromodule_id, row.id)

    def deployment(self, course: Course, status: str = "held", *, organisation_id: str | None = None) -> str:
        """A further deployment of a course's registration; its id."""
        with self.database.write() as session:
            row = tables.Deployment(
                registration_id=course.registration_id,
                id_on_platform=f"deployment {tables.new_id()}",
                organisation_id=organisation_id,
                status=status,
                first_seen_at=NOW,
            )
            session.add(row)
        return row.id

    def row(self, table: type[tables.Base], id_: str) -> Any:
        """One row, or None."""
        with self.database.read() as session:
            return session.get(table, id_)

    def actions(self, organisation: Organisation) -> list[str]:
        """What the audit log says was done, oldest first."""
        with self.database.read() as session:
            return list(
                session.scalars(
                    sa.select(tables.AuditEvent.action)
                    .where(tables.AuditEvent.organisation_id == organisation.id)
                    .order_by(tables.AuditEvent.at, tables.AuditEvent.id)
                )
            )
