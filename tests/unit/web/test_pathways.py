"""The pages of pathways: the list says what the map says, and circles are told in words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.pathways import Standing
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services.pathways import SHOWN, PathView, Pathway, StepNeed
from lti_tool.web.form_words import circle_sentence
from lti_tool.web.pathway_map import ABREAST, HEIGHT, LINE, WIDTH, draw, in_lines
from tests.unit.web.pathway_views import ALL_PATHWAYS, AROUND, PATHS, USUAL, WALLETS, need, row, step
from tests.unit.web.sample_views import visitor
from tests.unit.web.samples import SECRET, Sample

PATH = "/l/session-1/wallet/path/achievement-1"


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    """An owner's browser."""
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def page(client: FlaskClient, address: str) -> BeautifulSoup:
    answer = client.get(address)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def test_the_list_says_every_step_its_standing_and_what_it_needs(member: FlaskClient, tool: Sample) -> None:
    tool.path_view = USUAL
    steps = [one.get_text(" ", strip=True) for one in page(member, PATH).select("ol.pathway > li")]
    assert len(steps) == len(USUAL.steps)
    assert "Done" in steps[0]
    assert "You can start it" in steps[1]
    assert "Done: Data Basics" in steps[2]
    assert "Missing: Data Ethics (one of several ways)" in steps[2]
    assert "1 of 3 micromodules: Statistics" in steps[3]


def test_to_whom_teaches_it_says_nobody_s_progress(member: FlaskClient, tool: Sample) -> None:
    tool.path_view = PATHS["teacher"]
    shown = page(member, PATH)
    assert not shown.select(".pill")
    assert not shown.select(".map-done, .map-open, .map-later")


def test_a_way_of_one_step_needs_no_map(member: FlaskClient, tool: Sample) -> None:
    tool.path_view = PATHS["alone"]
    shown = page(member, PATH)
    assert not shown.select(".pathway-map")
    assert "Nothing has to be finished before it." in shown.get_text()


def test_no_way_is_a_page_that_says_so(member: FlaskClient, tool: Sample) -> None:
    def refuse(*_: object) -> None:
        raise NotFound(ErrorCode.NOT_FOUND)

    tool.pathways.path = refuse
    assert member.get(PATH).status_code == 404


def test_the_wallet_leads_on(member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = WALLETS["opens"]
    (line,) = page(member, "/l/session-1/wallet").select("p.opens")
    assert "Opens: Part 1 of a long way" in line.get_text()
    assert "and 1 more" in line.get_text()
    assert line.select("a")[0]["href"] == "/l/session-1/wallet/path/of-part-1-of-a-long-way"


def test_what_gave_no_badge_is_said_to_be_finished(member: FlaskClient, tool: Sample) -> None:
    assert not page(member, "/l/session-1/wallet").select("#finished")
    tool.wallet_view = WALLETS["finished"]
    first, _second = page(member, "/l/session-1/wallet").select("ul.finished > li")
    assert "Data Ethics finished" in first.get_text(" ", strip=True)
    assert "no badge" in first.get_text()
    assert "Data for All" in first.get_text()


def test_who_teaches_finds_the_way_from_the_course(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = visitor("usual")
    links = page(member, "/l/session-1/course").select("a[href*='/wallet/path/']")
    assert links
    tool.pathways.between = lambda *_: frozenset()
    assert not page(member, "/l/session-1/course").select("a[href*='/wallet/path/']")


def test_everybody_is_told_what_it_asks_for_and_opens(member: FlaskClient, tool: Sample) -> None:
    tool.public_steps = AROUND
    (panel,) = page(member, "/achievements/version-data").select("#pathway")
    assert [one.get_text() for one in panel.select("li")] == [
        *(row.name for row in AROUND.requires),
        *(row.name for row in AROUND.opens),
    ]


def called(need: StepNeed) -> str:
    return f"set {need.name}"


def test_boxes_do_not_overlap_and_stand_within_the_map() -> None:
    for view in PATHS.values():
        for is_rtl in (False, True):
            drawn = draw(view, called, is_rtl=is_rtl)
            if drawn is None:
                continue
            corners = [(box.x, box.y) for box in drawn.boxes]
            assert all(0 <= x <= drawn.width - WIDTH and 0 <= y <= drawn.height - HEIGHT for x, y in corners)
            for number, (x, y) in enumerate(corners):
                for other_x, other_y in corners[number + 1 :]:
                    assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT


def test_no_line_runs_behind_a_box_that_it_has_nothing_to_do_with() -> None:
    """There it would seem to begin, or to end."""
    usual = ALL_PATHWAYS["usual"].pathways
    passed = 0
    for view in (*PATHS.values(), *usual):
        drawn = draw(view, called)
        for line in () if drawn is None else drawn.lines:
            # It goes down in curves between the rows, and straight past each of them.
            for x, bottom in re.findall(r" (\d+) \d+V(\d+)", line.path):
                passed += 1
                row = [box.x for box in drawn.boxes if box.y + HEIGHT == int(bottom)]  # type: ignore[union-attr]
                assert row
                assert not any(left <= int(x) <= left + WIDTH for left in row)
                assert 0 < int(x) < drawn.width  # type: ignore[union-attr]
    assert passed


def test_rows_stand_in_the_order_of_what_they_need() -> None:
    """Else lines cross that need not."""
    before = [step(row(f"First {number}"), Standing.LATER, 0) for number in range(3)]
    after = [
        step(row(f"Then {number}"), Standing.LATER, 1, need(before[2 - number].row)) for number in range(3)
    ]
    drawn = draw(Pathway((), (*before, *after), 6), called)
    assert drawn is not None
    at = {box.lines[0]: box.x for box in drawn.boxes}
    assert [at[f"Then {number}"] for number in range(3)] == [at[f"First {2 - number}"] for number in range(3)]


def test_where_people_read_from_the_right_rows_begin_there() -> None:
    left, right = draw(USUAL, called), draw(USUAL, called, is_rtl=True)
    assert left is not None
    assert right is not None
    assert left.boxes[0].x == right.boxes[1].x != left.boxes[1].x
    assert left.boxes[0].y == right.boxes[0].y


def test_what_was_in_a_circle_before_is_drawn_all_the_same() -> None:
    first, second = USUAL.steps[0], USUAL.steps[2]
    around = replace(USUAL, steps=(replace(first, needs=second.needs), second), total=2)
    assert draw(around, called) is not None


def test_names_are_cut_to_two_lines() -> None:
    assert in_lines("Short") == ("Short",)
    lines = in_lines("A very long name of a micromodule that nobody can read in one breath")
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(len(line) <= LINE for line in (*lines, *in_lines("x" * 300), *in_lines("x " * 300)))


def test_a_circle_is_told_all_the_way_round(app: Flask) -> None:
    with app.test_request_context():
        said = circle_sentence(("Maps", "Atlases")).replace("\u2068", "").replace("\u2069", "")
        assert "“Maps” asks for “Atlases”; “Atlases” asks for “Maps”" in said
        assert "itself" in circle_sentence(("Maps",)[1:])


def test_what_closes_a_circle_is_refused_with_the_circle(member: FlaskClient, tool: Sample) -> None:
    names = ("Maps", "أطلس", "<b>Bold</b>")

    def refuse(*_: object) -> None:
        raise Conflict(ErrorCode.PATHWAY_CIRCLE, "ids", names=names)

    tool.pathways.path = refuse
    answer = member.get(PATH)
    assert answer.status_code == 409
    said = BeautifulSoup(answer.text, "html.parser").select_one(".lead")
    assert said is not None
    for name in names:
        assert f"“\u2068{name}\u2069”" in said.get_text()
    assert not said.select("b")


def test_the_drawing_says_nothing_that_the_list_does_not_say_and_all_of_it(
    member: FlaskClient, tool: Sample
) -> None:
    tool.path_view = USUAL
    shown = page(member, PATH)
    drawn = [one.get_text(" ", strip=True) for one in shown.select("svg .map-step")]
    assert len(drawn) == len(USUAL.steps) + 1, "a set to choose from has a box, too"
    assert "1 of 3: Statistics" in drawn
    needs = sum(len(step.needs) for step in USUAL.steps)
    assert len(shown.select("path.map-line")) == needs == len(shown.select(".pathway-needs > li"))
    assert "A dashed line: one of several ways." in shown.get_text()


def test_too_many_steps_are_listed_and_not_drawn(member: FlaskClient, tool: Sample) -> None:
    tool.path_view = PATHS["many"]
    shown = page(member, PATH)
    assert not shown.select(".pathway-map")
    assert "There are too many steps to draw them." in shown.get_text()
    assert "491 more steps come before it." in shown.get_text()
    assert "3 of 500 steps are done." in shown.get_text()


def test_a_badge_that_is_over_is_said_to_be_and_what_is_gone_leads_nowhere(
    member: FlaskClient, tool: Sample
) -> None:
    tool.path_view = PATHS["lost"]
    shown = page(member, PATH)
    assert "You had this badge; it is not in force any more." in shown.get_text()
    assert "(the badge)" in shown.get_text()
    (gone,) = [one for one in shown.select(".pathway-needs > li") if "What was deleted" in one.get_text()]
    assert not gone.select("a")
    ids = {one["id"] for one in shown.select("[id]")}
    assert all(str(link["href"])[1:] in ids for link in shown.select(".pathway-needs a"))


def test_a_page_of_as_many_steps_as_are_shown_stays_small(member: FlaskClient, tool: Sample) -> None:
    rows = [row(f"Step {number} of a very long way through everything") for number in range(SHOWN)]
    tool.path_view = PathView(
        rows[-1],
        tuple(
            step(one, Standing.LATER, number, *(need(before) for before in rows[max(0, number - 4) : number]))
            for number, one in enumerate(rows)
        ),
        tuple(row(f"Opened {number}") for number in range(500)),
        is_personal=True,
        total=10_000,
    )
    answer = member.get(PATH)
    assert len(answer.data) < 400_000
    assert "and 450 more" in answer.text


def test_rows_are_no_wider_than_a_page() -> None:
    crowd = replace(PATHS["many"], total=len(PATHS["many"].steps))
    drawn = draw(crowd, called)
    assert drawn is not None
    rows = [box.y for box in drawn.boxes]
    assert max(rows.count(y) for y in rows) <= ABREAST


def test_wide_letters_take_more_of_a_line() -> None:
    assert in_lines("情報リテラシー入門とデータ管理の基礎")[0] == "情報リテラシー入門…"
    (capitals,) = in_lines("M" * 40)
    assert len(capitals) < LINE


def lines_of(page: BeautifulSoup) -> dict[str, str]:
    """Each step of the list of staff, and what is said of it."""
    return {
        str(one.a.get_text(strip=True)): " ".join(one.get_text(" ").split())
        for one in page.select("ol.pathway-list > li")
        if one.a is not None
    }


def test_staff_sees_every_pathway_as_a_list_that_says_what_the_map_does(
    staff: FlaskClient, tool: Sample
) -> None:
    shown = page(staff, "/staff/pathways")
    first, second, _third = shown.select("section.pathway-part")
    said = lines_of(first)
    assert "Archived" in said["Data Ethics"]
    assert "Retired Milestone · 31 people have it." in said["An old one"]
    assert "First: Data Basics (the badge), Data Ethics (one of several ways)" in said[
        "Caring for Research Data"
    ].replace(" ,", ",")
    steward = said["Research Data Steward of the University"]
    assert "Draft" in steward
    assert "3 of 14 micromodules: Statistics" in steward
    assert "and 6 more" in steward
    assert "1204 people have it." in said["Data Basics"]
    # The list comes first; the drawing is the component of the learner's page.
    assert [one.name for one in first.select("ol.pathway-list, .pathway-map")] == ["ol", "div"]
    assert len(first.select(".map-gone")) == 2
    assert len(second.select(".map-step")) == len(lines_of(second)) == 7
    links = {one.get_text(strip=True): one["href"] for one in first.select(".pathway-name a")}
    assert links["Data Basics"] == "/staff/micromodules/data-basics"
    assert links["An old one"] == "/staff/milestones/milestone-2"


def test_what_is_too_much_to_draw_is_leafed_through_and_asked_for_in_part(
    staff: FlaskClient, tool: Sample
) -> None:
    tool.pathway_page = ALL_PATHWAYS["many"]
    shown = page(staff, "/staff/pathways?page=2&around=part")
    assert ("pathways", {"page": 2, "around": "part"}) in tool.calls
    assert not shown.select(".pathway-map")
    assert "Steps 101 to 108 of 1,950." in shown.get_text()
    assert "The end of the crowd, Part 1 of a long way and 5 more" in shown.get_text()
    asked = [str(one["href"]) for one in shown.select(".pathway-list a[href*='around=']")]
    assert "/staff/pathways?around=part-1-of-a-crowd" in asked
    # What stands on another page is asked for there.
    assert "/staff/pathways?around=the-end-of-the-crowd" in asked
    assert [one["href"] for one in shown.select("nav.pages a")] == [
        "/staff/pathways?page=1",
        "/staff/pathways?page=3",
    ]


def test_a_micromodule_leads_to_what_it_needs_and_opens(staff: FlaskClient, tool: Sample) -> None:
    address = "/staff/pathways?around="
    assert page(staff, "/staff/micromodules/micromodule-1").select(f"a[href^='{address}']")
    assert page(staff, "/staff/milestones/milestone-1").select(f"a[href^='{address}']")
