"""Rows as the driver gives them: what a pass over a whole course reads by the hundred thousand.

They stay plain tuples of text, which the garbage collector need not look at, until it is their learner's
turn. Statements that are run this way are built once each: building them takes longer than running them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import String, bindparam, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

ORGANISATION_ID = bindparam("organisation_id", type_=String)
LEARNER_IDS = bindparam("learner_ids", type_=String, expanding=True)

RawMoment = str | datetime
"""Text on SQLite, UTC without saying so; aware on PostgreSQL."""


def some(learner_ids: Sequence[str] | None) -> dict[str, list[str]]:
    """The parameter of a statement about some learners; none for one about everybody."""
    return {} if learner_ids is None else {"learner_ids": list(learner_ids)}


def untyped(column: Any) -> Any:
    """A column that nothing converts on its way here."""
    return type_coerce(column, NullType())


def raw(session: Session, query: sa.Executable, parameters: Mapping[str, Any]) -> Sequence[Any]:
    """The driver's own tuples."""
    result = session.connection().execute(query, parameters)
    assert result.cursor is not None
    rows = result.cursor.fetchall()
    result.close()
    return rows


@lru_cache(maxsize=8192)
def number(text: str) -> Decimal:
    """A stored grade, without the zeros that PostgreSQL pads it with."""
    return Decimal((text.rstrip("0").rstrip(".") or "0") if "." in text else text)


def moment(stored: RawMoment) -> datetime:
    """A stored time, aware and in UTC."""
    if isinstance(stored, str):
        return datetime.fromisoformat(f"{stored}+00:00")
    return stored.astimezone(UTC)


same_moment = lru_cache(maxsize=256)(moment)
"""For times that many rows share."""
