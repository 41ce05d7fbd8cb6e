"""Names and Role Provisioning Services 2.0: who is in a course.

A roster is read page by page, so that a course of any size needs the memory of one page. Only a roster
that was read whole may say that somebody is gone; see :mod:`~lti_tool.lti.paging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from lti_tool.domain.identity import PlatformUser
from lti_tool.domain.roles import Rights
from lti_tool.errors import ErrorCode
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.paging import Page, PagedRead, decode_rows
from lti_tool.platforms import Platform

SCOPE: Final = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA_TYPE: Final = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
"""Moodle 4.x answers 400 to ``application/json``."""

_NAME_LENGTH: Final = 500
_EMAIL_LENGTH: Final = 320
_SUB_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Member:
    """One roster entry (NRPS §2.2); everything but ``user.sub`` and the roles may be missing."""

    user: PlatformUser
    rights: Rights
    is_active: bool
    is_gone: bool = False
    """Called inactive or deleted: only this takes anybody away where a list tells changes and not all."""
    group_ids: tuple[str, ...] = ()
    """The platform's ids of the groups they are in, where those were asked for."""


RosterPages = PagedRead[Member]


class _Enrolment(msgspec.Struct, frozen=True):
    group_id: str | int


class _Member(msgspec.Struct, frozen=True):
    user_id: str | int
    roles: list[str] | None = None
    status: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    group_enrollments: list[_Enrolment] | None = None


class _Container(msgspec.Struct, frozen=True):
    members: list[_Member]


class _RawContainer(msgspec.Struct, frozen=True):
    members: list[msgspec.Raw]


_decode_container = msgspec.json.Decoder(_Container).decode
_decode_raw_container = msgspec.json.Decoder(_RawContainer).decode
_decode_member = msgspec.json.Decoder(_Member).decode


def roster_pages(
    connector: PlatformConnector,
    access: ServiceAccess,
    memberships_url: str,
    *,
    role: str | None = None,
    resource_link_id: str | None = None,
    with_groups: bool = False,
    deadline: float | None = None,
) -> PagedRead[Member]:
    """The roster of a course, page by page.

    :param role: only members of this role; Moodle knows Learner and Instructor and ignores others.
    :param resource_link_id: only members who may see this link (NRPS §2.4.4, ``rlid``).
    :param with_groups: along with the groups that each is in (Course Groups 1.0).
    :param deadline: of :meth:`PlatformConnector.deadline_in`.
    """
    platform = access.platform
    return PagedRead(
        connector,
        access,
        memberships_url,
        lambda: frozenset({SCOPE}),
        MEDIA_TYPE,
        lambda body: _page(platform, body),
        requested=platform.roster_query(role, resource_link_id) | ({"groups": "true"} if with_groups else {}),
        deadline=deadline,
    )


def differences_pages(
    connector: PlatformConnector,
    access: ServiceAccess,
    differences_url: str,
    *,
    deadline: float | None = None,
) -> RosterPages:
    """Who came, changed or went since a roster was read whole (NRPS §2.5); nobody else is listed.

    :param differences_url: of that reading's :attr:`PagedRead.differences_url`, exactly as given.
    """
    platform = access.platform
    return PagedRead(
        connector,
        access,
        differences_url,
        lambda: frozenset({SCOPE}),
        MEDIA_TYPE,
        lambda body: _page(platform, body),
        deadline=deadline,
    )


def link_trouble(access: ServiceAccess, read: PagedRead[Member]) -> ErrorCode | None:
    """Why the roster of a link was not read whole; a link that is not there any more has its own code."""
    failure = read.failure
    if failure is None:
        return None
    refused = failure.code is ErrorCode.PLATFORM_REFUSED and failure.http_status is not None
    # A later page that is refused says nothing of the link: the first one knew it.
    if refused and read.pages_read == 0 and access.platform.is_link_unknown(failure.http_status or 0):
        return ErrorCode.GATE_LINK_MISSING
    return failure.code


def _page(platform: Platform, body: bytes) -> Page[Member]:
    entries, is_whole = decode_rows(
        body,
        lambda body: _decode_container(body).members,
        lambda body: _decode_raw_container(body).members,
        _decode_member,
    )
    rights: dict[tuple[str, ...], Rights] = {}  # a course has a handful of role lists, whatever its size
    members = []
    for entry in entries:
        sub = str(entry.user_id)
        if not is_usable_sub(sub):
            is_whole = False
            continue
        status = (entry.status or "Active").strip().lower()
        roles = tuple(entry.roles or ())
        if roles not in rights:
            rights[roles] = platform.roster_rights(roles)
        members.append(
            Member(
                PlatformUser(
                    sub,
                    _text(entry.name, _NAME_LENGTH),
                    _text(entry.given_name, _NAME_LENGTH),
                    _text(entry.family_name, _NAME_LENGTH),
                    _text(entry.email, _EMAIL_LENGTH),
                ),
                rights[roles],
                # Absent means active (NRPS §2.2); anything else than the one good word does not.
                is_active=status == "active",
                is_gone=status in ("inactive", "deleted"),
                group_ids=tuple(str(one.group_id) for one in entry.group_enrollments or ()),
            )
        )
    return Page(tuple(members), is_whole, members[0].user.sub if members else None)


def is_usable_sub(sub: str) -> bool:
    """Whether a user id can be one (LTI Core §5.3.6: at most 255 ASCII characters)."""
    return 0 < len(sub) <= _SUB_LENGTH and sub.isascii() and sub.isprintable()


def _text(value: str | None, length: int) -> str | None:
    if value is None:
        return None
    if not value.isprintable():
        value = "".join(mark if mark.isprintable() else " " for mark in value)
    return value.strip()[:length] or None
