"""Who holds badges, why, and taking one back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services.administering import REASON_LENGTH
from lti_tool.services.staffing import Acting
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


@blueprint.get("/holders/ending")
def ending() -> Response:
    """The badges that end soon, or have ended lately."""
    organisation_id = current_staff().organisation_id
    return page(
        "ending", view=current_tool().ending_soon.of_organisation(organisation_id, page=number_of_page())
    )


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
    return _asked("revoke", credential_id, Typed({}))


def _asked(name: str, credential_id: str, form: Typed, status: int = 200) -> Response:
    badge, learner = current_tool().overview.credential(current_staff().organisation_id, credential_id)
    return page(name, status, badge=badge, learner=learner, form=form, most=REASON_LENGTH)


@blueprint.post("/credentials/<credential_id>/revoke")
def revoke(credential_id: str) -> AnyResponse:
    """Revoke a badge for good."""
    return _taken_back("revoke", credential_id, current_tool().administering.revoke_credential, "revoked")


@blueprint.get("/credentials/<credential_id>/suspend")
def ask_pause(credential_id: str) -> Response:
    """What suspending does, and the reason that it needs."""
    current_staff().require(Permission.REVOKE)
    return _asked("suspend", credential_id, Typed({}))


@blueprint.post("/credentials/<credential_id>/suspend")
def suspend(credential_id: str) -> AnyResponse:
    """Pause a badge."""
    return _taken_back("suspend", credential_id, current_tool().administering.suspend_credential, "suspended")


def _taken_back(
    name: str, credential_id: str, take_back: Callable[[Acting, str, str], str], what: str
) -> AnyResponse:
    values = typed()
    try:
        learner_id = take_back(current_staff(), credential_id, values.get("reason", ""))
    except RequestInvalid as error:
        return _asked(name, credential_id, Typed(values, problems_of(error)), 422)
    except Conflict:
        # Somebody else was faster: the page tells the reason that stands.
        return _asked(name, credential_id, Typed(values), 409)
    return done("staff.holders.holder", what, learner_id=learner_id)


@blueprint.post("/credentials/<credential_id>/resume")
def resume(credential_id: str) -> AnyResponse:
    """End the pause of a badge."""
    learner_id = current_tool().administering.resume_credential(current_staff(), credential_id)
    return done("staff.holders.holder", "resumed", learner_id=learner_id)
