"""What came with a copied course: an instructor looks at it, and takes it over or leaves it behind."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("copies", __name__)


@blueprint.page("/course/copy", methods=["GET"])
def show() -> str:
    """The badges of the copy, what is there of each, and what to look at."""
    view = current_tool().copying.view(current_session())
    return render_template("pages/course/copy.html", view=view)


@blueprint.page("/course/copy", methods=["POST"])
def decide() -> AnyResponse:
    """Take over the badges that are ticked, or the one that the link asks about."""
    session, copying = current_session(), current_tool().copying
    action = request.form.get("action", "")
    if action == "take_over_link":
        copying.take_over_link(session)
        return redirect(url_for("copies.show"), 303)
    if action != "confirm":
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "neither confirm nor take_over_link")
    copying.confirm(session, request.form.getlist("placement_id"), request.form.getlist("shown_id"))
    return redirect(url_for("course.show"), 303)


@blueprint.page("/course/reset", methods=["POST"])
def acknowledge_reset() -> AnyResponse:
    """The instructor knows that the course was reset."""
    current_tool().copying.acknowledge_reset(current_session())
    return redirect(url_for("course.show"), 303)
