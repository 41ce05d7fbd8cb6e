"""Which contexts are owed a read, in an order that is fair to everybody.

Organisations take turns, and within one the platforms: who has five thousand courses due delays nobody who
has one. Within both, the course comes first whose promise is broken the furthest, as a share of the promise:
when a platform's calls are short, all its intervals stretch alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Float, case, func, literal, select
from sqlalchemy.orm import Session

from lti_tool.domain.freshness import ACTIVE_FOR, ACTIVE_INTERVAL, NIGHT, RECENT_FOR, RECENT_INTERVAL
from lti_tool.store.tables import Context, Deployment, Placement, Registration


@dataclass(frozen=True, slots=True)
class DueContext:
    """A context whose next sync is owed."""

    organisation_id: str
    context_id: str
    registration_id: str


@dataclass(frozen=True, slots=True)
class Arrears:
    """How much the schedule owes.

    :ivar due: contexts whose sync is owed.
    :ivar oldest_due_at: since when the longest waiting one is.
    """

    due: int
    oldest_due_at: datetime | None


def products_due(session: Session, now: datetime) -> dict[str, str]:
    """The approved registrations with a context that is owed a sync, and their products."""
    rows = session.execute(
        select(Registration.id, Registration.product).where(
            Registration.status == "approved",
            Registration.id.in_(select(Context.registration_id).where(Context.sync_due_at <= now)),
        )
    )
    return {row.id: row.product for row in rows}


def contexts_due(
    session: Session, now: datetime, limit: int, reads: Mapping[str, int]
) -> tuple[DueContext, ...]:
    """Contexts whose next sync is owed, as their turns come.

    :param reads: how many reads may begin on each registration; none on one that is not named.
    """
    allowed = {registration_id: count for registration_id, count in reads.items() if count > 0}
    if not allowed or limit <= 0:
        return ()
    lateness = _lateness(session, now)
    by_lateness = (lateness.desc(), Context.id)
    # The index on sync_due_at finds those that are due; the others are not looked at.
    due = (
        select(
            Context.organisation_id,
            Context.registration_id,
            Context.id,
            lateness.label("lateness"),
            _place(Context.organisation_id, Context.registration_id, order_by=by_lateness).label("place"),
        )
        .join(Deployment, Deployment.id == Context.deployment_id)
        .where(
            Context.sync_due_at <= now,
            Context.registration_id.in_(list(allowed)),
            Deployment.status == "approved",
        )
        .subquery()
    )
    in_turn = (due.c.place, due.c.lateness.desc(), due.c.id)
    turns = select(
        due,
        _place(due.c.organisation_id, order_by=in_turn).label("turn"),
        _place(due.c.registration_id, order_by=in_turn).label("platform_turn"),
    ).subquery()
    rows = session.execute(
        select(turns.c.organisation_id, turns.c.id, turns.c.registration_id, turns.c.platform_turn)
        .where(turns.c.platform_turn <= min(limit, max(allowed.values())))
        .order_by(turns.c.turn, turns.c.lateness.desc(), turns.c.id)
    )
    found = []
    for organisation_id, context_id, registration_id, platform_turn in rows:
        if platform_turn <= allowed[registration_id]:
            found.append(DueContext(organisation_id, context_id, registration_id))
            if len(found) == limit:
                break
    return tuple(found)


def arrears(session: Session, now: datetime) -> Arrears:
    """How much is owed in the whole installation, whether or not platforms have calls left for it."""
    due, oldest_due_at = session.execute(
        select(func.count(), func.min(Context.sync_due_at))
        .join(Registration, Registration.id == Context.registration_id)
        .join(Deployment, Deployment.id == Context.deployment_id)
        .where(Context.sync_due_at <= now, Registration.status == "approved", Deployment.status == "approved")
    ).one()
    return Arrears(due, oldest_due_at)


def _place(*group: Any, order_by: tuple[Any, ...]) -> sa.Over[int]:
    return func.row_number().over(partition_by=group, order_by=order_by)


def _lateness(session: Session, now: datetime) -> sa.ColumnElement[float]:
    """How long a context has been owed a read, as a share of the interval that it was promised."""
    interval = case(
        (Context.last_launched_at >= now - ACTIVE_FOR, literal(_seconds(ACTIVE_INTERVAL), Float)),
        (Context.last_launched_at >= now - RECENT_FOR, literal(_seconds(RECENT_INTERVAL), Float)),
        else_=literal(_seconds(NIGHT), Float),
    )
    moment = literal(now, Context.__table__.c.sync_due_at.type)
    overdue: sa.ColumnElement[float]
    if session.get_bind().dialect.name == "postgresql":
        overdue = sa.cast(sa.extract("epoch", moment - Context.sync_due_at), Float)
    else:
        overdue = (func.julianday(moment) - func.julianday(Context.sync_due_at)) * 86_400.0
    return overdue / interval


def _seconds(interval: timedelta) -> float:
    return interval.total_seconds()


# -- one context. Statements are built once: every sync runs them, and building costs more than running.

_ID, _ORGANISATION_ID = (
    sa.bindparam("own_id", type_=sa.String),
    sa.bindparam("own_organisation_id", type_=sa.String),
)
_IS_OWN = sa.and_(Context.organisation_id == _ORGANISATION_ID, Context.id == _ID)
_MOMENT = Context.__table__.c.sync_due_at.type
_SCHEDULE = (
    sa.update(cast(sa.Table, Context.__table__))
    .where(_IS_OWN)
    .values(sync_due_at=sa.bindparam("due_at", type_=_MOMENT))
)
_CLAIM = _SCHEDULE.where(Context.sync_due_at <= sa.bindparam("now", type_=_MOMENT))
_HASTEN = _SCHEDULE.where(Context.sync_due_at > sa.bindparam("due_at", type_=_MOMENT))
_LAST_LAUNCHED = select(
    Context.last_launched_at,
    sa.exists()
    .where(
        Placement.organisation_id == Context.organisation_id,
        Placement.context_id == Context.id,
        Placement.status == "active",
    )
    .label("has_placements"),
).where(_IS_OWN)


def claim_sync(
    session: Session, organisation_id: str, context_id: str, now: datetime, until: datetime
) -> bool:
    """Take a due sync: true for one caller only, until ``until``, when it is owed again."""
    return _run(session, _CLAIM, organisation_id, context_id, now=now, due_at=until) == 1


def schedule_sync(session: Session, organisation_id: str, context_id: str, due_at: datetime | None) -> None:
    """Say when the context is owed its next sync; ``None`` where it has nothing to read."""
    _run(session, _SCHEDULE, organisation_id, context_id, due_at=due_at)


def hasten_sync(session: Session, organisation_id: str, context_id: str, due_at: datetime) -> None:
    """Owe the context its next sync no later than ``due_at``, where it is owed one."""
    _run(session, _HASTEN, organisation_id, context_id, due_at=due_at)


def last_launched(session: Session, organisation_id: str, context_id: str) -> datetime | None:
    """When the context was launched last; ``None`` where nothing in it asks for evidence."""
    row = session.execute(
        _LAST_LAUNCHED, {"own_id": context_id, "own_organisation_id": organisation_id}
    ).one_or_none()
    return row.last_launched_at if row is not None and row.has_placements else None


def _run(session: Session, statement: Any, organisation_id: str, context_id: str, **values: Any) -> int:
    given = {"own_id": context_id, "own_organisation_id": organisation_id, **values}
    return session.connection().execute(statement, given).rowcount
