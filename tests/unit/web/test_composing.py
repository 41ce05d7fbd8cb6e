"""The picture's part of the form: every button works without script, and no file that was chosen is lost."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.credentials.artwork import MINIMUM_TEXT_CONTRAST, Artwork, check_artwork, contrast_ratio
from lti_tool.credentials.designs import DESIGNS, in_colours, pairs, readable_on
from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web import composing
from lti_tool.web.composing import with_artwork
from lti_tool.web.headers import PICTURE_POLICY
from lti_tool.web.picture_words import design_word
from tests.unit.web.form_views import FORM
from tests.unit.web.picture_views import DRAWING, PICTURE_ID
from tests.unit.web.picture_views import in_colours as with_colours
from tests.unit.web.sample_views import GRADER, PICKING, TEACHER, session
from tests.unit.web.samples import SECRET, Sample

CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
NEW = "/l/session-1/micromodules/new"
EDIT = "/l/session-1/course/placements/placement-1/edit"
PICTURE = "/l/session-1/micromodules/artwork.svg"


@pytest.fixture(autouse=True)
def _picking(tool: Sample) -> None:
    tool.launching.view = PICKING


def press(member: FlaskClient, action: str, address: str = NEW, **changes: Any) -> Any:
    data = {**FORM, **CSRF, "action": action, "revision": "revision-1", **changes}
    return member.post(address, data=data, content_type="multipart/form-data")


def a_file(content: bytes = DRAWING) -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), "badge.svg"


def on(page: str) -> dict[str, str]:
    """The picture's fields as the page has them."""
    form = BeautifulSoup(page, "html5lib").find("form", class_="describe")
    assert isinstance(form, Tag)
    assert form["enctype"] == "multipart/form-data"
    found = {}
    for name in ("shape", "icon"):
        chosen = form.select_one(f"#{name} option[selected]")
        found[name] = str(chosen["value"]) if chosen else ""
    for name in ("background", "foreground", "image_alt", "picture_id"):
        field = form.select_one(f"[name={name}]")
        found[name] = str(field["value"]) if field else ""
    return found


def is_open(page: str) -> bool:
    details = BeautifulSoup(page, "html5lib").find(id="artwork")
    return isinstance(details, Tag) and details.has_attr("open")


def saved(tool: Sample) -> dict[str, str]:
    """The draft that was kept last."""
    return next(dict(call[2]) for call in reversed(tool.calls) if call[0] == "save_draft")


class TestUploading:
    def test_the_picture_takes_the_place_of_the_composer(self, member: FlaskClient, tool: Sample) -> None:
        answer = press(member, "upload", picture=a_file())
        assert answer.status_code == 200
        assert [call[2] for call in tool.calls if call[0] == "upload"] == [DRAWING]
        assert on(answer.text) == {
            "shape": "",
            "icon": "",
            "background": "",
            "foreground": "",
            "image_alt": FORM["image_alt"],
            "picture_id": PICTURE_ID,
        }
        assert is_open(answer.text)
        assert saved(tool)["picture_id"] == PICTURE_ID

    @pytest.mark.parametrize("action", ["preview", "simulate", "add_row", "picture", "place"])
    def test_a_file_is_taken_whichever_button_is_pressed(
        self, action: str, member: FlaskClient, tool: Sample
    ) -> None:
        press(member, action, picture=a_file())
        assert [call[2] for call in tool.calls if call[0] == "upload"] == [DRAWING]
        if action == "place":
            (form,) = [call[2] for call in tool.calls if call[0] == "describe"]
            assert form.picture_id == PICTURE_ID
        else:
            assert saved(tool)["picture_id"] == PICTURE_ID

    def test_so_it_is_in_a_badge_that_is_changed(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = TEACHER
        answer = press(member, "upload", EDIT, picture=a_file())
        assert on(answer.text)["picture_id"] == PICTURE_ID
        press(member, "change", EDIT, picture=a_file())
        (form,) = [call[3] for call in tool.calls if call[0] == "save"]
        assert form.picture_id == PICTURE_ID

    @pytest.mark.parametrize("address", [NEW, EDIT])
    def test_a_refused_one_loses_nothing_of_what_was_typed(
        self, address: str, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.view = PICKING if address == NEW else TEACHER
        problem = Problem("picture", FormProblem.PICTURE_TOO_LARGE, {"megabytes": 2})

        def refuse(*_: Any) -> None:
            raise RequestInvalid(ErrorCode.FORM_INVALID, problems=(problem,))

        tool.pictures.upload = refuse
        answer = press(member, "place", address, picture=a_file(), name="Typed")
        assert answer.status_code == 422
        assert "at most 2 MB" in answer.text
        assert 'value="Typed"' in answer.text
        assert is_open(answer.text)
        assert not [call for call in tool.calls if call[0] in ("describe", "save")]

    def test_a_telephones_photograph_is_told_to_be_too_large(
        self, app: Flask, member: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beside what was typed, not by a page that has lost it."""
        monkeypatch.setattr(composing, "MAXIMUM_BYTES", 50_000)
        app.config["MAX_CONTENT_LENGTH"] = 10_000
        press(member, "upload", picture=a_file(bytes(300_000)))
        (content,) = [call[2] for call in tool.calls if call[0] == "upload"]
        assert len(content) == 50_001, "no more than shows that it is too large"

    def test_nothing_chosen_is_said(self, member: FlaskClient) -> None:
        answer = press(member, "upload")
        assert answer.status_code == 422
        assert "Choose a file first." in answer.text

    def test_an_empty_file_is_said_to_be_empty(self, member: FlaskClient, tool: Sample) -> None:
        def refuse(*_: Any) -> Any:
            problem = Problem("picture", FormProblem.PICTURE_EMPTY)
            raise RequestInvalid(ErrorCode.FORM_INVALID, problems=(problem,))

        tool.pictures.upload = refuse
        answer = press(member, "upload", picture=a_file(b""))
        assert answer.status_code == 422
        assert "This file is empty." in answer.text
        assert "Choose a file first." not in answer.text

    def test_back_to_the_composer(self, member: FlaskClient) -> None:
        own = {"picture_id": PICTURE_ID, "shape": "", "icon": "", "background": "", "foreground": ""}
        answer = press(member, "compose", **own)
        assert on(answer.text)["picture_id"] == ""
        assert on(answer.text)["shape"] == "hexagon"

    def test_the_words_for_it_are_its_own(self, member: FlaskClient, tool: Sample) -> None:
        """A composed picture is called as its badge; what an uploaded one shows only a person knows."""
        press(member, "place", picture_id=PICTURE_ID, image_alt="")
        (form,) = [call[2] for call in tool.calls if call[0] == "describe"]
        assert form.image_alt == ""
        assert Problem("image_alt", FormProblem.REQUIRED) in form.problems()

    def test_the_preview_shows_ones_own_organisations_alone(self, member: FlaskClient, tool: Sample) -> None:
        answer = member.get(f"{PICTURE}?picture_id={PICTURE_ID}")
        assert answer.text == tool.pictures.picture.svg
        assert answer.headers["Content-Security-Policy"] == PICTURE_POLICY
        assert member.get(f"{PICTURE}?picture_id={'8' * 32}").status_code == 404

    @pytest.mark.parametrize("address", [NEW, EDIT])
    def test_a_forged_form_uploads_nothing(self, address: str, member: FlaskClient, tool: Sample) -> None:
        answer = press(member, "upload", address, picture=a_file(), csrf_token="forged")
        assert answer.status_code == 400
        assert tool.calls == []

    @pytest.mark.parametrize("view", [session(), GRADER])
    def test_who_makes_no_badges_sees_no_picture(
        self, view: SessionView, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.view = view
        assert member.get(f"{PICTURE}?picture_id={PICTURE_ID}").status_code == 403


class TestTemplates:
    @pytest.mark.parametrize("name", DESIGNS)
    def test_each_can_be_drawn_and_has_a_word(self, name: str, member: FlaskClient) -> None:
        design = DESIGNS[name]
        check_artwork(
            Artwork(design.shape, design.icon, design.background, design.foreground, "Words", "Alt")
        )
        answer = press(member, f"design-{name}")
        assert on(answer.text) | {"image_alt": ""} == {
            "shape": design.shape,
            "icon": design.icon,
            "background": design.background,
            "foreground": design.foreground,
            "image_alt": "",
            "picture_id": "",
        }
        assert FORM["text"] in answer.text
        assert is_open(answer.text)

    def test_their_words_differ(self, app: Any) -> None:
        with app.test_request_context():
            words = {design_word(name) for name in DESIGNS}
        assert len(words) == len(DESIGNS)
        assert not words & set(DESIGNS)

    def test_the_script_is_told_the_same(self, member: FlaskClient) -> None:
        page = BeautifulSoup(member.get(NEW).text, "html5lib")
        button = page.select_one('button[value="design-data"]')
        assert button is not None
        design = DESIGNS["data"]
        assert json.loads(str(button["data-fields"])) == {
            "shape": design.shape,
            "icon": design.icon,
            "background": design.background,
            "foreground": design.foreground,
        }

    def test_one_that_there_is_not_changes_nothing(self, member: FlaskClient) -> None:
        answer = press(member, "design-nonsense")
        assert on(answer.text)["background"] == FORM["background"]


class TestColours:
    def test_they_come_first(self, member: FlaskClient, tool: Sample) -> None:
        with_colours(tool)
        page = member.get(NEW).text
        assert on(page)["background"] == tool.pictures.colours[0]
        values = [option["value"] for option in BeautifulSoup(page, "html5lib").select("#palette option")]
        assert values == list(tool.pictures.colours)
        answer = press(member, "colours-f2b705")
        assert (on(answer.text)["background"], on(answer.text)["foreground"]) == ("#f2b705", "#000000")
        assert on(answer.text)["shape"] == FORM["shape"]

    def test_templates_are_drawn_in_them(self, member: FlaskClient, tool: Sample) -> None:
        with_colours(tool)
        answer = press(member, "design-data")
        assert on(answer.text)["background"] in tool.pictures.colours

    def test_anothers_colours_are_no_choice(self, member: FlaskClient) -> None:
        answer = press(member, "colours-f2b705")
        assert on(answer.text)["background"] == FORM["background"]

    def test_a_choice_that_was_made_stays(self) -> None:
        form = with_artwork(MicromoduleForm(background="#123456"), ("#f2b705",))
        assert form.background == "#123456"
        assert contrast_ratio(form.background, form.foreground) >= MINIMUM_TEXT_CONTRAST
        assert with_artwork(MicromoduleForm(background="red")).foreground == "#ffffff"

    @pytest.mark.parametrize("green", range(0, 256, 5))
    def test_letters_can_be_read_on_any_colour(self, green: int) -> None:
        for red in range(0, 256, 51):
            for blue in range(0, 256, 51):
                colour = f"#{red:02x}{green:02x}{blue:02x}"
                assert contrast_ratio(colour, readable_on(colour)) >= MINIMUM_TEXT_CONTRAST
                assert contrast_ratio(colour, readable_on(colour, ("#777777",))) >= MINIMUM_TEXT_CONTRAST

    def test_a_palette_keeps_every_templates_contrast(self) -> None:
        palette = ("#ffff00", "#777777", "#000080")
        for design in in_colours(palette).values():
            assert (design.background, design.foreground) in pairs(palette)
            check_artwork(Artwork(design.shape, design.icon, design.background, design.foreground, "a", "b"))
        assert readable_on("#000080", ("#0000ff", "#ffff00")) == "#ffff00"
        with pytest.raises(ArtworkInvalid):
            readable_on("red")
