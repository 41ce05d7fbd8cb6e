"""The pages people see in one institution: log in by a click, courses, assignments, modules, gradebook."""

from pathlib import Path

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.canvas import messages
from tests.simulator.canvas.launching import login_request
from tests.simulator.canvas.web import (
    find_activity,
    find_course,
    find_tool,
    require_manager,
    require_token,
    the_lms,
)
from tests.simulator.lms import Activity, Course, Role, ToolType, User
from tests.simulator.web import PageError, page, require_session, require_user

blueprint = Blueprint("site", __name__)

Answer = Response | WerkzeugResponse


@blueprint.get("/theme/styles.css")
def styles() -> Response:
    response = make_response((Path(__file__).parents[1] / "templates" / "styles.css").read_text("utf-8"))
    response.headers["Content-Type"] = "text/css; charset=utf-8"
    return response


@blueprint.get("/")
def front() -> Answer:
    return redirect("/courses", 303)


@blueprint.route("/login/canvas", methods=["GET", "POST"])
def login() -> Answer:
    lms = the_lms()
    if request.method == "GET":
        people: dict[str, list[User]] = {"Teachers": [], "Learners": [], "Administrators": [lms.admin]}
        for user in lms.users.values():
            roles = {e.role for c in lms.courses.values() for i, e in c.enrolments.items() if i == user.id}
            if roles & {Role.EDITING_TEACHER, Role.TEACHER, Role.DESIGNER}:
                people["Teachers"].append(user)
            elif roles - {Role.TEST_STUDENT}:
                people["Learners"].append(user)
        return page("login.html", people=people, wanted=request.args.get("wantsurl", ""))
    chosen = lms.users.get(int(request.form.get("user") or 0))
    if chosen is None:
        raise PageError("Please verify your login and try again.", 400)
    wanted = request.form.get("wantsurl", "")
    target = wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/courses"
    response = redirect(target, 303)
    response.set_cookie(
        lms.session_cookie,
        lms.sign_in(chosen),
        httponly=True,
        secure=True,
        samesite=lms.session_same_site,
    )
    return response


@blueprint.get("/courses")
def courses() -> Answer:
    lms, user = the_lms(), require_user()
    return page("courses.html", courses=[c for c in lms.courses.values() if lms.may_view(user, c)])


@blueprint.get("/courses/<int:course_id>")
def course_page(course_id: int) -> Answer:
    lms, user = the_lms(), require_user()
    course = find_course(course_id)
    activities = [a for a in lms.in_course(course) if lms.is_available(user, a)]
    tools = [
        t
        for t in lms.tools.values()
        if t.course_id in (None, course.id) and (not t.placements or "course_navigation" in t.placements)
    ]
    return page(
        "course.html",
        course=course,
        activities=activities,
        manages=lms.may_manage(user, course),
        tools=tools,
        masquerader=require_session().masquerader_id,
    )


# A tool in its frame, the storage frame beside it


def _tool_page(course: Course, tool: ToolType, activity: Activity | None, placement: str | None) -> Response:
    lms, session = the_lms(), require_session()
    with lms.lock:
        message = messages.resource_link_request(lms, session, tool, course, activity, placement)
    return page(
        "tool.html",
        course=course,
        title=activity.name if activity else tool.name,
        action=tool.initiate_login_url,
        fields=login_request(lms, session, tool, course, message),
        in_window=request.args.get("display") == "borderless",
    )


@blueprint.get("/courses/<int:course_id>/assignments/<int:number>")
def assignment(course_id: int, number: int) -> Answer:
    lms, user = the_lms(), require_user()
    course = find_course(course_id)
    activity = find_activity(course, number)
    item = lms.item_of(activity)
    if item is None:
        raise PageError("Page Not Found", 404)
    if activity.module == "lti":
        return _tool_page(course, lms.tools[activity.tool_type_id or 0], activity, None)
    row = lms.gradebook.row(item, user.id)
    return page("assignment.html", course=course, activity=activity, item=item, row=row)


@blueprint.route("/courses/<int:course_id>/assignments/<int:number>/edit", methods=["GET", "POST"])
def edit_assignment(course_id: int, number: int) -> Answer:
    """ "Assign To": everyone, or students by name."""
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    require_manager(course)
    activity = find_activity(course, number)
    learners = [user for user in lms.members(course) if lms.is_gradable(user.id, course)]
    if request.method == "POST":
        require_token(session)
        chosen = {int(value) for value in request.form.getlist("student") if value.isdigit()}
        if request.form.get("assign_to") == "everyone":
            lms.assign_to_everyone(activity)
        else:
            lms.assign_to(activity, *(user for user in learners if user.id in chosen))
        return redirect(f"/courses/{course.id}", 303)
    assigned = (activity.availability or {}).get("assigned_to")
    return page(
        "assign_to.html",
        course=course,
        activity=activity,
        learners=learners,
        assigned=assigned,
        token=session.sesskey,
    )


@blueprint.get("/courses/<int:course_id>/modules/items/<int:number>")
def module_item(course_id: int, number: int) -> Answer:
    course = find_course(course_id)
    activity = find_activity(course, number)
    if activity.module == "lti":
        tool = the_lms().tools[activity.tool_type_id or 0]
        return _tool_page(course, tool, activity, None)
    return page("assignment.html", course=course, activity=activity, item=None, row=None)


@blueprint.get("/courses/<int:course_id>/external_tools/<int:tool_id>")
def course_navigation(course_id: int, tool_id: int) -> Answer:
    """The tool as an entry of the course's own menu: there is no resource link."""
    course = find_course(course_id)
    return _tool_page(course, find_tool(course, tool_id), None, "course_navigation")


# What teachers do


@blueprint.get("/courses/<int:course_id>/assignments/new")
def new_assignment(course_id: int) -> Answer:
    return _selecting(course_id, "assignment_selection", "Create assignment")


@blueprint.get("/courses/<int:course_id>/modules")
def modules(course_id: int) -> Answer:
    return _selecting(course_id, "link_selection", "Add item to module")


@blueprint.get("/courses/<int:course_id>/assignments/<int:number>/external_tool")
def change_tool(course_id: int, number: int) -> Answer:
    """The part of an assignment's form where another tool, or other content of it, is found."""
    activity = find_activity(find_course(course_id), number)
    return _selecting(course_id, "assignment_selection", f"Edit {activity.name}", activity)


def _selecting(course_id: int, placement: str, heading: str, edited: Activity | None = None) -> Answer:
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    require_manager(course)
    tools = [t for t in lms.tools.values() if t.course_id in (None, course.id)]
    return page(
        "select.html",
        course=course,
        placement=placement,
        heading=heading,
        tools=tools,
        edited=edited,
        token=session.sesskey,
    )


@blueprint.route("/courses/<int:course_id>/gradebook", methods=["GET", "POST"])
def gradebook(course_id: int) -> Answer:
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    if not lms.may_grade(require_user(), course):
        raise PageError("Unauthorized: you don't have access to view this resource.", 401)
    items = lms.gradebook.of_course(course.id)
    learners = [user for user in lms.members(course) if lms.is_gradable(user.id, course)]
    if request.method == "POST":
        require_token(session)
        with lms.lock:
            for item in items:
                for learner in learners:
                    text = request.form.get(f"grade_{learner.id}_{item.id}")
                    row = lms.gradebook.row(item, learner.id)
                    shown = "" if row is None or row.final is None else f"{row.final:g}"
                    if text is not None and text.strip() != shown:
                        value = float(text.replace(",", ".")) if text.strip() else None
                        lms.gradebook.set_final(item, learner.id, value)
        return redirect(f"/courses/{course.id}/gradebook", 303)
    return page("gradebook.html", course=course, items=items, learners=learners, token=session.sesskey)


@blueprint.post("/courses/<int:course_id>/student_view")
def student_view(course_id: int) -> Answer:
    """ "View as student": the teacher's browser becomes the course's Test Student."""
    lms, session = the_lms(), require_session()
    course = find_course(course_id)
    require_manager(course)
    require_token(session)
    with lms.lock:
        session.user_id = lms.test_student(course).id
    return redirect(f"/courses/{course.id}", 303)


@blueprint.post("/users/<int:user_id>/masquerade")
def masquerade(user_id: int) -> Answer:
    """ "Act as user": for administrators."""
    lms, session = the_lms(), require_session()
    require_token(session)
    if not lms.users[session.user_id].is_admin or user_id not in lms.users:
        raise PageError("Unauthorized: you don't have access to view this resource.", 401)
    with lms.lock:
        session.masquerader_id, session.user_id = session.user_id, user_id
    return redirect("/courses", 303)
