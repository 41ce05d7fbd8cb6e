"""Sample views of what happens after an award: reviews, plans, questions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lti_tool.domain.criteria import AllOf, Finding
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Detail, Evidence, Fact, Score
from lti_tool.services.overview import Page
from lti_tool.services.reviews import Facts, Plan, Question, ReviewList, ReviewView
from lti_tool.store.reviews import ReviewFilter, ReviewRow
from tests.unit.web.sample_views import LONG_WORD, NOW, QUIZ, TALK, score

DAY = timedelta(days=1)
TREE = AllOf((QUIZ, TALK))


def review(number: int = 1, **changes: Any) -> ReviewRow:
    """A review that nobody decided."""
    plain = ReviewRow(
        id=f"review-{number}",
        organisation_id="organisation-1",
        context_id="context-1",
        placement_id="placement-1",
        micromodule="Research Data",
        learner_id=f"learner-{number}",
        learner_name="Ada Lovelace",
        is_active=True,
        award_id=f"award-{number}",
        credential_id=f"credential-{number}",
        awarded_at=NOW - 40 * DAY,
        cause="facts",
        digest="d" * 64,
        status="open",
        opened_at=NOW - DAY,
        decision_then_id="decision-1",
        decision_now_id="decision-2",
        asked_at=None,
        question=None,
        answered_at=None,
        answer=None,
        decided_by=None,
        decided_at=None,
        reason=None,
        takes_effect_at=None,
        carried_out_at=None,
    )
    return replace(plain, **changes)


ASKED = review(
    2,
    learner_name="Alan Turing",
    status="asked",
    asked_at=NOW - DAY,
    question="Your second attempt has 20 points only.\nWhat happened there?",
)
ANSWERED = replace(ASKED, answered_at=NOW, answer="The connection broke <b>twice</b>, and I could not go on.")
LEFT = review(3, learner_name=LONG_WORD, cause="left", is_active=False)
PENDING = review(
    4,
    learner_name=None,
    cause="reset",
    status="revoked",
    decided_by="learner:1",
    decided_at=NOW,
    reason="Somebody else sat the quiz.",
    takes_effect_at=NOW + DAY,
)
CARRIED_OUT = replace(PENDING, id="review-5", carried_out_at=NOW + DAY)
KEPT = review(6, cause="gate", status="kept", decided_at=NOW, reason="Seen in class.", decided_by="learner:1")
SETTLED = review(7, status="settled", decided_at=NOW)
ENDED = replace(SETTLED, id="review-9", ended_at=NOW - DAY)
SPARED = replace(PENDING, id="review-8", cause="facts", status="settled", spared_at=NOW + DAY)
ONCE_MORE = review(10, spared_at=NOW)


def findings(value: str | None, *, holds: bool = True) -> Finding:
    """How the criteria of the samples stand."""
    scores: dict[str, Score] = {QUIZ.key: score(value)}
    facts = {TALK.key: Fact(holds, NOW - 45 * DAY, NOW, Detail.TOOL.value)}
    return evaluate(TREE, Evidence(scores, facts))


def view(row: ReviewRow, **changes: Any) -> ReviewView:
    """The page of one review, as an editing teacher sees it."""
    plain = ReviewView(
        row,
        Facts(findings("85"), NOW - 40 * DAY),
        Facts(findings("20"), NOW - DAY),
        24,
        can_decide=True,
        can_undo=row.is_pending,
        decided_by_name="Grace Hopper" if row.decided_by else None,
    )
    return replace(plain, **changes)


def listed(*rows: ReviewRow, **changes: Any) -> ReviewList:
    """One page of a course's reviews."""
    undecided = sum(row.is_undecided for row in rows)
    return replace(
        ReviewList(Page(rows, 1, 1, len(rows)), ReviewFilter(), undecided, can_decide=True), **changes
    )


LISTS = {
    "usual": listed(review(), ASKED, LEFT),
    "many": replace(listed(review(), ANSWERED, LEFT), page=Page((review(), ANSWERED, LEFT), 2, 3, 103)),
    "decided": replace(listed(PENDING, CARRIED_OUT), wanted=ReviewFilter(status="revoked")),
    "spared": replace(listed(SETTLED, SPARED, ENDED), wanted=ReviewFilter(status="settled"), spared=1),
    "grader": listed(review(), LEFT, can_decide=False),
    "nothing": listed(),
    "nothing-like-that": listed(wanted=ReviewFilter(query="zz", cause="gate")),
}
VIEWS = {
    "usual": view(review()),
    "left": view(LEFT),
    "asked": view(ASKED),
    "answered": view(ANSWERED),
    "pending": view(PENDING),
    "good-again": view(PENDING, now=Facts(findings("90"), NOW), is_good_again=True),
    "cannot-be-told": view(PENDING, now=Facts(findings(None), NOW), cannot_be_told=True),
    "once-more": view(ONCE_MORE, now=Facts(findings(None), NOW)),
    "spared": view(SPARED, now=Facts(findings("90"), NOW)),
    "ended": view(ENDED),
    "carried-out": view(CARRIED_OUT),
    "kept": view(KEPT),
    "settled": view(SETTLED),
    "grader": view(review(), can_decide=False),
    "at-once": view(review(cause="gate"), undo_hours=0),
    "unreadable": view(review(), then=None, now=None),
    "deleted": view(review(), now=Facts(findings(None, holds=False), NOW)),
}
PLANS = {
    "usual": Plan((review(), ASKED, LEFT), (), NOW + DAY),
    "some-decided": Plan((review(),), (KEPT, SETTLED), NOW + DAY),
    "all-decided": Plan((), (KEPT,), NOW + DAY),
}
QUESTIONS = {
    "usual": Question(ASKED, can_answer=True),
    "answered": Question(ANSWERED, can_answer=False),
    "decided": Question(replace(ANSWERED, status="kept"), can_answer=False),
    "read-only": Question(ASKED, can_answer=False),
}


def sample_reviews(called: Any) -> SimpleNamespace:
    """The service with its usual answers.

    :param called: makes a method that notes its call and answers what is given.
    """
    return SimpleNamespace(
        listed=lambda *_, **__: LISTS["usual"],
        view=lambda *_: VIEWS["usual"],
        plan=lambda *_: PLANS["usual"],
        question=lambda *_: QUESTIONS["usual"],
        keep=called("keep"),
        revoke=called("revoke"),
        take_back=called("take_back"),
        ask=called("ask"),
        answer=called("answer"),
        decide_many=called("decide_many", ("review-1", "review-2")),
    )
