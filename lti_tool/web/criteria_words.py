"""Criteria in words: what a rule asks, how it stands for somebody, where that comes from, what to do next.

The pure rooms return codes and numbers; here they become sentences in the reader's language. A state is
always said in words too, never by a colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from flask import Flask
from flask_babel import force_locale, format_datetime, ngettext
from flask_babel import gettext as _

from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Attested,
    Channel,
    Combination,
    Completed,
    Criterion,
    EvidenceAccepted,
    Finding,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    MicromodulesCompleted,
    Purpose,
    Reason,
    ScoreAtLeast,
    State,
    Term,
    Unit,
    Within,
    parts_needed,
)
from lti_tool.domain.evidence import Detail, Fact, Score
from lti_tool.web.i18n import day, number
from lti_tool.web.next_steps import Reader, RuleLink, for_learner, for_staff, link_of, next_step

Asked = Criterion | Term
"""What a finding may be about."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line of an explained criteria tree."""

    sentence: str
    state: str = ""
    """``met``, ``not_met``, ``unknown``; empty where nobody is judged (a preview)."""
    status: str = ""
    """The state in one or two words, for those who see no colour or icon."""
    note: str = ""
    """What is known: "40 of 100 points so far"."""
    parts: tuple[RuleLine, ...] = ()
    share: int | None = None
    """How much of the threshold is reached, 0 to 100, where a score is known."""
    source: str = ""
    """Where the fact comes from: "From the gradebook column “Quiz 1”"."""
    as_of: datetime | None = None
    """When it was read last; ``None`` for what the tool itself records, which is never old."""
    next_step: str = ""
    """What the reader can do about it; empty where it is done, or nothing depends on it any more."""
    link: RuleLink | None = None
    details: tuple[RuleLine, ...] = ()
    """What a weighted mean is made of; no rules of their own."""
    comment: str = ""
    """What a teacher wrote about the evidence."""


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        describe=describe,
        explain=explain,
        for_learner=for_learner,
        for_staff=for_staff,
        missing=missing,
        narrative=narrative,
        steps=steps,
    )


def describe(criterion: Criterion) -> RuleLine:
    """What a criterion asks, before anybody is judged by it."""
    if isinstance(criterion, Combination):
        if len(criterion.parts) == 1 and not isinstance(criterion, Within):
            return describe(criterion.parts[0])
        return RuleLine(_combination(criterion), parts=tuple(describe(part) for part in criterion.parts))
    details = tuple(RuleLine(_term(criterion, term)) for term in _terms(criterion))
    return RuleLine(_asked(criterion), note=_how_read(criterion), details=details)


def narrate(criterion: Criterion) -> str:
    """The criteria as plain text, a rule on each line: published, and signed with every badge.

    Nothing of the course's inside goes into it: no instruction to learners, no way of reading.
    """

    def lines(line: RuleLine, depth: int) -> list[str]:
        own = "  " * (depth - 1) + "- " + line.sentence if depth else line.sentence
        return [own, *(text for part in (*line.parts, *line.details) for text in lines(part, depth + 1))]

    return "\n".join(lines(describe(criterion), 0))


def narrate_in(criterion: Criterion, language: str) -> str:
    """The same in a language (BCP 47), whatever the reader's is."""
    with force_locale(language.replace("-", "_")):
        return narrate(criterion)


def narrative(text: str) -> list[tuple[int, str]]:
    """A published narrative as (depth, line); what :func:`narrate` wrote has depth, other text has none."""
    found = []
    for line in text.splitlines():
        marked = re.fullmatch(r"( *)- (.+)", line)
        if marked is not None:
            found.append((min(5, 1 + len(marked[1]) // 2), marked[2]))
        elif line.strip():
            found.append((0, line.strip()))
    return found


def explain(finding: Finding, reader: Reader | None = None) -> RuleLine:
    """How one criterion stands for one learner, and why.

    :param reader: who is told what to do next; ``None`` tells nobody.
    """
    criterion = finding.criterion
    state, status = finding.state.value, state_word(finding.state)
    if isinstance(criterion, Combination):
        is_window = isinstance(criterion, Within)
        if len(finding.parts) == 1 and not is_window:
            return explain(finding.parts[0], reader)
        needed = parts_needed(criterion)
        met = min(needed, sum(part.state is State.MET for part in finding.parts))
        below = None if finding.state is State.MET else reader
        return RuleLine(
            _combination(criterion),
            state,
            status,
            "" if is_window else _("%(met)s of %(total)s done", met=number(met), total=number(needed)),
            tuple(explain(part, below) for part in finding.parts),
        )
    asks = reader is not None and finding.state is not State.MET
    return RuleLine(
        _asked(criterion),
        state,
        status,
        _known(finding),
        share=_share(finding),
        source=_source(finding),
        as_of=_as_of(finding),
        next_step=next_step(finding, reader.voice) if asks and reader is not None else "",
        link=link_of(finding, reader) if asks and reader is not None else None,
        details=tuple(_explain_term(criterion, part) for part in finding.parts),
        comment=reader.comments.get(criterion.key, "") if asks and reader is not None else "",
    )


def steps(finding: Finding) -> tuple[int, int]:
    """How many steps are done, of how many that are needed on the shortest way from here.

    Of "at least 2 of 3" only two are needed: those that are nearest to being met. A mean is one step; of a
    set of micromodules each is one.
    """
    criterion = finding.criterion
    if isinstance(criterion, MicromodulesCompleted):
        needed = criterion.needed(len(finding.parts))
        return min(needed, sum(part.state is State.MET for part in finding.parts)), needed
    if not isinstance(criterion, Combination):
        return int(finding.state is State.MET), 1
    parts = sorted((steps(part) for part in finding.parts), key=lambda part: (part[1] - part[0], part[1]))
    parts = parts[: parts_needed(criterion)]
    return sum(met for met, _needed in parts), sum(needed for _met, needed in parts)


def missing(finding: Finding) -> str:
    """The open rules of a learner in one short line, for a table."""
    notes = [_("%(assessment)s: %(known)s", assessment=label, known=known) for label, known in _open(finding)]
    if len(notes) > 3:
        rest = len(notes) - 2
        notes = [*notes[:2], ngettext("%(num)s more", "%(num)s more", rest)]
    return " · ".join(notes)


def _open(finding: Finding) -> Iterator[tuple[str, str]]:
    """Label and standing of every rule that is still waited for."""
    criterion = finding.criterion
    if finding.state is State.MET:
        return
    if isinstance(criterion, Combination):
        for part in finding.parts:
            yield from _open(part)
    else:
        yield criterion.label, _known(finding)


def state_word(state: State | str) -> str:
    """A state in one to three words."""
    if state == State.MET:
        return _("Done")
    if state == State.NOT_MET:
        return _("Not reached yet")
    return _("Not known yet")


# What a rule asks


def _asked(leaf: Asked) -> str:
    """One rule as a sentence; public."""
    if isinstance(leaf, ScoreAtLeast):
        return _asked_score(leaf)
    if isinstance(leaf, MeanAtLeast):
        return _(
            "%(assessment)s: an average of at least %(threshold)s %%",
            assessment=leaf.label,
            threshold=number(leaf.threshold),
        )
    if isinstance(leaf, GatePassed):
        return _("%(activity)s: fulfilled in the course", activity=leaf.label)
    if isinstance(leaf, Attested):
        return _("%(what)s: confirmed by a teacher", what=leaf.label)
    if isinstance(leaf, EvidenceAccepted):
        return _("%(what)s: evidence handed in and accepted", what=leaf.label)
    if isinstance(leaf, Completed):
        return _("Micromodule “%(name)s” completed", name=leaf.label)
    if isinstance(leaf, MicromodulesCompleted):
        return _asked_set(leaf)
    assert isinstance(leaf, HoldsAchievement)
    return _("Badge “%(name)s” earned", name=leaf.label)


def _asked_set(leaf: MicromodulesCompleted) -> str:
    if leaf.count is None:
        return _("Every micromodule of “%(name)s” completed", name=leaf.label)
    return ngettext(
        "At least %(num)s micromodule of “%(name)s” completed",
        "At least %(num)s different micromodules of “%(name)s” completed",
        leaf.count,
        name=leaf.label,
    )


def _asked_score(leaf: ScoreAtLeast) -> str:
    values = {"assessment": leaf.label, "threshold": number(leaf.threshold)}
    formative = leaf.purpose is Purpose.FORMATIVE
    if leaf.unit is Unit.PERCENT:
        if formative:
            return _("%(assessment)s (practice): at least %(threshold)s %%", **values)
        return _("%(assessment)s: at least %(threshold)s %%", **values)
    if formative:
        return ngettext(
            "%(assessment)s (practice): at least %(threshold)s point",
            "%(assessment)s (practice): at least %(threshold)s points",
            _count(leaf.threshold),
            **values,
        )
    return ngettext(
        "%(assessment)s: at least %(threshold)s point",
        "%(assessment)s: at least %(threshold)s points",
        _count(leaf.threshold),
        **values,
    )


def _terms(leaf: Asked) -> tuple[Term, ...]:
    return leaf.terms if isinstance(leaf, MeanAtLeast) else ()


def _term(mean: Asked, term: Term) -> str:
    """One assessment of a mean; weights are said where they differ."""
    weights = {one.weight for one in _terms(mean)}
    values = {"assessment": term.label, "weight": number(term.weight)}
    formative = term.purpose is Purpose.FORMATIVE
    if len(weights) > 1:
        if formative:
            return _("%(assessment)s (practice), weight %(weight)s", **values)
        return _("%(assessment)s, weight %(weight)s", **values)
    return _("%(assessment)s (practice)", assessment=term.label) if formative else term.label


def _count(value: Decimal) -> int:
    """The number that chooses a plural form; a fraction takes that of many."""
    return int(value) if value == int(value) else 2


def _how_read(leaf: Asked) -> str:
    """How the fact reaches the tool, for whoever sets the badge up."""
    if isinstance(leaf, ScoreAtLeast):
        if leaf.channel is Channel.MIRROR:
            return _("Read from a gradebook column that mirrors the activity's grade.")
        return _("Read from a gradebook column that a teacher fills in.")
    if isinstance(leaf, MeanAtLeast):
        return _("Read from a gradebook column for each of these.")
    if isinstance(leaf, GatePassed):
        return _("Read from the access restriction of an activity in the course.")
    if isinstance(leaf, Attested):
        return _("A teacher confirms it here or in the gradebook.")
    if isinstance(leaf, EvidenceAccepted):
        return _("Learners hand it in here; a teacher accepts it or gives it back.")
    return _("Known to this tool itself.")


def _combination(criterion: Combination) -> str:
    if isinstance(criterion, Within):
        return _dates(criterion)
    if isinstance(criterion, AllOf):
        return _("All of these:")
    if isinstance(criterion, AnyOf):
        return _("One of these:")
    return ngettext("At least %(num)s of these:", "At least %(num)s of these:", criterion.count)


def _dates(criterion: Within) -> str:
    start = None if criterion.starts_at is None else _moment(criterion.starts_at, "00:00")
    end = None if criterion.ends_at is None else _moment(criterion.ends_at, "23:59")
    if start is not None and end is not None:
        return _("From %(start)s to %(end)s:", start=start, end=end)
    if start is not None:
        return _("From %(start)s on:", start=start)
    if end is not None:
        return _("By %(end)s:", end=end)
    return _("At any time:")


def _moment(moment: datetime, whole_day: str) -> str:
    """A date, and its time in UTC unless it is the one at which a ``whole_day`` begins or ends."""
    in_utc = moment.astimezone(UTC)
    if in_utc.strftime("%H:%M") == whole_day:
        return day(in_utc)
    time = str(format_datetime(in_utc, "HH:mm", rebase=False))  # type: ignore[no-untyped-call]
    return _("%(day)s, %(time)s UTC", day=day(in_utc), time=time)


# How it stands


def _known(finding: Finding) -> str:
    """What is known about one rule, in a few words that may follow a colon."""
    leaf, fact = finding.criterion, finding.fact
    if finding.reason in (Reason.TOO_EARLY, Reason.TOO_LATE, Reason.DATE_UNKNOWN):
        return _known_of_date(finding)
    if isinstance(leaf, ScoreAtLeast):
        return _known_score(finding)
    if isinstance(leaf, MeanAtLeast):
        return _known_mean(finding, leaf)
    if isinstance(leaf, MicromodulesCompleted):
        return _known_set(finding, leaf)
    if fact is None:
        return _("not checked yet") if isinstance(leaf, GatePassed) else _("not known yet")
    if isinstance(leaf, EvidenceAccepted):
        return _known_evidence(fact)
    if fact.holds:
        return _known_to_hold(leaf, fact)
    if isinstance(leaf, GatePassed):
        return _("not fulfilled yet")
    if isinstance(leaf, Attested):
        return _("not confirmed yet")
    if isinstance(leaf, Completed):
        return _("its badge was revoked") if fact.detail == Detail.REVOKED else _("not completed yet")
    return _("not earned yet")


def _known_set(finding: Finding, leaf: MicromodulesCompleted) -> str:
    if not finding.parts and finding.state is State.UNKNOWN:
        return _("not known yet")
    if leaf.count is None and not finding.parts:
        return _("there is no micromodule in it at present")
    met = sum(part.state is State.MET for part in finding.parts)
    total = leaf.needed(len(finding.parts))
    return _("%(met)s of %(total)s completed", met=number(min(met, total)), total=number(total))


def _known_to_hold(leaf: Asked, fact: Fact) -> str:
    since = None if fact.since is None else day(fact.since)
    if isinstance(leaf, GatePassed):
        # When it was first seen, not when it happened: no platform tells that.
        return _("fulfilled") if since is None else _("fulfilled, seen on %(day)s", day=since)
    if isinstance(leaf, Attested):
        return _("confirmed") if since is None else _("confirmed on %(day)s", day=since)
    if isinstance(leaf, Completed):
        return _("completed") if since is None else _("completed on %(day)s", day=since)
    return _("earned") if since is None else _("earned on %(day)s", day=since)


def _known_evidence(fact: Fact) -> str:
    since = None if fact.since is None else day(fact.since)
    if fact.holds:
        return _("accepted") if since is None else _("accepted on %(day)s", day=since)
    if fact.detail == Detail.SUBMITTED:
        if since is None:
            return _("handed in, a teacher has not looked at it yet")
        return _("handed in on %(day)s, a teacher has not looked at it yet", day=since)
    if fact.detail == Detail.RETURNED:
        return _("given back to be changed")
    return _("nothing handed in yet")


def _known_score(finding: Finding) -> str:
    if finding.reason is Reason.COLUMN_NOT_READ_YET:
        return _("not read yet")
    if finding.reason is Reason.NO_GRADE_YET or finding.score is None or finding.score.value is None:
        return _("no grade yet")
    value, maximum = number(finding.score.value), number(finding.score.maximum)
    if finding.reason is Reason.MAXIMUM_MISSING:
        return _("%(points)s points, but the platform does not say of how many", points=value)
    known = _("%(points)s of %(maximum)s points", points=value, maximum=maximum)
    lacking = _lacking(finding)
    if lacking is None:
        return known
    return ngettext(
        "%(known)s, %(lacking)s point more is needed",
        "%(known)s, %(lacking)s points more are needed",
        _count(lacking),
        known=known,
        lacking=number(lacking),
    )


def _known_mean(finding: Finding, leaf: MeanAtLeast) -> str:
    if finding.mean is None:
        open_ = sum(part.state is not State.MET for part in finding.parts) or len(leaf.terms)
        return ngettext("%(num)s grade is missing", "%(num)s grades are missing", open_)
    mean = _shown_mean(finding.mean, leaf)
    if finding.state is State.MET:
        return _("%(mean)s %% reached", mean=number(mean))
    return _(
        "%(mean)s %% so far, %(lacking)s %% more are needed",
        mean=number(mean),
        lacking=number(leaf.threshold - mean),
    )


def _shown_mean(mean: Decimal, leaf: MeanAtLeast) -> Decimal:
    """Cut to two decimals, or as many as the threshold has: nothing below it reads as if it were reached."""
    exponent = leaf.threshold.as_tuple().exponent
    places = max(2, -exponent if isinstance(exponent, int) else 2)
    return mean.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)


def _explain_term(mean: Asked, finding: Finding) -> RuleLine:
    """One assessment of a mean: graded or not, never reached or missed. Or a micromodule of a set."""
    if isinstance(finding.criterion, Completed):
        return RuleLine(finding.criterion.label, note=_known(finding))
    assert isinstance(finding.criterion, Term)
    return RuleLine(_term(mean, finding.criterion), note=_known_score(finding))


def _known_of_date(finding: Finding) -> str:
    """Why something that is done does not count for its dates."""
    happened_at = finding.happened_at()
    if finding.reason is Reason.DATE_UNKNOWN or happened_at is None:
        return _("done, but nobody knows when")
    if finding.reason is Reason.TOO_EARLY:
        return _("done on %(day)s, before these dates", day=day(happened_at))
    return _("done on %(day)s, after these dates", day=day(happened_at))


def _lacking(finding: Finding) -> Decimal | None:
    """How many points are missing for a rule that is not met, exactly."""
    criterion, score = finding.criterion, finding.score
    if finding.reason is not Reason.SCORE_BELOW or score is None or score.value is None:
        return None
    assert isinstance(criterion, ScoreAtLeast)
    return _points_needed(criterion, score) - score.value


def _points_needed(criterion: ScoreAtLeast, score: Score) -> Decimal:
    if criterion.unit is Unit.PERCENT:
        return criterion.threshold * score.maximum / 100
    return criterion.threshold


def _share(finding: Finding) -> int | None:
    criterion, score = finding.criterion, finding.score
    if isinstance(criterion, MeanAtLeast) and finding.mean is not None and criterion.threshold > 0:
        reached = int(finding.mean * 100 / criterion.threshold)
    elif isinstance(criterion, ScoreAtLeast) and score is not None and score.value is not None:
        needed = _points_needed(criterion, score)
        if needed <= 0:
            return None
        reached = int(score.value * 100 / needed)
    elif isinstance(criterion, MicromodulesCompleted) and finding.state is not State.UNKNOWN:
        met = sum(part.state is State.MET for part in finding.parts)
        reached = met * 100 // criterion.needed(len(finding.parts))
    else:
        return None
    # Nearly there is not there: only a met rule shows a full bar.
    return 100 if finding.state is State.MET else max(0, min(99, reached))


# Where it comes from, as of when


def _source(finding: Finding) -> str:
    leaf, detail = finding.criterion, "" if finding.fact is None else finding.fact.detail
    if isinstance(leaf, ScoreAtLeast) or (isinstance(leaf, Attested) and detail == Detail.COLUMN):
        return _("From the gradebook column “%(column)s”", column=leaf.label)
    if isinstance(leaf, MeanAtLeast):
        return ngettext("From %(num)s gradebook column", "From %(num)s gradebook columns", len(leaf.terms))
    if isinstance(leaf, GatePassed):
        if detail == Detail.LAUNCH:
            return _("From opening the activity that has this access restriction")
        return _("From an activity's access restriction")
    if isinstance(leaf, Attested):
        return _("From a teacher's confirmation")
    if isinstance(leaf, EvidenceAccepted):
        return _("From evidence that was handed in here")
    return _("From this tool's own records")


def _as_of(finding: Finding) -> datetime | None:
    """The oldest reading that the state rests on; what the tool records itself is never old."""
    fact = finding.fact
    if fact is None:
        return finding.as_of()
    is_read = isinstance(finding.criterion, GatePassed) or fact.detail == Detail.COLUMN
    return fact.read_at if is_read else None
