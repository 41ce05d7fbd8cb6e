"""How badges of former versions stand: by the rules that they were given for, and by what is read today.

A placement that goes on to the next version is decided about by the new rules only. What the old ones come to
is asked here, each time, and is kept nowhere. Where the next version does not ask for a column or a gate any
more, it is not read any more: then nobody can tell, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Candidate, decide_award
from lti_tool.domain.criteria import Finding, GatePassed
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.errors import RequestInvalid
from lti_tool.services.decision_rows import digest_of
from lti_tool.services.evidence_sources import Column, Source, asked_columns, understood_of
from lti_tool.services.facts import FactOf, read_facts
from lti_tool.services.standings import exclusions
from lti_tool.store import decisions, facts, grounds, placements
from lti_tool.store.doubts import Doubt, Former
from lti_tool.store.results import EvidenceColumn, columns_of
from lti_tool.store.staging import IDS_AT_ONCE

_Results = Mapping[str, Mapping[str, decisions.StoredResult]]


class Retold(NamedTuple):
    """How a badge of a former version stands today."""

    doubt: Doubt
    """With verdict, state and digest as a decision by the same rules would have them."""
    finding: Finding | None
    """``None`` where the rules cannot be read any more."""
    evidence: Evidence
    is_blind: bool
    """Something that the rules ask for is not read any more."""


def retell(
    session: Session, organisation_id: str, context_id: str, among: Sequence[Former], now: datetime
) -> dict[str, Retold]:
    """How some badges of former versions of a course stand, by award; nothing is written.

    The number of statements goes by how many former versions of one placement have holders, and not by how
    many hold them.
    """
    if not among:
        return {}
    learner_ids = sorted({one.doubt.learner_id for one in among})
    only = learner_ids if len(learner_ids) <= IDS_AT_ONCE else None
    asked_for: dict[tuple[str, str], list[Doubt]] = {}
    for one in among:
        asked_for.setdefault((one.doubt.placement_id, one.version_id), []).append(one.doubt)
    sources = _sources(session, organisation_id, context_id, sorted(asked_for))
    excluded = exclusions(decisions.standings(session, organisation_id, context_id, only))
    columns = {key: asked_columns(source.criteria, source.columns) for key, source in sources.items()}
    line_item_ids = sorted({column.id for each in columns.values() for column in each})
    results = decisions.results(session, organisation_id, line_item_ids, only) if line_item_ids else {}
    told: dict[str, Retold] = {}
    for round_ in _rounds(sources):
        asked = [sources[key].asked(columns[key], results) for key in round_]
        facts_of = read_facts(session, organisation_id, asked, only, now)
        for key in round_:
            criteria = sources[key].criteria
            is_blind = _is_blind(sources[key])
            for doubt in asked_for[key]:
                learner_id = doubt.learner_id
                evidence = _evidence(learner_id, columns[key], results, facts_of[key[0]])
                candidate = Candidate(learner_id, evidence, holds=True, exclusion=excluded.get(learner_id))
                decision = decide_award(criteria.criterion, candidate, now)
                digest = digest_of(key[1], decision, evidence, is_dated=criteria.is_dated)
                stands = doubt._replace(
                    verdict=decision.verdict.value, state=decision.state.value, digest=digest
                )
                told[doubt.award_id] = Retold(stands, decision.finding, evidence, is_blind)
    for key in asked_for.keys() - sources.keys():
        for doubt in asked_for[key]:
            told[doubt.award_id] = Retold(doubt, None, Evidence({}), is_blind=True)
    return told


def _sources(
    session: Session, organisation_id: str, context_id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Source]:
    """What each former version asks for, and what of it is read; without those whose rules cannot be read."""
    placed = {one.id: one for one in placements.placements(session, organisation_id, context_id)}
    stored = grounds.criteria_of(session, sorted({version_id for _, version_id in keys}))
    placement_ids = sorted({placement_id for placement_id, _ in keys})
    columns: Mapping[str, tuple[EvidenceColumn, ...]] = columns_of(session, organisation_id, placement_ids)
    gates: dict[str, dict[str, facts.ConfirmedGate]] = {}
    for gate in facts.confirmed_gates(session, organisation_id, placement_ids):
        gates.setdefault(gate.placement_id, {})[gate.evidence_key] = gate
    found: dict[tuple[str, str], Source] = {}
    for placement_id, version_id in keys:
        placement, criteria = placed.get(placement_id), stored.get(version_id)
        if placement is None or criteria is None:
            continue
        as_it_was = replace(placement, micromodule_version_id=version_id, criteria=dict(criteria))
        try:
            understood = understood_of(as_it_was)
        except RequestInvalid:
            continue
        found[placement_id, version_id] = Source(
            as_it_was, understood, columns[placement_id], gates.get(placement_id, {})
        )
    return found


def _rounds(sources: Mapping[tuple[str, str], Source]) -> list[list[tuple[str, str]]]:
    """One version of each placement at a time: facts are read by placement."""
    rounds: list[list[tuple[str, str]]] = []
    seen: dict[str, int] = {}
    for key in sources:
        number = seen[key[0]] = seen.get(key[0], -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(key)
    return rounds


def _is_blind(source: Source) -> bool:
    """Whether the rules ask for a column that was not read, or a gate that is not there or not confirmed."""
    read = {
        column.evidence_key
        for column in source.columns
        if column.read_at is not None and source.criteria.channels.get(column.evidence_key) == column.tag
    }
    gates = {leaf.key for leaf in source.criteria.facts if isinstance(leaf, GatePassed)}
    return not (source.criteria.keys <= read and gates <= source.gates.keys())


def _evidence(
    learner_id: str, columns: Sequence[Column], results: _Results, facts_of: Sequence[tuple[str, FactOf]]
) -> Evidence:
    """A learner's facts in the order in which a decision has them: their digest goes by it."""
    scores: dict[str, Score] = {}
    for column in columns:
        if column.is_attest:
            continue
        row = results[column.id].get(learner_id)
        known = column.not_graded if row is None else decisions.score(row)
        if known is not None:
            scores[column.evidence_key] = known
    found: dict[str, Fact] = {}
    for key, fact_of in facts_of:
        fact = fact_of(learner_id)
        if fact is not None:
            found[key] = fact
    return Evidence(scores, found)
