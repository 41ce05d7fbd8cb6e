"""The badge picture composer: shape, icon, colours and a few words, drawn without any outside service.

Icons are Lucide's (ISC), letters Noto Sans (OFL), both vendored with their licences in ``icons`` and
``fonts``. Colours that cannot be told apart are refused (WCAG 2.2, 1.4.3 and 1.4.11), and the same artwork
always gives the same bytes, so that a picture can be compared, cached and signed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Final

import resvg_py

from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.credentials.typefaces import FAMILIES, font_files, unknown_characters, width

SIZE: Final = 512
MAXIMUM_TEXT: Final = 60
MAXIMUM_ALT: Final = 300
MINIMUM_GRAPHIC_CONTRAST: Final = 3.0
MINIMUM_TEXT_CONTRAST: Final = 4.5
_CENTRE: Final = SIZE / 2
_MAXIMUM_LINES: Final = 4
_LARGEST_LETTERS: Final = 46
_SMALLEST_LETTERS: Final = 14
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ICON_BODY: Final = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_ALLOWED_FORMAT_CHARACTERS: Final = frozenset("\u200c\u200d\u200e\u200f")


@dataclass(frozen=True)
class Shape:
    """An outline, and the box inside it that holds icon and text.

    :param outline: SVG path data in a 512 × 512 square.
    :param icon_y: the icon's centre when there is text below it; :param text_y: the text block's centre.
    :param text_width: the room for one line.
    """

    outline: str
    icon_y: float = 196.0
    text_y: float = 350.0
    text_width: float = 300.0


def _polygon(corners: int, radius: float, turn: float, *, inner: float | None = None) -> str:
    """A regular polygon, or with ``inner`` a star whose points and dents alternate."""
    steps = corners * (1 if inner is None else 2)
    points = []
    for step in range(steps):
        reach = radius if inner is None or step % 2 == 0 else inner
        angle = math.radians(turn + 360 * step / steps)
        points.append(f"{_CENTRE + reach * math.sin(angle):.2f} {_CENTRE - reach * math.cos(angle):.2f}")
    return "M" + "L".join(points) + "Z"


SHAPES: Final[dict[str, Shape]] = {
    "circle": Shape("M256 20A236 236 0 1 1 256 492A236 236 0 1 1 256 20Z"),
    "hexagon": Shape(_polygon(6, 240, 0), text_width=310),
    "octagon": Shape(_polygon(8, 244, 22.5), text_width=320),
    "shield": Shape(
        "M256 18L462 84V262C462 372 382 452 256 496C130 452 50 372 50 262V84Z",
        icon_y=186,
        text_y=334,
        text_width=290,
    ),
    "rosette": Shape(_polygon(16, 244, 0, inner=220), text_width=290),
    "square": Shape(
        "M84 28H428A56 56 0 0 1 484 84V428A56 56 0 0 1 428 484H84A56 56 0 0 1 28 428V84A56 56 0 0 1 84 28Z",
        text_width=380,
    ),
    "diamond": Shape(_polygon(4, 242, 0), icon_y=200, text_y=326, text_width=220),
}
"""Outlines by name; the names are stored and must stay."""


@dataclass(frozen=True)
class Artwork:
    """What a badge looks like.

    :param shape: a key of :data:`SHAPES`; :param icon: one of :func:`icon_names`.
    :param background: colour of the shape, ``#rrggbb``; :param foreground: of icon, text and rim.
    :param text: at most 60 characters on the badge, wrapped and shrunk to fit; may be empty.
    :param alt: what a person who cannot see the picture needs to know; required.
    :param accent: colour of an inner ring; none is drawn without it.
    """

    shape: str
    icon: str
    background: str
    foreground: str
    text: str = ""
    alt: str = ""
    accent: str | None = None


@cache
def icon_names() -> tuple[str, ...]:
    """The icons that can be chosen, sorted; the names are Lucide's."""
    folder = resources.files("lti_tool.credentials").joinpath("icons")
    return tuple(
        sorted(file.name.removesuffix(".svg") for file in folder.iterdir() if file.name.endswith(".svg"))
    )


def contrast_ratio(one: str, other: str) -> float:
    """The contrast of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, "contrast ratio").

    :raises ArtworkInvalid: for what is no colour.
    """
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def check_artwork(artwork: Artwork) -> None:
    """Refuse artwork that cannot be drawn, read or told apart.

    :raises ArtworkInvalid: with ``field`` and ``reason``.
    """
    if artwork.shape not in SHAPES:
        raise ArtworkInvalid("unknown", "shape")
    if artwork.icon not in icon_names():
        raise ArtworkInvalid("unknown", "icon")
    check_alt(artwork.alt)
    _check_characters(artwork.text, "text", MAXIMUM_TEXT)
    missing = unknown_characters(_flat(artwork.text))
    if missing:
        # Chinese, Japanese, Korean, emoji: fonts of ten megabytes. Boxes for letters are worse than a refusal
        raise ArtworkInvalid("characters_not_in_font", "text", characters=missing[:20])
    _luminance(artwork.background, "background")
    _check_contrast(artwork.foreground, artwork.background, "foreground", needed_contrast(artwork.text))
    if artwork.accent is not None:
        _check_contrast(artwork.accent, artwork.background, "accent", MINIMUM_GRAPHIC_CONTRAST)


def check_alt(alt: str) -> None:
    """Refuse words for a picture, composed or uploaded, that a drawing cannot hold.

    :raises ArtworkInvalid: of the field ``alt``.
    """
    if not alt.strip():
        raise ArtworkInvalid("missing", "alt")
    _check_characters(alt, "alt", MAXIMUM_ALT)


def needed_contrast(text: str) -> float:
    """The contrast that icon and text need: text, where there is any, needs more."""
    return MINIMUM_TEXT_CONTRAST if text.strip() else MINIMUM_GRAPHIC_CONTRAST


def render_svg(artwork: Artwork) -> str:
    """The picture as a self-contained SVG with a text alternative; no script, link or style in it.

    :raises ArtworkInvalid: see :func:`check_artwork`.
    """
    check_artwork(artwork)
    shape = SHAPES[artwork.shape]
    text = _flat(artwork.text)
    lines, size = _set(text, shape.text_width) if text else ([], 0.0)
    icon_size = 168 if lines else 232
    icon_y = shape.icon_y if lines else _CENTRE
    alt = escape(_flat(artwork.alt))
    background, foreground = artwork.background.lower(), artwork.foreground.lower()
    square = f'viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}"'
    rim = f'stroke="{foreground}" stroke-width="14" stroke-linejoin="round"'
    parts = [
        # no id in it: several badges may stand inline on one page
        f'<svg xmlns="http://www.w3.org/2000/svg" {square} role="img" aria-label="{alt}">',
        f"<title>{alt}</title>",
        f'<path d="{shape.outline}" fill="{background}" {rim}/>',
    ]
    if artwork.accent:
        parts.append(
            f'<path d="{shape.outline}" fill="none" stroke="{artwork.accent.lower()}" stroke-width="8" '
            'stroke-linejoin="round" transform="translate(256 256) scale(0.9) translate(-256 -256)"/>'
        )
    parts.append(
        f'<g transform="translate({_CENTRE - icon_size / 2:.2f} {icon_y - icon_size / 2:.2f}) '
        f'scale({icon_size / 24:.4f})" fill="none" stroke="{foreground}" stroke-width="1.75" '
        f'stroke-linecap="round" stroke-linejoin="round">{_icon_body(artwork.icon)}</g>'
    )
    families = ", ".join(f"'{family}'" for family in FAMILIES)
    direction = ' direction="rtl"' if _is_right_to_left(text) else ""
    top = shape.text_y - size * 1.18 * (len(lines) - 1) / 2 + size * 0.35
    for number, line in enumerate(lines):
        parts.append(
            f'<text x="{_CENTRE:.0f}" y="{top + number * size * 1.18:.2f}" font-weight="700" '
            f'font-family="{families}, sans-serif" font-size="{size:g}" text-anchor="middle" '
            f'fill="{foreground}"{direction}>'
            f"{escape(line)}</text>"
        )
    parts.append("</svg>")
    return "".join(parts)


def render_png(svg: str, size: int = SIZE) -> bytes:
    """``svg`` (of :func:`render_svg`) as a square PNG of ``size`` pixels, with the vendored fonts only.

    :raises ArtworkInvalid: if it is no SVG, or the size is not within 16 and 2048.
    """
    if not 16 <= size <= 2048:
        raise ArtworkInvalid("out_of_range", "size")
    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg,
                width=size,
                height=size,
                dpi=96,  # CSS's pixel; resvg_py 0.5.0 draws nothing that is measured in mm or in without it
                skip_system_fonts=True,
                font_files=font_files(),
                font_family=FAMILIES[0],
                sans_serif_family=FAMILIES[0],
            )
        )
    except ValueError:
        raise ArtworkInvalid("not_svg", "image") from None


@cache
def _icon_body(name: str) -> str:
    folder = resources.files("lti_tool.credentials").joinpath("icons")
    body = _ICON_BODY.search(folder.joinpath(f"{name}.svg").read_text("utf-8"))
    assert body is not None  # the vendored files are compared with their hashes by a test
    return "".join(line.strip() for line in body[1].splitlines())


def _check_characters(text: str, field: str, limit: int) -> None:
    if len(text) > limit:
        raise ArtworkInvalid("too_long", field, limit=limit)
    for character in text:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") and character not in "\n\r\t":
            raise ArtworkInvalid("control_character", field)
        if kind == "Cf" and character not in _ALLOWED_FORMAT_CHARACTERS:
            raise ArtworkInvalid("control_character", field)


def _check_contrast(colour: str, background: str, field: str, needed: float) -> None:
    _luminance(colour, field)
    ratio = contrast_ratio(colour, background)
    if ratio < needed:
        raise ArtworkInvalid(
            "contrast_too_low", field, ratio=f"{math.floor(ratio * 10) / 10:.1f}", needed=f"{needed:g}"
        )


def _luminance(colour: str, field: str = "colour") -> float:
    """Relative luminance (WCAG 2.2)."""
    if not _COLOUR.fullmatch(colour):
        raise ArtworkInvalid("not_a_colour", field)
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _flat(text: str) -> str:
    return " ".join(text.split())


def _is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left (Unicode bidi, rule P2)."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def _set(text: str, room: float) -> tuple[list[str], float]:
    """Lines and size of letters: as large as fits, whole words where they do."""
    for size in range(_LARGEST_LETTERS, _SMALLEST_LETTERS - 1, -2):
        lines = _wrap(text, room, size)
        # fewer, larger lines first: two lines at 46, three at 38, four below 30
        allowed = 2 if size > 38 else 3 if size > 28 else _MAXIMUM_LINES
        broken = any(width(word, size) > room for word in text.split(" "))
        if len(lines) <= allowed and (not broken or size == _SMALLEST_LETTERS):
            return lines, float(size)
    return _wrap(text, room, _SMALLEST_LETTERS)[:_MAXIMUM_LINES], float(_SMALLEST_LETTERS)


def _wrap(text: str, room: float, size: float) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if width(candidate, size) <= room:
            line = candidate
            continue
        if line:
            lines.append(line)
        while width(word, size) > room:
            cut = next(at for at in range(len(word) - 1, 0, -1) if at == 1 or width(word[:at], size) <= room)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line]
