"""The steps of a badge for those who teach, and its rules for those who learn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.domain.badge_states import BadgeState
from tests.unit.web.sample_views import COURSES, NOW, WALLETS, earned, revoked, visitor, wallet
from tests.unit.web.samples import Sample


def course_words(member: FlaskClient, tool: Sample, state: str) -> str:
    tool.launching.view = visitor(state)
    tool.course_view = COURSES[state]
    page = BeautifulSoup(member.get("/l/session-1/course").text, "html5lib")
    return " ".join(page.get_text(" ").split())


def test_a_revoked_badge_does_not_stay(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "reviews")
    assert words.count("the badge stays.") == 1
    assert "Results changed Grades changed after the award; the badge stays." in words


def test_a_draft_is_set_up_in_the_order_of_its_steps(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "draft-begun")
    steps = ("Quiz 1 Formula", "Restrict “Forum and page”", "Publish")
    places = [words.index(step) for step in steps]
    assert places == sorted(places)
    assert "Confirm learners : Presentation" in words, "people may be confirmed before, and need not"
    assert "Check and confirm : Forum and page" in words
    assert "What is missing" not in words, "nobody is listed before it is published"


def test_what_is_done_is_one_line_and_no_button(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "draft-ready")
    assert "Create the column" not in words
    assert "Open the formula page" not in words
    assert "Confirmed · 3 of 30 pass" in words
    assert "3 of 7 would earn it now" in words, "who waits for proof, too"


def test_a_gate_that_nobody_opened_says_how(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "draft")
    assert "Open the activity “Forum and page” in the course once." in words
    assert "Check and confirm" not in words


def test_a_gate_in_doubt_stands_among_the_steps_again(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "doubted")
    assert "Suddenly everybody passes." in words
    assert "Publish" not in words, "it is published, and stays so"
    assert "Set up this badge" in words
    assert "Grades arrive" in course_words(member, tool, "people"), "all is well with this one"


def test_a_gate_that_was_doubted_does_not_say_that_everybody_passes_now(
    member: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = COURSES["doubted"]
    (placement,) = view.placements
    gates = tuple(replace(gate, listed=3) for gate in placement.gates)
    monkeypatch.setitem(COURSES, "doubted", replace(view, placements=(replace(placement, gates=gates),)))
    words = course_words(member, tool, "doubted")
    assert "For a while everybody passed" in words
    assert "Suddenly" not in words


def test_a_gate_in_trouble_says_what_to_do(member: FlaskClient, tool: Sample) -> None:
    assert "try again in a few minutes" in course_words(member, tool, "gate-trouble")


def test_who_may_not_publish_has_no_button_for_it(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = visitor("draft-grader")
    tool.course_view = COURSES["draft-grader"]
    shown = member.get("/l/session-1/course").text
    assert "<form" not in shown
    assert "Look at the gate" in shown


def test_what_waits_for_a_person_is_counted(member: FlaskClient, tool: Sample) -> None:
    words = course_words(member, tool, "people")
    assert "Handed in: 3 wait" in words
    assert "Confirm learners : Presentation, Research Data 2 confirmed" in words


def wallet_page(member: FlaskClient, tool: Sample, state: str) -> BeautifulSoup:
    tool.wallet_view = WALLETS[state]
    return BeautifulSoup(member.get("/l/session-1/wallet").text, "html5lib")


def test_a_draft_gives_nothing_yet_and_shows_what_counts(member: FlaskClient, tool: Sample) -> None:
    words = " ".join(wallet_page(member, tool, "draft").get_text(" ").split())
    assert "Being prepared" in words
    assert "Nothing is given yet; what counts already is shown." in words
    assert "40 of 100 points, 20 points more are needed" in words


def test_the_wallet_says_source_age_and_next_step_of_each_rule(member: FlaskClient, tool: Sample) -> None:
    page = wallet_page(member, tool, "every-rule")
    rules = [rule for rule in page.select("li.rule") if not rule.select(".rule")]
    assert len(rules) == 6
    for rule in rules:
        is_met = rule.select_one(".is-met") is not None
        assert (rule.select_one(".rule-next") is None) is is_met
        assert rule.select_one(".rule-status") is not None, "a state in words"
    assert "read 2 minutes ago" in rules[0].get_text()
    (link,) = page.select(".rule a")
    assert link["href"] == "/l/session-1/evidence/placement-1/report"
    (comment,) = page.select(".rule-comment blockquote")
    assert "Please name your sources." in comment.text


def test_whoever_looks_as_somebody_else_is_led_nowhere(member: FlaskClient, tool: Sample) -> None:
    page = wallet_page(member, tool, "every-rule-read-only")
    assert page.select(".rule a") == []


def test_a_gate_that_no_rule_asks_for_says_what_to_do(member: FlaskClient, tool: Sample) -> None:
    page = wallet_page(member, tool, "forgotten-gate")
    (notice,) = page.select(".notice:has(a)")
    assert "No badge asks for this activity any more." in notice.get_text()
    assert "delete the activity in the course" in notice.get_text()
    (link,) = notice.select("a")
    assert link["href"] == "/l/session-1/course"


def test_a_revoked_badge_is_not_said_to_be_valid(member: FlaskClient, tool: Sample) -> None:
    term = {"valid_until": NOW + timedelta(days=300)}
    tool.wallet_view = wallet(earned=(earned(1, **term), revoked(2, **term)))
    page = BeautifulSoup(member.get("/l/session-1/wallet").text, "html5lib")
    said = {card.h3.text: "Valid until" in card.text for card in page.select("article") if card.h3}
    assert said["Research Data"]
    assert not said["Academic Writing"]


@pytest.mark.parametrize("counts", [True, False])
def test_a_paused_badge_says_whether_it_counts_meanwhile(
    counts: bool, member: FlaskClient, tool: Sample
) -> None:
    paused = {"state": BadgeState.SUSPENDED, "suspension_reason": "Under review.", "counts": counts}
    tool.wallet_view = wallet(in_progress=(), earned=(earned(1, **paused),))
    page = BeautifulSoup(member.get("/l/session-1/wallet").text, "html5lib").get_text(" ")
    assert "Under review." in page
    assert ("it counts meanwhile" in page) is counts
