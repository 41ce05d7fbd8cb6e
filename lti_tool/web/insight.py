"""What those who teach look into: what would happen, why it did, who is how far; and publishing."""

from __future__ import annotations

import re

from flask import Response, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.awarding import Standing
from lti_tool.services.matrix import NAME_LENGTH, PER_PAGE, Order, Wanted
from lti_tool.store.matrix import LETTERS
from lti_tool.web.matrix_file import lines_of
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

blueprint = SessionBlueprint("insight", __name__)


@blueprint.page("/course/placements/<placement_id>/simulation", methods=["GET"])
def simulate(placement_id: str) -> str:
    """Who would earn the badge now, who would not and why, and what cannot be known yet."""
    view = current_tool().simulating.placement(current_session(), placement_id)
    return render_template("pages/course/simulate.html", view=view)


@blueprint.page("/course/placements/<placement_id>/publish", methods=["POST"])
def publish(placement_id: str) -> AnyResponse:
    """Make a draft active, from which on it awards; again, it changes nothing."""
    current_tool().publishing.publish(current_session(), placement_id, seen=request.form.get("seen", ""))
    return redirect(url_for("course.show", published=placement_id, _anchor=f"placement-{placement_id}"), 303)


@blueprint.page("/course/placements/<placement_id>/learners/<learner_id>", methods=["GET"])
def explain_learner(placement_id: str, learner_id: str) -> str:
    """One learner, as the learner sees it, with what only those who teach may know."""
    view = current_tool().explaining.learner(current_session(), placement_id, learner_id)
    return render_template("pages/course/learner.html", view=view)


@blueprint.page("/course/placements/<placement_id>/matrix", methods=["GET"])
def matrix(placement_id: str) -> str:
    """Learners by criteria: sorted, filtered and leafed through on the server."""
    page = request.args.get("page", 1, type=int)
    view = current_tool().matrix.page(
        current_session(), placement_id, wanted(), page=min(max(1, page), 10**9), per_page=PER_PAGE
    )
    return render_template("pages/course/matrix.html", view=view)


@blueprint.page("/course/placements/<placement_id>/matrix.csv", methods=["GET"])
def download(placement_id: str) -> Response:
    """Everybody, for a spreadsheet."""
    file = current_tool().matrix.everybody(current_session(), placement_id)
    response = Response(stream_with_context(lines_of(file)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="learners.csv"'
    return response


GROUP_LENGTH = 64
"""Longer ids are none of ours."""


def wanted() -> Wanted:
    """Which learners this request means, in which order; what cannot be understood is not asked for."""
    order, leaf, is_descending = _order(request.args.get("sort", ""))
    state = request.args.get("state", "")
    narrowed = _number(request.args.get("criterion", "")) if state in LETTERS else None
    return Wanted(
        order=order,
        descending=is_descending,
        order_leaf=leaf,
        name=request.args.get("q", "").strip()[:NAME_LENGTH],
        standing=_standing(request.args.get("badge", "")),
        leaf=narrowed,
        leaf_state=state if narrowed is not None else None,
        group_id=request.args.get("group", "")[:GROUP_LENGTH] or None,
    )


def _order(given: str) -> tuple[Order, int, bool]:
    """``name``, ``badge``, ``met``, or a criterion's number as ``c1``; a minus turns it round."""
    is_descending = given.startswith("-")
    name = given.removeprefix("-")
    if name in (Order.NAME, Order.BADGE, Order.MET):
        return Order(name), 0, is_descending
    leaf = _number(name.removeprefix("c")) if name.startswith("c") else None
    return (Order.NAME, 0, False) if leaf is None else (Order.CRITERION, leaf, is_descending)


def _number(given: str) -> int | None:
    """A criterion, from 0, by the number that people count it with."""
    return int(given) - 1 if re.fullmatch(r"[1-9][0-9]?", given, re.ASCII) else None


def _standing(given: str) -> Standing | None:
    return Standing(given) if given in frozenset(Standing) else None
