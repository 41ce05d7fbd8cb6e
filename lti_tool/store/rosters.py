"""Who is in a course: contexts that are due, what a sync needs to know, learners and memberships.

Rows are compared here before they are written: a roster that has not changed costs two reads a page and
no write. The caller brings pages of some thousand rows, so that memory and locks stay small.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.registrations import RegistrationView
from lti_tool.store.dialects import upsert_changed
from lti_tool.store.launches import TOUCH_INTERVAL
from lti_tool.store.registrations import registration_view
from lti_tool.store.tables import (
    Context,
    Deployment,
    Learner,
    LineItem,
    Membership,
    Placement,
    Registration,
)

CHUNK = 2_000
"""Rows of one transaction: on SQLite a launch waits for it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """Everything a read of a context needs, so that no session stays open while the LMS answers."""

    id: str
    organisation_id: str
    id_on_platform: str
    registration: RegistrationView
    deployment_id_on_platform: str
    memberships_url: str | None
    line_items_url: str | None
    ags_scopes: frozenset[str]
    last_launched_at: datetime
    sync_due_at: datetime | None
    roster_read_at: datetime | None
    is_approved: bool
    """Whether registration and deployment are approved: of any other nothing is read."""


@dataclass(frozen=True, slots=True)
class DueContext:
    """A context whose next sync is owed."""

    organisation_id: str
    context_id: str


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
    """What storing one page of a roster did."""

    learner_ids: frozenset[str]
    added: int
    changed: int


def context_plan(session: Session, organisation_id: str, context_id: str) -> ContextPlan | None:
    """What a read of this context needs; ``None`` for one of another organisation."""
    return _plan(session, context_id, Context.organisation_id == organisation_id)


def context_plan_for_job(session: Session, context_id: str) -> ContextPlan | None:
    """As :func:`context_plan` for work that the tool's own queue hands out: the row says whose it is."""
    return _plan(session, context_id)


def _plan(session: Session, context_id: str, *conditions: Any) -> ContextPlan | None:
    row = session.execute(
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
            Deployment.id_on_platform.label("deployment_id_on_platform"),
            Deployment.status.label("deployment_status"),
            Registration,
        )
        .join(Deployment, Deployment.id == Context.deployment_id)
        .join(Registration, Registration.id == Context.registration_id)
        .where(Context.id == context_id, *conditions)
    ).one_or_none()
    if row is None:
        return None
    registration = registration_view(row.Registration)
    return ContextPlan(
        id=row.id,
        organisation_id=row.organisation_id,
        id_on_platform=row.id_on_platform,
        registration=registration,
        deployment_id_on_platform=row.deployment_id_on_platform,
        memberships_url=row.memberships_url,
        line_items_url=row.line_items_url,
        ags_scopes=frozenset(row.ags_scopes),
        last_launched_at=row.last_launched_at,
        sync_due_at=row.sync_due_at,
        roster_read_at=row.roster_read_at,
        is_approved=registration.is_approved and row.deployment_status == "approved",
    )


# -- the schedule


def contexts_due(session: Session, now: datetime, limit: int) -> tuple[DueContext, ...]:
    """Contexts whose next sync is owed, the longest overdue first."""
    rows = session.execute(
        select(Context.organisation_id, Context.id)
        .join(Registration, Registration.id == Context.registration_id)
        .join(Deployment, Deployment.id == Context.deployment_id)
        .where(
            Context.sync_due_at <= now,
            Registration.status == "approved",
            Deployment.status == "approved",
        )
        .order_by(Context.sync_due_at)
        .limit(limit)
    )
    return tuple(DueContext(*row) for row in rows)


def claim_sync(
    session: Session, organisation_id: str, context_id: str, now: datetime, until: datetime
) -> bool:
    """Take a due sync: true for one caller only, until ``until``, when it is owed again."""
    claimed = session.execute(
        update(Context)
        .where(
            Context.organisation_id == organisation_id, Context.id == context_id, Context.sync_due_at <= now
        )
        .values(sync_due_at=until)
    )
    return cast(CursorResult[Any], claimed).rowcount == 1


def schedule_sync(session: Session, organisation_id: str, context_id: str, due_at: datetime | None) -> None:
    """Say when the context is owed its next sync; ``None`` where it has nothing to read."""
    session.execute(
        update(Context)
        .where(Context.organisation_id == organisation_id, Context.id == context_id)
        .values(sync_due_at=due_at)
    )


def active_context_count(session: Session, registration_id: str, since: datetime) -> int:
    """How many contexts of one platform were used since then, whoever owns them: they share its budget."""
    count = session.execute(
        select(func.count())
        .select_from(Context)
        .where(Context.registration_id == registration_id, Context.last_launched_at >= since)
    ).scalar_one()
    return int(count)


# -- members


def store_members(
    session: Session, plan: ContextPlan, entries: Sequence[RosterEntry], now: datetime
) -> StoredMembers:
    """Add and update the people of one page of a roster.

    A name or address that the roster withholds is not erased. Somebody who is staff of this context, by
    roster or by an earlier launch, stays staff and is no learner in it.
    """
    by_sub = {entry.sub: entry for entry in entries}
    if not by_sub:
        return StoredMembers(frozenset(), 0, 0)
    learner_ids = _store_learners(session, plan, by_sub, now)
    known = {
        row.learner_id: row
        for row in session.execute(
            select(
                Membership.learner_id, Membership.is_learner, Membership.is_staff, Membership.is_active
            ).where(
                Membership.organisation_id == plan.organisation_id,
                Membership.context_id == plan.id,
                Membership.learner_id.in_(learner_ids.values()),
            )
        )
    }
    staff: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    added = 0
    for sub, entry in by_sub.items():
        learner_id = learner_ids[sub]
        before = known.get(learner_id)
        is_staff = entry.is_staff or (before is not None and before.is_staff)
        is_learner = entry.is_learner and not is_staff
        if before is None:
            added += 1
        elif (before.is_learner, before.is_staff, before.is_active) == (
            is_learner,
            is_staff,
            entry.is_active,
        ):
            continue
        (staff if is_staff else others).append(
            {
                "organisation_id": plan.organisation_id,
                "context_id": plan.id,
                "learner_id": learner_id,
                "is_learner": is_learner,
                "is_staff": is_staff,
                "is_active": entry.is_active,
                "seen_at": now,
            }
        )
    key = ("context_id", "learner_id")
    changing = ("is_learner", "is_active", "seen_at")
    # is_staff is never written as false: a launch may have set it since it was read above.
    compare = ("is_learner", "is_active")
    upsert_changed(session, Membership, others, key, compare, update_columns=changing)
    upsert_changed(
        session, Membership, staff, key, (*compare, "is_staff"), update_columns=(*changing, "is_staff")
    )
    return StoredMembers(frozenset(learner_ids.values()), added, len(staff) + len(others) - added)


def _store_learners(
    session: Session, plan: ContextPlan, by_sub: dict[str, RosterEntry], now: datetime
) -> dict[str, str]:
    """Learner ids by ``sub``; unknown people are added, changed ones updated."""
    ids: dict[str, str] = {}
    changed: list[dict[str, Any]] = []
    for row in session.execute(
        select(Learner.id, Learner.sub, Learner.name, Learner.email, Learner.is_test_user).where(
            Learner.organisation_id == plan.organisation_id,
            Learner.registration_id == plan.registration.id,
            Learner.sub.in_(by_sub.keys()),
        )
    ):
        ids[row.sub] = row.id
        entry = by_sub[row.sub]
        now_known = (
            entry.name or row.name,
            entry.email or row.email,
            entry.is_test_user or row.is_test_user,
        )
        if now_known != (row.name, row.email, row.is_test_user):
            changed.append(_learner(plan, entry.sub, *now_known, now))
    new = [entry for sub, entry in by_sub.items() if sub not in ids]
    changed += [_learner(plan, entry.sub, entry.name, entry.email, entry.is_test_user, now) for entry in new]
    _upsert_learners(session, changed)
    if new:
        ids |= _ids_of(session, plan, [entry.sub for entry in new])
    return ids


def _learner(
    plan: ContextPlan, sub: str, name: str | None, email: str | None, is_test_user: bool, now: datetime
) -> dict[str, Any]:
    return {
        "organisation_id": plan.organisation_id,
        "registration_id": plan.registration.id,
        "sub": sub,
        "name": name,
        "email": email,
        "is_test_user": is_test_user,
        "created_at": now,
    }


def _upsert_learners(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    compare = ("name", "email", "is_test_user")
    upsert_changed(session, Learner, rows, ("organisation_id", "registration_id", "sub"), compare)


def _ids_of(session: Session, plan: ContextPlan, subs: Collection[str]) -> dict[str, str]:
    rows = session.execute(
        select(Learner.sub, Learner.id).where(
            Learner.organisation_id == plan.organisation_id,
            Learner.registration_id == plan.registration.id,
            Learner.sub.in_(subs),
        )
    )
    return {row.sub: row.id for row in rows}


def learner_ids(session: Session, plan: ContextPlan, subs: Collection[str], now: datetime) -> dict[str, str]:
    """Learner ids by ``sub``; somebody with a grade who is in no roster is added, as a member of nothing."""
    ids = _ids_of(session, plan, subs)
    unknown = [sub for sub in subs if sub not in ids]
    if unknown:
        _add_learners(session, plan, unknown, now)
        ids |= _ids_of(session, plan, unknown)
    return ids


def _add_learners(session: Session, plan: ContextPlan, subs: Sequence[str], now: datetime) -> None:
    rows = [_learner(plan, sub, None, None, False, now) for sub in subs]  # noqa: FBT003 - fields in order
    key = ("organisation_id", "registration_id", "sub")
    # Nothing is compared but the key, so a learner whom a launch has just added keeps the name.
    upsert_changed(session, Learner, rows, key, key)


def deactivate_missing(
    session: Session, plan: ContextPlan, present: Collection[str], read_started_at: datetime
) -> int:
    """Mark as inactive who is not in ``present``; only for a roster that was read whole.

    :param present: learner ids of the roster.
    :param read_started_at: somebody who came in since then is not missing.
    :returns: how many were marked.
    """
    # A launch notes its time to the minute only.
    before = read_started_at - TOUCH_INTERVAL
    rows = session.execute(
        select(Membership.learner_id).where(
            Membership.organisation_id == plan.organisation_id,
            Membership.context_id == plan.id,
            Membership.is_active.is_(True),
            Membership.seen_at < before,
        )
    ).scalars()
    missing = [learner_id for learner_id in rows if learner_id not in present]
    for chunk in chunks(missing):
        session.execute(
            update(Membership)
            .where(
                Membership.organisation_id == plan.organisation_id,
                Membership.context_id == plan.id,
                Membership.learner_id.in_(chunk),
                Membership.seen_at < before,
            )
            .values(is_active=False)
            .execution_options(synchronize_session=False)
        )
    return len(missing)


def record_roster(
    session: Session, plan: ContextPlan, *, read_at: datetime | None, is_complete: bool, trouble: str | None
) -> None:
    """Keep how the last read of the roster went.

    :param read_at: when it began; ``None`` where nothing was read, so that the older reading stands.
    """
    values: dict[str, Any] = {"roster_trouble": trouble}
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


def has_placements(session: Session, organisation_id: str, context_id: str) -> bool:
    """Whether anything in the context asks for evidence."""
    found = session.execute(
        select(Placement.id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status == "active",
        )
        .limit(1)
    ).scalar_one_or_none()
    return found is not None


def oldest_good_read_at(session: Session, plan: ContextPlan) -> datetime | None:
    """When what cannot be read now was last read: the roster, or the columns that have trouble."""
    times = [
        row
        for row in session.execute(
            select(LineItem.read_at)
            .join(Placement, Placement.id == LineItem.placement_id)
            .where(
                LineItem.organisation_id == plan.organisation_id,
                LineItem.context_id == plan.id,
                LineItem.tag.in_(("attest", "mirror")),
                LineItem.trouble.is_not(None),
                Placement.status == "active",
            )
        ).scalars()
        if row is not None
    ]
    return min([*times, *([plan.roster_read_at] if plan.roster_read_at is not None else [])], default=None)


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
