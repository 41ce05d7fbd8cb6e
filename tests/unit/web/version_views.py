"""Badges that there are several versions of, as learners, staff and everybody see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from lti_tool.credentials.verification import Report, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.services.public import PublicAchievement
from lti_tool.store.chains import Place, VersionStep
from tests.unit.web.sample_views import (
    ACHIEVEMENT,
    CREDENTIAL,
    DOCUMENT,
    NOW,
    earned,
    progress_card,
    report,
    wallet,
)
from tests.unit.web.staff_views import HOLDERS

LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsausbildungsgrundlagen"
ENDED_AT = NOW - timedelta(days=3)
FIRST = VersionStep("version-ethics", 1, "Research Data", NOW - timedelta(days=700), None, ENDED_AT)
SECOND = VersionStep(
    "version-writing", 2, "Research Data", NOW - timedelta(days=200), "Sharing data asks for a licence now."
)
THIRD = VersionStep("version-data", 3, "Research Data", NOW - timedelta(days=4), f"A new quiz: {LONG_WORD}.")
OF_FIRST = Place(FIRST, (), (SECOND, THIRD))
OF_SECOND = Place(SECOND, (FIRST,), (THIRD,))
OF_THIRD = Place(THIRD, (SECOND, FIRST))
STAYS = Place(replace(FIRST, expires_at=None), (), (SECOND,))

_ended = earned(3, place=OF_FIRST, state=BadgeState.EXPIRED, valid_until=ENDED_AT)
VERSION_WALLETS = {
    "version-ended": wallet(
        earned=(replace(_ended, regained_by="placement-1"),), in_progress=(progress_card(),)
    ),
    "version-ended-elsewhere": wallet(earned=(_ended,), in_progress=()),
    "version-stays": wallet(earned=(earned(3, place=STAYS),), in_progress=()),
    "version-ends": wallet(
        earned=(earned(3, place=OF_FIRST, valid_until=NOW + timedelta(days=30)),), in_progress=()
    ),
    "version-regained": wallet(
        earned=(
            earned(1, place=OF_THIRD),
            replace(_ended, replaced_by="award-1"),
            earned(2, place=OF_SECOND, replaced_by="award-1"),
        ),
        in_progress=(),
    ),
}
VERSION_HOLDER = replace(HOLDERS["usual"], places={"version-data": OF_SECOND})


def achieved(place: Place) -> Callable[[Any], None]:
    """The page of the achievement, and of a badge of it, knows the other versions."""

    def put(tool: Any) -> None:
        tool.public.achievement = lambda _: PublicAchievement(ACHIEVEMENT, DOCUMENT, place=place)
        tool.public.credential = lambda _: replace(CREDENTIAL, place=place)

    return put


def version_report(verdict: Verdict, **changes: Any) -> Report:
    """A verification of a badge that names its version and the one before."""
    plain = report(verdict)
    assert plain.credential is not None
    said = {
        "version": "2",
        "related": (("https://issuer.example/achievements/1", "1"), ("javascript:alert(1)", "0")),
        "achievement_id": "https://issuer.example/achievements/2",
    }
    return replace(plain, credential=replace(plain.credential, **{**said, **changes}))
