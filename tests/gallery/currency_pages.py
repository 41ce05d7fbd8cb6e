"""The pages of review dates, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from tests.unit.web import currency_views as views
from tests.unit.web import staff_views
from tests.unit.web.samples import SECRET, Sample

LIST = "/staff/currency"
ONE = "/staff/currency/micromodule/micromodule-1"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@dataclass(frozen=True, slots=True)
class CurrencyPage:
    """One of these pages in one state."""

    name: str
    path: str
    set_up: Callable[[Sample], None]
    fields: Mapping[str, str] | None = None
    status: int = 200


def _shows(role: StaffRole = StaffRole.OWNER, stale: int = 2, **parts: Any) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        tool.staffing.view = staff_views.staff(role)
        tool.currency.stale = stale
        for name, part in parts.items():
            setattr(tool.currency, name, part)

    return put


def _raise(error: Exception) -> Callable[..., Any]:
    def answer(*_: Any, **__: Any) -> Any:
        raise error

    return answer


def _refuses(*problems: Problem) -> Callable[..., Any]:
    return _raise(RequestInvalid(ErrorCode.FORM_INVALID, problems=problems))


def currency_pages() -> Iterator[CurrencyPage]:
    """All of them."""
    for state, listed in views.LISTS.items():
        yield CurrencyPage(f"staff/currency-{state}", LIST, _shows(list=listed))
    yield CurrencyPage("staff/currency-reader", LIST, _shows(StaffRole.READER))
    yield CurrencyPage("staff/currency-chosen", f"{LIST}?chosen=page&state=stale&done=saved", _shows())
    wrong = _refuses(
        Problem("chosen", FormProblem.NOTHING_CHOSEN),
        Problem("review_every_months", FormProblem.OUT_OF_RANGE, {"low": 1, "high": 120}),
        Problem("review_on", FormProblem.NOT_IN_FUTURE),
    )
    fields = {**CSRF, "review_every_months": "0", "review_on": "2020-01-01", "contact": "Office"}
    yield CurrencyPage("staff/currency-problems", LIST, _shows(change_many=wrong), fields, 422)
    for state, detail in views.SUBJECTS.items():
        yield CurrencyPage(f"staff/currency-of-{state}", ONE, _shows(detail=detail))
    yield CurrencyPage("staff/currency-of-reader", f"{ONE}?done=reviewed", _shows(StaffRole.READER, stale=0))
    wrong = _refuses(
        Problem("answerable_id", FormProblem.UNKNOWN_CHOICE),
        Problem("review_every_months", FormProblem.NOT_A_NUMBER),
        Problem("review_on", FormProblem.NOT_A_DATE),
    )
    typed = {**CSRF, "revision": "3", "review_every_months": "often", "review_on": "soon"}
    yield CurrencyPage("staff/currency-of-problems", ONE, _shows(change=wrong), typed, 422)
    late = _raise(Conflict(ErrorCode.CONFLICT))
    yield CurrencyPage("staff/currency-of-late", ONE, _shows(change=late), {**typed, "contact": "Me"}, 409)
    note = _refuses(Problem("note", FormProblem.TOO_LONG, {"limit": 500}))
    typed = {**CSRF, "revision": "3", "note": "It is right. " * 40}
    yield CurrencyPage("staff/currency-of-note", f"{ONE}/reviewed", _shows(review=note), typed, 422)
    yield CurrencyPage("staff/currency-of-late-review", f"{ONE}/reviewed", _shows(review=late), typed, 409)
    yield CurrencyPage("staff/home-overdue", "/staff/", _shows())
    yield CurrencyPage(
        "staff/milestone-overdue", "/staff/milestones/milestone-1", _shows(detail=views.SUBJECTS["milestone"])
    )


NO_CURRENCY_PAGES = frozenset({("GET", "staff.currency.download")})
