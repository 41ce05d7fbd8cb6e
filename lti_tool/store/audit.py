"""The audit trail: who did what to which thing. Ids, never names; rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from lti_tool.store.tables import AuditEvent, new_id


def record(
    session: Session,
    organisation_id: str | None,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one event to the caller's transaction, so that the deed and its trace stand or fall together."""
    session.add(
        AuditEvent(
            id=new_id(),
            organisation_id=organisation_id,
            at=at,
            actor=actor,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            detail=dict(detail or {}),
        )
    )
