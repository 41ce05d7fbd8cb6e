"""Each platform's call budget, on which every process draws. Locked for the time of one small transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import String, Table, and_, bindparam, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.call_budget import CallBudget
from lti_tool.domain.registrations import Site
from lti_tool.store import tables
from lti_tool.store.dialects import insert_if_absent

_COLUMNS = (
    tables.CallBudget.calls_left,
    tables.CallBudget.visit_calls_left,
    tables.CallBudget.pace,
    tables.CallBudget.counted_at,
)


@dataclass(frozen=True, slots=True)
class KeptBudget:
    """The budget of one platform."""

    site: Site
    registration_name: str
    product: str
    budget: CallBudget


# Built once: they run with every few calls, and building a statement costs more than running it.
_IS_OWN = and_(
    tables.CallBudget.registration_id == bindparam("own_registration_id", type_=String),
    tables.CallBudget.token_url == bindparam("own_token_url", type_=String),
)
_KEPT = select(*_COLUMNS).where(_IS_OWN)
_LOCKED = _KEPT.with_for_update()
_KEEP = (
    update(cast(Table, tables.CallBudget.__table__))
    .where(_IS_OWN)
    .values({column.key: bindparam(column.key, type_=column.type) for column in _COLUMNS})
)


def locked(session: Session, site: Site, full: CallBudget) -> CallBudget:
    """The budget of a platform, which nobody else changes until this transaction ends.

    SQLite's write transactions follow one another anyway; PostgreSQL locks the row.

    :param full: what a platform that was never asked begins with.
    """
    given = _own(site)
    row = session.execute(_LOCKED, given).one_or_none()
    if row is None:
        values = {**asdict(site), **asdict(full)}
        insert_if_absent(session, tables.CallBudget, values, on=("registration_id", "token_url"))
        row = session.execute(_LOCKED, given).one()
    return CallBudget(*row)


def keep(session: Session, site: Site, budget: CallBudget) -> None:
    """Write back what :func:`locked` gave."""
    session.connection().execute(_KEEP, _own(site) | asdict(budget))


def kept(session: Session) -> tuple[KeptBudget, ...]:
    """Every budget as it was last counted; a platform that was never asked has none."""
    rows = session.execute(
        select(
            tables.CallBudget.registration_id,
            tables.CallBudget.token_url,
            tables.Registration.name,
            tables.Registration.product,
            *_COLUMNS,
        )
        .join(tables.Registration, tables.Registration.id == tables.CallBudget.registration_id)
        .order_by(tables.Registration.name, tables.CallBudget.token_url)
    )
    return tuple(KeptBudget(Site(*row[:2]), *row[2:4], CallBudget(*row[4:])) for row in rows)


def kept_of(session: Session, site: Site, full: CallBudget) -> CallBudget:
    """One platform's budget as it was last counted."""
    row = session.execute(_KEPT, _own(site)).one_or_none()
    return full if row is None else CallBudget(*row)


def _own(site: Site) -> dict[str, Any]:
    return {"own_registration_id": site.registration_id, "own_token_url": site.token_url}
