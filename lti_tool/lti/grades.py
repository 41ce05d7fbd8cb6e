"""Assignment and Grade Services 2.0: columns of the gradebook and the grades in them.

The tool sees its own columns only (AGS §3.1.2). Evidence columns are created here and read here, never
graded: with Moodle, a score would end the calculation of a mirror for good, and so would replacing a
column, which nothing here does. A :class:`FullScore` is for the award column alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.memberships import is_usable_sub
from lti_tool.lti.paging import Page, PagedRead, decode_rows
from lti_tool.platforms import Platform, ScoreRefusal

LINE_ITEM_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
LINE_ITEM_READ_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
RESULT_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
LINE_ITEM_TYPE: Final = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS_TYPE: Final = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
SCORE_TYPE: Final = "application/vnd.ims.lis.v1.score+json"
RESULTS_TYPE: Final = "application/vnd.ims.lis.v2.resultcontainer+json"

_URL_LENGTH: Final = 2_000
_STEP: Final = Decimal("0.00000001")
"""The finest grade that is kept: what NUMERIC(20, 8) holds."""
_GREATEST: Final = Decimal(10) ** 11


@dataclass(frozen=True, slots=True)
class PlatformResult:
    """One grade (AGS §3.3.4). Without ``score`` the person is listed, but not graded."""

    sub: str
    score: Decimal | None
    maximum: Decimal
    """Zero where the platform gives a score that its maximum does not explain: then nothing is known."""
    graded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Results:
    """The grades of a column, or of one person in it."""

    rows: tuple[PlatformResult, ...]
    complete: bool
    trouble: ErrorCode | None
    retry_after: float | None = None
    """Seconds that the platform asked us to wait, if it did."""


@dataclass(frozen=True, slots=True)
class LineItemSpec:
    """A column to create: uncoupled (AGS §3.2.6), or along with a link (Deep Linking 2.0 §3.1.4)."""

    label: str
    score_maximum: Decimal
    resource_id: str
    tag: str
    resource_link_id: str | None = None
    """The link that the column belongs to; an evidence column belongs to none."""

    @property
    def maximum_in_json(self) -> int | float:
        """``score_maximum`` as a JSON number, a whole one without a fraction."""
        return _in_json(self.score_maximum)


@dataclass(frozen=True, slots=True)
class LineItemOnPlatform:
    """A column as the platform lists it; ``url`` exactly as given, its query is part of its name."""

    url: str
    label: str
    score_maximum: Decimal | None
    resource_id: str | None
    tag: str | None
    resource_link_id: str | None


LineItemPages = PagedRead[LineItemOnPlatform]


class _Result(msgspec.Struct, frozen=True):
    user_id: str | int = msgspec.field(name="userId")
    score: Decimal | None = msgspec.field(name="resultScore", default=None)
    maximum: Decimal | None = msgspec.field(name="resultMaximum", default=None)
    timestamp: Any = None


class _LineItem(msgspec.Struct, frozen=True):
    id: str
    label: str | None = None
    score_maximum: Decimal | None = msgspec.field(name="scoreMaximum", default=None)
    resource_id: str | int | None = msgspec.field(name="resourceId", default=None)
    tag: str | None = None
    resource_link_id: str | int | None = msgspec.field(name="resourceLinkId", default=None)


_decode_results = msgspec.json.Decoder(list[_Result]).decode
_decode_result = msgspec.json.Decoder(_Result).decode
_decode_line_items = msgspec.json.Decoder(list[_LineItem]).decode
_decode_line_item = msgspec.json.Decoder(_LineItem).decode
_decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


# -- results


def result_pages(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_item_url: str,
    *,
    user_id: str | None = None,
    deadline: float | None = None,
) -> PagedRead[PlatformResult]:
    """The grades of a column, page by page.

    :param user_id: only this person's (the ``sub`` of a launch).
    """
    return PagedRead(
        connector,
        access,
        results_url(line_item_url),
        lambda: access.require(RESULT_SCOPE),
        RESULTS_TYPE,
        _results_page,
        requested=access.platform.results_query(user_id),
        deadline=deadline,
    )


def read_results(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_item_url: str,
    *,
    user_id: str | None = None,
    deadline: float | None = None,
) -> Results:
    """The grades of a column at once; a platform that ignores ``user_id`` is filtered here."""
    read = result_pages(connector, access, line_item_url, user_id=user_id, deadline=deadline)
    rows = tuple(row for page in read for row in page if user_id is None or row.sub == user_id)
    retry_after = None if read.failure is None else read.failure.retry_after
    return Results(rows, read.is_complete, column_trouble(read), retry_after)


def column_trouble(read: PagedRead[PlatformResult]) -> ErrorCode | None:
    """Why a column was not read whole; a column that is not there any more has its own code."""
    failure = read.failure
    if failure is None:
        return None
    if failure.code is ErrorCode.PLATFORM_REFUSED and failure.http_status in (404, 410):
        return ErrorCode.COLUMN_MISSING
    return failure.code


def results_url(line_item_url: str) -> str:
    """``/results`` below a line item: in the path, before any query (AGS §3.3.2; Moodle has one)."""
    return _below(line_item_url, "results")


def _below(line_item_url: str, name: str) -> str:
    parts = urlsplit(line_item_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))


def _in_json(number: Decimal) -> int | float:
    whole = int(number)
    return whole if number == whole else float(number)


def _results_page(body: bytes) -> Page[PlatformResult]:
    entries, is_whole = decode_rows(body, _decode_results, _decode_raw_list, _decode_result)
    rows = []
    for entry in entries:
        row = _result(entry)
        if row is None:
            is_whole = False
        else:
            rows.append(row)
    return Page(tuple(rows), is_whole, rows[0].sub if rows else None)


def _result(entry: _Result) -> PlatformResult | None:
    """A usable row; ``None`` for one that names nobody or no number."""
    sub = str(entry.user_id)
    score = _number(entry.score, ROUND_FLOOR)
    maximum = _number(entry.maximum, ROUND_CEILING)
    if not is_usable_sub(sub) or (entry.score is not None and score is None):
        return None
    if entry.maximum is not None and maximum is None:
        return None
    if maximum is None:
        # AGS §3.3.4: absent means 1. A greater score contradicts that, and must not become 8,000 percent.
        maximum = Decimal(1) if score is None or score <= 1 else Decimal(0)
    return PlatformResult(sub, score, max(maximum, Decimal(0)), _time(entry.timestamp))


def _number(value: Decimal | None, rounding: str) -> Decimal | None:
    """A number that can be kept, as the platform wrote it; cut, where at all, never in anybody's favour."""
    if value is None or not value.is_finite() or abs(value) >= _GREATEST:
        return None
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -8:
        return value
    return value.quantize(_STEP, rounding=rounding)


def _time(value: object) -> datetime | None:
    """A time in whatever form a platform has it; one that cannot be read is no time, never an error."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value, UTC)
        else:
            return None
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


# -- scores


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class FullScore:
    """All points of a column for one person (AGS §3.4); there is no other score that this tool gives."""

    sub: str
    maximum: Decimal
    """The column's, so that no platform has anything to scale."""
    at: datetime
    """When it was given: later than any the platform has of this person, to the millisecond (§3.4.4)."""

    def document(self) -> dict[str, object]:
        """As it is sent. ``FullyGraded`` with a score: anything else would clear a grade."""
        points = _in_json(self.maximum)
        return {
            "userId": self.sub,
            "scoreGiven": points,
            "scoreMaximum": points,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": _timestamp(self.at),
        }

    def extension(self, platform: Platform) -> Mapping[str, object]:
        """What the platform wants beside it."""
        return platform.award_score_extension()


@dataclass(frozen=True, slots=True)
class EmptyScore:
    """A score that grades nobody: it only opens the result of a person who has none."""

    sub: str
    at: datetime

    def document(self) -> dict[str, object]:
        """As it is sent: nothing was done and nothing is graded (AGS §3.4.5, §3.4.6)."""
        return {
            "userId": self.sub,
            "activityProgress": "Initialized",
            "gradingProgress": "NotReady",
            "timestamp": _timestamp(self.at),
        }

    def extension(self, platform: Platform) -> Mapping[str, object]:
        """What the platform wants beside it."""
        return platform.empty_score_extension()


def post_score(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_item_url: str,
    score: FullScore | EmptyScore,
    *,
    deadline: float | None = None,
) -> ScoreRefusal | None:
    """Write a score once; ``None`` where the platform took it, else what it means by not doing so.

    A call that failed may have been taken all the same: read the result before trying again.

    :raises PlatformFailed: nobody said yes or no; COLUMN_MISSING where the column is gone,
        PLATFORM_SCOPE_MISSING where the tool may not write.
    """
    try:
        answer = connector.post(
            access,
            _below(line_item_url, "scores"),
            access.require(SCORE_SCOPE),
            # Whatever is answered, it is not read: Moodle answers nothing, Canvas where the result is.
            "*/*",
            msgspec.json.encode({**score.document(), **score.extension(access.platform)}),
            SCORE_TYPE,
            deadline=deadline,
        )
    except PlatformFailed as failure:
        return _refusal(access, failure)
    if answer.body.lstrip().startswith(b"<"):
        # A login or maintenance page that calls itself 200 took nothing.
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID,
            f"registration {access.registration.id}: a page instead of an answer to a score",
            retryable=True,
            http_status=answer.status,
        )
    return None


def _refusal(access: ServiceAccess, failure: PlatformFailed) -> ScoreRefusal:
    status = failure.http_status
    if failure.code is ErrorCode.PLATFORM_REFUSED and status in (404, 410):
        raise PlatformFailed(ErrorCode.COLUMN_MISSING, failure.detail, http_status=status) from failure
    if failure.code not in (ErrorCode.PLATFORM_REFUSED, ErrorCode.PLATFORM_UNREACHABLE) or status is None:
        raise failure
    refusal = access.platform.score_refusal(status, failure.body)
    if refusal is ScoreRefusal.OTHER and (status >= 500 or status in (401, 403)):
        raise failure
    return refusal


# -- line items


def line_item_pages(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_items_url: str,
    *,
    resource_id: str | None = None,
    deadline: float | None = None,
) -> LineItemPages:
    """The tool's columns in a course page by page, as the platform filters them."""
    requested = access.platform.line_items_query()
    if resource_id is not None:
        requested["resource_id"] = resource_id
    return PagedRead(
        connector,
        access,
        line_items_url,
        lambda: access.require(LINE_ITEM_SCOPE, LINE_ITEM_READ_SCOPE),
        LINE_ITEMS_TYPE,
        _line_items_page,
        requested=requested,
        deadline=deadline,
    )


def list_line_items(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_items_url: str,
    *,
    resource_id: str | None = None,
    deadline: float | None = None,
) -> tuple[LineItemOnPlatform, ...]:
    """The tool's columns in a course, filtered by the platform and, since some ignore filters, again here.

    :raises PlatformFailed: also where the list was cut off: what is missing must not be created again.
    """
    read = line_item_pages(connector, access, line_items_url, resource_id=resource_id, deadline=deadline)
    found = tuple(
        item for page in read for item in page if resource_id is None or item.resource_id == resource_id
    )
    if read.failure is not None:
        raise read.failure
    return found


def find_line_item(
    items: tuple[LineItemOnPlatform, ...], *, resource_id: str, tag: str, label: str
) -> LineItemOnPlatform | None:
    """The column of ``items`` that is the one described, to be adopted instead of created twice (AGS §3.2.5).

    A column that is coupled to a link is none of those: it is written by the tool.
    """
    for item in items:
        if (
            item.resource_id == resource_id
            and item.tag == tag
            and item.label.strip() == label.strip()
            and not item.resource_link_id
        ):
            return item
    return None


def create_line_item(
    connector: PlatformConnector,
    access: ServiceAccess,
    line_items_url: str,
    spec: LineItemSpec,
    *,
    deadline: float | None = None,
) -> LineItemOnPlatform:
    """Create a column (AGS §3.2.6). Not repeated on trouble: list first, the platform may have made it.

    :raises PlatformFailed: PLATFORM_SCOPE_MISSING where the tool may only read columns.
    """
    if spec.score_maximum <= 0:
        raise ValueError("a column needs a maximum above zero")  # Moodle 4.x takes -5
    body = {
        "label": spec.label,
        "scoreMaximum": spec.maximum_in_json,
        "resourceId": spec.resource_id,
        "tag": spec.tag,
    }
    if spec.resource_link_id is not None:
        body["resourceLinkId"] = spec.resource_link_id
    answer = connector.post(
        access,
        line_items_url,
        access.require(LINE_ITEM_SCOPE),
        LINE_ITEM_TYPE,
        msgspec.json.encode(body),
        LINE_ITEM_TYPE,
        deadline=deadline,
    )
    try:
        item = _line_item(_decode_line_item(answer.body))
    except (msgspec.MsgspecError, RecursionError):
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID,
            f"registration {access.registration.id}: the answer names no line item",
        ) from None
    connector.require_named_host(access, item.url)
    return item


def _line_items_page(body: bytes) -> Page[LineItemOnPlatform]:
    items = tuple(_line_item(entry) for entry in _decode_line_items(body))
    return Page(items, mark=items[0].url if items else None)


def _line_item(entry: _LineItem) -> LineItemOnPlatform:
    if len(entry.id) > _URL_LENGTH:
        raise msgspec.ValidationError("over-long line item URL")
    return LineItemOnPlatform(
        entry.id,
        entry.label or "",
        entry.score_maximum,
        None if entry.resource_id is None else str(entry.resource_id),
        entry.tag,
        None if entry.resource_link_id is None else str(entry.resource_link_id),
    )
