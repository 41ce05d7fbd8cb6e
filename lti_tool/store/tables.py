"""Every table, with the standards' names (glossary: ``docs/reference/glossary.md``).

Our key is ``id`` (random, so it may stand in a URL), theirs ``id_on_platform``. Every row that an
organisation owns carries ``organisation_id``, and each query over such rows takes it as a required
argument. There are no relationships: a query says what it joins, and nothing loads by surprise.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lti_tool.store.badge_parts import Endorsement as Endorsement
from lti_tool.store.badge_parts import Framework as Framework
from lti_tool.store.badge_parts import FrameworkItem as FrameworkItem
from lti_tool.store.badge_parts import Picture as Picture
from lti_tool.store.connections import CourseGroup as CourseGroup
from lti_tool.store.connections import GroupMember as GroupMember
from lti_tool.store.connections import Invitation as Invitation
from lti_tool.store.connections import Notice as Notice
from lti_tool.store.connections import PrivacyRequest as PrivacyRequest
from lti_tool.store.connections import RefusedLaunch as RefusedLaunch
from lti_tool.store.connections import ServiceCheck as ServiceCheck
from lti_tool.store.model import NAMING as NAMING
from lti_tool.store.model import Base as Base
from lti_tool.store.model import ExactDecimal as ExactDecimal
from lti_tool.store.model import UtcDateTime as UtcDateTime
from lti_tool.store.model import key_column as _key
from lti_tool.store.model import new_id as new_id
from lti_tool.store.model import owned_by as _of
from lti_tool.store.outcomes import Award as Award
from lti_tool.store.outcomes import Completion as Completion
from lti_tool.store.outcomes import Credential as Credential
from lti_tool.store.outcomes import Decision as Decision
from lti_tool.store.outcomes import StatusList as StatusList
from lti_tool.store.participation import Attestation as Attestation
from lti_tool.store.participation import Gate as Gate
from lti_tool.store.participation import GatePass as GatePass
from lti_tool.store.participation import Submission as Submission
from lti_tool.store.participation import SubmissionFile as SubmissionFile
from lti_tool.store.progression import AchievementCare as AchievementCare
from lti_tool.store.progression import CategoryChange as CategoryChange
from lti_tool.store.progression import Milestone as Milestone
from lti_tool.store.progression import MilestoneDecision as MilestoneDecision
from lti_tool.store.progression import MilestoneVersion as MilestoneVersion
from lti_tool.store.progression import Person as Person
from lti_tool.store.progression import PersonCode as PersonCode
from lti_tool.store.progression import Renewal as Renewal
from lti_tool.store.progression import Review as Review
from lti_tool.store.progression import StepNeed as StepNeed
from lti_tool.store.progression import VersionDraft as VersionDraft
from lti_tool.store.workings import OPEN_RUN as OPEN_RUN
from lti_tool.store.workings import STAFF_ROLES as STAFF_ROLES
from lti_tool.store.workings import AuditEvent as AuditEvent
from lti_tool.store.workings import CallBudget as CallBudget
from lti_tool.store.workings import Draft as Draft
from lti_tool.store.workings import LaunchSession as LaunchSession
from lti_tool.store.workings import Lease as Lease
from lti_tool.store.workings import Nonce as Nonce
from lti_tool.store.workings import Run as Run
from lti_tool.store.workings import StaffLink as StaffLink
from lti_tool.store.workings import StaffMember as StaffMember
from lti_tool.store.workings import StaffSession as StaffSession


class Organisation(Base):
    """The tenant: owns issuers, staff, micromodules, deployments."""

    __tablename__ = "organisations"
    id: Mapped[str] = _key()
    name: Mapped[str] = mapped_column(String(200))
    palette: Mapped[list[Any]] = mapped_column(default=list)
    """Its colours as ``#rrggbb``: the composer offers them first."""
    created_at: Mapped[datetime]


class Issuer(Base):
    """Who signs badges; has a DID and keys of its own."""

    __tablename__ = "issuers"
    __table_args__ = (
        CheckConstraint("token_algorithm IN ('RS256', 'ES256')", name="token_algorithm"),
        CheckConstraint("NOT is_default OR retired_at IS NULL", name="default_is_in_use"),
        Index(
            "uq_issuers_default",
            "organisation_id",
            unique=True,
            sqlite_where=text("is_default IS 1"),
            postgresql_where=text("is_default IS TRUE"),
        ),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str | None] = mapped_column(String(2000))
    email: Mapped[str | None] = mapped_column(String(320))
    description: Mapped[str | None] = mapped_column(Text)
    picture_id: Mapped[str | None] = _of("pictures", ondelete="SET NULL", nullable=True)
    is_default: Mapped[bool] = mapped_column(default=False)
    """New badges of its organisation are signed by it unless somebody chooses another."""
    retired_at: Mapped[datetime | None]
    """Since when it is offered for nothing new; what it signed stays valid."""
    terms_url: Mapped[str | None] = mapped_column(String(2000))
    """Signed as ``termsOfUse``."""
    names_schema: Mapped[bool] = mapped_column(default=False)
    """Badges name 1EdTech's JSON Schema (``credentialSchema``)."""
    offers_refresh: Mapped[bool] = mapped_column(default=False)
    """Badges say where a newer copy is (``refreshService``)."""
    token_algorithm: Mapped[str] = mapped_column(String(5), default="RS256")
    """Of its VC-JWTs."""
    created_at: Mapped[datetime]


class Registration(Base):
    """An LMS that may launch the tool: (issuer, client_id)."""

    __tablename__ = "registrations"
    __table_args__ = (
        UniqueConstraint("issuer", "client_id"),
        CheckConstraint("status IN ('pending', 'approved', 'disabled')", name="status"),
        CheckConstraint(f"administrator_role IN {STAFF_ROLES}", name="administrator_role"),
        CheckConstraint("status = 'disabled' OR NOT is_disabled_by_operator", name="disabled_by_operator"),
    )
    id: Mapped[str] = _key()
    name: Mapped[str] = mapped_column(String(200))
    issuer: Mapped[str] = mapped_column(String(2000))
    client_id: Mapped[str] = mapped_column(String(255))
    product: Mapped[str] = mapped_column(String(20))
    auth_url: Mapped[str] = mapped_column(String(2000))
    token_url: Mapped[str] = mapped_column(String(2000))
    jwks_url: Mapped[str] = mapped_column(String(2000))
    token_audience: Mapped[str | None] = mapped_column(String(2000))
    status: Mapped[str] = mapped_column(String(10))
    is_disabled_by_operator: Mapped[bool] = mapped_column(default=False)
    """Nobody else approves it again."""
    default_organisation_id: Mapped[str | None] = _of("organisations", ondelete="SET NULL", nullable=True)
    """Where deployments approved by rule go."""
    approves_deployments: Mapped[bool] = mapped_column(default=False)
    """The rule: a deployment seen for the first time is approved at once, into the default organisation."""
    frame_origins: Mapped[list[Any]] = mapped_column(default=list)
    """Origins beside the signed ones that may frame the tool (an institution's own domains)."""
    administrator_role: Mapped[str | None] = mapped_column(String(10))
    """What an administrator of this LMS may be on the staff pages; null: nothing."""
    allows_anonymous: Mapped[bool] = mapped_column(default=False)
    """Launches without a ``sub`` get a page to read (LTI Core §5.3.6.1); never a record."""
    configuration_url: Mapped[str | None] = mapped_column(String(2000))
    """The OpenID configuration that Dynamic Registration read; null where a person typed the rest."""
    configured_at: Mapped[datetime | None]
    """When Dynamic Registration was gone through last."""
    platform_version: Mapped[str | None] = mapped_column(String(100))
    """As the platform's configuration said."""
    created_at: Mapped[datetime]


class Deployment(Base):
    """One placement of the tool in an LMS; belongs to exactly one organisation once approved."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("registration_id", "id_on_platform"),
        CheckConstraint("status IN ('held', 'approved', 'disabled')", name="status"),
        CheckConstraint("status <> 'approved' OR organisation_id IS NOT NULL", name="approved_is_owned"),
        CheckConstraint("status = 'disabled' OR NOT is_disabled_by_operator", name="disabled_by_operator"),
    )
    id: Mapped[str] = _key()
    registration_id: Mapped[str] = _of("registrations")
    id_on_platform: Mapped[str] = mapped_column(String(255))
    organisation_id: Mapped[str | None] = _of("organisations", ondelete="RESTRICT", nullable=True, index=True)
    status: Mapped[str] = mapped_column(String(10))
    is_disabled_by_operator: Mapped[bool] = mapped_column(default=False)
    """Nobody else approves it again."""
    token_url: Mapped[str | None] = mapped_column(String(2000))
    """Where this institution hands out access tokens, if not where its registration says: institutions that
    share one issuer and client_id (Canvas) have hosts of their own."""
    frame_origins: Mapped[list[Any]] = mapped_column(default=list)
    """The institution's own domains that may frame the tool, beside those of the registration."""
    service_hosts: Mapped[list[Any]] = mapped_column(default=list)
    """host[:port] that signed launches of it named for AGS and NRPS: its tokens go there alone."""
    notices_url: Mapped[str | None] = mapped_column(String(2000))
    """Where handlers of platform notifications are registered; null where no launch named it."""
    notice_types: Mapped[list[Any]] = mapped_column(default=list)
    """Notifications that the tool asked for and is registered to get."""
    notices_due_at: Mapped[datetime | None]
    """When that is looked after next; null: at once."""
    first_seen_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]


class Context(Base):
    """A course: id is unique within its deployment only."""

    __tablename__ = "contexts"
    __table_args__ = (
        UniqueConstraint("deployment_id", "id_on_platform"),
        Index("ix_contexts_sync_due_at", "sync_due_at"),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    registration_id: Mapped[str] = _of("registrations")
    deployment_id: Mapped[str] = _of("deployments")
    id_on_platform: Mapped[str] = mapped_column(String(255))
    label: Mapped[str | None] = mapped_column(String(255))
    title: Mapped[str | None] = mapped_column(String(500))
    memberships_url: Mapped[str | None] = mapped_column(String(2000))
    line_items_url: Mapped[str | None] = mapped_column(String(2000))
    ags_scopes: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    last_launched_at: Mapped[datetime]
    sync_due_at: Mapped[datetime | None]
    """When the next sync is owed; null where the context has nothing to read."""
    roster_read_at: Mapped[datetime | None]
    roster_is_complete: Mapped[bool] = mapped_column(default=False)
    roster_trouble: Mapped[str | None] = mapped_column(String(60))
    """Error code of the last roster read that failed or was incomplete; null after a good one."""
    roster_whole_at: Mapped[datetime | None]
    """When everybody was read last, and not only what changed since."""
    roster_differences_url: Mapped[str | None] = mapped_column(String(2000))
    """What changed since the last complete read (NRPS §2.5), where the platform offers it."""
    groups_url: Mapped[str | None] = mapped_column(String(2000))
    """Course Groups Service, where a launch named it."""
    origin_context_id: Mapped[str | None] = _of("contexts", ondelete="SET NULL", nullable=True, index=True)
    """The course that this one was copied from, of the same organisation; null where it is no copy."""
    copied_at: Mapped[datetime | None]
    """When the copy was noticed."""
    emptied_at: Mapped[datetime | None]
    """When a reset was noticed (the same ids, the learners' work gone); null once an instructor saw it."""


class ResourceLink(Base):
    """A link of the tool in a context."""

    __tablename__ = "resource_links"
    __table_args__ = (UniqueConstraint("context_id", "id_on_platform"),)
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    context_id: Mapped[str] = _of("contexts")
    id_on_platform: Mapped[str] = mapped_column(String(255))
    badge_link_key: Mapped[str | None] = mapped_column(String(64), index=True)
    role: Mapped[str] = mapped_column(String(10))
    title: Mapped[str | None] = mapped_column(String(500))
    course_module_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Learner(Base):
    """A person as one registration names them, within one organisation."""

    __tablename__ = "learners"
    __table_args__ = (UniqueConstraint("organisation_id", "registration_id", "sub"),)
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations")
    registration_id: Mapped[str] = _of("registrations", index=True)
    sub: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(500))
    email: Mapped[str | None] = mapped_column(String(320))
    is_test_user: Mapped[bool] = mapped_column(default=False)
    person_id: Mapped[str | None] = _of("persons", ondelete="SET NULL", nullable=True, index=True)
    """Shared by learners whom one person joined; null for everybody else."""
    created_at: Mapped[datetime]
    last_launched_at: Mapped[datetime | None]


class Membership(Base):
    """A learner in a context, from the roster or from a launch."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("context_id", "learner_id"),
        CheckConstraint(
            "learner_proof IN ('none', 'launch', 'score', 'staff', 'refused')", name="learner_proof"
        ),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    context_id: Mapped[str] = _of("contexts")
    learner_id: Mapped[str] = _of("learners", index=True)
    is_learner: Mapped[bool] = mapped_column(default=False)
    is_staff: Mapped[bool] = mapped_column(default=False)
    """Sticky: once launched or listed as staff of this context, never awarded in it."""
    is_active: Mapped[bool] = mapped_column(default=True)
    """False only after a complete roster left the person out."""
    left_at: Mapped[datetime | None]
    """When that was noted; null for who is active, and where an earlier release noted it."""
    learner_proof: Mapped[str] = mapped_column(String(10), default="none")
    """What shows that the person is a learner here, where the roster alone does not: a launch as one, a
    score the platform took, the word of staff; or that the platform refused the score: not a student."""
    proved_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]


class Category(Base):
    """A named group of micromodules."""

    __tablename__ = "categories"
    __table_args__ = (UniqueConstraint("organisation_id", "name"),)
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations")
    name: Mapped[str] = mapped_column(String(200))
    position: Mapped[int] = mapped_column(default=0)
    """Its place among the others; equal ones stand by name."""


class Micromodule(Base):
    """A unit of learning with completion criteria and none or one achievement."""

    __tablename__ = "micromodules"
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class MicromoduleCategory(Base):
    """Which categories a micromodule is in."""

    __tablename__ = "micromodule_categories"
    micromodule_id: Mapped[str] = mapped_column(
        ForeignKey("micromodules.id", ondelete="CASCADE"), primary_key=True
    )
    category_id: Mapped[str] = mapped_column(
        ForeignKey("categories.id", ondelete="CASCADE"), primary_key=True
    )
    organisation_id: Mapped[str] = _of("organisations", index=True)
    position: Mapped[int] = mapped_column(default=0)
    """Its place within the category; equal ones stand by name."""


class Achievement(Base):
    """What a badge stands for; its versions carry the text and the picture."""

    __tablename__ = "achievements"
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    issuer_id: Mapped[str] = _of("issuers", ondelete="RESTRICT", index=True)
    micromodule_id: Mapped[str | None] = _of("micromodules", nullable=True)
    created_at: Mapped[datetime]


class AchievementVersion(Base):
    """One published definition; never changed once a badge carries it."""

    __tablename__ = "achievement_versions"
    __table_args__ = (
        UniqueConstraint("achievement_id", "number"),
        CheckConstraint("status_purpose IN ('revocation', 'suspension')", name="status_purpose"),
        CheckConstraint("credit_unit IN ('ects', 'hours', 'other')", name="credit_unit"),
        CheckConstraint("validity_months > 0", name="validity_months"),
        CheckConstraint("renewal_opens_days >= 0", name="renewal_opens_days"),
        CheckConstraint("renewal_closes_days >= 0", name="renewal_closes_days"),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    achievement_id: Mapped[str] = _of("achievements")
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    criteria_narrative: Mapped[str] = mapped_column(Text)
    skills: Mapped[list[Any]] = mapped_column(default=list)
    language: Mapped[str] = mapped_column(String(35), default="en")
    image_alt: Mapped[str] = mapped_column(String(500))
    artwork: Mapped[dict[str, Any]]
    """The composer's choices, so that the picture can be edited again."""
    image_svg: Mapped[str] = mapped_column(Text)
    image_png: Mapped[bytes] = mapped_column(LargeBinary)
    achievement_type: Mapped[str] = mapped_column(String(60), default="MicroCredential")
    """A word of Open Badges 3.0, or ``ext:…``."""
    alignments: Mapped[list[Any]] = mapped_column(default=list)
    """Objects with ``target_name``, ``target_url`` and what else an Alignment has, in the same spelling."""
    credits: Mapped[Decimal | None]
    credit_unit: Mapped[str | None] = mapped_column(String(10))
    human_code: Mapped[str | None] = mapped_column(String(100))
    field_of_study: Mapped[str | None] = mapped_column(String(200))
    validity_months: Mapped[int | None]
    """How long a badge is valid after it was awarded; null: for good."""
    shows_results: Mapped[bool] = mapped_column(default=False)
    """What the learner reached stands in the badge."""
    shows_evidence: Mapped[bool] = mapped_column(default=False)
    """The learner's own work that was accepted, where it is a link, stands in the badge."""
    result_descriptions: Mapped[list[Any]] = mapped_column(default=list)
    """What the criteria measure, one object for each score in the order of the tree: ``key`` (the evidence
    key), ``name``, ``result_type``, ``required_value``, ``value_min``, ``value_max``."""
    status_purpose: Mapped[str] = mapped_column(String(10), default="revocation")
    """``suspension`` where badges may be paused; a badge has one of the two for good."""
    renewal_opens_days: Mapped[int | None]
    """How many days before a badge ends meeting its criteria again renews it; null: it is not renewed."""
    renewal_closes_days: Mapped[int | None]
    """Until how many days after its end; null: at any time later."""
    whats_new: Mapped[str | None] = mapped_column(Text)
    """What is new against the version before, as its author tells holders."""
    expires_at: Mapped[datetime | None]
    """When all badges of this version end, if not before: a later version asks for it."""
    ends_signed_for: Mapped[datetime | None]
    """The ``expires_at`` that every badge of this version was signed anew with; another one, or null where
    there is one: some are still owed."""
    published_by: Mapped[str | None] = mapped_column(String(80))
    """Actor, as in the audit log, where it is a later version."""
    created_at: Mapped[datetime]


class MicromoduleVersion(Base):
    """One published set of criteria, bound to one achievement version where it issues a badge."""

    __tablename__ = "micromodule_versions"
    __table_args__ = (UniqueConstraint("micromodule_id", "number"),)
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    micromodule_id: Mapped[str] = _of("micromodules")
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    skills: Mapped[list[Any]] = mapped_column(default=list)
    criteria: Mapped[dict[str, Any]]
    """The versioned criteria schema, as ``lti_tool.services.criteria_format`` reads and writes it."""
    achievement_version_id: Mapped[str | None] = _of(
        "achievement_versions", ondelete="RESTRICT", nullable=True
    )
    created_at: Mapped[datetime]


class Placement(Base):
    """Binds a context and a badge_link_key to a micromodule version."""

    __tablename__ = "placements"
    __table_args__ = (
        UniqueConstraint("context_id", "badge_link_key"),
        CheckConstraint("status IN ('draft', 'active', 'removed')", name="status"),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    context_id: Mapped[str] = _of("contexts")
    badge_link_key: Mapped[str] = mapped_column(String(64), index=True)
    micromodule_version_id: Mapped[str] = _of("micromodule_versions", ondelete="RESTRICT", index=True)
    status: Mapped[str] = mapped_column(String(10))
    """draft: being set up, and nothing is awarded; active: an instructor published it; removed."""
    created_by_id: Mapped[str | None] = _of("learners", ondelete="SET NULL", nullable=True)
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    """When it began to award."""
    published_at: Mapped[datetime | None]
    published_by_id: Mapped[str | None] = _of("learners", ondelete="SET NULL", nullable=True)
    copied_from_id: Mapped[str | None] = _of("placements", ondelete="SET NULL", nullable=True, index=True)
    """The placement of the course that this one's course was copied from."""
    confirmed_at: Mapped[datetime | None]
    """When an instructor took over what came with a copied course; null before, and where nothing did."""


class LineItem(Base):
    """A gradebook column of ours: ``award`` is only written, ``attest`` and ``mirror`` are only read."""

    __tablename__ = "line_items"
    __table_args__ = (
        UniqueConstraint("placement_id", "evidence_key"),
        CheckConstraint("tag IN ('award', 'attest', 'mirror')", name="tag"),
        CheckConstraint("(tag = 'award') = (evidence_key = '')", name="award_is_no_evidence"),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    context_id: Mapped[str] = _of("contexts", index=True)
    placement_id: Mapped[str] = _of("placements")
    tag: Mapped[str] = mapped_column(String(10))
    evidence_key: Mapped[str] = mapped_column(String(64), default="")
    label: Mapped[str] = mapped_column(String(255))
    id_on_platform: Mapped[str | None] = mapped_column(String(2000))
    """The line item's URL, exactly as the platform gave it; null until it is created."""
    score_maximum: Mapped[Decimal]
    created_at: Mapped[datetime]
    created_on_platform_at: Mapped[datetime | None]
    adopted_at: Mapped[datetime | None]
    """When it was found in a copied course instead of being made: its formula, if it had one, came along."""
    first_value_at: Mapped[datetime | None]
    """When a grade was first seen in it: the teacher's formula works."""
    read_at: Mapped[datetime | None]
    is_complete: Mapped[bool] = mapped_column(default=False)
    trouble: Mapped[str | None] = mapped_column(String(60))
    """Error code of the last read that failed or was cut off; null after a good one."""


class Result(Base):
    """One learner's grade in one evidence column; a null score is "listed, not graded"."""

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("line_item_id", "learner_id"),)
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    line_item_id: Mapped[str] = _of("line_items")
    learner_id: Mapped[str] = _of("learners", index=True)
    score: Mapped[Decimal | None]
    maximum: Mapped[Decimal]
    graded_at: Mapped[datetime | None]
    read_at: Mapped[datetime]


class Score(Base):
    """What became of writing one learner's award into its column; no row before the first try."""

    __tablename__ = "scores"
    __table_args__ = (
        UniqueConstraint("line_item_id", "learner_id"),
        CheckConstraint("state IN ('waiting', 'written', 'kept', 'refused')", name="state"),
    )
    id: Mapped[str] = _key()
    organisation_id: Mapped[str] = _of("organisations", index=True)
    line_item_id: Mapped[str] = _of("line_items")
    learner_id: Mapped[str] = _of("learners", index=True)
    state: Mapped[str] = mapped_column(String(10))
    """``kept``: a value that is not the tool's stands there, a teacher's, and is never overwritten."""
    sent_at: Mapped[datetime | None]
    """The timestamp last sent; the next one has to be later."""
    tried_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(60))
