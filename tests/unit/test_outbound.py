"""The outgoing HTTP policy: what a hostile platform, visitor or name server would try."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lti_tool.errors import ErrorCode, OutboundRefused, PlatformFailed
from lti_tool.outbound import Outbound, OutboundPolicy, is_public, transaction_closed, transaction_opened
from lti_tool.outbound import connection as connection_module

PRODUCTION = OutboundPolicy.of((), is_development=False, base_url="https://badges.example")
DEVELOPMENT = OutboundPolicy.of((), is_development=True, base_url="http://localhost:8000")


@contextlib.contextmanager
def server(speak: Callable[[socket.socket, bytes], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that reads the head of a request and then says what a test wants."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)
    stopping = threading.Event()

    def converse(plain: socket.socket) -> None:
        with contextlib.ExitStack() as open_until_said, contextlib.suppress(OSError):
            conversation = open_until_said.enter_context(plain)
            if tls is not None:
                conversation = open_until_said.enter_context(tls.wrap_socket(plain, server_side=True))
            head = b""
            while b"\r\n\r\n" not in head:
                piece = conversation.recv(4096)
                if not piece:
                    return
                head += piece
            speak(conversation, head)

    def listen() -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                conversation, _ = listening.accept()
                conversation.settimeout(60)
                talk = threading.Thread(target=converse, args=(conversation,))
                talk.start()
                talks.append(talk)

    talks: list[threading.Thread] = []
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        stopping.set()
        thread.join()
        for talk in talks:
            talk.join()
        listening.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS for 127.0.0.1 with a certificate that nobody vouches for; it lies in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def says(answer: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda conversation, head: conversation.sendall(answer)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let every name resolve to each of `answers` in turn, the last one for ever; returns what was asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(connection_module.socket, "getaddrinfo", getaddrinfo)
    return asked


class SilentSocket:
    """Stands in for a socket, so that no test connects to an address that is not on this machine."""

    def __init__(self, *_: object) -> None:
        """Nothing is opened."""

    def settimeout(self, seconds: float) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def get(url: str, policy: OutboundPolicy = DEVELOPMENT, **options: object) -> bytes:
    options.setdefault("audience", "platform")
    return Outbound(policy).request("GET", url, **options).body  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ addresses
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.0.9",
        "192.88.99.1",
        "198.18.0.1",
        "240.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_an_address_that_is_not_everybodys_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "193.99.144.80", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("audience", ["platform", "visitor"])
@pytest.mark.parametrize(
    "url",
    [
        "http://badges.example/x",
        "ftp://badges.example/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "https://",
        "https:///x",
        "//badges.example/x",
        "https://someone@badges.example/",
        "https://someone:secret@badges.example/",
        "https://badges.example/\r\nX-Injected: 1",
        "https://badges.example/a b",
        "https://badges.example:notaport/",
        "https://" + "a" * 5000,
        "",
    ],
)
def test_a_url_that_no_address_could_save_is_refused(url: str, audience: str) -> None:
    with pytest.raises(OutboundRefused) as refusal:
        get(url, PRODUCTION, audience=audience)
    assert refusal.value.code is ErrorCode.OUTBOUND_URL_REFUSED


@pytest.mark.loopback
@pytest.mark.parametrize("audience", ["platform", "visitor"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_this_machine_is_not_reached_by_any_spelling(host: str, audience: str) -> None:
    with server(says(OK)) as port, pytest.raises((OutboundRefused, PlatformFailed)) as refusal:
        get(f"https://{host}:{port}/", PRODUCTION, audience=audience)
    assert refusal.value.code in (ErrorCode.OUTBOUND_URL_REFUSED, ErrorCode.PLATFORM_UNREACHABLE)
    if host != "0x7f.1":  # some resolvers do not know this spelling at all
        assert refusal.value.code is ErrorCode.OUTBOUND_URL_REFUSED


@pytest.mark.loopback
def test_the_address_that_is_judged_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a name that answers with a public address first and a private one afterwards."""
    asked = resolves_to(monkeypatch, "93.184.215.14", "127.0.0.1")
    connected: list[str] = []

    class Socket(SilentSocket):
        def connect(self, address: tuple[str, int]) -> None:
            connected.append(address[0])
            raise ConnectionRefusedError

    monkeypatch.setattr(connection_module.socket, "socket", Socket)
    with pytest.raises(PlatformFailed):
        get("https://rebinding.example/", PRODUCTION)
    assert connected == ["93.184.215.14"]
    with pytest.raises(OutboundRefused):
        get("https://rebinding.example/", PRODUCTION)
    assert connected == ["93.184.215.14"]
    assert asked == ["rebinding.example", "rebinding.example"]


@pytest.mark.loopback
def test_loopback_serves_platforms_in_development_only() -> None:
    with server(says(OK)) as port:
        assert get(f"http://127.0.0.1:{port}/") == b"ok"
        with pytest.raises(OutboundRefused):
            get(f"http://127.0.0.1:{port}/", PRODUCTION)
        with pytest.raises(OutboundRefused):
            get(f"http://127.0.0.1:{port}/", DEVELOPMENT, audience="visitor")


@pytest.mark.loopback
def test_a_visitor_in_development_may_name_this_installation_and_no_neighbour() -> None:
    with server(says(OK)) as port, server(says(OK)) as neighbour:
        policy = OutboundPolicy.of((), is_development=True, base_url=f"http://localhost:{port}")
        assert get(f"http://localhost:{port}/status/1", policy, audience="visitor") == b"ok"
        with pytest.raises(OutboundRefused):
            get(f"http://localhost:{neighbour}/", policy, audience="visitor")


@pytest.mark.loopback
def test_what_the_operator_excepts_serves_platforms_and_never_visitors() -> None:
    with server(says(OK)) as port:
        for allow in (["127.0.0.0/8"], ["127.0.0.1"], ["LOCALHOST"]):
            policy = OutboundPolicy.of(allow, is_development=False, base_url="https://badges.example")
            url = f"http://{'localhost' if allow == ['LOCALHOST'] else '127.0.0.1'}:{port}/"
            assert get(url, policy) == b"ok"
            with pytest.raises(OutboundRefused):
                get(url, policy, audience="visitor")


def test_an_excepted_name_does_not_lead_to_where_clouds_keep_secrets() -> None:
    policy = OutboundPolicy.of(
        ["moodle.campus.example"], is_development=False, base_url="https://badges.example"
    )

    def permits(address: str) -> bool:
        return policy.permits(
            "https", "moodle.campus.example", 443, ipaddress.ip_address(address), "platform"
        )

    assert permits("10.0.0.7")
    assert not permits("169.254.169.254")
    assert not permits("fe80::1")
    assert not permits("0.0.0.0")
    assert not policy.permits("https", "other.example", 443, ipaddress.ip_address("10.0.0.7"), "platform")
    assert not policy.permits("http", "other.example", 80, ipaddress.ip_address("93.184.215.14"), "platform")


# ------------------------------------------------------------------------------------------------ redirects
def redirects_to(location: str) -> bytes:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n"
    return head.encode() + b"Content-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.loopback
def test_a_redirect_is_an_answer_unless_it_was_asked_for() -> None:
    with server(says(OK)) as target, server(says(redirects_to(f"http://127.0.0.1:{target}/"))) as port:
        outbound = Outbound(DEVELOPMENT)
        assert outbound.request("GET", f"http://127.0.0.1:{port}/", audience="platform").status == 302
        followed = outbound.request("GET", f"http://127.0.0.1:{port}/", audience="platform", redirects=2)
        assert followed.body == b"ok"
        assert followed.url == f"http://127.0.0.1:{target}/"


@pytest.mark.loopback
@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/", "file:///etc/passwd", "https://10.0.0.1/", "http://x.example/"],
)
def test_each_redirect_is_judged_like_a_first_url(target: str) -> None:
    with server(says(redirects_to(target))) as port:
        policy = OutboundPolicy.of((), is_development=True, base_url=f"http://localhost:{port}")
        with pytest.raises(OutboundRefused):
            get(f"http://localhost:{port}/", policy, audience="visitor", redirects=3)


@pytest.mark.loopback
def test_redirects_in_a_circle_end() -> None:
    with server(says(redirects_to("/again"))) as port, pytest.raises(PlatformFailed) as failure:
        get(f"http://127.0.0.1:{port}/", redirects=3)
    assert failure.value.code is ErrorCode.PLATFORM_ANSWER_INVALID


@pytest.mark.loopback
def test_a_bearer_token_stays_with_its_origin() -> None:
    heads: list[bytes] = []

    def listen(conversation: socket.socket, head: bytes) -> None:
        heads.append(head)
        conversation.sendall(OK)

    with server(listen) as target, server(says(redirects_to(f"http://127.0.0.1:{target}/"))) as port:
        get(
            f"http://127.0.0.1:{port}/",
            redirects=1,
            headers={"Authorization": "Bearer secret", "Accept": "a/b"},
        )
    assert b"secret" not in heads[0]
    assert b"Accept: a/b" in heads[0]


# --------------------------------------------------------------------------------------------------- bounds
def drips(first: bytes) -> Callable[[socket.socket, bytes], None]:
    def speak(conversation: socket.socket, head: bytes) -> None:
        conversation.sendall(first)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                conversation.sendall(b"a")
                time.sleep(0.05)

    return speak


@pytest.mark.loopback
@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    ],
    ids=["status line", "header", "body", "body without length", "chunk"],
)
def test_a_server_that_drips_is_cut_off_at_the_time_limit(first: bytes) -> None:
    started = time.monotonic()
    with server(drips(first)) as port, pytest.raises(PlatformFailed) as failure:
        get(f"http://127.0.0.1:{port}/", timeout=0.4)
    assert failure.value.code is ErrorCode.PLATFORM_TIMED_OUT
    assert failure.value.retryable
    assert time.monotonic() - started < 30, "the server drips for fifty seconds"


@pytest.mark.loopback
def test_a_pooled_connection_has_the_time_limit_of_the_call_that_uses_it() -> None:
    def speak(conversation: socket.socket, head: bytes) -> None:
        conversation.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        conversation.recv(4096)
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")(conversation, b"")

    with server(speak) as port:
        outbound = Outbound(DEVELOPMENT)
        url = f"http://127.0.0.1:{port}/"
        assert outbound.request("GET", url, audience="platform").body == b"ok"
        with pytest.raises(PlatformFailed) as failure:
            outbound.request("GET", url, audience="platform", timeout=0.4)
    assert failure.value.code is ErrorCode.PLATFORM_TIMED_OUT


@pytest.mark.loopback
def test_calls_at_once_end_each_at_its_own_time_limit() -> None:
    with server(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as port:
        outbound = Outbound(DEVELOPMENT)
        url = f"http://127.0.0.1:{port}/"

        def seconds_of(limit: float) -> float:
            started = time.monotonic()
            with pytest.raises(PlatformFailed) as failure:
                outbound.request("GET", url, audience="platform", timeout=limit)
            assert failure.value.code is ErrorCode.PLATFORM_TIMED_OUT
            return time.monotonic() - started

        with ThreadPoolExecutor(4) as pool:
            # The longest first: what is already awaited must not keep a shorter limit waiting.
            taken = dict(zip((6.0, 1.0, 0.5, 0.2), pool.map(seconds_of, (6.0, 1.0, 0.5, 0.2)), strict=True))
        timekeepers = [one for one in threading.enumerate() if one.name == "outbound-deadlines"]
    assert all(limit <= seconds for limit, seconds in taken.items())
    assert all(seconds < taken[6.0] for limit, seconds in taken.items() if limit < 6.0)
    assert len(timekeepers) == 1


@pytest.mark.loopback
def test_a_time_limit_holds_after_nobody_called_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lti_tool.outbound.connection._Timekeeper.LINGER", 0.01)
    for _ in range(3):
        test_a_server_that_drips_is_cut_off_at_the_time_limit(b"")
        deadline = time.monotonic() + 60
        while any(one.name == "outbound-deadlines" for one in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.loopback
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_time_limit_holds_in_a_forked_process() -> None:
    with server(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as port:
        with pytest.raises(PlatformFailed):
            get(f"http://127.0.0.1:{port}/", timeout=0.2)
        child = os.fork()
        if child == 0:
            try:
                get(f"http://127.0.0.1:{port}/", timeout=0.2)
            except PlatformFailed as failure:
                os._exit(0 if failure.code is ErrorCode.PLATFORM_TIMED_OUT else 1)
            except BaseException:
                os._exit(2)
            os._exit(3)
        started = time.monotonic()
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert time.monotonic() - started < 30, "the server drips for fifty seconds"


@pytest.mark.loopback
def test_a_body_is_cut_at_the_limit_whatever_its_length_claims() -> None:
    body = b"a" * 100_000
    bomb = gzip.compress(b"a" * 10_000_000)
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb,
    ]
    for answer in answers:
        with server(says(answer)) as port, pytest.raises(PlatformFailed) as failure:
            get(f"http://127.0.0.1:{port}/", max_bytes=50_000)
        assert failure.value.code is ErrorCode.PLATFORM_ANSWER_TOO_LARGE


@pytest.mark.loopback
def test_a_body_that_ends_early_is_no_answer() -> None:
    with (
        server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")) as port,
        pytest.raises(PlatformFailed) as failure,
    ):
        get(f"http://127.0.0.1:{port}/")
    assert failure.value.code is ErrorCode.PLATFORM_UNREACHABLE


@pytest.mark.loopback
def test_what_is_no_http_is_unreachable() -> None:
    with server(says(b"SSH-2.0-OpenSSH_9\r\n")) as port, pytest.raises(PlatformFailed) as failure:
        get(f"http://127.0.0.1:{port}/")
    assert failure.value.code is ErrorCode.PLATFORM_UNREACHABLE


@pytest.mark.loopback
def test_no_cookie_and_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    heads: list[bytes] = []

    def speak(conversation: socket.socket, head: bytes) -> None:
        heads.append(head)
        conversation.sendall(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: tenant=a; Path=/\r\n\r\n"))

    with server(speak) as port:
        outbound = Outbound(DEVELOPMENT)
        for _ in range(2):
            outbound.request("GET", f"http://127.0.0.1:{port}/", audience="platform")
    assert b"Cookie" not in heads[1]


@pytest.mark.loopback
def test_no_password_of_this_machines_user_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A .netrc would go out with every call to its host, in the place of the token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login operator password secret\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    heads: list[bytes] = []

    def speak(conversation: socket.socket, head: bytes) -> None:
        heads.append(head)
        conversation.sendall(OK)

    with server(speak) as port:
        get(f"http://127.0.0.1:{port}/")
        get(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer token"})
    assert b"Authorization" not in heads[0]
    assert b"Authorization: Bearer token" in heads[1]


@pytest.mark.loopback
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    heads: list[bytes] = []

    def speak(conversation: socket.socket, head: bytes) -> None:
        heads.append(head)
        conversation.sendall(OK)

    with server(speak, tls=self_signed(tmp_path)) as port:
        url = f"https://127.0.0.1:{port}/"
        assert requests.get(url, verify=str(tmp_path / "certificate.pem"), timeout=60).status_code == 200
        with pytest.raises(PlatformFailed) as failure:
            get(url)
        assert failure.value.code is ErrorCode.PLATFORM_UNREACHABLE
        assert not failure.value.retryable
    assert len(heads) == 1


# --------------------------------------------------------------------------------------------- transactions
def test_no_call_is_made_inside_a_transaction() -> None:
    outbound = Outbound(DEVELOPMENT, refuse_in_transaction=True)
    transaction_opened()
    transaction_opened()
    transaction_closed()
    try:
        with pytest.raises(OutboundRefused) as refusal:
            outbound.request("GET", "https://moodle.example/", audience="platform")
        assert refusal.value.code is ErrorCode.OUTBOUND_IN_TRANSACTION
    finally:
        transaction_closed()


# -------------------------------------------------------------------------------------------------- retries
class Script(requests.adapters.BaseAdapter):
    """Stands in for a platform: answers from a list, one after the other."""

    def __init__(self, *answers: tuple[int, dict[str, str]] | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, response.request, response.url = answer[0], request, request.url or ""
        response.headers.update(answer[1])
        response._content = b"body"
        return response

    def close(self) -> None:
        """Nothing is open."""


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def scripted(script: Script) -> tuple[Outbound, list[float], list[tuple[str, str]]]:
    waits: list[float] = []
    seen: list[tuple[str, str]] = []
    outbound = Outbound(
        PRODUCTION,
        mounts={"https://moodle.example/": script},
        clock=lambda: NOW,
        sleep=waits.append,
        observe=lambda audience, outcome, seconds: seen.append((audience, outcome)),
    )
    return outbound, waits, seen


def test_a_busy_platform_is_asked_again_when_it_said() -> None:
    date = (NOW + timedelta(seconds=3)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    script = Script(
        (503, {"Retry-After": "2"}), (429, {"Retry-After": date}), requests.ConnectionError(), (200, {})
    )
    outbound, waits, seen = scripted(script)
    answer = outbound.request("GET", "https://moodle.example/a", audience="platform", retries=3)
    assert answer.is_success
    assert waits[:2] == [2.0, 3.0]
    assert 1.0 <= waits[2] <= 1.5
    assert seen == [
        ("platform", "5xx"),
        ("platform", "4xx"),
        ("platform", "unreachable"),
        ("platform", "2xx"),
    ]


def test_a_wait_longer_than_the_time_left_is_the_callers_to_plan() -> None:
    outbound, waits, _ = scripted(Script((429, {"Retry-After": "3600"})))
    answer = outbound.request("GET", "https://moodle.example/a", audience="platform", retries=3)
    assert (answer.status, answer.retry_after) == (429, 3600.0)
    assert waits == []


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "²"])
def test_a_retry_after_that_makes_no_sense_is_no_wish(value: str) -> None:
    outbound, _, _ = scripted(Script((200, {"Retry-After": value})))
    assert outbound.request("GET", "https://moodle.example/a", audience="platform").retry_after is None


def test_what_is_not_idempotent_is_sent_once() -> None:
    outbound, waits, _ = scripted(Script((503, {}), (200, {})))
    assert outbound.request("POST", "https://moodle.example/a", audience="platform", retries=5).status == 503
    assert waits == []


def test_a_failure_after_the_last_attempt_is_raised() -> None:
    outbound, waits, _ = scripted(Script(requests.ConnectTimeout(), requests.ReadTimeout()))
    with pytest.raises(PlatformFailed) as failure:
        outbound.request("GET", "https://moodle.example/a", audience="platform", retries=1)
    assert failure.value.code is ErrorCode.PLATFORM_TIMED_OUT
    assert len(waits) == 1


def test_links_keep_their_case_and_become_absolute() -> None:
    script = Script(
        (200, {"Link": '</page?bookmark=WyJhQ>; rel="next", <https://x.example/D>; rel=differences'})
    )
    outbound, _, _ = scripted(script)
    answer = outbound.request("GET", "https://moodle.example/a", audience="platform")
    assert answer.links == {
        "next": "https://moodle.example/page?bookmark=WyJhQ",
        "differences": "https://x.example/D",
    }


def test_a_mounted_platform_is_still_judged_by_its_url() -> None:
    outbound = Outbound(PRODUCTION, mounts={"http://moodle.example/": Script((200, {}))})
    with pytest.raises(OutboundRefused):
        outbound.request("GET", "http://moodle.example/", audience="platform")
