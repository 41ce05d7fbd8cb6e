"""Sample views of badges that end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.domain.renewal import Ending, RenewalTerms, ending_of, renewal_progress
from lti_tool.services.ending_soon import EndingBadge, EndingPage
from tests.unit.web.sample_views import LONG_WORD, NOW, QUIZ, earned, score, wallet

TERMS = RenewalTerms(months=12, opens_days=30, closes_days=60)
OPEN_END = RenewalTerms(months=12, opens_days=90, closes_days=None)


def ending(days: float, terms: RenewalTerms | None = TERMS) -> Ending:
    """Of a badge that ends in so many days."""
    found = ending_of(NOW + timedelta(days=days), terms, NOW)
    assert found is not None
    return found


ENDINGS = {
    "not-renewed": ending(45, None),
    "not-open-yet": ending(45),
    "open": ending(12),
    "soon": ending(3),
    "today": ending(0.2, OPEN_END),
    "over": ending(-20),
    "over-open-for-good": ending(-400, OPEN_END),
    "over-missed": ending(-80),
    "over-not-renewed": ending(-5, None),
}


def row(number: int, one: Ending, **changes: Any) -> EndingBadge:
    """A line of the list."""
    plain = EndingBadge(
        f"credential-{number}",
        f"learner-{number}",
        ("Ada Lovelace", "Alan Turing", "Emmy Noether")[number % 3],
        "Research Data",
        "Research Data Management",
        one,
    )
    return replace(plain, **changes)


def page(*rows: EndingBadge, **changes: Any) -> EndingPage:
    """One page of the list."""
    return replace(EndingPage(rows, number=1, pages=1, total=len(rows), days=60), **changes)


LISTS = {
    "usual": page(*(row(number, one) for number, one in enumerate(ENDINGS.values(), 1))),
    "many": page(row(1, ENDINGS["soon"], learner_name=None), number=2, pages=3, total=112),
    "left": page(row(1, ENDINGS["open"], has_left=True)),
    "empty": page(),
    "long-words": page(row(1, ENDINGS["open"], learner_name=LONG_WORD, name=LONG_WORD)),
}


def sample_ending_soon(lists: Any = LISTS) -> SimpleNamespace:
    """The service, as long as a test puts nothing else in."""
    return SimpleNamespace(
        of_course=lambda *_, **__: lists["usual"], of_organisation=lambda *_, **__: lists["usual"]
    )


def ends(number: int, state: str, **changes: Any) -> Any:
    """A badge of the wallet with such an end."""
    one = ENDINGS[state]
    over = BadgeState.EXPIRED if state.startswith("over") else BadgeState.ACTIVE
    return earned(
        number,
        award_id=f"award-{state}",
        credential_id=f"credential-{state}",
        state=over,
        valid_until=one.ends_at,
        ending=one,
        **changes,
    )


def missing(state: str, value: str | None) -> Any:
    """What is missing to renew it."""
    window = ENDINGS[state].window
    assert window is not None
    return renewal_progress(evaluate(QUIZ, Evidence({"quiz-1": score(value)})), window)


WALLETS = {
    "ending": wallet(
        in_progress=(),
        earned=(
            ends(1, "soon", renewal=missing("soon", "40")),
            ends(2, "not-open-yet"),
            ends(3, "not-renewed"),
        ),
    ),
    "ended": wallet(
        in_progress=(),
        earned=(
            ends(1, "over", renewal=missing("over", "90")),
            ends(2, "over-missed"),
            ends(3, "over-not-renewed"),
        ),
    ),
    "ending-today": wallet(
        in_progress=(), earned=(ends(1, "today"), ends(2, "open"), ends(3, "over-open-for-good"))
    ),
}
