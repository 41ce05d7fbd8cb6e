"""What some tests need of the machine: a browser, Node (PostgreSQL: tests/databases.py; Redis: the queue's).

Where it is absent the test says so plainly and is left out; with ``REQUIRE=all`` (as CI sets it), or a list
such as ``REQUIRE=chromium,node``, its absence is a failure instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType

REFERENCE = Path(
    os.environ.get("LTI_TOOL_TEST_REFERENCE") or Path(__file__).parents[2] / "shared" / "reference"
)
"""Recordings and vectors that are not part of this repository."""


def chromium() -> str:
    """The path of a system Chromium; skips, or fails where it is required."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    absent("chromium", "no Chromium on this machine (Debian: apt-get install chromium)")


def start_chromium(kind: BrowserType, *arguments: str) -> Browser:
    """The system Chromium, without a window.

    One process renders all sites of a page: where each site has its own, a frame that goes from one site to
    another and back is at times lost to Playwright 1.x on a busy machine (the page is there, its elements are
    never found). Cookies, their partitions and origins stay as they are, for none of them hangs on processes.
    """
    arguments = ("--no-sandbox", "--disable-site-isolation-trials", "--disable-dev-shm-usage", *arguments)
    # Half a minute, the usual limit, is not enough for every busy machine.
    return kind.launch(executable_path=chromium(), args=list(arguments), timeout=120_000)


def node() -> str:
    """The path of Node; skips, or fails where it is required."""
    path = shutil.which("node")
    if path:
        return path
    absent("node", "no Node on this machine (Debian: apt-get install nodejs npm)")


def reference(path: str) -> Path:
    """A file of the reference material; skips where it is not at hand, since it is not ours to ship."""
    found = REFERENCE / path
    if found.exists():
        return found
    pytest.skip(f"the reference material is not at hand: {path}")


def absent(name: str, sentence: str) -> NoReturn:
    """Leave the test out, plainly; or fail it where ``REQUIRE`` names the thing, or all."""
    required = os.environ.get("REQUIRE", "").replace(",", " ").split()
    if "all" in required or name in required:
        pytest.fail(f"{sentence}, and REQUIRE asks for it", pytrace=False)
    pytest.skip(sentence)
