"""Measuring two ways side by side, and saying whether the target holds.

The machine is shared and its clock speed moves, so a figure alone says little. Every way is measured in
turn with its reference (A B A B …), in CPU seconds where it works in this process, and the medians are
compared.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

Action = Callable[[], object]
Stopwatch = Callable[[], float]

CLOCK_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to reach: its ratio to the reference, or its value, at least or at most a limit."""

    limit: float
    at_least: bool = True
    of_value: bool = False
    """The value itself is judged; the reference only stands beside it."""

    def holds(self, value: float, ratio: float) -> bool:
        """Whether the figure reaches it."""
        judged = value if self.of_value else ratio
        return judged >= self.limit if self.at_least else judged <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{' (value)' if self.of_value else ' x'}"


def at_least(ratio: float) -> Target:
    """At least ``ratio`` times the reference."""
    return Target(ratio)


def at_most(ratio: float) -> Target:
    """At most ``ratio`` times the reference."""
    return Target(ratio, at_least=False)


def no_more_than(value: float) -> Target:
    """The value itself, in its unit, at most this."""
    return Target(value, at_least=False, of_value=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    reference: str
    """What stands beside it."""
    reference_value: float
    """In the same unit."""
    ratio: float
    target: str
    holds: bool


def figure(
    name: str, value: float, unit: str, reference: str, reference_value: float, target: Target
) -> Figure:
    """A figure with its ratio to the reference, judged."""
    ratio = value / reference_value if reference_value else float("inf")
    return Figure(
        name, value, unit, reference, reference_value, ratio, str(target), target.holds(value, ratio)
    )


def interleave(
    ways: Mapping[str, Action], rounds: int, *, stopwatch: Stopwatch = time.process_time
) -> dict[str, float]:
    """Run every way once per round, in turn; the median seconds of each.

    :param stopwatch: seconds so far; this process's CPU time unless said otherwise.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            started = stopwatch()
            way()
            taken[name].append(stopwatch() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def processes_cpu(pids: Iterable[int]) -> float:
    """CPU seconds used so far by these processes, all their threads; one that is gone counts nothing."""
    total = 0.0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
            except (OSError, IndexError, ValueError):
                continue
    return total


def forget_peak() -> None:
    """Let :func:`peak_memory` begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """The largest resident size of this process since :func:`forget_peak`, in MB."""
    for entry in Path("/proc/self/status").read_text().splitlines():
        if entry.startswith("VmHWM:"):
            return int(entry.split()[1]) / 1024
    return 0.0


def current_memory() -> float:
    """The resident size of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024


def line(one: Figure) -> str:
    """A figure as a line of the table."""
    verdict = "holds" if one.holds else "MISSED"
    return (
        f"{one.name:<34} {_short(one.value):>10} {one.unit:<16} {_short(one.reference_value):>10}  "
        f"{_short(one.ratio):>8} x  {one.target:<14} {verdict:<7} {one.reference}"
    )


HEADER = f"{'name':<34} {'value':>10} {'unit':<16} {'reference':>10}  {'ratio':>8}    {'target':<14}"


def _short(number: float) -> str:
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def write(figures: Iterable[Figure], path: Path) -> None:
    """Keep the figures as JSON, by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in figures
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
