"""Kinds of rules and ready recipes of them, in the reader's language.

A recipe is what a teacher means ("took part in the forum") as the rules that can tell it, with what to do in
the learning platform. Only what the platform can tell is offered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from flask_babel import gettext as _

from lti_tool.domain.criteria import Channel, EvidenceKind
from lti_tool.services.criteria_rows import CriteriaRow, RowKind

Choices = tuple[tuple[str, str], ...]


class Offered(Protocol):
    """What a course's platform can tell, and what rules may name by id."""

    @property
    def supports_mirror(self) -> bool: ...
    @property
    def supports_gates(self) -> bool: ...
    @property
    def micromodule_choices(self) -> Choices: ...
    @property
    def achievement_choices(self) -> Choices: ...
    @property
    def issuer_choices(self) -> Choices: ...
    @property
    def is_known(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """One entry of the list of recipes."""

    name: str
    title: str
    rows: tuple[CriteriaRow, ...]
    needs_mirror: bool = False
    needs_gates: bool = False


def kind_word(kind: str) -> str:
    """A kind of rule, as its button and its heading call it."""
    words: dict[str, str] = {
        RowKind.SCORE: _("Grade"),
        RowKind.GATE: _("Activities done"),
        RowKind.ATTESTED: _("Teacher confirms"),
        RowKind.EVIDENCE: _("Learner hands in"),
        RowKind.COMPLETED: _("Another micromodule"),
        RowKind.HOLDS: _("A badge"),
        RowKind.MEAN: _("Mean of grades"),
    }
    return words.get(kind, kind)


def kinds(view: Offered) -> tuple[tuple[str, str], ...]:
    """(kind, word) of every rule that can be added in this course."""
    offered = [RowKind.SCORE]
    if view.supports_gates:
        offered.append(RowKind.GATE)
    offered += [RowKind.ATTESTED, RowKind.EVIDENCE]
    if view.micromodule_choices:
        offered.append(RowKind.COMPLETED)
    if view.achievement_choices:
        offered.append(RowKind.HOLDS)
    offered.append(RowKind.MEAN)
    return tuple((kind.value, kind_word(kind)) for kind in offered)


def blank_row(kind: str, *, supports_mirror: bool) -> CriteriaRow:
    """A new rule with everything filled in that can be guessed."""
    channel = (Channel.MIRROR if supports_mirror else Channel.ATTEST).value
    if kind == RowKind.GATE:
        return CriteriaRow(_("Activities done"), kind=RowKind.GATE)
    if kind == RowKind.ATTESTED:
        return CriteriaRow(_("Confirmed by the teacher"), kind=RowKind.ATTESTED)
    if kind == RowKind.EVIDENCE:
        return _evidence(_("Work handed in"))
    if kind in (RowKind.COMPLETED, RowKind.HOLDS):
        return CriteriaRow(kind=kind)
    if kind == RowKind.MEAN:
        return CriteriaRow(_("Mean of grades"), channel, kind=RowKind.MEAN)
    return CriteriaRow(channel=channel)


def recipes(*, supports_mirror: bool, supports_gates: bool) -> tuple[Recipe, ...]:
    """The recipes that a platform can carry out."""
    return tuple(
        recipe
        for recipe in _all()
        if (supports_mirror or not recipe.needs_mirror) and (supports_gates or not recipe.needs_gates)
    )


def _all() -> tuple[Recipe, ...]:
    return (
        Recipe("forum", _("Forum: took part"), (_gate(_("Took part in the forum")),), needs_gates=True),
        Recipe("forum-rating", _("Forum: rating"), (_mirror(_("Forum rating")),), needs_mirror=True),
        Recipe("peer", _("Peer feedback: given"), (_gate(_("Gave feedback to others")),), needs_gates=True),
        Recipe(
            "peer-grade", _("Peer feedback: grade"), (_mirror(_("Peer feedback grade")),), needs_mirror=True
        ),
        Recipe(
            "project",
            _("Group project"),
            (
                replace(
                    _evidence(_("Group project")),
                    instructions=_("Hand in what your group made, and say what you did yourself."),
                ),
                CriteriaRow(_("Contribution to the group"), kind=RowKind.ATTESTED),
            ),
        ),
        Recipe("page", _("Page viewed"), (_gate(_("Viewed the page")),), needs_gates=True),
    )


def _gate(label: str) -> CriteriaRow:
    return CriteriaRow(label, kind=RowKind.GATE)


def _mirror(label: str) -> CriteriaRow:
    return CriteriaRow(label, Channel.MIRROR.value)


def _evidence(label: str) -> CriteriaRow:
    ticked = {kind.value: "on" for kind in EvidenceKind}
    return CriteriaRow(label, kind=RowKind.EVIDENCE, **ticked)


def rows_of(name: str, *, supports_mirror: bool, supports_gates: bool) -> tuple[CriteriaRow, ...]:
    """The rules of a recipe that is offered; nothing for any other name."""
    for recipe in recipes(supports_mirror=supports_mirror, supports_gates=supports_gates):
        if recipe.name == name:
            return tuple(replace(row, recipe=name) for row in recipe.rows)
    return ()


def advice(row: CriteriaRow) -> str:
    """What to do in the learning platform so that a rule can be told; empty for what needs nothing."""
    by_recipe = {
        "forum": _(
            "In the forum's settings, say when it counts as completed. Then restrict the gate activity to "
            "those who completed it."
        ),
        "forum-rating": _("Turn on ratings in the forum. Then give the column the forum's grade as formula."),
        "peer": _(
            "In the workshop's settings, say when it counts as completed. Then restrict the gate activity to "
            "those who completed it."
        ),
        "peer-grade": _("Give the column the workshop's assessment grade as formula."),
        "project": _("Learners hand in on the badge's page; you judge it there."),
        "page": _(
            "In the page's settings, require that it is viewed. Then restrict the gate activity to those who "
            "completed it."
        ),
    }
    if row.recipe in by_recipe:
        return by_recipe[row.recipe]
    by_kind: dict[str, str] = {
        RowKind.GATE: _(
            "A second activity, the gate, comes with the badge. Restrict its access to those who did what "
            "you ask; who may open it has done it."
        ),
        RowKind.ATTESTED: _("You tick the learners on the badge's page, with a reason."),
        RowKind.EVIDENCE: _("Learners hand in on the badge's page; you accept it or give it back."),
        RowKind.MEAN: _("One assessment a line with its weight, for example: Quiz 1; 40"),
    }
    if row.kind in by_kind:
        return by_kind[row.kind]
    if row.kind != RowKind.SCORE:
        return ""
    if row.channel == Channel.MIRROR:
        return _(
            "A column of the gradebook copies the activity's grade: you give it the formula once. Learners "
            "see how many points they lack. With fewer steps: leave this empty, and restrict “Activities "
            "done” to those who have the grade; learners see only whether they have it."
        )
    return _("You fill in a column of the gradebook.")
