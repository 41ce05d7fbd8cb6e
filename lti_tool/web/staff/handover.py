"""From a course page in its frame to the staff pages in a window of their own, for an LMS's administrator.

The session cookie of the frame belongs to the LMS's site (CHIPS) and does not come along into a new window,
so the frame gets a link that signs in once; its token stands in the fragment, and in no log.
"""

from __future__ import annotations

from flask import Response, make_response, render_template

from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("handover", __name__)


@blueprint.page("/staff", methods=["POST"])
def start() -> Response:
    """The link, for some minutes, to whoever's launch and registration allow it."""
    link = current_tool().staffing.hand_over(current_session())
    return make_response(render_template("pages/staff/hand_over.html", link=link))
