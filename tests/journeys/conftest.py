"""The campus as Moodle and as Canvas, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import BOTH_DATABASES, fresh_database_url
from tests.databases import postgres_template as postgres_template
from tests.databases import sqlite_template as sqlite_template
from tests.journeys.campus import Campus, Product, open_campus

BOTH_PRODUCTS: tuple[Product, ...] = ("moodle", "canvas")


def _campus(
    request: pytest.FixtureRequest, folder: Path, database: str, product: Product
) -> Iterator[Campus]:
    with (
        fresh_database_url(database, request, folder) as url,
        open_campus(url, folder / "data", product) as campus,
    ):
        yield campus


@pytest.fixture(params=BOTH_DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=BOTH_PRODUCTS)
def campus(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[Campus]:
    """An LMS and the tool, connected; the journey runs as both products and on both databases."""
    yield from _campus(request, tmp_path, database_kind, request.param)


@pytest.fixture
def moodle_campus(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[Campus]:
    """For journeys through something that only Moodle has."""
    yield from _campus(request, tmp_path, database_kind, "moodle")


@pytest.fixture
def canvas_campus(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[Campus]:
    """For journeys through something that only Canvas has."""
    yield from _campus(request, tmp_path, database_kind, "canvas")


@pytest.fixture(params=BOTH_PRODUCTS)
def sqlite_campus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Campus]:
    """For journeys in which the kind of database does not matter."""
    yield from _campus(request, tmp_path, "sqlite", request.param)
