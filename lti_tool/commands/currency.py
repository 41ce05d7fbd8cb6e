"""``achievements stale``, ``assign`` and ``reviewed``: keeping badges up to date."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain
from typing import Any

from lti_tool.commands import Answer, Call, table
from lti_tool.domain.currency import ReviewState, day_of
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.currency import CareForm, Chosen
from lti_tool.services.form_problems import Problem
from lti_tool.services.staffing import Operator
from lti_tool.store.currency import NOBODY, CareFilter, CareRow
from lti_tool.web.currency_files import as_record, lines

SHOWN = ("id", "name", "review_on", "days_overdue", "answers", "reviewed_at")


def stale(call: Call) -> Answer:
    """List the micromodules and milestones whose review is overdue, the longest overdue first."""
    given, by = call.arguments, _by(call)
    today = day_of(call.tool.clock())
    found = _found(call, by, today)
    if given.format == "csv":
        if given.json:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "--json and --format csv exclude each other")
        return Answer(None, ["".join(lines(found, today)).rstrip("\r\n")])
    rows = [as_record(row, today) for row in found]
    return Answer(rows, table(rows, SHOWN))


def _found(call: Call, by: Operator, today: date) -> list[CareRow]:
    """Each state is read by itself, so that what nobody asked for is not read."""
    given, currency = call.arguments, call.tool.currency
    if given.all:
        return list(currency.rows(by, CareFilter()))
    states = [ReviewState.STALE]
    if given.within is not None:
        states += [ReviewState.SOON, ReviewState.LATER]
    until = today + timedelta(days=given.within or 0)
    rows = chain.from_iterable(currency.rows(by, CareFilter(state=state)) for state in states)
    return [row for row in rows if row.review_on is not None and row.review_on <= until]


def assign(call: Call) -> Answer:
    """Say who answers for some of them, and when they are looked at; what is not named stays as it is."""
    given, by = call.arguments, _by(call)
    form = CareForm.from_fields(
        {
            "answerable_id": NOBODY if given.answers == "none" else given.answers or "",
            "contact": given.contact or "",
            "review_every_months": given.every or "",
            "review_on": given.on or "",
        }
    )
    rows = call.tool.currency.find(by, given.id)
    changed = _plainly(
        lambda: call.tool.currency.change_many(by, [Chosen(row.kind, row.id) for row in rows], form)
    )
    return _told(call, by, given.id, f"{changed} changed")


def reviewed(call: Call) -> Answer:
    """Note that one was looked at today and is still right."""
    given, by = call.arguments, _by(call)
    (row,) = call.tool.currency.find(by, [given.id])
    _plainly(
        lambda: call.tool.currency.review(
            by, row.kind, row.id, note=given.note or "", next_on=given.next or "", revision=None
        )
    )
    return _told(call, by, [row.id], "noted")


def _by(call: Call) -> Operator:
    return call.tool.staffing.operator(call.arguments.organisation)


def _told(call: Call, by: Operator, ids: list[str], said: str) -> Answer:
    today = day_of(call.tool.clock())
    rows = [as_record(row, today) for row in call.tool.currency.find(by, ids)]
    return Answer(rows, [said, *table(rows, SHOWN)])


_OPTIONS = {
    "answerable_id": "--answers",
    "contact": "--contact",
    "review_every_months": "--every",
    "review_on": "--on",
    "next_on": "--next",
    "note": "--note",
    "chosen": "ID",
}


def _plainly(change: Any) -> Any:
    """Do it; what was wrong with a field is said of the option that it came from."""
    try:
        return change()
    except RequestInvalid as error:
        problems: tuple[Problem, ...] = error.params.get("problems", ())  # type: ignore[assignment]
        said = tuple(f"{_OPTIONS[one.field]}: {one.code.value}{_limits(one)}" for one in problems)
        raise RequestInvalid(error.code, ", ".join(said), problems=said) from error


def _limits(problem: Problem) -> str:
    if not problem.params:
        return ""
    return f" ({', '.join(f'{name} {value}' for name, value in problem.params.items())})"
