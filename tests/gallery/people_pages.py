"""The pages on which people decide, each in its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.evidence import EvidenceProblem, Trouble
from lti_tool.services.evidence_files import FileProblem
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from tests.unit.web.people_views import ATTESTS, EVIDENCE, JUDGING, PORTFOLIO, SUBMISSIONS
from tests.unit.web.sample_views import GRADER, TEACHER, session
from tests.unit.web.samples import SECRET, Sample

COURSE = "/l/session-1/course"
ATTEST = f"{COURSE}/placements/placement-1/attest/talk"
HAND_IN = "/l/session-1/evidence/placement-1/portfolio"
LISTED = f"{COURSE}/placements/placement-1/submissions"
JUDGE = f"{COURSE}/submissions/submission-1"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One of these pages in one state."""

    name: str
    path: str
    method: str
    """Of the service that gives the page its view."""
    view: Any
    session: SessionView
    fields: Mapping[str, str] | None = None
    refusal: Exception | None = None
    status: int = 200
    is_over: bool = False
    """The visit has ended."""

    def set_up(self, tool: Sample) -> None:
        """Put the state into sample services."""
        service = tool.attesting if self.method == "learners" else tool.submissions
        setattr(service, self.method, lambda *_, **__: self.view)
        if self.refusal is not None:
            refuse(service, self.refusal)
        tool.launching.is_expired = self.is_over


def refuse(service: SimpleNamespace, error: Exception) -> None:
    """Have the service refuse every form."""

    def refused(*_: object, **__: object) -> None:
        raise error

    for name in ("attest", "hand_in", "judge"):
        setattr(service, name, refused)


def people_pages() -> Iterator[PeoplePage]:
    """Confirming by hand, handing in, the list, judging."""
    for state, attest in ATTESTS.items():
        yield PeoplePage(f"attest/{state}", ATTEST, "learners", attest, TEACHER)
    yield PeoplePage("attest/grader", ATTEST, "learners", ATTESTS["usual"], GRADER)
    read_only = replace(TEACHER, is_read_only=True, can_configure=False)
    yield PeoplePage("attest/read-only", ATTEST, "learners", ATTESTS["usual"], read_only)
    yield PeoplePage(
        "attest/done", f"{ATTEST}?done=attested&count=12&chosen=page", "learners", ATTESTS["usual"], TEACHER
    )
    problems = (Problem("reason", FormProblem.REQUIRED), Problem("learner_id", FormProblem.REQUIRED))
    yield PeoplePage(
        "attest/problems",
        ATTEST,
        "learners",
        ATTESTS["usual"],
        TEACHER,
        {**CSRF, "action": "confirm"},
        RequestInvalid(ErrorCode.FORM_INVALID, problems=problems),
        422,
    )
    for state, evidence in EVIDENCE.items():
        yield PeoplePage(f"hand-in/{state}", HAND_IN, "view", evidence, session())
    teachers = replace(EVIDENCE["empty"], may_hand_in=False)
    yield PeoplePage("hand-in/teacher", HAND_IN, "view", teachers, TEACHER)
    yield PeoplePage("hand-in/read-only", HAND_IN, "view", teachers, session(is_read_only=True))
    yield PeoplePage("hand-in/done", f"{HAND_IN}?done=handed-in", "view", EVIDENCE["waiting"], session())
    yield PeoplePage(
        "hand-in/problems",
        HAND_IN,
        "view",
        EVIDENCE["returned"],
        session(),
        {**CSRF, "text": "I took the city's tree register.", "url": "javascript:alert(1)", "keep": "file-1"},
        _refusal(
            Trouble("url", EvidenceProblem.NOT_A_LINK),
            *(Trouble("files", problem, f"{problem.value}.docx") for problem in FileProblem),
        ),
        422,
    )
    yield PeoplePage(
        "hand-in/kept",
        HAND_IN,
        "view",
        EVIDENCE["empty"],
        session(),
        {
            **CSRF,
            "text": "I took the city's tree register.\n\nTwo hours of work.",
            "url": "https://example.org",
        },
        status=403,
        is_over=True,
    )
    for state, listed in SUBMISSIONS.items():
        yield PeoplePage(f"submissions/{state}", LISTED, "listed", listed, TEACHER)
    for state, judging in JUDGING.items():
        yield PeoplePage(f"judge/{state}", JUDGE, "submission", judging, GRADER)
    yield PeoplePage(
        "judge/problems",
        JUDGE,
        "submission",
        JUDGING["usual"],
        TEACHER,
        {**CSRF, "action": "accept", "comment": "Fine.", "item": PORTFOLIO.checklist[0]},
        _refusal(Trouble("item-0", EvidenceProblem.ITEMS_OPEN, items=PORTFOLIO.checklist[1:])),
        422,
    )


def _refusal(*troubles: Trouble) -> RequestInvalid:
    return RequestInvalid(ErrorCode.FORM_INVALID, troubles=troubles)


NO_PEOPLE_PAGES = frozenset({("GET", "people.download"), ("POST", "people.make_column")})
"""What answers with a file or a redirect."""
