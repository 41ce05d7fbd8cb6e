"""Every page in every state and look: axe finds nothing, and nothing has to be scrolled sideways.

The looks are spread over the files ``test_accessibility*.py``: workers share out the suite by files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site
from tests.gallery.pages import SamplePage

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": TAGS}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
RULES: dict[str, Any] = {
    # A look can only break what it changes; asking for all each time takes minutes.
    "wide": EVERYTHING,
    "narrow": {"runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}},
    "dark": COLOURS,
    "mirrored": None,
    "forced-colours": COLOURS,
    "large-text": None,
}
NARROW = {"width": 320, "height": 640}
WIDE = {"width": 1100, "height": 800}
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "narrow": {"viewport": NARROW},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "mirrored": {"viewport": NARROW, "locale": "ar"},
    "forced-colours": {"viewport": WIDE, "color_scheme": "dark", "forced_colors": "active"},
    "large-text": {"viewport": {"width": 640, "height": 800}},
}

LARGE_TEXT = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`html { font-size: 200% } * { line-height: 1.5 !important;
        letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
        p { margin-block-end: 2em !important }`);
    document.adoptedStyleSheets = [sheet];
}"""
"""WCAG 1.4.4 and 1.4.12: text at 200 percent, with the spacing that a reader may set."""

STICKING_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How many pixels have to be scrolled sideways."""

MOVING = """() => document.getAnimations().filter((one) => one.playState === "running").length"""


def troubles(page: Page, rules: dict[str, Any] | None = EVERYTHING) -> list[str]:
    """What axe objects to, one line for each element."""
    if rules is None:
        return []
    found = Axe().run(page, options=rules)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def look_at(browser: Browser, site: Site, look: str, samples: Iterable[SamplePage]) -> list[str]:
    """Open every page in one look; everything that is wrong with them, a line each."""
    context = browser.new_context(**{"locale": "en", "reduced_motion": "reduce", **LOOKS[look]})
    site.admit(context)
    # What is looked at here is the page, not how busy the machine is.
    context.set_default_timeout(180_000)
    page = context.new_page()
    failures = []
    seen = 0
    for sample in samples:
        seen += 1
        site.show(page, sample, "ar" if look == "mirrored" else "en")
        if look == "large-text":
            page.evaluate(LARGE_TEXT)
        failures += [f"{sample.name}: {trouble}" for trouble in troubles(page, RULES[look])]
        width = page.evaluate(STICKING_OUT)
        if width > 0:
            failures.append(f"{sample.name}: {width} px stick out")
        direction = page.evaluate("document.documentElement.dir")
        if direction != ("rtl" if look == "mirrored" else "ltr"):
            failures.append(f"{sample.name}: written {direction}")
        if page.evaluate(MOVING):
            failures.append(f"{sample.name}: moves for somebody who asked for no motion")
    context.close()
    assert seen, "no page was looked at"
    return failures
