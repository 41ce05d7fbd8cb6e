"""What somebody can do about a rule that is not met, and where: said to who learns and to who teaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flask_babel import gettext as _

from lti_tool.domain.criteria import (
    Attested,
    Channel,
    Completed,
    EvidenceAccepted,
    Finding,
    GatePassed,
    MeanAtLeast,
    MicromodulesCompleted,
    Reason,
    ScoreAtLeast,
    State,
)
from lti_tool.domain.evidence import Detail


class Voice(StrEnum):
    """Whom a next step speaks to."""

    LEARNER = "learner"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an explanation, and what its links lead to."""

    voice: Voice = Voice.LEARNER
    placement_id: str = ""
    """Without one there are words, but no links."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """Ids of the placement's gates, by evidence key."""
    comments: Mapping[str, str] = field(default_factory=dict)
    """What a teacher wrote when giving evidence back, by evidence key."""


def for_learner(placement_id: str = "", comments: Mapping[str, str] | None = None) -> Reader:
    """The person that the explanation is about reads it."""
    return Reader(Voice.LEARNER, placement_id, comments=comments or {})


def for_staff(
    placement_id: str = "", gates: Mapping[str, str] | None = None, comments: Mapping[str, str] | None = None
) -> Reader:
    """Somebody who teaches reads it."""
    return Reader(Voice.STAFF, placement_id, gates or {}, comments or {})


@dataclass(frozen=True, slots=True)
class RuleLink:
    """Where the next step is taken."""

    endpoint: str
    values: Mapping[str, Any]
    text: str


def next_step(finding: Finding, voice: Voice) -> str:
    """What the reader can do about a rule that is not met; one sentence, perhaps two."""
    leaf, learner = finding.criterion, voice is Voice.LEARNER
    if finding.reason is Reason.TOO_EARLY and isinstance(leaf, ScoreAtLeast):
        return _("Only what is done within these dates counts. The same result once more may not be noticed.")
    if finding.reason in (Reason.TOO_EARLY, Reason.TOO_LATE):
        return _("Only what is done within these dates counts.")
    if finding.reason is Reason.DATE_UNKNOWN:
        return _("It counts as soon as a date within these dates is known.")
    if isinstance(leaf, ScoreAtLeast):
        return _next_score(finding, leaf, learner=learner)
    if isinstance(leaf, MeanAtLeast):
        return _next_mean(finding, learner=learner)
    if isinstance(leaf, GatePassed):
        return _next_gate(finding, learner=learner)
    if isinstance(leaf, Attested):
        if learner:
            return _("A teacher confirms it. Nothing to hand in.")
        return _("Confirm it when you have seen it.")
    if isinstance(leaf, EvidenceAccepted):
        return _next_evidence(finding, learner=learner)
    if isinstance(leaf, Completed):
        if finding.fact is not None and finding.fact.detail == Detail.REVOKED:
            return _("It counts again once a later version of this micromodule is completed.")
        if learner:
            return _("Complete this micromodule in its course.")
        return _("The learner completes this micromodule in its course.")
    if isinstance(leaf, MicromodulesCompleted):
        if learner:
            return _("Complete more of these micromodules, each in its course.")
        return _("The learner completes more of these micromodules, each in its course.")
    if learner:
        return _("Earn this badge first.")
    return _("The learner earns this badge first.")


def _next_score(finding: Finding, leaf: ScoreAtLeast, *, learner: bool) -> str:
    if finding.reason is Reason.MAXIMUM_MISSING:
        if learner:
            return _("Tell a teacher: the gradebook column has no maximum grade.")
        return _("Give the gradebook column a maximum grade.")
    if finding.reason is Reason.COLUMN_NOT_READ_YET:
        if learner:
            return _("Nothing to do: grades are read regularly.")
        return _("If it stays so, look at the column among the steps of this badge.")
    if finding.state is State.UNKNOWN:
        if leaf.channel is Channel.ATTEST:
            if learner:
                return _("A teacher enters this grade.")
            return _("Enter the grade in the gradebook.")
        if learner:
            return _("Do it, or wait until it is graded.")
        return _("Grade it if the learner has done it.")
    if learner:
        return _("Improve it, if another try is allowed.")
    return _("The learner needs a better grade.")


def _next_mean(finding: Finding, *, learner: bool) -> str:
    if finding.mean is None:
        if learner:
            return _("Do what has no grade yet, or wait until it is graded.")
        return _("Grade what the learner has done.")
    if learner:
        return _("Improve one of these, if another try is allowed.")
    return _("The learner needs better grades.")


def _next_gate(finding: Finding, *, learner: bool) -> str:
    if learner:
        if finding.fact is None:
            return _("When you have done it, open the activity that it unlocks.")
        return _("The course page says at the restricted activity what is still to be done.")
    if finding.fact is None:
        return _("Check the gate and confirm it.")
    return _("The learner has to meet the restriction of the gate's activity.")


def _next_evidence(finding: Finding, *, learner: bool) -> str:
    detail = "" if finding.fact is None else finding.fact.detail
    if detail == Detail.SUBMITTED:
        if learner:
            return _("A teacher looks at it next.")
        return _("Accept it, or give it back with a comment.")
    if detail == Detail.RETURNED:
        if learner:
            return _("Change it and hand it in again.")
        return _("The learner changes it and hands it in again.")
    if learner:
        return _("Hand in your evidence.")
    return _("The learner hands in evidence.")


def link_of(finding: Finding, reader: Reader) -> RuleLink | None:
    """Where the next step is taken, if on a page of ours."""
    if not reader.placement_id:
        return None
    leaf = finding.criterion
    found: RuleLink | None = None
    if isinstance(leaf, EvidenceAccepted):
        found = _evidence_link(finding, leaf, reader)
    elif reader.voice is Voice.LEARNER:
        return None
    elif isinstance(leaf, Attested):
        found = RuleLink(
            "people.attest", {"placement_id": reader.placement_id, "key": leaf.key}, _("Confirm learners")
        )
    elif isinstance(leaf, GatePassed) and leaf.key in reader.gates:
        found = RuleLink("gates.show", {"gate_id": reader.gates[leaf.key]}, _("Look at the gate"))
    elif isinstance(leaf, ScoreAtLeast | MeanAtLeast) and finding.state is State.UNKNOWN:
        found = RuleLink("course.show", {"_anchor": f"setup-{reader.placement_id}"}, _("Steps of this badge"))
    return found


def _evidence_link(finding: Finding, leaf: EvidenceAccepted, reader: Reader) -> RuleLink | None:
    detail = "" if finding.fact is None else finding.fact.detail
    if reader.voice is Voice.STAFF:
        if detail != Detail.SUBMITTED:
            return None
        return RuleLink(
            "people.submissions", {"placement_id": reader.placement_id}, _("Look at what was handed in")
        )
    text = {
        Detail.SUBMITTED.value: _("See what you handed in"),
        Detail.RETURNED.value: _("Hand in again"),
    }.get(str(detail), _("Hand in evidence"))
    return RuleLink("people.hand_in", {"placement_id": reader.placement_id, "key": leaf.key}, text)
