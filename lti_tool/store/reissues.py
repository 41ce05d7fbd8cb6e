"""Signing anew what is signed already: which texts, how far, and the texts that take their place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store.runs import LONGEST_LEASE, OPEN, RunView
from lti_tool.store.runs import run as run_of
from lti_tool.store.tables import Credential, Endorsement, Lease, Run, new_id

KIND = "reissue"
LEASE = "reissue:"
"""Prefix of the lease under which one process works on one run."""
LAST_LOOK = "last_look"
"""The step in which a run waits for what was being signed when a key was given up."""


class Signed(NamedTuple):
    """A signed text."""

    id: str
    issuer_id: str
    document: str
    place: str = ""
    """In the order of whoever reads them in batches; empty: by id."""


class Renewed(NamedTuple):
    """A signed text, and the one that takes its place."""

    id: str
    former: str
    document: str
    ends_at: datetime | None = None
    """As its ``validUntil`` says."""


# -- runs


def open_run(session: Session, organisation_id: str, task: Mapping[str, Any], now: datetime) -> str:
    """A run that does this task; its id."""
    id_ = new_id()
    session.execute(
        sa.insert(Run).values(
            id=id_,
            organisation_id=organisation_id,
            kind=KIND,
            status="waiting",
            task=dict(task),
            created_at=now,
        )
    )
    return id_


def task(session: Session, run_id: str) -> tuple[str, dict[str, Any]] | None:
    """(organisation, task) of a run that is not over yet, and does not rest."""
    row = session.execute(
        sa.select(Run.organisation_id, Run.task).where(
            Run.id == run_id, Run.kind == KIND, Run.status.in_(OPEN), Run.paused_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else (row.organisation_id, dict(row.task))


def of_issuer(
    session: Session, organisation_id: str, issuer_id: str, limit: int, *, is_open: bool = False
) -> tuple[tuple[RunView, dict[str, Any]], ...]:
    """The latest runs that gave up keys of an issuer, or those that are not over, each with its task.

    Corrections, of which there may be any number and each names thousands of badges, are not read.
    """
    query = sa.select(Run.id, Run.task).where(
        Run.organisation_id == organisation_id,
        Run.kind == KIND,
        Run.task["issuer_id"].as_string() == issuer_id,
    )
    if is_open:
        query = query.where(Run.status.in_(OPEN))
    rows = session.execute(query.order_by(Run.created_at.desc(), Run.id).limit(limit)).all()
    found = ((run_of(session, organisation_id, row.id), dict(row.task)) for row in rows)
    return tuple((view, about) for view, about in found if view is not None)


def due(session: Session, now: datetime, limit: int) -> tuple[tuple[str, dict[str, Any], str], ...]:
    """(id, task, step) of the open runs that nobody works on, the oldest first, whoever owns them."""
    held = sa.select(Lease.name).where(Lease.expires_at > now, Lease.expires_at <= now + LONGEST_LEASE)
    rows = session.execute(
        sa.select(Run.id, Run.task, Run.step)
        .where(
            Run.kind == KIND,
            Run.status.in_(OPEN),
            Run.paused_at.is_(None),
            (sa.literal(LEASE) + Run.id).not_in(held),
        )
        .order_by(Run.created_at, Run.id)
        .limit(limit)
    )
    return tuple((row.id, dict(row.task), row.step) for row in rows)


def save(
    session: Session, run_id: str, step: str, done: int, total: int | None, task: Mapping[str, Any]
) -> None:
    """Say how far a run is, and where it is to go on."""
    session.execute(
        sa.update(Run)
        .where(Run.id == run_id, Run.status.in_(OPEN))
        .values(step=step, done=done, total=total, task=dict(task))
        .execution_options(synchronize_session=False)
    )


# -- signed texts


def _holding(text: str) -> sa.ColumnElement[bool]:
    return Credential.document.contains(text, autoescape=True)


def count_holding(session: Session, text: str) -> int:
    """How many signed credentials have this text in them, such as the name of a key."""
    return session.scalar(sa.select(sa.func.count()).select_from(Credential).where(_holding(text))) or 0


def holding(session: Session, text: str, after: str, limit: int) -> tuple[Signed, ...]:
    """Credentials with this text in them, whoever owns them, by id from the one after ``after`` on."""
    rows = session.execute(
        sa.select(Credential.id, Credential.issuer_id, Credential.document)
        .where(Credential.id > after, _holding(text))
        .order_by(Credential.id)
        .limit(limit)
    )
    return _signed(rows)


def signed(session: Session, organisation_id: str, ids: Collection[str]) -> tuple[Signed, ...]:
    """Those of these credentials that are this organisation's and signed, by id."""
    rows = session.execute(
        sa.select(Credential.id, Credential.issuer_id, Credential.document)
        .where(
            Credential.organisation_id == organisation_id,
            Credential.id.in_(ids),
            Credential.document.is_not(None),
        )
        .order_by(Credential.id)
    )
    return _signed(rows)


def _signed(rows: Iterable[Any]) -> tuple[Signed, ...]:
    return tuple(Signed(*row) for row in rows)


def replace(session: Session, renewed: Iterable[Renewed], now: datetime) -> int:
    """Put texts in the place of those they were made of; how many.

    One that changed meanwhile stays: its learner was erased, or somebody else signed it anew.
    """
    rows = [
        {"of": one.id, "former": one.former, "text": one.document, "ends_at": one.ends_at} for one in renewed
    ]
    if not rows:
        return 0
    result = session.connection().execute(
        sa.update(Credential)
        .where(
            Credential.id == sa.bindparam("of"),
            Credential.document == sa.bindparam("former"),
            Credential.award_id.is_not(None),
        )
        .values(document=sa.bindparam("text"), valid_until=sa.bindparam("ends_at"), reissued_at=now),
        rows,
    )
    return result.rowcount


def others(session: Session, organisation_id: str, renewed: Sequence[Renewed]) -> tuple[str, ...]:
    """Ids of those that are signed, and have another text than the one that was to be theirs."""
    wanted = {one.id: one.document for one in renewed}
    return tuple(
        row.id for row in signed(session, organisation_id, list(wanted)) if row.document != wanted[row.id]
    )


def endorsements_holding(session: Session, endorser_id: str, text: str) -> tuple[Signed, ...]:
    """An issuer's own endorsements with this text in them."""
    rows = session.execute(
        sa.select(Endorsement.id, Endorsement.endorser_id, Endorsement.document)
        .where(Endorsement.endorser_id == endorser_id, Endorsement.document.contains(text, autoescape=True))
        .order_by(Endorsement.id)
    )
    return _signed(rows)


def endorsements_now(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """The signed texts of endorsements by id, where there are any."""
    rows = session.execute(
        sa.select(Endorsement.id, Endorsement.document).where(
            Endorsement.id.in_(ids), Endorsement.document.is_not(None)
        )
    )
    return {row.id: row.document for row in rows}


def replace_endorsements(session: Session, renewed: Iterable[Renewed]) -> None:
    """As :func:`replace`."""
    for one in renewed:
        session.execute(
            sa.update(Endorsement)
            .where(Endorsement.id == one.id, Endorsement.document == one.former)
            .values(document=one.document)
            .execution_options(synchronize_session=False)
        )
