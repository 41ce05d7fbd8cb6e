"""Canvas's LTI services: Names and Roles, line items, results, scores.

app/controllers/lti/ims/{names_and_roles,line_items,results,scores}_controller.rb with their concerns,
providers and serializers; app/models/lti/{line_item,result}.rb; app/middleware/request_throttle.rb.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, request

from tests.simulator.canvas import messages
from tests.simulator.canvas.lms import BUCKET_HOLDS, Canvas, LtiResult
from tests.simulator.canvas.web import the_lms
from tests.simulator.claims import CLAIM_CUSTOM, CLAIM_MESSAGE_TYPE, ROLE
from tests.simulator.gradebook import GradeItem, LockedGradeItemError, ServiceRecord
from tests.simulator.lms import (
    SCOPE_LINEITEM,
    SCOPE_LINEITEM_READONLY,
    SCOPE_MEMBERSHIPS,
    SCOPE_RESULT,
    SCOPE_SCORE,
    AccessToken,
    Activity,
    Course,
    JsonObject,
    ToolType,
    User,
)

blueprint = Blueprint("services", __name__)

NRPS_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LINEITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
LINEITEMS_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
SUBMISSION = "https://canvas.instructure.com/lti/submission"
SUBMISSION_TYPE = "https://canvas.instructure.com/lti/submission_type"
LAUNCH_URL = "https://canvas.instructure.com/lti/launch_url"
ROSTER_PAGE = 50
PAGE, LARGEST_PAGE = 10, 100

T = TypeVar("T")


class ServiceError(Exception):
    """An answer that is not 2xx: the services' own form, or Rails's for what cannot be found."""

    def __init__(self, status: int, type_: str, message: str) -> None:
        super().__init__(message)
        self.status, self.type, self.message = status, type_, message


def _not_found() -> ServiceError:
    return ServiceError(404, "", "The specified resource does not exist.")


def _unauthorized(message: str) -> ServiceError:
    return ServiceError(401, "unauthorized", message)


def _unprocessable(message: str) -> ServiceError:
    return ServiceError(422, "unprocessable_entity", message)


def _bad_request(message: str) -> ServiceError:
    return ServiceError(400, "bad_request", message)


def _json(body: Any, media_type: str, status: int = 200) -> Response:
    response = make_response(json.dumps(body), status)
    response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
    return response


def _refusal(error: ServiceError) -> Response:
    if not error.message:
        return Response(status=error.status, content_type="text/html")
    body: JsonObject = {"errors": {"type": error.type, "message": error.message}}
    if not error.type:
        body = {"errors": [{"message": error.message}]}
    return _json(body, "application/json", error.status)


@dataclass(frozen=True)
class Call:
    """One request to a service, its tool already known by the token."""

    lms: Canvas
    course: Course
    tool: ToolType
    token: AccessToken


def _call(course_id: int, *alternatives: str) -> Call:
    """Token, scope, course and tool, in Canvas's order. Raises `ServiceError`."""
    lms = the_lms()
    if not request.headers.get("User-Agent"):
        raise ServiceError(403, "forbidden", "User-Agent header is required")
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise _unauthorized("Missing access token")
    # A token names the host that gave it: another institution's is refused like a forged one.
    token = lms.tokens.get(value.strip())
    if token is None:
        raise _unauthorized("Access token invalid - signature likely incorrect")
    if token.expires_at <= lms.clock():
        raise _unauthorized("Access token expired")
    if not token.scopes.intersection(alternatives):
        raise _unauthorized("Insufficient permissions")
    course = lms.courses.get(course_id)
    if course is None or (course.id in lms.concluded and SCOPE_MEMBERSHIPS not in alternatives):
        raise _not_found()
    client_id = lms.tools[token.tool_type_id].client_id
    here = [
        tool
        for tool in lms.tools.values()
        if tool.client_id == client_id and tool.course_id in (None, course.id)
    ]
    if not here:
        raise _unauthorized("Access Token not linked to a Tool associated with this Context")
    # The course's own deployment before the account's.
    tool = next((tool for tool in here if tool.course_id is not None), here[0])
    return Call(lms, course, tool, token)


def _answered(operation: Callable[[], Response]) -> Response:
    """The answer, paid for out of the key's bucket; where that is full, nobody looks at the call."""
    lms = the_lms()
    with lms.lock:
        token = lms.tokens.get(request.headers.get("Authorization", "").partition(" ")[2].strip())
        # Calls that say nothing of a key share the bucket of their address.
        bucket = lms.bucket(lms.tools[token.tool_type_id].client_id if token else "")
        if bucket.level >= BUCKET_HOLDS:
            return lms.rate_limited(None)
        try:
            response = operation()
        except ServiceError as error:
            response = _refusal(error)
        bucket.level += lms.call_cost
        left = max(0.0, BUCKET_HOLDS - bucket.level)
    response.headers["X-Request-Cost"] = f"{lms.call_cost:g}"
    response.headers["X-Rate-Limit-Remaining"] = f"{left:.2f}"
    return response


# Paging


def _whole(name: str) -> int:
    value = request.args.get(name, "")
    return int(value) if value.isdigit() else 0


def _links(response: Response, pages: dict[str, str | None], **kept: Any) -> None:
    """``Link`` with several relations in one header, in Canvas's order, parameters of its own included."""
    base = request.base_url
    entries = []
    for relation, cursor in pages.items():
        if cursor is not None:
            query = urlencode({**kept, "page": cursor})
            entries.append(f'<{base}?{query}>; rel="{relation}"')
    response.headers["Link"] = ",".join(entries)


def _numbered(rows: list[T]) -> tuple[list[T], dict[str, str | None], int]:
    """One page of a list whose pages are numbered."""
    size = min(_whole("limit") or _whole("per_page") or PAGE, LARGEST_PAGE)
    page = max(_whole("page"), 1)
    last = max(1, -(-len(rows) // size))
    links = {
        "current": str(page),
        "next": str(page + 1) if page < last else None,
        "prev": str(page - 1) if page > 1 else None,
        "first": "1",
        "last": str(last),
    }
    return rows[(page - 1) * size : page * size], links, size


def _bookmark(user_id: int) -> str:
    """Opaque, and read back letter by letter: capitals matter."""
    return "bookmark:" + base64.urlsafe_b64encode(json.dumps([user_id]).encode()).decode().rstrip("=")


def _after_bookmark() -> int:
    """The user that the page begins behind. Raises `ServiceError` for a bookmark that is none."""
    cursor = request.args.get("page", "")
    if not cursor or cursor == "first":
        return 0
    text = cursor.removeprefix("bookmark:")
    try:
        (user_id,) = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if _bookmark(user_id) != cursor:
            raise ValueError(cursor)
    except ValueError as error:
        raise _bad_request("Invalid page bookmark") from error
    return int(user_id)


# Names and Roles


def _link_filter(call: Call) -> tuple[str, Activity | None]:
    """``rlid``: a link of this tool, or the course itself. Raises `ServiceError`."""
    wanted = request.args.get("rlid", "")
    if not wanted or wanted == call.lms.context_id(call.course):
        return wanted, None
    link = call.lms.find_link(wanted)
    if link is None:
        raise _bad_request("Invalid 'rlid' parameter")
    if link.course_id != call.course.id or link.tool_type_id != call.tool.id:
        raise _bad_request("Tool does not have access to rlid or rlid does not exist")
    return wanted, link


def _member(call: Call, user: User, rlid: str, link: Activity | None) -> JsonObject:
    lms, tool = call.lms, call.tool
    member: JsonObject = {"status": "Active"}
    if tool.sends_name:
        member |= {
            "name": user.name,
            "picture": f"{lms.base_url}/images/messages/avatar-50.png",
            "given_name": user.given_name,
            "family_name": user.family_name,
        }
        if user.id_number:
            member["lis_person_sourcedid"] = user.id_number
    if tool.sends_email:
        member["email"] = user.email
    member |= {
        "user_id": lms.sub(user),
        "lti11_legacy_user_id": lms.login_hint(user),
        "roles": messages.roster_roles(lms, user, call.course),
    }
    if rlid:
        member["message"] = [
            {
                CLAIM_MESSAGE_TYPE: "LtiResourceLinkRequest",
                "locale": "en",
                CLAIM_CUSTOM: messages.custom_of_member(lms, tool, call.course, user, link),
                "https://www.instructure.com/canvas_user_id": user.id,
                "https://www.instructure.com/canvas_user_login_id": user.username,
            }
        ]
    return member


@blueprint.get("/api/lti/courses/<int:course_id>/names_and_roles")
def names_and_roles(course_id: int) -> Response:
    return _answered(lambda: _names_and_roles(_call(course_id, SCOPE_MEMBERSHIPS)))


def _names_and_roles(call: Call) -> Response:
    lms, course = call.lms, call.course
    rlid, link = _link_filter(call)
    users = lms.members(course)
    if link is not None and lms.item_of(link) is not None:
        # Only an assignment has people it is assigned to, and only students are narrowed by it.
        users = [user for user in users if lms.is_available(user, link)]
    role = request.args.get("role", "")
    if role:
        full = role if "://" in role else ROLE + "membership#" + role
        users = [user for user in users if full in messages.roster_roles(lms, user, course)]
    size = min(_whole("limit") or _whole("per_page") or ROSTER_PAGE, ROSTER_PAGE)
    behind = _after_bookmark()
    rest = [user for user in users if user.id > behind]
    shown = rest[:size]
    body = {
        "id": lms.base_url + request.full_path.rstrip("?"),
        "context": {
            "id": lms.context_id(course),
            "label": course.short_name,
            "title": course.full_name,
        },
        "members": [_member(call, user, rlid, link) for user in shown],
    }
    response = _json(body, NRPS_TYPE)
    following = _bookmark(shown[-1].id) if len(rest) > size else None
    kept: dict[str, Any] = {name: request.args[name] for name in ("rlid", "role") if name in request.args}
    current = request.args.get("page") or "first"
    _links(response, {"current": current, "next": following, "first": "first"}, **kept, per_page=size)
    return response


# Line items


def _item_url(call: Call, item: GradeItem) -> str:
    return messages.line_item_url(call.lms, call.course, item.id)


def _line_item(call: Call, item: GradeItem) -> JsonObject:
    record = item.service or ServiceRecord(call.tool.id)
    link = call.lms.link_of(item)
    body: JsonObject = {
        "id": _item_url(call, item),
        "scoreMaximum": float(item.maximum),
        "label": item.label,
        "resourceId": record.resource_id or None,
        "tag": record.tag or None,
        "resourceLinkId": call.lms.resource_link_id(link) if link else None,
    }
    if "launch_url" in request.args.getlist("include[]"):
        body[LAUNCH_URL] = link.url if link else None
    return {name: value for name, value in body.items() if value is not None}


def _own_items(call: Call) -> list[GradeItem]:
    """The columns of this developer key; native assignments' never."""
    return [
        item
        for item in call.lms.gradebook.of_course(call.course.id)
        if item.service is not None
        and call.lms.tools[item.service.tool_type_id].client_id == call.tool.client_id
    ]


def _find_item(call: Call, item_id: int) -> GradeItem:
    item = call.lms.gradebook.items.get(item_id)
    if item is None or item.course_id != call.course.id or item.service is None:
        raise _not_found()
    if item not in _own_items(call):
        raise ServiceError(412, "precondition_failed", "Tool does not have permission to view line_item")
    return item


def _body() -> JsonObject:
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


@blueprint.route("/api/lti/courses/<int:course_id>/line_items", methods=["GET", "POST"])
def line_items(course_id: int) -> Response:
    if request.method == "GET":
        return _answered(lambda: _list_items(_call(course_id, SCOPE_LINEITEM, SCOPE_LINEITEM_READONLY)))
    return _answered(lambda: _create_item(_call(course_id, SCOPE_LINEITEM)))


def _list_items(call: Call) -> Response:
    asked = request.args
    found = []
    for item in _own_items(call):
        shown = _line_item(call, item)
        wanted = {"tag": "tag", "resource_id": "resourceId", "resource_link_id": "resourceLinkId"}
        if all(shown.get(member) == asked[name] for name, member in wanted.items() if asked.get(name)):
            found.append(item)
    rows, links, size = _numbered(found)
    response = _json([_line_item(call, item) for item in rows], LINEITEMS_TYPE)
    kept = {name: asked[name] for name in ("tag", "resource_id", "resource_link_id") if name in asked}
    _links(response, links, **kept, per_page=size)
    return response


def _create_item(call: Call) -> Response:
    body = _body()
    maximum, label = _number(body.get("scoreMaximum")), body.get("label")
    if maximum is None or not label:
        raise _unprocessable("Score maximum and label are required")
    link: Activity | None = None
    if body.get("resourceLinkId") is not None:
        link = call.lms.find_link(str(body["resourceLinkId"]))
        if link is None or link.tool_type_id != call.tool.id:
            raise _not_found()
        if call.lms.item_of(link) is None or link.course_id != call.course.id:
            raise ServiceError(412, "", "")
    submission = body.get(SUBMISSION_TYPE)
    if submission is not None and submission.get("type") not in ("none", "external_tool"):
        raise _bad_request(f"Invalid submission_type for new assignment: {submission.get('type')}")
    record = ServiceRecord(
        call.tool.id,
        str(body.get("resourceId") or ""),
        str(body.get("tag") or ""),
        link.instance if link else None,
    )
    # A placeholder assignment comes with it; nobody looks whether there is one like it already.
    item = call.lms.gradebook.add_item(call.course.id, "manual", str(label), maximum, service=record)
    return _json(_line_item(call, item), LINEITEM_TYPE, 201)


@blueprint.route(
    "/api/lti/courses/<int:course_id>/line_items/<int:item_id>", methods=["GET", "PUT", "DELETE"]
)
def line_item(course_id: int, item_id: int) -> Response:
    if request.method == "GET":
        return _answered(
            lambda: _read_item(_call(course_id, SCOPE_LINEITEM, SCOPE_LINEITEM_READONLY), item_id)
        )
    operation = _replace_item if request.method == "PUT" else _delete_item
    return _answered(lambda: operation(_call(course_id, SCOPE_LINEITEM), item_id))


def _read_item(call: Call, item_id: int) -> Response:
    return _json(_line_item(call, _find_item(call, item_id)), LINEITEM_TYPE)


def _replace_item(call: Call, item_id: int) -> Response:
    """Only what is sent changes; the assignment's points follow, grades are not rescaled."""
    item, body = _find_item(call, item_id), _body()
    old = item.service or ServiceRecord(call.tool.id)
    item.label = str(body.get("label") or item.label)
    item.maximum = _number(body.get("scoreMaximum")) or item.maximum
    item.service = ServiceRecord(
        old.tool_type_id,
        str(body.get("resourceId", old.resource_id)),
        str(body.get("tag", old.tag)),
        old.link_id,
    )
    return _json(_line_item(call, item), LINEITEM_TYPE)


def _delete_item(call: Call, item_id: int) -> Response:
    item = _find_item(call, item_id)
    if item.kind == "mod":
        raise ServiceError(401, "", "")
    call.lms.gradebook.delete_item(item)
    return Response(status=204)


# Results and scores


def result_score(lms: Canvas, item: GradeItem, result: LtiResult) -> float | None:
    """What the tool gave; what a person gave since, rescaled to the tool's maximum."""
    row = lms.gradebook.row(item, result.user_id)
    points = row.final if row else None
    if points == result.points:
        return result.score
    if points is None:
        return None
    if result.maximum is None or not item.maximum or not result.maximum:
        return points
    return points * result.maximum / item.maximum


def _result(call: Call, item: GradeItem, result: LtiResult) -> JsonObject:
    user = call.lms.users[result.user_id]
    url, score = _item_url(call, item), result_score(call.lms, item, result)
    maximum = result.maximum
    if maximum is None and score is not None:
        maximum = item.maximum
    body: JsonObject = {
        "id": f"{url}/results/{result.id}",
        "scoreOf": url,
        "userId": call.lms.sub(user),
        "resultScore": score,
        "resultMaximum": maximum,
        "comment": result.comment,
        **result.extensions,
    }
    return {name: value for name, value in body.items() if value is not None}


@blueprint.get("/api/lti/courses/<int:course_id>/line_items/<int:item_id>/results")
def results(course_id: int, item_id: int) -> Response:
    return _answered(lambda: _results(_call(course_id, SCOPE_RESULT), item_id))


def _results(call: Call, item_id: int) -> Response:
    item = _find_item(call, item_id)
    # Rows that a score of the tool made: a grade that a teacher gave before is in none of them.
    rows = [result for result in call.lms.results.values() if result.item_id == item.id]
    rows.sort(key=lambda result: result.id)
    if "user_id" in request.args:
        user = call.lms.find_user(request.args["user_id"])
        if user is None or not call.lms.is_gradable(user.id, call.course):
            return _json([], RESULTS_TYPE)
        rows = [result for result in rows if result.user_id == user.id]
    shown, links, size = _numbered(rows)
    response = _json([_result(call, item, result) for result in shown], RESULTS_TYPE)
    kept = {"user_id": request.args["user_id"]} if "user_id" in request.args else {}
    _links(response, links, **kept, per_page=size)
    return response


@blueprint.get("/api/lti/courses/<int:course_id>/line_items/<int:item_id>/results/<int:result_id>")
def result(course_id: int, item_id: int, result_id: int) -> Response:
    return _answered(lambda: _show_result(_call(course_id, SCOPE_RESULT), item_id, result_id))


def _show_result(call: Call, item_id: int, result_id: int) -> Response:
    item = _find_item(call, item_id)
    for found in call.lms.results.values():
        if (found.id, found.item_id) == (result_id, item.id):
            return _json(_result(call, item, found), RESULTS_TYPE)
    raise _not_found()


@blueprint.post("/api/lti/courses/<int:course_id>/line_items/<int:item_id>/scores")
def scores(course_id: int, item_id: int) -> Response:
    return _answered(lambda: _post_score(_call(course_id, SCOPE_SCORE), item_id))


def _score_time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None and "T" in str(text) else None


def _is_true(value: Any, default: bool) -> bool:
    return default if value is None else value not in (False, "false", 0, "0", "f")


def _post_score(call: Call, item_id: int) -> Response:
    lms, item, body = call.lms, _find_item(call, item_id), _body()
    user = lms.find_user(str(body.get("userId")))
    if user is None or not lms.is_gradable(user.id, call.course):
        raise _unprocessable("User not found in course or is not a student")
    for name in ("userId", "activityProgress", "gradingProgress", "timestamp"):
        if not body.get(name):
            raise _bad_request(f"param is missing or the value is empty: {name}")
    key = (item.id, user.id)
    old, at = lms.results.get(key), _score_time(body["timestamp"])
    if at is None:
        raise _bad_request(f"Provided timestamp of {body['timestamp']} not a valid timestamp")
    if old is not None and old.updated_at > at:
        raise _bad_request(
            f"Provided timestamp of {body['timestamp']} before last updated timestamp of "
            f"{old.updated_at.isoformat(timespec='milliseconds')}"
        )
    given, maximum = _number(body.get("scoreGiven")), _number(body.get("scoreMaximum"))
    keeps = body["gradingProgress"] in ("FullyGraded", "PendingManual") and given is not None
    if keeps and maximum is None:
        raise _unprocessable("ScoreMaximum not supplied when ScoreGiven present.")
    if keeps and (maximum or 0) < 0:
        raise _unprocessable("ScoreMaximum must be greater than or equal to 0")
    extension: JsonObject = body.get(SUBMISSION) or {}
    kind = extension.get("submission_type", "external_tool")
    if _is_true(extension.get("new_submission"), default=True) and kind != "none":
        allowed = lms.allowed_attempts.get(item.id)
        if allowed is not None and lms.attempts.get(key, 0) >= allowed:
            raise _unprocessable(
                "The maximum number of allowed attempts has been reached for this submission"
            )
        lms.attempts[key] = lms.attempts.get(key, 0) + 1
    row = lms.gradebook.row(item, user.id)
    by_person = row is not None and row.final is not None and (old is None or row.final != old.points)
    # A teacher's grade is only spared where the score says so (prioritize_non_tool_grade).
    is_spared = by_person and bool(extension.get("prioritize_non_tool_grade"))
    try:
        if keeps and not is_spared:
            lms.gradebook.set_final(
                item, user.id, (given or 0.0) * (item.maximum / maximum if maximum else 1)
            )
        elif not keeps and not is_spared and not extension.get("preserve_score"):
            lms.gradebook.set_final(item, user.id, None)
    except LockedGradeItemError as error:
        raise _unprocessable("This assignment is in a closed grading period") from error
    # The row takes what the score says, also where the gradebook kept something else; it learns of the
    # gradebook's value when that changes next.
    new = LtiResult(
        old.id if old else lms.number("lti_results"),
        item.id,
        user.id,
        given,
        maximum,
        body.get("comment"),
        at,
        {SUBMISSION: extension} if extension else {},
        lms.gradebook.final(item, user.id),
    )
    lms.results[key] = new
    url = f"{_item_url(call, item)}/results/{new.id}"
    return _json({"resultUrl": url}, SCORE_TYPE)
