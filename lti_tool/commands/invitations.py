"""``registrations invite|invitations|withdraw``: one-time links by which LMSs register themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lti_tool.commands import Answer, Call, table
from lti_tool.errors import NotFound
from lti_tool.services.staffing import Operator
from lti_tool.store import inventory
from lti_tool.store.invitations import InvitationView

COLUMNS = ("id", "name", "state", "approves", "expires_at", "organisation_name", "registration_id")


def invite(call: Call) -> Answer:
    """Print a link that an LMS's administrator pastes there, once, to connect it."""
    given = call.arguments
    made = call.tool.inviting.invite(
        _operator(call, given.organisation),
        name=given.name or "",
        days=given.days,
        approves=given.approve,
        registration_id=given.registration,
    )
    view = made.invitation
    value = {"url": made.url, "invitation": asdict(view)}
    until = view.expires_at.isoformat(timespec="minutes")
    after = "Its people get in at once." if view.approves else "You approve the registration afterwards."
    lines = [
        made.url,
        "",
        f"It connects one LMS with {view.organisation_name}, once, until {until}. {after}",
        "Moodle: Site administration > Plugins > External tool > Manage tools: paste it into Tool URL.",
        f"Take it back: lti-tool registrations withdraw {view.id}",
    ]
    return Answer(value, lines)


def list_(call: Call) -> Answer:
    """Every invitation, and what came of it; never its link."""
    wanted = call.arguments.organisation
    if wanted is not None:
        return _invitations(call, call.tool.inviting.list(call.tool.staffing.operator(wanted)))
    with call.tool.database.read() as session:
        organisations = [str(row["id"]) for row in inventory.organisations(session)]
    return _invitations(
        call, [view for id_ in organisations for view in call.tool.inviting.list(Operator(id_))]
    )


def withdraw(call: Call) -> Answer:
    """Let nobody in by an invitation any more; what it has let in stays."""
    inviting, invitation_id = call.tool.inviting, call.arguments.invitation
    by = Operator(inviting.organisation_of(invitation_id))
    return _invitations(call, [inviting.withdraw(by, invitation_id)])


def _operator(call: Call, organisation: str) -> Operator:
    """The operator within this organisation; made if there is none of that name, as ``registrations add``."""
    try:
        return call.tool.staffing.operator(organisation)
    except NotFound:
        return Operator(call.tool.registrations.ensure_organisation(organisation).id)


def _invitations(call: Call, views: Sequence[InvitationView]) -> Answer:
    now = call.tool.clock()
    rows: list[dict[str, Any]] = [{**asdict(view), "state": view.state(now).value} for view in views]
    return Answer(rows, table(rows, COLUMNS))
