"""Those who completed a micromodule before it had a badge: who, why, since when, and who gets none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Criterion, Finding
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.retroactive import DateSource, Withheld
from lti_tool.errors import ToolError
from lti_tool.platforms import PLATFORMS
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.services.next_version import Author
from lti_tool.store import retroactive as store
from lti_tool.store.retroactive import CompleterRow


@dataclass(frozen=True, slots=True)
class Completer:
    """Somebody who completed it, with what led to it."""

    row: CompleterRow
    finding: Finding | None
    """Made again from the evidence that was stored then; ``None`` where that is gone or cannot be read."""

    @property
    def source(self) -> DateSource:
        """Where the date of the completion is from."""
        return DateSource.SEEN if self.row.is_seen else DateSource.TOLD

    @property
    def withheld(self) -> Withheld | None:
        """Why they get no badge."""
        return None if self.row.withheld is None else Withheld(self.row.withheld)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many get the badge, and how many do not."""

    awarded: int = 0
    left: int = 0
    """Those among them who have left the course."""
    seen: int = 0
    """Those among them whose date is when the tool saw it."""
    withheld: Mapping[Withheld, int] = field(default_factory=dict)

    @property
    def completed(self) -> int:
        """Everybody."""
        return self.awarded + sum(self.withheld.values())


def sure_products() -> tuple[str, ...]:
    """The products whose rosters call no staff learners."""
    return tuple(name for name, platform in PLATFORMS.items() if platform.roster_tells_staff)


def totals_of(found: Sequence[store.Tally]) -> Totals:
    """The same, as the page counts them."""
    withheld: dict[Withheld, int] = {}
    for one in found:
        if one.withheld is not None:
            reason = Withheld(one.withheld)
            withheld[reason] = withheld.get(reason, 0) + one.people
    given = [one for one in found if one.withheld is None]
    return Totals(
        sum(one.people for one in given),
        sum(one.people for one in given if one.has_left),
        sum(one.people for one in given if one.is_seen),
        {reason: withheld[reason] for reason in Withheld if reason in withheld},
    )


def with_findings(reading: Session, author: Author, rows: Sequence[CompleterRow]) -> tuple[Completer, ...]:
    """What led to each completion, from what was stored then.

    Who teaches one course reads no names of another's learners: of a course that is gone, say.
    """
    organisation_id = author.organisation_id
    if author.context_id is not None:
        rows = [
            row
            if row.context_id == author.context_id
            else replace(row, name=None, user_id="", course=None, decision_id=None)
            for row in rows
        ]
    ids = {row.decision_id for row in rows if row.decision_id is not None}
    stored = store.decisions(reading, organisation_id, ids) if ids else {}
    asked = {
        id_: parse_criteria(criteria)
        for id_, criteria in store.criteria(
            reading, organisation_id, {row.version_id for row in rows}
        ).items()
    }
    return tuple(
        Completer(
            row,
            _finding(asked.get(row.version_id), stored.get(row.decision_id or "")),
        )
        for row in rows
    )


def _finding(criterion: Criterion | None, evidence: Mapping[str, Any] | None) -> Finding | None:
    if criterion is None or evidence is None:
        return None
    try:
        return evaluate(criterion, parse_evidence(evidence))
    except (ToolError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None  # of a version before: the completion stands, its reasons cannot be told any more
