"""Criteria as people read them: each rule, in each state, for who learns and who teaches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Channel,
    Completed,
    Criterion,
    HoldsAchievement,
    MeanAtLeast,
    Purpose,
    Reason,
    ScoreAtLeast,
    Term,
    Within,
)
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Detail, Evidence, Fact, Score
from lti_tool.web import criteria_words as words
from lti_tool.web import next_steps
from tests.unit.web.sample_views import (
    COURSE_WORK,
    ESSAY,
    EVERYTHING,
    FORUM,
    GATE,
    NOW,
    PEER,
    QUIZ,
    REPORT,
    TALK,
    TREE,
    score,
)

DAY = datetime(2026, 11, 20, 8, tzinfo=UTC)
READ = NOW - timedelta(minutes=2)
LEARNER = next_steps.for_learner("placement-1")
STAFF = next_steps.for_staff("placement-1", {"forum-and-page": "gate-1"})
BASICS = Completed("m1", "Basics")
EXPLORER = HoldsAchievement("a1", "Explorer")


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


def line(
    criterion: Criterion, fact: Fact | None = None, reader: next_steps.Reader | None = None
) -> words.RuleLine:
    """How a rule about a fact is explained."""
    assert not isinstance(criterion, AllOf | AnyOf | AtLeast | Within)
    facts = {} if fact is None else {criterion.key: fact}
    return words.explain(evaluate(criterion, Evidence({}, facts)), reader)


@pytest.mark.parametrize(
    "criterion, sentence",
    [
        (GATE, "Forum and page: fulfilled in the course"),
        (TALK, "Presentation: confirmed by a teacher"),
        (REPORT, "Field report: evidence handed in and accepted"),
        (BASICS, "Micromodule “Basics” completed"),
        (EXPLORER, "Badge “Explorer” earned"),
        (COURSE_WORK, "Course work: an average of at least 60 %"),
    ],
)
def test_each_rule_is_a_sentence_and_says_how_it_is_known(criterion: Criterion, sentence: str) -> None:
    said = words.describe(criterion)
    assert said.sentence == sentence
    assert said.note.endswith(".")
    assert (said.state, said.status, said.next_step, said.link) == ("", "", "", None)


HELD = Fact(True, DAY, READ)
FACTS: list[tuple[Criterion, Fact | None, str, str, str, str]] = [
    (GATE, None, "unknown", "not checked yet", "When you have done it", "Check the gate and confirm it."),
    (GATE, Fact(False), "not_met", "not fulfilled yet", "The course page says", "The learner has to meet"),
    (GATE, HELD, "met", "fulfilled, seen on November 20, 2026", "", ""),
    (TALK, Fact(False), "not_met", "not confirmed yet", "A teacher confirms it.", "Confirm it when"),
    (TALK, HELD, "met", "confirmed on November 20, 2026", "", ""),
    (
        REPORT,
        Fact(False, detail=Detail.NOTHING),
        "not_met",
        "nothing handed in yet",
        "Hand in",
        "The learner",
    ),
    (
        REPORT,
        Fact(False, DAY, detail=Detail.SUBMITTED),
        "not_met",
        "handed in on November 20, 2026, a teacher has not looked at it yet",
        "A teacher looks at it next.",
        "Accept it, or give it back with a comment.",
    ),
    (
        REPORT,
        Fact(False, DAY, detail=Detail.RETURNED),
        "not_met",
        "given back to be changed",
        "Change it and hand it in again.",
        "The learner changes it",
    ),
    (REPORT, HELD, "met", "accepted on November 20, 2026", "", ""),
    (
        BASICS,
        Fact(False),
        "not_met",
        "not completed yet",
        "Complete this micromodule",
        "The learner completes",
    ),
    (
        BASICS,
        Fact(False, detail=Detail.REVOKED),
        "not_met",
        "its badge was revoked",
        "It counts again once a later version",
        "It counts again once a later version",
    ),
    (BASICS, HELD, "met", "completed on November 20, 2026", "", ""),
    (EXPLORER, Fact(False), "not_met", "not earned yet", "Earn this badge first.", "The learner earns"),
    (EXPLORER, HELD, "met", "earned on November 20, 2026", "", ""),
]


@pytest.mark.parametrize("criterion, fact, state, note, to_learner, to_staff", FACTS)
def test_each_state_of_a_fact_says_what_is_known_and_what_comes_next(
    criterion: Criterion, fact: Fact | None, state: str, note: str, to_learner: str, to_staff: str
) -> None:
    said = line(criterion, fact, LEARNER)
    assert (said.state, said.note) == (state, note)
    assert said.status
    assert said.source.startswith("From ")
    for shown, wanted in ((said, to_learner), (line(criterion, fact, STAFF), to_staff)):
        assert shown.next_step.startswith(wanted)
        assert bool(shown.next_step) is bool(wanted)


def test_what_is_undated_is_said_without_a_date() -> None:
    notes = {line(one, Fact(True)).note for one in (GATE, TALK, REPORT, BASICS, EXPLORER)}
    assert notes == {"fulfilled", "confirmed", "accepted", "completed", "earned"}


def test_only_what_is_read_outside_has_an_age() -> None:
    assert line(GATE, HELD).as_of == READ
    assert line(TALK, HELD).as_of is None, "a teacher's word in the tool is never old"
    in_column = line(TALK, Fact(True, DAY, READ, Detail.COLUMN))
    assert (in_column.as_of, in_column.source) == (READ, "From the gradebook column “Presentation”")
    assert line(GATE, Fact(True, DAY, READ, Detail.LAUNCH)).source == (
        "From opening the activity that has this access restriction"
    )


def test_a_score_names_its_column_and_its_age() -> None:
    said = known(QUIZ, quiz_1=score("40"))
    assert said.source == "From the gradebook column “Quiz 1”"
    assert said.as_of == score("40").read_at


@pytest.mark.parametrize(
    "criterion, given, to_learner, to_staff",
    [
        (QUIZ, None, "Nothing to do: grades are read regularly.", "If it stays so"),
        (QUIZ, score(None), "Do it, or wait until it is graded.", "Grade it if the learner has done it."),
        (ESSAY, score(None, "20"), "A teacher enters this grade.", "Enter the grade in the gradebook."),
        (QUIZ, score("40"), "Improve it, if another try is allowed.", "The learner needs a better grade."),
        (QUIZ, score("7", "0"), "Tell a teacher", "Give the gradebook column a maximum grade."),
        (QUIZ, score("60"), "", ""),
    ],
)
def test_each_state_of_a_score_says_what_comes_next(
    criterion: ScoreAtLeast, given: Score | None, to_learner: str, to_staff: str
) -> None:
    finding = evaluate(criterion, Evidence({} if given is None else {criterion.key: given}))
    for reader, wanted in ((LEARNER, to_learner), (STAFF, to_staff)):
        said = words.explain(finding, reader).next_step
        assert said.startswith(wanted)
        assert bool(said) is bool(wanted)
    assert words.explain(finding).next_step == "", "nobody is told what to do where nobody is asked"


def test_a_mean_shows_its_parts_and_never_rounds_up() -> None:
    scores = {"quiz-1": score("59.999"), "essay": score("59.999")}
    said = words.explain(evaluate(COURSE_WORK, Evidence(scores)), LEARNER)
    assert said.note == "59.99 % so far, 0.01 % more are needed"
    assert (said.state, said.share) == ("not_met", 99)
    assert [detail.sentence for detail in said.details] == ["Quiz 1, weight 1", "Essay, weight 2"]
    assert said.details[0].note == "59.999 of 100 points"
    assert said.source == "From 2 gradebook columns"
    assert said.as_of == score("1").read_at
    assert said.next_step == "Improve one of these, if another try is allowed."


def test_a_mean_waits_for_each_of_its_grades() -> None:
    said = words.explain(evaluate(COURSE_WORK, Evidence({"quiz-1": score("80")})), STAFF)
    assert (said.state, said.note) == ("unknown", "1 grade is missing")
    assert [detail.note for detail in said.details] == ["80 of 100 points", "not read yet"]
    assert said.next_step == "Grade what the learner has done."
    both = Evidence({"quiz-1": score("80"), "essay": score("80")})
    assert words.explain(evaluate(COURSE_WORK, both)).note == "80 % reached"
    assert words.explain(evaluate(COURSE_WORK, Evidence())).note == "2 grades are missing"


def test_equal_weights_are_not_worth_a_word() -> None:
    terms = (Term("a", "A"), Term("b", "B", purpose=Purpose.FORMATIVE))
    said = words.describe(MeanAtLeast("m", "M", terms, Decimal(50)))
    assert [detail.sentence for detail in said.details] == ["A", "B (practice)"]


MARCH = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "window, sentence",
    [
        (Within(TALK, MARCH, END), "From March 1, 2026 to March 31, 2026:"),
        (Within(TALK, MARCH), "From March 1, 2026 on:"),
        (Within(TALK, None, END), "By March 31, 2026:"),
        (Within(TALK, None, MARCH), "By March 1, 2026, 00:00 UTC:"),
        (Within(TALK, MARCH + timedelta(hours=9)), "From March 1, 2026, 09:00 UTC on:"),
        (Within(TALK), "At any time:"),
    ],
)
def test_dates_are_said_to_the_day_and_by_the_hour_where_it_matters(window: Within, sentence: str) -> None:
    said = words.describe(window)
    assert (said.sentence, said.parts[0].sentence) == (sentence, "Presentation: confirmed by a teacher")


@pytest.mark.parametrize(
    "since, reason, note",
    [
        (MARCH - timedelta(days=1), Reason.TOO_EARLY, "done on February 28, 2026, before these dates"),
        (END + timedelta(days=1), Reason.TOO_LATE, "done on April 1, 2026, after these dates"),
        (None, Reason.DATE_UNKNOWN, "done, but nobody knows when"),
    ],
)
def test_what_was_done_outside_the_dates_says_so(since: datetime | None, reason: Reason, note: str) -> None:
    window = Within(TALK, MARCH, END)
    finding = evaluate(window, Evidence({}, {"talk": Fact(True, since)}))
    assert finding.parts[0].reason is reason
    said = words.explain(finding, LEARNER).parts[0]
    assert (said.note, bool(said.next_step)) == (note, True)
    assert words.missing(finding) == f"Presentation: {note}"
    assert words.steps(finding) == (0, 1)


def test_a_result_before_the_dates_says_that_the_same_one_may_look_like_it() -> None:
    window = Within(QUIZ, MARCH, END)
    before = evaluate(window, Evidence({"quiz-1": score("80")._replace(graded_at=MARCH - timedelta(days=1))}))
    said = words.explain(before, LEARNER).parts[0]
    assert said.next_step.endswith("The same result once more may not be noticed.")


def test_nothing_is_asked_for_that_no_longer_matters() -> None:
    finding = evaluate(AnyOf((QUIZ, TALK)), Evidence({"quiz-1": score("80")}, {"talk": Fact(False)}))
    said = words.explain(finding, LEARNER)
    assert [part.next_step for part in said.parts] == ["", ""]
    assert words.missing(finding) == ""


def test_the_teachers_comment_stands_at_what_was_given_back() -> None:
    reader = next_steps.for_learner("placement-1", {"report": "The sources are missing."})
    returned = Fact(False, DAY, detail=Detail.RETURNED)
    assert line(REPORT, returned, reader).comment == "The sources are missing."
    assert line(REPORT, HELD, reader).comment == "", "it is accepted by now"
    assert line(TALK, Fact(False), reader).comment == ""


@pytest.mark.parametrize(
    "detail, text",
    [
        (Detail.NOTHING, "Hand in evidence"),
        (Detail.SUBMITTED, "See what you handed in"),
        (Detail.RETURNED, "Hand in again"),
    ],
)
def test_a_learner_is_led_to_the_page_of_the_evidence(detail: Detail, text: str) -> None:
    link = line(REPORT, Fact(False, detail=detail), LEARNER).link
    assert link is not None
    assert (link.endpoint, link.text) == ("people.hand_in", text)
    assert dict(link.values) == {"placement_id": "placement-1", "key": "report"}
    assert line(REPORT, Fact(False, detail=detail), next_steps.for_learner()).link is None, "a view of others"


def test_those_who_teach_are_led_to_their_own_pages() -> None:
    submitted = Fact(False, detail=Detail.SUBMITTED)
    links = [
        line(TALK, Fact(False), STAFF).link,
        line(REPORT, submitted, STAFF).link,
        line(GATE, None, STAFF).link,
        words.explain(evaluate(QUIZ, Evidence()), STAFF).link,
    ]
    endpoints = [link.endpoint for link in links if link is not None]
    assert endpoints == ["people.attest", "people.submissions", "gates.show", "course.show"]
    assert line(TALK, Fact(False), LEARNER).link is None
    assert line(GATE, None, LEARNER).link is None
    assert line(REPORT, Fact(False, detail=Detail.NOTHING), STAFF).link is None


def test_the_published_narrative_tells_nothing_of_the_course_inside() -> None:
    text = words.narrate(AllOf((EVERYTHING, BASICS, EXPLORER)))
    assert text.splitlines() == [
        "All of these:",
        "- All of these:",
        "  - Quiz 1: at least 60 %",
        "  - Course work: an average of at least 60 %",
        "    - Quiz 1, weight 1",
        "    - Essay, weight 2",
        "  - Forum and page: fulfilled in the course",
        "  - Presentation: confirmed by a teacher",
        "  - Field report: evidence handed in and accepted",
        "- Micromodule “Basics” completed",
        "- Badge “Explorer” earned",
    ]
    assert REPORT.instructions not in text
    assert "gradebook" not in text.lower()


def test_an_attest_column_is_a_teachers_business() -> None:
    attest = ScoreAtLeast("e", "E", Decimal(1), channel=Channel.ATTEST)
    assert words.describe(attest).note == "Read from a gradebook column that a teacher fills in."
    assert words.describe(Attested("e", "E")).note == "A teacher confirms it here or in the gradebook."
