"""A pathway as a drawing: a row for each level, a box for each step, a line to what each needs.

The list below it on the page says the same; nothing is only in the drawing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lti_tool.domain.pathways import Standing
from lti_tool.services.pathways import PathStep, StepNeed

WIDTH: Final = 164
HEIGHT: Final = 60
GAP: Final = 20
RISE: Final = 44
"""Between two rows."""
EDGE: Final = 14
"""Around everything: lines that pass a full row have room there."""
LANES: Final = (0, -5, 5)
"""Where lines of several steps pass the same gap, so that each can be followed."""
SWEEPS: Final = 4
"""How often rows are put into the order of their neighbours: further ones change nothing that can be seen."""
LINE: Final = 20
"""Letters of usual width that fit into a line of a box."""
ABREAST: Final = 4
"""Boxes in a row at most, for which pages have room; more of one level stand in rows of one length."""
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
    is_gone: bool = False
    """Nobody can earn it at present, and nobody who looks has."""
    is_asking: bool = False
    """A line comes to it."""

    @property
    def middle(self) -> int:
        """Of its width."""
        return self.x + WIDTH // 2


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
    box_width: int = WIDTH
    box_height: int = HEIGHT

    @property
    def has_gone(self) -> bool:
        """Whether a box stands for what is not offered."""
        return any(box.is_gone for box in self.boxes)

    @property
    def has_choice(self) -> bool:
        """Whether a line stands for one of several ways."""
        return not all(line.is_required for line in self.lines)


class Steps(Protocol):
    """What can be drawn: a way to one badge, or everything that hangs together."""

    @property
    def steps(self) -> Sequence[PathStep]:
        """In an order to take them."""

    @property
    def total(self) -> int:
        """How many there are, those that are not among ``steps``, too."""


def is_drawn(view: Steps) -> bool:
    """Whether there is anything to draw, and not more than can be read."""
    boxes = len(view.steps) + sum(need.step is None for step in view.steps for need in step.needs)
    return view.total == len(view.steps) and 2 <= boxes <= MOST_DRAWN


def draw(view: Steps, called: Callable[[StepNeed], str], *, is_rtl: bool = False) -> PathwayMap | None:
    """The drawing of a way; ``None`` where it has none (:func:`is_drawn`).

    :param called: what the list says of a set to choose from.
    :param is_rtl: whether the page reads from right to left: then so does each row.
    """
    if not is_drawn(view):
        return None
    names = [step.row.name for step in view.steps]
    levels = [step.level for step in view.steps]
    standings = [step.standing.value for step in view.steps]
    edges: list[_Edge] = []
    numbers = {step.row.step: number for number, step in enumerate(view.steps)}
    for number, step in enumerate(view.steps):
        for need in step.needs:
            if need.step is None:
                edges.append(_Edge(len(names), number, need.is_required))
                names.append(called(need))
                levels.append(step.level - 1)
                standings.append("done" if need.is_met else "later")
            elif need.step in numbers:
                edges.append(_Edge(numbers[need.step], number, need.is_required))
    rows = _rows(levels, edges)
    corners, width = _placed(rows, is_rtl=is_rtl)
    asking = {edge.above for edge in edges}
    steps: list[PathStep | None] = [*view.steps, *[None] * (len(names) - len(view.steps))]
    return PathwayMap(
        width,
        len(rows) * (HEIGHT + RISE) - RISE + 2 * EDGE,
        tuple(
            MapBox(
                *corners[number],
                in_lines(names[number], LINE - 3 if step is not None and step.is_goal else LINE),
                standings[number],
                step is not None and step.is_goal,
                step is None,
                step is not None and not step.row.is_published and step.standing is not Standing.DONE,
                number in asking,
            )
            for number, step in enumerate(steps)
        ),
        tuple(
            MapLine(path, edge.is_required)
            for edge, path in zip(edges, _paths(rows, corners, edges), strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Edge:
    """Two boxes by their numbers, and that the second one needs the first."""

    below: int
    above: int
    is_required: bool


def _rows(levels: list[int], edges: Sequence[_Edge]) -> list[list[int]]:
    """The numbers of the boxes in each row: what belongs together stands near, so that few lines cross."""
    by_level = {level: [n for n, own in enumerate(levels) if own == level] for level in sorted(set(levels))}
    beside: dict[int, list[int]] = {}
    for edge in edges:
        beside.setdefault(edge.below, []).append(edge.above)
        beside.setdefault(edge.above, []).append(edge.below)
    place: dict[int, float] = {}
    for row in by_level.values():
        place |= _places(row)
    for sweep in range(SWEEPS):
        is_down = sweep % 2 == 0
        for level in by_level if is_down else reversed(by_level):
            row = by_level[level]
            middle = {}
            for number in row:
                near = [one for one in beside.get(number, ()) if (levels[one] < level) is is_down]
                middle[number] = sum(place[one] for one in near) / len(near) if near else place[number]
            row.sort(key=middle.__getitem__)
            place |= _places(row)
    rows = []
    for row in by_level.values():
        count = -(-len(row) // ABREAST)
        each = -(-len(row) // count)
        rows += [row[start : start + each] for start in range(0, len(row), each)]
    return rows


def _places(row: Sequence[int]) -> dict[int, float]:
    """How far from the middle of its row each box stands."""
    return {number: column - (len(row) - 1) / 2 for column, number in enumerate(row)}


def _placed(rows: Sequence[Sequence[int]], *, is_rtl: bool) -> tuple[dict[int, tuple[int, int]], int]:
    """The corner of each box, and how wide all that is."""
    width = max(map(len, rows)) * (WIDTH + GAP) - GAP + 2 * EDGE
    corners = {}
    for place, row in enumerate(rows):
        start = (width - len(row) * (WIDTH + GAP) + GAP) // 2
        for column, number in enumerate(reversed(row) if is_rtl else row):
            corners[number] = (start + column * (WIDTH + GAP), EDGE + place * (HEIGHT + RISE))
    return corners, width


def _paths(
    rows: Sequence[Sequence[int]], corners: dict[int, tuple[int, int]], edges: Iterable[_Edge]
) -> list[str]:
    """From the lower edge of each step to the upper edge of the one that needs it.

    A line passes the rows between them where there is no box: behind one it would seem to begin or end there.
    """
    row_of = {number: place for place, row in enumerate(rows) for number in row}
    gaps = []
    for row in rows:
        starts = sorted(corners[number][0] for number in row)
        gaps.append([starts[0] - GAP // 2, *(start + WIDTH + GAP // 2 for start in starts)])
    passing: dict[tuple[int, int], list[int]] = {}
    found = []
    for edge in edges:
        (x, y), (end_x, end_y) = corners[edge.below], corners[edge.above]
        x, y, end_x = x + WIDTH // 2, y + HEIGHT, end_x + WIDTH // 2
        path = f"M{x} {y}"
        between = range(row_of[edge.below] + 1, row_of[edge.above])
        for left, place in zip(range(len(between), 0, -1), between, strict=True):
            gap = min(gaps[place], key=lambda one: abs(one - (x * left + end_x) / (left + 1)))
            known = passing.setdefault((place, gap), [])
            if edge.below not in known:
                known.append(edge.below)
            gap += LANES[known.index(edge.below) % len(LANES)]
            top = EDGE + place * (HEIGHT + RISE)
            path += f"{_curve(x, y, gap, top)}V{top + HEIGHT}"
            x, y = gap, top + HEIGHT
        found.append(path + _curve(x, y, end_x, end_y))
    return found


def _curve(x: int, y: int, end_x: int, end_y: int) -> str:
    middle = (y + end_y) // 2
    return f"C{x} {middle} {end_x} {middle} {end_x} {end_y}"


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
