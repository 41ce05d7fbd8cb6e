"""Files of awards and completions, for systems that keep students' records."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Literal

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services.records import RecordKind
from lti_tool.web.record_files import CONTENT_TYPES, FORMATS, pieces
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff, page
from lti_tool.web.wallet import record_file

blueprint = Blueprint("records", __name__)


@blueprint.get("/records")
def show() -> Response:
    """What there is to take, and since when."""
    staff = current_staff()
    staff.require(Permission.EXPORT_RECORDS)
    return page("records", counts=current_tool().records.counts(staff.organisation_id))


@blueprint.get("/holders/<learner_id>/record.<any(json, jwt):kind>")
def of_learner(learner_id: str, kind: Literal["json", "jwt"]) -> AnyResponse:
    """One person's badges in one signed file (CLR 2.0)."""
    staff = current_staff()
    staff.require(Permission.EXPORT_RECORDS)
    if request.method != "GET":
        return Response(status=204)
    made = current_tool().transcripts.of_learner(staff.organisation_id, learner_id, kind, staff.actor)
    return record_file(made, kind)


@blueprint.get("/records/<kind>.<format_>")
def download(kind: str, format_: str) -> Response:
    """The file, written while it is read."""
    staff = current_staff()
    staff.require(Permission.EXPORT_RECORDS)
    if kind not in list(RecordKind) or format_ not in FORMATS:
        raise NotFound(ErrorCode.NOT_FOUND, "no such file")
    wanted = RecordKind(kind)
    day = request.args.get("since", "")
    try:
        since = datetime.combine(date.fromisoformat(day), time.min, UTC) if day else None
    except ValueError:
        # Everybody's records would be a surprise to who asked for those of a day.
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "since: no day") from None
    records = current_tool().records
    # Whoever asks for the headers alone is given nothing, and so leaves no trace.
    is_taken = request.method == "GET"
    rows = records.take(staff.organisation_id, wanted, staff.actor, since) if is_taken else iter(())
    response = Response(pieces(wanted, format_, rows), content_type=CONTENT_TYPES[format_])
    response.headers["Content-Disposition"] = f'attachment; filename="{kind}.{format_}"'
    return response
