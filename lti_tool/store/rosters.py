"""Who is in a course: contexts that are due, what a sync needs to know, learners and memberships.

Rows are compared before they are written: a roster that has not changed is read and not written. The
caller brings pages of some thousand rows, so that memory and locks stay small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Channel
from lti_tool.domain.registrations import DeploymentStatus, DeploymentView, RegistrationView
from lti_tool.platforms import platform_for
from lti_tool.store.launches import TOUCH_INTERVAL
from lti_tool.store.registrations import deployment_view, registration_view
from lti_tool.store.staging import Changes, chunks, fresh_id, merge, staged, staging_table
from lti_tool.store.tables import (
    Context,
    Deployment,
    Learner,
    LineItem,
    Membership,
    Placement,
    Registration,
)

CHUNK = 5_000
"""Rows of one transaction."""
SQLITE_CHUNK = 1_000
"""The same on SQLite, where whoever launches waits for it: some hundredths of a second, not some tenths."""
SQLITE_BREATH = 0.02
"""Seconds between two transactions in a row. SQLite has no queue of writers: who waits looks now and then
whether it is free, and one that begins again at once is always before them."""
PATIENCE = timedelta(seconds=5)
"""How long rows that a slow platform gave wait for more of them."""

EVIDENCE_TAGS = tuple(channel.value for channel in Channel)
"""Tags of the columns that are read; the one that the tool writes has another."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """Everything a read of a context needs, so that no session stays open while the LMS answers."""

    id: str
    organisation_id: str
    id_on_platform: str
    registration: RegistrationView
    deployment: DeploymentView
    memberships_url: str | None
    line_items_url: str | None
    ags_scopes: frozenset[str]
    last_launched_at: datetime
    sync_due_at: datetime | None
    roster_read_at: datetime | None
    roster_whole_at: datetime | None
    """When it was read whole, and not only what changed."""
    roster_differences_url: str | None
    roster_trouble: str | None
    groups_url: str | None
    is_approved: bool
    """Whether registration and deployment are approved: of any other nothing is read."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One person of a roster, as it is to be stored."""

    sub: str
    name: str | None
    email: str | None
    is_learner: bool
    is_staff: bool
    is_test_user: bool = False
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class StoredMembers:
    """What storing a part of a roster did."""

    added: int
    changed: int


def context_plan(session: Session, organisation_id: str, context_id: str) -> ContextPlan | None:
    """What a read of this context needs; ``None`` for one of another organisation."""
    return _plan(session, _PLAN_OF_OWN, {"context_id": context_id, "organisation_id": organisation_id})


def context_plan_for_job(session: Session, context_id: str) -> ContextPlan | None:
    """As :func:`context_plan` for work that the tool's own queue hands out: the row says whose it is."""
    return _plan(session, _PLAN, {"context_id": context_id})


# Built once: every sync and every visit asks, and building the statement costs more than running it.
# SQLAlchemy types a select of more than ten columns by its first ten.
_PLAN = cast(
    "sa.Select[Any]",
    select(
        Context.id,
        Context.organisation_id,
        Context.id_on_platform,
        Context.memberships_url,
        Context.line_items_url,
        Context.ags_scopes,
        Context.last_launched_at,
        Context.sync_due_at,
        Context.roster_read_at,
        Context.roster_whole_at,
        Context.roster_differences_url,
        Context.roster_trouble,
        Context.groups_url,
        Deployment,
        Registration,
    )
    .join(Deployment, Deployment.id == Context.deployment_id)
    .join(Registration, Registration.id == Context.registration_id)
    .where(Context.id == sa.bindparam("context_id", type_=sa.String)),
)
_PLAN_OF_OWN = _PLAN.where(Context.organisation_id == sa.bindparam("organisation_id", type_=sa.String))


def _plan(session: Session, statement: sa.Select[Any], given: Mapping[str, str]) -> ContextPlan | None:
    row = session.execute(statement, given).one_or_none()
    if row is None:
        return None
    registration, deployment = registration_view(row.Registration), deployment_view(row.Deployment)
    return ContextPlan(
        id=row.id,
        organisation_id=row.organisation_id,
        id_on_platform=row.id_on_platform,
        registration=registration,
        deployment=deployment,
        memberships_url=row.memberships_url,
        line_items_url=row.line_items_url,
        ags_scopes=frozenset(row.ags_scopes),
        last_launched_at=row.last_launched_at,
        sync_due_at=row.sync_due_at,
        roster_read_at=row.roster_read_at,
        roster_whole_at=row.roster_whole_at,
        roster_differences_url=row.roster_differences_url,
        roster_trouble=row.roster_trouble,
        groups_url=row.groups_url,
        is_approved=registration.is_approved
        and deployment.status is DeploymentStatus.APPROVED
        and platform_for(registration.product).copied_issuer(registration.issuer) is None,
    )


# -- members


_STAGED = staging_table(
    "staged_members",
    {
        "sub": Learner.__table__.c.sub.type,
        "name": Learner.__table__.c.name.type,
        "email": Learner.__table__.c.email.type,
        "is_learner": sa.Boolean(),
        "is_staff": sa.Boolean(),
        "is_test_user": sa.Boolean(),
        "is_active": sa.Boolean(),
    },
)
_LEARNER_KEY = ("organisation_id", "registration_id", "sub")


def store_members(
    session: Session, plan: ContextPlan, entries: Sequence[RosterEntry], now: datetime
) -> StoredMembers:
    """Add and update the people of a part of a roster.

    A name or address that the roster withholds is not erased. Somebody who is staff of this context, by
    roster or by an earlier launch, stays staff and is no learner in it.
    """
    rows = {
        entry.sub: (
            entry.sub,
            entry.name,
            entry.email,
            entry.is_learner and not entry.is_staff,
            entry.is_staff,
            entry.is_test_user,
            entry.is_active,
        )
        for entry in entries
    }
    if not rows:
        return StoredMembers(0, 0)
    with staged(session, _STAGED, list(rows.values())):
        learners = {
            **_unknown_learner(session, plan, _STAGED, now),
            "name": _STAGED.c.name,
            "email": _STAGED.c.email,
            "is_test_user": _STAGED.c.is_test_user,
        }
        merge(
            session,
            Learner,
            learners,
            _STAGED,
            key=_LEARNER_KEY,
            order=_STAGED.c.sub,
            changes=_learner_changes,
        )
        memberships = {
            "id": fresh_id(session),
            "organisation_id": sa.literal(plan.organisation_id),
            "context_id": sa.literal(plan.id),
            "learner_id": Learner.id,
            "is_learner": _STAGED.c.is_learner,
            "is_staff": _STAGED.c.is_staff,
            "is_active": _STAGED.c.is_active,
            "learner_proof": sa.literal("none"),
            "seen_at": sa.literal(now, Membership.__table__.c.seen_at.type),
        }
        added, changed = merge(
            session,
            Membership,
            memberships,
            with_learners(plan, _STAGED),
            key=("context_id", "learner_id"),
            order=_STAGED.c.sub,
            changes=_membership_changes,
        )
    return StoredMembers(added, changed)


def _membership_changes(old: Any, new: Any) -> Changes:
    staff = sa.or_(old.is_staff, new.is_staff)
    is_learner = sa.and_(new.is_learner, sa.not_(staff))
    left_at = sa.case((new.is_active, sa.null()), (old.is_active, new.seen_at), else_=old.left_at)
    values = {
        "is_learner": is_learner,
        "is_staff": staff,
        "is_active": new.is_active,
        "seen_at": new.seen_at,
        "left_at": left_at,
    }
    differs = sa.or_(old.is_learner != is_learner, old.is_staff != staff, old.is_active != new.is_active)
    return values, differs


def _learner_changes(old: Any, new: Any) -> Changes:
    name = sa.func.coalesce(new.name, old.name)
    email = sa.func.coalesce(new.email, old.email)
    is_test_user = sa.or_(old.is_test_user, new.is_test_user)
    differs = sa.or_(
        old.name.is_distinct_from(name),
        old.email.is_distinct_from(email),
        old.is_test_user != is_test_user,
    )
    return {"name": name, "email": email, "is_test_user": is_test_user}, differs


def _unknown_learner(
    session: Session, plan: ContextPlan, given: sa.FromClause, now: datetime
) -> dict[str, sa.ColumnElement[Any]]:
    return {
        "id": fresh_id(session),
        "organisation_id": sa.literal(plan.organisation_id),
        "registration_id": sa.literal(plan.registration.id),
        "sub": given.c.sub,
        "is_test_user": sa.false(),
        "created_at": sa.literal(now, Learner.__table__.c.created_at.type),
    }


def with_learners(plan: ContextPlan, given: sa.Table) -> sa.FromClause:
    """``given``, each row beside the learner whom its ``sub`` names on the platform of this context.

    An outer join, although nobody is missing: SQLite would turn an inner one round, and read every learner
    of the platform.
    """
    return given.outerjoin(
        Learner,
        sa.and_(
            Learner.organisation_id == plan.organisation_id,
            Learner.registration_id == plan.registration.id,
            Learner.sub == given.c.sub,
        ),
    )


def add_learners(session: Session, plan: ContextPlan, given: sa.Table, now: datetime) -> None:
    """Have a learner for each ``sub`` of ``given``; somebody unknown is added, as a member of nothing."""
    unknown = _unknown_learner(session, plan, given, now)
    merge(session, Learner, unknown, given, key=_LEARNER_KEY, order=given.c.sub)


def deactivate_missing(
    session: Session, plan: ContextPlan, present: Mapping[str, bool], read_started_at: datetime
) -> int:
    """Mark as inactive who is not in ``present``; only for a roster that was read whole.

    :param present: the platform's ids of the people in the roster as it is stored now; true for active ones.
    :param read_started_at: somebody who came in since then is not missing.
    :returns: how many were marked.
    """
    active = (
        Membership.organisation_id == plan.organisation_id,
        Membership.context_id == plan.id,
        Membership.is_active.is_(True),
    )
    # All of the roster's active people are among them: as many means the same, and nobody is looked at.
    if session.execute(select(func.count()).where(*active)).scalar_one() == sum(present.values()):
        return 0
    # A launch notes its time to the minute only.
    before = read_started_at - TOUCH_INTERVAL
    rows = session.execute(
        select(Membership.learner_id, Learner.sub)
        .join(Learner, Learner.id == Membership.learner_id)
        .where(*active, Membership.seen_at < before),
        execution_options={"yield_per": CHUNK},
    )
    missing = [learner_id for learner_id, sub in rows if sub not in present]
    for chunk in chunks(missing, CHUNK):
        session.execute(
            update(Membership)
            .where(
                Membership.organisation_id == plan.organisation_id,
                Membership.context_id == plan.id,
                Membership.learner_id.in_(chunk),
                Membership.seen_at < before,
            )
            .values(is_active=False, left_at=read_started_at)
            .execution_options(synchronize_session=False)
        )
    return len(missing)


def deactivate_listed(
    session: Session, plan: ContextPlan, subs: Collection[str], read_started_at: datetime
) -> int:
    """Mark as inactive those whom the platform itself calls gone; nobody is added for it.

    :returns: how many were marked.
    """
    left = 0
    for chunk in chunks(sorted(subs), CHUNK):
        changed = session.execute(
            update(Membership)
            .where(
                Membership.organisation_id == plan.organisation_id,
                Membership.context_id == plan.id,
                Membership.is_active.is_(True),
                Membership.seen_at < read_started_at - TOUCH_INTERVAL,
                Membership.learner_id.in_(
                    select(Learner.id).where(
                        Learner.organisation_id == plan.organisation_id,
                        Learner.registration_id == plan.registration.id,
                        Learner.sub.in_(chunk),
                    )
                ),
            )
            .values(is_active=False, left_at=read_started_at)
            .returning(Membership.id)
            .execution_options(synchronize_session=False)
        )
        left += len(changed.all())
    return left


def record_roster(
    session: Session,
    plan: ContextPlan,
    *,
    read_at: datetime | None,
    is_complete: bool,
    trouble: str | None,
    differences_url: str | None = None,
    is_whole: bool = True,
) -> None:
    """Keep how the last read of the roster went.

    :param read_at: when it began; ``None`` where nothing was read, so that the older reading stands.
    :param differences_url: where to ask for what changes from then on.
    :param is_whole: everybody was asked for, and not only what changed.
    """
    values: dict[str, Any] = {"roster_trouble": trouble, "roster_differences_url": differences_url}
    if is_whole and is_complete:
        values["roster_whole_at"] = read_at
    if read_at is not None:
        values |= {"roster_read_at": read_at, "roster_is_complete": is_complete}
    session.execute(
        update(Context)
        .where(Context.organisation_id == plan.organisation_id, Context.id == plan.id)
        .values(**values)
    )


# -- one learner


def learner_sub(session: Session, organisation_id: str, learner_id: str) -> str | None:
    """The platform's id of a learner of this organisation."""
    return session.execute(
        select(Learner.sub).where(Learner.organisation_id == organisation_id, Learner.id == learner_id)
    ).scalar_one_or_none()


def active_learners(session: Session, plan: ContextPlan) -> tuple[str, ...]:
    """The platform's ids of those who learn in a context, staff and test users left out."""
    query = (
        select(Learner.sub)
        .join(Membership, Membership.learner_id == Learner.id)
        .where(
            Membership.organisation_id == plan.organisation_id,
            Membership.context_id == plan.id,
            Membership.is_learner,
            Membership.is_active,
            ~Membership.is_staff,
            ~Learner.is_test_user,
        )
        .order_by(Learner.id)
    )
    return tuple(session.scalars(query))


def count_active_learners(session: Session, plan: ContextPlan) -> int:
    """How many learn in a context now."""
    return session.execute(
        select(func.count()).where(
            Membership.organisation_id == plan.organisation_id,
            Membership.context_id == plan.id,
            Membership.is_learner.is_(True),
            Membership.is_active.is_(True),
        )
    ).scalar_one()


def unread_since(session: Session, plan: ContextPlan, troubles: Collection[str]) -> datetime | None:
    """Since when what one of these troubles keeps from being read has not been read.

    What never was read counts from when it was to be read: a column from its creation, the roster from the
    first placement.
    """
    placed_at = (
        select(func.min(func.coalesce(Placement.activated_at, Placement.created_at)))
        .where(
            Placement.organisation_id == plan.organisation_id,
            Placement.context_id == plan.id,
            Placement.status != "removed",
        )
        .scalar_subquery()
    )
    roster = select(func.coalesce(Context.roster_read_at, placed_at)).where(
        Context.organisation_id == plan.organisation_id,
        Context.id == plan.id,
        Context.roster_trouble.in_(troubles),
    )
    columns = (
        select(func.coalesce(LineItem.read_at, LineItem.created_on_platform_at, LineItem.created_at))
        .join(Placement, Placement.id == LineItem.placement_id)
        .where(
            LineItem.organisation_id == plan.organisation_id,
            LineItem.context_id == plan.id,
            LineItem.tag.in_(EVIDENCE_TAGS),
            LineItem.trouble.in_(troubles),
            Placement.status != "removed",
        )
    )
    return min((at for query in (roster, columns) for at in session.execute(query).scalars()), default=None)


def batches(
    pages: Iterable[Sequence[T]],
    clock: Callable[[], datetime],
    dialect: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[T]]:
    """What a platform gives page by page, in the portions of one transaction each.

    Small pages are put together, since each transaction has its price, as long as they come quickly.

    :param dialect: of the database that they are for.
    """
    size = SQLITE_CHUNK if dialect == "sqlite" else CHUNK
    waiting: list[T] = []
    since = clock()
    for page in pages:
        waiting.extend(page)
        while len(waiting) >= size:
            yield waiting[:size]
            del waiting[:size]
            since = clock()
            if waiting and dialect == "sqlite":
                sleep(SQLITE_BREATH)
        if waiting and clock() - since >= PATIENCE:
            yield waiting
            waiting = []
            since = clock()
    if waiting:
        yield waiting
