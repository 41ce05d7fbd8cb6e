"""``lti-tool staff`` and ``registrations administrators``: who opens the staff pages."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import NotAllowed
from lti_tool.store import tables
from tests import factories
from tests.integration.cli.conftest import CommandLine, Said


@pytest.fixture
def organisation_id(tool: Tool) -> str:
    with tool.database.write() as session:
        return factories.organisation(session, name="Open Learning")[0]


def token_of(said: Said) -> str:
    assert said.status == 0, said.err
    return str(said.json["url"]).rpartition("#")[2]


def test_an_invitation_prints_a_link_that_signs_in_once(
    tool: Tool, organisation_id: str, lti_tool: CommandLine
) -> None:
    said = lti_tool(
        *("staff", "invite", "Open Learning", "--role", "owner"),
        *("--name", "Ada", "--email", "ada@example.org", "--json"),
    )
    assert said.json["url"].startswith("http://localhost:8000/staff/sign-in#")
    assert (said.json["member"]["role"], said.json["member"]["name"]) == ("owner", "Ada")
    staff = tool.staffing.sign_in(token_of(said)).staff
    assert (staff.organisation_id, staff.role) == (organisation_id, StaffRole.OWNER)
    with pytest.raises(NotAllowed):
        tool.staffing.sign_in(token_of(said))


def test_people_read_the_link_first_and_what_it_is_worth(organisation_id: str, lti_tool: CommandLine) -> None:
    said = lti_tool("staff", "invite", organisation_id, "--role", "reader", "--name", "Ada")
    link, _, text = said.out.partition("\n")
    assert link.startswith("http://localhost:8000/staff/sign-in#")
    assert "signs Ada in as reader, once, until" in text
    assert "lti-tool staff link " in text


def test_an_organisation_is_named_by_id_too(organisation_id: str, lti_tool: CommandLine) -> None:
    assert lti_tool("staff", "invite", organisation_id, "--role", "editor").status == 0


def test_an_unknown_organisation_is_one_sentence(organisation_id: str, lti_tool: CommandLine) -> None:
    said = lti_tool("staff", "invite", "open learning", "--role", "owner")
    assert said.status == 1
    assert said.err.splitlines() == [
        "lti-tool: no organisation has the id or name 'open learning' (organisation_not_found)",
        "  -> ids and names: lti-tool organisations list",
    ]


def test_an_ambiguous_name_is_one_sentence_with_the_ids(
    tool: Tool, organisation_id: str, lti_tool: CommandLine
) -> None:
    with tool.database.write() as session:
        twin, _ = factories.organisation(session, name="Open Learning")
    said = lti_tool("staff", "invite", "Open Learning", "--role", "owner")
    assert said.status == 1
    assert "several organisations are called 'Open Learning'" in said.err
    assert organisation_id in said.err
    assert twin in said.err
    assert "(organisation_ambiguous)" in said.err
    assert lti_tool("staff", "list", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("invite", "Open Learning"),
        ("invite", "Open Learning", "--role", "administrator"),
        ("invite", "--role", "owner"),
        ("disable",),
        ("role", "x", "nothing"),
    ],
)
def test_wrong_usage_exits_with_2(
    organisation_id: str, lti_tool: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert lti_tool("staff", *arguments).status == 2


def test_a_wrong_address_is_told(organisation_id: str, lti_tool: CommandLine) -> None:
    said = lti_tool("staff", "invite", "Open Learning", "--role", "owner", "--email", "nonsense")
    assert said.status == 1
    assert "email: an address is needed" in said.err


def test_members_are_listed_linked_changed_and_disabled(
    tool: Tool, organisation_id: str, lti_tool: CommandLine
) -> None:
    with tool.database.write() as session:
        factories.organisation(session, name="Elsewhere")
    lti_tool("staff", "invite", "Elsewhere", "--role", "reader", "--name", "Grace")
    lti_tool("staff", "invite", "Open Learning", "--role", "owner", "--name", "Ada")
    made = lti_tool("staff", "invite", "Open Learning", "--role", "reader", "--name", "Ben", "--json").json
    member_id = made["member"]["id"]
    listed = lti_tool("staff", "list", "Open Learning", "--json").json
    assert [(each["name"], each["role"], each["is_active"]) for each in listed] == [
        ("Ada", "owner", True),
        ("Ben", "reader", True),
    ]
    assert {each["name"] for each in lti_tool("staff", "list", "--json").json} == {"Ada", "Ben", "Grace"}
    assert "Ben" in lti_tool("staff", "list").out

    token = token_of(lti_tool("staff", "link", member_id, "--json"))
    begun = tool.staffing.sign_in(token)
    assert lti_tool("staff", "role", member_id, "editor", "--json").json[0]["role"] == "editor"
    assert tool.staffing.open_session(begun.token).role is StaffRole.EDITOR
    assert lti_tool("staff", "disable", member_id, "--json").json[0]["is_active"] is False
    with pytest.raises(NotAllowed):
        tool.staffing.open_session(begun.token)
    assert lti_tool("staff", "link", member_id).status == 1
    assert lti_tool("staff", "enable", member_id, "--json").json[0]["is_active"] is True
    assert lti_tool("staff", "link", member_id).status == 0


def test_the_last_owner_is_kept_with_a_sentence_and_a_way_out(
    organisation_id: str, lti_tool: CommandLine
) -> None:
    made = lti_tool("staff", "invite", "Open Learning", "--role", "owner", "--json").json
    said = lti_tool("staff", "disable", made["member"]["id"])
    assert said.status == 1
    assert "is the last owner" in said.err
    assert "(staff_last_owner)" in said.err
    assert "-> lti-tool staff invite" in said.err


@pytest.mark.parametrize("command", [("link",), ("disable",), ("enable",), ("role", "owner")])
def test_an_unknown_member_is_one_sentence(
    installed: object, lti_tool: CommandLine, command: tuple[str, ...]
) -> None:
    said = lti_tool("staff", command[0], "nobody", *command[1:])
    assert said.status == 1
    assert said.err.splitlines() == [
        "lti-tool: no staff member nobody (staff_member_not_found)",
        "  -> ids: lti-tool staff list",
    ]


def test_no_token_is_stored_or_listed(tool: Tool, organisation_id: str, lti_tool: CommandLine) -> None:
    token = token_of(lti_tool("staff", "invite", "Open Learning", "--role", "owner", "--json"))
    assert token not in lti_tool("staff", "list", "--json").out
    with tool.database.read() as session:
        assert session.scalars(sa.select(tables.StaffLink.token_hash)).one() != token


def test_what_administrators_of_an_lms_may_be_is_said_and_taken_back(
    tool: Tool, lti_tool: CommandLine
) -> None:
    course = factories.course(tool.database)
    shown = lti_tool("registrations", "show", course.registration_id, "--json").json
    assert shown["administrator_role"] is None
    command = ("registrations", "administrators", course.registration_id, "--role")
    assert lti_tool(*command, "reviewer", "--json").json["administrator_role"] == "reviewer"
    assert lti_tool(*command, "none", "--json").json["administrator_role"] is None
    assert lti_tool(*command, "admin").status == 2
    unknown = lti_tool("registrations", "administrators", "x", "--role", "reader")
    assert unknown.status == 1
    assert "(registration_unknown)" in unknown.err


def test_the_doctor_names_organisations_without_an_owner(
    tool: Tool, organisation_id: str, lti_tool: CommandLine
) -> None:
    def finding() -> str:
        return lti_tool("doctor").out

    assert "warn  staff of Open Learning: nobody can sign in as an owner" in finding()
    assert f"-> lti-tool staff invite {organisation_id} --role owner" in finding()
    lti_tool("staff", "invite", organisation_id, "--role", "editor")
    assert "staff of Open Learning" in finding()
    lti_tool("staff", "invite", organisation_id, "--role", "owner")
    assert "staff of Open Learning" not in finding()
