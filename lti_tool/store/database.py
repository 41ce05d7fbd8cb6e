"""Engines, sessions and migrations: the one door to the database.

Two engines on one URL. The *write* engine opens real transactions (on SQLite ``BEGIN IMMEDIATE``, so that
two writers queue up instead of one failing half-way). The *read* engine cannot write at all: on SQLite it is
``query_only`` with deferred transactions, which writers never block; on PostgreSQL it is AUTOCOMMIT, read
only and skips the pool's ROLLBACK: BEGIN and ROLLBACK are more than half of a small query's cost there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from lti_tool import outbound
from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.store.tables import Base

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer on SQLite waits for another; beyond it ``database is locked`` is raised."""

CHECKPOINT_PATIENCE = 100
"""Milliseconds that emptying SQLite's journal waits for whoever reads it; no one writes meanwhile."""

QUEUE_TABLES = "huey_"
"""How the names of the queue's own tables begin; on PostgreSQL it lives in the same database by default."""

MIGRATION_LOCK = 0x6C74_6962
"""PostgreSQL advisory lock: machines that are started at once migrate one after the other."""


class Database:
    """One database, reached through short sessions.

    :param url: ``sqlite:///path`` or ``postgresql://…`` (psycopg 3).
    :raises ConfigurationInvalid: SETTINGS_INVALID for any other kind of URL, or SQLite without a file.
    """

    def __init__(self, url: str) -> None:
        self.url = _normal_url(url)
        self._write_engine, self._read_engine = _engines(self.url)
        # The same connections; see _tune_sqlite.
        self._row_engine = self._read_engine.execution_options(stands_alone=True)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.url.get_backend_name()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed on success, rolled back on any exception.

        A conflict between writers surfaces as SQLAlchemy's ``OperationalError``; retrying is the caller's.
        """
        with self._session(self._write_engine) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that can only read.

        On SQLite it sees one snapshot; on PostgreSQL each statement sees its own.
        """
        with self._session(self._read_engine) as session:
            yield session

    @contextmanager
    def read_rows(self) -> Iterator[Connection]:
        """A bare connection that can only read, for what is asked most: each statement stands alone.

        A session and a transaction around one SELECT cost twice what it costs itself.
        """
        with _counted(), self._row_engine.connect() as connection:
            yield connection

    @contextmanager
    def write_rows(self) -> Iterator[Connection]:
        """As :meth:`write`, without a session."""
        with _counted(), self._write_engine.begin() as connection:
            yield connection

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with _counted(), Session(engine, expire_on_commit=False) as session:
            yield session

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._write_engine.dispose()
        self._read_engine.dispose()

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The SQL statements executed inside the block, in order; for tests that count queries."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        engines = (self._write_engine, self._read_engine)
        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", note)

    def forget_deleted(self) -> None:
        """Let nothing that was deleted stay readable in SQLite's journal; PostgreSQL's vacuum does its part.

        While somebody reads what the journal holds, SQLite keeps it; the purge tries again. To wait for that
        reader would keep every writer waiting, too.
        """
        if self.dialect == "sqlite":
            # Not through a connection of SQLAlchemy's, which would begin a transaction.
            raw = self._write_engine.raw_connection()
            try:
                raw.cursor().execute(f"PRAGMA busy_timeout = {CHECKPOINT_PATIENCE}")
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.cursor().execute(_patience())
                raw.close()

    # -- migrations

    def upgrade(self, revision: str = "head") -> None:
        """Migrate up to ``revision``; a no-op where the database is there already.

        :raises ConfigurationInvalid: DATABASE_NOT_MIGRATED for a revision, wanted or found, that this release
            does not know.
        """
        with self._migrating() as config:
            command.upgrade(config, revision)

    def downgrade(self, revision: str) -> None:
        """Migrate down to ``revision`` (``base`` empties the database).

        :raises ConfigurationInvalid: as :meth:`upgrade`.
        """
        with self._migrating() as config:
            command.downgrade(config, revision)

    def revision(self) -> str | None:
        """The revision this database is at; None where it was never migrated."""
        with self._read_engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def check(self) -> tuple[str, ...]:
        """What keeps this database from being the one the code expects; empty when nothing does."""
        head, current = head_revision(), self.revision()
        if current != head:
            return (f"the database is at revision {current or 'none'}, the code needs {head}",)
        with self._read_engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": _is_ours}
            )
            differences = compare_metadata(context, Base.metadata)
        return tuple(f"not as the code expects: {difference}" for difference in differences)

    def require_migrated(self) -> None:
        """Refuse to work on a database that is not at the code's revision.

        :raises ConfigurationInvalid: DATABASE_NOT_MIGRATED, also where the database cannot be reached.
        """
        head = head_revision()
        try:
            current = self.revision()
        except SQLAlchemyError as error:
            raise ConfigurationInvalid(
                ErrorCode.DATABASE_NOT_MIGRATED, f"the database cannot be read ({type(error).__name__})"
            ) from error
        if current != head:
            raise ConfigurationInvalid(
                ErrorCode.DATABASE_NOT_MIGRATED,
                f"at revision {current or 'none'}, needed {head}; run: lti-tool db upgrade",
            )

    @contextmanager
    def _migrating(self) -> Iterator[Config]:
        """A connection of its own for DDL, in one transaction, one migrating process at a time.

        SQLite changes a table by copying it (Alembic's batch mode). With foreign keys enforced, dropping the
        old copy would cascade into every table that points at it; they are off meanwhile, then checked.
        """
        engine = sa.create_engine(self.url, poolclass=NullPool, hide_parameters=True)
        if self.dialect == "sqlite":
            _tune_sqlite(engine, foreign_keys=False)
        config = alembic_config()
        try:
            with engine.begin() as connection:
                if self.dialect == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                config.attributes["connection"] = connection
                try:
                    yield config
                except CommandError as error:
                    raise ConfigurationInvalid(
                        ErrorCode.DATABASE_NOT_MIGRATED,
                        f"{error}; this release knows revisions up to {head_revision()}: "
                        "a database beyond them needs the release that migrated it",
                    ) from error
                if self.dialect == "sqlite":
                    _require_foreign_keys(connection)
        finally:
            engine.dispose()


@contextmanager
def _counted() -> Iterator[None]:
    """Reading counts too: whoever calls an LMS meanwhile keeps a connection from everybody else."""
    outbound.transaction_opened()
    try:
        yield
    finally:
        outbound.transaction_closed()


def alembic_config() -> Config:
    """Alembic's configuration, with the migrations that live inside this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


@lru_cache(maxsize=1)
def head_revision() -> str:
    """The newest migration this code knows; read once, since readiness is asked for all the time."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise ConfigurationInvalid(ErrorCode.DATABASE_NOT_MIGRATED, "this installation has no migrations")
    return head


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether the models answer for what the database holds under this name (Alembic's ``include_name``)."""
    return kind != "table" or name is None or not name.startswith(QUEUE_TABLES)


def _normal_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text is not repeated: it may hold a password.
        raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, "the database URL is not a URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, "SQLite needs a file: sqlite:///path")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, f"no support for {backend} databases")


def _engines(url: URL) -> tuple[Engine, Engine]:
    if url.get_backend_name() == "sqlite":
        connect_args: dict[str, Any] = {"timeout": BUSY_TIMEOUT_SECONDS}
        # What was to be written stays out of errors, and so out of logs: names, words, files.
        write = sa.create_engine(url, connect_args=connect_args, hide_parameters=True)
        read = sa.create_engine(url, connect_args=connect_args, hide_parameters=True)
        _tune_sqlite(write, begin="BEGIN IMMEDIATE")
        _tune_sqlite(read, begin="BEGIN DEFERRED", query_only=True)
        return write, read
    write = sa.create_engine(url, pool_pre_ping=True, pool_use_lifo=True, hide_parameters=True)
    read = sa.create_engine(
        url,
        hide_parameters=True,
        pool_use_lifo=True,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        connect_args={"options": "-c default_transaction_read_only=on"},
    )
    return write, read


def _patience() -> str:
    return f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}"


def _tune_sqlite(
    engine: Engine, *, begin: str = "BEGIN IMMEDIATE", foreign_keys: bool = True, query_only: bool = False
) -> None:
    """Set what SQLite keeps per connection, and begin transactions ourselves.

    Python's sqlite3 would begin a deferred one before the first change only, so that a transaction that first
    read and then writes could fail at once with SQLITE_BUSY, whatever the time-out.
    """

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(_patience())
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        # SQLite folds the case of ASCII only, PostgreSQL that of every letter: "émile" is to find both.
        connection.create_function("lower", 1, _lower, deterministic=True)
        if query_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        if not connection.get_execution_options().get("stands_alone"):
            connection.exec_driver_sql(begin)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _require_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ConfigurationInvalid(
            ErrorCode.DATABASE_NOT_MIGRATED,
            f"the migration would leave rows of {broken[0]} without their parents",
        )
