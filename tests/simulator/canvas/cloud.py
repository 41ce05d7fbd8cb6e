"""The host that all institutions share (``sso.canvaslms.com``): authorisation, keys, storage frame."""

from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from jinja2 import FileSystemLoader
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.canvas.hints import unseal
from tests.simulator.canvas.lms import Cloud
from tests.simulator.canvas.registration import add_configuration

TEMPLATES = Path(__file__).parent / "templates"

FORWARDED = (
    "client_id",
    "login_hint",
    "lti_message_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
)


def cloud_application(cloud: Cloud) -> Flask:
    """The one application of `cloud`, made at first use."""
    if cloud.application is None:
        cloud.application = _create(cloud)
    return cloud.application


def _create(cloud: Cloud) -> Flask:
    app = Flask("tests.simulator.canvas.cloud", static_folder=None)
    app.jinja_loader = FileSystemLoader(str(TEMPLATES))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.route("/api/lti/authorize_redirect", methods=["GET", "POST"])
    def authorize_redirect() -> WerkzeugResponse:
        """On to the institution that the hint names; only known parameters go along."""
        hint = unseal(cloud, request.values.get("lti_message_hint", ""))
        institution = cloud.institutions.get(hint["canvas_domain"]) if hint else None
        if institution is None:
            return Response("Invalid lti_message_hint", 400, mimetype="text/plain")
        kept = {name: request.values[name] for name in FORWARDED if name in request.values}
        return redirect(f"{institution.base_url}/api/lti/authorize?{urlencode(kept)}", 302)

    add_configuration(app, cloud)

    @app.get("/api/lti/security/jwks")
    def jwks() -> Response:
        response = jsonify(cloud.keys.jwks())
        response.headers["Cache-Control"] = "max-age=86400"
        return response

    @app.get("/post_message_forwarding")
    def post_message_forwarding() -> Response:
        """The storage frame: hands messages on between a tool and the institution's page around both."""
        hint = unseal(cloud, request.args.get("token", "")) or {}
        institution = cloud.institutions.get(str(hint.get("parent_domain")))
        if institution is None:
            return Response("Invalid token", 400, mimetype="text/plain")
        parent = institution.base_url
        response = make_response(render_template("forwarding.html", parent_origin=parent))
        response.headers["Content-Security-Policy"] = f"frame-ancestors 'self' {parent}"
        return response

    return app
