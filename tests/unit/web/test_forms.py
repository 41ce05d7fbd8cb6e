"""The micromodule form: nothing typed is lost, and problems lead to their fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.credentials.artwork import Artwork, check_artwork
from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services.micromodule_form import MAXIMUM_ROWS, FormProblem, MicromoduleForm, Problem
from lti_tool.web.criteria_words import narrate
from lti_tool.web.forms import change_rows, spoken_criterion
from tests.unit.web.sample_views import FORM, PICKING
from tests.unit.web.samples import SECRET, Sample

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


@pytest.mark.parametrize("action", ["preview", "nonsense", "remove_row-99", "remove_row-x"])
def test_a_round_trip_loses_nothing(action: str, member: FlaskClient) -> None:
    page = typed(submit(member, action).text)
    assert {name: page[name] for name in FORM} == FORM
    assert not any(value for name, value in page.items() if name not in {*FORM, "recipe"})


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
    assert named == [{"language": "en", "key": "key-1"}]


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
    assert tool.calls == [("place_wallet", PICKING, "Badges")]


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
