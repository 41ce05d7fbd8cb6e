"""Moodle's LTI services: Names and Roles, line items, results, scores, with the traits of MOODLE.md §4 and
§6.

Recordings: ``nrps*``, ``ags_lineitems``, ``ags_scores_results``, ``calc_*``, ``teacher_override*``.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, make_response, request

from tests.simulator import claims
from tests.simulator.gradebook import GradeItem, GradeRow, LockedGradeItemError, ServiceRecord
from tests.simulator.lms import (
    SCOPE_LINEITEM,
    SCOPE_LINEITEM_READONLY,
    SCOPE_MEMBERSHIPS,
    SCOPE_RESULT,
    SCOPE_SCORE,
    AccessToken,
    Course,
    JsonObject,
    ToolType,
    User,
)
from tests.simulator.moodle import messages
from tests.simulator.moodle.lms import Moodle
from tests.simulator.moodle.web import the_lms
from tests.simulator.web import PageError

blueprint = Blueprint("services", __name__)

NRPS_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
NRPS_OLD_TYPE = "application/vnd.ims.lis.v2.membershipcontainer+json"
LINEITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
LINEITEMS_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"
RESULT_TYPE = "application/vnd.ims.lis.v2.result+json"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
SCORES_TYPE = "application/vnd.ims.lis.v1.scorecontainer+json"

# ISO 8601 as Moodle accepts it: a date alone passes, seconds since 1970 do not.
_ISO_8601 = re.compile(
    r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[zZ]|[+-]\d\d(?::?\d\d)?)?)?$", re.ASCII
)


class ServiceError(Exception):
    """An answer that is not 2xx; `reason` also stands in the HTTP status line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ScoreRefusedError(ServiceError):
    """Refused while a score was stored: the body is then an empty list under the score's own media type."""


class BadGatewayError(Exception):
    """PHP died with an invalid status line; the web server in front answers 502."""


def _number(value: float) -> float | int:
    """As PHP writes a float in JSON: 8.0 is 8."""
    return int(value) if float(value).is_integer() else value


def _status(code: int, reason: str) -> str:
    line = re.sub(r"[\r\n]+", " ", f"{code} {reason}").strip()
    return line.encode("utf-8").decode("latin-1")


def _json(body: Any, media_type: str, status: str = "200 OK") -> Response:
    response = make_response(json.dumps(body, ensure_ascii=False), status)
    response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
    return response


def _refusal(error: ServiceError) -> Response:
    sent = request.headers.get("Content-Type", "").split(";")[0]
    body = {
        "status": error.status,
        "reason": error.reason,
        "request": {
            "method": request.method,
            "url": request.full_path.rstrip("?"),
            "accept": request.headers.get("Accept", ""),
            "contentType": sent,
        },
    }
    return _json(body, "application/json", _status(error.status, error.reason))


@dataclass(frozen=True)
class Call:
    """One request to a service, its tool already known by the token."""

    lms: Moodle
    course: Course
    tool: ToolType
    token: AccessToken
    item_id: int | None = None

    def require(self, *scopes: str) -> None:
        if not self.token.scopes.intersection(scopes):
            raise ServiceError(401, "Unauthorized")


def _token(lms: Moodle) -> AccessToken:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = lms.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if token is None or token.expires_at <= lms.clock():
        raise ServiceError(401, "Unauthorized")
    return token


def _page_bounds() -> tuple[int, int]:
    def whole(name: str) -> int:
        match = re.match(r"-?\d+", request.args.get(name, ""))
        return int(match[0]) if match else 0

    return max(0, whole("limit")), max(0, whole("from"))


# Names and Roles


def _member(call: Call, user: User, link: int | None) -> JsonObject:
    member: JsonObject = {"status": "Active", "roles": messages.roster_roles(call.lms, user, call.course)}
    if call.course is call.lms.site_course and not user.is_admin:
        member["roles"] = ["Learner"]
    if link is not None:
        activity = call.lms.activity("lti", link)
        message: JsonObject = {claims.CLAIM_MESSAGE_TYPE: "LtiResourceLinkRequest"}
        if activity and call.lms.item_of(activity):
            message[claims.CLAIM_BASIC_OUTCOME] = messages.basic_outcome(call.lms, activity, user)
        member["message"] = [message]
    member["user_id"] = str(user.id)
    member["lis_person_sourcedid"] = user.id_number
    if call.tool.sends_name:
        member |= {"name": user.name, "given_name": user.given_name, "family_name": user.family_name}
    if call.tool.sends_email:
        member["email"] = user.email
    if call.tool.sends_name:
        member["ext_user_username"] = user.username
    return member


def _members(call: Call) -> Response:
    call.require(SCOPE_MEMBERSHIPS)
    lms, course = call.lms, call.course
    endpoint = lms.base_url + request.path
    link: int | None = None
    users = lms.members(course)
    if request.args.get("rlid"):
        wanted = request.args["rlid"]
        activity = lms.activity("lti", int(wanted)) if wanted.isdigit() else None
        if activity is None or activity.course_id != course.id:
            raise ServiceError(404, f"Not Found: LTI link {wanted} doesn't exist")
        link = activity.instance
        # "Restrict access" of that activity narrows the roster; a merely hidden activity does not.
        users = [user for user in users if lms.is_available(user, activity)]
    role = request.args.get("role", "").removeprefix(claims.ROLE + "membership#")
    if role == "Instructor":
        users = [user for user in users if "Instructor" in messages.roster_roles(lms, user, course)]
    elif role == "Learner":
        users = [user for user in users if "Instructor" not in messages.roster_roles(lms, user, course)]
    limit, start = _page_bounds()
    shown = users[start : start + limit] if limit else users
    members = [_member(call, user, link) for user in shown]
    if request.headers.get("Accept") == NRPS_OLD_TYPE:
        return _json(_old_container(course, endpoint, members), NRPS_OLD_TYPE)
    body = {
        "id": endpoint,
        "context": {"id": str(course.id), "label": course.short_name, "title": course.full_name},
        "members": members,
    }
    response = _json(body, NRPS_TYPE)
    if limit and start + limit < len(users):
        # The role filter is lost here, rlid is kept (MOODLE.md §4).
        following = f"{endpoint}?limit={limit}&from={start + limit}" + (
            f"&rlid={link}" if link is not None else ""
        )
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def _old_container(course: Course, endpoint: str, members: list[JsonObject]) -> JsonObject:
    names = {
        "user_id": "userId",
        "lis_person_sourcedid": "sourcedId",
        "name": "name",
        "given_name": "givenName",
        "family_name": "familyName",
        "email": "email",
        "ext_user_username": "ext_user_username",
    }
    membership = [
        {
            "status": member["status"],
            "role": member["roles"],
            "member": {"@type": "LISPerson"}
            | {new: member[old] for old, new in names.items() if old in member},
        }
        for member in members
    ]
    return {
        "@context": "http://purl.imsglobal.org/ctx/lis/v2/MembershipContainer",
        "@type": "Page",
        "@id": endpoint,
        "pageOf": {
            "@type": "LISMembershipContainer",
            "membershipSubject": {"@type": "Context", "contextId": str(course.id), "membership": membership},
        },
    }


# Line items


def _items_url(call: Call) -> str:
    return f"{call.lms.base_url}/mod/lti/services.php/{call.course.id}/lineitems"


def _item_url(call: Call, item: GradeItem, *, tail: str = "", typed: bool = True) -> str:
    query = f"?type_id={call.tool.id}" if typed else ""
    return f"{_items_url(call)}/{item.id}/lineitem{tail}{query}"


def _line_item(call: Call, item: GradeItem) -> JsonObject:
    body: JsonObject = {
        "id": _item_url(call, item),
        "label": item.label,
        "scoreMaximum": _number(item.maximum),
    }
    link = item.instance
    if item.service is not None:
        body |= {"resourceId": item.service.resource_id, "tag": item.service.tag}
        link = item.service.link_id
    else:
        body["tag"] = ""
    if link is not None:
        body |= {"resourceLinkId": str(link), "ltiLinkId": str(link)}
    return body


def _own_items(call: Call) -> list[GradeItem]:
    """The tool's own columns: coupled to its links, or created by it. Native activities' never."""
    own = []
    for item in call.lms.gradebook.of_course(call.course.id):
        coupled = call.lms.activity("lti", item.instance or 0) if item.module == "lti" else None
        is_coupled = coupled is not None and coupled.tool_type_id == call.tool.id
        service = item.service if item.module is None else None
        if is_coupled or (service is not None and service.tool_type_id == call.tool.id):
            own.append(item)
    return own


def _broken_link(url: str, query: list[str], limit: int, start: int, total: int) -> str:
    """Moodle's Link header for line items and results: ``&amp;`` in URLs, typographic quotes around
    relations.
    """

    def entry(relation: str, position: int) -> str:
        text = "&amp;".join([*query, f"limit={limit}", f"from={position}"])
        return f"<{url}?{text}>; rel=\u201c{relation}\u201d"

    links = [entry("first", 0)]
    inside = 0 <= start < total
    if start > 0 and inside:
        links.append(entry("prev", max(0, start - limit)))
    links.append(entry("canonical", start))
    if start + limit <= total - 1 and inside:
        links.append(entry("next", start + limit))
    links.append(entry("last", max(0, total - limit + 1)))
    return ", ".join(links).encode("utf-8").decode("latin-1")


def _list_items(call: Call) -> Response:
    call.require(SCOPE_LINEITEM, SCOPE_LINEITEM_READONLY)
    items = _own_items(call)
    filters = {
        name: request.args[name]
        for name in ("resource_id", "resource_link_id", "tag")
        if name in request.args
    }
    if "tag" in filters:
        items = [i for i in items if i.service is not None and i.service.tag == filters["tag"]]
    if "resource_id" in filters:
        items = [
            i for i in items if i.service is not None and i.service.resource_id == filters["resource_id"]
        ]
    if "resource_link_id" in filters:
        wanted = filters["resource_link_id"]
        items = [i for i in items if str((i.service.link_id if i.service else i.instance) or "") == wanted]
    limit, start = _page_bounds()
    shown = items[start : start + limit] if limit else items
    response = _json([_line_item(call, item) for item in shown], LINEITEMS_TYPE)
    if limit:
        query = [f"{name}={value}" for name, value in filters.items()]
        if "type_id" in request.args:
            query.append(f"type_id={call.tool.id}")
        response.headers["Link"] = _broken_link(_items_url(call), query, limit, start, len(items))
    return response


def _body() -> JsonObject:
    try:
        body = json.loads(request.get_data(as_text=True))
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _create_item(call: Call) -> Response:
    call.require(SCOPE_LINEITEM)
    body = _body()
    label, maximum = body.get("label"), body.get("scoreMaximum")
    if not label or maximum is None or isinstance(maximum, bool) or not isinstance(maximum, int | float):
        raise ServiceError(400, "No label or Score Maximum")
    link: int | None = None
    if body.get("resourceLinkId") is not None:
        wanted = str(body["resourceLinkId"])
        activity = call.lms.activity("lti", int(wanted)) if wanted.isdigit() else None
        if activity is None or activity.tool_type_id != call.tool.id or activity.course_id != call.course.id:
            raise ServiceError(403, "Forbidden")
        link = activity.instance
    record = ServiceRecord(call.tool.id, str(body.get("resourceId") or ""), str(body.get("tag") or ""), link)
    # No look for duplicates, and a maximum of 0 or below is taken (recording ags_lineitems).
    item = call.lms.gradebook.add_item(call.course.id, "manual", str(label), float(maximum), service=record)
    call.course.is_regrade_shown = True
    return _json({**body, "id": _item_url(call, item)}, LINEITEM_TYPE, "201 Created")


def _find_item(call: Call) -> GradeItem:
    """The column an URL names. Raises `ServiceError` as Moodle does, its hole included.

    Moodle looks the item's instance number up among LTI links without asking of what module it is, so a
    foreign column whose number happens to equal one of the tool's links answers 200 (MOODLE.md §6,
    "Id-collision hole").
    """
    item = call.lms.gradebook.items.get(call.item_id or 0)
    if item is None:
        raise ServiceError(404, f"Not Found: Grade item {call.item_id} doesn't exist")
    if item.course_id != call.course.id:
        raise ServiceError(404, "Line item does not exist")
    if item.instance is None:
        if item.service is None or item.service.tool_type_id != call.tool.id:
            raise ServiceError(404, "Line item does not exist")
        return item
    link = call.lms.activity("lti", item.instance)
    if link is None or link.course_id != call.course.id:
        raise ServiceError(404, "Line item does not exist")
    if link.tool_type_id != call.tool.id:
        raise ServiceError(403, "Invalid LTI id supplied.")
    return item


def _read_item(call: Call) -> Response:
    call.require(SCOPE_LINEITEM, SCOPE_LINEITEM_READONLY)
    item = _find_item(call)
    if item.kind == "course":
        call.lms.gradebook.rows(item)
    return _json(_line_item(call, item), LINEITEM_TYPE)


def _replace_item(call: Call) -> Response:
    call.require(SCOPE_LINEITEM)
    item, body = _find_item(call), _body()
    label, maximum = body.get("label"), body.get("scoreMaximum")
    if not label or isinstance(maximum, bool) or not isinstance(maximum, int | float):
        raise ServiceError(400, "Bad Request")
    link = item.service.link_id if item.service else item.instance
    record = ServiceRecord(call.tool.id, str(body.get("resourceId") or ""), str(body.get("tag") or ""), link)
    item.label, item.service = str(label), record
    if float(maximum) != item.maximum:
        call.lms.gradebook.rescale(item, float(maximum))
    return _json({**body, "id": _item_url(call, item)}, LINEITEM_TYPE)


def _delete_item(call: Call) -> Response:
    call.require(SCOPE_LINEITEM)
    call.lms.gradebook.delete_item(_find_item(call))
    response = make_response("", "204 OK")
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response


# Results and scores


def _result(call: Call, item: GradeItem, row: GradeRow, *, typed: bool) -> JsonObject:
    query = f"?type_id={call.tool.id}&" if typed else "?"
    url = _item_url(call, item, tail="/results", typed=False)
    body: JsonObject = {"id": f"{url}{query}user_id={row.user_id}", "userId": str(row.user_id)}
    if row.final is not None and row.modified_at is not None:
        body |= {"resultScore": _number(row.final), "resultMaximum": _number(row.maximum)}
        if row.feedback:
            body["comment"] = row.feedback
        body["scoreOf"] = _item_url(call, item, typed=typed)
        body["timestamp"] = row.modified_at.astimezone(UTC).replace(microsecond=0).isoformat()
    return body


def _results(call: Call) -> Response:
    call.require(SCOPE_RESULT)
    item = _find_item(call)
    typed = "type_id" in request.args
    limit, start = _page_bounds()
    if limit and typed:
        # Moodle 4.4 calls a method on null here and answers with its HTML error page.
        raise PageError("Exception - Call to a member function out() on null")
    # A row emptied by a changed formula keeps its time and is listed without a score; one cleared by AGS is
    # not listed.
    rows = [row for row in call.lms.gradebook.rows(item) if row.modified_at is not None]
    if "user_id" in request.args:
        rows = [row for row in rows if str(row.user_id) == request.args["user_id"]]
    # In no order a tool could rely on.
    rows.sort(key=lambda row: (row.modified_at, -row.user_id), reverse=True)
    shown = rows[start : start + limit] if limit else rows
    response = _json([_result(call, item, row, typed=typed) for row in shown], RESULTS_TYPE)
    if limit:
        url = _item_url(call, item, tail="/results", typed=False)
        response.headers["Link"] = _broken_link(url, [], limit, start, len(rows))
    return response


def _score_time(text: Any) -> datetime | None:
    """The time of a score in whole seconds, as PHP's strtotime gives it; None when Moodle refuses the
    form.
    """
    if not isinstance(text, str) or not _ISO_8601.match(text):
        return None
    try:
        parsed = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).replace(microsecond=0)


def _numeric(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _post_score(call: Call) -> Response:
    call.require(SCOPE_SCORE)
    item, body = _find_item(call), _body()
    refused = ScoreRefusedError(400, "Incorrect score received" + request.get_data(as_text=True))
    if any(body.get(name) is None for name in ("userId", "timestamp", "gradingProgress", "activityProgress")):
        raise refused
    given, maximum = body.get("scoreGiven"), body.get("scoreMaximum")
    at = _score_time(body["timestamp"])
    if at is None or (given is not None and (_numeric(given) is None or maximum is None)):
        raise refused
    if maximum is not None and _numeric(maximum) is None:
        raise refused
    if not re.fullmatch(r"\d+", str(body["userId"])):
        raise BadGatewayError
    user_id = int(body["userId"])
    if not call.lms.is_gradable(user_id, call.course):
        raise refused
    gradebook = call.lms.gradebook
    row = gradebook.row(item, user_id)
    if row is not None and row.modified_at is not None and at <= row.modified_at.replace(microsecond=0):
        raise ScoreRefusedError(
            409, f"Refusing score with an earlier timestamp for item {item.id} and user {user_id}"
        )
    value: float | None = None
    if given is not None and body["gradingProgress"] == "FullyGraded":
        value, scale = float(given), _numeric(maximum)
        if scale:
            value = value * item.maximum / scale
    feedback = str(body["comment"]) if body.get("comment") else None
    try:
        if item.kind == "manual":
            gradebook.set_final(
                item, user_id, value, feedback=feedback, modified_at=at if value is not None else None
            )
        else:
            gradebook.report_raw(item, user_id, value, feedback=feedback)
    except LockedGradeItemError as error:
        raise ScoreRefusedError(500, "Internal Server Error") from error
    response = make_response("", "200 OK")
    response.headers["Content-Type"] = f"{SCORE_TYPE}; charset=utf-8"
    return response


# Routing: Moodle matches path and media type together, and calls a miss of either "No handler found".

Operation = Callable[[Call], Response]
_COURSE = r"/(?P<course>[0-9]+)"
_ITEM = _COURSE + r"/lineitems/(?P<item>[0-9]+)/lineitem"
_ROUTES: list[tuple[str, tuple[str, ...], dict[str, Operation]]] = [
    (
        r"/CourseSection/(?P<course>\d+)/bindings/(?P<type>\d+)/memberships",
        (NRPS_TYPE, NRPS_OLD_TYPE),
        {"GET": _members},
    ),
    (_COURSE + r"/lineitems", (LINEITEMS_TYPE, LINEITEM_TYPE), {"GET": _list_items, "POST": _create_item}),
    (_ITEM, (LINEITEM_TYPE,), {"GET": _read_item, "PUT": _replace_item, "DELETE": _delete_item}),
    (_ITEM + "/results", (RESULTS_TYPE, RESULT_TYPE), {"GET": _results}),
    (_ITEM + "/scores", (SCORES_TYPE, SCORE_TYPE), {"POST": _post_score}),
]


def _dispatch(path: str) -> Response:
    lms = the_lms()
    accept = request.headers.get("Accept", "") if request.method == "GET" else ""
    sent = (
        request.headers.get("Content-Type", "").split(";")[0]
        if request.method not in ("GET", "DELETE")
        else ""
    )
    for pattern, formats, operations in _ROUTES:
        match = re.fullmatch(pattern, path, re.IGNORECASE)
        if match is None:
            continue
        # Accept must be one of the formats exactly, or hold */*: a list of two types finds no handler.
        if accept and "*/*" not in accept and accept not in formats:
            continue
        if request.method in ("POST", "PUT") and sent not in formats:
            continue
        groups = match.groupdict()
        token = _token(lms)
        asked = groups.get("type") or request.args.get("type_id")
        if asked is not None and asked != str(token.tool_type_id):
            raise ServiceError(401, "Unauthorized")
        course = lms.courses.get(int(groups["course"]))
        if course is None:
            raise ServiceError(404, f"Not Found: Course {groups['course']} doesn't exist")
        operation = operations.get(request.method)
        if operation is None:
            raise ServiceError(405, f"{request.method} requests are not allowed.")
        item_id = int(groups["item"]) if groups.get("item") else None
        return operation(Call(lms, course, lms.tools[token.tool_type_id], token, item_id))
    raise ServiceError(400, f"No handler found for {path} {accept} {sent}")


@blueprint.route("/mod/lti/services.php/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def services(path: str) -> Response:
    lms = the_lms()
    with lms.lock:
        try:
            return _dispatch("/" + path)
        except ScoreRefusedError as error:
            return _json([], SCORE_TYPE, _status(error.status, error.reason))
        except ServiceError as error:
            return _refusal(error)
        except BadGatewayError:
            page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body>\r\n</html>\r\n"
            return Response(page, "502 Bad Gateway", content_type="text/html")
