"""The page on which a published badge's words are put right: two steps, and nothing without the second."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.staff import StaffRole
from tests.gallery.staff_pages import CSRF
from tests.unit.web import correction_views, picture_views
from tests.unit.web import staff_views as views
from tests.unit.web.samples import SECRET, Sample

PATH = "/staff/achievements/version-writing/correct"
FIELDS = {**correction_views.PLAIN.fields, "csrf_token": CSRF}


@pytest.fixture
def staff(app: Flask, tool: Sample) -> FlaskClient:
    """A browser of an editor."""
    tool.staffing.view = views.staff(StaffRole.EDITOR)
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def test_the_first_step_changes_nothing_and_the_second_gets_what_was_shown(
    staff: FlaskClient, tool: Sample
) -> None:
    first = staff.post(PATH, data=FIELDS)
    assert first.status_code == 200
    page = BeautifulSoup(first.text, "html5lib")
    assert tool.calls == []
    form = page.select_one(f'form[action="{PATH}"]')
    assert form is not None
    hidden = {str(one["name"]): str(one["value"]) for one in form.select("input[type=hidden]")}
    assert hidden["mark"] == correction_views.PLAIN.mark
    assert {name: hidden[name] for name in correction_views.PLAIN.fields} == dict(
        correction_views.PLAIN.fields
    )
    assert "1234 badges are signed anew" in page.text
    answer = staff.post(PATH, data={**hidden, "reason": "A misspelling.", "action": "correct"})
    assert (answer.status_code, answer.location) == (303, f"{PATH}?done=corrected")
    ((name, _staff, version_id, fields),) = tool.calls
    assert (name, version_id) == ("correct", "version-writing")
    assert fields == dict(correction_views.PLAIN.fields)


def test_nothing_is_counted_before_somebody_has_counted(staff: FlaskClient, tool: Sample) -> None:
    begun = replace(views.REISSUES["signing-anew"], done=0, total=None)
    tool.correcting.view = replace(correction_views.PLAIN, run=begun)
    page = BeautifulSoup(staff.get(PATH).text, "html5lib").text
    assert "Badges are being signed anew." in page
    assert "0 of 0" not in page


def test_enter_in_the_second_step_corrects_nothing(staff: FlaskClient) -> None:
    page = BeautifulSoup(staff.post(PATH, data=FIELDS).text, "html5lib")
    form = page.select_one(f'form[action="{PATH}"]')
    assert form is not None
    first = form.select_one("button")
    assert first is not None
    assert first["value"] == "preview"


def test_old_and_new_stand_beside_each_other_each_in_its_own_direction(staff: FlaskClient) -> None:
    page = BeautifulSoup(staff.post(PATH, data=FIELDS).text, "html5lib")
    cells = page.select("table.rows td span[dir=auto]")
    assert [cell.text for cell in cells[:2]] == ["Acadmic writing", "Academic Writing"]
    (picture,) = page.select("table.rows td img[src*='/picture.svg']")
    assert staff.get(str(picture["src"])).mimetype == "image/svg+xml"


def test_markup_in_what_was_typed_is_text(staff: FlaskClient, tool: Sample) -> None:
    nasty = '"><script>alert(1)</script>'
    view = correction_views.PREVIEW
    tool.correcting.previewed = replace(view, fields={**view.fields, "name": nasty})
    answer = staff.post(PATH, data={**FIELDS, "name": nasty})
    assert "<script>alert(1)" not in answer.text
    assert "<script>alert(1)" not in staff.post(PATH, data={**FIELDS, "name": nasty, "action": "edit"}).text


def test_a_chosen_file_becomes_the_picture(staff: FlaskClient, tool: Sample) -> None:
    asked: list[Any] = []

    def preview(_staff: Any, _version_id: str, typed: Any) -> Any:
        asked.append(typed)
        return correction_views.PREVIEW

    tool.correcting.preview = preview  # type: ignore[method-assign, assignment]
    file = (io.BytesIO(picture_views.DRAWING), "drawing.svg")
    assert staff.post(PATH, data={**FIELDS, "picture": file}).status_code == 200
    assert asked[0]["picture_id"] == picture_views.PICTURE_ID
    assert "picture" not in asked[0]
    assert tool.calls == [("accept", "organisation-1", picture_views.DRAWING, "staff:member-1")]


def test_a_reader_uploads_nothing(app: Flask, tool: Sample, staff: FlaskClient) -> None:
    tool.staffing.view = views.staff(StaffRole.READER)
    file = (io.BytesIO(picture_views.DRAWING), "drawing.svg")
    assert staff.post(PATH, data={**FIELDS, "picture": file}).status_code == 403
    assert tool.calls == []


def test_a_picture_that_cannot_be_drawn_is_not_there(staff: FlaskClient) -> None:
    assert staff.get(f"{PATH}/picture.svg?shape=none").status_code == 404
    assert staff.get(f"{PATH}/picture.svg?shape=circle").headers["Content-Security-Policy"]
