"""The buttons of the form that describes a badge, wherever it stands: in a course, or on the staff pages.

Each of them works without script.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from flask import request

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services import criteria_import
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web import composing, skills, writing
from lti_tool.web.forms import FormView, change_rows, named_choices
from lti_tool.web.recipes import Offered
from lti_tool.web.session import current_session, current_tool


def typed() -> MicromoduleForm:
    """The form of this request."""
    return MicromoduleForm.from_fields(request.form.to_dict(flat=True))


def palette() -> tuple[str, ...]:
    """The colours of the organisation."""
    return current_tool().pictures.palette(writing.organisation_id())


def with_picture(form: MicromoduleForm) -> tuple[MicromoduleForm, tuple[Problem, ...]]:
    """The form with the picture that was sent along, whichever button was pressed; or why it is not taken."""
    content = composing.sent_file()
    if content is None:
        is_missing = request.form.get("action") == composing.UPLOAD
        return form, (Problem(composing.FILE, FormProblem.PICTURE_MISSING),) if is_missing else ()
    try:
        picture = writing.upload(content)
    except RequestInvalid as error:
        if error.code is not ErrorCode.FORM_INVALID:
            raise
        return form, problems(error)
    fields = form.to_fields() | {"picture_id": picture.id}
    return MicromoduleForm.from_fields(fields), ()


def problems(error: RequestInvalid) -> tuple[Problem, ...]:
    """What a service refused, field by field."""
    return cast("tuple[Problem, ...]", error.params.get("problems", ()))


def pressed(form: MicromoduleForm, action: str, view: Offered) -> FormView:
    """What the form looks like after one of the buttons that save nothing."""
    recipe = request.form.get("recipe", "")
    pasted = request.form.get(criteria_import.FIELD, "").replace("\0", "")
    if action == "import":
        text = _uploaded() or pasted
        try:
            rules = criteria_import.import_rules(text)
        except criteria_import.ImportRefused as refused:
            return FormView(form, (refused.problem,), recipe=recipe, pasted=pasted)
        # What a file names by id is called as it is here, not as the file says.
        return FormView(named_choices(form.with_rules(rules), view), focus="in-words", recipe=recipe)
    shown = FormView(form, focus="in-words", recipe=recipe, pasted=pasted)
    picture = composing.press(form, action, palette())
    if picture is not None:
        return replace(shown, form=picture[0], focus=picture[1], shows_picture=True)
    query = request.form.get(skills.QUERY, "").replace("\0", "")
    if skills.is_button(action):
        form, focus = skills.press(form, action)
        return replace(shown, form=form, focus=focus, search=skills.search_of(query))
    # Enter in the search presses the form's first button.
    shown = replace(shown, search=skills.search_of(query))
    if action == "simulate":
        return _simulated(shown, view)
    form, focus = change_rows(
        form,
        action,
        supports_mirror=view.supports_mirror,
        supports_gates=view.supports_gates,
        recipe=recipe,
    )
    return replace(shown, form=form, focus=focus)


def _uploaded() -> str:
    """The file to import, as text; what is not UTF-8 becomes text that is no JSON."""
    file = request.files.get("criteria_file")
    return "" if file is None else file.read().decode("utf-8-sig", errors="replace")


def _simulated(shown: FormView, view: Offered) -> FormView:
    """The rules in words, and who would earn it now by those that are complete."""
    if shown.asked is None:
        return shown
    if not view.is_known:
        return replace(shown, is_unknown_course=True)
    simulation = current_tool().simulating.criterion(
        current_session(), shown.asked, draft_id=shown.placement_id or None
    )
    return replace(shown, simulation=simulation)
