"""Registrations, deployments, and the courses that came with them."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.administering import FRAME_ORIGINS
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, number_of_page, page, problems_of, typed

blueprint = Blueprint("connections", __name__)

PER_PAGE = 50
QUERY_LENGTH = 200


@blueprint.get("/registrations")
def registrations() -> Response:
    """The learning platforms that this organisation has to do with."""
    return page(
        "registrations", registrations=current_tool().overview.registrations(current_staff().organisation_id)
    )


@blueprint.get("/registrations/<registration_id>")
def registration(registration_id: str) -> Response:
    """One of them with its deployments."""
    tool, staff = current_tool(), current_staff()
    view = tool.overview.registration(staff.organisation_id, registration_id)
    standing = tool.inviting.standing_of(staff, registration_id)
    health = tool.health.of_registration(staff.organisation_id, registration_id)
    return page("registration", view=view, standing=standing, health=health)


@blueprint.post("/registrations/<registration_id>/status")
def set_registration_status(registration_id: str) -> AnyResponse:
    """Let an LMS in, or no more."""
    administering, action = current_tool().administering, request.form.get("action")
    if action == "approve":
        administering.approve_registration(current_staff(), registration_id)
    elif action == "disable":
        administering.disable_registration(current_staff(), registration_id)
    else:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    what = "approved" if action == "approve" else "disabled"
    return done("staff.connections.registration", what, registration_id=registration_id)


@blueprint.post("/registrations/<registration_id>/administrators")
def set_administrator_role(registration_id: str) -> AnyResponse:
    """Say what the LMS's administrators may be here."""
    chosen = request.form.get("role", "")
    try:
        role = StaffRole(chosen) if chosen else None
    except ValueError:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such role") from None
    current_tool().administering.set_administrator_role(current_staff(), registration_id, role)
    return done("staff.connections.registration", "saved", registration_id=registration_id)


@blueprint.post("/registrations/<registration_id>/anonymous")
def allow_anonymous(registration_id: str) -> AnyResponse:
    """Say whether somebody whom the LMS does not name may read."""
    allowed = request.form.get("allowed") == "on"
    current_tool().administering.allow_anonymous(current_staff(), registration_id, allowed=allowed)
    return done("staff.connections.registration", "saved", registration_id=registration_id)


@blueprint.post("/deployments/<deployment_id>/status")
def set_deployment_status(deployment_id: str) -> AnyResponse:
    """Let a deployment's people in, or no more."""
    administering, action = current_tool().administering, request.form.get("action")
    if action == "approve":
        changed = administering.approve_deployment(current_staff(), deployment_id)
    elif action == "disable":
        changed = administering.disable_deployment(current_staff(), deployment_id)
    else:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    what = "approved" if action == "approve" else "disabled"
    return done("staff.connections.registration", what, registration_id=changed.registration_id)


@blueprint.get("/deployments/<deployment_id>")
def deployment(deployment_id: str) -> Response:
    """One deployment, and the websites that may show the tool from it."""
    return _deployment(deployment_id)


def _deployment(deployment_id: str, form: Typed | None = None, status: int = 200) -> Response:
    view = current_tool().overview.deployment(current_staff().organisation_id, deployment_id)
    form = form or Typed({"frame_origins": "\n".join(view.frame_origins)})
    connection, own = current_tool().health.of_deployment(current_staff().organisation_id, deployment_id)
    return page(
        "deployment",
        status,
        deployment=view,
        form=form,
        most=FRAME_ORIGINS,
        connection=connection,
        health=own,
    )


@blueprint.post("/deployments/<deployment_id>/frame-origins")
def set_frame_origins(deployment_id: str) -> AnyResponse:
    """Say which websites of the institution may show the tool."""
    values = typed()
    try:
        current_tool().administering.set_frame_origins(
            current_staff(), deployment_id, values.get("frame_origins", "")
        )
    except RequestInvalid as error:
        return _deployment(deployment_id, Typed(values, problems_of(error)), 422)
    return done("staff.connections.deployment", "saved", deployment_id=deployment_id)


@blueprint.get("/courses")
def courses() -> Response:
    """Courses with a micromodule: how fresh each is, and what keeps it from being read."""
    query = request.args.get("q", "").strip()[:QUERY_LENGTH]
    is_troubled = request.args.get("state") == "troubled"
    order = "oldest" if request.args.get("order") == "oldest" else "title"
    view = current_tool().overview.courses(
        current_staff().organisation_id,
        query=query,
        is_troubled=is_troubled,
        order=order,
        page=number_of_page(),
        per_page=PER_PAGE,
    )
    return page("courses", view=view, query=query, is_troubled=is_troubled, order=order)


@blueprint.get("/courses/<context_id>")
def course(context_id: str) -> Response:
    """One course with its columns, and the scores that did not get through."""
    return page("course", view=current_tool().overview.course(current_staff().organisation_id, context_id))
