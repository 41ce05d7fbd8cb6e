from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid, TooComplex
from lti_tool.credentials.jsonld import Quad, canonicalise, canonicalise_quads, screen
from lti_tool.credentials.sandbox import Canonicaliser
from tests.unit.credentials.badges import badge


@pytest.fixture
def canonicaliser() -> Iterator[Canonicaliser]:
    made = Canonicaliser(seconds=2)
    yield made
    made.close()


def test_it_answers_what_the_process_itself_would(canonicaliser: Canonicaliser) -> None:
    assert canonicaliser.canonicalise([badge(1), badge(2)]) == [
        canonicalise(badge(1)),
        canonicalise(badge(2)),
    ]


def test_its_refusals_keep_their_reasons(canonicaliser: Canonicaliser) -> None:
    with pytest.raises(ContextNotVendored) as foreign:
        canonicaliser.canonicalise([badge() | {"@context": ["https://x.example/"]}])
    assert foreign.value.url == "https://x.example/"
    with pytest.raises(CredentialInvalid) as uncovered:
        canonicaliser.canonicalise([badge() | {"zip": "x"}])
    assert uncovered.value.params["pointer"] == "/zip"


def test_a_child_that_hangs_is_killed_and_replaced(
    canonicaliser: Canonicaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    canonicaliser.canonicalise([badge()])
    child = canonicaliser._child
    assert child is not None
    monkeypatch.setattr(canonicaliser, "_seconds", 0.0)
    with pytest.raises(TooComplex) as refused:
        canonicaliser.canonicalise([badge()])
    assert refused.value.reason == "took_too_long"
    assert child.poll() is not None
    monkeypatch.setattr(canonicaliser, "_seconds", 2)
    assert canonicaliser.canonicalise([badge()])


def test_a_child_that_dies_is_replaced(canonicaliser: Canonicaliser) -> None:
    canonicaliser.canonicalise([badge()])
    assert canonicaliser._child is not None
    canonicaliser._child.kill()
    canonicaliser._child.wait()
    assert canonicaliser.canonicalise([badge()])


def test_a_forked_process_starts_a_child_of_its_own(canonicaliser: Canonicaliser) -> None:
    canonicaliser.canonicalise([badge()])
    mine = canonicaliser._child
    assert mine is not None
    canonicaliser._owner = -1  # as it looks to a process that was forked off
    canonicaliser.close()
    assert mine.poll() is None
    canonicaliser._child = mine
    assert canonicaliser.canonicalise([badge()])
    assert canonicaliser._child is not mine
    for pipe in (mine.stdin, mine.stdout):
        assert pipe is not None
        pipe.close()
    mine.wait()


def test_threads_share_it(canonicaliser: Canonicaliser) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: canonicaliser.canonicalise([badge(number)])[0], range(24)))
    assert answers == [canonicalise(badge(number)) for number in range(24)]


def clique(size: int) -> list[Quad]:
    """Blank nodes that all know each other: rdf-canon's poison."""
    return [Quad(f"_:n{a}", "<a:p>", f"_:n{b}", "") for a in range(size) for b in range(size) if a != b]


def test_a_poison_graph_is_seen_before_it_is_swallowed() -> None:
    began = time.monotonic()
    with pytest.raises(TooComplex):
        screen(clique(10))
    assert time.monotonic() - began < 1


def test_honest_repetitions_are_no_poison() -> None:
    quads = [Quad("<a:s>", "<a:p>", f"_:n{number}", "") for number in range(4)]
    quads += [Quad(f"_:n{number}", "<a:q>", '"same"', "") for number in range(4)]
    screen(quads)
    assert canonicalise_quads(quads).count("\n") == 8


def test_characters_that_end_lines_elsewhere_end_none_in_n_quads() -> None:
    # U+0085, U+2028, U+2029 are written as they are; Python's splitlines() would cut there
    for character in "\u0085\u2028\u2029\x1c":
        canonical = canonicalise_quads(
            [Quad("<a:s>", "<a:p>", f'"z{character}a"', ""), Quad("<a:s>", "<a:p>", '"b"', "")]
        )
        assert canonical.count("\n") == 2
        assert canonical.index('"b"') < canonical.index('"z')
