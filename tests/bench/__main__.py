"""``python -m tests.bench``: every benchmark, or those that ``ONLY=name,…`` names."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lti_tool.bootstrap import spare_the_collector
from tests.bench import (
    awards,
    credentials,
    decisions,
    launches,
    pages,
    pipeline,
    retroactive,
    services,
    signing,
)
from tests.bench.measuring import HEADER, Figure, line, write
from tests.bench.schools import Grounds
from tests.databases import POSTGRES_URL

OUTPUT = Path("build/bench.json")

Benchmark = Callable[[Grounds], Iterator[Figure]]


def _awards(grounds: Grounds) -> Iterator[Figure]:
    yield from awards.bench(grounds)
    yield from pipeline.bench(grounds)
    yield from retroactive.bench(grounds)


BENCHMARKS: Mapping[tuple[str, ...], Benchmark] = {
    ("launch",): launches.bench,
    ("roster", "results"): services.bench,
    ("page",): pages.bench,
    ("decision",): decisions.bench,
    ("award",): _awards,
    ("sign",): signing.bench,
    ("status", "verify"): credentials.bench,
}
"""By the words that stand in the names of their figures."""


def chosen(only: str) -> list[Benchmark]:
    """The benchmarks that ``ONLY`` asks for; all where it is empty.

    :raises SystemExit: if a name fits none.
    """
    wanted = [word for word in only.replace(",", " ").split() if word]
    known = sorted({word for words in BENCHMARKS for word in words})
    for name in wanted:
        if not any(_fits(name, word) for word in known):
            raise SystemExit(f"no benchmark is called {name}; there are: {' '.join(known)}")
    return [
        run
        for words, run in BENCHMARKS.items()
        if not wanted or any(_fits(name, word) for name in wanted for word in words)
    ]


def _fits(name: str, word: str) -> bool:
    """Whether ``name`` names a benchmark, one of its figures, or the beginning of its word."""
    return name.startswith(word) or word.startswith(name)


def main() -> int:
    """Run, print, and keep ``build/bench.json``; a missed target is printed, and is no failure."""
    started = time.perf_counter()
    runs = chosen(os.environ.get("ONLY", ""))
    logging.disable(logging.ERROR)
    spare_the_collector()  # as each process of the tool does
    figures: list[Figure] = []
    print(HEADER)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        grounds = Grounds(Path(folder))
        for run in runs:
            for one in run(grounds):
                figures.append(one)
                print(line(one), flush=True)
    write(figures, OUTPUT)
    missed = [one.name for one in figures if not one.holds]
    print(f"\n{len(figures)} figures in {time.perf_counter() - started:.0f} s, kept in {OUTPUT}")
    print(f"missed: {', '.join(missed)} (docs/reference/benchmarks.md says why)" if missed else "all hold")
    if not grounds.postgres_url:
        print(f"left out: everything on PostgreSQL, since {POSTGRES_URL} is not set")
    return 0


if __name__ == "__main__":
    sys.exit(main())
