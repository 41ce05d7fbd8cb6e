"""What a learner sees inside the course: earned badges, and what is still missing for the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import (
    Completed,
    EvidenceAccepted,
    Finding,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    ScoreAtLeast,
    State,
)
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.domain.freshness import Freshness
from lti_tool.domain.renewal import Ending, ending_of, renewal_progress, terms_of
from lti_tool.errors import ErrorCode
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.awarding import Awarding, PlacementDecisions
from lti_tool.services.freshness import Ages
from lti_tool.services.launching import SessionView
from lti_tool.services.milestones import MilestoneCard
from lti_tool.services.pathways import Beside
from lti_tool.store import chains, finished, micromodules, submissions, wallets
from lti_tool.store.chains import Place
from lti_tool.store.database import Database
from lti_tool.store.finished import FinishedRow
from lti_tool.store.micromodules import AchievementDetails
from lti_tool.store.results import EvidenceColumn


@dataclass(frozen=True, slots=True)
class EarnedBadge:
    """One badge in the wallet."""

    award_id: str
    credential_id: str | None
    """``None`` while the credential is being signed."""
    achievement_version_id: str
    name: str
    description: str
    image_alt: str
    issuer_name: str
    awarded_at: datetime
    met_at: datetime
    skills: tuple[str, ...]
    is_revoked: bool
    revocation_reason: str | None
    is_public: bool
    public_url: str | None
    context_title: str | None
    details: AchievementDetails = field(default_factory=AchievementDetails)
    state: BadgeState = BadgeState.ACTIVE
    """At the moment of asking."""
    counts: bool = True
    """Whether it does then where something asks for it; one that is paused may."""
    valid_until: datetime | None = None
    reissued_at: datetime | None = None
    """When it was signed anew: a copy from before may no longer verify."""
    suspension_reason: str | None = None
    ending: Ending | None = None
    """Where it ends soon, or has ended."""
    renewal: Finding | None = None
    """What is missing to renew it, where it can be renewed in this course now."""
    question_id: str | None = None
    """Where a teacher asks something about it."""
    place: Place | None = None
    """Where its version stands among those of the achievement."""
    replaced_by: str | None = None
    """The learner's award of a later version in whose place it stands; none that is worth less than this."""
    has_later: bool = False
    """Whether the learner has a badge of a later version, or was given that of the newest: nobody is given
    one again that was revoked."""
    regained_by: str | None = None
    """The placement of this course that gives a later version."""

    @property
    def is_followed(self) -> bool:
        """Whether there is a later version that the learner can still get."""
        has_other = self.replaced_by is not None or self.has_later or self.is_revoked
        return self.place is not None and bool(self.place.later) and not has_other


@dataclass(frozen=True, slots=True)
class ProgressCard:
    """One micromodule of this course that the learner has not completed yet."""

    placement_id: str
    name: str
    description: str
    skills: tuple[str, ...]
    achievement_version_id: str | None
    image_alt: str
    finding: Finding
    verdict: Verdict
    exclusion: Exclusion | None
    read_at: datetime | None
    """The oldest reading of the platform: nothing shown is older than this. ``None``: never read."""
    troubles: tuple[ErrorCode, ...]
    is_draft: bool = False
    """Being prepared: what is known is shown, nothing is given yet."""
    comments: Mapping[str, str] = field(default_factory=dict)
    """What a teacher wrote when giving evidence back, by evidence key."""
    details: AchievementDetails | None = None
    """Of its badge, where it issues one."""

    @property
    def first(self) -> tuple[str, ...]:
        """What has to be finished before it and is not, as its criteria call it."""
        asked = [leaf for leaf in self.finding.leaves() if leaf.state is not State.MET]
        labels = [leaf.criterion.label for leaf in asked if isinstance(leaf.criterion, _STEPS)]
        return () if self.finding.state is State.MET else tuple(dict.fromkeys(labels))

    @property
    def is_read(self) -> bool:
        """Whether anything here is read from the platform at all."""
        return any(isinstance(leaf.criterion, _READ) for leaf in self.finding.leaves())


_STEPS = (Completed, HoldsAchievement)
_READ = (ScoreAtLeast, MeanAtLeast, GatePassed)
"""Criteria whose facts are read from the platform; the others are the tool's own records."""


@dataclass(frozen=True, slots=True)
class WalletView:
    """The wallet page."""

    earned: tuple[EarnedBadge, ...]
    in_progress: tuple[ProgressCard, ...]
    issues_badges_here: bool
    is_read_only: bool
    is_staff_view: bool
    is_copied_link: bool
    is_forgotten_gate: bool = False
    """The link was a gate, and no rule of this course asks for it any more; only staff are told."""
    is_anonymous: bool = False
    """The platform did not say who is here."""
    freshness: Freshness | None = None
    """Of the progress that is shown; ``None`` where none is."""
    milestones: tuple[MilestoneCard, ...] = ()
    """Of the organisation that the learner has not got yet."""
    pathways: Mapping[str, Beside] = field(default_factory=dict)
    """What achievement versions open, by id; only those that stand in a pathway."""
    finished: tuple[FinishedRow, ...] = ()
    """What the learner finished for which there was no badge, the newest first."""


def _no_milestones(_organisation_id: str, _learner_id: str) -> tuple[MilestoneCard, ...]:
    return ()


def _no_pathways(
    _organisation_id: str, _version_ids: Collection[str], _held: Collection[str]
) -> dict[str, Beside]:
    return {}


@dataclass(frozen=True)
class Wallet:
    """Reads the wallet; costs the same number of queries for one badge as for two hundred."""

    database: Database
    awarding: Awarding
    urls: PublicUrls
    ages: Ages
    milestones_of: Callable[[str, str], tuple[MilestoneCard, ...]] = _no_milestones
    pathways_of: Callable[[str, Collection[str], Collection[str]], Mapping[str, Beside]] = _no_pathways

    def view(self, session: SessionView) -> WalletView:
        """The wallet of the person of this session, in the course of this session."""
        with self.database.read() as reading:
            earned = wallets.earned_by(reading, session.organisation_id, session.learner_id)
            done = finished.without_badge(reading, session.organisation_id, session.learner_id)
        placed = (
            self.awarding.preview(
                session.organisation_id,
                session.context_id,
                [session.learner_id],
                held={view.achievement_version_id for view in earned},
                with_drafts=True,
            )
            if session.context_id is not None
            else ()
        )
        in_progress: list[ProgressCard] = []
        if session.is_anonymous:
            in_progress = [_offer(made) for made in placed if made.placement.status != "draft"]
        elif not session.can_view_progress:
            comments = self._comments(session, placed)
            # What was opened comes first, what is being prepared last; the others keep their order.
            for made in sorted(
                placed,
                key=lambda made: (
                    made.placement.id != session.placement_id,
                    made.placement.status == "draft",
                ),
            ):
                in_progress.extend(
                    _card(
                        made,
                        decision.finding,
                        decision.verdict,
                        decision.exclusion,
                        comments.get(made.placement.id, {}),
                    )
                    for decision in made.decisions
                    if decision.verdict not in (Verdict.HELD, Verdict.REVIEW)
                )
        now = self.awarding.clock()
        renewals = _renewals(placed)
        details = self._details(
            [view.achievement_version_id for view in earned]
            + [card.achievement_version_id for card in in_progress if card.achievement_version_id]
        )
        held = [one.achievement_version_id for one in earned if one.counts(now)]
        return WalletView(
            earned=self._chained(
                [_earned(view, self.urls, details, renewals, now) for view in earned],
                [view.achievement_version_id for view in earned if view.has_versions],
                in_progress,
            ),
            in_progress=tuple(
                replace(card, details=details.get(card.achievement_version_id or "")) for card in in_progress
            ),
            issues_badges_here=any(made.placement.achievement_version_id for made in placed),
            is_read_only=session.is_read_only,
            is_anonymous=session.is_anonymous,
            is_staff_view=session.can_view_progress,
            is_copied_link=session.is_copied_link,
            is_forgotten_gate=(
                session.link_role == "gate"
                and session.gate_id is None
                and session.can_view_progress
                and not session.is_copied_link
            ),
            freshness=self._freshness(session, in_progress),
            milestones=self._milestones(session),
            pathways=self.pathways_of(session.organisation_id, list(details), held),
            finished=() if session.is_anonymous else done,
        )

    def _milestones(self, session: SessionView) -> tuple[MilestoneCard, ...]:
        # They count what the person did in other LMSs, too: not for somebody who looks as the learner.
        if session.is_anonymous or session.can_view_progress or session.is_read_only:
            return ()
        found = self.milestones_of(session.organisation_id, session.learner_id)
        return tuple(card for card in found if not card.has_it)

    def _chained(
        self,
        earned: Sequence[EarnedBadge],
        of_several: Collection[str],
        in_progress: Iterable[ProgressCard],
    ) -> tuple[EarnedBadge, ...]:
        """Badges with their places in the chains of versions, and what follows each.

        :param of_several: the versions that are not the only one of their achievement.
        """
        if not of_several:
            return tuple(earned)
        with self.database.read_rows() as connection:
            places = chains.places(connection, of_several)
        awards = {badge.achievement_version_id: badge for badge in earned if not badge.is_revoked}
        given = {badge.achievement_version_id for badge in earned}
        offered = {
            card.achievement_version_id: card.placement_id for card in in_progress if not card.is_draft
        }
        chained = []
        for badge in earned:
            place = places.get(badge.achievement_version_id)
            newer = [step.id for step in reversed(place.later)] if place else []
            if newer and badge.ending is not None:
                # No course has its version any more: nobody decides whether it is earned again.
                badge = replace(badge, ending=replace(badge.ending, window=None, is_open=False), renewal=None)
            chained.append(
                replace(
                    badge,
                    place=place,
                    replaced_by=next(
                        (
                            awards[id_].award_id
                            for id_ in newer
                            if id_ in awards and _stands_for(awards[id_], badge)
                        ),
                        None,
                    ),
                    has_later=any(id_ in awards for id_ in newer) or not given.isdisjoint(newer[:1]),
                    regained_by=next((offered[id_] for id_ in newer if id_ in offered), None),
                )
            )
        return tuple(chained)

    def _details(self, version_ids: Iterable[str]) -> dict[str, AchievementDetails]:
        asked = list(dict.fromkeys(version_ids))
        if not asked:
            return {}
        with self.database.read_rows() as connection:
            return micromodules.details_of(connection, asked)

    def _comments(
        self, session: SessionView, placed: Iterable[PlacementDecisions]
    ) -> dict[str, dict[str, str]]:
        """What teachers wrote when giving evidence back, by placement and evidence key."""
        asking = [
            made.placement.id
            for made in placed
            for decision in made.decisions
            if any(isinstance(leaf.criterion, EvidenceAccepted) for leaf in decision.finding.leaves())
        ]
        if not asking:
            return {}
        with self.database.read() as reading:
            return submissions.comments(reading, session.organisation_id, asking, session.learner_id)

    def _freshness(self, session: SessionView, cards: list[ProgressCard]) -> Freshness | None:
        read = [card for card in cards if card.is_read]
        if session.context_id is None or session.is_anonymous or not read:
            return None
        return self.ages.of(
            session.organisation_id, session.context_id, _oldest(card.read_at for card in read)
        )


def _stands_for(later: EarnedBadge, badge: EarnedBadge) -> bool:
    """Whether a badge of a later version takes the place of one: not of one in force, where it is itself
    over or paused."""
    return later.state in _HOLDS or badge.state not in _HOLDS


_HOLDS = (BadgeState.ACTIVE, BadgeState.UNSIGNED)


def _renewals(placed: Iterable[PlacementDecisions]) -> dict[str | None, Finding]:
    """How the criteria of badges that are renewed stand for their holder here, by achievement version."""
    return {
        made.placement.achievement_version_id: decision.finding
        for made in placed
        if made.placement.renewal_opens_days is not None and made.placement.status != "draft"
        for decision in made.decisions
        if decision.verdict in (Verdict.HELD, Verdict.REVIEW) and decision.exclusion is None
    }


def _earned(
    view: wallets.EarnedView,
    urls: PublicUrls,
    details: Mapping[str, AchievementDetails],
    renewals: Mapping[str | None, Finding],
    now: datetime,
) -> EarnedBadge:
    """A badge with what it says, when it ends, and what keeps it."""
    badge, said = earned_badge(view, urls, now), details[view.achievement_version_id]
    ending = renewal = None
    if badge.state in (BadgeState.ACTIVE, BadgeState.EXPIRED):
        terms = terms_of(
            said.validity_months, said.renewal_opens_days, said.renewal_closes_days, view.version_ends_at
        )
        ending = ending_of(view.valid_until, terms, now)
    finding = renewals.get(view.achievement_version_id)
    if finding is not None and ending is not None and ending.window is not None and ending.is_open:
        renewal = renewal_progress(finding, ending.window)
    return replace(badge, details=said, ending=ending, renewal=renewal)


def earned_badge(view: wallets.EarnedView, urls: PublicUrls, now: datetime) -> EarnedBadge:
    """An award as the wallet shows it at ``now``."""
    ready = view.credential_id is not None and view.is_signed
    return EarnedBadge(
        view.award_id,
        view.credential_id if ready else None,
        view.achievement_version_id,
        view.name,
        view.description,
        view.image_alt,
        view.issuer_name,
        view.awarded_at,
        view.met_at,
        view.skills,
        view.revoked_at is not None,
        view.revocation_reason,
        view.is_public,
        urls.credential(view.credential_id) if ready and view.is_public and view.credential_id else None,
        view.context_title,
        state=view.state(now),
        counts=view.counts(now),
        valid_until=view.valid_until,
        reissued_at=view.reissued_at,
        suspension_reason=view.suspension_reason if view.suspended_at is not None else None,
        question_id=view.question_id,
    )


def _offer(made: PlacementDecisions) -> ProgressCard:
    """What a badge asks for, of nobody in particular."""
    return _card(made, evaluate(made.criterion, Evidence({})), Verdict.NOT_YET, None, {})


def _card(
    made: PlacementDecisions,
    finding: Finding,
    verdict: Verdict,
    exclusion: Exclusion | None,
    comments: Mapping[str, str],
) -> ProgressCard:
    placement = made.placement
    return ProgressCard(
        placement.id,
        placement.name,
        placement.description,
        placement.skills,
        placement.achievement_version_id,
        placement.image_alt,
        finding,
        verdict,
        exclusion,
        _oldest(_reading(leaf) for leaf in finding.leaves() if isinstance(leaf.criterion, _READ)),
        troubles(made.columns),
        placement.status == "draft",
        comments,
    )


def _reading(leaf: Finding) -> datetime | None:
    """When a leaf was read; ``None`` also where one of a mean's columns never was."""
    if any(part.score is None for part in leaf.parts):
        return None
    return leaf.as_of()


def _oldest(read: Iterable[datetime | None]) -> datetime | None:
    known = list(read)
    dated = [moment for moment in known if moment is not None]
    return min(dated) if dated and len(dated) == len(known) else None


def troubles(columns: Iterable[EvidenceColumn]) -> tuple[ErrorCode, ...]:
    """What keeps columns from being read, each trouble once."""
    found = {column.trouble for column in columns if column.trouble is not None}
    return tuple(sorted(ErrorCode(trouble) for trouble in found))
