"""Criteria trees and facts for the property tests: few keys, so that trees and facts meet often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zlib import crc32

from hypothesis import strategies as st

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Channel,
    Completed,
    Criterion,
    EvidenceAccepted,
    EvidenceKind,
    GatePassed,
    HoldsAchievement,
    Leaf,
    MeanAtLeast,
    MicromodulesCompleted,
    Purpose,
    ScoreAtLeast,
    Term,
    Unit,
    Within,
)
from lti_tool.domain.evidence import Counted, Detail, Evidence, Fact, Score

KEYS = ("essay", "forum", "quiz-1", "quiz-2")
FACT_LEAVES: tuple[Leaf, ...] = (
    GatePassed("gate-1", "Forum and page"),
    GatePassed("gate-2", "Lab"),
    Attested("talk", "Gave a talk"),
    EvidenceAccepted(
        "folder", "Portfolio", "Hand in:\nthree pieces", ("Own work", "Three"), (EvidenceKind.FILE,)
    ),
    EvidenceAccepted("diary", "Diary"),
    Completed("m1", "Basics"),
    HoldsAchievement("a1", "Explorer"),
)
FACT_KEYS = tuple(leaf.key for leaf in FACT_LEAVES)
MICROMODULES = (Counted("m1", "Basics"), Counted("m2", "Further"), Counted("m3", "Last"))
SETS: tuple[MicromodulesCompleted, ...] = (
    MicromodulesCompleted("Everything", 1),
    MicromodulesCompleted("Everything", 2),
    MicromodulesCompleted("Data", None, category_id="c1"),
    MicromodulesCompleted("These two", None, ("m1", "m2")),
)
SET_KEYS = tuple(leaf.key for leaf in SETS)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TURN = NOW - timedelta(days=100)
"""Usable dates start before it and end after it, so that nested ones leave some time."""

grades = st.decimals(min_value=0, max_value=200, places=5, allow_nan=False)
"""Moodle's gradebook keeps five decimals."""
thresholds = st.decimals(min_value="0.00001", max_value=100, places=5, allow_nan=False)
weights = st.decimals(min_value="0.00000001", max_value=1000, places=8, allow_nan=False)
moments = st.timedeltas(timedelta(days=-400), timedelta(days=2)).map(lambda gap: NOW + gap)
scores = st.builds(
    Score,
    st.none() | grades,
    st.sampled_from([Decimal(100), Decimal(10), Decimal("99.99999"), Decimal(0)]),
    st.none() | moments,
    moments,
)
facts = st.builds(Fact, st.booleans(), st.none() | moments, st.none() | moments, st.sampled_from(Detail))
evidence: st.SearchStrategy[Evidence] = st.builds(
    Evidence,
    st.dictionaries(st.sampled_from(KEYS), scores),
    st.dictionaries(
        st.sampled_from([*FACT_KEYS, *(f"completed:{one.micromodule_id}" for one in MICROMODULES)]), facts
    ),
    st.dictionaries(
        st.sampled_from(SET_KEYS),
        st.lists(st.sampled_from(MICROMODULES), unique=True).map(tuple),
    ),
)


def _label(key: str) -> str:
    return f"Label of {key}"


def _channel(key: str) -> Channel:
    """How a key is read is the same wherever it stands, as what it is called."""
    return Channel.ATTEST if key == "essay" else Channel.MIRROR


@st.composite
def score_leaves(draw: st.DrawFn) -> ScoreAtLeast:
    """A rule about one score."""
    key = draw(st.sampled_from(KEYS))
    return ScoreAtLeast(
        key,
        _label(key),
        draw(thresholds),
        draw(st.sampled_from(Unit)),
        _channel(key),
        draw(st.sampled_from(Purpose)),
    )


@st.composite
def means(draw: st.DrawFn, *, smallest: int = 1) -> MeanAtLeast:
    """A weighted mean; its key tells its terms, so that two of one key are the same."""
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=smallest, max_size=4, unique=True))
    weight = draw(st.lists(weights, min_size=len(keys), max_size=len(keys)))
    terms = tuple(Term(key, _label(key), each, _channel(key)) for key, each in zip(keys, weight, strict=True))
    name = f"mean-{crc32(repr(terms).encode())}"
    return MeanAtLeast(name, name, terms, draw(thresholds))


fact_leaves = st.sampled_from((*FACT_LEAVES, *SETS))
leaves: st.SearchStrategy[Leaf] = st.one_of(score_leaves(), score_leaves(), means(), fact_leaves)


def _combined(parts: st.SearchStrategy[Criterion], *, is_usable: bool) -> st.SearchStrategy[Criterion]:
    many = st.lists(parts, min_size=1 if is_usable else 0, max_size=4).map(tuple)
    counted = many.flatmap(
        lambda found: st.builds(
            AtLeast,
            st.integers(1, max(1, len(found))) if is_usable else st.integers(-1, 5),
            st.just(found),
        )
    )
    return many.map(AllOf) | many.map(AnyOf) | counted | _dated(parts, is_usable=is_usable)


def _dated(parts: st.SearchStrategy[Criterion], *, is_usable: bool) -> st.SearchStrategy[Criterion]:
    if not is_usable:
        return st.builds(Within, parts, st.none() | moments, st.none() | moments)
    starts, ends = moments.filter(lambda at: at <= TURN), moments.filter(lambda at: at >= TURN)
    return (
        st.builds(Within, parts, starts, ends)
        | st.builds(Within, parts, starts, st.none())
        | st.builds(Within, parts, st.none(), ends)
    )


def _tree(depth: int, *, is_usable: bool) -> st.SearchStrategy[Criterion]:
    bottom: st.SearchStrategy[Criterion] = leaves if is_usable else st.one_of(leaves, means(smallest=0))
    if depth == 1:
        return bottom
    return bottom | _combined(_tree(depth - 1, is_usable=is_usable), is_usable=is_usable)


usable_criteria = _tree(3, is_usable=True).filter(lambda tree: _size(tree) <= 50)
"""Trees that may be saved."""
any_criteria = _tree(3, is_usable=False)
"""Also trees with empty combinations, counts out of range and impossible dates: the laws hold there too."""


def _size(criterion: Criterion) -> int:
    if isinstance(criterion, MeanAtLeast):
        return len(criterion.terms)
    if isinstance(criterion, MicromodulesCompleted):
        return max(1, len(criterion.micromodule_ids))
    if isinstance(criterion, AllOf | AnyOf | AtLeast | Within):
        return sum(_size(part) for part in criterion.parts)
    return 1


def more(known: Evidence, added: Evidence) -> Evidence:
    """``known`` with further facts; those that are there stay as they are."""
    return Evidence(
        {**added.scores, **known.scores},
        {**added.facts, **known.facts},
        {**added.counted, **known.counted},
    )
