"""Courses that were emptied in the LMS: the same ids, and the learners' work gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from lti_tool.store.tables import Context


def note_reset(session: Session, organisation_id: str, context_id: str, now: datetime) -> bool:
    """Keep that a course was emptied, until an instructor has seen it; whether that is news."""
    noted = session.connection().execute(
        update(Context)
        .where(
            Context.organisation_id == organisation_id,
            Context.id == context_id,
            Context.emptied_at.is_(None),
        )
        .values(emptied_at=now)
    )
    return noted.rowcount == 1


def clear_reset(session: Session, organisation_id: str, context_id: str) -> bool:
    """An instructor has seen it; whether there was anything to see."""
    cleared = session.connection().execute(
        update(Context)
        .where(
            Context.organisation_id == organisation_id,
            Context.id == context_id,
            Context.emptied_at.is_not(None),
        )
        .values(emptied_at=None)
    )
    return cleared.rowcount == 1
