"""The WSGI application of one LMS."""

from pathlib import Path
from urllib.parse import quote

from flask import Flask, Response, redirect, request
from jinja2 import FileSystemLoader
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator import control
from tests.simulator.canvas import launching, notices, privacy, selection
from tests.simulator.canvas import registration as canvas_registration
from tests.simulator.canvas import services as canvas_services
from tests.simulator.canvas import site as canvas_site
from tests.simulator.canvas.cloud import cloud_application
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import Lms
from tests.simulator.moodle import deep_linking, platform, registration, services, site
from tests.simulator.web import COMPILED, LoginRequiredError, PageError, page

_PARTS = {
    "moodle": (platform, registration, services, deep_linking, site),
    "canvas": (launching, notices, privacy, canvas_registration, canvas_services, selection, canvas_site),
}
"""What answers, by product."""


def create_app(lms: Lms) -> Flask:
    """A Flask application that serves `lms`; its state is the `Lms`, so several applications may share
    one.
    """
    app = Flask("tests.simulator", static_folder=None)
    app.config["LMS"] = lms
    app.url_map.strict_slashes = False
    app.jinja_env.bytecode_cache = COMPILED
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_loader = FileSystemLoader(
        [Path(__file__).parent / lms.templates, Path(__file__).parent / "templates"]
    )
    for part in (*_PARTS[lms.product], control):
        app.register_blueprint(part.blueprint)

    @app.before_request
    def strike_before() -> Response | None:
        return lms.chaos.before(request.path)

    @app.after_request
    def strike_after(response: Response) -> Response:
        lms.requests.append((request.method, request.full_path.rstrip("?"), response.status_code))
        del lms.requests[:-5000]
        return lms.chaos.after(request.path, request.url, response)

    @app.errorhandler(PageError)
    def show_error(error: PageError) -> Response:
        return page("error.html", error.status, message=error.message)

    @app.errorhandler(LoginRequiredError)
    def ask_to_log_in(_error: LoginRequiredError) -> WerkzeugResponse:
        return redirect(f"{lms.login_path}?wantsurl=" + quote(request.full_path.rstrip("?")), 303)

    return app


def application(lms: Lms) -> Flask:
    """The one application of `lms`, made at first use."""
    if lms.application is None:
        lms.application = create_app(lms)
    return lms.application


def applications(lms: Lms) -> dict[str, Flask]:
    """Everything that answers for the platform of `lms`, by base URL."""
    found = {lms.base_url: application(lms)}
    if isinstance(lms, Canvas):
        found[lms.cloud.base_url] = cloud_application(lms.cloud)
        if lms.second_url is not None:
            found[lms.second_url] = application(lms)
    return found
