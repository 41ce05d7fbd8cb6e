"""Views as services would give them, for pages rendered without a database.

Every page has a sample of each of its states; the linting client, the screenshots and the accessibility
checks walk through all of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lti_tool.credentials.artwork import Artwork, render_svg
from lti_tool.credentials.endorsements import EndorsementJudgement, Standing
from lti_tool.credentials.verification import CredentialSummary, Outcome, Report, Step
from lti_tool.credentials.verification import Verdict as BadgeVerdict
from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import (
    AllOf,
    AtLeast,
    Attested,
    Channel,
    Criterion,
    EvidenceAccepted,
    GatePassed,
    MeanAtLeast,
    Purpose,
    ScoreAtLeast,
    Term,
    Unit,
    Within,
)
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Detail, Evidence, Fact, Score
from lti_tool.domain.freshness import Freshness, Staleness
from lti_tool.domain.gates import GateState
from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.domain.scoring import ScoreState
from lti_tool.errors import ErrorCode
from lti_tool.platforms import ColumnGuidance, TotalOptOut
from lti_tool.services.issuing import PublishedDocument
from lti_tool.services.launching import SessionView
from lti_tool.services.progress import (
    AttestedProgress,
    ColumnProgress,
    CourseProgressView,
    GateProgress,
    LearnerRow,
    PlacementProgress,
)
from lti_tool.services.public import PublicCredential
from lti_tool.services.scoring import AwardColumnView
from lti_tool.services.wallet import EarnedBadge, ProgressCard, WalletView
from lti_tool.store.micromodules import AchievementVersionView
from lti_tool.store.proofs import Doubted
from lti_tool.store.runs import RunView
from lti_tool.store.score_standings import GivenUp
from tests.unit.web.detail_views import DETAILS, RESULTS, WORK
from tests.unit.web.milestone_views import CARDS

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BASE_URL = "https://badges.example.edu"

QUIZ = ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60))
ESSAY = ScoreAtLeast("essay", "Essay", Decimal(12), Unit.POINTS, Channel.ATTEST, Purpose.FORMATIVE)
PEER = ScoreAtLeast("peer-review", "Peer review", Decimal(50), channel=Channel.ATTEST)
FORUM = ScoreAtLeast("forum", "Forum", Decimal(1), Unit.POINTS)
TREE: Criterion = AllOf((QUIZ, AtLeast(2, (ESSAY, PEER, FORUM))))
GATE = GatePassed("forum-and-page", "Forum and page")
TALK = Attested("talk", "Presentation")
REPORT = EvidenceAccepted("report", "Field report", "Two pages about your visit.")
COURSE_WORK = MeanAtLeast(
    "course-work", "Course work", (Term("quiz-1", "Quiz 1"), Term("essay", "Essay", Decimal(2))), Decimal(60)
)
MIXED: Criterion = AllOf((QUIZ, GATE, TALK))
EVERYTHING: Criterion = AllOf((QUIZ, COURSE_WORK, GATE, TALK, REPORT))
"""A rule of every kind that a course can ask for."""
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsprüfung"

PICTURES = {
    "version-data": render_svg(
        Artwork(
            "hexagon", "database", "#0b6a5d", "#ffffff", "Research Data", "A green hexagon with a database"
        )
    ),
    "version-writing": render_svg(
        Artwork("shield", "pencil", "#5b2a86", "#ffffff", "Academic Writing", "A violet shield with a pencil")
    ),
    "version-ethics": render_svg(
        Artwork("rosette", "scale", "#8a3b12", "#ffffff", "Ethics", "A brown rosette with scales")
    ),
}


def score(value: str | None, maximum: str = "100") -> Score:
    """A grade read two minutes ago."""
    return Score(
        None if value is None else Decimal(value),
        Decimal(maximum),
        NOW - timedelta(hours=3),
        NOW - timedelta(minutes=2),
    )


def session(**changes: Any) -> SessionView:
    """A learner's session in a badge link of a Moodle course."""
    plain = SessionView(
        id="session-1",
        organisation_id="organisation-1",
        registration_id="registration-1",
        deployment_id="deployment-1",
        learner_id="learner-1",
        learner_name="Ada Lovelace",
        context_id="context-1",
        context_title="Research Data Management",
        resource_link_id="link-1",
        placement_id="placement-1",
        link_role="badge",
        is_copied_link=False,
        can_view_progress=False,
        can_configure=False,
        is_learner=True,
        is_read_only=False,
        is_cookie_bound=True,
        locale="en",
        return_url="https://moodle.example.edu/course/view.php?id=2",
        frame_origins=("https://moodle.example.edu",),
        deep_linking=None,
        product="moodle",
        issuer="https://moodle.example.edu",
        expires_at=NOW + timedelta(hours=1),
    )
    return replace(plain, **changes)


TEACHER = session(learner_name="Grace Hopper", can_view_progress=True, can_configure=True, is_learner=False)
GRADER = replace(TEACHER, can_configure=False)
PICKING = replace(
    TEACHER,
    placement_id=None,
    resource_link_id=None,
    deep_linking=DeepLinkingSettings(
        "https://moodle.example.edu/mod/lti/contentitem_return.php?course=2",
        ("ltiResourceLink",),
        accept_multiple=False,
        accept_line_item=True,
        data="opaque",
    ),
)


def earned(number: int = 1, **changes: Any) -> EarnedBadge:
    """One badge of the wallet."""
    names = {
        1: ("version-data", "Research Data", "Plans, documents and shares research data responsibly."),
        2: ("version-writing", "Academic Writing", "Writes and revises a short academic text."),
        3: ("version-ethics", "Research Ethics", "Recognises and discusses ethical questions of research."),
    }
    version, name, description = names[number]
    plain = EarnedBadge(
        award_id=f"award-{number}",
        credential_id=f"credential-{number}",
        achievement_version_id=version,
        name=name,
        description=description,
        image_alt=f"The badge {name}",
        issuer_name="Example University",
        awarded_at=NOW - timedelta(days=10 * number),
        met_at=NOW - timedelta(days=10 * number + 1),
        skills=("Data management", "FAIR principles") if number == 1 else ("Writing",),
        is_revoked=False,
        revocation_reason=None,
        is_public=False,
        public_url=None,
        context_title="Research Data Management",
    )
    return replace(plain, **changes)


def progress_card(
    scores: dict[str, Score] | None = None, criterion: Criterion = TREE, **changes: Any
) -> ProgressCard:
    """A micromodule on the way."""
    evidence = Evidence(scores if scores is not None else {"quiz-1": score("40"), "essay": score("15", "20")})
    finding = evaluate(criterion, evidence)
    plain = ProgressCard(
        placement_id="placement-1",
        name="Research Data",
        description="Plans, documents and shares research data responsibly.",
        skills=("Data management", "FAIR principles"),
        achievement_version_id="version-data",
        image_alt="A green hexagon with a database",
        finding=finding,
        verdict=Verdict.NOT_YET,
        exclusion=None,
        read_at=NOW - timedelta(minutes=2),
        troubles=(),
    )
    return replace(plain, **changes)


def freshness(staleness: Staleness | None = None) -> Freshness:
    """Read two minutes ago and again soon; hours ago where something is in the way."""
    if staleness is None:
        return Freshness(NOW - timedelta(minutes=2), NOW + timedelta(seconds=20), None)
    read_at = None if staleness is Staleness.NEVER_READ else NOW - timedelta(hours=3)
    return Freshness(read_at, NOW + timedelta(minutes=12), staleness)


def wallet(**changes: Any) -> WalletView:
    """A wallet with two badges and one on the way."""
    plain = WalletView(
        earned=(
            earned(2, is_public=True, public_url=f"{BASE_URL}/credentials/credential-2"),
            earned(3),
        ),
        in_progress=(progress_card(),),
        issues_badges_here=True,
        is_read_only=False,
        is_staff_view=False,
        is_copied_link=False,
        freshness=freshness(),
    )
    return replace(plain, **changes)


def everything(**changes: Any) -> ProgressCard:
    """A rule of every kind, each in another state; the report came back with a comment."""
    finding = evaluate(
        AllOf((EVERYTHING, Within(TALK, NOW - timedelta(days=60), NOW - timedelta(days=30)))),
        Evidence(
            {"quiz-1": score("40"), "essay": score("65")},
            {
                "talk": Fact(True, NOW - timedelta(days=3), None, Detail.TOOL),
                "report": Fact(False, NOW - timedelta(days=2), None, Detail.RETURNED),
            },
        ),
    )
    comments = {"report": "Please name your sources.\nThe second page is missing."}
    return replace(progress_card(), finding=finding, comments=comments, **changes)


def revoked(number: int, **changes: Any) -> EarnedBadge:
    """A badge that was taken back."""
    taken = {"is_revoked": True, "state": BadgeState.REVOKED, "revocation_reason": "Issued by mistake."}
    return earned(number, **{**taken, **changes})


WALLETS = {
    "usual": wallet(),
    "draft": wallet(in_progress=(progress_card(is_draft=True, criterion=MIXED),), earned=()),
    "every-rule": wallet(in_progress=(everything(),), earned=()),
    "every-rule-read-only": wallet(in_progress=(everything(),), earned=(), is_read_only=True),
    "empty": wallet(earned=(), in_progress=(progress_card({}, read_at=None),)),
    "details": wallet(
        earned=(earned(1, details=DETAILS), earned(2, details=DETAILS, is_public=True, public_url=BASE_URL)),
        in_progress=(progress_card(details=DETAILS),),
    ),
    "no-micromodule": wallet(earned=(), in_progress=(), issues_badges_here=False),
    "no-course": wallet(in_progress=(), issues_badges_here=False),
    "signing": wallet(earned=(earned(1, credential_id=None),), in_progress=()),
    "revoked": wallet(earned=(revoked(1), earned(2)), in_progress=()),
    "expired": wallet(
        earned=(
            earned(1, state=BadgeState.EXPIRED, valid_until=NOW - timedelta(days=1)),
            earned(2, state=BadgeState.SUSPENDED, suspension_reason="Under review."),
            earned(3, valid_until=NOW + timedelta(days=300)),
        ),
        in_progress=(),
    ),
    "asked": wallet(earned=(earned(1, question_id="review-2"),), in_progress=()),
    "asked-twice": wallet(
        earned=(earned(1, question_id="review-2"), earned(2), earned(3, question_id="review-3")),
        in_progress=(progress_card(),),
    ),
    "trouble": wallet(
        in_progress=(progress_card({"quiz-1": score(None)}, troubles=(ErrorCode.PLATFORM_TIMED_OUT,)),)
    ),
    "busy-platform": wallet(freshness=freshness(Staleness.PLATFORM_RESTS)),
    "read-only": wallet(is_read_only=True),
    "anonymous": wallet(
        freshness=None,
        in_progress=(progress_card({}, read_at=None),),
        earned=(),
        is_read_only=True,
        is_anonymous=True,
    ),
    "excluded": wallet(in_progress=(progress_card(exclusion=Exclusion.LEFT, verdict=Verdict.EXCLUDED),)),
    "unproved": wallet(in_progress=(progress_card(verdict=Verdict.UNPROVED),), is_read_only=True),
    "copied": wallet(in_progress=(), is_copied_link=True, issues_badges_here=False),
    "staff": wallet(in_progress=(), is_staff_view=True, earned=()),
    "forgotten-gate": wallet(in_progress=(), is_staff_view=True, is_forgotten_gate=True, earned=()),
    "long-words": wallet(
        in_progress=(
            progress_card(
                None,
                replace(QUIZ, label=LONG_WORD),
                name=LONG_WORD,
                description=LONG_WORD,
                skills=(LONG_WORD,),
            ),
        ),
        earned=(earned(1, name=LONG_WORD, issuer_name=LONG_WORD, skills=(LONG_WORD,)),),
    ),
    "milestones": wallet(milestones=CARDS),
    "single-rule": wallet(in_progress=(progress_card({"quiz-1": score("40")}, QUIZ),), earned=()),
}

GUIDANCE = ColumnGuidance(
    "https://moodle.example.edu/grade/edit/tree/calculation.php?courseid=2&id=7",
    "https://moodle.example.edu/grade/edit/tree/item.php?courseid=2&id=7",
    "https://moodle.example.edu/grade/edit/tree/index.php?id=2",
)


def column(state: str = "values", **changes: Any) -> ColumnProgress:
    """The mirror column of Quiz 1."""
    is_created = state != "not_created"
    plain = ColumnProgress(
        line_item_id="column-1",
        evidence_key="quiz-1",
        tag=Channel.MIRROR,
        label="Quiz 1",
        state=state,
        first_value_at=NOW - timedelta(days=1) if state == "values" else None,
        read_at=NOW - timedelta(minutes=4) if is_created else None,
        is_complete=True,
        trouble=ErrorCode.COLUMN_MISSING if state == "trouble" else None,
        guidance=GUIDANCE if is_created else None,
        formula_example="=[[quiz1]]",
    )
    return replace(plain, **changes)


def learner(number: int, verdict: Verdict, value: str | None, **changes: Any) -> LearnerRow:
    """One row of the teacher's table."""
    names = ["Ada Lovelace", "Alan Turing", "Emmy Noether", "Katherine Johnson", "Mary Jackson", None]
    scores = {} if value is None else {"quiz-1": score(value)}
    finding = evaluate(QUIZ, Evidence(scores))
    plain = LearnerRow(
        learner_id=f"learner-{number}",
        name=names[number % len(names)],
        verdict=verdict,
        state=finding.state,
        finding=finding,
        exclusion=None,
        awarded_at=NOW - timedelta(days=2) if verdict in (Verdict.HELD, Verdict.REVIEW) else None,
        credential_id=f"credential-{number}" if verdict is Verdict.HELD else None,
        is_revoked=False,
        badge_state=BadgeState.ACTIVE if verdict is Verdict.HELD else None,
    )
    return replace(plain, **changes)


REVOKED_SINCE = learner(8, Verdict.REVIEW, "10", is_revoked=True, badge_state=BadgeState.REVOKED)
LEARNERS = (
    learner(0, Verdict.HELD, "90"),
    learner(1, Verdict.NOT_YET, "40"),
    learner(2, Verdict.NOT_YET, None),
    learner(3, Verdict.REVIEW, "20"),
    learner(4, Verdict.EXCLUDED, "80", exclusion=Exclusion.TEST_USER),
    learner(5, Verdict.HELD, "77", is_revoked=True, badge_state=BadgeState.REVOKED),
    learner(6, Verdict.UNPROVED, "90"),
)


def placement(*columns: ColumnProgress, **changes: Any) -> PlacementProgress:
    """One badge of the course."""
    plain = PlacementProgress(
        placement_id="placement-1",
        badge_link_key="key-1",
        name="Research Data",
        description="Plans, documents and shares research data responsibly.",
        skills=("Data management", "FAIR principles"),
        achievement_version_id="version-data",
        image_alt="A green hexagon with a database",
        status="active",
        criterion=TREE,
        columns=columns or (column(),),
        counts={"learners": 30, "earned": 12, "review": 1, "not_met": 9, "unknown": 7, "undecided": 2},
        rows=LEARNERS,
    )
    return replace(plain, **changes)


def run(status: str = "running", **changes: Any) -> RunView:
    """A reading of the course."""
    plain = RunView(
        id="run-1",
        organisation_id="organisation-1",
        kind="sync",
        context_id="context-1",
        status=status,
        step="results",
        done=40,
        total=100,
        counts={},
        error_code=None,
        created_at=NOW,
        started_at=NOW,
        finished_at=None,
    )
    return replace(plain, **changes)


def course(*placements: PlacementProgress, **changes: Any) -> CourseProgressView:
    """The teacher's page."""
    plain = CourseProgressView(
        placements=placements or (placement(),),
        roster_read_at=NOW - timedelta(minutes=4),
        roster_is_complete=True,
        roster_trouble=None,
        run=None,
        page=1,
        pages=1,
        learners=30,
        freshness=freshness(),
        total_opt_out=TotalOptOut.WEIGHT,
    )
    return replace(plain, **changes)


def gate(state: GateState, **changes: Any) -> GateProgress:
    """The gate of the forum and the page."""
    is_read = state is not GateState.WAITING
    passing = 30 if state is GateState.DOUBTED else 3
    plain = GateProgress(
        gate_id="gate-1",
        evidence_key="forum-and-page",
        label="Forum and page",
        state=state,
        listed=passing if is_read else 0,
        learners=30 if is_read else 0,
        read_at=NOW - timedelta(minutes=4) if is_read else None,
        trouble=None,
    )
    return replace(plain, **changes)


def mixed(
    *columns: ColumnProgress, state: GateState = GateState.WAITING, **changes: Any
) -> PlacementProgress:
    """A draft that asks for a quiz, a gate, and a teacher's word."""
    asked: dict[str, Any] = {
        "status": "draft",
        "criterion": MIXED,
        "gates": (gate(state),),
        "attested": (AttestedProgress("talk", "Presentation", 2),),
        "counts": {"learners": len(LEARNERS), "earned": 2, "waiting": 1},
    }
    return placement(*columns, **{**asked, **changes})


ATTEST = column("waiting", line_item_id="column-2", evidence_key="essay", tag=Channel.ATTEST, label="Essay")
COURSES = {
    "reviews": course(placement(column(), rows=(*LEARNERS, REVOKED_SINCE)), reviews=12, spared=2),
    "usual": course(),
    "first-run": course(placement(column("not_created"), rows=(), counts={}), roster_read_at=None),
    "waiting": course(placement(column("waiting"), ATTEST, rows=LEARNERS[1:3])),
    "attest-first-run": course(placement(replace(ATTEST, state="not_created"), rows=(), counts={})),
    "no-guidance": course(placement(column("waiting", guidance=None, formula_example=None))),
    "refused": course(placement(column("trouble", trouble=ErrorCode.PLATFORM_TOKEN_REFUSED))),
    "trouble": course(
        placement(column("trouble")),
        roster_trouble=ErrorCode.PLATFORM_PAGING_BROKEN,
        run=run("failed", error_code="platform_timed_out"),
    ),
    **{f"freshness-{staleness}": course(freshness=freshness(staleness)) for staleness in Staleness},
    "draft": course(mixed(column("not_created"), rows=(), counts={})),
    "draft-begun": course(mixed(column("waiting"), state=GateState.OPEN)),
    "draft-ready": course(mixed(column(), state=GateState.CONFIRMED)),
    "draft-grader": course(mixed(column("waiting"), state=GateState.OPEN)),
    "doubted": course(mixed(column(), state=GateState.DOUBTED, status="active")),
    "gate-trouble": course(
        placement(gates=(gate(GateState.CONFIRMED, trouble=ErrorCode.PLATFORM_TIMED_OUT),), criterion=MIXED)
    ),
    "people": course(
        placement(
            criterion=EVERYTHING,
            gates=(gate(GateState.CONFIRMED),),
            attested=(AttestedProgress("talk", "Presentation", 2),),
            takes_evidence=True,
            submissions_waiting=3,
        )
    ),
    "running": course(run=run()),
    "queued": course(run=run("waiting", total=None)),
    "pages": course(page=2, pages=3),
    "grader": course(placement(column("waiting"))),
    "nothing": replace(course(), placements=()),
    "long-words": course(placement(column("waiting", label=LONG_WORD), name=LONG_WORD, skills=(LONG_WORD,))),
}


def award(state: str, **changes: Any) -> dict[str, AwardColumnView]:
    """The award column of the course's badge."""
    plain = AwardColumnView("placement-1", state, None, {}, (), (), ())
    return {"placement-1": replace(plain, **changes)}


WAITING = (
    Doubted("placement-1", "learner-8", "Ida Sommer"),
    Doubted("placement-1", "learner-9", None),
)
REFUSED = (Doubted("placement-1", "learner-10", "Noel Tutor"),)
GIVEN_UP = (
    GivenUp("placement-1", "learner-11", "Finn Locke", "score_locked", has_badge=True),
    GivenUp("placement-1", "learner-12", LONG_WORD, "score_not_a_student", has_badge=True),
)
AWARDS = {
    "usual": award("written", counts={ScoreState.WRITTEN: 11, ScoreState.KEPT: 1}),
    "none": award("none"),
    "not-allowed": award("not_allowed", waiting=WAITING),
    "waiting": award("written", counts={ScoreState.WRITTEN: 1}, waiting=WAITING, refused=REFUSED),
    "given-up": award("written", given_up=GIVEN_UP),
    "trouble": award("trouble", trouble=ErrorCode.AWARD_COLUMN_REFUSED),
    "lost": award("trouble", trouble=ErrorCode.COLUMN_MISSING, refused=REFUSED),
}


def visitor(state: str) -> SessionView:
    """Who sees this state of the course page."""
    return GRADER if state.endswith("grader") else TEACHER


CREDENTIAL = PublicCredential(
    id="credential-2",
    url=f"{BASE_URL}/credentials/credential-2",
    name="Academic Writing",
    description="Writes and revises a short academic text.",
    criteria_narrative="All of these:\n- Quiz 1: at least 60 %\n- Essay: at least 12 points",
    skills=("Writing", "Revising"),
    image_alt="A violet shield with a pencil",
    achievement_id="achievement-2",
    achievement_version_id="version-writing",
    issuer_id="issuer-1",
    issuer_name="Example University",
    awarded_at=NOW - timedelta(days=20),
    met_at=NOW - timedelta(days=21),
    is_revoked=False,
    revoked_at=None,
    revocation_reason=None,
    document=b'{"type": ["VerifiableCredential", "OpenBadgeCredential"]}',
    state=BadgeState.ACTIVE,
    valid_until=None,
    suspension_reason=None,
    hosted_url=f"{BASE_URL}/ob2/assertions/credential-2",
)
REVOKED = replace(
    CREDENTIAL,
    id="revoked",
    is_revoked=True,
    revoked_at=NOW,
    revocation_reason="Issued by mistake.",
    state=BadgeState.REVOKED,
)
DETAILED = replace(CREDENTIAL, id="detailed", details=DETAILS, results=RESULTS, work=WORK)
EXPIRED = replace(CREDENTIAL, id="expired", state=BadgeState.EXPIRED, valid_until=NOW - timedelta(days=1))
SUSPENDED = replace(CREDENTIAL, id="suspended", state=BadgeState.SUSPENDED, suspension_reason="Under review.")
ACHIEVEMENT = AchievementVersionView(
    **{name: getattr(DETAILS, name) for name in DETAILS.names()},
    id="version-writing",
    organisation_id="organisation-1",
    organisation_name="Example University",
    achievement_id="achievement-2",
    number=1,
    name="Academic Writing",
    description="Writes and revises a short academic text.",
    criteria_narrative="Essay: at least 12 points",
    skills=("Writing",),
    language="en",
    image_alt="A violet shield with a pencil",
    created_at=NOW,
    issuer_id="issuer-1",
    issuer_name="Example University",
    issuer_url="https://www.example.edu",
    issuer_email=None,
    issuer_description=None,
)
DOCUMENT = PublishedDocument(b'{"id": "did:web:badges.example.edu"}', "application/vc+ld+json", 300)


def endorsed_report() -> Report:
    """A verification of a badge with an endorsement of every standing."""
    judged = tuple(
        EndorsementJudgement(
            standing,
            detail,
            issuer,
            name,
            endorsed,
            "What we ask of beginners.",
            None,
            {"url": "https://club.example/1"},
        )
        for standing, detail, issuer, name, endorsed in (
            (Standing.GENUINE, "signature_right", "did:web:chamber.example", LONG_WORD, "achievement"),
            (Standing.ENDED, "revoked", "did:web:guild.example", "Guild of Writers", "profile"),
            (Standing.FALSE, "signature_wrong", "did:web:ministry.example", "Ministry", "credential"),
            (Standing.UNCHECKED, "key_unreachable", "https://club.example/1", None, "other"),
        )
    )
    judged_badge = report(BadgeVerdict.INVALID)
    step = Step("endorsements", Outcome.FAILED, "endorsement_false", {"by": "Ministry"})
    return replace(judged_badge, steps=(*judged_badge.steps, step), endorsements=judged)


def record_report(verdict: BadgeVerdict) -> Report:
    """A verification of a learner's record with this outcome."""
    held = {
        BadgeVerdict.VALID: (report(BadgeVerdict.VALID), report(BadgeVerdict.VALID)),
        BadgeVerdict.INVALID: tuple(report(one) for one in BadgeVerdict),
        BadgeVerdict.INCONCLUSIVE: (report(BadgeVerdict.VALID), report(BadgeVerdict.INCONCLUSIVE)),
    }[verdict]
    outcome, detail = {
        BadgeVerdict.VALID: (Outcome.PASSED, "credentials_valid"),
        BadgeVerdict.INVALID: (Outcome.FAILED, "credential_invalid"),
        BadgeVerdict.INCONCLUSIVE: (Outcome.COULD_NOT_CHECK, "credential_unchecked"),
    }[verdict]
    params = {"name": LONG_WORD, "count": "1", "of": str(len(held))}
    whole = report(BadgeVerdict.VALID)
    unread = Report(BadgeVerdict.INVALID, (Step("read", Outcome.FAILED, "not_a_credential"),), None)
    return replace(
        whole,
        verdict=verdict,
        steps=(*whole.steps, Step("credentials", outcome, detail, params)),
        credentials=(*held, unread) if verdict is BadgeVerdict.INVALID else held,
    )


def report(verdict: BadgeVerdict) -> Report:
    """A verification with this outcome."""
    proof = {
        BadgeVerdict.VALID: Step("proof", Outcome.PASSED, "signature_right"),
        BadgeVerdict.INVALID: Step("proof", Outcome.FAILED, "signature_wrong"),
        BadgeVerdict.INCONCLUSIVE: Step(
            "proof",
            Outcome.COULD_NOT_CHECK,
            "key_unreachable",
            {"url": "https://issuer.example/issuers/0193f2c1d7e84a5b9c6d1e2f3a4b/did.json"},
        ),
    }[verdict]
    return Report(
        verdict,
        (
            Step("read", Outcome.PASSED, "read_json"),
            Step("structure", Outcome.PASSED, "complete"),
            proof,
            Step("validity", Outcome.PASSED, "valid_now"),
            Step("status", Outcome.SKIPPED, "no_status"),
        ),
        CredentialSummary(
            id="https://issuer.example/1",
            name="Academic Writing",
            description="Writes and revises a short academic text.",
            issuer_id="did:web:issuer.example",
            issuer_name="Example University",
            issuer_url=None,
            achievement_id=None,
            achievement_name="Academic Writing",
            achievement_description=None,
            criteria_narrative="Essay: at least 12 points",
            image_url=None,
            image_caption=None,
            skills=("Writing",),
            valid_from="2026-11-01T00:00:00Z",
            valid_until=None,
            awarded_at=None,
        ),
    )
