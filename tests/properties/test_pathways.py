"""Laws of pathways: circles are found exactly where there are some, and orders can be walked."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from lti_tool.domain.pathways import (
    Done,
    Graph,
    Need,
    Standing,
    attainable,
    circle,
    closed,
    followed,
    levels,
    reached,
    singly,
    standing,
    way_to,
)

STEPS = tuple("abcdefgh")


def _needs() -> st.SearchStrategy[tuple[Need, ...]]:
    one = st.builds(lambda step: Need((step,)), st.sampled_from(STEPS))
    some = st.builds(
        lambda of, count: Need(tuple(of), count, is_set=True),
        st.lists(st.sampled_from(STEPS), unique=True, max_size=5),
        st.integers(1, 6),
    )
    return st.lists(st.one_of(one, one, some), max_size=3).map(tuple)


graphs = st.dictionaries(st.sampled_from(STEPS), _needs(), max_size=len(STEPS))


def _having(done: set[str]) -> Done:
    return Done(frozenset(done), frozenset(done))


def _everything(graph: Graph) -> set[str]:
    return {*graph, *(one for needs in graph.values() for need in needs for one in need.of)}


def _is_sound(graph: Graph) -> bool:
    return set(attainable(graph)) == _everything(graph)


@given(graphs)
def test_the_order_of_what_can_be_reached_can_be_walked(graph: Graph) -> None:
    done: set[str] = set()
    for step in attainable(graph):
        assert all(reached(need, _having(done)) >= need.least for need in graph.get(step, ()))
        assert step not in done
        done.add(step)
    for step in _everything(graph) - done:
        assert not all(reached(need, _having(done)) >= need.least for need in graph.get(step, ()))


@given(graphs, st.sampled_from(STEPS), _needs())
def test_a_change_of_a_sound_graph_makes_a_circle_exactly_where_one_is_found(
    graph: Graph, step: str, needs: tuple[Need, ...]
) -> None:
    assume(_is_sound(graph))
    changed = {**graph, step: needs}
    found = circle(changed, step)
    assert (not found) == _is_sound(changed)


@given(graphs, graphs)
def test_any_change_of_a_sound_graph_closes_a_circle_exactly_where_one_is_found(
    before: Graph, after: Graph
) -> None:
    assume(_is_sound(before))
    found = closed(before, after)
    assert (not found) == _is_sound(after)
    for one, next_one in pairwise([*found, *found[:1]]):
        assert any(next_one in need.of for need in after[one])


@given(graphs)
def test_a_circle_from_before_is_nobody_s_change(graph: Graph) -> None:
    assert closed(graph, graph) == ()
    assert closed(graph, {**graph, "behind": (Need(("a",)),)}) == ()


@given(graphs, st.sampled_from(STEPS))
def test_a_circle_is_one(graph: Graph, step: str) -> None:
    found = circle(graph, step)
    if found:
        assert found[0] == step
        assert len(set(found)) == len(found)
        for one, next_one in pairwise([*found, step]):
            assert any(next_one in need.of for need in graph[one])


@given(graphs, st.sampled_from(STEPS))
def test_of_single_needs_each_way_back_is_a_circle(graph: Graph, step: str) -> None:
    single = {one: tuple(need for need in needs if not need.is_set) for one, needs in graph.items()}
    seen: set[str] = set()
    reach = list(singly(single, step))
    while reach:
        one = reach.pop()
        if one not in seen:
            seen.add(one)
            reach.extend(singly(single, one))
    assert bool(circle(single, step)) == (step in seen)


@given(graphs, st.sampled_from(STEPS))
def test_the_way_to_a_step_has_all_it_needs_by_name_and_the_step(graph: Graph, step: str) -> None:
    way = way_to(graph, step)
    assert step in way
    assert len(set(way)) == len(way)
    for one in way:
        assert set(singly(graph, one)) <= set(way)
    if _is_sound(graph):
        level = levels(graph, way)
        for one in way:
            assert all(level[before] < level[one] for before in followed(graph, one))


@given(graphs, st.sets(st.sampled_from(STEPS)), st.sampled_from(STEPS), st.sampled_from(STEPS))
def test_more_that_is_done_closes_nothing(graph: Graph, done: set[str], more: str, step: str) -> None:
    order = [Standing.LATER, Standing.OPEN, Standing.DONE]
    before, after = standing(graph, step, _having(done)), standing(graph, step, _having({*done, more}))
    assert order.index(after) >= order.index(before)
