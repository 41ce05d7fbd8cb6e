"""What counts where something asks for a completion or a badge: the same for badges of courses, for
milestones and for the pages of pathways.

A badge counts while it was not revoked and has not ended. One that is paused counts meanwhile: nobody can do
anything to get it again, it is valid afterwards as if nothing had been, and should it be revoked in the end,
what it opened is reviewed. A completion counts unless the badge that was given for it was revoked: what it
rested on was not so after all. One of another version counts by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lti_tool.store.tables import Award, Completion, Credential, MicromoduleVersion
from lti_tool.store.validity import is_not_over


def is_held(now: datetime | Any) -> ColumnElement[bool]:
    """Whether a badge counts at ``now``, as :meth:`~lti_tool.domain.badge_states.Dated.counts` has it.

    Of a statement that reads awards with their achievement versions and, joined from outside, credentials.

    :param now: aware, or a parameter of the statement.
    """
    return sa.and_(Credential.revoked_at.is_(None), is_not_over(now))


def with_badges(completions: Any) -> Any:
    """A statement that reads completions with their micromodule versions, joined to the badge of each."""
    return completions.outerjoin(
        Award,
        (Award.achievement_version_id == MicromoduleVersion.achievement_version_id)
        & (Award.learner_id == Completion.learner_id),
    ).outerjoin(Credential, Credential.award_id == Award.id)


def first_met_at(met_at: Any = Completion.met_at) -> Any:
    """When the first of some completions was that counts, null where none does; of such a statement."""
    return sa.func.min(sa.case((Credential.revoked_at.is_(None), met_at)))
