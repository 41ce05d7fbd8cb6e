"""The catalogues: extracting, checking, and a pseudo-locale.

``python -m tests.translations extract`` renews ``messages.pot`` and updates and compiles every catalogue;
``python -m tests.translations check`` says what is missing and changes nothing.

The pseudo-locale is made of the source texts: letters with accents, in brackets, under the tag of a language
that is written from right to left. A sentence that stays plain English in it escaped gettext.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
TRANSLATIONS = ROOT / "lti_tool" / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
PSEUDO_LOCALE = "ar"
"""Arabic stands in: Babel knows its direction and its six plural forms."""

KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}|</?\w+[^<>]*>|&\w+;|https?://\S+")
SPOKEN_ATTRIBUTES = frozenset({"alt", "aria-label", "aria-description", "placeholder", "title"})
NOT_SPOKEN = re.compile(
    r"https?://\S*|^[a-z]+(?:-[a-z]+)+$|^[a-z-]+=\"[^\"]*\"(?: [a-z-]+(?:=\"[^\"]*\")?)*$"
    r"|\b(?:Moodle|Canvas|LTI|JSON|JWT|PNG|SVG|PDF|Open Badges|OpenID Connect|LTI Badges|URL|ID)\b"
)
"""Names that are the same in every language; classes and attributes that a template hands on."""


# ---------------------------------------------------------------------------------------------- extracting
def extracted() -> Catalog:
    """Every translatable text of code and templates, without places: those change with each edit."""
    catalog = Catalog(project="LTI Badges", charset="utf-8")
    catalog.header_comment = "# Texts of LTI Badges, under the licence of the project itself."
    jinja = {"silent": "false", "trimmed": "true", "extensions": "jinja2.ext.do,jinja2.ext.loopcontrols"}
    sources: tuple[tuple[str, list[tuple[str, str]], dict[str, dict[str, str]]], ...] = (
        ("lti_tool", [("**.py", "python")], {}),
        ("templates", [("**.html", "jinja2"), ("**.txt", "jinja2")], {"**.html": jinja, "**.txt": jinja}),
    )
    for folder, methods, options in sources:
        for _, _, message, comments, context in extract_from_dir(
            ROOT / folder,
            methods,
            options,
            keywords=KEYWORDS,
            comment_tags=("Translators:",),
            strip_comment_tags=True,
        ):
            catalog.add(message, None, auto_comments=comments, context=context)
    return catalog


def _written(catalog: Catalog) -> str:
    buffer = io.BytesIO()
    write_po(buffer, catalog, no_location=True, sort_output=True, omit_header=False, include_previous=False)
    # Dates and versions of tools would make every run a change.
    volatile = re.compile(
        r'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator):[^\n]*\n', re.MULTILINE
    )
    return volatile.sub("", buffer.getvalue().decode("utf-8"))


def extract() -> None:
    """Renew the template; update and compile every catalogue."""
    TRANSLATIONS.mkdir(exist_ok=True)
    template = extracted()
    TEMPLATE.write_text(_written(template), encoding="utf-8")
    for path in catalogues():
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parts[-3])
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        path.write_text(_written(catalog), encoding="utf-8")
        with path.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, catalog)


def catalogues() -> list[Path]:
    """Every language's catalogue."""
    return sorted(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))


# ------------------------------------------------------------------------------------------------ checking
def problems() -> Iterator[str]:
    """What is wrong, one line each."""
    template = extracted()
    written = TEMPLATE.read_text(encoding="utf-8") if TEMPLATE.exists() else ""
    if _written(template) != written:
        yield f"{TEMPLATE.relative_to(ROOT)} is not what the code says: make extract"
    for path in catalogues():
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parts[-3])
        name = path.relative_to(ROOT)
        for message in template:
            if not message.id:
                continue
            translated = catalog.get(message.id, message.context)
            if translated is None or not _is_complete(translated) or translated.fuzzy:
                yield f"{name}: not translated: {message.id!r}"
        for message, errors in catalog.check():
            yield from (f"{name}: {message.id!r}: {error}" for error in errors)
        if not path.with_suffix(".mo").exists():
            yield f"{name} is not compiled: make extract"
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield from (f"{path.relative_to(ROOT)}: not in gettext: {text!r}" for text in untranslatable(path))


def _is_complete(message: Message) -> bool:
    texts = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(texts)


def untranslatable(path: Path) -> list[str]:
    """Texts that stand in a template outside gettext."""
    environment = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    inside, plain = False, []
    for _, kind, value in environment.lex(path.read_text(encoding="utf-8")):
        if kind == "name" and value in ("trans", "endtrans"):
            inside = value == "trans"
        if kind == "data" and not inside:
            plain.append(value)
        elif kind == "variable_begin":
            plain.append("\N{OBJECT REPLACEMENT CHARACTER}")
    texts = _Texts()
    texts.feed("".join(plain))
    texts.close()
    return [text for text in texts.found if re.search(r"[^\W\d_]{2}", NOT_SPOKEN.sub("", text))]


class _Texts(HTMLParser):
    """Collects what people see or hear."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._unread: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "code", "kbd", "pre"):
            self._unread.append(tag)
        self.found += [value.strip() for name, value in attrs if name in SPOKEN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        if self._unread and self._unread[-1] == tag:
            self._unread.pop()

    def handle_data(self, data: str) -> None:
        if not self._unread and data.strip():
            self.found.append(" ".join(data.split()))


# ------------------------------------------------------------------------------------------- pseudo-locale
_ACCENTED = str.maketrans("AaCcDdEeGgHhIiJjKkLlNnOoRrSsTtUuWwYyZz", "ÅåÇçĐđÉéĜĝĤĥÎîĴĵĶķĻļÑñÖöŔŕŠšŢţÛûŴŵÝýŽž")


def pseudo(text: str) -> str:
    """`text` as the pseudo-locale writes it: readable, longer, its placeholders and markup untouched."""
    pieces, end = [], 0
    for found in PLACEHOLDER.finditer(text):
        pieces += [text[end : found.start()].translate(_ACCENTED), found.group()]
        end = found.end()
    pieces.append(text[end:].translate(_ACCENTED))
    return f"⟦{''.join(pieces)}⟧"


def write_pseudo_locale(folder: Path) -> Path:
    """A compiled catalogue of the pseudo-locale below `folder`, which Flask-Babel can use as it is."""
    catalog = Catalog(locale=PSEUDO_LOCALE, charset="utf-8")
    for message in extracted():
        if not message.id:
            continue
        if isinstance(message.id, tuple | list):
            one, many = message.id
            texts: str | tuple[str, ...] = (pseudo(one), *[pseudo(many)] * (catalog.num_plurals - 1))
        else:
            texts = pseudo(message.id)
        catalog.add(message.id, texts, context=message.context)
    target = folder / PSEUDO_LOCALE / "LC_MESSAGES" / "messages.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalog)
    return folder


def main(arguments: list[str]) -> int:
    """0 done or nothing wrong, 1 something is wrong, 2 usage."""
    if arguments == ["extract"]:
        extract()
        return 0
    if arguments == ["check"]:
        found = list(problems())
        for line in found:
            print(line, file=sys.stderr)
        return 1 if found else 0
    print("usage: python -m tests.translations extract|check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
