"""Review dates: what is overdue, who answers for it, and that something is still right."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.currency import ReviewState, day_of
from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services.currency import CONTACT_LENGTH, NOTE_LENGTH, CareForm, Chosen
from lti_tool.store.currency import CareFilter
from lti_tool.web.currency_files import lines
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, number_of_page, page, problems_of, typed

blueprint = Blueprint("currency", __name__)

QUERY_LENGTH = 200
LIMITS = {"contact": CONTACT_LENGTH, "note": NOTE_LENGTH}


@blueprint.get("/currency")
def show() -> Response:
    """What is to be looked at, the longest overdue first."""
    return _list(Typed({}))


def _list(form: Typed, status: int = 200, chosen: Iterable[str] = ()) -> Response:
    view = current_tool().currency.page(current_staff(), _wanted(), page=number_of_page())
    return page(
        "currency",
        status,
        view=view,
        form=form,
        chosen=frozenset(chosen),
        chooses_all=request.args.get("chosen") == "page",
        shown=_shown(),
        states=tuple(ReviewState),
        limits=LIMITS,
    )


def _wanted() -> CareFilter:
    """The filter of this request; what cannot be understood is not asked for."""
    state = request.args.get("state", "")
    return CareFilter(
        query=request.args.get("q", "").strip()[:QUERY_LENGTH],
        state=ReviewState(state) if state in tuple(ReviewState) else None,
        answerable=request.args.get("who", "").strip(),
    )


def _shown() -> dict[str, str | None]:
    """The filter as part of an address."""
    wanted = _wanted()
    return {"q": wanted.query or None, "state": wanted.state, "who": wanted.answerable or None}


@blueprint.post("/currency")
def change_many() -> AnyResponse:
    """Say of all that are ticked who answers and when they are looked at."""
    values, ticked = typed(), request.form.getlist("chosen")
    # What no page of ours offers is as good as not ticked.
    chosen = [one for one in map(Chosen.read, ticked) if one is not None]
    try:
        current_tool().currency.change_many(current_staff(), chosen, CareForm.from_fields(values))
    except RequestInvalid as error:
        ids = [one.id for one in chosen]
        return _list(Typed(values, problems_of(error)), 422, ids)
    return done("staff.currency.show", "saved", **_shown(), page=number_of_page())


@blueprint.get("/currency.csv")
def download() -> Response:
    """Everything the filter finds, for a spreadsheet."""
    tool = current_tool()
    rows = tool.currency.rows(current_staff(), _wanted())
    response = Response(lines(rows, day_of(tool.clock())), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="review-dates.csv"'
    return response


@blueprint.get("/currency/<kind>/<subject_id>")
def subject(kind: str, subject_id: str) -> Response:
    """One micromodule or milestone: how it is looked after, and the forms to say so."""
    return _subject(kind, subject_id)


def _subject(
    kind: str,
    subject_id: str,
    *,
    form: Typed | None = None,
    review: Typed | None = None,
    status: int = 200,
    is_late: bool = False,
) -> Response:
    view = current_tool().currency.one(current_staff(), kind, subject_id)
    return page(
        "currency_subject",
        status,
        view=view,
        form=form or Typed(CareForm.of(view.row).to_fields()),
        review=review or Typed({}),
        is_late=is_late,
        limits=LIMITS,
    )


@blueprint.post("/currency/<kind>/<subject_id>")
def change(kind: str, subject_id: str) -> AnyResponse:
    """Say who answers, and when it is looked at next."""
    values = typed()
    try:
        current_tool().currency.change(
            current_staff(), kind, subject_id, CareForm.from_fields(values), revision=_revision()
        )
    except RequestInvalid as error:
        return _subject(kind, subject_id, form=Typed(values, problems_of(error)), status=422)
    except Conflict:
        return _subject(kind, subject_id, form=Typed(values), status=409, is_late=True)
    return done("staff.currency.subject", "saved", kind=kind, subject_id=subject_id)


@blueprint.post("/currency/<kind>/<subject_id>/reviewed")
def reviewed(kind: str, subject_id: str) -> AnyResponse:
    """Say that it is still right."""
    values = typed()
    try:
        current_tool().currency.review(
            current_staff(),
            kind,
            subject_id,
            note=values.get("note", ""),
            next_on=values.get("next_on", ""),
            revision=_revision(),
        )
    except RequestInvalid as error:
        return _subject(kind, subject_id, review=Typed(values, problems_of(error)), status=422)
    except Conflict:
        return _subject(kind, subject_id, review=Typed(values), status=409, is_late=True)
    return done("staff.currency.subject", "reviewed", kind=kind, subject_id=subject_id)


def _revision() -> int:
    """Which state of it the person saw; one that never was, where the form does not say it."""
    return request.form.get("revision", -1, type=int)
