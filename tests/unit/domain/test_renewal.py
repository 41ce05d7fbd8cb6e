"""When a badge is earned again, and until when it then goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.criteria import (
    AllOf,
    Attested,
    Criterion,
    MeanAtLeast,
    ScoreAtLeast,
    State,
    Term,
    Within,
)
from lti_tool.domain.evaluation import evaluate, within
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.domain.renewal import (
    RenewalTerms,
    Renewed,
    Tenure,
    dated_as_seen,
    ending_of,
    renewal_window,
    renewed,
    terms_of,
    undated,
)

QUIZ = ScoreAtLeast("quiz", "Quiz", Decimal(80))
WORD = Attested("word", "Word")
MET = datetime(2026, 1, 10, 12, tzinfo=UTC)
END = datetime(2027, 1, 12, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = RenewalTerms(months=12, opens_days=60, closes_days=30)
TENURE = Tenure(END, MET)


def known(graded_at: datetime | None, value: int = 90, word_at: datetime | None = None) -> Evidence:
    scores = {"quiz": Score(Decimal(value), Decimal(100), graded_at, END)}
    return Evidence(scores, {} if word_at is None else {"word": Fact(holds=True, since=word_at)})


def again(
    graded_at: datetime | None,
    now: datetime | None = None,
    *,
    criterion: Criterion = QUIZ,
    terms: RenewalTerms = TERMS,
    tenure: Tenure = TENURE,
    value: int = 90,
    word_at: datetime | None = None,
) -> Renewed | None:
    finding = evaluate(criterion, known(graded_at, value, word_at))
    return renewed(finding, tenure, terms, now or max(graded_at or END, END) + DAY)


def test_it_goes_on_from_its_end_where_it_is_earned_again_before() -> None:
    found = again(END - 10 * DAY)
    assert found is not None
    assert (found.met_at, found.ends_at) == (END - 10 * DAY, END.replace(year=2028))


def test_and_from_the_success_where_that_came_later() -> None:
    found = again(END + 10 * DAY)
    assert found is not None
    assert found.ends_at == (END + 10 * DAY).replace(year=2028)


@pytest.mark.parametrize(
    "after_end, is_renewed",
    [(-61, False), (-60, True), (0, True), (30, True), (31, False)],
)
def test_both_ends_of_the_window_belong_to_it(after_end: int, is_renewed: bool) -> None:
    assert (again(END + after_end * DAY) is not None) is is_renewed


def test_a_window_without_a_closing_day_stays_open() -> None:
    terms = RenewalTerms(months=12, opens_days=60, closes_days=None)
    assert again(END + 4000 * DAY, terms=terms) is not None


def test_what_is_read_late_counts_by_when_it_happened() -> None:
    assert again(END + 5 * DAY, END + 300 * DAY) is not None


def test_what_earned_it_before_renews_nothing() -> None:
    """Also where its window opens before the badge was earned."""
    terms = RenewalTerms(months=1, opens_days=400, closes_days=None)
    assert again(MET, terms=terms) is None
    assert again(MET + timedelta(microseconds=1), terms=terms) is not None


def test_once_renewed_the_same_success_renews_no_more() -> None:
    found = again(END - DAY)
    assert found is not None
    terms = RenewalTerms(months=12, opens_days=3650, closes_days=None)
    assert again(END - DAY, tenure=Tenure(found.ends_at, found.met_at), terms=terms) is None


def test_nothing_is_renewed_without_a_date_or_below_what_is_asked() -> None:
    assert again(None) is None
    assert again(END, value=79) is None


def test_every_part_has_to_be_new() -> None:
    both = AllOf((QUIZ, WORD))
    assert again(END, criterion=both, word_at=MET) is None
    found = again(END - 2 * DAY, criterion=both, word_at=END - DAY)
    assert found is not None
    assert found.met_at == END - DAY


def test_criteria_with_a_window_of_their_own_keep_it() -> None:
    assert again(END, criterion=Within(QUIZ, None, END - DAY)) is None


def test_a_clock_ahead_of_ours_keeps_no_badge_for_longer() -> None:
    found = again(END + DAY, now=END)
    assert found is not None
    assert (found.met_at, found.ends_at) == (END, END.replace(year=2028))
    assert again(END + 20 * DAY, now=END) is None  # nor does it keep one again and again


def test_before_its_window_opens_nothing_is_renewed() -> None:
    assert again(END - 10 * DAY, now=END - 61 * DAY) is None


def test_it_never_goes_on_beyond_its_version() -> None:
    latest = END + 100 * DAY
    terms = RenewalTerms(12, 60, 30, latest)
    found = again(END, terms=terms)
    assert found is not None
    assert found.ends_at == latest
    ended = RenewalTerms(12, 60, 30, END)
    assert renewal_window(END, ended) is None
    assert again(END, terms=ended) is None


def test_a_version_without_an_end_or_a_window_has_no_terms() -> None:
    assert terms_of(None, 60, 30) is None
    assert terms_of(12, None, None) is None
    assert terms_of(12, 0, None) == RenewalTerms(12, 0, None)


def test_a_window_of_more_days_than_there_are_is_open() -> None:
    window = renewal_window(datetime(9999, 12, 1, tzinfo=UTC), RenewalTerms(12, 60, 3650))
    assert window is not None
    assert window.ends_at is None
    assert again(END, tenure=Tenure(datetime(9999, 12, 1, tzinfo=UTC), MET)) is None


BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 15 * 365 * 86_400).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))


@given(
    st.none() | MOMENTS,
    MOMENTS,
    MOMENTS,
    MOMENTS,
    st.integers(1, 60),
    st.integers(0, 400),
    st.none() | st.integers(0, 400),
    st.none() | MOMENTS,
)
def test_a_renewal_is_new_later_and_happens_once(
    graded_at: datetime | None,
    ends_at: datetime,
    met_at: datetime,
    now: datetime,
    months: int,
    opens: int,
    closes: int | None,
    latest: datetime | None,
) -> None:
    terms, tenure = RenewalTerms(months, opens, closes, latest), Tenure(ends_at, met_at)
    finding = evaluate(QUIZ, known(graded_at))
    found = renewed(finding, tenure, terms, now)
    if found is None:
        return
    assert graded_at is not None
    assert graded_at > met_at
    assert graded_at >= ends_at - opens * DAY
    assert closes is None or graded_at <= ends_at + closes * DAY
    assert found.ends_at > ends_at
    assert found.met_at <= now
    assert latest is None or found.ends_at <= max(latest, found.met_at + timedelta(seconds=1))
    if graded_at <= now or opens <= months * 28 - 2:
        assert renewed(finding, Tenure(found.ends_at, found.met_at), terms, now) is None


@given(st.none() | MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS)
def test_a_finding_is_dated_as_if_the_criteria_had_said_so(
    graded_at: datetime | None, starts_at: datetime | None, ends_at: datetime | None
) -> None:
    window = Within(QUIZ, starts_at, ends_at)
    evidence = known(graded_at)
    assert within(window, evaluate(QUIZ, evidence)) == evaluate(window, evidence)
    assert within(window, evaluate(QUIZ, Evidence())).state is State.UNKNOWN


@pytest.mark.parametrize(
    "days_left, nearness",
    [(61, None), (60, "months"), (31, "months"), (30, "weeks"), (8, "weeks"), (7, "days"), (0, "over")],
)
def test_a_badge_says_more_and_more_urgently_that_it_ends(days_left: int, nearness: str | None) -> None:
    ending = ending_of(END, TERMS, END - days_left * DAY)
    assert (None if ending is None else ending.nearness) == nearness


def test_it_says_whether_anything_can_be_done_now() -> None:
    def at(days: int, terms: RenewalTerms | None = TERMS) -> tuple[bool, bool]:
        ending = ending_of(END, terms, END + days * DAY)
        assert ending is not None
        return ending.is_open, ending.is_missed

    late = RenewalTerms(months=12, opens_days=10, closes_days=30)
    assert at(-20, late) == (False, False)
    assert at(-10, late) == (True, False)
    assert at(30, late) == (True, False)
    assert at(31, late) == (False, True)
    assert at(31, None) == (False, False)
    assert ending_of(None, TERMS, END) is None


def test_what_has_no_date_is_dated_by_when_it_was_seen_and_nothing_else() -> None:
    mean = MeanAtLeast("mean", "Mean", (Term("quiz", "Quiz"), Term("essay", "Essay")), Decimal(60))
    tree = AllOf((mean, WORD))
    scores = {
        "quiz": Score(Decimal(90), Decimal(100), None, END),
        "essay": Score(Decimal(90), Decimal(100), MET, END),
    }
    finding = evaluate(tree, Evidence(scores, {"word": Fact(holds=True)}))
    assert undated(finding) == {"quiz", "word"}
    dated = dated_as_seen(finding, {"quiz": END, "word": END - DAY})
    assert undated(dated) == frozenset()
    assert [part.met_at for part in dated.parts] == [END, END - DAY]
    window = Within(tree, END - 2 * DAY, None)
    assert within(window, dated).state is State.MET
    assert within(window, dated_as_seen(finding, {"quiz": END})).state is State.UNKNOWN
    assert undated(evaluate(QUIZ, Evidence())) == frozenset()
