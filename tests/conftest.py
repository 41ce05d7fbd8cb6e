"""What holds for every test: sockets closed, hypothesis bounded, no setting taken from the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from playwright.sync_api import BrowserType, sync_playwright

from lti_tool.credentials import sandbox, verification
from lti_tool.services import verifying
from lti_tool.store import database

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
def _the_machine_may_be_busy() -> Iterator[None]:
    """Limits in seconds are against strangers; here all calls stay in this process, and how long they take
    says how busy the machine is. A test that is about a limit sets it itself.

    SQLite lets writers in unfairly, and five seconds of a busy machine are too few for eight of them. Who
    waits where waiting is of no use, in a transaction that began by reading, is refused at once all the same.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sandbox, "_START_SECONDS", 60.0)
        patched.setattr(verification._default_canonicaliser, "_seconds", 60.0)
        patched.setattr(verification._default_canonicaliser, "_wait", 60.0)
        patched.setattr(verifying, "READING_SECONDS", 100.0)
        patched.setattr(database, "BUSY_TIMEOUT_SECONDS", 100.0)
        yield
