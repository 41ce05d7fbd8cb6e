"""The way back into the course: only where the LMS itself signed it, with what it is told in a safe form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.errors import ErrorCode, LaunchRefused, NotAllowed, NotFound
from lti_tool.web import returning
from tests.gallery.pages import MEMBER, refusing
from tests.translations import PSEUDO_LOCALE, write_pseudo_locale
from tests.unit.web.samples import Sample, sample_app

WALLET = f"{MEMBER}/wallet"
MOODLE = "https://moodle.example.edu/mod/lti/return.php?course=2&launch_container=3&sesskey=aB%2BcD"
CANVAS = "https://school.instructure.com/courses/1/external_content/success/external_tool_redirect"


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pseudo_locale(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def app(tool: Sample, pseudo: Path) -> Flask:
    return sample_app(tool, RATELIMIT_ENABLED=False, BABEL_TRANSLATION_DIRECTORIES=str(pseudo))


def refused(**changes: Any) -> LaunchRefused:
    error = LaunchRefused(ErrorCode.LAUNCH_EXPIRED)
    for name, value in changes.items():
        setattr(error, name, value)
    return error


def way(url: str | None, product: str | None = "canvas") -> LaunchRefused:
    return refused(return_url=url, product=product)


def back_of(text: str) -> str | None:
    """Where the page leads back to."""
    page = BeautifulSoup(text, "html5lib")
    links = page.find_all("a", target="_top")
    return str(links[0]["href"]) if links else None


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://lms.example/back", "https://lms.example/back?lti_errorlog=x"),
        ("https://lms.example/back?", "https://lms.example/back?lti_errorlog=x"),
        ("https://lms.example/back?a=1", "https://lms.example/back?a=1&lti_errorlog=x"),
        ("https://lms.example/back?a=1&", "https://lms.example/back?a=1&lti_errorlog=x"),
        ("https://lms.example/back?a=%20+b&c", "https://lms.example/back?a=%20+b&c&lti_errorlog=x"),
        ("https://lms.example/back#part", "https://lms.example/back?lti_errorlog=x#part"),
        (MOODLE, f"{MOODLE}&lti_errorlog=x"),
    ],
)
def test_what_is_told_is_added_to_a_query_that_stays_as_it_is(url: str, expected: str) -> None:
    assert returning.back_to_course(error_log="x", way=way(url)) == expected


def test_texts_are_quoted_cut_and_of_one_line(app: Flask) -> None:
    with app.test_request_context():
        url = returning.back_to_course(
            message="Ä&b=c#d\r\nSet-Cookie: x",
            error="e" * 2000,
            log="done",
            error_log="code",
            way=way(CANVAS),
        )
    assert url is not None
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "lti_log": "done",
        "lti_errorlog": "code",
        "lti_msg": "Ä&b=c#d Set-Cookie: x",
        "lti_errormsg": "e" * 500,
    }
    assert url.startswith(CANVAS + "?")


def test_where_an_address_would_become_too_long_the_person_still_gets_back() -> None:
    longest = "https://lms.example/?" + "a" * 1900
    url = returning.back_to_course(error="ü" * 500, message="ü" * 500, way=way(longest))
    assert url == longest


def test_moodle_is_told_codes_only_since_a_message_would_stand_in_the_course_s_place() -> None:
    url = returning.back_to_course(
        error="It went wrong.", error_log="launch_expired", way=way(MOODLE, "moodle")
    )
    assert url == f"{MOODLE}&lti_errorlog=launch_expired"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/course/view.php",
        "https://lms.example@evil.example/",
        "https://lms.example\\@evil.example/",
        "https://lms.example/\nLocation: https://evil.example",
        "ftp://lms.example/",
        "https://",
    ],
)
def test_what_is_no_plain_address_leads_nowhere(app: Flask, url: str | None) -> None:
    with app.test_request_context():
        assert returning.back_to_course(error="x", way=way(url)) is None


def test_no_visitor_chooses_where_the_page_leads(member: FlaskClient, tool: Sample) -> None:
    """Open redirect: parameters, headers and form fields are nobody's signature."""
    refusing(NotFound(ErrorCode.NOT_FOUND))(tool)
    asked = "?return_url=https://evil.example&lti_return_url=https://evil.example&lti_errormsg=x"
    answer = member.get(
        WALLET + asked, headers={"Referer": "https://evil.example/", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil.example" not in answer.text
    assert back_of(answer.text) == f"{tool.launching.view.return_url}&lti_errorlog=not_found"


def launch(client: FlaskClient, tool: Sample, error: LaunchRefused, **headers: str) -> str:
    def validate(*_: object) -> None:
        raise error

    tool.launch_validator.validate = validate
    answer = client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"}, headers=headers)
    assert answer.status_code == error.status
    return answer.text


def test_a_refused_launch_leads_back_where_the_platform_signed_it(client: FlaskClient, tool: Sample) -> None:
    error = refused(return_url=CANVAS, product="canvas", locale="en")
    back = back_of(launch(client, tool, error))
    assert back is not None
    told = dict(parse_qsl(urlsplit(back).query))
    assert told["lti_errorlog"] == "launch_expired"
    assert told["lti_errormsg"].endswith(".")
    assert back_of(launch(client, tool, refused())) is None


def test_a_refused_launch_speaks_the_language_of_the_launch(client: FlaskClient, tool: Sample) -> None:
    text = launch(client, tool, refused(locale=PSEUDO_LOCALE), **{"Accept-Language": "en"})
    assert f'<html lang="{PSEUDO_LOCALE}"' in text
    text = launch(client, tool, refused(), **{"Accept-Language": PSEUDO_LOCALE})
    assert f'<html lang="{PSEUDO_LOCALE}"' in text, "the browser's, where no signed token says"


@pytest.mark.parametrize(
    "path, status",
    [(WALLET, 403), (f"{MEMBER}/no-such-page", 404), (f"{MEMBER}/wallet/more", 404)],
)
def test_a_page_of_a_session_that_is_over_speaks_its_language_and_leads_back(
    member: FlaskClient, tool: Sample, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But nothing of the session is on it."""
    tool.launching.view = replace(tool.launching.view, locale=PSEUDO_LOCALE, learner_name="Ada Lovelace")
    open_session = tool.launching.open_session

    def over(*arguments: Any, even_expired: bool = False) -> Any:
        if not even_expired:
            raise NotAllowed(ErrorCode.SESSION_EXPIRED)
        return open_session(*arguments, even_expired=even_expired)

    monkeypatch.setattr(tool.launching, "open_session", over)
    answer = member.get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == status
    assert f'<html lang="{PSEUDO_LOCALE}"' in answer.text
    assert str(tool.launching.view.return_url).replace("&", "&amp;") in answer.text
    assert "Ada" not in answer.text
    assert str(tool.launching.view.context_title) not in answer.text


def test_whoever_holds_no_token_learns_nothing_of_a_session(client: FlaskClient, tool: Sample) -> None:
    answer = client.get(f"{MEMBER}/no-such-page")
    assert answer.status_code == 404
    assert "moodle.example.edu" not in answer.text


def test_a_posted_form_that_is_too_large_leads_back_too(member: FlaskClient, app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    answer = member.post(f"{MEMBER}/course/sync", data={"csrf_token": "x" * 100})
    assert answer.status_code == 413
    assert back_of(answer.text) is not None
