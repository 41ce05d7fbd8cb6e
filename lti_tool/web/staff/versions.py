"""The next version of a micromodule, published by the organisation's staff for every course that has it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.web import composing, desks, skills, writing
from lti_tool.web.desks import Desk
from lti_tool.web.headers import PICTURE_POLICY
from lti_tool.web.public import existing
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff
from lti_tool.web.versions import answer_review, press_button, show_form, show_holders, show_review

blueprint = Blueprint("versions", __name__)


@blueprint.url_value_preprocessor
def _take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    composing.make_room(endpoint, f"staff.{blueprint.name}", press)


def _desk(micromodule_id: str) -> Desk:
    return desks.on_staff(blueprint.name, micromodule_id, current_staff())


@blueprint.get("/micromodules/<micromodule_id>/version")
def begin(micromodule_id: str) -> AnyResponse:
    """The form of the next version."""
    return show_form(_desk(micromodule_id))


@blueprint.post("/micromodules/<micromodule_id>/version")
def press(micromodule_id: str) -> AnyResponse:
    """One of the form's buttons."""
    return press_button(_desk(micromodule_id))


@blueprint.get("/micromodules/<micromodule_id>/version/review")
def review(micromodule_id: str) -> AnyResponse:
    """The old beside the new."""
    return show_review(_desk(micromodule_id))


@blueprint.post("/micromodules/<micromodule_id>/version/review")
def publish(micromodule_id: str) -> AnyResponse:
    """Try it on holders, or publish it."""
    home = "staff.catalogue.micromodule"
    told = url_for(home, micromodule_id=micromodule_id, done="version_published")
    return answer_review(_desk(micromodule_id), published=told)


@blueprint.get("/micromodules/<micromodule_id>/version/holders")
def holders(micromodule_id: str) -> AnyResponse:
    """What would become of each badge."""
    return show_holders(_desk(micromodule_id))


@blueprint.get("/versions/skills")
def skill_results() -> Response:
    """Skills of the organisation's frameworks, as a part of the form."""
    return skills.results()


@blueprint.get("/versions/artwork.svg")
def preview_artwork() -> Response:
    """The picture as composed so far."""
    organisation_id = writing.organisation_id()
    fields = composing.artwork_of(request.args)
    if fields.get("picture_id"):
        svg = existing(current_tool().pictures.find(organisation_id, fields["picture_id"])).svg
    else:
        svg = current_tool().configuring.preview_artwork(fields)
    response = make_response(svg)
    response.mimetype = "image/svg+xml"
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    return response
