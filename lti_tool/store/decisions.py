"""What a decision reads (facts, standing, holders) and what it leaves (decisions, completions, awards).

The number of queries does not depend on the number of learners: a course of ten costs as many round
trips as one of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import (
    String,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from lti_tool.domain.evidence import Score
from lti_tool.store.dialects import FEW, for_each, insert_rows, is_of, never_indexed
from lti_tool.store.raw_rows import (
    LEARNER_IDS,
    ORGANISATION_ID,
    RawMoment,
    moment,
    number,
    raw,
    same_moment,
    some,
    untyped,
)
from lti_tool.store.staging import IDS_AT_ONCE, chunks
from lti_tool.store.tables import (
    Award,
    Completion,
    Credential,
    Decision,
    Learner,
    Membership,
    MicromoduleVersion,
    Placement,
    Result,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in a context."""

    learner_id: str
    is_learner: bool
    is_staff: bool
    is_active: bool
    is_test_user: bool
    learner_proof: str


class NewDecision(NamedTuple):
    """A decision about to be stored."""

    id: str
    learner_id: str
    verdict: str
    state: str
    leaf_states: str
    finding: dict[str, Any]
    evidence: dict[str, Any]
    digest: str
    met_at: datetime | None


def standings(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None = None
) -> tuple[Standing, ...]:
    """Everybody known in a context, or those of ``learner_ids``."""
    rows = session.connection().execute(
        _standings(of_some=learner_ids is not None),
        {"organisation_id": organisation_id, "context_id": context_id, **some(learner_ids)},
    )
    return tuple(Standing(*row) for row in rows.all())


# Statements are built once each: a visit asks five, and building them takes longer than running them.
@cache
def _standings(*, of_some: bool) -> Any:
    query = (
        select(
            Membership.learner_id,
            Membership.is_learner,
            Membership.is_staff,
            Membership.is_active,
            Learner.is_test_user,
            Membership.learner_proof,
        )
        .join(Learner, Learner.id == Membership.learner_id)
        .where(
            is_of(Membership.organisation_id, ORGANISATION_ID),
            Membership.context_id == bindparam("context_id", type_=String),
        )
    )
    return query.where(Membership.learner_id.in_(LEARNER_IDS)) if of_some else query


_VERSION_IDS = bindparam("version_ids", type_=String, expanding=True)


StoredResult = tuple[str, str, str | None, str, RawMoment | None, RawMoment]
"""Line item, learner, score, maximum, graded and read, as the driver gives them; :func:`score` reads it."""


def results(
    session: Session,
    organisation_id: str,
    line_item_ids: Sequence[str],
    learner_ids: Sequence[str] | None = None,
) -> dict[str, dict[str, StoredResult]]:
    """The grades in some evidence columns: by line item, then by learner.

    A university's course has a million of them: :func:`score` reads each when it is its learner's turn.
    """
    found: dict[str, dict[str, StoredResult]] = {id_: {} for id_ in line_item_ids}
    parameters = {"organisation_id": organisation_id, "line_item_ids": list(line_item_ids)}
    for row in raw(session, _results(of_some=learner_ids is not None), {**parameters, **some(learner_ids)}):
        found[row[0]][row[1]] = row
    return found


@cache
def _results(*, of_some: bool) -> Any:
    query = select(
        Result.line_item_id,
        Result.learner_id,
        sa.cast(Result.score, String),
        sa.cast(Result.maximum, String),
        untyped(Result.graded_at),
        untyped(Result.read_at),
    ).where(
        is_of(Result.organisation_id, ORGANISATION_ID),
        Result.line_item_id.in_(bindparam("line_item_ids", type_=String, expanding=True)),
    )
    return query.where(Result.learner_id.in_(LEARNER_IDS)) if of_some else query


def score(row: StoredResult) -> Score:
    """A stored result as a fact."""
    _, _, value, maximum, graded_at, read_at = row
    # tuple.__new__ is what Score(...) ends in, without two calls on the way.
    return tuple.__new__(
        Score,
        (
            None if value is None else number(value),
            number(maximum),
            None if graded_at is None else moment(graded_at),
            same_moment(read_at),
        ),
    )


def holders(
    session: Session,
    organisation_id: str,
    achievement_version_ids: Sequence[str],
    learner_ids: Sequence[str] | None = None,
) -> dict[str, frozenset[str]]:
    """Who holds each of some achievement versions."""
    if not achievement_version_ids:
        return {}
    return _by_version(session, _HOLDING, organisation_id, achievement_version_ids, learner_ids)


def completers(
    session: Session,
    organisation_id: str,
    micromodule_version_ids: Sequence[str],
    learner_ids: Sequence[str] | None = None,
) -> dict[str, frozenset[str]]:
    """Who completed each of some micromodule versions."""
    if not micromodule_version_ids:
        return {}
    return _by_version(session, _COMPLETED, organisation_id, micromodule_version_ids, learner_ids)


_HOLDING = (Award.achievement_version_id, Award.learner_id, Award.organisation_id)
_COMPLETED = (Completion.micromodule_version_id, Completion.learner_id, Completion.organisation_id)


@cache
def _pairs(version_id: Any, learner_id: Any, owner_id: Any, *, of_some: bool) -> Any:
    query = select(version_id, learner_id).where(
        is_of(owner_id, ORGANISATION_ID), version_id.in_(_VERSION_IDS)
    )
    return query.where(learner_id.in_(LEARNER_IDS)) if of_some else query


def _by_version(
    session: Session,
    columns: tuple[Any, Any, Any],
    organisation_id: str,
    version_ids: Sequence[str],
    learner_ids: Sequence[str] | None,
) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    rows = session.connection().execute(
        _pairs(*columns, of_some=learner_ids is not None),
        {"organisation_id": organisation_id, "version_ids": list(version_ids), **some(learner_ids)},
    )
    for version_id, learner_id in rows:
        found.setdefault(version_id, set()).add(learner_id)
    return {version_id: frozenset(learner_ids) for version_id, learner_ids in found.items()}


def latest(
    session: Session,
    organisation_id: str,
    placement_ids: Sequence[str],
    learner_ids: Sequence[str] | None = None,
) -> dict[str, dict[str, tuple[str, str]]]:
    """Id and digest of the newest decision about each learner of some placements: by placement, then by
    learner.

    :param learner_ids: who is asked for; of more than fit into one statement, everybody's are returned.
    """
    parameters = {"organisation_id": organisation_id, "placement_ids": list(placement_ids)}
    query: Any = _latest
    if learner_ids is not None and len(learner_ids) <= FEW:
        query = _latest_of_few
        parameters |= some(learner_ids)
    elif learner_ids is not None and len(learner_ids) <= IDS_AT_ONCE:
        query = for_each(session, _latest_of_some, Decision.learner_id, learner_ids)
    found: dict[str, dict[str, tuple[str, str]]] = {id_: {} for id_ in placement_ids}
    for placement_id, learner_id, id_, digest in raw(session, query, parameters):
        found[placement_id][learner_id] = (id_, digest)
    return found


_of_placements = select(Decision.placement_id, Decision.learner_id, Decision.id, Decision.digest).where(
    Decision.placement_id.in_(bindparam("placement_ids", type_=String, expanding=True))
)
_latest = _of_placements.where(is_of(Decision.organisation_id, ORGANISATION_ID), Decision.is_latest.is_(True))
_latest_of_some = _of_placements.where(
    never_indexed(Decision.organisation_id) == ORGANISATION_ID, never_indexed(Decision.is_latest)
)
_latest_of_few = _latest_of_some.where(Decision.learner_id.in_(LEARNER_IDS))


def known(session: Session, organisation_id: str, learner_ids: Sequence[str]) -> frozenset[str]:
    """Those of an organisation's learners who are still there."""
    return frozenset(
        id_
        for chunk in chunks(learner_ids)
        for id_ in session.scalars(
            select(Learner.id).where(is_of(Learner.organisation_id, organisation_id), Learner.id.in_(chunk))
        )
    )


def store_decisions(
    session: Session,
    organisation_id: str,
    placement_id: str,
    micromodule_version_id: str,
    new: Sequence[NewDecision],
    replaced_ids: Sequence[str],
    now: datetime,
) -> None:
    """Add decisions and mark those they replace as no longer the latest."""
    if replaced_ids:
        for chunk in chunks(replaced_ids):
            session.execute(
                update(Decision)
                .where(is_of(Decision.organisation_id, organisation_id), Decision.id.in_(chunk))
                .values(is_latest=False)
                .execution_options(synchronize_session=False)
            )
    insert_rows(
        session,
        Decision,
        NewDecision._fields[:-1],  # when it was met is the completion's
        [decision[:-1] for decision in new],
        shared={
            "organisation_id": organisation_id,
            "placement_id": placement_id,
            "micromodule_version_id": micromodule_version_id,
            "decided_at": now,
            "is_latest": True,
        },
    )


class NewAward(NamedTuple):
    """A completion, and the award that follows where the micromodule issues a badge."""

    id: str
    learner_id: str
    decision_id: str
    met_at: datetime


def store_completions(
    session: Session,
    organisation_id: str,
    context_id: str,
    micromodule_version_id: str,
    new: Sequence[NewAward],
    now: datetime,
) -> int:
    """Record completions; one that is there already stays as it was. How many are new."""
    return insert_rows(
        session,
        Completion,
        NewAward._fields,
        new,
        shared={
            "organisation_id": organisation_id,
            "micromodule_version_id": micromodule_version_id,
            "context_id": context_id,
            "recorded_at": now,
        },
        unless=("micromodule_version_id", "learner_id"),
    )


def as_completed(
    session: Session, organisation_id: str, micromodule_version_id: str, new: Sequence[NewAward]
) -> list[NewAward]:
    """The same awards, dated and reasoned as the completions that are recorded."""
    recorded = {
        row.learner_id: (row.decision_id, row.met_at)
        for chunk in chunks([award.learner_id for award in new])
        for row in session.execute(
            select(Completion.learner_id, Completion.decision_id, Completion.met_at).where(
                is_of(Completion.organisation_id, organisation_id),
                Completion.micromodule_version_id == micromodule_version_id,
                Completion.learner_id.in_(chunk),
            )
        )
    }
    dated = []
    for award in new:
        decision_id, met_at = recorded.get(award.learner_id, (None, award.met_at))
        dated.append(award._replace(decision_id=decision_id or award.decision_id, met_at=met_at))
    return dated


def store_awards(
    session: Session,
    organisation_id: str,
    context_id: str,
    achievement_version_id: str,
    new: Sequence[NewAward],
    now: datetime,
) -> tuple[str, ...]:
    """Record awards; returns the ids of those that were really added.

    Two jobs that decide at once both come here; the unique key lets one row through.
    """
    added = insert_rows(
        session,
        Award,
        NewAward._fields,
        new,
        shared={
            "organisation_id": organisation_id,
            "achievement_version_id": achievement_version_id,
            "context_id": context_id,
            "awarded_at": now,
        },
        unless=("achievement_version_id", "learner_id"),
    )
    ids = [award.id for award in new]
    if added == len(ids):
        return tuple(ids)
    return tuple(id_ for chunk in chunks(ids) for id_ in _existing(session, organisation_id, chunk))


def _existing(session: Session, organisation_id: str, award_ids: Sequence[str]) -> Iterable[str]:
    return session.execute(
        select(Award.id).where(is_of(Award.organisation_id, organisation_id), Award.id.in_(award_ids))
    ).scalars()


@dataclass(frozen=True, slots=True)
class LearnerOfCourse:
    """One line of the instructor's list."""

    learner_id: str
    name: str | None
    sub: str


def learners_of_course(
    session: Session, organisation_id: str, context_id: str, *, offset: int, limit: int
) -> tuple[LearnerOfCourse, ...]:
    """The learners of a context by name: active, no staff, no test users."""
    rows = session.execute(
        select(Learner.id, Learner.name, Learner.sub)
        .join(Membership, Membership.learner_id == Learner.id)
        .where(*taking_part(organisation_id, context_id))
        .order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(LearnerOfCourse(*row) for row in rows)


def count_learners(session: Session, organisation_id: str, context_id: str) -> int:
    """How many learners :func:`learners_of_course` lists in all."""
    return session.execute(
        select(func.count())
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*taking_part(organisation_id, context_id))
    ).scalar_one()


def taking_part(organisation_id: str, context_id: str) -> tuple[Any, ...]:
    """What makes a membership (with its learner) one that counts: active, no staff, no test user."""
    return (
        is_of(Membership.organisation_id, organisation_id),
        Membership.context_id == context_id,
        Membership.is_learner.is_(True),
        Membership.is_staff.is_(False),
        Membership.is_active.is_(True),
        Learner.is_test_user.is_(False),
    )


Counted = dict[str, dict[tuple[str, str], int]]
"""How many learners have which (verdict, state), by placement id."""


def counts(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_ids: Sequence[str],
    *,
    apart_from: Sequence[str] = (),
    only_revoked: bool = False,
) -> Counted:
    """How many learners who take part have which (verdict, state), by placement id.

    :param apart_from: learners who are left out, since the caller counts them.
    :param only_revoked: those whose badge was revoked, and nobody else.
    """
    # Not joined: once the list of those who take part is made, the index on decisions answers all else.
    learners = (
        select(Membership.learner_id)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*taking_part(organisation_id, context_id))
    )
    query = select(Decision.placement_id, Decision.verdict, Decision.state, func.count()).where(
        is_of(Decision.organisation_id, organisation_id),
        Decision.placement_id.in_(placement_ids),
        Decision.is_latest.is_(True),
        Decision.learner_id.in_(learners),
    )
    if only_revoked:
        # From the few who were revoked to their decisions: SQLite else sought everybody's award, one by one.
        revoked = revoked_of(organisation_id, placement_ids)
        query = query.where(sa.tuple_(Decision.placement_id, Decision.learner_id).in_(revoked))
    if apart_from:
        query = query.where(Decision.learner_id.not_in(apart_from))
    rows = session.execute(query.group_by(Decision.placement_id, Decision.verdict, Decision.state))
    found: Counted = {id_: {} for id_ in placement_ids}
    for placement_id, verdict, state, how_many in rows:
        found[placement_id][(verdict, state)] = how_many
    return found


def revoked_of(organisation_id: str, placement_ids: Sequence[str]) -> sa.Select[str, str]:
    """(placement id, learner id) of everybody whose badge of a placement was revoked."""
    return (
        select(Placement.id, Award.learner_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Award, Award.achievement_version_id == MicromoduleVersion.achievement_version_id)
        .join(Credential, Credential.award_id == Award.id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.id.in_(placement_ids),
            Credential.revoked_at.is_not(None),
        )
    )


def revoked_learners(session: Session, organisation_id: str, placement_id: str) -> frozenset[str]:
    """Whose badge of a placement was revoked; few."""
    rows = session.execute(revoked_of(organisation_id, [placement_id]))
    return frozenset(row.learner_id for row in rows)
