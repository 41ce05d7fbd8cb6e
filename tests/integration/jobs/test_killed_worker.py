"""A worker is killed (SIGKILL) at each step from a sync to the last score, and nothing is lost or doubled.

Nobody opens the course: its roster, a Moodle's, does not tell who teaches, so each badge waits for the score.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.process import BaseProcess

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.credentials.verification import Verdict, verify
from lti_tool.store import runs
from lti_tool.store.tables import (
    Award,
    Completion,
    Credential,
    Decision,
    Lease,
    Membership,
    Result,
    Run,
    Score,
)
from tests import factories
from tests.integration.award_book import link
from tests.integration.jobs.conftest import Installation
from tests.integration.jobs.small_lms import LEARNERS, LINK, PASSING
from tests.integration.jobs.worker_process import STEPS, book_of, start_worker

PATIENCE_SECONDS = 100
LATER = timedelta(minutes=10)
"""Long enough for every lease of a dead worker to be over."""


def wait_for(condition: Callable[[], bool], worker: BaseProcess) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert worker.is_alive(), f"the worker ended with {worker.exitcode}"
        assert time.monotonic() < ends, "the work was not done in time"
        time.sleep(0.05)


def ended(worker: BaseProcess) -> int | None:
    """Its exit status; None, and killed, where it did not end in time."""
    worker.join(PATIENCE_SECONDS)
    status = worker.exitcode
    if status is None:
        worker.kill()
        worker.join()
    return status


def is_done(tool: Tool, run_id: str) -> bool:
    with tool.database.read() as session:
        run = session.get(Run, run_id)
        unsigned = session.scalar(
            sa.select(sa.func.count())
            .select_from(Award)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(Credential.document.is_(None))
        )
        written = session.scalar(sa.select(sa.func.count()).where(Score.state == "written"))
        held = session.scalar(sa.select(sa.func.count()).where(Lease.name.startswith(runs.CONTEXT_LEASE)))
    return run is not None and run.status not in runs.OPEN and unsigned == held == 0 and written == PASSING


def placed(tool: Tool, course: factories.Course) -> None:
    """A badge, whose link was launched."""
    badge = factories.placed(tool.database, course, tool.clock())
    link(tool.database, course, badge.badge_link_key, id_on_platform=LINK)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_or_doubled(
    installation: Installation, tool: Tool, course: factories.Course, step: str
) -> None:
    placed(tool, course)
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)

    victim = start_worker(installation.environment, step, timedelta())
    assert ended(victim) == -signal.SIGKILL
    waiting = [bytes(message) for message in tool.queue._huey.storage.enqueued_items()]
    assert not [message for message in waiting if b"sync_context" in message], "it died with the worker"

    successor = start_worker(installation.environment, None, LATER)
    try:
        wait_for(lambda: is_done(tool, run.id), successor)
    finally:
        successor.terminate()
        assert ended(successor) == 0

    with tool.database.read() as session:

        def count(table: type, *conditions: object) -> int:
            return session.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions)) or 0  # type: ignore[arg-type]

        assert [(row.id, row.status) for row in session.scalars(sa.select(Run))] == [(run.id, "done")]
        assert count(Membership, Membership.is_active) == LEARNERS
        assert count(Result) == LEARNERS
        assert count(Decision, Decision.is_latest) == LEARNERS
        assert count(Completion) == PASSING
        assert count(Award) == PASSING
        issued = session.scalars(sa.select(Credential)).all()
    scores = book_of(installation.environment).read_text().split()
    assert sorted(scores) == [f"user-{number}" for number in range(PASSING)], "each once"
    assert len(issued) == PASSING
    assert len({credential.award_id for credential in issued}) == PASSING
    assert len({(credential.status_list_id, credential.status_index) for credential in issued}) == PASSING
    assert all(credential.document and credential.issued_at for credential in issued)
    for credential in issued:
        report = verify(str(credential.document).encode(), fetch=tool.verifying, now=tool.clock() + LATER)
        assert report.verdict is Verdict.VALID


def test_a_worker_that_is_told_to_stop_ends_in_order(
    installation: Installation, tool: Tool, course: factories.Course
) -> None:
    """SIGTERM lets what runs end, and gives the lease of the reconcile pass back."""
    placed(tool, course)
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)
    worker = start_worker(installation.environment, None, timedelta())
    wait_for(lambda: is_done(tool, run.id), worker)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGINT)
    assert ended(worker) == 0
    with tool.database.read() as session:
        assert session.get(Lease, "reconcile") is None
