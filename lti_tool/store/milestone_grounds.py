"""What the badges of milestones rest on, as far as they may say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.dialects import one_of
from lti_tool.store.tables import (
    AchievementVersion,
    Award,
    Completion,
    MicromoduleVersion,
    Milestone,
    MilestoneDecision,
    MilestoneVersion,
    Organisation,
)


@dataclass(frozen=True, slots=True)
class Ground:
    """An award of a milestone, and the decision that it was made by."""

    learner_id: str
    organisation_name: str
    met_at: datetime
    evidence: Mapping[str, Any] | None
    """As stored; ``None`` where it was forgotten as joined accounts parted, or as one was erased."""


def of_milestones(session: Session, achievement_version_ids: Sequence[str]) -> frozenset[str]:
    """Those of some achievement versions that milestones have."""
    return frozenset(
        session.scalars(
            sa.select(AchievementVersion.id)
            .join(Milestone, Milestone.achievement_id == AchievementVersion.achievement_id)
            .where(AchievementVersion.id.in_(achievement_version_ids))
        )
    )


def grounds(session: Session, award_ids: Sequence[str]) -> dict[str, Ground]:
    """Those of some awards that are of milestones, by award."""
    rows = session.execute(
        sa.select(Award.id, Award.learner_id, Organisation.name, Award.met_at, MilestoneDecision.evidence)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Milestone, Milestone.achievement_id == AchievementVersion.achievement_id)
        .join(Organisation, Organisation.id == Award.organisation_id)
        .outerjoin(
            MilestoneVersion,
            (MilestoneVersion.milestone_id == Milestone.id)
            & (MilestoneVersion.achievement_version_id == Award.achievement_version_id),
        )
        .outerjoin(
            MilestoneDecision,
            (MilestoneDecision.milestone_version_id == MilestoneVersion.id)
            & (MilestoneDecision.learner_id == Award.learner_id)
            & (MilestoneDecision.verdict == "award"),
        )
        .where(one_of(session, Award.id, award_ids))
        .order_by(MilestoneDecision.decided_at)
    )
    return {award_id: Ground(*ground) for award_id, *ground in rows}


def names(session: Session, micromodule_ids: Sequence[str], achievement_ids: Sequence[str]) -> dict[str, str]:
    """What micromodules and achievements are called by their newest versions."""
    module, badge = MicromoduleVersion, AchievementVersion
    found: dict[str, str] = {}
    for owner, version, ids in (
        (module.micromodule_id, module, micromodule_ids),
        (badge.achievement_id, badge, achievement_ids),
    ):
        if ids:
            query = sa.select(owner, version.name).where(owner.in_(ids)).order_by(owner, version.number)
            found.update((row[0], row[1]) for row in session.execute(query))
    return found


def own(session: Session, learner_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """The micromodules and achievements that each of some learners completed and has by themselves."""
    completed = (
        sa.select(Completion.learner_id, MicromoduleVersion.micromodule_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        .where(Completion.learner_id.in_(learner_ids))
    )
    has = (
        sa.select(Award.learner_id, AchievementVersion.achievement_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .where(Award.learner_id.in_(learner_ids))
    )
    found: dict[str, set[str]] = {}
    for learner_id, id_ in session.execute(sa.union_all(completed, has)):
        found.setdefault(learner_id, set()).add(id_)
    return {learner_id: frozenset(ids) for learner_id, ids in found.items()}
