"""Links by which learning platforms register themselves: making them, and taking them back."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import RequestInvalid
from lti_tool.services.inviting import LONGEST, NAME_LENGTH, USUAL
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed

blueprint = Blueprint("invitations", __name__)


@blueprint.get("/invitations")
def show() -> Response:
    """Every link that was made, and what came of it."""
    tool = current_tool()
    return page("invitations", invitations=tool.inviting.list(current_staff()), now=tool.clock())


@blueprint.get("/invitations/new")
def ask() -> Response:
    """What the link is for."""
    current_staff().require(Permission.MANAGE_REGISTRATIONS)
    return _form(Typed({"days": str(USUAL), "approves": "on"}))


def _form(form: Typed, status: int = 200) -> Response:
    return page("invitation_new", status, form=form, most=LONGEST, name_length=NAME_LENGTH)


@blueprint.post("/invitations")
def make() -> Response:
    """Make one, and show it, this once."""
    values, staff = typed(), current_staff()
    days = values.get("days", "").strip()
    try:
        link = current_tool().inviting.invite(
            staff,
            name=values.get("name", ""),
            days=int(days) if days.isascii() and days.isdecimal() and len(days) < 5 else 0,
            approves=values.get("approves") == "on",
            registration_id=values.get("registration_id") or None,
        )
    except RequestInvalid as error:
        return _form(Typed(values, problems_of(error)), 422)
    return page("invitation_link", link=link)


@blueprint.post("/invitations/<invitation_id>/withdraw")
def withdraw(invitation_id: str) -> AnyResponse:
    """Let nobody in by it any more."""
    current_tool().inviting.withdraw(current_staff(), invitation_id)
    return done("staff.invitations.show", "withdrawn")
