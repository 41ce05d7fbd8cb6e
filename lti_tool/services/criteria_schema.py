"""The shape of stored criteria: the models that read it, and the JSON Schema that publishes it.

What the fields mean stands with them, since whoever writes such a file reads it there;
docs/reference/criteria.md has examples. ``lti_tool.services.criteria_format`` reads and writes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema

from lti_tool.domain import criteria as domain
from lti_tool.domain.criteria_problems import (
    MAXIMUM_CHECKLIST,
    MAXIMUM_CHECKLIST_LINE,
    MAXIMUM_COUNT,
    MAXIMUM_INSTRUCTIONS,
    MAXIMUM_LEAVES,
)

VERSION = 2
"""What is written. 1 knew scores, "all", "any" and "at_least" only, and no facts beside scores."""
SCHEMA_PATH = f"/schemas/criteria-{VERSION}.json"


def _number(value: object) -> object:
    """A JSON number, or the text of one; ``true`` is neither, though Python says so."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("a number is wanted")
    return value


def _whole(value: object) -> object:
    """A whole number; ``true`` equals 1 in Python only."""
    if type(value) is not int:
        raise ValueError("a whole number is wanted")
    return value


def _moment(value: object) -> datetime:
    """RFC 3339 text as aware UTC; a number of seconds is none, though pydantic says so."""
    if not isinstance(value, str) or len(value) < len("2026-03-01T12:00:00Z") or value[10] != "T":
        raise ValueError("a date, a time and a time zone are wanted")
    at = datetime.fromisoformat(value)
    if at.utcoffset() is None:
        raise ValueError("a time zone is wanted")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("this is no date in UTC") from None


_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: PostgreSQL keeps no NUL, and a label becomes the name of a gradebook column."""
_PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""As above, but of several lines."""

Key = Annotated[
    str,
    Field(
        max_length=64,
        pattern=_PRINTABLE,
        description="The evidence key: what one fact is called within a micromodule. It stands for one "
        "column, gate or task, wherever it is used.",
    ),
]
Label = Annotated[
    str,
    Field(max_length=255, pattern=_PRINTABLE, description='What people call it, such as "Quiz 1".'),
]
RecordId = Annotated[
    str, Field(pattern=r"^[0-9A-Za-z_-]{1,40}$", description="The id of a record of this organisation.")
]
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,8})?$"},
            ]
        }
    ),
]
"""Written as text, since many programs read a JSON number as a binary fraction."""
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
ChannelField = Annotated[
    domain.Channel,
    Field(
        description="How the grade reaches the tool: `mirror` is a column that the LMS calculates from its "
        "own activities, `attest` one that a teacher fills in."
    ),
]
PurposeField = Annotated[
    domain.Purpose, Field(description="Whether the assessment accompanies learning or closes it.")
]


KIND = Field(description="Which kind of rule this is.")


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreRule(_Stored):
    """One score is high enough."""

    type: Annotated[Literal["score"], KIND]
    key: Key
    label: Label
    at_least: Annotated[
        Number, Field(description="More than 0, at most 100 percent or 100000 points, at most 8 decimals.")
    ]
    unit: Annotated[domain.Unit, Field(description="What `at_least` counts.")] = domain.Unit.PERCENT
    channel: ChannelField = domain.Channel.MIRROR
    purpose: PurposeField = domain.Purpose.SUMMATIVE


class MeanTerm(_Stored):
    """One assessment of a mean."""

    key: Key
    label: Label
    weight: Annotated[
        Number,
        Field(
            description="More than 0, at most 1000, at most 8 decimals; only the proportion to the other "
            "weights counts."
        ),
    ] = Decimal(1)
    channel: ChannelField = domain.Channel.MIRROR
    purpose: PurposeField = domain.Purpose.SUMMATIVE


class MeanRule(_Stored):
    """The weighted mean of several scores, each in percent, is high enough; all of them must be graded."""

    type: Annotated[Literal["mean"], KIND]
    key: Key
    label: Label
    at_least: Annotated[Number, Field(description="Percent: more than 0, at most 100, at most 8 decimals.")]
    terms: Annotated[
        list[MeanTerm],
        Field(
            description="The assessments, each once.",
            json_schema_extra={"minItems": 1, "maxItems": MAXIMUM_LEAVES},
        ),
    ]


class GateRule(_Stored):
    """The LMS let the learner through a gate: a link of the tool behind the LMS's own access restrictions."""

    type: Annotated[Literal["gate"], KIND]
    key: Key
    label: Label


class AttestedRule(_Stored):
    """Somebody who teaches gave their word for it, in the tool or in the gradebook."""

    type: Annotated[Literal["attested"], KIND]
    key: Key
    label: Label


class EvidenceRule(_Stored):
    """The learner handed something in and somebody who teaches accepted it."""

    type: Annotated[Literal["evidence"], KIND]
    key: Key
    label: Label
    instructions: Annotated[
        str,
        Field(
            max_length=MAXIMUM_INSTRUCTIONS,
            pattern=_PROSE,
            description="What the learner is asked to hand in.",
        ),
    ] = ""
    checklist: Annotated[
        list[Annotated[str, Field(max_length=MAXIMUM_CHECKLIST_LINE, pattern=_PRINTABLE)]],
        Field(
            max_length=MAXIMUM_CHECKLIST,
            description="What those who judge it look for, one thing each.",
            json_schema_extra={"uniqueItems": True},
        ),
    ] = []
    accepts: Annotated[
        list[domain.EvidenceKind],
        Field(
            description="What may be handed in.",
            json_schema_extra={"minItems": 1, "uniqueItems": True},
        ),
    ] = list(domain.EvidenceKind)


class CompletedRule(_Stored):
    """The learner completed another micromodule of the organisation, in any version and course."""

    type: Annotated[Literal["completed"], KIND]
    micromodule_id: RecordId
    label: Label


class HoldsRule(_Stored):
    """The learner holds a badge of the organisation, in any version."""

    type: Annotated[Literal["holds"], KIND]
    achievement_id: RecordId
    label: Label


class MicromodulesRule(_Stored):
    """The learner completed so many micromodules of a set, each counted once; in milestones only.

    The set is the list, the category, or, where neither is named, the whole organisation.
    """

    type: Annotated[Literal["micromodules"], KIND]
    label: Label
    count: Annotated[
        int | None,
        Field(
            strict=True,
            description="How many; without it all that are offered at the time of the decision.",
            json_schema_extra={"minimum": 1, "maximum": MAXIMUM_COUNT},
        ),
    ] = None
    micromodule_ids: Annotated[
        list[RecordId],
        Field(
            description="The micromodules of a list.",
            json_schema_extra={"maxItems": MAXIMUM_LEAVES, "uniqueItems": True},
        ),
    ] = []
    category_id: Annotated[RecordId | None, Field(description="The category of which all count.")] = None


Parts = Annotated[
    "list[Rule]",
    Field(
        description="The parts.",
        json_schema_extra={"minItems": 1, "maxItems": MAXIMUM_LEAVES},
    ),
]


class AllRule(_Stored):
    """Every part is met."""

    type: Annotated[Literal["all"], KIND]
    of: Parts


class AnyRule(_Stored):
    """One part or more is met."""

    type: Annotated[Literal["any"], KIND]
    of: Parts


class AtLeastRule(_Stored):
    """So many parts or more are met."""

    type: Annotated[Literal["at_least"], KIND]
    count: Annotated[
        int,
        Field(
            strict=True,
            description="How many: 1 up to the number of the parts.",
            json_schema_extra={"minimum": 1},
        ),
    ]
    of: Parts


class WithinRule(_Stored):
    """What the rule asks counts only if it happened in this time; one end may stay open."""

    type: Annotated[Literal["within"], KIND]
    starts_at: Annotated[Moment | None, Field(description="The first moment that counts.")] = None
    ends_at: Annotated[Moment | None, Field(description="The last moment that counts.")] = None
    rule: Annotated[Rule, Field(description="What has to happen in this time.")]


Rule = Annotated[
    ScoreRule
    | MeanRule
    | GateRule
    | AttestedRule
    | EvidenceRule
    | CompletedRule
    | HoldsRule
    | MicromodulesRule
    | AllRule
    | AnyRule
    | AtLeastRule
    | WithinRule,
    Field(discriminator="type"),
]


class Criteria(_Stored):
    """What earns the badge of a micromodule: a tree of rules."""

    version: Annotated[Literal[2], BeforeValidator(_whole), Field(description="The version of this format.")]
    rule: Annotated[Rule, Field(description="The whole of what is asked.")]


class CriteriaOfVersion1(_Stored):
    """The format before there were other rules than scores; read for ever, no longer written."""

    version: Annotated[Literal[1], BeforeValidator(_whole)]
    rule: Rule


@cache
def criteria_schema(base_url: str) -> dict[str, Any]:
    """The shape of what ``lti_tool.services.criteria_format.dump_criteria`` writes, as JSON Schema 2020-12.

    That a key has one meaning, dates follow each other and a count is at most the number of parts is beyond
    a schema: ``parse_criteria`` knows that.

    :param base_url: where the schema is published, for its ``$id``.
    """
    schema = _tidy(Criteria.model_json_schema())
    kinds = TypeAdapter(Rule).json_schema()["oneOf"]
    schema["$defs"]["Rule"] = {
        "title": "Rule",
        "description": "Any rule, told by its `type`.",
        "oneOf": kinds,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{base_url}{SCHEMA_PATH}",
        **schema,
        "title": f"Criteria of a micromodule, version {VERSION}",
    }


def _tidy(schema: Any) -> Any:
    """As pydantic writes it, but with the choice of rules in one place, where it is named."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "discriminator" in schema:
        told = {key: value for key, value in schema.items() if key in ("title", "description", "default")}
        return {"$ref": "#/$defs/Rule", **told}
    return {key: _tidy(value) for key, value in schema.items()}
