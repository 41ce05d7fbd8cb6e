"""A pathway as a drawing: a row for each level, a box for each step, a line to what each needs.

The list below it on the page says the same; nothing is only in the drawing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lti_tool.services.pathways import PathView, StepNeed

WIDTH: Final = 176
HEIGHT: Final = 60
GAP: Final = 20
RISE: Final = 44
"""Between two rows."""
EDGE: Final = 4
LINE: Final = 20
"""Letters of usual width that fit into a line of a box."""
ABREAST: Final = 5
"""Boxes in a row; what does not fit goes into a further row of the same level."""
MOST_DRAWN: Final = 60
"""Steps of a drawing that somebody still can read."""


@dataclass(frozen=True, slots=True)
class MapBox:
    """One step as drawn, or a set to choose from; its corner is the upper left one."""

    x: int
    y: int
    lines: tuple[str, ...]
    standing: str
    is_goal: bool = False
    is_set: bool = False


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

    @property
    def has_choice(self) -> bool:
        """Whether a line stands for one of several ways."""
        return not all(line.is_required for line in self.lines)


def is_drawn(view: PathView) -> bool:
    """Whether there is anything to draw, and not more than can be read."""
    boxes = len(view.steps) + sum(need.step is None for step in view.steps for need in step.needs)
    return view.total == len(view.steps) and 2 <= boxes <= MOST_DRAWN


def draw(view: PathView, called: Callable[[StepNeed], str], *, is_rtl: bool = False) -> PathwayMap | None:
    """The drawing of a way; ``None`` where it has none (:func:`is_drawn`).

    :param called: what the list says of a set to choose from.
    :param is_rtl: whether the page reads from right to left: then so does each row.
    """
    if not is_drawn(view):
        return None
    names = [step.row.name for step in view.steps]
    levels = [step.level for step in view.steps]
    standings = [step.standing.value for step in view.steps]
    edges: list[tuple[int, int, bool]] = []
    numbers = {step.row.step: number for number, step in enumerate(view.steps)}
    for number, step in enumerate(view.steps):
        for need in step.needs:
            if need.step is None:
                edges.append((len(names), number, need.is_required))
                names.append(called(need))
                levels.append(step.level - 1)
                standings.append("done" if need.is_met else "later")
            elif need.step in numbers:
                edges.append((numbers[need.step], number, need.is_required))
    corners, width, height = _placed(levels, is_rtl=is_rtl)
    return PathwayMap(
        width,
        height,
        tuple(
            MapBox(
                *corners[number],
                in_lines(name, LINE - 3 if _is_goal(view, number) else LINE),
                standings[number],
                _is_goal(view, number),
                number >= len(view.steps),
            )
            for number, name in enumerate(names)
        ),
        tuple(
            MapLine(_line(corners[before], corners[after]), is_required)
            for before, after, is_required in edges
        ),
    )


def _is_goal(view: PathView, number: int) -> bool:
    return number < len(view.steps) and view.steps[number].is_goal


def _placed(levels: list[int], *, is_rtl: bool) -> tuple[dict[int, tuple[int, int]], int, int]:
    """The corner of each box, and how wide and high all that is."""
    rows: list[list[int]] = []
    for level in sorted(set(levels)):
        row = [number for number, own in enumerate(levels) if own == level]
        rows += [row[start : start + ABREAST] for start in range(0, len(row), ABREAST)]
    width = max(map(len, rows)) * (WIDTH + GAP) - GAP + 2 * EDGE
    corners = {}
    for place, row in enumerate(rows):
        start = (width - len(row) * (WIDTH + GAP) + GAP) // 2
        for column, number in enumerate(reversed(row) if is_rtl else row):
            corners[number] = (start + column * (WIDTH + GAP), EDGE + place * (HEIGHT + RISE))
    return corners, width, len(rows) * (HEIGHT + RISE) - RISE + 2 * EDGE


def _line(below: tuple[int, int], above: tuple[int, int]) -> str:
    """From the lower edge of a step to the upper edge of the one that needs it."""
    x1, y1 = below[0] + WIDTH // 2, below[1] + HEIGHT
    x2, y2 = above[0] + WIDTH // 2, above[1]
    middle = (y1 + y2) // 2
    return f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"


def in_lines(name: str, fits: int = LINE) -> tuple[str, ...]:
    """A name in two lines at most; what does not fit is cut off, the list has it whole.

    :param fits: letters of usual width in a line; bold ones are wider.
    """
    lines: list[str] = [""]
    for word in name.split():
        joined = f"{lines[-1]} {word}".strip()
        if not lines[-1] or _wide(joined) <= fits:
            lines[-1] = joined
        else:
            lines.append(word)
    shown = [_cut(line, fits) for line in lines[:2]]
    if len(lines) > 2 and not shown[1].endswith("…"):
        shown[1] = _cut(shown[1], fits, is_more=True)
    return tuple(shown)


def _cut(line: str, fits: int, *, is_more: bool = False) -> str:
    if not is_more and _wide(line) <= fits:
        return line
    while line and _wide(line) > fits - 1:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _wide(text: str) -> float:
    """How much of a line a text takes, in letters of usual width."""
    return sum(_letter(one) for one in text)


def _letter(one: str) -> float:
    if unicodedata.combining(one) or unicodedata.category(one) in ("Cf", "Mn", "Me"):
        return 0
    if unicodedata.east_asian_width(one) in "WF":
        return 2
    return 1.5 if one.isupper() or one in "mw@%—…" else 1
