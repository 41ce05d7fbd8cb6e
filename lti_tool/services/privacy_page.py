"""An export of personal data as one page to read: no script, no link to anywhere, no style from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;"
    "padding:1rem}table{border-collapse:collapse;width:100%;margin-block:.5rem 1.5rem}"
    "th,td{border:1px solid #8888;padding:.25rem .5rem;text-align:start;vertical-align:top;"
    "overflow-wrap:anywhere}th{width:14rem;font-weight:600}pre{white-space:pre-wrap;margin:0}"
    "@media(max-width:30rem){th,td{display:block;width:auto}}"
)


def readable_page(document: Mapping[str, Any], words: Mapping[str, str], language: str) -> str:
    """``data.json`` as a page.

    :param document: plain JSON values.
    :param words: a heading for each name; a name without one is shown with blanks for its underscores.
    """
    said = _Words(words)
    title = said["title"]
    direction = "rtl" if language.partition("-")[0].partition("_")[0] in RIGHT_TO_LEFT else "ltr"
    body = "".join(_sections(document, said))
    return (
        f'<!doctype html>\n<html lang="{escape(language)}" dir="{direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


class _Words:
    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words

    def __getitem__(self, name: str) -> str:
        return self._words.get(name) or name.replace("_", " ").capitalize()


def _sections(document: Mapping[str, Any], words: _Words) -> Iterator[str]:
    facts = {name: value for name, value in document.items() if not isinstance(value, list | dict)}
    yield _table(facts, words)
    for name, value in document.items():
        if isinstance(value, dict):
            yield f"<h2>{escape(words[name])}</h2>{_table(value, words)}"
        elif isinstance(value, list) and value:
            rows = "".join(_table(row, words) for row in value)
            yield f"<h2>{escape(words[name])} ({len(value)})</h2>{rows}"


def _table(row: Mapping[str, Any], words: _Words) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(words[name])}</th><td>{_cell(value, words)}</td></tr>'
        for name, value in row.items()
        if value not in (None, "", [], {})
    )
    return f"<table>{cells}</table>" if cells else ""


def _cell(value: Any, words: _Words) -> str:
    if isinstance(value, bool):
        return escape(words["yes" if value else "no"])
    if isinstance(value, dict):
        return _table(value, words)
    if isinstance(value, list):
        return "".join(f"<div>{_cell(item, words)}</div>" for item in value)
    return f'<pre dir="auto">{escape(str(value))}</pre>'
