"""A connection checked on demand: keys, an access token for each set of permissions, a page of each list.

Everything is asked as the tool asks it anyway, and nothing is written to the LMS. What the calls find goes to
the connection's health by the way that it always goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lti_tool.domain.registrations import DeploymentStatus, DeploymentView, RegistrationView
from lti_tool.errors import Conflict, ErrorCode, NotFound, ToolError
from lti_tool.lti import grades, memberships
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.observing import Service
from lti_tool.platforms import platform_for
from lti_tool.services.columns import service_access
from lti_tool.store import health, oversight, registrations, rosters
from lti_tool.store.database import Database
from lti_tool.store.rosters import ContextPlan

SECONDS: Final = 20.0
"""For everything together: a person waits."""
DEPLOYMENTS: Final = 5
"""Those used last; a cloud's registration may have thousands."""
SCOPE_SETS: Final = (
    (Service.LINE_ITEMS, frozenset({grades.LINE_ITEM_SCOPE, grades.LINE_ITEM_READ_SCOPE})),
    (Service.RESULTS, frozenset({grades.RESULT_SCOPE})),
    (Service.SCORES, frozenset({grades.SCORE_SCOPE})),
    (Service.ROSTER, frozenset({memberships.SCOPE})),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    service: Service
    """``token`` for an access token; else what was read."""
    wanted: Service | None
    """For a token: what it is for."""
    deployment: str | None
    """The platform's id of it."""
    code: ErrorCode | None = None
    """Why it failed; ``None`` where it went well."""
    rows: int | None = None
    """How much was read: keys, columns or people of the first page."""

    @property
    def is_good(self) -> bool:
        """It went well."""
        return self.code is None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check came to, in the order of the steps."""

    registration_id: str
    steps: tuple[Step, ...]
    unchecked: int
    """Deployments that were left out, since there are so many."""

    @property
    def is_good(self) -> bool:
        """Every step went well."""
        return all(step.is_good for step in self.steps)


@dataclass(frozen=True)
class Checking:
    """Checks connections."""

    database: Database
    connector: PlatformConnector
    key_sets: KeySets

    def check(self, registration_id: str, organisation_id: str | None = None) -> CheckReport:
        """Try everything that the tool needs of a platform; takes twenty seconds at most, and writes nothing.

        :param organisation_id: who asks: only deployments of theirs are tried; ``None`` for the operator.
        :raises NotFound: NOT_FOUND, also for another organisation's registration.
        :raises Conflict: REGISTRATION_NOT_APPROVED: what nobody approved is called by nobody.
        """
        with self.database.read() as session:
            seen = organisation_id is None or oversight.registration(
                session, organisation_id, registration_id
            )
            registration = registrations.registration(session, registration_id) if seen else None
            if registration is None:
                raise NotFound(ErrorCode.NOT_FOUND, registration_id)
            if not registration.is_approved or platform_for(registration.product).copied_issuer(
                registration.issuer
            ):
                raise Conflict(ErrorCode.REGISTRATION_NOT_APPROVED, registration_id)
            own = [
                one
                for one in registrations.deployments(session, registration_id)
                if one.status is DeploymentStatus.APPROVED
                and (organisation_id is None or one.organisation_id == organisation_id)
            ]
            latest = health.latest_contexts(session, [one.id for one in own])
            own.sort(key=lambda one: one.id not in latest)
            chosen = own[:DEPLOYMENTS]
            plans = {
                one.id: rosters.context_plan_for_job(session, latest[one.id])
                for one in chosen
                if one.id in latest
            }
        deadline = self.connector.deadline_in(SECONDS)
        steps = [self._keys(registration)]
        for deployment in chosen:
            steps += self._deployment(registration, deployment, plans.get(deployment.id), deadline)
        return CheckReport(registration_id, tuple(steps), len(own) - len(chosen))

    def _keys(self, registration: RegistrationView) -> Step:
        return _tried(Step(Service.KEY_SET, None, None), lambda: len(self.key_sets.read(registration)))

    def _deployment(
        self,
        registration: RegistrationView,
        deployment: DeploymentView,
        plan: ContextPlan | None,
        deadline: float,
    ) -> list[Step]:
        # Whatever a launch granted: whether a permission can be had is what is asked.
        access = ServiceAccess(registration, deployment, None, is_visit=True)
        steps = []
        for wanted, scopes in SCOPE_SETS:

            def token(scopes: frozenset[str] = scopes) -> None:
                self.connector.check_token(access, scopes, deadline)

            steps.append(_tried(Step(Service.TOKEN, wanted, deployment.id_on_platform), token))
        if plan is None:
            return steps
        access = service_access(plan, is_visit=True)
        if plan.line_items_url is not None:
            columns = grades.line_item_pages(self.connector, access, plan.line_items_url, deadline=deadline)
            step = Step(Service.LINE_ITEMS, None, deployment.id_on_platform)
            steps.append(_tried(step, lambda: _first_page(columns)))
        if plan.memberships_url is not None:
            people = memberships.roster_pages(self.connector, access, plan.memberships_url, deadline=deadline)
            step = Step(Service.ROSTER, None, deployment.id_on_platform)
            steps.append(_tried(step, lambda: _first_page(people)))
        return steps


def _first_page(read: grades.LineItemPages | memberships.RosterPages) -> int:
    """How many rows the first page has.

    :raises PlatformFailed: why there is none.
    """
    for page in read:
        return len(page)
    if read.failure is not None:
        raise read.failure
    return 0


def _tried(step: Step, attempt: Callable[[], int | None]) -> Step:
    try:
        return replace(step, rows=attempt())
    except ToolError as error:
        return replace(step, code=error.code)
