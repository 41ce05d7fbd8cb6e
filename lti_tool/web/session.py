"""Launch sessions in pages.

One page has two addresses. ``/l/<session_id>/…`` is used where the browser keeps a cookie that belongs to
the frame's site alone (CHIPS); its path names the session, so that several frames on one course page do not
clash. Where no cookie survives, ``/s/<token>/…`` carries the token itself: it is the only secret in a URL,
its pages are neither stored nor named to others (``headers.py``), and logs write ``/s/-/``.

Views and templates say ``url_for("wallet.show")``; which of the two addresses comes out follows from the
session at hand.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Blueprint, Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.launching import SESSION_LIFETIME
from lti_tool.telemetry import bind_context, clear_context

if TYPE_CHECKING:
    from lti_tool.bootstrap import Tool
    from lti_tool.services.launching import AcceptedLaunch, SessionView

View = TypeVar("View", bound=Callable[..., Any])

COOKIE = "lti_session_"
FORM_SECONDS = 24 * 3600
"""A cookie that opens a form outlives its session, or what was typed could not be kept when it is sent late.
When the session ends is for the server to say."""


def current_tool() -> Tool:
    """The collaborators that bootstrap built."""
    return cast("Tool", current_app.extensions["lti_tool"])


def current_session() -> SessionView:
    """The session of this request; only pages below a session's path have one."""
    return cast("SessionView", g.session)


class SessionBlueprint(Blueprint):
    """Pages that need a launch session, each under both kinds of path."""

    def page(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Route ``rule`` below ``/l/<session_id>`` and below ``/s/<token>``."""

        def decorate(view: View) -> View:
            by_cookie = self.route(f"/l/<session_id>{rule}", **options)
            by_path = self.route(f"/s/<session_token>{rule}", **options)
            return by_cookie(by_path(view))

        return decorate


def register(app: Flask) -> None:
    """Open the session before any page that names one, and name it again in every link of that page."""

    @app.before_request
    def _name_request() -> None:
        # Threads serve many requests: what an earlier one left is forgotten first.
        clear_context()
        bind_context(request_id=secrets.token_hex(8))

    @app.before_request
    def _refuse_nul() -> None:
        # PostgreSQL fails over a text that holds NUL. No address of ours has it.
        if "\0" in request.path or b"%00" in request.query_string:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "NUL in the address")

    @app.url_value_preprocessor
    def _take_names(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.session_id = values.pop("session_id", None) if values else None
        g.session_token = values.pop("session_token", None) if values else None

    @app.url_defaults
    def _give_names(endpoint: str, values: dict[str, Any]) -> None:
        name = next(
            (n for n in ("session_token", "session_id") if g.get(n) and n not in values),
            None,
        )
        if name is not None and app.url_map.is_endpoint_expecting(endpoint, name):
            values[name] = g.get(name)

    @app.before_request
    def _open() -> None:
        if g.session_id is None and g.session_token is None:
            return
        open_session()
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            check_csrf()

    app.jinja_env.globals["csrf_token"] = csrf_token

    @app.context_processor
    def _context() -> dict[str, Any]:
        return {"session": g.get("session")}


def open_session() -> None:
    """Put the session of this request's path into ``g.session``.

    :raises NotAllowed: ``session_missing`` or ``session_expired``.
    """
    g.session, g.token = _session_at_hand()


def expired_session() -> SessionView | None:
    """The session of this request's path, though it is over: for a form that is sent late, whose CSRF token
    is checked here, and for nothing else. ``None`` where there is none, or the token is not its own.
    """
    try:
        session, g.token = _session_at_hand(even_expired=True)
        check_csrf()
    except (NotAllowed, RequestInvalid):
        return None
    finally:
        g.pop("token", None)
    return session


def remember_session() -> None:
    """Let an error page below a session's path speak that session's language, and lead back, though the
    session is over or the page is none: ``g.ended_session``, which gives no right to anything.
    """
    kind, _, rest = request.path.removeprefix("/").partition("/")
    name = rest.partition("/")[0]
    if g.get("session") is not None or kind not in ("l", "s") or not name:
        return
    named = g.get("session_id"), g.get("session_token")
    g.session_id, g.session_token = (name, None) if kind == "l" else (None, name)
    try:
        g.ended_session = _session_at_hand(even_expired=True)[0]
    except (NotAllowed, SQLAlchemyError):
        return
    finally:
        g.session_id, g.session_token = named


def _session_at_hand(*, even_expired: bool = False) -> tuple[SessionView, str]:
    launching = current_tool().launching
    if g.session_token is not None:
        session = launching.open_session_by_token(g.session_token, even_expired=even_expired)
        if session.is_cookie_bound:
            # A token that belongs into a cookie has no business in a URL.
            raise NotAllowed(ErrorCode.SESSION_MISSING, "cookie-bound token in a path")
        return session, g.session_token
    token = request.cookies.get(COOKIE + g.session_id, "")
    if not token:
        raise NotAllowed(ErrorCode.SESSION_MISSING, "no cookie for this session")
    return launching.open_session(g.session_id, token, even_expired=even_expired), token


def csrf_token() -> str:
    """The token that every form of this session carries; empty on pages without a session."""
    token = g.get("token")
    if not token:
        return ""
    owner = current_tool().launching if g.get("staff") is None else current_tool().staffing
    return owner.csrf_token(token)


def check_csrf() -> None:
    """Refuse a change whose form or ``X-CSRF-Token`` header does not carry this session's token.

    :raises RequestInvalid: ``csrf_invalid``; ``request_invalid`` where an id holds NUL, over which PostgreSQL
        fails.
    """
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    if not hmac.compare_digest(sent.encode(), csrf_token().encode()):
        raise RequestInvalid(ErrorCode.CSRF_INVALID)
    # Texts are checked by their forms; ids go to the database as they come.
    for name, values in request.form.lists():
        if (name.endswith("_id") or name in _NAMES_OF_IDS) and any("\0" in value for value in values):
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"NUL in {name}")


_NAMES_OF_IDS = frozenset({"category", "keep", "review", "seen"})


def begin(accepted: AcceptedLaunch) -> None:
    """Make the session just accepted this request's, so that links lead into it."""
    g.session = accepted.session
    g.token = accepted.token
    g.session_id = accepted.session.id if accepted.session.is_cookie_bound else None
    g.session_token = None if accepted.session.is_cookie_bound else accepted.token


def set_cookie(response: Response) -> Response:
    """Give the browser the cookie of a session that :func:`begin` began; none in path mode."""
    session = current_session()
    if session.is_cookie_bound:
        lifetime = int(SESSION_LIFETIME.total_seconds())
        seconds = lifetime if session.deep_linking is None else FORM_SECONDS
        set_frame_cookie(response, COOKIE + session.id, g.token, path=f"/l/{session.id}/", max_age=seconds)
    return response


def set_frame_cookie(response: Response, name: str, value: str, *, path: str, max_age: int) -> None:
    """Set a cookie that comes back inside another site's frame, and in that site's frames only (CHIPS).

    It is Secure also where the web server speaks plain http behind a proxy that does not, and in
    development: browsers take Secure cookies from loopback.
    """
    response.set_cookie(
        name, value, max_age=max_age, path=path, httponly=True, secure=True, samesite="None", partitioned=True
    )
