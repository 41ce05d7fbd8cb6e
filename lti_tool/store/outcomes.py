"""Tables of what evidence came to: decisions with their reasons, completions, awards, and what was signed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by


class Decision(Base):
    """A decision with its reasons and the evidence it rests on; a new row only when either changed."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_latest", "placement_id", "learner_id", "decided_at"),
        # Counting how far a course is reads nothing else: a decision's row is a kilobyte of reasons.
        # The last two say nothing new, but SQLite reads the row for what its index does not hold.
        Index(
            "ix_decisions_standing",
            "placement_id",
            "verdict",
            "state",
            "learner_id",
            "organisation_id",
            "is_latest",
            sqlite_where=text("is_latest IS 1"),
            postgresql_where=text("is_latest IS TRUE"),
        ),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    placement_id: Mapped[str] = owned_by("placements")
    micromodule_version_id: Mapped[str] = owned_by("micromodule_versions", ondelete="RESTRICT")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    verdict: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    leaf_states: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """A letter for each leaf of the criteria in the order of the tree: M met, N not met, U not known yet."""
    finding: Mapped[dict[str, Any]]
    evidence: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over verdict, state, finding and evidence values: equal means nothing new was learnt."""
    decided_at: Mapped[datetime]
    is_latest: Mapped[bool] = mapped_column(default=True)


class Completion(Base):
    """A learner met a micromodule version's criteria; recorded whether or not it issues a badge."""

    __tablename__ = "completions"
    __table_args__ = (
        UniqueConstraint("micromodule_version_id", "learner_id"),
        Index("ix_completions_recorded_at", "organisation_id", "recorded_at"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    micromodule_version_id: Mapped[str] = owned_by("micromodule_versions", ondelete="RESTRICT")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    context_id: Mapped[str | None] = owned_by("contexts", ondelete="SET NULL", nullable=True)
    decision_id: Mapped[str | None] = owned_by("decisions", ondelete="SET NULL", nullable=True)
    met_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class Award(Base):
    """Our decision that a learner has an achievement version."""

    __tablename__ = "awards"
    __table_args__ = (
        UniqueConstraint("achievement_version_id", "learner_id"),
        Index("ix_awards_awarded_at", "organisation_id", "awarded_at"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    achievement_version_id: Mapped[str] = owned_by("achievement_versions", ondelete="RESTRICT")
    learner_id: Mapped[str] = owned_by("learners", index=True)
    context_id: Mapped[str | None] = owned_by("contexts", ondelete="SET NULL", nullable=True)
    decision_id: Mapped[str | None] = owned_by("decisions", ondelete="SET NULL", nullable=True)
    met_at: Mapped[datetime]
    awarded_at: Mapped[datetime]


class StatusList(Base):
    """A Bitstring Status List of one issuer; the set bits are the revoked credentials of it."""

    __tablename__ = "status_lists"
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    issuer_id: Mapped[str] = owned_by("issuers", index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    size: Mapped[int]
    entries: Mapped[int] = mapped_column(default=0)
    """How many places were given, to credentials and endorsements; counting them each time would take longer
    the fuller a list is."""
    is_open: Mapped[bool] = mapped_column(default=True)
    """Takes further entries; closed at half full, so that a random index is found at once."""
    document: Mapped[str | None] = mapped_column(Text)
    """The signed list as last published; null before the first signature."""
    is_pending: Mapped[bool] = mapped_column(default=False)
    """A change waits for its signature; what is served meanwhile, if it cannot be signed, is ``document``."""
    fresh_until: Mapped[datetime | None]
    """When it is signed again even without a change: the signed text ends its validity some days later, so
    that nobody can go on showing a list from before a revocation."""
    changed_at: Mapped[datetime]


class Credential(Base):
    """The signed thing."""

    __tablename__ = "credentials"
    __table_args__ = (
        UniqueConstraint("award_id"),
        UniqueConstraint("status_list_id", "status_index"),
        Index(
            "ix_credentials_valid_until",
            "organisation_id",
            "valid_until",
            sqlite_where=text("valid_until IS NOT NULL"),
            postgresql_where=text("valid_until IS NOT NULL"),
        ),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    award_id: Mapped[str | None] = owned_by("awards", nullable=True)
    """Null once its learner was erased: then the row only says that its place in the list is taken, and
    revoked."""
    issuer_id: Mapped[str] = owned_by("issuers", ondelete="RESTRICT", index=True)
    status_list_id: Mapped[str] = owned_by("status_lists", ondelete="RESTRICT")
    status_index: Mapped[int]
    document: Mapped[str | None] = mapped_column(Text)
    """The signed JSON text, byte for byte as served; null between allocating the index and signing."""
    issued_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revocation_reason: Mapped[str | None] = mapped_column(String(500))
    suspended_at: Mapped[datetime | None]
    """Since when it is paused; only where the achievement version's purpose is suspension."""
    suspension_reason: Mapped[str | None] = mapped_column(String(500))
    valid_until: Mapped[datetime | None]
    """As signed."""
    reissued_at: Mapped[datetime | None]
    """When it was signed anew under the same id and status index, with this as ``validFrom``."""
    is_public: Mapped[bool] = mapped_column(default=False)
    """The learner shared it; nothing about a learner is public unless the learner said so."""
    shared_at: Mapped[datetime | None]
