"""The criteria tree: pure, three-valued, and able to explain itself.

A criterion is *met*, *not met* or *not known yet* (Kleene's strong logic). A missing fact gives "not
known yet", never "not met"; a tree with nothing in it is never met; one more fact settles what was open
and changes nothing that was settled. How a tree is judged is ``lti_tool.domain.evaluation``; what makes
one unusable is ``lti_tool.domain.criteria_problems``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from typing import Final, NamedTuple

from lti_tool.domain.evidence import Fact, Score

_HUNDRED = Decimal(100)
THRESHOLD_PLACES = 8
"""As many decimals as a stored grade has; "1e-999999999" would be a gigabyte of zeros once written out."""


class State(StrEnum):
    """What is known about one criterion for one learner."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Unit(StrEnum):
    """What the threshold of a score counts."""

    PERCENT = "percent"
    POINTS = "points"


class Purpose(StrEnum):
    """Whether an assessment accompanies learning or closes it."""

    FORMATIVE = "formative"
    SUMMATIVE = "summative"


class Channel(StrEnum):
    """How the score reaches the tool; the values are the ``tag`` of the column.

    See docs/reference/evidence-columns.md.
    """

    MIRROR = "mirror"
    ATTEST = "attest"


class EvidenceKind(StrEnum):
    """What a learner may hand in."""

    TEXT = "text"
    LINK = "link"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class ScoreAtLeast:
    """A score of at least ``threshold`` in the evidence column ``key``."""

    key: str
    """The evidence key, unique within the micromodule version: which column of the course is meant."""
    label: str
    """What people call the assessment, as the instructor typed it ("Quiz 1")."""
    threshold: Decimal
    unit: Unit = Unit.PERCENT
    channel: Channel = Channel.MIRROR
    purpose: Purpose = Purpose.SUMMATIVE


@dataclass(frozen=True, slots=True)
class Term:
    """One assessment of a weighted mean: a column, like that of :class:`ScoreAtLeast`, and its weight."""

    key: str
    label: str
    weight: Decimal = Decimal(1)
    """More than none; only the proportion to the other weights counts."""
    channel: Channel = Channel.MIRROR
    purpose: Purpose = Purpose.SUMMATIVE


@dataclass(frozen=True, slots=True)
class MeanAtLeast:
    """A weighted mean of at least ``threshold`` percent over several assessments, each taken in percent.

    Not known as long as one of them is not graded: not graded is not zero.
    """

    key: str
    label: str
    terms: tuple[Term, ...]
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class GatePassed:
    """The LMS let the learner through a gate: a link behind its own access restrictions."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Attested:
    """Somebody who teaches gave their word for it, in the tool or in the gradebook."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class EvidenceAccepted:
    """The learner handed something in and somebody who teaches accepted it."""

    key: str
    label: str
    instructions: str = ""
    checklist: tuple[str, ...] = ()
    """What those who judge it look for, one thing each."""
    accepts: tuple[EvidenceKind, ...] = (EvidenceKind.TEXT, EvidenceKind.LINK, EvidenceKind.FILE)


@dataclass(frozen=True, slots=True)
class Completed:
    """The learner completed another micromodule of the organisation, in any version and course."""

    micromodule_id: str
    label: str

    @property
    def key(self) -> str:
        """The evidence key of this fact."""
        return f"completed:{self.micromodule_id}"


@dataclass(frozen=True, slots=True)
class HoldsAchievement:
    """The learner holds a badge of the organisation, in any version."""

    achievement_id: str
    label: str

    @property
    def key(self) -> str:
        """The evidence key of this fact."""
        return f"holds:{self.achievement_id}"


@dataclass(frozen=True, slots=True)
class MicromodulesCompleted:
    """The learner completed so many micromodules of a set, each counted once; only milestones ask this.

    Which micromodules the set has is a fact like their completions (``Evidence.counted``): a category and an
    organisation change. Where all of them are asked for, those count that are offered at the time of the
    decision. An empty set is never met.
    """

    label: str
    """What people call the set: the category's name, the organisation's, or a name for the list."""
    count: int | None = None
    """How many; ``None`` for all of them."""
    micromodule_ids: tuple[str, ...] = ()
    """The set, where it is a list."""
    category_id: str | None = None
    """The set, where it is a category. With neither it is the whole organisation."""

    @property
    def key(self) -> str:
        """The evidence key of this fact: the same for leaves that ask the same."""
        how_many = "all" if self.count is None else str(self.count)
        if self.category_id is not None:
            return f"micromodules:{how_many}:category:{self.category_id}"
        if self.micromodule_ids:
            listed = sha256("\n".join(sorted(self.micromodule_ids)).encode()).hexdigest()
            return f"micromodules:{how_many}:list:{listed[:32]}"
        return f"micromodules:{how_many}:organisation"

    def needed(self, counted: int) -> int:
        """How many have to be completed where the set has ``counted``; never none."""
        return max(1, counted if self.count is None else self.count)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part is met."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part or more is met."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """``count`` parts or more are met."""

    count: int
    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """What ``part`` asks counts only if it happened from ``starts_at`` to ``ends_at``, both included.

    This is asked of every leaf below by itself. Were it asked of a combination's date, an early success
    heard of later could spoil "one of these in March", which was met already.
    """

    part: Criterion
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def parts(self) -> tuple[Criterion, ...]:
        """The one part, for those who walk a tree."""
        return (self.part,)


Leaf = (
    ScoreAtLeast
    | MeanAtLeast
    | GatePassed
    | Attested
    | EvidenceAccepted
    | Completed
    | HoldsAchievement
    | MicromodulesCompleted
)
"""A criterion that asks for a fact."""
FactLeaf = GatePassed | Attested | EvidenceAccepted | Completed | HoldsAchievement
"""A leaf that reads one of ``Evidence.facts``; scores and means read ``Evidence.scores``."""
Combination = AllOf | AnyOf | AtLeast | Within
Criterion = Leaf | Combination

LEAVES: Final = (
    ScoreAtLeast,
    MeanAtLeast,
    GatePassed,
    Attested,
    EvidenceAccepted,
    Completed,
    HoldsAchievement,
    MicromodulesCompleted,
)
"""For ``isinstance``, which takes a tuple faster than a union."""


def leaves(criterion: Criterion) -> Iterator[Leaf]:
    """Every criterion that asks for a fact, from left to right; a mean is one of them, and so is a set."""
    if isinstance(criterion, LEAVES):
        yield criterion
        return
    for part in criterion.parts:
        yield from leaves(part)


class ScoreAsk(NamedTuple):
    """A gradebook column that criteria cannot do without."""

    key: str
    label: str
    channel: Channel
    maximum: Decimal
    """How many points it should have, at least."""


def score_asks(criterion: Criterion) -> tuple[ScoreAsk, ...]:
    """Every column that a criterion asks for, each once, in order of its first appearance.

    A hundred points, so that percent and points read alike, or more where more points are asked for: a
    platform caps a mirrored grade at the column's maximum.
    """
    found: dict[str, ScoreAsk] = {}

    def ask(one: ScoreAtLeast | Term, maximum: Decimal) -> None:
        known = found.setdefault(one.key, ScoreAsk(one.key, one.label, one.channel, maximum))
        if maximum > known.maximum:
            found[one.key] = known._replace(maximum=maximum)

    for leaf in leaves(criterion):
        if isinstance(leaf, ScoreAtLeast):
            ask(leaf, max(_HUNDRED, leaf.threshold) if leaf.unit is Unit.POINTS else _HUNDRED)
        elif isinstance(leaf, MeanAtLeast):
            for term in leaf.terms:
                ask(term, _HUNDRED)
    return tuple(found.values())


def parts_needed(criterion: Combination) -> int:
    """How many parts have to be met; never none, so that nothing is met by asking nothing."""
    if isinstance(criterion, AllOf):
        return max(1, len(criterion.parts))
    if isinstance(criterion, AtLeast):
        return max(1, criterion.count)
    return 1


class Reason(StrEnum):
    """Why a criterion has its state; the page has one sentence for each."""

    SCORE_REACHED = "score_reached"
    SCORE_BELOW = "score_below"
    NO_GRADE_YET = "no_grade_yet"
    COLUMN_NOT_READ_YET = "column_not_read_yet"
    MAXIMUM_MISSING = "maximum_missing"
    GRADED = "graded"
    """Of a mean's term: there is a grade, whatever it is."""
    MEAN_REACHED = "mean_reached"
    MEAN_BELOW = "mean_below"
    GRADES_MISSING = "grades_missing"
    """Of a mean: one or more of its terms have no usable grade."""
    GATE_PASSED = "gate_passed"
    GATE_NOT_PASSED = "gate_not_passed"
    GATE_NOT_READ_YET = "gate_not_read_yet"
    """The gate is not set up, not confirmed, or was never read."""
    ATTESTED = "attested"
    NOT_ATTESTED = "not_attested"
    ATTESTATION_NOT_READ_YET = "attestation_not_read_yet"
    EVIDENCE_ACCEPTED = "evidence_accepted"
    EVIDENCE_MISSING = "evidence_missing"
    """Nothing was handed in."""
    EVIDENCE_SUBMITTED = "evidence_submitted"
    """Handed in and waiting for somebody to judge it."""
    EVIDENCE_RETURNED = "evidence_returned"
    EVIDENCE_NOT_READ_YET = "evidence_not_read_yet"
    COMPLETED = "completed"
    NOT_COMPLETED = "not_completed"
    COMPLETION_NOT_READ_YET = "completion_not_read_yet"
    ACHIEVEMENT_HELD = "achievement_held"
    ACHIEVEMENT_NOT_HELD = "achievement_not_held"
    ACHIEVEMENT_NOT_READ_YET = "achievement_not_read_yet"
    ENOUGH_COMPLETED = "enough_completed"
    TOO_FEW_COMPLETED = "too_few_completed"
    COMPLETIONS_UNKNOWN = "completions_unknown"
    """Of a set: which micromodules count, or which of them are completed, is not known."""
    TOO_EARLY = "too_early"
    """It would be met, but happened before the dates that count."""
    TOO_LATE = "too_late"
    DATE_UNKNOWN = "date_unknown"
    """It would be met, but nobody says when it happened."""
    PARTS_MET = "parts_met"
    PARTS_MISSING = "parts_missing"
    PARTS_UNKNOWN = "parts_unknown"
    NOTHING_ASKED = "nothing_asked"


class Finding(NamedTuple):
    """One criterion's state for one learner, with the reason and the facts behind it.

    A tuple rather than a dataclass: a university's course makes a million of these in one pass, and a tuple
    is made several times faster.
    """

    criterion: Criterion | Term
    """What was asked; a :class:`Term` only in the parts of a :class:`MeanAtLeast`."""
    state: State
    """Of a term: met where it is graded, else unknown."""
    reason: Reason
    met_at: datetime | None = None
    """When it was first met as far as the platform tells; only where ``state`` is met."""
    score: Score | None = None
    parts: tuple[Finding, ...] = ()
    """Of a combination its parts, of a mean its terms, of a set of micromodules the completion of each."""
    fact: Fact | None = None
    mean: Decimal | None = None
    """The weighted mean in percent, cut off (not rounded) after as many decimals as a threshold may have,
    so that it is below the threshold exactly where the mean is.
    """

    def leaves(self) -> Iterator[Finding]:
        """The finding of every leaf, from left to right, as :func:`leaves` gives the criteria."""
        if isinstance(self.criterion, LEAVES):
            yield self
            return
        for part in self.parts:
            yield from part.leaves()

    def happened_at(self) -> datetime | None:
        """The date of the fact behind a leaf, as far as it is known, whether or not the leaf is met."""
        if self.score is not None:
            return self.score.graded_at
        if self.fact is not None:
            return self.fact.since
        dates = [part.happened_at() for part in self.parts]
        dated = [at for at in dates if at is not None]
        return max(dated) if dated and len(dated) == len(dates) else None

    def as_of(self) -> datetime | None:
        """When the oldest of the facts behind it was read; nothing where nothing was read."""
        return min(self.readings(), default=None)

    def readings(self) -> Iterator[datetime]:
        """When each of the facts behind it was read."""
        if self.score is not None:
            yield self.score.read_at
        if self.fact is not None and self.fact.read_at is not None:
            yield self.fact.read_at
        yield from chain.from_iterable(part.readings() for part in self.parts)
