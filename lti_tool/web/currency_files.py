"""Review dates for programs and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from lti_tool.store.currency import CareRow
from lti_tool.web.csv_cells import harmless, line

COLUMNS = (
    "kind",
    "id",
    "name",
    "version",
    "published_at",
    "state",
    "review_on",
    "days_overdue",
    "review_every_months",
    "answers",
    "answers_email",
    "reviewed_at",
)
"""In this order; ``days_overdue`` is 0 on the day itself and before."""


def as_record(row: CareRow, today: date) -> dict[str, Any]:
    """What files and programs are told, by :data:`COLUMNS`."""
    overdue = None if row.review_on is None else max(0, (today - row.review_on).days)
    return {
        "kind": row.kind,
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "published_at": row.published_at.isoformat(),
        "state": row.state(today).value,
        "review_on": None if row.review_on is None else row.review_on.isoformat(),
        "days_overdue": overdue,
        "review_every_months": row.review_every_months,
        "answers": row.answers,
        "answers_email": row.answerable_email if row.is_answerable_active else None,
        "reviewed_at": None if row.reviewed_at is None else row.reviewed_at.isoformat(),
    }


def lines(rows: Iterable[CareRow], today: date) -> Iterator[str]:
    """The file, line by line.

    :param today: the day by which the states go.
    """
    yield line(COLUMNS)
    for row in rows:
        yield line(harmless("" if cell is None else str(cell)) for cell in as_record(row, today).values())
