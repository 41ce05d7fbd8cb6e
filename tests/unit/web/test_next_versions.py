"""The pages of next versions: two steps, the second with what was seen, and nothing for whoever may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.criteria import EvidenceAccepted, EvidenceKind
from lti_tool.domain.differences import Said, differences
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.next_version import Answer
from lti_tool.web.version_words import whats_new
from tests.gallery.version_pages import ANSWER, COURSE, CSRF, STAFF
from tests.unit.web import next_version_views as views
from tests.unit.web import staff_views
from tests.unit.web.sample_views import TEACHER, session
from tests.unit.web.samples import SECRET, Sample

FORM = {**CSRF, **views.FORM.to_fields(), "revision": "version-data"}


@pytest.fixture
def teacher(member: FlaskClient, tool: Sample) -> FlaskClient:
    tool.launching.view = TEACHER
    return member


@pytest.fixture
def staff(app: Flask, tool: Sample) -> FlaskClient:
    """A browser of an editor."""
    tool.staffing.view = staff_views.staff(StaffRole.EDITOR)
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def names(tool: Sample) -> list[str]:
    return [str(call[0]) for call in tool.calls]


@pytest.mark.parametrize("path", [COURSE, f"{COURSE}/review", f"{COURSE}/holders"])
@pytest.mark.parametrize("who", [session(), replace(TEACHER, is_read_only=True)])
def test_whoever_may_not_change_the_course_sees_and_changes_nothing(
    member: FlaskClient, tool: Sample, who: Any, path: str
) -> None:
    tool.launching.view = who
    assert member.get(path).status_code == 403
    assert member.post(path, data=ANSWER).status_code in (403, 405)
    assert tool.calls == []


def test_readers_of_the_staff_pages_prepare_nothing(staff: FlaskClient, tool: Sample) -> None:
    tool.staffing.view = staff_views.staff(StaffRole.READER)
    for path in (STAFF, f"{STAFF}/review", f"{STAFF}/holders", "/staff/versions/skills?q=data"):
        assert staff.get(path).status_code == 403
    assert staff.post(STAFF, data=FORM).status_code == 403
    assert tool.calls == []


@pytest.mark.parametrize("path", [COURSE, f"{COURSE}/review"])
def test_a_forged_form_does_nothing(teacher: FlaskClient, tool: Sample, path: str) -> None:
    assert teacher.post(path, data={**FORM, **ANSWER, "csrf_token": "forged"}).status_code == 400
    assert tool.calls == []


def test_what_is_typed_is_kept_and_the_next_page_shows_what_changes(
    teacher: FlaskClient, tool: Sample
) -> None:
    answer = teacher.post(COURSE, data={**FORM, "action": "compare"})
    assert (answer.status_code, answer.location) == (303, f"{COURSE}/review")
    assert names(tool) == ["save_version"]
    page = BeautifulSoup(teacher.get(f"{COURSE}/review").text, "html5lib")
    (first,) = page.select("form button[tabindex='-1']")
    assert first["value"] == "holders", "Enter publishes nothing"
    (text,) = page.select("textarea")
    assert "Quiz 1: at least 80 % (until now: Quiz 1: at least 60 %)" in text.text


def test_publishing_sends_what_was_seen(teacher: FlaskClient, tool: Sample) -> None:
    answer = teacher.post(f"{COURSE}/review", data={**ANSWER, "policy": "now"})
    assert answer.status_code == 303
    ((_name, _author, micromodule_id, said, *_rest),) = [
        call for call in tool.calls if call[0] == "publish_version"
    ]
    assert (micromodule_id, said) == ("micromodule-1", Answer("New.", "now"))


@pytest.mark.parametrize("typed", [None, "Ask the library."])
def test_only_what_somebody_wrote_of_what_is_new_is_kept(
    teacher: FlaskClient, tool: Sample, typed: str | None
) -> None:
    page = BeautifulSoup(teacher.get(f"{COURSE}/review").text, "html5lib")
    (text,) = page.select("textarea")
    said = typed or text.text.strip().replace("\n", "\r\n")
    answer = teacher.post(f"{COURSE}/review", data={**ANSWER, "whats_new": said, "action": "holders"})
    assert (answer.status_code, answer.location) == (303, f"{COURSE}/holders")
    kept = [call[3].whats_new for call in tool.calls if call[0] == "answer_version"]
    assert kept[-1] == (typed or ""), "what was proposed is proposed anew, by what differs then"


@pytest.mark.parametrize(
    "wrong", [{"whats_new": ""}, {"policy": "burn"}, {"policy": "date", "expires_on": "soon"}]
)
def test_what_cannot_be_carried_out_is_not_published(
    teacher: FlaskClient, tool: Sample, wrong: dict[str, str]
) -> None:
    assert teacher.post(f"{COURSE}/review", data={**ANSWER, **wrong}).status_code == 422
    assert "publish_version" not in names(tool)


def test_what_cannot_be_saved_is_said_on_the_form(staff: FlaskClient, tool: Sample) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RequestInvalid(ErrorCode.FORM_INVALID, problems=(Problem("criteria", FormProblem.NOTHING_NEW),))

    tool.versions.compare = refuse  # type: ignore[method-assign]
    for answer in (staff.get(f"{STAFF}/review"), staff.post(f"{STAFF}/review", data=ANSWER)):
        assert answer.status_code == 422
        assert "Nothing differs from what is published." in answer.text
    assert "publish_version" not in names(tool)


def test_a_version_can_be_discarded(staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post(STAFF, data={**FORM, "action": "discard"})
    assert (answer.status_code, answer.location) == (303, "/staff/micromodules/micromodule-1")
    assert names(tool) == ["discard_version"]


def test_staff_draw_and_search_on_their_own_pages(staff: FlaskClient) -> None:
    page = BeautifulSoup(staff.get(STAFF).text, "html5lib")
    (form,) = page.select("form.describe")
    assert form["data-artwork"] == "/staff/versions/artwork.svg"
    assert staff.get(str(form["data-artwork"])).mimetype == "image/svg+xml"
    (search,) = page.select("#skill-search")
    assert staff.get(f"{search['data-results']}?q=data").status_code == 200
    assert "/l/" not in str(form)


def test_the_text_for_holders_begins_with_every_difference(app: Flask) -> None:
    with app.test_request_context():
        lines = whats_new(views.FOUND).splitlines()
    assert "No longer asked for: Talk: confirmed by a teacher" in lines
    assert "Skills, new: Licences" in lines
    assert "Skills, no longer: FAIR principles" in lines
    assert "It has a new picture." in lines
    assert any(line.startswith("Credits: 2 ECTS") for line in lines)


def test_what_a_rule_does_not_say_in_its_sentence_is_shown_where_it_changes(
    teacher: FlaskClient, tool: Sample
) -> None:
    before = EvidenceAccepted("evidence:report", "Report", "Write two pages.", ("Sources",))
    after = replace(before, instructions="Write three pages.", accepts=(EvidenceKind.FILE,))
    found = differences(Said({}, {}, "", before), Said({}, {}, "", after))
    tool.versions.compared = replace(views.COMPARISON, differences=found)
    page = BeautifulSoup(teacher.get(f"{COURSE}/review").text, "html5lib")
    cells = [cell.get_text(" ", strip=True) for cell in page.select("#criteria ~ * td")]
    assert "Instructions: Write two pages." in cells[0]
    assert "Can be handed in: text, link, file" in cells[0]
    assert "Instructions: Write three pages." in cells[1]
    assert "Can be handed in: file" in cells[1]
    assert "Checklist" not in " ".join(cells)
    (text,) = page.select("textarea")
    assert (
        text.text.strip()
        == "Report: evidence handed in and accepted: what to hand in is described otherwise."
    )


def test_what_was_typed_stands_beside_what_was_corrected_meanwhile(
    teacher: FlaskClient, tool: Sample
) -> None:
    """Nobody undoes somebody's correction without having read it."""
    stale = {**FORM, "name": "Reserch Data", "revision": "before-the-correction", "action": "compare"}
    answer = teacher.post(COURSE, data=stale)
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    assert [cell.get_text(strip=True) for cell in page.select("section:has(#beside) td")] == [
        "Research Data",
        "Reserch Data",
    ]
    (revision,) = page.select("input[name='revision']")
    assert revision["value"] == views.PLAIN_FORM.revision, "who goes on has seen both"
    assert names(tool) == ["save_version"]


def test_a_button_that_was_pressed_twice_tells_of_no_conflict(teacher: FlaskClient, tool: Sample) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise Conflict(ErrorCode.CONFLICT)

    tool.versions.answer = gone  # type: ignore[method-assign]
    assert teacher.post(f"{COURSE}/review", data=ANSWER).status_code == 409
    tool.versions.published = {views.MARK}
    assert teacher.post(f"{COURSE}/review", data=ANSWER).status_code == 303
    assert teacher.post(f"{COURSE}/review", data={**ANSWER, "mark": "another"}).status_code == 409
