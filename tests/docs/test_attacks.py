"""The table of attacks says what is so: guard and test are there, and ``make guards`` can try them."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from tests.guards import GUARDS, ROOT, Guard, problems

PAGE = ROOT / "docs" / "explanation" / "launch-safety.md"


def ids(guard: Guard) -> str:
    return guard.attack


def test_the_page_s_table_is_the_one_that_is_tried() -> None:
    rows = re.findall(r"^\| ([^|`]+) \| `([^`]+)` \| `([^`]+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(guard.attack, guard.name, guard.test) for guard in GUARDS]


def is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@pytest.mark.parametrize("guard", GUARDS, ids=ids)
def test_a_guard_stands_where_the_table_says(guard: Guard) -> None:
    if guard.name.endswith(".js"):
        assert (ROOT / guard.name).is_file()
    else:
        parts = guard.name.split(".")
        at = next(n for n in range(len(parts), 0, -1) if is_module(Path(ROOT, *parts[:n])))
        found = importlib.import_module(".".join(parts[:at]))
        for name in parts[at:]:
            found = getattr(found, name)
        assert callable(found)
    assert problems(guard) == []


@pytest.mark.parametrize("guard", GUARDS, ids=ids)
def test_its_test_is_there(guard: Guard) -> None:
    file, *names = guard.test.split("::")
    body = ast.parse((ROOT / file).read_text("utf-8")).body
    for name in names:
        found = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == name]
        assert found, f"{file} has no {name}"
        body = found[0].body
