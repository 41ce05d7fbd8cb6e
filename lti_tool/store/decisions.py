"""What a decision reads (facts, standing, holders) and what it leaves (decisions, completions, awards).

The number of queries does not depend on the number of learners: a course of ten costs as many round
trips as one of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from lti_tool.store.dialects import insert_all_if_absent
from lti_tool.store.tables import (
    Award,
    Completion,
    Decision,
    Learner,
    LineItem,
    Membership,
    Result,
)

AT_ONCE = 900
"""Ids in one statement: SQLite before 3.32 binds at most 999 values."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in a context."""

    learner_id: str
    is_learner: bool
    is_staff: bool
    is_active: bool
    is_test_user: bool


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One learner's grade in one evidence column of a placement."""

    learner_id: str
    evidence_key: str
    score: Decimal | None
    maximum: Decimal
    graded_at: datetime | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision about to be stored."""

    id: str
    learner_id: str
    verdict: str
    state: str
    finding: dict[str, Any]
    evidence: dict[str, Any]
    digest: str
    met_at: datetime | None


@dataclass(frozen=True, slots=True)
class LatestDecision:
    """The newest decision about a learner for a placement."""

    id: str
    learner_id: str
    verdict: str
    state: str
    digest: str
    decided_at: datetime


def standings(
    session: Session, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None = None
) -> tuple[Standing, ...]:
    """Everybody known in a context, or those of ``learner_ids``."""
    query = (
        select(
            Membership.learner_id,
            Membership.is_learner,
            Membership.is_staff,
            Membership.is_active,
            Learner.is_test_user,
        )
        .join(Learner, Learner.id == Membership.learner_id)
        .where(Membership.organisation_id == organisation_id, Membership.context_id == context_id)
    )
    if learner_ids is not None:
        query = query.where(Membership.learner_id.in_(learner_ids))
    return tuple(Standing(*row) for row in session.execute(query))


def results(
    session: Session, organisation_id: str, placement_id: str, learner_ids: Sequence[str] | None = None
) -> tuple[StoredResult, ...]:
    """The grades in a placement's evidence columns. The award column is left out here, at the source:
    what the tool writes is never evidence.
    """
    query = (
        select(
            Result.learner_id,
            LineItem.evidence_key,
            Result.score,
            Result.maximum,
            Result.graded_at,
            Result.read_at,
        )
        .join(LineItem, LineItem.id == Result.line_item_id)
        .where(
            Result.organisation_id == organisation_id,
            LineItem.placement_id == placement_id,
            LineItem.tag.in_(("attest", "mirror")),
        )
    )
    if learner_ids is not None:
        query = query.where(Result.learner_id.in_(learner_ids))
    return tuple(StoredResult(*row) for row in session.execute(query))


def holders(
    session: Session,
    organisation_id: str,
    micromodule_version_id: str,
    achievement_version_id: str | None,
    learner_ids: Sequence[str] | None = None,
) -> frozenset[str]:
    """Who holds the achievement version; without one, who completed the micromodule version."""
    if achievement_version_id is not None:
        query = select(Award.learner_id).where(
            Award.organisation_id == organisation_id, Award.achievement_version_id == achievement_version_id
        )
        if learner_ids is not None:
            query = query.where(Award.learner_id.in_(learner_ids))
    else:
        query = select(Completion.learner_id).where(
            Completion.organisation_id == organisation_id,
            Completion.micromodule_version_id == micromodule_version_id,
        )
        if learner_ids is not None:
            query = query.where(Completion.learner_id.in_(learner_ids))
    return frozenset(session.execute(query).scalars())


def latest(
    session: Session, organisation_id: str, placement_id: str, learner_ids: Sequence[str] | None = None
) -> dict[str, LatestDecision]:
    """The newest decision for each learner of a placement, by learner id.

    :param learner_ids: who is asked for; of more than fit into one statement, everybody's are returned.
    """
    query = select(
        Decision.id,
        Decision.learner_id,
        Decision.verdict,
        Decision.state,
        Decision.digest,
        Decision.decided_at,
    ).where(
        Decision.organisation_id == organisation_id,
        Decision.placement_id == placement_id,
        Decision.is_latest.is_(True),
    )
    if learner_ids is not None and len(learner_ids) <= AT_ONCE:
        query = query.where(Decision.learner_id.in_(learner_ids))
    return {row.learner_id: LatestDecision(*row) for row in session.execute(query)}


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
        for chunk in _chunks(replaced_ids):
            session.execute(
                update(Decision)
                .where(Decision.organisation_id == organisation_id, Decision.id.in_(chunk))
                .values(is_latest=False)
                .execution_options(synchronize_session=False)
            )
    if new:
        session.execute(
            insert(Decision),
            [
                {
                    "id": decision.id,
                    "organisation_id": organisation_id,
                    "placement_id": placement_id,
                    "micromodule_version_id": micromodule_version_id,
                    "learner_id": decision.learner_id,
                    "verdict": decision.verdict,
                    "state": decision.state,
                    "finding": decision.finding,
                    "evidence": decision.evidence,
                    "digest": decision.digest,
                    "decided_at": now,
                    "is_latest": True,
                }
                for decision in new
            ],
        )


@dataclass(frozen=True, slots=True)
class NewAward:
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
) -> None:
    """Record completions; one that is there already stays as it was."""
    insert_all_if_absent(
        session,
        Completion,
        [
            {
                "id": award.id,
                "organisation_id": organisation_id,
                "micromodule_version_id": micromodule_version_id,
                "learner_id": award.learner_id,
                "context_id": context_id,
                "decision_id": award.decision_id,
                "met_at": award.met_at,
                "recorded_at": now,
            }
            for award in new
        ],
        on=("micromodule_version_id", "learner_id"),
    )


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
    insert_all_if_absent(
        session,
        Award,
        [
            {
                "id": award.id,
                "organisation_id": organisation_id,
                "achievement_version_id": achievement_version_id,
                "learner_id": award.learner_id,
                "context_id": context_id,
                "decision_id": award.decision_id,
                "met_at": award.met_at,
                "awarded_at": now,
            }
            for award in new
        ],
        on=("achievement_version_id", "learner_id"),
    )
    return tuple(
        id_
        for chunk in _chunks([award.id for award in new])
        for id_ in _existing(session, organisation_id, chunk)
    )


def _existing(session: Session, organisation_id: str, award_ids: Sequence[str]) -> Iterable[str]:
    return session.execute(
        select(Award.id).where(Award.organisation_id == organisation_id, Award.id.in_(award_ids))
    ).scalars()


def _chunks(ids: Sequence[str], size: int = AT_ONCE) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


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
        .where(*_taking_part(organisation_id, context_id))
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
        .where(*_taking_part(organisation_id, context_id))
    ).scalar_one()


def _taking_part(organisation_id: str, context_id: str) -> tuple[Any, ...]:
    return (
        Membership.organisation_id == organisation_id,
        Membership.context_id == context_id,
        Membership.is_learner.is_(True),
        Membership.is_staff.is_(False),
        Membership.is_active.is_(True),
        Learner.is_test_user.is_(False),
    )


def counts(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> dict[str, dict[tuple[str, str], int]]:
    """How many learners who take part have which (verdict, state), by placement id."""
    rows = session.execute(
        select(Decision.placement_id, Decision.verdict, Decision.state, func.count())
        .join(
            Membership,
            (Membership.learner_id == Decision.learner_id) & (Membership.context_id == context_id),
        )
        .join(Learner, Learner.id == Decision.learner_id)
        .where(
            Decision.organisation_id == organisation_id,
            Decision.placement_id.in_(placement_ids),
            Decision.is_latest.is_(True),
            *_taking_part(organisation_id, context_id),
        )
        .group_by(Decision.placement_id, Decision.verdict, Decision.state)
    )
    found: dict[str, dict[tuple[str, str], int]] = {id_: {} for id_ in placement_ids}
    for placement_id, verdict, state, number in rows:
        found[placement_id][(verdict, state)] = number
    return found
