"""Whose results could not be opened, and when that is tried again (:mod:`lti_tool.services.opening`).

Rows of ``scores`` for evidence columns. They say nothing of whose result is open: the platform does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lti_tool.domain.scoring import ScoreState
from lti_tool.errors import ErrorCode
from lti_tool.store.dialects import upsert
from lti_tool.store.results import EvidenceColumn
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.tables import Learner, Score, new_id


@dataclass(frozen=True, slots=True)
class FailedOpening:
    """The last time that a learner's result could not be opened."""

    tried_at: datetime
    next_try_at: datetime


def failed(session: Session, plan: ContextPlan, column: EvidenceColumn) -> Mapping[str, FailedOpening]:
    """By the platform's id of the learner."""
    rows = session.execute(
        select(Learner.sub, Score.tried_at, Score.next_try_at)
        .join(Learner, Learner.id == Score.learner_id)
        .where(Score.organisation_id == plan.organisation_id, Score.line_item_id == column.id)
    )
    return {sub: FailedOpening(tried, again) for sub, tried, again in rows if tried and again}


def keep_failed(
    session: Session,
    plan: ContextPlan,
    column: EvidenceColumn,
    sub: str,
    code: ErrorCode,
    failure: FailedOpening,
) -> None:
    """Remember that a learner's result could not be opened, and why."""
    learner_id = session.scalar(
        select(Learner.id).where(
            Learner.organisation_id == plan.organisation_id,
            Learner.registration_id == plan.registration.id,
            Learner.sub == sub,
        )
    )
    if learner_id is None:
        return
    values = {
        "id": new_id(),
        "organisation_id": plan.organisation_id,
        "line_item_id": column.id,
        "learner_id": learner_id,
        # Nothing that staff have to look after: no badge hangs on it.
        "state": ScoreState.WAITING.value,
        "tried_at": failure.tried_at,
        "attempts": 0,
        "next_try_at": failure.next_try_at,
        "error_code": code.value,
    }
    changing = ("tried_at", "next_try_at", "error_code")
    upsert(session, Score, values, on=("line_item_id", "learner_id"), update=changing)
