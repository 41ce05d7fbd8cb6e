"""After the award: badges whose facts changed, for those who teach; and what a learner is asked about one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.form_problems import Problem
from lti_tool.services.reviews import ANSWER_LENGTH, MOST_AT_ONCE, QUESTION_LENGTH
from lti_tool.services.revoking import REASON_LENGTH
from lti_tool.store.reviews import CAUSES, STATUSES, ReviewFilter
from lti_tool.web.people import Sent
from lti_tool.web.session import SessionBlueprint, current_session, current_tool
from lti_tool.web.wording import problem_sentence

blueprint = SessionBlueprint("reviews", __name__)

PER_PAGE = 50
QUERY_LENGTH = 200
NOTHING = Sent()


@blueprint.page("/course/reviews", methods=["GET"])
def show() -> str:
    """What nobody has decided, the longest waiting first; ``?chosen=page`` ticks all on this page."""
    return _list_page(NOTHING)


def _list_page(form: Sent) -> str:
    view = current_tool().reviews.listed(
        current_session(), _wanted(), page=_number_of_page(), per_page=_per_page()
    )
    return render_template(
        "pages/reviews/list.html",
        view=view,
        form=form,
        chooses_all=request.args.get("chosen") == "page",
        statuses=STATUSES,
        causes=CAUSES,
        per=_per_page(),
        PER_PAGE=PER_PAGE,
        MOST_AT_ONCE=MOST_AT_ONCE,
    )


def _wanted() -> ReviewFilter:
    status, cause = request.args.get("state", ""), request.args.get("cause", "")
    return ReviewFilter(
        query=request.args.get("q", "").strip()[:QUERY_LENGTH],
        status=status if status in STATUSES else None,
        cause=cause if cause in CAUSES else None,
    )


@blueprint.page("/course/reviews", methods=["POST"], endpoint="plan")
def show_plan() -> AnyResponse:
    """What would happen to the ticked ones; nothing does before the next page is sent."""
    is_kept = request.form.get("action") != "revoke"
    try:
        view = current_tool().reviews.plan(current_session(), request.form.getlist("review_id"))
    except RequestInvalid as error:
        return make_response(_list_page(_as_sent(error)), 422)
    return make_response(_plan_page(view, NOTHING, is_kept=is_kept))


def _plan_page(view: object, form: Sent, *, is_kept: bool) -> str:
    return render_template(
        "pages/reviews/plan.html", view=view, form=form, is_kept=is_kept, most=REASON_LENGTH
    )


@blueprint.page("/course/review-decisions", methods=["POST"])
def decide_many() -> AnyResponse:
    """Decide all that the page before showed, with one reason."""
    service, session = current_tool().reviews, current_session()
    is_kept = request.form.get("action") != "revoke"
    seen = {}
    for given in request.form.getlist("review"):
        review_id, _, digest = given.partition(".")
        seen[review_id] = digest
    try:
        decided = service.decide_many(session, seen, request.form.get("reason", ""), is_kept=is_kept)
    except RequestInvalid as error:
        if not seen:
            return make_response(_list_page(_as_sent(error)), 422)
        view = service.plan(session, seen.keys())
        return make_response(_plan_page(view, _as_sent(error), is_kept=is_kept), 422)
    done = "kept" if is_kept else "revoked"
    left = len(seen) - len(decided)
    return redirect(url_for("reviews.show", done=done, count=len(decided), left=left or None), 303)


@blueprint.page("/course/reviews/<review_id>", methods=["GET"])
def review(review_id: str) -> str:
    """One badge: the facts at the award beside those of now, and the forms that decide."""
    return _review_page(review_id, NOTHING)


def _review_page(review_id: str, form: Sent) -> str:
    view = current_tool().reviews.view(current_session(), review_id)
    limits = {"reason": REASON_LENGTH, "question": QUESTION_LENGTH}
    return render_template("pages/reviews/show.html", view=view, form=form, limits=limits)


@blueprint.page("/course/reviews/<review_id>", methods=["POST"])
def act(review_id: str) -> AnyResponse:
    """Keep the badge, have it revoked, undo that, or ask the learner."""
    service, session = current_tool().reviews, current_session()
    action, seen = request.form.get("action", ""), request.form.get("seen", "")
    reason, question = request.form.get("reason", ""), request.form.get("question", "")
    try:
        if action == "keep":
            service.keep(session, review_id, reason, seen)
        elif action == "revoke":
            service.revoke(session, review_id, reason, seen)
        elif action == "ask":
            service.ask(session, review_id, question)
        elif action == "undo":
            service.take_back(session, review_id)
        else:
            raise RequestInvalid(ErrorCode.FORM_INVALID, "no such action")
    except RequestInvalid as error:
        return make_response(_review_page(review_id, _as_sent(error)), 422)
    done = {"keep": "kept", "revoke": "revoked", "ask": "asked", "undo": "undone"}[action]
    if action in ("keep", "revoke"):
        return redirect(url_for("reviews.show", done=done, last=review_id), 303)
    return redirect(url_for("reviews.review", review_id=review_id, done=done), 303)


# -- the learner


@blueprint.page("/wallet/questions/<review_id>", methods=["GET"])
def question(review_id: str) -> str:
    """What the learner was asked about a badge, and the form to answer."""
    return _question_page(review_id, NOTHING)


def _question_page(review_id: str, form: Sent) -> str:
    view = current_tool().reviews.question(current_session(), review_id)
    return render_template("pages/reviews/question.html", view=view, form=form, most=ANSWER_LENGTH)


@blueprint.page("/wallet/questions/<review_id>", methods=["POST"])
def answer(review_id: str) -> AnyResponse:
    """Answer; once."""
    text = request.form.get("answer", "")
    try:
        current_tool().reviews.answer(current_session(), review_id, text)
    except RequestInvalid as error:
        return make_response(_question_page(review_id, _as_sent(error)), 422)
    return redirect(url_for("reviews.question", review_id=review_id, done="answered"), 303)


def _as_sent(error: RequestInvalid) -> Sent:
    """The form as it came, with a sentence for each field that has a problem."""
    problems = cast("tuple[Problem, ...]", error.params.get("problems", ()))
    sentences: Mapping[str, str] = {
        one.field: problem_sentence(one.code, dict(one.params)) for one in problems
    }
    values = {name: request.form.get(name, "") for name in ("reason", "question", "answer")}
    return Sent(values, frozenset(request.form.getlist("review_id")), sentences)


def _per_page() -> int:
    """As many as are decided at once, for whoever has thousands; else few."""
    return MOST_AT_ONCE if request.args.get("per", type=int) == MOST_AT_ONCE else PER_PAGE


def _number_of_page() -> int:
    return max(1, request.args.get("page", 1, type=int))
