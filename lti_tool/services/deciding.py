"""Decide, sign, write back: what follows whenever something about a learner has changed.

Whoever stores a grade, a gate, somebody's word or a piece of evidence calls :meth:`Deciding.decide` after
its own commit. Being killed in between loses time only: the next reading decides the same, the reconcile
pass finds awards without a credential, and awards without a score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lti_tool.errors import ConfigurationInvalid, CredentialInvalid
from lti_tool.telemetry import AWARDS, get_logger

log = get_logger(__name__)

Unsigned: TypeAlias = CredentialInvalid | ConfigurationInvalid


class AwardingOutcome(Protocol):
    """What deciding came to."""

    @property
    def decided(self) -> int: ...
    @property
    def award_ids(self) -> tuple[str, ...]: ...
    @property
    def beyond(self) -> int: ...
    @property
    def holders_changed(self) -> frozenset[str]: ...


class AwardingPort(Protocol):
    """Decides over stored evidence; :class:`~lti_tool.services.awarding.Awarding`."""

    def decide_context(self, organisation_id: str, context_id: str, /) -> AwardingOutcome: ...
    def decide_learners(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str], /
    ) -> AwardingOutcome: ...


class IssuingPort(Protocol):
    """Signs credentials; :class:`~lti_tool.services.issuing.Issuing`."""

    def issue_for(self, award_ids: Sequence[str], /) -> Mapping[str, str]: ...


class ScoringPort(Protocol):
    """Writes awards back; :class:`~lti_tool.services.scoring.Scoring`."""

    def offer_due(self, organisation_id: str, context_id: str, learner_id: str | None = None, /) -> None: ...


class ReviewingPort(Protocol):
    """Looks for badges whose facts changed; :class:`~lti_tool.services.doubting.Doubting`."""

    def look(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str] | None = None, /
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """What one pass did."""

    decided: int = 0
    award_ids: tuple[str, ...] = ()
    issued: int = 0
    refusal: Unsigned | None = None
    """Why a new award of the course has no credential: its text cannot be signed, or its issuer's key cannot
    be used. It stays, and is tried again."""


@dataclass(frozen=True)
class Deciding:
    """The three steps in their order."""

    awarding: AwardingPort
    issuing: IssuingPort
    scoring: ScoringPort | None = None
    reviewing: ReviewingPort | None = None

    def decide(
        self,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str] | None,
        cause: str,
        *,
        before_signing: Callable[[int], None] | None = None,
    ) -> Decided:
        """Decide about learners of a context, issue what they earned, and have it written back soon.

        :param learner_ids: whom the change is about; ``None`` for everybody.
        :param cause: what the course's awards are counted under (``lti_tool_awards_total``).
        :param before_signing: told how many awards are going to be signed, where there are any.
        """
        if learner_ids is None:
            report = self.awarding.decide_context(organisation_id, context_id)
        else:
            report = self.awarding.decide_learners(organisation_id, context_id, learner_ids)
        AWARDS.labels(cause).inc(len(report.award_ids) - report.beyond)
        self._review(organisation_id, context_id, learner_ids, report.holders_changed)
        issued = 0
        refusal: Unsigned | None = None
        if report.award_ids:
            if before_signing is not None:
                before_signing(len(report.award_ids))
            own = len(report.award_ids) - report.beyond
            issued, refusal = self._issue(report.award_ids[:own])
            # A milestone's issuer may be another one: what that cannot sign is no trouble of this course.
            issued += self._issue(report.award_ids[own:])[0]
        # A visit without news offers nothing. A whole course does: a column may have been mended.
        if self.scoring is not None and (report.award_ids or learner_ids is None):
            only = learner_ids[0] if learner_ids is not None and len(learner_ids) == 1 else None
            self.scoring.offer_due(organisation_id, context_id, only)
        return Decided(report.decided, report.award_ids, issued, refusal)

    def _issue(self, award_ids: Sequence[str]) -> tuple[int, Unsigned | None]:
        """How many were issued, and why one was not."""
        if not award_ids:
            return 0, None
        try:
            return len(self.issuing.issue_for(award_ids)), None
        except (CredentialInvalid, ConfigurationInvalid) as error:
            # Nobody else's badge or score waits for it; the reconcile pass offers the award again.
            log.warning("credential_not_issued", error=str(error))
            return 0, error

    def _review(
        self,
        organisation_id: str,
        context_id: str,
        learner_ids: Sequence[str] | None,
        changed: frozenset[str],
    ) -> None:
        """Have a person look at badges whose facts changed. A course that was read may also have lost people;
        a visit asks only where there is news about somebody who has a badge."""
        if self.reviewing is None:
            return
        if learner_ids is None:
            self.reviewing.look(organisation_id, context_id)
        elif changed:
            self.reviewing.look(organisation_id, context_id, sorted(changed))
