"""Who of a course may be awarded at all: those who learn in it, as far as the platform tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lti_tool.domain.awarding import Exclusion, Proof, is_proved
from lti_tool.platforms import platform_for
from lti_tool.store.decisions import Standing

_REFUSED: Final = Proof.REFUSED.value


def exclusions(standings: Iterable[Standing]) -> dict[str, Exclusion]:
    """Who is never awarded in this context, and why; the gravest reason first."""
    excluded = {}
    for standing in standings:
        if standing.is_test_user:
            excluded[standing.learner_id] = Exclusion.TEST_USER
        elif standing.is_staff:
            excluded[standing.learner_id] = Exclusion.STAFF
        elif not standing.is_learner:
            excluded[standing.learner_id] = Exclusion.NOT_A_LEARNER
        elif not standing.is_active:
            excluded[standing.learner_id] = Exclusion.LEFT
        elif standing.learner_proof == _REFUSED:
            excluded[standing.learner_id] = Exclusion.NOT_A_STUDENT
    return excluded


def unproved(standings: Iterable[Standing], product: str) -> frozenset[str]:
    """Who is not proved to be a learner, on a platform whose roster does not say so well enough."""
    roster_tells_staff = platform_for(product).roster_tells_staff
    return frozenset(
        standing.learner_id
        for standing in standings
        if not is_proved(standing.learner_proof, roster_tells_staff=roster_tells_staff)
    )
