"""Milestones: badges over what people completed in a whole organisation, whatever course and LMS it was in.

Staff describe one as a draft, look at who would get it, and let it begin; from then on it is decided whenever
a completion arrives, and about everybody who completed something before. What is owed follows from the tables
(:meth:`Milestones.due`), so that a worker that is killed loses time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import Criterion, Finding
from lti_tool.domain.staff import Permission
from lti_tool.errors import ConfigurationInvalid, Conflict, CredentialInvalid, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services import milestone_drafts as drafts
from lti_tool.services.circles import check_saved
from lti_tool.services.comparing import revision_of
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.leases import Hold, held
from lti_tool.services.milestone_decisions import (
    Asking,
    asking,
    badges_asked,
    decide,
    judge,
    read_people,
)
from lti_tool.services.milestone_form import (
    Described,
    MilestoneForm,
    describe,
    is_said,
    of_view,
)
from lti_tool.services.milestone_rules import Choices, Short, choices, short_of
from lti_tool.services.next_version import Narrate as NarrateIn
from lti_tool.services.staffing import Acting
from lti_tool.services.version_drafts import Saved
from lti_tool.store import audit, micromodules, organisations
from lti_tool.store import milestone_decisions as decisions
from lti_tool.store import milestone_dues as dues
from lti_tool.store import milestones as store
from lti_tool.store.database import Database
from lti_tool.store.milestone_dues import Mark
from lti_tool.store.milestones import ActiveVersion, MilestoneView, Progress
from lti_tool.store.pathways import names_asking_for
from lti_tool.telemetry import AWARDS, get_logger

log = get_logger(__name__)

AT_ONCE: Final = 200
"""People decided about in one transaction: short enough that nobody waits for the write lock."""
PAGE: Final = 25
"""Lines of a dry run's page."""
LOOKED_AT: Final = 2000
"""People judged for one page of a dry run; where few of very many would get it, there is a next page."""

Narrate = Callable[[Criterion], str]
"""Criteria in words, as :func:`lti_tool.web.criteria_words.narrate` says them."""


class IssuingPort(Protocol):
    """Signs credentials; :class:`~lti_tool.services.issuing.Issuing`."""

    def issue_for(self, award_ids: Sequence[str], /) -> object: ...


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """A milestone in the list."""

    view: MilestoneView
    criterion: Criterion
    holders: int


@dataclass(frozen=True, slots=True)
class MilestonePage:
    """A milestone by itself."""

    view: MilestoneView
    criterion: Criterion
    progress: Progress
    form: MilestoneForm
    mark: str = ""
    """Of what is shown: nobody activates what they did not see."""
    short: tuple[Short, ...] = ()

    @property
    def revision(self) -> str:
        """Of what is recorded: nobody writes over what they did not see, nor throws it away."""
        return revision_of(self.view)


@dataclass(frozen=True, slots=True)
class WouldGet:
    """Somebody who would get the badge, or has it, and why."""

    learner_id: str
    name: str | None
    finding: Finding
    met_at: datetime | None
    has_it: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """A part of those who would get a milestone's badge now."""

    view: MilestoneView
    criterion: Criterion
    rows: tuple[WouldGet, ...]
    looked_at: int
    """People judged for this page."""
    learners: int
    """Who completed anything at all."""
    after: str | None
    """Where the next page begins; ``None`` on the last."""
    mark: str = ""
    """As :attr:`MilestonePage.mark`."""
    short: tuple[Short, ...] = ()


@dataclass(frozen=True, slots=True)
class MilestoneCard:
    """How far somebody is towards a milestone, or that they have it."""

    milestone_id: str
    name: str
    description: str
    achievement_version_id: str
    image_alt: str
    finding: Finding
    has_it: bool


@dataclass(frozen=True)
class Milestones:
    """Describes, activates and decides milestones."""

    database: Database
    clock: Callable[[], datetime]
    issuing: IssuingPort
    hints: Hints

    # -- deciding

    def decide(self, organisation_id: str, learner_ids: Sequence[str]) -> tuple[str, ...]:
        """Decide every active milestone about learners of whom something new is known.

        Where the organisation has no active milestone this is one small question.

        :returns: ids of the new awards, which are to be issued; they are counted in the metrics here.
        """
        with self.database.read() as session:
            versions = [asking(version) for version in store.active(session, organisation_id)]
        if not versions:
            return ()
        award_ids: list[str] = []
        for start in range(0, len(learner_ids), AT_ONCE):
            award_ids.extend(self._decide(organisation_id, learner_ids[start : start + AT_ONCE], versions))
        return tuple(award_ids)

    def _decide(
        self, organisation_id: str, learner_ids: Sequence[str], versions: Sequence[Asking]
    ) -> tuple[str, ...]:
        with self.database.write() as session:
            store.lock(session, organisation_id, [one.version_id for one in versions])
            standing = {one.id for one in store.active(session, organisation_id)}
            versions = [one for one in versions if one.version_id in standing]
            award_ids = decide(session, organisation_id, learner_ids, versions, self.clock())
        AWARDS.labels("milestone").inc(len(award_ids))
        return award_ids

    def due(self, limit: int) -> tuple[str, ...]:
        """Ids of active milestones with somebody about whom they are not decided, or not since something
        changed; and of those whose mark is to be moved on. What is looked at is what came since the mark.
        """
        now = self.clock()
        with self.database.read() as session:
            found = [
                version.milestone_id
                for organisation_id, version in store.active_everywhere(session)
                if self._is_due(session, organisation_id, version, now)
            ]
        return tuple(found[:limit])

    def _is_due(self, session: Session, organisation_id: str, version: ActiveVersion, now: datetime) -> bool:
        mark = _mark(version)
        if not mark.is_settled or mark.settled_at is None or now - mark.settled_at > dues.LOOK_BACK:
            return True
        asked = badges_asked(parse_criteria(version.criteria))
        return bool(dues.learners(session, organisation_id, mark, asked, limit=1))

    def work(self, milestone_id: str) -> int:
        """Decide about everybody about whom it is owed, some people after the other, and sign what they
        earned; how many badges are new.

        Repeating is a no-op, and so is a second worker at the same time.
        """
        with self.database.read() as session:
            organisation_id = store.owner_of(session, milestone_id)
        if organisation_id is None:
            return 0
        with held(self.database, self.clock, f"milestone:{milestone_id}") as lease:
            return 0 if lease is None else self._work(lease, organisation_id, milestone_id)

    def _work(self, lease: Hold, organisation_id: str, milestone_id: str) -> int:
        awarded, after = 0, ""
        mark: Mark | None = None
        begun_at = self.clock()
        while True:
            some: tuple[str, ...] = ()
            with self.database.read() as session:
                found = store.active(session, organisation_id)
                version = next((one for one in found if one.milestone_id == milestone_id), None)
                if version is not None:
                    if mark is None or mark.version_id != version.id:
                        mark, after, begun_at = _mark(version), "", self.clock()
                    asked = badges_asked(parse_criteria(version.criteria))
                    some = dues.learners(session, organisation_id, mark, asked, after=after, limit=AT_ONCE)
            if not some:
                if version is not None and mark is not None:
                    with self.database.write() as session:
                        dues.settle(session, organisation_id, mark, begun_at)
                return awarded
            award_ids = self._decide(organisation_id, some, [asking(one) for one in found])
            self._issue(award_ids)
            awarded += len(award_ids)
            after = some[-1]
            with self.database.write() as session:
                if not lease.renew(session):
                    return awarded

    def _issue(self, award_ids: Sequence[str]) -> None:
        if not award_ids:
            return
        try:
            self.issuing.issue_for(award_ids)
        except (CredentialInvalid, ConfigurationInvalid) as error:
            # The reconcile pass offers it again; nobody else waits for it.
            log.warning("credential_not_issued", error=str(error))

    # -- for learners

    def of_learner(self, organisation_id: str, learner_id: str) -> tuple[MilestoneCard, ...]:
        """Every active milestone, and how far a learner is; what they have comes last.

        One query where there is none, and at most seven however many there are.
        """
        with self.database.read() as session:
            active = store.active(session, organisation_id)
            if not active:
                return ()
            versions = [asking(version) for version in active]
            people = read_people(
                session, organisation_id, [learner_id], [one.criterion for one in versions], self.clock()
            )
            if not people.persons:
                return ()
            person = people.persons[0]
            said = micromodules.achievement_versions(
                session, [version.achievement_version_id for version in versions]
            )
            having = decisions.held(
                session, organisation_id, [one.achievement_version_id for one in versions], person.learner_ids
            )
        cards = []
        for version, one in zip(active, versions, strict=True):
            has_it = one.achievement_version_id in having
            judged = judge(people, person, one.criterion, holds=has_it, now=self.clock())
            words = said[one.achievement_version_id]
            cards.append(
                MilestoneCard(
                    version.milestone_id,
                    words.name,
                    words.description,
                    words.id,
                    words.image_alt,
                    judged.decision.finding,
                    has_it,
                )
            )
        return tuple(sorted(cards, key=lambda card: (card.has_it, card.name.casefold())))

    # -- for staff

    def every(self, staff: Acting) -> tuple[MilestoneRow, ...]:
        """The milestones of an organisation, by name.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            found = store.milestones(session, staff.organisation_id)
            holders = store.holders(session, staff.organisation_id)
        return tuple(
            MilestoneRow(view, parse_criteria(view.criteria), holders.get(view.id, 0)) for view in found
        )

    def one(self, staff: Acting, milestone_id: str) -> MilestonePage:
        """One of them.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            view = _own(session, staff, milestone_id)
            progress = store.progress(session, staff.organisation_id, view)
            criterion, mark = drafts.seen(session, view)
            short = short_of(session, staff.organisation_id, criterion)
        return MilestonePage(view, criterion, progress, of_view(view), mark, short)

    def choices(self, staff: Acting, milestone_id: str | None = None) -> Choices:
        """What criteria of one's own can ask for, of a new milestone or of this one.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            own = None if milestone_id is None else _own(session, staff, milestone_id).achievement_id
            return choices(session, staff.organisation_id, own)

    def create(self, staff: Acting, form: MilestoneForm, narrate: Narrate, language: str) -> str:
        """A draft that says what the form says; its id.

        :raises NotAllowed: without the right.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        now = self.clock()
        with self.database.read() as session:
            drawing = describe(session, staff.organisation_id, form, narrate, language)
        with self.database.write() as session:
            # Nobody deletes its category before the end of the transaction.
            organisations.lock(session, staff.organisation_id)
            described = describe(
                session, staff.organisation_id, form, narrate, language, drawn_before=drawing
            )
            achievement = store.add_achievement(session, staff.organisation_id, described.new, now)
            milestone_id = store.add(
                session,
                staff.organisation_id,
                achievement,
                kind=form.kind,
                category_id=described.category_id,
                addition_policy=form.addition_policy,
                criteria=described.new.criteria,
                now=now,
            )
            self._record(session, staff, "milestone.created", milestone_id)
        return milestone_id

    def change(
        self,
        staff: Acting,
        milestone_id: str,
        form: MilestoneForm,
        narrate: NarrateIn,
        language: str,
        *,
        revision: str = "",
    ) -> None:
        """Let a draft say something else. It goes on in its language, with the words for its criteria that
        somebody corrected, as long as it asks for the same.

        :param revision: of the :class:`MilestonePage` that the form was made from; empty: of what is there.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        :raises Conflict: CONFLICT where it is no draft any more; with the ``reason`` ``unseen`` where
            somebody saved something since.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            view = _own(session, staff, milestone_id)
            _check_status(view.status, milestone_id, "draft")
            drawing = drafts.described(session, view, form, narrate, language)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            row = _held(session, staff, milestone_id, "draft")
            view = _uncorrected(session, staff, milestone_id)
            if is_said(view, form, drawing):
                return
            drafts.refuse_unseen(view, revision)
            described = drafts.described(session, view, form, narrate, language, drawing)
            row.kind = form.kind
            row.category_id = described.category_id
            row.addition_policy = form.addition_policy
            self._rewrite(session, view, described)
            self._record(session, staff, "milestone.changed", milestone_id)

    def beside(
        self, staff: Acting, milestone_id: str, form: MilestoneForm, narrate: NarrateIn, language: str
    ) -> drafts.Beside:
        """What a draft says by now, and what would be said otherwise by a form.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            return drafts.beside(session, staff, _own(session, staff, milestone_id), form, narrate, language)

    def saved(self, staff: Acting, milestone_id: str) -> Saved | None:
        """Who changed it last.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            return drafts.saved(session, staff, _own(session, staff, milestone_id))

    def _rewrite(self, session: Session, view: MilestoneView, described: Described) -> None:
        check_saved(
            session, view.organisation_id, view.achievement_id, parse_criteria(described.new.criteria)
        )
        store.rewrite_criteria(session, view.organisation_id, view.version_id, described.new.criteria)
        store.rewrite_achievement(session, view.achievement_version_id, described.new)

    def activate(self, staff: Acting, milestone_id: str, narrate: NarrateIn, *, seen: str) -> None:
        """Let a draft begin: whoever meets it gets it, from now on and for what was completed before.

        A second click changes nothing.

        :param seen: ``mark`` of the :class:`MilestonePage` or :class:`DryRun` that the person looked at.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID, where its category is empty by now.
        :raises Conflict: CONFLICT where it is retired, or says or asks something else than what was seen.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        now = self.clock()
        with self.database.read() as session:
            view = _own(session, staff, milestone_id)
            if view.status == "active":
                return
            _check_status(view.status, milestone_id, "draft")
            drawing = drafts.described(session, view, of_view(view), narrate, view.language)
        with self.database.write() as session:
            # Nobody sorts micromodules before the end of the transaction.
            organisations.lock(session, staff.organisation_id)
            row = _held(session, staff, milestone_id, "draft", "active")
            if row.status == "active":
                return
            view = _uncorrected(session, staff, milestone_id)
            # A category may have got another content since it was described.
            described = drafts.described(session, view, of_view(view), narrate, view.language, drawing)
            self._rewrite(session, view, described)
            if drafts.seen(session, view)[1] != seen:
                raise drafts.unseen(milestone_id)
            row.status = "active"
            row.activated_at = now
            self._record(session, staff, "milestone.activated", milestone_id)
        self.hints.offer("decide_milestone", milestone_id=milestone_id)

    def retire(self, staff: Acting, milestone_id: str, *, revision: str = "") -> None:
        """Award it no more; whoever has it keeps it. A draft goes, nobody having seen it.

        :param revision: of the :class:`MilestonePage` that the person looked at: who throws a draft away
            retires none that was activated meanwhile; once is enough. Empty: of what is there.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: MILESTONE_ASKED_FOR where criteria ask for its badge, with ``names``; CONFLICT with
            the ``reason`` ``unseen`` where it is not what was looked at.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            # Nobody saves criteria that ask for it before the end of the transaction.
            organisations.lock(session, staff.organisation_id)
            if revision and drafts.was_discarded(session, staff, milestone_id):
                return
            row = _held(session, staff, milestone_id, "draft", "active", "retired")
            if row.status == "retired":
                return
            drafts.refuse_unseen(_own(session, staff, milestone_id), revision)
            names = names_asking_for(session, staff.organisation_id, row.achievement_id)
            if names:
                raise Conflict(ErrorCode.MILESTONE_ASKED_FOR, f"{milestone_id} is asked for", names=names)
            if row.status == "draft":
                view = _own(session, staff, milestone_id)
                session.delete(row)
                session.flush()
                store.remove_achievement(session, staff.organisation_id, view.achievement_id)
                self._record(session, staff, drafts.DISCARDED, milestone_id)
                return
            # Whoever decides about it just now is done first; whoever comes later sees that it is retired.
            store.lock(session, staff.organisation_id, [_own(session, staff, milestone_id).version_id])
            row.status = "retired"
            row.retired_at = self.clock()
            self._record(session, staff, "milestone.retired", milestone_id)

    def dry_run(self, staff: Acting, milestone_id: str, after: str = "") -> DryRun:
        """Who would get it now, with reasons and dates, from the learner ``after`` on; nothing is written.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.VIEW)
        organisation_id, now = staff.organisation_id, self.clock()
        with self.database.read() as session:
            view = _own(session, staff, milestone_id)
            progress = store.progress(session, organisation_id, view)
            criterion, mark = drafts.seen(session, view)
            short = short_of(session, organisation_id, criterion)
        rows: list[WouldGet] = []
        looked_at = 0
        more: str | None = after
        for learner_id, found in self._judged(organisation_id, view, criterion, after, now):
            if len(rows) >= PAGE or looked_at >= LOOKED_AT:
                break
            looked_at, more = looked_at + 1, learner_id
            if found is not None:
                rows.append(found)
        else:
            more = None
        return DryRun(view, criterion, tuple(rows), looked_at, progress.learners, more, mark, short)

    def _judged(
        self, organisation_id: str, view: MilestoneView, criterion: Criterion, after: str, now: datetime
    ) -> Iterator[tuple[str, WouldGet | None]]:
        """Each learner who completed anything, and what they would get; of a person only the one who gets
        it."""
        while True:
            with self.database.read() as session:
                some = decisions.learners_with_completions(
                    session, organisation_id, after=after, limit=AT_ONCE
                )
                if not some:
                    return
                people = read_people(session, organisation_id, some, [criterion], now)
                names = decisions.names_of(session, organisation_id, some)
                holders = decisions.holders_of(
                    session,
                    organisation_id,
                    view.achievement_version_id,
                    [id_ for person in people.persons for id_ in person.learner_ids],
                )
            found: dict[str, WouldGet] = {}
            for person in people.persons:
                has_it = not holders.isdisjoint(person.learner_ids)
                judged = judge(people, person, criterion, holds=has_it, now=now)
                if judged.decision.verdict is Verdict.AWARD or has_it:
                    found[judged.learner_id] = WouldGet(
                        judged.learner_id,
                        names.get(judged.learner_id),
                        judged.decision.finding,
                        judged.decision.met_at,
                        has_it,
                    )
            for learner_id in some:
                yield learner_id, found.get(learner_id)
            after = some[-1]

    def _record(self, session: Session, staff: Acting, action: str, id_: str, **detail: Any) -> None:
        audit.record(
            session,
            staff.organisation_id,
            at=self.clock(),
            actor=staff.actor,
            action=action,
            subject_kind="milestone",
            subject_id=id_,
            detail=detail,
        )


def _mark(version: ActiveVersion) -> Mark:
    return Mark(version.id, version.changes, version.settled_changes, version.settled_at)


def _own(session: Session, staff: Acting, milestone_id: str) -> MilestoneView:
    view = store.milestone(session, staff.organisation_id, milestone_id)
    if view is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"milestone {milestone_id}")
    return view


def _uncorrected(session: Session, staff: Acting, milestone_id: str) -> MilestoneView:
    """A milestone whose badge nobody corrects before the end of the transaction."""
    view = _own(session, staff, milestone_id)
    store.hold_badge(session, staff.organisation_id, view.achievement_version_id)
    return _own(session, staff, milestone_id)


def _held(session: Session, staff: Acting, milestone_id: str, *statuses: str) -> Any:
    row = store.hold(session, staff.organisation_id, milestone_id)
    if row is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"milestone {milestone_id}")
    _check_status(row.status, milestone_id, *statuses)
    return row


def _check_status(status: str, milestone_id: str, *statuses: str) -> None:
    if status not in statuses:
        raise Conflict(ErrorCode.CONFLICT, f"milestone {milestone_id} is {status}")
