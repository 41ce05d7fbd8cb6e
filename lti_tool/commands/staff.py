"""``staff``: who may open an organisation's staff pages, and the links they sign in by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lti_tool.commands import Answer, Call, table
from lti_tool.domain.staff import StaffRole
from lti_tool.services.staffing import SignInLink
from lti_tool.store import inventory
from lti_tool.store.staff import MemberView

COLUMNS = ("id", "name", "email", "role", "is_active", "last_signed_in_at", "organisation_id")


def invite(call: Call) -> Answer:
    """Make somebody staff of an organisation, and print their sign-in link."""
    given = call.arguments
    staffing = call.tool.staffing
    made = staffing.invite(
        staffing.operator(given.organisation), StaffRole(given.role), name=given.name, email=given.email
    )
    return _link(made)


def link(call: Call) -> Answer:
    """Print a new sign-in link for a member; those before it work no more."""
    staffing, member_id = call.tool.staffing, call.arguments.member
    return _link(staffing.link(staffing.operator_for_member(member_id), member_id))


def list_(call: Call) -> Answer:
    """Everybody who signs in by links; administrators who come from an LMS are not among them."""
    staffing, wanted = call.tool.staffing, call.arguments.organisation
    if wanted is not None:
        return _members(staffing.members(staffing.operator(wanted)))
    with call.tool.database.read() as session:
        organisations = inventory.organisations(session)
    return _members(
        [
            member
            for organisation in organisations
            for member in staffing.members(staffing.operator(str(organisation["id"])))
        ]
    )


def disable(call: Call) -> Answer:
    """Let a member in no more; sessions end, links work no more."""
    staffing, member_id = call.tool.staffing, call.arguments.member
    return _members([staffing.disable(staffing.operator_for_member(member_id), member_id)])


def enable(call: Call) -> Answer:
    """Let a disabled member in again, by a new link."""
    staffing, member_id = call.tool.staffing, call.arguments.member
    return _members([staffing.enable(staffing.operator_for_member(member_id), member_id)])


def role(call: Call) -> Answer:
    """Give a member another role; it holds from their next request on."""
    staffing, member_id = call.tool.staffing, call.arguments.member
    by = staffing.operator_for_member(member_id)
    return _members([staffing.change_role(by, member_id, StaffRole(call.arguments.role))])


def _link(made: SignInLink) -> Answer:
    value = {"url": made.url, "expires_at": made.expires_at, "member": asdict(made.member)}
    who = f"It signs {made.member.name} in as {made.member.role.value}, once, until"
    lines = [
        made.url,
        "",
        f"{who} {made.expires_at.isoformat(timespec='minutes')}. Give it to nobody else.",
        f"Another one later: lti-tool staff link {made.member.id}",
    ]
    return Answer(value, lines)


def _members(members: Sequence[MemberView]) -> Answer:
    rows: list[dict[str, Any]] = [asdict(member) for member in members]
    return Answer(rows, table(rows, COLUMNS))
