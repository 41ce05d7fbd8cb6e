"""The pages on which a badge is switched on, in the course and on the staff pages, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.version_drafts import UNSEEN
from tests.gallery.version_pages import CSRF, VersionPage
from tests.unit.web import retroactive_views as views
from tests.unit.web import staff_views
from tests.unit.web.next_version_views import MARK
from tests.unit.web.sample_views import visitor
from tests.unit.web.samples import Sample

COURSE = "/l/session-1/course/placements/placement-1/badge"
STAFF = "/staff/micromodules/micromodule-1/badge"


def _shows(**put_in: Any) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        tool.staffing.view = staff_views.staff()
        for name, view in put_in.items():
            setattr(tool.retroactive, name, view)

    return put


def _raise(error: Exception) -> Callable[..., Any]:
    def answer(*_: Any, **__: Any) -> Any:
        raise error

    return answer


def retroactive_pages() -> Iterator[VersionPage]:
    """All of them."""
    form = {**CSRF, **views.FORM.to_fields()}
    problems = RequestInvalid(ErrorCode.FORM_INVALID, problems=(Problem("name", FormProblem.REQUIRED),))
    needs_staff = _raise(NotAllowed(ErrorCode.VERSION_NEEDS_STAFF))
    meanwhile = _raise(Conflict(ErrorCode.CONFLICT))
    yield VersionPage(
        "course/awarding-under-way",
        "/l/session-1/course",
        _shows(open={"placement-1": views.RUN, "placement-2": views.RUNS["paused"]}),
        visitor("usual"),
    )
    yield VersionPage(
        "staff/micromodule-being-awarded",
        "/staff/micromodules/micromodule-1",
        _shows(latest=views.RUN),
    )
    for room, path in (("course", COURSE), ("staff", STAFF)):
        for state, view in views.FORMS.items():
            yield VersionPage(f"{room}/badge-form-{state}", path, _shows(form=view))
        refused = {**form, "name": "", "action": "people"}
        yield VersionPage(
            f"{room}/badge-problems", path, _shows(dry_run=_raise(problems)), fields=refused, status=422
        )
        yield VersionPage(
            f"{room}/badge-beside",
            path,
            _shows(form=views.THEIRS, save=_raise(Conflict(ErrorCode.CONFLICT, reason=UNSEEN))),
            fields={**form, "name": "Mine", "action": "people"},
            status=409,
        )
        preview = {**form, "action": "preview"}
        yield VersionPage(f"{room}/badge-preview", path, _shows(), fields=preview)
        for state, dry in views.DRY_RUNS.items():
            yield VersionPage(f"{room}/badge-people-{state}", f"{path}/people", _shows(dry=dry))
        yield VersionPage(
            f"{room}/badge-changed-meanwhile",
            f"{path}/people",
            _shows(switch_on=meanwhile),
            fields={**CSRF, "mark": MARK},
            status=409,
        )
        for state, run in views.RUNS.items():
            yield VersionPage(f"{room}/awarding-{state}", f"{path}/awarding", _shows(latest=run))
    yield VersionPage("course/badge-needs-staff", COURSE, _shows(begin=needs_staff), status=403)


NO_RETROACTIVE_PAGES = frozenset(
    {
        ("GET", "retroactive.people_file"),
        ("GET", "staff.retroactive.people_file"),
        ("POST", "retroactive.steer"),
        ("POST", "staff.retroactive.steer"),
    }
)
