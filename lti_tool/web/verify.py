"""Anybody's badge, checked step by step: a page for people, JSON for programs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, g, jsonify, make_response, render_template, request
from flask_limiter import Limiter

from lti_tool.errors import Busy, ErrorCode, RequestInvalid, ToolError
from lti_tool.web.error_texts import text_of
from lti_tool.web.errors import with_retry_after
from lti_tool.web.session import current_tool

if TYPE_CHECKING:
    from lti_tool.credentials.verification import Report

blueprint = Blueprint("verify", __name__)

LARGEST_BADGE = 6 * 1024 * 1024
"""Bytes: a picture of 5 MB and its form around it."""


def caller_address() -> str:
    """Who is limited: the peer, or whom the operator's own proxies name (``lti_tool.app`` sees to that).

    ``X-Forwarded-For`` is never read here: anybody may write one.
    """
    return request.remote_addr or "unknown"


# Only what strangers may call, and what costs something; a launch is never limited by address,
# since a whole class shares one.
limiter = Limiter(caller_address, storage_uri="memory://", headers_enabled=True)


def _tenths_spent() -> int:
    """What the request cost, in tenths of a second that nobody else could use; at least one."""
    seconds: float = g.get("verifier_seconds", 0.0)
    return max(1, math.ceil(seconds * 10))


# An honest badge costs one to five; who brings what takes seconds is soon asked to wait.
limit_seconds = limiter.shared_limit(
    "100 per minute",
    scope="verifier-seconds",
    cost=_tenths_spent,
    deduct_when=lambda _response: True,  # whatever came out: only then is it known what it took
)


def register(app: Flask) -> None:
    """Mount the pages with their limits."""
    # Its hooks would look at every request of the application, which costs a seventh of a public document.
    kinds: Sequence[Any] = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    others = [len(hooks[None]) for hooks in kinds]
    limiter.init_app(app)
    for hooks, count in zip(kinds, others, strict=True):
        hooks[blueprint.name] += hooks[None][count:]
        del hooks[None][count:]
    app.register_blueprint(blueprint)


@blueprint.get("/verify")
def ask() -> str:
    """The form; ``?url=`` comes from links on badge pages and is only filled in, never fetched by a GET."""
    return render_template("pages/public/verify.html", report=None, url=request.args.get("url", "")[:2000])


@blueprint.post("/verify")
@limiter.limit("30 per minute")
@limit_seconds
def check() -> Response:
    """Judge what was sent and say so, step by step."""
    request.max_content_length = LARGEST_BADGE
    url = request.form.get("url", "").strip()
    try:
        report = _judge()
    except ToolError as error:
        if error.status >= 500 and not isinstance(error, Busy):
            raise
        page = render_template(
            "pages/public/verify.html",
            report=None,
            url=url,
            refusal=text_of(error.code),
            code=error.code.value,
            text=request.form.get("text", "") if isinstance(error, Busy) else "",
        )
        return with_retry_after(make_response(page, error.status), error)
    return make_response(render_template("pages/public/verify.html", report=report, url=url))


@blueprint.route("/api/verify", methods=["POST"], provide_automatic_options=False)
@limiter.limit("60 per minute")
@limit_seconds
def check_api() -> Response:
    """``{"verdict", "steps": [{"name", "outcome", "detail"}], "credential"}`` (docs: HTTP API)."""
    request.max_content_length = LARGEST_BADGE
    response = jsonify(_judge().as_json())
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/api/verify", methods=["OPTIONS"], provide_automatic_options=False)
def check_api_options() -> Response:
    """CORS preflight: any page may ask, none sends cookies."""
    response = make_response("", 204)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Methods"] = "POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Max-Age"] = "86400"
    return response


def _judge() -> Report:
    """The report on a body, an uploaded file, a pasted text or a URL; its time goes to the caller's account.

    :raises RequestInvalid: if there is nothing to check.
    :raises Busy: ``verifier_busy``; costs nothing.
    """
    began = time.monotonic()
    try:
        report = _judge_what_was_sent()
    except Busy:
        raise
    except ToolError:
        g.verifier_seconds = time.monotonic() - began
        raise
    g.verifier_seconds = time.monotonic() - began
    return report


def _judge_what_was_sent() -> Report:
    verifying = current_tool().verifying
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        upload = request.files.get("file")
        if upload is not None and (data := upload.read()):
            return verifying.verify(data)
        if text := request.form.get("text", "").strip():
            return verifying.verify(text.encode())
        if url := request.form.get("url", "").strip():
            return verifying.verify_url(url)
        raise RequestInvalid(ErrorCode.CREDENTIAL_NOT_RECOGNISED, "nothing was sent")
    data = request.get_data(cache=False)
    if not data:
        raise RequestInvalid(ErrorCode.CREDENTIAL_NOT_RECOGNISED, "empty body")
    return verifying.verify(data)
