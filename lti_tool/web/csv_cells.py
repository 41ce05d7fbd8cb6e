"""Cells of files for spreadsheets: people choose the names that stand in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

_FORMULA_START = r"[=+\-@＝＋－＠]"
"""What makes a spreadsheet calculate a cell instead of showing it (OWASP: CSV injection); the last four are
what East Asian keyboards type."""
_CALCULATED = re.compile(rf"^(?=[\t\r\n]|\s*{_FORMULA_START})|(?<=;)(?=\s*{_FORMULA_START})")
"""Where a cell begins like a formula: at its start, and where a spreadsheet may see another cell begin. Excel
separates by semicolons where a comma is the decimal sign, whatever separates the file's cells."""


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula, or for several cells of which one is."""
    return _CALCULATED.sub("'", cell)


def line(cells: Iterable[str]) -> str:
    """One line of a file, as RFC 4180 writes it."""
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
