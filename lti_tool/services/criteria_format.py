"""The stored form of criteria, evidence and findings: one versioned JSON schema.

Stored decisions must be readable for as long as a badge may be questioned, so this format only ever
grows: a reader of version *n* reads every version up to *n*.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lti_tool.domain import criteria as domain
from lti_tool.domain.criteria_problems import problems
from lti_tool.domain.evidence import Evidence, Score
from lti_tool.errors import ErrorCode, RequestInvalid

VERSION = 1


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _number(value: object) -> object:
    """A JSON number, or the text of one; ``true`` is neither, though Python says so."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("a number is wanted")
    return value


_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: PostgreSQL keeps no NUL, and a label becomes the name of a gradebook column."""


class _ScoreRule(_Stored):
    type: Literal["score"]
    key: Annotated[str, Field(max_length=64, pattern=_PRINTABLE)]
    label: Annotated[str, Field(max_length=255, pattern=_PRINTABLE)]
    at_least: Annotated[Decimal, BeforeValidator(_number)]
    unit: domain.Unit = domain.Unit.PERCENT
    channel: domain.Channel = domain.Channel.MIRROR
    purpose: domain.Purpose = domain.Purpose.SUMMATIVE


class _AllRule(_Stored):
    type: Literal["all"]
    of: list[_Rule]


class _AnyRule(_Stored):
    type: Literal["any"]
    of: list[_Rule]


class _AtLeastRule(_Stored):
    type: Literal["at_least"]
    count: Annotated[int, Field(strict=True)]
    of: list[_Rule]


_Rule = Annotated[_ScoreRule | _AllRule | _AnyRule | _AtLeastRule, Field(discriminator="type")]


class _Document(_Stored):
    version: Literal[1]
    rule: _Rule


def parse_criteria(stored: Mapping[str, Any]) -> domain.Criterion:
    """Read criteria as stored or imported.

    :raises RequestInvalid: ``criteria_invalid`` with ``problems``, when the shape is not the schema's or
        the tree cannot be used (``lti_tool.domain.criteria_problems.problems``).
    """
    try:
        rule = _Document.model_validate(stored).rule
    except (ValidationError, RecursionError) as error:
        count = error.error_count() if isinstance(error, ValidationError) else 1
        raise RequestInvalid(
            ErrorCode.CRITERIA_INVALID, f"{count} schema problems", problems=("schema",)
        ) from error
    criterion = _to_domain(rule)
    found = problems(criterion)
    if found:
        raise RequestInvalid(ErrorCode.CRITERIA_INVALID, ", ".join(found), problems=tuple(found))
    return criterion


def _to_domain(rule: _ScoreRule | _AllRule | _AnyRule | _AtLeastRule) -> domain.Criterion:
    if isinstance(rule, _ScoreRule):
        return domain.ScoreAtLeast(rule.key, rule.label, rule.at_least, rule.unit, rule.channel, rule.purpose)
    parts = tuple(_to_domain(part) for part in rule.of)
    if isinstance(rule, _AllRule):
        return domain.AllOf(parts)
    if isinstance(rule, _AnyRule):
        return domain.AnyOf(parts)
    return domain.AtLeast(rule.count, parts)


def dump_criteria(criterion: domain.Criterion) -> dict[str, Any]:
    """Write criteria as :func:`parse_criteria` reads them."""
    return {"version": VERSION, "rule": _dump_rule(criterion)}


def _dump_rule(criterion: domain.Criterion) -> dict[str, Any]:
    if isinstance(criterion, domain.ScoreAtLeast):
        return {
            "type": "score",
            "key": criterion.key,
            "label": criterion.label,
            "at_least": _plain(criterion.threshold),
            "unit": criterion.unit.value,
            "channel": criterion.channel.value,
            "purpose": criterion.purpose.value,
        }
    parts = [_dump_rule(part) for part in criterion.parts]
    if isinstance(criterion, domain.AllOf):
        return {"type": "all", "of": parts}
    if isinstance(criterion, domain.AnyOf):
        return {"type": "any", "of": parts}
    return {"type": "at_least", "count": criterion.count, "of": parts}


def dump_finding(finding: domain.Finding) -> dict[str, Any]:
    """State and reason of every criterion, from the root down, without the evidence (stored beside it)."""
    stored: dict[str, Any] = {"state": finding.state.value, "reason": finding.reason.value}
    if isinstance(finding.criterion, domain.ScoreAtLeast):
        stored["key"] = finding.criterion.key
    if finding.parts:
        stored["parts"] = [dump_finding(part) for part in finding.parts]
    return stored


def dump_evidence(evidence: Evidence) -> dict[str, Any]:
    """The facts a decision rests on, as :func:`parse_evidence` reads them."""
    return {
        "version": VERSION,
        "scores": {
            key: {
                "value": None if score.value is None else _plain(score.value),
                "maximum": _plain(score.maximum),
                "graded_at": None if score.graded_at is None else score.graded_at.isoformat(),
                "read_at": score.read_at.isoformat(),
            }
            for key, score in sorted(evidence.scores.items())
        },
    }


def parse_evidence(stored: Mapping[str, Any]) -> Evidence:
    """Read stored evidence, so that a decision can be made again from what it was made from."""
    return Evidence(
        {
            key: Score(
                None if score["value"] is None else Decimal(score["value"]),
                Decimal(score["maximum"]),
                None if score["graded_at"] is None else datetime.fromisoformat(score["graded_at"]),
                datetime.fromisoformat(score["read_at"]),
            )
            for key, score in stored["scores"].items()
        }
    )


def _plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros, so that equal grades are written alike."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
