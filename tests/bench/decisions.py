"""Decisions: a university's course of 10,000 learners and 20 micromodules with five criteria each, all scores
or one of each kind.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa

from lti_tool.domain.awarding import Candidate, decide_award
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.services.awarding import Awarding
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.store import tables
from tests.bench.measuring import Action, Figure, at_least, at_most, figure, interleave, no_more_than
from tests.bench.mixed_school import MET, mixed_school
from tests.bench.schools import Grounds, Place, School, school
from tests.factories import NOW

LEARNERS, MICROMODULES = 10_000, 20
SAMPLE = 40
"""Learners that the ORM decides for; its time is multiplied."""
ROUNDS = 1


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``decision_…``: the whole course, and one learner of it."""
    for kind in grounds.kinds:
        ending = "" if kind == "sqlite" else f"_{kind}"
        with grounds.place(kind) as place:
            made = school(place.database, size=LEARNERS, micromodules=MICROMODULES)
            yield from _figures(place, made, f"decision_full{ending}", _by_sql, _by_orm)
            yield from _one_learner(place, made, ending)
        with grounds.place(kind) as place:
            made = mixed_school(place.database, size=LEARNERS, micromodules=MICROMODULES)
            yield from _figures(place, made, f"decision_mixed{ending}", _mixed_by_sql, _mixed_by_orm)


def _figures(
    place: Place,
    large: School,
    name: str,
    by_sql: Callable[[Place, School], Any],
    by_orm: Callable[[Place, School, str], Any],
) -> Iterator[Figure]:
    awarding = Awarding(place.database, lambda: NOW)
    course = large.course
    sample = large.learner_ids[:: LEARNERS // SAMPLE]

    def whole_course() -> None:
        decided = 0
        for made in awarding.dry_run(course.organisation_id, course.context_id):
            decided += len(made.decisions)
        assert decided == LEARNERS * MICROMODULES

    def some_by_orm() -> None:
        for learner_id in sample:
            by_orm(place, large, learner_id)

    ways: dict[str, Action] = {
        "ours": whole_course,
        "sql": partial(by_sql, place, large),
        "orm": some_by_orm,
    }
    taken = interleave(ways, ROUNDS, stopwatch=place.stopwatch)
    orm = taken["orm"] * LEARNERS / len(sample)
    ours = taken["ours"]
    yield figure(
        f"{name}_vs_orm", LEARNERS * MICROMODULES / ours, "decisions/s",
        f"ORM, a query per learner ({len(sample)} learners, extrapolated)",
        LEARNERS * MICROMODULES / orm, at_least(5),
    )  # fmt: skip
    yield figure(
        f"{name}_vs_sql", ours, "CPU s", "one joined statement, without reasons",
        taken["sql"], at_most(6),
    )  # fmt: skip


def _one_learner(place: Place, large: School, ending: str) -> Iterator[Figure]:
    awarding = Awarding(place.database, lambda: NOW)
    course = large.course

    def one_learner(learner_id: str) -> None:
        awarding.preview(course.organisation_id, course.context_id, [learner_id])

    seconds = []
    references = []
    for learner_id in large.learner_ids[:: LEARNERS // SAMPLE]:
        taken = interleave(
            {
                "ours": partial(one_learner, learner_id),
                "orm": partial(_by_orm, place, large, learner_id),
            },
            1,
            stopwatch=place.stopwatch,
        )
        seconds.append(taken["ours"])
        references.append(taken["orm"])
    yield figure(
        f"decision_one_learner{ending}", statistics.median(seconds) * 1000, "CPU ms",
        "ORM, the same learner", statistics.median(references) * 1000, no_more_than(2),
    )  # fmt: skip


def _by_orm(place: Place, _made: School, learner_id: str) -> None:
    """Load a learner's results as entities, and decide each micromodule."""
    with place.database.read() as session:
        rows = session.execute(
            sa.select(tables.Result, tables.LineItem)
            .join(tables.LineItem, tables.LineItem.id == tables.Result.line_item_id)
            .where(tables.Result.learner_id == learner_id)
        ).all()
        versions = session.execute(
            sa.select(tables.Placement, tables.MicromoduleVersion).join(
                tables.MicromoduleVersion,
                tables.MicromoduleVersion.id == tables.Placement.micromodule_version_id,
            )
        ).all()
        known: dict[str, dict[str, Score]] = {}
        for result, column in rows:
            known.setdefault(column.placement_id, {})[column.evidence_key] = Score(
                result.score, result.maximum, result.graded_at, result.read_at
            )
        for placement, version in versions:
            evidence = Evidence(known.get(placement.id, {}))
            decide_award(parse_criteria(version.criteria), Candidate(learner_id, evidence), NOW)


_MET = sa.text(
    """
    SELECT l.placement_id, r.learner_id
    FROM results r JOIN line_items l ON l.id = r.line_item_id
    JOIN (SELECT 'quiz' AS evidence_key, 40 AS threshold, 1 AS needed UNION ALL SELECT 'essay', 35, 1
          UNION ALL SELECT 'lab', 60, 0 UNION ALL SELECT 'talk', 55, 0 UNION ALL SELECT 'forum', 50, 0) t
      ON t.evidence_key = l.evidence_key
    WHERE l.organisation_id = :organisation_id AND l.context_id = :context_id AND l.tag <> 'award'
      AND CAST(r.score AS REAL) * 100 >= t.threshold * CAST(r.maximum AS REAL)
    GROUP BY l.placement_id, r.learner_id
    HAVING SUM(t.needed) = 2 AND SUM(1 - t.needed) >= 2
    """
)
"""``schools.CRITERION`` written as a join with counts: who meets it, and nothing about those who do not."""


def _by_sql(place: Place, made: School) -> Any:
    with place.database.read() as session:
        met = session.execute(
            _MET, {"organisation_id": made.course.organisation_id, "context_id": made.course.context_id}
        ).all()
    assert met
    return met


def _mixed_by_orm(place: Place, made: School, learner_id: str) -> None:
    """Load all that is known of a learner as entities, and decide each micromodule."""
    with place.database.read() as session:
        rows = session.execute(
            sa.select(tables.Result, tables.LineItem)
            .join(tables.LineItem, tables.LineItem.id == tables.Result.line_item_id)
            .where(tables.Result.learner_id == learner_id)
        ).all()
        passes = session.execute(
            sa.select(tables.GatePass, tables.Gate)
            .join(tables.Gate, tables.Gate.id == tables.GatePass.gate_id)
            .where(tables.GatePass.learner_id == learner_id)
        ).all()
        words = session.scalars(
            sa.select(tables.Attestation).where(tables.Attestation.learner_id == learner_id)
        ).all()
        completed = session.execute(
            sa.select(tables.Completion, tables.MicromoduleVersion)
            .join(
                tables.MicromoduleVersion,
                tables.MicromoduleVersion.id == tables.Completion.micromodule_version_id,
            )
            .where(tables.Completion.learner_id == learner_id)
        ).all()
        versions = session.execute(
            sa.select(tables.Placement, tables.MicromoduleVersion)
            .join(
                tables.MicromoduleVersion,
                tables.MicromoduleVersion.id == tables.Placement.micromodule_version_id,
            )
            .where(tables.Placement.context_id == made.course.context_id)
        ).all()
        known: dict[str, dict[str, Score]] = {}
        facts: dict[str, dict[str, Fact]] = {}
        for result, column in rows:
            known.setdefault(column.placement_id, {})[column.evidence_key] = Score(
                result.score, result.maximum, result.graded_at, result.read_at
            )
        for passed, gate in passes:
            fact = Fact(passed.is_passed, passed.since, passed.read_at, passed.source)
            facts.setdefault(gate.placement_id, {})[gate.evidence_key] = fact
        for word in words:
            facts.setdefault(word.placement_id, {})[word.evidence_key] = Fact(True, word.at, None, "tool")
        done = {f"completed:{version.micromodule_id}": Fact(True, one.met_at) for one, version in completed}
        for placement, version in versions:
            evidence = Evidence(known.get(placement.id, {}), facts.get(placement.id, {}) | done)
            decide_award(parse_criteria(version.criteria), Candidate(learner_id, evidence), NOW)


def _mixed_by_sql(place: Place, made: School) -> Any:
    with place.database.read() as session:
        version = session.get_one(tables.MicromoduleVersion, made.placed[0].micromodule_version_id)
        parts = version.criteria["rule"]["of"]
        basics_id = next(part["micromodule_id"] for part in parts if part["type"] == "completed")
        met = session.execute(
            sa.text(MET),
            {
                "organisation_id": made.course.organisation_id,
                "context_id": made.course.context_id,
                "basics_id": basics_id,
            },
        ).all()
    assert met
    return met
