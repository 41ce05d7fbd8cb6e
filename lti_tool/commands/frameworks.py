"""``frameworks``: lists of skills that badges can be aligned to."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from lti_tool.commands import Answer, Call, fields, table
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.framework_files import LARGEST_FILE
from lti_tool.store.frameworks import FrameworkView


def import_(call: Call) -> Answer:
    """Import ESCO's table of skills (CSV) or a CASE package (JSON); one that is there already is renewed."""
    arguments = call.arguments
    by = call.tool.staffing.operator(arguments.organisation)
    imported = call.tool.frameworks.import_file(
        by,
        _read(arguments.file),
        file_name=arguments.file,
        language=arguments.language,
        version=arguments.framework_version,
    )
    row = {
        **_told(imported.framework),
        **asdict(imported.renewal),
        "repeated": imported.repeated,
        "left_out": imported.left_out,
    }
    return Answer(row, fields(row))


def list_(call: Call) -> Answer:
    """The frameworks of an organisation."""
    by = call.tool.staffing.operator(call.arguments.organisation)
    rows = [_told(framework) for framework in call.tool.frameworks.list(by.organisation_id)]
    return Answer(rows, table(rows, ("id", "kind", "name", "version", "language", "items", "imported_at")))


def remove(call: Call) -> Answer:
    """Remove a framework with its skills; badges keep what was taken from it."""
    by = call.tool.staffing.operator(call.arguments.organisation)
    removed = call.tool.frameworks.remove(by, call.arguments.framework)
    return Answer(_told(removed), [f"removed {removed.name}: {removed.items} skills"])


def _told(framework: FrameworkView) -> dict[str, object]:
    return asdict(framework)


def _read(source: str) -> bytes:
    """One byte more than is taken, so that a larger file is seen to be larger."""
    try:
        if source == "-":
            return sys.stdin.buffer.read(LARGEST_FILE + 1)
        with Path(source).open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise RequestInvalid(
            ErrorCode.REQUEST_INVALID, f"{source} cannot be read: {error.strerror or type(error).__name__}"
        ) from error
