"""Correcting what a published badge says: a form, the old beside the new, and how far its badges are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.credentials.artwork import SHAPES, icon_names
from lti_tool.credentials.uploads import MAXIMUM_BYTES, MEDIA_TYPES
from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services import correcting as limits
from lti_tool.services import micromodule_form
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.reissuing import REASON_LENGTH
from lti_tool.web.composing import sent_file
from lti_tool.web.correction_words import correction_problem
from lti_tool.web.headers import PICTURE_POLICY
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed
from lti_tool.web.wording import icon_word, problem_sentence, shape_word

if TYPE_CHECKING:
    from lti_tool.services.correcting import CorrectionView

blueprint = Blueprint("corrections", __name__)

LIMITS = {
    "name": micromodule_form.NAME_LENGTH,
    "description": micromodule_form.DESCRIPTION_LENGTH,
    "criteria_narrative": limits.NARRATIVE_LENGTH,
    "image_alt": micromodule_form.ALT_LENGTH,
    "reason": REASON_LENGTH,
}
FORM_BYTES = 64 * 1024
"""Of the form beside its picture."""
NOT_OF_THE_FORM = frozenset(("action", "mark", "reason", "picture"))


@blueprint.url_value_preprocessor
def _take_file(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let this one form be as large as its file; the limit stands before the CSRF token is looked for."""
    if endpoint == f"staff.{blueprint.name}.{correct.__name__}" and request.method == "POST":
        request.max_content_length = MAXIMUM_BYTES + FORM_BYTES


@blueprint.get("/achievements/<version_id>/correct")
def ask(version_id: str) -> Response:
    """What a version says, to be put right."""
    return _form(current_tool().correcting.open(current_staff(), version_id))


@blueprint.post("/achievements/<version_id>/correct")
def correct(version_id: str) -> AnyResponse:
    """Show the old beside the new, or make the correction."""
    staff, correcting = current_staff(), current_tool().correcting
    values, action = typed(), request.form.get("action", "preview")
    fields = {name: value for name, value in values.items() if name not in NOT_OF_THE_FORM}
    view = correcting.open(staff, version_id)
    view = replace(view, fields={**dict.fromkeys(limits.FIELDS, ""), **fields})
    try:
        if action == "edit":
            return _form(view)
        fields |= _sent_picture()
        if action == "correct":
            run = {"reason": values.get("reason", ""), "mark": values.get("mark", "")}
            correcting.correct(staff, version_id, fields, **run)
            return done("staff.corrections.ask", "corrected", version_id=version_id)
        return _confirm(correcting.preview(staff, version_id, fields), Typed({}))
    except Conflict:
        sentence = correction_problem("corrected_meanwhile") or ""
        return _form(view, Typed({}, {limits.WHOLE: sentence}), 409)
    except RequestInvalid as error:
        problems = problems_of(error)
        if action == "correct" and set(problems) == {"reason"}:
            # Everything else of it is good: it was shown before.
            return _confirm(correcting.preview(staff, version_id, fields), Typed(values, problems), 422)
        return _form(view, Typed({}, problems), 422)


def _sent_picture() -> dict[str, str]:
    """The picture that was sent along, kept as ours."""
    content = sent_file()
    if content is None:
        return {}
    staff = current_staff()
    staff.require(Permission.EDIT_MICROMODULES)
    kept = current_tool().pictures.accept(staff.organisation_id, content, staff.actor)
    return {"picture_id": kept.id}


@blueprint.get("/achievements/<version_id>/correct/picture.svg")
def picture(version_id: str) -> Response:
    """The picture as it would be."""
    fields = {name: request.args.get(name, "") for name in limits.PICTURE_FIELDS}
    svg = current_tool().correcting.draw(current_staff(), fields)
    if svg is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"no picture for {version_id}")
    response = make_response(svg)
    response.mimetype = "image/svg+xml"
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    return response


@blueprint.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """More than any picture: said in the form, not on a page of its own."""
    sentence = problem_sentence(FormProblem.PICTURE_TOO_LARGE, {"megabytes": MAXIMUM_BYTES // 1024**2})
    version_id = (request.view_args or {}).get("version_id", "")
    view = current_tool().correcting.open(current_staff(), version_id)
    return _form(view, Typed({}, {"picture": sentence}), 422)


def _form(view: CorrectionView, form: Typed | None = None, status: int = 200) -> Response:
    icons = sorted(((name, icon_word(name)) for name in icon_names()), key=lambda choice: choice[1])
    return page(
        "correction",
        status,
        view=view,
        form=Typed(view.fields, form.sentences if form else {}),
        limits=LIMITS,
        shapes=[(name, shape_word(name)) for name in SHAPES],
        icons=icons,
        picture_types=",".join(MEDIA_TYPES),
        picture_megabytes=MAXIMUM_BYTES // 1024**2,
    )


def _confirm(view: CorrectionView, form: Typed, status: int = 200) -> Response:
    return page(
        "correction_confirm",
        status,
        view=view,
        form=form,
        limits=LIMITS,
        look={name: view.fields[name] for name in limits.PICTURE_FIELDS if view.fields.get(name)},
    )
