"""Dynamic registration: an administrator gives a tool's URL, which Canvas opens in a frame; the tool reads
the configuration and registers; the administrator agrees to what it asked for, and enables it.

app/controllers/lti/ims/dynamic_registration_controller.rb, security_controller.rb openid_configuration,
doc/api/registration.md. The configuration lies on the shared issuer's host, the registration endpoint on the
institution's; no deployment is named, since the app is installed afterwards.
"""

import hashlib
import hmac
import uuid
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, Flask, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator import lms as scopes
from tests.simulator.canvas import messages
from tests.simulator.canvas.hints import unseal
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.canvas.web import the_lms
from tests.simulator.keys import b64url, signing_input
from tests.simulator.lms import JsonObject
from tests.simulator.web import PageError, require_user

blueprint = Blueprint("registration", __name__)

TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
EXTENSION = "https://canvas.instructure.com/lti"
TOKEN_LIFE = timedelta(hours=1)
NAVIGATION = ("course_navigation", "account_navigation", "global_navigation", "user_navigation")
SCOPES = (
    scopes.SCOPE_LINEITEM,
    scopes.SCOPE_LINEITEM_READONLY,
    scopes.SCOPE_RESULT,
    scopes.SCOPE_SCORE,
    scopes.SCOPE_MEMBERSHIPS,
    "https://canvas.instructure.com/lti/public_jwk/scope/update",
)
CONFIGURATION_PATH = "/api/lti/security/openid-configuration"
REQUIRED = ("client_name", "initiate_login_uri", "redirect_uris", "jwks_uri", "scope", TOOL_CONFIGURATION)


def registration_token(lms: Canvas) -> str:
    """What an administrator's browser carries to the tool; good for an hour."""
    body = {
        "uuid": str(uuid.uuid4()),
        "initiated_at": lms.clock().isoformat(),
        "user_id": lms.admin.id,
        "root_account_global_id": lms.domain,
        "exp": int((lms.clock() + TOKEN_LIFE).timestamp()),
    }
    text = signing_input({"typ": "JWT", "alg": "HS512"}, body)
    return text + "." + b64url(hmac.digest(lms.cloud.secret, text.encode(), hashlib.sha512))


@blueprint.get("/api/lti/register")
def start() -> WerkzeugResponse:
    """Where the frame of the administrator's page begins."""
    if not require_user().is_admin:
        raise PageError("Unauthorized: you don't have access to view this resource.", 401)
    lms = the_lms()
    token = registration_token(lms)
    parts = urlsplit(request.args.get("registration_url", ""))
    configuration = f"{lms.cloud.base_url}{CONFIGURATION_PATH}?{urlencode({'registration_token': token})}"
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("openid_configuration", configuration),
        ("registration_token", token),
    ]
    return redirect(parts._replace(query=urlencode(query)).geturl(), 302)


def add_configuration(app: Flask, cloud: Cloud) -> None:
    """The shared host's part."""

    @app.get(CONFIGURATION_PATH)
    def openid_configuration() -> Response:
        lms = _institution(cloud, request.args.get("registration_token") or _bearer())
        if lms is None:
            response = jsonify({"error": "Access token missing or invalid"})
            response.status_code = 401
            return response
        return jsonify(configuration_of(lms))


def configuration_of(lms: Canvas) -> JsonObject:
    return {
        "issuer": lms.cloud.issuer,
        "authorization_endpoint": lms.endpoints["auth_url"],
        "registration_endpoint": f"{lms.base_url}/api/lti/registrations",
        "jwks_uri": lms.endpoints["jwks_url"],
        "token_endpoint": lms.endpoints["token_url"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "picture", "email", "name", "given_name", "family_name", "locale"],
        "subject_types_supported": ["public"],
        "authorization_server": urlsplit(lms.cloud.base_url).netloc,
        PLATFORM_CONFIGURATION: {
            "product_family_code": "canvas",
            "version": "vCloud",
            "messages_supported": [
                {"type": "LtiResourceLinkRequest", "placements": list(NAVIGATION)},
                {"type": "LtiDeepLinkingRequest", "placements": list(messages.PLACEMENTS)},
            ],
            "notice_types_supported": [],
            "variables": ["ResourceLink.id"],
            f"{EXTENSION}/account_name": lms.name,
            f"{EXTENSION}/account_lti_guid": lms.guid,
        },
    }


@blueprint.post("/api/lti/registrations")
def create() -> Response:
    lms = the_lms()
    if _institution(lms.cloud, _bearer()) is not lms:
        return _refuse(401, "JWT did not include expected contents")
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        return _refuse(422, "The registration is no JSON object")
    missing = [name for name in REQUIRED if not asked.get(name)]
    wanted = str(asked.get("scope", "")).split()
    if missing or not set(wanted) <= set(SCOPES):
        return _refuse(422, f"Invalid: {', '.join(missing) or 'scope'}")
    with lms.lock:
        tool = _tool_from(lms, asked, wanted)
    configuration = {**asked[TOOL_CONFIGURATION], f"{EXTENSION}/registration_config_url": f"{lms.base_url}/x"}
    return jsonify({**asked, "client_id": tool.client_id, TOOL_CONFIGURATION: configuration})


def _tool_from(lms: Canvas, asked: JsonObject, wanted: list[str]) -> scopes.ToolType:
    configuration = asked[TOOL_CONFIGURATION]
    privacy = configuration.get(f"{EXTENSION}/privacy_level", "anonymous")
    placements = [name for message in configuration["messages"] for name in message.get("placements", [])]
    return lms.register_tool(
        "",
        name=str(asked["client_name"]),
        client_id=lms.new_client_id(),
        custom={str(k): str(v) for k, v in configuration.get("custom_parameters", {}).items()},
        url=str(configuration["target_link_uri"]),
        initiate_login_url=str(asked["initiate_login_uri"]),
        redirect_uris=tuple(asked["redirect_uris"]),
        jwks_url=str(asked["jwks_uri"]),
        sends_name=privacy in ("public", "name_only"),
        sends_email=privacy in ("public", "email_only"),
        key_scopes=tuple(wanted),
        has_memberships=scopes.SCOPE_MEMBERSHIPS in wanted,
        placements=tuple(placements),
        is_active=False,
    )


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _institution(cloud: Cloud, token: str) -> Canvas | None:
    claims = unseal(cloud, token) if token.count(".") == 2 else None
    return None if claims is None else cloud.institutions.get(str(claims.get("root_account_global_id")))


def _refuse(status: int, message: str) -> Response:
    response = jsonify({"errorMessage": message})
    response.status_code = status
    return response
