"""Review dates in words."""

from __future__ import annotations

from datetime import date

from flask import Flask, g, url_for
from flask_babel import format_date, ngettext
from flask_babel import gettext as _

from lti_tool.domain.currency import ReviewState, review_state
from lti_tool.store.currency import CareRow
from lti_tool.web.i18n import number
from lti_tool.web.session import current_tool


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        calendar_day=calendar_day,
        review_pill_word=review_pill_word,
        review_pill_kind=review_pill_kind,
        review_state_word=review_state_word,
        interval_words=interval_words,
        overdue_reviews=overdue_reviews,
        subject_of_care=subject_of_care,
    )


def calendar_day(day: date) -> str:
    """A day, as the reader's language writes it."""
    return str(format_date(day, "long"))  # type: ignore[no-untyped-call]


def review_pill_word(review_on: date | None, today: date) -> str:
    """How a review stands, in a few words."""
    if review_on is None:
        return _("No date")
    days = (review_on - today).days
    if days < 0:
        return ngettext("%(count)s day overdue", "%(count)s days overdue", -days, count=number(-days))
    if days == 0:
        return _("Due today")
    if review_state(review_on, today) is ReviewState.SOON:
        return ngettext("Due in %(count)s day", "Due in %(count)s days", days, count=number(days))
    return _("In order")


def review_pill_kind(review_on: date | None, today: date) -> str:
    """The pill that goes with :func:`review_pill_word`."""
    return {
        ReviewState.STALE: "bad",
        ReviewState.SOON: "wait",
        ReviewState.UNDATED: "plain",
        ReviewState.LATER: "good",
    }[review_state(review_on, today)]


def review_state_word(state: ReviewState | str) -> str:
    """A state to choose in the filter."""
    return {
        ReviewState.STALE: _("Overdue"),
        ReviewState.SOON: _("Due within 60 days"),
        ReviewState.UNDATED: _("Without a date"),
        ReviewState.LATER: _("In order"),
    }[ReviewState(state)]


def interval_words(months: int) -> str:
    """How often somebody looks."""
    return ngettext("every month", "every %(count)s months", months, count=number(months))


def overdue_reviews() -> int:
    """How many of the organisation's are overdue, for the navigation; asked once a page."""
    if "overdue_reviews" not in g:
        staff = g.get("staff")
        g.overdue_reviews = 0 if staff is None else current_tool().currency.count_stale(staff.organisation_id)
    return int(g.overdue_reviews)


def subject_of_care(row: CareRow) -> str:
    """The staff page of what is looked after."""
    if row.kind == "milestone":
        return url_for("staff.milestones.milestone", milestone_id=row.id)
    return url_for("staff.catalogue.micromodule", micromodule_id=row.id)
