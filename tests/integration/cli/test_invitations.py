"""``lti-tool registrations invite|invitations|withdraw``."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from lti_tool.bootstrap import Tool
from lti_tool.errors import ErrorCode, NotAllowed
from tests.integration.cli.conftest import CommandLine

INVITE = ("registrations", "invite", "--organisation", "Open Learning")


def token_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["invite"][0]


def test_an_invitation_prints_a_link_that_lets_one_lms_in(tool: Tool, lti_tool: CommandLine) -> None:
    said = lti_tool(*INVITE, "--name", "Our Moodle", "--days", "3", "--approve", "--json")
    assert said.json["url"].startswith("http://localhost:8000/lti/register?invite=")
    view = tool.inviting.look(token_in(said.json["url"]))
    assert (view.name, view.approves, view.created_by) == ("Our Moodle", True, "cli")
    assert (view.expires_at - view.created_at).days == 3
    assert view.organisation_name == "Open Learning"


def test_an_organisation_is_made_once(tool: Tool, lti_tool: CommandLine) -> None:
    first, second = (lti_tool(*INVITE, "--json").json["invitation"] for _ in range(2))
    assert first["organisation_id"] == second["organisation_id"]
    by_id = lti_tool("registrations", "invite", "--organisation", first["organisation_id"], "--json").json
    assert by_id["invitation"]["organisation_id"] == first["organisation_id"]


def test_people_read_the_link_first_and_where_it_goes(tool: Tool, lti_tool: CommandLine) -> None:
    link, _, text = lti_tool(*INVITE).out.partition("\n")
    assert tool.inviting.look(token_in(link))
    assert "once, until" in text
    assert "You approve the registration afterwards." in text
    assert "lti-tool registrations withdraw " in text


def test_the_list_tells_what_came_of_each_and_never_a_link(tool: Tool, lti_tool: CommandLine) -> None:
    made = lti_tool(*INVITE, "--json").json
    said = lti_tool("registrations", "invitations", "--organisation", "Open Learning", "--json")
    assert [(one["id"], one["state"]) for one in said.json] == [(made["invitation"]["id"], "open")]
    assert token_in(made["url"]) not in said.out
    assert made["invitation"]["id"] in lti_tool("registrations", "invitations").out


def test_what_is_withdrawn_lets_nobody_in(tool: Tool, lti_tool: CommandLine) -> None:
    made = lti_tool(*INVITE, "--json").json
    said = lti_tool("registrations", "withdraw", made["invitation"]["id"], "--json")
    assert [one["state"] for one in said.json] == ["withdrawn"]
    with pytest.raises(NotAllowed) as caught:
        tool.inviting.look(token_in(made["url"]))
    assert caught.value.code is ErrorCode.INVITATION_WITHDRAWN


def test_an_unknown_invitation_says_where_to_look(lti_tool: CommandLine, tool: Tool) -> None:
    said = lti_tool("registrations", "withdraw", "another")
    assert said.status == 1
    assert "invitation_unknown" in said.err
    assert "lti-tool registrations invitations" in said.err


@pytest.mark.parametrize("days", ["0", "31", "-1", "x", "²"])
def test_days_that_cannot_be_are_wrong_usage(lti_tool: CommandLine, tool: Tool, days: str) -> None:
    said = lti_tool(*INVITE, f"--days={days}")
    assert said.status == 2


def test_only_a_registration_of_the_organisation_is_renewed(lti_tool: CommandLine, tool: Tool) -> None:
    said = lti_tool(*INVITE, "--registration", "another")
    assert (said.status, "not_found" in said.err) == (1, True)
