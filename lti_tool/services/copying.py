"""Courses that were copied in the LMS: their badges are set up as drafts, which an instructor takes over.

A copy is made when somebody who may configure the course comes by, or when the platform says so itself;
learners are told meanwhile that it is being prepared. The course that it was copied from is never touched,
and nothing of another organisation is ever looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.copies import Candidate, Doubt, Origin, Past, choose_origin, read_history
from lti_tool.domain.criteria import Channel
from lti_tool.domain.gates import GateState
from lti_tool.domain.identity import Launch
from lti_tool.domain.registrations import DeploymentStatus
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.launching import SessionView
from lti_tool.store import audit, copies, registrations, resets, schedule
from lti_tool.store.database import Database
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

MOST_BADGES: Final = 200
"""So many come with one copy; of a course that has more, the others follow as their links are opened."""


class ColumnsPort(Protocol):
    """Looks for columns on the platform; :class:`~lti_tool.services.columns.Columns`."""

    def adopt(self, organisation_id: str, context_id: str, /) -> int: ...


class CopyOutcome(StrEnum):
    """What came of a notice that a course was copied."""

    COPIED = "copied"
    NOTHING_NEW = "nothing_new"
    """There was nothing to copy, or it is there already."""
    UNKNOWN = "unknown"
    """The deployment is not approved, or the notice names no course that is known here."""


@dataclass(frozen=True, slots=True)
class CopiedColumnView:
    """A gradebook column that a copied badge needs."""

    label: str
    tag: Channel
    is_found: bool
    has_formula: bool
    """It is filled by a formula that worked in the course it came from, or works here."""
    has_values: bool


@dataclass(frozen=True, slots=True)
class CopiedGateView:
    """A gate of a copied badge."""

    gate_id: str
    label: str
    state: GateState


@dataclass(frozen=True, slots=True)
class CopiedBadge:
    """One badge that came with a copied course."""

    placement_id: str
    name: str
    achievement_version_id: str | None
    image_alt: str
    origin_title: str | None
    is_left_behind: bool
    """Somebody said that it is not wanted here."""
    is_confirmed: bool
    is_opened: bool
    """Its activity was opened in this course: it came along for certain."""
    columns: tuple[CopiedColumnView, ...]
    gates: tuple[CopiedGateView, ...]

    @property
    def is_wanted(self) -> bool:
        """Whether its tick is set when the page is opened."""
        return not self.is_left_behind


@dataclass(frozen=True, slots=True)
class CopyQuestion:
    """A link whose badge is taken over on somebody's word alone."""

    doubt: Doubt
    name: str
    origin_title: str | None
    registration_name: str


@dataclass(frozen=True, slots=True)
class CopyView:
    """The page on which an instructor takes over what came with a copied course."""

    badges: tuple[CopiedBadge, ...]
    question: CopyQuestion | None
    is_gone: bool
    """The link stands for a badge that is offered nowhere any more."""

    @property
    def origin_titles(self) -> tuple[str, ...]:
        """The courses that the badges came from, each once."""
        return tuple(dict.fromkeys(badge.origin_title for badge in self.badges if badge.origin_title))

    @property
    def waiting(self) -> int:
        """How many nobody has said anything about yet."""
        return sum(not badge.is_confirmed and not badge.is_left_behind for badge in self.badges)


@dataclass(frozen=True, slots=True)
class CopyState:
    """What the LMS has done to a course."""

    waiting: int = 0
    """Badges that came with a copy, and that nobody has taken over or left behind."""
    emptied_at: datetime | None = None
    """When the course was seen to have been reset, as long as no instructor has said that they know."""


@dataclass(frozen=True)
class Copying:
    """Copies what a course's badges are made of, once, and lets an instructor decide."""

    database: Database
    clock: Callable[[], datetime]
    columns: ColumnsPort

    # -- a copy is noticed

    def note_launch(self, session: SessionView, launch: Launch, *, has_placements: bool) -> bool:
        """Copy what the launch shows to have been copied; whether that changed what its link stands for.

        A launch of a link that stands for something here, or of one that nobody knows, costs nothing.

        :param has_placements: whether the course has badges of its own already.
        """
        if not session.can_configure or session.is_read_only or session.context_id is None:
            return False
        if session.is_copied_link and session.placement_id is not None:
            self.columns.adopt(session.organisation_id, session.context_id)
            return False
        history, is_truncated = read_history(launch.custom.get("context_history"))
        if session.is_copied_link and session.placement_id is None and launch.badge_link_key is not None:
            links, _ = read_history(launch.custom.get("link_history"))
            origin = self._origin(session, launch.badge_link_key, history, links, is_truncated=is_truncated)
            if origin is None or origin.doubt is not None:
                return False
            is_new = self._copy(session, origin)
        elif session.deep_linking is not None and history is not None and not has_placements:
            is_new = self._copy_course(session, history)
        else:
            return False
        if is_new:
            self.columns.adopt(session.organisation_id, session.context_id)
        return is_new

    def note_copy(
        self,
        deployment_id: str,
        context_id_on_platform: str,
        origin_ids_on_platform: Sequence[str],
        at: datetime | None = None,
    ) -> CopyOutcome:
        """Copy what a platform says in a notice to have been copied (``LtiContextCopyNotice``).

        Repeating it is harmless. The course may be one that nobody has launched from yet.

        :param deployment_id: our key.
        :param origin_ids_on_platform: of the courses that were copied, the nearest first.
        :param at: when it was told; now unless given.
        """
        now = at or self.clock()
        with self.database.write() as writing:
            owner = registrations.deployment(writing, deployment_id)
            if owner is None or owner.organisation_id is None or owner.status != DeploymentStatus.APPROVED:
                return CopyOutcome.UNKNOWN
            organisation_id, registration_id = owner.organisation_id, owner.registration_id
            # Before the course is written down: most that are copied have to do with no badge.
            origin_id = copies.nearest_with_badges(
                writing, organisation_id, registration_id, tuple(origin_ids_on_platform)
            )
            if origin_id is None:
                return CopyOutcome.NOTHING_NEW
            context_id = copies.context_of_notice(
                writing, organisation_id, registration_id, deployment_id, context_id_on_platform, now
            )
            if context_id is None:
                return CopyOutcome.UNKNOWN
            if origin_id == context_id:
                return CopyOutcome.NOTHING_NEW
            made = self._clone(
                writing, organisation_id, context_id, origin_id, (), "job", is_whole_course=True
            )
        return CopyOutcome.COPIED if made else CopyOutcome.NOTHING_NEW

    def _origin(
        self,
        session: SessionView,
        link_key: str,
        history: tuple[str, ...] | None,
        links: tuple[str, ...] | None,
        *,
        is_truncated: bool = False,
    ) -> Origin | None:
        assert session.context_id is not None
        organisation_id = session.organisation_id
        with self.database.read() as reading:
            found = copies.candidates(reading, organisation_id, session.context_id, link_key)
            course = copies.course(reading, organisation_id, session.context_id)
            link_contexts = (
                copies.contexts_of_links(reading, organisation_id, session.registration_id, links)
                if links
                else frozenset()
            )
        noted = course.origin_context_id if course is not None else None
        past = Past(session.registration_id, history, is_truncated, link_contexts, noted)
        return choose_origin(found, past)

    def _copy(self, session: SessionView, origin: Origin) -> bool:
        assert session.context_id is not None
        one: Candidate = origin.candidate
        with self.database.write() as writing:
            return self._clone(
                writing,
                session.organisation_id,
                session.context_id,
                one.context_id,
                (one.placement_id,),
                f"{audit.LEARNER}{session.learner_id}",
                is_whole_course=origin.is_whole_course,
            )

    def _copy_course(self, session: SessionView, history: tuple[str, ...]) -> bool:
        assert session.context_id is not None
        with self.database.read() as reading:
            origin_id = copies.nearest_with_badges(
                reading, session.organisation_id, session.registration_id, history
            )
        if origin_id is None or origin_id == session.context_id:
            return False
        with self.database.write() as writing:
            return self._clone(
                writing,
                session.organisation_id,
                session.context_id,
                origin_id,
                (),
                f"{audit.LEARNER}{session.learner_id}",
                is_whole_course=True,
            )

    def _clone(
        self,
        writing: Session,
        organisation_id: str,
        context_id: str,
        origin_id: str,
        placement_ids: Sequence[str],
        actor: str,
        *,
        is_whole_course: bool,
    ) -> bool:
        now = self.clock()
        wanted = list(placement_ids)
        if is_whole_course:
            wanted += copies.placements_of(writing, organisation_id, origin_id, MOST_BADGES)
        made = copies.clone(writing, organisation_id, context_id, dict.fromkeys(wanted), now)
        if not made:
            return False
        copies.note_origin(writing, organisation_id, context_id, origin_id if is_whole_course else None, now)
        audit.record(
            writing,
            organisation_id,
            at=now,
            actor=actor,
            action="course.copied",
            subject_kind="context",
            subject_id=context_id,
            detail={"origin": origin_id, "placements": len(made)},
        )
        schedule.schedule_sync(writing, organisation_id, context_id, now)
        log.info("course_copied", context_id=context_id, origin_context_id=origin_id, placements=len(made))
        return True

    # -- an instructor looks, and decides

    def view(self, session: SessionView) -> CopyView:
        """What came with the course of this session, and what to look at.

        :raises NotAllowed: unless the person may configure the course.
        """
        organisation_id, context_id = _course_of(session)
        with self.database.read() as reading:
            rows = copies.copied(reading, organisation_id, context_id)
            ids = [row.placement_id for row in rows]
            columns = copies.columns_of(reading, organisation_id, context_id, ids)
            gates = copies.gates_of(reading, organisation_id, context_id, ids)
        badges = tuple(
            CopiedBadge(
                row.placement_id,
                row.name,
                row.achievement_version_id,
                row.image_alt,
                row.origin_title,
                row.status == "removed",
                row.confirmed_at is not None,
                row.is_opened,
                tuple(_column(one) for one in columns if one.placement_id == row.placement_id),
                tuple(
                    CopiedGateView(one.gate_id, one.label, GateState(one.state))
                    for one in gates
                    if one.placement_id == row.placement_id
                ),
            )
            for row in rows
        )
        origin = self._asked_for(session)
        question = None if origin is None else self._question(session, origin)
        is_open = session.is_copied_link and session.placement_id is None
        return CopyView(badges, question, is_open and question is None)

    def _asked_for(self, session: SessionView) -> Origin | None:
        """Where the session's link came from, if nothing was made of it."""
        if not session.is_copied_link or session.placement_id is not None:
            return None
        with self.database.read() as reading:
            key = copies.link_key(reading, session.organisation_id, session.resource_link_id)
        return None if key is None else self._origin(session, key, None, None)

    def _question(self, session: SessionView, origin: Origin) -> CopyQuestion | None:
        with self.database.read() as reading:
            asked = copies.asked(reading, session.organisation_id, origin.candidate.placement_id)
        if asked is None:
            return None
        # What speaks against it was said by the launch, and is not kept: nothing else is left.
        doubt = origin.doubt or Doubt.HISTORY_CONTRADICTS
        return CopyQuestion(doubt, asked.name, asked.origin_title, asked.registration_name)

    def take_over_link(self, session: SessionView) -> None:
        """Copy the badge of the session's link on its instructor's word; done twice, it is done once.

        :raises NotAllowed: unless the person may configure the course.
        :raises NotFound: ``placement_not_found`` where the link stands for nothing in this organisation.
        """
        organisation_id, context_id = _course_of(session)
        origin = self._asked_for(session)
        if origin is None:
            if session.placement_id is not None:
                return  # a second click
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND, "the link has no badge in this organisation")
        one = origin.candidate
        with self.database.write() as writing:
            self._clone(
                writing,
                organisation_id,
                context_id,
                one.context_id,
                (one.placement_id,),
                f"{audit.LEARNER}{session.learner_id}",
                is_whole_course=False,
            )
        self.columns.adopt(organisation_id, context_id)

    def confirm(self, session: SessionView, keep: Collection[str], shown: Collection[str]) -> int:
        """Take over these badges, leave the others that were shown behind; how many are taken over.

        Nothing is awarded by it: each is a draft that is published by itself.

        :param keep: placement ids; one that did not come with a copy of this course is ignored.
        :param shown: placement ids of all that the person decided over; what came since waits on.
        :raises NotAllowed: unless the person may configure the course.
        """
        organisation_id, context_id = _course_of(session)
        now = self.clock()
        with self.database.write() as writing:
            taken, left = copies.decide(writing, organisation_id, context_id, keep, shown, now)
            if taken or left:
                audit.record(
                    writing,
                    organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="course.copy_confirmed",
                    subject_kind="context",
                    subject_id=context_id,
                    detail={"taken": taken, "left_behind": left},
                )
                schedule.schedule_sync(writing, organisation_id, context_id, now)
        if taken:
            self.columns.adopt(organisation_id, context_id)
        return taken

    def state(self, session: SessionView) -> CopyState:
        """What those who teach the course of this session should know of it."""
        if not session.can_view_progress or session.context_id is None:
            return CopyState()
        with self.database.read() as reading:
            course = copies.course(reading, session.organisation_id, session.context_id)
            if course is None:
                return CopyState()
            waiting = (
                copies.count_unconfirmed(reading, session.organisation_id, course.id)
                if course.copied_at is not None
                else 0
            )
        return CopyState(waiting, course.emptied_at)

    # -- resets

    def acknowledge_reset(self, session: SessionView) -> None:
        """An instructor knows that the course was reset.

        :raises NotAllowed: unless the person may configure the course.
        """
        organisation_id, context_id = _course_of(session)
        now = self.clock()
        with self.database.write() as writing:
            if resets.clear_reset(writing, organisation_id, context_id):
                audit.record(
                    writing,
                    organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="course.reset_acknowledged",
                    subject_kind="context",
                    subject_id=context_id,
                )


def note_reset(database: Database, plan: ContextPlan, now: datetime) -> None:
    """Somebody reset a course: told to those who teach it, and nothing is taken from anybody."""
    with database.write() as writing:
        if resets.note_reset(writing, plan.organisation_id, plan.id, now):
            audit.record(
                writing,
                plan.organisation_id,
                at=now,
                actor="job",
                action="course.reset_noticed",
                subject_kind="context",
                subject_id=plan.id,
            )
            log.info("course_reset_noticed", context_id=plan.id)


def _column(one: copies.CopiedColumn) -> CopiedColumnView:
    return CopiedColumnView(
        one.label,
        Channel(one.tag),
        one.is_found,
        one.is_found and (one.had_values or one.has_values),
        one.has_values,
    )


def _course_of(session: SessionView) -> tuple[str, str]:
    if not session.can_configure or session.is_read_only or session.context_id is None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "taking over a copied course needs an editing role in it")
    return session.organisation_id, session.context_id
