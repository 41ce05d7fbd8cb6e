"""Judging a criteria tree: pure, three-valued, exact.

Scores are compared exactly: ``value * 100 >= threshold * maximum`` in :class:`~decimal.Decimal`, so that
"60 percent" of 100 points is 60 and no rounding of a quotient decides over a badge.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal

from lti_tool.domain.criteria import (
    THRESHOLD_PLACES,
    AllOf,
    AnyOf,
    AtLeast,
    Attested,
    Combination,
    Completed,
    Criterion,
    EvidenceAccepted,
    FactLeaf,
    Finding,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    MicromodulesCompleted,
    Reason,
    ScoreAtLeast,
    State,
    Term,
    Unit,
    Within,
    parts_needed,
)
from lti_tool.domain.evidence import Counted, Detail, Evidence, Fact, Score

_HUNDRED = Decimal(100)
_exact = Context(prec=4000)
"""Products of grades, weights and thresholds, unrounded, whatever precision the process has been set to:
fifty maxima of twenty digits multiplied are a thousand digits.
"""
_multiply = _exact.multiply
_MET, _NOT_MET, _UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN
_REACHED, _BELOW = Reason.SCORE_REACHED, Reason.SCORE_BELOW
_POINTS = Unit.POINTS
# Looking a member up in its Enum runs Python code (3.11), and so does calling a NamedTuple.
_tuple = tuple.__new__


def evaluate(criterion: Criterion, evidence: Evidence) -> Finding:
    """Say how ``criterion`` stands for the learner whose facts are ``evidence``."""
    return _evaluate(criterion, evidence.scores, evidence.facts, evidence.counted)


def within(window: Within, finding: Finding) -> Finding:
    """What ``window`` makes of the finding of its part, which was judged by whatever date."""
    return _combined(window, (_dated(window, finding),))


def _evaluate(
    criterion: Criterion,
    scores: Mapping[str, Score],
    facts: Mapping[str, Fact],
    counted: Mapping[str, tuple[Counted, ...]],
) -> Finding:
    if isinstance(criterion, ScoreAtLeast):
        return _evaluate_score(criterion, scores.get(criterion.key))
    if isinstance(criterion, _COUNTING):
        parts = [_evaluate(part, scores, facts, counted) for part in criterion.parts]
        return _combined(criterion, tuple(parts))
    if isinstance(criterion, Within):
        return _combined(criterion, (_dated(criterion, _evaluate(criterion.part, scores, facts, counted)),))
    if isinstance(criterion, MeanAtLeast):
        return _evaluate_mean(criterion, scores)
    if isinstance(criterion, MicromodulesCompleted):
        return _evaluate_set(criterion, counted.get(criterion.key), facts)
    return _evaluate_fact(criterion, facts.get(criterion.key))


_COUNTING = (AllOf, AnyOf, AtLeast)


def _combined(criterion: Combination, findings: tuple[Finding, ...]) -> Finding:
    if not findings:
        return Finding(criterion, _NOT_MET, Reason.NOTHING_ASKED)
    states = [finding[1] for finding in findings]
    needed = parts_needed(criterion)
    met = states.count(_MET)
    if met >= needed:
        return Finding(criterion, _MET, Reason.PARTS_MET, _met_at(findings, needed), None, findings)
    if met + states.count(_UNKNOWN) >= needed:
        return Finding(criterion, _UNKNOWN, Reason.PARTS_UNKNOWN, None, None, findings)
    return Finding(criterion, _NOT_MET, Reason.PARTS_MISSING, None, None, findings)


def _met_at(findings: tuple[Finding, ...], needed: int) -> datetime | None:
    """The moment at which the ``needed``-th part was met, if the platform dated that many of them."""
    dated = sorted(
        [finding.met_at for finding in findings if finding.state is _MET and finding.met_at is not None]
    )
    return dated[needed - 1] if len(dated) >= needed else None


def _evaluate_score(criterion: ScoreAtLeast, score: Score | None) -> Finding:
    if score is None:
        return Finding(criterion, _UNKNOWN, Reason.COLUMN_NOT_READ_YET)
    value, maximum, graded_at, _ = score
    if value is None:
        return Finding(criterion, _UNKNOWN, Reason.NO_GRADE_YET, None, score)
    if criterion.unit is _POINTS:
        reached = value >= criterion.threshold
    elif maximum <= 0:
        return Finding(criterion, _UNKNOWN, Reason.MAXIMUM_MISSING, None, score)
    else:
        reached = _multiply(value, _HUNDRED) >= _multiply(criterion.threshold, maximum)
    if reached:
        return _tuple(Finding, (criterion, _MET, _REACHED, graded_at, score, (), None, None))
    return _tuple(Finding, (criterion, _NOT_MET, _BELOW, None, score, (), None, None))


def _evaluate_mean(criterion: MeanAtLeast, scores: Mapping[str, Score]) -> Finding:
    terms = tuple(_evaluate_term(term, scores.get(term.key)) for term in criterion.terms)
    if not terms or any(term.weight <= 0 for term in criterion.terms):
        return Finding(criterion, _NOT_MET, Reason.NOTHING_ASKED, None, None, terms)
    if any(term.state is not _MET for term in terms):
        return Finding(criterion, _UNKNOWN, Reason.GRADES_MISSING, None, None, terms)
    mean, reached = _mean(criterion, terms)
    if reached:
        # The mean of those grades exists since the last of them was given.
        met_at = _met_at(terms, len(terms))
        return Finding(criterion, _MET, Reason.MEAN_REACHED, met_at, None, terms, None, mean)
    return Finding(criterion, _NOT_MET, Reason.MEAN_BELOW, None, None, terms, None, mean)


def _evaluate_term(term: Term, score: Score | None) -> Finding:
    if score is None:
        return Finding(term, _UNKNOWN, Reason.COLUMN_NOT_READ_YET)
    if score.value is None:
        return Finding(term, _UNKNOWN, Reason.NO_GRADE_YET, None, score)
    if score.maximum <= 0:
        return Finding(term, _UNKNOWN, Reason.MAXIMUM_MISSING, None, score)
    return Finding(term, _MET, Reason.GRADED, score.graded_at, score)


_PLACES = Decimal(10) ** THRESHOLD_PLACES


def _mean(criterion: MeanAtLeast, terms: tuple[Finding, ...]) -> tuple[Decimal, bool]:
    """The mean, cut off, and whether it reaches the threshold: ``sum(w * value * 100 / maximum)`` against
    ``threshold * sum(w)``, both multiplied by every maximum that occurs, so that nothing is divided.
    """
    scores = [term.score for term in terms if term.score is not None]
    maxima = {score.maximum for score in scores}
    common = _product(*maxima)
    got = weights = Decimal(0)
    for term, score in zip(criterion.terms, scores, strict=True):
        assert score.value is not None
        others = _product(*(maxima - {score.maximum}))
        got = _exact.add(got, _product(term.weight, score.value, _HUNDRED, others))
        weights = _exact.add(weights, term.weight)
    whole = _multiply(weights, common)
    mean = _exact.scaleb(_exact.divide_int(_multiply(got, _PLACES), whole), -THRESHOLD_PLACES)
    return mean, got >= _multiply(criterion.threshold, whole)


def _product(*factors: Decimal) -> Decimal:
    product = Decimal(1)
    for factor in factors:
        product = _multiply(product, factor)
    return product


_FACT_REASONS: Mapping[type[FactLeaf], tuple[Reason, Reason, Reason]] = {
    GatePassed: (Reason.GATE_PASSED, Reason.GATE_NOT_PASSED, Reason.GATE_NOT_READ_YET),
    Attested: (Reason.ATTESTED, Reason.NOT_ATTESTED, Reason.ATTESTATION_NOT_READ_YET),
    EvidenceAccepted: (
        Reason.EVIDENCE_ACCEPTED,
        Reason.EVIDENCE_MISSING,
        Reason.EVIDENCE_NOT_READ_YET,
    ),
    Completed: (Reason.COMPLETED, Reason.NOT_COMPLETED, Reason.COMPLETION_NOT_READ_YET),
    HoldsAchievement: (
        Reason.ACHIEVEMENT_HELD,
        Reason.ACHIEVEMENT_NOT_HELD,
        Reason.ACHIEVEMENT_NOT_READ_YET,
    ),
}
"""Met, not met, not known, by kind of leaf."""
_NOT_ACCEPTED: Mapping[str, Reason] = {
    Detail.SUBMITTED: Reason.EVIDENCE_SUBMITTED,
    Detail.RETURNED: Reason.EVIDENCE_RETURNED,
}


def _evaluate_fact(criterion: FactLeaf, fact: Fact | None) -> Finding:
    met, not_met, unknown = _FACT_REASONS[type(criterion)]
    if fact is None:
        return Finding(criterion, _UNKNOWN, unknown)
    if fact.holds:
        return Finding(criterion, _MET, met, fact.since, None, (), fact)
    if isinstance(criterion, EvidenceAccepted):
        not_met = _NOT_ACCEPTED.get(fact.detail, not_met)
    return Finding(criterion, _NOT_MET, not_met, None, None, (), fact)


def _evaluate_set(
    criterion: MicromodulesCompleted, counted: tuple[Counted, ...] | None, facts: Mapping[str, Fact]
) -> Finding:
    if counted is None:
        return Finding(criterion, _UNKNOWN, Reason.COMPLETIONS_UNKNOWN)
    asked = [Completed(one.micromodule_id, one.name) for one in dict.fromkeys(counted)]
    return _counted(criterion, tuple(_evaluate_fact(one, facts.get(one.key)) for one in asked))


def _counted(criterion: MicromodulesCompleted, findings: tuple[Finding, ...]) -> Finding:
    """How a set stands by its micromodules; one that is empty asks for nothing, and is not met."""
    needed = criterion.needed(len(findings))
    states = [finding.state for finding in findings]
    met = states.count(_MET)
    if met >= needed:
        met_at = _met_at(findings, needed)
        return Finding(criterion, _MET, Reason.ENOUGH_COMPLETED, met_at, None, findings)
    if met + states.count(_UNKNOWN) >= needed:
        return Finding(criterion, _UNKNOWN, Reason.COMPLETIONS_UNKNOWN, None, None, findings)
    return Finding(criterion, _NOT_MET, Reason.TOO_FEW_COMPLETED, None, None, findings)


def _dated(window: Within, finding: Finding) -> Finding:
    """``finding`` with every leaf that is met judged by when it happened."""
    criterion = finding.criterion
    if isinstance(criterion, (AllOf, AnyOf, AtLeast, Within)):
        return _combined(criterion, tuple(_dated(window, part) for part in finding.parts))
    if isinstance(criterion, MicromodulesCompleted) and finding.parts:
        # Each completion by itself, for the same reason: a sixth, found later, spoils no five in March.
        return _counted(criterion, tuple(_dated(window, part) for part in finding.parts))
    if finding.state is not _MET:
        return finding
    at = finding.met_at
    if at is not None:
        if window.starts_at is not None and at < window.starts_at:
            return finding._replace(state=_NOT_MET, reason=Reason.TOO_EARLY, met_at=None)
        if window.ends_at is not None and at > window.ends_at:
            return finding._replace(state=_NOT_MET, reason=Reason.TOO_LATE, met_at=None)
        return finding
    # What was there when it was read had happened before: that tells of an end, and nothing of a beginning.
    read_at = max(finding.readings(), default=None)
    if window.starts_at is None and (
        window.ends_at is None or (read_at is not None and read_at <= window.ends_at)
    ):
        return finding
    return finding._replace(state=_UNKNOWN, reason=Reason.DATE_UNKNOWN)
