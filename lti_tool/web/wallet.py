"""A learner's badges, inside the course."""

from __future__ import annotations

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("wallet", __name__)


@blueprint.page("/wallet", methods=["GET"])
def show() -> str:
    """Earned, in progress with what is missing, and how fresh all that is."""
    view = current_tool().wallet.view(current_session())
    return render_template("pages/wallet/show.html", view=view)


@blueprint.page("/credentials/<credential_id>.<any(json, png):kind>", methods=["GET"])
def download(credential_id: str, kind: str) -> Response:
    """One's own badge as a file, shared or not: the signed JSON, or the picture with it inside."""
    sharing, session = current_tool().sharing, current_session()
    if kind == "json":
        response = make_response(sharing.own_document(session, credential_id))
        response.mimetype = "application/vc+ld+json"
    else:
        response = make_response(sharing.own_picture(session, credential_id))
        response.mimetype = "image/png"
    response.headers["Content-Disposition"] = f'attachment; filename="badge-{credential_id[:8]}.{kind}"'
    return response


@blueprint.page("/credentials/<credential_id>/sharing", methods=["POST"])
def set_sharing(credential_id: str) -> Response:
    """Share a badge with the public, or stop."""
    is_public = request.form.get("is_public") == "yes"
    current_tool().sharing.set_public(current_session(), credential_id, is_public)
    return redirect(url_for("wallet.show", open=credential_id, _anchor=f"badge-{credential_id}"), 303)
