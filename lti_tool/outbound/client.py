"""The client: one call under all rules, with redirects and retries where they are asked for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Final, get_args
from urllib.parse import urljoin

import requests
import requests.adapters
import urllib3
from urllib3.util import parse_url

from lti_tool.errors import ErrorCode, OutboundRefused, PlatformFailed
from lti_tool.outbound.connection import CONNECT_TIMEOUT, Deadline, GuardedAdapter, current_deadline
from lti_tool.outbound.policy import Audience, OutboundPolicy, port_of
from lti_tool.outbound.transactions import is_transaction_open

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds for a whole call, unless the caller has a budget of its own."""
DEFAULT_MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest decoded body, unless the caller expects more, such as a whole roster in one page."""
RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
FIRST_BACK_OFF: Final = 0.25
"""Seconds before the first retry, doubled each time, with up to half of it added at random."""


@dataclass(frozen=True)
class Answer:
    """A whole answer, bounded and read to its end.

    :ivar headers: names are compared without case.
    :ivar url: where it came from, after any redirect.
    :ivar links: ``rel`` to absolute URL, from the ``Link`` header, case kept (RFC 8288).
    :ivar retry_after: seconds that the server asked to wait, if it did.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    links: Mapping[str, str]
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class Outbound:
    """Makes every outgoing call of the tool. Shared by threads.

    :param policy: which addresses may be reached.
    :param user_agent: how the tool names itself.
    :param mounts: URL prefix to adapter: stands in for the network there, so that journeys meet a simulator
        in process. The URL is still judged; there is no address to judge.
    :param refuse_in_transaction: whether a call inside a transaction raises; on in tests and development.
    :param observe: told (audience, outcome, seconds) after each exchange.
    :param clock: aware UTC, for ``Retry-After`` dates.
    :param sleep: waits between retries.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        user_agent: str = "LTI-Badges",
        mounts: Mapping[str, requests.adapters.BaseAdapter] | None = None,
        refuse_in_transaction: bool = False,
        observe: Callable[[Audience, str, float], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._policy = policy
        self._refuse_in_transaction = refuse_in_transaction
        self._observe = observe
        self._clock = clock
        self._sleep = sleep
        self._sessions: dict[Audience, requests.Session] = {
            audience: _session(policy, audience, user_agent, mounts or {}) for audience in get_args(Audience)
        }

    def request(
        self,
        method: str,
        url: str,
        *,
        audience: Audience,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_bytes: int = DEFAULT_MAX_BYTES,
        redirects: int = 0,
        retries: int = 0,
    ) -> Answer:
        """Make one call and read its whole answer.

        :param timeout: seconds for everything: connecting, redirects, retries and the waits between them.
        :param max_bytes: of the decoded body.
        :param redirects: how many to follow, for GET and HEAD.
        :param retries: how many more attempts after a time-out, a failed connection, or 429, 502, 503, 504;
            none unless the method is idempotent. ``Retry-After`` is honoured where the time allows it; where
            it does not, the answer is returned for the caller to plan by, as is a 429 without one.
        :raises OutboundRefused: ``outbound_url_refused``, ``outbound_in_transaction``.
        :raises PlatformFailed: ``platform_unreachable``, ``platform_timed_out``,
            ``platform_answer_too_large``, ``platform_answer_invalid`` (too many redirects).
        """
        method = method.upper()
        attempts_left = retries if method in IDEMPOTENT_METHODS else 0
        ends = time.monotonic() + timeout
        back_off = FIRST_BACK_OFF
        while True:
            failure: PlatformFailed | None = None
            answer: Answer | None = None
            try:
                answer = self._follow(method, url, audience, headers, data, ends, max_bytes, redirects)
            except PlatformFailed as error:
                if not error.retryable:
                    raise
                failure = error
            if answer is not None and not _is_worth_repeating(answer):
                return answer
            wait = back_off * (1 + random.random() / 2)  # noqa: S311 - spreads retries, no secret
            if answer is not None and answer.retry_after is not None:
                wait = answer.retry_after
            if attempts_left <= 0 or time.monotonic() + wait >= ends:
                if answer is not None:
                    return answer
                if failure is not None:
                    raise failure
            attempts_left -= 1
            back_off *= 2
            self._sleep(wait)

    def _follow(
        self,
        method: str,
        url: str,
        audience: Audience,
        headers: Mapping[str, str] | None,
        data: bytes | str | Mapping[str, str] | None,
        ends: float,
        max_bytes: int,
        redirects: int,
    ) -> Answer:
        session = self._sessions[audience]
        sent = dict(headers or {})
        for _ in range(redirects + 1):
            self._policy.check_url(url, audience)
            try:
                request = session.prepare_request(requests.Request(method, url, headers=sent, data=data))
            except (requests.exceptions.RequestException, ValueError):
                raise OutboundRefused(
                    ErrorCode.OUTBOUND_URL_REFUSED, "not a URL that can be requested"
                ) from None
            response = self._send(request, audience, ends - time.monotonic(), max_bytes)
            location = response.headers.get("Location")
            if (
                not redirects
                or method not in ("GET", "HEAD")
                or response.status_code not in REDIRECTS
                or not location
            ):
                return self._answer(response)
            target = urljoin(response.url, location)
            if _origin(target) != _origin(url):
                sent = {
                    name: value
                    for name, value in sent.items()
                    if name.lower() not in ("authorization", "cookie")
                }
            url = target
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID, f"{_host(url)}: more than {redirects} redirects"
        )

    def _send(
        self,
        request: requests.PreparedRequest,
        audience: Audience,
        seconds: float,
        max_bytes: int,
    ) -> requests.Response:
        """One exchange under all rules; the body is read and bounded when it returns."""
        url = request.url or ""
        if self._refuse_in_transaction and is_transaction_open():
            raise OutboundRefused(
                ErrorCode.OUTBOUND_IN_TRANSACTION, f"call to {_host(url)} inside a transaction"
            )
        self._policy.check_url(url, audience)
        started = time.monotonic()
        outcome = "refused"
        try:
            response = self._exchange_in_time(self._sessions[audience], request, seconds, max_bytes)
            outcome = f"{response.status_code // 100}xx"
        except PlatformFailed as error:
            outcome = error.code.value.removeprefix("platform_")
            raise
        finally:
            if self._observe is not None:
                self._observe(audience, outcome, time.monotonic() - started)
        return response

    def _exchange_in_time(
        self, session: requests.Session, request: requests.PreparedRequest, seconds: float, max_bytes: int
    ) -> requests.Response:
        url = request.url or ""
        timed_out = PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, _host(url), retryable=True, host=_host(url))
        if seconds <= 0:
            raise timed_out
        with Deadline(seconds) as deadline:
            token = current_deadline.set(deadline)
            try:
                response = session.send(
                    request,
                    timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
                    stream=True,
                    allow_redirects=False,
                    verify=True,
                    proxies={},
                )
                try:
                    response._content = _read(response, url, max_bytes)
                    response._content_consumed = True  # type: ignore[attr-defined]
                except BaseException:
                    response.close()
                    raise
            except (requests.exceptions.Timeout, TimeoutError, urllib3.exceptions.TimeoutError):
                raise timed_out from None
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if deadline.is_over:
                    raise timed_out from None
                if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
                    raise OutboundRefused(
                        ErrorCode.OUTBOUND_URL_REFUSED, "not a URL that can be requested"
                    ) from None
                raise PlatformFailed(
                    ErrorCode.PLATFORM_UNREACHABLE,
                    f"{_host(url)}: {type(error).__name__}",
                    # A certificate does not mend itself within seconds.
                    retryable=not isinstance(error, requests.exceptions.SSLError),
                    host=_host(url),
                ) from error
            finally:
                current_deadline.reset(token)
            if deadline.is_over:
                # A connection that was cut may look like the end of a body without a length.
                response.close()
                raise timed_out
        return response

    def _answer(self, response: requests.Response) -> Answer:
        links = {
            rel: urljoin(response.url, link["url"]) for rel, link in response.links.items() if link.get("url")
        }
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=response.content,
            url=response.url,
            links=links,
            retry_after=_retry_after(response.headers.get("Retry-After"), self._clock()),
        )


def _is_worth_repeating(answer: Answer) -> bool:
    """Whether another attempt may meet something else; not where "too many" was said without a time."""
    if answer.status == 429 and answer.retry_after is None:
        return False
    return answer.status in RETRIED_STATUSES


def _session(
    policy: OutboundPolicy,
    audience: Audience,
    user_agent: str,
    mounts: Mapping[str, requests.adapters.BaseAdapter],
) -> requests.Session:
    """Pooled connections under the policy for one audience, with nothing taken from the environment."""
    session = requests.Session()
    session.trust_env = False
    # A cookie that one registration's platform sets would reach the next one's calls.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = user_agent
    adapter = GuardedAdapter(policy, audience)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    for prefix, mounted in mounts.items():
        session.mount(prefix, mounted)
    return session


def _read(response: requests.Response, url: str, max_bytes: int) -> bytes:
    """The decoded body; a small compressed one that grows without end is cut as well."""
    too_large = PlatformFailed(
        ErrorCode.PLATFORM_ANSWER_TOO_LARGE, f"{_host(url)}: more than {max_bytes} bytes", host=_host(url)
    )
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    for chunk in _chunks(response):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    if isinstance(response.raw, urllib3.BaseHTTPResponse):
        yield from response.raw.stream(16384, decode_content=True)
    else:  # an adapter that is mounted in the network's place, and made the answer in memory
        yield response.content


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from either form of RFC 9110 §10.2.3; nonsense is no wish."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value[:10])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def _host(url: str) -> str:
    """For logs: never the path, which may carry a token."""
    try:
        return parse_url(url).host or "?"
    except urllib3.exceptions.LocationParseError:
        return "?"


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    try:
        parts = parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return (None, None, None)
    return (parts.scheme, parts.host, parts.port or port_of(parts.scheme or ""))
