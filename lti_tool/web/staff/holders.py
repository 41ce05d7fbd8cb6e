"""Who holds badges, why, and taking one back."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services.administering import REASON_LENGTH
from lti_tool.store.holders import STATES, HolderFilter
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, number_of_page, page, problems_of, typed

blueprint = Blueprint("holders", __name__)

PER_PAGE = 50
QUERY_LENGTH = 200


@blueprint.get("/holders")
def show() -> Response:
    """The people with badges: found by name, narrowed by micromodule."""
    state = request.args.get("state", "")
    wanted = HolderFilter(
        query=request.args.get("q", "").strip()[:QUERY_LENGTH],
        micromodule_id=request.args.get("micromodule") or None,
        state=state if state in STATES else None,
    )
    view = current_tool().overview.holders(
        current_staff().organisation_id, wanted, page=number_of_page(), per_page=PER_PAGE
    )
    return page("holders", view=view)


@blueprint.get("/holders/<learner_id>")
def holder(learner_id: str) -> Response:
    """One person: badges, and the reasons of each decision."""
    return page("holder", view=current_tool().overview.holder(current_staff().organisation_id, learner_id))


@blueprint.get("/credentials/<credential_id>")
def credential(credential_id: str) -> AnyResponse:
    """Whose badge it is: the audit log knows badges by their ids only."""
    _, learner = current_tool().overview.credential(current_staff().organisation_id, credential_id)
    return redirect(url_for("staff.holders.holder", learner_id=learner.id), 303)


@blueprint.get("/credentials/<credential_id>/revoke")
def ask_reason(credential_id: str) -> Response:
    """What revoking does, and the reason that it needs."""
    current_staff().require(Permission.REVOKE)
    return _revocation(credential_id, Typed({}))


def _revocation(credential_id: str, form: Typed, status: int = 200) -> Response:
    badge, learner = current_tool().overview.credential(current_staff().organisation_id, credential_id)
    return page("revoke", status, badge=badge, learner=learner, form=form, most=REASON_LENGTH)


@blueprint.post("/credentials/<credential_id>/revoke")
def revoke(credential_id: str) -> AnyResponse:
    """Revoke a badge for good."""
    values = typed()
    try:
        learner_id = current_tool().administering.revoke_credential(
            current_staff(), credential_id, values.get("reason", "")
        )
    except RequestInvalid as error:
        return _revocation(credential_id, Typed(values, problems_of(error)), 422)
    except Conflict:
        # Somebody else was faster: the page tells the reason that stands.
        return _revocation(credential_id, Typed(values), 409)
    return done("staff.holders.holder", "revoked", learner_id=learner_id)
