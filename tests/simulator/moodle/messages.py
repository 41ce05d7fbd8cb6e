"""The LTI messages a Moodle sends: claims of resource link and deep linking requests, custom parameters.

The order and presence of claims follow the recordings ``launch_*`` and ``deep_linking_request_*``; MOODLE.md
§2 and §3 say why.
"""

import hashlib
import html
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from tests.simulator.claims import (
    CLAIM_AGS,
    CLAIM_BASIC_OUTCOME,
    CLAIM_CONTEXT,
    CLAIM_CUSTOM,
    CLAIM_DEEP_LINKING,
    CLAIM_DEPLOYMENT,
    CLAIM_MESSAGE_TYPE,
    CLAIM_NRPS,
    CLAIM_RESOURCE_LINK,
    CLAIM_ROLES,
    CLAIM_TARGET,
    CLAIM_VERSION,
    ROLE,
    L,
)
from tests.simulator.lms import Activity, Course, Role, Session, ToolType, User
from tests.simulator.moodle.lms import Moodle

TOKEN_SECONDS = 60

# Custom parameter names that Moodle swallows into its own claims (MOODLE.md §2, "Reserved custom names").
_SWALLOWED = {
    "score_url": "score",
    "scores_url": "scores",
    "result_url": "result",
    "results_url": "results",
    "lineitem_url": "lineitem",
    "lineitems_url": "lineitems",
}
_DROPPED = {"gradebookservices_scope", "context_memberships_v2_url", "context_memberships_versions"}

# The substitution variables of Moodle's OpenID configuration; those of its services are not listed there.
PUBLISHED_VARIABLES = (
    "basic-lti-launch-request",
    "ContentItemSelectionRequest",
    "ToolProxyRegistrationRequest",
    "Context.id",
    "Context.title",
    "Context.label",
    "Context.id.history",
    "Context.sourcedId",
    "Context.longDescription",
    "Context.timeFrame.begin",
    "CourseSection.title",
    "CourseSection.label",
    "CourseSection.sourcedId",
    "CourseSection.longDescription",
    "CourseSection.timeFrame.begin",
    "CourseSection.timeFrame.end",
    "ResourceLink.id",
    "ResourceLink.title",
    "ResourceLink.description",
    "User.id",
    "User.username",
    "Person.name.full",
    "Person.name.given",
    "Person.name.family",
    "Person.email.primary",
    "Person.sourcedId",
    "Person.name.middle",
    "Person.address.street1",
    "Person.address.locality",
    "Person.address.country",
    "Person.address.timezone",
    "Person.phone.primary",
    "Person.phone.mobile",
    "Person.webaddress",
    "Membership.role",
    "Result.sourcedId",
    "Result.autocreate",
    "BasicOutcome.sourcedId",
    "BasicOutcome.url",
    "Moodle.Person.userGroupIds",
)


def launch_roles(lms: Moodle, user: User, course: Course) -> list[str]:
    """Full URIs; an administrator brings institution and system roles along."""
    if user.is_admin:
        return [
            ROLE + "institution/person#Administrator",
            ROLE + "membership#Instructor",
            ROLE + "system/person#Administrator",
        ]
    teaches = lms.role_in(user, course) in (Role.EDITING_TEACHER, Role.TEACHER)
    return [ROLE + ("membership#Instructor" if teaches else "membership#Learner")]


def roster_roles(lms: Moodle, user: User, course: Course) -> list[str]:
    """Short names as NRPS gives them; a non-editing teacher is a Learner there."""
    name = "Instructor" if lms.may_manage(user, course) else "Learner"
    return [name, ROLE + "person#Administrator"] if user.is_admin else [name]


def lineitems_url(lms: Moodle, course: Course, tool: ToolType) -> str:
    return f"{lms.base_url}/mod/lti/services.php/{course.id}/lineitems?type_id={tool.id}"


def memberships_url(lms: Moodle, course: Course, tool: ToolType) -> str:
    return f"{lms.base_url}/mod/lti/services.php/CourseSection/{course.id}/bindings/{tool.id}/memberships"


def lineitem_url(lms: Moodle, course: Course, tool: ToolType, activity: Activity) -> str | None:
    """The URL of the one line item of a link; None when it has none, or several."""
    own = [
        item
        for item in lms.gradebook.of_course(course.id)
        if (item.module == "lti" and item.instance == activity.instance)
        or (item.service is not None and item.service.link_id == activity.instance)
    ]
    if len(own) != 1:
        return None
    return f"{lms.base_url}/mod/lti/services.php/{course.id}/lineitems/{own[0].id}/lineitem?type_id={tool.id}"


def result_sourcedid(lms: Moodle, activity: Activity, user: User) -> str:
    data = {
        "instanceid": str(activity.instance),
        "userid": str(user.id),
        "typeid": str(activity.tool_type_id),
        "launchid": lms.random.randrange(2**31),
    }
    digest = hashlib.sha256(json.dumps(data).encode()).hexdigest()
    return json.dumps({"data": data, "hash": digest}, separators=(",", ":"))


def basic_outcome(lms: Moodle, activity: Activity, user: User) -> dict[str, str]:
    return {
        "lis_result_sourcedid": result_sourcedid(lms, activity, user),
        "lis_outcome_service_url": f"{lms.base_url}/mod/lti/service.php",
    }


def host_of(url: str) -> str:
    """Host and port, by which Moodle matches a URL to a tool."""
    return urlsplit(url).netloc.lower()


def plain_text(text: str) -> str:
    """Moodle's html_to_text in small: bold becomes capitals, other tags go."""
    loud = re.sub(r"<(b|strong)>(.*?)</\1>", lambda m: m[2].upper(), text, flags=re.IGNORECASE | re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", loud)).strip()


def _variables(
    lms: Moodle, tool: ToolType, course: Course, user: User, activity: Activity | None
) -> dict[str, str | None]:
    name = user.name if tool.sends_name else None
    role = "Learner" if launch_roles(lms, user, course) == [ROLE + "membership#Learner"] else "Instructor"
    if user.is_admin:
        role = "Instructor,urn:lti:sysrole:ims/lis/Administrator,urn:lti:instrole:ims/lis/Administrator"
    service = f"{lms.base_url}/mod/lti/services.php"
    known: dict[str, str | None] = {
        "Context.id": str(course.id),
        "Context.title": course.full_name,
        "Context.label": course.short_name,
        "Context.id.history": ",".join(str(number) for number in course.history),
        "Context.sourcedId": course.id_number,
        "Context.longDescription": course.description,
        "Context.timeFrame.begin": str(int(course.starts_at.timestamp())),
        "CourseSection.title": course.full_name,
        "CourseSection.label": course.short_name,
        "CourseSection.sourcedId": course.id_number,
        "CourseSection.longDescription": course.description,
        "CourseSection.timeFrame.begin": course.starts_at.isoformat(),
        "CourseSection.timeFrame.end": course.ends_at.isoformat(),
        "User.id": str(user.id),
        "User.username": user.username,
        "Person.name.full": name,
        "Person.name.given": user.given_name if tool.sends_name else None,
        "Person.name.family": user.family_name if tool.sends_name else None,
        "Person.name.middle": "",
        "Person.email.primary": user.email if tool.sends_email else None,
        "Person.sourcedId": user.id_number,
        "Person.address.street1": "",
        "Person.address.locality": "",
        "Person.address.country": "",
        "Person.address.timezone": "99",
        "Person.phone.primary": "",
        "Person.phone.mobile": "",
        "Person.webaddress": "",
        "Membership.role": role,
        "Moodle.Person.userGroupIds": "",
        "LineItems.url": lineitems_url(lms, course, tool),
        "Results.url": "",
        "Scores.url": "",
        "ToolProxyBinding.memberships.url": memberships_url(lms, course, tool),
        "LtiLink.memberships.url": f"{service}/links/{{link_id}}/memberships",
        "LtiLink.custom.url": f"{service}/links/{{link_id}}/custom",
    }
    if activity is not None:
        known |= {
            "ResourceLink.id": str(activity.instance),
            "ResourceLink.title": activity.name,
            "ResourceLink.description": plain_text(activity.description),
            "LineItem.url": lineitem_url(lms, course, tool, activity) or "",
        }
        if lms.item_of(activity) is not None:
            sourcedid = result_sourcedid(lms, activity, user)
            known |= {"Result.sourcedId": sourcedid, "BasicOutcome.sourcedId": sourcedid}
    return known


def split_custom(text: str) -> dict[str, str]:
    """One ``name=value`` a line; a newline inside a value therefore starts another parameter."""
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip():
            pairs[key.strip()] = value.strip()
    return pairs


def _resolve(value: str, variables: Mapping[str, str | None]) -> str | None:
    if value.startswith("\\"):
        return value[1:]
    if value.startswith("$") and value[1:] in variables:
        return variables[value[1:]]
    return value


def _custom(
    lms: Moodle, tool: ToolType, course: Course, user: User, activity: Activity | None
) -> dict[str, str | None]:
    """Instance parameters first, the tool's own over them (Moodle 4.4: the tool-level value wins)."""
    variables = _variables(lms, tool, course, user, activity)
    merged: dict[str, str | None] = {}
    for text in (activity.custom if activity else "", tool.custom):
        for key, value in split_custom(text).items():
            resolved = _resolve(value, variables)
            mapped = re.sub(r"[^a-z0-9]", "_", key.lower())
            merged[mapped] = resolved
            if mapped != key:
                merged[key] = resolved
    return merged


def _services(
    lms: Moodle, tool: ToolType, course: Course, activity: Activity | None, custom: dict[str, str | None]
) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    swallowed = {member: custom.pop(name) for name, member in _SWALLOWED.items() if name in custom}
    for name in _DROPPED:
        custom.pop(name, None)
    has_memberships = tool.has_memberships and lms.is_used_in(tool, course)
    if has_memberships:
        custom["context_memberships_url"] = memberships_url(lms, course, tool)
    if custom:
        claims[CLAIM_CUSTOM] = custom
    if tool.grade_service:
        endpoint: dict[str, Any] = dict(swallowed)
        endpoint["scope"] = [scope for scope in tool.scopes if "/lti-ags/" in scope]
        endpoint["lineitems"] = lineitems_url(lms, course, tool)
        single = lineitem_url(lms, course, tool, activity) if activity else None
        if single is not None:
            endpoint["lineitem"] = single
        claims[CLAIM_AGS] = endpoint
    if has_memberships:
        claims[CLAIM_NRPS] = {
            "context_memberships_url": memberships_url(lms, course, tool),
            "service_versions": ["1.0", "2.0"],
        }
    return claims


def _common(
    lms: Moodle, session: Session, tool: ToolType, course: Course, nonce: str, activity: Activity | None
) -> dict[str, Any]:
    user = lms.users[session.user_id]
    issued = int(lms.clock().timestamp())
    return {
        "nonce": nonce,
        "iat": issued,
        "exp": issued + int(timedelta(seconds=TOKEN_SECONDS).total_seconds()),
        "iss": lms.base_url,
        "aud": (activity.resource_key if activity else "") or tool.client_id,
        CLAIM_DEPLOYMENT: str(tool.id),
        CLAIM_TARGET: lms.launch_url(activity) if activity else (tool.deep_linking_url or tool.url),
        "sub": str(user.id),
        L + "lis": {"person_sourcedid": user.id_number, "course_section_sourcedid": course.id_number},
        CLAIM_ROLES: launch_roles(lms, user, course),
        CLAIM_CONTEXT: {
            "id": str(course.id),
            "label": course.short_name,
            "title": course.full_name,
            "type": ["CourseSection"],
        },
    }


def _person(tool: ToolType, user: User) -> dict[str, Any]:
    """Names and e-mail as the tool's privacy settings allow; the person's idnumber is sent regardless (lis
    claim).
    """
    claims: dict[str, Any] = {}
    if tool.sends_name:
        claims = {"given_name": user.given_name, "family_name": user.family_name, "name": user.name}
    claims[L + "ext"] = (
        {"user_username": user.username, "lms": "moodle-2"} if tool.sends_name else {"lms": "moodle-2"}
    )
    if tool.sends_email:
        claims["email"] = user.email
    return claims


def _platform(lms: Moodle) -> dict[str, Any]:
    return {
        "product_family_code": "moodle",
        "version": "2023112400",
        "guid": hashlib.md5(lms.base_url.encode(), usedforsecurity=False).hexdigest(),
        "name": lms.short_name,
        "description": lms.name,
    }


def resource_link_request(lms: Moodle, session: Session, activity: Activity, nonce: str) -> dict[str, Any]:
    """The claims of a launch of `activity` by the session's user."""
    tool = lms.tools[activity.tool_type_id or 0]
    course = lms.courses[activity.course_id]
    user = lms.users[session.user_id]
    container = 3 if tool.container == "iframe" else 4
    claims = _common(lms, session, tool, course, nonce, activity)
    claims[CLAIM_MESSAGE_TYPE] = "LtiResourceLinkRequest"
    claims[CLAIM_RESOURCE_LINK] = {
        "title": activity.name,
        "description": plain_text(activity.description),
        "id": str(activity.instance),
    }
    if tool.accepts_grades and lms.item_of(activity) is not None:
        claims[CLAIM_BASIC_OUTCOME] = basic_outcome(lms, activity, user)
    claims |= _person(tool, user)
    query = f"course={course.id}&launch_container={container}&instanceid={activity.instance}"
    query += f"&sesskey={session.sesskey}"
    claims[L + "launch_presentation"] = {
        "locale": "en",
        "document_target": tool.container,
        "return_url": f"{lms.base_url}/mod/lti/return.php?{query}",
    }
    claims[L + "tool_platform"] = _platform(lms)
    claims[CLAIM_VERSION] = "1.3.0"
    custom = _custom(lms, tool, course, user, activity)
    return claims | _services(lms, tool, course, activity, custom)


def submission_review_request(
    lms: Moodle, session: Session, activity: Activity, nonce: str, for_user: int | None
) -> dict[str, Any]:
    """The claims of a launch out of the gradebook (grade.php, ``action=gradeReport``): a launch of the link
    that says whose work is meant, sent whether or not the tool asked for such launches.
    """
    claims = resource_link_request(lms, session, activity, nonce)
    claims[CLAIM_MESSAGE_TYPE] = "LtiSubmissionReviewRequest"
    if lms.reviews_leave_out_link:
        claims.pop(CLAIM_RESOURCE_LINK, None)
    if lms.reviews_leave_out_link or lms.reviews_leave_out_custom:
        claims.pop(CLAIM_CUSTOM, None)
    if for_user:
        claims[L + "for_user"] = {"user_id": str(for_user)}
    return claims


def deep_linking_request(
    lms: Moodle, session: Session, tool: ToolType, course: Course, nonce: str
) -> dict[str, Any]:
    """The claims of "Select content"; no NRPS claim as long as the course holds no activity of the tool."""
    user = lms.users[session.user_id]
    claims = _common(lms, session, tool, course, nonce, None)
    claims[CLAIM_MESSAGE_TYPE] = "LtiDeepLinkingRequest"
    claims |= _person(tool, user)
    claims[L + "launch_presentation"] = {"locale": "en"}
    claims[L + "tool_platform"] = _platform(lms)
    claims[CLAIM_VERSION] = "1.3.0"
    claims |= _services(lms, tool, course, None, _custom(lms, tool, course, user, None))
    claims[CLAIM_DEEP_LINKING] = {
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["frame", "iframe", "window"],
        "accept_copy_advice": False,
        "accept_multiple": True,
        "accept_unsigned": False,
        "auto_create": False,
        "can_confirm": False,
        "deep_link_return_url": (
            f"{lms.base_url}/mod/lti/contentitem_return.php?course={course.id}&id={tool.id}&sesskey={session.sesskey}"
        ),
        "title": tool.name,
        "text": "",
    }
    return claims
