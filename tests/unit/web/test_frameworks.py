"""Importing frameworks on the staff pages, and picking skills in the form of a badge."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.achievement_details import MAXIMUM_ALIGNMENTS
from lti_tool.services.framework_files import LARGEST_FILE, FileProblem
from lti_tool.web.skills import as_row
from lti_tool.web.staff import frameworks as page
from tests.unit.web import staff_views as views
from tests.unit.web.form_views import FORM
from tests.unit.web.framework_views import FOUND, IMPORTED, SKILL
from tests.unit.web.samples import SECRET, Sample

CSRF = f"csrf-of-{SECRET}"
FORM_PAGE = "/l/session-1/micromodules/new"


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    """A browser that holds the cookie of a staff session."""
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def send(staff: FlaskClient, content: bytes, **fields: str) -> TestResponse:
    data: dict[str, Any] = {"csrf_token": CSRF, "version": "", **fields}
    return post(staff, "/staff/frameworks", {**data, "file": (io.BytesIO(content), "skills_en.csv")})


def post(staff: FlaskClient, path: str, data: dict[str, Any]) -> TestResponse:
    answer = staff.post(path, data=data)
    answer.request.environ["wsgi.input"].close()  # werkzeug's test client leaves its spooled file open
    return answer


# -- the staff pages


def test_a_file_is_handed_on_whole_and_the_page_says_what_came_of_it(
    staff: FlaskClient, tool: Sample
) -> None:
    kept: dict[str, Any] = {}

    def take(_by: object, content: bytes, **given: Any) -> Any:
        kept.update(given, content=content)
        return IMPORTED

    tool.frameworks.import_file = take
    content = b"a" * (3 * 1024 * 1024)
    answer = send(staff, content, version="v1.2.0")
    assert answer.status_code == 200
    assert kept == {"content": content, "file_name": "skills_en.csv", "version": "v1.2.0"}
    assert "ESCO: 13939 skills are there now (12 new, 3 changed, 1 removed)." in answer.text


def test_more_than_any_framework_is_refused_in_the_form(staff: FlaskClient, tool: Sample) -> None:
    answer = send(staff, b"x" * (LARGEST_FILE + 128 * 1024))
    assert (answer.status_code, tool.calls) == (413, [])
    assert "at most 24 MB" in answer.text


def test_no_other_form_becomes_larger_by_it(staff: FlaskClient) -> None:
    data = {"csrf_token": CSRF, "file": (io.BytesIO(b"x" * 1024 * 1024), "x.csv")}
    assert post(staff, "/staff/frameworks/framework-1/remove", data).status_code == 413


@pytest.mark.parametrize("path", ["/staff/frameworks", "/staff/frameworks/framework-1/remove"])
def test_nothing_happens_without_the_token_of_the_session(
    path: str, staff: FlaskClient, tool: Sample
) -> None:
    assert staff.post(path, data={"csrf_token": "forged"}).status_code == 400
    assert tool.calls == []


def test_a_reader_sees_the_list_and_no_control(staff: FlaskClient, tool: Sample) -> None:
    tool.staffing.view = views.staff(StaffRole.READER)
    shown = BeautifulSoup(staff.get("/staff/frameworks").text, "html5lib").main
    assert shown is not None
    assert "ESCO" in shown.get_text()
    assert shown.find(["form", "input", "button"]) is None
    assert send(staff, b"x").status_code == 403
    assert staff.get("/staff/frameworks/framework-1/remove").status_code == 403
    assert tool.calls == []


@pytest.mark.parametrize("problem", list(FileProblem))
def test_every_problem_has_a_sentence_beside_the_field(
    problem: FileProblem, staff: FlaskClient, tool: Sample
) -> None:
    params = {"limit": 24, "line": "line 7", "name": "conceptUri", "given": "<b>x</b>"}

    def refuse(*_: object, **__: object) -> None:
        raise RequestInvalid(ErrorCode.FRAMEWORK_FILE_INVALID, problem=problem, **params)

    tool.frameworks.import_file = refuse
    answer = send(staff, b"x")
    assert answer.status_code == 422
    sentence = BeautifulSoup(answer.text, "html5lib").find(id="file-problem")
    assert sentence is not None
    assert len(sentence.get_text()) > 30
    assert "<b>x" not in answer.text


# -- the form of a badge


def press(member: FlaskClient, action: str, **fields: str) -> BeautifulSoup:
    answer = member.post(FORM_PAGE, data={**FORM, "csrf_token": CSRF, "action": action, **fields})
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html5lib")


def value(shown: BeautifulSoup, name: str) -> str | None:
    field = shown.select_one(f'[name="{name}"]')
    return None if field is None else str(field["value"])


def test_skills_are_found_and_taken_over_by_buttons_alone(member: FlaskClient) -> None:
    shown = press(member, "find_skills", skill_query="data")
    buttons = [str(button["value"]) for button in shown.select("#skill-results button")]
    assert buttons == [f"add_skill-{skill.id}" for skill in FOUND["usual"].skills]
    assert shown.select("details[open] #skill-results"), "what was found is not folded away"
    shown = press(member, buttons[0], skill_query="data")
    assert value(shown, "alignment-0-name") == "use databases"
    assert value(shown, "alignment-0-url") == "http://data.europa.eu/esco/skill/1"
    assert value(shown, "alignment-0-framework") == "ESCO v1.2.0"
    assert value(shown, "alignment-0-type") == "ceasn:Competency"
    assert value(shown, "name") == FORM["name"], "what was typed before is still there"
    assert shown.select("#skill-results button"), "the next one can be taken at once"


def test_enter_in_the_search_presses_the_first_button_and_finds(member: FlaskClient) -> None:
    assert press(member, "preview", skill_query="data").select("#skill-results button")
    assert not press(member, "preview", skill_query="").select("#skill-results button")


def test_a_skill_is_taken_once_and_one_that_is_gone_loses_nothing(member: FlaskClient) -> None:
    there = {"alignment-0-name": "use databases", "alignment-0-url": SKILL.url}
    shown = press(member, f"add_skill-{SKILL.id}", **there)
    assert value(shown, "alignment-1-name") is None
    for id_ in ("gone", "", "../x", "é"):
        shown = press(member, f"add_skill-{id_}", **there)
        assert value(shown, "alignment-0-url") == SKILL.url
        assert value(shown, "name") == FORM["name"]


def test_rows_are_added_and_removed_and_a_blank_one_makes_room(member: FlaskClient) -> None:
    shown = press(member, "add_alignment")
    assert value(shown, "alignment-0-name") == ""
    shown = press(member, "remove_alignment-0", **{"alignment-0-name": "a", "alignment-1-name": "b"})
    assert (value(shown, "alignment-0-name"), value(shown, "alignment-1-name")) == ("b", None)
    for number in ("9", "x", "²", "", 5_000 * "9"):
        action = f"remove_alignment-{number}"
        shown = press(member, action, **{"alignment-0-name": "a"})
        assert value(shown, "alignment-0-name") == "a"


def test_no_more_skills_are_taken_than_a_badge_holds(member: FlaskClient) -> None:
    full = {
        f"alignment-{n}-{part}": f"https://x.example/{n}"
        for n in range(MAXIMUM_ALIGNMENTS)
        for part in ("name", "url")
    }
    for action in (f"add_skill-{SKILL.id}", "add_alignment"):
        shown = press(member, action, **full)
        assert value(shown, f"alignment-{MAXIMUM_ALIGNMENTS}-name") is None


def test_the_script_asks_for_the_results_alone(member: FlaskClient) -> None:
    answer = member.get("/l/session-1/micromodules/skills?q=data")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    found = BeautifulSoup(answer.get_json()["html"], "html5lib")
    assert len(found.select("button[name=action]")) == 2
    assert found.b is None, "names come from other people's files"
    assert member.get("/l/session-1/micromodules/skills?q=%20").get_json() == {"html": ""}


def test_a_learner_gets_no_results(member: FlaskClient, tool: Sample) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)

    tool.frameworks.search_in_course = refuse
    assert member.get("/l/session-1/micromodules/skills?q=data").status_code == 403


def test_a_framework_whose_name_is_long_is_named_without_its_version() -> None:
    long = replace(SKILL, framework="f" * 200)
    assert as_row(long).framework == "f" * 200
    assert as_row(replace(SKILL, version=None)).framework == "ESCO"


def test_the_language_of_a_framework_is_said_in_words(app: Flask) -> None:
    with app.test_request_context():
        assert page.language_word("de") == "German"
        assert page.language_word("xx-nonsense-tag") == "xx-nonsense-tag"
