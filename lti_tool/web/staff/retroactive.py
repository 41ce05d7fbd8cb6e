"""Switching a micromodule's badge on, by the organisation's staff for every course that has it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.web import composing, desks
from lti_tool.web.desks import Desk
from lti_tool.web.retroactive import (
    begin_awarding,
    press_button,
    send_people,
    show_awarding,
    show_form,
    show_people,
    steer_awarding,
)
from lti_tool.web.staff.gate import current_staff

blueprint = Blueprint("retroactive", __name__)


@blueprint.url_value_preprocessor
def _take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    composing.make_room(endpoint, f"staff.{blueprint.name}", press)


def _desk(micromodule_id: str) -> Desk:
    return desks.on_staff(blueprint.name, micromodule_id, current_staff())


@blueprint.get("/micromodules/<micromodule_id>/badge")
def begin(micromodule_id: str) -> AnyResponse:
    """The form of the badge."""
    return show_form(_desk(micromodule_id))


@blueprint.post("/micromodules/<micromodule_id>/badge")
def press(micromodule_id: str) -> AnyResponse:
    """One of the form's buttons."""
    return press_button(_desk(micromodule_id))


@blueprint.get("/micromodules/<micromodule_id>/badge/people")
def people(micromodule_id: str) -> AnyResponse:
    """Who would get it."""
    return show_people(_desk(micromodule_id))


@blueprint.get("/micromodules/<micromodule_id>/badge/people.csv")
def people_file(micromodule_id: str) -> AnyResponse:
    """The same as a file, for those who may take files about people."""
    current_staff().require(Permission.EXPORT_RECORDS)
    return send_people(_desk(micromodule_id))


@blueprint.post("/micromodules/<micromodule_id>/badge/people")
def switch_on(micromodule_id: str) -> AnyResponse:
    """Switch the badge on, and begin to award it."""
    return begin_awarding(_desk(micromodule_id))


@blueprint.get("/micromodules/<micromodule_id>/badge/awarding")
def awarding(micromodule_id: str) -> AnyResponse:
    """How far awarding is."""
    return show_awarding(_desk(micromodule_id))


@blueprint.post("/micromodules/<micromodule_id>/badge/awarding")
def steer(micromodule_id: str) -> AnyResponse:
    """Pause, or go on."""
    return steer_awarding(_desk(micromodule_id))
