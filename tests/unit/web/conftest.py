"""A client that reads every page as strictly as a browser, a screen reader and an auditor together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import html5lib
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.web.samples import SECRET, Sample, sample_app

_LABELLED = ("input", "select", "textarea")


def problems_of(html: str, csp: str) -> Iterator[str]:
    """Everything that is wrong with one page."""
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(html)
    for position, code, values in parser.errors:
        yield f"HTML5: {code} {values} at {position}"
    page = BeautifulSoup(html, "html5lib")
    root = page.find("html")
    assert root is not None
    if not root.get("lang") or root.get("dir") not in ("ltr", "rtl"):
        yield "html has no lang or dir"
    headings = page.find_all("h1")
    if len(headings) != 1:
        yield f"{len(headings)} h1"
    title = page.title.get_text() if page.title else ""
    if not headings or not title.startswith(headings[0].get_text(" ", strip=True)):
        yield f"title {title!r} does not begin with the h1"
    yield from _ids(page)
    yield from _names(page)
    yield from _outline(page)
    yield from _landmarks(page)
    nonce = re.search(r"'nonce-([^']+)'", csp)
    for script in page.find_all("script"):
        if script.get("nonce") is None and str(script.get("src", "")).startswith("/static/"):
            continue  # 'self' covers a file of ours
        if nonce is None or script.get("nonce") != nonce[1]:
            yield f"script without this answer's nonce: {script}"
    for element in page.find_all(True):
        if element.get("style") is not None or element.name == "style":
            yield f"inline style: {element.name}"
        if handlers := [name for name in element.attrs if name.startswith("on")]:
            yield f"inline handler: {handlers}"
    for form in page.find_all("form"):
        if not form.get("action"):
            yield "form without action"
    for link in page.find_all("a", target="_blank"):
        if "noopener" not in link.get("rel", []):
            yield f"new tab without noopener: {link}"
        if link.find(class_="unseen") is None:
            yield f"new tab without a word about it: {link.get_text(strip=True)}"


def _ids(page: BeautifulSoup) -> Iterator[str]:
    ids = [element["id"] for element in page.find_all(id=True)]
    for id_ in {id_ for id_ in ids if ids.count(id_) > 1}:
        yield f"id {id_!r} is used {ids.count(id_)} times"
    for attribute in ("for", "aria-labelledby", "aria-describedby"):
        for element in page.find_all(attrs={attribute: True}):
            value = element[attribute]
            for id_ in value.split() if isinstance(value, str) else value:
                if id_ not in ids:
                    yield f"{attribute}={id_!r} points nowhere"
    for link in page.find_all("a", href=re.compile("^#.")):
        if link["href"][1:] not in ids:
            yield f"link to {link['href']} points nowhere"


def _names(page: BeautifulSoup) -> Iterator[str]:
    labels = {label.get("for") for label in page.find_all("label")}
    for field in page.find_all(_LABELLED):
        if field.get("type") in ("hidden", "submit"):
            continue
        if field.get("id") not in labels and not field.get("aria-label"):
            yield f"field without label: {field.get('name') or field.get('id')}"
    for image in page.find_all("img"):
        if image.get("alt") is None:
            yield f"img without alt: {image.get('src')}"
    for control in page.find_all(["button", "a"]):
        if not control.get_text(strip=True) and not control.get("aria-label"):
            yield f"{control.name} without a name"
    for meter in page.find_all("progress"):
        if not meter.get("aria-label"):
            yield "progress without a name"
    for table in page.find_all("table"):
        if table.caption is None:
            yield "table without caption"
        if any(not cell.get("scope") for cell in table.find_all("th")):
            yield "th without scope"
    if len(page.find_all("main")) != 1:
        yield "not exactly one main"


def _landmarks(page: BeautifulSoup) -> Iterator[str]:
    names = [nav.get("aria-label") or nav.get("aria-labelledby") for nav in page.find_all("nav")]
    if None in names or len(set(names)) != len(names):
        yield f"navigations that cannot be told apart: {names}"
    skip = page.find(class_="skip")
    if skip is None or skip != page.find(["a", "button", "input"]) or skip.get("href") != "#main":
        yield "the page does not begin with a way to its content"
    if page.find(attrs={"data-live": True}) and page.find(id="live-message", role="status") is None:
        yield "what changes by itself is not said in a live region"
    if page.find(attrs={"data-poll": True}) and page.find(role="status") is None:
        yield "what is waited for is not said in a live region"


def _outline(page: BeautifulSoup) -> Iterator[str]:
    before = 0
    for heading in page.find_all(re.compile("^h[1-6]$")):
        level = int(heading.name[1])
        if level > before + 1:
            yield f"h{level} after h{before}: {heading.get_text(strip=True)}"
        before = level


class LintingClient(FlaskClient):
    """Fails the test when a page has a problem."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        if response.mimetype == "text/html" and response.data and response.status_code not in (301, 302, 303):
            csp = response.headers["Content-Security-Policy"]
            found = list(problems_of(response.get_data(as_text=True), csp))
            assert not found, "\n".join([f"{response.request.path}:", *found])
        return response


@pytest.fixture
def tool() -> Sample:
    return Sample()


@pytest.fixture
def app(tool: Sample) -> Flask:
    app = sample_app(tool, TESTING=False, RATELIMIT_ENABLED=False)
    app.test_client_class = LintingClient
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A stranger's browser."""
    return app.test_client()


@pytest.fixture
def member(app: Flask, tool: Sample) -> FlaskClient:
    """A browser that holds the cookie of the sample session."""
    client = app.test_client()
    client.set_cookie("lti_session_session-1", SECRET, path="/l/session-1/", domain="localhost")
    return client
