"""Signing in to the staff pages: by the fragment of a link, by pasting it without script, out of a frame."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site
from tests.unit.web.sample_views import session
from tests.unit.web.staff_views import HAND_OVER

pytestmark = pytest.mark.chromium


def signed_in_with(site: Site) -> list[str]:
    return [call[1] for call in site.tool.calls if call[0] == "sign_in"]


def test_a_links_fragment_fills_the_form_and_leaves_the_address(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/staff/sign-in#good-link")
    expect(page.get_by_label("Sign-in link")).to_have_value("good-link")
    expect(page.get_by_text("Your link is filled in.")).to_be_visible()
    assert page.url == f"{site.url}/staff/sign-in"
    assert signed_in_with(site) == []  # looking uses nothing up, not even with scripts
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    assert signed_in_with(site) == ["good-link"]
    assert not any("good-link" in url for url in asked)
    page.go_back()
    expect(page.get_by_label("Sign-in link")).to_have_value("")


def test_a_link_is_filled_in_where_the_page_is_open_already(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/staff/sign-in")
    page.goto(f"{site.url}/staff/sign-in#good-link")
    expect(page.get_by_label("Sign-in link")).to_have_value("good-link")
    assert page.url == f"{site.url}/staff/sign-in"
    page.get_by_role("link", name="Skip to the content").press("Enter")
    expect(page).to_have_url(f"{site.url}/staff/sign-in#main")
    expect(page.get_by_label("Sign-in link")).to_have_value("good-link")


def test_a_link_is_pasted_where_no_script_runs(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(f"{site.url}/staff/sign-in#good-link")
    page.get_by_label("Sign-in link").fill(f"{site.url}/staff/sign-in#good-link")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    (cookie,) = [one for one in context.cookies() if one["name"] == "staff_session"]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert [one for one in context.cookies() if one["name"] == "staff_session"] == []
    context.close()


def test_a_link_that_is_used_up_leads_back_to_the_sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/staff/sign-in#used-up")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="This sign-in link does not work any more")).to_be_visible()
    page.get_by_role("link", name="To the sign-in page").click()
    expect(page.get_by_label("Sign-in link")).to_have_value("")


def test_an_administrator_leaves_the_frame_in_a_tab_of_its_own(
    context: BrowserContext, page: Page, site: Site
) -> None:
    site.admit(context)
    site.tool.launching.view = session(is_administrator=True)
    page.goto(f"{site.url}/l/session-1/wallet")
    page.get_by_role("button", name="Staff pages of your organisation").click()
    link = page.get_by_role("link", name="Open the staff pages")
    assert link.get_attribute("href") == HAND_OVER.url
    page.evaluate(
        "(url) => { document.querySelector('a[target=_blank]').href = url }",
        f"{site.url}/staff/sign-in#good-link",
    )
    with context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_label("Sign-in link")).to_have_value("good-link")
    assert opened.value.evaluate("window.opener") is None
