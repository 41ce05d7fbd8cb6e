"""Where the facts of a criterion come from that no grade tells: gates, people's word, own records.

A gate counts once an instructor confirmed it; until then, and while it is doubted, nothing is known. What
the tool itself keeps is always known: nobody attested it, nothing was handed in, no such badge. What a
placement itself awards is never a fact for its own criteria.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import (
    Attested,
    Completed,
    Criterion,
    EvidenceAccepted,
    FactLeaf,
    GatePassed,
    HoldsAchievement,
    leaves,
)
from lti_tool.domain.evidence import Detail, Fact
from lti_tool.store import decisions, facts
from lti_tool.store.facts import ByLearner, ConfirmedGate

FactOf = Callable[[str], Fact | None]
"""A learner's fact; ``None`` where it is not known."""

NO = Fact(holds=False)
NOTHING = Fact(holds=False, detail=Detail.NOTHING.value)
_NOBODY: ByLearner = {}


class AttestColumn(NamedTuple):
    """A gradebook column in which full points are somebody's word."""

    evidence_key: str
    results: Mapping[str, decisions.StoredResult]
    is_read: bool
    """It was read to its end: who is not in it has no points."""
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one placement's criteria ask beside grades, and what there is to read it from."""

    placement_id: str
    micromodule_id: str
    achievement_id: str | None
    leaves: tuple[FactLeaf, ...]
    """One for each evidence key, in the order of the keys."""
    gates: Mapping[str, ConfirmedGate]
    """By evidence key."""
    columns: tuple[AttestColumn, ...]


def fact_leaves(criterion: Criterion) -> tuple[FactLeaf, ...]:
    """The leaves that ask for a fact beside grades, one for each key, in the order of the keys."""
    found: dict[str, FactLeaf] = {}
    for leaf in leaves(criterion):
        if isinstance(leaf, GatePassed | Attested | EvidenceAccepted | Completed | HoldsAchievement):
            found.setdefault(leaf.key, leaf)
    return tuple(found[key] for key in sorted(found))


def read_facts(
    session: Session,
    organisation_id: str,
    asked: Sequence[Asked],
    learner_ids: Sequence[str] | None,
    now: datetime,
) -> dict[str, list[tuple[str, FactOf]]]:
    """How to tell each learner's facts, by placement: (evidence key, function) in the order of the keys.

    One query for each kind of fact that is asked for at all.

    :param now: a badge that was over by then is not held; what was completed stays completed, unless its
        badge was revoked.
    """
    gate_ids = [gate.id for one in asked for gate in one.gates.values()]
    attesting = _placements_with(asked, Attested)
    handing_in = _placements_with(asked, EvidenceAccepted)
    micromodule_ids = {leaf.micromodule_id for leaf in _of_kind(asked, Completed)}
    achievement_ids = {leaf.achievement_id for leaf in _of_kind(asked, HoldsAchievement)}
    known = _Known(
        facts.passes(session, organisation_id, gate_ids, learner_ids),
        facts.attestations(session, organisation_id, attesting, learner_ids),
        facts.submissions(session, organisation_id, handing_in, learner_ids),
        facts.completions(session, organisation_id, sorted(micromodule_ids), learner_ids),
        facts.holdings(session, organisation_id, sorted(achievement_ids), learner_ids, now),
    )
    return {one.placement_id: [(leaf.key, known.fact_of(one, leaf)) for leaf in one.leaves] for one in asked}


def _of_kind(asked: Iterable[Asked], kind: Any) -> Iterator[Any]:
    for one in asked:
        yield from (leaf for leaf in one.leaves if isinstance(leaf, kind))


def _placements_with(asked: Iterable[Asked], kind: type[FactLeaf]) -> list[str]:
    return [one.placement_id for one in asked if any(isinstance(leaf, kind) for leaf in one.leaves)]


class _Known(NamedTuple):
    """What was read, of every kind."""

    passes: Mapping[str, ByLearner]
    attestations: Mapping[tuple[str, str], ByLearner]
    submissions: Mapping[tuple[str, str], ByLearner]
    completions: Mapping[str, ByLearner]
    holdings: Mapping[str, ByLearner]

    def fact_of(self, one: Asked, leaf: FactLeaf) -> FactOf:
        if isinstance(leaf, GatePassed):
            gate = one.gates.get(leaf.key)
            return _unknown if gate is None else _of_gate(gate, self.passes[gate.id])
        if isinstance(leaf, Attested):
            attested = self.attestations.get((one.placement_id, leaf.key), _NOBODY)
            column = next((column for column in one.columns if column.evidence_key == leaf.key), None)
            return _of_attestations(attested, column)
        if isinstance(leaf, EvidenceAccepted):
            handed_in = self.submissions.get((one.placement_id, leaf.key), _NOBODY)
            return _of_rows(handed_in, facts.submission_fact, NOTHING)
        if isinstance(leaf, Completed):
            is_own = leaf.micromodule_id == one.micromodule_id
            completed = _NOBODY if is_own else self.completions[leaf.micromodule_id]
            return _of_rows(completed, facts.completion_fact, NO)
        is_own = leaf.achievement_id == one.achievement_id
        held = _NOBODY if is_own else self.holdings[leaf.achievement_id]
        return _of_rows(held, facts.record_fact, NO)


def _unknown(_learner_id: str) -> None:
    return None


def _of_rows(rows: ByLearner, to_fact: Callable[[facts.Row], Fact], otherwise: Fact) -> FactOf:
    find = rows.get

    def of(learner_id: str) -> Fact:
        row = find(learner_id)
        return otherwise if row is None else to_fact(row)

    return of


def _of_gate(gate: ConfirmedGate, rows: ByLearner) -> FactOf:
    find, to_fact = rows.get, facts.gate_fact
    complete_at = gate.read_at if gate.is_complete else None
    absent = None
    if complete_at is not None:
        absent = Fact(holds=False, read_at=complete_at, detail=Detail.ROSTER.value)

    def of(learner_id: str) -> Fact | None:
        row = find(learner_id)
        return absent if row is None else to_fact(row, complete_at)

    return of


def _of_attestations(rows: ByLearner, column: AttestColumn | None) -> FactOf:
    """In the tool or in the gradebook. Of a column that was never read nothing is known but what the tool
    knows itself."""
    if column is None:
        return _of_rows(rows, facts.attestation_fact, NO)
    find, find_result = rows.get, column.results.get
    absent = None
    if column.is_read:
        absent = Fact(holds=False, read_at=column.read_at, detail=Detail.COLUMN.value)

    def of(learner_id: str) -> Fact | None:
        row = find(learner_id)
        if row is not None:
            return facts.attestation_fact(row)
        result = find_result(learner_id)
        if result is None:
            return absent
        value, maximum, graded_at, read_at = decisions.score(result)
        if value is not None and maximum > 0 and value >= maximum:
            return Fact(holds=True, since=graded_at, read_at=read_at, detail=Detail.COLUMN.value)
        return Fact(holds=False, read_at=read_at, detail=Detail.COLUMN.value)

    return of
