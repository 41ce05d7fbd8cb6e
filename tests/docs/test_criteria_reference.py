"""docs/reference/criteria.md against the code: its examples can be imported, and it names every field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lti_tool.domain import criteria_problems
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_schema import criteria_schema

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "criteria.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", TEXT, re.S)
SCHEMA = criteria_schema("https://badges.example.edu")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_imported(example: str) -> None:
    document = json.loads(example)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    parse_criteria(document)


def test_the_examples_show_every_rule() -> None:
    shown: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            shown.add(str(value.get("type")))
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    for example in EXAMPLES:
        look(json.loads(example)["rule"])
    assert shown >= {definition["properties"]["type"]["const"] for definition in rules()}


def rules() -> list[dict[str, Any]]:
    definitions = SCHEMA["$defs"]
    return [definitions[each["$ref"].rpartition("/")[2]] for each in definitions["Rule"]["oneOf"]]


def test_every_field_of_a_rule_is_named() -> None:
    for definition in [*rules(), SCHEMA["$defs"]["MeanTerm"]]:
        for name in definition["properties"]:
            assert f"`{name}`" in TEXT, f"{definition['title']}: {name}"


@pytest.mark.parametrize(
    "limit",
    ["MAXIMUM_LEAVES", "MAXIMUM_DEPTH", "MAXIMUM_WEIGHT", "MAXIMUM_CHECKLIST", "MAXIMUM_CHECKLIST_LINE"],
)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert re.search(rf"\| [^|\n]*\b{getattr(criteria_problems, limit)}\b[^|\n]* \|$", TEXT, re.M)
