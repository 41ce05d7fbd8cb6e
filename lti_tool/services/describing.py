"""A described micromodule on its way from the form into the store: checked, completed, put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy.orm import Session

from lti_tool.credentials.artwork import Artwork, check_alt, check_artwork, render_png, render_svg
from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.credentials.uploads import with_alt
from lti_tool.domain.criteria import Criterion, score_asks
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.criteria_rows import RowKind
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.micromodule_form import ALT_LENGTH, DESCRIPTION_LENGTH, MicromoduleForm
from lti_tool.store import micromodules, pictures
from lti_tool.store.database import Database
from lti_tool.store.pictures import PictureView

COLUMN_LABEL_LENGTH = 255


def describe_form(
    database: Database,
    organisation_id: str,
    form: MicromoduleForm,
    narrate: Callable[[Criterion], str],
    language: str,
    *,
    signed_by: str | None = None,
    criterion: Criterion | None = None,
) -> micromodules.NewMicromodule:
    """The form as it is stored, what may stay empty filled in; the picture is drawn.

    :param signed_by: the issuer of a badge that is there already: it stays unless another one is chosen, or
        it was retired.
    :param criterion: of what is published already, and gets a badge; the form's own rules say nothing then.
    :raises RequestInvalid: ``form_invalid`` with ``problems``.
    """
    with database.read() as reading:
        versions = micromodules.current_versions(reading, organisation_id)
        achievements = micromodules.achievement_choices(reading, organisation_id)
        issuers = [id_ for id_, _name in micromodules.issuer_choices(reading, organisation_id)]
        uploaded = pictures.picture(reading, organisation_id, form.picture_id) if form.picture_id else None
    found: tuple[Problem, ...] = ()
    if criterion is None:
        form, found = with_choices(
            form, {version.micromodule_id: version.name for version in versions}, dict(achievements)
        )
    if not form.picture_id:
        form = replace(form, image_alt=form.image_alt or form.name[:ALT_LENGTH])
    found = (*(form.problems() if criterion is None else form.badge_problems()), *found)
    if form.details.issuer_id and form.details.issuer_id not in issuers:
        found = (*found, Problem("issuer_id", FormProblem.UNKNOWN_CHOICE))
    found = (*found, *picture_problems(form, uploaded))
    if found:
        raise RequestInvalid(ErrorCode.FORM_INVALID, f"{len(found)} problems", problems=_each_once(found))
    criterion = criterion or form.criterion()
    narrative = narrate(criterion)
    svg, png = drawn(form, uploaded)
    chosen = form.details.issuer_id or (signed_by if signed_by in issuers else None)
    details = form.details.to_details(criterion)
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
        image_png=png,
        issuer_id=chosen or next(iter(issuers), None),
        issues_badge=form.issues_badge,
        **{name: getattr(details, name) for name in details.names()},
    )


def drawn(form: MicromoduleForm, uploaded: PictureView | None) -> tuple[str, bytes]:
    """The picture as SVG and PNG; only of a form without :func:`picture_problems`."""
    if uploaded is not None:
        return with_alt(uploaded.svg, form.image_alt), uploaded.png
    svg = render_svg(_artwork(form))
    return svg, render_png(svg)


def picture_problems(form: MicromoduleForm, uploaded: PictureView | None) -> tuple[Problem, ...]:
    """What keeps the picture from being drawn; an uploaded one was checked when it came."""
    if form.picture_id and uploaded is None:
        return (Problem("picture", FormProblem.PICTURE_MISSING),)
    try:
        if uploaded is not None:
            check_alt(form.image_alt)
        else:
            check_artwork(_artwork(form))
    except ArtworkInvalid as error:
        if error.field != "alt" or form.name:
            return (_artwork_problem(error),)
    return ()


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
                found.append(_not_there(f"criteria-{number}-choice", row.label))
            row = replace(row, label=names.get(row.choice, row.label))
        rows.append(row)
    return replace(form, rows=tuple(rows)), tuple(found)


def _not_there(field: str, name: str) -> Problem:
    """What has a name was there when it was chosen."""
    if not name:
        return Problem(field, FormProblem.UNKNOWN_CHOICE)
    return Problem(field, FormProblem.NO_LONGER_EARNED, {"name": name})


def check_choices(session: Session, organisation_id: str, form: MicromoduleForm) -> None:
    """Refuse rules that name what can be earned no more, inside the transaction that saves them.

    The caller holds the organisation's lock (:func:`lti_tool.services.circles.check_saved`): nobody retires
    or puts aside what they name before its end.

    :raises RequestInvalid: ``form_invalid`` with ``problems``.
    """
    if any(row.kind in (RowKind.COMPLETED, RowKind.HOLDS) for row in form.rows):
        versions = micromodules.current_versions(session, organisation_id)
        badges = micromodules.achievement_choices(session, organisation_id)
        names = {version.micromodule_id: version.name for version in versions}
        check_form(with_choices(form, names, dict(badges))[1])


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
