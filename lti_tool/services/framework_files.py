"""Files of skills frameworks, read strictly: ESCO's table of skills, and CASE packages.

ESCO publishes one CSV per language (https://esco.ec.europa.eu, "skills_en.csv"). CASE 1.0 and 1.1 (1EdTech,
Competencies and Academic Standards Exchange) publish a CFPackage as JSON: one CFDocument with its CFItems. A
file is taken as a whole or refused as a whole, with the place that is wrong; nothing in it is looked up
elsewhere.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from lti_tool.services.badge_contents import link_iri
from lti_tool.services.form_problems import BIDI_CONTROLS

LARGEST_FILE: Final = 24 * 1024 * 1024
"""Bytes: ESCO's table of 14,000 skills is 9 MB in English, and twice that in scripts of two bytes."""
MOST_ITEMS: Final = 50_000
NAME_LENGTH: Final = 300
DESCRIPTION_LENGTH: Final = 4_000
CODE_LENGTH: Final = 100
URL_LENGTH: Final = 2_000
OTHER_NAMES_LENGTH: Final = 4_000
FRAMEWORK_NAME_LENGTH: Final = 200
FRAMEWORK_URL_LENGTH: Final = 450
VERSION_LENGTH: Final = 60

_MOST_MARKS: Final = 30
"""Unicode Standard Annex 15, Stream-Safe Text Format."""

ESCO_SKILLS: Final = "http://data.europa.eu/esco/concept-scheme/skills"
COMPETENCY, CF_ITEM = "ceasn:Competency", "CFItem"
"""Open Badges 3.0, AlignmentTargetType."""

_SKILL, _SKILL_GROUP = "KnowledgeSkillCompetence", "SkillGroup"
_SKILL_TYPES: Final = frozenset({_SKILL, _SKILL_GROUP})
_OTHER_TYPES: Final = frozenset({"Occupation", "ISCOGroup", "ConceptScheme"})
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_COLLECTION: Final = re.compile(r"(?:.*[/\\])?([A-Za-z]{1,40})_[a-z]{2,3}(?:[ ._-][^/\\]*)?\.csv", re.DOTALL)
_LANGUAGE_IN_NAME: Final = re.compile(r"_([a-z]{2,3})(?:[ ._-][^/\\]*)?\.csv", re.IGNORECASE)


class FileKind(StrEnum):
    """What a file is."""

    ESCO = "esco"
    CASE = "case"


class FileProblem(StrEnum):
    """Why a file is not taken; pages have one sentence for each."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    PACKED = "packed"
    """A ZIP, as ESCO sends them: the table lies in it."""
    NOT_TEXT = "not_text"
    NOT_KNOWN = "not_known"
    """Neither a table of ESCO nor a CASE package."""
    COLUMN_MISSING = "column_missing"
    OCCUPATIONS = "occupations"
    """A table of ESCO, but of occupations."""
    ROW_BROKEN = "row_broken"
    NOT_JSON = "not_json"
    PART_MISSING = "part_missing"
    NAME_MISSING = "name_missing"
    URL_INVALID = "url_invalid"
    LANGUAGE_INVALID = "language_invalid"
    NO_ITEMS = "no_items"


_DETAILS: Final[Mapping[FileProblem, str]] = {
    FileProblem.EMPTY: "the file is empty",
    FileProblem.TOO_LARGE: "the file is larger than {limit} MB",
    FileProblem.TOO_MANY: "the file holds more than {limit} skills",
    FileProblem.PACKED: "this is a ZIP: unpack it, and take the file skills_…csv in it",
    FileProblem.NOT_TEXT: "the file is not UTF-8; take it as it was downloaded",
    FileProblem.NOT_KNOWN: "this is neither a table of ESCO (CSV) nor a CASE package (JSON)",
    FileProblem.COLUMN_MISSING: "the column {name} is missing: this is not ESCO's table of skills",
    FileProblem.OCCUPATIONS: "line {line} holds no skill; take the file skills_…csv of ESCO",
    FileProblem.ROW_BROKEN: "line {line} cannot be read: its quotes or columns do not fit",
    FileProblem.NOT_JSON: "this is no JSON that can be read",
    FileProblem.PART_MISSING: "{name} is missing: this is not a CASE package",
    FileProblem.NAME_MISSING: "{line} has no name",
    FileProblem.URL_INVALID: "{line} has no web address that could be linked: {given}",
    FileProblem.LANGUAGE_INVALID: "{given} is no language such as en or pt-BR",
    FileProblem.NO_ITEMS: "there is no skill in it that is in use",
}


class FileRefused(Exception):
    """Nothing of a file was taken, for one reason.

    :ivar problem: which; ``params`` has the values for its sentence.
    """

    def __init__(self, problem: FileProblem, **params: object) -> None:
        super().__init__(_DETAILS[problem].format(**params))
        self.problem = problem
        self.params = params


@dataclass(frozen=True, slots=True)
class Item:
    """A skill or competency as a file gives it."""

    url: str
    name: str
    code: str | None
    description: str | None
    target_type: str
    words: str
    """Name, code and other names, one a line, folded as searches are; the name is the first line."""


@dataclass(frozen=True, slots=True)
class FrameworkFile:
    """A whole file, read and checked."""

    kind: FileKind
    url: str
    """What names the framework; that of ESCO differs by language, and by table: groups of skills and
    collections, such as that of digital skills, are tables of their own, which must not renew the large one.
    """
    name: str
    version: str | None
    language: str | None
    items: tuple[Item, ...]
    """Each address once, in the file's order."""
    repeated: int
    """How many rows had an address that came before."""
    left_out: int
    """How many skills of ESCO are obsolete."""


def read_file(
    content: bytes, *, file_name: str = "", language: str | None = None, version: str | None = None
) -> FrameworkFile:
    """Read a table of ESCO or a CASE package, whichever it is.

    :param file_name: as it was called where it came from; ESCO's names end with the language.
    :param language: BCP 47, where the file does not tell it.
    :param version: of the framework, where the file does not tell it.
    :raises FileRefused: for anything that is not exactly such a file.
    """
    if len(content) > LARGEST_FILE:
        raise FileRefused(FileProblem.TOO_LARGE, limit=LARGEST_FILE // (1024 * 1024))
    if content.startswith(b"PK\x03\x04"):
        raise FileRefused(FileProblem.PACKED)
    if language and not _LANGUAGE.fullmatch(language):
        raise FileRefused(FileProblem.LANGUAGE_INVALID, given=language[:20])
    text = _decoded(content)
    start = text.lstrip()
    if not start:
        raise FileRefused(FileProblem.EMPTY)
    if start[0] in "{[":
        found = _read_case(start)
    elif "conceptUri" in start.split("\n", 1)[0] or "preferredLabel" in start.split("\n", 1)[0]:
        found = _read_esco(text, language or _language_of(file_name), file_name)
    else:
        raise FileRefused(FileProblem.NOT_KNOWN)
    if not found.items:
        raise FileRefused(FileProblem.NO_ITEMS)
    return FrameworkFile(
        found.kind,
        found.url,
        found.name,
        _line(version, VERSION_LENGTH) or found.version,
        found.language or language,
        found.items,
        found.repeated,
        found.left_out,
    )


def fold(text: str) -> str:
    """A text as searches compare it: ﬁ like fi, É like é, one blank between words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _decoded(content: bytes) -> str:
    """UTF-8 with or without its mark; UTF-16 with one, as spreadsheets write "Unicode text"."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise FileRefused(FileProblem.NOT_TEXT) from None


def _language_of(file_name: str) -> str | None:
    found = _LANGUAGE_IN_NAME.search(file_name)
    return found[1].lower() if found else None


# -- ESCO


def _read_esco(text: str, language: str | None, file_name: str) -> FrameworkFile:
    header = text.lstrip().split("\n", 1)[0]
    # ESCO separates by commas; a spreadsheet that saved it again may have used its own country's sign.
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, restkey="…")
    columns = _columns(reader)
    for name in ("conceptUri", "preferredLabel", "conceptType"):
        if name not in columns:
            raise FileRefused(FileProblem.COLUMN_MISSING, name=name)
    left_out = 0
    kinds = set()

    def items() -> Iterator[Item]:
        nonlocal left_out
        for row in _rows(reader):
            line = f"line {reader.line_num}"
            if None in row.values() or "…" in row:
                raise FileRefused(FileProblem.ROW_BROKEN, line=reader.line_num)
            kind = row["conceptType"].strip()
            if kind not in _SKILL_TYPES:
                if kind in _OTHER_TYPES:
                    raise FileRefused(FileProblem.OCCUPATIONS, line=reader.line_num)
                raise FileRefused(FileProblem.ROW_BROKEN, line=reader.line_num)
            kinds.add(kind)
            if row.get("status", "").strip().lower() in ("obsolete", "deprecated"):
                left_out += 1
                continue
            yield _item(
                line,
                row["conceptUri"],
                row["preferredLabel"],
                code=row.get("code"),
                description=row.get("description") or row.get("definition"),
                others=f"{row.get('altLabels', '')}\n{row.get('hiddenLabels', '')}".split("\n"),
                target_type=COMPETENCY,
            )

    found, repeated = _each_once(items())
    table = None
    if "broaderConceptUri" in columns:
        named = _COLLECTION.fullmatch(file_name)
        table = named[1] if named else "collection"
    elif kinds == {_SKILL_GROUP}:
        table = "skillGroups"
    fragment = "-".join(part for part in (language, table) if part)
    url = f"{ESCO_SKILLS}#{fragment}" if fragment else ESCO_SKILLS
    return FrameworkFile(FileKind.ESCO, url, "ESCO", None, language, found, repeated, left_out)


def _columns(reader: csv.DictReader[str]) -> frozenset[str]:
    try:
        return frozenset(reader.fieldnames or ())
    except csv.Error:
        raise FileRefused(FileProblem.ROW_BROKEN, line=reader.line_num or 1) from None


def _rows(reader: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error:
        raise FileRefused(FileProblem.ROW_BROKEN, line=reader.line_num) from None


# -- CASE


def _read_case(text: str) -> FrameworkFile:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        raise FileRefused(FileProblem.NOT_JSON) from None
    if isinstance(package, dict) and isinstance(package.get("CFPackage"), dict):
        package = package["CFPackage"]  # some servers of CASE 1.0 wrap it
    if not isinstance(package, dict):
        raise FileRefused(FileProblem.PART_MISSING, name="CFDocument")
    document, listed = package.get("CFDocument"), package.get("CFItems")
    if not isinstance(document, dict):
        raise FileRefused(FileProblem.PART_MISSING, name="CFDocument")
    if not isinstance(listed, list):
        raise FileRefused(FileProblem.PART_MISSING, name="CFItems")
    name = _line(document.get("title"), FRAMEWORK_NAME_LENGTH)
    if not name:
        raise FileRefused(FileProblem.PART_MISSING, name="CFDocument.title")
    language = _line(document.get("language"), 35)
    found, repeated = _each_once(_case_items(listed))
    return FrameworkFile(
        FileKind.CASE,
        _url("CFDocument", document.get("uri"), FRAMEWORK_URL_LENGTH),
        name,
        _line(document.get("version"), VERSION_LENGTH) or None,
        language if _LANGUAGE.fullmatch(language) else None,
        found,
        repeated,
        0,
    )


def _case_items(listed: list[Any]) -> Iterator[Item]:
    for number, item in enumerate(listed, 1):
        place = f"CFItems[{number}]"
        if not isinstance(item, dict):
            raise FileRefused(FileProblem.NAME_MISSING, line=place)
        statement = _text(item.get("fullStatement"), DESCRIPTION_LENGTH)
        keywords = item.get("conceptKeywords")
        yield _item(
            place,
            item.get("uri"),
            _line(item.get("abbreviatedStatement"), NAME_LENGTH) or statement,
            code=item.get("humanCodingScheme"),
            description=statement,
            others=(
                item.get("alternativeLabel"),
                statement,
                *(keywords if isinstance(keywords, list) else ()),
            ),
            target_type=CF_ITEM,
        )


# -- both


def _each_once(items: Iterable[Item]) -> tuple[tuple[Item, ...], int]:
    """The first of each address, and how many came again."""
    found: dict[str, Item] = {}
    repeated = 0
    for item in items:
        if item.url in found:
            repeated += 1
            continue
        if len(found) == MOST_ITEMS:
            raise FileRefused(FileProblem.TOO_MANY, limit=MOST_ITEMS)
        found[item.url] = item
    return tuple(found.values()), repeated


def _item(
    place: str, url: object, name: object, *, code: object, description: object, others: Any, target_type: str
) -> Item:
    label = _line(name, NAME_LENGTH)
    if not label:
        raise FileRefused(FileProblem.NAME_MISSING, line=place)
    short_code = _line(code, CODE_LENGTH)
    about = _text(description, DESCRIPTION_LENGTH)
    folded = dict.fromkeys(fold(text) for text in (label, short_code, *map(_other_name, others)))
    words = "".join(f"{text}\n" for text in folded if text)[:OTHER_NAMES_LENGTH]
    return Item(
        _url(place, url, URL_LENGTH),
        label,
        short_code or None,
        about if about and about != label else None,
        target_type,
        words,
    )


def _other_name(value: object) -> str:
    return _line(value, OTHER_NAMES_LENGTH)


def _url(place: str, value: object, most: int) -> str:
    """A web address that can stand in a badge as it is, character by character.

    It is never fetched; but it becomes a link on public pages, so that nothing but http and https is taken.
    """
    given = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(given)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_address = is_address and parts.port != 0 and parts.username is None
    except ValueError:
        is_address = False
    is_plain = len(given) <= most and all("!" <= sign <= "~" and sign not in '"<>\\^`{|}' for sign in given)
    # What no badge can be aligned to must not be found in the form.
    if not (is_address and is_plain and link_iri(given) is not None):
        shown = "".join(sign for sign in given[:80] if sign.isprintable())
        raise FileRefused(FileProblem.URL_INVALID, line=place, given=shown or "–")
    return given


def _line(value: object, most: int) -> str:
    """A text on one line, without what cannot be seen or signed; cut at a word where it is too long."""
    return _shortened(" ".join(_clean(value).split()), most)


def _text(value: object, most: int) -> str:
    """The same with its lines."""
    lines = (" ".join(line.split()) for line in _clean(value).replace("\r", "\n").split("\n"))
    return _shortened("\n".join(line for line in lines if line), most)


def _clean(value: object) -> str:
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value  # nearly every text; the rest is looked at sign by sign
    kept = (
        sign
        if unicodedata.category(sign) not in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") or sign in "\n\r\t"
        else " "
        for sign in value
        if sign not in BIDI_CONTROLS and sign != "\ufeff"
    )
    text = unicodedata.normalize("NFC", "".join(_few_marks(kept)))
    # Of signs that cannot be seen alone nobody could pick anything, and the form takes no such name.
    return text if any(unicodedata.category(sign)[0] not in "CZ" for sign in text) else ""


def _few_marks(text: Iterable[str]) -> Iterator[str]:
    """Without the accents of a letter beyond what any language writes: the time of sorting them grows with
    their square, ten minutes for one file."""
    run = 0
    for sign in text:
        run = run + 1 if unicodedata.combining(sign) else 0
        if run <= _MOST_MARKS:
            yield sign


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
