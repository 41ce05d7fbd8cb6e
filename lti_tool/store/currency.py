"""Review dates of an organisation's micromodules and milestones, and who answers for them, as stored.

What is no longer given to anybody is not in the lists: a milestone that is retired, a micromodule that was
put aside and stands in no course. A milestone's draft has nobody yet who could rely on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.domain.currency import ReviewState, date_after_review, day_of, review_state, soon_until
from lti_tool.store.dialects import contains_text, insert_all_if_absent
from lti_tool.store.tables import (
    AchievementCare,
    AchievementVersion,
    Micromodule,
    MicromoduleVersion,
    Milestone,
    MilestoneVersion,
    Placement,
    StaffMember,
    new_id,
)

MICROMODULE, MILESTONE = "micromodule", "milestone"
NOBODY = "nobody"
"""Of a filter: those for which nobody answers."""


@dataclass(frozen=True, slots=True)
class CareRow:
    """A micromodule or milestone by its newest version, and how it is looked after."""

    kind: str
    id: str
    name: str
    version: int
    published_at: datetime
    """When that version was."""
    achievement_version_id: str | None
    """Null where a micromodule issues no badge."""
    is_in_use: bool
    """False for what is retired, or put aside and in no course."""
    answerable_id: str | None
    answerable_name: str | None
    answerable_email: str | None
    is_answerable_active: bool
    """False, too, where nobody of the staff is named."""
    contact: str
    review_every_months: int | None
    review_on: date | None
    reviewed_at: datetime | None
    reviewed_by: str | None
    note: str
    revision: int
    """0 as long as nobody said anything."""

    @property
    def answers(self) -> str | None:
        """Who answers for it: whoever of the staff still has access, else whoever is named without one."""
        return (self.answerable_name if self.is_answerable_active else None) or self.contact or None

    @property
    def looked_at(self) -> date:
        """The day on which somebody looked at it last: reviewed it, or published its newest version."""
        return day_of(max(self.reviewed_at or self.published_at, self.published_at))

    def state(self, today: date) -> ReviewState:
        """How its review stands."""
        return review_state(self.review_on, today)


@dataclass(frozen=True, slots=True)
class CareFilter:
    """Which are meant; what is empty is not asked for."""

    query: str = ""
    """Part of the name."""
    state: ReviewState | None = None
    answerable: str = ""
    """Id of a member of the staff, or :data:`NOBODY`."""


@dataclass(frozen=True, slots=True)
class CareCounts:
    """How many there are of each state, and for how many nobody answers."""

    stale: int
    soon: int
    undated: int
    later: int
    nobody: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.stale + self.soon + self.undated + self.later

    def of(self, state: ReviewState | None) -> int:
        """Those of one state, or all."""
        return self.total if state is None else int(getattr(self, state.value))


# -- reading


_CARE = (
    AchievementCare.answerable_id,
    StaffMember.name.label("answerable_name"),
    StaffMember.email.label("answerable_email"),
    sa.func.coalesce(StaffMember.is_active, sa.false()).label("is_answerable_active"),
    sa.func.coalesce(AchievementCare.contact, "").label("contact"),
    AchievementCare.review_every_months,
    AchievementCare.review_on,
    AchievementCare.reviewed_at,
    AchievementCare.reviewed_by,
    sa.func.coalesce(AchievementCare.note, "").label("note"),
    sa.func.coalesce(AchievementCare.revision, 0).label("revision"),
)


def _stands() -> sa.ColumnElement[bool]:
    """A micromodule that is offered, or stands in a course."""
    return sa.or_(
        Micromodule.archived_at.is_(None),
        sa.exists()
        .where(
            MicromoduleVersion.micromodule_id == Micromodule.id,
            Placement.micromodule_version_id == MicromoduleVersion.id,
            Placement.status == "active",
        )
        .correlate(Micromodule),
    )


def _newest(table: type[MicromoduleVersion] | type[MilestoneVersion], of: Any, *where: Any) -> sa.Subquery:
    query = sa.select(of.label("id"), sa.func.max(table.number).label("number"))
    return query.where(*where).group_by(of).subquery()


def _micromodules(organisation_id: str, ids: Collection[str] | None) -> sa.Select[Any]:
    chosen = () if ids is None else (MicromoduleVersion.micromodule_id.in_(ids),)
    newest = _newest(
        MicromoduleVersion,
        MicromoduleVersion.micromodule_id,
        MicromoduleVersion.organisation_id == organisation_id,
        *chosen,
    )
    query = (
        sa.select(
            sa.literal(MICROMODULE).label("kind"),
            Micromodule.id,
            MicromoduleVersion.name,
            MicromoduleVersion.number.label("version"),
            MicromoduleVersion.created_at.label("published_at"),
            MicromoduleVersion.achievement_version_id,
            _stands().label("is_in_use"),
            *_CARE,
        )
        .select_from(Micromodule)
        .join(newest, newest.c.id == Micromodule.id)
        .join(
            MicromoduleVersion,
            (MicromoduleVersion.micromodule_id == Micromodule.id)
            & (MicromoduleVersion.number == newest.c.number),
        )
        .outerjoin(AchievementCare, AchievementCare.micromodule_id == Micromodule.id)
        .where(Micromodule.organisation_id == organisation_id)
    )
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("sa.Select[Any]", _with_member(query, organisation_id))


def _milestones(organisation_id: str, ids: Collection[str] | None) -> sa.Select[Any]:
    chosen = () if ids is None else (MilestoneVersion.milestone_id.in_(ids),)
    newest = _newest(
        MilestoneVersion,
        MilestoneVersion.milestone_id,
        MilestoneVersion.organisation_id == organisation_id,
        *chosen,
    )
    query = (
        sa.select(
            sa.literal(MILESTONE).label("kind"),
            Milestone.id,
            AchievementVersion.name,
            MilestoneVersion.number.label("version"),
            MilestoneVersion.created_at.label("published_at"),
            MilestoneVersion.achievement_version_id,
            (Milestone.status == "active").label("is_in_use"),
            *_CARE,
        )
        .select_from(Milestone)
        .join(newest, newest.c.id == Milestone.id)
        .join(
            MilestoneVersion,
            (MilestoneVersion.milestone_id == Milestone.id) & (MilestoneVersion.number == newest.c.number),
        )
        .join(AchievementVersion, AchievementVersion.id == MilestoneVersion.achievement_version_id)
        .outerjoin(AchievementCare, AchievementCare.milestone_id == Milestone.id)
        .where(Milestone.organisation_id == organisation_id, Milestone.status != "draft")
    )
    return cast("sa.Select[Any]", _with_member(query, organisation_id))


def _with_member(query: Any, organisation_id: str) -> Any:
    return query.outerjoin(
        StaffMember,
        (StaffMember.id == AchievementCare.answerable_id) & (StaffMember.organisation_id == organisation_id),
    )


def _subjects(organisation_id: str, ids: Collection[str] | None = None) -> sa.Subquery:
    both = (_micromodules(organisation_id, ids), _milestones(organisation_id, ids))
    return sa.union_all(*both).subquery()


def _wanted(of: sa.Subquery, wanted: CareFilter) -> list[sa.ColumnElement[bool]]:
    """All of a filter but the state."""
    where: list[sa.ColumnElement[bool]] = [of.c.is_in_use.is_(True)]
    if wanted.query:
        where.append(contains_text(of.c.name, wanted.query.replace("\x00", "")))
    if wanted.answerable == NOBODY:
        where.append(_nobody(of))
    elif wanted.answerable:
        is_theirs = of.c.answerable_id == wanted.answerable
        where.append(is_theirs if _may_be_id(wanted.answerable) else sa.false())
    return where


def _nobody(of: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(of.c.is_answerable_active.is_(False), of.c.contact == "")


_PLACES: Mapping[ReviewState, int] = {state: place for place, state in enumerate(ReviewState)}


def _place(of: sa.Subquery, today: date) -> sa.ColumnElement[int]:
    """The state as its place in the list, as :func:`~lti_tool.domain.currency.review_state` has it."""
    return sa.case(
        (of.c.review_on.is_(None), _PLACES[ReviewState.UNDATED]),
        (of.c.review_on < today, _PLACES[ReviewState.STALE]),
        (of.c.review_on <= soon_until(today), _PLACES[ReviewState.SOON]),
        else_=_PLACES[ReviewState.LATER],
    )


def counts(session: Session, organisation_id: str, wanted: CareFilter, today: date) -> CareCounts:
    """How many a filter finds of each state, whichever state it asks for; one statement."""
    of = _subjects(organisation_id)

    def number(condition: sa.ColumnElement[bool]) -> Any:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

    row = session.execute(
        sa.select(
            *(number(_place(of, today) == place).label(state.value) for state, place in _PLACES.items()),
            number(_nobody(of)).label(NOBODY),
        ).where(*_wanted(of, wanted))
    ).one()
    return CareCounts(**row._mapping)


def page(
    session: Session, organisation_id: str, wanted: CareFilter, today: date, *, offset: int, limit: int
) -> tuple[CareRow, ...]:
    """Some of what a filter finds: what is overdue, the longest first; what is due soon; what has no date,
    the longest unseen first; the rest."""
    of = _subjects(organisation_id)
    where = _wanted(of, wanted)
    if wanted.state is not None:
        where.append(_place(of, today) == _PLACES[wanted.state])
    seen_at = sa.case(
        (of.c.reviewed_at > of.c.published_at, of.c.reviewed_at),
        else_=of.c.published_at,
    )
    rows = session.execute(
        sa.select(of)
        .where(*where)
        .order_by(
            _place(of, today),
            of.c.review_on,
            sa.case((of.c.review_on.is_(None), seen_at)),
            sa.func.lower(of.c.name),
            of.c.id,
        )
        .offset(offset)
        .limit(limit)
    )
    return tuple(_row(row) for row in rows)


def these(session: Session, organisation_id: str, ids: Collection[str]) -> tuple[CareRow, ...]:
    """Those of this organisation among ``ids``, whatever became of them; a milestone's draft is none."""
    ids = frozenset(filter(_may_be_id, ids))
    rows = session.execute(sa.select(_subjects(organisation_id, ids)))
    return tuple(_row(row) for row in rows if row.id in ids)


def _may_be_id(text: str) -> bool:
    """PostgreSQL answers some characters with an error, not with nothing."""
    return text.isascii() and text.isalnum()


def _row(row: Any) -> CareRow:
    values = dict(row._mapping)
    for name in ("is_in_use", "is_answerable_active"):
        values[name] = bool(values[name])
    return CareRow(**values)


def count_stale(session: Session, today: date, organisation_id: str | None = None) -> int:
    """How many are overdue, in one organisation or in all: asked by every staff page, so it reads no more
    than what is overdue."""
    of_one = () if organisation_id is None else (AchievementCare.organisation_id == organisation_id,)
    return session.scalars(
        sa.select(sa.func.count())
        .select_from(AchievementCare)
        .outerjoin(Micromodule, Micromodule.id == AchievementCare.micromodule_id)
        .outerjoin(Milestone, Milestone.id == AchievementCare.milestone_id)
        .where(
            *of_one,
            AchievementCare.review_on < today,
            sa.or_(
                Milestone.status == "active",
                sa.and_(AchievementCare.micromodule_id.is_not(None), _stands()),
            ),
        )
    ).one()


# -- changing


def hold(
    session: Session, organisation_id: str, subjects: Iterable[tuple[str, str]]
) -> dict[str, AchievementCare]:
    """The rows of these (kind, id), made where there are none, by the id of what they are about; nobody else
    changes them until the transaction ends.

    :param subjects: known to be this organisation's.
    """
    ids: dict[str, list[str]] = {MICROMODULE: [], MILESTONE: []}
    for kind, id_ in subjects:
        ids[kind].append(id_)
    columns = {MICROMODULE: "micromodule_id", MILESTONE: "milestone_id"}
    for kind, column in columns.items():
        rows = (
            {
                "id": new_id(),
                "organisation_id": organisation_id,
                column: id_,
                "contact": "",
                "note": "",
                "revision": 0,
            }
            for id_ in sorted(ids[kind])
        )
        insert_all_if_absent(session, AchievementCare, rows, on=(column,))
    held = session.scalars(
        sa.select(AchievementCare)
        .where(
            AchievementCare.organisation_id == organisation_id,
            sa.or_(
                AchievementCare.micromodule_id.in_(ids[MICROMODULE]),
                AchievementCare.milestone_id.in_(ids[MILESTONE]),
            ),
        )
        .order_by(AchievementCare.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.micromodule_id or row.milestone_id or "": row for row in held}


def note_review(
    row: AchievementCare, *, actor: str, now: datetime, note: str, next_on: date | None = None
) -> None:
    """Somebody looked at it and found it right, or right again.

    :param next_on: as somebody asked for it; without one it follows from interval and plan.
    """
    row.review_on = next_on or date_after_review(day_of(now), row.review_every_months, row.review_on)
    row.reviewed_at, row.reviewed_by, row.note = now, actor, note
    row.revision += 1


def count_as_review(
    session: Session,
    organisation_id: str,
    *,
    actor: str,
    now: datetime,
    kind: str,
    id_: str,
) -> None:
    """Its next version was published: whoever did looked at it. Nothing where nobody looks after it.

    A correction is no review: somebody who mends a spelling has not asked whether the rest is still right.
    """
    of = AchievementCare.micromodule_id if kind == MICROMODULE else AchievementCare.milestone_id
    row = session.scalars(
        sa.select(AchievementCare)
        .where(AchievementCare.organisation_id == organisation_id, of == id_)
        .with_for_update()
    ).one_or_none()
    if row is not None:
        note_review(row, actor=actor, now=now, note="")
        session.flush()
