"""Simulations, matrices and explanations as services would give them, in each of their states."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lti_tool.domain.awarding import (
    Candidate,
    Decision,
    Exclusion,
    Proof,
    Standing,
    Verdict,
    decide_award,
)
from lti_tool.domain.criteria import (
    AllOf,
    Attested,
    Criterion,
    EvidenceAccepted,
    GatePassed,
    MeanAtLeast,
    ScoreAtLeast,
    Term,
    leaves,
)
from lti_tool.domain.evidence import Detail, Evidence, Fact
from lti_tool.domain.freshness import Freshness
from lti_tool.errors import ErrorCode
from lti_tool.services.evidence_channels import ChannelState, ChannelView
from lti_tool.services.explaining import ExplanationView
from lti_tool.services.matrix import MatrixRow, MatrixView, Order, Wanted
from lti_tool.services.simulating import (
    Outcome,
    OutcomeGroup,
    SimulatedCriterion,
    SimulatedLearner,
    SimulationView,
    outcome_of,
)
from lti_tool.store.groups import GroupRow
from lti_tool.store.matrix import PastDecision
from lti_tool.store.wallets import EarnedView
from tests.unit.web.sample_views import LONG_WORD, NOW, run, score

QUIZ = ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60))
FORUM = GatePassed("forum", "Discuss a data set in the forum and answer two others")
LAB = Attested("lab", "Laboratory safety")
REPORT = EvidenceAccepted("report", "Field report", "What you found.", ("Sources are named",))
MEAN = MeanAtLeast("mean", "Exercises", (Term("e1", "Exercise 1"), Term("e2", "Exercise 2")), Decimal(70))
TREE: Criterion = AllOf((QUIZ, FORUM, LAB, REPORT, MEAN))

NAMES = (
    "Ada Lovelace",
    "Ben Kim",
    '=HYPERLINK("https://evil.example")',
    "<script>alert(1)</script>",
    f"Dagmar {LONG_WORD}",
    None,
    "نور الهدى",
    "Žofie Nováková",
)


def evidence(number: int) -> Evidence:
    """Different for each of a few learners, from everything to nothing."""
    scores = {
        "quiz-1": score(str(95 - 12 * number)) if number < 6 else score(None),
        "e1": score("80"),
        "e2": score(str(90 - 10 * number)),
    }
    if number > 6:
        scores.pop("quiz-1")
    details = (Detail.NOTHING, Detail.SUBMITTED, Detail.RETURNED)
    facts = {
        "forum": Fact(number < 4, NOW - timedelta(days=2), NOW - timedelta(minutes=2)),
        "lab": Fact(number % 2 == 0, NOW - timedelta(days=1)),
        "report": Fact(number < 2, NOW, None, "" if number < 2 else details[number % 3]),
    }
    return Evidence(scores, facts)


def decisions(criterion: Criterion = TREE) -> tuple[Decision, ...]:
    """One for each name."""
    return tuple(
        decide_award(criterion, Candidate(f"learner-{number}", evidence(number), number == 1), NOW)
        for number in range(len(NAMES))
    )


def channels(criterion: Criterion = TREE, *, works: bool = True) -> tuple[ChannelView, ...]:
    """Everything read two minutes ago, or each in another trouble."""
    ok = {"quiz-1": ChannelState.READ, "forum": ChannelState.READ, "mean": ChannelState.READ}
    bad = {
        "quiz-1": ChannelState.NOT_CREATED,
        "forum": ChannelState.GATE_OPEN,
        "mean": ChannelState.TROUBLE,
    }
    kinds = {"quiz-1": "score", "forum": "gate", "lab": "attested", "report": "evidence", "mean": "mean"}
    found = []
    for index, leaf in enumerate(leaves(criterion)):
        state = (ok if works else bad).get(leaf.key, ChannelState.OWN)
        is_trouble = state is ChannelState.TROUBLE
        found.append(
            ChannelView(
                index,
                leaf,
                kinds[leaf.key],
                state,
                NOW - timedelta(minutes=2) if state in (ChannelState.READ, ChannelState.TROUBLE) else None,
                not is_trouble,
                ErrorCode.PLATFORM_BUSY if is_trouble else None,
                "gate-1" if leaf.key == "forum" else None,
            )
        )
    return tuple(found)


def simulation(**changes: Any) -> SimulationView:
    """Everything read."""
    made = decisions()
    groups = []
    for outcome in Outcome:
        of_it = [one for one in made if outcome_of(one) is outcome]
        named = tuple(
            SimulatedLearner(one.learner_id, NAMES[int(one.learner_id[8:])], one.finding, one.met_at)
            for one in of_it
        )
        groups.append(OutcomeGroup(outcome, len(of_it) + (200 if outcome is Outcome.NOT_YET else 0), named))
    known = tuple(SimulatedCriterion(channel, 3, 4, 1) for channel in channels())
    plain = SimulationView(
        placement_id="placement-1",
        name="Open Data Basics",
        status="draft",
        has_badge=True,
        criterion=TREE,
        learners=sum(group.count for group in groups),
        not_counted={Exclusion.STAFF: 2, Exclusion.LEFT: 1},
        groups=tuple(groups),
        criteria=known,
        roster_read_at=NOW - timedelta(minutes=3),
        roster_is_complete=True,
        roster_trouble=None,
        run=None,
    )
    return replace(plain, **changes)


NOBODY = tuple(OutcomeGroup(outcome, 0, ()) for outcome in Outcome)
SIMULATIONS = {
    "usual": simulation(),
    "published": simulation(status="active", has_badge=False),
    "blind": simulation(
        criteria=tuple(SimulatedCriterion(channel, 0, 0, 8) for channel in channels(works=False)),
        roster_is_complete=False,
        roster_trouble=ErrorCode.PLATFORM_TIMED_OUT,
    ),
    "unread": simulation(roster_read_at=None, learners=0, groups=NOBODY, not_counted={}),
    "being-read": simulation(roster_read_at=None, learners=0, groups=NOBODY, not_counted={}, run=run()),
    "nobody": simulation(learners=0, groups=NOBODY, not_counted={}),
}


def matrix_rows() -> tuple[MatrixRow, ...]:
    """A row for each name."""
    return tuple(
        MatrixRow(
            one.learner_id,
            NAMES[number],
            f"{number}",
            one.verdict if number != 4 else Verdict.EXCLUDED,
            one.state,
            Exclusion.NOT_A_STUDENT if number == 4 else None,
            tuple(one.finding.leaves()),
            NOW - timedelta(days=1) if one.verdict is Verdict.HELD else None,
            False,
        )
        for number, one in enumerate(decisions())
    )


def matrix(**changes: Any) -> MatrixView:
    """The first of two pages."""
    rows = matrix_rows()
    plain = MatrixView(
        placement_id="placement-1",
        name="Open Data Basics",
        status="active",
        has_badge=True,
        channels=channels(),
        rows=rows,
        wanted=Wanted(),
        page=1,
        pages=2,
        found=58,
        learners=58,
        roster_read_at=NOW - timedelta(minutes=3),
        roster_is_complete=True,
        roster_trouble=None,
        freshness=Freshness(NOW - timedelta(minutes=3), NOW + timedelta(minutes=2), None),
    )
    return replace(plain, **changes)


MATRICES = {
    "usual": matrix(),
    "trouble": matrix(
        status="draft",
        channels=channels(works=False),
        roster_read_at=None,
        roster_is_complete=False,
        roster_trouble=ErrorCode.PLATFORM_TOKEN_REFUSED,
    ),
    "narrowed": matrix(
        wanted=Wanted(
            Order.CRITERION,
            descending=True,
            order_leaf=1,
            name="a",
            standing=Standing.NOT_YET,
            leaf=0,
            leaf_state="not_met",
        ),
        page=2,
        found=53,
    ),
    "groups": matrix(
        groups=(GroupRow("group-1", "Team <A>"), GroupRow("group-2", LONG_WORD)),
        wanted=Wanted(group_id="group-2"),
        found=3,
        pages=1,
    ),
    "nobody": matrix(rows=(), pages=1, found=0, wanted=Wanted(name="zz")),
    "empty": matrix(rows=(), pages=1, found=0, learners=0, roster_read_at=None),
}


def explanation(number: int = 3, **changes: Any) -> ExplanationView:
    """One learner with a past."""
    decision = decisions()[number]
    past = tuple(
        PastDecision(f"{index:032x}", verdict, state, letters, NOW - timedelta(days=index), index == 0)
        for index, (verdict, state, letters) in enumerate(
            (("not_yet", "not_met", "NMMUU"), ("not_yet", "unknown", "UMUUU"), ("not_yet", "unknown", ""))
        )
    )
    plain = ExplanationView(
        placement_id="placement-1",
        status="active",
        micromodule="Open Data Basics",
        achievement_version_id="version-data",
        image_alt="A green hexagon with a database",
        learner_id=decision.learner_id,
        learner_name=NAMES[number],
        decision=decision,
        proof=Proof.LAUNCH,
        proved_at=NOW - timedelta(days=3),
        earned=None,
        channels=channels(),
        comments={"report": "Please name your sources.\nAnd the date."},
        history=past,
        has_older=True,
        roster_read_at=NOW,
    )
    return replace(plain, **changes)


EARNED = EarnedView(
    award_id="award-1",
    learner_id="learner-1",
    credential_id="credential-1",
    is_signed=True,
    achievement_version_id="version-data",
    name="Research Data",
    description="",
    skills=(),
    image_alt="A green hexagon with a database",
    issuer_name="Example University",
    context_title="Research Data Management",
    awarded_at=NOW - timedelta(days=1),
    met_at=NOW - timedelta(days=2),
    revoked_at=None,
    revocation_reason=None,
    is_public=False,
)
EXPLANATIONS = {
    "usual": explanation(),
    "returned": explanation(5),
    "earned": explanation(0, earned=EARNED),
    "review": explanation(1, earned=EARNED),
    "revoked": explanation(1, earned=replace(EARNED, revoked_at=NOW, revocation_reason="Issued by mistake.")),
    "draft": explanation(0, status="draft", history=(), has_older=False),
    "unproved": explanation(
        0, decision=decisions()[0]._replace(verdict=Verdict.UNPROVED), proof=Proof.NONE, proved_at=None
    ),
    "staff": explanation(
        6,
        decision=decisions()[6]._replace(verdict=Verdict.EXCLUDED, exclusion=Exclusion.STAFF),
        proof=Proof.NONE,
        proved_at=None,
        history=(),
        has_older=False,
    ),
}
