"""Placing micromodules in courses: picker, form, deep linking response, and drafts that nobody loses.

A micromodule that was described stays in its organisation's library, whatever the LMS then does with the
response; the placement is a draft until an instructor publishes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from lti_tool.credentials.artwork import SIZE
from lti_tool.domain.criteria import Criterion
from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.domain.windows import Window, window_of
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.lti.deep_linking import (
    ContentItem,
    HtmlItem,
    ImageItem,
    LinkItem,
    PageItem,
    Picture,
    Words,
    build_response,
)
from lti_tool.lti.grades import LineItemSpec
from lti_tool.lti.signing import SigningKey
from lti_tool.platforms import platform_for
from lti_tool.services.choosing import (
    LINK_ROLES,
    MAXIMUM_CHOSEN,
    Choices,
    MicromoduleSummary,
    MissingGate,
    PickerView,
    edited_link,
    embeds_of,
    gates_of,
    read_picker,
)
from lti_tool.services.circles import refuse_new_circles
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.describing import check_choices, describe_form, draw, evidence_columns, of_badge
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store import audit, bindings, drafts, gates, micromodules, placements, registrations, versions
from lti_tool.store.database import Database
from lti_tool.store.micromodules import MicromoduleVersionView
from lti_tool.store.tables import new_id

__all__ = [
    "Choice",
    "Choices",
    "Configuring",
    "DeepLinkingAnswer",
    "LinkWords",
    "MicromoduleSummary",
    "MissingGate",
    "PickerView",
]


CATEGORY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class DeepLinkingAnswer:
    """What the browser posts back to the platform, as field ``JWT``."""

    return_url: str
    jwt: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What an instructor chose, all of which goes back in one answer."""

    version_ids: tuple[str, ...] = ()
    """Of micromodules to place."""
    category_id: str | None = None
    """Of a category: everything in it that is not in the course yet."""
    gate_ids: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """``wallet``, ``dashboard``: links of no badge."""
    embedded: tuple[tuple[str, str], ...] = ()
    """(item type, version id) of badges to show in a page."""


@dataclass(frozen=True, slots=True)
class LinkWords:
    """How links are called that belong to no badge, and what is said beside an answer, in the teacher's
    language."""

    titles: Mapping[str, str] = field(default_factory=dict)
    """By ``badge_link_role``."""
    gates_left: str | None = None
    """Said where a badge has gates whose links the platform takes one at a time."""


@dataclass(frozen=True, slots=True)
class _Placing:
    """One micromodule on its way into a course."""

    version: MicromoduleVersionView
    criterion: Criterion
    key: str
    """The ``badge_link_key``."""
    gates: tuple[tuple[str, str, str], ...]
    """(evidence key, label, link key) of each."""
    again: str | None = None
    """The placement that somebody asks for once more, which is written down."""


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
        settings = self._require(session)
        with self.database.read() as reading:
            return read_picker(reading, session, settings)

    def describe(
        self,
        session: SessionView,
        form: MicromoduleForm,
        narrate: Callable[[Criterion], str],
        *,
        language: str,
        key: str = "",
        words: LinkWords | None = None,
    ) -> DeepLinkingAnswer:
        """Save a new micromodule and place it.

        :param narrate: writes the criteria in words; the text is published and signed with every badge.
        :param language: the language in which ``narrate`` writes, as a BCP 47 tag; signed too.
        :param key: made with the empty form. The same form sent again under the same key, by a double
            click or a reload, makes nothing new and gets the same placement.
        :raises RequestInvalid: ``form_invalid`` with ``problems``, a tuple of :class:`Problem`.
        :raises NotFound: ``context_not_found`` outside a course, where nothing is saved either.
        """
        self._require(session)
        if session.context_id is None:
            raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, "deep linking without a course")
        new = describe_form(self.database, session.organisation_id, form, narrate, language)
        micromodule_id = _micromodule_id(session, form, key)
        now = self.clock()
        with self.database.write() as writing:
            issuer_id = micromodules.default_issuer_id(writing, session.organisation_id)
            if issuer_id is None:
                raise NotFound(ErrorCode.NOT_FOUND, "the organisation has no issuer")
            with refuse_new_circles(writing, session.organisation_id, field="criteria"):
                # Nobody retires what its rules name before the end of the transaction.
                check_choices(writing, session.organisation_id, form)
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
        with self.database.read() as reading:
            placing = self._placing(reading, session, version.id, _digest("link", micromodule_id))
        return self._place(session, [placing], [], words or LinkWords())

    def place(self, session: SessionView, micromodule_version_id: str) -> DeepLinkingAnswer:
        """Place one micromodule of this organisation: see :meth:`choose`."""
        return self.choose(session, Choice((micromodule_version_id,)), LinkWords())

    def choose(self, session: SessionView, choice: Choice, words: LinkWords) -> DeepLinkingAnswer:
        """Place everything that was chosen in the course of this session, or nothing of it.

        Where a micromodule was placed here before and nobody has opened that link, which the LMS may never
        have kept, it is the same placement again: two of them would keep each other from being changed.

        :raises NotFound: ``micromodule_not_found``, also for another organisation's, and for one that was
            archived while the list was open; ``gate_not_found``, also for one of another course;
            ``not_found`` for a category.
        :raises Conflict: ``conflict`` for a version of which the next was published while the list was open.
        :raises RequestInvalid: ``deep_linking_type_refused`` where the platform takes no such item, or only
            one; ``request_invalid`` where nothing was chosen, or more than fifty badges at once.
        """
        settings = self._require(session)
        with self.database.read() as reading:
            version_ids = dict.fromkeys((*choice.version_ids, *self._category(reading, session, choice)))
            if len(version_ids) > MAXIMUM_CHOSEN:
                raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"{len(version_ids)} badges at once")
            placing = [self._placing_again(reading, session, version_id) for version_id in version_ids]
            more: list[ContentItem] = [
                self._gate_item(reading, session, gate_id) for gate_id in dict.fromkeys(choice.gate_ids)
            ]
            more += [
                self._embedded(reading, session, settings, type_, version_id)
                for type_, version_id in dict.fromkeys(choice.embedded)
            ]
        more += [self._role_item(role, words) for role in dict.fromkeys(choice.roles)]
        if not placing and not more:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "nothing was chosen")
        return self._place(session, placing, more, words)

    def _category(self, reading: Session, session: SessionView, choice: Choice) -> tuple[str, ...]:
        """What is in the chosen category and not in the course."""
        if choice.category_id is None:
            return ()
        view = read_picker(reading, session, self._require(session))
        for category in view.categories:
            if category.category_id == choice.category_id:
                return category.missing
        raise NotFound(ErrorCode.NOT_FOUND, "no such category here")

    def _placing_again(self, reading: Session, session: SessionView, version_id: str) -> _Placing:
        if micromodules.is_archived(reading, session.organisation_id, version_id):
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND, "archived")
        _refuse_former(reading, session, version_id)
        unopened = placements.unopened(reading, session.organisation_id, session.context_id, version_id)
        if unopened is None:
            return self._placing(reading, session, version_id, new_id())
        return self._placing(reading, session, version_id, unopened.badge_link_key, again=unopened.id)

    def _placing(
        self,
        reading: Session,
        session: SessionView,
        version_id: str,
        key: str,
        *,
        again: str | None = None,
    ) -> _Placing:
        if session.context_id is None:
            raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, "deep linking without a course")
        version = micromodules.version(reading, session.organisation_id, version_id)
        if version is None:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
        # A gate that was renamed since it was placed first has the link key of its first name.
        known = gates.link_keys(reading, session.organisation_id, session.context_id, key)
        criterion = parse_criteria(version.criteria)
        wanted = tuple(
            (leaf.key, leaf.label, known.get(leaf.key) or gate_link_key(key, leaf.key))
            for leaf in gates_of(criterion)
        )
        return _Placing(version, criterion, key, wanted, again)

    def _place(
        self,
        session: SessionView,
        placing: Sequence[_Placing],
        more: Sequence[ContentItem],
        words: LinkWords,
    ) -> DeepLinkingAnswer:
        """Sign the answer, then write down what it places; once, however often it is asked."""
        settings = self._require(session)
        items: list[ContentItem] = []
        said = None
        for one in placing:
            items.append(self._badge_item(session, one.version, one.criterion, one.key))
            if settings.accept_multiple:
                items += [
                    self._gate_link(label, one.version.name, link_key) for _key, label, link_key in one.gates
                ]
            elif one.gates:
                # Where one item is all that is taken, the picker offers the gates afterwards.
                said = words.gates_left
        items += more
        answer = self._answer(session, *items, words=Words(message=said, log=f"{len(items)} items"))
        if placing:
            self._record(session, placing)
        return answer

    def _record(self, session: SessionView, placing: Sequence[_Placing]) -> None:
        organisation_id, context_id = session.organisation_id, session.context_id
        assert context_id is not None
        now = self.clock()
        with self.database.write() as writing:
            # In one order, so that two answers that place the same badges do not wait for each other.
            for one in sorted(placing, key=lambda each: each.version.id):
                bindings.lock_version(writing, organisation_id, one.version.id)
                is_same = micromodules.version(writing, organisation_id, one.version.id) == one.version
                if not is_same:
                    raise Conflict(ErrorCode.CONFLICT, f"version {one.version.id} was changed meanwhile")
                _refuse_former(writing, session, one.version.id)
                placement_id = placements.add_placement(
                    writing,
                    organisation_id,
                    context_id,
                    badge_link_key=one.key,
                    micromodule_version_id=one.version.id,
                    created_by_id=session.learner_id,
                    evidence_columns=evidence_columns(one.criterion, one.version.name),
                    now=now,
                )
                if placement_id is not None:
                    gates.ensure(writing, organisation_id, context_id, placement_id, one.gates)
                if placement_id is not None or one.again is not None:
                    audit.record(
                        writing,
                        organisation_id,
                        at=now,
                        actor=f"{audit.LEARNER}{session.learner_id}",
                        action="micromodule.placed",
                        subject_kind="context",
                        subject_id=context_id,
                        detail={
                            "placement": placement_id or one.again,
                            "micromodule_version": one.version.id,
                        },
                    )
            drafts.remove(writing, organisation_id, context_id, session.learner_id)

    def keep(self, session: SessionView) -> DeepLinkingAnswer:
        """Answer a request to change a link with the same link: its key, and what its badge says by now.

        :raises NotFound: ``placement_not_found`` where the request is about no link of a badge.
        """
        settings = self._require(session)
        with self.database.read() as reading:
            edited = edited_link(reading, session, settings)
            if edited is None or session.context_id is None:
                raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND, "no link of a badge is being changed")
            if edited.gate_id is not None:
                item: ContentItem = self._gate_item(reading, session, edited.gate_id)
            else:
                placed = bindings.placed(
                    reading, session.organisation_id, session.context_id, edited.placement_id
                )
                if placed is None:
                    raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
                version = micromodules.version(reading, session.organisation_id, placed.version_id)
                assert version is not None
                item = self._badge_item(session, version, edited.criterion, placed.badge_link_key)
        return self._answer(session, item, words=Words(log="the same link"))

    # -- items

    @property
    def _launch_url(self) -> str:
        return f"{self.base_url}/lti/launch"

    def _badge_item(
        self, session: SessionView, version: MicromoduleVersionView, criterion: Criterion, key: str
    ) -> LinkItem:
        """The link of a badge, with the column that its award is written into."""
        platform = platform_for(session.product)
        return LinkItem(
            title=version.name,
            text=version.description,
            url=self._launch_url,
            custom={"badge_link_key": key, "badge_link_role": "badge"},
            line_item=LineItemSpec(
                label=version.name, score_maximum=Decimal(1), resource_id=key, tag="award"
            ),
            is_reviewable=platform.reviews_submissions,
            icon=self._picture(version),
            submission=window_of(criterion) if platform.honours_windows else Window(),
        )

    def _picture(self, version: MicromoduleVersionView) -> Picture | None:
        """At the achievement's own address: a draft that is changed has another picture under it."""
        if version.achievement_id is None:
            return None
        return Picture(f"{self.base_url}/achievements/{version.achievement_id}.png", SIZE)

    def _embedded(
        self,
        reading: Session,
        session: SessionView,
        settings: DeepLinkingSettings,
        type_: str,
        version_id: str,
    ) -> ContentItem:
        """A badge as it stands in a page: what it leads to is public, whoever has the badge."""
        if type_ not in embeds_of(settings, session.product):
            raise RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED, f"the platform takes no {type_[:20]}")
        version = micromodules.version(reading, session.organisation_id, version_id)
        picture = None if version is None else self._picture(version)
        if version is None or picture is None:
            raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
        _refuse_former(reading, session, version_id)
        page = f"{self.base_url}/achievements/{version.achievement_id}"
        if type_ == ImageItem.type:
            return ImageItem(version.name, picture)
        if type_ == HtmlItem.type:
            return HtmlItem(version.name, version.description, page, picture, version.image_alt)
        return PageItem(version.name, version.description, page, picture)

    def _gate_item(self, reading: Session, session: SessionView, gate_id: str) -> LinkItem:
        gate = gates.gate(reading, session.organisation_id, gate_id)
        if gate is None or gate.context_id != session.context_id:
            raise NotFound(ErrorCode.GATE_NOT_FOUND)
        return self._gate_link(gate.label, gate.name, gate.link_key)

    def _gate_link(self, label: str, name: str, link_key: str) -> LinkItem:
        """The link of a gate: no column is coupled to it, nobody gets points for opening it."""
        return LinkItem(
            title=of_badge(label, name),
            text="",
            url=self._launch_url,
            custom={"badge_link_key": link_key, "badge_link_role": "gate"},
        )

    def _role_item(self, role: str, words: LinkWords) -> LinkItem:
        """A link of no badge: everybody's wallet, or the page of those who teach."""
        if role not in LINK_ROLES:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such link")
        return LinkItem(
            title=words.titles.get(role, role),
            text="",
            url=self._launch_url,
            custom={"badge_link_role": role},
        )

    def cancel(
        self, session: SessionView, form: Mapping[str, str] | None, message: str | None = None
    ) -> DeepLinkingAnswer:
        """Go back without placing anything; what was typed waits for the next time.

        :param message: for the person, where the platform shows it.
        """
        self._require(session)
        if form is not None:
            self.save_draft(session, form)
        return self._answer(session, words=Words(message=message, log="cancelled"))

    def fail(self, session: SessionView, error: str, code: ErrorCode) -> DeepLinkingAnswer:
        """Go back without anything, since it could not be placed.

        :param error: for the person, where the platform shows it.
        """
        self._require(session)
        return self._answer(session, words=Words(error=error, error_log=code.value))

    def categorise(self, organisation_id: str, name: str, micromodule_version_ids: Sequence[str]) -> str:
        """Put micromodules into the category called ``name``, made if it is new; repeating it is harmless.

        :returns: the category's id.
        :raises NotFound: ``micromodule_not_found``, also for another organisation's; nothing is changed then.
        :raises RequestInvalid: ``form_invalid`` for an empty or overlong name, or no micromodule.
        :raises Conflict: ``pathway_circle`` where a milestone would ask for what asks for it.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= CATEGORY_LENGTH or not micromodule_version_ids:
            raise RequestInvalid(ErrorCode.FORM_INVALID, "a category needs a name and a micromodule")
        with self.database.write() as writing, refuse_new_circles(writing, organisation_id):
            for version_id in micromodule_version_ids:
                version = micromodules.version(writing, organisation_id, version_id)
                if version is None:
                    raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND)
                category_id = micromodules.put_in_category(
                    writing, organisation_id, version.micromodule_id, name, "cli", self.clock()
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

    def _require(self, session: SessionView) -> DeepLinkingSettings:
        if session.deep_linking is None or not session.can_configure or session.is_read_only:
            raise NotAllowed(ErrorCode.DEEP_LINKING_NOT_ALLOWED)
        return session.deep_linking

    def _answer(
        self, session: SessionView, *items: ContentItem, words: Words | None = None
    ) -> DeepLinkingAnswer:
        settings = self._require(session)
        with self.database.read() as reading:
            registration = registrations.registration(reading, session.registration_id)
            deployment = registrations.deployment(reading, session.deployment_id)
        if registration is None or deployment is None:
            raise NotFound(ErrorCode.REGISTRATION_UNKNOWN)
        jwt = build_response(
            registration, deployment.id_on_platform, settings, items, self.key(), self.clock(), words
        )
        return DeepLinkingAnswer(settings.return_url, jwt)


def _refuse_former(reading: Session, session: SessionView, version_id: str) -> None:
    """A list may have been open while the next version was published, which took its place in every course.

    :raises Conflict: CONFLICT for a version that is not its micromodule's newest.
    """
    if not versions.is_newest(reading, session.organisation_id, version_id):
        raise Conflict(ErrorCode.CONFLICT, f"version {version_id} has a later one")


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
