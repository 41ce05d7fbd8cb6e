"""Every page in every state: axe finds nothing, nothing overflows at 320 px, dark and RTL included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lti_tool.credentials.verification import Verdict
from lti_tool.services.launching import SessionView
from tests.browser.conftest import Site
from tests.unit.web.sample_views import COURSES, PICKERS, PICKING, WALLETS, report, session, visitor
from tests.unit.web.samples import SECRET, Sample

pytestmark = pytest.mark.chromium

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": TAGS}}
RULES = {
    # A look can only break what it changes; asking for all four times over takes minutes.
    "wide": EVERYTHING,
    "narrow": {"runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
    "mirrored": None,
}
LOOKS = {
    "wide": {"viewport": {"width": 1100, "height": 800}},
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "dark": {"viewport": {"width": 1100, "height": 800}, "color_scheme": "dark"},
    "mirrored": {"viewport": {"width": 320, "height": 640}, "locale": "ar"},
}

STICKING_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How many pixels have to be scrolled sideways."""


@pytest.fixture(params=LOOKS)
def looking(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[str, BrowserContext]]:
    context = browser.new_context(**LOOKS[request.param])
    yield request.param, context
    context.close()


def pages(tool: Sample, locale: str) -> Iterator[tuple[str, str]]:
    """(name, path) of every page; the services are set for it just before it is asked for."""

    def show(view: SessionView) -> None:
        tool.launching.view = replace(view, locale=locale)

    for name, wallet in WALLETS.items():
        show(session())
        tool.wallet_view = wallet
        yield f"wallet {name}", "/l/session-1/wallet"
    for name, course in COURSES.items():
        show(visitor(name))
        tool.course_view = course
        yield f"course {name}", "/l/session-1/course"
    for name, picker in PICKERS.items():
        show(PICKING)
        tool.picker_view = picker
        yield f"picker {name}", "/l/session-1/picker"
        yield f"form {name}", "/l/session-1/micromodules/new"
    for path in (
        "/",
        "/verify",
        "/credentials/credential-2",
        "/credentials/revoked",
        "/achievements/version-writing",
        "/issuers/issuer-1",
        "/lti/launch",
        "/lti/connect",
        "/_components",
        "/nothing-here",
        "/l/another/wallet",
    ):
        yield path, path


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


@pytest.mark.timeout(900)
def test_every_page(looking: tuple[str, BrowserContext], site: Site) -> None:
    look, context = looking
    locale = "ar" if look == "mirrored" else "en"
    context.add_cookies(
        [{"name": "lti_session_session-1", "value": SECRET, "domain": "localhost", "path": "/l/session-1/"}]
    )
    page = context.new_page()
    failures = []
    for name, path in pages(site.tool, locale):
        page.goto(site.url + path)
        failures += [f"{name}: {trouble}" for trouble in troubles(page, RULES[look])]
        width = page.evaluate(STICKING_OUT)
        if width > 0:
            failures.append(f"{name}: {width} px stick out")
        direction = page.evaluate("document.documentElement.dir")
        if direction != ("rtl" if look == "mirrored" else "ltr"):
            failures.append(f"{name}: written {direction}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdicts(verdict: Verdict, page: Page, site: Site) -> None:
    site.tool.report = report(verdict)
    page.goto(site.url + "/verify")
    page.get_by_label("or its text").fill("{}")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", name="Step by step")).to_be_visible()
    page.wait_for_load_state()
    assert troubles(page) == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(STICKING_OUT) == 0


def test_large_text_and_spacing_break_nothing(context: BrowserContext, site: Site) -> None:
    """WCAG 1.4.12: line, paragraph, letter and word spacing as a reader may set them, text at 200 percent."""
    context.add_cookies(
        [{"name": "lti_session_session-1", "value": SECRET, "domain": "localhost", "path": "/l/session-1/"}]
    )
    page = context.new_page()
    page.set_viewport_size({"width": 640, "height": 800})
    for path in ("/l/session-1/wallet", "/verify", "/credentials/credential-2"):
        page.goto(site.url + path)
        page.evaluate(
            """() => {
                const sheet = new CSSStyleSheet();
                sheet.replaceSync(`html { font-size: 200% } * { line-height: 1.5 !important;
                    letter-spacing: 0.12em !important; word-spacing: 0.16em !important }`);
                document.adoptedStyleSheets = [sheet];
            }"""
        )
        assert page.evaluate(STICKING_OUT) <= 0, path


def test_axe_is_awake(page: Page, site: Site) -> None:
    page.goto(site.url + "/verify")
    page.evaluate("document.querySelector('label').remove()")
    assert any(trouble.startswith("label:") for trouble in troubles(page))
