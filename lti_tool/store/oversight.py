"""What the staff of one organisation sees of its registrations, deployments and courses, and what ails them.

A registration may serve several organisations (Canvas shares one client_id between institutions). Each sees
of it its own deployments only; deployments that nobody owns yet are shown where the registration is one
organisation's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from lti_tool.platforms import SHARED_BY_INSTITUTIONS
from lti_tool.store.dialects import contains_text
from lti_tool.store.doubts import UNDECIDED
from lti_tool.store.tables import (
    Award,
    Context,
    Credential,
    Decision,
    Deployment,
    Learner,
    Lease,
    LineItem,
    Membership,
    MicromoduleVersion,
    Placement,
    Registration,
    Renewal,
    Review,
    Score,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is, and how much of it waits for a person."""

    courses: int
    learners: int
    badges: int
    registrations_pending: int
    deployments_held: int
    rosters_in_trouble: int
    columns_in_trouble: int
    courses_unread: int
    """Courses with a micromodule whose participants were never read."""
    oldest_read_at: datetime | None
    """When the course that waits longest was last read; null where none was."""
    awards_unsigned: int
    scores_refused: int
    unproved: int
    """Awards that wait until it is proved that somebody is a learner."""
    renewals_unsigned: int = 0
    """Badges that were earned again, and do not say so yet."""
    reviews: int = 0
    """Badges whose facts changed, about which no teacher has decided."""


@dataclass(frozen=True, slots=True)
class RegistrationRow:
    """A registration, as one organisation sees it."""

    id: str
    name: str
    issuer: str
    client_id: str
    product: str
    status: str
    is_disabled_by_operator: bool
    administrator_role: str | None
    allows_anonymous: bool
    approves_deployments: bool
    created_at: datetime
    auth_url: str
    token_url: str | None
    """Of this organisation's institution; the registration's where that is another's is not told."""
    jwks_url: str
    is_shared: bool
    """Another organisation has deployments of it, or is where its new ones go: the operator's to change."""
    is_own: bool
    """Each of its deployments, new ones too, can only be this organisation's."""
    deployments: int
    """Those of this organisation."""
    held: int
    """Those nobody owns yet; always 0 where the registration is shared, or institutions can share it."""
    last_launched_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A deployment with what hangs on it."""

    id: str
    registration_id: str
    registration_name: str
    id_on_platform: str
    organisation_id: str | None
    status: str
    is_disabled_by_operator: bool
    frame_origins: tuple[str, ...]
    first_seen_at: datetime
    approved_at: datetime | None
    courses: int
    last_launched_at: datetime | None


@dataclass(frozen=True, slots=True)
class CourseRow:
    """A course, and how fresh and whole what is known of it is."""

    id: str
    title: str | None
    label: str | None
    platform: str
    micromodules: int
    learners: int
    last_launched_at: datetime
    roster_read_at: datetime | None
    roster_is_complete: bool
    roster_trouble: str | None
    columns_in_trouble: int
    scores_refused: int
    reviews: int = 0
    """Badges whose facts changed, about which no teacher has decided."""


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A gradebook column of a course's micromodule."""

    placement_id: str
    label: str
    tag: str
    is_created: bool
    read_at: datetime | None
    first_value_at: datetime | None
    is_complete: bool
    trouble: str | None


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A micromodule that stands in a course."""

    placement_id: str
    micromodule_id: str
    name: str
    version: int
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UnwrittenScore:
    """An award that did not get into the gradebook."""

    learner_id: str
    learner_name: str | None
    placement_id: str
    state: str
    error_code: str | None
    tried_at: datetime | None


_EveryDeployment = aliased(Deployment)
"""Beside the one that a statement is about."""


def _owns(organisation_id: str) -> ColumnElement[bool]:
    """A deployment of this organisation stands under the registration at hand."""
    return exists().where(
        _EveryDeployment.registration_id == Registration.id,
        _EveryDeployment.organisation_id == organisation_id,
    )


def _is_shared(organisation_id: str) -> ColumnElement[bool]:
    return or_(
        func.coalesce(Registration.default_organisation_id, organisation_id) != organisation_id,
        exists().where(
            _EveryDeployment.registration_id == Registration.id,
            _EveryDeployment.organisation_id != organisation_id,
        ),
    )


def _is_seen(organisation_id: str) -> ColumnElement[bool]:
    return or_(Registration.default_organisation_id == organisation_id, _owns(organisation_id))


def _is_reachable(organisation_id: str) -> ColumnElement[bool]:
    """A deployment that this organisation owns, or may take: it and its registration are nobody else's."""
    return or_(
        Deployment.organisation_id == organisation_id,
        Deployment.organisation_id.is_(None) & _is_seen(organisation_id) & _is_own(organisation_id),
    )


def _is_own(organisation_id: str) -> ColumnElement[bool]:
    """No deployment of this registration can be another institution's."""
    return sa.not_(_is_shared(organisation_id)) & Registration.product.not_in(SHARED_BY_INSTITUTIONS)


def _in_use(organisation_id: str) -> ColumnElement[bool]:
    """A course in which a micromodule is active."""
    return exists().where(
        Placement.context_id == Context.id,
        Placement.organisation_id == organisation_id,
        Placement.status == "active",
    )


def _column_ails(organisation_id: str) -> ColumnElement[bool]:
    return sa.and_(
        LineItem.organisation_id == organisation_id,
        LineItem.trouble.is_not(None),
        exists().where(Placement.id == LineItem.placement_id, Placement.status == "active"),
    )


# -- at a glance


def counts(session: Session, organisation_id: str) -> Counts:
    """Everything that the first page tells, in one statement."""

    def number(table: Any, *where: Any) -> Any:
        return select(func.count()).select_from(table).where(*where).scalar_subquery()

    used = (Context.organisation_id == organisation_id, _in_use(organisation_id))
    row = session.execute(
        select(
            number(Context, *used).label("courses"),
            number(Learner, Learner.organisation_id == organisation_id).label("learners"),
            number(Award, Award.organisation_id == organisation_id).label("badges"),
            number(
                Registration,
                Registration.status == "pending",
                _is_seen(organisation_id),
                sa.not_(_is_shared(organisation_id)),
            ).label("registrations_pending"),
            select(func.count())
            .select_from(Deployment)
            .join(Registration, Registration.id == Deployment.registration_id)
            .where(Deployment.status == "held", _is_reachable(organisation_id))
            .scalar_subquery()
            .label("deployments_held"),
            number(Context, *used, Context.roster_trouble.is_not(None)).label("rosters_in_trouble"),
            number(LineItem, _column_ails(organisation_id)).label("columns_in_trouble"),
            number(Context, *used, Context.roster_read_at.is_(None)).label("courses_unread"),
            select(func.min(Context.roster_read_at)).where(*used).scalar_subquery().label("oldest_read_at"),
            select(func.count())
            .select_from(Award)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(Award.organisation_id == organisation_id, Credential.document.is_(None))
            .scalar_subquery()
            .label("awards_unsigned"),
            number(Renewal, Renewal.signed_at.is_(None), Renewal.organisation_id == organisation_id).label(
                "renewals_unsigned"
            ),
            number(Score, Score.organisation_id == organisation_id, Score.state == "refused").label(
                "scores_refused"
            ),
            number(
                Decision,
                Decision.organisation_id == organisation_id,
                Decision.is_latest.is_(True),
                Decision.verdict == "unproved",
            ).label("unproved"),
            number(Review, Review.organisation_id == organisation_id, Review.status.in_(UNDECIDED)).label(
                "reviews"
            ),
        )
    ).one()
    return Counts(**row._mapping)


def pass_lease_until(session: Session) -> datetime | None:
    """How long the worker that makes the reconcile passes holds its lease; null where none ever did."""
    return session.scalar(select(Lease.expires_at).where(Lease.name == "reconcile"))


# -- registrations and deployments


def _registrations(organisation_id: str) -> Select[Any]:
    own = (Deployment.registration_id == Registration.id, Deployment.organisation_id == organisation_id)
    shared = _is_shared(organisation_id)
    query = select(
        Registration.id,
        Registration.name,
        Registration.issuer,
        Registration.client_id,
        Registration.product,
        Registration.status,
        Registration.is_disabled_by_operator,
        Registration.administrator_role,
        Registration.allows_anonymous,
        Registration.approves_deployments,
        Registration.created_at,
        Registration.auth_url,
        sa.case(
            (
                Registration.product.in_(SHARED_BY_INSTITUTIONS)
                & Registration.default_organisation_id.is_distinct_from(organisation_id),
                select(func.min(Deployment.token_url)).where(*own).scalar_subquery(),
            ),
            else_=Registration.token_url,
        ).label("token_url"),
        Registration.jwks_url,
        shared.label("is_shared"),
        _is_own(organisation_id).label("is_own"),
        select(func.count()).select_from(Deployment).where(*own).scalar_subquery().label("deployments"),
        sa.case(
            (sa.not_(_is_own(organisation_id)), 0),
            else_=select(func.count())
            .select_from(Deployment)
            .where(
                Deployment.registration_id == Registration.id,
                Deployment.organisation_id.is_(None),
                Deployment.status == "held",
            )
            .scalar_subquery(),
        ).label("held"),
        select(func.max(Context.last_launched_at))
        .where(Context.registration_id == Registration.id, Context.organisation_id == organisation_id)
        .scalar_subquery()
        .label("last_launched_at"),
    ).where(_is_seen(organisation_id))
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def registrations(session: Session, organisation_id: str) -> tuple[RegistrationRow, ...]:
    """Those this organisation has to do with: what waits for approval first, then by name."""
    rows = session.execute(
        _registrations(organisation_id).order_by(
            sa.case((Registration.status == "pending", 0), else_=1), Registration.name, Registration.id
        )
    )
    return tuple(_registration(row) for row in rows)


def registration(session: Session, organisation_id: str, registration_id: str) -> RegistrationRow | None:
    """One of them."""
    row = session.execute(
        _registrations(organisation_id).where(Registration.id == registration_id)
    ).one_or_none()
    return None if row is None else _registration(row)


def _registration(row: Any) -> RegistrationRow:
    return RegistrationRow(**{**row._mapping, "is_shared": bool(row.is_shared), "is_own": bool(row.is_own)})


def _deployments(organisation_id: str) -> Select[Any]:
    hanging = (Context.deployment_id == Deployment.id, Context.organisation_id == organisation_id)
    return (
        select(
            Deployment.id,
            Deployment.registration_id,
            Registration.name.label("registration_name"),
            Deployment.id_on_platform,
            Deployment.organisation_id,
            Deployment.status,
            Deployment.is_disabled_by_operator,
            Deployment.frame_origins,
            Deployment.first_seen_at,
            Deployment.approved_at,
            select(func.count()).select_from(Context).where(*hanging).scalar_subquery().label("courses"),
            select(func.max(Context.last_launched_at))
            .where(*hanging)
            .scalar_subquery()
            .label("last_launched_at"),
        )
        .join(Registration, Registration.id == Deployment.registration_id)
        .where(_is_reachable(organisation_id))
    )


def deployments(session: Session, organisation_id: str, registration_id: str) -> tuple[DeploymentRow, ...]:
    """The deployments of a registration that this organisation owns or may take; what is held first."""
    rows = session.execute(
        _deployments(organisation_id)
        .where(Deployment.registration_id == registration_id)
        .order_by(sa.case((Deployment.status == "held", 0), else_=1), Deployment.first_seen_at, Deployment.id)
    )
    return tuple(_deployment(row) for row in rows)


def deployment(session: Session, organisation_id: str, deployment_id: str) -> DeploymentRow | None:
    """One of them."""
    row = session.execute(_deployments(organisation_id).where(Deployment.id == deployment_id)).one_or_none()
    return None if row is None else _deployment(row)


def _deployment(row: Any) -> DeploymentRow:
    return DeploymentRow(**{**row._mapping, "frame_origins": tuple(row.frame_origins)})


# -- courses


COURSE_ORDERS = ("title", "oldest")


def _course_filter(organisation_id: str, query: str, is_troubled: bool) -> list[ColumnElement[bool]]:
    where = [Context.organisation_id == organisation_id, _in_use(organisation_id)]
    if query:
        where.append(or_(contains_text(Context.title, query), contains_text(Context.label, query)))
    if is_troubled:
        where.append(
            or_(
                Context.roster_trouble.is_not(None),
                exists().where(LineItem.context_id == Context.id, _column_ails(organisation_id)),
                exists().where(
                    Score.line_item_id == LineItem.id,
                    LineItem.context_id == Context.id,
                    Score.state == "refused",
                ),
            )
        )
    return where


def count_courses(session: Session, organisation_id: str, *, query: str, is_troubled: bool) -> int:
    """How many courses with a micromodule there are under this filter."""
    where = _course_filter(organisation_id, query, is_troubled)
    return session.scalar(select(func.count()).select_from(Context).where(*where)) or 0


def courses(
    session: Session,
    organisation_id: str,
    *,
    query: str,
    is_troubled: bool,
    order: str,
    offset: int,
    limit: int,
) -> tuple[CourseRow, ...]:
    """One page of them.

    :param order: ``oldest``: those read longest ago first; otherwise by title.
    """
    by_age = (sa.case((Context.roster_read_at.is_(None), 0), else_=1), Context.roster_read_at)
    by_title = (func.lower(func.coalesce(Context.title, "")),)
    rows = session.execute(
        _courses(organisation_id)
        .where(*_course_filter(organisation_id, query, is_troubled))
        .order_by(*(by_age if order == "oldest" else by_title), Context.id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(_course(row) for row in rows)


def course(session: Session, organisation_id: str, context_id: str) -> CourseRow | None:
    """One course of this organisation."""
    row = session.execute(_courses(organisation_id).where(Context.id == context_id)).one_or_none()
    return None if row is None else _course(row)


def _courses(organisation_id: str) -> Select[Any]:
    return (
        select(
            Context.id,
            Context.title,
            Context.label,
            Registration.name.label("platform"),
            select(func.count())
            .select_from(Placement)
            .where(Placement.context_id == Context.id, Placement.status == "active")
            .scalar_subquery()
            .label("micromodules"),
            select(func.count())
            .select_from(Membership)
            .where(
                Membership.context_id == Context.id,
                Membership.is_learner.is_(True),
                Membership.is_staff.is_(False),
                Membership.is_active.is_(True),
            )
            .scalar_subquery()
            .label("learners"),
            Context.last_launched_at,
            Context.roster_read_at,
            Context.roster_is_complete,
            Context.roster_trouble,
            select(func.count())
            .select_from(LineItem)
            .where(LineItem.context_id == Context.id, _column_ails(organisation_id))
            .scalar_subquery()
            .label("columns_in_trouble"),
            select(func.count())
            .select_from(Score)
            .join(LineItem, LineItem.id == Score.line_item_id)
            .where(LineItem.context_id == Context.id, Score.state == "refused")
            .scalar_subquery()
            .label("scores_refused"),
            select(func.count())
            .select_from(Review)
            .where(Review.context_id == Context.id, Review.status.in_(UNDECIDED))
            .scalar_subquery()
            .label("reviews"),
        )
        .join(Registration, Registration.id == Context.registration_id)
        .where(Context.organisation_id == organisation_id)
    )


def _course(row: Any) -> CourseRow:
    return CourseRow(**row._mapping)


def placed(session: Session, organisation_id: str, context_id: str) -> tuple[PlacedRow, ...]:
    """The micromodules of a course, removed ones left out."""
    rows = session.execute(
        select(
            Placement.id.label("placement_id"),
            MicromoduleVersion.micromodule_id,
            MicromoduleVersion.name,
            MicromoduleVersion.number.label("version"),
            Placement.status,
            Placement.created_at,
        )
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status != "removed",
        )
        .order_by(Placement.created_at, Placement.id)
    )
    return tuple(PlacedRow(**row._mapping) for row in rows)


def columns(session: Session, organisation_id: str, context_id: str) -> Mapping[str, tuple[ColumnRow, ...]]:
    """The gradebook columns of a course, by placement."""
    rows = session.execute(
        select(
            LineItem.placement_id,
            LineItem.label,
            LineItem.tag,
            LineItem.id_on_platform.is_not(None).label("is_created"),
            LineItem.read_at,
            LineItem.first_value_at,
            LineItem.is_complete,
            LineItem.trouble,
        )
        .where(LineItem.organisation_id == organisation_id, LineItem.context_id == context_id)
        .order_by(LineItem.created_at, LineItem.id)
    )
    found: dict[str, tuple[ColumnRow, ...]] = {}
    for row in rows:
        column = ColumnRow(**{**row._mapping, "is_created": bool(row.is_created)})
        found[column.placement_id] = (*found.get(column.placement_id, ()), column)
    return found


def unwritten_scores(
    session: Session, organisation_id: str, context_id: str, limit: int
) -> tuple[UnwrittenScore, ...]:
    """Awards whose score the platform refused, or whose place holds a teacher's own value."""
    rows = session.execute(
        select(
            Score.learner_id,
            Learner.name.label("learner_name"),
            LineItem.placement_id,
            Score.state,
            Score.error_code,
            Score.tried_at,
        )
        .join(LineItem, LineItem.id == Score.line_item_id)
        .join(Learner, Learner.id == Score.learner_id)
        .where(
            Score.organisation_id == organisation_id,
            LineItem.context_id == context_id,
            Score.state.in_(("refused", "kept")),
        )
        .order_by(Score.state.desc(), Learner.name, Score.id)
        .limit(limit)
    )
    return tuple(UnwrittenScore(**row._mapping) for row in rows)
