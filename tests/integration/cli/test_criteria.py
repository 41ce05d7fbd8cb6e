"""``lti-tool criteria`` and ``lti-tool decisions``."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.store import tables
from tests import factories
from tests.integration.cli.conftest import CommandLine

GATE = {"type": "gate", "key": "gate", "label": "Forum and page"}


def document(rule: Any, version: int = 2) -> dict[str, Any]:
    return {"version": version, "rule": rule}


# -- criteria


def test_the_schema_is_printed_without_a_database(empty: Path, lti_tool: CommandLine) -> None:
    schema = json.loads(lti_tool("criteria", "schema").out)
    assert schema == lti_tool("criteria", "schema", "--json").json
    assert schema["$id"] == "http://localhost:8000/schemas/criteria-2.json"
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document(GATE))


def test_criteria_that_can_be_used_say_what_they_ask_for(
    empty: Path, lti_tool: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "criteria.json"
    held = {"type": "holds", "achievement_id": "a1", "label": "Explorer"}
    path.write_text(json.dumps(document({"type": "all", "of": [GATE, held]})))
    said = lti_tool("criteria", "check", str(path))
    assert said.status == 0
    assert "Forum and page" in said.out
    assert lti_tool("criteria", "check", str(path), "--json").json == {
        "is_usable": True,
        "problems": [],
        "asks": [
            {"kind": "gate", "key": "gate", "label": "Forum and page"},
            {"kind": "holds", "key": "holds:a1", "label": "Explorer"},
        ],
    }


@pytest.mark.parametrize(
    "content,at,problem",
    [
        (document({**GATE, "label": 7}), "rule.gate.label", "string"),
        (document({**GATE, "colour": "red"}), "rule.gate.colour", "Extra inputs"),
        (document({"type": "all", "of": [GATE, {"type": "not"}]}), "rule.all.of.1", "not"),
        (document({"type": "all", "of": []}), "the criteria", "nothing_asked"),
        (document(GATE, version=1), "the criteria", "version 1 has no such rule"),
        (document(GATE, version=3), "version", "2"),
        ([], "the document", "dictionary"),
    ],
)
def test_every_problem_is_named_with_its_place(
    content: Any,
    at: str,
    problem: str,
    empty: Path,
    lti_tool: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standard_input = SimpleNamespace(buffer=io.BytesIO(json.dumps(content).encode()))
    monkeypatch.setattr(sys, "stdin", standard_input)
    said = lti_tool("criteria", "check", "-")
    assert said.status == 1
    (line,) = said.out.splitlines()
    assert line.startswith(f"{at}: ")
    assert problem in line
    assert said.err == ""
    standard_input.buffer.seek(0)
    assert lti_tool("criteria", "check", "-", "--json").json["is_usable"] is False


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_one_sentence(
    content: bytes, empty: Path, lti_tool: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "criteria.json"
    path.write_bytes(content)
    said = lti_tool("criteria", "check", str(path))
    assert said.status == 1
    assert "is not JSON" in said.err
    assert "Traceback" not in said.err


def test_a_file_that_is_not_there_is_one_sentence(empty: Path, lti_tool: CommandLine, tmp_path: Path) -> None:
    said = lti_tool("criteria", "check", str(tmp_path / "none.json"))
    assert said.status == 1
    assert "cannot be read" in said.err


# -- decisions


@pytest.fixture
def decided(tool: Tool) -> factories.Course:
    """A course with one who passed and one who did not, decided twice about the second."""
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    passed, failed = factories.enrol(tool.database, course, 2)
    factories.grade(tool.database, course, placed, [passed], Decimal(85))
    tool.awarding.decide_context(course.organisation_id, course.context_id)
    factories.grade(tool.database, course, placed, [failed], 20)
    tool.awarding.decide_context(course.organisation_id, course.context_id)
    return course


def test_decisions_are_listed(decided: factories.Course, lti_tool: CommandLine) -> None:
    listed = lti_tool("decisions", "list", decided.context_id, "--json").json
    assert sorted((each["verdict"], each["state"]) for each in listed) == [
        ("award", "met"),
        ("not_yet", "not_met"),
    ]
    (failed_id,) = {each["learner_id"] for each in listed if each["state"] == "not_met"}
    history = lti_tool("decisions", "list", decided.context_id, "--learner", failed_id, "--json").json
    assert [(each["state"], each["is_latest"]) for each in history] == [("not_met", True), ("unknown", False)]
    assert "Learner" in lti_tool("decisions", "list", decided.context_id).out
    assert lti_tool("decisions", "list", "0" * 32).status == 1


def test_decisions_are_replayed(decided: factories.Course, lti_tool: CommandLine) -> None:
    for which in (("--all",), ("--context", decided.context_id)):
        said = lti_tool("decisions", "replay", *which)
        assert (said.status, said.out) == (0, "3 replayed, 0 differ\n")
    (award,) = (
        each
        for each in lti_tool("decisions", "list", decided.context_id, "--json").json
        if each["verdict"] == "award"
    )
    said = lti_tool("decisions", "replay", award["id"])
    assert said.status == 0
    assert "the same: award, met" in said.out
    assert "Quiz 1: met, score_reached" in said.out


def test_a_difference_is_shown_and_ends_with_1(
    decided: factories.Course, tool: Tool, lti_tool: CommandLine
) -> None:
    with tool.database.write() as session:
        session.execute(
            sa.update(tables.Decision).where(tables.Decision.state == "met").values(state="unknown")
        )
    said = lti_tool("decisions", "replay", "--all")
    assert said.status == 1
    assert 'state: stored "unknown", replayed "met"' in said.out
    assert said.out.endswith("3 replayed, 1 differ\n")
    (differing,) = lti_tool("decisions", "replay", "--all", "--json").json["differing"]
    assert differing["differences"] == [{"what": "state", "stored": "unknown", "replayed": "met"}]
    assert lti_tool("decisions", "replay", differing["id"]).status == 1


@pytest.mark.parametrize("which", [("0" * 32,), ("--context", "0" * 32)])
def test_what_is_not_there_is_said(which: tuple[str, ...], installed: Path, lti_tool: CommandLine) -> None:
    said = lti_tool("decisions", "replay", *which)
    assert said.status == 1
    assert said.out == ""


@pytest.mark.parametrize("which", [(), ("0" * 32, "--all"), ("--all", "--context", "x")])
def test_one_thing_is_replayed_at_a_time(
    which: tuple[str, ...], installed: Path, lti_tool: CommandLine
) -> None:
    assert lti_tool("decisions", "replay", *which).status == 2
