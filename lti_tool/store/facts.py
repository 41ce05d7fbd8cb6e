"""What decisions read beside grades: gates, people's word, what was handed in, completions and badges.

One statement for each kind, however many learners and keys are asked for. Rows stay as the driver gives
them until it is their learner's turn; the functions at the end read one row each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import String, and_, bindparam, func, select
from sqlalchemy.orm import Session

from lti_tool.domain.evidence import Detail, Fact
from lti_tool.domain.gates import GateState
from lti_tool.store import counting
from lti_tool.store.dialects import is_of
from lti_tool.store.model import UtcDateTime
from lti_tool.store.raw_rows import (
    LEARNER_IDS,
    ORGANISATION_ID,
    RawMoment,
    moment,
    raw,
    same_moment,
    some,
    untyped,
)
from lti_tool.store.tables import (
    AchievementVersion,
    Attestation,
    Award,
    Completion,
    Credential,
    Gate,
    GatePass,
    MicromoduleVersion,
    Submission,
)

Row = tuple[Any, ...]
ByLearner = dict[str, Row]
_IDS = bindparam("ids", type_=String, expanding=True)
_NOW = bindparam("now", type_=UtcDateTime())


class ConfirmedGate(NamedTuple):
    """A gate of which an instructor said that who passes it is right."""

    id: str
    placement_id: str
    evidence_key: str
    read_at: datetime | None
    is_complete: bool


def confirmed_gates(
    session: Session, organisation_id: str, placement_ids: Sequence[str]
) -> tuple[ConfirmedGate, ...]:
    """The gates of some placements that may be believed; of one that is doubted, what was seen before."""
    rows = session.connection().execute(
        _CONFIRMED, {"organisation_id": organisation_id, "ids": list(placement_ids)}
    )
    return tuple(ConfirmedGate(*row) for row in rows)


_CONFIRMED: Any = select(
    Gate.id,
    Gate.placement_id,
    Gate.evidence_key,
    Gate.read_at,
    # A list that is doubted says of nobody that they do not pass.
    and_(Gate.is_complete, Gate.state == GateState.CONFIRMED.value),
).where(
    is_of(Gate.organisation_id, ORGANISATION_ID),
    Gate.placement_id.in_(_IDS),
    Gate.state.in_([state.value for state in GateState if state.is_evidence]),
)


def passes(
    session: Session, organisation_id: str, gate_ids: Sequence[str], learner_ids: Sequence[str] | None
) -> dict[str, ByLearner]:
    """What is known of learners at some gates: by gate, then by learner; :func:`gate_fact` reads a row."""
    found: dict[str, ByLearner] = {id_: {} for id_ in gate_ids}
    for row in _read(
        session, _passes(of_some=learner_ids is not None), organisation_id, gate_ids, learner_ids
    ):
        found[row[0]][row[1]] = row
    return found


@cache
def _passes(*, of_some: bool) -> Any:
    query = select(
        GatePass.gate_id,
        GatePass.learner_id,
        GatePass.is_passed,
        untyped(GatePass.since),
        untyped(GatePass.read_at),
        GatePass.source,
    ).where(is_of(GatePass.organisation_id, ORGANISATION_ID), GatePass.gate_id.in_(_IDS))
    return query.where(GatePass.learner_id.in_(LEARNER_IDS)) if of_some else query


def attestations(
    session: Session, organisation_id: str, placement_ids: Sequence[str], learner_ids: Sequence[str] | None
) -> dict[tuple[str, str], ByLearner]:
    """Who was attested what: by placement and evidence key, then by learner; read by
    :func:`attestation_fact`."""
    query = _attestations(of_some=learner_ids is not None)
    return _by_key(_read(session, query, organisation_id, placement_ids, learner_ids))


@cache
def _attestations(*, of_some: bool) -> Any:
    query = select(
        Attestation.placement_id, Attestation.evidence_key, Attestation.learner_id, untyped(Attestation.at)
    ).where(
        is_of(Attestation.organisation_id, ORGANISATION_ID),
        Attestation.placement_id.in_(_IDS),
        Attestation.is_attested.is_(True),
    )
    return query.where(Attestation.learner_id.in_(LEARNER_IDS)) if of_some else query


def submissions(
    session: Session, organisation_id: str, placement_ids: Sequence[str], learner_ids: Sequence[str] | None
) -> dict[tuple[str, str], ByLearner]:
    """What learners handed in last: by placement and evidence key, then by learner; read by
    :func:`submission_fact`."""
    query = _submissions(of_some=learner_ids is not None)
    return _by_key(_read(session, query, organisation_id, placement_ids, learner_ids))


@cache
def _submissions(*, of_some: bool) -> Any:
    query = select(
        Submission.placement_id,
        Submission.evidence_key,
        Submission.learner_id,
        untyped(Submission.submitted_at),
        Submission.state,
    ).where(
        is_of(Submission.organisation_id, ORGANISATION_ID),
        Submission.placement_id.in_(_IDS),
        Submission.is_latest.is_(True),
    )
    return query.where(Submission.learner_id.in_(LEARNER_IDS)) if of_some else query


def completions(
    session: Session, organisation_id: str, micromodule_ids: Sequence[str], learner_ids: Sequence[str] | None
) -> dict[str, ByLearner]:
    """Who completed a micromodule in any version, and when first what counts
    (:mod:`lti_tool.store.counting`): by micromodule, then by learner; read by :func:`completion_fact`."""
    query = _completions(of_some=learner_ids is not None)
    return _by_id(micromodule_ids, _read(session, query, organisation_id, micromodule_ids, learner_ids))


@cache
def _completions(*, of_some: bool) -> Any:
    query = (
        counting.with_badges(
            select(
                MicromoduleVersion.micromodule_id,
                Completion.learner_id,
                sa.type_coerce(counting.first_met_at(untyped(Completion.met_at)), sa.types.NullType()),
            ).join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        )
        .where(
            is_of(Completion.organisation_id, ORGANISATION_ID), MicromoduleVersion.micromodule_id.in_(_IDS)
        )
        .group_by(MicromoduleVersion.micromodule_id, Completion.learner_id)
    )
    return query.where(Completion.learner_id.in_(LEARNER_IDS)) if of_some else query


def holdings(
    session: Session,
    organisation_id: str,
    achievement_ids: Sequence[str],
    learner_ids: Sequence[str] | None,
    now: datetime,
) -> dict[str, ByLearner]:
    """Who holds an achievement in any version that counts at ``now`` (:mod:`lti_tool.store.counting`), and
    since when: by achievement, then by learner; read by :func:`record_fact`."""
    query = _holdings(of_some=learner_ids is not None)
    return _by_id(achievement_ids, _read(session, query, organisation_id, achievement_ids, learner_ids, now))


@cache
def _holdings(*, of_some: bool) -> Any:
    query = (
        select(
            AchievementVersion.achievement_id,
            Award.learner_id,
            func.min(untyped(Award.awarded_at), type_=sa.types.NullType()),
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(
            is_of(Award.organisation_id, ORGANISATION_ID),
            AchievementVersion.achievement_id.in_(_IDS),
            counting.is_held(_NOW),
        )
        .group_by(AchievementVersion.achievement_id, Award.learner_id)
    )
    return query.where(Award.learner_id.in_(LEARNER_IDS)) if of_some else query


def _read(
    session: Session,
    query: Any,
    organisation_id: str,
    ids: Sequence[str],
    learner_ids: Sequence[str] | None,
    now: datetime | None = None,
) -> Sequence[Row]:
    if not ids:
        return ()
    asked = {"organisation_id": organisation_id, "ids": list(ids), **some(learner_ids)}
    return raw(session, query, asked if now is None else {**asked, "now": now})


def _by_key(rows: Iterable[Row]) -> dict[tuple[str, str], ByLearner]:
    found: dict[tuple[str, str], ByLearner] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), {})[row[2]] = row
    return found


def _by_id(ids: Iterable[str], rows: Iterable[Row]) -> dict[str, ByLearner]:
    found: dict[str, ByLearner] = {id_: {} for id_ in ids}
    for row in rows:
        found[row[0]][row[1]] = row
    return found


# -- one row

# tuple.__new__ is what Fact(...) ends in, without two calls on the way.
_fact = tuple.__new__
_NONE = Detail.NONE.value
_TOOL = Detail.TOOL.value
_DETAILS = {
    "submitted": Detail.SUBMITTED.value,
    "returned": Detail.RETURNED.value,
    "withdrawn": Detail.NOTHING.value,
}


def gate_fact(row: Row, complete_at: datetime | None) -> Fact:
    """A row of :func:`passes`.

    :param complete_at: when the gate's whole list was read last; a row is written only where it changes.
    """
    _, _, is_passed, since, read_at, source = row
    seen_at = same_moment(read_at)
    if complete_at is not None and complete_at > seen_at:
        seen_at = complete_at
    if not is_passed:
        return _fact(Fact, (False, None, seen_at, source))
    return _fact(Fact, (True, None if since is None else same_moment(since), seen_at, source))


def attestation_fact(row: Row) -> Fact:
    """A row of :func:`attestations`."""
    return _fact(Fact, (True, moment(row[3]), None, _TOOL))


def submission_fact(row: Row) -> Fact:
    """A row of :func:`submissions`: what counts is when it was handed in, whenever it was accepted."""
    _, _, _, submitted_at, state = row
    if state == "accepted":
        return _fact(Fact, (True, moment(submitted_at), None, _NONE))
    since = None if state == "withdrawn" else moment(submitted_at)
    return _fact(Fact, (False, since, None, _DETAILS[state]))


def record_fact(row: Row) -> Fact:
    """A row of :func:`holdings`, or of what was completed and counts."""
    since: RawMoment = row[2]
    return _fact(Fact, (True, moment(since), None, _NONE))


_REVOKED = Fact(holds=False, detail=Detail.REVOKED.value)


def completion_fact(row: Row) -> Fact:
    """A row of :func:`completions`."""
    return _REVOKED if row[2] is None else record_fact(row)
