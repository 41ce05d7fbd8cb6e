"""What may not be signed.

A signature is for years, so whatever one verifier reads differently from another is refused before it is
made: members that no context covers, characters that canonicalisers escape and numbers that they write
differently, dates without a zone, nulls and empty values (OB 3.0 "Document Formats": omit them), and texts
that Node sorts in another order than the standard does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from lti_tool.credentials.errors import date_invalid, property_uncovered, text_invalid
from lti_tool.credentials.jsonld import require_coverage, walk

CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
BEYOND_SURROGATES: Final = re.compile(r"[\ue000-\U0010ffff]")
"""Characters that sort differently by UTF-16 unit and by code point."""
SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
DATE_TIME: Final = re.compile(
    r"-?\d{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
)
LANGUAGE_TAG: Final = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
"""The part of BCP 47 that the schema of Open Badges 3.0 takes (LanguageCode): ``pt-BR``, not ``pt_br``."""
DATE_MEMBERS: Final = frozenset(
    {
        "validFrom",
        "validUntil",
        "awardedDate",
        "issuanceDate",
        "expirationDate",
        "activityStartDate",
        "activityEndDate",
        "created",
        "expires",
    }
)


def parse_date(text: object) -> datetime:
    """The aware time that an ``xsd:dateTime`` names.

    :raises ValueError: for no such time, or one without a zone.
    """
    if not isinstance(text, str):  # before the cache, which takes no list
        raise ValueError("not a date and time with a zone")
    return _parse_date(text)


@lru_cache(maxsize=4096)
def _parse_date(text: str) -> datetime:
    if not DATE_TIME.fullmatch(text):
        raise ValueError("not a date and time with a zone")
    # Python knows six decimals; more are legal and change nothing here
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def lint_credential(document: Mapping[str, Any]) -> None:
    """Refuse a credential that must not be signed.

    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: with ``pointer`` and ``reason``; codes ``credential_property_uncovered``,
        ``credential_text_invalid``, ``credential_date_invalid``.
    """
    lint_values(document)
    require_coverage(document)


def lint_values(document: Mapping[str, Any]) -> None:
    """The part of :func:`lint_credential` that looks at values one by one and needs no JSON-LD."""
    for pointer, value in walk(document):
        key = pointer.rpartition("/")[2]
        if isinstance(value, Mapping):
            for name in value:
                if not isinstance(name, str) or (name.startswith("@") and name != "@context"):
                    raise property_uncovered(f"{pointer}/{name}", "json_ld_keyword")
                lint_text(name, f"{pointer}/{name}")
        if value is None:
            raise text_invalid(pointer, "null")
        if isinstance(value, str):
            lint_text(value, pointer)
            if key in DATE_MEMBERS:
                lint_date(value, pointer)
            elif key == "inLanguage" and not LANGUAGE_TAG.fullmatch(value):
                raise text_invalid(pointer, "not_a_language_tag")
        elif isinstance(value, Mapping | list | tuple):
            if not value:
                raise text_invalid(pointer, "empty")
            if isinstance(value, list | tuple):
                _lint_array(value, pointer)
        elif isinstance(value, float) and value.is_integer():
            raise text_invalid(pointer, "write_as_integer")
        elif isinstance(value, float) and not is_written_alike(value):
            raise text_invalid(pointer, "written_differently")
        elif not isinstance(value, bool | int | float):
            raise text_invalid(pointer, "not_json")


def is_written_alike(number: float) -> bool:
    """Whether every verifier signs the same digits of ``number``.

    JSON-LD 1.1 (API §8.6) writes sixteen digits, and so do npm's jsonld and PyLD: 8.3 becomes
    ``8.300000000000001E0``. Java's Titanium, on which 1EdTech's validator stands, and Oxigraph write the
    digits of the JSON text, ``8.3E0``.
    """
    return Decimal(f"{number:.15e}") == Decimal(repr(number))


def lint_text(text: str, pointer: str) -> None:
    """Refuse an empty text, control characters and lone surrogates.

    :raises CredentialInvalid: with the reason.
    """
    if not text:
        raise text_invalid(pointer, "empty")
    if text.isprintable():
        return
    if CONTROL_CHARACTER.search(text):
        raise text_invalid(pointer, "control_character")
    if SURROGATE.search(text):
        raise text_invalid(pointer, "lone_surrogate")


def lint_date(text: str, pointer: str) -> None:
    """Refuse what is no time with a zone.

    :raises CredentialInvalid: ``credential_date_invalid``.
    """
    try:
        parse_date(text)
    except ValueError:
        raise date_invalid(pointer, "not_an_aware_date") from None


def _lint_array(values: list[Any] | tuple[Any, ...], pointer: str) -> None:
    texts = [value for value in values if isinstance(value, str)]
    if len(set(texts)) != len(texts):
        raise text_invalid(pointer, "repeated")  # RDF is a set: the second one would not be signed


def lint_order(canonical: str) -> None:
    """Refuse canonical N-Quads whose lines Node's verifiers would sort in another order.

    :raises CredentialInvalid: ``sorted_differently_by_node``.
    """
    if canonical.isascii() or not BEYOND_SURROGATES.search(canonical):
        return
    lines = canonical.split("\n")[:-1]
    if lines != sorted(lines, key=lambda line: line.encode("utf-16-be")):
        # rdf-canonize 5.0.0 (npm) sorts by UTF-16 unit, the standard by code point: Node would refuse the
        # badge
        raise text_invalid("", "sorted_differently_by_node")
