"""Switching a badge on for those who finished already: its form, who would get it, how far awarding is.

As with versions, the same pages serve somebody who teaches and the organisation's staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flask import (
    Response,
    make_response,
    redirect,
    render_template,
    request,
    stream_with_context,
)
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.comparing import form_changes
from lti_tool.services.completers import Completer
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.retroactive import BadgeForm, Retroactive
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.web import composing, describing, desks
from lti_tool.web.criteria_words import narrate
from lti_tool.web.csv_cells import harmless, line
from lti_tool.web.desks import Desk
from lti_tool.web.forms import LIMITS, FormView, with_alt, without_alt
from lti_tool.web.i18n import language_tag
from lti_tool.web.matrix_file import BYTE_ORDER_MARK
from lti_tool.web.session import SessionBlueprint, current_tool

blueprint = SessionBlueprint("retroactive", __name__)

KEY_LENGTH = 64
COLUMNS = (
    "name",
    "user_id",
    "course",
    "version",
    "met_at",
    "dated",
    "has_left",
    "facts_changed",
    "not_awarded",
    "criteria_met",
)


@blueprint.url_value_preprocessor
def _take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    composing.make_room(endpoint, blueprint.name, press)


def _desk(placement_id: str) -> Desk:
    return desks.teaching(blueprint.name, placement_id)


@blueprint.page("/course/placements/<placement_id>/badge", methods=["GET"])
def begin(placement_id: str) -> AnyResponse:
    """The form of the badge."""
    return show_form(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge", methods=["POST"])
def press(placement_id: str) -> AnyResponse:
    """One of the form's buttons."""
    return press_button(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge/people", methods=["GET"])
def people(placement_id: str) -> AnyResponse:
    """Who would get it."""
    return show_people(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge/people.csv", methods=["GET"])
def people_file(placement_id: str) -> AnyResponse:
    """The same as a file."""
    return send_people(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge/people", methods=["POST"])
def switch_on(placement_id: str) -> AnyResponse:
    """Switch the badge on, and begin to award it."""
    return begin_awarding(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge/awarding", methods=["GET"])
def awarding(placement_id: str) -> AnyResponse:
    """How far awarding is."""
    return show_awarding(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/badge/awarding", methods=["POST"])
def steer(placement_id: str) -> AnyResponse:
    """Pause, or go on."""
    return steer_awarding(_desk(placement_id))


# -- the pages, whoever's they are


def show_form(desk: Desk) -> AnyResponse:
    """The form: what the micromodule says, or what was typed since."""
    try:
        view = _service().begin(
            desk.author, desk.micromodule_id, discards=request.args.get("draft") == "discard"
        )
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    if "seen" in request.args:
        # Who begins anew has seen what the page before showed, and not what was saved since.
        view = replace(view, draft=request.args["seen"][:KEY_LENGTH])
    shown = FormView(
        composing.with_artwork(without_alt(view.form), describing.palette()), is_unsaved=view.is_unsaved
    )
    return make_response(_form(desk, shown, view))


def press_button(desk: Desk) -> AnyResponse:
    """The buttons of the form; ``people`` goes on to who would get it, ``save`` is the script's.

    Whichever is pressed, nothing is written over that a colleague has saved unseen.
    """
    service, action = _service(), request.form.get("action", "preview")
    draft = request.form.get("draft", "")[:KEY_LENGTH]
    form = describing.typed()
    try:
        view = service.begin(desk.author, desk.micromodule_id, discards=True)
        if action == "discard":
            service.discard(desk.author, desk.micromodule_id, draft=draft)
            return redirect(desk.home, 303)
        if action == "save":
            service.save(desk.author, desk.micromodule_id, form, draft=draft)
            return Response(status=204)
    except (NotAllowed, Conflict) as error:
        if action == "save":
            raise
        return _unsaved(desk, error, form)
    form, refused = describing.with_picture(form)
    try:
        return _pressed(desk, action, view, FormView(form, refused), draft)
    except (NotAllowed, Conflict) as error:
        return _unsaved(desk, error, form)


def _pressed(desk: Desk, action: str, view: BadgeForm, shown: FormView, draft: str) -> AnyResponse:
    answer = shown
    if not shown.problems and action != "people":
        answer = describing.pressed(shown.form, action, view)
    kept = with_alt(shown.form) if action == "people" else answer.form
    draft = _service().save(desk.author, desk.micromodule_id, kept, draft=draft)
    if not shown.problems and action == "people":
        try:
            _service().dry_run(desk.author, desk.micromodule_id, narrate, language=language_tag())
        except RequestInvalid as error:
            if error.code is not ErrorCode.FORM_INVALID:
                raise
            answer = replace(shown, problems=describing.problems(error))
        else:
            return redirect(desk.address("people"), 303)
    page = _form(desk, answer, replace(view, draft=draft))
    return make_response(page, 422 if answer.problems else 200)


def _unsaved(desk: Desk, error: NotAllowed | Conflict, form: MicromoduleForm) -> AnyResponse:
    """What a colleague saved, beside what was typed here: whoever goes on has seen both."""
    if error.params.get("reason") != UNSEEN:
        return _refused(desk, error)
    theirs = _service().begin(desk.author, desk.micromodule_id)
    return make_response(_form(desk, FormView(form), theirs, theirs=theirs.form), error.status)


def _form(desk: Desk, form: FormView, view: BadgeForm, *, theirs: MicromoduleForm | None = None) -> str:
    """The form.

    :param theirs: what a colleague saved, where it stands beside what is typed.
    """
    return render_template(
        "pages/retroactive/form.html",
        layout=desk.layout,
        desk=desk,
        form_address=desk.address("press"),
        form=replace(form, focus="") if form.focus == "in-words" else form,
        view=view,
        limits=LIMITS,
        found=None if theirs is None else form_changes(theirs, form.form, has_badge=True),
        before_picture=None if theirs is None else _drawn(theirs),
        after_picture=None if theirs is None else _drawn(form.form),
        **composing.composer(form.form, describing.palette()),
    )


def _drawn(form: MicromoduleForm) -> dict[str, str]:
    return {"src": composing.picture_address(form.artwork()), "alt": form.image_alt or form.name}


def show_people(desk: Desk) -> AnyResponse:
    """Who would get it: names, courses, reasons and dates."""
    try:
        view = _service().dry_run(
            desk.author,
            desk.micromodule_id,
            narrate,
            language=language_tag(),
            page=request.args.get("page", 1, type=int),
        )
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    except RequestInvalid as error:
        if error.code is not ErrorCode.FORM_INVALID:
            raise
        return redirect(desk.address("begin"), 303)
    if view.new is None:
        return redirect(desk.address("begin"), 303)
    return make_response(
        render_template("pages/retroactive/people.html", layout=desk.layout, desk=desk, view=view)
    )


def send_people(desk: Desk) -> AnyResponse:
    """Everybody, as a file that is written while it is read."""
    found = _service().people(desk.author, desk.micromodule_id)
    # Whoever asks for the headers alone is given nothing.
    rows = found if request.method == "GET" else iter(())
    response = Response(stream_with_context(lines_of(rows)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="completed.csv"'
    return response


def lines_of(rows: Iterable[Completer]) -> Iterator[str]:
    """The file, a line at a time; its columns are in docs/reference."""
    yield BYTE_ORDER_MARK + line(COLUMNS)
    for one in rows:
        met = [leaf for leaf in one.finding.leaves() if leaf.state.value == "met"] if one.finding else []
        yield line(
            (
                harmless(one.row.name or ""),
                harmless(one.row.user_id),
                harmless(one.row.course or ""),
                str(one.row.number),
                one.row.met_at.isoformat(),
                one.source.value,
                "yes" if one.row.has_left else "",
                "yes" if one.row.is_doubted else "",
                one.withheld.value if one.withheld is not None else "",
                str(len(met)) if one.finding else "",
            )
        )


def begin_awarding(desk: Desk) -> AnyResponse:
    """Switch the badge on that was looked at; who was too late is told how far it is."""
    try:
        _service().switch_on(
            desk.author,
            desk.micromodule_id,
            narrate,
            language=language_tag(),
            seen=request.form.get("mark", "")[:KEY_LENGTH],
        )
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    except RequestInvalid as error:
        if error.code is not ErrorCode.FORM_INVALID:
            raise
        return redirect(desk.address("begin"), 303)
    return redirect(desk.address("awarding"), 303)


def show_awarding(desk: Desk) -> AnyResponse:
    """How far awarding is, and what came of it."""
    try:
        run = _service().run_of(desk.author, desk.micromodule_id)
        name = _service().name_of(desk.author, desk.micromodule_id)
    except NotAllowed as error:
        return _refused(desk, error)
    if run is None:
        return redirect(desk.home, 303)
    return make_response(
        render_template("pages/retroactive/awarding.html", layout=desk.layout, desk=desk, run=run, name=name)
    )


def steer_awarding(desk: Desk) -> AnyResponse:
    """``pause`` or ``resume``."""
    service, action = _service(), request.form.get("action", "")
    if action not in ("pause", "resume"):
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    if action == "pause":
        service.pause(desk.author, desk.micromodule_id)
    else:
        service.resume(desk.author, desk.micromodule_id)
    return redirect(desk.address("awarding"), 303)


def _refused(desk: Desk, error: NotAllowed | Conflict) -> AnyResponse:
    """Why no badge is switched on here, and who can; where somebody did, how far it is."""
    if error.code is ErrorCode.BADGE_IS_ON:
        run = _service().run_of(desk.author, desk.micromodule_id)
        return redirect(desk.home if run is None else desk.address("awarding"), 303)
    if error.code not in (ErrorCode.VERSION_NEEDS_STAFF, ErrorCode.CONFLICT):
        raise error
    page = render_template("pages/retroactive/refused.html", layout=desk.layout, desk=desk, code=error.code)
    return make_response(page, error.status)


def _service() -> Retroactive:
    return current_tool().retroactive
