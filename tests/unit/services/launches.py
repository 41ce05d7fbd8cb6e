"""Launches that passed every check, from a course whose rows a test may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.identity import (
    CourseContext,
    Launch,
    LinkOnPlatform,
    PlatformUser,
)
from lti_tool.domain.roles import rights_of
from lti_tool.errors import LaunchRefused
from lti_tool.services.launching import AcceptedLaunch, Launching
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import Course, Placed
from tests.unit.lti.tokens import LEARNER, NOW, Clock


class World:
    """A course on the platform, and launches from it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.launching = Launching(database, self.clock, b"secret")
        self.course: Course = factories.course(database, NOW - timedelta(days=1))
        self._nonces = 0

    def launch(
        self,
        course: Course | None = None,
        *,
        roles: Sequence[str] = (LEARNER,),
        sub: str = "5",
        **changes: Any,
    ) -> Launch:
        """A launch that passed every check but the last."""
        course = course or self.course
        self._nonces += 1
        with self.database.read() as session:
            registration = session.get_one(tables.Registration, course.registration_id)
            deployment = session.get_one(tables.Deployment, course.deployment_id)
            context = session.get_one(tables.Context, course.context_id)
        launch = Launch(
            registration_id=course.registration_id,
            issuer=registration.issuer,
            client_id=registration.client_id,
            product=registration.product,
            deployment_id=deployment.id_on_platform,
            message_type="LtiResourceLinkRequest",
            user=PlatformUser(sub=sub, name=f"Stu {sub}", email=f"s{sub}@example.test"),
            rights=rights_of(roles),
            roles=tuple(roles),
            nonce=f"nonce-{self._nonces}",
            issued_at=self.clock(),
            expires_at=self.clock() + timedelta(seconds=60),
            target_link_uri="https://badges.example/lti/launch",
            context=CourseContext(context.id_on_platform, context.label, context.title),
            link=LinkOnPlatform("link-1", "Badge"),
            course_module_id="6",
            frame_origins=("https://lms.example",),
            locale="de",
        )
        return replace(launch, **changes)

    def accept(self, course: Course | None = None, **changes: Any) -> AcceptedLaunch:
        return self.launching.accept_launch(self.launch(course, **changes))

    def refused(self, launch: Launch) -> LaunchRefused:
        with pytest.raises(LaunchRefused) as refused:
            self.launching.accept_launch(launch)
        assert 400 <= refused.value.status < 500
        return refused.value

    def rows(self, table: type[tables.Base], **by: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(table).filter_by(**by)))

    def row(self, table: type[tables.Base], **by: Any) -> Any:
        (only,) = self.rows(table, **by)
        return only

    def share_registration(self, deployment_id: str) -> str:
        """Give another organisation a deployment of the course's registration; the organisation's id."""
        with self.database.write() as session:
            organisation_id, _ = factories.organisation(session)
            session.add(
                tables.Deployment(
                    registration_id=self.course.registration_id,
                    id_on_platform=deployment_id,
                    organisation_id=organisation_id,
                    status="approved",
                    first_seen_at=NOW,
                )
            )
        return organisation_id

    def change(self, table: type[tables.Base], **values: Any) -> None:
        with self.database.write() as session:
            session.execute(sa.update(table).values(**values))


def keyed(placed: Placed) -> dict[str, Any]:
    return {"custom": {"badge_link_key": placed.badge_link_key, "badge_link_role": "badge"}}
