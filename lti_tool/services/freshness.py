"""How old what a page shows is, when it is read next, and why it is older than promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lti_tool.domain.call_budget import CallBudget
from lti_tool.domain.freshness import Freshness, freshness_of
from lti_tool.errors import ErrorCode
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.store import schedule
from lti_tool.store.database import Database

SILENT: Final = frozenset({ErrorCode.PLATFORM_TIMED_OUT, ErrorCode.PLATFORM_UNREACHABLE})


@dataclass(frozen=True)
class Ages:
    """Tells how fresh a course is; one statement."""

    database: Database
    clock: Callable[[], datetime]
    budgets: CallBudgets

    def of(self, organisation_id: str, context_id: str, read_at: datetime | None) -> Freshness | None:
        """How fresh what a page shows of a course is; ``None`` for a course of another organisation.

        :param read_at: when the oldest of what is shown was read.
        """
        with self.database.read() as session:
            standing = schedule.standing(session, organisation_id, context_id)
        if standing is None:
            return None
        now = self.clock()
        per_minute = self.budgets.per_minute(standing.product)
        budget = standing.budget or CallBudget.full(per_minute, now)
        return freshness_of(
            read_at,
            standing.sync_due_at,
            standing.last_launched_at,
            now,
            budget=budget.at(now, per_minute),
            per_minute=per_minute,
            is_silent=standing.roster_trouble in SILENT,
        )
