"""The page on which an instructor checks a gate: what it says, and what it may be sent."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lti_tool.errors import Conflict, ErrorCode
from tests.unit.web.gate_views import GATES, MOODLE_SETTINGS
from tests.unit.web.sample_views import GRADER, TEACHER
from tests.unit.web.samples import SECRET, Sample

PATH = "/l/session-1/course/gates/gate-1"
TOKEN = {"csrf_token": f"csrf-of-{SECRET}"}


def shown(member: FlaskClient, tool: Sample, state: str) -> str:
    tool.gate_view = GATES[state]
    return member.get(PATH).text


@pytest.fixture(autouse=True)
def teacher(tool: Sample) -> None:
    tool.launching.view = TEACHER


def test_it_leads_to_the_restriction_in_a_new_tab(member: FlaskClient, tool: Sample) -> None:
    page = shown(member, tool, "usual")
    assert MOODLE_SETTINGS.replace("&", "&amp;") in page
    assert 'target="_blank" rel="noopener noreferrer"' in page


@pytest.mark.parametrize(
    "state,sentence",
    [
        ("everybody", "Probably no restriction is set, or the activity is merely hidden."),
        ("doubted", "Was the restriction removed?"),
        ("doubt-over", "until you have confirmed the gate again"),
        ("empty-course", "nothing can be seen of a restriction"),
        ("deleted", "perhaps it was deleted"),
        ("duplicate", "Another activity of this course is the gate."),
        ("canvas", "under “Assign to” name those who pass"),
        ("confirmed", "Back to the badge"),
        ("reading", "Reading who passes"),
        ("waiting", "own activity once"),
    ],
)
def test_each_state_says_what_it_is(member: FlaskClient, tool: Sample, state: str, sentence: str) -> None:
    assert sentence in shown(member, tool, state)


@pytest.mark.parametrize(
    "state,has_button,has_box",
    [
        ("usual", True, False),
        ("nobody", True, False),
        ("everybody", True, True),
        ("empty-course", True, True),
        ("doubted", True, True),
        ("doubt-over", True, False),
        ("waiting", False, False),
        ("reading", False, False),
        ("confirmed", False, False),
        ("deleted", False, False),
        ("grader", False, False),
    ],
)
def test_what_can_be_confirmed(
    member: FlaskClient, tool: Sample, state: str, has_button: bool, has_box: bool
) -> None:
    if state == "grader":
        tool.launching.view = GRADER
    page = shown(member, tool, state)
    assert ('value="confirm"' in page) is has_button
    assert ('name="everybody" value="yes" required' in page) is has_box


def test_a_reading_under_way_is_watched(member: FlaskClient, tool: Sample) -> None:
    assert shown(member, tool, "reading").count("data-live=") == 2
    assert "data-live=" not in shown(member, tool, "usual")


def test_who_only_grades_gets_no_form(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = GRADER
    page = shown(member, tool, "everybody")
    assert "<form" not in page
    assert "Somebody who may edit this course has to confirm it." in page


@pytest.mark.parametrize(
    "box,everybody", [({}, False), ({"everybody": "yes"}, True), ({"everybody": "1"}, False)]
)
def test_confirming_says_whether_the_box_was_ticked(
    member: FlaskClient, tool: Sample, box: dict[str, str], everybody: bool
) -> None:
    said: list[bool] = []

    def confirm(_session: object, _gate_id: str, *, everybody: bool) -> str:
        said.append(everybody)
        return "placement-1"

    tool.gating.confirm = confirm
    answer = member.post(PATH, data={**TOKEN, "action": "confirm", **box})
    assert (answer.status_code, answer.location) == (303, "/l/session-1/course#setup-placement-1")
    assert said == [everybody]


def test_reading_again_comes_back_here(member: FlaskClient, tool: Sample) -> None:
    answer = member.post(PATH, data={**TOKEN, "action": "read"})
    assert (answer.status_code, answer.location) == (303, f"{PATH}#who")
    assert [call[0] for call in tool.calls] == ["read"]


@pytest.mark.parametrize("fields", [{}, {"action": "open"}, {"action": "confirm\0"}])
def test_nothing_else_is_done(member: FlaskClient, tool: Sample, fields: dict[str, str]) -> None:
    assert member.post(PATH, data={**TOKEN, **fields}).status_code == 400
    assert tool.calls == []


def test_without_the_sessions_own_token_nothing_is_done(member: FlaskClient, tool: Sample) -> None:
    assert member.post(PATH, data={"action": "confirm"}).status_code == 400
    assert tool.calls == []


def test_a_conflict_of_another_kind_is_the_page_of_errors(member: FlaskClient, tool: Sample) -> None:
    def confirm(*_: object, **__: object) -> None:
        raise Conflict(ErrorCode.CONFLICT)

    tool.gating.confirm = confirm
    answer = member.post(PATH, data={**TOKEN, "action": "confirm"})
    assert answer.status_code == 409
    assert "Not confirmed" not in answer.text
