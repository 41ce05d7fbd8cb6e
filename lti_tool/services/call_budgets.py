"""Call budgets kept across processes: what a platform may still be sent, and what slows us down.

A process takes calls from the database in small portions, so that a roster of a hundred pages is not a
hundred more write transactions. What a process took and does not use within seconds is lost, never
spent twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.call_budget import LEAST_PACE, LEAST_SHARED_PACE, CallBudget, cost_of
from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.connector import ServiceAccess
from lti_tool.platforms import platform_for
from lti_tool.store import call_budgets, registrations
from lti_tool.store.database import Database
from lti_tool.telemetry import BUDGET_LEFT, PLATFORM_CALLS, PLATFORMS_RESTING

PORTION: Final = 5
"""Calls that a process takes at once, where the rate allows so many."""
PORTION_LASTS: Final = timedelta(seconds=5)
SYNC_CALLS: Final = 2
"""What the least useful read of a context takes: its roster and one column."""
WARNING_LASTS: Final = timedelta(seconds=30)
"""For so long a platform's warning that it will soon refuse is not heard again: it is being heeded."""


@dataclass(slots=True)
class _Portion:
    calls: float
    until: datetime


class CallBudgets:
    """Every platform's budget. Shared by threads; satisfies the connector's ``CallBudget``.

    :param calls_per_minute: of each platform, instead of what suits its product.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], calls_per_minute: int | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._calls_per_minute = calls_per_minute
        self._lock = threading.Lock()
        self._portions: dict[tuple[str, bool], _Portion] = {}
        self._warned_at: dict[str, datetime] = {}

    def per_minute(self, product: str) -> int:
        """The rate at which a platform of this product is asked at most."""
        return self._calls_per_minute or platform_for(product).calls_per_minute

    # -- spending

    def spend(self, access: ServiceAccess) -> None:
        """Take one call from the budget; from the bucket of visits where somebody waits for the answer.

        :raises PlatformFailed: PLATFORM_BUSY while the platform is to be left alone; for a visit
            PLATFORM_CALLS_SPENT where visits have used up theirs.
        """
        key = (access.registration.id, access.is_visit)
        now = self._clock()
        with self._lock:
            portion = self._portions.get(key)
            if portion is not None and portion.calls >= 1 and portion.until > now:
                portion.calls -= 1
                _count(access, "made")
                return
        # Outside the lock: other platforms' calls need not wait for this one's database.
        try:
            taken = self._take(access.registration, is_visit=access.is_visit)
        except PlatformFailed as failure:
            _count(access, "resting" if failure.code is ErrorCode.PLATFORM_BUSY else "spent")
            raise
        _count(access, "made")
        with self._lock:
            portion = self._portions.get(key)
            left = portion.calls if portion is not None and portion.until > now else 0.0
            self._portions[key] = _Portion(left + taken - 1, now + PORTION_LASTS)

    def _take(self, registration: RegistrationView, *, is_visit: bool) -> int:
        per_minute = self.per_minute(registration.product)
        wanted = max(1, min(PORTION, per_minute // 60))
        with self._database.write() as session:
            now, budget = self._locked(session, registration.id, per_minute)
            rest = budget.rests(now)
            if rest <= 0 and is_visit:
                budget, wanted = budget.visited(wanted)
            elif rest <= 0:
                budget = budget.spent(wanted, per_minute)
            call_budgets.keep(session, registration.id, budget)
        if rest > 0:
            raise PlatformFailed(
                ErrorCode.PLATFORM_BUSY,
                f"registration {registration.id} asked us to wait",
                retryable=True,
                retry_after=rest,
            )
        if not wanted:
            raise PlatformFailed(
                ErrorCode.PLATFORM_CALLS_SPENT,
                f"registration {registration.id}: visits have used up their calls",
                retryable=True,
                retry_after=budget.wait_for_visit(now, per_minute),
            )
        return wanted

    # -- what slows us down

    def note_answer(self, access: ServiceAccess, seconds: float) -> None:
        """A call took so long: one that was slow costs more than one."""
        surcharge = cost_of(seconds) - 1
        if surcharge > 0:
            registration = access.registration
            per_minute = self.per_minute(registration.product)
            with self._database.write() as session:
                _, budget = self._locked(session, registration.id, per_minute)
                call_budgets.keep(session, registration.id, budget.spent(surcharge, per_minute))

    def slow_down(self, access: ServiceAccess, rest: float) -> None:
        """The platform refused because it is too busy, and is left alone for so many seconds.

        Of institutions that share a registration (Canvas) one speaks for itself only: the connector leaves it
        alone, and the others are asked more slowly.
        """
        _count(access, "too_busy")
        registration = access.registration
        per_minute = self.per_minute(registration.product)
        with self._database.write() as session:
            is_shared = _is_shared(session, registration)
            if not is_shared:
                now, budget = self._locked(session, registration.id, per_minute)
                call_budgets.keep(session, registration.id, budget.slowed(now, rest))
        if is_shared:
            self.heed_warning(access)
            return
        with self._lock:
            for is_visit in (False, True):
                self._portions.pop((registration.id, is_visit), None)

    def heed_warning(self, access: ServiceAccess) -> None:
        """The platform will soon refuse: ask it at half the pace."""
        registration = access.registration
        now = self._clock()
        with self._lock:
            heard_at = self._warned_at.get(registration.id)
            if heard_at is not None and abs(now - heard_at) < WARNING_LASTS:
                return
            self._warned_at[registration.id] = now
        per_minute = self.per_minute(registration.product)
        with self._database.write() as session:
            is_shared = _is_shared(session, registration)
            _, budget = self._locked(session, registration.id, per_minute)
            slower = budget.warned(LEAST_SHARED_PACE if is_shared else LEAST_PACE)
            call_budgets.keep(session, registration.id, slower)

    def _locked(
        self, session: Session, registration_id: str, per_minute: float
    ) -> tuple[datetime, CallBudget]:
        """Now, and the budget as it stands: the time is taken once nobody else changes the counts."""
        full = CallBudget.full(per_minute, self._clock())
        kept = call_budgets.locked(session, registration_id, full)
        now = self._clock()
        return now, kept.at(now, per_minute)

    # -- looking

    def standing(self, registration: RegistrationView) -> CallBudget:
        """What a platform may be sent now."""
        now = self._clock()
        per_minute = self.per_minute(registration.product)
        with self._database.read() as session:
            budget = call_budgets.kept_of(session, registration.id, CallBudget.full(per_minute, now))
        return budget.at(now, per_minute)

    def room(self, registration: RegistrationView) -> int:
        """How many calls the schedule may make now; 0 while the platform rests or its debt is not paid.

        For work that can be cut anywhere, such as writing scores; what is begun under it is counted by
        :meth:`spend` as everything else.
        """
        budget = self.standing(registration)
        return 0 if budget.rests(self._clock()) > 0 else max(0, int(budget.calls_left))

    def reads(self, products: Mapping[str, str]) -> dict[str, int]:
        """How many reads of contexts the schedule may begin on each platform now.

        :param products: registration id → product.
        """
        now = self._clock()
        with self._database.read() as session:
            kept = call_budgets.kept(session)
        found: dict[str, int] = {}
        for registration_id, product in products.items():
            per_minute = self.per_minute(product)
            _, budget = kept.get(registration_id, (product, CallBudget.full(per_minute, now)))
            budget = budget.at(now, per_minute)
            room = 0.0 if budget.rests(now) > 0 else budget.calls_left
            found[registration_id] = 0 if room < 1 else max(1, int(room / SYNC_CALLS))
        return found

    def measure(self) -> None:
        """Tell the metrics how the platforms' budgets stand."""
        now = self._clock()
        with self._database.read() as session:
            kept = call_budgets.kept(session)
        least, resting = 1.0, 0
        for product, counted in kept.values():
            per_minute = self.per_minute(product)
            budget = counted.at(now, per_minute)
            left = budget.calls_left / CallBudget.full(per_minute, now).calls_left
            least = min(least, left)
            resting += budget.rests(now) > 0
        BUDGET_LEFT.set(least)
        PLATFORMS_RESTING.set(resting)


def _is_shared(session: Session, registration: RegistrationView) -> bool:
    """Whether several institutions, each with servers of its own, stand behind one registration."""
    return (
        platform_for(registration.product).has_token_url_per_institution
        and len(registrations.owners(session, registration.id)) > 1
    )


def _count(access: ServiceAccess, outcome: str) -> None:
    PLATFORM_CALLS.labels("visit" if access.is_visit else "schedule", outcome).inc()
