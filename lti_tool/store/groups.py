"""The groups of courses, as they were read last."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from lti_tool.store.dialects import insert_all_if_absent
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.staging import chunks
from lti_tool.store.tables import CourseGroup, GroupMember, Learner, new_id

CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of a course."""

    id: str
    name: str


def replace(
    session: Session,
    plan: ContextPlan,
    names: Mapping[str, str],
    members: Mapping[str, Set[str]],
    now: datetime,
) -> None:
    """Keep exactly these groups of a context, with exactly these people.

    :param names: by the platform's id of each group.
    :param members: by that id, the platform's ids of people; who is unknown here is left out.
    """
    own = (CourseGroup.organisation_id == plan.organisation_id, CourseGroup.context_id == plan.id)
    known = {row.id_on_platform: row for row in session.scalars(select(CourseGroup).where(*own))}
    gone = [row.id for id_, row in known.items() if id_ not in names]
    if gone:
        session.execute(delete(CourseGroup).where(*own, CourseGroup.id.in_(gone)))
    for id_on_platform, name in names.items():
        row = known.get(id_on_platform)
        if row is None:
            row = CourseGroup(
                id=new_id(),
                organisation_id=plan.organisation_id,
                context_id=plan.id,
                id_on_platform=id_on_platform,
                name=name,
                read_at=now,
            )
            session.add(row)
        row.name, row.read_at = name, now
        known[id_on_platform] = row
    session.flush()
    learners: dict[str, str] = {}
    subs = sorted(set().union(*members.values())) if members else []
    for chunk in chunks(subs, CHUNK):
        found = session.execute(
            select(Learner.sub, Learner.id).where(
                Learner.organisation_id == plan.organisation_id,
                Learner.registration_id == plan.registration.id,
                Learner.sub.in_(list(chunk)),
            )
        )
        learners.update((sub, learner_id) for sub, learner_id in found)
    kept = [known[id_].id for id_ in names]
    session.execute(
        delete(GroupMember).where(
            GroupMember.organisation_id == plan.organisation_id, GroupMember.group_id.in_(kept)
        )
    )
    insert_all_if_absent(
        session,
        GroupMember,
        (
            {
                "id": new_id(),
                "organisation_id": plan.organisation_id,
                "group_id": known[id_].id,
                "learner_id": learners[sub],
            }
            for id_ in names
            for sub in sorted(members.get(id_, ()))
            if sub in learners
        ),
        on=("group_id", "learner_id"),
    )


def of_context(session: Session, organisation_id: str, context_id: str) -> tuple[GroupRow, ...]:
    """The groups of a course, by name."""
    rows = session.execute(
        select(CourseGroup.id, CourseGroup.name)
        .where(CourseGroup.organisation_id == organisation_id, CourseGroup.context_id == context_id)
        .order_by(CourseGroup.name, CourseGroup.id)
    )
    return tuple(GroupRow(*row) for row in rows)


def is_in(organisation_id: str, context_id: str, group_id: str, learner_id: Any) -> ColumnElement[bool]:
    """Whether a learner is in a group of this course; of another course's nobody is."""
    return exists().where(
        GroupMember.group_id == CourseGroup.id,
        GroupMember.learner_id == learner_id,
        CourseGroup.id == group_id,
        CourseGroup.organisation_id == organisation_id,
        CourseGroup.context_id == context_id,
    )
