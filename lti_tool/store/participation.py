"""Tables of what no gradebook says: gates and who passed them, what people attest, what learners hand in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by


class Gate(Base):
    """A resource link that the LMS shows to those alone who did an activity; its roster says who they are."""

    __tablename__ = "gates"
    __table_args__ = (
        UniqueConstraint("placement_id", "evidence_key"),
        UniqueConstraint("context_id", "link_key"),
        CheckConstraint("state IN ('waiting', 'open', 'confirmed', 'doubted')", name="state"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    context_id: Mapped[str] = owned_by("contexts")
    placement_id: Mapped[str] = owned_by("placements")
    evidence_key: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(255))
    link_key: Mapped[str] = mapped_column(String(64), index=True)
    """The opaque ``badge_link_key`` of the gate's own link; never that of the badge."""
    resource_link_id: Mapped[str | None] = owned_by(
        "resource_links", ondelete="SET NULL", nullable=True, index=True
    )
    """Null until an instructor launched the link: which link of the platform it is."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """waiting: never launched by staff; open: launched, not confirmed; confirmed: an instructor saw who
    passes and said that this is right; doubted: since then it suddenly let everybody through."""
    allows_everybody: Mapped[bool] = mapped_column(default=False)
    """The instructor confirmed that everybody passing is right."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by_id: Mapped[str | None] = owned_by("learners", ondelete="SET NULL", nullable=True)
    read_at: Mapped[datetime | None]
    is_complete: Mapped[bool] = mapped_column(default=False)
    """The last read saw every page: who was not listed does not pass."""
    trouble: Mapped[str | None] = mapped_column(String(60))
    """Error code of the last read that failed or was cut off; null after a good one."""
    listed: Mapped[int] = mapped_column(default=0)
    """Learners whom the last complete read listed."""
    learners: Mapped[int] = mapped_column(default=0)
    """Of how many in the course."""
    newly: Mapped[int] = mapped_column(default=0)
    """How many of those listed the complete read before had not listed."""


class GatePass(Base):
    """Whether a learner passes a gate, as last seen."""

    __tablename__ = "gate_passes"
    __table_args__ = (
        UniqueConstraint("gate_id", "learner_id"),
        CheckConstraint("source IN ('roster', 'launch')", name="source"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    gate_id: Mapped[str] = owned_by("gates")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    is_passed: Mapped[bool]
    since: Mapped[datetime | None]
    """When it was first seen to be so."""
    read_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(10))


class Attestation(Base):
    """An instructor's word that a learner did something; taken back, it stays with ``is_attested`` false."""

    __tablename__ = "attestations"
    __table_args__ = (UniqueConstraint("placement_id", "evidence_key", "learner_id"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    placement_id: Mapped[str] = owned_by("placements")
    evidence_key: Mapped[str] = mapped_column(String(64))
    learner_id: Mapped[str] = owned_by("learners", index=True)
    is_attested: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(500), default="")
    by_learner_id: Mapped[str | None] = owned_by("learners", ondelete="SET NULL", nullable=True, index=True)
    """Who said so: staff are known by the same rows as learners."""
    at: Mapped[datetime]


class Submission(Base):
    """What a learner handed in for a criterion, and what became of it; handing in again adds a row."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("placement_id", "evidence_key", "learner_id", "number"),
        CheckConstraint("state IN ('submitted', 'accepted', 'returned', 'withdrawn')", name="state"),
        Index(
            "uq_submissions_latest",
            "placement_id",
            "evidence_key",
            "learner_id",
            unique=True,
            sqlite_where=text("is_latest IS 1"),
            postgresql_where=text("is_latest IS TRUE"),
        ),
        # What waits for a person's judgement, longest first.
        Index("ix_submissions_waiting", "placement_id", "state", "submitted_at"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    context_id: Mapped[str] = owned_by("contexts", index=True)
    placement_id: Mapped[str] = owned_by("placements")
    evidence_key: Mapped[str] = mapped_column(String(64))
    learner_id: Mapped[str] = owned_by("learners", index=True)
    number: Mapped[int]
    """Counted from 1."""
    state: Mapped[str] = mapped_column(String(10), default="submitted")
    text: Mapped[str] = mapped_column(Text, default="")
    url: Mapped[str] = mapped_column(String(2000), default="")
    submitted_at: Mapped[datetime]
    judged_at: Mapped[datetime | None]
    judged_by_id: Mapped[str | None] = owned_by("learners", ondelete="SET NULL", nullable=True, index=True)
    comment: Mapped[str] = mapped_column(String(2000), default="")
    checklist: Mapped[list[Any]] = mapped_column(default=list)
    """The items that were ticked, as texts."""
    is_latest: Mapped[bool] = mapped_column(default=True)


class SubmissionFile(Base):
    """A file of a submission: in the database, so that several machines see it and it goes with its row."""

    __tablename__ = "submission_files"
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    submission_id: Mapped[str] = owned_by("submissions", index=True)
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    """Bytes."""
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """Loaded when it is asked for: a list of submissions needs names and sizes only."""
