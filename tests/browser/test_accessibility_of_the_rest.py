"""Every rule of axe on the pages between those of ``test_accessibility.py``."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Site
from tests.browser.looks import look_at
from tests.gallery.pages import PAGES

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(1800)]


def test_the_other_pages_in_the_usual_look(browser: Browser, site: Site) -> None:
    assert look_at(browser, site, "wide", PAGES[1::2]) == []
