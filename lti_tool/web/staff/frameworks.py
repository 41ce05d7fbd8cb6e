"""Skills frameworks: what was imported, and the form that imports."""

from __future__ import annotations

from typing import Any

from babel import Locale, UnknownLocaleError
from flask import Blueprint, Response, request
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.framework_files import LARGEST_FILE, VERSION_LENGTH, FileProblem
from lti_tool.services.frameworks import Imported
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, typed

blueprint = Blueprint("frameworks", __name__)

FORM_BYTES = 64 * 1024
"""Of the form beside its file."""


@blueprint.url_value_preprocessor
def _take_file(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let this one form be as large as its file; the limit stands before the CSRF token is looked for."""
    if endpoint == f"staff.{blueprint.name}.{import_file.__name__}" and request.method == "POST":
        request.max_content_length = LARGEST_FILE + FORM_BYTES


@blueprint.get("/frameworks")
def show() -> Response:
    """Every framework, and the form to import one."""
    return _shown()


def _shown(form: Typed | None = None, status: int = 200, imported: Imported | None = None) -> Response:
    return page(
        "frameworks",
        status,
        frameworks=current_tool().frameworks.list(current_staff().organisation_id),
        form=form or Typed({}),
        imported=imported and imported_sentence(imported),
        largest=LARGEST_FILE // (1024 * 1024),
        version_length=VERSION_LENGTH,
        language_word=language_word,
    )


@blueprint.post("/frameworks")
def import_file() -> AnyResponse:
    """Take a file; what is wrong with it is said beside its field."""
    staff = current_staff()
    staff.require(Permission.EDIT_MICROMODULES)
    values, file = typed(), request.files.get("file")
    try:
        imported = current_tool().frameworks.import_file(
            staff,
            file.read() if file else b"",
            file_name=(file.filename or "") if file else "",
            version=values.get("version"),
        )
    except RequestInvalid as error:
        if error.code is not ErrorCode.FRAMEWORK_FILE_INVALID:
            raise
        return _shown(Typed(values, {"file": problem_sentence(error.params)}), 422)
    return _shown(imported=imported)


@blueprint.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """More than any framework: said in the form, not on a page of its own."""
    sentence = problem_sentence({"problem": FileProblem.TOO_LARGE, "limit": LARGEST_FILE // (1024 * 1024)})
    return _shown(Typed({}, {"file": sentence}), 413)


@blueprint.get("/frameworks/<framework_id>/remove")
def ask_removal(framework_id: str) -> Response:
    """What goes with it, before it goes."""
    staff = current_staff()
    staff.require(Permission.EDIT_MICROMODULES)
    framework = current_tool().frameworks.framework(staff.organisation_id, framework_id)
    return page("framework_remove", framework=framework)


@blueprint.post("/frameworks/<framework_id>/remove")
def remove(framework_id: str) -> AnyResponse:
    """Remove a framework; badges keep what they say."""
    current_tool().frameworks.remove(current_staff(), framework_id)
    return done("staff.frameworks.show", "framework_removed")


def language_word(tag: str) -> str:
    """A language as the reader calls it; its tag where that says nothing."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name(get_locale())
    except (ValueError, UnknownLocaleError):
        return tag
    return name or tag


def imported_sentence(imported: Imported) -> str:
    """What an import did."""
    renewal = imported.renewal
    total = ngettext("%(num)s skill is there now", "%(num)s skills are there now", imported.framework.items)
    changes = _(
        "%(added)s new, %(changed)s changed, %(removed)s removed",
        added=renewal.added,
        changed=renewal.changed,
        removed=renewal.removed,
    )
    sentences = [
        _("%(name)s: %(total)s (%(changes)s).", name=imported.framework.name, total=total, changes=changes)
    ]
    if imported.left_out:
        sentences.append(
            ngettext(
                "%(num)s obsolete skill was left out.",
                "%(num)s obsolete skills were left out.",
                imported.left_out,
            )
        )
    if imported.repeated:
        sentences.append(
            ngettext(
                "%(num)s row named a skill a second time; the first counted.",
                "%(num)s rows named a skill a second time; the first counted.",
                imported.repeated,
            )
        )
    return " ".join(sentences)


def problem_sentence(params: Any) -> str:
    """Why a file was not taken."""
    limit, line, name, given = (params.get(key, "") for key in ("limit", "line", "name", "given"))
    return {
        FileProblem.EMPTY: _("Choose a file; this one is empty."),
        FileProblem.TOO_LARGE: _("This file is too large: at most %(limit)s MB.", limit=limit),
        FileProblem.TOO_MANY: _("These are too many skills: at most %(limit)s.", limit=limit),
        FileProblem.PACKED: _("This is a ZIP. Unpack it, and take the file skills_….csv that lies in it."),
        FileProblem.NOT_TEXT: _(
            "This file is not in UTF-8; a spreadsheet may have saved it anew. Take it as it was downloaded."
        ),
        FileProblem.NOT_KNOWN: _("This is neither a table of ESCO (CSV) nor a CASE package (JSON)."),
        FileProblem.COLUMN_MISSING: _(
            "The column %(name)s is missing: this is not ESCO's table of skills.", name=name
        ),
        FileProblem.OCCUPATIONS: _(
            "Line %(line)s holds no skill. Take ESCO's file skills_….csv, not that of occupations.", line=line
        ),
        FileProblem.ROW_BROKEN: _(
            "Line %(line)s cannot be read: its quotes or columns do not fit. Nothing was imported.", line=line
        ),
        FileProblem.NOT_JSON: _("This is no JSON that can be read. Nothing was imported."),
        FileProblem.PART_MISSING: _("%(name)s is missing: this is not a CASE package.", name=name),
        FileProblem.NAME_MISSING: _("%(line)s has no name. Nothing was imported.", line=line),
        FileProblem.URL_INVALID: _(
            "%(line)s has no web address that could be linked: %(given)s. Nothing was imported.",
            line=line,
            given=given,
        ),
        FileProblem.LANGUAGE_INVALID: _("%(given)s is no language such as en or pt-BR.", given=given),
        FileProblem.NO_ITEMS: _("There is no skill in this file that is in use."),
    }[FileProblem(params["problem"])]
