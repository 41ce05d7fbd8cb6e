"""Canonicalising what strangers sent, in a process that can be killed.

RDFC-1.0 is exponential for some graphs (rdf-canon test074), pyoxigraph cannot be interrupted, and a nested
document can make PyLD recurse. So a stranger's document is read in a child process with limits on CPU time
and memory, which the parent kills when it takes too long. The child answers many requests and is replaced
after each failure; it gets no environment and no open file but its two pipes. Nobody waits long: what has too
much in it is not handed over, and who does not get the child within seconds is told so.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid, TooComplex
from lti_tool.credentials.reading import excess_of
from lti_tool.errors import ErrorCode

CPU_SECONDS: Final = 3.0
"""CPU and wall-clock budget of one request, in seconds; an honest badge takes 0.02."""
WAIT_SECONDS: Final = 2.0
"""How long a request waits for those before it, in seconds."""
_START_SECONDS: Final = 10.0
"""How long a fresh child may import, in seconds; it takes 0.5 unless the machine is overloaded."""
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_REQUESTS_PER_CHILD: Final = 500
_MAXIMUM_ANSWER: Final = 16 * 1024 * 1024


class Canonicaliser:
    """A child process that reads JSON-LD; safe to share between threads, one request at a time."""

    def __init__(self, seconds: float = CPU_SECONDS, wait: float = WAIT_SECONDS) -> None:
        self._seconds = seconds
        self._wait = wait
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._served = 0
        self._is_ready = False
        self._owner = os.getpid()
        atexit.register(self.close)

    def canonicalise(self, documents: Sequence[Mapping[str, Any]]) -> list[str]:
        """Check the coverage of ``documents`` and canonicalise each (RDFC-1.0).

        :raises ContextNotVendored: if a context is not shipped.
        :raises TooComplex: if it has too much in it, takes too long or too much memory, if the blank nodes
            are too alike, or (``busy``) if others keep the child busy.
        :raises CredentialInvalid: if one is no JSON-LD, or has members that a signature would not cover.
        """
        for document in documents:
            excess = excess_of(document)
            if excess is not None:
                raise TooComplex(excess)
        request = json.dumps(list(documents)).encode()
        if not self._lock.acquire(timeout=self._wait):
            raise TooComplex("busy")
        try:
            answer = self._ask(request)
        finally:
            self._lock.release()
        if "error" in answer:
            error = answer["error"]
            if error["code"] == ErrorCode.CONTEXT_NOT_VENDORED:
                raise ContextNotVendored(error["params"]["url"])
            if error["code"] == ErrorCode.CREDENTIAL_TOO_COMPLEX:
                raise TooComplex(error["params"]["reason"])
            raise CredentialInvalid(ErrorCode(error["code"]), error["detail"], **error["params"])
        canonical: list[str] = answer["canonical"]
        return canonical

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is not None and self._owner == os.getpid():
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was still buffered for a dead child is lost
                        pipe.close()

    def _ask(self, request: bytes) -> dict[str, Any]:
        if self._owner != os.getpid():
            # a web server forked after the first use: two processes must not talk through the same pipes
            self._child, self._owner = None, os.getpid()
        if self._child is None or self._child.poll() is not None or self._served >= _REQUESTS_PER_CHILD:
            self._replace()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        self._served += 1
        if not self._is_ready:
            # a fresh child has to import first; that is not the document's fault, and none of its time
            try:
                _read(child.stdout, 1, time.monotonic() + _START_SECONDS)
            except (TimeoutError, EOFError):
                self.close()
                raise TooComplex("busy") from None
            self._is_ready = True
        deadline = time.monotonic() + self._seconds
        try:
            child.stdin.write(struct.pack(">I", len(request)) + request)
            child.stdin.flush()
            (length,) = struct.unpack(">I", _read(child.stdout, 4, deadline))
            if length > _MAXIMUM_ANSWER:
                raise TimeoutError
            answer: dict[str, Any] = json.loads(_read(child.stdout, length, deadline))
        except (TimeoutError, EOFError, BrokenPipeError, struct.error):
            self._replace()  # at once: it imports while nobody waits for it
            raise TooComplex("took_too_long") from None
        return answer

    def _replace(self) -> None:
        self.close()
        self._child = _start()
        self._served = 0
        self._is_ready = False


def _start() -> subprocess.Popen[bytes]:
    # -I: neither the environment nor the working folder may add modules; so the parent's path is handed over
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from lti_tool.credentials.sandbox import serve; serve()"
    )
    return subprocess.Popen(  # noqa: S603 - our own interpreter and a program of constants
        [sys.executable, "-I", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        close_fds=True,
    )


def _read(pipe: BinaryIO | Any, count: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < count:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(pipe.fileno(), min(65536, count - len(received)))
        if not part:
            raise EOFError
        received += part
    return bytes(received)


def serve() -> None:
    """The child's loop: length-prefixed JSON in, length-prefixed JSON out, until the input ends."""
    import resource  # POSIX only, and only the child limits itself

    from lti_tool.credentials.jsonld import canonicalise_quads, require_coverage, screen, to_quads

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(b"\n")  # ready
    sink.flush()
    while header := source.read(4):
        (length,) = struct.unpack(">I", header)
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime + CPU_SECONDS) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        answer: dict[str, Any]
        try:
            canonical = []
            for document in json.loads(source.read(length)):
                require_coverage(document)
                quads = to_quads(document)
                screen(quads)
                canonical.append(canonicalise_quads(quads))
            answer = {"canonical": canonical}
        except CredentialInvalid as error:
            answer = {"error": {"code": error.code.value, "detail": error.detail, "params": error.params}}
        except (MemoryError, RecursionError):
            answer = {"error": _problem(ErrorCode.CREDENTIAL_TOO_COMPLEX, "took_too_long")}
        except ValueError:  # lone surrogates, integers of thousands of digits
            answer = {"error": _problem(ErrorCode.CREDENTIAL_TEXT_INVALID, "not_json_ld")}
        written = json.dumps(answer).encode()
        sink.write(struct.pack(">I", len(written)) + written)
        sink.flush()


def _problem(code: ErrorCode, reason: str) -> dict[str, Any]:
    return {"code": code.value, "detail": reason, "params": {"reason": reason, "pointer": ""}}
