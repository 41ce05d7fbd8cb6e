"""What the simulator's pages and services share: the LMS of this application, the session, Moodle's error
pages.
"""

from http import HTTPStatus
from typing import cast

from flask import Response, current_app, make_response, render_template, request

from tests.simulator.lms import Activity, Course, Lms, Session, User

SESSION_COOKIE = "MoodleSession"


class MoodleError(Exception):
    """Moodle's error page: HTTP 404 whatever went wrong, with the message in the page."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class LoginRequiredError(Exception):
    """Nobody is signed in; Moodle sends the browser to its login page."""


def the_lms() -> Lms:
    return cast(Lms, current_app.config["LMS"])


def current_session() -> Session | None:
    return the_lms().sessions.get(request.cookies.get(SESSION_COOKIE, ""))


def require_session() -> Session:
    session = current_session()
    if session is None:
        raise LoginRequiredError
    return session


def current_user() -> User | None:
    session = current_session()
    return the_lms().users[session.user_id] if session else None


def require_user() -> User:
    return the_lms().users[require_session().user_id]


def require_sesskey(session: Session) -> None:
    """Moodle's guard against cross-site requests. Raises `MoodleError`."""
    if request.values.get("sesskey") != session.sesskey:
        raise MoodleError("Incorrect sesskey submitted, form not accepted!")


def number(name: str) -> int:
    """A whole number from the query or the form; a missing or odd one is Moodle's error page."""
    value = request.values.get(name, "")
    if not value.isdigit():
        raise MoodleError(f"A required parameter ({name}) was missing")
    return int(value)


def find_course(course_id: int) -> Course:
    """A course the signed-in user may enter. Raises `MoodleError`, `LoginRequiredError`."""
    lms, user = the_lms(), require_user()
    course = lms.courses.get(course_id)
    if course is None:
        raise MoodleError("Can't find data record in database table course.")
    if not lms.may_view(user, course):
        raise MoodleError("You cannot enrol yourself in this course.")
    return course


def find_activity(cmid: int, module: str) -> Activity:
    """An activity the signed-in user may open. Raises `MoodleError`, `LoginRequiredError`."""
    lms = the_lms()
    activity = lms.activities.get(cmid)
    if activity is None or activity.module != module:
        raise MoodleError("Invalid course module ID")
    course = find_course(activity.course_id)
    user = require_user()
    if not lms.may_grade(user, course) and not activity.is_visible:
        raise MoodleError("Sorry, this activity is currently hidden")
    if not lms.is_available(user, activity):
        raise MoodleError(
            "Sorry, this activity is currently unavailable: not available unless its conditions are met."
        )
    return activity


def page(template: str, status: int = 200, **values: object) -> Response:
    """A page of the site. Moodle forbids others to frame it."""
    lms = the_lms()
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


def is_repost_needed() -> bool:
    """A cross-site POST came without the SameSite=Lax session cookie and was not repeated yet.

    Moodle answers such a request with a page that posts the same fields again from its own site.
    """
    return current_session() is None and not request.values.get("repost")


def repost() -> Response:
    fields = {**request.form.to_dict(), "repost": "1"}
    return auto_submit(request.full_path.rstrip("?"), fields, name="repost", lead="Continue to your course")
