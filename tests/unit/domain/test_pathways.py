"""What criteria need of other steps."""

from __future__ import annotations

from decimal import Decimal

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Completed,
    HoldsAchievement,
    MicromodulesCompleted,
    ScoreAtLeast,
    Within,
)
from lti_tool.domain.pathways import Need, Standing, circle, needs_of, reached, standing

SCORE = ScoreAtLeast("quiz", "Quiz", Decimal(60))


def _needs(criterion: object) -> tuple[Need, ...]:
    return needs_of(
        criterion,  # type: ignore[arg-type]
        {"badge": "module"}.get,
        lambda leaf: leaf.micromodule_ids or ("m1", "m2", "m3"),
    )


def test_a_badge_stands_for_its_micromodule() -> None:
    assert _needs(AllOf((SCORE, HoldsAchievement("badge", "B"), Completed("m1", "M")))) == (
        Need(("module",), label="B"),
        Need(("m1",), label="M"),
    )


def test_a_badge_that_is_gone_is_no_step() -> None:
    assert _needs(HoldsAchievement("gone", "G")) == ()


def test_one_of_several_ways_is_not_required_unless_all_are() -> None:
    either = AnyOf((SCORE, Completed("m1", "M")))
    assert [(need.is_required, need.is_optional) for need in _needs(either)] == [(False, True)]
    badges = AnyOf((Completed("m1", "M"), AllOf((SCORE, Completed("m2", "N")))))
    assert [(need.is_required, need.is_optional) for need in _needs(badges)] == [(False, False)] * 2
    # Of three that are needed two are anybody's: one badge of the two is left to choose.
    mixed = AtLeast(3, (SCORE, SCORE, Completed("m1", "M"), Completed("m2", "N")))
    assert [need.is_optional for need in _needs(mixed)] == [False, False]
    both = AtLeast(2, (Within(Completed("m1", "M")), Completed("m2", "N")))
    assert [need.is_required for need in _needs(both)] == [True, True]
    # Asked for twice, it is required where it is once.
    twice = AllOf((either, Completed("m1", "M")))
    assert _needs(twice) == (Need(("m1",), label="M"),)


def test_a_set_asks_for_as_many_as_it_says_and_all_where_it_says_nothing() -> None:
    assert _needs(MicromodulesCompleted("Any two", 2)) == (
        Need(("m1", "m2", "m3"), 2, label="Any two", is_set=True),
    )
    assert _needs(MicromodulesCompleted("All", None, ("a", "b")))[0].count == 2


def test_a_set_that_somebody_can_choose_around_is_no_circle() -> None:
    milestone = Need(("m1", "m2", "advanced"), 2, is_set=True)
    graph = {"milestone": (milestone,), "advanced": (Need(("milestone",)),)}
    assert circle(graph, "advanced") == ()
    graph["milestone"] = (Need(("m1", "m2", "advanced"), 3, is_set=True),)
    assert circle(graph, "advanced") == ("advanced", "milestone")


def test_more_asked_for_than_there_is_nobody_s_circle() -> None:
    assert circle({"milestone": (Need(("m1",), 5, is_set=True),)}, "milestone") == ()


def test_one_open_way_opens_a_step() -> None:
    graph = {"end": (Need(("a",), is_required=False), Need(("b",), is_required=False))}
    assert standing(graph, "end", ()) is Standing.LATER
    assert standing(graph, "end", {"b"}) is Standing.OPEN
    around = {"end": (Need(("a",), is_required=False, is_optional=True),)}
    assert standing(around, "end", ()) is Standing.OPEN, "a score would do"
    assert standing(graph, "end", {"end"}) is Standing.DONE
    assert reached(Need(("a", "b", "c"), 2), {"a", "b", "c"}) == 2
