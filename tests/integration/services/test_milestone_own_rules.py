"""Criteria of one's own that cannot be, or that nobody reaches yet: which rule, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lti_tool.errors import RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Short
from tests.integration.services.milestone_campus import Campus, plain, problems_of
from tests.integration.services.school import School

QUIZ = {"type": "score", "label": "Quiz 1", "at_least": 60}
EXPLORER = {"type": "micromodules", "label": "All", "count": 1}
NOT_HERE = "0" * 32


@pytest.mark.parametrize(
    "rule, problem",
    [
        (QUIZ, Problem("criteria_json", FormProblem.NOT_OF_MILESTONES, {"names": ("Quiz 1",)})),
        (
            {"type": "all", "of": [EXPLORER, {"type": "gate", "label": "Door", "key": "gate:door"}, QUIZ]},
            Problem("criteria_json", FormProblem.NOT_OF_MILESTONES, {"names": ("Door", "Quiz 1")}),
        ),
        (
            {"type": "within", "ends_at": "2026-03-01T12:00:00Z", "rule": {"type": "attested"}},
            Problem("criteria_json", FormProblem.NOT_OF_MILESTONES, {"names": ("attested",)}),
        ),
        (
            {"type": "holds", "achievement_id": NOT_HERE, "label": "Gone"},
            Problem("criteria_json", FormProblem.NOT_THERE, {"names": ("Gone",)}),
        ),
        (
            {"type": "any", "of": [EXPLORER, {**EXPLORER, "label": "Of it", "category_id": NOT_HERE}]},
            Problem("criteria_json", FormProblem.NOT_THERE, {"names": ("Of it",)}),
        ),
        (
            {**EXPLORER, "label": "These", "micromodule_ids": [NOT_HERE]},
            Problem("criteria_json", FormProblem.NOT_THERE, {"names": ("These",)}),
        ),
        (
            {"type": "any", "of": [EXPLORER, {**EXPLORER, "count": "two"}]},
            Problem(
                "criteria_json",
                FormProblem.IMPORT_NOT_CRITERIA,
                {"problems": ("schema",), "at": "rule.of[1].count"},
            ),
        ),
    ],
)
def test_the_rule_that_cannot_be_is_named(
    small_school: School, rule: dict[str, Any], problem: Problem
) -> None:
    campus = Campus(small_school, 1)
    form = MilestoneForm(kind="own", name="Own", criteria_json=json.dumps({"version": 2, "rule": rule}))
    with pytest.raises(RequestInvalid) as refused:
        campus.milestones.create(campus.staff, form, plain, "en")
    assert problems_of(refused.value) == (problem,)


def test_however_deep_it_is_it_is_refused_and_nothing_breaks(small_school: School) -> None:
    campus = Campus(small_school, 1)
    for depth in (900, 5_000):
        text = '{"version":2,"rule":' + '{"type":"within","rule":' * depth + "{}" + "}" * (depth + 1)
        form = MilestoneForm(kind="own", name="Own", criteria_json=text)
        with pytest.raises(RequestInvalid) as refused:
            campus.milestones.create(campus.staff, form, plain, "en")
        assert problems_of(refused.value)[0].field == "criteria_json"


@pytest.mark.parametrize("count", ["2", "0", "x"])
def test_one_micromodule_has_no_number(small_school: School, count: str) -> None:
    campus = Campus(small_school, 1)
    what = f"completed:{campus.micromodule(0)}"
    fields = {"kind": "own", "name": "Own", "rule-0-what": what, "rule-0-count": count}
    with pytest.raises(RequestInvalid) as refused:
        campus.milestones.create(campus.staff, MilestoneForm.from_fields(fields), plain, "en")
    assert problems_of(refused.value) == (Problem("rule-0-count", FormProblem.COUNT_OF_ONE),)


def test_more_than_there_is_can_be_asked_for_and_is_said(school: School) -> None:
    """A category may grow: it is a warning, where it shows who would get it."""
    campus = Campus(school)
    what = f"category:{campus.category(0, 1)}"

    def made(count: str) -> tuple[tuple[Short, ...], tuple[Short, ...]]:
        fields = {"kind": "own", "name": f"Of {count}", "rule-0-what": what, "rule-0-count": count}
        form = MilestoneForm.from_fields(fields)
        milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
        one = campus.milestones.one(campus.staff, milestone_id)
        return one.short, campus.milestones.dry_run(campus.staff, milestone_id).short

    (short,), again = made("7")
    assert (short.count, short.offered) == (7, 2)
    assert again == (short,)
    assert made("2") == ((), ())
    everything = campus.milestones.create(campus.staff, MilestoneForm(name="Four", count="4"), plain, "en")
    (short,) = campus.milestones.one(campus.staff, everything).short
    assert (short.count, short.offered) == (4, 3)
