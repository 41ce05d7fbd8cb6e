"""Badges that end soon, or have ended lately: for those who teach, and for an organisation's staff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lti_tool.domain.renewal import REMINDED_DAYS, Ending, ending_of, terms_of
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import viewed_course
from lti_tool.store import endings as store
from lti_tool.store.database import Database
from lti_tool.store.endings import EndingFilter

PER_PAGE: Final = 50
LOOKED_BACK: Final = timedelta(days=30)
"""For so long after its end a badge stays in the list."""


@dataclass(frozen=True, slots=True)
class EndingBadge:
    """One line of the list."""

    credential_id: str
    learner_id: str
    learner_name: str | None
    name: str
    """Of the badge."""
    context_title: str | None
    ending: Ending
    has_left: bool = False
    """The holder takes part in no course any more that renews it."""


@dataclass(frozen=True, slots=True)
class EndingPage:
    """One page of the list, those that end first before the others."""

    rows: tuple[EndingBadge, ...]
    number: int
    """From 1."""
    pages: int
    total: int
    days: int
    """How many days ahead the list looks."""


@dataclass(frozen=True)
class EndingSoon:
    """Lists badges by their end."""

    database: Database
    clock: Callable[[], datetime]

    def of_course(self, session: SessionView, *, page: int = 1) -> EndingPage:
        """Those that were earned in the course of this session.

        :raises NotAllowed: for somebody who may not see everybody's progress.
        :raises NotFound: ``context_not_found`` for a launch without a course.
        """
        organisation_id, context_id = viewed_course(session)
        return self._page(organisation_id, context_id, page)

    def of_organisation(self, organisation_id: str, *, page: int = 1) -> EndingPage:
        """Those of all courses of an organisation; for its staff."""
        return self._page(organisation_id, None, page)

    def _page(self, organisation_id: str, context_id: str | None, number: int) -> EndingPage:
        now = self.clock()
        until = now + timedelta(days=REMINDED_DAYS)
        wanted = EndingFilter(organisation_id, now - LOOKED_BACK, until, context_id)
        with self.database.read() as session:
            total = store.count_ending(session, wanted)
            pages = max(1, -(-total // PER_PAGE))
            number = min(max(1, number), pages)
            rows = store.ending(session, wanted, offset=(number - 1) * PER_PAGE, limit=PER_PAGE)
        found = []
        for row in rows:
            terms = (
                None
                if row.has_later
                else terms_of(row.validity_months, row.opens_days, row.closes_days, row.expires_at)
            )
            ending = ending_of(row.ends_at, terms, now)
            assert ending is not None, "the list looks as far ahead as badges tell of their end"
            found.append(
                EndingBadge(
                    row.credential_id,
                    row.learner_id,
                    row.learner_name,
                    row.name,
                    row.context_title,
                    ending,
                    row.has_left,
                )
            )
        return EndingPage(tuple(found), number, pages, total, REMINDED_DAYS)
