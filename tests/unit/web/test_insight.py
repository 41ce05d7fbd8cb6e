"""Simulation, matrix and explanation as pages: rights, hostile parameters and names, files."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.awarding import Standing
from lti_tool.services.matrix import Order, Wanted
from lti_tool.services.publishing import mark_of
from lti_tool.web.csv_cells import harmless
from lti_tool.web.insight import wanted
from tests.unit.web.insight_views import EXPLANATIONS, MATRICES, NAMES, SIMULATIONS, channels, explanation
from tests.unit.web.sample_views import GRADER, TEACHER, session
from tests.unit.web.samples import SECRET, Sample

PLACEMENT = "/l/session-1/course/placements/placement-1"
CSRF = f"csrf-of-{SECRET}"
PAGES = ("simulation", "matrix", "matrix.csv", "learners/learner-1")


@pytest.fixture
def teacher(member: FlaskClient, tool: Sample) -> FlaskClient:
    tool.launching.view = TEACHER
    return member


@pytest.fixture
def grader(member: FlaskClient, tool: Sample) -> FlaskClient:
    tool.launching.view = GRADER
    return member


@pytest.mark.parametrize("page", PAGES)
def test_a_learner_sees_none_of_it(member: FlaskClient, page: str) -> None:
    assert member.get(f"{PLACEMENT}/{page}").status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_a_non_editing_teacher_sees_all_of_it(grader: FlaskClient, page: str) -> None:
    assert grader.get(f"{PLACEMENT}/{page}").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_sees_none_of_it(client: FlaskClient, page: str) -> None:
    assert client.get(f"{PLACEMENT}/{page}").status_code == 403


def test_publishing_needs_the_form_s_token(teacher: FlaskClient, tool: Sample) -> None:
    assert teacher.post(f"{PLACEMENT}/publish").status_code == 400
    assert tool.calls == []
    answer = teacher.post(f"{PLACEMENT}/publish", data={"csrf_token": CSRF})
    assert (answer.status_code, answer.location) == (
        303,
        "/l/session-1/course?published=placement-1#placement-placement-1",
    )
    assert tool.calls == [("publish", TEACHER, "placement-1")]


def test_what_is_published_is_what_was_seen(teacher: FlaskClient, tool: Sample) -> None:
    page = BeautifulSoup(teacher.get(f"{PLACEMENT}/simulation").text, "html.parser")
    form = page.find("form", action=f"{PLACEMENT}/publish")
    assert form is not None
    mark = form.find("input", attrs={"name": "seen"})
    assert mark is not None
    assert mark["value"] == mark_of(tool.simulation_view.criterion)
    sent: list[str] = []
    tool.publishing.publish = lambda *_, seen: sent.append(seen)
    teacher.post(f"{PLACEMENT}/publish", data={"csrf_token": CSRF, "seen": str(mark["value"])})
    assert sent == [mark["value"]]


def test_publishing_by_a_link_is_no_publishing(teacher: FlaskClient, tool: Sample) -> None:
    assert teacher.get(f"{PLACEMENT}/publish").status_code == 303
    assert tool.calls == []


def test_who_may_not_publish_gets_no_button(grader: FlaskClient, tool: Sample) -> None:
    tool.simulation_view = SIMULATIONS["blind"]
    shown = grader.get(f"{PLACEMENT}/simulation").text
    assert "<form" not in shown
    assert "Somebody who may edit this course has to publish it." in shown
    assert "Steps of this badge" not in shown


def test_a_draft_with_nothing_set_up_can_be_published_and_the_page_says_what_that_means(
    teacher: FlaskClient, tool: Sample
) -> None:
    tool.simulation_view = SIMULATIONS["blind"]
    shown = teacher.get(f"{PLACEMENT}/simulation").text
    assert 'action="/l/session-1/course/placements/placement-1/publish"' in shown
    assert "what cannot be known yet is not held against anybody" in shown
    assert "Its gradebook column has not been created yet." in shown
    assert "Nobody has confirmed yet who passes its gate." in shown


def test_what_is_published_is_not_published_again(teacher: FlaskClient, tool: Sample) -> None:
    tool.simulation_view = SIMULATIONS["published"]
    assert "/publish" not in teacher.get(f"{PLACEMENT}/simulation").text


def test_where_nobody_was_read_the_simulation_offers_to_read(teacher: FlaskClient, tool: Sample) -> None:
    tool.simulation_view = SIMULATIONS["unread"]
    shown = teacher.get(f"{PLACEMENT}/simulation").text
    assert "The participants have not been read yet" in shown
    assert 'action="/l/session-1/course/sync"' in shown
    assert " of 0 would earn it" not in shown


def test_while_the_course_is_read_the_page_follows(teacher: FlaskClient, tool: Sample) -> None:
    tool.simulation_view = SIMULATIONS["being-read"]
    region = BeautifulSoup(teacher.get(f"{PLACEMENT}/simulation").text, "html.parser").find(id="tried")
    assert region is not None
    assert region["data-live"] == f"{PLACEMENT}/simulation"
    assert region.find("form", action=f"{PLACEMENT}/publish") is not None
    tool.simulation_view = SIMULATIONS["usual"]
    assert "data-live=" not in teacher.get(f"{PLACEMENT}/simulation").text


def test_a_simulation_leads_to_everybody_it_does_not_name(teacher: FlaskClient) -> None:
    shown = teacher.get(f"{PLACEMENT}/simulation").text
    assert "and 200 more" in shown
    assert "matrix?badge=not_yet" in shown


@pytest.mark.parametrize("page", ["simulation", "matrix"])
def test_names_are_text(teacher: FlaskClient, page: str) -> None:
    shown = teacher.get(f"{PLACEMENT}/{page}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert(1)" not in shown


@pytest.mark.parametrize(
    "query, meant",
    [
        ("", Wanted()),
        ("sort=-name", Wanted(descending=True)),
        ("sort=badge", Wanted(Order.BADGE)),
        ("sort=-met", Wanted(Order.MET, descending=True)),
        ("sort=c3", Wanted(Order.CRITERION, order_leaf=2)),
        ("sort=-c50", Wanted(Order.CRITERION, descending=True, order_leaf=49)),
        ("q=%20Ada%20", Wanted(name="Ada")),
        ("badge=no_data", Wanted(standing=Standing.NO_DATA)),
        ("criterion=2&state=met", Wanted(leaf=1, leaf_state="met")),
    ],
)
def test_what_an_address_asks_for(app: Flask, query: str, meant: Wanted) -> None:
    with app.test_request_context(f"/?{query}"):
        assert wanted() == meant


@pytest.mark.parametrize(
    "query",
    [
        "sort=learner_id",
        "sort=name;DROP TABLE learners",
        "sort=criterion",
        "sort=c0",
        "sort=c-1",
        "sort=c999",
        "sort=c1)--",
        "sort=--name",
        "sort=c٣",
        "sort=" + "c" * 5000,
        "badge=earned'--",
        "badge=EARNED",
        "badge=__class__",
        "criterion=1",
        "criterion=1&state=M",
        "criterion=-1&state=met",
        "criterion=1e3&state=met",
        "criterion=99999999999999999999&state=met",
        "state=met",
        "q=%20%20",
    ],
)
def test_what_cannot_be_understood_is_not_asked_for(app: Flask, query: str) -> None:
    with app.test_request_context(f"/?{query}"):
        assert wanted() == Wanted()


@pytest.mark.parametrize("page", ["0", "-1", "9" * 30, "two", "1;2", "%F0"])
def test_any_page_number_has_a_page(teacher: FlaskClient, page: str) -> None:
    assert teacher.get(f"{PLACEMENT}/matrix?page={page}").status_code == 200


def test_a_name_of_any_length_is_searched_for_in_part(teacher: FlaskClient, tool: Sample) -> None:
    teacher.get(f"{PLACEMENT}/matrix?q={'x' * 5000}")
    assert tool.calls[-1][2].name == "x" * 200


def test_the_matrix_is_sorted_by_links_that_say_how(teacher: FlaskClient, tool: Sample) -> None:
    tool.matrix_view = MATRICES["narrowed"]
    shown = teacher.get(f"{PLACEMENT}/matrix").text
    assert shown.count('aria-sort="descending"') == 1
    assert shown.count("aria-sort") == 1
    tool.matrix_view = MATRICES["usual"]
    shown = teacher.get(f"{PLACEMENT}/matrix").text
    assert shown.count('aria-sort="ascending"') == 1
    assert 'href="/l/session-1/course/placements/placement-1/matrix?sort=-name"' in shown
    assert 'href="/l/session-1/course/placements/placement-1/matrix?sort=c1"' in shown


def test_leafing_keeps_what_was_asked_for(teacher: FlaskClient, tool: Sample) -> None:
    tool.matrix_view = MATRICES["narrowed"]
    shown = teacher.get(f"{PLACEMENT}/matrix").text
    for part in ("q=a", "badge=not_yet", "criterion=1", "state=not_met", "sort=-c2", "page=1"):
        assert part in shown.partition('rel="prev"')[2].partition(">")[0]


def test_the_matrix_says_what_keeps_a_criterion_from_being_known(teacher: FlaskClient, tool: Sample) -> None:
    tool.matrix_view = MATRICES["trouble"]
    shown = teacher.get(f"{PLACEMENT}/matrix").text
    assert "refuses the tool&#39;s key" in shown
    assert "Nobody has confirmed yet who passes its gate." in shown
    assert 'href="/l/session-1/course/gates/gate-1"' in shown
    assert 'href="/l/session-1/course#setup-placement-1"' in shown


def rows_of(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_file_has_a_line_for_everybody_and_columns_for_each_criterion(teacher: FlaskClient) -> None:
    answer = teacher.get(f"{PLACEMENT}/matrix.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="learners.csv"'
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.is_streamed
    rows = rows_of(answer.text)
    assert len(rows) == len(NAMES)
    ada = rows[0]
    assert (ada["name"], ada["user_id"], ada["badge"], ada["criteria_met"]) == (
        "Ada Lovelace",
        "0",
        "award",
        "5",
    )
    assert (ada["1 Quiz 1: state"], ada["1 Quiz 1: value"], ada["1 Quiz 1: maximum"]) == ("met", "95", "100")
    assert ada["5 Exercises: value"] == "85"
    assert ada["4 Field report: state"] == "met"
    assert rows[4]["4 Field report: value"] == "submitted"
    assert rows[6]["1 Quiz 1: value"] == ""
    assert rows[4]["not_counted"] == "not_a_student"
    assert len(ada) == 9 + 5 * len(channels())


def test_no_name_is_calculated_by_a_spreadsheet(teacher: FlaskClient) -> None:
    rows = rows_of(teacher.get(f"{PLACEMENT}/matrix.csv").text)
    assert rows[2]["name"] == '\'=HYPERLINK("https://evil.example")'
    assert not any(cell.lstrip().startswith(("=", "+", "@")) for row in rows for cell in row.values())


@pytest.mark.parametrize(
    "cell", ["=1", "+1", "-1", "@a", "\t=1", "\r1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠a", "\u00a0=1"]
)
def test_what_begins_like_a_formula_becomes_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell, written",
    [
        ("Ada;=cmd|' /C calc'!A0", "Ada;'=cmd|' /C calc'!A0"),
        ("Ada; =1;\t＝1", "Ada;' =1;'\t＝1"),
        ("=1;-1", "'=1;'-1"),
    ],
)
def test_a_cell_stays_one_where_semicolons_separate(cell: str, written: str) -> None:
    """Excel in German takes a semicolon for the end of a cell, also in a file of commas."""
    assert harmless(cell) == written


@pytest.mark.parametrize("cell", ["", "Ada", "a=1", "1-2", "'", '"', "O'Neill", "Lovelace; Ada", "a\tb"])
def test_what_does_not_stays(cell: str) -> None:
    assert harmless(cell) == cell


def test_one_learner_is_explained_with_what_a_teacher_can_do(teacher: FlaskClient, tool: Sample) -> None:
    shown = teacher.get(f"{PLACEMENT}/learners/learner-1").text
    assert "Quiz 1: at least 60" in shown
    assert "From the gradebook column “Quiz 1”" in shown
    assert 'href="/l/session-1/course/placements/placement-1/attest/lab"' in shown
    assert 'href="/l/session-1/course/placements/placement-1/submissions"' in shown
    assert "0" * 32 in shown
    assert "before: No data yet" in shown
    assert "Who is confirmed" not in shown
    tool.explanation_view = EXPLANATIONS["earned"]
    for who in (TEACHER, GRADER):
        tool.launching.view = who
        assert "Who is confirmed: Laboratory safety" in teacher.get(f"{PLACEMENT}/learners/learner-1").text
    tool.explanation_view = EXPLANATIONS["staff"]
    assert "Teaches or runs this course." in teacher.get(f"{PLACEMENT}/learners/learner-1").text


def test_a_draft_s_explanation_says_that_nothing_is_awarded(teacher: FlaskClient, tool: Sample) -> None:
    tool.explanation_view = EXPLANATIONS["draft"]
    shown = teacher.get(f"{PLACEMENT}/learners/learner-1").text
    assert "Not published yet" in shown
    assert "Would earn it now" in shown
    assert "Earned" not in shown


def test_what_was_written_about_evidence_is_shown_as_text(teacher: FlaskClient, tool: Sample) -> None:
    tool.explanation_view = explanation(5, comments={"report": "<b>No</b>"})
    shown = teacher.get(f"{PLACEMENT}/learners/learner-1").text
    assert "&lt;b&gt;No&lt;/b&gt;" in shown


def test_a_masquerader_is_offered_no_change(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = replace(TEACHER, can_configure=False, is_read_only=True)
    for page in ("simulation", "matrix", "learners/learner-1"):
        shown = member.get(f"{PLACEMENT}/{page}").text
        assert 'method="post"' not in shown


def test_a_session_in_the_address_works_as_well(client: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(
        can_view_progress=True, can_configure=True, is_learner=False, is_cookie_bound=False
    )
    shown = client.get(f"/s/{SECRET}/course/placements/placement-1/matrix").text
    assert f"/s/{SECRET}/course/placements/placement-1/learners/" in shown
