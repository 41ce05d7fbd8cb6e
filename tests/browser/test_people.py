"""Choosing many learners, and files that are looked at before they travel: with script and without."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.browser.conftest import Site
from tests.gallery.people_pages import ATTEST, HAND_IN
from tests.unit.services.evidence_samples import PDF
from tests.unit.web.people_views import ATTESTS, EVIDENCE
from tests.unit.web.sample_views import TEACHER
from tests.unit.web.samples import SECRET

pytestmark = pytest.mark.chromium

COOKIE: Any = {
    "name": "lti_session_session-1",
    "value": SECRET,
    "domain": "localhost",
    "path": "/l/session-1/",
}
EVERYBODY = len(ATTESTS["usual"].page.rows)


@pytest.fixture
def member(context: BrowserContext) -> BrowserContext:
    """A browser that holds the sample session's cookie."""
    context.add_cookies([COOKIE])
    return context


def attachment(name: str, content: bytes = PDF) -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": content}


@pytest.mark.usefixtures("member")
def test_everybody_on_the_page_is_chosen_and_let_go_with_the_keyboard(page: Page, site: Site) -> None:
    site.tool.launching.view = TEACHER
    page.goto(site.url + ATTEST)
    page.get_by_label("Reason").fill("gave the talk")
    button = page.get_by_role("button", name="Choose everybody on this page")
    button.focus()
    page.keyboard.press("Space")
    boxes = page.locator("input[name=learner_id]:checked")
    expect(boxes).to_have_count(EVERYBODY)
    expect(page.locator("[data-chosen]")).to_have_text(f"{EVERYBODY} chosen")
    expect(page.get_by_label("Reason")).to_have_value("gave the talk")
    page.get_by_label("Alan Turing").uncheck()
    expect(page.locator("[data-chosen]")).to_have_text(f"{EVERYBODY - 1} chosen")
    page.get_by_role("button", name="Choose everybody on this page").press("Enter")
    page.get_by_role("button", name="Choose nobody").click()
    expect(boxes).to_have_count(0)
    page.get_by_label("Emmy Noether").check()
    with page.expect_navigation(url=re.compile("done=attested")):
        page.get_by_role("button", name="Confirm for the chosen").click()
    assert site.tool.calls[-1][4:] == (["learner-3"], "gave the talk")


def test_everybody_is_chosen_without_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([COOKIE])
    site.tool.launching.view = TEACHER
    page = context.new_page()
    page.goto(site.url + ATTEST)
    page.get_by_text("Choose everybody on this page").click()
    expect(page.locator("input[name=learner_id]:checked")).to_have_count(EVERYBODY)
    context.close()


@pytest.mark.usefixtures("member")
def test_a_file_too_large_is_told_before_it_travels(page: Page, site: Site) -> None:
    site.tool.submissions.view = lambda *_: EVIDENCE["returned"]
    site.tool.submissions.max_file_bytes = 5_242_880
    page.goto(site.url + HAND_IN)
    files = page.locator("#files")
    said = page.locator("#files-now")
    files.set_input_files([attachment("film.pdf", b"x" * 5_242_881)])
    expect(said).to_have_text("“film.pdf” is too large: at most 5 MB.")
    page.get_by_role("button", name="Hand in").click()
    assert not site.tool.calls
    files.set_input_files([attachment("a.pdf"), attachment("b.pdf")])
    expect(said).to_contain_text("too many files")
    page.get_by_label("trees.ods").uncheck()
    expect(said).to_be_hidden()
    with page.expect_navigation(url=re.compile("done=handed-in")):
        page.get_by_role("button", name="Hand in").click()
    given = site.tool.calls[-1][4]
    assert [file.name for file in given.files] == ["a.pdf", "b.pdf"]
    assert given.kept == ("file-1",)


@pytest.mark.usefixtures("member")
def test_a_file_is_downloaded_and_never_shown(page: Page, site: Site) -> None:
    site.tool.submissions.view = lambda *_: EVIDENCE["waiting"]
    page.goto(site.url + HAND_IN)
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Shade report.pdf").click()
    assert downloaded.value.suggested_filename.endswith(".pdf")
    assert page.url.endswith(HAND_IN)
