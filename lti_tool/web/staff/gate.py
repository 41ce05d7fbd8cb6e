"""Signing in and out, and what every staff page has: a session, a CSRF check, a frame around nothing.

The cookie is an ordinary one (``SameSite=Lax``, no third party ever sees it): staff pages are never framed,
and open in a window of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.staffing import SESSION_LIFETIME
from lti_tool.web.errors import answer_tool_error
from lti_tool.web.session import check_csrf, current_tool
from lti_tool.web.verify import limiter
from lti_tool.web.wording import problem_sentence

if TYPE_CHECKING:
    from lti_tool.services.form_problems import Problem
    from lti_tool.services.staffing import StaffView

blueprint = Blueprint("staff", __name__, url_prefix="/staff")

COOKIE = "staff_session"
SIGN_IN = ("staff.sign_in", "staff.use_link")
"""The endpoints that need no session."""


def current_staff() -> StaffView:
    """Who asks; every staff page but the sign-in has somebody."""
    return cast("StaffView", g.staff)


@blueprint.before_request
def _open() -> AnyResponse | None:
    """Open the session of the cookie; without one, show where to sign in."""
    if request.endpoint in SIGN_IN:
        return None
    token = request.cookies.get(COOKIE, "")
    try:
        g.staff = current_tool().staffing.open_session(token)
    except NotAllowed:
        if request.method not in ("GET", "HEAD"):
            raise
        response = redirect(url_for("staff.sign_in", ended="yes" if token else None), 303)
        return _without_cookie(response) if token else response
    g.token = token
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        check_csrf()
    return None


@blueprint.get("/sign-in")
def sign_in() -> str:
    """Where a sign-in link leads. Looking at it uses nothing up: mail scanners open every link they find, and
    the token stands in the fragment, which no browser sends."""
    return render_template(
        "pages/staff/sign_in.html",
        has_ended="ended" in request.args,
        has_signed_out="signed_out" in request.args,
    )


@blueprint.post("/sign-in")
@limiter.limit("30 per minute")
def use_link() -> AnyResponse:
    """Use a link up, and begin a session."""
    if request.headers.get("Origin") != current_tool().settings.base_url:
        # Nobody else's page may sign somebody in as whom it likes.
        raise RequestInvalid(ErrorCode.CSRF_INVALID, "sign-in from another site")
    pasted = request.form.get("token", "").strip()
    try:
        signed_in = current_tool().staffing.sign_in(
            pasted.rpartition("#")[2], instead_of=request.cookies.get(COOKIE, "")
        )
    except NotAllowed as error:
        if error.code is not ErrorCode.STAFF_LINK_INVALID:
            raise
        return answer_tool_error(error)
    response = redirect(url_for("staff.home.show"), 303)
    response.set_cookie(
        COOKIE,
        signed_in.token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/staff",
        httponly=True,
        secure=True,
        samesite="Lax",
    )
    return response


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End this session, here and on the server."""
    current_tool().staffing.sign_out(g.token)
    return _without_cookie(redirect(url_for("staff.sign_in", signed_out="yes"), 303))


def _without_cookie(response: AnyResponse) -> AnyResponse:
    response.delete_cookie(COOKIE, path="/staff", httponly=True, secure=True, samesite="Lax")
    return response


def page(template: str, status: int = 200, /, **values: object) -> Response:
    """A staff page."""
    return make_response(render_template(f"pages/staff/{template}.html", **values), status)


def done(endpoint: str, what: str, **values: Any) -> AnyResponse:
    """Back to a page that says what was done (:func:`lti_tool.web.staff.words.done_sentence`)."""
    return redirect(url_for(endpoint, done=what, **values), 303)


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was typed, with a sentence for each field that has a problem."""

    values: Mapping[str, str]
    sentences: Mapping[str, str] = field(default_factory=dict)
    focus: str = ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


def problems_of(error: RequestInvalid) -> dict[str, str]:
    """A sentence for each field that a service refused.

    :raises RequestInvalid: the error itself, where it is about no field.
    """
    if error.code is not ErrorCode.FORM_INVALID:
        raise error
    found: dict[str, str] = {}
    for problem in cast("tuple[Problem, ...]", error.params.get("problems", ())):
        found.setdefault(problem.field, problem_sentence(problem.code, dict(problem.params)))
    return found


def typed() -> dict[str, str]:
    """The form of this request, without its CSRF token."""
    return {name: value for name, value in request.form.items() if name != "csrf_token"}


def number_of_page() -> int:
    """``?page=``, from 1."""
    return max(1, request.args.get("page", 1, type=int))
