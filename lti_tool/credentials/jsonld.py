"""JSON-LD to canonical N-Quads: what exactly a signature covers.

PyLD expands and makes RDF (JSON-LD 1.1), pyoxigraph canonicalises (RDFC-1.0). PyLD's own canonicaliser is not
used: version 3.3.0 leaves control characters unescaped (W3C rdf-canon test060). PyLD is not thread-safe
either (its cache of resolved contexts is mutated while others read it), so one lock and one private cache
guard it.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import pyoxigraph
from cachetools import LRUCache
from pyld.context_resolver import ContextResolver
from pyld.jsonld import JsonLdError, JsonLdProcessor

from lti_tool.credentials.contexts import document_loader
from lti_tool.credentials.errors import ContextNotVendored, TooComplex, property_uncovered, text_invalid

_XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_LANG_STRING: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
_ABSOLUTE_IRI: Final = re.compile(r'(?:[A-Za-z][A-Za-z0-9+.\-]*|_):[^\s<>"{}|^`\\\x00-\x20]*')
_ESCAPED: Final = re.compile(r'[\x00-\x1f\x7f"\\]')
_ESCAPES: Final = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}
MAXIMUM_ALIKE: Final = 6
MAXIMUM_TIED_NODES: Final = 60
"""Blank nodes that RDFC-1.0 may have to tell apart by trying permutations: of one kind, and in all. Honest
badges have a few (the same alignment written twice); a clique of six takes 0.15 s, of eight 18 s, of ten
(rdf-canon test074) minutes."""
MAXIMUM_WAYS: Final = MAXIMUM_TIED_NODES**2
"""Steps from each of the nodes that share their hash with others to those that are linked with it."""

_BASE: Final = "relative-iri://none/"
"""PyLD 3.3.0 resolves relative references against ``http://example.org/base/`` where it is given no base, and
signs that. With a scheme of our own every relative one, ``//host`` too, can be told from an absolute one."""

Loader = Callable[[str, object], dict[str, Any]]

_pyld_lock = threading.Lock()
_resolver_cache: LRUCache[Any, Any] = LRUCache(maxsize=100)


class Quad(NamedTuple):
    """One RDF quad, each term already in N-Quads form; ``graph`` is empty for the default graph."""

    subject: str
    predicate: str
    object: str
    graph: str

    def line(self) -> str:
        """The quad as one line of N-Quads, with its line feed."""
        graph = f" {self.graph}" if self.graph else ""
        return f"{self.subject} {self.predicate} {self.object}{graph} .\n"

    def nodes(self) -> Iterator[str]:
        """The blank nodes in this quad."""
        for term in (self.subject, self.object, self.graph):
            if term.startswith("_:"):
                yield term


def escape_literal(text: str) -> str:
    """``text`` as it stands between quotes in canonical N-Quads (RDF Dataset Canonicalization §A)."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}", text)


def expand(document: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    """The expanded document, and the names of all members that no context covers.

    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: if the document is no JSON-LD.
    """
    dropped: list[str] = []
    processor = JsonLdProcessor(on_property_dropped=lambda name: dropped.append(str(name)))
    with _pyld_lock:
        expanded = _guarded(processor.expand, document, document_loader)
    return expanded, dropped


def to_quads(document: Mapping[str, Any], loader: Loader = document_loader) -> list[Quad]:
    """The RDF dataset that ``document`` states, without repetitions, in no particular order.

    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: if the document is no JSON-LD or holds what is no IRI where one belongs.
    """
    with _pyld_lock:
        dataset = _guarded(JsonLdProcessor().to_rdf, document, loader)
    quads: dict[Quad, None] = {}
    for name, triples in dataset.items():
        graph = "" if name == "@default" else name if name.startswith("_:") else _iri(name)
        for triple in triples:
            quads[
                Quad(_term(triple["subject"]), _term(triple["predicate"]), _term(triple["object"]), graph)
            ] = None
    return list(quads)


def canonicalise(document: Mapping[str, Any], loader: Loader = document_loader) -> str:
    """The RDFC-1.0 canonical N-Quads of a JSON-LD document.

    Not for strangers' documents: some graphs take any implementation minutes. Those go through
    :mod:`lti_tool.credentials.sandbox`.

    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: if the document is no JSON-LD.
    """
    return canonicalise_quads(to_quads(document, loader))


def canonicalise_quads(quads: list[Quad]) -> str:
    """RDFC-1.0 with SHA-256 over quads whose blank nodes carry any labels.

    :raises CredentialInvalid: for an IRI or language tag that is none.
    """
    text = "".join(quad.line() for quad in quads)
    try:
        dataset = pyoxigraph.Dataset(pyoxigraph.parse(text.encode(), format=pyoxigraph.RdfFormat.N_QUADS))
    except (SyntaxError, UnicodeEncodeError) as error:
        raise text_invalid("", "iri_invalid") from error
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    written = pyoxigraph.serialize(dataset, format=pyoxigraph.RdfFormat.N_QUADS)
    assert written is not None  # no output file was named
    # not splitlines(): U+0085, U+2028 and others stand unescaped in canonical N-Quads and end no line there
    return "".join(sorted(f"{line}\n" for line in written.decode().split("\n") if line))


def screen(quads: list[Quad]) -> None:
    """Refuse a dataset whose blank nodes are too alike to be told apart quickly.

    RDFC-1.0 goes from one tied node (one that shares its first-degree hash) to the tied ones it is linked
    with, and tries the orders of those that are alike. Copies that are linked with no other copy cost
    nothing: each badge of a record may carry the same endorsement of its issuer.

    :raises TooComplex: if too many blank nodes that are linked share their first-degree hash.
    """
    of_node: dict[str, list[Quad]] = defaultdict(list)
    for quad in quads:
        for node in set(quad.nodes()):
            of_node[node].append(quad)
    hashes = {node: first_degree_hash(node, mine) for node, mine in of_node.items()}
    counts = Counter(hashes.values())
    tied = {node for node, found in hashes.items() if counts[found] > 1}
    permuted = ways = 0
    for group in _linked(tied, of_node):
        alike = max(Counter(hashes[node] for node in group).values())
        permuted += len(group) if alike > 1 else 0
        ways += len(group) ** 2
        if alike > MAXIMUM_ALIKE or permuted > MAXIMUM_TIED_NODES or ways > MAXIMUM_WAYS:
            raise TooComplex("blank_nodes_alike")


def _linked(nodes: set[str], of_node: Mapping[str, list[Quad]]) -> Iterator[set[str]]:
    """``nodes`` in groups that quads link."""
    left = set(nodes)
    while left:
        group, border = set(), [left.pop()]
        while border:
            node = border.pop()
            group.add(node)
            beside = {other for quad in of_node[node] for other in quad.nodes()} & left
            left -= beside
            border.extend(beside)
        yield group


def first_degree_hash(node: str, quads: list[Quad]) -> str:
    """RDFC-1.0 §4.6: the hash of the quads that name ``node``."""

    def seen(term: str) -> str:
        return ("_:a" if term == node else "_:z") if term.startswith("_:") else term

    lines = sorted(
        Quad(seen(quad.subject), quad.predicate, seen(quad.object), seen(quad.graph)).line() for quad in quads
    )
    return sha256("".join(lines).encode()).hexdigest()


def require_coverage(document: Mapping[str, Any]) -> None:
    """Refuse a document of which the signature would cover less than is written in it.

    JSON-LD drops without a word: members that no context defines, types and identifiers that are relative.
    ``id`` and ``type`` members with such values, and all such members, are looked for in the expanded form.

    :raises CredentialInvalid: ``credential_property_uncovered`` with the pointer of the first one.
    """
    expanded, dropped = expand(document)
    for value in _identifiers(expanded):
        if not _is_absolute(value):
            raise property_uncovered(_pointer_of_value(document, value), "not_an_absolute_iri")
    # an unknown type takes the terms of its type away; so types come first
    if dropped:
        raise property_uncovered(_pointer_of_dropped(document, dropped[0], len(dropped)))


def _guarded(
    process: Callable[[Any, dict[str, Any]], Any], document: Mapping[str, Any], loader: Loader
) -> Any:
    options = {
        "documentLoader": loader,
        "contextResolver": ContextResolver(_resolver_cache, loader),
        "base": _BASE,
    }
    try:
        return process(_with_plain_numbers(document), options)
    except JsonLdError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ContextNotVendored):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        raise text_invalid("", "not_json_ld") from error
    except (RecursionError, TypeError, AttributeError, KeyError, ValueError) as error:
        # PyLD indexes before it checks; odd nesting surfaces as one of these
        raise text_invalid("", "not_json_ld") from error


def _with_plain_numbers(value: Any) -> Any:
    """Whole floats as integers: JSON has one kind of number, and ``36.0`` is written ``36`` in RDF."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise text_invalid("", "number_not_finite")
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, Mapping):
        return {key: _with_plain_numbers(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_plain_numbers(member) for member in value]
    return value


def _is_absolute(value: str) -> bool:
    return bool(_ABSOLUTE_IRI.fullmatch(value)) and not value.startswith("relative-iri:")


def _iri(value: str) -> str:
    if not _is_absolute(value):
        raise text_invalid("", "iri_invalid")
    return f"<{value}>"


def _term(term: Mapping[str, str]) -> str:
    value = term["value"]
    if term["type"] == "blank node":
        return value
    if term["type"] == "IRI":
        return _iri(value)
    quoted = f'"{escape_literal(value)}"'
    if term["datatype"] == _LANG_STRING:
        return f"{quoted}@{term['language'].lower()}"
    return quoted if term["datatype"] == _XSD_STRING else f"{quoted}^^{_iri(term['datatype'])}"


def _identifiers(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for member in node:
            yield from _identifiers(member)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("@id", "@type"):
                yield from [value] if isinstance(value, str) else value
            elif key != "@value":
                yield from _identifiers(value)


def walk(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside ``value`` with its JSON Pointer (RFC 6901), itself first."""
    yield pointer, value
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from walk(member, f"{pointer}/{_token(key)}")
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from walk(member, f"{pointer}/{index}")


def _token(key: object) -> str:
    """A member's name as it stands in a JSON Pointer (RFC 6901 §3)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _without(value: Any, pointer: str, here: str = "") -> Any:
    if isinstance(value, Mapping):
        kept = {}
        for key, member in value.items():
            at = f"{here}/{_token(key)}"
            if at != pointer:
                kept[key] = _without(member, pointer, at)
        return kept
    if isinstance(value, list | tuple):
        return [_without(member, pointer, f"{here}/{index}") for index, member in enumerate(value)]
    return value


def _pointer_of_dropped(document: Mapping[str, Any], name: str, count: int) -> str:
    """Where the uncovered ``name`` stands: the place without which fewer members are dropped."""
    places = [at for at, _ in walk(document) if at.rpartition("/")[2] == _token(name)]
    for place in places[:20]:
        if len(expand(_without(document, place))[1]) < count:
            return place
    return places[0] if places else ""


def _pointer_of_value(document: Mapping[str, Any], value: str) -> str:
    written = (value, value.removeprefix(_BASE), value.removeprefix("relative-iri:"))
    return next((at for at, member in walk(document) if member in written), "")
