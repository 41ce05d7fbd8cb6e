"""One learner and one micromodule: how each criterion stands and why, and what was decided when.

The instructor reads the same explanation as the learner, and beside it what only those who teach may know:
why somebody does not count here, what proves a learner, and the decisions of the past, each of which can be
replayed from its stored evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lti_tool.domain.awarding import Decision, Proof
from lti_tool.domain.criteria import Attested, EvidenceAccepted, State
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.awarding import Awarding
from lti_tool.services.evidence_channels import ChannelView, channels_of
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import viewed_course
from lti_tool.store import matrix as store
from lti_tool.store import placements, submissions, wallets
from lti_tool.store.database import Database
from lti_tool.store.matrix import PastDecision
from lti_tool.store.wallets import EarnedView

PAST: Final = 50
"""Decisions of the past that are listed."""


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """All that is known about one learner in one placement."""

    placement_id: str
    status: str
    micromodule: str
    achievement_version_id: str | None
    image_alt: str
    learner_id: str
    learner_name: str | None
    decision: Decision
    """As it would be made now; while the placement is a draft nothing follows from it."""
    proof: Proof
    proved_at: datetime | None
    earned: EarnedView | None
    channels: tuple[ChannelView, ...]
    comments: Mapping[str, str]
    """What was written about evidence that was given back, by evidence key."""
    history: tuple[PastDecision, ...]
    """The newest first; the newest is the one that is in force."""
    has_older: bool
    """Whether there are more than are listed."""
    roster_read_at: datetime | None
    handed_in: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """(id, state) of what the learner handed in last, by evidence key."""

    @property
    def gates(self) -> dict[str, str]:
        """Ids of the gates, by evidence key."""
        return {one.key: one.gate_id for one in self.channels if one.gate_id is not None}

    @property
    def confirmed(self) -> tuple[ChannelView, ...]:
        """Criteria that somebody attested: what was said can be taken back."""
        return tuple(
            one
            for one, finding in zip(self.channels, self.decision.finding.leaves(), strict=True)
            if isinstance(one.leaf, Attested) and finding.state is State.MET
        )

    @property
    def submissions(self) -> tuple[ChannelView, ...]:
        """Criteria that ask for evidence which somebody judges."""
        return tuple(one for one in self.channels if isinstance(one.leaf, EvidenceAccepted))


@dataclass(frozen=True)
class Explaining:
    """Explains any learner of the course that a session is in."""

    database: Database
    awarding: Awarding

    def learner(self, session: SessionView, placement_id: str, learner_id: str) -> ExplanationView:
        """Explain one learner in one placement.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``; ``not_found`` for somebody who is not known in this course;
            ``context_not_found``.
        """
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            course = placements.course(reading, organisation_id, context_id)
            person = store.person(reading, organisation_id, context_id, learner_id)
        if course is None:
            raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
        if person is None:
            raise NotFound(ErrorCode.NOT_FOUND, "nobody of this course")
        made = self.awarding.preview_placement(organisation_id, context_id, placement_id, [learner_id])
        (decision,) = made.decisions
        version_id = made.placement.achievement_version_id
        with self.database.read() as reading:
            past = store.history(reading, organisation_id, placement_id, learner_id, limit=PAST + 1)
            gates = store.gates(reading, organisation_id, placement_id)
            comments = store.comments(reading, organisation_id, placement_id, learner_id)
            handed_in = submissions.latest_of(reading, organisation_id, placement_id, learner_id)
            earned = (
                wallets.awards_of_versions(reading, organisation_id, [version_id], [learner_id])
                if version_id is not None
                else {}
            )
        return ExplanationView(
            placement_id,
            made.placement.status,
            made.placement.name,
            version_id,
            made.placement.image_alt,
            learner_id,
            person.name,
            decision,
            Proof(person.learner_proof),
            person.proved_at,
            earned.get(version_id or "", {}).get(learner_id),
            channels_of(made.criterion, made.columns, gates),
            comments,
            past[:PAST],
            len(past) > PAST,
            course.roster_read_at,
            handed_in,
        )
