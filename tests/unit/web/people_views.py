"""Sample views of the pages on which people decide: confirming by hand, handing in, judging."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lti_tool.domain.criteria import Attested, Channel, EvidenceAccepted, EvidenceKind
from lti_tool.errors import ErrorCode
from lti_tool.platforms import TotalOptOut
from lti_tool.services.attesting import AttestList
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.evidence import EvidenceView, JudgeView, SubmissionList
from lti_tool.services.overview import Page
from lti_tool.store.attestations import AttestedRow, LearnerFilter
from lti_tool.store.placements import PlacementView
from lti_tool.store.submissions import FileRow, SubmissionFilter, SubmissionRow
from tests.unit.web.sample_views import LONG_WORD, NOW, column

TALK = Attested("talk", "Gave a talk")
PORTFOLIO = EvidenceAccepted(
    "portfolio",
    "Portfolio",
    "Show how you used open data in a project of your own.\nTwo pages are enough.",
    ("Names its sources", "Says what the data cannot show", "Is understandable without you"),
)


def placement(**changes: Any) -> PlacementView:
    """The placement of the sample pages."""
    plain = PlacementView(
        id="placement-1",
        organisation_id="organisation-1",
        context_id="context-1",
        badge_link_key="key-1",
        status="active",
        created_at=NOW,
        micromodule_version_id="micromodule-1",
        name="Research Data",
        description="Plans, documents and shares research data responsibly.",
        skills=("Data management",),
        criteria=dump_criteria(TALK),
        achievement_version_id="version-data",
        image_alt="A green hexagon with a database",
        product="moodle",
    )
    return replace(plain, **changes)


def learner(number: int, name: str | None, **changes: Any) -> AttestedRow:
    """A row of the list of learners; not confirmed."""
    plain = AttestedRow(f"learner-{number}", name, False, "", None, None, None, False)
    return replace(plain, **changes)


LEARNERS = (
    learner(2, "Alan Turing"),
    learner(
        3,
        "Emmy Noether",
        is_attested=True,
        reason="gave the talk on 3 May",
        by_name="Grace Hopper",
        at=NOW - timedelta(days=3),
    ),
    learner(4, "Katherine Johnson", in_column=True, in_column_at=NOW - timedelta(minutes=2)),
    learner(5, None, reason="It was somebody else.", by_name="Grace Hopper", at=NOW - timedelta(hours=2)),
)


def attest_list(*rows: AttestedRow, pages: int = 1, total: int = 0, **changes: Any) -> AttestList:
    """The page on which learners are confirmed."""
    shown = rows or LEARNERS
    plain = AttestList(
        placement(),
        TALK,
        Page(shown, 1, pages, total or len(shown)),
        LearnerFilter(),
        total or len(shown),
        2,
        None,
        TotalOptOut.WEIGHT,
    )
    return replace(plain, **changes)


ATTESTS = {
    "usual": attest_list(),
    "column": attest_list(
        column=column(evidence_key="talk", tag=Channel.ATTEST, label="Gave a talk", state="values")
    ),
    "column-trouble": attest_list(
        column=column(
            evidence_key="talk",
            tag=Channel.ATTEST,
            label="Gave a talk",
            state="trouble",
            trouble=ErrorCode.COLUMN_MISSING,
        ),
        total_opt_out=TotalOptOut.ASSIGNMENT_OPTION,
    ),
    "many": attest_list(pages=62, total=3_100),
    "nobody": replace(attest_list(), page=Page((), 1, 1, 0), learners=0, confirmed=0),
    "nobody-found": replace(attest_list(), page=Page((), 1, 1, 0), wanted=LearnerFilter("Zuse", "open")),
    "draft": attest_list(placement=placement(status="draft")),
    "long-words": attest_list(
        learner(6, LONG_WORD * 2, is_attested=True, reason=LONG_WORD * 3, by_name=LONG_WORD, at=NOW),
        rule=Attested("talk", LONG_WORD * 2),
    ),
}


def submission(number: int = 1, **changes: Any) -> SubmissionRow:
    """A submission that waits."""
    plain = SubmissionRow(
        id=f"submission-{number}",
        context_id="context-1",
        placement_id="placement-1",
        evidence_key="portfolio",
        learner_id="learner-1",
        learner_name="Ada Lovelace",
        number=number,
        state="submitted",
        text="I took the city's tree register and asked where shade is missing.\n\nThe data is in the file.",
        url="https://shade.example.org/report?year=2026",
        submitted_at=NOW - timedelta(hours=5),
        judged_at=None,
        judged_by_name=None,
        comment="",
        checklist=(),
        is_latest=True,
        files=(
            FileRow("file-1", "Shade report.pdf", "application/pdf", 1_370_000),
            FileRow("file-2", "trees.ods", "application/vnd.oasis.opendocument.spreadsheet", 48_200),
        ),
    )
    return replace(plain, **changes)


RETURNED = submission(
    state="returned",
    judged_at=NOW - timedelta(hours=1),
    judged_by_name="Grace Hopper",
    comment="Very nice map.\nPlease say which trees the register does not know.",
    checklist=("Names its sources",),
)
ACCEPTED = submission(
    2,
    state="accepted",
    judged_at=NOW - timedelta(minutes=20),
    judged_by_name="Grace Hopper",
    comment="Thank you, a fine piece of work.",
    checklist=PORTFOLIO.checklist,
)
HOSTILE = submission(
    text=f"<script>alert(1)</script> {LONG_WORD * 6}",
    url=f"https://{'very-long-name.' * 8}example.org/{LONG_WORD * 3}?a=<b>",
    files=(FileRow("file-9", f"{LONG_WORD * 3}.pdf", "application/pdf", 5_242_880),),
)


def evidence(*history: SubmissionRow, **changes: Any) -> EvidenceView:
    """A learner's page of one rule."""
    plain = EvidenceView(
        placement(),
        PORTFOLIO,
        history,
        may_hand_in=not history or history[0].state in ("returned", "withdrawn"),
        is_draft=False,
        max_file_bytes=5_242_880,
    )
    return replace(plain, **changes)


EVIDENCE = {
    "empty": evidence(),
    "waiting": evidence(submission()),
    "returned": evidence(RETURNED),
    "again": evidence(submission(2), RETURNED),
    "accepted": evidence(ACCEPTED, replace(RETURNED, is_latest=False)),
    "withdrawn": evidence(submission(state="withdrawn")),
    "draft": evidence(is_draft=True, may_hand_in=False),
    "link-only": evidence(
        rule=replace(PORTFOLIO, accepts=(EvidenceKind.LINK,), instructions="", checklist=())
    ),
    "link-shown": evidence(shows_links=True),
    "long-words": evidence(HOSTILE),
}


def submission_list(*rows: SubmissionRow, pages: int = 1, **changes: Any) -> SubmissionList:
    """What was handed in for a placement."""
    plain = SubmissionList(
        placement(),
        Page(rows, 1, pages, len(rows) * pages),
        SubmissionFilter(),
        {"portfolio": "Portfolio"},
        sum(row.is_waiting for row in rows),
    )
    return replace(plain, **changes)


SUBMISSIONS = {
    "usual": submission_list(
        submission(2),
        submission(1, id="submission-3", learner_name="Alan Turing", submitted_at=NOW - timedelta(minutes=3)),
        replace(RETURNED, learner_name="Emmy Noether"),
        replace(ACCEPTED, learner_name=None),
    ),
    "many": submission_list(submission(2), pages=9),
    "empty": submission_list(),
    "nothing-found": submission_list(wanted=SubmissionFilter("Zuse", "submitted")),
    "not-asked": submission_list(labels={}),
    "long-words": submission_list(
        replace(HOSTILE, learner_name=LONG_WORD * 2), labels={"portfolio": LONG_WORD}
    ),
}


def judging(one: SubmissionRow, *earlier: SubmissionRow, **changes: Any) -> JudgeView:
    """One submission, as those see it who judge it."""
    plain = JudgeView(
        placement(),
        PORTFOLIO.label,
        PORTFOLIO.instructions,
        PORTFOLIO.checklist,
        one,
        earlier,
        None,
        may_judge=one.is_waiting,
        may_still_accept=one.state == "returned" and one.is_latest,
    )
    return replace(plain, **changes)


JUDGING = {
    "usual": judging(submission()),
    "again": judging(submission(2), replace(RETURNED, is_latest=False)),
    "link-shown": judging(submission(), shows_link=True),
    "accepted": judging(ACCEPTED, replace(RETURNED, is_latest=False)),
    "returned": judging(RETURNED),
    "superseded": judging(replace(RETURNED, is_latest=False), newer_id="submission-2"),
    "long-words": judging(replace(HOSTILE, learner_name=LONG_WORD * 2), label=LONG_WORD),
}
