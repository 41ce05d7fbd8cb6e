"""Criteria as a person edits them: rows, and groups of rows that may stand inside each other.

What was typed is kept as typed, also where it means nothing. What it means is for
``lti_tool.services.criteria_tree`` to say, what is wrong with it for ``lti_tool.services.criteria_checks``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum

from lti_tool.domain import criteria as domain
from lti_tool.domain.criteria_problems import MAXIMUM_LEAVES

GROUPS = tuple(string.ascii_uppercase)
MAXIMUM_ROWS = MAXIMUM_LEAVES
LABEL_LENGTH = 200
LAST_SECOND = time(23, 59, 59)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?")
_YEARS = (2000, 2200)


class RowKind(StrEnum):
    """What one row asks for; the values are what the page posts."""

    SCORE = "score"
    GATE = "gate"
    ATTESTED = "attested"
    EVIDENCE = "evidence"
    COMPLETED = "completed"
    HOLDS = "holds"
    MEAN = "mean"


SCORE_PARTS = ("label", "channel", "threshold", "unit", "purpose", "group")
"""Always written, also where they are empty; all other parts only where they say something."""
_LINES = ("instructions", "checklist", "terms")


@dataclass(frozen=True, slots=True)
class CriteriaRow:
    """One rule, as typed; which parts count follows from ``kind``."""

    label: str = ""
    channel: str = domain.Channel.MIRROR.value
    threshold: str = "60"
    unit: str = domain.Unit.PERCENT.value
    purpose: str = domain.Purpose.SUMMATIVE.value
    group: str = ""
    kind: str = RowKind.SCORE.value
    recipe: str = ""
    """Which recipe made it, so that its page keeps saying what to do in the LMS."""
    instructions: str = ""
    """What the learner is asked to hand in."""
    checklist: str = ""
    """What the instructor looks at, one item on each line."""
    text: str = ""
    """``on`` where a text is accepted as evidence; ``link`` and ``file`` likewise."""
    link: str = ""
    file: str = ""
    choice: str = ""
    """Id of the micromodule or achievement that is asked for."""
    terms: str = ""
    """The assessments of a mean, one on each line: ``Quiz 1; 40``."""
    after: str = ""
    """Not before this date or date and time, UTC."""
    before: str = ""

    @property
    def accepts(self) -> tuple[domain.EvidenceKind, ...]:
        """The kinds of evidence that are ticked."""
        return tuple(kind for kind in domain.EvidenceKind if getattr(self, kind.value) == "on")

    @property
    def checklist_items(self) -> tuple[str, ...]:
        """One item a line, each once, in the order typed."""
        return tuple(dict.fromkeys(one_line(line) for line in self.checklist.split("\n") if line.strip()))

    @property
    def is_untouched(self) -> bool:
        """Whether this is the empty row that a form begins with, however grades are read there."""
        return replace(self, channel=domain.Channel.MIRROR.value) == CriteriaRow()


@dataclass(frozen=True, slots=True)
class Combination:
    """How rows, or groups, count together, as typed."""

    kind: str = "all"
    count: str = "1"
    parent: str = ""
    """Letter of the group in which this group stands; empty for the whole."""
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rows, groups by letter, and how everything that is in no group counts together."""

    rows: tuple[CriteriaRow, ...] = (CriteriaRow(),)
    groups: Mapping[str, Combination] = field(default_factory=dict)
    combination: Combination = field(default_factory=Combination)

    @property
    def counted(self) -> tuple[tuple[int, CriteriaRow], ...]:
        """The rows by number, without those that nobody touched, if there is any other."""
        touched = tuple((number, row) for number, row in enumerate(self.rows) if not row.is_untouched)
        return touched or tuple(enumerate(self.rows[:1]))


# -- HTML fields


def read_rows(posted: Mapping[str, str]) -> Rules:
    """Read the HTML field names of the page; what is missing is empty, numbers with gaps close up."""
    numbers = sorted(
        {
            int(match[1])
            for name in posted
            if (match := re.fullmatch(r"criteria-([0-9]{1,3})-[a-z]+", name)) is not None
        }
    )
    rows = tuple(_read_row(posted, number) for number in numbers)
    return Rules(
        rows or (CriteriaRow(),),
        _read_groups(posted, {row.group for row in rows}),
        Combination(posted.get("combination", "all"), posted.get("at_least_count", "1").strip()),
    )


def _read_row(posted: Mapping[str, str], number: int) -> CriteriaRow:
    values = {}
    for part in (each.name for each in fields(CriteriaRow)):
        value = posted.get(f"criteria-{number}-{part}", "")
        values[part] = (value.replace("\r\n", "\n") if part in _LINES else value).strip()
    return CriteriaRow(**values | {"kind": values["kind"] or RowKind.SCORE.value})


def _read_groups(posted: Mapping[str, str], letters: Iterable[str]) -> dict[str, Combination]:
    """The groups that rows stand in, and those in which these stand."""
    found: dict[str, Combination] = {}
    waiting = [letter for letter in letters if letter in GROUPS]
    while waiting:
        letter = waiting.pop()
        if letter in found:
            continue
        found[letter] = Combination(
            posted.get(f"group-{letter}-combination", "any"),
            posted.get(f"group-{letter}-count", "1").strip(),
            *(posted.get(f"group-{letter}-{part}", "").strip() for part in ("parent", "after", "before")),
        )
        if found[letter].parent in GROUPS:
            waiting.append(found[letter].parent)
    return dict(sorted(found.items()))


def write_rows(rules: Rules) -> dict[str, str]:
    """The same as HTML fields; :func:`read_rows` reads them back."""
    written = {"combination": rules.combination.kind, "at_least_count": rules.combination.count}
    for number, row in enumerate(rules.rows):
        for part in (each.name for each in fields(CriteriaRow)):
            value: str = getattr(row, part)
            if part in SCORE_PARTS or (value and (part, value) != ("kind", RowKind.SCORE)):
                written[f"criteria-{number}-{part}"] = value
    for letter, combination in rules.groups.items():
        written[f"group-{letter}-combination"] = combination.kind
        written[f"group-{letter}-count"] = combination.count
        for part in ("parent", "after", "before"):
            if getattr(combination, part):
                written[f"group-{letter}-{part}"] = getattr(combination, part)
    return written


def ancestors(groups: Mapping[str, Combination], letter: str) -> tuple[str, ...]:
    """The groups in which a group stands, the nearest first; holds ``letter`` itself where they go round."""
    found: list[str] = []
    while letter in groups and (letter := groups[letter].parent) and letter not in found:
        found.append(letter)
    return tuple(found)


# -- texts


def parse_number(text: str) -> Decimal | None:
    """A number as people type it: ``60``, ``62.5``, ``62,5``; ``None`` for anything else."""
    if not re.fullmatch(r"\d{1,9}([.,]\d{1,8})?", text.strip()):
        return None
    return Decimal(text.strip().replace(",", "."))


def parse_moment(text: str, *, is_end: bool = False) -> datetime | None:
    """A date, or a date and time, UTC unless it says otherwise; ``None`` for anything else.

    :param is_end: a date alone means its last second, not its first.
    """
    try:
        if _DATE.fullmatch(text):
            at = datetime.combine(date.fromisoformat(text), LAST_SECOND if is_end else time.min, UTC)
        elif _MOMENT.fullmatch(text):
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return at if _YEARS[0] <= at.year < _YEARS[1] else None


def terms_of(text: str) -> Iterator[tuple[str, Decimal | None]]:
    """(label, weight) of each line of a mean; no weight where a line has none that is a number."""
    for line in text.split("\n"):
        if line.strip():
            label, _semicolon, weight = line.rpartition(";")
            yield (one_line(label), parse_number(weight)) if label else (one_line(line), None)


def one_line(text: str) -> str:
    """Blanks of every kind, line ends among them, as single spaces."""
    return " ".join(text.split())


def plain(number: Decimal) -> str:
    """A number as :func:`parse_number` reads it, without trailing zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
