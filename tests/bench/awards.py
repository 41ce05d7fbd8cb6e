"""Awards in bulk: 100,000 rows at once, as when a badge is switched on for all who have finished already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lti_tool.store import decisions as store
from lti_tool.store import tables
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.measuring import Figure, at_least, at_most, figure, interleave
from tests.bench.schools import Grounds, Place, learners
from tests.factories import NOW, Course

AWARDS = 100_000
ORM_SAMPLE = 5_000
COLUMNS = (
    *("id", "organisation_id", "achievement_version_id", "learner_id"),
    *("context_id", "decision_id", "met_at", "awarded_at"),
)


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``award_written_…`` on each database."""
    for kind in grounds.kinds:
        with grounds.place(kind) as place:
            yield from _writing(place, "" if kind == "sqlite" else f"_{kind}")


def _writing(place: Place, ending: str) -> Iterator[Figure]:
    course = factories.course(place.database)
    learner_ids = tuple(tables.new_id() for _ in range(AWARDS))
    with place.database.write() as session:
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
    placed = [factories.placed(place.database, course) for _ in range(3)]
    decision_id = _decision(place, course, placed[0], learner_ids[0])
    ours, orm, raw = (str(one.achievement_version_id) for one in placed)
    taken = interleave(
        {
            "ours": partial(_by_us, place, course, ours, decision_id, learner_ids),
            "orm": partial(_by_orm, place, course, orm, decision_id, learner_ids[:ORM_SAMPLE]),
            "raw": partial(_by_driver, place, course, raw, decision_id, learner_ids),
        },
        1,
        stopwatch=place.stopwatch,
    )
    rate = AWARDS / taken["ours"]
    yield figure(
        f"award_written_{AWARDS}{ending}_vs_orm", rate, "awards/CPU s",
        f"ORM unit of work ({ORM_SAMPLE} awards)", ORM_SAMPLE / taken["orm"], at_least(6),
    )  # fmt: skip
    yield figure(
        f"award_written_{AWARDS}{ending}_vs_raw", taken["ours"], "CPU s",
        "the driver's executemany" if place.kind == "sqlite" else "COPY and one upsert",
        taken["raw"], at_most(2),
    )  # fmt: skip


def _decision(place: Place, course: Course, placed: factories.Placed, learner_id: str) -> str:
    made = store.NewDecision(tables.new_id(), learner_id, "award", "met", "M", {}, {}, "0" * 64, NOW)
    with place.database.write() as session:
        store.store_decisions(
            session,
            course.organisation_id,
            placed.placement_id,
            placed.micromodule_version_id,
            [made],
            [],
            NOW,
        )
    return made.id


def _by_us(
    place: Place, course: Course, version_id: str, decision_id: str, learner_ids: tuple[str, ...]
) -> None:
    new = [store.NewAward(tables.new_id(), id_, decision_id, NOW) for id_ in learner_ids]
    with place.database.write() as session:
        added = store.store_awards(session, course.organisation_id, course.context_id, version_id, new, NOW)
    assert len(added) == AWARDS


def _by_orm(
    place: Place, course: Course, version_id: str, decision_id: str, learner_ids: tuple[str, ...]
) -> None:
    with place.database.write() as session:
        session.add_all(
            tables.Award(**dict(zip(COLUMNS, row, strict=True)))
            for row in _rows(course, version_id, decision_id, learner_ids)
        )


def _by_driver(
    place: Place, course: Course, version_id: str, decision_id: str, learner_ids: tuple[str, ...]
) -> None:
    names = ", ".join(COLUMNS)
    rows = _rows(course, version_id, decision_id, learner_ids)
    with place.database.write() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        if place.kind == "sqlite":
            now = NOW.strftime("%Y-%m-%d %H:%M:%S.%f")
            marks = ", ".join("?" * len(COLUMNS))
            driver.executemany(
                f"INSERT INTO awards ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING",
                ((*row[:-2], now, now) for row in rows),
            )
            return
        with driver.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMP TABLE bench_awards ON COMMIT DROP AS SELECT {names} FROM awards LIMIT 0"
            )
            with cursor.copy(f"COPY bench_awards ({names}) FROM STDIN") as copying:
                for row in rows:
                    copying.write_row(row)
            cursor.execute(
                f"INSERT INTO awards ({names}) SELECT {names} FROM bench_awards"
                " ON CONFLICT (achievement_version_id, learner_id) DO NOTHING"
            )


def _rows(
    course: Course, version_id: str, decision_id: str, learner_ids: tuple[str, ...]
) -> Iterator[tuple[object, ...]]:
    before = (course.organisation_id, version_id)
    after = (course.context_id, decision_id, NOW, NOW)
    for learner_id in learner_ids:
        yield (tables.new_id(), *before, learner_id, *after)
