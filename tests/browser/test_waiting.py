"""What scripts do while somebody types, here or in another tab."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site, stop_the_clock
from tests.unit.web.sample_views import COURSES, PICKING, TEACHER, column
from tests.unit.web.samples import SECRET

pytestmark = pytest.mark.chromium

COME_BACK = """
    for (const isHidden of [true, false]) {
        Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }
"""

COUNT_TIMERS = """
    window.timers = 0;
    const begin = window.setTimeout;
    window.setTimeout = (...of) => { window.timers += 1; return begin(...of); };
"""


@pytest.fixture(autouse=True)
def _member(context: BrowserContext) -> None:
    context.add_cookies(
        [{"name": "lti_session_session-1", "value": SECRET, "domain": "localhost", "path": "/l/session-1/"}]
    )


def saved(site: Site) -> list[str]:
    """The names that drafts were saved under, one after the other."""
    return [call[2]["name"] for call in site.tool.calls if call[0] == "save_draft"]


class TestDrafts:
    @pytest.fixture(autouse=True)
    def _form(self, page: Page, site: Site) -> None:
        site.tool.launching.view = PICKING
        stop_the_clock(page)
        page.goto(site.url + "/l/session-1/micromodules/new")

    def test_what_is_typed_is_saved_every_twenty_seconds(self, page: Page, site: Site) -> None:
        status = page.locator("#draft-status")
        page.clock.run_for(60_000)
        assert saved(site) == [], "nothing was typed"
        page.get_by_label("Name", exact=True).fill("Half a")
        page.clock.run_for(10_000)
        page.get_by_label("Name", exact=True).fill("Half a thought")
        page.clock.run_for(11_000)
        expect(status).to_have_text("Draft saved.")
        assert status.get_attribute("role") == "status"
        assert saved(site) == ["Half a thought"]
        page.clock.run_for(60_000)
        assert saved(site) == ["Half a thought"], "nothing more was typed"
        expect(page.get_by_label("Name", exact=True)).to_have_value("Half a thought")

    def test_a_session_that_ended_is_said_and_the_draft_kept(self, page: Page, site: Site) -> None:
        site.tool.launching.is_expired = True
        page.get_by_label("Name", exact=True).fill("Too late")
        page.clock.run_for(21_000)
        expect(page.locator("#draft-status")).to_contain_text("Your session has ended.")
        assert saved(site) == ["Too late"]

    def test_a_server_that_is_away_is_asked_again(self, page: Page, site: Site) -> None:
        save_draft = site.tool.configuring.save_draft

        def fail(*_: object) -> None:
            raise OSError

        site.tool.configuring.save_draft = fail
        page.get_by_label("Name", exact=True).fill("Patience")
        page.clock.run_for(21_000)
        expect(page.locator("#draft-status")).to_contain_text("could not be saved")
        site.tool.configuring.save_draft = save_draft
        page.clock.run_for(21_000)
        expect(page.locator("#draft-status")).to_have_text("Draft saved.")
        assert saved(site) == ["Patience"]

    def test_going_to_another_tab_saves_at_once(self, page: Page, site: Site) -> None:
        page.get_by_label("Name", exact=True).fill("Where is that quiz?")
        page.evaluate(COME_BACK)
        expect(page.locator("#draft-status")).to_have_text("Draft saved.")
        assert saved(site) == ["Where is that quiz?"]

    def test_no_draft_follows_what_was_added_to_the_course(self, page: Page, site: Site) -> None:
        page.route(
            "https://moodle.example.edu/**",
            lambda route: route.fulfill(body="<h1>Moodle</h1>", content_type="text/html"),
        )
        page.get_by_label("Name", exact=True).fill("Done")
        page.get_by_role("button", name="Add to the course").click()
        expect(page.get_by_role("heading", name="Moodle")).to_be_visible()
        page.clock.run_for(60_000)
        assert [call[0] for call in site.tool.calls if call[0] != "preview_artwork"] == ["describe"]


def test_coming_back_from_the_gradebook_looks_at_once(page: Page, site: Site) -> None:
    site.tool.launching.view = TEACHER
    site.tool.course_view = COURSES["waiting"]
    asked: list[float] = []

    def poll(*_: object) -> tuple[object, ...]:
        asked.append(1)
        return column("waiting"), column("waiting")

    site.tool.columns.poll = poll
    stop_the_clock(page)
    page.add_init_script(COUNT_TIMERS)
    page.goto(site.url + "/l/session-1/course")
    for expected in (1, 2):
        begun = page.evaluate("timers")
        page.evaluate(COME_BACK)
        # Until the answer is read, and the next look is due some time.
        while page.evaluate("timers") == begun:
            page.wait_for_timeout(50)
        assert len(asked) == expected
    site.tool.course_view = COURSES["usual"]
    site.tool.columns.poll = lambda *_: (column(), column())
    with page.expect_navigation():
        page.evaluate(COME_BACK)
    expect(page.get_by_text("Grades arrive")).to_be_visible()
