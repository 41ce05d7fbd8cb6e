"""``credentials`` and ``verify``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, fields, table, to_json
from lti_tool.credentials.verification import Report, Verdict
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid, ToolError
from lti_tool.store import credentials as store
from lti_tool.store import inventory

INVALID, INCONCLUSIVE = 3, 4
"""Exit status of ``verify`` beside 0 for a valid credential."""

_STATUS = {Verdict.VALID: DONE, Verdict.INVALID: INVALID, Verdict.INCONCLUSIVE: INCONCLUSIVE}
BATCH = 1_000

# -- credentials


def credentials_list(call: Call) -> Answer:
    """Credentials, the newest first."""
    with call.tool.database.read() as session:
        found = inventory.credentials(session, call.arguments.organisation)
    rows = [{**row, "url": call.tool.issuing.urls.credential(str(row["id"]))} for row in found]
    return Answer(rows, table(rows, ("id", "status", "is_public", "achievement", "issued_at", "url")))


def credentials_show(call: Call) -> Answer:
    """One credential: what is recorded about it, and the signed document itself."""
    row = _shown(call, call.arguments.credential)
    plain = {name: value for name, value in row.items() if name != "document"}
    # Indented, which the proof does not mind: the stored bytes are in the answer for programs.
    document = to_json(json.loads(row["document"])) if row["document"] else "not signed yet"
    return Answer(row, [*fields(plain), "", document])


def credentials_issue(call: Call) -> Answer:
    """Issue the credentials of awards that wait for theirs, or of one award."""
    if call.arguments.award:
        credential_id = call.tool.issuing.issue_credential(call.arguments.award)
        if credential_id is None:
            detail = f"no award {call.arguments.award}; named none, this issues all that wait"
            raise NotFound(ErrorCode.NOT_FOUND, detail)
        issued = {call.arguments.award: credential_id}
        return Answer({"issued": issued, "failed": {}}, [f"issued {credential_id}"])
    issued = {}
    failed: dict[str, str] = {}
    waiting = call.tool.issuing.awards_without_credential(BATCH)
    while todo := [award_id for award_id in waiting if award_id not in failed]:
        for award_id in todo:
            # One by one: an award whose text cannot be signed must not stop the others.
            try:
                credential_id = call.tool.issuing.issue_credential(award_id)
            except ToolError as error:
                failed[award_id] = error.code.value
                continue
            if credential_id is None:
                failed[award_id] = ErrorCode.CREDENTIAL_NOT_FOUND.value
            else:
                issued[award_id] = credential_id
            call.progress.say(f"{len(issued)} issued")
        waiting = call.tool.issuing.awards_without_credential(BATCH + len(failed))
    call.progress.clear()
    lines = [
        f"{len(issued)} issued",
        *(f"award {award_id} failed: {code}" for award_id, code in failed.items()),
    ]
    return Answer({"issued": issued, "failed": failed}, lines, FAILED if failed else DONE)


def credentials_revoke(call: Call) -> Answer:
    """Revoke a credential for good, with a reason that its holder and the public see."""
    tool = call.tool
    revoked = tool.issuing.revoke_credential(call.arguments.credential, call.arguments.reason, "cli")
    # Now, and not when a worker comes to it: whoever revokes wants to see it revoked.
    tool.issuing.sign_status_list(revoked.status_list_id)
    row = _shown(call, call.arguments.credential)
    return Answer(row, [f"revoked {revoked.id}: {revoked.revocation_reason}"])


def _shown(call: Call, credential_id: str) -> dict[str, Any]:
    with call.tool.database.read() as session:
        view = store.credential(session, credential_id)
    if view is None:
        raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {credential_id}")
    status = "revoked" if view.revoked_at else "issued" if view.document else "unsigned"
    return {**asdict(view), "status": status, "url": call.tool.issuing.urls.credential(credential_id)}


# -- verify


def verify(call: Call) -> Answer:
    """Judge anybody's badge: a file, a web address, or standard input."""
    source = call.arguments.source
    verifying = call.tool.verifying
    if source.startswith(("https://", "http://")):
        report = verifying.verify_url(source)
    else:
        report = verifying.verify(_read(source))
    return Answer(report.as_json(), _lines(report), _STATUS[report.verdict])


def _read(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise RequestInvalid(
            ErrorCode.REQUEST_INVALID, f"{source} cannot be read: {error.strerror or type(error).__name__}"
        ) from error


def _lines(report: Report) -> list[str]:
    marks = {"passed": "ok", "failed": "FAILED", "could_not_check": "could not check", "skipped": "skipped"}
    return [
        report.verdict.value,
        *(f"  {marks[step.outcome.value]:15}  {step.name}: {step.detail}" for step in report.steps),
    ]
