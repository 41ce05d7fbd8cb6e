"""Tables of what badges are put together from: pictures, skills of imported frameworks, endorsements."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.model import Base, key_column, owned_by


class Picture(Base):
    """An uploaded picture, checked and drawn anew: what is kept is never the file that somebody sent."""

    __tablename__ = "pictures"
    __table_args__ = (UniqueConstraint("organisation_id", "digest"),)
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of ``svg``: the same picture is kept once."""
    svg: Mapped[str] = mapped_column(Text)
    """A square drawing; where pixels were sent, they stand in it as one PNG image."""
    png: Mapped[bytes] = mapped_column(LargeBinary)
    uploaded_by: Mapped[str] = mapped_column(String(80))
    """``staff:<id>`` or ``learner:<id>``."""
    created_at: Mapped[datetime]


class Framework(Base):
    """A skills framework as imported from a file: ESCO, or a CASE package."""

    __tablename__ = "frameworks"
    __table_args__ = (
        UniqueConstraint("organisation_id", "url"),
        CheckConstraint("kind IN ('esco', 'case')", name="kind"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations")
    kind: Mapped[str] = mapped_column(String(10))
    url: Mapped[str] = mapped_column(String(500))
    """What names the framework, e.g. the CFDocument's URI; importing it again renews it."""
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[str | None] = mapped_column(String(60))
    language: Mapped[str | None] = mapped_column(String(35))
    items: Mapped[int] = mapped_column(default=0)
    imported_by: Mapped[str] = mapped_column(String(80))
    imported_at: Mapped[datetime]


class FrameworkItem(Base):
    """A skill or competency of a framework, to be picked as an alignment."""

    __tablename__ = "framework_items"
    __table_args__ = (Index("ix_framework_items_framework_id", "framework_id", "name"),)
    id: Mapped[str] = key_column()
    """The beginning of the SHA-256 of framework and URL, so that an import can be repeated."""
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    framework_id: Mapped[str] = owned_by("frameworks")
    url: Mapped[str] = mapped_column(String(2000))
    code: Mapped[str | None] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    target_type: Mapped[str] = mapped_column(String(60))
    """As Open Badges calls it: ``CFItem`` or ``ceasn:Competency``."""
    words: Mapped[str] = mapped_column(Text)
    """Name, code and other names, case folded: what a search looks into."""


class Endorsement(Base):
    """What another issuer says of an achievement version or of an issuer (Open Badges 3.0
    EndorsementCredential); it is shown, and signed along, once the endorsed organisation accepted it."""

    __tablename__ = "endorsements"
    __table_args__ = (
        UniqueConstraint("status_list_id", "status_index"),
        CheckConstraint(
            "(achievement_version_id IS NULL) <> (endorsed_issuer_id IS NULL)", name="endorses_one_thing"
        ),
        CheckConstraint("status IN ('offered', 'accepted', 'refused', 'withdrawn')", name="status"),
    )
    id: Mapped[str] = key_column()
    organisation_id: Mapped[str] = owned_by("organisations", index=True)
    """Who is endorsed."""
    achievement_version_id: Mapped[str | None] = owned_by("achievement_versions", nullable=True, index=True)
    endorsed_issuer_id: Mapped[str | None] = owned_by("issuers", nullable=True, index=True)
    endorser_id: Mapped[str | None] = owned_by("issuers", ondelete="RESTRICT", nullable=True, index=True)
    """An issuer of this installation; null where the endorsement was imported."""
    endorser_name: Mapped[str] = mapped_column(String(200))
    endorser_url: Mapped[str] = mapped_column(String(2000))
    """The endorser's ``issuer.id``."""
    comment: Mapped[str] = mapped_column(Text)
    document: Mapped[str | None] = mapped_column(Text)
    """The signed EndorsementCredential; null between allocating its place and signing."""
    status: Mapped[str] = mapped_column(String(10))
    status_list_id: Mapped[str | None] = owned_by("status_lists", ondelete="RESTRICT", nullable=True)
    status_index: Mapped[int | None]
    """In a list of the endorser; never a place that a credential has."""
    offered_by: Mapped[str] = mapped_column(String(80))
    offered_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
