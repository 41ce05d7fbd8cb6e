"""Placing micromodules in courses: picker, form, deep linking response, and drafts that nobody loses.

A micromodule that was described stays in its organisation's library, whatever the LMS then does with the
response; the placement is a draft until an instructor publishes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lti_tool.domain.criteria import Channel, Criterion, GatePassed, leaves, score_asks
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.lti.deep_linking import LinkItem, build_response
from lti_tool.lti.grades import LineItemSpec
from lti_tool.lti.signing import SigningKey
from lti_tool.platforms import GateKind, platform_for
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.describing import describe_form, draw, evidence_columns, of_badge
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import (
    FormProblem,
    MicromoduleForm,
    Problem,
)
from lti_tool.store import audit, bindings, drafts, gates, micromodules, placements, registrations
from lti_tool.store.database import Database
from lti_tool.store.tables import new_id

__all__ = [
    "Configuring",
    "DeepLinkingAnswer",
    "FormProblem",
    "MicromoduleForm",
    "MicromoduleSummary",
    "PickerView",
    "Problem",
]


CATEGORY_LENGTH = 200
MISSING_GATES = 10
"""Gates without a link that the picker offers, the newest first; abandoned placements leave some behind."""

Choices = tuple[tuple[str, str], ...]
"""(id, name) of what can be chosen, by name."""


@dataclass(frozen=True, slots=True)
class MicromoduleSummary:
    """A micromodule that can be placed."""

    micromodule_version_id: str
    name: str
    description: str
    skills: tuple[str, ...]
    achievement_version_id: str | None
    image_alt: str
    criterion: Criterion
    is_placed_here: bool
    micromodule_id: str = ""
    gates: int = 0
    """How many links of gates it brings along."""
    has_mirror: bool = False
    """It brings a gradebook column that mirrors an activity, which counts in the course total at first."""


@dataclass(frozen=True, slots=True)
class MissingGate:
    """A gate of this course that has no link in the LMS yet, as far as anybody has opened it."""

    gate_id: str
    label: str
    name: str
    """Of the badge."""


@dataclass(frozen=True, slots=True)
class PickerView:
    """What an instructor chooses from."""

    micromodules: tuple[MicromoduleSummary, ...]
    draft: Mapping[str, str] | None
    """The form that was left unfinished in this course."""
    has_roster: bool
    """False where the platform sends no roster with the first request of a course (Moodle)."""
    supports_mirror: bool
    supports_gates: bool = False
    gates: tuple[MissingGate, ...] = ()
    micromodule_choices: Choices = ()
    """What a rule "another micromodule" may name."""
    achievement_choices: Choices = ()
    """What a rule "a badge" may name."""
    is_known: bool = True
    """Whether anybody of this course is known yet; without participants nothing can be simulated."""


@dataclass(frozen=True, slots=True)
class DeepLinkingAnswer:
    """What the browser posts back to the platform, as field ``JWT``."""

    return_url: str
    jwt: str


@dataclass(frozen=True)
class Configuring:
    """The instructor's side of deep linking."""

    database: Database
    clock: Callable[[], datetime]
    key: Callable[[], SigningKey]
    """The tool's LTI key at this moment."""
    base_url: str

    def picker(self, session: SessionView) -> PickerView:
        """What this organisation has, and the draft that this person left in this course.

        :raises NotAllowed: ``deep_linking_not_allowed`` unless this is a deep linking launch of somebody who
            may configure the course.
        """
        self._require(session)
        with self.database.read() as reading:
            versions = micromodules.current_versions(reading, session.organisation_id)
            achievements = micromodules.achievement_choices(reading, session.organisation_id)
            placed: frozenset[str] = frozenset()
            draft = None
            course = None
            missing: tuple[tuple[str, str, str], ...] = ()
            if session.context_id is not None:
                placed = placements.placed_versions(reading, session.organisation_id, session.context_id)
                draft = drafts.draft(reading, session.organisation_id, session.context_id, session.learner_id)
                course = placements.course(reading, session.organisation_id, session.context_id)
                missing = gates.without_link(
                    reading, session.organisation_id, session.context_id, MISSING_GATES
                )
        platform = platform_for(session.product)
        return PickerView(
            tuple(
                MicromoduleSummary(
                    version.id,
                    version.name,
                    version.description,
                    version.skills,
                    version.achievement_version_id,
                    version.image_alt,
                    criterion := parse_criteria(version.criteria),
                    version.id in placed,
                    version.micromodule_id,
                    len(_gates(criterion)),
                    any(ask.channel is Channel.MIRROR for ask in score_asks(criterion)),
                )
                for version in versions
            ),
            draft,
            course is not None and course.memberships_url is not None,
            platform.supports_mirror,
            platform.gate_kind is not GateKind.UNKNOWN,
            tuple(MissingGate(*gate) for gate in missing),
            tuple((version.micromodule_id, version.name) for version in versions),
            achievements,
            course is not None and course.roster_read_at is not None,
        )

    def describe(
        self,
        session: SessionView,
        form: MicromoduleForm,
        narrate: Callable[[Criterion], str],
        *,
        language: str,
        key: str = "",
    ) -> DeepLinkingAnswer:
        """Save a new micromodule and place it.

        :param narrate: writes the criteria in words; the text is published and signed with every badge.
        :param language: the language in which ``narrate`` writes, as a BCP 47 tag; signed too.
        :param key: made with the empty form. The same form sent again under the same key, by a double
            click or a reload, makes nothing new and gets the same placement.
        :raises RequestInvalid: ``form_invalid`` with ``problems``, a tuple of :class:`Problem`.
        """
        self._require(session)
        new = describe_form(self.database, session.organisation_id, form, narrate, language)
        micromodule_id = _micromodule_id(session, form, key)
        now = self.clock()
        with self.database.write() as writing:
            issuer_id = micromodules.default_issuer_id(writing, session.organisation_id)
            if issuer_id is None:
                raise NotFound(ErrorCode.NOT_FOUND, "the organisation has no issuer")
            version = micromodules.add_micromodule(
                writing,
                session.organisation_id,
                issuer_id,
                new,
                now,
                micromodule_id=micromodule_id,
            )
            if version is not None:
                audit.record(
                    writing,
                    session.organisation_id,
                    at=now,
                    actor=f"learner:{session.learner_id}",
                    action="micromodule.created",
                    subject_kind="micromodule_version",
                    subject_id=version.id,
                )
            else:
                version = micromodules.first_version(writing, session.organisation_id, micromodule_id)
        if version is None:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
        return self._place(session, version.id, _digest("link", micromodule_id))

    def place(self, session: SessionView, micromodule_version_id: str) -> DeepLinkingAnswer:
        """Place a micromodule of this organisation in the course of this session.

        Where it was placed here before and nobody has opened that link, which the LMS may never have kept,
        it is the same placement again: two of them would keep each other from being changed.

        :raises NotFound: ``micromodule_not_found``, also for another organisation's, and for one that was
            archived while the list was open.
        """
        self._require(session)
        with self.database.read() as reading:
            if micromodules.is_archived(reading, session.organisation_id, micromodule_version_id):
                raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND, "archived")
            unopened = placements.unopened(
                reading, session.organisation_id, session.context_id, micromodule_version_id
            )
        if unopened is None:
            return self._place(session, micromodule_version_id, new_id())
        return self._place(session, micromodule_version_id, unopened.badge_link_key, again=unopened.id)

    def _place(
        self, session: SessionView, micromodule_version_id: str, key: str, *, again: str | None = None
    ) -> DeepLinkingAnswer:
        """Place it under this ``badge_link_key``; once, however often it is asked.

        :param again: the placement that somebody asks for once more, which is written down.
        """
        if session.context_id is None:
            raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, "deep linking without a course")
        now = self.clock()
        with self.database.read() as reading:
            version = micromodules.version(reading, session.organisation_id, micromodule_version_id)
            # A gate that was renamed since it was placed first has the link key of its first name.
            known = gates.link_keys(reading, session.organisation_id, session.context_id, key)
        if version is None:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
        criterion = parse_criteria(version.criteria)
        wanted = tuple(
            (leaf.key, leaf.label, known.get(leaf.key) or gate_link_key(key, leaf.key))
            for leaf in _gates(criterion)
        )
        answer = self._answer(
            session,
            LinkItem(
                title=version.name,
                text=version.description,
                url=f"{self.base_url}/lti/launch",
                custom={"badge_link_key": key, "badge_link_role": "badge"},
                line_item=LineItemSpec(
                    label=version.name, score_maximum=Decimal(1), resource_id=key, tag="award"
                ),
            ),
            # Where one item is all that is taken, the picker offers the gates afterwards.
            *(
                self._gate_link(label, version.name, link_key)
                for _key, label, link_key in wanted
                if session.deep_linking is not None and session.deep_linking.accept_multiple
            ),
        )
        with self.database.write() as writing:
            bindings.lock_version(writing, session.organisation_id, version.id)
            if micromodules.version(writing, session.organisation_id, version.id) != version:
                raise Conflict(ErrorCode.CONFLICT, f"version {version.id} was changed meanwhile")
            placement_id = placements.add_placement(
                writing,
                session.organisation_id,
                session.context_id,
                badge_link_key=key,
                micromodule_version_id=version.id,
                created_by_id=session.learner_id,
                evidence_columns=evidence_columns(criterion, version.name),
                now=now,
            )
            if placement_id is not None:
                gates.ensure(writing, session.organisation_id, session.context_id, placement_id, wanted)
            if placement_id is not None or again is not None:
                audit.record(
                    writing,
                    session.organisation_id,
                    at=now,
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="micromodule.placed",
                    subject_kind="context",
                    subject_id=session.context_id,
                    detail={"placement": placement_id or again, "micromodule_version": version.id},
                )
            drafts.remove(writing, session.organisation_id, session.context_id, session.learner_id)
        return answer

    def place_gate(self, session: SessionView, gate_id: str) -> DeepLinkingAnswer:
        """Place the link of a gate that stands beside a badge of this course.

        :raises NotFound: ``gate_not_found``, also for one of another course or organisation.
        """
        self._require(session)
        with self.database.read() as reading:
            gate = gates.gate(reading, session.organisation_id, gate_id)
        if gate is None or gate.context_id != session.context_id:
            raise NotFound(ErrorCode.GATE_NOT_FOUND)
        return self._answer(session, self._gate_link(gate.label, gate.name, gate.link_key))

    def _gate_link(self, label: str, name: str, link_key: str) -> LinkItem:
        """The link of a gate: no column is coupled to it, nobody gets points for opening it."""
        return LinkItem(
            title=of_badge(label, name),
            text="",
            url=f"{self.base_url}/lti/launch",
            custom={"badge_link_key": link_key, "badge_link_role": "gate"},
            line_item=None,
        )

    def place_wallet(self, session: SessionView, title: str) -> DeepLinkingAnswer:
        """Place a plain wallet link: every learner's badges, in a course of any kind.

        :param title: what the activity is called, in the teacher's language.
        """
        self._require(session)
        return self._answer(
            session,
            LinkItem(
                title=title,
                text="",
                url=f"{self.base_url}/lti/launch",
                custom={"badge_link_role": "wallet"},
                line_item=None,
            ),
        )

    def cancel(self, session: SessionView, form: Mapping[str, str] | None) -> DeepLinkingAnswer:
        """Go back without placing anything; what was typed waits for the next time."""
        self._require(session)
        if form is not None:
            self.save_draft(session, form)
        return self._answer(session)

    def categorise(self, organisation_id: str, name: str, micromodule_version_ids: Sequence[str]) -> str:
        """Put micromodules into the category called ``name``, made if it is new; repeating it is harmless.

        :returns: the category's id.
        :raises NotFound: ``micromodule_not_found``, also for another organisation's; nothing is changed then.
        :raises RequestInvalid: ``form_invalid`` for an empty or overlong name, or no micromodule.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= CATEGORY_LENGTH or not micromodule_version_ids:
            raise RequestInvalid(ErrorCode.FORM_INVALID, "a category needs a name and a micromodule")
        with self.database.write() as writing:
            for version_id in micromodule_version_ids:
                version = micromodules.version(writing, organisation_id, version_id)
                if version is None:
                    raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
                category_id = micromodules.put_in_category(
                    writing, organisation_id, version.micromodule_id, name
                )
        return category_id

    def save_draft(self, session: SessionView, form: Mapping[str, str]) -> None:
        """Keep a half-filled form for this person in this course."""
        self._require(session)
        if session.context_id is None:
            return
        fields = MicromoduleForm.from_fields(form).to_fields()
        with self.database.write() as writing:
            drafts.save(
                writing,
                session.organisation_id,
                session.context_id,
                session.learner_id,
                fields,
                self.clock(),
            )

    def preview_artwork(self, fields: Mapping[str, str]) -> str:
        """The picture as composed so far, as SVG.

        :raises ArtworkInvalid: when it cannot be drawn as asked.
        """
        return draw(MicromoduleForm.from_fields(fields))

    def _require(self, session: SessionView) -> None:
        if session.deep_linking is None or not session.can_configure or session.is_read_only:
            raise NotAllowed(ErrorCode.DEEP_LINKING_NOT_ALLOWED)

    def _answer(self, session: SessionView, *items: LinkItem) -> DeepLinkingAnswer:
        settings = session.deep_linking
        if settings is None:
            raise NotAllowed(ErrorCode.DEEP_LINKING_NOT_ALLOWED)
        with self.database.read() as reading:
            registration = registrations.registration(reading, session.registration_id)
            deployment = registrations.deployment(reading, session.deployment_id)
        if registration is None or deployment is None:
            raise NotFound(ErrorCode.REGISTRATION_UNKNOWN)
        jwt = build_response(
            registration, deployment.id_on_platform, settings, items, self.key(), self.clock()
        )
        return DeepLinkingAnswer(settings.return_url, jwt)


def _micromodule_id(session: SessionView, form: MicromoduleForm, key: str) -> str:
    """The same for the same form of the same person in the same course under one key; else a new one.

    What was typed belongs to it: a form that was changed after it was placed is another micromodule.
    """
    if not key:
        return new_id()
    owner = (session.organisation_id, session.context_id or "", session.learner_id)
    return _digest(*owner, key, json.dumps(form.to_fields(), sort_keys=True))


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def gate_link_key(badge_link_key: str, evidence_key: str) -> str:
    """The ``badge_link_key`` of a gate's own link: always the same for one rule of one placement."""
    return _digest("gate", badge_link_key, evidence_key)


def _gates(criterion: Criterion) -> tuple[GatePassed, ...]:
    """Every gate that a criterion asks for, each once."""
    found = {leaf.key: leaf for leaf in leaves(criterion) if isinstance(leaf, GatePassed)}
    return tuple(found.values())
