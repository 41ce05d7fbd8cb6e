"""The table of pages: every page that a person can see, in each of its states.

Whoever adds a page adds a line here (``tests/unit/web/test_pages.py`` fails until then). The linting client,
axe in every look, the keyboard's walk and the gallery take their pages from this table alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from lti_tool.credentials.verification import Verdict
from lti_tool.errors import (
    Busy,
    Conflict,
    CredentialInvalid,
    ErrorCode,
    LaunchRefused,
    NotFound,
    PlatformFailed,
    RequestInvalid,
    ToolError,
)
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from tests.gallery.account_pages import account_pages
from tests.gallery.people_pages import NO_PEOPLE_PAGES, people_pages
from tests.gallery.privacy_pages import NO_PRIVACY_PAGES, privacy_pages
from tests.gallery.registering_pages import registering_pages
from tests.gallery.retroactive_pages import NO_RETROACTIVE_PAGES, retroactive_pages
from tests.gallery.review_pages import review_pages
from tests.gallery.staff_pages import NO_STAFF_PAGES, staff_pages
from tests.gallery.version_pages import NO_VERSION_PAGES, version_pages
from tests.unit.web import ending_views, pathway_views, version_views
from tests.unit.web.copy_views import COPIES, COPY_STATES, REMOVALS
from tests.unit.web.detail_views import FORM_DETAILS, ISSUER_CHOICES
from tests.unit.web.form_views import EVERY_KIND, FORM, PICKERS
from tests.unit.web.framework_views import FOUND, SKILL
from tests.unit.web.gate_views import GATES
from tests.unit.web.insight_views import EXPLANATIONS, MATRICES, SIMULATIONS
from tests.unit.web.picture_views import PICTURE_ID, in_colours
from tests.unit.web.sample_views import (
    AWARDS,
    COURSES,
    PICKING,
    TEACHER,
    WALLETS,
    endorsed_report,
    record_report,
    report,
    session,
    visitor,
)
from tests.unit.web.samples import SECRET, Sample

MEMBER = "/l/session-1"
"""Where the pages of the sample session stand."""
CSRF = f"csrf-of-{SECRET}"
COOKIES: tuple[dict[str, Any], ...] = (
    {"name": "lti_session_session-1", "value": SECRET, "path": f"{MEMBER}/"},
    {"name": "staff_session", "value": SECRET, "path": "/staff"},
)
"""What a browser that may see every page of the table carries."""
MOODLE = "https://moodle.example.edu"


def _as_it_is(tool: Sample) -> None:
    """The services' usual answers."""


@dataclass(frozen=True, slots=True)
class SamplePage:
    """One page in one state."""

    name: str
    """Room and state, ``wallet/empty``; no two are called the same."""
    path: str
    set_up: Callable[[Sample], None] = _as_it_is
    """Puts the state into fresh sample services."""
    session: SessionView | None = None
    """Who looks, on pages in the frame."""
    fields: Mapping[str, str] | None = None
    """The form whose answer this page is; ``None`` for a page that is simply opened."""
    status: int = 200

    @property
    def method(self) -> str:
        """How the page is asked for."""
        return "GET" if self.fields is None else "POST"

    def tool(self, locale: str = "en") -> Sample:
        """Sample services of its own, in the state that the page shows."""
        tool = Sample()
        tool.launching.view = replace(self.session or session(), locale=locale)
        self.set_up(tool)
        return tool


def _put(name: str, value: object) -> Callable[[Sample], None]:
    return lambda tool: setattr(tool, name, value)


def _raise(error: Exception) -> Callable[..., Any]:
    def answer(*_: object, **__: object) -> Any:
        raise error

    return answer


def refusing(error: Exception) -> Callable[[Sample], None]:
    """The wallet answers with ``error``: as good a place as any to see its page in the frame."""
    return lambda tool: setattr(tool.wallet, "view", _raise(error))


def _refusing_gate(error: Exception) -> Callable[[Sample], None]:
    """By now everybody passes, and the gate's confirmation is refused with ``error``."""

    def set_up(tool: Sample) -> None:
        tool.gate_view = GATES["everybody"]
        tool.gating.confirm = _raise(error)

    return set_up


def _in_frame() -> Iterator[SamplePage]:
    for state, wallet in WALLETS.items():
        yield SamplePage(f"wallet/{state}", f"{MEMBER}/wallet", _put("wallet_view", wallet), session())
    for state, wallet in version_views.VERSION_WALLETS.items():
        yield SamplePage(f"wallet/{state}", f"{MEMBER}/wallet", _put("wallet_view", wallet), session())
    yield SamplePage("wallet/teacher", f"{MEMBER}/wallet", session=visitor("usual"))
    for state, course in COURSES.items():
        yield SamplePage(f"course/{state}", f"{MEMBER}/course", _put("course_view", course), visitor(state))
    for state, awards in AWARDS.items():
        yield SamplePage(
            f"course/award-{state}", f"{MEMBER}/course", _put("award_views", awards), visitor("usual")
        )
        put = _put("award_views", awards)
        yield SamplePage(f"course/award-{state}-grader", f"{MEMBER}/course", put, visitor("grader"))
    placement = f"{MEMBER}/course/placements/placement-1"
    for state, copy in COPIES.items():
        yield SamplePage(f"copy/{state}", f"{MEMBER}/course/copy", _put("copy_view", copy), visitor("usual"))
    for state, standing in COPY_STATES.items():
        put = _put("copy_state", standing)
        yield SamplePage(f"course/copy-{state}", f"{MEMBER}/course", put, visitor("usual"))
        yield SamplePage(f"course/copy-{state}-grader", f"{MEMBER}/course", put, visitor("grader"))
    kept = f"{MEMBER}/course?columns_kept={ErrorCode.PLATFORM_SCOPE_MISSING}"
    yield SamplePage("course/columns-kept", kept, session=visitor("usual"))
    for state, removal in REMOVALS.items():
        put = _put("removal_view", removal)
        yield SamplePage(f"remove/{state}", f"{placement}/remove", put, visitor("usual"))
    for state, simulation in SIMULATIONS.items():
        put = _put("simulation_view", simulation)
        yield SamplePage(f"simulation/{state}", f"{placement}/simulation", put, visitor("usual"))
    yield SamplePage("simulation/grader", f"{placement}/simulation", session=visitor("grader"))
    for state, matrix in MATRICES.items():
        put = _put("matrix_view", matrix)
        yield SamplePage(f"matrix/{state}", f"{placement}/matrix", put, visitor("usual"))
    for state, explanation in EXPLANATIONS.items():
        put = _put("explanation_view", explanation)
        yield SamplePage(f"learner/{state}", f"{placement}/learners/learner-1", put, visitor("usual"))
    yield SamplePage("learner/grader", f"{placement}/learners/learner-1", session=visitor("grader"))
    reviewing = replace(TEACHER, purpose="review", subject_id="learner-1")
    yield SamplePage("review/learner", f"{MEMBER}/review", session=reviewing)
    for state, missing in (("nobody", {"subject_id": None}), ("no-column", {"placement_id": None})):
        yield SamplePage(
            f"review/{state}", f"{MEMBER}/review", _as_it_is, replace(reviewing, **missing), status=404
        )
    for state, gate in GATES.items():
        yield SamplePage(
            f"gate/{state}", f"{MEMBER}/course/gates/gate-1", _put("gate_view", gate), visitor(state)
        )
    yield SamplePage(
        "gate/not-confirmed",
        f"{MEMBER}/course/gates/gate-1",
        _refusing_gate(Conflict(ErrorCode.GATE_NOT_CONFIRMABLE, problem="everybody")),
        visitor("usual"),
        {"action": "confirm", "csrf_token": CSRF},
        409,
    )
    for state, picker in PICKERS.items():
        put = _put("picker_view", picker)
        yield SamplePage(f"picker/{state}", f"{MEMBER}/picker?all=yes", put, PICKING)
        if picker.takes_links and picker.edited is None:
            yield SamplePage(f"form/{state}", f"{MEMBER}/micromodules/new", put, PICKING)
    put = _put("copy_state", COPY_STATES["waiting"])
    yield SamplePage("picker/copied", f"{MEMBER}/picker?all=1", put, PICKING)
    yield SamplePage(
        "picker/nothing-ticked", f"{MEMBER}/picker", session=PICKING, fields={"csrf_token": CSRF}, status=422
    )
    yield SamplePage(
        "picker/failed",
        f"{MEMBER}/picker",
        lambda tool: setattr(tool.configuring, "choose", _raise(Conflict(ErrorCode.CONFLICT))),
        PICKING,
        {"micromodule_version_id": "micromodule-1", "csrf_token": CSRF},
        409,
    )
    form = {**FORM, "csrf_token": CSRF}
    yield SamplePage(
        "form/in-words",
        f"{MEMBER}/micromodules/new",
        session=PICKING,
        fields={**form, "action": "preview"},
    )
    every = {**EVERY_KIND, "csrf_token": CSRF}
    yield SamplePage(
        "form/every-kind",
        f"{MEMBER}/micromodules/new",
        session=PICKING,
        fields={**every, "action": "preview"},
    )
    yield SamplePage(
        "form/simulated",
        f"{MEMBER}/micromodules/new",
        session=PICKING,
        fields={**form, "action": "simulate"},
    )
    yield SamplePage(
        "form/simulated-nobody-known",
        f"{MEMBER}/micromodules/new",
        lambda tool: setattr(tool, "picker_view", replace(PICKERS["first"], is_known=False)),
        PICKING,
        {**form, "action": "simulate"},
    )
    yield SamplePage(
        "form/import-refused",
        f"{MEMBER}/micromodules/new",
        session=PICKING,
        fields={**form, "action": "import", "criteria_json": '{"version": 3}'},
        status=422,
    )
    address = f"{MEMBER}/course/placements/placement-1/edit"
    refusal = Conflict(ErrorCode.PLACEMENT_NOT_EDITABLE, reason="published")
    yield SamplePage("form/edit", address, session=TEACHER)
    yield SamplePage(
        "form/edit-refused",
        address,
        lambda tool: setattr(tool.editing, "open", _raise(refusal)),
        TEACHER,
        status=409,
    )
    not_shown = Conflict(ErrorCode.PLACEMENT_NOT_EDITABLE, reason="not_shown")
    yield SamplePage(
        "form/edit-not-shown",
        address,
        lambda tool: setattr(tool.editing, "open", _raise(not_shown)),
        TEACHER,
        status=409,
    )
    yield SamplePage(
        "form/edit-changed-meanwhile",
        address,
        lambda tool: setattr(tool.editing, "save", _raise(Conflict(ErrorCode.CONFLICT))),
        TEACHER,
        {**form, "action": "change", "revision": "revision-0"},
        409,
    )
    problems = (
        Problem("name", FormProblem.REQUIRED),
        Problem("criteria-1-threshold", FormProblem.OUT_OF_RANGE, {"low": 0, "high": 100}),
        Problem("background", FormProblem.CONTRAST_TOO_LOW),
        Problem("image_alt", FormProblem.REQUIRED),
    )
    invalid = RequestInvalid(ErrorCode.FORM_INVALID, problems=problems)
    yield SamplePage(
        "form/problems",
        f"{MEMBER}/micromodules/new",
        lambda tool: setattr(tool.configuring, "describe", _raise(invalid)),
        PICKING,
        {**form, "name": "", "image_alt": "", "background": "#eeeeee", "action": "place"},
        422,
    )
    yield from _details(form)
    yield from _skills(form)
    yield from _pictures(form)
    yield SamplePage(
        "picker/send",
        f"{MEMBER}/picker",
        session=PICKING,
        fields={"action": "place", "micromodule_version_id": "micromodule-1", "csrf_token": CSRF},
    )


def _details(form: Mapping[str, str]) -> Iterator[SamplePage]:
    """What the badge says, typed and refused, in an organisation with several issuers."""
    several = replace(PICKERS["usual"], issuer_choices=ISSUER_CHOICES)
    typed = {**form, **FORM_DETAILS}
    yield SamplePage(
        "form/details",
        f"{MEMBER}/micromodules/new",
        _put("picker_view", several),
        PICKING,
        {**typed, "action": "add_alignment"},
    )
    refused = {"alignment-2-url": "skills", "credits": "many", "validity_months": "0"}
    found = tuple(MicromoduleForm.from_fields({**typed, **refused}).problems())
    invalid = RequestInvalid(ErrorCode.FORM_INVALID, problems=found)

    def refuse(tool: Sample) -> None:
        tool.picker_view = several
        tool.configuring.describe = _raise(invalid)

    yield SamplePage(
        "form/details-refused",
        f"{MEMBER}/micromodules/new",
        refuse,
        PICKING,
        {**typed, **refused, "action": "place"},
        422,
    )


def _skills(form: Mapping[str, str]) -> Iterator[SamplePage]:
    """The form while somebody looks for the skills of a badge."""
    looked = {**form, "skill_query": "data", "action": "find_skills"}
    for state, found in FOUND.items():
        yield SamplePage(
            f"form/skills-{state}",
            f"{MEMBER}/micromodules/new",
            lambda tool, found=found: setattr(tool.frameworks, "search_in_course", lambda *_, **__: found),
            PICKING,
            looked,
        )
    yield SamplePage(
        "form/skill-added",
        f"{MEMBER}/micromodules/new",
        session=PICKING,
        fields={**looked, "action": f"add_skill-{SKILL.id}"},
    )


def _pictures(form: Mapping[str, str]) -> Iterator[SamplePage]:
    """The form while somebody is at the picture."""
    address = f"{MEMBER}/micromodules/new"
    yield SamplePage("form/picture", address, session=PICKING, fields={**form, "action": "picture"})
    yield SamplePage(
        "form/picture-colours", address, in_colours, PICKING, {**form, "action": "design-languages"}
    )
    own = {**form, "picture_id": PICTURE_ID}
    yield SamplePage("form/picture-own", address, session=PICKING, fields={**own, "action": "picture"})
    yield SamplePage(
        "form/picture-missing", address, session=PICKING, fields={**form, "action": "upload"}, status=422
    )


def _launch() -> Iterator[SamplePage]:
    storage = SimpleNamespace(target_origin=MOODLE, frame=None, key="lti_state_1", value="a secret")
    login = SimpleNamespace(
        auth_url=f"{MOODLE}/mod/lti/auth.php?state=1",
        state_cookie_name="lti_state_1",
        state_cookie_value="a secret",
        storage=storage,
    )
    yield SamplePage("launch/login", "/lti/login", _put("begin_login", lambda _: login))
    yield SamplePage(
        "launch/storage",
        "/lti/launch",
        lambda tool: setattr(tool.launch_validator, "storage_for", lambda *_: storage),
        fields={"id_token": "a.b.c", "state": "s"},
    )
    yield SamplePage("launch/look", "/lti/launch")
    yield SamplePage("launch/connect", "/lti/connect")
    for page in registering_pages():
        yield SamplePage(page.name, page.path, page.set_up, None, page.fields, page.status)


def _public() -> Iterator[SamplePage]:
    yield SamplePage("front", "/")
    yield SamplePage("credential/shared", "/credentials/credential-2")
    for state in ("revoked", "expired", "suspended"):
        yield SamplePage(f"credential/{state}", f"/credentials/{state}")
    yield SamplePage("credential/details", "/credentials/detailed")
    yield SamplePage("achievement", "/achievements/version-writing")
    for state, place in (("older", version_views.OF_SECOND), ("newest", version_views.OF_THIRD)):
        put = version_views.achieved(place)
        yield SamplePage(f"achievement/{state}", "/achievements/version-writing", put)
        yield SamplePage(f"credential/{state}", "/credentials/credential-2", put)
    yield SamplePage("issuer", "/issuers/issuer-1")
    yield SamplePage("verify/empty", "/verify")
    yield SamplePage("verify/address", "/verify?url=https://issuer.example/1")
    for verdict in Verdict:
        yield SamplePage(
            f"verify/{verdict}", "/verify", _put("report", report(verdict)), fields={"text": "{}"}
        )
    for verdict in (Verdict.VALID, Verdict.INVALID):
        put = _put("report", version_views.version_report(verdict))
        yield SamplePage(f"verify/version-{verdict}", "/verify", put, fields={"text": "{}"})
    yield SamplePage("verify/endorsed", "/verify", _put("report", endorsed_report()), fields={"text": "{}"})
    for verdict in Verdict:
        yield SamplePage(
            f"verify/record-{verdict}",
            "/verify",
            _put("report", record_report(verdict)),
            fields={"text": "{}"},
        )
    refusal = CredentialInvalid(ErrorCode.CREDENTIAL_NOT_RECOGNISED)
    yield SamplePage(
        "verify/refused",
        "/verify",
        lambda tool: setattr(tool.verifying, "verify", _raise(refusal)),
        fields={"text": "This is no badge."},
        status=422,
    )


def _errors() -> Iterator[SamplePage]:
    wallet = f"{MEMBER}/wallet"
    yield SamplePage("error/no-page", "/nothing-here", status=404)
    yield SamplePage("error/no-badge", "/credentials/nobody", status=404)
    yield SamplePage("error/no-session", "/l/another/wallet", status=403)
    yield SamplePage(
        "error/session-over",
        wallet,
        lambda tool: setattr(tool.launching, "is_expired", True),
        status=403,
    )
    yield SamplePage(
        "error/draft-kept",
        f"{MEMBER}/micromodules/new",
        lambda tool: setattr(tool.launching, "is_expired", True),
        PICKING,
        {**FORM, "csrf_token": CSRF, "action": "place"},
        403,
    )
    unbound = LaunchRefused(
        ErrorCode.LAUNCH_STATE_UNBOUND, fresh_launch_url=f"{MOODLE}/mod/lti/launch.php?id=7"
    )
    yield SamplePage("error/fresh-launch", "/lti/login", _put("begin_login", _raise(unbound)), status=400)
    signed = LaunchRefused(
        ErrorCode.LAUNCH_STATE_UNBOUND, fresh_launch_url=f"{MOODLE}/mod/lti/launch.php?id=7"
    )
    signed.return_url, signed.product = f"{MOODLE}/mod/lti/return.php?course=2&sesskey=aBcD", "moodle"
    yield SamplePage("error/way-back", "/lti/login", _put("begin_login", _raise(signed)), status=400)
    yield SamplePage("error/no-such-page", f"{MEMBER}/no-such-page", session=session(), status=404)
    unknown = LaunchRefused(ErrorCode.REGISTRATION_UNKNOWN, status=403)
    yield SamplePage("error/connect-first", "/lti/login", _put("begin_login", _raise(unknown)), status=403)
    for name, error, status in _REFUSALS:
        yield SamplePage(f"error/{name}", wallet, refusing(error), status=status)


_REFUSALS: tuple[tuple[str, ToolError | Exception, int], ...] = (
    ("unexpected", RuntimeError("a bug"), 500),
    ("conflict", Conflict(ErrorCode.CONFLICT), 409),
    ("platform", PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT), 502),
    ("busy", Busy(ErrorCode.VERIFIER_BUSY, retry_after=3), 503),
    ("placement", NotFound(ErrorCode.PLACEMENT_NOT_FOUND), 404),
)


def _staff() -> Iterator[SamplePage]:
    for page in staff_pages():
        yield SamplePage(page.name, page.path, page.set_up, fields=page.fields, status=page.status)


def _people() -> Iterator[SamplePage]:
    for page in people_pages():
        yield SamplePage(page.name, page.path, page.set_up, page.session, page.fields, page.status)


def _endings() -> Iterator[SamplePage]:
    for state, wallet in ending_views.WALLETS.items():
        yield SamplePage(f"wallet/{state}", f"{MEMBER}/wallet", _put("wallet_view", wallet), session())
    for state, listed in ending_views.LISTS.items():
        put = _put("ending_soon", ending_views.sample_ending_soon({"usual": listed}))
        yield SamplePage(f"course/ending-{state}", f"{MEMBER}/course/ending", put, TEACHER)


def _pathways() -> Iterator[SamplePage]:
    for state, view in pathway_views.PATHS.items():
        who = TEACHER if state == "teacher" else session()
        path = f"{MEMBER}/wallet/path/achievement-1"
        yield SamplePage(f"pathway/{state}", path, _put("path_view", view), who)
    for state, wallet in pathway_views.WALLETS.items():
        yield SamplePage(f"wallet/{state}", f"{MEMBER}/wallet", _put("wallet_view", wallet), session())
    around = _put("public_steps", pathway_views.AROUND)
    yield SamplePage("public/achievement-pathway", "/achievements/version-data", around)


def _reviews() -> Iterator[SamplePage]:
    for page in review_pages():
        yield SamplePage(page.name, page.path, page.set_up, page.session, page.fields, page.status)


def _accounts() -> Iterator[SamplePage]:
    for page in account_pages():
        yield SamplePage(page.name, page.path, page.set_up, page.session, page.fields, page.status)


def _privacy() -> Iterator[SamplePage]:
    for page in privacy_pages():
        yield SamplePage(page.name, page.path, page.set_up, page.session, page.fields, page.status)


def _versions() -> Iterator[SamplePage]:
    for page in (*version_pages(), *retroactive_pages()):
        yield SamplePage(page.name, page.path, page.set_up, page.session, page.fields, page.status)


PAGES: tuple[SamplePage, ...] = (
    *_in_frame(),
    *_people(),
    *_reviews(),
    *_versions(),
    *_endings(),
    *_pathways(),
    *_accounts(),
    *_privacy(),
    *_launch(),
    *_public(),
    *_staff(),
    *_errors(),
    SamplePage("components", "/_components?done=saved"),
)

NO_PAGES = (
    NO_PEOPLE_PAGES
    | NO_PRIVACY_PAGES
    | NO_VERSION_PAGES
    | NO_RETROACTIVE_PAGES
    | NO_STAFF_PAGES
    | frozenset(
        {
            ("GET", "assets.show"),
            ("GET", "configure.export_criteria"),
            ("GET", "configure.preview_artwork"),
            ("GET", "configure.skill_results"),
            ("GET", "course.show_run"),
            ("GET", "insight.download"),
            ("GET", "hosted.assertion"),
            ("GET", "hosted.badge_class"),
            ("GET", "hosted.issuer"),
            ("GET", "hosted.picture"),
            ("GET", "lti.canvas"),
            ("GET", "lti.jwks"),
            ("GET", "ops.favicon"),
            ("GET", "ops.healthz"),
            ("GET", "ops.metrics"),
            ("GET", "ops.readyz"),
            ("GET", "public.achievement_image"),
            ("GET", "public.credential_json"),
            ("GET", "public.criteria_schema"),
            ("GET", "public.credential_picture"),
            ("GET", "public.issuer_did"),
            ("GET", "public.issuer_image"),
            ("GET", "public.host_did"),
            ("GET", "public.status_list"),
            ("GET", "public.endorsement"),
            ("GET", "wallet.download"),
            ("GET", "wallet.record"),
            ("GET", "public.credential_token"),
            ("GET", "public.issuer_key"),
            ("POST", "copies.acknowledge_reset"),
            ("POST", "copies.decide"),
            ("POST", "course.ask_again"),
            ("POST", "course.confirm_learners"),
            ("POST", "course.create_columns"),
            ("POST", "course.poll_columns"),
            ("POST", "course.remove"),
            ("POST", "course.start_sync"),
            ("POST", "insight.publish"),
            ("POST", "verify.check_api"),
            ("POST", "wallet.set_sharing"),
            # Asked both ways, and the same page.
            ("POST", "lti.login"),
        }
    )
)
"""(method, endpoint) of what answers with a file, JSON or a redirect, never with a page."""
