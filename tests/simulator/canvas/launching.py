"""The OpenID Connect and OAuth 2.0 half of one institution.

app/models/lti/lti_advantage_adapter.rb, app/controllers/lti/ims/authentication_controller.rb,
lib/canvas/oauth/client_credentials_provider.rb.
"""

import secrets
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.canvas.hints import seal, unseal
from tests.simulator.canvas.lms import STORAGE_FRAME, Canvas
from tests.simulator.canvas.web import the_lms
from tests.simulator.lms import Course, JsonObject, Session, ToolType
from tests.simulator.tool_jwt import InvalidJwtError, decode_claims, verify_tool_jwt
from tests.simulator.web import PageError, auto_submit, current_session

blueprint = Blueprint("launching", __name__)

REQUIRED = (
    "client_id",
    "login_hint",
    "lti_message_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def login_request(
    lms: Canvas, session: Session, tool: ToolType, course: Course, message: JsonObject
) -> dict[str, str]:
    """The fields that open a login at the tool; `message` waits for its nonce under a verifier."""
    verifier = secrets.token_hex(32)
    with lms.lock:
        lms.launches[verifier] = message
    hint = seal(
        lms.cloud,
        verifier=verifier,
        canvas_domain=lms.domain,
        context_type="Course",
        context_id=course.id,
        client_id=tool.client_id,
        include_storage_target=True,
    )
    user = lms.users[session.user_id]
    return {
        "iss": lms.cloud.issuer,
        "login_hint": lms.login_hint(user),
        "client_id": tool.client_id,
        "deployment_id": lms.deployment_id(tool),
        "lti_deployment_id": lms.deployment_id(tool),
        "target_link_uri": str(message["https://purl.imsglobal.org/spec/lti/claim/target_link_uri"]),
        "lti_message_hint": hint,
        "canvas_region": "us-east-1",
        "canvas_environment": "prod",
        "lti_storage_target": STORAGE_FRAME,
    }


def _refusal(session: Session | None) -> tuple[str, str] | None:
    asked = request.values
    missing = [name for name in REQUIRED if not asked.get(name)]
    if missing:
        return "invalid_request_object", f"The following parameters are missing: {','.join(missing)}"
    if asked["scope"] != "openid":
        return "invalid_request_object", "The 'scope' must be 'openid'"
    lms = the_lms()
    user = lms.users[session.user_id] if session else None
    if user is None or lms.login_hint(user) != asked["login_hint"]:
        return "login_required", "Must have an active user session"
    if lms.tool_by_client(asked["client_id"]) is None:
        return "unauthorized_client", "Client not authorized in requested context"
    return None


@blueprint.route("/api/lti/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Whatever is wrong is told to the tool, but for a hint or a redirect URI that nobody registered."""
    lms, session = the_lms(), current_session()
    hint = unseal(lms.cloud, request.values.get("lti_message_hint", ""))
    if hint is None:
        raise PageError("Invalid lti_message_hint", 400)
    tool = lms.tool_by_client(str(hint["client_id"]))
    target = request.values.get("redirect_uri", "")
    if tool is None or target not in tool.redirect_uris:
        raise PageError("Invalid redirect_uri", 400)
    refusal = _refusal(session)
    with lms.lock:
        message = lms.launches.pop(str(hint["verifier"]), None) if refusal is None else None
    if refusal is None and message is None:
        refusal = "launch_no_longer_valid", "The launch has either expired or already been consumed"
    fields: dict[str, str]
    if refusal is not None:
        fields = {"error": refusal[0], "error_description": refusal[1]}
    else:
        claims = lms.chaos.shift_claims({**(message or {}), "nonce": request.values["nonce"]})
        fields = {"id_token": lms.keys.sign(claims), "lti_storage_target": STORAGE_FRAME}
    if "state" in request.values:
        fields["state"] = request.values["state"]
    return auto_submit(target, fields, name="ltiAuthForm", lead="Open the tool")


@blueprint.get("/post_message_forwarding")
def forwarding_frame() -> WerkzeugResponse:
    """The storage frame begins at the institution, which sends it to the shared host."""
    lms = the_lms()
    token = seal(lms.cloud, parent_domain=lms.domain)
    return redirect(f"{lms.cloud.base_url}/post_message_forwarding?token={token}", 302)


# Tokens


def _token_refusal(description: str, error: str = "invalid_request") -> Response:
    response = jsonify({"error": error, "error_description": description})
    response.status_code = 400
    return response


def _is_recent(claims: JsonObject, now: float) -> bool:
    times: list[Any] = [claims.get("iat"), claims.get("exp")]
    return all(isinstance(value, int | float) for value in times) and times[0] <= now + 300 < times[1] + 300


@blueprint.post("/login/oauth2/token")
def token() -> Response:
    """Client credentials: the assertion is for this very host, and each scope one of the key's."""
    lms, form = the_lms(), request.form
    if form.get("grant_type") != "client_credentials":
        return _token_refusal(
            "Only authorization_code, refresh_token, or client_credentials is accepted",
            "unsupported_grant_type",
        )
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return _token_refusal("client_assertion_type must be " + ASSERTION_TYPE)
    assertion = form.get("client_assertion", "")
    tool = lms.tool_by_client(str(decode_claims(assertion).get("sub")))
    if tool is None:
        return _token_refusal("Unknown or inactive client", "invalid_client")
    try:
        claims = verify_tool_jwt(lms, tool, assertion)
    except InvalidJwtError:
        return _token_refusal("JWS signature invalid.")
    audience = claims.get("aud")
    if lms.endpoints["token_url"] not in (audience if isinstance(audience, list) else [audience]):
        return _token_refusal("the 'aud' is invalid")
    if claims.get("iss") != tool.client_id:
        return _token_refusal("the 'iss' is invalid")
    if not claims.get("jti") or not _is_recent(claims, lms.clock().timestamp()):
        return _token_refusal("the 'exp', 'iat' or 'jti' is invalid")
    asked = form.get("scope", "").split()
    if not asked or set(asked) - set(tool.scopes):
        # One scope too many and there is no token at all.
        return _token_refusal(
            "A requested scope is invalid, unknown, malformed, or exceeds the scope granted by the resource "
            "owner. The following scopes were requested, but not granted: "
            + ", ".join(sorted(set(asked) - set(tool.scopes))),
            "invalid_scope",
        )
    value = lms.issue_token(tool, asked)
    return jsonify(
        {"access_token": value, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(asked)}
    )
