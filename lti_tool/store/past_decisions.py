"""Decisions as they were stored, with what they were made from: to list them and to make them again.

Like ``lti_tool.store.inventory`` this is for the operator, who sees the whole installation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.tables import Decision, Learner, MicromoduleVersion, Placement


@dataclass(frozen=True, slots=True)
class PastDecision:
    """One decision, whole."""

    id: str
    context_id: str
    placement_id: str
    micromodule_version_id: str
    learner_id: str
    verdict: str
    state: str
    finding: Mapping[str, Any]
    evidence: Mapping[str, Any]
    decided_at: datetime


def past_decision(session: Session, decision_id: str) -> PastDecision | None:
    """One decision by its id."""
    row = session.execute(_whole().where(Decision.id == decision_id)).one_or_none()
    return None if row is None else PastDecision(*row)


def past_decisions(
    session: Session, context_id: str | None, *, after: str, limit: int
) -> tuple[PastDecision, ...]:
    """Decisions of a course or of all, also those that were replaced: ``limit`` of them in order of their
    ids, beginning after the id ``after``.
    """
    query = _whole().where(Decision.id > after).order_by(Decision.id).limit(limit)
    if context_id is not None:
        query = query.where(Placement.context_id == context_id)
    return tuple(PastDecision(*row) for row in session.execute(query))


def _whole() -> sa.Select[Any]:
    return sa.select(
        Decision.id,
        Placement.context_id,
        Decision.placement_id,
        Decision.micromodule_version_id,
        Decision.learner_id,
        Decision.verdict,
        Decision.state,
        Decision.finding,
        Decision.evidence,
        Decision.decided_at,
    ).join(Placement, Placement.id == Decision.placement_id)


def criteria_of(session: Session, micromodule_version_id: str) -> Mapping[str, Any]:
    """The criteria of a micromodule version, as stored; a decision's version cannot be deleted."""
    criteria: Mapping[str, Any] = session.execute(
        sa.select(MicromoduleVersion.criteria).where(MicromoduleVersion.id == micromodule_version_id)
    ).scalar_one()
    return criteria


def list_decisions(session: Session, context_id: str, learner_id: str | None) -> Sequence[Mapping[str, Any]]:
    """The decisions of a course, newest first: of one learner every one, of everybody the latest."""
    query = (
        sa.select(
            Decision.id,
            MicromoduleVersion.name.label("micromodule"),
            Learner.name.label("learner"),
            Decision.learner_id,
            Decision.verdict,
            Decision.state,
            Decision.decided_at,
            Decision.is_latest,
        )
        .join(Placement, Placement.id == Decision.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Decision.micromodule_version_id)
        .join(Learner, Learner.id == Decision.learner_id)
        .where(Placement.context_id == context_id)
        .order_by(Decision.decided_at.desc(), Decision.id)
    )
    if learner_id is None:
        query = query.where(Decision.is_latest.is_(True))
    else:
        query = query.where(Decision.learner_id == learner_id)
    return [dict(row._mapping) for row in session.execute(query)]
