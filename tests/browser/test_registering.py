"""Registering in a frame of the LMS: the page tells it when to close, and notices what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site, serving
from tests.gallery.registering_pages import OFFERED
from tests.unit.web.connection_views import DONE, STANDINGS

pytestmark = pytest.mark.chromium

AROUND = """<!doctype html><title>LMS</title><iframe src="{url}" width="800" height="600"></iframe>
<script>window.heard = []; addEventListener("message", (event) => heard.push(event.data));</script>"""


@contextmanager
def framed(page: Page, url: str) -> Iterator[None]:
    """The LMS's page, on another site, with the tool in its frame."""

    def lms(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [AROUND.format(url=url).encode()]

    with serving(lms) as port:
        page.goto(f"http://127.0.0.1:{port}/manage")
        yield


def test_the_platform_is_told_to_close_the_frame(page: Page, site: Site) -> None:
    with framed(page, f"{site.url}/lti/register/done?of={DONE}"):
        button = page.frame_locator("iframe").get_by_role("button", name="Close, and go on in the platform")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("heard.length > 0")
        assert page.evaluate("heard") == [{"subject": "org.imsglobal.lti.close"}]


def test_agreeing_in_the_frame_needs_no_cookie(context: BrowserContext, page: Page, site: Site) -> None:
    with framed(page, site.url + OFFERED):
        frame = page.frame_locator("iframe")
        frame.get_by_role("button", name="Connect").click()
        expect(frame.get_by_role("heading", level=1)).to_have_text("Registered. What is still to do")
    assert context.cookies() == []


def test_outside_a_frame_there_is_nothing_to_close(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/lti/register/done?of={DONE}")
    expect(page.get_by_text("go back to its list of tools now")).to_be_visible()
    expect(page.locator("#close")).to_be_hidden()


def test_the_page_notices_when_it_works(page: Page, site: Site) -> None:
    page.clock.install()
    page.goto(f"{site.url}/lti/register/done?of={DONE}")
    expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    site.tool.inviting.standing_view = STANDINGS["working"]
    page.clock.run_for(6_000)
    expect(page.locator("#standing")).to_contain_text("The connection works")
    expect(page.locator("#live-message")).to_have_text("The connection works")
