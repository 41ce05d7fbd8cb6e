"""What those who teach look into: what would happen, why it did, who is how far; and publishing."""

from __future__ import annotations

from flask import redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("insight", __name__)


@blueprint.page("/course/placements/<placement_id>/publish", methods=["POST"])
def publish(placement_id: str) -> AnyResponse:
    """Make a draft active, from which on it awards; again, it changes nothing."""
    current_tool().publishing.publish(current_session(), placement_id)
    return redirect(url_for("course.show", _anchor=f"placement-{placement_id}"), 303)
