"""Evidence columns after they were made: renamed with their badge, and deleted with a draft nobody wants.

Both need the platform's leave to change columns (``lineitem``); where it lets the tool read only, the page
says so, and a teacher does it by hand. Columns are never given another maximum, and one that holds grades is
deleted only where a person said so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lti_tool.domain.criteria import score_asks
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, PlatformFailed
from lti_tool.lti import grades, line_items
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.services.columns import service_access
from lti_tool.services.correcting import CORRECTED, SUBJECT
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.describing import of_badge
from lti_tool.services.launching import SessionView
from lti_tool.store import audit, bindings, corrections, placements, results, rosters, versions
from lti_tool.store.database import Database
from lti_tool.store.results import EvidenceColumn
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

DEADLINE: Final = 15.0
"""Seconds that somebody waits for a platform to rename or delete what one badge has."""
GRACE: Final = timedelta(days=1)
"""For how long after a badge got another name a reading looks whether its columns bear it."""


class Deletion(StrEnum):
    """Which columns of a draft go with it."""

    NONE = "none"
    EMPTY = "empty"
    """Those without a grade."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class OwnColumn:
    """A column of a draft in the gradebook."""

    label: str
    has_values: bool
    """As far as it was read."""


@dataclass(frozen=True, slots=True)
class RemovalView:
    """What somebody sees who is about to remove a draft."""

    placement_id: str
    name: str
    columns: tuple[OwnColumn, ...]
    may_delete: bool
    """Whether the platform lets the tool delete columns."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of it."""

    deleted: int
    kept: int
    """Columns that stay in the gradebook: they hold grades, or the platform keeps them."""
    trouble: ErrorCode | None = None


@dataclass(frozen=True)
class OwnColumns:
    """Renames evidence columns with their badge, and deletes those of drafts."""

    database: Database
    connector: PlatformConnector
    clock: Callable[[], datetime]

    # -- renaming

    def rename(self, session: SessionView, placement_id: str) -> ErrorCode | None:
        """Let the columns of a badge bear its present name: "Quiz 1 · Open Data Basics".

        One that a teacher renamed keeps the teacher's name. Repeating it is harmless.

        :returns: why a column still has its old name, if one has.
        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``, also for another course's.
        """
        organisation_id, context_id = _course_of(session)
        renamed, trouble = self._rename(organisation_id, context_id, placement_id, is_visit=True)
        if renamed:
            self._record(session, "columns.renamed", placement_id, {"columns": renamed})
        return trouble

    def follow(self, plan: ContextPlan) -> None:
        """The same for badges of a course whose next version was published elsewhere, or which were
        corrected, since the course was read last, or in the :data:`GRACE` before: a reading that was stopped,
        or a platform that was down, is made up for. What bears its name already costs no request.
        """
        since = plan.roster_read_at and plan.roster_read_at - GRACE
        with self.database.read() as reading:
            renewed = versions.placements_renewed(reading, plan.organisation_id, plan.id, since)
            corrected = corrections.placements_corrected(
                reading, plan.organisation_id, plan.id, since, action=CORRECTED, subject_kind=SUBJECT
            )
        for placement_id in sorted({*renewed, *corrected}):
            renamed, _trouble = self._rename(plan.organisation_id, plan.id, placement_id, is_visit=False)
            if renamed:
                self._note(plan, placement_id, renamed)

    def _rename(
        self, organisation_id: str, context_id: str, placement_id: str, *, is_visit: bool
    ) -> tuple[int, ErrorCode | None]:
        """How many columns have another name now, and why one has not."""
        draft, plan, columns = self._read(organisation_id, context_id, placement_id)
        wanted = {
            key: of_badge(label, draft.name)
            for key, label, _channel, _maximum in score_asks(parse_criteria(draft.criteria))
        }
        due = [one for one in columns if one.url and wanted.get(one.evidence_key, one.label) != one.label]
        trouble: ErrorCode | None = None
        access = service_access(plan, is_visit=is_visit)
        deadline = self.connector.deadline_in(DEADLINE)
        renamed = 0
        for column in due:
            assert column.url is not None
            label = wanted[column.evidence_key]
            try:
                is_renamed = line_items.rename_line_item(
                    self.connector,
                    access,
                    column.url,
                    label,
                    was=column.label,
                    resource_id=column.badge_link_key,
                    tag=column.tag,
                    deadline=deadline,
                )
            except PlatformFailed as failure:
                log.warning("column_not_renamed", line_item_id=column.id, error_code=failure.code.value)
                trouble = failure.code
                continue
            if is_renamed:
                renamed += 1
                with self.database.write() as writing:
                    results.record_renamed(writing, organisation_id, column, label)
        return renamed, trouble

    # -- removing a draft

    def removal(self, session: SessionView, placement_id: str) -> RemovalView:
        """What a draft has in the gradebook.

        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``, also for another course's.
        :raises Conflict: ``placement_not_editable`` for a badge that is published.
        """
        organisation_id, context_id = _course_of(session)
        draft, plan, columns = self._read(organisation_id, context_id, placement_id)
        _require_draft(draft)
        access = service_access(plan)
        try:
            access.require(grades.LINE_ITEM_SCOPE)
            may_delete = plan.is_approved
        except PlatformFailed:
            may_delete = False
        return RemovalView(
            placement_id,
            draft.name,
            tuple(OwnColumn(one.label, one.first_value_at is not None) for one in columns if one.url),
            may_delete,
        )

    def remove(self, session: SessionView, placement_id: str, deletion: Deletion) -> Removal:
        """Take a draft out of the course, and its columns out of the gradebook as far as was said.

        The draft goes whatever the platform answers; its description stays in the library.

        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``.
        :raises Conflict: ``placement_not_editable`` where somebody published it meanwhile.
        """
        organisation_id, context_id = _course_of(session)
        draft, plan, columns = self._read(organisation_id, context_id, placement_id)
        _require_draft(draft)
        with self.database.write() as writing:
            if not placements.remove(writing, organisation_id, context_id, placement_id):
                raise _published(placement_id)
        self._record(session, "placement.removed", placement_id, {"columns": deletion.value})
        made = [one for one in columns if one.url]
        if deletion is Deletion.NONE or not made:
            return Removal(0, len(made))
        access = service_access(plan, is_visit=True)
        deadline = self.connector.deadline_in(DEADLINE)
        deleted, trouble = 0, None
        for column in made:
            try:
                if deletion is Deletion.EMPTY and self._holds_grades(access, column, deadline):
                    continue
                assert column.url is not None
                line_items.delete_line_item(self.connector, access, column.url, deadline=deadline)
            except PlatformFailed as failure:
                log.warning("column_not_deleted", line_item_id=column.id, error_code=failure.code.value)
                trouble = failure.code
                continue
            deleted += 1
            with self.database.write() as writing:
                results.record_deleted(writing, organisation_id, column)
        if deleted:
            self._record(session, "columns.deleted", placement_id, {"columns": deleted})
        return Removal(deleted, len(made) - deleted, trouble)

    def _holds_grades(self, access: ServiceAccess, column: EvidenceColumn, deadline: float) -> bool:
        """Whether anybody has a grade in it now; one that cannot be read whole may hold some."""
        assert column.url is not None
        if column.first_value_at is not None:
            return True
        read = grades.read_results(self.connector, access, column.url, deadline=deadline)
        if read.trouble is ErrorCode.COLUMN_MISSING:
            return False
        if not read.complete:
            raise PlatformFailed(
                read.trouble or ErrorCode.PLATFORM_ANSWER_INVALID, f"column {column.id} was not read whole"
            )
        return any(row.score is not None for row in read.rows)

    def _read(
        self, organisation_id: str, context_id: str, placement_id: str
    ) -> tuple[bindings.DraftView, ContextPlan, tuple[EvidenceColumn, ...]]:
        with self.database.read() as reading:
            draft = bindings.placed(reading, organisation_id, context_id, placement_id)
            plan = rosters.context_plan(reading, organisation_id, context_id)
            if draft is None or plan is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            columns = results.columns_of(reading, organisation_id, [placement_id])[placement_id]
        return draft, plan, columns

    def _record(
        self, session: SessionView, action: str, placement_id: str, detail: dict[str, object]
    ) -> None:
        with self.database.write() as writing:
            audit.record(
                writing,
                session.organisation_id,
                at=self.clock(),
                actor=f"{audit.LEARNER}{session.learner_id}",
                action=action,
                subject_kind="placement",
                subject_id=placement_id,
                detail={"context_id": session.context_id, **detail},
            )

    def _note(self, plan: ContextPlan, placement_id: str, renamed: int) -> None:
        with self.database.write() as writing:
            audit.record(
                writing,
                plan.organisation_id,
                at=self.clock(),
                actor="rule",
                action="columns.renamed",
                subject_kind="placement",
                subject_id=placement_id,
                detail={"context_id": plan.id, "columns": renamed},
            )


def _require_draft(draft: bindings.DraftView) -> None:
    if draft.status != "draft":
        raise _published(draft.placement_id)


def _published(placement_id: str) -> Conflict:
    return Conflict(
        ErrorCode.PLACEMENT_NOT_EDITABLE, f"placement {placement_id} is published", reason="published"
    )


def _course_of(session: SessionView) -> tuple[str, str]:
    if not session.can_configure or session.is_read_only or session.context_id is None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "changing columns needs an editing role in a course")
    return session.organisation_id, session.context_id
