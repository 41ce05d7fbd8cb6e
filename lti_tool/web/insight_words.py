"""Simulation, matrix and explanation in words: outcomes, channels and the short values of a table's cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.domain.awarding import Exclusion, Proof, Standing
from lti_tool.domain.criteria import EvidenceAccepted, Finding, MeanAtLeast, Reason, ScoreAtLeast, State
from lti_tool.domain.evidence import Detail
from lti_tool.services.evidence_channels import ChannelState, ChannelView
from lti_tool.services.publishing import mark_of
from lti_tool.services.simulating import Outcome
from lti_tool.store.matrix import Order
from lti_tool.web.criteria_words import state_word
from lti_tool.web.i18n import number


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        cell_value=cell_value,
        channel_mend=channel_mend,
        channel_sentence=channel_sentence,
        criteria_mark=mark_of,
        order_words=order_words,
        simulated_sentence=simulated_sentence,
        simulated_word=simulated_word,
        proof_sentence=proof_sentence,
        standing_words=standing_words,
        state_word=state_word,
        uncounted_sentence=uncounted_sentence,
    )


@dataclass(frozen=True, slots=True)
class Mend:
    """Where a person sets up or mends a channel."""

    endpoint: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)


def channel_sentence(channel: ChannelView) -> str:
    """How a channel is doing; of one that works there is nothing to say but when it was read."""
    return {
        ChannelState.READ: "" if channel.is_complete else _("The last reading did not see everybody."),
        ChannelState.OWN: "",
        ChannelState.NOT_CREATED: _("Its gradebook column has not been created yet."),
        ChannelState.WAITING: _("No grade has arrived in its gradebook column yet."),
        ChannelState.UNREAD: _("Nothing has been read for it yet."),
        ChannelState.GATE_MISSING: _("Nobody who may edit the course has opened its gate yet."),
        ChannelState.GATE_OPEN: _("Nobody has confirmed yet who passes its gate."),
        ChannelState.GATE_DOUBTED: _("Suddenly everybody passes its gate. Has the restriction been removed?"),
        ChannelState.TROUBLE: _("It could not be read the last time."),
    }[channel.state]


def channel_mend(channel: ChannelView, placement_id: str | None) -> Mend | None:
    """Where those who may edit the course make a channel work; none where nothing is to be done here."""
    if not channel.needs_somebody or placement_id is None:
        return None
    is_opened = channel.gate_id is not None and channel.state is not ChannelState.GATE_MISSING
    if is_opened:
        return Mend("gates.show", _("Look at the gate"), {"gate_id": channel.gate_id})
    return Mend("course.show", _("Steps of this badge"), {"_anchor": f"setup-{placement_id}"})


def simulated_word(outcome: Outcome | str, *, has_badge: bool = True) -> str:
    """A group of a simulation."""
    return {
        Outcome.EARNS: _("Would earn it now") if has_badge else _("Would complete it now"),
        Outcome.WAITS: _("Waiting for proof"),
        Outcome.HAS: _("Have it already"),
        Outcome.NOT_YET: _("Not yet"),
        Outcome.NO_DATA: _("Not known yet"),
        Outcome.REVOKED: _("Revoked"),
    }[Outcome(outcome)]


def simulated_sentence(outcome: Outcome | str) -> str:
    """What a group means, where its name does not say it."""
    return {
        Outcome.EARNS: "",
        Outcome.WAITS: _(
            "They meet the criteria, but nothing shows yet that they learn in this course: opening the "
            "activity does, or your confirmation."
        ),
        Outcome.HAS: _("What they have stays, whatever the criteria say."),
        Outcome.NOT_YET: _("Those who lack least come first."),
        Outcome.NO_DATA: _("They lack nothing that is known, but not everything is known."),
        Outcome.REVOKED: _("A badge that was revoked is not awarded again."),
    }[Outcome(outcome)]


def uncounted_sentence(not_counted: dict[Exclusion, int]) -> str:
    """Who of a course is left out, and why."""
    staff = not_counted.get(Exclusion.STAFF, 0)
    others = sum(not_counted.values()) - staff
    parts = []
    if staff:
        parts.append(
            ngettext(
                "%(num)s person who teaches or runs this course is not counted.",
                "%(num)s people who teach or run this course are not counted.",
                staff,
            )
        )
    if others:
        parts.append(
            ngettext(
                "%(num)s other is not counted: left the course, is a test account or no student.",
                "%(num)s others are not counted: left the course, are test accounts or no students.",
                others,
            )
        )
    return " ".join(parts)


def standing_words(*, has_badge: bool = True) -> dict[str, str]:
    """What a matrix can be narrowed to.

    :param has_badge: there is a badge to earn, and not only a completion to record.
    """
    return {
        Standing.EARNED.value: _("Earned") if has_badge else _("Completed"),
        Standing.REVIEW.value: _("Results changed"),
        Standing.WAITING.value: _("Waiting"),
        Standing.NOT_YET.value: _("Not yet"),
        Standing.NO_DATA.value: _("No data yet"),
        Standing.REVOKED.value: _("Revoked"),
    }


def order_words() -> dict[str, str]:
    """What a matrix can be sorted by, criteria apart."""
    return {
        Order.NAME.value: _("Name"),
        Order.BADGE.value: _("Badge"),
        Order.MET.value: _("Criteria met"),
    }


def proof_sentence(proof: Proof | str) -> str:
    """How it is known that somebody learns in a course."""
    return {
        Proof.NONE: _("The list of participants says so, and nothing else."),
        Proof.LAUNCH: _("Opened an activity of this tool as a learner."),
        Proof.SCORE: _("The learning platform took a score, as it does for students only."),
        Proof.STAFF: _("Somebody who teaches confirmed it."),
        Proof.REFUSED: _(
            "The learning platform refused the score, as it does for people who are no students."
        ),
    }[Proof(proof)]


def cell_value(finding: Finding) -> str:
    """What is known of one criterion, as short as a cell; empty where the state says it all."""
    leaf, score, fact = finding.criterion, finding.score, finding.fact
    if finding.reason is Reason.TOO_EARLY:
        return _("too early")
    if finding.reason is Reason.TOO_LATE:
        return _("too late")
    if finding.reason is Reason.DATE_UNKNOWN:
        return _("date not known")
    if isinstance(leaf, ScoreAtLeast) and score is not None and score.value is not None:
        if score.maximum > 0:
            return _("%(points)s of %(maximum)s", points=number(score.value), maximum=number(score.maximum))
        return number(score.value)
    if isinstance(leaf, MeanAtLeast) and finding.mean is not None:
        return _("%(mean)s %%", mean=number(finding.mean.quantize(Decimal("0.01"), ROUND_FLOOR)))
    if isinstance(leaf, EvidenceAccepted) and fact is not None and not fact.holds:
        if fact.detail == Detail.SUBMITTED:
            return _("handed in")
        if fact.detail == Detail.RETURNED:
            return _("given back")
    if isinstance(leaf, ScoreAtLeast) and finding.state is State.UNKNOWN and score is not None:
        return _("no grade yet")
    return ""
