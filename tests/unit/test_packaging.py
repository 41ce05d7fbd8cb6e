"""The metadata, compared with the tree."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import inspect
import re
import sys
import tomllib
from pathlib import Path

import granian

ROOT = Path(__file__).parents[2]


def _setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_is_in_the_wheel() -> None:
    listed = set(_setup_cfg()["options"]["packages"].split())
    in_tree = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "lti_tool").rglob("__init__.py")
        if "migrations" not in path.parts  # data of lti_tool.store
    }
    assert listed == in_tree | {"lti_tool.templates", "lti_tool.config"}


def _name(line: str) -> str:
    return re.split(r"[\[;<>=!~ ]", line.strip())[0].replace("_", "-").lower()


def test_the_dependencies_are_what_the_package_imports() -> None:
    """What only another package asks for may go with its next release; what is unused, everybody installs."""
    imported: set[str] = set()
    for path in (ROOT / "lti_tool").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    distributions = importlib.metadata.packages_distributions()
    used = {
        _name(distribution)
        for module in imported - sys.stdlib_module_names - {"lti_tool"}
        for distribution in distributions.get(module, [module])
    }
    named = {_name(line) for line in _setup_cfg()["options"]["install_requires"].splitlines() if line.strip()}
    parts_of_flask = {"babel", "jinja2", "werkzeug"}
    asked_for = {"authlib"}  # the tool was commissioned with it; its JOSE half is joserfc today
    assert named - parts_of_flask - asked_for == used - parts_of_flask


def test_every_dependency_is_pinned() -> None:
    config = _setup_cfg()
    wanted = config["options"]["install_requires"] + "".join(config["options.extras_require"].values())
    lines = (ROOT / "config/constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].replace("_", "-").lower() for line in lines if "==" in line}
    assert {_name(line) for line in wanted.splitlines() if line.strip()} <= pinned


def test_granian_knows_every_option_that_we_give_it() -> None:
    options = tomllib.loads((ROOT / "config/granian.toml").read_text(encoding="utf-8"))
    known = inspect.signature(granian.Granian.__init__).parameters
    assert set(options) <= set(known)
