"""``export person`` and ``erase``: what is stored about people."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, fields, table
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services.privacy import PersonView
from lti_tool.web.privacy_words import export_words

ACTOR = "cli"


def export_person(call: Call) -> Answer:
    """Write everything that is stored about a person into a ZIP, to read and for programs."""
    (person,) = _single(_people(call))
    target = Path(call.arguments.output or f"personal-data-{person.subject.id[:8]}.zip")
    with call.tool.privacy.export(person, ACTOR, export_words()) as archive:
        try:
            # Nobody else on this machine reads it, and nothing is written over.
            target.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"{target} is there already") from None
        with target.open("wb") as file:
            shutil.copyfileobj(archive, file)
    row = {"learner": person.subject.id, "file": str(target), "counts": dict(person.counts)}
    return Answer(row, fields(row))


def erase(call: Call) -> Answer:
    """Erase people for good. Without --yes it only says what would be deleted."""
    arguments = call.arguments
    if arguments.list:
        return _list(call)
    is_meant = bool(arguments.yes)
    rows: list[dict[str, Any]] = []
    status = DONE
    for person in _people(call):
        counts = call.tool.privacy.erase(person, ACTOR) if is_meant else person.counts
        rows.append(
            {
                "learner": person.subject.id,
                "organisation": person.subject.organisation_id,
                "registration": person.subject.registration_id,
                "is_erased": is_meant,
                "active_courses": person.active_courses,
                "counts": dict(counts),
            }
        )
    for learner_id in _missing(call, {row["learner"] for row in rows}):
        rows.append({"learner": learner_id, "is_erased": False, "is_unknown": True})
        if not arguments.file:
            status = FAILED
    lines = table(rows, ("learner", "is_erased", "active_courses", "counts"))
    if rows and not is_meant:
        lines += ["", "Nothing was erased: repeat it with --yes."]
    if any(row.get("active_courses") for row in rows):
        lines += [
            "",
            "The platform still lists them in courses: its next roster stores name and address again.",
        ]
    return Answer(rows, lines, status)


def _list(call: Call) -> Answer:
    """Whom to erase again once a back-up from before was put back."""
    try:
        since = datetime.fromisoformat(call.arguments.since) if call.arguments.since else None
    except ValueError:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"no time: {call.arguments.since}") from None
    if since is not None and since.tzinfo is None:
        since = since.astimezone()
    rows = [{"learner": id_, "at": at, "actor": actor} for id_, at, actor in call.tool.privacy.erased(since)]
    return Answer(rows, [str(row["learner"]) for row in rows])


def _people(call: Call) -> list[PersonView]:
    """Whom the arguments name. Ids of nobody are left out where they come from a file.

    :raises NotFound: LEARNER_NOT_FOUND, REGISTRATION_UNKNOWN. :raises RequestInvalid: named in no way.
    """
    arguments, privacy = call.arguments, call.tool.privacy
    if arguments.sub or arguments.registration:
        if not (arguments.sub and arguments.registration) or arguments.learner:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "give --learner, or --registration with --sub")
        registration = call.tool.registrations.show(arguments.registration).registration
        return list(privacy.people_by_sub(registration, arguments.sub))
    ids = _ids(call)
    if not ids:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "give --learner, or --registration with --sub")
    found = []
    for learner_id in ids:
        try:
            found.append(privacy.person_by_id(learner_id))
        except NotFound:
            if not getattr(arguments, "file", None):
                raise
    return found


def _ids(call: Call) -> list[str]:
    ids = list(call.arguments.learner or [])
    name = getattr(call.arguments, "file", None)
    if name:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        ids += [line.strip() for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(ids))


def _missing(call: Call, found: set[str]) -> list[str]:
    return [learner_id for learner_id in _ids(call) if learner_id not in found]


def _single(people: list[PersonView]) -> tuple[PersonView]:
    if len(people) != 1:
        ids = ", ".join(person.subject.id for person in people)
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"several people; take one by --learner: {ids}")
    return (people[0],)
