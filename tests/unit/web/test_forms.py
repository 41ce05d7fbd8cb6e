"""The micromodule form: nothing typed is lost, and problems lead to their fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.micromodule_form import FormProblem, MicromoduleForm, Problem
from lti_tool.web.forms import change_rows, spoken_criterion
from lti_tool.web.wording import narrate
from tests.unit.web.samples import FORM, PICKING, SECRET, Sample

CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@pytest.fixture(autouse=True)
def _picking(tool: Sample) -> None:
    tool.launching.view = PICKING


def submit(member: FlaskClient, action: str, **changes: str) -> Any:
    return member.post("/l/session-1/micromodules/new", data={**FORM, **CSRF, "action": action, **changes})


def typed(html: str) -> dict[str, str]:
    """What the form on the page would send."""
    form = BeautifulSoup(html, "html5lib").find("form", class_="describe")
    assert form is not None
    values = {field["name"]: field.get("value", "") for field in form.find_all("input") if field.get("name")}
    for area in form.find_all("textarea"):
        values[area["name"]] = area.get_text().removeprefix("\n")
    for select in form.find_all("select"):
        chosen = select.find("option", selected=True)
        values[select["name"]] = chosen["value"] if chosen else ""
    values.pop("csrf_token", None)
    return values


@pytest.mark.parametrize("action", ["preview", "nonsense", "remove_row-99", "remove_row-x"])
def test_a_round_trip_loses_nothing(action: str, member: FlaskClient) -> None:
    assert typed(submit(member, action).text) == FORM


def test_markup_comes_back_as_text(member: FlaskClient) -> None:
    nasty = '"><script>alert(1)</script>'
    page = submit(
        member, "preview", name=nasty, text=nasty, image_alt=nasty, **{"criteria-0-label": nasty}
    ).text
    assert "<script>alert" not in page
    assert typed(page)["name"] == nasty


def test_problems_lead_to_their_fields(member: FlaskClient, tool: Sample) -> None:
    problems = (
        Problem("name", FormProblem.REQUIRED),
        Problem("criteria-1-threshold", FormProblem.NOT_A_NUMBER),
        Problem("foreground", FormProblem.CONTRAST_TOO_LOW),
    )
    tool.configuring.describe = tool._called(
        "describe", RequestInvalid(ErrorCode.FORM_INVALID, problems=problems)
    )
    answer = submit(member, "place", name="", **{"criteria-1-threshold": "viel"})
    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html5lib")
    summary = page.find(id="problems")
    assert summary is not None
    assert [link["href"] for link in summary.find_all("a")] == [
        "#name",
        "#criteria-1-threshold",
        "#foreground",
    ]
    field = page.find(id="criteria-1-threshold")
    assert field is not None
    assert field["aria-invalid"] == "true"
    assert field["aria-describedby"] == "criteria-1-threshold-problem"
    assert typed(answer.text)["criteria-1-threshold"] == "viel"
    assert [call[0] for call in tool.calls] == ["describe", "save_draft"]


def test_cancelling_keeps_the_draft(member: FlaskClient, tool: Sample) -> None:
    assert submit(member, "cancel").status_code == 200
    (call,) = tool.calls
    assert call[0] == "cancel"
    assert MicromoduleForm.from_fields(call[2]) == MicromoduleForm.from_fields(FORM)


def test_placing_sends_the_signed_answer(member: FlaskClient, tool: Sample) -> None:
    answer = submit(member, "place")
    assert 'action="https://moodle.example.edu/mod/lti/contentitem_return.php?course=2"' in answer.text
    name, view, form, write = tool.calls[0]
    assert (name, view, form) == ("describe", PICKING, MicromoduleForm.from_fields(FORM))
    assert write is narrate


def test_enter_places_nothing(member: FlaskClient) -> None:
    page = BeautifulSoup(member.get("/l/session-1/micromodules/new").text, "html5lib")
    form = page.find("form", class_="describe")
    assert form is not None
    first = form.find("button")
    assert first is not None
    assert first["value"] == "preview"


def test_rows_come_and_go() -> None:
    form = MicromoduleForm.from_fields(FORM)
    longer, focus = change_rows(form, "add_row", supports_mirror=False)
    assert (len(longer.rows), focus, longer.rows[-1].channel) == (4, "criteria-3-label", "attest")
    shorter, _ = change_rows(form, "remove_row-0", supports_mirror=True)
    assert [row.label for row in shorter.rows] == ["Essay", "Peer review"]
    none = change_rows(replace(form, rows=form.rows[:1]), "remove_row-0", supports_mirror=True)[0]
    assert [row.label for row in none.rows] == [""]


def test_a_group_goes_with_its_last_row() -> None:
    form = MicromoduleForm.from_fields(FORM)
    for _ in range(2):
        form, _focus = change_rows(form, "remove_row-1", supports_mirror=True)
    assert form.groups == {}


def test_there_is_an_end_of_rows() -> None:
    form = MicromoduleForm.from_fields(FORM)
    for _ in range(40):
        form, _focus = change_rows(form, "add_row", supports_mirror=True)
    assert len(form.rows) == 30


@pytest.mark.parametrize(
    "changes",
    [
        {"criteria-0-threshold": "viel"},
        {"criteria-0-threshold": "-5"},
        {"criteria-0-label": " "},
        {"at_least_count": "many", "combination": "at_least"},
        {"group-A-count": "", "group-A-combination": "at_least"},
    ],
)
def test_half_a_rule_is_not_spoken(changes: dict[str, str]) -> None:
    spoken = spoken_criterion(MicromoduleForm.from_fields(FORM | changes))
    assert spoken is not None


def test_nothing_complete_is_not_spoken() -> None:
    assert spoken_criterion(MicromoduleForm.from_fields({})) is None


@pytest.mark.parametrize("part", ["unit", "channel", "purpose", "group"])
def test_a_forged_choice_breaks_no_page(part: str, member: FlaskClient) -> None:
    assert submit(member, "preview", **{f"criteria-0-{part}": "<forged>"}).status_code == 200
    assert submit(member, "preview", shape="x", icon="../../etc", background="red").status_code == 200


def test_only_deep_linking_draws(member: FlaskClient, tool: Sample) -> None:
    answer = member.get("/l/session-1/micromodules/artwork.svg?shape=circle")
    assert answer.mimetype == "image/svg+xml"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    tool.launching.view = replace(PICKING, deep_linking=None)
    assert member.get("/l/session-1/micromodules/artwork.svg?shape=circle").status_code == 403
