"""Finding skills in the form of a badge: while somebody types, with the keyboard, and without a script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site
from tests.unit.web.form_views import PICKERS
from tests.unit.web.sample_views import PICKING
from tests.unit.web.samples import SECRET

pytestmark = pytest.mark.chromium

COOKIE: Any = {
    "name": "lti_session_session-1",
    "value": SECRET,
    "domain": "localhost",
    "path": "/l/session-1/",
}


def open_skills(page: Page, site: Site) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.locator("#alignments > summary").click()


def test_skills_are_found_while_typing_and_taken_without_loading_the_form(
    context: BrowserContext, page: Page, site: Site
) -> None:
    context.add_cookies([COOKIE])
    open_skills(page, site)
    page.evaluate("document.body.dataset.stays = 'yes'")
    page.get_by_label("Assessment").fill("Quiz 1")
    page.get_by_label("Find a skill").press_sequentially("data")
    expect(page.locator("#skill-results li")).to_have_count(2)
    page.locator("#skill-results button").first.click()
    expect(page.locator("#alignment-0-name")).to_have_value("use databases")
    expect(page.get_by_label("Find a skill")).to_be_focused()
    expect(page.get_by_label("Find a skill")).to_have_value("data")
    expect(page.get_by_label("Assessment")).to_have_value("Quiz 1")
    page.locator("button[value=remove_alignment-0]").click()
    expect(page.locator("#alignment-0-name")).to_have_count(0)
    assert page.evaluate("document.body.dataset.stays") == "yes"


def test_enter_in_the_search_searches_and_sends_nothing(
    context: BrowserContext, page: Page, site: Site
) -> None:
    context.add_cookies([COOKIE])
    open_skills(page, site)
    page.evaluate("document.body.dataset.stays = 'yes'")
    page.get_by_label("Find a skill").fill("data")
    page.keyboard.press("Enter")
    expect(page.locator("#skill-results li")).to_have_count(2)
    page.get_by_label("Find a skill").fill("")
    expect(page.locator("#skill-results li")).to_have_count(0)
    assert page.evaluate("document.body.dataset.stays") == "yes"


def test_the_same_by_buttons_without_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en")
    context.add_cookies([COOKIE])
    page = context.new_page()
    open_skills(page, site)
    page.get_by_label("Find a skill").fill("data")
    page.keyboard.press("Enter")
    expect(page.locator("#skill-results li")).to_have_count(2)
    page.locator("#skill-results button").first.click()
    expect(page.locator("#alignment-0-name")).to_have_value("use databases")
    context.close()
