"""The engine: Huey, on SQLite, PostgreSQL or Redis; the only module that imports it.

The queue carries *hints*. What has to be done can always be read from the database, and a periodic reconcile
pass offers again whatever is still due, so that a lost message costs only time. Huey takes a message off the
queue before its task runs: a worker that is killed loses it, and nothing else.

Messages are JSON, a task's name and ids. (Huey would pickle them, and whoever can write to the queue could
then run code in the worker.)
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from huey import Huey
from huey.api import MemoryHuey, PostgresHuey, RedisHuey
from huey.consumer import Consumer, Scheduler
from huey.exceptions import RetryTask
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from lti_tool import telemetry
from lti_tool.errors import ConfigurationInvalid, ErrorCode, PlatformFailed, ToolError

log = telemetry.get_logger(__name__)

NAME = "lti_tool"
RETRIES = 4
BACK_OFF_SECONDS, BACK_OFF_FACTOR = 5.0, 4.0
"""5, 20, 80, 320 seconds, each spread by up to a fifth: what failed together does not return together."""

LONGEST_WAIT_SECONDS = 3600.0
"""However long a platform asks us to wait; later the reconcile pass has its own opinion."""

LONGEST_IDLE_SECONDS = 0.5
"""Between two looks into the SQLite file, which cannot wake a waiting worker; Redis and PostgreSQL can."""

STOP_SECONDS = 20.0
"""For running tasks to end after a signal; what does not is done again by the next worker."""

Task = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Periodic:
    """A task without ids that every worker offers to itself each so many seconds."""

    task: str
    seconds: int


class Queue:
    """Offers tasks, and runs them in a worker process.

    :param url: ``sqlite:///path``, ``postgresql://…``, ``redis://…`` or ``memory:`` (tests).
    :raises ConfigurationInvalid: SETTINGS_INVALID for another kind of URL, or a queue that cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._huey = _open(url)
        self._can_wait = isinstance(self._huey, PostgresHuey | RedisHuey)
        self._tasks: dict[str, Task] = {}
        self._run = self._huey.task(name="run", retries=RETRIES, context=True)(self._execute)

    # -- offering

    def offer(self, task: str, **ids: str) -> None:
        """Announce one task. Never fails: the hint is lost, logged, and the reconcile pass finds the work."""
        try:
            self._run(task, ids)
        except Exception:
            log.exception("hint_lost", task=task, **ids)

    def length(self) -> int:
        """How many messages wait, not counting those put off to later.

        :raises ConfigurationInvalid: SETTINGS_INVALID where the queue cannot be reached.
        """
        try:
            return int(self._huey.storage.queue_size())
        except Exception as error:
            raise ConfigurationInvalid(
                ErrorCode.SETTINGS_INVALID, f"the queue cannot be reached ({type(error).__name__})"
            ) from error

    def put_off(self) -> int:
        """How many messages wait for their time (retries)."""
        return int(self._huey.storage.schedule_size())

    def close(self) -> None:
        """Close the connection."""
        self._huey.storage.close()

    # -- running

    def register(self, name: str, function: Task) -> None:
        """Say what a task does. Its ids arrive as keyword arguments; what it returns is thrown away.

        An exception is retried with growing pauses where repeating may help: a platform's failure that says
        so (waiting for as long as the platform asks), and anything unforeseen; never the tool's other errors.
        """
        self._tasks[name] = function

    def run_one(self) -> bool:
        """Run the next waiting message in this thread; False where none waits."""
        message = self._huey.dequeue()
        if message is None:
            return False
        self._huey.execute(message)
        return True

    def run_worker(self, *, threads: int, periodic: Periodic) -> None:
        """Be the worker until SIGINT or SIGTERM; running tasks may end first, a second signal cuts them off.

        Must be called in the main thread, which waits for the signals.
        """
        self._huey.periodic_task(
            lambda _now: True,
            name="periodic",
            # One that waited through a backlog is of no use: the next one is already behind it.
            expires=periodic.seconds,
        )(lambda: self._perform(periodic.task, {}, attempt=None))
        # Only a worker waits inside the storage until a message comes; everybody else asks and goes on.
        self._huey.storage.blocking = self._can_wait
        self._worker(threads, periodic.seconds).run()
        self.close()

    def _worker(self, threads: int, seconds: int) -> Consumer:
        return _Worker(
            self._huey,
            period=seconds,
            workers=threads,
            initial_delay=LONGEST_IDLE_SECONDS / 5,
            max_delay=LONGEST_IDLE_SECONDS,
            shutdown_timeout=STOP_SECONDS,
        )

    def _execute(self, name: str, ids: Mapping[str, str], task: Any) -> None:
        wait = self._perform(name, ids, attempt=RETRIES - task.retries if task.retries > 0 else None)
        if wait is not None:
            # Huey gives a task that raises RetryTask its retry back; it is taken here, so that they end.
            task.retries -= 1
            raise RetryTask(delay=wait)

    def _perform(self, name: str, ids: Mapping[str, str], *, attempt: int | None) -> float | None:
        """Run a task; what it raises is logged and counted.

        :param attempt: how often it was tried before; None where this was its last time.
        :returns: seconds after which it is to be tried again; None where it is not.
        """
        function = self._tasks.get(name)
        if function is None:
            # From a newer release during an update: the reconcile pass of a newer worker finds the work.
            log.warning("task_unknown", task=name)
            return None
        telemetry.clear_context()
        telemetry.bind_context(task=name, **ids)
        started = time.monotonic()
        outcome, wait = "failed", None
        try:
            function(**ids)
            outcome = "done"
        except Exception as error:
            wait = None if attempt is None else retry_wait(error, attempt)
            outcome = "failed" if wait is None else "retried"
            log.warning("task_failed", error=str(error), wait=wait, exc_info=not isinstance(error, ToolError))
        finally:
            telemetry.JOBS.labels(name, outcome).inc()
            telemetry.JOB_SECONDS.labels(name).observe(time.monotonic() - started)
            telemetry.clear_context()
        return wait


def retry_wait(error: Exception, attempt: int) -> float | None:
    """Seconds to wait before the same task is tried again; None where repeating it cannot help.

    :param attempt: 0 after the first failure.
    """
    back_off = BACK_OFF_SECONDS * BACK_OFF_FACTOR**attempt
    back_off *= 1 + random.random() / 5  # noqa: S311 - spreads retries, no secret
    if isinstance(error, PlatformFailed):
        if not error.retryable:
            return None
        return min(LONGEST_WAIT_SECONDS, max(back_off, error.retry_after or 0.0))
    return None if isinstance(error, ToolError) else back_off


class _Messages(Serializer):  # type: ignore[misc]  # Huey has no type information
    """Messages as JSON. Only what ``Queue`` sends is understood."""

    def _serialize(self, data: object) -> bytes:
        if not isinstance(data, Message):
            return json.dumps(data).encode()
        return json.dumps(
            {
                "id": data.id,
                "name": data.name,
                "args": list(data.args),
                "eta": _text(data.eta),
                "retries": data.retries,
                "expires": data.expires if isinstance(data.expires, int | float) else None,
                "expires_at": _text(data.expires_resolved),
            },
            separators=(",", ":"),
        ).encode()

    def _deserialize(self, data: bytes) -> object:
        message = json.loads(data)
        if not isinstance(message, dict):
            return message
        return Message(
            id=str(message["id"]),
            name=str(message["name"]),
            eta=_time(message["eta"]),
            retries=int(message["retries"]),
            args=tuple(message["args"]),
            kwargs={},
            expires=message["expires"],
            expires_resolved=_time(message["expires_at"]),
        )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    # Huey counts in naive UTC.
    return None if text is None else datetime.fromisoformat(text)


class _SqliteStorage(SqliteStorage):  # type: ignore[misc]  # Huey has no type information
    def _create_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._create_connection()
        # Huey knows "sync at every commit" and "never"; in WAL this is safe too, and slows no launch down.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


class _Worker(Consumer):  # type: ignore[misc]  # Huey has no type information
    """Huey's consumer in the main thread; both signals let running tasks end."""

    def __init__(self, *args: Any, period: int, **kwargs: Any) -> None:
        # Huey looks at its periodic tasks once a minute; our freshness promise needs it more often.
        self.scheduler_class = type("PeriodicScheduler", (Scheduler,), {"periodic_task_seconds": period})
        super().__init__(*args, **kwargs)
        self._signal_actions = {signal.SIGINT: (False, True), signal.SIGTERM: (False, True)}


def _open(url: str) -> Huey:
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {"results": False, "serializer": _Messages(), "utc": True}
    try:
        match scheme:
            case "sqlite":
                path = url.removeprefix("sqlite:///")
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                return Huey(NAME, storage_class=_SqliteStorage, filename=path, **options)
            case "postgresql":
                return _open_postgres(url, options)
            case "redis" | "rediss":
                return RedisHuey(NAME, url=url, blocking=False, **options)
            case "memory":
                return MemoryHuey(NAME, **options)
    except Exception as error:
        # The URL is not repeated: it may hold a password.
        raise ConfigurationInvalid(
            ErrorCode.SETTINGS_INVALID, f"the queue cannot be opened ({type(error).__name__})"
        ) from error
    raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, f"no support for {scheme or 'such'} queues")


def _open_postgres(url: str, options: Mapping[str, Any]) -> Huey:
    try:
        return PostgresHuey(NAME, dsn=url, blocking=False, **options)
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
        # PostgreSQL: CREATE TABLE IF NOT EXISTS is not atomic; another process of ours was first.
        return PostgresHuey(NAME, dsn=url, blocking=False, **options)
