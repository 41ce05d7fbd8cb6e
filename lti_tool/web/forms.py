"""The micromodule form as its page needs it: values, problems by field, rows added without script."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from lti_tool.credentials.artwork import (
    MAXIMUM_TEXT,
)
from lti_tool.domain.criteria import Criterion
from lti_tool.domain.criteria_problems import MAXIMUM_INSTRUCTIONS
from lti_tool.services import achievement_details
from lti_tool.services.criteria_checks import row_problems
from lti_tool.services.criteria_rows import (
    GROUPS,
    LABEL_LENGTH,
    MAXIMUM_ROWS,
    Combination,
    CriteriaRow,
    RowKind,
    ancestors,
)
from lti_tool.services.describing import with_choices
from lti_tool.services.form_problems import Problem, text_problems
from lti_tool.services.frameworks import Found
from lti_tool.services.micromodule_form import ALT_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH, MicromoduleForm
from lti_tool.web import composing
from lti_tool.web.recipes import Offered, blank_row, rows_of
from lti_tool.web.wording import problem_sentence

if TYPE_CHECKING:
    from lti_tool.services.configuring import PickerView
    from lti_tool.services.simulating import SimulationView

LIMITS = {
    "name": NAME_LENGTH,
    "description": DESCRIPTION_LENGTH,
    "label": LABEL_LENGTH,
    "text": MAXIMUM_TEXT,
    "image_alt": ALT_LENGTH,
    "instructions": MAXIMUM_INSTRUCTIONS,
    "alignments": achievement_details.MAXIMUM_ALIGNMENTS,
    "target_name": achievement_details.TARGET_NAME_LENGTH,
    "target_url": achievement_details.TARGET_URL_LENGTH,
    "framework": achievement_details.FRAMEWORK_LENGTH,
    "code": achievement_details.CODE_LENGTH,
    "field_of_study": achievement_details.FIELD_OF_STUDY_LENGTH,
}
"""Characters that a field takes: what the page lets people type is what is accepted."""
COURSE_NUMBER = re.compile(r"[^:]{0,40}\d[^:]{0,10}:\s+(?P<name>\S.*)", re.DOTALL)
"""What stands before a colon and holds a digit: the number or code of a course, before its own name."""


@dataclass(frozen=True, slots=True)
class FormView:
    """One rendering of the form."""

    form: MicromoduleForm
    problems: tuple[Problem, ...] = ()
    focus: str = ""
    """Id of the field that the person goes on with; empty for the page's beginning."""
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    """The same from the empty form to its last button: what is sent twice is made once."""
    placement_id: str = ""
    """The draft that is edited; empty for a new micromodule."""
    pasted: str = ""
    """Criteria to import, as pasted."""
    revision: str = ""
    """Of the draft that is edited, when its form was opened."""
    is_unsaved: bool = False
    """What is shown was typed earlier and never saved."""
    forgets: int = 0
    """How many confirmations the person was told are lost if this is saved."""
    recipe: str = ""
    """The recipe that is chosen in the list."""
    simulation: SimulationView | None = None
    """Who would earn it now, where somebody asked."""
    shows_picture: bool = False
    """The picture's part stays open: somebody is at it."""
    search: Found | None = None
    """The skills that somebody looked for."""
    is_unknown_course: bool = False
    """Somebody asked, and nobody of the course is known yet."""
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

    def parents(self, letter: str) -> tuple[str, ...]:
        """Groups in which a group may stand: no group inside itself; what was chosen stays to be seen."""
        chosen = self.form.groups[letter].parent
        return tuple(
            other
            for other in self.form.groups
            if other == chosen or (other != letter and letter not in ancestors(self.form.groups, other))
        )

    def has_problem(self, prefix: str, *parts: str) -> bool:
        """Whether one of these parts of a rule or group has a problem, so that it must not stay folded."""
        return any(f"{prefix}-{part}" in self.sentences for part in parts)

    @property
    def has_picture_problem(self) -> bool:
        """Whether the picture has one, so that it must not stay folded."""
        return any(name in self.sentences for name in (*composing.FIELDS, composing.FILE))

    @property
    def has_open_details(self) -> bool:
        """Whether "What the badge says" has a problem, so that it must not stay folded."""
        return any(name in achievement_details.DETAIL_FIELDS for name in self.sentences)

    @property
    def has_open_skills(self) -> bool:
        """Whether the skills have a problem, the field to go on with, or something that was looked for."""
        names = (*self.sentences, self.focus)
        return self.search is not None or any(name.startswith(("alignment", "skill_query")) for name in names)

    @property
    def asked(self) -> Criterion | None:
        """What the complete rows ask for, to be said in words before anything is saved."""
        return spoken_criterion(self.form)


def spoken_criterion(form: MicromoduleForm) -> Criterion | None:
    """The criterion of the rows that are complete; ``None`` while there is none."""
    rows = tuple(row for row in form.rows if _is_complete(row))
    if not rows:
        return None
    rules = replace(form.rules, rows=rows)
    used = {
        letter for row in rows if row.group for letter in (row.group, *ancestors(rules.groups, row.group))
    }
    groups = {letter: _countable(one) for letter, one in rules.groups.items() if letter in used}
    try:
        return form.with_rules(
            replace(rules, groups=groups, combination=_countable(form.combination))
        ).criterion()
    except (ValueError, KeyError):
        return None


def _is_complete(row: CriteriaRow) -> bool:
    """Whether a row alone could stand in a form."""
    alone = MicromoduleForm(rows=(replace(row, group=""),)).rules
    return not (row.is_untouched or next(row_problems(alone), None))


def _countable(combination: Combination) -> Combination:
    return combination if combination.count.isdigit() else replace(combination, count="1")


def blank_form(*, supports_mirror: bool, name: str = "", palette: Sequence[str] = ()) -> MicromoduleForm:
    """Where a description begins.

    :param name: what the micromodule is called unless somebody says otherwise: the course's title.
    :param palette: the organisation's colours.
    """
    name = " ".join(name.split())
    if next(text_problems("name", name, NAME_LENGTH), None):
        name = ""
    first = blank_row(RowKind.SCORE, supports_mirror=supports_mirror)
    return composing.with_artwork(MicromoduleForm(name=name, rows=(first,)), palette)


def named_form(view: PickerView, course_title: str | None, palette: Sequence[str] = ()) -> MicromoduleForm:
    """An empty form for this course, called as the course is, unless a micromodule is called so already.

    What numbers the course is left out: "Micromodule 1: Open Data", "CS101: Algorithms".
    """
    numbered = COURSE_NUMBER.match(course_title or "")
    name = numbered.group("name") if numbered else course_title or ""
    is_taken = any(one.name == name for one in view.micromodules)
    return blank_form(supports_mirror=view.supports_mirror, name="" if is_taken else name, palette=palette)


def named_choices(form: MicromoduleForm, view: Offered) -> MicromoduleForm:
    """The form with the names of the micromodules and badges that its rules ask for."""
    return with_choices(form, dict(view.micromodule_choices), dict(view.achievement_choices))[0]


def with_alt(form: MicromoduleForm) -> MicromoduleForm:
    """The form with words for the picture, where it has none and the badge has a name."""
    if form.image_alt or not form.name or form.picture_id:
        return form
    return replace(form, image_alt=_alt_of(form.name))


def without_alt(form: MicromoduleForm) -> MicromoduleForm:
    """The form as it was before :func:`with_alt`, so that the words follow a new name."""
    is_ours = not form.picture_id and form.image_alt == _alt_of(form.name)
    return replace(form, image_alt="") if is_ours else form


def _alt_of(name: str) -> str:
    return _("Badge: %(name)s", name=name)[:ALT_LENGTH]


def change_rows(
    form: MicromoduleForm,
    action: str,
    *,
    supports_mirror: bool,
    supports_gates: bool = True,
    recipe: str = "",
) -> tuple[MicromoduleForm, str]:
    """Do what one of the row buttons says.

    :param action: ``add_row``, ``add_<kind>``, ``add_recipe``, ``remove_row-<n>`` (from 0) or ``preview``,
        which changes nothing.
    :param recipe: the one that is chosen, for ``add_recipe``.
    :returns: the form, and the id of the field to go on with.
    """
    rows = form.rows
    kind = RowKind.SCORE.value if action == "add_row" else action.removeprefix("add_")
    added: tuple[CriteriaRow, ...] = ()
    if action == "add_recipe":
        added = rows_of(recipe, supports_mirror=supports_mirror, supports_gates=supports_gates)
    elif action != kind and kind in tuple(RowKind):
        added = (blank_row(kind, supports_mirror=supports_mirror),)
    if added and len(rows) + len(added) <= MAXIMUM_ROWS:
        first = len(rows)
        for row in added:
            rows = (*rows, replace(row, label=_free_label(row, rows)))
        part = "choice" if added[0].kind in (RowKind.COMPLETED, RowKind.HOLDS) else "label"
        return replace(form, rows=rows), f"criteria-{first}-{part}"
    kept = tuple(row for number, row in enumerate(rows) if action != f"remove_row-{number}")
    if len(kept) < len(rows):
        rows = kept or (blank_row(RowKind.SCORE, supports_mirror=supports_mirror),)
        return _without_empty_groups(replace(form, rows=rows)), "add-row"
    return form, "in-words"


def _free_label(row: CriteriaRow, rows: tuple[CriteriaRow, ...]) -> str:
    """The label of a new rule, numbered where there is one of its kind and name already."""
    taken = {other.label for other in rows if other.kind == row.kind}
    label, number = row.label, 2
    while label and label in taken:
        label, number = f"{row.label} {number}", number + 1
    return label


def _without_empty_groups(form: MicromoduleForm) -> MicromoduleForm:
    used = {
        letter for row in form.rows if row.group for letter in (row.group, *ancestors(form.groups, row.group))
    }
    return replace(form, groups={letter: form.groups[letter] for letter in form.groups if letter in used})
