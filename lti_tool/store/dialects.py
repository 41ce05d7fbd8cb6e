"""What SQLite and PostgreSQL spell differently: searching, inserting what is absent, and upserting."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.schema import ColumnDefault

from lti_tool.store.staging import bound, chunks, copy_lines, copy_rows, staging_table
from lti_tool.store.tables import Base

Row = Mapping[str, Any]
Selection = TypeVar("Selection", bound=sa.Select[*tuple[Any, ...]])
Target = type[Base] | sa.Table

COPY_FROM_ROWS = 64
"""From so many rows on, PostgreSQL's COPY into a temporary table is cheaper than one statement a row."""

_CHUNK = 2_000
"""Rows held at once on the way to SQLite: memory stays flat however many there are."""

_COUNTED = {"preserve_rowcount": True}
"""SQLAlchemy keeps the count of an INSERT only where it is asked to."""

FEW = 10
"""So many values are asked for at once where one person comes."""
_POSTGRESQL: sa.Dialect = cast(Any, postgresql).dialect()
_numbers = itertools.count()


class _Value(FunctionElement[str]):
    """A column's value, which is no reason to take an index on it."""

    inherit_cache = True
    type = sa.String()


@compiles(_Value)
def _value(element: _Value, compiler: SQLCompiler, **kwargs: Any) -> str:
    # PostgreSQL counts how many rows an organisation has; hide the column, and it expects far too few.
    return compiler.process(element.clauses, **kwargs)


@compiles(_Value, "sqlite")
def _value_on_sqlite(element: _Value, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"+{compiler.process(element.clauses, **kwargs)}"


def is_of(column: Any, organisation_id: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """Of this organisation, and on SQLite never by the organisation's own index.

    SQLite has no statistics unless somebody made them; it takes "one of an organisation's million rows" for
    as good a start as "this learner's row of this column". A unary plus keeps it from that
    (https://sqlite.org/optoverview.html, section 7.2).
    """
    return _Value(column) == organisation_id


def unindexed(column: Any) -> sa.ColumnElement[Any]:
    """A column's value that SQLite takes no index for, not even one that holds only rows with this value.

    It takes an index that covers a query for better than one that finds its row: of ten thousand learners it
    once went through ten thousand decisions for each.
    """
    return _Value(column)


class _Lower(FunctionElement[str]):
    """A text in small letters, of whatever script."""

    inherit_cache = True
    type = sa.String()


@compiles(_Lower)
def _lower(element: _Lower, compiler: SQLCompiler, **kwargs: Any) -> str:
    # SQLite's own knows ASCII only; lti_tool.store.database gives it Python's.
    return f"lower({compiler.process(element.clauses, **kwargs)})"


@compiles(_Lower, "postgresql")
def _lower_on_postgresql(element: _Lower, compiler: SQLCompiler, **kwargs: Any) -> str:
    # In a cluster made with the locale C, lower() without a collation knows ASCII only too.
    return f'lower({compiler.process(element.clauses, **kwargs)} COLLATE "und-x-icu")'


def one_of(session: Session, column: Any, values: Collection[str | int]) -> sa.ColumnElement[bool]:
    """Whether a column holds one of many texts, or of many whole numbers.

    On PostgreSQL they travel as one array, written down here: a thousand parameters, or a list, take the
    driver longer to write than the server takes to find the rows.
    """
    if session.get_bind().dialect.name != "postgresql":
        return cast("sa.ColumnElement[bool]", column.in_(list(values)))
    return cast("sa.ColumnElement[bool]", column == sa.any_(_written_array(column, values)))


def for_each(session: Session, query: Selection, column: Any, values: Collection[str | int]) -> Selection:
    """The rows of ``query`` whose ``column`` holds one of many values, looked up value by value.

    For an index that begins with columns of the query's own conditions; :func:`never_indexed` keeps other
    indexes away. Of a table that is just being filled PostgreSQL (15) believes that those conditions leave
    a row or two, reads all that they leave, and looks through the array for each: with :func:`one_of`, giving
    out the places of a list took time by the square of the list. A lateral subquery with an offset is left as
    it is. An order of the query holds among the rows of one value.
    """
    if len(values) <= FEW or session.get_bind().dialect.name != "postgresql":
        # Reading for a few what is there for all costs less than putting this together, at each visit.
        return query.where(one_of(session, column, values))
    written = _written_array(column, dict.fromkeys(values))  # one that comes twice would find its rows twice
    asked = sa.func.unnest(written).table_valued(sa.column("value", column.type)).render_derived(name="asked")
    found = query.where(column == asked.c.value).offset(sa.literal_column("0")).lateral("found")
    return cast(Selection, sa.select(*found.c).select_from(asked.join(found, sa.true())))


def never_indexed(column: Any) -> sa.ColumnElement[Any]:
    """A column's value for :func:`for_each`, which no index is taken for.

    "Of this organisation", or "the newest", looks as selective to PostgreSQL as the value that is looked up,
    as long as it counted neither (an organisation that came since), and is read whole for each value.
    """
    nothing: Any = False if isinstance(column.type, sa.Boolean) else ""
    return sa.func.coalesce(column, sa.literal(nothing, column.type))


def _written_array(column: Any, values: Collection[Any]) -> Any:
    """Values as PostgreSQL writes an array of them (its manual, "Array Input and Output Syntax")."""
    texts = list(map(str, values))
    together = '","'.join(texts)
    if "\\" in together or together.count('"') > 2 * max(0, len(texts) - 1):
        texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
        together = '","'.join(texts)
    together = f'"{together}"' if texts else ""  # in quotes, NULL is a text too
    if "None" in together and None in values:
        quoted = ("NULL" if value is None else f'"{text}"' for value, text in zip(values, texts, strict=True))
        together = ",".join(quoted)
    # A text that is too long for its column is for the column to refuse; a cast would cut it short.
    kind = "VARCHAR" if isinstance(column.type, sa.String) else column.type.compile(_POSTGRESQL)
    return sa.literal("{" + together + "}", _WrittenArray(f"{kind}[]"))


class _WrittenArray(sa.types.UserDefinedType[str]):
    """An array as PostgreSQL writes it. The server reads it where it takes the parameter; a text that is
    cast would be read again for every row."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def get_col_spec(self, **_options: Any) -> str:
        return self.kind


def contains_text(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Whether a text column holds ``text``, capital letters or small; ``%`` and ``_`` mean themselves."""
    found: sa.ColumnElement[bool] = _Lower(column).contains(text.lower(), autoescape=True)
    return found


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


def upsert(
    session: Session, target: Target, values: Row, *, on: Sequence[str], update: Sequence[str]
) -> None:
    """Insert one row, or change the ``update`` columns of the one with the same ``on`` columns."""
    table = _table(target)
    session.flush()
    insert = _insert(session, table).values(**values)
    session.connection().execute(
        insert.on_conflict_do_update(
            index_elements=list(on), set_={name: insert.excluded[name] for name in update}
        )
    )


def insert_all_if_absent(session: Session, target: Target, rows: Iterable[Row], *, on: Sequence[str]) -> int:
    """Insert the rows whose ``on`` columns (a unique key) are not there yet, leave the others as they are.

    :param rows: mappings with the same keys each; read once, so it may be a generator. Where a key comes
        twice, the first row stays.
    :returns: how many rows were inserted.
    """
    table = _table(target)
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
            return _by_copy(connection, table, columns, itertools.chain(start, everything), on)
        everything = iter(start)
    statement = _insert(session, table).on_conflict_do_nothing(index_elements=list(on))
    written = 0
    for chunk in chunks(everything, _CHUNK):
        written += connection.execute(statement, chunk, execution_options=_COUNTED).rowcount
    return written


def insert_rows(
    session: Session,
    target: Target,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    shared: Row,
    unless: Sequence[str] = (),
) -> int:
    """Insert many rows that share most of their values.

    :param columns: what the rows hold, in this order; keys are among it, nothing makes them here.
    :param shared: the other columns, with the value that every row has there. A column in neither gets the
        default that :mod:`.tables` gives it.
    :param unless: the columns of a unique key; a row whose key is there already is passed over. Without, a
        key that is there is an ``IntegrityError``.
    :returns: how many rows were inserted.
    """
    if not rows:
        return 0
    table = _table(target)
    session.flush()
    connection = session.connection()
    shared = {**_plain_defaults(table, {*columns, *shared}), **shared}
    if connection.dialect.name != "postgresql" or len(rows) < COPY_FROM_ROWS:
        statement: Any = _insert(session, table)
        if unless:
            statement = statement.on_conflict_do_nothing(index_elements=list(unless))
        dicts = [{**shared, **dict(zip(columns, row, strict=True))} for row in rows]
        return connection.execute(statement, dicts, execution_options=_COUNTED).rowcount
    own = [table.c[name] for name in columns]
    common = {table.c[name]: value for name, value in shared.items()}
    if not unless:
        copy_lines(connection, connection.dialect.identifier_preparer.format_table(table), own, rows, common)
        return len(rows)
    # In arrays: a temporary table for each thousand rows costs more than the rows, and fills the catalogue.
    arrays = (
        _written_array(column, bound(column, values, connection.dialect))
        for column, values in zip(own, zip(*rows, strict=True), strict=True)
    )
    source = (
        sa.func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived(name="absent")
    )
    # In the order of the key: see _by_copy.
    order = [source.c[name] for name in unless if name in columns]
    given = [source.c[name] for name in columns]
    selected = sa.select(*given, *(sa.literal(value, column.type) for column, value in common.items()))
    names = [*columns, *(column.name for column in common)]
    insert = postgresql.insert(table).from_select(
        names, selected.order_by(*order, source.c.place), include_defaults=False
    )
    return connection.execute(
        insert.on_conflict_do_nothing(index_elements=list(unless)), execution_options=_COUNTED
    ).rowcount


def _plain_defaults(table: sa.Table, given: set[str]) -> dict[str, Any]:
    """What rows hold where nothing is said; a key, which is another one in each, has to be given."""
    found = {}
    for column in table.columns:
        default = column.default
        if column.name not in given and isinstance(default, ColumnDefault):
            if column.primary_key:
                raise ValueError(f"rows inserted at once need their {column.name}")
            found[column.name] = default.arg(None) if default.is_callable else copy(default.arg)
    return found


def _by_copy(
    connection: Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Iterator[dict[str, Any]],
    on: Sequence[str],
) -> int:
    """PostgreSQL: COPY into a temporary table, then one statement from there."""
    source = staging_table(f"absent_{next(_numbers)}", {name: table.c[name].type for name in columns})
    source.create(connection, checkfirst=False)
    copy_rows(connection, source, ([row[name] for name in columns] for row in rows))
    # In the order of the key, so that two transactions that add the same rows do not lock each other out;
    # of rows with one key the first given (ctid) comes first.
    ordered = sa.select(*source.c).order_by(*(source.c[name] for name in on), sa.literal_column("ctid"))
    insert = postgresql.insert(table).from_select(list(columns), ordered)
    written = connection.execute(
        insert.on_conflict_do_nothing(index_elements=list(on)), execution_options=_COUNTED
    ).rowcount
    source.drop(connection, checkfirst=False)
    return written


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
            raise ValueError(f"rows inserted at once need the same columns: {sorted(given)}")
        return {**row, **{name: make() for name, make in makers.items()}}

    return (*given, *makers), complete


def _table(target: Target) -> sa.Table:
    return target if isinstance(target, sa.Table) else cast(sa.Table, target.__table__)


def _insert(session: Session, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
