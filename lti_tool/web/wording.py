"""Criteria, findings, verdicts and platform troubles in words.

The pure rooms return codes and numbers; this is where they become sentences in the reader's language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Channel,
    Criterion,
    Finding,
    Purpose,
    Reason,
    ScoreAtLeast,
    State,
    Unit,
    parts_needed,
)
from lti_tool.domain.evidence import Score
from lti_tool.domain.freshness import Staleness
from lti_tool.store.runs import SyncStep
from lti_tool.web.error_texts import text_of
from lti_tool.web.i18n import number

if TYPE_CHECKING:
    from lti_tool.store.runs import RunView


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


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        explain=explain,
        steps=steps,
        narrative=narrative,
        describe=describe,
        missing=missing,
        trouble=trouble,
        trouble_advice=trouble_advice,
        verdict_word=verdict_word,
        verdict_kind=verdict_kind,
        run_step=run_step,
        staleness_sentence=staleness_sentence,
        field_label=field_label,
        exclusion_sentence=exclusion_sentence,
    )


def describe(criterion: Criterion) -> RuleLine:
    """What a criterion asks, before anybody is judged by it."""
    if isinstance(criterion, ScoreAtLeast):
        return RuleLine(_asked(criterion), note=_how_read(criterion))
    if len(criterion.parts) == 1:
        return describe(criterion.parts[0])
    return RuleLine(_combination(criterion), parts=tuple(describe(part) for part in criterion.parts))


def narrate(criterion: Criterion) -> str:
    """The criteria as plain text, a rule on each line: published, and signed with every badge."""

    def lines(line: RuleLine, depth: int) -> list[str]:
        own = "  " * (depth - 1) + "- " + line.sentence if depth else line.sentence
        return [own, *(text for part in line.parts for text in lines(part, depth + 1))]

    return "\n".join(lines(describe(criterion), 0))


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


def explain(finding: Finding) -> RuleLine:
    """How one criterion stands for one learner, and why."""
    criterion = finding.criterion
    status = _state_word(finding.state)
    if isinstance(criterion, ScoreAtLeast):
        return RuleLine(
            _asked(criterion), finding.state.value, status, _known(finding), share=_share(finding)
        )
    if len(finding.parts) == 1:
        return explain(finding.parts[0])
    needed = parts_needed(criterion)
    met = min(needed, sum(part.state is State.MET for part in finding.parts))
    return RuleLine(
        _combination(criterion),
        finding.state.value,
        status,
        _("%(met)s of %(total)s done", met=number(met), total=number(needed)),
        tuple(explain(part) for part in finding.parts),
    )


def steps(finding: Finding) -> tuple[int, int]:
    """How many steps are done, of how many that are needed on the shortest way from here.

    Of "at least 2 of 3" only two are needed: those that are nearest to being met.
    """
    criterion = finding.criterion
    if isinstance(criterion, ScoreAtLeast):
        return int(finding.state is State.MET), 1
    parts = sorted((steps(part) for part in finding.parts), key=lambda part: (part[1] - part[0], part[1]))
    parts = parts[: parts_needed(criterion)]
    return sum(met for met, _needed in parts), sum(needed for _met, needed in parts)


def missing(finding: Finding) -> str:
    """The open rules of a learner in one short line, for a table."""
    notes = [
        _("%(assessment)s: %(known)s", assessment=leaf.criterion.label, known=_known(leaf))
        for leaf in finding.leaves()
        if leaf.state is not State.MET and isinstance(leaf.criterion, ScoreAtLeast)
    ]
    if len(notes) > 3:
        rest = len(notes) - 2
        notes = [*notes[:2], ngettext("%(num)s more", "%(num)s more", rest)]
    return " · ".join(notes)


def trouble(code: str) -> str:
    """What kept a reading from working, in one sentence."""
    return str(text_of(code).happened)


def trouble_advice(code: str) -> str:
    """What those who teach can do about it."""
    return str(text_of(code).advice)


def verdict_word(verdict: Verdict | str, state: State | str) -> str:
    """A learner's standing in one or two words."""
    verdict = Verdict(verdict)
    if verdict in (Verdict.HELD, Verdict.AWARD):
        return _("Earned")
    if verdict is Verdict.REVIEW:
        return _("Please review")
    if verdict is Verdict.UNPROVED:
        return _("Waiting")
    if verdict is Verdict.EXCLUDED:
        return _("Not counted")
    return _("Not yet") if State(state) is State.NOT_MET else _("No data yet")


def exclusion_sentence(exclusion: Exclusion | str) -> str:
    """Why somebody is never awarded in this course."""
    return {
        Exclusion.STAFF: _("Teaches or runs this course."),
        Exclusion.TEST_USER: _("A test account."),
        Exclusion.NOT_A_LEARNER: _("Does not take part as a learner."),
        Exclusion.LEFT: _("Is no longer in the course."),
        Exclusion.NOT_A_STUDENT: _("Is not a student according to the learning management system."),
    }[Exclusion(exclusion)]


def verdict_kind(verdict: Verdict | str, state: State | str) -> str:
    """The pill that goes with :func:`verdict_word`."""
    verdict = Verdict(verdict)
    if verdict in (Verdict.HELD, Verdict.AWARD):
        return "good"
    if verdict in (Verdict.REVIEW, Verdict.UNPROVED):
        return "wait"
    return "plain" if verdict is Verdict.EXCLUDED or State(state) is State.UNKNOWN else "open"


def staleness_sentence(staleness: Staleness | str) -> str:
    """Why a course is shown older than was promised, for those who look at it."""
    sentences: dict[str, str] = {
        Staleness.NEVER_READ: _("Nothing has been read from the learning platform yet."),
        Staleness.PLATFORM_RESTS: _(
            "The learning platform is busy and asked to be left alone, so this is older than usual."
        ),
        Staleness.PLATFORM_SILENT: _(
            "The learning platform did not answer for the last time, so this is older than usual."
        ),
        Staleness.CALLS_SPENT: _(
            "So much is read from the learning platform at present that every course waits a little longer."
        ),
        Staleness.PLATFORM_SLOWED: _(
            "The learning platform was too busy lately and is asked more slowly, so this is older than usual."
        ),
        Staleness.LATE: _("Reading from the learning platform is late."),
    }
    return sentences[Staleness(staleness)]


def run_step(run: RunView) -> str:
    """What a run is doing just now."""
    if run.status == "waiting":
        return _("Waiting for its turn …")
    steps: dict[str, str] = {
        SyncStep.ROSTER: _("Reading participants …"),
        SyncStep.RESULTS: _("Reading grades …"),
        SyncStep.DECISIONS: _("Deciding …"),
        SyncStep.CREDENTIALS: _("Signing badges …"),
    }
    return steps.get(run.step, _("Reading from the learning platform …"))


def problem_sentence(code: str, params: dict[str, object]) -> str:
    """What is wrong with one field of the micromodule form."""
    sentences = {
        "required": _("Please fill this in."),
        "too_long": _("This is too long: at most %(limit)s characters.", limit=params.get("limit", "")),
        "too_many": _("These are too many: at most %(limit)s.", limit=params.get("limit", "")),
        "not_a_number": _("Enter a number."),
        "out_of_range": _(
            "Enter a number from %(low)s to %(high)s.", low=params.get("low", ""), high=params.get("high", "")
        ),
        "unknown_choice": _("Choose one of the list."),
        "control_character": _(
            "This contains an invisible character that cannot be signed. Type the text again."
        ),
        "label_used_twice": _(
            "One assessment cannot be read in two ways. Use the same way, or another name."
        ),
        "characters_not_in_font": _("The picture cannot show some of these characters. Use others."),
        "colour_invalid": _("Enter a colour such as #0b6a5d."),
        "name_taken": _("This name is taken. Choose another one."),
        "not_a_url": _("Enter a whole web address that begins with https://."),
        "not_an_address": _("Enter an e-mail address such as badges@example.edu."),
        "not_an_origin": _(
            "Enter one address of a website on each line, such as https://lms.example.edu: "
            "%(given)s is none.",
            given=params.get("given", ""),
        ),
        "contrast_too_low": _(
            "Picture and background are too similar to tell apart. Choose a darker or lighter colour."
        ),
    }
    return sentences.get(code, _("This cannot be used as it is."))


def _asked(criterion: ScoreAtLeast) -> str:
    values = {"assessment": criterion.label, "threshold": number(criterion.threshold)}
    formative = criterion.purpose is Purpose.FORMATIVE
    if criterion.unit is Unit.PERCENT:
        if formative:
            return _("%(assessment)s (practice): at least %(threshold)s %%", **values)
        return _("%(assessment)s: at least %(threshold)s %%", **values)
    if formative:
        return ngettext(
            "%(assessment)s (practice): at least %(threshold)s point",
            "%(assessment)s (practice): at least %(threshold)s points",
            _count(criterion.threshold),
            **values,
        )
    return ngettext(
        "%(assessment)s: at least %(threshold)s point",
        "%(assessment)s: at least %(threshold)s points",
        _count(criterion.threshold),
        **values,
    )


def _count(value: Decimal) -> int:
    """The number that chooses a plural form; a fraction takes that of many."""
    return int(value) if value == int(value) else 2


def _how_read(criterion: ScoreAtLeast) -> str:
    if criterion.channel is Channel.MIRROR:
        return _("Read from a gradebook column that mirrors the activity's grade.")
    return _("Read from a gradebook column that a teacher fills in.")


def _combination(criterion: Criterion) -> str:
    if isinstance(criterion, AllOf):
        return _("All of these:")
    if isinstance(criterion, AnyOf):
        return _("One of these:")
    assert not isinstance(criterion, ScoreAtLeast)
    return ngettext("At least %(num)s of these:", "At least %(num)s of these:", criterion.count)


def _known(finding: Finding) -> str:
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
    if not isinstance(criterion, ScoreAtLeast) or score is None or score.value is None:
        return None
    needed = _points_needed(criterion, score)
    if needed <= 0:
        return None
    reached = int(score.value * 100 / needed)
    # Nearly there is not there: only a met rule shows a full bar.
    return 100 if finding.state is State.MET else max(0, min(99, reached))


def _state_word(state: State) -> str:
    if state is State.MET:
        return _("Done")
    if state is State.NOT_MET:
        return _("Not reached yet")
    return _("Not known yet")


def field_label(name: str) -> str:
    """What the micromodule form calls a field, for the list of problems at its top."""
    labels = {
        "name": _("Name"),
        "description": _("Description"),
        "skills": _("Skills"),
        "combination": _("How the rules count together"),
        "at_least_count": _("How many"),
        "shape": _("Shape"),
        "icon": _("Icon"),
        "background": _("Background"),
        "foreground": _("Icon and text"),
        "text": _("Text on the badge"),
        "image_alt": _("Description of the picture"),
        "url": _("Website"),
        "email": _("E-mail address"),
        "reason": _("Reason"),
        "role": _("Role"),
        "frame_origins": _("Websites that may show the tool"),
        "token": _("Sign-in link"),
    }
    if name in labels:
        return labels[name]
    if (found := re.fullmatch(r"criteria-(\d+)-([a-z]+)", name)) is not None:
        part = {
            "label": _("Assessment"),
            "threshold": _("At least"),
            "unit": _("Unit"),
            "channel": _("How the grade is read"),
            "purpose": _("Purpose"),
            "group": _("Group"),
        }.get(found[2], found[2])
        return _("Rule %(number)s, %(part)s", number=number(int(found[1]) + 1), part=part)
    if (found := re.fullmatch(r"group-([A-E])-[a-z]+", name)) is not None:
        return _("Group %(letter)s", letter=found[1])
    return name


def shape_word(name: str) -> str:
    """A shape of the composer."""
    return {
        "circle": _("Circle"),
        "hexagon": _("Hexagon"),
        "octagon": _("Octagon"),
        "shield": _("Shield"),
        "rosette": _("Rosette"),
        "square": _("Square"),
        "diamond": _("Diamond"),
    }.get(name, name)


def icon_word(name: str) -> str:
    """An icon of the composer."""
    return {
        "anchor": _("Anchor"),
        "atom": _("Atom"),
        "award": _("Rosette"),
        "badge-check": _("Badge with a tick"),
        "book-open": _("Open book"),
        "brain": _("Brain"),
        "calculator": _("Calculator"),
        "camera": _("Camera"),
        "chart-line": _("Chart"),
        "clock": _("Clock"),
        "code": _("Code"),
        "compass": _("Compass"),
        "cpu": _("Processor"),
        "database": _("Database"),
        "dna": _("DNA"),
        "flag": _("Flag"),
        "flask-conical": _("Flask"),
        "globe": _("Globe"),
        "graduation-cap": _("Graduation cap"),
        "hammer": _("Hammer"),
        "handshake": _("Handshake"),
        "heart": _("Heart"),
        "languages": _("Languages"),
        "leaf": _("Leaf"),
        "lightbulb": _("Lightbulb"),
        "map": _("Map"),
        "medal": _("Medal"),
        "message-circle": _("Speech bubble"),
        "microscope": _("Microscope"),
        "mountain": _("Mountain"),
        "music": _("Music"),
        "palette": _("Palette"),
        "pencil": _("Pencil"),
        "puzzle": _("Puzzle"),
        "rocket": _("Rocket"),
        "scale": _("Scales"),
        "search": _("Magnifying glass"),
        "shield-check": _("Shield with a tick"),
        "sigma": _("Sum sign"),
        "sprout": _("Sprout"),
        "star": _("Star"),
        "stethoscope": _("Stethoscope"),
        "sun": _("Sun"),
        "target": _("Target"),
        "telescope": _("Telescope"),
        "trophy": _("Trophy"),
        "users": _("People"),
        "wrench": _("Wrench"),
    }.get(name, name.replace("-", " ").capitalize())
