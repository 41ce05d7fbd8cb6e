"""Evidence columns: creating them in the gradebook, reading them, and leading the teacher to them.

A column is created once (found again by our key, tag and name before anything is made), without being
coupled to a link, and from then on only read. Nothing here gives points or changes a column: with
Moodle either would end a mirror's calculation for good.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Channel
from lti_tool.errors import Conflict, ErrorCode, NotFound, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector, is_silent
from lti_tool.lti.grades import LineItemOnPlatform, LineItemSpec, PlatformResult
from lti_tool.platforms import Platform, platform_for
from lti_tool.services.launching import SessionView
from lti_tool.services.opening import Room, open_results
from lti_tool.services.progress import ColumnProgress, column_progress
from lti_tool.store import placements, results, rosters, runs, schedule
from lti_tool.store.database import Database
from lti_tool.store.results import EvidenceColumn, GradeRow
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

POLL_INTERVAL = 3.0
"""Seconds between two reads of one column, however many browsers ask."""
LEASE_SECONDS = 60.0
LEASE_PATIENCE = 5.0
"""Seconds that a second click waits for the first to finish."""
CREATE_DEADLINE = 20.0
POLL_DEADLINE = 5.0
LAUNCH_DEADLINE = 5.0
"""Seconds that opening the activity may take longer to make columns; what is not made waits for a click."""


@dataclass(frozen=True, slots=True)
class ColumnRead:
    """How one read of one column went."""

    grades: int = 0
    """People listed."""
    changed: int = 0
    """Grades that are new or different."""
    has_value: bool = False
    is_complete: bool = False
    was_read: bool = False
    """Whether the platform gave anything at all."""
    trouble: ErrorCode | None = None
    retry_after: float | None = None
    is_silent: bool = False
    """The platform as a whole did not answer: asking it for another column would meet the same."""
    emptied: int = 0
    """People who had a grade, and have none any more."""
    graded: int = 0
    """People who have one, as far as was read."""
    graded_at: datetime | None = None
    """When the last grade in it was given, as far as that can be told."""


def service_access(plan: ContextPlan, *, is_visit: bool = False) -> ServiceAccess:
    """In whose name the services of a context are called, and with which rights.

    :param is_visit: whether somebody waits for the answer.
    """
    return ServiceAccess(plan.registration, plan.deployment, plan.ags_scopes, is_visit)


def grade_row(row: PlatformResult) -> GradeRow:
    """A grade as the store takes it."""
    return GradeRow(row.sub, row.score, row.maximum, row.graded_at)


def read_column(
    database: Database,
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    plan: ContextPlan,
    column: EvidenceColumn,
    *,
    deadline: float | None = None,
    is_visit: bool = False,
    note_progress: Callable[[Session], None] | None = None,
    room: Room | None = None,
) -> ColumnRead:
    """Read a whole column and store it; no transaction is open while the platform answers.

    A column that was read whole also tells who has no grade any more; one that was cut off only adds.

    :param note_progress: called in the transaction that stores each few pages.
    :param room: calls that may be made beside, to open results.
    """
    if column.url is None:
        return ColumnRead(trouble=ErrorCode.COLUMN_MISSING)
    started_at = clock()
    access = service_access(plan, is_visit=is_visit)
    read = grades.result_pages(connector, access, column.url, deadline=deadline)
    present: dict[str, bool] = {}
    graded_at: datetime | None = None
    changed = emptied = 0
    has_value = False
    for batch in rosters.batches(read, clock, database.dialect):
        rows = [grade_row(row) for row in batch]
        present.update((row.sub, row.is_graded) for row in rows)
        graded_at = _newest(graded_at, rows, started_at)
        with database.write() as session:
            stored = results.store_grades(session, plan, column, rows, read_at=started_at, now=clock())
            if note_progress is not None:
                note_progress(session)
        changed += stored.changed
        has_value = has_value or stored.has_value
    trouble = grades.column_trouble(read)
    was_read = read.pages_read > 0
    with database.write() as session:
        if read.is_complete:
            emptied = results.clear_missing(session, plan, column, present, started_at)
            changed += emptied
        results.record_column(
            session,
            column,
            plan.organisation_id,
            read_at=started_at if was_read else None,
            is_complete=read.is_complete,
            trouble=trouble,
        )
    if read.is_complete and not is_visit:
        open_results(database, connector, clock, access, plan, column, present, room)
    retry_after = None if read.failure is None else read.failure.retry_after
    return ColumnRead(
        len(present),
        changed,
        has_value,
        read.is_complete,
        was_read,
        trouble,
        retry_after,
        is_silent(read.failure),
        emptied,
        sum(present.values()),
        # Where the platform dates no grade, one that is new or different was given since the last look.
        graded_at or (started_at if changed and column.read_at is not None else None),
    )


def _newest(known: datetime | None, rows: list[GradeRow], now: datetime) -> datetime | None:
    dated = (row.graded_at for row in rows if row.graded_at is not None and row.graded_at <= now)
    return max((at for at in (known, *dated) if at is not None), default=None)


@dataclass(frozen=True)
class Columns:
    """Creates the evidence columns of a placement and watches them until values arrive."""

    database: Database
    connector: PlatformConnector
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep

    def column_states(self, organisation_id: str, placement_id: str) -> tuple[ColumnProgress, ...]:
        """How the evidence columns of a placement stand, with the links for their teacher.

        :raises NotFound: ``placement_not_found``, also for one of another organisation.
        """
        with self.database.read() as session:
            context_id = results.placement_context(session, organisation_id, placement_id)
            course = placements.course(session, organisation_id, context_id) if context_id else None
            if course is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            columns = results.columns_of(session, organisation_id, [placement_id])[placement_id]
        platform = platform_for(course.product)
        return tuple(column_progress(column, platform, course) for column in columns)

    def require_placement(self, organisation_id: str, context_id: str, placement_id: str) -> None:
        """Nothing, if this placement is one of this context.

        :raises NotFound: ``placement_not_found`` otherwise, also for one that was removed.
        """
        with self.database.read() as session:
            if results.placement_context(session, organisation_id, placement_id) != context_id:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)

    def create_columns(
        self,
        organisation_id: str,
        placement_id: str,
        *,
        keys: Collection[str] | None = None,
        deadline: float = CREATE_DEADLINE,
        patience: float | None = None,
    ) -> tuple[ColumnProgress, ...]:
        """Create what is missing on the platform; repeating it, or clicking twice, changes nothing.

        :param keys: of the evidence whose columns are meant; every column of the placement unless given.
        :param deadline: seconds that the platform has for all of it.
        :param patience: seconds to wait for somebody else who is at it; :data:`LEASE_PATIENCE` unless given.

        What the platform refuses is told in each column's ``trouble`` (``platform_scope_missing`` where it
        lets the tool read columns only).

        :raises NotFound: ``placement_not_found``.
        :raises Conflict: somebody else is at it, and has not finished within seconds.
        """
        plan, columns = self._plan(organisation_id, placement_id)
        if not any(_is_pending(column) for column in _of(columns, keys)):
            return self.column_states(organisation_id, placement_id)
        holder = uuid.uuid4().hex
        self._take_lease(placement_id, holder, LEASE_PATIENCE if patience is None else patience)
        try:
            plan, columns = self._plan(organisation_id, placement_id)
            self._create_pending(plan, columns, keys, self.connector.deadline_in(deadline))
        finally:
            with self.database.write() as session:
                runs.release_lease(session, _lease(placement_id), holder)
        return self.column_states(organisation_id, placement_id)

    def make_mirrors(self, session: SessionView) -> None:
        """Create the mirrors of the session's placement when somebody who may configure it first comes by.

        Form and picker have said that it comes and counts in the course total. A column that people fill in
        waits for a click: with Canvas it is an assignment that learners see. So does whatever had trouble
        before.
        """
        if not session.can_configure or session.is_read_only or session.placement_id is None:
            return
        if session.is_copied_link:
            return  # nobody has said yet that the badges of the copied course are wanted here
        plan, columns = self._plan(session.organisation_id, session.placement_id)
        if not platform_for(plan.registration.product).supports_mirror:
            return  # a badge of the library may ask for mirrors where there are none
        keys = {
            column.evidence_key
            for column in columns
            if column.tag == Channel.MIRROR and column.url is None and column.trouble is None
        }
        if keys:
            with suppress(Conflict):  # somebody else's visit is making them
                self.create_columns(
                    session.organisation_id,
                    session.placement_id,
                    keys=keys,
                    deadline=LAUNCH_DEADLINE,
                    patience=0.0,
                )

    def adopt(self, organisation_id: str, context_id: str, *, deadline: float = LAUNCH_DEADLINE) -> int:
        """Find the columns that came along with a copied course, by our key and tag; how many.

        Nothing is made and nothing is changed on the platform. What is not found, or not told in time, is
        looked for again before it is made.

        :param deadline: seconds that the platform has for its list.
        """
        with self.database.read() as session:
            plan = rosters.context_plan(session, organisation_id, context_id)
            columns = results.evidence_columns(session, organisation_id, context_id)
        missing = [column for column in columns if column.is_copied and column.url is None]
        if plan is None or not missing or not plan.is_approved:
            return 0
        access = service_access(plan, is_visit=True)
        try:
            listed = grades.list_line_items(
                self.connector,
                access,
                self._line_items_url(plan),
                deadline=self.connector.deadline_in(deadline),
            )
        except PlatformFailed as failure:
            log.warning("columns_not_looked_for", context_id=context_id, error_code=failure.code.value)
            return 0
        found = 0
        for column in missing:
            of_placement = [other for other in missing if other.placement_id == column.placement_id]
            item = _adoptable(_unclaimed(listed, columns, column, access.platform), column, of_placement)
            if item is not None and self._keep_adopted(access, column, item.url):
                listed = tuple(other for other in listed if other.url != item.url)
                found += 1
        if found:
            self._make_due(plan)
        return found

    def _keep_adopted(self, access: ServiceAccess, column: EvidenceColumn, url: str) -> bool:
        try:
            self.connector.require_named_host(access, url)
        except PlatformFailed as failure:
            log.warning("column_not_adopted", line_item_id=column.id, error_code=failure.code.value)
            return False
        with self.database.write() as session:
            return results.record_created(
                session,
                access.deployment.organisation_id or "",
                column.id,
                url=url,
                replacing=None,
                now=self.clock(),
                is_adopted=True,
            )

    def poll(self, organisation_id: str, placement_id: str) -> tuple[ColumnProgress, ...]:
        """Look whether values have arrived in columns that had none; at most one read per column in 3 s.

        :raises NotFound: ``placement_not_found``.
        """
        plan, columns = self._plan(organisation_id, placement_id)
        deadline = self.connector.deadline_in(POLL_DEADLINE)
        arrived = False
        for column in columns:
            if plan.is_approved and column.url and column.first_value_at is None and self._may_ask(column.id):
                read = read_column(
                    self.database, self.connector, self.clock, plan, column, deadline=deadline, is_visit=True
                )
                arrived = arrived or read.has_value
                if read.is_silent:
                    break
        if arrived:
            self._make_due(plan)
        return self.column_states(organisation_id, placement_id)

    def _may_ask(self, column_id: str) -> bool:
        """Whether nobody, in whichever process, asked just now: a lease that is never given back."""
        with self.database.write() as session:
            return runs.take_lease(
                session, f"poll:{column_id}", uuid.uuid4().hex, self.clock(), POLL_INTERVAL
            )

    def _make_due(self, plan: ContextPlan) -> None:
        """What has arrived is worth deciding over now, not at the next turn."""
        with self.database.write() as session:
            schedule.schedule_sync(session, plan.organisation_id, plan.id, self.clock())

    def _plan(
        self, organisation_id: str, placement_id: str
    ) -> tuple[ContextPlan, tuple[EvidenceColumn, ...]]:
        with self.database.read() as session:
            context_id = results.placement_context(session, organisation_id, placement_id)
            plan = rosters.context_plan(session, organisation_id, context_id) if context_id else None
            if plan is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            return plan, results.columns_of(session, organisation_id, [placement_id])[placement_id]

    def _take_lease(self, placement_id: str, holder: str, patience: float) -> None:
        waited = 0.0
        while True:
            with self.database.write() as session:
                if runs.take_lease(session, _lease(placement_id), holder, self.clock(), LEASE_SECONDS):
                    return
            if waited >= patience:
                raise Conflict(ErrorCode.CONFLICT, f"columns of placement {placement_id} are being created")
            self.sleep(0.25)
            waited += 0.25

    def _create_pending(
        self,
        plan: ContextPlan,
        columns: tuple[EvidenceColumn, ...],
        keys: Collection[str] | None,
        deadline: float,
    ) -> None:
        pending = [column for column in _of(columns, keys) if _is_pending(column)]
        if not pending:
            return
        made = False
        try:
            access = service_access(plan, is_visit=True)
            url = self._line_items_url(plan)
            access.require(grades.LINE_ITEM_SCOPE)
            key = pending[0].badge_link_key
            listed = grades.list_line_items(self.connector, access, url, resource_id=key, deadline=deadline)
        except PlatformFailed as failure:
            self._keep_trouble(plan, pending, failure)
            return
        for column in pending:
            free = _unclaimed(listed, columns, column, access.platform)
            try:
                found = _adoptable(free, column, pending)
                is_adopted = found is not None and column.is_copied
                if found is None:
                    found = self._create(access, url, column, deadline)
                self.connector.require_named_host(access, found.url)
            except PlatformFailed as failure:
                self._keep_trouble(plan, [column], failure)
                continue
            listed = tuple(item for item in listed if item.url != found.url)
            made = True
            with self.database.write() as session:
                results.record_created(
                    session,
                    plan.organisation_id,
                    column.id,
                    url=found.url,
                    replacing=column.url,
                    now=self.clock(),
                    is_adopted=is_adopted,
                )
        if made:
            self._make_due(plan)

    def _create(
        self, access: ServiceAccess, url: str, column: EvidenceColumn, deadline: float
    ) -> LineItemOnPlatform:
        spec = LineItemSpec(column.label, _maximum(column), column.badge_link_key, column.tag)
        try:
            return grades.create_line_item(self.connector, access, url, spec, deadline=deadline)
        except PlatformFailed as failure:
            if failure.http_status != 409:
                raise
            # Somebody was quicker; some platforms say so.
            listed = grades.list_line_items(
                self.connector, access, url, resource_id=column.badge_link_key, deadline=deadline
            )
            found = _find(listed, column)
            if found is None:
                raise
            return found

    def _line_items_url(self, plan: ContextPlan) -> str:
        if plan.line_items_url is None or not plan.is_approved:
            raise PlatformFailed(
                ErrorCode.PLATFORM_SCOPE_MISSING,
                f"context {plan.id} has no line items service",
                scope="lineitem",
            )
        return plan.line_items_url

    def _keep_trouble(
        self, plan: ContextPlan, columns: list[EvidenceColumn], failure: PlatformFailed
    ) -> None:
        with self.database.write() as session:
            results.record_trouble(
                session, plan.organisation_id, [column.id for column in columns], failure.code.value
            )


def _lease(placement_id: str) -> str:
    return f"columns:{placement_id}"


def _of(columns: tuple[EvidenceColumn, ...], keys: Collection[str] | None) -> list[EvidenceColumn]:
    return [column for column in columns if keys is None or column.evidence_key in keys]


def _is_pending(column: EvidenceColumn) -> bool:
    """Never created, or deleted by a teacher since."""
    return column.url is None or column.trouble == ErrorCode.COLUMN_MISSING


def _maximum(column: EvidenceColumn) -> Decimal:
    return column.score_maximum if column.score_maximum > 0 else Decimal(100)


def _unclaimed(
    listed: tuple[LineItemOnPlatform, ...],
    columns: tuple[EvidenceColumn, ...],
    column: EvidenceColumn,
    platform: Platform,
) -> tuple[LineItemOnPlatform, ...]:
    """What no other column of ours is already."""
    claimed = {
        platform.line_item_name(other.url)
        for other in columns
        if other.id != column.id and other.url is not None and not _is_pending(other)
    }
    return tuple(item for item in listed if platform.line_item_name(item.url) not in claimed)


def _find(listed: tuple[LineItemOnPlatform, ...], column: EvidenceColumn) -> LineItemOnPlatform | None:
    """The column of this name; else the one of the assessment alone, as columns were named before two badges
    that ask for one quiz had to be told apart.
    """
    assessment = column.label.rpartition(" · ")[0]
    for label in (column.label, assessment):
        found = label and grades.find_line_item(
            listed, resource_id=column.badge_link_key, tag=column.tag, label=label
        )
        if found:
            return found
    return None


def _adoptable(
    free: tuple[LineItemOnPlatform, ...], column: EvidenceColumn, pending: list[EvidenceColumn]
) -> LineItemOnPlatform | None:
    """The column that is this one already: of this name, or the only one where there is no mistaking it.

    A teacher may have renamed it, and Moodle cleans names. One that is named as ours for another assessment
    was asked for before its draft was changed: it still holds the grades of that.
    """
    found = _find(free, column)
    if found is not None:
        return found
    alike = [
        item
        for item in free
        if item.tag == column.tag
        and item.resource_id == column.badge_link_key
        and not item.resource_link_id
        and _plain_assessment(item.label) in ("", _plain_assessment(column.label))
    ]
    only_one_asked = sum(other.tag == column.tag for other in pending) == 1
    return alike[0] if len(alike) == 1 and only_one_asked else None


def _plain_assessment(label: str) -> str:
    """What a column is about, by its letters and digits: no more than that survives Moodle's cleaning of
    "Quiz <b>1</b> · Maps". Empty where the name was not made by :func:`~.describing.of_badge`.
    """
    assessment = re.sub(r"<[^>]*>", "", label.rpartition(" · ")[0])
    return "".join(character for character in assessment.casefold() if character.isalnum())
