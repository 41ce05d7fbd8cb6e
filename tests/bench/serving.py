"""Web servers to measure, and a client that plays browser and platform.

Each application runs under granian as ``lti-tool serve`` runs it: two processes. Only their CPU time counts,
not the client's, which signs the tokens.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.bench.measuring import processes_cpu

WORKERS = 2
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """An application under granian."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        return processes_cpu([self.process.pid, *_children(self.process.pid)])

    def connection(self) -> http.client.HTTPConnection:
        """A kept connection, as a browser has one."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)


def _children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found + [below for child in found for below in _children(child)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def served(
    application: str,
    environment: Mapping[str, str],
    folder: Path,
    *,
    port: int | None = None,
    threads: int = 4,
) -> Iterator[Server]:
    """Serve ``module:factory`` with granian on a port of its own until the block ends.

    :param port: where the application has to know its own address beforehand.
    :param threads: of each process.
    :raises RuntimeError: if it does not answer in time; with what it said.
    """
    port = port or free_port()
    said = folder / f"server-{port}.log"
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)),
        *("--blocking-threads", str(threads), "--log-level", "warning", application),
    ]
    with said.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{application} did not start: {said.read_text()[-2000:]}")
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                time.sleep(0.05)
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load."""

    per_second: float
    cpu_seconds: float
    """Of the server's processes, per operation."""


def load(
    server: Server,
    operation: Callable[[http.client.HTTPConnection, int], None],
    *,
    count: int,
    concurrency: int = 8,
) -> Load:
    """Do ``operation`` ``count`` times over ``concurrency`` kept connections.

    :param operation: gets the connection and the number of the call; raises if the answer is wrong.
    """
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        connection = server.connection()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            operation(connection, number)

    used, started = server.cpu(), time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        for future in [pool.submit(work) for _ in range(concurrency)]:
            future.result()
    seconds = time.perf_counter() - started
    return Load(count / seconds, (server.cpu() - used) / count)


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    documents: Mapping[str, bytes]

    def do_GET(self) -> None:
        body = self.documents.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def documents(served: Mapping[str, object]) -> Iterator[str]:
    """JSON documents by path on a port of this process; its origin. A platform's key set, for instance."""
    bodies = {path: json.dumps(document).encode() for path, document in served.items()}
    handler = type("Handler", (_Quiet,), {"documents": bodies})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
