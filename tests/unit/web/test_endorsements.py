"""Endorsements on pages: what a stranger, a reader and a hostile endorser get to see."""

from __future__ import annotations

import io

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.services import endorsing as limits
from lti_tool.services.form_problems import FormProblem
from lti_tool.web.endorsement_words import endorsement_problem
from tests.unit.web.samples import SECRET, Sample

CSRF = f"csrf-of-{SECRET}"


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    """A browser that holds the cookie of a staff session."""
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def test_an_accepted_endorsement_is_public_json(client: FlaskClient) -> None:
    answer = client.get("/endorsements/endorsement-2")
    assert (answer.status_code, answer.mimetype) == (200, "application/vc+ld+json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in answer.headers["Cache-Control"]
    again = client.get("/endorsements/endorsement-2", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_any_other_does_not_exist(client: FlaskClient) -> None:
    assert client.get("/endorsements/endorsement-1").status_code == 404


def test_a_public_page_shows_for_whom_a_signature_speaks_beside_the_name(client: FlaskClient) -> None:
    page = BeautifulSoup(client.get("/issuers/issuer-1").text, "html5lib")
    section = page.select_one("section[aria-labelledby=endorsements-title]")
    assert section is not None
    assert "Chamber of Crafts" in section.text
    assert "badges.example.edu" in section.text
    assert "did:key:z6Mk" in section.text
    # a name is a claim of somebody elsewhere, and text
    assert section.select("b") == []


def test_a_file_larger_than_any_endorsement_is_refused_in_the_form(
    app: Flask, staff: FlaskClient, tool: Sample
) -> None:
    large = b"x" * (app.config["MAX_CONTENT_LENGTH"] + 1)
    answer = staff.post(
        "/staff/endorsements/import", data=large, content_type="multipart/form-data; boundary=part"
    )
    assert answer.status_code == 413
    assert f"at most {limits.FILE_BYTES // 1024} kB" in answer.text
    assert tool.calls == []


def test_a_file_is_handed_over_as_it_is(staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post(
        "/staff/endorsements/import", data={"csrf_token": CSRF, "file": (io.BytesIO(b"{}"), "e.json")}
    )
    assert answer.location == "/staff/endorsements?done=endorsement_imported"
    assert [(call[0], *call[2:]) for call in tool.calls] == [("import_endorsement", b"{}")]


@pytest.mark.parametrize(
    "code",
    [
        one
        for one in FormProblem
        if "endorse" in one.value or one in (FormProblem.NOT_SIGNABLE, FormProblem.TOO_MANY_WAIT)
    ],
)
def test_every_problem_has_its_sentence(app: Flask, code: FormProblem) -> None:
    with app.test_request_context("/"):
        sentence = endorsement_problem(code.value, {"detail": "signature_wrong"})
    assert sentence is not None
    assert sentence.endswith((".", ": "))


@pytest.mark.parametrize("why,word", [("token", "JWT"), ("too_large", "large"), ("not_json_ld", "3.0")])
def test_why_a_badge_cannot_carry_one_is_said(app: Flask, why: str, word: str) -> None:
    with app.test_request_context("/"):
        assert word in (endorsement_problem("endorsement_not_embeddable", {"why": why}) or "")
