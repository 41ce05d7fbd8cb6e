"""Changing a badge that is still a draft, and taking its criteria along as a file.

A draft is one course's own until it is published, placed elsewhere or earned. From then on others rely on
what it says, and it is changed by describing a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Attested, Criterion, GatePassed, Unit, leaves
from lti_tool.domain.renaming import renamed
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.platforms import GateKind, platform_for
from lti_tool.services.achievement_details import DetailsForm
from lti_tool.services.circles import check_circle, check_saved
from lti_tool.services.comparing import carried_on, revision_of
from lti_tool.services.configuring import Choices, gate_link_key
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import RowKind, parse_number
from lti_tool.services.criteria_tree import CriteriaNotShown, from_criterion, key_of
from lti_tool.services.describing import (
    check_choices,
    describe_form,
    evidence_columns,
    own_description,
)
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Narrate
from lti_tool.services.rights import configured_course
from lti_tool.store import (
    attestations,
    audit,
    bindings,
    copies,
    drafts,
    gates,
    micromodules,
    placements,
    schedule,
)
from lti_tool.store.bindings import DescribedVersion, DraftView
from lti_tool.store.database import Database


class Refusal(StrEnum):
    """Why a placement cannot be changed; the page says what to do instead."""

    PUBLISHED = "published"
    PLACED_ELSEWHERE = "placed_elsewhere"
    EARNED = "earned"
    HAS_NEWER = "has_newer"
    NOT_SHOWN = "not_shown"
    """Its criteria say more than the form can show."""


@dataclass(frozen=True, slots=True)
class EditView:
    """A draft as its form shows it."""

    placement_id: str
    form: MicromoduleForm
    revision: str
    """Of what is stored: a form that was opened before somebody else's change is not saved over it."""
    micromodule_choices: Choices
    achievement_choices: Choices
    supports_mirror: bool
    supports_gates: bool
    is_known: bool
    is_unsaved: bool = False
    """The form is what this person typed and did not save; ``revision`` is of what they began with."""
    issuer_choices: Choices = ()
    """Who may sign its badges, the default one first."""


@dataclass(frozen=True, slots=True)
class CriteriaFile:
    """The criteria of a placement, to be imported elsewhere."""

    name: str
    """Of the badge."""
    stored: Mapping[str, Any]


@dataclass(frozen=True)
class Editing:
    """Changes the drafts of the course that a session is in."""

    database: Database
    clock: Callable[[], datetime]

    def open(self, session: SessionView, placement_id: str, *, discards: bool = False) -> EditView:
        """The form of a draft, as this person left it.

        :param discards: show what is saved; what was typed is forgotten with the next change.
        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``, also for another course's.
        :raises Conflict: ``placement_not_editable`` with ``reason``, a :class:`Refusal`.
        """
        organisation_id, context_id = configured_course(session)
        with self.database.read() as reading:
            draft = _editable(reading, organisation_id, context_id, placement_id)
            versions = micromodules.current_versions(reading, organisation_id)
            achievements = micromodules.achievement_choices(reading, organisation_id)
            issuers = micromodules.issuer_choices(reading, organisation_id)
            course = placements.course(reading, organisation_id, context_id)
            typed = drafts.edit(reading, organisation_id, context_id, session.learner_id, placement_id)
        platform = platform_for(session.product)
        saved = form_of(draft, dict(issuers))
        form = MicromoduleForm.from_fields(typed["fields"]) if typed and not discards else saved
        is_unsaved = form != saved
        return EditView(
            placement_id,
            form,
            typed["revision"] if typed and is_unsaved else revision_of(draft),
            tuple(
                (version.micromodule_id, version.name)
                for version in versions
                if version.micromodule_id != draft.micromodule_id
            ),
            tuple((id_, name) for id_, name in achievements if id_ != draft.achievement_id),
            platform.supports_mirror,
            platform.gate_kind is not GateKind.UNKNOWN,
            course is not None and course.roster_read_at is not None,
            is_unsaved,
            issuers,
        )

    def save_draft(
        self, session: SessionView, placement_id: str, fields: Mapping[str, str], revision: str
    ) -> None:
        """Keep what somebody has typed so far; the badge stays as it is.

        :param revision: of the form when it was opened.
        :raises NotAllowed: unless the person may configure the course's badges.
        :raises NotFound: ``placement_not_found``, also for another course's.
        """
        organisation_id, context_id = configured_course(session)
        typed = {"fields": MicromoduleForm.from_fields(fields).to_fields(), "revision": revision}
        with self.database.write() as writing:
            if bindings.placed(writing, organisation_id, context_id, placement_id) is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
            drafts.save_edit(
                writing,
                organisation_id,
                context_id,
                session.learner_id,
                placement_id,
                typed,
                self.clock(),
            )

    def save(
        self,
        session: SessionView,
        placement_id: str,
        form: MicromoduleForm,
        narrate: Narrate,
        *,
        language: str,
        revision: str,
        forgets: int = 0,
    ) -> None:
        """Let a draft say what the form says; its gates and columns follow.

        A gate that only has another name keeps its link in the LMS, and is to be confirmed again. The badge
        goes on in its language, and as long as it asks for the same with the words for its criteria that
        somebody may have corrected.

        :param narrate: writes the criteria in words, in a language.
        :param language: of a badge that has none yet, a BCP 47 tag.
        :param revision: of the form when it was opened.
        :param forgets: how many confirmations the person knows to be lost with the rules that go.
        :raises RequestInvalid: ``form_invalid`` with ``problems``; so where more would be lost.
        :raises Conflict: ``placement_not_editable`` with ``reason``; ``conflict`` where somebody else changed
            it meanwhile.
        """
        organisation_id, context_id = configured_course(session)
        with self.database.read() as reading:
            draft = _editable(reading, organisation_id, context_id, placement_id)
            maxima = bindings.column_maxima(reading, organisation_id, placement_id)
        refuse_itself(form, draft)
        refuse_unreachable(form, maxima)
        language = draft.language or language
        told = carried_on(draft, narrate, language)
        new = describe_form(self.database, organisation_id, form, told, language, signed_by=draft.issuer_id)
        criterion = parse_criteria(new.criteria)
        with self.database.read() as reading:
            check_circle(reading, organisation_id, draft.micromodule_id, criterion, form=form)
        now = self.clock()
        with self.database.write() as writing:
            bindings.lock_version(writing, organisation_id, draft.version_id)
            placements.lock(writing, organisation_id, placement_id)
            draft = _editable(writing, organisation_id, context_id, placement_id)
            if revision_of(draft) != revision:
                raise Conflict(ErrorCode.CONFLICT, f"placement {placement_id} was changed meanwhile")
            check_saved(writing, organisation_id, draft.micromodule_id, criterion)
            check_choices(writing, organisation_id, form)
            before = parse_criteria(draft.criteria)
            names = renamed(before, criterion)
            asked = list(leaves(criterion))
            forgotten = _follow_words(writing, organisation_id, draft, before, criterion, names)
            if forgotten > forgets:
                lost = Problem("criteria", FormProblem.WORDS_LOST, {"number": forgotten})
                raise RequestInvalid(ErrorCode.FORM_INVALID, "words would be lost", problems=(lost,))
            bindings.rewrite(writing, organisation_id, draft, new, now)
            copies.drop_unconfirmed(writing, organisation_id, draft.version_id, apart_from=placement_id)
            bindings.ask_for_columns(
                writing,
                organisation_id,
                draft,
                evidence_columns(criterion, new.name),
                [leaf.key for leaf in asked if isinstance(leaf, Attested)],
                now,
            )
            wanted = {
                leaf.key: (leaf.key, leaf.label, gate_link_key(draft.badge_link_key, leaf.key))
                for leaf in asked
                if isinstance(leaf, GatePassed)
            }
            gates.rename(writing, organisation_id, placement_id, names)
            gates.ensure(writing, organisation_id, context_id, placement_id, wanted.values())
            audit.record(
                writing,
                organisation_id,
                at=now,
                actor=f"{audit.LEARNER}{session.learner_id}",
                action="placement.changed",
                subject_kind="placement",
                subject_id=placement_id,
                detail={
                    "context_id": context_id,
                    "micromodule_version": draft.version_id,
                    **({"renamed": names} if names else {}),
                    **({"forgotten": forgotten} if forgotten else {}),
                },
            )
            schedule.schedule_sync(writing, organisation_id, context_id, now)
            drafts.remove_edit(writing, organisation_id, context_id, session.learner_id, placement_id)

    def export(self, session: SessionView, placement_id: str) -> CriteriaFile:
        """The criteria of a placement of this course, published or not.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``, also for another course's.
        """
        if not session.can_view_progress or session.context_id is None:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "exporting criteria is for those who teach")
        with self.database.read() as reading:
            draft = bindings.placed(reading, session.organisation_id, session.context_id, placement_id)
        if draft is None:
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
        return CriteriaFile(draft.name, draft.criteria)


def _editable(reading: Session, organisation_id: str, context_id: str, placement_id: str) -> DraftView:
    draft = bindings.placed(reading, organisation_id, context_id, placement_id)
    if draft is None:
        raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
    if draft.status != "draft":
        raise _refused(placement_id, Refusal.PUBLISHED)
    bound = bindings.bindings(reading, organisation_id, draft)
    for reason, holds in (
        (Refusal.EARNED, bound.is_earned),
        (Refusal.PLACED_ELSEWHERE, bound.is_placed_elsewhere),
        (Refusal.HAS_NEWER, bound.has_newer),
    ):
        if holds:
            raise _refused(placement_id, reason)
    return draft


def _refused(about: str, reason: Refusal) -> Conflict:
    return Conflict(ErrorCode.PLACEMENT_NOT_EDITABLE, f"{about}: {reason}", reason=reason)


def form_of(draft: DescribedVersion, issuers: Mapping[str, str]) -> MicromoduleForm:
    """What would be typed to get this version; what stands for an empty field is left out again.

    :raises Conflict: ``placement_not_editable`` where the form cannot show its criteria.
    """
    # Where one issuer is all there is, the form has no field for it.
    issuer_id = draft.issuer_id if len(issuers) > 1 and draft.issuer_id in issuers else None
    try:
        rules = from_criterion(parse_criteria(draft.criteria))
    except CriteriaNotShown as error:
        raise _refused(draft.version_id, Refusal.NOT_SHOWN) from error
    artwork = {name: str(value) for name, value in draft.artwork.items() if name != "alt"}
    form = MicromoduleForm(
        name=draft.name,
        description=own_description(draft.description, draft.criteria_narrative),
        skills="\n".join(draft.skills),
        image_alt="" if draft.image_alt == draft.name and "picture_id" not in artwork else draft.image_alt,
        details=DetailsForm.from_details(draft.details(), issuer_id or ""),
        no_badge="" if draft.achievement_version_id else "on",
    )
    return replace(form.with_rules(rules), **artwork)  # type: ignore[arg-type]


def _follow_words(
    writing: Session,
    organisation_id: str,
    draft: DraftView,
    before: Criterion,
    after: Criterion,
    names: Mapping[str, str],
) -> int:
    """Let people's words follow the rules; how many are forgotten with a rule that is gone."""
    asked, asking = (
        {leaf.key for leaf in leaves(criterion) if isinstance(leaf, Attested)}
        for criterion in (before, after)
    )
    standing = attestations.words(writing, organisation_id, draft.placement_id)
    attestations.follow(writing, organisation_id, draft.placement_id, before=asked, names=names, after=asking)
    gone = asked - asking - names.keys()
    return sum(standing.get(key, 0) for key in gone)


def refuse_itself(form: MicromoduleForm, draft: DescribedVersion) -> None:
    """Nobody earns what asks for itself.

    :raises RequestInvalid: ``form_invalid``.
    """
    own = {RowKind.COMPLETED.value: draft.micromodule_id, RowKind.HOLDS.value: draft.achievement_id}
    problems = tuple(
        Problem(f"criteria-{number}-choice", FormProblem.NEEDS_ITSELF)
        for number, row in enumerate(form.rows)
        if row.choice and own.get(row.kind) == row.choice
    )
    if problems:
        raise RequestInvalid(ErrorCode.FORM_INVALID, "it asks for itself", problems=problems)


def refuse_unreachable(form: MicromoduleForm, maxima: Mapping[tuple[str, str], Decimal]) -> None:
    """A platform caps grades at the column's maximum, and one that is made keeps it.

    :raises RequestInvalid: ``form_invalid``.
    """
    problems = []
    for number, row in form.rules.counted:
        maximum = maxima.get((row.channel, key_of(row)))
        asked = parse_number(row.threshold)
        is_points = row.kind == RowKind.SCORE and row.unit == Unit.POINTS
        if is_points and maximum is not None and asked is not None and asked > maximum:
            name = f"criteria-{number}-threshold"
            problems.append(Problem(name, FormProblem.COLUMN_TOO_LOW, {"maximum": maximum}))
    if problems:
        raise RequestInvalid(ErrorCode.FORM_INVALID, "columns hold less", problems=tuple(problems))
