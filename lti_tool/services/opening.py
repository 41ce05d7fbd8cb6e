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

from lti_tool.errors import PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.connector import PlatformConnector, ServiceAccess
from lti_tool.store import rosters
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
    missing = [sub for sub in subs if sub not in set(listed)]
    deadline = connector.deadline_in(SECONDS)
    opened = 0
    for sub in missing[:AT_ONCE]:
        if not open_result(connector, clock, access, column, sub, deadline):
            break
        opened += 1
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
) -> bool:
    """Open one learner's result, who has none; false where nobody answers, or the tool may write no scores.

    Reading went well: what cannot be opened now is tried at the next reading.
    """
    if not access.platform.opens_results or column.url is None:
        return False
    score = grades.EmptyScore(sub, clock())
    try:
        refusal = grades.post_score(connector, access, column.url, score, deadline=deadline)
    except PlatformFailed as failure:
        log.warning("result_not_opened", error_code=failure.code.value, line_item_id=column.id)
        return False
    if refusal is not None:
        log.info("result_not_opened", refusal=refusal.value, line_item_id=column.id)
    # Somebody the platform calls no student has no result: the next one may.
    return True
