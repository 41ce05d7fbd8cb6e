"""Tables of what goes on beyond one course: people, milestones, and what happens after an award."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by


class Person(Base):
    """Learners of several registrations whom one person joined by a step of their own in each of them."""

    __tablename__ = "persons"
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    created_at: Mapped[datetime]


class PersonCode(Base):
    """A code that a learner takes from one LMS to another to show that they are the same person."""

    __tablename__ = "person_codes"
    __table_args__ = (UniqueConstraint("code_hash"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    learner_id: Mapped[str] = owned_by("learners", index=True)
    """Who asked for it."""
    code_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[str | None] = owned_by("learners", ondelete="SET NULL", nullable=True)


class CategoryChange(Base):
    """Which micromodule came into a category, or left it, and when."""

    __tablename__ = "category_changes"
    __table_args__ = (
        CheckConstraint("action IN ('added', 'removed')", name="action"),
        Index("ix_category_changes_category_id", "category_id", "at"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    category_id: Mapped[str] = owned_by("categories")
    micromodule_id: Mapped[str] = owned_by("micromodules", index=True)
    action: Mapped[str] = mapped_column(String(10))
    actor: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]


class Milestone(Base):
    """An achievement over the completions of one organisation."""

    __tablename__ = "milestones"
    __table_args__ = (
        UniqueConstraint("achievement_id"),
        CheckConstraint("kind IN ('explorer', 'learner', 'own')", name="kind"),
        CheckConstraint("status IN ('draft', 'active', 'retired')", name="status"),
        CheckConstraint("addition_policy IN ('keep', 'next_version')", name="addition_policy"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    achievement_id: Mapped[str] = owned_by("achievements")
    kind: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10))
    category_id: Mapped[str | None] = owned_by("categories", ondelete="RESTRICT", nullable=True, index=True)
    """Of the kind ``learner``: the category that has to be completed whole."""
    addition_policy: Mapped[str] = mapped_column(String(20), default="keep")
    """What a micromodule that joins the category later means for those who have the badge: ``keep`` it, or it
    is needed at the milestone's ``next_version``."""
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class MilestoneVersion(Base):
    """One published set of a milestone's criteria, bound to one achievement version."""

    __tablename__ = "milestone_versions"
    __table_args__ = (UniqueConstraint("milestone_id", "number"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    milestone_id: Mapped[str] = owned_by("milestones")
    number: Mapped[int]
    criteria: Mapped[dict[str, Any]]
    achievement_version_id: Mapped[str] = owned_by("achievement_versions", ondelete="RESTRICT", index=True)
    created_at: Mapped[datetime]
    changes: Mapped[int] = mapped_column(default=0)
    """Counted up, under the lock, by whatever else than a completion or an award can make a decision due: a
    category got another content, people were joined."""
    settled_changes: Mapped[int | None]
    """``changes`` as everybody was decided about last; null where that never was."""
    settled_at: Mapped[datetime | None]
    """When that began: only what came since, with some overlap, is looked at for what is owed."""


class MilestoneDecision(Base):
    """A decision about a milestone with its reasons and the completions it rests on."""

    __tablename__ = "milestone_decisions"
    __table_args__ = (
        Index(
            "uq_milestone_decisions_latest",
            "milestone_version_id",
            "learner_id",
            unique=True,
            sqlite_where=text("is_latest IS 1"),
            postgresql_where=text("is_latest IS TRUE"),
        ),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    milestone_version_id: Mapped[str] = owned_by("milestone_versions", ondelete="RESTRICT")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    verdict: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    finding: Mapped[dict[str, Any]]
    evidence: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    facts_seen: Mapped[int] = mapped_column(default=0)
    """How many of the learner's completions were there to be seen, and of their awards those that are asked
    for: where there are more by now, it is owed anew."""
    decided_at: Mapped[datetime]
    is_latest: Mapped[bool] = mapped_column(default=True)


class Review(Base):
    """Facts changed after an award: a person looks at them and decides. Nothing is taken back by itself."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index(
            "uq_reviews_open",
            "award_id",
            unique=True,
            sqlite_where=text("status IN ('open', 'asked')"),
            postgresql_where=text("status IN ('open', 'asked')"),
        ),
        Index("ix_reviews_context_id", "context_id", "status", "opened_at"),
        Index(
            "ix_reviews_takes_effect_at",
            "takes_effect_at",
            sqlite_where=text("status = 'revoked' AND carried_out_at IS NULL"),
            postgresql_where=text("status = 'revoked' AND carried_out_at IS NULL"),
        ),
        CheckConstraint("cause IN ('facts', 'left', 'reset', 'gate')", name="cause"),
        CheckConstraint("status IN ('open', 'asked', 'kept', 'revoked', 'settled')", name="status"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    context_id: Mapped[str] = owned_by("contexts")
    placement_id: Mapped[str] = owned_by("placements", index=True)
    award_id: Mapped[str] = owned_by("awards", index=True)
    learner_id: Mapped[str] = owned_by("learners", index=True)
    cause: Mapped[str] = mapped_column(String(10))
    """facts: a grade or another fact is worse than at the award; left: no longer in the course; reset: the
    course was emptied; gate: a gate lets everybody through since."""
    decision_then_id: Mapped[str | None] = owned_by("decisions", ondelete="SET NULL", nullable=True)
    decision_now_id: Mapped[str | None] = owned_by("decisions", ondelete="SET NULL", nullable=True)
    digest: Mapped[str] = mapped_column(String(64))
    """Of the facts that it is about: what was kept once is not opened again for the same ones."""
    status: Mapped[str] = mapped_column(String(10))
    """open; asked: the learner was asked to say something; kept, revoked: decided; settled: the facts are as
    they were again, before anybody decided."""
    opened_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    question: Mapped[str | None] = mapped_column(String(2000))
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(String(2000))
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(500))
    takes_effect_at: Mapped[datetime | None]
    """When a revocation is carried out; it can be undone until then."""
    carried_out_at: Mapped[datetime | None]
    """When the credential was revoked; nothing is undone from then on."""
    spared_at: Mapped[datetime | None]
    """When it was not revoked though that was decided: what had been decided about was gone by then, or, of
    one that waits, could not be told any more."""


class VersionDraft(Base):
    """A change of a published micromodule that somebody prepares: its next version, or its first badge."""

    __tablename__ = "version_drafts"
    __table_args__ = (
        UniqueConstraint("micromodule_id", "kind"),
        CheckConstraint("kind IN ('version', 'correction', 'badge')", name="kind"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    micromodule_id: Mapped[str] = owned_by("micromodules")
    based_on_id: Mapped[str] = owned_by("micromodule_versions")
    """The version that it changes: one that was published meanwhile is not written over."""
    kind: Mapped[str] = mapped_column(String(10))
    context_id: Mapped[str | None] = owned_by("contexts", ondelete="SET NULL", nullable=True)
    """The course it is prepared in; null on the staff pages."""
    content: Mapped[dict[str, Any]]
    """The fields of the form, what holders are told, and what happens to what they have."""
    updated_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime]


class Renewal(Base):
    """A badge that would have ended was earned again: it goes on under the same id."""

    __tablename__ = "renewals"
    __table_args__ = (
        UniqueConstraint("award_id", "number"),
        Index(
            "ix_renewals_owed",
            "renewed_at",
            sqlite_where=text("signed_at IS NULL"),
            postgresql_where=text("signed_at IS NULL"),
        ),
        Index("ix_renewals_signed_at", "organisation_id", "signed_at"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    award_id: Mapped[str] = owned_by("awards")
    number: Mapped[int]
    decision_id: Mapped[str | None] = owned_by("decisions", ondelete="SET NULL", nullable=True)
    finding: Mapped[dict[str, Any]]
    evidence: Mapped[dict[str, Any]]
    """Why it was renewed: only what happened within the window counts."""
    met_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    valid_until: Mapped[datetime]
    """The new end."""
    signed_at: Mapped[datetime | None]
    """When the badge was signed anew with it; null while that is owed."""


class AchievementCare(Base):
    """Who answers for a badge's being up to date, and when somebody looks at it again: of a micromodule, also
    one that issues no badge yet, or of a milestone. No row as long as nobody said anything."""

    __tablename__ = "achievement_care"
    __table_args__ = (
        UniqueConstraint("micromodule_id"),
        UniqueConstraint("milestone_id"),
        CheckConstraint("(micromodule_id IS NULL) <> (milestone_id IS NULL)", name="of_one"),
        CheckConstraint("review_every_months > 0", name="review_every_months"),
        Index("ix_achievement_care_review_on", "organisation_id", "review_on"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    micromodule_id: Mapped[str | None] = owned_by("micromodules", nullable=True)
    milestone_id: Mapped[str | None] = owned_by("milestones", nullable=True)
    answerable_id: Mapped[str | None] = owned_by(
        "staff_members", ondelete="SET NULL", nullable=True, index=True
    )
    """Of the organisation's staff. One who is disabled answers for nothing."""
    contact: Mapped[str] = mapped_column(String(200), default="")
    """Who answers without an account here: a name, an address, an office."""
    review_every_months: Mapped[int | None]
    review_on: Mapped[date | None]
    """The last day, in UTC, on which the next review is in time."""
    reviewed_at: Mapped[datetime | None]
    """When somebody said last that it is still right, or published its next version."""
    reviewed_by: Mapped[str | None] = mapped_column(String(80))
    """Actor, as in the audit log."""
    note: Mapped[str] = mapped_column(String(500), default="")
    """What they found."""
    revision: Mapped[int] = mapped_column(default=0)
    """Counts the changes: nobody writes over one that they did not see."""


class StepNeed(Base):
    """A step of a pathway asks for another by name, in its newest criteria."""

    __tablename__ = "step_needs"
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    step: Mapped[str] = mapped_column(String(32), primary_key=True)
    """A micromodule's id, or that of a milestone's achievement; so is the other."""
    needs: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
