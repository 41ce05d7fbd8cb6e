"""What is stored about one person: for owners, who hand it out and erase it."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict
from lti_tool.services.privacy import PersonView
from lti_tool.web.i18n import language_tag
from lti_tool.web.privacy import download
from lti_tool.web.privacy_words import export_words
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff, done, page

blueprint = Blueprint("personal_data", __name__)


def _person(learner_id: str) -> PersonView:
    """A learner of the organisation.

    :raises NotAllowed: unless the role permits. :raises NotFound: LEARNER_NOT_FOUND.
    """
    staff = current_staff()
    staff.require(Permission.MANAGE_PERSONAL_DATA)
    return current_tool().privacy.person(staff.organisation_id, learner_id)


@blueprint.get("/holders/<learner_id>/data")
def show(learner_id: str) -> Response:
    """How much is stored, by kind."""
    return page("holder_data", person=_person(learner_id))


@blueprint.post("/holders/<learner_id>/data/export")
def export(learner_id: str) -> Response:
    """Everything, as a file."""
    person = _person(learner_id)
    archive = current_tool().privacy.export(person, current_staff().actor, export_words(), language_tag())
    return download(archive, learner_id)


@blueprint.get("/holders/<learner_id>/data/erase")
def ask(learner_id: str) -> Response:
    """What erasing deletes, exactly, and what follows from it."""
    return _asking(learner_id)


def _asking(
    learner_id: str, status: int = 200, *, is_unconfirmed: bool = False, has_changed: bool = False
) -> Response:
    return page(
        "holder_erase",
        status,
        person=_person(learner_id),
        is_unconfirmed=is_unconfirmed,
        has_changed=has_changed,
    )


@blueprint.post("/holders/<learner_id>/data/erase")
def erase(learner_id: str) -> AnyResponse:
    """Erase the person for good, once that was confirmed for what was shown."""
    person = _person(learner_id)
    if request.form.get("confirm") != "yes":
        return _asking(learner_id, 422, is_unconfirmed=True)
    try:
        current_tool().privacy.erase(person, current_staff().actor, seen=request.form.get("seen", ""))
    except Conflict:
        return _asking(learner_id, 409, has_changed=True)
    return done("staff.holders.show", "erased")
