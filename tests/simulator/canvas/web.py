"""What Canvas's pages and services share: the institution of this application, guards, lookups."""

from typing import cast

from flask import request

from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import Activity, Course, Session, ToolType
from tests.simulator.web import PageError, current_lms, require_user


def the_lms() -> Canvas:
    """The institution that this application serves."""
    return cast(Canvas, current_lms())


def find_course(course_id: int) -> Course:
    """A course the signed-in user may enter. Raises `PageError`, `LoginRequiredError`."""
    lms, user = the_lms(), require_user()
    course = lms.courses.get(course_id)
    if course is None:
        raise PageError("Page Not Found", 404)
    if not lms.may_view(user, course):
        raise PageError("Unauthorized: you don't have access to view this resource.", 401)
    return course


def find_activity(course: Course, number: int, module: str | None = None) -> Activity:
    """An activity that the signed-in user may open. Raises `PageError`."""
    lms = the_lms()
    activity = lms.activities.get(number)
    if activity is None or activity.course_id != course.id or module not in (None, activity.module):
        raise PageError("Page Not Found", 404)
    if not lms.is_available(require_user(), activity):
        raise PageError("Access Denied: you don't have access to view this resource.", 401)
    return activity


def find_tool(course: Course, number: int) -> ToolType:
    """A tool deployed in the account or in this very course. Raises `PageError`."""
    tool = the_lms().tools.get(number)
    if tool is None or not tool.is_active or tool.course_id not in (None, course.id):
        raise PageError("Couldn't find valid settings for this link", 404)
    return tool


def require_manager(course: Course) -> None:
    """Raises `PageError` unless the signed-in user adds content here."""
    if not the_lms().may_manage(require_user(), course):
        raise PageError("Unauthorized: you don't have access to view this resource.", 401)


def require_token(session: Session) -> None:
    """The guard against cross-site requests. Raises `PageError`."""
    if request.form.get("authenticity_token") != session.sesskey:
        raise PageError("Invalid authenticity token", 422)
