"""Deep linking: choose a micromodule, or describe a new one; nothing that was typed is ever lost."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.services.editing import Refusal
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web import composing, describing, skills
from lti_tool.web.choosing import choice_of, is_nothing, link_words
from lti_tool.web.criteria_words import narrate, narrate_in
from lti_tool.web.error_texts import text_of
from lti_tool.web.errors import answer_tool_error
from lti_tool.web.form_words import not_editable_sentence
from lti_tool.web.forms import (
    LIMITS,
    FormView,
    named_choices,
    named_form,
    with_alt,
    without_alt,
)
from lti_tool.web.headers import PICTURE_POLICY, allow_form_to
from lti_tool.web.i18n import language_tag
from lti_tool.web.public import existing
from lti_tool.web.recipes import Offered, advice, kind_word, kinds, recipes
from lti_tool.web.session import SessionBlueprint, current_session, current_tool, expired_session

if TYPE_CHECKING:
    from lti_tool.services.configuring import DeepLinkingAnswer

blueprint = SessionBlueprint("configure", __name__)

KEY_LENGTH = 64


@blueprint.url_value_preprocessor
def _take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    composing.make_room(endpoint, blueprint.name, submit, change)


@blueprint.page("/picker", methods=["GET"])
def pick() -> AnyResponse:
    """What this organisation has, and the way to something new; the form at once where it has nothing yet."""
    view = current_tool().configuring.picker(current_session())
    copy = current_tool().copying.state(current_session())
    has_choice = (
        copy.waiting or view.micromodules or view.gates or view.draft or view.edited or not view.takes_links
    )
    if not has_choice and "all" not in request.args:
        # A list of one thing is a click and a page for nothing; the form links to the rest of it.
        return redirect(url_for("configure.describe"), 303)
    return make_response(render_template("pages/configure/pick.html", view=view, copy=copy))


@blueprint.page("/picker", methods=["POST"])
def place() -> AnyResponse:
    """Send everything that was chosen back to the platform, or why it could not be placed."""
    configuring, session = current_tool().configuring, current_session()
    action = request.form.get("action", "")
    if action == "cancel":
        return _send(configuring.cancel(session, None, gettext("Nothing was added.")))
    choice = choice_of(request.form)
    try:
        if action == "keep":
            return _send(configuring.keep(session))
        if is_nothing(choice):
            view = configuring.picker(session)
            return make_response(
                render_template("pages/configure/pick.html", view=view, is_empty=True, copy=None), 422
            )
        return _send(configuring.choose(session, choice, link_words()))
    except (Conflict, NotFound, RequestInvalid) as error:
        return _failed(error)


def _failed(error: ToolError) -> Response:
    """What was chosen cannot be placed: back to the list, or to the platform, which is told so."""
    configuring, session = current_tool().configuring, current_session()
    text = text_of(error.code)
    answer = configuring.fail(session, gettext("Nothing was added. %(why)s", why=text.happened), error.code)
    allow_form_to(answer.return_url)
    page = render_template("pages/configure/failed.html", answer=answer, text=text, code=error.code)
    return make_response(page, error.status)


@blueprint.page("/micromodules/new", methods=["GET"])
def describe() -> str:
    """An empty form, or the one left unfinished."""
    session = current_session()
    view = current_tool().configuring.picker(session)
    draft = view.draft if request.args.get("draft") != "discard" else None
    form = (
        MicromoduleForm.from_fields(draft)
        if draft
        else named_form(view, session.context_title, describing.palette())
    )
    return _form(FormView(composing.with_artwork(form, describing.palette())), view)


@blueprint.page("/micromodules/new", methods=["POST"])
def submit() -> AnyResponse:
    """One of the form's buttons, each of which works without script; ``save`` is the script's alone."""
    configuring, session = current_tool().configuring, current_session()
    action = request.form.get("action", "preview")
    form = describing.typed()
    key = request.form.get("form_key", "")[:KEY_LENGTH]
    if action == "save":
        configuring.save_draft(session, form.to_fields())
        return Response(status=204)
    if action == "cancel":
        return _send(configuring.cancel(session, form.to_fields(), gettext("Nothing was added.")))
    view = configuring.picker(session)
    form, refused = describing.with_picture(named_choices(form, view))
    if refused:
        configuring.save_draft(session, form.to_fields())
        return make_response(_form(FormView(form, refused, key=key), view), 422)
    if action == "place":
        try:
            placed = configuring.describe(
                session, with_alt(form), narrate, language=language_tag(), key=key, words=link_words()
            )
            return _send(placed)
        except RequestInvalid as error:
            if error.code is not ErrorCode.FORM_INVALID:
                raise
            configuring.save_draft(session, form.to_fields())
            return make_response(_form(FormView(form, describing.problems(error), key=key), view), 422)
    answer = replace(describing.pressed(form, action, view), key=key)
    configuring.save_draft(session, answer.form.to_fields())
    return make_response(_form(answer, view), 422 if answer.problems else 200)


@blueprint.page("/course/placements/<placement_id>/edit", methods=["GET"])
def edit(placement_id: str) -> AnyResponse:
    """The form of a badge that is a draft still."""
    discards = request.args.get("draft") == "discard"
    try:
        view = current_tool().editing.open(current_session(), placement_id, discards=discards)
    except Conflict as error:
        return _not_editable(error, placement_id)
    shown = FormView(
        composing.with_artwork(without_alt(view.form), describing.palette()),
        placement_id=placement_id,
        revision=view.revision,
        is_unsaved=view.is_unsaved,
    )
    return make_response(_form(shown, view))


@blueprint.page("/course/placements/<placement_id>/edit", methods=["POST"])
def change(placement_id: str) -> AnyResponse:
    """The same buttons as those of a new badge, and ``change``, which saves; ``save`` keeps what is typed."""
    editing, session = current_tool().editing, current_session()
    action = request.form.get("action", "preview")
    shown = FormView(
        describing.typed(), placement_id=placement_id, revision=request.form.get("revision", "")[:KEY_LENGTH]
    )
    if action == "save":
        editing.save_draft(session, placement_id, shown.form.to_fields(), shown.revision)
        return Response(status=204)
    try:
        view = editing.open(session, placement_id, discards=True)
        form, refused = describing.with_picture(named_choices(shown.form, view))
        if refused:
            editing.save_draft(session, placement_id, form.to_fields(), shown.revision)
            return make_response(_form(replace(shown, form=form, problems=refused), view), 422)
        shown = replace(shown, form=form)
        if action == "change":
            editing.save(
                session,
                placement_id,
                with_alt(form),
                narrate_in,
                language=language_tag(),
                revision=shown.revision,
                forgets=request.form.get("forgets", 0, type=int),
            )
            kept = current_tool().own_columns.rename(session, placement_id)
            # Where the platform asked for it, its answer is still to be given.
            if session.deep_linking is not None:
                return redirect(url_for("configure.pick"), 303)
            return redirect(url_for("course.show", columns_kept=kept), 303)
    except Conflict as error:
        if error.code is not ErrorCode.CONFLICT:
            return _not_editable(error, placement_id)
        # Nothing typed is lost: who saves again has seen that somebody else was here.
        problem = Problem("criteria", FormProblem.CHANGED_MEANWHILE)
        answer = replace(shown, problems=(problem,), revision=view.revision)
        return make_response(_form(answer, view), error.status)
    except RequestInvalid as error:
        if error.code is not ErrorCode.FORM_INVALID:
            raise
        found = describing.problems(error)
        editing.save_draft(session, placement_id, form.to_fields(), shown.revision)
        # Whoever saves again has read what is lost.
        told = (one.params.get("number") for one in found if one.code is FormProblem.WORDS_LOST)
        forgets = next((number for number in told if isinstance(number, int)), 0)
        return make_response(_form(replace(shown, problems=found, forgets=forgets), view), 422)
    pressed = describing.pressed(form, action, view)
    answer = replace(pressed, placement_id=placement_id, revision=shown.revision)
    editing.save_draft(session, placement_id, answer.form.to_fields(), answer.revision)
    return make_response(_form(answer, view), 422 if answer.problems else 200)


def _not_editable(error: Conflict, placement_id: str) -> Response:
    """Why a badge cannot be changed, and what to do instead."""
    reason = str(error.params.get("reason", ""))
    page = render_template(
        "pages/configure/refused.html",
        reason=not_editable_sentence(reason),
        is_shown=reason != Refusal.NOT_SHOWN,
        code=error.code,
        placement_id=placement_id,
    )
    return make_response(page, error.status)


@blueprint.page("/course/placements/<placement_id>/criteria.json", methods=["GET"])
def export_criteria(placement_id: str) -> Response:
    """The criteria as a file, to be imported into another badge."""
    file = current_tool().editing.export(current_session(), placement_id)
    response = make_response(json.dumps(file.stored, ensure_ascii=False, indent=2) + "\n")
    response.mimetype = "application/json"
    response.headers.set("Content-Disposition", "attachment", filename=_file_name(file.name))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _file_name(name: str) -> str:
    """A name that every file system takes: what is not plain in a badge's name is left out."""
    plain = "-".join(re.findall(r"[a-z0-9]+", name.casefold()))[:60]
    return f"criteria-{plain}.json" if plain else "criteria.json"


@blueprint.errorhandler(NotAllowed)
def keep_what_was_typed(error: NotAllowed) -> Response:
    """A form that is sent when its session is over leaves its draft behind; the refusal says so."""
    forms = {f"{blueprint.name}.{view.__name__}" for view in (submit, change)}
    if error.code is ErrorCode.SESSION_EXPIRED and request.endpoint in forms:
        session = expired_session()
        placement_id = (request.view_args or {}).get("placement_id")
        if session is not None:
            fields = describing.typed().to_fields()
            # Whoever may not place or change anything has typed nothing either.
            with suppress(NotAllowed, NotFound):
                if placement_id is None:
                    current_tool().configuring.save_draft(session, fields)
                else:
                    revision = request.form.get("revision", "")[:KEY_LENGTH]
                    current_tool().editing.save_draft(session, placement_id, fields, revision)
                g.is_draft_kept = True
    return answer_tool_error(error)


@blueprint.page("/micromodules/artwork.svg", methods=["GET"])
def preview_artwork() -> Response:
    """The picture as composed so far."""
    if not current_session().can_configure:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)
    fields = composing.artwork_of(request.args)
    if fields.get("picture_id"):
        found = current_tool().pictures.find(current_session().organisation_id, fields["picture_id"])
        svg = existing(found).svg
    else:
        svg = current_tool().configuring.preview_artwork(fields)
    response = make_response(svg)
    response.mimetype = "image/svg+xml"
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    return response


@blueprint.page("/micromodules/skills", methods=["GET"])
def skill_results() -> Response:
    """Skills of the organisation's frameworks in which every word of ``q`` stands, as a part of the form."""
    return skills.results()


def _form(form: FormView, view: Offered) -> str:
    return render_template(
        "pages/configure/describe.html",
        form=form,
        view=view,
        limits=LIMITS,
        kinds=kinds(view),
        recipes=recipes(supports_mirror=view.supports_mirror, supports_gates=view.supports_gates),
        advice=advice,
        kind_word=kind_word,
        **composing.composer(form.form, describing.palette()),
    )


def _send(answer: DeepLinkingAnswer) -> Response:
    """A page that posts the signed answer to the platform: by script, else by its button."""
    allow_form_to(answer.return_url)
    return make_response(render_template("pages/configure/send.html", answer=answer))
