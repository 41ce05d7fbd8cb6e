"""Pages of milestones: what is sent is what was seen, rules grow by a button, refusals say why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.differences import Differences
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services.comparing import revision_of
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.version_drafts import UNSEEN
from tests.gallery.staff_pages import CSRF
from tests.unit.web import staff_views as views
from tests.unit.web.milestone_views import BESIDE, COMPARED, DRY_RUNS, MILESTONES, SAVED
from tests.unit.web.samples import SECRET, Sample

PATH = "/staff/milestones/milestone-1"


@pytest.fixture
def staff(app: Flask, tool: Sample) -> FlaskClient:
    """A browser of an editor."""
    tool.staffing.view = views.staff(StaffRole.EDITOR)
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def form_to(text: str, action: str) -> dict[str, str]:
    """The hidden fields of a form."""
    form = BeautifulSoup(text, "html.parser").select_one(f'form[action="{action}"]')
    assert form is not None
    return {str(one["name"]): str(one["value"]) for one in form.select("input[type=hidden]")}


@pytest.mark.parametrize("path", [PATH, f"{PATH}/dry-run"])
def test_activating_sends_the_mark_of_what_is_shown(staff: FlaskClient, tool: Sample, path: str) -> None:
    tool.milestones.page = replace(MILESTONES["draft"], mark="as seen")
    tool.milestones.run = replace(DRY_RUNS["usual"], mark="as seen")
    sent = form_to(staff.get(path).text, f"{PATH}/activate")
    assert sent["mark"] == "as seen"
    seen: list[str] = []

    def activate(*_: Any, seen: str, into: list[str] = seen) -> None:
        into.append(seen)

    tool.milestones.activate = activate
    assert staff.post(f"{PATH}/activate", data=sent).status_code == 303
    assert seen == ["as seen"]


def test_publishing_sends_what_was_compared_and_its_mark(staff: FlaskClient, tool: Sample) -> None:
    tool.milestone_versions.compared = replace(COMPARED["usual"], mark="as compared")
    text = staff.post(f"{PATH}/version", data={"name": "Two", "csrf_token": CSRF}).text
    sent = form_to(text, f"{PATH}/version/publish")
    assert (sent["mark"], sent["kind"], sent["count"]) == ("as compared", "explorer", "5")
    assert sent["name"] == COMPARED["usual"].form.name
    # Back to the form changes nothing.
    again = staff.post(f"{PATH}/version/publish", data={**sent, "back": "yes", "csrf_token": CSRF})
    assert again.status_code == 200
    assert not tool.calls


def test_a_version_that_began_from_something_else_is_shown_beside_what_is_active_now(
    staff: FlaskClient, tool: Sample
) -> None:
    sent = form_to(staff.get(f"{PATH}/version").text, f"{PATH}/version")
    typed = {"name": "Two", "whats_new": "All of it.", "csrf_token": CSRF}
    assert staff.post(f"{PATH}/version", data={**sent, **typed}).status_code == 200
    corrected = replace(COMPARED["usual"].view, criteria_narrative="Put right.")
    tool.milestone_versions.compared = replace(COMPARED["usual"], view=corrected, mark="of now")
    answer = staff.post(f"{PATH}/version", data={**sent, **typed})
    assert answer.status_code == 409
    again = form_to(answer.text, f"{PATH}/version/publish")
    assert again["mark"] == "of now"
    assert again["revision"] not in ("", sent["revision"])
    assert BeautifulSoup(answer.text, "html.parser").select_one(".notice[role=alert]") is not None
    assert "All of it." in answer.text
    # Whoever has seen it goes on, also by way of the form.
    form = staff.post(f"{PATH}/version/publish", data={**again, "back": "yes", "csrf_token": CSRF})
    assert form_to(form.text, f"{PATH}/version")["revision"] == again["revision"]
    assert staff.post(f"{PATH}/version", data={**again, **typed}).status_code == 200


def refuse(*_: Any, **__: Any) -> None:
    raise Conflict(ErrorCode.CONFLICT, "milestone-1 is not what was seen")


def test_nothing_typed_is_lost_where_somebody_was_quicker(staff: FlaskClient, tool: Sample) -> None:
    tool.milestone_versions.compared = replace(COMPARED["usual"], mark="of now")
    tool.milestone_versions.publish = refuse
    typed = {"name": "Two", "whats_new": "All of it.", "mark": "of before", "csrf_token": CSRF}
    answer = staff.post(f"{PATH}/version/publish", data=typed)
    assert answer.status_code == 409
    assert "All of it." in answer.text
    assert form_to(answer.text, f"{PATH}/version/publish")["mark"] == "of now"


def test_pressing_twice_publishes_once_and_is_no_mistake(staff: FlaskClient, tool: Sample) -> None:
    tool.milestone_versions.publish = refuse
    tool.milestone_versions.published = frozenset({"as compared"})
    typed = {"name": "Two", "whats_new": "All of it.", "mark": "as compared", "csrf_token": CSRF}
    answer = staff.post(f"{PATH}/version/publish", data=typed)
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/staff/milestones/milestone-1?done=milestone_version")


def test_a_conflict_with_a_sentence_of_its_own_is_said(staff: FlaskClient, tool: Sample) -> None:
    def counted(*_: Any, **__: Any) -> None:
        raise Conflict(ErrorCode.CATEGORY_COUNTED, "category", names=("Maps",))

    tool.milestone_versions.publish = counted
    answer = staff.post(f"{PATH}/version/publish", data={"name": "Two", "csrf_token": CSRF})
    assert answer.status_code == 409
    assert "Maps" in answer.text
    assert not BeautifulSoup(answer.text, "html.parser").select("form[action$=publish]")


def test_a_picture_that_no_design_draws_may_stay(staff: FlaskClient, tool: Sample) -> None:
    def designs() -> list[str]:
        page = BeautifulSoup(staff.get(f"{PATH}/version").text, "html.parser")
        return [str(one["value"]) for one in page.select("#design option")]

    assert "as_it_is" not in designs()
    other = replace(COMPARED["usual"].view, artwork={"picture_id": "picture-1", "alt": "A photograph"})
    tool.milestone_versions.compared = replace(COMPARED["usual"], view=other)
    assert designs()[0] == "as_it_is"


def test_more_rules_keep_what_was_typed(staff: FlaskClient, tool: Sample) -> None:
    typed = {"kind": "own", "name": "Half", "rule-2-what": "category:category-1", "rule-2-count": "2"}
    answer = staff.post("/staff/milestones", data={**typed, "more": "yes", "csrf_token": CSRF})
    page = BeautifulSoup(answer.text, "html.parser")
    assert len(page.select("fieldset.rule-row")) > 3
    chosen = page.select_one("#rule-2-what option[selected]")
    assert chosen is not None
    assert chosen["value"] == "category:category-1"
    assert not tool.calls


def test_where_nothing_differs_nobody_is_asked_what_is_new(staff: FlaskClient, tool: Sample) -> None:
    tool.milestone_versions.compared = replace(COMPARED["usual"], differences=Differences())
    fields = {"name": "Two", "csrf_token": CSRF}
    page = BeautifulSoup(staff.post(f"{PATH}/version", data=fields).text, "html.parser")
    assert "Nothing differs" in page.get_text()
    assert page.select("[name=whats_new]:not([type=hidden]), [name=policy]:not([type=hidden])") == []
    assert [one.get_text() for one in page.select("main .actions button")] == ["Change more"]


def test_sentences_of_how_it_stands_are_apart(staff: FlaskClient, tool: Sample) -> None:
    page = MILESTONES["active"]
    tool.milestones.page = replace(page, view=replace(page.view, number=2))
    words = BeautifulSoup(staff.get(PATH).text, "html.parser").get_text()
    assert "Version 2. Active since" in " ".join(words.split())


def test_a_category_that_is_asked_for_is_refused_with_the_milestones(
    staff: FlaskClient, tool: Sample
) -> None:
    names = ("Maps", "أطلس", "<b>Bold</b>")

    def refuse(*_: object) -> None:
        ids = ("milestone-1", "milestone-2", "milestone-3")
        raise Conflict(
            ErrorCode.CATEGORY_COUNTED,
            "category",
            names=names,
            milestones=tuple(zip(ids, names, strict=True)),
        )

    tool.administering.delete_category = refuse
    answer = staff.post("/staff/categories/category-1/delete", data={"csrf_token": CSRF})
    assert answer.status_code == 409
    said = BeautifulSoup(answer.text, "html.parser").select_one(".lead")
    assert said is not None
    for name in names:
        assert f"“\u2068{name}\u2069”" in said.get_text()
    assert not said.select("b")
    links = BeautifulSoup(answer.text, "html.parser").select(".error-body a[href*=milestones]")
    assert [(one["href"], one.get_text()) for one in links] == [
        (f"/staff/milestones/milestone-{number}", name) for number, name in enumerate(names, 1)
    ], "where each is retired or discarded"


def test_a_milestone_that_is_asked_for_is_refused_with_what_asks(staff: FlaskClient, tool: Sample) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Conflict(ErrorCode.MILESTONE_ASKED_FOR, "milestone", names=("Maps", "<b>Bold</b>"))

    tool.milestones.retire = refuse
    answer = staff.post(f"{PATH}/retire", data={"csrf_token": CSRF})
    assert answer.status_code == 409
    said = BeautifulSoup(answer.text, "html.parser").select_one(".lead")
    assert said is not None
    assert "“\u2068Maps\u2069”, “\u2068<b>Bold</b>\u2069”" in said.get_text()
    assert not said.select("b")
    assert "withdraw" not in answer.text, "no button is called so"


def refuse_unseen(*_: Any, **__: Any) -> None:
    raise Conflict(ErrorCode.CONFLICT, "milestone-1 is not what was seen", reason=UNSEEN)


def test_what_a_colleague_saved_stands_beside_what_was_typed(staff: FlaskClient, tool: Sample) -> None:
    tool.milestones.change = refuse_unseen
    typed = {"kind": "explorer", "name": "Mine", "revision": "as opened", "csrf_token": CSRF}
    answer = staff.post(f"{PATH}/edit", data=typed)
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html.parser")
    (told,) = page.select(".notice[role=alert]")
    assert "Somebody else has saved this draft" in told.text
    assert SAVED.name is not None
    assert SAVED.name in told.text
    assert [one["href"] for one in told.select("a")] == [PATH], "a way to keep theirs"
    assert BESIDE.view.name in str(page.select_one("section[aria-labelledby=beside]"))
    (name,) = page.select("input[name=name]")
    assert name["value"] == "Mine", "nothing is lost"
    assert form_to(answer.text, f"{PATH}/edit")["revision"] == revision_of(BESIDE.view)


def test_changing_and_discarding_send_what_was_looked_at(staff: FlaskClient, tool: Sample) -> None:
    tool.milestones.page = MILESTONES["draft"]
    sent: list[str] = []

    def note(*_: Any, revision: str) -> None:
        sent.append(revision)

    tool.milestones.change = tool.milestones.retire = note
    form = form_to(staff.get(f"{PATH}/edit").text, f"{PATH}/edit")
    assert staff.post(f"{PATH}/edit", data=form).status_code == 303
    form = form_to(staff.get(PATH).text, f"{PATH}/retire")
    assert staff.post(f"{PATH}/retire", data=form).status_code == 303
    tool.milestones.page = MILESTONES["active"]
    form = form_to(staff.get(PATH).text, f"{PATH}/retire")
    assert staff.post(f"{PATH}/retire", data=form).status_code == 303
    views_ = (MILESTONES["draft"], MILESTONES["draft"], MILESTONES["active"])
    assert sent == [revision_of(one.view) for one in views_]


@pytest.mark.parametrize("what", ["activate", "retire"])
def test_whoever_was_too_late_sees_who_changed_it_and_how_it_is_now(
    staff: FlaskClient, tool: Sample, what: str
) -> None:
    tool.milestones.page = replace(MILESTONES["draft"], mark="of now")
    tool.milestones.last = SAVED
    setattr(tool.milestones, what, refuse_unseen)
    answer = staff.post(f"{PATH}/{what}", data={"mark": "of before", "csrf_token": CSRF})
    assert answer.status_code == 409
    (told,) = BeautifulSoup(answer.text, "html.parser").select(".notice[role=alert]")
    assert SAVED.name is not None
    assert SAVED.name in told.text
    assert form_to(answer.text, f"{PATH}/activate")["mark"] == "of now"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/dry-run"])
def test_nobody_is_named_where_only_a_category_was_sorted(
    staff: FlaskClient, tool: Sample, path: str
) -> None:
    tool.milestones.page, tool.milestones.run = MILESTONES["draft"], DRY_RUNS["usual"]
    tool.milestones.last = replace(SAVED, is_own=True)
    tool.milestones.activate = refuse_unseen
    sent = form_to(staff.get(path).text, f"{PATH}/activate")
    answer = staff.post(f"{PATH}/activate", data=sent)
    assert answer.status_code == 409
    (told,) = BeautifulSoup(answer.text, "html.parser").select(".notice[role=alert]")
    assert "This milestone was changed since you looked" in told.text
    assert "Saved by" not in told.text


@pytest.mark.parametrize("error, status", [("invalid", 422), ("gone", 409)])
def test_what_was_typed_is_not_lost_where_it_cannot_stand_beside(
    staff: FlaskClient, tool: Sample, error: str, status: int
) -> None:
    def fail(*_: Any) -> None:
        if error == "gone":
            raise NotFound(ErrorCode.NOT_FOUND)
        problems = (Problem("count", FormProblem.UNKNOWN_CHOICE),)
        raise RequestInvalid(ErrorCode.FORM_INVALID, "form", problems=problems)

    tool.milestones.change, tool.milestones.beside = refuse_unseen, fail
    typed = {"kind": "explorer", "name": "Mine", "revision": "as opened", "csrf_token": CSRF}
    answer = staff.post(f"{PATH}/edit", data=typed)
    assert answer.status_code == status
    (name,) = BeautifulSoup(answer.text, "html.parser").select("input[name=name]")
    assert name["value"] == "Mine"


@pytest.mark.parametrize(
    "state, action",
    [("active", f"{PATH}/version"), ("retired", "/staff/milestones"), ("gone", "/staff/milestones")],
)
def test_what_was_typed_is_not_lost_with_the_draft(
    staff: FlaskClient, tool: Sample, state: str, action: str
) -> None:
    def late(*_: Any, **__: Any) -> None:
        raise NotFound(ErrorCode.NOT_FOUND) if state == "gone" else Conflict(ErrorCode.CONFLICT)

    tool.milestones.change = late
    tool.milestones.page = MILESTONES.get(state, MILESTONES["draft"])
    typed = {"kind": "explorer", "name": "Mine", "revision": "as opened", "csrf_token": CSRF}
    answer = staff.post(f"{PATH}/edit", data=typed)
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html.parser")
    (name,) = page.select(f'form[action="{action}"] input[name=name]')
    assert name["value"] == "Mine"
    assert len(page.select(".notice[role=alert]")) == 1
    sent = form_to(answer.text, action)
    assert sent.get("revision") == (revision_of(MILESTONES["active"].view) if state == "active" else None)


def test_a_version_that_can_be_published_no_more_goes_back_to_its_form(
    staff: FlaskClient, tool: Sample
) -> None:
    """Its criteria name what somebody retired while it was looked at."""
    compare, asked = tool.milestone_versions.compare, list[int]()

    def compare_once(*about: Any) -> Any:
        asked.append(1)
        if len(asked) > 1:
            problem = Problem("count", FormProblem.UNKNOWN_CHOICE)
            raise RequestInvalid(ErrorCode.FORM_INVALID, problems=(problem,))
        return compare(*about)

    tool.milestone_versions.compare = compare_once  # type: ignore[method-assign]
    tool.milestone_versions.publish = refuse
    answer = staff.post(f"{PATH}/version/publish", data={"name": "Mine", "csrf_token": CSRF})
    assert answer.status_code == 422
    (name,) = BeautifulSoup(answer.text, "html.parser").select("input[name=name]")
    assert name["value"] == "Mine"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/dry-run"])
def test_what_nobody_can_reach_yet_is_said_where_it_shows_who_would_get_it(
    staff: FlaskClient, tool: Sample, path: str
) -> None:
    said = "Nobody can reach all of this yet"
    assert said not in staff.get(path).text
    tool.milestones.page, tool.milestones.run = MILESTONES["short"], DRY_RUNS["short"]
    page = BeautifulSoup(staff.get(path).text, "html.parser")
    (told,) = [one.get_text() for one in page.select(".notice") if said in one.get_text()]
    assert "“\u2068Data skills\u2069”: 7 are needed, and 3 can be completed at present." in told
