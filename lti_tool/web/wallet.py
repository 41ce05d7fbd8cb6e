"""A learner's badges, inside the course."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("wallet", __name__)


@blueprint.page("/wallet", methods=["GET"])
def show() -> str:
    """Earned, in progress with what is missing, and how fresh all that is."""
    view = current_tool().wallet.view(current_session())
    return render_template("pages/wallet/show.html", view=view)


@blueprint.page("/credentials/<credential_id>/sharing", methods=["POST"])
def set_sharing(credential_id: str) -> Response:
    """Share a badge with the public, or stop."""
    is_public = request.form.get("is_public") == "yes"
    current_tool().sharing.set_public(current_session(), credential_id, is_public)
    return redirect(url_for("wallet.show", open=credential_id, _anchor=f"badge-{credential_id}"), 303)
