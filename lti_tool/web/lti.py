"""Login, launch, keys, and the page that helps to connect an LMS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, ToolError
from lti_tool.lti.oidc import LAUNCH_PATH, STATE_LIFETIME_SECONDS, state_cookie_name
from lti_tool.telemetry import LAUNCHES, get_logger
from lti_tool.web import session as sessions
from lti_tool.web.headers import cacheable, frame_by_anybody
from lti_tool.web.session import current_tool

if TYPE_CHECKING:
    from lti_tool.services.launching import SessionView

log = get_logger(__name__)

blueprint = Blueprint("lti", __name__, url_prefix="/lti")

CUSTOM_PARAMETERS = (
    ("context_history", "$Context.id.history"),
    ("link_history", "$ResourceLink.id.history"),
    ("locale", "$Message.locale"),
)
"""On the tool; see the reference, custom parameters."""


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
    if session.is_learner and session.context_id is not None and not session.is_read_only:
        try:
            tool.syncing.refresh_learner(session)
        except ToolError as error:
            # The wallet says how old its data is; a reading that fails must not keep anybody out of it.
            log.warning("refresh_failed", error_code=error.code.value, detail=error.detail)
        except SQLAlchemyError as error:
            # SQLite: "database is locked". The nonce is used up, so an error page could not be reloaded.
            log.warning("refresh_failed", error_code=ErrorCode.INTERNAL.value, detail=type(error).__name__)
    response = redirect(url_for(landing_page(session)), 303)
    sessions.set_cookie(response)
    sessions.set_frame_cookie(response, state_cookie_name(validated.nonce), "", path=LAUNCH_PATH, max_age=0)
    return response


def landing_page(session: SessionView) -> str:
    """Where somebody lands: the picker, the course page of those who teach, or the wallet."""
    if session.deep_linking is not None:
        return "configure.pick"
    if session.can_view_progress and session.link_role != "wallet" and session.placement_id is not None:
        return "course.show"
    return "wallet.show"


@blueprint.get("/jwks.json")
def jwks() -> Response:
    """The tool's public keys, active and retired."""
    return cacheable(json.dumps(current_tool().keyring.jwks()), "application/json", max_age=300)


@dataclass(frozen=True, slots=True)
class ConnectField:
    """One field of a platform's form, under the name that the platform gives it."""

    label: str
    value: str
    hint: str = ""
    choice: bool = False
    """Chosen from a list there, so that there is nothing to copy."""


@blueprint.get("/connect")
def connect() -> str:
    """Everything to copy into Moodle's form, in the order of its fields (seen on 4.4)."""
    base_url = current_tool().settings.base_url
    fields = (
        ConnectField("Tool name", gettext("Badges")),
        ConnectField("Tool URL", f"{base_url}/lti/launch"),
        ConnectField("LTI version", "LTI 1.3", choice=True),
        ConnectField("Public key type", "Keyset URL", choice=True),
        ConnectField("Public keyset", f"{base_url}/lti/jwks.json"),
        ConnectField("Initiate login URL", f"{base_url}/lti/login"),
        ConnectField("Redirection URI(s)", f"{base_url}/lti/launch"),
        ConnectField("Custom parameters", "\n".join(f"{name}={value}" for name, value in CUSTOM_PARAMETERS)),
        ConnectField(
            "Tool configuration usage", "Show in activity chooser and as a preconfigured tool", choice=True
        ),
        ConnectField("Default launch container", "Embed, without blocks", choice=True),
        ConnectField("Supports Deep Linking (Content-Item Message)", "✓", choice=True),
        ConnectField("Content Selection URL", f"{base_url}/lti/launch"),
        ConnectField(
            "IMS LTI Assignment and Grade Services",
            "Use this service for grade sync and column management",
            choice=True,
        ),
        ConnectField(
            "IMS LTI Names and Role Provisioning",
            "Use this service to retrieve members' information as per privacy settings",
            choice=True,
        ),
        ConnectField("Share launcher's name with tool", "Always", choice=True),
        ConnectField(
            "Share launcher's email with tool",
            "Always",
            gettext("The address is never published: badges carry a salted hash of it, or nothing."),
            choice=True,
        ),
        ConnectField("Accept grades from the tool", "Delegate to teacher", choice=True),
    )
    return render_template("pages/lti/connect.html", fields=fields)
