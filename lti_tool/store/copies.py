"""Courses that were copied in the LMS: where a link came from, and the drafts that are made of it.

Everything stays within one organisation: each query takes it, and no key of another one is ever found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.copies import MOST_IN_HISTORY, Candidate
from lti_tool.domain.gates import GateState
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    AchievementVersion,
    Context,
    Gate,
    LineItem,
    Micromodule,
    MicromoduleVersion,
    Placement,
    Registration,
    ResourceLink,
    new_id,
)

MOST_CANDIDATES: Final = 1_000
"""Courses that have one link: of a template that was copied more often the newest are looked at."""


class CourseRow(NamedTuple):
    """A course as far as copying it is concerned."""

    id: str
    registration_id: str
    deployment_id: str
    title: str | None
    origin_context_id: str | None
    copied_at: datetime | None
    emptied_at: datetime | None


class CopiedRow(NamedTuple):
    """A placement that came with a copied course."""

    placement_id: str
    badge_link_key: str
    status: str
    name: str
    achievement_version_id: str | None
    image_alt: str
    origin_title: str | None
    origin_context_id: str | None
    confirmed_at: datetime | None
    is_opened: bool
    """Its link, or that of one of its gates, was opened in this course."""


class CopiedColumn(NamedTuple):
    """An evidence column of one of those."""

    placement_id: str
    tag: str
    label: str
    is_found: bool
    """It is there in the copied course's gradebook."""
    had_values: bool
    """Values had arrived in it in the course that it came from: its formula worked there."""
    has_values: bool


class CopiedGate(NamedTuple):
    """A gate of one of those."""

    placement_id: str
    gate_id: str
    label: str
    state: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A link whose badge is not taken over without being asked for: the badge, and where it is from."""

    name: str
    origin_title: str | None
    registration_name: str


def course(session: Session, organisation_id: str, context_id: str) -> CourseRow | None:
    """A context of this organisation."""
    row = session.execute(
        select(
            Context.id,
            Context.registration_id,
            Context.deployment_id,
            Context.title,
            Context.origin_context_id,
            Context.copied_at,
            Context.emptied_at,
        ).where(Context.organisation_id == organisation_id, Context.id == context_id)
    ).one_or_none()
    return None if row is None else CourseRow(*row)


# -- where a link came from


def candidates(
    session: Session, organisation_id: str, context_id: str, link_key: str
) -> tuple[Candidate, ...]:
    """Placements in other courses whose link, or a gate of whose, has this key.

    What was archived is offered nowhere any more, and is none of them.
    """
    query: Any = (
        select(
            Placement.id,
            Placement.context_id,
            Context.id_on_platform,
            Context.registration_id,
            Placement.status,
            Placement.created_at,
        )
        .join(Context, Context.id == Placement.context_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Micromodule, Micromodule.id == MicromoduleVersion.micromodule_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id != context_id,
            Micromodule.archived_at.is_(None),
        )
        .order_by(Placement.created_at.desc(), Placement.id)
        .limit(MOST_CANDIDATES)
    )
    of_gate = select(Gate.placement_id).where(
        Gate.organisation_id == organisation_id, Gate.link_key == link_key
    )
    rows = {
        row.id: row
        for where in (Placement.badge_link_key == link_key, Placement.id.in_(of_gate))
        for row in session.execute(query.where(where))
    }
    return tuple(
        Candidate(
            row.id,
            row.context_id,
            row.id_on_platform,
            row.registration_id,
            row.status == "active",
            row.status == "removed",
            row.created_at,
        )
        for row in rows.values()
    )


def contexts_of_links(
    session: Session, organisation_id: str, registration_id: str, link_ids: Collection[str]
) -> frozenset[str]:
    """Our ids of the contexts in which links of these platform ids were launched."""
    found: set[str] = set()
    for chunk in chunks(list(link_ids)[:MOST_IN_HISTORY]):
        found.update(
            session.scalars(
                select(ResourceLink.context_id)
                .join(Context, Context.id == ResourceLink.context_id)
                .where(
                    ResourceLink.organisation_id == organisation_id,
                    Context.registration_id == registration_id,
                    ResourceLink.id_on_platform.in_(chunk),
                )
            )
        )
    return frozenset(found)


def nearest_with_badges(
    session: Session, organisation_id: str, registration_id: str, history: Sequence[str]
) -> str | None:
    """Of the courses of a history the nearest that has badges here; our id."""
    rows = session.execute(
        select(Context.id, Context.id_on_platform).where(
            Context.organisation_id == organisation_id,
            Context.registration_id == registration_id,
            Context.id_on_platform.in_(history[:MOST_IN_HISTORY]),
            exists().where(Placement.context_id == Context.id, Placement.status != "removed"),
        )
    )
    known = {row.id_on_platform: row.id for row in rows}
    return next((known[name] for name in history if name in known), None)


def link_key(session: Session, organisation_id: str, resource_link_id: str | None) -> str | None:
    """The ``badge_link_key`` of a link of this organisation."""
    return session.scalar(
        select(ResourceLink.badge_link_key).where(
            ResourceLink.organisation_id == organisation_id, ResourceLink.id == resource_link_id
        )
    )


def asked(session: Session, organisation_id: str, placement_id: str) -> Asked | None:
    """What a person is told of a badge before they decide whether to take it over."""
    row = session.execute(
        select(MicromoduleVersion.name, Context.title, Registration.name)
        .select_from(Placement)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Context, Context.id == Placement.context_id)
        .join(Registration, Registration.id == Context.registration_id)
        .where(Placement.organisation_id == organisation_id, Placement.id == placement_id)
    ).one_or_none()
    return None if row is None else Asked(*row)


# -- the copy


def placements_of(session: Session, organisation_id: str, context_id: str, limit: int) -> tuple[str, ...]:
    """What is copied along with a course: its badges, and drafts whose link the platform is known to have;
    the published ones first."""
    return tuple(
        session.scalars(
            select(Placement.id)
            .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
            .join(Micromodule, Micromodule.id == MicromoduleVersion.micromodule_id)
            .where(
                Placement.organisation_id == organisation_id,
                Placement.context_id == context_id,
                Micromodule.archived_at.is_(None),
                or_(
                    Placement.status == "active",
                    and_(Placement.status == "draft", or_(is_kept(), Placement.copied_from_id.is_not(None))),
                ),
            )
            .order_by(Placement.status, Placement.created_at, Placement.id)
            .limit(limit)
        )
    )


def is_kept() -> ColumnElement[bool]:
    """Whether the platform is known to have the link of a placement, or of one of its gates: somebody opened
    it."""
    launched = exists().where(
        ResourceLink.context_id == Placement.context_id,
        ResourceLink.organisation_id == Placement.organisation_id,
        ResourceLink.badge_link_key == Placement.badge_link_key,
    )
    gate_launched = exists().where(
        Gate.placement_id == Placement.id,
        Gate.organisation_id == Placement.organisation_id,
        Gate.resource_link_id.is_not(None),
    )
    return or_(launched, gate_launched)


def is_unconfirmed() -> ColumnElement[bool]:
    """Whether a placement came with a copied course, and nobody has taken it over yet."""
    return and_(
        Placement.status == "draft", Placement.copied_from_id.is_not(None), Placement.confirmed_at.is_(None)
    )


def clone(
    session: Session, organisation_id: str, context_id: str, placement_ids: Iterable[str], now: datetime
) -> tuple[str, ...]:
    """Set up placements of other courses in this one, as drafts with their columns and gates still to find.

    One whose key this course has stays as it is, also where it was removed: of two launches at the same time
    one makes it, and the other makes nothing.

    :returns: ids of the new placements.
    """
    placement_ids = list(placement_ids)
    # In everybody's order: versions, then placements. A placement that is added holds its version, too.
    session.execute(
        select(MicromoduleVersion.id)
        .join(Placement, Placement.micromodule_version_id == MicromoduleVersion.id)
        .where(Placement.organisation_id == organisation_id, Placement.id.in_(placement_ids))
        .order_by(MicromoduleVersion.id)
        .with_for_update(read=True, key_share=True, of=MicromoduleVersion)
    )
    made = []
    for origin in session.execute(
        select(Placement.id, Placement.badge_link_key, Placement.micromodule_version_id)
        .where(Placement.organisation_id == organisation_id, Placement.id.in_(placement_ids))
        .order_by(Placement.badge_link_key)
        # Whoever publishes a next version meanwhile comes before, or finds the copy.
        .with_for_update(read=True)
    ).all():
        own_id = new_id()
        values = {
            "id": own_id,
            "organisation_id": organisation_id,
            "context_id": context_id,
            "badge_link_key": origin.badge_link_key,
            "micromodule_version_id": origin.micromodule_version_id,
            "status": "draft",
            "created_at": now,
            "copied_from_id": origin.id,
        }
        if insert_if_absent(session, Placement, values, on=("context_id", "badge_link_key")):
            _clone_parts(session, organisation_id, context_id, origin.id, own_id, now)
            made.append(own_id)
    session.flush()
    return tuple(made)


def _clone_parts(
    session: Session, organisation_id: str, context_id: str, origin_id: str, own_id: str, now: datetime
) -> None:
    for column in session.execute(
        select(LineItem.tag, LineItem.evidence_key, LineItem.label, LineItem.score_maximum)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.placement_id == origin_id,
            LineItem.tag != "award",
        )
        .order_by(LineItem.created_at, LineItem.evidence_key)
    ):
        session.add(
            LineItem(
                id=new_id(),
                organisation_id=organisation_id,
                context_id=context_id,
                placement_id=own_id,
                created_at=now,
                **column._mapping,
            )
        )
    for gate in session.execute(
        select(Gate.evidence_key, Gate.label, Gate.link_key).where(
            Gate.organisation_id == organisation_id, Gate.placement_id == origin_id
        )
    ):
        values = {
            "id": new_id(),
            "organisation_id": organisation_id,
            "context_id": context_id,
            "placement_id": own_id,
            "state": GateState.WAITING.value,
            **gate._mapping,
        }
        # Another gate of the course may have that link already; then this one has no link yet.
        if not insert_if_absent(session, Gate, values, on=("context_id", "link_key")):
            insert_if_absent(
                session,
                Gate,
                {**values, "link_key": new_id()},
                on=("placement_id", "evidence_key"),
            )


def note_origin(
    session: Session, organisation_id: str, context_id: str, origin_id: str | None, now: datetime
) -> None:
    """Keep that a course is a copy; what was noted first stays.

    :param origin_id: ``None`` where only single links came from elsewhere.
    """
    own = (Context.organisation_id == organisation_id, Context.id == context_id)
    session.execute(update(Context).where(*own, Context.copied_at.is_(None)).values(copied_at=now))
    if origin_id is not None and origin_id != context_id:
        session.execute(
            update(Context)
            .where(*own, Context.origin_context_id.is_(None))
            .values(origin_context_id=origin_id)
        )


def context_of_notice(
    session: Session,
    organisation_id: str,
    registration_id: str,
    deployment_id: str,
    context_id_on_platform: str,
    now: datetime,
) -> str | None:
    """The context that a notice of this deployment tells about; nobody may have launched from there yet.
    ``None`` where it is another organisation's."""
    insert_if_absent(
        session,
        Context,
        {
            "id": new_id(),
            "organisation_id": organisation_id,
            "registration_id": registration_id,
            "deployment_id": deployment_id,
            "id_on_platform": context_id_on_platform,
            "ags_scopes": [],
            "created_at": now,
            "last_launched_at": now,
            "roster_is_complete": False,
        },
        on=("deployment_id", "id_on_platform"),
    )
    return session.scalars(
        select(Context.id).where(
            Context.organisation_id == organisation_id,
            Context.deployment_id == deployment_id,
            Context.id_on_platform == context_id_on_platform,
        )
    ).one_or_none()


# -- what a person is shown, and says


def copied(session: Session, organisation_id: str, context_id: str) -> tuple[CopiedRow, ...]:
    """What came with a copied course and is not published: drafts, and what was left behind; by name."""
    origin = sa.orm.aliased(Placement)
    source = sa.orm.aliased(Context)
    query: Any = (
        select(
            Placement.id,
            Placement.badge_link_key,
            Placement.status,
            MicromoduleVersion.name,
            MicromoduleVersion.achievement_version_id,
            sa.func.coalesce(AchievementVersion.image_alt, ""),
            source.title,
            source.id,
            Placement.confirmed_at,
            is_kept(),
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .join(origin, origin.id == Placement.copied_from_id)
        .join(source, source.id == origin.context_id)
        .where(
            Placement.organisation_id == organisation_id,
            origin.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status != "active",
        )
        .order_by(MicromoduleVersion.name, Placement.id)
    )
    return tuple(CopiedRow(*row) for row in session.execute(query))


def columns_of(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> tuple[CopiedColumn, ...]:
    """The evidence columns of copied placements beside those that they were copied from."""
    own = sa.orm.aliased(LineItem)
    before = sa.orm.aliased(LineItem)
    query: Any = (
        select(
            own.placement_id,
            own.tag,
            own.label,
            own.id_on_platform.is_not(None),
            before.first_value_at.is_not(None),
            own.first_value_at.is_not(None),
        )
        .join(Placement, Placement.id == own.placement_id)
        .outerjoin(
            before,
            and_(
                before.placement_id == Placement.copied_from_id,
                before.evidence_key == own.evidence_key,
                before.organisation_id == organisation_id,
            ),
        )
        .where(
            own.organisation_id == organisation_id,
            own.context_id == context_id,
            own.placement_id.in_(placement_ids),
            own.tag != "award",
        )
        .order_by(own.created_at, own.evidence_key)
    )
    return tuple(CopiedColumn(*row) for row in session.execute(query))


def gates_of(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> tuple[CopiedGate, ...]:
    """The gates of copied placements."""
    rows = session.execute(
        select(Gate.placement_id, Gate.id, Gate.label, Gate.state)
        .where(
            Gate.organisation_id == organisation_id,
            Gate.context_id == context_id,
            Gate.placement_id.in_(placement_ids),
        )
        .order_by(Gate.label, Gate.id)
    )
    return tuple(CopiedGate(*row) for row in rows)


def count_unconfirmed(session: Session, organisation_id: str, context_id: str) -> int:
    """How many badges came with a copied course, and wait for somebody to take them over."""
    return (
        session.scalar(
            select(sa.func.count()).where(
                Placement.organisation_id == organisation_id,
                Placement.context_id == context_id,
                is_unconfirmed(),
            )
        )
        or 0
    )


def decide(
    session: Session,
    organisation_id: str,
    context_id: str,
    keep: Collection[str],
    shown: Collection[str],
    now: datetime,
) -> tuple[int, int]:
    """Take over some of what came with a copied course, and leave the rest behind; how many of each.

    What was published meanwhile stays as it is, and so does what came since the list was shown.
    """
    own = (
        Placement.organisation_id == organisation_id,
        Placement.context_id == context_id,
        Placement.copied_from_id.is_not(None),
        Placement.status != "active",
    )
    wanted = list(keep)
    # Whoever changes the draft that they were copied from drops those that nobody took over: not while
    # somebody does. In one order, as where badges are placed.
    session.execute(
        select(MicromoduleVersion.id)
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.id.in_(select(Placement.micromodule_version_id).where(*own)),
        )
        .order_by(MicromoduleVersion.id)
        .with_for_update()
    )
    connection = session.connection()
    taken = connection.execute(
        update(Placement)
        .where(*own, Placement.id.in_(wanted))
        .values(status="draft", confirmed_at=sa.func.coalesce(Placement.confirmed_at, _moment(now)))
    )
    left = connection.execute(
        update(Placement)
        .where(*own, Placement.id.in_(set(shown) - set(wanted)), Placement.status == "draft")
        .values(status="removed")
    )
    return taken.rowcount, left.rowcount


def _moment(at: datetime) -> ColumnElement[datetime]:
    return sa.literal(at, Placement.__table__.c.confirmed_at.type)


def drop_unconfirmed(session: Session, organisation_id: str, version_id: str, *, apart_from: str) -> None:
    """Forget copies of a version that nobody took over: it is being changed, and whoever opens one of their
    links next gets what it says then.

    :param apart_from: the placement that is being changed.
    """
    session.execute(
        sa.delete(Placement)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.micromodule_version_id == version_id,
            Placement.id != apart_from,
            is_unconfirmed(),
        )
        .execution_options(synchronize_session=False)
    )
