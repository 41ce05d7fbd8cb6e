"""``lti-tool reviews``: list, decide, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.services.awarding import Awarding
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.cli.conftest import CommandLine


@pytest.fixture
def course(tool: Tool) -> Course:
    """Two learners whose grades were lowered after the award."""
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    learners = factories.enrol(tool.database, course, 2)
    factories.grade(tool.database, course, placed, learners, 90)
    awarding = Awarding(tool.database, tool.clock)
    tool.issuing.issue_for(awarding.decide_context(course.organisation_id, course.context_id).award_ids)
    with tool.database.write() as session:
        session.execute(sa.update(tables.Result).values(score=10))
    awarding.decide_context(course.organisation_id, course.context_id)
    tool.reviews.doubting.look(course.organisation_id, course.context_id)
    return course


def rows(tool: Tool, table: Any) -> list[Any]:
    with tool.database.read() as session:
        return list(session.scalars(sa.select(table)))


def test_what_waits_is_listed_decided_after_a_look_and_undone(
    course: Course, tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    listed = lti_tool("reviews", "list", course.organisation_id, "--json").json
    ids = [one["id"] for one in listed]
    assert [(one["cause"], one["status"]) for one in listed] == [("facts", "open")] * 2
    assert listed[0]["context_id"] == course.context_id
    assert ids[0] in lti_tool("reviews", "list", course.organisation_id, "--course", course.context_id).out
    for nothing in (["--course", "0" * 32], ["--cause", "gate"], ["--state", "kept"]):
        assert lti_tool("reviews", "list", course.organisation_id, "--json", *nothing).json == []

    file = tmp_path / "ids"
    file.write_text("\n".join(ids), encoding="utf-8")
    revoke = (
        "reviews",
        "decide",
        course.organisation_id,
        "revoke",
        "--file",
        str(file),
        "--reason",
        "Copied.",
    )
    looked = lti_tool(*revoke)
    assert (looked.status, "Nothing was decided" in looked.out) == (0, True)
    assert {one.status for one in rows(tool, tables.Review)} == {"open"}
    done = lti_tool(*revoke, "--yes", "--json")
    assert (done.status, [one["is_decided"] for one in done.json]) == (0, [True, True])
    assert {(one.status, one.decided_by, one.reason) for one in rows(tool, tables.Review)} == {
        ("revoked", "cli", "Copied.")
    }
    again = lti_tool(*revoke, "--yes", "--json")
    assert (again.status, [one["is_decided"] for one in again.json]) == (1, [False, False])

    undone = lti_tool("reviews", "undo", course.organisation_id, ids[0], "--json")
    assert (undone.status, undone.json["status"]) == (0, "open")
    assert lti_tool("reviews", "undo", course.organisation_id, ids[0]).status == 0, "twice is once"
    keep = lti_tool("reviews", "decide", course.organisation_id, "keep", ids[0], "--reason", "Ours.", "--yes")
    assert keep.status == 0
    assert sorted(one.status for one in rows(tool, tables.Review)) == ["kept", "revoked"]
    actions = {one.action for one in rows(tool, tables.AuditEvent) if one.actor == "cli"}
    assert {"review.revoked", "review.undone", "review.kept"} <= actions


def test_undoing_what_settles_at_once_says_so(course: Course, tool: Tool, lti_tool: CommandLine) -> None:
    review = rows(tool, tables.Review)[0]
    organisation_id = course.organisation_id
    assert (
        lti_tool(
            "reviews", "decide", organisation_id, "revoke", review.id, "--reason", "Copied.", "--yes"
        ).status
        == 0
    )
    with tool.database.write() as session:
        session.execute(sa.update(tables.Result).values(score=90))
    Awarding(tool.database, tool.clock).decide_context(organisation_id, course.context_id)
    undone = lti_tool("reviews", "undo", organisation_id, review.id)
    assert undone.status == 0
    assert "its review is settled\n" in undone.out


def test_another_organisations_reviews_are_not_found(
    course: Course, tool: Tool, lti_tool: CommandLine
) -> None:
    other = factories.course(tool.database).organisation_id
    id_ = rows(tool, tables.Review)[0].id
    assert lti_tool("reviews", "list", other, "--json").json == []
    assert lti_tool("reviews", "undo", other, id_).status == 1
    assert lti_tool("reviews", "decide", other, "keep", id_, "--reason", "Ours.", "--yes").status == 1
    assert {one.status for one in rows(tool, tables.Review)} == {"open"}


def test_it_takes_a_review_and_a_reason(course: Course, tool: Tool, lti_tool: CommandLine) -> None:
    id_ = rows(tool, tables.Review)[0].id
    for wrong in (["--reason", "Ours."], [id_, "--reason", "  "], ["x", "--reason", "Ours."]):
        said = lti_tool("reviews", "decide", course.organisation_id, "keep", *wrong, "--yes")
        assert said.status == 1, wrong
    assert {one.status for one in rows(tool, tables.Review)} == {"open"}
