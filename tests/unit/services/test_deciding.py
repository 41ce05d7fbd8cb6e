"""Decide, sign, write back: what follows, in which order, and what does not stop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from lti_tool.errors import CredentialInvalid, ErrorCode
from lti_tool.services.awarding import AwardingReport
from lti_tool.services.deciding import Deciding


@dataclass
class Steps:
    """Awarding, issuing and scoring at once, and what they were asked."""

    award_ids: tuple[str, ...] = ()
    refusal: CredentialInvalid | None = None
    seen: list[tuple[object, ...]] = field(default_factory=list)

    def decide_context(self, organisation_id: str, context_id: str) -> AwardingReport:
        self.seen.append(("everybody", organisation_id, context_id))
        return AwardingReport(7, 1, self.award_ids)

    def decide_learners(
        self, organisation_id: str, context_id: str, learner_ids: Sequence[str]
    ) -> AwardingReport:
        self.seen.append(("some", *learner_ids))
        return AwardingReport(len(learner_ids), 1, self.award_ids)

    def issue_for(self, award_ids: Sequence[str]) -> Mapping[str, str]:
        self.seen.append(("sign", *award_ids))
        if self.refusal is not None:
            raise self.refusal
        return dict.fromkeys(award_ids, "credential")

    def offer_due(self, organisation_id: str, context_id: str, learner_id: str | None = None) -> None:
        self.seen.append(("offer", learner_id))


def test_what_was_earned_is_signed_and_then_written_back() -> None:
    steps = Steps(("first", "second"))
    told: list[int] = []
    decided = Deciding(steps, steps, steps).decide("org", "course", None, "sync", before_signing=told.append)
    assert steps.seen == [("everybody", "org", "course"), ("sign", "first", "second"), ("offer", None)]
    assert (decided.decided, decided.award_ids, decided.issued) == (7, ("first", "second"), 2)
    assert told == [2]


def test_one_learners_badge_is_offered_alone_and_that_of_several_together() -> None:
    steps = Steps(("award",))
    Deciding(steps, steps, steps).decide("org", "course", ["ada"], "launch")
    assert steps.seen[-1] == ("offer", "ada")
    Deciding(steps, steps, steps).decide("org", "course", ["ada", "bob"], "staff")
    assert steps.seen[-1] == ("offer", None)


def test_a_visit_without_news_signs_and_offers_nothing() -> None:
    steps = Steps()
    Deciding(steps, steps, steps).decide("org", "course", ["ada"], "launch")
    assert steps.seen == [("some", "ada")]


@pytest.mark.parametrize("learner_ids", [None, ["ada"]])
def test_a_text_that_cannot_be_signed_keeps_nobody_elses_score_waiting(
    learner_ids: list[str] | None,
) -> None:
    refusal = CredentialInvalid(ErrorCode.CREDENTIAL_TEXT_INVALID)
    steps = Steps(("award",), refusal)
    decided = Deciding(steps, steps, steps).decide("org", "course", learner_ids, "sync")
    assert steps.seen[-1][0] == "offer"
    assert (decided.refusal, decided.issued, decided.award_ids) == (refusal, 0, ("award",))
