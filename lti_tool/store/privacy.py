"""What is stored about one learner: counted, handed out, erased.

:data:`KINDS` names every column of every table that leads to a learner; a test compares it with the tables,
so that nobody adds one and forgets it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store import persons, status_lists
from lti_tool.store.audit import LEARNER
from lti_tool.store.tables import (
    AchievementCare,
    AchievementVersion,
    Attestation,
    Award,
    Base,
    Completion,
    Context,
    CourseGroup,
    Credential,
    Decision,
    Draft,
    Endorsement,
    Framework,
    Gate,
    GatePass,
    GroupMember,
    LaunchSession,
    Learner,
    LineItem,
    Membership,
    MicromoduleVersion,
    MilestoneDecision,
    PersonCode,
    Picture,
    Placement,
    PrivacyRequest,
    Registration,
    Result,
    Review,
    Score,
    StaffSession,
    Submission,
    SubmissionFile,
    VersionDraft,
    new_id,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about."""

    id: str
    organisation_id: str
    registration_id: str
    platform: str
    """The registration's name."""
    issuer: str
    sub: str
    name: str | None
    email: str | None
    is_test_user: bool
    created_at: datetime
    last_launched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one table that are about a person, or made by one."""

    name: str
    table: type[Base]
    column: str
    """The one that holds the person's id."""
    exported: tuple[str, ...]
    is_kept: bool = False
    """Stays when the person is erased, without saying who it was: others' records rest on it."""
    is_actor: bool = False
    """The column is a text, ``learner:<id>``, as anybody may have done it; :func:`erase` takes the id out."""


KINDS = (
    Kind(
        "courses",
        Membership,
        "learner_id",
        ("is_learner", "is_staff", "is_active", "left_at", "learner_proof", "proved_at", "seen_at"),
    ),
    Kind("groups", GroupMember, "learner_id", ()),
    Kind("grades", Result, "learner_id", ("score", "maximum", "graded_at", "read_at")),
    Kind(
        "scores",
        Score,
        "learner_id",
        ("state", "sent_at", "tried_at", "attempts", "next_try_at", "error_code"),
    ),
    Kind("gates", GatePass, "learner_id", ("is_passed", "since", "read_at", "source")),
    Kind("confirmations", Attestation, "learner_id", ("evidence_key", "is_attested", "reason", "at")),
    Kind(
        "submissions",
        Submission,
        "learner_id",
        (
            "id",
            "evidence_key",
            "number",
            "state",
            "text",
            "url",
            "submitted_at",
            "judged_at",
            "comment",
            "checklist",
        ),
    ),
    Kind(
        "decisions",
        Decision,
        "learner_id",
        ("decided_at", "is_latest", "verdict", "state", "finding", "evidence"),
    ),
    Kind(
        "milestones",
        MilestoneDecision,
        "learner_id",
        ("decided_at", "is_latest", "verdict", "state", "finding", "evidence"),
    ),
    Kind("completions", Completion, "learner_id", ("met_at", "recorded_at")),
    Kind("badges", Award, "learner_id", ("id", "met_at", "awarded_at")),
    Kind(
        "reviews",
        Review,
        "learner_id",
        (
            "cause",
            "status",
            "opened_at",
            "question",
            "asked_at",
            "answer",
            "answered_at",
            "decided_at",
            "reason",
            "takes_effect_at",
            "carried_out_at",
            "spared_at",
        ),
    ),
    Kind("codes", PersonCode, "learner_id", ("created_at", "expires_at", "used_at")),
    Kind("drafts", Draft, "learner_id", ("form", "updated_at")),
    Kind("visits", LaunchSession, "learner_id", ("created_at", "expires_at", "locale", "purpose")),
    Kind("staff_visits", StaffSession, "learner_id", ("created_at", "expires_at")),
    Kind("looked_up", LaunchSession, "subject_id", ("created_at", "purpose"), is_kept=True),
    Kind("placed", Placement, "created_by_id", ("created_at",), is_kept=True),
    Kind("published", Placement, "published_by_id", ("published_at",), is_kept=True),
    Kind("gates_confirmed", Gate, "confirmed_by_id", ("confirmed_at",), is_kept=True),
    Kind("confirmed", Attestation, "by_learner_id", ("at", "is_attested"), is_kept=True),
    Kind("judged", Submission, "judged_by_id", ("judged_at", "state"), is_kept=True),
    Kind("codes_entered", PersonCode, "used_by_id", ("used_at",), is_kept=True),
    Kind(
        "versions_prepared", VersionDraft, "updated_by", ("kind", "updated_at"), is_kept=True, is_actor=True
    ),
    Kind(
        "versions_published",
        AchievementVersion,
        "published_by",
        ("name", "number", "created_at"),
        is_kept=True,
        is_actor=True,
    ),
    Kind("reviews_decided", Review, "decided_by", ("decided_at", "status"), is_kept=True, is_actor=True),
    Kind(
        "currency_reviewed",
        AchievementCare,
        "reviewed_by",
        ("reviewed_at", "note"),
        is_kept=True,
        is_actor=True,
    ),
    Kind("pictures", Picture, "uploaded_by", ("id", "created_at"), is_kept=True, is_actor=True),
    Kind("frameworks", Framework, "imported_by", ("name", "imported_at"), is_kept=True, is_actor=True),
    Kind("endorsements", Endorsement, "offered_by", ("comment", "offered_at"), is_kept=True, is_actor=True),
    Kind("endorsements_decided", Endorsement, "decided_by", ("decided_at",), is_kept=True, is_actor=True),
)
FILES = "files"
CREDENTIALS = "credentials"


def subject(session: Session, organisation_id: str, learner_id: str) -> Subject | None:
    """A learner of this organisation."""
    return _one(session, Learner.organisation_id == organisation_id, Learner.id == learner_id)


def subject_by_id(session: Session, learner_id: str) -> Subject | None:
    """Any learner, for the operator's commands."""
    return _one(session, Learner.id == learner_id)


def subjects_by_sub(session: Session, registration_id: str, sub: str) -> tuple[Subject, ...]:
    """Whom a platform names so: one in each organisation that shares the registration."""
    rows = session.execute(_subjects().where(Learner.registration_id == registration_id, Learner.sub == sub))
    return tuple(Subject(*row) for row in rows)


def _subjects() -> sa.Select[Any]:
    query = (
        sa.select(
            Learner.id,
            Learner.organisation_id,
            Learner.registration_id,
            Registration.name,
            Registration.issuer,
            Learner.sub,
            Learner.name,
            Learner.email,
            Learner.is_test_user,
            Learner.created_at,
            Learner.last_launched_at,
        )
        .join(Registration, Registration.id == Learner.registration_id)
        .order_by(Learner.organisation_id)
    )
    return cast("sa.Select[Any]", query)


def _one(session: Session, *where: sa.ColumnElement[bool]) -> Subject | None:
    row = session.execute(_subjects().where(*where)).one_or_none()
    return None if row is None else Subject(*row)


# -- counting


def counts(session: Session, learner_id: str) -> dict[str, int]:
    """How much there is of each kind, files and signed credentials beside them; nothing is left out."""
    found = {
        kind.name: _count(session, sa.select(_person(kind)).where(_is_of(kind, learner_id))) for kind in KINDS
    }
    found[FILES] = _count(
        session,
        sa.select(SubmissionFile.id)
        .join(Submission, Submission.id == SubmissionFile.submission_id)
        .where(Submission.learner_id == learner_id),
    )
    found[CREDENTIALS] = _count(session, _own_credentials(learner_id).where(Credential.document.is_not(None)))
    return found


def _count(session: Session, query: sa.Select[Any]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _person(kind: Kind) -> Any:
    return getattr(kind.table, kind.column)


def _is_of(kind: Kind, learner_id: str) -> sa.ColumnElement[bool]:
    named: sa.ColumnElement[bool] = _person(kind) == (
        f"{LEARNER}{learner_id}" if kind.is_actor else learner_id
    )
    return named


def _own_credentials(learner_id: str) -> sa.Select[Any]:
    return (
        sa.select(Credential.id)
        .join(Award, Award.id == Credential.award_id)
        .where(Award.learner_id == learner_id)
    )


def active_courses(session: Session, learner_id: str) -> int:
    """Courses in which the platform listed the person when it was read last."""
    return _count(
        session,
        sa.select(Membership.id).where(Membership.learner_id == learner_id, Membership.is_active.is_(True)),
    )


# -- handing out


def records(session: Session, kind: Kind, learner_id: str) -> Iterator[dict[str, Any]]:
    """The rows of one kind, with the names of the course, micromodule and column they belong to."""
    columns = {name: getattr(kind.table, name) for name in kind.exported}
    query, named = _named(sa.select(kind.table).with_only_columns(), kind.table)
    query = query.add_columns(*(column.label(name) for name, column in {**named, **columns}.items()))
    keys = cast(sa.Table, kind.table.__table__).primary_key.columns
    for row in session.execute(query.where(_is_of(kind, learner_id)).order_by(*keys)):
        yield dict(row._mapping)


def _named(query: sa.Select[Any], table: Any) -> tuple[sa.Select[Any], dict[str, Any]]:
    """A query over a table with what says where a row belongs."""
    query = query.select_from(table)
    named: dict[str, Any] = {}
    context_id = getattr(table, "context_id", None)
    version_id = getattr(table, "micromodule_version_id", None)
    for name, label in (("line_item_id", LineItem), ("gate_id", Gate), ("group_id", CourseGroup)):
        if hasattr(table, name):
            query = query.join(label, cast(Any, label).id == getattr(table, name))
            named["label"] = getattr(label, "name" if label is CourseGroup else "label")
            context_id = cast(Any, label).context_id
    if hasattr(table, "placement_id") and table is not LineItem:
        # A session has none where its link is no badge's.
        query = query.outerjoin(Placement, Placement.id == table.placement_id)
        context_id = context_id if context_id is not None else Placement.context_id
        version_id = version_id if version_id is not None else Placement.micromodule_version_id
    if context_id is not None:
        query = query.outerjoin(Context, Context.id == context_id)
        named["course"] = Context.title
    if version_id is not None:
        query = query.outerjoin(MicromoduleVersion, MicromoduleVersion.id == version_id)
        named["micromodule"] = MicromoduleVersion.name
    if table is Award:
        query = query.join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        named["badge"] = AchievementVersion.name
    return query, named


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that the learner handed in, without its content."""

    id: str
    submission_id: str
    name: str
    media_type: str
    size: int
    sha256: str


def files(session: Session, learner_id: str) -> tuple[FileRow, ...]:
    """The learner's files."""
    rows = session.execute(
        sa.select(
            SubmissionFile.id,
            SubmissionFile.submission_id,
            SubmissionFile.name,
            SubmissionFile.media_type,
            SubmissionFile.size,
            SubmissionFile.sha256,
        )
        .join(Submission, Submission.id == SubmissionFile.submission_id)
        .where(Submission.learner_id == learner_id)
        .order_by(Submission.submitted_at, SubmissionFile.id)
    )
    return tuple(FileRow(*row) for row in rows)


def file_content(session: Session, file_id: str) -> bytes:
    """A file's bytes; empty where it was withdrawn meanwhile."""
    found = session.scalar(sa.select(SubmissionFile.content).where(SubmissionFile.id == file_id))
    return b"" if found is None else found


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A badge's credential."""

    id: str
    award_id: str
    document: str | None
    issued_at: datetime | None
    revoked_at: datetime | None
    revocation_reason: str | None
    suspended_at: datetime | None
    suspension_reason: str | None
    valid_until: datetime | None
    reissued_at: datetime | None
    is_public: bool


def own_credentials(session: Session, learner_id: str) -> tuple[CredentialRow, ...]:
    """The learner's credentials."""
    rows = session.execute(
        _own_credentials(learner_id)
        .with_only_columns(
            Credential.id,
            Credential.award_id,
            Credential.document,
            Credential.issued_at,
            Credential.revoked_at,
            Credential.revocation_reason,
            Credential.suspended_at,
            Credential.suspension_reason,
            Credential.valid_until,
            Credential.reissued_at,
            Credential.is_public,
        )
        .order_by(Credential.id)
    )
    return tuple(CredentialRow(**row._mapping) for row in rows)


# -- erasing


def erase(session: Session, learner_id: str, now: datetime) -> tuple[str, ...]:
    """Delete a learner and everything about them, in the caller's transaction.

    Credentials lose their text and their award, and are revoked; their places in the status lists stay taken.
    What the person did for others stays without saying who it was.

    :returns: the status lists to be signed again.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        # Builds differ in whether what is deleted is overwritten in the file.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    organisation_id = session.scalar(sa.select(Learner.organisation_id).where(Learner.id == learner_id))
    if organisation_id is not None:
        _lock_placed(connection, organisation_id, learner_id)
        persons.lock(session, organisation_id)
        persons.forget_with(session, organisation_id, learner_id)
    # Whatever is being written about the person comes before this, or not at all.
    connection.execute(sa.select(Learner.id).where(Learner.id == learner_id).with_for_update())
    connection.execute(sa.select(Award.id).where(Award.learner_id == learner_id).with_for_update())
    own = _own_credentials(learner_id).scalar_subquery()
    lists = tuple(
        connection.execute(
            sa.select(Credential.status_list_id).where(Credential.id.in_(own)).distinct()
        ).scalars()
    )
    connection.execute(
        sa.update(Credential)
        .where(Credential.id.in_(own))
        .values(
            award_id=None,
            document=None,
            revoked_at=sa.func.coalesce(Credential.revoked_at, sa.literal(now, Credential.revoked_at.type)),
            revocation_reason=None,
            suspended_at=None,
            suspension_reason=None,
            valid_until=None,
            reissued_at=None,
            is_public=False,
            shared_at=None,
        )
    )
    status_lists.mark_changed(session, lists, now)
    # Whoever looks the person up keeps the session; it is about nobody now.
    connection.execute(
        sa.update(LaunchSession)
        .where(LaunchSession.subject_id == learner_id, LaunchSession.learner_id != learner_id)
        .values(subject_id=None)
    )
    for kind in KINDS:
        if kind.is_actor:
            connection.execute(
                sa.update(kind.table).where(_is_of(kind, learner_id)).values({kind.column: LEARNER})
            )
    connection.execute(sa.delete(Learner).where(Learner.id == learner_id))
    if organisation_id is not None:
        persons.tidy(session, organisation_id)
    return lists


def _lock_placed(connection: sa.Connection, organisation_id: str, learner_id: str) -> None:
    """Lock what is not to name the person any more as who placed or published it.

    Before the organisation, as everybody does who publishes, changes or archives.
    """
    connection.execute(
        sa.select(Placement.id)
        .where(
            Placement.organisation_id == organisation_id,
            sa.or_(Placement.created_by_id == learner_id, Placement.published_by_id == learner_id),
        )
        .order_by(Placement.id)
        .with_for_update(key_share=True)
    )


# -- who asked


def note(
    session: Session, subject: Subject, *, kind: str, actor: str, at: datetime, counts: Mapping[str, int]
) -> str:
    """Keep that data was handed out or erased; ids and numbers only."""
    row = PrivacyRequest(
        id=new_id(),
        organisation_id=subject.organisation_id,
        registration_id=subject.registration_id,
        learner_id=subject.id,
        kind=kind,
        actor=actor,
        at=at,
        counts=dict(counts),
    )
    session.add(row)
    return row.id


def noted_since(session: Session, learner_id: str, kind: str, since: datetime) -> int:
    """How often that was done for a person since then."""
    return _count(
        session,
        sa.select(PrivacyRequest.id).where(
            PrivacyRequest.learner_id == learner_id,
            PrivacyRequest.kind == kind,
            PrivacyRequest.at >= since,
        ),
    )


def erased(session: Session, since: datetime | None = None) -> tuple[tuple[str, datetime, str], ...]:
    """Who was erased, the first first: our key, when, and by whom."""
    query = sa.select(PrivacyRequest.learner_id, PrivacyRequest.at, PrivacyRequest.actor).where(
        PrivacyRequest.kind == "erase"
    )
    if since is not None:
        query = query.where(PrivacyRequest.at >= since)
    rows = session.execute(query.order_by(PrivacyRequest.at, PrivacyRequest.id))
    return tuple((row[0], row[1], row[2]) for row in rows)
