"""What differs between two versions: nothing is missed, nothing is made up."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Criterion,
    GatePassed,
    MicromodulesCompleted,
    ScoreAtLeast,
    Within,
    leaves,
)
from lti_tool.domain.differences import ListChange, RuleChange, Said, TextChange, differences, rule_changes
from tests.properties.criteria_strategies import usable_criteria

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
GATE, TALK = GatePassed("gate:forum", "Forum"), Attested("attested:talk", "Talk")


def quiz(threshold: int, key: str = "quiz") -> ScoreAtLeast:
    return ScoreAtLeast(key, key.title(), Decimal(threshold))


def said(criterion: Criterion = GATE, picture: str = "green", **texts: str) -> Said:
    return Said(texts, {"skills": ("Writing", "Citing")}, picture, criterion)


def test_texts_lists_and_pictures_are_told_apart() -> None:
    before = Said({"name": "Old", "credits": "1", "same": "x"}, {"skills": ("A", "B")}, "green", GATE)
    after = Said({"name": "New", "credits": "", "same": "x"}, {"skills": ("B", "C")}, "red", GATE)
    found = differences(before, after)
    assert found.texts == (TextChange("name", "Old", "New"), TextChange("credits", "1", ""))
    assert found.lists == (ListChange("skills", ("C",), ("A",)),)
    assert found.has_new_picture
    assert not found.changes_criteria
    assert not found.is_empty


def test_another_number_of_the_same_set_is_a_changed_rule() -> None:
    def of(count: int | None, category: str | None = None) -> MicromodulesCompleted:
        return MicromodulesCompleted("", count=count, category_id=category)

    for before, after in ((of(3), of(2)), (of(None, "writing"), of(4, "writing"))):
        assert rule_changes(before, after) == (RuleChange(before, after),)
        assert not differences(said(before), said(after)).is_combined_anew
    # What stays is no part of it, in whichever order it stands; another set is another rule.
    assert rule_changes(AllOf((of(2), of(5))), AllOf((of(5), of(3)))) == (RuleChange(of(2), of(3)),)
    assert rule_changes(of(3), AllOf((of(2), of(3)))) == (RuleChange(None, of(2)),)
    assert rule_changes(of(3), of(3, "writing")) == (
        RuleChange(None, of(3, "writing")),
        RuleChange(of(3), None),
    )
    assert rule_changes(of(3), Within(of(2), MARCH, None)) == (RuleChange(of(3), Within(of(2), MARCH, None)),)


def test_another_order_of_skills_is_no_difference() -> None:
    before = Said({}, {"skills": ("A", "B")}, "", GATE)
    assert differences(before, Said({}, {"skills": ("B", "A")}, "", GATE)).is_empty


def test_rules_are_new_gone_or_changed() -> None:
    found = rule_changes(AllOf((quiz(60), GATE, TALK)), AllOf((quiz(80), GATE, quiz(50, "essay"))))
    assert found == (
        RuleChange(quiz(60), quiz(80)),
        RuleChange(None, quiz(50, "essay")),
        RuleChange(TALK, None),
    )


def test_a_rule_that_counts_at_other_times_is_changed() -> None:
    dated = Within(GATE, starts_at=MARCH)
    assert rule_changes(GATE, dated) == (RuleChange(GATE, dated),)
    assert rule_changes(Within(AllOf((GATE, TALK)), MARCH), AllOf((Within(GATE, MARCH), TALK))) == (
        RuleChange(Within(TALK, MARCH), TALK),
    )


def test_rules_that_count_together_otherwise_are_a_change_of_criteria() -> None:
    both = differences(said(AllOf((GATE, TALK))), said(AnyOf((GATE, TALK))))
    assert both.is_combined_anew
    assert both.rules == ()
    assert both.changes_meaning
    fewer = differences(said(AtLeast(2, (GATE, TALK, quiz(60)))), said(AtLeast(1, (GATE, TALK, quiz(60)))))
    assert fewer.is_combined_anew


def test_a_rule_that_becomes_one_of_several_counts_otherwise() -> None:
    """Also where it is the only one that was kept."""
    one_of = AnyOf((GATE, quiz(60)))
    for before, after in ((AllOf((GATE, TALK)), one_of), (GATE, one_of), (one_of, AllOf((GATE, TALK)))):
        assert differences(said(before), said(after)).is_combined_anew
    for before, after in (
        (AllOf((GATE, TALK)), GATE),
        (AnyOf((GATE, TALK)), AnyOf((GATE, quiz(60)))),
        (AllOf((GATE, TALK)), AtLeast(2, (GATE, quiz(60)))),
    ):
        assert not differences(said(before), said(after)).is_combined_anew


def test_one_rule_more_does_not_combine_the_others_anew() -> None:
    found = differences(said(AllOf((GATE, TALK))), said(AllOf((GATE, quiz(60), TALK))))
    assert not found.is_combined_anew
    assert differences(said(GATE), said(AllOf((GATE,)))).is_empty


def test_what_changes_no_meaning_is_known() -> None:
    assert not differences(said(name="Writting"), said(name="Writing")).changes_meaning
    assert not differences(said(), said(picture="red")).changes_meaning
    assert differences(said(credits="1 ects"), said(credits="2 ects")).changes_meaning
    assert differences(said(validity="12"), said(validity="")).changes_meaning
    assert not differences(said(criteria_narrative="Tow."), said(criteria_narrative="Two.")).changes_meaning
    assert not differences(said(image_alt="A bage"), said(image_alt="A badge")).changes_meaning


def test_a_skill_spelt_otherwise_changes_no_meaning_and_one_more_does() -> None:
    def skilled(*skills: str) -> Said:
        return Said({}, {"skills": skills}, "", GATE)

    assert not differences(skilled("Writting"), skilled("Writing")).changes_meaning
    assert differences(skilled("Writing"), skilled("Writing", "Citing")).changes_meaning
    assert differences(skilled("Writing", "Citing"), skilled("Writing")).changes_meaning


@given(usable_criteria)
def test_nothing_differs_from_itself(criterion: Criterion) -> None:
    assert differences(said(criterion), said(criterion)).is_empty


@given(usable_criteria, usable_criteria)
def test_turned_round_the_same_rules_change(one: Criterion, other: Criterion) -> None:
    there, back = rule_changes(one, other), rule_changes(other, one)
    assert {(change.after, change.before) for change in there} == {
        (change.before, change.after) for change in back
    }


@given(usable_criteria, usable_criteria)
def test_every_rule_is_changed_or_the_same(one: Criterion, other: Criterion) -> None:
    changed = rule_changes(one, other)
    new = sum(change.before is None for change in changed)
    gone = sum(change.after is None for change in changed)
    assert len(list(leaves(one))) - gone == len(list(leaves(other))) - new
