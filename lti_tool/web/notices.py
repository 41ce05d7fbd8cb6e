"""Where platforms send their notifications: checked and kept at once, acted on by the worker."""

from __future__ import annotations

from flask import Blueprint, Response, request

from lti_tool.services.notifying import NOTICES_PATH
from lti_tool.telemetry import get_logger
from lti_tool.web.session import current_tool

log = get_logger(__name__)

blueprint = Blueprint("notices", __name__)


@blueprint.post(NOTICES_PATH)
def receive() -> Response:
    """Take signed notifications (Platform Notification Service 1.0).

    Any content type: the signatures say what it is. The body is bounded as every other.
    """
    count = current_tool().notices.receive(request.get_data(cache=False))
    log.info("notices_received", count=count)
    return Response(status=202)
