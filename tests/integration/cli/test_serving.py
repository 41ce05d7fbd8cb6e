"""``serve``: pages and exactly one worker, started again when it dies, gone when the server goes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.conftest import CommandLine

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 200
"""A server is three interpreters that start; on a machine that does much else each takes its time."""

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(900)]


def children(pid: int) -> dict[int, str]:
    """Process ids and command lines of a process's children."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(status[1]) == pid and status[0] != "Z":
                found[int(entry.name)] = line
    return found


def lives(pid: int) -> bool:
    """Whether there is such a process; one that ended and was not waited for is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers(pid: int) -> list[int]:
    return [child for child, line in children(pid).items() if "--ends-with-parent" in line]


def wait_for(condition: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < ends, f"not in time: {what}"
        time.sleep(0.1)


def answers(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def body(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return b""


@pytest.fixture
def port() -> Iterator[int]:
    """A free port, and nobody else's until the test is over.

    A socket that is bound and does not listen keeps the kernel from giving it to another process in the
    seconds until the server binds it; the server may, for both say SO_REUSEADDR.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server on an empty folder, in development."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LTI_TOOL_")},
        "LTI_TOOL_ENV": "development",
        "LTI_TOOL_DATA_DIR": str(tmp_path / "data"),
        "LTI_TOOL_BASE_URL": f"http://localhost:{port}",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "lti_tool.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_one_worker_lives_and_ends_with_the_server(server: subprocess.Popen[bytes], port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: answers(f"{base}/readyz") == 200, "ready")
    wait_for(lambda: len(workers(server.pid)) == 1, "a worker")
    (first,) = workers(server.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: workers(server.pid) not in ([], [first]), "another worker")
    assert len(workers(server.pid)) == 1

    # Not as soon as its file is there: it is made before anything is written to it.
    wait_for(lambda: b"lti_tool_jobs_total" in body(f"{base}/metrics"), "what the worker counted")

    family = children(server.pid)
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE_SECONDS) == 0
    wait_for(lambda: not any(lives(pid) for pid in family), "everybody's end")


def test_what_was_refused_just_before_the_server_ends_is_kept(
    server: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    base, here = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    wait_for(lambda: answers(f"{base}/readyz") == 200, "ready")
    login = f"iss=https://lms.example&login_hint=1&target_link_uri={here}/lti/launch"
    assert answers(f"{base}/lti/login?{login}") == 400
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE_SECONDS) == 0
    with closing(sqlite3.connect(tmp_path / "data" / "lti-tool.sqlite3")) as database:
        assert database.execute("SELECT code, count FROM refused_launches").fetchall() == [
            ("registration_unknown", 1)
        ]


def test_the_worker_of_a_server_that_was_killed_ends(server: subprocess.Popen[bytes], port: int) -> None:
    """Or the next server's worker would be the second."""
    wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz") == 200, "alive")
    wait_for(lambda: workers(server.pid), "a worker")
    family = children(server.pid)
    (worker,) = workers(server.pid)
    server.kill()
    server.wait()
    wait_for(lambda: not lives(worker), "the orphan's end")
    for pid in family:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def test_production_refuses_what_is_not_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lti_tool: CommandLine
) -> None:
    """It neither migrates unasked, nor makes a key that no LMS knows."""
    monkeypatch.setenv("LTI_TOOL_BASE_URL", "https://badges.example")
    monkeypatch.setenv("LTI_TOOL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LTI_TOOL_SECRET_KEY", secrets.token_urlsafe(48))
    for command in ("serve", "worker"):
        said = lti_tool(command, "--json")
        assert (said.status, json.loads(said.out)["error"]["code"]) == (1, "database_not_migrated")
    said = lti_tool("serve", "--migrate", "--json")
    assert (said.status, json.loads(said.out)["error"]["code"]) == (1, "key_missing")
