"""Calls to an LMS's services, and the access tokens they carry.

The tool proves who it is with a signed assertion (LTI Security Framework §4.1.1, RFC 7523) and gets a
bearer token. Whoever holds that token is the tool: it is kept per deployment, token endpoint and scopes,
and sent to no host that this deployment did not name: institutions may share a registration (Canvas).
Time-outs, sizes, retries and ``Retry-After`` are :class:`~lti_tool.outbound.Outbound`'s; no redirect is
followed.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey

from lti_tool.domain.call_budget import LONGEST_REST
from lti_tool.domain.registrations import RegistrationView, Site
from lti_tool.errors import ErrorCode, OutboundRefused, PlatformFailed
from lti_tool.lti.access import ServiceAccess, host_of, named_hosts
from lti_tool.lti.budgets import CallBudget, NoBudget
from lti_tool.lti.observing import NoObserver, Service, ServiceObserver, says_nothing, service_of
from lti_tool.lti.signing import SigningKeys
from lti_tool.outbound import Answer, Outbound

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME: Final = timedelta(minutes=5)
EXPIRY_MARGIN: Final = 60.0
"""Seconds before its end at which a token is no longer used: a slow answer must not outlive it."""
TOKEN_LIFETIME_ASSUMED: Final = 300.0
"""Seconds, where the answer does not say (RFC 6749 §5.1 only recommends ``expires_in``)."""
CALL_TIMEOUT: Final = 30.0
"""Seconds for one call with its retries; Moodle needed 5 for a roster of 2,000 with a condition."""
TOKEN_TIMEOUT: Final = 10.0
RETRIES: Final = 2
SILENCE: Final = 45.0
"""Seconds for which a platform that did not answer is not asked again by this process."""
REST: Final = 30.0
"""Seconds that a platform gets which is too busy and does not say for how long."""
REASON_BYTES: Final = 2000
"""As much of a refusal is kept as a platform needs to say why."""
PAGE_BYTES: Final = 32 * 1024 * 1024
"""Moodle gives everything in one page: 230 bytes a member, 300 a result; this is 100,000 learners."""


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str | None = None
    expires_in: float | str | None = None
    scope: str | None = None


class _TokenError(msgspec.Struct):
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    usable_until: float
    """On the monotonic clock: a corrected wall clock must not revive an old token."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """A call to a registration's platform got no answer."""

    until: float
    waited: float
    """For how many seconds an answer was awaited; infinite where there was not even a connection."""
    code: ErrorCode

    def bars(self, seconds: float) -> bool:
        """Whether a call that has so many seconds would wait in vain as well.

        A visit's two seconds prove little about a platform: the schedule's thirty may still do.
        """
        return seconds < 2 * self.waited


_Key = tuple[str, str, str, frozenset[str]]
"""Registration, deployment, token URL, scopes."""


def is_silent(failure: PlatformFailed | None) -> bool:
    """Whether the platform as a whole did not answer or asked for rest: more calls would meet the same.

    An error that was answered, be it a 500, is one call's own.
    """
    if failure is None:
        return False
    if failure.code is ErrorCode.PLATFORM_UNREACHABLE:
        return failure.http_status is None
    return failure.code in (
        ErrorCode.PLATFORM_TIMED_OUT,
        ErrorCode.PLATFORM_BUSY,
        ErrorCode.PLATFORM_CALLS_SPENT,
    )


class PlatformConnector:
    """Calls services in the name of a registration. Shared by threads.

    :param outbound: the outgoing HTTP policy.
    :param keys: holds the key of purpose ``lti``.
    :param clock: aware UTC, for the assertion.
    :param monotonic: seconds, for token lifetimes and deadlines.
    :param budget: what each platform may be sent; without one, anything.
    :param observer: is told how each call that was made ended.
    """

    def __init__(
        self,
        outbound: Outbound,
        keys: SigningKeys,
        clock: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        budget: CallBudget | None = None,
        observer: ServiceObserver | None = None,
    ) -> None:
        self._budget = budget or NoBudget()
        self._observer = observer or NoObserver()
        self._outbound = outbound
        self._keys = keys
        self._clock = clock
        self._monotonic = monotonic
        self._tokens: dict[_Key, _Token] = {}
        self._token_locks: dict[_Key, threading.Lock] = {}
        self._silences: dict[Site, _Silence] = {}
        self._answered_at: dict[Site, float] = {}
        self._lock = threading.Lock()

    def deadline_in(self, seconds: float) -> float:
        """A deadline for the calls below, ``seconds`` from now on this connector's clock."""
        return self._monotonic() + seconds

    def get(
        self,
        access: ServiceAccess,
        url: str,
        scopes: frozenset[str],
        accept: str,
        *,
        deadline: float | None = None,
    ) -> Answer:
        """Read from a service; repeated on passing trouble.

        :param deadline: of :meth:`deadline_in`; without one a call has 30 seconds.
        :raises PlatformFailed: with the code of what went wrong; only answers of status 2xx return.
        """
        return self._call(access, "GET", url, scopes, {"Accept": accept}, None, deadline)

    def post(
        self,
        access: ServiceAccess,
        url: str,
        scopes: frozenset[str],
        accept: str,
        body: bytes,
        content_type: str,
        *,
        deadline: float | None = None,
    ) -> Answer:
        """Send to a service, once: an LMS that answers late may have done it already.

        :raises PlatformFailed: as :meth:`get`.
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        return self._call(access, "POST", url, scopes, headers, body, deadline)

    def put(
        self,
        access: ServiceAccess,
        url: str,
        scopes: frozenset[str],
        accept: str,
        body: bytes,
        content_type: str,
        *,
        deadline: float | None = None,
    ) -> Answer:
        """Replace what a service has; done twice, it is done once.

        :raises PlatformFailed: as :meth:`get`.
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        return self._call(access, "PUT", url, scopes, headers, body, deadline)

    def delete(
        self, access: ServiceAccess, url: str, scopes: frozenset[str], *, deadline: float | None = None
    ) -> Answer:
        """Take something away; repeated on passing trouble, what is gone stays gone.

        :raises PlatformFailed: as :meth:`get`.
        """
        return self._call(access, "DELETE", url, scopes, {"Accept": "*/*"}, None, deadline)

    def require_named_host(self, access: ServiceAccess, url: str) -> None:
        """Refuse a URL to which a token of this deployment may not go.

        :raises PlatformFailed: PLATFORM_HOST_FOREIGN.
        """
        host = host_of(url)
        plain = urlsplit(url).scheme != "https" if host is not None else True
        # A token that was fetched over https is not for anybody on the way to read.
        downgraded = plain and (access.token_url or "https:").startswith("https:")
        if host is None or downgraded or host not in named_hosts(access):
            raise PlatformFailed(
                ErrorCode.PLATFORM_HOST_FOREIGN,
                f"deployment {access.deployment.id} of registration {access.registration.id} "
                f"never named {host or 'this address'}",
                host=host or "",
            )

    # -- one call

    def _call(
        self,
        access: ServiceAccess,
        method: str,
        url: str,
        scopes: frozenset[str],
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float | None,
    ) -> Answer:
        service = service_of(scopes)
        try:
            self.require_named_host(access, url)
        except PlatformFailed as failure:
            self._observe(access, service, method, url, failure)
            raise
        token = self._token(access, scopes, deadline)
        answer = self._send(access, service, method, url, token, headers, body, deadline)
        if answer.status == 401:
            # Revoked or forgotten before its time: fetch one anew, once.
            self._forget(token)
            token = self._token(access, scopes, deadline)
            answer = self._send(access, service, method, url, token, headers, body, deadline)
        if not answer.is_success:
            refusal = self._refusal(access, answer)
            self._observe(access, service, method, url, refusal)
            raise refusal
        self._observe(access, service, method, url, None)
        if access.platform.is_nearly_too_busy(answer.headers):
            self._budget.heed_warning(access)
        return answer

    def note_broken(
        self, access: ServiceAccess, scopes: frozenset[str], url: str, failure: PlatformFailed
    ) -> None:
        """Tell the observer that what a service answered with success could not be used after all."""
        self._observe(access, service_of(scopes), "GET", url, failure)

    def _observe(
        self,
        access: ServiceAccess,
        service: Service | None,
        method: str,
        url: str,
        failure: PlatformFailed | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if service is None or (failure is not None and says_nothing(service, method, url, failure)):
            return
        self._observer.note_service(access.registration.id, access.deployment.id, service, failure, facts)

    def _send(
        self,
        access: ServiceAccess,
        service: Service | None,
        method: str,
        url: str,
        token: _Token,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float | None,
    ) -> Answer:
        return self._request(
            access,
            service,
            method,
            url,
            headers={**headers, "Authorization": f"Bearer {token.value}"},
            data=body,
            timeout=self._seconds_left(access, deadline, CALL_TIMEOUT),
            retries=RETRIES,
        )

    def _request(
        self,
        access: ServiceAccess,
        service: Service | None,
        method: str,
        url: str,
        *,
        timeout: float,
        **options: Any,
    ) -> Answer:
        self._budget.spend(access)
        asked_at = self._monotonic()
        try:
            answer = self._outbound.request(
                method, url, audience="platform", max_bytes=PAGE_BYTES, timeout=timeout, **options
            )
        except PlatformFailed as failure:
            if failure.code in (ErrorCode.PLATFORM_TIMED_OUT, ErrorCode.PLATFORM_UNREACHABLE):
                self._note_silence(access, failure.code, asked_at, timeout)
                self._budget.note_answer(access, self._monotonic() - asked_at)
            self._observe(access, service, method, url, failure)
            raise
        except OutboundRefused as error:
            if error.code is ErrorCode.OUTBOUND_IN_TRANSACTION:
                raise
            refused = PlatformFailed(
                ErrorCode.PLATFORM_UNREACHABLE,
                f"registration {access.registration.id}: refused by the outgoing policy ({error.detail})",
                host=host_of(url) or "",
            )
            self._observe(access, service, method, url, refused)
            raise refused from error
        now = self._monotonic()
        self._answered_at[access.site] = now
        self._budget.note_answer(access, now - asked_at)
        silence = self._silences.get(access.site)
        if silence is not None and now - asked_at < silence.waited:
            self._silences.pop(access.site, None)
        return answer

    def _note_silence(self, access: ServiceAccess, code: ErrorCode, asked_at: float, waited: float) -> None:
        """Spare the next calls the wait, unless somebody else's call was answered meanwhile."""
        if self._answered_at.get(access.site, -math.inf) > asked_at:
            return
        if code is ErrorCode.PLATFORM_UNREACHABLE:
            waited = math.inf
        self._silences[access.site] = _Silence(self._monotonic() + SILENCE, waited, code)

    def _seconds_left(self, access: ServiceAccess, deadline: float | None, most: float) -> float:
        registration = access.registration
        now = self._monotonic()
        seconds = most if deadline is None else min(most, deadline - now)
        if seconds <= 0:
            raise PlatformFailed(
                ErrorCode.PLATFORM_TIMED_OUT, f"registration {registration.id}: out of time", retryable=True
            )
        silence = self._silences.get(access.site)
        if silence is not None and now < silence.until and silence.bars(seconds):
            raise PlatformFailed(
                silence.code,
                f"registration {registration.id} did not answer a moment ago",
                retryable=True,
                retry_after=silence.until - now,
            )
        return seconds

    def _refusal(self, access: ServiceAccess, answer: Answer) -> PlatformFailed:
        """What a status that is no success means; a wish to be left alone goes to the budget."""
        status = answer.status
        detail = f"registration {access.registration.id}: {host_of(answer.url)} answered {status}"
        if access.platform.is_too_busy(status, answer.headers):
            rest = REST if answer.retry_after is None else min(answer.retry_after, LONGEST_REST)
            self._budget.slow_down(access, rest)
            return PlatformFailed(
                ErrorCode.PLATFORM_BUSY,
                detail,
                retryable=True,
                retry_after=answer.retry_after,
                http_status=status,
            )
        if status >= 500:
            return PlatformFailed(
                ErrorCode.PLATFORM_UNREACHABLE,
                detail,
                retryable=True,
                http_status=status,
                body=answer.body[:REASON_BYTES],
                host=host_of(answer.url),
            )
        return PlatformFailed(
            ErrorCode.PLATFORM_REFUSED,
            detail,
            http_status=status,
            body=answer.body[:REASON_BYTES],
            status=status,
        )

    # -- tokens

    def _token(self, access: ServiceAccess, scopes: frozenset[str], deadline: float | None) -> _Token:
        token_url = access.token_url
        if token_url is None:
            raise PlatformFailed(
                ErrorCode.PLATFORM_TOKEN_URL_MISSING,
                f"deployment {access.deployment.id} of registration {access.registration.id} "
                "is another organisation's than the registration, and has no token URL of its own",
            )
        key = (access.registration.id, access.deployment.id_on_platform, token_url, scopes)
        with self._lock:
            lock = self._token_locks.setdefault(key, threading.Lock())
        # Threads that need the same token fetch it once; nobody waits for another's longer than for an own.
        if not lock.acquire(timeout=self._seconds_left(access, deadline, TOKEN_TIMEOUT)):
            raise PlatformFailed(
                ErrorCode.PLATFORM_TIMED_OUT,
                f"registration {access.registration.id}: no token in time",
                retryable=True,
            )
        try:
            token = self._tokens.get(key)
            if token is None or token.usable_until <= self._monotonic():
                token = self._fetch_token(access, token_url, scopes, deadline)
                self._tokens[key] = token
            return token
        finally:
            lock.release()

    def _forget(self, token: _Token) -> None:
        with self._lock:
            for key in [key for key, kept in self._tokens.items() if kept is token]:
                del self._tokens[key]

    def check_token(self, access: ServiceAccess, scopes: frozenset[str], deadline: float) -> None:
        """Fetch an access token for these permissions anew, whatever is kept.

        :raises PlatformFailed: why there is none.
        """
        key = (access.registration.id, access.deployment.id_on_platform, access.token_url or "", scopes)
        with self._lock:
            self._tokens.pop(key, None)
        self._token(access, scopes, deadline)

    def _fetch_token(
        self, access: ServiceAccess, token_url: str, scopes: frozenset[str], deadline: float | None
    ) -> _Token:
        try:
            token, granted = self._ask_for_token(access, token_url, scopes, deadline)
        except PlatformFailed as failure:
            if failure.code is ErrorCode.PLATFORM_SCOPE_MISSING:
                # The endpoint works; what it does not give is told as a permission, not as a failure.
                refused: dict[str, Any] = {"refused": sorted(scopes)}
                self._observe(access, Service.TOKEN, "POST", token_url, None, refused)
            elif failure.http_status is not None or failure.code is ErrorCode.PLATFORM_TOKEN_REFUSED:
                self._observe(access, Service.TOKEN, "POST", token_url, failure)
            raise
        learnt = {"granted": sorted(granted), "refused": sorted(scopes - granted)}
        self._observe(access, Service.TOKEN, "POST", token_url, None, learnt)
        return token

    def _ask_for_token(
        self, access: ServiceAccess, token_url: str, scopes: frozenset[str], deadline: float | None
    ) -> tuple[_Token, frozenset[str]]:
        registration = access.registration
        asked_at = self._monotonic()
        # Not repeated by the client: a platform may take an assertion's jti once only.
        answer = self._request(
            access,
            Service.TOKEN,
            "POST",
            token_url,
            headers={"Accept": "application/json"},
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self._assertion(access, token_url),
                "scope": " ".join(sorted(scopes)),
            },
            timeout=self._seconds_left(access, deadline, TOKEN_TIMEOUT),
        )
        if not answer.is_success:
            raise self._token_refusal(access, answer, scopes)
        try:
            # Whatever the content type: Moodle sends its JSON as text/html.
            decoded = msgspec.json.decode(answer.body, type=_TokenAnswer)
            lifetime = float(decoded.expires_in) if decoded.expires_in else TOKEN_LIFETIME_ASSUMED
        except (msgspec.MsgspecError, ValueError):
            raise PlatformFailed(
                ErrorCode.PLATFORM_TOKEN_REFUSED,
                f"registration {registration.id}: the token endpoint's answer holds no token",
                http_status=answer.status,
            ) from None
        value = decoded.access_token
        if not value or not value.isascii() or any(ord(mark) <= 32 or ord(mark) == 127 for mark in value):
            raise PlatformFailed(
                ErrorCode.PLATFORM_TOKEN_REFUSED, f"registration {registration.id}: not a bearer token"
            )
        # An answer that names no scope granted those asked for (RFC 6749 §5.1).
        granted = scopes if decoded.scope is None else scopes & frozenset(decoded.scope.split())
        if not granted:
            raise self._scope_missing(registration, scopes)
        margin = min(EXPIRY_MARGIN, lifetime / 2)
        return _Token(value, asked_at + min(lifetime, 86_400.0) - margin), granted

    def _assertion(self, access: ServiceAccess, token_url: str) -> str:
        registration = access.registration
        now = self._clock()
        signer = self._keys.signer("lti")
        return jwt.encode(
            {"alg": "RS256", "kid": signer.kid},
            {
                "iss": registration.client_id,
                "sub": registration.client_id,
                "aud": registration.token_audience or token_url,
                "iat": int(now.timestamp()),
                "exp": int((now + ASSERTION_LIFETIME).timestamp()),
                "jti": uuid.uuid4().hex,
                # Lets a platform with many tenants behind one client tell them apart.
                "https://purl.imsglobal.org/spec/lti/claim/deployment_id": access.deployment.id_on_platform,
            },
            RSAKey.import_key(signer.private_pem),
        )

    def _token_refusal(self, access: ServiceAccess, answer: Answer, scopes: frozenset[str]) -> PlatformFailed:
        registration = access.registration
        if access.platform.is_too_busy(answer.status, answer.headers) or answer.status >= 500:
            return self._refusal(access, answer)
        try:
            error = msgspec.json.decode(answer.body, type=_TokenError).error
        except msgspec.MsgspecError:
            error = ""  # Moodle has bare text for some errors ("Signature verification failed")
        if error == "invalid_scope":
            return self._scope_missing(registration, scopes)
        known = (
            error if error in ("invalid_client", "invalid_request", "unauthorized_client") else "no reason"
        )
        return PlatformFailed(
            ErrorCode.PLATFORM_TOKEN_REFUSED,
            f"registration {registration.id}: the token endpoint answered {answer.status}, {known}",
            http_status=answer.status,
        )

    def _scope_missing(self, registration: RegistrationView, scopes: frozenset[str]) -> PlatformFailed:
        names = ", ".join(sorted(scope.rsplit("/", 1)[-1] for scope in scopes))
        return PlatformFailed(
            ErrorCode.PLATFORM_SCOPE_MISSING, f"registration {registration.id}: {names}", scope=names
        )
