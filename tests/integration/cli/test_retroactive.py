"""``lti-tool award --retroactive``: who completed it, and their badges."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest

from lti_tool import cli
from lti_tool.bootstrap import Tool
from lti_tool.services import retroactive
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Author
from lti_tool.store import retroactive as store
from lti_tool.store import tables
from tests import factories
from tests.integration.cli.conftest import CommandLine

FORM = {"name": "Maps", "shape": "circle", "icon": "award", "background": "#113355", "foreground": "#ffffff"}


def completed(tool: Tool, people: int) -> tuple[Author, str]:
    """Staff of an organisation, and its micromodule without a badge that so many completed."""
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course, has_badge=False)
    ids = factories.enrol(tool.database, course, people)
    factories.grade(tool.database, course, placed, ids, 90)
    tool.awarding.decide_context(course.organisation_id, course.context_id)
    with tool.database.read() as session:
        version = session.get_one(tables.MicromoduleVersion, placed.micromodule_version_id)
    return Author(course.organisation_id, "staff:ada", None), version.micromodule_id


def switched_on(tool: Tool, author: Author, micromodule_id: str) -> str:
    tool.retroactive.save(author, micromodule_id, MicromoduleForm.from_fields(FORM))
    seen = tool.retroactive.dry_run(author, micromodule_id, lambda _: "Pass.").mark
    return tool.retroactive.switch_on(author, micromodule_id, lambda _: "Pass.", language="en", seen=seen).id


def test_the_dry_run_lists_everybody_and_awards_nobody(tool: Tool, lti_tool: CommandLine) -> None:
    _, micromodule_id = completed(tool, 2)
    listed = lti_tool("award", "--retroactive", micromodule_id, "--dry-run", "--json").json
    assert [(one["dated"], one["not_awarded"], one["has_left"]) for one in listed] == [
        ("told", None, False)
    ] * 2
    assert "Learner" in lti_tool("award", "--retroactive", micromodule_id, "--dry-run").out
    with tool.database.read() as session:
        assert session.query(tables.Award).count() == 0


def test_the_dry_run_writes_what_it_has_read_before_it_reads_on(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, micromodule_id = completed(tool, 7)
    asked = ("award", "--retroactive", micromodule_id, "--dry-run")
    whole = [lti_tool(*asked).out, lti_tool(*asked, "--json").out]
    monkeypatch.setattr(retroactive, "AT_ONCE", 2)
    read = store.batch
    said = StringIO()
    written: list[int] = []

    def seen(*arguments: Any, **options: Any) -> store.Batch:
        written.append(said.getvalue().count("Learner"))
        return read(*arguments, **options)

    monkeypatch.setattr(store, "batch", seen)
    with redirect_stdout(said):
        assert cli.main((*asked, "--json")) == 0
    # Nothing of a page is left to write when the next one is read.
    assert written == [0, 2, 4, 6]
    assert said.getvalue() == whole[1]
    assert len(json.loads(said.getvalue())) == 7
    said = StringIO()
    written.clear()
    with redirect_stdout(said):
        assert cli.main(asked) == 0
    # How wide the columns are is known once everybody was read; then they are read again.
    assert written == [0, 0, 0, 0, 0, 2, 4, 6]
    assert said.getvalue() == whole[0]


def test_the_dry_run_of_what_nobody_completed_says_so(tool: Tool, lti_tool: CommandLine) -> None:
    _, micromodule_id = completed(tool, 0)
    assert lti_tool("award", "--retroactive", micromodule_id, "--dry-run").out == "none\n"
    assert lti_tool("award", "--retroactive", micromodule_id, "--dry-run", "--json").out == "[]\n"


def test_what_has_no_badge_is_not_awarded(tool: Tool, lti_tool: CommandLine) -> None:
    _, micromodule_id = completed(tool, 1)
    refused = lti_tool("award", "--retroactive", micromodule_id)
    assert refused.status == 1
    assert "switch one on" in refused.err
    assert lti_tool("award", "--retroactive", "nobody-knows-it").status == 1


def test_the_run_is_gone_on_with_also_when_it_was_paused(tool: Tool, lti_tool: CommandLine) -> None:
    author, micromodule_id = completed(tool, 3)
    run_id = switched_on(tool, author, micromodule_id)
    tool.retroactive.pause(author, micromodule_id)
    done = lti_tool("award", "--retroactive", micromodule_id, "--json").json
    assert (done["run"], done["status"], done["awarded"], done["done"]) == (run_id, "done", 3, 3)
    again = lti_tool("award", "--retroactive", micromodule_id, "--json").json
    assert (again["awarded"], again["withheld"]) == (0, {"held": 3})
