"""The benchmarks' own promises: the shape of build/bench.json, and what ONLY chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHMARKS, chosen
from tests.bench.measuring import at_least, at_most, figure, interleave, line, no_more_than, write


def test_figures_are_written_as_the_interface_says(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"

    write([figure("sign_credential", 6000, "credentials/s", "PyLD", 100, at_least(100))], path)

    assert json.loads(path.read_text()) == {
        "sign_credential": {
            "value": 6000,
            "unit": "credentials/s",
            "reference": "PyLD",
            "reference_value": 100,
            "ratio": 60,
            "target": ">= 100 x",
            "holds": False,
        }
    }


def test_a_missed_target_is_called_missed() -> None:
    assert "MISSED" in line(figure("a", 1, "s", "b", 2, at_least(0.6)))
    assert "holds" in line(figure("a", 1, "s", "b", 2, at_most(0.6)))
    assert not figure("a", 3, "ms", "a limit", 100, no_more_than(2)).holds


def test_every_way_is_measured_in_turn() -> None:
    order: list[str] = []
    taken = interleave({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert set(taken) == {"a", "b"}


def test_only_chooses_by_the_words_in_the_figures_names() -> None:
    words = {word for known in BENCHMARKS for word in known}
    assert words >= {"launch", "roster", "results", "decision", "sign", "award", "status", "page", "verify"}
    assert len(chosen("")) == len(BENCHMARKS)
    assert chosen("roster_2000") == chosen("results") == [BENCHMARKS["roster", "results"]]
    with pytest.raises(SystemExit, match="no benchmark is called"):
        chosen("nothing")
