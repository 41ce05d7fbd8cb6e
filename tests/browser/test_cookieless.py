"""Every platform with every outcome for cookies, in a Chromium that really blocks them.

========================================  ==============  ================  ============================
platform                                  cookies taken   partitioned only  none in the platform's frames
========================================  ==============  ================  ============================
Moodle (no storage)                       cookie          cookie            fresh launch in a new window
Canvas (storage, announced)               cookie          cookie            storage, session in the path
other (storage, unannounced: Blackboard)  cookie          cookie            storage, session in the path
other (no storage)                        cookie          cookie            the page says what to do
========================================  ==============  ================  ============================
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, BrowserType, Frame, Page, expect

from tests import needs
from tests.browser.conftest import listening, serving
from tests.browser.test_main_job import CLOUD_URLS, log_in
from tests.databases import fresh_database_url
from tests.databases import sqlite_template as sqlite_template
from tests.journeys import campus as campuses
from tests.journeys.campus import Campus, Product, open_campus
from tests.simulator.app import applications
from tests.simulator.lms import Activity

pytestmark = pytest.mark.chromium

BLACKBOARD: Final = """
if (window === window.top) {
    const kept = new Map();
    window.storageAsked = [];
    addEventListener("message", ({data, source, origin}) => {
        if (!data?.subject?.startsWith("lti.")) return;
        window.storageAsked.push(data.subject);
        const answer = {subject: data.subject + ".response", message_id: data.message_id};
        if (data.subject === "lti.capabilities") answer.supported_messages = [
            {subject: "lti.capabilities"}, {subject: "lti.put_data"}, {subject: "lti.get_data"}];
        if (data.subject === "lti.put_data") kept.set(origin + data.key, data.value);
        if (data.subject !== "lti.capabilities") {
            answer.key = data.key;
            answer.value = kept.get(origin + data.key);
        }
        source.postMessage(answer, origin);
    });
}"""
"""A page of the platform that keeps data and says so only when it is asked."""


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    product: Product
    registered_as: str
    script: str = ""
    storage: bool = False


KINDS: Final = {
    "moodle": Kind("moodle", "moodle"),
    "canvas": Kind("canvas", "canvas", storage=True),
    "unannounced storage": Kind("moodle", "other", BLACKBOARD, storage=True),
    "other without storage": Kind("moodle", "other"),
}
TAKEN, PARTITIONED, BLOCKED = "taken", "partitioned only", "none in the platform's frames"


@dataclass(frozen=True)
class Place:
    """The campus of one row, with a badge in its course and a learner."""

    kind: Kind
    campus: Campus
    activity: Activity


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """LMS and tool on two sites."""
    kind = KINDS[request.param]
    with ExitStack() as stack:
        tool_door, *doors = (stack.enter_context(listening()) for _ in range(1 + len(CLOUD_URLS)))
        monkeypatch.setattr(campuses, "TOOL_URL", f"http://localhost:{tool_door.getsockname()[1]}")
        for name, door in zip(CLOUD_URLS, doors, strict=True):
            monkeypatch.setattr(campuses, name, f"http://127.0.0.1:{door.getsockname()[1]}")
        url = stack.enter_context(fresh_database_url("sqlite", request, tmp_path))
        campus = stack.enter_context(open_campus(url, tmp_path / "data", kind.product))
        activity = campus.placed_badge()
        campus.learner("ada")
        if kind.registered_as != kind.product:
            campus.tool.registrations.add(
                **campus.lms.endpoints, client_id=campus.lms_side.client_id, product=kind.registered_as
            )
        stack.enter_context(serving(campus.app, tool_door))
        platform = applications(campus.lms)
        for name, door in zip(CLOUD_URLS, doors, strict=True):
            app = platform.get(getattr(campuses, name))
            if app is not None:
                stack.enter_context(serving(app, door))
        yield Place(kind, campus, activity)


Opening = Callable[[Place, str], BrowserContext]


@pytest.fixture
def opening(chromium_type: BrowserType, tmp_path: Path) -> Iterator[Opening]:
    """A browser that does with the tool's cookies what a test says."""
    with ExitStack() as stack:
        yield lambda place, cookies: stack.enter_context(
            _browser(chromium_type, tmp_path / "profile", place, cookies)
        )


@contextmanager
def _browser(
    chromium_type: BrowserType, profile: Path, place: Place, cookies: str
) -> Iterator[BrowserContext]:
    """With a profile of its own: what blocks a site's cookies altogether is a preference, and no switch."""
    preferences: dict[str, object] = {}
    if cookies == BLOCKED:
        # The tool's cookies and storage, partitioned ones too, wherever another site's page is around it.
        pattern = f"{campuses.TOOL_URL},{place.campus.lms.base_url}"
        preferences = {
            "profile": {"content_settings": {"exceptions": {"cookies": {pattern: {"setting": 2}}}}}
        }
    folder = profile / "Default"
    folder.mkdir(parents=True)
    (folder / "Preferences").write_text(json.dumps(preferences))
    switches = [] if cookies == TAKEN else ["--test-third-party-cookie-phaseout"]
    context = chromium_type.launch_persistent_context(
        profile,
        executable_path=needs.chromium(),
        args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-site-isolation-trials", *switches],
        locale="en",
        viewport={"width": 1200, "height": 900},
        timeout=120_000,
    )
    try:
        if place.kind.script:
            context.add_init_script(place.kind.script)
        yield context
    finally:
        context.close()


def open_badge(place: Place, context: BrowserContext) -> Page:
    page = log_in(context, place.campus, "Ada Learner")
    page.goto(place.campus.lms.page_of(place.activity))
    return page


def tool_of(page: Page) -> Frame:
    """The tool's frame, wherever it stands."""
    (frame,) = [one for one in page.frames if one.url.startswith(campuses.TOOL_URL)]
    return frame


def sees_the_wallet(page: Page) -> Frame:
    inside = page.frame_locator("#tool_content, #contentframe")
    expect(inside.get_by_role("heading", name="Your badges")).to_be_visible()
    return tool_of(page)


def session_in(frame: Frame) -> str:
    """How the session travels: ``l`` with a cookie, ``s`` in the path."""
    return urlsplit(frame.url).path.split("/")[1]


@pytest.mark.parametrize("cookies", [TAKEN, PARTITIONED, BLOCKED])
def test_every_platform_opens_whatever_the_browser_does_with_cookies(
    place: Place, cookies: str, opening: Opening
) -> None:
    context = opening(place, cookies)
    page = open_badge(place, context)
    if cookies != BLOCKED:
        assert session_in(sees_the_wallet(page)) == "l"
        kept = [one for one in context.cookies() if one["name"].startswith("lti_session_")]
        assert kept
        assert all(one.get("partitionKey") for one in kept)
    elif place.kind.storage:
        frame = sees_the_wallet(page)
        assert session_in(frame) == "s"
        _page_works_without_cookies(page, frame)
        assert not [one for one in context.cookies() if one["name"].startswith("lti_")]
    else:
        _the_way_out_is_shown(place, page, context)
    if place.kind.script:
        assert "lti.put_data" in page.evaluate("window.storageAsked")


def _page_works_without_cookies(page: Page, frame: Frame) -> None:
    """The next page of the session, a reload of it, and no word of its path to anybody."""
    token = urlsplit(frame.url).path.split("/")[2]
    assert len(token) >= 43
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.headers.get("referer", "")))
    frame.evaluate("location.reload()")
    expect(
        page.frame_locator("#tool_content, #contentframe").get_by_role("heading", name="Your badges")
    ).to_be_visible()
    assert not [one for one in asked if token in one]


def _the_way_out_is_shown(place: Place, page: Page, context: BrowserContext) -> None:
    inside = page.frame_locator("#tool_content, #contentframe")
    expect(inside.get_by_text("launch_state_unbound")).to_be_visible()
    expect(inside.get_by_role("link", name="Back to the course")).to_be_visible()
    fresh = inside.get_by_role("link", name=re.compile("Open in a new window"))
    if place.kind.registered_as == "other":
        expect(fresh).to_have_count(0)
        return
    with context.expect_page() as opened:
        fresh.click()
    alone = opened.value
    expect(alone.get_by_role("heading", name="Your badges")).to_be_visible()
    assert urlsplit(alone.url).path.startswith("/l/"), "in a window of its own the cookie is the tool's own"
