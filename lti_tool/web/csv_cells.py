"""Cells of files for spreadsheets: people choose the names that stand in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet calculate a cell instead of showing it (OWASP: CSV injection); the last four
are what East Asian keyboards type."""


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) or cell.startswith(FORMULA_STARTS) else cell


def line(cells: Iterable[str]) -> str:
    """One line of a file, as RFC 4180 writes it."""
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
