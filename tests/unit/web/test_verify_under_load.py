"""A stranger who keeps the verifier busy keeps nobody from a launch.

The application gets four threads, as many as a web process of ``lti-tool serve`` (``config/granian.toml``).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from lti_tool.outbound.client import Answer
from lti_tool.services.verifying import Turnstile, Verifying
from tests.unit.credentials.badges import badge, signed
from tests.unit.web.sample_views import BASE_URL, NOW
from tests.unit.web.samples import Sample, sample_app

THREADS = 4
WAIT = 60.0
"""Seconds that the second one waits here, so that who waits behind it is told from a machine that is slow."""
PATIENCE = 30.0


class Tarpit:
    """A stranger's server, which answers when the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def request(self, *arguments: Any, **named: Any) -> Answer:
        self.over.wait(90)
        return Answer(404, {}, b"", "https://tarpit.example/", {})

    @contextmanager
    def freed_at_the_end(self) -> Iterator[None]:
        """However the block ends: nobody waits for those that are still held."""
        try:
            yield
        finally:
            self.over.set()


@pytest.fixture
def tarpit() -> Iterator[Tarpit]:
    made = Tarpit()
    yield made
    made.over.set()


@pytest.fixture
def process(tarpit: Tarpit) -> Flask:
    tool = Sample()
    issuing = SimpleNamespace(published=lambda path: None)
    tool.verifying = Verifying(  # type: ignore[assignment]
        tarpit,  # type: ignore[arg-type]
        lambda: NOW,
        issuing,  # type: ignore[arg-type]
        tool.public,  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
        BASE_URL,
        turnstile=Turnstile(WAIT),
    )
    return sample_app(tool, RATELIMIT_ENABLED=False)


def post(app: Flask, path: str, **request: Any) -> tuple[int, str | None]:
    answer = app.test_client().post(path, **request)
    return answer.status_code, answer.headers.get("Retry-After")


def test_launches_are_answered_while_strangers_keep_the_verifier_busy(process: Flask, tarpit: Tarpit) -> None:
    with ThreadPoolExecutor(THREADS) as threads, tarpit.freed_at_the_end():
        hostile: list[Future[tuple[int, str | None]]] = [
            threads.submit(post, process, path, data={"url": "https://tarpit.example/1"})
            for path in ("/verify", "/api/verify") * 6
        ]
        launch = threads.submit(post, process, "/lti/launch", data={})
        health = threads.submit(lambda: process.test_client().get("/healthz").status_code)
        honest = threads.submit(post, process, "/verify", data={"text": json.dumps(signed())})
        assert launch.result(PATIENCE)[0] == 303
        assert health.result(PATIENCE) == 200
        assert honest.result(PATIENCE) == (503, "5")
        tarpit.over.set()
        answers = [one.result(PATIENCE) for one in hostile]
    assert {status for status, _ in answers} == {400, 503}
    assert all((status == 503) == (retry_after is not None) for status, retry_after in answers)


def test_an_honest_badge_is_judged_while_hostile_ones_are_posted(process: Flask, tarpit: Tarpit) -> None:
    tarpit.over.set()
    large = signed(badge())
    large["credentialSubject"]["achievement"]["alignment"] = [
        {"type": ["Alignment"], "targetName": "x", "targetUrl": f"https://x.example/{number}"}
        for number in range(1500)
    ]
    body = json.dumps(large).encode()
    assert len(body) > 100_000
    with ThreadPoolExecutor(THREADS) as threads:
        hostile = [threads.submit(post, process, "/api/verify", data=body) for _ in range(40)]
        began = time.monotonic()
        statuses = []
        while 200 not in statuses and time.monotonic() < began + PATIENCE:
            honest = threads.submit(post, process, "/api/verify", data=json.dumps(signed()).encode())
            statuses.append(honest.result(PATIENCE)[0])
        assert 200 in statuses
        assert set(statuses) <= {200, 503}
        assert {one.result(PATIENCE)[0] for one in hostile} <= {200, 503}
