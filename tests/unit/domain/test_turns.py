"""Organisations take turns, however much one of them wants and however little a platform bears."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.registrations import Site
from lti_tool.domain.turns import DueContext, Turns

LMS, SPENT, OTHER = (Site("shared", f"https://{name}.example/token") for name in ("lms", "spent", "other"))


def owed(organisation: str, count: int, site: Site = LMS) -> list[DueContext]:
    return [DueContext(organisation, f"{organisation}-{number}", site) for number in range(count)]


def names(taken: tuple[DueContext, ...]) -> list[str]:
    return [one.context_id for one in taken]


def test_organisations_alternate():
    due = owed("large", 5_000) + owed("small", 2)
    taken = Turns().take(due, {LMS: 10}, 100)
    assert names(taken)[:4] == ["large-0", "small-0", "large-1", "small-1"]
    assert len(taken) == 10


def test_one_read_at_a_time_goes_round_too():
    turns = Turns()
    due = owed("a", 9) + owed("b", 9) + owed("c", 1)
    served = [turns.take(due, {LMS: 1}, 100)[0].organisation_id for _ in range(6)]
    assert Counter(served) == {"a": 2, "b": 2, "c": 2}


def test_a_platform_that_bears_nothing_keeps_nobody_from_another():
    due = owed("a", 9, SPENT) + owed("a", 2, OTHER)
    assert names(Turns().take(due, {OTHER: 5}, 100)) == ["a-0", "a-1"]


def test_there_is_a_limit():
    assert len(Turns().take(owed("a", 9) + owed("b", 9), {LMS: 100}, 5)) == 5
    assert Turns().take(owed("a", 9), {LMS: 100}, 0) == ()


@given(
    counts=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 20), max_size=6),
    reads=st.integers(0, 50),
    limit=st.integers(0, 50),
)
def test_nobody_gets_two_more_than_another_who_waits(counts, reads, limit):
    due = [one for organisation, count in counts.items() for one in owed(organisation, count)]
    taken = Turns().take(due, {LMS: reads}, limit)
    assert len(taken) == min(len(due), reads, limit)
    got = Counter(one.organisation_id for one in taken)
    waiting = [organisation for organisation, count in counts.items() if got[organisation] < count]
    for organisation in waiting:
        assert max(got.values(), default=0) - got[organisation] <= 1
