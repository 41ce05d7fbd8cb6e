"""Every page walked with the keyboard alone: each control reached in order, seen, and left again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site
from tests.gallery.pages import MEMBER, PAGES, SamplePage

pytestmark = pytest.mark.chromium

NUMBER_CONTROLS = """() => {
    // What the keyboard has to reach, in the order of the document, which is the order of reading.
    const wanted = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const controls = [...document.querySelectorAll(wanted)].filter((one) => {
        if (one.disabled || one.type === "hidden" || one.tabIndex < 0 || !one.checkVisibility()) return false;
        if (one.type !== "radio") return true;
        // A group of radio buttons is one stop, at the chosen one; the arrows go on from there.
        const group = [...document.getElementsByName(one.name)];
        return one === (group.find((other) => other.checked) ?? group[0]);
    });
    controls.forEach((one, number) => { one.dataset.walk = number; });
    return controls.map((one) => one.tagName + " " + (one.id || one.textContent.trim().slice(0, 40)));
}"""

STANDING = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const place = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    const [x, y] = [place.left + place.width / 2, place.top + place.height / 2];
    const top = document.elementFromPoint(x, y);
    return {
        number: one.dataset.walk === undefined ? null : Number(one.dataset.walk),
        name: one.tagName + " " + (one.id || one.textContent.trim().slice(0, 40)),
        isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        isInside: place.left >= -1 && place.right <= innerWidth + 1
            && place.bottom > 0 && place.top < innerHeight,
        // A tall region may begin above; a control whose middle something else covers is obscured.
        isCovered: y >= 0 && y <= innerHeight && top !== null && !one.contains(top) && !top.contains(one),
        size: [place.width, place.height],
    };
}"""


@pytest.fixture
def walker(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1100, "height": 640}, locale="en", reduced_motion="reduce"
    )
    site.admit(context)
    yield context.new_page()
    context.close()


FIRST_STATES = tuple({(page.method, page.path): page for page in reversed(PAGES)}.values())
"""Each page once, in the first of its states: for what no state changes."""


def stand(page: Page) -> dict[str, Any] | None:
    """Where the focus is."""
    return page.evaluate(STANDING)  # type: ignore[no-any-return]


def begin(page: Page) -> None:
    """The focus before everything, whatever the page focused by itself."""
    page.evaluate("""() => {
        const start = document.createElement("span");
        start.tabIndex = -1;
        document.body.prepend(start);
        start.focus();
    }""")


def walk(page: Page) -> Iterator[str]:
    """Press Tab until the page is left; yields what would keep somebody from using it."""
    controls = page.evaluate(NUMBER_CONTROLS)
    begin(page)
    expected = 0
    # A field of a date is several stops, one for each of its parts.
    for _ in range(4 * len(controls) + 5):
        page.keyboard.press("Tab")
        here = stand(page)
        if here is None or (here["number"] == 0 and expected == len(controls)):
            break  # left for the browser's own controls, or around to the beginning
        if here["number"] is None:
            yield f"{here['name']} takes the focus and is no control"
            continue
        if here["number"] not in (expected, expected - 1):
            missed = controls[expected : here["number"]] or [f"back to {here['name']}"]
            yield f"out of order: {missed}"
        expected = here["number"] + 1
        if not here["isMarked"]:
            yield f"{here['name']} shows no focus"
        if not here["isInside"] or here["isCovered"]:
            yield f"{here['name']} is not in sight while it has the focus"
    else:
        yield "the focus is trapped"
    if expected != len(controls):
        yield f"never reached: {controls[expected:]}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("width", [1100, 320])
def test_every_page_is_walked(width: int, walker: Page, site: Site) -> None:
    walker.set_viewport_size({"width": width, "height": 640})
    failures = []
    for sample in PAGES if width == 1100 else FIRST_STATES:
        site.show(walker, sample)
        failures += [f"{sample.name}: {trouble}" for trouble in walk(walker)]
    assert not failures, "\n".join(failures)


def test_every_page_lets_its_beginning_be_skipped(walker: Page, site: Site) -> None:
    for sample in FIRST_STATES:
        site.show(walker, sample)
        begin(walker)
        walker.keyboard.press("Tab")
        link = walker.locator(".skip")
        expect(link).to_be_focused()
        box = link.bounding_box()
        assert box is not None
        assert box["y"] >= 0, f"{sample.name}: the link is not seen"
        walker.keyboard.press("Enter")
        expect(walker.locator("main")).to_be_focused()


def test_what_opens_is_opened_and_closed_by_both_keys(walker: Page, site: Site) -> None:
    opened = 0
    for sample in FIRST_STATES:
        site.show(walker, sample)
        for summary in walker.locator("summary").all():
            if not summary.is_visible():
                continue
            summary.focus()
            is_open = summary.evaluate("(one) => one.parentElement.open")
            for key in ("Enter", "Space"):
                walker.keyboard.press(key)
                is_open = not is_open
                assert summary.evaluate("(one) => one.parentElement.open") is is_open, (sample.name, key)
            opened += 1
    assert opened


def page_called(name: str) -> SamplePage:
    return next(page for page in PAGES if page.name == name)


@pytest.fixture
def member(context: BrowserContext, site: Site) -> BrowserContext:
    site.admit(context)
    return context


class TestWithoutAMouse:
    """What people come for, done with Tab, Space, Enter and arrow keys."""

    def tab_to(self, page: Page, name: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if name in page.evaluate("document.activeElement.textContent"):
                return
        raise AssertionError(f"{name} is not reached")

    def test_a_learner_shares_a_badge(self, member: BrowserContext, page: Page, site: Site) -> None:
        site.show(page, page_called("wallet/usual"))
        self.tab_to(page, "Only you can see it")
        page.keyboard.press("Space")
        self.tab_to(page, "Share this badge")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        shared = [call[2:] for call in site.tool.calls if call[0] == "set_public"]
        assert shared == [("credential-3", True)]

    def test_a_teacher_reads_the_course_now(self, member: BrowserContext, page: Page, site: Site) -> None:
        site.show(page, page_called("course/usual"))
        self.tab_to(page, "Read now")
        with page.expect_navigation():
            page.keyboard.press("Space")
        assert "start_sync" in [call[0] for call in site.tool.calls]

    def test_a_wide_table_is_scrolled(self, member: BrowserContext, page: Page, site: Site) -> None:
        page.set_viewport_size({"width": 320, "height": 640})
        site.show(page, page_called("course/usual"))
        table = page.locator(".table-frame").first
        table.focus()
        page.keyboard.press("ArrowRight")
        # The browser scrolls smoothly, and the page's own policy lets nothing wait in it by a text of code.
        for _ in range(100):
            if table.evaluate("frame => frame.scrollLeft"):
                break
            page.wait_for_timeout(50)
        assert table.evaluate("frame => frame.scrollLeft") > 0

    def test_a_teacher_describes_a_micromodule(self, member: BrowserContext, page: Page, site: Site) -> None:
        site.show(page, page_called("form/usual"))
        page.get_by_label("Name", exact=True).focus()
        page.keyboard.press("Control+a")
        page.keyboard.type("Research Data")
        self.tab_to(page, "Picture")
        page.keyboard.press("Enter")
        page.get_by_label("Shape").focus()
        before = page.get_by_label("Shape").input_value()
        page.keyboard.press("ArrowDown")
        assert page.get_by_label("Shape").input_value() != before
        self.tab_to(page, "Add to the course")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}{MEMBER}/micromodules/new")
        expect(page.get_by_role("heading", name="Back to your course")).to_be_visible()
        described = [call[2] for call in site.tool.calls if call[0] == "describe"]
        assert [form.name for form in described] == ["Research Data"]

    def test_enter_in_a_field_adds_nothing_to_the_course(
        self, member: BrowserContext, page: Page, site: Site
    ) -> None:
        site.show(page, page_called("form/usual"))
        page.get_by_label("Name", exact=True).fill("Half a thought")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.get_by_label("Name", exact=True)).to_have_value("Half a thought")
        assert "describe" not in [call[0] for call in site.tool.calls]

    def test_a_problem_takes_the_focus_and_leads_to_its_field(
        self, member: BrowserContext, page: Page, site: Site
    ) -> None:
        site.show(page, page_called("form/problems"))
        expect(page.locator("#problems")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_a_trap_is_noticed(walker: Page, site: Site) -> None:
    site.show(walker, page_called("verify/empty"))
    walker.evaluate("""() => {
        document.querySelector("#url").addEventListener("keydown", (event) => {
            if (event.key === "Tab") event.preventDefault();
        });
    }""")
    assert any("trapped" in trouble or "out of order" in trouble for trouble in walk(walker))


def test_a_hidden_focus_is_noticed(walker: Page, site: Site) -> None:
    site.show(walker, page_called("verify/empty"))
    walker.evaluate("document.querySelector('#url').style.outline = 'none'")
    assert any("shows no focus" in trouble for trouble in walk(walker))
