"""Records as files: CSV for spreadsheets and imports, JSON where every character counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from lti_tool.services.records import COLUMNS, Record, RecordKind
from lti_tool.web.csv_cells import harmless, line
from lti_tool.web.matrix_file import BYTE_ORDER_MARK

FORMATS = ("csv", "json")
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def pieces(kind: RecordKind, format_: str, rows: Iterable[Record]) -> Iterator[str]:
    """The file, a row at a time; ``format_`` is one of :data:`FORMATS`."""
    return _csv(kind, rows) if format_ == "csv" else _json(rows)


def _csv(kind: RecordKind, rows: Iterable[Record]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + line(COLUMNS[kind])
    for row in rows:
        yield line(harmless(_text(value)) for value in row.values())


def _json(rows: Iterable[Record]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        values = {name: _text(value) if isinstance(value, datetime) else value for name, value in row.items()}
        yield before + json.dumps(values, ensure_ascii=False)
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return "" if value is None else str(value)
