"""One column of the gradebook: read, renamed, taken away (AGS §3.2.5 to §3.2.8).

A PUT replaces the whole line item, so everything that the platform has said of it goes back as it came, what
this tool knows nothing of included. The maximum is never another: Moodle would rescale every grade and mark
it overridden, which ends a mirror's calculation for good.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.grades import LINE_ITEM_READ_SCOPE, LINE_ITEM_SCOPE, LINE_ITEM_TYPE

GONE: Final = (404, 410)
_OWN_NAME: Final = "id"
"""What names the line item; the URL says it already."""


def read_line_item(
    connector: PlatformConnector, access: ServiceAccess, url: str, *, deadline: float | None = None
) -> dict[str, Any]:
    """A line item as the platform has it, every member included (AGS §3.2.5).

    :raises PlatformFailed: COLUMN_MISSING where it is gone; PLATFORM_ANSWER_INVALID where the answer is no
        line item with a name and a maximum; PLATFORM_SCOPE_MISSING.
    """
    scopes = access.require(LINE_ITEM_SCOPE, LINE_ITEM_READ_SCOPE)
    try:
        answer = connector.get(access, url, scopes, LINE_ITEM_TYPE, deadline=deadline)
    except PlatformFailed as failure:
        raise _told(failure) from failure
    try:
        item = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, RecursionError):
        item = None
    maximum = item.get("scoreMaximum") if isinstance(item, dict) else None
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("label"), str)
        or isinstance(maximum, bool)
        or not isinstance(maximum, int | float)
    ):
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID, f"registration {access.registration.id}: no line item"
        )
    return item


def rename_line_item(
    connector: PlatformConnector,
    access: ServiceAccess,
    url: str,
    label: str,
    *,
    was: str,
    resource_id: str,
    tag: str,
    deadline: float | None = None,
) -> bool:
    """Give a column another name and change nothing else of it; whether it has that name now.

    A column that a person renamed in the LMS keeps the name that they gave it.

    :param was: the name that the tool gave it last.
    :param resource_id: what it is found by, sent along: Moodle empties what is left out, and lists as empty
        what it has lost.
    :param tag: the same.
    :raises PlatformFailed: COLUMN_MISSING, PLATFORM_SCOPE_MISSING, and as platforms answer.
    """
    scopes = access.require(LINE_ITEM_SCOPE)
    item = read_line_item(connector, access, url, deadline=deadline)
    if item["label"].strip() == label.strip():
        return True
    if item["label"].strip() != was.strip():
        return False
    body = {name: value for name, value in item.items() if name != _OWN_NAME and value is not None}
    body |= {"label": label, "resourceId": resource_id, "tag": tag}
    try:
        connector.put(
            access, url, scopes, LINE_ITEM_TYPE, msgspec.json.encode(body), LINE_ITEM_TYPE, deadline=deadline
        )
    except PlatformFailed as failure:
        raise _told(failure) from failure
    return True


def delete_line_item(
    connector: PlatformConnector, access: ServiceAccess, url: str, *, deadline: float | None = None
) -> None:
    """Take a column out of the gradebook, with the grades in it; one that is gone already is gone.

    :raises PlatformFailed: PLATFORM_SCOPE_MISSING; PLATFORM_REFUSED where the platform keeps it, as Canvas
        keeps one that belongs to a link (401).
    """
    try:
        connector.delete(access, url, access.require(LINE_ITEM_SCOPE), deadline=deadline)
    except PlatformFailed as failure:
        if _told(failure).code is not ErrorCode.COLUMN_MISSING:
            raise


def _told(failure: PlatformFailed) -> PlatformFailed:
    if failure.code is ErrorCode.PLATFORM_REFUSED and failure.http_status in GONE:
        return PlatformFailed(ErrorCode.COLUMN_MISSING, failure.detail, http_status=failure.http_status)
    return failure
