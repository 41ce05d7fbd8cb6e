"""Endorsements: what others say of the organisation's badges and issuers, and what it says of theirs."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services import endorsing as limits
from lti_tool.services.form_problems import FormProblem
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed
from lti_tool.web.verify import limiter
from lti_tool.web.wording import problem_sentence

blueprint = Blueprint("endorsements", __name__)


@blueprint.get("/endorsements")
def show() -> Response:
    """Everything on both sides, and the forms to endorse and to bring a file."""
    return _shown()


def _shown(status: int = 200, *, offer: Typed | None = None, brought: Typed | None = None) -> Response:
    view = current_tool().endorsing.of_organisation(current_staff())
    return page(
        "endorsements",
        status,
        view=view,
        issuers=[(one.id, one.name) for one in view.issuers],
        offer=offer or Typed({"address": request.args.get("address", "")[: limits.ADDRESS_LENGTH]}),
        brought=brought or Typed({}),
        comment_length=limits.COMMENT_LENGTH,
        address_length=limits.ADDRESS_LENGTH,
        largest=limits.FILE_BYTES // 1024,
    )


@blueprint.post("/endorsements")
def offer() -> AnyResponse:
    """Sign an endorsement and offer it."""
    values = typed()
    try:
        current_tool().endorsing.endorse(
            current_staff(),
            values.get("issuer_id", ""),
            values.get("address", ""),
            values.get("comment", ""),
        )
    except RequestInvalid as error:
        return _shown(422, offer=Typed(values, problems_of(error)))
    return done("staff.endorsements.show", "endorsement_offered")


@blueprint.post("/endorsements/import")
@limiter.limit("30 per minute")
def import_file() -> AnyResponse:
    """Take an endorsement that was signed elsewhere."""
    staff = current_staff()
    staff.require(Permission.ENDORSE)
    file = request.files.get("file")
    try:
        current_tool().endorsing.import_file(staff, file.read() if file else b"")
    except RequestInvalid as error:
        return _shown(422, brought=Typed({}, problems_of(error)))
    return done("staff.endorsements.show", "endorsement_imported")


@blueprint.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """Larger than any endorsement: said in the form, not on a page of its own."""
    sentence = problem_sentence(FormProblem.IMPORT_TOO_LARGE, {"limit": limits.FILE_BYTES // 1024})
    return _shown(413, brought=Typed({}, {"file": sentence}))


@blueprint.post("/endorsements/<endorsement_id>/decision")
def decide(endorsement_id: str) -> AnyResponse:
    """Let what somebody says of the organisation show, or not."""
    endorsing, staff = current_tool().endorsing, current_staff()
    match request.form.get("action"):
        case "accept":
            endorsing.accept(staff, endorsement_id)
            return done("staff.endorsements.show", "endorsement_accepted")
        case "refuse":
            endorsing.refuse(staff, endorsement_id)
            return done("staff.endorsements.show", "endorsement_refused")
    raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")


@blueprint.get("/endorsements/<endorsement_id>/withdraw")
def ask(endorsement_id: str) -> Response:
    """What happens when an endorsement is taken back."""
    staff = current_staff()
    staff.require(Permission.ENDORSE)
    return page("endorsement_withdraw", endorsement=current_tool().endorsing.given(staff, endorsement_id))


@blueprint.post("/endorsements/<endorsement_id>/withdraw")
def withdraw(endorsement_id: str) -> AnyResponse:
    """Take back what the organisation said of somebody."""
    current_tool().endorsing.withdraw(current_staff(), endorsement_id)
    return done("staff.endorsements.show", "endorsement_withdrawn")
