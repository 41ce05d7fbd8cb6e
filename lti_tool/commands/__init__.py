"""What the ``lti-tool`` command does, by subject; ``lti_tool.cli`` reads arguments and prints answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, TextIO

from lti_tool.bootstrap import Tool
from lti_tool.errors import ErrorCode

DONE, FAILED = 0, 1
"""Exit status of every command, beside argparse's own 2 for wrong usage; ``verify`` has two more."""

NEXT_STEPS: Mapping[ErrorCode, str] = {
    ErrorCode.INTERNAL: "lti-tool doctor looks for what is wrong with this installation",
    ErrorCode.KEY_MISSING: "lti-tool keys generate",
    ErrorCode.KEY_PASSPHRASE_MISSING: "set LTI_TOOL_KEYS_PASSPHRASE_FILE, for every process and command",
    ErrorCode.KEY_PASSPHRASE_WRONG: "set the passphrase that the keys were encrypted with",
    ErrorCode.KEY_FILE_EXPOSED: "chmod -R go= the keys folder, then rotate what others could read",
    ErrorCode.REGISTRATION_UNKNOWN: "ids: lti-tool registrations list, deployments list REGISTRATION",
    ErrorCode.INVITATION_UNKNOWN: "ids: lti-tool registrations invitations",
    ErrorCode.ORGANISATION_NOT_FOUND: "ids and names: lti-tool organisations list",
    ErrorCode.ORGANISATION_AMBIGUOUS: "name it by its id: lti-tool organisations list",
    ErrorCode.STAFF_MEMBER_NOT_FOUND: "ids: lti-tool staff list",
    ErrorCode.STAFF_LAST_OWNER: "lti-tool staff invite ORGANISATION --role owner",
    ErrorCode.CONTEXT_NOT_FOUND: "ids: lti-tool contexts list",
    ErrorCode.CREDENTIAL_NOT_FOUND: "ids: lti-tool credentials list",
    ErrorCode.CREDENTIAL_NOT_RECOGNISED: "a badge is JSON, a JWT, or a baked PNG or SVG",
    ErrorCode.VERIFY_URL_UNREACHABLE: "save it with a browser, then: lti-tool verify FILE",
}
"""What an operator does about an error whose own words do not say it."""


@dataclass(frozen=True)
class Answer:
    """What a command found: for programs, for people, and as an exit status.

    :ivar value: what ``--json`` prints; plain values only.
    :ivar lines: what people read.
    :ivar is_written: it stands on standard output already.
    """

    value: Any
    lines: Sequence[str] = ()
    status: int = DONE
    is_written: bool = False


@dataclass(frozen=True)
class Call:
    """One call of a command."""

    arguments: argparse.Namespace
    tool: Tool
    progress: Progress


Command = Callable[[Call], Answer]


@dataclass
class Progress:
    """Says on standard error how far long work is: one line that changes on a terminal, nothing elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _width: int = 0

    def say(self, text: str) -> None:
        """Replace what was said before."""
        if self.stream.isatty():
            self.stream.write("\r" + text.ljust(self._width))
            self.stream.flush()
            self._width = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Rows as aligned lines under their headings; one sentence where there are none."""
    return list(_aligned(lambda: rows, columns))


def write_rows(call: Call, read: Callable[[], Iterable[Mapping[str, Any]]], columns: Sequence[str]) -> Answer:
    """Write what an :class:`Answer` of rows and their :func:`table` says, a row at a time, of however many.

    :param read: reads them; called twice for a table, whose widths are known once everything was read.
    """
    out = sys.stdout
    if call.arguments.json:
        before = "[\n  "
        for row in read():
            out.write(before + to_json(row).replace("\n", "\n  "))
            before = ",\n  "
        out.write("[]\n" if before.startswith("[") else "\n]\n")
    else:
        for line in _aligned(read, columns):
            out.write(f"{line}\n")
    out.flush()
    return Answer(None, is_written=True)


def _aligned(read: Callable[[], Iterable[Mapping[str, Any]]], columns: Sequence[str]) -> Iterator[str]:
    widths = [len(column) for column in columns]
    is_empty = True
    for row in read():
        is_empty = False
        widths = [max(width, len(_cell(row.get(name)))) for name, width in zip(columns, widths, strict=True)]
    if is_empty:
        yield "none"
        return
    yield _line(columns, widths)
    for row in read():
        yield _line([_cell(row.get(column)) for column in columns], widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def fields(row: Mapping[str, Any]) -> list[str]:
    """One thing as ``name: value`` lines."""
    width = max((len(name) for name in row), default=0)
    return [f"{(name + ':').ljust(width + 1)} {_cell(value)}" for name, value in row.items()]


def since(moment: datetime | None, now: datetime, never: str) -> str:
    """ "3 min ago", "in 2 h": how far a moment is from now."""
    if moment is None:
        return never
    seconds = (now - moment).total_seconds()
    size, unit = next(
        ((size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")) if abs(seconds) >= size),
        (1, "s"),
    )
    distance = f"{abs(seconds) // size:.0f} {unit}"
    return f"in {distance}" if seconds < 0 else f"{distance} ago"


def to_json(value: Any) -> str:
    """The answer for programs."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict | list | tuple | set | frozenset):
        return json.dumps(value, ensure_ascii=False, default=_plain) if value else "-"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
