"""The next version of a published badge: its form, the old beside the new, and what becomes of holders.

The same pages serve somebody who teaches, from the course, and the organisation's staff; a :class:`Desk` says
whose they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from flask_babel import force_locale
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.comparing import form_changes
from lti_tool.services.editing import Refusal
from lti_tool.services.form_problems import Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import WHATS_NEW_LENGTH, Answer, Comparison, VersionForm
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.services.versions import Versions
from lti_tool.web import composing, describing, desks
from lti_tool.web.criteria_words import narrate_in
from lti_tool.web.desks import Desk
from lti_tool.web.form_words import not_editable_sentence
from lti_tool.web.forms import LIMITS, FormView, named_choices, without_alt
from lti_tool.web.i18n import language_tag
from lti_tool.web.recipes import advice, kind_word, kinds, recipes
from lti_tool.web.session import SessionBlueprint, current_session, current_tool
from lti_tool.web.version_words import whats_new
from lti_tool.web.wording import problem_sentence

blueprint = SessionBlueprint("versions", __name__)

KEY_LENGTH = 64
ANSWER_FIELDS = frozenset(("whats_new", "policy", "expires_on"))


@blueprint.url_value_preprocessor
def _take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    composing.make_room(endpoint, blueprint.name, press)


def _desk(placement_id: str) -> Desk:
    return desks.teaching(blueprint.name, placement_id)


@blueprint.page("/course/placements/<placement_id>/version", methods=["GET"])
def begin(placement_id: str) -> AnyResponse:
    """The form of the next version."""
    return show_form(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/version", methods=["POST"])
def press(placement_id: str) -> AnyResponse:
    """One of the form's buttons."""
    return press_button(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/version/review", methods=["GET"])
def review(placement_id: str) -> AnyResponse:
    """The old beside the new."""
    return show_review(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/version/review", methods=["POST"])
def publish(placement_id: str) -> AnyResponse:
    """Try it on holders, or publish it."""
    return answer_review(_desk(placement_id))


@blueprint.page("/course/placements/<placement_id>/version/holders", methods=["GET"])
def holders(placement_id: str) -> AnyResponse:
    """What would become of each badge."""
    return show_holders(_desk(placement_id))


# -- the pages, whoever's they are


def show_form(desk: Desk) -> AnyResponse:
    """The form: what is published, or what was typed since."""
    try:
        view = _versions().begin(
            desk.author, desk.micromodule_id, discards=request.args.get("draft") == "discard"
        )
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    if "seen" in request.args:
        # Who begins anew has seen what the page before showed, and not what was saved since.
        view = replace(view, draft=request.args["seen"][:KEY_LENGTH])
    shown = FormView(
        composing.with_artwork(_without_alt(view), describing.palette()),
        revision=view.revision,
        is_unsaved=view.is_unsaved,
    )
    return make_response(_form(desk, shown, view))


def _without_alt(view: VersionForm) -> MicromoduleForm:
    """The form without the picture's words that follow the name, in whichever language they do."""
    with force_locale((view.language or language_tag()).replace("-", "_")):
        return without_alt(view.form)


def press_button(desk: Desk) -> AnyResponse:
    """The buttons of the form; ``compare`` goes on to the old beside the new, ``save`` is the script's.

    Whichever is pressed, nothing is written over that a colleague has saved unseen.
    """
    versions, action = _versions(), request.form.get("action", "preview")
    revision, draft = (request.form.get(name, "")[:KEY_LENGTH] for name in ("revision", "draft"))
    shown = FormView(describing.typed(), revision=revision)
    try:
        view = versions.begin(desk.author, desk.micromodule_id, discards=True)
        if action == "discard":
            versions.discard(desk.author, desk.micromodule_id, draft=draft)
            return redirect(desk.home, 303)
        if action == "save":
            versions.save(
                desk.author, desk.micromodule_id, shown.form.to_fields(), revision=revision, draft=draft
            )
            return Response(status=204)
    except (NotAllowed, Conflict) as error:
        if action == "save":
            raise
        return _unsaved(desk, error, shown)
    form, refused = describing.with_picture(named_choices(shown.form, view))
    try:
        return _pressed(desk, action, view, replace(shown, form=form, problems=refused), draft)
    except (NotAllowed, Conflict) as error:
        return _unsaved(desk, error, replace(shown, form=form))


def _pressed(desk: Desk, action: str, view: VersionForm, shown: FormView, draft: str) -> AnyResponse:
    revision, form, answer = shown.revision, shown.form, shown

    def keep(form: FormView) -> VersionForm:
        fields = form.form.to_fields()
        kept = _versions().save(desk.author, desk.micromodule_id, fields, revision=revision, draft=draft)
        return replace(view, draft=kept)

    if shown.problems:
        pass
    elif action == "compare":
        kept = keep(shown)
        if revision not in ("", view.revision):
            # Nothing typed is lost: who goes on has seen what somebody published or corrected meanwhile.
            answer = replace(shown, revision=view.revision)
            beside = form_changes(view.form, form, has_badge=view.has_badge)
            view = replace(kept, is_outdated=True, beside=beside)
            return make_response(_form(desk, answer, view), 409)
        try:
            _compare(desk)
        except RequestInvalid as error:
            if error.code is not ErrorCode.FORM_INVALID:
                raise
            answer = replace(shown, problems=describing.problems(error))
        else:
            return redirect(desk.address("review"), 303)
    else:
        answer = replace(describing.pressed(form, action, view), revision=revision)
    return make_response(_form(desk, answer, keep(answer)), 422 if answer.problems else 200)


def _unsaved(desk: Desk, error: NotAllowed | Conflict, typed: FormView) -> AnyResponse:
    """What a colleague saved, beside what was typed here: whoever goes on has seen both."""
    if error.params.get("reason") != UNSEEN:
        return _refused(desk, error)
    theirs = _versions().begin(desk.author, desk.micromodule_id)
    beside = form_changes(theirs.form, typed.form, has_badge=theirs.has_badge)
    view = replace(theirs, is_outdated=False, beside=beside)
    return make_response(_form(desk, typed, view, theirs=theirs.form), 409)


def _form(desk: Desk, form: FormView, view: VersionForm, *, theirs: MicromoduleForm | None = None) -> str:
    """The form.

    :param theirs: what a colleague saved, where it stands beside what is typed.
    """
    before = {"version_id": view.achievement_version_id, "alt": view.name}
    if theirs is not None:
        before = {"src": composing.picture_address(theirs.artwork()), "alt": theirs.image_alt or theirs.name}
    return render_template(
        "pages/versions/form.html",
        layout=desk.layout,
        desk=desk,
        form_address=desk.address("press"),
        form=form,
        view=view,
        is_beside_theirs=theirs is not None,
        limits=LIMITS,
        kinds=kinds(view),
        recipes=recipes(supports_mirror=view.supports_mirror, supports_gates=view.supports_gates),
        advice=advice,
        kind_word=kind_word,
        before_picture=before,
        after_picture={
            "src": composing.picture_address(form.form.artwork()),
            "alt": form.form.image_alt or form.form.name,
        },
        **composing.composer(form.form, describing.palette()),
    )


def show_review(desk: Desk) -> AnyResponse:
    """The old beside the new, and the question about holders."""
    try:
        compared = _compare(desk)
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    except RequestInvalid as error:
        return _with_problems(desk, error)
    answer = compared.answer
    if not answer.whats_new:
        answer = replace(answer, whats_new=_proposed(compared))
    return make_response(_review(desk, compared, answer))


def answer_review(desk: Desk, *, published: str = "") -> AnyResponse:
    """``holders`` shows what becomes of badges, ``publish`` publishes.

    :param published: the address that says so, unless it is the desk's home.
    """
    versions = _versions()
    answer = Answer.from_fields({name: request.form.get(name, "") for name in ANSWER_FIELDS})
    seen, draft = (request.form.get(name, "")[:KEY_LENGTH] for name in ("mark", "draft"))
    try:
        versions.answer(desk.author, desk.micromodule_id, answer, draft=draft)
        compared = _compare(desk)
        found = answer.problems(current_tool().clock(), has_badge=compared.has_badge)
        if request.form.get("action") != "publish":
            # What is new may still be said; when badges end is what is looked at.
            blocking = tuple(one for one in found if one.field != "whats_new")
            if blocking:
                return make_response(_review(desk, compared, answer, blocking), 422)
            if answer.whats_new == _proposed(compared):
                # Kept as somebody's words, it would go on to say what the form says no longer.
                versions.answer(desk.author, desk.micromodule_id, replace(answer, whats_new=""), draft=draft)
            return redirect(desk.address("holders"), 303)
        if found:
            return make_response(_review(desk, compared, answer, found), 422)
        versions.publish(
            desk.author,
            desk.micromodule_id,
            answer,
            narrate_in,
            language=language_tag(),
            seen=seen,
        )
    except (NotAllowed, Conflict) as error:
        # Pressed twice: the second press finds nothing that is left to publish, and nothing is wrong.
        is_done = error.code is ErrorCode.CONFLICT and request.form.get("action") == "publish"
        if not is_done or not versions.was_published(desk.author, desk.micromodule_id, answer, seen=seen):
            return _unanswered(desk, error, answer)
    except RequestInvalid as error:
        return _with_problems(desk, error)
    for placement_id in desk.values.values() if desk.author.context_id else ():
        # The names of columns are the platform's to say; a course's page names those that kept theirs.
        kept = current_tool().own_columns.rename(current_session(), placement_id)
        return redirect(url_for("course.show", columns_kept=kept, published=placement_id), 303)
    return redirect(published or desk.home, 303)


def _unanswered(desk: Desk, error: NotAllowed | Conflict, answer: Answer) -> Response:
    """What would be published by now, and the answer as it was typed."""
    if error.code is not ErrorCode.CONFLICT:
        return _refused(desk, error)
    try:
        compared = _compare(desk)
    except (NotAllowed, Conflict, RequestInvalid):
        return _refused(desk, error, answer)
    return make_response(_review(desk, compared, answer, is_changed=True), 409)


def _proposed(compared: Comparison) -> str:
    """What is new for holders, by what differs."""
    return whats_new(compared.differences)[:WHATS_NEW_LENGTH].strip()


def _with_problems(desk: Desk, error: RequestInvalid) -> AnyResponse:
    """The form, with what keeps what is prepared from being published."""
    if error.code is not ErrorCode.FORM_INVALID:
        raise error
    view = _versions().begin(desk.author, desk.micromodule_id)
    shown = FormView(
        composing.with_artwork(view.form, describing.palette()),
        describing.problems(error),
        revision=view.revision,
    )
    return make_response(_form(desk, shown, view), 422)


def _review(
    desk: Desk,
    compared: Comparison,
    answer: Answer,
    problems: tuple[Problem, ...] = (),
    *,
    is_changed: bool = False,
) -> str:
    sentences = {one.field: problem_sentence(one.code, dict(one.params)) for one in problems}
    return render_template(
        "pages/versions/review.html",
        layout=desk.layout,
        desk=desk,
        view=compared,
        answer=answer,
        is_changed=is_changed,
        new_picture=composing.picture_address(compared.after.artwork),
        form={"sentences": sentences, "focus": next(iter(sentences), ""), "problems": problems},
        most=WHATS_NEW_LENGTH,
    )


def show_holders(desk: Desk) -> AnyResponse:
    """Who holds a version before, and what would become of it."""
    try:
        view = _versions().holders(
            desk.author,
            desk.micromodule_id,
            narrate_in,
            language=language_tag(),
            page=request.args.get("page", 1, type=int),
        )
    except (NotAllowed, Conflict) as error:
        return _refused(desk, error)
    except RequestInvalid as error:
        return _with_problems(desk, error)
    page = render_template("pages/versions/holders.html", layout=desk.layout, desk=desk, view=view)
    return make_response(page)


def _refused(desk: Desk, error: NotAllowed | Conflict, typed: Answer | None = None) -> Response:
    """Why no next version is prepared here, and who can; or that somebody else was quicker.

    :param typed: what stands in no form that could still be sent.
    """
    if error.code not in (
        ErrorCode.VERSION_NEEDS_STAFF,
        ErrorCode.PLACEMENT_NOT_EDITABLE,
        ErrorCode.CONFLICT,
    ):
        raise error
    is_shown = error.params.get("reason") != Refusal.NOT_SHOWN
    page = render_template(
        "pages/versions/refused.html",
        layout=desk.layout,
        desk=desk,
        code=error.code,
        typed=typed,
        reason="" if is_shown else not_editable_sentence(str(Refusal.NOT_SHOWN)),
    )
    return make_response(page, error.status)


def _versions() -> Versions:
    return current_tool().versions


def _compare(desk: Desk) -> Comparison:
    return _versions().compare(desk.author, desk.micromodule_id, narrate_in, language=language_tag())
