"""Course Groups Service 1.0: the groups that a course is divided into.

Who is in which comes with the roster (``groups=true``): one list more, and no call for each learner.
Neither Moodle nor Canvas offers the service; where the launch does not name it, or does not grant its scope,
nothing is asked. No platform with it was at hand: claim, lists and members are as other tools read them
(PyLTI1p3's ``course_groups``, the LTI-PHP library's ``Membership`` and ``Groups``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lti_tool.lti import claims
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.memberships import is_usable_sub
from lti_tool.lti.observing import GROUPS_SCOPE
from lti_tool.lti.paging import Page, PagedRead, decode_rows

CLAIM: Final = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"
MEDIA_TYPE: Final = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
NAME_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class PlatformGroup:
    """A group as the platform names it."""

    id_on_platform: str
    name: str


class _Group(msgspec.Struct, frozen=True):
    id: str | int
    name: str | None = None


class _Container(msgspec.Struct, frozen=True):
    groups: list[_Group]


class _RawContainer(msgspec.Struct, frozen=True):
    groups: list[msgspec.Raw]


_decode_container = msgspec.json.Decoder(_Container).decode
_decode_raw_container = msgspec.json.Decoder(_RawContainer).decode
_decode_group = msgspec.json.Decoder(_Group).decode


def read_service(body: Mapping[str, Any]) -> str | None:
    """Where a course's groups are; ``None`` unless the launch permits the tool to read them."""
    claim = body.get(CLAIM)
    if not isinstance(claim, dict):
        return None
    scopes = claim.get("scope")
    if not isinstance(scopes, list) or GROUPS_SCOPE not in scopes:
        return None
    return claims.http_url(claim.get("context_groups_url"))


def group_pages(
    connector: PlatformConnector, access: ServiceAccess, groups_url: str
) -> PagedRead[PlatformGroup]:
    """The groups of a course, page by page."""
    return PagedRead(connector, access, groups_url, lambda: frozenset({GROUPS_SCOPE}), MEDIA_TYPE, _page)


def _page(body: bytes) -> Page[PlatformGroup]:
    entries, is_whole = decode_rows(
        body,
        lambda body: _decode_container(body).groups,
        lambda body: _decode_raw_container(body).groups,
        _decode_group,
    )
    groups = []
    for entry in entries:
        id_on_platform = str(entry.id)
        if not is_usable_sub(id_on_platform):  # the same bounds: 255 printable ASCII characters
            is_whole = False
            continue
        groups.append(PlatformGroup(id_on_platform, claims.text(entry.name, NAME_LENGTH) or id_on_platform))
    return Page(tuple(groups), is_whole, groups[0].id_on_platform if groups else None)
