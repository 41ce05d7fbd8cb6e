"""Who stands where in one placement: the list of a course's learners, sorted and filtered by their newest
decisions.

A decision's row says how each criterion stood with a letter (``leaf_states``), so that ten thousand learners
are sorted without a single reason being read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from lti_tool.domain.awarding import COUNTED_WITH, Standing, Verdict, standing_of
from lti_tool.domain.criteria import State
from lti_tool.store import groups
from lti_tool.store.decisions import revoked_of, taking_part
from lti_tool.store.dialects import contains_text, is_of, unindexed
from lti_tool.store.participation import Gate, Submission
from lti_tool.store.tables import Decision, Learner, Membership

LETTERS = {"met": "M", "not_met": "N", "unknown": "U"}
"""The letter of each state, as decisions are stored."""


class Order(StrEnum):
    """By what a list is sorted."""

    NAME = "name"
    BADGE = "badge"
    MET = "met"
    """How many criteria are met."""
    CRITERION = "criterion"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which learners are meant, and in which order."""

    order: Order = Order.NAME
    descending: bool = False
    order_leaf: int = 0
    """Of :attr:`Order.CRITERION`: which one, from 0."""
    name: str = ""
    """A part of it."""
    standing: Standing | None = None
    leaf: int | None = None
    """Which criterion, from 0, stands as ``leaf_state`` says."""
    leaf_state: str | None = None
    """A key of :data:`LETTERS`."""
    group_id: str | None = None
    """Only those in this group of the course."""

    @property
    def is_narrowed(self) -> bool:
        """Whether anybody is left out."""
        return bool(self.name or self.standing or self.leaf is not None or self.group_id)

    @property
    def asks_decisions(self) -> bool:
        """Whether who is shown depends on decisions."""
        return self.standing is not None or self.leaf is not None


class Listed(NamedTuple):
    """A learner of the course."""

    learner_id: str
    name: str | None
    sub: str


_LISTED = (Learner.id, Learner.name, Learner.sub)
_SORT_NAME = func.lower(func.coalesce(Learner.name, Learner.sub))


def page(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_id: str,
    wanted: Wanted,
    *,
    offset: int,
    limit: int,
) -> tuple[Listed, ...]:
    """Some of the learners who are meant, in the order that is asked for; ties by name."""
    by_decision = wanted.order is not Order.NAME
    query, latest = _query(
        _LISTED, organisation_id, context_id, placement_id, wanted, with_decisions=by_decision
    )
    if latest is not None and by_decision:
        rank = _rank(wanted, latest, _is_revoked(organisation_id, placement_id))
        query = query.order_by(rank.desc() if wanted.descending else rank, _SORT_NAME, Learner.id)
    elif wanted.descending:
        query = query.order_by(_SORT_NAME.desc(), Learner.id.desc())
    else:
        query = query.order_by(_SORT_NAME, Learner.id)
    return tuple(Listed(*row) for row in session.execute(query.offset(offset).limit(limit)))


def count(session: Session, organisation_id: str, context_id: str, placement_id: str, wanted: Wanted) -> int:
    """How many learners are meant."""
    query, _ = _query((func.count(),), organisation_id, context_id, placement_id, wanted)
    return session.scalar(query) or 0


def _query(
    columns: tuple[Any, ...],
    organisation_id: str,
    context_id: str,
    placement_id: str,
    wanted: Wanted,
    *,
    with_decisions: bool = False,
) -> tuple[Select[Any], sa.Subquery | None]:
    query = cast(
        "Select[Any]",
        select(*columns)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*taking_part(organisation_id, context_id)),
    )
    if wanted.name:
        query = query.where(contains_text(func.coalesce(Learner.name, ""), wanted.name))
    if wanted.group_id:
        query = query.where(groups.is_in(organisation_id, context_id, wanted.group_id, Learner.id))
    if not with_decisions and not wanted.asks_decisions:
        return query, None
    latest = (
        select(Decision.learner_id, Decision.verdict, Decision.state, Decision.leaf_states)
        .where(
            is_of(Decision.organisation_id, organisation_id),
            Decision.placement_id == placement_id,
            unindexed(Decision.is_latest).is_(True),
        )
        .subquery()
    )
    query = query.outerjoin(latest, latest.c.learner_id == Learner.id)
    if wanted.standing is not None:
        together = COUNTED_WITH.get(wanted.standing, (wanted.standing,))
        revoked = _is_revoked(organisation_id, placement_id)
        query = query.where(sa.or_(*(_stands(one, latest, revoked) for one in together)))
    if wanted.leaf is not None:
        letter = LETTERS.get(wanted.leaf_state or "", "U")
        query = query.where(_letter(latest, wanted.leaf) == letter)
    return query, latest


def _is_revoked(organisation_id: str, placement_id: str) -> ColumnElement[bool]:
    revoked = revoked_of(organisation_id, [placement_id]).subquery()
    return Learner.id.in_(select(revoked.c.learner_id))


def _stands(standing: Standing, latest: sa.Subquery, revoked: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether :func:`~lti_tool.domain.awarding.standing_of` says so of what was decided last."""
    if standing is Standing.REVOKED:
        return revoked
    parts: list[ColumnElement[bool]] = []
    for verdict in Verdict:
        states = [state.value for state in State if standing_of(verdict, state) is standing]
        if len(states) == len(State):
            parts.append(latest.c.verdict == verdict.value)
        elif states:
            parts.append(sa.and_(latest.c.verdict == verdict.value, latest.c.state.in_(states)))
    if standing is Standing.NO_DATA:
        parts.append(latest.c.verdict.is_(None))
    return sa.and_(sa.or_(*parts), ~revoked)


def _letter(latest: sa.Subquery, leaf: int) -> ColumnElement[str]:
    """How a criterion stood; a decision of before letters were kept, or none at all, knows nothing."""
    letter = func.substr(func.coalesce(latest.c.leaf_states, ""), leaf + 1, 1)
    return sa.case((letter == "", "U"), else_=letter)


def _rank(wanted: Wanted, latest: sa.Subquery, revoked: ColumnElement[bool]) -> ColumnElement[Any]:
    """What is sorted by: the best first."""
    if wanted.order is Order.BADGE:
        return sa.case(
            *((_stands(standing, latest, revoked), number) for number, standing in enumerate(Standing)),
            else_=len(Standing),
        )
    if wanted.order is Order.MET:
        letters = func.coalesce(latest.c.leaf_states, "")
        return func.length(func.replace(letters, "M", "")) - func.length(letters)
    letter = _letter(latest, wanted.order_leaf)
    return sa.case((letter == "M", 0), (letter == "N", 1), else_=2)


def after(
    session: Session, organisation_id: str, context_id: str, last: Listed | None, *, limit: int
) -> tuple[Listed, ...]:
    """The learners that follow ``last`` by name: everybody is gone through without holding everybody.

    Somebody enrolled meanwhile may be missed, nobody comes twice.
    """
    query = (
        select(*_LISTED)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*taking_part(organisation_id, context_id))
        .order_by(_SORT_NAME, Learner.id)
    )
    if last is not None:
        # Let the database lower the name itself, as it does when it sorts.
        name = last.name if last.name is not None else last.sub
        query = query.where(
            sa.tuple_(_SORT_NAME, Learner.id)
            > sa.tuple_(func.lower(sa.literal(name)), sa.literal(last.learner_id))
        )
    return tuple(Listed(*row) for row in session.execute(query.limit(limit)))


def names_by_order(
    session: Session, organisation_id: str, context_id: str, name: str = "", group_id: str | None = None
) -> tuple[Listed, ...]:
    """Every learner of a course by name, or those of a group, or whose name holds ``name``."""
    query, _ = _query(_LISTED, organisation_id, context_id, "", Wanted(name=name, group_id=group_id))
    return tuple(Listed(*row) for row in session.execute(query.order_by(_SORT_NAME, Learner.id)))


def names(session: Session, organisation_id: str, learner_ids: Sequence[str]) -> dict[str, str | None]:
    """What some people of an organisation are called."""
    rows = session.execute(
        select(Learner.id, Learner.name).where(
            Learner.organisation_id == organisation_id, Learner.id.in_(learner_ids)
        )
    )
    return {row.id: row.name for row in rows}


@dataclass(frozen=True, slots=True)
class GateReading:
    """How the gate of one criterion is doing."""

    id: str
    evidence_key: str
    state: str
    read_at: datetime | None
    is_complete: bool
    trouble: str | None


def gates(session: Session, organisation_id: str, placement_id: str) -> tuple[GateReading, ...]:
    """The gates of a placement."""
    rows = session.execute(
        select(Gate.id, Gate.evidence_key, Gate.state, Gate.read_at, Gate.is_complete, Gate.trouble).where(
            is_of(Gate.organisation_id, organisation_id), Gate.placement_id == placement_id
        )
    )
    return tuple(GateReading(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody of a course, with what makes them a learner there."""

    learner_id: str
    name: str | None
    is_learner: bool
    is_staff: bool
    is_active: bool
    is_test_user: bool
    learner_proof: str
    proved_at: datetime | None
    seen_at: datetime


def person(session: Session, organisation_id: str, context_id: str, learner_id: str) -> PersonRow | None:
    """Somebody known in a context of this organisation."""
    row = session.execute(
        select(
            Learner.id,
            Learner.name,
            Membership.is_learner,
            Membership.is_staff,
            Membership.is_active,
            Learner.is_test_user,
            Membership.learner_proof,
            Membership.proved_at,
            Membership.seen_at,
        )
        .join(Membership, Membership.learner_id == Learner.id)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.context_id == context_id,
            Membership.learner_id == learner_id,
        )
    ).one_or_none()
    return None if row is None else PersonRow(*row)


@dataclass(frozen=True, slots=True)
class PastDecision:
    """One decision about a learner, without its reasons: those are replayed from what is stored."""

    id: str
    verdict: str
    state: str
    leaf_states: str
    decided_at: datetime
    is_latest: bool


def history(
    session: Session, organisation_id: str, placement_id: str, learner_id: str, *, limit: int
) -> tuple[PastDecision, ...]:
    """The decisions about a learner in a placement, the newest first."""
    rows = session.execute(
        select(
            Decision.id,
            Decision.verdict,
            Decision.state,
            Decision.leaf_states,
            Decision.decided_at,
            Decision.is_latest,
        )
        .where(
            is_of(Decision.organisation_id, organisation_id),
            Decision.placement_id == placement_id,
            Decision.learner_id == learner_id,
        )
        .order_by(Decision.is_latest.desc(), Decision.decided_at.desc(), Decision.id.desc())
        .limit(limit)
    )
    return tuple(PastDecision(*row) for row in rows)


def comments(session: Session, organisation_id: str, placement_id: str, learner_id: str) -> dict[str, str]:
    """What was written to a learner about evidence that was given back, by evidence key."""
    rows = session.execute(
        select(Submission.evidence_key, Submission.comment).where(
            Submission.organisation_id == organisation_id,
            Submission.placement_id == placement_id,
            Submission.learner_id == learner_id,
            Submission.is_latest.is_(True),
            Submission.state == "returned",
        )
    )
    return {row.evidence_key: row.comment for row in rows if row.comment}
