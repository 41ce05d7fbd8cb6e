"""What instructors attest of learners, and the list from which they choose them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Float, Select, and_, cast, delete, func, or_, select, update
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


def _in_column(of: AttestedRule) -> Select[str, datetime]:
    """Who has full points in the attest column, and when that was read."""
    # SQLite keeps exact numbers as text, which it would compare letter by letter.
    score, maximum = cast(Result.score, Float), cast(Result.maximum, Float)
    return (
        select(Result.learner_id, Result.read_at)
        .join(LineItem, LineItem.id == Result.line_item_id)
        .where(
            is_of(LineItem.organisation_id, of.organisation_id),
            LineItem.placement_id == of.placement_id,
            LineItem.evidence_key == of.evidence_key,
            LineItem.tag == "attest",
            is_of(Result.organisation_id, of.organisation_id),
            Result.score.is_not(None),
            maximum > 0,
            score >= maximum,
        )
    )


def _attested(of: AttestedRule) -> tuple[ColumnElement[bool], ...]:
    return (
        is_of(Attestation.organisation_id, of.organisation_id),
        Attestation.placement_id == of.placement_id,
        Attestation.evidence_key == of.evidence_key,
    )


def _wanted(of: AttestedRule, wanted: LearnerFilter) -> list[ColumnElement[bool]]:
    where = [*taking_part(of.organisation_id, of.context_id)]
    if wanted.query:
        where.append(contains_text(Learner.name, wanted.query))
    if wanted.state is not None:
        # Each side is looked up once, whatever the database believes about how many there are.
        in_tool = select(Attestation.learner_id).where(*_attested(of), Attestation.is_attested.is_(True))
        in_column = _in_column(of).with_only_columns(Result.learner_id)
        confirmed = or_(Membership.learner_id.in_(in_tool), Membership.learner_id.in_(in_column))
        where.append(confirmed if wanted.state == CONFIRMED else ~confirmed)
    return where


def count(session: Session, of: AttestedRule, wanted: LearnerFilter) -> int:
    """How many learners of the course a filter finds."""
    query = (
        select(func.count())
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*_wanted(of, wanted))
    )
    return session.scalar(query) or 0


def page(
    session: Session, of: AttestedRule, wanted: LearnerFilter, *, offset: int, limit: int
) -> tuple[AttestedRow, ...]:
    """Some of them by name: active learners of the course, no staff, no test users."""
    found = session.execute(
        select(Learner.id, Learner.name)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*_wanted(of, wanted))
        .order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
        .offset(offset)
        .limit(limit)
    ).all()
    ids = [row.id for row in found]
    by = aliased(Learner)
    words = session.execute(
        select(
            Attestation.learner_id,
            Attestation.is_attested,
            Attestation.reason,
            by.name.label("by_name"),
            Attestation.at,
        )
        .outerjoin(
            by, and_(by.id == Attestation.by_learner_id, is_of(by.organisation_id, of.organisation_id))
        )
        .where(*_attested(of), Attestation.learner_id.in_(ids))
    )
    attested = {row.learner_id: row for row in words}
    read_at = {
        row.learner_id: row.read_at
        for row in session.execute(_in_column(of).where(Result.learner_id.in_(ids)))
    }
    rows = []
    for id_, name in found:
        word = attested.get(id_)
        rows.append(
            AttestedRow(
                id_,
                name,
                is_attested=word is not None and word.is_attested,
                reason=word.reason if word else "",
                by_name=word.by_name if word else None,
                at=word.at if word else None,
                in_column_at=read_at.get(id_),
                in_column=id_ in read_at,
            )
        )
    return tuple(rows)


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


def words(session: Session, organisation_id: str, placement_id: str) -> dict[str, int]:
    """How many people's word stands in a placement, by evidence key: of former learners, too."""
    rows = session.execute(
        select(Attestation.evidence_key, func.count())
        .where(
            Attestation.organisation_id == organisation_id,
            Attestation.placement_id == placement_id,
            Attestation.is_attested.is_(True),
        )
        .group_by(Attestation.evidence_key)
    )
    return {row[0]: row[1] for row in rows}


def follow(
    session: Session,
    organisation_id: str,
    placement_id: str,
    *,
    before: Collection[str],
    names: Mapping[str, str],
    after: Collection[str],
) -> None:
    """Let words follow the rules of a draft that are renamed; those of rules that are gone are forgotten.

    :param before: evidence keys of the rules that people attest, before the change; ``after`` it.
    :param names: new key by old key.
    """
    own = (Attestation.organisation_id == organisation_id, Attestation.placement_id == placement_id)

    def keep(keys: Collection[str]) -> None:
        session.execute(
            delete(Attestation)
            .where(*own, Attestation.evidence_key.not_in(keys))
            .execution_options(synchronize_session=False)
        )

    keep(before)
    for old, new in names.items():
        session.execute(
            update(Attestation)
            .where(*own, Attestation.evidence_key == old)
            .values(evidence_key=new)
            .execution_options(synchronize_session=False)
        )
    keep(after)
