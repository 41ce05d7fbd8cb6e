"""Criteria trees and facts for the property tests: few keys, so that trees and facts meet often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Channel,
    Criterion,
    Purpose,
    ScoreAtLeast,
    Unit,
)
from lti_tool.domain.evidence import Evidence, Score

KEYS = ("essay", "forum", "quiz-1", "quiz-2")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

grades = st.decimals(min_value=0, max_value=200, places=5, allow_nan=False)
"""Moodle's gradebook keeps five decimals."""
moments = st.timedeltas(timedelta(days=-400), timedelta(days=2)).map(lambda gap: NOW + gap)
scores = st.builds(
    Score,
    st.none() | grades,
    st.sampled_from([Decimal(100), Decimal(10), Decimal("99.99999"), Decimal(0)]),
    st.none() | moments,
    moments,
)
evidence: st.SearchStrategy[Evidence] = st.dictionaries(st.sampled_from(KEYS), scores).map(Evidence)


@st.composite
def leaves(draw: st.DrawFn) -> ScoreAtLeast:
    """One rule; what a key is called and how it is read is the same wherever the key stands."""
    key = draw(st.sampled_from(KEYS))
    return ScoreAtLeast(
        key,
        f"Label of {key}",
        draw(st.decimals(min_value="0.00001", max_value=100, places=5, allow_nan=False)),
        draw(st.sampled_from(Unit)),
        Channel.ATTEST if key == "essay" else Channel.MIRROR,
        draw(st.sampled_from(Purpose)),
    )


def _combined(parts: st.SearchStrategy[Criterion], smallest: int) -> st.SearchStrategy[Criterion]:
    many = st.lists(parts, min_size=smallest, max_size=4).map(tuple)
    return (
        many.map(AllOf)
        | many.map(AnyOf)
        | many.flatmap(
            lambda found: st.builds(
                AtLeast,
                st.integers(1, max(1, len(found))) if smallest else st.integers(-1, 5),
                st.just(found),
            )
        )
    )


def _tree(depth: int, smallest: int) -> st.SearchStrategy[Criterion]:
    if depth == 1:
        return leaves()
    return leaves() | _combined(_tree(depth - 1, smallest), smallest)


usable_criteria = _tree(3, smallest=1)
"""Trees that may be saved."""
any_criteria = _tree(3, smallest=0)
"""Also trees with empty combinations and counts out of range: the laws hold for them too."""


def more(known: Evidence, added: Mapping[str, Score]) -> Evidence:
    """``known`` with further facts; those that are there stay as they are."""
    return Evidence({**added, **known.scores})
