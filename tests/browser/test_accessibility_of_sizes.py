"""Every page in a narrow window, written from right to left, and in large text: nothing sticks out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Site
from tests.browser.looks import look_at
from tests.gallery.pages import PAGES

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("look", ["narrow", "mirrored", "large-text"])
def test_every_page_in_another_size(look: str, browser: Browser, site: Site) -> None:
    assert look_at(browser, site, look, PAGES) == []
