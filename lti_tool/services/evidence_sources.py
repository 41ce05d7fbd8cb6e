"""What a placement's criteria ask for, and which columns and gates of the course tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from lti_tool.domain.criteria import (
    LEAVES,
    Attested,
    Channel,
    Completed,
    Criterion,
    FactLeaf,
    GatePassed,
    HoldsAchievement,
    Within,
    score_asks,
)
from lti_tool.domain.evidence import Score
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.facts import Asked, AttestColumn, fact_leaves
from lti_tool.store import decisions as store
from lti_tool.store import placements
from lti_tool.store.facts import ConfirmedGate
from lti_tool.store.results import EvidenceColumn


class Column(NamedTuple):
    """A column that the criteria of a placement ask for."""

    id: str
    evidence_key: str
    not_graded: Score | None
    """What is known of a learner without a row in it: "listed nowhere, so not graded" in a column that was
    read whole, nothing in one that was never read, or was cut off.
    """
    is_attest: bool
    """Full points in it are somebody's word, and no score."""
    read_at: datetime | None


def asked_columns(criteria: Understood, columns: Iterable[EvidenceColumn]) -> list[Column]:
    """Those of a placement's columns that its criteria ask for, in the order of the keys."""
    return [
        Column(
            column.id,
            column.evidence_key,
            (
                Score(None, column.score_maximum, None, column.read_at)
                if column.read_at is not None and column.is_complete
                else None
            ),
            column.evidence_key in criteria.attested,
            column.read_at,
        )
        for column in sorted(columns, key=_by_key)
        if column.evidence_key in criteria.keys
        # Not made in the gradebook, it says nothing: the word in the tool is all there is.
        or (column.evidence_key in criteria.attested and column.tag == _ATTEST and column.url is not None)
    ]


_by_key = attrgetter("evidence_key")
_ATTEST = Channel.ATTEST.value


class Understood(NamedTuple):
    """The criteria of a micromodule version, read once."""

    stored: Mapping[str, Any]
    criterion: Criterion
    channels: Mapping[str, str]
    """Of the scores asked for, by evidence key."""
    keys: frozenset[str]
    facts: tuple[FactLeaf, ...]
    attested: frozenset[str]
    has_gates: bool
    records: frozenset[str]
    """Ids of the micromodules and achievements that are asked for."""
    is_dated: bool
    """When something happened matters, and not only that it did."""


def understand(stored: Mapping[str, Any], criterion: Criterion) -> Understood:
    """What a criterion asks for.

    :param stored: what it was read from; empty for one that nobody saved.
    """
    asked = fact_leaves(criterion)
    channels = {ask.key: ask.channel.value for ask in score_asks(criterion)}
    return Understood(
        stored,
        criterion,
        channels,
        frozenset(channels),
        asked,
        frozenset(leaf.key for leaf in asked if isinstance(leaf, Attested)),
        any(isinstance(leaf, GatePassed) for leaf in asked),
        frozenset(leaf.micromodule_id for leaf in asked if isinstance(leaf, Completed))
        | frozenset(leaf.achievement_id for leaf in asked if isinstance(leaf, HoldsAchievement)),
        _is_dated(criterion),
    )


def _is_dated(criterion: Criterion) -> bool:
    if isinstance(criterion, LEAVES):
        return False
    return isinstance(criterion, Within) or any(_is_dated(part) for part in criterion.parts)


_read: dict[str, Understood] = {}
MOST_CRITERIA = 4096


def understood_of(placement: placements.PlacementView) -> Understood:
    """What a placement asks for. Versions never change; should one have, its new text is read."""
    known = _read.get(placement.micromodule_version_id)
    if known is None or known.stored != placement.criteria:
        if len(_read) >= MOST_CRITERIA:
            _read.clear()
        known = understand(placement.criteria, parse_criteria(placement.criteria))
        _read[placement.micromodule_version_id] = known
    return known


class Source(NamedTuple):
    """One placement and where its evidence comes from."""

    placement: placements.PlacementView
    criteria: Understood
    columns: tuple[EvidenceColumn, ...]
    gates: Mapping[str, ConfirmedGate]

    def asked(
        self, columns: Iterable[Column], results: Mapping[str, Mapping[str, store.StoredResult]]
    ) -> Asked:
        """What is asked of this placement beside grades."""
        return Asked(
            self.placement.id,
            self.placement.micromodule_id,
            self.placement.achievement_id,
            self.criteria.facts,
            self.gates,
            tuple(
                AttestColumn(
                    column.evidence_key, results[column.id], column.not_graded is not None, column.read_at
                )
                for column in columns
                if column.is_attest
            ),
        )


def best_columns(criteria: Understood, columns: Iterable[EvidenceColumn]) -> tuple[EvidenceColumn, ...]:
    """Of the columns that would tell the same, the one that was read last."""
    best: dict[str, EvidenceColumn] = {}
    for column in columns:
        if criteria.channels.get(column.evidence_key) != column.tag:
            continue
        known = best.get(column.evidence_key)
        if known is None or _read_last(column) > _read_last(known):
            best[column.evidence_key] = column
    return tuple(best[key] for key in sorted(best))


def _read_last(one: EvidenceColumn) -> tuple[bool, float]:
    return one.is_complete, one.read_at.timestamp() if one.read_at is not None else 0.0
