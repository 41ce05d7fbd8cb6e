"""The health of connections: what was seen of each, whose it is to know, and a check that can be asked for.

What is seen comes from :mod:`~lti_tool.services.health_notes`. A platform may serve several organisations:
each is shown its own deployments, and what was refused only where it cannot be another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from lti_tool.domain.certification import CASES, Case
from lti_tool.domain.connection_health import KEPT_FOR, SKEW_TOLD, Permission, Seen, permissions_of
from lti_tool.domain.registrations import DeploymentView, RegistrationView
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.lti import memberships
from lti_tool.lti.observing import Service
from lti_tool.lti.registration import SCOPES
from lti_tool.services.health_notes import HealthNotes
from lti_tool.store import health, oversight, registrations, rosters
from lti_tool.store.health import CheckKey, Refusals
from lti_tool.store.oversight import DeploymentRow, RegistrationRow
from lti_tool.telemetry import CONNECTIONS_UNWELL

SHOWN: Final = 100
"""Reasons of refusal on one page; there are fewer."""


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service, as it was seen last; ``seen`` is empty where it never was used."""

    service: Service
    seen: Seen


@dataclass(frozen=True, slots=True)
class DeploymentHealth:
    """One place of the tool in the platform."""

    id: str
    id_on_platform: str
    services: tuple[ServiceHealth, ...]
    permissions: tuple[Permission, ...]
    launched_at: datetime | None

    @property
    def missing(self) -> tuple[Permission, ...]:
        """Permissions without which something does not work."""
        return tuple(one for one in self.permissions if one.is_missing)

    @property
    def is_unwell(self) -> bool:
        """Somebody should look."""
        return bool(self.missing) or any(one.seen.is_unwell for one in self.services)


@dataclass(frozen=True, slots=True)
class CaseEvidence:
    """A case of the certification, and what of it was seen from this platform."""

    case: Case
    count: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """A registration as one organisation may see it."""

    registration_id: str
    name: str
    product: str
    key_set: ServiceHealth
    skew_seconds: int | None
    """By how much the platform's clock is ahead; ``None`` before any launch."""
    deployments: tuple[DeploymentHealth, ...]
    refusals: tuple[Refusals, ...]
    tells_refusals: bool
    """False where other organisations share the platform: what was refused may be theirs."""
    cases: tuple[CaseEvidence, ...]

    @property
    def is_unwell(self) -> bool:
        """Somebody should look."""
        return self.key_set.seen.is_unwell or self.is_skewed or any(one.is_unwell for one in self.deployments)

    @property
    def is_skewed(self) -> bool:
        """The platform's clock and ours differ so much that it is told."""
        return self.skew_seconds is not None and abs(self.skew_seconds) > SKEW_TOLD


@dataclass(frozen=True, slots=True)
class Unwell:
    """A connection that somebody should look at."""

    registration_id: str
    name: str
    services: tuple[Service, ...]
    missing: tuple[str, ...]
    """Names of permissions."""
    skew_seconds: int | None


class Health(HealthNotes):
    """Shows what was seen, and looks for itself when asked to."""

    def prune(self, now: datetime) -> int:
        """Forget what was refused more than thirty days ago; how many rows."""
        with self._database.write() as session:
            return health.forget(session, _since(now))

    def measure(self) -> None:
        """Set the metric of unwell connections."""
        CONNECTIONS_UNWELL.set(len(self.unwell(None)))

    # -- showing

    def of_registration(self, organisation_id: str, registration_id: str) -> ConnectionHealth:
        """How the connection to a platform does, as far as it is this organisation's to know.

        :raises NotFound: NOT_FOUND.
        """
        self.flush_quietly()
        since = _since(self._clock())
        with self._database.read() as session:
            row = oversight.registration(session, organisation_id, registration_id)
            if row is None:
                raise NotFound(ErrorCode.NOT_FOUND, registration_id)
            deployments = oversight.deployments(session, organisation_id, registration_id)
            stored = health.checks(session, registration_id)
            refused = () if row.is_shared else health.refusals(session, registration_id, since)
        if not row.is_own:
            # Of a cloud that institutions share, somebody else's deployment may be meant.
            own = {one.id_on_platform for one in deployments}
            refused = tuple(_without_others(one, own) for one in refused)
        return _connection(row, deployments, stored, refused, tells_refusals=not row.is_shared)

    def of_deployment(
        self, organisation_id: str, deployment_id: str
    ) -> tuple[ConnectionHealth, DeploymentHealth]:
        """One deployment of it, with the connection that it is part of.

        :raises NotFound: NOT_FOUND.
        """
        with self._database.read() as session:
            row = oversight.deployment(session, organisation_id, deployment_id)
        if row is None:
            raise NotFound(ErrorCode.NOT_FOUND, deployment_id)
        connection = self.of_registration(organisation_id, row.registration_id)
        return connection, next(one for one in connection.deployments if one.id == deployment_id)

    def missing_in(self, organisation_id: str, context_id: str | None) -> tuple[str, tuple[Permission, ...]]:
        """Which product a course is of, and what its platform does not let the tool do in it.

        By what the last launch out of that very course granted, and what the token endpoint refused.
        """
        if context_id is None:
            return "other", ()
        with self._database.read() as session:
            plan = rosters.context_plan(session, organisation_id, context_id)
            if plan is None:
                return "other", ()
            key = CheckKey(plan.registration.id, plan.deployment.id, Service.TOKEN.value)
            token = health.check(session, key)
        granted = set(plan.ags_scopes)
        if plan.memberships_url is not None:
            granted.add(memberships.SCOPE)
        permissions = permissions_of(SCOPES, Seen(facts={"granted": sorted(granted)}), token)
        return plan.registration.product, tuple(one for one in permissions if one.is_missing)

    def for_operator(self, registration_id: str) -> ConnectionHealth:
        """The same without any organisation's blinkers.

        :raises NotFound: NOT_FOUND.
        """
        self.flush_quietly()
        since = _since(self._clock())
        with self._database.read() as session:
            view = registrations.registration(session, registration_id)
            if view is None:
                raise NotFound(ErrorCode.NOT_FOUND, registration_id)
            deployments = registrations.deployments(session, registration_id)
            stored = health.checks(session, registration_id)
            refused = health.refusals(session, registration_id, since)
        return _connection(view, deployments, stored, refused, tells_refusals=True)

    def of_nobody(self) -> tuple[Refusals, ...]:
        """What was refused that named no registration."""
        self.flush_quietly()
        with self._database.read() as session:
            return health.refusals(session, None, _since(self._clock()))

    def unwell(self, organisation_id: str | None) -> tuple[Unwell, ...]:
        """The connections that somebody should look at, by name.

        :param organisation_id: whose; ``None`` for the operator: all.
        """
        self.flush_quietly()
        with self._database.read() as session:
            names = {one.id: one.name for one in registrations.all_registrations(session) if one.is_approved}
            if organisation_id is None:
                stored = health.checks(session)
            else:
                stored = health.checks_of_organisation(session, organisation_id)
        found: dict[str, dict[str | None, dict[str, Seen]]] = {}
        for key, seen in stored.items():
            found.setdefault(key.registration_id, {}).setdefault(key.deployment_id, {})[key.service] = seen
        listed = (
            _unwell(registration_id, names[registration_id], parts)
            for registration_id, parts in found.items()
            if registration_id in names
        )
        return tuple(sorted((one for one in listed if one is not None), key=lambda one: one.name))


def _unwell(registration_id: str, name: str, parts: Mapping[str | None, Mapping[str, Seen]]) -> Unwell | None:
    services: list[Service] = []
    missing: set[str] = set()
    skew: int | None = None
    for seen_of in parts.values():
        services += [Service(service) for service, seen in seen_of.items() if seen.is_unwell]
        launch = seen_of.get(Service.LAUNCH)
        permissions = permissions_of(SCOPES, launch, seen_of.get(Service.TOKEN))
        missing |= {one.name for one in permissions if one.is_missing}
        own_skew = launch.skew_seconds if launch is not None else None
        if own_skew is not None and abs(own_skew) > SKEW_TOLD:
            skew = own_skew
    if not services and not missing and skew is None:
        return None
    return Unwell(registration_id, name, tuple(sorted(set(services))), tuple(sorted(missing)), skew)


def _connection(
    row: RegistrationRow | RegistrationView,
    deployments: Iterable[DeploymentRow | DeploymentView],
    stored: Mapping[CheckKey, Seen],
    refused: tuple[Refusals, ...],
    *,
    tells_refusals: bool,
) -> ConnectionHealth:
    own = tuple(_deployment(row.id, one, stored) for one in deployments)
    return ConnectionHealth(
        registration_id=row.id,
        name=row.name,
        product=row.product,
        key_set=_service(stored, row.id, None, Service.KEY_SET),
        skew_seconds=_service(stored, row.id, None, Service.LAUNCH).seen.skew_seconds,
        deployments=own,
        refusals=refused[:SHOWN],
        tells_refusals=tells_refusals,
        cases=_evidence(own, refused),
    )


DEPLOYMENT_SERVICES: Final = (
    Service.LAUNCH,
    Service.TOKEN,
    Service.ROSTER,
    Service.LINE_ITEMS,
    Service.RESULTS,
    Service.SCORES,
    Service.GROUPS,
    Service.NOTICES,
)
OPTIONAL: Final = (Service.GROUPS, Service.NOTICES)
"""Shown where they were ever used: few platforms have them."""


def _deployment(
    registration_id: str, one: DeploymentRow | DeploymentView, stored: Mapping[CheckKey, Seen]
) -> DeploymentHealth:
    services = tuple(_service(stored, registration_id, one.id, service) for service in DEPLOYMENT_SERVICES)
    by_service = {each.service: each.seen for each in services}
    launch = by_service[Service.LAUNCH]
    return DeploymentHealth(
        id=one.id,
        id_on_platform=one.id_on_platform,
        services=tuple(each for each in services if each.service not in OPTIONAL or each.seen != Seen()),
        permissions=permissions_of(SCOPES, launch, by_service[Service.TOKEN]),
        launched_at=launch.succeeded_at,
    )


def _service(
    stored: Mapping[CheckKey, Seen], registration_id: str, deployment_id: str | None, service: Service
) -> ServiceHealth:
    return ServiceHealth(service, stored.get(CheckKey(registration_id, deployment_id, service.value), Seen()))


def _evidence(
    deployments: tuple[DeploymentHealth, ...], refused: tuple[Refusals, ...]
) -> tuple[CaseEvidence, ...]:
    by_code = {one.code: one for one in refused}
    found = []
    for case in CASES:
        count, times = 0, []
        for code in case.codes:
            if code.value in by_code:
                count += by_code[code.value].count
                times.append(by_code[code.value].last_at)
        for deployment in deployments:
            for one in deployment.services:
                if one.service is Service.LAUNCH and case.key in one.seen.facts.get("cases", {}):
                    number, last_at = one.seen.facts["cases"][case.key]
                    count += number
                    times.append(datetime.fromisoformat(last_at))
                if one.service.value in case.services and one.seen.succeeded_at is not None:
                    times.append(one.seen.succeeded_at)
        found.append(CaseEvidence(case, count, max(times, default=None)))
    return tuple(found)


def _without_others(one: Refusals, own: set[str]) -> Refusals:
    if one.deployment in own:
        return one
    return replace(one, detail="", deployment=None)


def _since(now: datetime) -> date:
    return (now - KEPT_FOR).date()
