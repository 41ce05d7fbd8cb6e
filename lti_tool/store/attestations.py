"""What instructors attest of learners, and the list from which they choose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from lti_tool.store.decisions import taking_part
from lti_tool.store.dialects import contains_text, insert_all_if_absent, is_of
from lti_tool.store.tables import Attestation, Learner, LineItem, Membership, Result

CONFIRMED, OPEN = "confirmed", "open"
STATES = (CONFIRMED, OPEN)
"""What a list of learners can be narrowed to."""


@dataclass(frozen=True, slots=True)
class AttestedRow:
    """A learner of the course, and what is attested of them."""

    learner_id: str
    name: str | None
    is_attested: bool
    """By an instructor in the tool."""
    reason: str
    """Of the attestation, or of taking it back; empty where there was neither."""
    by_name: str | None
    at: datetime | None
    """When it was attested, or taken back."""
    in_column_at: datetime | None
    """When the attest column was read that shows all points; null where it does not."""
    in_column: bool

    @property
    def is_confirmed(self) -> bool:
        """Whether the rule is met, either way."""
        return self.is_attested or self.in_column


@dataclass(frozen=True, slots=True)
class LearnerFilter:
    """Which learners are meant."""

    query: str = ""
    """Part of a name."""
    state: str | None = None
    """One of :data:`STATES`."""


@dataclass(frozen=True, slots=True)
class AttestedRule:
    """A rule of a placement that people attest."""

    organisation_id: str
    context_id: str
    placement_id: str
    evidence_key: str


def _learners(of: AttestedRule, wanted: LearnerFilter, columns: Sequence[Any]) -> Select[Any]:
    # SQLite keeps exact numbers as text, which it would compare letter by letter.
    score, maximum = cast(Result.score, Float), cast(Result.maximum, Float)
    in_column = and_(Result.score.is_not(None), maximum > 0, score >= maximum)
    query = (
        select(*columns)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .outerjoin(
            Attestation,
            and_(
                is_of(Attestation.organisation_id, of.organisation_id),
                Attestation.placement_id == of.placement_id,
                Attestation.evidence_key == of.evidence_key,
                Attestation.learner_id == Membership.learner_id,
            ),
        )
        .outerjoin(
            LineItem,
            and_(
                is_of(LineItem.organisation_id, of.organisation_id),
                LineItem.placement_id == of.placement_id,
                LineItem.evidence_key == of.evidence_key,
                LineItem.tag == "attest",
            ),
        )
        .outerjoin(
            Result,
            and_(
                is_of(Result.organisation_id, of.organisation_id),
                Result.line_item_id == LineItem.id,
                Result.learner_id == Membership.learner_id,
                in_column,
            ),
        )
        .where(*taking_part(of.organisation_id, of.context_id))
    )
    if wanted.query:
        query = query.where(contains_text(Learner.name, wanted.query))
    confirmed: ColumnElement[bool] = or_(Attestation.is_attested.is_(True), Result.id.is_not(None))
    if wanted.state == CONFIRMED:
        query = query.where(confirmed)
    elif wanted.state == OPEN:
        query = query.where(~func.coalesce(confirmed, False))
    return query


def count(session: Session, of: AttestedRule, wanted: LearnerFilter) -> int:
    """How many learners of the course a filter finds."""
    return session.scalar(_learners(of, wanted, [func.count()])) or 0


def page(
    session: Session, of: AttestedRule, wanted: LearnerFilter, *, offset: int, limit: int
) -> tuple[AttestedRow, ...]:
    """Some of them by name: active learners of the course, no staff, no test users."""
    by = aliased(Learner)
    columns = (
        Learner.id,
        Learner.name,
        func.coalesce(Attestation.is_attested, False),
        func.coalesce(Attestation.reason, ""),
        by.name,
        Attestation.at,
        Result.read_at,
        Result.id.is_not(None),
    )
    query = _learners(of, wanted, columns).outerjoin(
        by, and_(by.id == Attestation.by_learner_id, is_of(by.organisation_id, of.organisation_id))
    )
    rows = session.execute(
        query.order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(
        AttestedRow(id_, name, bool(is_attested), reason, by_name, at, read_at, bool(in_column))
        for id_, name, is_attested, reason, by_name, at, read_at, in_column in rows
    )


def attestable(session: Session, of: AttestedRule, learner_ids: Sequence[str]) -> tuple[str, ...]:
    """Those of ``learner_ids`` who learn in the course now."""
    found = session.scalars(
        select(Membership.learner_id)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*taking_part(of.organisation_id, of.context_id), Membership.learner_id.in_(learner_ids))
        .order_by(Membership.learner_id)
    )
    return tuple(found)


def attest(
    session: Session,
    of: AttestedRule,
    learner_ids: Sequence[str],
    *,
    is_attested: bool,
    reason: str,
    by_learner_id: str,
    now: datetime,
) -> tuple[str, ...]:
    """Keep an instructor's word; whoever's stands already is left as it is, with its own reason.

    The caller holds the placement's lock.

    :returns: the learners for whom something changed.
    """
    rows = session.execute(
        select(Attestation.learner_id, Attestation.is_attested).where(
            Attestation.organisation_id == of.organisation_id,
            Attestation.placement_id == of.placement_id,
            Attestation.evidence_key == of.evidence_key,
            Attestation.learner_id.in_(learner_ids),
        )
    )
    known = {row.learner_id: row.is_attested for row in rows}
    changed = [id_ for id_ in learner_ids if id_ in known and known[id_] != is_attested]
    values = {"is_attested": is_attested, "reason": reason, "by_learner_id": by_learner_id, "at": now}
    if changed:
        session.execute(
            update(Attestation)
            .where(
                Attestation.organisation_id == of.organisation_id,
                Attestation.placement_id == of.placement_id,
                Attestation.evidence_key == of.evidence_key,
                Attestation.learner_id.in_(changed),
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
    # Nobody's word is taken back that was never given.
    new = [id_ for id_ in learner_ids if id_ not in known] if is_attested else []
    insert_all_if_absent(
        session,
        Attestation,
        (
            {
                "organisation_id": of.organisation_id,
                "placement_id": of.placement_id,
                "evidence_key": of.evidence_key,
                "learner_id": id_,
                **values,
            }
            for id_ in new
        ),
        on=("placement_id", "evidence_key", "learner_id"),
    )
    return (*changed, *new)


def counts(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> dict[tuple[str, str], int]:
    """For how many who learn in the course somebody gave their word in the tool, by (placement, key)."""
    rows = session.execute(
        select(Attestation.placement_id, Attestation.evidence_key, func.count())
        .join(
            Membership,
            and_(Membership.context_id == context_id, Membership.learner_id == Attestation.learner_id),
        )
        .join(Learner, Learner.id == Attestation.learner_id)
        .where(
            *taking_part(organisation_id, context_id),
            is_of(Attestation.organisation_id, organisation_id),
            Attestation.placement_id.in_(placement_ids),
            Attestation.is_attested.is_(True),
        )
        .group_by(Attestation.placement_id, Attestation.evidence_key)
    )
    return {(placement_id, key): number for placement_id, key, number in rows}
