"""Which criterion of changed criteria is which of before."""

from __future__ import annotations

import pytest

from lti_tool.domain.criteria import AllOf, Attested, Criterion, EvidenceAccepted, GatePassed
from lti_tool.domain.renaming import renamed


def gates(*keys: str) -> Criterion:
    return AllOf(tuple(GatePassed(f"gate:{key}", key) for key in keys))


@pytest.mark.parametrize(
    "before, after, expected",
    [
        (gates("a"), gates("a"), {}),
        (gates("a"), gates("b"), {"gate:a": "gate:b"}),
        (gates("a", "b"), gates("b", "c"), {"gate:a": "gate:c"}),
        (gates("a", "b"), gates("c", "d"), {"gate:a": "gate:c", "gate:b": "gate:d"}),
        (gates("a", "b"), gates("b", "a"), {}),
        (gates("a", "b"), gates("b"), {}),
        (gates("b"), gates("a", "b"), {}),
        (gates("a", "b", "c"), gates("a", "d"), {}),
        (gates("a", "a"), gates("b", "b"), {"gate:a": "gate:b"}),
    ],
)
def test_what_has_another_name_is_found(
    before: Criterion, after: Criterion, expected: dict[str, str]
) -> None:
    assert renamed(before, after) == expected


def test_only_rules_of_one_kind_are_each_other() -> None:
    before = AllOf(
        (GatePassed("gate:a", "A"), Attested("attested:t", "T"), EvidenceAccepted("evidence:e", "E"))
    )
    after = AllOf(
        (Attested("attested:a", "A"), EvidenceAccepted("evidence:f", "F"), GatePassed("gate:g", "G"))
    )
    assert renamed(before, after) == {
        "gate:a": "gate:g",
        "attested:t": "attested:a",
        "evidence:e": "evidence:f",
    }
    assert renamed(GatePassed("gate:a", "A"), Attested("attested:a", "A")) == {}
