"""The audit log: who did what, and a file of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, Response, request

from lti_tool.store.audit import EventFilter, EventRow
from lti_tool.web.csv_cells import harmless, line
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff, number_of_page, page

blueprint = Blueprint("trail", __name__)

PER_PAGE = 50
COLUMNS = ("at", "actor", "name", "action", "subject_kind", "subject_id", "detail")


@blueprint.get("/audit")
def show() -> Response:
    """One page of the audit log, filtered."""
    view = current_tool().overview.trail(
        current_staff().organisation_id, _wanted(), page=number_of_page(), per_page=PER_PAGE
    )
    chosen = {name: request.args.get(name, "") for name in ("action", "actor", "since", "until")}
    return page("audit", view=view, chosen=chosen)


@blueprint.get("/audit.csv")
def download() -> Response:
    """Everything the filter finds, for a spreadsheet."""
    tool, staff, wanted = current_tool(), current_staff(), _wanted()
    if request.method == "GET":
        tool.administering.record_download(staff, wanted)
    rows = tool.overview.trail_rows(staff.organisation_id, wanted)
    response = Response(_lines(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return response


def _wanted() -> EventFilter:
    """The filter of this request; what cannot be understood is not asked for."""
    return EventFilter(
        action=request.args.get("action") or None,
        actor=request.args.get("actor") or None,
        since=_day("since"),
        until=_day("until", timedelta(days=1)),
    )


def _day(name: str, more: timedelta = timedelta()) -> datetime | None:
    """The beginning of a day, UTC, or ``more`` after it."""
    try:
        return datetime.combine(date.fromisoformat(request.args.get(name, "")), time.min, UTC) + more
    except (ValueError, OverflowError):
        return None


def _lines(rows: Iterable[tuple[EventRow, str | None]]) -> Iterator[str]:
    yield _line(COLUMNS)
    for row, name in rows:
        detail = json.dumps(row.detail, ensure_ascii=False) if row.detail else ""
        yield _line(
            (
                row.at.isoformat(),
                row.actor,
                name or "",
                row.action,
                row.subject_kind,
                row.subject_id,
                detail,
            )
        )


def _line(cells: Iterable[str]) -> str:
    return line(harmless(cell) for cell in cells)
