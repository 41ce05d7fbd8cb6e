"""Awards end to end: a hundred thousand learners decided about, their badges signed, everything stored."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.keyring import Keyring
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.awarding import Awarding
from lti_tool.services.issuing import Issuing
from lti_tool.store import tables
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.measuring import Figure, at_least, figure
from tests.bench.schools import Grounds, Place, learners, memberships
from tests.bench.signing import raw_ed25519
from tests.factories import NOW, Course, Placed

AWARDS: Mapping[str, int] = {"sqlite": 20_000, "postgresql": 100_000}
ROUNDS = 5
"""Courses, ours and the driver's in turn: what else the machine does at a time lengthens both."""
MOODLE_PER_SECOND = 52.0
"""Moodle core 4.4 awarding badges by cron, 92 queries each; measured once, on the machine of the targets."""
WRITTEN = (tables.Decision, tables.Completion, tables.Award, tables.Credential)
"""What an award leaves, in the order in which the rows refer to each other."""

Rows = list[tuple[sa.Table, list[str], list[list[Any]]]]
"""Rows of each table, with the names of their columns."""


@dataclass(frozen=True)
class Stage:
    """A course with one micromodule and its learners."""

    course: Course
    placed: Placed
    learner_ids: tuple[str, ...]


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``award_pipeline_…`` on each database."""
    for kind in grounds.kinds:
        with grounds.place(kind) as place:
            yield from _pipeline(grounds, place, AWARDS[kind])


def _pipeline(grounds: Grounds, place: Place, count: int) -> Iterator[Figure]:
    keys = IssuerKeyring(Keyring(grounds.folder / f"keys-{place.kind}"))
    awarding = Awarding(place.database, lambda: NOW)
    issuing = Issuing(place.database, keys, lambda: NOW, PublicUrls("https://badges.example"), _NoHints())
    ours = raw = 0.0
    for _ in range(ROUNDS):
        ours_now, raw_now = _round(place, awarding, issuing, count // ROUNDS)
        ours += ours_now
        raw += raw_now
    ending = "" if place.kind == "sqlite" else f"_{place.kind}"
    yield figure(
        f"award_pipeline_{count}{ending}_vs_raw", count / ours, "awards/CPU s",
        "raw Ed25519 by the same library + bulk insert of the same rows", count / raw, at_least(0.6),
    )  # fmt: skip
    yield figure(
        f"award_pipeline_{count}{ending}_vs_moodle", count / ours, "awards/CPU s",
        "Moodle core badges (recorded once, not in this run)", MOODLE_PER_SECOND, at_least(50),
    )  # fmt: skip


def _round(place: Place, awarding: Awarding, issuing: Issuing, count: int) -> tuple[float, float]:
    """CPU seconds of one course our way, and of the same rows by the driver."""
    stage = _earned(place, count)
    ours = _seconds(place, lambda: _by_us(awarding, issuing, stage.course, count))
    rows = _same_rows(place, stage, _earned(place, count))
    return ours, _seconds(place, lambda: _by_the_driver(place, rows, count))


def _seconds(place: Place, way: Callable[[], object]) -> float:
    gc.collect()
    started = place.stopwatch()
    way()
    return place.stopwatch() - started


def _by_us(awarding: Awarding, issuing: Issuing, course: Course, count: int) -> None:
    report = awarding.decide_context(course.organisation_id, course.context_id)
    assert len(issuing.issue_for(report.award_ids)) == count


def _by_the_driver(place: Place, rows: Rows, count: int) -> None:
    """The least that anybody has to do: as many signatures, and the rows as they are."""
    sign = raw_ed25519()
    for _ in range(count):
        sign(bytes(64))
    with place.database.write() as session:
        driver: Any = session.connection().connection.driver_connection
        for table, names, values in rows:
            if place.kind == "sqlite":
                marks = ", ".join("?" * len(names))
                driver.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", values)
                continue
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copying,
            ):
                for row in values:
                    copying.write_row(row)


def _same_rows(place: Place, done: Stage, other: Stage) -> Rows:
    """What our way stored in one course, as rows of another one in which nothing was decided yet."""
    with place.database.write() as session:
        places = tables.StatusList(
            organisation_id=other.course.organisation_id,
            issuer_id=other.course.issuer_id,
            purpose="revocation",
            size=2 * len(other.learner_ids),
            is_open=False,
            changed_at=NOW,
        )
        session.add(places)
    fixed = {
        "organisation_id": other.course.organisation_id,
        "context_id": other.course.context_id,
        "issuer_id": other.course.issuer_id,
        "placement_id": other.placed.placement_id,
        "micromodule_version_id": other.placed.micromodule_version_id,
        "achievement_version_id": other.placed.achievement_version_id,
        "status_list_id": places.id,
    }
    renamed: dict[object, object] = dict(zip(done.learner_ids, other.learner_ids, strict=True))
    indices = iter(random.Random(1).sample(range(places.size), len(other.learner_ids)))
    found: Rows = []
    for model in WRITTEN:
        table = model.__table__
        assert isinstance(table, sa.Table)
        names = [column.name for column in table.columns]
        with place.database.read() as session:
            query = sa.select(*map(_as_text_if_json, table.columns))
            stored = session.connection().execute(
                query.where(table.c.organisation_id == done.course.organisation_id)
            )
            rows = []
            for row in stored:
                values = {name: fixed.get(name, value) for name, value in zip(names, row, strict=True)}
                new = tables.new_id()
                if model is not tables.Completion:  # whose ids nothing refers to, and which awards share
                    renamed[values["id"]] = new
                values["id"] = new
                for name in ("learner_id", "decision_id", "award_id"):
                    if name in values:
                        values[name] = renamed[values[name]]
                if "status_index" in values:
                    values["status_index"] = next(indices)
                rows.append(list(values.values()))
        found.append((table, names, rows))
    return found


def _as_text_if_json(column: sa.Column[Any]) -> Any:
    """A column as the driver is to write it again."""
    if isinstance(column.type, sa.JSON):
        return sa.cast(column, sa.Text)
    return sa.type_coerce(column, sa.types.NullType())


class _NoHints:
    """Nobody waits for a hint."""

    def offer(self, task: str, **ids: str) -> None:
        """Forget it."""


def _earned(place: Place, count: int) -> Stage:
    """A course in which ``count`` learners have earned a badge that nobody has decided about."""
    course = factories.course(place.database)
    placed = factories.placed(place.database, course)
    learner_ids = tuple(tables.new_id() for _ in range(count))
    with place.database.write() as session:
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        insert_all_if_absent(session, tables.Membership, memberships(course, learner_ids), on=("id",))
    factories.grade(place.database, course, placed, learner_ids, 90)
    return Stage(course, placed, learner_ids)
