"""Which contexts are owed a read, and when the next is.

Of an organisation's courses on one platform that one comes first whose promise is broken furthest, as a share
of the promise: where a platform's calls are short, all its intervals stretch alike. Between organisations,
:mod:`lti_tool.domain.turns` decides.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Float, case, func, literal, select
from sqlalchemy.orm import Session

from lti_tool.domain.call_budget import CallBudget
from lti_tool.domain.freshness import (
    ACTIVE_FOR,
    ACTIVE_INTERVAL,
    NIGHT,
    PROMISED,
    RECENT_FOR,
    RECENT_INTERVAL,
    Activity,
)
from lti_tool.domain.registrations import Site
from lti_tool.domain.turns import DueContext
from lti_tool.store import tables
from lti_tool.store.tables import Context, Deployment, MicromoduleVersion, Placement, Registration

LONGEST_INTERVAL = 2 * NIGHT
"""No sync is put off for so long."""


@dataclass(frozen=True, slots=True)
class Arrears:
    """How much the schedule owes.

    :ivar due: contexts whose sync is owed.
    :ivar oldest_due_at: since when the longest waiting one is.
    """

    due: int
    oldest_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one context stands in the schedule."""

    sync_due_at: datetime | None
    last_launched_at: datetime
    roster_trouble: str | None
    product: str
    budget: CallBudget | None
    """Its platform's, as last counted; ``None`` where it was never asked."""


def products_due(session: Session, now: datetime) -> dict[Site, str]:
    """The approved platforms with a context that is owed a sync, and their products."""
    rows = session.execute(_PRODUCTS_DUE, {"now": now})
    return {Site(row.id, row.token_url): row.product for row in rows}


def contexts_due(
    session: Session, now: datetime, sites: Collection[Site], most: int
) -> tuple[DueContext, ...]:
    """Contexts of these platforms whose next sync is owed, those of one organisation together.

    Within it its platforms alternate, and of each the course comes first whose promise is broken furthest.

    :param most: how many of one organisation on one platform.
    """
    if not sites or most <= 0:
        return ()
    given = {
        "now": now,
        "active_since": now - ACTIVE_FOR,
        "recent_since": now - RECENT_FOR,
        "sites": [(site.registration_id, site.token_url) for site in sites],
        "most": most,
    }
    rows = session.execute(_contexts_due(session.get_bind().dialect.name), given)
    return tuple(
        DueContext(row.organisation_id, row.id, Site(row.registration_id, row.token_url)) for row in rows
    )


def arrears(session: Session, now: datetime) -> Arrears:
    """How much is owed in the whole installation, whether or not platforms have calls left for it."""
    due, oldest_due_at = session.execute(
        select(func.count(), func.min(Context.sync_due_at))
        .join(Registration, Registration.id == Context.registration_id)
        .join(Deployment, Deployment.id == Context.deployment_id)
        .where(Context.sync_due_at <= now, Registration.status == "approved", Deployment.status == "approved")
    ).one()
    return Arrears(due, oldest_due_at)


def standing(session: Session, organisation_id: str, context_id: str) -> Standing | None:
    """How a context stands in the schedule; ``None`` for one of another organisation."""
    row = session.execute(
        _STANDING, {"own_id": context_id, "own_organisation_id": organisation_id}
    ).one_or_none()
    if row is None:
        return None
    budget = None if row.counted_at is None else CallBudget(*row[4:])
    return Standing(*row[:4], budget)


# Statements are built once: a pass comes every few seconds, and building costs more than running.

_MOMENT = Context.__table__.c.sync_due_at.type
_NOW = sa.bindparam("now", type_=_MOMENT)
_TOKEN_URL = func.coalesce(Deployment.token_url, Registration.token_url)
"""As :func:`~lti_tool.domain.registrations.site_of`."""
_PRODUCTS_DUE = (
    select(Registration.id, _TOKEN_URL.label("token_url"), Registration.product)
    .join(Deployment, Deployment.registration_id == Registration.id)
    .where(
        Registration.status == "approved",
        Deployment.status == "approved",
        Deployment.id.in_(select(Context.deployment_id).where(Context.sync_due_at <= _NOW)),
    )
    .distinct()
)


@functools.cache
def _contexts_due(dialect: str) -> sa.Select[Any]:
    lateness = _lateness(dialect)
    place = func.row_number().over(
        partition_by=(Context.organisation_id, Context.registration_id, _TOKEN_URL),
        order_by=(lateness.desc(), Context.id),
    )
    # The index on sync_due_at finds those that are due; the others are not looked at.
    due = (
        select(
            Context.organisation_id,
            Context.id,
            Context.registration_id,
            _TOKEN_URL.label("token_url"),
            lateness.label("lateness"),
            place.label("place"),
        )
        .join(Deployment, Deployment.id == Context.deployment_id)
        .join(Registration, Registration.id == Context.registration_id)
        .where(
            Context.sync_due_at <= _NOW,
            sa.tuple_(Context.registration_id, _TOKEN_URL).in_(sa.bindparam("sites", expanding=True)),
            Deployment.status == "approved",
        )
        .subquery()
    )
    return (
        select(due.c.organisation_id, due.c.id, due.c.registration_id, due.c.token_url)
        .where(due.c.place <= sa.bindparam("most", type_=sa.Integer))
        .order_by(due.c.organisation_id, due.c.place, due.c.lateness.desc(), due.c.id)
    )


def _lateness(dialect: str) -> sa.ColumnElement[float]:
    """How long a context has been owed a read, as a share of the interval that it was promised.

    In use is what was launched; and what was put off for a short while only, since grades were given in it.
    """
    active_since = sa.bindparam("active_since", type_=_MOMENT)
    recent_since = sa.bindparam("recent_since", type_=_MOMENT)
    put_off = _seconds(dialect, Context.roster_read_at, Context.sync_due_at)
    interval = case(
        (
            sa.or_(Context.last_launched_at >= active_since, put_off <= _PUT_OFF_ACTIVE),
            literal(ACTIVE_INTERVAL.total_seconds(), Float),
        ),
        (
            sa.or_(Context.last_launched_at >= recent_since, put_off <= _PUT_OFF_RECENT),
            literal(RECENT_INTERVAL.total_seconds(), Float),
        ),
        else_=literal(NIGHT.total_seconds(), Float),
    )
    return _seconds(dialect, Context.sync_due_at, _NOW) / interval


_PUT_OFF_ACTIVE = 2 * ACTIVE_INTERVAL.total_seconds()
_PUT_OFF_RECENT = PROMISED[Activity.RECENT].total_seconds()
"""From the beginning of a read of the roster, so with the time that the sync took."""


def _seconds(dialect: str, earlier: Any, later: Any) -> sa.ColumnElement[float]:
    elapsed: sa.ColumnElement[float]
    if dialect == "postgresql":
        elapsed = sa.cast(sa.extract("epoch", later - earlier), Float)
    else:
        elapsed = (func.julianday(later) - func.julianday(earlier)) * 86_400.0
    return elapsed


# -- one context

_ID, _ORGANISATION_ID = (
    sa.bindparam("own_id", type_=sa.String),
    sa.bindparam("own_organisation_id", type_=sa.String),
)
_IS_OWN = sa.and_(Context.organisation_id == _ORGANISATION_ID, Context.id == _ID)
_SCHEDULE = (
    sa.update(cast(sa.Table, Context.__table__))
    .where(_IS_OWN)
    .values(sync_due_at=sa.bindparam("due_at", type_=_MOMENT))
)
_CLAIM = _SCHEDULE.where(Context.sync_due_at <= _NOW)
_HASTEN = _SCHEDULE.where(Context.sync_due_at > sa.bindparam("due_at", type_=_MOMENT))
_SINCE = sa.bindparam("since", type_=_MOMENT)
_WAS_PUBLISHED = select(Context.id).where(
    _IS_OWN,
    sa.exists().where(
        Placement.organisation_id == Context.organisation_id,
        Placement.context_id == Context.id,
        Placement.status == "active",
        MicromoduleVersion.id == Placement.micromodule_version_id,
        # Or its next version was: then it is another version that the placement stands for.
        sa.or_(Placement.published_at > _SINCE, MicromoduleVersion.created_at > _SINCE),
    ),
)
_LAST_LAUNCHED = select(
    Context.last_launched_at,
    sa.exists()
    .where(
        Placement.organisation_id == Context.organisation_id,
        Placement.context_id == Context.id,
        # A draft is read as well: whoever sets one up needs values.
        Placement.status != "removed",
    )
    .label("has_placements"),
).where(_IS_OWN)

_STANDING = (
    select(
        Context.sync_due_at,
        Context.last_launched_at,
        Context.roster_trouble,
        Registration.product,
        tables.CallBudget.calls_left,
        tables.CallBudget.visit_calls_left,
        tables.CallBudget.pace,
        tables.CallBudget.counted_at,
    )
    .join(Registration, Registration.id == Context.registration_id)
    .join(Deployment, Deployment.id == Context.deployment_id)
    .outerjoin(
        tables.CallBudget,
        sa.and_(
            tables.CallBudget.registration_id == Registration.id,
            tables.CallBudget.token_url == _TOKEN_URL,
        ),
    )
    .where(_IS_OWN)
)


def claim_sync(
    session: Session, organisation_id: str, context_id: str, now: datetime, until: datetime
) -> bool:
    """Take a due sync: true for one caller only, until ``until``, when it is owed again."""
    return _run(session, _CLAIM, organisation_id, context_id, now=now, due_at=until) == 1


def schedule_sync(session: Session, organisation_id: str, context_id: str, due_at: datetime | None) -> None:
    """Say when the context is owed its next sync; ``None`` where it has nothing to read."""
    _run(session, _SCHEDULE, organisation_id, context_id, due_at=due_at)


def was_published(session: Session, organisation_id: str, context_id: str, since: datetime) -> bool:
    """Whether a badge of the context was published after ``since``."""
    given = {"own_id": context_id, "own_organisation_id": organisation_id, "since": since}
    return session.execute(_WAS_PUBLISHED, given).one_or_none() is not None


def hasten_sync(session: Session, organisation_id: str, context_id: str, due_at: datetime) -> None:
    """Owe the context its next sync no later than ``due_at``, where it is owed one."""
    _run(session, _HASTEN, organisation_id, context_id, due_at=due_at)


def recall_lost(session: Session, now: datetime) -> int:
    """Owe at once every sync that is owed later than any interval allows; how many.

    The clock was set back since: nobody but a visitor would bring these courses back.
    """
    recalled = session.connection().execute(
        sa.update(Context).where(Context.sync_due_at > now + LONGEST_INTERVAL).values(sync_due_at=now)
    )
    return recalled.rowcount


def last_launched(session: Session, organisation_id: str, context_id: str) -> datetime | None:
    """When the context was launched last; ``None`` where nothing in it asks for evidence."""
    row = session.execute(
        _LAST_LAUNCHED, {"own_id": context_id, "own_organisation_id": organisation_id}
    ).one_or_none()
    return row.last_launched_at if row is not None and row.has_placements else None


def _run(session: Session, statement: Any, organisation_id: str, context_id: str, **values: Any) -> int:
    given = {"own_id": context_id, "own_organisation_id": organisation_id, **values}
    return session.connection().execute(statement, given).rowcount
