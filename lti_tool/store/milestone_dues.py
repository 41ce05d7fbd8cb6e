"""What is owed of milestones: people about whom one is not decided, or not since something changed.

A completion and an award are decided about as they come; what a worker that was killed has left is found
here. Whether a decision has seen all there is follows from counts and not from clocks, of which machines have
several: a decision keeps how much it has seen (:attr:`~lti_tool.store.tables.MilestoneDecision.facts_seen`),
and completions and awards only become more. Clocks tell only how far back is looked, and with room to spare;
and, of categories and what is put aside, who was decided about so long after it that no clock is to blame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.dialects import is_of, one_of
from lti_tool.store.milestones import active, lock
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    CategoryChange,
    Completion,
    Learner,
    Micromodule,
    MilestoneDecision,
    MilestoneVersion,
    Renewal,
)

OVERLAP: Final = timedelta(hours=1)
"""What came this long before everybody was decided about is looked at again, and who was decided about within
this time of a change is decided about again, once: a transaction that began before may have ended after, and
machines' clocks differ."""
LOOK_BACK: Final = timedelta(hours=1)
"""After this long the mark is moved on though nothing is owed, so that ever the same little is looked at."""


class Mark(NamedTuple):
    """How far a milestone's version is."""

    version_id: str
    changes: int
    """What else than completions and awards changed so far, counted."""
    settled_changes: int | None
    """The same as everybody was decided about last; ``None`` where that never was."""
    settled_at: datetime | None
    """When that began."""

    @property
    def is_settled(self) -> bool:
        """Whether what was there at ``settled_at`` is decided about, so that only what came since is new."""
        return self.settled_at is not None and self.settled_changes == self.changes


def learners(
    session: Session,
    organisation_id: str,
    mark: Mark,
    achievement_ids: Collection[str],
    *,
    after: str = "",
    limit: int,
) -> tuple[str, ...]:
    """Learners about whom this version is not decided, or not since a completion or an award of theirs was
    recorded, a micromodule was put aside, or a category got another content.

    In order of their ids, those after ``after``. Where the version is settled, only learners are looked at of
    whom something was recorded since.

    :param achievement_ids: of the badges that the version asks for.
    """
    candidates = _candidates(organisation_id, mark, achievement_ids)
    is_decided = sa.exists().where(
        MilestoneDecision.milestone_version_id == mark.version_id,
        MilestoneDecision.learner_id == candidates.c.learner_id,
        MilestoneDecision.is_latest.is_(True),
        MilestoneDecision.facts_seen == _known(candidates, achievement_ids),
    )
    changed_at = None if mark.is_settled else _changed_at(session, organisation_id)
    if changed_at is not None:
        is_decided = is_decided.where(MilestoneDecision.decided_at > changed_at + OVERLAP)
    rows = session.scalars(
        sa.select(candidates.c.learner_id)
        .join(Learner, Learner.id == candidates.c.learner_id)
        .where(candidates.c.learner_id > after, Learner.is_test_user.is_(False), ~is_decided)
        .distinct()
        .order_by(candidates.c.learner_id)
        .limit(limit)
    )
    return tuple(rows)


def _candidates(organisation_id: str, mark: Mark, achievement_ids: Collection[str]) -> Any:
    """Of whom anything was recorded, in rows that may repeat; who has an award has a completion, too."""
    if not mark.is_settled or mark.settled_at is None:
        return (
            sa.select(Completion.learner_id)
            .where(is_of(Completion.organisation_id, organisation_id))
            .subquery()
        )
    since = mark.settled_at - OVERLAP
    completed = sa.select(Completion.learner_id).where(
        Completion.organisation_id == organisation_id, Completion.recorded_at >= since
    )
    if not achievement_ids:
        return completed.subquery()
    awarded = (
        sa.select(Award.learner_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .where(
            Award.organisation_id == organisation_id,
            Award.awarded_at >= since,
            AchievementVersion.achievement_id.in_(achievement_ids),
        )
    )
    renewed = (
        sa.select(Award.learner_id)
        .join(Renewal, Renewal.award_id == Award.id)
        .where(Renewal.organisation_id == organisation_id, Renewal.signed_at >= since)
    )
    return sa.union(completed, awarded, renewed).subquery()


def _known(candidates: Any, achievement_ids: Collection[str]) -> Any:
    """How much there is about a learner that a decision can have seen; of awards as :func:`seen_awards`
    counts them."""
    learner_id = candidates.c.learner_id
    completed: Any = sa.select(sa.func.count()).where(Completion.learner_id == learner_id)
    if not achievement_ids:
        return completed.correlate(candidates).scalar_subquery()
    held = (
        sa.select(_HELD)
        .select_from(Award)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .outerjoin(Renewal, _IS_RENEWED)
        .where(Award.learner_id == learner_id, AchievementVersion.achievement_id.in_(achievement_ids))
    )
    return completed.correlate(candidates).scalar_subquery() + held.correlate(candidates).scalar_subquery()


_HELD: Any = sa.func.count(Award.id.distinct()) + sa.func.count(Renewal.id)
_IS_RENEWED: Any = (Renewal.award_id == Award.id) & Renewal.signed_at.is_not(None)


def seen_awards(
    session: Session, organisation_id: str, achievement_ids: Collection[str], learner_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How many awards some learners have of some achievements, each renewal that was signed counted, too: by
    learner, then by achievement. To be read before the badges themselves."""
    if not achievement_ids:
        return {}
    rows = session.execute(
        sa.select(
            Award.learner_id,
            AchievementVersion.achievement_id,
            _HELD,
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .outerjoin(Renewal, _IS_RENEWED)
        .where(
            is_of(Award.organisation_id, organisation_id),
            AchievementVersion.achievement_id.in_(achievement_ids),
            one_of(session, Award.learner_id, learner_ids),
        )
        .group_by(Award.learner_id, AchievementVersion.achievement_id)
    )
    found: dict[str, dict[str, int]] = {}
    for learner_id, achievement_id, count in rows:
        found.setdefault(learner_id, {})[achievement_id] = count
    return found


def _changed_at(session: Session, organisation_id: str) -> datetime | None:
    """When what milestones count changed last."""
    dates = session.execute(
        sa.select(
            sa.select(sa.func.max(CategoryChange.at))
            .where(CategoryChange.organisation_id == organisation_id)
            .scalar_subquery(),
            sa.select(sa.func.max(Micromodule.archived_at))
            .where(Micromodule.organisation_id == organisation_id)
            .scalar_subquery(),
        )
    ).one()
    return max((at for at in dates if at is not None), default=None)


def unsettle(session: Session, organisation_id: str) -> None:
    """Let every active milestone look at everybody again, once: something else changed than completions and
    awards. Whoever decides just now is done first, and whoever decides next sees the change."""
    version_ids = [version.id for version in active(session, organisation_id)]
    if not version_ids:
        return
    lock(session, organisation_id, version_ids)
    session.execute(
        sa.update(MilestoneVersion)
        .where(MilestoneVersion.organisation_id == organisation_id, MilestoneVersion.id.in_(version_ids))
        .values(changes=MilestoneVersion.changes + 1)
        .execution_options(synchronize_session=False)
    )


def settle(session: Session, organisation_id: str, mark: Mark, begun_at: datetime) -> None:
    """Note that everybody of before ``begun_at`` is decided about; what changed since ``mark`` was read is
    not."""
    session.execute(
        sa.update(MilestoneVersion)
        .where(MilestoneVersion.organisation_id == organisation_id, MilestoneVersion.id == mark.version_id)
        .values(settled_changes=mark.changes, settled_at=begun_at)
        .execution_options(synchronize_session=False)
    )
