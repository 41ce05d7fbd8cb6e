"""Each platform's call budget, on which every process draws. Locked for the time of one small transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from sqlalchemy import String, Table, bindparam, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.call_budget import CallBudget
from lti_tool.store import tables
from lti_tool.store.dialects import insert_if_absent

_COLUMNS = (
    tables.CallBudget.calls_left,
    tables.CallBudget.visit_calls_left,
    tables.CallBudget.pace,
    tables.CallBudget.counted_at,
)

# Built once: they run with every few calls, and building a statement costs more than running it.
_IS_OWN = tables.CallBudget.registration_id == bindparam("own_registration_id", type_=String)
_KEPT = select(*_COLUMNS).where(_IS_OWN)
_LOCKED = _KEPT.with_for_update()
_KEEP = (
    update(cast(Table, tables.CallBudget.__table__))
    .where(_IS_OWN)
    .values({column.key: bindparam(column.key, type_=column.type) for column in _COLUMNS})
)


def locked(session: Session, registration_id: str, full: CallBudget) -> CallBudget:
    """The budget of a platform, which nobody else changes until this transaction ends.

    SQLite's write transactions follow one another anyway; PostgreSQL locks the row.

    :param full: what a platform that was never asked begins with.
    """
    given = {"own_registration_id": registration_id}
    row = session.execute(_LOCKED, given).one_or_none()
    if row is None:
        values = {"registration_id": registration_id, **asdict(full)}
        insert_if_absent(session, tables.CallBudget, values, on=("registration_id",))
        row = session.execute(_LOCKED, given).one()
    return CallBudget(*row)


def keep(session: Session, registration_id: str, budget: CallBudget) -> None:
    """Write back what :func:`locked` gave."""
    session.connection().execute(_KEEP, {"own_registration_id": registration_id, **asdict(budget)})


def kept(session: Session) -> dict[str, tuple[str, CallBudget]]:
    """Each registration's product, and its budget as it was last counted; one never asked has none."""
    rows = session.execute(
        select(tables.Registration.id, tables.Registration.product, *_COLUMNS).join(
            tables.CallBudget, tables.CallBudget.registration_id == tables.Registration.id
        )
    )
    return {row.id: (row.product, CallBudget(*row[2:])) for row in rows}


def kept_of(session: Session, registration_id: str, full: CallBudget) -> CallBudget:
    """One platform's budget as it was last counted."""
    row = session.execute(_KEPT, {"own_registration_id": registration_id}).one_or_none()
    return full if row is None else CallBudget(*row)
