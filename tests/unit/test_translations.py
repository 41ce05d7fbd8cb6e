"""The tooling of translations: what it must notice, and the pseudo-locale."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest

from tests import translations


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Your badges</p>",
        '<img alt="A badge" src="x.png">',
        '<button aria-label="Close" type="button"></button>',
        '<input placeholder="Search" title="">',
        "{% if a %}<b>Done</b>{% endif %}",
        "<p>{{ count }} badges</p>",
    ],
)
def test_a_text_outside_gettext_is_noticed(tmp_path: Path, markup: str) -> None:
    template = tmp_path / "page.html"
    template.write_text(markup)
    assert translations.untranslatable(template)


@pytest.mark.parametrize(
    "markup",
    [
        "<p>{{ _('Your badges') }}</p>",
        "<p>{% trans %}Your badges{% endtrans %}</p>",
        "<img alt=\"{{ _('A badge') }}\">",
        '<p class="a-class" id="x" data-state="waiting">{{ value }} · 100 %</p>',
        "<code>lti-tool serve</code><style>a { color: red }</style>",
        "<!-- a comment --><p>Moodle</p>{# another #}",
    ],
)
def test_what_nobody_reads_is_let_pass(tmp_path: Path, markup: str) -> None:
    template = tmp_path / "page.html"
    template.write_text(markup)
    assert translations.untranslatable(template) == []


def test_the_pseudo_locale_keeps_what_programs_read() -> None:
    text = 'See <a href="%(url)s">%(name)s</a>: 80 %% of {count} at https://a.example/b &amp; more'
    written = translations.pseudo(text)
    for kept in ('<a href="%(url)s">', "%(name)s", "</a>", "%%", "{count}", "https://a.example/b", "&amp;"):
        assert kept in written
    assert "See" not in written
    assert written % {"url": "u", "name": "n"}


def test_every_text_exists_in_the_pseudo_locale(tmp_path: Path) -> None:
    translations.write_pseudo_locale(tmp_path)
    catalogue = gettext.translation("messages", tmp_path, [translations.PSEUDO_LOCALE])
    texts = [message.id for message in translations.extracted() if message.id and not message.context]
    assert len(texts) > 100
    for text in texts:
        one = text if isinstance(text, str) else text[0]
        plural = (
            []
            if isinstance(text, str)
            else [catalogue.ngettext(*text, number) for number in (0, 1, 2, 5, 100)]
        )
        for written in [catalogue.gettext(one)] * isinstance(text, str) + plural:
            assert written.startswith("⟦")
        placeholders = set(re.findall(r"%\(\w+\)s", one))
        if isinstance(text, str):
            assert set(re.findall(r"%\(\w+\)s", catalogue.gettext(one))) == placeholders
