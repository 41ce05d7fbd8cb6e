"""Login, launch, keys, and the page that helps to connect an LMS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, ToolError
from lti_tool.lti.oidc import LAUNCH_PATH, STATE_LIFETIME_SECONDS, state_cookie_name
from lti_tool.lti.registration import CANVAS_PATH, canvas_configuration
from lti_tool.telemetry import LAUNCHES, get_logger
from lti_tool.web import session as sessions
from lti_tool.web.connecting import canvas_fields, moodle_fields, scope_reasons, tool_texts
from lti_tool.web.headers import cacheable, frame_by_anybody
from lti_tool.web.session import current_tool

if TYPE_CHECKING:
    from lti_tool.services.launching import SessionView

log = get_logger(__name__)

blueprint = Blueprint("lti", __name__, url_prefix="/lti")


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """OIDC third-party initiated login (Security Framework §5.1.1.1): both methods are required."""
    parameters = request.values.to_dict(flat=True)
    answer = current_tool().begin_login(parameters)
    if answer.storage is not None:
        frame_by_anybody()
        response: AnyResponse = make_response(render_template("pages/lti/login.html", login=answer))
    else:
        response = redirect(answer.auth_url, 302)
    sessions.set_frame_cookie(
        response,
        answer.state_cookie_name,
        answer.state_cookie_value,
        path=LAUNCH_PATH,
        max_age=STATE_LIFETIME_SECONDS,
    )
    return response


@blueprint.get("/launch")
def look() -> Response:
    """Moodle looks here when an activity is set up; a person who comes by learns where to begin."""
    frame_by_anybody()
    return make_response(render_template("pages/lti/look.html"))


@blueprint.post("/launch")
def launch() -> AnyResponse:
    """Every check, then one transaction, then on to the page that this person came for."""
    tool = current_tool()
    form = request.form.to_dict(flat=True)
    storage_value = form.pop("storage_value", None)
    was_asked = storage_value is not None
    if request.headers.get("Origin") != tool.settings.base_url:
        # Only our own page may say what a platform's storage held; another site would say what suits it.
        storage_value = None
    if not was_asked:
        storage = tool.launch_validator.storage_for(form, request.cookies)
        if storage is not None:
            frame_by_anybody()
            return make_response(render_template("pages/lti/read_storage.html", storage=storage, fields=form))
    validated = tool.launch_validator.validate(form, request.cookies, storage_value)
    accepted = tool.launching.accept_launch(validated)
    LAUNCHES.labels("accepted").inc()
    tool.health.note_launch(validated, accepted.session.deployment_id)
    sessions.begin(accepted)
    session = accepted.session
    log.info(
        "launch_accepted",
        session_id=session.id,
        organisation_id=session.organisation_id,
        registration_id=session.registration_id,
        deployment_id=session.deployment_id,
        context_id=session.context_id,
        placement_id=session.placement_id,
        learner_id=session.learner_id,
        is_cookie_bound=session.is_cookie_bound,
        is_deep_linking=session.deep_linking is not None,
    )
    is_own_visit = session.is_learner and session.context_id is not None and not session.is_read_only
    if is_own_visit or session.gate_id is not None or session.can_configure:
        try:
            if tool.copying.note_launch(session, validated, has_placements=accepted.has_placements):
                # What the link stands for is known only now.
                session = tool.launching.open_session_by_token(accepted.token)
            tool.columns.make_mirrors(session)
            if session.gate_id is not None or (is_own_visit and accepted.has_gates):
                tool.gating.record_launch(session)
            if is_own_visit and accepted.has_placements:
                tool.syncing.refresh_learner(session)
        except ToolError as error:
            # The wallet says how old its data is; a reading that fails must not keep anybody out of it.
            log.warning("refresh_failed", error_code=error.code.value, detail=error.detail)
        except SQLAlchemyError as error:
            # SQLite: "database is locked". The nonce is used up, so an error page could not be reloaded.
            log.warning("refresh_failed", error_code=ErrorCode.INTERNAL.value, detail=type(error).__name__)
    response = redirect(landing_url(session), 303)
    sessions.set_cookie(response)
    sessions.set_frame_cookie(response, state_cookie_name(validated.nonce), "", path=LAUNCH_PATH, max_age=0)
    return response


def landing_url(session: SessionView) -> str:
    """Where somebody lands: the picker, one person's data, the check of a gate, what came with a copied
    course, the course page of those who teach, or the wallet."""
    if session.deep_linking is not None:
        return url_for("configure.pick")
    if session.purpose == "privacy" and "privacy.show" in current_app.view_functions:
        return url_for("privacy.show")
    if session.purpose == "review":
        return url_for("reviewing.show")
    if session.gate_id is not None and session.can_configure:
        return url_for("gates.show", gate_id=session.gate_id)
    if session.is_copied_link and session.can_configure and not session.is_read_only:
        return url_for("copies.show")
    if session.can_view_progress and session.link_role == "dashboard":
        return url_for("course.show")
    if session.can_view_progress and session.link_role != "wallet" and session.placement_id is not None:
        return url_for("course.show")
    return url_for("wallet.show")


@blueprint.get("/jwks.json")
def jwks() -> Response:
    """The tool's public keys, active and retired."""
    return cacheable(json.dumps(current_tool().keyring.jwks()), "application/json", max_age=300)


@blueprint.get("/canvas.json")
def canvas() -> Response:
    """The configuration that a Canvas developer key is made from, by URL or pasted."""
    base_url = current_tool().settings.base_url
    configuration = canvas_configuration(base_url, tool_texts(), base_url + url_for("ops.favicon"))
    response = cacheable(
        json.dumps(configuration, ensure_ascii=False, indent=2), "application/json", max_age=300
    )
    response.vary.add("Accept-Language")
    return response


@blueprint.get("/connect")
def connect() -> str:
    """Everything to copy into an LMS, and what comes next."""
    base_url = current_tool().settings.base_url
    return render_template(
        "pages/lti/connect.html",
        canvas_url=base_url + CANVAS_PATH,
        moodle=moodle_fields(base_url),
        canvas=canvas_fields(base_url),
        scopes=scope_reasons(),
    )
