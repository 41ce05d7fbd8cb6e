"""Runs (long work that people watch), leases (who works on what until when), and what may be thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store import notices
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    LaunchSession,
    Lease,
    Nonce,
    PersonCode,
    Run,
    StaffLink,
    StaffSession,
    new_id,
)

OPEN = ("waiting", "running")
KEEP_RUNS = timedelta(days=30)
"""How long the record of a finished run is kept."""

KEEP_NOTICES = timedelta(days=30)
"""How long a platform's notification is remembered: longer than any token of one is good, so that a copy of
it is known."""

KEEP_SESSIONS = timedelta(days=1)
"""Sessions are kept for a day after their end: a late click is told "expired", not "unknown", and a form that
is sent late still leaves its draft."""


class SyncStep(StrEnum):
    """What a sync is doing, one after the other; pages have a sentence for each."""

    ROSTER = "roster"
    RESULTS = "results"
    GATES = "gates"
    DECISIONS = "decisions"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as pages and commands show it.

    :ivar status: ``waiting``, ``running``, ``done`` or ``failed``.
    :ivar step: what it is doing, a :class:`SyncStep`; empty before it began.
    :ivar done: how many of ``total`` (None: not known yet).
    :ivar error_code: why it failed, or what was incomplete.
    """

    id: str
    organisation_id: str
    kind: str
    context_id: str | None
    status: str
    step: str
    done: int
    total: int | None
    counts: Mapping[str, Any]
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    paused_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits, works or rests."""
        return self.status in OPEN

    @property
    def is_paused(self) -> bool:
        """Whether somebody said that it is to rest; whoever works on it stops after the batch in hand."""
        return self.is_open and self.paused_at is not None


# -- runs


def open_run(
    session: Session, organisation_id: str, context_id: str, now: datetime, *, kind: str = "sync"
) -> tuple[RunView, bool]:
    """The open run of this kind in this context, and whether it was created just now.

    Two who ask at once get the same run.
    """
    created = insert_if_absent(
        session,
        Run,
        {
            "organisation_id": organisation_id,
            "context_id": context_id,
            "kind": kind,
            "status": "waiting",
            "created_at": now,
        },
        on=(),
    )
    row = session.scalars(
        sa.select(Run).where(
            Run.organisation_id == organisation_id,
            Run.context_id == context_id,
            Run.kind == kind,
            Run.status.in_(OPEN),
        )
    ).one()
    return _view(row), created


def run(session: Session, organisation_id: str, run_id: str) -> RunView | None:
    """A run of this organisation."""
    row = session.scalars(
        sa.select(Run).where(Run.id == run_id, Run.organisation_id == organisation_id)
    ).one_or_none()
    return None if row is None else _view(row)


def newest(session: Session, organisation_id: str, context_id: str, *, kind: str = "sync") -> RunView | None:
    """The latest run of a context."""
    row = session.scalars(
        sa.select(Run)
        .where(Run.organisation_id == organisation_id, Run.context_id == context_id, Run.kind == kind)
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _view(row)


def begin(session: Session, organisation_id: str, run_id: str, now: datetime) -> bool:
    """Mark as running; False where the run is over, paused or unknown, so that a repeated task does nothing.

    A run that is already running counts as begun: its worker was lost, this one takes over.
    """
    changed = session.connection().execute(
        sa.update(Run)
        .where(_is_open(organisation_id, run_id), Run.paused_at.is_(None))
        .values(
            status="running",
            started_at=sa.func.coalesce(Run.started_at, sa.literal(now, Run.started_at.type)),
        )
    )
    return changed.rowcount == 1


def advance(
    session: Session,
    organisation_id: str,
    run_id: str,
    step: SyncStep,
    done: int = 0,
    total: int | None = None,
) -> None:
    """Say how far a run is."""
    session.connection().execute(
        sa.update(Run)
        .where(_is_open(organisation_id, run_id))
        .values(step=SyncStep(step).value, done=done, total=total)
    )


def finish(
    session: Session,
    organisation_id: str,
    run_id: str,
    now: datetime,
    counts: Mapping[str, Any],
    *,
    error_code: str | None = None,
    is_failed: bool = False,
) -> None:
    """Close an open run.

    :param error_code: why it failed; of a run that is done, what it could not read.
    """
    session.connection().execute(
        sa.update(Run)
        .where(_is_open(organisation_id, run_id))
        .values(
            status="failed" if is_failed else "done",
            counts=dict(counts),
            error_code=error_code,
            finished_at=now,
            paused_at=None,
        )
    )


def _is_open(organisation_id: str, run_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(Run.organisation_id == organisation_id, Run.id == run_id, Run.status.in_(OPEN))


def lost_runs(session: Session, now: datetime, waiting_since: datetime, limit: int) -> tuple[RunView, ...]:
    """Open runs that nobody works on: they waited since before that time, or their worker's lease is over.

    One that is paused is not lost.
    """
    held = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    rows = session.scalars(
        sa.select(Run)
        .where(
            Run.paused_at.is_(None),
            sa.or_(
                sa.and_(Run.status == "waiting", Run.created_at <= waiting_since),
                sa.and_(Run.status == "running", Run.started_at <= waiting_since),
            ),
            (sa.literal(CONTEXT_LEASE) + Run.context_id).not_in(held),
        )
        .order_by(Run.created_at, Run.id)
        .limit(limit)
    )
    return tuple(_view(row) for row in rows)


def _view(row: Run) -> RunView:
    return RunView(
        id=row.id,
        organisation_id=row.organisation_id,
        kind=row.kind,
        context_id=row.context_id,
        status=row.status,
        step=row.step,
        done=row.done,
        total=row.total,
        counts=row.counts,
        error_code=row.error_code,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        paused_at=row.paused_at,
    )


def pause(session: Session, organisation_id: str, run_id: str, now: datetime) -> bool:
    """Let an open run rest; whether it did not rest yet.

    Nobody is offered it from now on. Whoever works on it hears of it from :func:`save`, after the batch in
    hand.
    """
    changed = session.connection().execute(
        sa.update(Run).where(_is_open(organisation_id, run_id), Run.paused_at.is_(None)).values(paused_at=now)
    )
    return changed.rowcount == 1


def resume(session: Session, organisation_id: str, run_id: str) -> bool:
    """Let a run that rests go on from where it stopped; whether it rested."""
    changed = session.connection().execute(
        sa.update(Run)
        .where(_is_open(organisation_id, run_id), Run.paused_at.is_not(None))
        .values(paused_at=None)
    )
    return changed.rowcount == 1


# -- runs that say themselves what they are about, and where they are to go on

RUN_LEASE = "run:"
"""Prefix of the lease under which one process works on one such run."""


def open_task(
    session: Session,
    organisation_id: str,
    kind: str,
    task: Mapping[str, Any],
    now: datetime,
    *,
    context_id: str | None = None,
) -> str:
    """A new run that does this task; its id.

    :param context_id: of the course that it shows in; at most one run of a kind is open in each.
    """
    id_ = new_id()
    session.execute(
        sa.insert(Run).values(
            id=id_,
            organisation_id=organisation_id,
            kind=kind,
            context_id=context_id,
            status="waiting",
            task=dict(task),
            created_at=now,
        )
    )
    return id_


def task(session: Session, kind: str, run_id: str) -> tuple[str, dict[str, Any]] | None:
    """(organisation, task) of a run that is neither over nor paused."""
    row = session.execute(
        sa.select(Run.organisation_id, Run.task).where(
            Run.id == run_id, Run.kind == kind, Run.status.in_(OPEN), Run.paused_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else (row.organisation_id, dict(row.task))


def of_task(session: Session, organisation_id: str, kind: str, name: str, value: str) -> RunView | None:
    """The latest run of a kind whose task says ``value`` under ``name``."""
    row = session.scalars(
        sa.select(Run)
        .where(
            Run.organisation_id == organisation_id,
            Run.kind == kind,
            Run.task[name].as_string() == value,
        )
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _view(row)


def open_tasks(
    session: Session, organisation_id: str, kind: str
) -> tuple[tuple[RunView, dict[str, Any]], ...]:
    """The runs of a kind that are not over, each with its task; few."""
    rows = session.scalars(
        sa.select(Run)
        .where(Run.organisation_id == organisation_id, Run.kind == kind, Run.status.in_(OPEN))
        .order_by(Run.created_at, Run.id)
    )
    return tuple((_view(row), dict(row.task)) for row in rows)


def due_tasks(session: Session, kind: str, now: datetime, limit: int) -> tuple[str, ...]:
    """Ids of the runs of a kind that nobody works on and that do not rest, the oldest first, whoever owns
    them."""
    held = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    return tuple(
        session.scalars(
            sa.select(Run.id)
            .where(
                Run.kind == kind,
                Run.status.in_(OPEN),
                Run.paused_at.is_(None),
                (sa.literal(RUN_LEASE) + Run.id).not_in(held),
            )
            .order_by(Run.created_at, Run.id)
            .limit(limit)
        )
    )


def save(
    session: Session, run_id: str, step: str, done: int, total: int | None, task: Mapping[str, Any]
) -> bool:
    """Say how far a run is and where it is to go on; False where it rests or is over: stop after this batch.

    :param step: what it is doing, a word of the kind's own.
    """
    session.connection().execute(
        sa.update(Run)
        .where(Run.id == run_id, Run.status.in_(OPEN))
        .values(step=step, done=done, total=total, task=dict(task))
    )
    # After the update, which waits for whoever pauses it just now.
    goes_on = sa.select(Run.paused_at.is_(None)).where(Run.id == run_id, Run.status.in_(OPEN))
    return bool(session.connection().execute(goes_on).scalar_one_or_none())


# -- leases

CONTEXT_LEASE = "context:"
"""Prefix of the lease under which one worker syncs one context."""

LONGEST_LEASE = timedelta(hours=2)
"""Nothing is leased for so long: a platform's rest, and the pause between two purges, are an hour. A lease
that ends later was taken before the clock was set back, and is nobody's."""


def take_lease(session: Session, name: str, holder: str, now: datetime, seconds: float) -> bool:
    """Take, take over (when the former holder's time is up) or renew a lease; False while another has it."""
    expires_at = now + timedelta(seconds=seconds)
    values = {"name": name, "holder": holder, "expires_at": expires_at}
    if insert_if_absent(session, Lease, values, on=("name",)):
        return True
    taken = session.connection().execute(
        sa.update(Lease)
        .where(
            Lease.name == name,
            sa.or_(Lease.holder == holder, Lease.expires_at <= now, Lease.expires_at > now + LONGEST_LEASE),
        )
        .values(holder=holder, expires_at=expires_at)
    )
    return taken.rowcount == 1


def release_lease(session: Session, name: str, holder: str) -> None:
    """Give a lease back; of somebody else's, nothing happens."""
    session.connection().execute(sa.delete(Lease).where(Lease.name == name, Lease.holder == holder))


# -- what may be thrown away


def purge(session: Session, now: datetime) -> dict[str, int]:
    """Delete nonces, sessions, codes and links whose time is over, old leases and records of old runs.

    :returns: how many of each.
    """
    connection = session.connection()
    return {
        "nonces": connection.execute(sa.delete(Nonce).where(Nonce.expires_at <= now)).rowcount,
        "sessions": connection.execute(
            sa.delete(LaunchSession).where(LaunchSession.expires_at <= now - KEEP_SESSIONS)
        ).rowcount,
        "staff_links": connection.execute(
            sa.delete(StaffLink).where(StaffLink.expires_at <= now - KEEP_SESSIONS)
        ).rowcount,
        "staff_sessions": connection.execute(
            sa.delete(StaffSession).where(StaffSession.expires_at <= now)
        ).rowcount,
        "person_codes": connection.execute(
            sa.delete(PersonCode).where(PersonCode.expires_at <= now)
        ).rowcount,
        "leases": connection.execute(
            sa.delete(Lease).where(Lease.expires_at <= now - KEEP_SESSIONS)
        ).rowcount,
        "runs": connection.execute(
            sa.delete(Run).where(Run.status.not_in(OPEN), Run.finished_at <= now - KEEP_RUNS)
        ).rowcount,
        "notices": notices.prune(session, now - KEEP_NOTICES),
    }
