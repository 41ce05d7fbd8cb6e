"""Writing awards back to the LMS, as scores into the award column of their badge link.

The LMS's own completion follows from the score, so that a badge may open the next activity. And where the
roster cannot tell staff from learners, the score *proves*: an LMS takes one for students only.

What is due is read from the database (:mod:`lti_tool.store.scores`). Before each score a row says that it
is about to be sent; each answer is kept at once. Killed anywhere between, the next worker reads the column
before it sends anything, and finds the score there, or does not. A value that is not the tool's is a
teacher's: it is kept. A score is never lowered and never taken back, also not when a badge is revoked.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from lti_tool import telemetry
from lti_tool.domain.awarding import Proof
from lti_tool.domain.registrations import Site
from lti_tool.domain.scoring import ScoreState, meaning_of, next_try_at, timestamp_after
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector, is_silent
from lti_tool.lti.grades import FullScore, PlatformResult
from lti_tool.platforms import ScoreRefusal
from lti_tool.services import Hints
from lti_tool.services.award_columns import find_or_make
from lti_tool.services.columns import service_access
from lti_tool.services.deciding import AwardingPort, Deciding, IssuingPort
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import configured_course
from lti_tool.store import audit, proofs, rosters, runs, score_standings
from lti_tool.store import scores as store
from lti_tool.store.database import Database
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.scores import AwardColumn, DueScore

log = telemetry.get_logger(__name__)

AT_ONCE: Final = 100
"""Scores of one task; what is left is offered again, so that no course keeps a worker to itself."""
COLUMNS_AT_ONCE: Final = 2
"""Columns of one registration in one process: a slow platform must not take all of a worker."""
RENEWED_AFTER: Final = timedelta(seconds=30)
FEW: Final = 5
"""For so many learners each own result is read; for more the whole column once."""
LEASE_SECONDS: Final = 120.0
"""How long a worker may be silent before another takes its column over; renewed with each score, and while a
long column is read."""
FAILURES: Final = 3
"""Failures in a row, each with an answer, after which a column is left alone: it is not the learners."""
PASSING: Final = timedelta(minutes=10)
LASTING: Final = timedelta(hours=6)
"""How long a column with trouble is left alone: what passes by itself, and what a person has to mend."""
ENROLLED_SINCE: Final = timedelta(days=1)
"""After so long a score for somebody who was no student is tried again: roles change, and no roster tells."""
REST: Final = 60.0
LONGEST_REST: Final = 3600.0
"""Seconds that a platform gets which is too busy: where it does not say for how long, and at most."""
RESTING: Final = frozenset({ErrorCode.PLATFORM_BUSY, ErrorCode.PLATFORM_CALLS_SPENT})
LISTED: Final = 200
"""People that the instructor's page lists at most for each reason."""

REFUSALS: Final[Mapping[ScoreRefusal, ErrorCode]] = {
    ScoreRefusal.NOT_A_STUDENT: ErrorCode.SCORE_NOT_A_STUDENT,
    ScoreRefusal.STALE: ErrorCode.SCORE_STALE,
    ScoreRefusal.LOCKED: ErrorCode.SCORE_LOCKED,
    ScoreRefusal.OTHER: ErrorCode.SCORE_REFUSED,
}


class Room(Protocol):
    """How many calls the schedule may make; :class:`~lti_tool.services.call_budgets.CallBudgets`."""

    def room(self, access: ServiceAccess) -> int: ...


@dataclass(frozen=True, slots=True)
class AwardColumnView:
    """The award column of one badge link, as its instructor sees it."""

    placement_id: str
    state: str
    """``none`` (made with the first badge), ``written`` (it exists), ``trouble``, or ``not_allowed`` (the LMS
    lets the tool write no scores)."""
    trouble: ErrorCode | None
    counts: Mapping[ScoreState, int]
    waiting: tuple[proofs.Doubted, ...]
    """Whose badge waits for a proof that they are learners."""
    refused: tuple[proofs.Doubted, ...]
    """Who gets no badge, since the LMS says that they are no students."""
    given_up: tuple[score_standings.GivenUp, ...]
    """Who has the badge, and whose score the LMS does not take."""


class _Stopped(Exception):
    """Nothing more is to be sent for now.

    :param trouble: why; ``None`` where nothing is wrong.
    :param rest: seconds for which the column is left alone, where the platform asked for rest.
    """

    def __init__(self, trouble: ErrorCode | None, rest: float | None = None) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.rest = rest


@dataclass
class _Work:
    """One task on one column."""

    plan: ContextPlan
    column: AwardColumn
    holder: str
    held_at: datetime
    """When its lease was taken or renewed."""
    access: ServiceAccess = field(init=False)
    read: dict[str, PlatformResult] | None = None
    """What the column said of everybody, where it was read whole."""
    read_at: datetime | None = None
    """When the last reading began: what changed since then is not known."""
    failures: int = 0

    def __post_init__(self) -> None:
        self.access = service_access(self.plan)


class _Turns:
    """Lets so many columns of one platform be written at once; who comes later does not wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: Counter[Site] = Counter()

    @contextmanager
    def turn(self, site: Site) -> Iterator[bool]:
        """Whether there is a turn; it is over at the end."""
        with self._lock:
            is_free = self._at_work[site] < COLUMNS_AT_ONCE
            self._at_work[site] += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._at_work[site] -= is_free


@dataclass(frozen=True)
class Scoring:
    """Writes scores, and proves learners by them or by the word of an instructor."""

    database: Database
    connector: PlatformConnector
    clock: Callable[[], datetime]
    hints: Hints
    awarding: AwardingPort
    issuing: IssuingPort
    budgets: Room | None = None
    _turns: _Turns = field(default_factory=_Turns, compare=False, repr=False)

    # -- what is due

    def columns_due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Ids of the award columns (``line_items``) into which something is to be written."""
        with self.database.read() as session:
            is_lacking = store.lacks_columns(session)
        if is_lacking:
            with self.database.write() as session:
                store.add_missing_columns(session, now)
        since = {"passing": now - PASSING, "lasting": now - LASTING}
        with self.database.read() as session:
            return store.columns_due(session, now, since, limit)

    def offer_due(self, organisation_id: str, context_id: str, learner_id: str | None = None) -> None:
        """Have what a decision made due (for one learner) written soon; called after its commit."""
        now = self.clock()
        with self.database.read() as session:
            is_lacking = store.lacks_columns(session, context_id)
        if is_lacking:
            with self.database.write() as session:
                store.add_missing_columns(session, now, context_id)
        with self.database.read() as session:
            due = store.columns_due_in(session, organisation_id, context_id, now, learner_id)
        for line_item_id in due:
            self.hints.offer("write_scores", line_item_id=line_item_id)

    # -- writing

    def write_scores(self, line_item_id: str) -> None:
        """Write what is due into one award column; a no-op where nothing is, or another worker is at it.

        What the platform does wrong is kept with the column or the learner's score, and raises nothing. Where
        :data:`COLUMNS_AT_ONCE` others of the platform are written, it stays due, and is offered again.
        """
        with self.database.read() as session:
            site = store.site_of(session, line_item_id)
        if site is None:
            return
        with self._turns.turn(site) as is_free:
            if is_free:
                self._write_alone(line_item_id)

    def _write_alone(self, line_item_id: str) -> None:
        holder = uuid.uuid4().hex
        now = self.clock()
        with self.database.write() as session:
            column = store.award_column(session, line_item_id)
            plan = (
                rosters.context_plan(session, column.organisation_id, column.context_id) if column else None
            )
            if column is None or plan is None or not plan.is_approved or not _may_write(plan):
                return
            if column.trouble in store.UNTIL_ASKED or not store.due_scores(session, column, now, 1):
                return
            if not runs.take_lease(session, _lease(column), holder, now, LEASE_SECONDS):
                return
        rest: float | None = None
        try:
            if self._has_room(plan):
                rest = self._write(_Work(plan, column, holder, now))
        finally:
            with self.database.write() as session:
                if rest is None:
                    runs.release_lease(session, _lease(column), holder)
                else:
                    # Nobody, in whichever process, asks before the platform has had its rest.
                    runs.take_lease(session, _lease(column), holder, self.clock(), min(rest, LONGEST_REST))

    def _has_room(self, plan: ContextPlan) -> bool:
        """Whether calls are left; where not, the reconcile pass comes back when there are again."""
        return self.budgets is None or self.budgets.room(service_access(plan)) >= 1

    def _write(self, work: _Work) -> float | None:
        """Do the work; for how many seconds the platform wants to be left alone, if it does."""
        trouble: ErrorCode | None = None
        rest: float | None = None
        is_more = False
        try:
            self._find_column(work)
            is_more = self._write_due(work)
        except _Stopped as stopped:
            trouble, rest = stopped.trouble, stopped.rest
        except PlatformFailed as failure:
            if failure.code in RESTING:
                rest = failure.retry_after or REST
            else:
                trouble = failure.code
        with self.database.write() as session:
            store.record_outcome(session, work.column, trouble and trouble.value, self.clock())
        if trouble is not None:
            log.warning("scores_stopped", line_item_id=work.column.id, trouble=trouble.value)
        elif is_more and rest is None:
            self.hints.offer("write_scores", line_item_id=work.column.id)
        return rest

    def _write_due(self, work: _Work) -> bool:
        """Write some of what is due; whether there may be more."""
        with self.database.read() as session:
            due = store.due_scores(session, work.column, self.clock(), AT_ONCE)
        if len(due) > FEW:
            work.read = self._read_column(work)
        for one in due:
            if not self._has_room(work.plan):
                return False
            self._write_one(work, one)
        return len(due) == AT_ONCE

    def _read_column(self, work: _Work, sub: str | None = None) -> dict[str, PlatformResult]:
        assert work.column.url is not None
        work.read_at = self.clock()
        pages = grades.result_pages(self.connector, work.access, work.column.url, user_id=sub)
        found: dict[str, PlatformResult] = {}
        for page in pages:
            found.update((row.sub, row) for row in page)
            if self.clock() - work.held_at > RENEWED_AFTER:
                with self.database.write() as session:
                    self._renew(session, work)
        if not pages.is_complete:
            # A row that is missing may be a teacher's value: nothing is written over what was not read.
            code = grades.column_trouble(pages) or ErrorCode.PLATFORM_ANSWER_INVALID
            if code in RESTING:
                raise _Stopped(None, (pages.failure and pages.failure.retry_after) or REST)
            raise _Stopped(code)
        return found

    def _renew(self, session: Session, work: _Work) -> None:
        """Stay the one who writes the column.

        :raises _Stopped: somebody took over while this worker slept.
        """
        now = self.clock()
        if not runs.take_lease(session, _lease(work.column), work.holder, now, LEASE_SECONDS):
            raise _Stopped(None)
        work.held_at = now

    def _write_one(self, work: _Work, due: DueScore) -> None:
        if work.read is None:
            found = self._read_column(work, due.sub).get(due.sub)
        else:
            found = work.read.get(due.sub)
        if found is not None:
            state = meaning_of(found.score, found.maximum, was_sent=due.sent_at is not None)
            if state is not None:
                self._settle(work, due, state, due.sent_at)
                return
        self._post(work, due)

    def _post(self, work: _Work, due: DueScore) -> None:
        now = self.clock()
        # Not "now": what a teacher typed since the reading is later, and the platform refuses to put a score
        # over it (AGS §3.4.4).
        sent_at = timestamp_after(due.sent_at, work.read_at or now)
        with self.database.write() as session:
            self._renew(session, work)
            still = store.due_scores(session, work.column, now, 1, due.learner_id)
            if not still:
                return  # revoked, left or become staff since the list was made
            (due,) = still
            store.keep_score(
                session,
                work.column,
                due.learner_id,
                ScoreState.WAITING,
                sent_at=sent_at,
                tried_at=now,
                attempts=due.attempts,
                next_try_at=now + timedelta(seconds=LEASE_SECONDS),
            )
        assert work.column.url is not None
        score = FullScore(due.sub, work.column.score_maximum, sent_at)
        try:
            refusal = grades.post_score(self.connector, work.access, work.column.url, score)
        except PlatformFailed as failure:
            self._put_off(work, due, sent_at, failure)
            return
        work.failures = 0
        if refusal is None:
            self._settle(work, due, ScoreState.WRITTEN, sent_at)
        elif refusal is ScoreRefusal.NOT_A_STUDENT:
            self._settle(work, due, ScoreState.REFUSED, sent_at, ErrorCode.SCORE_NOT_A_STUDENT)
        else:
            self._try_again(work, due, sent_at, REFUSALS[refusal])

    def _put_off(self, work: _Work, due: DueScore, sent_at: datetime, failure: PlatformFailed) -> None:
        """Neither yes nor no: the score may have arrived, and the column is read before the next one.

        An error that was answered is this score's own until it has come :data:`FAILURES` times in a row;
        everything else is the platform's, and no fault of the learner's.
        """
        is_own = not is_silent(failure) and failure.code in (
            ErrorCode.PLATFORM_UNREACHABLE,
            ErrorCode.PLATFORM_ANSWER_INVALID,
        )
        if is_own and work.failures + 1 < FAILURES:
            work.failures += 1
            self._try_again(work, due, sent_at, failure.code)
            return
        now = self.clock()
        with self.database.write() as session:
            store.keep_score(
                session,
                work.column,
                due.learner_id,
                ScoreState.WAITING,
                sent_at=sent_at,
                tried_at=now,
                attempts=due.attempts,
            )
        raise failure

    def _try_again(self, work: _Work, due: DueScore, sent_at: datetime, code: ErrorCode) -> None:
        now = self.clock()
        tries = due.attempts + 1
        again_at = next_try_at(tries, now)
        state = ScoreState.WAITING if again_at is not None else ScoreState.REFUSED
        with self.database.write() as session:
            store.keep_score(
                session,
                work.column,
                due.learner_id,
                state,
                sent_at=sent_at,
                tried_at=now,
                attempts=tries,
                next_try_at=again_at,
                error_code=code,
            )
        telemetry.SCORES.labels(state.value).inc()

    def _settle(
        self,
        work: _Work,
        due: DueScore,
        state: ScoreState,
        sent_at: datetime | None,
        code: ErrorCode | None = None,
    ) -> None:
        """Keep an answer, and in the same transaction what it proves; then decide anew."""
        column, now = work.column, self.clock()
        proof: Proof | None = None
        if state is ScoreState.WRITTEN:
            proof = Proof.SCORE
        elif state is ScoreState.REFUSED and due.is_proof:
            proof = Proof.REFUSED
        with self.database.write() as session:
            store.keep_score(
                session,
                column,
                due.learner_id,
                state,
                sent_at=sent_at,
                tried_at=now,
                attempts=due.attempts,
                next_try_at=now + ENROLLED_SINCE if state is ScoreState.REFUSED else None,
                error_code=code,
            )
            if proof is not None:
                proofs.prove(
                    session,
                    column.organisation_id,
                    column.context_id,
                    [due.learner_id],
                    proof,
                    now,
                    instead_of=(Proof.NONE, Proof.REFUSED),
                )
        telemetry.SCORES.labels(state.value).inc()
        if due.is_proof and proof is not None:
            # Its score is written already: nothing is offered.
            deciding = Deciding(self.awarding, self.issuing)
            deciding.decide(column.organisation_id, column.context_id, [due.learner_id], "score")

    def _find_column(self, work: _Work) -> None:
        """Know the column's address: as found before, or found or made now."""
        if work.column.url is not None:
            return
        found = find_or_make(self.connector, work.access, work.plan, work.column)
        maximum = found.score_maximum if found.score_maximum else store.POINTS
        now = self.clock()
        with self.database.write() as session:
            store.record_found(session, work.column, url=found.url, score_maximum=maximum, now=now)
            again = store.award_column(session, work.column.id)
        if again is None:
            raise _Stopped(None)
        work.column = again

    # -- the instructor's page

    def award_columns(self, session: SessionView) -> dict[str, AwardColumnView]:
        """The award column of each badge link of a course, by placement, and whose badge waits for it.

        :raises NotAllowed: unless the person may see everybody's progress.
        """
        if not session.can_view_progress or session.context_id is None:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "no right to see progress")
        organisation_id, context_id = session.organisation_id, session.context_id
        with self.database.read() as reading:
            plan = rosters.context_plan(reading, organisation_id, context_id)
            columns = store.award_columns(reading, organisation_id, context_id)
            line_item_ids = [column.id for column in columns.values()]
            placement_ids = store.active_placements(reading, organisation_id, context_id)
            counts = score_standings.counts(reading, organisation_id, line_item_ids)
            waiting = proofs.waiting_for_proof(reading, organisation_id, context_id, placement_ids, LISTED)
            refused = proofs.refused_as_staff(reading, organisation_id, context_id, placement_ids, LISTED)
            given_up = score_standings.given_up(reading, organisation_id, line_item_ids, LISTED)
        may_write = plan is not None and _may_write(plan)
        shown = {}
        for placement_id in placement_ids:
            column = columns.get(placement_id)
            shown[placement_id] = AwardColumnView(
                placement_id,
                _state(column, may_write=may_write),
                ErrorCode(column.trouble) if column is not None and column.trouble and may_write else None,
                counts[column.id] if column is not None else {},
                tuple(one for one in waiting if one.placement_id == placement_id),
                tuple(one for one in refused if one.placement_id == placement_id),
                tuple(one for one in given_up if one.placement_id == placement_id and one.has_badge),
            )
        return shown

    def confirm_learners(self, session: SessionView, learner_ids: Collection[str]) -> int:
        """An instructor's word that people are learners of this course; how many it was news about.

        Who was staff of the course, has left it or is not listed as learner in it stays what they are.

        :raises NotAllowed: unless the person may configure the course's badges.
        """
        organisation_id, context_id = configured_course(session)
        now = self.clock()
        with self.database.write() as writing:
            confirmed = proofs.prove(
                writing,
                organisation_id,
                context_id,
                # Nobody vouches for themselves, nor for more people than the page lists.
                [id_ for id_ in dict.fromkeys(learner_ids) if id_ != session.learner_id][:LISTED],
                Proof.STAFF,
                now,
                instead_of=(Proof.NONE, Proof.REFUSED),
            )
            for learner_id in confirmed:
                audit.record(
                    writing,
                    organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="learner.confirmed",
                    subject_kind="learner",
                    subject_id=learner_id,
                    detail={"context_id": context_id},
                )
        Deciding(self.awarding, self.issuing).decide(organisation_id, context_id, confirmed, "staff")
        self.offer_due(organisation_id, context_id)
        return len(confirmed)

    def ask_again(self, session: SessionView, placement_id: str) -> None:
        """Look for the column anew, make it if it is gone, and try again what was given up.

        :raises NotAllowed: as :meth:`confirm_learners`. :raises NotFound: ``placement_not_found``.
        """
        organisation_id, context_id = configured_course(session)
        now = self.clock()
        with self.database.write() as writing:
            store.add_missing_columns(writing, now, context_id)
            column = store.award_columns(writing, organisation_id, context_id).get(placement_id)
            if column is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            store.ask_again(writing, column)
            audit.record(
                writing,
                organisation_id,
                at=now,
                actor=f"{audit.LEARNER}{session.learner_id}",
                action="award_column.asked_again",
                subject_kind="placement",
                subject_id=placement_id,
            )
        self.hints.offer("write_scores", line_item_id=column.id)


def _lease(column: AwardColumn) -> str:
    return f"scores:{column.id}"


def _may_write(plan: ContextPlan) -> bool:
    """Whether the LMS lets the tool read and write scores; what cannot be read is not written over."""
    needed = {grades.SCORE_SCOPE, grades.RESULT_SCOPE}
    return plan.line_items_url is not None and needed <= plan.ags_scopes


def _state(column: AwardColumn | None, *, may_write: bool) -> str:
    if not may_write:
        return "not_allowed"
    if column is None or (column.url is None and column.trouble is None):
        return "none"
    return "trouble" if column.trouble is not None else "written"
