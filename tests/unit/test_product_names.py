"""No code asks which product an LMS is, outside the rooms that speak for products (decision 0007)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lti_tool
from lti_tool.platforms import PLATFORMS

PACKAGE = Path(lti_tool.__file__).parent
ALLOWED = ("platforms/", "lms_api/", "lti/registration.py")
NAMES = {name for name in PLATFORMS if name != "other"} | {"blackboard", "brightspace", "sakai"}
LOOKING = ("startswith", "endswith", "get", "count", "find")


def asked(source: str) -> list[int]:
    """The lines on which a product's name is compared, matched, looked up or used as a key."""
    found = []
    for node in ast.walk(ast.parse(source)):
        suspects: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            suspects = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            suspects = [node.value]
        elif isinstance(node, ast.Dict):
            suspects = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            suspects = [node.slice]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LOOKING:
            suspects = list(node.args)
        for suspect in suspects:
            for part in ast.walk(suspect):
                if isinstance(part, ast.Constant) and str(part.value).strip().lower() in NAMES:
                    found.append(part.lineno)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "product == 'moodle'",
        "product in ('canvas', 'other')",
        "{'moodle': 1}[product]",
        "product.startswith('moodle')",
        "match product:\n    case 'canvas': pass",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert asked(source)


def test_only_the_rooms_of_products_ask_for_their_names() -> None:
    asking = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if not str(path.relative_to(PACKAGE)).startswith(ALLOWED) and (lines := asked(path.read_text()))
    }
    assert asking == {}
