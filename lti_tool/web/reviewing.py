"""Submission review (1.0): from one cell of the LMS's gradebook to that learner's work.

Who opens it is not for the LMS to say: Moodle lets anybody of the course ask for anybody's. Those who teach
see the learner's explanation; a learner who opens their own work sees the wallet.
"""

from __future__ import annotations

from flask import make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("reviewing", __name__)


@blueprint.page("/review", methods=["GET"])
def show() -> AnyResponse:
    """The learner's explanation and what they handed in, for the badge whose column was opened.

    :raises NotAllowed: for somebody else's work, unless the person may see everybody's progress.
    :raises NotFound: in a session that was begun for something else.
    """
    session = current_session()
    if session.purpose != "review":
        raise NotFound(ErrorCode.NOT_FOUND, "no submission review")
    if not session.can_view_progress:
        if session.subject_id == session.learner_id:
            return redirect(url_for("wallet.show"), 303)
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "somebody else's work")
    if session.placement_id is None:
        return _nothing("column")
    if session.subject_id is None:
        return _nothing("person")
    try:
        view = current_tool().explaining.learner(session, session.placement_id, session.subject_id)
    except NotFound as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return _nothing("person")
    return make_response(render_template("pages/course/learner.html", view=view))


def _nothing(reason: str) -> AnyResponse:
    """There is nothing to look at, and why."""
    return make_response(render_template("pages/course/nothing_to_review.html", reason=reason), 404)
