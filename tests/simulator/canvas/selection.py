"""Where a deep linking response arrives, and what becomes of its items (DeepLinkingController).

An assignment's form is filled and saved by the teacher, one link for a module is added by a click;
the menus of modules and assignments create everything at once; the editor takes what it can embed.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.canvas import messages
from tests.simulator.canvas.hints import seal, unseal
from tests.simulator.canvas.launching import login_request
from tests.simulator.canvas.lms import Canvas
from tests.simulator.canvas.web import (
    find_activity,
    find_course,
    find_tool,
    require_manager,
    require_token,
    the_lms,
)
from tests.simulator.claims import CLAIM_CONTENT_ITEMS, CLAIM_DEPLOYMENT, CLAIM_MESSAGE_TYPE
from tests.simulator.lms import Activity, Course, JsonObject, ToolType
from tests.simulator.tool_jwt import InvalidJwtError, decode_claims, verify_tool_jwt
from tests.simulator.web import PageError, auto_submit, page, require_session

blueprint = Blueprint("selection", __name__)

_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
CREATES = frozenset({"course_assignments_menu", "module_index_menu_modal", "module_menu_modal"})


@blueprint.get("/courses/<int:course_id>/external_tools/<int:tool_id>/resource_selection")
def resource_selection(course_id: int, tool_id: int) -> Response:
    """The inside of the dialogue that asks the tool for content."""
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    tool = find_tool(course, tool_id)
    require_manager(course)
    placement = request.args.get("placement", "")
    if placement not in messages.PLACEMENTS or (tool.placements and placement not in tool.placements):
        raise PageError("Couldn't find valid settings for this link", 404)
    nonce = secrets.token_hex(16)
    data = seal(lms.cloud, nonce=nonce, placement=placement, course_id=course.id, tool_id=tool.id)
    number = request.args.get("assignment_id", "")
    edited = find_activity(course, int(number)) if number.isdigit() else None
    with lms.lock:
        lms.selections[nonce] = placement
        message = messages.deep_linking_request(lms, session, tool, course, placement, data, edited)
    fields = login_request(lms, session, tool, course, message)
    return auto_submit(tool.initiate_login_url, fields, name="ltiInitiateLoginForm", lead="Open the tool")


def _claims(lms: Canvas, course: Course) -> tuple[ToolType, JsonObject]:
    """The verified response. Raises `PageError`."""
    token = request.form.get("JWT", "")
    client_id = str(decode_claims(token).get("iss"))
    data = unseal(lms.cloud, request.args.get("data", ""))
    if data is None or data["course_id"] != course.id or data["nonce"] not in lms.selections:
        raise PageError("Return URL data is invalid", 400)
    tool = lms.tools[int(data["tool_id"])]
    if client_id != tool.client_id:
        raise PageError("Client not found", 400)
    try:
        claims = verify_tool_jwt(lms, tool, token)
    except InvalidJwtError as error:
        raise PageError("JWT verification failed", 400) from error
    audience = claims.get("aud")
    if lms.cloud.issuer not in (audience if isinstance(audience, list) else [audience]):
        raise PageError("the 'aud' is invalid", 400)
    if not claims.get("nonce") or "exp" not in claims or "iat" not in claims:
        raise PageError("the 'exp', 'iat' or 'nonce' is invalid", 400)
    if claims.get(CLAIM_DEPLOYMENT) != lms.deployment_id(tool):
        raise PageError("Deployment not found", 400)
    if claims.get(CLAIM_MESSAGE_TYPE) != "LtiDeepLinkingResponse":
        raise PageError("Invalid message_type", 400)
    del lms.selections[data["nonce"]]
    return tool, claims


def _usable(items: list[JsonObject], placement: str) -> list[JsonObject]:
    """What the placement takes: its types, and the first item alone where it takes one."""
    types, multiple, *_ = messages.PLACEMENTS[placement]
    usable = [item for item in items if item.get("type") in types]
    return usable if multiple else usable[:1]


def create(lms: Canvas, tool: ToolType, course: Course, item: Mapping[str, Any], placement: str) -> None:
    """A resource link of one content item, with a column where the placement makes assignments."""
    line_item = item.get("lineItem") if placement in messages.TAKES_LINE_ITEM else None
    points: float | None = float(line_item.get("scoreMaximum", 100)) if line_item else None
    if placement == "assignment_selection" and points is None:
        points = 0.0
    record = {name: str((line_item or {}).get(name) or "") for name in ("resourceId", "tag")}
    link = lms.save_link(
        tool,
        course,
        str(item.get("title") or tool.name),
        url=str(item.get("url") or tool.url),
        custom=item.get("custom") or {},
        points=points,
        record=record,
    )
    if placement == "editor_button":
        lms.embedded.add(link.id)
    _keep_due_date(lms, link, item)


def _keep_due_date(lms: Canvas, link: Activity, item: Mapping[str, Any]) -> None:
    """The end of the submission window is when an assignment is due; a link without a column has no date."""
    ends = (item.get("submission") or {}).get("endDateTime")
    if ends and lms.item_of(link) is not None:
        lms.due_dates[link.id] = str(ends)


def change(lms: Canvas, link: Activity, item: Mapping[str, Any]) -> None:
    """The link of an assignment that was there: its id stays, what it opens is the item's."""
    link.name = str(item.get("title") or link.name)
    link.url = str(item.get("url") or link.url)
    link.custom = "\n".join(f"{name}={value}" for name, value in (item.get("custom") or {}).items())
    _keep_due_date(lms, link, item)


@blueprint.post("/courses/<int:course_id>/deep_linking_response")
def deep_linking_response(course_id: int) -> Response:
    lms = the_lms()
    require_session()
    course = find_course(course_id)
    require_manager(course)
    with lms.lock:
        tool, claims = _claims(lms, course)
        placement = request.args.get("placement", "")
        items = _usable(claims.get(CLAIM_CONTENT_ITEMS) or [], placement)
        if placement in CREATES:
            for item in items:
                create(lms, tool, course, item, placement)
    answer = {
        "placement": placement,
        "content_items": items,
        "msg": claims.get(_DL + "msg"),
        "errormsg": claims.get(_DL + "errormsg"),
        "reloadpage": placement in CREATES and bool(items),
        "tool_id": tool.id,
    }
    return page("deep_linking_response.html", answer=answer)


@blueprint.post("/courses/<int:course_id>/links")
def save(course_id: int) -> WerkzeugResponse:
    """The teacher saves the assignment, the module's item or the page that the selection filled."""
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    require_manager(course)
    require_token(session)
    tool = find_tool(course, int(request.form.get("tool_id") or 0))
    placement, item = request.form.get("placement", ""), json.loads(request.form.get("item") or "null")
    if placement not in messages.PLACEMENTS or not isinstance(item, dict):
        raise PageError("Nothing was selected", 400)
    item["title"] = request.form.get("name", "").strip() or item.get("title")
    edited = request.form.get("activity", "")
    if item.get("type") != "ltiResourceLink":
        lms.page_contents.append(item)
    elif edited.isdigit():
        change(lms, find_activity(course, int(edited)), item)
    else:
        create(lms, tool, course, item, placement)
    return redirect(f"/courses/{course.id}", 303)
