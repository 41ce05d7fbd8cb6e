"""The site in a real browser, third-party cookies blocked: select content, save, launch, set a formula."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import BrowserType, Page
from werkzeug.serving import make_server

from tests.integration.simulator.conftest import ProbeTool
from tests.needs import start_chromium
from tests.simulator.app import application
from tests.simulator.lms import Role
from tests.simulator.moodle.lms import Moodle

pytestmark = pytest.mark.chromium


class Served:
    """A site and the probe tool on ports of their own, the tool under another site name."""

    def __init__(self) -> None:
        self.probe = ProbeTool()
        self.tool_server = make_server("127.0.0.1", 0, self.probe_app(), threaded=True)
        self.tool_url = f"http://localhost:{self.tool_server.server_port}"
        self.lms = Moodle("http://127.0.0.1:1")
        self.lms_server = make_server("127.0.0.1", 0, application(self.lms), threaded=True)
        self.lms.base_url = f"http://127.0.0.1:{self.lms_server.server_port}"
        self.course = self.lms.add_course("MM1", "Open Data")
        teacher = self.lms.add_user("teacher", "Tea", "Cher")
        self.lms.enrol(teacher, self.course, Role.EDITING_TEACHER)
        self.lms.enrol(self.lms.add_user("learner", "Lea", "Rner"), self.course)
        self.lms.add_quiz(self.course, "Quiz 1")
        self.probe.tool_url = self.tool_url
        self.lms.register_tool(
            self.tool_url, name="Probe", login_path="/login", launch_path="/launch", jwks_path="/jwks"
        )
        for server in (self.tool_server, self.lms_server):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def probe_app(self) -> Flask:
        return self.probe.app(lambda: self.lms)

    def close(self) -> None:
        for server in (self.tool_server, self.lms_server):
            server.shutdown()
            server.server_close()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def page(chromium_type: BrowserType) -> Iterator[Page]:
    browser = start_chromium(chromium_type)
    yield browser.new_context().new_page()
    browser.close()


def test_select_content_save_launch_and_set_a_formula(served: Served, page: Page) -> None:
    lms, base = served.lms, served.lms.base_url
    served.probe.content_items = [
        {"type": "ltiResourceLink", "title": "Badge", "lineItem": {"scoreMaximum": 10, "tag": "award"}},
        {"type": "ltiResourceLink", "title": "Wallet"},
    ]
    page.goto(f"{base}/course/view.php?id={served.course.id}")
    page.get_by_role("button", name="Tea Cher").click()
    page.get_by_role("link", name="Probe").click()
    page.get_by_role("button", name="Select content").click()
    page.frame_locator("#contentitem-page-iframe").get_by_role("button", name="Add").click()
    page.get_by_text("Content selected").wait_for()
    assert not [a for a in lms.activities.values() if a.module == "lti"]
    page.get_by_role("button", name="Save and return to course").click()
    page.get_by_role("link", name="Badge", exact=True).click()
    page.frame_locator("#contentframe").get_by_role("heading", name="Hello 3").wait_for()
    assert served.probe.cookies_at_launch[-1] == {"part": "1"}
    assert [a.name for a in lms.activities.values() if a.module == "lti"] == ["Badge", "Wallet"]

    column = lms.gradebook.add_item(served.course.id, "manual", "Mirror", 100)
    page.goto(f"{base}/grade/edit/tree/calculation.php?courseid={served.course.id}&id={column.id}")
    page.get_by_label("Quiz 1").fill("quiz1")
    page.get_by_role("button", name="Add ID numbers").click()
    page.get_by_text("[[quiz1]]").wait_for()
    page.get_by_label("Calculation").fill("=[[quiz1]]")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("heading", name="Grader report").wait_for()
    assert column.formula == "=[[quiz1]]"
