"""From stored evidence to decisions, completions and awards.

The decision itself is ``lti_tool.domain.awarding``, pure; here its facts are gathered and its answer is
kept. Nothing here calls an LMS, and nothing here takes an award away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Decision, Exclusion, Verdict, decide_awards
from lti_tool.domain.criteria import Criterion
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.decision_rows import digest_of, to_store
from lti_tool.services.evidence_sources import (
    Column,
    Source,
    Understood,
    asked_columns,
    best_columns,
    understand,
    understood_of,
)
from lti_tool.services.facts import FactOf, read_facts
from lti_tool.services.renewing import Renewals
from lti_tool.services.standings import exclusions, unproved
from lti_tool.store import decisions as store
from lti_tool.store import facts, placements
from lti_tool.store.database import Database
from lti_tool.store.facts import ConfirmedGate
from lti_tool.store.results import EvidenceColumn, columns_of
from lti_tool.store.staging import IDS_AT_ONCE
from lti_tool.store.tables import new_id

AT_ONCE = 25
"""Learners whose findings exist at the same time in a pass over a whole course."""
_Due = tuple[Decision, store.NewDecision]
"""A decision, and the row that it becomes."""
_NEVER = ("", "")
"""Id and digest of the decision before the first."""


@dataclass(frozen=True, slots=True)
class PlacementDecisions:
    """Every decision for one placement, as made now."""

    placement: placements.PlacementView
    criterion: Criterion
    columns: tuple[EvidenceColumn, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class AwardingReport:
    """What one pass over a context did."""

    decided: int = 0
    changed: int = 0
    award_ids: tuple[str, ...] = ()
    beyond: int = 0
    """How many of these are of no course: milestones, which count them in the metrics themselves."""
    followers: frozenset[str] = frozenset()
    """Who earned something that other criteria of the course ask for, so that more may follow."""
    earners: frozenset[str] = frozenset()
    """Who completed something."""
    holders_changed: frozenset[str] = frozenset()
    """Who has what was decided about, and of whom other facts are known than before."""

    @property
    def awarded(self) -> int:
        """How many awards are new."""
        return len(self.award_ids)


@dataclass(frozen=True)
class Awarding:
    """Decides for the learners of a context and records what follows."""

    database: Database
    clock: Callable[[], datetime]
    go_on: Callable[[str, Sequence[str]], tuple[str, ...]] | None = None
    """Told who completed something in an organisation; gives the ids of awards beyond the course."""

    def decide_context(self, organisation_id: str, context_id: str) -> AwardingReport:
        """Decide for everybody in a context.

        :returns: counts, and the ids of the new awards, which are to be issued.
        """
        return self._decide_on(organisation_id, context_id, None)

    def decide_learner(self, organisation_id: str, context_id: str, learner_id: str) -> AwardingReport:
        """Decide for one learner in a context; costs the same in a course of any size."""
        return self._decide_on(organisation_id, context_id, [learner_id])

    def decide_learners(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str]
    ) -> AwardingReport:
        """Decide for some learners in a context together; of very many, for everybody."""
        if len(learner_ids) > IDS_AT_ONCE:
            return self._decide_on(organisation_id, context_id, None)
        return self._decide_on(organisation_id, context_id, learner_ids)

    def dry_run(
        self,
        organisation_id: str,
        context_id: str,
        *,
        with_drafts: bool = False,
    ) -> Iterator[PlacementDecisions]:
        """What :meth:`decide_context` would decide now, a placement at a time; nothing is written.

        :param with_drafts: also what would be decided for drafts, were they published.
        """
        now = self.clock()
        placed = self._placed(organisation_id, context_id, with_drafts=with_drafts)
        for read in self._read(organisation_id, context_id, None, placed, with_latest=False):
            yield read.decided(now)

    def preview(
        self,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str],
        *,
        held: Collection[str] | None = None,
        with_drafts: bool = False,
    ) -> tuple[PlacementDecisions, ...]:
        """What would be decided now for some learners; nothing is written.

        :param held: the achievement versions that the one learner asked for holds, where that is known.
        :param with_drafts: also what would be decided for drafts, were they published.
        """
        now = self.clock()
        placed = self._placed(organisation_id, context_id, with_drafts=with_drafts)
        reads = self._read(organisation_id, context_id, learner_ids, placed, with_latest=False, held=held)
        return tuple(read.decided(now) for read in reads)

    def preview_placement(
        self,
        organisation_id: str,
        context_id: str,
        placement_id: str,
        learner_ids: Sequence[str] | None = None,
    ) -> PlacementDecisions:
        """What would be decided now in one placement, published or a draft; nothing is written.

        :param learner_ids: for whom; ``None`` for everybody.
        :raises NotFound: ``placement_not_found``, also for another course's.
        """
        now = self.clock()
        placed = self._placed(organisation_id, context_id, with_drafts=True)
        wanted = tuple(placement for placement in placed if placement.id == placement_id)
        for read in self._read(organisation_id, context_id, learner_ids, wanted, with_latest=False):
            return read.decided(now)
        raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)

    def simulate(
        self,
        organisation_id: str,
        context_id: str,
        criterion: Criterion,
        *,
        placement_id: str | None = None,
        learner_ids: Sequence[str] | None = None,
    ) -> PlacementDecisions:
        """What criteria that nobody saved yet would come to for everybody in a context; nothing is written.

        A column of the course's placements tells what it told them, where it has the same evidence key and
        channel. Gates, people's word and what was handed in are each badge's own: a gate of the same name
        beside another badge is another link behind another restriction.

        :param placement_id: of the placement whose criteria they are going to be; ``None`` for a new one.
        :param learner_ids: for whom; ``None`` for everybody.
        """
        now = self.clock()
        placed = self._placed(organisation_id, context_id, with_drafts=True)
        criteria = understand({}, criterion)
        with self.database.read() as session:
            ids = [placement.id for placement in placed]
            course = placements.course(session, organisation_id, context_id)
            standings = store.standings(session, organisation_id, context_id, learner_ids)
            columns = columns_of(session, organisation_id, ids)
            own = next((placement for placement in placed if placement.id == placement_id), None)
            gates = () if own is None else facts.confirmed_gates(session, organisation_id, [own.id])
        product = "" if course is None else course.product
        source = Source(
            own or placements.unsaved(organisation_id, context_id, product),
            criteria,
            best_columns(criteria, [column for each in columns.values() for column in each]),
            {gate.evidence_key: gate for gate in gates},
        )
        (read,) = self._read_from(organisation_id, standings, learner_ids, [[source]], with_latest=False)
        return read.decided(now)

    def _placed(
        self, organisation_id: str, context_id: str, *, with_drafts: bool = False
    ) -> tuple[placements.PlacementView, ...]:
        with self.database.read() as session:
            return placements.placements(session, organisation_id, context_id, active_only=not with_drafts)

    def _read(
        self,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str] | None,
        placed: Sequence[placements.PlacementView],
        *,
        with_latest: bool = True,
        held: Collection[str] | None = None,
    ) -> Iterator[_Read]:
        """Facts by placement. For few learners all are read at once; of everybody, one placement's are in
        memory at a time. No transaction is open when one is handed out.
        """
        if not placed:
            return
        criteria = {placement.id: understood_of(placement) for placement in placed}
        gated = [id_ for id_, one in criteria.items() if one.has_gates]
        with self.database.read() as session:
            standings = store.standings(session, organisation_id, context_id, learner_ids)
            columns = columns_of(session, organisation_id, list(criteria))
            confirmed = facts.confirmed_gates(session, organisation_id, gated) if gated else ()
        gates: dict[str, dict[str, ConfirmedGate]] = {}
        for gate in confirmed:
            gates.setdefault(gate.placement_id, {})[gate.evidence_key] = gate
        sources = [
            Source(placement, criteria[placement.id], columns[placement.id], gates.get(placement.id, {}))
            for placement in placed
        ]
        groups = [sources] if learner_ids is not None else [[source] for source in sources]
        yield from self._read_from(
            organisation_id, standings, learner_ids, groups, with_latest=with_latest, held=held
        )

    def _read_from(
        self,
        organisation_id: str,
        standings: Sequence[store.Standing],
        learner_ids: Sequence[str] | None,
        groups: Sequence[Sequence[Source]],
        *,
        with_latest: bool,
        held: Collection[str] | None = None,
    ) -> Iterator[_Read]:
        standings = tuple(sorted(standings, key=lambda standing: standing.learner_id))
        everybody = tuple(standing.learner_id for standing in standings)
        excluded = exclusions(standings)
        strangers = unproved(standings, groups[0][0].placement.product)
        wanted = frozenset().union(*(source.criteria.records for group in groups for source in group))
        for group in groups:
            asked = {source.placement.id: asked_columns(source.criteria, source.columns) for source in group}
            line_item_ids = [column.id for each in asked.values() for column in each]
            ids = list(asked)
            with self.database.read() as session:
                results = store.results(session, organisation_id, line_item_ids, learner_ids)
                facts_of = read_facts(
                    session,
                    organisation_id,
                    [source.asked(asked[source.placement.id], results) for source in group],
                    learner_ids,
                    self.clock(),
                )
                holders = _holders(
                    session, organisation_id, [source.placement for source in group], learner_ids, held
                )
                latest = store.latest(session, organisation_id, ids, learner_ids) if with_latest else {}
            for source in group:
                placement = source.placement
                yield _Read(
                    placement,
                    source.criteria,
                    source.columns,
                    everybody,
                    excluded,
                    strangers,
                    [(one, results[one.id]) for one in asked[placement.id] if not one.is_attest],
                    facts_of[placement.id],
                    holders.get(placement.id, frozenset()),
                    latest.get(placement.id, {}),
                    is_asked_for=not wanted.isdisjoint((placement.micromodule_id, placement.achievement_id)),
                )

    def _decide_on(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None
    ) -> AwardingReport:
        """Decide, and decide again for those who earned what other criteria of the course ask for.

        That ends: each time round somebody got something that nobody gets twice.
        """
        report = self._decide(organisation_id, context_id, learner_ids)
        followers = report.followers
        while followers:
            some = sorted(followers) if len(followers) <= IDS_AT_ONCE else None
            more = self._decide(organisation_id, context_id, some)
            followers = more.followers
            report = replace(
                report,
                changed=report.changed + more.changed,
                award_ids=report.award_ids + more.award_ids,
                earners=report.earners | more.earners,
                holders_changed=report.holders_changed | more.holders_changed,
            )
        if self.go_on is not None and report.earners:
            beyond = self.go_on(organisation_id, sorted(report.earners))
            report = replace(report, award_ids=report.award_ids + beyond, beyond=len(beyond))
        return report

    def _decide(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None
    ) -> AwardingReport:
        now = self.clock()
        decided = changed = 0
        award_ids: list[str] = []
        followers: set[str] = set()
        earners: set[str] = set()
        holders_changed: set[str] = set()
        placed = self._placed(organisation_id, context_id)
        for read in self._read(organisation_id, context_id, learner_ids, placed):
            due: list[_Due] = []
            renewals = Renewals.of(self.database, read.placement, now)
            version_id = read.placement.micromodule_version_id
            for decisions, known in read.decide(now):
                if len(due) > IDS_AT_ONCE - AT_ONCE:
                    stored_count, new_award_ids = self._keep(organisation_id, context_id, read, due, now)
                    changed += stored_count
                    award_ids.extend(new_award_ids)
                    due = []
                decided += len(decisions)
                for decision in decisions:
                    evidence = known[decision.learner_id]
                    digest = digest_of(version_id, decision, evidence, is_dated=read.criteria.is_dated)
                    _, before = read.latest.get(decision.learner_id, _NEVER)
                    # An award whose row was lost (a crash between two commits cannot do it, a restore of a
                    # backup can) is made again also when the decision itself is nothing new.
                    if renewals is not None and decision.verdict is _HELD:
                        renewals.look_at(decision)
                    if before != digest or decision.verdict is _AWARD:
                        due.append((decision, to_store(decision, evidence, digest)))
                        if decision.verdict in _HOLDING:
                            holders_changed.add(decision.learner_id)
                    if decision.verdict is _AWARD:
                        earners.add(decision.learner_id)
                        if read.is_asked_for:
                            followers.add(decision.learner_id)
            stored_count, new_award_ids = self._keep(organisation_id, context_id, read, due, now)
            changed += stored_count
            award_ids.extend(new_award_ids)
            if renewals is not None:
                renewals.keep()
        return AwardingReport(
            decided,
            changed,
            tuple(award_ids),
            followers=frozenset(followers),
            earners=frozenset(earners),
            holders_changed=frozenset(holders_changed),
        )

    def _keep(
        self, organisation_id: str, context_id: str, read: _Read, due: Sequence[_Due], now: datetime
    ) -> tuple[int, tuple[str, ...]]:
        """Keep some learners' decisions, all or nothing of each learner; what :meth:`_record` returns.

        A whole course goes by the hundred: memory stays flat, nobody waits long for the placement, and what
        was kept before a crash is found again as nothing new.
        """
        if not due:
            return 0, ()
        try:
            return self._record(organisation_id, context_id, read.placement, due, now)
        except IntegrityError:
            # Somebody was erased since the facts were read; nobody else waits for the next pass.
            due = self._of_known(organisation_id, due)
            return self._record(organisation_id, context_id, read.placement, due, now)

    def _of_known(self, organisation_id: str, due: Sequence[_Due]) -> list[_Due]:
        """Without those about people who are no longer there."""
        with self.database.read() as session:
            known = store.known(session, organisation_id, [decision.learner_id for decision, _ in due])
        return [one for one in due if one[0].learner_id in known]

    def _record(
        self,
        organisation_id: str,
        context_id: str,
        placement: placements.PlacementView,
        due: Sequence[_Due],
        now: datetime,
    ) -> tuple[int, tuple[str, ...]]:
        """Keep decisions and what follows; how many were new, and the ids of the new awards."""
        version_id = placement.micromodule_version_id
        new: list[store.NewDecision] = []
        replaced: list[str] = []
        earned: list[store.NewAward] = []
        with self.database.write() as session:
            # A visit during a sync decides about the same learner: one after the other, and the second looks
            # at what the first has kept.
            placements.lock(session, organisation_id, placement.id)
            if placements.version_of(session, organisation_id, placement.id) != version_id:
                # The next version was published since the facts were read: who did so has it decided anew.
                return 0, ()
            ids = [decision.learner_id for decision, _ in due]
            latest = store.latest(session, organisation_id, [placement.id], ids)[placement.id]
            for decision, stored in due:
                before_id, before = latest.get(decision.learner_id, _NEVER)
                decision_id = stored.id
                if before == stored.digest:
                    decision_id = before_id
                else:
                    new.append(stored)
                    if before_id:
                        replaced.append(before_id)
                if decision.verdict is _AWARD and decision.met_at is not None:
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
            # Not as of when the course was begun: a course of very many takes a while, and what came last
            # is looked for by these dates.
            now = self.clock()
            added = store.store_completions(
                session, organisation_id, context_id, placement.micromodule_version_id, earned, now
            )
            if placement.achievement_version_id is None:
                return len(new), ()
            if added < len(earned):
                # Completed before there was a badge: it is dated as that was.
                earned = store.as_completed(
                    session, organisation_id, placement.micromodule_version_id, earned
                )
            return len(new), store.store_awards(
                session, organisation_id, context_id, placement.achievement_version_id, earned, now
            )


def _holders(
    session: Session,
    organisation_id: str,
    group: Sequence[placements.PlacementView],
    learner_ids: Sequence[str] | None,
    held: Collection[str] | None,
) -> dict[str, frozenset[str]]:
    """Who has what each placement awards, by placement: the achievement, or without one the completion."""
    with_badge = {one.id: one.achievement_version_id for one in group if one.achievement_version_id}
    without = {one.id: one.micromodule_version_id for one in group if not one.achievement_version_id}
    if held is None:
        awarded = store.holders(session, organisation_id, list(with_badge.values()), learner_ids)
    else:
        awarded = dict.fromkeys(held, frozenset(learner_ids or ()))
    completed = store.completers(session, organisation_id, list(without.values()), learner_ids)
    return {
        **{id_: awarded.get(version_id, frozenset()) for id_, version_id in with_badge.items()},
        **{id_: completed.get(version_id, frozenset()) for id_, version_id in without.items()},
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """All that decisions for one placement rest on."""

    placement: placements.PlacementView
    criteria: Understood
    columns: tuple[EvidenceColumn, ...]
    learner_ids: tuple[str, ...]
    """Sorted."""
    exclusions: Mapping[str, Exclusion]
    unproved: frozenset[str]
    """Whom nothing but a roster that cannot tell staff calls a learner."""
    results: Sequence[tuple[Column, Mapping[str, store.StoredResult]]]
    facts_of: Sequence[tuple[str, FactOf]]
    """How to tell each learner's facts, by evidence key."""
    holders: frozenset[str]
    latest: Mapping[str, tuple[str, str]]
    """Id and digest of the newest decision about each learner; empty where nothing is going to be written."""
    is_asked_for: bool = False
    """Criteria of this course ask for what this placement gives."""

    def decide(self, now: datetime) -> Iterator[tuple[tuple[Decision, ...], Mapping[str, Evidence]]]:
        """Decisions for some learners after the other, with the evidence they rest on.

        A hundred thousand findings at once would keep the garbage collector busier than all deciding.
        """
        for start in range(0, len(self.learner_ids), AT_ONCE):
            evidence = self._evidence(self.learner_ids[start : start + AT_ONCE])
            yield (
                decide_awards(
                    self.criteria.criterion,
                    evidence,
                    self.holders & evidence.keys(),
                    now,
                    self.exclusions,
                    self.unproved,
                ),
                evidence,
            )

    def decided(self, now: datetime) -> PlacementDecisions:
        """Every decision."""
        return PlacementDecisions(
            self.placement,
            self.criteria.criterion,
            self.columns,
            tuple(decision for decisions, _ in self.decide(now) for decision in decisions),
        )

    def _evidence(self, learner_ids: Iterable[str]) -> dict[str, Evidence]:
        """Facts by learner, each learner's by evidence key in the order of the keys."""
        found: dict[str, Evidence] = {}
        read = [(column.evidence_key, results.get, column.not_graded) for column, results in self.results]
        to_score, facts_of = store.score, self.facts_of
        for learner_id in learner_ids:
            scores: dict[str, Score] = {}
            for key, result_of, not_graded in read:
                row = result_of(learner_id)
                if row is not None:
                    scores[key] = to_score(row)
                elif not_graded is not None:
                    scores[key] = not_graded
            found[learner_id] = Evidence(scores, self._facts(learner_id)) if facts_of else Evidence(scores)
        return found

    def _facts(self, learner_id: str) -> dict[str, Fact]:
        facts = {}
        for key, fact_of in self.facts_of:
            fact = fact_of(learner_id)
            if fact is not None:
                facts[key] = fact
        return facts


# Looking a member up in its Enum runs Python code (3.11).
_AWARD, _HELD = Verdict.AWARD, Verdict.HELD
_HOLDING = frozenset({Verdict.HELD, Verdict.REVIEW})
