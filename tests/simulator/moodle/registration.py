"""Dynamic registration: an administrator pastes a tool's URL, the tool registers itself, the administrator
activates it (MOODLE.md §1; recordings ``dynamic_registration*``).
"""

import json
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, make_response, redirect, request
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator import lms as scopes
from tests.simulator.lms import GRADES_MANAGE, GRADES_NONE, GRADES_SYNC, JsonObject, ToolType
from tests.simulator.moodle.lms import Moodle
from tests.simulator.moodle.messages import host_of, split_custom
from tests.simulator.moodle.web import number, require_sesskey, the_lms
from tests.simulator.tool_jwt import decode_claims
from tests.simulator.web import PageError, page, require_session, require_user

blueprint = Blueprint("registration", __name__)

TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
DEEP_LINKING = "LtiDeepLinkingRequest"
TOKEN_SECONDS = 3600


class RegistrationRefusedError(Exception):
    """Answered as bare text, as Moodle does."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def initiation_url(lms: Moodle, tool_url: str) -> str:
    """Where the administrator's browser is sent: the tool's URL with configuration and token added."""
    issued = int(lms.clock().timestamp())
    token = lms.keys.sign(
        {"sub": lms.new_client_id(), "scope": "reg", "iat": issued, "exp": issued + TOKEN_SECONDS}
    )
    configuration = quote(f"{lms.base_url}/mod/lti/openid-configuration.php", safe="")
    joint = "&" if "?" in tool_url else "?"
    return f"{tool_url}{joint}openid_configuration={configuration}&registration_token={token}"


@blueprint.get("/mod/lti/startltiadvregistration.php")
def start() -> WerkzeugResponse:
    session = require_session()
    require_sesskey(session)
    if not require_user().is_admin:
        raise PageError("Access denied")
    return redirect(initiation_url(the_lms(), request.args.get("url", "")), 303)


def _client_id(lms: Moodle) -> str:
    """The client id that the registration token grants, once. Raises `RegistrationRefusedError`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RegistrationRefusedError(401, "missing_registration_token")
    try:
        keys = KeySet.import_key_set({"keys": [dict(key) for key in lms.keys.published]})
        jws.deserialize_compact(token, keys, algorithms=["RS256"])
    except (JoseError, ValueError) as error:
        raise RegistrationRefusedError(401, "Signature verification failed") from error
    claims = decode_claims(token)
    if lms.clock().timestamp() >= float(claims.get("exp", 0)):
        raise RegistrationRefusedError(401, "Expired token")
    if lms.tool_by_client(str(claims.get("sub"))) is not None:
        raise RegistrationRefusedError(401, "token_already_used")
    return str(claims["sub"])


def _required(asked: JsonObject, name: str) -> Any:
    if not asked.get(name):
        raise RegistrationRefusedError(400, f"missing_required_parameter_{name}")
    return asked[name]


def _tool_from(lms: Moodle, client_id: str, asked: JsonObject) -> ToolType:
    """Keep what Moodle keeps of a registration request; label, placements, icons and contacts are dropped."""
    configuration = _required(asked, TOOL_CONFIGURATION)
    if "id_token" not in _required(asked, "response_types"):
        raise RegistrationRefusedError(400, "invalid_response_types")
    redirect_uris = _required(asked, "redirect_uris")
    if not isinstance(redirect_uris, list):
        raise RegistrationRefusedError(400, "invalid_redirect_uris")
    if _required(asked, "token_endpoint_auth_method") != "private_key_jwt":
        raise RegistrationRefusedError(400, "invalid_token_endpoint_auth_method")
    if asked.get("application_type", "web") != "web":
        raise RegistrationRefusedError(400, "invalid_application_type")
    domain = str(_required(configuration, "domain"))
    target = str(configuration.get("target_link_uri") or f"https://{domain}")
    if host_of(target) != domain.lower():
        raise RegistrationRefusedError(400, "domain_targetlinkuri_mismatch")
    messages = [m for m in configuration.get("messages", []) if m.get("type") == DEEP_LINKING]
    wanted = set(str(asked.get("scope", "")).split())
    reads = {scopes.SCOPE_SCORE, scopes.SCOPE_RESULT, scopes.SCOPE_LINEITEM_READONLY}
    grades = GRADES_SYNC if wanted & reads else GRADES_NONE
    if scopes.SCOPE_LINEITEM in wanted:
        grades = GRADES_MANAGE
    claims = set(configuration.get("claims", []))
    return lms.register_tool(
        target,
        name=str(_required(asked, "client_name")),
        client_id=client_id,
        custom={str(k): str(v) for k, v in configuration.get("custom_parameters", {}).items()},
        url=target,
        initiate_login_url=str(_required(asked, "initiate_login_uri")),
        redirect_uris=tuple(str(uri) for uri in redirect_uris),
        jwks_url=str(_required(asked, "jwks_uri")),
        deep_linking_url=str(messages[0].get("target_link_uri", "")) if messages else "",
        has_deep_linking=bool(messages),
        grade_service=grades,
        accepts_grades=grades != GRADES_NONE,
        has_memberships=scopes.SCOPE_MEMBERSHIPS in wanted,
        has_tool_settings=scopes.SCOPE_TOOL_SETTING in wanted,
        sends_name=bool(claims & {"name", "given_name", "family_name"}),
        sends_email="email" in claims,
        description=str(configuration.get("description", "")),
        icon_url=str(asked.get("logo_uri", "")),
        is_active=False,
        is_in_chooser=False,
    )


def _answer(tool: ToolType) -> JsonObject:
    granted: list[str] = []
    if tool.grade_service != GRADES_NONE:
        # Moodle names `lineitem` too when it granted reading only (recording
        # dynamic_registration_result_readonly).
        granted += [scopes.SCOPE_SCORE, scopes.SCOPE_RESULT]
        granted += [scopes.SCOPE_LINEITEM_READONLY, scopes.SCOPE_LINEITEM]
    if tool.has_memberships:
        granted.append(scopes.SCOPE_MEMBERSHIPS)
    if tool.has_tool_settings:
        granted.append(scopes.SCOPE_TOOL_SETTING)
    configuration: JsonObject = {
        "version": "1.3.0",
        "deployment_id": str(tool.id),
        "target_link_uri": tool.url,
        "domain": host_of(tool.url),
        "description": tool.description,
    }
    if tool.has_deep_linking:
        configuration["messages"] = [{"type": DEEP_LINKING, "target_link_uri": tool.deep_linking_url}]
    if tool.custom:
        configuration["custom_parameters"] = split_custom(tool.custom)
    claims = ["sub", "iss"]
    claims += ["name", "family_name", "given_name"] if tool.sends_name else []
    claims += ["email"] if tool.sends_email else []
    configuration["claims"] = claims
    return {
        "client_id": tool.client_id,
        "response_types": ["id_token"],
        "jwks_uri": tool.jwks_url,
        "initiate_login_uri": tool.initiate_login_url,
        "grant_types": ["client_credentials", "implicit"],
        "redirect_uris": list(tool.redirect_uris),
        "application_type": "web",
        "token_endpoint_auth_method": "private_key_jwt",
        "client_name": tool.name,
        "logo_uri": tool.icon_url,
        "scope": " ".join(granted),
        TOOL_CONFIGURATION: configuration,
    }


@blueprint.route("/mod/lti/openid-registration.php", methods=["GET", "POST"])
def register() -> Response:
    lms = the_lms()
    try:
        with lms.lock:
            client_id = _client_id(lms)
            try:
                asked = json.loads(request.get_data(as_text=True))
            except ValueError as error:
                raise RegistrationRefusedError(400, "invalid_registration_request") from error
            if not isinstance(asked, dict):
                raise RegistrationRefusedError(400, "invalid_registration_request")
            # HTTP 200, not the 201 of the specification.
            response = jsonify(_answer(_tool_from(lms, client_id, asked)))
    except RegistrationRefusedError as error:
        response = make_response(error.reason, error.status)
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    return response


@blueprint.route("/mod/lti/toolconfigure.php", methods=["GET", "POST"])
def manage_tools() -> Response | WerkzeugResponse:
    """The administrator's page: every tool with what to copy into it, registration by hand, activation."""
    lms = the_lms()
    if not require_user().is_admin:
        raise PageError("Access denied")
    if request.method == "GET":
        return page("toolconfigure.html", tools=list(lms.tools.values()))
    require_sesskey(require_session())
    if "activate" in request.form or "show" in request.form:
        tool = lms.tools.get(number("id"))
        if tool is None:
            raise PageError("Can't find data record in database table lti_types.")
        tool.is_active = tool.is_active or "activate" in request.form
        tool.is_in_chooser = tool.is_in_chooser or "show" in request.form
    else:
        _register_by_hand(lms)
    return redirect("/mod/lti/toolconfigure.php", 303)


def _register_by_hand(lms: Moodle) -> None:
    form = request.form
    redirects = tuple(uri.strip() for uri in form.get("lti_redirectionuris", "").splitlines() if uri.strip())
    tool = lms.register_tool(
        form.get("lti_toolurl", ""),
        name=form.get("lti_typename") or "External tool",
        url=form.get("lti_toolurl", ""),
        initiate_login_url=form.get("lti_initiatelogin", ""),
        redirect_uris=redirects,
        jwks_url=form.get("lti_publickeyset", ""),
        deep_linking_url=form.get("lti_toolurl_ContentItemSelectionRequest", ""),
        grade_service=int(form.get("ltiservice_gradesynchronization", GRADES_MANAGE)),
        has_memberships=form.get("ltiservice_memberships", "1") == "1",
        sends_name=form.get("lti_sendname", "1") == "1",
        sends_email=form.get("lti_sendemailaddr", "1") == "1",
    )
    tool.custom = form.get("lti_customparameters", "").replace("\r\n", "\n")
