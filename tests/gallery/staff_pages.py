"""The staff pages of the table: each in each state, and as each role where that shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.correcting import CorrectionView
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.framework_files import FileProblem
from lti_tool.services.health import ConnectionHealth
from lti_tool.services.inviting import Standing
from lti_tool.services.pathways import PathwayPage
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.store.runs import RunView
from tests.gallery.currency_pages import NO_CURRENCY_PAGES, currency_pages
from tests.unit.web import (
    connection_views,
    correction_views,
    endorsement_views,
    milestone_views,
    pathway_views,
    version_views,
)
from tests.unit.web import staff_views as views
from tests.unit.web.ending_views import LISTS, sample_ending_soon
from tests.unit.web.health_views import HEALTHS, UNWELL
from tests.unit.web.picture_views import in_colours
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


def _issuers_refuse(method: str, *problems: Problem) -> Callable[[Sample], None]:
    return lambda tool: setattr(tool.issuers, method, _raise(_invalid(*problems)))


def _signs_anew(run: RunView) -> Callable[[Sample], None]:
    return lambda tool: setattr(tool.reissuing, "newest_of", lambda *_: run)


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
    yield from _milestones()
    for state, view in pathway_views.ALL_PATHWAYS.items():
        yield StaffPage(f"staff/pathways-{state}", "/staff/pathways", _pathways(view))
    for one in currency_pages():
        yield StaffPage(one.name, one.path, one.set_up, one.fields, one.status)
    yield from _corrections()
    yield from _frameworks()
    yield from _endorsements()
    yield from _holders()
    for state in ("usual", "empty"):
        yield StaffPage(f"staff/ending-{state}", "/staff/holders/ending", _ending(state))
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
    yield StaffPage("staff/organisation-colours", "/staff/organisation?done=saved", in_colours)
    not_colours = _invalid(Problem("palette", FormProblem.NOT_COLOURS, {"given": "green"}))
    yield StaffPage(
        "staff/organisation-colours-problem",
        "/staff/organisation/palette",
        lambda tool: setattr(tool.pictures, "set_palette", _raise(not_colours)),
        {"palette": "#0b6a5d\ngreen", "csrf_token": CSRF},
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
        _issuers_refuse("change", *problems),
        {"name": "University", "url": "www", "email": "me", "csrf_token": CSRF},
        422,
    )
    for state, run in views.REISSUES.items():
        yield StaffPage(f"staff/issuer-{state}", path, _signs_anew(run))
    refused = _issuers_refuse("change_picture", Problem("picture", FormProblem.PICTURE_MISSING))
    yield StaffPage("staff/issuer-picture-problem", f"{path}/picture", refused, {"csrf_token": CSRF}, 422)
    for key in views.KEYS:
        yield StaffPage(f"staff/issuer-key-{key.state}", f"{path}/keys/{key.kid}/compromised", _reads())
    yield StaffPage("staff/issuer-add", "/staff/issuers/new", _reads())
    wrong = _issuers_refuse("add", Problem("terms_url", FormProblem.NOT_A_URL))
    fields = {"name": "Faculty of Data", "terms_url": "www", "csrf_token": CSRF}
    yield StaffPage("staff/issuer-add-problem", "/staff/issuers", wrong, fields, 422)
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
    yield StaffPage("staff/category-reader", path, _reads(READER))
    yield StaffPage("staff/category-empty", path, _reads(category=views.NEW_CATEGORY))
    yield StaffPage("staff/category-moved", f"{path}?done=saved&moved=micromodule-2&step=up", _reads())
    yield StaffPage("staff/category-problem", path, _refuses("rename_category", taken), name, 422)


def _milestones() -> Iterator[StaffPage]:
    path = "/staff/milestones/milestone-1"

    def shows(role: StaffRole = StaffRole.OWNER, **parts: Any) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads(role)(tool)
            for name, view in parts.items():
                setattr(tool.milestones, name, view)

        return put

    yield StaffPage("staff/milestones", "/staff/milestones", shows())
    yield StaffPage("staff/milestones-none", "/staff/milestones", shows(READER, rows=()))
    for state, view in milestone_views.MILESTONES.items():
        yield StaffPage(f"staff/milestone-{state}", path, shows(page=view))
        yield StaffPage(f"staff/milestone-{state}-reader", path, shows(READER, page=view))
    for state, run in milestone_views.DRY_RUNS.items():
        yield StaffPage(f"staff/milestone-dry-run-{state}", f"{path}/dry-run", shows(run=run))
    for kind in ("explorer", "learner", "own"):
        yield StaffPage(f"staff/milestone-new-{kind}", f"/staff/milestones/new?kind={kind}", shows())
    yield StaffPage("staff/milestone-edit", f"{path}/edit", shows())
    rows = {"kind": "own", "rule-0-what": "category:category-1", "rule-0-count": "2", "csrf_token": CSRF}
    rows |= {"rule-1-what": "completed:gone", "way": "at_least", "needed": "9"}
    yield StaffPage("staff/milestone-more-rules", "/staff/milestones", shows(), {**rows, "more": "yes"})
    yield StaffPage("staff/milestone-edit-more", f"{path}/edit", shows(), {**rows, "more": "yes"})
    of_rules = _raise(
        _invalid(
            Problem("rule-1-what", FormProblem.UNKNOWN_CHOICE),
            Problem("needed", FormProblem.OUT_OF_RANGE, {"low": 1, "high": 2}),
        )
    )
    yield StaffPage("staff/milestone-rule-problems", "/staff/milestones", shows(create=of_rules), rows, 422)
    yield from _milestone_versions(path)
    fields = {"kind": "own", "name": "", "criteria_json": "{", "csrf_token": CSRF}
    wrong = _raise(
        _invalid(Problem("name", FormProblem.REQUIRED), Problem("criteria_json", FormProblem.IMPORT_NOT_JSON))
    )
    yield StaffPage("staff/milestone-problems", "/staff/milestones", shows(create=wrong), fields, 422)
    yield StaffPage("staff/milestone-edit-problems", f"{path}/edit", shows(change=wrong), fields, 422)
    unseen = _raise(Conflict(ErrorCode.CONFLICT, reason=UNSEEN))
    for whose, is_own in (("theirs", False), ("own", True)):
        saved = replace(milestone_views.SAVED, is_own=is_own)
        beside = replace(milestone_views.BESIDE, saved=saved)
        typed = {"kind": "explorer", "name": "Explorer", "csrf_token": CSRF}
        yield StaffPage(
            f"staff/milestone-saved-{whose}",
            f"{path}/edit",
            shows(change=unseen, saved_beside=beside),
            typed,
            409,
        )
        yield StaffPage(
            f"staff/milestone-changed-{whose}",
            f"{path}/activate",
            shows(activate=unseen, page=milestone_views.MILESTONES["draft"], last=saved),
            {"csrf_token": CSRF},
            409,
        )
    begun = _raise(Conflict(ErrorCode.CONFLICT))
    for state, page in (("begun", "active"), ("over", "retired")):
        late = shows(change=begun, page=milestone_views.MILESTONES[page])
        yield StaffPage(f"staff/milestone-edit-{state}", f"{path}/edit", late, typed, 409)
    empty = _raise(_invalid(Problem("category_id", FormProblem.CATEGORY_EMPTY)))
    yield StaffPage(
        "staff/milestone-empty",
        f"{path}/activate",
        shows(activate=empty, page=milestone_views.MILESTONES["draft"]),
        {"csrf_token": CSRF},
        422,
    )


def _milestone_versions(path: str) -> Iterator[StaffPage]:
    def shows(**parts: Any) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads()(tool)
            for name, view in parts.items():
                setattr(tool.milestone_versions, name, view)

        return put

    fields = {"name": milestone_views.LONG_WORD, "csrf_token": CSRF}
    yield StaffPage("staff/milestone-version", f"{path}/version", shows())
    for state, view in milestone_views.COMPARED.items():
        yield StaffPage(f"staff/milestone-changes-{state}", f"{path}/version", shows(compared=view), fields)
    late = _raise(Conflict(ErrorCode.CONFLICT))
    yield StaffPage(
        "staff/milestone-changes-late", f"{path}/version/publish", shows(publish=late), fields, 409
    )
    wrong = _raise(_invalid(Problem("name", FormProblem.REQUIRED)))
    yield StaffPage("staff/milestone-version-problem", f"{path}/version", shows(compare=wrong), fields, 422)
    unsaid = _raise(
        _invalid(Problem("whats_new", FormProblem.REQUIRED), Problem("expires_on", FormProblem.NOT_IN_FUTURE))
    )
    yield StaffPage(
        "staff/milestone-version-unsaid", f"{path}/version/publish", shows(publish=unsaid), fields, 422
    )


def _corrections() -> Iterator[StaffPage]:
    path = "/staff/achievements/version-writing/correct"
    fields = {**correction_views.PLAIN.fields, "csrf_token": CSRF}

    def shows(view: CorrectionView) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads()(tool)
            tool.correcting.view = view

        return put

    def refuses(method: str, error: Exception) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads()(tool)
            setattr(tool.correcting, method, _raise(error))

        return put

    for state, view in correction_views.CORRECTIONS.items():
        yield StaffPage(f"staff/correction-{state}", path, shows(view))
    yield StaffPage("staff/correction-done", f"{path}?done=corrected", _reads())
    meaning = Problem("skills", FormProblem.CHANGES_MEANING)
    picture = Problem("picture", FormProblem.PICTURE_BROKEN)
    refused = refuses("preview", _invalid(meaning, picture))
    yield StaffPage("staff/correction-problems", path, refused, fields, 422)
    nothing = refuses("preview", _invalid(Problem("correction", FormProblem.NOTHING_CHANGED)))
    yield StaffPage("staff/correction-nothing", path, nothing, fields, 422)
    yield StaffPage("staff/correction-confirm", path, _reads(), fields)
    correct = {**fields, "action": "correct", "mark": "a" * 32, "reason": ""}
    no_reason = refuses("correct", _invalid(Problem("reason", FormProblem.REQUIRED)))
    yield StaffPage("staff/correction-reason", path, no_reason, correct, 422)
    late = refuses("correct", Conflict(ErrorCode.CONFLICT))
    yield StaffPage("staff/correction-late", path, late, correct, 409)
    yield StaffPage("staff/correction-more", path, _reads(), {**fields, "action": "edit"})


def _frameworks() -> Iterator[StaffPage]:
    path = "/staff/frameworks"
    yield StaffPage("staff/frameworks", path, _reads())
    yield StaffPage("staff/frameworks-reader", path, _reads(READER))
    yield StaffPage("staff/framework-remove", f"{path}/framework-1/remove", _reads())
    yield StaffPage("staff/frameworks-imported", path, _reads(), {"version": "v1.2.0", "csrf_token": CSRF})

    def none(tool: Sample) -> None:
        _reads()(tool)
        tool.frameworks.list = lambda _: ()

    yield StaffPage("staff/frameworks-none", path, none)

    def broken(tool: Sample) -> None:
        _reads()(tool)
        params = {"problem": FileProblem.ROW_BROKEN, "line": 17}
        tool.frameworks.import_file = _raise(RequestInvalid(ErrorCode.FRAMEWORK_FILE_INVALID, **params))

    yield StaffPage("staff/frameworks-problem", path, broken, {"version": "", "csrf_token": CSRF}, 422)


def _endorsements() -> Iterator[StaffPage]:
    path = "/staff/endorsements"
    yield StaffPage("staff/endorsements", f"{path}?done=endorsement_accepted", _reads())
    yield StaffPage("staff/endorsements-reader", path, _reads(READER))

    def shows(name: str, value: Any) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads()(tool)
            setattr(tool.endorsing, name, lambda *_: value)

        return put

    yield StaffPage("staff/endorsements-none", path, shows("of_organisation", endorsement_views.NONE))
    yield StaffPage("staff/home-endorsement", "/staff/", shows("waiting", 2))
    withdrawing = f"{path}/endorsement-6/withdraw"
    yield StaffPage("staff/endorsement-withdraw", withdrawing, _reads())
    yield StaffPage("staff/endorsement-withdrawn", withdrawing, shows("given", endorsement_views.WITHDRAWN))

    def refuses(name: str, *problems: Problem) -> Callable[[Sample], None]:
        def put(tool: Sample) -> None:
            _reads()(tool)
            setattr(tool.endorsing, name, _raise(_invalid(*problems)))

        return put

    wrong = Problem("address", FormProblem.NOTHING_TO_ENDORSE), Problem("comment", FormProblem.REQUIRED)
    fields = {"address": "https://elsewhere.example/1", "issuer_id": "issuer-1", "csrf_token": CSRF}
    yield StaffPage("staff/endorsements-problems", path, refuses("endorse", *wrong), fields, 422)
    why = {"outcome": "failed", "detail": "signature_wrong", "params": {}}
    forged = refuses("import_file", Problem("file", FormProblem.ENDORSEMENT_NOT_GENUINE, why))
    yield StaffPage("staff/endorsements-forged", f"{path}/import", forged, {"csrf_token": CSRF}, 422)


def _pathways(view: PathwayPage) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        _reads()(tool)
        tool.pathway_page = view

    return put


def _ending(state: str) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        _reads()(tool)
        tool.ending_soon = sample_ending_soon({"usual": LISTS[state]})

    return put


def _holders() -> Iterator[StaffPage]:
    for state, listed in views.HOLDER_LISTS.items():
        yield StaffPage(f"staff/holders-{state}", "/staff/holders", _reads(holders=listed))
    for state, holder in views.HOLDERS.items():
        yield StaffPage(f"staff/holder-{state}", "/staff/holders/learner-1", _reads(holder=holder))
    versions = _reads(holder=version_views.VERSION_HOLDER)
    yield StaffPage("staff/holder-versions", "/staff/holders/learner-1", versions)
    path = "/staff/credentials/credential-1/revoke"
    yield StaffPage("staff/revoke", path, _reads())
    problem = _invalid(Problem("reason", FormProblem.REQUIRED))
    fields = {"reason": "", "csrf_token": CSRF}
    yield StaffPage("staff/revoke-problem", path, _refuses("revoke_credential", problem), fields, 422)
    revoked = replace(views.BADGE, revoked_at=views.NOW, revocation_reason="Awarded by mistake.")
    yield StaffPage("staff/revoke-already", path, _reads(credential=(revoked, views.LEARNER)))
    path = "/staff/credentials/credential-1/suspend"
    pausable = replace(views.BADGE, status_purpose="suspension")
    for state, badge in {
        "asked": pausable,
        "already": replace(pausable, suspended_at=views.NOW, suspension_reason="Being looked into."),
        "never": views.BADGE,
    }.items():
        yield StaffPage(f"staff/suspend-{state}", path, _reads(credential=(badge, views.LEARNER)))

    def unreasoned(tool: Sample) -> None:
        _refuses("suspend_credential", problem)(tool)
        tool.overview.credential = lambda *_: (pausable, views.LEARNER)

    yield StaffPage("staff/suspend-problem", path, unreasoned, fields, 422)
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
        ("GET", "staff.corrections.picture"),
        ("GET", "staff.records.download"),
        ("GET", "staff.records.of_learner"),
        ("GET", "staff.trail.download"),
        ("POST", "staff.use_link"),
        ("POST", "staff.sign_out"),
        ("POST", "staff.home.change_role"),
        ("POST", "staff.home.set_member_status"),
        ("POST", "staff.connections.set_registration_status"),
        ("POST", "staff.connections.set_administrator_role"),
        ("POST", "staff.invitations.withdraw"),
        ("POST", "staff.connections.allow_anonymous"),
        ("POST", "staff.issuers.set_status"),
        ("POST", "staff.issuers.rotate"),
        ("POST", "staff.issuers.compromised"),
        ("POST", "staff.catalogue.set_categories"),
        ("POST", "staff.frameworks.remove"),
        ("POST", "staff.endorsements.decide"),
        ("POST", "staff.endorsements.withdraw"),
        ("POST", "staff.catalogue.set_micromodule_status"),
        ("POST", "staff.holders.resume"),
        ("POST", "staff.catalogue.delete_category"),
        ("POST", "staff.catalogue.move_category"),
        ("POST", "staff.catalogue.move_micromodule"),
        ("POST", "staff.milestones.retire"),
        *NO_CURRENCY_PAGES,
    }
)
"""As ``NO_PAGES``: what answers with a redirect or a file."""
