"""For whoever runs the tool: alive, ready, numbers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.telemetry import render_metrics
from lti_tool.web.assets import asset_url
from lti_tool.web.session import current_tool

blueprint = Blueprint("ops", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers; nothing else is asked."""
    return _plain(make_response("ok\n"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether launches can be served: database, migrations, queue, keys."""
    problems = current_tool().readiness()
    response = jsonify({"ready": not problems, "problems": dict(problems)})
    response.status_code = 503 if problems else 200
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text, of all processes together."""
    body, content_type = render_metrics()
    response = make_response(body)
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/")
def front() -> str:
    """The front door: what this is, and where to go."""
    return render_template("pages/ops/front.html")


@blueprint.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Browsers ask for it unasked."""
    return redirect(asset_url("favicon.svg"), 302)


def _plain(response: Response) -> Response:
    response.mimetype = "text/plain"
    response.headers["Cache-Control"] = "no-store"
    return response
