"""Views of the staff pages, in each of their states, as services would give them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.domain.freshness import Staleness
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotAllowed
from lti_tool.services.criteria_format import dump_criteria, dump_evidence
from lti_tool.services.issuer_keys import IssuerKey
from lti_tool.services.overview import (
    CategoryDetail,
    CourseDetail,
    DecisionView,
    Health,
    HolderDetail,
    HolderList,
    IssuerDetail,
    MicromoduleDetail,
    MicromoduleList,
    Page,
    PlacedView,
    RegistrationDetail,
    Trail,
    VersionView,
)
from lti_tool.services.staffing import HandOver, SignedIn, SignInLink, StaffView
from lti_tool.store.audit import EventFilter, EventRow
from lti_tool.store.catalogue import CategoryRow, MicromoduleRow, PlacedInRow, VersionRow
from lti_tool.store.categories import ChangeRow
from lti_tool.store.credentials import CredentialView
from lti_tool.store.holders import DecisionRow, HolderFilter, HolderRow, LearnerRow
from lti_tool.store.issuers import IssuerRow
from lti_tool.store.oversight import (
    ColumnRow,
    Counts,
    CourseRow,
    DeploymentRow,
    PlacedRow,
    RegistrationRow,
    UnwrittenScore,
)
from lti_tool.store.runs import RunView
from lti_tool.store.staff import MemberView
from lti_tool.store.wallets import EarnedView
from tests.unit.web.sample_views import ACHIEVEMENT, BASE_URL, LONG_WORD, NOW, TREE, freshness, score

DID = "did:web:badges.example.edu:issuers:issuer-1"


def staff(role: StaffRole = StaffRole.OWNER, **changes: Any) -> StaffView:
    """Somebody who is signed in."""
    plain = StaffView(
        session_id="staff-session-1",
        organisation_id="organisation-1",
        organisation_name="Example University",
        actor="staff:member-1",
        name="Olivia Owner",
        role=role,
        registration_id=None,
        expires_at=NOW + timedelta(hours=3),
    )
    return replace(plain, **changes)


def member(number: int, name: str, role: StaffRole = StaffRole.READER, **changes: Any) -> MemberView:
    """Somebody of the staff."""
    plain = MemberView(
        f"member-{number}",
        "organisation-1",
        name,
        f"person{number}@example.edu",
        role,
        True,
        NOW - timedelta(days=40),
        NOW - timedelta(hours=number),
    )
    return replace(plain, **changes)


MEMBERS = (
    member(1, "Olivia Owner", StaffRole.OWNER),
    member(2, "Edgar Editor", StaffRole.EDITOR, last_signed_in_at=None),
    member(3, "Rita Reviewer", StaffRole.REVIEWER, email=None),
    member(4, LONG_WORD, is_active=False),
)
LINK = SignInLink(f"{BASE_URL}/staff/sign-in#{'a' * 43}", NOW + timedelta(minutes=15), MEMBERS[1])
HAND_OVER = HandOver(f"{BASE_URL}/staff/sign-in#{'b' * 43}", NOW + timedelta(minutes=5))


def counts(**changes: Any) -> Counts:
    """A healthy organisation."""
    plain = Counts(
        courses=12,
        learners=1840,
        badges=731,
        registrations_pending=0,
        deployments_held=0,
        rosters_in_trouble=0,
        columns_in_trouble=0,
        courses_unread=0,
        oldest_read_at=NOW - timedelta(hours=9),
        awards_unsigned=0,
        scores_refused=0,
        unproved=0,
    )
    return replace(plain, **changes)


EVERYTHING_WRONG = counts(
    registrations_pending=1,
    deployments_held=2,
    rosters_in_trouble=1,
    columns_in_trouble=3,
    courses_unread=1,
    oldest_read_at=NOW - timedelta(days=6),
    awards_unsigned=4,
    renewals_unsigned=2,
    scores_refused=2,
    unproved=7,
)
HEALTH = {
    "well": Health(counts(), is_worker_alive=True, queue_length=0, is_stale=False),
    "troubled": Health(EVERYTHING_WRONG, is_worker_alive=False, queue_length=None, is_stale=True),
    "new": Health(
        counts(courses=0, learners=0, badges=0, oldest_read_at=None),
        is_worker_alive=True,
        queue_length=1,
        is_stale=False,
    ),
}


def registration(status: str = "approved", **changes: Any) -> RegistrationRow:
    """A learning platform."""
    plain = RegistrationRow(
        id="registration-1",
        name="Moodle of Example University",
        issuer="https://moodle.example.edu",
        client_id="aB3dE6gH9",
        product="moodle",
        status=status,
        is_disabled_by_operator=False,
        administrator_role=None,
        allows_anonymous=False,
        approves_deployments=False,
        created_at=NOW - timedelta(days=90),
        auth_url="https://moodle.example.edu/mod/lti/auth.php",
        token_url="https://moodle.example.edu/mod/lti/token.php",
        jwks_url="https://moodle.example.edu/mod/lti/certs.php",
        is_shared=False,
        is_own=True,
        deployments=1,
        held=0,
        last_launched_at=NOW - timedelta(minutes=5),
    )
    return replace(plain, **changes)


def deployment(status: str = "approved", **changes: Any) -> DeploymentRow:
    """One place of the tool in it."""
    plain = DeploymentRow(
        id="deployment-1",
        registration_id="registration-1",
        registration_name="Moodle of Example University",
        id_on_platform="3",
        organisation_id="organisation-1",
        status=status,
        is_disabled_by_operator=False,
        frame_origins=(),
        first_seen_at=NOW - timedelta(days=80),
        approved_at=NOW - timedelta(days=79),
        courses=12,
        last_launched_at=NOW - timedelta(minutes=5),
    )
    return replace(plain, **changes)


HELD = deployment(
    "held", id="deployment-2", id_on_platform=LONG_WORD, organisation_id=None, approved_at=None, courses=0
)
REGISTRATIONS = {
    "usual": RegistrationDetail(registration(administrator_role="editor"), (HELD, deployment())),
    "pending": RegistrationDetail(registration("pending", deployments=0, last_launched_at=None), ()),
    "disabled": RegistrationDetail(registration("disabled"), (deployment("disabled"),)),
    "closed": RegistrationDetail(
        registration("disabled", is_disabled_by_operator=True),
        (deployment("disabled", is_disabled_by_operator=True),),
    ),
    "canvas": RegistrationDetail(registration(is_own=False, product="canvas"), ()),
    "shared": RegistrationDetail(
        registration(is_shared=True, is_own=False, product="canvas"), (deployment(),)
    ),
}


def course(**changes: Any) -> CourseRow:
    """A course in order."""
    plain = CourseRow(
        id="context-1",
        title="Micromodule 1: Open Data",
        label="MM1",
        platform="Moodle of Example University",
        micromodules=1,
        learners=30,
        last_launched_at=NOW - timedelta(minutes=5),
        roster_read_at=NOW - timedelta(minutes=2),
        roster_is_complete=True,
        roster_trouble=None,
        columns_in_trouble=0,
        scores_refused=0,
    )
    return replace(plain, **changes)


TROUBLED_COURSE = course(
    id="context-2",
    title=LONG_WORD,
    roster_read_at=None,
    roster_trouble="platform_paging_broken",
    columns_in_trouble=2,
    scores_refused=1,
)


def page_of(*rows: Any, number: int = 1, pages: int = 1, total: int | None = None) -> Page[Any]:
    """A page of a list."""
    return Page(rows, number, pages, len(rows) if total is None else total)


COURSE_LISTS = {
    "usual": page_of(course(), TROUBLED_COURSE, number=2, pages=3, total=112),
    "empty": page_of(),
}


def column(tag: str = "mirror", **changes: Any) -> ColumnRow:
    """A gradebook column."""
    plain = ColumnRow(
        "placement-1",
        "Quiz 1 · mirrored",
        tag,
        True,
        NOW - timedelta(minutes=2),
        NOW - timedelta(days=3),
        True,
        None,
    )
    return replace(plain, **changes)


PLACED = PlacedRow("placement-1", "micromodule-1", "Research Data", 1, "active", NOW - timedelta(days=20))
COURSE_DETAILS = {
    "usual": CourseDetail(course(), (PlacedView(PLACED, (column("award"), column())),), (), freshness()),
    "troubled": CourseDetail(
        TROUBLED_COURSE,
        (
            PlacedView(
                PLACED,
                (
                    column(trouble="column_missing"),
                    column("attest", label="Essay", first_value_at=None, read_at=None),
                    column("attest", label="Peer review", is_created=False),
                ),
            ),
            PlacedView(replace(PLACED, placement_id="placement-2", status="draft"), ()),
        ),
        (
            UnwrittenScore("learner-1", "Ada Lovelace", "placement-1", "refused", "platform_refused", NOW),
            UnwrittenScore("learner-2", None, "placement-1", "kept", None, None),
        ),
        freshness(Staleness.PLATFORM_RESTS),
    ),
    "empty": CourseDetail(course(title=None, label=None), (), (), None),
}


def issuer(**changes: Any) -> IssuerRow:
    """An issuer with a profile."""
    plain = IssuerRow(
        "issuer-1",
        "Example University",
        "https://www.example.edu",
        "badges@example.edu",
        "Teaches and examines.",
        NOW - timedelta(days=400),
        4,
        731,
        is_default=True,
        terms_url="https://www.example.edu/badge-terms",
    )
    return replace(plain, **changes)


KEYS = (
    IssuerKey("kP9v0rYq1b2c3d4e5f6g7h8i9j0kAbCdEfGhIjKlMnO", "active", NOW - timedelta(days=30), None),
    IssuerKey(
        "zZ8v0rYq1b2c3d4e5f6g7h8i9j0kAbCdEfGhIjKlMnO",
        "retired",
        NOW - timedelta(days=400),
        NOW - timedelta(days=30),
    ),
    IssuerKey(
        "aA8v0rYq1b2c3d4e5f6g7h8i9j0kAbCdEfGhIjKlMnO",
        "compromised",
        NOW - timedelta(days=500),
        NOW - timedelta(days=400),
    ),
)
ISSUERS = {
    "usual": IssuerDetail(issuer(), DID, KEYS, are_keys_readable=True),
    "new": IssuerDetail(
        issuer(url=None, email=None, description=None, credentials=0), DID, (), are_keys_readable=True
    ),
    "broken": IssuerDetail(issuer(), DID, (), are_keys_readable=False),
    "further": IssuerDetail(
        issuer(is_default=False, name=LONG_WORD, offers_refresh=True, token_algorithm="ES256"),
        DID,
        KEYS[:1],
        are_keys_readable=True,
    ),
    "retired": IssuerDetail(
        issuer(is_default=False, retired_at=NOW - timedelta(days=3)), DID, KEYS, are_keys_readable=True
    ),
}


def reissue(**changes: Any) -> RunView:
    """A run that signs the badges of a key anew."""
    plain = RunView(
        "run-1",
        "organisation-1",
        "reissue",
        None,
        "running",
        "credentials",
        1200,
        4800,
        {},
        None,
        NOW,
        NOW,
        None,
    )
    return replace(plain, **changes)


REISSUES = {
    "signing-anew": reissue(),
    "last-look": reissue(step="last_look", done=4800),
    "signed-anew": reissue(status="done", finished_at=NOW, done=4800, counts={"reissued": 4800}),
    "signed-anew-failed": reissue(status="done", finished_at=NOW, counts={"reissued": 4799, "failed": 1}),
}
CATEGORIES = (CategoryRow("category-1", "Data", 2), CategoryRow("category-2", LONG_WORD, 0))


def micromodule(**changes: Any) -> MicromoduleRow:
    """A micromodule in use."""
    plain = MicromoduleRow(
        id="micromodule-1",
        name="Research Data",
        description="Plans, documents and shares research data responsibly.",
        version=2,
        achievement_version_id="version-data",
        image_alt="A green hexagon with a database",
        courses=3,
        holders=210,
        completions=214,
        created_at=NOW - timedelta(days=200),
        archived_at=None,
        categories=("Data",),
    )
    return replace(plain, **changes)


PLAIN_MICROMODULE = micromodule(
    id="micromodule-2",
    name=LONG_WORD,
    achievement_version_id=None,
    courses=0,
    holders=0,
    completions=0,
    archived_at=NOW - timedelta(days=2),
    categories=(),
)
MICROMODULE_LISTS = {
    "usual": MicromoduleList((micromodule(), PLAIN_MICROMODULE), CATEGORIES, CATEGORIES[0], False),
    "archived": MicromoduleList((PLAIN_MICROMODULE,), CATEGORIES, None, True),
    "empty": MicromoduleList((), (), None, False),
}


def version(number: int, **changes: Any) -> VersionView:
    """A version of the micromodule."""
    row = VersionRow(
        f"micromodule-version-{number}",
        number,
        "Research Data",
        dump_criteria(TREE),
        "version-data",
        3,
        105,
        NOW - timedelta(days=100 * number),
    )
    row = replace(row, **changes)
    return VersionView(row, TREE, ACHIEVEMENT if row.achievement_version_id else None)


PLACED_IN = PlacedInRow("context-1", "Micromodule 1: Open Data", "Moodle of Example University", 2, "active")
MICROMODULES = {
    "usual": MicromoduleDetail(
        micromodule(),
        (version(2), version(1, name="Data", achievement_version_id=None)),
        (PLACED_IN,),
        CATEGORIES,
        frozenset({"category-1"}),
    ),
    "archived": MicromoduleDetail(PLAIN_MICROMODULE, (version(1),), (), (), frozenset()),
}
CATEGORY = CategoryDetail(
    CATEGORIES[0],
    (micromodule(), replace(PLAIN_MICROMODULE, archived_at=None), micromodule(id="micromodule-3")),
    Page(
        (
            ChangeRow("micromodule-1", "Research Data", "added", "staff:member-1", NOW),
            ChangeRow("micromodule-2", LONG_WORD, "removed", "cli", NOW - timedelta(days=2)),
        ),
        2,
        3,
        120,
    ),
    {"staff:member-1": "Grace Hopper"},
)
NEW_CATEGORY = CategoryDetail(CATEGORIES[1], (), Page((), 1, 1, 0), {})
HOLDER = HolderRow(
    "learner-1", "Ada Lovelace", "Moodle of Example University", 2, 0, 0, 0, 0, NOW - timedelta(days=2)
)
NAMES = (("micromodule-1", "Research Data"), ("micromodule-2", LONG_WORD))
HOLDER_LISTS = {
    "usual": HolderList(
        page_of(
            HOLDER,
            replace(HOLDER, learner_id="learner-2", name=None, revoked=1, suspended=1, expired=1, unsigned=1),
            replace(HOLDER, learner_id="learner-3", name=LONG_WORD),
            number=2,
            pages=40,
            total=1984,
        ),
        HolderFilter("lov", "micromodule-1"),
        NAMES,
    ),
    "nobody-like-that": HolderList(page_of(), HolderFilter("zz"), NAMES),
    "nobody": HolderList(page_of(), HolderFilter(), ()),
}
LEARNER = LearnerRow(
    "learner-1",
    "Ada Lovelace",
    "ada@example.edu",
    "Moodle of Example University",
    False,
    NOW - timedelta(days=60),
    NOW - timedelta(days=1),
)


def earned(number: int, **changes: Any) -> EarnedView:
    """A badge of hers."""
    plain = EarnedView(
        f"award-{number}",
        "learner-1",
        f"credential-{number}",
        True,
        "version-data",
        "Research Data",
        "Plans, documents and shares research data responsibly.",
        (),
        "A green hexagon with a database",
        "Example University",
        "Micromodule 1: Open Data",
        NOW - timedelta(days=2),
        NOW - timedelta(days=2),
        None,
        None,
        False,
    )
    return replace(plain, **changes)


def decision(number: int, verdict: Verdict, known: dict[str, str]) -> DecisionView:
    """What was decided about her."""
    evidence = Evidence({key: score(value) for key, value in known.items()})
    finding = evaluate(TREE, evidence)
    row = DecisionRow(
        f"placement-{number}",
        "active",
        "context-1",
        "Micromodule 1: Open Data",
        "micromodule-1",
        "Research Data",
        2,
        "version-data",
        dump_criteria(TREE),
        verdict.value,
        finding.state.value,
        dump_evidence(evidence),
        NOW - timedelta(hours=number),
    )
    return DecisionView(row, finding)


HOLDERS = {
    "usual": HolderDetail(
        LEARNER,
        (
            earned(1, is_public=True),
            earned(2, credential_id=None, is_signed=False, name=LONG_WORD),
            earned(3, revoked_at=NOW, revocation_reason="Issued by mistake."),
            earned(4, status_purpose="suspension"),
            earned(5, status_purpose="suspension", suspended_at=NOW, suspension_reason="Being looked into."),
            earned(6, valid_until=NOW - timedelta(days=1)),
        ),
        (
            decision(1, Verdict.HELD, {"quiz-1": "85", "essay": "90"}),
            decision(2, Verdict.NOT_YET, {"quiz-1": "40"}),
        ),
    ),
    "nothing": HolderDetail(replace(LEARNER, name=None, email=None, last_launched_at=None), (), ()),
}
BADGE = CredentialView(
    id="credential-1",
    organisation_id="organisation-1",
    organisation_name="Example University",
    award_id="award-1",
    learner_id="learner-1",
    issuer_id="issuer-1",
    issuer_name="Example University",
    achievement_id="achievement-1",
    achievement_version_id="version-data",
    name="Research Data",
    description="Plans, documents and shares research data responsibly.",
    criteria_narrative="",
    skills=(),
    image_alt="A green hexagon with a database",
    status_list_id="list-1",
    status_index=7,
    document="{}",
    issued_at=NOW,
    awarded_at=NOW - timedelta(days=2),
    met_at=NOW - timedelta(days=2),
    revoked_at=None,
    revocation_reason=None,
    is_public=False,
)


def event(number: int, actor: str, action: str, kind: str, **detail: Any) -> EventRow:
    """A line of the audit log."""
    at = NOW - timedelta(hours=number)
    return EventRow(f"event-{number}", at, actor, action, kind, f"{kind}-1", detail)


EVENTS = (
    event(1, "staff:member-1", "credential.revoked", "credential"),
    event(2, "learner:learner-1", "credential.shared", "credential"),
    event(3, "cli", "deployment_approved", "deployment"),
    event(4, "rule", "something_from_a_newer_release", "thing", origins=["https://lms.example.edu"]),
    event(5, "staff:gone", "staff_role_changed", "staff_member", **{"from": "reader", "to": "editor"}),
    event(6, "staff:member-1", "picture.uploaded", "picture", sha256="0" * 64),
)
ACTORS = ("cli", "learner:learner-1", "rule", "staff:gone", "staff:member-1")
ACTOR_NAMES = {"staff:member-1": "Olivia Owner", "learner:learner-1": "Ada Lovelace"}
TRAILS = {
    "usual": Trail(page_of(*EVENTS, number=1, pages=2, total=60), EventFilter(), ACTORS, ACTOR_NAMES),
    "empty": Trail(page_of(), EventFilter(action="nothing"), (), {}),
}


class SampleStaffing:
    """One session, of whoever a test says; links that work once are for the real service."""

    def __init__(self, secret: str, record: Any) -> None:
        self.view = staff()
        self.administrator: StaffRole | None = StaffRole.OWNER
        self.secret = secret
        self.record = record
        self.members_view = MEMBERS

    def open_session(self, token: str) -> StaffView:
        if token != self.secret:
            raise NotAllowed(ErrorCode.STAFF_SIGN_IN_NEEDED)
        return self.view

    def sign_in(self, token: str, *, instead_of: str) -> SignedIn:
        self.record("sign_in", token, instead_of)
        if token != "good-link":
            raise NotAllowed(ErrorCode.STAFF_LINK_INVALID)
        return SignedIn(self.secret, self.view)

    def sign_out(self, token: str) -> None:
        self.record("sign_out", token)

    def csrf_token(self, token: str) -> str:
        return f"csrf-of-{token}"

    def members(self, by: StaffView) -> tuple[MemberView, ...]:
        return self.members_view

    def invite(self, by: StaffView, role: StaffRole, *, name: str | None, email: str | None) -> SignInLink:
        self.record("invite", role, name, email)
        return LINK

    def link(self, by: StaffView, member_id: str) -> SignInLink:
        self.record("link", member_id)
        return LINK

    def change_role(self, by: StaffView, member_id: str, role: StaffRole) -> None:
        self.record("change_role", member_id, role)

    def disable(self, by: StaffView, member_id: str) -> None:
        self.record("disable", member_id)

    def enable(self, by: StaffView, member_id: str) -> None:
        self.record("enable", member_id)

    def administrator_role(self, launched: object) -> StaffRole | None:
        return self.administrator

    def hand_over(self, launched: object) -> HandOver:
        if self.administrator is None:
            raise NotAllowed(ErrorCode.STAFF_NOT_ALLOWED)
        return HAND_OVER


def sample_overview() -> SimpleNamespace:
    """What the staff pages read; a test replaces what it is about."""
    return SimpleNamespace(
        health=lambda organisation_id: HEALTH["well"],
        registrations=lambda organisation_id: (
            registration("pending", id="registration-2", held=1, last_launched_at=None),
            registration(),
        ),
        registration=lambda organisation_id, id_: REGISTRATIONS["usual"],
        deployment=lambda organisation_id, id_: deployment(frame_origins=("https://lms.example.edu",)),
        courses=lambda organisation_id, **_: COURSE_LISTS["usual"],
        course=lambda organisation_id, id_: COURSE_DETAILS["usual"],
        issuers=lambda organisation_id: (
            issuer(),
            issuer(id="issuer-2", name=LONG_WORD, url=None, is_default=False),
        ),
        issuer=lambda organisation_id, id_: ISSUERS["usual"],
        micromodules=lambda organisation_id, **_: MICROMODULE_LISTS["usual"],
        micromodule=lambda organisation_id, id_: MICROMODULES["usual"],
        categories=lambda organisation_id: CATEGORIES,
        category=lambda organisation_id, id_, page=1: CATEGORY,
        holders=lambda organisation_id, wanted, **_: HOLDER_LISTS["usual"],
        holder=lambda organisation_id, id_: HOLDERS["usual"],
        credential=lambda organisation_id, id_: (BADGE, LEARNER),
        trail=lambda organisation_id, wanted, **_: TRAILS["usual"],
        trail_rows=lambda organisation_id, wanted: iter(
            [(one, ACTOR_NAMES.get(one.actor)) for one in EVENTS]
        ),
    )
