"""Fixtures of the services' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lti_tool.store.database import Database
from tests.integration.services.school import School


@pytest.fixture
def school(database: Database, tmp_path: Path) -> School:
    """The services on SQLite and on PostgreSQL."""
    return School(database, tmp_path / "keys")


@pytest.fixture
def small_school(sqlite_database: Database, tmp_path: Path) -> School:
    """The services, for tests in which the kind of database does not matter."""
    return School(sqlite_database, tmp_path / "keys")
