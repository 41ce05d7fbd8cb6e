"""Where a deep linking response arrives, and the activity form that it fills but does not save.

MOODLE.md §3; recordings ``deep_linking_response_*`` and ``deep_linking_edge_cases_and_auth_errors``.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.lms import Activity, Course, JsonObject, ToolType
from tests.simulator.moodle import messages
from tests.simulator.moodle.lms import ContentForm, Moodle
from tests.simulator.moodle.web import find_course, is_repost_needed, number, repost, require_sesskey, the_lms
from tests.simulator.tool_jwt import InvalidJwtError, decode_claims, verify_tool_jwt
from tests.simulator.web import PageError, page, require_session, require_user

blueprint = Blueprint("deep_linking", __name__)

_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
_SELECTED = '<i class="icon fa fa-check text-success fa-fw"></i>Content selected'


def _php_string(value: Any) -> str:
    """A custom value as PHP makes it a string. Raises `PageError` for an object, which kills Moodle's
    page.
    """
    if isinstance(value, dict):
        raise PageError("Exception - Object of class stdClass could not be converted to string")
    if isinstance(value, list):
        return "Array"
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def form_of_item(tool: ToolType, item: Mapping[str, Any]) -> JsonObject:
    """The values Moodle puts into its activity form for one content item.

    Whatever its type: "link" and "html" items become LTI activities too. ``available``, ``submission``,
    ``window``, ``iframe``, ``thumbnail`` and the line item's ``label`` are ignored.
    """
    form: JsonObject = {
        "name": str(item.get("title") or tool.name),
        "introeditor": {"text": str(item.get("text") or ""), "format": "2"},
    }
    type_id = str(tool.id)
    if item.get("url"):
        form["toolurl"] = str(item["url"])
        if messages.host_of(form["toolurl"]) != messages.host_of(tool.url):
            type_id = "0"
    form["typeid"] = type_id
    line_item = item.get("lineItem")
    form["instructorchoiceacceptgrades"] = 1 if line_item is not None else 0
    if line_item is not None:
        form |= {
            "grade_modgrade_point": line_item.get("scoreMaximum", 100),
            "lineitemresourceid": str(line_item.get("resourceId") or ""),
            "lineitemtag": str(line_item.get("tag") or ""),
            "lineitemsubreviewurl": "",
            "lineitemsubreviewparams": "",
        }
        review = line_item.get("submissionReview")
        if review is not None:
            form["lineitemsubreviewurl"] = str(review.get("url") or "DEFAULT")
    form |= {"instructorchoicesendname": 0, "instructorchoicesendemailaddr": 0, "launchcontainer": 1}
    icon = item.get("icon")
    if isinstance(icon, dict) and icon.get("url"):
        form["icon"] = str(icon["url"])
    if isinstance(item.get("custom"), dict):
        pairs = (f"{name}={_php_string(value)}" for name, value in item["custom"].items())
        form["instructorcustomparameters"] = "\n".join(pairs)
    form |= {"selectcontentstatus": True, "selectcontentindicator": _SELECTED}
    return form


@blueprint.route("/mod/lti/contentitem_return.php", methods=["GET", "POST"])
def content_item_return() -> Response:
    if is_repost_needed():
        return repost()
    lms, session = the_lms(), require_session()
    require_sesskey(session)
    course = find_course(number("course"))
    tool = lms.tools.get(number("id"))
    if tool is None or not lms.may_manage(require_user(), course):
        raise PageError("Sorry, but you do not currently have permissions to do that.")
    token = request.form.get("JWT", "")
    if decode_claims(token).get("iss") != tool.client_id:
        raise PageError("Consumer key is incorrect.")
    try:
        # Only iss, signature and exp are looked at: not aud, nonce (a replay passes) or deployment_id.
        claims = verify_tool_jwt(lms, tool, token)
    except InvalidJwtError as error:
        raise PageError(f"Exception - {error}") from error
    items = claims.get(_DL + "content_items") or []
    alerts = [str(claims[_DL + name]) for name in ("errormsg", "msg") if claims.get(_DL + name)]
    returned: JsonObject | None = None
    if items and not claims.get(_DL + "errormsg"):
        forms = [form_of_item(tool, item) for item in items]
        returned = forms[0] if len(forms) == 1 else {"multiple": forms}
        alerts = alerts or ["Successfully fetched tool configuration from the selected content."]
    return page("contentitem_return.html", returned=returned, alerts=alerts)


def _content_form(fields: Mapping[str, str], tool: ToolType) -> ContentForm:
    maximum = fields.get("grade_modgrade_point") or "100"
    return ContentForm(
        name=fields["name"].strip(),
        description=fields.get("introeditor[text]", ""),
        url=fields.get("toolurl", "").strip(),
        custom=fields.get("instructorcustomparameters", "").replace("\r\n", "\n"),
        icon_url=fields.get("icon", ""),
        is_graded=fields.get("instructorchoiceacceptgrades") == "1",
        maximum=float(maximum),
        resource_id=fields.get("lineitemresourceid", ""),
        tag=fields.get("lineitemtag", ""),
        review_url=fields.get("lineitemsubreviewurl", ""),
    )


def _look_for_cartridge(lms: Moodle, activity: Activity) -> None:
    """Moodle GETs the activity's own URL when it is saved, without an id_token, and ignores what comes."""
    if activity.url:
        with contextlib.suppress(Exception):
            lms.fetch(activity.url)


def _add(course: Course, tool: ToolType) -> Response | WerkzeugResponse:
    lms = the_lms()
    if request.method == "GET":
        return page("modedit.html", course=course, tool=tool, values={}, error="")
    fields = request.form.to_dict()
    if not fields.get("name", "").strip():
        return page(
            "modedit.html", course=course, tool=tool, values=fields, error="You must supply a value here."
        )
    activity = lms.save_activity(tool, course, _content_form(fields, tool))
    _look_for_cartridge(lms, activity)
    if "submitbutton" in fields:
        return redirect(f"/mod/lti/view.php?id={activity.id}&forceview=1", 303)
    return redirect(f"/course/view.php?id={course.id}", 303)


def _restriction(fields: Mapping[str, str]) -> JsonObject | None:
    conditions: list[JsonObject] = []
    for name, value in fields.items():
        kind, _, subject = name.partition("_")
        if kind == "completion" and value in ("0", "1", "2", "3"):
            conditions.append({"type": "completion", "cm": int(subject), "e": int(value)})
        if kind == "min" and value.strip():
            conditions.append({"type": "grade", "id": int(subject), "min": float(value)})
    if not conditions:
        return None
    return {"op": "|" if fields.get("joiner") == "|" else "&", "c": conditions}


def _update(activity: Activity) -> Response | WerkzeugResponse:
    lms = the_lms()
    course = lms.courses[activity.course_id]
    shows_only = request.args.get("showonly", "")
    if request.method == "GET":
        others = [other for other in lms.in_course(course) if other is not activity]
        items = [item for item in lms.gradebook.of_course(course.id) if item.instance != activity.instance]
        return page(
            "modedit_update.html",
            course=course,
            activity=activity,
            others=others,
            items=items,
            only=shows_only,
        )
    with lms.lock:
        activity.availability = _restriction(request.form)
        if not shows_only:
            activity.name = request.form.get("name", "").strip() or activity.name
            activity.is_visible = request.form.get("visible", "1") == "1"
    if activity.module == "lti" and not shows_only:
        _look_for_cartridge(lms, activity)
    if "submitbutton" in request.form:
        # "Save and display" of an LTI activity launches the tool again.
        return redirect(f"/mod/{activity.module}/view.php?id={activity.id}&forceview=1", 303)
    return redirect(f"/course/view.php?id={course.id}", 303)


@blueprint.route("/course/modedit.php", methods=["GET", "POST"])
def modedit() -> Response | WerkzeugResponse:
    lms, session = the_lms(), require_session()
    update = request.args.get("update", "")
    activity = lms.activities.get(int(update)) if update.isdigit() else None
    if update and activity is None:
        raise PageError("Invalid course module ID")
    course = find_course(activity.course_id if activity else number("course"))
    if not lms.may_manage(require_user(), course):
        raise PageError("Sorry, but you do not currently have permissions to do that (Manage activities).")
    if request.method == "POST":
        require_sesskey(session)
    if activity is not None:
        return _update(activity)
    tool = lms.tools.get(number("typeid"))
    if request.args.get("add") != "lti" or tool is None:
        raise PageError("This simulated site adds external tools only.")
    return _add(course, tool)
