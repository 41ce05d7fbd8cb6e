"""Migrations: linear, up and down with data, and the code's tables are what they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.queue import Queue
from lti_tool.store.database import Database, alembic_config, head_revision
from lti_tool.store.tables import AuditEvent, Base, Deployment, Organisation
from tests import factories
from tests.databases import BOTH_DATABASES, postgres_database, postgres_server_url

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=BOTH_DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Without a single table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/empty.sqlite3")
        yield database
        database.dispose()
    else:
        with postgres_database(postgres_server_url()) as url:
            database = Database(url)
            yield database
            database.dispose()


def table_names(database: Database) -> set[str]:
    with database.read() as session:
        return set(sa.inspect(session.connection()).get_table_names()) - {"alembic_version"}


def revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(alembic_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_the_history_is_one_line() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert revisions() == [f"{number:04}" for number in range(1, len(revisions()) + 1)]


def test_the_models_equal_the_newest_revision(empty_database: Database) -> None:
    empty_database.upgrade()
    assert empty_database.check() == ()
    assert table_names(empty_database) == set(Base.metadata.tables)


def test_constraints_have_the_names_of_the_models(empty_database: Database) -> None:
    """A later migration drops a constraint by its name; it has to be the same on both databases."""
    empty_database.upgrade()
    with empty_database.read() as session:
        inspector = sa.inspect(session.connection())
        for table in Base.metadata.sorted_tables:
            checks = {check["name"] for check in inspector.get_check_constraints(table.name)}
            assert checks == {
                str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)
            }
            keys = {key["name"] for key in inspector.get_foreign_keys(table.name)}
            assert keys == {str(key.name) for key in table.foreign_key_constraints}


def test_a_difference_is_found(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        session.execute(sa.text("ALTER TABLE organisations ADD COLUMN forgotten INTEGER"))
    (problem,) = empty_database.check()
    assert "forgotten" in problem


def test_a_table_left_behind_is_found(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        session.execute(sa.text("CREATE TABLE left_behind (id INTEGER)"))
    (problem,) = empty_database.check()
    assert "left_behind" in problem


def test_the_queue_in_the_same_database_is_no_difference() -> None:
    """The default on PostgreSQL: an operator was told to restore tables that are as they should be."""
    with postgres_database(postgres_server_url()) as url:
        database = Database(url)
        database.upgrade()
        queue = Queue(url)
        try:
            assert table_names(database) > set(Base.metadata.tables)
            assert database.check() == ()
        finally:
            queue.close()
            database.dispose()


def test_every_revision_goes_up_and_down(empty_database: Database) -> None:
    for revision in revisions():
        empty_database.upgrade(revision)
        assert empty_database.revision() == revision
        empty_database.downgrade("-1")
        empty_database.upgrade(revision)
    empty_database.downgrade("base")
    assert empty_database.revision() is None
    assert table_names(empty_database) == set()
    empty_database.upgrade()
    assert empty_database.check() == ()


def test_rows_survive_each_step_up_and_down(empty_database: Database) -> None:
    """On SQLite a changed table is copied; what points at it must not be deleted along with the old copy."""
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    placed = factories.placed(empty_database, course)
    (learner_id,) = factories.enrol(empty_database, course)
    factories.credential(empty_database, course, factories.award(empty_database, course, placed, learner_id))

    def counts() -> dict[str, int | None]:
        with empty_database.read() as session:
            return {
                name: session.scalar(sa.text(f"SELECT count(*) FROM {name}"))
                for name in ("organisations", "contexts", "awards", "status_lists", "credentials")
            }

    before = counts()
    assert set(before.values()) == {1}
    for revision in reversed(revisions()[:-1]):
        empty_database.downgrade(revision)
        assert counts() == before
    for revision in revisions():
        empty_database.upgrade(revision)
        assert counts() == before
    assert empty_database.check() == ()


def test_hosts_go_to_the_deployment_that_named_them(empty_database: Database) -> None:
    """Two institutions on one registration: what one of them named must not become the other's."""
    empty_database.upgrade()
    course = factories.course(
        empty_database, NOW, memberships_url="https://A.example:443/m?x=1", line_items_url=None
    )
    with empty_database.write() as session:
        session.add(
            Deployment(
                id="other",
                registration_id=course.registration_id,
                id_on_platform="2",
                status="held",
                service_hosts=["b.example:8443"],
                first_seen_at=NOW,
            )
        )
    empty_database.downgrade("0001")
    with empty_database.read() as session:
        (hosts,) = session.scalars(sa.text("SELECT service_hosts FROM registrations"))
        named = json.loads(hosts) if isinstance(hosts, str) else hosts
        assert "b.example:8443" in named
        assert len(named) == 2
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.get_one(Deployment, course.deployment_id).service_hosts == ["a.example"]
        assert session.get_one(Deployment, "other").service_hosts == []


def test_data_survives_an_upgrade_that_has_nothing_to_do(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        organisation = Organisation(name="Open Learning", created_at=NOW)
        session.add(organisation)
        session.flush()
        session.add(
            AuditEvent(
                organisation_id=organisation.id,
                at=NOW,
                actor="cli",
                action="created",
                subject_kind="organisation",
                subject_id=organisation.id,
            )
        )
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.scalars(sa.select(AuditEvent.organisation_id)).one() == organisation.id
    empty_database.downgrade("base")
    assert table_names(empty_database) == set()


def test_a_database_from_the_future_is_refused(database: Database) -> None:
    """An older tool must not write into tables it does not know."""
    with database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert "9999" in database.check()[0]
    with pytest.raises(ConfigurationInvalid) as refusal:
        database.require_migrated()
    assert refusal.value.code is ErrorCode.DATABASE_NOT_MIGRATED


def test_a_migrated_database_is_accepted(database: Database) -> None:
    database.require_migrated()
    assert database.revision() == head_revision()
