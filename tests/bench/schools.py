"""Databases for benchmarks, and courses in them as large as a university's."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import sqlalchemy as sa

from lti_tool.domain.criteria import AllOf, AtLeast, ScoreAtLeast
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.measuring import Stopwatch, processes_cpu
from tests.databases import POSTGRES_URL, postgres_database
from tests.factories import NOW, Course, Placed

KEYS = ("quiz", "essay", "lab", "talk", "forum")
CRITERION = AllOf(
    (
        ScoreAtLeast("quiz", "Quiz", Decimal(40)),
        ScoreAtLeast("essay", "Essay", Decimal(35)),
        AtLeast(
            2,
            (
                ScoreAtLeast("lab", "Lab", Decimal(60)),
                ScoreAtLeast("talk", "Talk", Decimal(55)),
                ScoreAtLeast("forum", "Forum", Decimal(50)),
            ),
        ),
    )
)
"""Five scores in a tree of two levels; three in ten learners meet it."""


@dataclass(frozen=True)
class Place:
    """A migrated, empty database, and the clock that fits it."""

    kind: str
    """``sqlite`` or ``postgresql``."""
    url: str
    database: Database
    stopwatch: Stopwatch
    """CPU seconds of this process and of the database's server, as far as the machine tells."""


@dataclass(frozen=True)
class Grounds:
    """Where the benchmarks may work: a folder of their own, and a PostgreSQL server if there is one."""

    folder: Path
    postgres_url: str = field(default_factory=lambda: os.environ.get(POSTGRES_URL, ""))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The databases that are measured."""
        return ("sqlite", "postgresql") if self.postgres_url else ("sqlite",)

    @contextmanager
    def place(self, kind: str = "sqlite") -> Iterator[Place]:
        """A database of its own; gone afterwards."""
        with ExitStack() as stack:
            if kind == "sqlite":
                number = len(list(self.folder.iterdir()))
                url = f"sqlite:///{self.folder / f'place-{number}.sqlite3'}"
            else:
                url = stack.enter_context(postgres_database(self.postgres_url))
            database = Database(url)
            stack.callback(database.dispose)
            database.upgrade()
            yield Place(kind, url, database, _stopwatch(stack, database))


def _stopwatch(stack: ExitStack, database: Database) -> Stopwatch:
    if database.dialect == "sqlite":
        return time.process_time
    watching = stack.enter_context(
        psycopg.connect(
            database.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        )
    )
    backends = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def seconds() -> float:
        pids = [pid for (pid,) in watching.execute(backends)]
        return time.process_time() + processes_cpu(pids)

    return seconds


@dataclass(frozen=True)
class School:
    """A course with micromodules, learners and grades."""

    course: Course
    placed: tuple[Placed, ...]
    learner_ids: tuple[str, ...]


def school(database: Database, *, size: int, micromodules: int, seed: int = 1) -> School:
    """A course in which nearly everybody has a grade in each of the five columns of each micromodule."""
    drawn = random.Random(seed)
    course = factories.course(database)
    placed = tuple(
        factories.placed(database, course, criterion=CRITERION, now=NOW + timedelta(seconds=number))
        for number in range(micromodules)
    )
    learner_ids = tuple(f"{number:032x}" for number in range(1, size + 1))
    with database.write() as session:
        for placement in placed:
            session.add_all(
                tables.LineItem(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    placement_id=placement.placement_id,
                    tag="mirror",
                    evidence_key=key,
                    label=key.title(),
                    id_on_platform=f"{placement.line_item_url}-{key}",
                    score_maximum=Decimal(100),
                    created_at=NOW,
                )
                for key in KEYS[1:]
            )
        session.flush()
        session.execute(sa.update(tables.LineItem).values(read_at=NOW, is_complete=True, first_value_at=NOW))
        columns = session.scalars(sa.select(tables.LineItem.id)).all()
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        insert_all_if_absent(session, tables.Membership, memberships(course, learner_ids), on=("id",))
        insert_all_if_absent(
            session, tables.Result, _results(course, columns, learner_ids, drawn), on=("id",)
        )
    if database.dialect == "postgresql":
        with database.write() as session:
            session.execute(sa.text("ANALYZE"))
    return School(course, placed, learner_ids)


def learners(course: Course, learner_ids: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Rows of learners."""
    for number, learner_id in enumerate(learner_ids, 1):
        yield {
            "id": learner_id,
            "organisation_id": course.organisation_id,
            "registration_id": course.registration_id,
            "sub": str(number),
            "name": f"Learner {number:05}",
            "email": f"learner{number}@school.example",
            "created_at": NOW,
        }


def memberships(course: Course, learner_ids: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Rows that put them into the course."""
    for learner_id in learner_ids:
        yield {
            "organisation_id": course.organisation_id,
            "context_id": course.context_id,
            "learner_id": learner_id,
            "is_learner": True,
            "learner_proof": "launch",
            "proved_at": NOW,
            "seen_at": NOW,
        }


def _results(
    course: Course, columns: object, learner_ids: tuple[str, ...], drawn: random.Random
) -> Iterator[dict[str, object]]:
    hundred, none = Decimal(100), None
    scores = [Decimal(number) / 4 for number in range(401)]
    for column in columns:  # type: ignore[attr-defined]
        for learner_id in learner_ids:
            luck = drawn.random()
            if luck < 0.02:
                continue
            yield {
                "organisation_id": course.organisation_id,
                "line_item_id": column,
                "learner_id": learner_id,
                "score": none if luck < 0.05 else scores[int(luck * 401)],
                "maximum": hundred,
                "graded_at": none if luck < 0.05 else _some_day(drawn),
                "read_at": NOW,
            }


def _some_day(drawn: random.Random) -> datetime:
    return NOW - timedelta(seconds=drawn.randrange(10_000_000))
