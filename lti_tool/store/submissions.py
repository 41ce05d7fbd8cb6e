"""What learners hand in for a criterion, its files, and what instructors say about it.

The bytes of a file are read by :func:`file` alone: every list knows names and sizes only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from lti_tool.store.dialects import contains_text, insert_if_absent
from lti_tool.store.tables import Learner, Submission, SubmissionFile, new_id

SUBMITTED, ACCEPTED, RETURNED, WITHDRAWN = "submitted", "accepted", "returned", "withdrawn"
STATES = (SUBMITTED, RETURNED, ACCEPTED)
"""What an instructor's list can be narrowed to."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that was handed in, without its bytes."""

    id: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One submission."""

    id: str
    context_id: str
    placement_id: str
    evidence_key: str
    learner_id: str
    learner_name: str | None
    number: int
    state: str
    text: str
    url: str
    submitted_at: datetime
    judged_at: datetime | None
    judged_by_name: str | None
    comment: str
    checklist: tuple[str, ...]
    """The items that the instructor ticked."""
    is_latest: bool
    files: tuple[FileRow, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a person's judgement."""
        return self.state == SUBMITTED


@dataclass(frozen=True, slots=True)
class Asked:
    """What one learner is asked for: a rule of a placement."""

    organisation_id: str
    context_id: str
    placement_id: str
    evidence_key: str
    learner_id: str


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be stored."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with its bytes, and whose it is."""

    name: str
    media_type: str
    content: bytes
    learner_id: str


@dataclass(frozen=True, slots=True)
class SubmissionFilter:
    """Which submissions are meant."""

    query: str = ""
    """Part of a learner's name."""
    state: str | None = None
    """One of :data:`STATES`."""


@dataclass(frozen=True, slots=True)
class Used:
    """How much a learner has handed in for one rule so far, and not taken back."""

    submissions: int
    bytes: int


# -- reading


def _rows(organisation_id: str) -> Select[Any]:
    judge = aliased(Learner)
    # SQLAlchemy types a select of more than ten columns by its first ten.
    query: Select[Any] = cast(
        "Select[Any]",
        select(
            Submission.id,
            Submission.context_id,
            Submission.placement_id,
            Submission.evidence_key,
            Submission.learner_id,
            Learner.name.label("learner_name"),
            Submission.number,
            Submission.state,
            Submission.text,
            Submission.url,
            Submission.submitted_at,
            Submission.judged_at,
            judge.name.label("judged_by_name"),
            Submission.comment,
            Submission.checklist,
            Submission.is_latest,
        ),
    )
    return (
        query.join(Learner, Learner.id == Submission.learner_id)
        .outerjoin(judge, and_(judge.id == Submission.judged_by_id, judge.organisation_id == organisation_id))
        .where(Submission.organisation_id == organisation_id)
    )


def _read(session: Session, organisation_id: str, query: Select[Any]) -> tuple[SubmissionRow, ...]:
    rows = session.execute(query).all()
    files: dict[str, list[FileRow]] = {row[0]: [] for row in rows}
    found = session.execute(
        select(
            SubmissionFile.submission_id,
            SubmissionFile.id,
            SubmissionFile.name,
            SubmissionFile.media_type,
            SubmissionFile.size,
        )
        .where(
            SubmissionFile.organisation_id == organisation_id, SubmissionFile.submission_id.in_(list(files))
        )
        .order_by(SubmissionFile.name, SubmissionFile.id)
    )
    for submission_id, id_, name, media_type, size in found:
        files[submission_id].append(FileRow(id_, name, media_type, size))
    return tuple(
        SubmissionRow(**{**row._mapping, "checklist": tuple(row.checklist), "files": tuple(files[row.id])})
        for row in rows
    )


def of_learner(session: Session, asked: Asked) -> tuple[SubmissionRow, ...]:
    """Everything one learner handed in for one rule, newest first."""
    query = _rows(asked.organisation_id).where(*_own(asked)).order_by(Submission.number.desc())
    return _read(session, asked.organisation_id, query)


def submission(session: Session, organisation_id: str, submission_id: str) -> SubmissionRow | None:
    """One of this organisation's submissions."""
    query = _rows(organisation_id).where(Submission.id == submission_id)
    return next(iter(_read(session, organisation_id, query)), None)


def _latest(
    organisation_id: str, context_id: str, placement_id: str, wanted: SubmissionFilter
) -> list[ColumnElement[bool]]:
    where = [
        Submission.organisation_id == organisation_id,
        Submission.context_id == context_id,
        Submission.placement_id == placement_id,
        Submission.is_latest.is_(True),
        Submission.state != WITHDRAWN,
    ]
    if wanted.state is not None:
        where.append(Submission.state == wanted.state)
    if wanted.query:
        where.append(contains_text(Learner.name, wanted.query))
    return where


def count(
    session: Session, organisation_id: str, context_id: str, placement_id: str, wanted: SubmissionFilter
) -> int:
    """How many learners' latest submissions a filter finds."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Submission)
            .join(Learner, Learner.id == Submission.learner_id)
            .where(*_latest(organisation_id, context_id, placement_id, wanted))
        )
        or 0
    )


def page(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_id: str,
    wanted: SubmissionFilter,
    *,
    offset: int,
    limit: int,
) -> tuple[SubmissionRow, ...]:
    """Some of them: those that wait first, the longest waiting before the others; then the last judged."""
    waits = case((Submission.state == SUBMITTED, 0), else_=1)
    query = (
        _rows(organisation_id)
        .where(*_latest(organisation_id, context_id, placement_id, wanted))
        .order_by(
            waits,
            case((Submission.state == SUBMITTED, Submission.submitted_at)),
            Submission.judged_at.desc(),
            Submission.id,
        )
        .offset(offset)
        .limit(limit)
    )
    return _read(session, organisation_id, query)


def latest_of(
    session: Session, organisation_id: str, placement_id: str, learner_id: str
) -> dict[str, tuple[str, str]]:
    """(id, state) of what a learner handed in last for each rule of a placement, by evidence key."""
    rows = session.execute(
        select(Submission.evidence_key, Submission.id, Submission.state).where(
            Submission.organisation_id == organisation_id,
            Submission.placement_id == placement_id,
            Submission.learner_id == learner_id,
            Submission.is_latest.is_(True),
            Submission.state != WITHDRAWN,
        )
    )
    return {row.evidence_key: (row.id, row.state) for row in rows}


def next_waiting(session: Session, organisation_id: str, context_id: str, placement_id: str) -> str | None:
    """The id of the submission that waits longest."""
    return session.scalar(
        select(Submission.id)
        .where(*_latest(organisation_id, context_id, placement_id, SubmissionFilter(state=SUBMITTED)))
        .order_by(Submission.submitted_at, Submission.id)
        .limit(1)
    )


def waiting(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> dict[str, int]:
    """How many submissions wait for a person, by placement."""
    rows = session.execute(
        select(Submission.placement_id, func.count())
        .where(
            Submission.organisation_id == organisation_id,
            Submission.context_id == context_id,
            Submission.placement_id.in_(placement_ids),
            Submission.state == SUBMITTED,
        )
        .group_by(Submission.placement_id)
    )
    return dict.fromkeys(placement_ids, 0) | {row[0]: row[1] for row in rows}


def comments(
    session: Session, organisation_id: str, placement_ids: Sequence[str], learner_id: str
) -> dict[str, dict[str, str]]:
    """What was written when a learner's latest evidence was given back, by placement and evidence key."""
    rows = session.execute(
        select(Submission.placement_id, Submission.evidence_key, Submission.comment).where(
            Submission.organisation_id == organisation_id,
            Submission.placement_id.in_(placement_ids),
            Submission.learner_id == learner_id,
            Submission.is_latest.is_(True),
            Submission.state == RETURNED,
        )
    )
    found: dict[str, dict[str, str]] = {}
    for placement_id, key, comment in rows:
        if comment:
            found.setdefault(placement_id, {})[key] = comment
    return found


def used(session: Session, asked: Asked) -> Used:
    """How much one learner handed in for one rule so far, and did not take back."""
    stays = (*_own(asked), Submission.state != WITHDRAWN)
    submissions = session.scalar(select(func.count()).select_from(Submission).where(*stays)) or 0
    size = session.scalar(
        select(func.sum(SubmissionFile.size))
        .join(Submission, Submission.id == SubmissionFile.submission_id)
        .where(SubmissionFile.organisation_id == asked.organisation_id, *stays)
    )
    return Used(submissions, int(size or 0))


def file(session: Session, organisation_id: str, file_id: str, context_id: str) -> StoredFile | None:
    """A file with its bytes, of this context only."""
    row = session.execute(
        select(
            SubmissionFile.name,
            SubmissionFile.media_type,
            SubmissionFile.content,
            Submission.learner_id,
        )
        .join(Submission, Submission.id == SubmissionFile.submission_id)
        .where(
            SubmissionFile.organisation_id == organisation_id,
            Submission.organisation_id == organisation_id,
            Submission.context_id == context_id,
            SubmissionFile.id == file_id,
        )
    ).one_or_none()
    return None if row is None else StoredFile(*row)


# -- writing


def _own(asked: Asked) -> tuple[ColumnElement[bool], ...]:
    return (
        Submission.organisation_id == asked.organisation_id,
        Submission.context_id == asked.context_id,
        Submission.placement_id == asked.placement_id,
        Submission.evidence_key == asked.evidence_key,
        Submission.learner_id == asked.learner_id,
    )


def add(
    session: Session,
    asked: Asked,
    *,
    number: int,
    text: str,
    url: str,
    files: Sequence[NewFile],
    kept: Sequence[str],
    now: datetime,
) -> str | None:
    """Store a submission as the learner's latest for the rule; the id, or None where another one, sent at
    the same time, has this number already.

    Of what the learner took back, which nobody judged, the last stays for whoever has its page open.

    :param kept: ids of files of the learner's latest submission that are handed in again; others are ignored.
    """
    before = session.scalar(select(Submission.id).where(*_own(asked), Submission.is_latest.is_(True)))
    if before is not None:
        session.execute(
            update(Submission)
            .where(Submission.organisation_id == asked.organisation_id, Submission.id == before)
            .values(is_latest=False)
            .execution_options(synchronize_session=False)
        )
    submission_id = new_id()
    is_new = insert_if_absent(
        session,
        Submission,
        {
            "id": submission_id,
            "organisation_id": asked.organisation_id,
            "context_id": asked.context_id,
            "placement_id": asked.placement_id,
            "evidence_key": asked.evidence_key,
            "learner_id": asked.learner_id,
            "number": number,
            "state": SUBMITTED,
            "text": text,
            "url": url,
            "submitted_at": now,
            "comment": "",
            "checklist": [],
            "is_latest": True,
        },
        on=(),
    )
    if not is_new:
        return None
    session.add_all(
        SubmissionFile(
            id=new_id(),
            organisation_id=asked.organisation_id,
            submission_id=submission_id,
            name=one.name,
            media_type=one.media_type,
            size=len(one.content),
            sha256=sha256(one.content).hexdigest(),
            content=one.content,
        )
        for one in files
    )
    session.flush()
    for file_id in kept if before is not None else ():
        columns = ("organisation_id", "name", "media_type", "size", "sha256", "content")
        session.execute(
            insert(SubmissionFile).from_select(
                ["id", "submission_id", *columns],
                select(
                    literal(new_id()),
                    literal(submission_id),
                    *(getattr(SubmissionFile, column) for column in columns),
                ).where(
                    SubmissionFile.organisation_id == asked.organisation_id,
                    SubmissionFile.submission_id == before,
                    SubmissionFile.id == file_id,
                ),
                include_defaults=False,
            )
        )
    _forget_withdrawn(session, asked, before)
    return submission_id


def _forget_withdrawn(session: Session, asked: Asked, but: str | None) -> None:
    withdrawn = session.scalars(
        select(Submission.id).where(*_own(asked), Submission.state == WITHDRAWN, Submission.id != but)
    ).all()
    for table, column in ((SubmissionFile, SubmissionFile.submission_id), (Submission, Submission.id)):
        session.execute(
            delete(table)
            .where(table.organisation_id == asked.organisation_id, column.in_(withdrawn))
            .execution_options(synchronize_session=False)
        )


def judge(
    session: Session,
    organisation_id: str,
    submission_id: str,
    state: str,
    *,
    judged_by_id: str,
    comment: str,
    checklist: Sequence[str],
    now: datetime,
    before: str = SUBMITTED,
) -> bool:
    """Accept or return a submission; False where it is no longer in ``before``, and nothing was done."""
    result = session.execute(
        update(Submission)
        .where(*_latest_in(before, organisation_id, submission_id))
        .values(
            state=state,
            judged_at=now,
            judged_by_id=judged_by_id,
            comment=comment,
            checklist=list(checklist),
        )
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def withdraw(session: Session, organisation_id: str, submission_id: str, learner_id: str) -> bool:
    """Take one's own submission back; False where it does not wait any more."""
    result = session.execute(
        update(Submission)
        .where(*_latest_in(SUBMITTED, organisation_id, submission_id), Submission.learner_id == learner_id)
        .values(state=WITHDRAWN)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def _latest_in(state: str, organisation_id: str, submission_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Submission.organisation_id == organisation_id,
        Submission.id == submission_id,
        Submission.state == state,
        Submission.is_latest.is_(True),
    )
