"""Many rows at once: staged in a temporary table, then merged into a stored one by two statements.

Nothing is written for a row that is stored already as it is: an ``ON CONFLICT DO UPDATE`` whose ``WHERE``
says no still locks the row, and PostgreSQL writes that down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, aliased
from sqlalchemy.schema import CreateTable

from lti_tool.store.tables import Base

MANY = 200
"""From so many rows on, a plan made without statistics costs more than the statistics."""

IDS_AT_ONCE = 900
"""Ids in one statement: both databases bind far more, and gain nothing from it."""

T = TypeVar("T")

Changes = tuple[dict[str, Any], sa.ColumnElement[bool]]
"""What to set on a row that is there, and where."""


def chunks(items: Iterable[T], size: int = IDS_AT_ONCE) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def staging_table(name: str, columns: Mapping[str, Any]) -> sa.Table:
    """A temporary table, one for each connection that uses it.

    :param columns: their types, by name.
    """
    return sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(key, type_) for key, type_ in columns.items()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DELETE ROWS",
    )


@contextmanager
def staged(session: Session, table: sa.Table, rows: Sequence[Sequence[Any]]) -> Iterator[None]:
    """``rows`` in a table of :func:`staging_table`, for as long as the block lasts."""
    connection = session.connection()
    connection.execute(CreateTable(table, if_not_exists=True))
    if connection.dialect.name == "postgresql" and len(rows) >= MANY:
        copy_rows(connection, table, rows)
        connection.execute(sa.text(f"ANALYZE {table.name}"))
    elif rows:  # an INSERT with an empty list is one of a row of nulls
        names = table.columns.keys()
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    yield
    connection.execute(table.delete())  # they are personal; the connection lives on


def copy_rows(connection: Connection, table: sa.Table, rows: Iterable[Sequence[Any]]) -> None:
    """PostgreSQL's COPY: rows with a value for each column of ``table``, which is empty."""
    dialect = connection.dialect
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    bind = [
        (place, process)
        for place, column in enumerate(table.columns)
        if (process := column.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    ]
    with _copying(connection, f"COPY {table.name} ({names}) FROM STDIN") as copying:
        for row in rows:
            values = list(row)
            for place, process in bind:
                values[place] = process(values[place])
            copying.write_row(values)


@contextmanager
def _copying(connection: Connection, statement: str) -> Iterator[Any]:
    """The driver's COPY, which SQLAlchemy does not see: its errors become what those of a statement are.

    What was being written stays out of them, as of all others: PostgreSQL quotes the line that it refused.
    """
    driver = cast(Any, connection.connection.driver_connection)
    dialect = connection.dialect
    base = dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copying:
            yield copying
    except base as error:
        told = type(error)(error.diag.message_primary or type(error).__name__)
        raise sa.exc.DBAPIError.instance(
            statement, None, told, base, hide_parameters=True, dialect=dialect
        ) from None


def copy_lines(
    connection: Connection,
    table: str,
    columns: Sequence[sa.Column[Any]],
    rows: Iterable[Sequence[Any]],
    shared: Mapping[sa.Column[Any], Any],
) -> None:
    """PostgreSQL's COPY in its text format: rows with a value for each of ``columns``.

    What all rows share is written down once for all of them; a driver looks at every value of every row.

    :param table: its name, as SQL writes it.
    :param shared: further columns, with the value that each row has there.
    """
    dialect = connection.dialect
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in (*columns, *shared))
    constants = [next(iter(_written(column, [value], dialect))) for column, value in shared.items()]
    pattern = "\t".join(["%s"] * len(columns) + [f"{text}".replace("%", "%%") for text in constants]) + "\n"
    with _copying(connection, f"COPY {table} ({names}) FROM STDIN") as copying:
        for chunk in chunks(rows, _LINES_AT_ONCE):
            written = [
                _written(column, values, dialect)
                for column, values in zip(columns, zip(*chunk, strict=True), strict=True)
            ]
            copying.write("".join(map(pattern.__mod__, zip(*written, strict=True))))


_LINES_AT_ONCE = 200
_COPY_ESCAPED = "\\\n\r\t"
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def bound(column: sa.Column[Any], values: Sequence[Any], dialect: sa.Dialect) -> Sequence[Any]:
    """A column's values as the driver gets them, but JSON as text."""
    if isinstance(column.type, sa.JSON):
        # SQLAlchemy would have the standard library write it, and wrap it up for the driver.
        return [msgspec.json.encode(value).decode() for value in values]
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else [process(value) for value in values]


def _written(column: sa.Column[Any], values: Sequence[Any], dialect: sa.Dialect) -> Sequence[Any]:
    """A column's values as COPY's text format has them once ``%s`` has made texts of them (PostgreSQL's
    manual, COPY, "Text Format")."""
    values = bound(column, values, dialect)
    kinds = {*map(type, values)}
    texts = values if kinds == {str} else [value for value in values if isinstance(value, str)]
    if texts:
        # Looked at together, and seldom anything to do.
        together = "".join(texts)
        if any(character in together for character in _COPY_ESCAPED):
            values = [value.translate(_COPY_ESCAPES) if isinstance(value, str) else value for value in values]
    return ["\\N" if value is None else value for value in values] if type(None) in kinds else values


def merge(
    session: Session,
    table: type[Base],
    values: Mapping[str, Any],
    source: sa.FromClause,
    *,
    key: tuple[str, ...],
    order: sa.ColumnElement[Any],
    changes: Callable[[Any, Any], Changes] | None = None,
) -> tuple[int, int]:
    """Add what is not there and change what differs; how many rows of each.

    :param values: the columns of a new row, from ``source``, which has no ``key`` twice.
    :param key: the columns of the unique constraint.
    :param order: the order in which rows are locked: the same everywhere, so that two transactions with
        the same rows do not lock each other out.
    :param changes: from the row that is there and a new one, what to set, and when. It is evaluated again
        on the row as it is once it is locked, so what somebody else has just written counts.
    """
    stored = cast(sa.Table, table.__table__)
    known: Any = aliased(table)
    is_known = sa.and_(*(getattr(known, name) == values[name] for name in key))
    differs: sa.ColumnElement[bool] = sa.false()
    if changes is not None:
        _, differs = changes(known, SimpleNamespace(**values))
    # Most of the time there is little to do: one look at all rows tells which of the two statements is owed.
    new, different = session.execute(
        sa.select(
            sa.func.count().filter(known.id.is_(None)), sa.func.count().filter(known.id.is_not(None), differs)
        ).select_from(sa.join(source, known, is_known, isouter=True))
    ).one()
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite

    def insert(condition: sa.ColumnElement[bool]) -> Any:
        # Asked by EXISTS: SQLite would turn a join round, and search all rows for each that is stored.
        rows = sa.select(*values.values()).select_from(source).where(condition).order_by(order)
        return dialect.insert(stored).from_select(list(values), rows, include_defaults=False)

    added = changed = 0
    if new:
        is_new = sa.not_(sa.exists().select_from(known).where(is_known).correlate(source))
        added = _execute(session, insert(is_new).on_conflict_do_nothing(index_elements=list(key)))
    if added >= MANY:
        _learn_statistics(session, stored)
    if changes is not None and different + new > added:
        is_different = sa.exists().select_from(known).where(is_known, differs).correlate(source)
        insertion = insert(is_different)
        to_set, still_differs = changes(table, insertion.excluded)
        changed = _execute(
            session,
            insertion.on_conflict_do_update(index_elements=list(key), set_=to_set, where=still_differs),
        )
    return added, changed


def fresh_id(session: Session) -> sa.ColumnElement[str]:
    """A key for each row that a statement makes, as :func:`~lti_tool.store.tables.new_id` makes them."""
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.replace(sa.cast(sa.func.gen_random_uuid(), sa.Text), "-", "")
    return sa.func.lower(sa.func.hex(sa.func.randomblob(16)))


def _learn_statistics(session: Session, table: sa.Table) -> None:
    """Have PostgreSQL count a table that it never looked at; once in the life of a database.

    Until it knows how many rows share a course or a platform, it takes the index of those alone and reads
    every learner for each row: a first roster of 50,000 then takes minutes. Autovacuum comes too late.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    known: Iterable[float] = session.execute(
        sa.select(sa.column("reltuples"))
        .select_from(sa.table("pg_class"))
        .where(sa.column("relname") == table.name)
    ).scalars()
    if any(count < 0 for count in known):
        session.execute(sa.text(f"ANALYZE {table.name}"))


def _execute(session: Session, statement: Any) -> int:
    result = session.connection().execute(statement, execution_options={"preserve_rowcount": True})
    return cast(CursorResult[Any], result).rowcount
