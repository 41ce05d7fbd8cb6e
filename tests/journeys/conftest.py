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
