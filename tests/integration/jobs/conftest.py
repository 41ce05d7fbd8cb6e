"""An installation of its own for each test, on SQLite and on PostgreSQL, with a course on a small LMS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lti_tool.bootstrap import Tool, build_tool, make_keys
from lti_tool.settings import Settings, load_settings
from tests import factories
from tests.integration.award_book import grant
from tests.integration.jobs.small_lms import SmallLms


@dataclass(frozen=True)
class Installation:
    """Settings of an installation, and how to open it as a process of its own would."""

    environment: dict[str, str]
    settings: Settings


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Installation:
    """Migrated, with keys; its queue is of the same kind as its database."""
    queue = database_url if database_url.startswith("postgresql") else f"sqlite:///{tmp_path}/queue.sqlite3"
    environment = {
        "LTI_TOOL_ENV": "development",
        "LTI_TOOL_DATA_DIR": str(tmp_path / "data"),
        "LTI_TOOL_DATABASE_URL": database_url,
        "LTI_TOOL_QUEUE_URL": queue,
    }
    return Installation(environment, load_settings(environment))


@pytest.fixture
def open_tool(installation: Installation) -> Iterator[Callable[..., Tool]]:
    """Opens the installation; closed after the test."""
    opened: list[Tool] = []

    def opening(**changes: Any) -> Tool:
        tool = build_tool(installation.settings, **{"mounts": {"https://": SmallLms()}, **changes})
        opened.append(tool)
        return tool

    yield opening
    for tool in opened:
        tool.close()


@pytest.fixture
def tool(open_tool: Callable[..., Tool]) -> Tool:
    """The installation, opened."""
    tool = open_tool()
    make_keys(tool.keyring)
    return tool


@pytest.fixture
def course(tool: Tool) -> factories.Course:
    """A course that was launched from just now, by its teacher."""
    made = factories.course(tool.database, tool.clock())
    grant(tool.database, made)
    return made
