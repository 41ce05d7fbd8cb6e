"""The picker's form: what was ticked and pressed becomes one choice, and what cannot be placed says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services.configuring import Choice
from tests.unit.web.form_views import PICKERS
from tests.unit.web.sample_views import PICKING, TEACHER
from tests.unit.web.samples import SECRET, Sample

CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
PICKER = "/l/session-1/picker"


@pytest.fixture(autouse=True)
def _picking(tool: Sample) -> None:
    tool.launching.view = PICKING


def chosen(member: FlaskClient, tool: Sample, **fields: Any) -> Choice:
    answer = member.post(PICKER, data={**CSRF, **fields})
    assert answer.status_code == 200, answer.text
    name, _session, choice, _words = tool.calls[-1]
    assert name == "choose"
    return choice  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "fields, choice",
    [
        ({"micromodule_version_id": ["a", "b"]}, Choice(("a", "b"))),
        ({"micromodule_version_id": ["a", ""], "gate_id": "g"}, Choice(("a",), gate_ids=("g",))),
        ({"role": ["wallet", "dashboard"]}, Choice(roles=("wallet", "dashboard"))),
        ({"action": "wallet"}, Choice(roles=("wallet",))),
        ({"category": "c"}, Choice(category_id="c")),
        ({"embedded_id": "image:v:w"}, Choice(embedded=(("image", "v:w"),))),
    ],
    ids=str,
)
def test_everything_ticked_and_pressed_goes_together(
    member: FlaskClient, tool: Sample, fields: dict[str, Any], choice: Choice
) -> None:
    assert chosen(member, tool, **fields) == choice


def test_nothing_ticked_is_said_and_nothing_is_asked_of_anybody(member: FlaskClient, tool: Sample) -> None:
    answer = member.post(PICKER, data=CSRF)
    assert answer.status_code == 422
    assert "Nothing is ticked" in answer.text
    assert tool.calls == []


@pytest.mark.parametrize(
    "error",
    [
        Conflict(ErrorCode.CONFLICT),
        NotFound(ErrorCode.MICROMODULE_NOT_FOUND),
        RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED),
    ],
    ids=lambda error: error.code.value,
)
def test_what_fails_is_said_to_the_person_and_to_the_platform(
    member: FlaskClient, tool: Sample, error: Any
) -> None:
    tool.configuring.choose = tool._called("choose", error)
    answer = member.post(PICKER, data={**CSRF, "role": "wallet"})
    assert answer.status_code == error.status
    name, session, told, code = tool.calls[-1]
    assert (name, session, code) == ("fail", PICKING, error.code)
    assert told.startswith("Nothing was added. ")
    page = BeautifulSoup(answer.text, "html5lib")
    assert error.code.value in page.get_text()
    form = page.find("form", action=True)
    assert form is not None
    assert str(form["action"]).startswith("https://moodle.example.edu/mod/lti/contentitem_return.php")
    assert "form-action 'self' https://moodle.example.edu" in answer.headers["Content-Security-Policy"]


def test_one_at_a_time_has_no_boxes(member: FlaskClient, tool: Sample) -> None:
    tool.picker_view = PICKERS["one-at-a-time"]
    page = BeautifulSoup(member.get(PICKER).text, "html5lib")
    assert page.find("input", type="checkbox") is None
    assert "one link is added at a time" in page.get_text()


def test_enter_presses_the_button_of_what_is_ticked(member: FlaskClient, tool: Sample) -> None:
    """A form's first button is pressed by Enter in a box: it names nothing itself."""
    for state in ("usual", "gates", "editor"):
        tool.picker_view = PICKERS[state]
        page = BeautifulSoup(member.get(PICKER).text, "html5lib")
        form = page.find("form", class_="picker")
        assert form is not None
        first = form.find("button")
        assert first is not None
        assert not first.has_attr("name"), state


@pytest.mark.parametrize("state", ["edited-draft", "edited-published", "edited-gate"])
def test_a_link_that_is_changed_offers_nothing_else(member: FlaskClient, tool: Sample, state: str) -> None:
    tool.picker_view = PICKERS[state]
    page = BeautifulSoup(member.get(PICKER).text, "html5lib")
    buttons = {(button.get("name"), button.get("value")) for button in page.select("main button")}
    assert buttons == {("action", "keep"), ("action", "cancel")}
    leads_to_form = bool(page.select('a[href$="/edit"]'))
    assert leads_to_form == (state == "edited-draft")
    member.post(PICKER, data={**CSRF, "action": "keep"})
    assert tool.calls[-1][:2] == ("keep", PICKING)


def test_an_edited_draft_leads_back_to_the_answer(member: FlaskClient, tool: Sample) -> None:
    """After saving, the platform still waits; outside deep linking the course page follows."""
    data = {**CSRF, "action": "change", "name": "Maps", "revision": "r"}
    address = "/l/session-1/course/placements/placement-1/edit"
    assert member.post(address, data=data).location.endswith("/picker")
    tool.launching.view = replace(TEACHER, deep_linking=None)
    assert member.post(address, data=data).location.endswith("/course")


def test_what_only_shows_places_nothing(member: FlaskClient, tool: Sample) -> None:
    tool.picker_view = PICKERS["only-shown"]
    page = BeautifulSoup(member.get(PICKER).text, "html5lib")
    names = {button.get("name") for button in page.select("form.picker button")}
    assert names == {"embedded_id", "action"}
    assert page.select('a[href$="/micromodules/new"]') == []
