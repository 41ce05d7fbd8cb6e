"""``lti-tool milestones``: list, decide."""

from __future__ import annotations

import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.services.awarding import Awarding
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import tables
from tests import factories
from tests.integration.cli.conftest import CommandLine


def test_what_is_owed_is_decided_and_listed(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    (ada, bob) = factories.enrol(tool.database, course, 2)
    factories.grade(tool.database, course, placed, [ada], 90)
    factories.grade(tool.database, course, factories.placed(tool.database, course), [bob], 10)
    alone = Awarding(tool.database, tool.clock)
    alone.decide_context(course.organisation_id, course.context_id)
    staff = tool.staffing.operator(course.organisation_id)
    form = MilestoneForm(name="Explorer", count="1")
    milestone_id = tool.milestones.create(staff, form, lambda _: "One micromodule.", "en")
    seen = tool.milestones.one(staff, milestone_id).mark
    tool.milestones.activate(staff, milestone_id, lambda *_: "One micromodule.", seen=seen)
    (listed,) = lti_tool("milestones", "list", course.organisation_id, "--json").json
    assert (listed["id"], listed["status"], listed["holders"]) == (milestone_id, "active", 0)
    said = lti_tool("milestones", "decide", course.organisation_id, milestone_id)
    assert (said.status, "1 new badges; 1 of 1 people decided about, 1 have it" in said.out) == (0, True)
    again = lti_tool("milestones", "decide", course.organisation_id, milestone_id, "--json").json
    assert (again["awarded"], again["holders"]) == (0, 1)
    assert "Explorer" in lti_tool("milestones", "list", course.organisation_id).out
    with tool.database.read() as session:
        signed = session.scalar(
            sa.select(tables.Credential.document)
            .join(tables.Award, tables.Award.id == tables.Credential.award_id)
            .where(tables.Award.context_id.is_(None))
        )
    assert signed


def test_another_organisations_milestone_is_not_found(tool: Tool, lti_tool: CommandLine) -> None:
    ours, theirs = factories.course(tool.database), factories.course(tool.database)
    staff = tool.staffing.operator(theirs.organisation_id)
    theirs_id = tool.milestones.create(staff, MilestoneForm(name="Explorer"), lambda _: "Five.", "en")
    assert lti_tool("milestones", "decide", ours.organisation_id, theirs_id).status == 1
    assert lti_tool("milestones", "list", ours.organisation_id, "--json").json == []
