"""A worker is killed (SIGKILL) at each step of a sync, and nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.store import runs
from lti_tool.store.tables import Award, Completion, Credential, Decision, Lease, Membership, Result, Run
from tests import factories
from tests.integration.jobs.conftest import Installation
from tests.integration.jobs.small_lms import LEARNERS, PASSING
from tests.integration.jobs.worker_process import STEPS

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


def start_worker(installation: Installation, step: str | None, later: float) -> subprocess.Popen[bytes]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LTI_TOOL_")},
        **installation.environment,
        "LATER": str(later),
    }
    command = [sys.executable, "-m", "tests.integration.jobs.worker_process", *([step] if step else [])]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def wait_for(condition: object, worker: subprocess.Popen[bytes]) -> None:
    assert callable(condition)
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert worker.poll() is None, f"the worker ended with {worker.returncode}"
        assert time.monotonic() < ends, "the work was not done in time"
        time.sleep(0.1)


def is_done(tool: Tool, run_id: str) -> bool:
    with tool.database.read() as session:
        run = runs.any_run(session, run_id)
        unsigned = session.scalar(
            sa.select(sa.func.count())
            .select_from(Award)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(Credential.document.is_(None))
        )
        held = session.scalar(sa.select(sa.func.count()).where(Lease.name.startswith(runs.CONTEXT_LEASE)))
    return run is not None and not run.is_open and unsigned == 0 and held == 0


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_or_doubled(
    installation: Installation, tool: Tool, course: factories.Course, step: str
) -> None:
    factories.placed(tool.database, course, tool.clock())
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)

    victim = start_worker(installation, step, later=0)
    assert victim.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    waiting = [bytes(message) for message in tool.queue._huey.storage.enqueued_items()]
    assert not [message for message in waiting if b"sync_context" in message], "it died with the worker"

    successor = start_worker(installation, None, later=600)
    try:
        wait_for(lambda: is_done(tool, run.id), successor)
    finally:
        successor.terminate()
        assert successor.wait(PATIENCE_SECONDS) == 0

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
    assert len(issued) == PASSING
    assert len({credential.award_id for credential in issued}) == PASSING
    assert len({(credential.status_list_id, credential.status_index) for credential in issued}) == PASSING
    assert all(credential.document and credential.issued_at for credential in issued)
    reports = {
        tool.verifying.verify(str(credential.document).encode()).verdict.value for credential in issued
    }
    assert reports == {"valid"}


def test_a_worker_that_is_told_to_stop_ends_in_order(
    installation: Installation, tool: Tool, course: factories.Course
) -> None:
    """SIGTERM lets what runs end, and gives the lease of the reconcile pass back."""
    factories.placed(tool.database, course, tool.clock())
    run = tool.syncing.start_sync(course.organisation_id, course.context_id)
    worker = start_worker(installation, None, later=0)
    wait_for(lambda: is_done(tool, run.id), worker)
    worker.send_signal(signal.SIGINT)
    assert worker.wait(PATIENCE_SECONDS) == 0
    with tool.database.read() as session:
        assert session.get(Lease, "reconcile") is None
