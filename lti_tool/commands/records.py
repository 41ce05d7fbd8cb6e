"""``export awards``, ``export completions`` and ``export clr``: records, for other systems."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from lti_tool.commands import Answer, Call, fields
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services.records import Record, RecordKind
from lti_tool.services.transcripts import RecordFormat
from lti_tool.web.record_files import pieces

ACTOR = "cli"


def export_awards(call: Call) -> Answer:
    """Write every award of an organisation into a file, the revoked ones too."""
    return _export(call, RecordKind.AWARDS)


def export_completions(call: Call) -> Answer:
    """Write every completed micromodule of an organisation's people into a file."""
    return _export(call, RecordKind.COMPLETIONS)


def export_clr(call: Call) -> Answer:
    """Write a person's badges into one signed learner record (CLR 2.0)."""
    arguments = call.arguments
    person = call.tool.privacy.person_by_id(arguments.learner).subject
    kind: RecordFormat = arguments.format
    path = Path(arguments.output or f"learner-record-{person.id[:8]}.{kind}")
    _make(path)
    try:
        path.write_bytes(call.tool.transcripts.of_learner(person.organisation_id, person.id, kind, ACTOR))
    except NotFound:
        path.unlink()
        raise
    row = {"learner": person.id, "organisation": person.organisation_id, "file": str(path)}
    return Answer(row, fields(row))


def _make(path: Path) -> None:
    try:
        # Nobody else on this machine reads it, and nothing is written over.
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"{path} is there already") from None


def _export(call: Call, kind: RecordKind) -> Answer:
    arguments = call.arguments
    organisation_id = call.tool.staffing.operator(arguments.organisation).organisation_id
    since = _moment(arguments.since)

    def take() -> _Counted:
        """Only where there is somewhere to put them: the audit log says that they were taken."""
        return _Counted(call.tool.records.take(organisation_id, kind, ACTOR, since))

    target = arguments.output or f"{kind.value}.{arguments.format}"
    if target == "-":
        if arguments.json:
            raise RequestInvalid(
                ErrorCode.REQUEST_INVALID, "--json prints an answer: write the file elsewhere"
            )
        _write(sys.stdout, take(), kind, arguments.format)
        return Answer(None)
    path = Path(target)
    _make(path)
    counted = take()
    with path.open("w", encoding="utf-8", newline="") as file:
        _write(file, counted, kind, arguments.format)
    row = {"organisation": organisation_id, "kind": kind.value, "file": str(path), "rows": counted.number}
    return Answer(row, fields(row))


class _Counted:
    """Rows that are counted while they pass."""

    def __init__(self, rows: Iterator[Record]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Record]:
        for row in self._rows:
            self.number += 1
            yield row


def _write(file: TextIO, rows: _Counted, kind: RecordKind, format_: str) -> None:
    for piece in pieces(kind, format_, rows):
        file.write(piece)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"no time: {text}") from None
    return moment if moment.tzinfo is not None else moment.astimezone()
