"""Badges that are earned again before, or after, they end: decided from stored evidence, then signed anew.

Where decisions about the holders of a course are made, :class:`Renewals` looks whether what they rest on is
new enough, and keeps a renewal with its reasons. :class:`Renewing` then signs the badge anew with its later
end, under the same id and place. Both may be repeated: what was counted once renews nothing twice, and a
renewal that is not noted as signed is offered again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lti_tool.credentials.documents import format_time
from lti_tool.domain.awarding import Decision
from lti_tool.domain.criteria import Finding, State
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.domain.renewal import (
    RenewalTerms,
    Renewed,
    Tenure,
    dated_as_seen,
    renewed,
    terms_of,
    undated,
)
from lti_tool.domain.validity import no_later_than
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.criteria_format import dump_evidence, dump_finding, parse_evidence
from lti_tool.services.leases import Hold, LeaseLost, held
from lti_tool.services.signing_anew import ActiveKeys, Document, end_of, sign_anew, start_of
from lti_tool.store import audit, decisions, reissues
from lti_tool.store import renewals as store
from lti_tool.store.database import Database
from lti_tool.store.placements import PlacementView
from lti_tool.store.renewals import Owed
from lti_tool.store.staging import IDS_AT_ONCE
from lti_tool.store.tables import new_id
from lti_tool.telemetry import CREDENTIALS_SIGNED

BATCH: Final = 500
"""Badges per transaction: short enough that nobody waits for the write lock."""


# -- deciding


@dataclass
class Renewals:
    """What decisions for one placement come to for those who have its badge."""

    database: Database
    placement: PlacementView
    now: datetime
    _met: dict[str, Finding] = field(default_factory=dict)
    _kept: int = 0

    @classmethod
    def of(cls, database: Database, placement: PlacementView, now: datetime) -> Renewals | None:
        """``None`` for a placement whose badge is not renewed; nothing is read to find out."""
        if placement.achievement_version_id is None or placement.renewal_opens_days is None:
            return None
        return cls(database, placement, now)

    def look_at(self, decision: Decision) -> None:
        """Take note of a decision about somebody who has the badge.

        Who is not awarded here is not renewed here: staff, test users, those who left.
        """
        finding = decision.finding
        if finding.state is State.MET and decision.exclusion is None:
            self._met[decision.learner_id] = finding
        if len(self._met) >= IDS_AT_ONCE:
            self._kept += self._keep_some()

    def keep(self) -> int:
        """Store the renewals that follow; how many are new."""
        return self._kept + self._keep_some()

    def _keep_some(self) -> int:
        met, self._met = self._met, {}
        if not met:
            return 0
        try:
            return self._keep(met)
        except IntegrityError:
            # Somebody was erased since the badges were read; nobody else waits for the next pass.
            return self._keep(met)

    def _keep(self, met: dict[str, Finding]) -> int:
        organisation_id, version_id = self.placement.organisation_id, self.placement.achievement_version_id
        assert version_id is not None
        with self.database.read() as session:
            terms = _terms(session, organisation_id, version_id)
            until = self.now + timedelta(days=terms.opens_days) if terms else self.now
            held = store.held(session, organisation_id, version_id, list(met), until) if terms else {}
            met = self._dated(session, {id_: met[id_] for id_ in held})
            found = {
                id_: (one, again)
                for id_, one in held.items()
                if terms and (again := renewed(met[id_], Tenure(one.ends_at, one.met_at), terms, self.now))
            }
            latest = (
                decisions.latest(session, organisation_id, [self.placement.id], list(found))
                if found
                else {self.placement.id: {}}
            )[self.placement.id]
        if not found:
            return 0
        new = [
            _new(one, again, latest[id_][0] if id_ in latest else None)
            for id_, (one, again) in sorted(found.items())
        ]
        with self.database.write() as session:
            return store.add(session, organisation_id, new, self.now)

    def _dated(self, session: Session, met: dict[str, Finding]) -> dict[str, Finding]:
        """Findings in which everything has a date: what has none of its own as of when it was first seen."""
        asking = {id_: keys for id_, finding in met.items() if (keys := undated(finding))}
        if not asking:
            return met
        placement = self.placement
        past = store.histories(session, placement.organisation_id, placement.id, list(asking))
        seen = {
            id_: first_seen(met[id_], keys, [(one.decided_at, one.evidence) for one in past.get(id_, ())])
            for id_, keys in asking.items()
        }
        return {
            id_: dated_as_seen(finding, seen[id_]) if id_ in seen else finding for id_, finding in met.items()
        }


def first_seen(
    finding: Finding, keys: Collection[str], past: Iterable[tuple[datetime, Mapping[str, Any]]]
) -> dict[str, datetime]:
    """Since when the values of a finding are what they are, as far as stored decisions tell.

    :param past: time and evidence of the decisions about the learner, the newest first.
    """
    now = evidence_of(finding)
    open_, found = set(keys), dict[str, datetime]()
    for decided_at, stored in past:
        then = parse_evidence(stored)
        open_ = {key for key in open_ if _value(then, key) == _value(now, key)}
        if not open_:
            break
        found.update(dict.fromkeys(open_, decided_at))
    return found


def _value(evidence: Evidence, key: str) -> object:
    """What of a fact makes it the same fact, whenever it is read."""
    score, fact = evidence.scores.get(key), evidence.facts.get(key)
    return (score and score[:2], fact and fact.holds)


def _new(one: store.Held, again: Renewed, decision_id: str | None) -> store.NewRenewal:
    return store.NewRenewal(
        new_id(),
        one.award_id,
        one.number + 1,
        decision_id,
        dump_finding(again.finding),
        dump_evidence(evidence_of(again.finding)),
        again.met_at,
        again.ends_at,
    )


def _terms(session: Session, organisation_id: str, version_id: str) -> RenewalTerms | None:
    found = store.terms(session, organisation_id, version_id)
    return None if found is None else terms_of(*found)


def evidence_of(finding: Finding) -> Evidence:
    """The facts that a finding rests on, by evidence key."""
    scores: dict[str, Score] = {}
    facts: dict[str, Fact] = {}
    for one in _with_keys(finding):
        key = getattr(one.criterion, "key", None)
        if key is not None and one.score is not None:
            scores[key] = one.score
        if key is not None and one.fact is not None:
            facts[key] = one.fact
    return Evidence(scores, facts)


def _with_keys(finding: Finding) -> Iterator[Finding]:
    yield finding
    for part in finding.parts:
        yield from _with_keys(part)


# -- signing


@dataclass(frozen=True)
class Renewing:
    """Signs renewed badges anew."""

    database: Database
    keys: ActiveKeys
    clock: Callable[[], datetime]
    urls: PublicUrls

    def due(self, limit: int = 1000) -> tuple[str, ...]:
        """Ids of the organisations with renewals that do not stand in their badges yet."""
        with self.database.read() as session:
            return store.owing(session, self.clock(), limit)

    def arrears(self) -> store.Arrears:
        """What waits to be signed, whoever owns it."""
        with self.database.read() as session:
            return store.arrears(session)

    def work(self, organisation_id: str) -> int:
        """Sign an organisation's renewed badges anew; how many were. Repeating it is a no-op.

        What cannot be signed, for want of its issuer's key for instance, stays owed.
        """
        done = 0
        with held(self.database, self.clock, store.LEASE + organisation_id) as lease:
            if lease is not None:
                for count in self._sign_all(organisation_id, lease):
                    done += count
        return done

    def _sign_all(self, organisation_id: str, lease: Hold) -> Iterator[int]:
        after, keyless = "", set[str]()
        while True:
            with self.database.read() as session:
                rows = store.owed(session, organisation_id, after, BATCH, keyless)
            if not rows:
                return
            count, is_ours = self._sign_batch(organisation_id, rows, lease, keyless)
            yield count
            if not is_ours:
                raise LeaseLost
            after = rows[-1].id

    def _sign_batch(
        self, organisation_id: str, rows: Sequence[Owed], lease: Hold, keyless: set[str]
    ) -> tuple[int, bool]:
        now = self.clock()
        wanted = {self.urls.credential(row.signed.id): row for row in rows}
        signed = sign_anew(
            self.keys,
            self.urls,
            [row.signed for row in wanted.values() if row.revoked_at is None],
            lambda document: _going_on(document, wanted[document["id"]]),
            now,
        )
        keyless.update(signed.keyless)
        with self.database.write() as session:
            count = reissues.replace(session, signed.renewed, now)
            missed = signed.waiting | set(signed.refused)
            if count < len(signed.renewed):
                missed.update(reissues.others(session, organisation_id, signed.renewed))
            settled = [row.id for row in wanted.values() if row.signed.id not in missed]
            store.settle(session, organisation_id, settled, now)
            ends = {one.id: one.ends_at for one in signed.renewed if one.id not in missed}
            for row in wanted.values():
                # Neither one that is revoked nor one whose version ends earlier was signed.
                end = ends.get(row.signed.id)
                if end is not None:
                    audit.record(
                        session,
                        organisation_id,
                        at=now,
                        actor="rule",
                        action="credential.renewed",
                        subject_kind="credential",
                        subject_id=row.signed.id,
                        detail={"valid_until": end.isoformat()},
                    )
            is_ours = lease.renew(session)
        CREDENTIALS_SIGNED.labels("credential").inc(count)
        return count, is_ours


def _going_on(document: Document, owed: Owed) -> Document | None:
    """A badge's text with its later end; ``None`` where it ends no earlier already."""
    had, end = end_of(document), owed.valid_until
    if owed.expires_at is not None:
        end = no_later_than(end, owed.expires_at, start_of(document))
    if had is None or end <= had:
        return None
    return {**document, "validUntil": format_time(end, "/validUntil")}
