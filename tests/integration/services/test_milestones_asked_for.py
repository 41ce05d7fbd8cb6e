"""Milestones that something asks for by name: which are offered for it, and which have to stay."""

from __future__ import annotations

import pytest

from lti_tool.domain.criteria import AllOf, HoldsAchievement
from lti_tool.errors import Conflict, ErrorCode
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Rule, Rules
from lti_tool.store import micromodules, placements, tables
from tests import factories
from tests.integration.services.milestone_campus import Campus, plain
from tests.integration.services.school import School


def badge_of(campus: Campus, milestone_id: str) -> str:
    return campus.milestones.one(campus.staff, milestone_id).view.achievement_id


def asking(school: School, campus: Campus, name: str, badge: HoldsAchievement, status: str = "active") -> str:
    """Put a micromodule into the first course that asks for a badge; the placement's id."""
    made = factories.placed(school.database, campus.courses[0], criterion=AllOf((badge,)), status=status)
    version = tables.MicromoduleVersion
    school.change(version, version.id == made.micromodule_version_id, name=name)
    return made.placement_id


def names_that_keep(campus: Campus, milestone_id: str) -> object:
    with pytest.raises(Conflict) as refused:
        campus.milestones.retire(campus.staff, milestone_id)
    assert refused.value.code is ErrorCode.MILESTONE_ASKED_FOR
    return refused.value.params["names"]


def test_only_active_milestones_are_badges_to_ask_for(school: School) -> None:
    campus = Campus(school)
    campus.milestones.create(campus.staff, MilestoneForm(name="Secret plan"), plain, "en")
    active = campus.active(MilestoneForm(name="Explorer"))
    campus.milestones.retire(campus.staff, campus.active(MilestoneForm(name="Old one")))
    with school.database.read() as session:
        found = dict(micromodules.achievement_choices(session, campus.organisation_id))
    assert found.pop(badge_of(campus, active)) == "Explorer"
    assert len(found) == len(campus.placed), "those of courses, too"
    assert not {"Secret plan", "Old one"} & set(found.values())


def test_a_milestone_that_is_asked_for_by_name_stays_until_nothing_asks_any_more(school: School) -> None:
    campus = Campus(school)
    asked_for, beside = campus.active(), campus.active(MilestoneForm(name="Beside"))
    badge = HoldsAchievement(badge_of(campus, asked_for), "Explorer")
    published = asking(school, campus, "Published", badge)
    prepared = asking(school, campus, "Prepared", badge, "draft")
    rules = Rules((Rule(f"holds:{badge.achievement_id}"),))
    active = campus.active(MilestoneForm(kind="own", name="Own", rules=rules))
    other = campus.milestones.create(
        campus.staff, MilestoneForm(kind="own", name="Drafted", rules=rules), plain, "en"
    )
    assert names_that_keep(campus, asked_for) == ("Drafted", "Own", "Prepared", "Published")
    campus.milestones.retire(campus.staff, beside)
    campus.milestones.retire(campus.staff, active)
    campus.milestones.retire(campus.staff, other)
    with school.database.write() as session:
        placements.remove(session, campus.organisation_id, campus.courses[0].context_id, prepared)
    assert names_that_keep(campus, asked_for) == ("Published",)
    school.change(tables.Placement, tables.Placement.id == published, status="removed")
    campus.milestones.retire(campus.staff, asked_for)
    assert campus.milestones.one(campus.staff, asked_for).view.status == "retired"


def test_a_draft_that_something_asks_for_already_is_not_discarded(school: School) -> None:
    campus = Campus(school)
    draft = campus.milestones.create(campus.staff, MilestoneForm(name="Secret plan"), plain, "en")
    asking(school, campus, "Published", HoldsAchievement(badge_of(campus, draft), "Secret plan"))
    assert names_that_keep(campus, draft) == ("Published",)
