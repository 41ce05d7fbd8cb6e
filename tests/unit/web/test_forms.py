"""The micromodule form: nothing typed is lost, and problems lead to their fields."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.credentials.artwork import Artwork, check_artwork
from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.domain.criteria import AllOf, AnyOf, AtLeast, Attested, Completed, GatePassed, Within
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.configuring import Choice
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.criteria_rows import MAXIMUM_ROWS
from lti_tool.services.editing import Refusal
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web.criteria_words import narrate
from lti_tool.web.form_words import not_editable_sentence
from lti_tool.web.forms import change_rows, spoken_criterion
from tests.unit.web.form_views import EDITED, EVERY_KIND, FORM, PICKERS, picker
from tests.unit.web.sample_views import NOW, PEER, PICKING, QUIZ, TEACHER
from tests.unit.web.samples import SECRET, Sample

CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
LONG = "remove_row-" + 5_000 * "9"
"""Of so many digits Python makes no number."""


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
    for box in form.find_all("input", type=("checkbox", "file")):
        if not box.has_attr("checked"):
            values.pop(box["name"], None)
    for area in form.find_all("textarea"):
        values[area["name"]] = area.get_text().removeprefix("\n")
    for select in form.find_all("select"):
        chosen = select.find("option", selected=True)
        values[select["name"]] = chosen["value"] if chosen else ""
    values.pop("csrf_token", None)
    values.pop("form_key", None)
    return values


def form_key(html: str) -> str:
    field = BeautifulSoup(html, "html5lib").find("input", attrs={"name": "form_key"})
    assert field is not None
    return str(field["value"])


@pytest.mark.parametrize("action", ["preview", "nonsense", "remove_row-99", "remove_row-x", LONG])
def test_a_round_trip_loses_nothing(action: str, member: FlaskClient) -> None:
    page = typed(submit(member, action).text)
    assert {name: page[name] for name in FORM} == FORM
    chosen = {"recipe", "achievement_type", "credit_unit"}
    assert not any(value for name, value in page.items() if name not in {*FORM, *chosen})


def test_markup_comes_back_as_text(member: FlaskClient) -> None:
    nasty = '"><script>alert(1)</script>'
    page = submit(
        member, "preview", name=nasty, text=nasty, image_alt=nasty, **{"criteria-0-label": nasty}
    ).text
    assert "<script>alert" not in page
    assert typed(page)["name"] == nasty


@pytest.mark.parametrize(
    "background, text, shown",
    [
        ("#949494", "", "Contrast 3 to 1: easy to see."),
        ("#959595", "", "Contrast 2.9 to 1: too weak, at least 3 is needed."),  # 2.995
        ("#777777", "Data", "Contrast 4.4 to 1: too weak, at least 4.5 is needed."),  # 4.478
        ("#777777", " ", "Contrast 4.4 to 1: easy to see."),
    ],
)
def test_a_contrast_that_would_be_refused_is_not_called_enough(
    background: str, text: str, shown: str, member: FlaskClient
) -> None:
    answer = submit(member, "preview", background=background, foreground="#ffffff", text=text)
    contrast = BeautifulSoup(answer.text, "html5lib").find(id="contrast")
    assert contrast is not None
    assert contrast.get_text(strip=True) == shown
    artwork = Artwork("hexagon", "database", background, "#ffffff", text, "A hexagon")
    if "easy" in shown:
        check_artwork(artwork)
    else:
        with pytest.raises(ArtworkInvalid, match="contrast"):
            check_artwork(artwork)


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


def test_a_badge_is_signed_in_the_language_that_it_is_written_in(member: FlaskClient, tool: Sample) -> None:
    """There is no Portuguese catalogue: the narrative is English, though the LMS says "pt_br" (Moodle)."""
    tool.launching.view = replace(PICKING, locale="pt_br")
    named: list[dict[str, Any]] = []
    describe = tool.configuring.describe
    tool.configuring.describe = lambda *given, **more: named.append(more) or describe(*given)
    submit(member, "place", form_key="key-1")
    (more,) = named
    assert (more["language"], more["key"]) == ("en", "key-1")


def test_a_form_has_one_key_from_first_to_last(member: FlaskClient, tool: Sample) -> None:
    first, second = (form_key(member.get("/l/session-1/micromodules/new").text) for _ in range(2))
    assert len(first) == 32
    assert first != second
    for action in ("preview", "add_row"):
        assert form_key(submit(member, action, form_key=first).text) == first
    tool.configuring.describe = tool._called("describe", RequestInvalid(ErrorCode.FORM_INVALID, problems=()))
    assert form_key(submit(member, "place", form_key=first).text) == first


def test_the_page_takes_what_is_accepted_and_no_more(member: FlaskClient) -> None:
    page = BeautifulSoup(member.get("/l/session-1/micromodules/new").text, "html5lib")
    for name in ("name", "description", "text", "image_alt", "criteria-0-label"):
        field = page.find(attrs={"name": name})
        assert field is not None
        limit = int(str(field["maxlength"]))
        for length, is_too_long in ((limit, False), (limit + 1, True)):
            form = MicromoduleForm.from_fields({**FORM, name: "a" * length})
            found = {(problem.field, problem.code) for problem in form.problems()}
            if name == "text":
                found |= text_problems(form)
            assert found == ({(name, FormProblem.TOO_LONG)} if is_too_long else set()), (name, length)


def text_problems(form: MicromoduleForm) -> set[tuple[str, FormProblem]]:
    """What the composer says of a picture's text."""
    try:
        check_artwork(Artwork(**form.artwork()))
    except ArtworkInvalid as error:
        return {(error.field, FormProblem(error.reason))}
    return set()


def test_the_wallets_link_is_named_in_the_teachers_language(member: FlaskClient, tool: Sample) -> None:
    member.post("/l/session-1/picker", data={**CSRF, "action": "wallet"})
    name, session, choice, words = tool.calls[0]
    assert (name, session, choice) == ("choose", PICKING, Choice(roles=("wallet",)))
    assert words.titles == {"wallet": "Badges", "dashboard": "Badge progress"}


class TestDrafts:
    """What was typed is kept: while it is typed, and also when it comes too late."""

    def test_the_script_saves_without_a_page(self, member: FlaskClient, tool: Sample) -> None:
        answer = submit(member, "save")
        assert (answer.status_code, answer.data) == (204, b"")
        (call,) = tool.calls
        assert (call[0], MicromoduleForm.from_fields(call[2])) == (
            "save_draft",
            MicromoduleForm.from_fields(FORM),
        )

    @pytest.mark.parametrize("action", ["place", "save", "preview", "cancel"])
    def test_a_form_sent_too_late_leaves_its_draft_and_nothing_else(
        self, action: str, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.is_expired = True
        answer = submit(member, action)
        assert answer.status_code == 403
        assert "session_expired" in answer.text
        assert "kept as a draft" in answer.text
        ((name, session, fields),) = tool.calls
        assert (name, session) == ("save_draft", PICKING)
        assert MicromoduleForm.from_fields(fields) == MicromoduleForm.from_fields(FORM)

    def test_a_late_form_in_a_path_is_kept_too(self, client: FlaskClient, tool: Sample) -> None:
        tool.launching.view = replace(PICKING, is_cookie_bound=False)
        tool.launching.is_expired = True
        answer = client.post(f"/s/{SECRET}/micromodules/new", data={**FORM, **CSRF, "action": "place"})
        assert answer.status_code == 403
        assert [call[0] for call in tool.calls] == ["save_draft"]

    @pytest.mark.parametrize("token", ["", "csrf-of-another"])
    def test_another_sites_form_is_not_kept(self, token: str, member: FlaskClient, tool: Sample) -> None:
        tool.launching.is_expired = True
        answer = submit(member, "save", csrf_token=token)
        assert answer.status_code == 403
        assert "kept as a draft" not in answer.text
        assert tool.calls == []

    def test_who_may_place_nothing_is_refused_as_ever(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.is_expired = True
        tool.configuring.save_draft = tool._called(
            "save_draft", NotAllowed(ErrorCode.DEEP_LINKING_NOT_ALLOWED)
        )
        answer = submit(member, "save")
        assert answer.status_code == 403
        assert "kept as a draft" not in answer.text

    def test_strangers_and_other_pages_keep_nothing(
        self, client: FlaskClient, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.is_expired = True
        assert submit(client, "save").status_code == 403
        for path in ("micromodules/new", "picker"):
            assert "kept as a draft" not in member.get(f"/l/session-1/{path}").text
        member.post("/l/session-1/picker", data={**CSRF, "action": "wallet"})
        assert tool.calls == []

    def test_the_cookie_of_a_form_outlives_its_session(self, client: FlaskClient, tool: Sample) -> None:
        cookies = client.post("/lti/launch", data={}).headers.getlist("Set-Cookie")
        (cookie,) = [each for each in cookies if each.startswith("lti_session_")]
        assert "Max-Age=86400" in cookie


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
    for _ in range(MAXIMUM_ROWS):
        form, _focus = change_rows(form, "add_row", supports_mirror=True)
    assert len(form.rows) == MAXIMUM_ROWS


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


def test_only_who_configures_draws(member: FlaskClient, tool: Sample) -> None:
    answer = member.get("/l/session-1/micromodules/artwork.svg?shape=circle")
    assert answer.mimetype == "image/svg+xml"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    tool.launching.view = replace(PICKING, can_configure=False)
    assert member.get("/l/session-1/micromodules/artwork.svg?shape=circle").status_code == 403


class TestEditing:
    """A draft's form: the same page, another address."""

    ADDRESS = "/l/session-1/course/placements/placement-1/edit"

    @pytest.fixture(autouse=True)
    def _teaching(self, tool: Sample) -> None:
        tool.launching.view = TEACHER

    def submit(self, member: FlaskClient, action: str, **changes: str) -> Any:
        data = {**FORM, **CSRF, "action": action, "revision": "revision-1", **changes}
        return member.post(self.ADDRESS, data=data)

    def test_it_opens_with_what_is_stored(self, member: FlaskClient, tool: Sample) -> None:
        page = typed(member.get(self.ADDRESS).text)
        assert {name: page[name] for name in FORM} == FORM
        assert page["revision"] == "revision-1"
        assert tool.calls == [("open", TEACHER, "placement-1")]

    def test_what_is_typed_is_kept(self, member: FlaskClient, tool: Sample) -> None:
        answer = self.submit(member, "save")
        assert (answer.status_code, answer.data) == (204, b"")
        ((name, session, placement_id, fields, revision),) = tool.calls
        assert (name, session, placement_id, revision) == ("save_draft", TEACHER, "placement-1", "revision-1")
        assert MicromoduleForm.from_fields(fields) == MicromoduleForm.from_fields(FORM)

    @pytest.mark.parametrize("action", ["change", "save", "preview"])
    def test_a_form_sent_too_late_leaves_what_was_typed(
        self, action: str, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.is_expired = True
        answer = self.submit(member, action)
        assert answer.status_code == 403
        assert "kept as a draft" in answer.text
        assert [(call[0], call[2]) for call in tool.calls] == [("save_draft", "placement-1")]

    def test_a_late_form_of_another_course_is_refused_as_ever(
        self, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.is_expired = True
        tool.editing.save_draft = tool._called("save_draft", NotFound(ErrorCode.PLACEMENT_NOT_FOUND))
        answer = self.submit(member, "save")
        assert answer.status_code == 403
        assert "kept as a draft" not in answer.text

    def test_unsaved_changes_say_so_and_can_be_left(self, member: FlaskClient, tool: Sample) -> None:
        tool.editing.open = tool._called("open", replace(EDITED, is_unsaved=True))
        page = BeautifulSoup(member.get(self.ADDRESS).text, "html5lib")
        assert "These changes are not saved yet" in page.text
        (link,) = (one["href"] for one in page.select(".notice a"))
        tool.editing.open = tool._called("open", EDITED)
        assert "not saved yet" not in member.get(str(link)).text

    def test_saving_leads_back_to_the_course(self, member: FlaskClient, tool: Sample) -> None:
        answer = self.submit(member, "change", name="Another")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/l/session-1/course")
        call, renaming = tool.calls[-2:]
        assert call[:3] == ("save", TEACHER, "placement-1")
        assert call[3].name == "Another"
        assert renaming == ("rename", TEACHER, "placement-1"), "its columns follow"

    @pytest.mark.parametrize("action", ["add_gate", "add_recipe", "preview", "remove_row-0", "nonsense"])
    def test_its_buttons_keep_it_a_draft_of_this_place(
        self, action: str, member: FlaskClient, tool: Sample
    ) -> None:
        page = self.submit(member, action, recipe="forum").text
        assert f'action="{self.ADDRESS}"' in page
        assert typed(page)["revision"] == "revision-1"
        assert [(call[0], call[2]) for call in tool.calls] == [
            ("open", "placement-1"),
            ("save_draft", "placement-1"),
        ], "no draft of a new badge is made of it"

    def test_somebody_elses_change_is_told_and_nothing_typed_is_lost(
        self, member: FlaskClient, tool: Sample
    ) -> None:
        tool.editing.save = tool._called("save", Conflict(ErrorCode.CONFLICT))
        answer = self.submit(member, "change", name="Mine", revision="revision-0")
        assert answer.status_code == 409
        assert "Somebody else changed this meanwhile." in answer.text
        page = typed(answer.text)
        assert (page["name"], page["revision"]) == ("Mine", "revision-1")

    def test_what_is_lost_with_a_rule_is_told_before_it_is_saved(
        self, member: FlaskClient, tool: Sample
    ) -> None:
        lost = (Problem("criteria", FormProblem.WORDS_LOST, {"number": 3}),)
        tool.editing.save = tool._called("save", RequestInvalid(ErrorCode.FORM_INVALID, problems=lost))
        answer = self.submit(member, "change", name="Mine")
        assert answer.status_code == 422
        assert "3 learners were confirmed. Save again, and that is forgotten." in answer.text
        page = typed(answer.text)
        assert (page["name"], page["forgets"]) == ("Mine", "3")
        assert "forgets" not in typed(member.get(self.ADDRESS).text)

    @pytest.mark.parametrize("reason", Refusal)
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_what_cannot_be_changed_says_why_and_what_to_do(
        self, reason: Refusal, method: str, member: FlaskClient, tool: Sample
    ) -> None:
        refused = Conflict(ErrorCode.PLACEMENT_NOT_EDITABLE, reason=reason)
        tool.editing.open = tool._called("open", refused)
        answer = member.get(self.ADDRESS) if method == "get" else self.submit(member, "change")
        assert answer.status_code == 409
        assert not_editable_sentence(reason)
        # What the form cannot show it cannot import: that way would end in the next refusal.
        assert ("/placements/placement-1/criteria.json" in answer.text) is (reason is not Refusal.NOT_SHOWN)
        assert ("import them into a new badge" in answer.text) is (reason is not Refusal.NOT_SHOWN)
        assert "placement_not_editable" in answer.text

    def test_the_export_is_a_file_with_a_plain_name(self, member: FlaskClient, tool: Sample) -> None:
        answer = member.get("/l/session-1/course/placements/placement-1/criteria.json")
        assert answer.mimetype == "application/json"
        assert answer.headers["Content-Disposition"] == "attachment; filename=criteria-conomie-data.json"
        assert answer.json == {"version": 1, "rule": {"type": "all", "of": []}}
        tool.editing.export = tool._called("export", NotAllowed(ErrorCode.NOT_ALLOWED))
        assert member.get("/l/session-1/course/placements/placement-1/criteria.json").status_code == 403


class TestImport:
    """Criteria from a file or pasted: taken over exactly, or not at all."""

    GOOD = dump_criteria(
        AtLeast(2, (QUIZ, GatePassed("g", "Forum"), AnyOf((PEER, Attested("a", "Talk given")))))
    )

    def send(self, member: FlaskClient, **fields: Any) -> Any:
        data = {**FORM, **CSRF, "action": "import", **fields}
        return member.post("/l/session-1/micromodules/new", data=data, content_type="multipart/form-data")

    @pytest.mark.parametrize("way", ["file", "pasted"])
    def test_it_replaces_the_rules_and_nothing_else(self, way: str, member: FlaskClient) -> None:
        text = "\ufeff" * (way == "file") + json.dumps(self.GOOD)
        given = (
            {"criteria_file": (BytesIO(text.encode()), "criteria.json")}
            if way == "file"
            else {"criteria_json": text}
        )
        page = typed(self.send(member, **given).text)
        form = MicromoduleForm.from_fields(page)
        assert (form.name, form.skills, form.icon) == (FORM["name"], FORM["skills"], FORM["icon"])
        assert form.combination.kind == "at_least"
        assert [row.label for row in form.rows] == ["Quiz 1", "Forum", "Peer review", "Talk given"]
        assert form.problems() == ()

    def test_what_is_named_by_id_is_called_as_it_is_here(self, member: FlaskClient) -> None:
        """Else the rules in words would promise what the file says, and sign another."""
        text = json.dumps(dump_criteria(AllOf((Completed("micromodule-1", "A harmless course"), QUIZ))))
        shown = self.send(member, criteria_json=text).text
        spoken = BeautifulSoup(shown, "html.parser").find(id="in-words")
        words = spoken.get_text(" ") if spoken else ""
        assert "Academic Writing" in words
        assert "harmless" not in words

    @pytest.mark.parametrize(
        "text,said",
        [
            ("", "Choose a file, or paste criteria."),
            ("{", "This is no JSON."),
            ("[" * 100_000, "This is no JSON."),
            ("{\x00}", "not in the format of an export"),
            ("[]", "not in the format of an export"),
            ('{"version": 99}', "not in the format of an export"),
            (json.dumps(dump_criteria(AllOf(()))), "something is empty"),
            ('"' + "x" * 102_400 + '"', "This is too large"),
            (
                json.dumps(
                    dump_criteria(AllOf((Within(Within(QUIZ, NOW, None), None, NOW + timedelta(days=1)),)))
                ),
                "say more than rules and groups",
            ),
        ],
    )
    def test_what_cannot_be_taken_over_changes_nothing(
        self, text: str, said: str, member: FlaskClient
    ) -> None:
        answer = self.send(member, criteria_json=text)
        assert answer.status_code == 422
        assert said in answer.text
        page = typed(answer.text)
        assert {name: page[name] for name in FORM} == FORM
        if len(text) < 1000 and "\x00" not in text:
            assert page["criteria_json"] == text

    def test_a_file_that_is_no_text_is_no_json(self, member: FlaskClient) -> None:
        answer = self.send(member, criteria_file=(BytesIO(b"\xff\xfe\x00\x01"), "picture.png"))
        assert answer.status_code == 422
        assert "This is no JSON." in answer.text


class TestTrying:
    def test_who_would_earn_it_is_told_in_the_form(self, member: FlaskClient, tool: Sample) -> None:
        answer = submit(member, "simulate")
        page = BeautifulSoup(answer.text, "html5lib")
        assert page.find(id="simulation") is not None
        shown = typed(answer.text)
        assert {name: shown[name] for name in FORM} == FORM

    def test_where_nobody_is_known_it_is_said_when(self, member: FlaskClient, tool: Sample) -> None:
        tool.picker_view = replace(PICKERS["first"], is_known=False)
        assert "Nobody of this course is known yet." in submit(member, "simulate").text

    def test_there_are_no_forms_in_the_form(self, member: FlaskClient) -> None:
        page = BeautifulSoup(submit(member, "simulate").text, "html.parser")
        form = page.find("form", class_="describe")
        assert form is not None
        assert form.find("form") is None


@pytest.mark.parametrize("supports_gates", [True, False])
@pytest.mark.parametrize("supports_mirror", [True, False])
def test_recipes_ask_only_for_what_the_platform_can_tell(
    supports_gates: bool, supports_mirror: bool, member: FlaskClient, tool: Sample
) -> None:
    tool.picker_view = picker(supports_mirror=supports_mirror, supports_gates=supports_gates)
    page = BeautifulSoup(member.get("/l/session-1/micromodules/new").text, "html5lib")
    offered = [option["value"] for option in page.select("#recipe option")]
    assert ("forum" in offered) is ("page" in offered) is supports_gates
    assert ("forum-rating" in offered) is supports_mirror
    assert "project" in offered
    assert (page.find("button", value="add_gate") is not None) is supports_gates
    for forged in ("forum", "forum-rating", "project", "nonsense"):
        answer = submit(member, "add_recipe", recipe=forged)
        added = len(MicromoduleForm.from_fields(typed(answer.text)).rows) - 3
        assert added == {"project": 2}.get(forged, int(forged in offered)), forged


@pytest.mark.parametrize("date,kind", [("2026-11-30", "date"), ("30.11.2026", "text"), ("", "date")])
def test_a_date_of_another_form_comes_back_to_be_mended(date: str, kind: str, member: FlaskClient) -> None:
    """A browser shows an empty field of kind "date" instead, and the rule would lose its date unseen."""
    page = submit(member, "preview", **{"criteria-0-before": date}).text
    field = BeautifulSoup(page, "html5lib").find(id="criteria-0-before")
    assert field is not None
    assert (field["type"], field["value"]) == (kind, date)


def test_every_kind_of_rule_survives_every_button(member: FlaskClient) -> None:
    for action in ("preview", "simulate", "nonsense"):
        answer = member.post("/l/session-1/micromodules/new", data={**EVERY_KIND, **CSRF, "action": action})
        page = typed(answer.text)
        kept = MicromoduleForm.from_fields(page).rules
        sent = MicromoduleForm.from_fields(EVERY_KIND).rules
        assert kept.groups == sent.groups
        for one, other in zip(kept.rows, sent.rows, strict=True):
            assert (one.kind, one.choice, one.terms, one.after, one.before) == (
                other.kind,
                other.choice,
                other.terms,
                other.after,
                other.before,
            )
            assert (one.accepts, one.checklist, one.instructions, one.recipe, one.group) == (
                other.accepts,
                other.checklist,
                other.instructions,
                other.recipe,
                other.group,
            )


def test_a_second_rule_of_a_kind_has_a_name_of_its_own(app: Flask) -> None:
    form = MicromoduleForm.from_fields(FORM)
    with app.test_request_context():
        for _ in range(3):
            form, focus = change_rows(form, "add_attested", supports_mirror=True)
    assert [row.label for row in form.rows[3:]] == [
        "Confirmed by the teacher",
        "Confirmed by the teacher 2",
        "Confirmed by the teacher 3",
    ]
    assert focus == "criteria-5-label"


@pytest.mark.parametrize(
    "title,name",
    [
        ("Open Data", "Open Data"),
        ("Research Data", ""),
        ("x\u202ey", ""),
        ("Micromodule 1: Open Data", "Open Data"),
        ("CS101: Algorithms: a start", "Algorithms: a start"),
        ("Module 2: Research Data", ""),
        ("Writing: a start", "Writing: a start"),
        ("Day 1:", "Day 1:"),
        ("At 10:30", "At 10:30"),
    ],
)
def test_a_badge_is_called_as_its_course_unless_the_name_is_taken(
    title: str, name: str, member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = replace(PICKING, context_title=title)
    assert typed(member.get("/l/session-1/micromodules/new").text)["name"] == name


def test_a_form_of_ten_thousand_rules_is_answered(member: FlaskClient) -> None:
    many = {f"criteria-{number}-label": "x" for number in range(10_000)}
    answer = submit(member, "preview", **many)
    assert answer.status_code == 200
    assert answer.text.count('class="rule-row"') < 1100


def test_where_there_is_nothing_to_choose_the_form_opens_itself(member: FlaskClient, tool: Sample) -> None:
    tool.picker_view = PICKERS["first"]
    answer = member.get("/l/session-1/picker")
    assert (answer.status_code, answer.location) == (303, "/l/session-1/micromodules/new")
    page = BeautifulSoup(member.get(answer.location).text, "html5lib")
    (others,) = (link["href"] for link in page.select(".form-end a"))
    assert "badge wallet" in member.get(others).text, "the rest stays within reach"
    for state in ("usual", "draft"):
        tool.picker_view = PICKERS[state]
        assert member.get("/l/session-1/picker").status_code == 200, state


@pytest.mark.parametrize("path", ["/picker?all=yes", "/micromodules/new"])
@pytest.mark.parametrize("supports_mirror", [True, False])
def test_what_a_column_does_to_the_total_is_told_before_it_is_made(
    path: str, supports_mirror: bool, member: FlaskClient, tool: Sample
) -> None:
    tool.picker_view = picker(supports_mirror=supports_mirror)
    page = member.get(f"/l/session-1{path}").get_data(as_text=True)
    assert ("column counts in the total until its weight is 0." in page) is supports_mirror


def test_the_picker_offers_the_gates_that_have_no_link(member: FlaskClient, tool: Sample) -> None:
    tool.picker_view = PICKERS["gates"]
    assert "Add its gate" in member.get("/l/session-1/picker").text
    member.post("/l/session-1/picker", data={**CSRF, "action": "gate", "gate_id": "gate-2"})
    assert tool.calls[0][:3] == ("choose", PICKING, Choice(gate_ids=("gate-2",)))
