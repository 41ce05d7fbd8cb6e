"""Ready artworks, one for each kind of skill, and colours that go together.

A design says shape, icon and colours; words and text stay whoever describes the badge's own. In an
organisation's colours it is the same drawing: the letters and lines on a colour are always of one that can be
told apart from it (:func:`readable_on`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lti_tool.credentials.artwork import MINIMUM_TEXT_CONTRAST, contrast_ratio

LIGHT: Final = "#ffffff"
DARK: Final = "#000000"
"""Not a softer one: with it, one of the two is always 4.58 to 1 or better against any colour."""


@dataclass(frozen=True, slots=True)
class Design:
    """What a badge may begin with; the fields are those of :class:`~.artwork.Artwork`."""

    shape: str
    icon: str
    background: str
    foreground: str = LIGHT


DESIGNS: Final[dict[str, Design]] = {
    "general": Design("hexagon", "award", "#0b6a5d"),
    "data": Design("hexagon", "database", "#1d4ed8"),
    "digital": Design("square", "cpu", "#334155"),
    "programming": Design("square", "code", "#312e81"),
    "research": Design("octagon", "microscope", "#155e75"),
    "mathematics": Design("octagon", "sigma", "#6d28d9"),
    "languages": Design("circle", "languages", "#9f1239"),
    "writing": Design("circle", "pencil", "#7c2d12"),
    "teamwork": Design("rosette", "users", "#9a3412"),
    "leadership": Design("shield", "compass", "#1e3a5f"),
    "teaching": Design("circle", "graduation-cap", "#14532d"),
    "health": Design("shield", "stethoscope", "#0f5b78"),
    "safety": Design("shield", "shield-check", "#facc15", DARK),
    "craft": Design("octagon", "wrench", "#57350b"),
    "creativity": Design("rosette", "palette", "#a21caf"),
    "sustainability": Design("rosette", "sprout", "#bef264", DARK),
}
"""By kind of skill. Nothing stores the names."""


def readable_on(background: str, palette: Sequence[str] = ()) -> str:
    """A colour for letters on ``background``: the first of ``palette`` that has the contrast of text, else
    white or black, of which one always has it.

    :raises ArtworkInvalid: for what is no colour.
    """
    for colour in palette:
        if contrast_ratio(colour, background) >= MINIMUM_TEXT_CONTRAST:
            return colour
    return max((LIGHT, DARK), key=lambda colour: contrast_ratio(colour, background))


def in_colours(palette: Sequence[str]) -> dict[str, Design]:
    """The designs in an organisation's colours, which take turns; as they are where it has none."""
    if not palette:
        return DESIGNS
    return {
        name: replace(
            design,
            background=palette[number % len(palette)],
            foreground=readable_on(palette[number % len(palette)]),
        )
        for number, (name, design) in enumerate(DESIGNS.items())
    }


def pairs(palette: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(background, foreground) for each colour of a palette, each readable."""
    return tuple((colour, readable_on(colour)) for colour in palette)
