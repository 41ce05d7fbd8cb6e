"""Picking a badge's skills from imported frameworks: the part of the form that searches and takes over.

Everything works by the form's buttons; a script searches while somebody types, by the same words.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Response, jsonify, render_template, request

from lti_tool.errors import NotFound
from lti_tool.services.achievement_details import (
    FRAMEWORK_LENGTH,
    MAXIMUM_ALIGNMENTS,
    AlignmentFields,
)
from lti_tool.services.frameworks import QUERY_LENGTH, Found
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store.frameworks import SkillView
from lti_tool.web import writing

QUERY = "skill_query"
FIND, ADD, BLANK, REMOVE = "find_skills", "add_skill-", "add_alignment", "remove_alignment-"
"""The buttons; those that end with a dash are followed by a skill's id or a row's number."""


def search_of(text: str) -> Found | None:
    """What is found for a text that was typed; ``None`` where none was, so that nothing is shown.

    :raises NotAllowed: for anybody who may not configure.
    """
    text = text.strip()[:QUERY_LENGTH]
    if not text:
        return None
    return writing.search_skills(text)


def is_button(action: str) -> bool:
    """Whether one of this part's buttons was pressed."""
    return action in (FIND, BLANK) or action.startswith((ADD, REMOVE))


def press(form: MicromoduleForm, action: str) -> tuple[MicromoduleForm, str]:
    """Do what a button says.

    :returns: the form, and the id of the field to go on with.
    :raises NotAllowed: for anybody who may not configure.
    """
    rows = form.details.alignments
    if action == BLANK and len(rows) < MAXIMUM_ALIGNMENTS:
        return _with(form, (*rows, AlignmentFields())), f"alignment-{len(rows)}-name"
    numbers = [number for number in range(len(rows)) if action == f"{REMOVE}{number}"]
    if numbers:
        return _with(form, (*rows[: numbers[0]], *rows[numbers[0] + 1 :])), QUERY
    if not action.startswith(ADD):
        return form, QUERY
    try:
        row = as_row(writing.skill(action.removeprefix(ADD)))
    except NotFound:
        # Removed, or renewed without it, since the results were shown: what is typed must not be lost.
        return form, QUERY
    kept = tuple(one for one in rows if not one.is_blank)
    if row.url not in {one.url for one in kept} and len(kept) < MAXIMUM_ALIGNMENTS:
        kept = (*kept, row)
    return _with(form, kept), QUERY


def as_row(skill: SkillView) -> AlignmentFields:
    """A skill as the form's fields have it: a copy, which stays as it is whatever becomes of the list."""
    label = f"{skill.framework} {skill.version}" if skill.version else skill.framework
    return AlignmentFields(
        skill.name,
        skill.url,
        label if len(label) <= FRAMEWORK_LENGTH else skill.framework,
        skill.code or "",
        skill.target_type,
    )


def results() -> Response:
    """``{"html": …}``: what is found, as the part of the form that shows it; no page by itself."""
    found = search_of(request.args.get("q", ""))
    response = jsonify({"html": render_template("pages/configure/skill_results.html", search=found)})
    response.headers["Cache-Control"] = "no-store"
    return response


def _with(form: MicromoduleForm, rows: tuple[AlignmentFields, ...]) -> MicromoduleForm:
    return replace(form, details=replace(form.details, alignments=rows))
