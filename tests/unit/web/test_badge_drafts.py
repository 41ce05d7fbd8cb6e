"""The form of a badge that is switched on, where several people describe it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import Conflict, ErrorCode
from tests.gallery.retroactive_pages import COURSE, STAFF
from tests.gallery.version_pages import CSRF
from tests.unit.web import retroactive_views as views
from tests.unit.web import staff_views
from tests.unit.web.sample_views import TEACHER
from tests.unit.web.samples import SECRET, Sample
from tests.unit.web.test_next_versions import hidden, refuse_unseen

FORM = {**CSRF, **views.FORM.to_fields()}


@pytest.fixture
def teacher(member: FlaskClient, tool: Sample) -> FlaskClient:
    tool.launching.view = TEACHER
    return member


@pytest.mark.parametrize(
    "path,way_out",
    [(COURSE, "Badges of this course"), (STAFF, views.PLAIN_FORM.name)],
    ids=["course", "staff"],
)
def test_how_far_awarding_is_names_the_badge_and_the_way_out(
    path: str, way_out: str, teacher: FlaskClient, tool: Sample
) -> None:
    tool.staffing.view = staff_views.staff()
    teacher.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    tool.retroactive.latest = views.RUN
    page = BeautifulSoup(teacher.get(f"{path}/awarding").text, "html5lib")
    assert page.h1 is not None
    assert page.h1.get_text(strip=True) == f"Awarding the badge: {views.PLAIN_FORM.name}"
    (back,) = page.select("p.eyebrow a")
    assert back.get_text(strip=True) == way_out


@pytest.mark.parametrize("action", ["people", "preview", "discard"])
def test_what_a_colleague_saved_stands_beside_what_was_typed(
    teacher: FlaskClient, tool: Sample, action: str
) -> None:
    tool.retroactive.form = views.THEIRS
    tool.retroactive.save = tool.retroactive.discard = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "name": "Mine", "draft": "turn.before", "action": action})
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    (told,) = page.select(".notice[role='alert']")
    assert "Somebody else has saved this badge" in told.text
    assert [name.text for name in told.select("bdi")] == ["نور"]
    assert [link["href"] for link in told.select("a")] == [COURSE], "a way to keep theirs"
    cells = [cell.get_text(strip=True) for cell in page.select("section:has(#beside) td")]
    assert cells[:2] == [views.THEIRS.form.name, "Mine"]
    assert len(page.select("section:has(#beside) img")) == 2
    (typed,) = page.select("input[name='name']")
    assert typed["value"] == "Mine", "nothing is lost"
    assert hidden(page, "draft") == "turn.theirs", "who goes on has seen both"


def test_whoever_was_there_in_another_window_is_blamed_on_nobody_else(
    teacher: FlaskClient, tool: Sample
) -> None:
    tool.retroactive.form = replace(views.THEIRS, saved=replace(views.SAVED, is_own=True))
    tool.retroactive.save = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "action": "people"})
    assert answer.status_code == 409
    assert "You have saved this badge in another window" in answer.text
    assert "Somebody else has saved this badge" not in answer.text


def test_every_page_sends_the_draft_that_it_was_made_from(teacher: FlaskClient, tool: Sample) -> None:
    sent: list[str] = []

    def note(*_: Any, draft: str, **__: Any) -> str:
        sent.append(draft)
        return f"{draft}+"

    tool.retroactive.save = tool.retroactive.discard = note
    tool.retroactive.form = replace(views.PLAIN_FORM, draft="one")
    page = BeautifulSoup(teacher.get(COURSE).text, "html5lib")
    assert hidden(page, "draft") == "one"
    pressed = {**FORM, "draft": "one"}
    page = BeautifulSoup(teacher.post(COURSE, data={**pressed, "action": "preview"}).text, "html5lib")
    assert hidden(page, "draft") == "one+"
    assert teacher.post(COURSE, data={**pressed, "action": "save"}).status_code == 204
    assert teacher.post(COURSE, data={**pressed, "action": "discard"}).status_code == 303
    assert teacher.post(COURSE, data={**pressed, "action": "people"}).status_code == 303
    page = BeautifulSoup(teacher.get(f"{COURSE}?draft=discard&seen=before").text, "html5lib")
    assert hidden(page, "draft") == "before", "what was saved since the link was shown has not been seen"
    assert sent == ["one"] * 4


def test_what_is_saved_while_typing_writes_over_nothing_unseen(teacher: FlaskClient, tool: Sample) -> None:
    tool.retroactive.save = refuse_unseen
    answer = teacher.post(COURSE, data={**FORM, "action": "save"}, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "conflict"


def test_who_describes_what_was_switched_on_meanwhile_is_told_how_far_it_is(
    teacher: FlaskClient, tool: Sample
) -> None:
    def is_on(*_: Any, **__: Any) -> Any:
        raise Conflict(ErrorCode.BADGE_IS_ON)

    tool.retroactive.save, tool.retroactive.latest = is_on, views.RUN
    answer = teacher.post(COURSE, data={**FORM, "action": "people"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{COURSE}/awarding")
