"""Verifying anybody's badge: the bytes decide, and what could not be checked is said.

The only thing read from this installation is what everybody else would read over HTTP: DID documents and
status lists, the bytes of a shared badge where a visitor names its address, and of a genuine badge of ours
when its version ended, which is public. They are judged like anybody's; no award or credential is ever looked
up.

Anybody may ask, and each question takes seconds if a stranger wants it to. So a process answers one at a
time, lets one more wait, and refuses the rest at once: the other threads belong to launches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from lti_tool.credentials.errors import FetchFailed
from lti_tool.credentials.verification import Report, verify
from lti_tool.errors import (
    Busy,
    ErrorCode,
    OutboundRefused,
    PlatformFailed,
    RequestInvalid,
    RequestTooLarge,
)
from lti_tool.outbound import Outbound
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.hosting import Hosting
from lti_tool.services.own_documents import OwnDocuments
from lti_tool.services.public import PublicRecords
from lti_tool.services.tokens import Tokens

MAXIMUM_BYTES = 5 * 1024 * 1024
"""Of a file or an answer: a baked picture; the JSON inside is bounded further by the verifier."""
FETCH_SECONDS = 8.0
READING_SECONDS = 10.0
"""Of one document, and of all that one verification fetches."""
REDIRECTS = 3
"""Followed from an address that a visitor names (short links, portfolios); each is judged by the policy."""
WAIT_SECONDS = 1.5
RETRY_SECONDS = 5
_ACCEPT = (
    "application/vc+ld+json, application/ld+json;q=0.9, application/json;q=0.8, "
    "image/png, image/svg+xml, text/plain"
)


class Turnstile:
    """Lets one thread of this process in and one more wait for it.

    :param wait: seconds that the second one waits.
    """

    def __init__(self, wait: float = WAIT_SECONDS) -> None:
        self._wait = wait
        self._present = threading.BoundedSemaphore(2)
        self._inside = threading.BoundedSemaphore(1)

    @contextmanager
    def pass_through(self) -> Iterator[None]:
        """Be the one inside, for the length of the block.

        :raises Busy: ``verifier_busy`` at once if somebody waits already, and after the wait if nobody left.
        """
        if not self._present.acquire(blocking=False):
            raise Busy(ErrorCode.VERIFIER_BUSY, "one inside, one waiting", retry_after=RETRY_SECONDS)
        try:
            if not self._inside.acquire(timeout=self._wait):
                raise Busy(ErrorCode.VERIFIER_BUSY, "waited in vain", retry_after=RETRY_SECONDS)
            try:
                yield
            finally:
                self._inside.release()
        finally:
            self._present.release()


@dataclass(frozen=True)
class _Reading:
    """What one verification fetches, within one budget of seconds."""

    verifying: Verifier
    ends: float

    def fetch(self, url: str, accept: str) -> bytes:
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise FetchFailed("unreachable")
        return self.verifying.fetch(url, accept, min(FETCH_SECONDS, seconds))


@dataclass(frozen=True)
class Verifier:
    """Judges credentials without any installation: all that it reads, it reads over HTTP."""

    outbound: Outbound
    clock: Callable[[], datetime]
    turnstile: Turnstile = field(default_factory=Turnstile, kw_only=True)

    def verify(self, data: bytes) -> Report:
        """Judge a credential given as JSON, JWT, baked PNG or baked SVG.

        :raises NotACredential: for bytes that are no credential at all.
        :raises RequestTooLarge: ``request_too_large``.
        :raises Busy: ``verifier_busy``.
        """
        if len(data) > MAXIMUM_BYTES:
            raise RequestTooLarge(ErrorCode.REQUEST_TOO_LARGE, "credential file")
        with self.turnstile.pass_through():
            return self._judge(data, time.monotonic() + READING_SECONDS)

    def verify_url(self, url: str) -> Report:
        """Judge the credential that a URL answers with; a shared badge of ours is read in process.

        :raises NotACredential: for an answer that is no credential at all.
        :raises RequestInvalid: ``verify_url_invalid`` for what is no web address, ``verify_url_unreachable``
            for one that does not answer.
        :raises Busy: ``verifier_busy``.
        """
        url = url.strip()
        try:
            parts = urlsplit(url)
            is_web_address = parts.scheme in ("https", "http") and bool(parts.hostname)
        except ValueError:  # "http://["
            is_web_address = False
        if not is_web_address:
            raise RequestInvalid(ErrorCode.VERIFY_URL_INVALID, "not a web address")
        with self.turnstile.pass_through():
            ends = time.monotonic() + READING_SECONDS
            try:
                own = self._own_path(url)
                if own is None:
                    data = self._get(url, _ACCEPT, FETCH_SECONDS, REDIRECTS)
                else:
                    data = self._own_badge(own)
            except FetchFailed as error:
                raise RequestInvalid(ErrorCode.VERIFY_URL_UNREACHABLE, error.reason) from error
            return self._judge(data, ends)

    def _judge(self, data: bytes, ends: float) -> Report:
        return verify(data, fetch=_Reading(self, ends), now=self.clock(), end_known=self._end_of)

    def fetch(self, url: str, accept: str, seconds: float = FETCH_SECONDS) -> bytes:
        """What a verification reads, by the policy for visitors' URLs (public addresses only).

        :raises FetchFailed: unreachable, refused, not found or too large.
        """
        return self._get(url, accept, seconds, 0)

    # What an installation knows by itself.

    def _end_of(self, _issuer: str, _achievement: str) -> datetime | None:
        """When badges end, where that is known beside the badge."""
        return None

    def _own_path(self, _url: str) -> str | None:
        """Of an address of this installation, what stands behind its base."""
        return None

    def _own_badge(self, _path: str) -> bytes:
        """The bytes that such an address answers with."""
        raise FetchFailed("not_found")

    def _get(self, url: str, accept: str, seconds: float, redirects: int) -> bytes:
        try:
            answer = self.outbound.request(
                "GET",
                url,
                audience="visitor",
                headers={"Accept": accept},
                timeout=seconds,
                max_bytes=MAXIMUM_BYTES,
                redirects=redirects,
            )
        except OutboundRefused as error:
            raise FetchFailed("refused") from error
        except PlatformFailed as error:
            too_large = error.code is ErrorCode.PLATFORM_ANSWER_TOO_LARGE
            raise FetchFailed("too_large" if too_large else "unreachable") from error
        if answer.status in (404, 410):
            raise FetchFailed("not_found")
        if answer.status != 200:
            raise FetchFailed("unreachable")
        return answer.body


@dataclass(frozen=True)
class Verifying(Verifier):
    """Judges credentials that visitors of an installation bring."""

    own_documents: OwnDocuments
    records: PublicRecords
    tokens: Tokens
    hosting: Hosting
    base_url: str

    def _end_of(self, issuer: str, achievement: str) -> datetime | None:
        """When badges of ours end with their version, as the version's page says: a copy from before does not
        say it, nor does one that is yet to be signed anew."""
        urls = PublicUrls(self.base_url.rstrip("/"))
        version_id = achievement.removeprefix(urls.achievement(""))
        is_ours = issuer.startswith(urls.did("") + ":") and achievement == urls.achievement(version_id)
        return self.records.version_ends_at(version_id) if is_ours else None

    def fetch(self, url: str, accept: str, seconds: float = FETCH_SECONDS) -> bytes:
        """As :meth:`Verifier.fetch`; our own published documents are read in process."""
        own = self._own_path(url)
        if own is not None:
            document = self.own_documents.published(own)
            if document is None:
                raise FetchFailed("not_found")
            return document.body
        return self._get(url, accept, seconds, 0)

    def _own_badge(self, path: str) -> bytes:
        """The bytes that the address of a shared badge, or of an accepted endorsement, answers with; to
        anybody else's eyes there is none."""
        match path.partition("?")[0].split("/"):
            case ["credentials", name]:
                if name.endswith((".png", ".svg")):
                    bake = self.records.baked_png if name.endswith(".png") else self.records.baked_svg
                    baked = bake(name[:-4])
                    if baked is not None:
                        return baked
                elif name.endswith(".jwt"):
                    token = self.tokens.public(name.removesuffix(".jwt"))
                    if token is not None:
                        return token.body
                else:
                    record = self.records.credential(name.removesuffix(".json"))
                    if record is not None:
                        return record.document
            case ["ob2", "assertions", name]:
                hosted = self._hosted(name)
                if hosted is not None:
                    return hosted
            case ["endorsements", endorsement_id]:
                endorsement = self.records.endorsement(endorsement_id)
                if endorsement is not None:
                    return endorsement
        raise FetchFailed("not_found")

    def _hosted(self, name: str) -> bytes | None:
        """The same badge as Open Badges 2.0: not judged here, but to be told from an address with nothing."""
        if name.endswith((".png", ".svg")):
            bake = self.hosting.baked_png if name.endswith(".png") else self.hosting.baked_svg
            return bake(name[:-4])
        found = self.hosting.assertion(name)
        return None if found is None or found.is_revoked else found.body.encode()

    def _own_path(self, url: str) -> str | None:
        prefix = self.base_url.rstrip("/") + "/"
        return url.partition("#")[0].removeprefix(prefix) if url.startswith(prefix) else None
