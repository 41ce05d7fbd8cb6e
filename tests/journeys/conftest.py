"""The campus on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import BOTH_DATABASES, fresh_database_url
from tests.databases import postgres_template as postgres_template
from tests.databases import sqlite_template as sqlite_template
from tests.journeys.campus import Campus, open_campus


@pytest.fixture(params=BOTH_DATABASES)
def campus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Campus]:
    """An LMS and the tool, connected; the journey runs on both databases."""
    with (
        fresh_database_url(request.param, request, tmp_path) as url,
        open_campus(url, tmp_path / "data") as campus,
    ):
        yield campus


@pytest.fixture
def sqlite_campus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Campus]:
    """For journeys in which the kind of database does not matter."""
    with (
        fresh_database_url("sqlite", request, tmp_path) as url,
        open_campus(url, tmp_path / "data") as campus,
    ):
        yield campus


@pytest.fixture(autouse=True)
def _a_verification_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it reads is in this process; how long that takes says how busy the machine is."""
    monkeypatch.setattr("lti_tool.services.verifying.READING_SECONDS", 100.0)


@pytest.fixture(autouse=True)
def _writers_on_sqlite_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: SQLite lets them in unfairly, and five seconds of a busy machine are too few for eight.

    Who waits where waiting is of no use, within a transaction that began by reading, is refused at once.
    """
    monkeypatch.setattr("lti_tool.store.database.BUSY_TIMEOUT_SECONDS", 100.0)
