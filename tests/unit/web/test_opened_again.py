"""Addresses that take forms only, opened again: a reload, a bookmark, the address bar after a 409 or 422."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.web import opened_again
from tests.unit.web.samples import Sample, sample_app

PROGRAMS = ("/api/", "/lti/")


def form_only(app: Flask) -> Iterator[tuple[str, str]]:
    """(endpoint, address) of every page route that takes a form and cannot be opened by the same rule."""
    opened = {rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    for rule in app.url_map.iter_rules():
        if rule.rule in opened or rule.rule.startswith(PROGRAMS) or "POST" not in (rule.methods or set()):
            continue
        path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
        yield rule.endpoint, re.sub(r"<(?:\w+:)?(\w+)>", r"\1-1", path)


ADDRESSES = sorted(form_only(sample_app(Sample())))


@pytest.mark.parametrize("endpoint,address", ADDRESSES, ids=[address for _, address in ADDRESSES])
def test_an_address_that_takes_a_form_leads_to_the_page_of_the_form(
    endpoint: str, address: str, app: Flask, client: FlaskClient
) -> None:
    for method in ("GET", "HEAD"):
        answer = client.open(address, method=method)
        assert answer.status_code == 303, "name the page of this form in web/opened_again.py"
    opened, named = app.url_map.bind("localhost").match(answer.location, "GET")
    assert opened == opened_again.PAGES[endpoint]
    # It is of the same session and the same thing.
    assert all(value in address.split("/") for value in named.values())
    assert "?" not in answer.location


def test_the_table_names_no_form_that_is_gone() -> None:
    assert {endpoint for endpoint, _ in ADDRESSES} == set(opened_again.PAGES)


@pytest.mark.parametrize("method,address", [("GET", "/api/verify"), ("PUT", "/staff/members")])
def test_what_is_no_page_that_somebody_opens_stays_refused(
    method: str, address: str, client: FlaskClient
) -> None:
    assert client.open(address, method=method).status_code == 405
