"""A course whose badge people decide over, with everybody who may want something of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lti_tool.domain.criteria import AllOf, Attested, Criterion, EvidenceAccepted, EvidenceKind
from lti_tool.services.attesting import Attesting
from lti_tool.services.columns import Columns
from lti_tool.services.deciding import Deciding
from lti_tool.services.evidence import GivenFile, HandIn, Submissions
from lti_tool.services.launching import SessionView
from lti_tool.store import tables
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.school import School, session_of
from tests.unit.services.evidence_samples import PDF

TALK = Attested("talk", "Gave a talk")
PORTFOLIO = EvidenceAccepted(
    "portfolio", "Portfolio", "Show what you did.", ("Names its sources", "Is understandable")
)
LIMIT = 20_000


@dataclass(frozen=True)
class People:
    """A course, its badge, and sessions of those who come."""

    school: School
    course: Course
    placed: Placed
    learners: tuple[str, ...]
    teacher_id: str

    @property
    def deciding(self) -> Deciding:
        return Deciding(self.school.awarding, self.school.issuing)

    @property
    def attesting(self) -> Attesting:
        # The pages that make columns are seen in journeys, which have a platform.
        columns = Columns(self.school.database, None, self.school.clock)  # type: ignore[arg-type]
        return Attesting(self.school.database, self.school.clock, columns, self.deciding)

    @property
    def submissions(self) -> Submissions:
        return Submissions(self.school.database, self.school.clock, self.deciding, LIMIT)

    @property
    def placement_id(self) -> str:
        return self.placed.placement_id

    def teacher(self, **changes: Any) -> SessionView:
        rights = {"can_view_progress": True, "can_configure": True, "is_learner": False}
        return session_of(self.course, **{"learner_id": self.teacher_id, **rights, **changes})

    def grader(self) -> SessionView:
        """A teacher who may not edit the course."""
        return self.teacher(can_configure=False)

    def learner(self, number: int = 0, **changes: Any) -> SessionView:
        return session_of(self.course, self.learners[number], **changes)

    def attest(
        self, *numbers: int, by: SessionView | None = None, reason: str = "gave the talk", **more: Any
    ) -> int:
        ids = [self.learners[number] for number in numbers]
        return self.attesting.attest(by or self.teacher(), self.placement_id, "talk", ids, reason, **more)

    def hand_in(self, number: int = 0, **given: Any) -> str:
        given = given or {"text": "My portfolio", "files": (GivenFile("report.pdf", PDF),)}
        return self.submissions.hand_in(self.learner(number), self.placement_id, "portfolio", HandIn(**given))

    def holders(self) -> set[str]:
        return {award.learner_id for award in self.school.rows(tables.Award)}

    def actions(self) -> list[str]:
        events = sorted(self.school.rows(tables.AuditEvent), key=lambda event: event.at)
        return [event.action for event in events if event.action.startswith(("learner.", "submission."))]


def people(
    school: School, criterion: Criterion = TALK, *, learners: int = 3, status: str = "active"
) -> People:
    """A course with a badge for ``criterion``, and a teacher whom the roster knows as such."""
    course = school.course()
    placed = factories.placed(school.database, course, criterion=criterion, status=status)
    if status == "draft":
        keep(school, course, placed)
    teacher_id, *ids = factories.enrol(school.database, course, learners + 1)
    school.change(
        tables.Membership, tables.Membership.learner_id == teacher_id, is_staff=True, is_learner=False
    )
    return People(school, course, placed, tuple(ids), teacher_id)


def keep(school: School, course: Course, placed: Placed) -> None:
    """The badge link was launched: the platform kept it."""
    with school.database.write() as session:
        session.add(
            tables.ResourceLink(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                id_on_platform=f"link-{placed.placement_id}",
                badge_link_key=placed.badge_link_key,
                role="badge",
                created_at=factories.NOW,
            )
        )


BOTH = AllOf((TALK, PORTFOLIO))
LINKS_ONLY = replace(PORTFOLIO, accepts=(EvidenceKind.LINK,), checklist=())
