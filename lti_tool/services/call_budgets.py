"""Call budgets kept across processes: what a platform may still be sent, and what slows us down.

A process takes calls from the database in small portions, so that a roster of a hundred pages is not a
hundred more write transactions. What a process took and does not use within seconds is lost, never
spent twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.call_budget import CallBudget, cost_of
from lti_tool.domain.registrations import Site
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.access import ServiceAccess
from lti_tool.platforms import platform_for
from lti_tool.store import call_budgets
from lti_tool.store.call_budgets import KeptBudget
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
        self._portions: dict[tuple[Site, bool], _Portion] = {}
        self._warned_at: dict[Site, datetime] = {}

    def per_minute(self, product: str) -> int:
        """The rate at which a platform of this product is asked at most."""
        return self._calls_per_minute or platform_for(product).calls_per_minute

    # -- spending

    def spend(self, access: ServiceAccess) -> None:
        """Take one call from the budget; from the bucket of visits where somebody waits for the answer.

        :raises PlatformFailed: PLATFORM_BUSY while the platform is to be left alone; for a visit
            PLATFORM_CALLS_SPENT where visits have used up theirs.
        """
        key = (access.site, access.is_visit)
        now = self._clock()
        with self._lock:
            portion = self._portions.get(key)
            if portion is not None and portion.calls >= 1 and portion.until > now:
                portion.calls -= 1
                _count(access, "made")
                return
        # Outside the lock: other platforms' calls need not wait for this one's database.
        try:
            taken = self._take(access)
        except PlatformFailed as failure:
            _count(access, "resting" if failure.code is ErrorCode.PLATFORM_BUSY else "spent")
            raise
        _count(access, "made")
        with self._lock:
            portion = self._portions.get(key)
            left = portion.calls if portion is not None and portion.until > now else 0.0
            self._portions[key] = _Portion(left + taken - 1, now + PORTION_LASTS)

    def _take(self, access: ServiceAccess) -> int:
        site, per_minute = access.site, self.per_minute(access.registration.product)
        wanted = max(1, min(PORTION, per_minute // 60))
        with self._database.write() as session:
            now, budget = self._locked(session, site, per_minute)
            rest = budget.rests(now)
            if rest <= 0 and access.is_visit:
                budget, wanted = budget.visited(wanted)
            elif rest <= 0:
                budget = budget.spent(wanted, per_minute)
            call_budgets.keep(session, site, budget)
        if rest > 0:
            raise PlatformFailed(
                ErrorCode.PLATFORM_BUSY,
                f"registration {site.registration_id} asked us to wait",
                retryable=True,
                retry_after=rest,
            )
        if not wanted:
            raise PlatformFailed(
                ErrorCode.PLATFORM_CALLS_SPENT,
                f"registration {site.registration_id}: visits have used up their calls",
                retryable=True,
                retry_after=budget.wait_for_visit(now, per_minute),
            )
        return wanted

    # -- what slows us down

    def note_answer(self, access: ServiceAccess, seconds: float) -> None:
        """A call took so long: one that was slow costs more than one."""
        surcharge = cost_of(seconds) - 1
        if surcharge > 0:
            site, per_minute = access.site, self.per_minute(access.registration.product)
            with self._database.write() as session:
                _, budget = self._locked(session, site, per_minute)
                call_budgets.keep(session, site, budget.spent(surcharge, per_minute))

    def slow_down(self, access: ServiceAccess, rest: float) -> None:
        """The platform refused because it is too busy, and is left alone for so many seconds."""
        _count(access, "too_busy")
        site, per_minute = access.site, self.per_minute(access.registration.product)
        with self._database.write() as session:
            now, budget = self._locked(session, site, per_minute)
            call_budgets.keep(session, site, budget.slowed(now, rest))
        with self._lock:
            for is_visit in (False, True):
                self._portions.pop((site, is_visit), None)

    def heed_warning(self, access: ServiceAccess) -> None:
        """The platform will soon refuse: ask it at half the pace."""
        site, per_minute = access.site, self.per_minute(access.registration.product)
        now = self._clock()
        with self._lock:
            heard_at = self._warned_at.get(site)
            if heard_at is not None and abs(now - heard_at) < WARNING_LASTS:
                return
            self._warned_at[site] = now
        with self._database.write() as session:
            _, budget = self._locked(session, site, per_minute)
            call_budgets.keep(session, site, budget.warned())

    def _locked(self, session: Session, site: Site, per_minute: float) -> tuple[datetime, CallBudget]:
        """Now, and the budget as it stands: the time is taken once nobody else changes the counts."""
        full = CallBudget.full(per_minute, self._clock())
        kept = call_budgets.locked(session, site, full)
        now = self._clock()
        return now, kept.at(now, per_minute)

    # -- looking

    def standing(self, access: ServiceAccess) -> CallBudget:
        """What a platform may be sent now."""
        now = self._clock()
        per_minute = self.per_minute(access.registration.product)
        with self._database.read() as session:
            budget = call_budgets.kept_of(session, access.site, CallBudget.full(per_minute, now))
        return budget.at(now, per_minute)

    def standings(self) -> tuple[KeptBudget, ...]:
        """What each platform may be sent now; of those that were ever asked."""
        now = self._clock()
        with self._database.read() as session:
            kept = call_budgets.kept(session)
        return tuple(replace(one, budget=one.budget.at(now, self.per_minute(one.product))) for one in kept)

    def room(self, access: ServiceAccess) -> int:
        """How many calls the schedule may make now; 0 while the platform rests or its debt is not paid.

        For work that can be cut anywhere, such as writing scores; what is begun under it is counted by
        :meth:`spend` as everything else.
        """
        budget = self.standing(access)
        return 0 if budget.rests(self._clock()) > 0 else max(0, int(budget.calls_left))

    def reads(self, products: Mapping[Site, str]) -> dict[Site, int]:
        """How many reads of contexts the schedule may begin on each platform now.

        :param products: platform → product.
        """
        now = self._clock()
        standing = {one.site: one.budget for one in self.standings()}
        found: dict[Site, int] = {}
        for site, product in products.items():
            budget = standing.get(site) or CallBudget.full(self.per_minute(product), now)
            room = 0.0 if budget.rests(now) > 0 else budget.calls_left
            found[site] = 0 if room < 1 else max(1, int(room / SYNC_CALLS))
        return found

    def measure(self) -> None:
        """Tell the metrics how the platforms' budgets stand."""
        now = self._clock()
        least, resting = 1.0, 0
        for one in self.standings():
            full = CallBudget.full(self.per_minute(one.product), now)
            least = min(least, one.budget.calls_left / full.calls_left)
            resting += one.budget.rests(now) > 0
        BUDGET_LEFT.set(least)
        PLATFORMS_RESTING.set(resting)


def _count(access: ServiceAccess, outcome: str) -> None:
    PLATFORM_CALLS.labels("visit" if access.is_visit else "schedule", outcome).inc()
