"""Verifying anybody's badge: the bytes decide, and what could not be checked is said.

The only thing read from this installation is what everybody else would read over HTTP: DID documents and
status lists. No award or credential is ever looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from lti_tool.credentials.errors import FetchFailed
from lti_tool.credentials.verification import Report, verify
from lti_tool.errors import ErrorCode, OutboundRefused, PlatformFailed, RequestInvalid
from lti_tool.outbound import Outbound
from lti_tool.services.issuing import Issuing

MAXIMUM_BYTES = 5 * 1024 * 1024
"""Of a file or an answer: a baked picture; the JSON inside is bounded further by the verifier."""
FETCH_SECONDS = 8.0
_ACCEPT = (
    "application/vc+ld+json, application/ld+json;q=0.9, application/json;q=0.8, "
    "image/png, image/svg+xml, text/plain"
)


@dataclass(frozen=True)
class Verifying:
    """Judges credentials that visitors bring."""

    outbound: Outbound
    issuing: Issuing
    clock: Callable[[], datetime]
    base_url: str

    def verify(self, data: bytes) -> Report:
        """Judge a credential given as JSON, JWT, baked PNG or baked SVG.

        :raises NotACredential: for bytes that are no credential at all.
        :raises RequestInvalid: ``request_too_large``.
        """
        if len(data) > MAXIMUM_BYTES:
            raise RequestInvalid(ErrorCode.REQUEST_TOO_LARGE, "credential file")
        return verify(data, fetch=self, now=self.clock())

    def verify_url(self, url: str) -> Report:
        """Judge the credential that a URL answers with.

        :raises RequestInvalid: ``request_invalid`` for what is no web address, or one that does not answer.
        """
        try:
            parts = urlsplit(url.strip())
            is_web_address = parts.scheme in ("https", "http") and bool(parts.hostname)
        except ValueError:  # "http://["
            is_web_address = False
        if not is_web_address:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "not a web address")
        try:
            return self.verify(self._get(url.strip(), _ACCEPT))
        except FetchFailed as error:
            raise RequestInvalid(ErrorCode.VERIFY_URL_UNREACHABLE, error.reason) from error

    def fetch(self, url: str, accept: str) -> bytes:
        """What a verification reads: our own published documents in process, everything else by the policy
        for visitors' URLs (public addresses only).

        :raises FetchFailed: unreachable, refused, not found or too large.
        """
        own = self._own_path(url)
        if own is not None:
            document = self.issuing.published(own)
            if document is None:
                raise FetchFailed("not_found")
            return document.body
        return self._get(url, accept)

    def _own_path(self, url: str) -> str | None:
        prefix = self.base_url.rstrip("/") + "/"
        return url.partition("#")[0].removeprefix(prefix) if url.startswith(prefix) else None

    def _get(self, url: str, accept: str) -> bytes:
        try:
            answer = self.outbound.request(
                "GET",
                url,
                audience="visitor",
                headers={"Accept": accept},
                timeout=FETCH_SECONDS,
                max_bytes=MAXIMUM_BYTES,
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
