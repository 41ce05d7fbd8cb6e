"""What the pages and services of every product share: the LMS of this application, the session, pages."""

from http import HTTPStatus
from typing import cast

from flask import Response, current_app, make_response, render_template, request
from jinja2.bccache import Bucket, BytecodeCache

from tests.simulator.lms import Lms, Session, User


class CompiledTemplates(BytecodeCache):
    """Compiled templates of every application in this process: tests build applications by the hundred."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = self._kept.get((bucket.key, bucket.checksum))
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


class PageError(Exception):
    """An error page of the site with a message; Moodle's are HTTP 404 whatever went wrong."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class LoginRequiredError(Exception):
    """Nobody is signed in; the browser is sent to the login page."""


def current_lms() -> Lms:
    """The site that this application serves."""
    return cast(Lms, current_app.config["LMS"])


def current_session() -> Session | None:
    return current_lms().sessions.get(request.cookies.get(current_lms().session_cookie, ""))


def require_session() -> Session:
    session = current_session()
    if session is None:
        raise LoginRequiredError
    return session


def current_user() -> User | None:
    session = current_session()
    return current_lms().users[session.user_id] if session else None


def require_user() -> User:
    return current_lms().users[require_session().user_id]


def page(template: str, status: int = 200, **values: object) -> Response:
    """A page of the site. Others must not frame it."""
    lms = current_lms()
    with lms.lock:
        text = render_template(template, lms=lms, user=current_user(), session=current_session(), **values)
    # Werkzeug would write the reason phrase in capitals.
    response = make_response(text, f"{status} {HTTPStatus(status).phrase}")
    response.headers["X-Frame-Options"] = "sameorigin"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def auto_submit(action: str, fields: dict[str, str], *, name: str, lead: str = "") -> Response:
    """A page whose script posts `fields` to `action` at once; a button stands there for browsers without
    script.
    """
    return page("autosubmit.html", action=action, fields=fields, form_name=name, lead=lead)
