"""Review dates to be shown, in each of their states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.services.currency import CareDetail, CarePage
from lti_tool.store.currency import CareCounts, CareFilter, CareRow
from lti_tool.store.staff import MemberView

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TODAY = NOW.date()
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsprüfung"
"""As in ``sample_views``, which shows review dates itself."""


def _member(number: int, name: str, *, is_active: bool = True) -> MemberView:
    created_at = NOW - timedelta(days=90)
    return MemberView(
        f"member-{number}", "organisation-1", name, None, StaffRole.EDITOR, is_active, created_at, None
    )


MEMBERS = (_member(1, "Olivia Owner"), _member(2, "Edgar Editor"))
GONE = _member(4, LONG_WORD, is_active=False)


def row(number: int = 1, review_on: date | None = None, **changes: Any) -> CareRow:
    """A micromodule with a badge."""
    plain = CareRow(
        kind="micromodule",
        id=f"micromodule-{number}",
        name="Academic writing",
        version=2,
        published_at=NOW - timedelta(days=500),
        achievement_version_id="version-writing",
        is_in_use=True,
        answerable_id="member-2",
        answerable_name="Edgar Editor",
        answerable_email="edgar@example.edu",
        is_answerable_active=True,
        contact="",
        review_every_months=12,
        review_on=review_on,
        reviewed_at=None,
        reviewed_by=None,
        note="",
        revision=3,
    )
    return replace(plain, **changes)


NOBODY: dict[str, Any] = {
    "answerable_id": None,
    "answerable_name": None,
    "answerable_email": None,
    "is_answerable_active": False,
}
STALE = row(1, TODAY - timedelta(days=1204))
REVIEWED = row(
    2,
    TODAY + timedelta(days=300),
    reviewed_at=NOW - timedelta(days=65),
    reviewed_by="staff:member-2",
    note="Read against the law of 2026.\nNothing to change.",
    contact="Registrar's office",
)
UNTOUCHED = row(3, name=LONG_WORD, review_every_months=None, revision=0, version=1, **NOBODY)
MILESTONE = row(
    4,
    TODAY,
    kind="milestone",
    id="milestone-1",
    name="Micromodule Explorer",
    answerable_id=GONE.id,
    answerable_name=GONE.name,
    is_answerable_active=False,
)
BARE = row(
    5,
    TODAY + timedelta(days=1),
    name="Open Data Basics",
    achievement_version_id=None,
    review_every_months=1,
    **{**NOBODY, "contact": LONG_WORD},
)
RETIRED = row(6, None, name="Old maps", is_in_use=False, review_every_months=None)
ROWS = (STALE, row(7, TODAY - timedelta(days=1), name="Statistics"), MILESTONE, BARE, UNTOUCHED, REVIEWED)


def page(rows: tuple[CareRow, ...] = ROWS, **changes: Any) -> CarePage:
    """A page of the list."""
    counts = CareCounts(stale=2, soon=2, undated=1, later=1, nobody=2)
    plain = CarePage(rows, 1, 1, len(rows), counts, CareFilter(), MEMBERS, TODAY)
    return replace(plain, **changes)


LISTS = {
    "usual": page(),
    "many": page(number=2, pages=25, total=1204),
    "none": page((), counts=CareCounts(0, 0, 0, 0, 0), members=()),
    "nothing-found": page((), wanted=CareFilter(query="x", answerable="nobody")),
}
SUBJECTS = {
    "overdue": CareDetail(STALE, MEMBERS, None, TODAY),
    "reviewed": CareDetail(REVIEWED, MEMBERS, "Edgar Editor", TODAY),
    "untouched": CareDetail(UNTOUCHED, MEMBERS, None, TODAY),
    "milestone": CareDetail(MILESTONE, (*MEMBERS, GONE), None, TODAY),
    "without-badge": CareDetail(BARE, (), None, TODAY),
    "retired": CareDetail(RETIRED, MEMBERS, None, TODAY),
}


class SampleCurrency:
    """Gives what a test put in, and notes what is asked of it."""

    def __init__(self, called: Any) -> None:
        self.list = LISTS["usual"]
        self.detail = SUBJECTS["reviewed"]
        self.stale = 0
        self.change = called("change_care")
        self.change_many = called("change_many", 2)
        self.review = called("review")

    def page(self, staff: Any, wanted: CareFilter, *, page: int = 1) -> CarePage:
        staff.require(Permission.VIEW)
        return self.list

    def rows(self, staff: Any, wanted: CareFilter) -> Iterator[CareRow]:
        staff.require(Permission.VIEW)
        return iter(self.list.rows)

    def one(self, staff: Any, kind: str, id_: str) -> CareDetail:
        staff.require(Permission.VIEW)
        return self.detail

    def count_stale(self, organisation_id: str) -> int:
        return self.stale
