"""The least that a sync can cost: pages streamed into COPY, and one upsert of each kind.

It checks nothing (no address, deadline, size or role), and stops at whatever the platform leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import requests
from psycopg import Cursor

from lti_tool.store import tables
from lti_tool.store.database import Database
from tests.factories import NOW, Course

READ = (
    ("sub", "text"),
    ("name", "text"),
    ("email", "text"),
)
GRADED = (
    ("sub", "text"),
    ("score", "numeric"),
    ("maximum", "numeric"),
    ("graded_at", "timestamptz"),
)
LEARNERS = """
    INSERT INTO learners (id, organisation_id, registration_id, sub, name, email, is_test_user, created_at)
    SELECT id, %(organisation_id)s, %(registration_id)s, sub, name, email, false, %(now)s FROM bench_members
    ON CONFLICT (organisation_id, registration_id, sub) DO UPDATE
        SET name = EXCLUDED.name, email = EXCLUDED.email
    WHERE (learners.name, learners.email) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.email)
"""
MEMBERSHIPS = """
    INSERT INTO memberships (id, organisation_id, context_id, learner_id, is_learner, is_staff, is_active,
        learner_proof, seen_at)
    SELECT replace(gen_random_uuid()::text, '-', ''), %(organisation_id)s, %(context_id)s, learners.id, true,
        false, true, 'none', %(now)s
    FROM bench_members JOIN learners ON learners.organisation_id = %(organisation_id)s
        AND learners.registration_id = %(registration_id)s AND learners.sub = bench_members.sub
    ON CONFLICT (context_id, learner_id) DO UPDATE SET is_active = true WHERE NOT memberships.is_active
"""
RESULTS = """
    INSERT INTO results (id, organisation_id, line_item_id, learner_id, score, maximum, graded_at, read_at)
    SELECT bench_results.id, %(organisation_id)s, %(line_item_id)s, learners.id, score, maximum, graded_at,
        %(now)s
    FROM bench_results JOIN learners ON learners.organisation_id = %(organisation_id)s
        AND learners.registration_id = %(registration_id)s AND learners.sub = bench_results.sub
    ON CONFLICT (line_item_id, learner_id) DO UPDATE
        SET score = EXCLUDED.score, maximum = EXCLUDED.maximum, graded_at = EXCLUDED.graded_at
    WHERE (results.score, results.maximum, results.graded_at)
        IS DISTINCT FROM (EXCLUDED.score, EXCLUDED.maximum, EXCLUDED.graded_at)
"""


def stream_and_copy(
    database: Database, course: Course, line_item_id: str, members_url: str, results_url: str
) -> None:
    """Read a course's roster and one column from the platform and keep them, on PostgreSQL."""
    given = {
        "organisation_id": course.organisation_id,
        "registration_id": course.registration_id,
        "context_id": course.context_id,
        "line_item_id": line_item_id,
        "now": NOW,
    }
    with requests.Session() as browser, database.write() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            _copy(cursor, "bench_members", READ, _members(browser, members_url))
            cursor.execute(LEARNERS, given)
            cursor.execute(MEMBERSHIPS, given)
            _copy(cursor, "bench_results", GRADED, _results(browser, results_url))
            cursor.execute(RESULTS, given)


def _members(browser: requests.Session, url: str | None) -> Iterator[tuple[Any, ...]]:
    while url is not None:
        answer = browser.get(url, timeout=60)
        for member in msgspec.json.decode(answer.content)["members"]:
            yield member["user_id"], member["name"], member["email"]
        url = answer.links.get("next", {}).get("url")


def _results(browser: requests.Session, url: str) -> Iterator[tuple[Any, ...]]:
    for result in msgspec.json.decode(browser.get(url, timeout=60).content):
        graded_at = datetime.fromisoformat(result["timestamp"])
        yield result["userId"], result["resultScore"], result["resultMaximum"], graded_at


def _copy(
    cursor: Cursor[Any], table: str, columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]
) -> None:
    described = ", ".join(f"{name} {kind}" for name, kind in columns)
    names = ", ".join(name for name, _kind in columns)
    cursor.execute(f"CREATE TEMP TABLE {table} (id text, {described}) ON COMMIT DROP")
    with cursor.copy(f"COPY {table} (id, {names}) FROM STDIN") as copying:
        for row in rows:
            copying.write_row((tables.new_id(), *row))
