"""Connections that judge the address they connect to, and that end when the time is over."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, Final, cast

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from lti_tool.errors import ErrorCode, OutboundRefused
from lti_tool.outbound.policy import Audience, OutboundPolicy, port_of

CONNECT_TIMEOUT: Final = 5.0
"""Seconds to connect: two lost SYN packets are repeated within 3."""


class Deadline:
    """One time limit over connecting, sending and every byte of the answer.

    Socket time-outs bound each wait for a byte; a server that sends one now and then passes them for ever.
    So the connection is shut down when the time is over, whatever it is doing.
    """

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Deadline:
        _timekeeper.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _timekeeper.discard(self)
        with self._lock:
            self._socket = None

    @property
    def remaining(self) -> float:
        return self.ends - time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.remaining <= 0

    def watch(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # The plain shutdown: ssl's own forgets the TLS state that the other thread is using.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Timekeeper:
    """Cuts every connection whose time is over, from one thread.

    A timer for each call would be a thread for each call: a sixth of what reading a roster's page costs. The
    thread begins with the first call, and ends when nobody has called for a while.
    """

    LINGER: Final = 30.0

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._looks_at = 0.0
        """When it looks again, whatever happens."""

    def add(self, deadline: Deadline) -> None:
        with self._changed:
            self._running.add(deadline)
            if self._thread is None:
                self._looks_at = time.monotonic() + self.LINGER
                self._thread = threading.Thread(target=self._keep, name="outbound-deadlines", daemon=True)
                self._thread.start()
            elif deadline.ends < self._looks_at:
                self._changed.notify()

    def discard(self, deadline: Deadline) -> None:
        with self._changed:
            self._running.discard(deadline)

    def _keep(self) -> None:
        with self._changed:
            try:
                while self._running or time.monotonic() < self._looks_at:
                    for deadline in [one for one in self._running if one.is_over]:
                        self._running.discard(deadline)
                        deadline.cut()
                    now = time.monotonic()
                    self._looks_at = min((one.ends for one in self._running), default=now + self.LINGER)
                    self._changed.wait(max(0.0, self._looks_at - now))
            finally:
                self._thread = None


_timekeeper = _Timekeeper()
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_timekeeper.__init__)  # type: ignore[misc]


current_deadline: ContextVar[Deadline | None] = ContextVar("outbound_deadline", default=None)


# -------------------------------------------------------------------------------------------- connection
class _GuardedConnection(HTTPConnection):
    """Resolves, judges and connects in one place, and tells the time limit which socket to cut."""

    scheme = "http"
    policy: OutboundPolicy
    audience: Audience

    def _new_conn(self) -> socket.socket:
        port = self.port or port_of(self.scheme)
        try:
            found = socket.getaddrinfo(self._dns_host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise urllib3.exceptions.NameResolutionError(
                self.host, self, cast(socket.gaierror, error)
            ) from error
        permitted = [entry for entry in found if self._permits(entry[4][0], port)]
        if not permitted:
            raise OutboundRefused(
                ErrorCode.OUTBOUND_URL_REFUSED, f"{self.scheme}://{self.host} is not a public address"
            )
        trouble: OSError | None = None
        for family, kind, protocol, _, address in permitted:
            connection = socket.socket(family, kind, protocol)
            try:
                deadline = current_deadline.get()
                connection.settimeout(
                    min(CONNECT_TIMEOUT, max(0.01, deadline.remaining)) if deadline else CONNECT_TIMEOUT
                )
                connection.connect(address)
                if not self._permits(connection.getpeername()[0], port):
                    raise OutboundRefused(ErrorCode.OUTBOUND_URL_REFUSED, f"{self.host} led elsewhere")
                connection.settimeout(max(0.01, deadline.remaining) if deadline else CONNECT_TIMEOUT)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                trouble = error
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        if isinstance(trouble, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(self, "connecting took too long") from trouble
        raise urllib3.exceptions.NewConnectionError(self, "could not connect") from trouble

    def _permits(self, address: str | int, port: int) -> bool:
        # A scope such as %eth0 follows link-local addresses.
        parsed = ipaddress.ip_address(str(address).partition("%")[0])
        return self.policy.permits(self.scheme, self._dns_host, port, parsed, self.audience)

    def connect(self) -> None:
        super().connect()
        self._be_watched()

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        self._be_watched()  # a connection taken from the pool
        super().putrequest(*args, **kwargs)

    def _be_watched(self) -> None:
        deadline = current_deadline.get()
        if deadline is not None and self.sock is not None:
            deadline.watch(self.sock)


class _GuardedTlsConnection(_GuardedConnection, HTTPSConnection):
    scheme = "https"


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """Makes pools whose connections hold one policy for one audience."""

    def __init__(self, policy: OutboundPolicy, audience: Audience) -> None:
        rules = {"policy": policy, "audience": audience}
        plain = type("_Connection", (_GuardedConnection,), rules)
        tls = type("_TlsConnection", (_GuardedTlsConnection,), rules)
        self._pool_classes: dict[str, Any] = {
            "http": type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
        super().__init__(pool_connections=32, pool_maxsize=8, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes
