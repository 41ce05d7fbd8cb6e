"""``lti-tool frameworks``: import, list, remove."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from lti_tool.bootstrap import Tool
from tests import factories
from tests.integration.cli.conftest import CommandLine
from tests.unit.services.test_framework_files import case, esco, row


def test_a_framework_is_imported_listed_and_removed(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    organisation_id = factories.course(tool.database).organisation_id
    file = tmp_path / "skills_de.csv"
    file.write_bytes(esco(row(1, "Datenbanken nutzen"), row(1, "noch einmal")))
    said = lti_tool(
        "frameworks", "import", organisation_id, str(file), "--framework-version", "v1.2.0", "--json"
    )
    assert said.status == 0, said.err
    assert (said.json["name"], said.json["language"], said.json["version"]) == ("ESCO", "de", "v1.2.0")
    assert (said.json["items"], said.json["added"], said.json["repeated"]) == (1, 1, 1)
    said = lti_tool("frameworks", "list", organisation_id)
    assert "ESCO" in said.out
    (listed,) = lti_tool("frameworks", "list", organisation_id, "--json").json
    said = lti_tool("frameworks", "remove", organisation_id, listed["id"])
    assert (said.status, "removed ESCO: 1 skills" in said.out) == (0, True)
    assert lti_tool("frameworks", "list", organisation_id, "--json").json == []


def test_a_package_comes_through_a_pipe(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation_id = factories.course(tool.database).organisation_id
    piped = io.TextIOWrapper(io.BytesIO(json.dumps(case()).encode()))
    monkeypatch.setattr(sys, "stdin", piped)
    assert lti_tool("frameworks", "import", organisation_id, "-", "--json").json["kind"] == "case"


def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    organisation_id = factories.course(tool.database).organisation_id
    file = tmp_path / "skills_en.csv"
    file.write_bytes(esco(row(1, "fine"), row(2, "")))
    said = lti_tool("frameworks", "import", organisation_id, str(file))
    assert (said.status, "line 3 has no name" in said.err) == (1, True)
    said = lti_tool("frameworks", "import", organisation_id, str(tmp_path / "missing.csv"))
    assert (said.status, "cannot be read" in said.err) == (1, True)
    said = lti_tool("frameworks", "import", "Nobody", str(file))
    assert (said.status, "Nobody" in said.err) == (1, True)


def test_another_organisations_framework_is_not_removed(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    ours = factories.course(tool.database).organisation_id
    theirs = factories.course(tool.database).organisation_id
    file = tmp_path / "skills_en.csv"
    file.write_bytes(esco(row(1, "fine")))
    id_ = lti_tool("frameworks", "import", ours, str(file), "--json").json["id"]
    assert lti_tool("frameworks", "remove", theirs, id_).status == 1
    assert len(tool.frameworks.list(ours)) == 1
