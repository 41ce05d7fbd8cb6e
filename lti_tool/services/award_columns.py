"""Where the award column of a badge link is: found on the platform, else made there, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.lti import grades
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.grades import LineItemOnPlatform, LineItemSpec
from lti_tool.store import scores as store
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.scores import AwardColumn

LINK_WITHOUT_COLUMN: Final = (404, 412)
"""Canvas, of a link that is no assignment: then the column stands by itself."""


def find_or_make(
    connector: PlatformConnector, access: ServiceAccess, plan: ContextPlan, column: AwardColumn
) -> LineItemOnPlatform:
    """The column on the platform.

    :raises PlatformFailed: as the platform answered; COLUMN_MISSING where it was there and is gone, since it
        is not made again unless somebody asks for it; AWARD_COLUMN_REFUSED where the link can have none.
    """
    url = plan.line_items_url
    if url is None:
        raise PlatformFailed(
            ErrorCode.PLATFORM_SCOPE_MISSING, f"context {plan.id} has no line items service", scope="lineitem"
        )
    found = _own(grades.list_line_items(connector, access, url), column)
    if found is not None:
        return found
    if column.created_on_platform_at is not None:
        raise PlatformFailed(ErrorCode.COLUMN_MISSING, f"award column {column.id} is listed no more")
    return _make(connector, access, url, column)


def _make(
    connector: PlatformConnector, access: ServiceAccess, url: str, column: AwardColumn
) -> LineItemOnPlatform:
    if column.link_id_on_platform is None:
        raise PlatformFailed(
            ErrorCode.AWARD_COLUMN_REFUSED, f"the link of award column {column.id} was never launched"
        )
    spec = LineItemSpec(
        column.label, store.POINTS, column.badge_link_key, store.AWARD_TAG, column.link_id_on_platform
    )
    try:
        return grades.create_line_item(connector, access, url, spec)
    except PlatformFailed as failure:
        if failure.code is not ErrorCode.PLATFORM_REFUSED:
            raise
        # Somebody may have been quicker.
        found = _own(grades.list_line_items(connector, access, url), column)
        if found is not None:
            return found
        if failure.http_status not in LINK_WITHOUT_COLUMN:
            raise PlatformFailed(
                ErrorCode.AWARD_COLUMN_REFUSED, failure.detail, http_status=failure.http_status
            ) from failure
    return grades.create_line_item(connector, access, url, replace(spec, resource_link_id=None))


def _own(listed: tuple[LineItemOnPlatform, ...], column: AwardColumn) -> LineItemOnPlatform | None:
    """The award column among the tool's columns: ours and of this link, else ours, else just of this link.

    Some platforms keep neither tag nor resourceId of the column that they make with a link; a column with
    other marks, such as evidence, is never taken.
    """
    ours = [
        item for item in listed if item.tag == store.AWARD_TAG and item.resource_id == column.badge_link_key
    ]
    of_link = [
        item
        for item in listed
        if item.resource_link_id is not None and item.resource_link_id == column.link_id_on_platform
    ]
    unmarked = [item for item in of_link if not (item.tag or item.resource_id)]
    return next(iter([*(item for item in ours if item in of_link), *ours, *unmarked]), None)
