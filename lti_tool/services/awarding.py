"""From stored evidence to decisions, completions and awards.

The decision itself is ``lti_tool.domain.awarding``, pure; here its facts are gathered and its answer is
kept. Nothing here calls an LMS, and nothing here takes an award away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lti_tool.domain.awarding import Decision, Exclusion, Verdict, decide_awards
from lti_tool.domain.criteria import leaves
from lti_tool.domain.evidence import Evidence, Score
from lti_tool.services.criteria_format import dump_evidence, dump_finding, parse_criteria
from lti_tool.store import decisions as store
from lti_tool.store import placements
from lti_tool.store.database import Database
from lti_tool.store.tables import new_id


@dataclass(frozen=True, slots=True)
class PlacementDecisions:
    """Every decision for one placement, as made now."""

    placement: placements.PlacementView
    decisions: tuple[Decision, ...]
    evidence: Mapping[str, Evidence]
    latest: Mapping[str, store.LatestDecision]


@dataclass(frozen=True, slots=True)
class AwardingReport:
    """What one pass over a context did."""

    decided: int = 0
    changed: int = 0
    awarded: int = 0
    award_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Awarding:
    """Decides for the learners of a context and records what follows."""

    database: Database
    clock: Callable[[], datetime]

    def decide_context(self, organisation_id: str, context_id: str) -> AwardingReport:
        """Decide for everybody in a context.

        :returns: counts, and the ids of the new awards, which are to be issued.
        """
        return self._decide(organisation_id, context_id, None)

    def decide_learner(self, organisation_id: str, context_id: str, learner_id: str) -> AwardingReport:
        """Decide for one learner in a context; costs the same in a course of any size."""
        return self._decide(organisation_id, context_id, [learner_id])

    def dry_run(self, organisation_id: str, context_id: str) -> tuple[PlacementDecisions, ...]:
        """What :meth:`decide_context` would decide now; nothing is written."""
        return self._made(organisation_id, context_id, None, self.clock())

    def preview(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str]
    ) -> tuple[PlacementDecisions, ...]:
        """What would be decided now for some learners; nothing is written."""
        return self._made(organisation_id, context_id, learner_ids, self.clock())

    def _made(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, now: datetime
    ) -> tuple[PlacementDecisions, ...]:
        made = []
        with self.database.read() as session:
            placed = placements.placements(session, organisation_id, context_id)
            if not placed:
                return ()
            standings = store.standings(session, organisation_id, context_id, learner_ids)
            columns = placements.columns(session, organisation_id, [placement.id for placement in placed])
            for placement in placed:
                criterion = parse_criteria(placement.criteria)
                evidence = _evidence(
                    (standing.learner_id for standing in standings),
                    frozenset(leaf.key for leaf in leaves(criterion)),
                    columns[placement.id],
                    store.results(session, organisation_id, placement.id, learner_ids),
                )
                held = store.holders(
                    session,
                    organisation_id,
                    placement.micromodule_version_id,
                    placement.achievement_version_id,
                    learner_ids,
                )
                decisions = decide_awards(
                    criterion, evidence, held & evidence.keys(), now, _exclusions(standings)
                )
                latest = store.latest(session, organisation_id, placement.id, learner_ids)
                made.append(PlacementDecisions(placement, decisions, evidence, latest))
        return tuple(made)

    def _decide(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None
    ) -> AwardingReport:
        now = self.clock()
        decided = changed = 0
        award_ids: list[str] = []
        for made in self._made(organisation_id, context_id, learner_ids, now):
            decided += len(made.decisions)
            due: list[tuple[Decision, store.NewDecision]] = []
            for decision in made.decisions:
                stored = _to_store(
                    decision,
                    made.evidence.get(decision.learner_id, Evidence()),
                    made.placement.micromodule_version_id,
                )
                before = made.latest.get(decision.learner_id)
                # An award whose row was lost (a crash between two commits cannot do it, a restore of a
                # backup can) is made again also when the decision itself is nothing new.
                is_new = before is None or before.digest != stored.digest
                if is_new or decision.verdict is Verdict.AWARD:
                    due.append((decision, stored))
            if due:
                stored_count, new_award_ids = self._record(
                    organisation_id, context_id, made.placement, due, now
                )
                changed += stored_count
                award_ids.extend(new_award_ids)
        return AwardingReport(decided, changed, len(award_ids), tuple(award_ids))

    def _record(
        self,
        organisation_id: str,
        context_id: str,
        placement: placements.PlacementView,
        due: Sequence[tuple[Decision, store.NewDecision]],
        now: datetime,
    ) -> tuple[int, tuple[str, ...]]:
        """Keep decisions and what follows; how many were new, and the ids of the new awards."""
        new: list[store.NewDecision] = []
        replaced: list[str] = []
        earned: list[store.NewAward] = []
        with self.database.write() as session:
            # A visit during a sync decides about the same learner: one after the other, and the second looks
            # at what the first has kept.
            placements.lock(session, organisation_id, placement.id)
            latest = store.latest(session, organisation_id, placement.id, [one.learner_id for one, _ in due])
            for decision, stored in due:
                before = latest.get(decision.learner_id)
                decision_id = stored.id
                if before is not None and before.digest == stored.digest:
                    decision_id = before.id
                else:
                    new.append(stored)
                    if before is not None:
                        replaced.append(before.id)
                if decision.verdict is Verdict.AWARD and decision.met_at is not None:
                    earned.append(store.NewAward(new_id(), decision.learner_id, decision_id, decision.met_at))
            store.store_decisions(
                session,
                organisation_id,
                placement.id,
                placement.micromodule_version_id,
                new,
                replaced,
                now,
            )
            if not earned:
                return len(new), ()
            store.store_completions(
                session, organisation_id, context_id, placement.micromodule_version_id, earned, now
            )
            if placement.achievement_version_id is None:
                return len(new), ()
            return len(new), store.store_awards(
                session, organisation_id, context_id, placement.achievement_version_id, earned, now
            )


def _evidence(
    learner_ids: Iterable[str],
    keys: frozenset[str],
    columns: tuple[placements.ColumnView, ...],
    results: tuple[store.StoredResult, ...],
) -> dict[str, Evidence]:
    """The facts of every learner.

    A learner without a row in a column that was read whole is "listed nowhere, so not graded"; in one
    that was never read, or was cut off, nothing is known.
    """
    not_graded = {
        column.evidence_key: Score(None, column.score_maximum, None, column.read_at)
        for column in columns
        if column.read_at is not None and column.is_complete and column.evidence_key in keys
    }
    scores: dict[str, dict[str, Score]] = {learner_id: dict(not_graded) for learner_id in learner_ids}
    for result in results:
        known = scores.get(result.learner_id)
        if known is not None and result.evidence_key in keys:
            known[result.evidence_key] = Score(result.score, result.maximum, result.graded_at, result.read_at)
    return {learner_id: Evidence(known) for learner_id, known in scores.items()}


def _exclusions(standings: Iterable[store.Standing]) -> dict[str, Exclusion]:
    """Who is never awarded in this context, and why; the gravest reason first."""
    excluded = {}
    for standing in standings:
        if standing.is_test_user:
            excluded[standing.learner_id] = Exclusion.TEST_USER
        elif standing.is_staff:
            excluded[standing.learner_id] = Exclusion.STAFF
        elif not standing.is_learner:
            excluded[standing.learner_id] = Exclusion.NOT_A_LEARNER
        elif not standing.is_active:
            excluded[standing.learner_id] = Exclusion.LEFT
    return excluded


def _to_store(decision: Decision, evidence: Evidence, version_id: str) -> store.NewDecision:
    finding = dump_finding(decision.finding)
    facts = dump_evidence(evidence)
    return store.NewDecision(
        new_id(),
        decision.learner_id,
        decision.verdict.value,
        decision.state.value,
        finding,
        facts,
        _digest(version_id, decision, finding, facts),
        decision.met_at,
    )


def _digest(
    version_id: str,
    decision: Decision,
    finding: dict[str, object],
    facts: dict[str, dict[str, dict[str, object]]],
) -> str:
    """Equal for two decisions about one version that say the same from the same values, whenever read.

    ``award`` turns into ``held`` by the award itself, which is nothing new about the learner.
    """
    verdict = Verdict.HELD if decision.verdict is Verdict.AWARD else decision.verdict
    values = {key: [score["value"], score["maximum"]] for key, score in facts["scores"].items()}
    said = [version_id, verdict, decision.exclusion, finding, values]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
