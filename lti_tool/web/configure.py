"""Deep linking: choose a micromodule, or describe a new one; nothing that was typed is ever lost."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.services import criteria_import
from lti_tool.services.editing import Refusal
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web.choosing import choice_of, is_nothing, link_words
from lti_tool.web.criteria_words import narrate
from lti_tool.web.error_texts import text_of
from lti_tool.web.errors import answer_tool_error
from lti_tool.web.form_words import not_editable_sentence
from lti_tool.web.forms import (
    LIMITS,
    FormView,
    artwork_of,
    change_rows,
    composer,
    named_choices,
    named_form,
    with_alt,
    with_artwork,
    without_alt,
)
from lti_tool.web.headers import allow_form_to
from lti_tool.web.i18n import language_tag
from lti_tool.web.recipes import Offered, advice, kind_word, kinds, recipes
from lti_tool.web.session import SessionBlueprint, current_session, current_tool, expired_session

if TYPE_CHECKING:
    from lti_tool.services.configuring import DeepLinkingAnswer

blueprint = SessionBlueprint("configure", __name__)

KEY_LENGTH = 64


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
    form = MicromoduleForm.from_fields(draft) if draft else named_form(view, session.context_title)
    return _form(FormView(with_artwork(form)), view)


@blueprint.page("/micromodules/new", methods=["POST"])
def submit() -> AnyResponse:
    """One of the form's buttons, each of which works without script; ``save`` is the script's alone."""
    configuring, session = current_tool().configuring, current_session()
    action = request.form.get("action", "preview")
    form = _typed()
    key = request.form.get("form_key", "")[:KEY_LENGTH]
    if action == "save":
        configuring.save_draft(session, form.to_fields())
        return Response(status=204)
    if action == "cancel":
        return _send(configuring.cancel(session, form.to_fields(), gettext("Nothing was added.")))
    view = configuring.picker(session)
    form = named_choices(form, view)
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
            return make_response(_form(FormView(form, _problems(error), key=key), view), 422)
    answer = replace(_pressed(form, action, view), key=key)
    configuring.save_draft(session, answer.form.to_fields())
    return make_response(_form(answer, view), 422 if answer.problems else 200)


def _typed() -> MicromoduleForm:
    return MicromoduleForm.from_fields(request.form.to_dict(flat=True))


def _problems(error: RequestInvalid) -> tuple[Problem, ...]:
    return cast("tuple[Problem, ...]", error.params.get("problems", ()))


def _pressed(form: MicromoduleForm, action: str, view: Offered) -> FormView:
    """What the form looks like after one of the buttons that save nothing."""
    recipe = request.form.get("recipe", "")
    pasted = request.form.get(criteria_import.FIELD, "").replace("\0", "")
    if action == "import":
        text = _uploaded() or pasted
        try:
            rules = criteria_import.import_rules(text)
        except criteria_import.ImportRefused as refused:
            return FormView(form, (refused.problem,), recipe=recipe, pasted=pasted)
        # What a file names by id is called as it is here, not as the file says.
        return FormView(named_choices(form.with_rules(rules), view), focus="in-words", recipe=recipe)
    shown = FormView(form, focus="in-words", recipe=recipe, pasted=pasted)
    if action == "simulate":
        return _simulated(shown, view)
    form, focus = change_rows(
        form,
        action,
        supports_mirror=view.supports_mirror,
        supports_gates=view.supports_gates,
        recipe=recipe,
    )
    return replace(shown, form=form, focus=focus)


def _uploaded() -> str:
    """The file to import, as text; what is not UTF-8 becomes text that is no JSON."""
    file = request.files.get("criteria_file")
    return "" if file is None else file.read().decode("utf-8-sig", errors="replace")


def _simulated(shown: FormView, view: Offered) -> FormView:
    """The rules in words, and who would earn it now by those that are complete."""
    if shown.asked is None:
        return shown
    if not view.is_known:
        return replace(shown, is_unknown_course=True)
    simulation = current_tool().simulating.criterion(
        current_session(), shown.asked, draft_id=shown.placement_id or None
    )
    return replace(shown, simulation=simulation)


@blueprint.page("/course/placements/<placement_id>/edit", methods=["GET"])
def edit(placement_id: str) -> AnyResponse:
    """The form of a badge that is a draft still."""
    discards = request.args.get("draft") == "discard"
    try:
        view = current_tool().editing.open(current_session(), placement_id, discards=discards)
    except Conflict as error:
        return _not_editable(error, placement_id)
    shown = FormView(
        with_artwork(without_alt(view.form)),
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
        _typed(), placement_id=placement_id, revision=request.form.get("revision", "")[:KEY_LENGTH]
    )
    if action == "save":
        editing.save_draft(session, placement_id, shown.form.to_fields(), shown.revision)
        return Response(status=204)
    try:
        view = editing.open(session, placement_id, discards=True)
        form = named_choices(shown.form, view)
        if action == "change":
            editing.save(
                session,
                placement_id,
                with_alt(form),
                narrate,
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
        found = _problems(error)
        editing.save_draft(session, placement_id, form.to_fields(), shown.revision)
        # Whoever saves again has read what is lost.
        told = (one.params.get("number") for one in found if one.code is FormProblem.WORDS_LOST)
        forgets = next((number for number in told if isinstance(number, int)), 0)
        return make_response(_form(replace(shown, problems=found, forgets=forgets), view), 422)
    pressed = _pressed(form, action, view)
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
            fields = _typed().to_fields()
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
    svg = current_tool().configuring.preview_artwork(artwork_of(request.args))
    response = make_response(svg)
    response.mimetype = "image/svg+xml"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


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
        **composer(form.form),
    )


def _send(answer: DeepLinkingAnswer) -> Response:
    """A page that posts the signed answer to the platform: by script, else by its button."""
    allow_form_to(answer.return_url)
    return make_response(render_template("pages/configure/send.html", answer=answer))
