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

import itertools
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
_IN_PATH: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/\-]++|%[0-9A-Fa-f]{2})*+"
_AFTER_PATH: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\-]++|%[0-9A-Fa-f]{2})*+"
_PLAIN_IRI: Final = re.compile(
    rf"(?:https?://[A-Za-z0-9.\-]++(?::[0-9]++)?(?:/{_IN_PATH})?(?:\?{_AFTER_PATH})?(?:#{_AFTER_PATH})?"
    r"|urn:uuid:[0-9A-Fa-f\-]+|did:(?:web|key):(?:[A-Za-z0-9._:\-]|%[0-9A-Fa-f]{2})+)"
)
_CACHED_SHAPES: Final = 256


@dataclass(frozen=True)
class Filled:
    """One document through the fast route: its canonical N-Quads, and itself as JSON text."""

    canonical: str
    text: str


@dataclass(frozen=True, slots=True)
class _Part:
    """What an object or an array of the document must look like, its parts left out."""

    whole: int
    """The number of the part that it stands in, which comes before it; of the document, its own."""
    step: str | int
    """Where in that."""
    kind: type[dict[str, Any]] | type[list[Any]]
    size: int
    constants: Callable[[Any], tuple[Any, ...]] | None
    """Picks the members without a slot, and once more the first of them; an array has none."""
    expected: tuple[Any, ...]
    scalars: tuple[tuple[tuple[str | int, ...], type], ...]
    """The places of numbers and truth values among the constants, and their types: Python says
    ``True == 1 == 1.0``, JSON and RDF do not."""
    slots: Callable[[Any], tuple[Any, ...]] | None
    """Picks what stands in the slots, and once more the first of it."""


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
        self._order: list[int] = []
        self._numbers = itertools.count()
        self._plan = tuple(self._plan_of(marked))
        self._place = {sentinel: place for place, sentinel in enumerate(self._order)}
        self._dates = [self._place[sentinel] for sentinel in self._dates]
        self._compile_quads(to_quads(marked))
        self._compile_json(marked)

    def fill(self, document: Mapping[str, Any]) -> Filled | None:
        """The canonical form and text of ``document``, or None if only the full algorithm can tell."""
        values = _values(self._plan, document)
        if values is None:
            return None
        joined = "".join(values)
        is_printable = joined.isprintable()
        try:
            if not is_printable:
                for value in values:
                    lint_text(value, "")
            for index in self._iri_slots:
                if not _PLAIN_IRI.fullmatch(values[index]):
                    return None
            for index in self._dates:
                lint_date(values[index], "")
        except CredentialInvalid:
            return None  # the full route says where
        if self._is_order_doubtful or not (joined.isascii() or not BEYOND_SURROGATES.search(joined)):
            return None
        if is_printable and '"' not in joined and "\\" not in joined:
            literals = written = values  # nothing in them is escaped, in either language
        else:
            literals = [escape_literal(value) for value in values]
            written = [encode_basestring(value)[1:-1] for value in values]
        canonical = self._canonical(values, literals)
        if canonical is None:
            return None
        return Filled(canonical, self._json_pattern % self._json_pick(written)[:-1])

    def _canonical(self, values: list[str], literals: list[str]) -> str | None:
        iris = {values[index] for index in self._iri_slots}
        if len(iris) != len(self._iri_slots) or not iris.isdisjoint(self._constant_iris):
            return None
        hashes = self._constant_hashes.copy()
        for node, lines in self._touched_nodes:
            hashes[sha256(lines.write_sorted(literals).encode()).digest()] = node
        if len(hashes) != self._node_count:
            return None
        terms = literals + self._labels
        for label, digest in zip(self._labels, sorted(hashes), strict=True):
            terms[hashes[digest]] = label
        written = self._open_lines.write(terms)
        written += self._constant_lines
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

    def _plan_of(self, value: Any, whole: int = 0, step: str | int = "") -> Iterator[_Part]:
        """What ``value`` must look like; notes in ``_order`` which slots are found one after the other."""
        number = next(self._numbers)
        inner: Iterable[tuple[str | int, Any]]
        if isinstance(value, list):
            if not all(isinstance(member, Mapping | list) for member in value):
                raise ValueError("an array of slots or numbers")  # no badge has one: full route
            inner = enumerate(value)
            yield _Part(whole, step, list, len(value), None, (), (), None)
        else:
            inner = [(key, member) for key, member in value.items() if self._is_open(member)]
            slots = {key: self._slot_of(member) for key, member in value.items()}
            found = {key: slot for key, slot in slots.items() if slot is not None}
            constants = {
                key: member
                for key, member in value.items()
                if slots[key] is None and self._mark not in json.dumps(member)
            }
            self._order += found.values()
            yield _Part(
                whole,
                step,
                dict,
                len(value),
                _picking(constants),
                (*constants.values(), *list(constants.values())[:1]),
                tuple(_scalars(list(constants.values()))),
                _picking(found),
            )
        for key, member in inner:
            yield from self._plan_of(member, number, key)

    def _is_open(self, member: Any) -> bool:
        return not isinstance(member, str) and self._mark in json.dumps(member)

    def _compile_quads(self, quads: list[Quad]) -> None:
        slots = len(self._sentinels)
        blank = dict.fromkeys(node for quad in quads for node in quad.nodes())
        # Terms are the filled-in texts, and after them the labels of blank nodes.
        nodes = {node: slots + number for number, node in enumerate(blank)}
        self._node_count = len(nodes)
        self._labels = [f"_:c14n{number}" for number in range(len(nodes))]
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
                    before, slot, after = self._around_slot(term)
                    used.add(slot)
                    written.extend((before, slot, after))
                else:
                    if term.startswith("<"):
                        self._constant_iris.add(term[1:-1])
                    written.append(term)
            written.append(" .")
            return written

        constant, opened = [], []
        for quad in quads:
            line = parts(quad, nodes.__getitem__)
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
        self._constant_hashes: dict[bytes, int] = {}
        self._touched_nodes: list[tuple[int, _Lines]] = []
        for node, index in nodes.items():
            own = [quad for quad in quads if node in quad.nodes()]
            if any(self._mark in quad.line() for quad in own):
                label = partial(_first_degree_label, node)
                self._touched_nodes.append((index, _Lines([parts(quad, label) for quad in own])))
            else:
                self._constant_hashes[bytes.fromhex(first_degree_hash(node, own))] = index

    def _around_slot(self, term: str) -> tuple[str, int, str]:
        """A term made of one slot: what comes before it, its number, and what comes after (a datatype)."""
        found = re.fullmatch(rf"<{self._mark}(\d+)>", term)
        if found:
            slot = self._place[int(found[1])]
            self._iri_slots.add(slot)
            return "<", slot, ">"
        found = re.fullmatch(rf'"{self._mark}(\d+)("(?:\^\^<[^>]*>|))', term)
        if not found:
            raise ValueError("a slot is only a part of a term")
        return '"', self._place[int(found[1])], found[2]

    def _compile_json(self, marked: Mapping[str, Any]) -> None:
        text = json.dumps(marked, ensure_ascii=False, separators=(",", ":")).replace("%", "%%")
        order = [self._place[int(number)] for number in re.findall(rf'"{self._mark}(\d+)"', text)]
        self._json_pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(*(order or [0]), 0)
        self._json_pattern = re.sub(rf'"{self._mark}\d+"', '"%s"', text)


_MISSES: Final = 8
"""Documents in a row that a shape may not fit before it is given up: what they have in common has changed, as
when a badge was corrected or its issuer describes itself otherwise."""


class ShapeCache:
    """The shapes in use, the least recently used ones forgotten; safe to share between threads."""

    def __init__(self, size: int = _CACHED_SHAPES) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._shapes: OrderedDict[object, Shape | None] = OrderedDict()
        self._misses: dict[object, int] = {}

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
            if filled is None:
                self._note_miss(key)
                return None
            if key in self._misses:
                with self._lock:
                    self._misses.pop(key, None)
            return shape, filled, False
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

    def _note_miss(self, key: object) -> None:
        with self._lock:
            if key not in self._shapes:
                return
            self._misses[key] = self._misses.get(key, 0) + 1
            if self._misses[key] >= _MISSES:
                del self._misses[key]
                del self._shapes[key]

    def _keep(self, key: object, shape: Shape | None) -> None:
        self._shapes[key] = shape
        while len(self._shapes) > self._size:
            gone, _shape = self._shapes.popitem(last=False)
            self._misses.pop(gone, None)


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
    said = tuple(
        tuple([_word(member, told) for member in value] if isinstance(value, list) else ())
        for value, told in (
            (document.get("evidence"), ""),
            (subject.get("result"), "resultDescription"),
            (subject.get("identifier"), "identityType"),
        )
    )
    return achievement_id, issuer_id, tuple(document), tuple(subject), said


def _word(member: Any, told: str) -> object:
    """Which members an object has, and what one of them says that differs between few kinds of learners."""
    if not isinstance(member, dict):
        return None
    word = member.get(told)
    return tuple(member), word if isinstance(word, str) else None


def _picking(keys: Collection[str]) -> Callable[[Any], tuple[Any, ...]] | None:
    # itemgetter gives a tuple only for two and more
    return itemgetter(*keys, next(iter(keys))) if keys else None


def _values(plan: tuple[_Part, ...], document: Mapping[str, Any]) -> list[str] | None:
    """What stands in the slots of ``document``; None if it is not of this plan."""
    values: list[str] = []
    parts: list[Any] = []
    value: Any
    try:
        for part in plan:
            value = parts[part.whole][part.step] if parts else document
            parts.append(value)
            if type(value) is not part.kind or len(value) != part.size:
                return None
            if part.constants is not None:
                members = part.constants(value)
                if members != part.expected:
                    return None
                for place, kind in part.scalars:
                    found: Any = members
                    for step in place:
                        found = found[step]
                    if type(found) is not kind:
                        return None
            if part.slots is not None:
                values += part.slots(value)
                values.pop()
    except KeyError:
        return None
    return values if {*map(type, values)} <= {str} and all(values) else None


def _scalars(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], type]]:
    """Where in ``value`` something stands that is no text, and of what type it is."""
    if isinstance(value, dict | list):
        for step, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(member, (*place, step))
    elif not isinstance(value, str):
        yield place, type(value)


def _first_degree_label(node: str, term: str) -> str:
    return "_:a" if term == node else "_:z"
