"""Where an LMS's administrator arrives by an invitation (LTI Dynamic Registration 1.0 §3).

Any site may frame these pages: they act by what their address or form holds and by no cookie, so whoever
could lay something over them could as well press the button. A Canvas shows them from domains that nobody
names beforehand.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, PlatformFailed, ToolError
from lti_tool.lti.registration import PERSONAL_CLAIMS, placements_to_ask, scopes_to_ask
from lti_tool.telemetry import get_logger
from lti_tool.web.connecting import placement_words, scope_reasons, tool_texts
from lti_tool.web.error_texts import text_of
from lti_tool.web.headers import frame_by_anybody
from lti_tool.web.session import current_tool
from lti_tool.web.verify import limiter

log = get_logger(__name__)

blueprint = Blueprint("registering", __name__, url_prefix="/lti/register")


@blueprint.get("")
@limiter.limit("60 per minute")
def show() -> Response:
    """What would be registered; for a person who opened the link in a browser, where it belongs."""
    frame_by_anybody()
    invite = request.args.get("invite", "")
    configuration_url = request.args.get("openid_configuration", "")
    tool = current_tool()
    try:
        if not configuration_url:
            return _page(
                "paste",
                invitation=tool.inviting.look(invite),
                link=tool.settings.base_url + url_for("registering.show", invite=invite),
            )
        offer = tool.inviting.offer(invite, configuration_url, request.args.get("registration_token", ""))
    except ToolError as error:
        return _refused(error)
    return _page(
        "register",
        offer=offer,
        scopes=scope_reasons(scopes_to_ask(offer.configuration)),
        placements=placement_words(placements_to_ask(offer.configuration)),
        claims=PERSONAL_CLAIMS,
    )


@blueprint.post("")
@limiter.limit("30 per minute")
def register() -> AnyResponse:
    """The administrator agreed. What the form holds was sealed here, so no other page can have made it."""
    frame_by_anybody()
    icon_url = current_tool().settings.base_url + url_for("ops.favicon")
    try:
        done = current_tool().inviting.register(request.form.get("ticket", ""), tool_texts(), icon_url)
    except ToolError as error:
        return _refused(error)
    return redirect(url_for("registering.show_done", of=done), 303)


@blueprint.get("/done")
def show_done() -> Response:
    """What is still to do in the LMS, and whether it is done."""
    frame_by_anybody()
    of = request.args.get("of", "")
    try:
        standing = current_tool().inviting.standing(of)
    except ToolError as error:
        return _refused(error)
    return _page("registered", standing=standing, of=of)


def _page(name: str, status: int = 200, /, **values: Any) -> Response:
    return make_response(render_template(f"pages/lti/{name}.html", **values), status)


def _refused(error: ToolError) -> Response:
    """What happened, in the platform's own words too, and what to do."""
    log.info("registration_refused", error_code=error.code.value, detail=error.detail, status=error.status)
    reason = error.params.get("reason", "") if isinstance(error, PlatformFailed) else ""
    problems = error.params.get("problems", ()) if error.code is ErrorCode.CONFIGURATION_INVALID else ()
    return _page(
        "register_refused",
        error.status,
        text=text_of(error.code),
        code=error.code.value,
        reason=reason,
        host=error.params.get("host", ""),
        problems=problems,
    )
