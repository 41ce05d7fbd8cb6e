"""What an instructor chooses from when the platform asks for content, and what of it the platform takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Channel, Criterion, GatePassed, leaves, score_asks
from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.lti.deep_linking import RESOURCE_LINK_TYPE, HtmlItem, ImageItem, PageItem, takes
from lti_tool.platforms import GateKind, platform_for
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.launching import SessionView
from lti_tool.store import bindings, drafts, gates, micromodules, placements
from lti_tool.store.micromodules import MicromoduleVersionView

MISSING_GATES: Final = 10
"""Gates without a link that the picker offers, the newest first; abandoned placements leave some behind."""
MAXIMUM_CHOSEN: Final = 50
"""Badges in one answer: more than any category that a course takes in one go."""
EMBEDDED: Final = (PageItem.type, ImageItem.type, HtmlItem.type)
"""As what a badge can stand in a page, beside a link that launches."""
LINK_ROLES: Final = ("wallet", "dashboard")
"""Links that belong to no badge."""

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
    is_draft_here: bool = False
    """Placed in this course, where its link was opened, and not published yet."""


@dataclass(frozen=True, slots=True)
class MissingGate:
    """A gate of this course that has no link in the LMS yet, as far as anybody has opened it."""

    gate_id: str
    label: str
    name: str
    """Of the badge."""


@dataclass(frozen=True, slots=True)
class CategoryChoice:
    """A category whose micromodules can be placed together."""

    category_id: str
    name: str
    total: int
    """Micromodules in it that are not archived."""
    missing: tuple[str, ...]
    """Version ids of those that are not in this course yet, by name."""
    unopened: int = 0
    """Those that were placed here in an earlier launch and that nobody has opened: they are passed over. One
    whose link the platform never kept is placed again by itself."""


@dataclass(frozen=True, slots=True)
class EditedLink:
    """The link that the platform asks to change, and what it leads to."""

    placement_id: str
    name: str
    """Of the badge."""
    achievement_version_id: str | None
    image_alt: str
    criterion: Criterion
    status: str
    """``draft`` or ``active``."""
    gate_id: str | None = None
    """Where the link is that of a gate."""
    gate_label: str | None = None


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
    accepts_several: bool = True
    """Whether the platform takes several items in one answer."""
    takes_links: bool = True
    """Whether it takes LTI links, and asks in a course: else nothing can be placed."""
    embeds: tuple[str, ...] = ()
    """Of :data:`EMBEDDED`, what it takes."""
    categories: tuple[CategoryChoice, ...] = ()
    """Where it takes several."""
    edited: EditedLink | None = None
    """The link that is being changed, where the request is about one that is there."""
    issuer_choices: Choices = ()
    """Who may sign the badges of a new micromodule, the default one first."""


def gates_of(criterion: Criterion) -> tuple[GatePassed, ...]:
    """Every gate that a criterion asks for, each once."""
    found = {leaf.key: leaf for leaf in leaves(criterion) if isinstance(leaf, GatePassed)}
    return tuple(found.values())


def embeds_of(settings: DeepLinkingSettings, product: str) -> tuple[str, ...]:
    """As what a badge can stand in a page where this was asked for."""
    if not platform_for(product).takes_embedded:
        return ()
    return tuple(type_ for type_ in EMBEDDED if takes(settings, type_))


def read_picker(reading: Session, session: SessionView, settings: DeepLinkingSettings) -> PickerView:
    """What this organisation has, and what of it the platform takes."""
    organisation_id, context_id = session.organisation_id, session.context_id
    versions = micromodules.current_versions(reading, organisation_id)
    achievements = micromodules.achievement_choices(reading, organisation_id)
    placed: frozenset[str] = frozenset()
    drafted: frozenset[str] = frozenset()
    unopened: frozenset[str] = frozenset()
    draft = None
    course = None
    missing: tuple[tuple[str, str, str], ...] = ()
    if context_id is not None:
        placed = placements.placed_versions(reading, organisation_id, context_id)
        drafted = placements.drafted_versions(reading, organisation_id, context_id)
        # What this launch placed is placed again: an answer that is asked for twice is the same twice.
        unopened = placements.unopened_versions(reading, organisation_id, context_id, session.began_at)
        draft = drafts.draft(reading, organisation_id, context_id, session.learner_id)
        course = placements.course(reading, organisation_id, context_id)
        missing = gates.without_link(reading, organisation_id, context_id, MISSING_GATES)
    platform = platform_for(session.product)
    # Outside a course no badge can be placed, whatever the platform takes.
    takes_links = context_id is not None and takes(settings, RESOURCE_LINK_TYPE)
    accepts_several = settings.accept_multiple
    found = micromodules.categories(reading, organisation_id) if takes_links and accepts_several else ()
    return PickerView(
        tuple(_summary(version, placed, drafted) for version in versions),
        draft,
        course is not None and course.memberships_url is not None,
        platform.supports_mirror,
        platform.gate_kind is not GateKind.UNKNOWN,
        tuple(MissingGate(*gate) for gate in missing) if takes_links else (),
        tuple((version.micromodule_id, version.name) for version in versions),
        achievements,
        course is not None and course.roster_read_at is not None,
        accepts_several=accepts_several,
        takes_links=takes_links,
        embeds=embeds_of(settings, session.product),
        categories=tuple(
            choice
            for category in found
            if (choice := _category(category, versions, placed | drafted, unopened)).total
        ),
        edited=edited_link(reading, session, settings),
        issuer_choices=micromodules.issuer_choices(reading, organisation_id),
    )


def _summary(
    version: MicromoduleVersionView, placed: frozenset[str], drafted: frozenset[str]
) -> MicromoduleSummary:
    criterion = parse_criteria(version.criteria)
    return MicromoduleSummary(
        version.id,
        version.name,
        version.description,
        version.skills,
        version.achievement_version_id,
        version.image_alt,
        criterion,
        version.id in placed,
        version.micromodule_id,
        len(gates_of(criterion)),
        any(ask.channel is Channel.MIRROR for ask in score_asks(criterion)),
        version.id in drafted - placed,
    )


def _category(
    category: micromodules.CategoryView,
    versions: tuple[MicromoduleVersionView, ...],
    here: frozenset[str],
    unopened: frozenset[str],
) -> CategoryChoice:
    found = [version for version in versions if version.micromodule_id in category.places]
    # They come by name; placed at once, they stand in the course in the order of the category.
    within = [one.id for one in sorted(found, key=lambda one: category.places[one.micromodule_id])]
    missing = tuple(version_id for version_id in within if version_id not in here | unopened)
    passed_over = len(unopened.intersection(within) - here)
    return CategoryChoice(category.id, category.name, len(within), missing[:MAXIMUM_CHOSEN], passed_over)


def edited_link(reading: Session, session: SessionView, settings: DeepLinkingSettings) -> EditedLink | None:
    """What the link leads to that the request is about; ``None`` for a new link, or one of no badge."""
    if session.context_id is None or (settings.edited_link is None and settings.edited_activity is None):
        return None
    organisation_id, context_id = session.organisation_id, session.context_id
    linked = placements.of_link(
        reading, organisation_id, context_id, settings.edited_link, settings.edited_activity
    )
    placed = linked and bindings.placed(reading, organisation_id, context_id, linked.placement_id)
    if linked is None or placed is None:
        return None
    gate = None if linked.gate_id is None else gates.gate(reading, organisation_id, linked.gate_id)
    return EditedLink(
        placed.placement_id,
        placed.name,
        placed.achievement_version_id,
        placed.image_alt,
        parse_criteria(placed.criteria),
        placed.status,
        linked.gate_id,
        None if gate is None else gate.label,
    )
