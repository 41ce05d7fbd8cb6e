"""The metadata, compared with the tree."""

from __future__ import annotations

import configparser
import inspect
import re
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


def test_every_dependency_is_pinned() -> None:
    def name(line: str) -> str:
        return re.split(r"[\[;<>=!~ ]", line.strip())[0].replace("_", "-").lower()

    config = _setup_cfg()
    wanted = config["options"]["install_requires"] + "".join(config["options.extras_require"].values())
    lines = (ROOT / "config/constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].replace("_", "-").lower() for line in lines if "==" in line}
    assert {name(line) for line in wanted.splitlines() if line.strip()} <= pinned


def test_granian_knows_every_option_that_we_give_it() -> None:
    options = tomllib.loads((ROOT / "config/granian.toml").read_text(encoding="utf-8"))
    known = inspect.signature(granian.Granian.__init__).parameters
    assert set(options) <= set(known)
