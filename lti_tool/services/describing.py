"""A described micromodule on its way from the form into the store: checked, completed, put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from lti_tool.credentials.artwork import Artwork, check_artwork, render_png, render_svg
from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.domain.criteria import Criterion, score_asks
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.criteria_rows import RowKind
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import ALT_LENGTH, DESCRIPTION_LENGTH, MicromoduleForm
from lti_tool.store import micromodules
from lti_tool.store.database import Database

COLUMN_LABEL_LENGTH = 255


def describe_form(
    database: Database,
    organisation_id: str,
    form: MicromoduleForm,
    narrate: Callable[[Criterion], str],
    language: str,
) -> micromodules.NewMicromodule:
    """The form as it is stored, what may stay empty filled in; the picture is drawn.

    :raises RequestInvalid: ``form_invalid`` with ``problems``.
    """
    with database.read() as reading:
        versions = micromodules.current_versions(reading, organisation_id)
        achievements = micromodules.achievement_choices(reading, organisation_id)
    form, found = with_choices(
        form, {version.micromodule_id: version.name for version in versions}, dict(achievements)
    )
    form = replace(form, image_alt=form.image_alt or form.name[:ALT_LENGTH])
    found = (*form.problems(), *found)
    artwork = _artwork(form)
    try:
        check_artwork(artwork)
    except ArtworkInvalid as error:
        if error.field != "alt" or form.name:
            found = (*found, _artwork_problem(error))
    if found:
        raise RequestInvalid(ErrorCode.FORM_INVALID, f"{len(found)} problems", problems=_each_once(found))
    criterion = form.criterion()
    narrative = narrate(criterion)
    svg = render_svg(artwork)
    return micromodules.NewMicromodule(
        name=form.name,
        description=form.description,
        summary=summary_of(narrative),
        skills=form.skill_list,
        criteria=dump_criteria(criterion),
        criteria_narrative=narrative,
        language=language,
        artwork=form.artwork(),
        image_alt=form.image_alt,
        image_svg=svg,
        image_png=render_png(svg),
    )


def draw(form: MicromoduleForm) -> str:
    """The picture as composed so far, as SVG.

    :raises ArtworkInvalid: when it cannot be drawn as asked.
    """
    artwork = _artwork(form)
    return render_svg(artwork if artwork.alt else replace(artwork, alt="…"))


def evidence_columns(criterion: Criterion, name: str) -> tuple[tuple[str, str, str, Decimal], ...]:
    """(tag, evidence key, label, score maximum) of every column that a criterion asks for, each once.

    :param name: of the badge: two badges that ask for one quiz have a column each.
    """
    return tuple(
        (channel.value, key, of_badge(label, name), maximum)
        for key, label, channel, maximum in score_asks(criterion)
    )


def of_badge(label: str, name: str) -> str:
    """What is called ``label`` beside the badge ``name``, in the LMS: "Quiz 1 · Open Data Basics"."""
    return f"{label} · {name}"[:COLUMN_LABEL_LENGTH].rstrip()


def with_choices(
    form: MicromoduleForm, micromodule_names: Mapping[str, str], achievement_names: Mapping[str, str]
) -> tuple[MicromoduleForm, tuple[Problem, ...]]:
    """The form with the names of what its rules name by id, and a problem for what is not there."""
    rows = []
    found = []
    for number, row in enumerate(form.rows):
        if row.kind in (RowKind.COMPLETED, RowKind.HOLDS) and row.choice:
            names = micromodule_names if row.kind == RowKind.COMPLETED else achievement_names
            if row.choice not in names:
                found.append(Problem(f"criteria-{number}-choice", FormProblem.UNKNOWN_CHOICE))
            row = replace(row, label=names.get(row.choice, row.label))
        rows.append(row)
    return replace(form, rows=tuple(rows)), tuple(found)


def own_description(description: str, narrative: str) -> str:
    """A badge's description where somebody wrote one: empty where only its criteria stand for it."""
    return "" if description == summary_of(narrative) else description


def summary_of(narrative: str) -> str:
    """Criteria in words as one line: "All of these: Quiz 1: at least 60 %; (One of these: Essay; Talk)"."""
    lines = [
        (len(line) - len(line.lstrip()) + (2 if line.lstrip().startswith("- ") else 0), line.strip())
        for line in narrative.splitlines()
        if line.strip()
    ]
    text = ""
    open_at: list[int] = []
    for number, (depth, line) in enumerate(lines):
        while open_at and depth <= open_at[-1]:
            text += ")"
            open_at.pop()
        words = line.removeprefix("- ")
        is_heading = number + 1 < len(lines) and lines[number + 1][0] > depth
        if number:
            text += " " if lines[number - 1][0] < depth else "; "
        if is_heading and number:
            text += "("
            open_at.append(depth)
        text += words
    return (text + ")" * len(open_at))[:DESCRIPTION_LENGTH]


def _artwork_fields(form: MicromoduleForm) -> dict[str, str]:
    return {name: str(value) for name, value in form.artwork().items()}


def _artwork(form: MicromoduleForm) -> Artwork:
    return Artwork(**_artwork_fields(form))


_ARTWORK_PROBLEMS = {
    "unknown": FormProblem.UNKNOWN_CHOICE,
    "missing": FormProblem.REQUIRED,
    "too_long": FormProblem.TOO_LONG,
    "control_character": FormProblem.CONTROL_CHARACTER,
    "contrast_too_low": FormProblem.CONTRAST_TOO_LOW,
    "not_a_colour": FormProblem.COLOUR_INVALID,
    "characters_not_in_font": FormProblem.CHARACTERS_NOT_IN_FONT,
}


def _artwork_problem(error: ArtworkInvalid) -> Problem:
    field = "image_alt" if error.field == "alt" else error.field
    params = {name: value for name, value in error.params.items() if name not in ("reason", "field")}
    return Problem(field, _ARTWORK_PROBLEMS.get(error.reason, FormProblem.UNKNOWN_CHOICE), params)


def _each_once(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """A field that the form and the composer both refuse for one reason is named once."""
    return tuple({(problem.field, problem.code): problem for problem in problems}.values())
