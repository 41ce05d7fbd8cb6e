"""Reviews: what was seen, asked, said and decided about badges whose facts changed after the award."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from lti_tool.store import validity
from lti_tool.store.dialects import contains_text, insert_if_absent
from lti_tool.store.doubts import ASKED, KEPT, OPEN, REVOKED, SETTLED, UNDECIDED, Doubt
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    Credential,
    Learner,
    Membership,
    MicromoduleVersion,
    Placement,
    Review,
    new_id,
)

STATUSES = (OPEN, ASKED, KEPT, REVOKED, SETTLED)
CAUSES = ("facts", "left", "reset", "gate")


# -- what is kept


def open_one(
    session: Session,
    organisation_id: str,
    context_id: str,
    doubt: Doubt,
    cause: str,
    digest: str,
    now: datetime,
) -> bool:
    """Open a review; False where the award has one that nobody has decided."""
    return insert_if_absent(
        session,
        Review,
        {
            "id": new_id(),
            "organisation_id": organisation_id,
            "context_id": context_id,
            "placement_id": doubt.placement_id,
            "award_id": doubt.award_id,
            "learner_id": doubt.learner_id,
            "cause": cause,
            "decision_then_id": doubt.then_id,
            "decision_now_id": doubt.now_id,
            "digest": digest,
            "status": OPEN,
            "opened_at": now,
        },
        on=(),
    )


def change(
    session: Session, organisation_id: str, review_id: str, *where: ColumnElement[bool], **values: Any
) -> bool:
    """Set columns of one review, if it still is as ``where`` says; whether it was."""
    done = session.connection().execute(
        update(Review)
        .where(Review.organisation_id == organisation_id, Review.id == review_id, *where)
        .values(**values)
    )
    return done.rowcount == 1


def is_undecided(digest: str | None = None) -> ColumnElement[bool]:
    """Nobody decided a review; and, where given, it is about the facts that a person saw."""
    still = Review.status.in_(UNDECIDED)
    return still if digest is None else sa.and_(still, Review.digest == digest)


def is_not_revoked() -> ColumnElement[bool]:
    """Its badge was not revoked in another way."""
    return sa.exists().where(Credential.award_id == Review.award_id, Credential.revoked_at.is_(None))


def is_unanswered() -> ColumnElement[bool]:
    """The learner was asked, and has not said anything yet."""
    return sa.and_(Review.status == ASKED, Review.answered_at.is_(None))


def is_open() -> ColumnElement[bool]:
    """Nobody decided it, and nobody was asked."""
    return Review.status == OPEN


def can_be_undone(now: datetime) -> ColumnElement[bool]:
    """A revocation was decided, and not carried out yet."""
    return sa.and_(Review.status == REVOKED, Review.carried_out_at.is_(None), Review.takes_effect_at > now)


def can_be_carried_out(now: datetime) -> ColumnElement[bool]:
    """A revocation was decided, and its time has come."""
    return sa.and_(Review.status == REVOKED, Review.carried_out_at.is_(None), Review.takes_effect_at <= now)


def due(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Revocations whose time has come, of every organisation: the first first."""
    return tuple(
        session.scalars(
            select(Review.id).where(can_be_carried_out(now)).order_by(Review.takes_effect_at).limit(limit)
        )
    )


class Revocation(NamedTuple):
    """A revocation that somebody decided."""

    organisation_id: str
    context_id: str
    learner_id: str
    placement_id: str
    credential_id: str
    cause: str
    reason: str
    decided_by: str


def revocation(session: Session, review_id: str, now: datetime) -> Revocation | None:
    """A revocation whose time has come; ``None`` where it was undone or is done."""
    row = session.execute(
        select(
            Review.organisation_id,
            Review.context_id,
            Review.learner_id,
            Review.placement_id,
            Credential.id,
            Review.cause,
            func.coalesce(Review.reason, ""),
            func.coalesce(Review.decided_by, ""),
        )
        .join(Credential, Credential.award_id == Review.award_id)
        .where(Review.id == review_id, can_be_carried_out(now))
    ).one_or_none()
    return None if row is None else Revocation(*row)


# -- what people see


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which reviews of a course are meant."""

    query: str = ""
    """A part of the learner's name."""
    status: str | None = None
    """``None``: what nobody has decided."""
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One review."""

    id: str
    organisation_id: str
    context_id: str
    placement_id: str
    micromodule: str
    learner_id: str
    learner_name: str | None
    is_active: bool
    award_id: str
    credential_id: str
    awarded_at: datetime
    cause: str
    digest: str
    status: str
    opened_at: datetime
    decision_then_id: str | None
    decision_now_id: str | None
    asked_at: datetime | None
    question: str | None
    answered_at: datetime | None
    answer: str | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    takes_effect_at: datetime | None
    carried_out_at: datetime | None
    spared_at: datetime | None = None
    ended_at: datetime | None = None
    """Of the badge, where it ends."""

    @property
    def has_ended(self) -> bool:
        """Nobody had to decide any more, since the badge was over."""
        return (
            self.status == SETTLED
            and self.ended_at is not None
            and self.decided_at is not None
            and self.ended_at <= self.decided_at
        )

    @property
    def is_undecided(self) -> bool:
        """Somebody has to decide it."""
        return self.status in UNDECIDED

    @property
    def is_asked_once_more(self) -> bool:
        """It was to be revoked, and nobody could tell any more whether what was decided about was so."""
        return self.status == OPEN and self.spared_at is not None

    @property
    def is_pending(self) -> bool:
        """It is going to be revoked."""
        return self.status == REVOKED and self.carried_out_at is None


def _rows() -> Select[Any]:
    query = (
        select(
            Review.id,
            Review.organisation_id,
            Review.context_id,
            Review.placement_id,
            MicromoduleVersion.name.label("micromodule"),
            Review.learner_id,
            Learner.name.label("learner_name"),
            func.coalesce(Membership.is_active, sa.false()).label("is_active"),
            Review.award_id,
            Credential.id.label("credential_id"),
            Award.awarded_at,
            Review.cause,
            Review.digest,
            Review.status,
            Review.opened_at,
            Review.decision_then_id,
            Review.decision_now_id,
            Review.asked_at,
            Review.question,
            Review.answered_at,
            Review.answer,
            Review.decided_by,
            Review.decided_at,
            Review.reason,
            Review.takes_effect_at,
            Review.carried_out_at,
            Review.spared_at,
            validity.ends_at().label("ended_at"),
        )
        .select_from(Review)
        .join(Award, Award.id == Review.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Credential, Credential.award_id == Review.award_id)
        .join(Learner, Learner.id == Review.learner_id)
        .join(Placement, Placement.id == Review.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(
            Membership,
            sa.and_(Membership.context_id == Review.context_id, Membership.learner_id == Review.learner_id),
        )
    )
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def _row(row: Any) -> ReviewRow:
    return ReviewRow(**{**row._mapping, "is_active": bool(row.is_active)})


def _wanted(organisation_id: str, context_id: str | None, wanted: ReviewFilter) -> list[ColumnElement[bool]]:
    where = [Review.organisation_id == organisation_id]
    if context_id is not None:
        where.append(Review.context_id == context_id)
    where.append(Review.status.in_(UNDECIDED) if wanted.status is None else Review.status == wanted.status)
    if wanted.cause is not None:
        where.append(Review.cause == wanted.cause)
    if wanted.query:
        where.append(contains_text(func.coalesce(Learner.name, ""), wanted.query))
    return where


def count(session: Session, organisation_id: str, context_id: str, wanted: ReviewFilter) -> int:
    """How many reviews of a course a filter finds."""
    query = (
        select(func.count())
        .select_from(Review)
        .join(Learner, Learner.id == Review.learner_id)
        .where(*_wanted(organisation_id, context_id, wanted))
    )
    return session.scalar(query) or 0


def page(
    session: Session,
    organisation_id: str,
    context_id: str,
    wanted: ReviewFilter,
    *,
    offset: int,
    limit: int,
) -> tuple[ReviewRow, ...]:
    """Some of them: of what waits the longest waiting first, of what is done the latest."""
    order = Review.opened_at if wanted.status in (None, *UNDECIDED) else Review.opened_at.desc()
    rows = session.execute(
        _rows()
        .where(*_wanted(organisation_id, context_id, wanted))
        .order_by(order, Review.id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(_row(row) for row in rows)


def following(
    session: Session,
    organisation_id: str,
    context_id: str | None,
    wanted: ReviewFilter,
    *,
    after: ReviewRow | None,
    limit: int,
) -> tuple[ReviewRow, ...]:
    """Reviews of a course, or of all of an organisation, by when they were opened, from one on.

    :param after: the last of those before.
    """
    query = _rows().where(*_wanted(organisation_id, context_id, wanted))
    if after is not None:
        is_later = sa.and_(Review.opened_at == after.opened_at, Review.id > after.id)
        query = query.where(sa.or_(Review.opened_at > after.opened_at, is_later))
    rows = session.execute(query.order_by(Review.opened_at, Review.id).limit(limit))
    return tuple(_row(row) for row in rows)


def some(
    session: Session, organisation_id: str, context_id: str | None, review_ids: Collection[str]
) -> tuple[ReviewRow, ...]:
    """Those of these ids that are reviews of this course, or of this organisation, by the learner's name."""
    query = _rows().where(Review.organisation_id == organisation_id, Review.id.in_(review_ids))
    if context_id is not None:
        query = query.where(Review.context_id == context_id)
    rows = session.execute(query.order_by(func.lower(func.coalesce(Learner.name, "")), Review.id))
    return tuple(_row(row) for row in rows)


def asked(session: Session, organisation_id: str, learner_id: str, review_id: str) -> ReviewRow | None:
    """A review about which this learner was asked something."""
    row = session.execute(
        _rows().where(
            Review.organisation_id == organisation_id,
            Review.learner_id == learner_id,
            Review.id == review_id,
            Review.asked_at.is_not(None),
        )
    ).one_or_none()
    return None if row is None else _row(row)


def question_of(award_id: Any) -> Any:
    """The id of the review in which an award's learner was asked something, and has not answered; a column
    of whoever lists awards."""
    return (
        select(Review.id)
        .where(Review.award_id == award_id, Review.status == ASKED, Review.answered_at.is_(None))
        .scalar_subquery()
    )


class Waiting(NamedTuple):
    """What those who teach in a course have to know about its reviews."""

    undecided: int
    """Reviews that wait for a person."""
    spared: int
    """Badges that were to be revoked lately, and were not."""


def waiting(session: Session, organisation_id: str, context_id: str, since: datetime) -> Waiting:
    """How many reviews of a course wait, and how many revocations came to nothing since then."""
    was_spared = sa.and_(Review.status == SETTLED, Review.spared_at > since)
    row = session.execute(
        select(func.count().filter(Review.status.in_(UNDECIDED)), func.count().filter(was_spared)).where(
            Review.organisation_id == organisation_id,
            Review.context_id == context_id,
            sa.or_(Review.status.in_(UNDECIDED), was_spared),
        )
    ).one()
    return Waiting(*row)
