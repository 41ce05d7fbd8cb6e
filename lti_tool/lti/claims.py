"""Claims of LTI 1.3 messages: their names, and how each becomes a part of the domain.

Two rules. What identifies something (``sub``, ids) is taken exactly or refused: a shortened identifier
would name somebody else. What is only shown (names, titles) is cleaned and shortened, never refused:
a long course title is no reason to keep a class out (LTI Core §5.3 and §5.4 bound identifiers only).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from lti_tool.domain.copies import TRUNCATED
from lti_tool.domain.identity import (
    ANONYMOUS,
    PURPOSES,
    CourseContext,
    DeepLinkingSettings,
    GradeService,
    LinkOnPlatform,
    MembershipService,
    PlatformUser,
)
from lti_tool.errors import ErrorCode, LaunchRefused

LTI: Final = "https://purl.imsglobal.org/spec/lti/claim/"
DEEP_LINKING: Final = "https://purl.imsglobal.org/spec/lti-dl/claim/"

VERSION: Final = LTI + "version"
MESSAGE_TYPE: Final = LTI + "message_type"
DEPLOYMENT_ID: Final = LTI + "deployment_id"
TARGET_LINK_URI: Final = LTI + "target_link_uri"
RESOURCE_LINK: Final = LTI + "resource_link"
CONTEXT: Final = LTI + "context"
ROLES: Final = LTI + "roles"
TOOL_PLATFORM: Final = LTI + "tool_platform"
LAUNCH_PRESENTATION: Final = LTI + "launch_presentation"
CUSTOM: Final = LTI + "custom"
FOR_USER: Final = LTI + "for_user"
DEEP_LINKING_SETTINGS: Final = DEEP_LINKING + "deep_linking_settings"
DEEP_LINKING_DATA: Final = DEEP_LINKING + "data"
DEEP_LINKING_MESSAGE: Final = DEEP_LINKING + "msg"
DEEP_LINKING_LOG: Final = DEEP_LINKING + "log"
DEEP_LINKING_ERROR: Final = DEEP_LINKING + "errormsg"
DEEP_LINKING_ERROR_LOG: Final = DEEP_LINKING + "errorlog"
MEMBERSHIP_SERVICE: Final = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GRADE_SERVICE: Final = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"

LTI_VERSION: Final = "1.3.0"
RESOURCE_LINK_REQUEST: Final = "LtiResourceLinkRequest"
DEEP_LINKING_REQUEST: Final = "LtiDeepLinkingRequest"
SUBMISSION_REVIEW_REQUEST: Final = "LtiSubmissionReviewRequest"
DATA_PRIVACY_REQUEST: Final = "DataPrivacyLaunchRequest"

MESSAGES: Final = frozenset(PURPOSES)
"""The messages that this tool takes; what each is for says ``domain.identity.PURPOSES``."""
ABOUT_SOMEBODY: Final = frozenset({SUBMISSION_REVIEW_REQUEST, DATA_PRIVACY_REQUEST})
"""Those whose ``for_user`` names somebody else than who launches."""

ITEM_TYPES: Final = frozenset({"ltiResourceLink", "link", "html", "image"})
"""What this tool has to give to a platform that asks for content."""

KEPT_CUSTOM: Final = frozenset(
    {
        "badge_link_key",
        "badge_link_role",
        "context_history",
        "link_history",
        "locale",
        "student_view",
        "masquerade",
        "link_id",
        "assignment_id",
    }
)
"""The custom parameters that this tool asks platforms for; others may hold anything, and are dropped."""

_HISTORIES: Final = frozenset({"context_history", "link_history"})

ID_LENGTH: Final = 255
URL_LENGTH: Final = 2000
HISTORY_LENGTH: Final = 48_000
"""Of the ids of the courses, or links, before this one: Canvas names up to a thousand of forty letters."""
ACTIVITY_LENGTH: Final = 64

_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LINK_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f-\x9f\\\"<>^`{|}]")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def identifier(value: object, claim: str) -> str | None:
    """An identifier exactly as sent; ``None`` where it is absent or empty.

    :raises LaunchRefused: LAUNCH_CLAIM_INVALID unless it is at most 255 printable ASCII characters.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > ID_LENGTH or not _PRINTABLE_ASCII.fullmatch(value):
        raise LaunchRefused(
            ErrorCode.LAUNCH_CLAIM_INVALID, f"{claim} is not 1-255 ASCII characters", claim=claim
        )
    return value


def text(value: object, length: int) -> str | None:
    """Something to show: control characters become blanks, the rest is cut at ``length``."""
    if not isinstance(value, str):
        return None
    return _UNPRINTABLE.sub(" ", value).strip()[:length].strip() or None


def http_url(value: object) -> str | None:
    """An absolute http(s) URL exactly as sent; ``None`` for anything else, or with a user name in it."""
    return value if isinstance(value, str) and _split(value) is not None else None


def host_of(url: str) -> str | None:
    """``host[:port]`` of a URL, lower case, a default port left out; ``None`` if it is no http(s) URL."""
    parts = _split(url)
    return None if parts is None else parts[1]


def origin_of(url: str | None) -> str | None:
    """``scheme://host[:port]`` as browsers write an origin; ``None`` if it is no http(s) URL."""
    parts = None if url is None else _split(url)
    return None if parts is None else f"{parts[0]}://{parts[1]}"


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[str, str] | None:
    """Scheme and host[:port] of a URL that both this tool and a browser read the same way."""
    if len(url) > URL_LENGTH or _NOT_IN_URLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host):
        return None
    is_default = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return parts.scheme, host if is_default else f"{host}:{port}"


def claim_object(body: Mapping[str, Any], claim: str) -> Mapping[str, Any]:
    """A claim whose value is an object; an absent one is empty.

    :raises LaunchRefused: LAUNCH_CLAIM_INVALID where it is something else.
    """
    value = body.get(claim)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LaunchRefused(ErrorCode.LAUNCH_CLAIM_INVALID, f"{claim} is no object", claim=claim)
    return value


def read_roles(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The roles claim (LTI Core §5.3.7): required, may be empty, holds short or unknown roles.

    :raises LaunchRefused: LAUNCH_ROLES_MISSING where it is absent or no list.
    """
    roles = body.get(ROLES)
    if not isinstance(roles, list):
        raise LaunchRefused(ErrorCode.LAUNCH_ROLES_MISSING, "no list of roles")
    return tuple(role for role in roles[:100] if isinstance(role, str) and len(role) <= URL_LENGTH)


def read_user(body: Mapping[str, Any], *, may_be_anonymous: bool = False) -> PlatformUser:
    """The user identity claims (LTI Core §5.3.6); only ``sub`` is required.

    :param may_be_anonymous: whether nobody is taken where there is no ``sub`` (LTI Core §5.3.6.1); what else
        is told of them is dropped then.
    :raises LaunchRefused: LAUNCH_SUBJECT_MISSING, LAUNCH_CLAIM_INVALID.
    """
    sub = identifier(body.get("sub"), "sub")
    if sub is None:
        if may_be_anonymous:
            return ANONYMOUS
        raise LaunchRefused(ErrorCode.LAUNCH_SUBJECT_MISSING, "no sub")
    given_name, family_name = text(body.get("given_name"), 250), text(body.get("family_name"), 250)
    name = text(body.get("name"), 500) or " ".join(filter(None, (given_name, family_name))) or None
    email = text(body.get("email"), 320)
    return PlatformUser(
        sub=sub,
        name=name,
        given_name=given_name,
        family_name=family_name,
        email=email if email and "@" in email else None,
    )


def read_context(body: Mapping[str, Any]) -> CourseContext | None:
    """The context claim (LTI Core §5.4.1); ``None`` where it is absent or names no course.

    :raises LaunchRefused: LAUNCH_CLAIM_INVALID.
    """
    claim = claim_object(body, CONTEXT)
    id_on_platform = identifier(claim.get("id"), "context.id")
    if id_on_platform is None:
        return None
    return CourseContext(id_on_platform, text(claim.get("label"), 255), text(claim.get("title"), 500))


def read_resource_link(body: Mapping[str, Any]) -> LinkOnPlatform:
    """The resource link claim (LTI Core §5.3.5).

    :raises LaunchRefused: LAUNCH_RESOURCE_LINK_MISSING, LAUNCH_CLAIM_INVALID.
    """
    claim = body.get(RESOURCE_LINK)
    link = claim if isinstance(claim, dict) else {}
    id_on_platform = identifier(link.get("id"), "resource_link.id")
    if id_on_platform is None:
        raise LaunchRefused(ErrorCode.LAUNCH_RESOURCE_LINK_MISSING, "no resource_link.id")
    return LinkOnPlatform(id_on_platform, text(link.get("title"), 500))


def read_custom(body: Mapping[str, Any]) -> dict[str, str]:
    """The custom parameters that we asked for; unexpanded variables (``$…``) count as absent."""
    custom = body.get(CUSTOM)
    if not isinstance(custom, dict):
        return {}
    kept: dict[str, str] = {}
    for name in KEPT_CUSTOM & custom.keys():
        given = custom[name]
        if isinstance(given, int):
            # Canvas expands $Canvas.masqueradingUser.id to a number, …User.student_view to true or false.
            given = str(given).lower()
        value = _history(given) if name in _HISTORIES else text(given, URL_LENGTH)
        if value is None or value.startswith("$"):
            continue
        if name == "badge_link_key" and not _LINK_KEY.fullmatch(value):
            continue
        kept[name] = value
    return kept


def _history(given: object) -> str | None:
    """Ids parted by commas; what is too long ends with a whole one and, as Canvas says it, ``truncated``."""
    value = text(given, HISTORY_LENGTH + 1)
    if value is None or len(value) <= HISTORY_LENGTH:
        return value
    return value[: HISTORY_LENGTH - len(TRUNCATED) - 1].rpartition(",")[0] + f",{TRUNCATED}"


def read_grade_service(body: Mapping[str, Any]) -> GradeService | None:
    """The AGS claim (AGS §3.1): what this launch granted.

    Moodle sends empty strings beside the real URLs where a custom parameter has a reserved name.
    """
    claim = body.get(GRADE_SERVICE)
    if not isinstance(claim, dict):
        return None
    scopes = claim.get("scope")
    return GradeService(
        scopes=frozenset(
            scope
            for scope in (scopes if isinstance(scopes, list) else ())
            if isinstance(scope, str) and len(scope) <= ID_LENGTH
        ),
        line_items_url=http_url(claim.get("lineitems")),
        line_item_url=http_url(claim.get("lineitem")),
    )


def read_membership_service(body: Mapping[str, Any]) -> MembershipService | None:
    """The NRPS claim (NRPS §2.2)."""
    claim = body.get(MEMBERSHIP_SERVICE)
    url = http_url(claim.get("context_memberships_url")) if isinstance(claim, dict) else None
    return None if url is None else MembershipService(url)


def read_deep_linking_settings(
    body: Mapping[str, Any], custom: Mapping[str, str] | None = None
) -> DeepLinkingSettings:
    """What the platform accepts back (Deep Linking 2.0 §4.4.1).

    :param custom: the parameters of :func:`read_custom`. The standard has no request to change a link;
        where these name one, or the resource link claim of other messages does, it is one.
    :raises LaunchRefused: DEEP_LINKING_SETTINGS_INVALID, DEEP_LINKING_TYPE_REFUSED.
    """
    settings = body.get(DEEP_LINKING_SETTINGS)
    if not isinstance(settings, dict):
        raise LaunchRefused(ErrorCode.DEEP_LINKING_SETTINGS_INVALID, "no deep_linking_settings")
    return_url = http_url(settings.get("deep_link_return_url"))
    types = settings.get("accept_types")
    targets = settings.get("accept_presentation_document_targets")
    data = settings.get("data")
    if (
        return_url is None
        or not isinstance(types, list)
        or not isinstance(targets, list)
        or not (data is None or isinstance(data, str))
    ):
        raise LaunchRefused(
            ErrorCode.DEEP_LINKING_SETTINGS_INVALID,
            "deep_link_return_url, accept_types, accept_presentation_document_targets or data",
        )
    accept_types = _words(types)
    if not ITEM_TYPES & set(accept_types):
        raise LaunchRefused(
            ErrorCode.DEEP_LINKING_TYPE_REFUSED, "nothing that this tool has is accepted here"
        )
    media_types = settings.get("accept_media_types")
    return DeepLinkingSettings(
        return_url=return_url,
        accept_types=accept_types,
        accept_multiple=_truth(settings.get("accept_multiple")) or False,
        accept_line_item=_truth(settings.get("accept_lineitem")),
        data=data,
        title=text(settings.get("title"), 500),
        text=text(settings.get("text"), 2000),
        accept_targets=_words(targets),
        # The standard has one text, types parted by commas; what is no text says nothing.
        accept_media_types=_words(media_types.split(",")) if isinstance(media_types, str) else None,
        edited_link=_edited_link(body) or (custom or {}).get("link_id", "")[:ID_LENGTH] or None,
        edited_activity=(custom or {}).get("assignment_id", "")[:ACTIVITY_LENGTH] or None,
    )


def _edited_link(body: Mapping[str, Any]) -> str | None:
    link = body.get(RESOURCE_LINK)
    return identifier(link.get("id"), "resource_link.id") if isinstance(link, dict) else None


def _words(values: list[Any]) -> tuple[str, ...]:
    """The texts of a list that somebody else made, bounded: types and targets are short."""
    return tuple(
        value.strip() for value in values[:100] if isinstance(value, str) and len(value) <= ID_LENGTH
    )


def read_for_user(body: Mapping[str, Any]) -> str:
    """Whom a message is about (Submission Review 1.0 §3.3, Data Privacy Launch 1.0): the platform's user id.

    :raises LaunchRefused: LAUNCH_CLAIM_INVALID where it names nobody.
    """
    user_id = identifier(claim_object(body, FOR_USER).get("user_id"), "for_user.user_id")
    if user_id is None:
        raise LaunchRefused(ErrorCode.LAUNCH_CLAIM_INVALID, "for_user names nobody", claim="for_user.user_id")
    return user_id


def read_locale(presentation: Mapping[str, Any], custom: Mapping[str, str]) -> str | None:
    """The language the platform speaks to this person: launch_presentation.locale, else $Message.locale."""
    for value in (presentation.get("locale"), custom.get("locale")):
        if isinstance(value, str) and _LOCALE.fullmatch(value):
            return value
    return None


def origins_of(urls: Iterable[object]) -> tuple[str, ...]:
    """The distinct origins of those ``urls`` that are http(s) URLs."""
    found = (origin_of(url) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(origin for origin in found if origin is not None))


def _truth(value: object) -> bool | None:
    """A boolean, which some platforms send as a string."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None
