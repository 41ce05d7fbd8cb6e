"""Tables of what connects an LMS: invitations, how its services answer, what it notifies, course groups."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by


class Invitation(Base):
    """A one-time link by which an LMS registers itself (Dynamic Registration 1.0): it lets in once."""

    __tablename__ = "invitations"
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    """To whom the deployments belong that come of it."""
    name: Mapped[str] = mapped_column(String(200))
    """How the operator calls the LMS that is expected."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    approves: Mapped[bool] = mapped_column(default=False)
    """Approves the registration and its deployment at once; else an operator does."""
    created_by: Mapped[str] = mapped_column(String(80))
    """``staff:<id>`` or ``cli``."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    """Until when one registration that is under way keeps others out."""
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    registration_id: Mapped[str | None] = owned_by(
        "registrations", ondelete="SET NULL", nullable=True, index=True
    )
    """What came of it; set from the beginning where it updates a registration that is there."""


class RefusedLaunch(Base):
    """Logins and launches refused for one reason on one day; kept for 30 days.

    ``id`` is made from registration, code and day, so that counting again is one upsert also where the
    registration is null. Anybody can send a refused launch: counted in this way, a flood of them fills no
    table. The text is of the newest.
    """

    __tablename__ = "refused_launches"
    __table_args__ = (
        UniqueConstraint("registration_id", "code", "day"),
        Index("ix_refused_launches_day", "day"),
    )
    id: Mapped[str] = key_column()
    registration_id: Mapped[str | None] = owned_by("registrations", nullable=True)
    """Null where nobody's registration was meant, or none is known."""
    code: Mapped[str] = mapped_column(String(60))
    day: Mapped[date]
    """In UTC."""
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    detail: Mapped[str] = mapped_column(String(500))
    """Of the newest, for the operator; holds no token and no name."""
    deployment: Mapped[str | None] = mapped_column(String(255))
    """The platform's id of the deployment that the newest named, where its token was signed."""


class ServiceCheck(Base):
    """How one service of one deployment (or registration) answered last, and last answered well.

    ``id`` is made from registration, deployment and service, as above.
    """

    __tablename__ = "service_checks"
    __table_args__ = (UniqueConstraint("registration_id", "deployment_id", "service"),)
    id: Mapped[str] = key_column()
    registration_id: Mapped[str] = owned_by("registrations")
    deployment_id: Mapped[str | None] = owned_by("deployments", nullable=True, index=True)
    """Null for what a registration has as a whole, its key set."""
    service: Mapped[str] = mapped_column(String(20))
    """``key_set``, ``token``, ``roster``, ``line_items``, ``results``, ``scores``, ``groups``, ``notices``,
    ``launch``."""
    succeeded_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """Since it last answered well."""
    code: Mapped[str | None] = mapped_column(String(60))
    detail: Mapped[str | None] = mapped_column(String(500))
    """Why it failed last."""
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was learnt by it: granted scopes (``token``), keys (``key_set``), seconds of skew (``launch``)."""


class Notice(Base):
    """A platform notification (Platform Notification Service 1.0): a hint that is acted on once."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("deployment_id", "id_on_platform"),)
    id: Mapped[str] = key_column()
    registration_id: Mapped[str] = owned_by("registrations", index=True)
    deployment_id: Mapped[str] = owned_by("deployments")
    id_on_platform: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(60))
    """The standard's ``type``: ``LtiContextCopyNotice``, ``LtiHelloWorldNotice``."""
    sent_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it tells, read and bounded: ids of the context and of those it was copied from."""
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(60))


class CourseGroup(Base):
    """A group of a course (Course Groups Service 1.0)."""

    __tablename__ = "course_groups"
    __table_args__ = (UniqueConstraint("context_id", "id_on_platform"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    context_id: Mapped[str] = owned_by("contexts")
    id_on_platform: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    set_name: Mapped[str | None] = mapped_column(String(255))
    read_at: Mapped[datetime]


class GroupMember(Base):
    """Who was in a group when it was read last."""

    __tablename__ = "group_members"
    __table_args__ = (UniqueConstraint("group_id", "learner_id"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    group_id: Mapped[str] = owned_by("course_groups")
    learner_id: Mapped[str] = owned_by("learners", index=True)


class PrivacyRequest(Base):
    """Somebody's data was handed out or erased: when, by whom, how much; never what."""

    __tablename__ = "privacy_requests"
    __table_args__ = (CheckConstraint("kind IN ('export', 'erase')", name="kind"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    registration_id: Mapped[str | None] = owned_by(
        "registrations", ondelete="SET NULL", nullable=True, index=True
    )
    learner_id: Mapped[str] = mapped_column(String(32))
    """Our own random key, of nobody once the person was erased; in a back-up from before it says who is to be
    erased again. No foreign key: it outlives the row."""
    kind: Mapped[str] = mapped_column(String(10))
    actor: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
