"""The table of certification cases says what the tool does, and names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lti_tool.app import create_app
from lti_tool.domain.certification import CASES, Case
from lti_tool.settings import load_settings
from lti_tool.web.staff.health_words import case_word

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "certification.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells for cells in re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
}
JOURNEY = ROOT / "tests" / "journeys" / "test_certification.py"


def test_every_case_has_its_row_in_the_suite_s_order() -> None:
    assert list(ROWS) == [case.key for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_row_says_what_the_code_does(case: Case) -> None:
    _, section, answer, _ = ROWS[case.key]
    assert section == case.section
    assert re.findall(r"`([^`]+)`", answer) == [code.value for code in case.codes]
    assert answer.startswith("refuses: ") == case.is_refused


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_row_names_tests_that_there_are(case: Case) -> None:
    source = JOURNEY.read_text(encoding="utf-8")
    functions = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    named = re.findall(r"`(test_\w+)(?:\[([^\]]+)\])?`", ROWS[case.key][3])
    assert named
    for function, parameter in named:
        assert function in functions
        assert not parameter or f'id="{parameter}"' in source or f"({parameter}, ErrorCode." in source


def test_every_case_has_words(tmp_path: Path) -> None:
    app = create_app(load_settings({"LTI_TOOL_ENV": "development"}, data_dir=tmp_path))
    with app.test_request_context():
        assert len({case_word(case.key) for case in CASES}) == len(CASES)
