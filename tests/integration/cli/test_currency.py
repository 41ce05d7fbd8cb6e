"""``lti-tool achievements``: stale, assign, reviewed."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.domain.currency import day_of
from lti_tool.domain.staff import StaffRole
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.cli.conftest import CommandLine


@pytest.fixture
def course(tool: Tool) -> Course:
    """A course with two micromodules, and an active milestone; the first was overlooked for a month."""
    made = factories.course(tool.database)
    for _ in range(2):
        factories.placed(tool.database, made)
    by = tool.staffing.operator(made.organisation_id)
    tool.milestones.create(by, MilestoneForm(name="Explorer", count="1"), str, "en")
    with tool.database.write() as session:
        session.execute(sa.update(tables.Milestone).values(status="active"))
    return made


def ids(lti_tool: CommandLine, course: Course) -> dict[str, str]:
    rows = lti_tool("achievements", "stale", course.organisation_id, "--all", "--json").json
    return {row["name"]: row["id"] for row in rows}


def test_what_is_overdue_is_listed_assigned_and_noted(
    tool: Tool, lti_tool: CommandLine, course: Course
) -> None:
    organisation_id, today = course.organisation_id, day_of(tool.clock())
    assert lti_tool("achievements", "stale", organisation_id).out == "none\n"
    found = ids(lti_tool, course)
    assert len(found) == 3
    by = tool.staffing.operator(organisation_id)
    anna = tool.staffing.invite(by, StaffRole.READER, name="Anna", email="anna@example.edu").member.id
    said = lti_tool(
        "achievements", "assign", organisation_id, *found.values(), "--answers", anna, "--every", "6"
    )
    assert (said.status, said.out.partition("\n")[0]) == (0, "3 changed")
    first, second = (id_ for name, id_ in found.items() if name != "Explorer")
    with tool.database.write() as session:
        row = session.query(tables.AchievementCare).filter_by(micromodule_id=first).one()
        row.review_on = today - timedelta(days=30)
        row = session.query(tables.AchievementCare).filter_by(micromodule_id=second).one()
        row.review_on = today + timedelta(days=20)

    (stale,) = [
        row
        for row in lti_tool("achievements", "stale", organisation_id, "--json").json
        if row["kind"] == "micromodule"
    ]
    assert (stale["id"], stale["state"], stale["days_overdue"]) == (first, "stale", 30)
    assert (stale["answers"], stale["answers_email"]) == ("Anna", "anna@example.edu")
    for days, number in (("19", 1), ("20", 2)):
        rows = lti_tool("achievements", "stale", organisation_id, "--within", days, "--json").json
        assert len([row for row in rows if row["kind"] == "micromodule"]) == number
    table = list(
        csv.DictReader(io.StringIO(lti_tool("achievements", "stale", organisation_id, "--format", "csv").out))
    )
    assert [row["id"] for row in table if row["kind"] == "micromodule"] == [first]

    said = lti_tool("achievements", "reviewed", organisation_id, first, "--note", "Read.", "--json")
    (row,) = said.json
    assert (row["state"], row["days_overdue"]) == ("later", 0)
    assert row["reviewed_at"] is not None
    lti_tool("achievements", "assign", organisation_id, first, "--answers", "none")
    (row,) = [
        row
        for row in lti_tool("achievements", "stale", organisation_id, "--all", "--json").json
        if row["id"] == first
    ]
    assert row["answers"] is None


def test_what_cannot_be_meant_is_said_by_its_option(
    tool: Tool, lti_tool: CommandLine, course: Course
) -> None:
    organisation_id = course.organisation_id
    (id_, *_rest) = ids(lti_tool, course).values()
    for options, said in (
        (("--every", "0"), "--every: out_of_range (low 1, high 120)"),
        (("--on", "2020-01-01"), "--on: not_in_future"),
        (("--answers", "anna"), "--answers: unknown_choice"),
        ((), "ID: nothing_changed"),
    ):
        failed = lti_tool("achievements", "assign", organisation_id, id_, *options)
        assert (failed.status, said in failed.err) == (1, True), failed.err
    failed = lti_tool("achievements", "reviewed", organisation_id, id_, "--next", "soon")
    assert (failed.status, "--next: not_a_date" in failed.err) == (1, True)
    assert lti_tool("achievements", "stale", organisation_id, "--within", "0").status == 2
    assert lti_tool("achievements", "stale", organisation_id, "--json", "--format", "csv").status == 1


def test_another_organisations_are_not_found(tool: Tool, lti_tool: CommandLine, course: Course) -> None:
    ours = factories.course(tool.database).organisation_id
    (theirs, *_rest) = ids(lti_tool, course).values()
    assert lti_tool("achievements", "assign", ours, theirs, "--every", "6").status == 1
    assert lti_tool("achievements", "reviewed", ours, theirs).status == 1
    assert lti_tool("achievements", "stale", ours, "--all", "--json").json == []
