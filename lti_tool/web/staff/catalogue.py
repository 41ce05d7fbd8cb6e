"""Micromodules and their categories."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services import administering as limits
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/micromodules")
def micromodules() -> Response:
    """The micromodules, of a category or all, in use or archived."""
    view = current_tool().overview.micromodules(
        current_staff().organisation_id,
        category_id=request.args.get("category") or None,
        is_archived=request.args.get("state") == "archived",
    )
    return page("micromodules", view=view)


@blueprint.get("/micromodules/<micromodule_id>")
def micromodule(micromodule_id: str) -> Response:
    """One micromodule: versions, courses, categories."""
    organisation_id = current_staff().organisation_id
    view = current_tool().overview.micromodule(organisation_id, micromodule_id)
    awarding = current_tool().retroactive.newest(organisation_id, micromodule_id)
    care = current_tool().currency.one(current_staff(), "micromodule", micromodule_id)
    return page("micromodule", view=view, awarding=awarding, care=care)


@blueprint.post("/micromodules/<micromodule_id>/categories")
def set_categories(micromodule_id: str) -> AnyResponse:
    """Put a micromodule into the categories that are ticked."""
    current_tool().administering.set_categories(
        current_staff(), micromodule_id, request.form.getlist("category")
    )
    return done("staff.catalogue.micromodule", "saved", micromodule_id=micromodule_id)


@blueprint.post("/micromodules/<micromodule_id>/status")
def set_micromodule_status(micromodule_id: str) -> AnyResponse:
    """Put a micromodule aside, or take it back."""
    action = request.form.get("action")
    if action not in ("archive", "restore"):
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    current_tool().administering.archive_micromodule(current_staff(), micromodule_id, action == "archive")
    what = "archived" if action == "archive" else "restored"
    return done("staff.catalogue.micromodule", what, micromodule_id=micromodule_id)


@blueprint.get("/categories")
def categories() -> Response:
    """Every category, and a form for a new one."""
    return _categories()


def _categories(form: Typed | None = None, status: int = 200) -> Response:
    found = current_tool().overview.categories(current_staff().organisation_id)
    return page("categories", status, categories=found, form=form or Typed({}), most=limits.NAME_LENGTH)


@blueprint.post("/categories")
def add_category() -> AnyResponse:
    """Make a category."""
    values = typed()
    try:
        current_tool().administering.add_category(current_staff(), values.get("name", ""))
    except RequestInvalid as error:
        return _categories(Typed(values, problems_of(error)), 422)
    return done("staff.catalogue.categories", "created")


@blueprint.get("/categories/<category_id>")
def category(category_id: str) -> Response:
    """One category: what is in it, what came and went, and the forms to change it."""
    return _category(category_id)


def _category(category_id: str, form: Typed | None = None, status: int = 200) -> Response:
    found = current_tool().overview.category(
        current_staff().organisation_id, category_id, request.args.get("page", 1, type=int)
    )
    form = form or Typed({"name": found.category.name})
    return page("category", status, view=found, form=form, most=limits.NAME_LENGTH)


@blueprint.post("/categories/<category_id>")
def rename_category(category_id: str) -> AnyResponse:
    """Call a category something else."""
    values = typed()
    try:
        current_tool().administering.rename_category(current_staff(), category_id, values.get("name", ""))
    except RequestInvalid as error:
        return _category(category_id, Typed(values, problems_of(error)), 422)
    return done("staff.catalogue.categories", "renamed")


@blueprint.post("/categories/<category_id>/move")
def move_category(category_id: str) -> AnyResponse:
    """Let a category change places with its neighbour; the button that was pressed has the focus again."""
    name, step = _step()
    current_tool().administering.move_category(current_staff(), category_id, step)
    return done("staff.catalogue.categories", "saved", moved=category_id, step=name)


@blueprint.post("/categories/<category_id>/order")
def move_micromodule(category_id: str) -> AnyResponse:
    """The same of a micromodule within the category."""
    name, step = _step()
    micromodule_id = request.form.get("micromodule_id", "")
    current_tool().administering.move_micromodule(current_staff(), category_id, micromodule_id, step)
    return done("staff.catalogue.category", "saved", category_id=category_id, moved=micromodule_id, step=name)


def _step() -> tuple[str, int]:
    name = request.form.get("step", "")
    if name not in ("up", "down"):
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such step")
    return name, -1 if name == "up" else 1


@blueprint.post("/categories/<category_id>/delete")
def delete_category(category_id: str) -> AnyResponse:
    """Delete a category; its micromodules stay."""
    current_tool().administering.delete_category(current_staff(), category_id)
    return done("staff.catalogue.categories", "deleted")
