"""The main job in a real browser: an LMS page, the tool in its frame, third-party cookies blocked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, BrowserType, FrameLocator, Page, expect

from tests import needs
from tests.browser.conftest import listening, serving
from tests.databases import fresh_database_url
from tests.databases import sqlite_template as sqlite_template
from tests.journeys import campus as campuses
from tests.journeys.campus import Campus, open_campus
from tests.simulator.app import application, applications

pytestmark = pytest.mark.chromium


@pytest.fixture
def campus(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Campus]:
    """LMS on ``127.0.0.1``, tool on ``localhost``: two sites, as in production."""
    with ExitStack() as stack:
        tool_door, lms_door = (stack.enter_context(listening()) for _ in range(2))
        monkeypatch.setattr(campuses, "TOOL_URL", f"http://localhost:{tool_door.getsockname()[1]}")
        monkeypatch.setattr(campuses, "LMS_URL", f"http://127.0.0.1:{lms_door.getsockname()[1]}")
        url = stack.enter_context(fresh_database_url("sqlite", request, tmp_path))
        campus = stack.enter_context(open_campus(url, tmp_path / "data"))
        stack.enter_context(serving(campus.app, tool_door))
        stack.enter_context(serving(application(campus.lms), lms_door))
        yield campus


CLOUD_URLS = ("LMS_URL", "NEIGHBOUR_URL", "CLOUD_URL")


def keeping_no_cookie(app: Any) -> Any:
    """The tool, for a browser that takes none of its cookies, not even in a partition of their own."""

    def served(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [h for h in headers if h[0].lower() != "set-cookie"], *more)

        return app(environ, start)

    return served


@pytest.fixture(params=["with partitioned cookies", "without any cookie"])
def canvas_campus(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Campus]:
    """Two institutions and the host they share, each on a port of its own; the tool on another site."""
    with ExitStack() as stack:
        tool_door, *doors = (stack.enter_context(listening()) for _ in range(1 + len(CLOUD_URLS)))
        monkeypatch.setattr(campuses, "TOOL_URL", f"http://localhost:{tool_door.getsockname()[1]}")
        for name, door in zip(CLOUD_URLS, doors, strict=True):
            monkeypatch.setattr(campuses, name, f"http://127.0.0.1:{door.getsockname()[1]}")
        url = stack.enter_context(fresh_database_url("sqlite", request, tmp_path))
        campus = stack.enter_context(open_campus(url, tmp_path / "data", "canvas"))
        tool = keeping_no_cookie(campus.app) if "without" in request.param else campus.app
        stack.enter_context(serving(tool, tool_door))
        platform = applications(campus.lms)
        for name, door in zip(CLOUD_URLS, doors, strict=True):
            app = platform.get(getattr(campuses, name))
            if app is not None:
                stack.enter_context(serving(app, door))
        yield campus


@pytest.fixture
def people(chromium_type: BrowserType) -> Iterator[Any]:
    """Browser contexts in a Chromium that blocks third-party cookies."""
    browser = needs.start_chromium(chromium_type, "--test-third-party-cookie-phaseout")
    yield lambda: browser.new_context(viewport={"width": 1200, "height": 900}, locale="en")
    browser.close()


def log_in(context: BrowserContext, campus: Campus, name: str) -> Page:
    page = context.new_page()
    page.goto(f"{campus.lms.base_url}{campus.lms.login_path}")
    page.get_by_role("button", name=name).click()
    return page


def tool_frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe").first


def test_a_quiz_earns_its_badge(campus: Campus, people: Any) -> None:
    teacher_context = people()
    teacher = log_in(teacher_context, campus, "Tamara Teacher")

    # The teacher describes a micromodule in the dialogue of the course and saves the activity.
    teacher.goto(
        f"{campus.lms.base_url}/course/modedit.php?add=lti&course={campus.course.id}&section=1"
        f"&typeid={campus.lms_side.id}"
    )
    teacher.get_by_role("button", name="Select content").click()
    picker = tool_frame(teacher)
    picker.get_by_label("Name", exact=True).fill("Open Data Basics")
    picker.get_by_label("Assessment").fill("Quiz 1")
    # Chromium ignores autofocus in a frame of another site: what was asked for is shown all the same.
    picker.get_by_role("button", name="Try it").click()
    expect(picker.locator("#in-words")).to_be_focused()
    expect(picker.locator("#in-words")).to_contain_text("Quiz 1: at least 60 %")
    picker.get_by_label("At least").fill("many")
    picker.get_by_role("button", name="Add to the course").click()
    # Nothing that was typed is lost.
    expect(picker.get_by_role("alert")).to_contain_text("Enter a number.")
    expect(picker.get_by_label("Assessment")).to_have_value("Quiz 1")
    picker.get_by_label("At least").fill("60")
    picker.get_by_role("button", name="Add to the course").click()
    expect(teacher.locator("#selectcontentindicator")).to_have_text("Content selected")
    teacher.get_by_role("button", name="Save and display").click()

    # The first run: a mirror is there, its formula goes in in a tab of its own, and the page notices.
    course = tool_frame(teacher)
    expect(course.get_by_role("heading", name="Set up this badge")).to_be_visible()
    formula = course.get_by_role("textbox", name="Formula").input_value()
    assert formula == "=[[quiz1]]"
    with teacher_context.expect_page() as opened:
        course.get_by_role("link", name="Open the formula page").click()
    gradebook = opened.value
    gradebook.get_by_label("Calculation").fill(formula)
    gradebook.get_by_role("button", name="Save changes").click()
    expect(gradebook).not_to_have_url(re.compile(r"/calculation\.php"))
    gradebook.close()

    # A learner below the bar sees what is missing; the teacher's page has noticed the first value.
    campus.take_quiz("ada", 40)
    learner_context = people()
    learner = log_in(learner_context, campus, "Ada Learner")
    address = teacher.url
    learner.goto(address)
    wallet = tool_frame(learner)
    expect(wallet.get_by_text("40 of 100 points, 20 points more are needed")).to_be_visible()
    expect(course.get_by_text("Values arrive")).to_be_visible()
    expect(wallet.get_by_text("Nothing is given yet")).to_be_visible()
    course.get_by_role("button", name="Publish").click()
    expect(course.get_by_text("Grades arrive")).to_be_visible()

    # Who passes has the badge at the next visit.
    campus.take_quiz("ada", 80)
    learner.goto(address)
    expect(wallet.get_by_role("heading", name="Open Data Basics")).to_be_visible()
    cookies = [cookie for cookie in learner_context.cookies() if cookie["name"].startswith("lti_session_")]
    assert cookies
    assert all(cookie.get("partitionKey") for cookie in cookies)

    # Shared, it convinces a stranger.
    wallet.get_by_text("Only you can see it").click()
    wallet.get_by_role("button", name="Share this badge").click()
    public_url = wallet.get_by_role("textbox", name="Address of the badge").input_value()
    employer = people().new_page()
    employer.goto(public_url)
    expect(employer.get_by_role("heading", name="Open Data Basics")).to_be_visible()
    # Three letters may stand in a key or a signature by chance.
    assert "Ada" not in re.sub(r"\bz[1-9A-HJ-NP-Za-km-z]{40,}", "", employer.content())
    employer.get_by_role("button", name="Verify now").click()
    expect(employer.get_by_role("heading", name="This badge is genuine")).to_be_visible()

    # Chromium 156 sends no partitioned cookie for a link with the attribute `download`.
    for file in ("Signed badge (JSON)", "Picture with the badge inside (PNG)"):
        with learner.expect_download() as download:
            wallet.get_by_role("link", name=file).click()
        assert download.value.failure() is None

    wallet.get_by_role("button", name="Stop sharing").click()
    expect(wallet.get_by_text("Only you can see it")).to_be_visible()
    stranger = people().new_page()
    assert (answer := stranger.goto(public_url)) is not None
    assert answer.status == 404


def test_a_quiz_earns_its_badge_in_canvas(canvas_campus: Campus, people: Any) -> None:
    """The whole way in the frame of an institution; the login's secret lies in Canvas's storage frame."""
    campus = canvas_campus
    teacher = log_in(people(), campus, "Tamara Teacher")
    teacher.goto(f"{campus.lms.base_url}/courses/{campus.course.id}/assignments/new")
    teacher.get_by_role("button", name="Find LTI Badges").click()
    picker = teacher.frame_locator("#tool_content")
    picker.get_by_label("Name", exact=True).fill("Open Data Basics")
    picker.get_by_label("Assessment").fill("Quiz 1")
    picker.get_by_role("button", name="Add to the course").click()
    expect(teacher.get_by_text("Content selected")).to_be_visible()
    teacher.get_by_role("button", name="Save").click()
    teacher.get_by_role("link", name="Open Data Basics").click()
    course = teacher.frame_locator("#tool_content")
    course.get_by_role("button", name="Create the column").click()
    expect(course.get_by_text("Waiting for values")).to_be_visible()
    course.get_by_role("button", name="Publish").click()
    expect(course.get_by_role("button", name="Publish")).not_to_be_visible()

    address = teacher.url
    campus.learner("ada")
    campus.take_quiz("ada", 80)
    context = people()
    learner = log_in(context, campus, "Ada Learner")
    learner.goto(address)
    wallet = learner.frame_locator("#tool_content")
    expect(wallet.get_by_role("heading", name="Open Data Basics")).to_be_visible()
    wallet.get_by_text("Only you can see it").click()
    wallet.get_by_role("button", name="Share this badge").click()
    public_url = wallet.get_by_role("textbox", name="Address of the badge").input_value()
    employer = people().new_page()
    employer.goto(public_url)
    expect(employer.get_by_role("heading", name="Open Data Basics")).to_be_visible()
    kept = learner.evaluate("Object.keys(localStorage)")
    assert [key for key in kept if key.startswith(f"lti|platform_storage|{campuses.TOOL_URL}|")]
    frames = [frame.url for frame in learner.frames if frame.url.startswith(campuses.TOOL_URL)]
    cookies = [cookie for cookie in context.cookies() if cookie["name"].startswith("lti_session_")]
    assert bool(cookies) == ("/s/" not in frames[0]), "a session by cookie, or by path"


def test_two_frames_on_one_page_do_not_clash(campus: Campus, people: Any) -> None:
    activity = campus.placed_badge()
    campus.learner("ada")
    page = log_in(people(), campus, "Ada Learner")
    source = f"{campus.lms.base_url}/mod/lti/launch.php?id={activity.id}"
    page.evaluate(
        """source => {
            for (let number = 0; number < 3; number++) {
                const frame = document.createElement("iframe");
                frame.src = source;
                document.body.append(frame);
            }
        }""",
        source,
    )
    for number in range(3):
        heading = page.frame_locator("iframe").nth(number).get_by_role("heading", name="Your badges")
        expect(heading).to_be_visible()
