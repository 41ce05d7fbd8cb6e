"""Criteria, findings and problems as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import AllOf, AnyOf, AtLeast, Criterion, ScoreAtLeast, State, evaluate
from lti_tool.domain.evidence import Evidence, Score
from lti_tool.errors import ErrorCode
from lti_tool.services.micromodule_form import FormProblem
from lti_tool.store.runs import SyncStep
from lti_tool.web import wording
from lti_tool.web.i18n import ago
from lti_tool.web.verification_words import day_of, signer_host
from tests.unit.web.sample_views import ESSAY, FORUM, NOW, PEER, QUIZ, TREE, run, score


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


def known(criterion: Criterion, **scores: Score) -> wording.RuleLine:
    return wording.explain(
        evaluate(criterion, Evidence({key.replace("_", "-"): s for key, s in scores.items()}))
    )


def test_below_the_bar_says_what_is_missing() -> None:
    line = known(QUIZ, quiz_1=score("40"))
    assert line.sentence == "Quiz 1: at least 60 %"
    assert line.note == "40 of 100 points, 20 points more are needed"
    assert (line.state, line.status, line.share) == ("not_met", "Not reached yet", 66)


def test_one_point_is_one_point() -> None:
    assert known(FORUM, forum=score("0", "5")).note == "0 of 5 points, 1 point more is needed"
    assert wording.describe(FORUM).sentence == "Forum: at least 1 point"


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
    assert wording.describe(ScoreAtLeast("q", "Q", Decimal("60.00"))).sentence == "Q: at least 60 %"
    assert wording.describe(ScoreAtLeast("q", "Q", Decimal("1E+2"))).sentence == "Q: at least 100 %"


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
    assert wording.steps(evaluate(criterion, Evidence(scores))) == done


def test_the_narrative_is_markdown_and_reads_back() -> None:
    text = wording.narrate(TREE)
    assert text.splitlines() == [
        "All of these:",
        "- Quiz 1: at least 60 %",
        "- At least 2 of these:",
        "  - Essay (practice): at least 12 points",
        "  - Peer review: at least 50 %",
        "  - Forum: at least 1 point",
    ]
    assert [depth for depth, _ in wording.narrative(text)] == [0, 1, 1, 2, 2, 2]
    assert wording.narrative("Plain.\n\nText - with a dash") == [(0, "Plain."), (0, "Text - with a dash")]


def test_a_group_of_one_rule_is_said_as_that_rule() -> None:
    alone = AllOf((AllOf((QUIZ,)),))
    assert wording.narrate(alone) == "Quiz 1: at least 60 %"
    assert wording.explain(evaluate(alone, Evidence())) == wording.explain(evaluate(QUIZ, Evidence()))


def test_a_long_list_of_missing_things_is_cut() -> None:
    many = AllOf(tuple(ScoreAtLeast(f"q{n}", f"Q{n}", Decimal(50)) for n in range(6)))
    assert wording.missing(evaluate(many, Evidence())) == "Q0: not read yet · Q1: not read yet · 4 more"


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("state", list(State))
def test_every_standing_has_a_word(verdict: Verdict, state: State) -> None:
    assert wording.verdict_word(verdict, state)
    assert wording.verdict_kind(verdict, state) in ("good", "wait", "open", "plain")


def test_not_met_and_not_known_are_told_apart() -> None:
    assert wording.verdict_word("not_yet", "not_met") != wording.verdict_word("not_yet", "unknown")


@pytest.mark.parametrize("exclusion", list(Exclusion))
def test_every_exclusion_has_a_sentence(exclusion: Exclusion) -> None:
    assert wording.exclusion_sentence(exclusion).endswith(".")


def test_every_step_of_a_sync_has_its_own_sentence() -> None:
    said = {wording.run_step(run(step=step.value)) for step in SyncStep}
    assert len(said) == len(SyncStep)
    assert wording.run_step(run(step="")) not in said
    assert wording.run_step(run(step="credentials")) == "Signing badges …"


@pytest.mark.parametrize("problem", list(FormProblem))
def test_every_problem_of_the_form_has_its_own_sentence(problem: FormProblem) -> None:
    sentence = wording.problem_sentence(problem, {"limit": 20, "low": 0, "high": 100})
    assert sentence != wording.problem_sentence("something new", {})
    assert "%(" not in sentence


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_trouble_has_a_sentence(code: ErrorCode) -> None:
    assert wording.trouble(code)


def test_times_are_never_in_the_future() -> None:
    assert ago(NOW + timedelta(hours=1)) == "just now"
    assert ago(NOW - timedelta(minutes=2)) == "2 minutes ago"


@pytest.mark.parametrize(
    "issuer, host",
    [
        ("did:web:badges.example.edu:issuers:1", "badges.example.edu"),
        ("did:web:localhost%3A8000:issuers:1", "localhost:8000"),
        ("did:key:z6Mk", None),
        ("https://badges.example.edu/issuers/1", None),
        (None, None),
    ],
)
def test_only_a_resolved_identity_names_a_web_address(issuer: str | None, host: str | None) -> None:
    assert signer_host(issuer) == host


def test_what_a_stranger_calls_a_date_is_shown_as_it_is() -> None:
    assert day_of("2026-11-01T00:00:00Z") == "November 1, 2026"
    assert day_of("2026-11-01") == "November 1, 2026"
    assert day_of("soon") == "soon"
