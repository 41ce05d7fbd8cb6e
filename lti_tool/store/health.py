"""How connections to LMSs do, as stored: services by deployment, refusals by reason and day.

The ids of these rows are made from what they are about, so that two processes that see the same thing write
one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from lti_tool.domain.connection_health import Seen
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import Context, Deployment, RefusedLaunch, Registration, ServiceCheck


@dataclass(frozen=True, slots=True)
class CheckKey:
    """What a check is about; without a deployment, a registration as a whole."""

    registration_id: str
    deployment_id: str | None
    service: str

    @property
    def id(self) -> str:
        """The row's key."""
        return _digest(self.registration_id, self.deployment_id or "", self.service)


@dataclass(frozen=True, slots=True)
class RefusalKey:
    """What a count of refusals is about; without a registration, of nobody known."""

    registration_id: str | None
    code: str
    day: date

    @property
    def id(self) -> str:
        """The row's key."""
        return _digest(self.registration_id or "", self.code, self.day.isoformat())


@dataclass(frozen=True, slots=True)
class Refusals:
    """Logins and launches refused for one reason."""

    registration_id: str | None
    code: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str
    """Of the newest."""
    deployment: str | None
    """The platform's id of it, where the newest was signed."""

    def then(self, later: Refusals) -> Refusals:
        """These and later ones."""
        newest = later if later.last_at >= self.last_at else self
        return replace(newest, count=self.count + later.count, first_at=min(self.first_at, later.first_at))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


# -- writing


def known_to(
    session: Session, checks: Iterable[CheckKey], refusals: Iterable[RefusalKey]
) -> tuple[frozenset[str], frozenset[str]]:
    """Of the registrations and deployments that these name, those that are (still) there."""
    checks = tuple(checks)
    registrations = {key.registration_id for key in checks}
    registrations |= {key.registration_id for key in refusals if key.registration_id is not None}
    deployments = {key.deployment_id for key in checks if key.deployment_id is not None}
    return (
        frozenset(session.scalars(select(Registration.id).where(Registration.id.in_(registrations)))),
        frozenset(session.scalars(select(Deployment.id).where(Deployment.id.in_(deployments)))),
    )


def add_checks(session: Session, seen: Mapping[CheckKey, Seen]) -> None:
    """Add what was seen to what is stored."""
    by_id = {key.id: (key, what) for key, what in seen.items()}
    rows = {row.id: row for row in session.scalars(_locked(ServiceCheck, by_id))}
    for id_ in sorted(by_id.keys() - rows.keys()):
        key = by_id[id_][0]
        values = {
            "registration_id": key.registration_id,
            "deployment_id": key.deployment_id,
            "service": key.service,
        }
        insert_if_absent(session, ServiceCheck, {"id": id_, "failures": 0, "facts": {}, **values}, on=("id",))
    if len(rows) < len(by_id):
        rows = {row.id: row for row in session.scalars(_locked(ServiceCheck, by_id))}
    for id_, (_, what) in by_id.items():
        row = rows[id_]
        total = _seen(row).then(what)
        row.succeeded_at, row.failed_at, row.failures = total.succeeded_at, total.failed_at, total.failures
        row.code, row.detail, row.facts = total.code, total.detail, dict(total.facts)
    session.flush()


def add_refusals(session: Session, refusals: Mapping[RefusalKey, Refusals]) -> None:
    """Add counts of refusals to those of the same day."""
    by_id = {key.id: (key, what) for key, what in refusals.items()}
    rows = {row.id: row for row in session.scalars(_locked(RefusedLaunch, by_id))}
    fresh: set[str] = set()
    for id_ in sorted(by_id.keys() - rows.keys()):
        key, what = by_id[id_]
        values = {
            "registration_id": key.registration_id,
            "code": key.code,
            "day": key.day,
            "count": what.count,
            "first_at": what.first_at,
            "last_at": what.last_at,
            "detail": what.detail,
            "deployment": what.deployment,
        }
        if insert_if_absent(session, RefusedLaunch, {"id": id_, **values}, on=("id",)):
            fresh.add(id_)
    if len(rows) + len(fresh) < len(by_id):
        rows = {row.id: row for row in session.scalars(_locked(RefusedLaunch, by_id))}
    for id_, row in rows.items():
        if id_ in fresh:
            continue
        total = _refusals(row).then(by_id[id_][1])
        row.count, row.first_at, row.last_at = total.count, total.first_at, total.last_at
        row.detail, row.deployment = total.detail, total.deployment
    session.flush()


def _locked(table: Any, ids: Iterable[str]) -> Any:
    # In one order, so that two processes that write the same rows wait for each other instead of dying.
    return select(table).where(table.id.in_(list(ids))).order_by(table.id).with_for_update()


def forget(session: Session, before: date) -> int:
    """Delete the refusals of earlier days; how many rows."""
    return len(
        session.execute(
            delete(RefusedLaunch).where(RefusedLaunch.day < before).returning(RefusedLaunch.id)
        ).all()
    )


# -- reading


def checks(session: Session, registration_id: str | None = None) -> dict[CheckKey, Seen]:
    """What is stored of a registration, or of all: for the operator, and for pages that ask by deployment."""
    query = select(ServiceCheck)
    if registration_id is not None:
        query = query.where(ServiceCheck.registration_id == registration_id)
    return {_key(row): _seen(row) for row in session.scalars(query)}


def check(session: Session, key: CheckKey) -> Seen:
    """What is stored of one service."""
    row = session.get(ServiceCheck, key.id)
    return Seen() if row is None else _seen(row)


def checks_of_organisation(session: Session, organisation_id: str) -> dict[CheckKey, Seen]:
    """What is stored of an organisation's own deployments, and of the key sets that they rely on."""
    own = exists().where(
        Deployment.registration_id == ServiceCheck.registration_id,
        Deployment.organisation_id == organisation_id,
        Deployment.status == "approved",
        or_(ServiceCheck.deployment_id.is_(None), ServiceCheck.deployment_id == Deployment.id),
    )
    return {_key(row): _seen(row) for row in session.scalars(select(ServiceCheck).where(own))}


def refusals(session: Session, registration_id: str | None, since: date) -> tuple[Refusals, ...]:
    """What was refused of a registration (``None``: of nobody known), by reason, the newest first."""
    of_it = (
        RefusedLaunch.registration_id.is_(None)
        if registration_id is None
        else RefusedLaunch.registration_id == registration_id
    )
    query = select(RefusedLaunch).where(of_it, RefusedLaunch.day >= since).order_by(RefusedLaunch.day)
    found: dict[str, Refusals] = {}
    for row in session.scalars(query):
        one = _refusals(row)
        found[row.code] = found[row.code].then(one) if row.code in found else one
    return tuple(sorted(found.values(), key=lambda one: one.last_at, reverse=True))


def _key(row: ServiceCheck) -> CheckKey:
    return CheckKey(row.registration_id, row.deployment_id, row.service)


def _seen(row: ServiceCheck) -> Seen:
    return Seen(row.succeeded_at, row.failed_at, row.failures, row.code, row.detail, row.facts)


def _refusals(row: RefusedLaunch) -> Refusals:
    return Refusals(
        row.registration_id, row.code, row.count, row.first_at, row.last_at, row.detail, row.deployment
    )


def latest_contexts(session: Session, deployment_ids: Sequence[str]) -> dict[str, str]:
    """By deployment, the course that was launched last of those that named a service."""
    newest = (
        select(
            Context.deployment_id,
            Context.id,
            func.row_number()
            .over(partition_by=Context.deployment_id, order_by=(Context.last_launched_at.desc(), Context.id))
            .label("place"),
        )
        .where(
            Context.deployment_id.in_(deployment_ids),
            or_(Context.memberships_url.is_not(None), Context.line_items_url.is_not(None)),
        )
        .subquery()
    )
    rows = session.execute(select(newest.c.deployment_id, newest.c.id).where(newest.c.place == 1))
    return {row.deployment_id: row.id for row in rows}
