"""Milestones and asking: which may be asked for by name, what has to stay, how much a list holds."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.criteria import AllOf, HoldsAchievement
from lti_tool.domain.criteria_problems import MAXIMUM_LEAVES
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid, ToolError
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Rule, Rules
from lti_tool.store import micromodules, placements, tables
from lti_tool.store import milestones as store
from tests import factories
from tests.integration.services.milestone_campus import Campus, office, plain, problems_of
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


@pytest.mark.postgresql
@pytest.mark.loopback
def test_a_category_that_is_deleted_while_a_milestone_is_saved_waits_and_is_refused(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    if school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    campus = Campus(school)
    category_id = campus.category(0)
    refused: list[ErrorCode] = []

    def delete() -> None:
        try:
            office(school).delete_category(campus.staff, category_id)
        except ToolError as error:
            refused.append(error.code)

    deleting, add = Thread(target=delete, daemon=True), store.add

    def meanwhile(*about: Any, **more: Any) -> str:
        deleting.start()
        while deleting.is_alive() and not is_anybody_waiting(school):
            deleting.join(0.01)
        return add(*about, **more)

    monkeypatch.setattr(store, "add", meanwhile)
    form = MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
    deleting.join(30)
    assert refused == [ErrorCode.CATEGORY_COUNTED]
    assert campus.milestones.one(campus.staff, milestone_id).view.category_id == category_id


def test_a_category_that_is_deleted_while_a_picture_is_drawn_is_asked_for_by_nothing(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0)
    said: list[str] = []

    def narrate_meanwhile(_: object) -> str:
        if not said:
            office(school).delete_category(campus.staff, category_id)
        said.append("All of it.")
        return said[-1]

    form = MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    with pytest.raises(RequestInvalid) as refused:
        campus.milestones.create(campus.staff, form, narrate_meanwhile, "en")
    assert problems_of(refused.value) == (Problem("category_id", FormProblem.UNKNOWN_CHOICE),)
    assert not campus.milestones.every(campus.staff)


def is_anybody_waiting(school: School) -> bool:
    """Whether a connection to the same database waits for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with school.database.read() as session:
        return session.scalar(sa.text(waiting)) is not None


def test_a_list_of_more_micromodules_than_criteria_hold_is_refused_with_the_number(
    small_school: School,
) -> None:
    campus = Campus(small_school, MAXIMUM_LEAVES + 1)
    category_id = campus.category(*range(MAXIMUM_LEAVES + 1))
    form = MilestoneForm(kind="learner", name="All", category_id=category_id, addition_policy="next_version")
    with pytest.raises(RequestInvalid) as refused:
        campus.milestones.create(campus.staff, form, plain, "en")
    assert problems_of(refused.value) == (
        Problem(
            "addition_policy",
            FormProblem.CATEGORY_TOO_LARGE,
            {"limit": MAXIMUM_LEAVES, "number": MAXIMUM_LEAVES + 1},
        ),
    )
    # All that are in it by then can be asked for without a list.
    campus.active(replace(form, addition_policy="keep"))
