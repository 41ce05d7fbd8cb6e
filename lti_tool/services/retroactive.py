"""Switching a badge on for those who finished already.

A micromodule may record completions and issue no badge. When somebody gives it one, everybody who completed
it is awarded: in all courses and versions, also those who have left. First a dry run says who, why and with
which date; then a run does it, which can be paused, and which whoever finds it left alone takes up again.

The badge of each version says what was asked for by that version: nobody holds a badge for criteria that
they never met. Nobody is awarded twice, however often it is run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Criterion
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.services import Hints, version_drafts
from lti_tool.services.completers import Completer, Totals, sure_products, totals_of, with_findings
from lti_tool.services.configuring import Choices
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.deciding import IssuingPort, ScoringPort
from lti_tool.services.describing import describe_form
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Author
from lti_tool.services.retroactive_run import KIND, GoOn, RetroactiveRuns, Say, open_run, record
from lti_tool.services.version_drafts import Saved
from lti_tool.store import bindings, micromodules, runs, versions
from lti_tool.store import retroactive as store
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.database import Database
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.runs import RunView
from lti_tool.store.versions import VersionDraftView

DRAFT: Final = "badge"
"""Of a version draft: the first badge of something that is published."""
PAGE: Final = 50
"""People on one page of the dry run."""
AT_ONCE: Final = 500
"""People read together, where everybody is."""

Narrate = Callable[[Criterion], str]


@dataclass(frozen=True, slots=True)
class BadgeForm:
    """The form of the badge that is to be switched on."""

    micromodule_id: str
    name: str
    """Of the micromodule."""
    form: MicromoduleForm
    criterion: Criterion
    """What is asked for; it stays as it is."""
    issuer_choices: Choices
    is_unsaved: bool
    """What is shown was typed earlier."""
    completed: int
    """How many completed it, those who get no badge included."""
    micromodule_choices: Choices = ()
    achievement_choices: Choices = ()
    supports_mirror: bool = False
    supports_gates: bool = False
    is_known: bool = False
    draft: str = ""
    """The token of what is described: nobody writes over what they have not seen. Empty where nothing is."""
    saved: Saved | None = None
    """Who saved it last."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Who would get the badge, were it switched on now."""

    micromodule_id: str
    name: str
    new: NewMicromodule | None
    """The badge as it is going to be; ``None`` where nobody has described it yet."""
    criterion: Criterion
    totals: Totals
    people: tuple[Completer, ...]
    number: int
    pages: int
    mark: str
    """Of the badge that is described: another as soon as anybody changes it."""


@dataclass(frozen=True)
class Retroactive:
    """Gives a micromodule its badge, and everybody who completed it."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints
    issuing: IssuingPort
    scoring: ScoringPort | None = None
    go_on: GoOn | None = None
    """Told who was awarded in an organisation; gives the ids of awards that follow from it."""

    # -- the badge

    def begin(self, author: Author, micromodule_id: str, *, discards: bool = False) -> BadgeForm:
        """The form, as it was left.

        :param discards: show it as if nobody had typed anything.
        :raises NotFound: ``micromodule_not_found``, also for one of another organisation or course.
        :raises NotAllowed: ``version_needs_staff`` for an instructor where other courses have it, too.
        :raises Conflict: ``badge_is_on`` where it issues one.
        """
        organisation_id = author.organisation_id
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = versions.draft(reading, organisation_id, micromodule_id, DRAFT)
            saved = version_drafts.saved(reading, organisation_id, kept, author.actor)
            issuers = micromodules.issuer_choices(reading, organisation_id)
            completed = store.count(reading, organisation_id, micromodule_id)
        _require_bare(published)
        blank = MicromoduleForm(
            name=published.name, description=published.description, skills="\n".join(published.skills)
        )
        typed = None if kept is None or discards else _form_of(kept)
        return BadgeForm(
            micromodule_id,
            published.name,
            typed or blank,
            parse_criteria(published.criteria),
            issuers,
            typed is not None,
            completed,
            draft=version_drafts.token_of(kept),
            saved=saved,
        )

    def save(self, author: Author, micromodule_id: str, form: MicromoduleForm, *, draft: str = "") -> str:
        """Keep what was typed; nothing is switched on by it.

        :param draft: the token that the form carries; empty: nothing was described when it was opened.
        :returns: the token of what is kept now.
        :raises NotFound: :raises NotAllowed: as :meth:`begin`.
        :raises Conflict: ``badge_is_on`` where it issues one; ``conflict``, ``reason`` ``unseen``, where
            somebody else saved something since.
        """
        organisation_id, now = author.organisation_id, self.clock()
        # The rules are the published ones, whatever a request says.
        form = replace(form, rows=(), groups={}, no_badge="")
        with self.database.write() as writing:
            # Of two who save at once the second finds what the first has saved.
            versions.hold_drafts(writing, organisation_id, micromodule_id)
            published = _published(writing, author, micromodule_id)
            _require_bare(published)
            kept = versions.draft(writing, organisation_id, micromodule_id, DRAFT)
            content = {**({} if kept is None else kept.content), "fields": form.to_fields()}
            is_same = version_drafts.is_same(kept, content)
            if kept is not None and is_same and kept.based_on_id == published.version_id:
                return version_drafts.token_of(kept)
            if not is_same:
                version_drafts.refuse_unseen(kept, author.actor, draft)
                content |= version_drafts.turn_of(kept, author.actor, draft)
            versions.save_draft(
                writing,
                organisation_id,
                micromodule_id,
                DRAFT,
                based_on_id=published.version_id,
                context_id=author.context_id,
                content=content,
                actor=author.actor,
                now=now,
            )
            return version_drafts.token_of(versions.draft(writing, organisation_id, micromodule_id, DRAFT))

    def discard(self, author: Author, micromodule_id: str, *, draft: str = "") -> None:
        """Forget what was typed.

        :param draft: as of :meth:`save`.
        :raises NotFound: :raises NotAllowed: as :meth:`begin`. :raises Conflict: as :meth:`save`.
        """
        with self.database.write() as writing:
            versions.hold_drafts(writing, author.organisation_id, micromodule_id)
            _published(writing, author, micromodule_id)
            kept = versions.draft(writing, author.organisation_id, micromodule_id, DRAFT)
            version_drafts.refuse_unseen(kept, author.actor, draft)
            versions.remove_draft(writing, author.organisation_id, micromodule_id, DRAFT)

    # -- the dry run

    def dry_run(
        self,
        author: Author,
        micromodule_id: str,
        narrate: Narrate | None = None,
        *,
        language: str = "en",
        page: int = 1,
    ) -> DryRun:
        """Who would get the badge: names, courses, reasons and dates, a page at a time; nothing is written.

        :param narrate: with it the badge is described as well, as it was left.
        :param language: in which ``narrate`` writes, a BCP 47 tag.
        :raises NotFound: :raises NotAllowed: :raises Conflict: as :meth:`begin`.
        :raises RequestInvalid: ``form_invalid`` with ``problems`` of the badge.
        """
        organisation_id, now = author.organisation_id, self.clock()
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = versions.draft(reading, organisation_id, micromodule_id, DRAFT)
            totals = totals_of(store.tallies(reading, organisation_id, micromodule_id, sure_products(), now))
            pages = max(1, math.ceil(totals.completed / PAGE))
            number = min(max(1, page), pages)
            rows = store.page(
                reading,
                organisation_id,
                micromodule_id,
                sure_products(),
                now,
                offset=(number - 1) * PAGE,
                limit=PAGE,
            )
            people = with_findings(reading, author, rows)
        _require_bare(published)
        criterion = parse_criteria(published.criteria)
        form = None if kept is None or narrate is None else _form_of(kept)
        new = None
        if form is not None and narrate is not None:
            new = describe_form(self.database, organisation_id, form, narrate, language, criterion=criterion)
        mark = "" if kept is None else _mark_of(kept)
        return DryRun(micromodule_id, published.name, new, criterion, totals, people, number, pages, mark)

    def people(self, author: Author, micromodule_id: str) -> Iterator[Completer]:
        """Everybody of the dry run, by version and id, read while it is taken.

        :raises NotFound: :raises NotAllowed: as :meth:`begin`; before the first is taken.
        """
        with self.database.read() as reading:
            _published(reading, author, micromodule_id)
        return self._everybody(author, micromodule_id)

    def _everybody(self, author: Author, micromodule_id: str) -> Iterator[Completer]:
        organisation_id = author.organisation_id
        with self.database.read() as reading:
            version_ids = store.version_ids(reading, organisation_id, micromodule_id)
        for version_id in version_ids:
            last, is_over = "", False
            while not is_over:
                with self.database.read() as reading:
                    rows, last, is_over = store.batch(
                        reading,
                        organisation_id,
                        micromodule_id,
                        sure_products(),
                        self.clock(),
                        version_id=version_id,
                        after=last,
                        limit=AT_ONCE,
                    )
                    found = with_findings(reading, author, rows)
                yield from found

    # -- switching on

    def switch_on(
        self, author: Author, micromodule_id: str, narrate: Narrate, *, language: str, seen: str
    ) -> RunView:
        """Let the micromodule issue the badge that is described, and begin to award it.

        Every version gets a badge of its own number, which says what that version asks for.

        :param seen: ``mark`` of the :class:`DryRun` that the person looked at.
        :raises RequestInvalid: ``form_invalid`` with ``problems`` of the badge.
        :raises NotFound: :raises NotAllowed: as :meth:`begin`.
        :raises Conflict: ``badge_is_on`` where somebody was first; ``conflict`` where somebody described it
            anew, or published another version.
        """
        organisation_id = author.organisation_id
        with self.database.read() as reading:
            published = _published(reading, author, micromodule_id)
            kept = _prepared(reading, organisation_id, published, seen)
            bare = store.bare_versions(reading, organisation_id, micromodule_id)
        form = _form_of(kept)
        described = {
            one.id: describe_form(
                self.database,
                organisation_id,
                form,
                narrate,
                language,
                criterion=parse_criteria(one.criteria),
            )
            for one in bare
        }
        now = self.clock()
        with self.database.write() as writing:
            versions.lock(writing, organisation_id, micromodule_id)
            same = _published(writing, author, micromodule_id)
            _prepared(writing, organisation_id, same, seen)
            if store.bare_versions(writing, organisation_id, micromodule_id) != bare:
                raise Conflict(ErrorCode.CONFLICT, f"micromodule {micromodule_id} was published meanwhile")
            chosen = described[published.version_id].issuer_id
            issuer_id = chosen or micromodules.default_issuer_id(writing, organisation_id)
            if issuer_id is None:
                raise NotFound(ErrorCode.NOT_FOUND, "the organisation has no issuer")
            achievement_id = micromodules.achievement_of(
                writing, organisation_id, micromodule_id, issuer_id, now
            )
            bound: list[list[str]] = []
            for one in reversed(bare):
                badge = micromodules.achievement_version_of(
                    described[one.id],
                    organisation_id,
                    achievement_id,
                    number=micromodules.next_number(writing, achievement_id),
                    now=now,
                )
                badge.published_by = author.actor
                writing.add(badge)
                writing.flush()
                store.bind(writing, organisation_id, one.id, badge.id)
                bound.insert(0, [one.id, badge.id])
            versions.remove_draft(writing, organisation_id, micromodule_id, DRAFT)
            run_id = open_run(writing, author.organisation_id, author.actor, micromodule_id, bound, now)
            record(
                writing,
                organisation_id,
                author.actor,
                "badge.switched_on",
                micromodule_id,
                now,
                achievement=achievement_id,
                versions=len(bound),
                run=run_id,
            )
        self.hints.offer("award_retroactively", run_id=run_id)
        return self.run(organisation_id, run_id)

    def again(self, organisation_id: str, actor: str, micromodule_id: str) -> RunView:
        """Award whoever completed it and has no badge of it; joins a run that is not over.

        :raises NotFound: ``micromodule_not_found``; ``not_found`` where it issues no badge.
        """
        now = self.clock()
        with self.database.write() as writing:
            versions.lock(writing, organisation_id, micromodule_id)
            if bindings.newest(writing, organisation_id, micromodule_id) is None:
                raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
            run = runs.of_task(writing, organisation_id, KIND, "micromodule_id", micromodule_id)
            if run is not None and run.is_open:
                return run
            bound = store.badged_versions(writing, organisation_id, micromodule_id)
            if not bound:
                raise NotFound(ErrorCode.NOT_FOUND, "it issues no badge; switch one on, on its staff page")
            run_id = open_run(writing, organisation_id, actor, micromodule_id, bound, now)
            record(writing, organisation_id, actor, "badge.awarded_again", micromodule_id, now, run=run_id)
        self.hints.offer("award_retroactively", run_id=run_id)
        return self.run(organisation_id, run_id)

    # -- the run

    def run(self, organisation_id: str, run_id: str) -> RunView:
        """How far a run is.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = runs.run(session, organisation_id, run_id)
        if found is None or found.kind != KIND:
            raise NotFound(ErrorCode.NOT_FOUND, f"run {run_id}")
        return found

    def run_of(self, author: Author, micromodule_id: str) -> RunView | None:
        """The latest run of a micromodule.

        :raises NotFound: :raises NotAllowed: as :meth:`begin`.
        """
        with self.database.read() as reading:
            _published(reading, author, micromodule_id)
            return runs.of_task(reading, author.organisation_id, KIND, "micromodule_id", micromodule_id)

    def name_of(self, author: Author, micromodule_id: str) -> str:
        """What is, or was, switched on.

        :raises NotFound: :raises NotAllowed: as :meth:`begin`.
        """
        with self.database.read() as reading:
            return _published(reading, author, micromodule_id).name

    def newest(self, organisation_id: str, micromodule_id: str) -> RunView | None:
        """The latest run of a micromodule, for pages that show it to whoever may look."""
        with self.database.read() as reading:
            return runs.of_task(reading, organisation_id, KIND, "micromodule_id", micromodule_id)

    def under_way(self, organisation_id: str, context_id: str) -> dict[str, RunView]:
        """Runs that are not over, by the placement of this course whose badge they award."""
        with self.database.read() as reading:
            found = {
                task["micromodule_id"]: run for run, task in runs.open_tasks(reading, organisation_id, KIND)
            }
            placed = store.placements(reading, organisation_id, context_id, found) if found else ()
        return {placement_id: found[micromodule_id] for placement_id, micromodule_id in placed}

    def pause(self, author: Author, micromodule_id: str) -> RunView:
        """Let the run rest after the batch in hand; whoever has the badge keeps it.

        :raises NotFound: NOT_FOUND without a run; else as :meth:`begin`. :raises NotAllowed: likewise.
        """
        return self._change(author, micromodule_id, pauses=True)

    def resume(self, author: Author, micromodule_id: str) -> RunView:
        """Let the run go on from where it stopped.

        :raises NotFound: :raises NotAllowed: as :meth:`pause`.
        """
        return self._change(author, micromodule_id, pauses=False)

    def _change(self, author: Author, micromodule_id: str, *, pauses: bool) -> RunView:
        organisation_id, now = author.organisation_id, self.clock()
        run = self.run_of(author, micromodule_id)
        if run is None:
            raise NotFound(ErrorCode.NOT_FOUND, "no run")
        with self.database.write() as writing:
            if pauses:
                is_changed = runs.pause(writing, organisation_id, run.id, now)
            else:
                is_changed = runs.resume(writing, organisation_id, run.id)
            if is_changed:
                action = "run.paused" if pauses else "run.resumed"
                record(writing, organisation_id, author.actor, action, micromodule_id, now, run=run.id)
        if is_changed and not pauses:
            self.hints.offer("award_retroactively", run_id=run.id)
        return self.run(organisation_id, run.id)

    def due(self, limit: int) -> tuple[str, ...]:
        """Ids of the runs that nobody works on and that are not paused."""
        with self.database.read() as session:
            return runs.due_tasks(session, KIND, self.clock(), limit)

    def work(self, run_id: str, say: Say | None = None) -> None:
        """Do what is left of a run; nothing where another process does, or it is paused or over.

        :param say: told how many of how many completions are done.
        :raises ConfigurationInvalid: ``key_…`` where a key cannot be used; the run stays as it is.
        """
        parts = RetroactiveRuns(self.database, self.clock, self.issuing, self.scoring, self.go_on)
        parts.work(run_id, say)


def _published(reading: Session, author: Author, micromodule_id: str) -> DescribedVersion:
    """The newest version, for somebody who may give it a badge."""
    published = bindings.newest(reading, author.organisation_id, micromodule_id)
    if published is None:
        raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
    placed = versions.placed(reading, author.organisation_id, micromodule_id)
    courses = {one.context_id for one in placed if one.status == "active"}
    if author.context_id is not None:
        if author.context_id not in courses:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND, "not published in this course")
        if len(courses) > 1:
            raise NotAllowed(ErrorCode.VERSION_NEEDS_STAFF, f"{len(courses)} courses have {micromodule_id}")
    return published


def _require_bare(published: DescribedVersion) -> None:
    if published.achievement_version_id is not None:
        raise Conflict(ErrorCode.BADGE_IS_ON, f"micromodule {published.micromodule_id} issues a badge")


def _prepared(
    reading: Session, organisation_id: str, published: DescribedVersion, seen: str
) -> VersionDraftView:
    """What is described, if it is what the person looked at."""
    _require_bare(published)
    kept = versions.draft(reading, organisation_id, published.micromodule_id, DRAFT)
    if kept is None or _mark_of(kept) != seen or kept.based_on_id != published.version_id:
        raise Conflict(ErrorCode.CONFLICT, f"micromodule {published.micromodule_id} was changed meanwhile")
    return kept


def _form_of(kept: VersionDraftView) -> MicromoduleForm:
    return MicromoduleForm.from_fields(kept.content.get("fields", {}))


def _mark_of(kept: VersionDraftView) -> str:
    said = [kept.based_on_id, kept.content.get("fields")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
