"""A database for what is served, not only made."""

from tests.databases import sqlite_database, sqlite_template

__all__ = ["sqlite_database", "sqlite_template"]
