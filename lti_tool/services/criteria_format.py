"""Reading and writing stored criteria, evidence and findings: one versioned format.

Stored decisions must be readable for as long as a badge may be questioned, so this format only ever
grows: a reader of version *n* reads every version up to *n*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from lti_tool.domain import criteria as domain
from lti_tool.domain.criteria_problems import problems
from lti_tool.domain.evidence import Counted, Evidence, Fact, Score
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.criteria_schema import (
    VERSION,
    AllRule,
    AnyRule,
    AtLeastRule,
    AttestedRule,
    CompletedRule,
    Criteria,
    CriteriaOfVersion1,
    EvidenceRule,
    GateRule,
    HoldsRule,
    MeanRule,
    MicromodulesRule,
    Rule,
    ScoreRule,
    WithinRule,
)

PLACE_LENGTH = 200
_RULES_OF_VERSION_1 = (ScoreRule, AllRule, AnyRule, AtLeastRule)


def parse_criteria(stored: Mapping[str, Any]) -> domain.Criterion:
    """Read criteria as stored or imported, in any version of the format.

    :raises RequestInvalid: ``criteria_invalid`` with ``problems``, when the shape is not the schema's (and
        ``at``, where first) or the tree cannot be used (``lti_tool.domain.criteria_problems.problems``).
    """
    is_old = _is_of_version_1(stored)
    try:
        rule = (CriteriaOfVersion1 if is_old else Criteria).model_validate(stored).rule
    except (ValidationError, RecursionError) as error:
        count = error.error_count() if isinstance(error, ValidationError) else 1
        raise _not_of_the_schema(f"{count} schema problems", _place_of(error)) from error
    if is_old and not all(isinstance(one, _RULES_OF_VERSION_1) for one in _walk(rule)):
        raise _not_of_the_schema("version 1 has no such rule")
    criterion = _to_domain(rule)
    found = problems(criterion)
    if found:
        raise RequestInvalid(ErrorCode.CRITERIA_INVALID, ", ".join(found), problems=tuple(found))
    return criterion


def _is_of_version_1(stored: object) -> bool:
    return isinstance(stored, Mapping) and stored.get("version") == 1


def _not_of_the_schema(detail: str, at: str = "") -> RequestInvalid:
    return RequestInvalid(ErrorCode.CRITERIA_INVALID, detail, problems=("schema",), at=at)


def _place_of(error: Exception) -> str:
    """Where in the JSON the first problem is, such as ``rule.of[1].count``; empty for the whole of it."""
    first = error.errors()[0] if isinstance(error, ValidationError) and error.error_count() else None
    path = ""
    is_rule = False
    for part in first["loc"] if first is not None else ():
        if isinstance(part, int):
            path += f"[{part}]"
        elif not is_rule:
            path += f".{part}"
        # After a rule its kind follows, which the JSON says inside.
        is_rule = (part == "rule" or isinstance(part, int)) and not is_rule
    return path.removeprefix(".")[:PLACE_LENGTH]


def _walk(rule: Rule) -> Iterator[Rule]:
    yield rule
    if isinstance(rule, AllRule | AnyRule | AtLeastRule):
        for part in rule.of:
            yield from _walk(part)
    elif isinstance(rule, WithinRule):
        yield from _walk(rule.rule)


def _to_domain(rule: Rule) -> domain.Criterion:
    match rule:
        case ScoreRule():
            return domain.ScoreAtLeast(
                rule.key, rule.label, rule.at_least, rule.unit, rule.channel, rule.purpose
            )
        case MeanRule():
            terms = tuple(
                domain.Term(term.key, term.label, term.weight, term.channel, term.purpose)
                for term in rule.terms
            )
            return domain.MeanAtLeast(rule.key, rule.label, terms, rule.at_least)
        case GateRule():
            return domain.GatePassed(rule.key, rule.label)
        case AttestedRule():
            return domain.Attested(rule.key, rule.label)
        case EvidenceRule():
            return domain.EvidenceAccepted(
                rule.key, rule.label, rule.instructions, tuple(rule.checklist), tuple(rule.accepts)
            )
        case CompletedRule():
            return domain.Completed(rule.micromodule_id, rule.label)
        case HoldsRule():
            return domain.HoldsAchievement(rule.achievement_id, rule.label)
        case MicromodulesRule():
            return domain.MicromodulesCompleted(
                rule.label, rule.count, tuple(rule.micromodule_ids), rule.category_id
            )
        case WithinRule():
            return domain.Within(_to_domain(rule.rule), rule.starts_at, rule.ends_at)
        case AllRule():
            return domain.AllOf(tuple(_to_domain(part) for part in rule.of))
        case AnyRule():
            return domain.AnyOf(tuple(_to_domain(part) for part in rule.of))
        case AtLeastRule():
            return domain.AtLeast(rule.count, tuple(_to_domain(part) for part in rule.of))


def is_of_milestones(criterion: domain.Criterion) -> bool:
    """Whether criteria ask for a set of micromodules, which only a milestone can."""
    return any(isinstance(leaf, domain.MicromodulesCompleted) for leaf in domain.leaves(criterion))


def dump_criteria(criterion: domain.Criterion) -> dict[str, Any]:
    """Write criteria as :func:`parse_criteria` reads them."""
    return {"version": VERSION, "rule": _dump_rule(criterion)}


def _dump_rule(criterion: domain.Criterion) -> dict[str, Any]:
    match criterion:
        case domain.ScoreAtLeast():
            return {
                "type": "score",
                "key": criterion.key,
                "label": criterion.label,
                "at_least": _plain(criterion.threshold),
                "unit": criterion.unit.value,
                "channel": criterion.channel.value,
                "purpose": criterion.purpose.value,
            }
        case domain.MeanAtLeast():
            return {
                "type": "mean",
                "key": criterion.key,
                "label": criterion.label,
                "at_least": _plain(criterion.threshold),
                "terms": [
                    {
                        "key": term.key,
                        "label": term.label,
                        "weight": _plain(term.weight),
                        "channel": term.channel.value,
                        "purpose": term.purpose.value,
                    }
                    for term in criterion.terms
                ],
            }
        case domain.GatePassed():
            return {"type": "gate", "key": criterion.key, "label": criterion.label}
        case domain.Attested():
            return {"type": "attested", "key": criterion.key, "label": criterion.label}
        case domain.EvidenceAccepted():
            return {
                "type": "evidence",
                "key": criterion.key,
                "label": criterion.label,
                "instructions": criterion.instructions,
                "checklist": list(criterion.checklist),
                "accepts": [kind.value for kind in criterion.accepts],
            }
        case domain.Completed():
            return {
                "type": "completed",
                "micromodule_id": criterion.micromodule_id,
                "label": criterion.label,
            }
        case domain.HoldsAchievement():
            return {"type": "holds", "achievement_id": criterion.achievement_id, "label": criterion.label}
        case domain.MicromodulesCompleted():
            return _dump_set(criterion)
        case domain.Within():
            return {
                "type": "within",
                "starts_at": _written(criterion.starts_at),
                "ends_at": _written(criterion.ends_at),
                "rule": _dump_rule(criterion.part),
            }
        case domain.AllOf():
            return {"type": "all", "of": [_dump_rule(part) for part in criterion.parts]}
        case domain.AnyOf():
            return {"type": "any", "of": [_dump_rule(part) for part in criterion.parts]}
        case domain.AtLeast():
            return {
                "type": "at_least",
                "count": criterion.count,
                "of": [_dump_rule(part) for part in criterion.parts],
            }


def _dump_set(criterion: domain.MicromodulesCompleted) -> dict[str, Any]:
    stored: dict[str, Any] = {"type": "micromodules", "label": criterion.label}
    if criterion.count is not None:
        stored["count"] = criterion.count
    if criterion.micromodule_ids:
        stored["micromodule_ids"] = list(criterion.micromodule_ids)
    if criterion.category_id is not None:
        stored["category_id"] = criterion.category_id
    return stored


def dump_finding(finding: domain.Finding) -> dict[str, Any]:
    """State and reason of every criterion, from the root down, without the evidence (stored beside it)."""
    stored: dict[str, Any] = {"state": finding.state.value, "reason": finding.reason.value}
    if isinstance(finding.criterion, _WITH_KEY):
        stored["key"] = finding.criterion.key
    if finding.parts:
        stored["parts"] = [dump_finding(part) for part in finding.parts]
    return stored


_WITH_KEY = (*domain.LEAVES, domain.Term)


def dump_evidence(evidence: Evidence) -> dict[str, Any]:
    """The facts a decision rests on, as :func:`parse_evidence` reads them."""
    stored = {
        "version": VERSION,
        "scores": {
            key: {
                "value": None if score.value is None else _plain(score.value),
                "maximum": _plain(score.maximum),
                "graded_at": _written(score.graded_at),
                "read_at": _written(score.read_at),
            }
            for key, score in sorted(evidence.scores.items())
        },
        "facts": {
            key: {
                "holds": fact.holds,
                "since": _written(fact.since),
                "read_at": _written(fact.read_at),
                "detail": str(fact.detail),
            }
            for key, fact in sorted(evidence.facts.items())
        },
    }
    if evidence.counted:
        # Milestones have sets; all that was stored before them, and every course's decisions, have none.
        stored["counted"] = {
            key: [{"micromodule_id": one.micromodule_id, "name": one.name} for one in counted]
            for key, counted in sorted(evidence.counted.items())
        }
    return stored


def parse_evidence(stored: Mapping[str, Any]) -> Evidence:
    """Read stored evidence, so that a decision can be made again from what it was made from.

    :raises RequestInvalid: ``criteria_invalid`` when it is of a version that is not known here.
    """
    if stored.get("version") not in (1, VERSION):
        raise _not_of_the_schema("evidence of an unknown version")
    return Evidence(
        {
            key: Score(
                None if score["value"] is None else Decimal(score["value"]),
                Decimal(score["maximum"]),
                _read(score["graded_at"]),
                datetime.fromisoformat(score["read_at"]),
            )
            for key, score in stored["scores"].items()
        },
        {
            key: Fact(fact["holds"], _read(fact["since"]), _read(fact["read_at"]), fact["detail"])
            for key, fact in stored.get("facts", {}).items()
        },
        {
            key: tuple(Counted(one["micromodule_id"], one["name"]) for one in counted)
            for key, counted in stored.get("counted", {}).items()
        },
    )


@lru_cache(maxsize=1024)
def _written(at: datetime | None) -> str | None:
    # A column is read for everybody at once.
    return None if at is None else at.astimezone(UTC).isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@lru_cache(maxsize=8192)
def _plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros, so that equal grades are written alike."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
