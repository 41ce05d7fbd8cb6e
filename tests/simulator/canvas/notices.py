"""Canvas's Platform Notification Service: handlers by tool, and the notices that go to them.

app/controllers/lti/ims/notice_handlers_controller.rb, lib/lti/pns/*.rb, app/models/lti/notice_handler.rb. A
notice is made when something happens, waits in ``outbox`` and is sent once; nobody looks at the answer.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, request

from tests.simulator.canvas.lms import Canvas
from tests.simulator.canvas.web import the_lms
from tests.simulator.claims import CLAIM_CONTEXT, CLAIM_DEPLOYMENT, CLAIM_VERSION, ROLE, L
from tests.simulator.lms import Course, ToolType

blueprint = Blueprint("notices", __name__)

SCOPE_NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
TYPES = ("LtiHelloWorldNotice", "LtiAssetProcessorSubmissionNotice", "LtiContextCopyNotice")
NOTICE_SECONDS = 3600


def service_claim(lms: Canvas, tool: ToolType) -> dict[str, Any]:
    """What every launch says of the service, where the tool has its scope."""
    if SCOPE_NOTICES not in tool.scopes:
        return {}
    return {
        L + "platformnotificationservice": {
            "service_versions": ["1.0"],
            "platform_notification_service_url": f"{lms.base_url}/api/lti/notice-handlers/{tool.id}",
            "scope": [SCOPE_NOTICES],
            "notice_types_supported": list(TYPES),
            "errors": {"errors": {}},
            "validation_context": None,
        }
    }


def _answer(body: Any, status: int = 200) -> Response:
    response = make_response(json.dumps(body), status)
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    return response


@blueprint.route("/api/lti/notice-handlers/<int:tool_id>", methods=["GET", "PUT"])
def handlers(tool_id: int) -> Response:
    """The handlers of one deployment; a PUT sets one, an empty one ends it."""
    lms = the_lms()
    token = lms.tokens.get(request.headers.get("Authorization", "").partition(" ")[2].strip())
    if token is None or token.expires_at <= lms.clock():
        return _answer({"errors": {"type": "unauthorized", "message": "Access token invalid"}}, 401)
    tool = lms.tools.get(tool_id)
    own = lms.tools[token.tool_type_id]
    if SCOPE_NOTICES not in token.scopes or tool is None or tool.client_id != own.client_id:
        return _answer({"errors": {"type": "unauthorized", "message": "Insufficient permissions"}}, 401)
    if request.method == "PUT":
        wanted = request.get_json()
        kind, handler = wanted.get("notice_type"), wanted.get("handler")
        if kind not in TYPES or handler is None:
            return _answer({"errors": {"type": "bad_request", "message": "unknown notice_type"}}, 400)
        if handler and urlsplit(handler).netloc != urlsplit(tool.url).netloc:
            return _answer(
                {"errors": {"type": "bad_request", "message": "handler must match tool domain"}}, 400
            )
        with lms.lock:
            lms.notice_handlers[tool.id, kind] = handler
            if handler and kind == "LtiHelloWorldNotice":
                send(lms, tool, kind)
        return _answer({"handler": handler, "notice_type": kind})
    listed = [
        {"handler": lms.notice_handlers.get((tool.id, kind), ""), "notice_type": kind} for kind in TYPES
    ]
    return _answer(
        {
            "client_id": int(tool.client_id),
            "deployment_id": lms.deployment_id(tool),
            "notice_handlers": listed,
        }
    )


def claims(lms: Canvas, tool: ToolType, kind: str, **more: Any) -> dict[str, Any]:
    """A notice's claims; ``more`` are further ones."""
    issued = int(lms.clock().timestamp())
    return {
        "iss": lms.cloud.issuer,
        "aud": tool.client_id,
        "azp": tool.client_id,
        "iat": issued,
        "exp": issued + NOTICE_SECONDS,
        "nonce": str(uuid.UUID(int=lms.random.getrandbits(128), version=4)),
        CLAIM_DEPLOYMENT: lms.deployment_id(tool),
        CLAIM_VERSION: "1.3.0",
        L + "notice": {
            "id": str(uuid.UUID(int=lms.random.getrandbits(128), version=4)),
            "timestamp": lms.clock().isoformat(),
            "type": kind,
        },
        **more,
    }


def copy_claims(lms: Canvas, tool: ToolType, course: Course, *origins: Course) -> dict[str, Any]:
    """That ``course`` was copied from ``origins``."""
    context = {
        "id": lms.context_id(course),
        "label": course.short_name,
        "title": course.full_name,
        "type": [ROLE + "course#CourseOffering"],
    }
    from_ = {L + "origin_contexts": [lms.context_id(origin) for origin in origins]} if origins else {}
    return claims(lms, tool, "LtiContextCopyNotice", **{CLAIM_CONTEXT: context}, **from_)


def send(lms: Canvas, tool: ToolType, kind: str, body: dict[str, Any] | None = None) -> None:
    """Put a notice into the outbox, if the tool has a handler for it."""
    handler = lms.notice_handlers.get((tool.id, kind), "")
    if handler:
        lms.outbox.append((handler, lms.keys.sign(body or claims(lms, tool, kind))))


def deliver(lms: Canvas, post: Callable[[str, bytes], int]) -> list[int]:
    """Send everything that waits, each in a request of its own; whatever is answered, it is not sent again.

    :param post: sends a body to an address and returns the status.
    """
    statuses = []
    while lms.outbox:
        handler, token = lms.outbox.pop(0)
        statuses.append(post(handler, json.dumps({"notices": [{"jwt": token}]}).encode()))
    return statuses
