"""The matrix as a file for spreadsheets: a line for each learner, the columns of docs/reference."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from lti_tool.domain.criteria import Finding, MeanAtLeast
from lti_tool.domain.evidence import Detail
from lti_tool.services.matrix import MatrixFile, MatrixRow
from lti_tool.web.csv_cells import harmless, line

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as the Windows code page of its country."""
FIXED = (
    "name",
    "user_id",
    "badge",
    "state",
    "not_counted",
    "awarded_at",
    "revoked",
    "criteria_met",
    "badge_state",
)
EACH = ("state", "value", "maximum", "since", "read_at")
"""Of each criterion, after its number and name."""


def lines_of(file: MatrixFile) -> Iterator[str]:
    """The file, a piece at a time."""
    heads = [
        harmless(f"{channel.index + 1} {channel.label}: {part}") for channel in file.channels for part in EACH
    ]
    yield BYTE_ORDER_MARK + line((*FIXED, *heads))
    for row in file.rows:
        yield line(_cells(row))


def _cells(row: MatrixRow) -> Iterator[str]:
    yield from (
        harmless(row.name or ""),
        harmless(row.sub),
        row.verdict.value,
        row.state.value,
        row.exclusion.value if row.exclusion is not None else "",
        row.awarded_at.isoformat() if row.awarded_at is not None else "",
        "yes" if row.is_revoked else "",
        str(row.met),
        row.badge_state.value if row.badge_state is not None else "",
    )
    for finding in row.findings:
        yield from _criterion(finding)


def _criterion(finding: Finding) -> tuple[str, ...]:
    score, at, read_at = finding.score, finding.happened_at(), finding.as_of()
    value = maximum = ""
    if score is not None:
        value, maximum = _plain(score.value), _plain(score.maximum)
    elif isinstance(finding.criterion, MeanAtLeast):
        value, maximum = _plain(finding.mean), "100"
    elif finding.fact is not None and finding.fact.detail in (Detail.SUBMITTED, Detail.RETURNED):
        value = str(finding.fact.detail)
    return (
        finding.state.value,
        value,
        maximum,
        at.isoformat() if at is not None else "",
        read_at.isoformat() if read_at is not None else "",
    )


def _plain(value: Decimal | None) -> str:
    """A number as programs write it; a negative one is a number, and no formula."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
