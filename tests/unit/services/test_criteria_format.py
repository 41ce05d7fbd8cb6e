"""Stored criteria and evidence: what is written is read again, and what is not ours is refused whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.awarding import Candidate, decide_award
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
    MeanAtLeast,
    Purpose,
    ScoreAtLeast,
    Term,
    Unit,
    Within,
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
from lti_tool.services.criteria_schema import criteria_schema
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


GATE: dict[str, Any] = {"type": "gate", "key": "gate", "label": "Forum and page"}
FOLDER: dict[str, Any] = {"type": "evidence", "key": "folder", "label": "Portfolio"}
MEAN: dict[str, Any] = {
    "type": "mean",
    "key": "work",
    "label": "Work",
    "at_least": "60",
    "terms": [{"key": "quiz-1", "label": "Quiz 1"}],
}
BASICS: dict[str, Any] = {"type": "completed", "micromodule_id": "m1", "label": "Basics"}
WITHIN: dict[str, Any] = {"type": "within", "starts_at": "2026-03-01T00:00:00Z", "rule": GATE}


def of_version_2(rule: object) -> dict[str, Any]:
    return {"version": 2, "rule": rule}


@pytest.mark.parametrize(
    "rule,criterion",
    [
        (LEAF, ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60))),
        (GATE, GatePassed("gate", "Forum and page")),
        ({**GATE, "type": "attested"}, Attested("gate", "Forum and page")),
        (FOLDER, EvidenceAccepted("folder", "Portfolio")),
        (
            {
                **FOLDER,
                "instructions": "One\r\ntwo\tthree",
                "checklist": ["Own"],
                "accepts": ["link", "text"],
            },
            EvidenceAccepted(
                "folder",
                "Portfolio",
                "One\r\ntwo\tthree",
                ("Own",),
                (EvidenceKind.LINK, EvidenceKind.TEXT),
            ),
        ),
        (BASICS, Completed("m1", "Basics")),
        ({"type": "holds", "achievement_id": "a1", "label": "B"}, HoldsAchievement("a1", "B")),
        (MEAN, MeanAtLeast("work", "Work", (Term("quiz-1", "Quiz 1"),), Decimal(60))),
        (WITHIN, Within(GatePassed("gate", "Forum and page"), datetime(2026, 3, 1, tzinfo=UTC))),
        (
            {**WITHIN, "starts_at": None, "ends_at": "2026-03-01T01:30:00.5+02:00"},
            Within(
                GatePassed("gate", "Forum and page"),
                None,
                datetime(2026, 2, 28, 23, 30, 0, 500_000, tzinfo=UTC),
            ),
        ),
    ],
)
def test_every_kind_of_rule_is_read_with_its_defaults(rule: dict[str, Any], criterion: Criterion) -> None:
    assert parse_criteria(of_version_2(rule)) == criterion
    jsonschema.Draft202012Validator(SCHEMA).validate(of_version_2(rule))


@pytest.mark.parametrize("rule", [GATE, FOLDER, MEAN, BASICS, WITHIN, {**GATE, "type": "attested"}])
def test_version_1_knows_none_of_the_later_rules(rule: dict[str, Any]) -> None:
    assert refusal(document(rule)).params["problems"] == ("schema",)
    assert refusal(document({"type": "all", "of": [LEAF, rule]})).params["problems"] == ("schema",)


SCHEMA = criteria_schema("https://badges.example.edu")


@given(usable_criteria)
def test_the_published_schema_accepts_what_is_written(criterion: Criterion) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(stored(dump_criteria(criterion)))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        GATE,
        {"version": 3, "rule": GATE},
        {"version": True, "rule": GATE},
        {"version": "2", "rule": GATE},
        {"version": 2, "rule": GATE, "comment": "hello"},
        *(
            of_version_2(rule)
            for rule in (
                None,
                [GATE],
                {"type": "not", "rule": GATE},
                {**GATE, "type": "Gate"},
                {**GATE, "at_least": "60"},
                {"type": "gate", "key": "gate"},
                {**GATE, "key": ""},
                {**GATE, "key": "k" * 65},
                {**GATE, "label": "l" * 256},
                {**GATE, "label": "nul \x00"},
                {**GATE, "label": "two\nlines"},
                {**FOLDER, "instructions": "nul \x00"},
                {**FOLDER, "instructions": "i" * 2001},
                {**FOLDER, "instructions": None},
                {**FOLDER, "checklist": "Own work"},
                {**FOLDER, "checklist": ["two\nlines"]},
                {**FOLDER, "checklist": [""]},
                {**FOLDER, "checklist": ["l" * 201]},
                {**FOLDER, "checklist": [str(n) for n in range(21)]},
                {**FOLDER, "accepts": ["film"]},
                {**FOLDER, "accepts": "file"},
                {**BASICS, "micromodule_id": ""},
                {**BASICS, "micromodule_id": "../../etc"},
                {**BASICS, "micromodule_id": "m" * 41},
                {**BASICS, "micromodule_id": 7},
                {**BASICS, "key": "completed:m1"},
                {**MEAN, "terms": [LEAF]},
                {**MEAN, "terms": None},
                {**MEAN, "terms": [{"label": "Quiz 1"}]},
                {**MEAN, "terms": [{"key": "quiz-1", "label": "Quiz 1", "weight": "heavy"}]},
                {**MEAN, "terms": [{"key": "quiz-1", "label": "Quiz 1", "weight": True}]},
                {**MEAN, "terms": [{"key": "quiz-1", "label": "Quiz 1", "weight": None}]},
                {**MEAN, "unit": "points"},
                {**WITHIN, "of": [GATE]},
                {**WITHIN, "rule": [GATE]},
                {"type": "within", "starts_at": "2026-03-01T00:00:00Z"},
                {**WITHIN, "starts_at": "2026-03-01"},
                {**WITHIN, "starts_at": "2026-03-01T00:00:00"},
                {**WITHIN, "starts_at": "2026-13-01T00:00:00Z"},
                {**WITHIN, "starts_at": "tomorrow, around noon"},
                {**WITHIN, "starts_at": 1_772_323_200},
                {**WITHIN, "starts_at": "1772323200"},
                {**WITHIN, "starts_at": ""},
                {"type": "all", "of": GATE},
                {"type": "at_least", "count": True, "of": [GATE]},
                {"type": "at_least", "count": "1", "of": [GATE]},
            )
        ),
    ],
)
def test_what_the_reader_refuses_the_published_schema_refuses(wrong: Any) -> None:
    assert refusal(wrong).params["problems"] == ("schema",)
    checker = jsonschema.Draft202012Validator(
        SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    assert not checker.is_valid(wrong)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_date_that_utc_does_not_have_is_refused(at: str) -> None:
    assert refusal(of_version_2({**WITHIN, "starts_at": at})).params["problems"] == ("schema",)


@pytest.mark.parametrize(
    "rule,problem",
    [
        ({**MEAN, "terms": []}, "nothing_asked"),
        ({**MEAN, "terms": MEAN["terms"] * 2}, "key_not_unique"),
        ({**MEAN, "terms": [{**MEAN["terms"][0], "weight": "0"}]}, "weight_out_of_range"),
        ({**MEAN, "at_least": "101"}, "threshold_out_of_range"),
        ({**FOLDER, "checklist": ["Own", "Own"]}, "checklist_invalid"),
        ({**FOLDER, "accepts": []}, "nothing_accepted"),
        ({"type": "within", "rule": GATE}, "dates_missing"),
        ({**WITHIN, "ends_at": "2026-02-28T00:00:00Z"}, "dates_out_of_order"),
        ({"type": "all", "of": [GATE, {**GATE, "type": "attested"}]}, "key_not_unique"),
    ],
)
def test_a_tree_of_version_2_that_cannot_be_used_is_refused(rule: object, problem: str) -> None:
    assert refusal(of_version_2(rule)).params["problems"] == (problem,)


def test_the_published_schema_says_what_every_field_is() -> None:
    for name, definition in SCHEMA["$defs"].items():
        assert definition["description"], name
        for field, described in definition.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
    assert SCHEMA["$id"] == "https://badges.example.edu/schemas/criteria-2.json"


def test_evidence_of_the_first_version_is_read_for_ever() -> None:
    score = {"value": "59.9", "maximum": "100", "graded_at": None, "read_at": "2026-03-01T12:00:00+00:00"}
    assert parse_evidence({"version": 1, "scores": {"quiz": score}}) == Evidence(
        {"quiz": Score(Decimal("59.9"), Decimal(100), None, NOW)}
    )


@pytest.mark.parametrize("version", [None, 0, 3, "1"])
def test_evidence_of_another_version_is_refused(version: object) -> None:
    with pytest.raises(RequestInvalid):
        parse_evidence({"version": version, "scores": {}})


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
