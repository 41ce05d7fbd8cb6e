"""Facts are values: equal by content, and never changed once they are known."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lti_tool.domain.evidence import NOTHING_KNOWN, Evidence, Score

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_facts_are_equal_by_content() -> None:
    def known() -> Evidence:
        return Evidence({"quiz": Score(Decimal("60.0"), Decimal(100), None, NOW)})

    assert known() == known()
    assert known() != NOTHING_KNOWN


def test_facts_do_not_change() -> None:
    score = Score(Decimal(60), Decimal(100), None, NOW)
    with pytest.raises(AttributeError):
        score.value = Decimal(100)  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        NOTHING_KNOWN.scores = {"quiz": score}  # type: ignore[misc]


def test_nothing_known_says_nothing() -> None:
    assert dict(NOTHING_KNOWN.scores) == {}
