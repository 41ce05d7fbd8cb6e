"""Fixtures of the integration tests."""

import pytest

from tests.databases import database, database_url, postgres_template, sqlite_database, sqlite_template

__all__ = ["database", "database_url", "postgres_template", "sqlite_database", "sqlite_template"]


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
