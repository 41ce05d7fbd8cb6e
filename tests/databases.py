"""Databases for tests: SQLite in a folder, PostgreSQL on the server that LTI_TOOL_TEST_POSTGRES_URL names.

Migrating takes longer than most tests, so it is done once per test process; each test gets a copy.
The role in the URL must be allowed to create databases.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from lti_tool.store.database import Database
from tests import needs

POSTGRES_URL = "LTI_TOOL_TEST_POSTGRES_URL"

BOTH_DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))
"""Parameters of a fixture or test that runs on both."""


def postgres_server_url() -> str:
    """The test server; skips the test where there is none, fails it where ``REQUIRE=all`` asks for one."""
    url = os.environ.get(POSTGRES_URL, "")
    return url or needs.absent("postgresql", f"no PostgreSQL for tests: {POSTGRES_URL} is not set")


@contextmanager
def postgres_database(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """A database of its own on the test server; its URL. Dropped afterwards."""
    server = make_url(server_url).set(drivername="postgresql")
    name = f"lti_tool_test_{uuid.uuid4().hex[:16]}"
    address = server.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(address, name)


def _drop(address: str, name: str) -> None:
    """Drop it; autovacuum may be in it, which only a superuser can send away, and which soon leaves."""
    with psycopg.connect(address, autocommit=True) as connection:
        for attempts_left in reversed(range(20)):
            try:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
            except psycopg.errors.InsufficientPrivilege:
                if not attempts_left:
                    raise
                time.sleep(0.5)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database that nobody is connected to."""
    with postgres_database(postgres_server_url()) as url:
        database = Database(url)
        database.upgrade()
        database.dispose()
        yield url


@contextmanager
def fresh_database_url(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a migrated, empty database of this kind."""
    if kind == "sqlite":
        path = folder / f"{uuid.uuid4().hex[:8]}.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    template = make_url(request.getfixturevalue("postgres_template")).database
    with postgres_database(postgres_server_url(), template=str(template)) as url:
        yield url


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database: the test runs on SQLite and on PostgreSQL."""
    with fresh_database_url(request.param, request, tmp_path) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, opened."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """For tests in which the kind of database does not matter."""
    with fresh_database_url("sqlite", request, tmp_path) as url:
        opened = Database(url)
        yield opened
        opened.dispose()
