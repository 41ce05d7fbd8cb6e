"""Reading a course from its LMS: the roster and the evidence columns, then what follows from them.

Every read goes the same way: a short plan, the session closed, the LMS asked with no transaction open,
each few pages stored by themselves, decisions last. Being killed anywhere loses nothing but time: what
was stored is true, and what was not done is still owed.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from lti_tool.domain.copies import looks_reset
from lti_tool.domain.freshness import STORM_INTERVAL, SyncOutcome, next_sync_at
from lti_tool.domain.registrations import Site
from lti_tool.domain.turns import DueContext, Turns
from lti_tool.errors import ErrorCode, NotFound, ToolError
from lti_tool.lti import grades
from lti_tool.lti.connector import REST, PlatformConnector
from lti_tool.services import Hints
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.columns import grade_row, read_column, service_access
from lti_tool.services.copying import note_reset
from lti_tool.services.deciding import AwardingPort, Deciding, IssuingPort, ReviewingPort, ScoringPort
from lti_tool.services.gate_reading import read_gate
from lti_tool.services.opening import open_result
from lti_tool.services.own_columns import OwnColumns
from lti_tool.services.roster_reading import read_roster
from lti_tool.store import gates, results, rosters, runs, schedule
from lti_tool.store.database import Database
from lti_tool.store.results import EvidenceColumn, GradeRow
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.runs import RunView, SyncStep
from lti_tool.store.schedule import Arrears

LEASE_SECONDS: Final = 120.0
"""How long a worker may be silent before another takes its context over; renewed with each page."""
AT_ONCE: Final = 3
"""Syncs of one registration at a time in one process: a slow platform must not take all of a worker."""
SLOT_PATIENCE: Final = 2.0
"""Seconds that one more waits for its turn; quick platforms get through everything so."""
WAITED_IN_VAIN: Final = frozenset(
    {ErrorCode.PLATFORM_TIMED_OUT, ErrorCode.PLATFORM_UNREACHABLE, ErrorCode.PLATFORM_BUSY}
)


STOPS_A_VISIT: Final = frozenset(
    {ErrorCode.PLATFORM_TIMED_OUT, ErrorCode.PLATFORM_BUSY, ErrorCode.PLATFORM_CALLS_SPENT}
)


class LearnerSession(Protocol):
    """Whose visit it is; :class:`~lti_tool.services.launching.SessionView`."""

    @property
    def organisation_id(self) -> str: ...
    @property
    def context_id(self) -> str | None: ...
    @property
    def learner_id(self) -> str: ...
    @property
    def is_read_only(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LearnerRefresh:
    """What reading one learner's grades at a visit came to."""

    read: int = 0
    """Columns that answered."""
    columns: int = 0
    troubles: tuple[ErrorCode, ...] = ()
    award_ids: tuple[str, ...] = ()


class _Read(Protocol):
    """How reading a roster, column or gate went."""

    @property
    def was_read(self) -> bool: ...
    @property
    def trouble(self) -> ErrorCode | None: ...
    @property
    def retry_after(self) -> float | None: ...
    @property
    def is_silent(self) -> bool: ...


@dataclass
class _Progress:
    """What one sync has done so far."""

    began_at: datetime
    counts: dict[str, Any] = field(default_factory=dict)
    troubles: list[ErrorCode] = field(default_factory=list)
    retry_after: float | None = None
    reads: int = 0
    good_reads: int = 0
    is_stopped: bool = False
    """The platform as a whole did not answer: the rest of the context is not asked for."""
    graded_at: datetime | None = None
    """When the last grade was given: what nobody launched may be in use all the same."""
    emptied: int = 0
    """Grades that were there before and are gone, of columns that were read whole."""
    graded: int = 0
    """Grades that are there."""
    is_reset: bool = False
    """Nearly everybody vanished from the roster."""

    def note(self, read: _Read) -> None:
        self.reads += 1
        self.good_reads += read.was_read
        self.is_stopped = self.is_stopped or read.is_silent
        if read.trouble is not None:
            self.troubles.append(read.trouble)
        if read.retry_after is not None:
            self.retry_after = max(read.retry_after, self.retry_after or 0.0)


class _Slots:
    """Lets so many syncs of one platform work at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[Site, threading.Semaphore] = {}

    @contextmanager
    def one_of(self, site: Site) -> Iterator[bool]:
        """Whether a slot came free in time; it is given back at the end."""
        with self._lock:
            free = self._free.setdefault(site, threading.Semaphore(AT_ONCE))
        is_taken = free.acquire(timeout=SLOT_PATIENCE)
        try:
            yield is_taken
        finally:
            if is_taken:
                free.release()


@dataclass(frozen=True)
class Syncing:
    """Keeps contexts as fresh as their use asks for and their platform allows."""

    database: Database
    connector: PlatformConnector
    clock: Callable[[], datetime]
    hints: Hints
    awarding: AwardingPort
    issuing: IssuingPort
    budgets: CallBudgets
    scoring: ScoringPort | None = None
    reviewing: ReviewingPort | None = None
    own_columns: OwnColumns | None = None
    _slots: _Slots = field(default_factory=_Slots, compare=False, repr=False)
    _turns: Turns = field(default_factory=Turns, compare=False, repr=False)

    # -- runs

    def start_sync(self, organisation_id: str, context_id: str) -> RunView:
        """Ask for a sync; one that waits or works already is returned instead of a second.

        :raises NotFound: ``context_not_found``, also for a context of another organisation.
        """
        with self.database.write() as session:
            if rosters.context_plan(session, organisation_id, context_id) is None:
                raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
            run, created = runs.open_run(session, organisation_id, context_id, self.clock())
        if created:
            self.hints.offer("sync_context", context_id=context_id, run_id=run.id)
        return run

    def run(self, organisation_id: str, run_id: str) -> RunView:
        """How a sync stands.

        :raises NotFound: also for a run of another organisation.
        """
        with self.database.read() as session:
            run = runs.run(session, organisation_id, run_id)
        if run is None:
            raise NotFound(ErrorCode.NOT_FOUND)
        return run

    def contexts_due(
        self, now: datetime, limit: int, *, within_budget: bool = True
    ) -> tuple[DueContext, ...]:
        """Contexts whose scheduled sync is owed, as their turns come.

        :param within_budget: only as many as their platforms have calls left for.
        """
        with self.database.read() as session:
            products = schedule.products_due(session, now)
        reads = self.budgets.reads(products) if within_budget else dict.fromkeys(products, limit)
        reads = {site: count for site, count in reads.items() if count > 0}
        most = min(limit, max(reads.values(), default=0))
        with self.database.read() as session:
            due = schedule.contexts_due(session, now, reads, most)
        return self._turns.take(due, reads, limit)

    def arrears(self, now: datetime) -> Arrears:
        """How much the schedule owes, whether or not platforms have calls left for it."""
        with self.database.read() as session:
            return schedule.arrears(session, now)

    # -- one context

    def sync_context(self, context_id: str, run_id: str | None = None) -> None:
        """Read a context and decide; a no-op where it is not owed, or another worker is at it.

        Where :data:`AT_ONCE` others of the platform are at work, or its calls are used up, it
        stays owed, and is offered again.
        What the platform does wrong is kept with the roster and the columns, and puts off the next sync;
        it raises nothing.

        :param run_id: the run that people watch; without one the schedule must ask for it.
        :raises NotFound: ``context_not_found``.
        """
        with self.database.read() as session:
            plan = rosters.context_plan_for_job(session, context_id)
        if plan is None:
            raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
        if run_id is None:
            if plan.sync_due_at is None or plan.sync_due_at > self.clock():
                return
            if not self.budgets.room(service_access(plan)):
                return  # it stays owed; what was offered before it has taken what there was
        with self._slots.one_of(service_access(plan).site) as is_free:
            if is_free:
                self._sync_alone(plan, run_id)
            elif run_id is not None:
                # People watch this one: to the end of the queue, not to the next reconcile pass.
                self.hints.offer("sync_context", context_id=context_id, run_id=run_id)

    def _sync_alone(self, plan: ContextPlan, run_id: str | None) -> None:
        now = self.clock()
        holder = uuid.uuid4().hex
        with self.database.write() as session:
            if not runs.take_lease(session, _lease(plan.id), holder, now, LEASE_SECONDS):
                return
            if not self._take(session, plan, run_id, now):
                runs.release_lease(session, _lease(plan.id), holder)
                return
        self._sync(plan, run_id, holder, now)

    def _take(self, session: Any, plan: ContextPlan, run_id: str | None, now: datetime) -> bool:
        until = now + timedelta(seconds=LEASE_SECONDS)
        if run_id is None:
            return schedule.claim_sync(session, plan.organisation_id, plan.id, now, until)
        run = runs.run(session, plan.organisation_id, run_id)
        if (
            run is None
            or run.context_id != plan.id
            or not runs.begin(session, plan.organisation_id, run_id, now)
        ):
            return False
        schedule.schedule_sync(session, plan.organisation_id, plan.id, until)
        return True

    def _sync(self, plan: ContextPlan, run_id: str | None, holder: str, began_at: datetime) -> None:
        progress = _Progress(began_at)
        failure: ToolError | None = None
        try:
            if plan.is_approved:
                self._read(plan, run_id, holder, progress)
                self._decide(plan, run_id, progress)
                if self.own_columns is not None and not progress.is_stopped:
                    self.own_columns.follow(plan)
            else:
                progress.troubles.append(ErrorCode.REGISTRATION_NOT_APPROVED)
        except ToolError as error:
            failure = error
            progress.troubles.insert(0, error.code)
            raise
        except Exception:
            progress.troubles.insert(0, ErrorCode.INTERNAL)
            failure = ToolError(ErrorCode.INTERNAL)
            raise
        finally:
            is_failed = (
                failure is not None
                or not plan.is_approved
                or (progress.reads > 0 and progress.good_reads == 0)
            )
            again = self._close(plan, run_id, holder, progress, is_failed=is_failed)
        if again is not None:
            self.hints.offer("sync_context", context_id=plan.id, run_id=again.id)

    def _read(self, plan: ContextPlan, run_id: str | None, holder: str, progress: _Progress) -> None:
        """Roster, columns and gates, until the platform does not answer.

        What it did not answer for the last time comes last: one roster or column that is never had in time
        must not keep the others unread. Gates are read against the roster, and cost as much as one.
        """
        parts = [self._read_roster, self._read_columns, self._read_gates]
        if plan.roster_trouble in WAITED_IN_VAIN:
            parts.append(parts.pop(0))
        for part in parts:
            if not progress.is_stopped:
                part(plan, run_id, holder, progress)
        if progress.is_reset or looks_reset(progress.emptied, progress.graded):
            note_reset(self.database, plan, self.clock())

    def _close(
        self, plan: ContextPlan, run_id: str | None, holder: str, progress: _Progress, *, is_failed: bool
    ) -> RunView | None:
        """Say what came of it and when the next is: at once where a badge was published meanwhile, about
        which this one may not have decided. That run is returned."""
        now = self.clock()
        again = None
        with self.database.write() as session:
            due_at = None
            launched_at = schedule.last_launched(session, plan.organisation_id, plan.id)
            if plan.is_approved and launched_at is not None:
                # One part's own trouble, such as a deleted column, puts off nothing of what can be read.
                is_failing = is_failed or progress.is_stopped
                troubles = frozenset(progress.troubles)
                if progress.is_stopped:
                    troubles &= WAITED_IN_VAIN
                is_put_off = progress.is_stopped and ErrorCode.PLATFORM_BUSY in progress.troubles
                due_at = next_sync_at(
                    max(launched_at, progress.graded_at or launched_at),
                    now,
                    outcome=SyncOutcome(
                        is_failing and not is_put_off,
                        rosters.unread_since(session, plan, troubles) if is_failing else None,
                        progress.retry_after or (REST if is_put_off else None),
                        is_put_off,
                    ),
                    spread=int(plan.id[:8], 16) / 0x1_0000_0000,
                    took=max(now - progress.began_at, timedelta()),
                )
            schedule.schedule_sync(session, plan.organisation_id, plan.id, due_at)
            if run_id is not None:
                runs.finish(
                    session,
                    plan.organisation_id,
                    run_id,
                    now,
                    progress.counts,
                    error_code=progress.troubles[0].value if progress.troubles else None,
                    is_failed=is_failed,
                )
            if plan.is_approved and schedule.was_published(
                session, plan.organisation_id, plan.id, progress.began_at
            ):
                again, _ = runs.open_run(session, plan.organisation_id, plan.id, now)
            runs.release_lease(session, _lease(plan.id), holder)
        return again

    # -- the roster

    def _read_roster(self, plan: ContextPlan, run_id: str | None, holder: str, progress: _Progress) -> None:
        if plan.memberships_url is None:
            return

        def advance(session: Any, done: int) -> None:
            self._advance(session, plan, run_id, holder, SyncStep.ROSTER, done)

        read = read_roster(self.database, self.connector, self.clock, plan, advance)
        progress.is_reset = read.is_reset
        progress.counts |= read.counts
        progress.note(read)

    # -- the columns

    def _read_columns(self, plan: ContextPlan, run_id: str | None, holder: str, progress: _Progress) -> None:
        with self.database.read() as session:
            columns = results.evidence_columns(session, plan.organisation_id, plan.id)
        created = sorted(
            (column for column in columns if column.url is not None),
            key=lambda column: column.trouble in WAITED_IN_VAIN,
        )
        listed = changed = 0
        for done, column in enumerate(created):

            def advance(session: Any, done: int = done) -> None:
                self._advance(session, plan, run_id, holder, SyncStep.RESULTS, done, len(created))

            with self.database.write() as session:
                advance(session)
            read = read_column(
                self.database,
                self.connector,
                self.clock,
                plan,
                column,
                note_progress=advance,
                room=self.budgets.room,
            )
            listed += read.grades
            changed += read.changed
            progress.note(read)
            if read.is_complete:
                progress.emptied += read.emptied
                progress.graded += read.graded
            if read.graded_at is not None:
                progress.graded_at = max(read.graded_at, progress.graded_at or read.graded_at)
            if progress.is_stopped:
                break
        progress.counts |= {"columns": len(created), "grades": listed, "grades_changed": changed}

    # -- the gates

    def _read_gates(self, plan: ContextPlan, run_id: str | None, holder: str, progress: _Progress) -> None:
        with self.database.read() as session:
            linked = [
                gate
                for gate in gates.of_context(session, plan.organisation_id, plan.id)
                if gate.link_id_on_platform is not None
            ]
        # Longest unread first: where calls are short, each comes to its turn.
        linked.sort(
            key=lambda gate: (
                gate.trouble in WAITED_IN_VAIN,
                gate.read_at is not None,
                gate.read_at or plan.last_launched_at,
            )
        )
        listed = changed = 0
        for done, gate in enumerate(linked):
            if run_id is None and not self.budgets.room(service_access(plan)):
                break
            with self.database.write() as session:
                self._advance(session, plan, run_id, holder, SyncStep.GATES, done, len(linked))
            read = read_gate(self.database, self.connector, self.clock, plan, gate)
            listed += read.listed
            changed += read.changed
            progress.note(read)
            if progress.is_stopped:
                break
        if linked:
            progress.counts |= {"gates": len(linked), "passes": listed, "passes_changed": changed}

    # -- what follows

    def _decide(self, plan: ContextPlan, run_id: str | None, progress: _Progress) -> None:
        if run_id is not None:
            with self.database.write() as session:
                runs.advance(session, plan.organisation_id, run_id, SyncStep.DECISIONS)

        def before_signing(count: int) -> None:
            if run_id is not None:
                with self.database.write() as session:
                    runs.advance(session, plan.organisation_id, run_id, SyncStep.CREDENTIALS, 0, count)

        decided = self._deciding.decide(
            plan.organisation_id, plan.id, None, "sync", before_signing=before_signing
        )
        progress.counts |= {"decided": decided.decided, "awarded": len(decided.award_ids)}
        if decided.refusal is not None:
            raise decided.refusal
        if decided.award_ids:
            progress.counts["issued"] = decided.issued

    @property
    def _deciding(self) -> Deciding:
        return Deciding(self.awarding, self.issuing, self.scoring, self.reviewing)

    def _advance(
        self,
        session: Any,
        plan: ContextPlan,
        run_id: str | None,
        holder: str,
        step: SyncStep,
        done: int,
        total: int | None = None,
    ) -> None:
        runs.take_lease(session, _lease(plan.id), holder, self.clock(), LEASE_SECONDS)
        if run_id is not None:
            runs.advance(session, plan.organisation_id, run_id, step, done, total)

    # -- one learner

    def refresh_learner(self, session: LearnerSession, deadline_seconds: float = 2.0) -> LearnerRefresh:
        """Read the visiting learner's own grades and decide, within a time that a visit can bear.

        One call per column (AGS §3.3.2 ``user_id``), the longest unread first; what cannot be had in time
        stays as it was. Nothing is read while somebody masquerades.
        """
        if session.context_id is None or session.is_read_only:
            return LearnerRefresh()
        organisation_id, context_id = session.organisation_id, session.context_id
        with self.database.read() as reading:
            columns = tuple(
                column
                for column in results.evidence_columns(reading, organisation_id, context_id)
                if column.url is not None
            )
            plan = rosters.context_plan(reading, organisation_id, context_id)
            sub = rosters.learner_sub(reading, organisation_id, session.learner_id)
        if plan is None or sub is None or not plan.is_approved:
            return LearnerRefresh()
        deadline = self.connector.deadline_in(deadline_seconds)
        troubles: list[ErrorCode] = []
        read = 0
        for column in columns:
            trouble = self._read_own(plan, column, sub, deadline)
            if trouble is None:
                read += 1
            elif trouble not in troubles:
                troubles.append(trouble)
            if trouble in STOPS_A_VISIT:
                break  # the others would only meet the same
        if ErrorCode.PLATFORM_CALLS_SPENT in troubles:
            self._read_everybody_instead(plan)
        # Also where nothing could be read: the visit itself may be the proof that a decision waits for.
        decided = self._deciding.decide(organisation_id, context_id, [session.learner_id], "launch")
        return LearnerRefresh(read, len(columns), tuple(troubles), decided.award_ids)

    def hasten(self, organisation_id: str, context_id: str) -> None:
        """Read a course soon, since somebody came whom only a read of all can help.

        At most once a minute; after a read that took longer, its platform has peace for as long. One that
        does not answer is left to the schedule, which waits longer each time.
        """
        with self.database.read() as session:
            plan = rosters.context_plan(session, organisation_id, context_id)
            last_at = gates.last_read_at(session, organisation_id, context_id)
        if plan is None or not plan.is_approved or plan.roster_trouble in WAITED_IN_VAIN:
            return
        peace_until = None
        if last_at is not None and plan.roster_read_at is not None:
            peace_until = last_at + (last_at - plan.roster_read_at)
        if self._read_everybody_instead(plan, peace_until):
            self.hints.offer("sync_context", context_id=context_id)

    def _read_everybody_instead(self, plan: ContextPlan, peace_until: datetime | None = None) -> bool:
        """One read brings all where one by one cannot be asked for; whether it is owed at once."""
        due_at = self.clock()
        if peace_until is not None:
            due_at = max(due_at, peace_until)
        if plan.roster_read_at is not None:
            due_at = max(due_at, plan.roster_read_at + STORM_INTERVAL)
        if plan.sync_due_at is not None and plan.sync_due_at > due_at:
            with self.database.write() as session:
                schedule.hasten_sync(session, plan.organisation_id, plan.id, due_at)
        return plan.sync_due_at is not None and due_at <= self.clock()

    def _read_own(
        self, plan: ContextPlan, column: EvidenceColumn, sub: str, deadline: float
    ) -> ErrorCode | None:
        assert column.url is not None
        started_at = self.clock()
        access = service_access(plan, is_visit=True)
        own = grades.read_results(self.connector, access, column.url, user_id=sub, deadline=deadline)
        rows = [grade_row(row) for row in own.rows]
        if not rows and own.complete:
            # Listed nowhere in an answer that is whole: not graded, and that is now known.
            rows = [GradeRow(sub, None, column.score_maximum, None)]
            open_result(self.connector, self.clock, access, column, sub, deadline)
        if rows:
            with self.database.write() as session:
                results.store_grades(
                    session, plan, column, rows, read_at=started_at, now=self.clock(), touch=True
                )
        return own.trouble


def _lease(context_id: str) -> str:
    return f"{runs.CONTEXT_LEASE}{context_id}"
