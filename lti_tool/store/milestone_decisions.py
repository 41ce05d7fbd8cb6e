"""What decisions about milestones read and leave: facts of whole persons, decisions, awards.

The number of queries depends on neither learners nor milestones. Whoever decides holds the lock of the
milestones' versions (:func:`lti_tool.store.milestones.lock`) while reading facts: of two workers that decide
about one person the second sees what the first has kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from lti_tool.store.counting import first_met_at, with_badges
from lti_tool.store.dialects import for_each, insert_rows, is_of, never_indexed, one_of
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    Award,
    Completion,
    Learner,
    Micromodule,
    MicromoduleCategory,
    MicromoduleVersion,
    MilestoneDecision,
    Placement,
)

# -- facts


def people_of(session: Session, organisation_id: str, learner_ids: Sequence[str]) -> dict[str, str]:
    """Who some learners are: (learner, person or the learner itself), with all learners of these persons.

    One person learns under several names where they joined them; each learner is alone otherwise.
    """
    asked = sa.select(Learner.person_id).where(
        is_of(Learner.organisation_id, organisation_id),
        one_of(session, Learner.id, learner_ids),
        Learner.person_id.is_not(None),
    )
    rows = session.execute(
        sa.select(Learner.id, Learner.person_id).where(
            is_of(Learner.organisation_id, organisation_id),
            Learner.is_test_user.is_(False),
            sa.or_(one_of(session, Learner.id, learner_ids), Learner.person_id.in_(asked)),
        )
    )
    return {learner_id: person_id or learner_id for learner_id, person_id in rows}


class Completed(NamedTuple):
    """A micromodule that a learner completed, in whatever version, and when first."""

    learner_id: str
    micromodule_id: str
    met_at: datetime | None
    """``None`` where none of its completions counts (:mod:`lti_tool.store.counting`)."""
    rows: int
    """How many completions say so: one for each version that was completed."""


def completions(session: Session, organisation_id: str, learner_ids: Sequence[str]) -> tuple[Completed, ...]:
    """Everything that some learners completed."""
    rows = session.execute(
        with_badges(
            sa.select(
                Completion.learner_id, MicromoduleVersion.micromodule_id, _MET_AT, sa.func.count()
            ).join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        )
        .where(
            is_of(Completion.organisation_id, organisation_id),
            one_of(session, Completion.learner_id, learner_ids),
        )
        .group_by(Completion.learner_id, MicromoduleVersion.micromodule_id)
        .order_by(_MET_AT, MicromoduleVersion.micromodule_id)
    )
    return tuple(Completed(*row) for row in rows)


_MET_AT: Any = first_met_at()


class Offered(NamedTuple):
    """A micromodule by the name of its newest version."""

    micromodule_id: str
    name: str
    is_offered: bool
    """Published somewhere, and not archived."""
    category_id: str | None
    """One of those asked for in which it is; a micromodule in two of them comes twice."""


def offered(
    session: Session,
    organisation_id: str,
    micromodule_ids: Iterable[str],
    category_ids: Iterable[str],
    *,
    is_everything_asked: bool = False,
) -> tuple[Offered, ...]:
    """Some micromodules, and all of some categories, by name; or all of the organisation."""
    categories = list(category_ids)
    newest = (
        sa.select(MicromoduleVersion.micromodule_id, sa.func.max(MicromoduleVersion.number).label("number"))
        .where(is_of(MicromoduleVersion.organisation_id, organisation_id))
        .group_by(MicromoduleVersion.micromodule_id)
        .subquery()
    )
    is_published = (
        sa.exists()
        .where(
            Placement.micromodule_version_id == _of_same.id,
            _of_same.micromodule_id == Micromodule.id,
            Placement.status == "active",
        )
        .correlate(Micromodule)
    )
    within = (
        sa.select(MicromoduleCategory.micromodule_id, MicromoduleCategory.category_id)
        .where(MicromoduleCategory.category_id.in_(categories))
        .subquery()
    )
    query = (
        sa.select(
            Micromodule.id,
            MicromoduleVersion.name,
            sa.and_(Micromodule.archived_at.is_(None), is_published),
            within.c.category_id,
        )
        .join(newest, newest.c.micromodule_id == Micromodule.id)
        .join(
            MicromoduleVersion,
            (MicromoduleVersion.micromodule_id == newest.c.micromodule_id)
            & (MicromoduleVersion.number == newest.c.number),
        )
        .outerjoin(within, within.c.micromodule_id == Micromodule.id)
        .where(Micromodule.organisation_id == organisation_id)
        .order_by(MicromoduleVersion.name, Micromodule.id)
    )
    if not is_everything_asked:
        query = query.where(
            sa.or_(one_of(session, Micromodule.id, list(micromodule_ids)), within.c.category_id.is_not(None))
        )
    return tuple(
        Offered(id_, name, bool(is_offered), category_id)
        for id_, name, is_offered, category_id in session.execute(query)
    )


_of_same = aliased(MicromoduleVersion)


# -- decisions


class Known(NamedTuple):
    """The newest decision about a learner."""

    id: str
    digest: str
    verdict: str


def latest(
    session: Session, organisation_id: str, version_ids: Iterable[str], learner_ids: Sequence[str]
) -> dict[tuple[str, str], Known]:
    """The newest decisions about some learners, by version and learner."""
    query = sa.select(
        MilestoneDecision.milestone_version_id,
        MilestoneDecision.learner_id,
        MilestoneDecision.id,
        MilestoneDecision.digest,
        MilestoneDecision.verdict,
    ).where(
        never_indexed(MilestoneDecision.organisation_id) == organisation_id,
        MilestoneDecision.milestone_version_id.in_(version_ids),
        MilestoneDecision.is_latest.is_(True),
    )
    rows = session.execute(for_each(session, query, MilestoneDecision.learner_id, learner_ids))
    return {(version_id, learner_id): Known(*known) for version_id, learner_id, *known in rows}


class NewDecision(NamedTuple):
    """A decision about to be kept."""

    id: str
    milestone_version_id: str
    learner_id: str
    verdict: str
    state: str
    finding: dict[str, Any]
    evidence: dict[str, Any]
    digest: str
    facts_seen: int


def keep(
    session: Session,
    organisation_id: str,
    new: Sequence[NewDecision],
    replaced_ids: Sequence[str],
    unchanged_ids: Mapping[int, Sequence[str]],
    now: datetime,
) -> None:
    """Add decisions, mark those that they replace as no longer the latest, and date those that still stand.
    What is owed is told by their dates, and by how much they have seen.

    :param unchanged_ids: by how much they have seen now.
    """
    changed: list[tuple[Sequence[str], dict[str, Any]]] = [(replaced_ids, {"is_latest": False})]
    changed += [(ids, {"decided_at": now, "facts_seen": seen}) for seen, ids in unchanged_ids.items()]
    for ids, values in changed:
        for chunk in chunks(ids):
            session.execute(
                sa.update(MilestoneDecision)
                .where(
                    is_of(MilestoneDecision.organisation_id, organisation_id),
                    MilestoneDecision.id.in_(chunk),
                )
                .values(values)
                .execution_options(synchronize_session=False)
            )
    insert_rows(
        session,
        MilestoneDecision,
        NewDecision._fields,
        new,
        shared={"organisation_id": organisation_id, "decided_at": now, "is_latest": True},
    )


class NewAward(NamedTuple):
    """A milestone's badge about to be given."""

    id: str
    achievement_version_id: str
    learner_id: str
    met_at: datetime


def add_awards(session: Session, organisation_id: str, new: Sequence[NewAward], now: datetime) -> None:
    """Record awards, of no course; whoever holds one of them already was left out under the lock."""
    insert_rows(
        session,
        Award,
        NewAward._fields,
        new,
        shared={"organisation_id": organisation_id, "awarded_at": now},
        unless=("achievement_version_id", "learner_id"),
    )


# -- people


def learners_with_completions(
    session: Session, organisation_id: str, *, after: str = "", limit: int
) -> tuple[str, ...]:
    """Learners of an organisation who completed anything, in order of their ids, those after ``after``."""
    return tuple(
        session.scalars(
            sa.select(Completion.learner_id)
            .join(Learner, Learner.id == Completion.learner_id)
            .where(
                is_of(Completion.organisation_id, organisation_id),
                Completion.learner_id > after,
                Learner.is_test_user.is_(False),
            )
            .distinct()
            .order_by(Completion.learner_id)
            .limit(limit)
        )
    )


def names_of(session: Session, organisation_id: str, learner_ids: Sequence[str]) -> dict[str, str | None]:
    """What some learners are called, as far as an LMS said so."""
    rows = session.execute(
        sa.select(Learner.id, Learner.name).where(
            is_of(Learner.organisation_id, organisation_id), one_of(session, Learner.id, learner_ids)
        )
    )
    return {row.id: row.name for row in rows}


def held(
    session: Session,
    organisation_id: str,
    achievement_version_ids: Sequence[str],
    learner_ids: Sequence[str],
) -> frozenset[str]:
    """Which of some achievement versions a person has."""
    return frozenset(
        session.scalars(
            sa.select(Award.achievement_version_id).where(
                is_of(Award.organisation_id, organisation_id),
                Award.achievement_version_id.in_(achievement_version_ids),
                Award.learner_id.in_(learner_ids),
            )
        )
    )


def holders_of(
    session: Session, organisation_id: str, achievement_version_id: str, learner_ids: Sequence[str]
) -> frozenset[str]:
    """Which of some learners have an achievement version."""
    held = sa.select(Award.learner_id).where(
        never_indexed(Award.organisation_id) == organisation_id,
        Award.achievement_version_id == achievement_version_id,
    )
    return frozenset(session.scalars(for_each(session, held, Award.learner_id, learner_ids)))
