"""Tables of the tool's own workings: who is signed in, what is under way, what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by

STAFF_ROLES = "('owner', 'editor', 'reviewer', 'reader')"


class LaunchSession(Base):
    """One launch's session, bound to registration, user and context; of its token a keyed hash is kept."""

    __tablename__ = "launch_sessions"
    id: Mapped[str] = key_column()
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    registration_id: Mapped[str] = owned_by("registrations")
    deployment_id: Mapped[str] = owned_by("deployments")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    context_id: Mapped[str | None] = owned_by("contexts", nullable=True)
    resource_link_id: Mapped[str | None] = owned_by("resource_links", nullable=True)
    can_view_progress: Mapped[bool]
    can_configure: Mapped[bool]
    is_learner: Mapped[bool]
    is_read_only: Mapped[bool] = mapped_column(default=False)
    """A masquerader, or a student view."""
    is_administrator: Mapped[bool] = mapped_column(default=False)
    """The launch carried an administrator's role in the institution or the system."""
    is_cookie_bound: Mapped[bool] = mapped_column(default=True)
    purpose: Mapped[str] = mapped_column(String(10), default="link")
    """What its message was for: ``link``, ``choosing`` (deep linking), ``review`` of one learner's work,
    ``privacy`` of one person."""
    subject_id: Mapped[str | None] = owned_by("learners", nullable=True, index=True)
    """Whom a review or a privacy launch is about (``for_user``)."""
    placement_id: Mapped[str | None] = owned_by("placements", nullable=True, index=True)
    """Whose column a review is about, where its message names a column and no link."""
    locale: Mapped[str | None] = mapped_column(String(35))
    return_url: Mapped[str | None] = mapped_column(String(2000))
    frame_origins: Mapped[list[Any]] = mapped_column(default=list)
    deep_linking: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Draft(Base):
    """A half-filled micromodule form: cancelling, or an LMS that refuses, loses nothing."""

    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("context_id", "learner_id"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    context_id: Mapped[str] = owned_by("contexts")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    form: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class Nonce(Base):
    """A nonce that was used; kept for longer than any token that carries it can live."""

    __tablename__ = "nonces"
    value_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class StaffMember(Base):
    """Somebody who may open an organisation's staff pages by a sign-in link."""

    __tablename__ = "staff_members"
    __table_args__ = (CheckConstraint(f"role IN {STAFF_ROLES}", name="role"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(10))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    last_signed_in_at: Mapped[datetime | None]


class StaffLink(Base):
    """A sign-in link: works once, for minutes; of its token a keyed hash is kept."""

    __tablename__ = "staff_links"
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    staff_member_id: Mapped[str] = owned_by("staff_members", index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class StaffSession(Base):
    """A session on the staff pages, of a member or of an LMS's administrator; the role is read each time."""

    __tablename__ = "staff_sessions"
    __table_args__ = (
        CheckConstraint("(staff_member_id IS NULL) <> (learner_id IS NULL)", name="one_person"),
        CheckConstraint(
            "learner_id IS NULL OR (registration_id IS NOT NULL AND deployment_id IS NOT NULL)",
            name="administrator_of",
        ),
    )
    id: Mapped[str] = key_column()
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    staff_member_id: Mapped[str | None] = owned_by("staff_members", nullable=True, index=True)
    learner_id: Mapped[str | None] = owned_by("learners", nullable=True, index=True)
    registration_id: Mapped[str | None] = owned_by("registrations", nullable=True)
    deployment_id: Mapped[str | None] = owned_by("deployments", nullable=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class CallBudget(Base):
    """How many calls a platform may still be sent at ``counted_at``; every process draws on it."""

    __tablename__ = "call_budgets"
    registration_id: Mapped[str] = mapped_column(
        ForeignKey("registrations.id", ondelete="CASCADE"), primary_key=True
    )
    token_url: Mapped[str] = mapped_column(String(2000), primary_key=True)
    """Where the institution's tokens come from: of those that share a registration, each has a budget."""
    calls_left: Mapped[float]
    """Of the schedule; negative where a long read took more than there was."""
    visit_calls_left: Mapped[float]
    """Of visits, which the schedule cannot use up."""
    pace: Mapped[float]
    """Share of its rate at which the platform is asked: 1, halved whenever it is too busy."""
    counted_at: Mapped[datetime]
    """Of these counts; ahead of now while the platform wants to be left alone."""


OPEN_RUN = "status IN ('waiting', 'running')"


class Run(Base):
    """Long work that people watch: progress, counts, errors, and the place to resume."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'running', 'done', 'failed')", name="status"),
        Index("ix_runs_context", "context_id", "created_at"),
        # At most one open run of a kind per context: asking again while one waits or works joins it.
        Index(
            "uq_runs_open",
            "context_id",
            "kind",
            unique=True,
            sqlite_where=text(OPEN_RUN),
            postgresql_where=text(OPEN_RUN),
        ),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    kind: Mapped[str] = mapped_column(String(20))
    context_id: Mapped[str | None] = owned_by("contexts", nullable=True)
    status: Mapped[str] = mapped_column(String(10))
    step: Mapped[str] = mapped_column(String(40), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    task: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it is about, where the context does not say it, and the place to resume."""
    error_code: Mapped[str | None] = mapped_column(String(60))
    paused_at: Mapped[datetime | None]
    """Since when it rests because somebody said so; it stays open and is offered to nobody."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Lease(Base):
    """Who may run the reconcile pass (and other once-at-a-time work) until when."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class AuditEvent(Base):
    """Who did what to which thing: ids, never names."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_newest", "organisation_id", "at", "id"),
        Index("ix_audit_events_subject", "subject_kind", "subject_id"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str | None] = owned_by("organisations", nullable=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    """``learner:<id>``, ``staff:<id>``, ``cli``, ``job`` or ``rule``."""
    action: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
