"""LMS differences, pure: the standard is the default, each product overrides what it does otherwise.

This is one of the three places where a product's name may be compared (with ``lms_api`` and
``lti/registration.py``); everything else asks a :class:`~lti_tool.platforms.spec.Platform`.
"""

from __future__ import annotations

from collections.abc import Mapping

from lti_tool.platforms.canvas import Canvas
from lti_tool.platforms.moodle import Moodle
from lti_tool.platforms.spec import (
    ColumnGuidance,
    ConnectionGuidance,
    ConnectionSteps,
    GateKind,
    Platform,
    Quirk,
    ScoreRefusal,
    TotalOptOut,
)

__all__ = [
    "PLATFORMS",
    "QUIRKS",
    "SHARED_BY_INSTITUTIONS",
    "ColumnGuidance",
    "ConnectionGuidance",
    "ConnectionSteps",
    "GateKind",
    "Platform",
    "Quirk",
    "ScoreRefusal",
    "TotalOptOut",
    "platform_for",
]

PLATFORMS: Mapping[str, Platform] = {
    platform.product: platform for platform in (Moodle(), Canvas(), Platform())
}
"""Every platform by the ``product`` that a registration stores."""

SHARED_BY_INSTITUTIONS: tuple[str, ...] = tuple(
    product for product, platform in PLATFORMS.items() if platform.has_token_url_per_institution
)
"""Products of which one registration may serve several institutions: whose a new deployment is, only the
operator can say."""

QUIRKS: tuple[Quirk, ...] = tuple(quirk for platform in PLATFORMS.values() for quirk in platform.quirks)
"""Every departure from the standard that the tool allows for; each has an entry in the documentation."""


def platform_for(product: str) -> Platform:
    """The platform that speaks for ``product``; an unknown product behaves as the standard says."""
    return PLATFORMS.get(product, PLATFORMS["other"])
