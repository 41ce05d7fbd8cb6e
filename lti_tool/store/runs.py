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
from lti_tool.store.tables import LaunchSession, Lease, Nonce, Run, StaffLink, StaffSession

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

    @property
    def is_open(self) -> bool:
        """Whether it waits or works."""
        return self.status in OPEN


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
    """Mark as running; False where the run is over or unknown, so that a repeated task does nothing.

    A run that is already running counts as begun: its worker was lost, this one takes over.
    """
    changed = session.connection().execute(
        sa.update(Run)
        .where(_is_open(organisation_id, run_id))
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
        )
    )


def _is_open(organisation_id: str, run_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(Run.organisation_id == organisation_id, Run.id == run_id, Run.status.in_(OPEN))


def lost_runs(session: Session, now: datetime, waiting_since: datetime, limit: int) -> tuple[RunView, ...]:
    """Open runs that nobody works on: they waited since before that time, or their worker's lease is over."""
    held = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    rows = session.scalars(
        sa.select(Run)
        .where(
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
    )


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
    """Delete nonces, sessions and sign-in links whose time is over, old leases and records of old runs.

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
        "leases": connection.execute(
            sa.delete(Lease).where(Lease.expires_at <= now - KEEP_SESSIONS)
        ).rowcount,
        "runs": connection.execute(
            sa.delete(Run).where(Run.status.not_in(OPEN), Run.finished_at <= now - KEEP_RUNS)
        ).rowcount,
        "notices": notices.prune(session, now - KEEP_NOTICES),
    }
