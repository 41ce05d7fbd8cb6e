"""Milestones of an organisation with their versions, and how far they are.

What is decided about whom is :mod:`lti_tool.store.milestone_decisions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from lti_tool.store import step_needs
from lti_tool.store.micromodules import NewMicromodule, achievement_version_of
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Category,
    Completion,
    Learner,
    Milestone,
    MilestoneDecision,
    MilestoneVersion,
    new_id,
)

PUBLISHED: Final = "milestone.version_published"
"""What the audit log calls it."""


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """A milestone by its newest version."""

    id: str
    organisation_id: str
    kind: str
    status: str
    category_id: str | None
    addition_policy: str
    activated_at: datetime | None
    retired_at: datetime | None
    created_at: datetime
    achievement_id: str
    version_id: str
    number: int
    criteria: dict[str, Any]
    achievement_version_id: str
    name: str
    description: str
    criteria_narrative: str
    image_alt: str
    skills: tuple[str, ...] = ()
    artwork: dict[str, Any] | None = None
    language: str = "en"


def _views() -> sa.Select[Any]:
    newest = (
        sa.select(MilestoneVersion.milestone_id, sa.func.max(MilestoneVersion.number).label("number"))
        .group_by(MilestoneVersion.milestone_id)
        .subquery()
    )
    query = (
        sa.select(
            Milestone.id,
            Milestone.organisation_id,
            Milestone.kind,
            Milestone.status,
            Milestone.category_id,
            Milestone.addition_policy,
            Milestone.activated_at,
            Milestone.retired_at,
            Milestone.created_at,
            Milestone.achievement_id,
            MilestoneVersion.id.label("version_id"),
            MilestoneVersion.number,
            MilestoneVersion.criteria,
            MilestoneVersion.achievement_version_id,
            AchievementVersion.name,
            AchievementVersion.description,
            AchievementVersion.criteria_narrative,
            AchievementVersion.image_alt,
            AchievementVersion.skills,
            AchievementVersion.artwork,
            AchievementVersion.language,
        )
        .join(MilestoneVersion, MilestoneVersion.milestone_id == Milestone.id)
        .join(
            newest,
            (newest.c.milestone_id == MilestoneVersion.milestone_id)
            & (newest.c.number == MilestoneVersion.number),
        )
        .join(AchievementVersion, AchievementVersion.id == MilestoneVersion.achievement_version_id)
    )
    return cast("sa.Select[Any]", query)


def _view(row: Any) -> MilestoneView:
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    return MilestoneView(**values)


def milestones(session: Session, organisation_id: str) -> tuple[MilestoneView, ...]:
    """Every milestone of an organisation, by name."""
    rows = session.execute(
        _views()
        .where(Milestone.organisation_id == organisation_id)
        .order_by(sa.func.lower(AchievementVersion.name), Milestone.id)
    )
    return tuple(_view(row) for row in rows)


def milestone(session: Session, organisation_id: str, milestone_id: str) -> MilestoneView | None:
    """A milestone of this organisation."""
    row = session.execute(
        _views().where(Milestone.organisation_id == organisation_id, Milestone.id == milestone_id)
    ).one_or_none()
    return None if row is None else _view(row)


class ActiveVersion(NamedTuple):
    """What an active milestone asks at present."""

    milestone_id: str
    id: str
    """Of the milestone's version."""
    criteria: dict[str, Any]
    achievement_id: str
    achievement_version_id: str
    changes: int
    settled_changes: int | None
    settled_at: datetime | None


_LATER = aliased(MilestoneVersion)


def _active() -> sa.Select[Any]:
    query = (
        sa.select(
            Milestone.id,
            MilestoneVersion.id,
            MilestoneVersion.criteria,
            Milestone.achievement_id,
            MilestoneVersion.achievement_version_id,
            MilestoneVersion.changes,
            MilestoneVersion.settled_changes,
            MilestoneVersion.settled_at,
        )
        .join(MilestoneVersion, MilestoneVersion.milestone_id == Milestone.id)
        .where(
            Milestone.status == "active",
            ~sa.exists().where(
                _LATER.milestone_id == MilestoneVersion.milestone_id, _LATER.number > MilestoneVersion.number
            ),
        )
    )
    return cast("sa.Select[Any]", query)


def active(session: Session, organisation_id: str) -> tuple[ActiveVersion, ...]:
    """The newest version of every active milestone of an organisation; one quick question where none is."""
    rows = session.execute(
        _active().where(Milestone.organisation_id == organisation_id).order_by(MilestoneVersion.id)
    )
    return tuple(ActiveVersion(*row) for row in rows)


def lock(session: Session, organisation_id: str, version_ids: Iterable[str]) -> None:
    """Let nobody else decide about these versions until the transaction ends."""
    session.execute(
        sa.select(MilestoneVersion.id)
        .where(MilestoneVersion.organisation_id == organisation_id, MilestoneVersion.id.in_(version_ids))
        .order_by(MilestoneVersion.id)
        .with_for_update()
    ).all()


# -- changing


def add_achievement(
    session: Session, organisation_id: str, new: NewMicromodule, now: datetime
) -> tuple[str, str]:
    """Store what a milestone's badge says; ids of the achievement and of its first version.

    :raises RuntimeError: where nobody is said to sign it.
    """
    if new.issuer_id is None:
        raise RuntimeError("an organisation has an issuer from its beginning")
    achievement = Achievement(
        id=new_id(), organisation_id=organisation_id, issuer_id=new.issuer_id, created_at=now
    )
    session.add(achievement)
    session.flush()
    version = achievement_version_of(new, organisation_id, achievement.id, number=1, now=now)
    session.add(version)
    session.flush()
    return achievement.id, version.id


def add_achievement_version(
    session: Session, view: MilestoneView, new: NewMicromodule, *, whats_new: str, actor: str, now: datetime
) -> str:
    """Store what the badge says from now on; the id of its version. Who signs it stays."""
    number = session.scalar(
        sa.select(sa.func.max(AchievementVersion.number)).where(
            AchievementVersion.organisation_id == view.organisation_id,
            AchievementVersion.achievement_id == view.achievement_id,
        )
    )
    version = achievement_version_of(
        new, view.organisation_id, view.achievement_id, number=(number or 0) + 1, now=now
    )
    version.whats_new = whats_new
    version.published_by = actor
    session.add(version)
    session.flush()
    return version.id


def holders_of_any(
    session: Session, organisation_id: str, achievement_id: str, learner_ids: Iterable[str]
) -> frozenset[str]:
    """Which of some learners have an achievement, in any version."""
    return frozenset(
        session.scalars(
            sa.select(Award.learner_id)
            .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
            .where(
                Award.organisation_id == organisation_id,
                AchievementVersion.achievement_id == achievement_id,
                Award.learner_id.in_(list(learner_ids)),
            )
        )
    )


def rewrite_achievement(session: Session, achievement_version_id: str, new: NewMicromodule) -> None:
    """Let a draft's badge, which nobody has, say something else; who signs it stays."""
    row = session.get_one(AchievementVersion, achievement_version_id)
    said = achievement_version_of(
        new, row.organisation_id, row.achievement_id, number=row.number, now=row.created_at
    )
    for column in sa.inspect(AchievementVersion).column_attrs:
        if column.key != "id":
            setattr(row, column.key, getattr(said, column.key))
    session.flush()


def remove_achievement(session: Session, organisation_id: str, achievement_id: str) -> None:
    """Forget the badge of a draft that is discarded."""
    step_needs.forget(session, organisation_id, achievement_id)
    session.execute(
        sa.delete(Achievement).where(
            Achievement.organisation_id == organisation_id, Achievement.id == achievement_id
        )
    )


def add(
    session: Session,
    organisation_id: str,
    achievement: tuple[str, str],
    *,
    kind: str,
    category_id: str | None,
    addition_policy: str,
    criteria: dict[str, Any],
    now: datetime,
) -> str:
    """Store a draft; its id.

    :param achievement: ids of the achievement and of its first version, stored already.
    """
    achievement_id, achievement_version_id = achievement
    milestone_id = new_id()
    session.add(
        Milestone(
            id=milestone_id,
            organisation_id=organisation_id,
            achievement_id=achievement_id,
            kind=kind,
            status="draft",
            category_id=category_id,
            addition_policy=addition_policy,
            created_at=now,
        )
    )
    session.flush()
    add_version(session, organisation_id, milestone_id, achievement_version_id, 1, criteria, now)
    return milestone_id


def add_version(
    session: Session,
    organisation_id: str,
    milestone_id: str,
    achievement_version_id: str,
    number: int,
    criteria: dict[str, Any],
    now: datetime,
) -> None:
    """Store a version of a milestone."""
    session.add(
        MilestoneVersion(
            organisation_id=organisation_id,
            milestone_id=milestone_id,
            number=number,
            criteria=criteria,
            achievement_version_id=achievement_version_id,
            created_at=now,
        )
    )
    session.flush()
    _note_needs(session, organisation_id, Milestone.id == milestone_id, criteria)


def _note_needs(
    session: Session, organisation_id: str, of: sa.ColumnElement[bool], criteria: dict[str, Any]
) -> None:
    """Which steps a milestone asks for now."""
    step = session.scalar(
        sa.select(Milestone.achievement_id).where(Milestone.organisation_id == organisation_id, of)
    )
    if step is not None:
        step_needs.note(session, organisation_id, step, criteria)


def hold(session: Session, organisation_id: str, milestone_id: str) -> Milestone | None:
    """The row of a milestone, which nobody else changes until the transaction ends."""
    return session.scalars(
        sa.select(Milestone)
        .where(Milestone.organisation_id == organisation_id, Milestone.id == milestone_id)
        .with_for_update()
    ).one_or_none()


def hold_badge(session: Session, organisation_id: str, achievement_version_id: str) -> None:
    """Let nobody correct what a version's badge says until the transaction ends; awards of it go on."""
    session.execute(
        sa.select(AchievementVersion.id)
        .where(
            AchievementVersion.organisation_id == organisation_id,
            AchievementVersion.id == achievement_version_id,
        )
        .with_for_update(key_share=True)
    ).all()


def rewrite_criteria(
    session: Session, organisation_id: str, version_id: str, criteria: dict[str, Any]
) -> None:
    """Let a draft's version ask for something else."""
    session.execute(
        sa.update(MilestoneVersion)
        .where(MilestoneVersion.organisation_id == organisation_id, MilestoneVersion.id == version_id)
        .values(criteria=criteria)
    )
    own = sa.select(MilestoneVersion.milestone_id).where(MilestoneVersion.id == version_id)
    _note_needs(session, organisation_id, Milestone.id.in_(own), criteria)


def category_name(session: Session, organisation_id: str, category_id: str) -> str | None:
    """What a category of this organisation is called."""
    return session.scalar(
        sa.select(Category.name).where(
            Category.organisation_id == organisation_id, Category.id == category_id
        )
    )


# -- how far they are


class Progress(NamedTuple):
    """How far deciding about everybody is."""

    decided: int
    learners: int
    """Who completed anything, and is no test user."""
    holders: int


def progress(session: Session, organisation_id: str, view: MilestoneView) -> Progress:
    """How many of those who completed anything are decided about, and who has the badge in any version."""
    completers = (
        sa.select(Completion.learner_id)
        .join(Learner, Learner.id == Completion.learner_id)
        .where(Completion.organisation_id == organisation_id, Learner.is_test_user.is_(False))
    )
    row = session.execute(
        sa.select(
            sa.select(sa.func.count())
            .where(
                MilestoneDecision.organisation_id == organisation_id,
                MilestoneDecision.milestone_version_id == view.version_id,
                MilestoneDecision.is_latest.is_(True),
                # Joined accounts are decided about with those who completed something.
                MilestoneDecision.learner_id.in_(completers),
            )
            .scalar_subquery(),
            completers.with_only_columns(sa.func.count(Completion.learner_id.distinct())).scalar_subquery(),
            sa.select(sa.func.count(Award.learner_id.distinct()))
            .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
            .where(
                Award.organisation_id == organisation_id,
                AchievementVersion.achievement_id == view.achievement_id,
            )
            .scalar_subquery(),
        )
    ).one()
    return Progress(*row)


def holders(session: Session, organisation_id: str) -> dict[str, int]:
    """How many learners have each milestone's badge, in any version, by milestone."""
    rows = session.execute(
        sa.select(Milestone.id, sa.func.count(Award.learner_id.distinct()))
        .join(AchievementVersion, AchievementVersion.achievement_id == Milestone.achievement_id)
        .join(Award, Award.achievement_version_id == AchievementVersion.id)
        .where(Milestone.organisation_id == organisation_id)
        .group_by(Milestone.id)
    )
    return {row[0]: row[1] for row in rows}


def active_everywhere(session: Session) -> tuple[tuple[str, ActiveVersion], ...]:
    """(organisation, newest version) of every active milestone of the installation."""
    rows = session.execute(
        _active().add_columns(Milestone.organisation_id).order_by(Milestone.organisation_id, Milestone.id)
    )
    return tuple((organisation_id, ActiveVersion(*version)) for *version, organisation_id in rows)


def release_category(session: Session, organisation_id: str, category_id: str) -> None:
    """Let retired milestones no longer name a category that is about to go: nobody gets them any more."""
    session.execute(
        sa.update(Milestone)
        .where(
            Milestone.organisation_id == organisation_id,
            Milestone.category_id == category_id,
            Milestone.status == "retired",
        )
        .values(category_id=None)
    )


def owner_of(session: Session, milestone_id: str) -> str | None:
    """Whose milestone it is."""
    return session.scalar(sa.select(Milestone.organisation_id).where(Milestone.id == milestone_id))
