"""What criteria need of other steps."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

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
from lti_tool.domain.pathways import (
    WHOLE,
    Done,
    Need,
    Standing,
    around,
    circle,
    closed,
    is_whole,
    levels,
    needs_of,
    reached,
    standing,
    together,
    way_to,
)

SCORE = ScoreAtLeast("quiz", "Quiz", Decimal(60))


def _needs(criterion: object) -> tuple[Need, ...]:
    return needs_of(
        criterion,  # type: ignore[arg-type]
        {"badge": "module"}.get,
        lambda leaf: leaf.micromodule_ids or ("m1", "m2", "m3"),
    )


def test_a_badge_stands_for_its_micromodule() -> None:
    assert _needs(AllOf((SCORE, HoldsAchievement("badge", "B"), Completed("m1", "M")))) == (
        Need(("module",), label="B", is_badge=True),
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
    assert standing(graph, "end", Done()) is Standing.LATER
    assert standing(graph, "end", Done(frozenset("b"))) is Standing.OPEN
    around = {"end": (Need(("a",), is_required=False, is_optional=True),)}
    assert standing(around, "end", Done()) is Standing.OPEN, "a score would do"
    assert standing(graph, "end", Done(frozenset({"end"}))) is Standing.DONE
    assert reached(Need(("a", "b", "c"), 2), Done(frozenset("abc"))) == 2


def test_a_badge_that_is_over_is_to_be_regained_and_its_completion_counts_on() -> None:
    graph = {
        "asks-completion": (Need(("a",)),),
        "asks-badge": (Need(("a",), is_badge=True),),
    }
    over = Done(finished=frozenset("a"), lost=frozenset("a"))
    assert standing(graph, "a", over) is Standing.OPEN
    assert standing(graph, "asks-completion", over) is Standing.OPEN
    assert standing(graph, "asks-badge", over) is Standing.LATER
    regained = Done(finished=frozenset("a"), in_force=frozenset("a"))
    assert standing(graph, "a", regained) is Standing.DONE
    assert standing(graph, "asks-badge", regained) is Standing.OPEN
    without_badge = Done(finished=frozenset("a"))
    assert standing(graph, "a", without_badge) is Standing.DONE
    assert standing(graph, "asks-badge", without_badge) is Standing.LATER


def test_a_small_set_that_is_needed_whole_is_followed_step_by_step() -> None:
    whole = Need(("a", "b"), 2, is_set=True, is_all=True)
    graph = {"goal": (whole,), "b": (Need(("c",)),)}
    assert set(way_to(graph, "goal")) == {"a", "b", "c", "goal"}
    assert levels(graph, way_to(graph, "goal")) == {"a": 0, "c": 0, "b": 1, "goal": 2}
    chosen = {"goal": (Need(("a", "b"), 2, is_set=True),)}
    assert way_to(chosen, "goal") == ("goal",)
    many = tuple(f"m{number}" for number in range(WHOLE + 1))
    assert way_to({"goal": (Need(many, len(many), is_set=True, is_all=True),)}, "goal") == ("goal",)


def test_a_chain_of_ten_thousand_steps_is_no_deeper_than_one_of_ten() -> None:
    steps = [str(number) for number in range(10_000)]
    graph = {one: (Need((before,)),) for before, one in pairwise(steps)}
    assert way_to(graph, steps[-1]) == tuple(steps)
    assert levels(graph, steps)[steps[-1]] == 9_999
    assert circle({**graph, steps[0]: (Need((steps[-1],)),)}, steps[0])[1] == steps[-1]
    assert len(closed(graph, {**graph, steps[0]: (Need((steps[-1],)),)})) == 10_000


def test_what_hangs_together_is_one_part_in_an_order_to_take_it() -> None:
    graph = {
        "c": (Need(("b",)),),
        "b": (Need(("a",)),),
        "x": (Need(("m", "n", "o"), 2, is_set=True),),
        "w": (Need(("p", "q"), 2, is_set=True, is_all=True),),
    }
    parts = {frozenset(part): part for part in together(graph)}
    # Of two of three nothing is a step of the way; of both there are, both are.
    assert set(parts) == {frozenset("abc"), frozenset("x"), frozenset("wpq")}
    assert parts[frozenset("abc")] == ("a", "b", "c")
    assert parts[frozenset("wpq")][-1] == "w"


def test_what_stands_in_a_circle_of_old_is_part_of_the_whole_all_the_same() -> None:
    assert [set(part) for part in together({"a": (Need(("b",)),), "b": (Need(("a",)),)})] == [{"a", "b"}]


def test_around_a_step_is_what_leads_to_it_and_what_comes_after_it() -> None:
    graph = {
        "b": (Need(("a",)),),
        "c": (Need(("b",)), Need(("beside",))),
        "d": (Need(("c",)),),
        "beside": (Need(("before",)),),
        "other": (Need(("a",)),),
        "set": (Need(("b", "y", "z"), 1, is_set=True),),
    }
    # With what comes before "beside": it would seem to need nothing.
    assert set(around(graph, "b")) == {"b", "c", "d", "set", "beside"}
    assert set(around(graph, "a")) == set(graph)
    assert set(around(graph, "before")) == {"beside", "b", "c", "d"}
    assert around(graph, "stranger") == {}


def test_an_empty_set_is_nothing_to_follow_and_is_said_all_the_same() -> None:
    """Else a milestone over an empty category would seem to ask for nothing."""
    assert not is_whole(Need((), 1, is_set=True, is_all=True))
