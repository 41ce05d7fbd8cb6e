"""Milestones: badges over what people completed in the whole organisation."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.credentials.designs import DESIGNS
from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services.comparing import revision_of
from lti_tool.services.micromodule_form import DESCRIPTION_LENGTH, NAME_LENGTH
from lti_tool.services.milestone_drafts import Beside
from lti_tool.services.milestone_form import AS_IT_IS, MOST, OWN, MilestoneForm, of_view
from lti_tool.services.milestone_rules import FIRST_ROWS, ROWS
from lti_tool.services.milestone_versions import MilestoneComparison
from lti_tool.services.next_version import WHATS_NEW_LENGTH, Answer
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.milestones import MilestoneView
from lti_tool.web.criteria_words import narrate, narrate_in
from lti_tool.web.i18n import language_tag
from lti_tool.web.picture_words import design_word
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed

blueprint = Blueprint("milestones", __name__)

MARK_LENGTH = 64
READY = {"explorer": "leadership", "learner": "teaching", "own": "general"}
"""The design that each kind begins with."""


@blueprint.get("/milestones")
def show() -> Response:
    """Every milestone, and how many have it."""
    return page("milestones", milestones=current_tool().milestones.every(current_staff()))


@blueprint.get("/milestones/new")
def ask() -> Response:
    """A form for a new one: of a ready template, or one's own."""
    current_staff().require(Permission.EDIT_MICROMODULES)
    kind = request.args.get("kind", "explorer")
    form = MilestoneForm(kind if kind in READY else "explorer")
    return _form(Typed(form.to_fields() | {"design": READY[form.kind]}))


def _form(
    form: Typed,
    status: int = 200,
    milestone_id: str | None = None,
    version: MilestoneView | None = None,
    *,
    beside: Beside | None = None,
    meanwhile: str = "",
) -> Response:
    """The form.

    :param beside: what somebody saved, where it stands beside what is typed.
    :param meanwhile: what became of the draft instead: ``gone`` or ``active``.
    """
    is_own = form["kind"] == OWN
    return page(
        "milestone_form",
        status,
        form=form,
        milestone_id=milestone_id,
        version=version,
        choices=current_tool().milestones.choices(current_staff(), milestone_id) if is_own else None,
        rows=_rows(form),
        categories=current_tool().overview.categories(current_staff().organisation_id),
        designs=[*_as_it_is(form, version), *((name, design_word(name)) for name in DESIGNS)],
        most=MOST,
        limits={"name": NAME_LENGTH, "description": DESCRIPTION_LENGTH},
        beside=beside,
        meanwhile=meanwhile,
        new_picture=None if beside is None else _picture(beside.after),
    )


def _as_it_is(form: Typed, version: MilestoneView | None) -> list[tuple[str, str]]:
    """The choice to leave the picture alone, where no design would draw what is there."""
    is_other = version is not None and of_view(version).design == AS_IT_IS
    return [(AS_IT_IS, _("As it is"))] if is_other or form["design"] == AS_IT_IS else []


def _rows(form: Typed) -> int:
    """Lines for rules: those that say something, and at least one more."""
    said = [number for number in range(ROWS) if form[f"rule-{number}-what"]]
    return min(ROWS, max(FIRST_ROWS, (said[-1] + 2 if said else 0) + (2 if form["more"] else 0)))


@blueprint.post("/milestones")
def create() -> AnyResponse:
    """Make a draft."""
    values = typed()
    if "more" in values:
        return _form(Typed(values))
    try:
        milestone_id = current_tool().milestones.create(
            current_staff(), MilestoneForm.from_fields(values), narrate, language_tag()
        )
    except RequestInvalid as error:
        return _form(Typed(values, problems_of(error)), 422)
    return done("staff.milestones.milestone", "created", milestone_id=milestone_id)


@blueprint.get("/milestones/<milestone_id>")
def milestone(milestone_id: str) -> Response:
    """One milestone: what it asks, how far it is, and what can be done with it."""
    return _milestone(milestone_id)


def _milestone(milestone_id: str, status: int = 200, revision: str = "") -> Response:
    """Its page; with 409 it tells who changed it since somebody looked.

    :param revision: of what they looked at: where it is the same, what it asks for was changed elsewhere.
    """
    is_changed = status == Conflict.status
    view = current_tool().milestones.one(current_staff(), milestone_id)
    is_itself = is_changed and revision != view.revision
    saved = current_tool().milestones.saved(current_staff(), milestone_id) if is_itself else None
    # Nobody has a draft yet: there is nothing to keep up to date.
    care = (
        None
        if view.view.status == "draft"
        else current_tool().currency.one(current_staff(), "milestone", milestone_id)
    )
    return page("milestone", status, view=view, care=care, is_changed=is_changed, saved=saved)


@blueprint.get("/milestones/<milestone_id>/edit")
def ask_change(milestone_id: str) -> Response:
    """The form of a draft."""
    current_staff().require(Permission.EDIT_MICROMODULES)
    found = current_tool().milestones.one(current_staff(), milestone_id)
    return _form(Typed(found.form.to_fields() | {"revision": found.revision}), milestone_id=milestone_id)


@blueprint.post("/milestones/<milestone_id>/edit")
def change(milestone_id: str) -> AnyResponse:
    """Let a draft say something else."""
    values = typed()
    if "more" in values:
        return _form(Typed(values), milestone_id=milestone_id)
    about = (current_staff(), milestone_id, MilestoneForm.from_fields(values), narrate_in, language_tag())
    try:
        current_tool().milestones.change(*about, revision=values.get("revision", "")[:MARK_LENGTH])
    except RequestInvalid as error:
        return _form(Typed(values, problems_of(error)), 422, milestone_id)
    except NotFound:
        # What was typed is not lost with the draft.
        return _form(Typed(values), Conflict.status, meanwhile="gone")
    except Conflict as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        if error.params.get("reason") != UNSEEN:
            return _no_draft(milestone_id, values)
        try:
            beside = current_tool().milestones.beside(*about)
        except RequestInvalid as problem:
            return _form(Typed(values, problems_of(problem)), 422, milestone_id)
        except NotFound:
            return _form(Typed(values), Conflict.status, meanwhile="gone")
        shown = Typed(values | {"revision": revision_of(beside.view)})
        return _form(shown, error.status, milestone_id, beside=beside)
    return done("staff.milestones.milestone", "saved", milestone_id=milestone_id)


def _no_draft(milestone_id: str, values: dict[str, str]) -> Response:
    """What was typed, for the next version of what was activated meanwhile, or for another draft."""
    view = current_tool().milestones.one(current_staff(), milestone_id).view
    if view.status != "active":
        return _form(Typed(values), Conflict.status, meanwhile="gone")
    shown = Typed(values | {"kind": view.kind, "revision": revision_of(view)})
    return _form(shown, Conflict.status, milestone_id, view, meanwhile="active")


@blueprint.get("/milestones/<milestone_id>/dry-run")
def dry_run(milestone_id: str) -> Response:
    """Who would get it now, and why; a part at a time."""
    view = current_tool().milestones.dry_run(current_staff(), milestone_id, request.args.get("after", ""))
    return page("milestone_dry_run", run=view, revision=revision_of(view.view))


@blueprint.post("/milestones/<milestone_id>/activate")
def activate(milestone_id: str) -> AnyResponse:
    """Let it begin."""
    try:
        current_tool().milestones.activate(
            current_staff(), milestone_id, narrate_in, seen=request.form.get("mark", "")[:MARK_LENGTH]
        )
    except RequestInvalid as error:
        found = current_tool().milestones.one(current_staff(), milestone_id)
        shown = Typed(found.form.to_fields() | {"revision": found.revision}, problems_of(error))
        return _form(shown, 422, milestone_id)
    except Conflict as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        revision = request.form.get("revision", "")[:MARK_LENGTH]
        return _milestone(milestone_id, error.status, revision)
    return done("staff.milestones.milestone", "milestone_activated", milestone_id=milestone_id)


@blueprint.post("/milestones/<milestone_id>/retire")
def retire(milestone_id: str) -> AnyResponse:
    """Award it no more, or discard a draft."""
    seen = request.form.get("revision", "")[:MARK_LENGTH]
    try:
        current_tool().milestones.retire(current_staff(), milestone_id, revision=seen)
    except Conflict as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        return _milestone(milestone_id, error.status)
    return done("staff.milestones.show", "milestone_retired")


@blueprint.get("/milestones/<milestone_id>/version")
def begin_version(milestone_id: str) -> Response:
    """The form of the next version."""
    view, form = current_tool().milestone_versions.begin(current_staff(), milestone_id)
    fields = form.to_fields() | {"revision": revision_of(view)}
    return _form(Typed(fields), milestone_id=milestone_id, version=view)


@blueprint.post("/milestones/<milestone_id>/version")
def review_version(milestone_id: str) -> AnyResponse:
    """The old beside the new, and the question about those who have the old; nothing is kept yet."""
    return _review(milestone_id, is_publishing=False)


@blueprint.post("/milestones/<milestone_id>/version/publish")
def publish_version(milestone_id: str) -> AnyResponse:
    """Publish what was looked at."""
    return _review(milestone_id, is_publishing=True)


def _review(milestone_id: str, *, is_publishing: bool) -> AnyResponse:
    versions, values = current_tool().milestone_versions, typed()
    view, published = versions.begin(current_staff(), milestone_id)
    form, answer = MilestoneForm.from_fields({**values, "kind": published.kind}), Answer.from_fields(values)
    about = (current_staff(), milestone_id, form, answer, narrate_in, language_tag())
    if values.keys() & {"more", "back"}:
        return _form(Typed(values | {"kind": published.kind}), milestone_id=milestone_id, version=view)
    try:
        compared = versions.compare(*about)
    except RequestInvalid as error:
        shown = Typed(values | {"kind": published.kind}, problems_of(error))
        return _form(shown, 422, milestone_id, view)
    if not is_publishing:
        began_from = values.get("revision", "")
        is_outdated = began_from not in ("", revision_of(compared.view))
        return _compared(compared, values, is_outdated=is_outdated)
    seen = values.get("mark", "")[:MARK_LENGTH]
    try:
        versions.publish(*about, seen=seen)
    except RequestInvalid as error:
        return _compared(compared, values, problems_of(error))
    except Conflict as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        # Pressed twice: the second press finds nothing that is left to publish, and nothing is wrong.
        if not versions.was_published(current_staff(), milestone_id, answer, seen=seen):
            return _compared_anew(about, values)
    return done("staff.milestones.milestone", "milestone_version", milestone_id=milestone_id)


def _compared_anew(about: tuple[Any, ...], values: dict[str, str]) -> Response:
    """The old beside the new, as of now; the form, where it can be published no more as it is."""
    try:
        compared = current_tool().milestone_versions.compare(*about)
    except RequestInvalid as error:
        view, published = current_tool().milestone_versions.begin(*about[:2])
        fields = values | {"kind": published.kind, "revision": revision_of(view)}
        return _form(Typed(fields, problems_of(error)), 422, view.id, view)
    return _compared(compared, values, is_outdated=True)


def _compared(
    view: MilestoneComparison,
    values: dict[str, str],
    problems: dict[str, str] | None = None,
    *,
    is_outdated: bool = False,
) -> Response:
    """The old beside the new.

    :param is_outdated: something was corrected or published since what was typed began: nothing of it is
        lost, and whoever goes on has seen what it says otherwise than what is active now.
    """
    fields = view.form.to_fields() | {"revision": revision_of(view.view)}
    return page(
        "milestone_version",
        409 if is_outdated else 422 if problems else 200,
        view=view,
        is_outdated=is_outdated,
        carried={name: value for name, value in fields.items() if value},
        form=Typed(values, problems or {}, next(iter(problems or {}), "")),
        most=WHATS_NEW_LENGTH,
        new_picture=_picture(view.after),
    )


def _picture(new: NewMicromodule) -> str:
    """Where the picture is drawn that nothing shows yet."""
    look: dict[str, Any] = {
        name: str(value) for name, value in new.artwork.items() if value and name != "alt"
    }
    return url_for("staff.versions.preview_artwork", **look)
