"""The audit trail: who did what to which thing. Of people ids, never names; rows are only ever added."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from lti_tool.store.tables import AuditEvent, Learner, StaffMember, new_id

STAFF, LEARNER = "staff:", "learner:"
"""How the actors begin that are people; what follows is an id."""
OTHER_ACTORS = ("cli", "job", "rule")
"""The operator, and the tool itself."""
ACTION_LENGTH, ACTOR_LENGTH = 60, 80
"""Longer ones are none."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event."""

    id: str
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant; what is None is not asked for."""

    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    subject_id: str | None = None


def record(
    session: Session,
    organisation_id: str | None,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one event to the caller's transaction, so that the deed and its trace stand or fall together."""
    session.add(
        AuditEvent(
            id=new_id(),
            organisation_id=organisation_id,
            at=at,
            actor=actor,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            detail=dict(detail or {}),
        )
    )


def _wanted(organisation_id: str, wanted: EventFilter) -> list[ColumnElement[bool]]:
    where = [AuditEvent.organisation_id == organisation_id]
    if wanted.action is not None:
        where.append(AuditEvent.action == wanted.action)
    if wanted.actor is not None:
        where.append(AuditEvent.actor == wanted.actor)
    if wanted.since is not None:
        where.append(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        where.append(AuditEvent.at < wanted.until)
    if wanted.subject_id is not None:
        where.append(AuditEvent.subject_id == wanted.subject_id)
    return where


def count(session: Session, organisation_id: str, wanted: EventFilter) -> int:
    """How many events of an organisation a filter finds."""
    where = _wanted(organisation_id, wanted)
    return session.scalar(select(func.count()).select_from(AuditEvent).where(*where)) or 0


def page(
    session: Session,
    organisation_id: str,
    wanted: EventFilter,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[datetime, str] | None = None,
) -> tuple[EventRow, ...]:
    """Some of them, the newest first.

    :param after: ``(at, id)`` of the last one seen: what follows it, whatever was added meanwhile.
    """
    query = select(
        AuditEvent.id,
        AuditEvent.at,
        AuditEvent.actor,
        AuditEvent.action,
        AuditEvent.subject_kind,
        AuditEvent.subject_id,
        AuditEvent.detail,
    ).where(*_wanted(organisation_id, wanted))
    if after is not None:
        at, id_ = after
        # The first condition follows from the second; databases begin there in the index by the first alone.
        query = query.where(
            AuditEvent.at <= at, or_(AuditEvent.at < at, and_(AuditEvent.at == at, AuditEvent.id < id_))
        )
    rows = session.execute(
        query.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).offset(offset).limit(limit)
    )
    return tuple(EventRow(**row._mapping) for row in rows)


def newest(
    session: Session, organisation_id: str, subject_kind: str, subject_id: str, actions: Collection[str]
) -> EventRow | None:
    """The latest of some actions on one thing: whether a button was pressed twice, it tells by whom."""
    subject = subject_kind, subject_id
    return newest_of_each(session, organisation_id, [subject], actions).get(subject)


def newest_of_each(
    session: Session, organisation_id: str, subjects: Collection[tuple[str, str]], actions: Collection[str]
) -> dict[tuple[str, str], EventRow]:
    """The same of several things, by their kind and id; there is none where nothing was done to one."""
    kinds, ids = ({subject[part] for subject in subjects} for part in (0, 1))
    place = func.row_number().over(
        partition_by=(AuditEvent.subject_kind, AuditEvent.subject_id),
        order_by=(AuditEvent.at.desc(), AuditEvent.id.desc()),
    )
    found = (
        select(
            AuditEvent.id,
            AuditEvent.at,
            AuditEvent.actor,
            AuditEvent.action,
            AuditEvent.subject_kind,
            AuditEvent.subject_id,
            AuditEvent.detail,
            place.label("place"),
        )
        .where(
            AuditEvent.organisation_id == organisation_id,
            AuditEvent.subject_kind.in_(kinds),
            AuditEvent.subject_id.in_(ids),
            AuditEvent.action.in_(actions),
        )
        .subquery()
    )
    columns = [column for column in found.c if column.name != "place"]
    rows = (EventRow(**row._mapping) for row in session.execute(select(*columns).where(found.c.place == 1)))
    return {(row.subject_kind, row.subject_id): row for row in rows}


def was_last(
    session: Session, organisation_id: str, action: str, subject: tuple[str, str], *, actor: str, seen: str
) -> bool:
    """Whether of all that was done in this way to something this actor did the last, from what they saw.

    :param subject: its kind and id.
    """
    kind, id_ = subject
    last = session.execute(
        select(AuditEvent.actor, AuditEvent.detail)
        .where(
            AuditEvent.organisation_id == organisation_id,
            AuditEvent.subject_kind == kind,
            AuditEvent.subject_id == id_,
            AuditEvent.action == action,
        )
        # Versions come after each other by their number, whatever the clocks of several machines say.
        .order_by(AuditEvent.detail["version"].as_integer().desc().nulls_last(), AuditEvent.at.desc())
        .limit(1)
    ).one_or_none()
    return last is not None and last.actor == actor and last.detail.get("seen") == seen


def actors(session: Session, organisation_id: str) -> tuple[str, ...]:
    """Who may stand in an organisation's trail; of people in courses, who are thousands, nobody.

    Of events there are as many as anybody likes, so they are not asked.
    """
    members = session.scalars(
        select(StaffMember.id)
        .where(StaffMember.organisation_id == organisation_id)
        .order_by(StaffMember.name, StaffMember.id)
    )
    return (*(f"{STAFF}{id_}" for id_ in members), *OTHER_ACTORS)


def actor_names(session: Session, organisation_id: str, actors: Collection[str]) -> dict[str, str | None]:
    """The names of the people among ``actors``; the trail itself keeps ids only."""
    found: dict[str, str | None] = {}
    for prefix, table in ((STAFF, StaffMember), (LEARNER, Learner)):
        ids = [actor.removeprefix(prefix) for actor in actors if actor.startswith(prefix)]
        rows = session.execute(
            select(table.id, table.name).where(table.organisation_id == organisation_id, table.id.in_(ids))
        )
        found |= {f"{prefix}{id_}": name for id_, name in rows}
    return found
