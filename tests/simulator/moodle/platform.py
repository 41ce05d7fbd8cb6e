"""The OpenID Connect and OAuth 2.0 half of Moodle: login initiation, auth page, key set, token endpoint.

MOODLE.md §2 and §5, recordings ``login_initiation_*``, ``deep_linking_edge_cases_and_auth_errors``,
``token_endpoint``.
"""

import json

from flask import Blueprint, Response, jsonify, make_response, request

from tests.simulator.lms import Activity, JsonObject, LaunchTicket, Session, ToolType
from tests.simulator.moodle import messages
from tests.simulator.moodle.lms import Moodle
from tests.simulator.moodle.web import (
    find_activity,
    find_course,
    is_repost_needed,
    number,
    repost,
    require_sesskey,
    the_lms,
)
from tests.simulator.tool_jwt import InvalidJwtError, decode_claims, verify_tool_jwt
from tests.simulator.web import PageError, auto_submit, require_session

blueprint = Blueprint("platform", __name__)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


# Login initiation


def login_initiation(lms: Moodle, session: Session, tool: ToolType, ticket: LaunchTicket) -> Response:
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
    if request.args.get("action") == "gradeReport":
        # Whoever may see the activity may ask for whose work they like: Moodle looks at no capability.
        for_user = number("user")
        review = LaunchTicket(
            "LtiSubmissionReviewRequest", tool.id, activity.course_id, activity.id, for_user
        )
        return login_initiation(lms, session, tool, review)
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
        raise PageError("Can't find data record in database table lti_types.")
    if not lms.may_manage(lms.users[session.user_id], course):
        raise PageError("Sorry, but you do not currently have permissions to do that (Manage activities).")
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


def _claims(lms: Moodle, session: Session, ticket: LaunchTicket, tool: ToolType, nonce: str) -> JsonObject:
    if ticket.cmid is not None:
        activity: Activity = find_activity(ticket.cmid, "lti")
        if ticket.message_type == "LtiSubmissionReviewRequest":
            return messages.submission_review_request(lms, session, activity, nonce, ticket.for_user)
        return messages.resource_link_request(lms, session, activity, nonce)
    course = find_course(ticket.course_id)
    if not lms.may_manage(lms.users[session.user_id], course):
        raise PageError("Sorry, but you do not currently have permissions to do that (Manage activities).")
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
        raise PageError("Invalid request")
    tool = lms.tools[ticket.tool_type_id]
    if asked["client_id"] != tool.client_id:
        refusal = _auth_error("unauthorized_client")
    elif asked["login_hint"] != str(session.user_id):
        refusal = _auth_error("access_denied")
    if asked["redirect_uri"] not in tool.redirect_uris:
        # Nothing is sent to an address the administrator did not register.
        raise PageError("Invalid request")
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
