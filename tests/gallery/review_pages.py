"""The pages of what happens after an award, each in its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from tests.unit.web.review_views import LISTS, PLANS, QUESTIONS, VIEWS
from tests.unit.web.sample_views import GRADER, TEACHER, session
from tests.unit.web.samples import SECRET, Sample

REVIEWS = "/l/session-1/course/reviews"
REVIEW = f"{REVIEWS}/review-1"
DECIDE = "/l/session-1/course/review-decisions"
QUESTION = "/l/session-1/wallet/questions/review-2"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One of these pages in one state."""

    name: str
    path: str
    method: str
    """Of the service that gives the page its view."""
    view: Any
    session: SessionView
    fields: Mapping[str, str] | None = None
    refusal: Exception | None = None
    status: int = 200

    def set_up(self, tool: Sample) -> None:
        """Put the state into sample services."""
        setattr(tool.reviews, self.method, lambda *_, **__: self.view)
        if self.refusal is None:
            return
        refusal = self.refusal

        def refused(*_: object, **__: object) -> None:
            raise refusal

        refusing = ("keep", "revoke", "ask", "answer", "decide_many", "plan")
        for name in set(refusing) - {self.method}:
            setattr(tool.reviews, name, refused)


def review_pages() -> Iterator[ReviewPage]:
    """The list, one review, what would happen to several, and the learner's question."""
    for state, listed in LISTS.items():
        who = GRADER if state == "grader" else TEACHER
        yield ReviewPage(f"reviews/{state}", REVIEWS, "listed", listed, who)
    yield ReviewPage("reviews/chosen", f"{REVIEWS}?chosen=page", "listed", LISTS["usual"], TEACHER)
    done = f"{REVIEWS}?done=revoked&count=12&left=2"
    yield ReviewPage("reviews/done", done, "listed", LISTS["usual"], TEACHER)
    yield ReviewPage(
        "reviews/none-chosen",
        REVIEWS,
        "listed",
        LISTS["usual"],
        TEACHER,
        {**CSRF, "action": "keep"},
        _refusal("review_id"),
        422,
    )
    for state, view in VIEWS.items():
        who = GRADER if state == "grader" else TEACHER
        yield ReviewPage(f"review/{state}", REVIEW, "view", view, who)
    yield ReviewPage("review/done", f"{REVIEW}?done=asked", "view", VIEWS["asked"], TEACHER)
    yield ReviewPage(
        "review/problems",
        REVIEW,
        "view",
        VIEWS["usual"],
        TEACHER,
        {**CSRF, "action": "keep", "reason": ""},
        _refusal("reason"),
        422,
    )
    for state, plan in PLANS.items():
        for action in ("keep", "revoke"):
            fields = {**CSRF, "action": action, "review_id": "review-1"}
            yield ReviewPage(f"reviews-plan/{action}-{state}", REVIEWS, "plan", plan, TEACHER, fields)
    yield ReviewPage(
        "reviews-plan/problems",
        DECIDE,
        "plan",
        PLANS["usual"],
        TEACHER,
        {**CSRF, "action": "revoke", "review": f"review-1.{'d' * 64}", "reason": ""},
        _refusal("reason"),
        422,
    )
    for state, question in QUESTIONS.items():
        who = session(is_read_only=True) if state == "read-only" else session()
        yield ReviewPage(f"question/{state}", QUESTION, "question", question, who)
    yield ReviewPage(
        "question/problems",
        QUESTION,
        "question",
        QUESTIONS["usual"],
        session(),
        {**CSRF, "answer": ""},
        _refusal("answer"),
        422,
    )
    yield ReviewPage(
        "question/done", f"{QUESTION}?done=answered", "question", QUESTIONS["answered"], session()
    )


def _refusal(field: str) -> RequestInvalid:
    return RequestInvalid(ErrorCode.FORM_INVALID, problems=(Problem(field, FormProblem.REQUIRED),))
