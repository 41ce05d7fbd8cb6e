"""The next version of a published micromodule: prepared, compared with what is published, put in its place.

A published version is never changed. Its next one takes its place in every course at once, and whoever holds
a badge of the versions before is asked about: they keep it, or it ends on a date, or now. Nothing is revoked,
and meeting the new version gives a badge of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Attested, Criterion, GatePassed, leaves
from lti_tool.domain.differences import Differences
from lti_tool.domain.renaming import renamed
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.platforms import GateKind, platform_for
from lti_tool.services import Hints, version_drafts
from lti_tool.services.awarding import PlacementDecisions
from lti_tool.services.circles import check_circle, check_saved
from lti_tool.services.comparing import alt_of, carried_on, changes, form_changes, revision_of
from lti_tool.services.configuring import gate_link_key
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.describing import check_choices, describe_form, evidence_columns
from lti_tool.services.editing import form_of, refuse_itself, refuse_unreachable
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import (
    Answer,
    Author,
    Comparison,
    Holder,
    HoldersPage,
    Narrate,
    Prospect,
    VersionForm,
    fate,
    prospect,
)
from lti_tool.services.publishing import AT_ONCE, DecidingPort
from lti_tool.store import (
    audit,
    bindings,
    currency,
    decisions,
    gates,
    micromodules,
    placements,
    runs,
    schedule,
)
from lti_tool.store import versions as store
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.database import Database
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.versions import HolderCounts, HolderRow, NewsView, NewVersion, VersionDraftView

PAGE: Final = 50
"""Holders on one page of the dry run."""
NEWS_FOR: Final = timedelta(days=30)
"""How long a course's page tells that a badge has a new version."""


class AwardingPort(Protocol):
    """Tries criteria; :class:`~lti_tool.services.awarding.Awarding`."""

    def simulate(
        self,
        organisation_id: str,
        context_id: str,
        criterion: Criterion,
        *,
        placement_id: str | None = None,
        learner_ids: Sequence[str] | None = None,
    ) -> PlacementDecisions: ...


@dataclass(frozen=True)
class Versions:
    """Prepares and publishes next versions."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints
    deciding: DecidingPort
    awarding: AwardingPort

    # -- preparing

    def begin(self, author: Author, micromodule_id: str, *, discards: bool = False) -> VersionForm:
        """The form: what is published, or what was typed since.

        :param discards: show what is published; what was typed is forgotten with the next change.
        :raises NotAllowed: ``version_needs_staff`` where other courses have it, too.
        :raises NotFound: ``micromodule_not_found``, also where it is not published in the author's course.
        :raises Conflict: ``placement_not_editable`` where the form cannot show what is published.
        """
        organisation_id = author.organisation_id
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = store.draft(reading, organisation_id, micromodule_id, store.KIND)
            saved = version_drafts.saved(reading, organisation_id, kept, author.actor)
            versions = micromodules.current_versions(reading, organisation_id)
            achievements = micromodules.achievement_choices(reading, organisation_id)
            course = (
                placements.course(reading, organisation_id, author.context_id) if author.context_id else None
            )
        form = form_of(published, {})
        revision = revision_of(published)
        typed = None if kept is None or discards else MicromoduleForm.from_fields(kept.content["fields"])
        is_outdated = kept is not None and typed is not None and kept.content.get("revision") != revision
        has_badge = published.achievement_version_id is not None
        platform = None if author.product is None else platform_for(author.product)
        return VersionForm(
            micromodule_id,
            published.name,
            published.number + 1,
            form if typed is None else typed,
            revision,
            tuple((one.micromodule_id, one.name) for one in versions if one.micromodule_id != micromodule_id),
            tuple((id_, name) for id_, name in achievements if id_ != published.achievement_id),
            # Staff prepare for courses of any platform.
            platform is None or platform.supports_mirror,
            platform is None or platform.gate_kind is not GateKind.UNKNOWN,
            course is not None and course.roster_read_at is not None,
            has_badge,
            is_unsaved=typed is not None and typed != form,
            is_outdated=is_outdated,
            beside=form_changes(form, typed, has_badge=has_badge)
            if typed is not None and is_outdated
            else None,
            draft=version_drafts.token_of(kept),
            saved=saved,
            achievement_version_id=published.achievement_version_id,
            language=published.language or "",
        )

    def save(
        self,
        author: Author,
        micromodule_id: str,
        fields: Mapping[str, str],
        *,
        revision: str = "",
        draft: str = "",
    ) -> str:
        """Keep what was typed; what is published stays as it is.

        :param revision: as the form was opened with; empty: from what is published now.
        :param draft: the token that the form carries; empty: nothing was prepared when it was opened.
        :returns: the token of what is kept now.
        :raises NotAllowed: :raises NotFound: as :meth:`begin`.
        :raises Conflict: ``conflict``, ``reason`` ``unseen``, where somebody else saved something since.
        """
        return self._keep(author, micromodule_id, draft, fields=fields, revision=revision)

    def answer(self, author: Author, micromodule_id: str, answer: Answer, *, draft: str = "") -> str:
        """Keep what was said about holders.

        :param draft: as of :meth:`save`; what it returns, too.
        :raises NotAllowed: :raises NotFound: as :meth:`begin`.
        :raises Conflict: ``conflict`` where nothing is prepared, or no longer; or as :meth:`save`.
        """
        return self._keep(author, micromodule_id, draft, answer=answer)

    def _keep(
        self,
        author: Author,
        micromodule_id: str,
        draft: str,
        *,
        fields: Mapping[str, str] | None = None,
        answer: Answer | None = None,
        revision: str = "",
    ) -> str:
        organisation_id = author.organisation_id
        with self.database.write() as writing:
            # Of two who save at once the second finds what the first has saved.
            store.hold_drafts(writing, organisation_id, micromodule_id)
            published = _published(writing, author, micromodule_id)
            kept = store.draft(writing, organisation_id, micromodule_id, store.KIND)
            content = {} if kept is None else dict(kept.content)
            if fields is not None:
                content["fields"] = MicromoduleForm.from_fields(fields).to_fields()
                # What these fields began from, also where another tab has seen what came later.
                content["revision"] = revision or revision_of(published)
            if answer is not None:
                if "fields" not in content:
                    raise _changed(micromodule_id)
                content["answer"] = answer.to_fields()
            if version_drafts.is_same(kept, content):
                return version_drafts.token_of(kept)
            version_drafts.refuse_unseen(kept, author.actor, draft)
            content |= version_drafts.turn_of(kept, author.actor, draft)
            store.save_draft(
                writing,
                organisation_id,
                micromodule_id,
                store.KIND,
                based_on_id=published.version_id,
                context_id=author.context_id,
                content=content,
                actor=author.actor,
                now=self.clock(),
            )
            return version_drafts.token_of(store.draft(writing, organisation_id, micromodule_id, store.KIND))

    def discard(self, author: Author, micromodule_id: str, *, draft: str = "") -> None:
        """Forget what was prepared.

        :param draft: as of :meth:`save`.
        :raises NotAllowed: :raises NotFound: as :meth:`begin`. :raises Conflict: as :meth:`save`.
        """
        with self.database.write() as writing:
            store.hold_drafts(writing, author.organisation_id, micromodule_id)
            _published(writing, author, micromodule_id)
            kept = store.draft(writing, author.organisation_id, micromodule_id, store.KIND)
            version_drafts.refuse_unseen(kept, author.actor, draft)
            store.remove_draft(writing, author.organisation_id, micromodule_id, store.KIND)

    # -- comparing

    def compare(self, author: Author, micromodule_id: str, narrate: Narrate, *, language: str) -> Comparison:
        """What is prepared beside what is published, and whom it concerns.

        :raises RequestInvalid: ``form_invalid`` with ``problems`` of the form, also where nothing differs.
        :raises NotAllowed: :raises NotFound: as :meth:`begin`.
        :raises Conflict: ``conflict`` where nothing is prepared, or another version was published since.
        """
        organisation_id = author.organisation_id
        now = self.clock()
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = _prepared(reading, organisation_id, published)
            saved = version_drafts.saved(reading, organisation_id, kept, author.actor)
            maxima = _column_maxima(reading, organisation_id, micromodule_id)
            courses = _published_in(store.placed(reading, organisation_id, micromodule_id))
            answer = Answer.from_fields(kept.content.get("answer", {}))
            ends_at = answer.ends_at(now)
            holders = HolderCounts(0, 0)
            if published.achievement_id is not None:
                holders = store.holder_counts(
                    reading, organisation_id, published.achievement_id, now, ends_at=ends_at
                )
        new, found = self._described(organisation_id, published, kept, maxima, narrate, language)
        return Comparison(
            micromodule_id,
            published,
            new,
            published.number + 1,
            found,
            answer,
            published.achievement_version_id is not None,
            len(courses),
            holders,
            ends_at,
            version_drafts.mark_of(kept),
            version_drafts.token_of(kept),
            saved,
        )

    def _described(
        self,
        organisation_id: str,
        published: DescribedVersion,
        kept: VersionDraftView,
        maxima: Mapping[tuple[str, str], Decimal],
        narrate: Narrate,
        language: str,
    ) -> tuple[NewMicromodule, Differences]:
        form = MicromoduleForm.from_fields(kept.content["fields"])
        # Who signs is the achievement's, and the same for all its versions; so is whether there is one.
        no_badge = "" if published.achievement_version_id else "on"
        form = replace(form, details=replace(form.details, issuer_id=""), no_badge=no_badge)
        refuse_itself(form, published)
        refuse_unreachable(form, maxima)
        form = replace(form, image_alt=alt_of(form, published))
        # A badge goes on in its language, whoever writes its next version.
        language = published.language or language
        new = describe_form(
            self.database,
            organisation_id,
            form,
            carried_on(published, narrate, language),
            language,
            signed_by=published.issuer_id,
        )
        found = changes(published, new, narrate)
        if found.is_empty:
            check_form([Problem("criteria", FormProblem.NOTHING_NEW)])
        with self.database.read() as reading:
            check_circle(
                reading, organisation_id, published.micromodule_id, parse_criteria(new.criteria), form=form
            )
        return new, found

    # -- who holds the versions before

    def holders(
        self, author: Author, micromodule_id: str, narrate: Narrate, *, language: str, page: int = 1
    ) -> HoldersPage:
        """What would become of each badge of the versions before, and who would get the new one at once.

        An instructor is shown whom their course awarded; the others are counted.

        :raises RequestInvalid: :raises NotAllowed: :raises NotFound: :raises Conflict: as :meth:`compare`.
        """
        organisation_id = author.organisation_id
        compared = self.compare(author, micromodule_id, narrate, language=language)
        now = self.clock()
        achievement_id = compared.before.achievement_id
        if achievement_id is None:
            return HoldersPage((), 1, 1, 0, 0, compared.holders, compared.answer, None)
        with self.database.read() as reading:
            placed = store.placed(reading, organisation_id, micromodule_id)
            shown = compared.holders.badges
            if author.context_id is not None:
                shown = store.holder_counts(
                    reading, organisation_id, achievement_id, now, context_id=author.context_id
                ).badges
            pages = max(1, -(-shown // PAGE))
            page = min(max(1, page), pages)
            rows = store.holders(
                reading,
                organisation_id,
                achievement_id,
                now,
                context_id=author.context_id,
                offset=(page - 1) * PAGE,
                limit=PAGE,
            )
        standing = {one.context_id: one.placement_id for one in placed if one.status == "active"}
        prospects = self._prospects(organisation_id, compared.after_criterion, standing, rows)
        return HoldersPage(
            tuple(
                Holder(row, *fate(row, compared.ends_at, compared.answer), prospects[row.award_id])
                for row in rows
            ),
            page,
            pages,
            shown,
            compared.holders.badges - shown,
            compared.holders,
            compared.answer,
            compared.ends_at,
        )

    def _prospects(
        self,
        organisation_id: str,
        criterion: Criterion,
        standing: Mapping[str, str],
        rows: Sequence[HolderRow],
    ) -> dict[str, Prospect]:
        """By award; of each course whose learners are on the page its facts are read once."""
        found = {row.award_id: Prospect.NOT_HERE for row in rows}
        by_course: dict[str, list[HolderRow]] = {}
        for row in rows:
            if row.context_id in standing:
                by_course.setdefault(str(row.context_id), []).append(row)
        for context_id, group in by_course.items():
            ids = sorted({row.learner_id for row in group})
            tried = self.awarding.simulate(
                organisation_id, context_id, criterion, placement_id=standing[context_id], learner_ids=ids
            )
            decided = {decision.learner_id: prospect(decision) for decision in tried.decisions}
            for row in group:
                found[row.award_id] = decided.get(row.learner_id, Prospect.NOT_HERE)
        return found

    # -- publishing

    def publish(
        self,
        author: Author,
        micromodule_id: str,
        answer: Answer,
        narrate: Narrate,
        *,
        language: str,
        seen: str,
    ) -> NewVersion:
        """Put the prepared version in the place of the published one, in every course at once.

        What both versions ask for keeps its column and its gate; the rest is asked for. Whoever holds a badge
        of a version before keeps it, or it ends, as ``answer`` says; nothing is revoked.

        :param seen: ``mark`` of the :class:`Comparison` that the person looked at.
        :raises RequestInvalid: ``form_invalid`` with ``problems`` of the form or the answer.
        :raises NotAllowed: :raises NotFound: as :meth:`compare`.
        :raises Conflict: ``conflict`` where somebody changed or published it meanwhile: of two who publish at
            once one is told so.
        """
        organisation_id = author.organisation_id
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = _prepared(reading, organisation_id, published)
            maxima = _column_maxima(reading, organisation_id, micromodule_id)
        if version_drafts.mark_of(kept) != seen:
            raise _changed(micromodule_id)
        check_form(answer.problems(self.clock(), has_badge=published.achievement_id is not None))
        new, found = self._described(organisation_id, published, kept, maxima, narrate, language)
        criterion = parse_criteria(new.criteria)
        now = self.clock()
        reading_runs: dict[str, str | None] = {}
        with self.database.write() as writing:
            store.lock(writing, organisation_id, micromodule_id)
            if _published(writing, author, micromodule_id) != published or version_drafts.mark_of(
                _prepared(writing, organisation_id, published)
            ) != version_drafts.mark_of(kept):
                raise _changed(micromodule_id)
            # Nobody else publishes this micromodule before the end of the transaction, nor makes a circle,
            # nor retires what its rules name.
            check_saved(writing, organisation_id, micromodule_id, criterion)
            check_choices(writing, organisation_id, MicromoduleForm.from_fields(kept.content["fields"]))
            placed = store.placed(writing, organisation_id, micromodule_id)
            version = store.add(
                writing,
                organisation_id,
                published,
                new,
                whats_new=answer.whats_new,
                actor=author.actor,
                now=now,
            )
            currency.count_as_review(
                writing,
                organisation_id,
                actor=author.actor,
                now=now,
                kind=currency.MICROMODULE,
                id_=micromodule_id,
            )
            for one in placed:
                self._follow(writing, organisation_id, one, new, criterion, now)
            store.rebind(writing, organisation_id, [one.placement_id for one in placed], version.version_id)
            ends_at = answer.ends_at(now)
            if ends_at is not None and published.achievement_id and version.achievement_version_id:
                store.expire_before(
                    writing,
                    organisation_id,
                    published.achievement_id,
                    version.achievement_version_id,
                    ends_at,
                )
            store.remove_draft(writing, organisation_id, micromodule_id, store.KIND)
            audit.record(
                writing,
                organisation_id,
                at=now,
                actor=author.actor,
                action=store.PUBLISHED,
                subject_kind="micromodule",
                subject_id=micromodule_id,
                detail={
                    "version": version.number,
                    "micromodule_version": version.version_id,
                    "before": published.version_id,
                    "courses": len(_published_in(placed)),
                    "holders": answer.policy if published.achievement_id else None,
                    "ends_at": ends_at.isoformat() if ends_at is not None else None,
                    "seen": answer.pressed(seen),
                    "changes": sorted({*found.fields, *(["criteria"] if found.changes_criteria else [])}),
                },
            )
            for context_id in _published_in(placed):
                # Owed from the same transaction on: whoever is killed below loses time, and nothing else.
                schedule.schedule_sync(writing, organisation_id, context_id, now)
                reading_runs[context_id] = None
                if decisions.count_learners(writing, organisation_id, context_id) > AT_ONCE:
                    reading_runs[context_id] = runs.open_run(writing, organisation_id, context_id, now)[0].id
        for context_id, run_id in reading_runs.items():
            if run_id is None and context_id == author.context_id:
                self.deciding.decide(organisation_id, context_id, None, "publish")
            ids = {} if run_id is None else {"run_id": run_id}
            self.hints.offer("sync_context", context_id=context_id, **ids)
        if ends_at is not None:
            self.hints.offer("reconcile")
        return version

    def _follow(
        self,
        writing: Session,
        organisation_id: str,
        one: store.PlacedView,
        new: NewMicromodule,
        criterion: Criterion,
        now: datetime,
    ) -> None:
        """Give one course's placement the columns and gates that the new version asks for.

        People's word stays with the words of its rule: nobody gave it for another. A gate whose rule reads
        otherwise keeps its link, and is to be confirmed again.
        """
        placement = bindings.placed(writing, organisation_id, one.context_id, one.placement_id)
        if placement is None:
            return
        before = parse_criteria(placement.criteria)
        asked = list(leaves(criterion))
        bindings.ask_for_columns(
            writing,
            organisation_id,
            placement,
            evidence_columns(criterion, new.name),
            [leaf.key for leaf in asked if isinstance(leaf, Attested)],
            now,
        )
        former = {leaf.key for leaf in leaves(before) if isinstance(leaf, GatePassed)}
        names = {old: key for old, key in renamed(before, criterion).items() if old in former}
        gates.rename(writing, organisation_id, one.placement_id, names)
        wanted = {
            leaf.key: (leaf.key, leaf.label, gate_link_key(placement.badge_link_key, leaf.key))
            for leaf in asked
            if isinstance(leaf, GatePassed)
        }
        gates.ensure(writing, organisation_id, one.context_id, one.placement_id, wanted.values())

    # -- afterwards

    def was_published(self, author: Author, micromodule_id: str, answer: Answer, *, seen: str) -> bool:
        """Whether the newest version is what this author saw and published, with this answer: the button was
        pressed twice.

        :param seen: as :meth:`publish` was told.
        """
        with self.database.read() as reading:
            return audit.was_last(
                reading,
                author.organisation_id,
                store.PUBLISHED,
                ("micromodule", micromodule_id),
                actor=author.actor,
                seen=answer.pressed(seen),
            )

    def news(self, organisation_id: str, context_id: str) -> tuple[NewsView, ...]:
        """New versions that a course's page tells its teachers of, the latest first."""
        with self.database.read() as reading:
            return store.news(reading, organisation_id, context_id, self.clock() - NEWS_FOR)

    def micromodule_of(self, author: Author, placement_id: str) -> str:
        """The micromodule of a placement of the author's course.

        :raises NotFound: ``placement_not_found``, also for another course's.
        """
        found = None
        if author.context_id is not None:
            with self.database.read() as reading:
                found = store.micromodule_of(reading, author.organisation_id, author.context_id, placement_id)
        if found is None:
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
        return found


def _published(reading: Session, author: Author, micromodule_id: str) -> DescribedVersion:
    """What is published, for somebody who may prepare its next version."""
    published = bindings.newest(reading, author.organisation_id, micromodule_id)
    if published is None:
        raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
    if author.context_id is not None:
        courses = _published_in(store.placed(reading, author.organisation_id, micromodule_id))
        if author.context_id not in courses:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND, "not published in this course")
        if len(courses) > 1:
            raise NotAllowed(ErrorCode.VERSION_NEEDS_STAFF, f"{len(courses)} courses have {micromodule_id}")
    return published


def _prepared(reading: Session, organisation_id: str, published: DescribedVersion) -> VersionDraftView:
    kept = store.draft(reading, organisation_id, published.micromodule_id, store.KIND)
    is_there = kept is not None and "fields" in kept.content
    if kept is None or not is_there or kept.content.get("revision") != revision_of(published):
        raise _changed(published.micromodule_id)
    return kept


def _changed(micromodule_id: str) -> Conflict:
    return Conflict(ErrorCode.CONFLICT, f"micromodule {micromodule_id} was changed or published meanwhile")


def _published_in(placed: Sequence[store.PlacedView]) -> tuple[str, ...]:
    """The courses in which it is published, each once."""
    return tuple(dict.fromkeys(one.context_id for one in placed if one.status == "active"))


def _column_maxima(
    reading: Session, organisation_id: str, micromodule_id: str
) -> dict[tuple[str, str], Decimal]:
    """What the columns hold at most, in the course where they hold least."""
    placed = store.placed(reading, organisation_id, micromodule_id)
    return bindings.column_maxima(reading, organisation_id, *(one.placement_id for one in placed))
