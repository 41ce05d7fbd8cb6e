"""When badges end: by their own signature, or with their version, whichever comes first.

A version's end is signed into its badges by the worker, which takes its time with thousands of them. Whoever
asks meanwhile is told what is recorded.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lti_tool.store.tables import AchievementVersion, Award, Credential


def ends_at() -> ColumnElement[datetime | None]:
    """When a badge ends; null: never. Of a statement that reads credentials and achievement versions."""
    own, whole = Credential.valid_until, AchievementVersion.expires_at
    return sa.case((own.is_(None), whole), (whole.is_(None), own), (whole < own, whole), else_=own)


def is_not_over(now: datetime) -> ColumnElement[bool]:
    """Whether a badge has not ended at ``now``; of such a statement, too."""
    return sa.and_(
        sa.or_(Credential.valid_until.is_(None), Credential.valid_until > now),
        sa.or_(AchievementVersion.expires_at.is_(None), AchievementVersion.expires_at > now),
    )


def is_over(now: datetime) -> ColumnElement[bool]:
    """Whether a badge has ended at ``now``; of a statement that reads credentials and awards. Never null."""
    with_version = sa.exists().where(
        AchievementVersion.id == Award.achievement_version_id, AchievementVersion.expires_at <= now
    )
    own = sa.func.coalesce(Credential.valid_until <= now, sa.false())
    return sa.or_(own, with_version.correlate(Award))
