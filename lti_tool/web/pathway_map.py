"""A pathway as a drawing: a row for each level, a box for each step, a line to what each needs.

The list below it on the page says the same; nothing is only in the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lti_tool.services.pathways import PathView

WIDTH: Final = 176
HEIGHT: Final = 60
GAP: Final = 20
RISE: Final = 44
"""Between two rows."""
EDGE: Final = 4
LINE: Final = 20
"""Characters that fit into a line of a box."""


@dataclass(frozen=True, slots=True)
class MapBox:
    """One step as drawn; its corner is the upper left one."""

    x: int
    y: int
    lines: tuple[str, ...]
    standing: str
    is_goal: bool


@dataclass(frozen=True, slots=True)
class MapLine:
    """From a step to one that needs it."""

    path: str
    """As the attribute ``d`` of an SVG path."""
    is_required: bool


@dataclass(frozen=True, slots=True)
class PathwayMap:
    """Everything a drawing needs."""

    width: int
    height: int
    boxes: tuple[MapBox, ...]
    lines: tuple[MapLine, ...]


def draw(view: PathView, *, is_rtl: bool = False) -> PathwayMap | None:
    """The drawing of a way; ``None`` for one with a single step, of which there is nothing to draw.

    :param is_rtl: whether the page reads from right to left: then so does each row.
    """
    if len(view.steps) < 2:
        return None
    rows: dict[int, list[int]] = {}
    for number, step in enumerate(view.steps):
        rows.setdefault(step.level, []).append(number)
    widest = max(len(row) for row in rows.values())
    width = widest * (WIDTH + GAP) - GAP + 2 * EDGE
    corners: dict[int, tuple[int, int]] = {}
    for place, level in enumerate(sorted(rows)):
        row = rows[level]
        start = (width - len(row) * (WIDTH + GAP) + GAP) // 2
        for column, number in enumerate(reversed(row) if is_rtl else row):
            corners[number] = (start + column * (WIDTH + GAP), EDGE + place * (HEIGHT + RISE))
    numbers = {step.row.step: number for number, step in enumerate(view.steps)}
    return PathwayMap(
        width,
        len(rows) * (HEIGHT + RISE) - RISE + 2 * EDGE,
        tuple(
            MapBox(*corners[number], in_lines(step.row.name), step.standing.value, step.is_goal)
            for number, step in enumerate(view.steps)
        ),
        tuple(
            MapLine(_line(corners[numbers[need.step]], corners[number]), need.is_required)
            for number, step in enumerate(view.steps)
            for need in step.needs
            if need.step in numbers
        ),
    )


def _line(below: tuple[int, int], above: tuple[int, int]) -> str:
    """From the lower edge of a step to the upper edge of the one that needs it."""
    x1, y1 = below[0] + WIDTH // 2, below[1] + HEIGHT
    x2, y2 = above[0] + WIDTH // 2, above[1]
    middle = (y1 + y2) // 2
    return f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"


def in_lines(name: str) -> tuple[str, ...]:
    """A name in two lines at most; what does not fit is cut off, the list has it whole."""
    lines: list[str] = [""]
    for word in name.split():
        if not lines[-1] or len(lines[-1]) + 1 + len(word) <= LINE:
            lines[-1] = f"{lines[-1]} {word}".strip()
        else:
            lines.append(word)
    shown = [line if len(line) <= LINE else f"{line[: LINE - 1]}…" for line in lines[:2]]
    if len(lines) > 2 and not shown[1].endswith("…"):
        shown[1] = f"{shown[1][: LINE - 1]}…"
    return tuple(shown)
