"""Learners by criteria: who is how far, in one placement, page by page or as one file.

Of a published placement the database sorts and filters, by the decisions it stored last; the rows of the
page that is shown are decided anew, from the facts of this moment. A draft has no decisions: there
everybody is decided about for each page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lti_tool.domain.awarding import COUNTED_WITH, Decision, Exclusion, Standing, Verdict, standing_of
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import Criterion, Finding, State, leaves
from lti_tool.domain.freshness import Freshness
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.awarding import Awarding, PlacementDecisions
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.evidence_channels import ChannelView, channels_of
from lti_tool.services.freshness import Ages
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import viewed_course
from lti_tool.store import decisions, groups, placements, wallets
from lti_tool.store import matrix as store
from lti_tool.store.database import Database
from lti_tool.store.groups import GroupRow
from lti_tool.store.matrix import LETTERS, Listed, Order, Wanted
from lti_tool.store.placements import PlacementView
from lti_tool.store.wallets import EarnedView

PER_PAGE: Final = 50
AT_ONCE: Final = 250
"""Learners of a file that are decided about together."""
NAME_LENGTH: Final = 200

__all__ = ["Matrix", "MatrixFile", "MatrixRow", "MatrixView", "Order", "Wanted"]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One learner: the badge, and each criterion."""

    learner_id: str
    name: str | None
    sub: str
    verdict: Verdict
    state: State
    exclusion: Exclusion | None
    findings: tuple[Finding, ...]
    """One for each criterion, in the order of the columns."""
    awarded_at: datetime | None
    is_revoked: bool
    badge_state: BadgeState | None = None
    """What the badge is worth at the moment of asking; null without one."""

    @property
    def met(self) -> int:
        """How many criteria are met."""
        return sum(finding.state is State.MET for finding in self.findings)


@dataclass(frozen=True, slots=True)
class MatrixView:
    """One page."""

    placement_id: str
    name: str
    status: str
    has_badge: bool
    channels: tuple[ChannelView, ...]
    """One for each criterion: the columns."""
    rows: tuple[MatrixRow, ...]
    wanted: Wanted
    """What was asked for, as far as it can be."""
    page: int
    pages: int
    found: int
    """Learners who are meant, on all pages."""
    learners: int
    """Learners of the course."""
    roster_read_at: datetime | None
    roster_is_complete: bool
    roster_trouble: ErrorCode | None
    freshness: Freshness | None
    """Of the roster and the columns, by the oldest of them."""
    groups: tuple[GroupRow, ...] = ()
    """Of the course, where its platform tells them."""


@dataclass(frozen=True, slots=True)
class MatrixFile:
    """Everybody, for a file: the columns at once, the rows as they are asked for."""

    name: str
    channels: tuple[ChannelView, ...]
    rows: Iterator[MatrixRow]


@dataclass(frozen=True)
class Matrix:
    """Reads who is how far in one placement of the course that a session is in."""

    database: Database
    awarding: Awarding
    ages: Ages

    def page(
        self,
        session: SessionView,
        placement_id: str,
        wanted: Wanted,
        *,
        page: int = 1,
        per_page: int = PER_PAGE,
    ) -> MatrixView:
        """One page of the learners who are meant.

        :param wanted: what of it makes no sense for these criteria is left out.
        :param page: from 1; beyond the last page is the last page.
        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``, also for another course's; ``context_not_found``.
        """
        organisation_id, context_id, placement, criterion = self._placement(session, placement_id)
        count = sum(1 for _ in leaves(criterion))
        wanted = _sensible(wanted, count)
        with self.database.read() as reading:
            course = placements.course(reading, organisation_id, context_id)
            if course is None:
                raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
            gates = store.gates(reading, organisation_id, placement_id)
            own_groups = groups.of_context(reading, organisation_id, context_id)
        if wanted.group_id not in {one.id for one in own_groups}:
            wanted = replace(wanted, group_id=None)
        if placement.status == "draft":
            listed, made, found, total, page = self._of_draft(
                organisation_id, context_id, placement_id, wanted, page, per_page
            )
        else:
            listed, found, total, page = self._of_published(
                organisation_id, context_id, placement_id, wanted, page, per_page
            )
            made = self._decided(organisation_id, context_id, placement_id, listed)
        rows = self._rows(organisation_id, placement, listed, made)
        channels = channels_of(criterion, made.columns, gates)
        read = [at for at in (course.roster_read_at, *(one.read_at for one in channels)) if at is not None]
        return MatrixView(
            placement_id,
            placement.name,
            placement.status,
            placement.achievement_version_id is not None,
            channels,
            rows,
            wanted,
            page,
            _pages(found, per_page),
            found,
            total,
            course.roster_read_at,
            course.roster_is_complete,
            ErrorCode(course.roster_trouble) if course.roster_trouble else None,
            self.ages.of(organisation_id, context_id, min(read, default=None)),
            own_groups,
        )

    def everybody(self, session: SessionView, placement_id: str) -> MatrixFile:
        """Everybody by name, some at a time: a file of a hundred thousand needs no more memory than of ten.

        :raises NotAllowed: as :meth:`page`. :raises NotFound: as :meth:`page`.
        """
        organisation_id, context_id, placement, criterion = self._placement(session, placement_id)
        with self.database.read() as reading:
            gates = store.gates(reading, organisation_id, placement_id)
        made = self._decided(organisation_id, context_id, placement_id, ())
        return MatrixFile(
            placement.name,
            channels_of(criterion, made.columns, gates),
            self._everybody(organisation_id, context_id, placement),
        )

    def _everybody(
        self, organisation_id: str, context_id: str, placement: PlacementView
    ) -> Iterator[MatrixRow]:
        last: Listed | None = None
        while True:
            with self.database.read() as reading:
                listed = store.after(reading, organisation_id, context_id, last, limit=AT_ONCE)
            if not listed:
                return
            made = self._decided(organisation_id, context_id, placement.id, listed)
            yield from self._rows(organisation_id, placement, listed, made)
            last = listed[-1]

    def _placement(
        self, session: SessionView, placement_id: str
    ) -> tuple[str, str, PlacementView, Criterion]:
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            known = placements.placements(reading, organisation_id, context_id, active_only=False)
        for placement in known:
            if placement.id == placement_id and placement.status != "removed":
                return organisation_id, context_id, placement, parse_criteria(placement.criteria)
        raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)

    def _of_published(
        self,
        organisation_id: str,
        context_id: str,
        placement_id: str,
        wanted: Wanted,
        page: int,
        per_page: int,
    ) -> tuple[tuple[Listed, ...], int, int, int]:
        """Who is on a page, how many are meant, how many there are, and which page it is."""
        with self.database.read() as reading:
            total = store.count(reading, organisation_id, context_id, placement_id, Wanted())
            found = (
                store.count(reading, organisation_id, context_id, placement_id, wanted)
                if wanted.is_narrowed
                else total
            )
            page = _nearest(page, found, per_page)
            listed = store.page(
                reading,
                organisation_id,
                context_id,
                placement_id,
                wanted,
                offset=(page - 1) * per_page,
                limit=per_page,
            )
        return listed, found, total, page

    def _of_draft(
        self,
        organisation_id: str,
        context_id: str,
        placement_id: str,
        wanted: Wanted,
        page: int,
        per_page: int,
    ) -> tuple[tuple[Listed, ...], PlacementDecisions, int, int, int]:
        """As :meth:`_of_published`, from decisions that are made for it."""
        made = self.awarding.preview_placement(organisation_id, context_id, placement_id)
        with self.database.read() as reading:
            total = store.count(reading, organisation_id, context_id, placement_id, Wanted())
            named = store.names_by_order(reading, organisation_id, context_id, wanted.name, wanted.group_id)
            revoked = decisions.revoked_learners(reading, organisation_id, placement_id)
        decided = {decision.learner_id: decision for decision in made.decisions}
        stands = {
            id_: standing_of(one.verdict, one.state, is_revoked=id_ in revoked)
            for id_, one in decided.items()
        }
        meant = [
            one
            for one in named
            if one.learner_id in decided
            and _is_meant(decided[one.learner_id], stands[one.learner_id], wanted)
        ]
        if wanted.order is Order.NAME:
            meant = meant[::-1] if wanted.descending else meant
        else:
            # Stable, and ties stay by name in both directions.
            meant.sort(
                key=lambda one: _rank(decided[one.learner_id], stands[one.learner_id], wanted),
                reverse=wanted.descending,
            )
        page = _nearest(page, len(meant), per_page)
        return tuple(meant[(page - 1) * per_page : page * per_page]), made, len(meant), total, page

    def _decided(
        self, organisation_id: str, context_id: str, placement_id: str, listed: Sequence[Listed]
    ) -> PlacementDecisions:
        ids = [one.learner_id for one in listed]
        return self.awarding.preview_placement(organisation_id, context_id, placement_id, ids)

    def _rows(
        self,
        organisation_id: str,
        placement: PlacementView,
        listed: Sequence[Listed],
        made: PlacementDecisions,
    ) -> tuple[MatrixRow, ...]:
        awarded: dict[str, EarnedView] = {}
        version_id = placement.achievement_version_id
        if version_id is not None:
            ids = [one.learner_id for one in listed]
            with self.database.read() as reading:
                awarded = wallets.awards_of_versions(reading, organisation_id, [version_id], ids)[version_id]
        decided = {decision.learner_id: decision for decision in made.decisions}
        now = self.awarding.clock()
        # Who left between two statements has no decision.
        return tuple(
            _row(one, decided[one.learner_id], awarded.get(one.learner_id), now)
            for one in listed
            if one.learner_id in decided
        )


def _row(listed: Listed, decision: Decision, earned: EarnedView | None, now: datetime) -> MatrixRow:
    return MatrixRow(
        listed.learner_id,
        listed.name,
        listed.sub,
        decision.verdict,
        decision.state,
        decision.exclusion,
        tuple(decision.finding.leaves()),
        earned.awarded_at if earned is not None else None,
        earned is not None and earned.revoked_at is not None,
        earned.state(now) if earned is not None else None,
    )


def _sensible(wanted: Wanted, criteria: int) -> Wanted:
    """Without what these criteria do not have."""
    if wanted.order is Order.CRITERION and not 0 <= wanted.order_leaf < criteria:
        wanted = replace(wanted, order=Order.NAME, order_leaf=0, descending=False)
    if wanted.leaf is not None and (not 0 <= wanted.leaf < criteria or wanted.leaf_state not in LETTERS):
        wanted = replace(wanted, leaf=None, leaf_state=None)
    return replace(wanted, name=wanted.name[:NAME_LENGTH])


def _pages(found: int, per_page: int) -> int:
    return max(1, -(-found // per_page))


def _nearest(page: int, found: int, per_page: int) -> int:
    return min(max(1, page), _pages(found, per_page))


def _is_meant(decision: Decision, standing: Standing, wanted: Wanted) -> bool:
    if wanted.standing is not None and standing not in COUNTED_WITH.get(wanted.standing, (wanted.standing,)):
        return False
    return wanted.leaf is None or _state_of(decision, wanted.leaf).value == wanted.leaf_state


def _state_of(decision: Decision, leaf: int) -> State:
    return tuple(decision.finding.leaves())[leaf].state


_STATES = (State.MET, State.NOT_MET, State.UNKNOWN)


def _rank(decision: Decision, standing: Standing, wanted: Wanted) -> int:
    """As the store ranks stored decisions: the best first."""
    if wanted.order is Order.BADGE:
        return tuple(Standing).index(standing)
    if wanted.order is Order.MET:
        return -sum(finding.state is State.MET for finding in decision.finding.leaves())
    return _STATES.index(_state_of(decision, wanted.order_leaf))
