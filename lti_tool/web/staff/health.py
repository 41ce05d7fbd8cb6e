"""How the connection to a platform does, and the button that checks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flask import Blueprint, Response

from lti_tool.domain.staff import Permission
from lti_tool.services.checking import CheckReport
from lti_tool.services.health import DeploymentHealth
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff, page
from lti_tool.web.verify import limiter

blueprint = Blueprint("health", __name__)

SHOWN: Final = 20
"""Deployments on the page."""


@blueprint.get("/registrations/<registration_id>/health")
def show(registration_id: str) -> Response:
    """Everything that is known of it."""
    return _page(registration_id)


@blueprint.post("/registrations/<registration_id>/health")
@limiter.limit("6 per minute")
def check(registration_id: str) -> Response:
    """Try it now, and show what came of it."""
    staff = current_staff()
    staff.require(Permission.MANAGE_REGISTRATIONS)
    return _page(registration_id, current_tool().checking.check(registration_id, staff.organisation_id))


def _page(registration_id: str, report: CheckReport | None = None) -> Response:
    connection = current_tool().health.of_registration(current_staff().organisation_id, registration_id)
    everywhere = len(connection.deployments)
    # Canvas makes a deployment for each course that adds the tool by itself: there may be thousands.
    first = sorted(connection.deployments, key=_urgency, reverse=True)[:SHOWN]
    connection = replace(connection, deployments=tuple(first))
    return page("health", connection=connection, report=report, everywhere=everywhere)


def _urgency(one: DeploymentHealth) -> tuple[bool, float]:
    """Those that somebody should look at, then those used last."""
    return one.is_unwell, one.launched_at.timestamp() if one.launched_at else 0.0
