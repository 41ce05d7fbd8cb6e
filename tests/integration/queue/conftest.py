"""A queue of each kind."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lti_tool import queue as module
from lti_tool.queue import Queue
from tests import needs
from tests.databases import BOTH_DATABASES, postgres_database, postgres_server_url

REDIS_URL = "LTI_TOOL_TEST_REDIS_URL"


@pytest.fixture(params=[*BOTH_DATABASES, pytest.param("redis", marks=pytest.mark.loopback)])
def queue_url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty queue: the test runs on SQLite, PostgreSQL and Redis."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/queue.sqlite3"
    elif request.param == "postgresql":
        with postgres_database(postgres_server_url()) as url:
            yield url
    else:
        url = os.environ.get(REDIS_URL, "")
        url = url or needs.absent("redis", f"no Redis for tests: {REDIS_URL} is not set")
        # Keys of its own: another process may test on the same server at the same time.
        monkeypatch.setattr(module, "NAME", f"lti_tool_test_{uuid.uuid4().hex}")
        yield url
        left_behind = Queue(url)
        left_behind._huey.flush()
        left_behind.close()


@pytest.fixture
def queue(queue_url: str) -> Iterator[Queue]:
    """The same, opened."""
    opened = Queue(queue_url)
    yield opened
    while opened.run_one():
        pass
    opened.close()
