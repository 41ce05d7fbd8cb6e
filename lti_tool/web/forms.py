"""The micromodule form as its page needs it: values, problems by field, rows added without script."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from flask import url_for

from lti_tool.credentials.artwork import (
    MAXIMUM_TEXT,
    MINIMUM_GRAPHIC_CONTRAST,
    MINIMUM_TEXT_CONTRAST,
    SHAPES,
    contrast_ratio,
    icon_names,
    needed_contrast,
)
from lti_tool.domain.criteria import Channel, Criterion
from lti_tool.errors import CredentialInvalid, RequestInvalid
from lti_tool.services.micromodule_form import (
    ALT_LENGTH,
    DESCRIPTION_LENGTH,
    GROUPS,
    LABEL_LENGTH,
    MAXIMUM_ROWS,
    NAME_LENGTH,
    Combination,
    CriteriaRow,
    MicromoduleForm,
    Problem,
    parse_number,
)
from lti_tool.web.wording import icon_word, problem_sentence, shape_word

LIMITS = {
    "name": NAME_LENGTH,
    "description": DESCRIPTION_LENGTH,
    "label": LABEL_LENGTH,
    "text": MAXIMUM_TEXT,
    "image_alt": ALT_LENGTH,
}
"""Characters that a field takes: what the page lets people type is what is accepted."""
DEFAULT_SHAPE = "hexagon"
DEFAULT_ICON = "award"
DEFAULT_BACKGROUND = "#0b6a5d"
DEFAULT_FOREGROUND = "#ffffff"


@dataclass(frozen=True, slots=True)
class FormView:
    """One rendering of the form."""

    form: MicromoduleForm
    problems: tuple[Problem, ...] = ()
    focus: str = ""
    """Id of the field that the person goes on with; empty for the page's beginning."""
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    """The same from the empty form to its last button: what is sent twice is made once."""
    sentences: dict[str, str] = field(init=False)
    """Problem sentence by field; the first problem of a field speaks."""

    def __post_init__(self) -> None:
        sentences: dict[str, str] = {}
        for problem in self.problems:
            sentences.setdefault(problem.field, problem_sentence(problem.code, dict(problem.params)))
        object.__setattr__(self, "sentences", sentences)

    @property
    def can_add_row(self) -> bool:
        """Whether there is room for one more rule."""
        return len(self.form.rows) < MAXIMUM_ROWS

    @property
    def letters(self) -> tuple[str, ...]:
        """Group letters to choose from: those in use and the next free one."""
        used = [letter for letter in GROUPS if letter in self.form.groups]
        free = [letter for letter in GROUPS if letter not in self.form.groups][:1]
        return tuple(sorted(used + free))

    @property
    def asked(self) -> Criterion | None:
        """What the complete rows ask for, to be said in words before anything is saved."""
        return spoken_criterion(self.form)


def spoken_criterion(form: MicromoduleForm) -> Criterion | None:
    """The criterion of the rows that are complete; ``None`` while there is none."""
    rows = tuple(row for row in form.rows if row.label.strip() and _is_usable(row))
    if not rows:
        return None
    groups = {letter: _countable(combination) for letter, combination in form.groups.items()}
    groups = {letter: groups[letter] for letter in groups if any(row.group == letter for row in rows)}
    try:
        return replace(form, rows=rows, groups=groups, combination=_countable(form.combination)).criterion()
    except (ValueError, KeyError):
        return None


def _is_usable(row: CriteriaRow) -> bool:
    threshold = parse_number(row.threshold)
    return threshold is not None and threshold > 0


def _countable(combination: Combination) -> Combination:
    return combination if combination.count.isdigit() else replace(combination, count="1")


def blank_form(*, supports_mirror: bool) -> MicromoduleForm:
    """Where a description begins."""
    return with_artwork(MicromoduleForm(rows=(_blank_row(supports_mirror),)))


def with_artwork(form: MicromoduleForm) -> MicromoduleForm:
    """The form with something to draw where a draft has no choice yet."""
    return replace(
        form,
        shape=form.shape or DEFAULT_SHAPE,
        icon=form.icon or DEFAULT_ICON,
        background=form.background or DEFAULT_BACKGROUND,
        foreground=form.foreground or DEFAULT_FOREGROUND,
    )


def _blank_row(supports_mirror: bool) -> CriteriaRow:
    channel = Channel.MIRROR if supports_mirror else Channel.ATTEST
    return CriteriaRow(channel=channel.value)


def change_rows(form: MicromoduleForm, action: str, *, supports_mirror: bool) -> tuple[MicromoduleForm, str]:
    """Do what one of the row buttons says.

    :param action: ``add_row``, ``remove_row-<n>`` (from 0) or ``preview``, which changes nothing.
    :returns: the form, and the id of the field to go on with.
    """
    rows = form.rows
    if action == "add_row" and len(rows) < MAXIMUM_ROWS:
        rows = (*rows, _blank_row(supports_mirror))
        return replace(form, rows=rows), f"criteria-{len(rows) - 1}-label"
    name, _, number = action.partition("-")
    if name == "remove_row" and number.isdigit() and int(number) < len(rows):
        rows = tuple(row for index, row in enumerate(rows) if index != int(number))
        rows = rows or (_blank_row(supports_mirror),)
        return _without_empty_groups(replace(form, rows=rows)), "add-row"
    return form, "in-words"


def _without_empty_groups(form: MicromoduleForm) -> MicromoduleForm:
    used = {row.group for row in form.rows}
    return replace(form, groups={letter: form.groups[letter] for letter in form.groups if letter in used})


ARTWORK_FIELDS = ("shape", "icon", "background", "foreground", "text", "image_alt")


def artwork_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The composer's fields among others."""
    return {name: fields[name] for name in ARTWORK_FIELDS if name in fields}


def composer(form: MicromoduleForm) -> dict[str, Any]:
    """What the composer's part of the page needs: lists, the picture's address, the contrast."""
    chosen: dict[str, Any] = {name: getattr(form, name) for name in ARTWORK_FIELDS}
    try:
        # Never rounded up: what is too weak must not look like enough.
        contrast = Decimal(math.floor(contrast_ratio(form.background, form.foreground) * 10)) / 10
    except (CredentialInvalid, RequestInvalid):
        contrast = None
    return {
        "shapes": [(name, shape_word(name)) for name in SHAPES],
        "icons": sorted(((name, icon_word(name)) for name in icon_names()), key=lambda choice: choice[1]),
        "artwork_url": url_for("configure.preview_artwork", **chosen),
        "contrast": contrast,
        "contrast_needed": Decimal(str(needed_contrast(form.text))),
        "minimum_graphic_contrast": MINIMUM_GRAPHIC_CONTRAST,
        "minimum_text_contrast": MINIMUM_TEXT_CONTRAST,
    }
