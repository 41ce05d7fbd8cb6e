"""Every rule of axe on every other page, and that the looking itself sees something."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site
from tests.browser.looks import MOVING, look_at, troubles
from tests.gallery.pages import PAGES

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(1800)]


def test_every_other_page_in_the_usual_look(browser: Browser, site: Site) -> None:
    assert look_at(browser, site, "wide", PAGES[::2]) == []


def test_axe_is_awake(page: Page, site: Site) -> None:
    page.goto(site.url + "/verify")
    page.evaluate("document.querySelector('label').remove()")
    assert any(trouble.startswith("label:") for trouble in troubles(page))


def test_what_moves_is_noticed(page: Page, site: Site) -> None:
    page.goto(site.url + "/verify")
    page.evaluate("document.body.animate([{opacity: 0}, {opacity: 1}], {duration: 60000})")
    assert page.evaluate(MOVING) == 1
