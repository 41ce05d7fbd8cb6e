"""Whatever is asked and known, it is said in words: nothing is left out, and no code shows through."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.criteria import Criterion, Finding, State, leaves
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.web import criteria_words as words
from lti_tool.web import next_steps
from tests.properties.criteria_strategies import any_criteria, evidence, usable_criteria
from tests.unit.web.samples import Sample, sample_app

APP = sample_app(Sample())
CODE = re.compile(r"[a-z]_[a-z]|%\(|\bNone\b|<\w+\.")
"""The name of a code, a placeholder that nobody filled, a value that nobody said."""
READERS = st.sampled_from(
    [None, next_steps.for_learner("p"), next_steps.for_staff("p"), next_steps.for_learner()]
)


def lines_of(line: words.RuleLine) -> Iterator[words.RuleLine]:
    yield line
    for part in (*line.parts, *line.details):
        yield from lines_of(part)


def rules_of(line: words.RuleLine) -> Iterator[words.RuleLine]:
    """Those that stand for a leaf."""
    if not line.parts:
        yield line
    for part in line.parts:
        yield from rules_of(part)


def texts_of(line: words.RuleLine) -> Iterator[str]:
    for one in lines_of(line):
        yield from (one.sentence, one.status, one.note, one.source, one.next_step, one.comment)
        if one.link is not None:
            yield one.link.text


@given(any_criteria, evidence, READERS)
def test_no_code_leaks_into_words(
    criterion: Criterion, known: Evidence, reader: next_steps.Reader | None
) -> None:
    with APP.test_request_context():
        finding = evaluate(criterion, known)
        said = [*texts_of(words.explain(finding, reader)), *texts_of(words.describe(criterion))]
        said += [words.narrate(criterion), words.missing(finding)]
        assert [text for text in said if CODE.search(text)] == []


@given(usable_criteria, evidence, st.sampled_from([next_steps.for_learner("p"), next_steps.for_staff("p")]))
def test_every_rule_has_a_sentence_a_state_a_source_and_a_next_step_where_it_is_needed(
    criterion: Criterion, known: Evidence, reader: next_steps.Reader
) -> None:
    with APP.test_request_context():
        finding = evaluate(criterion, known)
        rules = list(rules_of(words.explain(finding, reader)))
        asked = list(leaves(criterion))
        assert len(rules) == len(asked)
        needed = list(_is_waited_for(finding, is_open=True))
        for rule, leaf, is_needed in zip(rules, asked, needed, strict=True):
            assert rule.sentence.startswith(words.describe(leaf).sentence)
            assert rule.status == words.state_word(rule.state)
            assert rule.note
            assert rule.source
            assert bool(rule.next_step) is is_needed


def _is_waited_for(finding: Finding, *, is_open: bool) -> Iterator[bool]:
    """Of every leaf: whether it is not met, and nothing above it is met without it."""
    is_open = is_open and finding.state is not State.MET
    if type(finding.criterion).__name__ in ("AllOf", "AnyOf", "AtLeast", "Within"):
        for part in finding.parts:
            yield from _is_waited_for(part, is_open=is_open)
    else:
        yield is_open


@given(usable_criteria, evidence)
def test_all_steps_are_done_exactly_when_the_criteria_are_met(criterion: Criterion, known: Evidence) -> None:
    with APP.test_request_context():
        finding = evaluate(criterion, known)
        met, needed = words.steps(finding)
        assert 0 <= met <= needed
        assert needed >= 1
        assert (met == needed) is (finding.state is State.MET)


@given(usable_criteria, evidence)
def test_a_full_bar_means_met(criterion: Criterion, known: Evidence) -> None:
    with APP.test_request_context():
        for rule in rules_of(words.explain(evaluate(criterion, known))):
            assert rule.share is None or 0 <= rule.share <= 100
            assert rule.share is None or (rule.share == 100) is (rule.state == "met")
