"""The commands of docs/how-to/two-institutions.md, and what the doctor says in between."""

from __future__ import annotations

from typing import Any

import pytest

from lti_tool.bootstrap import Tool
from lti_tool.store import registrations as store
from tests.integration.cli.conftest import CommandLine, Said
from tests.unit.services.test_institutions import CANVAS, NORTH, SOUTH


@pytest.fixture
def add(lti_tool: CommandLine) -> Any:
    def command(token_url: str, deployment: str, organisation: str, *more: str) -> Said:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in CANVAS.items()]
        named = (
            f"--token-url={token_url}",
            f"--deployment-id={deployment}",
            f"--organisation={organisation}",
        )
        return lti_tool("registrations", "add", *options, *named, "--approve", "--json", *more)

    return command


def findings(lti_tool: CommandLine) -> list[tuple[str, str, str]]:
    """State, text and remedy of what the doctor finds of registrations."""
    return [
        (each["state"], each["text"], each["mend"])
        for each in lti_tool("doctor", "--json").json
        if each["part"].startswith("registration")
    ]


def test_the_same_command_for_each_institution(tool: Tool, lti_tool: CommandLine, add: Any) -> None:
    first = add(NORTH, "1:north", "North").json
    again = add(SOUTH, "2:south", "South", "--frame-origin=https://portal.south.example").json
    assert again["id"] == first["id"]
    assert again["token_url"] == NORTH
    deployments = {each["id_on_platform"]: each for each in again["deployments"]}
    assert deployments["1:north"]["token_url"] is None
    assert deployments["2:south"]["token_url"] == SOUTH
    assert deployments["2:south"]["frame_origins"] == ["https://portal.south.example"]
    assert deployments["1:north"]["organisation_id"] != deployments["2:south"]["organisation_id"]
    listed = lti_tool("deployments", "list", first["id"])
    assert SOUTH in listed.out


def test_a_deployment_is_approved_with_what_is_its_own(tool: Tool, lti_tool: CommandLine, add: Any) -> None:
    first = add(NORTH, "1:north", "North").json
    approve = ("deployments", "approve", first["id"], "3:course")
    said = lti_tool(*approve)
    assert said.status == 1
    assert "organisation: say whose" in said.err
    said = lti_tool(*approve, "--organisation=South")
    assert said.status == 1
    assert "token_url: " in said.err
    said = lti_tool(*approve, "--organisation=South", f"--token-url={SOUTH}", "--json")
    assert (said.status, said.json[0]["token_url"]) == (0, SOUTH)


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_sends_nobody_into_the_wrong_organisation(
    tool: Tool, lti_tool: CommandLine, add: Any
) -> None:
    first = add(NORTH, "1:north", "North").json
    with tool.database.write() as session:
        store.save_deployment(session, first["id"], "2:south", tool.clock())
    (remedy,) = (mend for _, text, mend in findings(lti_tool) if "2:south waits" in text)
    assert remedy.endswith("--organisation ITS-OWN")


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_misses_a_token_url(tool: Tool, lti_tool: CommandLine, add: Any) -> None:
    first = add(NORTH, "1:north", "North").json
    owner = tool.registrations.ensure_organisation("South")
    with tool.database.write() as session:
        held = store.save_deployment(session, first["id"], "2:south", tool.clock())
        store.approve_deployment(session, held.id, owner.id, tool.clock())
    (found,) = ((state, mend) for state, text, mend in findings(lti_tool) if "has no token URL" in text)
    assert found[0] == "fail"
    lti_tool(*found[1].removeprefix("lti-tool ").split())
    assert not any("has no token URL" in text for _, text, _ in findings(lti_tool))


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_warns_of_a_copy(tool: Tool, lti_tool: CommandLine, add: Any) -> None:
    add(NORTH, "1:north", "North", "--issuer=https://canvas.beta.instructure.com")
    (found,) = (state for state, text, _ in findings(lti_tool) if "a copy of https://canvas.instr" in text)
    assert found == "warn"


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_says_nothing_of_a_budget_that_nobody_has_touched(
    tool: Tool, lti_tool: CommandLine, add: Any
) -> None:
    """A clock that goes on while the budget is read made it rest for nothing."""
    add(NORTH, "1:north", "North")
    assert not [each for each in lti_tool("doctor", "--json").json if each["part"] == "call budget"]
