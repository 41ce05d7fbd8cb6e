"""Opening results where a platform lists none before the tool has said something of the learner (Canvas).

A teacher types grades into a column of the tool, and the results service of Canvas keeps quiet about them:
it lists the rows that scores of the tool made, and those only. So each learner gets one score without
points, which makes the row and grades nobody; what is typed from then on is listed. Which rows there are is
read from the platform itself, so nothing is remembered here and nothing is opened twice: a second empty
score would hide the grade that the row has taken up meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.connector import PlatformConnector, ServiceAccess
from lti_tool.store import results, rosters
from lti_tool.store.database import Database
from lti_tool.store.results import EvidenceColumn
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

AT_ONCE: Final = 200
"""Rows that one sync opens in one column; whoever is left is met by the next."""
SECONDS: Final = 60.0
"""For all of them: a sync must not lose its lease over it."""


def open_results(
    database: Database,
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    access: ServiceAccess,
    plan: ContextPlan,
    column: EvidenceColumn,
    listed: Collection[str],
) -> int:
    """Open the results of every active learner of the context who is not ``listed``; how many were opened.

    :param listed: the ``sub`` of everybody in a column that was read whole.
    """
    if not access.platform.opens_results or column.url is None:
        return 0
    with database.read() as session:
        subs = rosters.active_learners(session, plan)
    known = frozenset(listed)
    missing = [sub for sub in subs if sub not in known]
    deadline = connector.deadline_in(SECONDS)
    opened = 0
    try:
        for sub in missing[:AT_ONCE]:
            _open(connector, clock, access, column, sub, deadline)
            opened += 1
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
    if missing:
        log.info("results_opened", line_item_id=column.id, opened=opened, left=len(missing) - opened)
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
) -> None:
    assert column.url is not None
    score = grades.EmptyScore(sub, clock())
    refusal = grades.post_score(connector, access, column.url, score, deadline=deadline)
    if refusal is not None:
        # Somebody the platform calls no student has no result: the next one may.
        log.info("result_refused", refusal=refusal.value, line_item_id=column.id)
