"""The OpenID Connect and OAuth 2.0 half of Moodle: login initiation, auth page, key set, token endpoint.

MOODLE.md §2 and §5, recordings ``login_initiation_*``, ``deep_linking_edge_cases_and_auth_errors``,
``token_endpoint``.
"""

import base64
import binascii
import json
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.simulator import messages
from tests.simulator.lms import Activity, JsonObject, LaunchTicket, Lms, Session, ToolType
from tests.simulator.web import (
    MoodleError,
    auto_submit,
    find_activity,
    find_course,
    is_repost_needed,
    number,
    repost,
    require_session,
    require_sesskey,
    the_lms,
)

blueprint = Blueprint("platform", __name__)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class InvalidJwtError(Exception):
    """A JWT of the tool does not hold; the message is the one Moodle's JWT library gives."""


def _decode_part(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None


def decode_claims(token: str) -> JsonObject:
    """The claims of a compact JWS as they stand, unverified; empty when there are none."""
    parts = token.split(".")
    claims = _decode_part(parts[1]) if len(parts) == 3 else None
    return claims if isinstance(claims, dict) else {}


def _keys(lms: Lms, tool: ToolType, *, fresh: bool) -> list[tuple[str | None, RSAKey]]:
    if tool.public_key:
        return [(None, RSAKey.import_key(tool.public_key))]
    keys: list[tuple[str | None, RSAKey]] = []
    for jwk in lms.tool_jwks(tool, fresh=fresh).get("keys", []):
        if jwk.get("kty") == "RSA":
            keys.append((jwk.get("kid"), RSAKey.import_key(jwk)))
    return keys


def _verify_with(keys: list[tuple[str | None, RSAKey]], token: str, header: JsonObject) -> None:
    kid = header.get("kid")
    if keys and keys[0][0] is None:
        matching = [key for _, key in keys]
    elif not kid:
        raise InvalidJwtError('"kid" empty, unable to lookup correct key')
    else:
        matching = [key for name, key in keys if name == kid]
        if not matching:
            raise InvalidJwtError('"kid" invalid, unable to lookup correct key')
    try:
        jws.deserialize_compact(token, matching[0], algorithms=["RS256"])
    except (JoseError, ValueError) as error:
        raise InvalidJwtError("Signature verification failed") from error


def verify_tool_jwt(lms: Lms, tool: ToolType, token: str) -> JsonObject:
    """The claims of a JWT signed by the tool. The key set is cached and downloaded again when verification
    fails.

    Moodle checks the signature, ``exp`` and ``iat`` where present, and nothing else. Raises
    `InvalidJwtError`.
    """
    parts = token.split(".")
    header, claims = (_decode_part(part) for part in [*parts, "", ""][:2])
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidJwtError("Wrong number of segments")
    if header.get("alg") != "RS256":
        raise InvalidJwtError("Algorithm not supported")
    try:
        try:
            _verify_with(_keys(lms, tool, fresh=False), token, header)
        except InvalidJwtError:
            if tool.public_key:
                raise
            _verify_with(_keys(lms, tool, fresh=True), token, header)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidJwtError("Unable to fetch the tool's key set") from error
    now = lms.clock().timestamp()
    if isinstance(claims.get("iat"), int | float) and claims["iat"] > now + 1:
        raise InvalidJwtError("Cannot handle token with iat prior to its time")
    if "exp" in claims and now >= float(claims["exp"]):
        raise InvalidJwtError("Expired token")
    return claims


# Login initiation


def login_initiation(lms: Lms, session: Session, tool: ToolType, ticket: LaunchTicket) -> Response:
    """The page whose form opens the OIDC login at the tool."""
    launch_id = lms.issue_ticket(session, ticket)
    hint: JsonObject = {"launchid": launch_id}
    target = tool.deep_linking_url or tool.url
    if ticket.cmid is not None:
        hint = {"cmid": ticket.cmid, **hint}
        target = lms.launch_url(lms.activities[ticket.cmid])
    fields = {
        "iss": lms.base_url,
        "target_link_uri": target,
        "login_hint": str(session.user_id),
        "lti_message_hint": json.dumps(hint, separators=(",", ":")),
        "client_id": tool.client_id,
        "lti_deployment_id": str(tool.id),
    }
    return auto_submit(tool.initiate_login_url, fields, name="ltiInitiateLoginForm", lead="Open the tool")


@blueprint.get("/mod/lti/launch.php")
def launch() -> Response:
    lms, session = the_lms(), require_session()
    activity = find_activity(number("id"), "lti")
    tool = lms.tools[activity.tool_type_id or 0]
    ticket = LaunchTicket("basic-lti-launch-request", tool.id, activity.course_id, activity.id)
    return login_initiation(lms, session, tool, ticket)


@blueprint.route("/mod/lti/contentitem.php", methods=["GET", "POST"])
def select_content() -> Response:
    """The inside of the "Select content" dialog."""
    lms, session = the_lms(), require_session()
    require_sesskey(session)
    course = find_course(number("course"))
    tool = lms.tools.get(number("id"))
    if tool is None:
        raise MoodleError("Can't find data record in database table lti_types.")
    if not lms.may_manage(lms.users[session.user_id], course):
        raise MoodleError("Sorry, but you do not currently have permissions to do that (Manage activities).")
    return login_initiation(
        lms, session, tool, LaunchTicket("ContentItemSelectionRequest", tool.id, course.id)
    )


# The auth page


def _auth_error(error: str, description: str = "") -> dict[str, str]:
    return {"error": error, **({"error_description": description} if description else {})}


def _launch_id(hint: str) -> str | None:
    try:
        launch_id = json.loads(hint).get("launchid")
    except (ValueError, AttributeError):
        return None
    return launch_id if isinstance(launch_id, str) else None


def _claims(lms: Lms, session: Session, ticket: LaunchTicket, tool: ToolType, nonce: str) -> JsonObject:
    if ticket.cmid is not None:
        activity: Activity = find_activity(ticket.cmid, "lti")
        return messages.resource_link_request(lms, session, activity, nonce)
    course = find_course(ticket.course_id)
    if not lms.may_manage(lms.users[session.user_id], course):
        raise MoodleError("Sorry, but you do not currently have permissions to do that (Manage activities).")
    return messages.deep_linking_request(lms, session, tool, course, nonce)


@blueprint.route("/mod/lti/auth.php", methods=["GET", "POST"])
def auth() -> Response:
    if is_repost_needed():
        return repost()
    lms, session = the_lms(), require_session()
    asked = request.values.to_dict()
    needed = ("scope", "response_type", "client_id", "redirect_uri", "login_hint", "nonce")
    refusal = None if all(asked.get(name) for name in needed) else _auth_error("invalid_request")
    launch_id = _launch_id(asked.get("lti_message_hint", ""))
    if refusal is None and launch_id is None:
        refusal = _auth_error("invalid_request", "No launch id in LTI hint")
    if refusal is None and asked["scope"] != "openid":
        refusal = _auth_error("invalid_scope")
    if refusal is None and asked["response_type"] != "id_token":
        refusal = _auth_error("unsupported_response_type")
    with lms.lock:
        # One use: a reload, or Back, finds no ticket and gets Moodle's error page.
        ticket = session.tickets.pop(launch_id or "", None) if refusal is None else None
    if ticket is None:
        raise MoodleError("Invalid request")
    tool = lms.tools[ticket.tool_type_id]
    if asked["client_id"] != tool.client_id:
        refusal = _auth_error("unauthorized_client")
    elif asked["login_hint"] != str(session.user_id):
        refusal = _auth_error("access_denied")
    if asked["redirect_uri"] not in tool.redirect_uris:
        # Nothing is sent to an address the administrator did not register.
        raise MoodleError("Invalid request")
    if refusal is None and asked.get("response_mode") != "form_post":
        refusal = _auth_error("invalid_request", "Invalid response_mode")
    if refusal is None and asked.get("prompt", "none") not in ("", "none"):
        refusal = _auth_error("invalid_request", "Invalid prompt")
    if refusal is not None:
        fields = refusal
    else:
        with lms.lock:
            claims = _claims(lms, session, ticket, tool, asked["nonce"])
            fields = {"id_token": lms.keys.sign(lms.chaos.shift_claims(claims))}
    if "state" in asked:
        fields["state"] = asked["state"]
    return auto_submit(asked["redirect_uri"], fields, name="ltiAuthForm", lead="Open the tool")


# Keys and tokens


@blueprint.get("/mod/lti/certs.php")
def certs() -> Response:
    return jsonify(the_lms().keys.jwks())


@blueprint.get("/mod/lti/openid-configuration.php")
def openid_configuration() -> Response:
    lms = the_lms()
    base = lms.base_url + "/mod/lti/"
    ags = "https://purl.imsglobal.org/spec/lti-ags/scope/"
    return jsonify(
        {
            "issuer": lms.base_url,
            "token_endpoint": base + "token.php",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "jwks_uri": base + "certs.php",
            "authorization_endpoint": base + "auth.php",
            "registration_endpoint": base + "openid-registration.php",
            "scopes_supported": [
                "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome",
                *(ags + name for name in ("lineitem.readonly", "result.readonly", "score", "lineitem")),
                "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
                "https://purl.imsglobal.org/spec/lti-ts/scope/toolsetting",
                "openid",
            ],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
            "https://purl.imsglobal.org/spec/lti-platform-configuration": {
                "product_family_code": "moodle",
                "version": "4.4dev (Build: 20231124)",
                "messages_supported": [
                    {"type": "LtiResourceLinkRequest"},
                    {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
                ],
                "variables": list(messages.PUBLISHED_VARIABLES),
            },
        }
    )


def _token_answer(status: int, pairs: dict[str, str | int]) -> Response:
    # JSON in the body, text/html in the header: so Moodle sends it (recording token_endpoint).
    lines = ",\n".join(
        f"  {json.dumps(key)} : {json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items()
    )
    response = make_response("{\n" + lines + "\n}", status)
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response


@blueprint.post("/mod/lti/token.php")
def token() -> Response:
    lms = the_lms()
    form = request.form
    if not all(
        form.get(name) for name in ("client_assertion", "client_assertion_type", "grant_type", "scope")
    ):
        return _token_answer(400, {"error": "invalid_request"})
    if form["client_assertion_type"] != ASSERTION_TYPE or form["grant_type"] != "client_credentials":
        return _token_answer(400, {"error": "unsupported_grant_type"})
    claims = decode_claims(form["client_assertion"])
    if not claims.get("sub"):
        return _token_answer(400, {"error": "invalid_request"})
    # Moodle looks the tool up by `sub` and never compares `iss`, `aud` or `jti`.
    tool = lms.tool_by_client(str(claims["sub"]))
    if tool is None:
        return _token_answer(400, {"error": "invalid_client"})
    try:
        verify_tool_jwt(lms, tool, form["client_assertion"])
    except InvalidJwtError as error:
        return _token_answer(400, {"error": str(error)})
    granted = [scope for scope in form["scope"].split(" ") if scope in tool.scopes]
    if not granted:
        return _token_answer(400, {"error": "invalid_scope"})
    access_token = lms.issue_token(tool, granted)
    return _token_answer(
        200,
        {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": " ".join(granted),
        },
    )
