"""A large course whose micromodules ask for five things: a score, a mean, a gate, somebody's word, and
another micromodule.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from lti_tool.domain.criteria import AllOf, Attested, Completed, GatePassed, MeanAtLeast, ScoreAtLeast, Term
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.schools import School, learners, memberships
from tests.factories import NOW, Course, Placed

TERMS = ("lab", "report")
MEAN = MeanAtLeast("mean", "Mean", (Term("lab", "Lab"), Term("report", "Report", Decimal(2))), Decimal(45))


def criterion(basics_id: str) -> AllOf:
    """Five criteria; one in six learners meets them."""
    return AllOf(
        (
            ScoreAtLeast("quiz", "Quiz", Decimal(40)),
            MEAN,
            GatePassed("page", "Page viewed"),
            Attested("talk", "Took part"),
            Completed(basics_id, "Basics"),
        )
    )


def mixed_school(database: Database, *, size: int, micromodules: int, seed: int = 1) -> School:
    """Grades in three columns of each micromodule, lists behind gates, words and completions."""
    drawn = random.Random(seed)
    elsewhere = factories.course(database)
    basics = factories.placed(database, elsewhere)
    (course,) = factories.courses_beside(database, elsewhere, 1)
    with database.read() as session:
        basics_id = session.get_one(tables.MicromoduleVersion, basics.micromodule_version_id).micromodule_id
    wanted = criterion(basics_id)
    placed = tuple(
        factories.placed(database, course, criterion=wanted, now=NOW + timedelta(seconds=number))
        for number in range(micromodules)
    )
    gates = {one.placement_id: factories.gate(database, course, one, "page") for one in placed}
    for one in placed:
        for key in TERMS:
            url = f"{one.line_item_url}-{key}"
            factories.column(database, course, one, key, tag="mirror", id_on_platform=url)
    learner_ids = tuple(f"{number:032x}" for number in range(1, size + 1))
    with database.write() as session:
        session.execute(sa.update(tables.LineItem).values(read_at=NOW, is_complete=True, first_value_at=NOW))
        of_course = sa.select(tables.LineItem.id).where(tables.LineItem.context_id == course.context_id)
        columns = session.scalars(of_course).all()
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        insert_all_if_absent(session, tables.Membership, memberships(course, learner_ids), on=("id",))
        made: tuple[tuple[Any, Iterator[dict[str, Any]]], ...] = (
            (tables.Result, _results(course, columns, learner_ids, drawn)),
            (tables.GatePass, _passes(course, gates.values(), learner_ids, drawn)),
            (tables.Attestation, _words(course, placed, learner_ids, drawn)),
            (tables.Completion, _completions(course, basics, learner_ids, drawn)),
        )
        for table, rows in made:
            insert_all_if_absent(session, table, rows, on=("id",))
    if database.dialect == "postgresql":
        with database.write() as session:
            session.execute(sa.text("ANALYZE"))
    return School(course, placed, learner_ids)


def _results(
    course: Course, columns: Any, learner_ids: tuple[str, ...], drawn: random.Random
) -> Iterator[dict[str, Any]]:
    hundred = Decimal(100)
    scores = [Decimal(number) / 4 for number in range(401)]
    for column in columns:
        for learner_id in learner_ids:
            luck = drawn.random()
            yield {
                "organisation_id": course.organisation_id,
                "line_item_id": column,
                "learner_id": learner_id,
                "score": None if luck < 0.05 else scores[int(luck * 401)],
                "maximum": hundred,
                "graded_at": NOW - timedelta(seconds=drawn.randrange(10_000_000)),
                "read_at": NOW,
            }


def _passes(
    course: Course, gate_ids: Any, learner_ids: tuple[str, ...], drawn: random.Random
) -> Iterator[dict[str, Any]]:
    for gate_id in gate_ids:
        for learner_id in learner_ids:
            yield {
                "organisation_id": course.organisation_id,
                "gate_id": gate_id,
                "learner_id": learner_id,
                "is_passed": drawn.random() < 0.8,
                "since": NOW,
                "read_at": NOW,
                "source": "roster",
            }


def _words(
    course: Course, placed: tuple[Placed, ...], learner_ids: tuple[str, ...], drawn: random.Random
) -> Iterator[dict[str, Any]]:
    for one in placed:
        for learner_id in learner_ids:
            if drawn.random() < 0.8:
                yield {
                    "organisation_id": course.organisation_id,
                    "placement_id": one.placement_id,
                    "evidence_key": "talk",
                    "learner_id": learner_id,
                    "is_attested": True,
                    "reason": "",
                    "at": NOW - timedelta(seconds=drawn.randrange(10_000_000)),
                }


def _completions(
    course: Course, basics: Placed, learner_ids: tuple[str, ...], drawn: random.Random
) -> Iterator[dict[str, Any]]:
    for learner_id in learner_ids:
        if drawn.random() < 0.9:
            yield {
                "organisation_id": course.organisation_id,
                "micromodule_version_id": basics.micromodule_version_id,
                "learner_id": learner_id,
                "met_at": NOW,
                "recorded_at": NOW,
            }


MET = """
    SELECT p.id, m.learner_id
    FROM placements p
    JOIN memberships m ON m.context_id = p.context_id
    JOIN line_items l ON l.placement_id = p.id AND l.tag <> 'award'
    JOIN results r ON r.line_item_id = l.id AND r.learner_id = m.learner_id
    JOIN gates g ON g.placement_id = p.id AND g.evidence_key = 'page' AND g.state = 'confirmed'
    JOIN gate_passes s ON s.gate_id = g.id AND s.learner_id = m.learner_id AND s.is_passed
    JOIN attestations a ON a.placement_id = p.id AND a.evidence_key = 'talk'
      AND a.learner_id = m.learner_id AND a.is_attested
    WHERE p.organisation_id = :organisation_id AND p.context_id = :context_id
      AND EXISTS (
        SELECT 1 FROM completions c JOIN micromodule_versions v ON v.id = c.micromodule_version_id
        WHERE c.learner_id = m.learner_id AND v.micromodule_id = :basics_id
      )
    GROUP BY p.id, m.learner_id
    HAVING COUNT(r.score) = 3
      AND SUM(CASE l.evidence_key WHEN 'quiz'
          THEN CAST(r.score AS REAL) * 100 / CAST(r.maximum AS REAL) END) >= 40
      AND SUM(CASE l.evidence_key WHEN 'lab' THEN CAST(r.score AS REAL) * 100 / CAST(r.maximum AS REAL)
          WHEN 'report' THEN CAST(r.score AS REAL) * 200 / CAST(r.maximum AS REAL) END) >= 135
"""
""":func:`criterion` as one statement: who meets it, and nothing about those who do not."""
