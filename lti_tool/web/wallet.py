"""A learner's badges, inside the course."""

from __future__ import annotations

from typing import Literal

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from lti_tool.web.pathway_map import draw
from lti_tool.web.pathway_words import map_words, set_words
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("wallet", __name__)


@blueprint.page("/wallet", methods=["GET"])
def show() -> str:
    """Earned, in progress with what is missing, and how fresh all that is."""
    session = current_session()
    view = current_tool().wallet.view(session)
    joined = current_tool().persons.elsewhere(session)
    return render_template("pages/wallet/show.html", view=view, joined=joined)


@blueprint.page("/credentials/<credential_id>.<any(json, jwt, png, svg):kind>", methods=["GET"])
def download(credential_id: str, kind: Literal["json", "jwt", "png", "svg"]) -> Response:
    """One's own badge as a file, shared or not: the signed JSON, a token, or the picture with it inside."""
    sharing, session = current_tool().sharing, current_session()
    if kind == "json":
        response = make_response(sharing.own_document(session, credential_id))
        response.mimetype = "application/vc+ld+json"
    elif kind == "jwt":
        response = make_response(current_tool().tokens.own(session, credential_id))
        response.mimetype = "text/plain"
    else:
        response = make_response(sharing.own_picture(session, credential_id, kind))
        response.mimetype = "image/png" if kind == "png" else "image/svg+xml"
    response.headers["Content-Disposition"] = f'attachment; filename="badge-{credential_id[:8]}.{kind}"'
    return response


@blueprint.page("/wallet/path/<achievement_id>", methods=["GET"])
def path(achievement_id: str) -> str:
    """The steps to a badge, as a map and as a list, and how far one is."""
    view = current_tool().pathways.path(current_session(), achievement_id)
    locale = get_locale()
    drawn = draw(
        view,
        map_words(is_personal=view.is_personal),
        is_rtl=locale is not None and locale.text_direction == "rtl",
    )
    called = set_words(is_personal=view.is_personal)
    return render_template("pages/wallet/path.html", view=view, drawn=drawn, called=called)


@blueprint.page("/wallet/record.<any(json, jwt):kind>", methods=["GET"])
def record(kind: Literal["json", "jwt"]) -> Response:
    """All of one's own badges in one signed file."""
    return record_file(current_tool().transcripts.own(current_session(), kind), kind)


def record_file(made: bytes, kind: str) -> Response:
    """A learner's record as a file that nobody keeps on the way."""
    response = make_response(made)
    response.mimetype = "application/vc+ld+json" if kind == "json" else "text/plain"
    response.headers["Content-Disposition"] = f'attachment; filename="learner-record.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.page("/credentials/<credential_id>/sharing", methods=["POST"])
def set_sharing(credential_id: str) -> Response:
    """Share a badge with the public, or stop."""
    is_public = request.form.get("is_public") == "yes"
    current_tool().sharing.set_public(current_session(), credential_id, is_public)
    return redirect(url_for("wallet.show", open=credential_id, _anchor=f"badge-{credential_id}"), 303)
