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
from lti_tool.services.version_drafts import UNSEEN
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


def test_staff_are_told_that_it_was_published(staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post(f"{STAFF}/review", data=ANSWER, follow_redirects=True)
    assert answer.status_code == 200
    (told,) = BeautifulSoup(answer.text, "html5lib").select(".notice[role='status']")
    assert "Published" in told.text
    back = staff.get(f"{STAFF}/review").text
    assert "done=" not in back, "what goes back says nothing was done"


def refuse_unseen(*_: Any, **__: Any) -> Any:
    raise Conflict(ErrorCode.CONFLICT, reason=UNSEEN)


def hidden(page: BeautifulSoup, name: str) -> str:
    (field,) = page.select(f"input[type='hidden'][name='{name}']")
    return str(field["value"])


@pytest.mark.parametrize("action", ["compare", "preview", "discard"])
def test_what_a_colleague_saved_stands_beside_what_was_typed(
    teacher: FlaskClient, tool: Sample, action: str
) -> None:
    tool.versions.form = views.THEIRS
    tool.versions.save = tool.versions.discard = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "name": "Mine", "draft": "turn.before", "action": action})
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    (told,) = page.select(".notice[role='alert']")
    assert "Somebody else has saved this version" in told.text
    assert [name.text for name in told.select("bdi")] == [views.SAVED.name]
    assert [link["href"] for link in told.select("a")] == [COURSE], "a way to keep theirs"
    cells = [cell.get_text(strip=True) for cell in page.select("section:has(#beside) td")]
    assert cells[:2] == [views.THEIRS.form.name, "Mine"]
    (typed,) = page.select("input[name='name']")
    assert typed["value"] == "Mine", "nothing is lost"
    assert hidden(page, "draft") == "turn.theirs", "who goes on has seen both"


def test_whoever_was_there_in_another_window_is_blamed_on_nobody_else(
    teacher: FlaskClient, tool: Sample
) -> None:
    tool.versions.form = replace(views.THEIRS, saved=replace(views.SAVED, is_own=True))
    tool.versions.save = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "action": "compare"})
    assert answer.status_code == 409
    assert "You have saved this version in another window" in answer.text
    assert "Somebody else has saved this version" not in answer.text


def test_every_page_sends_the_draft_that_it_was_made_from(teacher: FlaskClient, tool: Sample) -> None:
    sent: list[str] = []

    def note(*_: Any, draft: str, **__: Any) -> str:
        sent.append(draft)
        return f"{draft}+"

    tool.versions.save = tool.versions.answer = tool.versions.discard = note
    tool.versions.form = replace(views.PLAIN_FORM, draft="one")
    page = BeautifulSoup(teacher.get(COURSE).text, "html5lib")
    assert hidden(page, "draft") == "one"
    pressed = {**FORM, "draft": "one"}
    page = BeautifulSoup(teacher.post(COURSE, data={**pressed, "action": "preview"}).text, "html5lib")
    assert hidden(page, "draft") == "one+"
    assert teacher.post(COURSE, data={**pressed, "action": "save"}).status_code == 204
    assert teacher.post(COURSE, data={**pressed, "action": "discard"}).status_code == 303
    page = BeautifulSoup(teacher.get(f"{COURSE}?draft=discard&seen=before").text, "html5lib")
    assert hidden(page, "draft") == "before", "what was saved since the link was shown has not been seen"
    page = BeautifulSoup(teacher.get(f"{COURSE}/review").text, "html5lib")
    teacher.post(f"{COURSE}/review", data={**ANSWER, "draft": hidden(page, "draft"), "action": "holders"})
    assert sent == ["one", "one", "one", "turn.before"]


def test_what_is_saved_while_typing_writes_over_nothing_unseen(teacher: FlaskClient, tool: Sample) -> None:
    tool.versions.save = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "action": "save"}, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "conflict"


def test_what_a_colleague_said_for_holders_stands_beside_what_was_typed(
    teacher: FlaskClient, tool: Sample
) -> None:
    theirs = Answer("Theirs.", "keep")
    tool.versions.answer = refuse_unseen
    tool.versions.compared = replace(
        views.COMPARISON, answer=theirs, draft="turn.theirs", mark="of now", saved=views.SAVED
    )
    answer = teacher.post(f"{COURSE}/review", data={**ANSWER, "whats_new": "Mine.", "policy": "now"})
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    (told,) = page.select(".notice[role='alert']")
    assert "Theirs." in told.text
    (text,) = page.select("textarea")
    assert text.text.strip() == "Mine."
    assert [one["value"] for one in page.select("input[name='policy'][checked]")] == ["now"]
    assert (hidden(page, "draft"), hidden(page, "mark")) == ("turn.theirs", "of now")
    assert "publish_version" not in names(tool)


def test_what_was_written_for_holders_is_shown_where_nothing_is_prepared_any_more(
    teacher: FlaskClient, tool: Sample
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise Conflict(ErrorCode.CONFLICT)

    tool.versions.answer = gone
    tool.versions.compare = gone  # type: ignore[method-assign]
    answer = teacher.post(f"{COURSE}/review", data={**ANSWER, "whats_new": "A day's work."})
    assert answer.status_code == 409
    assert "A day&#39;s work." in answer.text
