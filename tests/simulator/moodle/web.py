"""What Moodle's pages share: guards, lookups with Moodle's own words, the repost page."""

from typing import cast

from flask import Response, request

from tests.simulator.lms import Activity, Course, Session
from tests.simulator.moodle.lms import Moodle
from tests.simulator.web import (
    PageError,
    auto_submit,
    current_lms,
    current_session,
    require_user,
)


def the_lms() -> Moodle:
    """The site that this application serves."""
    return cast(Moodle, current_lms())


def require_sesskey(session: Session) -> None:
    """Moodle's guard against cross-site requests. Raises `PageError`."""
    if request.values.get("sesskey") != session.sesskey:
        raise PageError("Incorrect sesskey submitted, form not accepted!")


def number(name: str) -> int:
    """A whole number from the query or the form; a missing or odd one is Moodle's error page."""
    value = request.values.get(name, "")
    if not value.isdigit():
        raise PageError(f"A required parameter ({name}) was missing")
    return int(value)


def find_course(course_id: int) -> Course:
    """A course the signed-in user may enter. Raises `PageError`, `LoginRequiredError`."""
    lms, user = the_lms(), require_user()
    course = lms.courses.get(course_id)
    if course is None:
        raise PageError("Can't find data record in database table course.")
    if not lms.may_view(user, course):
        raise PageError("You cannot enrol yourself in this course.")
    return course


def find_activity(cmid: int, module: str) -> Activity:
    """An activity the signed-in user may open. Raises `PageError`, `LoginRequiredError`."""
    lms = the_lms()
    activity = lms.activities.get(cmid)
    if activity is None or activity.module != module:
        raise PageError("Invalid course module ID")
    course = find_course(activity.course_id)
    user = require_user()
    if not lms.may_grade(user, course) and not activity.is_visible:
        raise PageError("Sorry, this activity is currently hidden")
    if not lms.is_available(user, activity):
        raise PageError(
            "Sorry, this activity is currently unavailable: not available unless its conditions are met."
        )
    return activity


def is_repost_needed() -> bool:
    """A cross-site POST came without the SameSite=Lax session cookie and was not repeated yet.

    Moodle answers such a request with a page that posts the same fields again from its own site.
    """
    return current_session() is None and not request.values.get("repost")


def repost() -> Response:
    fields = {**request.form.to_dict(), "repost": "1"}
    return auto_submit(request.full_path.rstrip("?"), fields, name="repost", lead="Continue to your course")
