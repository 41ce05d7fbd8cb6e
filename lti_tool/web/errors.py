"""From errors to answers: a page inside the frame or outside, or problem+json for programs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_babel import refresh
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import Busy, ErrorCode, LaunchRefused, ToolError
from lti_tool.telemetry import LAUNCHES, get_logger
from lti_tool.web.error_sentences import ErrorText
from lti_tool.web.error_texts import text_of
from lti_tool.web.form_words import asked_for_sentence, circle_sentence, counted_sentence
from lti_tool.web.headers import frame_by_anybody, origin_of
from lti_tool.web.opened_again import page_of_form
from lti_tool.web.returning import back_to_course, note_refused
from lti_tool.web.session import current_tool, remember_session

log = get_logger(__name__)

_BY_STATUS = {
    400: ErrorCode.REQUEST_INVALID,
    403: ErrorCode.NOT_ALLOWED,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    409: ErrorCode.CONFLICT,
    413: ErrorCode.REQUEST_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
}
_JSON_PATHS = (
    "/api/",
    "/status/",
    "/lti/jwks.json",
    "/lti/notices",
    "/ob2/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known/",
)
_JSON_SUFFIXES = (".json", ".png", ".svg", ".jwt")


def register(app: Flask) -> None:
    """Answer every error that leaves a view."""
    app.register_error_handler(ToolError, answer_tool_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_tool_error(error: ToolError) -> Response:
    """An error that was raised on purpose."""
    if isinstance(error, LaunchRefused) and request.path == "/lti/launch":
        LAUNCHES.labels(error.code.value).inc()
    if isinstance(error, LaunchRefused):
        note_refused(error)
        current_tool().health.note_refusal(error)
    event = "launch_refused" if isinstance(error, LaunchRefused) else "request_refused"
    # 503 is the house keeping order under load, not the house on fire.
    (log.error if error.status >= 500 and error.status != 503 else log.info)(
        event, error_code=error.code.value, detail=error.detail, status=error.status
    )
    fresh = error.fresh_launch_url if isinstance(error, LaunchRefused) else None
    answer = _answer(error.code, error.status, fresh_launch_url=fresh, params=error.params)
    return with_retry_after(answer, error)


def _happened(code: ErrorCode, text: ErrorText, params: Mapping[str, object]) -> str:
    """What happened: of this one case, where there is more to say than of its code."""
    if code is ErrorCode.PATHWAY_CIRCLE and params.get("names"):
        return circle_sentence(params["names"])
    if code is ErrorCode.CATEGORY_COUNTED and params.get("names"):
        return counted_sentence(params["names"])
    if code is ErrorCode.MILESTONE_ASKED_FOR and params.get("names"):
        return asked_for_sentence(params["names"])
    return str(text.happened)


def with_retry_after(response: Response, error: ToolError) -> Response:
    """The answer to ``error``, which says when to come again where the error knows it."""
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def answer_http_error(error: HTTPException) -> AnyResponse:
    """What Flask itself refuses: no route, wrong method, oversized body, limits."""
    if error.code is not None and error.code < 400 and error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    if status == 405 and (page := page_of_form()) is not None:
        return page
    code = _BY_STATUS.get(status, ErrorCode.REQUEST_INVALID if status < 500 else ErrorCode.INTERNAL)
    response = _answer(code, status)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def answer_unexpected(error: Exception) -> Response:
    """A bug: the trace goes to the log under a number, the page shows the number only."""
    incident = uuid.uuid4().hex[:12]
    log.exception("unexpected_error", incident=incident, exc_info=error)
    return _answer(ErrorCode.INTERNAL, 500, incident=incident)


def wants_json() -> bool:
    """Whether a program asked: a path for programs, or an Accept that prefers JSON to a page."""
    if request.path.startswith(_JSON_PATHS) or request.path.endswith(_JSON_SUFFIXES):
        return True
    return (
        preferred_to_page("application/json", "application/problem+json", "application/vc+ld+json")
        is not None
    )


def preferred_to_page(*types: str) -> str | None:
    """The one of ``types`` that the caller asks for rather than a page, if any."""
    accept = request.accept_mimetypes
    best = accept.best_match(["text/html", *types])
    if best is None or best == "text/html" or accept[best] <= accept["text/html"]:
        return None
    return best


def _answer(
    code: ErrorCode,
    status: int,
    *,
    fresh_launch_url: str | None = None,
    incident: str | None = None,
    params: Mapping[str, object] = MappingProxyType({}),
) -> Response:
    remember_session()
    # The language may have been chosen before it was known whose page this is.
    refresh()  # type: ignore[no-untyped-call]
    text = text_of(code)
    happened = _happened(code, text, params)
    if wants_json():
        response = jsonify(
            {
                "type": "about:blank",
                "title": str(text.title),
                "status": status,
                "detail": happened,
                "code": code.value,
                **({"incident": incident} if incident else {}),
            }
        )
        response.mimetype = "application/problem+json"
        response.status_code = status
        if request.path.startswith(("/api/", "/status/", "/credentials/", "/achievements/", "/issuers/")):
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response
    is_launch = request.path.startswith("/lti/")
    if is_launch or request.path.startswith(("/l/", "/s/")):
        if g.get("session") is None:
            # The person must see why nothing opens, wherever the frame stands; nothing here can be misused.
            frame_by_anybody()
        layout = "layouts/frame.html"
    elif g.get("staff") is not None:
        layout = "layouts/staff.html"
        # The database is asked nothing here: it may be what failed.
        g.setdefault("overdue_reviews", 0)
    else:
        layout = "layouts/public.html"
    page = render_template(
        "pages/error.html",
        layout=layout,
        text=text,
        happened=happened,
        code=code.value,
        incident=incident,
        fresh_launch_url=fresh_launch_url if fresh_launch_url and origin_of(fresh_launch_url) else None,
        back_url=back_to_course(
            error=f"{text.title}. {happened}", error_log=" ".join(filter(None, (code.value, incident)))
        ),
        is_staff_page=request.path.startswith("/staff/"),
        milestones=params.get("milestones", ()),
    )
    return make_response(page, status)
