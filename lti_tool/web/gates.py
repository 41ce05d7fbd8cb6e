"""The page on which an instructor checks a gate: how it is restricted, who passes now, and is that right."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.gates import ConfirmationProblem
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("gates", __name__)


@blueprint.page("/course/gates/<gate_id>", methods=["GET"])
def show(gate_id: str) -> str:
    """Who passes, as read last; a reading that is under way is watched."""
    return _page(gate_id)


@blueprint.page("/course/gates/<gate_id>", methods=["POST"])
def change(gate_id: str) -> AnyResponse | tuple[str, int]:
    """Read again, or confirm what the page has shown."""
    session, gating = current_session(), current_tool().gating
    action = request.form.get("action", "")
    if action == "read":
        gating.read(session, gate_id)
        return redirect(url_for("gates.show", gate_id=gate_id, _anchor="who"), 303)
    if action != "confirm":
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "neither read nor confirm")
    try:
        placement_id = gating.confirm(session, gate_id, everybody=request.form.get("everybody") == "yes")
    except Conflict as error:
        if error.code is not ErrorCode.GATE_NOT_CONFIRMABLE:
            raise
        problem = ConfirmationProblem(str(error.params["problem"]))
        return _page(gate_id, problem), error.status
    return redirect(url_for("course.show", _anchor=f"setup-{placement_id}"), 303)


def _page(gate_id: str, refused: ConfirmationProblem | None = None) -> str:
    view = current_tool().gating.view(current_session(), gate_id)
    return render_template("pages/course/gate.html", view=view, refused=refused)
