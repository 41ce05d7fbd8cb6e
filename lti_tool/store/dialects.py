"""The two statements that SQLite and PostgreSQL spell differently: insert-if-absent and bulk upsert."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ColumnDefault
from sqlalchemy.types import JSON

from lti_tool.store.tables import Base

Row = Mapping[str, Any]
Target = type[Base] | sa.Table

COPY_FROM_ROWS = 64
"""From so many rows on, PostgreSQL's COPY into a temporary table is cheaper than one statement a row."""

_CHUNK = 2_000
"""Rows held at once on the way to SQLite: memory stays flat however long the roster is."""

_COUNTED = {"preserve_rowcount": True}
"""SQLAlchemy keeps the count of an INSERT only where it is asked to."""

_numbers = itertools.count()


def insert_if_absent(session: Session, target: Target, values: Row, *, on: Sequence[str]) -> bool:
    """Insert one row unless one with the same ``on`` columns (a unique key) is there; True if inserted.

    Without ``on`` columns, any unique key or index that it would violate counts.

    Two transactions that try at once: exactly one gets True, on both databases, without an exception.
    """
    table = _table(target)
    session.flush()
    target_columns = list(on) or None
    statement = _insert(session, table).values(**values).on_conflict_do_nothing(index_elements=target_columns)
    return session.connection().execute(statement, execution_options=_COUNTED).rowcount == 1


def insert_all_if_absent(session: Session, target: Target, rows: Iterable[Row], *, on: Sequence[str]) -> int:
    """Insert the rows whose ``on`` columns (a unique key) are not there yet, leave the others as they are.

    :param rows: mappings with the same keys each; read once, so it may be a generator.
    :returns: how many rows were inserted.
    """
    return _write_all(session, _table(target), rows, _Conflict(tuple(on)))


def upsert_changed(
    session: Session,
    target: Target,
    rows: Iterable[Row],
    key_columns: Sequence[str],
    compare_columns: Sequence[str],
    *,
    update_columns: Sequence[str] | None = None,
) -> int:
    """Insert new rows, update those that differ in ``compare_columns``, leave the others untouched.

    :param rows: mappings with the same keys each; read once, so it may be a generator. Where a key comes
        twice, the later row wins.
    :param key_columns: the columns of a unique constraint.
    :param compare_columns: a row counts as changed when one of these differs (NULL equals NULL).
    :param update_columns: what is written to a changed row; by default every given column but the primary
        key, the ``key_columns`` and ``created_at``.
    :returns: how many rows were inserted or changed.
    """
    table = _table(target)
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return 0
    if update_columns is None:
        never = {*key_columns, "created_at", *(column.name for column in table.primary_key)}
        update_columns = [name for name in first if name not in never]
    conflict = _Conflict(tuple(key_columns), tuple(compare_columns), tuple(update_columns))
    return _write_all(session, table, itertools.chain([first], iterator), conflict)


@dataclass(frozen=True, slots=True)
class _Conflict:
    """What to do with a row whose key is there: update it if it differs; nothing without ``update``."""

    key: tuple[str, ...]
    compare: tuple[str, ...] = ()
    update: tuple[str, ...] = ()

    def completes(self, table: sa.Table, insert: postgresql.Insert | sqlite.Insert) -> Any:
        if not self.update:
            return insert.on_conflict_do_nothing(index_elements=list(self.key))
        new = insert.excluded
        return insert.on_conflict_do_update(
            index_elements=list(self.key),
            set_={name: new[name] for name in self.update},
            where=sa.or_(
                *(
                    _comparable(table.c[name]).is_distinct_from(_comparable(new[name]))
                    for name in self.compare
                )
            ),
        )


def _write_all(session: Session, table: sa.Table, rows: Iterable[Row], conflict: _Conflict) -> int:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return 0
    session.flush()
    columns, complete = _with_defaults(table, first)
    everything: Iterator[dict[str, Any]] = map(complete, itertools.chain([first], iterator))
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        start = list(itertools.islice(everything, COPY_FROM_ROWS))
        if len(start) == COPY_FROM_ROWS:
            return _by_copy(connection, table, columns, itertools.chain(start, everything), conflict)
        everything = iter(start)
    return _by_statements(connection, _insert(session, table), table, everything, conflict)


def _by_statements(
    connection: Connection,
    insert: postgresql.Insert | sqlite.Insert,
    table: sa.Table,
    rows: Iterator[dict[str, Any]],
    conflict: _Conflict,
) -> int:
    statement = conflict.completes(table, insert)
    written = 0
    while chunk := list(itertools.islice(rows, _CHUNK)):
        written += connection.execute(statement, chunk, execution_options=_COUNTED).rowcount
    return written


def _by_copy(
    connection: Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Iterator[dict[str, Any]],
    conflict: _Conflict,
) -> int:
    """PostgreSQL: COPY into a temporary table, then one statement from there."""
    source = sa.Table(
        f"upsert_{next(_numbers)}",
        sa.MetaData(),
        sa.Column("ordinal_", sa.BigInteger),
        *(sa.Column(name, table.c[name].type) for name in columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    source.create(connection, checkfirst=False)
    dialect = connection.dialect
    bind = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in columns]
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in source.columns)
    driver = cast(Any, connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {source.name} ({names}) FROM STDIN") as copying:
        for ordinal, row in enumerate(rows):
            copying.write_row(
                [ordinal, *(row[name] if process is None else process(row[name]) for name, process in bind)]
            )
    key = [source.c[name] for name in conflict.key]
    latest = (
        sa.select(*(source.c[name] for name in columns))
        .ext(postgresql.distinct_on(*key))
        .order_by(*key, source.c.ordinal_.desc())
    )
    insert = postgresql.insert(table).from_select(list(columns), latest)
    written = connection.execute(conflict.completes(table, insert), execution_options=_COUNTED).rowcount
    source.drop(connection, checkfirst=False)
    return written


def _comparable(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """PostgreSQL's json has no equality; its text has."""
    return sa.cast(column, sa.Text) if isinstance(column.type, JSON) else column


def _with_defaults(table: sa.Table, first: Row) -> tuple[tuple[str, ...], Callable[[Row], dict[str, Any]]]:
    """The columns to write, and a function that completes a row with the defaults of :mod:`.tables`."""
    given = tuple(first)
    makers: dict[str, Callable[[], Any]] = {}
    for column in table.columns:
        default = column.default
        if column.name in first or not isinstance(default, ColumnDefault):
            continue
        # SQLAlchemy wraps a callable default so that it takes the execution context; ours need nothing of it.
        makers[column.name] = (
            partial(default.arg, None) if default.is_callable else partial(copy, default.arg)
        )

    def complete(row: Row) -> dict[str, Any]:
        if len(row) != len(given):
            raise ValueError(f"rows of one upsert need the same columns: {sorted(given)}")
        return {**row, **{name: make() for name, make in makers.items()}}

    return (*given, *makers), complete


def _table(target: Target) -> sa.Table:
    return target if isinstance(target, sa.Table) else cast(sa.Table, target.__table__)


def _insert(session: Session, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
