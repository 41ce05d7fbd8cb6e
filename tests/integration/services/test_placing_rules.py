"""Placing what asks for more than grades: gates come along, names are filled in, nothing foreign is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lti_tool.domain.criteria import Attested, Completed, GatePassed, leaves
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services.configuring import Choice, LinkWords
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.describing import summary_of
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import tables
from tests import factories
from tests.factories import rule_fields
from tests.integration.services.milestone_campus import Campus
from tests.integration.services.school import School
from tests.integration.services.test_configuring import (
    FIELDS,
    SETTINGS,
    configuring,
    described,
    items,
    narrate,
    teacher,
)
from tests.integration.services.test_prepared_together import retire_while_drawn

GATE = {"criteria-2-kind": "gate", "criteria-2-label": "Forum and page"}
PERSON = {"criteria-3-kind": "attested", "criteria-3-label": "Talk given"}
ONE_ONLY = replace(SETTINGS, accept_multiple=False)


def keys(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["custom"]["badge_link_role"], item["custom"]["badge_link_key"]) for item in found]


def rules_of(school: School) -> dict[str, Any]:
    (version,) = school.rows(tables.MicromoduleVersion)
    return {leaf.key: leaf for leaf in leaves(parse_criteria(version.criteria))}


def test_badge_and_gate_come_back_at_once(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    badge, gate = items(described(small_school, session, **GATE, **PERSON))

    (row,) = small_school.rows(tables.Gate)
    (placement,) = small_school.rows(tables.Placement)
    assert gate["title"] == "Forum and page · Reading maps"
    assert gate["custom"] == {"badge_link_key": row.link_key, "badge_link_role": "gate"}
    assert "lineItem" not in gate, "nobody gets points for opening a gate"
    assert badge["custom"]["badge_link_key"] == placement.badge_link_key != row.link_key
    assert (row.placement_id, row.label, row.state) == (placement.id, "Forum and page", "waiting")
    asked = rules_of(small_school)
    assert asked["gate:forum-and-page"] == GatePassed("gate:forum-and-page", "Forum and page")
    assert asked["attested:talk-given"] == Attested("attested:talk-given", "Talk given")
    assert [row.evidence_key for row in small_school.rows(tables.LineItem)] == ["quiz-1", "talk"], (
        "only grades have columns"
    )


def test_where_one_item_is_taken_the_picker_offers_the_gate(small_school: School) -> None:
    session = teacher(small_school, small_school.course(), deep_linking=ONE_ONLY)
    (badge,) = items(described(small_school, session, **GATE))
    assert badge["custom"]["badge_link_role"] == "badge"

    service = configuring(small_school)
    (missing,) = service.picker(session).gates
    assert (missing.label, missing.name) == ("Forum and page", "Reading maps")
    (gate,) = items(service.choose(session, Choice(gate_ids=(missing.gate_id,)), LinkWords()))
    (row,) = small_school.rows(tables.Gate)
    assert keys([gate]) == [("gate", row.link_key)]


def test_a_gate_that_was_opened_is_not_offered_again(small_school: School) -> None:
    course = small_school.course()
    session = teacher(small_school, course)
    described(small_school, session, **GATE)
    link_id = tables.new_id()
    link = tables.ResourceLink(
        id=link_id,
        organisation_id=course.organisation_id,
        context_id=course.context_id,
        id_on_platform="12",
        role="gate",
        created_at=small_school.clock(),
    )
    with small_school.database.write() as writing:
        writing.add(link)
    small_school.change(tables.Gate, resource_link_id=link_id)
    assert configuring(small_school).picker(session).gates == ()


@pytest.mark.parametrize("whose", ["another course", "another organisation"])
def test_nobody_places_the_gate_of_another_course(school: School, whose: str) -> None:
    course = school.course()
    described(school, teacher(school, course), **GATE)
    (gate,) = school.rows(tables.Gate)
    (sibling,) = factories.courses_beside(school.database, course, 1)
    stranger = teacher(school, sibling if whose == "another course" else school.course())
    with pytest.raises(NotFound) as refused:
        configuring(school).choose(stranger, Choice(gate_ids=(gate.id,)), LinkWords())
    assert refused.value.code is ErrorCode.GATE_NOT_FOUND
    assert configuring(school).picker(stranger).gates == ()


def test_the_same_form_sent_twice_makes_one_gate(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    form = MicromoduleForm.from_fields({**FIELDS, **GATE})
    service = configuring(small_school)
    first, second = (
        keys(items(service.describe(session, form, narrate, language="en", key="k"))) for _ in range(2)
    )
    assert first == second
    assert len(first) == 2
    assert len(small_school.rows(tables.Gate)) == 1


def test_what_may_stay_empty_is_filled_in(small_school: School) -> None:
    """Open Badges asks for a description; beside the criteria themselves it would be said twice."""
    described(small_school, teacher(small_school, small_school.course()), description="", image_alt="")
    (achievement,) = small_school.rows(tables.AchievementVersion)
    (version,) = small_school.rows(tables.MicromoduleVersion)
    assert (achievement.description, version.description) == ("Pass the quiz.", "")
    assert achievement.image_alt == "Reading maps"


def test_another_micromodule_is_named_as_it_is_called(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    described(small_school, session)
    (first,) = small_school.rows(tables.MicromoduleVersion)
    rule = {"criteria-2-kind": "completed", "criteria-2-choice": first.micromodule_id}
    described(small_school, session, name="Second", **rule, **{"criteria-2-label": "A forged name"})
    second = next(row for row in small_school.rows(tables.MicromoduleVersion) if row.name == "Second")
    (asked,) = (leaf for leaf in leaves(parse_criteria(second.criteria)) if isinstance(leaf, Completed))
    assert asked == Completed(first.micromodule_id, "Reading maps")


@pytest.mark.parametrize("kind", ["completed", "holds"])
def test_what_another_organisation_has_cannot_be_named(school: School, kind: str) -> None:
    theirs = teacher(school, school.course())
    described(school, theirs)
    (version,) = school.rows(tables.MicromoduleVersion)
    (achievement,) = school.rows(tables.Achievement)
    choice = version.micromodule_id if kind == "completed" else achievement.id
    mine = teacher(school, school.course())
    rule = {"criteria-2-kind": kind, "criteria-2-choice": choice}
    with pytest.raises(RequestInvalid) as refused:
        described(school, mine, **rule)
    problems = refused.value.params["problems"]
    assert [(one.field, one.code) for one in problems] == [  # type: ignore[attr-defined]
        ("criteria-2-choice", FormProblem.UNKNOWN_CHOICE)
    ]
    view = configuring(school).picker(mine)
    assert choice not in dict((*view.micromodule_choices, *view.achievement_choices))


def test_the_picker_names_what_rules_may_ask_for(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    described(small_school, session)
    view = configuring(small_school).picker(session)
    assert [name for _id, name in view.micromodule_choices] == ["Reading maps"]
    assert [name for _id, name in view.achievement_choices] == ["Reading maps"]


@pytest.mark.parametrize(
    "narrative,summary",
    [
        ("Quiz 1: at least 60 %", "Quiz 1: at least 60 %"),
        ("All of these:\n- Quiz 1\n- Talk", "All of these: Quiz 1; Talk"),
        (
            "All of these:\n- Quiz 1\n- One of these:\n  - Essay\n  - Project\n- Talk",
            "All of these: Quiz 1; (One of these: Essay; Project); Talk",
        ),
        (
            "All of these:\n- One of these:\n  - By May:\n    - Essay",
            "All of these: (One of these: (By May: Essay))",
        ),
        ("", ""),
    ],
)
def test_criteria_in_words_make_a_description_of_one_line(narrative: str, summary: str) -> None:
    assert summary_of(narrative) == summary
    assert len(summary_of("x" * 5000)) == 2000


def test_columns_of_two_badges_that_ask_for_one_quiz_can_be_told_apart(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    for name in ("Maps", "M" * 200):
        described(small_school, session, name=name, **rule_fields(0, label="Q" * 200))
    labels = [row.label for row in small_school.rows(tables.LineItem) if row.label.startswith("Q")]
    assert len(set(labels)) == 2
    assert all(len(label) <= 255 for label in labels)


def test_a_milestone_that_is_retired_while_a_badge_is_described_is_not_asked_for(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school, 2)
    milestone_id = campus.active(MilestoneForm("learner", "Explorer", category_id=campus.category(1)))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    session = teacher(school, campus.courses[0])
    rule = {"criteria-2-kind": "holds", "criteria-2-choice": badge, "criteria-2-label": "Explorer"}
    retire_while_drawn(monkeypatch, campus, milestone_id)
    with pytest.raises(RequestInvalid) as refused:
        described(school, session, **rule)
    (problem,) = refused.value.params["problems"]  # type: ignore[misc]
    assert (problem.field, problem.code) == ("criteria-2-choice", FormProblem.NO_LONGER_EARNED)
    assert not school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.name == FIELDS["name"])
