"""The LTI messages a Canvas sends (lib/lti/messages: jwt_message, resource_link_request, deep_linking_…).

A message is made when the login begins and waits for its nonce. Every object in it carries Canvas's own
``errors`` and ``validation_context`` members, as its gem serialises them.
"""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.simulator.canvas import notices
from tests.simulator.canvas.lms import Canvas
from tests.simulator.claims import (
    CLAIM_AGS,
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
    TEST_USER,
    L,
)
from tests.simulator.lms import Activity, Course, Role, Session, ToolType, User

TOKEN_SECONDS = 3600
_LINK = ("ltiResourceLink",)
_LINK_MEDIA = "application/vnd.ims.lti.v1.ltilink"

# placement: accept_types, accept_multiple, auto_create, document targets, media types
PLACEMENTS: dict[str, tuple[tuple[str, ...], bool, bool, tuple[str, ...], str]] = {
    "assignment_selection": (_LINK, False, False, ("iframe", "window"), _LINK_MEDIA),
    "course_assignments_menu": (_LINK, True, False, ("iframe", "window"), _LINK_MEDIA),
    "editor_button": (
        ("link", "file", "html", "ltiResourceLink", "image"),
        True,
        False,
        ("embed", "iframe", "window"),
        "image/*,text/html,application/vnd.ims.lti.v1.ltilink,*/*",
    ),
    "homework_submission": (("file", "ltiResourceLink"), False, False, ("iframe",), "*/*"),
    "link_selection": (_LINK, True, False, ("iframe", "window"), _LINK_MEDIA),
    "module_index_menu_modal": (_LINK, True, True, ("iframe", "window"), _LINK_MEDIA),
    "module_menu_modal": (_LINK, True, True, ("iframe", "window"), _LINK_MEDIA),
}
TAKES_LINE_ITEM = frozenset(
    {"assignment_selection", "course_assignments_menu", "module_index_menu_modal", "module_menu_modal"}
)

_CONTEXT_ROLES = {
    Role.EDITING_TEACHER: [ROLE + "membership#Instructor"],
    Role.TEACHER: [ROLE + "membership/Instructor#TeachingAssistant", ROLE + "membership#Instructor"],
    Role.STUDENT: [ROLE + "membership#Learner"],
    Role.DESIGNER: [ROLE + "membership#ContentDeveloper"],
    Role.OBSERVER: [ROLE + "membership#Mentor"],
    Role.TEST_STUDENT: [ROLE + "membership#Learner", TEST_USER],
}


def roster_roles(lms: Canvas, user: User, course: Course) -> list[str]:
    """The context's roles alone, as full URIs."""
    role = lms.role_in(user, course)
    return list(_CONTEXT_ROLES[role]) if role else []


def launch_roles(lms: Canvas, user: User, course: Course) -> list[str]:
    """Context, institution and system roles together, sorted; the institution's come from any course."""
    found = {*roster_roles(lms, user, course), ROLE + "system/person#User"}
    for other in lms.courses.values():
        if lms.role_in(user, other) in (Role.EDITING_TEACHER, Role.TEACHER):
            found.add(ROLE + "institution/person#Instructor")
        if lms.role_in(user, other) is Role.STUDENT:
            found.add(ROLE + "institution/person#Student")
    if user.is_admin:
        found.add(ROLE + "institution/person#Administrator")
    if lms.role_in(user, course) is Role.TEST_STUDENT:
        found.discard(ROLE + "system/person#User")
    return sorted(found)


def service_url(lms: Canvas, course: Course, tail: str) -> str:
    return f"{lms.service_base_url}/api/lti/courses/{course.id}/{tail}"


def line_item_url(lms: Canvas, course: Course, item_id: int) -> str:
    return service_url(lms, course, f"line_items/{item_id}")


# Custom parameters


def _variables(
    lms: Canvas,
    tool: ToolType,
    course: Course,
    user: User,
    activity: Activity | None,
    session: Session | None,
) -> dict[str, Any]:
    """What Canvas can say now; whatever is not here stays as it was written, with its ``$``."""
    history = ",".join(lms.context_history(course))
    known: dict[str, Any] = {
        "Context.id": lms.context_id(course),
        "Context.title": course.full_name,
        "Context.id.history": history,
        "Canvas.course.id": course.id,
        "Canvas.course.previousContextIds": history,
        "Canvas.course.workflowState": "available",
        "Canvas.api.domain": lms.domain,
        "Canvas.api.baseUrl": lms.base_url,
        "Canvas.user.id": user.id,
        "Canvas.user.globalId": 10_000_000_000_000 + user.id,
        "Canvas.user.loginId": user.username,
        "User.id": user.id,
        "User.username": user.username,
        "vnd.instructure.User.uuid": lms.sub(user),
        "Message.locale": "en",
        "com.instructure.contextLabel": course.short_name,
    }
    if tool.sends_name:
        known |= {
            "Person.name.full": user.name,
            "Person.name.given": user.given_name,
            "Person.name.family": user.family_name,
        }
    if tool.sends_email:
        known["Person.email.primary"] = user.email
    if user.id_number:
        known |= {"Person.sourcedId": user.id_number, "Canvas.user.sisSourceId": user.id_number}
    if course.id_number:
        known["CourseSection.sourcedId"] = course.id_number
    if activity is not None:
        known["ResourceLink.id"] = lms.resource_link_id(activity)
        known["ResourceLink.id.history"] = ",".join(lms.link_history(activity))
        item = lms.item_of(activity)
        if item is not None:
            known |= {"Canvas.assignment.id": activity.id, "Canvas.assignment.pointsPossible": item.maximum}
        else:
            known["Canvas.moduleItem.id"] = activity.id
    if session is not None:
        # JSON's own true, false and numbers: only what stands inside a longer text becomes text.
        known["com.instructure.User.student_view"] = lms.role_in(user, course) is Role.TEST_STUDENT
        state = "active" if lms.role_in(user, course) else "inactive"
        known["Canvas.enrollment.enrollmentState"] = state
        if session.masquerader_id is not None:
            known["Canvas.masqueradingUser.id"] = session.masquerader_id
    return known


_FOR_EACH_MEMBER = frozenset(
    {
        "Person.name.full",
        "Person.name.family",
        "Person.name.given",
        "User.id",
        "Canvas.user.id",
        "vnd.instructure.User.uuid",
        "Canvas.user.globalId",
        "Canvas.user.sisSourceId",
        "Person.sourcedId",
        "Message.locale",
        "Person.email.primary",
        "User.username",
        "Canvas.user.loginId",
        "Canvas.course.id",
        "Canvas.course.workflowState",
        "Canvas.course.previousContextIds",
    }
)
"""The variables that a roster read with ``rlid`` expands for each member."""


def _lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def _expanded(custom: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: known.get(value[1:], value) if value.startswith("$") else value
        for name, value in custom.items()
    }


def custom_of_launch(
    lms: Canvas, tool: ToolType, course: Course, session: Session, activity: Activity | None
) -> dict[str, Any]:
    """The tool's custom fields, the link's over them."""
    merged = _lines(tool.custom) | _lines(activity.custom if activity else "")
    return _expanded(merged, _variables(lms, tool, course, lms.users[session.user_id], activity, session))


def custom_of_member(
    lms: Canvas, tool: ToolType, course: Course, user: User, activity: Activity | None
) -> dict[str, Any]:
    """The same for somebody who launched nothing: a white-list of variables, the rest unexpanded."""
    known = _variables(lms, tool, course, user, activity, None)
    merged = _lines(tool.custom) | _lines(activity.custom if activity else "")
    return _expanded(merged, {name: value for name, value in known.items() if name in _FOR_EACH_MEMBER})


# Messages


def _part(**members: Any) -> dict[str, Any]:
    return {**members, "errors": {"errors": {}}, "validation_context": None}


def _common(
    lms: Canvas, session: Session, tool: ToolType, course: Course, placement: str | None, target: str
) -> dict[str, Any]:
    user = lms.users[session.user_id]
    issued = int(lms.clock().timestamp())
    claims: dict[str, Any] = {
        "aud": tool.client_id,
        "azp": tool.client_id,
        CLAIM_DEPLOYMENT: lms.deployment_id(tool),
        "exp": issued + TOKEN_SECONDS,
        "iat": issued,
        "iss": lms.cloud.issuer,
        "nonce": str(uuid.UUID(int=lms.random.getrandbits(128), version=4)),
        "sub": lms.sub(user),
        CLAIM_TARGET: target,
        L + "lti11_legacy_user_id": lms.login_hint(user),
        L + "lti1p1": _part(user_id=lms.login_hint(user)),
        CLAIM_CONTEXT: _part(
            id=lms.context_id(course),
            label=course.short_name,
            title=course.full_name,
            type=[ROLE + "course#CourseOffering"],
        ),
        L + "tool_platform": _part(
            guid=lms.guid, name=lms.name, version="cloud", product_family_code="canvas"
        ),
        L + "launch_presentation": _part(
            document_target="iframe",
            height=None,
            width=None,
            return_url=f"{lms.base_url}/courses/{course.id}/external_content/success/external_tool_redirect",
            locale="en",
        ),
        "locale": "en",
        CLAIM_ROLES: launch_roles(lms, user, course),
        CLAIM_VERSION: "1.3.0",
        "errors": {"errors": {}},
        "https://www.instructure.com/placement": placement,
    }
    lis = {"person_sourcedid": "$Person.sourcedId", "course_offering_sourcedid": "$CourseSection.sourcedId"}
    if user.id_number:
        lis["person_sourcedid"] = user.id_number
    if tool.sends_name:
        claims |= {"name": user.name, "given_name": user.given_name, "family_name": user.family_name}
        claims["picture"] = f"{lms.base_url}/images/messages/avatar-50.png"
        claims[L + "lis"] = _part(**lis)
    if tool.sends_email:
        claims["email"] = user.email
    return claims


def _services(lms: Canvas, tool: ToolType, course: Course, activity: Activity | None) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    scopes = [scope for scope in tool.scopes if "/lti-ags/" in scope]
    if scopes:
        endpoint = _part(scope=scopes, lineitems=service_url(lms, course, "line_items"))
        item = lms.item_of(activity) if activity else None
        if item is not None:
            endpoint["lineitem"] = line_item_url(lms, course, item.id)
        claims[CLAIM_AGS] = endpoint
    if tool.has_memberships:
        claims[CLAIM_NRPS] = _part(
            context_memberships_url=service_url(lms, course, "names_and_roles"), service_versions=["2.0"]
        )
    return claims | notices.service_claim(lms, tool)


def resource_link_request(
    lms: Canvas,
    session: Session,
    tool: ToolType,
    course: Course,
    activity: Activity | None,
    placement: str | None = None,
) -> dict[str, Any]:
    """A launch; without a link of its own (course navigation, in a page) the link's id is the course's."""
    target = (activity.url if activity else "") or tool.url
    claims = _common(lms, session, tool, course, placement, target)
    claims[CLAIM_MESSAGE_TYPE] = "LtiResourceLinkRequest"
    has_own_id = activity is not None and activity.id not in lms.embedded
    link_id = lms.resource_link_id(activity) if activity and has_own_id else lms.context_id(course)
    claims[CLAIM_RESOURCE_LINK] = _part(
        id=link_id,
        title=activity.name if activity else course.full_name,
        description=activity.description or None if activity else None,
    )
    claims[CLAIM_CUSTOM] = custom_of_launch(lms, tool, course, session, activity)
    return claims | _services(lms, tool, course, activity)


def deep_linking_request(
    lms: Canvas,
    session: Session,
    tool: ToolType,
    course: Course,
    placement: str,
    data: str,
    edited: Activity | None = None,
) -> dict[str, Any]:
    """A request for content: ``data`` rides in the return URL, ``accept_lineitem`` is never said.

    ``edited``: the assignment whose link is to open something else; only expanded variables name it.
    """
    types, multiple, creates, targets, media = PLACEMENTS[placement]
    claims = _common(lms, session, tool, course, placement, tool.deep_linking_url or tool.url)
    claims[CLAIM_MESSAGE_TYPE] = "LtiDeepLinkingRequest"
    # The tool's custom fields alone: those of the link that is being replaced are not sent.
    variables = _variables(lms, tool, course, lms.users[session.user_id], edited, session)
    claims[CLAIM_CUSTOM] = _expanded(_lines(tool.custom), variables)
    query = urlencode({"data": data, "modal": "true", "placement": placement})
    claims[CLAIM_DEEP_LINKING] = _part(
        deep_link_return_url=f"{lms.base_url}/courses/{course.id}/deep_linking_response?{query}",
        accept_types=list(types),
        accept_presentation_document_targets=list(targets),
        accept_media_types=media,
        accept_multiple=multiple,
        auto_create=creates,
    )
    return claims | _services(lms, tool, course, None)
