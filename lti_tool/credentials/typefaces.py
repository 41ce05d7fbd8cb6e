"""The letters of badge artwork: which characters our fonts hold, and how wide they are.

Reads just two tables of a TrueType file (``cmap`` formats 4 and 12, ``hmtx``); rendering is the SVG
renderer's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

FAMILIES: Final = ("Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew")
_FILES: Final = ("NotoSans_700Bold.ttf", "NotoSansArabic_700Bold.ttf", "NotoSansHebrew_700Bold.ttf")
_INVISIBLE: Final = frozenset("\u200c\u200d\u200e\u200f")
"""Joiners and direction marks: part of good Persian, Arabic and Hebrew, and without a width of their own."""


@dataclass(frozen=True)
class Typeface:
    """One font file: its characters' advance widths in thousandths of the font size."""

    advances: dict[int, int]


def font_files() -> list[str]:
    """Paths of the vendored fonts, the most general one first."""
    folder = resources.files("lti_tool.credentials").joinpath("fonts")
    return [str(Path(str(folder.joinpath(name)))) for name in _FILES]


def unknown_characters(text: str) -> str:
    """The characters of ``text`` that no vendored font holds, each once."""
    missing = [
        character
        for character in dict.fromkeys(text)
        if character not in _INVISIBLE and not any(ord(character) in face.advances for face in _typefaces())
    ]
    return "".join(missing)


def width(text: str, size: float) -> float:
    """The width of ``text`` set in ``size``, without kerning and ligatures (both make it narrower)."""
    thousandths = 0
    for character in text:
        if character not in _INVISIBLE:
            code = ord(character)
            thousandths += next((face.advances[code] for face in _typefaces() if code in face.advances), 1000)
    return thousandths * size / 1000


@cache
def _typefaces() -> tuple[Typeface, ...]:
    return tuple(_read(Path(path).read_bytes()) for path in font_files())


def _read(font: bytes) -> Typeface:
    (tables,) = struct.unpack_from(">H", font, 4)
    offsets = {}
    for index in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * index)
        offsets[tag] = offset
    (units,) = struct.unpack_from(">H", font, offsets[b"head"] + 18)
    (metrics,) = struct.unpack_from(">H", font, offsets[b"hhea"] + 34)
    widths = [struct.unpack_from(">H", font, offsets[b"hmtx"] + 4 * glyph)[0] for glyph in range(metrics)]
    glyphs = _glyphs(font, offsets[b"cmap"])
    return Typeface(
        {
            code: round(widths[min(glyph, metrics - 1)] * 1000 / units)
            for code, glyph in glyphs.items()
            if glyph
        }
    )


def _glyphs(font: bytes, cmap: int) -> dict[int, int]:
    """Character to glyph, from the richest Unicode subtable."""
    (count,) = struct.unpack_from(">H", font, cmap + 2)
    subtables = {}
    for index in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", font, cmap + 4 + 8 * index)
        subtables[platform, encoding] = cmap + offset
    if (3, 10) in subtables:
        return _format_12(font, subtables[3, 10])
    return _format_4(font, subtables[3, 1])


def _format_12(font: bytes, at: int) -> dict[int, int]:
    (groups,) = struct.unpack_from(">I", font, at + 12)
    glyphs = {}
    for index in range(groups):
        first, last, glyph = struct.unpack_from(">III", font, at + 16 + 12 * index)
        for code in range(first, last + 1):
            glyphs[code] = glyph + code - first
    return glyphs


def _format_4(font: bytes, at: int) -> dict[int, int]:
    segments = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    starts = struct.unpack_from(f">{segments}H", font, at + 16 + 2 * segments)
    deltas = struct.unpack_from(f">{segments}h", font, at + 16 + 4 * segments)
    ranges_at = at + 16 + 6 * segments
    ranges = struct.unpack_from(f">{segments}H", font, ranges_at)
    glyphs = {}
    for segment in range(segments):
        for code in range(starts[segment], ends[segment] + 1):
            glyph = code
            if ranges[segment]:
                place = ranges_at + 2 * segment + ranges[segment] + 2 * (code - starts[segment])
                (glyph,) = struct.unpack_from(">H", font, place)
                if not glyph:
                    continue
            glyphs[code] = (glyph + deltas[segment]) & 0xFFFF
    return glyphs
