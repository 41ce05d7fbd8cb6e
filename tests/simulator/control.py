"""The control API under ``/_control/``: what the demo's supervisor and browser tests do behind the scenes.

Answers only to loopback addresses, and only to callers that are no web page (a custom header is asked for,
which a foreign page cannot send without asking first).
"""

import ipaddress
from typing import Any

from flask import Blueprint, Response, jsonify, request

from tests.simulator import formulas
from tests.simulator.gradebook import CalculationNotAllowedError, GradeItem
from tests.simulator.lms import Activity, Course, JsonObject, Lms, ToolType, User
from tests.simulator.web import current_lms

blueprint = Blueprint("control", __name__, url_prefix="/_control")

HEADER = "X-Simulator-Control"


class ControlError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@blueprint.before_request
def only_from_here() -> Response | None:
    address = request.remote_addr or "127.0.0.1"
    if not ipaddress.ip_address(address).is_loopback or HEADER not in request.headers:
        return Response("forbidden", 403, mimetype="text/plain")
    return None


@blueprint.errorhandler(ControlError)
def refuse(error: ControlError) -> Response:
    response = jsonify({"error": error.message})
    response.status_code = error.status
    return response


def _body() -> JsonObject:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ControlError(400, "a JSON object is wanted")
    return body


def _course(lms: Lms, body: JsonObject) -> Course:
    wanted = body.get("course")
    for course in lms.courses.values():
        if wanted in (course.id, str(course.id), course.short_name):
            return course
    raise ControlError(404, f"no course {wanted!r}")


def _user(lms: Lms, body: JsonObject) -> User:
    wanted = body.get("user")
    for user in lms.users.values():
        if wanted in (user.id, str(user.id), user.username):
            return user
    raise ControlError(404, f"no user {wanted!r}")


def _activity(lms: Lms, course: Course, body: JsonObject) -> Activity:
    wanted = body.get("activity")
    for activity in lms.in_course(course):
        if wanted in (activity.id, str(activity.id)):
            return activity
    raise ControlError(404, f"no activity {wanted!r}")


def _item(lms: Lms, course: Course, body: JsonObject) -> GradeItem:
    """A column by its number, ID number or tag."""
    wanted = body.get("item")
    for item in lms.gradebook.of_course(course.id):
        tag = item.service.tag if item.service else None
        if wanted is not None and wanted in (item.id, str(item.id), item.id_number, tag):
            return item
    raise ControlError(404, f"no grade item {wanted!r}")


def _describe_tool(lms: Lms, tool: ToolType) -> JsonObject:
    return {
        **lms.endpoints,
        "client_id": tool.client_id,
        "deployment_id": lms.deployment_id(tool),
        "name": tool.name,
    }


def _describe_activity(lms: Lms, activity: Activity) -> JsonObject:
    item = lms.item_of(activity)
    return {
        "cmid": activity.id,
        "module": activity.module,
        "instance": activity.instance,
        "name": activity.name,
        "item": item.id if item else None,
        "url": lms.page_of(activity),
    }


def _describe_item(item: GradeItem) -> JsonObject:
    service = item.service
    return {
        "id": item.id,
        "label": item.label,
        "id_number": item.id_number,
        "maximum": item.maximum,
        "formula": item.formula,
        "weight": item.weight,
        "is_hidden": item.is_hidden,
        "module": item.module,
        "tag": service.tag if service else None,
        "resource_id": service.resource_id if service else None,
    }


@blueprint.get("/ids")
def list_ids() -> Response:
    """Everything with its numbers: tools, users, courses with activities and columns."""
    lms = current_lms()
    with lms.lock:
        courses: list[Any] = [
            {
                "id": course.id,
                "short_name": course.short_name,
                "full_name": course.full_name,
                "activities": [_describe_activity(lms, a) for a in lms.in_course(course)],
                "items": [_describe_item(i) for i in lms.gradebook.of_course(course.id)],
                "enrolments": {str(i): str(e.role) for i, e in course.enrolments.items()},
            }
            for course in lms.courses.values()
        ]
        users = [{"id": u.id, "username": u.username, "name": u.name} for u in lms.users.values()]
        tools = [_describe_tool(lms, tool) for tool in lms.tools.values()]
    return jsonify({"issuer": lms.base_url, "tools": tools, "users": users, "courses": courses})


@blueprint.post("/tools")
def create_tool() -> Response:
    """Register a tool: ``tool_url``, optional ``client_id``, ``name``, ``custom``; repeatable for one
    client_id.
    """
    lms, body = current_lms(), _body()
    with lms.lock:
        tool = lms.tool_by_client(str(body.get("client_id"))) if body.get("client_id") else None
        if tool is None:
            tool = lms.register_tool(
                str(body["tool_url"]),
                name=str(body.get("name", "LTI Badges")),
                client_id=body.get("client_id"),
                custom=body.get("custom"),
            )
        return jsonify(_describe_tool(lms, tool))


@blueprint.post("/grades")
def set_grade() -> Response:
    """A teacher's grade: ``course``, ``user``, ``item``, ``value`` (null empties)."""
    lms, body = current_lms(), _body()
    course = _course(lms, body)
    lms.set_grade(_user(lms, body), _item(lms, course, body), body.get("value"))
    return jsonify({"done": True})


@blueprint.post("/attempts")
def take_quiz() -> Response:
    """A learner's quiz attempt: ``course``, ``user``, ``item`` (the quiz's ID number), ``score`` in
    points.
    """
    lms, body = current_lms(), _body()
    course = _course(lms, body)
    item = _item(lms, course, body)
    quiz = lms.activity("quiz", item.instance or 0) if item.module == "quiz" else None
    if quiz is None:
        raise ControlError(400, "that column belongs to no quiz")
    lms.take_quiz(_user(lms, body), quiz, float(body["score"]))
    return jsonify({"done": True})


@blueprint.post("/completions")
def complete() -> Response:
    """A learner posts in the forum or reads the page: ``course``, ``user``, ``activity`` (its cmid)."""
    lms, body = current_lms(), _body()
    lms.complete(_user(lms, body), _activity(lms, _course(lms, body), body))
    return jsonify({"done": True})


@blueprint.post("/availability")
def restrict() -> Response:
    """Whom an activity is for: ``course``, ``activity`` (its cmid), ``availability`` as the LMS stores it."""
    lms, body = current_lms(), _body()
    activity = _activity(lms, _course(lms, body), body)
    with lms.lock:
        activity.availability = body.get("availability")
    return jsonify({"done": True})


@blueprint.post("/formulas")
def set_formula() -> Response:
    """A column's calculation: ``course``, ``item``, ``formula``."""
    lms, body = current_lms(), _body()
    course = _course(lms, body)
    try:
        lms.set_formula(_item(lms, course, body), str(body.get("formula", "")))
    except (formulas.InvalidFormulaError, CalculationNotAllowedError) as error:
        raise ControlError(400, str(error)) from error
    return jsonify({"done": True})


@blueprint.post("/sessions")
def sign_in() -> Response:
    """A session for ``user``: the value of the session cookie and the sesskey."""
    lms, body = current_lms(), _body()
    cookie = lms.sign_in(_user(lms, body))
    return jsonify({"cookie": cookie, "sesskey": lms.sessions[cookie].sesskey})


@blueprint.post("/chaos")
def switch_chaos() -> Response:
    """Switch one fault on (``kind`` and the other arguments of `Chaos.switch_on`), or all off (``{"calm":
    true}``).
    """
    lms, body = current_lms(), _body()
    if body.pop("calm", False):
        lms.chaos.calm()
    else:
        lms.chaos.switch_on(**body)
    return jsonify({"done": True})
