"""Deciding about milestones: facts of a whole person, judged by the language of criteria, kept under a lock.

A completion anywhere in the organisation counts, whatever course and LMS it is from; a person who joined
learners of several LMSs counts once. Nothing here calls an LMS, and nothing takes an award away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Candidate, Decision, Verdict, decide_award
from lti_tool.domain.criteria import (
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
    leaves,
)
from lti_tool.domain.evidence import Counted, Detail, Evidence, Fact
from lti_tool.services.criteria_format import dump_evidence, dump_finding, parse_criteria
from lti_tool.store import decisions, facts, milestone_dues
from lti_tool.store import milestone_decisions as store
from lti_tool.store.milestones import ActiveVersion, lock
from lti_tool.store.tables import new_id

NO = Fact(holds=False)
REVOKED = Fact(holds=False, detail=Detail.REVOKED.value)
ALLOWED = (Completed, HoldsAchievement, MicromodulesCompleted)
"""What a milestone's criteria may ask for: what the tool itself knows of a person."""


class Asking(NamedTuple):
    """One milestone version's criteria, read."""

    version_id: str
    achievement_version_id: str
    criterion: Criterion


def badges_asked(criterion: Criterion) -> frozenset[str]:
    """The achievements whose badges criteria ask for."""
    return frozenset(leaf.achievement_id for leaf in leaves(criterion) if isinstance(leaf, HoldsAchievement))


def asking(version: ActiveVersion) -> Asking:
    """An active version, its criteria read."""
    return Asking(version.id, version.achievement_version_id, parse_criteria(version.criteria))


class Known(NamedTuple):
    """A fact, and the learner of the person who brought it."""

    fact: Fact
    learner_id: str


@dataclass(frozen=True, slots=True)
class Person:
    """All that is known of one person: one learner, or several who joined."""

    learner_ids: tuple[str, ...]
    known: Mapping[str, Known]
    """What holds, by evidence key."""
    completions: Mapping[str, int] = field(default_factory=dict)
    """How many each learner has."""
    revoked: frozenset[str] = frozenset()
    """Evidence keys of what was completed and counts no more, since its badge was revoked."""

    def fact(self, key: str) -> Fact:
        """What is known by an evidence key; what any account of the person makes hold, holds."""
        if key in self.known:
            return self.known[key].fact
        return REVOKED if key in self.revoked else NO

    def maker(self, evidence: Evidence, met_at: datetime | None) -> str:
        """The learner to whom the award goes: whose completion, or badge, made it."""
        for key in evidence.facts:
            known = self.known.get(key)
            if known is not None and known.fact.since == met_at:
                return known.learner_id
        return self.learner_ids[0]


@dataclass(frozen=True, slots=True)
class People:
    """Some people with all facts that some milestones ask for."""

    persons: tuple[Person, ...]
    sets: Mapping[str, tuple[store.Offered, ...]]
    """What the sets have that are the same for everybody, by evidence key."""
    names: Mapping[str, str]

    def evidence(self, person: Person, criterion: Criterion) -> Evidence:
        """What a person's decision about these criteria rests on."""
        found: dict[str, Fact] = {}
        counted: dict[str, tuple[Counted, ...]] = {}
        for leaf in leaves(criterion):
            if isinstance(leaf, MicromodulesCompleted):
                counted[leaf.key] = self._counted(person, leaf)
                for one in counted[leaf.key]:
                    key = Completed(one.micromodule_id, one.name).key
                    found[key] = person.fact(key)
            else:
                found[leaf.key] = person.fact(leaf.key)
        return Evidence({}, found, counted)

    def _counted(self, person: Person, leaf: MicromodulesCompleted) -> tuple[Counted, ...]:
        if leaf.key in self.sets:
            return tuple(Counted(one.micromodule_id, one.name) for one in self.sets[leaf.key])
        done = [key.removeprefix(_COMPLETED) for key in sorted(person.known) if key.startswith(_COMPLETED)]
        return tuple(Counted(id_, self.names.get(id_, id_)) for id_ in done)


_COMPLETED = Completed("", "").key


def read_people(
    session: Session,
    organisation_id: str,
    learner_ids: Sequence[str],
    criteria: Iterable[Criterion],
    now: datetime,
) -> People:
    """Everything that some criteria ask of some learners, and of those who are the same persons.

    At most six queries, however many learners and criteria.
    """
    asked = [leaf for criterion in criteria for leaf in leaves(criterion)]
    person_of = store.people_of(session, organisation_id, learner_ids)
    everybody = sorted(person_of)
    known: dict[str, dict[str, Known]] = {}

    def learn(learner_id: str, key: str, fact: Fact) -> None:
        of_person = known.setdefault(person_of[learner_id], {})
        before = of_person.get(key)
        if before is None or (fact.since, learner_id) < (before.fact.since, before.learner_id):
            of_person[key] = Known(fact, learner_id)

    completed: dict[str, int] = {}
    revoked: dict[str, set[str]] = {}
    for done in store.completions(session, organisation_id, everybody):
        completed[done.learner_id] = completed.get(done.learner_id, 0) + done.rows
        key = f"{_COMPLETED}{done.micromodule_id}"
        if done.met_at is not None:
            learn(done.learner_id, key, Fact(holds=True, since=done.met_at))
        else:
            revoked.setdefault(person_of[done.learner_id], set()).add(key)
    achievement_ids = sorted({leaf.achievement_id for leaf in asked if isinstance(leaf, HoldsAchievement)})
    held = facts.holdings(session, organisation_id, achievement_ids, everybody, now)
    for achievement_id, rows in held.items():
        for learner_id, row in rows.items():
            learn(learner_id, HoldsAchievement(achievement_id, "").key, facts.record_fact(row))
    sets, names = _sets(session, organisation_id, asked, known)
    learners_of: dict[str, list[str]] = {}
    for learner_id in everybody:
        learners_of.setdefault(person_of[learner_id], []).append(learner_id)
    return People(
        tuple(
            Person(tuple(ids), known.get(person, {}), completed, frozenset(revoked.get(person, ())))
            for person, ids in sorted(learners_of.items())
        ),
        sets,
        names,
    )


def _sets(
    session: Session,
    organisation_id: str,
    asked: Iterable[object],
    known: Mapping[str, Mapping[str, Known]],
) -> tuple[dict[str, tuple[store.Offered, ...]], dict[str, str]]:
    leaves_of_sets = [leaf for leaf in asked if isinstance(leaf, MicromodulesCompleted)]
    if not leaves_of_sets:
        return {}, {}
    # Of an organisation as a whole only what a person completed is counted, unless all of it is asked for.
    some = [leaf for leaf in leaves_of_sets if _is_open(leaf)]
    ids = {id_ for leaf in leaves_of_sets for id_ in leaf.micromodule_ids}
    if some:
        ids.update(
            key.removeprefix(_COMPLETED)
            for of_person in known.values()
            for key in of_person
            if key.startswith(_COMPLETED)
        )
    categories = {leaf.category_id for leaf in leaves_of_sets if leaf.category_id is not None}
    found = store.offered(
        session,
        organisation_id,
        sorted(ids),
        sorted(categories),
        is_everything_asked=any(_is_everything(leaf) for leaf in leaves_of_sets),
    )
    sets = {leaf.key: _members(leaf, found) for leaf in leaves_of_sets if not _is_open(leaf)}
    return sets, {one.micromodule_id: one.name for one in found}


def _is_everything(leaf: MicromodulesCompleted) -> bool:
    return leaf.count is None and leaf.category_id is None and not leaf.micromodule_ids


def _is_open(leaf: MicromodulesCompleted) -> bool:
    """Whether it counts whatever a person completed in the whole organisation."""
    return leaf.count is not None and leaf.category_id is None and not leaf.micromodule_ids


def _members(leaf: MicromodulesCompleted, found: Iterable[store.Offered]) -> tuple[store.Offered, ...]:
    """What a set has: of all that are asked for, those that are offered; else those put aside, too."""
    members: dict[str, store.Offered] = {}
    for one in found:
        if leaf.category_id is not None:
            is_in = one.category_id == leaf.category_id
        else:
            is_in = not leaf.micromodule_ids or one.micromodule_id in leaf.micromodule_ids
        if is_in and (one.is_offered or leaf.count is not None):
            members.setdefault(one.micromodule_id, one)
    return tuple(members.values())


class Judged(NamedTuple):
    """What comes out for one person and one milestone."""

    person: Person
    learner_id: str
    """Who gets the award, or would."""
    decision: Decision
    evidence: Evidence


def judge(people: People, person: Person, criterion: Criterion, *, holds: bool, now: datetime) -> Judged:
    """Decide for one person; nothing is written."""
    evidence = people.evidence(person, criterion)
    decision = decide_award(criterion, Candidate(person.learner_ids[0], evidence, holds), now)
    if decision.verdict is Verdict.REVIEW:
        # A category that has grown since is no reason to look at anybody's badge.
        decision = decision._replace(verdict=Verdict.HELD)
    learner_id = person.maker(evidence, decision.finding.met_at)
    return Judged(person, learner_id, decision._replace(learner_id=learner_id), evidence)


def decide(
    session: Session,
    organisation_id: str,
    learner_ids: Sequence[str],
    versions: Sequence[Asking],
    now: datetime,
) -> tuple[str, ...]:
    """Decide about some learners and keep what follows; the ids of the new awards.

    All in the caller's transaction, which is to be a writing one: facts are read under the lock.
    """
    lock(session, organisation_id, [version.version_id for version in versions])
    award_ids: list[str] = []
    waiting = list(versions)
    while waiting:
        awarded = _decide_once(session, organisation_id, learner_ids, waiting, now)
        award_ids.extend(award.id for award in awarded)
        # A milestone may ask for another one's badge. That ends: nobody gets a badge twice.
        waiting = [version for version in versions if awarded and badges_asked(version.criterion)]
    return tuple(award_ids)


def _decide_once(
    session: Session,
    organisation_id: str,
    learner_ids: Sequence[str],
    versions: Sequence[Asking],
    now: datetime,
) -> list[store.NewAward]:
    asked = {version.version_id: badges_asked(version.criterion) for version in versions}
    # Before the badges themselves: one that comes in between is owed then, and not overlooked.
    badges = _badges_seen(session, organisation_id, learner_ids, frozenset().union(*asked.values()))
    people = read_people(session, organisation_id, learner_ids, [one.criterion for one in versions], now)
    everybody = [id_ for person in people.persons for id_ in person.learner_ids]
    held = decisions.holders(
        session, organisation_id, [one.achievement_version_id for one in versions], everybody
    )
    latest = store.latest(session, organisation_id, [one.version_id for one in versions], everybody)
    new: list[store.NewDecision] = []
    replaced: list[str] = []
    unchanged: dict[int, list[str]] = {}
    awards: list[store.NewAward] = []
    for version in versions:
        holders = held.get(version.achievement_version_id, frozenset())
        for person in people.persons:
            holds = not holders.isdisjoint(person.learner_ids)
            judged = judge(people, person, version.criterion, holds=holds, now=now)
            decision = judged.decision
            if decision.verdict is Verdict.AWARD and decision.met_at is not None:
                awards.append(
                    store.NewAward(
                        new_id(), version.achievement_version_id, judged.learner_id, decision.met_at
                    )
                )
            for learner_id in person.learner_ids:
                before = latest.get((version.version_id, learner_id))
                seen = person.completions.get(learner_id, 0)
                seen += sum(badges.get(learner_id, {}).get(id_, 0) for id_ in asked[version.version_id])
                stored = _stored(version, judged, learner_id, seen)
                # Whoever has the badge keeps it: one completion more is nothing to decide about.
                if before is not None and (
                    before.digest == stored.digest or (holds and before.verdict in _HAVING)
                ):
                    unchanged.setdefault(seen, []).append(before.id)
                    continue
                if before is not None:
                    replaced.append(before.id)
                new.append(stored)
    store.keep(session, organisation_id, new, replaced, unchanged, now)
    store.add_awards(session, organisation_id, awards, now)
    return awards


def _badges_seen(
    session: Session, organisation_id: str, learner_ids: Sequence[str], achievement_ids: frozenset[str]
) -> Mapping[str, Mapping[str, int]]:
    if not achievement_ids:
        return {}
    everybody = sorted(store.people_of(session, organisation_id, learner_ids))
    return milestone_dues.seen_awards(session, organisation_id, sorted(achievement_ids), everybody)


_HAVING = (Verdict.AWARD.value, Verdict.HELD.value)


def _stored(version: Asking, judged: Judged, learner_id: str, facts_seen: int) -> store.NewDecision:
    decision, evidence = judged.decision, judged.evidence
    verdict = decision.verdict
    if verdict is Verdict.AWARD and learner_id != judged.learner_id:
        verdict = Verdict.HELD  # by the same person under another name
    said = [version.version_id, verdict if verdict is not Verdict.AWARD else Verdict.HELD, decision.state]
    said += [f"{key} {int(fact.holds)}{fact.detail}" for key, fact in sorted(evidence.facts.items())]
    return store.NewDecision(
        new_id(),
        version.version_id,
        learner_id,
        verdict.value,
        decision.state.value,
        dump_finding(decision.finding),
        dump_evidence(evidence),
        sha256("\n".join(said).encode()).hexdigest(),
        facts_seen,
    )
