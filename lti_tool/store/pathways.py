"""Reads what the steps of one organisation ask for, and how they are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from lti_tool.store import step_needs
from lti_tool.store.counting import first_met_at, is_held, with_badges
from lti_tool.store.dialects import is_of, one_of
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Completion,
    Credential,
    Learner,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    Milestone,
    MilestoneVersion,
    Placement,
)


class AskingStep(NamedTuple):
    """A step that needs others, and what it asks for in its newest version."""

    step: str
    """The micromodule's id, or the milestone's achievement."""
    criteria: dict[str, Any]


class StepRow(NamedTuple):
    """A step as it is called now."""

    step: str
    name: str
    achievement_id: str | None
    achievement_version_id: str | None
    image_alt: str
    is_published: bool
    """Somebody can earn it: it is published in a course, or an active milestone."""


_LATER_MODULE, _PLACED_MODULE = aliased(MicromoduleVersion), aliased(MicromoduleVersion)
_LATER_MILESTONE, _LATER_ACHIEVEMENT = aliased(MilestoneVersion), aliased(AchievementVersion)


def asking_steps(
    session: Session, organisation_id: str, steps: Collection[str] | None = None
) -> tuple[AskingStep, ...]:
    """Every step that may need others, or some of them: drafts too, retired milestones not. Two queries.

    A text that looks like such a rule brings more than needs others, never less.
    """
    modules = (
        sa.select(MicromoduleVersion.micromodule_id, MicromoduleVersion.criteria)
        .where(
            is_of(MicromoduleVersion.organisation_id, organisation_id),
            ~sa.exists().where(
                _LATER_MODULE.micromodule_id == MicromoduleVersion.micromodule_id,
                _LATER_MODULE.number > MicromoduleVersion.number,
            ),
        )
        .order_by(MicromoduleVersion.micromodule_id)
    )
    milestones = (
        sa.select(Milestone.achievement_id, MilestoneVersion.criteria)
        .join(MilestoneVersion, MilestoneVersion.milestone_id == Milestone.id)
        .where(
            Milestone.organisation_id == organisation_id,
            Milestone.status != "retired",
            ~sa.exists().where(
                _LATER_MILESTONE.milestone_id == MilestoneVersion.milestone_id,
                _LATER_MILESTONE.number > MilestoneVersion.number,
            ),
        )
        .order_by(Milestone.achievement_id)
    )
    if steps is None:
        text = sa.cast(MicromoduleVersion.criteria, sa.Text)
        kinds = ("completed", "holds", "micromodules")
        modules = modules.where(sa.or_(*(text.contains(f'"{kind}"', autoescape=True) for kind in kinds)))
    else:
        some = sorted(steps)
        modules = modules.where(one_of(session, MicromoduleVersion.micromodule_id, some))
        milestones = milestones.where(one_of(session, Milestone.achievement_id, some))
    rows = (*session.execute(modules), *session.execute(milestones))
    return tuple(AskingStep(*row) for row in rows)


def steps_of_achievements(
    session: Session, organisation_id: str, achievement_ids: Collection[str]
) -> dict[str, str]:
    """The step of each of some achievements."""
    if not achievement_ids:
        return {}
    rows = session.execute(
        sa.select(Achievement.id, Achievement.micromodule_id).where(
            is_of(Achievement.organisation_id, organisation_id),
            one_of(session, Achievement.id, sorted(achievement_ids)),
        )
    )
    return {id_: micromodule_id or id_ for id_, micromodule_id in rows}


class VersionStep(NamedTuple):
    """What an achievement version stands for."""

    achievement_id: str
    step: str


def steps_of_versions(
    session: Session, organisation_id: str, version_ids: Collection[str]
) -> dict[str, VersionStep]:
    """The step of each of some achievement versions of this organisation."""
    rows = session.execute(
        sa.select(AchievementVersion.id, Achievement.id, Achievement.micromodule_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .where(
            is_of(AchievementVersion.organisation_id, organisation_id),
            one_of(session, AchievementVersion.id, sorted(set(version_ids))),
        )
    )
    return {
        id_: VersionStep(achievement_id, module or achievement_id) for id_, achievement_id, module in rows
    }


class Member(NamedTuple):
    """A micromodule of a set."""

    micromodule_id: str
    is_whole: bool
    """It is asked for where all of the set are; who asks for so many of it counts those put aside, too."""


def micromodules_of(
    session: Session, organisation_id: str, *, is_offered: bool = False
) -> tuple[Member, ...]:
    """Every micromodule of an organisation.

    :param is_offered: what is not published anywhere is no part of the whole, as milestones see it.
    """
    rows = session.execute(
        sa.select(Micromodule.id, _is_whole(is_offered=is_offered))
        .where(Micromodule.organisation_id == organisation_id)
        .order_by(Micromodule.id)
    )
    return tuple(Member(id_, bool(is_whole)) for id_, is_whole in rows)


def members(
    session: Session, organisation_id: str, category_ids: Collection[str], *, is_offered: bool = False
) -> dict[str, list[Member]]:
    """The micromodules of some categories.

    :param is_offered: as of :func:`micromodules_of`.
    """
    found: dict[str, list[Member]] = {}
    if category_ids:
        rows = session.execute(
            sa.select(
                MicromoduleCategory.category_id,
                MicromoduleCategory.micromodule_id,
                _is_whole(is_offered=is_offered),
            )
            .join(Micromodule, Micromodule.id == MicromoduleCategory.micromodule_id)
            .where(
                MicromoduleCategory.organisation_id == organisation_id,
                MicromoduleCategory.category_id.in_(sorted(category_ids)),
            )
            .order_by(MicromoduleCategory.micromodule_id)
        )
        for category_id, micromodule_id, is_whole in rows:
            found.setdefault(category_id, []).append(Member(micromodule_id, bool(is_whole)))
    return found


def _is_whole(*, is_offered: bool) -> sa.ColumnElement[bool]:
    in_use = Micromodule.archived_at.is_(None)
    return sa.and_(in_use, _is_published()) if is_offered else in_use


def _is_published() -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(
            Placement.micromodule_version_id == _PLACED_MODULE.id,
            _PLACED_MODULE.micromodule_id == Micromodule.id,
            # Not "removed": only drafts are ever discarded, and nobody saw them.
            Placement.status == "active",
        )
        .correlate(Micromodule)
    )


def named(session: Session, organisation_id: str, steps: Iterable[str]) -> dict[str, StepRow]:
    """How some steps are called; what is not of this organisation is left out. Two queries."""
    asked = sorted(set(steps))
    if not asked:
        return {}
    modules = session.execute(
        sa.select(
            MicromoduleVersion.micromodule_id,
            MicromoduleVersion.name,
            AchievementVersion.achievement_id,
            AchievementVersion.id,
            sa.func.coalesce(AchievementVersion.image_alt, ""),
            sa.exists()
            .where(
                Placement.micromodule_version_id == _PLACED_MODULE.id,
                _PLACED_MODULE.micromodule_id == MicromoduleVersion.micromodule_id,
                Placement.status == "active",
            )
            .correlate(MicromoduleVersion),
        )
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .where(
            is_of(MicromoduleVersion.organisation_id, organisation_id),
            one_of(session, MicromoduleVersion.micromodule_id, asked),
            ~sa.exists().where(
                _LATER_MODULE.micromodule_id == MicromoduleVersion.micromodule_id,
                _LATER_MODULE.number > MicromoduleVersion.number,
            ),
        )
    )
    milestones = session.execute(
        sa.select(
            AchievementVersion.achievement_id,
            AchievementVersion.name,
            AchievementVersion.achievement_id,
            AchievementVersion.id,
            AchievementVersion.image_alt,
            Milestone.status == "active",
        )
        .join(Milestone, Milestone.achievement_id == AchievementVersion.achievement_id)
        .where(
            Milestone.organisation_id == organisation_id,
            one_of(session, Milestone.achievement_id, asked),
            ~sa.exists().where(
                _LATER_ACHIEVEMENT.achievement_id == AchievementVersion.achievement_id,
                _LATER_ACHIEVEMENT.number > AchievementVersion.number,
            ),
        )
    )
    return {row[0]: StepRow(*row) for row in (*modules, *milestones)}


class Kept(NamedTuple):
    """What staff is told of a step beside its name."""

    milestone_id: str | None
    """Null for a micromodule."""
    status: str
    """Of a milestone its own; of a micromodule ``active``, ``draft``, ``archived``, or ``away`` where it
    stands in no course."""
    holders: int
    """Learners with its badge, in any version and whatever became of it, as other pages count them."""


def kept(session: Session, organisation_id: str, steps: Iterable[str]) -> dict[str, Kept]:
    """How some steps stand, and how many have them. Three queries."""
    asked = sorted(set(steps))
    if not asked:
        return {}
    standing = (
        sa.select(Placement.status)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(MicromoduleVersion.micromodule_id == Micromodule.id, Placement.status != "removed")
        # What is published anywhere is no draft.
        .order_by(Placement.status)
        .limit(1)
        .correlate(Micromodule)
        .scalar_subquery()
    )
    modules = session.execute(
        sa.select(
            Micromodule.id,
            sa.null(),
            sa.case(
                (Micromodule.archived_at.is_not(None), "archived"), else_=sa.func.coalesce(standing, "away")
            ),
        ).where(
            Micromodule.organisation_id == organisation_id,
            one_of(session, Micromodule.id, asked),
        )
    )
    milestones = session.execute(
        sa.select(Milestone.achievement_id, Milestone.id, Milestone.status).where(
            Milestone.organisation_id == organisation_id,
            one_of(session, Milestone.achievement_id, asked),
        )
    )
    step = sa.func.coalesce(Achievement.micromodule_id, Achievement.id)
    counted = session.execute(
        sa.select(step, sa.func.count(Award.learner_id.distinct()))
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .join(Award, Award.achievement_version_id == AchievementVersion.id)
        .where(
            is_of(Award.organisation_id, organisation_id),
            # By their versions: for the step itself SQLite has no index, and reads all awards.
            Award.achievement_version_id.in_(
                sa.select(AchievementVersion.id)
                .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
                .where(
                    sa.or_(
                        one_of(session, Achievement.micromodule_id, asked),
                        one_of(session, Achievement.id, asked),
                    )
                )
            ),
        )
        .group_by(step)
    )
    holders = {row[0]: row[1] for row in counted}
    return {
        id_: Kept(milestone_id, status, holders.get(id_, 0))
        for id_, milestone_id, status in (*modules, *milestones)
    }


def names_asking_for(session: Session, organisation_id: str, step: str) -> tuple[str, ...]:
    """The names of what asks for a step: micromodules in courses, be it as drafts, and milestones that are
    drafts or active. Sets are not asked. Four queries at most."""
    asking = sorted(
        {edge.step for edge in step_needs.around(session, organisation_id, [step]) if edge.needs == step}
    )
    if not asking:
        return ()
    modules = (
        sa.select(MicromoduleVersion.micromodule_id)
        .join(Placement, Placement.micromodule_version_id == MicromoduleVersion.id)
        .where(
            is_of(MicromoduleVersion.organisation_id, organisation_id),
            one_of(session, MicromoduleVersion.micromodule_id, asking),
            Placement.status != "removed",
        )
    )
    milestones = sa.select(Milestone.achievement_id).where(
        Milestone.organisation_id == organisation_id,
        one_of(session, Milestone.achievement_id, asking),
        Milestone.status != "retired",
    )
    left = {id_ for (id_,) in session.execute(modules.union(milestones))}
    return tuple(sorted(row.name for row in named(session, organisation_id, left).values()))


def step_of(session: Session, achievement_id: str) -> tuple[str, str] | None:
    """(organisation, step) of an achievement, by its id or that of one of its versions."""
    row = session.execute(
        sa.select(Achievement.organisation_id, Achievement.id, Achievement.micromodule_id)
        .outerjoin(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .where(sa.or_(Achievement.id == achievement_id, AchievementVersion.id == achievement_id))
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.organisation_id, row.micromodule_id or row.id)


class Had(NamedTuple):
    """Something that a learner, or the same person elsewhere, has or had of a step."""

    step: str
    is_own: bool
    """The learner's, and not that of another account of the same person."""
    is_badge: bool
    """Else it was finished."""
    is_in_force: bool
    """Of a badge, whether it counts (:mod:`lti_tool.store.counting`)."""


def had(session: Session, organisation_id: str, learner_id: str, now: datetime) -> tuple[Had, ...]:
    """What somebody finished, as far as it counts, and the badges that they were awarded. Two queries."""
    person = sa.select(Learner.person_id).where(
        Learner.organisation_id == organisation_id,
        Learner.id == learner_id,
        Learner.person_id.is_not(None),
    )
    same = sa.select(Learner.id).where(
        Learner.organisation_id == organisation_id,
        sa.or_(Learner.id == learner_id, Learner.person_id.in_(person)),
    )
    finished = session.execute(
        with_badges(
            sa.select(MicromoduleVersion.micromodule_id, Completion.learner_id).join(
                Completion, Completion.micromodule_version_id == MicromoduleVersion.id
            )
        )
        .where(is_of(Completion.organisation_id, organisation_id), Completion.learner_id.in_(same))
        .group_by(MicromoduleVersion.micromodule_id, Completion.learner_id)
        .having(first_met_at().is_not(None))
    )
    awarded = session.execute(
        sa.select(
            sa.func.coalesce(Achievement.micromodule_id, Achievement.id),
            Award.learner_id,
            is_held(now),
        )
        .join(AchievementVersion, AchievementVersion.achievement_id == Achievement.id)
        .join(Award, Award.achievement_version_id == AchievementVersion.id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(is_of(Award.organisation_id, organisation_id), Award.learner_id.in_(same))
    )
    return (
        *(Had(step, owner == learner_id, is_badge=False, is_in_force=False) for step, owner in finished),
        *(
            Had(step, owner == learner_id, is_badge=True, is_in_force=bool(is_in_force))
            for step, owner, is_in_force in awarded
        ),
    )
