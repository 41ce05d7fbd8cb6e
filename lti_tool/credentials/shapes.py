"""Canonicalising many credentials of one shape: the same algorithm, with its constants folded.

All badges of one achievement differ in a few texts: who, when, which status index. RDFC-1.0 gives a blank
node its label by the order of *first-degree hashes*, which depend only on the node's own quads. So the
JSON-LD work is done once, with sentinels in place of those texts; per learner the texts are filled in, the
hashes of the blank nodes they touch are computed anew, labels are handed out, lines are written and sorted.
The bytes are those of the full algorithm **provided** what is checked here on every document: else
:meth:`Shape.fill` answers None, and the caller takes the full route.

* same contexts, members, array lengths, JSON types and constants as the shape was compiled from;
* each filled-in text is clean (:mod:`linting`), or an absolute IRI of plain characters where an IRI belongs;
* filled-in IRIs differ from each other and from every constant one (equal ones merge nodes);
* no two quads equal, no two first-degree hashes equal (that would need the N-degree step).
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise, takewhile
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Final

from lti_tool.credentials.errors import CredentialInvalid
from lti_tool.credentials.jsonld import Quad, escape_literal, first_degree_hash, to_quads
from lti_tool.credentials.linting import BEYOND_SURROGATES, lint_credential, lint_date, lint_text

_SLOTS: Final = (
    re.compile(r"/(id|validFrom|validUntil|awardedDate)"),
    re.compile(r"/credentialSubject/(id|narrative)"),
    re.compile(r"/credentialSubject/identifier/\d+/(identityHash|salt)"),
    re.compile(r"/credentialSubject/result/\d+/value"),
    re.compile(r"/evidence/\d+/(id|name|narrative|description)"),
    re.compile(r"/credentialStatus/(id|statusListIndex|statusListCredential)"),
    re.compile(r"/refreshService/id"),
)
"""Members that differ between learners; everything else is a constant of the shape."""
_DATES: Final = re.compile(r".*/(validFrom|validUntil|awardedDate)")
# No compact IRIs (the prefix might be a term), nothing relative, nothing that anybody escapes or normalises
_CHARACTER: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@\-]|%[0-9A-Fa-f]{2})"
_PLAIN_IRI: Final = re.compile(
    rf"(?:https?://[A-Za-z0-9.\-]+(?::[0-9]+)?(?:/{_CHARACTER}*)*"
    rf"(?:\?(?:{_CHARACTER}|[/?])*)?(?:#(?:{_CHARACTER}|[/?])*)?"
    r"|urn:uuid:[0-9A-Fa-f\-]+|did:(?:web|key):(?:[A-Za-z0-9._:\-]|%[0-9A-Fa-f]{2})+)"
)
_CACHED_SHAPES: Final = 256


@dataclass(frozen=True)
class Filled:
    """One document through the fast route: its canonical N-Quads, and itself as JSON text."""

    canonical: str
    text: str


@dataclass(frozen=True)
class _Object:
    """What an object of the document must look like."""

    size: int
    constants: tuple[tuple[str, Any, tuple[tuple[tuple[str | int, ...], type], ...]], ...]
    """Members without a slot, each with the places of numbers and truth values in it and their types: Python
    says ``True == 1 == 1.0``, JSON and RDF do not."""
    slots: tuple[tuple[str, int], ...]
    inner: tuple[tuple[str, _Object | _Array], ...]


@dataclass(frozen=True)
class _Array:
    items: tuple[_Object | _Array, ...]


class _Lines:
    """Lines of N-Quads with holes, written by one formatting operation."""

    def __init__(self, lines: list[list[str | int]]) -> None:
        ordered = sorted(((_constant_start(line), line) for line in lines), key=itemgetter(0))
        starts = [start for start, _ in ordered]
        # where no line's constant start is the start of the next one's, what fills the holes keeps the order
        self._is_ordered = not any(after.startswith(start) for start, after in pairwise(starts))
        lines = [line for _, line in ordered]
        holes = [part for line in lines for part in line if isinstance(part, int)]
        self._pattern = "\n".join(
            "".join("%s" if isinstance(part, int) else part.replace("%", "%%") for part in line)
            for line in lines
        )
        # itemgetter gives a tuple only for two and more; the first term is always there to make it two
        self._pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(*(holes or [0]), 0)

    def write(self, terms: list[str]) -> list[str]:
        return (self._pattern % self._pick(terms)[:-1]).split("\n") if self._pattern else []

    def write_sorted(self, terms: list[str]) -> str:
        """All lines in order, as one text that ends with a line feed."""
        text = self._pattern % self._pick(terms)[:-1]
        if not self._is_ordered:
            text = "\n".join(sorted(text.split("\n")))
        return f"{text}\n"


def _constant_start(line: list[str | int]) -> str:
    return "".join(
        part for part in takewhile(lambda part: isinstance(part, str), line) if isinstance(part, str)
    )


class Shape:
    """All documents that differ from one another only in slots."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Compile the shape of ``document``.

        :raises ContextNotVendored: if a context is not shipped.
        :raises CredentialInvalid: if it must not be signed.
        """
        lint_credential(document)
        self._dates: list[int] = []
        self._sentinels: list[str] = []
        self._mark = f"urn:slot:{secrets.token_hex(12)}:"
        marked = self._with_sentinels(document, "")
        self._plan = self._plan_of(marked)
        self._compile_quads(to_quads(marked))
        self._compile_json(marked)

    def fill(self, document: Mapping[str, Any]) -> Filled | None:
        """The canonical form and text of ``document``, or None if only the full algorithm can tell."""
        values: list[str] = [""] * len(self._sentinels)
        if not _matches(self._plan, document, values):
            return None
        try:
            for value in values:
                if not value or not value.isprintable():
                    lint_text(value, "")
            for index in self._iri_slots:
                if not _PLAIN_IRI.fullmatch(values[index]):
                    return None
            for index in self._dates:
                lint_date(values[index], "")
        except CredentialInvalid:
            return None  # the full route says where
        canonical = self._canonical(values)
        if canonical is None:
            return None
        joined = "".join(values)
        if self._is_order_doubtful or not (joined.isascii() or not BEYOND_SURROGATES.search(joined)):
            return None
        written = [encode_basestring(value) for value in values]
        return Filled(canonical, self._json_pattern % tuple([written[index] for index in self._json_order]))

    def _canonical(self, values: list[str]) -> str | None:
        terms = [
            f"<{value}>" if index in self._iri_slots else f'"{escape_literal(value)}"'
            for index, value in enumerate(values)
        ]
        iris = {terms[index] for index in self._iri_slots}
        if len(iris) != len(self._iri_slots) or not iris.isdisjoint(self._constant_iris):
            return None
        hashes = dict(self._constant_hashes)
        for node, lines in self._touched_nodes:
            hashes[sha256(lines.write_sorted(terms).encode()).hexdigest()] = node
        if len(hashes) != self._node_count:
            return None
        labels = [""] * self._node_count
        for label, digest in enumerate(sorted(hashes)):
            labels[hashes[digest]] = f"_:c14n{label}"
        written = [*self._constant_lines, *self._open_lines.write(terms + labels)]
        if len(set(written)) != len(written):
            return None
        written.sort()
        written.append("")
        return "\n".join(written)

    def _with_sentinels(self, value: Any, pointer: str) -> Any:
        if isinstance(value, Mapping):
            return {key: self._with_sentinels(member, f"{pointer}/{key}") for key, member in value.items()}
        if isinstance(value, list):
            return [self._with_sentinels(member, f"{pointer}/{index}") for index, member in enumerate(value)]
        if isinstance(value, str) and any(slot.fullmatch(pointer) for slot in _SLOTS):
            if _DATES.fullmatch(pointer):
                self._dates.append(len(self._sentinels))
            # one form for both positions: an IRI where JSON-LD reads one, else a text like any other
            self._sentinels.append(f"{self._mark}{len(self._sentinels)}")
            return self._sentinels[-1]
        return value

    def _slot_of(self, value: Any) -> int | None:
        if isinstance(value, str) and value.startswith(self._mark):
            return int(value.removeprefix(self._mark))
        return None

    def _plan_of(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            constants, slots, inner = [], [], []
            for key, member in value.items():
                slot = self._slot_of(member)
                if slot is not None:
                    slots.append((key, slot))
                elif self._mark not in json.dumps(member):
                    constants.append((key, member, tuple(_scalars(member))))
                else:
                    inner.append((key, self._plan_of(member)))
            return _Object(len(value), tuple(constants), tuple(slots), tuple(inner))
        if not all(isinstance(member, Mapping | list) for member in value):
            raise ValueError("an array of slots or numbers")  # no badge has one: full route
        return _Array(tuple(self._plan_of(member) for member in value))

    def _compile_quads(self, quads: list[Quad]) -> None:
        nodes = {node: index for index, node in enumerate(dict.fromkeys(n for q in quads for n in q.nodes()))}
        slots = len(self._sentinels)
        self._node_count = len(nodes)
        self._iri_slots: set[int] = set()
        self._constant_iris: set[str] = set()
        used: set[int] = set()

        def parts(quad: Quad, label: Callable[[str], str | int]) -> list[str | int]:
            written: list[str | int] = []
            for number, term in enumerate((quad.subject, quad.predicate, quad.object, quad.graph)):
                if not term:
                    continue
                if number:
                    written.append(" ")
                if term.startswith("_:"):
                    written.append(label(term))
                elif self._mark in term:
                    slot, rest = self._slot_and_suffix(term)
                    used.add(slot)
                    written.extend((slot, rest))
                else:
                    if term.startswith("<"):
                        self._constant_iris.add(term)
                    written.append(term)
            written.append(" .")
            return written

        constant, opened = [], []
        for quad in quads:
            line = parts(quad, lambda node: slots + nodes[node])
            if any(isinstance(part, int) for part in line):
                opened.append(line)
            else:
                constant.append("".join(str(part) for part in line))
        if used != set(range(slots)):
            raise ValueError("a slot leaves no trace in the RDF")
        self._constant_lines = sorted(constant)
        # Node sorts some characters otherwise; where they are among the constants the full route has to look
        self._is_order_doubtful = bool(BEYOND_SURROGATES.search("".join(quad.line() for quad in quads)))
        self._open_lines = _Lines(opened)
        self._constant_hashes: dict[str, int] = {}
        self._touched_nodes: list[tuple[int, _Lines]] = []
        for node, index in nodes.items():
            own = [quad for quad in quads if node in quad.nodes()]
            if any(self._mark in quad.line() for quad in own):
                label = partial(_first_degree_label, node)
                self._touched_nodes.append((index, _Lines([parts(quad, label) for quad in own])))
            else:
                self._constant_hashes[first_degree_hash(node, own)] = index

    def _slot_and_suffix(self, term: str) -> tuple[int, str]:
        """A term made of one slot: its number, and what follows the closing quote (a datatype)."""
        found = re.fullmatch(rf"<{self._mark}(\d+)>", term)
        if found:
            self._iri_slots.add(int(found[1]))
            return int(found[1]), ""
        found = re.fullmatch(rf'"{self._mark}(\d+)"(\^\^<[^>]*>|)', term)
        if not found:
            raise ValueError("a slot is only a part of a term")
        return int(found[1]), found[2]

    def _compile_json(self, marked: Mapping[str, Any]) -> None:
        text = json.dumps(marked, ensure_ascii=False, separators=(",", ":")).replace("%", "%%")
        self._json_order = [int(number) for number in re.findall(rf'"{self._mark}(\d+)"', text)]
        self._json_pattern = re.sub(rf'"{self._mark}\d+"', "%s", text)


class ShapeCache:
    """The shapes in use, the least recently used ones forgotten; safe to share between threads."""

    def __init__(self, size: int = _CACHED_SHAPES) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._shapes: OrderedDict[object, Shape | None] = OrderedDict()

    def find(self, document: Mapping[str, Any]) -> tuple[Shape, Filled, bool] | None:
        """The shape of ``document``, it filled, and whether the shape is new; None if it has none (yet).

        A shape is compiled when a second document like it comes: one compilation costs as much as three full
        canonicalisations, and many achievements see a single learner at a time.

        :raises CredentialInvalid: if the document must not be signed.
        """
        key = _key(document)
        if key is None:
            return None
        with self._lock:
            seen = key in self._shapes
            shape = self._shapes.get(key)
            if seen:
                self._shapes.move_to_end(key)
            else:
                self._keep(key, None)
        if not seen:
            return None
        if shape is not None:
            filled = shape.fill(document)
            return (shape, filled, False) if filled is not None else None
        try:
            shape = Shape(document)
        except (ValueError, TypeError):
            return None
        filled = shape.fill(document)
        if filled is None:
            return None
        with self._lock:
            self._keep(key, shape)
        return shape, filled, True

    def forget(self, document: Mapping[str, Any]) -> None:
        """Drop the shape of ``document``; the next one like it starts anew."""
        key = _key(document)
        with self._lock:
            self._shapes.pop(key, None)

    def _keep(self, key: object, shape: Shape | None) -> None:
        self._shapes[key] = shape
        while len(self._shapes) > self._size:
            self._shapes.popitem(last=False)


def _key(document: Mapping[str, Any]) -> object:
    """What most likely tells shapes apart; :func:`_matches` is what decides."""
    subject, issuer = document.get("credentialSubject"), document.get("issuer")
    if not isinstance(subject, dict) or not isinstance(issuer, dict):
        return None
    achievement = subject.get("achievement")
    achievement_id = achievement.get("id") if isinstance(achievement, dict) else None
    issuer_id = issuer.get("id")
    if not isinstance(achievement_id, str) or not isinstance(issuer_id, str):
        return None
    counts = tuple(
        len(value) if isinstance(value, list) else -1
        for value in (document.get("evidence"), subject.get("result"), subject.get("identifier"))
    )
    return achievement_id, issuer_id, tuple(document), tuple(subject), counts


def _matches(plan: _Object | _Array, value: Any, values: list[str]) -> bool:
    """Whether ``value`` is of this plan; its slots are put into ``values``."""
    if isinstance(plan, _Array):
        if type(value) is not list or len(value) != len(plan.items):
            return False
        for item, member in zip(plan.items, value, strict=True):  # noqa: SIM110 - all() takes twice the time
            if not _matches(item, member, values):
                return False
        return True
    if type(value) is not dict or len(value) != plan.size:
        return False
    for key, constant, scalars in plan.constants:
        member = value.get(key)
        if member != constant:
            return False
        for place, kind in scalars:
            found = member
            for step in place:
                found = found[step]
            if type(found) is not kind:
                return False
    for key, slot in plan.slots:
        member = value.get(key)
        if type(member) is not str:
            return False
        values[slot] = member
    for key, inner in plan.inner:  # noqa: SIM110 - as above
        if not _matches(inner, value.get(key), values):
            return False
    return True


def _scalars(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], type]]:
    """Where in ``value`` something stands that is no text, and of what type it is."""
    if isinstance(value, dict | list):
        for step, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(member, (*place, step))
    elif not isinstance(value, str):
        yield place, type(value)


def _first_degree_label(node: str, term: str) -> str:
    return "_:a" if term == node else "_:z"
