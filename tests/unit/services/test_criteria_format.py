"""Stored criteria and evidence: what is written is read again, and what is not ours is refused whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.awarding import Candidate, decide_award
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
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence, Score
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.criteria_format import (
    dump_criteria,
    dump_evidence,
    dump_finding,
    parse_criteria,
    parse_evidence,
)
from tests.properties.criteria_strategies import NOW, evidence, usable_criteria

LEAF: dict[str, Any] = {"type": "score", "key": "quiz-1", "label": "Quiz 1", "at_least": "60"}


def document(rule: object) -> dict[str, Any]:
    return {"version": 1, "rule": rule}


def stored(value: Any) -> Any:
    """``value`` after a journey through a JSON column."""
    return json.loads(json.dumps(value, allow_nan=False))


@given(usable_criteria)
def test_criteria_survive_being_stored(criterion: Criterion) -> None:
    assert parse_criteria(stored(dump_criteria(criterion))) == criterion


@given(evidence)
def test_evidence_survives_being_stored(known: Evidence) -> None:
    assert parse_evidence(stored(dump_evidence(known))) == known


@given(usable_criteria, evidence)
def test_a_decision_can_be_made_again_from_what_was_stored(criterion: Criterion, known: Evidence) -> None:
    again = decide_award(
        parse_criteria(stored(dump_criteria(criterion))),
        Candidate("ada", parse_evidence(stored(dump_evidence(known)))),
        NOW,
    )
    assert again == decide_award(criterion, Candidate("ada", known), NOW)


@given(usable_criteria, evidence)
def test_a_finding_is_stored_with_every_state_and_reason(criterion: Criterion, known: Evidence) -> None:
    finding = evaluate(criterion, known)

    def look(written: dict[str, Any], node: Any) -> None:
        assert (written["state"], written["reason"]) == (node.state.value, node.reason.value)
        assert written.get("key") == getattr(node.criterion, "key", None)
        assert len(written.get("parts", [])) == len(node.parts)
        for part, found in zip(written.get("parts", []), node.parts, strict=True):
            look(part, found)

    look(stored(dump_finding(finding)), finding)


@given(st.decimals(min_value=0, max_value=10**11, places=8), st.integers(0, 8))
def test_equal_grades_are_written_alike(value: Decimal, zeros: int) -> None:
    def written(number: Decimal) -> object:
        score = Score(number, Decimal(100), None, NOW)
        return dump_evidence(Evidence({"quiz-1": score}))["scores"]["quiz-1"]["value"]

    longer = Decimal(format(value, "f") + "0" * zeros)
    assert written(longer) == written(value)
    assert Decimal(str(written(longer))) == value


def test_the_format_as_it_is_documented() -> None:
    assert parse_criteria(
        {
            "version": 1,
            "rule": {
                "type": "all",
                "of": [
                    {
                        "type": "score",
                        "key": "quiz-1",
                        "label": "Quiz 1",
                        "at_least": "66.66667",
                        "unit": "percent",
                        "channel": "mirror",
                        "purpose": "formative",
                    },
                    {
                        "type": "at_least",
                        "count": 1,
                        "of": [
                            {**LEAF, "key": "talk", "label": "Talk", "at_least": 5, "unit": "points"},
                            {"type": "any", "of": [{**LEAF, "channel": "mirror"}]},
                        ],
                    },
                ],
            },
        }
    ) == AllOf(
        (
            ScoreAtLeast("quiz-1", "Quiz 1", Decimal("66.66667"), purpose=Purpose.FORMATIVE),
            AtLeast(
                1,
                (
                    ScoreAtLeast("talk", "Talk", Decimal(5), Unit.POINTS, Channel.MIRROR),
                    AnyOf((ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60)),)),
                ),
            ),
        )
    )


def refusal(wrong: Any) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as refused:
        parse_criteria(wrong)
    assert refused.value.code is ErrorCode.CRITERIA_INVALID
    return refused.value


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "all",
        {},
        LEAF,
        {"rule": LEAF},
        {"version": 1},
        {"version": 0, "rule": LEAF},
        {"version": 3, "rule": LEAF},
        {"version": 1.0, "rule": LEAF},
        {"version": True, "rule": LEAF},
        {"version": "1", "rule": LEAF},
        {"version": 1, "rule": LEAF, "comment": "hello"},
        document(None),
        document([LEAF]),
        document({}),
        document({**LEAF, "type": "Score"}),
        document({**LEAF, "type": ["score"]}),
        document({**LEAF, "passes": True}),
        document({key: value for key, value in LEAF.items() if key != "label"}),
        document({**LEAF, "key": ""}),
        document({**LEAF, "key": "k" * 65}),
        document({**LEAF, "key": 7}),
        document({**LEAF, "label": ""}),
        document({**LEAF, "label": "l" * 256}),
        document({**LEAF, "label": "nul \x00"}),
        document({**LEAF, "label": "two\nlines"}),
        document({**LEAF, "label": "half a pair \ud800"}),
        document({**LEAF, "key": "nul\x00"}),
        document({**LEAF, "unit": "stars"}),
        document({**LEAF, "unit": None}),
        document({**LEAF, "channel": "award"}),
        document({**LEAF, "channel": "MIRROR"}),
        document({**LEAF, "purpose": ""}),
        document({"type": "all", "of": LEAF}),
        document({"type": "all", "of": [LEAF], "count": 1}),
        document({"type": "all", "of": [None]}),
        document({"type": "any"}),
        document({"type": "at_least", "of": [LEAF]}),
        document({"type": "at_least", "count": "1", "of": [LEAF]}),
        document({"type": "at_least", "count": True, "of": [LEAF]}),
        document({"type": "at_least", "count": 1.0, "of": [LEAF]}),
        document({"type": "not", "of": [LEAF]}),
    ],
)
def test_any_other_shape_is_refused(wrong: Any) -> None:
    assert refusal(wrong).params["problems"] == ("schema",)


@pytest.mark.parametrize(
    "threshold",
    [
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        "sixty",
        "",
        None,
        True,
        [],
        [0, [6], 1],
        (0, (6,), 1),
        {},
        b"60",
    ],
)
def test_a_threshold_that_is_no_number_is_refused(threshold: object) -> None:
    assert refusal(document({**LEAF, "at_least": threshold})).params["problems"] == ("schema",)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["percent", "points"])
@pytest.mark.parametrize(
    "threshold", ["0", "-1", "1e999999999", "-1e999999999", "1e-999999999", "9" * 5000, 10**4000, 1e308]
)
def test_a_threshold_that_nobody_can_reach_or_write_out_is_refused(threshold: object, unit: str) -> None:
    refused = refusal(document({**LEAF, "at_least": threshold, "unit": unit}))
    assert refused.params["problems"] == ("threshold_out_of_range",)
    assert len(refused.detail) < 100


@pytest.mark.timeout(20)
@pytest.mark.parametrize("depth", [6, 200, 300, 100_000])
def test_a_tree_that_is_too_deep_is_refused(depth: int) -> None:
    rule: dict[str, Any] = LEAF
    for _ in range(depth):
        rule = {"type": "all", "of": [rule]}
    refusal(document(rule))


def test_a_tree_that_contains_itself_is_refused() -> None:
    rule: dict[str, Any] = {"type": "all", "of": []}
    rule["of"].append(rule)
    refusal(document(rule))


@pytest.mark.parametrize(
    "rule,problem",
    [
        ({"type": "all", "of": []}, "nothing_asked"),
        ({"type": "at_least", "count": 2, "of": [LEAF]}, "count_out_of_range"),
        ({"type": "at_least", "count": 0, "of": [LEAF]}, "count_out_of_range"),
        ({"type": "all", "of": [LEAF] * 51}, "too_many"),
        ({**LEAF, "label": "  "}, "label_missing"),
        ({"type": "all", "of": [LEAF, {**LEAF, "channel": "attest"}]}, "key_not_unique"),
        ({"type": "all", "of": [LEAF, {**LEAF, "label": "Quiz 2"}]}, "key_not_unique"),
    ],
)
def test_a_tree_of_the_right_shape_that_cannot_be_used_is_refused(rule: object, problem: str) -> None:
    assert refusal(document(rule)).params["problems"] == (problem,)


def test_times_keep_their_zone_and_microseconds() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    known = Evidence({"quiz-1": Score(Decimal("1E+2"), Decimal("100.00000"), at, at)})
    written = stored(dump_evidence(known))
    assert written["scores"]["quiz-1"] == {
        "value": "100",
        "maximum": "100",
        "graded_at": "2026-03-01T12:00:00.123456+00:00",
        "read_at": "2026-03-01T12:00:00.123456+00:00",
    }
    assert parse_evidence(written) == known
