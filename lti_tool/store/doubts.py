"""What calls for a review: badges in force whose facts are not what they were, read from the state each time.

So nothing is lost with a message: decisions, memberships and gates say it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session, aliased

from lti_tool.domain.gates import GateState
from lti_tool.store import validity
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    Award,
    Context,
    Credential,
    Decision,
    Gate,
    Membership,
    Placement,
    Review,
)

OPEN, ASKED, KEPT, REVOKED, SETTLED = "open", "asked", "kept", "revoked", "settled"
UNDECIDED = (OPEN, ASKED)


_Then, _Now = aliased(Decision), aliased(Decision)


class Doubt(NamedTuple):
    """A badge in force, and what there is now to doubt it by."""

    award_id: str
    learner_id: str
    placement_id: str
    then_id: str
    """The decision that it was awarded by."""
    now_id: str | None
    """The latest about the same version; ``None`` where the placement went on to another: then
    :func:`former` finds it, and what its rules come to is asked anew."""
    verdict: str | None
    state: str | None
    digest: str | None
    is_active: bool
    """Whether the learner is in the course."""


class Former(NamedTuple):
    """A badge in force of a version before the one that its placement stands for by now."""

    doubt: Doubt
    version_id: str
    """The micromodule version that it was awarded by."""


class DoubtedGate(NamedTuple):
    """A gate that lets everybody through since it was confirmed."""

    id: str
    placement_id: str
    evidence_key: str
    confirmed_at: datetime | None


class OpenReview(NamedTuple):
    """A review that nobody has decided, or whose badge is not revoked yet, beside how things stand."""

    id: str
    cause: str
    digest: str
    is_revoked: bool
    """Its badge was revoked in another way."""
    revocation_reason: str | None
    is_over: bool
    """Its badge has ended."""
    now: Doubt


def emptied_at(session: Session, organisation_id: str, context_id: str) -> datetime | None:
    """Since when a course seems to have been reset, as long as no instructor has seen it."""
    return session.scalar(
        select(Context.emptied_at).where(Context.organisation_id == organisation_id, Context.id == context_id)
    )


def doubted_gates(session: Session, organisation_id: str, context_id: str) -> tuple[DoubtedGate, ...]:
    """The gates of a course that are doubted, of published badges."""
    rows = session.execute(
        select(Gate.id, Gate.placement_id, Gate.evidence_key, Gate.confirmed_at)
        .join(Placement, Placement.id == Gate.placement_id)
        .where(
            Gate.organisation_id == organisation_id,
            Gate.context_id == context_id,
            Gate.state == GateState.DOUBTED.value,
            Placement.status == "active",
        )
        .order_by(Gate.id)
    )
    return tuple(DoubtedGate(*row) for row in rows)


_DOUBT = (
    Award.id,
    Award.learner_id,
    _Then.placement_id,
    _Then.id,
    _Now.id,
    _Now.verdict,
    _Now.state,
    _Now.digest,
    Membership.is_active,
)
_IS_SAME_MATTER = sa.and_(
    _Now.placement_id == _Then.placement_id,
    _Now.learner_id == _Then.learner_id,
    _Now.micromodule_version_id == _Then.micromodule_version_id,
    _Now.is_latest.is_(True),
)


def _in_force(now: datetime) -> ColumnElement[bool]:
    return sa.and_(Credential.revoked_at.is_(None), sa.not_(validity.is_over(now)))


def changed(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, now: datetime
) -> tuple[Doubt, ...]:
    """Badges earned in a course whose latest decision is worse than the one that gave them: to be reviewed,
    or not known any more."""
    query = _by_decisions(organisation_id, context_id, now).where(
        sa.or_(
            _Now.verdict == "review",
            # Of a column that has no grade any more nothing is known; whether it had one, the evidence says.
            sa.and_(_Now.verdict == "held", _Now.state == "unknown"),
        )
    )
    return _doubts(session, query, learner_ids)


def resting_on(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_ids: Collection[str],
    learner_ids: Sequence[str] | None,
    now: datetime,
) -> tuple[Doubt, ...]:
    """Badges in force that were earned in some placements of a course."""
    query = _by_decisions(organisation_id, context_id, now).where(
        _Now.placement_id.in_(placement_ids), _Now.verdict.in_(("award", "held", "review"))
    )
    return _doubts(session, query, learner_ids)


def left(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, now: datetime
) -> tuple[Doubt, ...]:
    """Badges earned in a course by those who went from it since, as a whole roster said."""
    query = (
        select(*_DOUBT)
        .select_from(Membership)
        .join(Award, sa.and_(Award.learner_id == Membership.learner_id, Award.context_id == context_id))
        .join(_Then, _Then.id == Award.decision_id)
        .join(Placement, sa.and_(Placement.id == _Then.placement_id, Placement.context_id == context_id))
        .join(Credential, Credential.award_id == Award.id)
        .outerjoin(_Now, _IS_SAME_MATTER)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.context_id == context_id,
            Membership.is_active.is_(False),
            Membership.is_learner.is_(True),
            Membership.is_staff.is_(False),
            # A badge may be switched on for those who finished long ago: that they have gone is no news then.
            Membership.left_at > Award.awarded_at,
            Award.organisation_id == organisation_id,
            Placement.status == "active",
            _in_force(now),
        )
    )
    return _doubts(session, cast("Select[Any]", query), learner_ids)


def former(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, now: datetime
) -> tuple[Former, ...]:
    """Badges earned in a course by rules of a version before: nothing is decided by these any more."""
    query = (
        select(_Then.micromodule_version_id, *_DOUBT)
        .select_from(Placement)
        .join(
            _Then,
            sa.and_(
                _Then.placement_id == Placement.id,
                _Then.micromodule_version_id != Placement.micromodule_version_id,
            ),
        )
        .join(
            Award,
            sa.and_(
                Award.decision_id == _Then.id,
                Award.learner_id == _Then.learner_id,
                Award.context_id == context_id,
                Award.organisation_id == organisation_id,
            ),
        )
        .join(Credential, Credential.award_id == Award.id)
        .join(
            Membership,
            sa.and_(Membership.context_id == context_id, Membership.learner_id == Award.learner_id),
        )
        .outerjoin(_Now, _IS_SAME_MATTER)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status == "active",
            _in_force(now),
        )
    )
    if learner_ids is not None:
        query = query.where(Award.learner_id.in_(learner_ids))
    rows = session.execute(cast("Select[Any]", query).order_by(Award.id))
    return tuple(Former(_doubt(row[1:]), row[0]) for row in rows)


def _by_decisions(organisation_id: str, context_id: str, now: datetime) -> Select[Any]:
    query = (
        select(*_DOUBT)
        .select_from(Placement)
        .join(_Now, sa.and_(_Now.placement_id == Placement.id, _Now.is_latest.is_(True)))
        .join(
            Award,
            sa.and_(
                Award.learner_id == _Now.learner_id,
                Award.context_id == context_id,
                Award.organisation_id == organisation_id,
            ),
        )
        .join(_Then, sa.and_(_Then.id == Award.decision_id, _IS_SAME_MATTER))
        .join(Credential, Credential.award_id == Award.id)
        .join(
            Membership,
            sa.and_(Membership.context_id == context_id, Membership.learner_id == Award.learner_id),
        )
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status == "active",
            _Now.organisation_id == organisation_id,
            _in_force(now),
        )
    )
    return cast("Select[Any]", query)


def _doubts(session: Session, query: Select[Any], learner_ids: Sequence[str] | None) -> tuple[Doubt, ...]:
    if learner_ids is not None:
        query = query.where(Award.learner_id.in_(learner_ids))
    return tuple(_doubt(row) for row in session.execute(query.order_by(Award.id)))


def _doubt(row: Sequence[Any]) -> Doubt:
    return Doubt(*row)._replace(is_active=bool(row[-1]))


def undecided(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, now: datetime
) -> tuple[OpenReview, ...]:
    """The reviews of a course that nobody has decided, with how things stand now."""
    query = _reviews(organisation_id, now).where(
        Review.context_id == context_id, Review.status.in_(UNDECIDED)
    )
    if learner_ids is not None:
        query = query.where(Review.learner_id.in_(learner_ids))
    return tuple(_review(row) for row in session.execute(query))


def waiting(session: Session, organisation_id: str, review_id: str, now: datetime) -> OpenReview | None:
    """A review that nobody has decided, or whose badge is going to be revoked, with how things stand now;
    ``None`` for any other."""
    query = _reviews(organisation_id, now).where(
        Review.id == review_id,
        sa.or_(
            Review.status.in_(UNDECIDED),
            sa.and_(Review.status == REVOKED, Review.carried_out_at.is_(None)),
        ),
    )
    row = session.execute(query).one_or_none()
    return None if row is None else _review(row)


def _reviews(organisation_id: str, now: datetime) -> Select[Any]:
    query = (
        select(
            Review.id.label("review_id"),
            Review.cause,
            Review.digest,
            Credential.revoked_at.is_not(None),
            Credential.revocation_reason,
            validity.is_over(now),
            *_DOUBT,
        )
        .select_from(Review)
        .join(Award, Award.id == Review.award_id)
        .join(Credential, Credential.award_id == Award.id)
        .join(_Then, _Then.id == Review.decision_then_id)
        .join(
            Membership,
            sa.and_(Membership.context_id == Review.context_id, Membership.learner_id == Review.learner_id),
        )
        .outerjoin(_Now, _IS_SAME_MATTER)
        .where(Review.organisation_id == organisation_id)
    )
    return cast("Select[Any]", query)


def _review(row: Sequence[Any]) -> OpenReview:
    return OpenReview(row[0], row[1], row[2], bool(row[3]), row[4], bool(row[5]), _doubt(row[6:]))


def kept_digests(
    session: Session, organisation_id: str, award_ids: Sequence[str]
) -> frozenset[tuple[str, str]]:
    """(award, digest) of what somebody decided to keep, facts and all."""
    return frozenset(
        (row.award_id, row.digest)
        for chunk in chunks(award_ids)
        for row in session.execute(
            select(Review.award_id, Review.digest).where(
                Review.organisation_id == organisation_id,
                Review.award_id.in_(chunk),
                Review.status == KEPT,
            )
        )
    )


def awaiting_revocation(session: Session, organisation_id: str, award_ids: Sequence[str]) -> frozenset[str]:
    """Awards that are going to be revoked: there is nothing left to review."""
    return frozenset(
        award_id
        for chunk in chunks(award_ids)
        for award_id in session.scalars(
            select(Review.award_id).where(
                Review.organisation_id == organisation_id,
                Review.award_id.in_(chunk),
                Review.status == REVOKED,
            )
        )
    )


class Evidenced(NamedTuple):
    """What a decision was made from, as stored."""

    micromodule_version_id: str
    evidence: Mapping[str, Any]
    decided_at: datetime


def evidence_of(
    session: Session, organisation_id: str, decision_ids: Collection[str]
) -> dict[str, Evidenced]:
    """What some decisions were made from, by their ids."""
    return {
        row.id: Evidenced(row.micromodule_version_id, row.evidence, row.decided_at)
        for chunk in chunks(sorted(decision_ids))
        for row in session.execute(
            select(
                Decision.id, Decision.micromodule_version_id, Decision.evidence, Decision.decided_at
            ).where(Decision.organisation_id == organisation_id, Decision.id.in_(chunk))
        )
    }
