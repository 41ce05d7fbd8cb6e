"""The database's door: real writes, reads that cannot write, one transaction at a time on SQLite."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from lti_tool import outbound
from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.store import database as store_database
from lti_tool.store.database import Database
from lti_tool.store.tables import Deployment, Lease, Organisation
from tests.databases import BOTH_DATABASES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(Organisation.name).order_by(Organisation.name)))


def test_a_write_is_kept(database: Database) -> None:
    with database.write() as session:
        session.add(Organisation(name="Open Learning", created_at=NOW))
    assert names(database) == ["Open Learning"]


def test_an_exception_undoes_everything(database: Database) -> None:
    def half_way() -> None:
        with database.write() as session:
            session.add(Organisation(name="Half", created_at=NOW))
            session.flush()
            raise LookupError("stop")

    with pytest.raises(LookupError):
        half_way()
    assert names(database) == []


def test_objects_stay_readable_after_the_commit(database: Database) -> None:
    with database.write() as session:
        organisation = Organisation(name="Open Learning", created_at=NOW)
        session.add(organisation)
    assert len(organisation.id) == 32
    assert organisation.created_at == NOW


def test_reading_cannot_write(database: Database) -> None:
    def write_while_reading() -> None:
        with database.read() as session:
            session.execute(sa.insert(Organisation).values(name="Sneaky", created_at=NOW))
            session.commit()

    with pytest.raises(DBAPIError):
        write_while_reading()
    assert names(database) == []


def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    with database.write() as session:
        session.add(Organisation(name="Open Learning", created_at=NOW))
    with database.read() as session:
        assert session.scalars(sa.select(Organisation.created_at)).one() == NOW

    def naive() -> None:
        with database.write() as session:
            session.add(Organisation(name="Naive", created_at=datetime(2026, 3, 1)))  # noqa: DTZ001

    with pytest.raises(StatementError, match="without a zone"):
        naive()


def test_an_error_names_no_values_that_were_to_be_written_or_found(database: Database) -> None:
    """Errors go to the log with their trace; what learners hand in does not."""
    secret = "Words of a learner"
    for opened in (database.write, database.read):
        with pytest.raises(sa.exc.DBAPIError) as caught, opened() as session:
            session.execute(sa.text("SELECT nothing FROM nowhere WHERE words = :words"), {"words": secret})
        assert secret not in str(caught.value)


def test_foreign_keys_are_enforced(database: Database) -> None:
    def orphan() -> None:
        with database.write() as session:
            session.add(
                Deployment(registration_id="0" * 32, id_on_platform="1", status="held", first_seen_at=NOW)
            )

    with pytest.raises(IntegrityError):
        orphan()


def test_two_writers_queue_up_even_when_both_read_first(database: Database) -> None:
    """A deferred transaction that reads before it writes would fail at once on SQLite."""
    with database.write() as session:
        session.add(Lease(name="counter", holder="0", expires_at=NOW))
    failures: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(10):
                with database.write() as session:
                    row = session.get(Lease, "counter", with_for_update=True)
                    assert row is not None
                    row.holder = str(int(row.holder) + 1)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert session.scalars(sa.select(Lease.holder)).one() == "40"


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as session:
        session.add(Organisation(name="Slow", created_at=NOW))
        session.flush()
        started = time.monotonic()
        assert names(database) == []
        # Who waits, waits for 100 seconds on SQLite and for ever on PostgreSQL.
        assert time.monotonic() - started < 60


def test_the_journal_is_emptied_but_nobody_waits_for_a_reader(sqlite_database: Database) -> None:
    journal = Path(f"{sqlite_database.url.database}-wal")
    emptying = threading.Thread(target=sqlite_database.forget_deleted, daemon=True)
    with sqlite_database.read() as reader:
        reader.scalars(sa.select(Organisation.name)).all()
        with sqlite_database.write() as session:
            session.add(Organisation(name="Erased", created_at=NOW))
        emptying.start()
        # Who waits as a writer does waits for 100 seconds.
        emptying.join(60)
        assert not emptying.is_alive()
        assert journal.stat().st_size
    sqlite_database.forget_deleted()
    assert not journal.stat().st_size
    with sqlite_database.write() as session:
        patience = session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    assert patience == store_database.BUSY_TIMEOUT_SECONDS * 1000


def test_the_outbound_client_is_told_of_open_transactions(database: Database) -> None:
    with database.write():
        assert outbound.is_transaction_open()
        with database.read():
            assert outbound.is_transaction_open()
        assert outbound.is_transaction_open()
    assert not outbound.is_transaction_open()

    def failing() -> None:
        with database.read():
            raise LookupError

    with pytest.raises(LookupError):
        failing()
    assert not outbound.is_transaction_open()


def test_statements_are_counted(database: Database) -> None:
    with database.statements() as statements:
        names(database)
    assert len([statement for statement in statements if "organisations" in statement]) == 1
    with database.statements() as more:
        pass
    names(database)
    assert more == []


@pytest.mark.parametrize("database_url", BOTH_DATABASES[1:], indirect=True)
def test_a_read_on_postgresql_is_one_round_trip(database: Database) -> None:
    """BEGIN and ROLLBACK around it would more than double its cost."""
    with database.read() as session:
        raw = session.connection().connection.driver_connection
        assert raw is not None
        assert raw.autocommit is True


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x", "no url", "postgresql"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refusal:
        Database(url)
    assert refusal.value.code is ErrorCode.SETTINGS_INVALID
    assert "root@" not in str(refusal.value)


def test_the_password_is_not_printed() -> None:
    assert "hunter2" not in repr(Database("postgresql://badges:hunter2@db.example/badges"))


def test_a_database_that_was_never_migrated_is_refused(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path}/empty.sqlite3")
    with pytest.raises(ConfigurationInvalid) as refusal:
        empty.require_migrated()
    assert refusal.value.code is ErrorCode.DATABASE_NOT_MIGRATED
    empty.dispose()


def test_an_unreachable_database_is_refused_with_the_same_code(tmp_path: Path) -> None:
    unreachable = Database(f"sqlite:///{tmp_path}/no/such/folder.sqlite3")
    with pytest.raises(ConfigurationInvalid) as refusal:
        unreachable.require_migrated()
    assert refusal.value.code is ErrorCode.DATABASE_NOT_MIGRATED
