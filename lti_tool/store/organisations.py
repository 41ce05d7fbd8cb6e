"""The lock of an organisation: for what is changed by one at a time."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.tables import Organisation


def lock(session: Session, organisation_id: str) -> None:
    """Let nobody else change, until the caller's transaction ends, what is changed under this lock: which
    issuers the organisation has, its categories, what its pathways need, who belongs together.

    Rows that name the organisation, as every badge does, are written meanwhile. SQLite has one writer.
    """
    session.execute(
        sa.select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    )
