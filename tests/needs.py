"""What some tests need of the machine: a browser, Node (PostgreSQL: tests/databases.py).

Where it is absent the test says so plainly and is left out; with ``REQUIRE=all`` (as CI sets it), or a list
such as ``REQUIRE=chromium,node``, its absence is a failure instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

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
    _absent("chromium", "no Chromium on this machine (Debian: apt-get install chromium)")


def node() -> str:
    """The path of Node; skips, or fails where it is required."""
    path = shutil.which("node")
    if path:
        return path
    _absent("node", "no Node on this machine (Debian: apt-get install nodejs npm)")


def reference(path: str) -> Path:
    """A file of the reference material; skips where it is not at hand, since it is not ours to ship."""
    found = REFERENCE / path
    if found.exists():
        return found
    pytest.skip(f"the reference material is not at hand: {path}")


def _absent(name: str, sentence: str) -> NoReturn:
    required = os.environ.get("REQUIRE", "").replace(",", " ").split()
    if "all" in required or name in required:
        pytest.fail(f"{sentence}, and REQUIRE asks for it", pytrace=False)
    pytest.skip(sentence)
