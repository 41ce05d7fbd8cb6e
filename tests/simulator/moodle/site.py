"""The pages people see: log in by a click, courses, activities with the tool in its frame, gradebook, tool
settings.

Addresses and words are Moodle's own (MOODLE_STEPS.md), so that links from a tool into the gradebook land here
as they land there.
"""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator import formulas
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Course, Role, User
from tests.simulator.moodle.web import find_activity, find_course, number, require_sesskey, the_lms
from tests.simulator.web import PageError, page, require_session, require_user

blueprint = Blueprint("site", __name__)

Answer = Response | WerkzeugResponse
REGRADE_ROWS = 100


@dataclass(frozen=True)
class Question:
    text: str
    answer: bool


QUESTIONS = (
    Question("Open data may be used, reused and shared by anybody.", True),
    Question("A data set without a licence may be reused freely.", False),
    Question("CSV is a machine-readable format.", True),
    Question("Metadata describes who made a data set, when and how.", True),
    Question("Personal data must always be published openly.", False),
)


@blueprint.get("/theme/styles.css")
def styles() -> Response:
    response = make_response((Path(__file__).parents[1] / "templates" / "styles.css").read_text("utf-8"))
    response.headers["Content-Type"] = "text/css; charset=utf-8"
    return response


# Who is there


@blueprint.get("/")
def front() -> Answer:
    return redirect("/my/courses.php", 303)


@blueprint.route("/login/index.php", methods=["GET", "POST"])
def login() -> Answer:
    lms = the_lms()
    if request.method == "GET":
        people: dict[str, list[User]] = {"Teachers": [], "Learners": [], "Administrators": [lms.admin]}
        for user in lms.users.values():
            roles = {e.role for c in lms.courses.values() for i, e in c.enrolments.items() if i == user.id}
            if roles & {Role.EDITING_TEACHER, Role.TEACHER}:
                people["Teachers"].append(user)
            elif roles:
                people["Learners"].append(user)
        return page("login.html", people=people, wanted=request.args.get("wantsurl", ""))
    chosen = lms.users.get(number("user"))
    if chosen is None:
        raise PageError("Invalid login, please try again")
    wanted = request.form.get("wantsurl", "")
    # Only paths of this site: what starts with two slashes is another host.
    target = wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/my/courses.php"
    response = redirect(target, 303)
    secure = lms.base_url.startswith("https://")
    response.set_cookie(lms.session_cookie, lms.sign_in(chosen), httponly=True, secure=secure, samesite="Lax")
    return response


@blueprint.get("/my/courses.php")
def my_courses() -> Answer:
    lms, user = the_lms(), require_user()
    courses = [c for c in lms.courses.values() if c is not lms.site_course and lms.may_view(user, c)]
    return page("courses.html", courses=courses)


def _needs_progress_bar(course: Course) -> bool:
    """Whether Moodle now puts its "Recalculating grades" page in between (once, with over 100 grade rows)."""
    lms = the_lms()
    with lms.lock:
        due = course.is_regrade_shown
        course.is_regrade_shown = False
        return due and lms.gradebook.count_rows(course.id) > REGRADE_ROWS


def _recalculating(course: Course) -> Response:
    return page("recalculating.html", course=course, target=request.full_path.rstrip("?"))


@blueprint.get("/course/view.php")
def course_page() -> Answer:
    lms, user = the_lms(), require_user()
    course = find_course(number("id"))
    teaches = lms.may_grade(user, course)
    if teaches and _needs_progress_bar(course):
        return _recalculating(course)
    activities = [a for a in lms.in_course(course) if a.is_visible or teaches]
    return page(
        "course.html",
        course=course,
        activities=activities,
        teaches=teaches,
        manages=lms.may_manage(user, course),
        states={a.id: lms.completion_state(user, a) for a in activities},
        available={a.id: lms.is_available(user, a) for a in activities},
    )


# Activities


@blueprint.get("/mod/lti/grade.php")
def grade_hook() -> Answer:
    """ "Grade analysis" of a cell of the gradebook: on to the tool, which is told whose work is meant."""
    activity = find_activity(number("id"), "lti")
    return redirect(f"/mod/lti/view.php?id={activity.id}&action=gradeReport&user={number('userid')}", 303)


@blueprint.get("/mod/lti/view.php")
def lti_view() -> Answer:
    lms = the_lms()
    activity = find_activity(number("id"), "lti")
    review = ""
    if request.args.get("action") == "gradeReport":
        review = f"&action=gradeReport&user={number('user')}"
    return page(
        "lti_view.html",
        course=lms.courses[activity.course_id],
        activity=activity,
        tool=lms.tools[activity.tool_type_id or 0],
        review=review,
    )


@blueprint.get("/mod/lti/return.php")
def lti_return() -> Answer:
    """As ``mod/lti/return.php``: back to the course, or, with a message, a page of that alone."""
    course = find_course(number("course"))
    require_sesskey(require_session())
    message = request.args.get("lti_errormsg") or request.args.get("lti_msg") or ""
    if not message:
        return redirect(f"/course/view.php?id={course.id}", 303)
    return page("lti_return.html", course=course, message=message)


@blueprint.route("/mod/quiz/view.php", methods=["GET", "POST"])
def quiz() -> Answer:
    lms, user = the_lms(), require_user()
    activity = find_activity(number("id"), "quiz")
    course, item = lms.courses[activity.course_id], lms.item_of(activity)
    if item is None:
        raise PageError("This quiz is not graded.")
    if request.method == "POST":
        require_sesskey(require_session())
        if not lms.is_gradable(user.id, course):
            raise PageError("Sorry, but you do not currently have permissions to do that (Attempt quizzes).")
        given = [request.form.get(f"q{n}") for n in range(len(QUESTIONS))]
        right = sum(answer == str(q.answer).lower() for answer, q in zip(given, QUESTIONS, strict=True))
        lms.take_quiz(user, activity, item.maximum * right / len(QUESTIONS))
        return redirect(f"/mod/quiz/view.php?id={activity.id}", 303)
    row = lms.gradebook.row(item, user.id)
    return page(
        "quiz.html",
        course=course,
        activity=activity,
        item=item,
        row=row,
        questions=QUESTIONS,
        is_learner=lms.is_gradable(user.id, course),
    )


@blueprint.get("/mod/assign/view.php")
def assignment() -> Answer:
    lms, user = the_lms(), require_user()
    activity = find_activity(number("id"), "assign")
    item = lms.item_of(activity)
    row = lms.gradebook.row(item, user.id) if item else None
    return page("assign.html", course=lms.courses[activity.course_id], activity=activity, item=item, row=row)


@blueprint.route("/mod/forum/view.php", methods=["GET", "POST"])
def forum() -> Answer:
    lms, user = the_lms(), require_user()
    activity = find_activity(number("id"), "forum")
    if request.method == "POST":
        require_sesskey(require_session())
        lms.complete(user, activity)
        return redirect(f"/mod/forum/view.php?id={activity.id}", 303)
    posted = user.id in activity.completed_by
    return page("forum.html", course=lms.courses[activity.course_id], activity=activity, posted=posted)


@blueprint.get("/mod/page/view.php")
def text_page() -> Answer:
    lms, user = the_lms(), require_user()
    activity = find_activity(number("id"), "page")
    lms.complete(user, activity)
    return page("page.html", course=lms.courses[activity.course_id], activity=activity)


# Gradebook


def _gradebook_course(course_id: int, *, setup: bool) -> Course:
    lms, user = the_lms(), require_user()
    course = find_course(course_id)
    if not (lms.may_manage(user, course) if setup else lms.may_grade(user, course)):
        raise PageError("Sorry, but you do not currently have permissions to do that (View grades).")
    return course


def _learners(course: Course) -> list[User]:
    lms = the_lms()
    return [user for user in lms.members(course) if lms.is_gradable(user.id, course)]


@blueprint.route("/grade/report/grader/index.php", methods=["GET", "POST"])
def grader_report() -> Answer:
    lms = the_lms()
    course = _gradebook_course(number("id"), setup=False)
    items = lms.gradebook.of_course(course.id)
    if request.method == "POST":
        require_sesskey(require_session())
        with lms.lock:
            for item in items:
                for learner in _learners(course):
                    _save_cell(item, learner)
        return redirect(f"/grade/report/grader/index.php?id={course.id}", 303)
    if _needs_progress_bar(course):
        return _recalculating(course)
    total = lms.gradebook.total_item(course.id)
    totals = {row.user_id: row for row in lms.gradebook.rows(total)} if total else {}
    return page("grader.html", course=course, items=items, learners=_learners(course), totals=totals)


def _save_cell(item: GradeItem, learner: User) -> None:
    """Store one cell if it was changed: only then is a grade overridden."""
    lms = the_lms()
    text = request.form.get(f"grade_{learner.id}_{item.id}")
    if text is None:
        return
    row = lms.gradebook.row(item, learner.id)
    shown = "" if row is None or row.final is None else f"{row.final:.2f}"
    if text.strip() == shown:
        return
    try:
        value = float(text.replace(",", ".")) if text.strip() else None
    except ValueError as error:
        raise PageError(f"{text!r} is not a grade.") from error
    lms.gradebook.set_final(item, learner.id, value)


@blueprint.get("/grade/report/user/index.php")
def user_report() -> Answer:
    lms, user = the_lms(), require_user()
    course = find_course(number("id"))
    items = [item for item in lms.gradebook.of_course(course.id) if not item.is_hidden]
    rows = {item.id: lms.gradebook.row(item, user.id) for item in items}
    total = lms.gradebook.total_item(course.id)
    total_row = lms.gradebook.row(total, user.id) if total else None
    return page("user_report.html", course=course, items=items, rows=rows, total=total_row)


@blueprint.get("/grade/edit/tree/index.php")
def gradebook_setup() -> Answer:
    course = _gradebook_course(number("id"), setup=True)
    if _needs_progress_bar(course):
        return _recalculating(course)
    return page("setup.html", course=course, items=the_lms().gradebook.of_course(course.id))


def _after_saving(course: Course) -> Answer:
    """Back to the report named by the gpr_ parameters; ``returnurl`` is ignored, no way leads to the
    course or a tool.
    """
    course.is_regrade_shown = True
    kind, plugin = request.args.get("gpr_type", ""), request.args.get("gpr_plugin", "")
    known = {
        ("edit", "tree"): "/grade/edit/tree/index.php",
        ("report", "user"): "/grade/report/user/index.php",
    }
    return redirect(f"{known.get((kind, plugin), '/grade/report/grader/index.php')}?id={course.id}", 303)


def _item_of_course(course: Course) -> GradeItem:
    item = the_lms().gradebook.items.get(number("id"))
    if item is None or item.course_id != course.id:
        raise PageError("Invalid grade item id")
    return item


@blueprint.route("/grade/edit/tree/calculation.php", methods=["GET", "POST"])
def calculation() -> Answer:
    """Two forms, as in Moodle: sending the ID numbers throws away a formula that was typed and not saved."""
    lms = the_lms()
    course = _gradebook_course(number("courseid"), setup=True)
    item = _item_of_course(course)
    if item.kind != "manual":
        raise PageError("Calculations are not allowed for this item")
    error, typed = "", item.formula or ""
    if request.method == "POST":
        require_sesskey(require_session())
        if "cancel" in request.form:
            return _after_saving(course)
        with lms.lock:
            if request.form.get("section") == "idnumbers":
                for other in lms.gradebook.of_course(course.id):
                    given = request.form.get(f"idnumber_{other.id}", "").strip()
                    taken = lms.gradebook.by_id_number(course.id, given)
                    if taken is not None and taken is not other:
                        error = "This ID number is already taken"
                    elif given and not other.id_number:
                        other.id_number = given
            else:
                typed = request.form.get("calculation", "")
                try:
                    lms.gradebook.set_formula(item, typed)
                    return _after_saving(course)
                except formulas.InvalidFormulaError as invalid:
                    error = str(invalid)
    others = [other for other in lms.gradebook.of_course(course.id) if other is not item]
    return page("calculation.html", course=course, item=item, others=others, typed=typed, error=error)


@blueprint.route("/grade/edit/tree/item.php", methods=["GET", "POST"])
def grade_item() -> Answer:
    lms = the_lms()
    course = _gradebook_course(number("courseid"), setup=True)
    item = _item_of_course(course)
    if request.method == "GET":
        return page("item.html", course=course, item=item)
    require_sesskey(require_session())
    form = request.form
    with lms.lock:
        item.is_hidden = "hidden" in form
        item.weight = float(form.get("aggregationcoef2") or 0) if "weightoverride" in form else None
        if form.get("itemname", "").strip() and item.kind == "manual":
            item.label = form["itemname"].strip()
        maximum = float(form.get("grademax") or item.maximum)
        if maximum != item.maximum and form.get("rescalegrades") == "yes":
            lms.gradebook.rescale(item, maximum)
        elif maximum != item.maximum:
            item.maximum = maximum
            lms.gradebook.recalculate(course.id)
    return _after_saving(course)
