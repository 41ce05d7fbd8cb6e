"""Fixtures of the integration tests."""

from tests.databases import database, database_url, postgres_template, sqlite_database, sqlite_template

__all__ = ["database", "database_url", "postgres_template", "sqlite_database", "sqlite_template"]
