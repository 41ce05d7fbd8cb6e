"""The form that describes a micromodule: read from HTML fields, checked, turned into the domain's words.

Two levels of criteria can be edited: rows, and groups of rows. Whatever was typed survives every round
trip, also when it cannot be used: the form keeps the raw text beside what it means.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from lti_tool.credentials.artwork import MAXIMUM_ALT
from lti_tool.domain import criteria as domain

GROUPS = ("A", "B", "C", "D", "E")
MAXIMUM_ROWS = 30
NAME_LENGTH = 200
DESCRIPTION_LENGTH = 2000
SKILL_LENGTH = 100
MAXIMUM_SKILLS = 20
ALT_LENGTH = MAXIMUM_ALT
LABEL_LENGTH = 200
_BIDI_CONTROLS = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Invisible characters that turn a text around; a badge's name would read otherwise than it is written."""


class FormProblem(StrEnum):
    """What is wrong with one field; the page has one sentence for each."""

    REQUIRED = "required"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    CONTROL_CHARACTER = "control_character"
    UNKNOWN_CHOICE = "unknown_choice"
    LABEL_USED_TWICE = "label_used_twice"
    CONTRAST_TOO_LOW = "contrast_too_low"
    COLOUR_INVALID = "colour_invalid"
    CHARACTERS_NOT_IN_FONT = "characters_not_in_font"
    NAME_TAKEN = "name_taken"
    NOT_A_URL = "not_a_url"
    NOT_AN_ADDRESS = "not_an_address"
    NOT_AN_ORIGIN = "not_an_origin"


@dataclass(frozen=True, slots=True)
class Problem:
    """One field's problem, with the values that its sentence needs."""

    field: str
    code: FormProblem
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CriteriaRow:
    """One line of the criteria table, as typed."""

    label: str = ""
    channel: str = domain.Channel.MIRROR.value
    threshold: str = "60"
    unit: str = domain.Unit.PERCENT.value
    purpose: str = domain.Purpose.SUMMATIVE.value
    group: str = ""


@dataclass(frozen=True, slots=True)
class Combination:
    """How rows, or groups, count together, as typed."""

    kind: str = "all"
    count: str = "1"


@dataclass(frozen=True, slots=True)
class MicromoduleForm:
    """Everything a person typed to describe a micromodule."""

    name: str = ""
    description: str = ""
    skills: str = ""
    combination: Combination = Combination()
    rows: tuple[CriteriaRow, ...] = (CriteriaRow(),)
    groups: Mapping[str, Combination] = dataclasses.field(default_factory=dict)
    shape: str = ""
    icon: str = ""
    background: str = ""
    foreground: str = ""
    text: str = ""
    image_alt: str = ""

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> MicromoduleForm:
        """Read the HTML field names of the page; missing fields are empty, unknown ones are ignored."""
        numbers = sorted(
            {
                int(match[1])
                for name in fields
                if (match := re.fullmatch(r"criteria-([0-9]{1,3})-[a-z]+", name)) is not None
            }
        )
        rows = tuple(
            CriteriaRow(
                **{
                    part: fields.get(f"criteria-{number}-{part}", "").strip()
                    for part in ("label", "channel", "threshold", "unit", "purpose", "group")
                }
            )
            for number in numbers
        )
        used = {row.group for row in rows if row.group in GROUPS}
        return cls(
            name=_line(fields.get("name", "")),
            description=fields.get("description", "").replace("\r\n", "\n").strip(),
            skills=fields.get("skills", "").replace("\r\n", "\n").strip(),
            combination=Combination(
                fields.get("combination", "all"), fields.get("at_least_count", "1").strip()
            ),
            rows=rows or (CriteriaRow(),),
            groups={
                letter: Combination(
                    fields.get(f"group-{letter}-combination", "any"),
                    fields.get(f"group-{letter}-count", "1").strip(),
                )
                for letter in GROUPS
                if letter in used
            },
            **{
                name: _line(fields.get(name, ""))
                for name in ("shape", "icon", "background", "foreground", "text", "image_alt")
            },
        )

    def to_fields(self) -> dict[str, str]:
        """The same form as HTML fields, for a draft; :meth:`from_fields` reads it back."""
        fields = {
            "name": self.name,
            "description": self.description,
            "skills": self.skills,
            "combination": self.combination.kind,
            "at_least_count": self.combination.count,
            "shape": self.shape,
            "icon": self.icon,
            "background": self.background,
            "foreground": self.foreground,
            "text": self.text,
            "image_alt": self.image_alt,
        }
        for number, row in enumerate(self.rows):
            for part in ("label", "channel", "threshold", "unit", "purpose", "group"):
                fields[f"criteria-{number}-{part}"] = getattr(row, part)
        for letter, combination in self.groups.items():
            fields[f"group-{letter}-combination"] = combination.kind
            fields[f"group-{letter}-count"] = combination.count
        return fields

    @property
    def skill_list(self) -> tuple[str, ...]:
        """One skill a line, each once, in the order typed."""
        return tuple(dict.fromkeys(line.strip() for line in self.skills.split("\n") if line.strip()))

    def problems(self) -> tuple[Problem, ...]:
        """Everything that keeps the form from being saved, the picture's colours excepted."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[Problem]:
        yield from text_problems("name", self.name, NAME_LENGTH)
        yield from text_problems("description", self.description, DESCRIPTION_LENGTH)
        yield from text_problems("image_alt", self.image_alt, ALT_LENGTH)
        if len(self.skill_list) > MAXIMUM_SKILLS:
            yield Problem("skills", FormProblem.TOO_MANY, {"limit": MAXIMUM_SKILLS})
        for skill in self.skill_list:
            if len(skill) > SKILL_LENGTH:
                yield Problem("skills", FormProblem.TOO_LONG, {"limit": SKILL_LENGTH})
            elif _is_unprintable(skill):
                yield Problem("skills", FormProblem.CONTROL_CHARACTER)
        if not _sort_alike(self.skill_list):
            yield Problem("skills", FormProblem.CONTROL_CHARACTER)
        if len(self.rows) > MAXIMUM_ROWS:
            yield Problem(f"criteria-{MAXIMUM_ROWS}-label", FormProblem.TOO_MANY, {"limit": MAXIMUM_ROWS})
        channels: dict[str, str] = {}
        for number, row in enumerate(self.rows):
            yield from self._row_problems(number, row)
            if row.label and channels.setdefault(evidence_key(row.label), row.channel) != row.channel:
                # One assessment reaches the tool in one way: two columns of one name confuse everybody.
                yield Problem(f"criteria-{number}-label", FormProblem.LABEL_USED_TWICE)
        members: dict[str, int] = {}
        for row in self.rows:
            members[row.group] = members.get(row.group, 0) + 1
        top = members.get("", 0) + sum(1 for letter in members if letter in GROUPS)
        yield from _combination("combination", "at_least_count", self.combination, top)
        for letter, combination in self.groups.items():
            yield from _combination(
                f"group-{letter}-combination", f"group-{letter}-count", combination, members.get(letter, 0)
            )

    def _row_problems(self, number: int, row: CriteriaRow) -> Iterator[Problem]:
        prefix = f"criteria-{number}"
        yield from text_problems(f"{prefix}-label", row.label, LABEL_LENGTH)
        threshold = parse_number(row.threshold)
        if threshold is None:
            yield Problem(f"{prefix}-threshold", FormProblem.NOT_A_NUMBER)
        elif threshold <= 0 or threshold > (100 if row.unit == domain.Unit.PERCENT else 100_000):
            limit = 100 if row.unit == domain.Unit.PERCENT else 100_000
            yield Problem(f"{prefix}-threshold", FormProblem.OUT_OF_RANGE, {"low": 0, "high": limit})
        for part, choices in (
            ("channel", tuple(domain.Channel)),
            ("unit", tuple(domain.Unit)),
            ("purpose", tuple(domain.Purpose)),
        ):
            if getattr(row, part) not in choices:
                yield Problem(f"{prefix}-{part}", FormProblem.UNKNOWN_CHOICE)
        if row.group and row.group not in GROUPS:
            yield Problem(f"{prefix}-group", FormProblem.UNKNOWN_CHOICE)

    def criterion(self) -> domain.Criterion:
        """What the rows ask for; only for a form without problems.

        A group stands where its first row stands.
        """
        labels: dict[str, str] = {}
        for row in self.rows:
            labels.setdefault(evidence_key(row.label), _line(row.label))
        parts: list[domain.Criterion] = []
        grouped: set[str] = set()
        for row in self.rows:
            if not row.group:
                parts.append(_leaf(row, labels))
            elif row.group not in grouped:
                grouped.add(row.group)
                members = tuple(_leaf(other, labels) for other in self.rows if other.group == row.group)
                parts.append(_combined(self.groups[row.group], members))
        return _combined(self.combination, tuple(parts))

    def artwork(self) -> dict[str, Any]:
        """The composer's choices."""
        return {
            "shape": self.shape,
            "icon": self.icon,
            "background": self.background,
            "foreground": self.foreground,
            "text": self.text,
            "alt": self.image_alt,
        }


def parse_number(text: str) -> Decimal | None:
    """A number as people type it: ``60``, ``62.5``, ``62,5``; ``None`` for anything else."""
    if not re.fullmatch(r"\d{1,9}([.,]\d{1,5})?", text.strip()):
        return None
    try:
        return Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None


def evidence_key(label: str) -> str:
    """The evidence key of an assessment: readable, at most 64 characters, equal for equal labels.

    A label that is more than plain words ("Évaluation", "C++", "C#") ends in a digest of itself, so that two
    such labels do not meet in one column because their readable parts agree; no plain key holds its "_".
    Never empty, which is the key of the award column.
    """
    folded = _line(unicodedata.normalize("NFKC", label).casefold())
    readable = "-".join(re.findall(r"[a-z0-9]+", folded))
    if readable and readable.replace("-", " ") == folded and len(readable) <= 64:
        return readable
    digest = hashlib.sha256(folded.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{readable[:50]}_{digest}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _leaf(row: CriteriaRow, labels: Mapping[str, str]) -> domain.ScoreAtLeast:
    """The rule of one row; rows that name one assessment differently ("Quiz 1", "quiz 1") share a label."""
    threshold = parse_number(row.threshold)
    if threshold is None:
        raise ValueError("a form with problems has no criterion")
    key = evidence_key(row.label)
    return domain.ScoreAtLeast(
        key,
        labels[key],
        threshold,
        domain.Unit(row.unit),
        domain.Channel(row.channel),
        domain.Purpose(row.purpose),
    )


def _combined(combination: Combination, parts: tuple[domain.Criterion, ...]) -> domain.Criterion:
    if combination.kind == "any":
        return domain.AnyOf(parts)
    if combination.kind == "at_least":
        return domain.AtLeast(int(combination.count), parts)
    return domain.AllOf(parts)


def _combination(name: str, count_name: str, combination: Combination, parts: int) -> Iterator[Problem]:
    if combination.kind not in ("all", "any", "at_least"):
        yield Problem(name, FormProblem.UNKNOWN_CHOICE)
    elif combination.kind == "at_least":
        if not re.fullmatch(r"\d{1,3}", combination.count):
            yield Problem(count_name, FormProblem.NOT_A_NUMBER)
        elif not 1 <= int(combination.count) <= parts:
            yield Problem(count_name, FormProblem.OUT_OF_RANGE, {"low": 1, "high": parts})


def text_problems(name: str, value: str, limit: int) -> Iterator[Problem]:
    """What keeps a text from being shown, stored and signed.

    :param limit: characters at most.
    """
    if not value:
        yield Problem(name, FormProblem.REQUIRED)
    elif len(value) > limit:
        yield Problem(name, FormProblem.TOO_LONG, {"limit": limit})
    elif _is_unprintable(value):
        yield Problem(name, FormProblem.CONTROL_CHARACTER)


def _sort_alike(texts: Iterable[str]) -> bool:
    """Whether verifiers agree on the order of these texts; a badge on which they do not is never signed
    (``lti_tool.credentials.linting.lint_order``).
    """
    return sorted(texts) == sorted(texts, key=lambda text: text.encode("utf-16-be", "surrogatepass"))


def _is_unprintable(text: str) -> bool:
    """Whether it shows nothing at all, holds characters that must not be signed, or some that would turn it
    around on other people's pages.
    """
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        return True
    return any(
        (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t")
        or character in _BIDI_CONTROLS
        for character in text
    )
