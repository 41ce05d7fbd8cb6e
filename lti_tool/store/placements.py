"""Placements: which micromodule version stands behind a link of a course, and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import String, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.store.copies import is_kept
from lti_tool.store.dialects import insert_if_absent, is_of
from lti_tool.store.tables import (
    AchievementVersion,
    Context,
    Gate,
    LineItem,
    MicromoduleVersion,
    Placement,
    Registration,
    ResourceLink,
    new_id,
)


@dataclass(frozen=True, slots=True)
class PlacementView:
    """One placement with what its micromodule version says."""

    id: str
    organisation_id: str
    context_id: str
    badge_link_key: str
    status: str
    created_at: datetime
    micromodule_version_id: str
    name: str
    description: str
    skills: tuple[str, ...]
    criteria: dict[str, Any]
    achievement_version_id: str | None
    image_alt: str
    product: str
    """Of the platform whose course this is."""
    micromodule_id: str = ""
    achievement_id: str | None = None
    published_at: datetime | None = None
    renewal_opens_days: int | None = None
    """How many days before its end its badge is earned again; ``None``: it is not renewed."""


@dataclass(frozen=True, slots=True)
class CourseView:
    """Where a context stands, for the pages that show its freshness."""

    id: str
    organisation_id: str
    id_on_platform: str
    title: str | None
    issuer: str
    product: str
    roster_read_at: datetime | None
    roster_is_complete: bool
    roster_trouble: str | None
    memberships_url: str | None


class Unopened(NamedTuple):
    """A placement whose link the platform may never have kept."""

    id: str
    badge_link_key: str


def placements(
    session: Session, organisation_id: str, context_id: str, *, active_only: bool = True
) -> tuple[PlacementView, ...]:
    """The placements of a context, oldest first.

    :param active_only: else also drafts whose link the platform is known to have kept: one that was never
        launched (nor any gate beside it) may have been cancelled in the LMS, which tells nobody. Of those
        that came with a copied course also the ones that somebody took over.
    """
    rows = session.connection().execute(
        _placements(active_only=active_only), {"organisation_id": organisation_id, "context_id": context_id}
    )
    return tuple(
        PlacementView(
            **{**row._mapping, "skills": tuple(row.skills), "image_alt": row.image_alt or ""},
        )
        for row in rows
    )


def unsaved(organisation_id: str, context_id: str, product: str) -> PlacementView:
    """What stands for a placement where criteria are tried that nobody saved yet."""
    return PlacementView(
        id="",
        organisation_id=organisation_id,
        context_id=context_id,
        badge_link_key="",
        status="draft",
        created_at=datetime.min.replace(tzinfo=UTC),
        micromodule_version_id="",
        name="",
        description="",
        skills=(),
        criteria={},
        achievement_version_id=None,
        image_alt="",
        product=product,
    )


@cache
def _placements(*, active_only: bool) -> Any:
    """Built once: every visit asks, and building the statement takes longer than running it."""
    query: Any = (
        select(
            Placement.id,
            Placement.organisation_id,
            Placement.context_id,
            Placement.badge_link_key,
            Placement.status,
            Placement.created_at,
            Placement.micromodule_version_id,
            MicromoduleVersion.name,
            MicromoduleVersion.description,
            MicromoduleVersion.skills,
            MicromoduleVersion.criteria,
            MicromoduleVersion.achievement_version_id,
            AchievementVersion.image_alt,
            Registration.product,
            MicromoduleVersion.micromodule_id,
            AchievementVersion.achievement_id,
            Placement.published_at,
            AchievementVersion.renewal_opens_days,
        )
        .join(Context, Context.id == Placement.context_id)
        .join(Registration, Registration.id == Context.registration_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(AchievementVersion, AchievementVersion.id == MicromoduleVersion.achievement_version_id)
        .where(
            Placement.organisation_id == bindparam("organisation_id", type_=String),
            Placement.context_id == bindparam("context_id", type_=String),
        )
        .order_by(Placement.created_at, Placement.id)
    )
    if active_only:
        return query.where(Placement.status == "active")
    is_shown = or_(is_kept(), Placement.confirmed_at.is_not(None))
    return query.where(or_(Placement.status == "active", and_(Placement.status == "draft", is_shown)))


def unopened(
    session: Session, organisation_id: str, context_id: str | None, micromodule_version_id: str
) -> Unopened | None:
    """A draft of this version whose link nobody has opened; of several the newest."""
    row = session.execute(
        select(Placement.id, Placement.badge_link_key)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.micromodule_version_id == micromodule_version_id,
            Placement.status == "draft",
            ~is_kept(),
        )
        .order_by(Placement.created_at.desc(), Placement.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else Unopened(*row)


def add_placement(
    session: Session,
    organisation_id: str,
    context_id: str,
    *,
    badge_link_key: str,
    micromodule_version_id: str,
    created_by_id: str | None,
    evidence_columns: Sequence[tuple[str, str, str, Decimal]],
    now: datetime,
) -> str | None:
    """Record a placement as draft: the platform may still refuse it, and says nothing if it does.

    One with this key in this context stays as it is.

    :param evidence_columns: (tag, evidence key, label, score maximum) of each column to create later.
    :returns: the new placement's id.
    """
    placement_id = new_id()
    is_new = insert_if_absent(
        session,
        Placement,
        {
            "id": placement_id,
            "organisation_id": organisation_id,
            "context_id": context_id,
            "badge_link_key": badge_link_key,
            "micromodule_version_id": micromodule_version_id,
            "status": "draft",
            "created_by_id": created_by_id,
            "created_at": now,
        },
        on=("context_id", "badge_link_key"),
    )
    if not is_new:
        return None
    session.add_all(
        LineItem(
            id=new_id(),
            organisation_id=organisation_id,
            context_id=context_id,
            placement_id=placement_id,
            tag=tag,
            evidence_key=key,
            label=label,
            score_maximum=maximum,
            created_at=now,
        )
        for tag, key, label, maximum in evidence_columns
    )
    session.flush()
    return placement_id


def publish(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_id: str,
    published_by_id: str,
    now: datetime,
) -> bool | None:
    """Make a draft active; whether it was one still, or ``None`` where this course has no such placement.

    Of two who press at the same time, one gets ``True``.
    """
    own = (
        Placement.organisation_id == organisation_id,
        Placement.context_id == context_id,
        Placement.id == placement_id,
    )
    published = session.connection().execute(
        update(Placement)
        .where(*own, Placement.status == "draft")
        .values(status="active", activated_at=now, published_at=now, published_by_id=published_by_id)
    )
    if published.rowcount:
        return True
    status = session.execute(select(Placement.status).where(*own)).scalar_one_or_none()
    return False if status == "active" else None


def remove(session: Session, organisation_id: str, context_id: str, placement_id: str) -> bool:
    """Take a draft away; whether it was one still. A published placement stays."""
    removed = session.connection().execute(
        update(Placement)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.id == placement_id,
            Placement.status == "draft",
        )
        .values(status="removed")
    )
    return removed.rowcount == 1


def add_column(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_id: str,
    evidence_column: tuple[str, str, str, Decimal],
    now: datetime,
) -> None:
    """Record one more evidence column, to be created later; one for this evidence stays as it is.

    :param evidence_column: as in :func:`add_placement`.
    """
    tag, key, label, maximum = evidence_column
    values = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "context_id": context_id,
        "placement_id": placement_id,
        "tag": tag,
        "evidence_key": key,
        "label": label,
        "score_maximum": maximum,
        "created_at": now,
        "is_complete": False,
    }
    insert_if_absent(session, LineItem, values, on=("placement_id", "evidence_key"))


def lock(session: Session, organisation_id: str, placement_id: str) -> None:
    """Let nobody else decide for a placement until the caller's transaction ends.

    Rows that point at the placement may be added meanwhile. On SQLite a writer is alone anyway.
    """
    session.execute(
        select(Placement.id)
        .where(Placement.organisation_id == organisation_id, Placement.id == placement_id)
        .with_for_update(key_share=True)
    )


def version_of(session: Session, organisation_id: str, placement_id: str) -> str | None:
    """The micromodule version that a placement stands for now."""
    return session.scalar(
        select(Placement.micromodule_version_id).where(
            is_of(Placement.organisation_id, organisation_id), Placement.id == placement_id
        )
    )


def placed_versions(session: Session, organisation_id: str, context_id: str) -> frozenset[str]:
    """Ids of the micromodule versions that have an active placement in a context."""
    return frozenset(
        session.execute(
            select(Placement.micromodule_version_id).where(
                Placement.organisation_id == organisation_id,
                Placement.context_id == context_id,
                Placement.status == "active",
            )
        ).scalars()
    )


def drafted_versions(session: Session, organisation_id: str, context_id: str) -> frozenset[str]:
    """Ids of the micromodule versions that are drafts in a context: somebody has opened their link, or they
    came with a copied course, and their links with them."""
    return frozenset(
        session.execute(
            select(Placement.micromodule_version_id).where(
                Placement.organisation_id == organisation_id,
                Placement.context_id == context_id,
                Placement.status == "draft",
                or_(is_kept(), Placement.copied_from_id.is_not(None)),
            )
        ).scalars()
    )


def unopened_versions(
    session: Session, organisation_id: str, context_id: str, before: datetime | None
) -> frozenset[str]:
    """Ids of the micromodule versions of drafts whose links nobody has opened, nor came with a copied course.

    :param before: only of what was placed before then; aware UTC.
    """
    query = select(Placement.micromodule_version_id).where(
        Placement.organisation_id == organisation_id,
        Placement.context_id == context_id,
        Placement.status == "draft",
        Placement.copied_from_id.is_(None),
        ~is_kept(),
    )
    if before is not None:
        query = query.where(Placement.created_at < before)
    return frozenset(session.scalars(query))


class LinkedTo(NamedTuple):
    """What a link of a context leads to."""

    placement_id: str
    gate_id: str | None
    """Of the gate that the link is; the placement is then the one that it stands beside."""


def of_link(
    session: Session, organisation_id: str, context_id: str, link_id: str | None, activity: str | None
) -> LinkedTo | None:
    """What the platform's link leads to, by its id there or by the number of its activity."""
    named = [
        ResourceLink.id_on_platform == link_id if link_id is not None else None,
        ResourceLink.course_module_id == activity if activity is not None else None,
    ]
    for by in named:
        if by is None:
            continue
        row = session.execute(
            select(Placement.id, Gate.id)
            .select_from(ResourceLink)
            .outerjoin(
                Gate,
                and_(
                    Gate.link_key == ResourceLink.badge_link_key,
                    Gate.context_id == ResourceLink.context_id,
                    Gate.organisation_id == ResourceLink.organisation_id,
                ),
            )
            .join(
                Placement,
                and_(
                    Placement.context_id == ResourceLink.context_id,
                    Placement.organisation_id == ResourceLink.organisation_id,
                    Placement.status != "removed",
                    or_(
                        Placement.id == Gate.placement_id,
                        and_(Gate.id.is_(None), Placement.badge_link_key == ResourceLink.badge_link_key),
                    ),
                ),
            )
            .where(ResourceLink.organisation_id == organisation_id, ResourceLink.context_id == context_id, by)
            .limit(1)
        ).one_or_none()
        if row is not None:
            return LinkedTo(*row)
    return None


def course(session: Session, organisation_id: str, context_id: str) -> CourseView | None:
    """A context of this organisation."""
    row = session.execute(
        select(
            Context.id,
            Context.organisation_id,
            Context.id_on_platform,
            Context.title,
            Registration.issuer,
            Registration.product,
            Context.roster_read_at,
            Context.roster_is_complete,
            Context.roster_trouble,
            Context.memberships_url,
        )
        .join(Registration, Registration.id == Context.registration_id)
        .where(Context.organisation_id == organisation_id, Context.id == context_id)
    ).one_or_none()
    return None if row is None else CourseView(**row._mapping)
