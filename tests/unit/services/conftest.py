"""Services are tried on real databases."""

import pytest

from lti_tool.store.database import Database
from tests.databases import database, database_url, postgres_template, sqlite_database, sqlite_template
from tests.unit.services.launches import World

__all__ = ["database", "database_url", "postgres_template", "sqlite_database", "sqlite_template"]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def small(sqlite_database: Database) -> World:
    """Where the kind of database does not matter."""
    return World(sqlite_database)
