"""Many rows as one parameter: a list that a statement can join, on SQLite and PostgreSQL alike.

A thousand values in ``IN (…)`` are a thousand parameters, and PostgreSQL compares them one after the
other once the statement is prepared. One JSON document, turned into rows by the database, is planned as a
table: a page of a roster is then three statements, whatever its length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine


def row_set(
    session: Session,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, TypeEngine[Any]],
    name: str = "given",
) -> sa.FromClause:
    """``rows`` as something to select from, with ``columns`` as they are stored in a table.

    :param rows: in the order in which they are to be locked; without repeats where they are to be written.
    :param columns: the type of each key, as the table has it.
    """
    dialect = session.get_bind().dialect
    binders = {key: type_.dialect_impl(dialect).bind_processor(dialect) for key, type_ in columns.items()}
    document = json.dumps(
        [{key: bind(row[key]) if bind else row[key] for key, bind in binders.items()} for row in rows],
        default=_text,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    parameter = sa.bindparam(None, document, type_=sa.Text, unique=True)
    if dialect.name == "postgresql":
        fields = [sa.column(key, type_) for key, type_ in columns.items()]
        return (
            sa.func.json_to_recordset(sa.cast(parameter, postgresql.JSON))
            .table_valued(*fields, name=name)
            .render_derived(name=name, with_types=True)
        )
    each = sa.func.json_each(parameter).table_valued(sa.column("value", sa.Text), name=f"{name}_json")
    return sa.select(
        *(
            sa.type_coerce(sa.func.json_extract(each.c.value, f"$.{key}"), type_).label(key)
            for key, type_ in columns.items()
        )
    ).subquery(name)


def fresh_id(session: Session) -> sa.ColumnElement[str]:
    """A key for each row that a statement makes, as :func:`~lti_tool.store.tables.new_id` makes them."""
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.replace(sa.cast(sa.func.gen_random_uuid(), sa.Text), "-", "")
    return sa.func.lower(sa.func.hex(sa.func.randomblob(16)))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"no JSON for {type(value).__name__}")
