"""Looks over a course for badges whose facts are not what they were, and has people review them.

A grade was lowered or deleted, somebody left, the course was reset, or a gate that a badge rests on let
everybody through. What is as it was again needs nobody. Nothing is taken back here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import Criterion, Finding, GatePassed, State, leaves
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.errors import RequestInvalid, ToolError
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.services.former_versions import Retold, retell
from lti_tool.store import doubts, grounds
from lti_tool.store import reviews as store
from lti_tool.store.database import Database
from lti_tool.store.doubts import Doubt, DoubtedGate, Evidenced
from lti_tool.store.staging import IDS_AT_ONCE, chunks
from lti_tool.telemetry import REVIEWS, get_logger

AT_ONCE = 250
"""Reviews that one transaction writes."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look over a course did."""

    opened: int = 0
    settled: int = 0


class Ground(StrEnum):
    """What is left of the reason for which a badge is going to be revoked."""

    HOLDS = "holds"
    """It is as it was, or worse, or cannot be told."""
    GONE = "gone"
    """The facts are good again."""
    OTHER = "other"
    """It is gone, and something else is to be said against the badge, about which nobody has decided."""
    UNTOLD = "untold"
    """A next version was published since, which does not ask for what tells it: nobody knows any more."""


class Standing(NamedTuple):
    """How things stand with a badge that is going to be revoked, or about which nobody has decided."""

    ground: Ground
    decision_id: str | None
    """The latest about it; ``None`` where its placement went on to another version."""
    finding: Finding | None
    """What the rules of a former version come to today."""
    digest: str
    """Of the facts."""


@dataclass(frozen=True)
class Doubting:
    """Opens reviews, and settles them."""

    database: Database
    clock: Callable[[], datetime]

    def look(self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None = None) -> Looked:
        """Open what the course's state calls for, and settle what it does not any more.

        Repeating it changes nothing.

        :param learner_ids: whom something changed about; ``None`` for everybody.
        """
        if learner_ids is not None and len(learner_ids) > IDS_AT_ONCE:
            learner_ids = None
        now = self.clock()
        with self.database.read() as session:
            # Before what was kept: what is decided between the two readings is in one of them.
            undecided = doubts.undecided(session, organisation_id, context_id, learner_ids, now)
            told = self._retold(session, organisation_id, context_id, learner_ids, now)
            known = {one.now.award_id: _as_told(one, told) for one in undecided}
            gates = doubts.doubted_gates(session, organisation_id, context_id)
            found = self._found(session, organisation_id, context_id, learner_ids, gates, known, told, now)
            ids = list(found)
            kept = doubts.kept_digests(session, organisation_id, ids) if ids else frozenset()
            doomed = doubts.awaiting_revocation(session, organisation_id, ids) if ids else frozenset()
            is_reset = doubts.emptied_at(session, organisation_id, context_id) is not None if found else False
        opening = [
            (doubt, _cause(why, is_reset=is_reset), digest)
            # In one order, here and below: of two who write in two orders, PostgreSQL stops one.
            for award_id, (doubt, why) in sorted(found.items())
            for digest in (_digest(doubt, gates if why == "gate" else ()),)
            if award_id not in known and award_id not in doomed and (award_id, digest) not in kept
        ]
        reviews = sorted(known.values(), key=lambda review: review.id)
        changes = [one for review in reviews for one in _changes(review, found, gates, is_reset=is_reset)]
        closing = [(review, _closed(review, now)) for review in reviews if _is_over(review, found)]
        if not opening and not changes and not closing:
            return Looked()
        opened = settled = 0
        for some in chunks(opening, AT_ONCE):
            # A reset opens thousands: whoever launches on SQLite waits for one transaction, not for all.
            with self.database.write() as session:
                for doubt, cause, digest in some:
                    opened += store.open_one(session, organisation_id, context_id, doubt, cause, digest, now)
        for some_changes in chunks(changes, AT_ONCE):
            with self.database.write() as session:
                for review, values in some_changes:
                    still = store.is_undecided(review.digest)
                    store.change(session, organisation_id, review.id, still, **values)
        for some_closed in chunks(closing, AT_ONCE):
            with self.database.write() as session:
                for review, values in some_closed:
                    still = store.is_undecided()
                    is_closed = store.change(session, organisation_id, review.id, still, **values)
                    settled += is_closed and not review.is_revoked
        REVIEWS.labels("opened").inc(opened)
        REVIEWS.labels("settled").inc(settled)
        log.info("reviews_looked_over", context_id=context_id, opened=opened, settled=settled)
        return Looked(opened, settled)

    def standing(
        self, organisation_id: str, context_id: str, learner_id: str, review_id: str
    ) -> Standing | None:
        """Whether a revocation that somebody decided still has its reason, by what is known now; of a review
        that nobody has decided, how its badge stands.

        :returns: ``None`` for any other review.
        """
        ids, now = [learner_id], self.clock()
        with self.database.read() as session:
            waiting = doubts.waiting(session, organisation_id, review_id, now)
            if waiting is None:
                return None
            told = self._retold(session, organisation_id, context_id, ids, now)
            review = _as_told(waiting, told)
            gates = doubts.doubted_gates(session, organisation_id, context_id)
            known = {review.now.award_id: review}
            found = self._found(session, organisation_id, context_id, ids, gates, known, told, now)
        doubt, why = found.get(review.now.award_id, (review.now, review.cause))
        digest = _digest(doubt, gates if why == "gate" else ())
        retold = told.get(review.now.award_id)
        is_blind = retold is not None and retold.is_blind
        # Decided by those who knew that it cannot be told, it has its reason.
        if is_blind and _is_untold(review) and digest != review.digest:
            ground = Ground.UNTOLD
        else:
            ground = _ground(review, found)
        return Standing(ground, review.now.now_id, None if retold is None else retold.finding, digest)

    def _retold(
        self,
        session: Session,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str] | None,
        now: datetime,
    ) -> dict[str, Retold]:
        """How the badges of former versions stand, by award."""
        among = doubts.former(session, organisation_id, context_id, learner_ids, now)
        return retell(session, organisation_id, context_id, among, now)

    def _found(
        self,
        session: Session,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str] | None,
        gates: Sequence[DoubtedGate],
        known: Mapping[str, doubts.OpenReview],
        told: Mapping[str, Retold],
        now: datetime,
    ) -> dict[str, tuple[Doubt, str]]:
        """What there is to doubt, and why, by award; the gravest reason counts."""
        found: dict[str, tuple[Doubt, str]] = {}
        if gates:
            placement_ids = {gate.placement_id for gate in gates}
            resting = [
                *doubts.resting_on(session, organisation_id, context_id, placement_ids, learner_ids, now),
                *(one.doubt for one in told.values() if one.doubt.placement_id in placement_ids),
            ]
            unknown = [one for one in resting if one.award_id not in known]
            needed = self._needing(session, organisation_id, unknown, gates)
            for doubt in resting:
                if doubt.award_id in needed or _cause_of(known, doubt.award_id) == "gate":
                    found[doubt.award_id] = (doubt, "gate")
        for doubt in doubts.left(session, organisation_id, context_id, learner_ids, now):
            retold = told.get(doubt.award_id)
            found[doubt.award_id] = (doubt if retold is None else retold.doubt, "left")
        for award_id, review in known.items():
            # Nobody can tell whether it is good again: whoever comes or goes, it waits for a person.
            if award_id in told and told[award_id].is_blind and _is_untold(review):
                found[award_id] = (told[award_id].doubt, review.cause)
        worse = [one.doubt for one in told.values() if _is_worse(one.doubt)]
        changed = [
            one
            for one in (*doubts.changed(session, organisation_id, context_id, learner_ids, now), *worse)
            # Some platforms delete the grades of who is unenrolled: that they are gone says nothing but this.
            if one.is_active or one.verdict == "review"
        ]
        # Of one that waits already, it was seen before that a grade is gone: it stays until it is back.
        unseen = [
            one
            for one in changed
            if one.verdict == "held" and _cause_of(known, one.award_id) not in ("facts", "reset")
        ]
        lost = self._lost_grades(session, organisation_id, unseen, told)
        seen = {one.award_id for one in changed} - {one.award_id for one in unseen}
        for doubt in changed:
            if doubt.award_id in seen or doubt.award_id in lost:
                found[doubt.award_id] = (doubt, "facts")
        return found

    def _needing(
        self,
        session: Session,
        organisation_id: str,
        among: Sequence[Doubt],
        gates: Sequence[DoubtedGate],
    ) -> frozenset[str]:
        """Awards that would not have been made without what a doubted gate said."""
        keys: dict[str, set[str]] = {}
        for gate in gates:
            keys.setdefault(gate.placement_id, set()).add(gate.evidence_key)
        needed: set[str] = set()
        criteria: dict[str, Criterion | None] = {}
        for start in range(0, len(among), IDS_AT_ONCE):
            some = among[start : start + IDS_AT_ONCE]
            made = doubts.evidence_of(session, organisation_id, {one.then_id for one in some})
            add_criteria(session, made.values(), criteria)
            for doubt in some:
                ground = made[doubt.then_id]
                criterion, evidence = criteria[ground.micromodule_version_id], read_evidence(ground.evidence)
                if criterion is None or evidence is None:
                    continue
                asked = {leaf.key for leaf in leaves(criterion) if isinstance(leaf, GatePassed)}
                doubted = asked & keys[doubt.placement_id]
                facts = {key: fact for key, fact in evidence.facts.items() if key not in doubted}
                if evaluate(criterion, replace(evidence, facts=facts)).state is not State.MET:
                    needed.add(doubt.award_id)
        return frozenset(needed)

    def _lost_grades(
        self, session: Session, organisation_id: str, among: Sequence[Doubt], told: Mapping[str, Retold]
    ) -> frozenset[str]:
        """Awards that rest on a grade which the platform says is not there any more. A column that cannot be
        read says nothing, and is no reason for anything."""
        lost: set[str] = set()
        for start in range(0, len(among), IDS_AT_ONCE):
            some = among[start : start + IDS_AT_ONCE]
            ids = {id_ for one in some for id_ in (one.then_id, one.now_id) if id_ is not None}
            made = doubts.evidence_of(session, organisation_id, ids)
            for doubt in some:
                then = made[doubt.then_id].evidence
                had = {key for key, one in then["scores"].items() if one["value"] is not None}
                if doubt.award_id in told:
                    scores = told[doubt.award_id].evidence.scores
                    has_not = {key for key, one in scores.items() if one.value is None}
                else:
                    now = made[doubt.now_id or doubt.then_id].evidence
                    has_not = {key for key, one in now["scores"].items() if one["value"] is None}
                if had & has_not:
                    lost.add(doubt.award_id)
        return frozenset(lost)


def _as_told(review: doubts.OpenReview, told: Mapping[str, Retold]) -> doubts.OpenReview:
    """A review with how its badge stands, also where that is one of a former version."""
    retold = told.get(review.now.award_id)
    return review if retold is None else review._replace(now=retold.doubt)


def _is_untold(review: doubts.OpenReview) -> bool:
    """Whether it goes by rules of which nobody knows how they stand."""
    return review.cause != "left" and review.now.state not in _KNOWN


_KNOWN = (State.MET.value, State.NOT_MET.value)


def _is_worse(doubt: Doubt) -> bool:
    """As :func:`~lti_tool.store.doubts.changed` asks of decisions."""
    is_unknown = doubt.verdict == Verdict.HELD.value and doubt.state == State.UNKNOWN.value
    return doubt.verdict == Verdict.REVIEW.value or is_unknown


def _cause_of(known: Mapping[str, doubts.OpenReview], award_id: str) -> str | None:
    """Why an award is reviewed already; ``None`` where it is not."""
    review = known.get(award_id)
    return None if review is None else review.cause


def _cause(why: str, *, is_reset: bool) -> str:
    return "reset" if is_reset and why != "gate" else why


_Found = Mapping[str, tuple[Doubt, str]]


def _changes(
    review: doubts.OpenReview, found: _Found, gates: Sequence[DoubtedGate], *, is_reset: bool
) -> Iterator[tuple[doubts.OpenReview, dict[str, Any]]]:
    """What an open review has to be told: that the facts are others again."""
    if review.is_revoked or review.now.award_id not in found:
        return
    doubt, why = found[review.now.award_id]
    digest = _digest(doubt, gates if why == "gate" else ())
    if digest != review.digest:
        cause = "reset" if review.cause == "reset" else _cause(why, is_reset=is_reset)
        yield review, {"digest": digest, "decision_now_id": doubt.now_id, "cause": cause}


def _ground(review: doubts.OpenReview, found: _Found) -> Ground:
    if review.now.award_id not in found:
        # What is not known any more spares nobody: it was known when somebody decided.
        return Ground.GONE if not review.is_over and _is_over(review, found) else Ground.HOLDS
    if review.cause == "left":
        return Ground.OTHER if review.now.is_active else Ground.HOLDS
    _, why = found[review.now.award_id]
    is_good = why == "left" and review.cause != "reset" and review.now.state == State.MET.value
    return Ground.OTHER if is_good else Ground.HOLDS


def _is_over(review: doubts.OpenReview, found: _Found) -> bool:
    """Whether nobody has to decide any more: the badge was revoked in another way, or has ended; the criteria
    are met again, or who had left is back."""
    if review.is_revoked or review.is_over:
        return True
    if review.now.award_id in found or not review.now.is_active:
        return False
    return review.now.state == State.MET.value or review.cause == "left"


def _closed(review: doubts.OpenReview, now: datetime) -> dict[str, Any]:
    """How a review ends that nobody decided."""
    if review.is_revoked:
        return {
            "status": doubts.REVOKED,
            "decided_at": now,
            "reason": review.revocation_reason,
            "carried_out_at": now,
        }
    return {"status": doubts.SETTLED, "decided_at": now, "decision_now_id": review.now.now_id}


def _digest(doubt: Doubt, gates: Sequence[DoubtedGate]) -> str:
    """Equal for the same facts about the same award."""
    said = [doubt.digest or "", "here" if doubt.is_active else "left"]
    said += [
        f"{gate.id} {gate.confirmed_at.isoformat() if gate.confirmed_at else ''}"
        for gate in gates
        if gate.placement_id == doubt.placement_id
    ]
    return sha256("\n".join(said).encode()).hexdigest()


def add_criteria(session: Session, made: Iterable[Evidenced], known: dict[str, Criterion | None]) -> None:
    """Have the criteria of every decision in ``known``, by version; ``None`` for what cannot be read."""
    missing = sorted({one.micromodule_version_id for one in made} - known.keys())
    if missing:
        stored = grounds.criteria_of(session, missing)
        known.update({id_: _criterion(stored.get(id_)) for id_ in missing})


def _criterion(stored: Mapping[str, Any] | None) -> Criterion | None:
    try:
        return None if stored is None else parse_criteria(stored)
    except RequestInvalid:
        return None


def read_evidence(stored: Mapping[str, Any]) -> Evidence | None:
    """Evidence as stored; ``None`` where it cannot be read any more."""
    try:
        return parse_evidence(stored)
    except (ToolError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None
