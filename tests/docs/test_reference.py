"""What the code offers and what the reference lists are the same."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lti_tool.app import create_app
from lti_tool.cli import build_parser
from lti_tool.errors import ErrorCode
from lti_tool.platforms import QUIRKS
from lti_tool.services.records import COLUMNS
from lti_tool.settings import Settings, load_settings
from lti_tool.telemetry import METRICS

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def headings(name: str) -> set[str]:
    return set(re.findall(r"^## `([^`]+)`$", page(name), re.MULTILINE))


def terms(name: str) -> set[str]:
    """Terms of definition lists: a line with code, and a definition below it."""
    return set(re.findall(r"^`([^`]+)`[^\n]*\n: ", page(name), re.MULTILINE))


def first_cells(name: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", page(name), re.MULTILINE)


def test_every_setting_has_its_entry() -> None:
    assert headings("settings.md") == {f"LTI_TOOL_{name.upper()}" for name in Settings.model_fields}


def test_every_error_code_has_its_entry() -> None:
    assert terms("errors.md") == {code.value for code in ErrorCode}


def test_every_metric_has_its_entry() -> None:
    exposed = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for collector in METRICS
        for metric in collector.collect()
    }
    assert terms("metrics.md") == exposed


def test_every_quirk_has_its_entry_and_the_entry_tells_the_symptom() -> None:
    assert headings("quirks.md") == {quirk.key for quirk in QUIRKS}
    text = " ".join(page("quirks.md").split())
    for quirk in QUIRKS:
        assert " ".join(quirk.symptom.split()) in text, quirk.key
        assert quirk.source in text, quirk.key


def commands(parser: argparse.ArgumentParser, path: str = "lti-tool") -> Iterator[str]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield path
    for action in inner:
        for name, below in action.choices.items():
            yield from commands(below, f"{path} {name}")


def test_every_command_has_its_entry() -> None:
    assert sorted(first_cells("cli.md")) == sorted(set(commands(build_parser())))


def test_every_route_has_its_entry(tmp_path: Path) -> None:
    app = create_app(load_settings({"LTI_TOOL_ENV": "development"}, data_dir=tmp_path))
    offered: set[str] = set()
    for rule in app.url_map.iter_rules():
        # Pages in the frame stand below a session, whose two forms the page explains once.
        path = re.sub(r"^/(l/<session_id>|s/<session_token>)/", "…/", rule.rule)
        path = re.sub(r"<[^<>:]+:(\w+)>", r"<\1>", path)
        for method in (rule.methods or set()) - {"HEAD"}:
            if method != "OPTIONS" or rule.provide_automatic_options is False:
                offered.add(f"{method} {path}")
    listed: set[str] = set()
    for cell in first_cells("http.md"):
        *methods, path = cell.split(" ")
        listed |= {f"{method} {path}" for method in methods}
    assert listed == offered


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS)))
def test_a_code_that_a_page_names_exists(path: Path) -> None:
    """Prose that names an error code or setting goes stale silently otherwise."""
    text = path.read_text(encoding="utf-8")
    known = {code.value for code in ErrorCode} | {name for columns in COLUMNS.values() for name in columns}
    families = "launch|platform|deployment|registration|outbound|credential"
    for name in re.findall(rf"`((?:{families})_[a-z_]+)`", text):
        assert name in known, name
    allowed = {f"LTI_TOOL_{name.upper()}" for name in Settings.model_fields} | {"LTI_TOOL_SECRETS_DIR"}
    for name in re.findall(r"\bLTI_TOOL_(?!TEST_)[A-Z_]+[A-Z]\b", text):
        assert name in allowed, name


def test_every_page_is_reached_from_the_front() -> None:
    """Sphinx warns of a page in no toctree; a page that no text links to would still be hard to find."""
    for folder in ("how-to", "reference", "explanation"):  # decisions are listed by their numbers
        index = (DOCS / folder / "index.md").read_text(encoding="utf-8")
        listed = set(re.findall(r"^([\w-]+)$", index, re.MULTILINE))
        assert listed == {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"}
