"""Criteria as people read them: each rule, in each state, for who learns and who teaches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from flask import Flask

from lti_tool.domain.criteria import AllOf, AnyOf, AtLeast, Criterion, ScoreAtLeast
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence, Score
from lti_tool.web import criteria_words as words
from tests.unit.web.sample_views import ESSAY, FORUM, PEER, QUIZ, TREE, score


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


def known(criterion: Criterion, **scores: Score) -> words.RuleLine:
    return words.explain(
        evaluate(criterion, Evidence({key.replace("_", "-"): s for key, s in scores.items()}))
    )


def test_below_the_bar_says_what_is_missing() -> None:
    line = known(QUIZ, quiz_1=score("40"))
    assert line.sentence == "Quiz 1: at least 60 %"
    assert line.note == "40 of 100 points, 20 points more are needed"
    assert (line.state, line.status, line.share) == ("not_met", "Not reached yet", 66)


def test_one_point_is_one_point() -> None:
    assert known(FORUM, forum=score("0", "5")).note == "0 of 5 points, 1 point more is needed"
    assert words.describe(FORUM).sentence == "Forum: at least 1 point"


def test_not_graded_is_not_zero() -> None:
    line = known(QUIZ, quiz_1=score(None))
    assert line.note == "no grade yet"
    assert (line.state, line.share) == ("unknown", None)


def test_not_read_is_not_graded_either() -> None:
    assert known(QUIZ).note == "not read yet"


def test_nearly_there_is_not_there() -> None:
    assert known(QUIZ, quiz_1=score("59.999")).share == 99
    assert known(QUIZ, quiz_1=score("60")).share == 100


def test_a_grade_without_a_maximum_says_so() -> None:
    line = known(QUIZ, quiz_1=score("7", "0"))
    assert "does not say of how many" in line.note
    assert line.share is None


def test_exact_numbers_stay_exact() -> None:
    line = known(ScoreAtLeast("q", "Q", Decimal("66.6")), q=score("66.5999"))
    assert line.note == "66.5999 of 100 points, 0.0001 points more are needed"
    assert words.describe(ScoreAtLeast("q", "Q", Decimal("60.00"))).sentence == "Q: at least 60 %"
    assert words.describe(ScoreAtLeast("q", "Q", Decimal("1E+2"))).sentence == "Q: at least 100 %"


def test_a_group_counts_what_it_needs() -> None:
    line = known(
        TREE, quiz_1=score("80"), essay=score("15", "20"), peer_review=score("80"), forum=score("3", "5")
    )
    group = line.parts[1]
    assert group.sentence == "At least 2 of these:"
    assert group.note == "2 of 2 done"


@pytest.mark.parametrize(
    "criterion, scores, done",
    [
        (QUIZ, {}, (0, 1)),
        (QUIZ, {"quiz-1": score("60")}, (1, 1)),
        (TREE, {"quiz-1": score("60")}, (1, 3)),
        (TREE, {"essay": score("12"), "forum": score("1")}, (2, 3)),
        (AnyOf((QUIZ, AllOf((ESSAY, PEER)))), {"essay": score("12")}, (0, 1)),
        (AnyOf((QUIZ, AllOf((ESSAY, PEER)))), {"essay": score("12"), "peer-review": score("50")}, (2, 2)),
        (
            AtLeast(1, (AllOf((QUIZ, ESSAY, PEER)), AllOf((ESSAY, PEER, FORUM)))),
            {"forum": score("1")},
            (1, 3),
        ),
    ],
)
def test_steps_go_the_shortest_way(
    criterion: Criterion, scores: dict[str, Score], done: tuple[int, int]
) -> None:
    assert words.steps(evaluate(criterion, Evidence(scores))) == done


def test_the_narrative_is_markdown_and_reads_back() -> None:
    text = words.narrate(TREE)
    assert text.splitlines() == [
        "All of these:",
        "- Quiz 1: at least 60 %",
        "- At least 2 of these:",
        "  - Essay (practice): at least 12 points",
        "  - Peer review: at least 50 %",
        "  - Forum: at least 1 point",
    ]
    assert [depth for depth, _ in words.narrative(text)] == [0, 1, 1, 2, 2, 2]
    assert words.narrative("Plain.\n\nText - with a dash") == [(0, "Plain."), (0, "Text - with a dash")]


def test_a_group_of_one_rule_is_said_as_that_rule() -> None:
    alone = AllOf((AllOf((QUIZ,)),))
    assert words.narrate(alone) == "Quiz 1: at least 60 %"
    assert words.explain(evaluate(alone, Evidence())) == words.explain(evaluate(QUIZ, Evidence()))


def test_a_long_list_of_missing_things_is_cut() -> None:
    many = AllOf(tuple(ScoreAtLeast(f"q{n}", f"Q{n}", Decimal(50)) for n in range(6)))
    assert words.missing(evaluate(many, Evidence())) == "Q0: not read yet · Q1: not read yet · 4 more"
