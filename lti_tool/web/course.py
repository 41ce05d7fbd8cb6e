"""The page of those who teach: who is how far, the state of every column, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.own_columns import Deletion
from lti_tool.web.session import SessionBlueprint, current_session, current_tool

if TYPE_CHECKING:
    from lti_tool.services.launching import SessionView
    from lti_tool.store.runs import RunView

blueprint = SessionBlueprint("course", __name__)

PER_PAGE = 50


@blueprint.page("/course", methods=["GET"])
def show() -> str:
    """Every placement of this course, the one that was launched first."""
    session = current_session()
    page = request.args.get("page", 1, type=int)
    view = current_tool().progress.view(session, page=max(1, page), per_page=PER_PAGE)
    placements = sorted(view.placements, key=lambda placement: placement.placement_id != session.placement_id)
    awards = current_tool().scoring.award_columns(session)
    badges = [one.achievement_version_id for one in placements if one.achievement_version_id]
    copy = current_tool().copying.state(session)
    product, ungranted = current_tool().health.missing_in(session.organisation_id, session.context_id)
    return render_template(
        "pages/course/show.html",
        product=product,
        ungranted=ungranted,
        view=view,
        placements=placements,
        awards=awards,
        copy=copy,
        awarding=_awarding(session),
        news=current_tool().versions.news(session.organisation_id, session.context_id or ""),
        kept=_known_code(request.args.get("columns_kept", "")),
        on_ways=current_tool().pathways.between(session.organisation_id, badges),
    )


def _awarding(session: SessionView) -> dict[str, RunView]:
    """Badges that were switched on and are being awarded, by placement; for those who can pause it."""
    if not session.can_configure or session.is_read_only or session.context_id is None:
        return {}
    return current_tool().retroactive.under_way(session.organisation_id, session.context_id)


@blueprint.page("/course/ending", methods=["GET"])
def ending() -> str:
    """The badges earned here that end soon, or have ended lately."""
    page = request.args.get("page", 1, type=int)
    view = current_tool().ending_soon.of_course(current_session(), page=page)
    return render_template("pages/course/ending.html", view=view)


@blueprint.page("/course/sync", methods=["POST"])
def start_sync() -> AnyResponse:
    """Read roster and grades now; a run that is under way already is the one that is watched."""
    session = _configuring_session()
    assert session.context_id is not None
    current_tool().syncing.start_sync(session.organisation_id, session.context_id)
    return redirect(url_for("course.show", _anchor="reading"), 303)


@blueprint.page("/course/runs/<run_id>", methods=["GET"])
def show_run(run_id: str) -> Response:
    """Progress of a run, for the page that watches it."""
    session = current_session()
    if not session.can_view_progress:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)
    run = current_tool().syncing.run(session.organisation_id, run_id)
    if session.context_id is None or run.context_id != session.context_id:
        raise NotFound(ErrorCode.NOT_FOUND)
    return jsonify(
        {"id": run.id, "status": run.status, "step": run.step, "done": run.done, "total": run.total}
    )


@blueprint.page("/course/placements/<placement_id>/columns", methods=["POST"])
def create_columns(placement_id: str) -> AnyResponse:
    """Create the gradebook columns of one badge, after the page has said what that does."""
    session = _configuring_session()
    current_tool().columns.create_columns(session.organisation_id, _own(session, placement_id))
    return redirect(url_for("course.show", _anchor=f"setup-{placement_id}"), 303)


@blueprint.page("/course/placements/<placement_id>/columns/poll", methods=["POST"])
def poll_columns(placement_id: str) -> AnyResponse:
    """Look whether values have arrived: JSON for the script that waits, the page for a button."""
    session = _configuring_session()
    states = current_tool().columns.poll(session.organisation_id, _own(session, placement_id))
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        columns = [
            {"evidence_key": one.evidence_key, "tag": one.tag, "label": one.label, "state": one.state}
            for one in states
        ]
        return jsonify({"columns": columns})
    return redirect(url_for("course.show", _anchor=f"setup-{placement_id}"), 303)


@blueprint.page("/course/placements/<placement_id>/remove", methods=["GET"])
def confirm_removal(placement_id: str) -> str:
    """What a draft has in the gradebook, before it is removed."""
    view = current_tool().own_columns.removal(_configuring_session(), placement_id)
    return render_template("pages/course/remove.html", view=view)


@blueprint.page("/course/placements/<placement_id>/remove", methods=["POST"])
def remove(placement_id: str) -> AnyResponse:
    """Take a draft out of the course; columns that hold grades go only where that was chosen."""
    chosen = request.form.get("columns", Deletion.NONE.value)
    deletion = Deletion(chosen) if chosen in set(Deletion) else Deletion.NONE
    removal = current_tool().own_columns.remove(_configuring_session(), placement_id, deletion)
    return redirect(url_for("course.show", columns_kept=removal.trouble), 303)


def _known_code(value: str) -> ErrorCode | None:
    """An error code that came by way of an address; anything else is nothing."""
    return ErrorCode(value) if value in set(ErrorCode) else None


@blueprint.page("/course/placements/<placement_id>/learners", methods=["POST"])
def confirm_learners(placement_id: str) -> AnyResponse:
    """Take an instructor's word that people learn in this course, and give them what waits for it."""
    session = _configuring_session()
    _own(session, placement_id)
    current_tool().scoring.confirm_learners(session, request.form.getlist("learner_id"))
    return redirect(url_for("course.show", _anchor=f"award-{placement_id}"), 303)


@blueprint.page("/course/placements/<placement_id>/award-column", methods=["POST"])
def ask_again(placement_id: str) -> AnyResponse:
    """Look for the award column again, and try the scores that were given up."""
    session = _configuring_session()
    current_tool().scoring.ask_again(session, _own(session, placement_id))
    return redirect(url_for("course.show", _anchor=f"award-{placement_id}"), 303)


def _configuring_session() -> SessionView:
    """This session, if it may change the course's badges.

    :raises NotAllowed: otherwise.
    """
    session = current_session()
    if not session.can_configure or session.is_read_only or session.context_id is None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "configuring needs an editing role in a course")
    return session


def _own(session: SessionView, placement_id: str) -> str:
    """A placement of the session's own course; another course's is not found.

    :raises NotFound: ``placement_not_found``.
    """
    if session.context_id is None:
        raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
    current_tool().columns.require_placement(session.organisation_id, session.context_id, placement_id)
    return placement_id
