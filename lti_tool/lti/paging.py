"""Lists that an LMS gives in pages, followed to their end or not believed to be whole.

``next`` links are used as they are (RFC 8288; a cursor may be case-sensitive), but never to a host that
the deployment did not name, never in a circle and never without end. A platform that does one of these
leaves a list that is true as far as it goes, and is not complete.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.outbound import Answer

PAGES: Final = 2_000
"""Canvas gives fifty members a page: 100,000, as many as :data:`~lti_tool.lti.connector.PAGE_BYTES` takes."""
ROWS: Final = 200_000
URL_LENGTH: Final = 2_000
"""Of a link that is kept."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, decoded."""

    rows: tuple[T, ...]
    is_whole: bool = True
    """False where single rows could not be used."""
    mark: str | None = None
    """Names the first row: two pages that begin with the same row are one page given twice."""


def with_query(url: str, query: Mapping[str, str]) -> str:
    """``url`` with more query parameters; what it carries already is kept as it stands."""
    if not query:
        return url
    parts = urlsplit(url)
    more = urlencode(query)
    return urlunsplit(parts._replace(query=f"{parts.query}&{more}" if parts.query else more, fragment=""))


def decode_rows(
    body: bytes,
    rows: Callable[[bytes], list[T]],
    raw_rows: Callable[[bytes], list[msgspec.Raw]],
    row: Callable[[msgspec.Raw], T],
) -> tuple[list[T], bool]:
    """The rows of a body that can be read, and whether those are all.

    One row of a wrong shape must not hide the others; but then nobody may be called gone.

    :param rows: reads a body at once, as nearly all can be.
    :param raw_rows: reads it without looking at the rows.
    :param row: reads one of those.
    :raises msgspec.MsgspecError: where the body is no list of rows at all.
    """
    try:
        return rows(body), True
    except msgspec.ValidationError:
        readable = []
        is_whole = True
        for raw in raw_rows(body):
            try:
                readable.append(row(raw))
            except msgspec.MsgspecError:
                is_whole = False
        return readable, is_whole


class PagedRead(Generic[T]):
    """A list that a service gives in pages; iterate it, then ask whether it was all.

    Whatever stops the reading stops it quietly: :attr:`is_complete` stays false and :attr:`trouble` says
    why. What was read until then is true, it is only not everything.

    :param requested: query parameters of the first request, for platforms that lose some on later pages.
    :param decode: turns a body into a page; raises ``msgspec.MsgspecError`` for one that is none.
    """

    def __init__(
        self,
        connector: PlatformConnector,
        access: ServiceAccess,
        url: str,
        scopes: Callable[[], frozenset[str]],
        accept: str,
        decode: Callable[[bytes], Page[T]],
        *,
        requested: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> None:
        self._connector = connector
        self._access = access
        self._requested = dict(requested or {})
        self._url = with_query(url, self._requested)
        self._scopes = scopes
        self._accept = accept
        self._decode = decode
        self._deadline = deadline
        self.is_complete = False
        self.pages_read = 0
        self.rows_read = 0
        self.failure: PlatformFailed | None = None
        """What ended the reading before its end."""
        self.differences_url: str | None = None
        """Where to ask later for what changed since (NRPS §2.5), if the platform offered it."""

    @property
    def trouble(self) -> ErrorCode | None:
        """Why the list is incomplete; ``None`` after a whole one."""
        return None if self.failure is None else self.failure.code

    def __iter__(self) -> Iterator[tuple[T, ...]]:
        try:
            is_whole = yield from self._pages()
        except PlatformFailed as failure:
            self.failure = failure
            return
        if is_whole:
            self.is_complete = True
        else:
            self.failure = self._broken(ErrorCode.PLATFORM_ANSWER_INVALID, "rows that cannot be used")

    def _pages(self) -> Generator[tuple[T, ...], None, bool]:
        scopes = self._scopes()
        url: str | None = self._url
        seen: set[str] = set()
        marks: set[str] = set()
        is_whole = True
        while url is not None:
            if url in seen:
                raise self._broken(ErrorCode.PLATFORM_PAGING_BROKEN, "a next link that leads back")
            if self.pages_read >= PAGES:
                raise self._broken(ErrorCode.PLATFORM_PAGING_BROKEN, f"more than {PAGES} pages")
            seen.add(url)
            answer = self._connector.get(self._access, url, scopes, self._accept, deadline=self._deadline)
            try:
                page = self._decode(answer.body)
            except (msgspec.MsgspecError, RecursionError):
                raise self._broken(ErrorCode.PLATFORM_ANSWER_INVALID, "not the expected JSON") from None
            if page.mark is not None:
                if page.mark in marks:
                    raise self._broken(ErrorCode.PLATFORM_PAGING_BROKEN, "a page given twice")
                marks.add(page.mark)
            self.pages_read += 1
            self.rows_read += len(page.rows)
            is_whole = is_whole and page.is_whole
            if self.rows_read > ROWS:
                raise self._broken(ErrorCode.PLATFORM_ANSWER_TOO_LARGE, f"more than {ROWS} rows")
            yield page.rows
            self._note_differences(answer)
            url = self._next_url(answer)
        return is_whole

    def _note_differences(self, answer: Answer) -> None:
        url = next((url for rel, url in answer.links.items() if "differences" in rel.lower().split()), None)
        if url is not None and len(url) <= URL_LENGTH:
            self.differences_url = url

    def _next_url(self, answer: Answer) -> str | None:
        link = next((url for rel, url in answer.links.items() if "next" in rel.lower().split()), None)
        if link is None:
            # Moodle 4.x writes rel=“next” with typographic quotes where a limit was sent: not a last page.
            header = answer.headers.get("Link", "")
            if "next" in header.lower().partition("rel=")[2]:
                raise self._broken(ErrorCode.PLATFORM_PAGING_BROKEN, "a next link that cannot be read")
            return None
        url = self._access.platform.next_page_url(link, self._requested)
        self._connector.require_named_host(self._access, url)
        return url

    def _broken(self, code: ErrorCode, why: str) -> PlatformFailed:
        failure = PlatformFailed(code, f"registration {self._access.registration.id}: {why}")
        self._connector.note_broken(self._access, self._scopes(), self._url, failure)
        return failure
