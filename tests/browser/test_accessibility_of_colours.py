"""Every page in dark and forced colours: everything can be told apart."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Site
from tests.browser.looks import look_at
from tests.gallery.pages import PAGES

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("look", ["dark", "forced-colours"])
def test_every_page_in_other_colours(look: str, browser: Browser, site: Site) -> None:
    assert look_at(browser, site, look, PAGES) == []
