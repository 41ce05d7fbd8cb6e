"""The next version of a milestone: what it says otherwise, what becomes of badges, and its publishing.

Nothing is kept before it is published: the page that shows the differences carries the form along. Whoever
meets the new version gets its badge, beside the one of a former version; nothing is revoked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Criterion, State
from lti_tool.domain.differences import Differences, Said, differences
from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services.circles import check_saved
from lti_tool.services.comparing import badge_words, carried_on, picture_of, revision_of
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.milestone_decisions import judge, read_people
from lti_tool.services.milestone_form import (
    Described,
    MilestoneForm,
    criterion_of_form,
    describe,
    mark_of,
    of_view,
)
from lti_tool.services.next_version import Answer, Narrate
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, currency, organisations, versions
from lti_tool.store import milestone_decisions as decisions
from lti_tool.store import milestones as store
from lti_tool.store.database import Database
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.milestones import MilestoneView

LOOKED_AT: Final = 2000
"""People judged for the counts, at most."""
AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Tally:
    """What the new version would come to, from what is stored."""

    looked_at: int
    """People who completed anything, as far as they were looked at."""
    has_more: bool
    """There are more than were looked at."""
    meeting: int
    """Who would get the new version's badge."""
    holders: int
    """Of those looked at, who has a badge of a version before."""
    holders_meeting: int


@dataclass(frozen=True, slots=True)
class MilestoneComparison:
    """What is active beside what would be."""

    view: MilestoneView
    after: NewMicromodule
    form: MilestoneForm
    answer: Answer
    before_criterion: Criterion
    after_criterion: Criterion
    differences: Differences
    holders: int
    """People who have the badge in any version."""
    tally: Tally
    mark: str

    @property
    def number(self) -> int:
        """Of the version that would be published."""
        return self.view.number + 1


@dataclass(frozen=True)
class MilestoneVersions:
    """Compares and publishes next versions of active milestones."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints

    def begin(self, staff: Acting, milestone_id: str) -> tuple[MilestoneView, MilestoneForm]:
        """What is active, as the form that the next version begins with.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where it is not active.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            view = _active(session, staff, milestone_id)
        return view, of_view(view)

    def compare(
        self,
        staff: Acting,
        milestone_id: str,
        form: MilestoneForm,
        answer: Answer,
        narrate: Narrate,
        language: str,
    ) -> MilestoneComparison:
        """What the next version would say otherwise, and whom it concerns; nothing is written.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        :raises Conflict: CONFLICT where it is not active.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            view = _active(session, staff, milestone_id)
            form, described = _described(session, view, form, narrate, language)
            progress = store.progress(session, staff.organisation_id, view)
            mark = _mark(session, view, described)
        after = parse_criteria(described.new.criteria)
        return MilestoneComparison(
            view,
            described.new,
            form,
            answer,
            parse_criteria(view.criteria),
            after,
            differences_of(view, described.new, narrate),
            progress.holders,
            self._tally(staff.organisation_id, view, after),
            mark,
        )

    def _tally(self, organisation_id: str, view: MilestoneView, criterion: Criterion) -> Tally:
        now, after = self.clock(), ""
        looked_at = meeting = holders = holders_meeting = 0
        seen: set[str] = set()
        while looked_at < LOOKED_AT:
            with self.database.read() as session:
                some = decisions.learners_with_completions(
                    session, organisation_id, after=after, limit=AT_ONCE
                )
                if not some:
                    break
                people = read_people(session, organisation_id, some, [criterion], now)
                everybody = [id_ for person in people.persons for id_ in person.learner_ids]
                having = store.holders_of_any(session, organisation_id, view.achievement_id, everybody)
            for person in people.persons:
                if not seen.isdisjoint(person.learner_ids):
                    continue  # the same person by another of their accounts
                seen.update(person.learner_ids)
                has_it = not having.isdisjoint(person.learner_ids)
                judged = judge(people, person, criterion, holds=False, now=now)
                meets = judged.decision.finding.state is State.MET
                meeting += meets
                holders += has_it
                holders_meeting += has_it and meets
            looked_at += len(some)
            after = some[-1]
        with self.database.read() as session:
            more = decisions.learners_with_completions(session, organisation_id, after=after, limit=1)
        return Tally(looked_at, bool(more), meeting, holders, holders_meeting)

    def publish(
        self,
        staff: Acting,
        milestone_id: str,
        form: MilestoneForm,
        answer: Answer,
        narrate: Narrate,
        language: str,
        *,
        seen: str,
    ) -> int:
        """Put the next version in the place of the active one; its number.

        :param seen: ``mark`` of the :class:`MilestoneComparison` that the person looked at.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems`` of the form or the answer, or where nothing
            differs.
        :raises Conflict: CONFLICT where it is not active, or something else than what was seen would be
            published.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        check_form(answer.problems(self.clock(), has_badge=True))
        with self.database.read() as session:
            view = _active(session, staff, milestone_id)
            # Drawing takes longer than anybody may hold the lock.
            form, described = _described(session, view, form, narrate, language)
            if _mark(session, view, described) != seen:
                raise _changed(milestone_id)
        if differences_of(view, described.new, narrate).is_empty:
            check_form([Problem("name", FormProblem.NOTHING_CHANGED)])
        criterion = parse_criteria(described.new.criteria)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            row = store.hold(session, staff.organisation_id, milestone_id)
            if row is None:
                raise NotFound(ErrorCode.NOT_FOUND, f"milestone {milestone_id}")
            view = _active(session, staff, milestone_id)
            # Whoever decides about the version before is done first; whoever comes later sees the new one.
            store.lock(session, staff.organisation_id, [view.version_id])
            # So is whoever corrects its badge: what is put right by then is looked at first.
            store.hold_badge(session, staff.organisation_id, view.achievement_version_id)
            view = _active(session, staff, milestone_id)
            if _mark(session, view, described) != seen or criterion_of_form(session, form, view) != criterion:
                raise _changed(milestone_id)
            check_saved(session, staff.organisation_id, view.achievement_id, criterion)
            now = self.clock()
            badge_id = store.add_achievement_version(
                session, view, described.new, whats_new=answer.whats_new, actor=staff.actor, now=now
            )
            number = view.number + 1
            store.add_version(
                session,
                staff.organisation_id,
                milestone_id,
                badge_id,
                number,
                described.new.criteria,
                now,
            )
            row.category_id = described.category_id
            row.addition_policy = form.addition_policy
            ends_at = answer.ends_at(now)
            if ends_at is not None:
                versions.expire_before(session, staff.organisation_id, view.achievement_id, badge_id, ends_at)
            currency.count_as_review(
                session,
                staff.organisation_id,
                actor=staff.actor,
                now=now,
                kind=currency.MILESTONE,
                id_=milestone_id,
            )
            audit.record(
                session,
                staff.organisation_id,
                at=now,
                actor=staff.actor,
                action=store.PUBLISHED,
                subject_kind="milestone",
                subject_id=milestone_id,
                detail={
                    "version": number,
                    "seen": answer.pressed(seen),
                    "holders": answer.policy,
                    "ends_at": None if ends_at is None else ends_at.isoformat(),
                },
            )
        self.hints.offer("decide_milestone", milestone_id=milestone_id)
        if ends_at is not None:
            self.hints.offer("reconcile")
        return number

    def was_published(self, staff: Acting, milestone_id: str, answer: Answer, *, seen: str) -> bool:
        """Whether the newest version is what this person saw and published, with this answer: the button was
        pressed twice.

        :param seen: as :meth:`publish` was told.
        """
        with self.database.read() as session:
            return audit.was_last(
                session,
                staff.organisation_id,
                store.PUBLISHED,
                ("milestone", milestone_id),
                actor=staff.actor,
                seen=answer.pressed(seen),
            )


def _changed(milestone_id: str) -> Conflict:
    return Conflict(ErrorCode.CONFLICT, f"milestone {milestone_id} is not what was seen")


def _active(session: Session, staff: Acting, milestone_id: str) -> MilestoneView:
    view = store.milestone(session, staff.organisation_id, milestone_id)
    if view is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"milestone {milestone_id}")
    if view.status != "active":
        raise Conflict(ErrorCode.CONFLICT, f"milestone {milestone_id} is {view.status}")
    return view


def _described(
    session: Session, view: MilestoneView, form: MilestoneForm, narrate: Narrate, language: str
) -> tuple[MilestoneForm, Described]:
    """The form as it would be stored; it stays of its kind, and its badge in its language."""
    form, language = replace(form, kind=view.kind), view.language or language
    told = carried_on(view, narrate, language)
    return form, describe(session, view.organisation_id, form, told, language, before=view)


def _mark(session: Session, view: MilestoneView, described: Described) -> str:
    """Of what was looked at: another as soon as anything of the active version is corrected, too."""
    new = described.new
    said: dict[str, Any] = {"before": revision_of(view), "name": new.name, "description": new.description}
    said |= {"narrative": new.criteria_narrative, "alt": new.image_alt}
    said |= {"skills": list(new.skills), "artwork": new.artwork, "category": described.category_id}
    return mark_of(session, view.organisation_id, said, parse_criteria(new.criteria))


def differences_of(view: MilestoneView, new: NewMicromodule, narrate: Narrate) -> Differences:
    """What would be said otherwise than it is."""
    was, then = badge_words(view, new, narrate)
    return differences(
        Said(was, {"skills": view.skills}, picture_of(view.artwork or {}), parse_criteria(view.criteria)),
        Said(then, {"skills": tuple(new.skills)}, picture_of(new.artwork), parse_criteria(new.criteria)),
    )
