"""``credentials`` and ``verify``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, fields, table, to_json
from lti_tool.credentials.verification import Report, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid, ToolError
from lti_tool.services.staffing import Operator
from lti_tool.services.verifying import Verifier
from lti_tool.store import credentials as store
from lti_tool.store import inventory

INVALID, INCONCLUSIVE = 3, 4
"""Exit status of ``verify`` beside 0 for a valid credential."""

_STATUS = {Verdict.VALID: DONE, Verdict.INVALID: INVALID, Verdict.INCONCLUSIVE: INCONCLUSIVE}
BATCH = 1_000

# -- credentials


def credentials_list(call: Call) -> Answer:
    """Credentials, the newest first."""
    given, now = call.arguments, call.tool.clock()
    until = None if given.ending_within is None else now + timedelta(days=given.ending_within)
    with call.tool.database.read() as session:
        found = inventory.credentials(session, given.organisation, now, ending_until=until)
    rows = [{**row, "url": call.tool.issuing.urls.credential(str(row["id"]))} for row in found]
    dated = "issued_at" if until is None else "valid_until"
    return Answer(rows, table(rows, ("id", "status", "is_public", "achievement", dated, "url")))


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
    """Revoke credentials for good, with a reason that holders and the public see."""
    tool = call.tool
    # Several may be of several organisations; whatever is not there stops it before anything is done.
    found = [_found(call, credential_id) for credential_id in call.arguments.credential]
    owned: dict[str, list[str]] = {}
    for view in found:
        owned.setdefault(view.organisation_id, []).append(view.id)
    for organisation_id, credential_ids in owned.items():
        tool.revoking.revoke_many(organisation_id, credential_ids, call.arguments.reason, "cli")
    # Now, and not when a worker comes to it: whoever revokes wants to see it revoked.
    for status_list_id in sorted({view.status_list_id for view in found}):
        tool.status_lists.sign(status_list_id)
    rows = [_shown(call, view.id) for view in found]
    lines = [f"revoked {row['id']}: {row['revocation_reason']}" for row in rows]
    return Answer(rows[0] if len(rows) == 1 else rows, lines)


def credentials_suspend(call: Call) -> Answer:
    """Pause a credential whose badge allows it, with a reason that its holder and the public see."""
    view = call.tool.revoking.suspend(call.arguments.credential, call.arguments.reason, "cli")
    call.tool.status_lists.sign(view.status_list_id)
    return Answer(_shown(call, view.id), [f"suspended {view.id}: {view.suspension_reason}"])


def credentials_resume(call: Call) -> Answer:
    """End the pause of a credential."""
    view = call.tool.revoking.resume(call.arguments.credential, "cli")
    call.tool.status_lists.sign(view.status_list_id)
    return Answer(_shown(call, view.id), [f"resumed {view.id}"])


def credentials_reissue(call: Call) -> Answer:
    """Sign credentials anew under their ids: their addresses serve the new text, older copies stay valid."""
    given, reissuing = call.arguments, call.tool.reissuing
    with call.tool.database.read() as session:
        first = store.credential(session, given.credential[0])
    if first is None:
        raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {given.credential[0]}")
    run = reissuing.reissue(
        Operator(first.organisation_id), given.credential, given.reason, as_recorded=given.as_recorded
    )
    reissuing.work(run.id, lambda done, total: call.progress.say(f"{done} of {total or '?'} signed anew"))
    call.progress.clear()
    run = reissuing.run(first.organisation_id, run.id)
    # The worker may have been quicker to take it.
    left = "; the worker goes on with the others" if run.is_open else ""
    lines = [f"{run.done} signed anew{left}"]
    return Answer(asdict(run), lines, FAILED if run.counts.get("failed") else DONE)


def _shown(call: Call, credential_id: str) -> dict[str, Any]:
    view = _found(call, credential_id)
    state = view.state(call.tool.clock())
    return {
        **asdict(view),
        "status": "issued" if state is BadgeState.ACTIVE else state.value,
        "url": call.tool.issuing.urls.credential(credential_id),
    }


def _found(call: Call, credential_id: str) -> store.CredentialView:
    with call.tool.database.read() as session:
        view = store.credential(session, credential_id)
    if view is None:
        raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {credential_id}")
    return view


# -- verify


def verify(call: Call) -> Answer:
    """Judge anybody's badge: a file, a web address, or standard input."""
    return judge(call.tool.verifying, call.arguments.source)


def judge(verifying: Verifier, source: str) -> Answer:
    """The same wherever it is asked: where nothing is set up, the bytes are judged all the same.

    :param source: a file, a web address, or ``-``.
    """
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
    lines = [
        report.verdict.value,
        *(f"  {marks[step.outcome.value]:15}  {step.name}: {step.detail}" for step in report.steps),
    ]
    for one in report.credentials:
        said = one.credential.id or "" if one.credential else ""
        lines.append(f"  {one.verdict.value:15}  {said}{f' ({one.doubt.detail})' if one.doubt else ''}")
    return lines
