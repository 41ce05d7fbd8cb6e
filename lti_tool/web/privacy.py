"""Personal data: an administrator's privacy launch, and everybody's own export."""

from __future__ import annotations

from typing import IO

from flask import Response, make_response, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services.privacy import PersonView
from lti_tool.web.i18n import language_tag
from lti_tool.web.privacy_words import export_words
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("privacy", __name__)


def download(archive: IO[bytes], learner_id: str) -> Response:
    """An export as a file that nobody keeps on the way."""
    response = send_file(
        archive,
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"personal-data-{learner_id[:8]}.zip",
        max_age=0,
    )
    response.headers["Cache-Control"] = "no-store"
    response.call_on_close(archive.close)
    return response


def _actor() -> str:
    return f"learner:{current_session().learner_id}"


def _person() -> PersonView:
    """Whom the launch is about.

    :raises NotFound: LEARNER_NOT_FOUND where nothing is stored about them.
    """
    found = current_tool().privacy.person_of_launch(current_session())
    if found is None:
        raise NotFound(ErrorCode.LEARNER_NOT_FOUND, "the privacy launch is about nobody known here")
    return found


@blueprint.page("/privacy", methods=["GET"])
def show() -> str:
    """Who is meant, and what is stored about them."""
    person = current_tool().privacy.person_of_launch(current_session())
    return render_template("pages/privacy/show.html", person=person)


@blueprint.page("/privacy/export", methods=["POST"])
def export() -> Response:
    """Everything about them, as a file."""
    person = _person()
    archive = current_tool().privacy.export(person, _actor(), export_words(), language_tag())
    return download(archive, person.subject.id)


@blueprint.page("/privacy/erase", methods=["GET"])
def ask() -> AnyResponse:
    """What erasing deletes, exactly, and what follows from it."""
    if current_tool().privacy.person_of_launch(current_session()) is None:
        return redirect(url_for("privacy.show"), 303)
    return _asking()


def _asking(status: int = 200, *, is_unconfirmed: bool = False, has_changed: bool = False) -> Response:
    return make_response(
        render_template(
            "pages/privacy/erase.html",
            person=_person(),
            is_unconfirmed=is_unconfirmed,
            has_changed=has_changed,
        ),
        status,
    )


@blueprint.page("/privacy/erase", methods=["POST"])
def erase() -> Response:
    """Erase them for good, once that was confirmed for what was shown."""
    person = _person()
    if request.form.get("confirm") != "yes":
        return _asking(422, is_unconfirmed=True)
    try:
        current_tool().privacy.erase(person, _actor(), seen=request.form.get("seen", ""))
    except Conflict:
        return _asking(409, has_changed=True)
    # Not a redirect: an administrator who erased themselves has no session any more.
    return make_response(render_template("pages/privacy/erased.html"))


@blueprint.page("/wallet/export", methods=["POST"])
def export_own() -> Response:
    """Everything about oneself, as a file."""
    session = current_session()
    archive = current_tool().privacy.export_own(session, export_words(), language_tag())
    return download(archive, session.learner_id)
