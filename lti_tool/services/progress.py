"""What an instructor sees: who is how far, and how each column and the roster are doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lti_tool.domain.awarding import (
    COUNTED_WITH,
    Decision,
    Exclusion,
    Standing,
    Verdict,
    standing_of,
)
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import (
    Attested,
    Channel,
    Criterion,
    EvidenceAccepted,
    Finding,
    GatePassed,
    State,
    leaves,
    score_asks,
)
from lti_tool.domain.freshness import Freshness
from lti_tool.domain.gates import GateState
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.platforms import ColumnGuidance, Platform, TotalOptOut, platform_for
from lti_tool.services.awarding import Awarding, PlacementDecisions
from lti_tool.services.freshness import Ages
from lti_tool.services.launching import SessionView
from lti_tool.services.reviews import SPARED_IS_NEWS
from lti_tool.services.rights import viewed_course
from lti_tool.store import attestations, decisions, gates, placements, reviews, runs, submissions, wallets
from lti_tool.store.database import Database
from lti_tool.store.results import EvidenceColumn
from lti_tool.store.runs import RunView


@dataclass(frozen=True, slots=True)
class ColumnProgress:
    """One evidence column, and what its teacher has to do next."""

    line_item_id: str
    evidence_key: str
    tag: Channel
    label: str
    state: str
    """``not_created``, ``waiting`` (for the first value), ``values`` or ``trouble``."""
    first_value_at: datetime | None
    read_at: datetime | None
    is_complete: bool
    trouble: ErrorCode | None
    guidance: ColumnGuidance | None
    formula_example: str | None
    came_along: bool = False
    """It was found in a copied course, with whatever formula it had."""


@dataclass(frozen=True, slots=True)
class GateProgress:
    """One gate, and whether it is evidence yet."""

    gate_id: str
    evidence_key: str
    label: str
    state: GateState
    listed: int
    """Learners who passed it when it was read last."""
    learners: int
    """Of how many."""
    read_at: datetime | None
    trouble: ErrorCode | None

    @property
    def is_ready(self) -> bool:
        """Confirmed, and nothing to look at."""
        return self.state is GateState.CONFIRMED and self.trouble is None


@dataclass(frozen=True, slots=True)
class AttestedProgress:
    """One rule that those who teach confirm."""

    evidence_key: str
    label: str
    confirmed: int
    """Learners for whom somebody gave their word in the tool."""


@dataclass(frozen=True, slots=True)
class LearnerRow:
    """One learner in the instructor's list."""

    learner_id: str
    name: str | None
    verdict: Verdict
    state: State
    finding: Finding
    exclusion: Exclusion | None
    awarded_at: datetime | None
    credential_id: str | None
    is_revoked: bool
    badge_state: BadgeState | None = None
    """What the badge is worth at the moment of asking; null without one."""


@dataclass(frozen=True, slots=True)
class PlacementProgress:
    """One micromodule of the course."""

    placement_id: str
    badge_link_key: str
    name: str
    description: str
    skills: tuple[str, ...]
    achievement_version_id: str | None
    image_alt: str
    status: str
    criterion: Criterion
    columns: tuple[ColumnProgress, ...]
    counts: Mapping[str, int]
    """``learners``, ``earned``, ``revoked``, ``waiting`` (for proof), ``not_met``, ``unknown``, ``review``
    and ``undecided``. Who is in ``rows`` is counted as the row says; everybody else as was decided last."""
    rows: tuple[LearnerRow, ...]
    gates: tuple[GateProgress, ...] = ()
    attested: tuple[AttestedProgress, ...] = ()
    takes_evidence: bool = False
    """Whether learners hand something in for it."""
    submissions_waiting: int = 0
    """How many of those nobody has looked at."""

    @property
    def is_draft(self) -> bool:
        """Set up and simulated, but nothing is awarded."""
        return self.status == "draft"

    @property
    def needed_columns(self) -> tuple[ColumnProgress, ...]:
        """The columns without which a criterion is not known; one in which people may attest is none."""
        asked = {ask.key for ask in score_asks(self.criterion)}
        return tuple(column for column in self.columns if column.evidence_key in asked)

    @property
    def is_set_up(self) -> bool:
        """Whether every channel has told something, and none is in trouble."""
        return all(column.state == "values" for column in self.needed_columns) and all(
            gate.is_ready for gate in self.gates
        )


@dataclass(frozen=True, slots=True)
class CourseProgressView:
    """The instructor's page."""

    placements: tuple[PlacementProgress, ...]
    roster_read_at: datetime | None
    roster_is_complete: bool
    roster_trouble: ErrorCode | None
    run: RunView | None
    page: int
    pages: int
    learners: int
    freshness: Freshness | None = None
    """Of the roster and the columns, by the oldest of them."""
    total_opt_out: TotalOptOut = TotalOptOut.UNKNOWN
    """How a teacher takes a column out of the course total here."""
    reviews: int = 0
    """Badges whose facts changed since the award, about which nobody has decided."""
    spared: int = 0
    """Badges that were to be revoked lately, and were not: their facts are good again."""


@dataclass(frozen=True)
class CourseProgress:
    """Reads the instructor's page; a page of it costs the same in a course of any size."""

    database: Database
    awarding: Awarding
    ages: Ages

    def view(self, session: SessionView, *, page: int = 1, per_page: int = 50) -> CourseProgressView:
        """The state of every placement of the course, drafts too, and one page of its learners.

        :param page: from 1; beyond the last page is the last page.
        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``context_not_found`` for a launch without a course.
        """
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            course = placements.course(reading, organisation_id, context_id)
            if course is None:
                raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
            total = decisions.count_learners(reading, organisation_id, context_id)
            pages = max(1, -(-total // per_page))
            page = min(max(1, page), pages)
            learners = decisions.learners_of_course(
                reading, organisation_id, context_id, offset=(page - 1) * per_page, limit=per_page
            )
            run = runs.newest(reading, organisation_id, context_id)
            waiting_reviews = reviews.waiting(
                reading, organisation_id, context_id, self.awarding.clock() - SPARED_IS_NEWS
            )
        learner_ids = [learner.learner_id for learner in learners]
        names = {learner.learner_id: learner.name for learner in learners}
        placed = self.awarding.preview(organisation_id, context_id, learner_ids, with_drafts=True)
        ids = [made.placement.id for made in placed]
        version_ids = [made.placement.achievement_version_id for made in placed]
        with self.database.read() as reading:
            # The rows say what would be decided now, which was not decided yet: they count as shown.
            elsewhere = decisions.counts(reading, organisation_id, context_id, ids, apart_from=learner_ids)
            revoked_elsewhere = decisions.counts(
                reading, organisation_id, context_id, ids, apart_from=learner_ids, only_revoked=True
            )
            awards = wallets.awards_of_versions(
                reading, organisation_id, [id_ for id_ in version_ids if id_ is not None], learner_ids
            )
            # Most courses ask for grades alone: what nobody asks for is not looked up.
            asked = {type(leaf) for made in placed for leaf in leaves(made.criterion)}
            gates_of: dict[str, list[gates.GateView]] = {}
            if GatePassed in asked:
                for gate in gates.of_context(reading, organisation_id, context_id):
                    gates_of.setdefault(gate.placement_id, []).append(gate)
            confirmed = (
                attestations.counts(reading, organisation_id, context_id, ids) if Attested in asked else {}
            )
            waiting = (
                submissions.waiting(reading, organisation_id, context_id, ids)
                if EvidenceAccepted in asked
                else {}
            )
        platform = platform_for(course.product)
        shown = []
        for made in placed:
            placement = made.placement
            awarded = awards.get(placement.achievement_version_id or "", {})
            now = self.awarding.clock()
            known = {decision.learner_id: _row(decision, names, awarded, now) for decision in made.decisions}
            rows = tuple(known[id_] for id_ in learner_ids if id_ in known)
            # The column's name in the gradebook ends in its badge's; the formula is of the quiz alone.
            called = {key: label for key, label, *_ in score_asks(made.criterion)}
            shown.append(
                PlacementProgress(
                    placement.id,
                    placement.badge_link_key,
                    placement.name,
                    placement.description,
                    placement.skills,
                    placement.achievement_version_id,
                    placement.image_alt,
                    placement.status,
                    made.criterion,
                    tuple(
                        column_progress(
                            column._replace(label=called.get(column.evidence_key, column.label)),
                            platform,
                            course,
                        )
                        for column in made.columns
                    ),
                    _counts(elsewhere[placement.id], revoked_elsewhere[placement.id], rows, total),
                    rows,
                    tuple(_gate(gate) for gate in gates_of.get(placement.id, ())),
                    _attested(made, confirmed),
                    any(isinstance(leaf, EvidenceAccepted) for leaf in leaves(made.criterion)),
                    waiting.get(placement.id, 0),
                )
            )
        return CourseProgressView(
            tuple(shown),
            course.roster_read_at,
            course.roster_is_complete,
            ErrorCode(course.roster_trouble) if course.roster_trouble else None,
            run,
            page,
            pages,
            total,
            self.ages.of(organisation_id, context_id, _oldest(course, shown)),
            platform.total_opt_out,
            waiting_reviews.undecided,
            waiting_reviews.spared,
        )


def _oldest(course: placements.CourseView, shown: list[PlacementProgress]) -> datetime | None:
    columns = (column.read_at for placement in shown for column in placement.columns)
    return min((at for at in (course.roster_read_at, *columns) if at is not None), default=None)


def _gate(gate: gates.GateView) -> GateProgress:
    return GateProgress(
        gate.id,
        gate.evidence_key,
        gate.label,
        gate.state,
        gate.listed,
        gate.learners,
        gate.read_at,
        ErrorCode(gate.trouble) if gate.trouble else None,
    )


def _attested(
    made: PlacementDecisions, confirmed: Mapping[tuple[str, str], int]
) -> tuple[AttestedProgress, ...]:
    asked = {leaf.key: leaf for leaf in leaves(made.criterion) if isinstance(leaf, Attested)}
    return tuple(
        AttestedProgress(key, leaf.label, confirmed.get((made.placement.id, key), 0))
        for key, leaf in asked.items()
    )


def column_progress(
    column: EvidenceColumn, platform: Platform, course: placements.CourseView
) -> ColumnProgress:
    """A column with the links that lead a teacher straight to it."""
    state = "values" if column.first_value_at is not None else "waiting"
    if column.url is None:
        state = "not_created"
    elif column.trouble is not None:
        state = "trouble"
    is_mirror = column.tag == Channel.MIRROR
    guidance = (
        platform.column_guidance(course.issuer, course.id_on_platform, column.url)
        if column.url is not None
        else None
    )
    formula = (
        platform.formula_for([platform.suggested_id_number(column.label)])
        if is_mirror and platform.supports_mirror
        else None
    )
    return ColumnProgress(
        column.id,
        column.evidence_key,
        Channel(column.tag),
        column.label,
        state,
        column.first_value_at,
        column.read_at,
        column.is_complete,
        ErrorCode(column.trouble) if column.trouble else None,
        guidance,
        formula,
        column.adopted_at is not None,
    )


def _row(
    decision: Decision,
    names: Mapping[str, str | None],
    awards: Mapping[str, wallets.EarnedView],
    now: datetime,
) -> LearnerRow:
    award = awards.get(decision.learner_id)
    return LearnerRow(
        decision.learner_id,
        names.get(decision.learner_id),
        decision.verdict,
        decision.state,
        decision.finding,
        decision.exclusion,
        award.awarded_at if award else None,
        award.credential_id if award and award.is_signed else None,
        award is not None and award.revoked_at is not None,
        award.state(now) if award is not None else None,
    )


def _counts(
    elsewhere: Mapping[tuple[str, str], int],
    revoked_elsewhere: Mapping[tuple[str, str], int],
    rows: Iterable[LearnerRow],
    learners: int,
) -> dict[str, int]:
    """
    :param elsewhere: those who are not in ``rows``, by verdict and state.
    :param revoked_elsewhere: those of them whose badge was revoked.
    """
    counted: Counter[Standing] = Counter()
    for (verdict, state), number in elsewhere.items():
        counted[standing_of(Verdict(verdict), State(state))] += number
    for (verdict, state), number in revoked_elsewhere.items():
        counted[standing_of(Verdict(verdict), State(state))] -= number
        counted[Standing.REVOKED] += number
    for row in rows:
        counted[standing_of(row.verdict, row.state, is_revoked=row.is_revoked)] += 1
    return {
        "learners": learners,
        "earned": sum(counted[one] for one in COUNTED_WITH[Standing.EARNED]),
        "revoked": counted[Standing.REVOKED],
        "waiting": counted[Standing.WAITING],
        "review": counted[Standing.REVIEW],
        "not_met": counted[Standing.NOT_YET],
        "unknown": counted[Standing.NO_DATA],
        "undecided": max(0, learners - counted.total()),
    }
