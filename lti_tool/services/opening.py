"""Opening results where a platform lists none before the tool has said something of the learner (Canvas).

A teacher types grades into a column of the tool, and the results service of Canvas keeps quiet about them:
it lists the rows that scores of the tool made, and those only. So each learner gets one score without
points, which makes the row and grades nobody; what is typed from then on is listed. Which rows there are is
read from the platform itself, so nothing is opened twice: a second empty score would hide the grade that the
row has taken up meanwhile. Remembered is only who was refused: they are asked for again a day later, and keep
nobody else waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.platforms import ScoreRefusal
from lti_tool.store import openings, results, rosters
from lti_tool.store.database import Database
from lti_tool.store.openings import FailedOpening
from lti_tool.store.results import EvidenceColumn
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

AT_ONCE: Final = 200
"""Rows that one sync opens in one column; whoever is left is met by the next."""
SECONDS: Final = 60.0
"""For all of them: a sync must not lose its lease over it."""
REFUSED_FOR: Final = timedelta(days=1)
"""After so long somebody who was no student is tried again: roles change, and no roster tells."""
OWN: Final = frozenset({ErrorCode.PLATFORM_REFUSED, ErrorCode.PLATFORM_UNREACHABLE})
"""What may be wrong with one learner only, where it was answered."""

Room = Callable[[ServiceAccess], int]
"""How many calls the schedule may make now
(:meth:`~lti_tool.services.call_budgets.CallBudgets.room`)."""


def open_results(
    database: Database,
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    access: ServiceAccess,
    plan: ContextPlan,
    column: EvidenceColumn,
    listed: Collection[str],
    room: Room | None = None,
) -> int:
    """Open the results of every active learner of the context who is not ``listed``; how many were opened.

    Who was tried before comes last, and who was refused a day later: the others do not wait for them.

    :param listed: the ``sub`` of everybody in a column that was read whole.
    :param room: calls that may be made; without it, as many as are needed.
    """
    if not access.platform.opens_results or column.url is None:
        return 0
    now = clock()
    with database.read() as session:
        subs = rosters.active_learners(session, plan)
        failed = openings.failed(session, plan, column)
    known = frozenset(listed) | {sub for sub, failure in failed.items() if failure.next_try_at > now}
    missing = [sub for sub in subs if sub not in known]
    # Sorting keeps the order of those who were never tried.
    missing.sort(key=lambda sub: failed[sub].tried_at.timestamp() if sub in failed else 0.0)
    at_once = AT_ONCE if room is None or not missing else min(AT_ONCE, room(access))
    deadline = connector.deadline_in(SECONDS)
    opened = 0
    refused: dict[str, tuple[ErrorCode, FailedOpening]] = {}
    try:
        for sub in missing[:at_once]:
            try:
                refusal = _open(connector, clock, access, column, sub, deadline)
            except PlatformFailed as failure:
                if failure.code in OWN and failure.http_status is not None:
                    refused[sub] = (failure.code, FailedOpening(now, now))
                raise
            if refusal is None:
                opened += 1
            else:
                is_staff = refusal is ScoreRefusal.NOT_A_STUDENT
                code = ErrorCode.SCORE_NOT_A_STUDENT if is_staff else ErrorCode.SCORE_REFUSED
                refused[sub] = (code, FailedOpening(now, now + REFUSED_FOR))
    except PlatformFailed as failure:
        log.warning("results_not_opened", error_code=failure.code.value, line_item_id=column.id)
        if failure.code is ErrorCode.PLATFORM_SCOPE_MISSING:
            # The column can be read, and nothing will ever be in it: its teacher has to know.
            with database.write() as session:
                results.record_column(
                    session,
                    column,
                    plan.organisation_id,
                    read_at=None,
                    is_complete=False,
                    trouble=failure.code,
                )
    if refused:
        with database.write() as session:
            for sub, (code, failed_opening) in refused.items():
                openings.keep_failed(session, plan, column, sub, code, failed_opening)
    if missing:
        left = len(missing) - opened - len(refused)
        log.info("results_opened", line_item_id=column.id, opened=opened, refused=len(refused), left=left)
    return opened


def open_result(
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    access: ServiceAccess,
    column: EvidenceColumn,
    sub: str,
    deadline: float,
) -> None:
    """Open one visiting learner's result, who has none; what cannot be opened now is tried again."""
    if not access.platform.opens_results:
        return
    try:
        _open(connector, clock, access, column, sub, deadline)
    except PlatformFailed as failure:
        log.warning("results_not_opened", error_code=failure.code.value, line_item_id=column.id)


def _open(
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    access: ServiceAccess,
    column: EvidenceColumn,
    sub: str,
    deadline: float,
) -> ScoreRefusal | None:
    """Open one result; why not, where the platform says that this learner has none."""
    assert column.url is not None
    score = grades.EmptyScore(sub, clock())
    refusal = grades.post_score(connector, access, column.url, score, deadline=deadline)
    if refusal is not None:
        log.info("result_refused", refusal=refusal.value, line_item_id=column.id)
    return refusal
