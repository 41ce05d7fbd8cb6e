"""Milestones: badges over what people completed in the whole organisation."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.credentials.designs import DESIGNS
from lti_tool.domain.staff import Permission
from lti_tool.errors import RequestInvalid
from lti_tool.services.micromodule_form import DESCRIPTION_LENGTH, NAME_LENGTH
from lti_tool.services.milestone_form import MOST, MilestoneForm
from lti_tool.web.criteria_words import narrate
from lti_tool.web.i18n import language_tag
from lti_tool.web.picture_words import design_word
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed

blueprint = Blueprint("milestones", __name__)

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


def _form(form: Typed, status: int = 200, milestone_id: str | None = None) -> Response:
    return page(
        "milestone_form",
        status,
        form=form,
        milestone_id=milestone_id,
        categories=current_tool().overview.categories(current_staff().organisation_id),
        designs=[(name, design_word(name)) for name in DESIGNS],
        most=MOST,
        limits={"name": NAME_LENGTH, "description": DESCRIPTION_LENGTH},
    )


@blueprint.post("/milestones")
def create() -> AnyResponse:
    """Make a draft."""
    values = typed()
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
    return page("milestone", view=current_tool().milestones.one(current_staff(), milestone_id))


@blueprint.get("/milestones/<milestone_id>/edit")
def ask_change(milestone_id: str) -> Response:
    """The form of a draft."""
    current_staff().require(Permission.EDIT_MICROMODULES)
    found = current_tool().milestones.one(current_staff(), milestone_id)
    return _form(Typed(found.form.to_fields()), milestone_id=milestone_id)


@blueprint.post("/milestones/<milestone_id>/edit")
def change(milestone_id: str) -> AnyResponse:
    """Let a draft say something else."""
    values = typed()
    try:
        current_tool().milestones.change(
            current_staff(), milestone_id, MilestoneForm.from_fields(values), narrate, language_tag()
        )
    except RequestInvalid as error:
        return _form(Typed(values, problems_of(error)), 422, milestone_id)
    return done("staff.milestones.milestone", "saved", milestone_id=milestone_id)


@blueprint.get("/milestones/<milestone_id>/dry-run")
def dry_run(milestone_id: str) -> Response:
    """Who would get it now, and why; a part at a time."""
    view = current_tool().milestones.dry_run(current_staff(), milestone_id, request.args.get("after", ""))
    return page("milestone_dry_run", run=view)


@blueprint.post("/milestones/<milestone_id>/activate")
def activate(milestone_id: str) -> AnyResponse:
    """Let it begin."""
    try:
        current_tool().milestones.activate(current_staff(), milestone_id, narrate)
    except RequestInvalid as error:
        found = current_tool().milestones.one(current_staff(), milestone_id)
        return _form(Typed(found.form.to_fields(), problems_of(error)), 422, milestone_id)
    return done("staff.milestones.milestone", "milestone_activated", milestone_id=milestone_id)


@blueprint.post("/milestones/<milestone_id>/retire")
def retire(milestone_id: str) -> AnyResponse:
    """Award it no more, or discard a draft."""
    current_tool().milestones.retire(current_staff(), milestone_id)
    return done("staff.milestones.show", "milestone_retired")
