from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_tool.credentials import sandbox
from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid, TooComplex
from lti_tool.credentials.jsonld import Quad, canonicalise, canonicalise_quads, screen
from lti_tool.credentials.sandbox import Canonicaliser
from tests.unit.credentials.badges import badge


@pytest.fixture
def canonicaliser() -> Iterator[Canonicaliser]:
    """Generous with time: no honest badge is refused because the machine is busy with other things."""
    made = Canonicaliser(seconds=60, wait=60)
    yield made
    made.close()


def silent_child(*, is_ready: bool) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts a child that never answers; a real one might, before it is looked at how late it is."""
    program = f"import sys; {is_ready} and print(flush=True); sys.stdin.buffer.read()"
    return lambda: subprocess.Popen(
        [sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


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
    child.send_signal(signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(canonicaliser, "_seconds", 0.1)
        with pytest.raises(TooComplex) as refused:
            canonicaliser.canonicalise([badge()])
    assert refused.value.reason == "took_too_long"
    assert child.poll() is not None
    assert canonicaliser.canonicalise([badge()])


def test_nobody_waits_long_for_a_child_that_others_keep_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Taken:
        def acquire(self, timeout: float) -> bool:
            waited.append(timeout)
            return False

    made = Canonicaliser(wait=0.1)
    monkeypatch.setattr(made, "_lock", Taken())
    with pytest.raises(TooComplex) as refused:
        made.canonicalise([badge()])
    assert refused.value.reason == "busy"
    assert waited == [0.1]
    made.close()


def test_after_a_kill_the_next_one_does_not_pay_for_the_start(
    canonicaliser: Canonicaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    canonicaliser.canonicalise([badge()])
    killed = canonicaliser._child
    assert killed is not None
    killed.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(canonicaliser, "_seconds", 0.1)
    with pytest.raises(TooComplex):
        canonicaliser.canonicalise([badge()])
    assert canonicaliser._child is not None
    assert canonicaliser._child is not killed
    assert canonicaliser._child.poll() is None


def test_a_fresh_child_gives_a_document_no_more_time_than_an_old_one(
    canonicaliser: Canonicaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_start", silent_child(is_ready=True))
    monkeypatch.setattr(canonicaliser, "_seconds", 0.1)
    with pytest.raises(TooComplex) as refused:
        canonicaliser.canonicalise([badge()])
    assert refused.value.reason == "took_too_long"


def test_a_child_that_never_gets_ready_is_given_up(
    canonicaliser: Canonicaliser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "_start", silent_child(is_ready=False))
        patched.setattr(sandbox, "_START_SECONDS", 0.1)
        with pytest.raises(TooComplex) as refused:
            canonicaliser.canonicalise([badge()])
        assert refused.value.reason == "busy"
    assert canonicaliser.canonicalise([badge()])


def with_alignments(count: int) -> dict[str, Any]:
    document = badge()
    document["credentialSubject"]["achievement"]["alignment"] = [
        {
            "type": ["Alignment"],
            "targetName": str(number),
            "targetUrl": f"https://x.example/{number}",
        }
        for number in range(count)
    ]
    return document


def many_tags_in_many_objects() -> dict[str, Any]:
    """Each array is modest; JSON-LD merges the objects, and PyLD compares every tag with every other."""
    document = badge()
    document["credentialSubject"]["achievement"]["related"] = [
        {"id": "urn:uuid:1", "type": ["Related"], "version": [str(n * 400 + i) for i in range(400)]}
        for n in range(10)
    ]
    return document


@pytest.mark.parametrize(
    "document,reason",
    [
        (with_alignments(1500), "too_many_values"),
        (badge() | {"name": ["x"] * 501}, "too_many_values"),
        (many_tags_in_many_objects(), "too_many_values"),
        (badge() | {"x": [[] for _ in range(60_000)]}, "too_many_values"),
        (badge() | {f"m{number}": 1 for number in range(4_000)}, "too_many_values"),
        (badge() | {"@context": badge()["@context"] * 100}, "too_many_contexts"),
        (
            badge() | {"evidence": [{"@context": badge()["@context"]} for _ in range(60)]},
            "too_many_contexts",
        ),
    ],
    ids=["alignments", "array", "merged", "lists", "members", "contexts", "nested-contexts"],
)
def test_what_has_too_much_in_it_is_not_handed_over(document: dict[str, Any], reason: str) -> None:
    made = Canonicaliser()
    began = time.thread_time()
    with pytest.raises(TooComplex) as refused:
        made.canonicalise([document])
    assert refused.value.reason == reason
    assert time.thread_time() - began < 20, "seconds of this thread's own work"
    assert made._child is None


def test_a_generous_badge_is_not_too_much(canonicaliser: Canonicaliser) -> None:
    assert canonicaliser.canonicalise([with_alignments(300)])


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
    began = time.thread_time()
    with pytest.raises(TooComplex):
        screen(clique(10))
    assert time.thread_time() - began < 20


def test_honest_repetitions_are_no_poison() -> None:
    quads = [Quad("<a:s>", "<a:p>", f"_:n{number}", "") for number in range(4)]
    quads += [Quad(f"_:n{number}", "<a:q>", '"same"', "") for number in range(4)]
    screen(quads)
    assert canonicalise_quads(quads).count("\n") == 8


def chain(length: int, copy: int) -> list[Quad]:
    """Blank nodes in a row, told apart by a text; the same in each copy."""
    quads = [Quad(f"_:n{copy}-{at}", "<a:q>", f'"{at}"', "") for at in range(length)]
    return quads + [Quad(f"_:n{copy}-{at}", "<a:p>", f"_:n{copy}-{at + 1}", "") for at in range(length - 1)]


def test_copies_that_nothing_links_are_no_poison_however_many() -> None:
    quads = [quad for copy in range(200) for quad in chain(3, copy)]
    screen(quads)
    assert canonicalise_quads(quads).count("\n") == len(quads)


@pytest.mark.parametrize("length,copies", [(61, 1), (60, 1), (42, 2), (5, 144)])
def test_long_copies_are_followed_as_far_as_it_takes_no_time(length: int, copies: int) -> None:
    screen([quad for copy in range(copies) for quad in chain(length, copy)])


@pytest.mark.parametrize("length,copies", [(43, 3), (60, 2), (5, 145)])
def test_longer_ones_are_refused(length: int, copies: int) -> None:
    with pytest.raises(TooComplex):
        screen([quad for copy in range(copies) for quad in chain(length, copy)])


def test_many_small_cliques_are_as_bad_as_a_large_one() -> None:
    def cliques(count: int) -> list[Quad]:
        return [
            quad._replace(subject=f"{quad.subject}-{copy}", object=f"{quad.object}-{copy}")
            for copy in range(count)
            for quad in clique(6)
        ]

    screen(cliques(10))
    with pytest.raises(TooComplex):
        screen(cliques(11))


def test_a_graph_links_what_stands_in_it() -> None:
    linked = [Quad(f"_:n{at}", "<a:q>", '"same"', "_:g") for at in range(7)]
    linked += [quad._replace(subject=f"{quad.subject}b", graph="_:h") for quad in linked]
    with pytest.raises(TooComplex):
        screen(linked)


def test_characters_that_end_lines_elsewhere_end_none_in_n_quads() -> None:
    # U+0085, U+2028, U+2029 are written as they are; Python's splitlines() would cut there
    for character in "\u0085\u2028\u2029\x1c":
        canonical = canonicalise_quads(
            [Quad("<a:s>", "<a:p>", f'"z{character}a"', ""), Quad("<a:s>", "<a:p>", '"b"', "")]
        )
        assert canonical.count("\n") == 2
        assert canonical.index('"b"') < canonical.index('"z')
