"""What holds for every test: sockets closed, hypothesis bounded, no setting taken from the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from playwright.sync_api import BrowserType, sync_playwright

from lti_tool.credentials import sandbox, verification

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

IN_PEACE = [hypothesis.HealthCheck.too_slow]
"""How long an example takes to be drawn says how busy the machine is, and nothing about the code."""

hypothesis.settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=IN_PEACE,
)
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=IN_PEACE)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback, and nothing else, to the tests that say they need it."""
    for item in items:
        if any(item.get_closest_marker(name) for name in ("loopback", "chromium", "postgresql", "node")):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def chromium_type() -> Iterator[BrowserType]:
    """What starts Chromium. One for the whole test process: a second Playwright in it refuses to start."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(autouse=True)
def _settings_of_this_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LTI_TOOL_") and not name.startswith("LTI_TOOL_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _no_badge_is_refused_because_the_machine_is_busy() -> None:
    """The verifier's limits of seconds are against strangers; a test that is about one sets it itself."""
    sandbox._START_SECONDS = 60.0  # type: ignore[misc]
    verification._default_canonicaliser._seconds = 60.0
    verification._default_canonicaliser._wait = 60.0
