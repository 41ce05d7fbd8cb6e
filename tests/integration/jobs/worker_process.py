"""A worker in a process of its own, which can be told at which step it is to be killed.

It is forked, since starting an interpreter takes longer than all the rest; it opens its own connections.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from lti_tool import telemetry
from lti_tool.bootstrap import IssuerKeyring, IssuerSigner, build_tool
from lti_tool.jobs import tasks
from lti_tool.services.issuing import Issuing
from lti_tool.services.syncing import Syncing
from lti_tool.settings import load_settings
from lti_tool.store import credentials, decisions, runs, scores
from tests.integration.jobs.small_lms import SmallLms

STEPS = (
    "before the task",
    "before the roster",
    "between two pages of the roster",
    "before the grades",
    "before the decisions are kept",
    "before the awards are committed",
    "after the awards, before the credentials",
    "after the status places were proposed, before the signatures",
    "between two signatures",
    "before the places and the signed texts are committed",
    "before the run is closed",
    "before a score is sent",
    "before a score arrives",
    "after a score was taken",
    "before the answer to a score is kept",
)


def die(*_: Any, **__: Any) -> None:
    """As the kernel's out-of-memory killer would: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def instead(holder: Any, name: str) -> None:
    """Die when this is called."""
    setattr(holder, name, die)


def afterwards(holder: Any, name: str) -> None:
    """Die when this has done its work, with the transaction still open."""
    original: Callable[..., Any] = getattr(holder, name)

    def then_die(*args: Any, **kwargs: Any) -> Any:
        original(*args, **kwargs)
        die()

    setattr(holder, name, then_die)


def second_call(holder: Any, name: str) -> None:
    """Die when this is called for the second time."""
    original: Callable[..., Any] = getattr(holder, name)
    calls: list[int] = []

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return die() if len(calls) == 2 else original(*args, **kwargs)

    setattr(holder, name, counting)


def book_of(environment: Mapping[str, str]) -> Path:
    """Where the LMS of an installation keeps its scores."""
    return Path(environment["LTI_TOOL_DATA_DIR"]).parent / "scores.txt"


def prepare(step: str | None, book: Path) -> SmallLms:
    """Set the trap of a step; the LMS that may hold it."""
    traps: dict[str, tuple[Callable[[Any, str], None], Any, str]] = {
        "before the task": (instead, Syncing, "sync_context"),
        "before the decisions are kept": (instead, decisions, "store_decisions"),
        "before the awards are committed": (afterwards, decisions, "store_awards"),
        "after the awards, before the credentials": (instead, Issuing, "issue_for"),
        "after the status places were proposed, before the signatures": (instead, IssuerKeyring, "signer"),
        "between two signatures": (second_call, IssuerSigner, "sign"),
        "before the places and the signed texts are committed": (afterwards, credentials, "store_signed"),
        "before the run is closed": (instead, runs, "finish"),
        "before a score is sent": (instead, scores, "keep_score"),
        "before the answer to a score is kept": (second_call, scores, "keep_score"),
    }
    requests = {
        "before the roster": "token",
        "between two pages of the roster": "roster 2",
        "before the grades": "results",
        "before a score arrives": "score",
        "after a score was taken": "taken",
    }
    if step in traps:
        set_trap, holder, name = traps[step]
        set_trap(holder, name)
    elif step is not None and step not in requests:
        raise SystemExit(f"no such step: {step}")
    return SmallLms(lambda what: die() if step is not None and requests.get(step) == what else None, book)


def start_worker(environment: Mapping[str, str], step: str | None, later: timedelta) -> BaseProcess:
    """Start a worker.

    :param environment: its settings.
    :param step: where it is to be killed; None for a worker that works on.
    :param later: added to its clock, so that nobody has to wait for the leases of a dead worker.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(environment, step, later), daemon=True
    )
    process.start()
    return process


def _work(environment: Mapping[str, str], step: str | None, later: timedelta) -> None:
    telemetry.configure_logging("console", "warning")
    lms = prepare(step, book_of(environment))
    tasks.EVERY_SECONDS = 1
    tool = build_tool(
        load_settings(environment), clock=lambda: datetime.now(UTC) + later, mounts={"https://": lms}
    )
    tasks.work(tool, threads=2)
    tool.close()
    # Not through pytest's own end, which the fork has inherited.
    os._exit(0)
