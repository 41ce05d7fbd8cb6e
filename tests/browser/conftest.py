"""A system Chromium, and the web room with sample services behind a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect
from werkzeug.serving import make_server

from tests import needs
from tests.gallery.app import gallery_app, put
from tests.gallery.pages import COOKIES, SamplePage
from tests.translations import write_pseudo_locale
from tests.unit.web.samples import Sample

expect.set_options(timeout=60_000)
"""What comes is waited for as long as a busy machine may take; what is there at once costs nothing."""


def listening() -> socket.socket:
    """A socket on a port of its own: nobody else gets it between its choice and its use."""
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def serving(app: Callable[..., Any], door: socket.socket | None = None) -> Iterator[int]:
    """The WSGI application behind a socket, one of its own unless one is given; the port."""
    with door or listening() as behind:
        server = make_server("127.0.0.1", 0, app, threaded=True, fd=behind.fileno())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


SEND_FORM = """({path, fields}) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = path;
    for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        [input.type, input.name, input.value] = ["hidden", name, value];
        form.append(input);
    }
    document.body.append(form);
    form.requestSubmit();
}"""
STAY = "HTMLFormElement.prototype.submit = () => {}"
"""A page that sends itself on to the platform, which is not there, stays to be looked at."""


class Site:
    """The served pages, and the services behind them."""

    def __init__(self, app: Flask, tool: Sample, url: str) -> None:
        self.app = app
        self.tool = tool
        self.url = url

    def admit(self, context: BrowserContext) -> None:
        """Let a browser see every page of the table, and stay on it."""
        context.add_cookies([{**cookie, "domain": "localhost"} for cookie in COOKIES])
        context.add_init_script(STAY)
        context.route("**/platform-storage.js", lambda route: route.fulfill(body=""))

    def show(self, page: Page, sample: SamplePage, locale: str = "en") -> None:
        """Open one page of the table."""
        self.tool = put(self.app, sample, locale=locale, base_url=self.url)
        if sample.fields is None:
            page.goto(self.url + sample.path)
        else:
            page.goto(f"{self.url}/healthz")
            with page.expect_navigation():
                page.evaluate(SEND_FORM, {"path": sample.path, "fields": dict(sample.fields)})


@pytest.fixture(scope="session")
def pseudo_locale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pseudo_locale(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def site(pseudo_locale: Path) -> Iterator[Site]:
    """Sample pages on a port of their own; ``localhost`` is the tool, ``127.0.0.1`` another site."""
    tool = Sample()
    app = gallery_app(tool, RATELIMIT_ENABLED=False, BABEL_TRANSLATION_DIRECTORIES=str(pseudo_locale))
    with serving(app) as port:
        tool.settings.base_url = f"http://localhost:{port}"
        yield Site(app, tool, tool.settings.base_url)


@pytest.fixture(scope="session")
def browser(chromium_type: BrowserType) -> Iterator[Browser]:
    browser = needs.start_chromium(chromium_type)
    yield browser
    browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1100, "height": 800}, locale="en")
    yield context
    context.close()


def stop_the_clock(page: Page) -> None:
    """No time passes on its pages but what a test says: no timer ends because the machine is slow."""
    page.clock.install(time="2026-11-22T09:30:00Z")
    page.clock.pause_at("2026-11-22T09:30:01Z")


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test on anything a console would complain about."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    yield page
    assert complaints == []
