"""What learners finished for which there was no badge."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from lti_tool.store.dialects import is_of
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Completion,
    Context,
    MicromoduleVersion,
)


class FinishedRow(NamedTuple):
    """A micromodule that a learner finished, and that gave them no badge."""

    micromodule_id: str
    name: str
    """As it was called when they finished it."""
    met_at: datetime
    context_title: str | None


_ANY_VERSION = aliased(MicromoduleVersion)


def without_badge(session: Session, organisation_id: str, learner_id: str) -> tuple[FinishedRow, ...]:
    """What a learner finished first in a version that issued no badge, and has none for; the newest first.

    One query. Where its badge was switched on and given later, that badge stands for it.
    """
    rows = session.execute(
        sa.select(
            _ANY_VERSION.micromodule_id,
            _ANY_VERSION.name,
            Completion.met_at,
            Context.title,
            _ANY_VERSION.achievement_version_id,
        )
        .join(_ANY_VERSION, _ANY_VERSION.id == Completion.micromodule_version_id)
        .outerjoin(Context, Context.id == Completion.context_id)
        .where(
            is_of(Completion.organisation_id, organisation_id),
            Completion.learner_id == learner_id,
            ~sa.exists()
            .where(
                Award.learner_id == Completion.learner_id,
                AchievementVersion.id == Award.achievement_version_id,
                Achievement.id == AchievementVersion.achievement_id,
                Achievement.micromodule_id == _ANY_VERSION.micromodule_id,
            )
            .correlate(Completion, _ANY_VERSION),
        )
        .order_by(Completion.met_at, Completion.id)
    )
    first: dict[str, FinishedRow | None] = {}
    for row in rows:
        finished = FinishedRow(row.micromodule_id, row.name, row.met_at, row.title)
        first.setdefault(finished.micromodule_id, None if row.achievement_version_id else finished)
    return tuple(reversed([row for row in first.values() if row is not None]))
