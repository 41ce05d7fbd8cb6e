"""From draft to active: an instructor publishes a micromodule, and from then on it awards.

Placing, setting up, reading and simulating do not need it; awarding does. Nothing here takes anything back:
a published placement stays so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lti_tool.domain.criteria import Criterion
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services.circles import refuse_published_circle
from lti_tool.services.criteria_format import dump_criteria, parse_criteria
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import configured_course
from lti_tool.store import audit, bindings, decisions, placements, runs, schedule
from lti_tool.store.database import Database

AT_ONCE: Final = 500
"""Learners that are decided about while the instructor waits; in a larger course a reading decides, which
begins at once and shows on the course page how far it is."""


class DecidingPort(Protocol):
    """Decides, signs and writes back; :class:`~lti_tool.services.deciding.Deciding`."""

    def decide(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None, cause: str, /
    ) -> object: ...


def mark_of(criterion: Criterion) -> str:
    """A mark of what criteria ask for: another as soon as anything of them changes."""
    return hashlib.sha256(json.dumps(dump_criteria(criterion), sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Publishing:
    """Publishes placements of the course that a session is in."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints
    deciding: DecidingPort

    def publish(self, session: SessionView, placement_id: str, *, seen: str = "") -> bool:
        """Make a draft active, and decide; whether it was a draft still.

        Published once, it stays as it is: a second click changes nothing and is no event. A placement may
        be published with nothing set up; its evidence is then not known yet, and nobody is awarded.

        :param seen: :func:`mark_of` the criteria that the person looked at; empty where that is not known.
        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``, also for a placement of another course.
        :raises Conflict: ``conflict`` where somebody changed the criteria meanwhile: awards are final, so
            nobody publishes what they did not see. ``pathway_circle`` where it asks for what asks for it.
        """
        organisation_id, context_id = configured_course(session)
        now = self.clock()
        with self.database.write() as writing:
            # Of a badge that came with a copied course the version is changed beside another placement.
            bindings.lock_version_of(writing, organisation_id, placement_id)
            placements.lock(writing, organisation_id, placement_id)
            draft = bindings.placed(writing, organisation_id, context_id, placement_id)
            asked = draft.criteria if draft is not None and draft.status == "draft" else None
            if seen and asked is not None and mark_of(parse_criteria(asked)) != seen:
                raise Conflict(ErrorCode.CONFLICT, f"criteria of {placement_id} were changed meanwhile")
            if draft is not None and draft.status == "draft":
                criterion = parse_criteria(draft.criteria)
                refuse_published_circle(writing, organisation_id, draft.micromodule_id, criterion)
            is_new = placements.publish(
                writing, organisation_id, context_id, placement_id, session.learner_id, now
            )
            if is_new is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            if not is_new:
                return False
            audit.record(
                writing,
                organisation_id,
                at=now,
                actor=f"{audit.LEARNER}{session.learner_id}",
                action="placement.published",
                subject_kind="placement",
                subject_id=placement_id,
                detail={"context_id": context_id},
            )
            # Owed from the same transaction on: whoever is killed below loses time, and nothing else.
            schedule.schedule_sync(writing, organisation_id, context_id, now)
            run = None
            if decisions.count_learners(writing, organisation_id, context_id) > AT_ONCE:
                run, _ = runs.open_run(writing, organisation_id, context_id, now)
        if run is None:
            self.deciding.decide(organisation_id, context_id, None, "publish")
            self.hints.offer("sync_context", context_id=context_id)
        else:
            self.hints.offer("sync_context", context_id=context_id, run_id=run.id)
        return True
