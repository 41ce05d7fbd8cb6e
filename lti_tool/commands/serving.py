"""``serve`` and ``worker``: granian's web processes, and one worker process beside them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from lti_tool import telemetry
from lti_tool.bootstrap import Tool, make_keys
from lti_tool.commands import DONE, Answer, Call
from lti_tool.jobs.tasks import work
from lti_tool.keyring import LTI
from lti_tool.queue import STOP_SECONDS

log = telemetry.get_logger(__name__)

FIRST_RESTART_SECONDS, LONGEST_RESTART_SECONDS = 1.0, 60.0
"""A worker that dies is started again, later each time: one that cannot live must not burn the machine."""

STEADY_SECONDS = 60.0
"""A worker that lived so long had a reason of its own to die: the next starts at once again."""


def serve(call: Call) -> Answer:
    """Serve pages, with the embedded worker where the settings say so, until SIGINT or SIGTERM."""
    arguments, tool = call.arguments, call.tool
    settings = tool.settings
    prepare(tool, migrate=arguments.migrate)
    tool.close()
    telemetry.prepare_metrics_folder(settings.metrics_dir)
    # Web processes are started afresh, not forked: a fork would share database connections and locks, and
    # would count metrics where nobody looks.
    multiprocessing.set_start_method("spawn", force=True)
    server = Granian(
        "lti_tool.app:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=arguments.host,
        port=arguments.port,
        log_level=LogLevels.warning,
        # Access logs would hold the session tokens that stand in some paths.
        log_access=False,
        **settings.granian_options(),
    )
    worker = WorkerProcess() if settings.embedded_worker else None
    if worker is not None:
        server.on_startup(worker.start)
        server.on_shutdown(worker.stop)
    log.info("serving", address=f"{arguments.host}:{arguments.port}", base_url=settings.base_url)
    try:
        server.serve()
    finally:
        if worker is not None:
            worker.stop()
    return Answer({"served": settings.base_url}, (), DONE)


def prepare(tool: Tool, *, migrate: bool) -> None:
    """Make sure that there is something to serve from.

    In development the database is migrated and missing keys are made; elsewhere the first only on demand and
    the second never: a machine that makes a key of its own would sign what nobody can verify.

    :raises ConfigurationInvalid: DATABASE_NOT_MIGRATED, KEY_MISSING, KEY_FILE_EXPOSED.
    """
    if migrate or tool.settings.is_development:
        tool.database.upgrade()
    tool.database.require_migrated()
    if tool.settings.is_development:
        make_keys(tool.keyring)
    tool.keyring.signer(LTI)


@dataclass
class WorkerProcess:
    """Exactly one worker process: started again when it dies, ended with the server."""

    command: tuple[str, ...] = (sys.executable, "-m", "lti_tool.cli", "worker", "--ends-with-parent")
    _stopping: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _watcher: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start it, and watch over it in a thread."""
        self._watcher = threading.Thread(target=self._watch, name="worker-watcher", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int | None:
        """The process id of the worker that lives now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def stop(self) -> None:
        """End it: its running tasks may finish, for a while. Repeating it is harmless."""
        self._stopping.set()
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join(5)

    def _watch(self) -> None:
        pause = FIRST_RESTART_SECONDS
        while not self._stopping.is_set():
            with self._lock:
                if self._stopping.is_set():
                    return
                # A session of its own: Ctrl-C in the terminal reaches the server, which ends it in order.
                # The pipe is never written to; it closes when this process dies however suddenly.
                process = self._process = subprocess.Popen(  # noqa: S603 - our own command
                    self.command, stdin=subprocess.PIPE, start_new_session=True
                )
            started = time.monotonic()
            status = process.wait()
            telemetry.forget_process(process.pid)
            if self._stopping.is_set():
                return
            if time.monotonic() - started > STEADY_SECONDS:
                pause = FIRST_RESTART_SECONDS
            log.error("worker_died", status=status, restart_in=pause)
            self._stopping.wait(pause)
            pause = min(LONGEST_RESTART_SECONDS, pause * 2)


def worker(call: Call) -> Answer:
    """Run tasks until SIGINT or SIGTERM."""
    if call.arguments.ends_with_parent:
        threading.Thread(target=_end_with_parent, name="parent-watcher", daemon=True).start()
    work(call.tool)
    return Answer({"worked": True}, (), DONE)


def _end_with_parent() -> None:
    # Raw reads: a buffered stream's lock would be held at the interpreter's end.
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
