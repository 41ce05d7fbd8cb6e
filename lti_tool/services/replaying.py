"""Making stored decisions again, from the criteria and the evidence that were stored with them.

A decision that comes out as it was stored was made by these rules from these facts, and by nothing else.
Nothing is written, and no LMS is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lti_tool.domain.awarding import Candidate, Decision, Verdict, decide_award, is_possible
from lti_tool.domain.criteria import Criterion
from lti_tool.errors import ErrorCode, NotFound, ToolError
from lti_tool.services.criteria_format import dump_finding, parse_criteria, parse_evidence
from lti_tool.store import past_decisions as store
from lti_tool.store.database import Database

AT_ONCE = 500
"""Decisions read by one query; each is about a kilobyte."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise than it was stored."""

    what: str
    """``state``, ``verdict``, or a place in the finding: ``finding.parts.1.reason``."""
    stored: Any
    replayed: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored decision, and the same decision made again."""

    stored: store.PastDecision
    replayed: Decision | None
    """Nothing where what was stored could not be read; ``differences`` says why."""
    differences: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        """Whether the same came out."""
        return not self.differences


@dataclass(frozen=True)
class Replaying:
    """Makes stored decisions again."""

    database: Database

    def replay(self, decision_id: str) -> Replay:
        """One decision.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            stored = store.past_decision(session, decision_id)
        if stored is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"no decision {decision_id}")
        return self._replay(stored, {})

    def replay_all(self, context_id: str | None = None) -> Iterator[Replay]:
        """Every decision of a course or of the installation, also those that were replaced by later ones."""
        criteria: dict[str, Criterion | ToolError] = {}
        after = ""
        while True:
            with self.database.read() as session:
                found = store.past_decisions(session, context_id, after=after, limit=AT_ONCE)
            for stored in found:
                yield self._replay(stored, criteria)
            if len(found) < AT_ONCE:
                return
            after = found[-1].id

    def _replay(self, stored: store.PastDecision, known: dict[str, Criterion | ToolError]) -> Replay:
        criterion = known.get(stored.micromodule_version_id)
        if criterion is None:
            criterion = known[stored.micromodule_version_id] = self._criterion(stored.micromodule_version_id)
        if isinstance(criterion, ToolError):
            return Replay(stored, None, (Difference("criteria", "unreadable", criterion.detail),))
        try:
            evidence = parse_evidence(stored.evidence)
            # Also here: a value such as NaN is read, and cannot be compared.
            made = decide_award(criterion, Candidate(stored.learner_id, evidence), stored.decided_at)
        except (ToolError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            return Replay(stored, None, (Difference("evidence", "unreadable", repr(error)),))
        return Replay(stored, made, tuple(_differences(stored, made)))

    def _criterion(self, version_id: str) -> Criterion | ToolError:
        with self.database.read() as session:
            stored = store.criteria_of(session, version_id)
        try:
            return parse_criteria(stored)
        except ToolError as error:
            return error


def _differences(stored: store.PastDecision, made: Decision) -> Iterator[Difference]:
    if stored.state != made.state:
        yield Difference("state", stored.state, made.state.value)
    # Who held the badge and who was excluded at that time is not evidence: the verdict has to be one of those
    # that the state leaves.
    possible = [verdict.value for verdict in Verdict if is_possible(verdict, made.state)]
    if stored.verdict not in possible:
        yield Difference("verdict", stored.verdict, possible)
    yield from _differing("finding", stored.finding, dump_finding(made.finding))


def _differing(place: str, stored: Any, made: Any) -> Iterator[Difference]:
    """What differs between two JSON values, each with its place."""
    if isinstance(stored, Mapping) and isinstance(made, Mapping):
        for name in sorted(stored.keys() | made.keys()):
            yield from _differing(f"{place}.{name}", stored.get(name), made.get(name))
    elif isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        for number, (one, other) in enumerate(zip(stored, made, strict=True)):
            yield from _differing(f"{place}.{number}", one, other)
    elif stored != made:
        yield Difference(place, stored, made)
