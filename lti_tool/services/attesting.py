"""Attesting: somebody who teaches gives their word that a learner did something, or takes it back.

The word is kept with its reason beside the learner, and goes with the learner's data; the audit trail keeps
who gave it to whom and when. A badge that was earned by it stays when it is taken back, as every badge does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from lti_tool.domain.criteria import Attested, Channel, leaves
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.platforms import TotalOptOut, platform_for
from lti_tool.services.columns import Columns
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.form_problems import FormProblem, Problem, text_problems
from lti_tool.services.launching import SessionView
from lti_tool.services.overview import Page
from lti_tool.services.progress import ColumnProgress
from lti_tool.services.publishing import DecidingPort
from lti_tool.store import attestations, audit, placements
from lti_tool.store.attestations import AttestedRow, AttestedRule, LearnerFilter
from lti_tool.store.database import Database

REASON_LENGTH: Final = 500
MOST_AT_ONCE: Final = 200
"""Learners of one form; a page of the list has fewer."""


@dataclass(frozen=True, slots=True)
class AttestList:
    """The page on which learners are attested."""

    placement: placements.PlacementView
    rule: Attested
    page: Page[AttestedRow]
    wanted: LearnerFilter
    learners: int
    """In the course."""
    confirmed: int
    column: ColumnProgress | None
    """In the gradebook; null where nobody asked for one."""
    total_opt_out: TotalOptOut
    """How a teacher takes a column out of the course total here."""


@dataclass(frozen=True)
class Attesting:
    """Attests learners of the course that a session is in."""

    database: Database
    clock: Callable[[], datetime]
    columns: Columns
    deciding: DecidingPort

    def learners(
        self,
        session: SessionView,
        placement_id: str,
        key: str,
        wanted: LearnerFilter,
        *,
        page: int = 1,
        per_page: int = 50,
    ) -> AttestList:
        """The learners of the course with what is attested of them; costs the same in a course of any size.

        :param page: from 1; beyond the last page is the last page.
        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``; ``evidence_not_found`` for a rule that nobody attests.
        """
        placement, rule = self._rule(session, placement_id, key)
        of = _stored(placement, rule)
        with self.database.read() as reading:
            learners = attestations.count(reading, of, LearnerFilter())
            confirmed = attestations.count(reading, of, LearnerFilter(state=attestations.CONFIRMED))
            is_narrowed = wanted != LearnerFilter()
            total = attestations.count(reading, of, wanted) if is_narrowed else learners
            pages = max(1, -(-total // per_page))
            number = min(max(1, page), pages)
            rows = attestations.page(reading, of, wanted, offset=(number - 1) * per_page, limit=per_page)
        states = self.columns.column_states(session.organisation_id, placement_id)
        column = next((one for one in states if one.evidence_key == key and one.tag is Channel.ATTEST), None)
        return AttestList(
            placement,
            rule,
            Page(rows, number, pages, total),
            wanted,
            learners,
            confirmed,
            column,
            platform_for(session.product).total_opt_out,
        )

    def attest(
        self,
        session: SessionView,
        placement_id: str,
        key: str,
        learner_ids: Sequence[str],
        reason: str,
        *,
        is_attested: bool = True,
    ) -> int:
        """Give one's word for some learners with one reason for all, or take it back; then decide.

        Of a draft it is kept, and counts when the draft is published. Somebody for whom it stands already
        is left alone.

        :returns: for how many something changed.
        :raises NotAllowed: unless the person may see everybody's progress and is not acting as somebody
            else; also for oneself.
        :raises NotFound: ``placement_not_found``, ``evidence_not_found``; ``learner_not_found`` if one of
            them does not learn in this course: then nothing is done for the others either.
        :raises RequestInvalid: FORM_INVALID, with problems: ``learner_id``, ``reason``.
        """
        placement, rule = self._rule(session, placement_id, key)
        if session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "acting as somebody else")
        wanted = sorted(set(learner_ids))
        if session.learner_id in wanted:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "nobody attests themselves")
        reason = " ".join(reason.split())
        _require(wanted, reason)
        of, now = _stored(placement, rule), self.clock()
        with self.database.write() as writing:
            placements.lock(writing, session.organisation_id, placement_id)
            if len(attestations.attestable(writing, of, wanted)) != len(wanted):
                raise NotFound(ErrorCode.LEARNER_NOT_FOUND)
            changed = attestations.attest(
                writing,
                of,
                wanted,
                is_attested=is_attested,
                reason=reason,
                by_learner_id=session.learner_id,
                now=now,
            )
            for learner_id in changed:
                audit.record(
                    writing,
                    session.organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="learner.attested" if is_attested else "learner.attestation_withdrawn",
                    subject_kind="learner",
                    subject_id=learner_id,
                    # The reason may name the learner: it stays with them, where it can be erased.
                    detail={"placement_id": placement_id, "evidence_key": key},
                )
        if changed:
            self.deciding.decide(session.organisation_id, placement.context_id, changed, "staff")
        return len(changed)

    def make_column(self, session: SessionView, placement_id: str, key: str) -> None:
        """Make the column of 1 point in which teachers may give their word in the gradebook.

        Repeating it changes nothing; what the platform refuses is told in the column's trouble.

        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: as :meth:`attest`.
        :raises Conflict: somebody else is at it.
        """
        placement, rule = self._rule(session, placement_id, key)
        if not session.can_configure or session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "making a column needs an editing role")
        with self.database.write() as writing:
            placements.add_column(
                writing,
                session.organisation_id,
                placement.context_id,
                placement_id,
                (Channel.ATTEST.value, rule.key, rule.label, Decimal(1)),
                self.clock(),
            )
        self.columns.create_columns(session.organisation_id, placement_id, keys=(rule.key,))

    def _rule(
        self, session: SessionView, placement_id: str, key: str
    ) -> tuple[placements.PlacementView, Attested]:
        if not session.can_view_progress:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "no right to see progress")
        placement = own_placement(self.database, session, placement_id)
        for leaf in leaves(parse_criteria(placement.criteria)):
            if isinstance(leaf, Attested) and leaf.key == key:
                return placement, leaf
        raise NotFound(ErrorCode.EVIDENCE_NOT_FOUND, placement_id)


def own_placement(database: Database, session: SessionView, placement_id: str) -> placements.PlacementView:
    """A placement of the session's own course, published or not.

    :raises NotFound: ``placement_not_found``, also for another course's, and for one that was removed.
    """
    if session.context_id is not None:
        with database.read() as reading:
            found = placements.placements(
                reading, session.organisation_id, session.context_id, active_only=False
            )
        for placement in found:
            if placement.id == placement_id and placement.status != "removed":
                return placement
    raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)


def _stored(placement: placements.PlacementView, rule: Attested) -> AttestedRule:
    return AttestedRule(placement.organisation_id, placement.context_id, placement.id, rule.key)


def _require(learner_ids: Sequence[str], reason: str) -> None:
    problems = [*text_problems("reason", reason, REASON_LENGTH)]
    if not learner_ids:
        problems.append(Problem("learner_id", FormProblem.NOTHING_CHOSEN))
    elif len(learner_ids) > MOST_AT_ONCE:
        problems.append(Problem("learner_id", FormProblem.TOO_MANY, {"limit": MOST_AT_ONCE}))
    if problems:
        raise RequestInvalid(ErrorCode.FORM_INVALID, problems=tuple(problems))
