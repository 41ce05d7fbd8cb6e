"""What the staff of an organisation sees: its courses' health, registrations, issuers, micromodules, holders.

Everybody on the staff sees all of it (roles differ in what they may change); nobody sees anything of another
organisation, whose ids are not found. A page costs the same number of statements however much it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from lti_tool.domain.criteria import Criterion, Finding, State
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.freshness import Freshness
from lti_tool.errors import ConfigurationInvalid, ErrorCode, NotFound
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.services.freshness import Ages
from lti_tool.services.issuer_keys import IssuerKey, KeyViews, keys_of
from lti_tool.store import (
    audit,
    catalogue,
    chains,
    credentials,
    holders,
    issuers,
    micromodules,
    oversight,
    wallets,
)
from lti_tool.store import categories as category_store
from lti_tool.store.audit import EventFilter, EventRow
from lti_tool.store.catalogue import CategoryRow, MicromoduleRow, PlacedInRow, VersionRow
from lti_tool.store.categories import ChangeRow
from lti_tool.store.chains import Place
from lti_tool.store.credentials import CredentialView
from lti_tool.store.database import Database
from lti_tool.store.holders import DecisionRow, HolderFilter, HolderRow, LearnerRow
from lti_tool.store.issuers import IssuerRow
from lti_tool.store.micromodules import AchievementVersionView
from lti_tool.store.oversight import (
    ColumnRow,
    Counts,
    CourseRow,
    DeploymentRow,
    PlacedRow,
    RegistrationRow,
    UnwrittenScore,
)
from lti_tool.store.wallets import EarnedView

CHANGES: Final = 50
"""Of a category's history on one page."""
LISTED: Final = 100
"""Courses, or scores, that a page lists beside its subject; beyond them it says how to find the others."""
AT_ONCE: Final = 1000
"""Events read with one statement for a download of any length."""
WORKER_PATIENCE: Final = timedelta(minutes=1)
"""How long after its lease ended a worker counts as at work: it renews the lease every 20 seconds."""
STALE: Final = timedelta(days=2)
"""A course that is read nightly and was not for so long is worth a look."""

Row = TypeVar("Row")


class QueueLength(Protocol):
    """The queue, as far as a health page asks it."""

    def length(self) -> int:
        """How many messages wait."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list."""

    rows: tuple[Row, ...]
    number: int
    """From 1."""
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Health:
    """The first page: what there is, and what waits for somebody."""

    counts: Counts
    is_worker_alive: bool
    queue_length: int | None
    """Null where the queue cannot be reached."""
    is_stale: bool
    """The course that waits longest was read longer ago than a nightly sync explains."""

    @property
    def is_well(self) -> bool:
        """Whether nothing waits for a person."""
        counts = self.counts
        waiting = (
            counts.registrations_pending,
            counts.deployments_held,
            counts.rosters_in_trouble,
            counts.columns_in_trouble,
            counts.scores_refused,
            counts.unproved,
            counts.reviews,
        )
        return (
            self.is_worker_alive and self.queue_length is not None and not self.is_stale and not any(waiting)
        )


@dataclass(frozen=True, slots=True)
class RegistrationDetail:
    """A registration with the deployments that the organisation may see."""

    registration: RegistrationRow
    deployments: tuple[DeploymentRow, ...]


@dataclass(frozen=True, slots=True)
class PlacedView:
    """A micromodule of a course, with its columns."""

    placed: PlacedRow
    columns: tuple[ColumnRow, ...]


@dataclass(frozen=True, slots=True)
class CourseDetail:
    """A course, and everything of it that may be in trouble."""

    course: CourseRow
    placed: tuple[PlacedView, ...]
    scores: tuple[UnwrittenScore, ...]
    freshness: Freshness | None


@dataclass(frozen=True, slots=True)
class CategoryDetail:
    """A category, what is in it in its order, and its history, the newest first."""

    category: CategoryRow
    micromodules: tuple[MicromoduleRow, ...]
    changes: Page[ChangeRow]
    names: Mapping[str, str | None]
    """Of those who changed it, by actor."""


@dataclass(frozen=True, slots=True)
class IssuerDetail:
    """An issuer with its identity."""

    issuer: IssuerRow
    did: str
    keys: tuple[IssuerKey, ...]
    are_keys_readable: bool
    """False where a key file is unusable; the operator's log says which."""


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version, and what it asks for."""

    row: VersionRow
    criterion: Criterion
    achievement: AchievementVersionView | None = None
    """What its badge stands for; null where it issues none."""


@dataclass(frozen=True, slots=True)
class MicromoduleDetail:
    """A micromodule with its history, and where it is used."""

    micromodule: MicromoduleRow
    versions: tuple[VersionView, ...]
    courses: tuple[PlacedInRow, ...]
    categories: tuple[CategoryRow, ...]
    """Every category of the organisation."""
    chosen: frozenset[str]
    """Ids of those the micromodule is in."""


@dataclass(frozen=True, slots=True)
class MicromoduleList:
    """The micromodules of a category or all, and the categories to choose from."""

    micromodules: tuple[MicromoduleRow, ...]
    categories: tuple[CategoryRow, ...]
    category: CategoryRow | None
    is_archived: bool


@dataclass(frozen=True, slots=True)
class HolderList:
    """One page of holders, and the micromodules to narrow it by."""

    page: Page[HolderRow]
    wanted: HolderFilter
    micromodules: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision, explained once more from the evidence that was stored with it."""

    row: DecisionRow
    finding: Finding

    @property
    def state(self) -> State:
        """How the criteria stood."""
        return State(self.row.state)


@dataclass(frozen=True, slots=True)
class HolderDetail:
    """A learner: badges, and the decisions behind them."""

    learner: LearnerRow
    badges: tuple[EarnedView, ...]
    decisions: tuple[DecisionView, ...]
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where the version of each badge stands among those of its achievement, by the version's id."""


@dataclass(frozen=True, slots=True)
class Trail:
    """One page of the audit log."""

    page: Page[EventRow]
    wanted: EventFilter
    actors: tuple[str, ...]
    """To choose from; people in courses are found by their names in the list."""
    names: Mapping[str, str | None]
    """Names by actor; who is not in it is no person, or is forgotten."""


@dataclass(frozen=True)
class Overview:
    """Reads the staff pages.

    :param keys: what may be shown of issuers' keys.
    """

    database: Database
    clock: Callable[[], datetime]
    keys: KeyViews
    urls: PublicUrls
    queue: QueueLength
    ages: Ages

    def health(self, organisation_id: str) -> Health:
        """Everything at a glance."""
        now = self.clock()
        with self.database.read() as session:
            counts = oversight.counts(session, organisation_id)
            lease_until = oversight.pass_lease_until(session)
        try:
            length = self.queue.length()
        except ConfigurationInvalid:
            length = None
        is_alive = lease_until is not None and lease_until > now - WORKER_PATIENCE
        oldest = counts.oldest_read_at
        return Health(counts, is_alive, length, oldest is not None and oldest < now - STALE)

    # -- registrations and courses

    def registrations(self, organisation_id: str) -> tuple[RegistrationRow, ...]:
        """Every registration this organisation has to do with."""
        with self.database.read() as session:
            return oversight.registrations(session, organisation_id)

    def registration(self, organisation_id: str, registration_id: str) -> RegistrationDetail:
        """One of them with its deployments.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = oversight.registration(session, organisation_id, registration_id)
            if found is None:
                raise NotFound(ErrorCode.NOT_FOUND, registration_id)
            return RegistrationDetail(found, oversight.deployments(session, organisation_id, registration_id))

    def deployment(self, organisation_id: str, deployment_id: str) -> DeploymentRow:
        """One deployment that this organisation owns, or may take.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = oversight.deployment(session, organisation_id, deployment_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND)
        return found

    def courses(
        self,
        organisation_id: str,
        *,
        query: str = "",
        is_troubled: bool = False,
        order: str = "title",
        page: int = 1,
        per_page: int = 50,
    ) -> Page[CourseRow]:
        """One page of the courses in which a micromodule is active.

        :param order: ``title``, or ``oldest``: those read longest ago first.
        """
        with self.database.read() as session:
            total = oversight.count_courses(session, organisation_id, query=query, is_troubled=is_troubled)
            number, pages, offset = _at(page, total, per_page)
            rows = oversight.courses(
                session,
                organisation_id,
                query=query,
                is_troubled=is_troubled,
                order=order,
                offset=offset,
                limit=per_page,
            )
        return Page(rows, number, pages, total)

    def course(self, organisation_id: str, context_id: str) -> CourseDetail:
        """One course with its columns and the scores that did not get through.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = oversight.course(session, organisation_id, context_id)
            if found is None:
                raise NotFound(ErrorCode.NOT_FOUND)
            columns = oversight.columns(session, organisation_id, context_id)
            placed = oversight.placed(session, organisation_id, context_id)
            scores = oversight.unwritten_scores(session, organisation_id, context_id, LISTED)
        return CourseDetail(
            found,
            tuple(PlacedView(one, columns.get(one.placement_id, ())) for one in placed),
            scores,
            self.ages.of(organisation_id, context_id, found.roster_read_at),
        )

    # -- issuers and micromodules

    def issuers(self, organisation_id: str) -> tuple[IssuerRow, ...]:
        """Every issuer."""
        with self.database.read() as session:
            return issuers.issuers(session, organisation_id)

    def issuer(self, organisation_id: str, issuer_id: str) -> IssuerDetail:
        """One issuer with its DID and keys.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = issuers.issuer(session, organisation_id, issuer_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND)
        keys = keys_of(self.keys, issuer_id)
        return IssuerDetail(found, self.urls.did(issuer_id), keys or (), keys is not None)

    def micromodules(
        self, organisation_id: str, *, category_id: str | None = None, is_archived: bool = False
    ) -> MicromoduleList:
        """Micromodules in use or archived, of one category or all.

        :raises NotFound: NOT_FOUND for a category that is not this organisation's.
        """
        with self.database.read() as session:
            categories = catalogue.categories(session, organisation_id)
            chosen = next((one for one in categories if one.id == category_id), None)
            if category_id is not None and chosen is None:
                raise NotFound(ErrorCode.NOT_FOUND)
            rows = catalogue.micromodules(
                session, organisation_id, category_id=category_id, is_archived=is_archived
            )
        return MicromoduleList(rows, categories, chosen, is_archived)

    def micromodule(self, organisation_id: str, micromodule_id: str) -> MicromoduleDetail:
        """One micromodule with versions, courses and categories.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = catalogue.micromodule(session, organisation_id, micromodule_id)
            if found is None:
                raise NotFound(ErrorCode.NOT_FOUND)
            versions = catalogue.versions(session, organisation_id, micromodule_id)
            achievements = micromodules.achievement_versions(
                session, [one.achievement_version_id for one in versions if one.achievement_version_id]
            )
            return MicromoduleDetail(
                found,
                tuple(
                    VersionView(
                        version,
                        parse_criteria(version.criteria),
                        achievements.get(version.achievement_version_id or ""),
                    )
                    for version in versions
                ),
                catalogue.placed_in(session, organisation_id, micromodule_id, LISTED),
                catalogue.categories(session, organisation_id),
                catalogue.categories_of(session, organisation_id, micromodule_id),
            )

    def categories(self, organisation_id: str) -> tuple[CategoryRow, ...]:
        """Every category, in its order."""
        with self.database.read() as session:
            return catalogue.categories(session, organisation_id)

    def category(self, organisation_id: str, category_id: str, page: int = 1) -> CategoryDetail:
        """One category, what is in it, and a page of what came into it and left it.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = catalogue.category(session, organisation_id, category_id)
            if found is None:
                raise NotFound(ErrorCode.NOT_FOUND)
            total = category_store.count_history(session, organisation_id, category_id)
            pages = max(1, -(-total // CHANGES))
            number = min(max(1, page), pages)
            changes = category_store.history(
                session, organisation_id, category_id, limit=CHANGES, offset=(number - 1) * CHANGES
            )
            return CategoryDetail(
                found,
                catalogue.micromodules(session, organisation_id, category_id=category_id),
                Page(changes, number, pages, total),
                audit.actor_names(session, organisation_id, {change.actor for change in changes}),
            )

    # -- holders

    def holders(
        self, organisation_id: str, wanted: HolderFilter, *, page: int = 1, per_page: int = 50
    ) -> HolderList:
        """One page of the people who hold badges."""
        now = self.clock()
        with self.database.read() as session:
            total = holders.count(session, organisation_id, wanted, now)
            number, pages, offset = _at(page, total, per_page)
            rows = holders.page(session, organisation_id, wanted, now, offset=offset, limit=per_page)
            names = catalogue.micromodule_names(session, organisation_id)
        return HolderList(Page(rows, number, pages, total), wanted, names)

    def holder(self, organisation_id: str, learner_id: str) -> HolderDetail:
        """A learner with badges and the reasons of each decision.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            learner = holders.learner(session, organisation_id, learner_id)
            if learner is None:
                raise NotFound(ErrorCode.NOT_FOUND)
            badges = wallets.earned_by(session, organisation_id, learner_id)
            rows = holders.decisions(session, organisation_id, learner_id)
            places = chains.places(session.connection(), {badge.achievement_version_id for badge in badges})
        return HolderDetail(
            learner,
            badges,
            tuple(
                DecisionView(row, evaluate(parse_criteria(row.criteria), parse_evidence(row.evidence)))
                for row in rows
            ),
            places,
        )

    def credential(self, organisation_id: str, credential_id: str) -> tuple[CredentialView, LearnerRow]:
        """A credential of this organisation, and whose it is.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = credentials.credential(session, credential_id)
            learner = (
                holders.learner(session, organisation_id, found.learner_id)
                if found is not None and found.organisation_id == organisation_id
                else None
            )
        if found is None or learner is None:
            raise NotFound(ErrorCode.NOT_FOUND)
        return found, learner

    # -- the audit log

    def trail(self, organisation_id: str, wanted: EventFilter, *, page: int = 1, per_page: int = 50) -> Trail:
        """One page of what was done, the newest first."""
        with self.database.read() as session:
            total = audit.count(session, organisation_id, wanted)
            number, pages, offset = _at(page, total, per_page)
            rows = audit.page(session, organisation_id, wanted, offset=offset, limit=per_page)
            actors = audit.actors(session, organisation_id)
            if wanted.actor is not None and wanted.actor not in actors:
                actors = (*actors, wanted.actor)
            shown = {*actors, *(row.actor for row in rows)}
            names = audit.actor_names(session, organisation_id, shown)
        return Trail(Page(rows, number, pages, total), wanted, actors, names)

    def trail_rows(self, organisation_id: str, wanted: EventFilter) -> Iterator[tuple[EventRow, str | None]]:
        """Every event a filter finds with the name of its actor, however many: read a thousand at a time."""
        after: tuple[datetime, str] | None = None
        while True:
            with self.database.read() as session:
                rows = audit.page(session, organisation_id, wanted, limit=AT_ONCE, after=after)
                names = audit.actor_names(session, organisation_id, {row.actor for row in rows})
            yield from ((row, names.get(row.actor)) for row in rows)
            if len(rows) < AT_ONCE:
                return
            after = rows[-1].at, rows[-1].id


def _at(page: int, total: int, per_page: int) -> tuple[int, int, int]:
    """(page, pages, offset): beyond the last page is the last page."""
    pages = max(1, -(-total // per_page))
    number = min(max(1, page), pages)
    return number, pages, (number - 1) * per_page
