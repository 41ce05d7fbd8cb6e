"""The staff pages of the table: each in each state, and as each role where that shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.health import ConnectionHealth
from lti_tool.services.inviting import Standing
from tests.unit.web import connection_views
from tests.unit.web import staff_views as views
from tests.unit.web.health_views import HEALTHS, UNWELL
from tests.unit.web.samples import SECRET, Sample

CSRF = f"csrf-of-{SECRET}"


@dataclass(frozen=True, slots=True)
class StaffPage:
    """What a line of the table is made of."""

    name: str
    path: str
    set_up: Callable[[Sample], None]
    fields: Mapping[str, str] | None = None
    status: int = 200


def _reads(role: StaffRole = StaffRole.OWNER, **views_: Any) -> Callable[[Sample], None]:
    """The services give these views to somebody of this role."""

    def put(tool: Sample) -> None:
        tool.staffing.view = views.staff(role)
        for name, view in views_.items():
            setattr(tool.overview, name, lambda *_, view=view, **__: view)

    return put


def _refuses(method: str, error: Exception) -> Callable[[Sample], None]:
    def answer(*_: Any, **__: Any) -> None:
        raise error

    return lambda tool: setattr(tool.administering, method, answer)


def _invalid(*problems: Problem) -> RequestInvalid:
    return RequestInvalid(ErrorCode.FORM_INVALID, problems=problems)


REQUIRED = _invalid(Problem("name", FormProblem.REQUIRED))
READER = StaffRole.READER


def staff_pages() -> Iterator[StaffPage]:
    """All of them."""
    usual = _reads()
    yield StaffPage("staff/sign-in", "/staff/sign-in", usual)
    yield StaffPage("staff/sign-in-ended", "/staff/sign-in?ended=yes", usual)
    yield StaffPage("staff/sign-in-signed-out", "/staff/sign-in?signed_out=yes", usual)
    yield StaffPage("staff/hand-over", "/l/session-1/staff", usual, {"csrf_token": CSRF})
    yield from _home()
    yield from _connections()
    yield from _catalogue()
    yield from _holders()
    yield from _refusals()


def _home() -> Iterator[StaffPage]:
    for state, health in views.HEALTH.items():
        yield StaffPage(f"staff/home-{state}", "/staff/", _reads(health=health))
    yield StaffPage("staff/organisation", "/staff/organisation?done=role", _reads())
    yield StaffPage("staff/organisation-reader", "/staff/organisation", _reads(READER))
    yield StaffPage(
        "staff/organisation-problem",
        "/staff/organisation",
        _refuses("rename_organisation", REQUIRED),
        {"name": "", "csrf_token": CSRF},
        422,
    )
    yield StaffPage("staff/invite", "/staff/members/new", _reads())
    invitation = {"name": "Edgar", "email": "edgar@example.edu", "role": "editor", "csrf_token": CSRF}
    yield StaffPage("staff/invited", "/staff/members", _reads(), invitation)
    wrong = {**invitation, "name": "", "email": "edgar", "role": "king"}
    yield StaffPage("staff/invite-problems", "/staff/members", _reads(), wrong, 422)
    yield StaffPage("staff/link", "/staff/members/member-2/link", _reads(), {"csrf_token": CSRF})


def _connections() -> Iterator[StaffPage]:
    yield StaffPage("staff/registrations", "/staff/registrations", _reads())
    yield StaffPage("staff/registrations-none", "/staff/registrations", _reads(registrations=()))
    for state, registration in views.REGISTRATIONS.items():
        path = "/staff/registrations/registration-1"
        yield StaffPage(f"staff/registration-{state}", path, _reads(registration=registration))
        yield StaffPage(f"staff/registration-{state}-reader", path, _reads(READER, registration=registration))
    for state in ("waiting", "refused", "working"):
        yield StaffPage(f"staff/registration-{state}", path, _stands(connection_views.STANDINGS[state]))
    yield from _invitations()
    path = "/staff/deployments/deployment-1"
    yield StaffPage("staff/deployment", path, _reads())
    yield StaffPage("staff/deployment-held", path, _reads(deployment=views.HELD))
    yield StaffPage("staff/deployment-reader", path, _reads(READER))
    problem = Problem("frame_origins", FormProblem.NOT_AN_ORIGIN, {"given": "lms"})
    yield StaffPage(
        "staff/deployment-problem",
        f"{path}/frame-origins",
        _refuses("set_frame_origins", _invalid(problem)),
        {"frame_origins": "lms", "csrf_token": CSRF},
        422,
    )
    yield from _health()
    for state, courses in views.COURSE_LISTS.items():
        yield StaffPage(f"staff/courses-{state}", "/staff/courses", _reads(courses=courses))
    for state, course in views.COURSE_DETAILS.items():
        yield StaffPage(f"staff/course-{state}", "/staff/courses/context-1", _reads(course=course))


def _health() -> Iterator[StaffPage]:
    path = "/staff/registrations/registration-1"
    for state, health in HEALTHS.items():

        def put(tool: Sample, health: ConnectionHealth = health) -> None:
            _reads()(tool)
            tool.health.of_registration = lambda *_: health
            tool.health.of_deployment = lambda *_: (health, health.deployments[0])

        yield StaffPage(f"staff/health-{state}", f"{path}/health", put)
        if state in ("unwell", "new"):
            yield StaffPage(f"staff/registration-{state}", path, put)
            yield StaffPage(f"staff/deployment-{state}", "/staff/deployments/deployment-1", put)
    yield StaffPage("staff/health-reader", f"{path}/health", _reads(READER))
    yield StaffPage("staff/health-checked", f"{path}/health", _reads(), {"csrf_token": CSRF})

    def unwell(tool: Sample) -> None:
        _reads()(tool)
        tool.health.unwell = lambda *_: UNWELL

    yield StaffPage("staff/home-connection", "/staff/", unwell)


def _stands(standing: Standing) -> Callable[[Sample], None]:
    """The registration came by a link, and is that far."""

    def put(tool: Sample) -> None:
        _reads()(tool)
        tool.inviting.staff_view = standing

    return put


def _invitations() -> Iterator[StaffPage]:
    def none(tool: Sample) -> None:
        _reads()(tool)
        tool.inviting.invitations = ()

    def wrong(tool: Sample) -> None:
        _reads()(tool)
        tool.inviting.invite = _raise(_invalid(Problem("days", FormProblem.OUT_OF_RANGE, days)))  # type: ignore[method-assign]

    days = {"minimum": 1, "maximum": 30}
    yield StaffPage("staff/invitations", "/staff/invitations", _reads())
    yield StaffPage("staff/invitations-reader", "/staff/invitations", _reads(READER))
    yield StaffPage("staff/invitations-none", "/staff/invitations", none)
    yield StaffPage("staff/invitation-new", "/staff/invitations/new", _reads())
    fields = {"name": "Our Moodle", "days": "7", "approves": "on", "csrf_token": CSRF}
    yield StaffPage("staff/invitation-link", "/staff/invitations", _reads(), fields)
    yield StaffPage("staff/invitation-problem", "/staff/invitations", wrong, {**fields, "days": "99"}, 422)


def _catalogue() -> Iterator[StaffPage]:
    yield StaffPage("staff/issuers", "/staff/issuers", _reads())
    path = "/staff/issuers/issuer-1"
    for state, issuer in views.ISSUERS.items():
        yield StaffPage(f"staff/issuer-{state}", path, _reads(issuer=issuer))
        yield StaffPage(f"staff/issuer-{state}-reader", path, _reads(READER, issuer=issuer))
    problems = (Problem("url", FormProblem.NOT_A_URL), Problem("email", FormProblem.NOT_AN_ADDRESS))
    yield StaffPage(
        "staff/issuer-problems",
        path,
        _refuses("change_issuer", _invalid(*problems)),
        {"name": "University", "url": "www", "email": "me", "csrf_token": CSRF},
        422,
    )
    for state, listed in views.MICROMODULE_LISTS.items():
        yield StaffPage(f"staff/micromodules-{state}", "/staff/micromodules", _reads(micromodules=listed))
    for state, micromodule in views.MICROMODULES.items():
        path = "/staff/micromodules/micromodule-1"
        yield StaffPage(f"staff/micromodule-{state}", path, _reads(micromodule=micromodule))
        yield StaffPage(f"staff/micromodule-{state}-reader", path, _reads(READER, micromodule=micromodule))
    yield StaffPage("staff/categories", "/staff/categories", _reads())
    yield StaffPage("staff/categories-none", "/staff/categories", _reads(READER, categories=()))
    taken = _invalid(Problem("name", FormProblem.NAME_TAKEN))
    name = {"name": "Data", "csrf_token": CSRF}
    yield StaffPage(
        "staff/categories-problem", "/staff/categories", _refuses("add_category", taken), name, 422
    )
    path = "/staff/categories/category-1"
    yield StaffPage("staff/category", path, _reads())
    yield StaffPage("staff/category-problem", path, _refuses("rename_category", taken), name, 422)


def _holders() -> Iterator[StaffPage]:
    for state, listed in views.HOLDER_LISTS.items():
        yield StaffPage(f"staff/holders-{state}", "/staff/holders", _reads(holders=listed))
    for state, holder in views.HOLDERS.items():
        yield StaffPage(f"staff/holder-{state}", "/staff/holders/learner-1", _reads(holder=holder))
    path = "/staff/credentials/credential-1/revoke"
    yield StaffPage("staff/revoke", path, _reads())
    problem = _invalid(Problem("reason", FormProblem.REQUIRED))
    fields = {"reason": "", "csrf_token": CSRF}
    yield StaffPage("staff/revoke-problem", path, _refuses("revoke_credential", problem), fields, 422)
    revoked = replace(views.BADGE, revoked_at=views.NOW, revocation_reason="Awarded by mistake.")
    yield StaffPage("staff/revoke-already", path, _reads(credential=(revoked, views.LEARNER)))
    yield StaffPage("staff/records", "/staff/records", _reads())
    for state, trail in views.TRAILS.items():
        yield StaffPage(f"staff/audit-{state}", "/staff/audit", _reads(trail=trail))


def _refusals() -> Iterator[StaffPage]:
    def lost(tool: Sample) -> None:
        tool.overview.holder = _raise(NotFound(ErrorCode.NOT_FOUND))

    yield StaffPage("staff/error-not-found", "/staff/holders/another", lost, status=404)
    yield StaffPage("staff/error-not-allowed", "/staff/members/new", _reads(READER), status=403)
    fields = {"reason": "x", "csrf_token": CSRF}
    path = "/staff/deployments/deployment-1/status"
    conflict, taken = Conflict(ErrorCode.CONFLICT), {"action": "approve", "csrf_token": CSRF}
    yield StaffPage("staff/error-conflict", path, _refuses("approve_deployment", conflict), taken, 409)
    closed = NotAllowed(ErrorCode.STAFF_OPERATOR_DECIDES)
    yield StaffPage("staff/error-operator", path, _refuses("approve_deployment", closed), taken, 403)
    path = "/staff/credentials/credential-1/revoke"
    refused = NotAllowed(ErrorCode.STAFF_NOT_ALLOWED)
    yield StaffPage("staff/error-refused", path, _refuses("revoke_credential", refused), fields, 403)
    forged = {**fields, "csrf_token": "forged"}
    yield StaffPage("staff/error-forged", path, _reads(), forged, 400)


def _raise(error: Exception) -> Callable[..., Any]:
    def answer(*_: Any, **__: Any) -> Any:
        raise error

    return answer


NO_STAFF_PAGES = frozenset(
    {
        ("GET", "staff.holders.credential"),
        ("GET", "staff.records.download"),
        ("GET", "staff.trail.download"),
        ("POST", "staff.use_link"),
        ("POST", "staff.sign_out"),
        ("POST", "staff.home.change_role"),
        ("POST", "staff.home.set_member_status"),
        ("POST", "staff.connections.set_registration_status"),
        ("POST", "staff.connections.set_administrator_role"),
        ("POST", "staff.invitations.withdraw"),
        ("POST", "staff.connections.allow_anonymous"),
        ("POST", "staff.catalogue.set_categories"),
        ("POST", "staff.catalogue.set_micromodule_status"),
        ("POST", "staff.catalogue.delete_category"),
    }
)
"""As ``NO_PAGES``: what answers with a redirect or a file."""
