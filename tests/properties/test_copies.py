"""Laws of where a copied link came from, whatever order courses were copied in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from lti_tool.domain.copies import (
    MOST_IN_HISTORY,
    Candidate,
    Doubt,
    Past,
    choose_origin,
    looks_reset,
    read_history,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    numbers = draw(st.lists(st.integers(0, 30), unique=True, max_size=8))
    return [
        Candidate(
            f"p{number}",
            f"c{number}",
            str(number),
            draw(st.sampled_from(["ours", "theirs"])),
            not (removed := draw(st.booleans())) and draw(st.booleans()),
            removed,
            START + timedelta(days=draw(st.integers(0, 3))),
        )
        for number in numbers
    ]


histories = st.one_of(
    st.none(), st.lists(st.integers(0, 30).map(str), min_size=1, max_size=6, unique=True).map(tuple)
)


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    return Past(
        "ours",
        draw(histories),
        draw(st.booleans()),
        draw(st.frozensets(st.integers(0, 30).map("c{}".format), max_size=3)),
        draw(st.one_of(st.none(), st.integers(0, 30).map("c{}".format))),
    )


@given(candidates(), pasts(), st.randoms())
def test_the_order_of_what_is_found_is_irrelevant(found: list[Candidate], past: Past, random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose_origin(shuffled, past) == choose_origin(found, past)


@given(candidates(), pasts())
def test_another_platform_is_never_taken_silently(found: list[Candidate], past: Past) -> None:
    origin = choose_origin(found, past)
    if origin is not None and origin.candidate.registration_id != past.registration_id:
        assert origin.doubt is Doubt.OTHER_PLATFORM
        assert not origin.is_whole_course
        assert all(one.registration_id != "ours" for one in found)


CONTRADICTED = (
    [Candidate("p0", "c0", "0", "ours", True, False, START)],
    Past("ours", ("1",), False, frozenset(), None),
)
"""Chance finds it most times only; ``make guards`` has to find it every time."""


@example(*CONTRADICTED)
@given(candidates(), pasts())
def test_what_the_platform_contradicts_or_what_was_removed_is_never_taken_silently(
    found: list[Candidate], past: Past
) -> None:
    origin = choose_origin(found, past)
    if origin is None or origin.doubt is not None:
        return
    one = origin.candidate
    assert not one.is_removed
    is_named = (
        one.context_id_on_platform in (past.context_history or ())
        or one.context_id in past.link_contexts
        or one.context_id == past.noted_origin_id
    )
    assert is_named or past.context_history is None or past.is_truncated


@given(candidates(), pasts())
def test_of_the_courses_of_a_history_the_nearest_usable_one_is_taken(
    found: list[Candidate], past: Past
) -> None:
    usable = {
        one.context_id_on_platform for one in found if one.registration_id == "ours" and not one.is_removed
    }
    nearest = next((name for name in past.context_history or () if name in usable), None)
    noted = any(one.context_id == past.noted_origin_id for one in found)
    origin = choose_origin(found, past)
    if nearest is not None and not noted:
        assert origin is not None
        assert origin.candidate.context_id_on_platform == nearest
        assert origin.is_whole_course


@given(st.lists(st.sampled_from(["1", "2", "course 3", "", " ", "truncated"])))
def test_a_history_is_read_whatever_stands_in_it(parts: list[str]) -> None:
    known, is_truncated = read_history(",".join(parts))
    wanted = [part for part in dict.fromkeys(part.strip() for part in parts) if part not in ("", "truncated")]
    assert known == (tuple(wanted) or None)
    assert is_truncated == ("truncated" in parts)


def test_a_history_of_thousands_is_cut_and_said_to_be() -> None:
    known, is_truncated = read_history(",".join(str(number) for number in range(5_000)))
    assert known is not None
    assert (len(known), is_truncated) == (MOST_IN_HISTORY, True)


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_few_who_left_and_a_course_that_mostly_stayed_are_no_reset(vanished: int, left: int) -> None:
    if looks_reset(vanished, left):
        assert vanished >= 3
        assert vanished > left
