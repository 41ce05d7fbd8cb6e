"""What would happen: a placement, or criteria that are not saved yet, tried on the real course.

Nothing is written. The same decisions are made as when it counts, so that what is shown is what an award
comes to as long as nobody's facts change in between.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from lti_tool.domain.awarding import Decision, Exclusion, Standing, Verdict, standing_of
from lti_tool.domain.criteria import Criterion, Finding, State
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.awarding import Awarding, PlacementDecisions
from lti_tool.services.evidence_channels import ChannelView, channels_of
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import configured_course, viewed_course
from lti_tool.store import decisions, placements, runs
from lti_tool.store import matrix as store
from lti_tool.store.database import Database
from lti_tool.store.runs import RunView

SHOWN: Final = 10
"""People named in each group; the matrix lists everybody."""


class Outcome(StrEnum):
    """What would become of one learner, from the best to the least known."""

    EARNS = "earns"
    WAITS = "waits"
    """It would be an award, but nothing shows yet that the person is a learner of the course."""
    HAS = "has"
    """Holds the badge already; it stays, whatever the criteria say."""
    NOT_YET = "not_yet"
    NO_DATA = "no_data"
    """Not known yet."""
    REVOKED = "revoked"
    """Had the badge; it is not awarded again."""


def outcome_of(decision: Decision, *, is_revoked: bool = False) -> Outcome | None:
    """What a decision comes to; ``None`` for somebody who does not count as a learner here.

    :param is_revoked: whether the badge that the learner has was revoked.
    """
    if decision.exclusion is not None:
        return None
    if decision.verdict is Verdict.AWARD:
        return Outcome.EARNS
    return _OUTCOMES[standing_of(decision.verdict, decision.state, is_revoked=is_revoked)]


_OUTCOMES = {
    Standing.EARNED: Outcome.HAS,
    Standing.REVIEW: Outcome.HAS,
    Standing.WAITING: Outcome.WAITS,
    Standing.NOT_YET: Outcome.NOT_YET,
    Standing.NO_DATA: Outcome.NO_DATA,
    Standing.REVOKED: Outcome.REVOKED,
}


@dataclass(frozen=True, slots=True)
class SimulatedLearner:
    """One learner who is named."""

    learner_id: str
    name: str | None
    finding: Finding
    met_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeGroup:
    """Everybody of whom the same would become."""

    outcome: Outcome
    count: int
    named: tuple[SimulatedLearner, ...]
    """The ones who lack least, those first; who lack the same, by name."""

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.named)


@dataclass(frozen=True, slots=True)
class SimulatedCriterion:
    """One criterion: how many meet it, and whether its channel can tell."""

    channel: ChannelView
    met: int
    not_met: int
    unknown: int


@dataclass(frozen=True, slots=True)
class SimulationView:
    """What would happen now."""

    placement_id: str | None
    """``None`` for criteria that are not saved."""
    name: str
    status: str
    has_badge: bool
    criterion: Criterion
    learners: int
    """Who counts: staff, test users and who has left are not among them."""
    not_counted: Mapping[Exclusion, int]
    groups: tuple[OutcomeGroup, ...]
    criteria: tuple[SimulatedCriterion, ...]
    roster_read_at: datetime | None
    roster_is_complete: bool
    roster_trouble: ErrorCode | None
    run: RunView | None

    def number_of(self, outcome: Outcome | str) -> int:
        """How many have this outcome."""
        return next((group.count for group in self.groups if group.outcome == outcome), 0)

    @property
    def earns(self) -> int:
        """Who would be awarded now."""
        return self.number_of(Outcome.EARNS)

    @property
    def blind(self) -> tuple[SimulatedCriterion, ...]:
        """The criteria that are known for nobody, since their channel tells nothing yet."""
        return tuple(one for one in self.criteria if not one.channel.is_known)

    @property
    def is_reading(self) -> bool:
        """Whether the course is being read just now."""
        return self.run is not None and self.run.status in runs.OPEN


@dataclass(frozen=True)
class Simulating:
    """Tries placements and criteria on the course that a session is in."""

    database: Database
    awarding: Awarding

    def placement(self, session: SessionView, placement_id: str, *, shown: int = SHOWN) -> SimulationView:
        """Try a placement, published or not.

        :param shown: how many people are named in each group.
        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``, also for another course's; ``context_not_found``.
        """
        organisation_id, context_id = viewed_course(session)
        tried = self.awarding.preview_placement(organisation_id, context_id, placement_id)
        return self._view(organisation_id, context_id, tried, placement_id, shown)

    def criterion(
        self,
        session: SessionView,
        criterion: Criterion,
        *,
        draft_id: str | None = None,
        shown: int = SHOWN,
    ) -> SimulationView:
        """Try criteria that are not saved, on what the course's placements have read already.

        :param draft_id: the placement that is going to ask for them; ``None`` for a new one.
        :raises NotAllowed: unless the person may configure the course's badges and see who is how far.
        """
        configured_course(session)
        organisation_id, context_id = viewed_course(session)
        tried = self.awarding.simulate(organisation_id, context_id, criterion, placement_id=draft_id)
        return self._view(organisation_id, context_id, tried, None, shown)

    def _view(
        self,
        organisation_id: str,
        context_id: str,
        tried: PlacementDecisions,
        placement_id: str | None,
        shown: int,
    ) -> SimulationView:
        with self.database.read() as reading:
            course = placements.course(reading, organisation_id, context_id)
            if course is None:
                raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
            run = runs.newest(reading, organisation_id, context_id)
            # A new badge has no placement, and so no gate, yet.
            gates = store.gates(reading, organisation_id, tried.placement.id)
            channels = channels_of(tried.criterion, tried.columns, gates)
            revoked = decisions.revoked_learners(reading, organisation_id, tried.placement.id)
            tally = _Tally.of(tried.decisions, revoked, len(channels), shown)
            named = {outcome: tally.nearest(outcome) for outcome in Outcome}
            ids = [decision.learner_id for group in named.values() for decision in group]
            names = store.names(reading, organisation_id, ids)
        placement = tried.placement
        return SimulationView(
            placement_id,
            placement.name if placement_id is not None else "",
            placement.status if placement_id is not None else "",
            placement_id is None or placement.achievement_version_id is not None,
            tried.criterion,
            sum(len(group) for group in tally.groups.values()),
            dict(tally.not_counted),
            tuple(
                OutcomeGroup(outcome, len(group), _named(named[outcome], names))
                for outcome, group in tally.groups.items()
            ),
            tuple(
                SimulatedCriterion(channel, states[State.MET], states[State.NOT_MET], states[State.UNKNOWN])
                for channel, states in zip(channels, tally.states, strict=True)
            ),
            course.roster_read_at,
            course.roster_is_complete,
            ErrorCode(course.roster_trouble) if course.roster_trouble else None,
            run,
        )


def _named(group: Sequence[Decision], names: Mapping[str, str | None]) -> tuple[SimulatedLearner, ...]:
    learners = (
        SimulatedLearner(one.learner_id, names.get(one.learner_id), one.finding, one.met_at) for one in group
    )
    return tuple(
        sorted(learners, key=lambda one: (-_met(one.finding), (one.name or "").casefold(), one.learner_id))
    )


@dataclass
class _Tally:
    """What one pass over all decisions counts."""

    shown: int
    groups: dict[Outcome, list[Decision]]
    not_counted: Counter[Exclusion]
    states: list[Counter[State]]

    @classmethod
    def of(cls, decided: Iterable[Decision], revoked: Collection[str], leaves: int, shown: int) -> _Tally:
        tally = cls(
            shown, {outcome: [] for outcome in Outcome}, Counter(), [Counter() for _ in range(leaves)]
        )
        for decision in decided:
            outcome = outcome_of(decision, is_revoked=decision.learner_id in revoked)
            if outcome is None:
                if decision.exclusion is not None:
                    tally.not_counted[decision.exclusion] += 1
                continue
            tally.groups[outcome].append(decision)
            for counter, leaf in zip(tally.states, decision.finding.leaves(), strict=True):
                counter[leaf.state] += 1
        return tally

    def nearest(self, outcome: Outcome) -> list[Decision]:
        """Some of a group: those with the most criteria met."""
        return heapq.nsmallest(self.shown, self.groups[outcome], key=_lacking)


def _lacking(decision: Decision) -> tuple[int, str]:
    return -_met(decision.finding), decision.learner_id


def _met(finding: Finding) -> int:
    return sum(leaf.state is State.MET for leaf in finding.leaves())
