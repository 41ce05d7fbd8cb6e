"""Forms that were left unfinished, one for each person in each course."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lti_tool.store.dialects import upsert
from lti_tool.store.tables import Draft, new_id


def draft(session: Session, organisation_id: str, context_id: str, learner_id: str) -> dict[str, Any] | None:
    """The form somebody left unfinished in a course."""
    return session.execute(
        select(Draft.form).where(
            Draft.organisation_id == organisation_id,
            Draft.context_id == context_id,
            Draft.learner_id == learner_id,
        )
    ).scalar_one_or_none()


def save(
    session: Session,
    organisation_id: str,
    context_id: str,
    learner_id: str,
    form: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep a form; a later one replaces it."""
    row = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "context_id": context_id,
        "learner_id": learner_id,
        "form": dict(form),
        "updated_at": now,
    }
    upsert(session, Draft, row, on=("context_id", "learner_id"), update=("form", "updated_at"))


def remove(session: Session, organisation_id: str, context_id: str, learner_id: str) -> None:
    """Forget a form that was placed."""
    session.execute(
        delete(Draft).where(
            Draft.organisation_id == organisation_id,
            Draft.context_id == context_id,
            Draft.learner_id == learner_id,
        )
    )
