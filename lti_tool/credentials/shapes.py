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
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import takewhile
from json.encoder import encode_basestring
from operator import is_, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lti_tool.credentials.errors import CredentialInvalid
from lti_tool.credentials.jsonld import Quad, escape_literal, first_degree_hash, to_quads
from lti_tool.credentials.linting import BEYOND_SURROGATES, lint_credential, lint_date, lint_text

if TYPE_CHECKING:
    from _hashlib import HASH

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
_BETWEEN: Final = "\0"
"""Between two texts of a template; :mod:`linting` lets it stand in none."""


@dataclass(frozen=True)
class Filled:
    """One document, canonicalised."""

    text: str
    """Itself as JSON."""
    digest: bytes
    """SHA-256 of its canonical N-Quads, 32 bytes."""
    pieces: list[str] = field(compare=False, repr=False)

    @property
    def canonical(self) -> str:
        """Its canonical N-Quads, which only a check has to see whole."""
        return "\n".join(self.pieces)


class _Part(NamedTuple):
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


class _Template:
    """Texts with holes, all written by one join, which takes a third of the time that formatting takes."""

    def __init__(self, texts: list[list[str | int]]) -> None:
        """:param texts: constant parts, and the places of the terms that go between them."""
        parts: list[str | int] = []
        for text in texts:
            parts += [_BETWEEN, *text] if parts else text
        constants = list(dict.fromkeys(part for part in parts if isinstance(part, str)))
        if any(_BETWEEN in part for part in constants if part != _BETWEEN):
            raise ValueError("a text with the character that parts texts")
        self._is_empty = not texts
        # itemgetter gives a tuple only for two and more
        self._constants = [*constants, "", ""]
        place = {part: number for number, part in enumerate(self._constants)}
        after = len(self._constants)
        self._pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(
            *(place[part] if isinstance(part, str) else after + part for part in (*parts, "", ""))
        )

    def write(self, terms: list[str]) -> list[str]:
        """The texts with ``terms`` in their holes."""
        if self._is_empty:
            return []
        return "".join(self._pick(self._constants + terms)).split(_BETWEEN)


def _merged(parts: Iterable[str | int]) -> list[str | int]:
    """``parts`` with the constant ones between two holes put together."""
    merged: list[str | int] = []
    for part in parts:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _in_lines(lines: Iterable[list[str | int]]) -> list[str | int]:
    """Lines as one text, without a line feed at its end."""
    parts: list[str | int] = []
    for line in lines:
        parts += ["\n", *line] if parts else line
    return _merged(parts)


def _runs(lines: list[list[str | int]], skipped: int = 0) -> list[list[list[str | int]]]:
    """``lines`` in order, those in one list whose order depends on what fills their holes.

    Where the constant start of neither of two lines is a start of the other's, their order is known. Lines
    with a start in common stand together in the order of the starts, first the one that has no more.

    :param skipped: how many parts all lines have in common at their beginning.
    """
    runs: list[tuple[str, list[list[str | int]]]] = []
    for start, line in sorted(((_constant_start(line[skipped:]), line) for line in lines), key=itemgetter(0)):
        if runs and start.startswith(runs[-1][0]):
            runs[-1][1].append(line)
        else:
            runs.append((start, [line]))
    return [run for _, run in runs]


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
        self._begun: tuple[int, HASH] = (0, sha256())
        self._compile_quads(to_quads(marked))
        self._compile_json(marked)

    def fill(self, document: Mapping[str, Any]) -> Filled | None:
        """``document`` canonicalised, or None if only the full algorithm can tell."""
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
        pieces = self._canonical(values, literals)
        if pieces is None:
            return None
        return Filled(self._json.write(written)[0], self._digest(pieces), pieces)

    def _digest(self, pieces: list[str]) -> bytes:
        """SHA-256 of canonical N-Quads; that of the constant pieces at their beginning is taken up again.

        Pieces are in order and no two are equal, so where the nth constant piece is also the nth of all
        pieces, there are none but constant ones before it.
        """
        count, begun = self._begun
        if count and pieces[count - 1] is not self._constant_pieces[count - 1]:
            count = 0
        if not count:
            count = sum(1 for _ in takewhile(bool, map(is_, pieces, self._constant_pieces)))
            begun = sha256("".join(f"{piece}\n" for piece in pieces[:count]).encode())
            self._begun = count, begun
        whole = begun.copy()
        whole.update("\n".join(pieces[count:]).encode())
        digest: bytes = whole.digest()
        return digest

    def _canonical(self, values: list[str], literals: list[str]) -> list[str] | None:
        """Canonical N-Quads, in pieces with a line feed between them."""
        iris = {values[index] for index in self._iri_slots}
        if len(iris) != len(self._iri_slots) or not iris.isdisjoint(self._constant_iris):
            return None
        hashes = self._constant_hashes.copy()
        for (node, is_ordered), text in zip(self._touched, self._first_degree.write(literals), strict=True):
            if not is_ordered:
                text = "".join(f"{line}\n" for line in sorted(text[:-1].split("\n")))
            hashes[sha256(text.encode()).digest()] = node
        if len(hashes) != self._node_count:
            return None
        terms = literals + self._labels
        for label, digest in zip(self._labels, sorted(hashes), strict=True):
            terms[hashes[digest]] = label
        pieces = self._open_pieces.write(terms)
        for start, end in self._doubtful:
            if len({*pieces[start:end]}) != end - start:
                return None
        pieces += self._constant_pieces
        pieces.sort()
        pieces.append("")
        return pieces

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

        self._compile_pieces(quads, partial(parts, label=nodes.__getitem__))
        if used != set(range(slots)):
            raise ValueError("a slot leaves no trace in the RDF")
        # Node sorts some characters otherwise; where they are among the constants the full route has to look
        self._is_order_doubtful = bool(BEYOND_SURROGATES.search("".join(quad.line() for quad in quads)))
        self._constant_hashes: dict[bytes, int] = {}
        self._touched: list[tuple[int, bool]] = []
        texts = []
        for node, index in nodes.items():
            own = [quad for quad in quads if node in quad.nodes()]
            if any(self._mark in quad.line() for quad in own):
                runs = _runs([parts(quad, partial(_first_degree_label, node)) for quad in own])
                self._touched.append((index, all(len(run) == 1 for run in runs)))
                texts.append(_merged([*_in_lines(itertools.chain(*runs)), "\n"]))
            else:
                self._constant_hashes[bytes.fromhex(first_degree_hash(node, own))] = index
        self._first_degree = _Template(texts)

    def _compile_pieces(self, quads: list[Quad], parts: Callable[[Quad], list[str | int]]) -> None:
        """Put lines together that stay together, so that few pieces are left to be sorted for each document.

        Lines of one subject stand together: no term is a start of another one, subjects that are filled in
        differ from all others (else there is no answer), and so do labels. Of one subject's lines the
        predicates and constant objects tell the order, or else each line is a piece by itself. Only such
        lines can be equal.
        """
        of_subject: dict[str, list[Quad]] = {}
        for quad in quads:
            of_subject.setdefault(quad.subject, []).append(quad)
        opened: list[list[str | int]] = []
        self._constant_pieces: list[str] = []
        self._doubtful: list[tuple[int, int]] = []
        """From where to where among the open pieces those stand that might be equal or in another order."""
        for own in of_subject.values():
            subject = 3 if own[0].subject.startswith(f"<{self._mark}") else 1
            for is_certain, runs in itertools.groupby(
                _runs([parts(quad) for quad in own], subject), lambda run: len(run) == 1
            ):
                if not is_certain:
                    for run in runs:
                        self._doubtful.append((len(opened), len(opened) + len(run)))
                        opened += map(_merged, run)
                    continue
                piece = _in_lines(itertools.chain(*runs))
                if len(piece) == 1 and isinstance(piece[0], str):
                    self._constant_pieces.append(piece[0])
                else:
                    opened.append(piece)
        self._constant_pieces.sort()
        self._open_pieces = _Template(opened)

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
        text = json.dumps(marked, ensure_ascii=False, separators=(",", ":"))
        parts: list[str | int] = list(re.split(rf'(?<="){self._mark}(\d+)(?=")', text))
        parts[1::2] = [self._place[int(number)] for number in parts[1::2]]
        self._json = _Template([parts])


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
        self._latest: tuple[object, Shape] | None = None
        """Of the document before, with its key: badges of one kind come together."""

    def find(self, document: Mapping[str, Any]) -> tuple[Shape, Filled, bool] | None:
        """The shape of ``document``, it filled, and whether the shape is new; None if it has none (yet).

        A shape is compiled when a second document like it comes: one compilation costs as much as three full
        canonicalisations, and many achievements see a single learner at a time.

        :raises CredentialInvalid: if the document must not be signed.
        """
        tried = self._latest
        if tried is not None:
            key, shape = tried
            filled = shape.fill(document)
            if filled is not None:
                self._note_hit(key)
                return shape, filled, False
        key = _key(document)
        if key is None:
            return None
        with self._lock:
            seen = key in self._shapes
            known = self._shapes.get(key)
            if seen:
                self._shapes.move_to_end(key)
            else:
                self._keep(key, None)
        if not seen:
            return None
        if known is not None:
            filled = None if tried is not None and tried[1] is known else known.fill(document)
            if filled is None:
                self._note_miss(key)
                return None
            self._note_hit(key)
            with self._lock:
                if self._shapes.get(key) is known:
                    self._latest = key, known
            return known, filled, False
        try:
            shape = Shape(document)
        except (ValueError, TypeError):
            return None
        filled = shape.fill(document)
        if filled is None:
            return None
        with self._lock:
            self._keep(key, shape)
            self._latest = key, shape
        return shape, filled, True

    def forget(self, document: Mapping[str, Any]) -> None:
        """Drop the shape of ``document``; the next one like it starts anew."""
        key = _key(document)
        with self._lock:
            self._drop(key)

    def _drop(self, key: object) -> None:
        self._shapes.pop(key, None)
        self._misses.pop(key, None)
        if self._latest is not None and self._latest[0] == key:
            self._latest = None

    def _note_hit(self, key: object) -> None:
        if key in self._misses:
            with self._lock:
                self._misses.pop(key, None)

    def _note_miss(self, key: object) -> None:
        with self._lock:
            if key not in self._shapes:
                return
            self._misses[key] = self._misses.get(key, 0) + 1
            if self._misses[key] >= _MISSES:
                self._drop(key)

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
        # unpacked: looking each of them up by its name takes longer
        for whole, step, kind, size, constants, expected, scalars, slots in plan:
            value = parts[whole][step] if parts else document
            parts.append(value)
            if type(value) is not kind or len(value) != size:
                return None
            if constants is not None:
                members = constants(value)
                if members != expected:
                    return None
                for place, scalar in scalars:
                    found: Any = members
                    for inner in place:
                        found = found[inner]
                    if type(found) is not scalar:
                        return None
            if slots is not None:
                values += slots(value)
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
