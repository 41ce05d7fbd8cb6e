"""The picker in a real browser: several badges at once, by mouse and by keyboard, and without script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lti_tool.services.configuring import Choice
from tests.browser.conftest import Site
from tests.browser.test_keyboard import page_called
from tests.browser.test_main_job import campus as campus
from tests.browser.test_main_job import log_in, tool_frame
from tests.browser.test_main_job import people as people
from tests.databases import sqlite_template as sqlite_template
from tests.journeys.campus import Campus
from tests.journeys.test_choosing import NAMES, library

pytestmark = pytest.mark.chromium


def chosen(site: Site) -> list[Choice]:
    return [call[2] for call in site.tool.calls if call[0] == "choose"]


def test_a_teacher_ticks_two_badges_and_moodle_makes_two_activities(campus: Campus, people: Any) -> None:
    course = library(campus, *NAMES)
    teacher = log_in(people(), campus, "Tamara Teacher")
    teacher.goto(
        f"{campus.lms.base_url}/course/modedit.php?add=lti&course={course.id}&section=1"
        f"&typeid={campus.lms_side.id}"
    )
    teacher.get_by_role("button", name="Select content").click()
    picker = tool_frame(teacher)
    for name in NAMES[:2]:
        picker.get_by_label(f"Add with others: {name}", exact=True).check()
    picker.get_by_role("button", name="Add everything ticked").click()
    expect(teacher.locator("#selectcontentindicator")).to_have_text("Content selected")
    expect(teacher.locator("#several li")).to_have_text(list(NAMES[:2]))
    teacher.get_by_role("button", name="Save and return to course").click()
    for name in NAMES[:2]:
        expect(teacher.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert [activity.name for activity in campus.lms.in_course(course)] == list(NAMES[:2])


@pytest.fixture
def member(context: BrowserContext, site: Site) -> BrowserContext:
    site.admit(context)
    return context


def test_enter_in_a_box_adds_what_is_ticked_and_nothing_else(
    member: BrowserContext, page: Page, site: Site
) -> None:
    """The first button of a form is what Enter presses: it must not be that of the first badge."""
    site.show(page, page_called("picker/usual"))
    page.get_by_label("Add with others: Academic Writing").focus()
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert chosen(site) == [Choice(("micromodule-2",))]


def test_a_badges_own_button_takes_along_what_is_ticked(
    member: BrowserContext, page: Page, site: Site
) -> None:
    site.show(page, page_called("picker/gates"))
    page.get_by_label("Add with others: Took part in the forum").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Add to the course").first.click()
    assert chosen(site) == [Choice(("micromodule-1",), gate_ids=("gate-1",))]


def test_all_of_it_works_without_script_on_a_narrow_screen(browser: Browser, site: Site) -> None:
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, java_script_enabled=False, locale="en"
    )
    try:
        site.admit(context)
        page = context.new_page()
        site.show(page, page_called("picker/editor"))
        page.get_by_label("Add with others: Research Data").check()
        page.get_by_label("Add with others: Academic Writing").check()
        page.get_by_role("button", name="Add everything ticked").click()
        expect(page.get_by_role("heading", name="Back to your course")).to_be_visible()
        assert chosen(site) == [Choice(("micromodule-1", "micromodule-2"))]
    finally:
        context.close()
