"""The web room on services that give what a test put in: pages without a database.

The views themselves are in ``sample_views``.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache

from lti_tool.credentials.artwork import render_png
from lti_tool.credentials.verification import Verdict
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.configuring import DeepLinkingAnswer
from lti_tool.services.copying import CopyState
from lti_tool.services.editing import CriteriaFile
from lti_tool.services.hosting import HostedAssertion
from lti_tool.services.issuing import PublishedDocument
from lti_tool.services.launching import AcceptedLaunch, SessionView
from lti_tool.services.matrix import MatrixFile, MatrixView, Wanted
from lti_tool.services.own_columns import Removal
from lti_tool.services.pathways import PathwayPage, PublicSteps
from lti_tool.services.progress import CourseProgressView
from lti_tool.services.public import PublicAchievement, PublicCredential, PublicIssuer, SignedDocument
from lti_tool.settings import packaged_folder
from lti_tool.store.credentials import IssuerView
from lti_tool.store.runs import RunView
from lti_tool.store.submissions import StoredFile
from lti_tool.web import register
from tests.unit.web.account_views import sample_persons
from tests.unit.web.connection_views import SampleInviting
from tests.unit.web.copy_views import COPIES, REMOVALS
from tests.unit.web.correction_views import SampleCorrecting
from tests.unit.web.currency_views import SampleCurrency
from tests.unit.web.ending_views import sample_ending_soon
from tests.unit.web.endorsement_views import ACCEPTED, IMPORTED, sample_endorsing
from tests.unit.web.form_views import EDITED, PICKERS
from tests.unit.web.framework_views import sample_frameworks
from tests.unit.web.gate_views import GATES
from tests.unit.web.health_views import CHECKED, sample_health
from tests.unit.web.insight_views import EXPLANATIONS, MATRICES, SIMULATIONS
from tests.unit.web.milestone_views import SampleMilestones, SampleMilestoneVersions
from tests.unit.web.next_version_views import SampleVersions
from tests.unit.web.pathway_views import ALL_PATHWAYS, PATHS
from tests.unit.web.people_views import ATTESTS, EVIDENCE, JUDGING, SUBMISSIONS
from tests.unit.web.picture_views import SamplePictures
from tests.unit.web.privacy_views import PEOPLE, archive
from tests.unit.web.retroactive_views import SampleRetroactive
from tests.unit.web.review_views import sample_reviews
from tests.unit.web.sample_views import (
    ACHIEVEMENT,
    AWARDS,
    BASE_URL,
    COURSES,
    CREDENTIAL,
    DETAILED,
    DOCUMENT,
    EXPIRED,
    NOW,
    PICTURES,
    REVOKED,
    SUSPENDED,
    WALLETS,
    column,
    report,
    run,
    session,
)
from tests.unit.web.staff_views import KEYS, SampleStaffing, deployment, sample_overview

SECRET = "token-of-this-session"
ADMINISTERING = (
    "rename_organisation",
    "approve_registration",
    "disable_registration",
    "set_administrator_role",
    "allow_anonymous",
    "add_category",
    "rename_category",
    "delete_category",
    "move_category",
    "move_micromodule",
    "set_categories",
    "archive_micromodule",
    "record_download",
)
ISSUERS = ("change", "change_picture", "make_default", "retire")
NONCE = "a" * 43


class Launching:
    """One session, opened by its token."""

    def __init__(self, view: SessionView) -> None:
        self.view = view
        self.is_expired = False

    def accept_launch(self, launch: object) -> AcceptedLaunch:
        return AcceptedLaunch(SECRET, self.view, has_placements=True, has_gates=True)

    def open_session(self, session_id: str, token: str, *, even_expired: bool = False) -> SessionView:
        if session_id != self.view.id:
            raise NotAllowed(ErrorCode.SESSION_MISSING)
        return self.open_session_by_token(token, even_expired=even_expired)

    def open_session_by_token(self, token: str, *, even_expired: bool = False) -> SessionView:
        if token != SECRET:
            raise NotAllowed(ErrorCode.SESSION_MISSING)
        if self.is_expired and not even_expired:
            raise NotAllowed(ErrorCode.SESSION_EXPIRED)
        return self.view

    def csrf_token(self, token: str) -> str:
        return f"csrf-of-{token}"


class Public:
    """Public records of one shared and one revoked badge."""

    def credential(self, id_: str) -> PublicCredential | None:
        return {one.id: one for one in (CREDENTIAL, REVOKED, EXPIRED, SUSPENDED, DETAILED)}.get(id_)

    def document(self, id_: str) -> SignedDocument | None:
        found = self.credential(id_)
        return None if found is None else SignedDocument(found.document, f"{id_}-1")

    def etag(self, id_: str) -> str | None:
        found = self.document(id_)
        return None if found is None else found.etag

    def is_erased(self, id_: str) -> bool:
        return id_ == "erased"

    def baked_png(self, id_: str) -> bytes | None:
        return render_png(PICTURES["version-writing"], 64) if id_ == CREDENTIAL.id else None

    def baked_svg(self, id_: str) -> bytes | None:
        return PICTURES["version-writing"].encode() if id_ == CREDENTIAL.id else None

    def endorsement(self, id_: str) -> bytes | None:
        return b'{"id": "1"}' if id_ == ACCEPTED.id else None

    def achievement(self, id_: str) -> PublicAchievement | None:
        return PublicAchievement(ACHIEVEMENT, DOCUMENT) if id_ in PICTURES else None

    def issuer(self, id_: str) -> PublicIssuer | None:
        if id_ != "issuer-1":
            return None
        name = "Example University"
        view = IssuerView(
            "issuer-1",
            "organisation-1",
            name,
            name,
            "https://www.example.edu",
            "badges@example.edu",
            "Teaches and examines.",
            picture_id="picture-1",
            terms_url="https://www.example.edu/badge-terms",
        )
        did = "did:web:badges.example.edu:issuers:issuer-1"
        return PublicIssuer(view, did, (ACHIEVEMENT,), DOCUMENT, (ACCEPTED, IMPORTED), KEYS)

    def issuer_image(self, id_: str) -> bytes | None:
        return render_png(PICTURES["version-writing"], 64) if id_ == "issuer-1" else None

    def newest_image(self, achievement_id: str, kind: str) -> bytes | None:
        return self.image("version-data", kind) if achievement_id == "achievement-1" else None

    def image(self, version_id: str, kind: str) -> bytes | None:
        svg = PICTURES.get(version_id)
        return None if svg is None else (svg.encode() if kind == "svg" else render_png(svg, 64))


class Hosted:
    """The shared badge once more as Open Badges 2.0, and the revoked one's end."""

    def assertion(self, id_: str) -> HostedAssertion | None:
        found = {CREDENTIAL.id: False, REVOKED.id: True}
        return HostedAssertion('{"type": "Assertion"}', found[id_]) if id_ in found else None

    def baked_png(self, id_: str) -> bytes | None:
        return Public().baked_png(id_)

    def baked_svg(self, id_: str) -> bytes | None:
        return Public().baked_svg(id_)

    def badge_class(self, id_: str) -> str | None:
        return '{"type": "BadgeClass"}' if id_ in PICTURES else None

    def issuer(self, id_: str) -> str | None:
        return '{"type": "Issuer"}' if id_ == "issuer-1" else None


class Issuing:
    """What verifiers read."""

    def did_document(self, id_: str) -> PublishedDocument | None:
        return DOCUMENT if id_ == "issuer-1" else None

    def host_document(self) -> PublishedDocument | None:
        return DOCUMENT


class StatusLists:
    """The lists that say which badges are revoked."""

    def published(self, id_: str) -> PublishedDocument | None:
        return DOCUMENT if id_ == "list-1" else None


class Sample:
    """A tool whose services give the views that a test put in."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.wallet_view = WALLETS["usual"]
        self.course_view = COURSES["usual"]
        self.picker_view = PICKERS["usual"]
        self.simulation_view = SIMULATIONS["usual"]
        self.matrix_view = MATRICES["usual"]
        self.explanation_view = EXPLANATIONS["usual"]
        self.report = report(Verdict.VALID)
        self.launching = Launching(session())
        self.clock = lambda: NOW
        self.settings = SimpleNamespace(base_url=BASE_URL, is_development=True)
        self.public = Public()
        self.issuing = Issuing()
        self.status_lists = StatusLists()
        self.hosting = Hosted()
        self.wallet = SimpleNamespace(view=lambda session: self.wallet_view)
        self.path_view = PATHS["usual"]
        self.public_steps = PublicSteps()
        self.pathway_page = ALL_PATHWAYS["usual"]
        self.pathways = SimpleNamespace(
            path=lambda session, achievement_id: self.path_view,
            public=lambda id_: self.public_steps,
            every=self._pathways,
            between=lambda organisation_id, version_ids: frozenset(version_ids),
        )
        self.progress = SimpleNamespace(view=self._course)
        self.editing = SimpleNamespace(
            open=self._called("open", EDITED),
            save=self._called("save"),
            save_draft=self._called("save_draft"),
            export=self._called(
                "export", CriteriaFile("Économie / Data", {"version": 1, "rule": {"type": "all", "of": []}})
            ),
        )
        self.publishing = SimpleNamespace(publish=self._called("publish", True))
        self.simulating = SimpleNamespace(
            placement=lambda session, placement_id: self._of_staff(session, self.simulation_view),
            criterion=lambda session, criterion, draft_id=None: self._of_staff(
                session, replace(self.simulation_view, placement_id=None)
            ),
        )
        self.explaining = SimpleNamespace(
            learner=lambda session, placement_id, learner_id: self._of_staff(session, self.explanation_view)
        )
        self.matrix = SimpleNamespace(
            page=self._matrix,
            everybody=lambda session, placement_id: self._of_staff(
                session,
                MatrixFile(self.matrix_view.name, self.matrix_view.channels, iter(self.matrix_view.rows)),
            ),
        )
        self.sharing = SimpleNamespace(set_public=self._called("set_public"))
        self.syncing = SimpleNamespace(
            start_sync=self._called("start_sync"),
            run=self._run,
            refresh_learner=self._called("refresh_learner"),
        )
        self.columns = SimpleNamespace(
            require_placement=self._placement,
            create_columns=self._called("create_columns"),
            make_mirrors=self._called("make_mirrors"),
            poll=self._called("poll", (column(),)),
        )
        self.gate_view = GATES["usual"]
        self.gating = SimpleNamespace(
            view=lambda *_: self.gate_view,
            read=self._called("read"),
            confirm=self._called("confirm", "placement-1"),
            record_launch=self._called("record_launch"),
        )
        self.copy_view = COPIES["usual"]
        self.copy_state = CopyState()
        self.copying = SimpleNamespace(
            view=lambda session: self.copy_view,
            state=lambda session: self.copy_state,
            note_launch=self._called("note_launch", False),
            take_over_link=self._called("take_over_link"),
            confirm=self._called("confirm_copy", 1),
            acknowledge_reset=self._called("acknowledge_reset"),
        )
        self.removal_view = REMOVALS["usual"]
        self.own_columns = SimpleNamespace(
            removal=lambda *_: self.removal_view,
            remove=self._called("remove", Removal(1, 1)),
            rename=self._called("rename"),
        )
        self.award_views = AWARDS["usual"]
        self.scoring = SimpleNamespace(
            award_columns=lambda session: self.award_views,
            confirm_learners=self._called("confirm_learners", 1),
            ask_again=self._called("ask_again"),
        )
        self.attesting = SimpleNamespace(
            learners=lambda *_, **__: ATTESTS["usual"],
            attest=self._called("attest", 2),
            make_column=self._called("make_column"),
        )
        self.reviews = sample_reviews(self._called)
        self.persons = sample_persons(self._called)
        self.ending_soon = sample_ending_soon()
        self.submissions = SimpleNamespace(
            max_file_bytes=5_242_880,
            view=lambda *_: EVIDENCE["empty"],
            hand_in=self._called("hand_in", "submission-1"),
            withdraw=self._called("withdraw"),
            waiting=lambda session, ids: dict.fromkeys(ids, 0),
            listed=lambda *_, **__: SUBMISSIONS["usual"],
            submission=lambda *_: JUDGING["usual"],
            judge=self._called("judge"),
            file=self._called("file", StoredFile("Shade.pdf", "application/pdf", b"%PDF-1.7", "learner-1")),
        )
        answer = DeepLinkingAnswer(
            "https://moodle.example.edu/mod/lti/contentitem_return.php?course=2", "a.b.c"
        )
        self.configuring = SimpleNamespace(
            picker=lambda session: self.picker_view,
            describe=self._called("describe", answer),
            choose=self._called("choose", answer),
            keep=self._called("keep", answer),
            fail=self._called("fail", answer),
            cancel=self._called("cancel", answer),
            save_draft=self._called("save_draft"),
            preview_artwork=self._called("preview_artwork", PICTURES["version-data"]),
        )
        self.verifying = SimpleNamespace(
            verify=lambda data: self._record("verify", data) or self.report,
            verify_url=lambda url: self._record("verify_url", url) or self.report,
        )
        self.keyring = SimpleNamespace(jwks=lambda: {"keys": []})
        self.launch_validator = SimpleNamespace(
            storage_for=lambda form, cookies: None,
            validate=self._called("validate", SimpleNamespace(nonce=NONCE)),
        )
        self.readiness = dict
        self.staffing = SampleStaffing(SECRET, self._record)
        self.inviting = SampleInviting(self._record)
        self.privacy = SimpleNamespace(
            person_of_launch=lambda _: PEOPLE["usual"],
            person=lambda *_: PEOPLE["usual"],
            export=self._handed_out("export"),
            export_own=self._handed_out("export_own"),
            erase=self._called("erase", PEOPLE["usual"].counts),
        )
        self.overview = sample_overview()
        self.records = SimpleNamespace(
            counts=lambda organisation_id: {"awards": 1234, "completions": 1},
            take=self._called("take", iter(())),
        )
        self.pictures = SamplePictures(self._called)
        self.frameworks = sample_frameworks(self._called)
        self.endorsing = sample_endorsing(self._called)
        self.health = sample_health(self._record)
        self.checking = SimpleNamespace(check=lambda *_: CHECKED)
        self.administering = SimpleNamespace(
            **{name: self._called(name) for name in ADMINISTERING},
            approve_deployment=self._called("approve_deployment", deployment()),
            disable_deployment=self._called("disable_deployment", deployment()),
            set_frame_origins=self._called("set_frame_origins", deployment()),
            revoke_credential=self._called("revoke_credential", "learner-1"),
            suspend_credential=self._called("suspend_credential", "learner-1"),
            resume_credential=self._called("resume_credential", "learner-1"),
        )
        self.issuers = SimpleNamespace(
            **{name: self._called(name) for name in ISSUERS}, add=self._called("add", "issuer-1")
        )
        self.correcting = SampleCorrecting(self._called)
        self.versions = SampleVersions(self._called)
        self.retroactive = SampleRetroactive(self._called)
        self.milestones = SampleMilestones(self._called)
        self.milestone_versions = SampleMilestoneVersions(self._called)
        self.currency = SampleCurrency(self._called)
        self.reissuing = SimpleNamespace(
            newest_of=lambda *_: None,
            rotate=self._called("rotate", "kid"),
            compromise=self._called("compromise"),
        )

    def _record(self, *call: Any) -> None:
        self.calls.append(call)

    def _handed_out(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._record(name, *arguments)
            return archive()

        return call

    def _called(self, name: str, answer: Any = None) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, *arguments))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def _course(self, session: SessionView, *, page: int = 1, per_page: int = 50) -> CourseProgressView:
        if not session.can_view_progress:
            raise NotAllowed(ErrorCode.NOT_ALLOWED)
        return self.course_view

    def _matrix(
        self, session: SessionView, placement_id: str, wanted: Wanted, *, page: int, per_page: int
    ) -> MatrixView:
        self.calls.append(("matrix", placement_id, wanted, page))
        view: MatrixView = self._of_staff(session, self.matrix_view)
        return view

    def _of_staff(self, session: SessionView, view: Any) -> Any:
        if not session.can_view_progress:
            raise NotAllowed(ErrorCode.NOT_ALLOWED)
        return view

    def _pathways(self, staff: Any, **asked: Any) -> PathwayPage:
        self._record("pathways", asked)
        return self.pathway_page

    def _placement(self, organisation_id: str, context_id: str, placement_id: str) -> None:
        known = ("placement-1", "placement-2")
        if (organisation_id, context_id) != ("organisation-1", "context-1") or placement_id not in known:
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)

    def _run(self, organisation_id: str, run_id: str) -> RunView:
        if (organisation_id, run_id) != ("organisation-1", "run-1"):
            raise NotFound(ErrorCode.NOT_FOUND)
        return run()


class _Compiled(BytecodeCache):
    """Templates compiled once for all applications of a test run."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def sample_app(tool: Sample, **config: Any) -> Flask:
    """The web room on sample services."""
    app = Flask("lti_tool", template_folder=str(packaged_folder("templates")), static_folder=None)
    app.config.update(config)
    app.jinja_options = {"bytecode_cache": _COMPILED}
    register(app, tool)  # type: ignore[arg-type]
    return app
