"""The pages of next versions, in the course and on the staff pages, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.version_drafts import UNSEEN
from tests.unit.web import next_version_views as views
from tests.unit.web import staff_views
from tests.unit.web.sample_views import TEACHER, visitor
from tests.unit.web.samples import SECRET, Sample

COURSE = "/l/session-1/course/placements/placement-1/version"
STAFF = "/staff/micromodules/micromodule-1/version"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
ANSWER = {**CSRF, "mark": views.MARK, "whats_new": "New.", "policy": "keep", "action": "publish"}


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One of these pages in one state."""

    name: str
    path: str
    set_up: Callable[[Sample], None]
    session: SessionView = TEACHER
    fields: Mapping[str, str] | None = None
    status: int = 200


def _shows(**views_: Any) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        tool.staffing.view = staff_views.staff()
        for name, view in views_.items():
            setattr(tool.versions, name, view)

    return put


def _raise(error: Exception) -> Callable[..., Any]:
    def answer(*_: Any, **__: Any) -> Any:
        raise error

    return answer


def version_pages() -> Iterator[VersionPage]:
    """All of them."""
    form = {**CSRF, **views.FORM.to_fields(), "revision": "version-data"}
    problems = RequestInvalid(
        ErrorCode.FORM_INVALID,
        problems=(
            Problem("criteria", FormProblem.NOTHING_NEW),
            Problem("criteria-0-threshold", FormProblem.COLUMN_TOO_LOW, {"maximum": "100"}),
        ),
    )
    needs_staff = _raise(NotAllowed(ErrorCode.VERSION_NEEDS_STAFF))
    meanwhile = _raise(Conflict(ErrorCode.CONFLICT))
    unseen = _raise(Conflict(ErrorCode.CONFLICT, reason=UNSEEN))
    not_shown = _raise(Conflict(ErrorCode.PLACEMENT_NOT_EDITABLE, reason="not_shown"))
    told = _shows(told=views.NEWS)
    yield VersionPage("course/new-version", "/l/session-1/course", told, visitor("usual"))
    for room, path in (("course", COURSE), ("staff", STAFF)):
        for state, view in views.VERSION_FORMS.items():
            yield VersionPage(f"{room}/version-form-{state}", path, _shows(form=view))
        preview = {**form, "action": "preview"}
        yield VersionPage(f"{room}/version-in-words", path, _shows(), fields=preview)
        refused = {**form, "action": "compare"}
        yield VersionPage(
            f"{room}/version-problems", path, _shows(compare=_raise(problems)), fields=refused, status=422
        )
        late = {**refused, "revision": "version-before"}
        yield VersionPage(f"{room}/version-late", path, _shows(), fields=late, status=409)
        for whose, saved in (("theirs", views.SAVED), ("own", replace(views.SAVED, is_own=True))):
            beside = _shows(form=replace(views.THEIRS, saved=saved), save=unseen)
            yield VersionPage(f"{room}/version-saved-{whose}", path, beside, fields=refused, status=409)
            compared = replace(views.COMPARISONS["answered"], saved=saved)
            yield VersionPage(
                f"{room}/version-answered-{whose}",
                f"{path}/review",
                _shows(compared=compared, answer=unseen),
                fields=ANSWER,
                status=409,
            )
        for state, compared in views.COMPARISONS.items():
            yield VersionPage(f"{room}/version-review-{state}", f"{path}/review", _shows(compared=compared))
        wrong = {**ANSWER, "whats_new": "", "policy": "date", "expires_on": "yesterday"}
        yield VersionPage(
            f"{room}/version-review-problems", f"{path}/review", _shows(), fields=wrong, status=422
        )
        yield VersionPage(
            f"{room}/version-changed-meanwhile",
            f"{path}/review",
            _shows(answer=meanwhile, compare=meanwhile),
            fields=ANSWER,
            status=409,
        )
        for state, page in views.HOLDER_PAGES.items():
            yield VersionPage(f"{room}/version-holders-{state}", f"{path}/holders", _shows(page=page))
        yield VersionPage(f"{room}/version-not-shown", path, _shows(begin=not_shown), status=409)
    yield VersionPage("course/version-needs-staff", COURSE, _shows(begin=needs_staff), status=403)


NO_VERSION_PAGES = frozenset(
    {
        ("GET", "staff.versions.preview_artwork"),
        ("GET", "staff.versions.skill_results"),
    }
)
