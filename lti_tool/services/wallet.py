"""What a learner sees inside the course: earned badges, and what is still missing for the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import EvidenceAccepted, Finding, GatePassed, MeanAtLeast, ScoreAtLeast
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.domain.freshness import Freshness
from lti_tool.errors import ErrorCode
from lti_tool.services.awarding import Awarding, PlacementDecisions
from lti_tool.services.freshness import Ages
from lti_tool.services.issuing import PublicUrls
from lti_tool.services.launching import SessionView
from lti_tool.store import credentials, submissions
from lti_tool.store.database import Database
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

    @property
    def is_read(self) -> bool:
        """Whether anything here is read from the platform at all."""
        return any(isinstance(leaf.criterion, _READ) for leaf in self.finding.leaves())


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


@dataclass(frozen=True)
class Wallet:
    """Reads the wallet; costs the same number of queries for one badge as for two hundred."""

    database: Database
    awarding: Awarding
    urls: PublicUrls
    ages: Ages

    def view(self, session: SessionView) -> WalletView:
        """The wallet of the person of this session, in the course of this session."""
        with self.database.read() as reading:
            earned = credentials.earned_by(reading, session.organisation_id, session.learner_id)
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
        return WalletView(
            earned=tuple(earned_badge(view, self.urls) for view in earned),
            in_progress=tuple(in_progress),
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
        )

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


def earned_badge(view: credentials.EarnedView, urls: PublicUrls) -> EarnedBadge:
    """An award as the wallet shows it."""
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
